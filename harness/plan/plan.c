#include "harness/plan/plan.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/plan/plan_build.h"
#include "profiler/clock.h"

const char *const plan_price_names[] = {"bytes", "count", NULL};
const char *const plan_limit_names[] = {"streamed", "resident", "unified", "literal", NULL};
const char *const plan_status_names[] = {"OPTIMAL", "FEASIBLE", "INFEASIBLE", NULL};

const struct policy *const policy_table[] = {
    &policy_preload,      &policy_preload_transform,
    &policy_always_next,  &policy_same_op_type,
    &policy_greedy,       &policy_lc_opg,
    &policy_latency,      &policy_cp_sat,
    NULL,
};

const struct policy *policy_find(const char *name)
{
    for (const struct policy *const *pol = policy_table; *pol; pol++) {
        if (!strcmp((*pol)->name, name))
            return *pol;
    }
    return NULL;
}

static int problem_check_weights(const struct plan_problem *p, struct err *err)
{
    for (int w = 0; w < p->n_weights; w++) {
        const struct plan_weight *k = &p->weight[w];

        if (k->consumer < 1 || k->consumer > p->n_layers)
            return err_set(err, -EINVAL, "weight '%s': consumer '%d' is not a layer of 1..%d",
                           k->name, k->consumer, p->n_layers);
        if (w > 0 && k->consumer < p->weight[w - 1].consumer)
            return err_set(err, -EINVAL, "weight '%s' is not in order of its consumer", k->name);
        if (k->chunks < 1)
            return err_set(err, -EINVAL, "weight '%s': want at least 1 chunk, got '%d'", k->name,
                           k->chunks);
        if (k->last_use < k->consumer || k->last_use > p->n_layers)
            return err_set(err, -EINVAL, "weight '%s': last use '%d' is not a layer of %d..%d",
                           k->name, k->last_use, k->consumer, p->n_layers);
    }
    return 0;
}

static int problem_check(const struct plan_problem *p, struct err *err)
{
    if (p->n_layers < 1)
        return err_set(err, -EINVAL, "a plan needs at least one layer, got '%d'", p->n_layers);
    if (p->n_weights < 0)
        return err_set(err, -EINVAL, "number of weights: want 0 or more, got '%d'", p->n_weights);
    if (p->a < 0 || p->b < 0 || p->a + p->b == 0)
        return err_set(err, -EINVAL,
                       "lambda as a:b: want two numbers from 0, one above, got '%d:%d'", p->a,
                       p->b);
    if (p->max_loads < 0)
        return err_set(err, -EINVAL, "destinations per layer: want 0 or more, got '%d'",
                       p->max_loads);
    if (!(p->disk_bytes_per_s >= 0) || p->ring < 0)
        return err_set(err, -EINVAL, "disk rate or ring is negative");
    if (p->relax_percent < 0)
        return err_set(err, -EINVAL, "capacities raised by: want 0 %% or more, got '%d'",
                       p->relax_percent);
    if (p->m_peak < -1 || p->m_total < 0)
        return err_set(err, -EINVAL, "negative memory limit");
    if (p->price != PRICE_BYTES && p->price != PRICE_COUNT)
        return err_set(err, -EINVAL, "unknown price '%d'", (int)p->price);
    if ((unsigned)p->limit > LIMIT_LITERAL)
        return err_set(err, -EINVAL, "unknown reading '%d' of the memory limit", (int)p->limit);
    for (int l = 0; l < p->n_layers; l++) {
        if (p->layer[l].capacity < 0)
            return err_set(err, -EINVAL, "layer %d: want a capacity of 0 or more chunks, got '%d'",
                           l + 1, p->layer[l].capacity);
    }
    return problem_check_weights(p, err);
}

static int raise_capacities(struct plan_problem *p, int percent, struct plan_layer **ret_layer,
                            struct err *err)
{
    struct plan_layer *layer = malloc((size_t)p->n_layers * sizeof(*layer));

    if (!layer)
        return err_set(err, -ENOMEM, "no memory for %d layers", p->n_layers);
    for (int l = 0; l < p->n_layers; l++) {
        layer[l] = p->layer[l];
        layer[l].capacity = plan_relaxed(p->layer[l].capacity, percent);
    }
    p->layer = layer;
    *ret_layer = layer;
    return 0;
}

/* Every plan passes the checker. The limits are checked last and apart, because a plan beyond them
 * is an answer (no plan of this policy fits) where any other fault is ours. */
static int check_made(const struct policy *policy, const struct plan_problem *p, struct plan *plan,
                      struct err *err)
{
    bool ignore_capacity = policy->exceeds_capacity && !p->respect_capacity;
    struct plan_problem limited = *p, unlimited;
    struct plan_layer *raised = NULL;
    struct err why = {0};
    int rc = 0;

    if (plan->relaxed_percent > 0)
        rc = raise_capacities(&limited, plan->relaxed_percent, &raised, err);
    if (rc < 0)
        return rc;
    unlimited = limited;
    /* Above any sum of chunks, and still a limit: the peak keeps its reading. */
    if (p->m_peak >= 0)
        unlimited.m_peak = INT64_MAX;
    if (p->m_total > 0)
        unlimited.m_total = INT64_MAX;
    rc = plan_check(&unlimited, plan, ignore_capacity, NULL, &plan->peak, err);
    if (rc < 0) {
        free(raised);
        return err_prefix(err, "policy '%s' made a wrong plan", policy->name);
    }
    rc = plan_check(&limited, plan, ignore_capacity, NULL, NULL, &why);
    free(raised);
    if (rc == -EPROTO && (policy->ignores_limit || plan->status == PLAN_INFEASIBLE)) {
        plan->status = PLAN_INFEASIBLE;
        if (!plan->note[0])
            snprintf(plan->note, sizeof(plan->note), "%.*s", (int)sizeof(plan->note) - 1, why.text);
        return 0;
    }
    if (rc < 0)
        return err_set(err, rc, "policy '%s' made a wrong plan: %s", policy->name, why.text);
    return 0;
}

int plan_make(const struct policy *policy, const struct plan_problem *p, struct plan **ret_plan,
              struct err *err)
{
    struct plan *plan = NULL;
    uint64_t start_ns;
    int rc = problem_check(p, err);

    if (rc < 0)
        return rc;
    plan = plan_new(p);
    if (!plan)
        return err_set(err, -ENOMEM, "no memory for a plan of %d weights", p->n_weights);
    snprintf(plan->policy, sizeof(plan->policy), "%s", policy->name);
    start_ns = clock_ns();
    rc = policy->solve(p, plan, err);
    if (rc < 0)
        goto out;
    plan->solve_ns = clock_ns() - start_ns;
    plan_sort_moves(plan);
    plan_sum_up(p, plan);
    rc = check_made(policy, p, plan, err);
    if (rc < 0)
        goto out;
    plan->latency_ns = plan_simulate_ns(p, plan);
    assert(!(plan->latency_bound_ns > plan->latency_ns * (1 + 1e-9)));
    assert(plan->status == PLAN_INFEASIBLE || plan->lower_bound <= plan->objective);
    *ret_plan = plan;
    plan = NULL;
out:
    plan_free(plan);
    return rc;
}
