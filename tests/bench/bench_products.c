/* Matrix products and convolutions, each as it is by default, beside OpenBLAS on as many threads as
 * the device has, CLBlast as shipped and cuBLAS, where they were found.
 *
 *   square   beside the libraries on the same shape; odd sizes also beside the round one
 *   real     shapes of models; on a CPU beside the larger of two times in the same run: their
 *            operations at the rate of our own 1024^3, their bytes at the rate of a copy on the
 *            same path; on a GPU beside cuBLAS
 *   resnet   ResNet50's convolutions beside our own 1024^3, then all layers together
 *
 * `bench_products [--rounds N] [buffer|image] [square] [real] [resnet]`, all by default;
 * `--case TEXT` (and any number of `--variant TEXT`) times one case as `real` does. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/bench/cublas.h"

#if HAVE_OPENBLAS
#include <cblas.h>
#endif
#if HAVE_CLBLAST
#include <clblast_c.h>
#endif

static const char *const path_names[] = {"buffer", "image"};
static const char square_case[] = "matmul:f32:m=1024,n=1024,k=1024";
static const char copy_case[] = "relu:f32:rows=1024,cols=4096";

/* Goals of `square` by path, on GPUs for the large ones; the others'. */
static const struct {
    const char *beside;
    double goal[2];
    int gpu_from;
} goals[] = {
    {"OpenBLAS", {0.9, 0.5}, 0}, {"CLBlast", {NAN, 1.2}, 2048}, {"cuBLAS", {NAN, 0.75}, 4096}};
static const double odd_goal = 0.85, real_goal = 0.8, real_cublas_goal = 0.6, resnet_goal = 0.7;

static const int squares_cpu[] = {512, 1000, 1023, 1024, 1025, 2048, 0};
static const int squares_gpu[] = {512, 1000, 1023, 1024, 1025, 2048, 2049, 4096, 4097, 0};

/* Attention's products stay behind on two cores, beside a rate of 1024^3 that is twice OpenBLAS's (of
 * which they reach 1.6). Buffers, 0.73 to 0.79: a packed element of b is used 128 times, and a tile of
 * 64 k begins and ends for 512 cycles of multiplications; a launch is 3 us of 75. Images, 0.66 to 0.76:
 * a third each is in reading, writing and multiplying, which one core does in turn, so that the sum of
 * both bounds is what can be had, not the larger. PoCL divides twice for each texel that is written. */
static const char *const real_cases[] = {
    "matmul:f32:m=128,n=768,k=768",
    "matmul:f32:m=128,n=3072,k=768",
    "matmul:f32:m=128,n=768,k=3072",
    "matmul:f32:m=128,n=50257,k=2048",
    "matmul:f32:batch=12,m=128,n=128,k=64,b=input,aheads=1,bheads=1,scaled=1",
    "matmul:f32:batch=12,m=128,n=64,k=128,tb=0,b=input,bheads=1,cheads=1",
    "matmul:f32:batch=12,m=197,n=197,k=64,b=input,aheads=1,bheads=1,scaled=1",
    "matmul:f32:batch=12,m=197,n=64,k=197,tb=0,b=input,bheads=1,cheads=1",
    "matmul:f32:m=1,n=3072,k=768",
    "matmul:f32:m=1,n=768,k=3072",
    "matmul:f32:m=4,n=3072,k=768",
    "conv2d:f32:h=56,w=56,cin=128,cout=128,r=3,s=3,pad=1,groups=128",
    "deconv2d:f32:h=24,w=24,cin=256,cout=256,r=4,s=4,stride=4",
};

/* 16 times as many heads at once: what GPUs reach without the cost of launches. */
static const char *const many_heads[] = {
    "matmul:f32:batch=192,m=128,n=128,k=64,b=input,aheads=1,bheads=1,scaled=1",
    "matmul:f32:batch=192,m=128,n=64,k=128,tb=0,b=input,bheads=1,cheads=1",
    "matmul:f32:batch=192,m=197,n=197,k=64,b=input,aheads=1,bheads=1,scaled=1",
    "matmul:f32:batch=192,m=197,n=64,k=197,tb=0,b=input,bheads=1,cheads=1",
};

