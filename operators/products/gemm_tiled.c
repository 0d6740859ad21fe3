/* The GPU's kernels of products, "tiled", "split" and "vector": which blocks suit a shape, grid,
 * checks. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "operators/products/gemm.h"

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* What kernels/gemm_tiled.cl calls by these names. */
struct tiles {
    int lx, ly, sk, bm, bn, bk;
    uint64_t local_bytes;
};

static struct tiles tiles_of(const struct op_variant *v)
{
    const int *t = v->tunable;
    struct tiles s = {.lx = v->lws[0],
                      .sk = v->kernel == GEMM_SPLIT ? t[GEMM_SPLIT_SK] : 1,
                      .bk = t[GEMM_TILED_BK]};
    int skew = s.bk < 32 ? 128 / s.bk : 4;
    uint64_t stage, parts;

    s.ly = v->lws[1] / s.sk;
    s.bm = s.ly * t[GEMM_TM];
    s.bn = s.lx * t[GEMM_TN];
    stage = (uint64_t)s.bk * ((uint64_t)((s.bm + 3) / 4 * 4) + (uint64_t)s.bn + 2 * (uint64_t)skew);
    parts = s.sk > 1 ? (uint64_t)(s.sk == 2 ? 1 : s.sk) * (uint64_t)s.bm * (uint64_t)s.bn : 0;
    stage *= (uint64_t)t[GEMM_TILED_STAGES];
    s.local_bytes = 4 * (stage > parts ? stage : parts);
    return s;
}

/* Rows or columns behind whole blocks that are left to items of their own: a texel at most, and so
 * many blocks before them that they hide. On an H100 this pays for blocks of one stage (images, 2049:
 * 385 us for 432 in the best blocks without; 4097: 2950 for 3034), not at 1025 in blocks of 128 (116
 * for 100), and not for most blocks of two stages, which then take more registers (images, 2049 in
 * 128 x 96: 482 for 432; buffers, 4097 in 64 x 128: 5370 for 3320). */
enum { EDGE_MOST = 4, EDGE_FROM = 16 };

static int edge_of(int64_t n, int block)
{
    int64_t rest = n % block;

    return n / block >= EDGE_FROM && rest <= EDGE_MOST ? (int)rest : 0;
}

/* Groups: along n, along m with all of the batch, behind whole blocks. */
struct grid {
    int64_t n, m, behind;
    int edge_m, edge_n; /* rows and columns there */
};

static struct grid grid_of(const struct gemm *g, const struct op_variant *v, const struct tiles *s)
{
    const int *t = v->tunable;
    bool edges = v->kernel == GEMM_TILED && t[GEMM_TILED_STAGES] == 1 && t[GEMM_TILED_ORDER] != 2 &&
                 !g->ta && g->tb && g->pixels.ow == 0;
    struct grid r = {.edge_m = edges ? edge_of(g->m, s->bm) : 0,
                     .edge_n = edges ? edge_of(g->n, s->bn) : 0};
    int64_t texels = ceil_div(g->n, 4) * r.edge_m + (r.edge_n ? g->m - r.edge_m : 0);

    r.n = r.edge_n ? g->n / s->bn : ceil_div(g->n, s->bn);
    r.m = (r.edge_m ? g->m / s->bm : ceil_div(g->m, s->bm)) * g->batches;
    r.behind = ceil_div(texels * g->batches, s->lx * s->ly);
    return r;
}

int gemm_tiled_launch(const struct gemm *g, const struct op_variant *v,
                      const struct device_info *dev, struct op_launch *l, struct err *err)
{
    const char *name = v->kernel == GEMM_SPLIT ? "split" : "tiled";
    const int *t = v->tunable;
    struct tiles s = tiles_of(v);
    int order = t[GEMM_TILED_ORDER] == 1 ? 0 : 1;
    struct grid r;

    if (s.lx < 1 || s.ly < 1 || s.ly * s.sk != v->lws[1])
        return err_set(err, -EINVAL, "%s kernel: want lws=XxY, Y a multiple of %d, got '%dx%d'",
                       name, s.sk, v->lws[0], v->lws[1]);
    if (s.bk / 4 % s.sk || s.lx * s.ly * s.sk % (s.bk / 4))
        return err_set(err, -EINVAL,
                       "%s kernel: BK/4=%d is not a multiple of SK=%d, or does not divide the %d "
                       "items of lws=%dx%d",
                       name, s.bk / 4, s.sk, v->lws[0] * v->lws[1], v->lws[0], v->lws[1]);
    if (s.bm % 4 && g->m > s.bm)
        return err_set(err, -EINVAL, "%s kernel: a block of %d rows, want a multiple of 4", name,
                       s.bm);
    if (s.local_bytes > dev->local_bytes)
        return err_set(err, -EINVAL,
                       "%s kernel: takes %" PRIu64
                       " bytes of local memory, device '%s' has %" PRIu64,
                       name, s.local_bytes, dev->name, dev->local_bytes);
    r = grid_of(g, v, &s);
    snprintf(l->options, sizeof l->options, "-DLX=%d -DLY=%d %s%s", s.lx, s.ly,
             r.edge_m ? "-DEDGE_M=1 " : "", r.edge_n ? "-DEDGE_N=1 " : "");
    l->gws[order] = (size_t)(r.n * v->lws[order]);
    l->gws[1 - order] = (size_t)((r.m + ceil_div(r.behind, r.n)) * v->lws[1 - order]);
    return 0;
}

