/* One built variant of one case: sources and options in, enqueued launches out. */
#include "operators/op.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "operators/kernels.h"
#include "operators/stream.h"
#include "profiler/program.h"

struct op_program {
    struct op_case c;
    struct op_variant variant;
    struct op_launch launch; /* gws rounded up to the local size */
    struct op_io io;
    cl_program program;
    cl_kernel kernel;
    /* Bound to destinations that a launch leaves empty: OpenCL wants every argument set. */
    cl_mem spare_src, spare_dst;
    bool block; /* LOAD_BLOCK */
    uint64_t hash, build_ns;
};

/* ---- options ---- */

struct text {
    char *p;
    size_t room, n;
};

static void add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *t, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(t->n < t->room ? t->p + t->n : NULL, t->n < t->room ? t->room - t->n : 0, fmt,
                  ap);
    va_end(ap);
    t->n += (size_t)n;
}

/* Buffers are never folded; to say so keeps one program for all sizes. No tensor may be called "shift"
 * or "mask": FOLD_SHIFT and FOLD_MASK of texel.cl are of all tensors. */
static void add_folds(struct text *t, const struct op_io *io, enum mem_path path)
{
    for (int i = 0; i < io->n; i++) {
        const struct op_slot *slot = &io->slot[i];
        bool image = path == PATH_IMAGE && slot->role != ROLE_IDS && slot->role != ROLE_VECTOR;
        char upper[32] = "";

        for (int j = 0; slot->name[j] && j < 31; j++)
            upper[j] = (char)toupper((unsigned char)slot->name[j]);
        add(t, " -DFOLD_%s=%d", upper, image && tensor_folded(&slot->desc));
    }
    if (tensor_fold_log2 != TENSOR_FOLD_LOG2)
        add(t, " -DFOLD_SHIFT=%d", tensor_fold_log2);
}

static bool loads_inside(const struct op_variant *v)
{
    return v->form != FORM_NAIVE && v->form != FORM_COPY;
}

static int make_options(const struct op_program *p, char *options, size_t room, struct err *err)
{
    const struct op_variant *v = &p->variant;
    const struct op_kernel *k = &p->c.op->kernels[v->kernel];
    struct text t = {options, room, 0};

    add(&t, "-DIMAGE=%d -DHALF=%d -DFORM=%d -DNLOADS=%d", v->path == PATH_IMAGE,
        p->c.dtype == DTYPE_F16, loads_inside(v) ? v->form : FORM_NAIVE,
        loads_inside(v) ? v->n_loads : 0);
    if (loads_inside(v) && p->block)
        add(&t, " -DLOAD_BLOCK=1");
    else if (loads_inside(v))
        add(&t, " -DLOAD_ROWS_LOG2=%d", STREAM_ROWS_LOG2);
    add_folds(&t, &p->io, v->path);
    for (int i = 0; i < OP_MAX_TUNABLES && k->tunables[i].name; i++)
        if (!k->tunables[i].argument)
            add(&t, " -D%s=%d", k->tunables[i].name, v->tunable[i]);
    if (p->launch.options[0])
        add(&t, " %s", p->launch.options);
    if (t.n >= room)
        return err_set(err, -EINVAL, "%s: build options are longer than %zu bytes", p->c.op->name,
                       room);
    return 0;
}

/* ---- checks ---- */

