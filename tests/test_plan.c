/* Policies: lc-opg against brute force over W and against the frozen optima; the naive policies
 * against plans worked out by hand. Every plan has passed the checker: plan_make() sees to that. */
#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "harness/model/model.h"
#include "tests/plan_case.h"
#include "tests/suite.h"

/* The least objective over all W whose SRPT schedule passes the checker; -1: none. By T1 and T2
 * that is the optimum in readings A, B and L when destinations are unlimited. */
static int64_t brute_force(const struct plan_case *c)
{
    int64_t best = -1;

    for (unsigned set = 0; set < 1u << c->p.n_weights; set++) {
        struct plan *plan = plan_new(&c->p);

        for (int w = 0; w < c->p.n_weights; w++)
            plan->preload[w] = set >> w & 1;
        if (plan_serve(&c->p, SERVE_SHORTEST, plan, NULL) == 0) {
            plan_sum_up(&c->p, plan);
            if (plan_check(&c->p, plan, false, NULL, NULL, NULL) == 0 &&
                (best < 0 || plan->objective < best))
                best = plan->objective;
        }
        plan_free(plan);
    }
    return best;
}

/* Capacity as the literal reading sees it: SRPT itself does not know of the limit. */
static int64_t brute_force_literal(const struct plan_case *c)
{
    struct plan_case d = *c;

    d.p.layer = d.layer;
    d.p.weight = d.weight;
    for (int l = 0; l < d.p.n_layers; l++) {
        if (d.p.m_peak >= 0 && d.layer[l].capacity > d.p.m_peak)
            d.layer[l].capacity = (int)d.p.m_peak;
    }
    return brute_force(&d);
}

static void random_problem(struct plan_case *c, uint64_t *rng, enum plan_limit limit)
{
    static const int ratios[][2] = {{9, 1}, {1, 1}, {1, 3}, {3, 1}, {1, 0}, {0, 1}};
    int ratio = (int)rng_below(rng, 6);

    case_random(c, rng, 14, 10, 5, 8);
    c->p.a = ratios[ratio][0];
    c->p.b = ratios[ratio][1];
    c->p.price = rng_below(rng, 2) ? PRICE_BYTES : PRICE_COUNT;
    c->p.limit = limit;
    c->p.m_peak = rng_below(rng, 4) ? (int64_t)rng_below(rng, limit == LIMIT_LITERAL ? 6 : 20) : -1;
    for (int w = 0; w < c->p.n_weights; w++) {
        int after = c->p.n_layers - c->weight[w].consumer;

        c->weight[w].forced = rng_below(rng, 10) == 0;
        if (rng_below(rng, 5) == 0)
            c->weight[w].last_use += (int)rng_below(rng, (uint64_t)after + 1);
    }
}

START_TEST(lc_opg_is_optimal_on_small_problems)
{
    enum plan_limit limit = (enum plan_limit[]){LIMIT_STREAMED, LIMIT_RESIDENT, LIMIT_LITERAL}[_i];
    uint64_t rng = (uint64_t)_i;
    int feasible = 0, infeasible = 0, greedy_worse = 0;

    for (int i = 0; i < case_fuzz(700); i++) {
        struct plan_case c;
        struct plan *plan, *greedy;
        struct err err = {0};
        int64_t best;

        random_problem(&c, &rng, limit);
        best = limit == LIMIT_LITERAL ? brute_force_literal(&c) : brute_force(&c);
        ck_assert_msg(plan_make(&policy_lc_opg, &c.p, &plan, &err) == 0, "%d: %s", i, err.text);
        ck_assert_msg(plan_make(&policy_greedy, &c.p, &greedy, &err) == 0, "%d: %s", i, err.text);
        if (best < 0) {
            ck_assert_int_eq(plan->status, PLAN_INFEASIBLE);
            ck_assert_int_eq(greedy->status, PLAN_INFEASIBLE);
            ck_assert_str_ne(plan->note, "");
            infeasible++;
        } else {
            ck_assert_msg(plan->status == PLAN_OPTIMAL, "%d: %s", i, plan->note);
            ck_assert_msg(plan->objective == best, "%d: %" PRId64 ", brute force %" PRId64, i,
                          plan->objective, best);
            ck_assert_int_eq(plan->lower_bound, best);
            ck_assert(greedy->status == PLAN_INFEASIBLE || greedy->objective >= best);
            greedy_worse += greedy->objective > best;
            feasible++;
        }
        plan_free(plan);
        plan_free(greedy);
    }
    ck_assert_int_gt(feasible, 300);
    ck_assert_int_gt(greedy_worse, 50);
    ck_assert(limit != LIMIT_RESIDENT || infeasible > 50);
}
END_TEST

