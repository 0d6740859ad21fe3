#include "harness/queue/workload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness/text/csv.h"
#include "harness/text/units.h"
#include "operators/op.h"
#include "profiler/rng.h"

static int parse_whole(const struct csv *csv, int row, const char *column, int64_t def, int64_t min,
                       int64_t max, int64_t *ret_v, struct err *err)
{
    const char *text = csv_get(csv, row, column);
    struct err why = {0};

    if (!*text) {
        *ret_v = def;
        return 0;
    }
    if (parse_int(text, min, max, ret_v, &why) < 0)
        return csv_error(csv, row, err, "%s: %s", column, why.text);
    return 0;
}

static int parse_row(const struct csv *csv, int row, uint64_t not_before,
                     struct workload_request *ret_r, int64_t *ret_repeat, struct err *err)
{
    const char *arrival = csv_get(csv, row, "arrival"), *dtype = csv_get(csv, row, "dtype");
    struct workload_request r = {.model = (char *)csv_get(csv, row, "model"), .dtype = -1};
    struct err why = {0};
    int64_t priority;
    int rc;

    if (!*r.model)
        return csv_error(csv, row, err, "model: want a name of datasets/models or a path, got ''");
    if (*arrival && parse_time_ns(arrival, &r.arrive_ns, &why) < 0)
        return csv_error(csv, row, err, "arrival: %s", why.text);
    if (r.arrive_ns < not_before)
        return csv_error(csv, row, err, "arrival: '%s' is before that of the row above", arrival);
    rc = parse_whole(csv, row, "priority", 0, -100, 100, &priority, err);
    if (rc == 0)
        rc = parse_whole(csv, row, "repeat", 1, 1, WORKLOAD_MOST, ret_repeat, err);
    if (rc == 0)
        rc = parse_whole(csv, row, "seed", -1, 0, INT64_MAX, &r.seed, err);
    if (rc < 0)
        return rc;
    for (int t = DTYPE_F32; t <= DTYPE_F16; t++)
        if (strcmp(dtype, dtype_name((enum dtype)t)) == 0)
            r.dtype = t;
    if (*dtype && r.dtype < 0)
        return csv_error(csv, row, err, "dtype: want f32 or f16, got '%s'", dtype);
    r.priority = (int)priority;
    *ret_r = r;
    return 0;
}

static int add(struct workload *w, const struct workload_request *r, int64_t repeat,
               struct err *err)
{
    struct workload_request *more;

    if (repeat > WORKLOAD_MOST - w->n)
        return err_set(err, -E2BIG, "%s: more than %d requests", w->path, WORKLOAD_MOST);
    more = realloc(w->request, (size_t)(w->n + repeat) * sizeof(*more));
    if (!more)
        return err_set(err, -ENOMEM, "out of memory for %lld requests", (long long)repeat);
    w->request = more;
    for (; repeat > 0; repeat--) {
        more[w->n] = *r;
        more[w->n].model = strdup(r->model);
        if (!more[w->n].model)
            return err_set(err, -ENOMEM, "out of memory for a name");
        w->n++;
    }
    return 0;
}

int workload_read(const char *path, int64_t iterations, struct workload *ret_w, struct err *err)
{
    static const char *const required[] = {"model", NULL};
    static const char *const optional[] = {"arrival", "priority", "repeat", "dtype", "seed", NULL};
    struct workload w = {.path = strdup(path)};
    uint64_t not_before = 0;
    struct csv csv;
    int rc = w.path ? csv_read(path, "flashmem-workload", 1, required, optional, &csv, err)
                    : err_set(err, -ENOMEM, "out of memory");

    if (rc == -ENOENT)
        err_set(err, rc, "no workload '%s': want a CSV such as datasets/workloads/paper.csv", path);
    if (rc < 0) {
        free(w.path);
        return rc;
    }
    for (int i = 0; i < csv.n_rows && rc == 0; i++) {
        struct workload_request r;
        int64_t repeat;

        rc = parse_row(&csv, i, not_before, &r, &repeat, err);
        if (rc == 0)
            rc = add(&w, &r, iterations > 0 && r.priority <= 0 ? iterations : repeat, err);
        if (rc == 0)
            not_before = r.arrive_ns;
    }
    if (rc == 0 && w.n == 0)
        rc = err_set(err, -EINVAL, "%s: no rows: want a model in each", path);
    csv_done(&csv);
    if (rc < 0)
        workload_done(&w);
    else
        *ret_w = w;
    return rc;
}

void workload_done(struct workload *w)
{
    for (int i = 0; i < w->n; i++)
        free(w->request[i].model);
    free(w->request);
    free(w->path);
    *w = (struct workload){0};
}

void workload_shuffle(struct workload *w, uint64_t seed)
{
    uint64_t state = seed;

    for (int from = 0, to; from < w->n; from = to) {
        to = from + 1;
        while (to < w->n && w->request[to].arrive_ns == w->request[from].arrive_ns)
            to++;
        for (int i = to - 1; i > from; i--) {
            int k = from + (int)rng_below(&state, (uint64_t)(i - from) + 1);
            struct workload_request moved = w->request[i];

            w->request[i] = w->request[k];
            w->request[k] = moved;
        }
    }
}
