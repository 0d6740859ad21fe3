/* harness/samples/measured.h - load capacity as measured: no regressor, no curve but the samples. */
#ifndef FLASHMEM_HARNESS_SAMPLES_MEASURED_H
#define FLASHMEM_HARNESS_SAMPLES_MEASURED_H

#include "harness/store/store.h"
#include "operators/op.h"

struct measured_capacity {
    const char *scope; /* a class or an operator */
    double threshold;  /* allowed slowdown - 1 */
    int shapes;        /* configurations that differ in more than load */
    int censored;      /* of them: the threshold was not reached, theirs counts as the greatest load */
    double low, median, high; /* quartiles of carried bytes / input bytes */
    double bytes;             /* median */
};

/* For each class, then each operator, that has samples with load of this device in the given form,
 * and each of thresholds[n]. A configuration with one load alone is left out: where most of those end
 * below the threshold, the median would say where the sweep ended. The loads of any other are joined
 * by straight lines, from no load at slowdown 1, and never fall; its capacity is where they cross
 * 1 + threshold. With threshold 0 it is the greatest load up to which the interval of every slowdown
 * still reaches down to 1. -ENODATA: no such configuration. */
int measured_capacities(struct store *st, int64_t device_id, enum dtype dtype, enum mem_path path,
                        enum op_form form, const double *thresholds, int n,
                        void (*each)(void *ctx, const struct measured_capacity *c), void *ctx,
                        struct err *err);

#endif
