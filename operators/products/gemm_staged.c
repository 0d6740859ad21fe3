/* Blocks, local memory and grid of kernels/gemm_staged.cl. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "operators/products/gemm.h"

struct blocks {
    int bm, bn, bk;
    int64_t patch; /* floats; 0: taps are read one by one */
};

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Floats of the pixels that `bm` results along m meet. */
static int64_t patch_floats(const struct gemm *g, int64_t bm)
{
    const struct gemm_pixels *p = &g->pixels;
    int64_t y_rows = min64(ceil_div(bm - 1, p->ow) + 1, ceil_div(g->m, p->ow));

    return min64((y_rows - 1) * p->stride + p->reach, p->h) * p->row_floats;
}

static uint64_t local_bytes(const struct gemm *g, const struct blocks *b, int nr)
{
    int64_t panels = g->tb ? 1 : 4; /* the kernel's PANELS */

    return 4 *
           (uint64_t)((int64_t)b->bm * (b->bk + 4) + ceil_div(panels * nr * (b->bk + 2), 16) * 16 +
                      (int64_t)b->bm * b->bn + 16 * (b->bk + 16) + b->patch);
}

/* The kernel's PATCH. None where most pixels meet one tap only, where it does not fit, and for
 * buffers: to read them again costs no more than local memory. */
static void choose_patch(const struct gemm *g, enum mem_path path, int nr, uint64_t room,
                         struct blocks *b)
{
    int64_t floats;

    b->patch = 0;
    if (path == PATH_BUFFER || !g->pixels.ow)
        return;
    floats = patch_floats(g, min64(b->bm, g->m));
    if (floats > min64(b->bm, g->m) * 4 * g->k_texels / 2)
        return;
    b->patch = floats;
    if (local_bytes(g, b, nr) > room)
        b->patch = 0;
}

/* Core cycles of one block of m x n results, for ranking blocks only. From PoCL 3.1 on an EPYC with
 * AVX-512: an image texel costs some 9 cycles to read and 12 to write, one of a buffer or of local
 * memory 2 to move and 4 to pack; a row that is read in several passes 300 for each, until the
 * cache has caught up; a tile of 8x32 some 10 per step of k, and 64 per pass. */
static double block_cycles(const struct gemm *g, enum mem_path path, const struct blocks *b,
                           int64_t m, int64_t n)
{
    double read = path == PATH_IMAGE ? 9 : 3, write = path == PATH_IMAGE ? 12 : 2;
    double tiles = (double)(ceil_div(m, 8) * ceil_div(n, 32)), k_texels = (double)g->k_texels;
    double passes = (double)ceil_div(4 * g->k_texels, b->bk);
    double a = b->patch ? 3 * (double)m * k_texels + read * (double)patch_floats(g, m) / 4
                        : read * (double)m * k_texels;
    double again = path == PATH_IMAGE && passes > 1 ? 300 * passes * (double)(m + n) : 0;

    return tiles * (10 * 4 * k_texels + 64 * passes) + a + read * (double)n * k_texels + again +
           write * (double)(m * ceil_div(n, 4));
}

/* Cycles until the last core has done its blocks, which are as even as tiles allow: PoCL gives a
 * thread its share of the groups that are left, by number. A tenth of a block more, for the core
 * that something else disturbs. */
static double staged_cycles(const struct gemm *g, const struct device_info *dev, enum mem_path path,
                            const struct blocks *b)
{
    int64_t m_blocks = ceil_div(g->m, b->bm), n_blocks = ceil_div(g->n, b->bn);
    int64_t m = min64(g->m, ceil_div(g->m, 8 * m_blocks) * 8);
    int64_t n = min64(g->n, ceil_div(g->n, 32 * n_blocks) * 32);
    int64_t cores = dev->compute_units < 1 ? 1 : (int64_t)dev->compute_units;
    int64_t rounds = ceil_div(m_blocks * n_blocks * g->batches, cores);

    return fmax(block_cycles(g, path, b, m, n) * ((double)rounds + 0.1),
                1e5); /* less is not worth waking a second thread for */
}

/* The cheapest blocks, within 5 %. An eighth of the local memory (on CPUs: of the L2 cache) stays
 * free; false if no blocks are that small. */
bool gemm_staged_prefer(const struct gemm *g, const struct device_info *dev, struct op_variant *v)
{
    /* 264 and 544 are a tile more than a power of two: sizes just above one need no more blocks */
    static const int bms[] = {128, 256, 512, 64, 32, 8, 264};
    static const int bns[] = {256, 512, 384, 128, 64, 32, 544};
    static const int bks[] = {256, 128, 64, 512, 768, 1024};
    uint64_t room = dev->local_bytes / 8 * 7;
    double best = INFINITY;

    for (int i = 0; i < 7 * 7 * 6; i++) {
        struct blocks b = {bms[i / 7 % 7], bns[i % 7], bks[i / 49], 0};
        double cost;

        choose_patch(g, v->path, 32, room, &b);
        if (local_bytes(g, &b, 32) > room)
            continue;
        cost = staged_cycles(g, dev, v->path, &b);
        if (!(cost < 0.95 * best))
            continue;
        best = cost;
        v->tunable[GEMM_BM] = b.bm;
        v->tunable[GEMM_BN] = b.bn;
        v->tunable[GEMM_BK] = b.bk;
    }
    if (isinf(best))
        return false;
    v->tunable[GEMM_MR] = g->m <= 4 ? 4 : 8;
    v->kernel = GEMM_STAGED;
    v->lws[0] = v->lws[1] = 1;
    return true;
}

