/* harness/predict/simulate.h - sweeps played from samples, to see what a strategy is worth.
 * README.md, "Active choice". */
#ifndef FLASHMEM_HARNESS_PREDICT_SIMULATE_H
#define FLASHMEM_HARNESS_PREDICT_SIMULATE_H

#include "harness/samples/sampled.h"
#include "profiler/stats.h"

enum simulate_strategy { SIMULATE_RANDOM, SIMULATE_ACTIVE };

/* A quarter of the shapes is held out, the others' configurations are "measured" in the order of
 * the strategy; after each batch the time of what is held out, as it ran, is predicted from what
 * there is. `each` is called with the number of samples and the errors. -ENODATA: too few
 * samples. */
int simulate_sweep(const struct device_info *dev, const struct sampled_set *set,
                   enum simulate_strategy strategy, uint64_t seed,
                   void (*each)(void *ctx, int samples, const struct stats_errors *e), void *ctx,
                   struct err *err);

#endif
