/* harness/import/lower/lower_move.c - elements into the order that an operator wants, moved only if
 * they do not lie so already. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "harness/import/lower/lower.h"

/* One axis, or a part of one, on its way. */
struct axis {
    int64_t size, stride;
    int axis;      /* of the tensor */
    int64_t times; /* stride within that axis */
    bool col;      /* wanted among the columns */
};

struct axes {
    int n;
    struct axis a[2 * VIEW_MAX];
};

/* ---- axes ---- */

static void add_axis(struct lowering *x, struct axes *s, struct axis a)
{
    if (s->n == 2 * VIEW_MAX)
        lower_give_up(x, "too many axes");
    s->a[s->n++] = a;
}

/* Axes of more than one element in the order of the tensor, cut where they cross from columns of
 * the stored matrix to its rows. */
static struct axes axes_of(struct lowering *x, const struct val *a, int n_cols)
{
    struct axes s = {0};

    for (int i = 0; i < a->v.rank; i++) {
        int64_t size = a->v.dim[i], stride = a->v.stride[i], in_row;
        bool col = i >= a->v.rank - n_cols;

        if (size == 1)
            continue;
        if (stride < 0)
            lower_give_up(x, "reversed axes cannot be moved");
        if (stride == 0 || stride >= a->cols || stride * size <= a->cols) {
            if (stride > a->cols && stride % a->cols)
                lower_give_up(x, "an axis runs across rows");
            add_axis(x, &s, (struct axis){size, stride, i, 1, col});
            continue;
        }
        in_row = a->cols / stride;
        if (a->cols % stride || size % in_row)
            lower_give_up(x, "an axis runs across rows");
        add_axis(x, &s, (struct axis){size / in_row, a->cols, i, in_row, col});
        add_axis(x, &s, (struct axis){in_row, stride, i, 1, col});
    }
    return s;
}

/* Would axes_of() find each axis within rows or made of whole rows, if rows had `cols` elements? */
static bool rows_fit(const struct val *a, int64_t cols)
{
    for (int i = 0; i < a->v.rank; i++) {
        int64_t size = a->v.dim[i], stride = a->v.stride[i];

        if (size == 1 || stride <= 0 || stride % cols == 0 || stride * size <= cols)
            continue;
        if (stride > cols || cols % stride || size % (cols / stride))
            return false;
    }
    return true;
}

/* And would what is read be one block of neighbouring columns in rows at equal distances? */
static bool block_fits(const struct val *a, int64_t cols)
{
    int64_t end = a->v.offset % cols, in_row = 1, next = 0;

    if (!rows_fit(a, cols))
        return false;
    for (int i = a->v.rank - 1; i >= 0; i--) { /* axes in their own order: enough for a slice */
        int64_t size = a->v.dim[i], stride = a->v.stride[i];

        if (size == 1)
            continue;
        if (stride < cols) {
            if (stride != in_row)
                return false;
            in_row *= size;
        } else if (next && stride != next) {
            return false;
        } else {
            next = stride * size;
        }
    }
    return end + in_row <= cols;
}

/* The stored matrix with rows of another width, a multiple or a part of its own. */
static struct val rewound(struct lowering *x, struct val a, int64_t cols)
{
    bool wider = cols > a.cols;
    int64_t rows = a.rows * a.cols / cols;
    struct low_node *n =
        low_new(x->l, lower_name(x, "rows"), "transpose", rows, cols);

    low_int(n, "d0", wider ? rows : a.rows);
    low_int(n, "d1", wider ? cols / a.cols : a.cols / cols);
    low_int(n, "d2", wider ? a.cols : cols);
    low_int(n, "perm", 12); /* 0, 1, 2 */
    low_int(n, "xc", wider ? 1 : 2);
    low_int(n, "yc", wider ? 2 : 1);
    low_in(n, a.ref);
    return lower_last(x, &a.v);
}

/* A slice of what a reshape made may run across rows: then rows of another width, which is a copy.
 */
