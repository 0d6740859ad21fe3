/* Sums, means, maxima and minima of rows or columns. Kernels: kernels/reduce_cols.cl,
 * kernels/reduce_rows.cl. */
#include <errno.h>
#include <math.h>

#include "operators/rows/rows.h"

enum { P_ROWS, P_COLS, P_KIND, P_AXIS };
enum { KIND_SUM, KIND_MEAN, KIND_MAX, KIND_MIN };
enum { AXIS_ROWS, AXIS_COLS };
enum { KERNEL_ALONG, KERNEL_DOWN };
static const char *const kind_names[] = {"sum", "mean", "max", "min", NULL};
static const char *const kind_macros[] = {"SUM", "MEAN", "MAX", "MIN"};
static const char *const axis_names[] = {"rows", "cols", NULL};

static void reduce_io(const struct op_case *c, struct op_io *ret_io)
{
    bool along = c->p[P_AXIS] == AXIS_COLS;
    int64_t rows = c->p[P_ROWS], cols = c->p[P_COLS];

    slots_map(c, rows, cols, along ? rows : 1, along ? 1 : cols, ret_io);
}

static void reduce_cost(const struct op_case *c, double *ret_macs, double *ret_ops)
{
    *ret_macs = 0;
    *ret_ops = (double)c->p[P_ROWS] * (double)c->p[P_COLS];
}

static void reduce_prefer(const struct op_case *c, const struct device_info *dev,
                          struct op_variant *v)
{
    bool cpu = dev->type == DEVICE_CPU;
    int64_t ct = (c->p[P_COLS] + 3) / 4;

    if (c->p[P_AXIS] == AXIS_COLS) {
        v->kernel = KERNEL_ALONG;
        rows_prefer(c, dev, v);
        return;
    }
    v->kernel = KERNEL_DOWN;
    v->tunable[0] = cpu && ct >= 32 ? 4 : 1;
    v->lws[0] = cpu ? 1 : 8;
    v->lws[1] = cpu ? 1 : 32;
}

static int reduce_launch(const struct op_case *c, const struct op_variant *v,
                         const struct device_info *dev, struct op_launch *ret_launch,
                         struct err *err)
{
    int64_t rows = c->p[P_ROWS], cols = c->p[P_COLS], ct = (cols + 3) / 4, vt = v->tunable[0];
    struct op_launch l = {.gws = {(size_t)((ct + vt - 1) / vt), (size_t)v->lws[1]},
                          .n_ints = 3,
                          .ints = {(int)rows, (int)cols, (int)ct}};
    int rc;

    if ((v->kernel == KERNEL_ALONG) != (c->p[P_AXIS] == AXIS_COLS))
        return err_set(err, -EINVAL, "reduce: kernel '%s' is for the other axis",
                       c->op->kernels[v->kernel].name);
    if (v->kernel == KERNEL_ALONG)
        rc = rows_launch(c, v, dev, &l, err);
    else
        rc = columns_options(c, v, dev, (int)vt, &l, err);
    if (rc < 0)
        return rc;
    op_text_append(l.options, sizeof l.options, " -D%s", kind_macros[c->p[P_KIND]]);
    *ret_launch = l;
    return 0;
}

static double start(int64_t kind)
{
    return kind == KIND_MAX ? -INFINITY : kind == KIND_MIN ? INFINITY : 0;
}

static double join(int64_t kind, double a, double b)
{
    if (isnan(a) || isnan(b))
        return NAN;
    return kind == KIND_MAX ? fmax(a, b) : kind == KIND_MIN ? fmin(a, b) : a + b;
}

static void reduce_reference(const struct op_case *c, const double *const *in, double *out)
{
    int64_t rows = c->p[P_ROWS], cols = c->p[P_COLS], kind = c->p[P_KIND];
    bool along = c->p[P_AXIS] == AXIS_COLS;
    int64_t results = along ? rows : cols, terms = along ? cols : rows;

    for (int64_t i = 0; i < results; i++) {
        out[i] = start(kind);
        for (int64_t j = 0; j < terms; j++)
            out[i] = join(kind, out[i], in[0][along ? i * cols + j : j * cols + i]);
        if (kind == KIND_MEAN)
            out[i] /= (double)terms;
    }
}

/* Sums of n numbers up to 2: strands of n / 64 (CPU) terms, each rounding by 2^-25 of the strand's
 * sum; relative to a sum that may be as small as its terms. f16: half an ulp, 2^-11, on top. */
const struct op op_reduce = {
    .name = "reduce",
    .summary = "y = sum, mean, max or min of x along its rows' elements or its columns'",
    .class = OP_HIERARCHICAL,
    .params = {{"rows", 0, 1, 1 << 26, NULL, "rows of x"},
               {"cols", 0, 1, 1 << 26, NULL, "elements of a row"},
               {"kind", KIND_SUM, 0, KIND_MIN, kind_names, "what is computed"},
               {"axis", AXIS_COLS, 0, AXIS_COLS, axis_names, "what goes: rows or columns"}},
    .kernels = {ROWS_KERNEL("along", "reduce_cols.cl"),
                {.name = "down",
                 .source = "reduce_rows.cl",
                 .shared = "columns.cl",
                 .forms = OP_ALL_FORMS,
                 .tunables = {{"VT", 4, 1, {1, 2, 4}, "texels of a vector"}}}},
    .tol_f32 = 1e-5,
    .tol_f16 = 6e-4,
    .io = reduce_io,
    .cost = reduce_cost,
    .prefer = reduce_prefer,
    .launch = reduce_launch,
    .reference = reduce_reference,
};
