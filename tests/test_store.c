/* harness/store against SQLite itself: what a second connection, another process or a killed one
 * finds in the file. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/store/version.h"
#include "tests/store_case.h"
#include "tests/suite.h"

#define N(x) ((int)(sizeof(x) / sizeof((x)[0])))

START_TEST(new_file)
{
    struct store *st = must_open(STORE_WRITE);

    ck_assert_str_eq(store_path(st), path);
    ck_assert_str_eq(raw("PRAGMA user_version"), newest());
    ck_assert_str_eq(raw("PRAGMA application_id"), "1179405645"); /* "FLMM" big-endian */
    ck_assert_str_eq(raw("PRAGMA journal_mode"), "wal");
    ck_assert_str_eq(raw("SELECT count(*) FROM pragma_table_list "
                         "WHERE schema = 'main' AND NOT strict AND name NOT LIKE 'sqlite%'"),
                     "0");
    store_close(st);
    store_close(must_open(STORE_WRITE)); /* a second time changes nothing */
    store_close(must_open(STORE_READ));
    ck_assert_str_eq(raw("PRAGMA integrity_check"), "ok");
    store_close(NULL);
}
END_TEST

START_TEST(kinds_of_values)
{
    struct store *st = must_open(STORE_WRITE);
    struct store_query *q;
    struct err err = {0};

    ck_assert_int_eq(store_query(st, &q, &err, "SELECT ?, ?, ?, ?, ?, ? AS last", "iddssb",
                                 INT64_MIN, 0.1, NAN, "x", NULL, "a\0b", (size_t)3),
                     0);
    ck_assert_int_eq(store_step(q, &err), 1);
    ck_assert(store_int(q, 0) == INT64_MIN);
    ck_assert(store_real(q, 1) == 0.1);
    ck_assert(store_null(q, 2) && isnan(store_real(q, 2)));
    ck_assert_str_eq(store_text(q, 3), "x");
    ck_assert(store_null(q, 4) && !store_text(q, 4) && store_int(q, 4) == 0);
    ck_assert_int_eq(store_type(q, 0), STORE_INT);
    ck_assert_int_eq(store_type(q, 1), STORE_REAL);
    ck_assert_int_eq(store_type(q, 3), STORE_TEXT);
    ck_assert_int_eq(store_type(q, 5), STORE_BLOB);
    ck_assert_int_eq(store_columns(q), 6);
    ck_assert_str_eq(store_column_name(q, 5), "last");
    ck_assert_int_eq(store_step(q, &err), 0);
    store_query_done(q);
    store_query_done(NULL);
    ck_assert_int_eq(store_exec(st, &err, "SELECT absent", ""), -EIO);
    ck_assert_msg(strstr(err.text, "no such column: absent") != NULL, "%s", err.text);
    store_close(st);
}
END_TEST

/* The same text within itself, and more texts than the cache has room for. */
START_TEST(statements)
{
    struct store *st = must_open(STORE_WRITE);
    struct store_query *outer, *inner, *open[100];
    struct err err = {0};
    char sql[64];
    int n = 0;

    ck_assert_int_eq(add_config(st, "a", 0, &err), 0);
    ck_assert_int_eq(add_config(st, "b", 1, &err), 0);
    ck_assert_int_eq(store_query(st, &outer, &err, "SELECT id FROM config", ""), 0);
    while (store_step(outer, &err) == 1) {
        ck_assert_int_eq(store_query(st, &inner, &err, "SELECT id FROM config", ""), 0);
        while (store_step(inner, &err) == 1)
            n++;
        store_query_done(inner);
    }
    store_query_done(outer);
    ck_assert_int_eq(n, 4);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 200; i++) {
            snprintf(sql, sizeof(sql), "SELECT %d + ?", i);
            ck_assert_int_eq(store_query(st, &inner, &err, sql, "i", (int64_t)round), 0);
            ck_assert_int_eq(store_step(inner, &err), 1);
            ck_assert_int_eq(store_int(inner, 0), i + round);
            store_query_done(inner);
        }
    for (int i = 0; i < N(open); i++) {
        snprintf(sql, sizeof(sql), "SELECT %d", i);
        ck_assert_int_eq(store_query(st, &open[i], &err, sql, ""), 0);
        ck_assert_int_eq(store_step(open[i], &err), 1);
    }
    for (int i = 0; i < N(open); i++) {
        ck_assert_int_eq(store_int(open[i], 0), i);
        store_query_done(open[i]);
    }
    store_close(st);
}
END_TEST

