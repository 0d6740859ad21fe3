/* harness/import/shapes/fold_move.c - constants whose elements are those of others, elsewhere. */
#include "harness/import/shapes/fold.h"
#include "harness/import/view.h"

struct copy {
    const struct folded *o;
    const struct ir_tensor *x;
};

static void copy_element(void *ctx, int64_t i, int64_t address)
{
    const struct copy *c = ctx;

    fold_put(c->o, i, ir_at(c->x, address));
}

/* Dense views share the bytes, however many there are. False: too many to copy. */
bool fold_view(struct ir *g, const struct ir_node *n)
{
    const struct ir_tensor *x = ir_in(g, n, 0);
    struct view in = view_dense(&x->shape), v;

    for (int i = 0; i < n->n_out; i++) {
        struct ir_tensor *t = ir_out(g, n, i);
        struct folded o;

        if (!t)
            continue;
        view_of_node(g, n, i, &in, &v);
        t->name = x->name; /* a weight keeps the name that people know */
        if (view_is_dense(&v)) {
            t->data = x->data;
            t->raw = x->raw;
            continue;
        }
        if (shape_elements(&t->shape) > FOLD_MAX)
            return false;
        o = fold_begin(g, n, i);
        view_each(&v, copy_element, &(struct copy){&o, x});
        fold_finish(&o);
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

void fold_concat(struct ir *g, const struct ir_node *n)
{
    struct folded o = fold_begin(g, n, 0);
    int axis = shape_axis(&o.t->shape, ir_int(n, "axis", 0));
    int64_t outer, inner, at = 0;

    extents(&o.t->shape, axis, &outer, &inner);
    for (int k = 0; k < n->n_in; k++) {
        const struct ir_tensor *x = ir_in(g, n, k);
        int64_t mine = x->shape.dim[axis] * inner, all = o.t->shape.dim[axis] * inner;

        for (int64_t i = 0; i < outer * mine; i++)
            fold_put(&o, i / mine * all + at + i % mine, ir_at(x, i));
        at += mine;
    }
    fold_finish(&o);
}

bool fold_gather(struct ir *g, const struct ir_node *n)
{
    struct folded o = fold_begin(g, n, 0);
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
                fold_put(&o, (i * count + j) * inner + k, ir_at(x, (i * dim + id) * inner + k));
    }
    fold_finish(&o);
    return true;
}

bool fold_gather_nd(struct ir *g, const struct ir_node *n)
{
    struct folded o = fold_begin(g, n, 0);
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
            fold_put(&o, j * inner + l, ir_at(x, at * inner + l));
    }
    fold_finish(&o);
    return true;
}

void fold_tile(struct ir *g, const struct ir_node *n)
{
    struct folded o = fold_begin(g, n, 0);
    const struct ir_tensor *x = ir_in(g, n, 0);
    int64_t count = shape_elements(&o.t->shape);

    for (int64_t i = 0; i < count; i++) {
        int64_t rest = i, from = 0, stride = 1;

        for (int d = x->shape.rank - 1; d >= 0; d--) {
            from += rest % o.t->shape.dim[d] % x->shape.dim[d] * stride;
            rest /= o.t->shape.dim[d];
            stride *= x->shape.dim[d];
        }
        fold_put(&o, i, ir_at(x, from));
    }
    fold_finish(&o);
}

void fold_trilu(struct ir *g, const struct ir_node *n)
{
    struct folded o = fold_begin(g, n, 0);
    const struct ir_tensor *x = ir_in(g, n, 0);
    int64_t rows = x->shape.dim[x->shape.rank - 2], cols = x->shape.dim[x->shape.rank - 1];
    int64_t count = shape_elements(&x->shape);
    bool upper = ir_int(n, "upper", 1) != 0;
    double k = 0;

    if (n->n_in > 1)
        ir_uniform(g, n->in[1], &k);
    for (int64_t i = 0; i < count; i++) {
        double d = (double)(i % cols - i / cols % rows);

        fold_put(&o, i, (upper ? d >= k : d <= k) ? ir_at(x, i) : 0);
    }
    fold_finish(&o);
}

void fold_cumsum(struct ir *g, const struct ir_node *n)
{
    struct folded o = fold_begin(g, n, 0);
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

            fold_put(&o, at, exclusive ? sum : sum + v);
            sum += v;
        }
    }
    fold_finish(&o);
}
