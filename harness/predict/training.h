/* harness/predict/training.h - one regressor's rows, from features to out-of-fold predictions,
 * and their place in the store. */
#ifndef FLASHMEM_HARNESS_PREDICT_TRAINING_H
#define FLASHMEM_HARNESS_PREDICT_TRAINING_H

#include "harness/predict/predict.h"
#include "harness/predict/processes.h"
#include "harness/predict/roofline.h"
#include "harness/predict/smooth.h"
#include "profiler/learn/regressor.h"

struct training_row {
    const struct op_case *c; /* borrowed */
    int kind; /* smooth_kind() */
    double measured;
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
    struct roofline_row *roof; /* [rows]; NULL: trees learn the logarithm itself */
    struct training_use *use;
    /* set by training_run() */
    int groups;
    int *group, *fold;
    double *predicted; /* out of fold, in the unit of measured */
    double *plain;     /* out of fold, by the roofline alone; NaN without */
    double *linear;    /* out of fold, by the roofline's pool alone; NaN without */
    double *boosted;   /* out of fold, by roofline and trees alone, as much as pays then */
    double *smooth;    /* out of fold, by the processes alone */
    double blend;      /* the trees' part is roofline * exp(blend * what they say) */
    double own;        /* smooth is family's process ^ own * joint process ^ (1 - own) */
    double share;      /* predicted is smooth ^ share * the trees' part ^ (1 - share) */
    struct predict_score *score; /* what training_score() found, for training_store() */
    int scores;
    struct processes processes;  /* fitted to all rows */
    struct roofline *roofline;   /* fitted to all rows; NULL without */
    struct regressor *regressor; /* trained on all rows */
};

/* Room for max_rows and max_uses; rows and uses are 0. */
int training_new(int max_rows, int max_uses, int cols, bool roofed, struct training *ret_t,
                 struct err *err);
void training_done(struct training *t);

/* Cross-validate by groups of alike cases (group.h), then train on everything. Noisy rows are
 * predicted, but weigh nothing unless opt says so.
 * -ENODATA: fewer groups than folds (err says what to sweep). */
int training_run(struct training *t, const signed char *monotone,
                 const struct predict_train_options *opt, struct err *err);

/* Predictions of rows in folds 0..folds-1, each by parts of a regressor that saw no other rows
 * than those of all other folds: ret_predicted[rows], NaN for the rest. */
int training_predict(const struct training *t, const int *fold, int folds,
                     const signed char *monotone, const struct predict_train_options *opt,
                     double *ret_predicted, struct err *err);

/* Of the trees, as `opt` has them; `monotone` is borrowed. */
struct regressor_options training_tuning(const struct predict_train_options *opt,
                                         const signed char *monotone);

/* training_store.c: regressor, metrics, scores and predictions, inside the caller's transaction. */
int training_store(const struct training *t, struct store *st, int64_t device_id,
                   const struct predict_train_options *opt, struct err *err);

/* compare.c: errors of less than the regressor, of the noise, and under other splits, to
 * opt->score. After training_run(). */
int training_compare(struct training *t, const signed char *monotone,
                     const struct predict_train_options *opt, struct err *err);
/* Every row that is a sample, by a given list of predictions (NaN: not this one), to opt->score
 * and t->score. */
int training_score(struct training *t, const double *predicted, const char *split,
                   const char *method, const struct predict_train_options *opt, struct err *err);
/* transfer.c: rows by few of themselves and a regressor of another device, to opt->score. */
int training_transfer(struct training *t, const struct predictor *from,
                      const struct device_info *from_info, const struct predict_train_options *opt,
                      struct err *err);
bool training_in_scope(const struct training_row *row, const char *scope);

/* "relu,gelu,...": what the feature "op" counts through. Caller's buffer. */
void training_ops(char *text, size_t size);

#endif
