/* harness/sweep/order_active.h - which configurations of a sweep to measure next, by what the
 * samples so far cannot tell; and sweeps played from a database, without a device. */
#ifndef FLASHMEM_HARNESS_SWEEP_ORDER_ACTIVE_H
#define FLASHMEM_HARNESS_SWEEP_ORDER_ACTIVE_H

#include "harness/predict/simulate.h"
#include "harness/store/store.h"
#include "harness/sweep/spec.h"

/* Put the next batch of `pending` in front: *ret_n of them, at least 1, in blocks of one case. A
 * tenth of what the device has samples of, 10 at least. What a kernel cannot take comes last. */
int order_active(struct store *st, int64_t device_id, const struct device_info *dev,
                 struct sweep_config *pending, int n, uint64_t seed, int *ret_n, struct err *err);

/* simulate_sweep() over the samples that `st` has of the spec's cases. */
int order_simulate(struct store *st, int64_t device_id, const struct device_info *dev,
                   const struct spec *spec, enum simulate_strategy strategy, uint64_t seed,
                   void (*each)(void *ctx, int samples, const struct stats_errors *e), void *ctx,
                   struct err *err);

#endif
