#include "harness/import/infer.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/import/view.h"

static _Noreturn void bad(struct ir *g, const struct ir_node *n, const char *what)
{
    arena_fail(g->a, -EINVAL, "node '%.200s' (%s): %s", n->name, n->op, what);
}

static void set(struct ir *g, struct ir_node *n, int slot, enum elem elem, const struct shape *s)
{
    struct ir_tensor *t = ir_out(g, n, slot);
    int64_t elements = 1;

    if (!t)
        return;
    if (s->rank > IR_MAX_RANK)
        bad(g, n, "its output has more than 8 axes");
    for (int i = 0; i < s->rank; i++) {
        if (s->dim[i] < 0 || (s->dim[i] && elements > (INT64_C(1) << 40) / s->dim[i]))
            bad(g, n, "its output is too large");
        elements *= s->dim[i];
    }
    t->elem = elem;
    t->shape = *s;
    t->known = true;
}

/* ---- broadcasting ---- */

static void broadcast(struct ir *g, struct ir_node *n, struct shape *s, const struct shape *b)
{
    struct shape out = {.rank = s->rank > b->rank ? s->rank : b->rank};

    for (int i = 0; i < out.rank; i++) {
        int at_s = i - (out.rank - s->rank), at_b = i - (out.rank - b->rank);
        int64_t x = at_s < 0 ? 1 : s->dim[at_s], y = at_b < 0 ? 1 : b->dim[at_b];

        if (x != y && x != 1 && y != 1)
            bad(g, n, "the shapes of its inputs do not go together");
        out.dim[i] = x == 1 ? y : x;
    }
    *s = out;
}

static bool is_one_of(const char *op, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(op, *list) == 0)
            return true;
    return false;
}

static void elementwise(struct ir *g, struct ir_node *n, int first, enum elem elem)
{
    struct shape s = {0};

    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] >= 0)
            broadcast(g, n, &s, &g->tensor[n->in[i]].shape);
    set(g, n, 0, elem == ELEM_BOOL ? ELEM_BOOL : ir_in(g, n, first)->elem, &s);
}

/* ---- windows ---- */

static void attr_list(struct ir *g, const struct ir_node *n, const char *name, int count,
                      int64_t def, int64_t *ret)
{
    const struct ir_attr *a = ir_attr(n, name);

    for (int i = 0; i < count; i++)
        ret[i] = def;
    if (!a || a->type != ATTR_INTS || a->n == 0)
        return;
    if (a->n != count)
        bad(g, n, "an attribute has another number of values than there are axes");
    for (int i = 0; i < count; i++) {
        ret[i] = a->ints[i];
        if (ret[i] < 0 || ret[i] > 1 << 20)
            bad(g, n, "an attribute is out of range");
    }
}

static void auto_pad(const char *how, int64_t in, struct window *w, int i)
{
    int64_t span = (w->kernel[i] - 1) * w->dil[i] + 1;
    int64_t out = (in + w->stride[i] - 1) / w->stride[i];
    int64_t need = (out - 1) * w->stride[i] + span - in;

    if (strncmp(how, "SAME", 4) != 0)
        return;
    need = need < 0 ? 0 : need;
    w->begin[i] = strcmp(how, "SAME_LOWER") == 0 ? (need + 1) / 2 : need / 2;
    w->end[i] = need - w->begin[i];
}

void infer_window(struct ir *g, const struct ir_node *n, const int64_t *in, int rank,
                  const int64_t *kernel, struct window *ret)
{
    const char *how = ir_string(n, "auto_pad", "NOTSET");
    bool ceil_mode = ir_int(n, "ceil_mode", 0) != 0;
    int64_t pads[8], outpad[4];
    struct window w = {.n = rank};

    if (rank < 1 || rank > 2)
        bad(g, n, "want one or two spatial axes");
    memcpy(w.kernel, kernel, (size_t)rank * sizeof(*kernel));
    attr_list(g, n, "strides", rank, 1, w.stride);
    attr_list(g, n, "dilations", rank, 1, w.dil);
    attr_list(g, n, "pads", 2 * rank, 0, pads);
    attr_list(g, n, "output_padding", rank, 0, outpad);
    for (int i = 0; i < rank; i++) {
        int64_t room, span = (w.kernel[i] - 1) * w.dil[i] + 1;

        if (w.kernel[i] < 1 || w.kernel[i] > 1 << 20 || w.stride[i] < 1 || w.dil[i] < 1)
            bad(g, n, "kernel, stride and dilation want 1 or more");
        w.begin[i] = pads[i];
        w.end[i] = pads[i + rank];
        auto_pad(how, in[i], &w, i);
        if (ir_is(n, "ConvTranspose")) {
            w.out[i] = (in[i] - 1) * w.stride[i] + span + outpad[i] - w.begin[i] - w.end[i];
        } else {
            room = in[i] + w.begin[i] + w.end[i] - span;
            if (room < 0)
                bad(g, n, "its window is larger than its input");
            w.out[i] = (room + (ceil_mode ? w.stride[i] - 1 : 0)) / w.stride[i] + 1;
        }
        if (w.out[i] < 1)
            bad(g, n, "its output has no elements");
    }
    *ret = w;
}

