/* The Gaussian process: its covariance against NumPy, and laws that it must recover. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/learn/gauss.h"
#include "profiler/rng.h"
#include "tests/suite.h"

static struct gauss *parsed(const char *text, int cols)
{
    struct err err = {0};
    struct gauss *g = NULL;

    ck_assert_msg(gauss_parse(text, cols, &g, &err) == 0, "%s", err.text);
    return g;
}

/* Hyperparameters and rows written down, so that nothing is learnt:
 * middle 1.5; lengths e^.2 e^.7, smooth e^-.3, linear e^-1.2, noise e^-3, other kinds logit .5;
 * mean and scale of two columns; three rows of kind, alpha, x. Values by NumPy 2.4 from the formula
 * in gauss.h. */
static const char by_hand[] = "3 2 1.5 0.2 0.7 -0.3 -1.2 -3 0.5 0.1 2 0.2 0.5"
                              " 3 0.4 0 0 3 -0.2 1 -0.5 7 0.1 -0.5 2";

START_TEST(covariance_by_numpy)
{
    static const struct {
        float x[2];
        int kind;
        double want;
    } at[] = {{{0.3F, 0.4F}, 3, 1.6503402087125139}, {{0.3F, 0.4F}, 7, 1.6154817490182742}, {{1, -2}, 9, 1.4465179190450308}};
    struct gauss *g = parsed(by_hand, 2);

    for (int i = 0; i < 3; i++)
        ck_assert_double_eq_tol(gauss_predict(g, at[i].x, at[i].kind, NULL), at[i].want, 1e-6);
    gauss_free(g);
}
END_TEST

enum { ROWS = 120, COLS = 4 };

/* Three columns matter, one does not; kinds differ by a constant. */
static double law(const float *x, int kind)
{
    return sin((double)x[0]) + 0.5 * (double)x[1] + 0.2 * (double)x[0] * (double)x[2] + 0.3 * kind;
}

struct play {
    float x[ROWS * COLS], y[ROWS];
    int kind[ROWS];
    bool teaches[ROWS];
};

static struct gauss_data data_of(struct play *p, uint64_t seed, double noise)
{
    for (int i = 0; i < ROWS; i++) {
        float *x = p->x + i * COLS;

        for (int j = 0; j < COLS; j++)
            x[j] = (float)(rng_unit(&seed) * 4 - 2);
        p->kind[i] = i % 2;
        p->y[i] = (float)(law(x, p->kind[i]) +
                          noise * (rng_unit(&seed) - 0.5));
        p->teaches[i] = i < 100;
    }
    return (struct gauss_data){ROWS, COLS, p->x, p->kind, p->y, p->teaches};
}

START_TEST(law_is_recovered)
{
    struct play p;
    struct gauss_data d = data_of(&p, 11, 0.02);
    struct err err = {0};
    struct gauss *g = NULL;
    double worst = 0;

    ck_assert_msg(gauss_fit(&d, 5, &g, &err) == 0, "%s", err.text);
    for (int i = 100; i < ROWS; i++) /* none of them taught */
        worst = fmax(worst, fabs(gauss_predict(g, p.x + i * COLS, p.kind[i], NULL) -
                                 law(p.x + i * COLS, p.kind[i])));
    ck_assert_double_lt(worst, 0.1); /* of a range of 5 */
    gauss_free(g);
}
END_TEST

/* What a row that does not teach says must not matter. */
START_TEST(silent_rows_are_silent)
{
    struct play p, q;
    struct gauss_data d = data_of(&p, 11, 0.02), e = data_of(&q, 11, 0.02);
    struct gauss *a = NULL, *b = NULL;

    for (int i = 100; i < ROWS; i++)
        q.y[i] = 1e6F;
    ck_assert_int_eq(gauss_fit(&d, 5, &a, NULL), 0);
    ck_assert_int_eq(gauss_fit(&e, 5, &b, NULL), 0);
    ck_assert_double_eq(gauss_predict(a, p.x, 0, NULL), gauss_predict(b, p.x, 0, NULL));
    gauss_free(a);
    gauss_free(b);
}
END_TEST

START_TEST(doubt_grows_with_distance)
{
    struct play p;
    struct gauss_data d = data_of(&p, 3, 0.02);
    struct gauss *g = NULL;
    float far[COLS] = {30, 30, 30, 30};
    double near_sd, far_sd;

    ck_assert_int_eq(gauss_fit(&d, 5, &g, NULL), 0);
    gauss_predict(g, p.x, p.kind[0], &near_sd);
    gauss_predict(g, far, 0, &far_sd);
    ck_assert_double_lt(near_sd, 0.1);
    ck_assert_double_gt(far_sd, 5 * near_sd);
    gauss_free(g);
}
END_TEST

/* Half of the rows are crowded where all is known, the others lie where nothing is. */
START_TEST(choice_goes_where_nothing_is_known)
{
    struct play p;
    struct gauss_data d = data_of(&p, 13, 0.02);
    struct gauss *g = NULL;
    bool taken[ROWS], present[ROWS];
    struct gauss_part part = {NULL, p.x, p.kind, present};
    int index[ROWS], n = 0, far = 0, seen[ROWS] = {0};

    for (int i = 0; i < ROWS; i++) {
        p.teaches[i] = i < 60;
        p.x[i * COLS] += i < 90 ? 0 : 6; /* rows 60..89 among what is known, 90.. away from it */
    }
    ck_assert_int_eq(gauss_fit(&d, 5, &g, NULL), 0);
    part.g = g;
    for (int i = 0; i < ROWS; i++) {
        taken[i] = i < 60;
        present[i] = true;
    }
    ck_assert_int_eq(gauss_choose(&part, 1, taken, ROWS, 0.1, 8, 3, index, &n, NULL), 0);
    ck_assert_int_eq(n, 8);
    for (int i = 0; i < n; i++) {
        ck_assert_int_ge(index[i], 60);
        far += index[i] >= 90;
        ck_assert_int_eq(seen[index[i]]++, 0);
    }
    ck_assert_int_ge(far, 7);
    ck_assert_int_eq(gauss_choose(&part, 1, taken, ROWS, 0.1, ROWS, 3, index, &n, NULL), 0);
    ck_assert_int_eq(n, 60); /* all that can be chosen, and no more */
    gauss_free(g);
}
END_TEST

