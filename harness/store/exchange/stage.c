#include "harness/store/exchange/stage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/store/internal.h"

/* SQLite's own steps between two looks at `interrupted`. */
#define STEPS 10000

int stage_error(struct stage *s, int rc, const char *what, struct err *err)
{
    switch (rc & 0xff) {
    case SQLITE_FULL:
    case SQLITE_IOERR:
        return err_set(err, -ENOSPC,
                       "'%s': no room for a temporary copy: SQLITE_TMPDIR names "
                       "a folder with more",
                       s->from);
    case SQLITE_CONSTRAINT:
        return err_set(err, -EINVAL, "'%s': %s: %s", s->from, what, sqlite3_errmsg(s->db));
    default:
        return store_error(s->db, s->from, rc, what, err);
    }
}

static int is_interrupted(void *ctx)
{
    const struct stage *s = ctx;

    return s->interrupted && *s->interrupted;
}

int stage_new(const char *from, int version, const volatile sig_atomic_t *interrupted,
              struct stage **ret_stage, struct err *err)
{
    struct stage *s = calloc(1, sizeof(*s));
    int rc;

    if (s)
        s->from = strdup(from);
    if (!s || !s->from) {
        rc = err_set(err, -ENOMEM, "out of memory");
        goto fail;
    }
    s->version = version;
    s->interrupted = interrupted;
    /* A database without a name is a temporary file, already unlinked: kill -9 leaves nothing. */
    rc = sqlite3_open_v2("", &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    if (rc == SQLITE_OK) {
        /* What it is merged into may have been somebody else's once. */
        sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
        sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        sqlite3_extended_result_codes(s->db, 1);
        sqlite3_progress_handler(s->db, STEPS, is_interrupted, s);
        rc = sqlite3_exec(s->db, "PRAGMA journal_mode = MEMORY; PRAGMA foreign_keys = ON", NULL,
                          NULL, NULL);
    }
    if (rc != SQLITE_OK) {
        rc = stage_error(s, rc, "cannot make a temporary copy", err);
        goto fail;
    }
    rc = store_build(s->db, from, 0, version, err);
    if (rc == 0)
        rc = tables_read(s->db, from, &s->tables, err);
    if (rc == 0 && sqlite3_exec(s->db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
        rc = stage_error(s, SQLITE_ERROR, "cannot make a temporary copy", err);
    if (rc < 0)
        goto fail;
    *ret_stage = s;
    return 0;
fail:
    stage_free(s);
    return rc;
}

void stage_free(struct stage *s)
{
    if (!s)
        return;
    tables_done(&s->tables);
    sqlite3_close(s->db);
    free(s->from);
    free(s);
}

/* ---- rows ---- */

int stage_inserter(struct stage *s, int table, sqlite3_stmt **ret_q, struct err *err)
{
    const struct table_def *t = &s->tables.table[table];
    sqlite3_str *sql = sqlite3_str_new(s->db);
    char *text;
    int rc;

    sqlite3_str_appendf(sql, "INSERT INTO \"%w\" VALUES (?", t->name);
    for (int c = 1; c < t->n; c++)
        sqlite3_str_appendall(sql, ", ?");
    sqlite3_str_appendall(sql, ")");
    text = sqlite3_str_finish(sql);
    if (!text)
        return err_set(err, -ENOMEM, "out of memory");
    rc = sqlite3_prepare_v2(s->db, text, -1, ret_q, NULL);
    sqlite3_free(text);
    return rc == SQLITE_OK ? 0 : stage_error(s, rc, t->name, err);
}

/* Bytes of the UTF-8 sequence at p, of which n are left; 0: none begins here. */
static size_t sequence(const unsigned char *p, size_t n)
{
    size_t want = p[0] < 0x80   ? 1
                  : p[0] < 0xc2 ? 0
                  : p[0] < 0xe0 ? 2
                  : p[0] < 0xf0 ? 3
                  : p[0] < 0xf5 ? 4
                                : 0;

    if (want == 0 || want > n)
        return 0;
    for (size_t i = 1; i < want; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    /* Overlong, surrogates, beyond U+10FFFF: RFC 3629. */
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return want;
}

int stage_check_text(const char *text, size_t n, struct err *err)
{
    if (n > STORE_MAX_VALUE)
        return err_set(err, -E2BIG, "a text of more than %d MiB", STORE_MAX_VALUE >> 20);
    for (size_t i = 0, k; i < n; i += k) {
        k = sequence((const unsigned char *)text + i, n - i);
        if (k == 0)
            return err_set(err, -EINVAL, "a text that is not UTF-8");
        if (text[i] == '\0')
            return err_set(err, -EINVAL, "a text with a zero byte in it");
    }
    return 0;
}

int stage_insert(struct stage *s, int table, sqlite3_stmt *q, struct err *err)
{
    const struct table_def *t = &s->tables.table[table];
    int rc = sqlite3_step(q);
    int64_t id = sqlite3_last_insert_rowid(s->db);
    char what[96];

    snprintf(what, sizeof(what), "table %s", t->name);
    sqlite3_reset(q);
    sqlite3_clear_bindings(q);
    if (rc != SQLITE_DONE)
        return stage_error(s, rc, what, err);
    s->rows++;
    for (int c = 0; c < t->n; c++) /* beyond, doubles and scripts cannot hold an id */
        if (t->column[c].id && (id < 1 || id >= INT64_C(1) << 53))
            return err_set(err, -EINVAL, "'%s': %s: id %" PRId64 ": want 1 to 2^53 - 1", s->from,
                           what, id);
    if (is_interrupted(s))
        return err_set(err, -EINTR, "interrupted");
    return 0;
}

/* Foreign keys were on all the while, but a table may refer to itself or to one after it. */
static int check_references(struct stage *s, struct err *err)
{
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(s->db, "PRAGMA foreign_key_check", -1, &q, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(q);
    if (rc == SQLITE_ROW)
        rc = err_set(err, -EINVAL, "'%s': table %s, row %s: there is no such %s", s->from,
                     (const char *)sqlite3_column_text(q, 0),
                     sqlite3_column_text(q, 1) ? (const char *)sqlite3_column_text(q, 1) : "",
                     (const char *)sqlite3_column_text(q, 2));
    else
        rc = rc == SQLITE_DONE ? 0 : stage_error(s, rc, "cannot check", err);
    sqlite3_finalize(q);
    return rc;
}

int stage_finish(struct stage *s, struct err *err)
{
    int rc = sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);

    rc = rc == SQLITE_OK ? check_references(s, err) : stage_error(s, rc, "cannot copy", err);
    if (rc == 0)
        rc = store_build(s->db, s->from, s->version, store_newest(), err);
    if (rc < 0)
        return rc;
    tables_done(&s->tables);
    return tables_read(s->db, s->from, &s->tables, err);
}
