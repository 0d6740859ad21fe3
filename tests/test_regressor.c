/* profiler/learn/regressor.c on functions that are known. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/learn/folds.h"
#include "profiler/learn/regressor.h"
#include "profiler/rng.h"
#include "tests/suite.h"

enum { ROWS = 1200, COLS = 3 };

static const char *const names[COLS] = {"size", "ratio", "junk"};

/* log(1 + size * ratio) + 0.3 size, both in [0, 4): smooth, increasing in both; junk is junk. */
static double law(double size, double ratio)
{
    return log(1 + size * ratio) + 0.3 * size;
}

static struct {
    float x[ROWS * COLS], y[ROWS];
    int group[ROWS];
} set;

static struct regressor_data fill(uint64_t seed)
{
    for (int r = 0; r < ROWS; r++) {
        float *x = set.x + r * COLS;

        for (int c = 0; c < COLS; c++)
            x[c] = (float)(4 * rng_unit(&seed));
        set.y[r] = (float)law((double)x[0], (double)x[1]);
        set.group[r] = r / 4 * 1000 - 7; /* any ints */
    }
    return (struct regressor_data){ROWS, COLS, set.x, set.y, NULL, names};
}

static struct regressor_options quick(void)
{
    struct regressor_options o = regressor_defaults();

    o.trees = 150;
    o.depth = 5;
    o.eta = 0.1;
    o.threads = 1;
    return o;
}

/* 77 (a skip) without XGBoost. */
static int supported(void)
{
    struct regressor_data d = fill(1);
    struct regressor_options o = quick();
    struct regressor *r = NULL;
    struct err err = {0};
    int rc;

    d.rows = 4;
    o.trees = 1;
    rc = regressor_train(&d, &o, &r, &err);
    regressor_free(r);
    if (rc == -ENOTSUP && !strstr(err.text, "XGBoost"))
        return 0; /* the message is part of the contract: let the tests fail */
    return rc != -ENOTSUP;
}

static struct regressor *train(const struct regressor_data *d, const struct regressor_options *o)
{
    struct regressor *r = NULL;
    struct err err = {0};

    ck_assert_msg(regressor_train(d, o, &r, &err) == 0, "%s", err.text);
    return r;
}

static double r_squared(const float *p, const float *y, int n)
{
    double mean = 0, off = 0, spread = 0;

    for (int i = 0; i < n; i++)
        mean += (double)y[i] / n;
    for (int i = 0; i < n; i++) {
        off += pow((double)y[i] - (double)p[i], 2);
        spread += pow((double)y[i] - mean, 2);
    }
    return 1 - off / spread;
}

START_TEST(learns_a_law)
{
    struct regressor_data d = fill(1);
    struct regressor_options o = quick();
    struct regressor *r = train(&d, &o);
    float p[ROWS];
    struct err err = {0};

    fill(2); /* rows that it has not seen, same law */
    ck_assert_int_eq(regressor_predict(r, set.x, ROWS, COLS, p, &err), 0);
    ck_assert_msg(r_squared(p, set.y, ROWS) > 0.99, "R2 %g", r_squared(p, set.y, ROWS));
    regressor_free(r);
}
END_TEST

START_TEST(one_row_is_a_row_of_many)
{
    struct regressor_data d = fill(1);
    struct regressor_options o = quick();
    struct regressor *r = train(&d, &o);
    float p[ROWS], one;

    ck_assert_int_eq(regressor_predict(r, set.x, ROWS, COLS, p, NULL), 0);
    for (int i = 0; i < ROWS; i += 97) {
        ck_assert_int_eq(regressor_predict(r, set.x + i * COLS, 1, COLS, &one, NULL), 0);
        ck_assert(one == p[i]);
    }
    regressor_free(r);
}
END_TEST

START_TEST(same_seed_same_model)
{
    struct regressor_data d = fill(1);
    struct regressor_options o = quick();
    struct regressor *a = train(&d, &o), *b = train(&d, &o), *c;
    char *ja, *jb, *jc;

    o.seed = 77;
    c = train(&d, &o);
    ck_assert_int_eq(regressor_to_json(a, &ja, NULL), 0);
    ck_assert_int_eq(regressor_to_json(b, &jb, NULL), 0);
    ck_assert_int_eq(regressor_to_json(c, &jc, NULL), 0);
    ck_assert_str_eq(ja, jb);
    ck_assert_str_ne(ja, jc);
    free(ja);
    free(jb);
    free(jc);
    regressor_free(a);
    regressor_free(b);
    regressor_free(c);
}
END_TEST

