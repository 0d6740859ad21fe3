/* harness/schedule/schedule.h - a plan turned into what the disk reads and who moves it, in order.
 * Pure arithmetic.
 *
 * An item is one run of bytes of one weight: read from the file into the ring, then moved into the
 * weight's texture by one launch of layer `layer` (0: before execution). Items are in order of
 * that layer, so the ring is a queue. Ring positions only grow; position % ring_bytes is where an
 * item stands, and no item wraps around the end. */
#ifndef FLASHMEM_HARNESS_SCHEDULE_SCHEDULE_H
#define FLASHMEM_HARNESS_SCHEDULE_SCHEDULE_H

#include "harness/model/weights.h"
#include "harness/plan/problem.h"
#include "harness/reader/reader.h"
#include "harness/schedule/placement.h"

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
    /* Of a direct schedule; there `layer` is the first that needs it, 0: preloaded. */
    uint64_t place; /* offset in the run's memory for weights, and what is spare behind it */
    uint64_t stay_bytes;  /* what it takes there */
    int need, last_use;   /* the first layer that must find it there, and the last */
    int after;      /* the layer that must have run before the place is free; 0: none */
    bool kept;      /* stays between runs: only the first reads it (schedule_keep()) */
};

struct schedule {
    int n_items;
    struct item *item;
    int n_layers;
    int *first_of_layer; /* [n_layers + 2]: items of layer l are first[l] .. first[l + 1] - 1 */
    uint64_t ring_bytes;
    uint64_t read_bytes;  /* all items together */
    bool direct;          /* every weight is one item, read where kernels will find it; nothing is
                             moved: first_of_layer[1] ends the preloaded ones, all others follow */
    bool natural;         /* weights lie as model files have them: read from that file, uploaded,
                             rearranged (model/natural.h); not direct */
    uint64_t place_bytes; /* direct: the memory for weights */
    uint64_t kept_bytes;  /* of weights that stay between runs, part of place_bytes */
    struct spare spare;   /* direct: behind it, where the activations are */
};

#define SCHEDULE_MIN_RING UINT64_C(262144)

/* ring_bytes: a multiple of READ_ALIGN, at least SCHEDULE_MIN_RING; moves longer than an eighth of
 * it (below 8 MiB a 32nd) are cut into several items. The plan has been checked. -EINVAL: the ring is
 * too small, or too small for the rows of a gather; -ENOMEM. */
int schedule_make(const struct model *m, const struct model_problem *mp, const struct plan *plan,
                  const struct weights_file *file, uint64_t ring_bytes,
                  struct schedule *ret_s, struct err *err);
/* The direct form: whole weights, preloaded ones first, then in the order in which the plan begins
 * to move them; the plan's layers count under reader at-plan alone. The memory for weights is what
 * the plan has resident at its worst, where that suffices; with reserve_bytes, what else a run
 * takes, it stays within limit_bytes (0: no limit). Where activations are used no more (`spare`, copied;
 * NULL: nowhere), weights come as well, unless some stay between runs. -ENOSPC: the limit is too small,
 * err says what would do; -ENOMEM. */
int schedule_direct(const struct model *m, const struct model_problem *mp, const struct plan *plan,
                    const struct weights_file *file, enum mem_path path, uint64_t limit_bytes,
                    uint64_t reserve_bytes, const struct spare *spare, struct schedule *ret_s,
                    struct err *err);

/* The tensor that weight w (n_weights: the vector bundle) becomes; n_rows > 0: of so many gathered
 * rows. */
struct tensor_desc schedule_weight_desc(const struct model *m, int w, int n_rows);

/* The same runs with weights that stay between them: keep[w] (n_weights: the bundle). Gathered rows
 * never do. Of a direct schedule the places are laid out anew, within the same limit, those that
 * stay behind all others. -ENOSPC as above; -ENOMEM. */
int schedule_keep(const struct schedule *s, const bool *keep, int n_weights, uint64_t limit_bytes,
                  uint64_t reserve_bytes, struct schedule *ret_s, struct err *err);
/* What is read by a run that finds the kept weights there; not direct, where they are skipped. */
int schedule_warm(const struct schedule *s, struct schedule *ret_s, struct err *err);

int schedule_copy(const struct schedule *s, struct schedule *ret_s, struct err *err);
void schedule_done(struct schedule *s);

#endif
