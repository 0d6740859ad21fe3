/* harness/schedule/parts.h - a weight of a direct schedule is read in parts: each when what lay there
 * is no longer used. Pure arithmetic. */
#ifndef FLASHMEM_HARNESS_SCHEDULE_PARTS_H
#define FLASHMEM_HARNESS_SCHEDULE_PARTS_H

#include "harness/schedule/schedule.h"

struct read_part {
    uint64_t byte, bytes; /* of its item's place */
    int after;            /* the layer that must have run before; 0: none */
};

/* The layer after which nobody uses [from, from + bytes) of those who lay there before item i
 * (n_items: of all); of what is spare, no activation. */
int parts_free_after(const struct schedule *s, int i, uint64_t from, uint64_t bytes);
/* Item i in parts, soonest free first; returns how many. ret_part NULL: they are only counted. */
int parts_cut(const struct schedule *s, int i, struct read_part *ret_part);

#endif