/* A target with a dip: unconstrained, the prediction follows it; constrained, it never falls. */
START_TEST(monotone_constraint_holds)
{
    static const signed char up[COLS] = {0, 1, 0}, down[COLS] = {0, -1, 0};
    struct regressor_data d = fill(1);
    struct regressor_options o = quick();
    const signed char *kinds[] = {NULL, up, down};
    int falls[3] = {0}, rises[3] = {0};

    for (int i = 0; i < ROWS; i++)
        set.y[i] = sinf(3 * set.x[i * COLS + 1]);
    for (int k = 0; k < 3; k++) {
        struct regressor *r;
        float x[200 * COLS], p[200];

        o.monotone = kinds[k];
        r = train(&d, &o);
        for (int size = 0; size < 4; size++) {
            for (int i = 0; i < 200; i++) {
                x[i * COLS] = (float)size;
                x[i * COLS + 1] = (float)i * 0.02f;
                x[i * COLS + 2] = 1;
            }
            ck_assert_int_eq(regressor_predict(r, x, 200, COLS, p, NULL), 0);
            for (int i = 1; i < 200; i++) {
                falls[k] += p[i] < p[i - 1];
                rises[k] += p[i] > p[i - 1];
            }
        }
        regressor_free(r);
    }
    ck_assert(falls[0] > 0 && rises[0] > 0);
    ck_assert(falls[1] == 0 && rises[1] > 0);
    ck_assert(falls[2] > 0 && rises[2] == 0);
}
END_TEST

static int cross_validate(const struct regressor_data *d, const int *group, int folds,
                          const struct regressor_options *o, float *ret_y, int *ret_fold,
                          struct err *err)
{
    int fold[ROWS], rc = folds_deal(group, d->rows, folds, o->seed, fold, err);

    if (rc == 0)
        rc = folds_predict(d, fold, folds, o, NULL, NULL, ret_y, err);
    if (rc == 0 && ret_fold)
        memcpy(ret_fold, fold, sizeof(fold));
    return rc;
}

/* The target is one random number per group, and a feature names the group. Where rows of a group
 * are on both sides, that feature gives it away; by groups, nothing can be known. */
START_TEST(groups_do_not_leak)
{
    struct regressor_data d = fill(1);
    struct regressor_options o = quick();
    uint64_t seed = 9;
    int own[ROWS];
    float p[ROWS];
    double leaky, grouped;

    for (int i = 0; i < ROWS; i++) {
        set.group[i] = i / 12;
        set.y[i] = i % 12 ? set.y[i - 1] : (float)rng_unit(&seed);
        set.x[i * COLS + 2] = (float)set.group[i];
        own[i] = i;
    }
    ck_assert_int_eq(cross_validate(&d, own, 5, &o, p, NULL, NULL), 0);
    leaky = r_squared(p, set.y, ROWS);
    ck_assert_int_eq(cross_validate(&d, set.group, 5, &o, p, NULL, NULL), 0);
    grouped = r_squared(p, set.y, ROWS);
    ck_assert_msg(leaky > 0.9, "the trap does not work: R2 %g", leaky);
    ck_assert_msg(grouped < 0.1, "rows of a group are on both sides: R2 %g", grouped);
}
END_TEST

START_TEST(folds)
{
    struct regressor_data d = fill(1);
    struct regressor_options o = quick();
    float p[ROWS], q[ROWS];
    int fold[ROWS], again[ROWS], rows[5] = {0}, moved = 0;

    o.trees = 60;
    ck_assert_int_eq(cross_validate(&d, set.group, 5, &o, p, fold, NULL), 0);
    ck_assert_int_eq(cross_validate(&d, set.group, 5, &o, q, again, NULL), 0);
    ck_assert(memcmp(p, q, sizeof(p)) == 0 && memcmp(fold, again, sizeof(fold)) == 0);
    for (int i = 0; i < ROWS; i++) {
        ck_assert(fold[i] >= 0 && fold[i] < 5);
        ck_assert_int_eq(fold[i], fold[i / 4 * 4]);
        rows[fold[i]]++;
    }
    for (int f = 0; f < 5; f++)
        ck_assert_int_eq(rows[f], ROWS / 5); /* 300 groups of 4 */
    ck_assert(r_squared(p, set.y, ROWS) > 0.95);
    o.seed++;
    ck_assert_int_eq(cross_validate(&d, set.group, 5, &o, q, again, NULL), 0);
    for (int i = 0; i < ROWS; i++)
        moved += fold[i] != again[i];
    ck_assert(moved > ROWS / 2);
}
END_TEST

