/* harness/model/split.h - one fused layer as two: adaptive fusion, when streaming wants more
 * places.
 *
 * What a layer ends in goes first: its activation, else the sum with a residual, else the bias. So
 * matmul + bias + gelu becomes matmul + bias, gelu; asked again, matmul, add, gelu. */
#ifndef FLASHMEM_HARNESS_MODEL_SPLIT_H
#define FLASHMEM_HARNESS_MODEL_SPLIT_H

#include "harness/model/weights.h"

bool model_can_split(const struct model *m, int layer);

/* The operators of the two parts. -EINVAL: the layer ends in nothing. */
int model_split_cases(const struct layer *l, struct op_case ret_c[2], struct err *err);

/* A new model whose layer `layer` is the first part, called NAME.unfused (NAME.unfused.2 when split
 * again), and layer + 1 the second, called NAME. Weights stay as they are, so that the weights file
 * of m serves both. ret_m: model_free(). -EINVAL: the layer ends in nothing; -ENOMEM. */
int model_split(const struct model *m, int layer, struct model **ret_m, struct err *err);

/* Which layers read a weight first and last, and an output last, from what layers read. */
void model_find_uses(struct model *m);

/* ---- slices: a weight too large to be there at once is read, used and given back in parts ---- */

/* The weight of a plain product or convolution whose results can be computed some columns at a
 * time: its rows are those columns. -1: the layer has none. */
int model_slice_weight(const struct model *m, int layer);

/* The layer as up to 16 of its kind, each with a part of the weight of at most `most_bytes` (or
 * what 16 parts have), and the concat of their results, which bears its name. f, the file's places of
 * m's weights, becomes that of the new model. *m is replaced; layer + *ret_more is the last of the
 * new layers. 0, also if there is nothing to cut (*ret_more is 0 then); -ENOMEM: both are as they
 * were. */
int model_slice(struct model **m, struct weights_file *f, int layer, uint64_t most_bytes,
                int *ret_more, struct err *err);

/* All layers whose weight is larger; ret_sliced: how many were. After -ENOMEM some may be. */
int model_slice_all(struct model **m, struct weights_file *f, uint64_t most_bytes, int *ret_sliced,
                    struct err *err);

#endif
