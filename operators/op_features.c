/* What the regressor sees of a case and its variant. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "operators/op.h"

enum feature {
    F_OP,
    F_CLASS,
    F_ELEM_BYTES,
    F_PATH,
    F_KERNEL,
    F_FORM,
    F_LOADS,
    F_GWS_X,
    F_GWS_Y,
    F_LWS_X,
    F_LWS_Y,
    F_GROUPS,
    F_TILE_M,
    F_TILE_N,
    F_TILE_K,
    F_TILE_ROWS,
    F_VECTOR,
    F_MICRO,
    F_STAGES,
    F_SPLIT,
    F_ORDER,
    F_INPUT_BYTES,
    F_WEIGHT_BYTES,
    F_OUTPUT_BYTES,
    F_MACS,
    F_OPS,
    F_INTENSITY,
    F_INPUTS,
    F_X_COLS,
    F_Y_ROWS,
    F_Y_COLS,
    F_ROWS,
    F_COLS,
    F_DEPTH,
    F_BATCH,
    F_H,
    F_W,
    F_CIN,
    F_COUT,
    F_TAPS,
    F_STRIDE,
    F_STRIDE_W,
    F_CHANNEL_GROUPS,
    F_TA,
    F_TB,
    F_CAUSAL,
    F_RES,
    F_ACT,
    F_KIND,
    F_AXIS,
    F_WHOLE
};
_Static_assert(F_WHOLE + 1 == OP_FEATURES, "as many features as op.h says");

const char *const op_feature_names[OP_FEATURES] = {
    [F_OP] = "op", /* index in op_table */
    [F_CLASS] = "class",
    [F_ELEM_BYTES] = "elem_bytes",
    [F_PATH] = "path",
    [F_KERNEL] = "kernel",
    [F_FORM] = "form",
    [F_LOADS] = "n_loads",
    [F_GWS_X] = "log2_gws_x",
    [F_GWS_Y] = "log2_gws_y",
    [F_LWS_X] = "log2_lws_x",
    [F_LWS_Y] = "log2_lws_y",
    [F_GROUPS] = "log2_groups",  /* work groups */
    [F_TILE_M] = "tile_m",       /* rows of a block or an item */
    [F_TILE_N] = "tile_n",       /* its columns */
    [F_TILE_K] = "tile_k",       /* k staged at a time */
    [F_TILE_ROWS] = "tile_rows", /* rows that the pixels of an item lie in */
    [F_VECTOR] = "vector",
    [F_MICRO] = "micro", /* rows of a micro-kernel */
    [F_STAGES] = "stages",
    [F_SPLIT] = "split", /* runs of k in a group */
    [F_ORDER] = "order",
    [F_INPUT_BYTES] = "log2_input_bytes",
    [F_WEIGHT_BYTES] = "log2_weight_bytes",
    [F_OUTPUT_BYTES] = "log2_output_bytes",
    [F_MACS] = "log2_macs",
    [F_OPS] = "log2_ops",
    [F_INTENSITY] = "log2_intensity",
    [F_INPUTS] = "inputs", /* tensors that are read */
    [F_X_COLS] = "x_cols", /* of the first of them */
    [F_Y_ROWS] = "y_rows", /* of the output */
    [F_Y_COLS] = "y_cols",
    [F_ROWS] = "rows",
    [F_COLS] = "cols",
    [F_DEPTH] = "depth", /* terms of a sum; rows of a table */
    [F_BATCH] = "batch", /* products; heads of all members */
    [F_H] = "h",
    [F_W] = "w",
    [F_CIN] = "cin",
    [F_COUT] = "cout",         /* channels of y; of a head */
    [F_TAPS] = "taps",         /* of a filter; pixels of a window */
    [F_STRIDE] = "stride",     /* down */
    [F_STRIDE_W] = "stride_w", /* across */
    [F_CHANNEL_GROUPS] = "channel_groups",
    [F_TA] = "ta",
    [F_TB] = "tb",
    [F_CAUSAL] = "causal",
    [F_RES] = "res",
    [F_ACT] = "act",
    [F_KIND] = "kind", /* which of an operator's formulas */
    [F_AXIS] = "axis",
    [F_WHOLE] = "whole", /* 1: a layout operator moves whole texels */
};

struct meaning {
    const char *name;
    enum feature feature;
    const char *op; /* NULL: of all operators that have such a name */
};

/* What a name of a tunable or parameter means to the regressor; the first that fits. What has no
 * meaning here shows in the sizes of tensors or changes no time. */
static const struct meaning tunable_meanings[] = {
    {"TM", F_TILE_M, NULL},    {"BM", F_TILE_M, NULL},   {"TP", F_TILE_M, NULL},
    {"TN", F_TILE_N, NULL},    {"BN", F_TILE_N, NULL},   {"RUN", F_TILE_N, NULL},
    {"BK", F_TILE_K, NULL},    {"VT", F_VECTOR, NULL},   {"NR", F_VECTOR, NULL},
    {"TR", F_TILE_ROWS, NULL}, {"MR", F_MICRO, NULL},    {"STAGES", F_STAGES, NULL},
    {"SK", F_SPLIT, NULL},     {"SPLIT", F_SPLIT, NULL}, {"ORDER", F_ORDER, NULL},
    {"TURNS", F_MICRO, NULL},
};
static const struct meaning param_meanings[] = {
    {"n", F_INPUTS, "concat"},
    {"m", F_ROWS, NULL},
    {"rows", F_ROWS, NULL},
    {"t", F_ROWS, NULL},
    {"n", F_COLS, NULL},
    {"cols", F_COLS, NULL},
    {"k", F_DEPTH, NULL},
    {"d", F_DEPTH, NULL},
    {"vocab", F_DEPTH, NULL},
    {"batch", F_BATCH, NULL},
    {"heads", F_BATCH, NULL},
    {"h", F_H, NULL},
    {"w", F_W, NULL},
    {"c", F_CIN, NULL},
    {"cin", F_CIN, NULL},
    {"cout", F_COUT, NULL},
    {"dv", F_COUT, NULL},
    {"r", F_TAPS, NULL},
    {"s", F_TAPS, NULL},
    {"wh", F_TAPS, NULL},
    {"ww", F_TAPS, NULL},
    {"stride", F_STRIDE, NULL},
    {"stride_w", F_STRIDE_W, NULL},
    {"groups", F_CHANNEL_GROUPS, NULL},
    {"ta", F_TA, NULL},
    {"tb", F_TB, NULL},
    {"causal", F_CAUSAL, NULL},
    {"res", F_RES, NULL},
    {"act", F_ACT, NULL},
    {"kind", F_KIND, NULL},
    {"approx", F_KIND, NULL},
    {"axis", F_AXIS, NULL},
};

