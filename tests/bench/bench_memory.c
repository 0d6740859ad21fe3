/* Operators that memory bounds, beside a copy of as many bytes on the same memory path.
 *
 * The value is the operator's bandwidth (all tensors it reads and writes) / the copy's. The copy is
 * the fastest of a few shapes of the same plain kernel (copy.cl). `--case TEXT` and any number of
 * `--variant TEXT` time one case's variants instead. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/embed.h"
#include "profiler/program.h"
#include "operators/kernels.h"
#include "tests/bench/bench.h"

extern const struct embedded_file bench_kernels[];

static const struct {
    const char *op_case;
    double buffer_cpu, image_cpu, gpu; /* goals */
} rows[] = {
    {"relu:%s:rows=8192,cols=4096", 0.8, 0.8, 0.8},
    {"add:%s:rows=8192,cols=4096,brows=8192,bcols=4096", 0.8, 0.8, 0.8},
    {"mul:%s:rows=8192,cols=4096,brows=8192,bcols=4096", 0.8, 0.8, 0.8},
    {"add:%s:rows=8192,cols=4096,brows=1,bcols=4096,b=vector", 0.8, 0.8, 0.8},
    /* From some 3000 columns on, two vectors and a row of x and y do not fit a core's 48 KiB of L1
     * together: 0.86 to 1.0 of the copy up to 2048 columns, 0.55 to 0.6 from 3008 on. Rows by
     * blocks of columns are worse, for memory wants runs of 4 KiB and more. */
    {"affine:%s:rows=32768,cols=1024,act=relu", 0.8, 0.8, 0.8},
    {"affine:%s:rows=8192,cols=4096,act=relu", 0.8, 0.8, 0.8},
    {"gelu:%s:rows=8192,cols=4096", 0.8, 0.6, 0.8},
    {"gelu:%s:rows=8192,cols=4096,approx=tanh", 0.8, 0.6, 0.8},
    {"silu:%s:rows=8192,cols=4096", 0.8, 0.6, 0.8},
    {"tanh:%s:rows=8192,cols=4096", 0.8, 0.6, 0.8},
    {"softmax:%s:rows=32768,cols=1024", 0.8, 0.6, 0.8},
    {"softmax:%s:rows=32768,cols=1021", 0.8, 0.6, 0.8},
    {"softmax:%s:rows=8192,cols=4096", 0.8, 0.6, 0.8},
    {"softmax:%s:rows=196608,cols=128", 0.8, 0.6, 0.8},
    {"layernorm:%s:rows=32768,cols=1024", 0.8, 0.6, 0.8},
    {"layernorm:%s:rows=43690,cols=768", 0.8, 0.6, 0.8},
    {"layernorm:%s:rows=8192,cols=4093", 0.8, 0.6, 0.8},
};

/* ---- the copy ---- */

struct copy {
    struct bench *b;
    cl_kernel kernel;
    cl_program program;
    struct tensor x, y;
    size_t gws[2], lws[2];
};

static void check(int rc, const struct err *err)
{
    if (rc < 0) {
        fprintf(stderr, "bench: %s\n", err->text);
        exit(1);
    }
}

static void copy_run(void *ctx, int times)
{
    struct copy *c = ctx;

    for (int i = 0; i < times; i++)
        if (clEnqueueNDRangeKernel(c->b->queue, c->kernel, 2, NULL, c->gws, c->lws, 0, NULL, NULL))
            exit(1);
    clFinish(c->b->queue);
}

/* Memory that nobody wrote may be one page of zeros, in a cache. */
static void fill(struct bench *b, const struct tensor *t)
{
    struct err err = {0};
    char *texels = malloc(tensor_bytes(&t->desc));

    if (!texels)
        exit(1);
    memset(texels, 1, tensor_bytes(&t->desc));
    check(tensor_write(b->queue, t, texels, &err), &err);
    free(texels);
}

static void copy_make(struct copy *c, struct bench *b, const struct tensor_desc *d,
                      enum mem_path path, int vt, int lx, int ly)
{
    const struct embedded_file *texel = embedded_find(kernel_files, "texel.cl"),
                               *copy = embedded_find(bench_kernels, "copy.cl");
    struct program_source sources[] = {{texel->name, texel->text, texel->length},
                                       {copy->name, copy->text, copy->length}};
    cl_int ints[3] = {(cl_int)d->rows, (cl_int)d->cols, (cl_int)tensor_texel_cols(d)};
    struct err err = {0};
    char options[128];
    size_t items[2] = {(size_t)((ints[2] + vt - 1) / vt), (size_t)d->rows};
    cl_int code = 0;

    *c = (struct copy){.b = b, .lws = {(size_t)lx, (size_t)ly}};
    for (int i = 0; i < 2; i++)
        c->gws[i] = (items[i] + c->lws[i] - 1) / c->lws[i] * c->lws[i];
    snprintf(options, sizeof options, "-DIMAGE=%d -DHALF=%d -DFOLD_X=%d -DFOLD_Y=%d -DWIDE=%d",
             path == PATH_IMAGE, d->dtype == DTYPE_F16, tensor_folded(d), tensor_folded(d), 4 * vt);
    check(program_build(b->dev, sources, 2, options, &c->program, NULL, &err), &err);
    c->kernel = clCreateKernel(c->program, "copy", &code);
    check(tensor_new(b->dev, d, path, NULL, MEM_ACTIVATION, &c->x, &err), &err);
    check(tensor_new(b->dev, d, path, NULL, MEM_ACTIVATION, &c->y, &err), &err);
    fill(b, &c->x);
    code |= clSetKernelArg(c->kernel, 0, sizeof(cl_mem), &c->x.mem);
    code |= clSetKernelArg(c->kernel, 1, sizeof(cl_mem), &c->y.mem);
    for (cl_uint i = 0; i < 3; i++)
        code |= clSetKernelArg(c->kernel, 2 + i, sizeof(cl_int), &ints[i]);
    if (code)
        exit(1);
}

