/* From a model to its planning problem, from a plan to a predicted time, and to rows. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "harness/model/split.h"
#include "harness/plan/fusion/fusion.h"
#include "harness/plan/plan_build.h"
#include "harness/plan/plan_store.h"
#include "harness/plan/problem.h"
#include "tests/plan_case.h"
#include "tests/suite.h"

static struct model *read_model(void)
{
    struct model *m = NULL;
    struct err err = {0};

    ck_assert_msg(model_read("GPTN-S", DTYPE_F32, &m, &err) == 0, "%s", err.text);
    return m;
}

START_TEST(lambda_becomes_integers)
{
    static const struct {
        double lambda;
        int a, b;
    } t[] = {{0.9, 9, 1},    {0.5, 5, 5},       {0, 0, 10},         {1, 10, 0},
             {0.85, 85, 15}, {0.125, 125, 875}, {0.33333, 333, 667}};

    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        int a, b;

        problem_ratio(t[i].lambda, &a, &b);
        ck_assert_int_eq(a, t[i].a);
        ck_assert_int_eq(b, t[i].b);
    }
}
END_TEST

/* Every matrix once, vectors as one bundle, gathers by the rows that they read and forced. */
START_TEST(a_model_becomes_weights)
{
    struct model *m = read_model();
    struct problem_options opt = problem_defaults();
    struct model_problem mp;
    struct err err = {0};
    int matrices = 0, bundles = 0, forced = 0;

    opt.m_peak_bytes = 500000000;
    ck_assert_msg(problem_for_model(m, NULL, NULL, PATH_IMAGE, &opt, &mp, &err) == 0, "%s",
                  err.text);
    for (int w = 0; w < m->n_weights; w++)
        matrices += !m->weight[w].vector;
    for (int i = 0; i < mp.problem.n_weights; i++) {
        const struct plan_weight *k = &mp.problem.weight[i];
        int w = mp.weight_index[i];

        forced += k->forced;
        bundles += w < 0;
        ck_assert_int_eq(k->chunks, (k->bytes + (1 << 20) - 1) >> 20);
        if (w < 0) {
            ck_assert_str_eq(k->name, "__vectors");
            ck_assert(k->forced && k->consumer == 1 && k->bytes == m->bundle_bytes);
            continue;
        }
        ck_assert_str_eq(k->name, m->weight[w].name);
        ck_assert_int_eq(k->consumer, m->weight[w].first + 1);
        ck_assert_int_eq(k->last_use, m->weight[w].last + 1);
        ck_assert(k->bytes <= tensor_bytes(&m->weight[w].desc));
        ck_assert(k->bytes == tensor_bytes(&m->weight[w].desc) || k->forced);
    }
    ck_assert_int_eq(mp.problem.n_weights, matrices + (m->bundle_bytes > 0));
    ck_assert_int_eq(bundles, m->bundle_bytes > 0);
    ck_assert_int_ge(forced, bundles + 1); /* the token embedding is gathered */
    ck_assert_int_eq(mp.problem.n_layers, m->n_layers);
    ck_assert_int_eq(mp.problem.m_peak, 476);
    ck_assert_int_eq(mp.problem.max_loads, PLAN_MAX_LOADS);
    ck_assert(mp.kernel_ns == 0);
    problem_done(&mp);
    model_free(m);
}
END_TEST

START_TEST(every_policy_plans_the_model)
{
    struct model *m = read_model();
    struct problem_options opt = problem_defaults();
    struct model_problem mp;
    struct err err = {0};

    ck_assert_int_eq(problem_for_model(m, NULL, NULL, PATH_IMAGE, &opt, &mp, &err), 0);
    /* As if a regressor had said so: two chunks a matmul. */
    for (int l = 0; l < m->n_layers; l++)
        mp.layer[l].capacity = !strcmp(mp.layer[l].op, "matmul") ? 2 : 0;
    for (int i = 0; policy_table[i]; i++) {
        struct plan *plan;

        if (policy_table[i]->outside)
            continue;
        ck_assert_msg(plan_make(policy_table[i], &mp.problem, &plan, &err) == 0, "%s", err.text);
        ck_assert_int_ne(plan->status, PLAN_INFEASIBLE);
        plan_free(plan);
    }
    problem_done(&mp);
    model_free(m);
}
END_TEST

