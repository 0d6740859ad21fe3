/* harness/samples/measured.c - see measured.h. */
#include "harness/samples/measured.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/stats.h"

struct point {
    double bytes, ratio, slowdown, low;
};

/* The loads of one configuration, from small to large. */
struct line {
    const struct op *op;
    int first, n; /* in points */
};

struct lines {
    int n, room, points, point_room;
    struct line *line;
    struct point *point;
};

static void lines_done(struct lines *l)
{
    free(l->line);
    free(l->point);
}

static int add_point(struct lines *l, const struct op *op, bool same, struct point p,
                     struct err *err)
{
    if (l->n == l->room || l->points == l->point_room) {
        int room = 2 * (l->points + 32);
        struct line *line = realloc(l->line, (size_t)room * sizeof(*line));
        struct point *point;

        if (line)
            l->line = line;
        point = realloc(l->point, (size_t)room * sizeof(*point));
        if (point)
            l->point = point;
        if (!line || !point)
            return err_set(err, -ENOMEM, "no memory for %d samples", room);
        l->room = l->point_room = room;
    }
    if (!same)
        l->line[l->n++] = (struct line){op, l->points, 0};
    l->point[l->points++] = p;
    l->line[l->n - 1].n++;
    return 0;
}

static int read_lines(struct store *st, int64_t device_id, enum dtype dtype, enum mem_path path,
                      enum op_form form, struct lines *l, struct err *err)
{
    struct store_query *q = NULL;
    char last[1024] = "";
    int rc;

    rc = store_query(st, &q, err,
                     "SELECT * FROM (SELECT c.op, substr(c.key, 1, instr(c.key, '|load=')),"
                     " c.load_bytes, c.extra_ratio, avg(s.slowdown), min(s.slowdown_low),"
                     " count(*) OVER (PARTITION BY substr(c.key, 1, instr(c.key, '|load='))) AS n"
                     " FROM sample s JOIN config c ON c.id = s.config_id"
                     " JOIN session e ON e.id = s.session_id"
                     " WHERE e.device_id = ? AND c.dtype = ? AND c.path = ? AND c.form = ?"
                     " AND s.status IN ('ok', 'noisy') AND s.slowdown > 0 AND c.load_bytes > 0"
                     " AND c.cache = 'flushed' GROUP BY c.id) WHERE n > 1 ORDER BY 2, 3",
                     "isss", device_id, dtype_name(dtype), mem_path_name(path),
                     op_form_name(form));
    if (rc < 0)
        return rc;
    while ((rc = store_step(q, err)) == 1) {
        const struct op *op = op_find(store_text(q, 0));
        struct point p = {store_real(q, 2), store_real(q, 3), store_real(q, 4), store_real(q, 5)};
        bool same = strcmp(last, store_text(q, 1)) == 0;

        if (!op)
            continue;
        snprintf(last, sizeof(last), "%s", store_text(q, 1));
        rc = add_point(l, op, same, p, err);
        if (rc < 0)
            break;
    }
    store_query_done(q);
    return rc;
}

/* Where the line crosses. */
static struct point crossing(const struct lines *l, const struct line *line, double threshold,
                             bool *ret_censored)
{
    struct point at = {0, 0, 1, 1};

    *ret_censored = false;
    for (int i = 0; i < line->n; i++) {
        struct point next = l->point[line->first + i];
        double part;

        if (threshold > 0 ? next.slowdown <= 1 + threshold : next.low <= 1) {
            next.slowdown = fmax(next.slowdown, at.slowdown);
            at = next;
            continue;
        }
        part = threshold > 0 ? (1 + threshold - at.slowdown) / (next.slowdown - at.slowdown) : 0;
        at.bytes += part * (next.bytes - at.bytes);
        at.ratio += part * (next.ratio - at.ratio);
        return at;
    }
    *ret_censored = true;
    return at;
}

static bool in_scope(const struct op *op, const char *scope)
{
    return strcmp(op->name, scope) == 0 || strcmp(op_class_name(op->class), scope) == 0;
}

/* ratio and bytes are scratch of l->n. */
static bool summarise(const struct lines *l, const char *scope, double threshold, double *ratio,
                      double *bytes, struct measured_capacity *ret_c)
{
    struct measured_capacity c = {.scope = scope, .threshold = threshold};

    for (int i = 0; i < l->n; i++) {
        struct point at;
        bool censored;

        if (!in_scope(l->line[i].op, scope))
            continue;
        at = crossing(l, &l->line[i], threshold, &censored);
        c.censored += censored;
        ratio[c.shapes] = at.ratio;
        bytes[c.shapes++] = at.bytes;
    }
    if (c.shapes == 0)
        return false;
    c.low = stats_quantile(ratio, c.shapes, 0.25);
    c.median = stats_median(ratio, c.shapes);
    c.high = stats_quantile(ratio, c.shapes, 0.75);
    c.bytes = stats_median(bytes, c.shapes);
    *ret_c = c;
    return true;
}

static void summaries(const struct lines *l, const char *scope, const double *thresholds, int n,
                      double *scratch, void (*each)(void *ctx, const struct measured_capacity *c),
                      void *ctx)
{
    struct measured_capacity c;

    for (int i = 0; i < n; i++)
        if (summarise(l, scope, thresholds[i], scratch, scratch + l->n, &c))
            each(ctx, &c);
}

int measured_capacities(struct store *st, int64_t device_id, enum dtype dtype, enum mem_path path,
                        enum op_form form, const double *thresholds, int n,
                        void (*each)(void *ctx, const struct measured_capacity *c), void *ctx,
                        struct err *err)
{
    struct lines l = {0};
    double *scratch = NULL;
    int rc = read_lines(st, device_id, dtype, path, form, &l, err);

    if (rc == 0 && l.n == 0)
        rc = err_set(err, -ENODATA,
                     "no samples of %s %s %s with two extra loads or more in '%s': run 'flashmem "
                     "sweep SPEC'",
                     dtype_name(dtype), mem_path_name(path), op_form_name(form), store_path(st));
    if (rc == 0) {
        scratch = malloc((size_t)l.n * 2 * sizeof(*scratch));
        rc = scratch ? 0 : err_set(err, -ENOMEM, "no memory for %d shapes", l.n);
    }
    for (int c = OP_ELEMENTAL; c <= OP_HIERARCHICAL && rc == 0; c++)
        summaries(&l, op_class_name((enum op_class)c), thresholds, n, scratch, each, ctx);
    for (int i = 0; op_table[i] && rc == 0; i++)
        summaries(&l, op_table[i]->name, thresholds, n, scratch, each, ctx);
    free(scratch);
    lines_done(&l);
    return rc;
}
