#include "harness/plan/fusion/fusion.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/plan/plan_build.h"
#include "profiler/clock.h"

struct fusion_options fusion_defaults(void)
{
    return (struct fusion_options){.alpha = 0.1, .mu = 0.1, .time_limit_s = 1};
}

void fusion_done(struct fusion_result *r)
{
    plan_free(r->plan);
    free(r->layer);
    free(r->weight);
    free(r->step);
    *r = (struct fusion_result){0};
}

static bool reads_second(const struct plan_split *s, int w)
{
    for (int i = 0; i < s->n_second; i++) {
        if (s->second[i] == w)
            return true;
    }
    return false;
}

/* Layer l of the problem becomes at[l], or at[l] and at[l] + 1 where which[l] >= 0. */
static int number_layers(const struct plan_problem *p, const struct plan_split *split, int n,
                         const bool *use, int *at, int *which, struct err *err)
{
    for (int l = 0; l <= p->n_layers; l++)
        which[l] = -1;
    for (int i = 0; i < n; i++) {
        if (!use[i])
            continue;
        if (split[i].layer < 1 || split[i].layer > p->n_layers)
            return err_set(err, -EINVAL, "split %d: no layer '%d'", i + 1, split[i].layer);
        if (which[split[i].layer] >= 0)
            return err_set(err, -EINVAL, "layer '%d' is split twice", split[i].layer);
        which[split[i].layer] = i;
    }
    for (int l = 1, next = 1; l <= p->n_layers; l++) {
        at[l] = next;
        next += which[l] >= 0 ? 2 : 1;
    }
    return 0;
}

/* Stable, for weights that are almost in order. */
static void sort_by_consumer(struct plan_weight *weight, int n)
{
    for (int i = 1; i < n; i++) {
        struct plan_weight k = weight[i];
        int j = i;

        for (; j > 0 && weight[j - 1].consumer > k.consumer; j--)
            weight[j] = weight[j - 1];
        weight[j] = k;
    }
}

static void fill(const struct plan_problem *p, const struct plan_split *split, const int *at,
                 const int *which, struct fusion_result *r)
{
    for (int l = 1; l <= p->n_layers; l++) {
        const struct plan_split *s = which[l] >= 0 ? &split[which[l]] : NULL;

        r->layer[at[l] - 1] = s ? s->part[0] : p->layer[l - 1];
        if (s)
            r->layer[at[l]] = s->part[1];
    }
    for (int w = 0; w < p->n_weights; w++) {
        const struct plan_weight *k = &p->weight[w];
        int first = which[k->consumer], last = which[k->last_use];

        r->weight[w] = *k;
        r->weight[w].consumer = at[k->consumer] + (first >= 0 && reads_second(&split[first], w));
        r->weight[w].last_use = at[k->last_use] + (last >= 0 && reads_second(&split[last], w));
    }
    sort_by_consumer(r->weight, p->n_weights);
}

int fusion_apply(const struct plan_problem *p, const struct plan_split *split, int n,
                 const bool *use, struct fusion_result *ret_r, struct err *err)
{
    struct fusion_result r = {.problem = *p};
    size_t room = (size_t)p->n_layers + 1;
    int *at = calloc(room, sizeof(int)), *which = calloc(room, sizeof(int)), rc;

    r.problem.spare = NULL; /* layers count otherwise now */
    for (int i = 0; i < n; i++)
        r.problem.n_layers += use[i];
    r.layer = calloc((size_t)r.problem.n_layers + 1, sizeof(*r.layer));
    r.weight = calloc((size_t)p->n_weights + 1, sizeof(*r.weight));
    if (!at || !which || !r.layer || !r.weight)
        rc = err_set(err, -ENOMEM, "no memory for %d layers", r.problem.n_layers);
    else
        rc = number_layers(p, split, n, use, at, which, err);
    if (rc == 0) {
        fill(p, split, at, which, &r);
        r.problem.layer = r.layer;
        r.problem.weight = r.weight;
        *ret_r = r;
    } else {
        fusion_done(&r);
    }
    free(at);
    free(which);
    return rc;
}

struct fusion {
    const struct policy *policy;
    const struct plan_problem *p;
    const struct plan_split *split;
    int n;
    const struct fusion_options *opt;
    bool *use, *tried;
    double *penalty;
    struct fusion_result best; /* with its plan */
    uint64_t deadline_ns;
};

/* What the policy minimises. */
static double cost_of(const struct plan_problem *p, const struct plan *plan)
{
    if (plan->status == PLAN_INFEASIBLE)
        return INFINITY;
    return plan->latency_bound_ns > 0 ? plan->latency_ns
                                      : (double)plan->objective / (double)(p->a + p->b);
}

static int plan_with(const struct fusion *f, const struct policy *policy, struct fusion_result *r,
                     struct err *err)
{
    int rc = fusion_apply(f->p, f->split, f->n, f->use, r, err);

