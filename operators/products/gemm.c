/* Which kernel and blocks suit a matrix product, and the grid of either kernel. */
#include "operators/products/gemm.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "operators/activation.h"

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- staged ---- */

static uint64_t local_bytes(int bm, int bn, int bk)
{
    return 4 * ((uint64_t)bm * (uint64_t)bk + (uint64_t)bn * (uint64_t)bk +
                (uint64_t)bm * (uint64_t)bn);
}

/* Core cycles of one block of m x n results, for ranking blocks only. From PoCL 3.1 on an EPYC with
 * AVX-512: an image texel costs some 20 cycles to read or write, a buffer's 4 with its
 * transposition, a tile of 8x32 some 11 per step of k. */
static double block_cycles(const struct gemm *g, enum mem_path path, int64_t m, int64_t n)
{
    double texel = path == PATH_IMAGE ? 20 : 4;
    double tiles = (double)(ceil_div(m, 8) * ceil_div(n, 32));

    return tiles * 11 * 4 * (double)g->k_texels +
           texel * ((double)(m + n) * (double)g->k_texels + (double)(m * ceil_div(n, 4)));
}

/* Cycles until the last core has done its blocks, each taking the next one when it is free; a fifth
 * of a block more, for the core that something else disturbs. */
static double staged_cycles(const struct gemm *g, const struct device_info *dev, enum mem_path path,
                            int bm, int bn)
{
    enum { MANY = 64 };
    int cores = dev->compute_units < 1      ? 1
                : dev->compute_units > MANY ? MANY
                                            : (int)dev->compute_units;
    int64_t m_blocks = ceil_div(g->m, bm), n_blocks = ceil_div(g->n, bn);
    int64_t groups = m_blocks * n_blocks * g->batches;
    double full = block_cycles(g, path, min64(bm, g->m), min64(bn, g->n));
    double busy[MANY] = {0}, end = 0;

    if (groups > MANY * cores)
        return full * (double)groups / cores;
    for (int64_t i = 0; i < groups; i++) {
        int64_t in = i % n_blocks, im = i / n_blocks % m_blocks;
        int next = 0;

        for (int c = 1; c < cores; c++)
            if (busy[c] < busy[next])
                next = c;
        busy[next] += block_cycles(g, path, min64(bm, g->m - im * bm), min64(bn, g->n - in * bn));
        if (busy[next] > end)
            end = busy[next];
    }
    return fmax(end + 0.2 * full, 1e5); /* less is not worth waking a second thread for */
}

/* The cheapest blocks, within a tenth: each that is used is a program to build, so the first of a
 * list is left only for a gain. A quarter of the local memory (on CPUs: of the L2 cache) stays
 * free; false if no blocks are that small. */
static bool staged_blocks(const struct gemm *g, const struct device_info *dev, struct op_variant *v)
{
    static const int bms[] = {128, 256, 64, 32, 8}, bns[] = {256, 384, 128, 64, 32};
    static const int bks[] = {256, 128, 64};
    double best = INFINITY;

    for (int k = 0; k < 3 && isinf(best); k++)
        for (int i = 0; i < 5; i++)
            for (int j = 0; j < 5; j++) {
                double cost = staged_cycles(g, dev, v->path, bms[i], bns[j]);

                if (local_bytes(bms[i], bns[j], bks[k]) > dev->local_bytes / 4 * 3)
                    continue;
                if (!(cost < 0.9 * best))
                    continue;
                best = cost;
                v->tunable[GEMM_BM] = bms[i];
                v->tunable[GEMM_BN] = bns[j];
                v->tunable[GEMM_BK] = bks[k];
            }
    return !isinf(best);
}