START_TEST(constraints)
{
    struct store *st = must_open(STORE_WRITE);
    struct err err = {0};

    ck_assert_int_eq(add_config(st, "a", 0, &err), 0);
    ck_assert_int_eq(store_last_id(st), 1);
    ck_assert_int_eq(add_config(st, "a", 0, &err), -EEXIST);
    ck_assert_int_eq(add_config(st, NULL, 0, &err), -EIO);
    /* Foreign keys are on: nobody has session 99. */
    ck_assert_int_eq(store_exec(st, &err,
                                "INSERT INTO sample (session_id, config_id, taken_utc, "
                                "status) VALUES (99, 1, '', 'ok')",
                                ""),
                     -EIO);
    ck_assert_ptr_nonnull(strstr(err.text, "FOREIGN KEY"));
    store_close(st);
    st = must_open(STORE_READ);
    ck_assert_int_eq(add_config(st, "b", 0, &err), -EACCES);
    store_close(st);
}
END_TEST

START_TEST(devices_and_sessions)
{
    struct store *st = must_open(STORE_WRITE);
    struct device_info other = gpu;
    struct err err = {0};
    int64_t a, b, session;
    char want[128];

    ck_assert_int_eq(store_device(st, &gpu, &a, &err), 0);
    ck_assert_int_eq(store_device(st, &gpu, &b, &err), 0);
    ck_assert_int_eq(a, b);
    strcpy(other.driver, "8"); /* a new driver is a new device */
    ck_assert_int_eq(store_device(st, &other, &b, &err), 0);
    ck_assert_int_ne(a, b);
    other = gpu;
    other.compute_units = 64; /* and so is a larger one of the same name */
    ck_assert_int_eq(store_find_device(st, &other, &b, &err), 0);
    ck_assert_int_eq(b, 0);
    ck_assert_int_eq(store_device(st, &other, &b, &err), 0);
    ck_assert_int_ne(a, b);
    ck_assert_int_eq(store_find_device(st, &gpu, &b, &err), 0);
    ck_assert_int_eq(a, b);
    session = add_session(st);
    ck_assert_int_ne(add_session(st), session);
    ck_assert_str_eq(raw("SELECT type || image_width || half_images FROM device"), "gpu163841");
    ck_assert_str_eq(raw("SELECT command FROM session"), "flashmem sweep 'it'\\''s here.csv' ''");
    ck_assert_str_eq(raw("SELECT count(DISTINCT uuid) FROM session WHERE uuid LIKE "
                         "'________-____-4___-____-____________' "
                         "AND instr('89ab', substr(uuid, 20, 1))"),
                     "2");
    ck_assert_str_eq(raw("SELECT program FROM session"), program_version);
    snprintf(want, sizeof(want), "%ld", sysconf(_SC_NPROCESSORS_ONLN));
    ck_assert_str_eq(raw("SELECT cpus FROM session"), want);
    gethostname(want, sizeof(want));
    ck_assert_str_eq(raw("SELECT host FROM session"), want);
    ck_assert_str_eq(raw("SELECT ended_utc IS NULL AND memory_bytes > 1e8 AND length(os) > 5 "
                         "AND length(cpu) > 2 AND length(compiler) > 4 "
                         "AND abs(julianday('now') - julianday(started_utc)) < 0.01 "
                         "FROM session"),
                     "1");
    ck_assert_int_eq(store_session_end(st, session, &err), 0);
    ck_assert_str_eq(raw("SELECT count(*) FROM session WHERE ended_utc >= started_utc"), "1");
    store_close(st);
}
END_TEST

