/* Max and average pooling of a feature map [h*w, c]. Kernel: kernels/pool2d.cl. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "operators/grid.h"
#include "operators/slots.h"

enum { P_H, P_W, P_C, P_KIND, P_R, P_S, P_STRIDE, P_PAD, P_COUNT_PAD };

enum { KIND_MAX, KIND_AVG };
static const char *const kind_names[] = {"max", "avg", NULL};

static int64_t out_size(int64_t in, int64_t taps, int64_t stride, int64_t pad)
{
    return (in + 2 * pad - taps) / stride + 1;
}

static int64_t out_h(const struct op_case *c)
{
    return out_size(c->p[P_H], c->p[P_R], c->p[P_STRIDE], c->p[P_PAD]);
}

static int64_t out_w(const struct op_case *c)
{
    return out_size(c->p[P_W], c->p[P_S], c->p[P_STRIDE], c->p[P_PAD]);
}

/* pad < r and pad < s: no window lies in the padding alone. */
static int pool2d_check(const struct op_case *c, struct err *err)
{
    const int64_t *p = c->p;

    if (p[P_PAD] >= p[P_R] || p[P_PAD] >= p[P_S])
        return err_set(err, -EINVAL,
                       "pool2d: pad wants to be less than r=%" PRId64 " and s=%" PRId64
                       ", got '%" PRId64 "'",
                       p[P_R], p[P_S], p[P_PAD]);
    if (p[P_R] > p[P_H] + 2 * p[P_PAD] || p[P_S] > p[P_W] + 2 * p[P_PAD])
        return err_set(err, -EINVAL,
                       "pool2d: window %" PRId64 "x%" PRId64 " exceeds the padded map %" PRId64
                       "x%" PRId64,
                       p[P_R], p[P_S], p[P_H] + 2 * p[P_PAD], p[P_W] + 2 * p[P_PAD]);
    return 0;
}

static void pool2d_io(const struct op_case *c, struct op_io *ret_io)
{
    slots_map(c, c->p[P_H] * c->p[P_W], c->p[P_C], out_h(c) * out_w(c), c->p[P_C], ret_io);
}

static void pool2d_cost(const struct op_case *c, double *ret_macs, double *ret_ops)
{
    *ret_macs = 0;
    *ret_ops = (double)(out_h(c) * out_w(c)) * (double)(c->p[P_C] * c->p[P_R] * c->p[P_S]);
}

static void pool2d_prefer(const struct op_case *c, const struct device_info *dev,
                          struct op_variant *v)
{
    grid_prefer(dev, (c->p[P_C] + 3) / 4, out_h(c) * out_w(c), v->lws);
}

static int pool2d_launch(const struct op_case *c, const struct op_variant *v,
                         const struct device_info *dev, struct op_launch *ret_launch,
                         struct err *err)
{
    const int64_t *p = c->p, ct = (p[P_C] + 3) / 4, oh = out_h(c), ow = out_w(c);
    struct op_launch l = {.gws = {(size_t)ct, (size_t)(oh * ow)}};

    (void)v;
    (void)dev;
    (void)err;
    OP_INTS(&l, p[P_H], p[P_W], ct, oh, ow, p[P_R], p[P_S], p[P_STRIDE], p[P_PAD]);
    snprintf(l.options, sizeof l.options, "%s -DCOUNT_PAD=%d",
             p[P_KIND] == KIND_MAX ? "-DPOOL_MAX" : "-DPOOL_AVG", (int)p[P_COUNT_PAD]);
    *ret_launch = l;
    return 0;
}

/* One window of one channel. */
static double pool_window(const struct op_case *c, const double *x, int64_t oy, int64_t ox,
                          int64_t ch)
{
    const int64_t *p = c->p;
    double best = -INFINITY, sum = 0;
    int64_t count = 0;

    for (int64_t r = 0; r < p[P_R]; r++) {
        for (int64_t s = 0; s < p[P_S]; s++) {
            int64_t iy = oy * p[P_STRIDE] + r - p[P_PAD], ix = ox * p[P_STRIDE] + s - p[P_PAD];

            if (iy < 0 || iy >= p[P_H] || ix < 0 || ix >= p[P_W])
                continue;
            best = fmax(best, x[(iy * p[P_W] + ix) * p[P_C] + ch]);
            sum += x[(iy * p[P_W] + ix) * p[P_C] + ch];
            count++;
        }
    }
    if (p[P_KIND] == KIND_MAX)
        return best;
    return sum / (double)(p[P_COUNT_PAD] ? p[P_R] * p[P_S] : count);
}

static void pool2d_reference(const struct op_case *c, const double *const *in, double *out)
{
    for (int64_t oy = 0; oy < out_h(c); oy++)
        for (int64_t ox = 0; ox < out_w(c); ox++)
            for (int64_t ch = 0; ch < c->p[P_C]; ch++)
                *out++ = pool_window(c, in[0], oy, ox, ch);
}

/* A maximum is exact. An average adds r * s numbers up to 2 in order: rounding errors of 2^-24 of
 * the sum, which may cancel to near zero in rows of few channels. f16: half an ulp on top. */
const struct op op_pool2d = {
    .name = "pool2d",
    .summary = "y[oy*ow+ox,c] = max or average of x over r x s taps",
    .class = OP_ELEMENTAL,
    .params = {{"h", 0, 1, 1 << 13, NULL, "height of x"},
               {"w", 0, 1, 1 << 13, NULL, "width of x"},
               {"c", 0, 1, 1 << 20, NULL, "channels"},
               {"kind", KIND_MAX, 0, 1, kind_names, "maximum or average"},
               {"r", 0, 1, 1 << 13, NULL, "taps down"},
               {"s", 0, 1, 1 << 13, NULL, "taps across"},
               {"stride", 1, 1, 1 << 13, NULL, "both ways"},
               {"pad", 0, 0, 1 << 12, NULL, "on all four sides"},
               {"count_pad", 0, 0, 1, NULL, "1: averages count the padding, as zeros"}},
    .kernels = {{.name = "direct", .source = "pool2d.cl", .forms = OP_ALL_FORMS}},
    .tol_f32 = 4e-6,
    .tol_f16 = 5e-4,
    .check = pool2d_check,
    .io = pool2d_io,
    .cost = pool2d_cost,
    .prefer = pool2d_prefer,
    .launch = pool2d_launch,
    .reference = pool2d_reference,
};
