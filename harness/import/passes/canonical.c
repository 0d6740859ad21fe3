/* harness/import/passes/canonical.c - one spelling for one thing, before patterns are sought. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/import/passes/pass.h"
#include "harness/import/shapes/infer.h"

struct ir_node *pass_made_by(const struct ir *g, int tensor, const char *op)
{
    struct ir_node *n = ir_producer(g, tensor);

    return ir_is(n, op) ? n : NULL;
}

int pass_scalar(const struct ir *g, const struct ir_node *n, double *ret_v)
{
    if (n->n_in != 2)
        return -1;
    if (ir_uniform(g, n->in[1], ret_v) && !ir_const(g, n->in[0]))
        return n->in[0];
    if (ir_uniform(g, n->in[0], ret_v) && !ir_const(g, n->in[1]))
        return n->in[1];
    return -1;
}

/* A new node at the end with one output, whose shape is to be inferred. ir_sort() then. */
static struct ir_node *emit_node(struct ir *g, const char *name, const char *op, int n_in,
                                 const int *in)
{
    int out = ir_tensor_new(g, name);

    return ir_node_new(g, name, op, n_in, in, 1, &out);
}

/* Its output; for operators whose shape does not depend on attributes. */
static int emit(struct ir *g, const char *name, const char *op, int n_in, const int *in)
{
    struct ir_node *n = emit_node(g, name, op, n_in, in);

    infer_node(g, n);
    return n->out[0];
}

static int transposed(struct ir *g, const char *name, int x, const int64_t *perm, int rank)
{
    struct ir_node *n = emit_node(g, name, "Transpose", 1, &x);

    ir_attr_ints(g, n, "perm", rank, perm);
    infer_node(g, n);
    return n->out[0];
}

static int reshaped(struct ir *g, const char *name, int x, int rank, const int64_t *dim)
{
    int in[2] = {x, ir_ints(g, rank, dim)};

    return emit(g, name, "Reshape", 2, in);
}

/* Reads of the node's first output become reads of `with`. */
static void give_way(struct ir *g, int node, int with)
{
    int out = g->node[node].out[0];

    g->node[node].dead = true;
    ir_replace(g, out, with);
    if (!g->tensor[with].data && g->tensor[with].producer >= 0)
        g->tensor[with].name = g->tensor[out].name; /* outputs keep the names that people know */
}

/* ---- Gemm: products and sums ---- */

static void gemm(struct ir *g, int node)
{
    static const int64_t swap[2] = {1, 0};
    struct ir_node n = g->node[node];
    double alpha = ir_float(&n, "alpha", 1), beta = ir_float(&n, "beta", 1);
    int in[2] = {n.in[0], n.in[1]}, y;

    if (ir_int(&n, "transA", 0))
        in[0] = transposed(g, n.name, in[0], swap, 2);
    if (ir_int(&n, "transB", 0))
        in[1] = transposed(g, n.name, in[1], swap, 2);
    y = emit(g, n.name, "MatMul", 2, in);
    if (alpha != 1)
        y = emit(g, n.name, "Mul", 2, (int[]){y, ir_scalar(g, alpha)});
    if (n.n_in > 2 && n.in[2] >= 0 && beta != 0) {
        int c = n.in[2];

        if (beta != 1)
            c = emit(g, n.name, "Mul", 2, (int[]){c, ir_scalar(g, beta)});
        y = emit(g, n.name, "Add", 2, (int[]){y, c});
    }
    give_way(g, node, y);
}

/* ---- Einsum of two inputs: a product between views ---- */

struct labels {
    char a[IR_MAX_RANK + 1], b[IR_MAX_RANK + 1], y[IR_MAX_RANK + 1];
};

static bool read_labels(const char *p, struct labels *ret)
{
    char *part[3] = {ret->a, ret->b, ret->y};
    int which = 0, n = 0;

    memset(ret, 0, sizeof(*ret));
    for (; *p; p++) {
        if (*p == ',' || (p[0] == '-' && p[1] == '>')) {
            p += *p == '-';
            n = 0;
            if (++which > 2)
                return false;
        } else if (*p != ' ') {
            if (n == IR_MAX_RANK || strchr(part[which], *p))
                return false; /* a diagonal */
            part[which][n++] = *p;
        }
    }
    return which == 2;
}

