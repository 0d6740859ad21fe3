/* Training and predicting on samples of a known law (predict_law.h). Predictions are asked for shapes
 * that no sample has. */
#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/samples/group.h"
#include "harness/samples/sampled.h"
#include "profiler/learn/regressor.h"
#include "tests/predict_law.h"
#include "tests/suite.h"

/* ---- groups ---- */

START_TEST(alike_cases_share_a_group)
{
    static const char *const text[] = {
        "matmul:f32:m=128,n=768,k=768", "relu:f32:rows=128,cols=768",
        "matmul:f32:m=128,n=768,k=768", /* the same */
        "matmul:f32:m=127,n=768,k=768", /* a tile edge */
        "matmul:f32:m=121,n=768,k=768", /* near the one before */
        "matmul:f32:m=96,n=768,k=768",  "relu:f32:rows=128,cols=1024",
        "softmax:f32:rows=128,cols=768",
        "matmul:f32:m=128,n=768,k=768,bias=1", /* the same, but for a flag */
    };
    enum { N = sizeof(text) / sizeof(text[0]) };
    struct op_case c[N];
    const struct op_case *p[N];
    int group[N];

    for (int i = 0; i < N; i++) {
        c[i] = parse(text[i]);
        p[i] = &c[i];
    }
    ck_assert_int_eq(group_cases(p, N, group), 5);
    ck_assert(group[0] == group[2] && group[0] == group[3] && group[0] == group[4]);
    ck_assert(group[0] == group[8]);
    ck_assert(group[0] != group[5] && group[0] != group[1]);
    ck_assert(group[1] != group[6] && group[1] != group[7]);
    for (int i = 0; i < N; i++)
        ck_assert(group[i] >= 0 && group[i] < 5);
}
END_TEST

/* ---- training and predicting ---- */

static double median_of(double *x, int n)
{
    return stats_median(x, n);
}

START_TEST(law_is_recovered)
{
    enum { ASKED = 40 };
    struct thresholds t = thresholds_default();
    double latency_off[2][ASKED], slowdown_off[2][ASKED], capacity_off[2][ASKED];
    struct bench b;
    struct predictor *p;

    bench_open(&b);
    sweep(&b, 150, 80, 20);
    ck_assert_int_eq(train(&b), 2);
    ck_assert_str_eq(notes, "");
    p = load(&b);
    b.rng = 99;
    for (int kind = 0; kind < 2; kind++) {
        for (int i = 0; i < ASKED; i++) {
            struct err err = {0};
            struct capacity cap;
            char text[OP_TEXT_MAX];
            struct op_case c;
            struct op_variant v;
            double ns, want;

            kind ? draw_rows(&b, "relu", text) : draw_matmul(&b, text);
            c = parse(text);
            v = variant(&c, FORM_NAIVE);
            ck_assert_msg(predictor_latency(p, &dev, &c, &v, &ns, &err) == 0, "%s", err.text);
            latency_off[kind][i] = fabs(ns / law_ns(&c) - 1);
            ck_assert_msg(predictor_capacity(p, &dev, &c, &v, &t, &cap, &err) == 0, "%s", err.text);
            ck_assert(cap.latency_ns == ns && cap.threshold == t.allowed[c.op->class]);
            want = law_capacity(&c, cap.threshold);
            ck_assert_msg(!cap.censored && cap.bytes > 0 && cap.bytes % 16 == 0, "%s", text);
            capacity_off[kind][i] = fabs((double)cap.bytes / want - 1);
            slowdown_off[kind][i] =
                fabs(load_curve_at(&cap.curve, want / 2) / law_slowdown(&c, want / 2) - 1);
            ck_assert_msg(cap.curve.fit_error < 0.2, "%s: %g", text, cap.curve.fit_error);
        }
        ck_assert_msg(median_of(latency_off[kind], ASKED) < 0.05, "latency: %g",
                      median_of(latency_off[kind], ASKED));
        ck_assert_msg(stats_quantile(latency_off[kind], ASKED, 0.9) < 0.15, "latency: %g",
                      stats_quantile(latency_off[kind], ASKED, 0.9));
        ck_assert_msg(median_of(slowdown_off[kind], ASKED) < 0.05, "slowdown: %g",
                      median_of(slowdown_off[kind], ASKED));
        ck_assert_msg(median_of(capacity_off[kind], ASKED) < 0.10, "capacity: %g",
                      median_of(capacity_off[kind], ASKED));
        ck_assert_msg(stats_quantile(capacity_off[kind], ASKED, 0.9) < 0.30, "capacity: %g",
                      stats_quantile(capacity_off[kind], ASKED, 0.9));
    }
    predictor_free(p);
    bench_close(&b);
}
END_TEST

