/* harness/store/exchange/import.c - a folder of CSV files, as exported, into a stage. */
/* libcsv has a csv_error() of its own, which only returns parser.status. */
#define csv_error libcsv_error
#include <csv.h>
#undef csv_error
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/store/exchange/stage.h"
#include "harness/store/exchange/value.h"
#include "harness/store/internal.h"
#include "harness/text/csv.h"
#include "harness/text/units.h"

#define MAX_ROW (4 * (size_t)STORE_MAX_VALUE)

struct reader {
    struct stage *s;
    const char *path;
    int table;
    sqlite3_stmt *insert;
    struct err *err;
    int rc;           /* first error */
    int64_t line;     /* of the byte being parsed */
    int64_t row_line; /* of the row's first character */
    size_t row_bytes;
    bool header; /* was there */
    int n;       /* fields of this row */
};

static int fail(struct reader *r, int code, const char *what)
{
    if (r->rc == 0) /* the first error is the one to tell */
        r->rc = err_set(r->err, code, "%s:%lld: %s", r->path, (long long)r->row_line, what);
    return r->rc;
}

/* A NULL field was empty and without quotes. */
static void on_field(void *field, size_t n, void *ctx)
{
    struct reader *r = ctx;
    const struct table_def *t = &r->s->tables.table[r->table];
    char what[ERR_TEXT_MAX + 96];
    struct err why = {0};

    if (r->rc < 0)
        return;
    if (r->n >= t->n) {
        snprintf(what, sizeof(what), "want %d fields, got more", t->n);
        fail(r, -EINVAL, what);
        return;
    }
    if (!r->header) {
        if (!field || strcmp(field, t->column[r->n].name) != 0) {
            snprintf(what, sizeof(what), "column %d: want '%s', got '%.40s'", r->n + 1,
                     t->column[r->n].name, field ? (const char *)field : "");
            fail(r, -EINVAL, what);
        }
    } else if (value_bind(r->insert, r->n + 1, t->column[r->n].type, field, n, &why) < 0) {
        snprintf(what, sizeof(what), "column '%s': %s", t->column[r->n].name, why.text);
        fail(r, why.code, what);
    }
    r->n++;
}

static void on_row(int end, void *ctx)
{
    struct reader *r = ctx;
    const struct table_def *t = &r->s->tables.table[r->table];
    struct err why = {0};
    char what[96];
    int rc;

    (void)end;
    if (r->rc == 0 && r->n != t->n) {
        snprintf(what, sizeof(what), "want %d fields, got %d", t->n, r->n);
        fail(r, -EINVAL, what);
    }
    if (r->rc == 0 && r->header) {
        rc = stage_insert(r->s, r->table, r->insert, &why);
        if (rc < 0)
            fail(r, rc, why.text);
    }
    r->header = true;
    r->n = 0;
    r->row_bytes = 0;
    r->row_line = r->line + 1;
}

/* Fed line by line, or piece by piece of long lines: libcsv tells no line numbers. */
static void parse(struct reader *r, FILE *f, struct csv_parser *p)
{
    char piece[65536];
    size_t got;

    r->row_line = r->line = 1;
    while (r->rc == 0 && (got = fread(piece, 1, sizeof(piece), f)) > 0)
        for (size_t at = 0, n; at < got && r->rc == 0; at += n) {
            const char *nl = memchr(piece + at, '\n', got - at);

            n = nl ? (size_t)(nl - (piece + at)) + 1 : got - at;
            r->row_bytes += n;
            if (r->row_bytes > MAX_ROW)
                fail(r, -E2BIG, "this row is too long: is a quote open?");
            else if (csv_parse(p, piece + at, n, on_field, on_row, r) != n)
                fail(r, -EINVAL,
                     "a quote inside a field: write the field as \"...\" with \"\" for "
                     "each quote");
            r->line += nl != NULL;
            if (r->s->interrupted && *r->s->interrupted)
                r->rc = err_set(r->err, -EINTR, "interrupted");
        }
    if (r->rc == 0 && ferror(f))
        r->rc = err_set(r->err, -errno, "cannot read '%s': %s", r->path, strerror(errno));
    if (r->rc == 0 && csv_fini(p, on_field, on_row, r) != 0)
        fail(r, -EINVAL, "a quote opens in this row and never closes");
    if (r->rc == 0 && !r->header)
        fail(r, -EINVAL, "empty: want a row with the names of the columns");
}

