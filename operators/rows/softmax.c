/* Softmax over each row, with a causal mask for attention scores. Kernel: kernels/softmax.cl. */
#include <math.h>

#include "operators/rows/rows.h"

enum { P_ROWS, P_COLS, P_CAUSAL };

static void softmax_io(const struct op_case *c, struct op_io *ret_io)
{
    slots_map(c, c->p[P_ROWS], c->p[P_COLS], c->p[P_ROWS], c->p[P_COLS], ret_io);
}

/* Maximum, difference, exponential (as 8), sum, scaling; masked columns cost as the others do. */
static void softmax_cost(const struct op_case *c, double *ret_macs, double *ret_ops)
{
    *ret_macs = 0;
    *ret_ops = 12 * (double)c->p[P_ROWS] * (double)c->p[P_COLS];
}

static int softmax_launch(const struct op_case *c, const struct op_variant *v,
                          const struct device_info *dev, struct op_launch *ret_launch,
                          struct err *err)
{
    int rc = rows_launch(c, v, dev, ret_launch, err);

    if (rc == 0)
        OP_INTS(ret_launch, c->p[P_CAUSAL]);
    return rc;
}

static void softmax_reference(const struct op_case *c, const double *const *in, double *out)
{
    int64_t cols = c->p[P_COLS], period = c->p[P_CAUSAL];

    for (int64_t r = 0; r < c->p[P_ROWS]; r++) {
        const double *x = in[0] + r * cols;
        double *y = out + r * cols, top = -INFINITY, sum = 0;
        int64_t end = period && r % period + 1 < cols ? r % period + 1 : cols;

        for (int64_t i = 0; i < end; i++)
            top = fmax(top, x[i]);
        for (int64_t i = 0; i < end; i++)
            sum += y[i] = exp(x[i] - top);
        for (int64_t i = 0; i < cols; i++)
            y[i] = i < end ? y[i] / sum : 0;
    }
}

/* exp() within 3 ulp of its argument, which is rounded: up to 4 * 2^-24 here. The sum: a strand
 * adds cols / 512 numbers one by one, each rounding up to 2^-24 of the sum (98 for a vocabulary of
 * 50257), but they average out. f16: half an ulp, 2^-11, on top. */
const struct op op_softmax = {
    .name = "softmax",
    .summary = "y[r,c] = exp(x[r,c] - max_r) / sum_r, columns c > r % causal masked",
    .class = OP_HIERARCHICAL,
    .params = {{"rows", 0, 1, 1 << 26, NULL, "rows of x and y"},
               {"cols", 0, 1, 1 << 26, NULL, "elements of a row"},
               {"causal", 0, 0, 1 << 26, NULL, "row r sees columns 0..r % causal; 0: all"}},
    .kernels = {ROWS_KERNEL("direct", "softmax.cl")},
    .tol_f32 = 2e-6,
    .tol_f16 = 5e-4,
    .io = softmax_io,
    .cost = softmax_cost,
    .prefer = rows_prefer,
    .launch = softmax_launch,
    .reference = softmax_reference,
};