/* Metrics are recomputed in SQL from the stored out-of-fold predictions; rows of one shape are in
 * one fold; bands hold what they say. */
START_TEST(stored_rows_agree)
{
    struct bench b;
    struct predictor *p;
    struct interval band;
    struct err err = {0};
    int64_t newest;

    bench_open(&b);
    sweep(&b, 60, 40, 10);
    ck_assert_int_eq(train(&b), 2);
    ck_assert(number(&b, "SELECT count(*) FROM regressor WHERE folds = 3") == 2);
    ck_assert(number(&b, "SELECT samples FROM regressor WHERE target = 'latency'") == 110);
    ck_assert(number(&b, "SELECT shapes BETWEEN 90 AND 110 FROM regressor"
                         " WHERE target = 'latency'") == 1);
    ck_assert(number(&b, "SELECT samples = (SELECT count(*) FROM config WHERE load_bytes > 0)"
                         " FROM regressor WHERE target = 'slowdown'") == 1);
    /* slowdown: one row a sample, so that the table holds all that the metric is made of */
    ck_assert(number(&b, "SELECT max(abs(m.mape - (SELECT avg(abs(p.predicted - p.measured) /"
                         " p.measured) FROM prediction p JOIN sample s ON s.id = p.sample_id"
                         " JOIN config c ON c.id = s.config_id WHERE p.regressor_id = r.id AND"
                         " m.scope IN ('all', c.op, c.class)))) FROM metric m JOIN regressor r"
                         " ON r.id = m.regressor_id WHERE r.target = 'slowdown'") < 1e-12);
    ck_assert(number(&b, "SELECT max(abs(m.within_10pct - (SELECT avg(abs(p.predicted - p.measured)"
                         " <= 0.1 * p.measured) FROM prediction p JOIN sample s"
                         " ON s.id = p.sample_id"
                         " JOIN config c ON c.id = s.config_id WHERE p.regressor_id = r.id AND"
                         " m.scope IN ('all', c.op, c.class)))) FROM metric m JOIN regressor r"
                         " ON r.id = m.regressor_id WHERE r.target = 'slowdown'") < 1e-12);
    ck_assert(number(&b, "SELECT count(DISTINCT scope) FROM metric") == 7); /* all, 3, 3 */
    ck_assert(number(&b, "SELECT count(*) FROM metric WHERE noisy = 0") ==
              number(&b, "SELECT count(*) FROM metric WHERE noisy = 1"));
    ck_assert(number(&b, "SELECT max(n) FROM (SELECT count(DISTINCT p.fold) AS n"
                         " FROM prediction p JOIN sample s ON s.id = p.sample_id JOIN config c"
                         " ON c.id = s.config_id GROUP BY p.regressor_id, c.op, c.shape)") == 1);
    ck_assert(number(&b, "SELECT mape BETWEEN 0.005 AND 0.1 FROM metric JOIN regressor r"
                         " ON r.id = regressor_id WHERE scope = 'all' AND noisy = 0"
                         " AND target = 'slowdown'") == 1);
    p = load(&b);
    ck_assert(predictor_id(p) == (int64_t)number(&b, "SELECT max(id) FROM regressor"));
    for (int loaded = 0; loaded < 2; loaded++) {
        band = predictor_band(p, op_find("matmul"), loaded);
        ck_assert(band.low < band.mid && band.mid < band.high);
        ck_assert(band.low > 0.4 && band.low < 1 && band.high > 1 && band.high < 2.5);
    }
    ck_assert(isnan(predictor_band(p, op_find("softmax"), true).low)); /* carries none */
    ck_assert(isnan(predictor_band(p, op_find("gelu"), false).low));   /* no samples */
    newest = predictor_id(p);
    predictor_free(p);
    /* Joined from another database: trained before, stored behind. */
    ck_assert_int_eq(store_exec(b.st, &err,
                                "INSERT INTO regressor SELECT NULL, device_id,"
                                " '2000-01-01T00:00:00Z', target, dtype, path, samples, shapes,"
                                " folds, options, features, model_json FROM regressor ORDER BY id",
                                ""),
                     0);
    p = load(&b);
    ck_assert_int_eq(predictor_id(p), newest);
    predictor_free(p);
    bench_close(&b);
}
END_TEST

