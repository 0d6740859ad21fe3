/* Databases that others may send: refused with a reason, or merged whole; nothing else. */
#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/merge_case.h"
#include "tests/suite.h"

#define N(x) ((int)(sizeof(x) / sizeof((x)[0])))

/* Once for all tests: every database made may wait for a disk. */
static void make_models(void)
{
    folder_make_in_memory();
    make_database(in_folder("a.db"), 1, 4, 1);
    raw(in_folder("a.db"), "PRAGMA journal_mode = DELETE");
    make_database(in_folder("small.db"), 1, 2, 1);
    raw(in_folder("small.db"), "PRAGMA journal_mode = DELETE; PRAGMA page_size = 512; VACUUM");
    make_empty(in_folder("empty.db"));
}

#define LOOSE(table)                                                                               \
    "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = "                                 \
    "replace(sql, 'STRICT', '/* */') WHERE name = '" table "'"
#define LOOSE_FOR_EVER(table)                                                                      \
    "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = "                                 \
    "replace(sql, 'STRICT', '/* - */') WHERE name = '" table "'"
#define STRICT_AGAIN                                                                               \
    "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = "                                 \
    "replace(sql, '/* */', 'STRICT')"

static const struct {
    const char *loosen, *sql;
    int code;
    const char *text;
} hostile[] = {
    {NULL, "PRAGMA user_version = 99", -EPROTO, "schema 99, newer"},
    {NULL, "PRAGMA user_version = -3", -EUCLEAN, "numbered -3"},
    {NULL, "PRAGMA application_id = 7", -EUCLEAN, "another program's"},
    {NULL, "CREATE TRIGGER t AFTER INSERT ON device BEGIN SELECT 1; END", -EUCLEAN, "trigger 't'"},
    {NULL, "CREATE VIEW v AS SELECT 1", -EUCLEAN, "a view 'v'"},
    {NULL, "CREATE INDEX i ON device (length(name))", -EUCLEAN, "an index 'i'|a index 'i'"},
    {NULL, "CREATE VIRTUAL TABLE f USING fts5(x)", -EUCLEAN, "a table 'f"},
    {NULL, "DROP TABLE metric; CREATE VIEW metric AS SELECT 1", -EUCLEAN, "a view 'metric'"},
    {NULL, "DROP TABLE metric; CREATE VIRTUAL TABLE metric USING rtree(a, b, c)", -EUCLEAN,
     "metric"},
    {NULL, "ALTER TABLE device ADD COLUMN more TEXT", -EUCLEAN, "columns of 'device'"},
    {NULL, "ALTER TABLE device ADD COLUMN more BLOB AS (zeroblob(1000000000))", -EUCLEAN,
     "columns of 'device'"},
    {NULL, "ALTER TABLE metric RENAME COLUMN mape TO map", -EUCLEAN, "columns of 'metric'"},
    {NULL, "DROP TABLE repeat", -EUCLEAN, "no table 'repeat'"},
    {LOOSE("repeat"), "UPDATE repeat SET time_ns = 'soon' WHERE sample_id = 2", -EUCLEAN,
     "non-INTEGER value in repeat.time_ns"},
    {LOOSE("sample"), "UPDATE sample SET median_ns = x'00' WHERE id = 2", -EUCLEAN,
     "non-REAL value in sample.median_ns"},
    {LOOSE_FOR_EVER("repeat"), "UPDATE repeat SET time_ns = 'soon' WHERE sample_id = 2", -EUCLEAN,
     "table repeat, row 4: column 'time_ns' holds text, want a whole number"},
    {LOOSE_FOR_EVER("repeat"), "UPDATE repeat SET time_ns = 1.5 WHERE sample_id = 2", -EUCLEAN,
     "column 'time_ns' holds a number, want a whole number"},
    {LOOSE_FOR_EVER("sample"), "UPDATE sample SET median_ns = x'00' WHERE id = 2", -EUCLEAN,
     "column 'median_ns' holds bytes, want a number"},
    {NULL, "UPDATE session SET host = CAST(x'41ff' AS TEXT)", -EINVAL, "not UTF-8"},
    {NULL, "UPDATE session SET host = CAST(x'41c1bf' AS TEXT)", -EINVAL, "not UTF-8"},
    {NULL, "UPDATE session SET host = CAST(x'eda080' AS TEXT)", -EINVAL, "not UTF-8"},
    {NULL, "UPDATE session SET host = CAST(x'410042' AS TEXT)", -EINVAL, "zero byte"},
    {NULL, "UPDATE session SET host = CAST(zeroblob(70000000) AS TEXT) WHERE id = 1", -EIO,
     "too big"},
    {NULL, "PRAGMA foreign_keys = OFF; UPDATE sample SET config_id = 77 WHERE id = 1", -EINVAL,
     "FOREIGN KEY"},
    {NULL, "PRAGMA foreign_keys = OFF; UPDATE device SET id = -1 WHERE id = 1", -EINVAL, "id -1"},
    {NULL, "PRAGMA foreign_keys = OFF; UPDATE device SET id = 9007199254740992 WHERE id = 1",
     -EINVAL, "want 1 to 2^53 - 1"},
    {NULL, "PRAGMA ignore_check_constraints = ON; UPDATE sample SET status = 'fine'", -EINVAL,
     "CHECK constraint"},
    {"PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'host TEXT NOT "
     "NULL',"
     " 'host TEXT         ') WHERE name = 'session'",
     "UPDATE session SET host = NULL", -EUCLEAN, "columns of 'session'"},
    {"PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM"
     " sqlite_schema WHERE name = 'device') WHERE name = 'session'",
     "SELECT 1", -EUCLEAN, ""},
};

