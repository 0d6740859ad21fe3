/* Attention in one kernel beside the matmul, softmax and matmul that it replaces, at the shapes of
 * real models. */
#include <stdio.h>

#include "tests/bench/bench.h"

static const struct {
    const char *name;
    int batch, heads, m, n, d, causal;
} shapes[] = {
    {"GPT-Neo-S", 1, 12, 128, 128, 64, 1},       {"ViT", 1, 16, 197, 197, 64, 0},
    {"SD-UNet, 32x32", 1, 8, 1024, 1024, 80, 0}, {"SD-UNet, text", 1, 8, 4096, 77, 40, 0},
    {"SAM-2, windows", 64, 2, 64, 64, 56, 0},    {"SD-UNet, 64x64", 1, 8, 4096, 4096, 40, 0},
};

/* The unfused operators take turns as one side. */
struct chain {
    struct bench_side part[3];
};

static void chain_run(void *ctx, int times)
{
    struct chain *c = ctx;

    for (int i = 0; i < 3; i++)
        c->part[i].run(c->part[i].ctx, times);
}

/* A batch of windows counts as so many more matrices, one below the other. */
static void attention(struct bench *b, int s, const char *path)
{
    int batch = shapes[s].batch, heads = shapes[s].heads, m = shapes[s].m, n = shapes[s].n;
    int d = shapes[s].d, side = batch == 1;
    struct bench_side sides[2] = {0};
    struct chain chain;
    char text[256], name[64];

    snprintf(text, sizeof text, "attention:f32:batch=%d,heads=%d,m=%d,n=%d,d=%d,dv=%d,causal=%d",
             batch, heads, m, n, d, d, shapes[s].causal);
    sides[0] = bench_op(b, "fused", text, path, false);
    snprintf(text, sizeof text,
             "matmul:f32:batch=%d,m=%d,n=%d,k=%d,aheads=%d,bheads=%d,b=input,scaled=1",
             batch * heads, m, n, d, side, side);
    chain.part[0] = bench_op(b, "scores", text, path, false);
    snprintf(text, sizeof text, "softmax:f32:rows=%d,cols=%d,causal=%d", batch * heads * m, n,
             shapes[s].causal ? m : 0);
    chain.part[1] = bench_op(b, "softmax", text, path, false);
    snprintf(text, sizeof text,
             "matmul:f32:batch=%d,m=%d,n=%d,k=%d,tb=0,bheads=%d,cheads=%d,b=input", batch * heads,
             m, d, n, side, side);
    chain.part[2] = bench_op(b, "values", text, path, false);
    sides[1] = (struct bench_side){.name = "unfused", .run = chain_run, .ctx = &chain};
    bench_time(b, sides, 2);
    snprintf(name, sizeof name, "%s, %s", shapes[s].name, path);
    bench_goal(name, sides[1].ratio, 1, "fused %.0f us, unfused %.0f", sides[0].median_ns / 1e3,
               sides[1].median_ns / 1e3);
    bench_op_done(&sides[0]);
    for (int i = 0; i < 3; i++)
        bench_op_done(&chain.part[i]);
}

int main(int argc, char **argv)
{
    struct bench b;

    bench_open(&b, argc, argv);
    bench_head(&b, "time of matmul, softmax and matmul / time of attention");
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        attention(&b, (int)s, "buffer");
        if (b.dev->info.images)
            attention(&b, (int)s, "image");
    }
    bench_close(&b);
    return 0;
}
