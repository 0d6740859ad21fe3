/* Attention without its scores: y = softmax(q k^T) v per head. Kernels: kernels/attention_*.cl. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "operators/grid.h"
#include "operators/op.h"
#include "operators/trial/reference.h"

enum { P_BATCH, P_HEADS, P_M, P_N, P_D, P_DV, P_CAUSAL, P_SCALED };

enum { KERNEL_DIRECT, KERNEL_STAGED, KERNEL_TILED };
enum { STAGED_BM, STAGED_MR };
enum { TILED_TM };
enum { DIRECT_CHUNK = 4, STAGED_BN = 128, STAGED_NR = 32, TILED_LX = 16, TILED_LY = 8 };

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int64_t texels(int64_t elements)
{
    return ceil_div(elements, 4);
}

static void attention_io(const struct op_case *c, struct op_io *ret_io)
{
    int64_t heads = c->p[P_HEADS], d = c->p[P_D], dv = c->p[P_DV];
    int64_t queries = c->p[P_BATCH] * c->p[P_M], keys = c->p[P_BATCH] * c->p[P_N];

    *ret_io = (struct op_io){4,
                             {{"q", ROLE_INPUT, {queries, heads * d, d, c->dtype}},
                              {"k", ROLE_INPUT, {keys, heads * d, d, c->dtype}},
                              {"v", ROLE_INPUT, {keys, heads * dv, dv, c->dtype}},
                              {"y", ROLE_OUTPUT, {queries, heads * dv, dv, c->dtype}}}};
}

/* Keys that query i sees. */
static int64_t visible(const struct op_case *c, int64_t i)
{
    return c->p[P_CAUSAL] && i + 1 < c->p[P_N] ? i + 1 : c->p[P_N];
}

/* A score is scaled, compared, exponentiated (some ten operations) and added. */
static void attention_cost(const struct op_case *c, double *ret_macs, double *ret_ops)
{
    double m = (double)c->p[P_M], n = (double)c->p[P_N], scores = m * n;

    if (c->p[P_CAUSAL]) /* a triangle, and a rectangle below it */
        scores = m < n ? m * (m + 1) / 2 : n * (n + 1) / 2 + (m - n) * n;
    scores *= (double)(c->p[P_BATCH] * c->p[P_HEADS]);
    *ret_macs = scores * (double)(c->p[P_D] + c->p[P_DV]);
    *ret_ops = 13 * scores;
}

/* ---- staged ---- */

static uint64_t staged_bytes(const struct op_case *c, int bm, int mr)
{
    uint64_t dp = 4 * (uint64_t)texels(c->p[P_D]);
    uint64_t dvp = (uint64_t)ceil_div(4 * texels(c->p[P_DV]), STAGED_NR) * STAGED_NR;

    return 4 * ((uint64_t)bm * (dp + dvp + 2) + STAGED_BN * (dp + dvp) + (uint64_t)mr * STAGED_BN);
}

/* Many queries a group, for each group reads all keys and values again; but some groups for each
 * core, and a quarter of the local memory (on CPUs: of the L2 cache) left free. */
static bool staged_prefer(const struct op_case *c, const struct device_info *dev,
                          struct op_variant *v)
{
    static const int bms[] = {512, 256, 128, 64, 32, 8};
    int64_t heads = c->p[P_BATCH] * c->p[P_HEADS], m = c->p[P_M];
    int64_t wanted = 4 * (int64_t)dev->compute_units;

    for (int i = 0; i < 6; i++) {
        bool last = i == 5;

        if (staged_bytes(c, bms[i], 8) > dev->local_bytes / 4 * 3)
            continue;
        if (!last && (bms[i] >= 2 * m || heads * ceil_div(m, bms[i]) < wanted))
            continue;
        v->kernel = KERNEL_STAGED;
        v->tunable[STAGED_BM] = bms[i];
        v->lws[0] = v->lws[1] = 1;
        return true;
    }
    return false;
}

static int staged_launch(const struct op_case *c, const struct op_variant *v,
                         const struct device_info *dev, struct op_launch *l, struct err *err)
{
    int bm = v->tunable[STAGED_BM], mr = v->tunable[STAGED_MR];

    if (staged_bytes(c, bm, mr) > dev->local_bytes)
        return err_set(err, -EINVAL,
                       "attention: BM=%d takes %" PRIu64
                       " bytes of local memory, device '%s' has %" PRIu64,
                       bm, staged_bytes(c, bm, mr), dev->name, dev->local_bytes);
    if (v->lws[0] != 1 || v->lws[1] != 1)
        return err_set(err, -EINVAL, "attention: staged kernel wants lws=1x1, got '%dx%d'",
                       v->lws[0], v->lws[1]);
    l->gws[0] = (size_t)ceil_div(c->p[P_M], bm);
    l->gws[1] = (size_t)(c->p[P_BATCH] * c->p[P_HEADS]);
    return 0;
}

/* ---- tiled ---- */

