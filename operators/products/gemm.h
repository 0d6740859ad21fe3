/* operators/products/gemm.h - what matrix products and convolutions share: kernels, and how to
 * launch them.
 *
 * They compute y[b][m,n] = sum over k of a[b][m,k] * b[b][k,n]; convolutions read their a from
 * pixels. Kernels: kernels/gemm_direct.cl, kernels/gemm_staged.cl. */
#ifndef FLASHMEM_OPERATORS_PRODUCTS_GEMM_H
#define FLASHMEM_OPERATORS_PRODUCTS_GEMM_H

#include "operators/op.h"

/* The pixels of x behind the rows of a, in order; all 0 for a matrix product. */
struct gemm_pixels {
    int64_t ow;         /* results in a row of y */
    int64_t h;          /* rows of x */
    int64_t row_floats; /* of a row of x, padding included */
    int64_t stride;     /* rows of x from one row of y to the next */
    int64_t reach;      /* rows of x that the taps of one result span */
};

struct gemm {
    int64_t m, n, k;  /* of one product */
    int64_t k_texels; /* texels along k, padding included */
    int64_t batches;
    bool ta; /* texels of a lie along m */
    bool tb; /* texels of b lie along k */
    struct gemm_pixels pixels;
};

enum { GEMM_DIRECT, GEMM_STAGED, GEMM_TILED, GEMM_SPLIT, GEMM_KERNELS_N };
enum { GEMM_TM, GEMM_TN, GEMM_DIRECT_ORDER };
/* "split" begins as "tiled"; GEMM_TM and GEMM_TN are theirs too. */
enum {
    GEMM_TILED_BK = GEMM_TN + 1,
    GEMM_TILED_STAGES,
    GEMM_TILED_ORDER,
    GEMM_TILED_TURNS,
    GEMM_SPLIT_SK
};
enum { GEMM_BM, GEMM_BN, GEMM_BK, GEMM_MR, GEMM_NR, GEMM_STAGED_ORDER };

/* The first of op.kernels. */
#define GEMM_ORDER                                                                                 \
    {                                                                                              \
        "ORDER", 1, 1, {1, 2}, "global x walks 1: n, 2: m"                                         \
    }
#define GEMM_TILES                                                                                 \
    {"TM", 4, 8, {1, 2, 4, 6, 8, 12, 16}, "results of an item along m"},                              \
        {"TN", 4, 8, {4, 8, 12, 16}, "results of an item along n"},                                \
        {"BK", 16, 16, {8, 16, 32, 64, 128, 256}, "k staged at a time"},                           \
        {"STAGES", 2, 2, {1, 2}, "tiles in local memory: one or two in turns"}, GEMM_ORDER,        \
    {                                                                                              \
        "TURNS", 1, 1, {1, 2}, "of the loop over a stage; 2: reads stay ahead of it"               \
    }
#define GEMM_KERNELS                                                                               \
    [GEMM_DIRECT] = {"direct",                                                                     \
                     "gemm_direct.cl",                                                             \
                     "gemm.cl",                                                                    \
                     OP_ALL_FORMS,                                                                 \
                     {{"TM", 4, 8, {1, 2, 4, 8, 16}, "results of an item along m"},                \
                      {"TN", 16, 8, {4, 8, 16}, "results of an item along n"},                     \
                      GEMM_ORDER}},                                                                \
    [GEMM_STAGED] =                                                                                \
        {"staged",                                                                                 \
         "gemm_staged.cl",                                                                         \
         "gemm.cl",                                                                                \
         OP_ALL_FORMS,                                                                             \
         {{"BM", 128, 32, {8, 16, 32, 64, 128, 256, 264, 512}, "rows of a block", true},           \
          {"BN", 256, 64, {32, 64, 128, 192, 256, 384, 512, 544}, "and columns", true},            \
          {"BK", 256, 32, {32, 64, 128, 256, 512, 768, 1024}, "k per pass", true},                 \
          {"MR", 8, 4, {4, 8}, "rows of the micro-kernel"},                                        \
          {"NR", 32, 8, {8, 16, 32}, "columns of the micro-kernel"},                               \
          GEMM_ORDER},                                                                             \
         .also = "gemm_panels.cl"},                                                                \
    [GEMM_TILED] = {"tiled", "gemm_tiled.cl", "gemm.cl", OP_ALL_FORMS, {GEMM_TILES}},              \
    [GEMM_SPLIT] = {"split",                                                                       \
                    "gemm_tiled.cl",                                                               \
                    "gemm.cl",                                                                     \
                    OP_ALL_FORMS,                                                                  \
                    {GEMM_TILES, {"SK", 4, 4, {2, 4, 8, 16, 32}, "runs of k in a group"}},         \
                    .own_order = true}