/* Labels of `from` that are (or are not) in the others, in order. */
static int pick(const char *from, const char *x, bool in_x, const char *y, bool in_y, char *ret)
{
    int n = 0;

    for (; *from; from++)
        if ((strchr(x, *from) != NULL) == in_x && (strchr(y, *from) != NULL) == in_y)
            ret[n++] = *from;
    ret[n] = '\0';
    return n;
}

/* `x` with axes `have` as [batch, group 1, group 2], each group one axis. */
static int arrange(struct ir *g, const char *name, int x, const char *have, const char *batch,
                   const char *one, const char *two)
{
    char want[3 * IR_MAX_RANK + 3];
    int64_t perm[IR_MAX_RANK], dim[IR_MAX_RANK];
    const int64_t *size = g->tensor[x].shape.dim;
    int rank = (int)strlen(have), n = 0;

    strcat(strcat(strcpy(want, batch), one), two);
    for (int i = 0; i < rank; i++)
        perm[i] = strchr(have, want[i]) - have;
    for (const char *p = batch; *p; p++)
        dim[n++] = size[strchr(have, *p) - have];
    dim[n] = dim[n + 1] = 1;
    for (const char *p = one; *p; p++)
        dim[n] *= size[strchr(have, *p) - have];
    for (const char *p = two; *p; p++)
        dim[n + 1] *= size[strchr(have, *p) - have];
    x = transposed(g, name, x, perm, rank);
    return reshaped(g, name, x, n + 2, dim);
}

static void einsum(struct ir *g, int node)
{
    struct ir_node n = g->node[node];
    struct labels l;
    char batch[9], m[9], k[9], cols[9], alone[9], made[28];
    int64_t dim[IR_MAX_RANK], perm[IR_MAX_RANK];
    int y, rank, in[2];

    if (n.n_in != 2 || !read_labels(ir_string(&n, "equation", ""), &l))
        return; /* stays, and is listed as an operator that we lack */
    pick(l.a, l.b, true, l.y, true, batch);
    pick(l.a, l.b, false, l.y, true, m);
    pick(l.a, l.b, true, l.y, false, k);
    pick(l.b, l.a, false, l.y, true, cols);
    if (pick(l.a, l.b, false, l.y, false, alone) || pick(l.b, l.a, false, l.y, false, alone) ||
        strlen(batch) > IR_MAX_RANK - 2)
        return;
    in[0] = arrange(g, n.name, n.in[0], l.a, batch, m, k);
    in[1] = arrange(g, n.name, n.in[1], l.b, batch, k, cols);
    y = emit(g, n.name, "MatMul", 2, in);
    strcat(strcat(strcpy(made, batch), m), cols);
    rank = (int)strlen(made);
    for (int i = 0; i < rank; i++)
        dim[i] = g->tensor[n.out[0]].shape.dim[strchr(l.y, made[i]) - l.y];
    for (int i = 0; i < rank; i++)
        perm[i] = strchr(made, l.y[i]) - made;
    y = reshaped(g, n.name, y, rank, dim);
    give_way(g, node, transposed(g, n.name, y, perm, rank));
}

/* ---- DepthToSpace, SpaceToDepth: views ---- */

static void depth_to_space(struct ir *g, int node)
{
    struct ir_node n = g->node[node];
    const struct shape s = g->tensor[n.in[0]].shape, out = g->tensor[n.out[0]].shape;
    int64_t b = ir_int(&n, "blocksize", 1), c = s.dim[1] / (b * b);
    bool crd = strcmp(ir_string(&n, "mode", "DCR"), "CRD") == 0;
    const int64_t dcr_dim[6] = {s.dim[0], b, b, c, s.dim[2], s.dim[3]};
    const int64_t crd_dim[6] = {s.dim[0], c, b, b, s.dim[2], s.dim[3]};
    const int64_t dcr[6] = {0, 3, 4, 1, 5, 2}, crd_perm[6] = {0, 1, 4, 2, 5, 3};
    int x = reshaped(g, n.name, n.in[0], 6, crd ? crd_dim : dcr_dim);

    x = transposed(g, n.name, x, crd ? crd_perm : dcr, 6);
    give_way(g, node, reshaped(g, n.name, x, 4, out.dim));
}

