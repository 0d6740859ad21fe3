/* Inputs, outputs and extra load for one case; see trial.h. Everything that is filled comes from a
 * counter-based generator, so that nothing big is kept on the host to compare with later. */
#include "operators/trial.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/pinned.h"
#include "profiler/rng.h"

enum {
    GUARD_TEXELS = 256, /* behind an output buffer */
    GUARD_ROWS = 2,     /* below an output image, where the device's limit leaves room */
    VECTOR_SKIP = 3,    /* texels before a vector in its bundle, before streamed texels in their */
    SRC_SKIP = 5,       /* source and destination: offsets that are ignored must show */
    DST_SKIP = 3,
    DST_TEXEL_COLS = 256,
    LOAD_STREAM = OP_MAX_TENSORS /* number of the generator's stream for streamed texels */
};

/* NaNs with a mark: what was not written shows in every comparison. */
static const uint32_t poison_f32 = 0x7fc0dead;
static const uint16_t poison_f16 = 0x7ead;

struct trial_reference {
    double *value; /* [rows, cols] of the output */
    double *scale; /* [rows] */
};

struct trial {
    struct device *dev;
    cl_command_queue queue;
    struct op_case c;
    enum mem_path path;
    struct op_io io;
    uint64_t seed;
    struct tensor input[OP_MAX_TENSORS];
    cl_mem out;
    int64_t out_width, out_height; /* texels, guards included; a buffer is one row */
    struct trial_reference *ref;   /* made by the first verification */
    int64_t max_load_texels;
    cl_mem src;
    cl_command_queue second; /* of copies; made when first wanted, as is what they copy from: */
    void *host;
    cl_mem host_mem;
    struct tensor dst[OP_MAX_LOADS];
};

static uint64_t stream_seed(const struct trial *t, int stream)
{
    return rng_at(t->seed, (uint64_t)stream);
}

static const struct op_slot *output_slot(const struct trial *t)
{
    return &t->io.slot[t->io.n - 1];
}

static void *alloc(uint64_t bytes, struct err *err)
{
    void *p = malloc(bytes ? bytes : 1);

    if (!p)
        err_set(err, -ENOMEM, "out of memory for %" PRIu64 " bytes", bytes);
    return p;
}

static void fill_poison(enum dtype dtype, void *to, uint64_t bytes)
{
    if (dtype == DTYPE_F16)
        for (uint64_t i = 0; i < bytes / 2; i++)
            ((uint16_t *)to)[i] = poison_f16;
    else
        for (uint64_t i = 0; i < bytes / 4; i++)
            ((uint32_t *)to)[i] = poison_f32;
}

/* ---- inputs ---- */

/* An id selects a row of the next matrix in the list of tensors. */
static int64_t id_range(const struct op_io *io, int slot)
{
    for (int i = slot + 1; i < io->n; i++)
        if (io->slot[i].role == ROLE_WEIGHT || io->slot[i].role == ROLE_INPUT)
            return io->slot[i].desc.rows;
    return 1;
}

/* Element i of a slot, rounded to the storage type: uniform in [-2, 2). */
static float input_value(const struct trial *t, int slot, uint64_t seed, uint64_t i)
{
    uint64_t r = rng_at(seed, i);
    float v;

    if (t->io.slot[slot].role == ROLE_IDS) {
        uint64_t state = r;

        return (float)rng_below(&state, (uint64_t)id_range(&t->io, slot));
    }
    v = (float)((double)(r >> 11) * 0x1p-53 * 4 - 2);
    return t->c.dtype == DTYPE_F16 ? half_to_float(half_from_float(v)) : v;
}

static int fill_input(struct trial *t, int slot, void *texels, struct err *err)
{
    const struct tensor_desc *d = &t->io.slot[slot].desc;
    uint64_t n = (uint64_t)(d->rows * d->cols), seed = stream_seed(t, slot);
    float *elements = alloc(n * sizeof *elements, err);

    if (!elements)
        return -ENOMEM;
    for (uint64_t i = 0; i < n; i++)
        elements[i] = input_value(t, slot, seed, i);
    tensor_pack(d, elements, texels);
    free(elements);
    return 0;
}

