/* lc-opg: the paper's objective under the paper's constraints. For a fixed W the schedule is exact
 * (SRPT in reverse, srpt.c); W is searched for with labels (labels.c) under a Lagrangian bound
 * (prices.c). Applies to any problem; costs milliseconds to p->time_limit_s.
 *
 * Readings A, B and L are searched exactly as far as the beam goes. Reading U, m_total and
 * max_loads are first relaxed, which gives the bound, and then searched again with those rules:
 * plans are then feasible, and OPTIMAL only if they meet the relaxation's bound.
 *
 * Never fails (C4): where no plan fits, capacities are raised, 5, 10, 20, ... p->relax_percent
 * percent; within each search, preloading takes up what capacity cannot; greedy is the first
 * incumbent, and where even that breaks a limit, its plan comes back as INFEASIBLE with a note that
 * says whether infeasibility is proven. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "harness/plan/opg/labels.h"
#include "profiler/clock.h"

enum { FIRST_WIDTH = 8, LAST_WIDTH = 65536 };

struct lc_opg {
    struct plan_problem p; /* what is being searched: the problem or its relaxation */
    struct prices v;
    uint64_t deadline_ns;
    int64_t below; /* objective of the incumbent, or above any plan's */
    bool found, proven;
    enum serve_rule rule;
    bool *preload, *trial;
    struct plan *greedy; /* incumbent while no W is found */
};

/* Above the objective of any plan of the problem. */
static int64_t any_plan(const struct plan_problem *p)
{
    int64_t sum = 1;

    for (int w = 0; w < p->n_weights; w++) {
        int64_t preload = p->a * plan_price_of(p, w);
        int64_t distance = (int64_t)p->b * (p->weight[w].consumer - 1);

        sum += preload > distance ? preload : distance;
    }
    return sum;
}

/* Greedy's plan is the first incumbent, if it is one. */
static int start(struct lc_opg *o, const struct plan_problem *p, struct err *err)
{
    int rc;

    plan_free(o->greedy);
    o->p = *p;
    o->found = false;
    o->greedy = plan_new(p);
    if (!o->greedy)
        return -ENOMEM;
    rc = policy_greedy.solve(p, o->greedy, err);
    if (rc < 0)
        return rc;
    plan_sum_up(p, o->greedy);
    o->below = o->greedy->status == PLAN_FEASIBLE ? o->greedy->objective : any_plan(p);
    return 0;
}

static int64_t root_bound(const struct prices *v)
{
    return (int64_t)(v->bound - 1e-6) + (v->bound > 1e-6);
}

/* Wider and wider beams, until nothing was cut off, or the bound is met, or time is up. `exact`:
 * what the labels say of other plans is true, so *bound may rise. */
static int widen(struct lc_opg *o, enum serve_rule rule, bool exact, int64_t *bound)
{
    int width = FIRST_WIDTH; /* which always runs */
    uint64_t last_ns;

    for (int i = 0; width > 0 && width <= LAST_WIDTH && *bound < o->below; i++) {
        uint64_t start_ns = clock_ns();
        struct labels_found f;
        int rc;

        rc = labels_search(&o->p, &o->v, rule, width, o->below, i > 0 ? o->deadline_ns : UINT64_MAX,
                           o->trial, &f);
        if (rc < 0)
            return rc;
        last_ns = clock_ns() - start_ns;
        if (f.found) {
            memcpy(o->preload, o->trial, (size_t)o->p.n_weights * sizeof(*o->preload));
            o->found = true;
            o->rule = rule;
            o->below = f.cost;
        }
        if (exact && f.least > *bound)
            *bound = f.least;
        if (exact && f.complete)
            o->proven = true;
        if (f.complete)
            break;
        if (exact && i < 3) { /* a better incumbent makes better prices */
            rc = prices_improve(&o->v, o->below, 60);
            if (rc < 0)
                return rc;
            if (root_bound(&o->v) > *bound)
                *bound = root_bound(&o->v);
        }
        width = plan_wider(width, 4, last_ns, o->deadline_ns);
    }
    return 0;
}

