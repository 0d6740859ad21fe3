/* greedy: weights in order of need, each moved by the nearest earlier layers with free capacity
 * under the memory limit; what does not fit is preloaded. Applies to any problem and honours every
 * rule; O(n N). The baseline that lc-opg has to beat, and its first incumbent. */
#include <errno.h>
#include <stdlib.h>

#include "harness/plan/plan_build.h"

struct greedy {
    const struct plan_problem *p;
    int *left;      /* [N + 1] free capacity, by layer from 1 */
    int *loads;     /* [N + 1] destinations */
    int64_t *held;  /* [N + 1] chunks under the reading, from layer 0 */
    int64_t *total; /* [N + 1] whole weights, for m_total */
};

static void add_chunks(int64_t *level, int from, int to, int64_t chunks)
{
    for (int l = from; l <= to; l++)
        level[l] += chunks;
}

static int64_t highest(const int64_t *level, int from, int to)
{
    int64_t max = INT64_MIN;

    for (int l = from; l <= to; l++)
        max = level[l] > max ? level[l] : max;
    return max;
}

static void preload(struct greedy *g, struct plan *plan, int w)
{
    const struct plan_weight *k = &g->p->weight[w];

    plan->preload[w] = true;
    if (g->p->limit == LIMIT_RESIDENT)
        add_chunks(g->held, 0, k->last_use - 1, k->chunks);
    add_chunks(g->total, 0, k->last_use, k->chunks);
}

/* Most chunks of weight k that layer l may take, when `held` is the highest level between l and
 * the weight's end under the reading, chunks taken so far included. */
static int64_t room(const struct greedy *g, const struct plan_weight *k, int l, int64_t held,
                    int64_t total)
{
    const struct plan_problem *p = g->p;
    int64_t most = g->left[l];

    if (p->max_loads > 0 && g->loads[l] >= p->max_loads)
        return 0;
    if (p->m_total > 0 && total + k->chunks > p->m_total)
        return 0;
    if (p->m_peak < 0 || p->limit == LIMIT_LITERAL)
        return most;
    if (p->limit == LIMIT_UNIFIED)
        return held + k->chunks <= p->m_peak ? most : 0;
    return p->m_peak - held < most ? p->m_peak - held : most;
}

/* take[l], from the nearest layer back; returns the first layer, 0 if the weight does not fit. */
static int place(const struct greedy *g, const struct plan_weight *k, int *take)
{
    bool whole = g->p->limit == LIMIT_UNIFIED;
    int end = g->p->limit == LIMIT_STREAMED ? k->consumer : k->last_use, todo = k->chunks;
    int64_t held = highest(g->held, k->consumer, end - 1);
    int64_t total = highest(g->total, k->consumer, k->last_use);

    if (held == INT64_MIN)
        held = 0;
    for (int l = k->consumer - 1; l >= 1; l--) {
        int64_t most;

        held = g->held[l] > held ? g->held[l] : held;
        total = g->total[l] > total ? g->total[l] : total;
        most = room(g, k, l, held, total);
        take[l] = most <= 0 ? 0 : most < todo ? (int)most : todo;
        held += whole ? 0 : take[l];
        todo -= take[l];
        if (todo == 0)
            return l;
    }
    return 0;
}

static int commit(struct greedy *g, struct plan *plan, int w, int first, const int *take)
{
    const struct plan_weight *k = &g->p->weight[w];
    enum plan_limit limit = g->p->limit;
    int end = limit == LIMIT_STREAMED ? k->consumer : k->last_use;

    for (int l = first; l < k->consumer; l++) {
        if (take[l] == 0)
            continue;
        g->left[l] -= take[l];
        g->loads[l]++;
        if (limit == LIMIT_STREAMED || limit == LIMIT_RESIDENT)
            add_chunks(g->held, l, end - 1, take[l]);
        if (plan_add_move(plan, w, l, take[l]) < 0)
            return -ENOMEM;
    }
    if (limit == LIMIT_UNIFIED)
        add_chunks(g->held, first, end - 1, k->chunks);
    add_chunks(g->total, first, k->last_use, k->chunks);
    return 0;
}

static int run(struct greedy *g, struct plan *plan, int *take)
{
    const struct plan_problem *p = g->p;

    for (int l = 1; l <= p->n_layers; l++)
        g->left[l] = plan_capacity(p, l);
    for (int w = 0; w < p->n_weights; w++) {
        if (plan_must_preload(p, w))
            preload(g, plan, w);
    }
    for (int w = 0; w < p->n_weights; w++) {
        int first;

        if (plan->preload[w])
            continue;
        first = place(g, &p->weight[w], take);
        if (first == 0)
            preload(g, plan, w);
        else if (commit(g, plan, w, first, take) < 0)
            return -ENOMEM;
    }
    if ((p->m_peak >= 0 && p->limit != LIMIT_LITERAL &&
         highest(g->held, 0, p->n_layers) > p->m_peak) ||
        (p->m_total > 0 && highest(g->total, 0, p->n_layers) > p->m_total))
        plan->status = PLAN_INFEASIBLE; /* preloading, too, takes memory in this reading */
    return 0;
}

static int solve(const struct plan_problem *p, struct plan *plan, struct err *err)
{
    struct greedy g = {.p = p};
    size_t n = (size_t)p->n_layers + 1;
    int *take = calloc(n, sizeof(*take)), rc = -ENOMEM;

    g.left = calloc(n, sizeof(*g.left));
    g.loads = calloc(n, sizeof(*g.loads));
    g.held = calloc(n, sizeof(*g.held));
    g.total = calloc(n, sizeof(*g.total));
    if (take && g.left && g.loads && g.held && g.total)
        rc = run(&g, plan, take);
    free(take);
    free(g.left);
    free(g.loads);
    free(g.held);
    free(g.total);
    return rc == 0 ? 0 : err_set(err, rc, "no memory for a plan of %d layers", p->n_layers);
}

const struct policy policy_greedy = {
    .name = "greedy",
    .summary = "nearest earlier layers with free capacity; the rest is preloaded",
    .solve = solve,
};
