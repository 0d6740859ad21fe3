#include "harness/import/shapes/infer.h"

#include <errno.h>
#include <string.h>

#include "harness/import/shapes/rule.h"
#include "harness/import/view.h"

_Noreturn void infer_fail(const struct ir *g, const struct ir_node *n, const char *what)
{
    arena_fail(g->a, -EINVAL, "node '%.200s' (%s): %s", n->name, n->op, what);
}

void infer_set(struct ir *g, struct ir_node *n, int slot, enum elem elem, const struct shape *s)
{
    struct ir_tensor *t = ir_out(g, n, slot);
    int64_t elements = 1;

    if (!t)
        return;
    if (s->rank > IR_MAX_RANK)
        infer_fail(g, n, "its output has more than 8 axes");
    for (int i = 0; i < s->rank; i++) {
        if (s->dim[i] < 0 || (s->dim[i] && elements > (INT64_C(1) << 40) / s->dim[i]))
            infer_fail(g, n, "its output is too large");
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
            infer_fail(g, n, "the shapes of its inputs do not go together");
        out.dim[i] = x == 1 ? y : x;
    }
    *s = out;
}

static void elementwise(struct ir *g, struct ir_node *n, int first, enum elem elem)
{
    struct shape s = {0};

    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] >= 0)
            broadcast(g, n, &s, &g->tensor[n->in[i]].shape);
    infer_set(g, n, 0, elem == ELEM_BOOL ? ELEM_BOOL : ir_in(g, n, first)->elem, &s);
}

/* ---- products ---- */

static void matmul(struct ir *g, struct ir_node *n)
{
    struct shape a = ir_in(g, n, 0)->shape, b = ir_in(g, n, 1)->shape, s, batch;
    int64_t m, cols;

    if (a.rank < 1 || b.rank < 1)
        infer_fail(g, n, "cannot multiply a scalar");
    m = a.rank > 1 ? a.dim[a.rank - 2] : 1;
    cols = b.rank > 1 ? b.dim[b.rank - 1] : 1;
    if (a.dim[a.rank - 1] != b.dim[b.rank > 1 ? b.rank - 2 : 0])
        infer_fail(g, n, "the shapes of its inputs do not go together");
    s = a;
    s.rank = a.rank > 2 ? a.rank - 2 : 0;
    batch = b;
    batch.rank = b.rank > 2 ? b.rank - 2 : 0;
    broadcast(g, n, &s, &batch);
    if (s.rank > IR_MAX_RANK - 2)
        infer_fail(g, n, "more than 8 axes");
    if (a.rank > 1)
        s.dim[s.rank++] = m;
    if (b.rank > 1)
        s.dim[s.rank++] = cols;
    infer_set(g, n, 0, ELEM_FLOAT, &s);
}

static void gemm(struct ir *g, struct ir_node *n)
{
    const struct shape *a = &ir_in(g, n, 0)->shape, *b = &ir_in(g, n, 1)->shape;
    int ta = ir_int(n, "transA", 0) != 0, tb = ir_int(n, "transB", 0) != 0;
    struct shape s = {.rank = 2};

    if (a->rank != 2 || b->rank != 2 || a->dim[!ta] != b->dim[tb])
        infer_fail(g, n, "the shapes of its inputs do not go together");
    s.dim[0] = a->dim[ta];
    s.dim[1] = b->dim[!tb];
    infer_set(g, n, 0, ELEM_FLOAT, &s);
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
                infer_fail(g, n, "want an equation with a letter for each axis");
            size[(int)*p] = ir_in(g, n, i)->shape.dim[axis++];
        }
        p += *p == ',';
    }
    if (p[0] != '-' || p[1] != '>')
        infer_fail(g, n, "want an equation with ->");
    for (p += 2; *p; p++)
        if (*p != ' ') {
            if (s.rank == IR_MAX_RANK || *p < 0 || !size[(int)*p])
                infer_fail(g, n, "want an equation with a letter for each axis");
            s.dim[s.rank++] = size[(int)*p];
        }
    infer_set(g, n, 0, ELEM_FLOAT, &s);
}

/* ---- all of them ---- */

static enum elem cast_to(int64_t to)
{
    /* TensorProto.DataType: 1 float, 10 float16, 11 double, 16 bfloat16; 9 bool */
    return to == 1 || to == 10 || to == 11 || to == 16 ? ELEM_FLOAT
           : to == 9                                   ? ELEM_BOOL
                                                       : ELEM_INT;
}

