#include "harness/import/lower/low.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 110 }; /* a graph file allows 127; some are left for a number */

struct low_node *low_new(struct low *l, const char *name, const char *op, int64_t rows,
                         int64_t cols)
{
    l->node = arena_grow(l->a, l->node, (size_t)l->n_nodes, sizeof(*l->node));
    l->node[l->n_nodes] = (struct low_node){.name = name, .op = op, .rows = rows, .cols = cols};
    return &l->node[l->n_nodes++];
}

static struct low_param *param(struct low_node *n, const char *key)
{
    for (int i = 0; i < n->n_params; i++)
        if (strcmp(n->param[i].key, key) == 0)
            return &n->param[i];
    assert(n->n_params < LOW_MAX_PARAMS);
    n->param[n->n_params].key = key;
    return &n->param[n->n_params++];
}

void low_int(struct low_node *n, const char *key, int64_t value)
{
    *param(n, key) = (struct low_param){key, value, NULL};
}

void low_choice(struct low_node *n, const char *key, const char *text)
{
    *param(n, key) = (struct low_param){key, 0, text};
}

void low_in(struct low_node *n, struct ref r)
{
    assert(n->n_in < LOW_MAX_IN);
    n->in[n->n_in++] = r;
}

int64_t low_get(const struct low_node *n, const char *key, int64_t def)
{
    for (int i = 0; i < n->n_params; i++)
        if (strcmp(n->param[i].key, key) == 0)
            return n->param[i].value;
    return def;
}

const char *low_get_text(const struct low_node *n, const char *key, const char *def)
{
    for (int i = 0; i < n->n_params; i++)
        if (strcmp(n->param[i].key, key) == 0)
            return n->param[i].text;
    return def;
}

bool low_is(const struct low_node *n, const char *op)
{
    return strcmp(n->op, op) == 0;
}

/* ---- weights ---- */

struct ref low_weight_new(struct low *l, const char *name, bool vector, int64_t rows, int64_t cols,
                          int64_t inner, int tensor, const struct view *v)
{
    assert(view_elements(v) == rows * cols);
    l->weight = arena_grow(l->a, l->weight, (size_t)l->n_weights, sizeof(*l->weight));
    l->weight[l->n_weights] =
        (struct low_weight){name, vector, rows, cols, inner, tensor, *v, NULL};
    return (struct ref){REF_WEIGHT, l->n_weights++};
}

/* The view cut into what row `row` and the `rows - 1` behind it hold would need axes that end at
 * rows; an odometer set to the first element does without. */
static int64_t address_of(const struct view *v, int64_t element, int64_t *ret_at)
{
    int64_t address = v->offset;

    for (int d = v->rank - 1; d >= 0; d--) {
        ret_at[d] = element % v->dim[d];
        element /= v->dim[d];
        address += ret_at[d] * v->stride[d];
    }
    return address;
}

/* n elements from `first` on, along the last axis in one go. */
static void run_values(const struct ir_tensor *t, const struct view *v, int64_t first, int64_t n,
                       float *to)
{
    int64_t at[VIEW_MAX], address = address_of(v, first, at);
    int last = v->rank - 1;

    for (int64_t i = 0; i < n;) {
        int64_t run = last < 0 ? 1 : v->dim[last] - at[last];
        int64_t stride = last < 0 ? 0 : v->stride[last];

        run = run < n - i ? run : n - i;
        if (t->raw == RAW_F32 && stride == 1)
            memcpy(to + i, (const char *)t->data + 4 * (size_t)address, 4 * (size_t)run);
        else if (t->raw == RAW_F32)
            for (int64_t k = 0; k < run; k++)
                memcpy(to + i + k, (const char *)t->data + 4 * (size_t)(address + k * stride), 4);
        else
            for (int64_t k = 0; k < run; k++)
                to[i + k] = (float)ir_at(t, address + k * stride);
        i += run;
        address = i < n ? address_of(v, first + i, at) : 0;
    }
}

