/* harness/replay/replay.h - policies side by side: whole runs, interleaved, until the interval of
 * the median is known; two controls beside every round; results as rows of 004-runs.sql. */
#ifndef FLASHMEM_HARNESS_REPLAY_REPLAY_H
#define FLASHMEM_HARNESS_REPLAY_REPLAY_H

#include "harness/replay/executor.h"
#include "harness/replay/recorded.h"
#include "harness/store/store.h"
#include "profiler/energy.h"
#include "profiler/stats.h"

struct replay_policy {
    const char *name;
    const struct model_problem *mp; /* the plan's */
    const struct plan *plan;
    int64_t plan_id; /* row of the plan; 0: none */
};

struct replay_options {
    int min_runs, max_runs; /* 5, 50 */
    double target;          /* interval / median at which runs stop; 0.02 */
    uint64_t time_limit_ns; /* of the rounds; 0: none */
    struct energy *energy;  /* NULL: not measured */
    struct recorded_speed recorded; /* for predictions; zeroed: nothing is known */
    const float *reference; /* output to compare with; NULL: not verified */
    double tolerance;       /* greatest relative L2 error */
    /* Called after every round; may be NULL. */
    void (*progress)(void *ctx, int round, int max_rounds);
    void *ctx;
};

/* Arrays have room for the most runs and hold `runs` entries, in the order taken. Times in ns. */
struct replay_outcome {
    int runs;
    bool noisy;             /* a limit came before the target */
    uint64_t build_ns;
    double *integrated, *init, *peak, *avg, *byte_s, *rss, *device, *setup;
    struct interval integrated_ns;
    double integrated_mean_ns, init_ns, exec_ns;
    double peak_bytes, avg_bytes, mem_byte_s, rss_peak_bytes;
    double device_peak_bytes; /* what the device says, above its baseline; 0: it does not */
    double setup_ns; /* of a run, before it: memory and objects of the direct form */
    uint64_t bytes_read;
    double disk_ns, kernel_ns, bound_ns;
    double predicted_ns, predicted_peak_bytes; /* prediction.h, the machine as the controls found it */
    double *disk, *kernel;  /* the controls of each round, shared by all policies */
    double order_ns, stall_ns; /* the schedule in time, and what of it is waiting for the disk: layers
                                  as profiled, the disk as alone, no more; NaN: not profiled */
    double least_ns; /* the same with layers as fast together as the kernels alone */
    double energy_j; /* of one run: the mean of many in a row; NaN: not known, the note says why */
    char note[320];  /* what reads, what told the energy */
    uint64_t output_hash;
    double verify_error;    /* relative L2; NaN: not asked */
    bool verified;
    const char *cache; /* "cold", "warm", "kept": a sequence of runs, see sequence.h */
    struct mem_point *memory; /* of the run nearest the median */
    int n_memory;
    bool profiled;            /* layer[] is filled */
    struct layer_time *layer; /* [n_layers], from a profiled run of its own */
    uint64_t *layer_load;     /* [n_layers], bytes carried */
    double *layer_predicted;  /* [n_layers], ns with that load; NaN: not known */
    struct op_variant *variant; /* [n_layers], as launched */
};

/* Room for so many runs; free with replay_outcome_done(), also after a failure. -ENOMEM. */
int replay_outcome_new(struct replay_outcome *o, int max_runs, struct err *err);
/* One more run. */
void replay_outcome_add(struct replay_outcome *o, const struct run_result *r);

/* Compare the output of the last run with opt->reference, if there is one. -ENOMEM. */
int replay_verify(const struct executor *ex, const struct model *m,
                  const struct replay_options *opt, struct replay_outcome *o, struct err *err);

/* ret_outcome[n]: free each with replay_outcome_done(), also after a failure (zero them first).
 * -EPROTO: two policies or two runs gave different outputs (err names them). -EINTR: stopped; whole
 * rounds are in the outcomes (runs > 0), neither profiled nor verified. */
int replay_compare(struct executor *ex, const struct model *m, const struct replay_policy *policy,
                   int n, const struct replay_options *opt, struct replay_outcome *ret_outcome,
                   struct err *err);
void replay_outcome_done(struct replay_outcome *o);

struct replay_context { /* what a row says beside the outcome */
    int64_t session_id;
    const struct model *m;
    const struct executor_options *exec;
    uint64_t setup_ns;
    const char *options; /* what else was asked for and no other column holds; "" */
};
int replay_save(struct store *st, const struct replay_context *ctx,
                const struct replay_policy *policy, const struct replay_outcome *o,
                int64_t *ret_run_id, struct err *err);

#endif
