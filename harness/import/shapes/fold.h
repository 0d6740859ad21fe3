/* harness/import/shapes/fold.h - the value of one operator each, for fold.c. Inputs are
 * constant, outputs' shapes known. */
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

/* False: it cannot be computed here. */
bool fold_view(struct ir *g, const struct ir_node *n);
void fold_concat(struct ir *g, const struct ir_node *n);
bool fold_gather(struct ir *g, const struct ir_node *n);
bool fold_gather_nd(struct ir *g, const struct ir_node *n);
void fold_tile(struct ir *g, const struct ir_node *n);
void fold_trilu(struct ir *g, const struct ir_node *n);
void fold_cumsum(struct ir *g, const struct ir_node *n);

#endif