/* Splits are the model's own: as many, of the names and operators that model_split() gives; a plan
 * that is short of capacity gains by them. */
START_TEST(fused_layers_are_splits)
{
    struct model *m = read_model();
    struct problem_options opt = problem_defaults();
    struct fusion_options fo = fusion_defaults();
    struct fusion_result r;
    struct model_problem mp;
    struct err err = {0};
    int n = 0;

    opt.splits = true;
    ck_assert_int_eq(problem_for_model(m, NULL, NULL, PATH_IMAGE, &opt, &mp, &err), 0);
    for (int l = 0; l < m->n_layers; l++) {
        struct model *two;

        if (model_split(m, l, &two, &err) < 0)
            continue;
        ck_assert_int_lt(n, mp.n_splits);
        ck_assert_int_eq(mp.split[n].layer, l + 1);
        for (int k = 0; k < 2; k++) {
            ck_assert_str_eq(mp.split[n].part[k].name, two->layer[l + k].name);
            ck_assert_str_eq(mp.split[n].part[k].op, two->layer[l + k].c.op->name);
        }
        model_free(two);
        n++;
    }
    ck_assert_int_eq(mp.n_splits, n);
    ck_assert_int_eq(n, 36); /* 12 times out_proj + residual, fc + GELU, proj + residual */
    for (int l = 0; l < m->n_layers; l++)
        mp.layer[l].capacity = !strcmp(mp.layer[l].op, "matmul") ? 1 : 0;
    for (int i = 0; i < n; i++)
        mp.split[i].part[0].capacity = mp.split[i].part[1].capacity = 20;
    fo.time_limit_s = 60;
    ck_assert_msg(fusion_plan(policy_find("greedy"), &mp.problem, mp.split, 6, &fo, &r, &err) == 0,
                  "%s", err.text);
    ck_assert_double_lt(r.after, r.before);
    ck_assert_int_gt(r.problem.n_layers, m->n_layers);
    fusion_done(&r);
    problem_done(&mp);
    model_free(m);
}
END_TEST

START_TEST(options_are_checked)
{
    struct model *m = read_model();
    struct problem_options opt = problem_defaults();
    struct model_problem mp = {0};
    struct err err = {0};
    const char *name[] = {m->weight[m->n_weights - 1].name, "nonesuch"};

    for (int w = 0; w < m->n_weights; w++) {
        if (!m->weight[w].vector)
            name[0] = m->weight[w].name;
    }
    opt.preload = name;
    opt.n_preload = 1;
    ck_assert_msg(problem_for_model(m, NULL, NULL, PATH_IMAGE, &opt, &mp, &err) == 0, "%s",
                  err.text);
    ck_assert(mp.problem.weight[mp.problem.n_weights - 1].forced);
    problem_done(&mp);
    opt.n_preload = 2;
    ck_assert_int_eq(problem_for_model(m, NULL, NULL, PATH_IMAGE, &opt, &mp, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "'nonesuch'"));
    opt.n_preload = 0;
    opt.chunk_bytes = 4096;
    ck_assert_int_eq(problem_for_model(m, NULL, NULL, PATH_IMAGE, &opt, &mp, &err), -EINVAL);
    opt.chunk_bytes = 65536;
    opt.memory_limit = 100 << 20;
    opt.reserve_bytes = 90 << 20;
    ck_assert_int_eq(problem_for_model(m, NULL, NULL, PATH_IMAGE, &opt, &mp, &err), 0);
    ck_assert(mp.problem.m_total > 150 && mp.problem.m_total <= 160);
    ck_assert_int_eq(mp.problem.m_peak, -1);
    problem_done(&mp);
    opt.reserve_bytes = 100 << 20;
    ck_assert_int_eq(problem_for_model(m, NULL, NULL, PATH_IMAGE, &opt, &mp, &err), -ENOSPC);
    ck_assert_ptr_null(mp.layer);
    model_free(m);
}
END_TEST

