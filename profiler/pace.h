/* profiler/pace.h - how fast the machine runs now: a little fixed work, timed beside every pair.
 *
 * Whoever else uses a physical core is not seen from within a virtual machine: neither in the
 * process's own time (calm.h) nor as stolen time. On two cores of a shared EPYC, 50 s on end: for
 * 16 s kernels that read images took 1.3 to 1.8 of their time and matrix products 1.07 to 1.6,
 * tanh() 1.8, while a chain of dependent integer operations took 1.09. So it is no clock that slows
 * down, which all would feel alike, but another thread on the same core, and nothing can be scaled
 * back. Sixteen image reads in a row felt it most (1.0 to 1.2 or 1.4 to 1.9 of their best): medians
 * of twelve repeats of an image kernel agreed within 10 % in 49 % of cases, of those beside a fast
 * probe in 99.9 %. What other processes of this machine take is told apart by the probe's own
 * processor time: beside a busy process it used 1.5 cores of two, alone or slow 2.2 to 2.4 (waking
 * and launching included). */
#ifndef FLASHMEM_PROFILER_PACE_H
#define FLASHMEM_PROFILER_PACE_H

#include "profiler/device.h"

struct pace;

/* NULL in *ret_p where there is nothing to ask: not a CPU, or one without images. `dev` is
 * borrowed; waits for the queue, a few ms. */
int pace_new(struct device *dev, cl_command_queue queue, struct pace **ret_p, struct err *err);
void pace_free(struct pace *p); /* NULL is fine */

/* Run the probe and wait for it: some 100 us, of which *ret_ns is its kernel; 0 where other processes
 * had the cores. */
int pace_probe(struct pace *p, cl_command_queue queue, uint64_t *ret_ns, struct err *err);

/* The lowest median of fifteen probes in a row so far (it varies by 3 % between sessions, that of five
 * by 6 %), or what an earlier session on this machine knew, if lower; 0: unknown. NULL is fine. */
uint64_t pace_best(const struct pace *p);
void pace_know(struct pace *p, uint64_t best_ns); /* 0: nothing */
/* The machine will not be as fast again: what comes from now on counts. */
void pace_forget(struct pace *p);

#define PACE_SLOW 1.25 /* of the best, and more: the machine is slow */

/* The median of probes [i - 2, i + 2] of n, as far as they are: one of them may have met another
 * process. NaN if none is known. */
double pace_around(const uint64_t *probe_ns, int n, int i);

#endif
