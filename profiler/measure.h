/* profiler/measure.h - one sample: warm up, repeat until it is known, keep everything.
 *
 * The protocol: warm up until two successive times agree; repeat until the 95 % bootstrap interval
 * of the median is narrower than `target` of the median, or has stopped narrowing, or a limit is
 * met; two sides are measured in alternating order and compared pair by pair; device time from
 * events, host time over a batch where events cannot be trusted or the kernel is short; the
 * device's cache is flushed before every timed run unless `hot`; on a CPU device pairs to which
 * other processes left too few cores are set aside (calm.h). Verification comes before: it is the
 * caller's, who knows what is computed. */
#ifndef FLASHMEM_PROFILER_MEASURE_H
#define FLASHMEM_PROFILER_MEASURE_H

#include "profiler/device.h"
#include "profiler/stats.h"

enum sample_status {
    SAMPLE_OK,
    SAMPLE_NOISY, /* measured, but a limit came before the target */
    SAMPLE_WRONG,
    SAMPLE_BUILD_FAILED,
    SAMPLE_LAUNCH_FAILED,
    SAMPLE_TIMEOUT,
    SAMPLE_CRASHED,
    SAMPLE_OUT_OF_MEMORY,
    SAMPLE_UNSUPPORTED,
    SAMPLE_STATUSES
};
const char *sample_status_name(enum sample_status s); /* "ok", "noisy", "build_failed", ... */
int sample_status_parse(const char *name);            /* -EINVAL if unknown */

/* A launch may be several commands, in other in-order queues too, which must be flushed. Its time
 * is from the first START to the last END of its events; it is over when all of them are. */
enum { MEASURE_EVENTS = 3 };

struct measure_subject {
    void *ctx;
    int sides; /* 1; or 2: side 0 is the baseline, side 1 the subject */
    /* Enqueue one launch of `side`. ret_event[MEASURE_EVENTS], all NULL before, is owned by the
     * caller of this hook; at least the first is set. Nothing in `queue` before the launch may
     * overlap with any of it. Required. */
    int (*enqueue)(void *ctx, cl_command_queue queue, int side, cl_event *ret_event,
                   struct err *err);
};

struct measure_options {
    double target;        /* width of the interval / median; 0.02 */
    int min_repeats;      /* 10 */
    int max_repeats;      /* 100; three times as many with those set aside */
    uint64_t max_time_ns; /* of the repeats of all sides, flushes included; 5 s; likewise */
    bool hot;             /* true: no flush between repeats */
    uint64_t seed;
};
struct measure_options measure_defaults(void);

struct measure_side {
    uint64_t *time_ns; /* [n], in the order taken; per launch (a batch is divided) */
    double *cores;     /* [n], mean number in use by this process; NULL but on a CPU, for launches one by one */
    double median_ns, low_ns, high_ns, mad_ns;
};

struct measure_result {
    enum sample_status status; /* SAMPLE_OK or SAMPLE_NOISY */
    const char *reason;        /* why noisy, else "" (static text) */
    const char *timer;         /* "event" or "host" (static text) */
    bool hot;   /* asked for, or a batch: the flush comes before it, not within */
    int batch; /* launches per repeat */
    int n;     /* repeats per side; time_ns[i] of both sides is one pair */
    bool *aside; /* [n]: not in what follows */
    int sides;
    struct measure_side side[2];
    struct interval slowdown; /* side 1 / side 0, pair by pair; NaN if sides == 1 */
    uint64_t warmup_ns, flush_ns, measure_ns; /* add up to the whole; flush_ns: of the repeats */
};

/* The flush buffer and queue live in here and are reused between samples. */
struct measurer;
int measurer_new(struct device *dev, struct measurer **ret_m, struct err *err);
void measurer_free(struct measurer *m);
cl_command_queue measurer_queue(struct measurer *m); /* in-order, profiling */
/* What pace.h knows of the machine at its best, for those who remember it between processes: a process
 * that begins while the machine is slow cannot tell. 0: unknown. */
uint64_t measurer_pace(const struct measurer *m);
void measurer_know_pace(struct measurer *m, uint64_t best_ns);

/* -errno only when a launch fails (or on wrong options, or for want of memory); ret_result is then
 * untouched. Free with measure_done(). Status "noisy": the target was not met; `reason` is
 * "time limit", "repeat limit" or "interval stopped narrowing". */
int measure(struct measurer *m, const struct measure_subject *subject,
            const struct measure_options *opt, struct measure_result *ret_result, struct err *err);
void measure_done(struct measure_result *r);

#endif
