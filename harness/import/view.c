#include "harness/import/view.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct view view_dense(const struct shape *s)
{
    struct view v = {.rank = s->rank};
    int64_t stride = 1;

    for (int i = s->rank - 1; i >= 0; i--) {
        v.dim[i] = s->dim[i];
        v.stride[i] = stride;
        stride *= s->dim[i];
    }
    return v;
}

int64_t view_elements(const struct view *v)
{
    int64_t n = 1;

    for (int i = 0; i < v->rank; i++)
        n *= v->dim[i];
    return n;
}

struct shape view_shape(const struct view *v)
{
    struct shape s = {.rank = v->rank};

    memcpy(s.dim, v->dim, (size_t)s.rank * sizeof(s.dim[0]));
    return s;
}

struct view view_simple(const struct view *v)
{
    struct view s = {.offset = v->offset};

    for (int i = 0; i < v->rank; i++) {
        int last = s.rank - 1;

        if (v->dim[i] == 1)
            continue;
        if (last >= 0 && s.stride[last] == v->dim[i] * v->stride[i]) {
            s.dim[last] *= v->dim[i];
            s.stride[last] = v->stride[i];
            continue;
        }
        s.dim[s.rank] = v->dim[i];
        s.stride[s.rank++] = v->stride[i];
    }
    return s;
}

bool view_repeats(const struct view *v)
{
    for (int i = 0; i < v->rank; i++)
        if (v->stride[i] == 0 && v->dim[i] > 1)
            return true;
    return false;
}

bool view_is_dense(const struct view *v)
{
    struct view s = view_simple(v);

    return s.offset == 0 && (s.rank == 0 || (s.rank == 1 && s.stride[0] == 1));
}

bool view_reshape(const struct view *v, const struct shape *s, struct view *ret)
{
    struct view old = view_simple(v), out = {.offset = v->offset, .rank = s->rank};
    int d = s->rank - 1;

    for (int i = old.rank - 1; i >= 0; i--) { /* what is left unmerged must be split by itself */
        int64_t left = old.dim[i], stride = old.stride[i];

        while (d >= 0 && (left > 1 || s->dim[d] == 1)) {
            if (left % s->dim[d] != 0)
                return false;
            out.dim[d] = s->dim[d];
            out.stride[d] = stride;
            stride *= s->dim[d];
            left /= s->dim[d--];
        }
        if (left != 1)
            return false;
    }
    for (; d >= 0; d--) {
        out.dim[d] = s->dim[d];
        out.stride[d] = 1;
    }
    *ret = out;
    return true;
}

struct view view_permute(const struct view *v, const int64_t *perm)
{
    struct view out = {.offset = v->offset, .rank = v->rank};

    for (int i = 0; i < v->rank; i++) {
        out.dim[i] = v->dim[perm[i]];
        out.stride[i] = v->stride[perm[i]];
    }
    return out;
}

struct view view_expand(const struct view *v, const struct shape *s)
{
    struct view out = {.offset = v->offset, .rank = s->rank};

    for (int i = 0; i < s->rank; i++) {
        int from = i - (s->rank - v->rank);

        out.dim[i] = s->dim[i];
        out.stride[i] = from >= 0 && v->dim[from] == s->dim[i] ? v->stride[from] : 0;
    }
    return out;
}

void view_each(const struct view *v, void (*visit)(void *ctx, int64_t i, int64_t address),
               void *ctx)
{
    int64_t at[VIEW_MAX] = {0}, address = v->offset, n = view_elements(v);

    for (int64_t i = 0; i < n; i++) {
        visit(ctx, i, address);
        for (int d = v->rank - 1; d >= 0; d--) {
            address += v->stride[d];
            if (++at[d] < v->dim[d])
                break;
            address -= v->dim[d] * v->stride[d];
            at[d] = 0;
        }
    }
}

/* ---- nodes that only look at things in another way ---- */

static _Noreturn void bad(struct ir *g, const struct ir_node *n, const char *what)
{
    arena_fail(g->a, -EINVAL, "node '%.200s' (%s): %s", n->name, n->op, what);
}