static void convolution(struct ir *g, struct ir_node *n)
{
    const struct shape *x = &ir_in(g, n, 0)->shape;
    struct ir_tensor *w = ir_in(g, n, 1);
    bool up = ir_is(n, "ConvTranspose");
    struct window win;
    struct shape s = {.rank = x->rank};

    if (!w || w->shape.rank != x->rank || x->rank < 3 || x->rank > 4)
        bad(g, n, "want input and weight of three or four axes");
    infer_window(g, n, x->dim + 2, x->rank - 2, w->shape.dim + 2, &win);
    s.dim[0] = x->dim[0];
    s.dim[1] = up ? w->shape.dim[1] * ir_int(n, "group", 1) : w->shape.dim[0];
    memcpy(s.dim + 2, win.out, (size_t)win.n * sizeof(win.out[0]));
    set(g, n, 0, ELEM_FLOAT, &s);
}

static void pooling(struct ir *g, struct ir_node *n)
{
    const struct shape *x = &ir_in(g, n, 0)->shape;
    int64_t kernel[4];
    struct window win;
    struct shape s = *x;

    if (x->rank < 3 || x->rank > 4)
        bad(g, n, "want an input of three or four axes");
    attr_list(g, n, "kernel_shape", x->rank - 2, 0, kernel);
    infer_window(g, n, x->dim + 2, x->rank - 2, kernel, &win);
    memcpy(s.dim + 2, win.out, (size_t)win.n * sizeof(win.out[0]));
    set(g, n, 0, ELEM_FLOAT, &s);
}

/* ---- products ---- */

static void matmul(struct ir *g, struct ir_node *n)
{
    struct shape a = ir_in(g, n, 0)->shape, b = ir_in(g, n, 1)->shape, s, batch;
    int64_t m, cols;

    if (a.rank < 1 || b.rank < 1)
        bad(g, n, "cannot multiply a scalar");
    m = a.rank > 1 ? a.dim[a.rank - 2] : 1;
    cols = b.rank > 1 ? b.dim[b.rank - 1] : 1;
    if (a.dim[a.rank - 1] != b.dim[b.rank > 1 ? b.rank - 2 : 0])
        bad(g, n, "the shapes of its inputs do not go together");
    s = a;
    s.rank = a.rank > 2 ? a.rank - 2 : 0;
    batch = b;
    batch.rank = b.rank > 2 ? b.rank - 2 : 0;
    broadcast(g, n, &s, &batch);
    if (s.rank > IR_MAX_RANK - 2)
        bad(g, n, "more than 8 axes");
    if (a.rank > 1)
        s.dim[s.rank++] = m;
    if (b.rank > 1)
        s.dim[s.rank++] = cols;
    set(g, n, 0, ELEM_FLOAT, &s);
}

static void gemm(struct ir *g, struct ir_node *n)
{
    const struct shape *a = &ir_in(g, n, 0)->shape, *b = &ir_in(g, n, 1)->shape;
    int ta = ir_int(n, "transA", 0) != 0, tb = ir_int(n, "transB", 0) != 0;
    struct shape s = {.rank = 2};

    if (a->rank != 2 || b->rank != 2 || a->dim[!ta] != b->dim[tb])
        bad(g, n, "the shapes of its inputs do not go together");
    s.dim[0] = a->dim[ta];
    s.dim[1] = b->dim[!tb];
    set(g, n, 0, ELEM_FLOAT, &s);
}