/* Keys staged at a time: as many as leave room for queries in 48 KiB, but few in vain in the last
 * pass; a pass costs as much as some 16 keys more. */
static int tiled_bn(const struct op_case *c)
{
    int64_t n = c->p[P_N], widest = texels(c->p[P_D] > c->p[P_DV] ? c->p[P_D] : c->p[P_DV]);
    int best = widest <= 24 ? 64 : widest <= 40 ? 32 : 16;

    for (int bn = best - 16; bn >= 16; bn -= 16)
        if (ceil_div(n, bn) * (bn + 16) < ceil_div(n, best) * (best + 16))
            best = bn;
    return best;
}

static uint64_t tiled_bytes(const struct op_case *c, int tm)
{
    uint64_t d4 = (uint64_t)texels(c->p[P_D]), dv4 = (uint64_t)texels(c->p[P_DV]);
    uint64_t bm = (uint64_t)(TILED_LY * tm), bn = (uint64_t)tiled_bn(c);

    return 16 * (bm * d4 + bn * ((d4 > dv4 ? d4 : dv4) + 1)) + 4 * bm * (bn + TILED_LX);
}

/* Many rows an item, which read less from local memory, where that leaves groups for most compute
 * units. The numbers are an H100's: 8 groups for 5 units with 8 rows, 4 with 4, 2 with 2. */
static bool tiled_prefer(const struct op_case *c, const struct device_info *dev,
                         struct op_variant *v)
{
    int64_t heads = c->p[P_BATCH] * c->p[P_HEADS], m = c->p[P_M];

    for (int tm = 8; tm >= 1; tm /= 2) {
        int64_t groups = heads * ceil_div(m, TILED_LY * tm);

        if (tiled_bytes(c, tm) > dev->local_bytes)
            continue;
        if (tm > 1 && (5 * groups < tm * (int64_t)dev->compute_units || TILED_LY * tm >= 2 * m))
            continue;
        v->kernel = KERNEL_TILED;
        v->tunable[TILED_TM] = tm;
        v->lws[0] = TILED_LX;
        v->lws[1] = TILED_LY;
        return true;
    }
    return false;
}

static int tiled_launch(const struct op_case *c, const struct op_variant *v,
                        const struct device_info *dev, struct op_launch *l, struct err *err)
{
    int tm = v->tunable[TILED_TM];

    if (tiled_bytes(c, tm) > dev->local_bytes)
        return err_set(err, -EINVAL,
                       "attention: TM=%d takes %" PRIu64
                       " bytes of local memory, device '%s' has %" PRIu64,
                       tm, tiled_bytes(c, tm), dev->name, dev->local_bytes);
    if (v->lws[0] != TILED_LX || v->lws[1] != TILED_LY)
        return err_set(err, -EINVAL, "attention: tiled kernel wants lws=%dx%d, got '%dx%d'",
                       TILED_LX, TILED_LY, v->lws[0], v->lws[1]);
    l->gws[0] = (size_t)(TILED_LX * ceil_div(c->p[P_M], TILED_LY * tm));
    l->gws[1] = (size_t)(TILED_LY * c->p[P_BATCH] * c->p[P_HEADS]);
    return 0;
}

/* ---- all ---- */

static void attention_prefer(const struct op_case *c, const struct device_info *dev,
                             struct op_variant *v)
{
    int64_t chunks = ceil_div(texels(c->p[P_DV]), DIRECT_CHUNK);

    if (dev->type == DEVICE_CPU ? staged_prefer(c, dev, v) : tiled_prefer(c, dev, v))
        return;
    v->kernel = KERNEL_DIRECT;
    grid_prefer(dev, c->p[P_HEADS] * chunks, c->p[P_BATCH] * c->p[P_M], v->lws);
}

static int attention_launch(const struct op_case *c, const struct op_variant *v,
                            const struct device_info *dev, struct op_launch *ret_launch,
                            struct err *err)
{
    const int64_t *p = c->p, d4 = texels(p[P_D]), dv4 = texels(p[P_DV]);
    struct op_launch l = {.n_ints = 6,
                          .ints = {(int)p[P_M], (int)p[P_N], (int)p[P_D], (int)p[P_DV],
                                   (int)p[P_HEADS], (int)p[P_BATCH]}};
    int rc = 0;

    if (v->kernel == KERNEL_STAGED) {
        rc = staged_launch(c, v, dev, &l, err);
    } else if (v->kernel == KERNEL_TILED) {
        rc = tiled_launch(c, v, dev, &l, err);
    } else {
        l.gws[0] = (size_t)(p[P_HEADS] * ceil_div(dv4, DIRECT_CHUNK));
        l.gws[1] = (size_t)(p[P_BATCH] * p[P_M]);
    }
    if (rc < 0)
        return rc;
    /* Unlike other shapes these are macros: they size arrays. Models have one or two of them. */
    snprintf(l.options, sizeof l.options, "-DD4=%d -DDV4=%d -DCAUSAL=%d -DSCALED=%d -DBN=%d%s",
             (int)d4, (int)dv4, (int)p[P_CAUSAL], (int)p[P_SCALED],
             v->kernel == KERNEL_TILED ? tiled_bn(c) : STAGED_BN,
             v->kernel == KERNEL_STAGED                              ? " -DWIDE=16"
             : v->kernel == KERNEL_TILED && p[P_N] > 2 * tiled_bn(c) ? " -DAHEAD=1"
                                                                     : "");
    *ret_launch = l;
    return 0;
}

