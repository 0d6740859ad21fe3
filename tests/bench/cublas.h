/* tests/bench/cublas.h - cuBLAS as an alternative beside our products, where it is installed: found
 * at run time (libcublas.so.13 or .12 and libcudart of the same number), so that nothing needs CUDA
 * to build. */
#ifndef FLASHMEM_TESTS_BENCH_CUBLAS_H
#define FLASHMEM_TESTS_BENCH_CUBLAS_H

#include <stdbool.h>

/* y = a x b^T (or x b, if !tb) of f32, full precision; a batch of heads stands side by side in a
 * row (aheads, bheads, cheads) or below each other. */
struct cublas_product {
    int m, n, k, batch;
    bool tb, aheads, bheads, cheads;
    float *a, *b, *c; /* on the device */
};

/* False where there is no cuBLAS or no CUDA device. */
bool cublas_open(struct cublas_product *p);
/* bench_side.run; ctx is the product. */
void cublas_run(void *ctx, int times);
void cublas_close(struct cublas_product *p);

#endif
