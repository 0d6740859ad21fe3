/* profiler/learn/gauss.c - see gauss.h. */
#include "profiler/learn/gauss.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/rng.h"

enum { ROWS_LEARN = 256, ROWS_KEPT = 2500, COLS_MAX = 128, ROUNDS = 60 };

/* Places of the hyperparameters behind the lengths; all are logarithms, of SAME the logit. */
enum { SMOOTH, LINEAR, NOISE, SAME, AMPLITUDES };

struct gauss {
    int rows, cols;
    double mean[COLS_MAX], scale[COLS_MAX]; /* of the columns */
    double middle;                          /* of the targets */
    double theta[COLS_MAX + AMPLITUDES];
    double *x; /* [rows, cols], standardised */
    int *kind;
    double *alpha;  /* [rows]: K^-1 (y - middle) */
    double *factor; /* [rows, rows]: U with U^T U = K, where it is known (not from a text) */
};

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

static struct gauss *gauss_new(int rows, int cols)
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

/* What theta says, made ready. */
struct cov {
    int cols;
    double inverse[COLS_MAX]; /* squares of 1 / length */
    double smooth, linear, noise, other;
};

static struct cov cov_of(const double *theta, int cols)
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
static double matern(const struct cov *c, const double *x, const double *y, double *ret_slope,
                     double *ret_dot)
{
    double square = 0, dot = 1, q, e;

    for (int j = 0; j < c->cols; j++) {
        double d = x[j] - y[j];

        square += d * d * c->inverse[j];
        dot += x[j] * y[j];
    }
    q = sqrt(5 * square);
    e = exp(-q);
    *ret_slope = 5.0 / 3 * (1 + q) * e;
    *ret_dot = dot;
    return (1 + q + q * q / 3) * e;
}

static double covariance(const struct cov *c, const double *x, const double *y, bool same)
{
    double slope, dot, m = matern(c, x, y, &slope, &dot);

    return c->smooth * m * (same ? 1 : c->other) + c->linear * dot;
}

/* ---- linear algebra: rows are walked, so that loops are as wide as the machine ---- */

/* Rows k0 to k1 of U, from what the rows before have left of a; false if a is not positive definite. */
static bool factorise_rows(double *a, int n, int k0, int k1)
{
    for (int k = k0; k < k1; k++) {
        double *row = a + (size_t)k * (size_t)n, root;

        if (!(row[k] > 0))
            return false;
        root = sqrt(row[k]);
        for (int j = k; j < n; j++)
            row[j] /= root;
        for (int i = k + 1; i < k1; i++) {
            double *to = a + (size_t)i * (size_t)n, f = row[i];

            for (int j = i; j < n; j++)
                to[j] -= f * row[j];
        }
    }
    return true;
}

/* What rows k0 to k1 of U (a multiple of four of them) take from the rows below, columns j0 to j1. */
static void subtract_rows(double *a, int n, int k0, int k1, int j0, int j1)
{
    for (int i = k1; i < j1; i++) {
        double *to = a + (size_t)i * (size_t)n;

        for (int k = k0; k < k1; k += 4) {
            const double *r0 = a + (size_t)k * (size_t)n, *r1 = r0 + n, *r2 = r1 + n, *r3 = r2 + n;
            double f0 = r0[i], f1 = r1[i], f2 = r2[i], f3 = r3[i];

            for (int j = i > j0 ? i : j0; j < j1; j++)
                to[j] -= (f0 * r0[j] + f1 * r1[j]) + (f2 * r2[j] + f3 * r3[j]);
        }
    }
}

/* U with U^T U = a in the upper triangle of a[n, n]; false if a is not positive definite. In panels:
 * row by row the whole matrix would come from memory once for each of its rows. */
static bool factorise(double *a, int n)
{
    enum { PANEL = 48, WIDTH = 512 };

    for (int k = 0; k < n; k += PANEL) {
        int end = n < k + PANEL ? n : k + PANEL;

        if (!factorise_rows(a, n, k, end))
            return false;
        for (int j = end; j < n; j += WIDTH)
            subtract_rows(a, n, k, end, j, n < j + WIDTH ? n : j + WIDTH);
    }
    return true;
}

/* v = U^-T v */
static void solve_lower(const double *u, int n, double *v)
{
    for (int k = 0; k < n; k++) {
        const double *row = u + (size_t)k * (size_t)n;

        v[k] /= row[k];
        for (int j = k + 1; j < n; j++)
            v[j] -= v[k] * row[j];
    }
}

