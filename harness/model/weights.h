/* harness/model/weights.h - weights files: safetensors whose data is in texture order.
 *
 * Header padded with blanks to a multiple of 4096; tensors in order of need, each starting at a
 * multiple of 4096 of the file; gaps are declared "__pad.N" U8 tensors, because the format allows
 * no holes; all vectors in one tensor "__vectors"; "__metadata__" says format, model, graph hash,
 * seed and where each vector lies. All of it: README.md. */
#ifndef FLASHMEM_HARNESS_MODEL_WEIGHTS_H
#define FLASHMEM_HARNESS_MODEL_WEIGHTS_H

#include "harness/model/model.h"

/* Reproducible random weights: the same bytes for the same graph, dtype and seed on any machine.
 * Writes PATH.tmp, syncs, renames. -ENOSPC is checked before the first byte (err says how much is
 * needed). progress(ctx, done, total) may be NULL and may return non-zero to stop (-EINTR); it is called
 * from several threads, one after another. */
int weights_write(const struct model *m, uint64_t seed, const char *path,
                  int (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx,
                  struct err *err);

/* The same with values of another origin, an imported model's; such a file has no seed. */
struct weights_source {
    /* Rows `row` to row + rows - 1 of a weight, row-major. 0 or negative errno. Called from several
     * threads at once, in any order, and for the same rows again. */
    int (*rows)(void *ctx, int weight, int64_t row, int64_t rows, float *ret_values);
    void *ctx;
};
int weights_write_from(const struct model *m, const struct weights_source *source,
                       const char *path,
                       int (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx,
                       struct err *err);

/* One weight's row-major elements, as weights_write() makes them (vectors too), before rounding
 * to f16 storage: rows*cols values. */
void weights_values(const struct model *m, int weight, uint64_t seed, float *ret_values);

struct weights_file {
    char *path;
    bool seeded; /* random values made from `seed`; else another origin's */
    uint64_t seed;
    uint64_t size_bytes;     /* of the file */
    uint64_t *offset_bytes;  /* [n_weights] from the start of the file; vectors: of the bundle */
    uint64_t bundle_offset;  /* of __vectors in the file; its length is model.bundle_bytes */
};

/* Opens and checks everything against the model: format, names, dtypes, shapes, order, alignment,
 * lengths. -ENOENT (err says which command writes it), -EINVAL (torn, or another model's). */
int weights_open(const struct model *m, const char *path, struct weights_file *ret_f,
                 struct err *err);
void weights_done(struct weights_file *f);

/* One weight's row-major elements as the file has them: rows*cols values. -EIO, -ENOMEM. */
int weights_read(const struct model *m, const struct weights_file *f, int weight,
                 float *ret_values, struct err *err);

/* Default path: MODEL.DTYPE.safetensors in $FLASHMEM_WEIGHTS, else in weights/ here. */
void weights_default_path(const struct model *m, char *ret_path, size_t size);

#endif