/* Reading U, m_total and few destinations: SRPT need not be best, so brute force is only an upper
 * bound on the optimum. Plans must be feasible, and the bound must hold. */
START_TEST(lc_opg_is_sound_where_srpt_is_not_best)
{
    uint64_t rng = 77;
    int found = 0, worse = 0;

    for (int i = 0; i < case_fuzz(1000); i++) {
        struct plan_case c;
        struct plan *plan;
        struct err err = {0};
        int64_t best;

        random_problem(&c, &rng, rng_below(&rng, 2) ? LIMIT_UNIFIED : LIMIT_STREAMED);
        c.p.max_loads = (int)rng_below(&rng, 4);
        c.p.m_total = rng_below(&rng, 3) ? 0 : 1 + (int64_t)rng_below(&rng, 30);
        best = brute_force(&c);
        ck_assert_msg(plan_make(&policy_lc_opg, &c.p, &plan, &err) == 0, "%d: %s", i, err.text);
        if (best >= 0) {
            ck_assert_msg(plan->status != PLAN_INFEASIBLE, "%d: %s", i, plan->note);
            ck_assert_int_le(plan->lower_bound, best);
            if (plan->status == PLAN_OPTIMAL)
                ck_assert_int_le(plan->objective, best);
            worse += plan->objective > best;
            found++;
        }
        plan_free(plan);
    }
    ck_assert_int_gt(found, 400);
    ck_assert_int_lt(worse, found / 20);
}
END_TEST

/* One destination a layer: layer 2 has to move w0 whole and layer 1 w1, distance 3; neither rule of
 * service sees that. Then nothing may be called optimal, and the bound must be at most 3. */
START_TEST(lc_opg_claims_no_more_than_it_knows)
{
    static const int room[] = {1, 5, 0}, pair[][2] = {{3, 5}, {3, 1}};
    struct plan_case c;
    struct plan *plan;

    case_make(&c, 3, room, 2, pair);
    c.p.max_loads = 1;
    ck_assert_int_eq(plan_make(&policy_lc_opg, &c.p, &plan, NULL), 0);
    ck_assert_int_le(plan->lower_bound, 3);
    ck_assert(plan->objective == 3 || plan->status == PLAN_FEASIBLE);
    plan_free(plan);
}
END_TEST

/* Optima that other programs found (optima.csv), and bounds that longer searches proved. */
static const struct {
    const char *file;
    double limit_s, within; /* within: on a busy machine, too */
    int rows, proven;
} known[] = {{"optima", 1, 1.02, 60, 50}, {"certificates", 0.3, 1.2, 28, 20}};

/* How many of the file are proven, in so much time each. */
static int prove_known(int which, double limit_s)
{
    char path[512], line[256], name[64], price[16], how[16];
    long long best, bound;
    int n = 0, proven = 0;
    FILE *f;

    snprintf(path, sizeof(path), "%s/instances/%s.csv", model_datasets_dir(), known[which].file);
    f = fopen(path, "r");
    ck_assert_msg(f != NULL, "%s", path);
    ck_assert_ptr_nonnull(fgets(line, sizeof(line), f));
    while (fgets(line, sizeof(line), f)) {
        struct plan_instance in;
        struct plan *plan;
        struct err err = {0};

        ck_assert_int_eq(
            sscanf(line, "%63[^,],%15[^,],%lld,%lld,%15s", name, price, &best, &bound, how), 5);
        snprintf(path, sizeof(path), "%s/instances/%s.csv", model_datasets_dir(), name);
        ck_assert_msg(plan_instance_read(path, &in, &err) == 0, "%s", err.text);
        in.problem.price = strcmp(price, "weights") ? PRICE_BYTES : PRICE_COUNT;
        in.problem.time_limit_s = limit_s;
        ck_assert_msg(plan_make(&policy_lc_opg, &in.problem, &plan, &err) == 0, "%s", err.text);
        ck_assert_msg(plan->objective >= bound && plan->lower_bound <= best, "%s", name);
        ck_assert_msg(plan->status != PLAN_INFEASIBLE, "%s", name);
        ck_assert_msg((double)plan->objective <= known[which].within * (double)best,
                      "%s, %s: %" PRId64 " of %lld", name, price, plan->objective, best);
        if (plan->status == PLAN_OPTIMAL) {
            ck_assert_int_eq(plan->objective, best);
            proven++;
        }
        plan_free(plan);
        plan_instance_done(&in);
        n++;
    }
    fclose(f);
    ck_assert_int_eq(n, known[which].rows);
    return proven;
}