/* A fold's predictions are those of a regressor trained on the other folds alone. */
START_TEST(out_of_fold)
{
    struct regressor_data d = fill(1);
    struct regressor_options o = quick();
    float p[ROWS], x[ROWS * COLS], y[ROWS], one;
    struct regressor_data rest = {0, COLS, x, y, NULL, names};
    struct regressor *r;
    int fold[ROWS];

    o.trees = 40;
    ck_assert_int_eq(cross_validate(&d, set.group, 3, &o, p, fold, NULL), 0);
    for (int i = 0; i < ROWS; i++) {
        if (fold[i] == 1)
            continue;
        memcpy(x + rest.rows * COLS, set.x + i * COLS, COLS * sizeof(float));
        y[rest.rows++] = set.y[i];
    }
    r = train(&rest, &o);
    for (int i = 0; i < ROWS; i++) {
        if (fold[i] != 1)
            continue;
        ck_assert_int_eq(regressor_predict(r, set.x + i * COLS, 1, COLS, &one, NULL), 0);
        ck_assert(one == p[i]);
    }
    regressor_free(r);
}
END_TEST

START_TEST(weightless_rows_teach_nothing)
{
    struct regressor_data d = fill(1);
    struct regressor_options o = quick();
    float weight[ROWS], p[ROWS];
    struct regressor *r;

    for (int i = 0; i < ROWS; i++) {
        weight[i] = i % 3 ? 1 : 0;
        if (i % 3 == 0)
            set.y[i] = 1000;
    }
    d.weight = weight;
    r = train(&d, &o);
    fill(2);
    ck_assert_int_eq(regressor_predict(r, set.x, ROWS, COLS, p, NULL), 0);
    ck_assert_msg(r_squared(p, set.y, ROWS) > 0.98, "R2 %g", r_squared(p, set.y, ROWS));
    regressor_free(r);
}
END_TEST

START_TEST(missing_values_are_a_value)
{
    struct regressor_data d = fill(1);
    struct regressor_options o = quick();
    struct regressor *r;
    float p[2], x[2 * COLS] = {1, 1, NAN, 1, 1, 1};

    for (int i = 0; i < ROWS; i++) { /* NaN means 5, anything else means 1 */
        if (i % 2)
            set.x[i * COLS + 2] = NAN;
        set.y[i] = i % 2 ? 5 : 1;
    }
    r = train(&d, &o);
    ck_assert_int_eq(regressor_predict(r, x, 2, COLS, p, NULL), 0);
    ck_assert(fabsf(p[0] - 5) < 0.05f && fabsf(p[1] - 1) < 0.05f);
    regressor_free(r);
}
END_TEST

START_TEST(saved_and_loaded_are_the_same)
{
    struct regressor_data d = fill(1);
    struct regressor_options o = quick();
    struct regressor *r = train(&d, &o), *s = NULL;
    struct err err = {0};
    float p[ROWS], q[ROWS];
    char *json;

    ck_assert_int_eq(regressor_to_json(r, &json, NULL), 0);
    ck_assert(strstr(json, "\"feature_names\":[\"size\",\"ratio\",\"junk\"]") != NULL);
    ck_assert_msg(regressor_from_json(json, &s, &err) == 0, "%s", err.text);
    ck_assert_int_eq(regressor_predict(r, set.x, ROWS, COLS, p, NULL), 0);
    ck_assert_int_eq(regressor_predict(s, set.x, ROWS, COLS, q, NULL), 0);
    ck_assert(memcmp(p, q, sizeof(p)) == 0);
    free(json);
    regressor_free(r);
    regressor_free(s);
}
END_TEST

