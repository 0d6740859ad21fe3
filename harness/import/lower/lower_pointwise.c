/* harness/import/lower/lower_pointwise.c - one element at a time: the input's layout stays. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/import/lower/lower.h"

/* ---- one input ---- */

static const struct {
    const char *onnx, *op;
} unaries[] = {{"Relu", "relu"}, {"Gelu", "gelu"},        {"Silu", "silu"}, {"Sigmoid", "sigmoid"},
               {"Tanh", "tanh"}, {"Exp", "exp"},          {"Log", "log"},   {"Sqrt", "sqrt"},
               {"Sin", "sin"},   {"Cos", "cos"},          {"Erf", "erf"},   {"Abs", "abs"},
               {"Neg", "neg"},   {"Reciprocal", "recip"}, {"Swish", "silu"}};

void lower_unary(struct lowering *x, const struct ir_node *n)
{
    struct val a = lower_stored(x, n);
    struct low_node *low;
    const char *op = NULL;

    for (size_t i = 0; i < sizeof(unaries) / sizeof(*unaries); i++)
        if (strcmp(unaries[i].onnx, n->op) == 0)
            op = unaries[i].op;
    if (!op || (strcmp(n->op, "Swish") == 0 && ir_float(n, "alpha", 1) != 1))
        lower_give_up(x, "want alpha 1");
    a = lower_compact(x, a);
    low = lower_on(x, op, &a);
    if (strcmp(op, "gelu") == 0)
        low_choice(low, "approx",
                   strcmp(ir_string(n, "approximate", "none"), "tanh") == 0 ? "tanh" : "erf");
    lower_out(x, n, &a.v);
}

/* ---- two inputs ---- */

/* b as [brows, bcols] against the pieces of a: brows divides the rows and repeats, bcols is 1 or
 * all. */
struct against {
    int first; /* pieces before are repeated */
    bool cols; /* has columns */
    int64_t brows, bcols;
    struct view v; /* of b: the pieces that it has */
};

/* b has the output's axes, some repeated; p are those of a as they lie. */
static struct against match(const struct piece *p, int n, const struct view *b)
{
    struct against m = {.first = n, .brows = 1, .bcols = 1, .v = {.offset = b->offset}};

    for (int i = n - 1; i >= 0; i--) {
        bool has = b->stride[p[i].axis] != 0 && b->dim[p[i].axis] > 1;

        if (has && p[i].col)
            m.cols = true;
        if (has && !p[i].col)
            m.first = i;
    }
    for (int i = 0; i < n; i++) {
        bool take = p[i].col ? m.cols : i >= m.first;

        if (!take)
            continue;
        m.v.dim[m.v.rank] = p[i].size;
        m.v.stride[m.v.rank++] = b->stride[p[i].axis] * p[i].times;
        *(p[i].col ? &m.bcols : &m.brows) *= p[i].size;
    }
    return m;
}

static struct ref constant_against(struct lowering *x, int tensor, const struct against *m)
{
    return low_weight_new(x->l, x->g->tensor[tensor].name, m->brows == 1, m->brows, m->bcols,
                          m->bcols, tensor, &m->v);
}

/* The computed b as the matrix that m asks for. */
static struct ref computed_against(struct lowering *x, const struct val *b, const struct against *m)
{
    struct val part = *b;
    int n_cols = 0;
    int64_t cols = 1;

    part.v = m->v;
    for (int i = part.v.rank - 1; i >= 0 && cols < m->bcols; i--, n_cols++)
        cols *= part.v.dim[i];
    part = lower_ordered(x, part, n_cols);
    return part.ref;
}

struct pair {
    const char *op;
    bool commutes;
};

static struct pair pair_of(const char *onnx)
{
    static const struct {
        const char *onnx;
        struct pair p;
    } table[] = {{"Add", {"add", true}},  {"Sub", {"sub", false}}, {"Mul", {"mul", true}},
                 {"Div", {"div", false}}, {"Max", {"max", true}},  {"Min", {"min", true}}};

    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        if (strcmp(table[i].onnx, onnx) == 0)
            return table[i].p;
    return (struct pair){"add", true};
}

/* y = a op b (or b op a): a has the output's shape, b may be repeated. */
static struct val binary(struct lowering *x, struct val a, struct val b, const struct shape *s,
                         struct pair op, bool swapped)
{
    struct piece p[VIEW_MAX];
    struct low_node *low;
    struct against m;
    struct view bv;
    struct ref other;
    int n;

    a.v = view_expand(&a.v, s);
    a = lower_solid(x, a);
    a = lower_compact(x, a);
    n = lower_pieces(x, &a, p);
    bv = view_expand(&b.v, s);
    m = match(p, n, &bv);
    if (b.kind == VAL_STORED && view_repeats(&m.v)) {
        b.v = bv;
        b = lower_solid(x, b);
        m = match(p, n, &b.v);
    }
    other = b.kind == VAL_CONST ? constant_against(x, b.tensor, &m) : computed_against(x, &b, &m);
    low = lower_pair(x, op.op, &a, other, m.brows, m.bcols);
    if (swapped && !op.commutes)
        low_int(low, "swap", 1);
    return lower_last(x, &a.v);
}

static bool has_shape(const struct val *a, const struct shape *s)
{
    return view_elements(&a->v) == shape_elements(s) && !view_repeats(&a->v);
}

/* Is it stored without gaps, so that no copy is needed to go over it? */
static bool is_whole(const struct val *a)
{
    return a->v.offset == 0 && view_elements(&a->v) == a->rows * a->cols;
}

