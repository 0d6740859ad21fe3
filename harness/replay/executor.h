/* harness/replay/executor.h - runs a model once, as a schedule says: disk to ring to textures to
 * outputs. One executor serves many schedules of one model on one device.
 *
 * The host's thread walks through the layers: it lets the reader run ahead into the ring, waits for
 * what a layer carries, enqueues the layer's kernel with its load, and takes back ring space,
 * weights and activations as kernels finish. At most EXECUTOR_FLIGHTS launches are unfinished. */
#ifndef FLASHMEM_HARNESS_REPLAY_EXECUTOR_H
#define FLASHMEM_HARNESS_REPLAY_EXECUTOR_H

#include "harness/samples/best.h"
#include "harness/schedule/schedule.h"

#define EXECUTOR_FLIGHTS 3

extern const char *const executor_reader_names[]; /* by at_plan: "ahead", "at-plan", NULL */

/* Runs side by side: who may go on. Asked before each layer, from 1. */
struct executor_gate {
    bool (*closed)(void *ctx, int layer); /* cheap */
    /* Of a closed one: returns when the run may go on. Nothing of it is on the device meanwhile;
     * what it has computed and read stays. Negative: the run ends with that. */
    int (*wait)(void *ctx, int layer, struct err *err);
    void *ctx;
};

struct executor_options {
    enum mem_path path;
    enum op_form form; /* of kernels that carry load */
    bool direct;       /* nothing is carried: weights are read where kernels find them; `form` is
                          naive, there is no ring */
    const struct best *best; /* [n_layers], borrowed: variants of the layers; NULL: the defaults */
    uint64_t ring_bytes;
    const char *natural; /* borrowed: the weights file's twin (model/natural.h), for schedules that
                            rearrange weights; NULL: there are none */
    uint64_t (*device_used)(void *ctx); /* bytes of the device's memory in use; NULL: nobody says */
    void *device_ctx;
    const struct reader_options *disk; /* an emulated one, or faults; borrowed. NULL: the file's */
    uint64_t memory_limit;  /* 0: none; everything that the ledger books */
    bool at_plan;           /* reads start at load_layer, not as soon as there is room */
    uint64_t rss_period_ns; /* 0: no RSS samples */
    bool (*stop)(void);     /* looked at between layers; NULL: never */
    /* Several executors under one limit: both are borrowed, both or neither NULL. Between runs such
     * an executor keeps no memory that the ledger books: it has a ring only while it runs. */
    const struct executor_gate *gate;
    const struct mem_above *above;
};

struct executor;

/* What carries load, as the command line and the database call it: a form, or "direct". */
const char *executor_kernel_name(const struct executor_options *opt);

/* Layer l as launched under a schedule, its loads included. */
struct op_variant executor_variant(const struct executor *ex, const struct schedule *s, int l);

/* What a run does for a plan that has been checked. -ENOSPC: the memory limit is too small, err
 * says what would do; -EINVAL: the ring is. */
int executor_schedule(const struct executor *ex, const struct model_problem *mp,
                      const struct plan *plan, struct schedule *ret_s, struct err *err);

/* The same for the controls below: preloading without a limit. */
int executor_control_schedule(const struct executor *ex, const struct model_problem *mp,
                              struct schedule *ret_s, struct err *err);

/* Context, queues and ring: none of it is timed. `inputs`: one row-major array for each model
 * input (ids as whole numbers); copied. -ENOTSUP: direct, and the device does not share memory with
 * the host. */
int executor_new(struct device *dev, const struct model *m, const struct weights_file *file,
                 const float *const *inputs, const struct executor_options *opt,
                 struct executor **ret_ex, struct err *err);
void executor_free(struct executor *ex);

/* Build every program that the schedule needs; warms each up once, so that nothing is compiled
 * inside a timed run (held: by two runs of the sequence). ret_build_ns: what it took. */
int executor_prepare(struct executor *ex, const struct schedule *s, uint64_t *ret_build_ns,
                     struct err *err);

/* Runs of `s` (of schedule_keep()) from here on are a sequence: the first reads all, others find
 * there what stays. `s` is borrowed until executor_let_go(), which gives everything back; safe when
 * nothing is held. After a failed run only that may follow. -ENOMEM. */
int executor_hold(struct executor *ex, const struct schedule *s, struct err *err);
void executor_let_go(struct executor *ex);

struct layer_time {
    uint64_t start_ns, end_ns; /* device time, from the start of the first layer's launch */
};

struct run_result {
    uint64_t began_ns;      /* clock_ns() when the first byte was asked for */
    uint64_t integrated_ns; /* first byte asked for .. last output */
    uint64_t init_ns;       /* .. until everything preloaded is in place */
    uint64_t setup_ns;      /* before it: memory and objects of a direct run */
    uint64_t bytes_read;
    struct mem_summary mem;
    uint64_t output_hash; /* of the output's bytes in texel order */
};

/* One run. times[n_layers]: NULL, or a profiled run (which must not be timed end to end).
 * -ENOMEM: the memory limit; -EIO: the reader; -EINTR: stopped; -EINVAL: the ring is too small. */
int executor_run(struct executor *ex, const struct schedule *s, struct layer_time *times,
                 struct run_result *ret_result, struct err *err);

/* Of the run that another thread is in: are all its reads done? false: no, or there is none. */
bool executor_read_all(const struct executor *ex);

/* The disk's control: all items of the schedule, alone. */
int executor_disk_ns(struct executor *ex, const struct schedule *s, uint64_t *ret_ns,
                     struct err *err);
/* Both controls of a round, the disk's first. kernels: all layers with every weight resident and no
 * load; the first call loads the weights and runs once more, outside its time and the ledger. They
 * stay for the next one, but for very large ones. */
int executor_controls(struct executor *ex, const struct schedule *preload, double *ret_disk_ns,
                      double *ret_kernel_ns, struct err *err);

/* What the disk gives, from a sample of the weights file: for plans where no run has shown it. */
int executor_disk_rate(struct executor *ex, double *ret_bytes_per_s, struct err *err);

/* Output of the last run, row-major; rows * cols of the last layer's output. */
void executor_output(const struct executor *ex, float *ret_y);
const struct mem_point *executor_memory(const struct executor *ex, int *ret_n);
uint64_t executor_live_bytes(const struct executor *ex); /* booked now */
const char *executor_reader_kind(const struct executor *ex); /* what reads, for people */
bool executor_direct(const struct executor *ex); /* reads bypass the page cache */

const struct executor_options *executor_options_of(const struct executor *ex);

/* What a memory limit must hold besides weights: inputs, the output and its copy, the largest set of
 * live outputs, staging, the ring; UINT64_MAX: out of memory. */
uint64_t executor_reserve_bytes(const struct model *m, enum mem_path path, bool direct,
                                uint64_t ring_bytes);

#endif
