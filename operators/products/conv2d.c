/* Convolution of a feature map [h*w, cin] as an implicit matrix product: m counts output pixels, k
 * walks taps (r, s) and, innermost, input channels, n counts output channels. Channel groups are a
 * batch of such products if whole texels belong to one group; if not, depthwise filters above all,
 * conv_grouped.cl takes them. Kernels of products: gemm.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "operators/activation.h"
#include "operators/grid.h"
#include "operators/op_text.h"
#include "operators/products/gemm.h"
#include "operators/trial/reference.h"

enum {
    P_H,
    P_W,
    P_CIN,
    P_COUT,
    P_R,
    P_S,
    P_STRIDE,
    P_PAD,
    P_DIL,
    P_STRIDE_W,
    P_PAD_W,
    P_DIL_W,
    P_GROUPS,
    P_BIAS,
    P_RES,
    P_ACT
};
enum { GROUPED = GEMM_KERNELS_N };
enum { GROUPED_TP, GROUPED_TR };

static struct gemm_end conv2d_end(const struct op_case *c)
{
    return (struct gemm_end){c->p[P_BIAS], c->p[P_RES], false, (int)c->p[P_ACT]};
}

/* Along w: the parameter of its own if it has one. */
static int64_t along_w(const struct op_case *c, int own, int common)
{
    return c->p[own] < 0 ? c->p[common] : c->p[own];
}

/* Output pixels along one axis; 0 if the filter does not fit. */
static int64_t out_size(int64_t in, int64_t taps, int64_t stride, int64_t pad, int64_t dil)
{
    int64_t room = in + 2 * pad - (dil * (taps - 1) + 1);

    return room < 0 ? 0 : room / stride + 1;
}

static int64_t out_h(const struct op_case *c)
{
    return out_size(c->p[P_H], c->p[P_R], c->p[P_STRIDE], c->p[P_PAD], c->p[P_DIL]);
}

static int64_t out_w(const struct op_case *c)
{
    return out_size(c->p[P_W], c->p[P_S], along_w(c, P_STRIDE_W, P_STRIDE),
                    along_w(c, P_PAD_W, P_PAD), along_w(c, P_DIL_W, P_DIL));
}

static int conv2d_check(const struct op_case *c, struct err *err)
{
    int64_t groups = c->p[P_GROUPS];

    if (c->p[P_CIN] % groups || c->p[P_COUT] % groups)
        return err_set(err, -EINVAL,
                       "conv2d: groups=%" PRId64 " does not divide cin=%" PRId64
                       " and cout=%" PRId64,
                       groups, c->p[P_CIN], c->p[P_COUT]);
    if (c->p[P_STRIDE_W] == 0 || c->p[P_DIL_W] == 0)
        return err_set(err, -EINVAL,
                       "conv2d: stride_w and dil_w want 1..64, or -1 for the same as along h");
    if (out_h(c) < 1 || out_w(c) < 1)
        return err_set(err, -EINVAL,
                       "conv2d: filter %" PRId64 "x%" PRId64 " with dil=%" PRId64
                       " does not fit %" PRId64 "x%" PRId64 " with pad=%" PRId64,
                       c->p[P_R], c->p[P_S], c->p[P_DIL], c->p[P_H], c->p[P_W], c->p[P_PAD]);
    return 0;
}

static void conv2d_io(const struct op_case *c, struct op_io *ret_io)
{
    int64_t cin = c->p[P_CIN], cout = c->p[P_COUT], taps = c->p[P_R] * c->p[P_S];
    int64_t inner = cin / c->p[P_GROUPS];
    struct tensor_desc y = {out_h(c) * out_w(c), cout, cout, c->dtype};
    struct gemm_end end = conv2d_end(c);
    struct op_io io = {0};

    io.slot[io.n++] =
        (struct op_slot){"x", ROLE_INPUT, {c->p[P_H] * c->p[P_W], cin, cin, c->dtype}};
    io.slot[io.n++] = (struct op_slot){"w", ROLE_WEIGHT, {cout, taps * inner, inner, c->dtype}};
    gemm_end_slots(&end, &y, cout, &io);
    *ret_io = io;
}

