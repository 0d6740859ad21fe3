/* profiler/learn/gauss_choose.c - what a process would learn most from: see gauss.h. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/clones.h"
#include "profiler/learn/gauss_internal.h"
#include "profiler/learn/linear.h"
#include "profiler/rng.h"

enum { PARTS_MAX = 4 };

/* What one part says of the rows of a pool: covariances given all that is known. */
struct view {
    double *x;     /* [n, cols], standardised */
    double *cov;   /* [n, n]; 0 where a row has no such part */
    double *wrong; /* [n]: how many times its variance the square of an error is */
    double noise;
};

/* Rows to choose from, none of them taken. */
struct pool {
    int n, parts;
    int *row;   /* positions in the caller's list */
    bool *gone; /* chosen */
    double *variance; /* of what is predicted: the sum of all parts, noise included */
    double *gain;     /* of each row, as far as it was last looked at */
    double *scratch;
    struct view view[PARTS_MAX];
};

static void pool_done(struct pool *p)
{
    for (int k = 0; k < p->parts; k++) {
        free(p->view[k].x);
        free(p->view[k].cov);
        free(p->view[k].wrong);
    }
    free(p->row);
    free(p->gone);
    free(p->variance);
    free(p->gain);
    free(p->scratch);
}

static int pool_new(int n, const bool *taken, uint64_t seed, struct pool *ret_p, struct err *err)
{
    size_t rows = (size_t)n + 1;
    int open = 0;
    struct pool p = {.row = calloc(rows, sizeof(*p.row)),
                     .gone = calloc(rows, sizeof(*p.gone)),
                     .variance = calloc(rows, sizeof(*p.variance)),
                     .gain = calloc(rows, sizeof(*p.gain)),
                     .scratch = calloc(rows, sizeof(*p.scratch))};

    if (!p.row || !p.gone || !p.variance || !p.gain || !p.scratch) {
        pool_done(&p);
        return err_set(err, -ENOMEM, "no memory for %d rows", n);
    }
    for (int i = 0; i < n; i++)
        if (!taken[i])
            p.row[open++] = i;
    p.n = open < ROWS_KEPT ? open : ROWS_KEPT;
    for (int i = 0; i < p.n; i++) {
        int k = i + (int)rng_below(&seed, (uint64_t)(open - i)), t = p.row[i];

        p.row[i] = p.row[k];
        p.row[k] = t;
    }
    *ret_p = p;
    return 0;
}

/* ---- what is not known ---- */

/* Of each row that taught, what the others make of it (Rasmussen and Williams 2006, 5.4.2): the
 * sums of squared errors and of variances over the rows of a kind. An error of 1 is as bad as
 * any. */
struct tally {
    int kind, n;
    double error, variance;
};

static int by_kind(const void *a, const void *b)
{
    const struct tally *x = a, *y = b;

    return (x->kind > y->kind) - (x->kind < y->kind);
}

/* Into t[g->rows], sorted by kind, one for each. Their number, or -ENOMEM. */
static int tally_kinds(const struct gauss *g, struct tally *t)
{
    size_t rows = (size_t)g->rows;
    double *scratch = malloc((2 * rows * rows + 1) * sizeof(*scratch));
    double *inv = scratch + rows * rows;
    int n = 0;

    if (!scratch)
        return -ENOMEM;
    linear_invert(g->factor, g->rows, scratch, inv);
    for (size_t i = 0; i < rows; i++) {
        double variance = 1 / inv[i * rows + i], error = g->alpha[i] * variance;

        t[i] = (struct tally){g->kind[i], 1, fmin(error * error, 1), variance};
    }
    qsort(t, rows, sizeof(*t), by_kind);
    for (size_t i = 0; i < rows; i++) {
        if (n == 0 || t[n - 1].kind != t[i].kind) {
            t[n++] = t[i];
            continue;
        }
        t[n - 1].n++;
        t[n - 1].error += t[i].error;
        t[n - 1].variance += t[i].variance;
    }
    free(scratch);
    return n;
}

