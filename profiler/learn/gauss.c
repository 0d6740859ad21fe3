/* profiler/learn/gauss.c - see gauss.h. */
#include "profiler/learn/gauss.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/clones.h"
#include "profiler/learn/gauss_internal.h"
#include "profiler/learn/linear.h"
#include "profiler/rng.h"

enum { ROWS_LEARN = 256, ROUNDS = 60 };

void gauss_free(struct gauss *g)
{
    if (!g)
        return;
    free(g->x);
    free(g->kind);
    free(g->alpha);
    free(g->factor);
    free(g);
}

struct gauss *gauss_new(int rows, int cols)
{
    struct gauss *g = calloc(1, sizeof(*g));

    if (!g)
        return NULL;
    g->rows = rows;
    g->cols = cols;
    g->x = calloc((size_t)rows * (size_t)cols + 1, sizeof(*g->x));
    g->kind = calloc((size_t)rows + 1, sizeof(*g->kind));
    g->alpha = calloc((size_t)rows + 1, sizeof(*g->alpha));
    if (!g->x || !g->kind || !g->alpha) {
        gauss_free(g);
        return NULL;
    }
    return g;
}

/* ---- covariance ---- */

struct cov gauss_cov_of(const double *theta, int cols)
{
    const double *a = theta + cols;
    struct cov c = {.cols = cols,
                    .smooth = exp(2 * a[SMOOTH]),
                    .linear = exp(2 * a[LINEAR]),
                    .noise = exp(2 * a[NOISE]) + 1e-6,
                    .other = 1 / (1 + exp(-a[SAME]))};

    for (int j = 0; j < cols; j++)
        c.inverse[j] = exp(-2 * theta[j]);
    return c;
}

/* Matern 5/2 and, for its gradient, 5/3 (1 + q) exp(-q), the factor of ((x - y) / length)^2. */
static inline double matern(const struct cov *c, const double *x, const double *y,
                            double *ret_slope, double *ret_dot)
{
    enum { LANES = 8 };
    double squares[LANES] = {0}, dots[LANES] = {0}, square = 0, dot = 1, q, e;
    int j = 0;

    for (; j + LANES <= c->cols; j += LANES)
        for (int s = 0; s < LANES; s++) {
            double d = x[j + s] - y[j + s];

            squares[s] += d * d * c->inverse[j + s];
            dots[s] += x[j + s] * y[j + s];
        }
    for (int s = 0; j < c->cols; j++, s++) {
        double d = x[j] - y[j];

        squares[s] += d * d * c->inverse[j];
        dots[s] += x[j] * y[j];
    }
    for (int s = 0; s < LANES; s++) {
        square += squares[s];
        dot += dots[s];
    }
    q = sqrt(5 * square);
    e = exp(-q);
    *ret_slope = 5.0 / 3 * (1 + q) * e;
    *ret_dot = dot;
    return (1 + q + q * q / 3) * e;
}

static inline double covariance(const struct cov *c, const double *x, const double *y, bool same)
{
    double slope, dot, m = matern(c, x, y, &slope, &dot);

    return c->smooth * m * (same ? 1 : c->other) + c->linear * dot;
}

CLONES double gauss_covariance(const struct cov *c, const double *x, const double *y, bool same)
{
    return covariance(c, x, y, same);
}

/* ---- the likelihood ---- */

/* What the hyperparameters are learnt from; y without its middle. */
struct lesson {
    int n, cols;
    const double *x, *y;
    const int *kind;
    double *k, *inv, *scratch, *alpha; /* [n, n] each, and [n] */
};

CLONES static void cov_matrix(const struct cov *c, const double *x, const int *kind, int n, double *k)
{
    for (int i = 0; i < n; i++) {
        for (int j = i; j < n; j++)
            k[(size_t)i * (size_t)n + (size_t)j] =
                covariance(c, x + (size_t)i * (size_t)c->cols, x + (size_t)j * (size_t)c->cols,
                           kind[i] == kind[j]);
        k[(size_t)i * (size_t)n + (size_t)i] += c->noise;
    }
}

/* Priors, in words: lengths about e^1.5 standard deviations, noise about e^-3.5 = 3 %, other kinds
 * worth half of one's own; each to be moved by a few samples. */
static const double length_prior = 1.5, length_pull = 0.3, noise_prior = -3.5, same_pull = 0.25;

