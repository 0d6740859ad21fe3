/* harness/predict/feature.h - what the two regressors see. README.md, "Features". */
#ifndef FLASHMEM_HARNESS_PREDICT_FEATURE_H
#define FLASHMEM_HARNESS_PREDICT_FEATURE_H

#include "operators/op.h"

enum {
    FEATURES_LATENCY = OP_FEATURES + 19, /* op_features(), and sums that trees do not find */
    FEATURES_SLOWDOWN = FEATURES_LATENCY + 4
};
/* The first FEATURES_LATENCY names are those of the latency regressor. */
const char *const *feature_names(void);
extern const signed char feature_slowdown_monotone[FEATURES_SLOWDOWN];

/* 2 MACs + other operations of a case. */
double feature_flop(const struct op_case *c);
/* Bytes that one launch reads and writes; of a table that is read by index and of what a slice is
 * taken from, as much as comes out. */
double feature_moved_bytes(const struct op_case *c);
/* Rounds in which the device's compute units take all groups of a launch. *ret_last: how much longer
 * that takes than if no unit idled in the last of them, >= 1. */
double feature_waves(const struct device_info *dev, const struct op_variant *v,
                     const struct op_launch *l, double *ret_last);

/* Of the naive form without load of `v`. -EINVAL as op->launch. */
int feature_latency(const struct device_info *dev, const struct op_case *c,
                     const struct op_variant *v, float ret_x[FEATURES_LATENCY], struct err *err);

/* Of variant `v` with load_bytes > 0, whose base takes latency_ns (as predicted, not as
 * measured). */
int feature_slowdown(const struct device_info *dev, const struct op_case *c,
                      const struct op_variant *v, double latency_ns, double load_bytes,
                      float ret_x[FEATURES_SLOWDOWN], struct err *err);

#endif
