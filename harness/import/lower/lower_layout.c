/* harness/import/lower/lower_layout.c - rows out of tables, zeros around tensors. */
#include <string.h>

#include "harness/import/lower/lower.h"

void lower_gather(struct lowering *x, const struct ir_node *n)
{
    struct val table = lower_in(x, n, 0), ids = lower_in(x, n, 1);
    const struct shape *s = &x->g->tensor[n->out[0]].shape;
    int64_t vocab = table.v.rank ? table.v.dim[0] : 0, cols, t;
    struct shape rows;
    struct view v;
    struct low_node *low;
    struct ref w;

    if (table.kind != VAL_CONST || ir_int(n, "axis", 0) != 0 || table.v.rank != 2)
        lower_give_up(x, "want rows of a constant table");
    if (ids.kind != VAL_STORED || ids.ref.kind != REF_INPUT || !x->l->input[ids.ref.index].ids ||
        !view_is_dense(&ids.v) || view_elements(&ids.v) != ids.cols)
        lower_give_up(x, "want ids that are an input");
    cols = table.v.dim[1];
    t = ids.cols;
    w = low_weight_new(x->l, x->g->tensor[table.tensor].name, false, vocab, cols, cols,
                       table.tensor, &table.v);
    low = low_new(x->l, x->name, "gather", t, cols);
    low_int(low, "t", t);
    low_int(low, "vocab", vocab);
    low_int(low, "cols", cols);
    low_in(low, ids.ref);
    low_in(low, w);
    rows = *s;
    v = view_dense(&rows);
    lower_out(x, n, &v);
}

/* ---- pad ---- */

bool lower_sides(int64_t rows, int64_t *ret_h, int64_t *ret_w)
{
    int64_t least = (rows + LOWER_MAX_SIDE - 1) / LOWER_MAX_SIDE;

    for (int64_t w = least; w <= LOWER_MAX_SIDE && w <= rows; w++)
        if (rows % w == 0) {
            *ret_h = rows / w;
            *ret_w = w;
            return true;
        }
    return false;
}

/* Where an axis lies among the rows: the extents before and behind it. */
struct place {
    int64_t before, behind;
    bool col, whole;
};

static struct place place_of(const struct piece *p, int n, int axis)
{
    struct place at = {1, 1, false, true};
    bool passed = false;

    for (int i = 0; i < n; i++) {
        if (p[i].axis == axis) {
            at.whole = at.whole && !passed;
            at.col = p[i].col;
            passed = true;
        } else if (!p[i].col || at.col) {
            *(passed ? &at.behind : &at.before) *= p[i].size;
        }
    }
    return at;
}

static void read_pads(struct lowering *x, const struct ir_node *n, int rank, int64_t *begin,
                      int64_t *end)
{
    int64_t pads[2 * IR_MAX_RANK], axes[IR_MAX_RANK];
    int count = ir_list(x->g, n->in[1], 2 * IR_MAX_RANK, pads) / 2;
    bool some = n->n_in > 3 && n->in[3] >= 0;
    double v = 0;

    if (n->n_in > 2 && n->in[2] >= 0 && !(ir_uniform(x->g, n->in[2], &v) && v == 0))
        lower_give_up(x, "want zeros around it");
    if (strcmp(ir_string(n, "mode", "constant"), "constant") != 0)
        lower_give_up(x, "want mode constant");
    if (some)
        ir_list(x->g, n->in[3], IR_MAX_RANK, axes);
    for (int i = 0; i < rank; i++)
        begin[i] = end[i] = 0;
    for (int i = 0; i < count; i++) {
        int axis = some ? shape_axis(&x->g->tensor[n->in[0]].shape, axes[i]) : i;

        begin[axis] = pads[i];
        end[axis] = pads[i + count];
    }
}

/* What operator "pad" makes of a map of h by w. */
struct margins {
    int64_t h, w, zeros[6]; /* top bottom left right c0 c1 */
};

