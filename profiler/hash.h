/* profiler/hash.h - FNV-1a, 64 bit (Fowler, Noll, Vo; IETF draft-eastlake-fnv).
 * For cache file names, shards and seeds. Identity never rests on it alone: whoever looks
 * something up by hash compares the full key text as well. */
#ifndef FLASHMEM_PROFILER_HASH_H
#define FLASHMEM_PROFILER_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_INIT UINT64_C(0xcbf29ce484222325)

static inline uint64_t hash_bytes(uint64_t h, const void *data, size_t n)
{
    const unsigned char *p = data;

    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    return h;
}

static inline uint64_t hash_text(uint64_t h, const char *s)
{
    while (*s)
        h = (h ^ (unsigned char)*s++) * UINT64_C(0x100000001b3);
    return h;
}

#endif
