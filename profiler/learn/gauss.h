/* profiler/learn/gauss.h - a Gaussian process: smooth regression of few samples in many dimensions.
 *
 * Where trees need samples on both sides of every step, this draws a smooth surface, and says what
 * follows from a handful of neighbours. Covariance of two rows of kinds p and q:
 *
 *   s^2 M(r) (p == q ? 1 : rho) + l^2 (1 + x.y) + n^2 [same row]
 *   M(r) = (1 + q + q^2/3) exp(-q), q = sqrt(5) r: Matern 5/2, twice differentiable
 *   r^2 = sum over columns of ((x - y) / length)^2: a length for each
 *
 * (Rasmussen and Williams 2006, chapters 2, 4.2 and 5.4.) Columns are standardised, the mean is
 * taken out. Lengths and amplitudes maximise the marginal likelihood times weak priors. Knows
 * nothing of what it predicts. */
#ifndef FLASHMEM_PROFILER_LEARN_GAUSS_H
#define FLASHMEM_PROFILER_LEARN_GAUSS_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/err.h"

struct gauss;

struct gauss_data {
    int rows, cols;
    const float *x;      /* [rows, cols] row-major, finite */
    const int *kind;     /* [rows]: rows of one kind tell more about each other */
    const float *y;      /* [rows], finite where the row teaches */
    const bool *teaches; /* [rows] */
};

/* Lengths come from at most 256 rows that teach and predictions from at most 2500, drawn by seed:
 * the cost grows with their third power. -ENODATA: no row teaches; -ENOMEM; -EINVAL: not finite. */
int gauss_fit(const struct gauss_data *d, uint64_t seed, struct gauss **ret_g, struct err *err);
void gauss_free(struct gauss *g); /* NULL is fine */

/* The mean at x[cols]. ret_sd: NULL, or its standard deviation, noise left out: how little is known
 * there (a hundred times the cost). */
double gauss_predict(const struct gauss *g, const float *x, int kind, double *ret_sd);

/* Rows that a choice is among, as one process sees them. What is predicted is the sum of all
 * parts. */
struct gauss_part {
    const struct gauss *g;
    const float *x;      /* [n, its columns] */
    const int *kind;     /* [n] */
    const bool *present; /* [n]: rows that have such a part */
};

/* Of n rows the one whose measurement would bring most of them within `tolerance` of the truth,
 * then the next one with that one measured, and so on up to `batch` (variances do not depend on
 * what is measured: Cohn 1996). How wrong a process is of a kind's rows is seen where each of
 * those that it learnt from is predicted by the others. Rows with taken[i] are left out.
 * ret_index[batch], ret_n of them. Of more than 2500 rows a draw by seed is looked at. -ENOMEM;
 * -EINVAL: from a text. */
int gauss_choose(const struct gauss_part *part, int parts, const bool *taken, int n,
                 double tolerance, int batch, uint64_t seed, int *ret_index, int *ret_n,
                 struct err *err);

/* As text and back, freed by the caller. -EINVAL: not such a text. */
int gauss_print(const struct gauss *g, char **ret_text, struct err *err);
int gauss_parse(const char *text, int cols, struct gauss **ret_g, struct err *err);

#endif
