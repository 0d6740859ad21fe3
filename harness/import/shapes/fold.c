/* harness/import/shapes/fold.c - constants from constants: the integer arithmetic on shapes that
 * exporters leave in a graph, masks, positions, and small sums of floats. All in double, rounded at
 * the end. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/import/shapes/fold.h"
#include "harness/import/shapes/infer.h"
#include "harness/import/view.h"

void fold_put(const struct folded *o, int64_t i, double v)
{
    if (o->elem == ELEM_FLOAT)
        ((float *)o->data)[i] = (float)v;
    else
        ((int64_t *)o->data)[i] = v >= 0x1p63 ? INT64_MAX : v <= -0x1p63 ? INT64_MIN : (int64_t)v;
}

struct folded fold_begin(struct ir *g, const struct ir_node *n, int slot)
{
    struct ir_tensor *t = ir_out(g, n, slot);
    size_t size = t->elem == ELEM_FLOAT ? sizeof(float) : sizeof(int64_t);

    return (struct folded){t, t->elem,
                           arena_alloc(g->a, (size_t)shape_elements(&t->shape) + 1, size)};
}

void fold_finish(const struct folded *o)
{
    o->t->data = o->data;
    o->t->raw = o->elem == ELEM_FLOAT ? RAW_F32 : RAW_I64;
}

/* ---- elementwise ---- */

/* Reads input `slot` as if it had the output's shape. */
struct reader {
    const struct ir_tensor *t;
    int64_t *address; /* [elements of the output] */
};

static void note_address(void *ctx, int64_t i, int64_t address)
{
    ((int64_t *)ctx)[i] = address;
}

static struct reader spread(struct ir *g, const struct ir_tensor *t, const struct shape *s)
{
    struct reader r = {t, NEWS(g->a, shape_elements(s) + 1, int64_t)};
    struct view dense = view_dense(&t->shape), v = view_expand(&dense, s);

    view_each(&v, note_address, r.address);
    return r;
}

static bool is_elementwise(const struct ir_node *n)
{
    double y;

    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] < 0)
            return false;
    if (ir_is(n, "Where"))
        return n->n_in == 3;
    return fold_binary(n->op, ELEM_FLOAT, 1, 1, &y) || (n->n_in == 1 && fold_unary(n->op, 1, &y));
}

static void fold_elementwise(struct ir *g, const struct ir_node *n)
{
    struct folded o = fold_begin(g, n, 0);
    int64_t count = shape_elements(&o.t->shape);
    struct reader r[3];

    for (int i = 0; i < n->n_in && i < 3; i++)
        r[i] = spread(g, ir_in(g, n, i), &o.t->shape);
    for (int64_t i = 0; i < count; i++) {
        double y = ir_at(r[0].t, r[0].address[i]);

        if (ir_is(n, "Where"))
            y = y != 0 ? ir_at(r[1].t, r[1].address[i]) : ir_at(r[2].t, r[2].address[i]);
        else if (n->n_in == 1)
            fold_unary(n->op, y, &y); /* Sum, Max, Min of one: itself */
        else
            fold_binary(n->op, r[0].t->elem, y, ir_at(r[1].t, r[1].address[i]), &y);
        fold_put(&o, i, y);
    }
    for (int k = 2; k < n->n_in && !ir_is(n, "Where"); k++) { /* Sum, Max, Min of many */
        struct reader more = spread(g, ir_in(g, n, k), &o.t->shape);
        struct ir_tensor so_far = *o.t;

        so_far.data = o.data;
        so_far.raw = o.elem == ELEM_FLOAT ? RAW_F32 : RAW_I64;
        for (int64_t i = 0; i < count; i++) {
            double y = ir_at(&so_far, i);

            fold_binary(n->op, o.elem, y, ir_at(more.t, more.address[i]), &y);
            fold_put(&o, i, y);
        }
    }
    fold_finish(&o);
}

static void fold_cast(struct ir *g, const struct ir_node *n)
{
    struct folded o = fold_begin(g, n, 0);
    const struct ir_tensor *x = ir_in(g, n, 0);
    int64_t count = shape_elements(&x->shape);

    for (int64_t i = 0; i < count; i++) {
        double v = ir_at(x, i);

        fold_put(&o, i, o.elem == ELEM_BOOL ? v != 0 : o.elem == ELEM_INT ? trunc(v) : v);
    }
    fold_finish(&o);
}

