/* The order in which kernels/stream.cl writes a run of texels, on whatever device there is: that of
 * GPUs too, which a CPU never takes by itself. Each item asks load_at() for its own texel; what
 * comes back must be the run, each texel once, from the right source, and where whole bands are, in
 * tiles. Then both orders once more through the null kernel, with two destinations. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "operators/kernels.h"
#include "operators/stream.h"
#include "profiler/program.h"
#include "profiler/rng.h"
#include "tests/suite.h"
#include "tests/with_device.h"

static const char where_text[] =
    "__kernel void where(const int8 run, __global int *at)\n"
    "{\n"
    "    const int t = get_global_id(0);\n"
    "    if (t >= run.s1)\n"
    "        return;\n"
    "    const int2 p = load_at(run, t);\n"
    "    at[3 * t] = p.x;\n"
    "    at[3 * t + 1] = p.y;\n"
    "    at[3 * t + 2] = load_from(run, p);\n"
    "}\n";

static cl_kernel build(const char *last, const char *name, bool block)
{
    const char *const names[] = {"texel.cl", "math.cl", "stream.cl"};
    struct program_source sources[4];
    const struct embedded_file *null = embedded_find(kernel_files, "null.cl");
    cl_program program = NULL;
    struct err err = {0};
    char options[128];
    cl_kernel kernel;

    for (int i = 0; i < 3; i++) {
        const struct embedded_file *f = embedded_find(kernel_files, names[i]);

        sources[i] = (struct program_source){f->name, f->text, f->length};
    }
    sources[3] = last ? (struct program_source){"where.cl", last, strlen(last)}
                      : (struct program_source){null->name, null->text, null->length};
    snprintf(options, sizeof options,
             "-DIMAGE=1 -DFORM=2 -DNLOADS=2 -DFOLD_Y=0 -DLOAD_BLOCK=%d -DLOAD_ROWS_LOG2=%d", block,
             STREAM_ROWS_LOG2);
    ck_assert_msg(program_build(dev, sources, 4, options, &program, NULL, &err) == 0, "%s",
                  err.text);
    kernel = clCreateKernel(program, name, NULL);
    ck_assert_ptr_nonnull(kernel);
    clReleaseProgram(program);
    return kernel;
}

/* A destination of that size; folded where it is wider than tensors may be. */
static struct op_load load_of(int64_t width, int64_t height, int64_t at, int64_t n)
{
    return (struct op_load){
        .src_texel = 7,
        .dst_desc = {.rows = height, .cols = 4 * width, .dtype = DTYPE_F32},
        .dst_texel = at,
        .texels = n,
    };
}

/* Column, row and source of every texel of the run, in the order of the items. */
static void ask(cl_kernel kernel, const struct op_load *l, cl_mem out, cl_int *ret)
{
    cl_int8 run = stream_pack(l, PATH_IMAGE);
    size_t n = (size_t)l->texels, lws = 64, gws = (n + lws - 1) / lws * lws;

    ck_assert_int_eq(clSetKernelArg(kernel, 0, sizeof run, &run), 0);
    ck_assert_int_eq(clSetKernelArg(kernel, 1, sizeof out, &out), 0);
    ck_assert_int_eq(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &gws, &lws, 0, NULL, NULL), 0);
    ck_assert_int_eq(
        clEnqueueReadBuffer(queue, out, CL_TRUE, 0, n * 3 * sizeof *ret, ret, 0, NULL, NULL), 0);
}

/* How many of the run's texels are written in pairs: an even and the next odd row of one column, by
 * neighbouring items. */
static int64_t check_run(const struct op_load *l, int64_t width, bool block, const cl_int *at,
                         char *seen)
{
    int64_t paired = 0;

    memset(seen, 0, (size_t)l->texels);
    for (int64_t t = 0; t < l->texels; t++) {
        int64_t x = at[3 * t], y = at[3 * t + 1], k = y * width + x - l->dst_texel;

        must(x >= 0 && x < width && k >= 0 && k < l->texels && !seen[k],
             "%lld wide, run %lld+%lld: item %lld writes (%lld,%lld)", (long long)width,
             (long long)l->dst_texel, (long long)l->texels, (long long)t, (long long)x,
             (long long)y);
        must(at[3 * t + 2] == l->src_texel + k, "item %lld takes texel %d", (long long)t,
             at[3 * t + 2]);
        must(!block || k == t, "item %lld writes texel %lld", (long long)t, (long long)k);
        seen[k] = 1;
        if (t % 2 && x == at[3 * t - 3] && y == at[3 * t - 2] + 1 && y % 2)
            paired += 2;
    }
    return paired;
}

/* Whole bands are: rows from the first multiple of 8 that the run fills, eight at a time. */
static int64_t in_bands(const struct op_load *l, int64_t width)
{
    int64_t first = (l->dst_texel + width - 1) / width, end = (l->dst_texel + l->texels) / width;
    int64_t bands = 0;

    for (int64_t y = (first + 7) / 8 * 8; y + 8 <= end; y += 8)
        bands++;
    return bands * 8 * width;
}

enum { TEXELS_MAX = 20 * 8192 };

