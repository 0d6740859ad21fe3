/* Rooflines and the active choice, on laws that are sums of costs: what is recovered is the law. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/predict/active.h"
#include "harness/predict/simulate.h"
#include "harness/predict/roofline.h"
#include "profiler/rng.h"
#include "tests/suite.h"

static const struct device_info dev = {
    .type = DEVICE_CPU, .images = true, .half_images = true, .image_width = 8192,
    .image_height = 8192, .global_bytes = UINT64_MAX, .max_alloc_bytes = UINT64_MAX,
    .local_bytes = 65536, .max_group = 4096, .compute_units = 2};

static struct op_case parse(const char *text)
{
    struct err err = {0};
    struct op_case c;

    ck_assert_msg(op_case_parse(text, &c, &err) == 0, "%s: %s", text, err.text);
    return c;
}

static struct op_case rows_case(const char *op, int rows, int cols)
{
    char text[OP_TEXT_MAX];

    snprintf(text, sizeof(text), "%s:f32:rows=%d,cols=%d", op, rows, cols);
    return parse(text);
}

/* relu: 5 us and 8 bytes a ns; softmax: 20 us and 1 byte a ns. */
static double law_ns(const struct op_case *c)
{
    bool fast = strcmp(c->op->name, "relu") == 0;
    double bytes = (double)(op_input_bytes(c) + op_output_bytes(c));

    return fast ? 5e3 + bytes / 8 : 20e3 + bytes;
}

static struct roofline_row row_of(const struct op_case *c)
{
    struct roofline_row r = {0};
    struct op_variant v;

    op_variant_default(c, &dev, PATH_IMAGE, &v);
    ck_assert_int_eq(roofline_describe(&dev, c, &v, &r, NULL), 0);
    r.ns = law_ns(c);
    r.teaches = true;
    return r;
}

enum { ROWS = 60 };

static void fill(struct roofline_row *row)
{
    uint64_t seed = 3;

    for (int i = 0; i < ROWS; i++) {
        int rows = (16 + (int)rng_below(&seed, 16)) << rng_below(&seed, 7); /* 16 to 1984 */
        struct op_case c = rows_case(i % 2 ? "relu" : "softmax", rows,
                                     4 * (16 + (int)rng_below(&seed, 200)));

        row[i] = row_of(&c);
    }
}

static void check_law(const struct roofline *r, double tolerance)
{
    static const int sizes[][2] = {{100, 100}, {777, 512}, {3000, 1000}, {6000, 2000}};

    for (int i = 0; i < 4; i++) {
        struct op_case a = rows_case("relu", sizes[i][0], sizes[i][1]),
                       b = rows_case("softmax", sizes[i][0], sizes[i][1]);
        struct roofline_row x = row_of(&a), y = row_of(&b);

        ck_assert_msg(fabs(roofline_ns(r, &x) / x.ns - 1) < tolerance, "relu %d: %g for %g", i,
                      roofline_ns(r, &x), x.ns);
        ck_assert_msg(fabs(roofline_ns(r, &y) / y.ns - 1) < tolerance, "softmax %d: %g for %g", i,
                      roofline_ns(r, &y), y.ns);
    }
}

START_TEST(law_is_recovered)
{
    struct roofline_row row[ROWS];
    struct roofline *r, *again;
    char *text;

    fill(row);
    ck_assert_int_eq(roofline_fit(row, ROWS, NULL, 0, &r, NULL), 0);
    check_law(r, 0.06); /* up to four times the largest sample */
    ck_assert_int_eq(roofline_print(r, &text, NULL), 0);
    ck_assert_int_eq(roofline_parse(text, &again, NULL), 0);
    for (int i = 0; i < ROWS; i++)
        ck_assert_double_eq_tol(roofline_ns(again, &row[i]) / roofline_ns(r, &row[i]), 1, 1e-7);
    free(text);
    roofline_free(again);
    roofline_free(r);
}
END_TEST

START_TEST(outliers_and_the_fold_do_not_teach)
{
    struct roofline_row row[ROWS];
    struct roofline *r;
    int fold[ROWS];

    fill(row);
    for (int i = 0; i < ROWS; i++) {
        fold[i] = i % 5;
        if (fold[i] == 2)
            row[i].ns = 1; /* absurd, and left out */
        else if (i % 20 == 1 || i % 20 == 6)
            row[i].ns *= 10; /* somebody else took the machine */
    }
    ck_assert_int_eq(roofline_fit(row, ROWS, fold, 2, &r, NULL), 0);
    check_law(r, 0.2);
    roofline_free(r);
    for (int i = 0; i < ROWS; i++)
        row[i].teaches = false;
    ck_assert_int_eq(roofline_fit(row, ROWS, NULL, 0, &r, NULL), -ENODATA);
}
END_TEST

