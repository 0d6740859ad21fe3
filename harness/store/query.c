/* Statements, their columns, and transactions. */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/store/filter.h"
#include "harness/store/internal.h"
#include "harness/text/units.h"

/* ---- statements ---- */

void store_forget_statements(struct store *st)
{
    for (int i = 0; i < STORE_CACHED; i++)
        if (st->cache[i]) {
            sqlite3_finalize(st->cache[i]->stmt);
            free(st->cache[i]);
        }
}

/* A place in the cache: a free one, else the least recently used that is not busy; -1: none. */
static int cache_slot(struct store *st)
{
    int oldest = -1;

    for (int i = 0; i < STORE_CACHED; i++) {
        struct store_query *q = st->cache[i];

        if (!q)
            return i;
        if (!q->busy && (oldest < 0 || q->used < st->cache[oldest]->used))
            oldest = i;
    }
    if (oldest >= 0) {
        sqlite3_finalize(st->cache[oldest]->stmt);
        free(st->cache[oldest]);
        st->cache[oldest] = NULL;
    }
    return oldest;
}

static int get_statement(struct store *st, const char *sql, struct store_query **ret_q,
                         struct err *err)
{
    struct store_query *q;
    const char *tail;
    int rc, slot;

    for (int i = 0; i < STORE_CACHED; i++) {
        q = st->cache[i];
        if (q && !q->busy && strcmp(sqlite3_sql(q->stmt), sql) == 0) {
            *ret_q = q;
            goto found;
        }
    }
    q = calloc(1, sizeof(*q));
    if (!q)
        return err_set(err, -ENOMEM, "out of memory");
    rc = sqlite3_prepare_v2(st->db, sql, -1, &q->stmt, &tail);
    if (rc != SQLITE_OK) {
        free(q);
        return store_error(st->db, st->path, rc, sql, err);
    }
    assert(q->stmt && !tail[strspn(tail, "; \n")]); /* one statement, and only one */
    q->st = st;
    slot = cache_slot(st);
    if (slot >= 0) {
        st->cache[slot] = q;
        q->cached = true;
    }
    *ret_q = q;
found:
    q->busy = true;
    q->used = ++st->clock;
    return 0;
}

/* The terms of a filter from parameter *i on, which moves. SQLITE_OK or a code. */
static int bind_filter(sqlite3_stmt *q, const struct filter *f, int *i)
{
    int rc = SQLITE_OK;

    for (int t = 0; t < f->n && rc == SQLITE_OK; t++) {
        const struct filter_term *term = &f->term[t];
        int64_t v;

        if (term->null)
            continue;
        if (!term->number)
            rc = sqlite3_bind_text(q, (*i)++, term->value, -1, SQLITE_TRANSIENT);
        else if (parse_int(term->value, INT64_MIN, INT64_MAX, &v, NULL) == 0)
            rc = sqlite3_bind_int64(q, (*i)++, v);
        else
            rc = sqlite3_bind_double(q, (*i)++, strtod(term->value, NULL));
    }
    return rc;
}

static int bind_all(struct store_query *q, const char *binds, va_list ap, struct err *err)
{
    int i = 1, rc = SQLITE_OK;

    for (const char *kind = binds; *kind && rc == SQLITE_OK; kind++) {
        switch (*kind) {
        case 'i':
            rc = sqlite3_bind_int64(q->stmt, i++, va_arg(ap, int64_t));
            break;
        case 'd': /* SQLite itself turns NaN into NULL */
            rc = sqlite3_bind_double(q->stmt, i++, va_arg(ap, double));
            break;
        case 's':
            rc = sqlite3_bind_text(q->stmt, i++, va_arg(ap, const char *), -1, SQLITE_TRANSIENT);
            break;
        case 'b': {
            const void *data = va_arg(ap, const void *);

            rc = sqlite3_bind_blob64(q->stmt, i++, data, va_arg(ap, size_t), SQLITE_TRANSIENT);
            break;
        }
        case 'f':
            rc = bind_filter(q->stmt, va_arg(ap, const struct filter *), &i);
            break;
        default:
            assert(!"binds: i, d, s, b or f");
        }
    }
    assert(rc != SQLITE_OK || i - 1 == sqlite3_bind_parameter_count(q->stmt));
    return rc == SQLITE_OK ? 0 : store_error(q->st->db, q->st->path, rc, "cannot bind", err);
}

/* A full disk makes SQLite roll back the whole transaction; what follows must not be taken for part
 * of it, committed one by one. */
static int undone(const struct store *st, struct err *err)
{
    return err_set(err, -EIO, "'%s': the transaction was undone by an earlier error", st->path);
}

static int start(struct store *st, struct store_query **ret_q, struct err *err, const char *sql,
                 const char *binds, va_list ap)
{
    struct store_query *q = NULL;
    int rc;

    if (st->depth > 0 && sqlite3_get_autocommit(st->db))
        return undone(st, err);
    rc = get_statement(st, sql, &q, err);
    if (rc < 0)
        return rc;
    rc = bind_all(q, binds, ap, err);
    if (rc < 0) {
        store_query_done(q);
        return rc;
    }
    *ret_q = q;
    return 0;
}