void lower_binary(struct lowering *x, const struct ir_node *n)
{
    struct val a = lower_in(x, n, 0), b = lower_in(x, n, 1), y;
    const struct shape s = x->g->tensor[n->out[0]].shape;
    struct pair op = pair_of(n->op);
    bool second = a.kind == VAL_CONST;

    if (a.kind == VAL_CONST && b.kind == VAL_CONST)
        lower_give_up(x, "its inputs are constant, and too large to be folded");
    if (a.kind == VAL_STORED && b.kind == VAL_STORED)
        second = has_shape(&b, &s) && (!has_shape(&a, &s) || (!is_whole(&a) && is_whole(&b)));
    y = second ? binary(x, b, a, &s, op, true) : binary(x, a, b, &s, op, false);
    lower_out(x, n, &y.v);
}

/* y = a op v, one number. */
static struct val with_number(struct lowering *x, struct val a, const char *op, double v)
{
    struct val b = {.kind = VAL_CONST, .tensor = ir_scalar(x->g, v)};
    struct shape s = view_shape(&a.v);

    return binary(x, a, b, &s, (struct pair){op, true}, false);
}

void lower_clip(struct lowering *x, const struct ir_node *n)
{
    struct val a = lower_stored(x, n);
    double low, high;
    bool any = false;

    if (n->n_in > 1 && n->in[1] >= 0) {
        if (!ir_uniform(x->g, n->in[1], &low))
            lower_give_up(x, "its limit is not constant");
        a = with_number(x, a, "max", low);
        any = true;
    }
    if (n->n_in > 2 && n->in[2] >= 0) {
        if (!ir_uniform(x->g, n->in[2], &high))
            lower_give_up(x, "its limit is not constant");
        a = with_number(x, a, "min", high);
        any = true;
    }
    if (any)
        lower_out(x, n, &a.v);
    else
        x->val[n->out[0]] = a;
}

/* x + this is this, for any x that a network would compute. */
#define ABSORBS 1e30

/* Where(c, x, y) with a constant c, and a constant on one side: x * seen + hidden, which are 1 and
 * 0 where c says x, else 0 and y. Infinities become the largest float: 0 * inf would be no number.
 */
void lower_where(struct lowering *x, const struct ir_node *n)
{
    struct val c = lower_in(x, n, 0), a = lower_in(x, n, 1), b = lower_in(x, n, 2), y;
    const struct shape s = x->g->tensor[n->out[0]].shape;
    bool second = a.kind == VAL_CONST;
    const struct val *other = second ? &a : &b;
    struct val seen = {.kind = VAL_CONST}, hidden = {.kind = VAL_CONST};
    void *times, *plus;
    double v;

    if (c.kind != VAL_CONST || other->kind != VAL_CONST || !ir_uniform(x->g, other->tensor, &v) ||
        (second ? b.kind : a.kind) != VAL_STORED)
        lower_give_up(x, "want a constant condition and a constant for one side");
    v = fmax(fmin(v, 3.4e38), -3.4e38);
    seen.tensor = ir_constant(x->g, "seen", ELEM_FLOAT, &x->g->tensor[c.tensor].shape, &times);
    hidden.tensor = ir_constant(x->g, "hidden", ELEM_FLOAT, &x->g->tensor[c.tensor].shape, &plus);
    seen.v = hidden.v = c.v;
    for (int64_t i = 0; i < view_elements(&c.v); i++) {
        bool keep = (ir_at(&x->g->tensor[c.tensor], i) != 0) != second;

        ((float *)times)[i] = keep;
        ((float *)plus)[i] = keep ? 0 : (float)v;
    }
    y = second ? b : a;
    if (fabs(v) < ABSORBS)
        y = binary(x, y, seen, &s, (struct pair){"mul", true}, false);
    y = binary(x, y, hidden, &s, (struct pair){"add", true}, false);
    lower_out(x, n, &y.v);
}

/* y = x * scale + shift per channel. */
void lower_batchnorm(struct lowering *x, const struct ir_node *n)
{
    struct val a = lower_stored(x, n);
    int64_t c = a.v.rank > 1 ? a.v.dim[1] : 0, perm[VIEW_MAX], back[VIEW_MAX];
    bool channels[VIEW_MAX] = {false, true};
    double eps = ir_float(n, "epsilon", 1e-5);
    struct shape s = {1, {c}};
    struct view v = view_dense(&s);
    void *scale, *shift;
    struct ref w[2];
    struct low_node *low;
    int t[2];

    for (int i = 1; i < 5; i++)
        if (i >= n->n_in || !ir_const(x->g, n->in[i]) ||
            shape_elements(&x->g->tensor[n->in[i]].shape) != c)
            lower_give_up(x, "its parameters are not constant");
    t[0] = ir_constant(x->g, lower_name(x, "scale"), ELEM_FLOAT, &s, &scale);
    t[1] = ir_constant(x->g, lower_name(x, "shift"), ELEM_FLOAT, &s, &shift);
    for (int64_t i = 0; i < c; i++) {
        double k =
            ir_at(&x->g->tensor[n->in[1]], i) / sqrt(ir_at(&x->g->tensor[n->in[4]], i) + eps);

        ((float *)scale)[i] = (float)k;
        ((float *)shift)[i] =
            (float)(ir_at(&x->g->tensor[n->in[2]], i) - k * ir_at(&x->g->tensor[n->in[3]], i));
    }
    lower_last_axes(a.v.rank, channels, perm, back);
    a = lower_permuted(&a, perm);
    a = lower_matrix(x, a, 1);
    for (int i = 0; i < 2; i++)
        w[i] = low_weight_new(x->l, x->g->tensor[t[i]].name, true, 1, c, c, t[i], &v);
    low = lower_on(x, "affine", &a);
    low_in(low, w[0]);
    low_in(low, w[1]);
    a = lower_permuted(&a, back);
    lower_out(x, n, &a.v);
}