static float log2_or_nan(double v)
{
    return v > 0 ? (float)log2(v) : NAN;
}

/* Two parameters of one meaning, batch and heads, are multiplied. */
static void set_by_name(const struct meaning *meanings, size_t n, const char *op, const char *name,
                        int64_t value, float *x)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(meanings[i].name, name) == 0 &&
            (!meanings[i].op || strcmp(meanings[i].op, op) == 0)) {
            float *to = &x[meanings[i].feature];

            *to = isnan(*to) ? (float)value : *to * (float)value;
            return;
        }
}

static void tunable_features(const struct op_case *c, const struct op_variant *v, float *x)
{
    const struct op_kernel *k = &c->op->kernels[v->kernel];

    for (int i = 0; i < OP_MAX_TUNABLES && k->tunables[i].name; i++)
        set_by_name(tunable_meanings, sizeof tunable_meanings / sizeof *tunable_meanings,
                    c->op->name, k->tunables[i].name, v->tunable[i], x);
}

static void param_features(const struct op_case *c, float *x)
{
    for (int i = 0; i < OP_MAX_PARAMS && c->op->params[i].name; i++)
        set_by_name(param_meanings, sizeof param_meanings / sizeof *param_meanings, c->op->name,
                    c->op->params[i].name, c->p[i], x);
    if (!(x[F_STRIDE_W] >= 0)) /* -1, or no such parameter: as down */
        x[F_STRIDE_W] = x[F_STRIDE];
}

/* How a layout kernel was built to walk: texel by texel, or element by element. */
static float whole_texels(const struct op_launch *launch)
{
    const char *whole = strstr(launch->options, "-DWHOLE="),
               *columns = strstr(launch->options, "-DCOLUMNS=");

    return whole ? (float)atoi(whole + 8) : columns ? atoi(columns + 10) == 0 : NAN;
}

static void tensor_features(const struct op_case *c, float *x)
{
    struct op_io io = {0};

    c->op->io(c, &io);
    x[F_INPUTS] = (float)(io.n - 1);
    x[F_X_COLS] = io.n > 1 ? (float)io.slot[0].desc.cols : NAN;
    x[F_Y_ROWS] = (float)io.slot[io.n - 1].desc.rows;
    x[F_Y_COLS] = (float)io.slot[io.n - 1].desc.cols;
}

static void cost_features(const struct op_case *c, float *x)
{
    double macs = 0, ops = 0, weight = 0, bytes;
    struct op_io io = {0};

    c->op->io(c, &io);
    for (int i = 0; i < io.n; i++)
        if (io.slot[i].role == ROLE_WEIGHT || io.slot[i].role == ROLE_VECTOR)
            weight += (double)tensor_bytes(&io.slot[i].desc);
    c->op->cost(c, &macs, &ops);
    bytes = (double)(op_input_bytes(c) + op_output_bytes(c));
    x[F_INPUT_BYTES] = log2_or_nan((double)op_input_bytes(c));
    x[F_WEIGHT_BYTES] = log2_or_nan(weight);
    x[F_OUTPUT_BYTES] = log2_or_nan((double)op_output_bytes(c));
    x[F_MACS] = log2_or_nan(macs);
    x[F_OPS] = log2_or_nan(ops);
    x[F_INTENSITY] = log2_or_nan((2 * macs + ops) / bytes);
}

void op_features(const struct op_case *c, const struct op_variant *v,
                 const struct op_launch *launch, float ret_x[OP_FEATURES])
{
    double groups = 1;
    int index = 0;

    while (op_table[index] && op_table[index] != c->op)
        index++;
    for (int i = 0; i < OP_FEATURES; i++)
        ret_x[i] = NAN;
    ret_x[F_OP] = (float)index;
    ret_x[F_CLASS] = (float)c->op->class;
    ret_x[F_ELEM_BYTES] = (float)dtype_bytes(c->dtype);
    ret_x[F_PATH] = (float)v->path;
    ret_x[F_KERNEL] = (float)v->kernel;
    ret_x[F_FORM] = (float)v->form;
    ret_x[F_LOADS] = (float)v->n_loads;
    for (int i = 0; i < 2; i++) {
        ret_x[F_GWS_X + i] = log2_or_nan((double)launch->gws[i]);
        ret_x[F_LWS_X + i] = log2_or_nan(v->lws[i]);
        groups *= v->lws[i] ? ceil((double)launch->gws[i] / v->lws[i]) : NAN;
    }
    ret_x[F_GROUPS] = log2_or_nan(groups);
    tunable_features(c, v, ret_x);
    cost_features(c, ret_x);
    param_features(c, ret_x);
    tensor_features(c, ret_x);
    ret_x[F_WHOLE] = whole_texels(launch);
}
