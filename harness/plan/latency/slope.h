/* harness/plan/latency/slope.h - where the disk does not limit (T7): the least remaining time
 * V_l(S) = min sum of f over the layers after l, when S units have moved by the end of layer l.
 * Convex in S, so its segments are kept sorted by slope, and one layer is one merge with the
 * segments of f (slope trick). Exact for whole units: an optimum, and a bound when the disk does.
 *
 * Where the disk does, and stands still while memory is full, V also has the stall that follows:
 * at the end of layer k the disk has read no more than it had room for, so what layer l moves
 * beyond that has to arrive in between. That is convex in S_l too.
 *
 * Of a mixture of paths (critical.h) it is V that bounds what is left: from a curve that has moved
 * S units by `time`, its disk having idled for `idle` of that,
 *
 *   share[l] * time + (1 - share[l]) * idle + V_l(S) */
#ifndef FLASHMEM_HARNESS_PLAN_LATENCY_SLOPE_H
#define FLASHMEM_HARNESS_PLAN_LATENCY_SLOPE_H

#include "harness/plan/latency/critical.h"

struct slope_piece { /* `length` units to the right, the value changes by `slope` each */
    double slope;
    int length;
};

struct slopes {
    const struct stream *s;
    int *left, *right;   /* [N + 1] domain of V_l */
    double *end, *least; /* [N + 1] V_l(right[l]); the least of V_l */
    double *share;       /* [N + 1] of the paths, those in kernels behind layer l: 1 without `c` */
    int *first, *n;      /* [N + 1] its pieces, from the left */
    struct slope_piece *piece;
};

/* c: NULL, all paths are kernels alone. -ENOSPC: no curve is within the limits (ret_layer: a layer
 * that proves it); -ENOMEM. */
int slopes_make(const struct stream *s, const struct critical *c, struct slopes *ret_v,
                int *ret_layer);
void slopes_done(struct slopes *v);

/* ret_value[i] = V_l(from + i) for from..to; INFINITY outside of the domain. */
void slopes_fill(const struct slopes *v, int l, int from, int to, double *ret_value);

/* The least time of all, with that of preloading S_0. */
double slopes_least(const struct slopes *v);
/* S_l of a curve that takes it; c: as v was made with. units[N + 1]. -ENOMEM. */
int slopes_curve(const struct slopes *v, const struct critical *c, int *units);

#endif
