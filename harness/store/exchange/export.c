/* harness/store/exchange/export.c - the tables as CSV files. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/store/exchange/exchange.h"
#include "harness/store/exchange/value.h"
#include "harness/store/internal.h"
#include "harness/store/tables.h"
#include "harness/text/csv.h"

static int run(struct store *st, sqlite3_str *sql, struct err *err)
{
    char *text = sqlite3_str_finish(sql);
    int rc = text ? store_exec(st, err, text, "") : err_set(err, -ENOMEM, "out of memory");

    sqlite3_free(text);
    return rc;
}

/* ---- canonical numbers ---- */

static bool is_utc(const struct column_def *c)
{
    size_t n = strlen(c->name);

    return n > 4 && strcmp(c->name + n - 4, "_utc") == 0;
}

/* temp.map_TABLE: ids by content, the older first; rows that are the same in all columns stay in
 * order. */
static int number_rows(struct store *st, const struct tables *all, const struct table_def *t,
                       struct err *err)
{
    sqlite3_str *make = sqlite3_str_new(NULL), *sql = sqlite3_str_new(NULL);
    const char *comma = "", *id = NULL;
    int rc;

    for (int c = 0; c < t->n; c++)
        if (t->column[c].id)
            id = t->column[c].name;
    sqlite3_str_appendf(make, "CREATE TEMP TABLE \"map_%w\" (src INTEGER PRIMARY KEY, dst INTEGER)",
                        t->name);
    sqlite3_str_appendf(sql,
                        "INSERT INTO temp.\"map_%w\" SELECT m.\"%w\", row_number() OVER"
                        " (ORDER BY ",
                        t->name, id ? id : "");
    for (int utc = 1; utc >= 0; utc--)
        for (int c = 0; c < t->n; c++)
            if (!t->column[c].id && is_utc(&t->column[c]) == utc) {
                sqlite3_str_appendall(sql, comma);
                tables_put_mapped(sql, all, &t->column[c]);
                comma = ", ";
            }
    sqlite3_str_appendf(sql, ", m.\"%w\") FROM main.\"%w\" AS m", id ? id : "", t->name);
    if (!id) {
        sqlite3_free(sqlite3_str_finish(make));
        sqlite3_free(sqlite3_str_finish(sql));
        return 0;
    }
    rc = run(st, make, err);
    if (rc == 0)
        return run(st, sql, err);
    sqlite3_free(sqlite3_str_finish(sql));
    return rc;
}

/* ---- files ---- */

struct dump {
    struct store *st;
    const char *folder;
    int flags;
    const volatile sig_atomic_t *interrupted;
    struct tables tables;
    void (*each)(void *ctx, const char *path, int64_t rows);
    void *ctx;
};

static char *select_sql(const struct dump *d, const struct table_def *t)
{
    sqlite3_str *sql = sqlite3_str_new(NULL);

    sqlite3_str_appendall(sql, "SELECT ");
    for (int c = 0; c < t->n; c++) {
        if (c)
            sqlite3_str_appendall(sql, ", ");
        if (d->flags & EXPORT_CANONICAL && t->column[c].id)
            sqlite3_str_appendf(sql, "(SELECT dst FROM temp.\"map_%w\" WHERE src = m.\"%w\")",
                                t->name, t->column[c].name);
        else if (d->flags & EXPORT_CANONICAL)
            tables_put_mapped(sql, &d->tables, &t->column[c]);
        else
            sqlite3_str_appendf(sql, "m.\"%w\"", t->column[c].name);
        sqlite3_str_appendf(sql, " AS \"%w\"", t->column[c].name);
    }
    sqlite3_str_appendf(sql, " FROM main.\"%w\" AS m", t->name);
    for (int place = 1, found = 1; found; place++) {
        found = 0;
        for (int c = 0; c < t->n; c++)
            if (t->column[c].pk == place) {
                sqlite3_str_appendf(sql, "%s%d", place == 1 ? " ORDER BY " : ", ", c + 1);
                found = 1;
            }
    }
    return sqlite3_str_finish(sql);
}

static int put_rows(FILE *f, const struct dump *d, struct store_query *q, int64_t *ret_rows,
                    struct err *err)
{
    sqlite3_stmt *raw = store_statement(q);
    int n = store_columns(q), rc;

