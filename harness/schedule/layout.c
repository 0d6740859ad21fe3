#include "harness/schedule/layout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness/schedule/placement.h"

/* How outputs stand inside each other. */
struct nest {
    const struct model *m;
    int *whole;       /* [n_layers]: the concat that the output is part of; -1: none */
    uint64_t *offset; /* [n_layers]: bytes from the beginning of that one */
    bool *in_place;
};

static const struct tensor_desc *out_desc(const struct model *m, int l)
{
    return &m->layer[l].io.slot[m->layer[l].io.n - 1].desc;
}

static uint64_t row_bytes(const struct tensor_desc *d)
{
    return (uint64_t)tensor_texel_cols(d) * 4 * dtype_bytes(d->dtype);
}

static bool side_by_side(const struct op_case *c)
{
    return strcmp(c->op->name, "concat") == 0 && op_param_get(c, "axis") == 1;
}

/* Could output `l` be written as texels [at, ...) of each row of `whole`? */
static bool fits_in(const struct nest *n, int l, int whole, int64_t at)
{
    const struct tensor_desc *d = out_desc(n->m, l);

    return l < whole && n->whole[l] < 0 && !tensor_folded(d) &&
           (!d->inner || d->inner == d->cols) && at % 4 == 0;
}

/* Takes the parts of a concat into it, if all of them can be. */
static void take_parts(struct nest *n, int whole)
{
    const struct layer *y = &n->m->layer[whole];
    int64_t at = 0;

    for (int i = 0; i < y->io.n - 1; i++) {
        if (y->source[i].kind != SOURCE_LAYER || !fits_in(n, y->source[i].index, whole, at))
            return;
        for (int k = 0; k < i; k++)
            if (y->source[k].index == y->source[i].index)
                return;
        at += y->io.slot[i].desc.cols;
    }
    at = 0;
    for (int i = 0; i < y->io.n - 1; i++) {
        int l = y->source[i].index;

        n->whole[l] = whole;
        n->offset[l] = (uint64_t)at * dtype_bytes(n->m->dtype);
        at += y->io.slot[i].desc.cols;
    }
    n->in_place[whole] = true;
}

/* The output that holds output l, itself included. */
static int root_of(const struct nest *n, int l, uint64_t *ret_offset)
{
    *ret_offset = 0;
    for (; n->whole[l] >= 0; l = n->whole[l])
        *ret_offset += n->offset[l];
    return l;
}

/* Outputs live from their layer through the last that reads them, wholes as long as their parts. */
static void stay_outputs(const struct nest *n, enum mem_path path, struct stay *s)
{
    const struct model *m = n->m;

    for (int l = 0; l < m->n_layers; l++)
        s[l] =
            (struct stay){.bytes = n->whole[l] < 0 ? tensor_device_bytes(out_desc(m, l), path) : 0,
                          .from = l + 1,
                          .to = l + 1};
    for (int l = 0; l < m->n_layers; l++) {
        uint64_t offset;
        struct stay *r = &s[root_of(n, l, &offset)];

        r->from = l + 1 < r->from ? l + 1 : r->from;
        r->to = m->layer[l].last_use + 1 > r->to ? m->layer[l].last_use + 1 : r->to;
    }
}

/* Inputs and the index vector are there from the beginning. */
static void stay_inputs(const struct model *m, enum mem_path path, struct stay *s)
{
    for (int i = 0; i < m->n_inputs; i++)
        s[i] = (struct stay){.bytes = tensor_device_bytes(&m->input[i].desc, path)};
    for (int i = 0; i < m->n_inputs; i++) /* the longest is iota's length */
        if (m->input[i].desc.dtype == DTYPE_I32 && s[i].bytes > s[m->n_inputs].bytes)
            s[m->n_inputs] = (struct stay){.bytes = s[i].bytes, .to = m->n_layers};
    for (int l = 0; l < m->n_layers; l++)
        for (int i = 0; i < m->layer[l].io.n - 1; i++)
            if (m->layer[l].source[i].kind == SOURCE_INPUT)
                s[m->layer[l].source[i].index].to = l + 1;
}

static int fill(const struct nest *n, enum mem_path path, struct stay *s, uint64_t *at,
                struct layout *y)
{
    const struct model *m = n->m;

    stay_outputs(n, path, s);
    stay_inputs(m, path, s + m->n_layers);
    y->bytes = place_stays(s, m->n_layers + m->n_inputs + 1, at);
    for (int l = 0; l < m->n_layers; l++) {
        uint64_t offset;
        int root = root_of(n, l, &offset);

        y->out[l] = at[root] + offset;
        y->pitch[l] = root == l ? 0 : row_bytes(out_desc(m, root));
        y->in_place[l] = n->in_place[l];
    }
    memcpy(y->input, at + m->n_layers, (size_t)m->n_inputs * sizeof(*at));
    y->iota = at[m->n_layers + m->n_inputs];
    return place_last_stays(s, m->n_layers + m->n_inputs + 1, at, y->bytes, &y->spare);
}

int layout_make(const struct model *m, enum mem_path path, struct layout *ret_y, struct err *err)
{
    size_t nl = (size_t)m->n_layers + 1, all = nl + (size_t)m->n_inputs + 1;
    struct layout y = {.out = calloc(nl, sizeof(*y.out)),
                       .pitch = calloc(nl, sizeof(*y.pitch)),
                       .in_place = calloc(nl, sizeof(*y.in_place)),
                       .input = calloc((size_t)m->n_inputs + 1, sizeof(*y.input))};
    struct nest n = {.m = m,
                     .whole = calloc(nl, sizeof(*n.whole)),
                     .offset = calloc(nl, sizeof(*n.offset)),
                     .in_place = calloc(nl, sizeof(*n.in_place))};
    struct stay *s = calloc(all, sizeof(*s));
    uint64_t *at = calloc(all, sizeof(*at));
    int rc = -ENOMEM;

    if (y.out && y.pitch && y.in_place && y.input && n.whole && n.offset && n.in_place && s && at) {
        for (int l = 0; l < m->n_layers; l++)
            n.whole[l] = -1;
        for (int l = m->n_layers - 1; l >= 0 && path == PATH_IMAGE; l--)
            if (side_by_side(&m->layer[l].c))
                take_parts(&n, l);
        rc = fill(&n, path, s, at, &y);
    }
    if (rc == 0) {
        *ret_y = y;
    } else {
        err_set(err, rc, "out of memory for the layout of %d layers", m->n_layers);
        layout_done(&y);
    }
    free(n.whole);
    free(n.offset);
    free(n.in_place);
    free(s);
    free(at);
    return rc;
}

void layout_done(struct layout *y)
{
    free(y->out);
    free(y->pitch);
    free(y->in_place);
    free(y->input);
    free(y->spare.s);
    *y = (struct layout){0};
}
