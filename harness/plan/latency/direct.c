#include "harness/plan/latency/direct.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* The disk and the layers in simulated time. */
struct clockwork {
    const struct plan_problem *p;
    const int *order; /* [n_weights]: as they are read */
    int preloaded;    /* so many come before the first layer */
    double room;      /* bytes; INFINITY: no limit */
    bool whole;       /* a weight starts when all of it has room */
    double *there;    /* [N + 1] ns when all that layer l reads for the first time has been read */
    double *freed;    /* [N + 1] bytes of weights read so far that layer l is the last to need */
    double disk_ns, resident;
    double ran_ns; /* end of layer `ran` */
    int ran;
};

static double layer_ns(const struct plan_problem *p, int l)
{
    return p->layer[l - 1].time_us * 1e3;
}

static void run_layer(struct clockwork *c)
{
    int l = ++c->ran;

    c->ran_ns = fmax(c->ran_ns, c->there[l]) + layer_ns(c->p, l);
    c->resident -= c->freed[l];
}

/* false: no room before it is needed */
static bool read_weight(struct clockwork *c, int w, bool preloaded)
{
    const struct plan_weight *k = &c->p->weight[w];
    double left = (double)k->bytes, slack = 0.5;
    int need = preloaded ? 1 : k->consumer;

    while (left > 0) {
        double room = c->room - c->resident + slack;
        double now = room >= left ? left : c->whole || room < 1 ? 0 : floor(room);

        c->resident += now;
        c->disk_ns += now / c->p->disk_bytes_per_s * 1e9;
        left -= now;
        if (left > 0) {
            if (c->ran + 1 >= need)
                return false;
            run_layer(c);
            c->disk_ns = fmax(c->disk_ns, c->ran_ns);
        }
    }
    c->freed[k->last_use] += (double)k->bytes;
    c->there[need] = fmax(c->there[need], c->disk_ns);
    return true;
}

static double run(struct clockwork *c)
{
    const struct plan_problem *p = c->p;
    size_t n = (size_t)p->n_layers + 1;
    bool good = true;

    c->there = calloc(n, sizeof(double));
    c->freed = calloc(n, sizeof(double));
    good = c->there && c->freed;
    for (int l = 0; l <= p->n_layers && good && p->spare && !c->whole; l++)
        c->freed[l] = p->spare[l];
    for (int i = 0; i < p->n_weights && good; i++)
        good = read_weight(c, c->order[i], i < c->preloaded);
    while (good && c->ran < p->n_layers)
        run_layer(c);
    free(c->there);
    free(c->freed);
    return good ? c->ran_ns : NAN;
}

static bool times_known(const struct plan_problem *p)
{
    double sum = 0;

    for (int l = 1; l <= p->n_layers; l++)
        sum += layer_ns(p, l);
    return sum > 0 && p->disk_bytes_per_s > 0;
}

/* Preloaded ones first, then as the plan moves them. Returns how many are preloaded. */
static int plan_order(const struct plan_problem *p, const struct plan *plan, int *order)
{
    int n = 0, preloaded;

    for (int w = 0; w < p->n_weights; w++)
        if (plan->preload[w])
            order[n++] = w;
    preloaded = n;
    for (int i = 0; i < plan->n_moves; i++) {
        int k = preloaded;

        while (k < n && order[k] != plan->move[i].weight)
            k++;
        if (k == n)
            order[n++] = plan->move[i].weight;
    }
    return n == p->n_weights ? preloaded : -1;
}

/* Bytes that the plan has there at its worst. */
static double most_resident(const struct plan_problem *p, const struct plan *plan)
{
    double most = 0;

    for (int l = 0; l <= p->n_layers; l++) {
        double sum = 0;

        for (int w = 0; w < p->n_weights; w++)
            if (plan->load_layer[w] <= l && l <= p->weight[w].last_use)
                sum += (double)p->weight[w].bytes;
        most = fmax(most, sum);
    }
    return most;
}

