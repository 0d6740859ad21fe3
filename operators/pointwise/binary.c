/* y = act(a op b), b broadcast over rows or columns, from one table. Kernel: kernels/binary.cl. */
#include <errno.h>
#include <math.h>

#include "operators/activation.h"
#include "operators/pointwise/pointwise.h"

enum { P_ROWS, P_COLS, P_BROWS, P_BCOLS, P_B, P_ACT, P_SWAP };

enum { B_INPUT, B_WEIGHT, B_VECTOR };
static const char *const b_names[] = {"input", "weight", "vector", NULL};

static int binary_check(const struct op_case *c, struct err *err)
{
    const int64_t *p = c->p;

    if (p[P_ROWS] % p[P_BROWS])
        return err_set(err, -EINVAL,
                       "%s: brows wants a divisor of %" PRId64 " (rows), got '%" PRId64 "'",
                       c->op->name, p[P_ROWS], p[P_BROWS]);
    if (p[P_BCOLS] != 1 && p[P_BCOLS] != p[P_COLS])
        return err_set(err, -EINVAL, "%s: bcols wants 1 or %" PRId64 " (cols), got '%" PRId64 "'",
                       c->op->name, p[P_COLS], p[P_BCOLS]);
    if (p[P_B] == B_VECTOR && p[P_BROWS] != 1)
        return err_set(err, -EINVAL, "%s: b=vector wants brows=1, got '%" PRId64 "'", c->op->name,
                       p[P_BROWS]);
    return 0;
}

static void binary_io(const struct op_case *c, struct op_io *ret_io)
{
    static const enum op_role roles[] = {ROLE_INPUT, ROLE_WEIGHT, ROLE_VECTOR};
    struct tensor_desc d = {.rows = c->p[P_ROWS], .cols = c->p[P_COLS], .dtype = c->dtype};
    struct tensor_desc b = {.rows = c->p[P_BROWS], .cols = c->p[P_BCOLS], .dtype = c->dtype};

    *ret_io = (struct op_io){
        3, {{"a", ROLE_INPUT, d}, {"b", roles[c->p[P_B]], b}, {"y", ROLE_OUTPUT, d}}};
}

static void binary_cost(const struct op_case *c, double *ret_macs, double *ret_ops)
{
    *ret_macs = 0;
    *ret_ops = (1 + activation_ops((int)c->p[P_ACT])) * (double)c->p[P_ROWS] * (double)c->p[P_COLS];
}

static int binary_launch(const struct op_case *c, const struct op_variant *v,
                         struct op_launch *ret_launch, const char *function)
{
    const int64_t *p = c->p;
    pointwise_launch(c, v, ret_launch);
    ret_launch->ints[ret_launch->n_ints++] = (int)p[P_BROWS];
    op_text_append(ret_launch->options, sizeof ret_launch->options,
                   " -D%s -DBROW=%d -DBCOL=%d -DBVECTOR=%d -DACT=%d -DSWAP=%d", function,
                   p[P_BROWS] == p[P_ROWS] ? 0
                   : p[P_BROWS] == 1       ? 1
                                           : 2,
                   p[P_BCOLS] != p[P_COLS], p[P_B] == B_VECTOR, (int)p[P_ACT], (int)p[P_SWAP]);
    return 0;
}

static void binary_reference(const struct op_case *c, const double *const *in, double *out,
                             double (*f)(double, double))
{
    int64_t cols = c->p[P_COLS], brows = c->p[P_BROWS], bcols = c->p[P_BCOLS];

    for (int64_t i = 0; i < c->p[P_ROWS] * cols; i++) {
        double a = in[0][i], b = in[1][i / cols % brows * bcols + (bcols == 1 ? 0 : i % cols)];

        out[i] = activation_value((int)c->p[P_ACT], c->p[P_SWAP] ? f(b, a) : f(a, b));
    }
}

static double add(double a, double b)
{
    return a + b;
}

static double sub(double a, double b)
{
    return a - b;
}

static double mul(double a, double b)
{
    return a * b;
}

static double quotient(double a, double b)
{
    return a / b;
}

static double max(double a, double b)
{
    return isnan(a) || isnan(b) ? NAN : fmax(a, b);
}

static double min(double a, double b)
{
    return isnan(a) || isnan(b) ? NAN : fmin(a, b);
}

#define BINARY(id, c_name, cl_name, formula)                                                       \
    static int id##_launch(const struct op_case *c, const struct op_variant *v,                    \
                           const struct device_info *dev, struct op_launch *ret_launch,            \
                           struct err *err)                                                        \
    {                                                                                              \
        (void)dev;                                                                                 \
        (void)err;                                                                                 \
        return binary_launch(c, v, ret_launch, cl_name);                                           \
    }                                                                                              \
    static void id##_reference(const struct op_case *c, const double *const *in, double *out)      \
    {                                                                                              \
        binary_reference(c, in, out, c_name);                                                      \
    }                                                                                              \
    const struct op op_##id = {                                                                    \
        .name = #id,                                                                               \
        .summary = "y[r,c] = act(" formula "), b broadcast over rows or columns",                  \
        .class = OP_ELEMENTAL,                                                                     \
        .params = {POINTWISE_SHAPE,                                                                \
                   {"brows", 0, 1, 1 << 26, NULL, "rows of b: a divisor of rows, repeated"},       \
                   {"bcols", 0, 1, 1 << 26, NULL, "elements of a row of b: 1 or cols"},            \
                   {"b", B_INPUT, 0, 2, b_names, "where b comes from"},                            \
                   ACTIVATION_PARAM,                                                               \
                   {"swap", 0, 0, 1, NULL, "1: b stands before a"}},                               \
        .kernels = POINTWISE_KERNELS("binary.cl"),                                                 \
        .tol_f32 = 5e-7,                                                                           \
        .tol_f16 = 5e-4,                                                                           \
        .check = binary_check,                                                                     \
        .io = binary_io,                                                                           \
        .cost = binary_cost,                                                                       \
        .prefer = pointwise_prefer,                                                                \
        .launch = id##_launch,                                                                     \
        .reference = id##_reference,                                                               \
    };

/* Half an ulp of one operation, 2.5 of a division (OpenCL 1.2, 7.4), 4 of an activation; f16: half
 * an ulp, 2^-11, on top. */
BINARY(add, add, "ADD", "a[r,c] + b[r,c]")
BINARY(mul, mul, "MUL", "a[r,c] * b[r,c]")
BINARY(sub, sub, "SUB", "a[r,c] - b[r,c]")
BINARY(div, quotient, "DIV", "a[r,c] / b[r,c]")
BINARY(max, max, "MAX", "max(a[r,c], b[r,c])")
BINARY(min, min, "MIN", "min(a[r,c], b[r,c])")