static void copy_done(struct copy *c)
{
    tensor_done(&c->x, NULL);
    tensor_done(&c->y, NULL);
    clReleaseKernel(c->kernel);
    clReleaseProgram(c->program);
}

/* The fastest shape of the copy here. */
static void copy_best(struct copy *c, struct bench *b, const struct tensor_desc *d,
                      enum mem_path path)
{
    static const int cpu[][3] = {{4, 16, 4}, {4, 64, 1}, {1, 16, 16}, {4, 1, 16}};
    static const int gpu[][3] = {{1, 16, 16}, {1, 8, 32}, {1, 64, 4}, {1, 256, 1}};
    const int(*shapes)[3] = b->dev->info.type == DEVICE_CPU ? cpu : gpu;
    struct copy copies[4];
    struct bench_side sides[4];
    int best = 0;

    for (int i = 0; i < 4; i++) {
        copy_make(&copies[i], b, d, path, shapes[i][0], shapes[i][1], shapes[i][2]);
        sides[i] = (struct bench_side){.name = "copy", .run = copy_run, .ctx = &copies[i]};
    }
    bench_time(b, sides, 4);
    for (int i = 1; i < 4; i++)
        if (sides[i].median_ns < sides[best].median_ns)
            best = i;
    for (int i = 0; i < 4; i++)
        if (i != best)
            copy_done(&copies[i]);
    *c = copies[best];
}

/* ---- operators beside it ---- */

/* Bandwidth of each side / the copy's, of the same number of bytes. */
static void compare(struct bench *b, const char *text, const char *const *variants, int n,
                    enum mem_path path, double goal)
{
    struct bench_side sides[BENCH_SIDES];
    struct copy copy = {0};
    struct op_case c = {0};
    struct op_io io = {0};
    struct err err = {0};
    double bytes, copied;
    char name[OP_TEXT_MAX];

    check(op_case_parse(text, &c, &err), &err);
    c.op->io(&c, &io);
    copy_best(&copy, b, &io.slot[0].desc, path);
    sides[0] = (struct bench_side){.name = "copy", .run = copy_run, .ctx = &copy};
    copied = 2 * (double)tensor_bytes(&io.slot[0].desc);
    bytes = (double)(op_input_bytes(&c) + op_output_bytes(&c));
    for (int i = 0; i < n; i++) {
        char variant[OP_TEXT_MAX];

        snprintf(variant, sizeof variant, "%s%s%s", mem_path_name(path), *variants[i] ? "," : "",
                 variants[i]);
        sides[i + 1] = bench_op(b, variants[i], text, variant, false);
    }
    bench_time(b, sides, n + 1);
    for (int i = 1; i <= n; i++) {
        snprintf(name, sizeof name, "%s %s", n > 1 ? sides[i].name : text, mem_path_name(path));
        bench_goal(name, bytes / copied / sides[i].ratio, goal,
                   "%.0f GB/s, copy %.0f (%dx%d items)", bytes / sides[i].median_ns,
                   copied / sides[0].median_ns, (int)copy.lws[0], (int)copy.lws[1]);
        bench_op_done(&sides[i]);
    }
    copy_done(&copy);
}

/* The cases of the table whose name begins so. */
static void table(struct bench *b, const char *only, const char *dtype)
{
    bool cpu = b->dev->info.type == DEVICE_CPU;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[OP_TEXT_MAX];

        snprintf(text, sizeof text, rows[i].op_case, dtype);
        if (strncmp(text, only, strlen(only)) != 0)
            continue;
        compare(b, text, (const char *const[]){""}, 1, PATH_BUFFER,
                cpu ? rows[i].buffer_cpu : rows[i].gpu);
        if (b->dev->info.images)
            compare(b, text, (const char *const[]){""}, 1, PATH_IMAGE,
                    cpu ? rows[i].image_cpu : rows[i].gpu);
    }
}

int main(int argc, char **argv)
{
    const char *variants[BENCH_SIDES - 1], *one = NULL, *only = "", *dtype = "f32";
    struct bench b;
    int n = 0;

    bench_open(&b, argc, argv);
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], "--case") == 0)
            one = argv[i + 1];
        if (strcmp(argv[i], "--only") == 0)
            only = argv[i + 1];
        if (strcmp(argv[i], "--dtype") == 0)
            dtype = argv[i + 1];
        if (strcmp(argv[i], "--variant") == 0 && n < BENCH_SIDES - 1)
            variants[n++] = argv[i + 1];
    }
    bench_head(&b, "bandwidth / that of a copy");
    if (!one) {
        table(&b, only, dtype);
    } else {
        printf("# %s\n", one);
        compare(&b, one, variants, n, PATH_BUFFER, NAN);
        if (b.dev->info.images)
            compare(&b, one, variants, n, PATH_IMAGE, NAN);
    }
    bench_close(&b);
    return 0;
}
