/* harness/model/split.h - one fused layer as two: adaptive fusion, when streaming wants more
 * places.
 *
 * What a layer ends in goes first: its activation, else the sum with a residual, else the bias. So
 * matmul + bias + gelu becomes matmul + bias, gelu; asked again, matmul, add, gelu. */
#ifndef FLASHMEM_HARNESS_MODEL_SPLIT_H
#define FLASHMEM_HARNESS_MODEL_SPLIT_H

#include "harness/model/model.h"

bool model_can_split(const struct model *m, int layer);

/* The operators of the two parts. -EINVAL: the layer ends in nothing. */
int model_split_cases(const struct layer *l, struct op_case ret_c[2], struct err *err);

/* A new model whose layer `layer` is the first part, called NAME.unfused (NAME.unfused.2 when split
 * again), and layer + 1 the second, called NAME. Weights stay as they are, so that the weights file
 * of m serves both. ret_m: model_free(). -EINVAL: the layer ends in nothing; -ENOMEM. */
int model_split(const struct model *m, int layer, struct model **ret_m, struct err *err);

#endif
