/* harness/store/tables.h - the schema as data, read from a database of ours, so that copying,
 * merging and exporting know no table by name. Private to this room.
 *
 * What makes a row the same row in another database:
 *   keyed    its UNIQUE constraint, or its primary key of several columns
 *   else     (an id and nothing more) all its columns and all its parts
 * A part is a row of a table whose primary key begins with the id of its owner. */
#ifndef FLASHMEM_HARNESS_STORE_TABLES_H
#define FLASHMEM_HARNESS_STORE_TABLES_H

#include <sqlite3.h>
#include <stdbool.h>

#include "harness/store/store.h"

struct column_def {
    char *name;
    enum store_type type;
    bool not_null;
    bool id;        /* INTEGER PRIMARY KEY: a number of this database alone */
    bool key;       /* of a keyed table: part of what identifies a row */
    int pk;         /* place in the primary key, from 1; 0: not in it */
    int references; /* index of the table whose id it holds; -1: none */
    bool in_text;   /* ... as text, "regressor 12" */
};

struct table_def {
    char *name;
    int n;
    struct column_def *column;
    bool keyed;
    int owner; /* index of the table whose row it is a part of; -1: none */
};

struct tables {
    int n;
    struct table_def *table; /* whatever a table or its parts refer to comes first */
};

/* Of the schema `db` bears in its main database. -EINVAL: a table without a key. */
int tables_read(sqlite3 *db, const char *path, struct tables *ret_t, struct err *err);
void tables_done(struct tables *t);
bool tables_of_sweeps(const char *name); /* device, session, config, sample, repeat */
/* Index of the column that holds the owner's id. */
int tables_owner_column(const struct table_def *t);

/* The value of a column of table m, ids of other rows replaced by what temp.map_TABLE (src, dst)
 * says of them. */
void tables_put_mapped(sqlite3_str *sql, const struct tables *t, const struct column_def *c);

#endif
