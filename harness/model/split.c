#include "harness/model/split.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool has(const struct op_case *c, const char *name)
{
    int i = op_param_index(c->op, name);

    return i >= 0 && c->p[i] != 0;
}

/* The parameter that is taken off; NULL: none. A bias of many heads is no plain sum. */
static const char *last_step(const struct op_case *c)
{
    if (has(c, "act"))
        return "act";
    if (has(c, "res"))
        return "res";
    if (has(c, "bias") && (op_param_index(c->op, "batch") < 0 || op_param_get(c, "batch") == 1))
        return "bias";
    return NULL;
}

bool model_can_split(const struct model *m, int layer)
{
    return last_step(&m->layer[layer].c) != NULL;
}

/* ---- the two parts ---- */

/* `from` without its last step, reading what it read but for the slot of that step. */
static struct layer first_part(const struct layer *from, const char *step)
{
    struct layer l = *from;
    int gone = op_slot_index(&from->io, step), at = 0;

    l.c.p[op_param_index(l.c.op, step)] = 0;
    l.c.op->io(&l.c, &l.io);
    for (int i = 0; i + 1 < from->io.n; i++)
        if (i != gone)
            l.source[at++] = from->source[i];
    return l;
}

/* The step as a case: "relu", "gelu", or a sum. */
static int second_case(const struct layer *from, const char *step, struct op_case *ret_c,
                       struct err *err)
{
    const struct tensor_desc *y = &from->io.slot[from->io.n - 1].desc;
    const char *op = "add";
    char params[160];

    if (strcmp(step, "act") == 0) {
        int i = op_param_index(from->c.op, "act");
        const char *act = from->c.op->params[i].choices[from->c.p[i]];
        bool by_tanh = strcmp(act, "gelu_tanh") == 0;

        op = by_tanh ? "gelu" : act;
        snprintf(params, sizeof(params), "rows=%" PRId64 ",cols=%" PRId64 "%s", y->rows, y->cols,
                 by_tanh ? ",approx=tanh" : "");
    } else {
        bool bias = strcmp(step, "bias") == 0;

        snprintf(params, sizeof(params),
                 "rows=%" PRId64 ",cols=%" PRId64 ",brows=%" PRId64 ",bcols=%" PRId64 ",b=%s",
                 y->rows, y->cols, bias ? 1 : y->rows, y->cols, bias ? "vector" : "input");
    }
    return op_case_make(op, from->c.dtype, params, ret_c, err);
}

static int second_part(const struct layer *from, int layer, const char *step, struct layer *ret_l,
                       struct err *err)
{
    struct layer l = {.last_use = from->last_use};
    int read = op_slot_index(&from->io, step), rc = second_case(from, step, &l.c, err);

    if (rc < 0)
        return rc;
    l.c.op->io(&l.c, &l.io);
    l.source[0] = (struct source){SOURCE_LAYER, layer};
    if (read >= 0)
        l.source[1] = from->source[read];
    *ret_l = l;
    return 0;
}

int model_split_cases(const struct layer *l, struct op_case ret_c[2], struct err *err)
{
    const char *step = last_step(&l->c);
    struct op_case second;
    int rc;

    if (!step)
        return err_set(err, -EINVAL, "layer '%s' is not fused", l->name);
    rc = second_case(l, step, &second, err);
    if (rc < 0)
        return rc;
    ret_c[0] = first_part(l, step).c;
    ret_c[1] = second;
    return 0;
}

/* ---- the model around them ---- */

static bool name_taken(const struct model *m, const char *name)
{
    for (int i = 0; i < m->n_layers; i++)
        if (m->layer[i].name && strcmp(m->layer[i].name, name) == 0)
            return true;
    return false;
}

static char *unfused_name(const struct model *m, const char *name)
{
    char text[256];

    snprintf(text, sizeof(text), "%s.unfused", name);
    for (int i = 2; name_taken(m, text); i++)
        snprintf(text, sizeof(text), "%s.unfused.%d", name, i);
    return strdup(text);
}