/* Gradient of the negative logarithm of likelihood times priors; false where theta is impossible. */
CLONES static bool gradient(const struct lesson *l, const double *theta, double *ret_g)
{
    const double *a = theta + l->cols;
    struct cov c = gauss_cov_of(theta, l->cols);
    double *g = ret_g + l->cols;

    cov_matrix(&c, l->x, l->kind, l->n, l->k);
    if (!linear_factorise(l->k, l->n))
        return false;
    memcpy(l->alpha, l->y, (size_t)l->n * sizeof(*l->alpha));
    linear_solve_lower(l->k, l->n, l->alpha);
    linear_solve_upper(l->k, l->n, l->alpha);
    linear_invert(l->k, l->n, l->scratch, l->inv);
    for (int j = 0; j < l->cols; j++)
        ret_g[j] = length_pull * (theta[j] - length_prior);
    g[SMOOTH] = g[LINEAR] = 0;
    g[NOISE] = a[NOISE] - noise_prior;
    g[SAME] = same_pull * a[SAME];
    for (int i = 0; i < l->n; i++)
        for (int k = i; k < l->n; k++) {
            const double *x = l->x + (size_t)i * (size_t)l->cols,
                         *y = l->x + (size_t)k * (size_t)l->cols;
            bool same = l->kind[i] == l->kind[k];
            double share = same ? 1 : c.other, slope, dot, m = matern(&c, x, y, &slope, &dot);
            double w = l->inv[(size_t)i * (size_t)l->n + (size_t)k] - l->alpha[i] * l->alpha[k];

            if (i == k) {
                g[NOISE] += w * exp(2 * a[NOISE]);
                w *= 0.5; /* once, where the others count twice */
            }
            g[SMOOTH] += 2 * w * c.smooth * m * share;
            g[LINEAR] += 2 * w * c.linear * dot;
            g[SAME] += same ? 0 : w * c.smooth * m * c.other * (1 - c.other);
            slope *= w * c.smooth * share;
            for (int j = 0; j < l->cols; j++) {
                double d = x[j] - y[j];

                ret_g[j] += slope * d * d * c.inverse[j];
            }
        }
    return true;
}

/* By signs of the gradient alone (Rprop: Riedmiller and Braun 1993): no step sizes to tune, and no
 * likelihood to be compared. */
static void learn(const struct lesson *l, double *theta)
{
    const int n = l->cols + AMPLITUDES;
    double step[COLS_MAX + AMPLITUDES], last[COLS_MAX + AMPLITUDES] = {0};
    double g[COLS_MAX + AMPLITUDES];

    for (int j = 0; j < n; j++)
        step[j] = 0.1;
    for (int round = 0; round < ROUNDS && gradient(l, theta, g); round++)
        for (int j = 0; j < n; j++) {
            bool turned = g[j] * last[j] < 0;

            step[j] = turned ? step[j] * 0.5 : last[j] != 0 ? fmin(step[j] * 1.2, 0.5) : step[j];
            last[j] = turned ? 0 : g[j];
            if (turned || g[j] == 0)
                continue;
            theta[j] += g[j] > 0 ? -step[j] : step[j];
            theta[j] = fmin(fmax(theta[j], j < l->cols ? -2 : -6), 6);
            if (j == l->cols + NOISE)
                theta[j] = fmin(fmax(theta[j], -5), 0);
        }
}

/* ---- fitting ---- */

/* Up to `most` of the rows that teach, drawn without replacement. */
static int draw(const struct gauss_data *d, int most, uint64_t seed, int *ret_row)
{
    int n = 0;

    for (int i = 0; i < d->rows; i++)
        if (d->teaches[i])
            ret_row[n++] = i;
    for (int i = 0; i < n && n > most && i < most; i++) {
        int k = i + (int)rng_below(&seed, (uint64_t)(n - i)), t = ret_row[i];

        ret_row[i] = ret_row[k];
        ret_row[k] = t;
    }
    return n < most ? n : most;
}

static int check(const struct gauss_data *d, struct err *err)
{
    if (d->cols < 1 || d->cols > COLS_MAX)
        return err_set(err, -EINVAL, "want 1..%d columns, got %d", COLS_MAX, d->cols);
    for (int i = 0; i < d->rows; i++) {
        if (d->teaches[i] && !isfinite(d->y[i]))
            return err_set(err, -EINVAL, "target of row %d is '%g'", i, (double)d->y[i]);
        for (int j = 0; j < d->cols; j++)
            if (!isfinite(d->x[(size_t)i * (size_t)d->cols + (size_t)j]))
                return err_set(err, -EINVAL, "column %d of row %d is not finite", j, i);
    }
    return 0;
}

/* A column that never changes tells nothing, and stays away: its scale is 0. */
static void standardise(struct gauss *g, const struct gauss_data *d, const int *row)
{
    for (int j = 0; j < g->cols; j++) {
        double sum = 0, square = 0, sd;

        for (int i = 0; i < g->rows; i++)
            sum += (double)d->x[(size_t)row[i] * (size_t)d->cols + (size_t)j];
        g->mean[j] = sum / g->rows;
        for (int i = 0; i < g->rows; i++) {
            double v = (double)d->x[(size_t)row[i] * (size_t)d->cols + (size_t)j] - g->mean[j];

            square += v * v;
        }
        sd = sqrt(square / g->rows);
        g->scale[j] = sd > 1e-9 ? 1 / sd : 0;
    }
}

