#include "harness/onnx/arena.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 64 << 10 };

struct block {
    struct block *next;
    size_t used, size;
    max_align_t data[];
};

_Noreturn void arena_fail(struct arena *a, int code, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    err_set(a->err, code, "%s", text);
    longjmp(*a->land, 1);
}

void *arena_alloc(struct arena *a, size_t n, size_t size)
{
    const size_t unit = sizeof(max_align_t);
    struct block *b = a->blocks;
    size_t want;
    void *p;

    if (n && size > (SIZE_MAX - unit) / n)
        arena_fail(a, -E2BIG, "%zu things of %zu bytes are too many", n, size);
    want = (n * size + unit - 1) / unit * unit;
    if (want > a->limit_bytes - a->used_bytes)
        arena_fail(a, -E2BIG, "the import needs more than %llu MiB for itself",
                   (unsigned long long)(a->limit_bytes >> 20));
    a->used_bytes += want;
    if (!b || want > b->size - b->used) {
        size_t bytes = want > BLOCK_BYTES ? want : BLOCK_BYTES;

        b = calloc(1, sizeof(*b) + bytes);
        if (!b)
            arena_fail(a, -ENOMEM, "out of memory for %zu bytes", bytes);
        b->size = bytes;
        b->next = a->blocks;
        a->blocks = b;
    }
    p = (char *)b->data + b->used;
    b->used += want;
    return p;
}

char *arena_text(struct arena *a, const char *bytes, size_t n)
{
    char *s = arena_alloc(a, n + 1, 1);

    if (n)
        memcpy(s, bytes, n);
    return s;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    char text[2048];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return arena_text(a, text, strlen(text));
}

void *arena_grow(struct arena *a, void *array, size_t n, size_t size)
{
    void *more;

    if (n && (n & (n - 1)))
        return array;
    more = arena_alloc(a, n ? 2 * n : 1, size);
    if (n)
        memcpy(more, array, n * size);
    return more;
}

void arena_done(struct arena *a)
{
    while (a->blocks) {
        struct block *next = a->blocks->next;

        free(a->blocks);
        a->blocks = next;
    }
}