static void fold_clip(struct ir *g, const struct ir_node *n)
{
    struct folded o = fold_begin(g, n, 0);
    const struct ir_tensor *x = ir_in(g, n, 0);
    double low = -INFINITY, high = INFINITY;
    int64_t count = shape_elements(&x->shape);

    if (n->n_in > 1)
        ir_uniform(g, n->in[1], &low);
    if (n->n_in > 2)
        ir_uniform(g, n->in[2], &high);
    for (int64_t i = 0; i < count; i++)
        fold_put(&o, i, fmin(fmax(ir_at(x, i), low), high));
    fold_finish(&o);
}

/* ---- from shapes and numbers ---- */

static void fold_shape(struct ir *g, const struct ir_node *n)
{
    const struct ir_tensor *x = ir_in(g, n, 0);
    struct folded o = fold_begin(g, n, 0);
    int64_t start = ir_int(n, "start", 0);

    start += start < 0 ? x->shape.rank : 0;
    if (ir_is(n, "Size"))
        fold_put(&o, 0, (double)shape_elements(&x->shape));
    else
        for (int64_t i = 0; i < o.t->shape.dim[0]; i++)
            fold_put(&o, i, (double)x->shape.dim[(start < 0 ? 0 : start) + i]);
    fold_finish(&o);
}

static void fold_constant_of_shape(struct ir *g, const struct ir_node *n)
{
    const struct ir_attr *value = ir_attr(n, "value");
    struct folded o = fold_begin(g, n, 0);
    int64_t count = shape_elements(&o.t->shape);
    double v = 0;

    if (value && value->tensor >= 0)
        ir_uniform(g, value->tensor, &v);
    for (int64_t i = 0; i < count; i++)
        fold_put(&o, i, v);
    fold_finish(&o);
}

static void fold_range(struct ir *g, const struct ir_node *n)
{
    struct folded o = fold_begin(g, n, 0);
    double start = ir_at(ir_in(g, n, 0), 0), delta = ir_at(ir_in(g, n, 2), 0);

    for (int64_t i = 0; i < o.t->shape.dim[0]; i++)
        fold_put(&o, i, start + (double)i * delta);
    fold_finish(&o);
}

/* Constant: of a tensor, or of the numbers in its attributes. */
static bool fold_constant(struct ir *g, const struct ir_node *n)
{
    const struct ir_attr *a = n->n_attrs ? &n->attr[0] : NULL;
    struct ir_tensor *t = ir_out(g, n, 0);
    struct shape s = {0};
    bool whole;
    struct folded o;

    if (!a || !t)
        return false;
    if (a->type == ATTR_TENSOR) {
        const char *name = t->name;
        int producer = t->producer;

        *t = g->tensor[a->tensor];
        t->name = name;
        t->producer = producer;
        return true;
    }
    if (a->type != ATTR_FLOAT && a->type != ATTR_INT && a->type != ATTR_FLOATS &&
        a->type != ATTR_INTS)
        return false;
    if (a->type == ATTR_FLOATS || a->type == ATTR_INTS)
        s = (struct shape){1, {a->n}};
    whole = a->type == ATTR_INT || a->type == ATTR_INTS;
    t->elem = whole ? ELEM_INT : ELEM_FLOAT;
    t->shape = s;
    t->known = true;
    o = fold_begin(g, n, 0);
    for (int64_t i = 0; i < shape_elements(&s); i++)
        fold_put(&o, i,
            s.rank == 0 ? (whole ? (double)a->i : a->f)
            : whole     ? (double)a->ints[i]
                        : a->floats[i]);
    fold_finish(&o);
    return true;
}

/* ---- sums ---- */

static double reduced(const char *op, double so_far, double v)
{
    if (strcmp(op, "ReduceMax") == 0)
        return fmax(so_far, v);
    if (strcmp(op, "ReduceMin") == 0)
        return fmin(so_far, v);
    if (strcmp(op, "ReduceProd") == 0)
        return so_far * v;
    return so_far + v;
}

static bool fold_reduce(struct ir *g, const struct ir_node *n)
{
    const struct ir_tensor *x = ir_in(g, n, 0);
    struct folded o = fold_begin(g, n, 0);
    int64_t count = shape_elements(&x->shape), results = shape_elements(&o.t->shape);
    double *sum = NEWS(g->a, results + 1, double);
    bool gone[IR_MAX_RANK];
    bool mean = ir_is(n, "ReduceMean");

    if (!mean && !ir_is(n, "ReduceMax") && !ir_is(n, "ReduceMin") && !ir_is(n, "ReduceProd") &&
        !ir_is(n, "ReduceSum"))
        return false;
    if (results == 0 || count == 0 || !infer_axes(g, n, gone))
        return false;
    for (int64_t i = 0; i < results; i++)
        sum[i] = ir_is(n, "ReduceMax")   ? -INFINITY
                 : ir_is(n, "ReduceMin") ? INFINITY
                                         : ir_is(n, "ReduceProd");
    for (int64_t i = 0; i < count; i++) {
        int64_t rest = i, to = 0, stride = 1;

        for (int d = x->shape.rank - 1; d >= 0; d--) {
            to += gone[d] ? 0 : rest % x->shape.dim[d] * stride;
            stride *= gone[d] ? 1 : x->shape.dim[d];
            rest /= x->shape.dim[d];
        }
        sum[to] = reduced(n->op, sum[to], ir_at(x, i));
    }
    for (int64_t i = 0; i < results; i++)
        fold_put(&o, i, mean ? sum[i] * (double)results / (double)count : sum[i]);
    fold_finish(&o);
    return true;
}

