#include "operators/tensor.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "profiler/clones.h"

static const char *const dtype_names[] = {"f32", "f16", "i32"};
const char *const storage_dtype_names[] = {"f32", "f16", NULL};
const char *const mem_path_names[] = {"image", "buffer", NULL};

int tensor_fold_log2 = TENSOR_FOLD_LOG2;

const char *dtype_name(enum dtype d)
{
    return dtype_names[d];
}

int dtype_parse(const char *name)
{
    for (int i = 0; i < 3; i++)
        if (strcmp(name, dtype_names[i]) == 0)
            return i;
    return -EINVAL;
}

const char *mem_path_name(enum mem_path p)
{
    return mem_path_names[p];
}

int mem_path_parse(const char *name)
{
    for (int i = 0; mem_path_names[i]; i++)
        if (strcmp(name, mem_path_names[i]) == 0)
            return i;
    return -EINVAL;
}

size_t dtype_bytes(enum dtype d)
{
    return d == DTYPE_F16 ? 2 : 4;
}

/* ---- half precision ---- */

/* Round to nearest even by letting the FPU do it: adding a magic number whose ulp is the half's
 * smallest subnormal rounds subnormals; normal numbers round in the integer domain, where a carry
 * out of the mantissa is the right exponent. */
/* Without branches, so that loops over it become vector code. */
static inline uint16_t to_half(float f)
{
    uint32_t u, sign, normal, small, large;
    float magnitude;

    memcpy(&u, &f, sizeof u);
    sign = u & 0x80000000u;
    u ^= sign;
    large = u > 255u << 23 ? 0x7e00 : 0x7c00; /* 65536 and up, infinity, NaN */
    memcpy(&magnitude, &u, sizeof u);
    magnitude += 0.5f; /* below 2^-14: ulp(0.5) is 2^-24 */
    memcpy(&small, &magnitude, sizeof small);
    small -= 126u << 23;
    normal = (u + ((uint32_t)(15 - 127) << 23) + 0xfff + (u >> 13 & 1)) >> 13;
    normal = u < 113u << 23 ? small : normal;
    normal = u >= (127u + 16) << 23 ? large : normal;
    return (uint16_t)(sign >> 16 | normal);
}

uint16_t half_from_float(float f)
{
    return to_half(f);
}

float half_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, bits = (uint32_t)(h & 0x7fff) << 13;
    float f;

    if (bits >= 0x7c00u << 13) { /* infinity, NaN */
        bits += (255u - 31) << 23;
    } else if (bits >= 1u << 23) {
        bits += (127u - 15) << 23;
    } else { /* subnormal: exact in f32 */
        f = (float)(h & 0x7fff) * 0x1p-24f;
        memcpy(&bits, &f, sizeof f);
    }
    bits |= sign;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* ---- shape ---- */

static int64_t group_cols(const struct tensor_desc *d)
{
    return d->inner ? d->inner : d->cols;
}

int64_t tensor_texel_cols(const struct tensor_desc *d)
{
    int64_t inner = group_cols(d);

    assert(inner > 0 && d->cols % inner == 0);
    return d->cols / inner * ((inner + 3) / 4);
}

int64_t tensor_texels(const struct tensor_desc *d)
{
    return d->rows * tensor_texel_cols(d);
}

uint64_t tensor_bytes(const struct tensor_desc *d)
{
    return (uint64_t)tensor_texels(d) * 4 * dtype_bytes(d->dtype);
}

bool tensor_folded(const struct tensor_desc *d)
{
    return d->rows > TENSOR_FOLD || tensor_texel_cols(d) > TENSOR_FOLD;
}

void tensor_image_size(const struct tensor_desc *d, int64_t *ret_width, int64_t *ret_height)
{
    if (tensor_folded(d)) {
        *ret_width = TENSOR_FOLD;
        *ret_height = (tensor_texels(d) + TENSOR_FOLD - 1) / TENSOR_FOLD;
    } else {
        *ret_width = tensor_texel_cols(d);
        *ret_height = d->rows;
    }
}

/* ---- packing ---- */

static inline void pack_run(enum dtype dtype, const float *from, int64_t n, int64_t padded, void *to)
{
    switch (dtype) {
    case DTYPE_F32:
        memcpy(to, from, (size_t)n * sizeof *from);
        memset((float *)to + n, 0, (size_t)(padded - n) * sizeof(float));
        break;
    case DTYPE_F16:
        for (int64_t i = 0; i < n; i++)
            ((uint16_t *)to)[i] = to_half(from[i]);
        memset((uint16_t *)to + n, 0, (size_t)(padded - n) * sizeof(uint16_t));
        break;
    case DTYPE_I32:
        for (int64_t i = 0; i < padded; i++)
            ((int32_t *)to)[i] = i < n ? (int32_t)from[i] : 0;
        break;
    }
}

