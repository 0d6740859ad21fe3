#include "harness/sweep/spec.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/sweep/spec_internal.h"

static const char *const required[] = {"op", NULL};
static const char *const optional[] = {"model", "max_macs",    "shape",    "dtype",  "path",
                                       "kernel", "form",       "tile",     "order",  "lws",
                                       "ratios", "loads",      "target",   "max_repeats",
                                       "max_time", NULL};

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

/* Keep the first of equal keys, for shards of a spec must not see one twice; a later '+' still
 * counts. */
static int drop_repeats(struct spec_growing *out, struct err *err)
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
    struct spec_growing out = {0};
    struct spec_row *row = NULL;
    struct csv csv;
    char *name = NULL;
    int rc;

    rc = csv_read(path, "flashmem-sweep", 1, required, optional, &csv, err);
    if (rc == -ENOENT)
        err_set(err, rc, "no sweep spec '%s': want a CSV such as datasets/sweeps/quick.csv", path);
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
        rc = spec_row_read(row, err);
        if (rc == 0)
            rc = spec_expand(row, &out, err);
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
