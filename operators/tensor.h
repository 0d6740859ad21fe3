/* operators/tensor.h - tensors in texture order, on either memory path.
 *
 * A tensor is a matrix [rows, cols] of elements. Four neighbouring elements of a row make a texel
 * (RGBA); columns come in groups of `inner` elements, each group padded with zeros to whole texels
 * (a convolution's weight has one group per tap; everything else has one group). The texel order is
 * row-major and the same on disk, in buffers and in images:
 *
 *     texel t = row * texel_cols + texel_col
 *     image: width = texel_cols, height = rows           if both are <= TENSOR_FOLD ("plain")
 *            width = TENSOR_FOLD, height = ceil(t / TENSOR_FOLD) otherwise  ("folded")
 *
 * so that texel t of a tensor stands at (t % width, t / width) in either case.
 * Invariant: padding elements are zero. Kernels rely on it when reading and keep it when writing.
 * Feature maps are matrices [height*width, channels]; heads are column blocks. */
#ifndef FLASHMEM_OPERATORS_TENSOR_H
#define FLASHMEM_OPERATORS_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/device.h"
#include "profiler/memory.h"

/* log2 of the width; tests let tensors fold earlier, and put it back. */
enum { TENSOR_FOLD_LOG2 = 13 };
extern int tensor_fold_log2;
#define TENSOR_FOLD ((int64_t)1 << tensor_fold_log2)

enum dtype { DTYPE_F32, DTYPE_F16, DTYPE_I32 }; /* I32: index vectors, always plain buffers */
enum mem_path { PATH_IMAGE, PATH_BUFFER };

extern const char *const storage_dtype_names[]; /* of activations and weights: "f32", "f16", NULL */
extern const char *const mem_path_names[];      /* "image", "buffer", NULL */
const char *dtype_name(enum dtype d);           /* "f32", "f16", "i32" */
int dtype_parse(const char *name);              /* -EINVAL if unknown */
const char *mem_path_name(enum mem_path);       /* "image", "buffer" */
int mem_path_parse(const char *name);
size_t dtype_bytes(enum dtype d);

struct tensor_desc {
    int64_t rows, cols;
    int64_t inner; /* elements per padded group; divides cols; 0 means cols */
    enum dtype dtype;
};

int64_t tensor_texel_cols(const struct tensor_desc *d);
int64_t tensor_texels(const struct tensor_desc *d);
uint64_t tensor_bytes(const struct tensor_desc *d); /* texels * 4 * element size */
bool tensor_folded(const struct tensor_desc *d);
void tensor_image_size(const struct tensor_desc *d, int64_t *ret_width, int64_t *ret_height);

/* Row-major elements [rows, cols] to texel order and back. `texels` holds tensor_bytes(d). f16 is
 * rounded to nearest even. Also how references and weights files are made. */
void tensor_pack(const struct tensor_desc *d, const float *elements, void *texels);
void tensor_unpack(const struct tensor_desc *d, const void *texels, float *elements);
uint16_t half_from_float(float f);
float half_to_float(uint16_t h);

struct tensor {
    struct tensor_desc desc;
    enum mem_path path;
    cl_mem mem;
    uint64_t booked_bytes; /* what the ledger was charged: whole image rows */
    enum mem_kind kind;
};

/* Allocate on the device, charged to `mem` (may be NULL) as `kind`. Contents undefined.
 * -ENOMEM: the ledger's limit or the device; -EINVAL: the image exceeds the device's limits. */
int tensor_new(struct device *dev, const struct tensor_desc *desc, enum mem_path path,
               struct mem *mem, enum mem_kind kind, struct tensor *ret_t, struct err *err);
/* Over the caller's memory, which outlives it and is booked by the caller: the device uses it in
 * place where pinned_shared() says so. At tensor_device_bytes(), in texel order; pitch_bytes: from
 * one row of a plain image to the next, 0 if they are dense. -EINVAL, -ENOMEM as above. */
int tensor_new_at(struct device *dev, const struct tensor_desc *desc, enum mem_path path,
                  void *host, uint64_t pitch_bytes, struct tensor *ret_t, struct err *err);
/* What a tensor takes on the device: whole image rows. */
uint64_t tensor_device_bytes(const struct tensor_desc *d, enum mem_path path);
void tensor_done(struct tensor *t, struct mem *mem); /* safe on a zeroed tensor */

/* Blocking transfers of whole tensors in texel order (tensor_bytes(desc)). */
int tensor_write(cl_command_queue queue, const struct tensor *t, const void *texels,
                 struct err *err);
int tensor_read(cl_command_queue queue, const struct tensor *t, void *texels, struct err *err);

#endif
