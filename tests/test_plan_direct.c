/* Plans of the direct form: the checker takes them, no plan of another policy is faster, the bound
 * holds, and a simulation by ticks gives the simulator's time. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/plan/plan.h"
#include "profiler/rng.h"
#include "tests/suite.h"

enum { N = 14, WEIGHTS = 16, CHUNK = 4 }; /* bytes; the disk reads one a tick */

struct instance {
    struct plan_problem p;
    struct plan_layer layer[N];
    struct plan_weight weight[WEIGHTS];
};

static void make(struct instance *x, uint64_t seed)
{
    int need = 1, most = 0;

    memset(x, 0, sizeof(*x));
    for (int l = 0; l < N; l++)
        x->layer[l] = (struct plan_layer){.name = "l",
                                          .op = "matmul",
                                          .capacity = 1 << 20,
                                          .time_us = (double)rng_below(&seed, 30) / 1e3};
    for (int w = 0; w < WEIGHTS; w++) {
        struct plan_weight *k = &x->weight[w];

        need += w > 0 && need < N ? (int)rng_below(&seed, 3) : 0;
        need = need > N ? N : need;
        k->name = "w";
        k->consumer = k->last_use = need;
        if (rng_below(&seed, 6) == 0)
            k->last_use += (int)rng_below(&seed, (uint64_t)(N - need + 1));
        k->bytes = 1 + rng_below(&seed, 40);
        k->chunks = (int)((k->bytes + CHUNK - 1) / CHUNK);
        k->forced = w == 0;
        most += k->chunks;
    }
    x->p = (struct plan_problem){.model = "made up",
                                 .n_layers = N,
                                 .n_weights = WEIGHTS,
                                 .layer = x->layer,
                                 .weight = x->weight,
                                 .chunk_bytes = CHUNK,
                                 .a = 9,
                                 .b = 1,
                                 .m_peak = -1,
                                 .time_limit_s = 60,
                                 .direct = true,
                                 .disk_bytes_per_s = 1e9};
    if (rng_below(&seed, 3) > 0)
        x->p.m_total = most / 4 + 1 + (int64_t)rng_below(&seed, (uint64_t)most);
}

/* Most bytes at once, as the plan has it; the run may use as many. */
static uint64_t most_at_once(const struct instance *x, const struct plan *plan)
{
    uint64_t most = 0;

    for (int l = 0; l <= N; l++) {
        uint64_t sum = 0;

        for (int w = 0; w < WEIGHTS; w++)
            sum += plan->load_layer[w] <= l && x->weight[w].last_use >= l ? x->weight[w].bytes : 0;
        most = sum > most ? sum : most;
    }
    return most;
}

/* Tick by tick: one disk, one queue of kernels, memory given out by whole weights. */
static int64_t ticks(const struct instance *x, const struct plan *plan)
{
    uint64_t room = most_at_once(x, plan), left[WEIGHTS] = {0};
    bool begun[WEIGHTS] = {false}, read[WEIGHTS] = {false};
    int order[WEIGHTS], n = 0, at = 0, layer = 0;
    int64_t busy = 0, now = 0;
    bool running = false;

    for (int w = 0; w < WEIGHTS; w++)
        if (plan->preload[w])
            order[n++] = w;
    for (int i = 0; i < plan->n_moves; i++) {
        bool seen = false;

        for (int k = 0; k < n; k++)
            seen = seen || order[k] == plan->move[i].weight;
        if (!seen)
            order[n++] = plan->move[i].weight;
    }
    ck_assert_int_eq(n, WEIGHTS);
    for (; now < 100000; now++) {
        bool moved = true;

        while (moved) { /* all that happens at this instant */
            moved = false;
            if (running && busy == 0) {
                running = false;
                for (int w = 0; w < WEIGHTS; w++)
                    room += x->weight[w].last_use == layer && begun[w] ? x->weight[w].bytes : 0;
                moved = true;
            }
            if (!running && layer < N) {
                bool ready = true;

                for (int w = 0; w < WEIGHTS; w++)
                    ready = ready && (read[w] || (x->weight[w].consumer != layer + 1 &&
                                                  !(layer == 0 && plan->preload[w])));
                if (ready) {
                    running = moved = true;
                    busy = llround(x->layer[layer++].time_us * 1e3);
                }
            }
            if (at < n && !begun[order[at]] && x->weight[order[at]].bytes <= room) {
                begun[order[at]] = moved = true;
                left[order[at]] = x->weight[order[at]].bytes;
                room -= left[order[at]];
            }
        }
        if (layer == N && !running)
            return now;
        busy -= running;
        if (at < n && begun[order[at]] && --left[order[at]] == 0)
            read[order[at++]] = true;
    }
    return -1;
}

START_TEST(ticks_agree)
{
    static const char *const rivals[] = {"preload", "always-next", "same-op-type", "greedy",
                                         "lc-opg"};
    struct plan *plan = NULL;
    struct instance x;
    struct err err = {0};

    make(&x, (uint64_t)_i);
    ck_assert_msg(plan_make(policy_find("latency"), &x.p, &plan, &err) == 0, "%s", err.text);
    if (plan->status == PLAN_INFEASIBLE) { /* then two neighbours' weights do not fit */
        ck_assert_int_gt(x.p.m_total, 0);
        plan_free(plan);
        return;
    }
    ck_assert_double_eq_tol(plan->latency_ns, (double)ticks(&x, plan), 1e-6 * plan->latency_ns);
    ck_assert_double_le(plan->latency_bound_ns, plan->latency_ns * (1 + 1e-9));
    for (int k = 0; k < 5; k++) {
        struct plan *rival = NULL;

        ck_assert_msg(plan_make(policy_find(rivals[k]), &x.p, &rival, &err) == 0, "%s", err.text);
        if (rival->status != PLAN_INFEASIBLE) {
            ck_assert_double_eq_tol(rival->latency_ns, (double)ticks(&x, rival),
                                    1e-6 * rival->latency_ns);
            ck_assert_double_ge(rival->latency_ns, plan->latency_bound_ns * (1 - 1e-9));
        }
        plan_free(rival);
    }
    plan_free(plan);
}
END_TEST

/* Without a limit nothing waits for room: the bound is met. */
START_TEST(no_limit_is_optimal)
{
    struct plan *plan = NULL;
    struct instance x;
    struct err err = {0};

    make(&x, (uint64_t)_i);
    x.p.m_total = 0;
    ck_assert_msg(plan_make(policy_find("latency"), &x.p, &plan, &err) == 0, "%s", err.text);
    ck_assert_int_eq(plan->status, PLAN_OPTIMAL);
    ck_assert_double_eq_tol(plan->latency_bound_ns, plan->latency_ns, 1e-6 * plan->latency_ns);
    plan_free(plan);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("plan_direct");
    TCase *t = tcase_create("all");

    tcase_add_loop_test(t, ticks_agree, 0, 400);
    tcase_add_loop_test(t, no_limit_is_optimal, 0, 100);
    suite_add_tcase(s, t);
    return suite_run(s);
}