/* ---- which blocks ---- */

/* Blocks worth having, each a program to build, and what an H100 (80 GB HBM3, driver 580) says of
 * them on each memory path: how many groups a multiprocessor takes, their rate in GFLOP/s beside each
 * other, and how long a pass of a group takes that has it to itself. Images: fitted to 1267 timings
 * of matmul and conv2d, buffers: to 130 of 21 products; 128 x 128, 192 x 96 and 96 x 96 in two runs
 * came later, from some timings each at 1024 to 4097. `bench_products --case CASE --variant BLOCK
 * --variant BLOCK` times blocks in turns. */
static const struct block {
    int kernel, tm, tn, bk, stages, turns, sk, lx, ly;
    bool no_conv; /* taps take registers that it has not, or are read conditionally */
    struct {
        int resident;
        double rate, alone_us;
    } on[2]; /* by enum mem_path; resident 0: not there */
} blocks[] = {
    {GEMM_TILED, 8, 8, 16, 1, 1, 1, 16, 16, true, {{2, 380, 1.5}, {0}}},   /* 128 x 128 */
    {GEMM_SPLIT, 6, 12, 32, 1, 1, 2, 8, 16, true, {{0}, {1, 290, 2.03}}},  /* 96 x 96 */
    {GEMM_TILED, 8, 16, 8, 2, 1, 1, 16, 16, false, {{0}, {1, 350, 1.49}}}, /* 128 x 256 */
    {GEMM_TILED, 8, 8, 16, 2, 1, 1, 8, 16, false, {{4, 337, 0.684}, {4, 436, 1.41}}}, /* 128 x 64 */
    {GEMM_TILED, 8, 8, 16, 2, 1, 1, 16, 8, false, {{0}, {4, 436, 1.23}}},             /* 64 x 128 */
    {GEMM_TILED, 8, 8, 16, 2, 2, 1, 16, 8, true, {{0}, {1, 260, 0.98}}},
    {GEMM_TILED, 8, 12, 16, 2, 1, 1, 8, 16, false, {{3, 348, 1.7}, {0}}},             /* 128 x 96 */
    {GEMM_TILED, 8, 12, 8, 2, 1, 1, 8, 24, false, {{0}, {2, 576, 1.1}}},              /* 192 x 96 */
    {GEMM_TILED, 6, 12, 16, 2, 1, 1, 8, 16, false, {{3, 343, 1.07}, {3, 248, 1.23}}}, /* 96 x 96 */
    {GEMM_TILED, 12, 4, 16, 2, 1, 1, 16, 8, false, {{0}, {6, 352, 0.78}}},            /* 96 x 64 */
    {GEMM_TILED, 4, 8, 16, 2, 1, 1, 8, 16, false, {{6, 311, 0.576}, {6, 328, 0.87}}}, /* 64 x 64 */
    {GEMM_SPLIT, 4, 8, 32, 2, 1, 2, 8, 8, false, {{6, 311, 0.684}, {4, 304, 0.81}}},  /* 32 x 64 */
    {GEMM_SPLIT, 8, 4, 32, 2, 1, 4, 8, 4, false, {{6, 273, 0.576}, {6, 220, 0.51}}},  /* 32 x 32 */
    {GEMM_SPLIT, 8, 4, 64, 2, 1, 8, 8, 4, false, {{3, 273, 0.576}, {3, 214, 0.9}}},
    {GEMM_SPLIT, 4, 4, 64, 2, 1, 8, 8, 4, false, {{4, 250, 0.522}, {4, 142, 0.72}}},  /* 16 x 32 */
    {GEMM_SPLIT, 4, 4, 128, 2, 1, 16, 4, 4, false, {{4, 170, 0.576}, {4, 95, 0.95}}}, /* 16 x 16 */
    {GEMM_SPLIT, 4, 4, 256, 1, 1, 32, 4, 4, false, {{2, 170, 0.576}, {2, 65, 1.6}}},
};
enum { BLOCKS = sizeof blocks / sizeof *blocks };

