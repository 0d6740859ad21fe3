/* harness/sweep/spec_expand.c - the configurations of one row of a spec, one axis after the other:
 * see spec_internal.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/sweep/cases.h"
#include "harness/sweep/spec_internal.h"

static int push(struct spec_growing *out, const struct sweep_config *g, struct err *err)
{
    if (out->n == out->room) {
        int room = out->room ? 2 * out->room : 256;
        struct sweep_config *more = realloc(out->config, (size_t)room * sizeof(*more));

        if (!more)
            return err_set(err, -ENOMEM, "out of memory");
        out->config = more;
        out->room = room;
    }
    /* Products overlap (every form shares ratio 0), so twice the limit before keys are compared. */
    if (out->n >= 2 * SPEC_MAX)
        return err_set(err, -E2BIG, "more than %d configurations in one spec", SPEC_MAX);
    out->config[out->n++] = *g;
    return 0;
}

static const struct op_kernel *kernel_of(const struct sweep_config *g)
{
    return &g->c.op->kernels[g->v.kernel];
}

static int expand_ratios(struct spec_row *row, enum op_form form, struct spec_growing *out,
                         struct err *err)
{
    for (int i = 0; i < row->ratios.n; i++) {
        struct sweep_config g = row->base;
        int rc;

        sweep_config_load(&g, row->ratios.r[i]);
        if ((g.ratio > 0) != (form != FORM_NAIVE))
            continue;
        g.v.form = form;
        g.v.n_loads = g.ratio > 0 ? row->loads : 0;
        g.extend = row->ratios.extend && i == row->ratios.n - 1;
        rc = push(out, &g, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* One name of the form column: "" is pipelined, "*" every form that the kernel has. */
static int expand_form(struct spec_row *row, const char *name, struct spec_growing *out,
                       struct err *err)
{
    const struct op_kernel *k = kernel_of(&row->base);
    bool all = strcmp(name, "*") == 0;
    int one = *name ? op_form_parse(name) : FORM_PIPELINED, rc = 0;

    if (!all && one < 0)
        return err_set(err, -EINVAL, "form: want naive, branching, pipelined or copy, got '%s'",
                       name);
    if (!all && !op_has_form(k, (enum op_form)one) && row->model.n > 0)
        return 0; /* a model's operators are many: what this one cannot is left out */
    if (!all && !op_has_form(k, (enum op_form)one))
        return err_set(err, -EINVAL, "form: kernel '%s' of '%s' has no form '%s'", k->name,
                       row->base.c.op->name, op_form_name((enum op_form)one));
    for (int f = FORM_BRANCHING; f < OP_FORMS && rc == 0; f++)
        if (all ? op_has_form(k, (enum op_form)f) : f == one)
            rc = expand_ratios(row, (enum op_form)f, out, err);
    return rc;
}

/* Ratio 0 is the naive form, whatever is listed; the others need a form that carries a load. */
static int expand_forms(struct spec_row *row, struct spec_growing *out, struct err *err)
{
    bool loaded = row->ratios.r[row->ratios.n - 1] > 0;
    int rc = expand_ratios(row, FORM_NAIVE, out, err), before = out->n;

    for (int i = 0; i < row->form.n && rc == 0 && loaded; i++)
        rc = expand_form(row, row->form.value[i], out, err);
    if (rc == 0 && loaded && out->n == before && row->model.n == 0)
        rc = err_set(err, -EINVAL,
                     "form: kernel '%s' of '%s' carries no load in the forms listed: "
                     "want ratio 0 only",
                     kernel_of(&row->base)->name, row->base.c.op->name);
    return rc;
}

static int expand_lws(struct spec_row *row, struct spec_growing *out, struct err *err)
{
    int def[2] = {row->base.v.lws[0], row->base.v.lws[1]};
    int rc = 0;

    for (int i = 0; i < row->lws.n && rc == 0; i++) {
        const char *text = row->lws.value[i];
        int *lws = row->base.v.lws, end = 0;

        lws[0] = def[0], lws[1] = def[1];
        if (strcmp(text, "auto") == 0)
            lws[0] = lws[1] = 0;
        else if (*text && (sscanf(text, "%4dx%4d%n", &lws[0], &lws[1], &end) != 2 || text[end] ||
                           lws[0] < 1 || lws[1] < 1))
            return err_set(err, -EINVAL, "lws: want 8x8 or auto, got '%s'", text);
        rc = expand_forms(row, out, err);
    }
    return rc;
}

static bool is_star(const struct axis *a)
{
    return a->n == 1 && strcmp(a->value[0], "*") == 0;
}

static void axis_all(struct axis *a, const struct op_tunable *t)
{
    snprintf(a->name, sizeof(a->name), "%s", t->name);
    for (a->n = 0; a->n < 8 && t->values[a->n]; a->n++)
        snprintf(a->value[a->n], CELL_TEXT, "%d", t->values[a->n]);
}

static const struct op_tunable *tunable_find(const struct op_kernel *k, const char *name)
{
    for (int i = 0; i < OP_MAX_TUNABLES && k->tunables[i].name; i++)
        if (strcmp(k->tunables[i].name, name) == 0)
            return &k->tunables[i];
    return NULL;
}

static int axes_add(struct axes *axes, const struct axis *from, const char *name,
                    const struct op_tunable *t, struct err *err)
{
    struct axis *a = &axes->axis[axes->n];

    if (is_star(from) && !t)
        return 0; /* nothing declared, nothing to enumerate */
    if (axes->n == CELL_AXES)
        return err_set(err, -EINVAL, "tile: more than %d names", CELL_AXES);
    *a = *from;
    snprintf(a->name, sizeof(a->name), "%s", name);
    if (is_star(from))
        axis_all(a, t);
    if (a->n > 0)
        axes->n++;
    return 0;
}

/* Which tunables vary, and over what, for the kernel in row->base. */
static int tile_axes(struct spec_row *row, struct axes *ret, struct err *err)
{
    static const struct axis star = {.n = 1, .value = {"*"}};
    const struct op_kernel *k = kernel_of(&row->base);
    int rc = 0;

    for (int i = 0; row->tile_all && i < OP_MAX_TUNABLES && k->tunables[i].name && rc == 0; i++)
        if (strcmp(k->tunables[i].name, "ORDER") != 0)
            rc = axes_add(ret, &star, k->tunables[i].name, &k->tunables[i], err);
    for (int i = 0; i < row->tile.n && rc == 0; i++) {
        const struct axis *a = &row->tile.axis[i];

        if (!tunable_find(k, a->name) && row->model.n > 0)
            continue;
        if (!tunable_find(k, a->name))
            return err_set(err, -EINVAL, "tile: kernel '%s' of '%s' has no tunable '%s'", k->name,
                           row->base.c.op->name, a->name);
        rc = axes_add(ret, a, a->name, tunable_find(k, a->name), err);
    }
    if (rc == 0 && *row->order.value[0])
        rc = axes_add(ret, &row->order, "ORDER", tunable_find(k, "ORDER"), err);
    return rc;
}

/* Everything but form, loads and local size goes through the one parser of variants. */
static int expand_tiles(struct spec_row *row, struct spec_growing *out, struct err *err)
{
    struct axes *axes = calloc(1, sizeof(*axes));
    int at[CELL_AXES] = {0}, rc;

    if (!axes)
        return err_set(err, -ENOMEM, "out of memory");
    rc = tile_axes(row, axes, err);
    if (rc < 0)
        goto out;
    do {
        char text[OP_TEXT_MAX * 4];
        int n = snprintf(text, sizeof(text), "%s,%s", mem_path_name(row->base.v.path),
                         kernel_of(&row->base)->name);

        for (int i = 0; i < axes->n; i++)
            n += snprintf(text + n, sizeof(text) - (size_t)n, ",%s=%s", axes->axis[i].name,
                          axes->axis[i].value[at[i]]);
        rc = op_variant_parse(&row->base.c, row->dev, text, &row->base.v, err);
        if (rc == 0)
            rc = expand_lws(row, out, err);
    } while (rc == 0 && axes_next(axes, at));
out:
    free(axes);
    return rc;
}

static int expand_kernels(struct spec_row *row, struct spec_growing *out, struct err *err)
{
    const struct op *op = row->base.c.op;
    enum mem_path path = row->base.v.path;
    int rc = 0;

    for (int i = 0; i < row->kernel.n && rc == 0; i++) {
        const char *name = row->kernel.value[i];
        bool found = false;

        op_variant_default(&row->base.c, row->dev, path, &row->base.v);
        if (!*name) {
            rc = expand_tiles(row, out, err);
            continue;
        }
        for (int k = 0; k < OP_MAX_KERNELS && op->kernels[k].name && rc == 0; k++) {
            if (strcmp(name, "*") != 0 && strcmp(name, op->kernels[k].name) != 0)
                continue;
            found = true;
            row->base.v = (struct op_variant){.path = path, .kernel = k};
            rc = expand_tiles(row, out, err);
        }
        if (!found)
            return err_set(err, -EINVAL, "kernel: '%s' has no kernel '%s'", op->name, name);
    }
    return rc;
}

static int expand_paths(struct spec_row *row, struct spec_growing *out, struct err *err)
{
    int rc = 0;

    for (int i = 0; i < row->path.n && rc == 0; i++) {
        int path = mem_path_parse(row->path.value[i]);

        if (path < 0)
            return err_set(err, -EINVAL, "path: want image or buffer, got '%s'",
                           row->path.value[i]);
        row->base.v = (struct op_variant){.path = (enum mem_path)path};
        rc = expand_kernels(row, out, err);
    }
    return rc;
}

/* "@rows" is whatever rows is at the moment: parameters that go together. NULL: no such name. */
static const char *shape_value(const struct axes *shape, const int *at, int i)
{
    const char *value = shape->axis[i].value[at[i]];

    if (value[0] != '@')
        return value;
    for (int j = 0; j < shape->n; j++)
        if (strcmp(shape->axis[j].name, value + 1) == 0 && shape->axis[j].value[at[j]][0] != '@')
            return shape->axis[j].value[at[j]];
    return NULL;
}

static int expand_shapes(struct spec_row *row, const char *op, enum dtype dtype,
                         struct spec_growing *out, struct err *err)
{
    int at[CELL_AXES] = {0}, rc;

    do {
        char text[CELL_AXES * 2 * CELL_TEXT];
        int n = 0;

        text[0] = '\0';
        for (int i = 0; i < row->shape.n; i++) {
            const struct axis *a = &row->shape.axis[i];
            const char *value = shape_value(&row->shape, at, i);

            if (!value)
                return err_set(err, -EINVAL, "shape: '%s' names no parameter with a value",
                               a->value[at[i]]);
            n += snprintf(text + n, sizeof(text) - (size_t)n, "%s%s=%s", i ? "," : "", a->name,
                          value);
        }
        rc = op_case_make(op, dtype, text, &row->base.c, err);
        if (rc == 0)
            rc = expand_paths(row, out, err);
    } while (rc == 0 && axes_next(&row->shape, at));
    return rc;
}

static int expand_models(struct spec_row *row, enum dtype dtype, struct spec_growing *out,
                         struct err *err)
{
    struct cases cases;
    int rc = cases_of_models(&row->model, &row->op, row->max_macs, dtype, &cases, err);

    if (rc < 0)
        return rc;
    for (int i = 0; i < cases.n && rc == 0; i++) {
        row->base.c = cases.c[i];
        rc = expand_paths(row, out, err);
    }
    cases_done(&cases);
    return rc;
}

static int expand_ops(struct spec_row *row, enum dtype dtype, struct spec_growing *out,
                      struct err *err)
{
    int rc = 0;

    for (int i = 0; i < row->op.n && rc == 0; i++) {
        if (!op_find(row->op.value[i])) {
            op_unknown(row->op.value[i], err);
            return err_prefix(err, "op");
        }
        rc = expand_shapes(row, row->op.value[i], dtype, out, err);
    }
    return rc;
}

int spec_expand(struct spec_row *row, struct spec_growing *out, struct err *err)
{
    int rc = 0;

    for (int i = 0; i < row->dtype.n && rc == 0; i++) {
        int dtype = dtype_parse(row->dtype.value[i]);

        if (dtype != DTYPE_F32 && dtype != DTYPE_F16)
            return err_set(err, -EINVAL, "dtype: want f32 or f16, got '%s'", row->dtype.value[i]);
        rc = row->model.n > 0 ? expand_models(row, (enum dtype)dtype, out, err)
                              : expand_ops(row, (enum dtype)dtype, out, err);
    }
    return rc;
}
