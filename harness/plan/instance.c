/* Bare instances: one planning problem as a CSV of kind,layer,chunks,time_us,hidden_chunks
 * (datasets/instances/README.md). The frozen files have no version line. */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/plan/plan.h"
#include "harness/text/csv.h"
#include "harness/text/units.h"

#define INSTANCE_TIME_LIMIT_S 1.0
/* What moves beyond the hidden chunks costs: the rate behind the capacities of the loose instances,
 * (threshold * time) / (capacity - hidden). */
#define INSTANCE_MOVE_NS_PER_BYTE (1 / 47.0)

struct reading {
    const struct csv *csv;
    struct plan_layer *layer;
    struct plan_curve *curve;
    struct plan_weight *weight;
    struct plan_split *split;
    int n_layers, n_weights, n_split_rows;
    int64_t *hidden, *split_hidden; /* by layer; by row of kind split */
    int64_t chunk_bytes, memory;
};

static int field(const struct csv *csv, int row, const char *column, int64_t min, int64_t max,
                 int64_t *ret, struct err *err)
{
    struct err why = {0};
    int rc = parse_int(csv_get(csv, row, column), min, max, ret, &why);

    return rc < 0 ? csv_error(csv, row, err, "%s: %s", column, why.text) : 0;
}

static int read_capacity(struct reading *r, int row, struct err *err)
{
    const char *time = csv_get(r->csv, row, "time_us");
    struct plan_layer *l = &r->layer[r->n_layers];
    int64_t layer, chunks;
    struct err why = {0};
    int rc = field(r->csv, row, "layer", 1, INT_MAX, &layer, err);

    if (rc == 0)
        rc = field(r->csv, row, "chunks", 0, INT_MAX, &chunks, err);
    if (rc < 0)
        return rc;
    if (layer != r->n_layers + 1)
        return csv_error(r->csv, row, err, "capacities count up: want layer %d, got '%s'",
                         r->n_layers + 1, csv_get(r->csv, row, "layer"));
    if (time[0] && parse_real(time, 0, 1e12, &l->time_us, &why) < 0)
        return csv_error(r->csv, row, err, "time_us: %s", why.text);
    if (csv_get(r->csv, row, "hidden_chunks")[0])
        rc = field(r->csv, row, "hidden_chunks", 0, INT_MAX, &r->hidden[r->n_layers], err);
    if (rc < 0)
        return rc;
    l->name = "";
    l->capacity = (int)chunks;
    r->n_layers++;
    return 0;
}

static int read_weight(struct reading *r, int row, struct err *err)
{
    struct plan_weight *w = &r->weight[r->n_weights];
    int64_t layer, chunks;
    int rc = field(r->csv, row, "layer", 1, INT_MAX, &layer, err);

    if (rc == 0)
        rc = field(r->csv, row, "chunks", 1, INT_MAX, &chunks, err);
    if (rc < 0)
        return rc;
    if (layer > r->n_layers)
        return csv_error(r->csv, row, err, "weights come after capacities: no capacity of layer %d",
                         (int)layer);
    if (r->n_weights > 0 && layer < w[-1].consumer)
        return csv_error(r->csv, row, err, "weights come in order of their layer: %d after %d",
                         (int)layer, w[-1].consumer);
    *w =
        (struct plan_weight){.consumer = (int)layer, .last_use = (int)layer, .chunks = (int)chunks};
    r->n_weights++;
    return 0;
}

/* Two rows of one fused layer: its parts, in order. All its weights are the first part's. */
static int read_split(struct reading *r, int row, struct err *err)
{
    int part = r->n_split_rows % 2, rc;
    struct plan_split *s = &r->split[r->n_split_rows / 2];
    struct plan_layer *y = &s->part[part];
    struct err why = {0};
    int64_t layer, chunks;

    rc = field(r->csv, row, "layer", 1, r->n_layers > 0 ? r->n_layers : 1, &layer, err);
    if (rc == 0)
        rc = field(r->csv, row, "chunks", 0, INT_MAX, &chunks, err);
    if (rc < 0)
        return rc;
    if (part == 1 && layer != s->layer)
        return csv_error(r->csv, row, err, "a split has two rows: want layer %d again, got '%d'",
                         s->layer, (int)layer);
    if (parse_real(csv_get(r->csv, row, "time_us"), 0, 1e12, &y->time_us, &why) < 0)
        return csv_error(r->csv, row, err, "time_us: %s", why.text);
    s->layer = (int)layer;
    y->name = part ? "second part" : "first part";
    y->capacity = (int)chunks;
    rc = field(r->csv, row, "hidden_chunks", 0, INT_MAX, &r->split_hidden[r->n_split_rows], err);
    r->n_split_rows += rc == 0;
    return rc;
}

static int read_row(struct reading *r, int row, struct err *err)
{
    const char *kind = csv_get(r->csv, row, "kind");
    bool memory = !strcmp(kind, "memory");
    int64_t *one = memory ? &r->memory : &r->chunk_bytes;

    if (!strcmp(kind, "capacity"))
        return read_capacity(r, row, err);
    if (!strcmp(kind, "weight"))
        return read_weight(r, row, err);
    if (!strcmp(kind, "split"))
        return read_split(r, row, err);
    if (!memory && strcmp(kind, "chunk_bytes") != 0)
        return csv_error(r->csv, row, err,
                         "kind: want chunk_bytes, memory, capacity, weight or split, got '%s'",
                         kind);
    if (*one >= 0)
        return csv_error(r->csv, row, err, "'%s' is there twice", kind);
    return field(r->csv, row, "chunks", memory ? 0 : 1, INT64_C(1) << 40, one, err);
}