static int make_input(struct trial *t, int slot, struct err *err)
{
    struct tensor_desc d = t->io.slot[slot].desc;
    bool vector = t->io.slot[slot].role == ROLE_VECTOR;
    bool plain = vector || t->io.slot[slot].role == ROLE_IDS;
    uint64_t skip = vector ? VECTOR_SKIP * 4 * dtype_bytes(d.dtype) : 0;
    char *texels;
    int rc;

    if (vector) { /* a bundle that begins with something else */
        assert(d.rows == 1 && !d.inner);
        d.cols = tensor_texels(&d) * 4 + VECTOR_SKIP * 4;
    }
    rc = tensor_new(t->dev, &d, plain ? PATH_BUFFER : t->path, NULL, MEM_ACTIVATION,
                    &t->input[slot], err);
    if (rc < 0)
        return rc;
    texels = alloc(tensor_bytes(&d), err);
    if (!texels)
        return -ENOMEM;
    fill_poison(d.dtype, texels, skip);
    rc = fill_input(t, slot, texels + skip, err);
    if (rc == 0)
        rc = tensor_write(t->queue, &t->input[slot], texels, err);
    free(texels);
    return rc;
}

/* ---- output ---- */

static int make_output(struct trial *t, struct err *err)
{
    const struct tensor_desc *d = &output_slot(t)->desc;
    const struct device_info *info = &t->dev->info;
    cl_image_format format = {CL_RGBA, d->dtype == DTYPE_F16 ? CL_HALF_FLOAT : CL_FLOAT};
    cl_image_desc image = {.image_type = CL_MEM_OBJECT_IMAGE2D};
    int64_t width, height;
    cl_int code;

    if (t->path == PATH_BUFFER) {
        t->out_width = tensor_texels(d) + GUARD_TEXELS;
        t->out_height = 1;
        t->out = clCreateBuffer(t->dev->context, CL_MEM_READ_WRITE,
                                (size_t)t->out_width * 4 * dtype_bytes(d->dtype), NULL, &code);
        return t->out ? 0 : cl_err(err, code, "output buffer of a trial");
    }
    tensor_image_size(d, &width, &height);
    if (!info->images || (d->dtype == DTYPE_F16 && !info->half_images))
        return err_set(err, -EINVAL, "device '%s' has no such images, use the buffer path",
                       info->name);
    if ((uint64_t)width > info->image_width || (uint64_t)height > info->image_height)
        return err_set(err, -EINVAL,
                       "output image of %" PRId64 "x%" PRId64 " texels exceeds %" PRIu64 "x%" PRIu64
                       " of device '%s'",
                       width, height, info->image_width, info->image_height, info->name);
    t->out_width = width;
    t->out_height = height + GUARD_ROWS;
    if ((uint64_t)t->out_height > info->image_height)
        t->out_height = (int64_t)info->image_height;
    image.image_width = (size_t)t->out_width;
    image.image_height = (size_t)t->out_height;
    t->out = clCreateImage(t->dev->context, CL_MEM_READ_WRITE, &format, &image, NULL, &code);
    return t->out ? 0 : cl_err(err, code, "output image of a trial");
}

static uint64_t output_plane_bytes(const struct trial *t)
{
    return (uint64_t)t->out_width * (uint64_t)t->out_height * 4 *
           dtype_bytes(output_slot(t)->desc.dtype);
}

