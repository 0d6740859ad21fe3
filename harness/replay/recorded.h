/* harness/replay/recorded.h - what layers took in recorded runs, in place of what the regressor
 * says: profile-guided correction (design: method section 3). */
#ifndef FLASHMEM_HARNESS_REPLAY_RECORDED_H
#define FLASHMEM_HARNESS_REPLAY_RECORDED_H

#include "harness/plan/problem.h"
#include "harness/store/store.h"

/* For each layer of the problem whose case this device ran in the variant of best[l] (NULL: the
 * default), in profiled runs: its time alone becomes the median of the newest without load, and its
 * curve rises as much more or less steeply as the newest with load say; capacities follow, in the
 * problem too. The rest stays predicted. ret_layers: how many were corrected. */
int recorded_correct(struct store *st, int64_t device_id, const struct model *m,
                     const struct device_info *dev, const struct best *best, enum mem_path path,
                     struct model_problem *mp, int *ret_layers, struct err *err);

#endif
