/* What the regressor sees of a case and its variant. */
#include <math.h>
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
    F_VECTOR,
    F_ORDER,
    F_INPUT_BYTES,
    F_WEIGHT_BYTES,
    F_OUTPUT_BYTES,
    F_MACS,
    F_OPS,
    F_INTENSITY,
    F_ROWS,
    F_COLS,
    F_DEPTH,
    F_BATCH,
    F_H,
    F_W,
    F_CIN,
    F_COUT,
    F_TAPS
};
_Static_assert(F_TAPS + 1 == OP_FEATURES, "as many features as op.h says");

const char *const op_feature_names[OP_FEATURES] = {
    [F_OP] = "op",
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
    [F_GROUPS] = "log2_groups",
    [F_TILE_M] = "tile_m",
    [F_TILE_N] = "tile_n",
    [F_TILE_K] = "tile_k",
    [F_VECTOR] = "vector",
    [F_ORDER] = "order",
    [F_INPUT_BYTES] = "log2_input_bytes",
    [F_WEIGHT_BYTES] = "log2_weight_bytes",
    [F_OUTPUT_BYTES] = "log2_output_bytes",
    [F_MACS] = "log2_macs",
    [F_OPS] = "log2_ops",
    [F_INTENSITY] = "log2_intensity",
    [F_ROWS] = "rows",
    [F_COLS] = "cols",
    [F_DEPTH] = "depth",
    [F_BATCH] = "batch",
    [F_H] = "h",
    [F_W] = "w",
    [F_CIN] = "cin",
    [F_COUT] = "cout",
    [F_TAPS] = "taps",
};

/* What a name of a tunable or parameter means to the regressor, in whatever operator it occurs. */
static const struct {
    const char *name;
    enum feature feature;
} tunable_meanings[] =
    {
        {"TM", F_TILE_M}, {"BM", F_TILE_M}, {"TN", F_TILE_N}, {"BN", F_TILE_N},   {"TK", F_TILE_K},
        {"BK", F_TILE_K}, {"VT", F_VECTOR}, {"NR", F_VECTOR}, {"ORDER", F_ORDER},
},
  param_meanings[] = {
      {"m", F_ROWS},  {"rows", F_ROWS},   {"t", F_ROWS},      {"n", F_COLS},      {"cols", F_COLS},
      {"k", F_DEPTH}, {"vocab", F_DEPTH}, {"batch", F_BATCH}, {"heads", F_BATCH}, {"h", F_H},
      {"w", F_W},     {"c", F_CIN},       {"cin", F_CIN},     {"cout", F_COUT},
};

static float log2_or_nan(double v)
{
    return v > 0 ? (float)log2(v) : NAN;
}

static void tunable_features(const struct op_case *c, const struct op_variant *v, float *x)
{
    const struct op_kernel *k = &c->op->kernels[v->kernel];

    for (int i = 0; i < OP_MAX_TUNABLES && k->tunables[i].name; i++)
        for (size_t j = 0; j < sizeof tunable_meanings / sizeof *tunable_meanings; j++)
            if (strcmp(k->tunables[i].name, tunable_meanings[j].name) == 0)
                x[tunable_meanings[j].feature] = (float)v->tunable[i];
}

static void param_features(const struct op_case *c, float *x)
{
    int64_t r = 0, s = 0;

    for (int i = 0; i < OP_MAX_PARAMS && c->op->params[i].name; i++)
        for (size_t j = 0; j < sizeof param_meanings / sizeof *param_meanings; j++)
            if (strcmp(c->op->params[i].name, param_meanings[j].name) == 0)
                x[param_meanings[j].feature] = (float)c->p[i];
    for (int i = 0; i < OP_MAX_PARAMS && c->op->params[i].name; i++) {
        if (strcmp(c->op->params[i].name, "r") == 0)
            r = c->p[i];
        if (strcmp(c->op->params[i].name, "s") == 0)
            s = c->p[i];
    }
    if (r && s)
        x[F_TAPS] = (float)(r * s);
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
}