static bool fold_matmul(struct ir *g, const struct ir_node *n)
{
    const struct ir_tensor *a = ir_in(g, n, 0), *b = ir_in(g, n, 1);
    int64_t k = a->shape.dim[a->shape.rank - 1], cols, rows;
    struct folded o;

    if (b->shape.rank != 2)
        return false;
    cols = b->shape.dim[1];
    rows = k ? shape_elements(&a->shape) / k : 0;
    if (rows * cols * k > FOLD_MAX)
        return false;
    o = fold_begin(g, n, 0);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++) {
            double sum = 0;

            for (int64_t l = 0; l < k; l++)
                sum += ir_at(a, i * k + l) * ir_at(b, l * cols + j);
            fold_put(&o, i * cols + j, sum);
        }
    fold_finish(&o);
    return true;
}

/* ---- */

static bool all_constant(struct ir *g, const struct ir_node *n)
{
    int wanted = ir_is(n, "CastLike") ? 1 : n->n_in; /* of the other one only the type */

    for (int i = 0; i < wanted; i++)
        if (n->in[i] >= 0 && !ir_const(g, n->in[i]))
            return false;
    return n->n_in > 0;
}

static bool small(struct ir *g, const struct ir_node *n)
{
    int64_t most = 0;

    for (int i = 0; i < n->n_out; i++) {
        const struct ir_tensor *t = ir_out(g, n, i);

        if (t && !t->known)
            return false;
        if (t && shape_elements(&t->shape) > most)
            most = shape_elements(&t->shape);
    }
    for (int i = 0; i < n->n_in && !ir_is(n, "Gather"); i++)
        if (n->in[i] >= 0 && shape_elements(&g->tensor[n->in[i]].shape) > most)
            most = shape_elements(&g->tensor[n->in[i]].shape);
    return most <= FOLD_MAX && n->n_out > 0 && n->out[0] >= 0;
}

bool fold_node(struct ir *g, struct ir_node *n)
{
    struct view in, v;
    const struct ir_tensor *x = ir_in(g, n, 0);

    if (ir_is(n, "Constant"))
        return fold_constant(g, n);
    if (n->domain[0] || !x || !x->known || n->n_out < 1 || n->out[0] < 0 || !ir_out(g, n, 0)->known)
        return false;
    if (ir_is(n, "Shape") || ir_is(n, "Size")) {
        fold_shape(g, n);
        return true;
    }
    if (!all_constant(g, n))
        return false;
    in = view_dense(&x->shape);
    if (view_of_node(g, n, 0, &in, &v) != VIEW_NO)
        return fold_view(g, n);
    if (!small(g, n))
        return false;
    if (is_elementwise(n))
        fold_elementwise(g, n);
    else if (ir_is(n, "Cast") || ir_is(n, "CastLike"))
        fold_cast(g, n);
    else if (ir_is(n, "Clip"))
        fold_clip(g, n);
    else if (ir_is(n, "Concat"))
        fold_concat(g, n);
    else if (ir_is(n, "Gather"))
        return fold_gather(g, n);
    else if (ir_is(n, "GatherND"))
        return fold_gather_nd(g, n);
    else if (ir_is(n, "Tile"))
        fold_tile(g, n);
    else if (ir_is(n, "Trilu") && x->shape.rank >= 2)
        fold_trilu(g, n);
    else if (ir_is(n, "CumSum") && x->shape.rank >= 1)
        fold_cumsum(g, n);
    else if (ir_is(n, "ConstantOfShape"))
        fold_constant_of_shape(g, n);
    else if (ir_is(n, "Range"))
        fold_range(g, n);
    else if (ir_is(n, "MatMul"))
        return fold_matmul(g, n);
    else if (strncmp(n->op, "Reduce", 6) == 0)
        return fold_reduce(g, n);
    else
        return false;
    return true;
}
