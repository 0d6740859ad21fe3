#include "operators/op_text.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int op_text_token(const char **text, char token[OP_TOKEN_MAX])
{
    size_t n = strcspn(*text, ",");

    if (**text == '\0')
        return 0;
    if (n >= OP_TOKEN_MAX)
        return -EINVAL;
    memcpy(token, *text, n);
    token[n] = '\0';
    *text += n;
    if (**text == ',') {
        ++*text;
        if (**text == '\0')
            return -EINVAL;
    }
    return 1;
}

int op_text_int(const char *text, int64_t *ret_v)
{
    char *end;
    long long v;

    if (!isdigit((unsigned char)*text) && *text != '-')
        return -EINVAL;
    errno = 0;
    v = strtoll(text, &end, 10);
    if (errno || end == text || *end)
        return -EINVAL;
    *ret_v = v;
    return 0;
}

void op_text_append(char *text, size_t room, const char *fmt, ...)
{
    size_t n = strlen(text);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text + n, room - n, fmt, ap);
    va_end(ap);
}
