/* operators/rearrange.h - weights as model files have them, and the kernel that turns them into
 * texel order: what frameworks do when they start.
 *
 * Natural layouts are ONNX's: a convolution's weight [out, in, height, width], a transposed one's
 * [in, out, height, width], a product's matrix row by row without padding. A gather's table is read
 * by rows and stays as it is. */
#ifndef FLASHMEM_OPERATORS_REARRANGE_H
#define FLASHMEM_OPERATORS_REARRANGE_H

#include "operators/op.h"

/* Element e of group g (of `inner`) of row r stands at r * row + g * between + e * step. */
struct natural {
    int64_t row, between, step; /* elements */
    bool same;                  /* byte for byte the texel order: nothing to rearrange in a buffer */
};

/* Of a case's weight. */
struct natural natural_of(const struct op_case *c, const struct tensor_desc *d);

/* Row-major elements of a weight, to and from that layout; rows * cols of them. */
void natural_put(const struct natural *n, const struct tensor_desc *d, const float *elements,
                 float *ret_natural);

struct rearrange; /* built kernels for one dtype and path */

int rearrange_new(struct device *dev, enum dtype dtype, enum mem_path path,
                  struct rearrange **ret_r, struct err *err);
void rearrange_free(struct rearrange *r); /* NULL is fine */
uint64_t rearrange_build_ns(const struct rearrange *r);

/* Enqueue: the elements in buffer `from` become tensor `to`. */
int rearrange_enqueue(struct rearrange *r, cl_command_queue queue, cl_mem from,
                      const struct tensor *to, const struct natural *n, cl_event *ret_event,
                      struct err *err);

#endif
