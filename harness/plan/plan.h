/* harness/plan/plan.h - which weights to preload, and which layer moves which chunks of the others.
 * Pure arithmetic: no device, no database. Sizes are chunks of chunk_bytes; layers count from 1.
 *
 *   minimise  a * sum(P_w, w preloaded) + b * sum(i_w - z_w, w streamed)
 *   C0 sum_l x[w,l] = T_w, l < i_w     C3 sum_w x[w,l] <= C_l     i_w = 1: preloaded
 *   C2 by one of four readings of the memory limit (enum plan_limit) */
#ifndef FLASHMEM_HARNESS_PLAN_PLAN_H
#define FLASHMEM_HARNESS_PLAN_PLAN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "profiler/err.h"

enum plan_price { PRICE_BYTES, PRICE_COUNT };
enum plan_limit {
    LIMIT_STREAMED, /* A: chunks moved and not yet consumed */
    LIMIT_RESIDENT, /* B: the same plus preloaded chunks still needed, from layer 0 */
    LIMIT_UNIFIED,  /* U: whole weights from z_w, that is from their first chunk */
    LIMIT_LITERAL   /* L: chunks moved in one layer */
};
extern const char *const plan_price_names[], *const plan_limit_names[]; /* NULL-terminated */

#define PLAN_MAX_LOADS 4 /* destinations that one launch can carry; equals OP_MAX_LOADS */

/* Time of a layer over the bytes that it moves: convex, non-decreasing, linear between points and
 * beyond the last; bytes[0] = 0 is the layer alone. */
#define PLAN_CURVE_POINTS 26 /* one more in problem.c, and one in policy_latency.c */
struct plan_curve {
    int n;
    double bytes[PLAN_CURVE_POINTS], ns[PLAN_CURVE_POINTS];
    double most_bytes; /* it can carry so many: what the samples support */
    double fit_error;  /* greatest relative error of the convex fit; 0: none is known */
};

struct plan_layer {
    const char *name, *op;          /* borrowed */
    int capacity;                   /* C_l, chunks */
    double time_us;                 /* alone; 0 unknown */
    const struct plan_curve *curve; /* borrowed; NULL: nobody knows what carrying costs */
};

struct plan_weight {
    const char *name; /* borrowed */
    int consumer;     /* i_w, 1..n_layers */
    int chunks;       /* T_w */
    uint64_t bytes;
    bool forced;  /* preloaded by name */
    int last_use; /* last layer that reads it, >= consumer */
};

struct plan_problem {
    const char *model;
    const char *capacities; /* how they came about, for the record; NULL: by the regressor */
    int n_layers, n_weights;
    const struct plan_layer *layer;   /* [n_layers]; layer l is layer[l - 1] */
    const struct plan_weight *weight; /* in order of consumer */
    uint64_t chunk_bytes;
    int a, b; /* lambda : 1 - lambda as integers, 9 : 1 */
    enum plan_price price;
    enum plan_limit limit;
    int64_t m_peak; /* chunks; -1: none */
    /* What --memory leaves for weights, chunks; 0: none. Beside the reading: everything that is
     * really resident while a layer runs, whole weights from z_w (preloaded ones from layer 0)
     * through the last layer that reads them. */
    int64_t m_total;
    int max_loads;         /* destinations per layer; 0: no rule (bare instances) */
    bool respect_capacity; /* naive policies: spill what exceeds C_l to preloading */
    int relax_percent;     /* C4: so far capacities may be exceeded where else no plan fits; 0 */
    double time_limit_s;
    /* What time depends on beside the curves; README.md, "Latency". */
    double disk_bytes_per_s; /* 0: unknown; INFINITY: the disk does not limit */
    bool direct;             /* weights are read where kernels find them: nothing is moved, and a
                                layer waits for what it reads itself; latency/direct.c */
    const double *spare; /* direct, [n_layers + 1]: bytes of activations that nobody uses once layer l
                            has run, and weights may: the bound counts them. NULL: none */
    int64_t ring;            /* chunks between disk and textures; 0: none, what is read counts as
                                resident under the memory limit */
};

enum plan_status { PLAN_OPTIMAL, PLAN_FEASIBLE, PLAN_INFEASIBLE };
extern const char *const plan_status_names[];

struct plan_move {
    int weight, layer, chunks; /* x[w,l]; ordered by layer, then by weight */
};

/* A latency plan this near its bound, relatively, is called OPTIMAL: half a unit of the sixth digit
 * that is printed, and far below what any curve is worth. */
#define PLAN_TOLERANCE 1e-5

