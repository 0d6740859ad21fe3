/* Sweeps: what is measured, once and only once, whatever dies in between.
 *
 * The program is its own worker ("--device N worker"), and its own sweep to be killed
 * ("sweep SPEC DB"): drivers do not survive fork() without exec(). */
#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/sweep/own.h"
#include "harness/sweep/sweep.h"
#include "harness/sweep/worker.h"
#include "profiler/clock.h"
#include "profiler/rng.h"
#include "tests/folder.h"
#include "tests/need_device.h"

static const char *write_spec(const char *name, const char *rows)
{
    const char *path = in_folder(name);
    FILE *f = fopen(path, "w");

    ck_assert_ptr_nonnull(f);
    fprintf(f, "flashmem-sweep,1\nop,shape,path,form,tile,ratios,max_repeats,max_time\n%s", rows);
    fclose(f);
    return path;
}

/* ---- one sweep, in this process ---- */

static struct sweep_options options(void)
{
    static char *argv[] = {"test_sweep", NULL};
    struct sweep_options o = sweep_defaults();

    o.argc = 1;
    o.argv = argv;
    o.measure.min_repeats = 3;
    o.timeout_ns = UINT64_C(120000000000);
    return o;
}

static void sweep_into(const char *spec_path, const char *db, const struct sweep_options *o,
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
static double number(const char *db, const char *sql)
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
static void check_with_shell(const char *db)
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

START_TEST(all_then_nothing)
{
    const char *spec = write_spec("a.csv", "relu,rows=8|64 cols=64,image|buffer,*,,0|0.5|1" FAST
                                           "null,,,,,0" FAST);
    const char *db = in_folder("a.db");
    struct sweep_options o = options();
    struct sweep_summary s;

    sweep_into(spec, db, &o, &s);
    /* relu: 2 shapes x 2 paths x (1 naive + 3 forms x 2 ratios) = 28, and null */
    ck_assert_int_eq(s.configs, 29);
    ck_assert_int_eq(s.measured, 29);
    ck_assert_int_eq(s.by_status[SAMPLE_OK] + s.by_status[SAMPLE_NOISY], 29);
    ck_assert_int_eq(sweep_failed(&s), 0);
    ck_assert_int_eq(s.workers, 1);
    ck_assert(s.phase_ns[PHASE_MEASURE] > 0 && s.phase_ns[PHASE_VERIFY] > 0 && s.other_ns > 0);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM config"), 29);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM sample"), 29);
    ck_assert_double_eq(number(db, TORN), 0);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM sample s JOIN config c ON c.id ="
                                   " s.config_id WHERE (c.load_bytes > 0) != (s.slowdown IS NOT"
                                   " NULL AND s.base_median_ns > 0)"),
                        0);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM sample WHERE NOT (median_ns > 0 AND low_ns"
                                   " <= median_ns AND median_ns <= high_ns AND build_ns >= 0 AND"
                                   " length(build_hash) = 16)"),
                        0);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM config WHERE gws NOT LIKE '%x%' OR key !="
                                   " op || ':' || dtype || iif(shape = '', '', ':' || shape) || '|'"
                                   " || variant || '|load=' || load_bytes || '|cache=' || cache"),
                        0);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM session WHERE ended_utc IS NOT NULL"), 1);
    check_with_shell(db);

    sweep_into(spec, db, &o, &s);
    ck_assert_int_eq(s.present, 29);
    ck_assert_int_eq(s.planned, 0);
    ck_assert_int_eq(s.measured, 0);
    ck_assert_int_eq(s.workers, 0);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM session"), 1);

    o.again = SWEEP_AGAIN_ALL;
    sweep_into(spec, db, &o, &s);
    ck_assert_int_eq(s.measured, 29);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM config"), 29);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM sample"), 58);
}
END_TEST

#define SIX "relu,rows=8|16|24|32|40|48 cols=64,,,,0" FAST