/* A list of whole numbers from input `slot`, else from the attribute; -1: neither is there. */
static int numbers(struct ir *g, const struct ir_node *n, int slot, const char *attr, int64_t *ret)
{
    const struct ir_attr *a = ir_int_list(n, attr);

    if (slot < n->n_in && n->in[slot] >= 0)
        return ir_list(g, n->in[slot], IR_MAX_RANK, ret);
    if (!a || a->n > IR_MAX_RANK)
        return -1;
    memcpy(ret, a->ints, (size_t)a->n * sizeof(*ret));
    return a->n;
}

static enum view_op reshape_to(struct ir *g, const struct ir_node *n, const struct view *in,
                               const struct shape *s, struct view *ret)
{
    if (shape_elements(s) != view_elements(in))
        bad(g, n, "the new shape has another number of elements");
    if (view_reshape(in, s, ret))
        return VIEW_YES;
    *ret = view_dense(s);
    return VIEW_COPY;
}

static enum view_op reshape(struct ir *g, const struct ir_node *n, const struct view *in,
                            struct view *ret)
{
    int64_t v[IR_MAX_RANK], known = 1, all = view_elements(in);
    int count = numbers(g, n, 1, "shape", v), any = -1;
    struct shape s = {.rank = count};

    if (count < 0)
        return VIEW_NO;
    for (int i = 0; i < count; i++) {
        if (v[i] == 0 && !ir_int(n, "allowzero", 0)) {
            if (i >= in->rank)
                bad(g, n, "axis 0 copies an axis that is not there");
            v[i] = in->dim[i];
        }
        if (v[i] < -1 || (v[i] == -1 && any >= 0) || v[i] > INT64_C(1) << 40)
            bad(g, n, "no such shape");
        if (v[i] == -1)
            any = i;
        else if (v[i] && known > (INT64_C(1) << 50) / v[i])
            bad(g, n, "the shape is too large");
        else
            known *= v[i];
        s.dim[i] = v[i];
    }
    if (any >= 0) {
        if (known == 0 || all % known)
            bad(g, n, "the new shape has another number of elements");
        s.dim[any] = all / known;
    }
    return reshape_to(g, n, in, &s, ret);
}

static enum view_op flatten(struct ir *g, const struct ir_node *n, const struct view *in,
                            struct view *ret)
{
    int64_t axis = ir_int(n, "axis", 1);
    struct shape s = {.rank = 2, .dim = {1, 1}};

    axis += axis < 0 ? in->rank : 0;
    if (axis < 0 || axis > in->rank)
        bad(g, n, "no such axis");
    for (int i = 0; i < in->rank; i++)
        s.dim[i >= axis] *= in->dim[i];
    return reshape_to(g, n, in, &s, ret);
}

static enum view_op squeeze(struct ir *g, const struct ir_node *n, const struct view *in,
                            struct view *ret)
{
    int64_t axes[IR_MAX_RANK];
    bool gone[VIEW_MAX] = {false}, all = n->n_in < 2 || n->in[1] < 0;
    int count = all ? 0 : numbers(g, n, 1, "axes", axes);

    if (count < 0)
        return VIEW_NO;
    for (int i = 0; i < count; i++) {
        axes[i] += axes[i] < 0 ? in->rank : 0;
        if (axes[i] < 0 || axes[i] >= in->rank || in->dim[axes[i]] != 1)
            bad(g, n, "no such axis, or not of one element");
        gone[axes[i]] = true;
    }
    *ret = (struct view){.offset = in->offset};
    for (int i = 0; i < in->rank; i++) {
        if (gone[i] || (all && in->dim[i] == 1))
            continue;
        ret->dim[ret->rank] = in->dim[i];
        ret->stride[ret->rank++] = in->stride[i];
    }
    return VIEW_YES;
}

static enum view_op unsqueeze(struct ir *g, const struct ir_node *n, const struct view *in,
                              struct view *ret)
{
    int64_t axes[IR_MAX_RANK];
    bool fresh[VIEW_MAX] = {false};
    int count = numbers(g, n, 1, "axes", axes), rank = in->rank + count;

