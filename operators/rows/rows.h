/* operators/rows/rows.h - launches of kernels that reduce rows (kernels/rows.cl) or columns
 * (kernels/columns.cl): a group of X x Y items takes Y rows, or X columns of vectors. */
#ifndef FLASHMEM_OPERATORS_ROWS_ROWS_H
#define FLASHMEM_OPERATORS_ROWS_ROWS_H

#include "operators/op.h"

/* op.kernels of those that reduce rows. */
#define ROWS_KERNEL(kernel, file)                                                                  \
    {                                                                                              \
        .name = kernel, .source = file, .shared = "rows.cl",                                       \
        .forms = 1u << FORM_NAIVE | 1u << FORM_BRANCHING | 1u << FORM_PIPELINED, .tunables = {     \
            {"VT", 4, 1, {1, 2, 4}, "texels of a vector"}                                          \
        }                                                                                          \
    }

/* Sets the tunable and the local size for so many rows and columns, on v->path. */
void rows_prefer(const struct device_info *dev, int64_t rows, int64_t cols, struct op_variant *v);

/* Grid, ints rows cols ct, options of rows.cl. -EINVAL: a local size that it does not take. */
int rows_launch(const struct op_case *c, const struct op_variant *v, const struct device_info *dev,
                int64_t rows, int64_t cols, struct op_launch *ret_launch, struct err *err);

/* The same for columns.cl, `vt` texels a vector: sets the options; the grid is the caller's. */
int columns_options(const struct op_case *c, const struct op_variant *v,
                    const struct device_info *dev, int vt, struct op_launch *l, struct err *err);

#endif
