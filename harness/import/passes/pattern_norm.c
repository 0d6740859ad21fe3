/* harness/import/passes/pattern_norm.c - LayerNorm and GroupNorm, written out. */
#include <math.h>
#include <string.h>

#include "harness/import/passes/pass.h"
#include "harness/import/shapes/infer.h"

/* The axes that a ReduceMean takes away, if they are the last ones: how many; else 0. */
static int last_axes(const struct ir *g, const struct ir_node *n)
{
    int rank = ir_in(g, n, 0)->shape.rank, count = 0;
    bool gone[IR_MAX_RANK];

    if (!infer_axes(g, n, gone) || !ir_int(n, "keepdims", 1))
        return 0;
    while (count < rank && gone[rank - 1 - count])
        count++;
    for (int i = 0; i < rank - count; i++)
        if (gone[i])
            return 0;
    return count;
}

/* d = x - mean(x): x, and the number of axes; -1. */
static int centred(const struct ir *g, int d, int *ret_axes)
{
    struct ir_node *sub = pass_made_by(g, d, "Sub");
    struct ir_node *mean = sub ? pass_made_by(g, sub->in[1], "ReduceMean") : NULL;

    if (!mean || mean->in[0] != sub->in[0])
        return -1;
    *ret_axes = last_axes(g, mean);
    return *ret_axes ? sub->in[0] : -1;
}

/* v = mean(d * d) + eps for a d that is x - mean(x) (maybe another node than the dividend). */
static bool variance(const struct ir *g, int v, int x, int axes, double *ret_eps)
{
    struct ir_node *add = pass_made_by(g, v, "Add"), *mean, *square;
    int mean_out = add ? pass_scalar(g, add, ret_eps) : -1, their_axes;

    mean = pass_made_by(g, mean_out, "ReduceMean");
    square = mean ? pass_made_by(g, mean->in[0], "Mul") : NULL;
    return square && square->in[0] == square->in[1] && last_axes(g, mean) == axes &&
           centred(g, square->in[0], &their_axes) == x && their_axes == axes;
}

/* A constant with one value for each element of the last axes; made dense; -1 if it is no such. */
static int per_element(struct ir *g, int tensor, const struct shape *x, int axes)
{
    struct shape want = {.rank = axes};
    const struct shape *have;

    if (!ir_const(g, tensor))
        return -1;
    have = &g->tensor[tensor].shape;
    memcpy(want.dim, x->dim + x->rank - axes, (size_t)axes * sizeof(want.dim[0]));
    if (have->rank < axes || shape_elements(have) != shape_elements(&want) ||
        memcmp(have->dim + have->rank - axes, want.dim, (size_t)axes * sizeof(want.dim[0])) != 0)
        return -1;
    return tensor;
}

static int filled(struct ir *g, const struct shape *x, int axes, float v)
{
    struct shape s = {.rank = axes};
    void *data;
    int t;

    memcpy(s.dim, x->dim + x->rank - axes, (size_t)axes * sizeof(s.dim[0]));
    t = ir_constant(g, v == 0 ? "zeros" : "ones", ELEM_FLOAT, &s, &data);
    for (int64_t i = 0; i < shape_elements(&s); i++)
        ((float *)data)[i] = v;
    return t;
}

/* The one node of kind `op` that reads `tensor`, and nothing else does; its index, -1. */
static int only_reader(const struct ir *g, int tensor, const char *op)
{
    int found = -1;

    if (ir_uses(g, tensor) != 1)
        return -1;
    for (int i = 0; i < g->n_nodes; i++)
        for (int j = 0; j < g->node[i].n_in && !g->node[i].dead; j++)
            if (g->node[i].in[j] == tensor && ir_is(&g->node[i], op))
                found = i;
    return found;
}

static int other_input(const struct ir_node *n, int tensor)
{
    return n->n_in != 2 ? -1 : n->in[0] == tensor ? n->in[1] : n->in[0];
}

/* The scale and shift behind a normalisation: constants, ones and zeros where there are none. The
 * node that is to become the whole; `accept` tells whether a constant fits. */
struct affine {
    int root, gamma, beta;
};

static struct affine find_affine(struct ir *g, int root,
                                 int (*accept)(struct ir *g, int tensor, const struct shape *x,
                                               int axes),
                                 const struct shape *x, int axes)
{
    struct affine a = {root, -1, -1};
    int y = g->node[root].out[0];
    int mul = only_reader(g, y, "Mul"), add;

    if (mul >= 0) {
        a.gamma = accept(g, other_input(&g->node[mul], y), x, axes);
        if (a.gamma < 0)
            return a;
        a.root = mul;
        y = g->node[mul].out[0];
    }
    add = only_reader(g, y, "Add");
    if (add >= 0) {
        a.beta = accept(g, other_input(&g->node[add], y), x, axes);
        if (a.beta >= 0)
            a.root = add;
    }
    return a;
}

