#include "harness/report/report.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness/model/model.h"
#include "harness/report/figure.h"
#include "harness/report/page.h"
#include "harness/store/filter.h"
#include "harness/text/csv.h"
#include "profiler/folders.h"

struct report {
    struct store *st;
    int64_t device_id;
    double width_in, height_in; /* of figures; 0: default */
};

static int exec_free(struct store *st, char *sql, struct err *err)
{
    int rc = sql ? store_exec(st, err, sql, "") : err_set(err, -ENOMEM, "out of memory for SQL");

    free(sql);
    return rc;
}

/* "CREATE TEMP TABLE TABLE (...)": columns are TEXT; their names are ours, [a-z0-9_] alone. */
static char *create_sql(const char *table, const struct csv *csv)
{
    char *sql = NULL;
    size_t size;
    FILE *f = open_memstream(&sql, &size);

    if (!f)
        return NULL;
    fprintf(f, "CREATE TEMP TABLE %s (", table);
    for (int c = 0; c < csv->n_columns; c++)
        fprintf(f, "%s\"%s\" TEXT", c ? ", " : "", csv->column[c]);
    fputc(')', f);
    return fclose(f) == 0 ? sql : NULL;
}

static char *insert_sql(const char *table, const struct csv *csv, int row)
{
    char *sql = NULL;
    size_t size;
    FILE *f = open_memstream(&sql, &size);

    if (!f)
        return NULL;
    fprintf(f, "INSERT INTO %s VALUES (", table);
    for (int c = 0; c < csv->n_columns; c++) {
        fputs(c ? ", nullif('" : "nullif('", f);
        for (const char *p = csv->row[row].field[c]; *p; p++)
            fputs(*p == '\'' ? "''" : (char[]){*p, '\0'}, f);
        fputs("', '')", f); /* an empty cell is unknown */
    }
    fputc(')', f);
    return fclose(f) == 0 ? sql : NULL;
}

/* A file of datasets/ as a temporary table. */
static int load_file(struct store *st, const char *file, const char *table, struct err *err)
{
    struct csv csv;
    int rc = model_dataset(file, NULL, &csv, err);

    if (rc < 0)
        return rc;
    rc = exec_free(st, create_sql(table, &csv), err);
    for (int r = 0; r < csv.n_rows && rc == 0; r++)
        rc = exec_free(st, insert_sql(table, &csv, r), err);
    csv_done(&csv);
    return rc;
}

static int load_paper(struct store *st, struct err *err)
{
    static const char *const names[] = {"table1_preload_cost", "table4_solver",  "table5_classes",
                                        "table6_models",       "table7_latency", "table8_memory",
                                        "table9_energy",       "memory_hierarchy", "ranges",
                                        "figures"};
    char file[64], table[64];
    int rc = 0;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && rc == 0; i++) {
        snprintf(file, sizeof(file), "paper/%s.csv", names[i]);
        snprintf(table, sizeof(table), "paper_%s", names[i]);
        rc = load_file(st, file, table, err);
    }
    return rc < 0 ? rc : load_file(st, "counts.csv", "zoo_counts", err);
}

/* What each model of `zoo_counts` costs, as the temporary table `zoo`: counted from its graph. */
static int load_zoo(struct store *st, struct err *err)
{
    struct store_query *q = NULL;
    struct model_cost cost;
    struct model *m;
    int rc = store_exec(st, err, "CREATE TEMP TABLE zoo (model TEXT, params REAL, macs REAL,"
                        " layers INTEGER)", "");

    if (rc == 0)
        rc = store_query(st, &q, err, "SELECT model FROM zoo_counts", "");
    while (rc >= 0 && (rc = store_step(q, err)) == 1) {
        rc = model_read(store_text(q, 0), DTYPE_F32, &m, err);
        if (rc < 0)
            break;
        model_cost(m, &cost);
        rc = store_exec(st, err, "INSERT INTO zoo VALUES (?, ?, ?, ?)", "sddi", m->name,
                        cost.params, cost.macs, (int64_t)m->n_layers);
        model_free(m);
    }
    store_query_done(q);
    return rc;
}

/* The views of latest.sql, statement by statement. */
static int make_views(struct store *st, struct err *err)
{
    const struct embedded_file *f = report_file("latest.sql");
    const char *at = f->text, *end;
    int rc = 0;

    while (rc == 0 && (end = strstr(at, ";\n"))) {
        char *one = strndup(at, (size_t)(end - at));

        if (!one)
            return err_set(err, -ENOMEM, "out of memory for a query");
        rc = store_exec(st, err, one, "");
        free(one);
        at = end + 2;
    }
    return rc;
}

static int newest_device(struct store *st, int64_t *ret_id, struct err *err)
{
    struct store_query *q = NULL;
    int rc = store_query(st, &q, err, "SELECT device_id FROM session ORDER BY started_utc DESC, uuid DESC "
                         "LIMIT 1", "");

    if (rc == 0)
        rc = store_step(q, err);
    if (rc == 1)
        *ret_id = store_int(q, 0);
    if (rc == 0)
        rc = err_set(err, -ENODATA,
                     "'%s': nothing was measured yet: run `flashmem sweep` or "
                     "`flashmem replay`",
                     store_path(st));
    store_query_done(q);
    return rc < 0 ? rc : 0;
}

int report_open(struct store *st, int64_t device_id, struct report **ret_r, struct err *err)
{
    struct report *r;
    int rc = 0;

    if (device_id == 0)
        rc = newest_device(st, &device_id, err);
    if (rc == 0)
        rc = make_views(st, err);
    if (rc == 0)
        rc = load_paper(st, err);
    if (rc == 0)
        rc = load_zoo(st, err);
    if (rc < 0)
        return rc;
    r = calloc(1, sizeof(*r));
    if (!r)
        return err_set(err, -ENOMEM, "out of memory for a report");
    r->st = st;
    r->device_id = device_id;
    *ret_r = r;
    return 0;
}