/* Weights have no names in these files: "w1", "w2", ... in one block behind the array. */
static struct plan_weight *name_weights(struct plan_weight *weight, int n, int64_t chunk_bytes)
{
    enum { NAME = 16 };
    size_t room = (size_t)(n > 0 ? n : 1);
    struct plan_weight *named = realloc(weight, room * (sizeof(*weight) + NAME));
    char *name;

    if (!named)
        return NULL;
    name = (char *)(named + room);
    for (int w = 0; w < n; w++, name += NAME) {
        snprintf(name, NAME, "w%d", w + 1);
        named[w].name = name;
        named[w].bytes = (uint64_t)named[w].chunks * (uint64_t)chunk_bytes;
    }
    return named;
}

/* Hidden chunks cost nothing, the others the full price; a layer without capacity and without
 * hidden chunks carries nothing. */
static void make_curve(const struct reading *r, struct plan_layer *y, int64_t hidden_chunks,
                       struct plan_curve *c)
{
    double ns = y->time_us * 1e3, hidden = (double)(hidden_chunks * r->chunk_bytes);
    double far = hidden + (double)r->chunk_bytes;

    if (hidden_chunks == 0 && y->capacity == 0)
        return;
    *c = (struct plan_curve){.n = 1, .ns = {ns}, .most_bytes = INFINITY};
    if (hidden_chunks > 0) {
        c->bytes[c->n] = hidden;
        c->ns[c->n++] = ns;
    }
    c->bytes[c->n] = far;
    c->ns[c->n++] = ns + (far - hidden) * INSTANCE_MOVE_NS_PER_BYTE;
    y->curve = c;
}

static void make_curves(struct reading *r)
{
    struct plan_curve *of_split = r->curve + r->n_layers;

    for (int l = 0; l < r->n_layers; l++)
        make_curve(r, &r->layer[l], r->hidden[l], &r->curve[l]);
    for (int i = 0; i < r->n_split_rows; i++)
        make_curve(r, &r->split[i / 2].part[i % 2], r->split_hidden[i], &of_split[i]);
}

static int read_rows(struct reading *r, struct err *err)
{
    for (int row = 0; row < r->csv->n_rows; row++) {
        int rc = read_row(r, row, err);

        if (rc < 0)
            return rc;
    }
    if (r->chunk_bytes < 0)
        return err_set(err, -EINVAL, "%s: no row of kind 'chunk_bytes'", r->csv->path);
    if (r->n_layers == 0)
        return err_set(err, -EINVAL, "%s: no row of kind 'capacity'", r->csv->path);
    if (r->n_split_rows % 2)
        return err_set(err, -EINVAL, "%s: the last split has one row, want two", r->csv->path);
    make_curves(r);
    return 0;
}

int plan_instance_read(const char *path, struct plan_instance *ret_i, struct err *err)
{
    static const char *const required[] = {"kind", "layer", "chunks", NULL};
    static const char *const optional[] = {"time_us", "hidden_chunks", NULL};
    struct csv csv = {0};
    struct reading r = {.csv = &csv, .chunk_bytes = -1, .memory = -1};
    struct plan_weight *named;
    int rc = csv_read(path, NULL, 0, required, optional, &csv, err);

    if (rc < 0)
        return rc;
    r.layer = calloc((size_t)csv.n_rows + 1, sizeof(*r.layer));
    r.weight = calloc((size_t)csv.n_rows + 1, sizeof(*r.weight));
    r.curve = calloc((size_t)csv.n_rows + 1, sizeof(*r.curve));
    r.hidden = calloc((size_t)csv.n_rows + 1, sizeof(*r.hidden));
    r.split = calloc((size_t)csv.n_rows + 1, sizeof(*r.split));
    r.split_hidden = calloc((size_t)csv.n_rows + 1, sizeof(*r.split_hidden));
    rc = r.layer && r.weight && r.curve && r.hidden && r.split && r.split_hidden
             ? read_rows(&r, err)
             : err_set(err, -ENOMEM, "%s: no memory", path);
    if (rc < 0)
        goto out;
    named = name_weights(r.weight, r.n_weights, r.chunk_bytes);
    if (!named) {
        rc = err_set(err, -ENOMEM, "%s: no memory", path);
        goto out;
    }
    r.weight = named;
    *ret_i = (struct plan_instance){.layer = r.layer,
                                    .weight = r.weight,
                                    .curve = r.curve,
                                    .split = r.split,
                                    .n_splits = r.n_split_rows / 2};
    ret_i->problem = (struct plan_problem){
        .model = "instance",
        .n_layers = r.n_layers,
        .n_weights = r.n_weights,
        .layer = r.layer,
        .weight = r.weight,
        .chunk_bytes = (uint64_t)r.chunk_bytes,
        .a = 9,
        .b = 1,
        .price = PRICE_BYTES,
        .limit = LIMIT_STREAMED,
        .m_peak = r.memory,
        .time_limit_s = INSTANCE_TIME_LIMIT_S,
    };
    r.layer = NULL;
    r.weight = NULL;
    r.curve = NULL;
    r.split = NULL;
out:
    free(r.layer);
    free(r.weight);
    free(r.curve);
    free(r.hidden);
    free(r.split);
    free(r.split_hidden);
    csv_done(&csv);
    return rc;
}

void plan_instance_done(struct plan_instance *i)
{
    free(i->layer);
    free(i->weight);
    free(i->curve);
    free(i->split);
    *i = (struct plan_instance){0};
}
