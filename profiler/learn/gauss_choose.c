/* profiler/learn/gauss_choose.c - what a process would learn most from: see gauss.h. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/learn/gauss_internal.h"
#include "profiler/rng.h"

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
        gauss_place(g, x + (size_t)p.row[i] * (size_t)g->cols, p.x + (size_t)i * (size_t)g->cols);
    }
    *ret_p = p;
    return 0;
}

/* cov = K - V^T V, V = U^-T (covariances with what is known), V [rows, n]. */
static int pool_condition(const struct gauss *g, const int *kind, struct pool *p, struct err *err)
{
    struct cov c = gauss_cov_of(g->theta, g->cols);
    size_t n = (size_t)p->n, cols = (size_t)g->cols;
    double *v = malloc(((size_t)g->rows * n + 1) * sizeof(*v));

    if (!v)
        return err_set(err, -ENOMEM, "no memory for %d rows", p->n);
    for (size_t r = 0; r < (size_t)g->rows; r++)
        for (size_t j = 0; j < n; j++)
            v[r * n + j] = gauss_covariance(&c, g->x + r * cols, p->x + j * cols,
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
            p->cov[i * n + j] = gauss_covariance(&c, p->x + i * cols, p->x + j * cols,
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
    double noise = gauss_cov_of(g->theta, g->cols).noise, *scratch = NULL;
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
