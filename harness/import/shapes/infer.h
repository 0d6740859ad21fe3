/* harness/import/shapes/infer.h - shapes and constants: what a node's outputs are, when its inputs
 * are known. Formulas: https://onnx.ai/onnx/operators/ */
#ifndef FLASHMEM_HARNESS_IMPORT_SHAPES_INFER_H
#define FLASHMEM_HARNESS_IMPORT_SHAPES_INFER_H

#include "harness/onnx/ir.h"

/* Sets element kind and shape of the outputs of node n where they can be known; jumps where the
 * node contradicts itself. */
void infer_node(struct ir *g, struct ir_node *n);

/* Makes constants of the outputs of node n, if all that it needs is constant, it is one that we can
 * compute here, and the result is small. False: it stays. */
bool fold_node(struct ir *g, struct ir_node *n);

/* Both for each node in order; nodes that became constants die. Jumps if a graph output is constant
 * or of no elements. */
void infer_graph(struct ir *g);

/* Which axes of its input a Reduce* takes away, if any. False: that depends on values. */
bool infer_axes(const struct ir *g, const struct ir_node *n, bool ret_gone[IR_MAX_RANK]);

/* Pads of a convolution or pooling: begin and end of `n` axes, auto_pad resolved. Kernel and
 * dilation sizes as given. */
struct window {
    int n;
    int64_t kernel[4], stride[4], dil[4], begin[4], end[4], out[4];
};
/* For Conv, pooling and ConvTranspose: `in` is the spatial part of the input. */
void infer_window(struct ir *g, const struct ir_node *n, const int64_t *in, int rank,
                  const int64_t *kernel, struct window *ret);

#endif
