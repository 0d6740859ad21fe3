/* harness/cli/setup/queue_seats.h - the models of a workload, ready to run under one policy and
 * within one memory limit. */
#ifndef FLASHMEM_HARNESS_CLI_SETUP_QUEUE_SEATS_H
#define FLASHMEM_HARNESS_CLI_SETUP_QUEUE_SEATS_H

#include "harness/cli/setup/replay_session.h"
#include "harness/queue/queue_store.h"

/* One model, storage and input, for requests of one kind: urgent or not. */
struct queue_place {
    const struct workload_request *like; /* the first that it serves */
    struct cli cli;                      /* whose seed is the input's */
    struct replay_opts opts;
    struct replay_session session;
    struct schedule schedule;
    struct queue_seat *seat;
    struct queue_lone lone;
    double verify_error; /* of the run alone; NaN: not asked */
    uint64_t kept_bytes;
};

struct queue_seats {
    const struct cli *cli;
    const struct replay_opts *opts; /* policies.item[0] is the policy, planning.memory the limit */
    const struct workload *workload;
    /* Borrowed. */
    struct store *st;
    struct device *dev;
    int64_t device_id, session_id;
    bool (*stop)(void);
    bool halves; /* plan each within half of what there is, where that does: two have room then */
    int n;
    struct queue_place *place;
    int *place_of; /* [workload->n] */
    struct queue *queue;
    uint64_t kept_bytes, urgent_bytes, build_ns;
};

/* Fill in what stands above `n`, zero the rest. -ENOSPC: the limit is too small, err says for which
 * model and what would do; what replay_session_open() returns. Close it also after a failure. */
int queue_seats_open(struct queue_seats *q, struct err *err);
void queue_seats_close(struct queue_seats *q);

#endif