/* Row i of head h of member b; score[n] is room to work in. */
static void reference_row(const struct op_case *c, const double *const *in, int64_t b, int64_t h,
                          int64_t i, double *score, double *out)
{
    int64_t d = c->p[P_D], dv = c->p[P_DV], heads = c->p[P_HEADS], n = visible(c, i);
    const double *q = in[0] + ((b * c->p[P_M] + i) * heads + h) * d;
    double top = -INFINITY, sum = 0;

    for (int64_t j = 0; j < n; j++) {
        const double *k = in[1] + ((b * c->p[P_N] + j) * heads + h) * d;

        score[j] = 0;
        for (int64_t t = 0; t < d; t++)
            score[j] += q[t] * k[t];
        if (c->p[P_SCALED])
            score[j] /= sqrt((double)d);
        top = fmax(top, score[j]);
    }
    for (int64_t j = 0; j < n; j++)
        sum += score[j] = exp(score[j] - top);
    for (int64_t t = 0; t < dv; t++) {
        out[t] = 0;
        for (int64_t j = 0; j < n; j++)
            out[t] += score[j] / sum * in[2][((b * c->p[P_N] + j) * heads + h) * dv + t];
    }
}

/* Row i of member b is row b * m + i. */
static void attention_rows(const struct op_case *c, const double *const *in, double *out,
                           int64_t from, int64_t to)
{
    double *score = malloc((size_t)c->p[P_N] * sizeof *score);

    out += from * c->p[P_HEADS] * c->p[P_DV];
    for (int64_t r = from; r < to; r++)
        for (int64_t h = 0; h < c->p[P_HEADS]; h++, out += c->p[P_DV])
            if (score)
                reference_row(c, in, r / c->p[P_M], h, r % c->p[P_M], score, out);
            else
                out[0] = NAN; /* out of memory: nothing passes */
    free(score);
}

static void attention_reference(const struct op_case *c, const double *const *in, double *out)
{
    reference_run(c, in, out, c->p[P_BATCH] * c->p[P_M], attention_rows);
}

/* What a query sees under a causal mask depends on where it stands; columns of values never do. */
static unsigned attention_repeatable(const struct op_case *c)
{
    return (c->p[P_CAUSAL] ? 0 : 1u << P_M) | 1u << P_DV;
}

const struct op op_attention = {
    .name = "attention",
    .summary = "y = softmax(q k^T [/ sqrt(d)]) v for each head and member of a batch",
    .class = OP_REUSABLE,
    .params = {[P_BATCH] = {"batch", 1, 1, 1 << 16, NULL, "members of the batch"},
               [P_HEADS] = {"heads", 0, 1, 1 << 12, NULL, "heads, side by side"},
               [P_M] = {"m", 0, 1, 1 << 20, NULL, "queries"},
               [P_N] = {"n", 0, 1, 1 << 20, NULL, "keys and values"},
               [P_D] = {"d", 0, 1, 1 << 14, NULL, "elements of a query and key"},
               [P_DV] = {"dv", 0, 1, 1 << 14, NULL, "elements of a value"},
               [P_CAUSAL] = {"causal", 0, 0, 1, NULL, "1: query i sees keys 0..i"},
               [P_SCALED] = {"scaled", 1, 0, 1, NULL, "1: scores are divided by sqrt(d)"}},
    .kernels =
        {[KERNEL_DIRECT] =
             {"direct", "attention_direct.cl", "attention.cl", OP_ALL_FORMS, {{NULL}}},
         [KERNEL_STAGED] = {"staged",
                            "attention_staged.cl",
                            "attention.cl",
                            OP_ALL_FORMS,
                            {{"BM", 128, 8, {8, 32, 64, 128, 256, 512}, "queries of a group"},
                             {"MR", 8, 8, {4, 8}, "rows of the micro-kernel"}}},
         [KERNEL_TILED] = {"tiled",
                           "attention_tiled.cl",
                           "attention.cl",
                           OP_ALL_FORMS,
                           {{"TM", 2, 8, {1, 2, 4, 8}, "rows of an item"}}}},
    /* An absolute error of a score is a relative error of its weight: scores up to 50 have 4e-6.
     * f16: half a unit of the result, and cancellation in it. */
    .tol_f32 = 2e-5,
    .tol_f16 = 1e-3,
    .io = attention_io,
    .cost = attention_cost,
    .prefer = attention_prefer,
    .launch = attention_launch,
    .reference = attention_reference,
    .repeatable = attention_repeatable,
};
