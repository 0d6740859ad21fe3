/* harness/store/exchange/merge.c - rows of a stage into the database, whatever its tables.
 *
 * In the stage's connection main is the source and dest the database. For each table T there are
 *   temp.of_T    the source's rows with the ids of dest in place of its own, and src: the id there
 *   temp.map_T   which row of dest a row of the source is; see tables_put_mapped()
 * Both are filled table by table; what a table refers to comes before it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness/store/exchange/stage.h"
#include "harness/store/internal.h"

/* Values that drift though the row is the same: the least stays. A driver makes up limits from the
 * memory of the moment; a version of the program decides how a configuration is launched, and of
 * two ratios that are rounded to the same load one was asked for first. */
static const struct {
    const char *table, *column;
} drifting[] = {
    {"device", "image_width"},   {"device", "image_height"}, {"device", "local_bytes"},
    {"device", "max_group"},     {"device", "timer_ns"},     {"config", "class"},
    {"config", "gws"},           {"config", "lws"},          {"config", "tile"},
    {"config", "loop_order"},    {"config", "extra_ratio"},
};

static bool drifts(const struct table_def *t, const struct column_def *c)
{
    for (size_t i = 0; i < sizeof(drifting) / sizeof(drifting[0]); i++)
        if (strcmp(t->name, drifting[i].table) == 0 && strcmp(c->name, drifting[i].column) == 0)
            return true;
    return false;
}

/* ---- SQL in the making ---- */

/* Runs and frees it. SQLITE_OK or a code. */
static int run(struct stage *s, sqlite3_str *sql)
{
    char *text = sqlite3_str_finish(sql);
    int rc = text ? sqlite3_exec(s->db, text, NULL, NULL, NULL) : SQLITE_NOMEM;

    sqlite3_free(text);
    return rc;
}

static int prepare(struct stage *s, sqlite3_str *sql, sqlite3_stmt **ret_q)
{
    char *text = sqlite3_str_finish(sql);
    int rc = text ? sqlite3_prepare_v2(s->db, text, -1, ret_q, NULL) : SQLITE_NOMEM;

    sqlite3_free(text);
    return rc;
}

/* "x", "y", each behind `prefix`; the id only `with_id`. */
static void put_columns(sqlite3_str *sql, const struct table_def *t, const char *prefix,
                        bool with_id)
{
    const char *comma = "";

    for (int c = 0; c < t->n; c++)
        if (with_id || !t->column[c].id) {
            sqlite3_str_appendf(sql, "%s%s\"%w\"", comma, prefix, t->column[c].name);
            comma = ", ";
        }
}

/* d is the row that o is: by its key, or in all but its id. */
static void put_same(sqlite3_str *sql, const struct table_def *t)
{
    const char *and = "";

    for (int c = 0; c < t->n; c++) {
        const struct column_def *d = &t->column[c];

        if (t->keyed ? !d->key : d->id)
            continue;
        sqlite3_str_appendf(sql, "%sd.\"%w\" %s o.\"%w\"", and, d->name, d->not_null ? "=" : "IS",
                            d->name);
        and = " AND ";
    }
}

/* temp.of_T and temp.map_T of a table. */
static int make_views(struct stage *s, const struct table_def *t)
{
    sqlite3_str *sql = sqlite3_str_new(s->db);
    const char *id = "NULL";

    if (t->owner >= 0)
        id = t->column[tables_owner_column(t)].name;
    for (int c = 0; c < t->n; c++)
        if (t->column[c].id) {
            id = t->column[c].name;
            sqlite3_str_appendf(sql,
                                "CREATE TEMP TABLE \"map_%w\" (src INTEGER PRIMARY KEY,"
                                " dst INTEGER NOT NULL UNIQUE);\n",
                                t->name);
        }
    sqlite3_str_appendf(sql, "CREATE TEMP VIEW \"of_%w\" AS SELECT %s AS src", t->name, id);
    for (int c = 0; c < t->n; c++)
        if (!t->column[c].id) {
            sqlite3_str_appendall(sql, ", ");
            tables_put_mapped(sql, &s->tables, &t->column[c]);
            sqlite3_str_appendf(sql, " AS \"%w\"", t->column[c].name);
        }
    sqlite3_str_appendf(sql, " FROM main.\"%w\" AS m", t->name);
    return run(s, sql);
}

/* ---- tables with a key ---- */

/* A row that is there and says something else. Whoever made one of the two changed it: sessions
 * are measured once. */