static int output_transfer(struct trial *t, bool write, void *texels, struct err *err)
{
    size_t origin[3] = {0, 0, 0};
    size_t region[3] = {(size_t)t->out_width, (size_t)t->out_height, 1};
    uint64_t bytes = output_plane_bytes(t);
    cl_int code;

    if (t->path == PATH_IMAGE && write)
        code = clEnqueueWriteImage(t->queue, t->out, CL_TRUE, origin, region, 0, 0, texels, 0, NULL,
                                   NULL);
    else if (t->path == PATH_IMAGE)
        code = clEnqueueReadImage(t->queue, t->out, CL_TRUE, origin, region, 0, 0, texels, 0, NULL,
                                  NULL);
    else if (write)
        code = clEnqueueWriteBuffer(t->queue, t->out, CL_TRUE, 0, bytes, texels, 0, NULL, NULL);
    else
        code = clEnqueueReadBuffer(t->queue, t->out, CL_TRUE, 0, bytes, texels, 0, NULL, NULL);
    return code ? cl_err(err, code, "transfer of a trial's output") : 0;
}

static int poison_output(struct trial *t, struct err *err)
{
    void *texels = alloc(output_plane_bytes(t), err);
    int rc;

    if (!texels)
        return -ENOMEM;
    fill_poison(output_slot(t)->desc.dtype, texels, output_plane_bytes(t));
    rc = output_transfer(t, true, texels, err);
    free(texels);
    return rc;
}

/* ---- extra load ---- */

/* Streamed word i (an element): any finite f16, any normal f32 of moderate size. */
static uint32_t load_word(enum dtype dtype, uint64_t seed, uint64_t i)
{
    uint64_t r = rng_at(seed, i);

    if (dtype == DTYPE_F16)
        return (r & 0x7c00) == 0x7c00 ? (uint32_t)(r & 0xbfff) : (uint32_t)(r & 0xffff);
    return (uint32_t)((r & 0x807fffff) | (64 + (r >> 40) % 128) << 23);
}

static void put_word(enum dtype dtype, void *to, uint64_t i, uint32_t word)
{
    if (dtype == DTYPE_F16)
        ((uint16_t *)to)[i] = (uint16_t)word;
    else
        ((uint32_t *)to)[i] = word;
}

static uint64_t source_words(const struct trial *t)
{
    return ((uint64_t)t->max_load_texels + SRC_SKIP) * 4;
}

static void fill_source(const struct trial *t, void *host)
{
    uint64_t seed = stream_seed(t, LOAD_STREAM);

    for (uint64_t i = 0; i < source_words(t); i++)
        put_word(t->c.dtype, host, i, load_word(t->c.dtype, seed, i));
}

/* For kernels: a buffer of the device. */
static int make_source(struct trial *t, struct err *err)
{
    uint64_t bytes = source_words(t) * dtype_bytes(t->c.dtype);
    void *host;
    cl_int code;

    if (t->src)
        return 0;
    host = alloc(bytes, err);
    if (!host)
        return -ENOMEM;
    fill_source(t, host);
    t->src = clCreateBuffer(t->dev->context, CL_MEM_READ_ONLY, bytes, NULL, &code);
    if (t->src)
        code = clEnqueueWriteBuffer(t->queue, t->src, CL_TRUE, 0, bytes, host, 0, NULL, NULL);
    free(host);
    return code ? cl_err(err, code, "source of extra load, %" PRIu64 " bytes", bytes) : 0;
}

/* For copies: host memory, mapped for good. */
static int make_host_source(struct trial *t, struct err *err)
{
    uint64_t bytes = source_words(t) * dtype_bytes(t->c.dtype);
    void *mapped = NULL;
    cl_int code;
    int rc = 0;

    if (!t->second)
        rc = device_queue(t->dev, true, &t->second, err);
    if (rc < 0 || t->host)
        return rc;
    rc = pinned_new(t->dev, bytes, &t->host, &t->host_mem, err);
    if (rc < 0)
        return rc;
    mapped = clEnqueueMapBuffer(t->second, t->host_mem, CL_TRUE, CL_MAP_WRITE, 0, bytes, 0, NULL,
                                NULL, &code);
    if (mapped != t->host)
        return cl_err(err, code, "mapping the source of copies");
    fill_source(t, t->host);
    return 0;
}

