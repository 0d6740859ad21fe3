/* operators/custom/expression.h - whole numbers from text: "up(n, TN) / TN * 8". C's operators and their
 * precedence (+ - * / % == != < <= > >= && || ! and parentheses) on int64, and up(x, y): x rounded
 * up to a multiple of y; div_up(x, y); min; max. */
#ifndef FLASHMEM_OPERATORS_CUSTOM_EXPRESSION_H
#define FLASHMEM_OPERATORS_CUSTOM_EXPRESSION_H

#include <stdint.h>

#include "profiler/err.h"

/* What a name stands for: 0, or -ENOENT where it stands for nothing. */
typedef int expression_name(const void *ctx, const char *name, int64_t *ret_v);

/* -EINVAL: not an expression, or a name that is none; -ERANGE: division by zero or overflow. */
int expression_value(const char *text, expression_name *name, const void *ctx, int64_t *ret_v,
                     struct err *err);

#endif
