/* Zeros around a feature map [h*w, c] and beside its channels. Kernel: kernels/move.cl. */
#include <stdio.h>

#include "operators/layout/run.h"

enum { P_H, P_W, P_C, P_TOP, P_BOTTOM, P_LEFT, P_RIGHT, P_C0, P_C1 };

static int64_t out_h(const struct op_case *c)
{
    return c->p[P_TOP] + c->p[P_H] + c->p[P_BOTTOM];
}

static int64_t out_w(const struct op_case *c)
{
    return c->p[P_LEFT] + c->p[P_W] + c->p[P_RIGHT];
}

static int64_t out_c(const struct op_case *c)
{
    return c->p[P_C0] + c->p[P_C] + c->p[P_C1];
}

static void pad_io(const struct op_case *c, struct op_io *ret_io)
{
    slots_map(c, c->p[P_H] * c->p[P_W], c->p[P_C], out_h(c) * out_w(c), out_c(c), ret_io);
}

static int pad_launch(const struct op_case *c, const struct op_variant *v,
                      const struct device_info *dev, struct op_launch *ret_launch, struct err *err)
{
    struct op_launch l = run_launch(c, v);

    (void)dev;
    (void)err;
    OP_INTS(&l, (c->p[P_C] + 3) / 4, -c->p[P_C0], c->p[P_H], c->p[P_W], out_w(c), c->p[P_TOP],
            c->p[P_LEFT]);
    snprintf(l.options, sizeof l.options, "-DMAP_PAD -DCOLUMNS=%d", c->p[P_C0] || c->p[P_C1]);
    *ret_launch = l;
    return 0;
}

static void pad_reference(const struct op_case *c, const double *const *in, double *out)
{
    int64_t h = c->p[P_H], w = c->p[P_W], n = c->p[P_C];

    for (int64_t i = 0; i < out_h(c) * out_w(c) * out_c(c); i++)
        out[i] = 0;
    for (int64_t iy = 0; iy < h; iy++)
        for (int64_t ix = 0; ix < w; ix++)
            for (int64_t j = 0; j < n; j++)
                out[((iy + c->p[P_TOP]) * out_w(c) + ix + c->p[P_LEFT]) * out_c(c) + c->p[P_C0] +
                    j] = in[0][(iy * w + ix) * n + j];
}

const struct op op_pad = {
    .name = "pad",
    .summary = "y = x with zeros around the map and beside the channels",
    RUN_MOVES,
    .params = {[P_H] = {"h", 0, 1, 1 << 13, NULL, "height of x"},
               [P_W] = {"w", 0, 1, 1 << 13, NULL, "width of x"},
               [P_C] = {"c", 0, 1, 1 << 24, NULL, "channels of x"},
               [P_TOP] = {"top", 0, 0, 1 << 13, NULL, "rows of zeros above"},
               [P_BOTTOM] = {"bottom", 0, 0, 1 << 13, NULL, "rows of zeros below"},
               [P_LEFT] = {"left", 0, 0, 1 << 13, NULL, "columns of zeros on the left"},
               [P_RIGHT] = {"right", 0, 0, 1 << 13, NULL, "columns of zeros on the right"},
               [P_C0] = {"c0", 0, 0, 1 << 24, NULL, "channels of zeros before"},
               [P_C1] = {"c1", 0, 0, 1 << 24, NULL, "channels of zeros behind"}},
    .kernels = {RUN_KERNEL("direct", "move.cl")},
    .io = pad_io,
    .prefer = run_prefer,
    .launch = pad_launch,
    .reference = pad_reference,
};
