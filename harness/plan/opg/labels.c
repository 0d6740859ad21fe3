/* Label search, layers in reverse (README.md). A label is what matters of the decisions so far:
 * the remaining sizes of the weights being streamed, what is preloaded, the cost. At the release
 * of a weight it branches: preload or stream. Pruned by the Lagrangian cost to go, and by
 * dominance: x beats y if it costs no more, holds no more, and its sizes inject into y's, size by
 * size no larger (valid by T1, so with SERVE_SHORTEST and no limit on destinations). */
#include "harness/plan/opg/labels.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/clock.h"

#define BLOCK 64 /* kept labels that are looked at together */

struct job {
    int remaining, chunks;
};

struct label {
    int64_t cost, queue, whole, preloaded; /* queue: sum of remaining; whole: of chunks */
    double to_go, bound;
    size_t first; /* job */
    int n, node;
};

struct generation {
    struct label *label;
    int n;
    struct job *job;
    size_t n_jobs, room;
};

struct node { /* a preloaded weight; the rest was streamed */
    int parent, weight;
};

/* What dominance looks at first, of the labels kept so far, as arrays that a compiler can compare
 * many at a time: a label is rarely beaten, and by one of thousands. */
struct kept {
    int32_t *cost, *queue, *n; /* [width], a multiple of BLOCK; cost above the least of all */
    int32_t *most, *next;      /* the two largest remaining sizes */
    int64_t least;
};

struct search {
    const struct plan_problem *p;
    struct prices *v;
    enum serve_rule rule;
    int width, layer;
    int64_t below;
    struct generation now, next;
    struct node *node;
    int n_nodes, node_room;
    double *to_go; /* [max chunks + 1] cost to go of one job at this layer; < 0: not known */
    int max_chunks;
    int64_t *capacity; /* [N + 1] of layers 1..l */
    int64_t *base;     /* [N + 1] consumer <= l < last use: resident whatever is decided */
    int64_t *tail;     /* [N + 1] consumer <= l <= last use */
    double cut;        /* least bound that was cut off */
    struct kept kept;
};

static double job_to_go(struct search *s, int remaining)
{
    double *t = &s->to_go[remaining];

    if (*t < 0)
        *t = s->layer < 1 ? (double)s->below
                          : prices_to_go(s->v, s->layer, remaining, (double)s->below);
    return *t;
}

static struct job *copy_jobs(struct generation *to, const struct job *job, int n, int extra)
{
    size_t need = to->n_jobs + (size_t)(n + extra);

    if (need >= to->room) { /* never NULL, not even for no jobs */
        size_t room = 2 * need + 1024;
        struct job *more = realloc(to->job, room * sizeof(*more));

        if (!more)
            return NULL;
        to->job = more;
        to->room = room;
    }
    if (n > 0)
        memcpy(to->job + to->n_jobs, job, (size_t)n * sizeof(*job));
    to->n_jobs = need;
    return to->job + need - (size_t)(n + extra);
}

static int add_node(struct search *s, int parent, int weight)
{
    if (s->n_nodes == s->node_room) {
        int room = 2 * s->node_room + 1024;
        struct node *more = realloc(s->node, (size_t)room * sizeof(*more));

        if (!more)
            return -ENOMEM;
        s->node = more;
        s->node_room = room;
    }
    s->node[s->n_nodes] = (struct node){.parent = parent, .weight = weight};
    return s->n_nodes++;
}

static int branch_preload(struct search *s, const struct label *x, int w)
{
    struct label *y = &s->next.label[s->next.n];

    *y = *x;
    y->cost += s->p->a * plan_price_of(s->p, w);
    y->preloaded += s->p->weight[w].chunks;
    y->first = s->next.n_jobs;
    y->node = add_node(s, x->node, w);
    if (y->node < 0 || !copy_jobs(&s->next, s->now.job + x->first, x->n, 0))
        return -ENOMEM;
    s->next.n++;
    return 0;
}