static void unpack_run(enum dtype dtype, const void *from, int64_t n, float *to)
{
    switch (dtype) {
    case DTYPE_F32:
        memcpy(to, from, (size_t)n * sizeof *to);
        break;
    case DTYPE_F16:
        for (int64_t i = 0; i < n; i++)
            to[i] = half_to_float(((const uint16_t *)from)[i]);
        break;
    case DTYPE_I32:
        for (int64_t i = 0; i < n; i++)
            to[i] = (float)((const int32_t *)from)[i];
        break;
    }
}

CLONES void tensor_pack(const struct tensor_desc *d, const float *elements, void *texels)
{
    int64_t inner = group_cols(d), padded = (inner + 3) / 4 * 4;
    int64_t groups = d->rows * (d->cols / inner);
    size_t step = (size_t)padded * dtype_bytes(d->dtype);

    for (int64_t g = 0; g < groups; g++)
        pack_run(d->dtype, elements + g * inner, inner, padded, (char *)texels + (size_t)g * step);
}

void tensor_unpack(const struct tensor_desc *d, const void *texels, float *elements)
{
    int64_t inner = group_cols(d), padded = (inner + 3) / 4 * 4;
    int64_t groups = d->rows * (d->cols / inner);
    size_t step = (size_t)padded * dtype_bytes(d->dtype);

    for (int64_t g = 0; g < groups; g++)
        unpack_run(d->dtype, (const char *)texels + (size_t)g * step, inner, elements + g * inner);
}

/* ---- device memory ---- */

/* host NULL: the device's own memory. */
static int image_new(struct device *dev, const struct tensor_desc *d, void *host,
                     uint64_t pitch_bytes, cl_mem *ret_mem, struct err *err)
{
    const struct device_info *info = &dev->info;
    cl_image_format format = {CL_RGBA, d->dtype == DTYPE_F16 ? CL_HALF_FLOAT : CL_FLOAT};
    cl_image_desc image = {.image_type = CL_MEM_OBJECT_IMAGE2D};
    int64_t width, height;
    cl_int code;
    cl_mem mem;

    tensor_image_size(d, &width, &height);
    if (!info->images || (d->dtype == DTYPE_F16 && !info->half_images))
        return err_set(err, -EINVAL, "device '%s' has no %s images, use the buffer path",
                       info->name, d->dtype == DTYPE_F16 ? "half" : "RGBA");
    if ((uint64_t)width > info->image_width || (uint64_t)height > info->image_height)
        return err_set(err, -EINVAL,
                       "image of %" PRId64 "x%" PRId64 " texels for a tensor of %" PRId64
                       "x%" PRId64 " exceeds %" PRIu64 "x%" PRIu64 " of device '%s'",
                       width, height, d->rows, d->cols, info->image_width, info->image_height,
                       info->name);
    image.image_width = (size_t)width;
    image.image_height = (size_t)height;
    image.image_row_pitch = (size_t)pitch_bytes;
    mem = clCreateImage(dev->context, CL_MEM_READ_WRITE | (host ? CL_MEM_USE_HOST_PTR : 0), &format,
                        &image, host, &code);
    if (!mem)
        return cl_err(err, code, "clCreateImage %" PRId64 "x%" PRId64, width, height);
    *ret_mem = mem;
    return 0;
}

static uint64_t booked_bytes(const struct tensor_desc *d, enum mem_path path)
{
    int64_t width, height;

    if (path == PATH_BUFFER)
        return tensor_bytes(d);
    tensor_image_size(d, &width, &height);
    return (uint64_t)width * (uint64_t)height * 4 * dtype_bytes(d->dtype);
}

int tensor_new(struct device *dev, const struct tensor_desc *desc, enum mem_path path,
               struct mem *mem, enum mem_kind kind, struct tensor *ret_t, struct err *err)
{
    struct tensor t = {.desc = *desc, .path = path, .kind = kind};
    cl_int code;
    int rc;

