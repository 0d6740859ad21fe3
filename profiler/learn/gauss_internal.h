/* profiler/learn/gauss_internal.h - what gauss*.c share. */
#ifndef FLASHMEM_PROFILER_LEARN_GAUSS_INTERNAL_H
#define FLASHMEM_PROFILER_LEARN_GAUSS_INTERNAL_H

#include "profiler/learn/gauss.h"

enum { ROWS_KEPT = 2500, COLS_MAX = 128 };

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

/* All zero; NULL without memory. */
struct gauss *gauss_new(int rows, int cols);

/* What theta says, made ready. */
struct cov {
    int cols;
    double inverse[COLS_MAX]; /* squares of 1 / length */
    double smooth, linear, noise, other;
};
struct cov gauss_cov_of(const double *theta, int cols);

/* Of two standardised rows, whose kinds are the same or not; without noise. */
double gauss_covariance(const struct cov *c, const double *x, const double *y, bool same);

/* ret_x[cols]: x[cols], standardised. */
void gauss_place(const struct gauss *g, const float *x, double *ret_x);

#endif