START_TEST(transactions)
{
    struct store *st = must_open(STORE_WRITE);
    struct err err = {0};

    ck_assert_int_eq(store_begin(st, &err), 0);
    ck_assert_int_eq(add_config(st, "outer", 0, &err), 0);
    ck_assert_int_eq(store_begin(st, &err), 0);
    ck_assert_int_eq(add_config(st, "undone", 0, &err), 0);
    ck_assert_int_eq(store_end(st, false, &err), 0);
    ck_assert_int_eq(store_begin(st, &err), 0);
    ck_assert_int_eq(add_config(st, "inner", 0, &err), 0);
    ck_assert_int_eq(store_begin(st, &err), 0);
    ck_assert_int_eq(add_config(st, "innermost", 0, &err), 0);
    ck_assert_int_eq(store_end(st, true, &err), 0);
    ck_assert_int_eq(store_end(st, true, &err), 0);
    ck_assert_str_eq(raw("SELECT count(*) FROM config"), "0"); /* not yet, for others */
    ck_assert_int_eq(store_end(st, true, &err), 0);
    ck_assert_str_eq(raw("SELECT group_concat(key) FROM (SELECT key FROM config ORDER BY id)"),
                     "outer,inner,innermost");
    ck_assert_int_eq(store_begin(st, &err), 0);
    ck_assert_int_eq(add_config(st, "lost", 0, &err), 0);
    store_close(st);
    ck_assert_str_eq(raw("SELECT count(*) FROM config"), "3");
}
END_TEST

/* A full disk in the middle of a transaction: nothing of it is half there, what was committed
 * stays, and the store goes on when there is room. */
START_TEST(disk_full)
{
    struct store *st = must_open(STORE_WRITE);
    struct err err = {0};
    char key[64], sql[64];
    int rc = 0;

    ck_assert_int_eq(add_config(st, "kept", 0, &err), 0);
    snprintf(sql, sizeof(sql), "PRAGMA max_page_count = %d", atoi(raw("PRAGMA page_count")) + 4);
    ck_assert_int_eq(store_exec(st, &err, sql, ""), 0);
    ck_assert_int_eq(store_begin(st, &err), 0);
    for (int i = 0; i < 100000 && rc == 0; i++) {
        snprintf(key, sizeof(key), "%050d", i);
        rc = add_config(st, key, 0, &err);
    }
    ck_assert_int_eq(rc, -ENOSPC);
    ck_assert_ptr_nonnull(strstr(err.text, "disk full: make room"));
    rc = add_config(st, "after", 0, &err);
    ck_assert_int_lt(rc, 0);
    if (strstr(err.text, "undone")) {
        ck_assert_int_lt(store_begin(st, &err), 0);
        ck_assert_int_lt(store_end(st, true, &err), 0);
    } else {
        ck_assert_int_eq(store_end(st, false, &err), 0);
    }
    ck_assert_str_eq(raw("SELECT group_concat(key) FROM (SELECT key FROM config ORDER BY id)"),
                     "kept");
    ck_assert_int_eq(store_exec(st, &err, "PRAGMA max_page_count = 1000000", ""), 0);
    ck_assert_int_eq(add_config(st, "room", 0, &err), 0);
    store_close(st);
    ck_assert_str_eq(raw("SELECT group_concat(key) FROM (SELECT key FROM config ORDER BY id)"),
                     "kept,room");
    ck_assert_str_eq(raw("PRAGMA integrity_check"), "ok");
}
END_TEST

/* SQLite rolls the whole transaction back by itself on some errors. What follows must not be
 * committed row by row. */
START_TEST(undone_transaction)
{
    struct store *st = must_open(STORE_WRITE);
    struct err err = {0};

    ck_assert_int_eq(add_config(st, "kept", 0, &err), 0);
    ck_assert_int_eq(store_begin(st, &err), 0);
    ck_assert_int_eq(add_config(st, "lost", 0, &err), 0);
    ck_assert_int_eq(
        store_exec(st, &err, "INSERT OR ROLLBACK INTO config SELECT * FROM config", ""), -EEXIST);
    ck_assert_int_eq(add_config(st, "late", 0, &err), -EIO);
    ck_assert_ptr_nonnull(strstr(err.text, "undone by an earlier error"));
    ck_assert_int_eq(store_begin(st, &err), -EIO);
    ck_assert_int_eq(store_end(st, true, &err), -EIO);
    ck_assert_int_eq(add_config(st, "next", 0, &err), 0);
    store_close(st);
    ck_assert_str_eq(raw("SELECT group_concat(key) FROM (SELECT key FROM config ORDER BY id)"),
                     "kept,next");
}
END_TEST

