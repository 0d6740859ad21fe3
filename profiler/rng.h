/* profiler/rng.h - SplitMix64 (Steele, Lea, Flood 2014): seeded, and usable as a counter-based
 * generator: rng_at(seed, i) is the i-th value, so any part of a stream can be made alone. */
#ifndef FLASHMEM_PROFILER_RNG_H
#define FLASHMEM_PROFILER_RNG_H

#include <stdint.h>

static inline uint64_t rng_at(uint64_t seed, uint64_t i)
{
    uint64_t z = seed + (i + 1) * UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline uint64_t rng_next(uint64_t *state)
{
    uint64_t v = rng_at(*state, 0);

    *state += UINT64_C(0x9e3779b97f4a7c15);
    return v;
}

/* Uniform in [0, n), n > 0; the bias of the multiply-shift is below 2^-32 for n < 2^32. */
static inline uint64_t rng_below(uint64_t *state, uint64_t n)
{
    __extension__ typedef unsigned __int128 u128;

    return (uint64_t)(((u128)rng_next(state) * n) >> 64);
}

/* Uniform in [0, 1) with 53 bits. */
static inline double rng_unit(uint64_t *state)
{
    return (double)(rng_next(state) >> 11) * 0x1p-53;
}

#endif