/* How often each convolution occurs in ResNet50. */
static const struct {
    int n;
    const char *params;
} resnet[] = {
    {1, "h=224,w=224,cin=3,cout=64,r=7,s=7,stride=2,pad=3"},
    {1, "h=56,w=56,cin=64,cout=64,r=1,s=1"},
    {3, "h=56,w=56,cin=64,cout=64,r=3,s=3,pad=1"},
    {4, "h=56,w=56,cin=64,cout=256,r=1,s=1"},
    {2, "h=56,w=56,cin=256,cout=64,r=1,s=1"},
    {1, "h=56,w=56,cin=256,cout=128,r=1,s=1"},
    {1, "h=56,w=56,cin=128,cout=128,r=3,s=3,stride=2,pad=1"},
    {4, "h=28,w=28,cin=128,cout=512,r=1,s=1"},
    {1, "h=56,w=56,cin=256,cout=512,r=1,s=1,stride=2"},
    {3, "h=28,w=28,cin=512,cout=128,r=1,s=1"},
    {3, "h=28,w=28,cin=128,cout=128,r=3,s=3,pad=1"},
    {1, "h=28,w=28,cin=512,cout=256,r=1,s=1"},
    {1, "h=28,w=28,cin=256,cout=256,r=3,s=3,stride=2,pad=1"},
    {6, "h=14,w=14,cin=256,cout=1024,r=1,s=1"},
    {1, "h=28,w=28,cin=512,cout=1024,r=1,s=1,stride=2"},
    {5, "h=14,w=14,cin=1024,cout=256,r=1,s=1"},
    {5, "h=14,w=14,cin=256,cout=256,r=3,s=3,pad=1"},
    {1, "h=14,w=14,cin=1024,cout=512,r=1,s=1"},
    {1, "h=14,w=14,cin=512,cout=512,r=3,s=3,stride=2,pad=1"},
    {3, "h=7,w=7,cin=512,cout=2048,r=1,s=1"},
    {1, "h=14,w=14,cin=1024,cout=2048,r=1,s=1,stride=2"},
    {2, "h=7,w=7,cin=2048,cout=512,r=1,s=1"},
    {2, "h=7,w=7,cin=512,cout=512,r=3,s=3,pad=1"},
};

/* ---- what a case costs ---- */

static struct op_case parse(const char *text)
{
    struct op_case c = {0};
    struct err err = {0};

    if (op_case_parse(text, &c, &err) < 0) {
        fprintf(stderr, "bench: %s\n", err.text);
        exit(1);
    }
    return c;
}

static double case_flop(const char *text)
{
    struct op_case c = parse(text);
    double macs = 0, ops = 0;

    c.op->cost(&c, &macs, &ops);
    return 2 * macs;
}

static double case_bytes(const char *text)
{
    struct op_case c = parse(text);

    return (double)(op_input_bytes(&c) + op_output_bytes(&c));
}

/* ---- other libraries ---- */

struct blas {
    struct bench *b;
    int m, n, k;
    float *a_host, *b_host, *c_host;
    cl_mem a_dev, b_dev, c_dev;
};

static float *host_matrix(int rows, int cols)
{
    size_t n = (size_t)rows * (size_t)cols;
    float *x = malloc(n * sizeof *x);

    if (!x) {
        fprintf(stderr, "bench: out of memory\n");
        exit(1);
    }
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(i % 17) / 17 - 0.5f;
    return x;
}

#if HAVE_OPENBLAS
static void run_openblas(void *ctx, int times)
{
    struct blas *s = ctx;

    for (int i = 0; i < times; i++)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, s->m, s->n, s->k, 1, s->a_host, s->k,
                    s->b_host, s->k, 0, s->c_host, s->n);
}
#endif