static const char *const damaged[] = {"", "-1", "-1:1,2", "x", "0:1,1,1,1,1,1,1,1,1,1,1,1",
                                      "-1:1,1,1,1,1,1,1,1,1,1,1,nan", "-1:1,1,1,1,1,1,1,1,1,1,1,1;",
                                      "-1:1,1,1,1,1,1,1,1,1,1,1,-1", "-1:1,1,1,1,1,1,1,1,1,1,1,1 "};

START_TEST(damaged_texts)
{
    struct roofline *r = NULL;

    ck_assert_int_eq(roofline_parse(damaged[_i], &r, NULL), -EINVAL);
    ck_assert_ptr_null(r);
}
END_TEST

/* ---- the active choice ---- */

START_TEST(unknown_kernels_first)
{
    static struct op_case c[42];
    static struct op_variant v[42];
    struct active_item item[42];
    int index[42], again[42], n, m;

    for (int i = 0; i < 42; i++) {
        c[i] = rows_case(i == 20 ? "gelu" : i == 30 ? "softmax" : "relu", 100 + 10 * i, 256);
        op_variant_default(&c[i], &dev, PATH_IMAGE, &v[i]);
        item[i] = (struct active_item){&c[i], &v[i], 0, i < 10 ? law_ns(&c[i]) : NAN, NAN};
    }
    if (active_choose(&dev, item, 42, 8, 1, index, &n, NULL) == -ENOTSUP)
        return; /* built without XGBoost */
    ck_assert_int_eq(n, 8);
    ck_assert((index[0] == 20 && index[1] == 30) || (index[0] == 30 && index[1] == 20));
    ck_assert_int_eq(active_choose(&dev, item, 42, 8, 1, again, &m, NULL), 0);
    ck_assert(m == n && memcmp(index, again, sizeof(*index) * 8) == 0);
    ck_assert_int_eq(active_choose(&dev, item, 42, 42, 1, index, &n, NULL), 0);
    ck_assert_int_eq(n, 32); /* each of the rest once */
    for (int i = 0; i < n; i++)
        for (int k = 0; k < i; k++)
            ck_assert(index[i] >= 10 && index[i] != index[k]);
}
END_TEST

static struct {
    int n, samples[64];
    struct stats_errors e[64];
} seen;

static void each(void *ctx, int samples, const struct stats_errors *e)
{
    (void)ctx;
    ck_assert_int_lt(seen.n, 64);
    seen.samples[seen.n] = samples;
    seen.e[seen.n++] = *e;
}

START_TEST(sweeps_are_played)
{
    enum { SAMPLES = 200 };
    static struct sampled row[SAMPLES];
    struct sampled_set set = {.n = SAMPLES, .row = row};
    uint64_t rng = 5;
    int all[2];

    for (int i = 0; i < SAMPLES; i++) {
        row[i] = (struct sampled){.id = i, .base_ns = NAN, .slowdown = NAN};
        row[i].c = rows_case(i % 4 ? "relu" : "softmax", 64 + (int)rng_below(&rng, 4000),
                             4 * (16 + (int)rng_below(&rng, 200)));
        op_variant_default(&row[i].c, &dev, PATH_IMAGE, &row[i].v);
        row[i].median_ns = law_ns(&row[i].c);
        if (i % 2) { /* under load: a pair */
            row[i].base_ns = row[i].median_ns;
            row[i].load_bytes = 16 * (1 + rng_below(&rng, 1000));
            row[i].v.form = FORM_PIPELINED;
            row[i].v.n_loads = 1;
            row[i].slowdown = 1 + 1e-4 * (double)row[i].load_bytes;
            row[i].median_ns *= row[i].slowdown;
        }
    }
    for (int s = SIMULATE_RANDOM; s <= SIMULATE_ACTIVE; s++) {
        seen.n = 0;
        if (simulate_sweep(&dev, &set, (enum simulate_strategy)s, 7, each, NULL, NULL) == -ENOTSUP)
            return;
        ck_assert_int_gt(seen.n, 3);
        for (int i = 1; i < seen.n; i++)
            ck_assert_int_gt(seen.samples[i], seen.samples[i - 1]);
        all[s] = seen.samples[seen.n - 1];
        ck_assert_int_lt(all[s], SAMPLES); /* some are held out */
        ck_assert_int_gt(all[s], SAMPLES / 2);
        ck_assert_msg(seen.e[seen.n - 1].within_10pct > 0.95, "strategy %d: %g", s,
                      seen.e[seen.n - 1].within_10pct);
    }
    ck_assert_int_eq(all[0], all[1]);
    set.n = 10;
    ck_assert_int_eq(simulate_sweep(&dev, &set, SIMULATE_RANDOM, 7, each, NULL, NULL), -ENODATA);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("roofline");
    TCase *t = tcase_create("roofline");

    tcase_add_test(t, law_is_recovered);
    tcase_add_test(t, outliers_and_the_fold_do_not_teach);
    tcase_add_loop_test(t, damaged_texts, 0, sizeof(damaged) / sizeof(damaged[0]));
    tcase_add_test(t, unknown_kernels_first);
    tcase_add_test(t, sweeps_are_played);
    suite_add_tcase(s, t);
    return suite_run(s);
}