/* v = U^-1 v */
static void solve_upper(const double *u, int n, double *v)
{
    for (int k = n - 1; k >= 0; k--) {
        const double *row = u + (size_t)k * (size_t)n;
        double sum = v[k];

        for (int j = k + 1; j < n; j++)
            sum -= row[j] * v[j];
        v[k] = sum / row[k];
    }
}

/* The whole inverse of U^T U into inv[n, n]: U^-1 row by row from the last, then its square. */
static void invert(const double *u, int n, double *scratch, double *inv)
{
    memset(scratch, 0, (size_t)n * (size_t)n * sizeof(*scratch));
    for (int i = n - 1; i >= 0; i--) {
        const double *row = u + (size_t)i * (size_t)n;
        double *to = scratch + (size_t)i * (size_t)n;

        to[i] = 1;
        for (int k = i + 1; k < n; k++) {
            const double *from = scratch + (size_t)k * (size_t)n;

            for (int j = k; j < n; j++)
                to[j] -= row[k] * from[j];
        }
        for (int j = i; j < n; j++)
            to[j] /= row[i];
    }
    /* inv = U^-1 U^-T: column by column of the upper U^-1 */
    for (int i = 0; i < n; i++)
        for (int j = i; j < n; j++) {
            const double *a = scratch + (size_t)i * (size_t)n, *b = scratch + (size_t)j * (size_t)n;
            double sum[4] = {0};
            int k = j;

            for (; k + 4 <= n; k += 4)
                for (int s = 0; s < 4; s++)
                    sum[s] += a[k + s] * b[k + s];
            for (; k < n; k++)
                sum[0] += a[k] * b[k];
            inv[(size_t)i * (size_t)n + (size_t)j] = inv[(size_t)j * (size_t)n + (size_t)i] =
                (sum[0] + sum[1]) + (sum[2] + sum[3]);
        }
}

/* ---- the likelihood ---- */

/* What the hyperparameters are learnt from; y without its middle. */
struct lesson {
    int n, cols;
    const double *x, *y;
    const int *kind;
    double *k, *inv, *scratch, *alpha; /* [n, n] each, and [n] */
};

static void cov_matrix(const struct cov *c, const double *x, const int *kind, int n, double *k)
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
static bool gradient(const struct lesson *l, const double *theta, double *ret_g)
{
    const double *a = theta + l->cols;
    struct cov c = cov_of(theta, l->cols);
    double *g = ret_g + l->cols;

    cov_matrix(&c, l->x, l->kind, l->n, l->k);
    if (!factorise(l->k, l->n))
        return false;
    memcpy(l->alpha, l->y, (size_t)l->n * sizeof(*l->alpha));
    solve_lower(l->k, l->n, l->alpha);
    solve_upper(l->k, l->n, l->alpha);
    invert(l->k, l->n, l->scratch, l->inv);
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

static void place(const struct gauss *g, const float *x, double *ret_x)
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
    struct cov c = cov_of(g->theta, g->cols);

    g->factor = malloc((size_t)g->rows * (size_t)g->rows * sizeof(*g->factor));
    if (!g->factor)
        return err_set(err, -ENOMEM, "no memory for %d rows", g->rows);
    cov_matrix(&c, g->x, g->kind, g->rows, g->factor);
    if (!factorise(g->factor, g->rows))
        return err_set(err, -EINVAL, "rows that cannot be told apart");
    memcpy(g->alpha, y, (size_t)g->rows * sizeof(*y));
    solve_lower(g->factor, g->rows, g->alpha);
    solve_upper(g->factor, g->rows, g->alpha);
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
        place(g, d->x + (size_t)row[i] * (size_t)d->cols, g->x + (size_t)i * (size_t)g->cols);
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
    struct cov c = cov_of(g->theta, g->cols);
    double at[COLS_MAX], *k = NULL, y = g->middle;

    place(g, x, at);
    if (ret_sd)
        k = g->factor ? malloc((size_t)g->rows * sizeof(*k)) : NULL;
    for (int i = 0; i < g->rows; i++) {
        double v = covariance(&c, at, g->x + (size_t)i * (size_t)g->cols, kind == g->kind[i]);

        y += v * g->alpha[i];
        if (k)
            k[i] = v;
    }
    if (ret_sd)
        *ret_sd = NAN;
    if (k) {
        double v = covariance(&c, at, at, true);

        solve_lower(g->factor, g->rows, k);
        for (int i = 0; i < g->rows; i++)
            v -= k[i] * k[i];
        *ret_sd = sqrt(fmax(v, 0));
        free(k);
    }
    return y;
}