static struct val straightened(struct lowering *x, struct val a)
{
    int64_t cols = a.cols, all = a.rows * a.cols;

    if (rows_fit(&a, cols))
        return a;
    for (int i = 0; i < a.v.rank; i++) {
        int64_t w = a.v.stride[i];

        if (w > 0 && all % w == 0 && (w % a.cols == 0 || a.cols % w == 0) && block_fits(&a, w))
            return rewound(x, a, w);
    }
    while (!rows_fit(&a, cols))
        for (cols--; a.cols % cols; cols--)
            ;
    return rewound(x, a, cols);
}

static int by_stride(const void *a_, const void *b_)
{
    const struct axis *a = a_, *b = b_;

    if (a->stride != b->stride)
        return a->stride > b->stride ? -1 : 1;
    return a->axis - b->axis;
}

static struct axes sorted(const struct axes *s)
{
    struct axes t = *s;

    qsort(t.a, (size_t)t.n, sizeof(t.a[0]), by_stride);
    return t;
}

/* The tensor's view when the axes lie densely in this order; `from` has the axes of one element and
 * those that are repeated. */
static struct view view_in(const struct view *from, const struct axes *order)
{
    struct view v = *from;
    int64_t stride = 1;

    v.offset = 0;
    for (int i = order->n - 1; i >= 0; i--) {
        const struct axis *a = &order->a[i];

        if (a->times == 1)
            v.stride[a->axis] = stride;
        stride *= a->size;
    }
    return v;
}

/* Do both parts of a cut axis still follow each other? */
static bool parts_together(const struct axes *order)
{
    for (int i = 0; i < order->n; i++)
        if (order->a[i].times > 1 &&
            (i + 1 == order->n || order->a[i + 1].axis != order->a[i].axis))
            return false;
    return true;
}

static int64_t product(const struct axes *s, bool cols)
{
    int64_t n = 1;

    for (int i = 0; i < s->n; i++)
        n *= s->a[i].col == cols ? s->a[i].size : 1;
    return n;
}

/* ---- copies ---- */

/* Rows r0, r0 + rstep, ... and columns likewise. */
static void slice(struct lowering *x, struct val *a, int64_t r0, int64_t rn, int64_t rstep,
                  int64_t c0, int64_t cn, int64_t cstep)
{
    struct low_node *n = low_new(x->l, lower_name(x, "slice"), "slice", rn, cn);

    low_int(n, "rows", a->rows);
    low_int(n, "cols", a->cols);
    low_int(n, "r0", r0);
    low_int(n, "rn", rn);
    low_int(n, "rstep", rstep);
    low_int(n, "c0", c0);
    low_int(n, "cn", cn);
    low_int(n, "cstep", cstep);
    low_in(n, a->ref);
    *a = lower_last(x, &a->v);
}

/* The least step and the extent that axes with strides in [low, high) cover, if they cover it all.
 */
static bool covered(const struct axes *s, int64_t low, int64_t high, int64_t *ret_step,
                    int64_t *ret_n)
{
    struct axes t = sorted(s);
    int64_t step = 0, n = 1;

    for (int i = t.n - 1; i >= 0; i--) {
        const struct axis *a = &t.a[i];

        if (a->stride < low || a->stride >= high)
            continue;
        if (step == 0)
            step = a->stride;
        if (a->stride != step * n)
            return false;
        n *= a->size;
    }
    *ret_step = step ? step : low;
    *ret_n = n;
    return true;
}

/* transpose: the whole stored matrix, whose axes are `s` (any order, strides within it), into rows
 * and columns as wanted, in the order of s. */
