#include "harness/sweep/spec.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/sweep/cases.h"
#include "harness/sweep/cell.h"
#include "harness/text/csv.h"
#include "harness/text/units.h"

#define RATIO_MAX 4096.0

static const char *const required[] = {"op", NULL};
static const char *const optional[] = {"model", "max_macs",    "shape",    "dtype",  "path",
                                       "kernel", "form",       "tile",     "order",  "lws",
                                       "ratios", "loads",      "target",   "max_repeats",
                                       "max_time", NULL};

struct ratios {
    int n;
    double r[CELL_VALUES];
    bool extend;
};

/* One row of the spec while it is expanded; on the heap, for an axis is 8 KiB. */
struct row {
    const struct csv *csv;
    int index;
    const struct device_info *dev;
    struct axis model, op, dtype, path, kernel, form, order, lws;
    struct axes shape, tile;
    double max_macs; /* of a case of a model; 0: no limit */
    bool tile_all;
    struct ratios ratios;
    int loads;
    struct sweep_config base; /* what all configurations of the row have in common, so far */
};

/* Configurations as they come, with their keys: shards of a spec must not see one twice. */
struct growing {
    int n, room;
    struct sweep_config *config;
};

void sweep_key(const struct sweep_config *g, bool hot, char key[SWEEP_KEY_MAX])
{
    char c[OP_TEXT_MAX], v[OP_TEXT_MAX];

    op_case_print(&g->c, c);
    op_variant_print(&g->c, &g->v, v);
    snprintf(key, SWEEP_KEY_MAX, "%s|%s|load=%" PRIu64 "|cache=%s", c, v, g->load_bytes,
             hot ? "hot" : "flushed");
}

void sweep_config_load(struct sweep_config *g, double ratio)
{
    uint64_t texel = 4 * dtype_bytes(g->c.dtype);
    double texels = nearbyint(ratio * (double)op_input_bytes(&g->c) / (double)texel);

    g->ratio = ratio;
    g->load_bytes = ratio > 0 ? (uint64_t)fmax(texels, 1.0) * texel : 0;
}

/* ---- cells of one row ---- */

static int axis_of(struct row *row, const char *column, struct axis *ret, struct err *err)
{
    int rc = cell_values(csv_get(row->csv, row->index, column), ret, err);

    return rc < 0 ? err_prefix(err, "%s", column) : 0;
}

static bool is_star(const struct axis *a)
{
    return a->n == 1 && strcmp(a->value[0], "*") == 0;
}

static int parse_ratios(struct row *row, struct err *err)
{
    char text[512];
    const char *cell = csv_get(row->csv, row->index, "ratios");
    struct axis a = {.n = 0};
    size_t n = strlen(cell);
    int rc;

    if (n >= sizeof(text))
        return err_set(err, -EINVAL, "ratios: want at most %zu characters", sizeof(text) - 1);
    memcpy(text, cell, n + 1);
    while (n > 0 && text[n - 1] == ' ')
        text[--n] = '\0';
    row->ratios.extend = n > 0 && text[n - 1] == '+';
    if (row->ratios.extend)
        text[n - 1] = '\0';
    rc = cell_values(n > 0 ? text : "0", &a, err);
    for (int i = 0; i < a.n && rc == 0; i++) {
        double *r = &row->ratios.r[i];

        rc = parse_real(a.value[i], 0, RATIO_MAX, r, err);
        if (rc == 0 && i > 0 && r[0] <= r[-1])
            rc = err_set(err, -EINVAL, "'%s' is not above the one before it", a.value[i]);
    }
    if (rc == 0 && row->ratios.extend && (a.n == 0 || row->ratios.r[a.n - 1] <= 0))
        rc = err_set(err, -EINVAL, "'+' wants a ratio above 0 before it");
    row->ratios.n = a.n;
    return rc < 0 ? err_prefix(err, "ratios") : 0;
}

