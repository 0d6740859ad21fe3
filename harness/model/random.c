#include "harness/model/random.h"

#include "profiler/clones.h"
#include "profiler/hash.h"
#include "profiler/rng.h"

uint64_t random_stream(uint64_t seed, const char *name)
{
    /* Through the generator once more: FNV alone leaves similar names with similar states. */
    return rng_at(hash_text(HASH_INIT, name), seed);
}

CLONES void random_normal(uint64_t stream, uint64_t first, uint64_t n, double mean, double std,
                          float *ret_values)
{
    /* sqrt(4 * (2^32 - 1) / 12): the standard deviation of the sum */
    const double scale = (float)(std / 37837.22723720648);

    for (uint64_t i = 0; i < n; i++) {
        uint64_t z = rng_at(stream, first + i);
        int64_t sum = (int64_t)((z & 0xffff) + (z >> 16 & 0xffff) + (z >> 32 & 0xffff) + (z >> 48));

        ret_values[i] = (float)(mean + scale * (double)(sum - 131070));
    }
}
