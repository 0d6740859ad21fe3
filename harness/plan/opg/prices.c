/* Relax C3 with prices mu and C2 (reading A) with prices nu: every weight then plans for itself.
 * A chunk moved in layer k for consumer i costs mu_k + nu_k + ... + nu_(i-1), and for each first
 * layer z the cheapest T slots of z..i-1 are taken. Reading B implies A, reading L is a capacity,
 * U and the number of destinations are left out: the bound holds for all of them.
 *
 * Prices start at the dual of T3 (weights preloaded in part): the loss of a queue with a finite
 * buffer, in one pass. Then Polyak's step, halved when it stalls. */
#include "harness/plan/opg/prices.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/plan/plan_build.h"

struct heap_slot {
    double key; /* dearest on top */
    int count, layer;
};

struct step { /* scratch of one bound: what the prices would buy */
    double *use, *hold, *best_slot, *best_hold;
};

static bool limited(const struct plan_problem *p)
{
    return p->m_peak >= 0 && (p->limit == LIMIT_STREAMED || p->limit == LIMIT_RESIDENT);
}

void prices_done(struct prices *v)
{
    free(v->slot);
    free(v->hold);
    free(v->sum);
    free(v->income);
    free(v->weight);
    free(v->heap);
    *v = (struct prices){0};
}

/* The dual of T3. In reverse, `value` is what one more chunk in the queue would cost at last. */
static void start_prices(struct prices *v)
{
    const struct plan_problem *p = v->p;
    double *before = v->sum, price = p->a, queue = 0, chunks = 0;
    double m = limited(p) ? (double)p->m_peak : INFINITY, value;
    int w = p->n_weights - 1;

    if (p->price == PRICE_COUNT) {
        for (int i = 0; i < p->n_weights; i++)
            chunks += p->weight[i].chunks;
        price = chunks > 0 ? p->a * p->n_weights / chunks : 0;
    }
    for (int l = p->n_layers - 1; l >= 1; l--) {
        for (; w >= 0 && p->weight[w].consumer == l + 1; w--)
            queue += plan_must_preload(p, w) ? 0 : p->weight[w].chunks;
        before[l] = queue;
        queue = fmax(0, fmin(queue, m) - plan_capacity(p, l));
    }
    value = price;
    for (int l = 1; l < p->n_layers; l++) {
        bool idle = plan_capacity(p, l) > fmin(before[l], m), full = before[l] > m;

        v->slot[l] = idle ? 0 : value;
        v->hold[l] = full ? price - v->slot[l] : 0;
        value = v->slot[l] + v->hold[l];
    }
}

int prices_new(const struct plan_problem *p, struct prices *ret_v)
{
    struct prices v = {.p = p};
    size_t n = (size_t)p->n_layers + 1;

    v.slot = calloc(n, sizeof(double));
    v.hold = calloc(n, sizeof(double));
    v.sum = calloc(n, sizeof(double));
    v.income = calloc(n, sizeof(double));
    v.weight = calloc((size_t)p->n_weights + 1, sizeof(double));
    v.heap = calloc(n, sizeof(*v.heap));
    v.room = p->n_layers + 1;
    if (!v.slot || !v.hold || !v.sum || !v.income || !v.weight || !v.heap) {
        prices_done(&v);
        return -ENOMEM;
    }
    start_prices(&v);
    *ret_v = v;
    return 0;
}

