/* preload: everything moves before the first layer runs, as frameworks do. Applies to any
 * problem; costs start-up time and the memory of all weights. The control of every comparison. */
#include "harness/plan/plan_build.h"

static int solve(const struct plan_problem *p, struct plan *plan, struct err *err)
{
    (void)err;
    for (int w = 0; w < p->n_weights; w++)
        plan->preload[w] = true;
    return 0;
}

/* The same with what frameworks do beside: weights lie in the file as models have them and are
 * rearranged on the device. */
const struct policy policy_preload_transform = {
    .name = "preload-transform",
    .summary = "preload from a natural layout, rearranged on the device",
    .ignores_limit = true,
    .transforms = true,
    .solve = solve,
};

const struct policy policy_preload = {
    .name = "preload",
    .summary = "every weight before the first layer",
    .ignores_limit = true,
    .solve = solve,
};