/* ---- choosing ---- */

/* Rows to choose from: positions in the caller's list, covariances given all that is known. */
struct pool {
    int n;
    int *row;
    double *x;   /* [n, cols], standardised */
    double *cov; /* [n, n] */
};

static void pool_done(struct pool *p)
{
    free(p->row);
    free(p->x);
    free(p->cov);
}

static int pool_new(const struct gauss *g, const float *x, int n, uint64_t seed,
                    struct pool *ret_p, struct err *err)
{
    struct pool p = {n < ROWS_KEPT ? n : ROWS_KEPT, calloc((size_t)n + 1, sizeof(*p.row)), NULL,
                     NULL};

    p.x = calloc((size_t)p.n * (size_t)g->cols + 1, sizeof(*p.x));
    p.cov = calloc((size_t)p.n * (size_t)p.n + 1, sizeof(*p.cov));
    if (!p.row || !p.x || !p.cov) {
        pool_done(&p);
        return err_set(err, -ENOMEM, "no memory for %d rows", n);
    }
    for (int i = 0; i < n; i++)
        p.row[i] = i;
    for (int i = 0; i < p.n; i++) {
        int k = i + (int)rng_below(&seed, (uint64_t)(n - i)), t = p.row[i];

        p.row[i] = p.row[k];
        p.row[k] = t;
        place(g, x + (size_t)p.row[i] * (size_t)g->cols, p.x + (size_t)i * (size_t)g->cols);
    }
    *ret_p = p;
    return 0;
}

/* cov = K - V^T V, V = U^-T (covariances with what is known), V [rows, n]. */
static int pool_condition(const struct gauss *g, const int *kind, struct pool *p, struct err *err)
{
    struct cov c = cov_of(g->theta, g->cols);
    size_t n = (size_t)p->n, cols = (size_t)g->cols;
    double *v = malloc(((size_t)g->rows * n + 1) * sizeof(*v));

    if (!v)
        return err_set(err, -ENOMEM, "no memory for %d rows", p->n);
    for (size_t r = 0; r < (size_t)g->rows; r++)
        for (size_t j = 0; j < n; j++)
            v[r * n + j] = covariance(&c, g->x + r * cols, p->x + j * cols,
                                      g->kind[r] == kind[p->row[j]]);
    for (size_t r = 0; r < (size_t)g->rows; r++) { /* all columns at once */
        const double *u = g->factor + r * (size_t)g->rows;

        for (size_t j = 0; j < n; j++)
            v[r * n + j] /= u[r];
        for (size_t below = r + 1; below < (size_t)g->rows; below++)
            for (size_t j = 0; j < n; j++)
                v[below * n + j] -= u[below] * v[r * n + j];
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            p->cov[i * n + j] = covariance(&c, p->x + i * cols, p->x + j * cols,
                                           kind[p->row[i]] == kind[p->row[j]]);
    for (size_t r = 0; r < (size_t)g->rows; r++)
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++)
                p->cov[i * n + j] -= v[r * n + i] * v[r * n + j];
    free(v);
    return 0;
}

/* By how much the variances of all fall when row i is measured. */
static double gain(const struct pool *p, int i, double noise)
{
    const double *row = p->cov + (size_t)i * (size_t)p->n;
    double sum = 0;

    for (int j = 0; j < p->n; j++)
        sum += row[j] * row[j];
    return sum / (fmax(row[i], 0) + noise);
}

static void pool_measure(struct pool *p, int i, double noise, double *scratch)
{
    double *row = p->cov + (size_t)i * (size_t)p->n, all = fmax(row[i], 0) + noise;

    memcpy(scratch, row, (size_t)p->n * sizeof(*row));
    for (int k = 0; k < p->n; k++) {
        double *to = p->cov + (size_t)k * (size_t)p->n, f = scratch[k] / all;

        for (int j = 0; j < p->n; j++)
            to[j] -= f * scratch[j];
    }
}

