/* harness/import/lower/lower_rows.c - operators that reduce rows: softmax, normalisations, sums. */
#include <math.h>
#include <string.h>

#include "harness/import/lower/lower.h"
#include "harness/import/shapes/infer.h"

void lower_last_axes(int rank, const bool *last, int64_t *ret_perm, int64_t *ret_back)
{
    int n = 0;

    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < rank; i++)
            if (last[i] == (pass == 1))
                ret_perm[n++] = i;
    for (int i = 0; i < rank; i++)
        ret_back[ret_perm[i]] = i;
}

void lower_softmax(struct lowering *x, const struct ir_node *n)
{
    struct val a = lower_solid(x, lower_stored(x, n));
    struct shape s = view_shape(&a.v);
    int axis = shape_axis(&s, ir_int(n, "axis", -1));
    bool last[VIEW_MAX] = {false};
    int64_t perm[VIEW_MAX], back[VIEW_MAX];

    if (axis < 0)
        lower_give_up(x, "no such axis");
    last[axis] = true;
    lower_last_axes(a.v.rank, last, perm, back);
    a = lower_permuted(&a, perm);
    a = lower_matrix(x, a, 1);
    lower_on(x, "softmax", &a);
    a = lower_permuted(&a, back);
    lower_out(x, n, &a.v);
}

/* Epsilons are powers of ten. */
static int64_t eps_exp(struct lowering *x, const struct ir_node *n)
{
    double eps = ir_float(n, "epsilon", 1e-5), e = -rint(log10(eps > 0 ? eps : 1));

    if (!(fabs(pow(10, -e) / eps - 1) < 1e-3) || e < 0)
        lower_give_up(x, "epsilon %g is no power of ten", eps);
    return (int64_t)e;
}

/* A vector of `cols` from a constant; `v` is how it is seen. */
static struct ref vector(struct lowering *x, int tensor, int64_t cols, const struct view *v)
{
    return low_weight_new(x->l, x->g->tensor[tensor].name, true, 1, cols, cols, tensor, v);
}

static struct ref filled(struct lowering *x, int64_t cols, float value)
{
    struct shape s = {1, {cols}};
    struct view v = view_dense(&s);
    void *data;
    int t = ir_constant(x->g, value == 0 ? "zeros" : "ones", ELEM_FLOAT, &s, &data);

    for (int64_t i = 0; i < cols; i++)
        ((float *)data)[i] = value;
    return vector(x, t, cols, &v);
}

/* Input `slot` as a vector of `cols`, each value for as many neighbours as there are fewer of them.
 */
static struct ref parameter(struct lowering *x, const struct ir_node *n, int slot, int64_t cols,
                            float otherwise)
{
    int t = slot < n->n_in ? n->in[slot] : -1;
    struct view v = {.rank = 2};

    if (t < 0)
        return filled(x, cols, otherwise);
    if (!ir_const(x->g, t))
        lower_give_up(x, "its parameters are not constant");
    v.dim[0] = shape_elements(&x->g->tensor[t].shape);
    if (v.dim[0] < 1 || cols % v.dim[0])
        lower_give_up(x, "its parameters do not fit its input");
    v.stride[0] = 1;
    v.dim[1] = cols / v.dim[0];
    return vector(x, t, cols, &v);
}

void lower_layernorm(struct lowering *x, const struct ir_node *n)
{
    struct val a = lower_solid(x, lower_stored(x, n));
    struct shape s = view_shape(&a.v);
    int axis = shape_axis(&s, ir_int(n, "axis", -1));
    int64_t e = eps_exp(x, n);
    struct ref gamma, beta;
    struct low_node *low;

    if (axis < 0)
        lower_give_up(x, "no such axis");
    if (n->n_out > 1 && n->out[1] >= 0)
        lower_give_up(x, "want no output but the first");
    a = lower_matrix(x, a, a.v.rank - axis);
    if (n->n_in > 1 && n->in[1] >= 0 && shape_elements(&x->g->tensor[n->in[1]].shape) != a.cols)
        lower_give_up(x, "its parameters do not fit its input");
    gamma = parameter(x, n, 1, a.cols, 1);
    beta = parameter(x, n, 2, a.cols, 0);
    low = lower_on(x, "layernorm", &a);
    low_int(low, "eps_exp", e);
    low_in(low, gamma);
    low_in(low, beta);
    lower_out(x, n, &a.v);
}

