/* harness/samples/twos.h - samples of a GPU that were recorded before their pairs were looked at in
 * twos (profiler/pairs.h says why): their medians again, from the repeats that are recorded with them. */
#ifndef FLASHMEM_HARNESS_SAMPLES_TWOS_H
#define FLASHMEM_HARNESS_SAMPLES_TWOS_H

#include "harness/samples/sampled.h"

/* median_ns, base_ns and slowdown of each sample with repeats, and `noisy` no more where both medians
 * are known to TWOS_TARGET now. Samples recorded since come out as they are. */
#define TWOS_TARGET 0.05
int twos_again(struct store *st, int64_t device_id, struct sampled_set *set, struct err *err);

#endif
