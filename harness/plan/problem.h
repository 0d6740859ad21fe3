/* harness/plan/problem.h - the planning problem of a model on a device: its weights in chunks, its
 * layers' capacities from the regressor. */
#ifndef FLASHMEM_HARNESS_PLAN_PROBLEM_H
#define FLASHMEM_HARNESS_PLAN_PROBLEM_H

#include "harness/model/model.h"
#include "harness/plan/plan.h"
#include "harness/samples/best.h"
#include "harness/predict/predict.h"

struct problem_options {
    uint64_t chunk_bytes; /* 1 MiB; at least 64 KiB */
    double lambda;        /* 0.9; rounded to a:b with a + b = 10 ... 1000 */
    enum plan_price price;
    enum plan_limit limit;
    uint64_t m_peak_bytes;  /* 0: none */
    uint64_t memory_limit;  /* 0: none; everything: becomes m_total, less reserve_bytes and what
                               folded images waste in their last rows */
    uint64_t reserve_bytes; /* activations + ring, what memory_limit has to hold besides weights */
    struct thresholds thresholds;
    const struct best *best;    /* [n_layers], the variants that run; NULL: the defaults */
    const char *const *preload; /* weights forced into W, by name */
    int n_preload;
    bool respect_capacity;
    int relax_percent;
    double time_limit_s;
    double disk_bytes_per_s; /* 0: unknown */
    uint64_t ring_bytes;     /* between disk and textures, part of reserve_bytes */
    bool direct;             /* see plan.h; capacities are then without limit, curves flat */
    bool splits;             /* also: what the model's fused layers could be split into */
};
struct problem_options problem_defaults(void);
/* lambda : 1 - lambda as a:b, in tenths where that is exact, else hundredths, else thousandths. */
void problem_ratio(double lambda, int *ret_a, int *ret_b);

struct model_problem {
    struct plan_problem problem;
    struct plan_layer *layer;
    struct plan_weight *weight;
    int *weight_index;         /* [n_weights] into model->weight; -1 is the vector bundle */
    struct capacity *capacity; /* [n_layers] that plans are made with */
    struct capacity *recorded; /* [n_layers] that runs are predicted with; NULL: the same */
    struct plan_curve *curve;  /* [n_layers], the same in ns */
    char *capacities;          /* the problem's; NULL: by the regressor */
    double *spare;             /* the problem's; NULL: none */
    double kernel_ns;          /* predicted: all layers without load; 0 without a predictor */
    int n_splits;              /* fused layers, if asked for; */
    struct plan_split *split;  /* their last step as a layer of its own (harness/model/split.h) */
    struct plan_curve *split_curve; /* [2 * n_splits] */
};

/* Weights of the problem: every matrix that the layers read, and the vector bundle as one weight
 * "__vectors" with consumer 1. Weights of gathers count the rows that are read
 * (model_weight_read_bytes()) and are forced into W: an index vector is only known at run time.
 * `p` may be NULL, and `dev` with it: all capacities are zero (enough for the preload policy).
 * The model and the names in it are borrowed.
 * -EINVAL: unknown name in opt->preload, chunk_bytes or lambda out of range; -ENOSPC: memory_limit
 * leaves nothing for weights. */
int problem_for_model(const struct model *m, const struct device_info *dev,
                      const struct predictor *p, enum mem_path path,
                      const struct problem_options *opt, struct model_problem *ret_mp,
                      struct err *err);
void problem_done(struct model_problem *mp);

/* After capacity[] has changed: layers, curves and kernel_ns say the same. */
void problem_refresh(struct model_problem *mp);

#endif