static void count_score(void *ctx, const struct predict_score *s)
{
    (void)s;
    ++*(int *)ctx;
}

/* Every score that is told is stored; the one of the split that the metrics are of is the metric. */
START_TEST(scores_are_stored)
{
    struct predict_train_options o = options();
    struct err err = {0};
    struct bench b;
    int told = 0, trained = 0;

    bench_open(&b);
    sweep(&b, 20, 0, 10);
    o.compare = true;
    o.score = count_score;
    o.score_ctx = &told;
    ck_assert_msg(predict_train(b.st, b.device_id, &o, &trained, &err) == 0, "%s", err.text);
    ck_assert(told > 20 && number(&b, "SELECT count(*) FROM score") == told);
    ck_assert(number(&b, "SELECT count(*) FROM metric m JOIN score s USING (regressor_id, scope)"
                         " WHERE noisy = 1 AND split = 'shape' AND method = 'blended' AND"
                         " s.samples = m.samples AND abs(s.mape - m.mape) < 1e-12") ==
              number(&b, "SELECT count(*) FROM metric WHERE noisy = 1"));
    ck_assert(number(&b, "SELECT count(DISTINCT method) FROM score WHERE split = 'shape'") == 5);
    bench_close(&b);
}
END_TEST

START_TEST(same_samples_same_regressors)
{
    struct bench b;

    bench_open(&b);
    sweep(&b, 25, 15, 0);
    train(&b);
    train(&b);
    ck_assert(number(&b, "SELECT count(*) FROM regressor") == 4);
    ck_assert(number(&b, "SELECT count(DISTINCT model_json) FROM regressor") == 2);
    bench_close(&b);
}
END_TEST

/* A base configuration that was measured many times is one row, its median; noisy samples with
 * absurd values are predicted and counted apart, and teach nothing. */
START_TEST(repeats_and_noise)
{
    struct predict_train_options o = options();
    struct bench b;
    struct op_case c;
    struct op_variant v;
    struct predictor *p;
    double quiet, loud;
    int trained;

    bench_open(&b);
    sweep(&b, 40, 0, 0);
    c = parse("matmul:f32:m=256,n=256,k=256");
    v = variant(&c, FORM_NAIVE);
    for (int i = 1; i <= 9; i++) { /* as the base sides of nine pairs; the median is the law */
        uint64_t bytes = 16 * (uint64_t)i * 1000;
        double base = law_ns(&c) * (i == 1 ? 0.01 : i == 9 ? 100 : 1);

        put(&b, &c, FORM_PIPELINED, bytes, "ok", "flushed", base, base,
            law_slowdown(&c, (double)bytes));
    }
    for (int i = 0; i < 12; i++) {
        char text[OP_TEXT_MAX];
        struct op_case absurd;

        snprintf(text, sizeof(text), "layernorm:f32:rows=%d,cols=%d",
                 draw(&b, 150, 250), draw(&b, 150, 250));
        absurd = parse(text);
        put(&b, &absurd, FORM_NAIVE, 0, "noisy", "flushed", 1e12, NAN, NAN);
        put(&b, &absurd, FORM_NAIVE, 0, "ok", "hot", 1, NAN, NAN); /* another experiment */
    }
    ck_assert_int_eq(predict_train(b.st, b.device_id, &o, &trained, NULL), 0);
    ck_assert(number(&b, "SELECT samples FROM regressor WHERE target = 'latency'") == 53);
    ck_assert(number(&b, "SELECT m.samples FROM metric m JOIN regressor r ON r.id = regressor_id"
                         " WHERE target = 'latency' AND scope = 'all' AND noisy = 0") == 41);
    ck_assert(number(&b, "SELECT m.samples FROM metric m JOIN regressor r ON r.id = regressor_id"
                         " WHERE target = 'latency' AND scope = 'all' AND noisy = 1") == 53);
    p = load(&b);
    ck_assert_int_eq(predictor_latency(p, &dev, &c, &v, &quiet, NULL), 0);
    ck_assert_msg(fabs(quiet / law_ns(&c) - 1) < 0.3, "%g", quiet / law_ns(&c));
    c = parse("layernorm:f32:rows=200,cols=200"); /* no quiet sample: by what all others say */
    v = variant(&c, FORM_NAIVE);
    ck_assert_int_eq(predictor_latency(p, &dev, &c, &v, &quiet, NULL), 0);
    ck_assert_msg(quiet < 1e9, "%g", quiet);
    predictor_free(p);
    o.include_noisy = true;
    ck_assert_int_eq(predict_train(b.st, b.device_id, &o, &trained, NULL), 0);
    p = load(&b);
    ck_assert_int_eq(predictor_latency(p, &dev, &c, &v, &loud, NULL), 0);
    ck_assert_msg(loud > 1e11, "%g", loud);
    predictor_free(p);
    bench_close(&b);
}
END_TEST

