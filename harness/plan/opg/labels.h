/* harness/plan/opg/labels.h - the search for W: labels over the layers in reverse, a beam wide. */
#ifndef FLASHMEM_HARNESS_PLAN_OPG_LABELS_H
#define FLASHMEM_HARNESS_PLAN_OPG_LABELS_H

#include "harness/plan/plan_build.h"
#include "harness/plan/opg/prices.h"

struct labels_found {
    bool found;    /* a W below `below`; preload[] is filled */
    bool complete; /* nothing was cut off for width or time */
    bool late;     /* stopped at the deadline */
    int64_t cost;  /* objective of the W found */
    int64_t least; /* no plan served by the rule costs less, or `below` */
};

/* Looks for a W whose plan, served by `rule` and within every limit of p, costs less than `below`.
 * v: prices of p or of a relaxation of p. preload[n_weights] is the caller's, filled when found.
 * -ENOMEM. */
int labels_search(const struct plan_problem *p, struct prices *v, enum serve_rule rule, int width,
                  int64_t below, uint64_t deadline_ns, bool *preload, struct labels_found *ret_f);

#endif
