/* profiler/calm.h - which repeats had the cores to themselves.
 *
 * On a CPU device other processes take cores, and a kernel lasts up to as many times as long as
 * there are cores. Its own processor time tells: beside a busy process, 2000 launches on two cores
 * lasted 1.03 of the shortest where two cores had been used, 2.05 where one had, and in between
 * where it was in between. */
#ifndef FLASHMEM_PROFILER_CALM_H
#define FLASHMEM_PROFILER_CALM_H

#include <stdbool.h>
#include <stdint.h>

#define CALM_SHARE 0.92 /* of the cores that a kernel can use */

/* What undisturbed repeats use: the 90th percentile of cores[n], the mean number of cores in use
 * during each. A kernel of one work group uses one core, and that is well. */
double calm_cores(const double *cores, int n);

/* cores[side][n], or cores[0] NULL where nobody knows. ret_aside[n]: true for the pairs of which a
 * side used less than CALM_SHARE of its calm_cores(). Returns the number of the others. */
int calm_pairs(double *const cores[2], int sides, int n, bool *ret_aside);

/* Were they all disturbed? Where a kernel never has all cores, either it cannot use them or somebody
 * else did: the machine's idle time since crowd_begin() tells which. */
struct crowd {
    uint64_t wall_ns, cpu_ns, idle_ns; /* idle_ns UINT64_MAX: the system does not tell */
    int cpus;
};
struct crowd crowd_begin(void);
/* Share of the machine's processor time that other processes took, in [0, 1]; NaN: unknown, or
 * since less than 100 ms, for idle time comes in steps of 10. */
double crowd_share(const struct crowd *since);

#endif