/* A matrix that lies transposed is read along its own rows: each page once a slice. */
static bool transposed_values(const struct ir_tensor *t, const struct view *v, int64_t row,
                              int64_t rows, int64_t cols, float *to)
{
    const float *from;

    if (v->rank != 2 || v->dim[1] != cols || v->stride[0] != 1 || t->raw != RAW_F32 ||
        (uintptr_t)t->data % sizeof(float))
        return false;
    from = (const float *)t->data + v->offset;
    for (int64_t c = 0; c < cols; c++)
        for (int64_t r = 0; r < rows; r++)
            to[r * cols + c] = from[c * v->stride[1] + row + r];
    return true;
}

void low_weight_values(const struct low *l, int weight, int64_t row, int64_t rows, float *ret_v)
{
    const struct low_weight *w = &l->weight[weight];
    const struct ir_tensor *t = &l->g->tensor[w->tensor];
    struct view v = view_simple(&w->v);

    if (!transposed_values(t, &v, row, rows, w->cols, ret_v))
        run_values(t, &v, row * w->cols, rows * w->cols, ret_v);
    for (int64_t i = 0; w->scale && i < rows * w->cols; i++)
        ret_v[i] *= w->scale[row + i / w->cols];
}

/* ---- uses ---- */

static bool same_ref(struct ref a, struct ref b)
{
    return a.kind == b.kind && a.index == b.index;
}

int low_uses(const struct low *l, struct ref r)
{
    int uses = same_ref(l->output, r);

    for (int i = 0; i < l->n_nodes; i++)
        for (int j = 0; j < l->node[i].n_in && !l->node[i].dead; j++)
            uses += same_ref(l->node[i].in[j], r);
    return uses;
}

int low_live(const struct low *l)
{
    int n = 0;

    for (int i = 0; i < l->n_nodes; i++)
        n += !l->node[i].dead;
    return n;
}

/* ---- names ---- */

