/* harness/import/lower/lower_product.c - products: matmul, attention. */
#include <math.h>
#include <string.h>

#include "harness/import/lower/lower.h"
#include "harness/import/shapes/infer.h"

/* ---- matmul ---- */

static void swap_last(struct view *v)
{
    int64_t dim = v->dim[v->rank - 1], stride = v->stride[v->rank - 1];

    v->dim[v->rank - 1] = v->dim[v->rank - 2];
    v->stride[v->rank - 1] = v->stride[v->rank - 2];
    v->dim[v->rank - 2] = dim;
    v->stride[v->rank - 2] = stride;
}

/* Rows stay where they are when each, of k elements, becomes one of n. */
static struct view rows_of(const struct view *a, int64_t k, int64_t n)
{
    struct view v = *a;
    int last = v.rank - 1;

    for (int i = 0; i < last; i++)
        v.stride[i] = v.dim[i] == 1 ? 1 : v.stride[i] / k * n;
    v.dim[last] = n;
    v.stride[last] = 1;
    return v;
}

/* y [rows, n] = a [rows, k] b: the constant b's axes are [k, n]; a's are [.., k], y's [.., n]. */
static struct val times_constant(struct lowering *x, struct val a, const struct val *b)
{
    static const int64_t swap[2] = {1, 0};
    int64_t k = a.v.dim[a.v.rank - 1], n = b->v.dim[1];
    struct view w = view_permute(&b->v, swap);
    struct ref weight;

    a = lower_matrix(x, a, 1);
    weight = low_weight_new(x->l, x->g->tensor[b->tensor].name, false, n, k, k, b->tensor, &w);
    low_in(lower_product(x, &a, n, true, "weight"), weight);
    a.v = rows_of(&a.v, k, n);
    return lower_last(x, &a.v);
}

/* The same with one matrix b that is computed. */
static struct val times_one(struct lowering *x, struct val a, struct val b)
{
    int64_t k = a.v.dim[a.v.rank - 1], n = b.v.dim[1];
    bool tb = !lower_is_matrix(&b, 1);

    a = lower_matrix(x, a, 1);
    if (tb) {
        swap_last(&b.v);
        b = lower_ordered(x, b, 1);
    }
    low_in(lower_product(x, &a, n, tb, "input"), b.ref);
    a.v = rows_of(&a.v, k, n);
    return lower_last(x, &a.v);
}

/* The constant's leading axes are all of one element: its matrix. */
static bool constant_matrix(struct val *b)
{
    if (b->kind != VAL_CONST || b->v.rank < 2)
        return false;
    for (int i = 0; i + 2 < b->v.rank; i++)
        if (b->v.dim[i] != 1)
            return false;
    memmove(b->v.dim, b->v.dim + b->v.rank - 2, 2 * sizeof(b->v.dim[0]));
    memmove(b->v.stride, b->v.stride + b->v.rank - 2, 2 * sizeof(b->v.stride[0]));
    b->v.rank = 2;
    return true;
}

/* Leading axes of one element, so that both operands of a product have as many axes. */
static void lead(struct val *a, int rank)
{
    int more = rank - a->v.rank;

    if (more <= 0)
        return;
    memmove(a->v.dim + more, a->v.dim, (size_t)a->v.rank * sizeof(a->v.dim[0]));
    memmove(a->v.stride + more, a->v.stride, (size_t)a->v.rank * sizeof(a->v.stride[0]));
    for (int i = 0; i < more; i++)
        a->v.dim[i] = a->v.stride[i] = 1;
    a->v.rank = rank;
}

/* Does the value lie as [m, batch * k], its batch side by side in blocks of whole texels, maybe as
 * some columns of a larger matrix? */
static bool side_by_side(const struct val *a)
{
    int r = a->v.rank;
    int64_t m = a->v.dim[r - 2], k = a->v.dim[r - 1], stride = k, batch = 1;

    for (int i = r - 3; i >= 0; i--) {
        if (a->v.dim[i] != 1 && a->v.stride[i] != stride)
            return false;
        stride *= a->v.dim[i];
        batch *= a->v.dim[i];
    }
    return a->kind == VAL_STORED && batch > 1 && k % 4 == 0 && a->v.stride[r - 1] == 1 &&
           (m == 1 || a->v.stride[r - 2] == a->cols);
}

/* The batch axes between the last two, and back. */
static void between(int rank, int64_t *perm, int64_t *back)
{
    perm[0] = rank - 2;
    for (int i = 0; i + 2 < rank; i++)
        perm[i + 1] = i;
    perm[rank - 1] = rank - 1;
    for (int i = 0; i < rank; i++)
        back[perm[i]] = i;
}

/* Batched operands come as [.., rows, cols]: side by side, below each other, or made so. */
static struct val operand(struct lowering *x, struct val a, bool *ret_heads)
{
    int64_t perm[VIEW_MAX], back[VIEW_MAX];

