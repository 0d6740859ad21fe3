/* harness/queue/workload.h - what is to run: datasets/README.md, "workload". */
#ifndef FLASHMEM_HARNESS_QUEUE_WORKLOAD_H
#define FLASHMEM_HARNESS_QUEUE_WORKLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/err.h"

struct workload_request {
    char *model;
    uint64_t arrive_ns;
    int priority; /* above 0: urgent */
    int dtype;    /* enum dtype; -1: not told */
    int64_t seed; /* of its input; -1: not told */
};

struct workload {
    char *path;
    int n;
    struct workload_request *request; /* repeats one by one, by arrival, as the file has them */
};

/* `iterations` > 0 stands in for `repeat` in rows that are not urgent. -ENOENT; -EINVAL (err:
 * FILE:LINE: what); -E2BIG above WORKLOAD_MOST requests. */
#define WORKLOAD_MOST 10000
int workload_read(const char *path, int64_t iterations, struct workload *ret_w, struct err *err);
void workload_done(struct workload *w);

/* Requests that arrive together, in an order that is a function of the seed (Fisher and Yates). */
void workload_shuffle(struct workload *w, uint64_t seed);

#endif
