/* harness/predict/curve.c against SciPy, closed forms and rival curves. */
#include <check.h>
#include <math.h>

#include "harness/predict/curve.h"
#include "profiler/rng.h"
#include "tests/suite.h"

/* Independent: scipy.optimize.minimize(method="SLSQP") over the six values themselves, with slopes
 * >= 0 and increasing as constraints and the sum of squared relative errors as the objective; and
 * scipy.optimize.nnls over hinges agrees to 9 digits. */
START_TEST(curve_is_least_squares)
{
    static const double x[] = {1, 2, 4, 8, 16, 32};
    static const double y[] = {1.00, 1.06, 1.04, 1.25, 1.20, 2.10};
    static const double want[] = {1.015779497, 1.031558993, 1.063117986,
                                  1.126235972, 1.252471944, 2.1};
    struct load_curve c;

    curve_fit(x, y, 6, &c);
    ck_assert_int_eq(c.n, 7);
    ck_assert(c.bytes[0] == 0 && c.slowdown[0] == 1);
    for (int i = 0; i < 6; i++)
        ck_assert_msg(fabs(c.slowdown[i + 1] - want[i]) < 1e-8, "%d: %.10f", i, c.slowdown[i + 1]);
    ck_assert(fabs(c.fit_error - 0.0990112) < 1e-6);
    ck_assert(c.trained_bytes == 32);
}
END_TEST

START_TEST(curve_keeps_what_is_convex)
{
    double x[CURVE_POINTS - 1], y[CURVE_POINTS - 1];
    struct load_curve c;

    for (int i = 0; i < CURVE_POINTS - 1; i++) { /* six decades */
        x[i] = 1e4 * pow(10, 6.0 * i / (CURVE_POINTS - 2));
        y[i] = 1 + 1e-10 * x[i] + fmax(0, (x[i] - 3e8) / 4e8);
    }
    curve_fit(x, y, CURVE_POINTS - 1, &c);
    ck_assert_msg(c.fit_error < 1e-9, "%g", c.fit_error);
    ck_assert_int_eq(c.n, CURVE_POINTS);
}
END_TEST

/* Whatever the steps, the fit is convex and never falls, and no other such curve that we try is
 * nearer. */
START_TEST(curve_on_random_steps)
{
    uint64_t rng = 3;

    for (int t = 0; t < 200; t++) {
        int n = 1 + (int)rng_below(&rng, CURVE_POINTS - 1);
        double x[CURVE_POINTS], y[CURVE_POINTS], level = 1, slope = 0, best = 0;
        struct load_curve c;

        for (int i = 0; i < n; i++) {
            x[i] = (i ? x[i - 1] : 0) + 16 * exp(6 * rng_unit(&rng));
            level += rng_below(&rng, 3) ? 0 : rng_unit(&rng);
            y[i] = level;
        }
        curve_fit(x, y, n, &c);
        for (int i = 0; i < n; i++) {
            double s = (c.slowdown[i + 1] - c.slowdown[i]) / (c.bytes[i + 1] - c.bytes[i]);

            ck_assert(s >= slope * (1 - 1e-9) - 1e-15);
            slope = s;
            best += pow(c.slowdown[i + 1] / y[i] - 1, 2);
        }
        for (int other = 0; other < 50; other++) { /* add a hinge, or turn all of it */
            double size = 0.1 * pow(10, -6 * rng_unit(&rng)), turn = 1 - size * rng_unit(&rng);
            double knot = rng_below(&rng, 2) ? x[rng_below(&rng, (uint64_t)n)] : 0, sum = 0;

            for (int i = 0; i < n; i++) {
                double f = 1 + (c.slowdown[i + 1] - 1) * turn +
                           fmax(0, x[i] - knot) * size / x[n - 1];

                sum += pow(f / y[i] - 1, 2);
            }
            ck_assert_msg(sum >= best * (1 - 1e-9) - 1e-15, "%g < %g", sum, best);
        }
    }
}
END_TEST

START_TEST(curve_is_inverted)
{
    static const double x[] = {100, 200, 400}, y[] = {1.1, 1.2, 2.2};
    struct load_curve c;
    bool censored;

    curve_fit(x, y, 3, &c);
    ck_assert(fabs(curve_invert(&c, 0.05, &censored) - 50) < 1e-6 && !censored);
    ck_assert(fabs(curve_invert(&c, 0.7, &censored) - 300) < 1e-6 && !censored);
    ck_assert(curve_invert(&c, 1.3, &censored) == 400 && censored);
    ck_assert(curve_invert(&c, 0, &censored) == 0 && !censored);
    ck_assert(fabs(load_curve_at(&c, 150) - 1.15) < 1e-9);
    ck_assert(fabs(load_curve_at(&c, 600) - 3.2) < 1e-9); /* goes on in its direction */
    ck_assert(load_curve_at(&c, 0) == 1);
    curve_fit(x, (double[]){1, 1, 1}, 3, &c);
    ck_assert(curve_invert(&c, 0.2, &censored) == 400 && censored);
    curve_fit(x, y, 0, &c);
    ck_assert(c.n == 1 && c.fit_error == 0 && load_curve_at(&c, 1e9) == 1);
    ck_assert(curve_invert(&c, 0.2, &censored) == 0 && censored);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("curve");
    TCase *t = tcase_create("curve");

    tcase_add_test(t, curve_is_least_squares);
    tcase_add_test(t, curve_keeps_what_is_convex);
    tcase_add_test(t, curve_on_random_steps);
    tcase_add_test(t, curve_is_inverted);
    suite_add_tcase(s, t);
    return suite_run(s);
}