/* "bhij,hg->bgij" */
static void einsum(struct ir *g, struct ir_node *n)
{
    const char *p = ir_string(n, "equation", "");
    int64_t size[128] = {0};
    struct shape s = {0};

    for (int i = 0; i < n->n_in; i++) {
        int axis = 0;

        for (; *p && *p != ',' && *p != '-'; p++) {
            if (*p == ' ')
                continue;
            if (*p == '.' || *p < 0 || !ir_in(g, n, i) || axis >= ir_in(g, n, i)->shape.rank)
                bad(g, n, "want an equation with a letter for each axis");
            size[(int)*p] = ir_in(g, n, i)->shape.dim[axis++];
        }
        p += *p == ',';
    }
    if (p[0] != '-' || p[1] != '>')
        bad(g, n, "want an equation with ->");
    for (p += 2; *p; p++)
        if (*p != ' ') {
            if (s.rank == IR_MAX_RANK || *p < 0 || !size[(int)*p])
                bad(g, n, "want an equation with a letter for each axis");
            s.dim[s.rank++] = size[(int)*p];
        }
    set(g, n, 0, ELEM_FLOAT, &s);
}

/* ---- data ---- */

static void gather(struct ir *g, struct ir_node *n)
{
    const struct ir_tensor *x = ir_in(g, n, 0), *ids = ir_in(g, n, 1);
    int axis = shape_axis(&x->shape, ir_int(n, "axis", 0));
    struct shape s = {.rank = x->shape.rank - 1 + ids->shape.rank};
    int at = 0;

    if (axis < 0 || s.rank > IR_MAX_RANK)
        bad(g, n, "no such axis, or more than 8");
    for (int i = 0; i < x->shape.rank; i++) {
        for (int j = 0; i == axis && j < ids->shape.rank; j++)
            s.dim[at++] = ids->shape.dim[j];
        if (i != axis)
            s.dim[at++] = x->shape.dim[i];
    }
    set(g, n, 0, x->elem, &s);
}

static void gather_nd(struct ir *g, struct ir_node *n)
{
    const struct ir_tensor *x = ir_in(g, n, 0), *ids = ir_in(g, n, 1);
    int64_t k = ids->shape.rank ? ids->shape.dim[ids->shape.rank - 1] : 0;
    struct shape s = {.rank = ids->shape.rank - 1};

    if (ir_int(n, "batch_dims", 0) || k < 1 || k > x->shape.rank)
        return;
    memcpy(s.dim, ids->shape.dim, (size_t)s.rank * sizeof(s.dim[0]));
    for (int i = (int)k; i < x->shape.rank; i++) {
        if (s.rank == IR_MAX_RANK)
            bad(g, n, "more than 8 axes");
        s.dim[s.rank++] = x->shape.dim[i];
    }
    set(g, n, 0, x->elem, &s);
}

static void concat(struct ir *g, struct ir_node *n)
{
    struct shape s = ir_in(g, n, 0)->shape;
    int axis = shape_axis(&s, ir_int(n, "axis", 0));

    if (axis < 0)
        bad(g, n, "no such axis");
    s.dim[axis] = 0;
    for (int i = 0; i < n->n_in; i++) {
        const struct ir_tensor *t = ir_in(g, n, i);

        if (!t || t->shape.rank != s.rank)
            bad(g, n, "its inputs do not go together");
        for (int d = 0; d < s.rank; d++)
            if (d != axis && t->shape.dim[d] != s.dim[d])
                bad(g, n, "its inputs do not go together");
        s.dim[axis] += t->shape.dim[axis];
    }
    set(g, n, 0, ir_in(g, n, 0)->elem, &s);
}

static void reduce(struct ir *g, struct ir_node *n)
{
    const struct shape *x = &ir_in(g, n, 0)->shape;
    const struct ir_attr *a = ir_attr(n, "axes");
    int64_t axes[IR_MAX_RANK];
    bool gone[IR_MAX_RANK] = {false};
    struct shape s = {0};
    int count = 0;

    if (n->n_in > 1 && n->in[1] >= 0) {
        count = ir_list(g, n->in[1], IR_MAX_RANK, axes);
        if (count < 0)
            return;
    } else if (a && a->type == ATTR_INTS && a->n <= IR_MAX_RANK) {
        count = a->n;
        memcpy(axes, a->ints, (size_t)count * sizeof(*axes));
    }
    for (int i = 0; i < count; i++) {
        int axis = shape_axis(x, axes[i]);

        if (axis < 0)
            bad(g, n, "no such axis");
        gone[axis] = true;
    }
    if (count == 0 && !ir_int(n, "noop_with_empty_axes", 0))
        memset(gone, 1, sizeof(gone));
    for (int i = 0; i < x->rank; i++)
        if (!gone[i] || ir_int(n, "keepdims", 1))
            s.dim[s.rank++] = gone[i] ? 1 : x->dim[i];
    set(g, n, 0, ir_in(g, n, 0)->elem, &s);
}