void report_close(struct report *r)
{
    free(r);
}

/* A view cannot hold values, so that a table takes its place: made anew, for a table is not renamed
 * while other views name one that is gone. */
int report_narrow(struct report *r, const struct report_item *item, struct filter *where,
                  struct err *err)
{
    char select[96], *filtered = NULL, *sql = NULL;
    int rc;

    if (!item->narrows)
        return err_set(err, -EINVAL, "%s takes no conditions", item->name);
    snprintf(select, sizeof(select), "SELECT * FROM %s", item->narrows);
    rc = filter_sql(r->st, where, select, &filtered, err);
    if (rc < 0)
        return rc;
    if (asprintf(&sql, "CREATE TEMP TABLE narrowed AS %s", filtered) < 0)
        rc = err_set(err, -ENOMEM, "out of memory for a query");
    free(filtered);
    if (rc == 0)
        rc = store_exec(r->st, err, sql, "f", where);
    free(sql);
    snprintf(select, sizeof(select), "DROP VIEW %s", item->narrows);
    if (rc == 0)
        rc = store_exec(r->st, err, select, "");
    snprintf(select, sizeof(select), "CREATE TEMP TABLE %s AS SELECT * FROM narrowed", item->narrows);
    if (rc == 0)
        rc = store_exec(r->st, err, select, "");
    return rc < 0 ? rc : store_exec(r->st, err, "DROP TABLE narrowed", "");
}

void report_size(struct report *r, double width_in, double height_in)
{
    r->width_in = width_in;
    r->height_in = height_in;
}

/* The rows of all other devices that have run whole models. */
static int query_others(struct report *r, const char *sql, struct grid *g, struct err *err)
{
    struct store_query *q = NULL;
    int rc = store_query(r->st, &q, err,
                         "SELECT DISTINCT device_id FROM current_run WHERE device_id <> ? ORDER BY 1",
                         "i", r->device_id);

    while (rc >= 0 && (rc = store_step(q, err)) == 1) {
        struct grid more = {0};

        rc = grid_query(r->st, sql, store_int(q, 0), &more, err);
        if (rc == 0 && grid_join(g, &more) < 0)
            rc = err_set(err, -ENOMEM, "out of memory for a table");
        grid_done(&more);
    }
    store_query_done(q);
    return rc;
}

static int query(struct report *r, const struct report_item *item, struct grid *ret_g,
                 struct err *err)
{
    const char *sql = report_file(item->sql)->text;
    struct grid g = {0};
    int rc = grid_query(r->st, sql, r->device_id, &g, err);

    if (rc == 0 && item->every_device)
        rc = query_others(r, sql, &g, err);
    if (rc < 0) {
        grid_done(&g);
        return err_prefix(err, "%s", item->sql);
    }
    *ret_g = g;
    return 0;
}

int report_print(struct report *r, const struct report_item *item, enum format format, FILE *f,
                 struct err *err)
{
    struct grid g;
    int rc = query(r, item, &g, err);

    if (rc < 0)
        return rc;
    rc = grid_print(&g, format, f, err);
    grid_done(&g);
    return rc;
}

static int make_dir(const char *dir, struct err *err)
{
    char path[4096];

    if (snprintf(path, sizeof(path), "%s/", dir) >= (int)sizeof(path))
        return err_set(err, -ENAMETOOLONG, "'%.60s...': too long for the name of a folder", dir);
    return folders_above(path, err);
}

static int write_item(struct report *r, const struct report_item *item, const char *dir,
                      struct grid *ret_g, struct err *err)
{
    char path[4096];
    struct grid g;
    FILE *f;
    int rc = query(r, item, &g, err);

    if (rc < 0)
        return rc;
    snprintf(path, sizeof(path), "%s/%s.csv", dir, item->name);
    f = file_begin(path, err);
    rc = f ? 0 : err->code;
    if (rc == 0) {
        grid_csv(&g, f);
        rc = file_end(f, path, true, err);
    }
    if (rc < 0)
        grid_done(&g);
    else
        *ret_g = g;
    return rc;
}

int report_write(struct report *r, const struct report_item *item, const char *dir, int *ret_rows,
                 struct err *err)
{
    struct grid g = {0};
    int rc = make_dir(dir, err);

    if (rc == 0)
        rc = write_item(r, item, dir, &g, err);
    if (rc == 0 && item->gnuplot && g.rows > 0)
        rc = figure_write(item, &g, r->width_in, r->height_in, dir, err);
    if (rc == 0)
        *ret_rows = g.rows;
    grid_done(&g);
    return rc;
}

int report_all(struct report *r, const char *dir, struct err *err)
{
    struct grid *grid;
    int rc = make_dir(dir, err), drawn = 0, n = 0;

    while (report_items[n].name)
        n++;
    grid = calloc((size_t)n, sizeof(*grid));
    if (!grid)
        return err_set(err, -ENOMEM, "out of memory for a report");
    for (int i = 0; i < n && rc == 0; i++) {
        rc = write_item(r, &report_items[i], dir, &grid[i], err);
        if (rc < 0 || !report_items[i].gnuplot || grid[i].rows == 0)
            continue;
        rc = figure_write(&report_items[i], &grid[i], r->width_in, r->height_in, dir, err);
        if (rc == -ENOENT) { /* no gnuplot: the numbers are still worth a page */
            drawn = rc;
            rc = 0;
        }
    }
    if (rc == 0)
        rc = page_write(grid, dir, err);
    for (int i = 0; i < n; i++)
        grid_done(&grid[i]);
    free(grid);
    return rc < 0 ? rc : drawn;
}