    if (a.kind != VAL_STORED)
        lower_give_up(x, "a batch of constant matrices");
    *ret_heads = side_by_side(&a);
    if (!*ret_heads)
        return lower_ordered(x, a, 1);
    between(a.v.rank, perm, back);
    a = lower_permuted(&a, perm);
    a = lower_ordered(x, a, a.v.rank - 1);
    return lower_permuted(&a, back);
}

/* Does somebody want the batch of this tensor side by side? Its only reader leads through views;
 * the first that moves the last axis but one before the batch says so. */
static bool wants_heads(const struct lowering *x, int tensor)
{
    const struct ir *g = x->g;
    int rank = g->tensor[tensor].shape.rank;

    for (int i = 0; i < g->n_nodes; i++) {
        const struct ir_node *n = &g->node[i];
        const struct ir_attr *perm = ir_int_list(n, "perm");

        if (n->dead || n->n_in < 1 || n->in[0] != tensor || !ir_is(n, "Transpose") || !perm)
            continue;
        return rank >= 3 && perm->n == rank && perm->ints[rank - 1] == rank - 1 &&
               perm->ints[rank - 2] == rank - 3;
    }
    return false;
}

/* View of [batch.., m, n] stored below each other or side by side. */
static struct view product_view(const struct shape *s, bool heads)
{
    struct view v = view_dense(s);
    int64_t n = s->dim[s->rank - 1], batch = n;

    if (!heads)
        return v;
    for (int i = s->rank - 3; i >= 0; i--) {
        v.stride[i] = batch;
        batch *= s->dim[i];
    }
    v.stride[s->rank - 2] = batch;
    return v;
}

/* Batch axes of one element become those of s. */
static struct val repeated_as(struct val a, const struct shape *s)
{
    for (int i = 0; i + 2 < s->rank; i++)
        if (a.v.dim[i] != s->dim[i]) {
            a.v.dim[i] = s->dim[i];
            a.v.stride[i] = 0;
        }
    return a;
}

static void batched(struct lowering *x, const struct ir_node *node, struct val a, struct val b)
{
    const struct shape *s = &x->g->tensor[node->out[0]].shape;
    int64_t m = s->dim[s->rank - 2], n = s->dim[s->rank - 1], k = a.v.dim[a.v.rank - 1], batch;
    bool ah, bh, ch, tb;
    struct low_node *low;
    struct val bt;
    struct view v;

    lead(&a, s->rank);
    lead(&b, s->rank);
    a = lower_solid(x, repeated_as(a, s));
    b = lower_solid(x, repeated_as(b, s));
    bt = b;
    batch = shape_elements(s) / (m * n);
    swap_last(&bt.v);
    a = operand(x, a, &ah);
    /* b as it is [k, n], or as [n, k]: whichever lies ready; else the latter, the kernels'
     * favourite */
    tb = !(side_by_side(&b) || lower_is_matrix(&b, 1)) || n == 1;
    b = operand(x, tb ? bt : b, &bh);
    ch = batch > 1 && n % 4 == 0 && wants_heads(x, node->out[0]);
    low = low_new(x->l, x->name, "matmul", ch ? m : batch * m, ch ? batch * n : n);
    low_int(low, "batch", batch);
    low_int(low, "m", m);
    low_int(low, "n", n);
    low_int(low, "k", k);
    low_int(low, "tb", tb);
    low_choice(low, "b", "input");
    low_int(low, "aheads", ah);
    low_int(low, "bheads", bh);
    low_int(low, "cheads", ch);
    low_in(low, a.ref);
    low_in(low, b.ref);
    v = product_view(s, ch);
    lower_out(x, node, &v);
}

void lower_matmul(struct lowering *x, const struct ir_node *n)
{
    struct val a = lower_in(x, n, 0), b = lower_in(x, n, 1), y;

    if (a.v.rank < 2 || b.v.rank < 2)
        lower_give_up(x, "a product with a vector");
    if (a.kind == VAL_STORED && constant_matrix(&b)) {
        y = times_constant(x, a, &b);
        lower_out(x, n, &y.v);
    } else if (b.kind == VAL_STORED && constant_matrix(&a)) {
        swap_last(&a.v); /* y^T = b^T a^T */
        swap_last(&b.v);
        y = times_constant(x, b, &a);
        swap_last(&y.v);
        lower_out(x, n, &y.v);
    } else if (b.v.rank == 2 && a.kind == VAL_STORED && b.kind == VAL_STORED) {
        y = times_one(x, a, b);
        lower_out(x, n, &y.v);
    } else {
        batched(x, n, a, b);
    }
}

/* ---- attention ---- */

/* [.., rows, d] as [batch * rows, heads * d]: how many of its axes are heads (side by side). False:
 * not stored so. */