#if HAVE_CLBLAST
static void run_clblast(void *ctx, int times)
{
    struct blas *s = ctx;

    for (int i = 0; i < times; i++) {
        size_t m = (size_t)s->m, n = (size_t)s->n, k = (size_t)s->k;

        if (CLBlastSgemm(CLBlastLayoutRowMajor, CLBlastTransposeNo, CLBlastTransposeYes, m, n, k, 1,
                         s->a_dev, 0, k, s->b_dev, 0, k, 0, s->c_dev, 0, n, &s->b->queue,
                         NULL) != CLBlastSuccess) {
            fprintf(stderr, "bench: CLBlastSgemm failed\n");
            exit(1);
        }
    }
    clFinish(s->b->queue);
}

static cl_mem device_matrix(struct bench *b, float *host, int rows, int cols)
{
    cl_int code;
    cl_mem m = clCreateBuffer(b->dev->context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR,
                              (size_t)rows * (size_t)cols * sizeof *host, host, &code);

    if (!m) {
        fprintf(stderr, "bench: clCreateBuffer: %d\n", code);
        exit(1);
    }
    return m;
}
#endif

static void blas_open(struct blas *s, struct bench *b, int m, int n, int k)
{
    *s = (struct blas){.b = b, .m = m, .n = n, .k = k};
    s->a_host = host_matrix(m, k);
    s->b_host = host_matrix(n, k);
    s->c_host = host_matrix(m, n);
#if HAVE_CLBLAST
    s->a_dev = device_matrix(b, s->a_host, m, k);
    s->b_dev = device_matrix(b, s->b_host, n, k);
    s->c_dev = device_matrix(b, s->c_host, m, n);
#endif
}

static void blas_close(struct blas *s)
{
    free(s->a_host);
    free(s->b_host);
    free(s->c_host);
#if HAVE_CLBLAST
    clReleaseMemObject(s->a_dev);
    clReleaseMemObject(s->b_dev);
    clReleaseMemObject(s->c_dev);
#endif
}

/* Sides of the libraries that there are, behind the first n; OpenBLAS beside a CPU only. */
static int blas_sides(struct blas *s, struct bench_side *sides, int n)
{
#if HAVE_OPENBLAS
    if (s->b->dev->info.type == DEVICE_CPU)
        sides[n++] = (struct bench_side){.name = "OpenBLAS", .run = run_openblas, .ctx = s};
#endif
#if HAVE_CLBLAST
    sides[n++] = (struct bench_side){.name = "CLBlast", .run = run_clblast, .ctx = s};
#endif
    return n;
}

/* ---- the parts ---- */

/* cuBLAS beside a product on a GPU. Returns the number of sides. */
static int cublas_side(struct bench *b, struct cublas_product *p, struct bench_side *sides, int n)
{
    if (b->dev->info.type == DEVICE_CPU || !cublas_open(p))
        return n;
    sides[n] = (struct bench_side){.name = "cuBLAS", .run = cublas_run, .ctx = p};
    return n + 1;
}

static double goal_beside(const struct bench *b, const char *name, int path, int n)
{
    for (size_t i = 0; i < sizeof goals / sizeof *goals; i++)
        if (strcmp(name, goals[i].beside) == 0 &&
            (b->dev->info.type == DEVICE_CPU) == (goals[i].gpu_from == 0) &&
            n >= goals[i].gpu_from)
            return goals[i].goal[path];
    return NAN;
}

/* Side 0: the round product nearby, side 1: n^3 itself, then the libraries. */
static void square(struct bench *b, int path, int n)
{
    struct cublas_product cublas = {.m = n, .n = n, .k = n, .batch = 1, .tb = true};
    int n_sides, near = n < 768 ? n : (n + 512) / 1024 * 1024;
    double flop = 2.0 * n * n * n, near_flop = 2.0 * near * near * near;
    struct bench_side sides[5] = {0};
    char round[64], text[64], name[64];
    struct blas s;

    snprintf(round, sizeof round, "matmul:f32:m=%d,n=%d,k=%d", near, near, near);
    snprintf(text, sizeof text, "matmul:f32:m=%d,n=%d,k=%d", n, n, n);
    snprintf(name, sizeof name, "%s %dx%dx%d", path_names[path], n, n, n);
    sides[0] = bench_op(b, "round", round, path_names[path], false);
    sides[1] = bench_op(b, "ours", text, path_names[path], false);
    blas_open(&s, b, n, n, n);
    n_sides = cublas_side(b, &cublas, sides, blas_sides(&s, sides, 2));
    bench_time(b, sides, n_sides);
    for (int i = 2; i < n_sides; i++) {
        char beside[96];

        snprintf(beside, sizeof beside, "%s / %s", name, sides[i].name);
        bench_goal(beside, sides[i].ratio / sides[1].ratio, goal_beside(b, sides[i].name, path, n),
                   "%.1f and %.1f GFLOP/s", flop / sides[1].median_ns, flop / sides[i].median_ns);
    }
    if (n % 32)
        bench_goal(name, flop / near_flop / sides[1].ratio, odd_goal, "of the rate at %d", near);
    blas_close(&s);
    cublas_close(&cublas);
    bench_op_done(&sides[0]);
    bench_op_done(&sides[1]);
}