/* The first parameters of convolutions. */
#define GEMM_MAP_AND_FILTER                                                                        \
    {"h", 0, 1, 1 << 13, NULL, "rows of the input map"},                                           \
        {"w", 0, 1, 1 << 13, NULL, "columns of the input map"},                                    \
        {"cin", 0, 1, 1 << 16, NULL, "input channels"},                                            \
        {"cout", 0, 1, 1 << 16, NULL, "output channels"},                                          \
        {"r", 0, 1, 64, NULL, "rows of the filter"},                                               \
    {                                                                                              \
        "s", 0, 1, 64, NULL, "columns of the filter"                                               \
    }

/* One more, of matmul alone. */
#define GEMM_VECTOR GEMM_KERNELS_N
#define GEMM_VECTOR_KERNEL                                                                         \
    [GEMM_VECTOR] = {"vector",     "gemm_vector.cl", "gemm.cl",                                    \
                     OP_ALL_FORMS, {{.name = NULL}}, .own_order = true}
/* And one for CPUs, which begins as "staged". */
#define GEMM_FEW (GEMM_VECTOR + 1)
enum { GEMM_FEW_MR, GEMM_FEW_BN, GEMM_FEW_BK };
#define GEMM_FEW_KERNEL                                                                            \
    [GEMM_FEW] = {"few",                                                                           \
                  "gemm_few.cl",                                                                   \
                  "gemm.cl",                                                                       \
                  OP_ALL_FORMS,                                                                    \
                  {{"MR", 4, 4, {1, 2, 4}, "rows at most"},                                        \
                   {"BN", 64, 64, {16, 32, 64, 128, 256}, "columns of a group", true},             \
                   {"BK", 1024, 64, {64, 256, 1024}, "k of an image read at a time", true}},       \
                  .also = "gemm_panels.cl",                                                        \
                  .own_order = true}

/* Sets kernel, tunables and local size for this shape, device and v->path. */
void gemm_prefer(const struct gemm *g, const struct device_info *dev, struct op_variant *v);

/* How a result ends: act(sum / sqrt(k) if scaled + bias + res). */
struct gemm_end {
    bool bias, res, scaled;
    int act; /* enum activation */
};
/* Appends what it reads beside the product, and y: slot 2 is the bias. */
void gemm_end_slots(const struct gemm_end *e, const struct tensor_desc *y, int64_t n,
                    struct op_io *io);
/* Appends to the options of a launch, which say what is computed. */
void gemm_end_options(const struct gemm_end *e, struct op_launch *l);
/* Reference: element `at` of y, in column n, from a sum of k products. */
double gemm_end_value(const struct gemm_end *e, int64_t k, double sum, const double *const *in,
                      int64_t n, int64_t at);
/* Operations that are not multiply-adds, of one result. */
int gemm_end_ops(const struct gemm_end *e);

/* Grid, the first options, and the ints that all begin with: M N K KT batches. -EINVAL: blocks that
 * the micro-kernel does not divide, more local memory than the device has, a local size that is not
 * the staged kernel's 1x1, items of the direct kernel that would share texels of a. */
int gemm_launch(const struct gemm *g, const struct op_variant *v, const struct device_info *dev,
                struct op_launch *ret_launch, struct err *err);

/* The parts of both for the staged kernel (gemm_staged.c): false if no block fits the device; the
 * launch begins its options. And for matmul's few: false unless rows are few and b lies along k. */
bool gemm_staged_prefer(const struct gemm *g, const struct device_info *dev, struct op_variant *v);
int gemm_staged_launch(const struct gemm *g, const struct op_variant *v,
                       const struct device_info *dev, struct op_launch *l, struct err *err);

bool gemm_few_prefer(const struct gemm *g, const struct device_info *dev, struct op_variant *v);
int gemm_few_launch(const struct gemm *g, const struct op_variant *v, const struct device_info *dev,
                    struct op_launch *l, struct err *err);

/* And for tiled, split and vector (gemm_tiled.c), where the local size is part of the program. */
int gemm_tiled_launch(const struct gemm *g, const struct op_variant *v,
                      const struct device_info *dev, struct op_launch *l, struct err *err);
int gemm_vector_launch(const struct gemm *g, const struct op_variant *v, struct op_launch *l,
                       struct err *err);
void gemm_vector_prefer(const struct gemm *g, struct op_variant *v);
void gemm_tiled_prefer(const struct gemm *g, const struct device_info *dev, struct op_variant *v);

#endif
