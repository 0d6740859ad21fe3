/* profiler/stats.h - the statistics of this program: robust, seeded, each with its source.
 * NaN in, NaN out; n == 0 gives NaN. None of them changes its input. */
#ifndef FLASHMEM_PROFILER_STATS_H
#define FLASHMEM_PROFILER_STATS_H

#include <stdint.h>

struct interval {
    double mid, low, high;
};

double stats_median(const double *x, int n);
double stats_quantile(const double *x, int n, double q); /* linear between ranks: type 7 of R */
double stats_mad(const double *x, int n);                /* median absolute deviation, unscaled */
double stats_mean(const double *x, int n);

/* Median and its percentile-bootstrap interval (Efron & Tibshirani 1993, ch. 13). `level` 0.95,
 * `resamples` 1000. Deterministic for a seed. n == 1: low = high = mid. */
struct interval stats_median_interval(const double *x, int n, double level, int resamples,
                                      uint64_t seed);

/* Two-sided p of the Mann-Whitney rank test: exact without ties for na, nb <= 20, else normal
 * with tie and continuity correction (Mann & Whitney 1947; Hollander & Wolfe 1999, ch. 4). */
double stats_mann_whitney_p(const double *a, int na, const double *b, int nb);

/* Student's t with `dof` > 0 degrees of freedom: P(|T| >= |t|), and the t whose P that is (0 < p < 1).
 * Abramowitz & Stegun 1964, 26.7.1 and 26.5.8. */
double stats_t_p(double t, double dof);
double stats_t_quantile(double p, double dof);

double stats_spearman(const double *x, const double *y, int n); /* average ranks for ties */

/* Errors of predictions p against truth y > 0, as fractions (0.1 is 10 %). */
struct stats_errors {
    int n;
    double within_5pct, within_10pct; /* fraction of |p - y| <= 0.05 y, 0.10 y */
    double mape, rmspe, spearman;
};
struct stats_errors stats_errors(const double *p, const double *y, int n);

#endif