    if (count < 0)
        return VIEW_NO;
    if (rank > IR_MAX_RANK)
        bad(g, n, "more than 8 axes");
    for (int i = 0; i < count; i++) {
        axes[i] += axes[i] < 0 ? rank : 0;
        if (axes[i] < 0 || axes[i] >= rank || fresh[axes[i]])
            bad(g, n, "no such axis");
        fresh[axes[i]] = true;
    }
    *ret = (struct view){.offset = in->offset, .rank = rank};
    for (int i = 0, from = 0; i < rank; i++) {
        ret->dim[i] = fresh[i] ? 1 : in->dim[from];
        ret->stride[i] = fresh[i] ? 1 : in->stride[from];
        from += !fresh[i];
    }
    return VIEW_YES;
}

static enum view_op transpose(struct ir *g, const struct ir_node *n, const struct view *in,
                              struct view *ret)
{
    int64_t perm[IR_MAX_RANK];
    bool seen[IR_MAX_RANK] = {false};
    int count = numbers(g, n, 1, "perm", perm);

    for (int i = 0; count < 0 && i < in->rank; i++)
        perm[i] = in->rank - 1 - i;
    if (count >= 0 && count != in->rank)
        bad(g, n, "perm does not name each axis");
    for (int i = 0; i < in->rank; i++) {
        if (perm[i] < 0 || perm[i] >= in->rank || seen[perm[i]])
            bad(g, n, "perm does not name each axis");
        seen[perm[i]] = true;
    }
    *ret = view_permute(in, perm);
    return VIEW_YES;
}

static void cut(struct view *v, int axis, int64_t start, int64_t step, int64_t count)
{
    v->offset += start * v->stride[axis];
    v->stride[axis] *= step;
    v->dim[axis] = count;
}