    assert(desc->rows > 0 && desc->cols > 0);
    if (desc->dtype == DTYPE_I32)
        t.path = PATH_BUFFER;
    t.booked_bytes = booked_bytes(desc, t.path);
    if (t.path == PATH_BUFFER && t.booked_bytes > dev->info.max_alloc_bytes)
        return err_set(err, -EINVAL,
                       "buffer of %" PRIu64 " bytes exceeds %" PRIu64 " of device '%s'",
                       t.booked_bytes, dev->info.max_alloc_bytes, dev->info.name);
    if (mem) {
        rc = mem_charge(mem, kind, t.booked_bytes, "tensor", err);
        if (rc < 0)
            return rc;
    }
    if (t.path == PATH_IMAGE) {
        rc = image_new(dev, desc, NULL, 0, &t.mem, err);
    } else {
        t.mem = clCreateBuffer(dev->context, CL_MEM_READ_WRITE, t.booked_bytes, NULL, &code);
        rc = t.mem ? 0 : cl_err(err, code, "clCreateBuffer of %" PRIu64 " bytes", t.booked_bytes);
    }
    if (rc < 0) {
        if (mem)
            mem_release(mem, kind, t.booked_bytes);
        return rc;
    }
    *ret_t = t;
    return 0;
}

int tensor_new_at(struct device *dev, const struct tensor_desc *desc, enum mem_path path,
                  void *host, uint64_t pitch_bytes, struct tensor *ret_t, struct err *err)
{
    struct tensor t = {.desc = *desc, .path = desc->dtype == DTYPE_I32 ? PATH_BUFFER : path};
    cl_int code;
    int rc = 0;

    assert(desc->rows > 0 && desc->cols > 0);
    if (t.path == PATH_IMAGE) {
        rc = image_new(dev, desc, host, pitch_bytes, &t.mem, err);
    } else {
        assert(pitch_bytes == 0);
        t.mem = clCreateBuffer(dev->context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR,
                               tensor_bytes(desc), host, &code);
        if (!t.mem)
            rc = cl_err(err, code, "clCreateBuffer over %" PRIu64 " bytes", tensor_bytes(desc));
    }
    if (rc == 0)
        *ret_t = t;
    return rc;
}

uint64_t tensor_device_bytes(const struct tensor_desc *d, enum mem_path path)
{
    return booked_bytes(d, d->dtype == DTYPE_I32 ? PATH_BUFFER : path);
}

void tensor_done(struct tensor *t, struct mem *mem)
{
    if (!t->mem)
        return;
    clReleaseMemObject(t->mem);
    if (mem)
        mem_release(mem, t->kind, t->booked_bytes);
    *t = (struct tensor){0};
}

/* A tensor in an image is whole rows and, when folded, the beginning of one more: at most two
 * rectangles that are contiguous on the host. */
struct rect {
    size_t origin[3], region[3];
    size_t byte; /* where it starts in texel order */
};

static int rects(const struct tensor *t, struct rect r[2])
{
    int64_t width, height, texels = tensor_texels(&t->desc), full, rest;
    int n = 0;

    tensor_image_size(&t->desc, &width, &height);
    full = texels / width;
    rest = texels % width;
    if (full)
        r[n++] = (struct rect){{0, 0, 0}, {(size_t)width, (size_t)full, 1}, 0};
    if (rest)
        r[n++] = (struct rect){{0, (size_t)full, 0},
                               {(size_t)rest, 1, 1},
                               (size_t)(full * width) * 4 * dtype_bytes(t->desc.dtype)};
    return n;
}

int tensor_write(cl_command_queue queue, const struct tensor *t, const void *texels,
                 struct err *err)
{
    struct rect r[2];
    cl_int code;
    int n;

    if (t->path == PATH_BUFFER) {
        code = clEnqueueWriteBuffer(queue, t->mem, CL_TRUE, 0, tensor_bytes(&t->desc), texels, 0,
                                    NULL, NULL);
        return code ? cl_err(err, code, "clEnqueueWriteBuffer") : 0;
    }
    n = rects(t, r);
    for (int i = 0; i < n; i++) {
        code = clEnqueueWriteImage(queue, t->mem, CL_TRUE, r[i].origin, r[i].region, 0, 0,
                                   (const char *)texels + r[i].byte, 0, NULL, NULL);
        if (code)
            return cl_err(err, code, "clEnqueueWriteImage");
    }
    return 0;
}

int tensor_read(cl_command_queue queue, const struct tensor *t, void *texels, struct err *err)
{
    struct rect r[2];
    cl_int code;
    int n;

    if (t->path == PATH_BUFFER) {
        code = clEnqueueReadBuffer(queue, t->mem, CL_TRUE, 0, tensor_bytes(&t->desc), texels, 0,
                                   NULL, NULL);
        return code ? cl_err(err, code, "clEnqueueReadBuffer") : 0;
    }
    n = rects(t, r);
    for (int i = 0; i < n; i++) {
        code = clEnqueueReadImage(queue, t->mem, CL_TRUE, r[i].origin, r[i].region, 0, 0,
                                  (char *)texels + r[i].byte, 0, NULL, NULL);
        if (code)
            return cl_err(err, code, "clEnqueueReadImage");
    }
    return 0;
}
