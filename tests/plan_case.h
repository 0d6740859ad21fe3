/* tests/plan_case.h - small planning problems for the suites of harness/plan: written by hand, or
 * random and reproducible by their seed. */
#ifndef FLASHMEM_TESTS_PLAN_CASE_H
#define FLASHMEM_TESTS_PLAN_CASE_H

#include <stdlib.h>

#include "harness/plan/plan.h"
#include "harness/plan/plan_build.h"
#include "profiler/rng.h"

enum { CASE_LAYERS = 16, CASE_WEIGHTS = 16 };

struct plan_case {
    struct plan_problem p;
    struct plan_layer layer[CASE_LAYERS];
    struct plan_weight weight[CASE_WEIGHTS];
};

static const char *const case_names[CASE_WEIGHTS] = {"w0",  "w1",  "w2",  "w3", "w4",  "w5",
                                                     "w6",  "w7",  "w8",  "w9", "w10", "w11",
                                                     "w12", "w13", "w14", "w15"};

/* Layers of these capacities; weights of {consumer, chunks}, by consumer. Borrowed by itself: do
 * not copy the struct. */
static inline void case_make(struct plan_case *c, int n_layers, const int *capacity, int n_weights,
                             const int (*weight)[2])
{
    *c = (struct plan_case){.p = {.model = "case",
                                  .n_layers = n_layers,
                                  .n_weights = n_weights,
                                  .chunk_bytes = 100,
                                  .a = 9,
                                  .b = 1,
                                  .m_peak = -1,
                                  .time_limit_s = 60}};
    for (int l = 0; l < n_layers; l++)
        c->layer[l] = (struct plan_layer){.name = "layer", .op = "op", .capacity = capacity[l]};
    for (int w = 0; w < n_weights; w++)
        c->weight[w] = (struct plan_weight){.name = case_names[w],
                                            .consumer = weight[w][0],
                                            .last_use = weight[w][0],
                                            .chunks = weight[w][1],
                                            .bytes = 100 * (uint64_t)weight[w][1] - 1};
    c->p.layer = c->layer;
    c->p.weight = c->weight;
}

/* How often to try: FLASHMEM_FUZZ=20 in the environment tries 20 times as often. */
static inline int case_fuzz(int times)
{
    const char *more = getenv("FLASHMEM_FUZZ");
    int by = more ? atoi(more) : 1;

    return times * (by > 0 && by < 10000 ? by : 1);
}

/* Capacities 0..max_capacity, a third of them zero; sizes 1..max_chunks. */
static inline void case_random(struct plan_case *c, uint64_t *rng, int max_layers, int max_weights,
                               int max_capacity, int max_chunks)
{
    int layers = 1 + (int)rng_below(rng, (uint64_t)max_layers);
    int weights = 1 + (int)rng_below(rng, (uint64_t)max_weights), w = 0;
    int capacity[CASE_LAYERS] = {0}, weight[CASE_WEIGHTS][2] = {{0}}, consumer[CASE_WEIGHTS];

    for (int l = 0; l < layers; l++)
        capacity[l] = rng_below(rng, 3) ? (int)rng_below(rng, (uint64_t)max_capacity + 1) : 0;
    for (int i = 0; i < weights; i++)
        consumer[i] = 1 + (int)rng_below(rng, (uint64_t)layers);
    for (int l = 1; l <= layers; l++) {
        for (int i = 0; i < weights; i++) {
            if (consumer[i] != l)
                continue;
            weight[w][0] = l;
            weight[w++][1] = 1 + (int)rng_below(rng, (uint64_t)max_chunks);
        }
    }
    case_make(c, layers, capacity, weights, (const int(*)[2])weight);
}

#endif