/* Destination i is used only when the load is dealt to i + 1 of them or more. */
static int make_destination(struct trial *t, int i, struct err *err)
{
    int64_t texels = (t->max_load_texels + i) / (i + 1) + DST_SKIP;
    struct tensor_desc d = {.rows = (texels + DST_TEXEL_COLS - 1) / DST_TEXEL_COLS,
                            .cols = DST_TEXEL_COLS * 4,
                            .dtype = t->c.dtype};

    if (t->dst[i].mem)
        return 0;
    return tensor_new(t->dev, &d, t->path, NULL, MEM_TEXTURE, &t->dst[i], err);
}

static int poison_destination(struct trial *t, int i, struct err *err)
{
    uint64_t bytes = tensor_bytes(&t->dst[i].desc);
    void *texels = alloc(bytes, err);
    int rc;

    if (!texels)
        return -ENOMEM;
    fill_poison(t->c.dtype, texels, bytes);
    rc = tensor_write(t->queue, &t->dst[i], texels, err);
    free(texels);
    return rc;
}

int trial_bind(struct trial *t, const struct op_program *p, uint64_t load_bytes,
               struct op_args *ret_args, struct err *err)
{
    uint64_t texel_bytes = 4 * dtype_bytes(t->c.dtype);
    int64_t texels = (int64_t)((load_bytes + texel_bytes - 1) / texel_bytes), src = SRC_SKIP;
    bool copy = op_program_variant(p)->form == FORM_COPY;
    int n = op_program_variant(p)->n_loads, rc;
    struct op_args args = {0};

    if (load_bytes && n == 0)
        return err_set(err, -EINVAL, "%s: the naive form carries no extra load", t->c.op->name);
    if (texels > t->max_load_texels)
        return err_set(err, -EINVAL, "%s: extra load of %" PRIu64 " bytes, this trial has %" PRIu64,
                       t->c.op->name, load_bytes, (uint64_t)t->max_load_texels * texel_bytes);
    for (int i = 0; i < t->io.n - 1; i++) {
        args.tensor[i] = t->input[i].mem;
        args.vector_texel[i] = t->io.slot[i].role == ROLE_VECTOR ? VECTOR_SKIP : 0;
    }
    args.tensor[t->io.n - 1] = t->out;
    if (texels) {
        rc = copy ? make_host_source(t, err) : make_source(t, err);
        if (rc < 0)
            return rc;
    }
    for (int i = 0; texels && i < n; i++) {
        int64_t share = texels / n + (i < texels % n);

        rc = make_destination(t, i, err);
        if (rc < 0)
            return rc;
        args.load[i] = (struct op_load){.src = copy ? t->host_mem : t->src,
                                        .host = copy ? t->host : NULL,
                                        .src_texel = src,
                                        .dst = t->dst[i].mem,
                                        .dst_desc = t->dst[i].desc,
                                        .dst_texel = DST_SKIP,
                                        .texels = share};
        args.n_loads = i + 1;
        src += share;
    }
    *ret_args = args;
    return 0;
}

/* Behind what is in `queue` now, so that a flush of caches does not hide the copies. */
static int enqueue_copies(struct trial *t, struct op_program *p, cl_command_queue queue,
                          const struct op_args *args, cl_event ret_event[2], struct err *err)
{
    cl_event before;
    cl_int code = clEnqueueMarkerWithWaitList(queue, 0, NULL, &before);
    int rc;

    if (code)
        return cl_err(err, code, "marker before copies");
    clFlush(queue);
    rc = op_program_copy(p, t->second, args, before, ret_event, err);
    clReleaseEvent(before);
    return rc;
}

