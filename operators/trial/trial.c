/* Inputs, outputs and extra load for one case; see trial.h. Everything that is filled comes from a
 * counter-based generator, so that nothing big is kept on the host to compare with later. */
#include "operators/trial/trial_parts.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/pinned.h"

enum {
    GUARD_TEXELS = 256, /* behind an output buffer */
    GUARD_ROWS = 2,     /* below an output image, where the device's limit leaves room */
    VECTOR_SKIP = 3,    /* texels before a vector in its bundle, before streamed texels in their */
    SRC_SKIP = 5,       /* source and destination: offsets that are ignored must show */
    DST_SKIP = 3,
    DST_TEXEL_COLS = 256
};

void *trial_alloc(uint64_t bytes, struct err *err)
{
    void *p = malloc(bytes ? bytes : 1);

    if (!p)
        err_set(err, -ENOMEM, "out of memory for %" PRIu64 " bytes", bytes);
    return p;
}

static void put_word(enum dtype dtype, void *to, uint64_t i, uint32_t word)
{
    if (dtype == DTYPE_F16)
        ((uint16_t *)to)[i] = (uint16_t)word;
    else
        ((uint32_t *)to)[i] = word;
}

void trial_fill_poison(enum dtype dtype, void *to, uint64_t bytes)
{
    for (uint64_t i = 0; i < bytes / dtype_bytes(dtype); i++)
        put_word(dtype, to, i, trial_poison(dtype));
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

float trial_input_value(const struct trial *t, int slot, uint64_t seed, uint64_t i)
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
    uint64_t n = (uint64_t)(d->rows * d->cols), seed = trial_stream_seed(t, slot);
    float *elements = trial_alloc(n * sizeof *elements, err);

    if (!elements)
        return -ENOMEM;
    for (int64_t r = 0; r < d->rows; r++) {
        int64_t row = thin_at(&t->thin.row[slot], r) * t->thin.io.slot[slot].desc.cols;

        for (int64_t c = 0; c < d->cols; c++)
            elements[r * d->cols + c] = trial_input_value(
                t, slot, seed, (uint64_t)(row + thin_at(&t->thin.col[slot], c)));
    }
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
    texels = trial_alloc(tensor_bytes(&d), err);
    if (!texels)
        return -ENOMEM;
    trial_fill_poison(d.dtype, texels, skip);
    rc = fill_input(t, slot, texels + skip, err);
    if (rc == 0)
        rc = tensor_write(t->queue, &t->input[slot], texels, err);
    free(texels);
    return rc;
}

/* ---- output ---- */

static int make_output(struct trial *t, struct err *err)
{
    const struct tensor_desc *d = &trial_output_slot(t)->desc;
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

/* ---- extra load ---- */

uint32_t trial_load_word(enum dtype dtype, uint64_t seed, uint64_t i)
{
    uint64_t r = rng_at(seed, i);

    if (dtype == DTYPE_F16)
        return (r & 0x7c00) == 0x7c00 ? (uint32_t)(r & 0xbfff) : (uint32_t)(r & 0xffff);
    return (uint32_t)((r & 0x807fffff) | (64 + (r >> 40) % 128) << 23);
}

static uint64_t source_words(const struct trial *t)
{
    return ((uint64_t)t->max_load_texels + SRC_SKIP) * 4;
}

static void fill_source(const struct trial *t, void *host)
{
    uint64_t seed = trial_stream_seed(t, TRIAL_LOAD_STREAM);

    for (uint64_t i = 0; i < source_words(t); i++)
        put_word(t->c.dtype, host, i, trial_load_word(t->c.dtype, seed, i));
}

/* For kernels: a buffer of the device. */
static int make_source(struct trial *t, struct err *err)
{
    uint64_t bytes = source_words(t) * dtype_bytes(t->c.dtype);
    void *host;
    cl_int code;

    if (t->src)
        return 0;
    host = trial_alloc(bytes, err);
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
    thin_init(&t->thin, c);
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