/* A pass of n groups that share a multiprocessor. Images: as long as its arithmetic, but not less
 * than alone. Buffers: each but the first adds its own, for while one waits for memory the others
 * soon do, too. */
static double pass_us(const struct block *b, enum mem_path path, int n)
{
    double alone = b->on[path].alone_us;
    double each = 2e-3 * b->ly * b->tm * b->lx * b->tn * b->bk / b->on[path].rate;

    if (n == 0)
        return 0;
    return path == PATH_IMAGE ? fmax(alone, n * each) : alone + (n - 1) * each;
}

/* Microseconds, for ranking blocks; groups run in rounds of as many as a multiprocessor takes. The
 * choice costs 3 % over the best of 25 blocks on average, 12 % at most, for images, 1 % over the
 * best of 10 for buffers. */
static double block_us(const struct gemm *g, const struct device_info *dev, enum mem_path path,
                       const struct block *b, const struct grid *r)
{
    int64_t units = dev->compute_units < 1 ? 1 : dev->compute_units,
            resident = b->on[path].resident;
    int bm = b->ly * b->tm, bn = b->lx * b->tn, items = b->lx * b->ly * b->sk;
    int64_t groups = ceil_div(r->n * r->m, units);
    int64_t passes = ceil_div(ceil_div(g->k_texels, b->sk), b->bk / 4 / b->sk);
    double end = (b->sk > 1 ? 1.9 : 0) + 0.08 * b->sk * bm * bn / items;

    double us = (double)passes * ((double)(groups / resident) * pass_us(b, path, (int)resident) +
                                  pass_us(b, path, (int)(groups % resident))) +
                end * (double)groups / (double)resident;

    return r->behind ? 1.08 * us : us; /* 8 % at 2049 and 4097 */
}

static void choose(const struct block *b, struct op_variant *v)
{
    int *t = v->tunable;

    v->kernel = b->kernel;
    t[GEMM_TM] = b->tm;
    t[GEMM_TN] = b->tn;
    t[GEMM_TILED_BK] = b->bk;
    t[GEMM_TILED_STAGES] = b->stages;
    t[GEMM_TILED_TURNS] = b->turns;
    if (b->kernel == GEMM_SPLIT)
        t[GEMM_SPLIT_SK] = b->sk;
    v->lws[0] = b->lx;
    v->lws[1] = b->ly * b->sk;
}

void gemm_tiled_prefer(const struct gemm *g, const struct device_info *dev, struct op_variant *v)
{
    struct op_variant best = *v; /* the direct kernel, if this device takes none of the blocks */
    double least = INFINITY;

    for (int i = 0; i < BLOCKS; i++) {
        struct op_variant w = *v;
        struct tiles s;
        struct grid r;
        double us;

        if (blocks[i].on[v->path].resident == 0 || (blocks[i].no_conv && g->pixels.ow) ||
            (blocks[i].stages == 1 && g->k_texels < 128)) /* too short to wait for the only tile */
            continue;
        choose(&blocks[i], &w);
        s = tiles_of(&w);
        r = grid_of(g, &w, &s);
        us = block_us(g, dev, v->path, &blocks[i], &r);
        if (us < least && s.local_bytes <= dev->local_bytes &&
            (uint64_t)w.lws[0] * (uint64_t)w.lws[1] <= dev->max_group) {
            least = us;
            best = w;
        }
    }
    *v = best;
}

/* ---- vector ---- */

enum { STRIPS = 128 }; /* kernels/gemm_vector.cl */

int gemm_vector_launch(const struct gemm *g, const struct op_variant *v, struct op_launch *l,
                       struct err *err)
{
    int lx = v->lws[0];

    if (lx < 1 || lx > STRIPS || (lx & (lx - 1)) || v->lws[1] < 1)
        return err_set(err, -EINVAL,
                       "vector kernel: lws wants XxY with X a power of two up to %d, got '%dx%d'",
                       STRIPS, lx, v->lws[1]);
    snprintf(l->options, sizeof l->options, "-DLX=%d -DLY=%d ", lx, v->lws[1]);
    l->gws[0] = (size_t)lx;
    l->gws[1] = (size_t)(ceil_div(g->n, 4) * g->m * g->batches);
    return 0;
}

void gemm_vector_prefer(const struct gemm *g, struct op_variant *v)
{
    v->kernel = GEMM_VECTOR;
    v->lws[0] = g->n > 8192 ? 16 : 64;
    v->lws[1] = g->n > 8192 ? 8 : 2;
}
