/* harness/sweep/wire.h - what a sweep and its worker process say to each other: one JSON object a
 * line, in both directions, over one socket. Encoding alone; who reads and who waits is elsewhere.
 *
 *   worker: {"hello": {"platform": ..., "name": ..., "driver": ...}}     once; or {"error": TEXT}
 *   sweep:  {"order": {...}}
 *   worker: {"stage": "build"} ... {"result": {...}}                     for each order */
#ifndef FLASHMEM_HARNESS_SWEEP_WIRE_H
#define FLASHMEM_HARNESS_SWEEP_WIRE_H

#include <jansson.h>
#include <signal.h>

#include "harness/sweep/spec.h"
#include "profiler/measure.h"

struct work_order {
    char
        key[SWEEP_KEY_MAX]; /* for fault injection and messages; the fields below are what counts */
    char c[OP_TEXT_MAX], v[OP_TEXT_MAX];
    uint64_t load_bytes;
    uint64_t room_bytes; /* the most load that this case is likely to be asked for */
    uint64_t seed;
    uint64_t pace_ns; /* measurer_know_pace() */
    struct measure_options measure;
};

struct work_side {
    uint64_t *time_ns; /* [n] of the result */
    double *cores;     /* [n], or NULL */
    double median_ns, low_ns, high_ns, mad_ns;
};

/* Unknown numbers are NaN, unknown text is "". */
struct work_result {
    enum sample_status status;
    char error[ERR_TEXT_MAX];
    char build_hash[20];
    char timer[8];
    int batch, n, sides; /* 0: nothing was measured */
    struct work_side side[2];
    bool *aside; /* [n] */
    double slowdown, slowdown_low, slowdown_high, worst_error;
    double build_ns, verify_ns, warmup_ns, flush_ns, measure_ns;
    double pace_ns; /* measurer_pace() after it; NaN: not measured */
};

void work_result_init(struct work_result *r, enum sample_status status);
void work_result_done(struct work_result *r);

/* New references, NULL without memory. */
json_t *wire_order(const struct work_order *o);
json_t *wire_result(const struct work_result *r);

/* -EPROTO: not what we send (err says which field). work_result_done() after success. */
int wire_read_order(const json_t *j, struct work_order *ret_o, struct err *err);
int wire_read_result(const json_t *j, struct work_result *ret_r, struct err *err);

/* Write {NAME: value} and a newline to a socket; steals `value`. -EPIPE: nobody reads. */
int wire_send(int fd, const char *name, json_t *value, struct err *err);

/* Lines from a socket. */
struct wire_reader {
    int fd;
    char *data;
    size_t n, room;
};
/* Until when to wait, on clock_ns(). Moved on by the time for which this process was stopped, in
 * whatever call or between two. */
struct wire_deadline {
    uint64_t at_ns, looked_ns;
};
struct wire_deadline wire_within(uint64_t ns); /* from now on */
/* The next line as JSON (new reference). `deadline` and `interrupted` may be NULL. -ETIMEDOUT,
 * -EINTR (*interrupted was set), -EPIPE (the other side is gone), -EPROTO. */
int wire_receive(struct wire_reader *r, struct wire_deadline *deadline,
                 const volatile sig_atomic_t *interrupted, json_t **ret_j, struct err *err);
void wire_reader_done(struct wire_reader *r);

#endif
