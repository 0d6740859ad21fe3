#include "harness/import/lower/fuse.h"

#include <float.h>
#include <math.h>
#include <string.h>

static bool is_product(const struct low_node *n)
{
    return low_is(n, "matmul") || low_is(n, "conv2d") || low_is(n, "deconv2d");
}

static bool is_bare(const struct low_node *n)
{
    return strcmp(low_get_text(n, "act", "none"), "none") == 0 && !low_get(n, "res", 0);
}

static bool has_weight(const struct low_node *n)
{
    return !low_is(n, "matmul") ||
           (strcmp(low_get_text(n, "b", "weight"), "weight") == 0 && low_get(n, "batch", 1) == 1);
}

/* The live node behind input `slot` if nobody else reads it; NULL. */
static struct low_node *only_source(struct low *l, const struct low_node *n, int slot)
{
    struct ref r = n->in[slot];

    if (r.kind != REF_NODE || l->node[r.index].dead || low_uses(l, r) != 1)
        return NULL;
    return &l->node[r.index];
}

/* Node n becomes what `was` is, under its own name and with its own readers. */
static void take_over(struct low_node *n, struct low_node *was)
{
    const char *name = n->name;

    *n = *was;
    n->name = name;
    was->dead = true;
}

/* ---- constants ---- */

/* The constant b of add, mul and the like as a vector of `cols`; false if it is none. */
static bool constant_vector(const struct low *l, const struct low_node *n, int slot, int64_t cols,
                            float *ret_v)
{
    const struct low_weight *w;

    if (slot >= n->n_in || n->in[slot].kind != REF_WEIGHT)
        return false;
    w = &l->weight[n->in[slot].index];
    if (w->rows != 1 || (w->cols != 1 && w->cols != cols))
        return false;
    low_weight_values(l, n->in[slot].index, 0, 1, ret_v);
    for (int64_t i = 1; i < cols && w->cols == 1; i++)
        ret_v[i] = ret_v[0];
    return true;
}

static struct ref new_vector(struct low *l, const char *name, int64_t n, float **ret_data)
{
    struct shape s = {1, {n}};
    struct view v = view_dense(&s);
    void *data;
    int t = ir_constant(l->g, name, ELEM_FLOAT, &s, &data);

    *ret_data = data;
    return low_weight_new(l, name, true, 1, n, n, t, &v);
}

/* What a node with constants does to each column: y = x * times + plus. False: something else. */
static bool affine_of(struct low *l, const struct low_node *n, float *times, float *plus)
{
    bool swap = low_get(n, "swap", 0) != 0;

    if (strcmp(low_get_text(n, "act", "none"), "none") != 0)
        return false;
    for (int64_t i = 0; i < n->cols; i++) {
        times[i] = 1;
        plus[i] = 0;
    }
    if (low_is(n, "affine"))
        return constant_vector(l, n, 1, n->cols, times) && constant_vector(l, n, 2, n->cols, plus);
    if (low_is(n, "add"))
        return constant_vector(l, n, 1, n->cols, plus);
    if (low_is(n, "mul"))
        return constant_vector(l, n, 1, n->cols, times);
    if (low_is(n, "sub") && constant_vector(l, n, 1, n->cols, plus)) {
        for (int64_t i = 0; i < n->cols; i++) {
            times[i] = swap ? -1 : 1;
            plus[i] = swap ? plus[i] : -plus[i];
        }
        return true;
    }
    if (low_is(n, "div") && !swap && constant_vector(l, n, 1, n->cols, times)) {
        for (int64_t i = 0; i < n->cols; i++)
            times[i] = 1 / times[i];
        return true;
    }
    return false;
}

static bool all(const float *v, int64_t n, float x)
{
    for (int64_t i = 0; i < n; i++)
        if (v[i] != x)
            return false;
    return true;
}

static int bias_slot(const struct low_node *n)
{
    return low_get(n, "bias", 0) ? 2 : -1;
}

/* (a b + bias) * times + plus: rows of the weight are columns of the result. */
static void into_product(struct low *l, int index, struct low_node *p, const float *times,
                         const float *plus)
{
    int64_t n = p->cols;
    float *bias = NEWS(l->a, n, float), *out;
    int slot = bias_slot(p);
    struct low_weight *w;
    struct low_node *node;

    if (slot >= 0)
        constant_vector(l, p, slot, n, bias);
    if (!all(times, n, 1)) {
        int copy = low_weight_new(l, "", false, 1, 1, 1, 0, &(struct view){0}).index;
        float *scale = NEWS(l->a, n, float);

        w = &l->weight[copy];
        *w = l->weight[p->in[1].index];
        for (int64_t i = 0; i < n; i++)
            scale[i] = (w->scale ? w->scale[i] : 1) * times[i];
        w->scale = scale;
        p->in[1].index = copy;
    }
    if (slot >= 0 || !all(plus, n, 0)) {
        const char *name = arena_printf(l->a, "%s.bias", l->node[index].name);
        struct ref r;

        if (slot >= 0 && all(times, n, 1) && all(plus, n, 0)) {
            r = p->in[slot];
        } else if (slot < 0 && l->node[index].n_in == 2 && low_is(&l->node[index], "add") &&
                   l->weight[l->node[index].in[1].index].cols == n) {
            r = l->node[index].in[1]; /* as it is in the file, with its name */
        } else {
            r = new_vector(l, name, n, &out);
            for (int64_t i = 0; i < n; i++)
                out[i] = bias[i] * times[i] + plus[i];
        }
        low_int(p, "bias", 1);
        if (slot < 0)
            low_in(p, r);
        else
            p->in[slot] = r;
    }
    node = &l->node[index];
    take_over(node, p);
}