static int parse_limits(struct row *row, struct err *err)
{
    const char *text;
    int64_t n = 1;
    int rc = 0;

    text = csv_get(row->csv, row->index, "loads");
    if (*text)
        rc = parse_int(text, 1, OP_MAX_LOADS, &n, err);
    if (rc < 0)
        return err_prefix(err, "loads");
    row->loads = (int)n;
    text = csv_get(row->csv, row->index, "target");
    if (*text)
        rc = parse_real(text, 1e-6, 1, &row->base.target, err);
    if (rc < 0)
        return err_prefix(err, "target");
    n = 0;
    text = csv_get(row->csv, row->index, "max_repeats");
    if (*text)
        rc = parse_int(text, 1, 1000000, &n, err);
    if (rc < 0)
        return err_prefix(err, "max_repeats");
    row->base.max_repeats = (int)n;
    text = csv_get(row->csv, row->index, "max_time");
    if (*text)
        rc = parse_time_ns(text, &row->base.max_time_ns, err);
    return rc < 0 ? err_prefix(err, "max_time") : 0;
}

/* Which cases: of an operator by their shapes, or of models. */
static int parse_cases(struct row *row, struct err *err)
{
    const char *macs = csv_get(row->csv, row->index, "max_macs");
    int rc = axis_of(row, "model", &row->model, err);

    if (rc == 0)
        rc = cell_axes(csv_get(row->csv, row->index, "shape"), &row->shape, err);
    if (rc < 0)
        return err_prefix(err, "shape");
    if (row->model.n == 0 && !*row->op.value[0])
        return err_set(err, -EINVAL, "op: want the name of an operator, or a model beside it");
    if (row->model.n > 0 && row->shape.n > 0)
        return err_set(err, -EINVAL, "shape: a model has its own: want it empty");
    if (row->model.n == 0 && *macs)
        return err_set(err, -EINVAL, "max_macs: is for rows that name a model");
    if (*macs)
        rc = parse_real(macs, 1, 1e15, &row->max_macs, err);
    return rc < 0 ? err_prefix(err, "max_macs") : 0;
}

static int parse_row(struct row *row, struct err *err)
{
    static const struct {
        const char *column;
        size_t offset;
        const char *def;
    } plain[] = {
        {"op", offsetof(struct row, op), ""},
        {"dtype", offsetof(struct row, dtype), "f32"},
        {"path", offsetof(struct row, path), "image"},
        {"kernel", offsetof(struct row, kernel), ""},
        {"form", offsetof(struct row, form), ""},
        {"order", offsetof(struct row, order), ""},
        {"lws", offsetof(struct row, lws), ""},
    };
    const char *tile = csv_get(row->csv, row->index, "tile");
    int rc;

    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        struct axis *a = (struct axis *)(void *)((char *)row + plain[i].offset);

        rc = axis_of(row, plain[i].column, a, err);
        if (rc < 0)
            return rc;
        if (a->n == 0) /* one value, which says "by default" where it is empty */
            snprintf(a->value[a->n++], CELL_TEXT, "%s", plain[i].def);
    }
    rc = parse_cases(row, err);
    if (rc < 0)
        return rc;
    row->tile_all = strcmp(tile, "*") == 0;
    if (!row->tile_all)
        rc = cell_axes(tile, &row->tile, err);
    if (rc < 0)
        return err_prefix(err, "tile");
    rc = parse_ratios(row, err);
    return rc < 0 ? rc : parse_limits(row, err);
}

/* ---- expansion, one axis after the other ---- */

static int push(struct growing *out, const struct sweep_config *g, struct err *err)
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

static int expand_ratios(struct row *row, enum op_form form, struct growing *out, struct err *err)
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
static int expand_form(struct row *row, const char *name, struct growing *out, struct err *err)
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
static int expand_forms(struct row *row, struct growing *out, struct err *err)
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

static int expand_lws(struct row *row, struct growing *out, struct err *err)
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
static int tile_axes(struct row *row, struct axes *ret, struct err *err)
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
static int expand_tiles(struct row *row, struct growing *out, struct err *err)
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

static int expand_kernels(struct row *row, struct growing *out, struct err *err)
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

static int expand_paths(struct row *row, struct growing *out, struct err *err)
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

static int expand_shapes(struct row *row, const char *op, enum dtype dtype, struct growing *out,
                         struct err *err)
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

static int expand_models(struct row *row, enum dtype dtype, struct growing *out, struct err *err)
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