    for (int c = 0; c < n; c++) {
        fputs(c ? "," : "", f);
        csv_put(f, store_column_name(q, c));
    }
    fputc('\n', f);
    *ret_rows = 0;
    while ((rc = store_step(q, err)) == 1) {
        for (int c = 0; c < n; c++) {
            fputs(c ? "," : "", f);
            value_put(f, raw, c);
        }
        fputc('\n', f);
        ++*ret_rows;
        if (d->interrupted && *d->interrupted)
            return err_set(err, -EINTR, "interrupted");
    }
    return rc;
}

/* Whole under its name, or not there at all. q NULL: schema.csv. */
static int write_file(const struct dump *d, const char *path, struct store_query *q,
                      int64_t *ret_rows, struct err *err)
{
    char *tmp = NULL;
    FILE *f;
    int rc = 0;

    if (asprintf(&tmp, "%s.%ld.tmp", path, (long)getpid()) < 0)
        return err_set(err, -ENOMEM, "out of memory");
    f = fopen(tmp, "wx");
    if (!f) {
        rc = err_set(err, -errno, "cannot write '%s': %s", tmp, strerror(errno));
        free(tmp);
        return rc;
    }
    if (q)
        rc = put_rows(f, d, q, ret_rows, err);
    else
        fprintf(f, "program,schema%s\nflashmem,%d%s\n", d->flags & EXPORT_SWEEPS ? ",only" : "",
                store_newest(), d->flags & EXPORT_SWEEPS ? ",sweeps" : "");
    if (rc == 0 && (fflush(f) != 0 || ferror(f) || fsync(fileno(f)) != 0))
        rc = err_set(err, -EIO, "cannot write '%s': %s", tmp, strerror(errno));
    if (fclose(f) != 0 && rc == 0)
        rc = err_set(err, -errno, "cannot write '%s': %s", tmp, strerror(errno));
    if (rc == 0 && rename(tmp, path) != 0)
        rc = err_set(err, -errno, "cannot write '%s': %s", path, strerror(errno));
    if (rc < 0)
        unlink(tmp);
    free(tmp);
    return rc;
}

static int write_table(const struct dump *d, const struct table_def *t, struct err *err)
{
    char *sql = t ? select_sql(d, t) : NULL, *path = NULL;
    struct store_query *q = NULL;
    int64_t rows = 1;
    int rc = 0;

    if ((t && !sql) || asprintf(&path, "%s/%s.csv", d->folder, t ? t->name : "schema") < 0)
        rc = err_set(err, -ENOMEM, "out of memory");
    if (rc == 0 && t)
        rc = store_query(d->st, &q, err, sql, "");
    if (rc == 0)
        rc = write_file(d, path, q, &rows, err);
    if (rc == 0 && d->each)
        d->each(d->ctx, path, rows);
    store_query_done(q);
    free(path);
    sqlite3_free(sql);
    return rc;
}

int store_export(struct store *st, const char *folder, int flags,
                 const volatile sig_atomic_t *interrupted,
                 void (*each)(void *ctx, const char *path, int64_t rows), void *ctx,
                 struct err *err)
{
    struct dump d = {st, folder, flags, interrupted, {0}, each, ctx};
    int rc;

    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return err_set(err, -errno, "cannot make the folder '%s': %s", folder, strerror(errno));
    rc = store_begin(st, err); /* all files show the database at one moment */
    if (rc < 0)
        return rc;
    rc = tables_read(store_db(st), store_path(st), &d.tables, err);
    for (int i = 0; i < d.tables.n && flags & EXPORT_CANONICAL && rc == 0; i++)
        rc = number_rows(st, &d.tables, &d.tables.table[i], err);
    for (int i = 0; i < d.tables.n && rc == 0; i++)
        if (!(flags & EXPORT_SWEEPS) || tables_of_sweeps(d.tables.table[i].name))
            rc = write_table(&d, &d.tables.table[i], err);
    if (rc == 0) /* last: without it, nothing can be imported */
        rc = write_table(&d, NULL, err);
    tables_done(&d.tables);
    store_end(st, false, NULL); /* and the numbers are gone */
    return rc;
}