int gauss_choose(const struct gauss *g, const float *x, const int *kind, const bool *taken, int n,
                 int batch, uint64_t seed, int *ret_index, int *ret_n, struct err *err)
{
    double noise = cov_of(g->theta, g->cols).noise, *scratch = NULL;
    struct pool p = {0};
    bool *gone = NULL;
    int rc, chosen = 0;

    if (!g->factor)
        return err_set(err, -EINVAL, "what was read from a text cannot choose");
    rc = pool_new(g, x, n, seed, &p, err);
    if (rc == 0)
        rc = pool_condition(g, kind, &p, err);
    scratch = calloc((size_t)p.n + 1, sizeof(*scratch));
    gone = calloc((size_t)p.n + 1, sizeof(*gone));
    if (rc == 0 && (!scratch || !gone))
        rc = err_set(err, -ENOMEM, "no memory for %d rows", n);
    for (int i = 0; i < p.n && rc == 0; i++)
        gone[i] = taken[p.row[i]];
    while (rc == 0 && chosen < batch) {
        double most = -1;
        int best = -1;

        for (int i = 0; i < p.n; i++) {
            double worth = gone[i] ? -1 : gain(&p, i, noise);

            if (worth > most) {
                most = worth;
                best = i;
            }
        }
        if (best < 0)
            break;
        gone[best] = true;
        ret_index[chosen++] = p.row[best];
        pool_measure(&p, best, noise, scratch);
    }
    if (rc == 0)
        *ret_n = chosen;
    free(gone);
    free(scratch);
    pool_done(&p);
    return rc;
}

/* ---- text: "ROWS COLS MIDDLE THETA.. MEAN.. SCALE.. (KIND ALPHA X..)*" ---- */

int gauss_print(const struct gauss *g, char **ret_text, struct err *err)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);

    if (!f)
        return err_set(err, -ENOMEM, "out of memory");
    fprintf(f, "%d %d %.17g", g->rows, g->cols, g->middle);
    for (int j = 0; j < g->cols + AMPLITUDES; j++)
        fprintf(f, " %.17g", g->theta[j]);
    for (int j = 0; j < g->cols; j++)
        fprintf(f, " %.17g %.17g", g->mean[j], g->scale[j]);
    for (int i = 0; i < g->rows; i++) {
        fprintf(f, " %d %.17g", g->kind[i], g->alpha[i]);
        for (int j = 0; j < g->cols; j++)
            fprintf(f, " %.9g", g->x[(size_t)i * (size_t)g->cols + (size_t)j]);
    }
    if (fclose(f) != 0) {
        free(text);
        return err_set(err, -ENOMEM, "out of memory");
    }
    *ret_text = text;
    return 0;
}

/* The next number of a text; NaN where there is none, or none that makes sense. */
static double number(const char **text)
{
    char *end;
    double v = strtod(*text, &end);

    if (end == *text || !(fabs(v) < 1e30))
        return NAN;
    *text = end;
    return v;
}

static bool numbers(const char **text, double *ret, int n)
{
    for (int i = 0; i < n; i++)
        if (isnan(ret[i] = number(text)))
            return false;
    return true;
}

static bool parse_rows(const char **text, struct gauss *g)
{
    bool ok = numbers(text, g->theta, g->cols + AMPLITUDES);

    for (int j = 0; j < g->cols && ok; j++)
        ok = numbers(text, &g->mean[j], 1) && numbers(text, &g->scale[j], 1);
    for (int i = 0; i < g->rows && ok; i++) {
        double kind = number(text);

        ok = fabs(kind) < 1e9 && numbers(text, &g->alpha[i], 1) &&
             numbers(text, g->x + (size_t)i * (size_t)g->cols, g->cols);
        g->kind[i] = ok ? (int)kind : 0;
    }
    return ok && **text == '\0';
}

int gauss_parse(const char *text, int cols, struct gauss **ret_g, struct err *err)
{
    double head[3];
    struct gauss *g = NULL;

    if (!numbers(&text, head, 3) || head[1] != cols || cols < 1 || cols > COLS_MAX ||
        !(head[0] >= 1 && head[0] <= ROWS_KEPT))
        return err_set(err, -EINVAL, "the smooth part of a regressor is damaged, or of another"
                       " program: run 'flashmem train'");
    g = gauss_new((int)head[0], cols);
    if (!g)
        return err_set(err, -ENOMEM, "out of memory");
    g->middle = head[2];
    if (!parse_rows(&text, g)) {
        gauss_free(g);
        return err_set(err, -EINVAL, "the smooth part of a regressor is damaged: run"
                       " 'flashmem train'");
    }
    *ret_g = g;
    return 0;
}
