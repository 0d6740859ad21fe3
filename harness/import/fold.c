/* harness/import/fold.c - constants from constants: the integer arithmetic on shapes that exporters
 * leave in a graph, masks, positions, and small sums of floats. All in double, rounded at the end.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/import/infer.h"
#include "harness/import/view.h"

/* Larger constants are left to be views of weights, or are none of our business. */
enum { MAX_FOLD = 1 << 22 };

struct out {
    struct ir_tensor *t; /* the result */
    enum elem elem;
    void *data;
};

static void put(const struct out *o, int64_t i, double v)
{
    if (o->elem == ELEM_FLOAT)
        ((float *)o->data)[i] = (float)v;
    else
        ((int64_t *)o->data)[i] = v >= 0x1p63 ? INT64_MAX : v <= -0x1p63 ? INT64_MIN : (int64_t)v;
}

static struct out begin(struct ir *g, const struct ir_node *n, int slot)
{
    struct ir_tensor *t = ir_out(g, n, slot);
    size_t size = t->elem == ELEM_FLOAT ? sizeof(float) : sizeof(int64_t);

    return (struct out){t, t->elem, arena_alloc(g->a, (size_t)shape_elements(&t->shape) + 1, size)};
}

static void finish(const struct out *o)
{
    o->t->data = o->data;
    o->t->raw = o->elem == ELEM_FLOAT ? RAW_F32 : RAW_I64;
}

/* ---- elementwise ---- */

static double unary(const char *op, double x)
{
    if (strcmp(op, "Relu") == 0)
        return x > 0 ? x : 0;
    if (strcmp(op, "Sigmoid") == 0)
        return 1 / (1 + exp(-x));
    if (strcmp(op, "Tanh") == 0)
        return tanh(x);
    if (strcmp(op, "Exp") == 0)
        return exp(x);
    if (strcmp(op, "Log") == 0)
        return log(x);
    if (strcmp(op, "Sqrt") == 0)
        return sqrt(x);
    if (strcmp(op, "Sin") == 0)
        return sin(x);
    if (strcmp(op, "Cos") == 0)
        return cos(x);
    if (strcmp(op, "Erf") == 0)
        return erf(x);
    if (strcmp(op, "Abs") == 0)
        return fabs(x);
    if (strcmp(op, "Neg") == 0)
        return -x;
    if (strcmp(op, "Reciprocal") == 0)
        return 1 / x;
    if (strcmp(op, "Floor") == 0)
        return floor(x);
    if (strcmp(op, "Ceil") == 0)
        return ceil(x);
    if (strcmp(op, "Round") == 0)
        return rint(x);
    if (strcmp(op, "Sign") == 0)
        return (x > 0) - (x < 0);
    if (strcmp(op, "Not") == 0)
        return x == 0;
    if (strcmp(op, "IsNaN") == 0)
        return isnan(x);
    return isinf(x) != 0;
}

static double binary(const char *op, enum elem elem, double a, double b)
{
    if (strcmp(op, "Add") == 0 || strcmp(op, "Sum") == 0)
        return a + b;
    if (strcmp(op, "Sub") == 0)
        return a - b;
    if (strcmp(op, "Mul") == 0)
        return a * b;
    if (strcmp(op, "Div") == 0)
        return elem == ELEM_FLOAT ? a / b : b != 0 ? trunc(a / b) : 0;
    if (strcmp(op, "Pow") == 0)
        return pow(a, b);
    if (strcmp(op, "Mod") == 0)
        return b != 0 ? a - floor(a / b) * b : 0;
    if (strcmp(op, "Max") == 0)
        return fmax(a, b);
    if (strcmp(op, "Min") == 0)
        return fmin(a, b);
    if (strcmp(op, "Equal") == 0)
        return a == b;
    if (strcmp(op, "Less") == 0)
        return a < b;
    if (strcmp(op, "LessOrEqual") == 0)
        return a <= b;
    if (strcmp(op, "Greater") == 0)
        return a > b;
    if (strcmp(op, "GreaterOrEqual") == 0)
        return a >= b;
    if (strcmp(op, "And") == 0)
        return a != 0 && b != 0;
    if (strcmp(op, "Or") == 0)
        return a != 0 || b != 0;
    return (a != 0) != (b != 0); /* Xor */
}

static bool listed(const char *op, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(op, *list) == 0)
            return true;
    return false;
}

static const char *const unaries[] = {
    "Relu", "Sigmoid",    "Tanh",  "Exp",  "Log",   "Sqrt", "Sin", "Cos",   "Erf",   "Abs",
    "Neg",  "Reciprocal", "Floor", "Ceil", "Round", "Sign", "Not", "IsNaN", "IsInf", NULL};
