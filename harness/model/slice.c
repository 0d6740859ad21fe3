/* A large weight in parts: one layer becomes several that compute some of its columns each, and add
 * as many of a residual, which is cut before them. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/model/split.h"

enum { MOST_PARTS = 16, CONCAT = 4, MOST_LAYERS = 2 * MOST_PARTS + MOST_PARTS / CONCAT + 1 };
enum { FILE_ALIGN = 4096 };

/* What is cut, and where. */
struct cut {
    const struct model *m;
    int layer, weight, bias; /* bias -1: none */
    int res;                 /* slot of a residual; -1: none */
    int columns;             /* index of the parameter that counts them */
    int n;
    int64_t at[MOST_PARTS + 1]; /* part p is columns at[p] .. at[p + 1] - 1 */
};

/* The parameter that counts columns; -1: another operator, or columns that hang together. */
static int columns_of(const struct op_case *c)
{
    if (strcmp(c->op->name, "matmul") == 0)
        return op_param_get(c, "batch") == 1 && op_param_get(c, "tb") && !op_param_get(c, "b") &&
                       (!op_param_get(c, "res") || op_param_get(c, "cheads") <= 1)
                   ? op_param_index(c->op, "n")
                   : -1;
    if (strcmp(c->op->name, "conv2d") == 0)
        return op_param_get(c, "groups") == 1 ? op_param_index(c->op, "cout") : -1;
    return -1;
}

int model_slice_weight(const struct model *m, int layer)
{
    const struct layer *l = &m->layer[layer];
    int w = -1;

    if (columns_of(&l->c) < 0)
        return -1;
    for (int i = 0; i < l->io.n; i++)
        if (l->io.slot[i].role == ROLE_WEIGHT && l->source[i].kind == SOURCE_WEIGHT)
            w = l->source[i].index;
    return w >= 0 && m->weight[w].first == layer && m->weight[w].last == layer &&
                   m->weight[w].desc.rows == l->c.p[columns_of(&l->c)]
               ? w
               : -1;
}

static int64_t gcd(int64_t a, int64_t b)
{
    return b ? gcd(b, a % b) : a;
}

/* Parts begin at whole pages of the file, and at whole blocks of 32 columns, which kernels like. */
static void find_cuts(struct cut *c, uint64_t most_bytes)
{
    const struct tensor_desc *d = &c->m->weight[c->weight].desc;
    int64_t row = (int64_t)(tensor_bytes(d) / (uint64_t)d->rows);
    int64_t step = FILE_ALIGN / gcd(row, FILE_ALIGN), rows, steps;

    step = step / gcd(step, 32) * 32;
    steps = (d->rows + step - 1) / step;
    rows = (int64_t)(most_bytes / (uint64_t)row) / step;
    rows = rows < 1 ? 1 : rows;
    c->n = (int)((steps + rows - 1) / rows < MOST_PARTS ? (steps + rows - 1) / rows : MOST_PARTS);
    for (int p = 0; p < c->n; p++) /* as even as steps allow */
        c->at[p] = steps * p / c->n * step;
    c->at[c->n] = d->rows;
}

/* ---- weights ---- */

static int new_index(const struct cut *c, int w)
{
    int more = c->n - 1;

    return w + (w > c->weight ? more : 0) + (c->bias >= 0 && w > c->bias ? more : 0);
}

/* Part p of weight w, all of it if it is not cut. */
static int cut_weight(const struct cut *c, int w, int p, struct weight *ret_w)
{
    struct weight y = c->m->weight[w];
    bool bias = w == c->bias;
    char name[320];

    snprintf(name, sizeof(name), "%s", y.name);
    if (bias || w == c->weight) {
        int64_t n = c->at[p + 1] - c->at[p];

        snprintf(name, sizeof(name), "%s[%" PRId64 ":%" PRId64 "]", y.name, c->at[p], c->at[p + 1]);
        if (bias) {
            y.desc.cols = n;
            y.vector_texel += c->at[p] / 4;
        } else {
            y.desc.rows = n;
        }
    }
    y.name = strdup(name);
    *ret_w = y;
    return y.name ? 0 : -ENOMEM;
}

static uint64_t cut_offset(const struct cut *c, const struct weights_file *f, int w, int p)
{
    const struct tensor_desc *d = &c->m->weight[w].desc;

    if (w == c->bias)
        return f->offset_bytes[w] + (uint64_t)c->at[p] * dtype_bytes(c->m->dtype);
    if (w == c->weight)
        return f->offset_bytes[w] + (uint64_t)c->at[p] * (tensor_bytes(d) / (uint64_t)d->rows);
    return f->offset_bytes[w];
}