/* Proofs take time: slower machines and sanitizers finish fewer, and busy ones get more of it. */
START_TEST(lc_opg_reaches_the_known_optima)
{
    int want = known[_i].proven * 3 / 4, proven = 0;

    for (int times = 1; times <= 16 && proven < want; times *= 4)
        proven = prove_known(_i, times * known[_i].limit_s);
    ck_assert_int_ge(proven, want);
}
END_TEST

START_TEST(every_policy_plans_every_instance)
{
    static const char *const models[] = {"gptneo-1.3b", "gptneo-s", "llama2-13b", "resnet50",
                                         "vitb"};
    static const char *const kinds[] = {"1m.loose", "1m.tight", "1m.over",
                                        "4m.loose", "4m.tight", "4m.over"};

    for (int i = 0; i < 30; i++) {
        struct plan_instance in;
        struct err err = {0};
        char path[512];

        snprintf(path, sizeof(path), "%s/instances/%s.%s.csv", model_datasets_dir(), models[i / 6],
                 kinds[i % 6]);
        ck_assert_msg(plan_instance_read(path, &in, &err) == 0, "%s", err.text);
        in.problem.time_limit_s = 0.05;
        for (int k = 0; policy_table[k]; k++) {
            bool greedy = !policy_table[k]->ignores_limit;
            struct plan *plan;

            if (policy_table[k]->outside)
                continue;
            for (int loads = 0; loads <= PLAN_MAX_LOADS; loads += PLAN_MAX_LOADS) {
                in.problem.max_loads = loads;
                ck_assert_msg(plan_make(policy_table[k], &in.problem, &plan, &err) == 0, "%s: %s",
                              path, err.text);
                ck_assert_msg(!greedy || plan->status != PLAN_INFEASIBLE, "%s: %s", path,
                              plan->note);
                plan_free(plan);
            }
        }
        plan_instance_done(&in);
    }
}
END_TEST

/* Layers a b a c b a, capacity 2 each; weights of layers 1, 2, 3, 3, 5, 6. */
static const int capacity[] = {2, 2, 2, 2, 2, 2};
static const int weight[][2] = {{1, 1}, {2, 3}, {3, 2}, {3, 1}, {5, 2}, {6, 1}};

static void typed_case(struct plan_case *c)
{
    static const char *const op[] = {"a", "b", "a", "c", "b", "a"};

    case_make(c, 6, capacity, 6, weight);
    for (int l = 0; l < 6; l++)
        c->layer[l].op = op[l];
}

/* Where each weight moves, worked out by hand; 0: preloaded. */
static const struct {
    const char *policy;
    bool respect_capacity;
    int max_loads, layer[6];
} naive[] = {
    {"preload", false, 0, {0, 0, 0, 0, 0, 0}},      {"always-next", false, 0, {0, 1, 2, 2, 4, 5}},
    {"always-next", true, 0, {0, 0, 2, 0, 4, 5}},   {"always-next", false, 1, {0, 1, 2, 0, 4, 5}},
    {"same-op-type", false, 0, {0, 0, 1, 1, 2, 3}}, {"same-op-type", true, 0, {0, 0, 1, 0, 2, 3}},
    {"same-op-type", false, 1, {0, 0, 1, 0, 2, 3}},
};