static void layernorm_at(struct ir *g, int node)
{
    struct ir_node *div = &g->node[node], *root;
    struct ir_node *sqrt_node = pass_made_by(g, div->in[1], "Sqrt");
    struct affine a;
    struct shape shape;
    double eps;
    int axes, x;

    x = sqrt_node ? centred(g, div->in[0], &axes) : -1;
    if (x < 0 || !variance(g, sqrt_node->in[0], x, axes, &eps))
        return;
    shape = g->tensor[x].shape;
    a = find_affine(g, node, per_element, &shape, axes);
    a.gamma = a.gamma < 0 ? filled(g, &shape, axes, 1) : a.gamma;
    a.beta = a.beta < 0 ? filled(g, &shape, axes, 0) : a.beta;
    ir_node_become(g, a.root, "LayerNormalization", 3, (int[]){x, a.gamma, a.beta});
    root = &g->node[a.root];
    ir_attr_int(g, root, "axis", -axes);
    ir_attr_float(g, root, "epsilon", eps);
}

void pass_layernorm(struct ir *g)
{
    for (int i = 0; i < g->n_nodes; i++)
        if (!g->node[i].dead && ir_is(&g->node[i], "Div") && g->node[i].n_in == 2)
            layernorm_at(g, i);
}

/* ---- GroupNorm: [N,C,H,W] as [N,groups,-1], InstanceNormalization, and back ---- */

/* A constant with one value for each channel, [C,1,1] or [1,C,1,1]. */
static int per_channel(struct ir *g, int tensor, const struct shape *x, int axes)
{
    const struct shape *s;

    (void)axes;
    if (!ir_const(g, tensor))
        return -1;
    s = &g->tensor[tensor].shape;
    if (s->rank < x->rank - 1 || shape_elements(s) != x->dim[1] ||
        s->dim[s->rank - x->rank + 1] != x->dim[1])
        return -1;
    return tensor;
}

static int flat(struct ir *g, int tensor)
{
    int64_t n = shape_elements(&g->tensor[tensor].shape);
    int t = ir_tensor_new(g, g->tensor[tensor].name);

    g->tensor[t] = g->tensor[tensor];
    g->tensor[t].shape = (struct shape){1, {n}};
    return t;
}

static int channel_fill(struct ir *g, int64_t n, float v)
{
    struct shape s = {1, {n}};

    return filled(g, &s, 1, v);
}

static void groupnorm_at(struct ir *g, int node)
{
    struct ir_node *norm = &g->node[node];
    struct ir_node *before = pass_made_by(g, norm->in[0], "Reshape");
    int after = only_reader(g, norm->out[0], "Reshape");
    double scale, shift, eps = ir_float(norm, "epsilon", 1e-5);
    const struct ir_tensor *x, *mid;
    struct shape shape;
    struct affine a;
    int64_t groups;
    int input;

    if (!before || after < 0 || norm->n_in < 3 || !ir_uniform(g, norm->in[1], &scale) ||
        !ir_uniform(g, norm->in[2], &shift) || scale != 1 || shift != 0)
        return;
    input = before->in[0];
    x = &g->tensor[input];
    mid = &g->tensor[norm->in[0]];
    if (x->shape.rank < 3 || mid->shape.rank != 3 || mid->shape.dim[0] != x->shape.dim[0] ||
        x->shape.dim[1] % mid->shape.dim[1] ||
        !shape_same(&x->shape, &g->tensor[g->node[after].out[0]].shape))
        return;
    shape = x->shape;
    groups = mid->shape.dim[1];
    a = find_affine(g, after, per_channel, &shape, 0);
    a.gamma = a.gamma < 0 ? channel_fill(g, shape.dim[1], 1) : flat(g, a.gamma);
    a.beta = a.beta < 0 ? channel_fill(g, shape.dim[1], 0) : flat(g, a.beta);
    ir_node_become(g, a.root, "GroupNormalization", 3, (int[]){input, a.gamma, a.beta});
    ir_attr_int(g, &g->node[a.root], "num_groups", groups);
    ir_attr_float(g, &g->node[a.root], "epsilon", eps);
}

void pass_groupnorm(struct ir *g)
{
    for (int i = 0; i < g->n_nodes; i++)
        if (!g->node[i].dead && ir_is(&g->node[i], "InstanceNormalization"))
            groupnorm_at(g, i);
}