/* A product for each group. */
static struct gemm conv2d_gemm(const struct op_case *c)
{
    int64_t groups = c->p[P_GROUPS];
    int64_t k_texels = c->p[P_R] * c->p[P_S] * ((c->p[P_CIN] / groups + 3) / 4);

    return (struct gemm){.m = out_h(c) * out_w(c),
                         .n = c->p[P_COUT] / groups,
                         .k = 4 * k_texels,
                         .k_texels = k_texels,
                         .batches = groups,
                         .tb = true,
                         .pixels = {.ow = out_w(c),
                                    .h = c->p[P_H],
                                    .row_floats = c->p[P_W] * 4 * ((c->p[P_CIN] / groups + 3) / 4),
                                    .stride = c->p[P_STRIDE],
                                    .reach = (c->p[P_R] - 1) * c->p[P_DIL] + 1}};
}

/* Do groups share no texel? */
static bool whole_texels(const struct op_case *c)
{
    int64_t groups = c->p[P_GROUPS];

    return groups == 1 || (c->p[P_CIN] / groups % 4 == 0 && c->p[P_COUT] / groups % 4 == 0);
}

static void conv2d_cost(const struct op_case *c, double *ret_macs, double *ret_ops)
{
    double outputs = (double)(out_h(c) * out_w(c)) * (double)c->p[P_COUT];
    struct gemm_end end = conv2d_end(c);

    *ret_macs = outputs * (double)(c->p[P_R] * c->p[P_S] * c->p[P_CIN] / c->p[P_GROUPS]);
    *ret_ops = outputs * gemm_end_ops(&end);
}

static bool depthwise(const struct op_case *c)
{
    return c->p[P_CIN] == c->p[P_GROUPS] && c->p[P_COUT] == c->p[P_GROUPS];
}

/* The kernel's TEXELS: on CPUs a vector of theirs, if there are as many channels. */
static int64_t grouped_texels(const struct op_case *c, const struct device_info *dev)
{
    int64_t ct = (c->p[P_COUT] + 3) / 4;

    return dev->type != DEVICE_CPU || !depthwise(c) || ct < 2 ? 1 : ct < 3 ? 2 : 4;
}

/* The grid of conv_grouped.cl: texels of y along x, tiles of pixels along y. */
static void grouped_grid(const struct op_case *c, const struct op_variant *v,
                         const struct device_info *dev, size_t ret_gws[2])
{
    int64_t tp = v->tunable[GROUPED_TP], tr = v->tunable[GROUPED_TR];
    int64_t texels = grouped_texels(c, dev), ct = (c->p[P_COUT] + 3) / 4;

    ret_gws[0] = (size_t)((ct + texels - 1) / texels);
    ret_gws[1] = (size_t)((out_h(c) + tr - 1) / tr * ((out_w(c) + tp - 1) / tp));
}

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Vectors that a depthwise tile keeps in private memory, in steps, for they are part of the
 * program; 0 on GPUs, where private memory that is indexed is slow, and for tiles that would not
 * stay in a CPU's L2. */
static int64_t grouped_stage(const struct op_case *c, const struct op_variant *v,
                             const struct device_info *dev)
{
    enum { STEP = 64, MOST_TEXELS = 8192, TAPS = 64, STRIP = 8 };
    int64_t rows = min64(v->tunable[GROUPED_TR], out_h(c));
    int64_t cols = min64(v->tunable[GROUPED_TP], (out_w(c) + STRIP - 1) / STRIP * STRIP);
    int64_t height = (rows - 1) * c->p[P_STRIDE] + (c->p[P_R] - 1) * c->p[P_DIL] + 1;
    int64_t width = (cols - 1) * along_w(c, P_STRIDE_W, P_STRIDE) +
                    (c->p[P_S] - 1) * along_w(c, P_DIL_W, P_DIL) + 1;

    if (dev->type != DEVICE_CPU || !depthwise(c) || c->p[P_R] * c->p[P_S] > TAPS ||
        width * height * grouped_texels(c, dev) > MOST_TEXELS)
        return 0;
    return (width * height + STEP - 1) / STEP * STEP;
}

