/* harness/store/exchange/foreign.c - a database of somebody else: anybody may have made it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/store/exchange/stage.h"
#include "harness/store/internal.h"

/* ---- schema ---- */

/* Anything but our tables and indexes: what it would do need not be known. */
static int check_objects(struct store *st, struct stage *s, struct err *err)
{
    struct store_query *q = NULL;
    int rc = store_query(st, &q, err,
                         "SELECT type, name, rootpage FROM sqlite_schema "
                         "WHERE name NOT LIKE 'sqlite!_%' ESCAPE '!'",
                         "");

    while (rc == 0 && (rc = store_step(q, err)) == 1) {
        const char *type = store_text(q, 0), *name = store_text(q, 1);
        sqlite3_stmt *same = NULL;

        rc = sqlite3_prepare_v2(s->db, "SELECT 1 FROM sqlite_schema WHERE type = ? AND name = ?",
                                -1, &same, NULL);
        if (rc == SQLITE_OK) {
            sqlite3_bind_text(same, 1, type, -1, SQLITE_STATIC);
            sqlite3_bind_text(same, 2, name, -1, SQLITE_STATIC);
            rc = sqlite3_step(same);
        }
        sqlite3_finalize(same);
        if (rc != SQLITE_ROW)
            rc = err_set(err, -EUCLEAN,
                         "'%s' has a %s '%s' that no flashmem of schema %d makes: "
                         "drop it there, or 'flashmem db export' there and import here",
                         s->from, type ? type : "thing", name ? name : "", s->version);
        else
            rc = store_int(q, 2) > 0
                     ? 0
                     : err_set(err, -EUCLEAN, "'%s': '%s' is a virtual table", s->from, name);
    }
    store_query_done(q);
    return rc;
}

/* What a column is, as one text, from the connection's pragma. */
#define COLUMNS                                                                                    \
    "SELECT group_concat(name || ' ' || type || ' ' || \"notnull\" || ' ' || pk || ' ' || hidden," \
    " ', ') FROM pragma_table_xinfo(?1)"