int trial_enqueue(struct trial *t, struct op_program *p, cl_command_queue queue,
                  const struct op_args *args, cl_event *ret_event, struct err *err)
{
    cl_event event[TRIAL_EVENTS] = {NULL};
    int rc = 0;

    if (op_program_variant(p)->form == FORM_COPY && args->n_loads)
        rc = enqueue_copies(t, p, queue, args, event + 1, err);
    if (rc == 0)
        rc = op_program_enqueue(p, queue, args, &event[0], err);
    if (rc == 0) {
        memcpy(ret_event, event, sizeof event);
        return 0;
    }
    if (t->second)
        clFinish(t->second);
    for (int i = 0; i < TRIAL_EVENTS; i++)
        if (event[i])
            clReleaseEvent(event[i]);
    return rc;
}

/* ---- making one ---- */

int trial_new(struct device *dev, cl_command_queue queue, const struct op_case *c,
              enum mem_path path, uint64_t max_load_bytes, uint64_t seed, struct trial **ret_t,
              struct err *err)
{
    struct trial *t = calloc(1, sizeof *t);
    uint64_t texel_bytes = 4 * dtype_bytes(c->dtype);
    int rc = 0;

    if (!t)
        return err_set(err, -ENOMEM, "out of memory");
    t->dev = dev;
    t->queue = queue;
    clRetainCommandQueue(queue);
    t->c = *c;
    t->path = path;
    t->seed = seed;
    t->max_load_texels = (int64_t)((max_load_bytes + texel_bytes - 1) / texel_bytes);
    c->op->io(c, &t->io);
    for (int i = 0; i < t->io.n - 1 && rc == 0; i++)
        rc = make_input(t, i, err);
    if (rc == 0)
        rc = make_output(t, err);
    if (rc < 0) {
        trial_free(t);
        return rc;
    }
    *ret_t = t;
    return 0;
}

void trial_free(struct trial *t)
{
    if (!t)
        return;
    for (int i = 0; i < OP_MAX_TENSORS; i++)
        tensor_done(&t->input[i], NULL);
    for (int i = 0; i < OP_MAX_LOADS; i++)
        tensor_done(&t->dst[i], NULL);
    if (t->out)
        clReleaseMemObject(t->out);
    if (t->src)
        clReleaseMemObject(t->src);
    if (t->host)
        clEnqueueUnmapMemObject(t->second, t->host_mem, t->host, 0, NULL, NULL);
    if (t->second) {
        clFinish(t->second);
        clReleaseCommandQueue(t->second);
    }
    pinned_free(t->host, t->host_mem);
    clReleaseCommandQueue(t->queue);
    trial_reference_free(t->ref);
    free(t);
}

/* ---- the reference ---- */

struct trial_reference *trial_take_reference(struct trial *t)
{
    struct trial_reference *r = t->ref;

    t->ref = NULL;
    return r;
}

void trial_give_reference(struct trial *t, struct trial_reference *r)
{
    trial_reference_free(t->ref);
    t->ref = r;
}

void trial_reference_free(struct trial_reference *r)
{
    if (!r)
        return;
    free(r->value);
    free(r->scale);
    free(r);
}

static int reference_inputs(struct trial *t, double *in[OP_MAX_TENSORS], struct err *err)
{
    for (int s = 0; s < t->io.n - 1; s++) {
        const struct tensor_desc *d = &t->io.slot[s].desc;
        uint64_t n = (uint64_t)(d->rows * d->cols), seed = stream_seed(t, s);

        in[s] = alloc(n * sizeof *in[s], err);
        if (!in[s])
            return -ENOMEM;
        for (uint64_t i = 0; i < n; i++)
            in[s][i] = (double)input_value(t, s, seed, i);
    }
    return 0;
}

/* Sums cancel: all of so short a row may be near zero, and its error is not. Such rows are measured
 * by the whole output's root mean square as well. */
#define NARROW 8

