/* Transposed convolution of a feature map [h*w, cin]: each pixel adds its filter to y, stride
 * pixels apart. Seen from y, the pixels that are equal modulo the stride (a phase) meet the same
 * taps: each phase is a convolution with every stride-th tap, and the phases are a batch. Where the
 * filter is as large as the stride, that is one tap: a plain product whose results are scattered.
 * Kernels: gemm.h. */
#include <errno.h>
#include <inttypes.h>

#include "operators/activation.h"
#include "operators/op_text.h"
#include "operators/products/gemm.h"

enum { P_H, P_W, P_CIN, P_COUT, P_R, P_S, P_STRIDE, P_PAD, P_OUTPAD, P_BIAS, P_ACT };

static struct gemm_end deconv2d_end(const struct op_case *c)
{
    return (struct gemm_end){c->p[P_BIAS], false, false, (int)c->p[P_ACT]};
}

static int64_t out_size(const struct op_case *c, int64_t in, int64_t taps)
{
    return (in - 1) * c->p[P_STRIDE] + taps + c->p[P_OUTPAD] - 2 * c->p[P_PAD];
}

static int64_t out_h(const struct op_case *c)
{
    return out_size(c, c->p[P_H], c->p[P_R]);
}

static int64_t out_w(const struct op_case *c)
{
    return out_size(c, c->p[P_W], c->p[P_S]);
}

/* Of a phase, rounded up: pixels, or taps. */
static int64_t of_phase(const struct op_case *c, int64_t n)
{
    return (n + c->p[P_STRIDE] - 1) / c->p[P_STRIDE];
}

static int deconv2d_check(const struct op_case *c, struct err *err)
{
    if (c->p[P_OUTPAD] >= c->p[P_STRIDE])
        return err_set(err, -EINVAL,
                       "deconv2d: outpad wants 0..%" PRId64 " (less than stride), got '%" PRId64
                       "'",
                       c->p[P_STRIDE] - 1, c->p[P_OUTPAD]);
    if (out_h(c) < 1 || out_w(c) < 1)
        return err_set(err, -EINVAL,
                       "deconv2d: nothing is left of %" PRId64 "x%" PRId64
                       " pixels, filter %" PRId64 "x%" PRId64 " with pad=%" PRId64,
                       c->p[P_H], c->p[P_W], c->p[P_R], c->p[P_S], c->p[P_PAD]);
    return 0;
}

static void deconv2d_io(const struct op_case *c, struct op_io *ret_io)
{
    int64_t cin = c->p[P_CIN], cout = c->p[P_COUT], taps = c->p[P_R] * c->p[P_S];
    struct tensor_desc y = {out_h(c) * out_w(c), cout, cout, c->dtype};
    struct gemm_end end = deconv2d_end(c);
    struct op_io io = {0};

    io.slot[io.n++] =
        (struct op_slot){"x", ROLE_INPUT, {c->p[P_H] * c->p[P_W], cin, cin, c->dtype}};
    io.slot[io.n++] = (struct op_slot){"w", ROLE_WEIGHT, {cout, taps * cin, cin, c->dtype}};
    gemm_end_slots(&end, &y, cout, &io);
    *ret_io = io;
}

/* A product for each phase; where y or the filter is no multiple of the stride, some have rows or
 * taps too many: those are neither read nor written. */
static struct gemm deconv2d_gemm(const struct op_case *c)
{
    int64_t taps = of_phase(c, c->p[P_R]) * of_phase(c, c->p[P_S]);
    int64_t k_texels = taps * ((c->p[P_CIN] + 3) / 4);

    return (struct gemm){.m = of_phase(c, out_h(c)) * of_phase(c, out_w(c)),
                         .n = c->p[P_COUT],
                         .k = 4 * k_texels,
                         .k_texels = k_texels,
                         .batches = c->p[P_STRIDE] * c->p[P_STRIDE],
                         .tb = true,
                         .pixels = {.ow = of_phase(c, out_w(c)),
                                    .h = c->p[P_H],
                                    .row_floats = c->p[P_W] * 4 * ((c->p[P_CIN] + 3) / 4),
                                    .stride = 1,
                                    .reach = of_phase(c, c->p[P_R])}};
}

static void deconv2d_cost(const struct op_case *c, double *ret_macs, double *ret_ops)
{
    struct gemm_end end = deconv2d_end(c);

    *ret_macs = (double)(c->p[P_H] * c->p[P_W]) * (double)(c->p[P_R] * c->p[P_S]) *
                (double)(c->p[P_CIN] * c->p[P_COUT]);
    *ret_ops = (double)(out_h(c) * out_w(c)) * (double)c->p[P_COUT] * gemm_end_ops(&end);
}