struct plan {
    char policy[24];
    enum plan_status status;
    bool *preload;   /* [n_weights] */
    int *load_layer; /* [n_weights] z_w; 0 when preloaded */
    int n_moves;
    struct plan_move *move;
    int64_t objective;   /* a * P + b * distance: an integer; / (a + b) is what is printed */
    int64_t lower_bound; /* proven; -1: none */
    int relaxed_percent; /* C3 holds with capacities raised by this much, plan_relaxed() */
    int64_t preloaded;   /* chunks */
    uint64_t preloaded_bytes;
    int64_t peak;            /* chunks: under m_total's accounting if that is set, else under the
                                reading, else (no limit) under LIMIT_RESIDENT */
    double latency_ns;       /* simulated (simulate.c); NaN: a rate or a curve is not known */
    double latency_bound_ns; /* proven for the simulated model; NaN: none */
    uint64_t solve_ns;
    char note[160]; /* e.g. the layer that proves infeasibility */
};

/* A capacity raised by so many percent, rounded up. */
static inline int plan_relaxed(int capacity, int percent)
{
    int64_t c = capacity + ((int64_t)capacity * percent + 99) / 100;

    return c < INT32_MAX ? (int)c : INT32_MAX;
}

/* One file per policy. It ignores what it does not use and leaves the sums to plan_make(). */
struct policy {
    const char *name;
    const char *summary;
    bool exceeds_capacity; /* ignores C3 by definition (but for p->respect_capacity): the checker
                              is told */
    bool outside;          /* runs a program that may not be installed: -ENOTSUP from solve() */
    bool ignores_limit;    /* does not look at C2: a plan beyond the limit is PLAN_INFEASIBLE */
    bool transforms;       /* weights are in their natural layout, rearranged once they are there */
    int (*solve)(const struct plan_problem *p, struct plan *plan, struct err *err);
};
extern const struct policy *const policy_table[]; /* NULL-terminated */
const struct policy *policy_find(const char *name);

/* Solve, sum up, check. ret_plan is freed with plan_free(). -EINVAL: nonsense in the problem;
 * -EPROTO: the checker rejected the policy's plan (our bug: err says which constraint). An
 * infeasible instance is a plan with status PLAN_INFEASIBLE and a note. */
int plan_make(const struct policy *policy, const struct plan_problem *p, struct plan **ret_plan,
              struct err *err);
void plan_free(struct plan *plan);

/* The independent checker: shares no code with the policies. Recomputes everything from preload[]
 * and move[] alone and compares with what the plan says of itself (load_layer, objective,
 * preloaded, preloaded_bytes). -EPROTO with the first constraint broken; ret_ are then untouched.
 * Any of the ret_ may be NULL. "At layer l" is when l has run: weights with i_w > l are in flight;
 * only m_total counts what layer l itself reads. */
int plan_check(const struct plan_problem *p, const struct plan *plan, bool ignore_capacity,
               int64_t *ret_objective, int64_t *ret_peak, struct err *err);

/* Integrated time of a plan, ns, by discrete events: the disk reads in the order of the moves while
 * there is room, a layer waits until what it moves has arrived. README.md, "Latency". NaN where
 * the rate of the disk or the curve of a layer that carries something is not known, and where the
 * plan can never end (a layer moves more than there is room to read). */
double plan_simulate_ns(const struct plan_problem *p, const struct plan *plan);

/* Plan files: columns of interface.md. Reading checks against the problem. */
int plan_write_csv(const struct plan_problem *p, const struct plan *plan, FILE *f);
int plan_read_csv(const char *path, const struct plan_problem *p, struct plan **ret_plan,
                  struct err *err);

/* A fused kernel that could be two: part[0] runs first. The weights that it reads are part[0]'s but
 * for those in second[]. */
struct plan_split {
    int layer;
    bool whole; /* stays whole by rule: a hierarchical fusion */
    struct plan_layer part[2];
    const int *second; /* [n_second] borrowed, may be NULL */
    int n_second;
};

/* The least m_total at which the policy has a plan: it is asked again and again, briefly, from
 * twice p->m_total on. 0: it has none whatever there is, or fails. */
int64_t plan_least_total(const struct policy *policy, const struct plan_problem *p);

/* Bare instances: kind,layer,chunks,time_us,hidden_chunks (datasets/README.md, "instance"). */
struct plan_instance {
    struct plan_problem problem;
    struct plan_layer *layer;
    struct plan_weight *weight;
    struct plan_curve *curve;
    int n_splits;
    struct plan_split *split;
};
int plan_instance_read(const char *path, struct plan_instance *ret_i, struct err *err);
void plan_instance_done(struct plan_instance *i);

#endif