static void resize(struct ir *g, struct ir_node *n)
{
    const struct ir_tensor *x = ir_in(g, n, 0), *scales = ir_in(g, n, 2), *sizes = ir_in(g, n, 3);
    const struct ir_attr *axes = ir_attr(n, "axes");
    struct shape s = x->shape;
    const struct ir_tensor *by = sizes && sizes->data ? sizes : scales;
    int64_t count;

    if (!by || !by->data || (sizes && !sizes->data))
        return;
    count = shape_elements(&by->shape);
    if (count != (axes ? axes->n : s.rank))
        bad(g, n, "want a scale or a size for each axis");
    for (int i = 0; i < count; i++) {
        int axis = axes ? shape_axis(&s, axes->ints[i]) : i;
        double v = ir_at(by, i);

        if (axis < 0 || !(v > 0) || v > 1e6)
            bad(g, n, "its scale is out of range");
        s.dim[axis] = by == sizes ? (int64_t)v : (int64_t)floor((double)s.dim[axis] * v);
    }
    set(g, n, 0, ELEM_FLOAT, &s);
}

static void pad(struct ir *g, struct ir_node *n)
{
    struct shape s = ir_in(g, n, 0)->shape;
    int64_t v[2 * IR_MAX_RANK], axes[IR_MAX_RANK];
    int count = n->n_in > 1 ? ir_list(g, n->in[1], 2 * IR_MAX_RANK, v) : -1;
    int n_axes = n->n_in > 3 && n->in[3] >= 0 ? ir_list(g, n->in[3], IR_MAX_RANK, axes) : s.rank;

    if (count < 0 || n_axes < 0)
        return;
    if (count != 2 * n_axes)
        bad(g, n, "want two pads for each axis");
    for (int i = 0; i < n_axes; i++) {
        int axis = n->n_in > 3 && n->in[3] >= 0 ? shape_axis(&s, axes[i]) : i;

        if (axis < 0 || llabs(v[i]) > INT64_C(1) << 32 || llabs(v[i + n_axes]) > INT64_C(1) << 32)
            bad(g, n, "no such axis, or a pad out of range");
        s.dim[axis] += v[i] + v[i + n_axes];
    }
    set(g, n, 0, ir_in(g, n, 0)->elem, &s);
}

static void tile(struct ir *g, struct ir_node *n)
{
    struct shape s = ir_in(g, n, 0)->shape;
    int64_t v[IR_MAX_RANK];

    if (ir_list(g, n->in[1], IR_MAX_RANK, v) != s.rank)
        return;
    for (int i = 0; i < s.rank; i++) {
        if (v[i] < 0 || v[i] > INT64_C(1) << 20)
            bad(g, n, "a repeat is out of range");
        s.dim[i] *= v[i];
    }
    set(g, n, 0, ir_in(g, n, 0)->elem, &s);
}

static void range(struct ir *g, struct ir_node *n)
{
    struct shape s = {.rank = 1};
    double start, limit, delta, count;

    if (n->n_in != 3 || !ir_uniform(g, n->in[0], &start) || !ir_uniform(g, n->in[1], &limit) ||
        !ir_uniform(g, n->in[2], &delta))
        return;
    count = ceil((limit - start) / delta);
    if (!(count < 1e9))
        bad(g, n, "its range is too long");
    s.dim[0] = count > 0 ? (int64_t)count : 0;
    set(g, n, 0, ir_in(g, n, 0)->elem, &s);
}

static void constant_of_shape(struct ir *g, struct ir_node *n)
{
    const struct ir_attr *value = ir_attr(n, "value");
    int64_t v[IR_MAX_RANK];
    struct shape s = {.rank = ir_list(g, n->in[0], IR_MAX_RANK, v)};

    if (s.rank < 0)
        return;
    memcpy(s.dim, v, sizeof(s.dim));
    set(g, n, 0, value && value->tensor >= 0 ? g->tensor[value->tensor].elem : ELEM_FLOAT, &s);
}

