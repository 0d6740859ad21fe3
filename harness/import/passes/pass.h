/* harness/import/passes/pass.h - rewriting the graph of ONNX nodes: fewer nodes, same outputs. */
#ifndef FLASHMEM_HARNESS_IMPORT_PASSES_PASS_H
#define FLASHMEM_HARNESS_IMPORT_PASSES_PASS_H

#include "harness/onnx/ir.h"

/* Nodes of our own stand in this domain:
 *   Silu       x -> y
 *   Attention  q [.., m, d], k transposed [.., d, n], v [.., n, dv] -> y; scale (float), causal
 * (int) */
#define PASS_DOMAIN "flashmem"

/* Always: spellings of one thing become one. Gemm, Einsum, Sum and DepthToSpace become products,
 * sums and views; casts between floats, dropouts and the like vanish. */
void pass_canonical(struct ir *g);

/* Switchable, each alone. */
void pass_layernorm(struct ir *g);
void pass_groupnorm(struct ir *g);
void pass_activation(struct ir *g); /* GELU of either kind, SiLU */
void pass_attention(struct ir *g);

/* The other input of a two-input node one of whose inputs is a constant of equal elements; -1. */
int pass_scalar(const struct ir *g, const struct ir_node *n, double *ret_v);
/* The live producer, if it is this operator of ONNX. */
struct ir_node *pass_made_by(const struct ir *g, int tensor, const char *op);

#endif
