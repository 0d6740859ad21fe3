#include "harness/import/lower/lower.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "harness/import/passes/pass.h"

_Noreturn void lower_give_up(struct lowering *x, const char *fmt, ...)
{
    char text[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    x->why = arena_text(x->g->a, text, strlen(text));
    longjmp(*x->give_up, 1);
}

/* ---- values ---- */

struct val lower_in(struct lowering *x, const struct ir_node *n, int slot)
{
    int t = slot < n->n_in ? n->in[slot] : -1;
    struct val a;

    if (t < 0)
        lower_give_up(x, "input %d is missing", slot);
    if (ir_const(x->g, t)) {
        a = (struct val){.kind = VAL_CONST, .tensor = t};
        a.v = view_dense(&x->g->tensor[t].shape);
        return a;
    }
    return x->val[t];
}

struct val lower_stored(struct lowering *x, const struct ir_node *n)
{
    struct val a = lower_in(x, n, 0);

    if (a.kind != VAL_STORED)
        lower_give_up(x, "its input is constant");
    return a;
}

const char *lower_name(struct lowering *x, const char *what)
{
    return arena_printf(x->g->a, "%s.%s", x->name, what);
}

struct low_node *lower_on(struct lowering *x, const char *op, const struct val *a)
{
    struct low_node *low = low_new(x->l, x->name, op, a->rows, a->cols);

    low_int(low, "rows", a->rows);
    low_int(low, "cols", a->cols);
    low_in(low, a->ref);
    return low;
}

struct low_node *lower_pair(struct lowering *x, const char *op, const struct val *a, struct ref b,
                            int64_t brows, int64_t bcols)
{
    struct low_node *low = lower_on(x, op, a);

    low_int(low, "brows", brows);
    low_int(low, "bcols", bcols);
    low_choice(low, "b", b.kind != REF_WEIGHT ? "input" : brows == 1 ? "vector" : "weight");
    low_in(low, b);
    return low;
}

struct low_node *lower_product(struct lowering *x, const struct val *a, int64_t n, bool tb,
                               const char *b)
{
    struct low_node *low = low_new(x->l, x->name, "matmul", a->rows, n);

    low_int(low, "m", a->rows);
    low_int(low, "n", n);
    low_int(low, "k", a->cols);
    low_int(low, "tb", tb);
    low_choice(low, "b", b);
    low_in(low, a->ref);
    return low;
}

struct val lower_last(struct lowering *x, const struct view *v)
{
    const struct low_node *n = &x->l->node[x->l->n_nodes - 1];

    return (struct val){.kind = VAL_STORED,
                        .ref = {REF_NODE, x->l->n_nodes - 1},
                        .rows = n->rows,
                        .cols = n->cols,
                        .v = *v};
}

void lower_out(struct lowering *x, const struct ir_node *n, const struct view *v)
{
    const struct shape *s = &x->g->tensor[n->out[0]].shape;

    (void)s;
    assert(v->rank == s->rank && view_elements(v) == shape_elements(s));
    x->val[n->out[0]] = lower_last(x, v);
}

/* ---- inputs ---- */

/* A vector of ids if it only looks things up in tables; else numbers. */
static bool only_ids(const struct ir *g, int tensor, int64_t *ret_vocab)
{
    bool found = false;

    for (int i = 0; i < g->n_nodes; i++)
        for (int j = 0; j < g->node[i].n_in && !g->node[i].dead; j++) {
            const struct ir_node *n = &g->node[i];
            const struct ir_tensor *table = ir_in(g, n, 0);

            if (n->in[j] != tensor)
                continue;
            if (!ir_is(n, "Gather") || j != 1 || !table->data || ir_int(n, "axis", 0) != 0)
                return false;
            if (!found || table->shape.dim[0] < *ret_vocab)
                *ret_vocab = table->shape.dim[0];
            found = true;
        }
    return found;
}

static void add_inputs(struct lowering *x)
{
    struct ir *g = x->g;

    x->l->n_inputs = g->n_inputs;
    x->l->input = NEWS(g->a, g->n_inputs, struct low_input);
    for (int i = 0; i < g->n_inputs; i++) {
        const struct ir_tensor *t = &g->tensor[g->input[i]];
        struct low_input in = {.tensor = g->input[i], .v = view_dense(&t->shape)};
        int64_t elements = shape_elements(&t->shape);

        in.ids = t->elem == ELEM_INT && only_ids(g, g->input[i], &in.vocab);
        in.cols = in.ids || t->shape.rank == 0 ? elements : t->shape.dim[t->shape.rank - 1];
        if (x->hint[i].set) {
            in.v = x->hint[i].v;
            in.cols = x->hint[i].cols;
        }
        in.rows = elements / in.cols;
        x->l->input[i] = in;
        x->val[g->input[i]] = (struct val){
            .kind = VAL_STORED, .ref = {REF_INPUT, i}, .rows = in.rows, .cols = in.cols, .v = in.v};
    }
}

/* ---- nodes ---- */

static const struct {
    const char *domain, *op;
    void (*lower)(struct lowering *x, const struct ir_node *n);
} table[] = {
    {"", "MatMul", lower_matmul},
    {PASS_DOMAIN, "Attention", lower_attention},
    {"", "Conv", lower_conv},
    {"", "ConvTranspose", lower_deconv},
    {"", "Relu", lower_unary},
    {"", "Gelu", lower_unary},
    {PASS_DOMAIN, "Silu", lower_unary},
    {"", "Swish", lower_unary},
    {"", "Sigmoid", lower_unary},
    {"", "Tanh", lower_unary},
    {"", "Exp", lower_unary},
    {"", "Log", lower_unary},
    {"", "Sqrt", lower_unary},
    {"", "Sin", lower_unary},
    {"", "Cos", lower_unary},
    {"", "Erf", lower_unary},
    {"", "Abs", lower_unary},
    {"", "Neg", lower_unary},
    {"", "Reciprocal", lower_unary},
    {"", "Add", lower_binary},
    {"", "Sub", lower_binary},
    {"", "Mul", lower_binary},
    {"", "Div", lower_binary},
    {"", "Max", lower_binary},
    {"", "Min", lower_binary},
    {"", "Clip", lower_clip},
    {"", "Where", lower_where},
    {"", "BatchNormalization", lower_batchnorm},
    {"", "Softmax", lower_softmax},
    {"", "LayerNormalization", lower_layernorm},
    {"", "GroupNormalization", lower_groupnorm},
    {"", "InstanceNormalization", lower_groupnorm},
    {"", "ReduceMean", lower_reduce},
    {"", "ReduceSum", lower_reduce},
    {"", "ReduceMax", lower_reduce},
    {"", "ReduceMin", lower_reduce},
    {"", "Gather", lower_gather},
    {"", "Concat", lower_concat},
    {"", "Pad", lower_pad},
    {"", "Resize", lower_resize},
    {"", "MaxPool", lower_pool},
    {"", "AveragePool", lower_pool},
};

static bool is_poisoned(const struct lowering *x, const struct ir_node *n)
{
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] >= 0 && x->val[n->in[i]].kind == VAL_POISON)
            return true;
    return false;
}

