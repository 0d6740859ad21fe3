/* profiler/stats.c - see stats.h. Memory that cannot be had gives NaN, like a value that cannot be
 * known. */
#include "profiler/stats.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/rng.h"

static bool any_nan(const double *x, int n)
{
    for (int i = 0; i < n; i++)
        if (isnan(x[i]))
            return true;
    return false;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* A sorted copy; NULL for n < 1, for NaN among the values (no order) and without memory. */
static double *sorted_copy(const double *x, int n)
{
    double *s;

    if (n < 1 || any_nan(x, n))
        return NULL;
    s = malloc((size_t)n * sizeof(*s));
    if (!s)
        return NULL;
    memcpy(s, x, (size_t)n * sizeof(*s));
    qsort(s, (size_t)n, sizeof(*s), by_value);
    return s;
}

/* Between two neighbours; equal ones (infinities too) are returned as they are. */
static double between(double a, double b, double t)
{
    return a == b ? a : a + t * (b - a);
}

/* Hyndman & Fan 1996, definition 7. */
static double quantile_sorted(const double *s, int n, double q)
{
    double h = (n - 1) * q;
    int i = (int)h;

    return i + 1 < n ? between(s[i], s[i + 1], h - i) : s[n - 1];
}

double stats_quantile(const double *x, int n, double q)
{
    double *s, v;

    if (!(q >= 0 && q <= 1))
        return NAN;
    s = sorted_copy(x, n);
    if (!s)
        return NAN;
    v = quantile_sorted(s, n, q);
    free(s);
    return v;
}

double stats_median(const double *x, int n)
{
    return stats_quantile(x, n, 0.5);
}

double stats_mad(const double *x, int n)
{
    double mid = stats_median(x, n), v;
    double *d;

    if (isnan(mid))
        return NAN;
    d = malloc((size_t)n * sizeof(*d));
    if (!d)
        return NAN;
    for (int i = 0; i < n; i++)
        d[i] = fabs(x[i] - mid);
    v = stats_median(d, n);
    free(d);
    return v;
}

double stats_mean(const double *x, int n)
{
    double sum = 0;

    if (n < 1)
        return NAN;
    for (int i = 0; i < n; i++)
        sum += x[i];
    return sum / n;
}

/* Median of n draws with replacement out of s[n], which is sorted: count how often each rank was
 * drawn and walk to the middle. O(n), where sorting each resample would be O(n log n).
 * `count` is scratch of n. */
static double resampled_median(const double *s, int n, uint64_t *rng, int *count)
{
    int lo_rank = (n - 1) / 2, hi_rank = n / 2, seen = 0, i = 0;
    double lo;

    memset(count, 0, (size_t)n * sizeof(*count));
    for (int k = 0; k < n; k++)
        count[rng_below(rng, (uint64_t)n)]++;
    while (seen + count[i] <= lo_rank)
        seen += count[i++];
    lo = s[i];
    while (seen + count[i] <= hi_rank)
        seen += count[i++];
    return between(lo, s[i], 0.5);
}

/* Percentile interval of `n` bootstrap replicates, which are sorted in place. */
static void percentile_interval(double *replicate, int n, double level, struct interval *ret)
{
    if (any_nan(replicate, n)) {
        ret->low = ret->high = NAN;
        return;
    }
    qsort(replicate, (size_t)n, sizeof(*replicate), by_value);
    ret->low = quantile_sorted(replicate, n, (1 - level) / 2);
    ret->high = quantile_sorted(replicate, n, (1 + level) / 2);
}

static bool bootstrap_ok(double level, int resamples)
{
    return level > 0 && level < 1 && resamples >= 1;
}

struct interval stats_median_interval(const double *x, int n, double level, int resamples,
                                      uint64_t seed)
{
    struct interval r = {NAN, NAN, NAN};
    double *s = NULL, *replicate = NULL;
    int *count = NULL;

    if (!bootstrap_ok(level, resamples) || !(s = sorted_copy(x, n)))
        return r;
    count = malloc((size_t)n * sizeof(*count));
    replicate = malloc((size_t)resamples * sizeof(*replicate));
    if (count && replicate) {
        for (int i = 0; i < resamples; i++)
            replicate[i] = resampled_median(s, n, &seed, count);
        percentile_interval(replicate, resamples, level, &r);
        r.mid = quantile_sorted(s, n, 0.5);
    }
    free(replicate);
    free(count);
    free(s);
    return r;
}

struct ranked {
    double value, rank;
    int index;
};

static int by_ranked_value(const void *a, const void *b)
{
    double x = ((const struct ranked *)a)->value, y = ((const struct ranked *)b)->value;

    return (x > y) - (x < y);
}

/* Average ranks from 1 into ret_rank[n]. Returns the sum of t^3 - t over runs of t equal values
 * (0: no ties); NaN without memory. */
static double average_ranks(const double *x, int n, double *ret_rank)
{
    struct ranked *r = malloc((size_t)n * sizeof(*r));
    double ties = 0;

    if (!r)
        return NAN;
    for (int i = 0; i < n; i++)
        r[i] = (struct ranked){.value = x[i], .index = i};
    qsort(r, (size_t)n, sizeof(*r), by_ranked_value);
    for (int i = 0, end; i < n; i = end) {
        double t;

        for (end = i + 1; end < n && r[end].value == r[i].value;)
            end++;
        t = end - i;
        ties += t * t * t - t;
        for (int k = i; k < end; k++)
            ret_rank[r[k].index] = (i + 1 + end) / 2.0;
    }
    free(r);
    return ties;
}

enum { EXACT_MAX = 20 };

/* P(U <= u) for samples of na and nb without ties. The number of arrangements with statistic u is
 * the coefficient of q^u in the Gaussian binomial [na+nb choose na]_q, the product over i = 1..na
 * of (1 - q^(nb+i)) / (1 - q^i); every partial product has integer coefficients, at most
 * C(40, 20) < 2^38 here, so that integers are exact. */
static double exact_tail(int na, int nb, int u)
{
    int64_t c[EXACT_MAX * EXACT_MAX + 1] = {1};
    int degree = na * nb;
    double total = 0, tail = 0;

    for (int i = 1; i <= na; i++) {
        for (int k = degree; k >= nb + i; k--)
            c[k] -= c[k - nb - i];
        for (int k = i; k <= degree; k++)
            c[k] += c[k - i];
    }
    for (int k = 0; k <= degree; k++) {
        total += (double)c[k];
        if (k <= u)
            tail += (double)c[k];
    }
    return tail / total;
}

/* Two-sided normal approximation: `u` is the smaller of the two statistics. */
static double normal_p(double na, double nb, double u, double ties)
{
    double n = na + nb;
    double sd = sqrt(na * nb / 12 * (n + 1 - ties / (n * (n - 1))));
    double z;

    if (!(sd > 0))
        return 1; /* all values equal: nothing to tell them apart */
    z = (na * nb / 2 - u - 0.5) / sd;
    return z <= 0 ? 1 : erfc(z / sqrt(2));
}

double stats_mann_whitney_p(const double *a, int na, const double *b, int nb)
{
    double *x = NULL, *rank = NULL;
    double ties, u = 0, p = NAN;
    size_t n;

    if (na < 1 || nb < 1 || any_nan(a, na) || any_nan(b, nb))
        return NAN;
    n = (size_t)na + (size_t)nb;
    x = malloc(n * sizeof(*x));
    rank = malloc(n * sizeof(*rank));
    if (!x || !rank)
        goto out;
    memcpy(x, a, (size_t)na * sizeof(*x));
    memcpy(x + na, b, (size_t)nb * sizeof(*x));
    ties = average_ranks(x, (int)n, rank);
    if (isnan(ties))
        goto out;
    for (int i = 0; i < na; i++)
        u += rank[i];
    u -= na * (na + 1.0) / 2;
    u = fmin(u, (double)na * nb - u);
    if (ties == 0 && na <= EXACT_MAX && nb <= EXACT_MAX)
        p = fmin(1, 2 * exact_tail(na, nb, (int)u));
    else
        p = normal_p(na, nb, u, ties);
out:
    free(rank);
    free(x);
    return p;
}

/* The continued fraction of the incomplete beta function, by Lentz's method; for
 * x < (a + 1) / (a + b + 2), where it converges in about sqrt(max(a, b)) steps. */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 / fmax(1 - (a + b) * x / (a + 1), tiny), h = d;

    for (int m = 1; m <= 10000; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        double step;

        d = 1 / (1 + even * d);
        c = 1 + even / c;
        h *= c * d;
        d = 1 / (1 + odd * d);
        c = 1 + odd / c;
        step = c * d;
        h *= step;
        if (fabs(step - 1) < 1e-15)
            break;
    }
    return h;
}