static int make_reference(struct trial *t, struct err *err)
{
    const struct tensor_desc *d = &output_slot(t)->desc;
    double *in[OP_MAX_TENSORS] = {0}, *ref, *scale, square = 0;
    struct trial_reference *made = NULL;
    const double *const_in[OP_MAX_TENSORS];
    int rc;

    if (t->ref)
        return 0;
    rc = reference_inputs(t, in, err);
    if (rc < 0)
        goto out;
    rc = -ENOMEM;
    made = calloc(1, sizeof *made);
    if (!made) {
        err_set(err, -ENOMEM, "out of memory");
        goto out;
    }
    made->value = ref = alloc((uint64_t)(d->rows * d->cols) * sizeof *ref, err);
    made->scale = scale = ref ? alloc((uint64_t)d->rows * sizeof *scale, err) : NULL;
    if (!scale)
        goto out;
    for (int i = 0; i < OP_MAX_TENSORS; i++)
        const_in[i] = in[i];
    t->c.op->reference(&t->c, const_in, ref);
    for (int64_t i = 0; d->cols < NARROW && i < d->rows * d->cols; i++)
        square += ref[i] * ref[i];
    for (int64_t r = 0; r < d->rows; r++) {
        scale[r] = 1e-6; /* a row of zeros wants zeros, up to what nobody sees */
        if (isfinite(square))
            scale[r] = fmax(scale[r], sqrt(square / (double)(d->rows * d->cols)));
        for (int64_t c = 0; c < d->cols; c++)
            scale[r] = fmax(scale[r], fabs(ref[r * d->cols + c]));
    }
    t->ref = made;
    made = NULL; /* moved */
    rc = 0;
out:
    for (int i = 0; i < OP_MAX_TENSORS; i++)
        free(in[i]);
    trial_reference_free(made);
    return rc;
}

/* ---- verdicts ---- */