static int check_conflicts(struct stage *s, const struct table_def *t, const char *db_path,
                           struct err *err)
{
    sqlite3_str *sql = sqlite3_str_new(s->db);
    sqlite3_stmt *q = NULL;
    const char * or = "";
    int rc;

    sqlite3_str_appendall(sql, "SELECT o.src, CASE");
    for (int c = 0; c < t->n; c++)
        if (!t->column[c].key && !t->column[c].id && !drifts(t, &t->column[c]))
            sqlite3_str_appendf(sql, " WHEN d.\"%w\" <> o.\"%w\" THEN '%q'", t->column[c].name,
                                t->column[c].name, t->column[c].name);
    sqlite3_str_appendf(sql,
                        " WHEN 0 THEN '' END AS other FROM temp.\"of_%w\" AS o CROSS"
                        " JOIN dest.\"%w\" AS d ON ",
                        t->name, t->name);
    put_same(sql, t);
    sqlite3_str_appendall(sql, " WHERE 0");
    or = " OR ";
    for (int c = 0; c < t->n; c++)
        if (!t->column[c].key && !t->column[c].id && !drifts(t, &t->column[c]))
            sqlite3_str_appendf(sql, "%sd.\"%w\" <> o.\"%w\"", or, t->column[c].name,
                                t->column[c].name);
    sqlite3_str_appendall(sql, " LIMIT 1");
    rc = prepare(s, sql, &q);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(q);
    if (rc == SQLITE_ROW)
        rc = err_set(err, -EEXIST,
                     "'%s': %s of row %s in %s is not what '%s' has of the same row: one of the "
                     "two was changed; nothing of it was merged",
                     s->from, (const char *)sqlite3_column_text(q, 1),
                     (const char *)sqlite3_column_text(q, 0), t->name, db_path);
    else
        rc = rc == SQLITE_DONE ? 0 : store_error(s->db, db_path, rc, t->name, err);
    sqlite3_finalize(q);
    return rc;
}

/* What was unknown and what drifts. SQLITE_OK or a code. */
static int fill(struct stage *s, const struct table_def *t, int64_t *filled)
{
    sqlite3_str *set = sqlite3_str_new(s->db), *where = sqlite3_str_new(s->db), *sql;
    int n = 0, rc;
    char *text;

    for (int c = 0; c < t->n; c++) {
        const struct column_def *d = &t->column[c];
        const char *comma = n ? ", " : "", * or = n ? " OR " : "";

        if (d->key || d->id || (d->not_null && !drifts(t, d)))
            continue;
        n++;
        if (drifts(t, d)) {
            sqlite3_str_appendf(set, "%s\"%w\" = min(d.\"%w\", o.\"%w\")", comma, d->name, d->name,
                                d->name);
            sqlite3_str_appendf(where, "%sd.\"%w\" > o.\"%w\"", or, d->name, d->name);
        } else {
            sqlite3_str_appendf(set, "%s\"%w\" = coalesce(d.\"%w\", o.\"%w\")", comma, d->name,
                                d->name, d->name);
            sqlite3_str_appendf(where, "%s(d.\"%w\" IS NULL AND o.\"%w\" IS NOT NULL)", or, d->name,
                                d->name);
        }
    }
    sql = sqlite3_str_new(s->db);
    text = sqlite3_str_finish(set);
    sqlite3_str_appendf(sql, "UPDATE dest.\"%w\" AS d SET %s FROM temp.\"of_%w\" AS o WHERE ",
                        t->name, text ? text : "", t->name);
    sqlite3_free(text);
    put_same(sql, t);
    text = sqlite3_str_finish(where);
    sqlite3_str_appendf(sql, " AND (%s)", text ? text : "");
    sqlite3_free(text);
    if (n == 0) {
        sqlite3_free(sqlite3_str_finish(sql));
        return SQLITE_OK;
    }
    rc = run(s, sql);
    if (rc == SQLITE_OK)
        *filled += sqlite3_changes(s->db);
    return rc;
}

static int add_missing(struct stage *s, const struct table_def *t, int64_t *added)
{
    sqlite3_str *sql = sqlite3_str_new(s->db);
    int rc;

    sqlite3_str_appendf(sql, "INSERT INTO dest.\"%w\" (", t->name);
    put_columns(sql, t, "", false);
    sqlite3_str_appendall(sql, ") SELECT ");
    put_columns(sql, t, "o.", false);
    sqlite3_str_appendf(sql,
                        " FROM temp.\"of_%w\" AS o WHERE NOT EXISTS (SELECT 1 FROM dest.\"%w\""
                        " AS d WHERE ",
                        t->name, t->name);
    put_same(sql, t);
    sqlite3_str_appendall(sql, ") ORDER BY o.src");
    rc = run(s, sql);
    if (rc == SQLITE_OK)
        *added += sqlite3_changes(s->db);
    return rc;
}

