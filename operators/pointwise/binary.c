/* y = a op b, b broadcast over rows or columns: add, mul. Kernel: kernels/binary.cl. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "operators/grid.h"
#include "operators/op.h"

enum { P_ROWS, P_COLS, P_BROWS, P_BCOLS, P_B };

enum { B_INPUT, B_WEIGHT, B_VECTOR };
static const char *const b_names[] = {"input", "weight", "vector", NULL};

static int binary_check(const struct op_case *c, struct err *err)
{
    const int64_t *p = c->p;

    if (p[P_BROWS] != 1 && p[P_BROWS] != p[P_ROWS])
        return err_set(err, -EINVAL, "%s: brows wants 1 or %" PRId64 " (rows), got '%" PRId64 "'",
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
    *ret_ops = (double)c->p[P_ROWS] * (double)c->p[P_COLS];
}

static void binary_prefer(const struct op_case *c, const struct device_info *dev,
                          struct op_variant *v)
{
    v->tunable[0] = 4;
    grid_prefer(dev, (c->p[P_COLS] + 3) / 4, (c->p[P_ROWS] + 3) / 4, v->lws);
}

static int binary_launch(const struct op_case *c, const struct op_variant *v,
                         struct op_launch *ret_launch, const char *function)
{
    int64_t rows = c->p[P_ROWS], cols = c->p[P_COLS], ct = (cols + 3) / 4, vt = v->tunable[0];
    struct op_launch l = {.gws = {(size_t)ct, (size_t)((rows + vt - 1) / vt)},
                          .n_ints = 3,
                          .ints = {(int)rows, (int)cols, (int)ct}};

    snprintf(l.options, sizeof l.options, "-D%s -DBROW=%d -DBCOL=%d -DBVECTOR=%d", function,
             c->p[P_BROWS] == 1, c->p[P_BCOLS] == 1, c->p[P_B] == B_VECTOR);
    *ret_launch = l;
    return 0;
}

static int add_launch(const struct op_case *c, const struct op_variant *v,
                      const struct device_info *dev, struct op_launch *ret_launch, struct err *err)
{
    (void)dev;
    (void)err;
    return binary_launch(c, v, ret_launch, "ADD");
}

static int mul_launch(const struct op_case *c, const struct op_variant *v,
                      const struct device_info *dev, struct op_launch *ret_launch, struct err *err)
{
    (void)dev;
    (void)err;
    return binary_launch(c, v, ret_launch, "MUL");
}

static double b_element(const struct op_case *c, const double *b, int64_t row, int64_t col)
{
    int64_t r = c->p[P_BROWS] == 1 ? 0 : row, k = c->p[P_BCOLS] == 1 ? 0 : col;

    return b[r * c->p[P_BCOLS] + k];
}

static void add_reference(const struct op_case *c, const double *const *in, double *out)
{
    int64_t cols = c->p[P_COLS];

    for (int64_t i = 0; i < c->p[P_ROWS] * cols; i++)
        out[i] = in[0][i] + b_element(c, in[1], i / cols, i % cols);
}

static void mul_reference(const struct op_case *c, const double *const *in, double *out)
{
    int64_t cols = c->p[P_COLS];

    for (int64_t i = 0; i < c->p[P_ROWS] * cols; i++)
        out[i] = in[0][i] * b_element(c, in[1], i / cols, i % cols);
}

#define BINARY_PARAMS                                                                              \
    {                                                                                              \
        {"rows", 0, 1, 1 << 26, NULL, "rows of a and y"},                                          \
            {"cols", 0, 1, 1 << 26, NULL, "elements of a row"},                                    \
            {"brows", 0, 1, 1 << 26, NULL, "rows of b: 1 or rows"},                                \
            {"bcols", 0, 1, 1 << 26, NULL, "elements of a row of b: 1 or cols"},                   \
        {                                                                                          \
            "b", B_INPUT, 0, 2, b_names, "where b comes from: an activation or a weight"           \
        }                                                                                          \
    }

#define BINARY_KERNELS                                                                             \
    {                                                                                              \
        {                                                                                          \
            .name = "direct", .source = "binary.cl",                                               \
            .forms = 1u << FORM_NAIVE | 1u << FORM_BRANCHING | 1u << FORM_PIPELINED, .tunables = { \
                {"VT", 4, 4, {1, 2, 4, 8, 16}, "texels of an item, one below the other"}           \
            }                                                                                      \
        }                                                                                          \
    }

/* One correctly rounded operation: half an ulp, 2^-24 and 2^-11 of the element. */
const struct op op_add = {
    .name = "add",
    .summary = "y[r,c] = a[r,c] + b[r,c], b broadcast over rows or columns",
    .class = OP_ELEMENTAL,
    .params = BINARY_PARAMS,
    .kernels = BINARY_KERNELS,
    .tol_f32 = 6.1e-8,
    .tol_f16 = 4.9e-4,
    .check = binary_check,
    .io = binary_io,
    .cost = binary_cost,
    .prefer = binary_prefer,
    .launch = add_launch,
    .reference = add_reference,
};

const struct op op_mul = {
    .name = "mul",
    .summary = "y[r,c] = a[r,c] * b[r,c], b broadcast over rows or columns",
    .class = OP_ELEMENTAL,
    .params = BINARY_PARAMS,
    .kernels = BINARY_KERNELS,
    .tol_f32 = 6.1e-8,
    .tol_f16 = 4.9e-4,
    .check = binary_check,
    .io = binary_io,
    .cost = binary_cost,
    .prefer = binary_prefer,
    .launch = mul_launch,
    .reference = mul_reference,
};
