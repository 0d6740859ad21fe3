/* harness/import/import.h - an ONNX file to a graph CSV and a weights file. README.md says how. */
#ifndef FLASHMEM_HARNESS_IMPORT_IMPORT_H
#define FLASHMEM_HARNESS_IMPORT_IMPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "operators/tensor.h"
#include "profiler/err.h"

/* The switchable passes, in the order in which they run; NULL-terminated. */
extern const char *const import_passes[];

struct import_options {
    const char *name;    /* of the model; NULL: the file's, without folder and ending */
    const char *output;  /* of the ONNX graph; any tensor will do; NULL: its first output */
    const char *graph;   /* path of the graph CSV to write */
    const char *weights; /* path of the weights file; NULL: none is written */
    enum dtype dtype;    /* of the weights file */
    unsigned without;    /* bit i: import_passes[i] is left out */
    /* Progress of writing weights, as weights_write() calls it; may be NULL. */
    int (*progress)(void *ctx, uint64_t done, uint64_t total);
    /* A line for people: inputs left out, nodes that cannot be lowered; may be NULL. */
    void (*note)(void *ctx, const char *line);
    /* After each pass: kernels that its graph would launch before and after it; may be NULL. */
    void (*pass)(void *ctx, const char *pass, int before, int after);
    void *ctx;
};

struct import_result {
    int nodes;          /* in the file */
    int kernels_before; /* without any pass: nodes that compute or move something */
    int kernels;        /* layers of the graph */
    int weights;
    uint64_t weight_bytes; /* in texture order */
};

/* -ENOENT; -EINVAL: no sound ONNX file; -ENOTSUP: nodes that we have no operators for, or a shape
 * that is not static (note() has all of them); -E2BIG, -ENOMEM, and what writing ends in. */
int import_onnx(const char *path, const struct import_options *opt, struct import_result *ret,
                struct err *err);

#endif
