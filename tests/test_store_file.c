/* What store_open() makes of files: older ones of ours, others' and damaged ones. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/older.h"
#include "tests/store_case.h"
#include "tests/suite.h"

#define N(x) ((int)(sizeof(x) / sizeof((x)[0])))

static void make_empty(void)
{
    char dir[128];

    snprintf(dir, sizeof(dir), "%s/a", folder);
    mkdir(dir, 0777);
    snprintf(dir, sizeof(dir), "%s/a/b", folder);
    mkdir(dir, 0777);
}

static void write_file(const char *bytes, size_t n)
{
    FILE *f;

    make_empty();
    f = fopen(path, "wb");
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

/* As a program of schema `version` had written it. */
static void make_older(int version)
{
    char older[sizeof(path) + 8];

    snprintf(older, sizeof(older), "%s.older", path);
    older_copy(path, older, version);
    ck_assert_int_eq(rename(older, path), 0);
}

/* An older file of ours, with rows: brought up by a writer, refused by a reader. */
START_TEST(older_schema)
{
    struct store *st = must_open(STORE_WRITE);
    struct err err = {0};

    ck_assert_int_eq(add_config(st, "old", 0, &err), 0);
    store_close(st);
    make_older(3);
    ck_assert_int_eq(store_open(path, STORE_READ, &st, &err), -EPROTO);
    ck_assert_ptr_nonnull(strstr(err.text, "flashmem db upgrade"));
    store_close(must_open(STORE_WRITE));
    ck_assert_str_eq(raw("PRAGMA user_version"), newest());
    ck_assert_str_eq(raw("SELECT count(*) FROM run"), "0");
    ck_assert_str_eq(raw("SELECT key FROM config"), "old");
}
END_TEST

/* 009 makes table device anew, under rows that refer to it; what they mean stays. */
START_TEST(device_made_anew)
{
    struct device_info other = gpu;
    struct err err = {0};
    struct store *st = must_open(STORE_WRITE);
    int64_t id, session, larger;

    strcpy(other.driver, "8");
    ck_assert_int_eq(store_device(st, &other, &id, &err), 0);
    session = add_session(st); /* of device 2 */
    store_close(st);
    make_older(8);
    st = must_open(STORE_WRITE);
    ck_assert_str_eq(raw("PRAGMA user_version"), newest());
    ck_assert_str_eq(raw("SELECT count(*) FROM pragma_foreign_key_check"), "0");
    ck_assert_str_eq(
        raw("SELECT group_concat(id || driver) FROM (SELECT * FROM device ORDER BY id)"), "18,27");
    ck_assert_str_eq(raw("SELECT device_id FROM session"), "2");
    other.compute_units = 64;
    ck_assert_int_eq(store_device(st, &other, &larger, &err), 0);
    ck_assert_int_eq(larger, 3);
    ck_assert_int_eq(store_exec(st, &err, "UPDATE session SET device_id = 9", ""), -EIO);
    ck_assert_int_eq(store_exec(st, &err, "DELETE FROM device WHERE id = 2", ""), -EIO);
    ck_assert_int_eq(session, 1);
    store_close(st);
}
END_TEST

/* A migration that fails leaves the version before it, whole. */
START_TEST(failed_migration)
{
    struct store *st = NULL;
    struct err err = {0};

    store_close(must_open(STORE_WRITE));
    raw("DROP TABLE run_layer"); /* the last table of 004; the others collide */
    raw("PRAGMA user_version = 3");
    ck_assert_int_eq(store_open(path, STORE_WRITE, &st, &err), -EIO);
    ck_assert_ptr_null(st);
    ck_assert_ptr_nonnull(strstr(err.text, "004-runs.sql: table run already exists"));
    ck_assert_str_eq(raw("PRAGMA user_version"), "3");
    ck_assert_str_eq(raw("SELECT count(*) FROM sqlite_schema WHERE name = 'run_layer'"), "0");
}
END_TEST