/* A dense copy in the order of the axes, with as many columns as `next` has in its last axis, so
 * that the reshape to it leaves rows whole; an axis is cut in two where that needs it. */
static struct val dense_copy(struct lowering *x, struct val a, const struct view *next)
{
    int64_t cols = 1, want = next->rank ? next->dim[next->rank - 1] : 1;
    struct shape s = view_shape(&a.v);
    int n_cols = a.v.rank ? 1 : 0, at = a.v.rank - 1;

    while (at >= 0 && cols * a.v.dim[at] <= want)
        cols *= a.v.dim[at--];
    if (cols == want && at + 1 < a.v.rank) {
        n_cols = a.v.rank - 1 - at;
    } else if (at >= 0 && want % cols == 0 && a.v.dim[at] % (want / cols) == 0) {
        int64_t part = want / cols;

        for (int i = a.v.rank; i > at; i--) {
            a.v.dim[i] = a.v.dim[i - 1];
            a.v.stride[i] = a.v.stride[i - 1];
        }
        a.v.dim[at] /= part;
        a.v.stride[at] *= part;
        a.v.dim[at + 1] = part;
        a.v.rank++;
        n_cols = a.v.rank - 1 - at;
    }
    a = lower_ordered(x, lower_solid(x, a), n_cols);
    a.v = view_dense(&s);
    return a;
}

