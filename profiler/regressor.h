/* profiler/regressor.h - gradient-boosted trees (XGBoost) behind a few functions.
 *
 * Knows nothing of what it predicts: rows of named features, one target. Missing values are NaN.
 * Built without XGBoost, every function returns -ENOTSUP with a message that says so. */
#ifndef FLASHMEM_PROFILER_REGRESSOR_H
#define FLASHMEM_PROFILER_REGRESSOR_H

#include <stdint.h>

#include "profiler/err.h"

struct regressor;

struct regressor_options {
    int trees;     /* boosting rounds; 400 */
    int depth;     /* 6 */
    double eta;    /* 0.05 */
    double subsample; /* rows per tree; 0.8 */
    int threads;   /* of training; 0: all. Predictions use one */
    uint64_t seed;
    const signed char *monotone; /* per feature -1, 0, +1; NULL: none */
};
struct regressor_options regressor_defaults(void);

struct regressor_data {
    int rows, cols;
    const float *x;           /* [rows, cols] row-major */
    const float *y;           /* [rows] */
    const float *weight;      /* [rows], or NULL */
    const char *const *names; /* [cols], no blanks */
};

/* -EINVAL: an infinite feature, a target that is not finite, an option out of range (err names
 * it). */
int regressor_train(const struct regressor_data *data, const struct regressor_options *opt,
                    struct regressor **ret_r, struct err *err);
void regressor_free(struct regressor *r);

/* ret_y[rows]. -EINVAL unless cols is the number that it was trained with. Safe from several
 * threads at once. */
int regressor_predict(const struct regressor *r, const float *x, int rows, int cols, float *ret_y,
                      struct err *err);

/* Out-of-fold predictions: rows of one group are never in both halves. group[rows] are any ints;
 * folds >= 2 and <= number of groups; groups are dealt to folds by a seeded shuffle.
 * ret_y[rows]; ret_fold[rows] may be NULL. -EINVAL with fewer groups than folds. */
int regressor_cross_validate(const struct regressor_data *data, const int *group, int folds,
                             const struct regressor_options *opt, float *ret_y, int *ret_fold,
                             struct err *err);

/* XGBoost's own JSON, with feature names: ret_json is freed by the caller. -EINVAL: not such a
 * model, or a torn one. */
int regressor_to_json(const struct regressor *r, char **ret_json, struct err *err);
int regressor_from_json(const char *json, struct regressor **ret_r, struct err *err);

#endif
