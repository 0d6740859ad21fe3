/* harness/import/shapes/rule.h - the shapes of one operator each, for infer.c. Inputs are known. */
#ifndef FLASHMEM_HARNESS_IMPORT_SHAPES_RULE_H
#define FLASHMEM_HARNESS_IMPORT_SHAPES_RULE_H

#include "harness/import/shapes/infer.h"

/* Jumps: node n contradicts itself. */
_Noreturn void infer_fail(const struct ir *g, const struct ir_node *n, const char *what);
/* Output `slot`, if there is one. Jumps if nothing could hold it. */
void infer_set(struct ir *g, struct ir_node *n, int slot, enum elem elem, const struct shape *s);

/* Each sets output 0, or leaves it unknown where it depends on values. */
void infer_convolution(struct ir *g, struct ir_node *n);
void infer_pooling(struct ir *g, struct ir_node *n);
void infer_gather(struct ir *g, struct ir_node *n);
void infer_gather_nd(struct ir *g, struct ir_node *n);
void infer_concat(struct ir *g, struct ir_node *n);
void infer_reduce(struct ir *g, struct ir_node *n);
void infer_resize(struct ir *g, struct ir_node *n);
void infer_pad(struct ir *g, struct ir_node *n);
void infer_tile(struct ir *g, struct ir_node *n);
void infer_range(struct ir *g, struct ir_node *n);
void infer_constant_of_shape(struct ir *g, struct ir_node *n);
void infer_block_space(struct ir *g, struct ir_node *n, bool to_space);
void infer_shape_of(struct ir *g, struct ir_node *n);

#endif