static int cut_weights(const struct cut *c, const struct weights_file *f, struct model *to,
                       uint64_t *offset)
{
    int rc = 0;

    for (int w = 0; w < c->m->n_weights; w++)
        for (int p = 0; p < (w == c->weight || w == c->bias ? c->n : 1) && rc == 0; p++) {
            offset[to->n_weights] = cut_offset(c, f, w, p);
            rc = cut_weight(c, w, p, &to->weight[to->n_weights]);
            if (rc == 0)
                to->n_weights++;
        }
    return rc;
}

/* ---- layers ---- */

/* Layer `from` of the old model in the new one; what read the cut layer reads its concat. */
static struct source moved(const struct cut *c, struct source s, int more)
{
    if (s.kind == SOURCE_WEIGHT)
        s.index = new_index(c, s.index);
    if (s.kind == SOURCE_LAYER && s.index >= c->layer)
        s.index += more;
    return s;
}

static int add_layer(struct model *to, struct layer l, const char *name)
{
    l.name = strdup(name);
    if (!l.name)
        return -ENOMEM;
    l.c.op->io(&l.c, &l.io);
    to->layer[to->n_layers++] = l;
    return 0;
}

/* What part p adds of the residual. */
static int add_residual(const struct cut *c, struct model *to, int p, struct err *err)
{
    const struct layer *from = &c->m->layer[c->layer];
    const struct tensor_desc *d = &from->io.slot[c->res].desc;
    struct layer l = {.source = {moved(c, from->source[c->res], 0)}};
    char params[160], name[320];
    int rc;

    snprintf(params, sizeof(params),
             "rows=%" PRId64 ",cols=%" PRId64 ",r0=0,rn=%" PRId64 ",rstep=1,c0=%" PRId64
             ",cn=%" PRId64 ",cstep=1",
             d->rows, d->cols, d->rows, c->at[p], c->at[p + 1] - c->at[p]);
    snprintf(name, sizeof(name), "%s.res%d", from->name, p + 1);
    rc = op_case_make("slice", c->m->dtype, params, &l.c, err);
    return rc < 0 ? rc : add_layer(to, l, name);
}

/* Residuals come before all parts, in order. */
static int add_part(const struct cut *c, struct model *to, int p)
{
    const struct layer *from = &c->m->layer[c->layer];
    struct layer l = *from;
    char name[320];

    l.c.p[c->columns] = c->at[p + 1] - c->at[p];
    for (int i = 0; i < from->io.n - 1; i++) {
        l.source[i] = moved(c, from->source[i], 0);
        if (from->source[i].kind == SOURCE_WEIGHT &&
            (from->source[i].index == c->weight || from->source[i].index == c->bias))
            l.source[i].index += p;
    }
    if (c->res >= 0) /* c->n layers before this one, whichever it is */
        l.source[c->res] = (struct source){SOURCE_LAYER, to->n_layers - c->n};
    snprintf(name, sizeof(name), "%s.part%d", from->name, p + 1);
    return add_layer(to, l, name);
}

/* Side by side: layers first .. first + n - 1. */
static int add_concat(const struct cut *c, struct model *to, int first, int n, const char *name,
                      struct err *err)
{
    struct layer l = {0};
    char params[256];
    size_t at = 0;
    int rc;

    for (int i = 0; i < n; i++) {
        const struct op_io *io = &to->layer[first + i].io;

        l.source[i] = (struct source){SOURCE_LAYER, first + i};
        if (i == 0)
            at = (size_t)snprintf(params, sizeof(params), "n=%d,axis=cols,other=%" PRId64, n,
                                  io->slot[io->n - 1].desc.rows);
        at += (size_t)snprintf(params + at, sizeof(params) - at, ",size%d=%" PRId64, i,
                               io->slot[io->n - 1].desc.cols);
    }
    rc = op_case_make("concat", c->m->dtype, params, &l.c, err);
    return rc < 0 ? rc : add_layer(to, l, name);
}

/* A concat takes four: up to four of them, and one of those. */
static int add_concats(const struct cut *c, struct model *to, struct err *err)
{
    const char *name = c->m->layer[c->layer].name;
    int first = to->n_layers - c->n, groups = (c->n + CONCAT - 1) / CONCAT, rc = 0;
    char text[320];

    if (groups == 1)
        return add_concat(c, to, first, c->n, name, err);
    for (int g = 0; g < groups && rc == 0; g++) {
        int from = c->n * g / groups, end = c->n * (g + 1) / groups;

        snprintf(text, sizeof(text), "%s.parts%d-%d", name, from + 1, end);
        rc = add_concat(c, to, first + from, end - from, text, err);
    }
    return rc < 0 ? rc : add_concat(c, to, first + c->n, groups, name, err);
}