static void block_space(struct ir *g, struct ir_node *n, bool to_space)
{
    struct shape s = ir_in(g, n, 0)->shape;
    int64_t b = ir_int(n, "blocksize", 0);

    if (s.rank != 4 || b < 1 || b > 1 << 15 || s.dim[1] % (to_space ? b * b : 1) ||
        s.dim[2] % (to_space ? 1 : b) || s.dim[3] % (to_space ? 1 : b))
        bad(g, n, "its block does not divide the input");
    s.dim[1] = to_space ? s.dim[1] / (b * b) : s.dim[1] * b * b;
    s.dim[2] = to_space ? s.dim[2] * b : s.dim[2] / b;
    s.dim[3] = to_space ? s.dim[3] * b : s.dim[3] / b;
    set(g, n, 0, ELEM_FLOAT, &s);
}

static void shape_of(struct ir *g, struct ir_node *n)
{
    const struct shape *x = &ir_in(g, n, 0)->shape;
    int64_t start = ir_int(n, "start", 0), end = ir_int(n, "end", x->rank);
    struct shape s = {.rank = 1};

    start += start < 0 ? x->rank : 0;
    end += end < 0 ? x->rank : 0;
    start = start < 0 ? 0 : start;
    end = end > x->rank ? x->rank : end;
    s.dim[0] = end > start ? end - start : 0;
    set(g, n, 0, ELEM_INT, &s);
}

static enum elem cast_to(int64_t to)
{
    /* TensorProto.DataType: 1 float, 10 float16, 11 double, 16 bfloat16; 9 bool */
    return to == 1 || to == 10 || to == 11 || to == 16 ? ELEM_FLOAT
           : to == 9                                   ? ELEM_BOOL
                                                       : ELEM_INT;
}

/* ---- all of them ---- */

static const char *const like_input[] = {"Relu",
                                         "Gelu",
                                         "Sigmoid",
                                         "Tanh",
                                         "Exp",
                                         "Log",
                                         "Sqrt",
                                         "Sin",
                                         "Cos",
                                         "Erf",
                                         "Abs",
                                         "Neg",
                                         "Reciprocal",
                                         "Floor",
                                         "Ceil",
                                         "Round",
                                         "Sign",
                                         "Softmax",
                                         "LayerNormalization",
                                         "InstanceNormalization",
                                         "GroupNormalization",
                                         "BatchNormalization",
                                         "Clip",
                                         "Swish",
                                         "Trilu",
                                         "CumSum",
                                         "ScatterND",
                                         "ScatterElements",
                                         "RMSNormalization",
                                         "LogSoftmax",
                                         "HardSigmoid",
                                         "HardSwish",
                                         "LeakyRelu",
                                         "Elu",
                                         "Softplus",
                                         "Mish",
                                         NULL};
static const char *const like_bool[] = {"Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual",
                                        "And",   "Or",   "Xor",         "Not",     "IsNaN",
                                        "IsInf", NULL};
static const char *const pointwise[] = {"Add", "Sub", "Mul", "Div",   "Pow", "Mod",
                                        "Max", "Min", "Sum", "PRelu", NULL};
static const char *const products[] = {"MatMul",   "Gemm",   "Conv", "ConvTranspose",
                                       "Einsum",   "Gather", "Tile", "GatherElements",
                                       "GatherND", "Where",  NULL};

static bool like(struct ir *g, struct ir_node *n)
{
    const struct ir_tensor *x = ir_in(g, n, 0);

    if (is_one_of(n->op, like_input))
        set(g, n, 0, x->elem, &x->shape);
    else if (is_one_of(n->op, like_bool))
        elementwise(g, n, 0, ELEM_BOOL);
    else if (is_one_of(n->op, pointwise))
        elementwise(g, n, 0, ELEM_FLOAT);
    else if (ir_is(n, "Where"))
        elementwise(g, n, 1, ELEM_FLOAT);
    else if (ir_is(n, "Cast"))
        set(g, n, 0, cast_to(ir_int(n, "to", 1)), &x->shape);
    else if (ir_is(n, "CastLike") && ir_in(g, n, 1))
        set(g, n, 0, ir_in(g, n, 1)->elem, &x->shape);
    else
        return false;
    return true;
}

