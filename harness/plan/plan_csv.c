/* Plan files: one row for each x[w,l] > 0, one for each preloaded weight. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "harness/plan/plan_build.h"
#include "harness/text/csv.h"
#include "harness/text/units.h"

int plan_write_csv(const struct plan_problem *p, const struct plan *plan, FILE *f)
{
    fputs("weight,chunk_bytes,chunks,consumer,preload,load_layer,layer,chunks_here\n", f);
    for (int w = 0; w < p->n_weights; w++) {
        const struct plan_weight *k = &p->weight[w];

        if (!plan->preload[w])
            continue;
        csv_put(f, k->name);
        fprintf(f, ",%" PRIu64 ",%d,%d,1,,,\n", p->chunk_bytes, k->chunks, k->consumer);
    }
    for (int i = 0; i < plan->n_moves; i++) {
        const struct plan_move *m = &plan->move[i];
        const struct plan_weight *k = &p->weight[m->weight];

        csv_put(f, k->name);
        fprintf(f, ",%" PRIu64 ",%d,%d,0,%d,%d,%d\n", p->chunk_bytes, k->chunks, k->consumer,
                plan->load_layer[m->weight], m->layer, m->chunks);
    }
    return fflush(f) != 0 || ferror(f) ? -EIO : 0;
}

struct reading {
    const struct plan_problem *p;
    const struct csv *csv;
    struct plan *plan;
    int *first_row;          /* [n_weights] row that names it first, -1: none */
    int *load_layer, *moved; /* [n_weights], as the file says; as its rows sum up */
};

static int field(const struct reading *r, int row, const char *column, int64_t min, int64_t max,
                 int64_t *ret, struct err *err)
{
    struct err why = {0};

    if (parse_int(csv_get(r->csv, row, column), min, max, ret, &why) < 0)
        return csv_error(r->csv, row, err, "%s: %s", column, why.text);
    return 0;
}

static int find_weight(const struct reading *r, int row, int *ret_w, struct err *err)
{
    const char *name = csv_get(r->csv, row, "weight");

    for (int w = 0; w < r->p->n_weights; w++) {
        if (!strcmp(r->p->weight[w].name, name)) {
            *ret_w = w;
            return 0;
        }
    }
    return csv_error(r->csv, row, err, "weight: '%s' is not a weight of '%s'", name, r->p->model);
}

/* A column that only repeats what the problem says. */
static int agree(const struct reading *r, int row, const char *column, uint64_t want,
                 struct err *err)
{
    int64_t got;
    int rc = field(r, row, column, 0, INT64_MAX, &got, err);

    if (rc == 0 && (uint64_t)got != want)
        rc = csv_error(r->csv, row, err, "%s: the problem has '%" PRIu64 "', got '%" PRId64 "'",
                       column, want, got);
    return rc;
}

static int read_preload(struct reading *r, int row, int w, struct err *err)
{
    static const char *const empty[] = {"load_layer", "layer", "chunks_here"};

    for (int i = 0; i < 3; i++) {
        if (csv_get(r->csv, row, empty[i])[0])
            return csv_error(r->csv, row, err, "%s: a preloaded weight has none, got '%s'",
                             empty[i], csv_get(r->csv, row, empty[i]));
    }
    if (r->first_row[w] >= 0)
        return csv_error(r->csv, row, err, "weight '%s' is in line %d already",
                         r->p->weight[w].name, r->csv->row[r->first_row[w]].line);
    r->plan->preload[w] = true;
    return 0;
}

static int read_move(struct reading *r, int row, int w, struct err *err)
{
    const struct plan_weight *k = &r->p->weight[w];
    int64_t load_layer, layer, chunks;
    int rc;

    if (r->plan->preload[w])
        return csv_error(r->csv, row, err, "weight '%s' is preloaded in line %d", k->name,
                         r->csv->row[r->first_row[w]].line);
    if (k->consumer == 1)
        return csv_error(r->csv, row, err, "weight '%s' is read by layer 1: preload it", k->name);
    rc = field(r, row, "load_layer", 1, k->consumer - 1, &load_layer, err);
    if (rc == 0)
        rc = field(r, row, "layer", 1, k->consumer - 1, &layer, err);
    if (rc == 0)
        rc = field(r, row, "chunks_here", 1, k->chunks - r->moved[w], &chunks, err);
    if (rc < 0)
        return rc;
    if (r->first_row[w] >= 0 && load_layer != r->load_layer[w])
        return csv_error(r->csv, row, err, "load_layer: '%d' in line %d, got '%" PRId64 "'",
                         r->load_layer[w], r->csv->row[r->first_row[w]].line, load_layer);
    for (int i = 0; i < r->plan->n_moves; i++) {
        if (r->plan->move[i].weight == w && r->plan->move[i].layer == layer)
            return csv_error(r->csv, row, err, "layer: weight '%s' has a row for layer %d already",
                             k->name, (int)layer);
    }
    r->load_layer[w] = (int)load_layer;
    r->moved[w] += (int)chunks;
    if (plan_add_move(r->plan, w, (int)layer, (int)chunks) < 0)
        return err_set(err, -ENOMEM, "%s: no memory", r->csv->path);
    return 0;
}

