/* harness/schedule/keep.h - which weights stay between runs of one model. Pure arithmetic.
 *
 * A byte that stays spares the disk the time to read it, and takes room in which the disk could
 * have read ahead. What is kept of the first layers lets kernels start at once; what is kept here
 * and there keeps the disk busy beside all of them. Which is better depends on where the disk and
 * the kernels wait for each other, so a run is played in time for each of some patterns. */
#ifndef FLASHMEM_HARNESS_SCHEDULE_KEEP_H
#define FLASHMEM_HARNESS_SCHEDULE_KEEP_H

#include "harness/schedule/schedule.h"

struct keep_machine {
    const double *layer_ns; /* [n_layers], alone */
    double disk_bytes_per_s;
    uint64_t limit_bytes, reserve_bytes; /* as of schedule_direct() */
    /* Through a ring: what a layer's kernel does not carry is moved in front of it, at this rate.
     * carried[n_layers]: how many items a kernel carries, the last ones; NULL: all. */
    double move_ns_per_byte;
    const int *carried;
};

/* Time of a run as the disk and the kernels of `k` allow it. `warm`: what stays is there. ret_stall
 * (may be NULL) [n_layers]: how long each layer waits for the disk. */
double keep_simulate_ns(const struct schedule *s, const struct keep_machine *k, bool warm,
                        double *ret_stall);

/* The schedule whose warm runs are fastest by that measure, of those that keep at most most_bytes
 * and hold the limit; of those as fast, one that keeps more, for what is not read costs no energy.
 * ret_ns: of its warm run. -ENOSPC: nothing can be kept within the limit; -ENOMEM. */
int keep_choose(const struct schedule *s, int n_weights, uint64_t most_bytes,
                const struct keep_machine *k, struct schedule *ret_s, double *ret_ns,
                struct err *err);

#endif
