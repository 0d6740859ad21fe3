/* profiler/stats.c against SciPy 1.17, published tables and brute force. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "profiler/rng.h"
#include "profiler/stats.h"
#include "tests/suite.h"

#define N(x) ((int)(sizeof(x) / sizeof((x)[0])))

static void near_rel(double got, double want, double rel)
{
    ck_assert_msg(fabs(got - want) <= rel * fabs(want), "got %.17g, want %.17g", got, want);
}

/* A standard normal draw: Box and Muller 1958. */
static double normal(uint64_t *rng)
{
    double u = 1 - rng_unit(rng), v = rng_unit(rng);

    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

/* numpy.quantile([3,1,4,1,5,9,2,6], q), default method "linear": R's type 7. */
START_TEST(quantiles)
{
    static const double x[] = {3, 1, 4, 1, 5, 9, 2, 6};
    static const struct {
        double q, want;
    } cases[] = {{0, 1}, {.1, 1}, {.25, 1.75}, {.5, 3.5}, {.9, 6.9}, {.975, 8.475}, {1, 9}};

    for (int i = 0; i < N(cases); i++)
        near_rel(stats_quantile(x, N(x), cases[i].q), cases[i].want, 1e-14);
    near_rel(stats_median(x, N(x)), 3.5, 0);
    near_rel(stats_median(x, 7), 3, 0);
    near_rel(stats_mad(x, N(x)), 2.0, 0); /* scipy.stats.median_abs_deviation(x) */
    near_rel(stats_mean(x, N(x)), 31 / 8.0, 1e-15);
    ck_assert(isinf(stats_median((double[]){INFINITY, INFINITY}, 2)));
}
END_TEST

START_TEST(nothing_and_nan_give_nan)
{
    static const double x[] = {1, NAN, 3}, y[] = {1, 2, 3};
    struct interval r;

    ck_assert(isnan(stats_median(y, 0)));
    ck_assert(isnan(stats_mean(y, 0)));
    ck_assert(isnan(stats_mad(y, 0)));
    ck_assert(isnan(stats_quantile(y, 3, 1.5)));
    ck_assert(isnan(stats_quantile(y, 3, NAN)));
    ck_assert(isnan(stats_median(x, 3)));
    ck_assert(isnan(stats_mean(x, 3)));
    ck_assert(isnan(stats_mad(x, 3)));
    ck_assert(isnan(stats_mann_whitney_p(x, 3, y, 3)));
    ck_assert(isnan(stats_mann_whitney_p(y, 3, y, 0)));
    ck_assert(isnan(stats_spearman(x, y, 3)));
    ck_assert(isnan(stats_spearman(y, y, 1)));
    r = stats_median_interval(x, 3, 0.95, 100, 1);
    ck_assert(isnan(r.mid) && isnan(r.low) && isnan(r.high));
    r = stats_median_interval(y, 0, 0.95, 100, 1);
    ck_assert(isnan(r.mid) && isnan(r.low) && isnan(r.high));
    ck_assert(isnan(stats_errors(x, y, 3).mape));
    ck_assert(isnan(stats_errors(y, (double[]){1, 0, 1}, 3).mape));
    ck_assert(isnan(stats_errors(y, y, 0).within_5pct));
}
END_TEST

START_TEST(input_is_left_alone)
{
    double x[] = {3, 1, 2}, y[] = {9, 7, 8};

    stats_median(x, 3);
    stats_mad(x, 3);
    stats_median_interval(x, 3, 0.95, 100, 1);
    stats_mann_whitney_p(x, 3, y, 3);
    stats_spearman(x, y, 3);
    ck_assert(x[0] == 3 && x[1] == 1 && x[2] == 2);
    ck_assert(y[0] == 9 && y[1] == 7 && y[2] == 8);
}
END_TEST

START_TEST(interval_of_one_and_of_equals)
{
    static const double one[] = {42}, same[] = {7, 7, 7, 7};
    struct interval r = stats_median_interval(one, 1, 0.95, 1000, 5);

    ck_assert(r.mid == 42 && r.low == 42 && r.high == 42);
    r = stats_median_interval(same, 4, 0.95, 1000, 5);
    ck_assert(r.mid == 7 && r.low == 7 && r.high == 7);
}
END_TEST

START_TEST(bootstrap_is_deterministic)
{
    double x[31];
    uint64_t rng = 11;
    struct interval a, b, c;

    for (int i = 0; i < N(x); i++)
        x[i] = normal(&rng);
    a = stats_median_interval(x, N(x), 0.95, 1000, 1);
    b = stats_median_interval(x, N(x), 0.95, 1000, 1);
    c = stats_median_interval(x, N(x), 0.95, 1000, 2);
    ck_assert(a.low == b.low && a.high == b.high);
    ck_assert(a.low <= a.mid && a.mid <= a.high);
    ck_assert(a.low != c.low || a.high != c.high);
    ck_assert_msg(fabs(a.low - c.low) < 0.2 && fabs(a.high - c.high) < 0.2, "seeds disagree");
}
END_TEST

/* The bootstrap distribution of the median of odd n is known in closed form: P(median <= s[k]) is
 * P(Binomial(n, (k+1)/n) >= (n+1)/2) (Efron 1979, section 3). n = 5: the probabilities of the five
 * ranks are 0.05792, 0.25952, 0.36512, 0.25952, 0.05792, so that 5.8 % lies below the second value:
 * the 95 % interval is the whole range and the 80 % interval is the middle three. */
START_TEST(bootstrap_against_closed_form)
{
    static const double x[] = {50, 10, 30, 20, 40};
    struct interval r = stats_median_interval(x, 5, 0.95, 20000, 3);

    ck_assert(r.mid == 30 && r.low == 10 && r.high == 50);
    r = stats_median_interval(x, 5, 0.80, 20000, 3);
    ck_assert(r.low == 20 && r.high == 40);
}
END_TEST

/* The interval covers the true median in about `level` of repeated experiments. The percentile
 * bootstrap of a median is known to be near nominal here; 600 trials put 2 sd of the estimate
 * near 0.018, and the bounds below are far outside that. */
START_TEST(interval_coverage)
{
    enum { TRIALS = 600 };
    uint64_t rng = 2024;
    int hits = 0;

    for (int t = 0; t < TRIALS; t++) {
        double a[31];
        struct interval m;

        for (int i = 0; i < N(a); i++)
            a[i] = 100 * exp(0.1 * normal(&rng)); /* median 100 */
        m = stats_median_interval(a, N(a), 0.95, 400, rng_next(&rng));
        hits += m.low <= 100 && 100 <= m.high;
    }
    ck_assert_msg(hits >= 0.90 * TRIALS && hits <= 0.99 * TRIALS, "%d", hits);
}
END_TEST

/* Hollander & Wolfe 1999, example 4.1 (permeability constants; P = 0.1272 one-sided), and
 * scipy.stats.mannwhitneyu(a, b, alternative="two-sided", method=M).pvalue. */
START_TEST(mann_whitney)
{
    static const double x[] = {.80, .83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, .73, 1.46};
    static const double y[] = {1.15, .88, .90, .74, 1.21};
    static const double tied_a[] = {1, 1, 2, 2, 3, 4, 5, 5}, tied_b[] = {2, 3, 3, 4, 6, 6, 7, 8};
    double a[30], b[30];

    near_rel(stats_mann_whitney_p(x, 10, y, 5), 0.2544122544122544, 1e-12);
    near_rel(stats_mann_whitney_p(y, 5, x, 10), 2 * 0.1272061272061272, 1e-12);
    near_rel(stats_mann_whitney_p((double[]){1, 2, 3}, 3, (double[]){4, 5, 6}, 3), 0.1, 1e-12);
    near_rel(stats_mann_whitney_p((double[]){3}, 1, (double[]){4}, 1), 1, 0);
    near_rel(stats_mann_whitney_p(tied_a, 8, tied_b, 8), 0.07165216272626913, 1e-12);
    near_rel(stats_mann_whitney_p((double[]){7, 7, 7}, 3, (double[]){7, 7}, 2), 1, 0);
    for (int i = 0; i < 20; i++) {
        a[i] = i + 1;
        b[i] = i + 10.5;
    }
    near_rel(stats_mann_whitney_p(a, 20, b, 20), 3.364318303622844e-05, 1e-12);
    for (int i = 0; i < 20; i++)
        b[i] = i + 1.5;
    near_rel(stats_mann_whitney_p(a, 20, b, 20), 0.799407187161697, 1e-12);
    for (int i = 0; i < 30; i++) { /* no ties, but too many for the exact test */
        a[i] = fmod(i * 1.37, 11);
        b[i] = fmod(i * 2.11, 13) + 1;
    }
    near_rel(stats_mann_whitney_p(a, 25, b, 30), 0.19019952476546487, 1e-12);
}
END_TEST

/* Exact p against counting all arrangements of small samples. */
START_TEST(mann_whitney_brute_force)
{
    for (int na = 1; na <= 5; na++) {
        for (int nb = 1; nb <= 6; nb++) {
            int n = na + nb, all = 0;
            int count[31] = {0};

            for (int set = 0; set < 1 << n; set++) {
                int u = 0;

                if (__builtin_popcount((unsigned)set) != na)
                    continue;
                for (int i = 0; i < n; i++)
                    for (int j = 0; j < i; j++)
                        u += (set >> i & 1) && !(set >> j & 1);
                count[u]++;
                all++;
            }
            for (int k = 0; k <= nb; k++) { /* a: k values below all of b, the rest interleaved */
                double a[5], b[6];
                int u = 0, extreme = 0;

                for (int i = 0; i < na; i++)
                    a[i] = i * 0.01 + k;
                for (int j = 0; j < nb; j++)
                    b[j] = j + 0.5;
                for (int i = 0; i < na; i++)
                    for (int j = 0; j < nb; j++)
                        u += a[i] > b[j];
                for (int v = 0; v <= na * nb; v++)
                    if (abs(2 * v - na * nb) >= abs(2 * u - na * nb))
                        extreme += count[v];
                near_rel(stats_mann_whitney_p(a, na, b, nb), (double)extreme / all, 1e-12);
            }
        }
    }
}
END_TEST

/* 2 * scipy.stats.t.sf(t, dof), and scipy.stats.t.isf(p / 2, dof). */
START_TEST(student_t)
{
    static const double t[] = {0.1, 1, 2.5, 12};
    static const struct {
        double dof, p[4], q05, q001;
    } cases[] = {
        {1, {0.936548965138893, 0.5, 0.24223788318168682, 0.052929352119179755},
         12.706204736174705, 636.6192487687196},
        {2.5, {0.9278065440624897, 0.40406102727827364, 0.1045699630781554, 0.0028362150300783244},
         3.5746548420036834, 18.277893528130647},
        {4, {0.9251558409394532, 0.37390096630005887, 0.06676654481198814, 0.000276428548502973},
         2.7764451051977943, 8.610301581379275},
        {30, {0.9210096117902712, 0.3253086154260302, 0.01811564906806669, 5.580185415199261e-13},
         2.042272456301238, 3.645958635042021},
        {1000, {0.9203643690236041, 0.31755241808467255, 0.012578567801090807,
                4.324057386774429e-31},
         1.9623390808264085, 3.3002826484239134},
    };

    for (int i = 0; i < N(cases); i++) {
        for (int k = 0; k < 4; k++) {
            near_rel(stats_t_p(t[k], cases[i].dof), cases[i].p[k], 1e-9);
            near_rel(stats_t_p(-t[k], cases[i].dof), cases[i].p[k], 1e-9);
        }
        near_rel(stats_t_quantile(0.05, cases[i].dof), cases[i].q05, 1e-9);
        near_rel(stats_t_quantile(0.001, cases[i].dof), cases[i].q001, 1e-9);
    }
    near_rel(stats_t_p(0, 3), 1, 0);
    ck_assert(isnan(stats_t_p(NAN, 3)) && isnan(stats_t_p(1, 0)));
    ck_assert(isnan(stats_t_quantile(0, 3)) && isnan(stats_t_quantile(1, 3)));
}
END_TEST

/* scipy.stats.spearmanr(x, y).statistic; the first pair is the textbook IQ and television data. */
START_TEST(spearman)
{
    static const double iq[] = {106, 100, 86, 101, 99, 103, 97, 113, 112, 110};
    static const double tv[] = {7, 27, 2, 50, 28, 29, 20, 12, 6, 17};
    static const double x[] = {1, 2, 2, 3, 4, 4, 4, 5}, y[] = {2, 1, 3, 3, 5, 4, 6, 6};
    static const double flat[8] = {0};

    near_rel(stats_spearman(iq, tv, 10), -0.17575757575757575, 1e-12);
    near_rel(stats_spearman(x, y, 8), 0.9007775105401477, 1e-12);
    near_rel(stats_spearman(x, x, 8), 1, 1e-15);
    ck_assert(isnan(stats_spearman(x, flat, 8)));
}
END_TEST

START_TEST(errors)
{
    static const double y[] = {100, 200, 400, 10}, p[] = {105, 180, 500, 10.2};
    struct stats_errors e = stats_errors(p, y, 4);

    ck_assert_int_eq(e.n, 4);
    near_rel(e.within_5pct, 0.5, 0);   /* 5 % and 2 %; the bound itself counts */
    near_rel(e.within_10pct, 0.75, 0); /* 10 % too */
    near_rel(e.mape, (0.05 + 0.10 + 0.25 + 0.02) / 4, 1e-12);
    near_rel(e.rmspe, sqrt((0.0025 + 0.01 + 0.0625 + 0.0004) / 4), 1e-12);
    near_rel(e.spearman, 1, 1e-15);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("stats");
    TCase *t = tcase_create("stats");

    tcase_add_test(t, quantiles);
    tcase_add_test(t, nothing_and_nan_give_nan);
    tcase_add_test(t, input_is_left_alone);
    tcase_add_test(t, interval_of_one_and_of_equals);
    tcase_add_test(t, bootstrap_is_deterministic);
    tcase_add_test(t, bootstrap_against_closed_form);
    tcase_add_test(t, interval_coverage);
    tcase_add_test(t, mann_whitney);
    tcase_add_test(t, mann_whitney_brute_force);
    tcase_add_test(t, student_t);
    tcase_add_test(t, spearman);
    tcase_add_test(t, errors);
    suite_add_tcase(s, t);
    return suite_run(s);
}