static int64_t clamp(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

static enum view_op slice(struct ir *g, const struct ir_node *n, const struct view *in,
                          struct view *ret)
{
    int64_t start[IR_MAX_RANK], end[IR_MAX_RANK], axes[IR_MAX_RANK], step[IR_MAX_RANK];
    int count = numbers(g, n, 1, "starts", start);
    int n_axes, n_steps;

    if (count < 0 || numbers(g, n, 2, "ends", end) != count)
        return VIEW_NO;
    n_axes = numbers(g, n, 3, "axes", axes);
    n_steps = numbers(g, n, 4, "steps", step);
    if ((n_axes != count && n->n_in > 3 && n->in[3] >= 0) ||
        (n_steps != count && n->n_in > 4 && n->in[4] >= 0))
        return VIEW_NO;
    *ret = *in;
    for (int i = 0; i < count; i++) {
        int64_t axis = n_axes < 0 ? i : axes[i] + (axes[i] < 0 ? in->rank : 0);
        int64_t by = n_steps < 0 ? 1 : step[i], dim, first, last;

        if (axis < 0 || axis >= in->rank || by == 0)
            bad(g, n, "no such axis, or a step of 0");
        dim = in->dim[axis];
        first = start[i] + (start[i] < 0 ? dim : 0);
        last = end[i] + (end[i] < 0 ? dim : 0);
        first = by > 0 ? clamp(first, 0, dim) : clamp(first, 0, dim - 1);
        last = by > 0 ? clamp(last, 0, dim) : clamp(last, -1, dim - 1);
        by = clamp(by, -dim - 1, dim + 1);
        count = count > in->rank ? in->rank : count;
        dim = by > 0 ? (last - first + by - 1) / by : (first - last - by - 1) / -by;
        cut(ret, (int)axis, first, by, dim > 0 ? dim : 0);
    }
    return VIEW_YES;
}

static enum view_op split(struct ir *g, const struct ir_node *n, int slot, const struct view *in,
                          struct view *ret)
{
    int64_t size[64], axis = ir_int(n, "axis", 0), start = 0;
    int count = n->n_in > 1 && n->in[1] >= 0 ? ir_list(g, n->in[1], 64, size) : 0;

    axis += axis < 0 ? in->rank : 0;
    if (axis < 0 || axis >= in->rank || slot >= 64 || n->n_out > 64)
        bad(g, n, "no such axis, or more than 64 parts");
    if (count < 0)
        return VIEW_NO;
    if (count == 0) {
        int64_t each = (in->dim[axis] + n->n_out - 1) / n->n_out;

        for (int i = 0; i < n->n_out; i++, count++)
            size[i] = clamp(in->dim[axis] - i * each, 0, each);
    }
    for (int i = 0; i < slot && i < count; i++)
        start += clamp(size[i], 0, INT64_C(1) << 40);
    if (slot >= count || size[slot] < 0 || start + size[slot] > in->dim[axis])
        bad(g, n, "the parts exceed the whole");
    *ret = *in;
    cut(ret, (int)axis, start, 1, size[slot]);
    return VIEW_YES;
}

static enum view_op expand(struct ir *g, const struct ir_node *n, const struct view *in,
                           struct view *ret)
{
    int64_t v[IR_MAX_RANK];
    int count = numbers(g, n, 1, "shape", v);
    struct shape s = {.rank = count > in->rank ? count : in->rank};

    if (count < 0)
        return VIEW_NO;
    for (int i = 0; i < s.rank; i++) {
        int of_v = i - (s.rank - count), of_in = i - (s.rank - in->rank);
        int64_t a = of_v < 0 ? 1 : v[of_v], b = of_in < 0 ? 1 : in->dim[of_in];

        if (a < 0 || a > INT64_C(1) << 40 || (a != b && a != 1 && b != 1))
            bad(g, n, "cannot be expanded to that shape");
        s.dim[i] = b == 1 ? a : b;
    }
    *ret = view_expand(in, &s);
    return VIEW_YES;
}

/* One index, or indices at equal distances: a view. */
static enum view_op gather(struct ir *g, const struct ir_node *n, const struct view *in,
                           struct view *ret)
{
    int64_t axis = ir_int(n, "axis", 0), first, step = 1, count;
    const struct ir_tensor *ids = ir_in(g, n, 1);

    axis += axis < 0 ? in->rank : 0;
    if (!ids || !ids->data || ids->shape.rank > 1 || axis < 0 || axis >= in->rank)
        return VIEW_NO;
    count = shape_elements(&ids->shape);
    if (count == 0)
        return VIEW_NO;
    first = (int64_t)ir_at(ids, 0);
    if (count > 1)
        step = (int64_t)ir_at(ids, 1) - first;
    for (int64_t i = 0; i < count; i++)
        if ((int64_t)ir_at(ids, i) != first + i * step)
            return VIEW_NO;
    first += first < 0 ? in->dim[axis] : 0;
    if (first < 0 || first >= in->dim[axis] || first + (count - 1) * step < 0 ||
        first + (count - 1) * step >= in->dim[axis])
        bad(g, n, "an index is out of range");
    *ret = *in;
    cut(ret, (int)axis, first, step, count);
    if (ids->shape.rank == 1)
        return VIEW_YES;
    for (int i = (int)axis; i + 1 < ret->rank; i++) {
        ret->dim[i] = ret->dim[i + 1];
        ret->stride[i] = ret->stride[i + 1];
    }
    ret->rank--;
    return VIEW_YES;
}

enum view_op view_of_node(struct ir *g, const struct ir_node *n, int slot, const struct view *in,
                          struct view *ret)
{
    if (n->domain[0])
        return VIEW_NO;
    if (ir_is(n, "Reshape"))
        return reshape(g, n, in, ret);
    if (ir_is(n, "Transpose"))
        return transpose(g, n, in, ret);
    if (ir_is(n, "Slice"))
        return slice(g, n, in, ret);
    if (ir_is(n, "Split"))
        return split(g, n, slot, in, ret);
    if (ir_is(n, "Squeeze"))
        return squeeze(g, n, in, ret);
    if (ir_is(n, "Unsqueeze"))
        return unsqueeze(g, n, in, ret);
    if (ir_is(n, "Flatten"))
        return flatten(g, n, in, ret);
    if (ir_is(n, "Expand"))
        return expand(g, n, in, ret);
    if (ir_is(n, "Gather"))
        return gather(g, n, in, ret);
    if ((ir_is(n, "Identity") || ir_is(n, "Dropout")) && slot == 0) {
        *ret = *in;
        return VIEW_YES;
    }
    return VIEW_NO;
}
