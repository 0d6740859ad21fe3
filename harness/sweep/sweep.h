/* harness/sweep/sweep.h - run a sweep spec on one device: which configurations, in which order,
 * each in a worker process, each finished one a committed row. Started again, it goes on where it
 * was. Order, retries and extension: README.md here. */
#ifndef FLASHMEM_HARNESS_SWEEP_SWEEP_H
#define FLASHMEM_HARNESS_SWEEP_SWEEP_H

#include <signal.h>

#include "harness/predict/predict.h"
#include "harness/store/store.h"
#include "harness/sweep/record.h"
#include "harness/sweep/spec.h"
#include "profiler/measure.h"

enum sweep_strategy { SWEEP_EXHAUSTIVE, SWEEP_RANDOM, SWEEP_ACTIVE };
extern const char *const sweep_strategy_names[]; /* NULL-terminated */
/* What has a final verdict already: leave it, measure what failed again, measure everything again.
 */
enum sweep_again { SWEEP_AGAIN_NONE, SWEEP_AGAIN_FAILED, SWEEP_AGAIN_ALL };
extern const char *const sweep_again_names[];

struct sweep_summary;

struct sweep_options {
    enum sweep_strategy strategy;
    enum sweep_again again;
    int64_t limit;     /* samples to take; 0: no limit */
    uint64_t time_ns;  /* no new configuration after this; 0: no limit */
    int shard, shards; /* 1..shards; 1, 1: everything */
    bool dry_run;      /* count and estimate; nothing is written */
    struct measure_options measure; /* target, max_repeats, max_time_ns: 0 is the spec's value */
    uint64_t timeout_ns;          /* of one configuration; 60 s */
    uint64_t max_load_bytes;      /* where doubling ('+') ends; 256 MiB */
    struct thresholds thresholds; /* the slowdown at which doubling ends, by class */
    uint64_t seed;
    int argc; /* for the session row */
    char **argv;
    const char *worker;                       /* program to start as worker; NULL: this one */
    const volatile sig_atomic_t *interrupted; /* may be NULL */
    void (*progress)(void *ctx, const struct sweep_summary *sofar); /* after each sample; or NULL */
    void *ctx;
};
struct sweep_options sweep_defaults(void); /* thresholds are left at zero: nothing is doubled */

struct sweep_summary {
    int64_t configs;  /* of the spec in this shard, doubled ones as they become known */
    int64_t present;  /* of them, measured before */
    int64_t planned;  /* to measure by this call, as far as is known */
    int64_t measured; /* by this call */
    int64_t doubled;  /* of them, beyond the ratios listed */
    int64_t by_status[SAMPLE_STATUSES];
    int64_t workers; /* processes started */
    bool interrupted;
    double estimate_ns[PHASES]; /* for what is planned, by what this device's samples cost so far */
    int64_t guessed;            /* of what is planned: its operator has no sample here yet */
    double wall_ns, phase_ns[PHASES], store_ns, other_ns;
    double kernels_ns; /* of what is measured: between the start and the end of kernels */
};

/* `st` may be NULL for a dry run without a database. 0 also when interrupted and when
 * configurations failed: the summary says so. -errno: the spec, the database or the worker as such.
 */
int sweep_run(struct store *st, const struct device_info *dev, const struct spec *spec,
              const struct sweep_options *opt, struct sweep_summary *ret_s, struct err *err);

/* Configurations that ended in another verdict than ok, noisy or unsupported. */
int64_t sweep_failed(const struct sweep_summary *s);

#endif
