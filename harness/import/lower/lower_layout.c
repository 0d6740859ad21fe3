/* harness/import/lower/lower_layout.c - operators that put things together or elsewhere. */
#include <string.h>

#include "harness/import/lower/lower.h"
#include "harness/import/shapes/infer.h"

enum { MAX_SIDE = 1 << 13, MAX_PARTS = 4 };

static const int64_t channels_last[4] = {0, 2, 3, 1};
static const int64_t channels_first[4] = {0, 3, 1, 2};

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

/* ---- concat ---- */

/* In which order the axes are to be stored, and how many make the columns. */
struct order {
    int rank, n_cols;
    int64_t perm[VIEW_MAX], back[VIEW_MAX];
    bool by_cols; /* parts stand side by side */
};

/* As the value lies, with `axis` outermost among the rows or among the columns. */
static struct order order_of(struct lowering *x, const struct val *a, int axis)
{
    struct piece p[VIEW_MAX];
    struct order o = {.rank = a->v.rank};
    bool seen[VIEW_MAX] = {false}, axis_is_col = false;
    int n = lower_pieces(x, a, p), at = 0;

    for (int i = 0; i < n; i++) {
        if (p[i].times > 1) { /* an axis in rows and columns: the tensor's own order will do */
            n = 0;
            break;
        }
        axis_is_col = axis_is_col || (p[i].axis == axis && p[i].col);
    }
    if (n == 0 && view_elements(&a->v) > 1) {
        for (int i = 0; i < o.rank; i++)
            o.perm[i] = i;
        o.n_cols = o.rank - axis;
        o.by_cols = true;
    } else {
        for (int col = 0; col < 2; col++) {
            if (axis_is_col == (col == 1)) {
                o.perm[at++] = axis;
                o.n_cols += col;
                seen[axis] = true;
            }
            for (int i = 0; i < n; i++)
                if (p[i].col == (col == 1) && !seen[p[i].axis]) {
                    o.perm[at++] = p[i].axis;
                    o.n_cols += col;
                    seen[p[i].axis] = true;
                }
            for (int i = 0; i < o.rank && col == 0; i++) { /* axes of one element here: anywhere */
                bool lies = i == axis;

                for (int k = 0; k < n; k++)
                    lies = lies || p[k].axis == i;
                if (!lies) {
                    o.perm[at++] = i;
                    seen[i] = true;
                }
            }
        }
        o.by_cols = axis_is_col;
    }
    for (int i = 0; i < o.rank; i++)
        o.back[o.perm[i]] = i;
    return o;
}

/* One part of a concatenation: a matrix, and zeros before and behind it for constant parts. */
struct part {
    struct val a;
    int64_t before, behind;
};

/* Factors of `rows` that fit a map's sides; false if it has none. */
static bool two_sides(int64_t rows, int64_t *ret_h, int64_t *ret_w)
{
    for (int64_t w = (rows + MAX_SIDE - 1) / MAX_SIDE; w <= MAX_SIDE && w <= rows; w++)
        if (rows % w == 0) {
            *ret_h = rows / w;
            *ret_w = w;
            return true;
        }
    return false;
}

static struct val with_zeros(struct lowering *x, const struct part *p, bool by_cols)
{
    struct val a = p->a;
    int64_t more = p->before + p->behind, h = a.rows, w = 1;
    struct low_node *low;

    if (more == 0)
        return a;
    if ((by_cols && !two_sides(a.rows, &h, &w)) || (!by_cols && a.rows > MAX_SIDE))
        lower_give_up(x, "too many rows");
    low = low_new(x->l, arena_printf(x->g->a, "%s.pad", x->name), "pad",
                  a.rows + (by_cols ? 0 : more), a.cols + (by_cols ? more : 0));
    low_int(low, "h", h);
    low_int(low, "w", w);
    low_int(low, "c", a.cols);
    low_int(low, by_cols ? "c0" : "top", p->before);
    low_int(low, by_cols ? "c1" : "bottom", p->behind);
    low_in(low, a.ref);
    return lower_last(x, &a.v);
}

/* Up to four matrices at a time. */
static struct val joined(struct lowering *x, const struct val *part, int n, bool by_cols)
{
    static const char *const keys[] = {"size0", "size1", "size2", "size3"};
    struct val y = part[0];

