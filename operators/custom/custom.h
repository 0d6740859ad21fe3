/* operators/custom/custom.h - a kernel of somebody else's, from a file: one of our operators with that
 * kernel in place of ours. Its head says how it is launched; our reference verifies it. Format of
 * the head: datasets/kernels/README.md. */
#ifndef FLASHMEM_OPERATORS_CUSTOM_CUSTOM_H
#define FLASHMEM_OPERATORS_CUSTOM_CUSTOM_H

#include "operators/op.h"

struct custom;

/* `text` is copied; `path` is for messages and for the kernel's name, FILE@HASH. -EINVAL: err says
 * PATH:LINE: what. */
int custom_new(const char *path, const char *text, size_t length, struct custom **ret_c,
               struct err *err);
void custom_free(struct custom *c); /* NULL is fine */

/* From now on op_find() gives this operator for its name; NULL: ours again. `c` is borrowed. Not
 * thread-safe: before anything is measured. */
void custom_use(const struct custom *c);

const char *custom_op(const struct custom *c);     /* whose reference it is held against */
const char *custom_kernel(const struct custom *c); /* "FILE@HASH" */

/* What its head asks to be swept: shapes "m=64|128 n=768" with their lines, 0-ended; and cells of a
 * spec for dtype and path. */
struct custom_shape {
    const char *text;
    int line;
};
const struct custom_shape *custom_shapes(const struct custom *c);
const char *custom_dtypes(const struct custom *c);
const char *custom_paths(const struct custom *c);

/* Floating point operations and bytes of a case, as declared; 0 where the head is silent. -EINVAL:
 * its expression fails. */
int custom_cost(const struct custom *c, const struct op_case *k, double *ret_flops,
                double *ret_bytes, struct err *err);

#endif
