/* operators/op_text.h - reading and writing "name=value,...", and options of launches. */
#ifndef FLASHMEM_OPERATORS_OP_TEXT_H
#define FLASHMEM_OPERATORS_OP_TEXT_H

#include <stddef.h>
#include <stdint.h>

enum { OP_TOKEN_MAX = 64 };

/* Next token up to a comma; *text moves behind it. 1; 0 at the end; -EINVAL if it is too long or
 * the text ends in a comma. */
int op_text_token(const char **text, char token[OP_TOKEN_MAX]);

/* Decimal digits with an optional minus, all of them. 0; -EINVAL, ret_v untouched. */
int op_text_int(const char *text, int64_t *ret_v);

/* snprintf() at the end of a text that has room by its limits. */
void op_text_append(char *text, size_t room, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