static int expand_ops(struct row *row, enum dtype dtype, struct growing *out, struct err *err)
{
    int rc = 0;

    for (int i = 0; i < row->op.n && rc == 0; i++) {
        if (!op_find(row->op.value[i]))
            return err_set(err, -EINVAL, "op: no operator '%s'", row->op.value[i]);
        rc = expand_shapes(row, row->op.value[i], dtype, out, err);
    }
    return rc;
}

static int expand_row(struct row *row, struct growing *out, struct err *err)
{
    int rc = parse_row(row, err);

    for (int i = 0; i < row->dtype.n && rc == 0; i++) {
        int dtype = dtype_parse(row->dtype.value[i]);

        if (dtype != DTYPE_F32 && dtype != DTYPE_F16)
            return err_set(err, -EINVAL, "dtype: want f32 or f16, got '%s'", row->dtype.value[i]);
        rc = row->model.n > 0 ? expand_models(row, (enum dtype)dtype, out, err)
                              : expand_ops(row, (enum dtype)dtype, out, err);
    }
    return rc;
}

/* ---- the whole file ---- */

struct keyed {
    char *key;
    int index;
};

static int keyed_compare(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    int c = strcmp(x->key, y->key);

    return c ? c : x->index - y->index;
}

/* Keep the first of equal keys; a later '+' still counts. */
static int drop_repeats(struct growing *out, struct err *err)
{
    struct keyed *list = calloc((size_t)out->n + 1, sizeof(*list));
    bool *drop = calloc((size_t)out->n + 1, sizeof(*drop));
    int rc = 0, kept = 0, made = 0;

    if (!list || !drop)
        rc = err_set(err, -ENOMEM, "out of memory");
    for (; rc == 0 && made < out->n; made++) {
        char key[SWEEP_KEY_MAX];

        sweep_key(&out->config[made], false, key);
        list[made] = (struct keyed){strdup(key), made};
        if (!list[made].key)
            rc = err_set(err, -ENOMEM, "out of memory");
    }
    if (rc == 0) {
        qsort(list, (size_t)out->n, sizeof(*list), keyed_compare);
        for (int i = 1, first = 0; i < out->n; i++) {
            if (strcmp(list[first].key, list[i].key) != 0) {
                first = i;
                continue;
            }
            drop[list[i].index] = true;
            if (out->config[list[i].index].extend)
                out->config[list[first].index].extend = true;
        }
        for (int i = 0; i < out->n; i++)
            if (!drop[i])
                out->config[kept++] = out->config[i];
        out->n = kept;
    }
    for (int i = 0; list && i < made; i++)
        free(list[i].key);
    free(list);
    free(drop);
    return rc;
}

int spec_read(const char *path, const struct device_info *dev, struct spec *ret_spec,
              struct err *err)
{
    struct growing out = {0};
    struct row *row = NULL;
    struct csv csv;
    char *name = NULL;
    int rc;

    rc = csv_read(path, "flashmem-sweep", 1, required, optional, &csv, err);
    if (rc < 0)
        return rc;
    row = malloc(sizeof(*row));
    name = strdup(path);
    if (!row || !name)
        rc = err_set(err, -ENOMEM, "out of memory");
    for (int i = 0; i < csv.n_rows && rc == 0; i++) {
        memset(row, 0, sizeof(*row));
        row->csv = &csv;
        row->index = i;
        row->dev = dev;
        row->base.line = csv.row[i].line;
        rc = expand_row(row, &out, err);
        if (rc < 0)
            err_prefix(err, "%s:%d", path, csv.row[i].line);
    }
    if (rc == 0)
        rc = drop_repeats(&out, err);
    if (rc == 0 && out.n == 0)
        rc = err_set(err, -EINVAL, "%s: no rows: nothing to sweep", path);
    if (rc == 0 && out.n > SPEC_MAX)
        rc = err_set(err, -E2BIG, "%s: %d configurations: want at most %d", path, out.n, SPEC_MAX);
    if (rc == 0) {
        *ret_spec = (struct spec){.path = name, .n = out.n, .config = out.config};
        name = NULL;
        out.config = NULL;
    }
    free(out.config);
    free(name);
    free(row);
    csv_done(&csv);
    return rc;
}

void spec_done(struct spec *spec)
{
    free(spec->config);
    free(spec->path);
    *spec = (struct spec){0};
}