static bool heads_and_batch(const struct val *a, int64_t *ret_batch, int64_t *ret_heads)
{
    int r = a->v.rank;
    int64_t rows = a->v.dim[r - 2], d = a->v.dim[r - 1], heads = 1, batch = 1;
    int64_t stride = d, below = a->cols * rows;

    for (int i = r - 3; i >= 0; i--) {
        if (a->v.dim[i] == 1)
            continue;
        if (a->v.stride[i] == stride && stride < a->cols && batch == 1) {
            heads *= a->v.dim[i];
            stride *= a->v.dim[i];
        } else if (a->v.stride[i] == below) {
            batch *= a->v.dim[i];
            below *= a->v.dim[i];
        } else {
            return false;
        }
    }
    *ret_batch = batch;
    *ret_heads = heads;
    return a->v.offset == 0 && a->cols == heads * d && a->rows == batch * rows &&
           (heads == 1 || d % 4 == 0) && (d == 1 || a->v.stride[r - 1] == 1) &&
           (rows == 1 || a->v.stride[r - 2] == a->cols);
}

static bool stacked(const struct val *a)
{
    int64_t batch, heads;

    return a->kind == VAL_STORED && a->ref.kind == REF_NODE && heads_and_batch(a, &batch, &heads) &&
           heads == 1;
}

/* The axes [.., heads, rows, d] in the order in which they are to be stored: heads beside each
 * other if they are whole texels. */
static struct val for_attention(struct lowering *x, struct val a, bool heads)
{
    int64_t batch, h, perm[VIEW_MAX], back[VIEW_MAX];
    int r = a.v.rank;

    if (a.kind != VAL_STORED)
        lower_give_up(x, "attention to a constant");
    a = lower_solid(x, a);
    if (heads_and_batch(&a, &batch, &h) && (h > 1) == heads)
        return a;
    if (!heads)
        return lower_ordered(x, a, 1);
    for (int i = 0; i < r; i++)
        perm[i] = i == r - 3 ? r - 2 : i == r - 2 ? r - 3 : i;
    for (int i = 0; i < r; i++)
        back[perm[i]] = i;
    a = lower_permuted(&a, perm);
    a = lower_ordered(x, a, 2);
    return lower_permuted(&a, back);
}

/* A factor that is not what the operator applies by itself is applied to q. */
static struct val scaled_by(struct lowering *x, struct val q, double factor)
{
    struct view one = {0};
    struct ref w;

    q = lower_compact(x, q);
    w = low_weight_new(x->l, "scale", true, 1, 1, 1, ir_scalar(x->g, factor), &one);
    lower_pair(x, "mul", &q, w, 1, 1)->name = lower_name(x, "scale");
    return lower_last(x, &q.v);
}

void lower_attention(struct lowering *x, const struct ir_node *node)
{
    struct val q = lower_in(x, node, 0), k = lower_in(x, node, 1), v = lower_in(x, node, 2);
    const struct shape *s = &x->g->tensor[node->out[0]].shape;
    int r = s->rank;
    int64_t m = s->dim[r - 2], dv = s->dim[r - 1], d = q.v.dim[r - 1], n = v.v.dim[r - 2];
    int64_t heads = s->dim[r - 3], batch = shape_elements(s) / (m * dv) / heads;
    double scale = ir_float(node, "scale", 1), usual = 1 / sqrt((double)d);
    bool scaled = fabs(scale - usual) < 1e-5 * usual, beside;
    int64_t perm[VIEW_MAX];
    struct view out;
    struct low_node *low;
    struct shape stored = *s;

    swap_last(&k.v); /* [.., n, d] */
    beside = heads > 1 && d % 4 == 0 && dv % 4 == 0 && !(stacked(&q) && stacked(&k) && stacked(&v));
    if (!beside) {
        batch *= heads;
        heads = 1;
    }
    if (!scaled && fabs(scale - 1) > 1e-6)
        q = scaled_by(x, q, scale);
    q = for_attention(x, q, beside);
    k = for_attention(x, k, beside);
    v = for_attention(x, v, beside);
    low = low_new(x->l, x->name, "attention", batch * m, heads * dv);
    low_int(low, "batch", batch);
    low_int(low, "heads", heads);
    low_int(low, "m", m);
    low_int(low, "n", n);
    low_int(low, "d", d);
    low_int(low, "dv", dv);
    low_int(low, "causal", ir_int(node, "causal", 0));
    low_int(low, "scaled", scaled);
    low_in(low, q.ref);
    low_in(low, k.ref);
    low_in(low, v.ref);
    out = view_dense(s);
    if (beside) { /* stored as [.., m, heads, dv] */
        for (int i = 0; i < r; i++)
            perm[i] = i == r - 3 ? r - 2 : i == r - 2 ? r - 3 : i;
        stored.dim[r - 3] = m;
        stored.dim[r - 2] = heads;
        out = view_dense(&stored);
        out = view_permute(&out, perm);
    }
    lower_out(x, node, &out);
}