/* Every row that the child announced through the pipe is there after SIGKILL. */
START_TEST(killed)
{
    int announce[2], got = 0, status;
    int64_t last = 0, v;
    pid_t pid;

    store_close(must_open(STORE_WRITE));
    ck_assert_int_eq(pipe(announce), 0);
    pid = fork();
    if (pid == 0) {
        struct store *st = NULL;
        struct err err;
        char key[32];

        if (store_open(path, STORE_WRITE, &st, &err) < 0)
            _exit(1);
        for (int64_t i = 1;; i++) {
            snprintf(key, sizeof(key), "%d", (int)i);
            if (add_config(st, key, 0, &err) < 0 ||
                write(announce[1], &i, sizeof(i)) != (ssize_t)sizeof(i))
                _exit(1);
        }
    }
    close(announce[1]);
    while (read(announce[0], &v, sizeof(v)) == (ssize_t)sizeof(v)) {
        last = v;
        if (++got == 500)
            kill(pid, SIGKILL);
    }
    close(announce[0]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_ge(got, 500);
    store_close(must_open(STORE_READ));
    ck_assert_int_ge(atoi(raw("SELECT count(*) FROM config")), (int)last);
    ck_assert_int_le(atoi(raw("SELECT count(*) FROM config")), (int)last + 1);
    ck_assert_str_eq(raw("PRAGMA integrity_check"), "ok");
}
END_TEST

/* Eight processes find no file and all make it. */
START_TEST(race_to_create)
{
    pid_t pid[8];
    int status;

    for (int i = 0; i < N(pid); i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            struct store *st = NULL;
            struct err err = {0};
            char key[32];

            if (store_open(path, STORE_WRITE, &st, &err) < 0) {
                fprintf(stderr, "%s\n", err.text);
                _exit(1);
            }
            snprintf(key, sizeof(key), "%d", i);
            if (add_config(st, key, 0, &err) < 0)
                _exit(2);
            store_close(st);
            _exit(0);
        }
    }
    for (int i = 0; i < N(pid); i++) {
        ck_assert_int_eq(waitpid(pid[i], &status, 0), pid[i]);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    ck_assert_str_eq(raw("SELECT count(*) FROM config"), "8");
    ck_assert_str_eq(raw("PRAGMA user_version"), newest());
}
END_TEST

/* A writer that stays: the other waits 10 s, then says so. */
START_TEST(locked)
{
    struct store *a = must_open(STORE_WRITE), *b = must_open(STORE_WRITE);
    struct err err = {0};

    ck_assert_int_eq(store_begin(a, &err), 0);
    ck_assert_int_eq(add_config(b, "x", 0, &err), -EBUSY);
    ck_assert_ptr_nonnull(strstr(err.text, "another process held it for 10 s"));
    ck_assert_int_eq(store_end(a, true, &err), 0);
    ck_assert_int_eq(add_config(b, "x", 0, &err), 0);
    store_close(a);
    store_close(b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("store");
    TCase *t = tcase_create("store");

    tcase_add_checked_fixture(t, setup, folder_remove);
    tcase_add_test(t, new_file);
    tcase_add_test(t, kinds_of_values);
    tcase_add_test(t, statements);
    tcase_add_test(t, constraints);
    tcase_add_test(t, devices_and_sessions);
    tcase_add_test(t, transactions);
    tcase_add_test(t, disk_full);
    tcase_add_test(t, undone_transaction);
    tcase_add_test(t, killed);
    tcase_add_test(t, race_to_create);
    tcase_add_test(t, locked);
    suite_add_tcase(s, t);
    return suite_run(s);
}