/* add(add(x, c), d) with constants of one shape. Two masks of the lowest float stay finite. */
static void into_sum(struct low *l, int index, struct low_node *first)
{
    struct low_node *n = &l->node[index];
    const struct low_weight *a = &l->weight[first->in[1].index];
    const struct low_weight *b = &l->weight[n->in[1].index];
    struct shape s = {2, {a->rows, a->cols}};
    struct view v = view_dense(&s);
    int64_t count = a->rows * a->cols;
    const char *name = b->name;
    bool vector = a->vector;
    float *more = NEWS(l->a, count, float);
    void *data;
    int t = ir_constant(l->g, name, ELEM_FLOAT, &s, &data);

    low_weight_values(l, first->in[1].index, 0, s.dim[0], data);
    low_weight_values(l, n->in[1].index, 0, s.dim[0], more);
    for (int64_t i = 0; i < count; i++)
        ((float *)data)[i] = fmaxf(fminf(((float *)data)[i] + more[i], FLT_MAX), -FLT_MAX);
    first->in[1] = low_weight_new(l, name, vector, s.dim[0], s.dim[1], s.dim[1], t, &v);
    take_over(n, first);
}

static bool same_constants(const struct low *l, const struct low_node *a, const struct low_node *b)
{
    const struct low_weight *x, *y;

    if (!low_is(a, "add") || !low_is(b, "add") || a->in[1].kind != REF_WEIGHT ||
        b->in[1].kind != REF_WEIGHT || !is_bare(a) || !is_bare(b))
        return false;
    x = &l->weight[a->in[1].index];
    y = &l->weight[b->in[1].index];
    return x->rows == y->rows && x->cols == y->cols && x->vector == y->vector;
}

/* n multiplies the result of p by 1 / sqrt(k). */
static bool is_usual_scale(struct low *l, const struct low_node *p, const struct low_node *n)
{
    float *times = NEWS(l->a, n->cols, float), *plus = NEWS(l->a, n->cols, float);
    double usual = 1 / sqrt((double)low_get(p, "k", 1));

    return is_bare(p) && !low_get(p, "scaled", 0) && !low_get(p, "bias", 0) &&
           (low_is(n, "mul") || low_is(n, "div")) && affine_of(l, n, times, plus) &&
           all(times, n->cols, times[0]) && fabs((double)times[0] - usual) < 1e-6 * usual;
}

void fuse_bias(struct low *l)
{
    for (int i = 0; i < l->n_nodes; i++) {
        struct low_node *n = &l->node[i], *p;
        float *times, *plus;

        if (n->dead || n->n_in < 2 || n->in[1].kind != REF_WEIGHT || is_product(n))
            continue;
        p = only_source(l, n, 0);
        if (!p)
            continue;
        if (same_constants(l, p, n)) {
            into_sum(l, i, p);
            continue;
        }
        if (low_is(p, "matmul") && !has_weight(p) && is_usual_scale(l, p, n)) {
            take_over(n, p);
            low_int(n, "scaled", 1);
            continue;
        }
        if (!is_product(p) || !is_bare(p) || !has_weight(p) || n->cols != p->cols)
            continue;
        times = NEWS(l->a, n->cols, float);
        plus = NEWS(l->a, n->cols, float);
        if (affine_of(l, n, times, plus))
            into_product(l, i, p, times, plus);
    }
}

/* ---- parts of a weight ---- */

/* Is it a slice of whole rows, side by side columns? */
static bool is_column_slice(const struct low_node *n)
{
    return low_is(n, "slice") && low_get(n, "rn", 0) == low_get(n, "rows", 1) &&
           low_get(n, "cstep", 1) == 1;
}

/* Rows r0 .. r0 + rows of the weight's view; the weight is [n, k] with n as its first axes. */
static bool rows_of(const struct low_weight *w, int64_t r0, int64_t rows, struct view *ret)
{
    struct view v = view_simple(&w->v);
    struct shape s = {2, {w->rows, w->cols}};

    if (v.rank == 0 || v.dim[0] != w->rows) {
        if (!view_reshape(&w->v, &s, &v))
            return false;
    }
    v.offset += r0 * v.stride[0];
    v.dim[0] = rows;
    *ret = v;
    return true;
}