static const char *const like_input[] = {
    "Relu", "Gelu", "Sigmoid", "Tanh", "Exp", "Log", "Sqrt", "Sin", "Cos", "Erf", "Abs", "Neg",
    "Reciprocal", "Floor", "Ceil", "Round", "Sign", "Softmax", "LayerNormalization",
    "InstanceNormalization", "GroupNormalization", "BatchNormalization", "Clip", "Swish", "Trilu",
    "CumSum", "ScatterND", "ScatterElements", "RMSNormalization", "LogSoftmax", "HardSigmoid",
    "HardSwish", "LeakyRelu", "Elu", "Softplus", "Mish", NULL};
static const char *const like_bool[] = {
    "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "And", "Or", "Xor", "Not", "IsNaN",
    "IsInf", NULL};
static const char *const pointwise[] = {
    "Add", "Sub", "Mul", "Div", "Pow", "Mod", "Max", "Min", "Sum", "PRelu", NULL};
static const char *const products[] = {
    "MatMul", "Gemm", "Conv", "ConvTranspose", "Einsum", "Gather", "Tile", "GatherElements",
    "GatherND", "Where", NULL};

static bool like(struct ir *g, struct ir_node *n)
{
    const struct ir_tensor *x = ir_in(g, n, 0);

    if (ir_is_one_of(n, like_input))
        infer_set(g, n, 0, x->elem, &x->shape);
    else if (ir_is_one_of(n, like_bool))
        elementwise(g, n, 0, ELEM_BOOL);
    else if (ir_is_one_of(n, pointwise))
        elementwise(g, n, 0, ELEM_FLOAT);
    else if (ir_is(n, "Where"))
        elementwise(g, n, 1, ELEM_FLOAT);
    else if (ir_is(n, "Cast"))
        infer_set(g, n, 0, cast_to(ir_int(n, "to", 1)), &x->shape);
    else if (ir_is(n, "CastLike") && ir_in(g, n, 1))
        infer_set(g, n, 0, ir_in(g, n, 1)->elem, &x->shape);
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
                 {"Conv", infer_convolution},
                 {"ConvTranspose", infer_convolution},
                 {"MaxPool", infer_pooling},
                 {"AveragePool", infer_pooling},
                 {"Einsum", einsum},
                 {"Gather", infer_gather},
                 {"GatherND", infer_gather_nd},
                 {"Concat", infer_concat},
                 {"Resize", infer_resize},
                 {"Pad", infer_pad},
                 {"Tile", infer_tile},
                 {"Range", infer_range},
                 {"ConstantOfShape", infer_constant_of_shape},
                 {"Shape", infer_shape_of}};
    const struct ir_tensor *x = ir_in(g, n, 0);
    struct shape s = {0};

    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        if (strcmp(n->op, table[i].op) == 0) {
            table[i].infer(g, n);
            return;
        }
    if (strncmp(n->op, "Reduce", 6) == 0) {
        infer_reduce(g, n);
    } else if (ir_is(n, "DepthToSpace") || ir_is(n, "SpaceToDepth")) {
        infer_block_space(g, n, n->op[0] == 'D');
    } else if (ir_is(n, "Size")) {
        infer_set(g, n, 0, ELEM_INT, &s);
    } else if (ir_is(n, "GlobalAveragePool") || ir_is(n, "GlobalMaxPool")) {
        s = x->shape;
        for (int i = 2; i < s.rank; i++)
            s.dim[i] = 1;
        infer_set(g, n, 0, x->elem, &s);
    } else if (ir_is(n, "GatherElements")) {
        infer_set(g, n, 0, x->elem, &ir_in(g, n, 1)->shape);
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
    if (ir_is_one_of(n, products) && !ir_in(g, n, 1))
        infer_fail(g, n, "an input is missing");
    if (like(g, n))
        return;
    in = view_dense(&x->shape);
    for (int i = 0; i < n->n_out; i++) {
        if (view_of_node(g, n, i, &in, &out) == VIEW_NO)
            break;
        struct shape s = view_shape(&out);

        infer_set(g, n, i, x->elem, &s);
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
            infer_fail(g, n, "no such part");
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