/* Index of a layer when one more stands behind `layer`; what read `layer` reads the new one. */
static int moved(int index, int layer)
{
    return index >= layer ? index + 1 : index;
}

/* All but the layers' own contents. NULL: out of memory. */
static struct model *copy_model(const struct model *m)
{
    struct model *to = calloc(1, sizeof(*to));
    bool good = to != NULL;

    if (!to)
        return NULL;
    *to = *m;
    to->n_inputs = to->n_layers = to->n_weights = 0; /* so that model_free() frees what is there */
    to->name = strdup(m->name);
    to->path = m->path ? strdup(m->path) : NULL;
    to->input = calloc((size_t)m->n_inputs + 1, sizeof(*to->input));
    to->layer = calloc((size_t)m->n_layers + 2, sizeof(*to->layer));
    to->weight = calloc((size_t)m->n_weights + 1, sizeof(*to->weight));
    good = to->name && (to->path || !m->path) && to->input && to->layer && to->weight;
    for (int i = 0; i < m->n_inputs && good; i++) {
        to->input[to->n_inputs] = m->input[i];
        good = (to->input[to->n_inputs++].name = strdup(m->input[i].name)) != NULL;
    }
    for (int i = 0; i < m->n_weights && good; i++) {
        to->weight[to->n_weights] = m->weight[i];
        good = (to->weight[to->n_weights++].name = strdup(m->weight[i].name)) != NULL;
    }
    if (good)
        return to;
    model_free(to);
    return NULL;
}

void model_find_uses(struct model *m)
{
    for (int i = 0; i < m->n_weights; i++)
        m->weight[i].first = m->weight[i].last = -1;
    for (int i = 0; i < m->n_layers; i++)
        m->layer[i].last_use = i == m->n_layers - 1 ? m->n_layers : -1;
    for (int i = 0; i < m->n_layers; i++)
        for (int s = 0; s + 1 < m->layer[i].io.n; s++) {
            const struct source *from = &m->layer[i].source[s];
            struct weight *w = from->kind == SOURCE_WEIGHT ? &m->weight[from->index] : NULL;

            if (from->kind == SOURCE_LAYER)
                m->layer[from->index].last_use = i;
            if (w) {
                w->first = w->first < 0 ? i : w->first;
                w->last = i;
            }
        }
}

/* Indices of layers in sources, last uses and weights, once layers are in place. */
static void renumber(struct model *m, int layer)
{
    for (int i = 0; i < m->n_layers; i++) {
        struct layer *l = &m->layer[i];

        for (int s = 0; s + 1 < l->io.n; s++)
            if (l->source[s].kind == SOURCE_LAYER && i > layer + 1)
                l->source[s].index = moved(l->source[s].index, layer);
    }
    model_find_uses(m);
}

int model_split(const struct model *m, int layer, struct model **ret_m, struct err *err)
{
    const struct layer *from = &m->layer[layer];
    const char *step = last_step(&from->c);
    struct layer second;
    struct model *to;
    int rc;

    if (!step)
        return err_set(err, -EINVAL, "layer '%s' is not fused", from->name);
    rc = second_part(from, layer, step, &second, err);
    if (rc < 0)
        return rc;
    to = copy_model(m);
    if (!to)
        return err_set(err, -ENOMEM, "out of memory for '%s'", m->name);
    for (int i = 0; i <= m->n_layers; i++) {
        struct layer *l = &to->layer[i];

        *l = i == layer       ? first_part(from, step)
             : i == layer + 1 ? second
                              : m->layer[i > layer ? i - 1 : i];
        l->name = i == layer       ? unfused_name(m, from->name)
                  : i == layer + 1 ? strdup(from->name)
                                   : strdup(l->name);
        to->n_layers++;
        if (!l->name) {
            model_free(to);
            return err_set(err, -ENOMEM, "out of memory for '%s'", m->name);
        }
    }
    renumber(to, layer);
    *ret_m = to;
    return 0;
}