/* Fill the plan from the best W, or from greedy's plan. */
static int take(struct lc_opg *o, const struct plan_problem *p, struct plan *plan)
{
    const struct plan *g = o->greedy;
    size_t n = (size_t)p->n_weights;
    int rc;

    if (o->found) {
        memcpy(plan->preload, o->preload, n * sizeof(*plan->preload));
        rc = plan_serve(p, o->rule, plan, NULL);
        return rc == -ENOSPC ? -EPROTO : rc;
    }
    memcpy(plan->preload, g->preload, n * sizeof(*plan->preload));
    for (int i = 0; i < g->n_moves; i++) {
        rc = plan_add_move(plan, g->move[i].weight, g->move[i].layer, g->move[i].chunks);
        if (rc < 0)
            return rc;
    }
    plan->status = g->status;
    return 0;
}

/* T2: streaming everything holds least at every layer, and what then is left over at layer 0 has to
 * be preloaded. `total`: by m_total, which also counts what layer l reads, else by reading B.
 * Returns a layer where even that is too much, or -1. */
static int hopeless_layer(const struct plan_problem *p, bool total, int64_t *ret_held)
{
    int64_t queue = 0;

    for (int l = p->n_layers; l >= 0; l--) {
        int64_t held, room = l > 0 ? plan_capacity(p, l) : 0;

        for (int w = 0; w < p->n_weights; w++)
            queue += p->weight[w].consumer == l + 1 ? p->weight[w].chunks : 0;
        held = queue;
        for (int w = 0; w < p->n_weights; w++) {
            const struct plan_weight *k = &p->weight[w];

            held += k->consumer <= l && k->last_use >= (total ? l : l + 1) ? k->chunks : 0;
        }
        if (held > (total ? p->m_total : p->m_peak)) {
            *ret_held = held;
            return l;
        }
        queue -= queue < room ? queue : room;
    }
    return -1;
}

/* true, with the reason in the note, if no plan whatever keeps the limits. */
static bool hopeless(const struct plan_problem *p, struct plan *plan)
{
    int64_t held, limit = p->m_total;
    int l = p->m_total > 0 ? hopeless_layer(p, true, &held) : -1;

    if (l < 0 && p->m_peak >= 0 && p->limit == LIMIT_RESIDENT) {
        l = hopeless_layer(p, false, &held);
        limit = p->m_peak;
    }
    if (l < 0)
        return false;
    snprintf(plan->note, sizeof(plan->note),
             "infeasible: layer %d holds %" PRId64
             " chunks even if everything possible is streamed, the limit is %" PRId64,
             l, held, limit);
    return true;
}

static bool relaxes(const struct plan_problem *p)
{
    return p->max_loads > 0 || p->m_total > 0 || (p->limit == LIMIT_UNIFIED && p->m_peak >= 0);
}

static int run(struct lc_opg *o, const struct plan_problem *p, struct plan *plan, struct err *err)
{
    struct plan_problem relaxed = *p;
    int64_t bound;
    int rc;

    if (hopeless(p, plan)) {
        rc = start(o, p, err);
        return rc < 0 ? rc : take(o, p, plan);
    }
    relaxed.max_loads = 0;
    relaxed.m_total = 0;
    if (p->limit == LIMIT_UNIFIED)
        relaxed.m_peak = -1;
    rc = start(o, &relaxed, err);
    if (rc < 0)
        return rc;
    rc = prices_new(&relaxed, &o->v);
    if (rc == 0)
        rc = prices_improve(&o->v, o->below, 100);
    if (rc < 0)
        return rc;
    bound = root_bound(&o->v);
    rc = widen(o, SERVE_SHORTEST, true, &bound);
    if (rc == 0 && relaxes(p)) {
        o->proven = o->proven && !o->found && o->greedy->status == PLAN_INFEASIBLE;
        rc = start(o, p, err);
        if (rc == 0)
            rc = widen(o, SERVE_SHORTEST, false, &bound);
        if (rc == 0)
            rc = widen(o, SERVE_IN_TURN, false, &bound);
    }
    if (rc == 0)
        rc = take(o, p, plan);
    if (rc < 0)
        return rc;
    if (plan->status == PLAN_INFEASIBLE)
        snprintf(plan->note, sizeof(plan->note), "no plan found within the memory limit%s",
                 o->proven ? ": infeasible, the search was complete" : "");
    else
        plan->lower_bound = bound < o->below ? bound : o->below;
    if (plan->status == PLAN_FEASIBLE && bound >= o->below)
        plan->status = PLAN_OPTIMAL;
    return 0;
}

