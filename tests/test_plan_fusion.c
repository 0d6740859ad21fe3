/* Adaptive fusion against every set of splits, each planned to optimality. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "harness/plan/fusion/fusion.h"
#include "tests/plan_case.h"
#include "tests/suite.h"

enum { SPLITS = 4 };

struct fusion_case {
    struct plan_case c;
    struct plan_split split[SPLITS];
    int second[SPLITS];
    int n;
};

static void random_fusion(struct fusion_case *k, uint64_t *rng)
{
    bool taken[CASE_LAYERS + 1] = {false};

    case_random(&k->c, rng, 8, 7, 3, 5);
    k->n = 0;
    for (int i = 0; i < SPLITS; i++) {
        int layer = 1 + (int)rng_below(rng, (uint64_t)k->c.p.n_layers), last = -1;
        struct plan_split *s = &k->split[k->n];

        if (taken[layer])
            continue;
        taken[layer] = true;
        *s = (struct plan_split){.layer = layer, .whole = rng_below(rng, 8) == 0};
        for (int part = 0; part < 2; part++)
            s->part[part] =
                (struct plan_layer){.name = "part", .op = "op", .capacity = (int)rng_below(rng, 6)};
        for (int w = 0; w < k->c.p.n_weights; w++)
            last = k->c.weight[w].consumer == layer ? w : last;
        if (last >= 0 && layer > 1 && rng_below(rng, 2)) {
            k->second[k->n] = last;
            s->second = &k->second[k->n];
            s->n_second = 1;
        }
        k->n++;
    }
}

/* The least objective over all sets of allowed splits; none: [0]. */
static int64_t every_set(const struct fusion_case *k, double alpha, int64_t *ret_none)
{
    int64_t best = INT64_MAX;

    for (unsigned set = 0; set < 1u << k->n; set++) {
        bool use[SPLITS] = {false}, allowed = true;
        struct fusion_result r;
        struct plan *plan;

        for (int i = 0; i < k->n; i++) {
            const struct plan_split *s = &k->split[i];
            int fused = k->c.layer[s->layer - 1].capacity;
            int parts = s->part[0].capacity + s->part[1].capacity;

            use[i] = set >> i & 1;
            allowed = allowed &&
                      (!use[i] || (!s->whole && parts > fused && parts >= (1 + alpha) * fused));
        }
        if (!allowed)
            continue;
        ck_assert_int_eq(fusion_apply(&k->c.p, k->split, k->n, use, &r, NULL), 0);
        ck_assert_int_eq(plan_make(&policy_lc_opg, &r.problem, &plan, NULL), 0);
        ck_assert_int_eq(plan->status, PLAN_OPTIMAL);
        if (set == 0)
            *ret_none = plan->objective;
        best = plan->objective < best ? plan->objective : best;
        plan_free(plan);
        fusion_done(&r);
    }
    return best;
}

START_TEST(near_the_best_set_of_splits)
{
    uint64_t rng = 8;
    int best = 0, helped = 0, could = 0, kept = 0, undone = 0;

    for (int i = 0; i < 400; i++) {
        struct fusion_options opt = fusion_defaults();
        struct fusion_case k;
        struct fusion_result r;
        struct err err = {0};
        int64_t none = 0, least;
        double gain = 0;

        random_fusion(&k, &rng);
        opt.alpha = rng_unit(&rng);
        opt.time_limit_s = 10;
        least = every_set(&k, opt.alpha, &none);
        ck_assert_msg(fusion_plan(&policy_lc_opg, &k.c.p, k.split, k.n, &opt, &r, &err) == 0, "%s",
                      err.text);
        ck_assert_double_eq_tol(r.before, (double)none / 10, 1e-9);
        ck_assert_double_eq_tol(r.after, (double)r.plan->objective / 10, 1e-9);
        ck_assert_int_ge(r.plan->objective, least);
        ck_assert_int_le(r.plan->objective, none);
        ck_assert_int_eq(plan_check(&r.problem, r.plan, false, NULL, NULL, NULL), 0);
        for (int s = 0; s < r.n_steps; s++) {
            const struct plan_split *y = &k.split[r.step[s].split];
            int fused = k.c.layer[y->layer - 1].capacity;

            ck_assert(!y->whole && r.step[s].penalty > 0);
            ck_assert(y->part[0].capacity + y->part[1].capacity >= (1 + opt.alpha) * fused);
            ck_assert(r.step[s].kept == (r.step[s].gain > 0));
            gain += r.step[s].kept ? r.step[s].gain : 0;
            kept += r.step[s].kept;
            undone += !r.step[s].kept;
        }
        ck_assert_double_eq_tol(r.before - r.after, gain, 1e-9);
        could += least < none;
        helped += r.plan->objective < none;
        best += r.plan->objective == least;
        fusion_done(&r);
    }
    ck_assert_int_gt(could, 100);
    ck_assert_int_gt(undone, 0);
    ck_assert_int_gt(kept, 100);
    ck_assert_msg(10 * helped > 8 * could, "%d of %d", helped, could);
    ck_assert_msg(best > 360, "%d of 400", best);
}
END_TEST

