/* harness/predict/predict.h - latency and load capacity of an operator, learnt from samples.
 *
 * Two regressors per (device, dtype, path): log base latency, and log slowdown of a kernel that
 * carries extra load, from pairs. Features are op_features() and, for the slowdown, the extra-load
 * ratio, monotone by constraint. A convex, non-decreasing piecewise-linear curve is fitted to the
 * slowdown's steps and inverted at the class's threshold. */
#ifndef FLASHMEM_HARNESS_PREDICT_PREDICT_H
#define FLASHMEM_HARNESS_PREDICT_PREDICT_H

#include <signal.h>

#include "harness/store/store.h"
#include "operators/op.h"
#include "profiler/stats.h"

/* The device that `selector` means, among those in the store: the one that device_open() would
 * open, if it is there; else the only one there whose platform or name contains the selector (NULL:
 * any), so that samples of another machine can be worked on here. -ENOENT: none or several (err
 * lists what there is). */
int predict_device(struct store *st, const char *selector, int64_t *ret_id,
                   struct device_info *ret_info, struct err *err);

/* Cases that are left out together: a model's. */
struct predict_holdout {
    const char *name;
    int n;
    const struct op_case *c; /* dtype does not matter */
};

/* Errors over one scope ("all", "models": the holdouts' cases, a class, an operator), noisy samples
 * included.
 *   split    "shape"  alike shapes are never parted      "random"  rows parted at random
 *            "model"  each holdout's cases by what saw none of them, and so under each one's name
 *            "again"  no split: a measurement by the one before it of the same configuration
 *            "transfer N" (latency) by N samples of other shapes, of this device
 *   method   "blended" the regressor; its parts alone: "smooth" the process, "boosted" roofline and
 *            trees, "roofline" without trees; "linear" one linear model of the roofline's terms for
 *            all operators; "measured"; of a transfer "alone" a process over the N samples, "scaled"
 *            another device's regressor times their median, "transferred" both */
struct predict_score {
    const char *target, *split, *method, *scope;
    enum dtype dtype;
    enum mem_path path;
    int n;
    struct stats_errors errors;
};

struct predict_train_options {
    int folds;          /* 5 */
    bool include_noisy; /* noisy samples take part in training (they are always counted apart) */
    uint64_t seed;
    int trees;   /* 0: regressor_defaults() */
    int threads; /* 0: all */
    const volatile sig_atomic_t *interrupted; /* NULL, or: -EINTR between trainings where not 0 */
    /* Called with one line of text per thing left out; may be NULL. */
    void (*note)(void *ctx, const char *text);
    void *note_ctx;
    /* NULL, or: called with every score (the stored metrics are of "shape", "blended"). All are stored,
     * too (014-score.sql). */
    void (*score)(void *ctx, const struct predict_score *s);
    void *score_ctx;
    bool compare; /* with score: parts and other splits; costs as many trainings again as there are
                     folds and holdouts */
    int n_holdouts;
    const struct predict_holdout *holdout;
    int64_t transfer_from; /* 0, or with score: the device of the store whose regressors help */
};

/* Train both regressors for every (dtype, path) that has samples of this device; store models,
 * out-of-fold predictions and metrics (002-regressor.sql). ret_trained: regressors stored.
 * -ENODATA: nothing could be trained: no samples, or fewer shapes than folds (err says what to
 * sweep). Where only some can be, the others are noted. */
int predict_train(struct store *st, int64_t device_id, const struct predict_train_options *opt,
                  int *ret_trained, struct err *err);

struct predictor; /* the latest two regressors of one (device, dtype, path) */

/* -ENOENT: none trained yet, -ESTALE: trained by a program with other operators or features (err
 * says which command does it). */
int predictor_load(struct store *st, int64_t device_id, enum dtype dtype, enum mem_path path,
                   struct predictor **ret_p, struct err *err);
void predictor_free(struct predictor *p);        /* NULL is fine */
int64_t predictor_id(const struct predictor *p); /* row of the slowdown regressor; of the latency
                                                    regressor if no slowdown could be trained */

/* Latency of one launch without load (the naive form of v), ns. -ENODATA: no sample of the operator
 * was trained on (trees would answer all the same, with another operator's time). */
int predictor_latency(const struct predictor *p, const struct device_info *dev,
                      const struct op_case *c, const struct op_variant *v, double *ret_ns,
                      struct err *err);

/* Measured over predicted latency of the operator, out of fold: its median and 95 % range. With
 * `loaded`, of kernels that carry load, base and slowdown both predicted. NaN with fewer than 10
 * samples. */
struct interval predictor_band(const struct predictor *p, const struct op *op, bool loaded);

/* Slowdown (>= 1) over carried bytes, convex and non-decreasing; bytes[0] = 0, slowdown[0] = 1. */
#define CURVE_POINTS 24
struct load_curve {
    int n;
    double bytes[CURVE_POINTS], slowdown[CURVE_POINTS];
    double fit_error;     /* greatest |fit - regressor| / regressor over the grid */
    double trained_bytes; /* beyond this no sample of the operator supports the curve */
};
/* Of v's kernel in v's form; in the pipelined one if v is naive, or branching and never sampled so.
 * -EINVAL: it has no such form; -ENODATA: no sample of the operator with load in it. */
int predictor_curve(const struct predictor *p, const struct device_info *dev,
                    const struct op_case *c, const struct op_variant *v,
                    struct load_curve *ret_curve, struct err *err);
double load_curve_at(const struct load_curve *curve, double bytes); /* linear beyond the end */

/* Allowed increase per class, as fractions: {elemental 3.0, reusable 0.2, hierarchical 0}. */
struct thresholds {
    double allowed[3]; /* by enum op_class */
};
struct thresholds thresholds_default(void);
int thresholds_set(struct thresholds *t, const char *text, struct err *err); /* "reusable=0.3" */

struct capacity {
    double latency_ns; /* NaN: no sample of the operator was trained on */
    double threshold;
    uint64_t bytes;          /* whole texels */
    bool censored;           /* the threshold was not reached within what was measured: at least
                                `bytes` */
    const char *reason;      /* why zero, or "": static text ("hierarchical", "no streaming form",
                                "no samples of this operator", "below one texel") */
    struct load_curve curve; /* n == 0 where bytes is zero by rule */
    double recorded_ns_per_byte; /* there, of what naive policies have it carry all the same; 0: no run
                                    has shown it */
};

/* Capacity of one operator in the form of predictor_curve(). Zero with a reason for hierarchical
 * operators, for kernels without a streaming form and for operators that were never sampled: no
 * error. */
int predictor_capacity(const struct predictor *p, const struct device_info *dev,
                       const struct op_case *c, const struct op_variant *v,
                       const struct thresholds *t, struct capacity *ret_c, struct err *err);

#endif
