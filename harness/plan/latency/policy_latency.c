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

#include "harness/plan/latency/direct.h"
#include "harness/plan/latency/reach.h"
#include "harness/plan/latency/window.h"
#include "profiler/clock.h"

enum { FIRST_WIDTH = 8, LAST_WIDTH = 32768 };
#define LATER_WIDTH 64
#define NOTHING     1e-9 /* relative: the same time */

struct side {
    struct stream stream;
    struct slopes kernels;
    struct critical critical; /* NULLs: the disk does not limit */
    struct slopes mixture;    /* of it; s: NULL */
    bool done;                /* searched completely */
};

struct latency {
    const struct plan_problem *p;
    struct side strict, relaxed;
    uint64_t deadline_ns;
    int *units, *trial;
    bool found, astray; /* astray: no plan is near the program's curve */
    double ns, bound;
};

static void side_done(struct side *side)
{
    slopes_done(&side->kernels);
    slopes_done(&side->mixture);
    critical_done(&side->critical);
    stream_done(&side->stream);
}

static int search(const struct latency *o, const struct side *side, int width, double below,
                  int most_start, uint64_t until, struct reach_found *ret_f)
{
    struct reach_slopes v = {.kernels = &side->kernels,
                             .mixture = side->mixture.s ? &side->mixture : NULL,
                             .centre =
                                 side == &o->strict && !o->astray ? side->critical.units : NULL};

    return reach_search(&v, width, below, most_start, until, o->trial, ret_f);
}

static void keep(struct latency *o, double ns)
{
    memcpy(o->units, o->trial, ((size_t)o->p->n_layers + 1) * sizeof(int));
    o->ns = ns;
    o->found = true;
}

static int mix(struct side *side)
{
    int rc = isinf(side->stream.per_ns) ? 0 : critical_make(&side->stream, NULL, &side->critical);

    if (rc == 0 && side->critical.wait)
        rc = slopes_make(&side->stream, &side->critical, &side->mixture, NULL);
    return rc;
}

static bool enough(const struct latency *o)
{
    return (o->strict.done && o->relaxed.done) || o->bound >= o->ns * (1 - PLAN_TOLERANCE);
}

static int both(struct latency *o, int width, uint64_t until)
{
    struct reach_found f;
    int rc = 0;

    if (!o->strict.done) {
        rc = search(o, &o->strict, width, o->ns, INT_MAX, until, &f);
        if (rc == 0 && !f.found && !o->found && !o->astray && o->strict.critical.units) {
            o->astray = true;
            rc = search(o, &o->strict, width, o->ns, INT_MAX, until, &f);
        }
        if (rc == 0 && f.found)
            keep(o, f.ns);
        o->strict.done = rc == 0 && f.complete;
    }
    if (rc == 0 && !o->relaxed.done && o->bound < o->ns * (1 - NOTHING)) {
        rc = search(o, &o->relaxed, width, o->ns, INT_MAX, o->deadline_ns, &f);
        if (rc == 0)
            o->bound = fmax(o->bound, f.least);
        o->relaxed.done = rc == 0 && f.complete;
    }
    return rc;
}

/* By what whole images cost any plan. */
static int raise_bound(struct latency *o)
{
    double ns;
    int rc = window_bound(&o->relaxed.stream, o->ns, o->deadline_ns, &ns);

    if (rc == 0)
        o->bound = fmax(o->bound, ns);
    return rc == -ENOSPC ? 0 : rc;
}

static int widen(struct latency *o)
{
    uint64_t until = UINT64_MAX; /* the first search for a plan always ends */
    int width = FIRST_WIDTH, rc = 0;

    while (rc == 0 && width > 0 && width <= LAST_WIDTH && !enough(o)) {
        uint64_t start_ns = clock_ns(), took_ns;

        rc = both(o, width, until);
        until = o->deadline_ns;
        took_ns = clock_ns() - start_ns;
        if (rc == 0 && width == FIRST_WIDTH && !enough(o))
            rc = raise_bound(o);
        width = plan_wider(width, 8, took_ns, until);
    }
    return rc;
}

/* Among curves as fast, one that preloads less: reading ahead of need takes memory and, where the
 * disk is the limit, gains nothing. The least start that keeps the time, by bisection. */
