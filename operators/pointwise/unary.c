/* y = f(x), element by element, from one table. Kernel: kernels/unary.cl; functions: math.cl. */
#include <math.h>

#include "operators/activation.h"
#include "operators/pointwise/pointwise.h"

enum { P_ROWS, P_COLS, P_APPROX };

enum { APPROX_ERF, APPROX_TANH };
static const char *const approx_names[] = {"erf", "tanh", NULL};

static void unary_io(const struct op_case *c, struct op_io *ret_io)
{
    slots_map(c, c->p[P_ROWS], c->p[P_COLS], c->p[P_ROWS], c->p[P_COLS], ret_io);
}

static int unary_launch(const struct op_case *c, const struct op_variant *v,
                        struct op_launch *ret_launch, const char *function, bool zero)
{
    pointwise_launch(c, v, ret_launch);
    op_text_append(ret_launch->options, sizeof ret_launch->options, " -DF=%s -DZERO=%d", function,
                   zero);
    return 0;
}

static void unary_cost(const struct op_case *c, int ops, double *ret_macs, double *ret_ops)
{
    *ret_macs = 0;
    *ret_ops = ops * (double)c->p[P_ROWS] * (double)c->p[P_COLS];
}

static void unary_reference(const struct op_case *c, const double *x, double *y,
                            double (*f)(double))
{
    for (int64_t i = 0; i < c->p[P_ROWS] * c->p[P_COLS]; i++)
        y[i] = f(x[i]);
}

static double relu(double x)
{
    return activation_value(ACT_RELU, x);
}

static double gelu(double x)
{
    return activation_value(ACT_GELU, x);
}

static double gelu_tanh(double x)
{
    return activation_value(ACT_GELU_TANH, x);
}

static double silu(double x)
{
    return activation_value(ACT_SILU, x);
}

static double sigmoid(double x)
{
    return activation_value(ACT_SIGMOID, x);
}

static double neg(double x)
{
    return -x;
}

static double recip(double x)
{
    return 1 / x;
}

/* One function: its name here and in OpenCL, whether f(0) = 0, operations an element. */
#define UNARY(id, c_name, cl_name, zero, n_ops, formula, tolerance)                                \
    static void id##_cost(const struct op_case *c, double *ret_macs, double *ret_ops)              \
    {                                                                                              \
        unary_cost(c, n_ops, ret_macs, ret_ops);                                                   \
    }                                                                                              \
    static int id##_launch(const struct op_case *c, const struct op_variant *v,                    \
                           const struct device_info *dev, struct op_launch *ret_launch,            \
                           struct err *err)                                                        \
    {                                                                                              \
        (void)dev;                                                                                 \
        (void)err;                                                                                 \
        return unary_launch(c, v, ret_launch, cl_name, zero);                                      \
    }                                                                                              \
    static void id##_reference(const struct op_case *c, const double *const *in, double *out)      \
    {                                                                                              \
        unary_reference(c, in[0], out, c_name);                                                    \
    }                                                                                              \
    const struct op op_##id = {                                                                    \
        .name = #id,                                                                               \
        .summary = "y[r,c] = " formula,                                                            \
        .class = OP_ELEMENTAL,                                                                     \
        .params = {POINTWISE_SHAPE},                                                               \
        .kernels = POINTWISE_KERNELS("unary.cl"),                                                  \
        tolerance,                                                                                 \
        .io = unary_io,                                                                            \
        .cost = id##_cost,                                                                         \
        .prefer = pointwise_prefer,                                                                \
        .launch = id##_launch,                                                                     \
        .reference = id##_reference,                                                               \
    };

/* EXACT: nothing is rounded. CLOSE: within 4 ulp of a row's greatest, math.cl's functions
 * (tests/test_math.c) and OpenCL's built-in ones (1.2, 7.4); f16: half an ulp, 2^-11, on top. */
#define EXACT .tol_f32 = 1e-30, .tol_f16 = 1e-30
#define CLOSE .tol_f32 = 5e-7, .tol_f16 = 5e-4

UNARY(relu, relu, "fn_relu", true, 1, "max(x[r,c], 0)", EXACT)
UNARY(abs, fabs, "fn_abs", true, 1, "|x[r,c]|", EXACT)
UNARY(neg, neg, "fn_neg", true, 1, "-x[r,c]", EXACT)
UNARY(recip, recip, "fn_recip", false, 1, "1 / x[r,c]", CLOSE)
UNARY(sqrt, sqrt, "sqrt", true, 1, "sqrt(x[r,c])", CLOSE)
UNARY(exp, exp, "fn_exp", false, 10, "exp(x[r,c])", CLOSE)
UNARY(log, log, "log", false, 10, "ln(x[r,c])", CLOSE)
UNARY(sin, sin, "sin", true, 10, "sin(x[r,c])", CLOSE)
UNARY(cos, cos, "cos", false, 10, "cos(x[r,c])", CLOSE)
UNARY(erf, erf, "fn_erf", true, 10, "erf(x[r,c])", CLOSE)
UNARY(tanh, tanh, "fn_tanh", true, 10, "tanh(x[r,c])", CLOSE)
UNARY(sigmoid, sigmoid, "fn_sigmoid", false, 10, "1 / (1 + exp(-x[r,c]))", CLOSE)
UNARY(silu, silu, "fn_silu", true, 10, "x[r,c] / (1 + exp(-x[r,c]))", CLOSE)

/* ---- gelu, which has two formulas ---- */

static void gelu_cost(const struct op_case *c, double *ret_macs, double *ret_ops)
{
    unary_cost(c, 10, ret_macs, ret_ops);
}

static int gelu_launch(const struct op_case *c, const struct op_variant *v,
                       const struct device_info *dev, struct op_launch *ret_launch, struct err *err)
{
    (void)dev;
    (void)err;
    return unary_launch(c, v, ret_launch,
                        c->p[P_APPROX] == APPROX_TANH ? "fn_gelu_tanh" : "fn_gelu", true);
}

static void gelu_reference(const struct op_case *c, const double *const *in, double *out)
{
    unary_reference(c, in[0], out, c->p[P_APPROX] == APPROX_TANH ? gelu_tanh : gelu);
}

const struct op op_gelu = {
    .name = "gelu",
    .summary = "y[r,c] = x Phi(x), exactly (erf) or as GPT-2 has it (tanh)",
    .class = OP_ELEMENTAL,
    .params = {POINTWISE_SHAPE,
               {"approx", APPROX_ERF, 0, 1, approx_names, "formula: erf, or tanh's approximation"}},
    .kernels = POINTWISE_KERNELS("unary.cl"),
    CLOSE,
    .io = unary_io,
    .cost = gelu_cost,
    .prefer = pointwise_prefer,
    .launch = gelu_launch,
    .reference = gelu_reference,
};
