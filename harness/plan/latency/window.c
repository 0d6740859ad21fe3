/* Prices by Polyak's steps towards the time of a plan that is known: what a window is short of
 * raises its price. */
#include "harness/plan/latency/window.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "profiler/clock.h"

enum { STEPS = 40, PATIENCE = 4 };
#define SHORTEST 1e-3 /* share of Polyak's step at which to give up */

struct window {
    int a, b;
    double units, price, slope; /* slope: units missing at the last prices */
};

struct windows {
    const struct stream *s;
    struct critical c;
    double *needed; /* [N + 1] chunks that are there while layer l runs, whatever is decided */
    int *after;     /* [n_weights] last layer beside which the weight has no room; 0: none */
    int *units;     /* [N + 1] */
    struct window *w;
    int n;
};

static void fill_needed(const struct windows *x)
{
    const struct plan_problem *p = x->s->p;

    for (int w = 0; w < p->n_weights; w++) {
        const struct plan_weight *k = &p->weight[w];

        for (int l = plan_must_preload(p, w) ? 0 : k->consumer; l <= k->last_use; l++)
            x->needed[l] += k->chunks;
    }
}

static void fill_after(const struct windows *x)
{
    const struct plan_problem *p = x->s->p;

    for (int w = 0; w < p->n_weights; w++) {
        int a = p->weight[w].consumer - 1;

        while (a > 0 && x->needed[a] + p->weight[w].chunks <= (double)p->m_total)
            a--;
        x->after[w] = plan_must_preload(p, w) ? 0 : a;
    }
}

/* One for each weight that has no room beside some layer, with all that come after that layer and
 * are needed no later. */
static void fill_windows(struct windows *x)
{
    const struct plan_problem *p = x->s->p;

    for (int w = 0; w < p->n_weights; w++) {
        struct window y = {.a = x->after[w], .b = p->weight[w].consumer - 1};
        bool last = w + 1 == p->n_weights || p->weight[w + 1].consumer > y.b + 1 ||
                    x->after[w + 1] != y.a;

        if (y.a == 0 || y.a >= y.b || !last)
            continue;
        for (int k = w; k >= 0 && p->weight[k].consumer > y.a; k--)
            y.units += x->after[k] >= y.a ? (double)p->weight[k].bytes / x->s->unit_bytes : 0;
        x->w[x->n++] = y;
    }
}

static void set_tilt(struct windows *x)
{
    for (int l = 0; l <= x->s->p->n_layers; l++)
        x->c.tilt[l] = 0;
    for (int i = 0; i < x->n; i++) {
        x->c.tilt[x->w[i].a] += x->w[i].price;
        x->c.tilt[x->w[i].b] -= x->w[i].price;
    }
}

/* The bound at these prices, and what each window is short of. */
static int evaluate(struct windows *x, double *ret_ns)
{
    struct slopes v;
    int rc;

    set_tilt(x);
    rc = slopes_make(x->s, &x->c, &v, NULL);
    if (rc < 0)
        return rc;
    *ret_ns = slopes_least(&v);
    rc = slopes_curve(&v, &x->c, x->units);
    slopes_done(&v);
    for (int i = 0; i < x->n; i++) {
        struct window *w = &x->w[i];

        *ret_ns += w->price * w->units;
        w->slope = w->units - x->units[w->b] + x->units[w->a];
    }
    return rc;
}

static int climb(struct windows *x, double target_ns, uint64_t deadline_ns, double *ret_best)
{
    double share = 1, value = 0;
    int rc = 0, stale = 0;

    for (int i = 0; i < STEPS && share > SHORTEST && clock_ns() < deadline_ns; i++) {
        double length = 0;

        rc = evaluate(x, &value);
        if (rc < 0)
            return rc;
        stale = value > *ret_best * (1 + 1e-7) ? 0 : stale + 1;
        *ret_best = fmax(*ret_best, value);
        if (value >= target_ns * (1 - PLAN_TOLERANCE))
            break;
        if (stale == PATIENCE) {
            share /= 2;
            stale = 0;
        }
        for (int k = 0; k < x->n; k++) /* those at price 0 that want less do not count */
            length += x->w[k].price > 0 || x->w[k].slope > 0 ? x->w[k].slope * x->w[k].slope : 0;
        if (!(length > 0))
            break;
        for (int k = 0; k < x->n; k++)
            x->w[k].price = fmax(
                0, x->w[k].price + share * (target_ns - value) / length * x->w[k].slope);
    }
    return 0;
}

/* Of kernels alone first; then of the paths that their prices make critical. */
static int best(struct windows *x, double target_ns, uint64_t deadline_ns, double *ret_ns)
{
    double *tilt = x->c.tilt;
    int rc = climb(x, target_ns, deadline_ns, ret_ns);

    if (rc < 0 || isinf(x->s->per_ns))
        return rc;
    set_tilt(x);
    rc = critical_make(x->s, tilt, &x->c);
    x->c.tilt = tilt;
    return rc < 0 ? rc : climb(x, target_ns, deadline_ns, ret_ns);
}

int window_bound(const struct stream *s, double target_ns, uint64_t deadline_ns, double *ret_ns)
{
    size_t layers = (size_t)s->p->n_layers + 1, weights = (size_t)s->p->n_weights + 1;
    struct windows x = {.s = s};
    int rc = -ENOMEM;

    *ret_ns = 0;
    if (s->p->m_total <= 0)
        return 0;
    x.needed = calloc(layers, sizeof(*x.needed));
    x.units = calloc(layers, sizeof(*x.units));
    x.c.tilt = calloc(layers, sizeof(*x.c.tilt));
    x.after = calloc(weights, sizeof(*x.after));
    x.w = calloc(weights, sizeof(*x.w));
    if (x.needed && x.units && x.c.tilt && x.after && x.w) {
        fill_needed(&x);
        fill_after(&x);
        fill_windows(&x);
        rc = x.n > 0 ? best(&x, target_ns, deadline_ns, ret_ns) : 0;
    }
    free(x.needed);
    free(x.units);
    free(x.c.tilt);
    critical_done(&x.c);
    free(x.after);
    free(x.w);
    return rc;
}