static int start_later(struct latency *o)
{
    int low = o->strict.stream.low[0] - 1, high = o->units[0], rc = 0;

    while (rc == 0 && high - low > 1 && clock_ns() < o->deadline_ns) {
        int mid = low + (high - low) / 2;
        struct reach_found f;

        rc = search(o, &o->strict, LATER_WIDTH, o->ns * (1 + NOTHING), mid, o->deadline_ns, &f);
        if (rc == 0 && f.found) {
            keep(o, o->ns);
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

/* The problem as the regressor's own steps might have it at best (sign -1) or at worst (+1): each
 * curve off by its fit's error. Alone, a layer takes what it takes: fits begin there. */
struct off {
    struct plan_problem p;
    struct plan_layer *layer;
    struct plan_curve *curve;
};

/* max(f(0), f / (1 + error)): flat up to where the second crosses the first, and convex. */
static void lower(const struct plan_curve *c, struct plan_curve *ret_c)
{
    double by = 1 + c->fit_error;
    int i = 1, n = 1;

    while (i < c->n && c->ns[i] / by <= c->ns[0])
        i++;
    if (i < c->n) {
        double rise = c->ns[i] - c->ns[i - 1], at = c->bytes[i];

        if (rise > 0)
            at -= (c->ns[i] - c->ns[0] * by) / rise * (c->bytes[i] - c->bytes[i - 1]);
        if (at > 0) {
            ret_c->bytes[n] = at;
            ret_c->ns[n++] = c->ns[0];
        }
    } else { /* beyond its last point nobody asks */
        ret_c->bytes[n] = c->bytes[c->n - 1];
        ret_c->ns[n++] = c->ns[0];
    }
    for (; i < c->n; i++) {
        ret_c->bytes[n] = c->bytes[i];
        ret_c->ns[n++] = c->ns[i] / by;
    }
    ret_c->n = n;
}

static int off_new(const struct plan_problem *p, int sign, struct off *ret_f)
{
    size_t n = (size_t)p->n_layers;
    struct off f = {.p = *p};

    f.layer = malloc(n * sizeof(*f.layer));
    f.curve = malloc(n * sizeof(*f.curve));
    for (size_t l = 0; f.layer && f.curve && l < n; l++) {
        const struct plan_curve *c = p->layer[l].curve;

        f.layer[l] = p->layer[l];
        if (!c)
            continue;
        f.curve[l] = *c;
        f.layer[l].curve = &f.curve[l];
        if (sign < 0)
            lower(c, &f.curve[l]);
        for (int i = 1; i < c->n && sign > 0; i++)
            f.curve[l].ns[i] = c->ns[i] * (1 + c->fit_error);
    }
    f.p.layer = f.layer;
    *ret_f = f;
    return f.layer && f.curve ? 0 : -ENOMEM;
}

static void off_done(struct off *f)
{
    free(f->layer);
    free(f->curve);
}

/* No plan is faster than ret_least even then. */
static int least_within_fit(const struct latency *o, double *ret_least)
{
    struct side side = {0};
    struct reach_found found;
    struct off f;
    int rc = off_new(o->p, -1, &f);

    if (rc == 0)
        rc = stream_make(&f.p, true, &side.stream);
    if (rc == 0)
        rc = slopes_make(&side.stream, NULL, &side.kernels, NULL);
    if (rc == 0 && o->relaxed.critical.wait) /* any mixture makes a bound */
        rc = slopes_make(&side.stream, &o->relaxed.critical, &side.mixture, NULL);
    if (rc == 0)
        rc = search(o, &side, FIRST_WIDTH, o->ns, INT_MAX, UINT64_MAX, &found);
    if (rc == 0)
        *ret_least = found.least;
    side_done(&side);
    off_done(&f);
    return rc;
}

/* Carry the fit's error into the certificate. */
static int note_fit(const struct latency *o, struct plan *plan)
{
    double error = 0, least = 0, most;
    struct off f;
    int rc;

    for (int l = 0; l < o->p->n_layers; l++) {
        if (o->p->layer[l].curve)
            error = fmax(error, o->p->layer[l].curve->fit_error);
    }
    if (!(error > 0))
        return 0;
    rc = least_within_fit(o, &least);
    if (rc < 0)
        return rc;
    rc = off_new(o->p, 1, &f);
    if (rc == 0) {
        most = plan_simulate_ns(&f.p, plan);
        snprintf(
            plan->note, sizeof(plan->note),
            "curves fit the regressor's steps within %.2g %%: by those it takes at most %.6g ms "
            "and no plan less than %.6g ms",
            100 * error, most / 1e6, fmin(least, plan->latency_bound_ns) / 1e6);
    }
    off_done(&f);
    return rc;
}

static int take(const struct latency *o, struct plan *plan)
{
    int rc = stream_name(&o->strict.stream, o->units, plan);
    double ns;

    if (rc < 0)
        return rc;
    plan_sort_moves(plan);
    plan_sum_up(o->p, plan);
    ns = plan_simulate_ns(o->p, plan);
    plan->latency_bound_ns = fmin(o->bound, ns);
    plan->status = o->bound >= ns * (1 - PLAN_TOLERANCE) ? PLAN_OPTIMAL : PLAN_FEASIBLE;
    return note_fit(o, plan);
}

static int run(struct latency *o, struct plan *plan, struct err *err)
{
    int rc = stream_make(o->p, false, &o->strict.stream);

    if (rc == 0)
        rc = stream_make(o->p, true, &o->relaxed.stream);
    if (rc == 0)
        rc = slopes_make(&o->strict.stream, NULL, &o->strict.kernels, NULL);
    if (rc == 0)
        rc = slopes_make(&o->relaxed.stream, NULL, &o->relaxed.kernels, NULL);
    if (rc == -ENOSPC) /* of the relaxed where a layer's bytes are cut to units */
        return instead(o->p, plan, "no stream in order of need fits the limit", err);
    if (rc == 0) {
        o->bound = slopes_least(&o->relaxed.kernels);
        rc = mix(&o->relaxed);
    }
    if (rc == 0)
        rc = mix(&o->strict);
    if (rc == 0 && o->relaxed.mixture.s)
        o->bound = fmax(o->bound, slopes_least(&o->relaxed.mixture));
    if (rc == 0)
        rc = widen(o);
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

    if (p->direct)
        return direct_solve(p, plan, err);
    if (!(p->disk_bytes_per_s > 0))
        return instead(p, plan, "the rate of the disk is not known", err);
    o.deadline_ns = clock_ns() + (uint64_t)(p->time_limit_s * 1e9);
    o.units = calloc(n, sizeof(int));
    o.trial = calloc(n, sizeof(int));
    if (o.units && o.trial)
        rc = run(&o, plan, err);
    side_done(&o.strict);
    side_done(&o.relaxed);
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
