/* harness/samples/sampled.h - recorded samples, as operator cases and variants again. */
#ifndef FLASHMEM_HARNESS_SAMPLES_SAMPLED_H
#define FLASHMEM_HARNESS_SAMPLES_SAMPLED_H

#include "harness/store/store.h"
#include "operators/op.h"

struct sampled {
    int64_t id; /* row of sample */
    bool noisy;
    bool current; /* its program is what this program would build; true where none was recorded */
    double median_ns;
    double base_ns;  /* of the naive form without load; NaN without load */
    double slowdown; /* NaN without load */
    uint64_t load_bytes;
    double extra_ratio;
    struct op_case c;
    struct op_variant v;
};

struct sampled_set {
    int n;
    struct sampled *row;
    int outdated; /* left out: of a kernel as another build of this program had it */
    int skipped;           /* rows whose case or variant this program cannot read */
    char why[ERR_TEXT_MAX]; /* the first of them */
};

/* The variant that a loaded variant is compared with: naive, without load. */
struct op_variant sampled_base(const struct op_variant *v);

/* Samples of a device with status ok or noisy, taken with flushed caches, in an order that does
 * not depend on how the database came about. 0 with n == 0 when there are none. Where at least a
 * quarter of a kernel's samples are of its source as this program has it, the others are left
 * out: they tell how fast it was. */
int sampled_read(struct store *st, int64_t device_id, const struct device_info *dev,
                 enum dtype dtype, enum mem_path path, struct sampled_set *ret_set,
                 struct err *err);
void sampled_done(struct sampled_set *set);

/* What the store knows of a device: all that launch hooks and features ask for. -ENOENT. */
int sampled_device(struct store *st, int64_t device_id, struct device_info *ret_info,
                   struct err *err);

#endif
