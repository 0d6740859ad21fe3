/* harness/plan/latency/window.h - what whole images cost any plan, in whatever order it moves.
 *
 * Where layer a holds so much that weight w has no room beside it, w begins after a, and so do all
 * that have no room there: by their consumers' layers, all of them have moved since. For such a
 * window,
 *
 *   S_b - S_a >= units        b: the layer before the last of these consumers
 *
 * which the fluid problem does not know. With a price on each window the slope trick still finds
 * the least of time + sum(price * (units - S_b + S_a)), a bound on every plan (Lagrange). */
#ifndef FLASHMEM_HARNESS_PLAN_LATENCY_WINDOW_H
#define FLASHMEM_HARNESS_PLAN_LATENCY_WINDOW_H

#include "harness/plan/latency/slope.h"

/* ret_ns: the best bound found by deadline_ns, which a plan of target_ns has shown to be no better
 * than that; 0 where there is no such window. s: relaxed. -ENOSPC: no plan fits; -ENOMEM. */
int window_bound(const struct stream *s, double target_ns, uint64_t deadline_ns, double *ret_ns);

#endif
