/* harness/import/shapes/infer_data.c - what puts elements together or elsewhere, and sums. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/import/shapes/rule.h"

void infer_gather(struct ir *g, struct ir_node *n)
{
    const struct ir_tensor *x = ir_in(g, n, 0), *ids = ir_in(g, n, 1);
    int axis = shape_axis(&x->shape, ir_int(n, "axis", 0));
    struct shape s = {.rank = x->shape.rank - 1 + ids->shape.rank};
    int at = 0;

    if (axis < 0 || s.rank > IR_MAX_RANK)
        infer_fail(g, n, "no such axis, or more than 8");
    for (int i = 0; i < x->shape.rank; i++) {
        for (int j = 0; i == axis && j < ids->shape.rank; j++)
            s.dim[at++] = ids->shape.dim[j];
        if (i != axis)
            s.dim[at++] = x->shape.dim[i];
    }
    infer_set(g, n, 0, x->elem, &s);
}

void infer_gather_nd(struct ir *g, struct ir_node *n)
{
    const struct ir_tensor *x = ir_in(g, n, 0), *ids = ir_in(g, n, 1);
    int64_t k = ids->shape.rank ? ids->shape.dim[ids->shape.rank - 1] : 0;
    struct shape s = {.rank = ids->shape.rank - 1};

    if (ir_int(n, "batch_dims", 0) || k < 1 || k > x->shape.rank)
        return;
    memcpy(s.dim, ids->shape.dim, (size_t)s.rank * sizeof(s.dim[0]));
    for (int i = (int)k; i < x->shape.rank; i++) {
        if (s.rank == IR_MAX_RANK)
            infer_fail(g, n, "more than 8 axes");
        s.dim[s.rank++] = x->shape.dim[i];
    }
    infer_set(g, n, 0, x->elem, &s);
}

void infer_concat(struct ir *g, struct ir_node *n)
{
    struct shape s = ir_in(g, n, 0)->shape;
    int axis = shape_axis(&s, ir_int(n, "axis", 0));

    if (axis < 0)
        infer_fail(g, n, "no such axis");
    s.dim[axis] = 0;
    for (int i = 0; i < n->n_in; i++) {
        const struct ir_tensor *t = ir_in(g, n, i);

        if (!t || t->shape.rank != s.rank)
            infer_fail(g, n, "its inputs do not go together");
        for (int d = 0; d < s.rank; d++)
            if (d != axis && t->shape.dim[d] != s.dim[d])
                infer_fail(g, n, "its inputs do not go together");
        s.dim[axis] += t->shape.dim[axis];
    }
    infer_set(g, n, 0, ir_in(g, n, 0)->elem, &s);
}

bool infer_axes(const struct ir *g, const struct ir_node *n, bool ret_gone[IR_MAX_RANK])
{
    const struct shape *x = &ir_in(g, n, 0)->shape;
    const struct ir_attr *a = ir_int_list(n, "axes");
    int64_t axes[IR_MAX_RANK];
    bool gone[IR_MAX_RANK] = {false};
    int count = a ? a->n : 0;

    if (n->n_in > 1 && n->in[1] >= 0)
        count = ir_list(g, n->in[1], IR_MAX_RANK, axes);
    else if (count <= IR_MAX_RANK && count)
        memcpy(axes, a->ints, (size_t)count * sizeof(*axes));
    else if (count)
        infer_fail(g, n, "more than 8 axes");
    if (count < 0)
        return false;
    for (int i = 0; i < count; i++) {
        int axis = shape_axis(x, axes[i]);

        if (axis < 0)
            infer_fail(g, n, "no such axis");
        gone[axis] = true;
    }
    for (int i = 0; i < x->rank; i++)
        ret_gone[i] = gone[i] || (count == 0 && !ir_int(n, "noop_with_empty_axes", 0));
    return true;
}

void infer_reduce(struct ir *g, struct ir_node *n)
{
    const struct shape *x = &ir_in(g, n, 0)->shape;
    bool gone[IR_MAX_RANK];
    struct shape s = {0};

    if (!infer_axes(g, n, gone))
        return;
    for (int i = 0; i < x->rank; i++)
        if (!gone[i] || ir_int(n, "keepdims", 1))
            s.dim[s.rank++] = gone[i] ? 1 : x->dim[i];
    infer_set(g, n, 0, ir_in(g, n, 0)->elem, &s);
}

void infer_resize(struct ir *g, struct ir_node *n)
{
    const struct ir_tensor *x = ir_in(g, n, 0), *scales = ir_in(g, n, 2), *sizes = ir_in(g, n, 3);
    const struct ir_attr *axes = ir_int_list(n, "axes");
    struct shape s = x->shape;
    const struct ir_tensor *by = sizes && sizes->data ? sizes : scales;
    int64_t count;

    if (!by || !by->data || (sizes && !sizes->data))
        return;
    count = shape_elements(&by->shape);
    if (count != (axes ? axes->n : s.rank))
        infer_fail(g, n, "want a scale or a size for each axis");
    for (int i = 0; i < count; i++) {
        int axis = axes ? shape_axis(&s, axes->ints[i]) : i;
        double v = ir_at(by, i);

        if (axis < 0 || !(v > 0) || v > 1e6)
            infer_fail(g, n, "its scale is out of range");
        s.dim[axis] = by == sizes ? (int64_t)v : (int64_t)floor((double)s.dim[axis] * v);
    }
    infer_set(g, n, 0, ELEM_FLOAT, &s);
}

void infer_pad(struct ir *g, struct ir_node *n)
{
    struct shape s = ir_in(g, n, 0)->shape;
    int64_t v[2 * IR_MAX_RANK], axes[IR_MAX_RANK];
    int count = n->n_in > 1 ? ir_list(g, n->in[1], 2 * IR_MAX_RANK, v) : -1;
    int n_axes = n->n_in > 3 && n->in[3] >= 0 ? ir_list(g, n->in[3], IR_MAX_RANK, axes) : s.rank;

    if (count < 0 || n_axes < 0)
        return;
    if (count != 2 * n_axes)
        infer_fail(g, n, "want two pads for each axis");
    for (int i = 0; i < n_axes; i++) {
        int axis = n->n_in > 3 && n->in[3] >= 0 ? shape_axis(&s, axes[i]) : i;

        if (axis < 0 || llabs(v[i]) > INT64_C(1) << 32 || llabs(v[i + n_axes]) > INT64_C(1) << 32)
            infer_fail(g, n, "no such axis, or a pad out of range");
        s.dim[axis] += v[i] + v[i + n_axes];
    }
    infer_set(g, n, 0, ir_in(g, n, 0)->elem, &s);
}

void infer_tile(struct ir *g, struct ir_node *n)
{
    struct shape s = ir_in(g, n, 0)->shape;
    int64_t v[IR_MAX_RANK];

    if (ir_list(g, n->in[1], IR_MAX_RANK, v) != s.rank)
        return;
    for (int i = 0; i < s.rank; i++) {
        if (v[i] < 0 || v[i] > INT64_C(1) << 20)
            infer_fail(g, n, "a repeat is out of range");
        s.dim[i] *= v[i];
    }
    infer_set(g, n, 0, ir_in(g, n, 0)->elem, &s);
}

void infer_range(struct ir *g, struct ir_node *n)
{
    struct shape s = {.rank = 1};
    double start, limit, delta, count;

    if (n->n_in != 3 || !ir_uniform(g, n->in[0], &start) || !ir_uniform(g, n->in[1], &limit) ||
        !ir_uniform(g, n->in[2], &delta))
        return;
    count = ceil((limit - start) / delta);
    if (!(count < 1e9))
        infer_fail(g, n, "its range is too long");
    s.dim[0] = count > 0 ? (int64_t)count : 0;
    infer_set(g, n, 0, ir_in(g, n, 0)->elem, &s);
}

void infer_constant_of_shape(struct ir *g, struct ir_node *n)
{
    const struct ir_attr *value = ir_attr(n, "value");
    int64_t v[IR_MAX_RANK];
    struct shape s = {.rank = ir_list(g, n->in[0], IR_MAX_RANK, v)};

    if (s.rank < 0)
        return;
    memcpy(s.dim, v, sizeof(s.dim));
    infer_set(g, n, 0, value && value->tensor >= 0 ? g->tensor[value->tensor].elem : ELEM_FLOAT,
              &s);
}

void infer_block_space(struct ir *g, struct ir_node *n, bool to_space)
{
    struct shape s = ir_in(g, n, 0)->shape;
    int64_t b = ir_int(n, "blocksize", 0);

    if (s.rank != 4 || b < 1 || b > 1 << 15 || s.dim[1] % (to_space ? b * b : 1) ||
        s.dim[2] % (to_space ? 1 : b) || s.dim[3] % (to_space ? 1 : b))
        infer_fail(g, n, "its block does not divide the input");
    s.dim[1] = to_space ? s.dim[1] / (b * b) : s.dim[1] * b * b;
    s.dim[2] = to_space ? s.dim[2] * b : s.dim[2] / b;
    s.dim[3] = to_space ? s.dim[3] * b : s.dim[3] / b;
    infer_set(g, n, 0, ELEM_FLOAT, &s);
}

void infer_shape_of(struct ir *g, struct ir_node *n)
{
    const struct shape *x = &ir_in(g, n, 0)->shape;
    int64_t start = ir_int(n, "start", 0), end = ir_int(n, "end", x->rank);
    struct shape s = {.rank = 1};

    start += start < 0 ? x->rank : 0;
    end += end < 0 ? x->rank : 0;
    start = start < 0 ? 0 : start;
    end = end > x->rank ? x->rank : end;
    s.dim[0] = end > start ? end - start : 0;
    infer_set(g, n, 0, ELEM_INT, &s);
}
