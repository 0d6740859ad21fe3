/* harness/plan/plan_store.h - plans as rows of 003-plans.sql. */
#ifndef FLASHMEM_HARNESS_PLAN_PLAN_STORE_H
#define FLASHMEM_HARNESS_PLAN_PLAN_STORE_H

#include "harness/plan/plan.h"
#include "harness/predict/predict.h"
#include "harness/store/store.h"

/* One plan with its weights and loads, in one transaction. The plan has been made by plan_make() or
 * read by plan_read_csv(): both check it, and so does this: -EPROTO, nothing stored. device_id 0: a
 * bare instance, or no device; dtype and path are then not told. predictor: whose capacities, NULL
 * for none. memory_limit in bytes, 0: none. */
int plan_store_save(struct store *st, int64_t device_id, enum dtype dtype, enum mem_path path,
                    const struct predictor *predictor, uint64_t memory_limit,
                    const struct plan_problem *p, const struct plan *plan, int64_t *ret_id,
                    struct err *err);

#endif