static void space_to_depth(struct ir *g, int node)
{
    struct ir_node n = g->node[node];
    const struct shape s = g->tensor[n.in[0]].shape, out = g->tensor[n.out[0]].shape;
    int64_t b = ir_int(&n, "blocksize", 1);
    const int64_t dim[6] = {s.dim[0], s.dim[1], s.dim[2] / b, b, s.dim[3] / b, b};
    const int64_t perm[6] = {0, 3, 5, 1, 2, 4};
    int x = reshaped(g, n.name, n.in[0], 6, dim);

    x = transposed(g, n.name, x, perm, 6);
    give_way(g, node, reshaped(g, n.name, x, 4, out.dim));
}

/* ---- small ones ---- */

/* Sum, Max, Min of more than two. */
static void chain(struct ir *g, int node)
{
    struct ir_node n = g->node[node];
    const char *op = ir_is(&n, "Sum") ? "Add" : n.op;
    int y = n.in[0];

    if (n.n_in == 1 || (n.n_in == 2 && op == n.op)) {
        if (n.n_in == 1)
            give_way(g, node, y);
        return;
    }
    for (int i = 1; i < n.n_in; i++)
        y = emit(g, n.name, op, 2, (int[]){y, n.in[i]});
    give_way(g, node, y);
}

static void power(struct ir *g, int node)
{
    struct ir_node n = g->node[node];
    double e;
    int y = n.in[0];

    if (n.n_in != 2 || !ir_uniform(g, n.in[1], &e))
        return;
    if (e == 2 || e == 3) {
        y = emit(g, n.name, "Mul", 2, (int[]){y, y});
        if (e == 3)
            y = emit(g, n.name, "Mul", 2, (int[]){y, n.in[0]});
    } else if (e == 0.5 || e == -0.5) {
        y = emit(g, n.name, "Sqrt", 1, &y);
    } else if (e != 1 && e != -1) {
        return;
    }
    if (e < 0)
        y = emit(g, n.name, "Reciprocal", 1, &y);
    give_way(g, node, y);
}

/* Axes of one element are a view; others are put together with themselves. */
static void tile(struct ir *g, int node)
{
    enum { MOST = 64 };
    struct ir_node n = g->node[node];
    struct shape s = g->tensor[n.in[0]].shape;
    int64_t times[IR_MAX_RANK];
    int y = n.in[0], same[MOST];

    if (n.n_in != 2 || ir_list(g, n.in[1], IR_MAX_RANK, times) != s.rank)
        return;
    for (int i = 0; i < s.rank; i++)
        if (times[i] < 1 || (s.dim[i] > 1 && times[i] > MOST))
            return;
    for (int i = 0; i < s.rank; i++) {
        struct ir_node *concat;

        if (s.dim[i] == 1 || times[i] == 1)
            continue;
        for (int64_t k = 0; k < times[i]; k++)
            same[k] = y;
        concat = emit_node(g, n.name, "Concat", (int)times[i], same);
        ir_attr_int(g, concat, "axis", i);
        infer_node(g, concat);
        y = concat->out[0];
    }
    if (!shape_same(&g->tensor[y].shape, &g->tensor[n.out[0]].shape))
        y = emit(g, n.name, "Expand", 2,
                      (int[]){y, ir_ints(g, s.rank, g->tensor[n.out[0]].shape.dim)});
    give_way(g, node, y);
}