START_TEST(refused)
{
    struct merge_count n;
    struct err err = {0};
    char theirs[256], into[256];
    bool found = false;

    strcpy(theirs, in_folder("theirs.db"));
    snprintf(into, sizeof(into), "%s/into-%d.db", folder, _i);
    copy(in_folder("a.db"), theirs);
    if (hostile[_i].loosen)
        raw(theirs, hostile[_i].loosen);
    raw(theirs, hostile[_i].sql);
    if (hostile[_i].loosen)
        raw(theirs, STRICT_AGAIN);
    ck_assert_msg(merge(theirs, into, &n, &err) == hostile[_i].code, "%s: %d %s", hostile[_i].sql,
                  err.code, err.text);
    for (const char *p = hostile[_i].text; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL) {
        char one[128];

        snprintf(one, sizeof(one), "%.*s", (int)strcspn(p, "|"), p);
        found = found || strstr(err.text, one);
    }
    ck_assert_msg(found, "%s: %s", hostile[_i].sql, err.text);
    ck_assert_int_ne(access(into, F_OK), 0); /* nothing was made of it */
}
END_TEST

/* Bits at random, 1 to 8 of them: refused or merged, but never a crash, and what is merged is
 * whole. */
START_TEST(fuzz)
{
    static unsigned char whole[1 << 20], bytes[1 << 20];
    unsigned seed = (unsigned)_i + 1;
    int refused = 0, merged = 0;
    char into[256];
    size_t size;
    FILE *f;

    strcpy(into, in_folder("into.db"));
    f = fopen(in_folder("small.db"), "rb");
    size = fread(whole, 1, sizeof(whole), f);
    fclose(f);
    ck_assert_uint_gt(size, 10000);
    for (int round = 0; round < 100; round++) {
        struct merge_count n;
        struct err err = {0};
        int flips = 1 + rand_r(&seed) % 8;

        memcpy(bytes, whole, size);
        for (int i = 0; i < flips; i++) /* a third of them in the header and the schema */
            bytes[(size_t)rand_r(&seed) % (i % 3 ? size : 4096)] ^= 1 << rand_r(&seed) % 8;
        f = fopen(in_folder("mutant.db"), "wb");
        ck_assert_uint_eq(fwrite(bytes, 1, size - (round % 9 ? 0 : 700), f),
                          size - (round % 9 ? 0 : 700));
        fclose(f);
        copy(in_folder("empty.db"), into);
        if (merge(in_folder("mutant.db"), into, &n, &err) < 0) {
            ck_assert_str_ne(err.text, "");
            refused++;
            continue;
        }
        merged++;
        raw(into, "CREATE TEMP TABLE ok (x CHECK (x = 'ok'));"
                  "INSERT INTO ok SELECT * FROM pragma_integrity_check");
    }
    ck_assert_int_gt(refused, 20);
    ck_assert_int_gt(merged, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("merge_hostile");
    TCase *t = tcase_create("merge_hostile");

    tcase_add_unchecked_fixture(t, make_models, folder_remove);
    tcase_add_loop_test(t, refused, 0, N(hostile));
    tcase_add_loop_test(t, fuzz, 0, 4);
    suite_add_tcase(s, t);
    return suite_run(s);
}