static void transpose(struct lowering *x, struct val *a, const struct axes *s)
{
    static const char *const keys[] = {"d0", "d1", "d2", "d3", "d4", "d5"};
    struct axes from, to = *s;
    int64_t rows = product(s, false), cols = product(s, true), perm = 0;
    int place[2 * VIEW_MAX], xc = 0, yc = 0;
    struct low_node *n;

    for (int i = 0; i + 1 < to.n;) { /* neighbours that stay neighbours are one axis */
        struct axis *up = &to.a[i], *down = &to.a[i + 1];
        bool across = down->stride < a->cols && up->stride >= a->cols;

        if (up->col == down->col && up->stride == down->stride * down->size && !across) {
            up->size *= down->size;
            up->stride = down->stride;
            memmove(down, down + 1, (size_t)(to.n - i - 2) * sizeof(*down));
            to.n--;
        } else {
            i++;
        }
    }
    if (to.n > 6)
        lower_give_up(x, "a permutation of more than 6 axes");
    from = sorted(&to);
    for (int i = 0; i < to.n; i++) {
        for (int j = 0; j < to.n; j++)
            place[i] = from.a[j].stride == to.a[i].stride ? j : place[i];
        xc += from.a[i].stride < a->cols;
        yc += to.a[i].col;
        perm = 10 * perm + place[i];
    }
    n = low_new(x->l, lower_name(x, "transpose"), "transpose", rows, cols);
    for (int i = 0; i < to.n; i++)
        low_int(n, keys[i], from.a[i].size);
    if (to.n == 0)
        low_int(n, "d0", 1);
    low_int(n, "perm", perm);
    low_int(n, "xc", xc);
    low_int(n, "yc", yc);
    low_in(n, a->ref);
    *a = lower_last(x, &a->v);
}

/* Makes `a` a matrix that holds nothing but the axes of s (strides follow); the rest is sliced
 * away. */
static void take_part(struct lowering *x, struct val *a, struct axes *s)
{
    int64_t r0 = a->v.offset / a->cols, c0 = a->v.offset % a->cols, old_cols = a->cols;
    int64_t rstep, rn, cstep, cn;

    if (!covered(s, a->cols, INT64_MAX, &rstep, &rn) || !covered(s, 1, a->cols, &cstep, &cn))
        lower_give_up(x, "it reads scattered parts of a tensor");
    rstep /= a->cols;
    a->v.offset = 0;
    if (rn == a->rows && cn == a->cols)
        return;
    slice(x, a, r0, rn, rstep, c0, cn, cstep);
    for (int i = 0; i < s->n; i++) {
        int64_t *stride = &s->a[i].stride;

        *stride = *stride >= old_cols ? *stride / old_cols / rstep * cn : *stride / cstep;
    }
}

/* Axes with missing ones between them: a transpose of the whole brings what is wanted together,
 * then a slice of rows takes it. s gets new strides. */
static bool gather_part(struct lowering *x, struct val *a, struct axes *s)
{
    struct axes all = {0}, t = sorted(s);
    int64_t next = 1, wanted = 1, before = 0, at = a->v.offset, missing = 1;

    for (int i = t.n - 1; i >= -1; i--) { /* innermost first; -1: what is outside all of them */
        int64_t stride = i >= 0 ? t.a[i].stride : a->rows * a->cols;

        if (stride % next)
            return false;
        if (stride > next) { /* missing: next .. stride */
            struct axis gap = {stride / next, next, -1, 1, false};

            if (next < a->cols && stride > a->cols) {
                if (a->cols % next || stride % a->cols)
                    return false;
                gap.size = stride / a->cols;
                gap.stride = a->cols;
                add_axis(x, &all, (struct axis){a->cols / next, next, -1, 1, false});
            }
            add_axis(x, &all, gap);
        }
        if (i >= 0)
            next = stride * t.a[i].size;
    }
    for (int i = 0; i < all.n; i++) {
        int64_t index = a->v.offset / all.a[i].stride % all.a[i].size;

        before += index * missing;
        missing *= all.a[i].size;
        at -= index * all.a[i].stride;
    }
    if (at != 0) /* it begins in the middle of a wanted axis */
        return false;
    for (int i = 0; i < all.n / 2; i++) { /* outermost first, to match the digits of `before` */
        struct axis swap = all.a[i];

        all.a[i] = all.a[all.n - 1 - i];
        all.a[all.n - 1 - i] = swap;
    }
    for (int i = 0; i < s->n; i++) {
        wanted *= s->a[i].col ? 1 : s->a[i].size;
        add_axis(x, &all, s->a[i]);
    }
    transpose(x, a, &all);
    slice(x, a, before * wanted, wanted, 1, 0, a->cols, 1);
    return true;
}