static int check_variant(const struct op_program *p, struct err *err)
{
    const struct op_variant *v = &p->variant;
    const struct op *op = p->c.op;

    assert(v->kernel >= 0 && v->kernel < OP_MAX_KERNELS && op->kernels[v->kernel].name);
    if (!op_has_form(&op->kernels[v->kernel], v->form))
        return err_set(err, -EINVAL, "%s: kernel '%s' has no %s form", op->name,
                       op->kernels[v->kernel].name, op_form_name(v->form));
    if (v->n_loads < 0 || v->n_loads > OP_MAX_LOADS || (v->form == FORM_NAIVE) != (v->n_loads == 0))
        return err_set(err, -EINVAL, "%s: %s form with %d loads", op->name, op_form_name(v->form),
                       v->n_loads);
    if (v->lws[0] < 0 || v->lws[1] < 0 || (v->lws[0] == 0) != (v->lws[1] == 0))
        return err_set(err, -EINVAL, "%s: local size %dx%d", op->name, v->lws[0], v->lws[1]);
    for (int i = 0; i < p->io.n; i++)
        if (tensor_texels(&p->io.slot[i].desc) > INT_MAX) /* kernels count texels in int */
            return err_set(err, -EINVAL, "%s: tensor '%s' has more than %d texels", op->name,
                           p->io.slot[i].name, INT_MAX);
    return 0;
}

static void round_gws(struct op_launch *launch, const int lws[2])
{
    for (int i = 0; i < 2; i++) {
        size_t l = lws[i] ? (size_t)lws[i] : 1;

        if (launch->gws[i] == 0)
            launch->gws[i] = 1;
        launch->gws[i] = (launch->gws[i] + l - 1) / l * l;
    }
}

/* ---- making one ---- */

static int make_spares(struct op_program *p, struct device *dev, struct err *err)
{
    cl_image_format format = {CL_RGBA, p->c.dtype == DTYPE_F16 ? CL_HALF_FLOAT : CL_FLOAT};
    cl_image_desc image = {
        .image_type = CL_MEM_OBJECT_IMAGE2D, .image_width = 1, .image_height = 1};
    cl_int code;

    if (!loads_inside(&p->variant))
        return 0;
    p->spare_src = clCreateBuffer(dev->context, CL_MEM_READ_ONLY, 16, NULL, &code);
    if (!p->spare_src)
        return cl_err(err, code, "clCreateBuffer of 16 bytes");
    if (p->variant.path == PATH_IMAGE)
        p->spare_dst = clCreateImage(dev->context, CL_MEM_WRITE_ONLY, &format, &image, NULL, &code);
    else
        p->spare_dst = clCreateBuffer(dev->context, CL_MEM_WRITE_ONLY, 16, NULL, &code);
    return p->spare_dst ? 0 : cl_err(err, code, "an unused destination of loads");
}

enum { SOURCES = 6, OPTIONS_MAX = 2048 };

/* What a kernel from a file asks for of ours. */
static int gather_used(const char *uses, const char *names[SOURCES])
{
    int n = 0;

    if (strstr(uses, "texel.cl"))
        names[n++] = "texel.cl";
    if (strstr(uses, "math.cl"))
        names[n++] = "math.cl";
    return n;
}

/* Returns the number of sources, or -errno. */
static int gather_sources(struct op_program *p, struct program_source sources[SOURCES],
                          char options[OPTIONS_MAX], struct err *err)
{
    const struct op_kernel *k = &p->c.op->kernels[p->variant.kernel];
    const char *names[SOURCES] = {"texel.cl", "math.cl", "stream.cl"};
    int n = 3, rc;

    if (k->text)
        n = gather_used(k->uses, names);
    if (k->shared)
        names[n++] = k->shared;
    if (k->also)
        names[n++] = k->also;
    if (!k->text)
        names[n++] = k->source;
    for (int i = 0; i < n; i++) {
        const struct embedded_file *f = embedded_find(kernel_files, names[i]);

        assert(f); /* op_table_check() */
        sources[i] = (struct program_source){f->name, f->text, f->length};
    }
    if (k->text)
        sources[n++] = (struct program_source){k->source, k->text, k->length};
    rc = make_options(p, options, OPTIONS_MAX, err);
    if (rc < 0)
        return rc;
    p->hash = program_hash(sources, n, options);
    return n;
}