int store_query(struct store *st, struct store_query **ret_q, struct err *err, const char *sql,
                const char *binds, ...)
{
    va_list ap;
    int rc;

    va_start(ap, binds);
    rc = start(st, ret_q, err, sql, binds, ap);
    va_end(ap);
    return rc;
}

int store_exec(struct store *st, struct err *err, const char *sql, const char *binds, ...)
{
    struct store_query *q;
    va_list ap;
    int rc;

    va_start(ap, binds);
    rc = start(st, &q, err, sql, binds, ap);
    va_end(ap);
    if (rc < 0)
        return rc;
    do
        rc = store_step(q, err);
    while (rc == 1);
    store_query_done(q);
    return rc;
}

int64_t store_last_id(struct store *st)
{
    return sqlite3_last_insert_rowid(st->db);
}

int store_step(struct store_query *q, struct err *err)
{
    int rc = sqlite3_step(q->stmt);

    if (rc == SQLITE_ROW)
        return 1;
    if (rc == SQLITE_DONE)
        return 0;
    return store_error(q->st->db, q->st->path, rc, "database error", err);
}

void store_query_done(struct store_query *q)
{
    if (!q)
        return;
    sqlite3_reset(q->stmt);
    sqlite3_clear_bindings(q->stmt); /* long texts and blobs are not kept */
    q->busy = false;
    if (!q->cached) {
        sqlite3_finalize(q->stmt);
        free(q);
    }
}

sqlite3_stmt *store_statement(struct store_query *q)
{
    return q->stmt;
}

/* ---- columns ---- */

int64_t store_int(struct store_query *q, int col)
{
    assert(col >= 0 && col < sqlite3_column_count(q->stmt));
    return sqlite3_column_int64(q->stmt, col);
}

double store_real(struct store_query *q, int col)
{
    return store_null(q, col) ? NAN : sqlite3_column_double(q->stmt, col);
}

const char *store_text(struct store_query *q, int col)
{
    assert(col >= 0 && col < sqlite3_column_count(q->stmt));
    return (const char *)sqlite3_column_text(q->stmt, col);
}

bool store_null(struct store_query *q, int col)
{
    return store_type(q, col) == STORE_NULL;
}

enum store_type store_type(struct store_query *q, int col)
{
    assert(col >= 0 && col < sqlite3_column_count(q->stmt));
    switch (sqlite3_column_type(q->stmt, col)) {
    case SQLITE_INTEGER:
        return STORE_INT;
    case SQLITE_FLOAT:
        return STORE_REAL;
    case SQLITE_TEXT:
        return STORE_TEXT;
    case SQLITE_BLOB:
        return STORE_BLOB;
    default:
        return STORE_NULL;
    }
}

int store_columns(struct store_query *q)
{
    return sqlite3_column_count(q->stmt);
}

const char *store_column_name(struct store_query *q, int col)
{
    return sqlite3_column_name(q->stmt, col);
}

/* ---- transactions ---- */

/* Not through the cache: these are refused there when a transaction was undone. */
static int run(struct store *st, const char *sql, struct err *err)
{
    int rc = sqlite3_exec(st->db, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? 0 : store_error(st->db, st->path, rc, sql, err);
}

int store_begin(struct store *st, struct err *err)
{
    char sql[64];
    int rc;

    if (st->depth > 0 && sqlite3_get_autocommit(st->db))
        return undone(st, err);
    /* IMMEDIATE: wait for other writers here, not in the middle, where waiting cannot help. */
    if (st->depth == 0)
        snprintf(sql, sizeof(sql), st->mode == STORE_WRITE ? "BEGIN IMMEDIATE" : "BEGIN");
    else
        snprintf(sql, sizeof(sql), "SAVEPOINT depth_%d", st->depth);
    rc = run(st, sql, err);
    if (rc == 0)
        st->depth++;
    return rc;
}

int store_end(struct store *st, bool commit, struct err *err)
{
    char sql[96];
    int rc;

    assert(st->depth > 0);
    st->depth--;
    if (sqlite3_get_autocommit(st->db)) {
        if (!commit)
            return 0; /* SQLite was quicker */
        return undone(st, err);
    }
    if (st->depth > 0) {
        if (commit)
            snprintf(sql, sizeof(sql), "RELEASE depth_%d", st->depth);
        else
            snprintf(sql, sizeof(sql), "ROLLBACK TO depth_%d; RELEASE depth_%d", st->depth,
                     st->depth);
        return run(st, sql, err);
    }
    rc = run(st, commit ? "COMMIT" : "ROLLBACK", err);
    if (rc < 0 && !sqlite3_get_autocommit(st->db))
        sqlite3_exec(st->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}