START_TEST(naive_policies_by_hand)
{
    struct plan_case c;
    struct plan *plan;
    struct err err = {0};

    typed_case(&c);
    c.p.respect_capacity = naive[_i].respect_capacity;
    c.p.max_loads = naive[_i].max_loads;
    ck_assert_msg(plan_make(policy_find(naive[_i].policy), &c.p, &plan, &err) == 0, "%s", err.text);
    for (int w = 0; w < 6; w++) {
        ck_assert_int_eq(plan->load_layer[w], naive[_i].layer[w]);
        ck_assert_int_eq(plan->preload[w], naive[_i].layer[w] == 0);
    }
    ck_assert_int_eq(plan->lower_bound, -1);
    plan_free(plan);
}
END_TEST

/* greedy by hand: capacity 2 a layer, M = 3 streamed chunks. w1 (3 chunks for layer 2) does not fit
 * layer 1; w2 (2 for 3) takes layer 2; w3 (1 for 3) takes layer 1; w4 (2 for 5) layer 4; w5 (1 for
 * 6) layer 5. */
START_TEST(greedy_by_hand)
{
    static const int layer[] = {0, 0, 2, 1, 4, 5};
    struct plan_case c;
    struct plan *plan;

    typed_case(&c);
    c.p.m_peak = 3;
    ck_assert_int_eq(plan_make(&policy_greedy, &c.p, &plan, NULL), 0);
    for (int w = 0; w < 6; w++)
        ck_assert_int_eq(plan->load_layer[w], layer[w]);
    ck_assert_int_eq(plan->objective, 9 * 4 + 1 + 2 + 1 + 1);
    plan_free(plan);
    c.p.m_peak = 2; /* w3 does not fit beside w2 */
    ck_assert_int_eq(plan_make(&policy_greedy, &c.p, &plan, NULL), 0);
    ck_assert(plan->preload[3]);
    plan_free(plan);
}
END_TEST

/* One weight a layer, 6 chunks at once. w3 (3) has 2 of them from layer 3 when w2 (1) comes up, with as much left:
 * w3 first, at layer 2, and layer 1 holds w0 (3), w1 and w2; w2 first, and it holds 3 of w3 in place of w2: 7. */
START_TEST(lc_opg_serves_equals_as_it_searched)
{
    const int capacity[] = {2, 2, 2, 3}, weight[][2] = {{1, 3}, {3, 1}, {3, 1}, {4, 3}};
    struct plan_case c;
    struct plan *plan;
    struct err err = {0};

    case_make(&c, 4, capacity, 4, weight);
    c.weight[2].last_use = 4;
    c.p.m_peak = 10;
    c.p.m_total = 6;
    c.p.max_loads = 1;
    ck_assert_msg(plan_make(policy_find("lc-opg"), &c.p, &plan, &err) == 0, "%s", err.text);
    ck_assert_int_ne(plan->status, PLAN_INFEASIBLE);
    plan_free(plan);
}
END_TEST

/* A plan beyond the limit comes back, marked; B says which layer proves that nothing fits. */
START_TEST(infeasible_plans_come_back)
{
    struct plan_case c;
    struct plan *plan;

    typed_case(&c);
    c.p.limit = LIMIT_RESIDENT;
    c.p.m_peak = 9;
    ck_assert_int_eq(plan_make(&policy_preload, &c.p, &plan, NULL), 0);
    ck_assert_int_eq(plan->status, PLAN_INFEASIBLE);
    ck_assert_int_eq(plan->peak, 10);
    ck_assert_ptr_nonnull(strstr(plan->note, "layer 0 holds 10"));
    plan_free(plan);
    c.p.m_peak = 2; /* w2 and w3 are 3 chunks at layer 2, however they are moved */
    ck_assert_int_eq(plan_make(&policy_lc_opg, &c.p, &plan, NULL), 0);
    ck_assert_int_eq(plan->status, PLAN_INFEASIBLE);
    ck_assert_msg(strstr(plan->note, "layer 2 holds 3 chunks even if everything possible") != NULL,
                  "%s", plan->note);
    plan_free(plan);
    /* Layer 1 can move 2 of the 3 chunks of w1: the third is preloaded beside w0. */
    c.p.m_peak = -1;
    c.p.m_total = 1;
    c.weight[0].chunks = c.weight[2].chunks = c.weight[4].chunks = 1;
    ck_assert_int_eq(plan_make(&policy_lc_opg, &c.p, &plan, NULL), 0);
    ck_assert_int_eq(plan->status, PLAN_INFEASIBLE);
    ck_assert_msg(strstr(plan->note, "holds") != NULL, "%s", plan->note);
    plan_free(plan);
}
END_TEST