void gauss_place(const struct gauss *g, const float *x, double *ret_x)
{
    for (int j = 0; j < g->cols; j++)
        ret_x[j] = ((double)x[j] - g->mean[j]) * g->scale[j];
}

static int learn_theta(struct gauss *g, const double *y, struct err *err)
{
    int n = g->rows < ROWS_LEARN ? g->rows : ROWS_LEARN;
    size_t square = (size_t)n * (size_t)n;
    double *room = malloc((3 * square + (size_t)n) * sizeof(*room)), spread = 0;
    struct lesson l = {n, g->cols, g->x, y, g->kind, room, NULL, NULL, NULL};

    if (!room)
        return err_set(err, -ENOMEM, "no memory for %d rows", n);
    l.inv = room + square;
    l.scratch = room + 2 * square;
    l.alpha = room + 3 * square;
    for (int i = 0; i < g->rows; i++)
        spread += y[i] * y[i];
    for (int j = 0; j < g->cols; j++)
        g->theta[j] = 1;
    g->theta[g->cols + SMOOTH] = log(fmax(sqrt(spread / g->rows), 0.01));
    g->theta[g->cols + LINEAR] = log(0.1);
    g->theta[g->cols + NOISE] = -3;
    g->theta[g->cols + SAME] = 0;
    learn(&l, g->theta);
    free(room);
    return 0;
}

static int solve(struct gauss *g, const double *y, struct err *err)
{
    struct cov c = gauss_cov_of(g->theta, g->cols);

    g->factor = malloc((size_t)g->rows * (size_t)g->rows * sizeof(*g->factor));
    if (!g->factor)
        return err_set(err, -ENOMEM, "no memory for %d rows", g->rows);
    cov_matrix(&c, g->x, g->kind, g->rows, g->factor);
    if (!linear_factorise(g->factor, g->rows))
        return err_set(err, -EINVAL, "rows that cannot be told apart");
    memcpy(g->alpha, y, (size_t)g->rows * sizeof(*y));
    linear_solve_lower(g->factor, g->rows, g->alpha);
    linear_solve_upper(g->factor, g->rows, g->alpha);
    return 0;
}

int gauss_fit(const struct gauss_data *d, uint64_t seed, struct gauss **ret_g, struct err *err)
{
    int *row = malloc(((size_t)d->rows + 1) * sizeof(*row)), n, rc;
    double *y = malloc(((size_t)d->rows + 1) * sizeof(*y));
    struct gauss *g = NULL;

    rc = row && y ? check(d, err) : err_set(err, -ENOMEM, "no memory for %d rows", d->rows);
    n = rc == 0 ? draw(d, ROWS_KEPT, seed, row) : 0;
    if (rc == 0 && n == 0)
        rc = err_set(err, -ENODATA, "no row to learn from");
    if (rc == 0 && !(g = gauss_new(n, d->cols)))
        rc = err_set(err, -ENOMEM, "no memory for %d rows", n);
    if (rc < 0)
        goto out;
    standardise(g, d, row);
    for (int i = 0; i < n; i++) { /* in any order but that of the samples: the first are learnt from */
        int k = i + (int)rng_below(&seed, (uint64_t)(n - i)), t = row[i];

        row[i] = row[k];
        row[k] = t;
        gauss_place(g, d->x + (size_t)row[i] * (size_t)d->cols, g->x + (size_t)i * (size_t)g->cols);
        g->kind[i] = d->kind[row[i]];
        g->middle += (double)d->y[row[i]] / n;
    }
    for (int i = 0; i < n; i++)
        y[i] = (double)d->y[row[i]] - g->middle;
    rc = learn_theta(g, y, err);
    if (rc == 0)
        rc = solve(g, y, err);
    if (rc < 0)
        goto out;
    *ret_g = g;
    g = NULL; /* moved */
out:
    gauss_free(g);
    free(y);
    free(row);
    return rc;
}

double gauss_predict(const struct gauss *g, const float *x, int kind, double *ret_sd)
{
    struct cov c = gauss_cov_of(g->theta, g->cols);
    double at[COLS_MAX], *k = NULL, y = g->middle;

    gauss_place(g, x, at);
    if (ret_sd)
        k = g->factor ? malloc((size_t)g->rows * sizeof(*k)) : NULL;
    for (int i = 0; i < g->rows; i++) {
        double v = gauss_covariance(&c, at, g->x + (size_t)i * (size_t)g->cols, kind == g->kind[i]);

        y += v * g->alpha[i];
        if (k)
            k[i] = v;
    }
    if (ret_sd)
        *ret_sd = NAN;
    if (k) {
        double v = gauss_covariance(&c, at, at, true);

        linear_solve_lower(g->factor, g->rows, k);
        for (int i = 0; i < g->rows; i++)
            v -= k[i] * k[i];
        *ret_sd = sqrt(fmax(v, 0));
        free(k);
    }
    return y;
}
