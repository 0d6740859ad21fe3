/* harness/queue/queue_store.h - passes over a workload as rows of the tables queue*. */
#ifndef FLASHMEM_HARNESS_QUEUE_QUEUE_STORE_H
#define FLASHMEM_HARNESS_QUEUE_QUEUE_STORE_H

#include "harness/queue/queue.h"
#include "harness/queue/workload.h"
#include "harness/store/store.h"

/* Of a timeline so many stretches are kept at most. */
#define QUEUE_MEMORY_POINTS 2000

struct queue_row { /* what a row says beside the result */
    int64_t session_id;
    const struct workload *workload;
    int64_t order_seed; /* -1: the file's order */
    const char *policy, *dtype;
    const struct executor_options *exec;
    uint64_t memory_limit, build_ns;
    bool cold;
    const struct queue_options *opt;
    const char *status;
    /* [requests]; NaN: no reference */
    const uint64_t *alone_ns;
    const double *verify_error;
    const char *const *verified; /* [requests] "yes", "no", NULL */
    const char *const *model;    /* [requests] names */
};

/* In one transaction. */
int queue_save(struct store *st, const struct queue_row *row, const struct queue_step *step,
               const struct queue_result *result, struct err *err);

#endif