/* A kind with few rows is as wrong as all together: so many rows of those count beside its own. */
static const double pull = 5;

static int view_judge(const struct gauss_part *part, const struct pool *p, struct view *w)
{
    struct tally *t = calloc((size_t)part->g->rows + 1, sizeof(*t)), all = {0};
    int n = t ? tally_kinds(part->g, t) : -ENOMEM;

    for (int k = 0; k < n; k++) {
        all.error += t[k].error / part->g->rows;
        all.variance += t[k].variance / part->g->rows;
    }
    for (int i = 0; i < p->n && n > 0; i++) {
        struct tally key = {.kind = part->kind[p->row[i]]};
        const struct tally *own = bsearch(&key, t, (size_t)n, sizeof(*t), by_kind);

        own = own ? own : &key;
        w->wrong[i] = (own->error + pull * all.error) / (own->variance + pull * all.variance);
    }
    free(t);
    return n < 0 ? n : 0;
}

/* V = U^-T (covariances with what is known), [rows, n]: row by row of its transpose. */
static int view_known(const struct gauss_part *part, const struct pool *p, const struct view *w,
                      double *v)
{
    const struct gauss *g = part->g;
    struct cov c = gauss_cov_of(g->theta, g->cols);
    size_t n = (size_t)p->n, cols = (size_t)g->cols;
    double *k = malloc((size_t)g->rows * sizeof(*k));

    for (size_t j = 0; k && j < n; j++) {
        if (!part->present[p->row[j]])
            continue;
        for (int r = 0; r < g->rows; r++)
            k[r] = gauss_covariance(&c, g->x + (size_t)r * cols, w->x + j * cols,
                                    g->kind[r] == part->kind[p->row[j]]);
        linear_solve_lower(g->factor, g->rows, k);
        for (int r = 0; r < g->rows; r++)
            v[(size_t)r * n + j] = k[r];
    }
    free(k);
    return k ? 0 : -ENOMEM;
}

/* cov = K - V^T V. */
static int view_condition(const struct gauss_part *part, const struct pool *p, struct view *w)
{
    const struct gauss *g = part->g;
    struct cov c = gauss_cov_of(g->theta, g->cols);
    size_t n = (size_t)p->n, cols = (size_t)g->cols;
    int rows = (g->rows + 3) / 4 * 4;
    double *v = calloc((size_t)rows * n + 1, sizeof(*v));
    int rc = v ? view_known(part, p, w, v) : -ENOMEM;

    for (size_t i = 0; i < n && rc == 0; i++)
        for (size_t j = i; j < n && part->present[p->row[i]]; j++)
            if (part->present[p->row[j]])
                w->cov[i * n + j] =
                    gauss_covariance(&c, w->x + i * cols, w->x + j * cols,
                                     part->kind[p->row[i]] == part->kind[p->row[j]]);
    if (rc == 0)
        linear_subtract_square(w->cov, p->n, v, rows);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            w->cov[i * n + j] = w->cov[j * n + i];
    free(v);
    return rc;
}

static int pool_view(struct pool *p, const struct gauss_part *part, struct err *err)
{
    size_t n = (size_t)p->n, cols = (size_t)part->g->cols;
    struct view *w = &p->view[p->parts++];
    int rc;

    if (!part->g->factor)
        return err_set(err, -EINVAL, "what was read from a text cannot choose");
    *w = (struct view){calloc(n * cols + 1, sizeof(double)), calloc(n * n + 1, sizeof(double)),
                       calloc(n + 1, sizeof(double)),
                       gauss_cov_of(part->g->theta, part->g->cols).noise};
    rc = w->x && w->cov && w->wrong ? 0 : -ENOMEM;
    for (size_t i = 0; i < n && rc == 0; i++)
        gauss_place(part->g, part->x + (size_t)p->row[i] * cols, w->x + i * cols);
    if (rc == 0)
        rc = view_condition(part, p, w);
    if (rc == 0)
        rc = view_judge(part, p, w);
    for (size_t i = 0; i < n && rc == 0; i++)
        if (part->present[p->row[i]])
            p->variance[i] += w->wrong[i] * fmax(w->cov[i * n + i], 0) + w->noise;
    return rc < 0 ? err_set(err, rc, "no memory for %d rows", p->n) : 0;
}

