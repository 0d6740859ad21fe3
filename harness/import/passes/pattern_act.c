/* harness/import/passes/pattern_act.c - GELU and SiLU in whatever form they were written.
 *
 * Exporters spell them in a dozen ways, so the spelling is not looked at: where a node is a
 * function of one tensor alone through element-wise nodes and constants, that function is computed
 * at some points and compared with the ones that we have a kernel for. */
#include <math.h>
#include <string.h>

#include "harness/import/passes/pass.h"
#include "harness/import/shapes/fold.h"

enum { MAX_DEPTH = 12, MAX_VISITS = 64 };

struct probe {
    const struct ir *g;
    int leaf;
    double x;
    int visits; /* left */
};

/* False: the node is no such function. */
static bool value(struct probe *p, int tensor, int depth, double *ret)
{
    const struct ir_node *n;
    double a, b = 0;

    if (tensor == p->leaf) {
        *ret = p->x;
        return true;
    }
    if (tensor < 0 || depth == 0 || p->visits-- == 0)
        return false;
    if (ir_const(p->g, tensor))
        return ir_uniform(p->g, tensor, ret);
    n = ir_producer(p->g, tensor);
    if (!n || n->domain[0] || n->n_in < 1 || n->n_in > 2 || !value(p, n->in[0], depth - 1, &a) ||
        (n->n_in == 2 && !value(p, n->in[1], depth - 1, &b)))
        return false;
    return n->n_in == 2 ? fold_binary(n->op, ELEM_FLOAT, a, b, ret) : fold_unary(n->op, a, ret);
}

static double gelu_erf(double x)
{
    return 0.5 * x * (1 + erf(x / sqrt(2)));
}

static double gelu_tanh(double x)
{
    return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

static double silu(double x)
{
    return x / (1 + exp(-x));
}

/* Constants in files are floats, and some exporters' are of six digits; GELUs differ by 5e-4. */
static bool is_function(const struct ir *g, int root, int leaf, double (*f)(double))
{
    for (double x = -6.1; x < 6.2; x += 0.37) {
        struct probe p = {g, leaf, x, MAX_VISITS};
        double y;

        if (!value(&p, root, MAX_DEPTH, &y) || !(fabs(y - f(x)) <= 4e-6 * (1 + fabs(x))))
            return false;
    }
    return true;
}

static bool become(struct ir *g, int node, int leaf)
{
    int root = g->node[node].out[0];

    if (is_function(g, root, leaf, gelu_erf) || is_function(g, root, leaf, gelu_tanh)) {
        bool by_tanh = is_function(g, root, leaf, gelu_tanh);
        struct ir_attr *a;

        ir_node_become(g, node, "Gelu", 1, &leaf);
        ir_attr_int(g, &g->node[node], "approximate", 0);
        a = &g->node[node].attr[0];
        a->type = ATTR_TEXT;
        a->s = by_tanh ? "tanh" : "none";
        return true;
    }
    if (is_function(g, root, leaf, silu)) {
        ir_node_become(g, node, "Silu", 1, &leaf);
        g->node[node].domain = PASS_DOMAIN;
        return true;
    }
    return false;
}

/* Tensors of the root's shape on the way back from it: the function's argument is one of them. */
static int candidates(const struct ir *g, int tensor, const struct shape *s, int depth, int *found,
                      int n, int max)
{
    const struct ir_node *p = ir_producer(g, tensor);

    if (!p || p->domain[0] || depth == 0 || p->n_in > 2)
        return n;
    for (int j = 0; j < p->n_in; j++) {
        int t = p->in[j], i = 0;

        if (t < 0 || ir_const(g, t) || !shape_same(&g->tensor[t].shape, s))
            continue;
        while (i < n && found[i] != t)
            i++;
        if (i < n || n == max)
            continue;
        found[n++] = t;
        n = candidates(g, t, s, depth - 1, found, n, max);
    }
    return n;
}

static void activation_at(struct ir *g, int node)
{
    int found[24], n;

    n = candidates(g, g->node[node].out[0], &g->tensor[g->node[node].out[0]].shape, 9, found, 0,
                   24);
    for (int i = 0; i < n; i++)
        if (become(g, node, found[i]))
            return;
}

void pass_activation(struct ir *g)
{
    for (int i = g->n_nodes - 1; i >= 0; i--)
        if (!g->node[i].dead && (ir_is(&g->node[i], "Mul") || ir_is(&g->node[i], "Div")) &&
            g->node[i].n_in == 2 && g->tensor[g->node[i].out[0]].known)
            activation_at(g, i);
}