static const char *const binaries[] = {
    "Add", "Sub",   "Mul",  "Div",         "Pow", "Mod",     "Max",
    "Min", "Equal", "Less", "LessOrEqual", "Sum", "Greater", "GreaterOrEqual",
    "And", "Or",    "Xor",  NULL};

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

static void fold_elementwise(struct ir *g, const struct ir_node *n)
{
    struct out o = begin(g, n, 0);
    int64_t count = shape_elements(&o.t->shape);
    struct reader r[3];

    for (int i = 0; i < n->n_in && i < 3; i++)
        r[i] = spread(g, ir_in(g, n, i), &o.t->shape);
    for (int64_t i = 0; i < count; i++) {
        double a = ir_at(r[0].t, r[0].address[i]), b = 0;

        if (ir_is(n, "Where"))
            b = a != 0 ? ir_at(r[1].t, r[1].address[i]) : ir_at(r[2].t, r[2].address[i]);
        else if (n->n_in == 1)
            b = listed(n->op, unaries) ? unary(n->op, a) : a;
        else
            b = binary(n->op, r[0].t->elem, a, ir_at(r[1].t, r[1].address[i]));
        put(&o, i, b);
    }
    for (int k = 2; k < n->n_in && !ir_is(n, "Where"); k++) { /* Sum, Max, Min of many */
        struct reader more = spread(g, ir_in(g, n, k), &o.t->shape);
        struct ir_tensor so_far = *o.t;

        so_far.data = o.data;
        so_far.raw = o.elem == ELEM_FLOAT ? RAW_F32 : RAW_I64;
        for (int64_t i = 0; i < count; i++)
            put(&o, i, binary(n->op, o.elem, ir_at(&so_far, i), ir_at(more.t, more.address[i])));
    }
    finish(&o);
}

static void fold_cast(struct ir *g, const struct ir_node *n)
{
    struct out o = begin(g, n, 0);
    const struct ir_tensor *x = ir_in(g, n, 0);
    int64_t count = shape_elements(&x->shape);

    for (int64_t i = 0; i < count; i++) {
        double v = ir_at(x, i);

        put(&o, i, o.elem == ELEM_BOOL ? v != 0 : o.elem == ELEM_INT ? trunc(v) : v);
    }
    finish(&o);
}

static void fold_clip(struct ir *g, const struct ir_node *n)
{
    struct out o = begin(g, n, 0);
    const struct ir_tensor *x = ir_in(g, n, 0);
    double low = -INFINITY, high = INFINITY;
    int64_t count = shape_elements(&x->shape);

    if (n->n_in > 1)
        ir_uniform(g, n->in[1], &low);
    if (n->n_in > 2)
        ir_uniform(g, n->in[2], &high);
    for (int64_t i = 0; i < count; i++)
        put(&o, i, fmin(fmax(ir_at(x, i), low), high));
    finish(&o);
}

/* ---- moving ---- */

struct copy {
    const struct out *o;
    const struct ir_tensor *x;
};

static void copy_element(void *ctx, int64_t i, int64_t address)
{
    const struct copy *c = ctx;

    put(c->o, i, ir_at(c->x, address));
}

/* Dense views share the bytes, however many there are. False: too many to copy. */
static bool fold_view(struct ir *g, const struct ir_node *n)
{
    const struct ir_tensor *x = ir_in(g, n, 0);
    struct view in = view_dense(&x->shape), v;

    for (int i = 0; i < n->n_out; i++) {
        struct ir_tensor *t = ir_out(g, n, i);
        struct out o;

        if (!t)
            continue;
        view_of_node(g, n, i, &in, &v);
        t->name = x->name; /* a weight keeps the name that people know */
        if (view_is_dense(&v)) {
            t->data = x->data;
            t->raw = x->raw;
            continue;
        }
        if (shape_elements(&t->shape) > MAX_FOLD)
            return false;
        o = begin(g, n, i);
        view_each(&v, copy_element, &(struct copy){&o, x});
        finish(&o);
    }
    return true;
}

/* The parts of a dense [outer, axis, inner] array. */
static void extents(const struct shape *s, int axis, int64_t *ret_outer, int64_t *ret_inner)
{
    *ret_outer = *ret_inner = 1;
    for (int i = 0; i < s->rank; i++)
        if (i != axis)
            *(i < axis ? ret_outer : ret_inner) *= s->dim[i];
}