START_TEST(limits_shards_dry)
{
    const char *spec = write_spec("b.csv", SIX), *db = in_folder("b.db");
    struct sweep_options o = options();
    struct sweep_summary s;
    int64_t shards = 0;

    o.dry_run = true;
    sweep_into(spec, db, &o, &s);
    ck_assert_int_eq(s.planned, 6);
    ck_assert_int_eq(s.guessed, 6);
    ck_assert_double_eq_tol(s.estimate_ns[PHASE_MEASURE], 3e9, 1);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM session"), 0);
    o.dry_run = false;

    o.limit = 2;
    sweep_into(spec, db, &o, &s);
    ck_assert_int_eq(s.measured, 2);
    o.strategy = SWEEP_RANDOM;
    sweep_into(spec, db, &o, &s);
    ck_assert_int_eq(s.measured, 2);
    ck_assert_int_eq(s.present, 2);
    o.limit = 0;
    o.time_ns = 1;
    sweep_into(spec, db, &o, &s);
    ck_assert_int_eq(s.measured, 0);
    o.time_ns = 0;

    for (int i = 1; i <= 3; i++) {
        o.shard = i;
        o.shards = 3;
        sweep_into(spec, db, &o, &s);
        shards += s.configs;
    }
    ck_assert_int_eq(shards, 6);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM sample"), 6);
    ck_assert_double_eq(number(db, "SELECT count(DISTINCT config_id) FROM sample"), 6);
    o.shards = o.shard = 1;
    o.dry_run = true;
    sweep_into(spec, db, &o, &s);
    ck_assert_int_eq(s.planned, 0);
    ck_assert_int_eq(s.guessed, 0);
    /* Once there are samples, the same again takes as long as they took. */
    o.again = SWEEP_AGAIN_ALL;
    sweep_into(spec, db, &o, &s);
    ck_assert_int_eq(s.planned, 6);
    ck_assert_int_eq(s.guessed, 0);
    ck_assert_double_eq_tol(s.estimate_ns[PHASE_MEASURE],
                            number(db, "SELECT sum(measure_ns) FROM sample"), 10);
    ck_assert_double_eq_tol(s.estimate_ns[PHASE_VERIFY],
                            number(db, "SELECT sum(verify_ns) FROM sample"), 10);
}
END_TEST

START_TEST(crash_costs_one_row)
{
    const char *spec = write_spec("c.csv", SIX), *db = in_folder("c.db");
    struct sweep_options o = options();
    struct sweep_summary s;

    setenv("FLASHMEM_FAULT", "crash:rows=24,", 1);
    sweep_into(spec, db, &o, &s);
    ck_assert_int_eq(s.measured, 6);
    ck_assert_int_eq(s.by_status[SAMPLE_CRASHED], 1);
    ck_assert_int_eq(sweep_failed(&s), 1);
    ck_assert_int_le(s.workers, 2); /* one more, unless the crash came last */
    ck_assert_double_eq(number(db, "SELECT count(*) FROM sample s JOIN config c ON c.id ="
                                   " s.config_id WHERE s.status = 'crashed' AND c.shape LIKE"
                                   " 'rows=24,%' AND s.error LIKE 'killed by SIGABRT%'"),
                        1);
    /* A second crash is a verdict; a third is not asked for. */
    sweep_into(spec, db, &o, &s);
    ck_assert_int_eq(s.measured, 1);
    sweep_into(spec, db, &o, &s);
    ck_assert_int_eq(s.measured, 0);
    unsetenv("FLASHMEM_FAULT");
    sweep_into(spec, db, &o, &s);
    ck_assert_int_eq(s.measured, 0);
    o.again = SWEEP_AGAIN_FAILED;
    sweep_into(spec, db, &o, &s);
    ck_assert_int_eq(s.measured, 1);
    ck_assert_int_eq(sweep_failed(&s), 0);
    check_with_shell(db);
}
END_TEST

START_TEST(hang_costs_one_row)
{
    const char *spec = write_spec("d.csv", SIX), *db = in_folder("d.db");
    struct sweep_options o = options();
    struct sweep_summary s;

    sweep_into(spec, in_folder("d0.db"), &o, &s); /* compiles what is not cached yet */
    db = in_folder("d.db");
    setenv("FLASHMEM_FAULT", "hang:rows=40,", 1);
    o.timeout_ns = UINT64_C(8000000000);
    sweep_into(spec, db, &o, &s);
    unsetenv("FLASHMEM_FAULT");
    ck_assert_int_eq(s.measured, 6);
    ck_assert_int_eq(s.by_status[SAMPLE_TIMEOUT], 1);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM sample WHERE status = 'timeout' AND error"
                                   " LIKE '%8 s%' AND median_ns IS NULL"),
                        1);
    sweep_into(spec, db, &o, &s);
    ck_assert_int_eq(s.measured, 1);
    ck_assert_int_eq(sweep_failed(&s), 0);
}
END_TEST

