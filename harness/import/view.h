/* harness/import/view.h - where the elements of a tensor lie in what is stored: offset and strides.
 *
 * Reshape, Transpose, Slice, Split, Expand and the like move nothing: they make another view of the
 * same elements. Only where a consumer wants them in another order are they moved, once. */
#ifndef FLASHMEM_HARNESS_IMPORT_VIEW_H
#define FLASHMEM_HARNESS_IMPORT_VIEW_H

#include "harness/onnx/ir.h"

enum { VIEW_MAX = 20 }; /* axes, more than tensors have: axes get split */

struct view {
    int64_t offset;
    int rank;
    int64_t dim[VIEW_MAX], stride[VIEW_MAX]; /* strides in elements; 0: repeated; may be negative */
};

struct view view_dense(const struct shape *s);
int64_t view_elements(const struct view *v);
struct shape view_shape(const struct view *v); /* rank at most IR_MAX_RANK */
/* The same elements in the same order under another shape; false: strides cannot say that. */
bool view_reshape(const struct view *v, const struct shape *s, struct view *ret);
struct view view_permute(const struct view *v, const int64_t *perm);
struct view view_expand(const struct view *v, const struct shape *s);
/* Without axes of one element, and with neighbours merged where strides allow. */
struct view view_simple(const struct view *v);
/* Does an axis say the same element again? */
bool view_repeats(const struct view *v);
/* Are elements 0, 1, ... in this order, without a gap? */
bool view_is_dense(const struct view *v);

/* Calls visit(ctx, i, address) for each element i = 0, 1, ... of the view, in order. */
void view_each(const struct view *v, void (*visit)(void *ctx, int64_t i, int64_t address),
               void *ctx);

enum view_op {
    VIEW_NO, /* the node computes, or its parameters are not constant */
    VIEW_YES,
    VIEW_COPY /* *ret has the right axes, but `in` must be made dense first */
};
/* The view that output `slot` of a node is of its input 0, given that input's own view. */
enum view_op view_of_node(struct ir *g, const struct ir_node *n, int slot, const struct view *in,
                          struct view *ret);

#endif