struct names {
    struct arena *a;
    void *tree;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Letters, digits and . _ : / - only, not too long, not "__..." */
static char *clean(struct arena *a, const char *name)
{
    size_t n = strlen(name), cut = n > NAME_MAX_BYTES ? n - NAME_MAX_BYTES : 0;
    char *text;

    name += cut; /* what tells names apart stands at their end */
    while (*name == '/' || *name == '_' || *name == '.')
        name++;
    text = arena_text(a, *name ? name : "x", *name ? strlen(name) : 1);
    for (char *p = text; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("._:/-", *p))
            *p = '_';
    return text;
}

static const char *unique(struct names *names, const char *wanted)
{
    char *name = clean(names->a, wanted), *first = name;

    for (int i = 2; tfind(name, &names->tree, by_text); i++)
        name = arena_printf(names->a, "%s.%d", first, i);
    if (!tsearch(name, &names->tree, by_text))
        arena_fail(names->a, -ENOMEM, "out of memory");
    return name;
}

static void keep(void *node)
{
    (void)node; /* of the arena */
}

/* ---- leaving ---- */

static void sweep_nodes(struct low *l, bool *weight_used, bool *input_used)
{
    bool *used = NEWS(l->a, l->n_nodes + 1, bool);

    if (l->output.kind == REF_NODE)
        used[l->output.index] = true;
    for (int i = l->n_nodes - 1; i >= 0; i--) {
        struct low_node *n = &l->node[i];

        n->dead = n->dead || !used[i];
        for (int j = 0; j < n->n_in && !n->dead; j++)
            (n->in[j].kind == REF_NODE    ? used
             : n->in[j].kind == REF_INPUT ? input_used
                                          : weight_used)[n->in[j].index] = true;
    }
}

static int compact(int n, const bool *used, int *ret_new)
{
    int at = 0;

    for (int i = 0; i < n; i++)
        ret_new[i] = used[i] ? at++ : -1;
    return at;
}

static bool same_weight(const struct low_weight *a, const struct low_weight *b)
{
    struct view x = view_simple(&a->v), y = view_simple(&b->v);

    return a->tensor == b->tensor && a->rows == b->rows && a->cols == b->cols &&
           a->inner == b->inner && a->vector == b->vector && a->scale == b->scale &&
           memcmp(&x, &y, sizeof(x)) == 0;
}

/* Weights that are read twice are stored once. */
static void share_weights(struct low *l)
{
    int *first = NEWS(l->a, l->g->n_tensors + 1, int), *next = NEWS(l->a, l->n_weights + 1, int);
    int *same = NEWS(l->a, l->n_weights + 1, int);

    for (int i = 0; i < l->n_weights; i++) { /* lists by constant; 0 ends them */
        same[i] = i;
        for (int j = first[l->weight[i].tensor]; j > 0 && same[i] == i; j = next[j - 1])
            if (same_weight(&l->weight[j - 1], &l->weight[i]))
                same[i] = j - 1;
        next[i] = first[l->weight[i].tensor];
        first[l->weight[i].tensor] = i + 1;
    }
    for (int i = 0; i < l->n_nodes; i++)
        for (int j = 0; j < l->node[i].n_in; j++)
            if (l->node[i].in[j].kind == REF_WEIGHT)
                l->node[i].in[j].index = same[l->node[i].in[j].index];
}

static void renumber(struct low *l, const bool *weight_used, const bool *input_used)
{
    int *node = NEWS(l->a, l->n_nodes + 1, int), *weight = NEWS(l->a, l->n_weights + 1, int);
    int *input = NEWS(l->a, l->n_inputs + 1, int);
    bool *live = NEWS(l->a, l->n_nodes + 1, bool);

    for (int i = 0; i < l->n_nodes; i++)
        live[i] = !l->node[i].dead;
    for (int i = 0, n = compact(l->n_weights, weight_used, weight); i < l->n_weights; i++)
        if (weight[i] >= 0 && n)
            l->weight[weight[i]] = l->weight[i];
    for (int i = 0, n = compact(l->n_inputs, input_used, input); i < l->n_inputs; i++)
        if (input[i] >= 0 && n)
            l->input[input[i]] = l->input[i];
    compact(l->n_nodes, live, node);
    for (int i = 0; i < l->n_nodes; i++) {
        if (node[i] < 0)
            continue;
        for (int j = 0; j < l->node[i].n_in; j++) {
            struct ref *r = &l->node[i].in[j];

            r->index = (r->kind == REF_NODE    ? node
                        : r->kind == REF_INPUT ? input
                                               : weight)[r->index];
        }
        l->node[node[i]] = l->node[i];
    }
    if (l->output.kind == REF_NODE)
        l->output.index = node[l->output.index];
    l->n_nodes = compact(l->n_nodes, live, node);
    l->n_weights = compact(l->n_weights, weight_used, weight);
    l->n_inputs = compact(l->n_inputs, input_used, input);
}

void low_finish(struct low *l)
{
    struct names names = {l->a, NULL};
    bool *weight_used, *input_used;

    share_weights(l);
    weight_used = NEWS(l->a, l->n_weights + 1, bool);
    input_used = NEWS(l->a, l->n_inputs + 1, bool);
    sweep_nodes(l, weight_used, input_used);
    renumber(l, weight_used, input_used);
    for (int i = 0; i < l->n_inputs; i++) {
        struct ir_tensor *t = &l->g->tensor[l->input[i].tensor];

        t->name = unique(&names, t->name);
    }
    for (int i = 0; i < l->n_nodes; i++)
        l->node[i].name = unique(&names, l->node[i].name);
    for (int i = 0; i < l->n_weights; i++)
        l->weight[i].name = unique(&names, l->weight[i].name);
    tdestroy(names.tree, keep);
}
