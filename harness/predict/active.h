/* harness/predict/active.h - which configurations would teach most if they were measured next.
 * README.md, "Active choice". */
#ifndef FLASHMEM_HARNESS_PREDICT_ACTIVE_H
#define FLASHMEM_HARNESS_PREDICT_ACTIVE_H

#include "harness/samples/sampled.h"

struct active_item {
    const struct op_case *c;
    const struct op_variant *v;
    uint64_t load_bytes; /* 0: none */
    double ns;           /* without load; NaN: not measured */
    double slowdown;     /* NaN: not measured, or no load */
};

/* How many to choose at a time where so many are known: what is chosen together knows nothing of
 * each other's times, and each choice costs a fit. */
int active_batch(int known);

/* The next `batch` of what is not measured, best first: ret_index[batch], ret_n of them (fewer
 * when fewer are left; those that a kernel cannot take are never chosen). The same for the same
 * items and seed. -ENOMEM. */
int active_choose(const struct device_info *dev, const struct active_item *item, int n, int batch,
                  uint64_t seed, int *ret_index, int *ret_n, struct err *err);

#endif
