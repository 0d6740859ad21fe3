/* harness/model/npy.h - NumPy's .npy files (format 1.0 to 3.0), as matrices.
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#ifndef FLASHMEM_HARNESS_MODEL_NPY_H
#define FLASHMEM_HARNESS_MODEL_NPY_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/err.h"

struct npy {
    int64_t rows, cols; /* the last axis is cols, all before it are rows */
    bool whole;         /* integers */
    float *value;       /* row-major */
};

/* Little-endian f4, f8, i4, i8 in C order, up to 8 axes. -ENOENT, -EINVAL: not such a file, torn,
 * or an integer that a float does not hold. Freed with npy_done(). */
int npy_read(const char *path, struct npy *ret_a, struct err *err);
void npy_done(struct npy *a);

/* [rows, cols] as f4, or i4 if whole. Written beside and renamed: never half there. */
int npy_write(const char *path, const struct npy *a, struct err *err);

#endif