static int cut_layers(const struct cut *c, struct model *to, int *ret_more, struct err *err)
{
    int rc = 0, more = 0;

    for (int l = 0; l < c->m->n_layers && rc == 0; l++) {
        struct layer y = c->m->layer[l];

        if (l == c->layer) {
            for (int p = 0; p < c->n && c->res >= 0 && rc == 0; p++)
                rc = add_residual(c, to, p, err);
            for (int p = 0; p < c->n && rc == 0; p++)
                rc = add_part(c, to, p);
            if (rc == 0)
                rc = add_concats(c, to, err);
            more = to->n_layers - 1 - l;
            continue;
        }
        for (int i = 0; i < y.io.n - 1; i++)
            y.source[i] = moved(c, y.source[i], more);
        rc = add_layer(to, y, y.name);
    }
    *ret_more = more;
    return rc;
}

/* ---- all ---- */

static struct model *room_for(const struct cut *c)
{
    const struct model *m = c->m;
    struct model *to = calloc(1, sizeof(*to));
    bool good;

    if (!to)
        return NULL;
    *to = *m;
    to->n_inputs = to->n_layers = to->n_weights = 0;
    to->name = strdup(m->name);
    to->path = m->path ? strdup(m->path) : NULL;
    to->input = calloc((size_t)m->n_inputs + 1, sizeof(*to->input));
    to->layer = calloc((size_t)m->n_layers + MOST_LAYERS, sizeof(*to->layer));
    to->weight = calloc((size_t)m->n_weights + 2 * MOST_PARTS, sizeof(*to->weight));
    good = to->name && (to->path || !m->path) && to->input && to->layer && to->weight;
    for (int i = 0; i < m->n_inputs && good; i++) {
        to->input[to->n_inputs] = m->input[i];
        good = (to->input[to->n_inputs++].name = strdup(m->input[i].name)) != NULL;
    }
    if (good)
        return to;
    model_free(to);
    return NULL;
}

int model_slice(struct model **m, struct weights_file *f, int layer, uint64_t most_bytes,
                int *ret_more, struct err *err)
{
    struct cut c = {.m = *m, .layer = layer, .weight = model_slice_weight(*m, layer), .bias = -1,
                    .res = op_slot_index(&(*m)->layer[layer].io, "res")};
    const struct layer *l = &(*m)->layer[layer];
    int slot = op_slot_index(&l->io, "bias"), more = 0, rc = 0;
    struct model *to;
    uint64_t *offset;

    *ret_more = 0;
    if (c.weight < 0)
        return 0;
    c.columns = columns_of(&l->c);
    if (slot >= 0)
        c.bias = l->source[slot].index;
    if (slot >= 0 && (l->source[slot].kind != SOURCE_WEIGHT || c.m->weight[c.bias].first != layer ||
                      c.m->weight[c.bias].last != layer))
        return 0;
    find_cuts(&c, most_bytes);
    if (c.n < 2)
        return 0;
    to = room_for(&c);
    offset = calloc((size_t)c.m->n_weights + 2 * MOST_PARTS, sizeof(*offset));
    if (!to || !offset)
        rc = -ENOMEM;
    if (rc == 0)
        rc = cut_weights(&c, f, to, offset);
    if (rc == 0)
        rc = cut_layers(&c, to, &more, err);
    if (rc < 0) {
        model_free(to);
        free(offset);
        return rc == -ENOMEM ? err_set(err, rc, "out of memory for '%s'", c.m->name) : rc;
    }
    model_find_uses(to);
    model_free(*m);
    free(f->offset_bytes);
    *m = to;
    f->offset_bytes = offset;
    *ret_more = more;
    return 0;
}

int model_slice_all(struct model **m, struct weights_file *f, uint64_t most_bytes, int *ret_sliced,
                    struct err *err)
{
    int n = 0, rc = 0, more;

    for (int l = 0; l < (*m)->n_layers && rc == 0; l += 1 + more) {
        int w = model_slice_weight(*m, l);

        more = 0;
        if (w >= 0 && tensor_bytes(&(*m)->weight[w].desc) > most_bytes)
            rc = model_slice(m, f, l, most_bytes, &more, err);
        n += more > 0;
    }
    *ret_sliced = n;
    return rc;
}