/* Out of memory comes as a kill by the kernel, or as a malloc() that fails (in the middle of a driver,
 * which may well crash): one row each, and the worker is another one afterwards. */
START_TEST(memory_costs_one_row)
{
    const char *spec = write_spec("m.csv", "relu,rows=8|16|24|32|40|16384 cols=64,,,,0" FAST);
    const char *db = in_folder("m.db");
    struct sweep_options o = options();
    struct sweep_summary s;

    setenv("FLASHMEM_FAULT", "kill:rows=16,;memory:rows=16384,", 1);
    sweep_into(spec, db, &o, &s);
    unsetenv("FLASHMEM_FAULT");
    ck_assert_int_eq(s.measured, 6);
    ck_assert_int_eq(sweep_failed(&s), 2);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM sample s JOIN config c ON c.id ="
                                   " s.config_id WHERE s.status = 'crashed' AND c.shape LIKE"
                                   " 'rows=16,%' AND s.error LIKE 'killed by SIGKILL%'"),
                        1);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM sample s JOIN config c ON c.id ="
                                   " s.config_id WHERE s.status NOT IN ('ok', 'noisy') AND c.shape"
                                   " LIKE 'rows=16384,%'"),
                        1);
    o.again = SWEEP_AGAIN_FAILED;
    sweep_into(spec, db, &o, &s);
    ck_assert_int_eq(s.measured, 2);
    ck_assert_int_eq(sweep_failed(&s), 0);
    check_with_shell(db);
}
END_TEST

/* A sweep begins with what the one before knew of the machine at its best; beside a better one it is
 * slow. Probes that other processes disturbed say nothing, so it may try again. */
START_TEST(pace_is_remembered)
{
    const char *spec = write_spec("pace.csv", SIX), *db = in_folder("pace.db");
    struct sweep_options o = options();
    struct sweep_summary s;
    struct store *st;
    struct err err = {0};
    double slow = 0;

    o.limit = 1;
    sweep_into(spec, db, &o, &s);
    ck_assert_int_eq(s.measured, 1);
    if (number(db, "SELECT count(*) FROM session WHERE pace_ns > 1000") == 0)
        return; /* no CPU */
    ck_assert(store_open(db, STORE_WRITE, &st, &err) == 0);
    ck_assert(store_exec(st, &err, "UPDATE session SET pace_ns = 1000", "") == 0);
    store_close(st);
    for (int i = 0; i < 5 && slow == 0; i++) {
        sweep_into(spec, db, &o, &s);
        ck_assert_int_eq(s.measured, 1);
        slow = number(db, "SELECT count(*) FROM sample WHERE status = 'noisy' AND error ="
                          " 'the machine was slow'");
    }
    ck_assert_double_gt(slow, 0);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM session WHERE pace_ns != 1000"), 0);
}
END_TEST

static char dead_starts[256];

/* From the first result on, the next two workers die at their start. */
static void no_more_starts(void *ctx, const struct sweep_summary *s)
{
    (void)ctx;
    if (s->measured == 1) {
        FILE *f = fopen(dead_starts, "w");

        fputs("ab", f);
        fclose(f);
    }
}

/* A driver that needs a moment after a crash: the sweep waits for it. */
START_TEST(slow_recovery)
{
    const char *spec = write_spec("r.csv", SIX), *db = in_folder("r.db");
    char fault[400];
    struct sweep_options o = options();
    struct sweep_summary s;

    snprintf(dead_starts, sizeof(dead_starts), "%s", in_folder("dead"));
    snprintf(fault, sizeof(fault), "crash:rows=24,;crash:rows=40,;start:%s", dead_starts);
    o.progress = no_more_starts;
    setenv("FLASHMEM_FAULT", fault, 1);
    sweep_into(spec, db, &o, &s);
    unsetenv("FLASHMEM_FAULT");
    ck_assert_int_eq(s.measured, 6);
    ck_assert_int_eq(s.by_status[SAMPLE_CRASHED], 2);
    ck_assert_int_ge(s.workers, 4); /* one, two that died, one more */
}
END_TEST

