/* y = f(x), element by element: relu, gelu. Kernel: kernels/unary.cl. */
#include <stdio.h>

#include "operators/activation.h"
#include "operators/grid.h"
#include "operators/op.h"

enum { P_ROWS, P_COLS, P_APPROX };

enum { APPROX_ERF, APPROX_TANH };
static const char *const approx_names[] = {"erf", "tanh", NULL};

static void unary_io(const struct op_case *c, struct op_io *ret_io)
{
    struct tensor_desc d = {.rows = c->p[P_ROWS], .cols = c->p[P_COLS], .dtype = c->dtype};

    *ret_io = (struct op_io){2, {{"x", ROLE_INPUT, d}, {"y", ROLE_OUTPUT, d}}};
}

static void relu_cost(const struct op_case *c, double *ret_macs, double *ret_ops)
{
    *ret_macs = 0;
    *ret_ops = (double)c->p[P_ROWS] * (double)c->p[P_COLS];
}

/* Some ten operations each: a polynomial or an exponential and a division. */
static void gelu_cost(const struct op_case *c, double *ret_macs, double *ret_ops)
{
    *ret_macs = 0;
    *ret_ops = 10 * (double)c->p[P_ROWS] * (double)c->p[P_COLS];
}

static void unary_prefer(const struct op_case *c, const struct device_info *dev,
                         struct op_variant *v)
{
    v->tunable[0] = 4;
    grid_prefer(dev, (c->p[P_COLS] + 3) / 4, (c->p[P_ROWS] + 3) / 4, v->lws);
}

static int unary_launch(const struct op_case *c, const struct op_variant *v,
                        struct op_launch *ret_launch, const char *function)
{
    int64_t rows = c->p[P_ROWS], ct = (c->p[P_COLS] + 3) / 4, vec = v->tunable[0];
    struct op_launch l = {.gws = {(size_t)ct, (size_t)((rows + vec - 1) / vec)},
                          .n_ints = 2,
                          .ints = {(int)rows, (int)ct}};

    snprintf(l.options, sizeof l.options, "-D%s", function);
    *ret_launch = l;
    return 0;
}

static int relu_launch(const struct op_case *c, const struct op_variant *v,
                       const struct device_info *dev, struct op_launch *ret_launch, struct err *err)
{
    (void)dev;
    (void)err;
    return unary_launch(c, v, ret_launch, "RELU");
}

static int gelu_launch(const struct op_case *c, const struct op_variant *v,
                       const struct device_info *dev, struct op_launch *ret_launch, struct err *err)
{
    (void)dev;
    (void)err;
    return unary_launch(c, v, ret_launch, c->p[P_APPROX] == APPROX_TANH ? "GELU_TANH" : "GELU_ERF");
}

static void relu_reference(const struct op_case *c, const double *const *in, double *out)
{
    for (int64_t i = 0; i < c->p[P_ROWS] * c->p[P_COLS]; i++)
        out[i] = activation_value(ACT_RELU, in[0][i]);
}

static void gelu_reference(const struct op_case *c, const double *const *in, double *out)
{
    int act = c->p[P_APPROX] == APPROX_TANH ? ACT_GELU_TANH : ACT_GELU;

    for (int64_t i = 0; i < c->p[P_ROWS] * c->p[P_COLS]; i++)
        out[i] = activation_value(act, in[0][i]);
}

#define UNARY_PARAMS                                                                               \
    {"rows", 0, 1, 1 << 26, NULL, "rows of x and y"},                                              \
    {                                                                                              \
        "cols", 0, 1, 1 << 26, NULL, "elements of a row"                                           \
    }

#define UNARY_KERNELS                                                                              \
    {                                                                                              \
        {                                                                                          \
            .name = "direct", .source = "unary.cl",                                                \
            .forms = 1u << FORM_NAIVE | 1u << FORM_BRANCHING | 1u << FORM_PIPELINED, .tunables = { \
                {"VT", 4, 4, {1, 2, 4, 8, 16}, "texels of an item, one below the other"}           \
            }                                                                                      \
        }                                                                                          \
    }

const struct op op_relu = {
    .name = "relu",
    .summary = "y[r,c] = max(x[r,c], 0)",
    .class = OP_ELEMENTAL,
    .params = {UNARY_PARAMS},
    .kernels = UNARY_KERNELS,
    .tol_f32 = 1e-30, /* nothing is rounded: inputs come out again, or 0 */
    .tol_f16 = 1e-30,
    .io = unary_io,
    .cost = relu_cost,
    .prefer = unary_prefer,
    .launch = relu_launch,
    .reference = relu_reference,
};

/* OpenCL 1.2, 7.4: erfc() within 16 ulp of 6e-8, exp() within 3, and its argument's own rounding
 * error times |argument| (up to 4 here). f16: half an ulp, 2^-11 = 4.9e-4, on top. */
const struct op op_gelu = {
    .name = "gelu",
    .summary = "y[r,c] = x Phi(x), exactly (erf) or as GPT-2 has it (tanh)",
    .class = OP_ELEMENTAL,
    .params = {UNARY_PARAMS,
               {"approx", APPROX_ERF, 0, 1, approx_names, "formula: erf, or tanh's approximation"}},
    .kernels = UNARY_KERNELS,
    .tol_f32 = 4e-6,
    .tol_f16 = 6e-4,
    .io = unary_io,
    .cost = gelu_cost,
    .prefer = unary_prefer,
    .launch = gelu_launch,
    .reference = gelu_reference,
};