static int build(struct op_program *p, struct device *dev, struct err *err)
{
    const struct op_kernel *k = &p->c.op->kernels[p->variant.kernel];
    struct program_source sources[SOURCES];
    struct program_stats stats = {0};
    char options[OPTIONS_MAX], name[64];
    cl_int code;
    int n = gather_sources(p, sources, options, err), rc;

    if (n < 0)
        return n;
    rc = program_build(dev, sources, n, options, &p->program, &stats, err);
    if (rc < 0)
        return err_prefix(err, "%s", p->c.op->name);
    p->build_ns = stats.build_ns;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(k->source, "."), k->source);
    p->kernel = clCreateKernel(p->program, name, &code);
    if (!p->kernel)
        return cl_err(err, code, "%s: clCreateKernel '%s'", p->c.op->name, name);
    return 0;
}

/* All of a program that needs no device. */
static int describe(struct op_program *p, const struct op_case *c, const struct op_variant *v,
                    const struct device_info *info, struct err *err)
{
    int rc;

    p->c = *c;
    p->variant = *v;
    p->block = info->type == DEVICE_CPU;
    c->op->io(c, &p->io);
    assert(p->io.n > 0 && p->io.slot[p->io.n - 1].role == ROLE_OUTPUT);
    rc = check_variant(p, err);
    if (rc == 0)
        rc = c->op->launch(c, v, info, &p->launch, err);
    if (rc < 0)
        return rc;
    if (v->lws[0])
        memcpy(p->launch.lws, v->lws, sizeof(v->lws));
    if ((uint64_t)p->launch.lws[0] * (uint64_t)p->launch.lws[1] > info->max_group)
        return err_set(err, -EINVAL,
                       "%s: local size %dx%d, device '%s' takes up to %" PRIu64 " items a group",
                       c->op->name, p->launch.lws[0], p->launch.lws[1], info->name,
                       info->max_group);
    round_gws(&p->launch, p->launch.lws);
    return 0;
}

int op_variant_hash(const struct op_case *c, const struct op_variant *v,
                    const struct device_info *info, uint64_t *ret_hash, struct err *err)
{
    struct program_source sources[SOURCES];
    struct op_program p = {0};
    char options[OPTIONS_MAX];
    int rc = describe(&p, c, v, info, err);

    if (rc == 0)
        rc = gather_sources(&p, sources, options, err);
    if (rc < 0)
        return rc;
    *ret_hash = p.hash;
    return 0;
}

int op_program_new(struct device *dev, const struct op_case *c, const struct op_variant *v,
                   struct op_program **ret_p, struct err *err)
{
    struct op_program *p = calloc(1, sizeof *p);
    int rc;

    if (!p)
        return err_set(err, -ENOMEM, "out of memory");
    rc = describe(p, c, v, &dev->info, err);
    if (rc < 0)
        goto out;
    rc = build(p, dev, err);
    if (rc < 0)
        goto out;
    rc = make_spares(p, dev, err);
    if (rc < 0)
        goto out;
    *ret_p = p;
    p = NULL; /* moved */
out:
    op_program_free(p);
    return rc;
}

void op_program_free(struct op_program *p)
{
    if (!p)
        return;
    if (p->spare_src)
        clReleaseMemObject(p->spare_src);
    if (p->spare_dst)
        clReleaseMemObject(p->spare_dst);
    if (p->kernel)
        clReleaseKernel(p->kernel);
    if (p->program)
        clReleaseProgram(p->program);
    free(p);
}

const struct op_variant *op_program_variant(const struct op_program *p)
{
    return &p->variant;
}

uint64_t op_program_hash(const struct op_program *p)
{
    return p->hash;
}

uint64_t op_program_build_ns(const struct op_program *p)
{
    return p->build_ns;
}

/* ---- launching ---- */

static int set_arg(struct op_program *p, int *i, size_t size, const void *value, struct err *err)
{
    cl_int code = clSetKernelArg(p->kernel, (cl_uint)*i, size, value);

    if (code)
        return cl_err(err, code, "%s: clSetKernelArg %d", p->c.op->name, *i);
    ++*i;
    return 0;
}

