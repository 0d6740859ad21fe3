/* harness/model/random.h - reproducible values: counter-based, so any part can be made alone.
 *
 * The i-th value of a stream is mean + std * z, where z sums four 16-bit uniforms (Irwin-Hall; a
 * bell within +-3.47) of rng_at(stream, i). The sum is an integer, its product with a 24-bit std is
 * exact in double, and what remains are at most two roundings in a fixed order: the same bytes on
 * every IEEE 754 machine, whether or not the compiler contracts a * b + c. */
#ifndef FLASHMEM_HARNESS_MODEL_RANDOM_H
#define FLASHMEM_HARNESS_MODEL_RANDOM_H

#include <stdint.h>

/* The stream of a thing by its name: what else a model has does not change its values. */
uint64_t random_stream(uint64_t seed, const char *name);

/* Values first .. first + n - 1. std >= 0; its nearest float is used. */
void random_normal(uint64_t stream, uint64_t first, uint64_t n, double mean, double std,
                   float *ret_values);

#endif