static void fold_concat(struct ir *g, const struct ir_node *n)
{
    struct out o = begin(g, n, 0);
    int axis = shape_axis(&o.t->shape, ir_int(n, "axis", 0));
    int64_t outer, inner, at = 0;

    extents(&o.t->shape, axis, &outer, &inner);
    for (int k = 0; k < n->n_in; k++) {
        const struct ir_tensor *x = ir_in(g, n, k);
        int64_t mine = x->shape.dim[axis] * inner, all = o.t->shape.dim[axis] * inner;

        for (int64_t i = 0; i < outer * mine; i++)
            put(&o, i / mine * all + at + i % mine, ir_at(x, i));
        at += mine;
    }
    finish(&o);
}

static bool fold_gather(struct ir *g, const struct ir_node *n)
{
    struct out o = begin(g, n, 0);
    const struct ir_tensor *x = ir_in(g, n, 0), *ids = ir_in(g, n, 1);
    int axis = shape_axis(&x->shape, ir_int(n, "axis", 0));
    int64_t outer, inner, count = shape_elements(&ids->shape), dim = x->shape.dim[axis];

    extents(&x->shape, axis, &outer, &inner);
    for (int64_t j = 0; j < count; j++) {
        int64_t id = (int64_t)ir_at(ids, j);

        id += id < 0 ? dim : 0;
        if (id < 0 || id >= dim)
            return false;
        for (int64_t i = 0; i < outer; i++)
            for (int64_t k = 0; k < inner; k++)
                put(&o, (i * count + j) * inner + k, ir_at(x, (i * dim + id) * inner + k));
    }
    finish(&o);
    return true;
}

static bool fold_gather_nd(struct ir *g, const struct ir_node *n)
{
    struct out o = begin(g, n, 0);
    const struct ir_tensor *x = ir_in(g, n, 0), *ids = ir_in(g, n, 1);
    int k = (int)ids->shape.dim[ids->shape.rank - 1];
    int64_t inner = 1, count = shape_elements(&ids->shape) / k;

    for (int i = k; i < x->shape.rank; i++)
        inner *= x->shape.dim[i];
    for (int64_t j = 0; j < count; j++) {
        int64_t at = 0;

        for (int i = 0; i < k; i++) {
            int64_t id = (int64_t)ir_at(ids, j * k + i), dim = x->shape.dim[i];

            id += id < 0 ? dim : 0;
            if (id < 0 || id >= dim)
                return false;
            at = at * dim + id;
        }
        for (int64_t l = 0; l < inner; l++)
            put(&o, j * inner + l, ir_at(x, at * inner + l));
    }
    finish(&o);
    return true;
}

static void fold_tile(struct ir *g, const struct ir_node *n)
{
    struct out o = begin(g, n, 0);
    const struct ir_tensor *x = ir_in(g, n, 0);
    int64_t count = shape_elements(&o.t->shape);

    for (int64_t i = 0; i < count; i++) {
        int64_t rest = i, from = 0, stride = 1;

        for (int d = x->shape.rank - 1; d >= 0; d--) {
            from += rest % o.t->shape.dim[d] % x->shape.dim[d] * stride;
            rest /= o.t->shape.dim[d];
            stride *= x->shape.dim[d];
        }
        put(&o, i, ir_at(x, from));
    }
    finish(&o);
}

static void fold_trilu(struct ir *g, const struct ir_node *n)
{
    struct out o = begin(g, n, 0);
    const struct ir_tensor *x = ir_in(g, n, 0);
    int64_t rows = x->shape.dim[x->shape.rank - 2], cols = x->shape.dim[x->shape.rank - 1];
    int64_t count = shape_elements(&x->shape);
    bool upper = ir_int(n, "upper", 1) != 0;
    double k = 0;

    if (n->n_in > 1)
        ir_uniform(g, n->in[1], &k);
    for (int64_t i = 0; i < count; i++) {
        double d = (double)(i % cols - i / cols % rows);

        put(&o, i, (upper ? d >= k : d <= k) ? ir_at(x, i) : 0);
    }
    finish(&o);
}

static void fold_cumsum(struct ir *g, const struct ir_node *n)
{
    struct out o = begin(g, n, 0);
    const struct ir_tensor *x = ir_in(g, n, 0);
    double which = 0;
    int axis;
    int64_t outer, inner, dim;
    bool exclusive = ir_int(n, "exclusive", 0) != 0, back = ir_int(n, "reverse", 0) != 0;

    if (n->n_in > 1)
        ir_uniform(g, n->in[1], &which);
    axis = shape_axis(&x->shape, (int64_t)which);
    axis = axis < 0 ? 0 : axis;
    extents(&x->shape, axis, &outer, &inner);
    dim = x->shape.dim[axis];
    for (int64_t i = 0; i < outer * inner; i++) {
        double sum = 0;

        for (int64_t j = 0; j < dim; j++) {
            int64_t at = (i / inner * dim + (back ? dim - 1 - j : j)) * inner + i % inner;
            double v = ir_at(x, at);

            put(&o, at, exclusive ? sum : sum + v);
            sum += v;
        }
    }
    finish(&o);
}