START_TEST(every_texel_once)
{
    static const int64_t widths[] = {1, 2, 3, 7, 15, 16, 17, 31, 48, 49, 100, 255, 256, 4096, 8192};
    bool block = _i != 0;
    cl_kernel kernel = build(where_text, "where", block);
    cl_mem out = clCreateBuffer(dev->context, CL_MEM_WRITE_ONLY, TEXELS_MAX * 3 * sizeof(cl_int),
                                NULL, NULL);
    cl_int *at = malloc(TEXELS_MAX * 3 * sizeof *at);
    char *seen = malloc(TEXELS_MAX);
    uint64_t rng = 5;

    ck_assert(out && at && seen);
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
        for (int k = 0; k < (widths[i] < 1000 ? 30 : 5); k++) {
            int64_t w = widths[i], most = w < 1000 ? 40 * w : 20 * w;
            int64_t n = k == 0 ? w * 8 : k == 1 ? 1 : 1 + (int64_t)rng_below(&rng, (uint64_t)most);
            int64_t from = k < 4 ? 0 : (int64_t)rng_below(&rng, (uint64_t)(20 * w));
            struct op_load l = load_of(w, 4000, from, n);

            ask(kernel, &l, out, at);
            ck_assert_int_ge(check_run(&l, w, block, at, seen), block ? 0 : in_bands(&l, w));
        }
    free(at);
    free(seen);
    clReleaseMemObject(out);
    clReleaseKernel(kernel);
}
END_TEST

/* 32 items, which run at once on NVIDIA, fill 16 x 2 texels; four such, a block of 8 rows. */
START_TEST(tiles_of_gpus)
{
    cl_kernel kernel = build(where_text, "where", false);
    cl_mem out = clCreateBuffer(dev->context, CL_MEM_WRITE_ONLY, 64 * 16 * 3 * sizeof(cl_int), NULL,
                                NULL);
    struct op_load l = load_of(64, 4000, 0, 64 * 16);
    cl_int at[64 * 16 * 3];

    ck_assert_ptr_nonnull(out);
    ask(kernel, &l, out, at);
    for (int t = 0; t < 64 * 16; t++) {
        int tile = t / 128;

        ck_assert_int_eq(at[3 * t] / 16, tile % 4);
        ck_assert_int_eq(at[3 * t + 1] / 2, tile / 4 * 4 + t % 128 / 32);
    }
    clReleaseMemObject(out);
    clReleaseKernel(kernel);
}
END_TEST

static void poisoned(cl_mem *ret_image, size_t width, size_t height, float *texels)
{
    cl_image_format format = {CL_RGBA, CL_FLOAT};
    cl_image_desc desc = {.image_type = CL_MEM_OBJECT_IMAGE2D, .image_width = width,
                          .image_height = height};

    for (size_t i = 0; i < width * height * 4; i++)
        texels[i] = -1;
    *ret_image = clCreateImage(dev->context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, &format,
                               &desc, texels, NULL);
    ck_assert_ptr_nonnull(*ret_image);
}

START_TEST(through_a_kernel)
{
    enum { WIDTH = 50, HEIGHT = 40, SRC = 4000 };
    static float src[SRC * 4], image[WIDTH * HEIGHT * 4];
    const size_t origin[3] = {0}, region[3] = {WIDTH, HEIGHT, 1};
    struct op_load l[2] = {load_of(WIDTH, HEIGHT, 33, 1707), load_of(WIDTH, HEIGHT, 400, 801)};
    bool block = _i != 0;
    cl_kernel kernel = build(NULL, "null", block);
    size_t gws = 37, lws = 1;
    cl_mem y, mem;

    poisoned(&y, 1, 1, image);
    for (int i = 0; i < SRC * 4; i++)
        src[i] = (float)i;
    mem = clCreateBuffer(dev->context, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR, sizeof src, src,
                         NULL);
    ck_assert_ptr_nonnull(mem);
    l[1].src_texel = 1900;
    ck_assert_int_eq(clSetKernelArg(kernel, 0, sizeof y, &y), 0);
    for (cl_uint i = 0; i < 2; i++) {
        cl_int8 run = stream_pack(&l[i], PATH_IMAGE);

        poisoned(&l[i].dst, WIDTH, HEIGHT, image);
        ck_assert_int_eq(clSetKernelArg(kernel, 1 + 3 * i, sizeof mem, &mem), 0);
        ck_assert_int_eq(clSetKernelArg(kernel, 2 + 3 * i, sizeof l[i].dst, &l[i].dst), 0);
        ck_assert_int_eq(clSetKernelArg(kernel, 3 + 3 * i, sizeof run, &run), 0);
    }
    ck_assert_int_eq(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &gws, &lws, 0, NULL, NULL), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(clEnqueueReadImage(queue, l[i].dst, CL_TRUE, origin, region, 0, 0, image,
                                            0, NULL, NULL), 0);
        for (int64_t k = 0; k < WIDTH * HEIGHT * 4; k++) {
            int64_t t = k / 4 - l[i].dst_texel;
            float want = t >= 0 && t < l[i].texels ? (float)(4 * (l[i].src_texel + t) + k % 4) : -1;

            ck_assert_msg(image[k] == want, "load %d: texel %lld is %g, want %g", i,
                          (long long)(k / 4), (double)image[k], (double)want);
        }
        clReleaseMemObject(l[i].dst);
    }
    clReleaseMemObject(mem);
    clReleaseMemObject(y);
    clReleaseKernel(kernel);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stream");
    TCase *t = tcase_create("order");

    need_device();
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, every_texel_once, 0, 2);
    tcase_add_test(t, tiles_of_gpus);
    tcase_add_loop_test(t, through_a_kernel, 0, 2);
    suite_add_tcase(suite, t);
    return suite_run(suite);
}