/* A node that only looks at its input: all of its outputs. False: it is no such node. */
static bool lower_view(struct lowering *x, const struct ir_node *n)
{
    struct val a;
    struct view v;

    if (n->n_in < 1 || n->in[0] < 0 || view_of_node(x->g, n, 0, &x->val[n->in[0]].v, &v) == VIEW_NO)
        return false;
    for (int i = 0; i < n->n_out; i++) {
        enum view_op op;

        if (n->out[i] < 0)
            continue;
        a = lower_in(x, n, 0);
        op = view_of_node(x->g, n, i, &a.v, &v);
        if (op == VIEW_COPY) { /* a dense copy: then any shape is a view */
            if (a.kind == VAL_CONST)
                lower_give_up(x, "a constant in this order is too large to be copied");
            a = dense_copy(x, a, &v);
            op = view_of_node(x->g, n, i, &a.v, &v);
        }
        if (op != VIEW_YES)
            lower_give_up(x, "its input cannot be seen so");
        a.v = v;
        if (!x->views && a.kind == VAL_STORED && !ir_is(n, "Reshape") && !ir_is(n, "Squeeze") &&
            !ir_is(n, "Unsqueeze") && !ir_is(n, "Expand") && !ir_is(n, "Flatten"))
            a = lower_ordered(x, lower_solid(x, a), a.v.rank ? 1 : 0);
        x->val[n->out[i]] = a;
    }
    return true;
}

static void lower_node(struct lowering *x, const struct ir_node *n)
{
    for (int i = 0; i < n->n_out; i++) {
        const struct ir_tensor *t = ir_out(x->g, n, i);

        if (i == 0 && t && !t->known)
            lower_give_up(x, "its output has no static shape");
        if (t && t->known && shape_elements(&t->shape) == 0)
            lower_give_up(x, "its output has no elements");
    }
    if (lower_view(x, n))
        return;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        if (strcmp(n->op, table[i].op) == 0 && strcmp(n->domain, table[i].domain) == 0) {
            table[i].lower(x, n);
            return;
        }
    lower_give_up(x, "no such operator");
}

static bool try_node(struct lowering *x, const struct ir_node *n)
{
    jmp_buf here;

    x->give_up = &here;
    if (setjmp(here))
        return false;
    lower_node(x, n);
    return true;
}

static void poison(struct lowering *x, const struct ir_node *n)
{
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] >= 0)
            x->val[n->out[i]].kind = VAL_POISON;
}

static bool try_output(struct lowering *x, int tensor)
{
    jmp_buf here;
    struct val a = x->val[tensor];

    x->give_up = &here;
    if (setjmp(here))
        return false;
    if (a.kind != VAL_STORED)
        lower_give_up(x, "the output is not computed");
    a = lower_compact(x, lower_solid(x, a));
    if (a.ref.kind != REF_NODE)
        lower_give_up(x, "the output is an input");
    x->l->output = a.ref;
    x->l->output_view = a.v;
    return true;
}

static int lower_once(struct lowering *x, struct unsupported **ret_list)
{
    struct ir *g = x->g;
    struct unsupported *list = NULL;
    int n_list = 0;

    x->val = NEWS(g->a, g->n_tensors + 1, struct val);
    add_inputs(x);
    for (int i = 0; i < g->n_nodes; i++) {
        const struct ir_node *n = &g->node[i];

        if (n->dead)
            continue;
        x->node = i;
        x->name = n->n_out && n->out[0] >= 0 ? g->tensor[n->out[0]].name : n->name;
        if (is_poisoned(x, n)) {
            poison(x, n);
        } else if (!try_node(x, n)) {
            list = arena_grow(g->a, list, (size_t)n_list, sizeof(*list));
            list[n_list++] = (struct unsupported){i, x->why};
            poison(x, n);
        }
    }
    x->name = g->tensor[g->output[0]].name;
    if (n_list == 0 && !try_output(x, g->output[0]))
        arena_fail(g->a, -EINVAL, "output '%.200s': %s", x->name, x->why);
    *ret_list = list;
    return n_list;
}

/* Twice: the first time shows how inputs are read, the second lays them out so. */
int lower(struct ir *g, bool views, struct low *l, struct unsupported **ret_list)
{
    struct lowering x = {.l = l, .g = g, .views = views};
    int n;

    x.hint = NEWS(g->a, g->n_inputs + 1, struct hint);
    n = lower_once(&x, ret_list);
    if (n > 0)
        return n;
    *l = (struct low){.a = l->a, .g = g};
    return lower_once(&x, ret_list);
}
