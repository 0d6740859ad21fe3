/* operators/rows/rows.h - launches of kernels that reduce rows (kernels/rows.cl) or columns
 * (kernels/columns.cl): a group of X x Y items takes Y rows, or X columns of vectors. */
#ifndef FLASHMEM_OPERATORS_ROWS_ROWS_H
#define FLASHMEM_OPERATORS_ROWS_ROWS_H

#include "operators/op.h"
#include "operators/op_text.h"
#include "operators/slots.h"

/* op.kernels of those that reduce rows. */
#define ROWS_KERNEL(kernel, file)                                                                  \
    {                                                                                              \
        .name = kernel, .source = file, .shared = "rows.cl", .forms = OP_ALL_FORMS, .tunables = {  \
            {"VT", 4, 1, {1, 2, 4}, "texels of a vector"}                                          \
        }                                                                                          \
    }

/* op.prefer of those: the tunable and the local size for the shape of x. */
void rows_prefer(const struct op_case *c, const struct device_info *dev, struct op_variant *v);

/* Grid, ints rows cols ct of x, options of rows.cl. -EINVAL: a local size that it does not take. */
int rows_launch(const struct op_case *c, const struct op_variant *v, const struct device_info *dev,
                struct op_launch *ret_launch, struct err *err);

/* The same for columns.cl, `vt` texels a vector: sets the options; the grid is the caller's. */
int columns_options(const struct op_case *c, const struct op_variant *v,
                    const struct device_info *dev, int vt, struct op_launch *l, struct err *err);

#endif
