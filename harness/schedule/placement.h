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

/* A stretch of memory, and the layer after which its last tenant is gone. */
struct stretch {
    uint64_t from, to;
    int free_after;
};

/* Stretches that lie behind a space, in order and without gaps from offset 0, and may be used as they
 * become free. */
struct spare {
    struct stretch *s;
    int n;
};

/* `space`: a multiple of PLACE_ALIGN. Each goes where it may come soonest: where all that lay before
 * goes first. ret_at[n]: offsets;
 * ret_after[n]: the layer that must have run before it comes (0: none), never falling, for it comes
 * after what stands before it. -ENOSPC (*ret_stuck: which one has no place before it is needed). */
int place_arrivals(const struct arrival *a, int n, uint64_t space, const struct spare *spare,
                   uint64_t *ret_at, int *ret_after, int *ret_stuck);

/* The least space found in which all have a place: never less than what must be there at once, less
 * what is spare, and 3 % above that at a time. UINT64_MAX: out of memory. */
uint64_t place_least(const struct arrival *a, int n, const struct spare *spare);

/* What lives from layer `from` through layer `to`, whoever comes first. */
struct stay {
    uint64_t bytes;
    int from, to;
};

/* Large ones first, each as low as it can lie beside those that live at the same time. ret_at[n];
 * returns the space that all of them take. */
uint64_t place_stays(const struct stay *s, int n, uint64_t *ret_at);
/* Who lies there last, stretch by stretch, of `space` bytes: of stays that are placed. -ENOMEM. */
int place_last_stays(const struct stay *s, int n, const uint64_t *at, uint64_t space,
                     struct spare *ret_spare);

#endif