/* Variants of a case beside what bounds it. */
static void real(struct bench *b, int path, const char *op_case, const char *const *variants, int n)
{
    struct bench_side sides[BENCH_SIDES] = {0};
    double compute, bytes;
    char text[OP_TEXT_MAX], name[2 * OP_TEXT_MAX];

    sides[0] = bench_op(b, "1024^3", square_case, path_names[path], false);
    sides[1] = bench_op(b, "copy", copy_case, path_names[path], false);
    for (int i = 0; i < n; i++) {
        snprintf(text, sizeof text, "%s%s%s", path_names[path], *variants[i] ? "," : "",
                 variants[i]);
        sides[i + 2] = bench_op(b, "ours", op_case, text, false);
    }
    bench_time(b, sides, n + 2);
    compute = case_flop(op_case) / case_flop(square_case);
    bytes = case_bytes(op_case) / case_bytes(copy_case) * sides[1].ratio;
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "%s %s", path_names[path], n > 1 ? variants[i] : op_case);
        bench_goal(name, fmax(compute, bytes) / sides[i + 2].ratio, real_goal,
                   "of the bound by %s; %.0f us, %.1f GFLOP/s",
                   compute > bytes ? "compute" : "bytes", sides[i + 2].median_ns / 1e3,
                   case_flop(op_case) / sides[i + 2].median_ns);
    }
    for (int i = 0; i < n + 2; i++)
        bench_op_done(&sides[i]);
}

/* The same on a GPU: beside cuBLAS, if it is a matrix product. */
static void real_gpu(struct bench *b, int path, const char *op_case)
{
    struct op_case c = parse(op_case);
    bool product = strcmp(c.op->name, "matmul") == 0;
    struct cublas_product p = {.batch = 1};
    struct bench_side sides[2] = {0};
    int n_sides = 1;
    char name[128];

    snprintf(name, sizeof name, "%s %s", path_names[path], op_case);
    sides[0] = bench_op(b, "ours", op_case, path_names[path], false);
    if (product) {
        p = (struct cublas_product){(int)op_param_get(&c, "m"),
                                    (int)op_param_get(&c, "n"),
                                    (int)op_param_get(&c, "k"),
                                    (int)op_param_get(&c, "batch"),
                                    op_param_get(&c, "tb"),
                                    op_param_get(&c, "aheads"),
                                    op_param_get(&c, "bheads"),
                                    op_param_get(&c, "cheads"),
                                    NULL,
                                    NULL,
                                    NULL};
        n_sides = cublas_side(b, &p, sides, 1);
    }
    bench_time(b, sides, n_sides);
    bench_goal(name, n_sides > 1 ? sides[1].ratio : NAN, n_sides > 1 ? real_cublas_goal : NAN,
               "%s%.1f us, %.1f GFLOP/s", n_sides > 1 ? "of cuBLAS; " : "",
               sides[0].median_ns / 1e3, case_flop(op_case) / sides[0].median_ns);
    bench_op_done(&sides[0]);
    cublas_close(&p);
}