/* Three layers of 1000, 2000, 3000 ns; w0 (150 bytes) is preloaded, w1 (250 bytes for layer 3)
 * moves 1 chunk in layer 1 and 2 in layer 2; the disk reads a byte in 10 ns. Slowdown 1 + bytes /
 * 1000. layer 1 starts when 250 bytes are there, 2500, and takes 1000 * 1.1 -> 3600 layer 2 starts
 * when 400 bytes are there, 4000, and takes 2000 * 1.15 -> 6300 layer 3 -> 9300 */
START_TEST(time_by_hand)
{
    static const int capacity[] = {1, 2, 0}, weight[][2] = {{1, 2}, {3, 3}};
    static const double ns[] = {1000, 2000, 3000};
    struct plan_curve curve[2];
    struct plan_case c;
    struct plan *plan;
    struct err err = {0};

    case_make(&c, 3, capacity, 2, weight);
    c.weight[0].bytes = 150;
    c.weight[1].bytes = 250;
    for (int l = 0; l < 2; l++)
        curve[l] = (struct plan_curve){.n = 2, .bytes = {0, 1000}, .ns = {ns[l], 2 * ns[l]}};
    c.p.disk_bytes_per_s = 1e8;
    for (int l = 0; l < 3; l++)
        c.layer[l].time_us = ns[l] / 1e3;
    c.layer[0].curve = &curve[0];
    c.layer[1].curve = &curve[1];
    ck_assert_msg(plan_make(&policy_greedy, &c.p, &plan, &err) == 0, "%s", err.text);
    ck_assert_int_eq(plan->n_moves, 2);
    ck_assert_double_eq_tol(plan_simulate_ns(&c.p, plan), 9300, 1e-6);
    c.layer[0].curve = NULL; /* carries load, nobody knows what that costs */
    ck_assert(isnan(plan_simulate_ns(&c.p, plan)));
    plan_free(plan);
    ck_assert_int_eq(plan_make(&policy_preload, &c.p, &plan, &err), 0);
    ck_assert_double_eq_tol(plan_simulate_ns(&c.p, plan), 4000 + 6000, 1e-6);
    plan_free(plan);
}
END_TEST

/* Within a limit a layer may be given what no sample says it carries, up to the ring: one whose
 * samples end at 100 KB with 1 ns a byte, one that ends at 200 KB with 3, one without any. */
START_TEST(within_a_limit_curves_go_on)
{
    static const double end[] = {1e5, 2e5}, slope[] = {1, 3};
    struct model *m = read_model();
    struct problem_options opt = problem_defaults();
    struct model_problem mp;
    struct err err = {0};

    opt.chunk_bytes = 65536;
    opt.ring_bytes = 16 * 65536;
    opt.memory_limit = UINT64_C(1) << 30;
    for (int limit = 0; limit < 2; limit++, opt.memory_limit = 0) {
        ck_assert_int_eq(problem_for_model(m, NULL, NULL, PATH_IMAGE, &opt, &mp, &err), 0);
        ck_assert_int_ge(m->n_layers, 3);
        for (int l = 0; l < m->n_layers; l++)
            mp.capacity[l] = (struct capacity){.latency_ns = 1000};
        for (int l = 0; l < 2; l++)
            mp.capacity[l].curve = (struct load_curve){
                .n = 2, .bytes = {0, end[l]}, .slowdown = {1, 1 + slope[l] * end[l] / 1000},
                .trained_bytes = end[l]};
        problem_refresh(&mp);
        problem_refresh(&mp); /* says the same again */
        for (int l = 0; l < 3; l++) {
            const struct plan_curve *y = mp.layer[l].curve;
            double last = l < 2 ? end[l] : 0, carried = 1000 + (l < 2 ? slope[l] * end[l] : 0);

            if (limit == 1) {
                ck_assert(l == 2 ? !y : y->most_bytes == end[l]);
                continue;
            }
            ck_assert_double_eq(y->most_bytes, 1048576);
            /* the median of the two slopes is the upper one */
            ck_assert_double_eq_tol(plan_layer_ns(&mp.layer[l], 1048576),
                                    carried + 3 * (1048576 - last), 1e-3);
        }
        problem_done(&mp);
    }
    model_free(m);
}
END_TEST

