/* harness/plan/latency/direct.h - time where nothing is moved: the disk reads into what kernels
 * read, whole weights are resident from their first byte, and a layer waits for what it reads. */
#ifndef FLASHMEM_HARNESS_PLAN_LATENCY_DIRECT_H
#define FLASHMEM_HARNESS_PLAN_LATENCY_DIRECT_H

#include "harness/plan/plan_build.h"

/* Simulated time of a plan under p->direct: weights are read in the plan's order, as early as what
 * the plan itself has resident at its worst leaves room. NaN: a rate or all times are unknown. */
double direct_simulate_ns(const struct plan_problem *p, const struct plan *plan);

/* Nothing preloaded but by rule, everything else in order of need and as early as memory allows.
 * Its bound: the same order, with room found byte by byte instead of weight by weight. */
int direct_solve(const struct plan_problem *p, struct plan *plan, struct err *err);

#endif
