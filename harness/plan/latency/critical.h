/* harness/plan/latency/critical.h - what the least latency hangs on, as a mixture of paths.
 *
 * Of a curve S, let e_l be the end of layer l and i_l the time for which the disk has stood still
 * by then. With F bytes preloaded by rule, B bytes a second, and the disk pausing at byte P of the
 * stream while layer l runs:
 *
 *   e_l = max(e_{l-1}, i_{l-1} + (F + S_l) / B) + f_l(S_l - S_{l-1})    e_0 = (F + S_0) / B
 *   i_l = max(i_{l-1}, e_l - (F + P_{l-1}) / B)                        i_0 = 0
 *
 * so e_N is the longest path of a graph, and for any mixture of its paths, the mean of their
 * lengths is no longer, convex, and a sum over layers: the slope trick finds its least over all
 * curves, a lower bound (slope.h). The best mixture is dual to the linear program of the whole
 * (T8). */
#ifndef FLASHMEM_HARNESS_PLAN_LATENCY_CRITICAL_H
#define FLASHMEM_HARNESS_PLAN_LATENCY_CRITICAL_H

#include "harness/plan/latency/stream.h"

/* [N + 1]. Shares of the paths, 0..1, from layer 1: any values make a mixture, slope.c takes what
 * is left of them backwards from e_N. */
struct critical {
    double *wait; /* i_{l-1} -> e_l: the kernel waits for the disk */
    double *full; /* e_l -> i_l: the disk stood still */
    double *units; /* S_l of the program, amid its best curves: where to look for one of whole
                      units */
    double *tilt;  /* what every unit of S_l costs besides (window.h); NULL: nothing */
};

/* Nearly the best mixture, by an interior point method for the linear program: some 20 us a layer.
 * The disk has a rate. tilt[N + 1]: what it is to know of, not kept; NULL: nothing. -ENOMEM. */
int critical_make(const struct stream *s, const double *tilt, struct critical *ret_c);
void critical_done(struct critical *c);

/* Byte of the stream at which the disk pauses while layer l runs: at + before * S_{l-1}. */
struct critical_pause {
    double at, before;
};
struct critical_pause critical_pause(const struct stream *s, int l);

#endif
