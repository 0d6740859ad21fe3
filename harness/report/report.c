#include "harness/report/report.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/model/model.h"
#include "harness/report/figure.h"
#include "harness/report/page.h"
#include "harness/text/csv.h"

const struct report_item report_items[] = {
    {"machine", "What was measured on what", "The newest session of this device.", "machine.sql",
     NULL},
    {"table7", "Table 7: latency",
     "Integrated latency runs from the first byte asked for to the last output, weights cold on "
     "disk. The bound is the larger of reading all weights and running all kernels, each alone and "
     "measured in the same rounds; overlap can gain at most the ceiling over a preload that overlaps "
     "nothing. Verified: within tolerance of a plain-C reference in double precision.",
     "table7.sql", NULL},
    {"table8", "Table 8: memory",
     "Accounted bytes of every kind (staging, unified memory, textures, activations) averaged over "
     "the integrated run, and their peak; beside it what the operating system saw.",
     "table8.sql", NULL},
    {"memory", "Memory over time",
     "Live memory during the median run of each policy. Preloading rises to the whole model before "
     "the first layer runs; streaming holds what is in flight.",
     "memory.sql", "memory.gp"},
    {"figure2", "Figure 2: latency against extra load",
     "Slowdown of a kernel that carries extra load, pair by pair with the same kernel without it; "
     "bars are 95 % intervals. The dashed line is the threshold of the paper's text for reusable "
     "operators (+20 %), the dotted one that of its figure (+30 %); elemental operators are "
     "allowed +300 %.",
     "figure2.sql", "figure2.gp"},
    {"figure4", "Figure 4: predicted against measured latency",
     "Each point is one configuration, predicted by a regressor that never saw its shape.",
     "figure4.sql", "figure4.gp"},
    {"regressor", "How good the regressor is",
     "Out-of-fold errors with all samples of a shape in one fold; noisy samples are counted.",
     "regressor.sql", NULL},
    {"plans", "The plans that ran",
     "Objective: lambda times preloaded chunks plus (1 - lambda) times loading distance. A lower "
     "bound is proven; an empty one says that this policy proves none.",
     "plans.sql", NULL},
    {"samples", "What was swept",
     "Noisy samples ran into a limit before their interval was narrow enough; they are kept and "
     "flagged. Failed configurations stay in the database with their reason.",
     "samples.sql", NULL},
    {0},
};

const struct report_item *report_find(const char *name)
{
    for (const struct report_item *i = report_items; i->name; i++)
        if (strcmp(i->name, name) == 0)
            return i;
    return NULL;
}

struct report {
    struct store *st;
    int64_t device_id;
};

static int exec_free(struct store *st, char *sql, struct err *err)
{
    int rc = sql ? store_exec(st, err, sql, "") : err_set(err, -ENOMEM, "out of memory for SQL");

    free(sql);
    return rc;
}

/* "CREATE TEMP TABLE paper_NAME (...)": columns are TEXT; their names are ours, [a-z0-9_] alone. */
static char *create_sql(const char *name, const struct csv *csv)
{
    char *sql = NULL;
    size_t size;
    FILE *f = open_memstream(&sql, &size);

    if (!f)
        return NULL;
    fprintf(f, "CREATE TEMP TABLE paper_%s (", name);
    for (int c = 0; c < csv->n_columns; c++)
        fprintf(f, "%s\"%s\" TEXT", c ? ", " : "", csv->column[c]);
    fputc(')', f);
    return fclose(f) == 0 ? sql : NULL;
}

static char *insert_sql(const char *name, const struct csv *csv, int row)
{
    char *sql = NULL;
    size_t size;
    FILE *f = open_memstream(&sql, &size);

    if (!f)
        return NULL;
    fprintf(f, "INSERT INTO paper_%s VALUES (", name);
    for (int c = 0; c < csv->n_columns; c++) {
        fputs(c ? ", nullif('" : "nullif('", f);
        for (const char *p = csv->row[row].field[c]; *p; p++)
            fputs(*p == '\'' ? "''" : (char[]){*p, '\0'}, f);
        fputs("', '')", f); /* an empty cell is unknown */
    }
    fputc(')', f);
    return fclose(f) == 0 ? sql : NULL;
}

/* datasets/paper/NAME.csv as the temporary table paper_NAME */
static int load_paper_file(struct store *st, const char *name, struct err *err)
{
    char path[4096];
    struct csv csv;
    int rc;

    if (snprintf(path, sizeof(path), "%s/paper/%s.csv", model_datasets_dir(), name) >=
        (int)sizeof(path))
        return err_set(err, -ENAMETOOLONG, "'%s': too long a path", model_datasets_dir());
    rc = csv_read(path, NULL, 0, NULL, NULL, &csv, err);
    if (rc < 0)
        return rc;
    rc = exec_free(st, create_sql(name, &csv), err);
    for (int r = 0; r < csv.n_rows && rc == 0; r++)
        rc = exec_free(st, insert_sql(name, &csv, r), err);
    csv_done(&csv);
    return rc;
}

static int load_paper(struct store *st, struct err *err)
{
    static const char *const names[] = {"table7_latency", "table8_memory"};
    int rc = 0;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && rc == 0; i++)
        rc = load_paper_file(st, names[i], err);
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
    int rc = store_query(st, &q, err, "SELECT device_id FROM session ORDER BY id DESC LIMIT 1", "");

    if (rc == 0)
        rc = store_step(q, err);
    if (rc == 1)
        *ret_id = store_int(q, 0);
    if (rc == 0)
        rc = err_set(err, -ENODATA, "'%s': nothing was measured yet: run `flashmem sweep` or "
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

static int query(struct report *r, const struct report_item *item, struct grid *ret_g,
                 struct err *err)
{
    int rc = grid_query(r->st, report_file(item->sql)->text, r->device_id, ret_g, err);

    if (rc < 0)
        err_prefix(err, "%s", item->sql);
    return rc;
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

    snprintf(path, sizeof(path), "%s", dir);
    for (char *p = path + 1;; p++) {
        bool last = *p == '\0';

        if (!last && *p != '/')
            continue;
        *p = '\0';
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            return err_set(err, -errno, "'%s': cannot make this folder: %s", path, strerror(errno));
        if (last)
            return 0;
        *p = '/';
    }
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
    if (rc == 0 && item->gnuplot && g.rows > 0)
        rc = figure_write(item, &g, dir, err);
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
    if (rc == 0)
        *ret_rows = g.rows;
    grid_done(&g);
    return rc;
}

int report_all(struct report *r, const char *dir, struct err *err)
{
    struct grid grid[sizeof(report_items) / sizeof(report_items[0])] = {0};
    int rc = make_dir(dir, err);

    for (int i = 0; report_items[i].name && rc == 0; i++)
        rc = write_item(r, &report_items[i], dir, &grid[i], err);
    if (rc == 0)
        rc = page_write(grid, dir, err);
    for (int i = 0; report_items[i].name; i++)
        grid_done(&grid[i]);
    return rc;
}
