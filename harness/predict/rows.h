/* harness/predict/rows.h - samples as rows of a training. */
#ifndef FLASHMEM_HARNESS_PREDICT_ROWS_H
#define FLASHMEM_HARNESS_PREDICT_ROWS_H

#include "harness/samples/sampled.h"
#include "harness/predict/training.h"

/* Rows between two samples of a configuration that differ in load alone, on the straight line that
 * joins them. Sweeps double the load, and trees are steps: without these rows a regressor would
 * give the slowdown of load L up to almost 2 L, and capacities would come out too large. */
enum { ROWS_BETWEEN = 3 };

/* One row per distinct base configuration; t has room for set->n. ret_row_of[set->n]: the row of a
 * sample's base, or -1. -ENOMEM. */
int rows_latency(const struct sampled_set *set, const struct device_info *dev,
                 const struct predict_train_options *opt, struct training *t, int *ret_row_of,
                 struct err *err);

/* One row per sample with load, and those between; t has room for 1 + ROWS_BETWEEN times set->n. The
 * base latency is the out-of-fold prediction: what a regressor would have said that never saw the
 * shape, because that is what there will be to predict from. */
void rows_slowdown(const struct sampled_set *set, const struct device_info *dev,
                   const struct predict_train_options *opt, const struct training *latency,
                   const int *row_of, struct training *t);

/* One line of text to opt->note, if there is one. */
void rows_note(const struct predict_train_options *opt, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