START_TEST(too_little_is_said)
{
    struct predict_train_options o = options();
    struct bench b;
    struct err err = {0};
    struct predictor *p = NULL;
    struct op_case c;
    int trained = -7;

    o.folds = 5;
    bench_open(&b);
    ck_assert_int_eq(predict_train(b.st, b.device_id, &o, &trained, &err), -ENODATA);
    ck_assert_msg(strstr(err.text, "flashmem sweep") != NULL, "%s", err.text);
    ck_assert_int_eq(predict_train(b.st, 12345, &o, &trained, &err), -ENOENT);
    ck_assert_int_eq(predictor_load(b.st, b.device_id, DTYPE_F32, PATH_IMAGE, &p, &err), -ENOENT);
    ck_assert_msg(strstr(err.text, "flashmem train") != NULL, "%s", err.text);

    sweep(&b, 4, 0, 0);
    ck_assert_int_eq(predict_train(b.st, b.device_id, &o, &trained, &err), -ENODATA);
    ck_assert_msg(strstr(err.text, "4 distinct shapes") != NULL, "%s", err.text);
    ck_assert(trained == -7 && number(&b, "SELECT count(*) FROM regressor") == 0);
    o.folds = 1;
    ck_assert_int_eq(predict_train(b.st, b.device_id, &o, &trained, &err), -EINVAL);

    /* Enough without load, too little with: latency alone, and the rest is noted. */
    o.folds = 5;
    sweep(&b, 0, 0, 20);
    ck_assert_int_eq(predict_train(b.st, b.device_id, &o, &trained, &err), 0);
    ck_assert_int_eq(trained, 1);
    ck_assert_msg(strstr(notes, "slowdown of f32 image: 4 distinct shapes") != NULL, "%s", notes);
    p = load(&b);
    ck_assert(predictor_id(p) == (int64_t)number(&b, "SELECT max(id) FROM regressor"));
    predictor_free(p);

    /* A row that this program's operators cannot read is left out and noted. */
    c = parse("relu:f32:rows=4,cols=4");
    put(&b, &c, FORM_NAIVE, 0, "ok", "flushed", 1e5, NAN, NAN);
    exec(&b, "UPDATE config SET shape = 'rows=4,columns=4' WHERE op = 'relu'");
    ck_assert_int_eq(predict_train(b.st, b.device_id, &o, &trained, &err), 0);
    ck_assert_int_eq(trained, 1);
    ck_assert_msg(strstr(notes, "1 samples of f32 image left out") != NULL, "%s", notes);

    exec(&b, "UPDATE regressor SET features = 'x' || features");
    p = NULL;
    ck_assert_int_eq(predictor_load(b.st, b.device_id, DTYPE_F32, PATH_IMAGE, &p, &err), -ESTALE);
    ck_assert(p == NULL);
    bench_close(&b);
}
END_TEST

/* Every other launch is late, and the two sides of a pair meet that in turns: 1000 and 1200 ns, 2200 and
 * 2000. Of a GPU the stored medians, which are of either by chance, give way to 1100 and 2100; a sample
 * that is noisy for no other reason is quiet then. One that is scattered stays noisy. */