static void resnet_layers(struct bench *b, int path)
{
    double ours = 0, ideal = 0, ns = 0, flop = 0, mean = 0;

    for (size_t i = 0; i < sizeof resnet / sizeof *resnet; i++) {
        struct bench_side sides[2] = {0};
        char text[160], name[200];
        double of_square;

        snprintf(text, sizeof text, "conv2d:f32:%s", resnet[i].params);
        snprintf(name, sizeof name, "%s %s", path_names[path], resnet[i].params);
        sides[0] = bench_op(b, "1024^3", square_case, path_names[path], false);
        sides[1] = bench_op(b, "ours", text, path_names[path], false);
        bench_time(b, sides, 2);
        of_square = case_flop(text) / case_flop(square_case);
        bench_goal(name, of_square / sides[1].ratio, NAN, "of our 1024^3; %d times %.0f us",
                   resnet[i].n, sides[1].median_ns / 1e3);
        mean += resnet[i].n * of_square * (of_square / sides[1].ratio);
        ideal += resnet[i].n * of_square;
        ours += resnet[i].n * sides[1].ratio;
        ns += resnet[i].n * sides[1].median_ns;
        flop += resnet[i].n * case_flop(text);
        bench_op_done(&sides[0]);
        bench_op_done(&sides[1]);
    }
    bench_goal(path ? "image ResNet50's convolutions" : "buffer ResNet50's convolutions",
               ideal / ours, b->dev->info.type == DEVICE_CPU ? resnet_goal : NAN,
               "of our 1024^3 by time, mean by operations %.2f; %.1f ms, %.1f GFLOP/s",
               mean / ideal, ns / 1e6, flop / ns);
}

/* Is `word` among the arguments, or none of its kind? */
static bool wanted(int argc, char **argv, const char *const *kind, const char *word)
{
    bool any = false;

    for (int i = 1; i < argc; i++)
        for (int j = 0; kind[j]; j++)
            if (strcmp(argv[i], kind[j]) == 0) {
                if (strcmp(word, kind[j]) == 0)
                    return true;
                any = true;
            }
    return !any;
}

int main(int argc, char **argv)
{
    static const char *const parts[] = {"square", "real", "resnet", NULL};
    static const char *const paths[] = {"buffer", "image", NULL};
    const char *variants[BENCH_SIDES - 2] = {""}, *one = NULL;
    struct bench b;
    bool cpu;
    int n_variants = 0;

    /* Its idle threads spin for 20 ms otherwise, into the turn of the next. Read at load time. */
    if (!getenv("OPENBLAS_THREAD_TIMEOUT")) {
        setenv("OPENBLAS_THREAD_TIMEOUT", "4", 1);
        execv("/proc/self/exe", argv);
    }
    bench_open(&b, argc, argv);
    cpu = b.dev->info.type == DEVICE_CPU;
    bench_head(&b, "products beside other libraries and their own bounds, f32");
#if HAVE_OPENBLAS
    openblas_set_num_threads((int)b.dev->info.compute_units);
#endif
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], "--case") == 0)
            one = argv[i + 1];
        if (strcmp(argv[i], "--variant") == 0 && n_variants < BENCH_SIDES - 2)
            variants[n_variants++] = argv[i + 1];
    }
    for (int path = 0; path < (b.dev->info.images ? 2 : 1); path++) {
        if (!wanted(argc, argv, paths, path_names[path]))
            continue;
        if (one) {
            real(&b, path, one, variants, n_variants ? n_variants : 1);
            continue;
        }
        if (wanted(argc, argv, parts, "square"))
            for (const int *n = cpu ? squares_cpu : squares_gpu; *n; n++)
                square(&b, path, *n);
        if (wanted(argc, argv, parts, "real")) {
            for (size_t i = 0; i < sizeof real_cases / sizeof *real_cases; i++)
                if (cpu)
                    real(&b, path, real_cases[i], variants, 1);
                else
                    real_gpu(&b, path, real_cases[i]);
            for (size_t i = 0; i < (cpu ? 0 : sizeof many_heads / sizeof *many_heads); i++)
                real_gpu(&b, path, many_heads[i]);
        }
        if (wanted(argc, argv, parts, "resnet"))
            resnet_layers(&b, path);
    }
    bench_close(&b);
    return 0;
}