/* ---- from shapes and numbers ---- */

static void fold_shape(struct ir *g, const struct ir_node *n)
{
    const struct ir_tensor *x = ir_in(g, n, 0);
    struct out o = begin(g, n, 0);
    int64_t start = ir_int(n, "start", 0);

    start += start < 0 ? x->shape.rank : 0;
    if (ir_is(n, "Size"))
        put(&o, 0, (double)shape_elements(&x->shape));
    else
        for (int64_t i = 0; i < o.t->shape.dim[0]; i++)
            put(&o, i, (double)x->shape.dim[(start < 0 ? 0 : start) + i]);
    finish(&o);
}

static void fold_constant_of_shape(struct ir *g, const struct ir_node *n)
{
    const struct ir_attr *value = ir_attr(n, "value");
    struct out o = begin(g, n, 0);
    int64_t count = shape_elements(&o.t->shape);
    double v = 0;

    if (value && value->tensor >= 0)
        ir_uniform(g, value->tensor, &v);
    for (int64_t i = 0; i < count; i++)
        put(&o, i, v);
    finish(&o);
}

static void fold_range(struct ir *g, const struct ir_node *n)
{
    struct out o = begin(g, n, 0);
    double start = ir_at(ir_in(g, n, 0), 0), delta = ir_at(ir_in(g, n, 2), 0);

    for (int64_t i = 0; i < o.t->shape.dim[0]; i++)
        put(&o, i, start + (double)i * delta);
    finish(&o);
}

/* Constant: of a tensor, or of the numbers in its attributes. */
static bool fold_constant(struct ir *g, const struct ir_node *n)
{
    const struct ir_attr *a = n->n_attrs ? &n->attr[0] : NULL;
    struct ir_tensor *t = ir_out(g, n, 0);
    struct shape s = {0};
    bool whole;
    struct out o;

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
    o = begin(g, n, 0);
    for (int64_t i = 0; i < shape_elements(&s); i++)
        put(&o, i,
            s.rank == 0 ? (whole ? (double)a->i : a->f)
            : whole     ? (double)a->ints[i]
                        : a->floats[i]);
    finish(&o);
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
    struct out o = begin(g, n, 0);
    int64_t count = shape_elements(&x->shape), results = shape_elements(&o.t->shape);
    double *sum = NEWS(g->a, results + 1, double);
    int64_t axes[IR_MAX_RANK], n_axes = -1;
    const struct ir_attr *a = ir_attr(n, "axes");
    bool gone[IR_MAX_RANK] = {false};
    bool mean = ir_is(n, "ReduceMean");

    if (!mean && !ir_is(n, "ReduceMax") && !ir_is(n, "ReduceMin") && !ir_is(n, "ReduceProd") &&
        !ir_is(n, "ReduceSum"))
        return false;
    if (results == 0 || count == 0)
        return false;
    if (n->n_in > 1 && n->in[1] >= 0)
        n_axes = ir_list(g, n->in[1], IR_MAX_RANK, axes);
    else if (a)
        memcpy(axes, a->ints, (size_t)(n_axes = a->n) * sizeof(*axes));
    for (int i = 0; i < n_axes; i++)
        gone[shape_axis(&x->shape, axes[i])] = true;
    if (n_axes <= 0)
        memset(gone, !ir_int(n, "noop_with_empty_axes", 0), sizeof(gone));
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
        put(&o, i, mean ? sum[i] * (double)results / (double)count : sum[i]);
    finish(&o);
    return true;
}

static bool fold_matmul(struct ir *g, const struct ir_node *n)
{
    const struct ir_tensor *a = ir_in(g, n, 0), *b = ir_in(g, n, 1);
    int64_t k = a->shape.dim[a->shape.rank - 1], cols, rows;
    struct out o;

    if (b->shape.rank != 2)
        return false;
    cols = b->shape.dim[1];
    rows = k ? shape_elements(&a->shape) / k : 0;
    if (rows * cols * k > MAX_FOLD)
        return false;
    o = begin(g, n, 0);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++) {
            double sum = 0;

            for (int64_t l = 0; l < k; l++)
                sum += ir_at(a, i * k + l) * ir_at(b, l * cols + j);
            put(&o, i * cols + j, sum);
        }
    finish(&o);
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
    return most <= MAX_FOLD && n->n_out > 0 && n->out[0] >= 0;
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
    if (listed(n->op, unaries) || listed(n->op, binaries) || ir_is(n, "Where"))
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