static bool split_one(struct low *l, int index)
{
    struct low_node *n = &l->node[index], part = l->node[n->in[0].index];
    struct low_weight w = l->weight[part.in[1].index];
    int64_t c0 = low_get(n, "c0", 0), cn = n->cols;
    int slot = bias_slot(&part);
    struct view v;

    if (!rows_of(&w, c0, cn, &v))
        return false;
    part.in[1] = low_weight_new(l, arena_printf(l->a, "%s.%lld", w.name, (long long)c0), w.vector,
                                cn, w.cols, w.inner, w.tensor, &v);
    l->weight[part.in[1].index].scale = w.scale ? w.scale + c0 : NULL;
    if (slot >= 0) {
        struct low_weight b = l->weight[part.in[slot].index];

        v = view_simple(&b.v);
        if (v.rank != 1 && b.cols != 1)
            return false;
        v.offset += c0 * (v.rank ? v.stride[0] : 0);
        v.rank = 1;
        v.dim[0] = cn;
        part.in[slot] = low_weight_new(l, arena_printf(l->a, "%s.%lld", b.name, (long long)c0),
                                       true, 1, cn, cn, b.tensor, &v);
    }
    low_int(&part, low_is(&part, "matmul") ? "n" : "cout", cn);
    part.cols = cn;
    n = &l->node[index];
    part.name = n->name;
    *n = part;
    return true;
}

void fuse_split(struct low *l)
{
    for (int i = 0; i < l->n_nodes; i++) {
        const struct low_node *p = &l->node[i];
        bool all_slices = true;
        int slices = 0;

        if (p->dead || !(low_is(p, "matmul") || low_is(p, "conv2d")) || !has_weight(p) ||
            low_get(p, "groups", 1) != 1 || low_get(p, "res", 0))
            continue;
        for (int j = i + 1; j < l->n_nodes && all_slices; j++)
            for (int k = 0; k < l->node[j].n_in && !l->node[j].dead; k++)
                if (l->node[j].in[k].kind == REF_NODE && l->node[j].in[k].index == i) {
                    all_slices = all_slices && is_column_slice(&l->node[j]);
                    slices++;
                }
        if (!all_slices || slices == 0 || l->output.index == i)
            continue;
        for (int j = i + 1; j < l->n_nodes && all_slices; j++)
            if (!l->node[j].dead && is_column_slice(&l->node[j]) &&
                l->node[j].in[0].kind == REF_NODE && l->node[j].in[0].index == i)
                all_slices = split_one(l, j);
        l->node[i].dead = all_slices;
    }
}

/* ---- residual ---- */

static bool takes_residual(const struct low_node *n)
{
    return (low_is(n, "matmul") || low_is(n, "conv2d")) && is_bare(n) && !low_get(n, "scaled", 0) &&
           low_get(n, "batch", 1) == 1;
}

void fuse_residual(struct low *l)
{
    for (int i = 0; i < l->n_nodes; i++) {
        struct low_node *n = &l->node[i], *p = NULL;
        const char *act = low_get_text(n, "act", "none");
        int best = -1;

        if (n->dead || !low_is(n, "add") || n->n_in != 2 || n->in[1].kind == REF_WEIGHT ||
            low_get(n, "brows", 1) != n->rows || low_get(n, "bcols", 1) != n->cols)
            continue;
        for (int k = 0; k < 2; k++) { /* the later one, if both are products */
            struct low_node *source = only_source(l, n, k);

            if (source && takes_residual(source) &&
                (best < 0 || n->in[k].index > n->in[best].index))
                best = k;
        }
        if (best < 0)
            continue;
        p = &l->node[n->in[best].index];
        low_in(p, n->in[1 - best]);
        low_int(p, "res", 1);
        take_over(n, p);
        if (strcmp(act, "none") != 0)
            low_choice(n, "act", act);
    }
}

/* ---- activation ---- */

static const char *activation_of(const struct low_node *n)
{
    if (low_is(n, "gelu"))
        return strcmp(low_get_text(n, "approx", "erf"), "tanh") == 0 ? "gelu_tanh" : "gelu";
    if (low_is(n, "relu") || low_is(n, "silu") || low_is(n, "sigmoid") || low_is(n, "tanh"))
        return n->op;
    return NULL;
}

static bool takes_activation(const struct low_node *n)
{
    static const char *const ops[] = {"add",    "sub",       "mul",    "div",    "max",     "min",
                                      "affine", "groupnorm", "matmul", "conv2d", "deconv2d"};

    if (strcmp(low_get_text(n, "act", "none"), "none") != 0)
        return false;
    for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++)
        if (low_is(n, ops[i]))
            return true;
    return false;
}

void fuse_activation(struct low *l)
{
    for (int i = 0; i < l->n_nodes; i++) {
        struct low_node *n = &l->node[i], *p;
        const char *act = n->dead ? NULL : activation_of(n);

        p = act ? only_source(l, n, 0) : NULL;
        if (!p || !takes_activation(p))
            continue;
        take_over(n, p);
        low_choice(n, "act", act);
    }
}
