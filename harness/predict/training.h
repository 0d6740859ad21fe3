/* harness/predict/training.h - one regressor's rows, from features to out-of-fold predictions,
 * and their place in the store. */
#ifndef FLASHMEM_HARNESS_PREDICT_TRAINING_H
#define FLASHMEM_HARNESS_PREDICT_TRAINING_H

#include "harness/predict/predict.h"
#include "profiler/regressor.h"

/* Predicted is scale * exp(what the regressor says). */
struct training_row {
    const struct op_case *c; /* borrowed */
    double measured, scale;
    double weight;
    bool noisy;
    bool between; /* lies between two samples: teaches, but is not one of them */
};

/* A sample that stands behind a row (several may: repeated base configurations). */
struct training_use {
    int64_t sample_id;
    int row;
    double measured;
};

struct training {
    const char *target; /* "latency", "slowdown" */
    enum dtype dtype;
    enum mem_path path;
    int rows, cols, uses;
    struct training_row *row;
    float *x; /* [rows, cols] */
    struct training_use *use;
    /* set by training_run() */
    int groups;
    int *fold;
    double *predicted; /* out of fold, in the unit of measured */
    struct regressor *regressor; /* trained on all rows */
};

/* Room for max_rows and max_uses; rows and uses are 0. */
int training_new(int max_rows, int max_uses, int cols, struct training *ret_t, struct err *err);
void training_done(struct training *t);

/* Cross-validate by groups of alike cases (group.h), then train on everything. Noisy rows are
 * predicted, but weigh nothing unless opt says so.
 * -ENODATA: fewer groups than folds (err says what to sweep). */
int training_run(struct training *t, const signed char *monotone,
                 const struct predict_train_options *opt, struct err *err);

/* Regressor, metrics and predictions, inside the caller's transaction. */
int training_store(const struct training *t, struct store *st, int64_t device_id,
                   const struct predict_train_options *opt, struct err *err);

/* "relu,gelu,...": what the feature "op" counts through. Caller's buffer. */
void training_ops(char *text, size_t size);

#endif