static void sift_up(struct heap_slot *h, int i, struct heap_slot s)
{
    while (i > 0 && h[(i - 1) / 2].key < s.key) {
        h[i] = h[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    h[i] = s;
}

static void drop_top(struct heap_slot *h, int *n)
{
    struct heap_slot last = h[--*n];
    int i = 0;

    for (;;) {
        int child = 2 * i + 1;

        if (child >= *n)
            break;
        if (child + 1 < *n && h[child + 1].key > h[child].key)
            child++;
        if (h[child].key <= last.key)
            break;
        h[i] = h[child];
        i = child;
    }
    h[i] = last;
}

/* The cheapest `chunks` slots of layers z..l as z falls from l to `last`; returns the least cost
 * below `limit` and its z. On return the heap holds the slots of the last z looked at. */
static double scan(struct prices *v, int l, int chunks, int last, double limit, int *ret_z,
                   int *ret_n)
{
    const struct plan_problem *p = v->p;
    double best = limit, keys = 0;
    int n = 0, z = 0;
    int64_t have = 0;

    for (int k = l; k >= last && (double)p->b * (l - k + 1) < best; k--) {
        struct heap_slot s = {.key = v->slot[k] - v->sum[k - 1], .layer = k};
        double cost;

        s.count = plan_capacity(p, k);
        s.count = s.count < chunks ? s.count : chunks;
        if (s.count == 0 || (have == chunks && s.key >= v->heap[0].key))
            continue;
        sift_up(v->heap, n++, s);
        keys += s.key * s.count;
        have += s.count;
        while (have > chunks) {
            int over = (int)(have - chunks);

            over = over < v->heap[0].count ? over : v->heap[0].count;
            keys -= v->heap[0].key * over;
            have -= over;
            v->heap[0].count -= over;
            if (v->heap[0].count == 0)
                drop_top(v->heap, &n);
        }
        if (have < chunks)
            continue;
        cost = (double)p->b * (l - k + 1) + keys + chunks * v->sum[l];
        if (cost < best) {
            best = cost;
            z = k;
        }
    }
    *ret_z = z;
    if (ret_n)
        *ret_n = n;
    return best;
}

double prices_to_go(struct prices *v, int l, int chunks, double limit)
{
    int z;

    return scan(v, l, chunks, 1, limit, &z, NULL);
}

/* Sum up the prices, then every weight's best; with `s`, also what they buy per layer. */
static double evaluate(struct prices *v, struct step *s)
{
    const struct plan_problem *p = v->p;
    double m = limited(p) ? (double)p->m_peak : 0, bound = 0;

    for (int l = 1; l <= p->n_layers; l++) {
        v->sum[l] = v->sum[l - 1] + v->hold[l];
        v->income[l] = v->income[l - 1] + v->slot[l] * plan_capacity(p, l) + v->hold[l] * m;
        s->use[l] = s->hold[l] = 0;
    }
    for (int w = 0; w < p->n_weights; w++) {
        const struct plan_weight *k = &p->weight[w];
        double preload = (double)p->a * (double)plan_price_of(p, w);
        int z = 0, n = 0;

        v->weight[w] = preload;
        if (!plan_must_preload(p, w))
            v->weight[w] = scan(v, k->consumer - 1, k->chunks, 1, preload, &z, &n);
        bound += v->weight[w];
        if (z == 0)
            continue;
        /* Again down to its best z: the slots are then what the heap holds. */
        scan(v, k->consumer - 1, k->chunks, z, INFINITY, &z, &n);
        for (int i = 0; i < n; i++) {
            s->use[v->heap[i].layer] += v->heap[i].count;
            s->hold[v->heap[i].layer] += v->heap[i].count;
        }
        s->hold[k->consumer] -= k->chunks;
    }
    for (int l = 1; l <= p->n_layers; l++)
        s->hold[l] += s->hold[l - 1];
    return bound - v->income[p->n_layers];
}

/* One step along the subgradient; false when it vanishes (the bound cannot rise). */
static bool move_prices(struct prices *v, const struct step *s, double length)
{
    const struct plan_problem *p = v->p;
    double norm = 0;

    for (int l = 1; l < p->n_layers; l++) {
        double g = s->use[l] - plan_capacity(p, l), h = s->hold[l] - (double)p->m_peak;

        norm += g > 0 || v->slot[l] > 0 ? g * g : 0;
        norm += limited(p) && (h > 0 || v->hold[l] > 0) ? h * h : 0;
    }
    if (!(norm > 0))
        return false;
    length /= norm;
    for (int l = 1; l < p->n_layers; l++) {
        v->slot[l] = fmax(0, v->slot[l] + length * (s->use[l] - plan_capacity(p, l)));
        if (limited(p))
            v->hold[l] = fmax(0, v->hold[l] + length * (s->hold[l] - (double)p->m_peak));
    }
    return true;
}

static void climb(struct prices *v, struct step *s, int64_t target, int steps)
{
    size_t size = (size_t)(v->p->n_layers + 1) * sizeof(double);
    double best = -INFINITY, theta = 1;

    for (int i = 0, stalled = 0; i < steps; i++) {
        double bound = evaluate(v, s);

        if (bound > best + 1e-9) {
            stalled = bound > best + 1e-4 * fabs(best) ? 0 : stalled + 1;
            best = bound;
            memcpy(s->best_slot, v->slot, size);
            memcpy(s->best_hold, v->hold, size);
        } else {
            stalled++;
        }
        if (stalled >= 8) {
            theta /= 2;
            stalled = 0;
            memcpy(v->slot, s->best_slot, size);
            memcpy(v->hold, s->best_hold, size);
            evaluate(v, s);
        }
        if (ceil(best - 1e-6) >= (double)target || theta < 1e-3 ||
            !move_prices(v, s, theta * fmax(1, (double)target - best)))
            break;
    }
    memcpy(v->slot, s->best_slot, size);
    memcpy(v->hold, s->best_hold, size);
    v->bound = evaluate(v, s);
}

int prices_improve(struct prices *v, int64_t target, int steps)
{
    size_t n = (size_t)v->p->n_layers + 1;
    double *scratch = calloc(4 * n, sizeof(double));
    struct step s;

    if (!scratch)
        return -ENOMEM;
    s = (struct step){.use = scratch,
                      .hold = scratch + n,
                      .best_slot = scratch + 2 * n,
                      .best_hold = scratch + 3 * n};
    climb(v, &s, target, steps);
    free(scratch);
    return 0;
}
