/* The least memory at which a policy has a plan, found by asking it. */
#include "harness/plan/plan.h"

#define BRIEF_S 0.02
#define TRIES   60

int64_t plan_least_total(const struct policy *policy, const struct plan_problem *problem)
{
    struct plan_problem p = *problem;
    int64_t low = p.m_total, high = 0; /* 0: none is known to be enough */
    struct plan *plan;

    p.time_limit_s = BRIEF_S;
    for (int i = 0; (high == 0 || high - low > 1) && i < TRIES && low < INT64_MAX / 4; i++) {
        p.m_total = high ? low + (high - low) / 2 : 2 * low;
        if (plan_make(policy, &p, &plan, NULL) < 0)
            return 0;
        if (plan->status == PLAN_INFEASIBLE)
            low = p.m_total;
        else
            high = p.m_total;
        plan_free(plan);
    }
    return high;
}
