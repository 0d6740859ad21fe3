/* harness/import/shapes/fold.h - the values of operators, for fold.c; those of single numbers also
 * for passes that compare functions. */
#ifndef FLASHMEM_HARNESS_IMPORT_SHAPES_FOLD_H
#define FLASHMEM_HARNESS_IMPORT_SHAPES_FOLD_H

#include "harness/onnx/ir.h"

/* Larger constants are left to be views of weights, or are none of our business. */
enum { FOLD_MAX = 1 << 22 };

struct folded {
    struct ir_tensor *t; /* the result */
    enum elem elem;
    void *data;
};

struct folded fold_begin(struct ir *g, const struct ir_node *n, int slot);
void fold_put(const struct folded *o, int64_t i, double v);
void fold_finish(const struct folded *o);

/* fold_number.c. False, and *ret as it was: no such function. `elem` is that of a: whole numbers
 * divide without rest. */
bool fold_unary(const char *op, double x, double *ret);
bool fold_binary(const char *op, enum elem elem, double a, double b, double *ret);

/* fold_move.c: inputs are constant, outputs' shapes known. False: it cannot be computed here. */
bool fold_view(struct ir *g, const struct ir_node *n);
void fold_concat(struct ir *g, const struct ir_node *n);
bool fold_gather(struct ir *g, const struct ir_node *n);
bool fold_gather_nd(struct ir *g, const struct ir_node *n);
void fold_tile(struct ir *g, const struct ir_node *n);
void fold_trilu(struct ir *g, const struct ir_node *n);
void fold_cumsum(struct ir *g, const struct ir_node *n);

#endif
