/* harness/predict/curve.c - see curve.h. */
#include "harness/predict/curve.h"

#include <assert.h>
#include <math.h>

enum { KNOTS = CURVE_POINTS - 1 };

/* Least squares min |a z - b| over the columns in `in`, by modified Gram-Schmidt on [a b], which
 * is as stable as Householder's (Bjorck 1967). a[j] is column j. */
static void least_squares(double a[KNOTS][KNOTS], const double *b, int n, const bool *in,
                          double *ret_z)
{
    static const double rank_tiny = 1e-12;
    double q[KNOTS][KNOTS], r[KNOTS][KNOTS] = {{0}}, rest[KNOTS], t[KNOTS] = {0};
    int col[KNOTS], k = 0;

    for (int i = 0; i < n; i++)
        rest[i] = b[i];
    for (int j = 0; j < n; j++) {
        double norm = 0;

        if (!in[j])
            continue;
        for (int i = 0; i < n; i++)
            q[k][i] = a[j][i];
        for (int p = 0; p < k; p++) {
            for (int i = 0; i < n; i++)
                r[p][k] += q[p][i] * q[k][i];
            for (int i = 0; i < n; i++)
                q[k][i] -= r[p][k] * q[p][i];
        }
        for (int i = 0; i < n; i++)
            norm += q[k][i] * q[k][i];
        norm = sqrt(norm);
        r[k][k] = norm > rank_tiny ? norm : 0; /* columns have length 1 */
        for (int i = 0; i < n && r[k][k] > 0; i++)
            q[k][i] /= norm;
        for (int i = 0; i < n && r[k][k] > 0; i++)
            t[k] += q[k][i] * rest[i];
        for (int i = 0; i < n && r[k][k] > 0; i++)
            rest[i] -= t[k] * q[k][i];
        col[k++] = j;
    }
    for (int j = 0; j < n; j++)
        ret_z[j] = 0;
    for (int p = k - 1; p >= 0; p--) {
        double v = t[p];

        for (int s = p + 1; s < k; s++)
            v -= r[p][s] * ret_z[col[s]];
        ret_z[col[p]] = r[p][p] > 0 ? v / r[p][p] : 0;
    }
}

/* How far from z to s one may go before an entry turns negative. */
static double step_to_boundary(const double *z, const double *s, const bool *in, int n)
{
    double step = 1;

    for (int j = 0; j < n; j++)
        if (in[j] && s[j] <= 0 && z[j] / (z[j] - s[j]) < step)
            step = z[j] / (z[j] - s[j]);
    return step;
}

/* The column that is left out and would help most; -1: none. */
static int steepest(double a[KNOTS][KNOTS], const double *b, const double *z, const bool *in, int n)
{
    static const double gradient_tiny = 1e-12; /* columns have length 1, |b| is of order 1 */
    double rest[KNOTS], best = gradient_tiny;
    int at = -1;

    for (int i = 0; i < n; i++) {
        rest[i] = b[i];
        for (int j = 0; j < n; j++)
            rest[i] -= a[j][i] * z[j];
    }
    for (int j = 0; j < n; j++) {
        double gradient = 0;

        for (int i = 0; i < n; i++)
            gradient += a[j][i] * rest[i];
        if (!in[j] && gradient > best) {
            best = gradient;
            at = j;
        }
    }
    return at;
}

/* min |a z - b| with z >= 0: the active set method of Lawson and Hanson 1974, chapter 23. The
 * iterations are bounded against cycling in the last digits; every iterate is feasible. */
static void nonnegative_least_squares(double a[KNOTS][KNOTS], const double *b, int n, double *z)
{
    bool in[KNOTS] = {false};
    double s[KNOTS];

    for (int j = 0; j < n; j++)
        z[j] = 0;
    for (int i = 0; i < 10 * KNOTS; i++) {
        int enter = steepest(a, b, z, in, n);

        if (enter < 0)
            return;
        in[enter] = true;
        for (int k = 0; k < KNOTS; k++) {
            double step;

            least_squares(a, b, n, in, s);
            step = step_to_boundary(z, s, in, n);
            for (int j = 0; j < n; j++)
                z[j] += in[j] ? step * (s[j] - z[j]) : 0;
            if (step >= 1)
                break;
            for (int j = 0; j < n; j++) {
                if (in[j] && z[j] <= 1e-14) {
                    in[j] = false;
                    z[j] = 0;
                }
            }
        }
    }
}

/* A convex, non-decreasing, piecewise-linear function is 1 + sum over knots of z_j * max(0, x -
 * knot_j) with z >= 0: z_0 is the first slope, the others are what each knot adds. */
void curve_fit(const double *bytes, const double *slowdown, int n, struct load_curve *ret_curve)
{
    struct load_curve c = {.n = n + 1, .slowdown = {1}};
    double a[KNOTS][KNOTS], b[KNOTS], length[KNOTS], z[KNOTS];

    assert(n >= 0 && n <= KNOTS);
    for (int j = 0; j < n; j++) {
        double knot = j ? bytes[j - 1] : 0, square = 0;

        for (int i = 0; i < n; i++) {
            a[j][i] = fmax(0, bytes[i] - knot) / slowdown[i];
            square += a[j][i] * a[j][i];
        }
        length[j] = sqrt(square);
        for (int i = 0; i < n; i++)
            a[j][i] /= length[j];
        b[j] = (slowdown[j] - 1) / slowdown[j];
    }
    nonnegative_least_squares(a, b, n, z);
    for (int i = 0; i < n; i++) {
        double y = 1;

        for (int j = 0; j <= i; j++)
            y += z[j] / length[j] * (bytes[i] - (j ? bytes[j - 1] : 0));
        c.bytes[i + 1] = bytes[i];
        c.slowdown[i + 1] = y;
        c.fit_error = fmax(c.fit_error, fabs(y - slowdown[i]) / slowdown[i]);
    }
    c.trained_bytes = c.bytes[n];
    *ret_curve = c;
}

double load_curve_at(const struct load_curve *curve, double bytes)
{
    const double *x = curve->bytes, *y = curve->slowdown;
    int i = 1;

    if (curve->n < 2)
        return 1;
    while (i < curve->n - 1 && bytes > x[i])
        i++;
    return y[i - 1] + (y[i] - y[i - 1]) * (bytes - x[i - 1]) / (x[i] - x[i - 1]);
}

double curve_invert(const struct load_curve *curve, double allowed, bool *ret_censored)
{
    const double *x = curve->bytes, *y = curve->slowdown;
    double limit = 1 + allowed;

    *ret_censored = false;
    for (int i = 1; i < curve->n; i++)
        if (y[i] > limit) /* y[i - 1] <= limit: the slope is positive */
            return x[i - 1] + (x[i] - x[i - 1]) * (limit - y[i - 1]) / (y[i] - y[i - 1]);
    *ret_censored = true;
    return x[curve->n - 1];
}
