/* harness/onnx/arena.h - memory that is freed all at once, and the way out of it.
 *
 * An import makes thousands of small things that live and die together, and any of them may find
 * the file wanting. So everything is taken from one arena, and whoever finds an error jumps: no
 * function in this room returns one. Only import.c (and lower.c, for one node) sets a place to
 * land. */
#ifndef FLASHMEM_HARNESS_ONNX_ARENA_H
#define FLASHMEM_HARNESS_ONNX_ARENA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/err.h"

struct block;

struct arena {
    struct block *blocks;
    uint64_t used_bytes, limit_bytes;
    jmp_buf *land; /* where arena_fail() goes; setjmp() was called there */
    struct err *err;
};

/* Zeroed memory, aligned for anything; never NULL: jumps with -ENOMEM, or -E2BIG beyond the limit.
 */
void *arena_alloc(struct arena *a, size_t n, size_t size);
/* Cut at 2 KiB. */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *arena_text(struct arena *a, const char *bytes, size_t n); /* a copy, ended by a zero */

/* Room for one more in an array of n: doubles when n is zero or a power of two. */
void *arena_grow(struct arena *a, void *array, size_t n, size_t size);

_Noreturn void arena_fail(struct arena *a, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

void arena_done(struct arena *a);

#define NEW(a, type)     ((type *)arena_alloc((a), 1, sizeof(type)))
#define NEWS(a, n, type) ((type *)arena_alloc((a), (size_t)(n), sizeof(type)))

#endif
