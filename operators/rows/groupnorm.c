/* Group normalisation of a feature map, with an activation. Kernel: kernels/groupnorm.cl. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>

#include "operators/activation.h"
#include "operators/rows/rows.h"

enum { P_ROWS, P_C, P_GROUPS, P_EPS_EXP, P_ACT };
enum { SPLIT_MAX = 16 };

static int groupnorm_check(const struct op_case *c, struct err *err)
{
    if (c->p[P_C] % c->p[P_GROUPS])
        return err_set(err, -EINVAL,
                       "groupnorm: groups wants a divisor of %" PRId64 " (c), got '%" PRId64 "'",
                       c->p[P_C], c->p[P_GROUPS]);
    return 0;
}

static void groupnorm_io(const struct op_case *c, struct op_io *ret_io)
{
    slots_by_column(c, c->p[P_ROWS], c->p[P_C], "gamma", "beta", ret_io);
}

/* Sum, difference, square and sum, scaling, multiply and add. */
static void groupnorm_cost(const struct op_case *c, double *ret_macs, double *ret_ops)
{
    *ret_macs = 0;
    *ret_ops = (7 + activation_ops((int)c->p[P_ACT])) * (double)c->p[P_ROWS] * (double)c->p[P_C];
}

/* Texels of the fewest groups of columns that are whole texels. */
static int64_t bundle_texels(const struct op_case *c)
{
    int64_t size = c->p[P_C] / c->p[P_GROUPS];

    return size % 4 == 0 ? size / 4 : size % 2 == 0 ? size / 2 : size;
}

static void groupnorm_prefer(const struct op_case *c, const struct device_info *dev,
                             struct op_variant *v)
{
    int64_t bundle = bundle_texels(c), turns = (bundle + 15) / 16;
    int64_t bundles = (c->p[P_C] + 4 * bundle - 1) / (4 * bundle);
    bool cpu = dev->type == DEVICE_CPU;

    v->tunable[0] = 1;
    v->lws[0] = cpu ? 1 : (int)((bundle + turns - 1) / turns);
    v->lws[1] = cpu ? 1 : (uint64_t)v->lws[0] * 64 <= dev->max_group ? 64 : 8;
    while (!cpu && v->tunable[0] < SPLIT_MAX && 2 * v->tunable[0] * bundles <= dev->compute_units &&
           2 * v->tunable[0] * v->lws[1] <= c->p[P_ROWS])
        v->tunable[0] *= 2;
}

static int groupnorm_launch(const struct op_case *c, const struct op_variant *v,
                            const struct device_info *dev, struct op_launch *ret_launch,
                            struct err *err)
{
    int64_t rows = c->p[P_ROWS], cols = c->p[P_C], ct = (cols + 3) / 4, bundle = bundle_texels(c);
    uint64_t local = (uint64_t)bundle * 64 + (uint64_t)v->lws[0] * (uint64_t)v->lws[1] * 16;
    struct op_launch l = {.gws = {(size_t)((ct + bundle - 1) / bundle) * (size_t)v->lws[0],
                                  (size_t)v->lws[1] * (size_t)v->tunable[0]},
                          .n_ints = 4,
                          .ints = {(int)rows, (int)cols, (int)ct, (int)(cols / c->p[P_GROUPS])}};
    int rc;

    rc = columns_options(c, v, dev, 1, &l, err);
    if (rc < 0)
        return rc;
    if (local > dev->local_bytes)
        return err_set(err, -EINVAL,
                       "groupnorm: groups of %d columns want %" PRIu64
                       " bytes of local memory, '%s' has %" PRIu64,
                       l.ints[3], local, dev->name, dev->local_bytes);
    op_text_append(l.options, sizeof l.options, " -DBUNDLE=%d -DEPS=1e-%df -DACT=%d", (int)bundle,
                   (int)c->p[P_EPS_EXP], (int)c->p[P_ACT]);
    *ret_launch = l;
    return 0;
}

static void groupnorm_reference(const struct op_case *c, const double *const *in, double *out)
{
    int64_t rows = c->p[P_ROWS], cols = c->p[P_C], size = cols / c->p[P_GROUPS];
    double eps = pow(10, -(double)c->p[P_EPS_EXP]), n = (double)(rows * size);

    for (int64_t from = 0; from < cols; from += size) {
        double mean = 0, variance = 0;

        for (int64_t r = 0; r < rows; r++)
            for (int64_t i = from; i < from + size; i++)
                mean += in[0][r * cols + i] / n;
        for (int64_t r = 0; r < rows; r++)
            for (int64_t i = from; i < from + size; i++)
                variance += (in[0][r * cols + i] - mean) * (in[0][r * cols + i] - mean) / n;
        for (int64_t r = 0; r < rows; r++)
            for (int64_t i = from; i < from + size; i++)
                out[r * cols + i] = activation_value(
                    (int)c->p[P_ACT],
                    (in[0][r * cols + i] - mean) / sqrt(variance + eps) * in[1][i] + in[2][i]);
    }
}

/* As layernorm's. */
const struct op op_groupnorm = {
    .name = "groupnorm",
    .summary = "y[r,c] = act((x[r,c] - mean_g) / sqrt(var_g + eps) * gamma[c] + beta[c])",
    .class = OP_HIERARCHICAL,
    .params = {{"rows", 0, 1, 1 << 26, NULL, "pixels"},
               {"c", 0, 1, 1 << 20, NULL, "channels"},
               {"groups", 0, 1, 1 << 20, NULL, "groups of neighbouring channels: a divisor of c"},
               {"eps_exp", 5, 1, 30, NULL, "eps = 10^-eps_exp"},
               ACTIVATION_PARAM},
    .kernels = {{.name = "direct",
                 .source = "groupnorm.cl",
                 .shared = "columns.cl",
                 .forms = OP_ALL_FORMS,
                 .tunables = {{"SPLIT",
                               1,
                               4,
                               {1, 2, 4, 8, SPLIT_MAX},
                               "work groups that share the rows of a bundle",
                               true}}}},
    .tol_f32 = 4e-6,
    .tol_f16 = 5e-4,
    .check = groupnorm_check,
    .io = groupnorm_io,
    .cost = groupnorm_cost,
    .prefer = groupnorm_prefer,
    .launch = groupnorm_launch,
    .reference = groupnorm_reference,
};