static void check_refused(enum store_mode mode, int code, const char *text)
{
    struct store *st = NULL;
    struct err err = {0};
    int rc = store_open(path, mode, &st, &err);

    ck_assert_msg(rc == code, "mode %d: got %d, want %d: %s", mode, rc, code, err.text);
    ck_assert_ptr_null(st);
    ck_assert_msg(strstr(err.text, text) != NULL, "'%s' lacks '%s'", err.text, text);
}

START_TEST(refused)
{
    static const char text[] =
        "this is a text file, and rather a long one: more than the 100 bytes "
        "of a header, so that it is looked at as a whole...............";
    static char zeros[8192];

    check_refused(STORE_READ, -ENOENT, "'flashmem sweep SPEC' makes one");
    write_file("", 0);
    check_refused(STORE_READ, -EUCLEAN, "is empty");
    write_file(text, sizeof(text) - 1);
    check_refused(STORE_READ, -EUCLEAN, "no database of flashmem");
    check_refused(STORE_WRITE, -EUCLEAN, "no database of flashmem");
    write_file(zeros, sizeof(zeros));
    check_refused(STORE_READ, -EUCLEAN, "");
    write_file("", 0);
    raw("CREATE TABLE theirs (x)");
    check_refused(STORE_WRITE, -EUCLEAN, "another program's database");
    check_refused(STORE_READ, -EUCLEAN, "another program's database");
    ck_assert_str_eq(raw("PRAGMA journal_mode"), "delete"); /* and left as it was */
    unlink(path);
    store_close(must_open(STORE_WRITE));
    raw("PRAGMA user_version = 99");
    check_refused(STORE_WRITE, -EPROTO, "schema 99, newer than this program's ");
    check_refused(STORE_READ, -EPROTO, "use a newer flashmem");
    strcat(path, "/below.db");
    check_refused(STORE_WRITE, -ENOTDIR, "Not a directory");
    strcat(path, "/deeper.db");
    check_refused(STORE_WRITE, -ENOTDIR, "cannot make the folder");
    strcpy(path, folder);
    check_refused(STORE_WRITE, -EISDIR, "is a folder");
    strcpy(path, "/dev/null");
    check_refused(STORE_WRITE, -EUCLEAN, "not a regular file");
    strcpy(path, "");
    check_refused(STORE_READ, -EINVAL, "empty");
}
END_TEST

/* A file cut short, or with a page of noise. */
START_TEST(damaged)
{
    struct store *st = must_open(STORE_WRITE);
    struct err err = {0};
    int fd, rc;

    ck_assert_int_eq(add_config(st, "a", 0, &err), 0);
    store_close(st);
    fd = open(path, O_WRONLY);
    ck_assert_int_eq(pwrite(fd, "noise", 5, 100), 5); /* the first page's b-tree header */
    close(fd);
    rc = store_open(path, STORE_READ, &st, &err);
    ck_assert_int_eq(rc, -EUCLEAN);
    ck_assert_ptr_nonnull(strstr(err.text, "damaged"));
    ck_assert_int_eq(truncate(path, 50), 0);
    check_refused(STORE_WRITE, -EUCLEAN, "damaged");
}
END_TEST

/* Names that mean something to SQLite are files like any other. */
START_TEST(odd_names)
{
    static const char *const names[] = {":memory:", "file:x.db?mode=memory", "a b%20'#.db"};
    struct store *st = NULL;
    struct err err = {0};
    struct stat s;

    ck_assert_int_eq(chdir(folder), 0);
    for (int i = 0; i < N(names); i++) {
        ck_assert_msg(store_open(names[i], STORE_WRITE, &st, &err) == 0, "%s", err.text);
        ck_assert_str_eq(store_path(st), names[i]);
        store_close(st);
        ck_assert_int_eq(stat(names[i], &s), 0);
    }
    ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("store_file");
    TCase *t = tcase_create("store_file");

    tcase_add_checked_fixture(t, setup, folder_remove);
    tcase_add_test(t, older_schema);
    tcase_add_test(t, device_made_anew);
    tcase_add_test(t, failed_migration);
    tcase_add_test(t, refused);
    tcase_add_test(t, damaged);
    tcase_add_test(t, odd_names);
    suite_add_tcase(s, t);
    return suite_run(s);
}