/* MatMul+Add+GELU at layer 2, capacity 1, becomes MatMul+Add, capacity 1, and GELU, 3. */
START_TEST(split_by_hand)
{
    static const int capacity[] = {0, 1, 0, 0}, weight[][2] = {{1, 1}, {2, 1}, {4, 4}};
    struct plan_split split = {.layer = 2,
                               .part = {{.name = "matmul", .op = "matmul", .capacity = 1},
                                        {.name = "gelu", .op = "gelu", .capacity = 3}}};
    struct fusion_options opt = fusion_defaults();
    struct fusion_result r;
    struct plan_case c;

    case_make(&c, 4, capacity, 3, weight);
    ck_assert_int_eq(fusion_plan(&policy_lc_opg, &c.p, &split, 1, &opt, &r, NULL), 0);
    /* Fused, everything is preloaded: 0.9 * 6. Split, w2 moves in layers 2 and 3 for layer 5. */
    ck_assert_double_eq_tol(r.before, 5.4, 1e-9);
    ck_assert_double_eq_tol(r.after, 0.9 * 2 + 0.1 * 3, 1e-9);
    ck_assert_int_eq(r.problem.n_layers, 5);
    ck_assert_int_eq(r.weight[1].consumer, 2);
    ck_assert_int_eq(r.weight[2].consumer, 5);
    ck_assert_str_eq(r.layer[2].name, "gelu");
    ck_assert_int_eq(r.n_steps, 1);
    ck_assert(r.step[0].kept);
    fusion_done(&r);
    opt.alpha = 3.5; /* wants 4.5, has 4 */
    ck_assert_int_eq(fusion_plan(&policy_lc_opg, &c.p, &split, 1, &opt, &r, NULL), 0);
    ck_assert_int_eq(r.n_steps, 0);
    fusion_done(&r);
    opt.alpha = 0;
    split.whole = true;
    ck_assert_int_eq(fusion_plan(&policy_lc_opg, &c.p, &split, 1, &opt, &r, NULL), 0);
    ck_assert_int_eq(r.n_steps, 0);
    ck_assert_int_eq(r.problem.n_layers, 4);
    fusion_done(&r);
}
END_TEST

START_TEST(weights_of_the_second_part)
{
    static const int capacity[] = {5, 0, 5}, weight[][2] = {{2, 1}, {2, 2}, {3, 1}}, second[] = {0};
    struct plan_split split = {
        .layer = 2, .part = {{.name = "a"}, {.name = "b"}}, .second = second, .n_second = 1};
    bool use[] = {true};
    struct fusion_result r;
    struct err err = {0};
    struct plan_case c;

    case_make(&c, 3, capacity, 3, weight);
    ck_assert_int_eq(fusion_apply(&c.p, &split, 1, use, &r, NULL), 0);
    ck_assert_str_eq(r.weight[0].name, "w1"); /* in order of consumer again */
    ck_assert_int_eq(r.weight[0].consumer, 2);
    ck_assert_str_eq(r.weight[1].name, "w0");
    ck_assert_int_eq(r.weight[1].consumer, 3);
    ck_assert_int_eq(r.weight[1].last_use, 3);
    ck_assert_int_eq(r.weight[2].consumer, 4);
    fusion_done(&r);
    split.layer = 4;
    ck_assert_int_eq(fusion_apply(&c.p, &split, 1, use, &r, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "no layer '4'"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan_fusion");
    TCase *tc = tcase_create("fusion");

    tcase_add_test(tc, near_the_best_set_of_splits);
    tcase_add_test(tc, split_by_hand);
    tcase_add_test(tc, weights_of_the_second_part);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