double direct_simulate_ns(const struct plan_problem *p, const struct plan *plan)
{
    int *order = calloc((size_t)p->n_weights + 1, sizeof(*order));
    struct clockwork c = {.p = p, .order = order, .whole = true};
    double ns = NAN;

    if (order && times_known(p)) {
        c.preloaded = plan_order(p, plan, order);
        c.room = most_resident(p, plan);
        if (c.preloaded >= 0)
            ns = run(&c);
    }
    free(order);
    return ns;
}

/* ---- the plan ---- */

/* Chunks of weights at once, under whatever limits there are: this counts no less than any. */
static int64_t limit_chunks(const struct plan_problem *p)
{
    int64_t most = p->m_total > 0 ? p->m_total : INT64_MAX;

    return p->m_peak >= 0 && p->m_peak < most ? p->m_peak : most;
}

/* The first layer that is out of luck is named. The plan goes on as if there were room. */
static void cannot(const struct plan_problem *p, struct plan *plan, int w)
{
    if (plan->status == PLAN_INFEASIBLE)
        return;
    plan->status = PLAN_INFEASIBLE;
    snprintf(plan->note, sizeof(plan->note),
             "layer %d '%s': its weight '%s' has no room beside what is there before it",
             p->weight[w].consumer, p->layer[p->weight[w].consumer - 1].name, p->weight[w].name);
}

/* Weights come in order of need; each from the first layer at which it has room. */
static int place(const struct plan_problem *p, struct plan *plan, int64_t *freed, int *order,
                 struct err *err)
{
    int64_t room = limit_chunks(p);
    int n = 0, layer = 1, rc = 0;

    for (int w = 0; w < p->n_weights; w++) {
        plan->preload[w] = plan_must_preload(p, w);
        if (!plan->preload[w])
            continue;
        order[n++] = w;
        room -= p->weight[w].chunks;
        freed[p->weight[w].last_use] += p->weight[w].chunks;
    }
    if (room < 0)
        cannot(p, plan, order[n - 1]);
    for (int w = 0; w < p->n_weights && rc == 0; w++) {
        const struct plan_weight *k = &p->weight[w];

        if (plan->preload[w])
            continue;
        while (room < k->chunks && layer < k->consumer - 1)
            room += freed[layer++];
        if (room < k->chunks)
            cannot(p, plan, w);
        room -= k->chunks;
        freed[k->last_use] += k->chunks;
        order[n++] = w;
        rc = plan_add_move(plan, w, layer, k->chunks);
    }
    if (rc == 0)
        plan_sort_moves(plan);
    return rc < 0 ? err_set(err, rc, "no memory for a plan of %d layers", p->n_layers) : 0;
}

/* Where nothing else is said, FEASIBLE. */
static void prove(const struct plan_problem *p, struct plan *plan, const int *order)
{
    struct clockwork c = {.p = p, .order = order};
    double ns = direct_simulate_ns(p, plan);
    int64_t limit = limit_chunks(p);

    for (int w = 0; w < p->n_weights; w++)
        c.preloaded += plan->preload[w];
    c.room = limit == INT64_MAX ? INFINITY : (double)limit * (double)p->chunk_bytes;
    plan->status = PLAN_FEASIBLE;
    if (isnan(ns)) {
        snprintf(plan->note, sizeof(plan->note),
                 "the rate of the disk or the layers' times are not "
                 "known: as early as memory allows");
        return;
    }
    plan->latency_bound_ns = fmin(run(&c), ns);
    if (ns <= plan->latency_bound_ns * (1 + 1e-9))
        plan->status = PLAN_OPTIMAL;
}

int direct_solve(const struct plan_problem *p, struct plan *plan, struct err *err)
{
    int64_t *freed = calloc((size_t)p->n_layers + 1, sizeof(*freed));
    int *order = calloc((size_t)p->n_weights + 1, sizeof(*order));
    int rc = freed && order
                 ? place(p, plan, freed, order, err)
                 : err_set(err, -ENOMEM, "no memory for a plan of %d layers", p->n_layers);

    if (rc == 0 && plan->status != PLAN_INFEASIBLE) {
        plan_sum_up(p, plan);
        prove(p, plan, order);
    }
    free(freed);
    free(order);
    return rc;
}
