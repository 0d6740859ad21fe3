/* What the code that could carry extra load costs when it carries none: each form of a kernel with
 * its loads unused, beside the naive form; and on a GPU what as much load as the kernel's own inputs
 * costs large products. */
#include <stdio.h>
#include <string.h>

#include "tests/bench/bench.h"

static const char *const cases[] = {
    "matmul:f32:m=1024,n=1024,k=1024",
    "matmul:f32:m=2048,n=2048,k=2048",
    "matmul:f32:m=128,n=3072,k=768",
    "matmul:f32:batch=16,m=512,n=512,k=64,b=input,aheads=1,bheads=1",
    "conv2d:f32:h=28,w=28,cin=128,cout=128,r=3,s=3,pad=1",
    "add:f32:rows=4096,cols=4096,brows=4096,bcols=4096",
    "gelu:f32:rows=4096,cols=4096",
    "softmax:f32:rows=8192,cols=1024",
    "layernorm:f32:rows=8192,cols=1024",
};

static const char *const large[] = {
    "matmul:f32:m=2048,n=2048,k=2048",
    "matmul:f16:m=2048,n=2048,k=2048",
    "matmul:f32:m=4096,n=4096,k=4096",
};

static void forms(struct bench *b, const char *op_case, const char *path)
{
    static const char *const words[] = {"naive", "branching,loads=1", "pipelined,loads=1"};
    struct bench_side sides[3];
    char name[128];

    for (int i = 0; i < 3; i++) {
        char variant[64];

        snprintf(variant, sizeof variant, "%s,%s", path, words[i]);
        sides[i] = bench_op(b, words[i], op_case, variant, false);
    }
    bench_time(b, sides, 3);
    snprintf(name, sizeof name, "%.*s %s", 40, op_case, path);
    bench_goal(name, 1 / sides[2].ratio, 1 / 1.02,
               "pipelined / naive time %.3f, branching %.3f; naive %.0f us",
               sides[2].ratio, sides[1].ratio, sides[0].median_ns / 1e3);
    for (int i = 0; i < 3; i++)
        bench_op_done(&sides[i]);
}

/* Ratio 1. */
static void loaded(struct bench *b, const char *op_case, const char *path)
{
    struct bench_side sides[3];
    struct op_case c = {0};
    struct err err = {0};
    char variant[64], name[128];

    if (op_case_parse(op_case, &c, &err) < 0)
        return;
    sides[0] = bench_op(b, "naive", op_case, path, false);
    for (int i = 1; i < 3; i++) {
        snprintf(variant, sizeof variant, "%s,%s,loads=1", path, i == 1 ? "branching" : "pipelined");
        sides[i] = bench_op_loaded(b, "loaded", op_case, variant, op_input_bytes(&c), false);
    }
    bench_time(b, sides, 3);
    snprintf(name, sizeof name, "%.*s %s, ratio 1", 40, op_case, path);
    bench_goal(name, 1 / sides[2].ratio, 1 / 1.05,
               "pipelined / naive time %.3f, branching %.3f; naive %.0f us", sides[2].ratio,
               sides[1].ratio, sides[0].median_ns / 1e3);
    for (int i = 0; i < 3; i++)
        bench_op_done(&sides[i]);
}

/* `--only NAME`: the cases whose names begin so. */
int main(int argc, char **argv)
{
    const char *only = "";
    struct bench b;

    bench_open(&b, argc, argv);
    bench_head(&b, "naive time / pipelined time at ratio 0");
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], "--only") == 0)
            only = argv[i + 1];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (strncmp(cases[i], only, strlen(only)) != 0)
            continue;
        forms(&b, cases[i], "buffer");
        if (b.dev->info.images)
            forms(&b, cases[i], "image");
    }
    for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
        if (b.dev->info.type == DEVICE_CPU || strncmp(large[i], only, strlen(only)) != 0)
            continue;
        loaded(&b, large[i], "buffer");
        if (b.dev->info.images)
            loaded(&b, large[i], "image");
    }
    bench_close(&b);
    return 0;
}
