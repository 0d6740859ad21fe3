/* tests/store_case.h - a database of a test's own, looked at through SQLite itself. */
#ifndef FLASHMEM_TESTS_STORE_CASE_H
#define FLASHMEM_TESTS_STORE_CASE_H

#include <check.h>
#include <sqlite3.h>

#include "harness/store/internal.h"
#include "tests/folder.h"

static char path[128];

static inline void setup(void)
{
    folder_make_in_memory();
    snprintf(path, sizeof(path), "%s/a/b/test.db", folder);
}

static inline struct store *must_open(enum store_mode mode)
{
    struct store *st = NULL;
    struct err err = {0};

    ck_assert_msg(store_open(path, mode, &st, &err) == 0, "%s", err.text);
    return st;
}

/* SQL through SQLite itself, past the code under test. The first value, as text. */
static inline const char *raw(const char *sql)
{
    static char value[256];
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;

    value[0] = '\0';
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK, "%s: %s", sql,
                  sqlite3_errmsg(db));
    if (sqlite3_step(q) == SQLITE_ROW && sqlite3_column_text(q, 0))
        snprintf(value, sizeof(value), "%s", (const char *)sqlite3_column_text(q, 0));
    sqlite3_finalize(q);
    sqlite3_close(db);
    return value;
}

static const struct device_info gpu = {.platform = "P",
                                       .name = "G",
                                       .version = "OpenCL 1.2",
                                       .driver = "7",
                                       .type = DEVICE_GPU,
                                       .image_width = 16384,
                                       .image_height = 8192,
                                       .local_bytes = 49152,
                                       .half_images = true,
                                       .compute_units = 4,
                                       .max_group = 256,
                                       .timer_ns = 1000};

static inline int64_t add_session(struct store *st)
{
    char *argv[] = {"/some/where/flashmem", "sweep", "it's here.csv", ""};
    struct err err = {0};
    int64_t device, session = 0;

    ck_assert_msg(store_device(st, &gpu, &device, &err) == 0, "%s", err.text);
    ck_assert_msg(store_session(st, device, 4, argv, &session, &err) == 0, "%s", err.text);
    return session;
}

/* "VERSION" of this program's schema. */
static inline const char *newest(void)
{
    static char text[16];

    snprintf(text, sizeof(text), "%d", store_newest());
    return text;
}

#define ADD_CONFIG                                                                                 \
    "INSERT INTO config (key, op, class, shape, dtype, path, kernel, form, variant, gws, lws, "    \
    "tile, loop_order, extra_ratio, load_bytes, cache) VALUES (?, 'add', 'elemental', 'n=1', "     \
    "'f32', 'image', 'direct', 'naive', '', '1', '1', '', '', ?, 0, 'hot')"

static inline int add_config(struct store *st, const char *key, double ratio, struct err *err)
{
    return store_exec(st, err, ADD_CONFIG, "sd", key, ratio);
}

#endif