static int branch_stream(struct search *s, const struct label *x, int w)
{
    struct label *y = &s->next.label[s->next.n];
    struct job j = {.remaining = s->p->weight[w].chunks, .chunks = s->p->weight[w].chunks};
    struct job *job;
    int i = x->n;

    if (x->queue + j.chunks > s->capacity[s->layer])
        return 0;
    *y = *x;
    y->first = s->next.n_jobs;
    job = copy_jobs(&s->next, s->now.job + x->first, x->n, 1);
    if (!job)
        return -ENOMEM;
    for (; s->rule == SERVE_SHORTEST && i > 0 && job[i - 1].remaining > j.remaining; i--)
        job[i] = job[i - 1];
    job[i] = j;
    y->n++;
    y->queue += j.chunks;
    y->whole += j.chunks;
    y->to_go += job_to_go(s, j.chunks);
    s->next.n++;
    return 0;
}

static int by_bound(const void *a, const void *b)
{
    const struct label *x = a, *y = b;

    if (x->bound != y->bound)
        return x->bound < y->bound ? -1 : 1;
    if (x->cost != y->cost)
        return x->cost < y->cost ? -1 : 1;
    return (x->queue > y->queue) - (x->queue < y->queue);
}

static bool beats(const struct search *s, const struct label *x, const struct label *y)
{
    const struct job *i = s->next.job + x->first, *j = s->next.job + y->first;
    bool preloads_count = s->p->limit == LIMIT_RESIDENT || s->p->m_total > 0;

    if (x->cost > y->cost || x->n > y->n || x->queue > y->queue || x->whole > y->whole ||
        (preloads_count && x->preloaded > y->preloaded))
        return false;
    for (int k = 1; k <= x->n; k++) {
        if (i[x->n - k].remaining > j[y->n - k].remaining)
            return false;
    }
    return true;
}

static int32_t above(int64_t cost, int64_t least)
{
    return cost - least < INT32_MAX ? (int32_t)(cost - least) : INT32_MAX;
}

/* The k-th largest remaining size, from 1; 0: there are fewer jobs. */
static int32_t largest(const struct search *s, const struct label *x, int k)
{
    return x->n >= k ? s->next.job[x->first + (size_t)(x->n - k)].remaining : 0;
}

static void keep(struct search *s, int n, const struct label *x)
{
    s->kept.cost[n] = above(x->cost, s->kept.least);
    s->kept.queue[n] = above(x->queue, 0);
    s->kept.n[n] = x->n;
    s->kept.most[n] = largest(s, x, 1);
    s->kept.next[n] = largest(s, x, 2);
    s->next.label[n] = *x;
}

/* Is y beaten by one of the n kept? Entries of a block beyond n are never less: see clear(). */
static bool beaten(const struct search *s, int n, const struct label *y)
{
    const struct kept *k = &s->kept;
    int32_t cost = above(y->cost, k->least), queue = above(y->queue, 0), jobs = y->n;
    int32_t most = largest(s, y, 1), next = largest(s, y, 2), may[BLOCK];

    for (int from = 0; from < n; from += BLOCK) {
        int32_t any = 0;

        for (int i = 0; i < BLOCK; i++) {
            may[i] = (k->cost[from + i] <= cost) & (k->queue[from + i] <= queue) &
                     (k->n[from + i] <= jobs) & (k->most[from + i] <= most) &
                     (k->next[from + i] <= next);
            any |= may[i];
        }
        for (int i = 0; any && i < BLOCK; i++) {
            if (may[i] && beats(s, &s->next.label[from + i], y))
                return true;
        }
    }
    return false;
}

static void clear(struct kept *k, int n)
{
    for (int i = 0; i < (n + BLOCK - 1) / BLOCK * BLOCK; i++)
        k->n[i] = INT32_MAX;
}

