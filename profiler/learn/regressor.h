/* profiler/learn/regressor.h - gradient-boosted trees (XGBoost) behind a few functions.
 *
 * Knows nothing of what it predicts: rows of named features, one target. Missing values are NaN.
 * Built without XGBoost, every function returns -ENOTSUP with a message that says so. */
#ifndef FLASHMEM_PROFILER_LEARN_REGRESSOR_H
#define FLASHMEM_PROFILER_LEARN_REGRESSOR_H

#include <stdint.h>

#include "profiler/err.h"

struct regressor;

struct regressor_options {
    int trees;     /* boosting rounds; 400 */
    int depth;     /* 6 */
    double eta;    /* 0.05 */
    double subsample; /* rows per tree; 0.8 */
    int threads;   /* of training; 0: as many as the rows are worth. Predictions use one */
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

/* Share of each feature in what all splits gained: ret_gain[cols], sum 1 (all 0 without splits). */
int regressor_importance(const struct regressor *r, double *ret_gain, struct err *err);

/* A text kept with the regressor and in its JSON. regressor_text(): NULL if there is none; valid
 * until the next call. */
int regressor_set_text(struct regressor *r, const char *key, const char *text, struct err *err);
const char *regressor_text(const struct regressor *r, const char *key);

/* XGBoost's own JSON, with feature names: ret_json is freed by the caller. -EINVAL: not such a
 * model, or a torn one. */
int regressor_to_json(const struct regressor *r, char **ret_json, struct err *err);
int regressor_from_json(const char *json, struct regressor **ret_r, struct err *err);

#endif