/* Copies until the axes lie in the order of s, those with .col as columns. */
static void copy(struct lowering *x, struct val *a, struct axes s)
{
    struct axes t;
    int64_t step, n, rows = product(&s, false), cols = product(&s, true);
    bool in_order = true;

    if (!covered(&s, a->cols, INT64_MAX, &step, &n) || !covered(&s, 1, a->cols, &step, &n)) {
        if (!gather_part(x, a, &s))
            lower_give_up(x, "it reads scattered parts of a tensor");
        return;
    }
    take_part(x, a, &s);
    t = sorted(&s);
    for (int i = 0; i < s.n; i++)
        in_order = in_order && t.a[i].stride == s.a[i].stride;
    if (!in_order || a->rows != rows || a->cols != cols)
        transpose(x, a, &s);
}

/* ---- inputs choose their layout by their first reader ---- */

static void leave_hint(struct lowering *x, const struct val *a, const struct axes *order)
{
    const struct low_input *in = &x->l->input[a->ref.index];
    struct hint *h = &x->hint[a->ref.index];
    struct view v = view_dense(&x->g->tensor[in->tensor].shape);
    int64_t stride = 1, elements = 1;

    if (h->set || in->ids)
        return;
    for (int i = 0; i < order->n; i++)
        elements *= order->a[i].size;
    if (elements != in->rows * in->cols)
        return;
    for (int d = 0; d < v.rank; d++) { /* each axis of the input must be one axis of the order */
        int64_t old = v.stride[d], inner = 1;
        bool found = v.dim[d] == 1;

        stride = 1;
        for (int i = order->n - 1; i >= 0; i--) {
            const struct axis *w = &order->a[i];

            if (w->stride <= old && old < w->stride * w->size && v.dim[d] > 1) {
                /* the input's axis lies within this one, at distance old / w->stride */
                if (w->stride * w->size < old * v.dim[d])
                    return; /* cut in two */
                inner = old / w->stride;
                found = true;
                v.stride[d] = -(stride * inner); /* marked new by its sign */
            }
            stride *= w->size;
        }
        if (!found)
            return;
    }
    for (int d = 0; d < v.rank; d++)
        v.stride[d] = v.stride[d] < 0 ? -v.stride[d] : v.stride[d];
    h->set = true;
    h->v = v;
    h->cols = product(order, true);
}

/* ---- what operators ask for ---- */

static bool is_dense(const struct val *a, const struct axes *s)
{
    int64_t stride = 1;

    for (int i = s->n - 1; i >= 0; i--) {
        if (s->a[i].stride != stride)
            return false;
        stride *= s->a[i].size;
    }
    return a->v.offset == 0 && stride == a->rows * a->cols && product(s, true) == a->cols;
}

static struct val arranged(struct lowering *x, struct val a, const struct axes *order)
{
    struct axes solid = {0};

    assert(a.kind == VAL_STORED);
    for (int i = 0; i < order->n; i++) /* what is repeated is not stored */
        if (order->a[i].stride != 0)
            add_axis(x, &solid, order->a[i]);
    if (!parts_together(&solid))
        lower_give_up(x, "an axis would be torn apart");
    if (!is_dense(&a, &solid)) {
        if (a.ref.kind == REF_INPUT)
            leave_hint(x, &a, &solid);
        copy(x, &a, solid);
    }
    a.v = view_in(&a.v, &solid);
    return a;
}

static struct val to_matrix(struct lowering *x, struct val a, int n_cols, bool ordered)
{
    struct axes s, rows = {0}, order;

