/* harness/plan/plan_build.h - making a plan, for policies and readers of this folder. */
#ifndef FLASHMEM_HARNESS_PLAN_PLAN_BUILD_H
#define FLASHMEM_HARNESS_PLAN_PLAN_BUILD_H

#include "harness/plan/plan.h"

extern const struct policy policy_preload, policy_preload_transform, policy_always_next,
    policy_same_op_type, policy_greedy, policy_lc_opg, policy_latency, policy_cp_sat;

/* An empty plan: nothing preloaded, nothing moved, no bound. NULL: out of memory. */
struct plan *plan_new(const struct plan_problem *p);
/* Append x[weight,layer] = chunks, in any order; -ENOMEM. */
int plan_add_move(struct plan *plan, int weight, int layer, int chunks);
/* Into the order of the contract: by layer, then by weight. */
void plan_sort_moves(struct plan *plan);

/* load_layer, objective, preloaded, preloaded_bytes from preload[] and move[]. */
void plan_sum_up(const struct plan_problem *p, struct plan *plan);

/* P_w: what preloading weight w costs, before the factor a. */
static inline int64_t plan_price_of(const struct plan_problem *p, int w)
{
    return p->price == PRICE_BYTES ? p->weight[w].chunks : 1;
}

/* Preloaded by rule, whatever a policy wants. */
static inline bool plan_must_preload(const struct plan_problem *p, int w)
{
    return p->weight[w].forced || p->weight[w].consumer == 1;
}

/* Bytes that a chunk of weight w holds, when `before` chunks of it are elsewhere already: the last
 * one may be short. */
static inline uint64_t plan_chunk_bytes(const struct plan_problem *p, int w, int64_t before,
                                        int64_t chunks)
{
    uint64_t from = (uint64_t)before * p->chunk_bytes,
             to = from + (uint64_t)chunks * p->chunk_bytes;
    uint64_t end = p->weight[w].bytes;

    return (to < end ? to : end) - (from < end ? from : end);
}

/* Time of a layer that moves `bytes`, ns; NaN if nobody knows. */
double plan_layer_ns(const struct plan_layer *layer, double bytes);

/* Chunks that layer l (from 1) can move: the literal reading of C2 is a capacity too. */
static inline int plan_capacity(const struct plan_problem *p, int l)
{
    int c = p->layer[l - 1].capacity;

    return p->limit == LIMIT_LITERAL && p->m_peak >= 0 && p->m_peak < c ? (int)p->m_peak : c;
}

/* The next beam: `most` times as wide, or as much wider as the time that is left allows, when a
 * beam takes somewhat more than its ratio longer; 0: not worth it. */
int plan_wider(int width, int most, uint64_t last_ns, uint64_t deadline_ns);

/* Service in reverse for a fixed W: fills load_layer and move for all weights with !preload[w]. The
 * first rule is SRPT (theorem T1); the second serves the weight that is needed last to its end
 * before the next, so that at most one image a time is partly there (reading U). With max_loads a
 * weight is served only while a destination is free: no longer proven least.
 * 0; -ENOSPC when they do not fit (ret_short, or NULL: the weights left unfinished); -ENOMEM.
 * O(N + n log n), and the sort of the moves. */
enum serve_rule { SERVE_SHORTEST, SERVE_IN_TURN };
int plan_serve(const struct plan_problem *p, enum serve_rule rule, struct plan *plan,
               int *ret_short);

#endif
