/* Layer normalisation over each row. Kernel: kernels/layernorm.cl. */
#include <math.h>

#include "operators/rows/rows.h"

enum { P_ROWS, P_COLS, P_EPS_EXP };

static void layernorm_io(const struct op_case *c, struct op_io *ret_io)
{
    slots_by_column(c, c->p[P_ROWS], c->p[P_COLS], "gamma", "beta", ret_io);
}

/* Sum, difference, square and sum, scaling, multiply and add. */
static void layernorm_cost(const struct op_case *c, double *ret_macs, double *ret_ops)
{
    *ret_macs = 0;
    *ret_ops = 7 * (double)c->p[P_ROWS] * (double)c->p[P_COLS];
}

static int layernorm_launch(const struct op_case *c, const struct op_variant *v,
                            const struct device_info *dev, struct op_launch *ret_launch,
                            struct err *err)
{
    int rc = rows_launch(c, v, dev, ret_launch, err);

    if (rc == 0)
        op_text_append(ret_launch->options, sizeof ret_launch->options, " -DEPS=1e-%df",
                       (int)c->p[P_EPS_EXP]);
    return rc;
}

static void layernorm_reference(const struct op_case *c, const double *const *in, double *out)
{
    int64_t cols = c->p[P_COLS];
    double eps = pow(10, -(double)c->p[P_EPS_EXP]);

    for (int64_t r = 0; r < c->p[P_ROWS]; r++) {
        const double *x = in[0] + r * cols;
        double mean = 0, variance = 0;

        for (int64_t i = 0; i < cols; i++)
            mean += x[i] / (double)cols;
        for (int64_t i = 0; i < cols; i++)
            variance += (x[i] - mean) * (x[i] - mean) / (double)cols;
        for (int64_t i = 0; i < cols; i++)
            out[r * cols + i] = (x[i] - mean) / sqrt(variance + eps) * in[1][i] + in[2][i];
    }
}

/* Means of numbers up to 2 are off by some 2^-24; that is divided by the deviation, which is near 1
 * for long rows, but can be 30 times smaller in rows of two or three elements. f16: half an ulp,
 * 2^-11, on top. */
const struct op op_layernorm = {
    .name = "layernorm",
    .summary = "y[r,c] = (x[r,c] - mean_r) / sqrt(var_r + eps) * gamma[c] + beta[c]",
    .class = OP_HIERARCHICAL,
    .params = {{"rows", 0, 1, 1 << 26, NULL, "rows of x and y"},
               {"cols", 0, 1, 1 << 26, NULL, "elements of a row"},
               {"eps_exp", 5, 1, 30, NULL, "eps = 10^-eps_exp"}},
    .kernels = {ROWS_KERNEL("direct", "layernorm.cl")},
    .tol_f32 = 4e-6,
    .tol_f16 = 5e-4,
    .io = layernorm_io,
    .cost = layernorm_cost,
    .prefer = rows_prefer,
    .launch = layernorm_launch,
    .reference = layernorm_reference,
};