/* Of [1,C,..]: rows are pixels, columns channels. An instance norm has a group for each channel. */
void lower_groupnorm(struct lowering *x, const struct ir_node *n)
{
    struct val a = lower_solid(x, lower_stored(x, n));
    bool last[VIEW_MAX] = {false}, each = ir_is(n, "InstanceNormalization");
    int64_t perm[VIEW_MAX], back[VIEW_MAX], e = eps_exp(x, n), c;
    struct ref gamma, beta;
    struct low_node *low;

    if (a.v.rank < 3 || a.v.dim[0] != 1)
        lower_give_up(x, "want one feature map, a batch of 1");
    c = a.v.dim[1];
    last[1] = true;
    lower_last_axes(a.v.rank, last, perm, back);
    a = lower_permuted(&a, perm);
    a = lower_matrix(x, a, 1);
    gamma = parameter(x, n, 1, c, 1);
    beta = parameter(x, n, 2, c, 0);
    low = low_new(x->l, x->name, "groupnorm", a.rows, c);
    low_int(low, "rows", a.rows);
    low_int(low, "c", c);
    low_int(low, "groups", each ? c : ir_int(n, "num_groups", 1));
    low_int(low, "eps_exp", e);
    low_in(low, a.ref);
    low_in(low, gamma);
    low_in(low, beta);
    a = lower_permuted(&a, back);
    lower_out(x, n, &a.v);
}

/* Does the matrix have the axes in `gone` as its rows, and all others as its columns? */
static bool are_rows(struct lowering *x, const struct val *a, const bool *gone)
{
    struct piece p[VIEW_MAX];
    int n = lower_pieces(x, a, p);

    for (int i = 0; i < n; i++)
        if (p[i].col == gone[p[i].axis])
            return false;
    return a->v.offset == 0 && view_elements(&a->v) == a->rows * a->cols;
}

void lower_reduce(struct lowering *x, const struct ir_node *n)
{
    struct val a = lower_solid(x, lower_stored(x, n));
    const struct shape *s = &x->g->tensor[n->out[0]].shape;
    bool gone[VIEW_MAX] = {false}, by_rows;
    int64_t perm[VIEW_MAX], back[VIEW_MAX];
    int rank = a.v.rank, n_gone = 0, at = 0;
    struct low_node *low;
    struct view kept = {0};

    if (!infer_axes(x->g, n, gone))
        lower_give_up(x, "its axes are not constant");
    for (int i = 0; i < rank; i++)
        n_gone += gone[i];
    if (n_gone == 0)
        lower_give_up(x, "it reduces no axis");
    by_rows = are_rows(x, &a, gone);
    if (!by_rows) {
        lower_last_axes(rank, gone, perm, back);
        a = lower_permuted(&a, perm);
        a = lower_matrix(x, a, n_gone);
        a = lower_permuted(&a, back);
    }
    low = low_new(x->l, x->name, "reduce", by_rows ? 1 : a.rows, by_rows ? a.cols : 1);
    low_int(low, "rows", a.rows);
    low_int(low, "cols", a.cols);
    low_choice(low, "kind",
               ir_is(n, "ReduceMean")  ? "mean"
               : ir_is(n, "ReduceMax") ? "max"
               : ir_is(n, "ReduceMin") ? "min"
                                       : "sum");
    low_choice(low, "axis", by_rows ? "rows" : "cols");
    low_in(low, a.ref);
    for (int i = 0; i < rank; i++) {
        if (gone[i] && s->rank < rank)
            continue;
        kept.dim[at] = gone[i] ? 1 : a.v.dim[i];
        kept.stride[at++] = gone[i] ? 1 : by_rows ? a.v.stride[i] : a.v.stride[i] / a.cols;
    }
    kept.rank = at;
    lower_out(x, n, &kept);
}