/* Opening a pipe would wait for ever, and a device may never end. What cannot be looked at is told
 * by who opens it. */
static int check_regular(const char *path, struct err *err)
{
    struct stat s;

    if (stat(path, &s) == 0 && !S_ISREG(s.st_mode))
        return err_set(err, -EINVAL, "'%s' is not a regular file", path);
    return 0;
}

static int read_table(struct stage *s, const char *folder, int table, struct err *err)
{
    struct reader r = {.s = s, .table = table, .err = err};
    struct csv_parser p;
    char *path = NULL;
    FILE *f;

    if (asprintf(&path, "%s/%s.csv", folder, s->tables.table[table].name) < 0)
        return err_set(err, -ENOMEM, "out of memory");
    r.path = path;
    r.rc = check_regular(path, err);
    f = r.rc == 0 ? fopen(path, "rb") : NULL;
    if (r.rc == 0 && !f)
        r.rc = err_set(err, -errno,
                       "cannot read '%s': %s: 'flashmem db export' writes a file for "
                       "every table",
                       path, strerror(errno));
    else if (r.rc == 0)
        r.rc = stage_inserter(s, table, &r.insert, err);
    if (r.rc == 0 &&
        csv_init(&p, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL | CSV_EMPTY_IS_NULL) != 0)
        r.rc = err_set(err, -ENOMEM, "out of memory");
    if (r.rc == 0) {
        parse(&r, f, &p);
        csv_free(&p);
    }
    sqlite3_finalize(r.insert);
    if (f)
        fclose(f);
    free(path);
    return r.rc;
}

/* Which schema the files are of, and whether they are of all tables. */
static int read_version(const char *folder, int *ret_version, bool *ret_sweeps, struct err *err)
{
    static const char *const columns[] = {"program", "schema", NULL};
    static const char *const optional[] = {"only", NULL};
    const char *only = "";
    struct csv csv;
    int64_t version = 0;
    char *path = NULL;
    int rc;

    if (asprintf(&path, "%s/schema.csv", folder) < 0)
        return err_set(err, -ENOMEM, "out of memory");
    rc = check_regular(path, err);
    if (rc == 0)
        rc = csv_read(path, NULL, 0, columns, optional, &csv, err);
    if (rc == -ENOENT || rc == -ENOTDIR)
        err_set(err, rc, "'%s' is no export of flashmem: it has no schema.csv; 'flashmem db "
                "export DIR' makes one", folder);
    free(path);
    if (rc < 0)
        return rc;
    if (csv.n_rows != 1 || strcmp(csv_get(&csv, 0, "program"), "flashmem") != 0 ||
        parse_int(csv_get(&csv, 0, "schema"), 1, 1000000, &version, NULL) < 0)
        rc = err_set(err, -EINVAL, "%s: want the one row 'flashmem,SCHEMA'", csv.path);
    else if (*(only = csv_get(&csv, 0, "only")) && strcmp(only, "sweeps") != 0)
        rc = csv_error(&csv, 0, err, "only: want sweeps or nothing, got '%.40s'", only);
    else if (version > store_newest())
        rc = err_set(err, -EPROTO,
                     "'%s' has schema %d, newer than this program's %d: use a newer "
                     "flashmem",
                     folder, (int)version, store_newest());
    if (rc == 0)
        *ret_sweeps = *only;
    csv_done(&csv);
    *ret_version = (int)version;
    return rc;
}

int stage_folder(const char *folder, const volatile sig_atomic_t *interrupted,
                 struct stage **ret_stage, struct err *err)
{
    struct stage *s = NULL;
    bool sweeps = false;
    int version = 0, rc = read_version(folder, &version, &sweeps, err);

    if (rc == 0)
        rc = stage_new(folder, version, interrupted, &s, err);
    for (int i = 0; rc == 0 && i < s->tables.n; i++)
        if (!sweeps || tables_of_sweeps(s->tables.table[i].name))
            rc = read_table(s, folder, i, err);
    if (rc == 0)
        rc = stage_finish(s, err);
    if (rc < 0) {
        stage_free(s);
        return rc;
    }
    *ret_stage = s;
    return 0;
}