/* Everything crashes, even what does nothing: no night full of rows. */
START_TEST(lost_device)
{
    char spec_path[256];
    const char *db = in_folder("l.db");
    struct sweep_options o = options();
    struct sweep_summary s;
    struct device_info info;
    struct device *dev;
    struct store *st;
    struct spec spec;
    struct err err = {0};

    snprintf(spec_path, sizeof(spec_path), "%s", write_spec("l.csv", SIX));
    ck_assert_int_eq(device_open(NULL, &dev, &err), 0);
    info = dev->info;
    device_close(dev);
    ck_assert_int_eq(spec_read(spec_path, &info, &spec, &err), 0);
    ck_assert_int_eq(store_open(db, STORE_WRITE, &st, &err), 0);
    setenv("FLASHMEM_FAULT", "crash:", 1);
    ck_assert_int_eq(sweep_run(st, &info, &spec, &o, &s, &err), -EIO);
    unsetenv("FLASHMEM_FAULT");
    ck_assert_ptr_nonnull(strstr(err.text, "3 configurations in a row crashed"));
    store_close(st);
    spec_done(&spec);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM sample WHERE status = 'crashed'"), 3);
    sweep_into(spec_path, db, &o, &s); /* and they are tried again */
    ck_assert_int_eq(s.measured, 6);
    ck_assert_int_eq(sweep_failed(&s), 0);
}
END_TEST