static int read_row(struct reading *r, int row, struct err *err)
{
    int64_t preload;
    int w = 0, rc = find_weight(r, row, &w, err);

    if (rc == 0)
        rc = agree(r, row, "chunk_bytes", r->p->chunk_bytes, err);
    if (rc == 0)
        rc = agree(r, row, "chunks", (uint64_t)r->p->weight[w].chunks, err);
    if (rc == 0)
        rc = agree(r, row, "consumer", (uint64_t)r->p->weight[w].consumer, err);
    if (rc == 0)
        rc = field(r, row, "preload", 0, 1, &preload, err);
    if (rc == 0)
        rc = preload ? read_preload(r, row, w, err) : read_move(r, row, w, err);
    if (rc == 0 && r->first_row[w] < 0)
        r->first_row[w] = row;
    return rc;
}

/* What only the whole file shows. */
static int check_rows(const struct reading *r, struct err *err)
{
    for (int w = 0; w < r->p->n_weights; w++) {
        const struct plan_weight *k = &r->p->weight[w];

        if (r->first_row[w] < 0)
            return err_set(err, -EINVAL, "%s: weight '%s' has no row", r->csv->path, k->name);
        if (r->plan->preload[w])
            continue;
        if (k->forced)
            return csv_error(r->csv, r->first_row[w], err, "weight '%s' has to be preloaded",
                             k->name);
        if (r->moved[w] != k->chunks)
            return csv_error(r->csv, r->first_row[w], err,
                             "weight '%s': its rows move %d of %d chunks", k->name, r->moved[w],
                             k->chunks);
        if (r->load_layer[w] != r->plan->load_layer[w])
            return csv_error(r->csv, r->first_row[w], err,
                             "load_layer: '%d', but the first chunk moves in layer %d",
                             r->load_layer[w], r->plan->load_layer[w]);
    }
    return 0;
}

/* Capacities are a policy's to ignore: such a plan is read, and its note says so. */
static int check_plan(const struct reading *r, struct err *err)
{
    struct err why = {0}, other = {0};

    if (plan_check(r->p, r->plan, false, NULL, &r->plan->peak, &why) == 0)
        return 0;
    if (plan_check(r->p, r->plan, true, NULL, &r->plan->peak, &other) < 0)
        return err_set(err, -EINVAL, "%s: %s", r->csv->path, other.text);
    snprintf(r->plan->note, sizeof(r->plan->note), "%.*s", (int)sizeof(r->plan->note) - 1,
             why.text);
    return 0;
}

static int read_rows(struct reading *r, struct err *err)
{
    int rc = 0;

    for (int w = 0; w < r->p->n_weights; w++)
        r->first_row[w] = -1;
    for (int row = 0; row < r->csv->n_rows && rc == 0; row++)
        rc = read_row(r, row, err);
    if (rc < 0)
        return rc;
    plan_sort_moves(r->plan);
    plan_sum_up(r->p, r->plan);
    rc = check_rows(r, err);
    return rc < 0 ? rc : check_plan(r, err);
}

int plan_read_csv(const char *path, const struct plan_problem *p, struct plan **ret_plan,
                  struct err *err)
{
    static const char *const columns[] = {"weight",   "chunk_bytes", "chunks",
                                          "consumer", "preload",     "load_layer",
                                          "layer",    "chunks_here", NULL};
    size_t n = (size_t)p->n_weights + 1;
    struct csv csv = {0};
    struct reading r = {.p = p, .csv = &csv};
    int rc = csv_read(path, NULL, 0, columns, NULL, &csv, err);

    if (rc < 0)
        return rc;
    r.plan = plan_new(p);
    r.first_row = calloc(n, sizeof(int));
    r.load_layer = calloc(n, sizeof(int));
    r.moved = calloc(n, sizeof(int));
    if (!r.plan || !r.first_row || !r.load_layer || !r.moved) {
        rc = err_set(err, -ENOMEM, "%s: no memory", path);
        goto out;
    }
    snprintf(r.plan->policy, sizeof(r.plan->policy), "file");
    rc = read_rows(&r, err);
    if (rc == 0) {
        *ret_plan = r.plan;
        r.plan = NULL;
    }
out:
    plan_free(r.plan);
    free(r.first_row);
    free(r.load_layer);
    free(r.moved);
    csv_done(&csv);
    return rc;
}
