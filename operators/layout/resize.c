/* A feature map [h*w, c] scaled to oh x ow pixels. Kernels: kernels/move.cl (nearest),
 * kernels/resize.cl (bilinear). */
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "operators/layout/run.h"

enum { P_H, P_W, P_C, P_OH, P_OW, P_KIND, P_COORD };

enum { KIND_NEAREST, KIND_BILINEAR };
static const char *const kind_names[] = {"nearest", "bilinear", NULL};

enum { COORD_HALF_PIXEL, COORD_ALIGN_CORNERS, COORD_ASYMMETRIC };
static const char *const coord_names[] = {"half_pixel", "align_corners", "asymmetric", NULL};

static void resize_io(const struct op_case *c, struct op_io *ret_io)
{
    slots_map(c, c->p[P_H] * c->p[P_W], c->p[P_C], c->p[P_OH] * c->p[P_OW], c->p[P_C], ret_io);
}

/* Interpolations are a multiply-add and a difference: three a result. */
static void resize_cost(const struct op_case *c, double *ret_macs, double *ret_ops)
{
    *ret_macs = 0;
    *ret_ops = c->p[P_KIND] == KIND_NEAREST
                   ? 0
                   : 9.0 * (double)(c->p[P_OH] * c->p[P_OW]) * (double)c->p[P_C];
}

static void resize_prefer(const struct op_case *c, const struct device_info *dev,
                          struct op_variant *v)
{
    v->kernel = (int)c->p[P_KIND];
    run_prefer(c, dev, v);
}

static int resize_launch(const struct op_case *c, const struct op_variant *v,
                         const struct device_info *dev, struct op_launch *ret_launch,
                         struct err *err)
{
    struct op_launch l = run_launch(c, v);

    (void)dev;
    if (v->kernel != c->p[P_KIND])
        return err_set(err, -EINVAL, "resize: kind=%s wants the kernel of this name",
                       kind_names[c->p[P_KIND]]);
    if (c->p[P_KIND] == KIND_NEAREST)
        OP_INTS(&l, (c->p[P_C] + 3) / 4, 0);
    OP_INTS(&l, c->p[P_H], c->p[P_W], c->p[P_OH], c->p[P_OW]);
    snprintf(l.options, sizeof l.options, "-DCOORD=%d", (int)c->p[P_COORD]);
    *ret_launch = l;
    return 0;
}

/* Where pixel o lies in the input. Doubles of such fractions are exact where they are whole or
 * halves, which is where rounding decides. */
static double coordinate(const struct op_case *c, int64_t o, int64_t in, int64_t out)
{
    switch (c->p[P_COORD]) {
    case COORD_HALF_PIXEL:
        return (double)((2 * o + 1) * in - out) / (double)(2 * out);
    case COORD_ALIGN_CORNERS:
        return out == 1 ? 0 : (double)(o * (in - 1)) / (double)(out - 1);
    default:
        return (double)(o * in) / (double)out;
    }
}

static int64_t clamped(double at, int64_t in)
{
    return at < 0 ? 0 : at > (double)(in - 1) ? in - 1 : (int64_t)at;
}

/* The nearest pixel; halfway the lower one, asymmetric coordinates are rounded down. */
static int64_t nearest(const struct op_case *c, double at, int64_t in)
{
    return clamped(c->p[P_COORD] == COORD_ASYMMETRIC ? floor(at) : ceil(at - 0.5), in);
}

static void resize_reference(const struct op_case *c, const double *const *in, double *out)
{
    int64_t h = c->p[P_H], w = c->p[P_W], n = c->p[P_C];

    for (int64_t oy = 0; oy < c->p[P_OH]; oy++)
        for (int64_t ox = 0; ox < c->p[P_OW]; ox++)
            for (int64_t j = 0; j < n; j++) {
                double y = coordinate(c, oy, h, c->p[P_OH]), x = coordinate(c, ox, w, c->p[P_OW]);
                double v = y - floor(y), u = x - floor(x);
                int64_t y0 = clamped(floor(y), h), y1 = clamped(floor(y) + 1, h);
                int64_t x0 = clamped(floor(x), w), x1 = clamped(floor(x) + 1, w);

                if (c->p[P_KIND] == KIND_NEAREST)
                    *out++ = in[0][(nearest(c, y, h) * w + nearest(c, x, w)) * n + j];
                else
                    *out++ = (1 - v) * ((1 - u) * in[0][(y0 * w + x0) * n + j] +
                                        u * in[0][(y0 * w + x1) * n + j]) +
                             v * ((1 - u) * in[0][(y1 * w + x0) * n + j] +
                                  u * in[0][(y1 * w + x1) * n + j]);
            }
}

/* Bilinear: weights within an ulp and three roundings of numbers up to 2, in rows that may cancel
 * to near zero when channels are few. f16: half an ulp on top. */
const struct op op_resize = {
    .name = "resize",
    .summary = "y[oy*ow+ox,c] = x at the scaled pixel, the nearest or between four",
    .class = OP_ELEMENTAL,
    .params = {[P_H] = {"h", 0, 1, 1 << 13, NULL, "height of x"},
               [P_W] = {"w", 0, 1, 1 << 13, NULL, "width of x"},
               [P_C] = {"c", 0, 1, 1 << 24, NULL, "channels"},
               [P_OH] = {"oh", 0, 1, 1 << 13, NULL, "height of y"},
               [P_OW] = {"ow", 0, 1, 1 << 13, NULL, "width of y"},
               [P_KIND] = {"kind", KIND_NEAREST, 0, 1, kind_names, "one pixel, or between four"},
               [P_COORD] = {"coord", COORD_HALF_PIXEL, 0, 2, coord_names,
                            "(o+1/2)in/out-1/2, o(in-1)/(out-1) or o*in/out"}},
    .kernels = {[KIND_NEAREST] = RUN_KERNEL("nearest", "move.cl"),
                [KIND_BILINEAR] = RUN_KERNEL("bilinear", "resize.cl")},
    .tol_f32 = 1e-6,
    .tol_f16 = 5e-4,
    .io = resize_io,
    .cost = resize_cost,
    .prefer = resize_prefer,
    .launch = resize_launch,
    .reference = resize_reference,
};
