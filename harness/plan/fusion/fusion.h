/* harness/plan/fusion/fusion.h - adaptive fusion: a fused kernel saves launches and leaves fewer
 * places to stream. Where a plan is short of capacity: rank the fused kernels by what they cost the
 * plan, split the worst, plan again, keep what helped and undo what did not.
 *
 * Pure arithmetic on a list of possible splits: who can be split, and into what, is the caller's
 * knowledge. README.md, "Adaptive fusion". */
#ifndef FLASHMEM_HARNESS_PLAN_FUSION_FUSION_H
#define FLASHMEM_HARNESS_PLAN_FUSION_FUSION_H

#include "harness/plan/plan.h"

struct fusion_options {
    double alpha;        /* a split has to bring (1 + alpha) times the capacity; 0.1 */
    double mu;           /* price of a layer of distance in the ranking, beside lambda; 0.1 */
    double time_limit_s; /* of all plans together, beside the first */
};
struct fusion_options fusion_defaults(void);

struct fusion_step {
    int split;      /* into the list */
    double penalty; /* lambda * W_new + mu * distance that the fusion costs, as ranked */
    double gain;    /* in what the policy minimises: objective / (a + b), or ns */
    bool kept;
};

/* The problem after the splits that were kept; its arrays are owned, names and curves borrowed. */
struct fusion_result {
    struct plan_problem problem;
    struct plan_layer *layer;
    struct plan_weight *weight;
    struct plan *plan;
    double before, after; /* in what the policy minimises */
    int n_steps;          /* in the order tried */
    struct fusion_step *step;
};

/* Applies splits with use[i] set: the problem with their layers in two, weights and later layers
 * renumbered. ret_r: problem, layer and weight only. -EINVAL: a split names no layer, or two name
 * the same; -ENOMEM. */
int fusion_apply(const struct plan_problem *p, const struct plan_split *split, int n,
                 const bool *use, struct fusion_result *ret_r, struct err *err);

/* Plans by `policy`, splitting as above. Without a possible split that is plan_make(). Errors as
 * plan_make(). Free with fusion_done(). */
int fusion_plan(const struct policy *policy, const struct plan_problem *p,
                const struct plan_split *split, int n, const struct fusion_options *opt,
                struct fusion_result *ret_r, struct err *err);
void fusion_done(struct fusion_result *r);

#endif
