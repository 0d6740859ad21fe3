/* harness/predict/smooth.h - what the Gaussian process of a regressor sees: sizes as logarithms, and
 * choices as they are, of the same features that the trees see. README.md, "Smooth part". */
#ifndef FLASHMEM_HARNESS_PREDICT_SMOOTH_H
#define FLASHMEM_HARNESS_PREDICT_SMOOTH_H

#include <stdbool.h>

#include "operators/op.h"

enum { SMOOTH_MAX = 64 };
struct smooth {
    int n;
    int column[SMOOTH_MAX]; /* of the features */
    bool as_is[SMOOTH_MAX]; /* logarithm already, or a choice */
};

/* Those columns that are among the first `cols` features (FEATURES_LATENCY or FEATURES_SLOWDOWN). */
struct smooth smooth_columns(int cols);

/* A row of features as the process wants it, ret_s[s->n]: finite, absent is 0. */
void smooth_row(const struct smooth *s, const float *x, float *ret_s);

/* Rows of one kind tell most about each other: an operator's kernel in one form. */
int smooth_kind(const struct op_case *c, const struct op_variant *v);

#endif