static void deconv2d_prefer(const struct op_case *c, const struct device_info *dev,
                            struct op_variant *v)
{
    struct gemm g = deconv2d_gemm(c);

    gemm_prefer(&g, dev, v);
}

static int deconv2d_launch(const struct op_case *c, const struct op_variant *v,
                           const struct device_info *dev, struct op_launch *ret_launch,
                           struct err *err)
{
    int64_t ct = (c->p[P_CIN] + 3) / 4, stride = c->p[P_STRIDE], pad = c->p[P_PAD];
    struct gemm_end end = deconv2d_end(c);
    struct gemm g = deconv2d_gemm(c);
    struct op_launch l;
    int rc;

    rc = gemm_launch(&g, v, dev, &l, err);
    if (rc < 0)
        return rc;
    /* texel columns of x, w, y; no strides: phases share x and w; then the geometry */
    OP_INTS(&l, ct, c->p[P_R] * c->p[P_S] * ct, (c->p[P_COUT] + 3) / 4, 0, 0, 0, 0, 0, 0, c->p[P_H],
            c->p[P_W], of_phase(c, out_w(c)), of_phase(c, c->p[P_S]), ct, out_h(c), out_w(c),
            c->p[P_R], c->p[P_S], stride, stride, pad, pad);
    op_text_append(l.options, sizeof l.options, "-DCONV=2 -DTB=1");
    gemm_end_options(&end, &l);
    *ret_launch = l;
    return 0;
}

/* What pixel (iy, ix) adds to y. */
static void scatter(const struct op_case *c, const double *const *in, int64_t iy, int64_t ix,
                    double *out)
{
    int64_t cin = c->p[P_CIN], cout = c->p[P_COUT], r_end = c->p[P_R], s_end = c->p[P_S];
    const double *x = in[0] + (iy * c->p[P_W] + ix) * cin;

    for (int64_t r = 0; r < r_end; r++)
        for (int64_t s = 0; s < s_end; s++) {
            int64_t oy = iy * c->p[P_STRIDE] - c->p[P_PAD] + r;
            int64_t ox = ix * c->p[P_STRIDE] - c->p[P_PAD] + s;

            if (oy < 0 || oy >= out_h(c) || ox < 0 || ox >= out_w(c))
                continue;
            for (int64_t n = 0; n < cout; n++)
                for (int64_t i = 0; i < cin; i++)
                    out[(oy * out_w(c) + ox) * cout + n] +=
                        x[i] * in[1][((n * r_end + r) * s_end + s) * cin + i];
        }
}

static void deconv2d_reference(const struct op_case *c, const double *const *in, double *out)
{
    int64_t cout = c->p[P_COUT], n = out_h(c) * out_w(c) * cout;
    struct gemm_end end = deconv2d_end(c);

    for (int64_t i = 0; i < n; i++)
        out[i] = 0;
    for (int64_t iy = 0; iy < c->p[P_H]; iy++)
        for (int64_t ix = 0; ix < c->p[P_W]; ix++)
            scatter(c, in, iy, ix, out);
    for (int64_t i = 0; i < n; i++)
        out[i] = gemm_end_value(&end, 0, out[i], in, i % cout, i);
}

static unsigned deconv2d_repeatable(const struct op_case *c)
{
    (void)c;
    return 1u << P_COUT;
}

const struct op op_deconv2d = {
    .name = "deconv2d",
    .summary = "y[oy*ox,n] = act(sum over iy, ix, c, where oy = iy*stride-pad+r, ox likewise, of "
               "x[iy*ix,c] * w[n,(r,s,c)] (+ bias[n]))",
    .class = OP_REUSABLE,
    .params =
        {GEMM_MAP_AND_FILTER,
         [P_STRIDE] = {"stride", 1, 1, 64, NULL, "pixels of y between pixels of x"},
         [P_PAD] = {"pad", 0, 0, 1024, NULL, "pixels of y that are cut off on each side"},
         [P_OUTPAD] = {"outpad", 0, 0, 63, NULL, "rows and columns more at the end of y"},
         [P_BIAS] = {"bias", 0, 0, 1, NULL, "1: bias[cout] is added"}, [P_ACT] = ACTIVATION_PARAM},
    .kernels = {GEMM_KERNELS},
    .tol_f32 = 1e-5, /* as matmul */
    .tol_f16 = 1e-3,
    .check = deconv2d_check,
    .io = deconv2d_io,
    .cost = deconv2d_cost,
    .prefer = deconv2d_prefer,
    .launch = deconv2d_launch,
    .reference = deconv2d_reference,
    .repeatable = deconv2d_repeatable,
};