int gemm_staged_launch(const struct gemm *g, const struct op_variant *v,
                       const struct device_info *dev, struct op_launch *l, struct err *err)
{
    const int *t = v->tunable;
    int order = t[GEMM_STAGED_ORDER];
    struct blocks b = {t[GEMM_BM], t[GEMM_BN], t[GEMM_BK], 0};
    uint64_t room = dev->local_bytes / 8 * 7, bytes;

    if (b.bm % t[GEMM_MR] || b.bn % t[GEMM_NR])
        return err_set(err, -EINVAL, "staged kernel: tile MR=%d NR=%d does not divide BM=%d BN=%d",
                       t[GEMM_MR], t[GEMM_NR], b.bm, b.bn);
    if (b.bk % 16)
        return err_set(err, -EINVAL, "staged kernel: BK wants a multiple of 16, got '%d'", b.bk);
    choose_patch(g, v->path, t[GEMM_NR], room, &b);
    bytes = local_bytes(g, &b, t[GEMM_NR]);
    if (bytes > dev->local_bytes)
        return err_set(err, -EINVAL,
                       "staged kernel: BM=%d BN=%d BK=%d take %" PRIu64
                       " bytes of local memory, device '%s' has %" PRIu64,
                       b.bm, b.bn, b.bk, bytes, dev->name, dev->local_bytes);
    if (v->lws[0] != 1 || v->lws[1] != 1)
        return err_set(err, -EINVAL, "staged kernel: want lws=1x1, got '%dx%d'", v->lws[0],
                       v->lws[1]);
    l->gws[order == 1 ? 0 : 1] = (size_t)ceil_div(g->n, b.bn);
    l->gws[order == 1 ? 1 : 0] = (size_t)(ceil_div(g->m, b.bm) * g->batches);
    for (int i = GEMM_BM; i <= GEMM_BK; i++)
        l->ints[l->n_ints++] = t[i];
    snprintf(l->options, sizeof l->options, "-DPATCH=%d -DPOOL=%" PRIu64 " -DWIDE=%d ", b.patch > 0,
             (bytes > room ? dev->local_bytes : room) / 4,
             t[GEMM_NR] % 16 == 0 ? 16 : 4);
    return 0;
}

/* ---- few ---- */

static uint64_t few_bytes(const struct gemm *g, const int *tunable)
{
    int64_t depth = ceil_div(g->k_texels, 4) * 16;

    return 4 * (uint64_t)(tunable[GEMM_FEW_MR] * depth + 4 * (tunable[GEMM_FEW_BK] + 16));
}

bool gemm_few_prefer(const struct gemm *g, const struct device_info *dev, struct op_variant *v)
{
    const int tunable[] = {g->m <= 2 ? (int)g->m : 4, g->n * g->batches < 1024 ? 32 : 64, 1024};

    if (g->m > 4 || g->ta || !g->tb || few_bytes(g, tunable) > dev->local_bytes / 8 * 7)
        return false;
    memcpy(v->tunable, tunable, sizeof tunable);
    v->kernel = GEMM_FEW;
    v->lws[0] = v->lws[1] = 1;
    return true;
}

int gemm_few_launch(const struct gemm *g, const struct op_variant *v, const struct device_info *dev,
                    struct op_launch *l, struct err *err)
{
    const int *t = v->tunable;
    uint64_t room = dev->local_bytes / 8 * 7, bytes = few_bytes(g, t);

    if (g->m > t[GEMM_FEW_MR] || g->ta || !g->tb)
        return err_set(err, -EINVAL, "few kernel: wants up to MR=%d rows, ta=0 and tb=1",
                       t[GEMM_FEW_MR]);
    if (bytes > dev->local_bytes)
        return err_set(err, -EINVAL,
                       "few kernel: k=%" PRId64 " takes %" PRIu64
                       " bytes of local memory, device '%s' has %" PRIu64,
                       g->k, bytes, dev->name, dev->local_bytes);
    if (v->lws[0] != 1 || v->lws[1] != 1)
        return err_set(err, -EINVAL, "few kernel: want lws=1x1, got '%dx%d'", v->lws[0], v->lws[1]);
    l->gws[0] = (size_t)ceil_div(g->n, t[GEMM_FEW_BN]);
    l->gws[1] = (size_t)g->batches;
    l->ints[l->n_ints++] = t[GEMM_FEW_BN];
    l->ints[l->n_ints++] = t[GEMM_FEW_BK];
    snprintf(l->options, sizeof l->options, "-DPOOL=%" PRIu64 " ",
             (bytes > room ? dev->local_bytes : room) / 4);
    return 0;
}