/* One axis, or two neighbours among the rows, or the columns. */
static struct margins margins_of(struct lowering *x, const struct val *a, const struct piece *p,
                                 int n, const int64_t *begin, const int64_t *end)
{
    struct shape s = view_shape(&a->v);
    struct margins m = {.h = 0, .w = 1};
    bool one = false; /* axis of the rows is padded already */

    for (int i = 0; i < s.rank; i++) {
        struct place pl = place_of(p, n, i);
        int64_t *zeros;

        if (begin[i] + end[i] == 0)
            continue;
        if (!pl.whole || (pl.col && pl.before * pl.behind != 1))
            lower_give_up(x, "want padding of whole rows or columns");
        if (pl.col) {
            zeros = m.zeros + 4;
        } else if (pl.before == 1 && (!one || m.h == s.dim[i])) {
            m.h = s.dim[i];
            m.w = pl.behind;
            zeros = m.zeros;
            one = true;
        } else if (pl.behind == 1) {
            m.h = pl.before;
            m.w = s.dim[i];
            zeros = m.zeros + 2;
            one = true;
        } else {
            lower_give_up(x, "want padding of whole rows or columns");
        }
        zeros[0] = begin[i];
        zeros[1] = end[i];
    }
    if (m.h == 0 && !lower_sides(a->rows, &m.h, &m.w))
        lower_give_up(x, "too many rows");
    if (m.h * m.w != a->rows || m.h > LOWER_MAX_SIDE || m.w > LOWER_MAX_SIDE)
        lower_give_up(x, "want padding of one or two neighbouring axes");
    return m;
}

/* Axes of one element first, then as they lie. */
static void as_they_lie(const struct piece *p, int n, int rank, int64_t *ret_perm)
{
    int at = 0;

    for (int i = 0; i < rank; i++) {
        bool lies = false;

        for (int k = 0; k < n; k++)
            lies = lies || p[k].axis == i;
        if (!lies)
            ret_perm[at++] = i;
    }
    for (int k = 0; k < n; k++)
        if (p[k].times == 1)
            ret_perm[at++] = p[k].axis;
}

static struct val pad_axes(struct lowering *x, struct val a, const int64_t *begin,
                           const int64_t *end)
{
    static const char *const side[6] = {"top", "bottom", "left", "right", "c0", "c1"};
    struct shape s = view_shape(&a.v), stored = {.rank = s.rank};
    int64_t perm[VIEW_MAX], back[VIEW_MAX];
    struct piece p[VIEW_MAX];
    struct low_node *low;
    struct margins m;
    const int64_t *z = m.zeros;
    struct view v;
    int n;

    a = lower_compact(x, a);
    n = lower_pieces(x, &a, p);
    m = margins_of(x, &a, p, n, begin, end);
    low = low_new(x->l, x->name, "pad", (m.h + z[0] + z[1]) * (m.w + z[2] + z[3]),
                  a.cols + z[4] + z[5]);
    low_int(low, "h", m.h);
    low_int(low, "w", m.w);
    low_int(low, "c", a.cols);
    for (int i = 0; i < 6; i++)
        if (z[i])
            low_int(low, side[i], z[i]);
    low_in(low, a.ref);
    as_they_lie(p, n, s.rank, perm);
    for (int i = 0; i < s.rank; i++) {
        back[perm[i]] = i;
        stored.dim[i] = s.dim[perm[i]] + begin[perm[i]] + end[perm[i]];
    }
    v = view_dense(&stored);
    v = view_permute(&v, back);
    return lower_last(x, &v);
}

/* Does axis 1, the channels, lie in the columns, if it has more than one element? */
static bool is_map(struct lowering *x, struct val a)
{
    struct piece p[VIEW_MAX];
    int n = lower_pieces(x, &a, p);

    for (int i = 0; i < n; i++)
        if ((p[i].axis == 1) != p[i].col)
            return false;
    return true;
}

void lower_pad(struct lowering *x, const struct ir_node *n)
{
    struct val a = lower_solid(x, lower_stored(x, n));
    int64_t begin[VIEW_MAX], end[VIEW_MAX];
    bool more = false;

    read_pads(x, n, a.v.rank, begin, end);
    for (int i = 0; i < a.v.rank; i++) { /* what is cut away is not copied */
        int64_t head = begin[i] < 0 ? -begin[i] : 0, tail = end[i] < 0 ? -end[i] : 0;

        a.v.offset += head * a.v.stride[i];
        a.v.dim[i] -= head + tail;
        begin[i] += head;
        end[i] += tail;
        more = more || begin[i] || end[i];
        if (a.v.dim[i] == 1 && begin[i] + end[i] > 0)
            lower_give_up(x, "want padding of axes with more than one element");
    }
    if (more && a.v.rank == 4 && a.v.dim[0] == 1 && begin[1] + end[1] == 0 && !is_map(x, a)) {
        int64_t b[4] = {0, begin[2], begin[3], 0}, e[4] = {0, end[2], end[3], 0};

        a = lower_permuted(&a, lower_channels_last);
        a = lower_ordered(x, a, 1);
        a = pad_axes(x, a, b, e);
        a = lower_permuted(&a, lower_channels_first);
    } else if (more) {
        a = pad_axes(x, a, begin, end);
    }
    x->val[n->out[0]] = a;
}