    if (rc == 0)
        rc = plan_make(policy, &r->problem, &r->plan, err);
    if (rc < 0)
        fusion_done(r);
    return rc;
}

/* lambda * price of W + mu * distance, by greedy: what the ranking compares. */
static int weigh(const struct fusion *f, double *ret_cost, struct err *err)
{
    struct fusion_result r = {0};
    double lambda = (double)f->p->a / (double)(f->p->a + f->p->b), price = 0, distance = 0;
    int rc = plan_with(f, &policy_greedy, &r, err);

    if (rc < 0)
        return rc;
    for (int w = 0; w < r.problem.n_weights; w++) {
        if (r.plan->preload[w])
            price += (double)plan_price_of(&r.problem, w);
        else
            distance += r.weight[w].consumer - r.plan->load_layer[w];
    }
    *ret_cost = lambda * price + f->opt->mu * distance;
    fusion_done(&r);
    return 0;
}

/* May it be split at all, and does that bring enough capacity? */
static bool worth_trying(const struct fusion *f, int i)
{
    const struct plan_split *s = &f->split[i];
    double fused = f->p->layer[s->layer - 1].capacity;
    double parts = (double)s->part[0].capacity + s->part[1].capacity;

    return !s->whole && !f->use[i] && !f->tried[i] && parts > fused &&
           parts >= (1 + f->opt->alpha) * fused;
}

/* The split whose fusion costs most; -1: none costs anything. */
static int rank(struct fusion *f, int *ret_i, struct err *err)
{
    double now = 0, most = 0;
    int rc = weigh(f, &now, err);

    *ret_i = -1;
    for (int i = 0; i < f->n && rc == 0; i++) {
        double with = now;

        if (!worth_trying(f, i))
            continue;
        f->use[i] = true;
        rc = weigh(f, &with, err);
        f->use[i] = false;
        f->penalty[i] = now - with;
        if (f->penalty[i] > most) {
            most = f->penalty[i];
            *ret_i = i;
        }
    }
    return rc;
}

/* Plans with split i; keeps it if that is better. */
static int try_split(struct fusion *f, int i, struct err *err)
{
    struct fusion_result r = {0};
    struct fusion_step *step = &f->best.step[f->best.n_steps];
    double before = cost_of(&f->best.problem, f->best.plan), after;
    int rc;

    f->use[i] = f->tried[i] = true;
    rc = plan_with(f, f->policy, &r, err);
    if (rc < 0)
        return rc;
    after = cost_of(&r.problem, r.plan);
    *step = (struct fusion_step){.split = i, .penalty = f->penalty[i]};
    step->kept = after < before;
    step->gain = before - after;
    f->best.n_steps++;
    if (step->kept) {
        r.step = f->best.step;
        r.n_steps = f->best.n_steps;
        r.before = f->best.before;
        f->best.step = NULL;
        fusion_done(&f->best);
        f->best = r;
    } else {
        f->use[i] = false;
        fusion_done(&r);
    }
    return 0;
}

/* Short of capacity: something is preloaded that no rule preloads. Another plan may want splits
 * all the same (distance, latency), and the ranking says which. */
static int run(struct fusion *f, struct err *err)
{
    int i, rc = plan_with(f, f->policy, &f->best, err);

    if (rc < 0)
        return rc;
    f->best.before = f->best.after = cost_of(f->p, f->best.plan);
    f->best.step = calloc((size_t)f->n + 1, sizeof(*f->best.step));
    if (!f->best.step)
        return err_set(err, -ENOMEM, "no memory for %d splits", f->n);
    f->deadline_ns = clock_ns() + (uint64_t)(f->opt->time_limit_s * 1e9);
    while (rc == 0 && clock_ns() < f->deadline_ns) {
        rc = rank(f, &i, err);
        if (rc < 0 || i < 0)
            break;
        rc = try_split(f, i, err);
    }
    f->best.after = cost_of(&f->best.problem, f->best.plan);
    return rc;
}

int fusion_plan(const struct policy *policy, const struct plan_problem *p,
                const struct plan_split *split, int n, const struct fusion_options *opt,
                struct fusion_result *ret_r, struct err *err)
{
    struct fusion f = {.policy = policy, .p = p, .split = split, .n = n, .opt = opt};
    int rc;

    f.use = calloc((size_t)n + 1, sizeof(bool));
    f.tried = calloc((size_t)n + 1, sizeof(bool));
    f.penalty = calloc((size_t)n + 1, sizeof(double));
    if (!f.use || !f.tried || !f.penalty)
        rc = err_set(err, -ENOMEM, "no memory for %d splits", n);
    else
        rc = run(&f, err);
    if (rc < 0)
        fusion_done(&f.best);
    else
        *ret_r = f.best;
    free(f.use);
    free(f.tried);
    free(f.penalty);
    return rc;
}