static void fail(struct trial_verdict *v, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The first reason stays. */
static void fail(struct trial_verdict *v, const char *fmt, ...)
{
    va_list ap;

    if (v->ok) {
        va_start(ap, fmt);
        vsnprintf(v->text, sizeof v->text, fmt, ap);
        va_end(ap);
    }
    v->ok = false;
}

static void check_elements(const struct trial *t, const float *y, struct trial_verdict *v)
{
    const struct tensor_desc *d = &output_slot(t)->desc;
    double tol = t->c.dtype == DTYPE_F16 ? t->c.op->tol_f16 : t->c.op->tol_f32;

    for (int64_t i = 0; i < d->rows * d->cols; i++) {
        double got = (double)y[i], want = t->ref->value[i];
        double error = fabs(got - want) / t->ref->scale[i / d->cols];

        if (isnan(error))
            error = isnan(got) && isnan(want) ? 0 : INFINITY;
        if (error > v->worst)
            v->worst = error;
        if (!(error <= tol))
            fail(v, "y[%" PRId64 ",%" PRId64 "] = %.9g, want %.9g: error %.3g, tolerance %.3g",
                 i / d->cols, i % d->cols, got, want, error, tol);
    }
}

static bool word_is(enum dtype dtype, const void *words, int64_t i, uint32_t want)
{
    return dtype == DTYPE_F16 ? ((const uint16_t *)words)[i] == (uint16_t)want
                              : ((const uint32_t *)words)[i] == want;
}

static uint32_t poison_word(enum dtype dtype)
{
    return dtype == DTYPE_F16 ? poison_f16 : poison_f32;
}

static bool word_is_zero(enum dtype dtype, const void *words, int64_t i)
{
    return dtype == DTYPE_F16 ? (((const uint16_t *)words)[i] & 0x7fff) == 0
                              : (((const uint32_t *)words)[i] & 0x7fffffff) == 0;
}

static void check_padding(const struct tensor_desc *d, const void *words, struct trial_verdict *v)
{
    int64_t inner = d->inner ? d->inner : d->cols, padded = (inner + 3) / 4 * 4;
    int64_t groups = d->rows * (d->cols / inner), row_groups = d->cols / inner;

    for (int64_t g = 0; g < groups; g++)
        for (int64_t j = inner; j < padded; j++)
            if (!word_is_zero(d->dtype, words, g * padded + j)) {
                fail(v, "padding of row %" PRId64 " is not zero", g / row_groups);
                return;
            }
}

static void check_guard(const struct trial *t, const void *words, struct trial_verdict *v)
{
    const struct tensor_desc *d = &output_slot(t)->desc;

    for (int64_t i = tensor_texels(d) * 4; i < t->out_width * t->out_height * 4; i++)
        if (!word_is(d->dtype, words, i, poison_word(d->dtype))) {
            fail(v, "texel %" PRId64 " was written, the output has %" PRId64, i / 4,
                 tensor_texels(d));
            return;
        }
}

static int check_output(struct trial *t, struct trial_verdict *v, struct err *err)
{
    const struct tensor_desc *d = &output_slot(t)->desc;
    void *texels = alloc(output_plane_bytes(t), err);
    float *y = texels ? alloc((uint64_t)(d->rows * d->cols) * sizeof *y, err) : NULL;
    int rc = y ? output_transfer(t, false, texels, err) : -ENOMEM;

    if (rc == 0) {
        tensor_unpack(d, texels, y);
        check_elements(t, y, v);
        check_padding(d, texels, v);
        check_guard(t, texels, v);
    }
    free(texels);
    free(y);
    return rc;
}

static int check_destination(struct trial *t, int i, const struct op_load *l,
                             struct trial_verdict *v, struct err *err)
{
    const struct tensor_desc *d = &t->dst[i].desc;
    uint64_t seed = stream_seed(t, LOAD_STREAM);
    int64_t from = l->dst_texel * 4, to = from + l->texels * 4;
    void *words = alloc(tensor_bytes(d), err);
    int rc = words ? tensor_read(t->queue, &t->dst[i], words, err) : -ENOMEM;

    for (int64_t j = 0; rc == 0 && j < tensor_texels(d) * 4; j++) {
        bool streamed = j >= from && j < to;
        uint32_t want = streamed
                            ? load_word(d->dtype, seed, (uint64_t)(l->src_texel * 4 + j - from))
                            : poison_word(d->dtype);

        if (!word_is(d->dtype, words, j, want)) {
            fail(v, "load %d: texel %" PRId64 " %s (streamed: %" PRId64 "..%" PRId64 ")", i, j / 4,
                 streamed ? "differs from its source" : "was written", l->dst_texel,
                 l->dst_texel + l->texels - 1);
            break;
        }
    }
    free(words);
    return rc;
}

int trial_verify(struct trial *t, struct op_program *p, const struct op_args *args,
                 struct trial_verdict *ret_v, struct err *err)
{
    struct trial_verdict v = {.ok = true};
    cl_event event[TRIAL_EVENTS] = {NULL};
    cl_int code;
    int rc;

    rc = make_reference(t, err);
    rc = rc < 0 ? rc : poison_output(t, err);
    for (int i = 0; i < args->n_loads && rc == 0; i++)
        rc = poison_destination(t, i, err);
    rc = rc < 0 ? rc : trial_enqueue(t, p, t->queue, args, event, err);
    if (rc < 0)
        return rc;
    code = clFinish(t->queue);
    if (!code && t->second)
        code = clFinish(t->second);
    for (int i = 0; i < TRIAL_EVENTS; i++)
        if (event[i])
            clReleaseEvent(event[i]);
    if (code)
        return cl_err(err, code, "%s: clFinish", t->c.op->name);
    rc = check_output(t, &v, err);
    for (int i = 0; i < args->n_loads && rc == 0; i++)
        rc = check_destination(t, i, &args->load[i], &v, err);
    if (rc < 0)
        return rc;
    if (!v.ok && v.text[0] == '\0')
        snprintf(v.text, sizeof v.text, "wrong");
    *ret_v = v;
    return 0;
}

int trial_output(struct trial *t, float *ret_y, struct err *err)
{
    void *texels = alloc(output_plane_bytes(t), err);
    int rc = texels ? output_transfer(t, false, texels, err) : -ENOMEM;

    if (rc == 0)
        tensor_unpack(&output_slot(t)->desc, texels, ret_y);
    free(texels);
    return rc;
}