static int map_rows(struct stage *s, const struct table_def *t)
{
    sqlite3_str *sql;

    for (int c = 0; c < t->n; c++)
        if (t->column[c].id) {
            sql = sqlite3_str_new(s->db);
            sqlite3_str_appendf(sql,
                                "INSERT INTO temp.\"map_%w\" SELECT o.src, d.\"%w\" FROM"
                                " temp.\"of_%w\" AS o CROSS JOIN dest.\"%w\" AS d ON ",
                                t->name, t->column[c].name, t->name, t->name);
            put_same(sql, t);
            return run(s, sql);
        }
    return SQLITE_OK;
}

static int merge_keyed(struct stage *s, const struct table_def *t, const char *db_path,
                       struct merge_count *n, struct err *err)
{
    int64_t added = 0;
    int rc = check_conflicts(s, t, db_path, err);

    if (rc < 0)
        return rc;
    rc = fill(s, t, &n->filled);
    if (rc == SQLITE_OK)
        rc = add_missing(s, t, &added);
    if (rc == SQLITE_OK)
        rc = map_rows(s, t);
    n->new_rows += added;
    if (strcmp(t->name, "session") == 0)
        n->new_sessions += added;
    return rc == SQLITE_OK ? 0 : store_error(s->db, db_path, rc, t->name, err);
}

/* ---- tables without: a row is all that it says, with its parts ---- */

/* Of a part: all columns but its owner's id. */
static void put_rest(sqlite3_str *sql, const struct table_def *part)
{
    const char *comma = "";

    for (int c = 0; c < part->n; c++)
        if (c != tables_owner_column(part)) {
            sqlite3_str_appendf(sql, "%s\"%w\"", comma, part->column[c].name);
            comma = ", ";
        }
}

/* temp.like_T: rows of the source and those of dest that agree in all columns, found in one query,
 * for which SQLite makes an index of its own. SQLITE_OK or a code. */
static int find_like(struct stage *s, const struct table_def *t)
{
    sqlite3_str *sql = sqlite3_str_new(s->db);

    sqlite3_str_appendf(sql,
                        "CREATE TEMP TABLE \"like_%w\" (src INTEGER, dst INTEGER,"
                        " PRIMARY KEY (src, dst)) WITHOUT ROWID;"
                        "INSERT INTO temp.\"like_%w\" SELECT o.src, d.id FROM temp.\"of_%w\" AS o"
                        " CROSS JOIN dest.\"%w\" AS d ON ",
                        t->name, t->name, t->name, t->name);
    put_same(sql, t);
    return run(s, sql);
}

/* The row of dest that row ?1 of the source is and that no other row of it was found to be. Rows
 * may be there twice; a merge keeps as many as the side that has more. */
static int prepare_find(struct stage *s, int table, sqlite3_stmt **ret_q)
{
    const struct table_def *t = &s->tables.table[table];
    sqlite3_str *sql = sqlite3_str_new(s->db);

    sqlite3_str_appendf(sql,
                        "SELECT d.dst FROM temp.\"like_%w\" AS d WHERE d.src = ?1"
                        " AND NOT EXISTS (SELECT 1 FROM temp.\"map_%w\" WHERE dst = d.dst)",
                        t->name, t->name);
    for (int p = 0; p < s->tables.n; p++) {
        const struct table_def *part = &s->tables.table[p];

        for (int turn = 0; turn < 2 && part->owner == table; turn++) {
            const char *owner = part->column[tables_owner_column(part)].name;

            sqlite3_str_appendall(sql, " AND NOT EXISTS (SELECT ");
            put_rest(sql, part);
            if (turn == 0)
                sqlite3_str_appendf(sql, " FROM temp.\"of_%w\" WHERE src = ?1 EXCEPT SELECT ",
                                    part->name);
            else
                sqlite3_str_appendf(sql, " FROM dest.\"%w\" WHERE \"%w\" = d.dst EXCEPT SELECT ",
                                    part->name, owner);
            put_rest(sql, part);
            if (turn == 0)
                sqlite3_str_appendf(sql, " FROM dest.\"%w\" WHERE \"%w\" = d.dst)", part->name,
                                    owner);
            else
                sqlite3_str_appendf(sql, " FROM temp.\"of_%w\" WHERE src = ?1)", part->name);
        }
    }
    sqlite3_str_appendall(sql, " ORDER BY d.dst LIMIT 1");
    return prepare(s, sql, ret_q);
}

