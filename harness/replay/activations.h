/* harness/replay/activations.h - inputs, outputs and everything between the layers of one run, and
 * the pool that reuses tensors of equal shape. */
#ifndef FLASHMEM_HARNESS_REPLAY_ACTIVATIONS_H
#define FLASHMEM_HARNESS_REPLAY_ACTIVATIONS_H

#include "harness/model/model.h"

bool tensor_desc_equal(const struct tensor_desc *a, const struct tensor_desc *b);

/* Idle tensors. They stay booked: they are memory. */
struct tensor_pool {
    struct tensor *t;
    int n, allocated;
};
/* true and *ret_t filled, if one of this shape is idle */
bool tensor_pool_take(struct tensor_pool *p, const struct tensor_desc *d, enum mem_path path,
                      struct tensor *ret_t);
void tensor_pool_put(struct tensor_pool *p, const struct tensor *t, struct mem *mem);
void tensor_pool_clear(struct tensor_pool *p, struct mem *mem);

struct activations {
    const struct model *m;
    enum mem_path path;
    struct tensor *input; /* [n_inputs] */
    struct tensor *out;   /* [n_layers] */
    struct tensor iota;   /* index vector of compacted gathers */
    struct tensor_pool idle;
};

/* Arrays without tensors; *ret_ids: a vector as wide as the widest input of ids, of no columns if
 * there is none. */
int activations_room(struct activations *a, const struct model *m, enum mem_path path,
                     struct tensor_desc *ret_ids, struct err *err);
/* Allocate and write the inputs. `input`: packed texels (ids: int32) of each model input. */
int activations_new(struct activations *a, const struct model *m, enum mem_path path,
                    struct device *dev, cl_command_queue queue, void *const *input,
                    const int32_t *iota, struct mem *mem, struct err *err);
/* Before layer l is enqueued: its output (-ENOMEM: the limit; idle ones may be in the way); after:
 * what it read last goes back to the pool. */
int activations_begin(struct activations *a, struct device *dev, int l, struct mem *mem,
                      struct err *err);
void activations_end(struct activations *a, int l, struct mem *mem);
void activations_done(struct activations *a, struct mem *mem);

uint64_t activations_input_bytes(const struct model *m, enum mem_path path);
/* The most bytes that are in use at once, inputs among them. A run's pool keeps more while there is
 * room for it. */
uint64_t activations_peak_bytes(const struct model *m, enum mem_path path);

#endif
