/* tests/sweep_case.h - a small sweep in this process and what is in its database. The program is
 * its own worker ("--device N worker", worker_run()): drivers do not survive fork() without exec().
 */
#ifndef FLASHMEM_TESTS_SWEEP_CASE_H
#define FLASHMEM_TESTS_SWEEP_CASE_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/sweep/sweep.h"
#include "harness/sweep/worker.h"
#include "tests/folder.h"
#include "tests/need_device.h"

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

static inline void sweep_into(const char *spec_path, const char *db, const struct sweep_options *o,
                              struct sweep_summary *s)
{
    struct device_info info;
    struct device *dev;
    struct store *st;
    struct spec spec;
    struct err err = {0};

    ck_assert_msg(device_open(NULL, &dev, &err) == 0, "%s", err.text);
    info = dev->info;
    device_close(dev);
    ck_assert_msg(spec_read(spec_path, &info, &spec, &err) == 0, "%s", err.text);
    ck_assert_msg(store_open(db, STORE_WRITE, &st, &err) == 0, "%s", err.text);
    ck_assert_msg(sweep_run(st, &info, &spec, o, s, &err) == 0, "%s", err.text);
    store_close(st);
    spec_done(&spec);
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

#endif