/* All of the spatial axes, into a mean or a maximum. */
static void global_pool(struct ir *g, int node)
{
    struct ir_node n = g->node[node];
    int64_t axes[IR_MAX_RANK];
    int rank = g->tensor[n.in[0]].shape.rank;
    struct ir_node *r;

    for (int i = 2; i < rank; i++)
        axes[i - 2] = i;
    r = emit_node(g, n.name, ir_is(&n, "GlobalMaxPool") ? "ReduceMax" : "ReduceMean", 2,
                       (int[]){n.in[0], ir_ints(g, rank - 2, axes)});
    infer_node(g, r);
    give_way(g, node, r->out[0]);
}

/* Softmax may be guarded against rows of nothing but -inf: Where(IsNaN(p), 0, p). Ours is NaN there
 * as the plain one is; exporters add the guard to masks that have no such row. */
static bool is_nan_guard(const struct ir *g, const struct ir_node *n)
{
    struct ir_node *test = pass_made_by(g, n->in[0], "IsNaN");
    double v;

    return test && test->in[0] == n->in[2] && ir_uniform(g, n->in[1], &v) && v == 0 &&
           pass_made_by(g, n->in[2], "Softmax");
}

/* Does it give its input 0 as it is? */
static bool is_identity(const struct ir *g, const struct ir_node *n)
{
    const struct ir_tensor *x = ir_in(g, n, 0), *y = ir_out(g, n, 0);
    double v;

    if (!x || !y || !x->known || !y->known)
        return false;
    if (ir_is(n, "Identity") || ir_is(n, "Dropout"))
        return true;
    if (ir_is(n, "Cast") || ir_is(n, "CastLike")) /* an integer input that is only a number */
        return x->elem == y->elem ||
               (x->elem == ELEM_INT && y->elem == ELEM_FLOAT && !x->data && x->producer < 0);
    if (ir_is(n, "Transpose")) {
        const struct ir_attr *perm = ir_int_list(n, "perm");

        for (int i = 0; perm && i < perm->n; i++)
            if (perm->ints[i] != i)
                return false;
        return perm != NULL;
    }
    if (ir_is(n, "Pad"))
        return n->n_in > 1 && ir_uniform(g, n->in[1], &v) && v == 0;
    if (ir_is(n, "Expand") || ir_is(n, "Tile") || ir_is(n, "Reshape") || ir_is(n, "Resize"))
        return shape_same(&x->shape, &y->shape);
    if (!shape_same(&x->shape, &y->shape) || n->n_in != 2 || !ir_uniform(g, n->in[1], &v))
        return false;
    return ((ir_is(n, "Mul") || ir_is(n, "Div")) && v == 1) ||
           ((ir_is(n, "Add") || ir_is(n, "Sub")) && v == 0);
}

void pass_canonical(struct ir *g)
{
    static const struct {
        const char *op;
        void (*rewrite)(struct ir *g, int node);
    } table[] = {{"Gemm", gemm},
                 {"Einsum", einsum},
                 {"DepthToSpace", depth_to_space},
                 {"SpaceToDepth", space_to_depth},
                 {"Sum", chain},
                 {"Max", chain},
                 {"Min", chain},
                 {"Pow", power},
                 {"Tile", tile},
                 {"GlobalAveragePool", global_pool},
                 {"GlobalMaxPool", global_pool}};
    int count = g->n_nodes;

    for (int i = 0; i < count; i++) {
        const struct ir_node *n = &g->node[i];

        if (n->dead || n->domain[0] || !ir_out(g, n, 0) || !ir_out(g, n, 0)->known)
            continue;
        if (is_identity(g, n)) {
            ir_replace(g, n->out[0], n->in[0]);
            g->node[i].dead = true;
            continue;
        }
        if (ir_is(n, "Where") && n->n_in == 3 && is_nan_guard(g, n)) {
            ir_replace(g, n->out[0], n->in[2]);
            g->node[i].dead = true;
            continue;
        }
        for (size_t k = 0; k < sizeof(table) / sizeof(*table); k++)
            if (strcmp(n->op, table[k].op) == 0) {
                table[k].rewrite(g, i);
                break;
            }
    }
    ir_sort(g);
}