/* A full disk ends the sweep; what was committed stays, whole, and the same sweep goes on. */
START_TEST(full_disk)
{
    char spec_path[256], mount[256], db[300], command[600];
    struct sweep_options o = options();
    struct sweep_summary s;
    struct device_info info;
    struct device *dev;
    struct store *st;
    struct spec spec;
    struct err err = {0};
    int rc;

    snprintf(mount, sizeof(mount), "%s", in_folder("full"));
    snprintf(db, sizeof(db), "%s/x.db", mount);
    snprintf(command, sizeof(command),
             "mkdir -p '%s' && mount -t tmpfs -o size=1m tmpfs '%s' 2>/dev/null", mount, mount);
    if (system(command) != 0)
        return; /* may not mount here */
    snprintf(spec_path, sizeof(spec_path), "%s", write_spec("full.csv", SIX));
    ck_assert_int_eq(device_open(NULL, &dev, &err), 0);
    info = dev->info;
    device_close(dev);
    ck_assert_int_eq(spec_read(spec_path, &info, &spec, &err), 0);
    ck_assert_msg(store_open(db, STORE_WRITE, &st, &err) == 0, "%s", err.text);
    o.limit = 2;
    ck_assert_int_eq(sweep_run(st, &info, &spec, &o, &s, &err), 0);
    o.limit = 0;
    snprintf(command, sizeof(command), "cat /dev/zero >'%s/ballast' 2>/dev/null", mount);
    ck_assert_int_ne(system(command), 0);
    rc = sweep_run(st, &info, &spec, &o, &s, &err);
    store_close(st);
    ck_assert_msg(rc == -ENOSPC, "%d: %s", rc, err.text);
    snprintf(command, sizeof(command), "rm '%s/ballast'", mount);
    ck_assert_int_eq(system(command), 0);
    ck_assert_double_ge(number(db, "SELECT count(*) FROM sample"), 2);
    ck_assert_double_eq(number(db, TORN), 0);
    sweep_into(spec_path, db, &o, &s);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM sample"), 6);
    check_with_shell(db);
    spec_done(&spec);
    snprintf(command, sizeof(command), "umount '%s'", mount);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

static volatile sig_atomic_t stop;

static void stop_after_two(void *ctx, const struct sweep_summary *s)
{
    (void)ctx;
    stop = s->measured >= 2;
}

START_TEST(interruption)
{
    const char *spec = write_spec("e.csv", SIX), *db = in_folder("e.db");
    struct sweep_options o = options();
    struct sweep_summary s;

    o.interrupted = &stop;
    o.progress = stop_after_two;
    sweep_into(spec, db, &o, &s);
    ck_assert(s.interrupted);
    ck_assert_int_eq(s.measured, 2);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM session WHERE ended_utc IS NULL"), 0);
    stop = 0;
    o.progress = NULL;
    sweep_into(spec, db, &o, &s);
    ck_assert(!s.interrupted);
    ck_assert_int_eq(s.measured, 4);
}
END_TEST

START_TEST(unsupported_is_a_row)
{
    /* 64 x 8192 items: more than any device has in a group */
    char path[256];
    const char *db = in_folder("f.db");
    struct sweep_options o = options();
    struct sweep_summary s;
    FILE *f;

    snprintf(path, sizeof(path), "%s/f.csv", folder);
    f = fopen(path, "w");
    fprintf(f, "flashmem-sweep,1\nop,shape,lws\nrelu,rows=8 cols=64,8x8|64x8192\n");
    fclose(f);
    sweep_into(path, db, &o, &s);
    ck_assert_int_eq(s.measured, 2);
    ck_assert_int_eq(s.by_status[SAMPLE_UNSUPPORTED], 1);
    ck_assert_int_eq(sweep_failed(&s), 0);
    ck_assert_double_eq(number(db, "SELECT length(error) > 0 FROM sample WHERE status ="
                                   " 'unsupported'"),
                        1);
}
END_TEST

START_TEST(doubling)
{
    const char *spec = write_spec("g.csv", "relu,rows=64 cols=256,buffer,,,0.5|1+" FAST);
    const char *db = in_folder("g.db");
    struct sweep_options o = options();
    struct sweep_summary s;

    /* 64 KiB of input; an end at 1 MiB allows ratios 2, 4, 8, 16 */
    o.thresholds.allowed[OP_ELEMENTAL] = 1e9;
    o.max_load_bytes = 1 << 20;
    o.limit = 4;
    sweep_into(spec, db, &o, &s);
    ck_assert_int_eq(s.measured, 4);
    ck_assert_int_eq(s.doubled, 2);
    o.limit = 0;
    sweep_into(spec, db, &o, &s); /* goes on in the middle of the doubling */
    ck_assert_int_eq(s.present, 4);
    ck_assert_int_eq(s.measured, 2);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM config"), 6);
    ck_assert_double_eq(number(db, "SELECT max(extra_ratio) FROM config"), 16);
    ck_assert_double_eq(number(db, "SELECT max(load_bytes) FROM config"), 1 << 20);
    sweep_into(spec, db, &o, &s);
    ck_assert_int_eq(s.measured, 0);
    ck_assert_int_eq(s.present, 6);

    /* A threshold that is crossed with the whole interval ends it there. */
    db = in_folder("g2.db");
    o.thresholds.allowed[OP_ELEMENTAL] = 1e-9;
    sweep_into(spec, db, &o, &s);
    ck_assert_double_le(number(db, "SELECT count(*) FROM sample s JOIN config c ON c.id ="
                                   " s.config_id WHERE c.extra_ratio >= 1 AND s.slowdown_low > 1 +"
                                   " 1e-9"),
                        1);
}
END_TEST

/* ---- kernels from files ---- */

static void write_own(const char *path, const char *value)
{
    FILE *f = fopen(path, "w");

    ck_assert_ptr_nonnull(f);
    fprintf(f,
            "// flashmem-kernel 1\n// agrees: relu\n// args: y, rows * cols, x\n"
            "// global: div_up(rows * cols, PER)\n// local: 4\n// tunables: PER=1|2\n"
            "// shape: rows=8 cols=64\n//\n"
            "__kernel void own(__global float *y, int n, __global const float *x)\n{\n"
            "    for (int i = 0; i < PER; i++) {\n"
            "        const int at = get_global_id(0) * PER + i;\n"
            "        if (at < n)\n            y[at] = %s;\n    }\n}\n",
            value);
    fclose(f);
}

/* Sweeps FILE into `db`; the file is another one by the time that workers start. */
static void sweep_own(const char *path, const char *db, struct sweep_summary *s)
{
    struct sweep_options o = options();
    struct device_info info;
    struct device *dev;
    struct custom *own;
    struct store *st;
    struct spec spec;
    struct err err = {0};

    ck_assert_msg(device_open(NULL, &dev, &err) == 0, "%s", err.text);
    info = dev->info;
    device_close(dev);
    ck_assert_msg(own_open(path, &own, &err) == 0, "%s", err.text);
    ck_assert_msg(own_spec(own, path, &info, &spec, &err) == 0, "%s", err.text);
    ck_assert_int_eq(truncate(path, 0), 0);
    ck_assert_msg(store_open(db, STORE_WRITE, &st, &err) == 0, "%s", err.text);
    ck_assert_msg(sweep_run(st, &info, &spec, &o, s, &err) == 0, "%s", err.text);
    store_close(st);
    spec_done(&spec);
    own_close(own);
}

START_TEST(own_kernel)
{
    char path[256];
    const char *db = in_folder("o.db");
    struct sweep_summary s;

    snprintf(path, sizeof(path), "%s/own.cl", folder);
    write_own(path, "fmax(x[at], 0.0f)");
    sweep_own(path, db, &s);
    ck_assert_int_eq(s.measured, 2);
    ck_assert_int_eq(sweep_failed(&s), 0);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM sample s JOIN config c ON c.id ="
                                   " s.config_id WHERE s.median_ns > 0 AND c.op = 'relu' AND"
                                   " c.kernel LIKE 'own@________' AND c.path = 'buffer' AND"
                                   " c.lws = '4x1' AND c.gws = iif(c.tile = 'PER=1', '512x1',"
                                   " '256x1')"),
                        2);
    write_own(path, "fmax(x[at], 0.0f)");
    sweep_own(path, db, &s);
    ck_assert_int_eq(s.measured, 0); /* the same text has been measured */

    write_own(path, "fabs(x[at])"); /* another hash; wrong for half of the elements */
    sweep_own(path, db, &s);
    ck_assert_int_eq(s.measured, 2);
    ck_assert_int_eq(s.by_status[SAMPLE_WRONG], 2);
    write_own(path, "x[at](0)");
    sweep_own(path, db, &s);
    ck_assert_int_eq(s.by_status[SAMPLE_BUILD_FAILED], 2);
    ck_assert_double_eq(number(db, "SELECT count(DISTINCT kernel) FROM config"), 3);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM sample WHERE error LIKE '%own.cl%'"), 2);
    check_with_shell(db);
}
END_TEST

