/* latency: the least integrated time under the memory limit, with stalls allowed and priced
 * (README.md, "Latency"). Needs the rate of the disk and the layers' curves; where they are not
 * known, or no curve fits, lc-opg's plan comes back with a note. Costs milliseconds to
 * p->time_limit_s.
 *
 * Searched twice, wider and wider: among curves that become plans, for the plan; among all that the
 * relaxed limits allow, for the bound. */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/plan/latency/reach.h"
#include "profiler/clock.h"

static const int widths[] = {8, 64, 512, 4096};
#define ENOUGH 1e-5 /* relative gap at which no wider beam is tried */
#define LATER_WIDTH 64
#define NOTHING 1e-9 /* and at which a plan counts as optimal */

struct latency {
    const struct plan_problem *p;
    struct stream strict, relaxed;
    struct slopes v, w; /* of the two */
    uint64_t deadline_ns;
    int *units, *trial;
    bool found;
    double ns, bound;
    bool strict_done, relaxed_done;
};

static int widen(struct latency *o)
{
    uint64_t last_ns = 0;

    for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
        uint64_t start_ns = clock_ns(), until = i > 0 ? o->deadline_ns : UINT64_MAX;
        struct reach_found f;
        int rc;

        if (i > 0 && (start_ns + 4 * last_ns > o->deadline_ns || o->bound >= o->ns * (1 - ENOUGH)))
            break;
        if (!o->strict_done) {
            rc = reach_search(&o->v, widths[i], o->ns, INT_MAX, until, o->trial, &f);
            if (rc < 0)
                return rc;
            if (f.found) {
                memcpy(o->units, o->trial, ((size_t)o->p->n_layers + 1) * sizeof(int));
                o->ns = f.ns;
                o->found = true;
            }
            o->strict_done = f.complete;
        }
        if (!o->relaxed_done) {
            rc = reach_search(&o->w, widths[i], o->ns, INT_MAX, until, o->trial, &f);
            if (rc < 0)
                return rc;
            o->bound = fmax(o->bound, f.least);
            o->relaxed_done = f.complete;
        }
        if (o->strict_done && o->relaxed_done)
            break;
        last_ns = clock_ns() - start_ns;
    }
    return 0;
}

/* Among curves as fast, one that preloads less: reading ahead of need takes memory and, where the
 * disk is the limit, gains nothing. The least start that keeps the time, by bisection. */
static int start_later(struct latency *o)
{
    int low = o->strict.low[0] - 1, high = o->units[0], rc = 0;

    while (rc == 0 && high - low > 1 && clock_ns() < o->deadline_ns) {
        int mid = low + (high - low) / 2;
        struct reach_found f;

        rc = reach_search(&o->v, LATER_WIDTH, o->ns * (1 + NOTHING), mid, o->deadline_ns, o->trial,
                          &f);
        if (rc == 0 && f.found) {
            memcpy(o->units, o->trial, ((size_t)o->p->n_layers + 1) * sizeof(int));
            high = o->units[0] < mid ? o->units[0] : mid;
        } else {
            low = mid;
        }
    }
    return rc;
}

/* lc-opg's plan, and why. */
static int instead(const struct plan_problem *p, struct plan *plan, const char *why,
                   struct err *err)
{
    int rc = policy_lc_opg.solve(p, plan, err);

    plan->lower_bound = -1;
    if (plan->status == PLAN_OPTIMAL)
        plan->status = PLAN_FEASIBLE;
    if (rc == 0 && plan->status != PLAN_INFEASIBLE)
        snprintf(plan->note, sizeof(plan->note), "%s: this is lc-opg's plan", why);
    return rc;
}

/* What the convex fit may be off by, of those layers that carry something. */
static double fit_error(const struct plan_problem *p, const struct plan *plan)
{
    double most = 0;

    for (int i = 0; i < plan->n_moves; i++) {
        const struct plan_curve *c = p->layer[plan->move[i].layer - 1].curve;

        most = c && c->fit_error > most ? c->fit_error : most;
    }
    return most;
}

static int take(const struct latency *o, struct plan *plan)
{
    int rc = stream_name(&o->strict, o->units, plan);
    double ns, error;

    if (rc < 0)
        return rc;
    plan_sort_moves(plan);
    plan_sum_up(o->p, plan);
    ns = plan_simulate_ns(o->p, plan);
    plan->latency_bound_ns = fmin(o->bound, ns);
    plan->status = o->bound >= ns * (1 - NOTHING) ? PLAN_OPTIMAL : PLAN_FEASIBLE;
    error = fit_error(o->p, plan);
    if (error > 0)
        snprintf(plan->note, sizeof(plan->note),
                 "curves fit the regressor's steps within %.2g %%: by those, the gap is at most "
                 "%.2g %%",
                 100 * error,
                 100 * (1 - plan->latency_bound_ns / ns * (1 - error) / (1 + error)));
    return 0;
}

static int run(struct latency *o, struct plan *plan, struct err *err)
{
    int layer = 0, rc = stream_make(o->p, false, &o->strict);

    if (rc == 0)
        rc = stream_make(o->p, true, &o->relaxed);
    if (rc == 0)
        rc = slopes_make(&o->strict, &o->v, &layer);
    if (rc == -ENOSPC)
        return instead(o->p, plan, "no stream in order of need fits the limit", err);
    if (rc == 0)
        rc = slopes_make(&o->relaxed, &o->w, &layer);
    if (rc == 0) {
        o->bound = slopes_least(&o->w);
        rc = widen(o);
    }
    if (rc == 0 && o->found)
        rc = start_later(o);
    if (rc < 0)
        return rc;
    return o->found ? take(o, plan)
                    : instead(o->p, plan, "no stream in order of need fits the limit", err);
}

static int solve(const struct plan_problem *p, struct plan *plan, struct err *err)
{
    struct latency o = {.p = p, .ns = INFINITY};
    size_t n = (size_t)p->n_layers + 1;
    int rc = -ENOMEM;

    if (!(p->disk_bytes_per_s > 0))
        return instead(p, plan, "the rate of the disk is not known", err);
    o.deadline_ns = clock_ns() + (uint64_t)(p->time_limit_s * 1e9);
    o.units = calloc(n, sizeof(int));
    o.trial = calloc(n, sizeof(int));
    if (o.units && o.trial)
        rc = run(&o, plan, err);
    slopes_done(&o.v);
    slopes_done(&o.w);
    stream_done(&o.strict);
    stream_done(&o.relaxed);
    free(o.units);
    free(o.trial);
    if (rc == -ENOMEM)
        return err_set(err, rc, "no memory for a plan of %d layers", p->n_layers);
    return rc;
}

const struct policy policy_latency = {
    .name = "latency",
    .summary = "least integrated time under the memory limit, with a proven bound",
    .exceeds_capacity = true, /* what carrying costs is in the curves */
    .solve = solve,
};
