/* Databases as older programs left them. */
#ifndef FLASHMEM_TESTS_OLDER_H
#define FLASHMEM_TESTS_OLDER_H

#include <check.h>
#include <sqlite3.h>
#include <stdio.h>

#include "harness/store/internal.h"

/* Write `to`, in schema `version`, with all of `from` that this schema had. */
static inline void older_copy(const char *from, const char *to, int version)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    struct err err = {0};
    char *why = NULL, *sql;

    remove(to);
    ck_assert_int_eq(sqlite3_open(to, &db), SQLITE_OK);
    ck_assert_msg(store_build(db, to, 0, version, &err) == 0, "%s", err.text);
    sql = sqlite3_mprintf("PRAGMA foreign_keys = OFF; ATTACH %Q AS newer", from);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &why) == SQLITE_OK, "%s", why);
    sqlite3_free(sql);
    ck_assert_int_eq(
        sqlite3_prepare_v2(db,
                           "SELECT 'INSERT INTO main.' || t.name || ' SELECT ' ||"
                           " (SELECT group_concat(c.name) FROM pragma_table_info(t.name, 'main') c)"
                           " || ' FROM newer.' || t.name FROM main.sqlite_schema t"
                           " WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%'",
                           -1, &q, NULL),
        SQLITE_OK);
    while (sqlite3_step(q) == SQLITE_ROW) {
        sql = (char *)sqlite3_column_text(q, 0);
        ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &why) == SQLITE_OK, "%s: %s", sql, why);
    }
    sqlite3_finalize(q);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

#endif
