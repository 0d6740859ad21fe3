/* harness/samples/best.h - which variant of a kernel runs: the fastest that was measured on this
 * device, else the operator's own preference. One answer for predictions and for runs. */
#ifndef FLASHMEM_HARNESS_SAMPLES_BEST_H
#define FLASHMEM_HARNESS_SAMPLES_BEST_H

#include "harness/store/store.h"
#include "operators/op.h"

struct best {
    struct op_variant v; /* of the form that was asked for, with one load; naive: with none */
    double ns;           /* measured without load; NaN: nothing is known, v is the default */
    int known;           /* variants that were compared */
};

/* For one case. Compared are medians without load over samples with flushed caches and status ok
 * whose build hash is still that of this program's kernels (naive samples, and the base sides of
 * pairs), of kernels that have the form `form`. */
int best_variant(struct store *st, int64_t device_id, const struct device_info *dev,
                 const struct op_case *c, enum mem_path path, enum op_form form,
                 struct best *ret_b, struct err *err);

/* The default as a struct best: what there is without measurements. */
struct best best_default(const struct device_info *dev, const struct op_case *c, enum mem_path path,
                         enum op_form form);

#endif