static int set_int(struct op_program *p, int *i, int64_t value, struct err *err)
{
    cl_int v = (cl_int)value;

    assert(value == v);
    return set_arg(p, i, sizeof v, &v, err);
}

static int check_load(const struct op_program *p, const struct op_load *l, struct err *err)
{
    const char *name = p->c.op->name;
    size_t src_bytes = 0, texel_bytes = 4 * dtype_bytes(p->c.dtype);
    cl_int code;

    if (l->texels < 0 || l->src_texel < 0 || l->dst_texel < 0 || l->src_texel + l->texels > INT_MAX)
        return err_set(err, -EINVAL, "%s: load of %" PRId64 " texels from texel %" PRId64, name,
                       l->texels, l->src_texel);
    if (l->texels == 0)
        return 0;
    if (l->dst_desc.dtype != p->c.dtype)
        return err_set(err, -EINVAL, "%s: carries %s, its load is %s", name, dtype_name(p->c.dtype),
                       dtype_name(l->dst_desc.dtype));
    if (l->dst_texel + l->texels > tensor_texels(&l->dst_desc))
        return err_set(
            err, -EINVAL, "%s: load of texels %" PRId64 "..%" PRId64 " into a tensor of %" PRId64,
            name, l->dst_texel, l->dst_texel + l->texels - 1, tensor_texels(&l->dst_desc));
    code = clGetMemObjectInfo(l->src, CL_MEM_SIZE, sizeof src_bytes, &src_bytes, NULL);
    if (code)
        return cl_err(err, code, "%s: source of the load", name);
    if ((uint64_t)(l->src_texel + l->texels) * texel_bytes > src_bytes)
        return err_set(err, -EINVAL, "%s: load ends behind its source of %zu bytes", name,
                       src_bytes);
    return 0;
}

/* The standard forbids an image that one kernel reads and writes, PoCL lets it pass; buffers are
 * declared restrict. So what is written may not be among what is read. */
static int check_aliases(const struct op_program *p, const struct op_args *args, struct err *err)
{
    int out = p->io.n - 1;

    for (int w = -1; w < args->n_loads; w++) {
        cl_mem written = w < 0 ? args->tensor[out] : args->load[w].dst;

        if (w >= 0 && args->load[w].texels == 0)
            continue;
        for (int i = 0; i < out; i++)
            if (args->tensor[i] == written)
                return err_set(err, -EINVAL, "%s: %s is bound for reading as '%s' and for writing",
                               p->c.op->name, p->variant.path == PATH_IMAGE ? "image" : "buffer",
                               p->io.slot[i].name);
        if (w >= 0 && args->tensor[out] == written)
            return err_set(err, -EINVAL, "%s: its output is a destination of extra load",
                           p->c.op->name);
        for (int i = 0; i < args->n_loads; i++)
            if (args->load[i].texels && args->load[i].src == written)
                return err_set(err, -EINVAL, "%s: a source of extra load is bound for writing",
                               p->c.op->name);
    }
    return 0;
}

/* In the order that the launch names. */
static int set_named(struct op_program *p, const struct op_args *args, int *n, struct err *err)
{
    int rc = 0;

    for (int i = 0; i < p->launch.n_args && rc == 0; i++) {
        int a = p->launch.args[i];

        if (a >= OP_ARG_INT)
            rc = set_int(p, n, p->launch.ints[a - OP_ARG_INT], err);
        else if (a >= OP_ARG_OFFSET)
            rc = set_int(p, n, args->vector_texel[a - OP_ARG_OFFSET], err);
        else
            rc = set_arg(p, n, sizeof(cl_mem), &args->tensor[a], err);
    }
    return rc;
}

