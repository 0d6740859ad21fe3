#include "harness/store/tables.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/store/internal.h"

/* Ids that stand in texts: no foreign key says so. */
static const struct {
    const char *table, *column, *of;
} in_text[] = {
    {"plan", "capacity_source", "regressor"},
};

/* What they refer to is among them. */
bool tables_of_sweeps(const char *name)
{
    static const char *const names[] = {"device", "session", "config", "sample", "repeat"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* -1: none */
static int find(const struct tables *t, const char *name)
{
    for (int i = 0; i < t->n; i++)
        if (strcmp(t->table[i].name, name) == 0)
            return i;
    return -1;
}

int tables_owner_column(const struct table_def *t)
{
    assert(t->owner >= 0);
    for (int c = 0; c < t->n; c++)
        if (t->column[c].pk == 1)
            return c;
    return -1;
}

static int find_column(const struct table_def *t, const char *name)
{
    for (int c = 0; c < t->n; c++)
        if (strcmp(t->column[c].name, name) == 0)
            return c;
    return -1;
}

void tables_put_mapped(sqlite3_str *sql, const struct tables *t, const struct column_def *c)
{
    const char *of = c->references >= 0 ? t->table[c->references].name : NULL;

    if (!of)
        sqlite3_str_appendf(sql, "m.\"%w\"", c->name);
    else if (!c->in_text)
        sqlite3_str_appendf(sql, "(SELECT dst FROM temp.\"map_%w\" WHERE src = m.\"%w\")", of,
                            c->name);
    else
        sqlite3_str_appendf(sql,
                            "coalesce((SELECT '%q ' || dst FROM temp.\"map_%w\""
                            " WHERE m.\"%w\" = '%q ' || src), m.\"%w\")",
                            of, of, c->name, of, c->name);
}

void tables_done(struct tables *t)
{
    for (int i = 0; i < t->n; i++) {
        for (int c = 0; c < t->table[i].n; c++)
            free(t->table[i].column[c].name);
        free(t->table[i].column);
        free(t->table[i].name);
    }
    free(t->table);
    *t = (struct tables){0};
}

/* ---- from SQLite ---- */

static enum store_type type_of(const char *declared)
{
    if (strcmp(declared, "INTEGER") == 0 || strcmp(declared, "INT") == 0)
        return STORE_INT;
    if (strcmp(declared, "REAL") == 0)
        return STORE_REAL;
    return strcmp(declared, "TEXT") == 0 ? STORE_TEXT : STORE_BLOB;
}

static const char *text(sqlite3_stmt *q, int col)
{
    const char *s = (const char *)sqlite3_column_text(q, col);

    return s ? s : "";
}

/* Calls `each` for the rows of a query with one parameter. SQLITE_OK or a code. */
static int for_rows(sqlite3 *db, const char *sql, const char *name,
                    int (*each)(struct tables *, struct table_def *, sqlite3_stmt *),
                    struct tables *all, struct table_def *t)
{
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &q, NULL);

    if (rc == SQLITE_OK && name)
        rc = sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
    while (rc == SQLITE_OK && (rc = sqlite3_step(q)) == SQLITE_ROW)
        rc = each(all, t, q);
    sqlite3_finalize(q);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int add_table(struct tables *all, struct table_def *unused, sqlite3_stmt *q)
{
    struct table_def *more = realloc(all->table, ((size_t)all->n + 1) * sizeof(*more));

    (void)unused;
    if (!more)
        return SQLITE_NOMEM;
    all->table = more;
    more[all->n] = (struct table_def){.name = strdup(text(q, 0)), .owner = -1};
    return more[all->n++].name ? SQLITE_OK : SQLITE_NOMEM;
}

static int add_column(struct tables *all, struct table_def *t, sqlite3_stmt *q)
{
    struct column_def *more = realloc(t->column, ((size_t)t->n + 1) * sizeof(*more));

    (void)all;
    if (!more)
        return SQLITE_NOMEM;
    t->column = more;
    more[t->n] = (struct column_def){.name = strdup(text(q, 0)),
                                     .type = type_of(text(q, 1)),
                                     .not_null = sqlite3_column_int(q, 2),
                                     .pk = sqlite3_column_int(q, 3),
                                     .references = -1};
    return more[t->n++].name ? SQLITE_OK : SQLITE_NOMEM;
}

static int add_reference(struct tables *all, struct table_def *t, sqlite3_stmt *q)
{
    int c = find_column(t, text(q, 0));

    assert(c >= 0 && strcmp(text(q, 2), "id") == 0); /* our own schema */
    t->column[c].references = find(all, text(q, 1));
    return SQLITE_OK;
}

static int add_key(struct tables *all, struct table_def *t, sqlite3_stmt *q)
{
    int c = find_column(t, text(q, 0));

    (void)all;
    assert(c >= 0);
    t->column[c].key = t->keyed = true;
    return SQLITE_OK;
}

static int read_table(sqlite3 *db, struct tables *all, struct table_def *t)
{
    int rc = for_rows(db, "SELECT name, type, \"notnull\", pk FROM pragma_table_xinfo(?)", t->name,
                      add_column, all, t);
    int in_key = 0;

    if (rc == SQLITE_OK)
        rc = for_rows(db, "SELECT \"from\", \"table\", \"to\" FROM pragma_foreign_key_list(?)",
                      t->name, add_reference, all, t);
    if (rc == SQLITE_OK) /* the first constraint, should there be several */
        rc = for_rows(db,
                      "SELECT i.name FROM (SELECT name FROM pragma_index_list(?1) "
                      "WHERE origin = 'u' ORDER BY seq DESC LIMIT 1) AS u, "
                      "pragma_index_info(u.name) AS i",
                      t->name, add_key, all, t);
    for (int c = 0; c < t->n; c++)
        in_key += t->column[c].pk > 0;
    for (int c = 0; c < t->n; c++) {
        struct column_def *d = &t->column[c];

        d->id = in_key == 1 && d->pk == 1 && d->type == STORE_INT;
        if (in_key > 1 && d->pk > 0)
            d->key = t->keyed = true;
        if (in_key > 1 && d->pk == 1)
            t->owner = d->references;
        for (size_t k = 0; k < sizeof(in_text) / sizeof(in_text[0]); k++)
            if (strcmp(t->name, in_text[k].table) == 0 && strcmp(d->name, in_text[k].column) == 0) {
                d->references = find(all, in_text[k].of);
                d->in_text = d->references >= 0;
            }
    }
    return rc;
}

/* ---- order ---- */

static bool refers_to_unplaced(const struct table_def *t, int owner, const bool *placed)
{
    for (int c = 0; c < t->n; c++) {
        int to = t->column[c].references;

        if (to >= 0 && to != owner && !placed[to])
            return true;
    }
    return false;
}

/* May table i come next? Its parts are copied with it: they have to find what they refer to. */
static bool is_ready(const struct tables *all, int i, const bool *placed)
{
    const struct table_def *t = &all->table[i];

    if (placed[i] || refers_to_unplaced(t, -1, placed))
        return false;
    for (int p = 0; p < all->n && t->owner < 0; p++)
        if (all->table[p].owner == i && refers_to_unplaced(&all->table[p], i, placed))
            return false;
    return true;
}

static bool sort(struct tables *all)
{
    struct table_def sorted[64];
    bool placed[64] = {false};
    int at[64], n = 0;

    assert(all->n <= 64);
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < all->n && !moved; i++)
            if (is_ready(all, i, placed)) {
                placed[i] = moved = true;
                at[i] = n;
                sorted[n++] = all->table[i];
            }
    }
    if (n < all->n)
        return false;
    memcpy(all->table, sorted, (size_t)n * sizeof(sorted[0]));
    for (int i = 0; i < n; i++) {
        if (all->table[i].owner >= 0)
            all->table[i].owner = at[all->table[i].owner];
        for (int c = 0; c < all->table[i].n; c++) {
            int *to = &all->table[i].column[c].references;

            *to = *to >= 0 ? at[*to] : -1;
        }
    }
    return true;
}

int tables_read(sqlite3 *db, const char *path, struct tables *ret_t, struct err *err)
{
    struct tables all = {0};
    int rc = for_rows(db,
                      "SELECT name FROM sqlite_schema WHERE type = 'table' "
                      "AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY rowid",
                      NULL, add_table, &all, NULL);

    for (int i = 0; i < all.n && rc == SQLITE_OK; i++)
        rc = read_table(db, &all, &all.table[i]);
    if (rc != SQLITE_OK) {
        rc = store_error(db, path, rc, "cannot read the schema", err);
        goto fail;
    }
    for (int i = 0; i < all.n; i++) {
        bool id = false;

        for (int c = 0; c < all.table[i].n; c++)
            id = id || all.table[i].column[c].id;
        if (!id && !all.table[i].keyed) {
            rc = err_set(err, -EINVAL,
                         "'%s': table '%s' has neither an id nor a key of several "
                         "columns: rows cannot be told apart",
                         path, all.table[i].name);
            goto fail;
        }
    }
    if (!sort(&all)) {
        rc = err_set(err, -EINVAL, "'%s': tables refer to each other in a circle", path);
        goto fail;
    }
    *ret_t = all;
    return 0;
fail:
    tables_done(&all);
    return rc;
}