static int staged_launch(const struct gemm *g, const struct op_variant *v,
                         const struct device_info *dev, struct op_launch *l, struct err *err)
{
    const int *t = v->tunable;
    int bm = t[GEMM_BM], bn = t[GEMM_BN], bk = t[GEMM_BK], order = t[GEMM_STAGED_ORDER];

    if (bm % t[GEMM_MR] || bn % t[GEMM_NR])
        return err_set(err, -EINVAL, "staged kernel: tile MR=%d NR=%d does not divide BM=%d BN=%d",
                       t[GEMM_MR], t[GEMM_NR], bm, bn);
    if (local_bytes(bm, bn, bk) > dev->local_bytes)
        return err_set(err, -EINVAL,
                       "staged kernel: BM=%d BN=%d BK=%d take %" PRIu64
                       " bytes of local memory, device '%s' has %" PRIu64,
                       bm, bn, bk, local_bytes(bm, bn, bk), dev->name, dev->local_bytes);
    if (v->lws[0] != 1 || v->lws[1] != 1)
        return err_set(err, -EINVAL, "staged kernel: want lws=1x1, got '%dx%d'", v->lws[0],
                       v->lws[1]);
    l->gws[order == 1 ? 0 : 1] = (size_t)ceil_div(g->n, bn);
    l->gws[order == 1 ? 1 : 0] = (size_t)(ceil_div(g->m, bm) * g->batches);
    return 0;
}

/* ---- direct ---- */

/* Fewer results per item where 8x8 of them would leave a GPU without enough items. */
static void direct_gpu(const struct gemm *g, const struct device_info *dev, struct op_variant *v)
{
    int64_t wanted = 256 * (int64_t)dev->compute_units;
    int tm = 8, tn = 8;

    if (ceil_div(g->m, tm) * ceil_div(g->n, tn) * g->batches < wanted)
        tm = tn = 4;
    while (tm > g->m && !(g->ta && tm == 4))
        tm /= 2;
    v->tunable[GEMM_TM] = tm;
    v->tunable[GEMM_TN] = tn;
    v->lws[1] = 8;
    while (v->lws[1] > 1 && v->lws[1] / 2 >= ceil_div(g->m, tm) * g->batches)
        v->lws[1] /= 2;
    v->lws[0] = 128 / v->lws[1];
}

static int direct_launch(const struct gemm *g, const struct op_variant *v, struct op_launch *l,
                         struct err *err)
{
    int order = v->tunable[GEMM_DIRECT_ORDER];

    if (g->ta && v->tunable[GEMM_TM] % 4)
        return err_set(err, -EINVAL, "direct kernel: a is transposed, want TM=4|8|16, got %d",
                       v->tunable[GEMM_TM]);
    l->gws[order == 1 ? 0 : 1] = (size_t)ceil_div(g->n, v->tunable[GEMM_TN]);
    l->gws[order == 1 ? 1 : 0] = (size_t)(ceil_div(g->m, v->tunable[GEMM_TM]) * g->batches);
    return 0;
}

/* ---- how a result ends ---- */

void gemm_end_options(const struct gemm_end *e, char *options, size_t room)
{
    size_t n = strlen(options);

    snprintf(options + n, room - n, " -DBIAS=%d -DRES=%d -DSCALED=%d -DACT=%d", e->bias, e->res,
             e->scaled, e->act);
}

double gemm_end_value(const struct gemm_end *e, int64_t k, double sum, double bias, double res)
{
    sum = e->scaled ? sum / sqrt((double)k) : sum;
    return activation_value(e->act, sum + (e->bias ? bias : 0) + (e->res ? res : 0));
}

int gemm_end_ops(const struct gemm_end *e)
{
    return e->bias + e->res + e->scaled + activation_ops(e->act);
}

/* ---- all ---- */

void gemm_prefer(const struct gemm *g, const struct device_info *dev, struct op_variant *v)
{
    v->kernel = GEMM_DIRECT;
    if (dev->type != DEVICE_CPU) {
        direct_gpu(g, dev, v);
    } else if (g->m > 1 && staged_blocks(g, dev, v)) {
        v->kernel = GEMM_STAGED;
        v->lws[0] = v->lws[1] = 1;
    } else { /* a row times a matrix: nothing to reuse */
        v->tunable[GEMM_TM] = g->ta || g->m >= 4 ? 4 : g->m < 2 ? 1 : 2;
        v->lws[0] = v->lws[1] = 1;
    }
}

int gemm_launch(const struct gemm *g, const struct op_variant *v, const struct device_info *dev,
                struct op_launch *ret_launch, struct err *err)
{
    struct op_launch l = {
        .n_ints = 5, .ints = {(int)g->m, (int)g->n, (int)g->k, (int)g->k_texels, (int)g->batches}};

    int rc = v->kernel == GEMM_STAGED ? staged_launch(g, v, dev, &l, err)
                                      : direct_launch(g, v, &l, err);

    if (rc < 0)
        return rc;
    *ret_launch = l;
    return 0;
}