static int check_columns(struct store *st, struct stage *s, const char *name, struct err *err)
{
    struct store_query *theirs = NULL;
    sqlite3_stmt *ours = NULL;
    const char *want, *got;
    int rc = store_query(st, &theirs, err, COLUMNS, "s", name);

    if (rc == 0)
        rc = store_step(theirs, err);
    if (rc < 0)
        goto out;
    rc = sqlite3_prepare_v2(s->db, COLUMNS, -1, &ours, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(ours, 1, name, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(ours);
    if (rc != SQLITE_ROW) {
        rc = stage_error(s, rc, name, err);
        goto out;
    }
    want = (const char *)sqlite3_column_text(ours, 0);
    got = store_text(theirs, 0);
    rc = 0;
    if (!got)
        rc = err_set(err, -EUCLEAN, "'%s' has no table '%s', which schema %d has", s->from, name,
                     s->version);
    else if (strcmp(want, got) != 0)
        rc = err_set(err, -EUCLEAN,
                     "'%s': the columns of '%s' are not those of schema %d: want "
                     "%.300s; got %.300s",
                     s->from, name, s->version, want, got);
out:
    sqlite3_finalize(ours);
    store_query_done(theirs);
    return rc;
}

/* Of the file as a whole. A tree of pages that meet themselves would be read for ever. */
static int check_pages(struct store *st, struct stage *s, struct err *err)
{
    struct store_query *q = NULL;
    int rc = store_query(st, &q, err,
                         "SELECT (SELECT page_count FROM pragma_page_count) *"
                         " (SELECT page_size FROM pragma_page_size)",
                         "");

    if (rc == 0)
        rc = store_step(q, err);
    if (rc == 1)
        rc = store_int(q, 0) <= STORE_MAX_FILE ? 0
                                               : err_set(err, -E2BIG, "'%s' is larger than %d GiB",
                                                         s->from, (int)(STORE_MAX_FILE >> 30));
    store_query_done(q);
    q = NULL;
    if (rc == 0)
        rc = store_query(st, &q, err, "PRAGMA quick_check(1)", "");
    if (rc == 0)
        rc = store_step(q, err);
    if (rc == 1)
        rc = store_text(q, 0) && strcmp(store_text(q, 0), "ok") == 0
                 ? 0
                 : err_set(err, -EUCLEAN, "'%s' is damaged: %s", s->from, store_text(q, 0));
    store_query_done(q);
    return rc;
}

/* ---- rows ---- */

static const char *const kinds[] = {"nothing", "a whole number", "a number", "text", "bytes"};

/* Value `c` of a row of theirs into the inserter. */
static int bind(struct store_query *row, sqlite3_stmt *raw, sqlite3_stmt *insert,
                const struct table_def *t, int c, struct err *err)
{
    enum store_type want = t->column[c].type, got = store_type(row, c);
    struct err why = {0};

    if (got == STORE_TEXT && want == STORE_TEXT) {
        const char *text = store_text(row, c);
        int n = sqlite3_column_bytes(raw, c);

        if (stage_check_text(text, (size_t)n, &why) < 0)
            return err_set(err, why.code, "column '%s' holds %s", t->column[c].name, why.text);
        return sqlite3_bind_text(insert, c + 1, text, n, SQLITE_STATIC) == SQLITE_OK ? 0 : -ENOMEM;
    }
    if (got != want && got != STORE_NULL && !(got == STORE_INT && want == STORE_REAL))
        return err_set(err, -EUCLEAN, "column '%s' holds %s, want %s", t->column[c].name,
                       kinds[got], kinds[want]);
    return sqlite3_bind_value(insert, c + 1, sqlite3_column_value(raw, c)) == SQLITE_OK ? 0
                                                                                        : -ENOMEM;
}

static int copy_rows(struct stage *s, int table, sqlite3_stmt *insert, struct store_query *q,
                     sqlite3_stmt *raw, struct err *err)
{
    const struct table_def *t = &s->tables.table[table];
    int64_t row = 0;
    int rc;

    while ((rc = store_step(q, err)) == 1) {
        row++;
        for (int c = 0; c < t->n; c++) {
            rc = bind(q, raw, insert, t, c, err);
            if (rc == -ENOMEM)
                return err_set(err, rc, "out of memory");
            if (rc < 0)
                return err_prefix(err, "'%s': table %s, row %" PRId64, s->from, t->name, row);
        }
        rc = stage_insert(s, table, insert, err);
        if (rc < 0)
            return rc;
    }
    return rc;
}

static int copy_table(struct store *st, struct stage *s, int table, struct err *err)
{
    const struct table_def *t = &s->tables.table[table];
    sqlite3_str *sql = sqlite3_str_new(s->db);
    sqlite3_stmt *insert = NULL;
    struct store_query *q = NULL;
    char *text;
    int rc;

    sqlite3_str_appendall(sql, "SELECT ");
    for (int c = 0; c < t->n; c++)
        sqlite3_str_appendf(sql, "%s\"%w\"", c ? ", " : "", t->column[c].name);
    sqlite3_str_appendf(sql, " FROM main.\"%w\" NOT INDEXED", t->name);
    text = sqlite3_str_finish(sql);
    if (!text)
        return err_set(err, -ENOMEM, "out of memory");
    rc = stage_inserter(s, table, &insert, err);
    if (rc == 0)
        rc = store_query(st, &q, err, text, "");
    if (rc == 0)
        rc = copy_rows(s, table, insert, q, store_statement(q), err);
    store_query_done(q);
    sqlite3_finalize(insert);
    sqlite3_free(text);
    return rc;
}

/* ---- all of it ---- */

/* Their SQLite steps are counted too: damage may make one query long. */
struct watch {
    const volatile sig_atomic_t *interrupted;
};

static int is_interrupted(void *ctx)
{
    const struct watch *w = ctx;

    return w->interrupted && *w->interrupted;
}

static int read_all(struct store *st, struct stage *s, struct err *err)
{
    int rc = check_objects(st, s, err);

    for (int i = 0; i < s->tables.n && rc == 0; i++)
        rc = check_columns(st, s, s->tables.table[i].name, err);
    if (rc == 0) /* not before: it computes what a generated column of theirs says */
        rc = check_pages(st, s, err);
    for (int i = 0; i < s->tables.n && rc == 0; i++)
        rc = copy_table(st, s, i, err);
    return rc;
}

int stage_database(const char *path, const volatile sig_atomic_t *interrupted,
                   struct stage **ret_stage, struct err *err)
{
    struct watch watch = {interrupted};
    struct store *st = NULL;
    struct stage *s = NULL;
    int version = 0, rc = store_open(path, STORE_FOREIGN, &st, err);

    if (rc < 0)
        return rc;
    sqlite3_progress_handler(store_db(st), 10000, is_interrupted, &watch);
    rc = store_begin(st, err); /* all of one moment: it may be in use */
    if (rc == 0)
        rc = store_version(store_db(st), path, &version, err);
    if (rc == 0)
        rc = stage_new(path, version, interrupted, &s, err);
    if (rc == 0)
        rc = read_all(st, s, err);
    store_close(st);
    if (rc == 0)
        rc = stage_finish(s, err);
    if (rc < 0) {
        stage_free(s);
        return is_interrupted(&watch) ? err_set(err, -EINTR, "interrupted") : rc;
    }
    *ret_stage = s;
    return 0;
}
