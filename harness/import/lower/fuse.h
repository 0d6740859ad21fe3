/* harness/import/lower/fuse.h - fewer kernels, same results. Each pass works alone. */
#ifndef FLASHMEM_HARNESS_IMPORT_LOWER_FUSE_H
#define FLASHMEM_HARNESS_IMPORT_LOWER_FUSE_H

#include "harness/import/lower/low.h"

/* Sums and products with constants, behind each other or behind a product: into its weight and
 * bias. */
void fuse_bias(struct low *l);
/* Columns of a product with a weight that are read apart become products with parts of the weight.
 */
void fuse_split(struct low *l);
/* A product, and the sum of its result with something else. */
void fuse_residual(struct low *l);
/* A product, a sum or a normalisation, and the activation behind it. */
void fuse_activation(struct low *l);

#endif
