/* harness/queue/queue.h - models one after another on one device, within one memory limit.
 *
 * A seat is a model with its executor; it runs one request at a time. Whoever has the turn computes.
 * When its last read is in, the next request begins to read what fits beside it. With preemption,
 * an urgent request runs at the next layer boundary of whoever has the turn, and that one then goes
 * on where it was: its activations and what it has read stay. README.md says more. */
#ifndef FLASHMEM_HARNESS_QUEUE_QUEUE_H
#define FLASHMEM_HARNESS_QUEUE_QUEUE_H

#include "harness/replay/executor.h"

struct queue;

/* `limit_bytes` 0: none. stop: looked at all the time; NULL: never. */
int queue_new(uint64_t limit_bytes, bool (*stop)(void), struct queue **ret_q, struct err *err);
void queue_free(struct queue *q); /* NULL is fine; executors of its seats are freed before */

struct queue_seat;

/* A seat, for as long as the queue. An urgent one serves urgent requests alone. */
int queue_seat_new(struct queue *q, bool urgent, struct queue_seat **ret_seat, struct err *err);
/* What the seat's executor has to be opened with. */
void queue_seat_options(struct queue_seat *seat, struct executor_options *opt);

struct queue_lone {
    uint64_t build_ns;      /* programs, and their first launches */
    uint64_t integrated_ns; /* of one run, alone */
    uint64_t peak_bytes;
    uint64_t output_hash;
};
/* Build its programs and run it once, alone: what it needs from each layer on is known then, and
 * what it shall give. `ex` and `s` are borrowed as long as the queue runs. What executor_prepare()
 * and executor_run() return. */
int queue_seat_measure(struct queue_seat *seat, struct executor *ex, const struct schedule *s,
                       int n_layers, struct queue_lone *ret_lone, struct err *err);

struct queue_request {
    struct queue_seat *seat;
    uint64_t arrive_ns; /* from the start */
    int priority;
};

struct queue_options {
    bool overlap; /* the next one reads before its turn */
    bool preempt; /* by priority, and urgent seats interrupt; else first in, first out */
    uint64_t rss_period_ns; /* 0: no RSS samples */
    uint64_t kept_bytes;    /* what models that wait keep (inputs, readers): booked all the time */
    void (*progress)(void *ctx, int done, int n); /* may be NULL */
    void *ctx;
};

/* Of one request; times from the start. */
struct queue_step {
    bool done;
    uint64_t start_ns;  /* the first byte was asked for */
    uint64_t turn_ns;   /* the device was its own from here */
    uint64_t end_ns;    /* its last output */
    uint64_t paused_ns; /* of turn..end, what urgent ones had */
    int paused_layer;   /* from 1: before which it stopped first; 0: it was not interrupted */
    uint64_t peak_bytes; /* its own */
    uint64_t bytes_read;
    bool same;          /* its output is, bit for bit, that of the run alone */
};

struct queue_result {
    uint64_t total_ns;
    struct mem_summary mem;      /* of all together */
    struct mem_point *memory;    /* owned; queue_result_done() */
    int n_memory;
};

/* request[n], by arrival. ret_step[n] is filled also after a failure: steps that were finished are
 * `done`. -EINTR: stopped; -EPROTO: an output differs (the steps say whose); what executor_run()
 * returns. Afterwards nothing runs, reads or waits. */
int queue_run(struct queue *q, const struct queue_request *request, int n,
              const struct queue_options *opt, struct queue_step *ret_step,
              struct queue_result *ret_result, struct err *err);
void queue_result_done(struct queue_result *r);

#endif