/* ---- what a measurement is worth ---- */

static double within(double tolerance, double variance)
{
    return erf(tolerance / sqrt(2 * fmax(variance, 1e-12)));
}

/* By how much variance[j] falls when row i is measured. */
static double fall(const struct pool *p, int i, int j)
{
    size_t n = (size_t)p->n;
    double sum = 0;

    for (int k = 0; k < p->parts; k++) {
        const struct view *w = &p->view[k];
        double c = w->cov[(size_t)i * n + (size_t)j];

        sum += w->wrong[j] * c * c / (fmax(w->cov[(size_t)i * n + (size_t)i], 0) + w->noise);
    }
    return sum;
}

/* How many more rows would be within the tolerance if row i were measured. */
static double gain(const struct pool *p, int i, double tolerance)
{
    static const double least = 1e-4; /* of a variance: not worth two erf() */
    double sum = 0;

    for (int j = 0; j < p->n; j++) {
        double by = fall(p, i, j), v = p->variance[j];

        if (by > least * v)
            sum += within(tolerance, v - by) - within(tolerance, v);
    }
    return sum;
}

CLONES static void pool_measure(struct pool *p, int i)
{
    size_t n = (size_t)p->n;

    for (int j = 0; j < p->n; j++)
        p->variance[j] -= fall(p, i, j);
    for (int k = 0; k < p->parts; k++) {
        struct view *w = &p->view[k];
        double all = fmax(w->cov[(size_t)i * n + (size_t)i], 0) + w->noise;

        memcpy(p->scratch, w->cov + (size_t)i * n, n * sizeof(*p->scratch));
        for (size_t r = 0; r < n; r++) {
            double f = p->scratch[r] / all;

            for (size_t j = 0; f != 0 && j < n; j++)
                w->cov[r * n + j] -= f * p->scratch[j];
        }
    }
    p->gone[i] = true;
}

/* The row of most gain; -1: none is left. What was measured since a row was last looked at
 * hardly ever makes it worth more, so that those behind the best need not be looked at again
 * (Minoux 1978). */
static int best_row(struct pool *p, double tolerance)
{
    for (int looked = -1;;) {
        int best = -1;

        for (int i = 0; i < p->n; i++)
            if (!p->gone[i] && (best < 0 || p->gain[i] > p->gain[best]))
                best = i;
        if (best == looked || best < 0)
            return best;
        looked = best;
        p->gain[best] = gain(p, best, tolerance);
    }
}

int gauss_choose(const struct gauss_part *part, int parts, const bool *taken, int n,
                 double tolerance, int batch, uint64_t seed, int *ret_index, int *ret_n,
                 struct err *err)
{
    struct pool p = {0};
    int rc, chosen = 0, best;

    if (parts < 1 || parts > PARTS_MAX)
        return err_set(err, -EINVAL, "want 1..%d parts, got %d", PARTS_MAX, parts);
    rc = pool_new(n, taken, seed, &p, err);
    for (int k = 0; k < parts && rc == 0; k++)
        rc = pool_view(&p, &part[k], err);
    for (int i = 0; i < p.n && rc == 0; i++)
        p.gain[i] = INFINITY; /* not looked at yet */
    while (rc == 0 && chosen < batch && (best = best_row(&p, tolerance)) >= 0) {
        ret_index[chosen++] = p.row[best];
        pool_measure(&p, best);
    }
    if (rc == 0)
        *ret_n = chosen;
    pool_done(&p);
    return rc;
}
