/* harness/model/reference.h - the whole model in plain C: what replays are verified against. */
#ifndef FLASHMEM_HARNESS_MODEL_REFERENCE_H
#define FLASHMEM_HARNESS_MODEL_REFERENCE_H

#include "harness/model/weights.h"

/* Runs every operator's reference in order, with the weights that weights_write() makes from
 * `seed`. Weights, inputs and each layer's output are rounded to the model's storage type, as on a
 * device; sums are double.
 *
 *   inputs      row-major values of each model input (ids as whole numbers, within max_id)
 *   ret_output  rows * cols of the last layer's output; untouched on failure
 *
 * Products run on all cores, the rest on one: 11 s of processor time for GPTN-S, 2 for ResNet.
 * -ENOMEM. */
int model_reference(const struct model *m, uint64_t seed, const float *const *inputs,
                    float *ret_output, struct err *err);

/* The same with the weights of a file: made from its seed, or, if it was imported, as it has them. */
int model_reference_of(const struct model *m, const struct weights_file *file,
                       const float *const *inputs, float *ret_output, struct err *err);

#endif
