/* harness/schedule/placement.h - where tensors lie in one piece of memory, decided before a run. Pure
 * arithmetic: offsets and sizes are bytes, everything starts at a multiple of PLACE_ALIGN. Layers
 * count from 1. */
#ifndef FLASHMEM_HARNESS_SCHEDULE_PLACEMENT_H
#define FLASHMEM_HARNESS_SCHEDULE_PLACEMENT_H

#include <stdint.h>

#include "profiler/err.h"

#define PLACE_ALIGN 4096 /* the disk reads there: READ_ALIGN */

/* What comes in order, one after the other, and goes when layer `last` has run. */
struct arrival {
    uint64_t bytes;
    int need, last; /* the first layer that must find it there, and the last */
};

/* Each goes where it may come soonest: where all that lay before goes first. ret_at[n]: offsets;
 * ret_after[n]: the layer that must have run before it comes (0: none), never falling, for it comes
 * after what stands before it. -ENOSPC (*ret_stuck: which one has no place before it is needed). */
int place_arrivals(const struct arrival *a, int n, uint64_t space, uint64_t *ret_at, int *ret_after,
                   int *ret_stuck);

/* The least space found in which all have a place: never less than what must be there at once,
 * and 3 % above that at a time. UINT64_MAX: out of memory. */
uint64_t place_least(const struct arrival *a, int n);

/* What lives from layer `from` through layer `to`, whoever comes first. */
struct stay {
    uint64_t bytes;
    int from, to;
};

/* Large ones first, each as low as it can lie beside those that live at the same time. ret_at[n];
 * returns the space that all of them take. */
uint64_t place_stays(const struct stay *s, int n, uint64_t *ret_at);

#endif
