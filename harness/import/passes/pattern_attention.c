/* harness/import/passes/pattern_attention.c - softmax(q k^T * scale + mask) v, the scale anywhere.
 *
 * A mask is recognised by what it does: nothing, or hide the future. Any other stays as it is
 * written, as products, sums and a softmax. */
#include <math.h>
#include <string.h>

#include "harness/import/passes/pass.h"
#include "harness/import/view.h"

/* exp() of anything below is 0 in float, whatever else a score says. */
#define HIDDEN (-1e4)

struct scores {
    int q, k; /* as the product reads them; k is [.., d, n] */
    double scale;
    int64_t m, n;
    double *mask; /* [m * n], NULL: none so far */
};

/* Multiplies and divides by one number: what is behind them. */
static int unscale(const struct ir *g, int tensor, double *scale)
{
    for (;;) {
        const struct ir_node *n = ir_producer(g, tensor);
        double v;
        int x;

        if (!ir_is(n, "Mul") && !ir_is(n, "Div"))
            return tensor;
        x = pass_scalar(g, n, &v);
        if (x < 0 || !shape_same(&g->tensor[x].shape, &g->tensor[tensor].shape) ||
            (ir_is(n, "Div") && x != n->in[0]) || v == 0)
            return tensor;
        *scale *= ir_is(n, "Div") ? 1 / v : v;
        tensor = x;
    }
}

struct plane {
    double *to;
    const struct ir_tensor *t;
    int64_t size;
    bool same; /* all planes so far */
};

static void take_plane(void *ctx, int64_t i, int64_t address)
{
    struct plane *p = ctx;
    double v = ir_at(p->t, address);

    if (i < p->size)
        p->to[i] = v;
    else if (p->to[i % p->size] != v)
        p->same = false;
}

/* A constant as one [m, n] plane, the same for all heads; NULL if it is not. */
static double *plane_of(struct ir *g, int tensor, const struct shape *full)
{
    const struct ir_tensor *t = &g->tensor[tensor];
    struct plane p = {
        .t = t, .same = true, .size = full->dim[full->rank - 2] * full->dim[full->rank - 1]};
    struct view dense, v;

    if (!t->data || t->shape.rank > full->rank || shape_elements(&t->shape) > INT64_C(1) << 26)
        return NULL;
    dense = view_dense(&t->shape);
    v = view_expand(&dense, full);
    for (int i = 0; i + 2 < v.rank; i++)
        if (v.stride[i] == 0)
            v.dim[i] = 1;
    p.to = NEWS(g->a, p.size, double);
    view_each(&v, take_plane, &p);
    return p.same ? p.to : NULL;
}

static void add_mask(struct ir *g, struct scores *s, const double *plane)
{
    if (!s->mask)
        s->mask = NEWS(g->a, s->m * s->n, double);
    for (int64_t i = 0; i < s->m * s->n; i++)
        s->mask[i] += plane[i];
}

/* Add(x, mask) or Where(seen, x, hidden): x, with the mask taken into s; -1 if it is neither. */
static int unmask(struct ir *g, const struct ir_node *n, struct scores *s)
{
    const struct shape *full = &g->tensor[n->out[0]].shape;
    double hidden, *plane;
    int x;

    if (ir_is(n, "Add") && n->n_in == 2) {
        x = ir_const(g, n->in[1]) ? n->in[0] : n->in[1];
        plane = plane_of(g, n->in[0] == x ? n->in[1] : n->in[0], full);
    } else if (ir_is(n, "Where") && n->n_in == 3 && ir_const(g, n->in[0])) {
        int64_t keep = ir_uniform(g, n->in[2], &hidden) && hidden <= HIDDEN;

        if (!keep && !(ir_uniform(g, n->in[1], &hidden) && hidden <= HIDDEN))
            return -1;
        x = n->in[keep ? 1 : 2];
        plane = plane_of(g, n->in[0], full);
        for (int64_t i = 0; plane && i < s->m * s->n; i++)
            plane[i] = (plane[i] != 0) == keep ? 0 : hidden;
    } else {
        return -1;
    }
    if (!plane || !shape_same(&g->tensor[x].shape, full))
        return -1;
    add_mask(g, s, plane);
    return x;
}

/* 0: hides nothing; 1: hides the future; -1: another mask. */
static int mask_kind(const struct scores *s)
{
    bool none = true, causal = s->m == s->n;

    for (int64_t i = 0; s->mask && i < s->m * s->n; i++) {
        bool future = i % s->n > i / s->n;

        none = none && s->mask[i] == 0;
        causal = causal && (future ? s->mask[i] <= HIDDEN : s->mask[i] == 0);
    }
    return none ? 0 : causal ? 1 : -1;
}

static bool find_scores(struct ir *g, int tensor, struct scores *s)
{
    const struct shape *full = &g->tensor[tensor].shape;
    const struct ir_node *n;

    if (full->rank < 2)
        return false;
    *s =
        (struct scores){.scale = 1, .m = full->dim[full->rank - 2], .n = full->dim[full->rank - 1]};
    for (;;) {
        int x;

        tensor = unscale(g, tensor, &s->scale);
        n = ir_producer(g, tensor);
        if (!n)
            return false;
        if (ir_is(n, "MatMul"))
            break;
        x = unmask(g, n, s);
        if (x < 0)
            return false;
        tensor = x;
    }
    s->q = unscale(g, n->in[0], &s->scale);
    s->k = unscale(g, n->in[1], &s->scale);
    return !ir_const(g, s->q) && !ir_const(g, s->k) && s->scale > 0;
}

/* Have both the same leading axes, and more than a matrix? */
static bool same_batch(const struct shape *a, const struct shape *b)
{
    return a->rank == b->rank && a->rank >= 3 &&
           memcmp(a->dim, b->dim, (size_t)(a->rank - 2) * sizeof(a->dim[0])) == 0;
}

static void attention_at(struct ir *g, int node)
{
    struct ir_node *n = &g->node[node];
    struct ir_node *soft = pass_made_by(g, n->in[0], "Softmax");
    const struct shape *p = &g->tensor[n->in[0]].shape;
    struct scores s;
    int v = n->in[1], kind;

    if (!soft || ir_const(g, v) || shape_axis(p, ir_int(soft, "axis", -1)) != p->rank - 1 ||
        !find_scores(g, soft->in[0], &s))
        return;
    kind = mask_kind(&s);
    if (kind < 0 || !same_batch(&g->tensor[s.q].shape, &g->tensor[s.k].shape) ||
        !same_batch(&g->tensor[s.q].shape, &g->tensor[v].shape))
        return;
    ir_node_become(g, node, "Attention", 3, (int[]){s.q, s.k, v});
    n = &g->node[node];
    n->domain = PASS_DOMAIN;
    ir_attr_float(g, n, "scale", s.scale);
    ir_attr_int(g, n, "causal", kind);
}

void pass_attention(struct ir *g)
{
    for (int i = 0; i < g->n_nodes; i++)
        if (!g->node[i].dead && ir_is(&g->node[i], "MatMul") && g->tensor[g->node[i].out[0]].known)
            attention_at(g, i);
}
