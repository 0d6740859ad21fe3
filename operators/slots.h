/* operators/slots.h - tensors that operators of several rooms have. */
#ifndef FLASHMEM_OPERATORS_SLOTS_H
#define FLASHMEM_OPERATORS_SLOTS_H

#include "operators/op.h"

/* x [xrows, xcols] -> y [rows, cols]. */
static inline void slots_map(const struct op_case *c, int64_t xrows, int64_t xcols, int64_t rows,
                             int64_t cols, struct op_io *ret_io)
{
    *ret_io = (struct op_io){2,
                             {{"x", ROLE_INPUT, {.rows = xrows, .cols = xcols, .dtype = c->dtype}},
                              {"y", ROLE_OUTPUT, {.rows = rows, .cols = cols, .dtype = c->dtype}}}};
}

/* x and y [rows, cols], and two small weights by column. */
static inline void slots_by_column(const struct op_case *c, int64_t rows, int64_t cols,
                                   const char *factor, const char *term, struct op_io *ret_io)
{
    struct tensor_desc d = {.rows = rows, .cols = cols, .dtype = c->dtype};
    struct tensor_desc v = {.rows = 1, .cols = cols, .dtype = c->dtype};

    *ret_io = (struct op_io){4,
                             {{"x", ROLE_INPUT, d},
                              {factor, ROLE_VECTOR, v},
                              {term, ROLE_VECTOR, v},
                              {"y", ROLE_OUTPUT, d}}};
}

#endif
