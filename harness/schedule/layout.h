/* harness/schedule/layout.h - where activations lie when they are carved from one piece of memory:
 * offsets by lifetime, decided once for a model. Pure arithmetic.
 *
 * A concat along columns is then no work at all: its parts are written where they will stand, as
 * images whose rows are as far apart as those of the whole. Buffers have no such rows. */
#ifndef FLASHMEM_HARNESS_SCHEDULE_LAYOUT_H
#define FLASHMEM_HARNESS_SCHEDULE_LAYOUT_H

#include "harness/model/model.h"
#include "harness/schedule/placement.h"

struct layout {
    uint64_t bytes;
    uint64_t *out;   /* [n_layers]: offset of a layer's output */
    uint64_t *pitch; /* [n_layers]: bytes from row to row of a part; 0: dense */
    bool *in_place;  /* [n_layers]: nothing to run, its parts are there */
    uint64_t *input; /* [n_inputs] */
    uint64_t iota;   /* index vector of compacted gathers, as long as the longest input of ids */
    struct spare spare; /* all of it, by the layer after which nothing of it is used */
};

int layout_make(const struct model *m, enum mem_path path, struct layout *ret_y, struct err *err);
void layout_done(struct layout *y);

#endif