    for (int at = 1; at < n;) {
        int count = n - at < MAX_PARTS - 1 ? n - at : MAX_PARTS - 1;
        int64_t size = by_cols ? y.cols : y.rows;
        struct low_node *low;

        for (int i = 0; i < count; i++)
            size += by_cols ? part[at + i].cols : part[at + i].rows;
        low = low_new(x->l, x->name, "concat", by_cols ? y.rows : size, by_cols ? size : y.cols);
        low_int(low, "n", count + 1);
        low_choice(low, "axis", by_cols ? "cols" : "rows");
        low_int(low, keys[0], by_cols ? y.cols : y.rows);
        for (int i = 0; i < count; i++)
            low_int(low, keys[i + 1], by_cols ? part[at + i].cols : part[at + i].rows);
        low_int(low, "other", by_cols ? y.rows : y.cols);
        low_in(low, y.ref);
        for (int i = 0; i < count; i++)
            low_in(low, part[at + i].ref);
        y = lower_last(x, &y.v);
        at += count;
    }
    return y;
}

struct paste {
    const struct ir_tensor *from;
    float *to;
    int64_t r0, c0, cols, all_cols;
};

static void paste_element(void *ctx, int64_t i, int64_t address)
{
    const struct paste *p = ctx;

    p->to[(p->r0 + i / p->cols) * p->all_cols + p->c0 + i % p->cols] =
        (float)ir_at(p->from, address);
}

/* y + the constant parts where they belong and zeros elsewhere. */
static struct val plus_constants(struct lowering *x, const struct ir_node *n, struct val y,
                                 const struct order *o)
{
    struct shape s = {2, {y.rows, y.cols}};
    struct view v = view_dense(&s);
    int64_t at = 0;
    struct low_node *low;
    struct ref w;
    void *data;
    int t = ir_constant(x->g, arena_printf(x->g->a, "%s.constant", x->name), ELEM_FLOAT, &s, &data);

    for (int i = 0; i < n->n_in; i++) {
        struct val a = lower_in(x, n, i);
        struct view p = view_permute(&a.v, o->perm);
        int64_t cols = 1, rows;

        for (int k = o->rank - o->n_cols; k < o->rank; k++)
            cols *= p.dim[k];
        rows = view_elements(&p) / cols;
        if (a.kind == VAL_CONST)
            view_each(&p, paste_element,
                      &(struct paste){&x->g->tensor[a.tensor], data, o->by_cols ? 0 : at,
                                      o->by_cols ? at : 0, cols, y.cols});
        at += o->by_cols ? cols : rows;
    }
    w = low_weight_new(x->l, x->g->tensor[t].name, y.rows == 1, y.rows, y.cols, y.cols, t, &v);
    low = low_new(x->l, x->name, "add", y.rows, y.cols);
    low_int(low, "rows", y.rows);
    low_int(low, "cols", y.cols);
    low_int(low, "brows", y.rows);
    low_int(low, "bcols", y.cols);
    low_choice(low, "b", y.rows == 1 ? "vector" : "weight");
    low_in(low, y.ref);
    low_in(low, w);
    return lower_last(x, &y.v);
}

/* The computed input with the most elements: its layout becomes that of all. */
static struct val leader(struct lowering *x, const struct ir_node *n)
{
    struct val best = {0};

    for (int i = 0; i < n->n_in; i++) {
        struct val a = lower_in(x, n, i);

        if (a.kind == VAL_STORED &&
            (best.kind != VAL_STORED || view_elements(&a.v) > view_elements(&best.v)))
            best = a;
    }
    if (best.kind != VAL_STORED)
        lower_give_up(x, "its inputs are constant, and too large to be folded");
    return best;
}

