/* y = act(x * scale + offset) by column: a normalisation over a batch, folded. Kernel:
 * kernels/affine.cl. */

#include "operators/activation.h"
#include "operators/pointwise/pointwise.h"

enum { P_ROWS, P_COLS, P_ACT };

static void affine_io(const struct op_case *c, struct op_io *ret_io)
{
    slots_by_column(c, c->p[P_ROWS], c->p[P_COLS], "scale", "offset", ret_io);
}

static void affine_cost(const struct op_case *c, double *ret_macs, double *ret_ops)
{
    double n = (double)c->p[P_ROWS] * (double)c->p[P_COLS];

    *ret_macs = n;
    *ret_ops = activation_ops((int)c->p[P_ACT]) * n;
}

static int affine_launch(const struct op_case *c, const struct op_variant *v,
                         const struct device_info *dev, struct op_launch *ret_launch,
                         struct err *err)
{
    (void)dev;
    (void)err;
    pointwise_launch(c, v, ret_launch);
    op_text_append(ret_launch->options, sizeof ret_launch->options, " -DACT=%d", (int)c->p[P_ACT]);
    return 0;
}

static void affine_reference(const struct op_case *c, const double *const *in, double *out)
{
    int64_t cols = c->p[P_COLS];

    for (int64_t i = 0; i < c->p[P_ROWS] * cols; i++)
        out[i] = activation_value((int)c->p[P_ACT], in[0][i] * in[1][i % cols] + in[2][i % cols]);
}

/* One fma(), half an ulp, and 4 of an activation; f16: half an ulp, 2^-11, on top. */
const struct op op_affine = {
    .name = "affine",
    .summary = "y[r,c] = act(x[r,c] * scale[c] + offset[c])",
    .class = OP_ELEMENTAL,
    .params = {POINTWISE_SHAPE, ACTIVATION_PARAM},
    .kernels = POINTWISE_KERNELS("affine.cl"),
    .tol_f32 = 5e-7,
    .tol_f16 = 5e-4,
    .io = affine_io,
    .cost = affine_cost,
    .prefer = pointwise_prefer,
    .launch = affine_launch,
    .reference = affine_reference,
};
