/* harness/plan/opg/prices.h - the Lagrangian bound of a problem: prices on C3 and C2, the least
 * cost of every weight under them, and from both a proven lower bound of the objective. */
#ifndef FLASHMEM_HARNESS_PLAN_OPG_PRICES_H
#define FLASHMEM_HARNESS_PLAN_OPG_PRICES_H

#include "harness/plan/plan.h"

struct prices {
    const struct plan_problem *p;
    double *slot;   /* [N + 1] mu_l: a chunk's place in layer l */
    double *hold;   /* [N + 1] nu_l: a chunk in flight at layer l; all 0 without a limit */
    double *sum;    /* [N + 1] nu_1 + ... + nu_l */
    double *income; /* [N + 1] sum over layers 1..l of mu C + nu M: what the bound gives back */
    double *weight; /* [n] least cost of each weight */
    double bound;   /* sum of weight[] - income[N] */
    struct heap_slot *heap; /* scratch */
    int room;
};

int prices_new(const struct plan_problem *p, struct prices *ret_v);
void prices_done(struct prices *v);

/* Subgradient steps towards `target`, the objective of a known plan; keeps the best. */
int prices_improve(struct prices *v, int64_t target, int steps);

/* Least of b * (layers l..z) + prices of `chunks` slots in z..l, over z; `limit` if none is below.
 */
double prices_to_go(struct prices *v, int l, int chunks, double limit);

#endif