double stats_t_p(double t, double dof)
{
    double a = dof / 2, b = 0.5, x = dof / (dof + t * t), front;

    if (!(dof > 0) || isnan(t))
        return NAN;
    if (x <= 0 || x >= 1)
        return x >= 1;
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2))
        return front * beta_fraction(a, b, x) / a;
    return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double stats_t_quantile(double p, double dof)
{
    double low = 0, high = 1;

    if (!(p > 0 && p < 1) || !(dof > 0))
        return NAN;
    while (stats_t_p(high, dof) > p && high < 1e100)
        high *= 2;
    for (int i = 0; i < 200 && high - low > 1e-14 * high; i++) {
        double mid = (low + high) / 2;

        if (stats_t_p(mid, dof) > p)
            low = mid;
        else
            high = mid;
    }
    return (low + high) / 2;
}

/* Pearson's correlation; NaN if one side is constant. */
static double correlation(const double *x, const double *y, int n)
{
    double mx = stats_mean(x, n), my = stats_mean(y, n);
    double xy = 0, xx = 0, yy = 0;

    for (int i = 0; i < n; i++) {
        xy += (x[i] - mx) * (y[i] - my);
        xx += (x[i] - mx) * (x[i] - mx);
        yy += (y[i] - my) * (y[i] - my);
    }
    return xx > 0 && yy > 0 ? xy / (sqrt(xx) * sqrt(yy)) : NAN;
}