START_TEST(repeats_of_a_gpu_in_twos)
{
    static const char *const shape[] = {"relu:f32:rows=64,cols=64", "relu:f32:rows=64,cols=128"};
    struct device_info gpu = dev;
    struct sampled_set set;
    struct err err = {0};
    struct bench b;

    gpu.type = DEVICE_GPU;
    bench_open(&b);
    for (int i = 0; i < 2; i++) {
        struct op_case c = parse(shape[i]);

        put(&b, &c, FORM_PIPELINED, 4096, "noisy", "flushed", 2000, 1200, 1.7);
    }
    exec(&b, "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 40)"
             " INSERT INTO repeat (sample_id, side, seq, time_ns, aside) SELECT s.id, v.side, n.i,"
             " CASE WHEN n.i = 40 THEN 9000" /* set aside */
             "  WHEN s.id = 1 THEN (n.i + v.side) % 2 * 200 + 1000 + v.side * 1000"
             "  ELSE 1000 + v.side * 1000 + n.i * n.i END, n.i = 40"
             " FROM sample s, n, (SELECT 0 AS side UNION SELECT 1) v");
    ck_assert_int_eq(sampled_read(b.st, b.device_id, &gpu, DTYPE_F32, PATH_IMAGE, &set, &err), 0);
    ck_assert_int_eq(set.n, 2);
    for (int i = 0; i < 2; i++) {
        const struct sampled *s = &set.row[i];

        ck_assert_int_eq(s->noisy, s->id == 2);
        if (s->id != 1)
            continue;
        ck_assert_double_eq(s->base_ns, 1100);
        ck_assert_double_eq(s->median_ns, 2100);
        ck_assert_double_eq_tol(s->slowdown, 2100.0 / 1100, 1e-12);
    }
    sampled_done(&set);
    ck_assert_int_eq(sampled_read(b.st, b.device_id, &dev, DTYPE_F32, PATH_IMAGE, &set, &err), 0);
    for (int i = 0; i < 2; i++) /* a CPU's stay as they are */
        ck_assert(set.row[i].noisy && set.row[i].base_ns == 1200 && set.row[i].slowdown == 1.7);
    sampled_done(&set);
    bench_close(&b);
}
END_TEST

/* The hash of what this program would build is on `current` of five samples. */
static int read_of_five(struct bench *b, const struct op_case *c, int current, int *ret_outdated)
{
    struct sampled_set set;
    struct op_variant v;
    struct err err = {0};
    char hash[20];
    uint64_t now;
    int n;

    op_variant_default(c, &dev, PATH_IMAGE, &v);
    v.form = FORM_PIPELINED;
    v.n_loads = 1;
    ck_assert_int_eq(op_variant_hash(c, &v, &dev, &now, NULL), 0);
    snprintf(hash, sizeof(hash), "%016" PRIx64, now);
    ck_assert_int_eq(store_exec(b->st, &err, "UPDATE sample SET build_hash = CASE WHEN id <= ? THEN ?"
                                " ELSE '0123456789abcdef' END", "is", (int64_t)current, hash), 0);
    ck_assert_int_eq(
        sampled_read(b->st, b->device_id, &dev, DTYPE_F32, PATH_IMAGE, &set, &err), 0);
    n = set.n;
    *ret_outdated = set.outdated;
    sampled_done(&set);
    return n;
}

/* They are left out where others tell more, and are better than nothing. */
START_TEST(samples_of_other_builds)
{
    struct op_case c = parse("relu:f32:rows=64,cols=64");
    struct bench b;
    int outdated;

    bench_open(&b);
    for (int i = 0; i < 5; i++)
        put(&b, &c, FORM_PIPELINED, 4096 << i, "ok", "flushed", 2000, 1200, 1.7);
    ck_assert_int_eq(read_of_five(&b, &c, 2, &outdated), 2);
    ck_assert_int_eq(outdated, 3);
    ck_assert_int_eq(read_of_five(&b, &c, 1, &outdated), 5);
    ck_assert_int_eq(outdated, 0);
    bench_close(&b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("predict");
    TCase *t = tcase_create("predict");
    struct regressor *none = NULL;

    if (regressor_from_json("", &none, NULL) == -ENOTSUP)
        return 77;
    tcase_add_test(t, alike_cases_share_a_group);
    tcase_add_test(t, law_is_recovered);
    tcase_add_test(t, stored_rows_agree);
    tcase_add_test(t, scores_are_stored);
    tcase_add_test(t, same_samples_same_regressors);
    tcase_add_test(t, repeats_and_noise);
    tcase_add_test(t, too_little_is_said);
    tcase_add_test(t, repeats_of_a_gpu_in_twos);
    tcase_add_test(t, samples_of_other_builds);
    suite_add_tcase(s, t);
    return suite_run(s);
}