/* Layer 1 has to move w1's 3 chunks, for nothing may be preloaded beside w0: capacity 2 is short by
 * half. The note keeps which layer proves that. */
START_TEST(capacities_are_raised_where_nothing_else_fits)
{
    static const int room[] = {2, 0, 0}, pair[][2] = {{1, 5}, {2, 3}};
    struct plan_case c;
    struct plan *plan;

    case_make(&c, 3, room, 2, pair);
    c.p.limit = LIMIT_RESIDENT;
    c.p.m_peak = 5;
    c.p.relax_percent = 40;
    ck_assert_int_eq(plan_make(&policy_lc_opg, &c.p, &plan, NULL), 0);
    ck_assert_int_eq(plan->relaxed_percent, 5); /* of 2 chunks, rounded up: 3 */
    ck_assert_int_eq(plan->status, PLAN_FEASIBLE);
    ck_assert_int_eq(plan->lower_bound, -1);
    ck_assert_int_eq(plan->n_moves, 1);
    ck_assert_int_eq(plan->move[0].chunks, 3);
    ck_assert_msg(strstr(plan->note, "raised by 5 %: infeasible: layer 0 holds 6") != NULL, "%s",
                  plan->note);
    plan_free(plan);
    c.p.relax_percent = 4;
    ck_assert_int_eq(plan_make(&policy_lc_opg, &c.p, &plan, NULL), 0);
    ck_assert_int_eq(plan->status, PLAN_INFEASIBLE);
    ck_assert_int_eq(plan->relaxed_percent, 0);
    plan_free(plan);
}
END_TEST

START_TEST(nonsense_is_refused)
{
    struct plan_case c;
    struct plan *plan = NULL;
    struct err err = {0};

    typed_case(&c);
    c.weight[5].consumer = 7;
    ck_assert_int_eq(plan_make(&policy_preload, &c.p, &plan, &err), -EINVAL);
    typed_case(&c);
    c.weight[5].consumer = c.weight[5].last_use = 4;
    ck_assert_int_eq(plan_make(&policy_preload, &c.p, &plan, &err), -EINVAL);
    typed_case(&c);
    c.weight[2].chunks = 0;
    ck_assert_int_eq(plan_make(&policy_preload, &c.p, &plan, &err), -EINVAL);
    typed_case(&c);
    c.layer[2].capacity = -1;
    ck_assert_int_eq(plan_make(&policy_preload, &c.p, &plan, &err), -EINVAL);
    typed_case(&c);
    c.p.a = c.p.b = 0;
    ck_assert_int_eq(plan_make(&policy_preload, &c.p, &plan, &err), -EINVAL);
    ck_assert_ptr_null(plan);
    ck_assert_ptr_null(policy_find("latency-opg"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan");
    TCase *tc = tcase_create("policies");

    tcase_add_loop_test(tc, lc_opg_is_optimal_on_small_problems, 0, 3);
    tcase_add_test(tc, lc_opg_is_sound_where_srpt_is_not_best);
    tcase_add_test(tc, lc_opg_claims_no_more_than_it_knows);
    tcase_add_loop_test(tc, lc_opg_reaches_the_known_optima, 0, 2);
    tcase_add_test(tc, every_policy_plans_every_instance);
    tcase_add_loop_test(tc, naive_policies_by_hand, 0, (int)(sizeof(naive) / sizeof(naive[0])));
    tcase_add_test(tc, greedy_by_hand);
    tcase_add_test(tc, lc_opg_serves_equals_as_it_searched);
    tcase_add_test(tc, infeasible_plans_come_back);
    tcase_add_test(tc, capacities_are_raised_where_nothing_else_fits);
    tcase_add_test(tc, nonsense_is_refused);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
