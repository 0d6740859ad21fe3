/* CSV out and in: whatever was in a database is in it again, to the bit, compared through SQLite
 * itself; and one value at a time, blobs too. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/store/exchange/exchange.h"
#include "harness/store/exchange/value.h"
#include "tests/folder.h"
#include "tests/suite.h"

#define N(x) ((int)(sizeof(x) / sizeof((x)[0])))

static sqlite3 *must_open(const char *path)
{
    sqlite3 *db = NULL;

    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
    return db;
}

static void must_exec(sqlite3 *db, const char *sql)
{
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql,
                  sqlite3_errmsg(db));
}

static const char *const texts[] = {
    "plain",
    "",
    " led",
    "trailed\t",
    "a,b",
    "\"",
    "say \"yes\", twice\r\n",
    "\n",
    "#not a comment",
    "'; DROP TABLE sample; --",
    "\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80",
    "\x01\x1b[31m",
    "null",
    "007",
    "1e5",
    "\\N",
    "x'00'",
    "\xef\xbb\xbf",
    "=cmd()",
    "\r",
};

static const double reals[] = {0.1,
                               1.0 / 3,
                               5e-324,
                               2.2250738585072014e-308,
                               1.7976931348623157e308,
                               -1e-7,
                               123456789012345678.0,
                               1e15,
                               999999999999999.9,
                               9007199254740993.0,
                               0.30000000000000004};

/* Any bits but NaN, which SQLite keeps as NULL. */
static double any_real(unsigned *seed)
{
    uint64_t bits = 0;
    double x;

    do {
        for (int i = 0; i < 4; i++)
            bits = bits << 16 | ((unsigned)rand_r(seed) & 0xffff);
        memcpy(&x, &bits, sizeof(x));
    } while (x != x);
    return x;
}

static void fill(const char *path)
{
    struct store *st = NULL;
    struct err err = {0};
    sqlite3_stmt *q = NULL;
    unsigned seed = 7;
    sqlite3 *db;

    ck_assert_msg(store_open(path, STORE_WRITE, &st, &err) == 0, "%s", err.text);
    store_close(st);
    db = must_open(path);
    must_exec(db, "BEGIN;"
                  "INSERT INTO device VALUES (3, '', ' ', 'v', 'd', 'gpu', 1, 2, 3, 0, 1, 4, 5, 6);"
                  "INSERT INTO device VALUES (9, 'P', 'N', 'v', 'd', 'gpu', -9223372036854775808,"
                  " 9223372036854775807, 3, 0, 1, 4, 5, 6);"
                  "INSERT INTO session VALUES (5, 'u', 9, '', NULL, '', 'o', 'c', 2, 8, 'p', 'g',"
                  " 'cmd', NULL, 1e999, -1e999, NULL)");
    for (int i = 0; i < 2000; i++) {
        double x = i < N(reals) ? reals[i] : any_real(&seed);

        sqlite3_prepare_v2(db,
                           "INSERT INTO config VALUES (?1, ?2, '', '', ?2, '', '', '', '', '', '',"
                           " '', '', '', ?3, ?4, '')",
                           -1, &q, NULL);
        sqlite3_bind_int(q, 1, 7 * i + 1);
        if (i < N(texts))
            sqlite3_bind_text(q, 2, texts[i], -1, SQLITE_STATIC);
        else
            sqlite3_bind_int(q, 2, i); /* becomes text */
        sqlite3_bind_double(q, 3, x);
        sqlite3_bind_int64(q, 4, (int64_t)(x * 1e-290) ^ rand_r(&seed));
        ck_assert_msg(sqlite3_step(q) == SQLITE_DONE, "%s", sqlite3_errmsg(db));
        sqlite3_finalize(q);
        sqlite3_prepare_v2(
            db,
            "INSERT INTO sample (id, session_id, config_id, taken_utc, status, error,"
            " median_ns, low_ns) VALUES (?1, 5, ?1, '', 'ok', ?2, ?3, ?4)",
            -1, &q, NULL);
        sqlite3_bind_int(q, 1, 7 * i + 1);
        if (i % 3) /* NULL, empty, something */
            sqlite3_bind_text(q, 2, i % 3 == 1 ? "" : texts[i % N(texts)], -1, SQLITE_STATIC);
        if (i % 2)
            sqlite3_bind_double(q, 3, any_real(&seed));
        sqlite3_bind_double(q, 4, i);
        ck_assert_msg(sqlite3_step(q) == SQLITE_DONE, "%s", sqlite3_errmsg(db));
        sqlite3_finalize(q);
    }
    must_exec(db, "COMMIT");
    sqlite3_close(db);
}

