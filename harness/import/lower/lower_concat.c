/* harness/import/lower/lower_concat.c - matrices beside or below each other. */
#include "harness/import/lower/lower.h"

/* What operator "concat" takes. */
enum { MAX_PARTS = 4 };

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

static struct val with_zeros(struct lowering *x, const struct part *p, bool by_cols)
{
    struct val a = p->a;
    int64_t more = p->before + p->behind, h = a.rows, w = 1;
    struct low_node *low;

    if (more == 0)
        return a;
    if ((by_cols && !lower_sides(a.rows, &h, &w)) || (!by_cols && a.rows > LOWER_MAX_SIDE))
        lower_give_up(x, "too many rows");
    low = low_new(x->l, lower_name(x, "pad"), "pad",
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
    struct ref w;
    void *data;
    int t = ir_constant(x->g, lower_name(x, "constant"), ELEM_FLOAT, &s, &data);

    for (int i = 0; i < n->n_in; i++) {
        struct val a = lower_in(x, n, i);
        struct view p = view_permute(&a.v, o->perm);
        int64_t cols = 1, rows;

        if (view_elements(&p) == 0)
            continue;
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
    lower_pair(x, "add", &y, w, y.rows, y.cols);
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
        constants = constants || view_elements(&a.v) > 0;
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