START_TEST(torn_models_are_refused)
{
    struct regressor_data d = fill(1);
    struct regressor_options o = quick();
    struct regressor *r, *s = NULL;
    struct err err = {0};
    char *json;
    size_t n;

    o.trees = 3;
    r = train(&d, &o);
    ck_assert_int_eq(regressor_to_json(r, &json, NULL), 0);
    n = strlen(json);
    for (size_t cut = 0; cut < n; cut += n / 40 + 1) {
        json[cut] = 0;
        err.text[0] = 0;
        ck_assert_int_eq(regressor_from_json(json, &s, &err), -EINVAL);
        ck_assert(s == NULL && err.text[0] && !strchr(err.text, '\n'));
        free(json);
        ck_assert_int_eq(regressor_to_json(r, &json, NULL), 0);
    }
    ck_assert_int_eq(regressor_from_json("binf\1\2\3", &s, &err), -EINVAL);
    ck_assert_int_eq(regressor_from_json("{\"a\": 1}", &s, &err), -EINVAL);
    ck_assert(s == NULL);
    free(json);
    regressor_free(r);
}
END_TEST

START_TEST(nonsense_is_refused_by_name)
{
    static const struct {
        int what;
        const char *want;
    } cases[] = {
        {0, "feature 'ratio' of row 5 is infinite"},
        {1, "target of row 7"},
        {2, "trees: want"},
        {3, "depth: want"},
        {4, "eta: want"},
        {5, "at least one row"},
        {6, "'a b' cannot be a name"},
        {7, "weight of row 3"},
        {8, "subsample: want"},
    };
    static const char *const blank[COLS] = {"size", "a b", "junk"};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct regressor_data d = fill(1);
        struct regressor_options o = quick();
        struct regressor *r = NULL;
        struct err err = {0};
        float weight[ROWS] = {0};

        switch (cases[i].what) {
        case 0: set.x[5 * COLS + 1] = INFINITY; break;
        case 1: set.y[7] = NAN; break;
        case 2: o.trees = 0; break;
        case 3: o.depth = 99; break;
        case 4: o.eta = NAN; break;
        case 5: d.rows = 0; break;
        case 6: d.names = blank; break;
        case 7: weight[3] = -1; d.weight = weight; break;
        case 8: o.subsample = 0; break;
        }
        ck_assert_int_eq(regressor_train(&d, &o, &r, &err), -EINVAL);
        ck_assert_msg(strstr(err.text, cases[i].want) != NULL, "%s", err.text);
        ck_assert(r == NULL);
    }
}
END_TEST

START_TEST(folds_and_columns_are_checked)
{
    struct regressor_data d = fill(1);
    struct regressor_options o = quick();
    struct err err = {0};
    float p[ROWS] = {42};
    struct regressor *r;

    o.trees = 3;
    for (int i = 0; i < ROWS; i++)
        set.group[i] = i % 4;
    ck_assert_int_eq(cross_validate(&d, set.group, 5, &o, p, NULL, &err), -EINVAL);
    ck_assert_msg(strstr(err.text, "want 2..4") != NULL, "%s", err.text);
    ck_assert_int_eq(cross_validate(&d, set.group, 1, &o, p, NULL, &err), -EINVAL);
    r = train(&d, &o);
    ck_assert_int_eq(regressor_predict(r, set.x, 3, COLS - 1, p, &err), -EINVAL);
    ck_assert(p[0] == 42);
    regressor_free(r);
}
END_TEST

/* What one fold's targets are made of must not have seen that fold: here, the mean of the rest. */
static int minus_mean(void *ctx, const int *fold, int which, float *y, struct err *err)
{
    double sum = 0, *mean = ctx;
    int n = 0;

    (void)err;
    for (int i = 0; i < ROWS; i++)
        if (fold[i] != which) {
            sum += (double)set.y[i];
            n++;
        }
    mean[which] = sum / n;
    for (int i = 0; i < ROWS; i++)
        y[i] = set.y[i] - (float)mean[which];
    return 0;
}

