/* harness/sweep/record.h - samples into the results database, one transaction each, and what is
 * there already. Tables: harness/store/sql/001-samples.sql. */
#ifndef FLASHMEM_HARNESS_SWEEP_RECORD_H
#define FLASHMEM_HARNESS_SWEEP_RECORD_H

#include "harness/store/store.h"
#include "harness/sweep/wire.h"

/* What the database knows of one configuration on one device. */
struct recorded {
    int ok;     /* samples that are ok or noisy */
    int failed; /* final verdicts: wrong, build_failed, launch_failed, out_of_memory, unsupported */
    int crashed;                   /* crashed or timeout: may have been somebody else's fault */
    double slowdown, slowdown_low; /* of the latest ok or noisy sample; NaN: none */
};
int record_find(struct store *st, int64_t device_id, const char *key, struct recorded *ret_r,
                struct err *err);

/* What one sample costs, by booked phase. */
enum phase { PHASE_BUILD, PHASE_VERIFY, PHASE_WARMUP, PHASE_MEASURE, PHASE_FLUSH, PHASES };
extern const char *const phase_names[PHASES];

/* Means over the samples of `op` (NULL: any) on this device with or without load; *ret_n of them. */
int record_phases(struct store *st, int64_t device_id, const char *op, bool loaded,
                  double ret_ns[PHASES], int64_t *ret_n, struct err *err);

/* What the last sessions of this session's device and host knew of the machine's pace at its best
 * (measure.h), or 0; and what this one knows. */
int record_pace_find(struct store *st, int64_t session_id, uint64_t *ret_ns, struct err *err);
int record_pace(struct store *st, int64_t session_id, uint64_t ns, struct err *err);

/* Configuration row if it is new, sample, every repeat: all or nothing. */
int record_sample(struct store *st, int64_t session_id, const struct device_info *dev,
                  const struct sweep_config *g, bool hot, const struct work_result *r,
                  struct err *err);

#endif