/* Row ?1 of a table, or the parts of row ?1 of their owner, which is ?2 in dest. */
static int prepare_copy(struct stage *s, const struct table_def *t, sqlite3_stmt **ret_q)
{
    sqlite3_str *sql = sqlite3_str_new(s->db);

    if (t->owner < 0) {
        sqlite3_str_appendf(sql, "INSERT INTO dest.\"%w\" (", t->name);
        put_columns(sql, t, "", false);
        sqlite3_str_appendall(sql, ") SELECT ");
        put_columns(sql, t, "", false);
    } else {
        sqlite3_str_appendf(sql, "INSERT INTO dest.\"%w\" (\"%w\", ", t->name,
                            t->column[tables_owner_column(t)].name);
        put_rest(sql, t);
        sqlite3_str_appendall(sql, ") SELECT ?2, ");
        put_rest(sql, t);
    }
    sqlite3_str_appendf(sql, " FROM temp.\"of_%w\" WHERE src = ?1", t->name);
    return prepare(s, sql, ret_q);
}

/* Binds, steps once, and leaves a row, if there is one, to be read. SQLITE_ROW, DONE or a code. */
static int step(sqlite3_stmt *q, int n, int64_t a, int64_t b)
{
    int rc = sqlite3_reset(q);

    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(q, 1, a);
    if (rc == SQLITE_OK && n > 1)
        rc = sqlite3_bind_int64(q, 2, b);
    return rc == SQLITE_OK ? sqlite3_step(q) : rc;
}

enum { LIST, FIND, MAP, COPY, STATEMENTS }; /* COPY and on: the table's, then those of its parts */

static int merge_row(struct stage *s, sqlite3_stmt **q, int n_copies, int64_t src, int64_t *added)
{
    int64_t dst;
    int rc = step(q[FIND], 1, src, 0);

    if (rc == SQLITE_ROW)
        return step(q[MAP], 2, src, sqlite3_column_int64(q[FIND], 0));
    if (rc == SQLITE_DONE)
        rc = step(q[COPY], 1, src, 0);
    dst = sqlite3_last_insert_rowid(s->db);
    for (int i = 0; i < n_copies && rc == SQLITE_DONE; i++) {
        if (i > 0)
            rc = step(q[COPY + i], 2, src, dst);
        *added += sqlite3_changes(s->db);
    }
    return rc == SQLITE_DONE ? step(q[MAP], 2, src, dst) : rc;
}

static int merge_unkeyed(struct stage *s, int table, const char *db_path, struct merge_count *n,
                         struct err *err)
{
    const struct table_def *t = &s->tables.table[table];
    sqlite3_stmt *q[STATEMENTS + 64] = {NULL};
    sqlite3_str *list = sqlite3_str_new(s->db), *map = sqlite3_str_new(s->db);
    int n_copies = 1, rc;

    sqlite3_str_appendf(list, "SELECT id FROM main.\"%w\" ORDER BY id", t->name);
    sqlite3_str_appendf(map, "INSERT INTO temp.\"map_%w\" VALUES (?1, ?2)", t->name);
    rc = prepare(s, list, &q[LIST]);
    if (rc == SQLITE_OK)
        rc = prepare(s, map, &q[MAP]);
    else
        sqlite3_free(sqlite3_str_finish(map));
    if (rc == SQLITE_OK)
        rc = find_like(s, t);
    if (rc == SQLITE_OK)
        rc = prepare_find(s, table, &q[FIND]);
    if (rc == SQLITE_OK)
        rc = prepare_copy(s, t, &q[COPY]);
    for (int p = 0; p < s->tables.n && rc == SQLITE_OK; p++)
        if (s->tables.table[p].owner == table)
            rc = prepare_copy(s, &s->tables.table[p], &q[COPY + n_copies++]);
    while (rc == SQLITE_OK && (rc = sqlite3_step(q[LIST])) == SQLITE_ROW) {
        rc = merge_row(s, q, n_copies, sqlite3_column_int64(q[LIST], 0), &n->new_rows);
        rc = rc == SQLITE_DONE ? SQLITE_OK : rc;
    }
    rc = rc == SQLITE_DONE ? 0 : store_error(s->db, db_path, rc, t->name, err);
    for (int i = 0; i < COPY + n_copies; i++)
        sqlite3_finalize(q[i]);
    return rc;
}

