/* harness/predict/active.h - which configuration would teach most if it were measured next, and what
 * that is worth. README.md, "Active choice". */
#ifndef FLASHMEM_HARNESS_PREDICT_ACTIVE_H
#define FLASHMEM_HARNESS_PREDICT_ACTIVE_H

#include "harness/predict/sampled.h"
#include "profiler/stats.h"

struct active_item {
    const struct op_case *c;
    const struct op_variant *v;
    double ns; /* without load; NaN: not measured */
};

/* How many to choose at a time where so many are known: what is chosen together knows nothing of each other's
 * times, and each choice costs a fit. */
int active_batch(int known);

/* The next `batch` of what is not measured, best first: ret_index[batch], ret_n of them (fewer when
 * fewer are left; those that a kernel cannot take are never chosen). The same for the same items and
 * seed. -ENOMEM. */
int active_choose(const struct device_info *dev, const struct active_item *item, int n, int batch,
                  uint64_t seed, int *ret_index, int *ret_n, struct err *err);

enum active_strategy { ACTIVE_RANDOM, ACTIVE_BEST };

/* A sweep played from samples: a quarter of the shapes is held out, the others are "measured" in
 * the order of the strategy, and at some numbers of samples a latency regressor is trained on what
 * there is and judged by what is held out. `each` is called with the number of samples and the errors.
 * -ENODATA: too few samples. */
int active_simulate(const struct device_info *dev, const struct sampled_set *set,
                    enum active_strategy strategy, uint64_t seed,
                    void (*each)(void *ctx, int samples, const struct stats_errors *e), void *ctx,
                    struct err *err);

#endif
