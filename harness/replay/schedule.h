/* harness/replay/schedule.h - a plan turned into what the disk reads and who moves it, in order.
 * Pure arithmetic.
 *
 * An item is one run of bytes of one weight: read from the file into the ring, then moved into the
 * weight's texture by one launch of layer `layer` (0: before execution). Items are in order of
 * that layer, so the ring is a queue. Ring positions only grow; position % ring_bytes is where an
 * item stands, and no item wraps around the end. */
#ifndef FLASHMEM_HARNESS_REPLAY_SCHEDULE_H
#define FLASHMEM_HARNESS_REPLAY_SCHEDULE_H

#include "harness/model/weights.h"
#include "harness/plan/problem.h"
#include "harness/replay/reader.h"

struct item {
    int weight;           /* into model->weight; -1: the vector bundle */
    int layer;            /* that moves it, from 1; 0: before execution */
    int load_layer;       /* reader at-plan: not read before this layer starts */
    uint64_t weight_byte; /* first byte inside the weight */
    uint64_t bytes;       /* payload: whole texels */
    uint64_t file_byte;
    uint64_t read_bytes;  /* payload rounded up to READ_ALIGN */
    uint64_t ring_pos;
    bool rows;            /* gathered: one row per index instead of a run */
};

struct schedule {
    int n_items;
    struct item *item;
    int *first_of_layer; /* [n_layers + 2]: items of layer l are first[l] .. first[l + 1] - 1 */
    uint64_t ring_bytes;
    uint64_t read_bytes; /* all items together */
};

#define SCHEDULE_MIN_RING UINT64_C(262144)

/* ring_bytes: a multiple of READ_ALIGN, at least SCHEDULE_MIN_RING; moves longer than an eighth of
 * it are cut into several items. The plan has been checked. -EINVAL: the ring is too small, or too
 * small for the rows of a gather; -ENOMEM. */
int schedule_make(const struct model *m, const struct model_problem *mp, const struct plan *plan,
                  const struct weights_file *file, uint64_t ring_bytes,
                  struct schedule *ret_s, struct err *err);
void schedule_done(struct schedule *s);

#endif
