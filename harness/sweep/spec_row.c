/* harness/sweep/spec_row.c - the cells of one row of a spec: see spec_internal.h. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "harness/sweep/spec_internal.h"
#include "harness/text/units.h"

#define RATIO_MAX 4096.0

static int axis_of(struct spec_row *row, const char *column, struct axis *ret, struct err *err)
{
    int rc = cell_values(csv_get(row->csv, row->index, column), ret, err);

    return rc < 0 ? err_prefix(err, "%s", column) : 0;
}

static int parse_ratios(struct spec_row *row, struct err *err)
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

static int parse_limits(struct spec_row *row, struct err *err)
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
static int parse_cases(struct spec_row *row, struct err *err)
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

int spec_row_read(struct spec_row *row, struct err *err)
{
    static const struct {
        const char *column;
        size_t offset;
        const char *def;
    } plain[] = {
        {"op", offsetof(struct spec_row, op), ""},
        {"dtype", offsetof(struct spec_row, dtype), "f32"},
        {"path", offsetof(struct spec_row, path), "image"},
        {"kernel", offsetof(struct spec_row, kernel), ""},
        {"form", offsetof(struct spec_row, form), ""},
        {"order", offsetof(struct spec_row, order), ""},
        {"lws", offsetof(struct spec_row, lws), ""},
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