/* Keep the `width` best of `next`, and make it `now`. rest: cost to go of what is not released. */
static void select_labels(struct search *s, double rest)
{
    struct generation *g = &s->next, old = s->now;
    int n = 0, all;

    s->kept.least = INT64_MAX;
    for (int i = 0; i < g->n; i++) {
        struct label *x = &g->label[i];

        x->bound = (double)x->cost + x->to_go + rest;
        if (!(ceil(x->bound - 1e-6) < (double)s->below))
            continue;
        s->kept.least = x->cost < s->kept.least ? x->cost : s->kept.least;
        g->label[n++] = *x;
    }
    all = n;
    qsort(g->label, (size_t)all, sizeof(*g->label), by_bound);
    clear(&s->kept, all < s->width ? all : s->width);
    n = 0;
    for (int i = 0; i < all; i++) {
        struct label x = g->label[i];

        if (n == s->width) {
            s->cut = fmin(s->cut, x.bound);
            break;
        }
        if (!beaten(s, n, &x))
            keep(s, n++, &x);
    }
    g->n = n;
    s->now = *g;
    s->next = old;
    s->next.n = 0;
    s->next.n_jobs = 0;
}

/* Weights with consumer s->layer + 1, from *w down. */
static int release(struct search *s, int *w)
{
    const struct plan_problem *p = s->p;
    double rest = -s->v->income[s->layer];

    if (*w < 0 || p->weight[*w].consumer != s->layer + 1)
        return 0;
    for (int r = 0; r <= s->max_chunks; r++)
        s->to_go[r] = -1;
    for (int i = 0; i < s->now.n; i++) {
        struct label *x = &s->now.label[i];

        x->to_go = 0;
        for (int k = 0; k < x->n; k++)
            x->to_go += job_to_go(s, s->now.job[x->first + (size_t)k].remaining);
    }
    for (int v = 0; v <= *w; v++)
        rest += s->v->weight[v];
    for (; *w >= 0 && p->weight[*w].consumer == s->layer + 1; --*w) {
        rest -= s->v->weight[*w];
        for (int i = 0; i < s->now.n; i++) {
            const struct label *x = &s->now.label[i];

            if (branch_preload(s, x, *w) < 0 ||
                (!plan_must_preload(p, *w) && branch_stream(s, x, *w) < 0))
                return -ENOMEM;
        }
        select_labels(s, rest);
    }
    return 0;
}

static bool within_limits(const struct search *s, const struct label *x)
{
    const struct plan_problem *p = s->p;
    int l = s->layer;

    if (p->m_total > 0 && x->whole + x->preloaded + s->tail[l] > p->m_total)
        return false;
    if (p->m_peak < 0)
        return true;
    switch (p->limit) {
    case LIMIT_STREAMED:
        return x->queue <= p->m_peak;
    case LIMIT_RESIDENT:
        return x->queue + x->preloaded + s->base[l] <= p->m_peak;
    case LIMIT_UNIFIED: /* base[] counts preloaded weights too: on the safe side */
        return x->whole + s->base[l] <= p->m_peak;
    case LIMIT_LITERAL:
        break;
    }
    return true;
}

static void serve(const struct search *s, struct label *x)
{
    const struct plan_problem *p = s->p;
    int left = plan_capacity(p, s->layer), loads = 0;

    x->cost += (int64_t)p->b * x->n;
    while (left > 0 && x->n > 0 && (p->max_loads == 0 || loads < p->max_loads)) {
        struct job *j = &s->now.job[x->first];
        int chunks = j->remaining < left ? j->remaining : left;

        j->remaining -= chunks;
        left -= chunks;
        loads++;
        x->queue -= chunks;
        if (j->remaining == 0) {
            x->whole -= j->chunks;
            x->first++;
            x->n--;
        }
    }
}

/* One layer: releases, limits, service. Layer 0 is before execution: nothing may be left. */
static int step(struct search *s, int *w)
{
    int n = 0, rc = release(s, w);

    if (rc < 0)
        return rc;
    for (int i = 0; i < s->now.n; i++) {
        struct label *x = &s->now.label[i];

        if (!within_limits(s, x) || (s->layer == 0 && x->n > 0))
            continue;
        if (s->layer > 0)
            serve(s, x);
        s->now.label[n++] = *x;
    }
    s->now.n = n;
    return 0;
}