static void conv2d_prefer(const struct op_case *c, const struct device_info *dev,
                          struct op_variant *v)
{
    struct gemm g = conv2d_gemm(c);
    size_t gws[2];

    if (whole_texels(c)) {
        gemm_prefer(&g, dev, v);
        return;
    }
    v->kernel = GROUPED;
    if (dev->type == DEVICE_CPU && depthwise(c)) { /* large: to read few texels twice */
        v->tunable[GROUPED_TP] = v->tunable[GROUPED_TR] = 32;
        v->lws[0] = v->lws[1] = 1;
        return;
    }
    v->tunable[GROUPED_TP] = dev->type == DEVICE_CPU ? 8 : 4;
    v->tunable[GROUPED_TR] = 1;
    grouped_grid(c, v, dev, gws);
    grid_prefer(dev, (int64_t)gws[0], (int64_t)gws[1], v->lws);
}

static int conv2d_launch(const struct op_case *c, const struct op_variant *v,
                         const struct device_info *dev, struct op_launch *ret_launch,
                         struct err *err)
{
    int64_t groups = c->p[P_GROUPS], cg = c->p[P_CIN] / groups, ct = (cg + 3) / 4;
    struct gemm_end end = conv2d_end(c);
    struct gemm g = conv2d_gemm(c);
    struct op_launch l;
    int rc;

    if (v->kernel != GROUPED && !whole_texels(c))
        return err_set(err, -EINVAL,
                       "conv2d: with groups=%" PRId64 " texels belong to several groups, want "
                       "kernel 'grouped'",
                       groups);
    if (v->kernel == GROUPED) {
        l = (struct op_launch){
            .n_ints = 5, .ints = {(int)g.m, (int)g.n, (int)g.k, (int)g.k_texels, (int)g.batches}};
        grouped_grid(c, v, dev, l.gws);
    } else {
        rc = gemm_launch(&g, v, dev, &l, err);
        if (rc < 0)
            return rc;
    }
    /* texel columns of x, w, y; from one group to the next; then the geometry */
    OP_INTS(&l, (c->p[P_CIN] + 3) / 4, g.k_texels, (c->p[P_COUT] + 3) / 4, 0, groups == 1 ? 0 : ct,
            groups == 1 ? 0 : g.n, 0, 0, groups == 1 ? 0 : g.n / 4, c->p[P_H], c->p[P_W], out_w(c),
            c->p[P_S], ct, c->p[P_STRIDE], along_w(c, P_STRIDE_W, P_STRIDE), c->p[P_PAD],
            along_w(c, P_PAD_W, P_PAD), c->p[P_DIL], along_w(c, P_DIL_W, P_DIL), cg);
    if (v->kernel == GROUPED)
        snprintf(l.options, sizeof l.options,
                 "-DDEPTHWISE=%d -DWIDE=%d -DSTAGE=%" PRId64 " -DSTAGE_TAPS=%" PRId64 " ",
                 depthwise(c), 4 * (int)grouped_texels(c, dev), grouped_stage(c, v, dev),
                 c->p[P_R] * c->p[P_S]);
    op_text_append(l.options, sizeof l.options, "-DCONV=1 -DTB=1");
    gemm_end_options(&end, &l);
    *ret_launch = l;
    return 0;
}