    a = straightened(x, a);
    s = axes_of(x, &a, n_cols);
    for (int i = 0; i < s.n; i++) {
        if (s.a[i].col && s.a[i].stride == 0)
            lower_give_up(x, "a repeated axis cannot be columns");
        if (!s.a[i].col)
            add_axis(x, &rows, s.a[i]);
    }
    order = ordered ? rows : sorted(&rows);
    for (int i = 0; i < s.n; i++)
        if (s.a[i].col)
            add_axis(x, &order, s.a[i]);
    return arranged(x, a, &order);
}

struct val lower_matrix(struct lowering *x, struct val a, int n_cols)
{
    return to_matrix(x, a, n_cols, false);
}

struct val lower_ordered(struct lowering *x, struct val a, int n_cols)
{
    return to_matrix(x, a, n_cols, true);
}

struct val lower_compact(struct lowering *x, struct val a)
{
    struct axes s, t;

    a = straightened(x, a);
    s = axes_of(x, &a, 0);
    t = sorted(&s);
    for (int i = 0; i < t.n; i++)
        t.a[i].col = t.a[i].stride < a.cols;
    return arranged(x, a, &t);
}

bool lower_is_matrix(const struct val *a, int n_cols)
{
    int64_t cols = 1;

    if (a->kind != VAL_STORED || !view_is_dense(&a->v))
        return false;
    for (int i = a->v.rank - n_cols; i < a->v.rank; i++)
        cols *= a->v.dim[i];
    return cols == a->cols && view_elements(&a->v) == a->rows * a->cols;
}

int lower_pieces(struct lowering *x, const struct val *a, struct piece *ret)
{
    struct axes s = axes_of(x, a, 0), t = sorted(&s);
    int n = 0;

    for (int i = 0; i < t.n; i++) {
        if (t.a[i].stride == 0)
            continue;
        if (n == VIEW_MAX)
            lower_give_up(x, "too many axes");
        ret[n++] = (struct piece){t.a[i].axis, t.a[i].size, t.a[i].times, t.a[i].stride < a->cols};
    }
    return n;
}

struct val lower_permuted(const struct val *a, const int64_t *perm)
{
    struct val b = *a;

    b.v = view_permute(&a->v, perm);
    return b;
}

/* ---- repeated axes ---- */

static struct ref ones(struct lowering *x, int64_t n)
{
    struct shape s = {2, {n, 1}};
    struct view v = view_dense(&s);
    void *data;
    int t = ir_constant(x->g, "ones", ELEM_FLOAT, &s, &data);

    for (int64_t i = 0; i < n; i++)
        ((float *)data)[i] = 1;
    return low_weight_new(x->l, "ones", false, n, 1, 1, t, &v);
}

/* [elements, 1] times as many ones. */
struct val lower_solid(struct lowering *x, struct val a)
{
    struct val solid = a, y;
    int64_t times = 1, in_cols = 1;
    struct low_node *low;
    struct ref w;

    if (a.kind != VAL_STORED || !view_repeats(&a.v))
        return a;
    solid.v.rank = 0;
    for (int i = 0; i < a.v.rank; i++) {
        if (a.v.stride[i] == 0) {
            times *= a.v.dim[i];
        } else {
            solid.v.dim[solid.v.rank] = a.v.dim[i];
            solid.v.stride[solid.v.rank++] = a.v.stride[i];
        }
    }
    solid = lower_ordered(x, solid, 0);
    w = ones(x, times);
    low = lower_product(x, &solid, times, true, "weight");
    low->name = lower_name(x, "spread");
    low_in(low, w);
    y = lower_last(x, &a.v);
    y.v.offset = 0;
    for (int i = a.v.rank - 1, from = solid.v.rank; i >= 0; i--) {
        if (a.v.stride[i] == 0) {
            y.v.stride[i] = in_cols;
            in_cols *= a.v.dim[i];
        } else {
            y.v.stride[i] = solid.v.stride[--from] * times;
        }
    }
    return y;
}