/* ---- all tables ---- */

static int is_empty(struct stage *s, bool *ret_empty)
{
    sqlite3_str *sql = sqlite3_str_new(s->db);
    sqlite3_stmt *q = NULL;
    int rc;

    sqlite3_str_appendall(sql, "SELECT 0");
    for (int i = 0; i < s->tables.n; i++)
        sqlite3_str_appendf(sql, " OR EXISTS (SELECT 1 FROM dest.\"%w\")", s->tables.table[i].name);
    rc = prepare(s, sql, &q);
    if (rc == SQLITE_OK && (rc = sqlite3_step(q)) == SQLITE_ROW)
        *ret_empty = !sqlite3_column_int(q, 0);
    sqlite3_finalize(q);
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

/* Into an empty database: as they are, so that an export comes back with the ids that it had. */
static int copy_all(struct stage *s, struct merge_count *n)
{
    int rc = SQLITE_OK;

    for (int i = 0; i < s->tables.n && rc == SQLITE_OK; i++) {
        const struct table_def *t = &s->tables.table[i];
        sqlite3_str *sql = sqlite3_str_new(s->db);

        sqlite3_str_appendf(sql, "INSERT INTO dest.\"%w\" (", t->name);
        put_columns(sql, t, "", true);
        sqlite3_str_appendall(sql, ") SELECT ");
        put_columns(sql, t, "", true);
        sqlite3_str_appendf(sql, " FROM main.\"%w\"", t->name);
        rc = run(s, sql);
        if (rc != SQLITE_OK)
            break;
        n->new_rows += sqlite3_changes(s->db);
        if (strcmp(t->name, "session") == 0)
            n->new_sessions = sqlite3_changes(s->db);
    }
    return rc;
}

static int merge_all(struct stage *s, const char *db_path, struct merge_count *n, struct err *err)
{
    bool empty = false;
    int rc = is_empty(s, &empty);

    if (rc == SQLITE_OK && empty)
        rc = copy_all(s, n);
    if (rc != SQLITE_OK)
        return store_error(s->db, db_path, rc, "cannot merge", err);
    for (int i = 0; i < s->tables.n && !empty && rc == 0; i++) {
        rc = make_views(s, &s->tables.table[i]);
        if (rc != SQLITE_OK)
            rc = stage_error(s, rc, s->tables.table[i].name, err);
    }
    for (int i = 0; i < s->tables.n && !empty && rc == 0; i++) {
        const struct table_def *t = &s->tables.table[i];

        if (!t->keyed)
            rc = merge_unkeyed(s, i, db_path, n, err);
        else if (t->owner < 0 || s->tables.table[t->owner].keyed) /* else: with its owner */
            rc = merge_keyed(s, t, db_path, n, err);
    }
    return rc;
}

static int attach(struct stage *s, const char *db_path, struct err *err)
{
    char *plain = store_plain_path(db_path);
    sqlite3_stmt *q = NULL;
    int rc = plain ? sqlite3_prepare_v2(s->db, "ATTACH ? AS dest", -1, &q, NULL) : SQLITE_NOMEM;

    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(q, 1, plain, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(q);
    sqlite3_finalize(q);
    free(plain);
    if (rc == SQLITE_DONE)
        rc = sqlite3_exec(s->db, "PRAGMA dest.synchronous = NORMAL", NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : store_error(s->db, db_path, rc, "cannot open", err);
}

int stage_merge(struct stage *s, const char *db_path, struct merge_count *ret_count,
                struct err *err)
{
    struct merge_count n = {.schema = s->version, .rows = s->rows};
    struct store *st = NULL;
    int rc = store_open(db_path, STORE_WRITE, &st, err); /* ours? then made, and brought up */

    store_close(st);
    if (rc == 0)
        rc = attach(s, db_path, err);
    if (rc < 0)
        return rc;
    sqlite3_busy_timeout(s->db, STORE_BUSY_MS);
    rc = sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    rc = rc == SQLITE_OK ? merge_all(s, db_path, &n, err)
                         : store_error(s->db, db_path, rc, "cannot write", err);
    if (rc == 0) {
        rc = sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
        rc = rc == SQLITE_OK ? 0 : store_error(s->db, db_path, rc, "cannot write", err);
    }
    if (!sqlite3_get_autocommit(s->db))
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_exec(s->db, "DETACH dest", NULL, NULL, NULL);
    if (rc == 0)
        *ret_count = n;
    return rc;
}