double stats_spearman(const double *x, const double *y, int n)
{
    double *rank;
    double r = NAN;

    if (n < 2 || any_nan(x, n) || any_nan(y, n))
        return NAN;
    rank = malloc(2 * (size_t)n * sizeof(*rank));
    if (!rank)
        return NAN;
    if (!isnan(average_ranks(x, n, rank)) && !isnan(average_ranks(y, n, rank + n)))
        r = correlation(rank, rank + n, n);
    free(rank);
    return r;
}

struct stats_errors stats_errors(const double *p, const double *y, int n)
{
    struct stats_errors e = {n, NAN, NAN, NAN, NAN, NAN};
    double abs_sum = 0, square_sum = 0;
    int within5 = 0, within10 = 0;

    for (int i = 0; i < n; i++) {
        double off = fabs(p[i] - y[i]);

        if (!(y[i] > 0) || isnan(off))
            return e;
        within5 += off <= 0.05 * y[i];
        within10 += off <= 0.10 * y[i];
        abs_sum += off / y[i];
        square_sum += off / y[i] * (off / y[i]);
    }
    if (n < 1)
        return e;
    e.within_5pct = (double)within5 / n;
    e.within_10pct = (double)within10 / n;
    e.mape = abs_sum / n;
    e.rmspe = sqrt(square_sum / n);
    e.spearman = stats_spearman(p, y, n);
    return e;
}