/* One result: channel n at the output pixel whose first tap is (y, x). */
static double conv2d_sum(const struct op_case *c, const double *const *in, int64_t y, int64_t x,
                         int64_t n)
{
    int64_t h = c->p[P_H], w = c->p[P_W], cin = c->p[P_CIN], r_end = c->p[P_R], s_end = c->p[P_S];
    int64_t cg = cin / c->p[P_GROUPS], first = n / (c->p[P_COUT] / c->p[P_GROUPS]) * cg;
    double sum = 0;

    for (int64_t r = 0; r < r_end; r++)
        for (int64_t s = 0; s < s_end; s++) {
            int64_t iy = y + r * c->p[P_DIL], ix = x + s * along_w(c, P_DIL_W, P_DIL);
            const double *taps = in[1] + ((n * r_end + r) * s_end + s) * cg;

            if (iy < 0 || iy >= h || ix < 0 || ix >= w)
                continue;
            for (int64_t i = 0; i < cg; i++)
                sum += in[0][(iy * w + ix) * cin + first + i] * taps[i];
        }
    return sum;
}

/* A row is an output pixel. */
static void conv2d_rows(const struct op_case *c, const double *const *in, double *out, int64_t from,
                        int64_t to)
{
    int64_t cout = c->p[P_COUT], stride = c->p[P_STRIDE], pad = c->p[P_PAD];
    int64_t stride_w = along_w(c, P_STRIDE_W, P_STRIDE), pad_w = along_w(c, P_PAD_W, P_PAD);
    struct gemm_end end = conv2d_end(c);
    int64_t at = from * cout;

    for (int64_t r = from; r < to; r++) {
        int64_t y = r / out_w(c) * stride - pad, x = r % out_w(c) * stride_w - pad_w;

        for (int64_t n = 0; n < cout; n++, at++)
            out[at] = gemm_end_value(&end, 0, conv2d_sum(c, in, y, x, n), in, n, at);
    }
}

static void conv2d_reference(const struct op_case *c, const double *const *in, double *out)
{
    reference_run(c, in, out, out_h(c) * out_w(c), conv2d_rows);
}

/* Channels of several groups do not stand in units of cout. */
static unsigned conv2d_repeatable(const struct op_case *c)
{
    return c->p[P_GROUPS] == 1 ? 1u << P_COUT : 0;
}

const struct op op_conv2d = {
    .name = "conv2d",
    .summary = "y[oy*ox,n] = act(sum over r, s, c of x[iy*ix,c] * w[n,(r,s,c)] (+ bias[n] + res))",
    .class = OP_REUSABLE,
    .params = {GEMM_MAP_AND_FILTER,
               [P_STRIDE] = {"stride", 1, 1, 64, NULL, "pixels between output pixels"},
               [P_PAD] = {"pad", 0, 0, 1024, NULL, "zero pixels on each side"},
               [P_DIL] = {"dil", 1, 1, 64, NULL, "pixels between taps"},
               [P_STRIDE_W] = {"stride_w", -1, -1, 64, NULL, "stride along w; -1: the same"},
               [P_PAD_W] = {"pad_w", -1, -1, 1024, NULL, "pad along w; -1: the same"},
               [P_DIL_W] = {"dil_w", -1, -1, 64, NULL, "dil along w; -1: the same"},
               [P_GROUPS] = {"groups", 1, 1, 1 << 16, NULL, "channel groups; cin: depthwise"},
               [P_BIAS] = {"bias", 0, 0, 1, NULL, "1: bias[cout] is added"},
               [P_RES] = {"res", 0, 0, 1, NULL, "1: a residual of the output's shape is added"},
               [P_ACT] = ACTIVATION_PARAM},
    .kernels =
        {GEMM_KERNELS, [GROUPED] = {"grouped",
                                    "conv_grouped.cl",
                                    "gemm.cl",
                                    OP_ALL_FORMS,
                                    {[GROUPED_TP] =
                                         {"TP", 16, 4, {1, 2, 4, 8, 16, 32}, "pixels of an item"},
                                     [GROUPED_TR] =
                                         {"TR", 16, 1, {1, 2, 4, 8, 16, 32}, "in as many rows"}}}},
    .tol_f32 = 1e-5, /* as matmul */
    .tol_f16 = 1e-3,
    .check = conv2d_check,
    .io = conv2d_io,
    .cost = conv2d_cost,
    .prefer = conv2d_prefer,
    .launch = conv2d_launch,
    .reference = conv2d_reference,
    .repeatable = conv2d_repeatable,
};
