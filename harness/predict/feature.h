/* harness/predict/feature.h - what the two regressors see. README.md, "Features". */
#ifndef FLASHMEM_HARNESS_PREDICT_FEATURE_H
#define FLASHMEM_HARNESS_PREDICT_FEATURE_H

#include "operators/op.h"

enum {
    FEATURES_LATENCY = OP_FEATURES + 4, /* op_features(), and sums that trees do not find */
    FEATURES_SLOWDOWN = FEATURES_LATENCY + 4
};
/* The first FEATURES_LATENCY names are those of the latency regressor. */
const char *const *feature_names(void);
extern const signed char feature_slowdown_monotone[FEATURES_SLOWDOWN];

/* Units of work of a case (> 0), about one arithmetic operation each: latency is learnt per unit of
 * work, so that a case beyond the sampled sizes still scales. */
double feature_work(const struct op_case *c);

/* Of the naive form without load of `v`. -EINVAL as op->launch. */
int feature_latency(const struct device_info *dev, const struct op_case *c,
                     const struct op_variant *v, float ret_x[FEATURES_LATENCY], struct err *err);

/* Of variant `v` with load_bytes > 0, whose base takes latency_ns (as predicted, not as
 * measured). */
int feature_slowdown(const struct device_info *dev, const struct op_case *c,
                      const struct op_variant *v, double latency_ns, double load_bytes,
                      float ret_x[FEATURES_SLOWDOWN], struct err *err);

/* The variant that a loaded variant is compared with. */
struct op_variant feature_base(const struct op_variant *v);

#endif