/* All rows lie among what is known of one part. Of the other one half of them does, and only odd rows
 * have it. */
START_TEST(choice_looks_at_all_parts)
{
    struct play near, away;
    struct gauss_data a = data_of(&near, 13, 0.02), b = data_of(&away, 13, 0.02);
    bool taken[ROWS], all[ROWS], odd[ROWS];
    struct gauss_part part[2] = {{NULL, near.x, near.kind, all}, {NULL, away.x, away.kind, odd}};
    struct gauss *g[2] = {NULL, NULL};
    int index[ROWS], n = 0, far = 0;

    for (int i = 0; i < ROWS; i++) {
        away.x[i * COLS] += i < 90 ? 0 : 6;
        near.teaches[i] = taken[i] = i < 60;
        odd[i] = i % 2;
        away.teaches[i] = i < 60 && odd[i];
        all[i] = true;
    }
    ck_assert_int_eq(gauss_fit(&a, 5, &g[0], NULL), 0);
    ck_assert_int_eq(gauss_fit(&b, 5, &g[1], NULL), 0);
    part[0].g = g[0];
    part[1].g = g[1];
    ck_assert_int_eq(gauss_choose(part, 2, taken, ROWS, 0.1, 8, 3, index, &n, NULL), 0);
    ck_assert_int_eq(n, 8);
    for (int i = 0; i < n; i++)
        far += index[i] >= 90 && odd[index[i]];
    ck_assert_int_ge(far, 7);
    ck_assert_int_eq(gauss_choose(part, 0, taken, ROWS, 0.1, 8, 3, index, &n, NULL), -EINVAL);
    gauss_free(g[0]);
    gauss_free(g[1]);
}
END_TEST

START_TEST(text_and_back)
{
    struct play p;
    struct gauss_data d = data_of(&p, 7, 0.02);
    struct err err = {0};
    struct gauss *g = NULL, *h;
    char *text = NULL;

    ck_assert_int_eq(gauss_fit(&d, 5, &g, &err), 0);
    ck_assert_int_eq(gauss_print(g, &text, &err), 0);
    h = parsed(text, COLS);
    for (int i = 0; i < ROWS; i++)
        ck_assert_double_eq_tol(gauss_predict(g, p.x + i * COLS, p.kind[i], NULL),
                                gauss_predict(h, p.x + i * COLS, p.kind[i], NULL), 1e-4);
    free(text);
    gauss_free(g);
    gauss_free(h);
}
END_TEST

START_TEST(bad_texts_are_refused)
{
    static const char *const bad[] = {
        "", "x", "3 2", "3 1 1.5 0.2", "0 2 1.5", "1e9 2 1.5 0.2 0.7", "-3 2 1.5 0.2",
        "3 2 1.5 0.2 0.7 -0.3 -1.2 -3 0.5 0.1 2 0.2 0.5 3 0.4 0 0 3 -0.2 1 -0.5 7 0.1 -0.5",
        "3 2 1.5 0.2 0.7 -0.3 -1.2 -3 0.5 0.1 2 0.2 0.5 3 0.4 0 0 3 -0.2 1 -0.5 7 0.1 -0.5 2 9",
        "3 2 1.5 nan 0.7 -0.3 -1.2 -3 0.5 0.1 2 0.2 0.5 3 0.4 0 0 3 -0.2 1 -0.5 7 0.1 -0.5 2"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct err err = {0};
        struct gauss *g = NULL;

        ck_assert_msg(gauss_parse(bad[i], 2, &g, &err) == -EINVAL, "'%s' was read", bad[i]);
        ck_assert_ptr_null(g);
    }
}
END_TEST

START_TEST(bad_data_is_refused)
{
    struct play p;
    struct gauss_data d = data_of(&p, 7, 0.02);
    struct err err = {0};
    struct gauss *g = NULL;

    p.x[5] = NAN;
    ck_assert_int_eq(gauss_fit(&d, 5, &g, &err), -EINVAL);
    d = data_of(&p, 7, 0.02);
    p.y[5] = INFINITY;
    ck_assert_int_eq(gauss_fit(&d, 5, &g, &err), -EINVAL);
    d = data_of(&p, 7, 0.02);
    memset(p.teaches, 0, sizeof(p.teaches));
    ck_assert_int_eq(gauss_fit(&d, 5, &g, &err), -ENODATA);
    ck_assert_ptr_null(g);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("gauss");
    TCase *t = tcase_create("gauss");

    tcase_add_test(t, covariance_by_numpy);
    tcase_add_test(t, law_is_recovered);
    tcase_add_test(t, silent_rows_are_silent);
    tcase_add_test(t, doubt_grows_with_distance);
    tcase_add_test(t, choice_goes_where_nothing_is_known);
    tcase_add_test(t, choice_looks_at_all_parts);
    tcase_add_test(t, text_and_back);
    tcase_add_test(t, bad_texts_are_refused);
    tcase_add_test(t, bad_data_is_refused);
    suite_add_tcase(s, t);
    return suite_run(s);
}
