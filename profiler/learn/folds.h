/* profiler/learn/folds.h - cross-validation of boosted trees. */
#ifndef FLASHMEM_PROFILER_LEARN_FOLDS_H
#define FLASHMEM_PROFILER_LEARN_FOLDS_H

#include "profiler/learn/regressor.h"

/* The fold of each row, for a cross-validation: distinct groups in a seeded random order, dealt in
 * turn, so that rows of one group are never parted. group[rows] are any ints. -EINVAL unless
 * 2 <= folds <= number of groups. */
int folds_deal(const int *group, int rows, int folds, uint64_t seed, int *ret_fold,
               struct err *err);

/* Called before fold `which` is left out, to say the targets y[rows] anew: where they are residuals
 * of something that must not have seen that fold either. */
typedef int (*folds_retarget)(void *ctx, const int *fold, int which, float *y, struct err *err);

/* Out-of-fold predictions ret_y[rows]: rows of folds 0..folds-1, each by a regressor that was
 * trained on all other rows. Rows in no such fold are never predicted: theirs stay as they are.
 * retarget may be NULL. */
int folds_predict(const struct regressor_data *data, const int *fold, int folds,
                  const struct regressor_options *opt, folds_retarget retarget, void *ctx,
                  float *ret_y, struct err *err);

#endif