static int64_t ask(struct store *st, const char *sql)
{
    struct store_query *q;
    int64_t v;

    ck_assert_int_eq(store_query(st, &q, NULL, sql, ""), 0);
    ck_assert_int_eq(store_step(q, NULL), 1);
    v = store_int(q, 0);
    store_query_done(q);
    return v;
}

START_TEST(plans_become_rows)
{
    static const int capacity[] = {1, 2, 0}, weight[][2] = {{1, 2}, {3, 3}};
    struct plan_case c;
    struct plan *plan;
    struct store *st;
    struct err err = {0};
    char path[64];
    int64_t id = 0;

    snprintf(path, sizeof(path), "/tmp/test_plan_problem.%d.db", (int)getpid());
    case_make(&c, 3, capacity, 2, weight);
    c.p.m_peak = 7;
    ck_assert_int_eq(plan_make(&policy_lc_opg, &c.p, &plan, &err), 0);
    ck_assert_msg(store_open(path, STORE_WRITE, &st, &err) == 0, "%s", err.text);
    ck_assert_msg(plan_store_save(st, 0, DTYPE_F32, PATH_IMAGE, NULL, 0, &c.p, plan, &id, &err) ==
                      0,
                  "%s", err.text);
    ck_assert_int_gt(id, 0);
    ck_assert_int_eq(ask(st, "SELECT count(*) FROM plan WHERE policy = 'lc-opg' AND model = 'case'"
                             " AND m_peak_bytes = 700 AND memory_limit_bytes IS NULL"
                             " AND device_id IS NULL AND status = 'OPTIMAL' AND lambda = 0.9"
                             " AND objective = 2.0 AND lower_bound = 2.0 AND peak_bytes = 300"
                             " AND preloaded_bytes = 199 AND limit_reading = 'streamed'"),
                     1);
    ck_assert_int_eq(ask(st, "SELECT count(*) FROM plan_weight WHERE preload = 1"
                             " AND load_layer IS NULL AND weight = 'w0'"),
                     1);
    ck_assert_int_eq(ask(st, "SELECT count(*) FROM plan_weight WHERE preload = 0"
                             " AND load_layer = 1 AND chunks = 3 AND consumer = 3"),
                     1);
    ck_assert_int_eq(ask(st, "SELECT sum(chunks * layer) FROM plan_load"), 1 * 1 + 2 * 2);
    /* What the checker rejects does not become a row. */
    plan->move[0].chunks++;
    ck_assert_int_eq(plan_store_save(st, 0, DTYPE_F32, PATH_IMAGE, NULL, 0, &c.p, plan, &id, &err),
                     -EPROTO);
    ck_assert_msg(strstr(err.text, "not stored: the plan is wrong") != NULL, "%s", err.text);
    ck_assert_int_eq(ask(st, "SELECT count(*) FROM plan"), 1);
    plan_free(plan);
    store_close(st);
    unlink(path);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan_problem");
    TCase *tc = tcase_create("problem");

    tcase_add_test(tc, lambda_becomes_integers);
    tcase_add_test(tc, a_model_becomes_weights);
    tcase_add_test(tc, every_policy_plans_the_model);
    tcase_add_test(tc, fused_layers_are_splits);
    tcase_add_test(tc, options_are_checked);
    tcase_add_test(tc, time_by_hand);
    tcase_add_test(tc, within_a_limit_curves_go_on);
    tcase_add_test(tc, plans_become_rows);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