static int solve_as_is(const struct plan_problem *p, struct plan *plan, uint64_t deadline_ns,
                       struct err *err)
{
    size_t n = (size_t)p->n_weights + 1;
    struct lc_opg o = {.rule = SERVE_SHORTEST, .deadline_ns = deadline_ns};
    int rc = -ENOMEM;

    o.preload = calloc(n, sizeof(*o.preload));
    o.trial = calloc(n, sizeof(*o.trial));
    if (o.preload && o.trial)
        rc = run(&o, p, plan, err);
    prices_done(&o.v);
    plan_free(o.greedy);
    free(o.preload);
    free(o.trial);
    return rc;
}

static void swap(struct plan *a, struct plan *b)
{
    struct plan c = *a;

    *a = *b;
    *b = c;
}

/* C4: the least of a few percentages at which raised capacities give a plan. `layer` has room. */
static int raise_capacities(const struct plan_problem *p, struct plan_layer *layer,
                            uint64_t deadline_ns, struct plan *plan, struct err *err)
{
    struct plan_problem q = *p;
    int rc = 0;

    q.layer = layer;
    for (int percent = 5; percent <= p->relax_percent && rc == 0; percent *= 2) {
        struct plan *trial = plan_new(p);

        if (!trial)
            return -ENOMEM;
        for (int l = 0; l < p->n_layers; l++) {
            layer[l] = p->layer[l];
            layer[l].capacity = plan_relaxed(p->layer[l].capacity, percent);
        }
        rc = solve_as_is(&q, trial, deadline_ns, err);
        if (rc == 0 && trial->status != PLAN_INFEASIBLE) {
            trial->status = PLAN_FEASIBLE;
            trial->lower_bound = -1; /* of another problem */
            trial->relaxed_percent = percent;
            snprintf(trial->note, sizeof(trial->note), "capacities raised by %d %%: %.100s",
                     percent, plan->note);
            memcpy(trial->policy, plan->policy, sizeof(trial->policy));
            swap(plan, trial);
            percent = p->relax_percent;
        }
        plan_free(trial);
    }
    return rc;
}

static int solve(const struct plan_problem *p, struct plan *plan, struct err *err)
{
    uint64_t deadline_ns = clock_ns() + (uint64_t)(p->time_limit_s * 1e9);
    int rc = solve_as_is(p, plan, deadline_ns, err);

    if (rc == 0 && plan->status == PLAN_INFEASIBLE && p->relax_percent > 0) {
        struct plan_layer *layer = malloc((size_t)p->n_layers * sizeof(*layer));

        rc = layer ? raise_capacities(p, layer, deadline_ns, plan, err) : -ENOMEM;
        free(layer);
    }
    if (rc == -ENOMEM)
        return err_set(err, rc, "no memory for a plan of %d weights", p->n_weights);
    return rc;
}

const struct policy policy_lc_opg = {
    .name = "lc-opg",
    .summary = "least lambda * preloaded + (1 - lambda) * distance, with a proven bound",
    .solve = solve,
};