START_TEST(targets_of_a_fold)
{
    struct regressor_data d = fill(1);
    struct regressor_options o = quick();
    float p[ROWS], q[ROWS];
    double mean[3];
    int fold[ROWS];

    o.trees = 40;
    for (int i = 0; i < ROWS; i++) {
        fold[i] = i % 4; /* the rows of 3 are never predicted */
        p[i] = q[i] = -77;
    }
    ck_assert_int_eq(folds_predict(&d, fold, 3, &o, NULL, NULL, p, NULL), 0);
    ck_assert_int_eq(folds_predict(&d, fold, 3, &o, minus_mean, mean, q, NULL), 0);
    for (int i = 0; i < ROWS; i++) {
        if (fold[i] == 3)
            ck_assert(p[i] == -77 && q[i] == -77);
        else /* trees of residuals from a constant are the same trees */
            ck_assert_double_eq_tol(p[i], (double)q[i] + mean[fold[i]], 1e-3);
    }
}
END_TEST

START_TEST(importance_and_texts)
{
    struct regressor_data d = fill(1);
    struct regressor_options o = quick();
    struct regressor *r = train(&d, &o), *again;
    double gain[COLS];
    char *json;

    ck_assert_int_eq(regressor_importance(r, gain, NULL), 0);
    ck_assert_double_eq_tol(gain[0] + gain[1] + gain[2], 1, 1e-6);
    ck_assert(gain[0] > 0.05 && gain[1] > 0.05);
    ck_assert_msg(gain[2] < 0.05, "junk has gained %g", gain[2]);
    for (int i = 0; i < ROWS; i++)
        set.x[i * COLS] = 1; /* a feature that cannot split stands first, and has no score */
    again = train(&d, &o);
    ck_assert_int_eq(regressor_importance(again, gain, NULL), 0);
    ck_assert(gain[0] == 0 && gain[1] > 0);
    ck_assert_double_eq_tol(gain[1] + gain[2], 1, 1e-6);
    regressor_free(again);
    ck_assert_ptr_null(regressor_text(r, "note"));
    ck_assert_int_eq(regressor_set_text(r, "note", "a,\"b\"", NULL), 0);
    ck_assert_int_eq(regressor_to_json(r, &json, NULL), 0);
    ck_assert_int_eq(regressor_from_json(json, &again, NULL), 0);
    ck_assert_str_eq(regressor_text(again, "note"), "a,\"b\"");
    free(json);
    regressor_free(again);
    regressor_free(r);
}
END_TEST

/* XGBoost prints its warnings on stderr and stdout; results go there. */
START_TEST(nothing_is_printed)
{
    struct regressor_data d = fill(1);
    struct regressor_options o = quick();
    char path[] = "/tmp/test_regressor.XXXXXX";
    int fd = mkstemp(path), out = dup(1), err_fd = dup(2);
    struct regressor *r = NULL, *s = NULL;
    float p[ROWS];
    struct stat st;

    fflush(NULL);
    dup2(fd, 1);
    dup2(fd, 2);
    o.trees = 5;
    regressor_train(&d, &o, &r, NULL);
    regressor_predict(r, set.x, ROWS, COLS, p, NULL);
    cross_validate(&d, set.group, 5, &o, p, NULL, NULL);
    regressor_from_json("{\"learner\": 1}", &s, NULL);
    fflush(NULL);
    dup2(out, 1);
    dup2(err_fd, 2);
    fstat(fd, &st);
    ck_assert_int_eq(st.st_size, 0);
    ck_assert(s == NULL);
    close(fd);
    close(out);
    close(err_fd);
    unlink(path);
    regressor_free(r);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("regressor");
    TCase *t = tcase_create("regressor");

    if (!supported())
        return 77;
    tcase_add_test(t, learns_a_law);
    tcase_add_test(t, one_row_is_a_row_of_many);
    tcase_add_test(t, same_seed_same_model);
    tcase_add_test(t, monotone_constraint_holds);
    tcase_add_test(t, groups_do_not_leak);
    tcase_add_test(t, folds);
    tcase_add_test(t, out_of_fold);
    tcase_add_test(t, weightless_rows_teach_nothing);
    tcase_add_test(t, missing_values_are_a_value);
    tcase_add_test(t, saved_and_loaded_are_the_same);
    tcase_add_test(t, torn_models_are_refused);
    tcase_add_test(t, nonsense_is_refused_by_name);
    tcase_add_test(t, targets_of_a_fold);
    tcase_add_test(t, importance_and_texts);
    tcase_add_test(t, folds_and_columns_are_checked);
    tcase_add_test(t, nothing_is_printed);
    suite_add_tcase(s, t);
    return suite_run(s);
}