static void check_same_value(sqlite3_stmt *a, sqlite3_stmt *b, int c)
{
    int type = sqlite3_column_type(a, c), n = sqlite3_column_bytes(a, c);
    double x = sqlite3_column_double(a, c), y = sqlite3_column_double(b, c);

    ck_assert_int_eq(sqlite3_column_type(b, c), type);
    if (type == SQLITE_INTEGER)
        ck_assert(sqlite3_column_int64(a, c) == sqlite3_column_int64(b, c));
    if (type == SQLITE_FLOAT)
        ck_assert_msg(memcmp(&x, &y, sizeof(x)) == 0, "%.17g and %.17g", x, y);
    if (type == SQLITE_TEXT || type == SQLITE_BLOB) {
        ck_assert_int_eq(sqlite3_column_bytes(b, c), n);
        ck_assert(n == 0 ||
                  memcmp(sqlite3_column_blob(a, c), sqlite3_column_blob(b, c), (size_t)n) == 0);
    }
}

static int check_same_rows(sqlite3 *a, sqlite3 *b, const char *table)
{
    sqlite3_stmt *p = NULL, *q = NULL;
    char sql[128];
    int rows = 0, rc;

    snprintf(sql, sizeof(sql), "SELECT * FROM \"%s\" ORDER BY 1, 2", table);
    ck_assert_int_eq(sqlite3_prepare_v2(a, sql, -1, &p, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(b, sql, -1, &q, NULL), SQLITE_OK);
    while ((rc = sqlite3_step(p)) == SQLITE_ROW) {
        ck_assert_int_eq(sqlite3_step(q), SQLITE_ROW);
        for (int c = 0; c < sqlite3_column_count(p); c++)
            check_same_value(p, q, c);
        rows++;
    }
    ck_assert_int_eq(rc, SQLITE_DONE);
    ck_assert_int_eq(sqlite3_step(q), SQLITE_DONE);
    sqlite3_finalize(p);
    sqlite3_finalize(q);
    return rows;
}

static void count_files(void *ctx, const char *path, int64_t rows)
{
    struct stat s;

    ck_assert_int_eq(stat(path, &s), 0);
    ck_assert_int_gt(s.st_size, 0);
    ck_assert_int_ge(rows, 0);
    ++*(int *)ctx;
}

START_TEST(round_trip)
{
    char from[256], to[256], csv[256];
    struct merge_count n;
    struct stage *s = NULL;
    struct store *st = NULL;
    struct err err = {0};
    sqlite3_stmt *q = NULL;
    sqlite3 *a, *b;
    int files = 0, tables = 0, rows = 0;

    strcpy(from, in_folder("a.db"));
    strcpy(to, in_folder("b.db"));
    strcpy(csv, in_folder("csv"));
    fill(from);
    ck_assert_int_eq(store_open(from, STORE_READ, &st, &err), 0);
    ck_assert_msg(store_export(st, csv, 0, NULL, count_files, &files, &err) == 0, "%s",
                  err.text);
    store_close(st);
    ck_assert_msg(stage_folder(csv, NULL, &s, &err) == 0, "%s", err.text);
    ck_assert_msg(stage_merge(s, to, &n, &err) == 0, "%s", err.text);
    stage_free(s);
    a = must_open(from);
    b = must_open(to);
    sqlite3_prepare_v2(a, "SELECT name FROM sqlite_schema WHERE type = 'table'", -1, &q, NULL);
    for (; sqlite3_step(q) == SQLITE_ROW; tables++)
        rows += check_same_rows(a, b, (const char *)sqlite3_column_text(q, 0));
    sqlite3_finalize(q);
    sqlite3_close(a);
    sqlite3_close(b);
    ck_assert_int_eq(rows, 2 + 1 + 2000 + 2000);
    ck_assert_int_eq(n.new_rows, rows);
    ck_assert_int_eq(files, tables + 1); /* schema.csv */
}
END_TEST

/* What sweeps measured, whole, and nothing that was made of it. */
START_TEST(sweeps)
{
    static const char *const of_sweeps[] = {"device", "session", "config", "sample", "repeat"};
    char from[256], to[256], csv[256];
    struct merge_count n;
    struct stage *s = NULL;
    struct store *st = NULL;
    struct err err = {0};
    sqlite3 *a, *b;
    int files = 0, rows = 0;
    FILE *f;

    strcpy(from, in_folder("a.db"));
    strcpy(to, in_folder("b.db"));
    strcpy(csv, in_folder("csv"));
    fill(from);
    a = must_open(from);
    must_exec(a, "INSERT INTO repeat (sample_id, side, seq, time_ns) VALUES (1, 0, 0, 77);"
                 "INSERT INTO regressor VALUES (1, 9, '', 'latency', 'f32', 'image', 1, 1, 1, '', '',"
                 " '{}'); INSERT INTO prediction VALUES (1, 8, 0, 1, 2);"
                 "INSERT INTO metric VALUES (1, 'all', 0, 1, 1, 1, 1, 1, 1)");
    ck_assert_int_eq(store_open(from, STORE_READ, &st, &err), 0);
    ck_assert_int_eq(store_export(st, csv, EXPORT_SWEEPS, NULL, count_files, &files, &err), 0);
    store_close(st);
    ck_assert_int_eq(files, N(of_sweeps) + 1);
    ck_assert_msg(stage_folder(csv, NULL, &s, &err) == 0, "%s", err.text);
    ck_assert_msg(stage_merge(s, to, &n, &err) == 0, "%s", err.text);
    stage_free(s);
    b = must_open(to);
    for (int i = 0; i < N(of_sweeps); i++)
        rows += check_same_rows(a, b, of_sweeps[i]);
    ck_assert_int_eq(rows, 2 + 1 + 2000 + 2000 + 1);
    ck_assert_int_eq(n.new_rows, rows);
    sqlite3_close(a);
    sqlite3_close(b);

    strcat(csv, "/schema.csv");
    f = fopen(csv, "wb");
    fputs("program,schema,only\nflashmem,1,plans\n", f);
    fclose(f);
    ck_assert_int_eq(stage_folder(in_folder("csv"), NULL, &s, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "schema.csv:2: only: want sweeps or nothing"));
}
END_TEST

/* One value out, as a field, and in. */
START_TEST(values)
{
    static const struct {
        const char *sql, *field;
        enum store_type type;
    } cases[] = {
        {"NULL", "", STORE_TEXT},
        {"''", "\"\"", STORE_TEXT},
        {"x''", "\"\"", STORE_BLOB},
        {"x'00ff7A0a22'", "00ff7a0a22", STORE_BLOB},
        {"-9223372036854775808", "-9223372036854775808", STORE_INT},
        {"0.1", "0.1", STORE_REAL},
        {"5.0", "5", STORE_REAL},
        {"9e999", "inf", STORE_REAL},
        {"-9e999", "-inf", STORE_REAL},
        {"0.1 + 0.2", "0.30000000000000004", STORE_REAL},
        {"'a\"b'", "\"a\"\"b\"", STORE_TEXT},
    };
    sqlite3 *db = must_open(":memory:");

    for (int i = 0; i < N(cases); i++) {
        bool null = strcmp(cases[i].sql, "NULL") == 0;
        sqlite3_stmt *q = NULL, *p = NULL;
        char sql[128], *text = NULL, bare[64];
        struct err err = {0};
        size_t n;
        FILE *f = open_memstream(&text, &n);

        snprintf(sql, sizeof(sql), "SELECT %s", cases[i].sql);
        sqlite3_prepare_v2(db, sql, -1, &q, NULL);
        ck_assert_int_eq(sqlite3_step(q), SQLITE_ROW);
        value_put(f, q, 0);
        fclose(f);
        ck_assert_str_eq(text, cases[i].field);
        snprintf(bare, sizeof(bare), "%s", *text == '"' && n == 2 ? "" : text);
        if (strcmp(bare, "\"a\"\"b\"") == 0)
            strcpy(bare, "a\"b"); /* as a CSV reader unquotes */
        free(text);
        sqlite3_prepare_v2(db, "SELECT ?", -1, &p, NULL);
        ck_assert_msg(value_bind(p, 1, cases[i].type, null ? NULL : bare, strlen(bare), &err) == 0,
                      "%s", err.text);
        ck_assert_int_eq(sqlite3_step(p), SQLITE_ROW);
        check_same_value(q, p, 0);
        sqlite3_finalize(q);
        sqlite3_finalize(p);
    }
    sqlite3_close(db);
}
END_TEST

START_TEST(wrong_values)
{
    static const struct {
        enum store_type type;
        const char *text, *want;
    } cases[] = {
        {STORE_INT, "", "whole number"},
        {STORE_INT, "1.5", "whole number"},
        {STORE_INT, "9223372036854775808", "whole number"},
        {STORE_INT, " 1", "whole number"},
        {STORE_REAL, "", "want a number"},
        {STORE_REAL, "nan", "want a number"},
        {STORE_REAL, " 1", "want a number"},
        {STORE_REAL, "1,5", "want a number"},
        {STORE_REAL, "1e5x", "want a number"},
        {STORE_BLOB, "0", "two hexadecimal digits"},
        {STORE_BLOB, "0g", "two hexadecimal digits"},
        {STORE_TEXT, "\xff", "not UTF-8"},
        {STORE_TEXT, "\xc3", "not UTF-8"},
    };
    sqlite3 *db = must_open(":memory:");
    sqlite3_stmt *q = NULL;

    sqlite3_prepare_v2(db, "SELECT ?", -1, &q, NULL);
    for (int i = 0; i < N(cases); i++) {
        struct err err = {0};

        ck_assert_int_eq(
            value_bind(q, 1, cases[i].type, cases[i].text, strlen(cases[i].text), &err), -EINVAL);
        ck_assert_msg(strstr(err.text, cases[i].want) != NULL, "%s", err.text);
    }
    ck_assert_int_eq(value_bind(q, 1, STORE_TEXT, "a\0b", 3, NULL), -EINVAL);
    ck_assert_int_eq(value_bind(q, 1, STORE_INT, "1\0b", 3, NULL), -EINVAL);
    ck_assert_int_eq(value_bind(q, 1, STORE_REAL, "1\0b", 3, NULL), -EINVAL);
    sqlite3_finalize(q);
    sqlite3_close(db);
}
END_TEST

/* An interrupted export has no schema.csv, and nothing imports it. */
START_TEST(interrupted)
{
    volatile sig_atomic_t now = 1;
    struct store *st = NULL;
    struct stage *s = NULL;
    struct err err = {0};
    char path[256];

    strcpy(path, in_folder("a.db"));
    fill(path);
    ck_assert_int_eq(store_open(path, STORE_READ, &st, &err), 0);
    ck_assert_int_eq(store_export(st, in_folder("csv"), 0, &now, NULL, NULL, &err), -EINTR);
    store_close(st);
    ck_assert_int_eq(stage_folder(in_folder("csv"), NULL, &s, &err), -ENOENT);
    ck_assert_int_eq(stage_database(path, &now, &s, &err), -EINTR);
    ck_assert_ptr_null(s);
}
END_TEST

/* A file with some bytes of it changed: refused with a place, or imported; never a crash. */
START_TEST(mutated)
{
    static char whole[1 << 20], bytes[1 << 20];
    static const char odd[] = {'"', ',', '\n', '\r', '\0', '-', 'e', ' ', '\x80', '#'};
    char path[256], csv[256];
    struct store *st = NULL;
    struct err err = {0};
    unsigned seed = 5;
    int refused = 0, taken = 0;
    size_t size;
    FILE *f;

    strcpy(path, in_folder("a.db"));
    strcpy(csv, in_folder("csv"));
    fill(path);
    ck_assert_int_eq(store_open(path, STORE_READ, &st, &err), 0);
    ck_assert_int_eq(store_export(st, csv, EXPORT_CANONICAL, NULL, NULL, NULL, &err), 0);
    store_close(st);
    strcat(csv, "/config.csv");
    f = fopen(csv, "rb");
    size = fread(whole, 1, sizeof(whole), f);
    fclose(f);
    ck_assert_uint_gt(size, 50000);
    for (int round = 0; round < 200; round++) {
        struct stage *s = NULL;

        memcpy(bytes, whole, size);
        for (int i = 0; i < 1 + round % 3; i++)
            bytes[(size_t)rand_r(&seed) % size] = odd[rand_r(&seed) % N(odd)];
        f = fopen(csv, "wb");
        fwrite(bytes, 1, round % 10 ? size : (size_t)rand_r(&seed) % size, f);
        fclose(f);
        if (stage_folder(in_folder("csv"), NULL, &s, &err) == 0) {
            taken++;
            stage_free(s);
            continue;
        }
        ck_assert_msg(strstr(err.text, ".csv:") != NULL, "%s", err.text);
        refused++;
    }
    ck_assert_int_gt(refused, 50);
    ck_assert_int_gt(taken, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("export");
    TCase *t = tcase_create("export");

    tcase_add_checked_fixture(t, folder_make_in_memory, folder_remove);
    tcase_add_test(t, round_trip);
    tcase_add_test(t, sweeps);
    tcase_add_test(t, values);
    tcase_add_test(t, wrong_values);
    tcase_add_test(t, interrupted);
    tcase_add_test(t, mutated);
    suite_add_tcase(s, t);
    return suite_run(s);
}