/* ---- kill -9 ---- */

#define MANY "relu,rows=8-192+8 cols=64|128,buffer,,,0|1" FAST /* 96 configurations */

static pid_t start_sweep(const char *spec, const char *db)
{
    pid_t pid = fork();

    if (pid == 0) {
        setpgid(0, 0);
        execl("/proc/self/exe", "test_sweep", "sweep", spec, db, (char *)NULL);
        _exit(127);
    }
    setpgid(pid, pid);
    return pid;
}

START_TEST(kill_nine)
{
    char spec[256], db[256];
    uint64_t rng = 20240229;
    int status = 0, kills = 0, done = 0;

    snprintf(spec, sizeof(spec), "%s", write_spec("k.csv", MANY));
    snprintf(db, sizeof(db), "%s", in_folder("k.db"));
    while (!done) {
        pid_t pid = start_sweep(spec, db);
        /* A fifth of a second to start, then a sample every few hundredths: some are hit before the
         * first, the others anywhere. */
        useconds_t wait_us = (useconds_t)(150000 + rng_below(&rng, 500000));

        ck_assert_int_lt(kills, 200);
        if (kills < 8) {
            usleep(wait_us);
            /* every second time the sweep alone: its worker must not outlive it */
            kill(kills % 2 ? pid : -pid, SIGKILL);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        done = WIFEXITED(status);
        kills += !done;
    }
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    ck_assert_int_ge(kills, 2);
    check_with_shell(db);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM config"), 96);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM sample"), 96);
    ck_assert_double_eq(number(db, "SELECT count(DISTINCT config_id) FROM sample"), 96);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM sample WHERE status NOT IN ('ok',"
                                   " 'noisy')"),
                        0);
    ck_assert_double_eq(number(db, TORN), 0);
}
END_TEST

/* Stopped for longer than a configuration may take, worker and all. */
START_TEST(paused)
{
    char spec[256], db[256];
    int status = 0;
    pid_t pid;

    snprintf(spec, sizeof(spec), "%s", write_spec("p.csv", MANY));
    snprintf(db, sizeof(db), "%s", in_folder("p.db"));
    setenv("TEST_TIMEOUT_S", "5", 1);
    pid = start_sweep(spec, db);
    unsetenv("TEST_TIMEOUT_S");
    usleep(1200000);
    kill(-pid, SIGSTOP);
    usleep(7000000);
    kill(-pid, SIGCONT);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM sample WHERE status IN ('ok', 'noisy')"),
                        96);
}
END_TEST

