/* tests/sweep_case.h - a small sweep in this process and what is in its database. The program is
 * its own worker (sweep_main()): drivers do not survive fork() without exec(). */
#ifndef FLASHMEM_TESTS_SWEEP_CASE_H
#define FLASHMEM_TESTS_SWEEP_CASE_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/sweep/sweep.h"
#include "harness/sweep/worker.h"
#include "tests/folder.h"
#include "tests/need_device.h"
#include "tests/suite.h"

static inline const char *write_spec(const char *name, const char *rows)
{
    const char *path = in_folder(name);
    FILE *f = fopen(path, "w");

    ck_assert_ptr_nonnull(f);
    fprintf(f, "flashmem-sweep,1\nop,shape,path,form,tile,ratios,max_repeats,max_time\n%s", rows);
    fclose(f);
    return path;
}

static inline struct sweep_options options(void)
{
    static char *argv[] = {"test_sweep", NULL};
    struct sweep_options o = sweep_defaults();

    o.argc = 1;
    o.argv = argv;
    o.measure.min_repeats = 3;
    o.timeout_ns = UINT64_C(120000000000);
    return o;
}

/* What a sweep takes. For sweep_case_done() in either outcome. */
struct sweep_case {
    struct device_info info;
    struct spec spec;
    struct store *st;
};

static inline int ask_device(struct device_info *ret_info, struct err *err)
{
    struct device *dev;
    int rc = device_open(NULL, &dev, err);

    if (rc < 0)
        return rc;
    *ret_info = dev->info;
    device_close(dev);
    return 0;
}

static inline int sweep_case_open(struct sweep_case *k, const char *spec_path, const char *db,
                                  struct err *err)
{
    int rc;

    *k = (struct sweep_case){.st = NULL};
    rc = ask_device(&k->info, err);
    if (rc == 0)
        rc = spec_read(spec_path, &k->info, &k->spec, err);
    return rc < 0 ? rc : store_open(db, STORE_WRITE, &k->st, err);
}

static inline void sweep_case_done(struct sweep_case *k)
{
    store_close(k->st);
    spec_done(&k->spec);
}

static inline void sweep_into(const char *spec_path, const char *db, const struct sweep_options *o,
                              struct sweep_summary *s)
{
    struct sweep_case k;
    struct err err = {0};

    ck_assert_msg(sweep_case_open(&k, spec_path, db, &err) == 0, "%s", err.text);
    ck_assert_msg(sweep_run(k.st, &k.info, &k.spec, o, s, &err) == 0, "%s", err.text);
    sweep_case_done(&k);
}

/* The first column of the first row. */
static inline double number(const char *db, const char *sql)
{
    struct store *st;
    struct store_query *q;
    struct err err = {0};
    double x;

    ck_assert_msg(store_open(db, STORE_READ, &st, &err) == 0, "%s", err.text);
    ck_assert_msg(store_query(st, &q, &err, sql, "") == 0, "%s: %s", sql, err.text);
    ck_assert_int_eq(store_step(q, &err), 1);
    x = store_real(q, 0);
    store_query_done(q);
    store_close(st);
    return x;
}

/* What an independent reader of the file thinks of it. */
static inline void check_with_shell(const char *db)
{
    char command[600], line[256] = "", rest[256];
    FILE *p;

    if (system("command -v sqlite3 >/dev/null") != 0)
        return;
    snprintf(command, sizeof(command),
             "sqlite3 '%s' 'PRAGMA integrity_check; PRAGMA foreign_key_check;'", db);
    p = popen(command, "r");
    ck_assert_ptr_nonnull(fgets(line, sizeof(line), p));
    ck_assert_str_eq(line, "ok\n");
    ck_assert_ptr_null(fgets(rest, sizeof(rest), p)); /* foreign keys: no row is a fault */
    ck_assert_int_eq(pclose(p), 0);
}

/* Rows that a torn transaction would leave: samples whose repeats are not all there. */
#define TORN                                                                                       \
    "SELECT count(*) FROM (SELECT s.id FROM sample s LEFT JOIN repeat r ON r.sample_id = s.id"     \
    " WHERE s.status IN ('ok', 'noisy') GROUP BY s.id HAVING count(r.seq) !="                      \
    " s.repeats * CASE WHEN s.slowdown IS NULL THEN 1 ELSE 2 END)"

#define FAST ",30,0.02s\n"

#define SIX "relu,rows=8|16|24|32|40|48 cols=64,,,,0" FAST

/* The program is a worker ("--device N worker") or runs its tests, in a folder of their own. */
static inline int sweep_main(int argc, char **argv, const char *name, TCase *t)
{
    Suite *s = suite_create(name);
    struct err err = {0};

    if (argc == 4 && strcmp(argv[1], "--device") == 0 && strcmp(argv[3], "worker") == 0)
        return worker_run(argv[2], 0, &err) < 0;
    need_device();
    tcase_add_unchecked_fixture(t, folder_make, folder_remove);
    tcase_set_timeout(t, 300);
    suite_add_tcase(s, t);
    return suite_run(s);
}

#endif