static void sums(struct search *s)
{
    const struct plan_problem *p = s->p;

    for (int l = 1; l <= p->n_layers; l++)
        s->capacity[l] = s->capacity[l - 1] + plan_capacity(p, l);
    for (int w = 0; w < p->n_weights; w++) {
        const struct plan_weight *k = &p->weight[w];

        for (int l = k->consumer; l <= k->last_use; l++) {
            s->tail[l] += k->chunks;
            s->base[l] += l < k->last_use ? k->chunks : 0;
        }
        s->max_chunks = k->chunks > s->max_chunks ? k->chunks : s->max_chunks;
    }
}

static int search_new(struct search *s)
{
    size_t layers = (size_t)s->p->n_layers + 1, labels = 2 * (size_t)s->width + 2;
    size_t blocks = (size_t)s->width + BLOCK;

    s->cut = INFINITY;
    s->kept.cost = calloc(blocks, sizeof(int32_t));
    s->kept.queue = calloc(blocks, sizeof(int32_t));
    s->kept.n = calloc(blocks, sizeof(int32_t));
    s->kept.most = calloc(blocks, sizeof(int32_t));
    s->kept.next = calloc(blocks, sizeof(int32_t));
    s->capacity = calloc(layers, sizeof(int64_t));
    s->base = calloc(layers, sizeof(int64_t));
    s->tail = calloc(layers, sizeof(int64_t));
    s->now.label = calloc(labels, sizeof(struct label));
    s->next.label = calloc(labels, sizeof(struct label));
    if (!s->capacity || !s->base || !s->tail || !s->now.label || !s->next.label || !s->kept.cost ||
        !s->kept.queue || !s->kept.n || !s->kept.most || !s->kept.next)
        return -ENOMEM;
    sums(s);
    s->to_go = calloc((size_t)s->max_chunks + 1, sizeof(double));
    if (!s->to_go || !copy_jobs(&s->now, NULL, 0, 1))
        return -ENOMEM;
    s->now.n = 1;
    s->now.label[0] = (struct label){.node = -1};
    return 0;
}

static void search_done(struct search *s)
{
    free(s->capacity);
    free(s->base);
    free(s->tail);
    free(s->to_go);
    free(s->node);
    free(s->kept.cost);
    free(s->kept.queue);
    free(s->kept.n);
    free(s->kept.most);
    free(s->kept.next);
    free(s->now.label);
    free(s->next.label);
    free(s->now.job);
    free(s->next.job);
}

static void report(const struct search *s, bool late, bool *preload, struct labels_found *ret_f)
{
    const struct label *best = NULL;
    struct labels_found f = {.late = late, .complete = !late && isinf(s->cut), .least = s->below};

    for (int i = 0; i < s->now.n && !late; i++) {
        const struct label *x = &s->now.label[i];

        if (x->cost < s->below && (!best || x->cost < best->cost))
            best = x;
    }
    if (best) {
        f.found = true;
        f.cost = f.least = best->cost;
        memset(preload, 0, (size_t)s->p->n_weights * sizeof(*preload));
        for (int i = best->node; i >= 0; i = s->node[i].parent)
            preload[s->node[i].weight] = true;
    }
    if (late)
        f.least = INT64_MIN;
    else if (s->cut < (double)f.least)
        f.least = (int64_t)ceil(s->cut - 1e-6);
    *ret_f = f;
}

int labels_search(const struct plan_problem *p, struct prices *v, enum serve_rule rule, int width,
                  int64_t below, uint64_t deadline_ns, bool *preload, struct labels_found *ret_f)
{
    struct search s = {.p = p, .v = v, .rule = rule, .width = width, .below = below};
    int w = p->n_weights - 1, rc = search_new(&s);
    bool late = false;

    for (s.layer = p->n_layers; s.layer >= 0 && rc == 0 && !late; s.layer--) {
        rc = step(&s, &w);
        late = s.layer % 16 == 0 && clock_ns() > deadline_ns;
    }
    if (rc == 0)
        report(&s, late && s.layer >= 0, preload, ret_f);
    search_done(&s);
    return rc;
}