void lower_concat(struct lowering *x, const struct ir_node *n)
{
    const struct shape *s = &x->g->tensor[n->out[0]].shape;
    int axis = shape_axis(s, ir_int(n, "axis", 0)), n_parts = 0;
    struct val first = leader(x, n), y;
    struct order o = order_of(x, &first, axis);
    struct part *part = NEWS(x->g->a, n->n_in, struct part);
    struct val *whole = NEWS(x->g->a, n->n_in, struct val);
    int64_t waiting = 0;
    bool constants = false;
    struct shape stored = {.rank = s->rank};
    struct view v;

    for (int i = 0; i < n->n_in; i++) {
        struct val a = lower_in(x, n, i);
        int64_t size = 1;

        a = lower_permuted(&a, o.perm);
        if (a.kind == VAL_STORED) {
            a = lower_ordered(x, lower_solid(x, a), o.n_cols);
            part[n_parts++] = (struct part){a, waiting, 0};
            waiting = 0;
            continue;
        }
        for (int k = o.by_cols ? o.rank - o.n_cols : 0;
             k < (o.by_cols ? o.rank : o.rank - o.n_cols); k++)
            size *= a.v.dim[k];
        constants = true;
        *(n_parts ? &part[n_parts - 1].behind : &waiting) += size;
    }
    for (int i = 0; i < n_parts; i++)
        whole[i] = with_zeros(x, &part[i], o.by_cols);
    y = joined(x, whole, n_parts, o.by_cols);
    if (constants)
        y = plus_constants(x, n, y, &o);
    for (int i = 0; i < o.rank; i++)
        stored.dim[i] = s->dim[o.perm[i]];
    v = view_dense(&stored);
    y.v = view_permute(&v, o.back);
    x->val[n->out[0]] = y;
}

/* ---- pad ---- */

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
    if (m.h == 0 && !two_sides(a->rows, &m.h, &m.w))
        lower_give_up(x, "too many rows");
    if (m.h * m.w != a->rows || m.h > MAX_SIDE || m.w > MAX_SIDE)
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
    struct val a = lower_in(x, n, 0);
    int64_t begin[VIEW_MAX], end[VIEW_MAX];
    bool more = false;

    if (a.kind != VAL_STORED)
        lower_give_up(x, "its input is constant");
    a = lower_solid(x, a);
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

        a = lower_permuted(&a, channels_last);
        a = lower_ordered(x, a, 1);
        a = pad_axes(x, a, b, e);
        a = lower_permuted(&a, channels_first);
    } else if (more) {
        a = pad_axes(x, a, begin, end);
    }
    x->val[n->out[0]] = a;
}

/* ---- maps ---- */

static struct val map_in(struct lowering *x, const struct ir_node *n)
{
    struct val a = lower_in(x, n, 0);

    if (a.kind != VAL_STORED)
        lower_give_up(x, "its input is constant");
    if (a.v.rank != 4)
        lower_give_up(x, "want a feature map, four axes");
    a = lower_permuted(&a, channels_last);
    return lower_ordered(x, lower_solid(x, a), 1);
}

static void map_out(struct lowering *x, const struct ir_node *n)
{
    const struct shape *s = &x->g->tensor[n->out[0]].shape;
    struct shape stored = {4, {s->dim[0], s->dim[2], s->dim[3], s->dim[1]}};
    struct view v = view_dense(&stored);

    v = view_permute(&v, channels_first);
    lower_out(x, n, &v);
}

static bool whole_times(int64_t out, int64_t in)
{
    return out % in == 0;
}

void lower_resize(struct lowering *x, const struct ir_node *n)
{
    const struct shape *s = &x->g->tensor[n->out[0]].shape;
    const char *mode = ir_string(n, "mode", "nearest");
    const char *coord = ir_string(n, "coordinate_transformation_mode", "half_pixel");
    const char *round = ir_string(n, "nearest_mode", "round_prefer_floor");
    bool nearest = strcmp(mode, "nearest") == 0;
    struct val a = map_in(x, n);
    int64_t h = a.v.dim[1], w = a.v.dim[2], c = a.v.dim[3];
    struct low_node *low;

    if (a.v.dim[0] != 1 || s->dim[1] != c)
        lower_give_up(x, "want one feature map with its channels kept");
    if (ir_int(n, "antialias", 0) || (!nearest && strcmp(mode, "linear") != 0))
        lower_give_up(x, "want mode nearest, or linear without antialias");
    if (strcmp(coord, "pytorch_half_pixel") == 0 && s->dim[2] > 1 && s->dim[3] > 1)
        coord = "half_pixel";
    if (nearest && whole_times(s->dim[2], h) && whole_times(s->dim[3], w) &&
        strcmp(coord, "align_corners") != 0 && strcmp(round, "ceil") != 0 &&
        !(strcmp(round, "floor") == 0 && strcmp(coord, "half_pixel") == 0))
        coord = "asymmetric"; /* each pixel becomes a block, however that is put */
    else if (nearest && !(strcmp(coord, "asymmetric") == 0 && strcmp(round, "floor") == 0) &&
             !(strcmp(coord, "asymmetric") != 0 && strcmp(round, "round_prefer_floor") == 0))
        lower_give_up(x, "nearest_mode %s with %s coordinates", round, coord);
    if (strcmp(coord, "half_pixel") != 0 && strcmp(coord, "align_corners") != 0 &&
        strcmp(coord, "asymmetric") != 0)
        lower_give_up(x, "%s coordinates", coord);
    low = low_new(x->l, x->name, "resize", s->dim[2] * s->dim[3], c);
    low_int(low, "h", h);
    low_int(low, "w", w);
    low_int(low, "c", c);
    low_int(low, "oh", s->dim[2]);
    low_int(low, "ow", s->dim[3]);
    low_choice(low, "kind", nearest ? "nearest" : "bilinear");
    low_choice(low, "coord", coord);
    low_in(low, a.ref);
    map_out(x, n);
}