/* First child of a process; 0: none, -1: this kernel does not say. */
static int child_of(pid_t pid)
{
    char path[64];
    int child = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
    f = fopen(path, "r");
    if (!f)
        return -1;
    if (fscanf(f, "%d", &child) != 1)
        child = 0;
    fclose(f);
    return child;
}

static bool is_alive(pid_t pid)
{
    char path[64], state = 'X';
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    f = fopen(path, "r");
    if (!f)
        return false;
    if (fscanf(f, "%*d %*s %c", &state) != 1)
        state = 'X';
    fclose(f);
    return state != 'X' && state != 'Z';
}

START_TEST(worker_dies_with_its_sweep)
{
    const char *spec = write_spec("w.csv", SIX), *db = in_folder("w.db");
    int status, worker = 0;
    pid_t pid;

    setenv("FLASHMEM_FAULT", "hang:rows", 1);
    pid = start_sweep(spec, db);
    unsetenv("FLASHMEM_FAULT");
    for (int i = 0; i < 600 && worker == 0; i++) {
        usleep(50000);
        worker = child_of(pid);
    }
    usleep(500000); /* it hangs in its first order by now, or is still starting: both must end */
    ck_assert_int_ne(worker, 0);
    if (worker > 0)
        ck_assert(is_alive(worker));
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    for (int i = 0; i < 100 && worker > 0 && is_alive(worker); i++)
        usleep(50000);
    if (worker > 0)
        ck_assert(!is_alive(worker));
}
END_TEST

/* ---- the program's other faces ---- */

static int be_sweep(const char *spec_path, const char *db)
{
    struct sweep_options o = options();
    struct sweep_summary s;
    struct device_info info;
    struct device *dev = NULL;
    struct store *st = NULL;
    struct spec spec = {0};
    struct err err = {0};
    int rc = device_open(NULL, &dev, &err);

    if (getenv("TEST_TIMEOUT_S"))
        o.timeout_ns = strtoull(getenv("TEST_TIMEOUT_S"), NULL, 10) * UINT64_C(1000000000);
    if (rc == 0) {
        info = dev->info;
        device_close(dev);
        rc = spec_read(spec_path, &info, &spec, &err);
    }
    if (rc == 0)
        rc = store_open(db, STORE_WRITE, &st, &err);
    if (rc == 0)
        rc = sweep_run(st, &info, &spec, &o, &s, &err);
    if (rc < 0)
        fprintf(stderr, "sweep: %s\n", err.text);
    store_close(st);
    spec_done(&spec);
    return rc < 0 ? 1 : 0;
}

static int run_suite(void)
{
    Suite *s = suite_create("sweep");
    TCase *t = tcase_create("sweep");
    SRunner *r;
    int failed;

    folder_make();
    tcase_set_timeout(t, 300);
    tcase_add_test(t, all_then_nothing);
    tcase_add_test(t, limits_shards_dry);
    tcase_add_test(t, crash_costs_one_row);
    tcase_add_test(t, hang_costs_one_row);
    tcase_add_test(t, memory_costs_one_row);
    tcase_add_test(t, pace_is_remembered);
    tcase_add_test(t, slow_recovery);
    tcase_add_test(t, lost_device);
    tcase_add_test(t, full_disk);
    tcase_add_test(t, interruption);
    tcase_add_test(t, unsupported_is_a_row);
    tcase_add_test(t, doubling);
    tcase_add_test(t, own_kernel);
    tcase_add_test(t, kill_nine);
    tcase_add_test(t, paused);
    tcase_add_test(t, worker_dies_with_its_sweep);
    suite_add_tcase(s, t);
    r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    folder_remove();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct err err = {0};

    if (argc == 4 && strcmp(argv[1], "--device") == 0 && strcmp(argv[3], "worker") == 0)
        return worker_run(argv[2], 0, &err) < 0;
    if (argc == 4 && strcmp(argv[1], "sweep") == 0)
        return be_sweep(argv[2], argv[3]);
    need_device();
    return run_suite();
}
