/* Sweeps: whatever dies in between, nothing is lost and nothing is measured twice.
 *
 * The program is also its own sweep to be killed ("sweep SPEC DB"). */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/rng.h"
#include "tests/sweep_case.h"

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
    o.timeout_ns = UINT64_C(4000000000);
    sweep_into(spec, db, &o, &s);
    unsetenv("FLASHMEM_FAULT");
    ck_assert_int_eq(s.measured, 6);
    ck_assert_int_eq(s.by_status[SAMPLE_TIMEOUT], 1);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM sample WHERE status = 'timeout' AND error"
                                   " LIKE '%4 s%' AND median_ns IS NULL"),
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
    struct sweep_case k;
    struct err err = {0};

    snprintf(spec_path, sizeof(spec_path), "%s", write_spec("l.csv", SIX));
    ck_assert_msg(sweep_case_open(&k, spec_path, db, &err) == 0, "%s", err.text);
    setenv("FLASHMEM_FAULT", "crash:", 1);
    ck_assert_int_eq(sweep_run(k.st, &k.info, &k.spec, &o, &s, &err), -EIO);
    unsetenv("FLASHMEM_FAULT");
    ck_assert_ptr_nonnull(strstr(err.text, "3 configurations in a row crashed"));
    sweep_case_done(&k);
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
    struct sweep_case k;
    struct err err = {0};
    int rc;

    snprintf(mount, sizeof(mount), "%s", in_folder("full"));
    snprintf(db, sizeof(db), "%s/x.db", mount);
    snprintf(command, sizeof(command),
             "mkdir -p '%s' && mount -t tmpfs -o size=1m tmpfs '%s' 2>/dev/null", mount, mount);
    if (system(command) != 0)
        return; /* may not mount here */
    snprintf(spec_path, sizeof(spec_path), "%s", write_spec("full.csv", SIX));
    ck_assert_msg(sweep_case_open(&k, spec_path, db, &err) == 0, "%s", err.text);
    o.limit = 2;
    ck_assert_int_eq(sweep_run(k.st, &k.info, &k.spec, &o, &s, &err), 0);
    o.limit = 0;
    snprintf(command, sizeof(command), "cat /dev/zero >'%s/ballast' 2>/dev/null", mount);
    ck_assert_int_ne(system(command), 0);
    rc = sweep_run(k.st, &k.info, &k.spec, &o, &s, &err);
    sweep_case_done(&k);
    ck_assert_msg(rc == -ENOSPC, "%d: %s", rc, err.text);
    snprintf(command, sizeof(command), "rm '%s/ballast'", mount);
    ck_assert_int_eq(system(command), 0);
    ck_assert_double_ge(number(db, "SELECT count(*) FROM sample"), 2);
    ck_assert_double_eq(number(db, TORN), 0);
    sweep_into(spec_path, db, &o, &s);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM sample"), 6);
    check_with_shell(db);
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

#define MANY "relu,rows=8-192+8 cols=64|128,buffer,,,0|1" FAST /* 96 configurations */

static pid_t start_sweep(const char *spec, const char *db)
{
    pid_t pid = fork();

    if (pid == 0) {
        setpgid(0, 0);
        execl("/proc/self/exe", "test_sweep_faults", "sweep", spec, db, (char *)NULL);
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
    setenv("TEST_TIMEOUT_S", "3", 1);
    pid = start_sweep(spec, db);
    unsetenv("TEST_TIMEOUT_S");
    usleep(1200000);
    kill(-pid, SIGSTOP);
    usleep(4000000);
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
    struct sweep_case k;
    struct err err = {0};
    int rc = sweep_case_open(&k, spec_path, db, &err);

    if (getenv("TEST_TIMEOUT_S"))
        o.timeout_ns = strtoull(getenv("TEST_TIMEOUT_S"), NULL, 10) * UINT64_C(1000000000);
    if (rc == 0)
        rc = sweep_run(k.st, &k.info, &k.spec, &o, &s, &err);
    if (rc < 0)
        fprintf(stderr, "sweep: %s\n", err.text);
    sweep_case_done(&k);
    return rc < 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
    TCase *t = tcase_create("sweep_faults");

    if (argc == 4 && strcmp(argv[1], "sweep") == 0)
        return be_sweep(argv[2], argv[3]);
    tcase_add_test(t, crash_costs_one_row);
    tcase_add_test(t, hang_costs_one_row);
    tcase_add_test(t, memory_costs_one_row);
    tcase_add_test(t, slow_recovery);
    tcase_add_test(t, lost_device);
    tcase_add_test(t, full_disk);
    tcase_add_test(t, interruption);
    tcase_add_test(t, kill_nine);
    tcase_add_test(t, paused);
    tcase_add_test(t, worker_dies_with_its_sweep);
    return sweep_main(argc, argv, "sweep_faults", t);
}