static void others(struct ir *g, struct ir_node *n)
{
    static const struct {
        const char *op;
        void (*infer)(struct ir *g, struct ir_node *n);
    } table[] = {{"MatMul", matmul},
                 {"Gemm", gemm},
                 {"Conv", convolution},
                 {"ConvTranspose", convolution},
                 {"MaxPool", pooling},
                 {"AveragePool", pooling},
                 {"Einsum", einsum},
                 {"Gather", gather},
                 {"GatherND", gather_nd},
                 {"Concat", concat},
                 {"Resize", resize},
                 {"Pad", pad},
                 {"Tile", tile},
                 {"Range", range},
                 {"ConstantOfShape", constant_of_shape},
                 {"Shape", shape_of}};
    const struct ir_tensor *x = ir_in(g, n, 0);
    struct shape s = {0};

    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        if (strcmp(n->op, table[i].op) == 0) {
            table[i].infer(g, n);
            return;
        }
    if (strncmp(n->op, "Reduce", 6) == 0) {
        reduce(g, n);
    } else if (ir_is(n, "DepthToSpace") || ir_is(n, "SpaceToDepth")) {
        block_space(g, n, n->op[0] == 'D');
    } else if (ir_is(n, "Size")) {
        set(g, n, 0, ELEM_INT, &s);
    } else if (ir_is(n, "GlobalAveragePool") || ir_is(n, "GlobalMaxPool")) {
        s = x->shape;
        for (int i = 2; i < s.rank; i++)
            s.dim[i] = 1;
        set(g, n, 0, x->elem, &s);
    } else if (ir_is(n, "GatherElements")) {
        set(g, n, 0, x->elem, &ir_in(g, n, 1)->shape);
    }
}

void infer_node(struct ir *g, struct ir_node *n)
{
    const struct ir_tensor *x = ir_in(g, n, 0);
    struct view in, out;

    if (n->domain[0] || !x)
        return;
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] >= 0 && !g->tensor[n->in[i]].known)
            return;
    if (is_one_of(n->op, products) && !ir_in(g, n, 1))
        bad(g, n, "an input is missing");
    if (like(g, n))
        return;
    in = view_dense(&x->shape);
    for (int i = 0; i < n->n_out; i++) {
        if (view_of_node(g, n, i, &in, &out) == VIEW_NO)
            break;
        struct shape s = view_shape(&out);

        set(g, n, i, x->elem, &s);
        if (i + 1 == n->n_out)
            return;
    }
    others(g, n);
}

/* One part of a SplitToSequence is a Slice: the only use that exporters make of sequences. */
static void part_of_sequence(struct ir *g, int node)
{
    const struct ir_node *n = &g->node[node];
    const struct ir_node *split = n->n_in == 2 ? ir_producer(g, n->in[0]) : NULL;
    const struct ir_tensor *x = ir_is(split, "SplitToSequence") ? ir_in(g, split, 0) : NULL;
    int64_t size[64], first = 0, last, axis, parts;
    double which;
    int count, in[4];

    if (!x || !x->known || !ir_uniform(g, n->in[1], &which) || split->n_in < 2)
        return;
    axis = shape_axis(&x->shape, ir_int(split, "axis", 0));
    count = ir_list(g, split->in[1], 64, size);
    if (axis < 0 || count < 1 || size[0] < 1)
        return;
    if (count == 1) { /* equal parts, the last one smaller */
        parts = (x->shape.dim[axis] + size[0] - 1) / size[0];
        which += which < 0 ? (double)parts : 0;
        first = (int64_t)which * size[0];
        last = first + size[0];
    } else {
        which += which < 0 ? count : 0;
        if (which < 0 || which >= count)
            bad(g, n, "no such part");
        for (int i = 0; i < (int)which; i++)
            first += size[i];
        last = first + size[(int)which];
    }
    in[0] = split->in[0];
    in[1] = ir_ints(g, 1, &first);
    in[2] = ir_ints(g, 1, &last);
    in[3] = ir_ints(g, 1, &axis);
    ir_node_become(g, node, "Slice", 4, in);
}

void infer_graph(struct ir *g)
{
    for (int i = 0; i < g->n_nodes; i++) {
        if (g->node[i].dead)
            continue;
        if (ir_is(&g->node[i], "SequenceAt"))
            part_of_sequence(g, i);
        infer_node(g, &g->node[i]);
        if (fold_node(g, &g->node[i]))
            g->node[i].dead = true;
    }
    for (int i = 0; i < g->n_outputs; i++) {
        const struct ir_tensor *t = &g->tensor[g->output[i]];

        if (t->data)
            arena_fail(g->a, -EINVAL, "output '%.200s' does not depend on any input", t->name);
    }
}
