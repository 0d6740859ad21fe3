/* Capacities without a regressor: two samples of one product of ResNet in a store, and what each
 * way makes of them, worked out by hand. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/plan/capacities.h"
#include "tests/folder.h"
#include "tests/suite.h"

static const struct device_info dev = {
    .platform = "synthetic", .name = "law", .version = "OpenCL 1.2", .driver = "1",
    .type = DEVICE_CPU, .unified = true, .max_group = 4096, .timer_ns = 1, .compute_units = 2,
};

enum { SAMPLED = 2, ALIKE = 4 }; /* layers: products of 3136 x 64 by 64, and by 256 */
#define INPUT(n)  (4.0 * (3136 * 64 + 64 * (n) + (n)))
#define OUTPUT(n) (4.0 * 3136 * (n))
#define BASE_NS   1e5

static struct store *st;
static int64_t device_id;
static struct model *m;
static struct model_problem mp;
static struct capacities_setting x;

/* The product with load: `slowdown` times as slow. */
static void put(double ratio, double slowdown)
{
    char shape[OP_TEXT_MAX], key[128];
    char *argv[] = {"test", NULL};
    struct err err = {0};
    int64_t session;
    int rc;

    op_case_params(&m->layer[SAMPLED].c, shape);
    snprintf(key, sizeof(key), "product|load=%g|cache=flushed", ratio);
    rc = store_session(st, device_id, 1, argv, &session, &err);
    if (rc == 0)
        rc = store_exec(st, &err,
                        "INSERT INTO config (key, op, class, shape, dtype, path, kernel, form,"
                        " variant, gws, lws, tile, loop_order, extra_ratio, load_bytes, cache)"
                        " VALUES (?, 'matmul', 'reusable', ?, 'f32', 'buffer', '', 'pipelined', '',"
                        " '', '', '', '', ?, ?, 'flushed')",
                        "ssdi", key, shape, ratio, (int64_t)(ratio * INPUT(64)));
    if (rc == 0)
        rc = store_exec(st, &err,
                        "INSERT INTO sample (session_id, config_id, taken_utc, status, median_ns,"
                        " base_median_ns, slowdown, slowdown_low, slowdown_high) VALUES (?,"
                        " (SELECT id FROM config WHERE key = ?), '2026-01-01T00:00:00Z', 'ok', ?, ?,"
                        " ?, ?, ?)",
                        "isddddd", session, key, BASE_NS * slowdown, BASE_NS, slowdown, slowdown,
                        slowdown);
    ck_assert_msg(rc == 0, "%s", err.text);
}

static void setup(void)
{
    struct problem_options opt = problem_defaults();
    struct err err = {0};

    folder_make_in_memory();
    ck_assert_msg(store_open(in_folder("db"), STORE_WRITE, &st, &err) == 0, "%s", err.text);
    ck_assert_msg(store_device(st, &dev, &device_id, &err) == 0, "%s", err.text);
    ck_assert_msg(model_read("ResNet", DTYPE_F32, &m, &err) == 0, "%s", err.text);
    ck_assert_msg(problem_for_model(m, NULL, NULL, PATH_BUFFER, &opt, &mp, &err) == 0, "%s",
                  err.text);
    x = (struct capacities_setting){.st = st, .device_id = device_id, .m = m, .dev = &dev,
                                    .path = PATH_BUFFER, .thresholds = thresholds_default(),
                                    .seed = 7};
}

static void teardown(void)
{
    problem_done(&mp);
    model_free(m);
    store_close(st);
    folder_remove();
}

static void make(enum capacities how)
{
    struct err err = {0};

    ck_assert_msg(capacities_replace(&x, how, &mp, &err) == 0, "%s", err.text);
}

static void near(int layer, double bytes)
{
    ck_assert_msg(fabs((double)mp.capacity[layer].bytes - bytes) <= 16, "layer %d: %g, not %g",
                  layer, (double)mp.capacity[layer].bytes, bytes);
    ck_assert_int_eq(mp.problem.layer[layer].capacity, (int)(bytes / mp.problem.chunk_bytes));
}

/* 1.1 at half of the input, 1.3 at all of it: 1.2 lies at three quarters. */
START_TEST(of_the_most_similar_shape)
{
    int found = 0;

    put(0.5, 1.1);
    put(1, 1.3);
    make(CAPACITIES_MEASURED);
    near(SAMPLED, 0.75 * INPUT(64));
    near(ALIKE, 0.75 * INPUT(256));
    for (int l = 0; l < m->n_layers; l++) {
        bool product = !strcmp(m->layer[l].c.op->name, "matmul");

        ck_assert_msg(product == (mp.capacity[l].bytes > 0), "%s", m->layer[l].c.op->name);
        found += product;
    }
    ck_assert_int_gt(found, 10);
}
END_TEST