/* Rows of zeros below each of several maps, so that the height is a multiple of the stride. */
static struct val evened(struct lowering *x, struct val a, int64_t stride)
{
    int64_t more = (stride - a.v.dim[1] % stride) % stride, w = a.v.dim[2];
    struct shape s = {4, {a.v.dim[0], a.v.dim[1] + more, w, a.v.dim[3]}};
    struct low_node *low;
    struct view v = view_dense(&s);

    if (more == 0)
        return a;
    low = low_new(x->l, arena_printf(x->g->a, "%s.pad", x->name), "pad", s.dim[0] * s.dim[1] * w,
                  a.cols);
    low_int(low, "h", a.v.dim[0]);
    low_int(low, "w", a.v.dim[1] * w);
    low_int(low, "c", a.cols);
    low_int(low, "right", more * w);
    low_in(low, a.ref);
    return lower_last(x, &v);
}

/* Several maps below each other are one tall map if windows neither overlap nor cross from map to
 * map. */
void lower_pool(struct lowering *x, const struct ir_node *n)
{
    const struct ir_attr *kernel = ir_int_list(n, "kernel_shape");
    struct val a = map_in(x, n);
    int64_t maps = a.v.dim[0], h = a.v.dim[1], c = a.v.dim[3], made;
    int64_t in[2] = {h, a.v.dim[2]};
    struct window w;
    struct shape stored;
    struct low_node *low;
    struct view v;

    infer_window(x->g, n, in, 2, kernel->ints, &w);
    made = w.out[0];
    if (w.begin[0] != w.begin[1] || w.stride[0] != w.stride[1] || w.dil[0] * w.dil[1] != 1 ||
        w.out[0] != (h + 2 * w.begin[0] - w.kernel[0]) / w.stride[0] + 1 ||
        w.out[1] != (in[1] + 2 * w.begin[0] - w.kernel[1]) / w.stride[0] + 1)
        lower_give_up(x, "want the same stride and padding on all sides");
    if (maps > 1 && (w.kernel[0] != w.stride[0] || w.begin[0] != 0))
        lower_give_up(x, "want one feature map, a batch of 1");
    if (n->n_out > 1 && n->out[1] >= 0)
        lower_give_up(x, "want no output but the first");
    if (maps > 1) {
        a = evened(x, a, w.stride[0]);
        h = a.v.dim[1];
        made = h / w.stride[0];
    }
    low = low_new(x->l, x->name, "pool2d", maps * made * w.out[1], c);
    low_int(low, "h", maps * h);
    low_int(low, "w", in[1]);
    low_int(low, "c", c);
    low_choice(low, "kind", ir_is(n, "MaxPool") ? "max" : "avg");
    low_int(low, "r", w.kernel[0]);
    low_int(low, "s", w.kernel[1]);
    low_int(low, "stride", w.stride[0]);
    low_int(low, "pad", w.begin[0]);
    if (ir_is(n, "AveragePool") && ir_int(n, "count_include_pad", 0))
        low_int(low, "count_pad", 1);
    low_in(low, a.ref);
    stored = (struct shape){4, {maps, made, w.out[1], c}};
    v = view_dense(&stored);
    v.dim[1] = w.out[0]; /* rows made of zeros are not looked at */
    v = view_permute(&v, channels_first);
    lower_out(x, n, &v);
}