static int set_tensors(struct op_program *p, const struct op_args *args, int *n, struct err *err)
{
    int rc = 0;

    if (p->launch.n_args)
        return set_named(p, args, n, err);
    for (int i = 0; i < p->io.n && rc == 0; i++) {
        if (!args->tensor[i])
            return err_set(err, -EINVAL, "%s: tensor '%s' is not bound", p->c.op->name,
                           p->io.slot[i].name);
        rc = set_arg(p, n, sizeof(cl_mem), &args->tensor[i], err);
        if (rc == 0 && p->io.slot[i].role == ROLE_VECTOR)
            rc = set_int(p, n, args->vector_texel[i], err);
    }
    for (int i = 0; i < p->launch.n_ints && rc == 0; i++)
        rc = set_int(p, n, p->launch.ints[i], err);
    return rc;
}

static int set_load(struct op_program *p, const struct op_load *l, int *n, struct err *err)
{
    bool used = l && l->texels > 0;
    cl_mem src = used ? l->src : p->spare_src, dst = used ? l->dst : p->spare_dst;
    cl_int8 run = {{0}};
    int rc;

    if (used)
        run = stream_pack(l, p->variant.path);
    rc = set_arg(p, n, sizeof src, &src, err);
    rc = rc < 0 ? rc : set_arg(p, n, sizeof dst, &dst, err);
    return rc < 0 ? rc : set_arg(p, n, sizeof run, &run, err);
}

/* What both ways to enqueue ask of the loads. */
static int check_loads(const struct op_program *p, const struct op_args *args, struct err *err)
{
    int64_t total = 0;

    if (args->n_loads < 0 || args->n_loads > p->variant.n_loads)
        return err_set(err, -EINVAL, "%s: %d loads, this variant carries %d", p->c.op->name,
                       args->n_loads, p->variant.n_loads);
    for (int i = 0; i < args->n_loads; i++) {
        int rc = check_load(p, &args->load[i], err);

        if (rc < 0)
            return rc;
        total += args->load[i].texels;
    }
    if (total > INT_MAX)
        return err_set(err, -EINVAL, "%s: extra load of %" PRId64 " texels, want 0..%d",
                       p->c.op->name, total, INT_MAX);
    return check_aliases(p, args, err);
}

int op_program_copy(struct op_program *p, cl_command_queue queue, const struct op_args *args,
                    cl_event after, cl_event ret_event[2], struct err *err)
{
    cl_event event[2] = {NULL, NULL};
    int rc;

    assert(p->variant.form == FORM_COPY);
    rc = check_loads(p, args, err);
    for (int i = 0; i < args->n_loads && rc == 0; i++) {
        if (args->load[i].texels && !args->load[i].host)
            rc = err_set(err, -EINVAL, "%s: the source of a copy is not mapped", p->c.op->name);
        else
            rc = stream_copy(queue, &args->load[i], p->variant.path, after, event, err);
    }
    for (int k = 0; k < 2; k++) {
        if (rc == 0)
            ret_event[k] = event[k];
        else if (event[k])
            clReleaseEvent(event[k]);
    }
    if (rc == 0)
        clFlush(queue);
    return rc;
}

int op_program_enqueue(struct op_program *p, cl_command_queue queue, const struct op_args *args,
                       cl_event *ret_event, struct err *err)
{
    const struct op_variant *v = &p->variant;
    size_t lws[2] = {(size_t)p->launch.lws[0], (size_t)p->launch.lws[1]};
    int n = 0, rc;
    cl_int code;

    rc = check_loads(p, args, err);
    rc = rc < 0 ? rc : set_tensors(p, args, &n, err);
    for (int i = 0; loads_inside(v) && i < v->n_loads && rc == 0; i++)
        rc = set_load(p, i < args->n_loads ? &args->load[i] : NULL, &n, err);
    if (rc < 0)
        return rc;
    code = clEnqueueNDRangeKernel(queue, p->kernel, 2, NULL, p->launch.gws, lws[0] ? lws : NULL, 0,
                                  NULL, ret_event);
    return code ? cl_err(err, code, "%s: clEnqueueNDRangeKernel", p->c.op->name) : 0;
}