/* One ratio for the class, of shapes that were never sampled as well; none for the others. */
START_TEST(of_the_class)
{
    int reusable = 0, others = 0;

    put(0.5, 1.1);
    put(1, 1.3);
    make(CAPACITIES_CONSTANT);
    near(ALIKE, 0.75 * INPUT(256));
    for (int l = 0; l < m->n_layers; l++) {
        bool same = m->layer[l].c.op->class == OP_REUSABLE;

        if (same && mp.capacity[l].bytes > 0)
            near(l, 0.75 * (double)op_input_bytes(&m->layer[l].c));
        reusable += same && mp.capacity[l].bytes > 0;
        others += !same && mp.capacity[l].bytes > 0;
    }
    ck_assert_int_gt(reusable, 30);
    ck_assert_int_eq(others, 0);
}
END_TEST

/* The one sample is the device's best at both, so it hides nothing: a fifth more time is a fifth
 * more bytes. Four times the columns compute four times as long and leave memory idle for it; but for
 * what bias and relu add, which is less than 2 %. */
START_TEST(of_a_roofline)
{
    double moved = INPUT(64) + OUTPUT(64), alike;

    put(1, 1.3);
    make(CAPACITIES_ROOFLINE);
    near(SAMPLED, 0.2 * moved);
    alike = 1.2 * 4 * moved - INPUT(256) - OUTPUT(256);
    ck_assert_double_eq_tol((double)mp.capacity[ALIKE].bytes, alike, 0.02 * 4.8 * moved);
}
END_TEST

START_TEST(at_random_by_a_seed)
{
    uint64_t *first = calloc((size_t)m->n_layers, sizeof(*first));
    int same = 0, small = 0, large = 0;

    make(CAPACITIES_RANDOM);
    for (int l = 0; l < m->n_layers; l++) {
        double ratio = (double)mp.capacity[l].bytes / (double)op_input_bytes(&m->layer[l].c);

        first[l] = mp.capacity[l].bytes;
        if (m->layer[l].c.op->class == OP_HIERARCHICAL)
            ck_assert_int_eq(first[l], 0);
        ck_assert_double_le(ratio, 4);
        small += first[l] > 0 && ratio < 0.25;
        large += ratio > 0.25;
    }
    ck_assert_int_gt(small, 5);
    ck_assert_int_gt(large, 5);
    make(CAPACITIES_RANDOM);
    for (int l = 0; l < m->n_layers; l++)
        ck_assert_int_eq(mp.capacity[l].bytes, first[l]);
    x.seed = 8;
    make(CAPACITIES_RANDOM);
    for (int l = 0; l < m->n_layers; l++)
        same += first[l] > 0 && mp.capacity[l].bytes == first[l];
    ck_assert_int_lt(same, 3);
    free(first);
}
END_TEST

START_TEST(without_samples)
{
    static const enum capacities how[] = {CAPACITIES_MEASURED, CAPACITIES_ROOFLINE,
                                          CAPACITIES_CONSTANT};

    for (int i = 0; i < 3; i++) {
        struct err err = {0};

        ck_assert_int_eq(capacities_replace(&x, how[i], &mp, &err), -ENODATA);
        ck_assert_msg(strstr(err.text, "flashmem sweep") != NULL, "%s", err.text);
    }
}
END_TEST

START_TEST(for_the_record)
{
    struct thresholds t = {{[OP_ELEMENTAL] = 0.3, [OP_REUSABLE] = 0.25}};
    char text[96];

    capacities_print(CAPACITIES_RANDOM, 7, &t, text, sizeof(text));
    ck_assert_str_eq(text, "random 7; elemental=0.3 reusable=0.25");
    capacities_print(CAPACITIES_ROOFLINE, 7, &t, text, sizeof(text));
    ck_assert_str_eq(text, "roofline; elemental=0.3 reusable=0.25");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("capacities");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, of_the_most_similar_shape);
    tcase_add_test(t, of_the_class);
    tcase_add_test(t, of_a_roofline);
    tcase_add_test(t, at_random_by_a_seed);
    tcase_add_test(t, without_samples);
    tcase_add_test(t, for_the_record);
    suite_add_tcase(s, t);
    return suite_run(s);
}
