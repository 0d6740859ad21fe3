#include "tests/report_rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/folder.h"

#define N(x) ((int)(sizeof(x) / sizeof((x)[0])))

const struct device_info rows_device = {
    .platform = "Test", .name = "Fixture", .version = "OpenCL 1.2", .driver = "1"};

char rows_db[96], rows_out[96];
struct store *rows_st;
static char old_path[4096];

void exec(const char *sql)
{
    struct err err = {0};

    ck_assert_msg(store_exec(rows_st, &err, sql, "") == 0, "%s\n%s", err.text, sql);
}

int64_t rows_session(void)
{
    char *argv[] = {"test_report"};
    struct err err = {0};
    int64_t device_id, id;

    ck_assert_int_eq(store_device(rows_st, &rows_device, &device_id, &err), 0);
    ck_assert_int_eq(store_session(rows_st, device_id, 1, argv, &id, &err), 0);
    return id;
}

struct fixture_run {
    int session; /* first or second */
    const char *model, *policy;
    int ms, low_ms, high_ms, init_ms, peak_mb, avg_mb;
    int round_ms[3];
};

/* In the second session nobody preloads; the first lc-opg is older than the second, and so not
 * shown. */
static const struct fixture_run runs[] = {
    {0, "GPTN-S", "lc-opg", 999, 990, 1010, 20, 250, 100, {999, 999, 999}},
    {0, "GPTN-S", "preload", 1000, 900, 1100, 400, 500, 400, {1000, 990, 1010}},
    {0, "GPTN-S", "lc-opg", 500, 450, 550, 20, 250, 100, {500, 480, 1200}},
    {0, "A<B&C", "preload", 100, 90, 110, 40, 50, 40, {100, 100, 100}},
    {0, "A<B&C", "lc-opg", 80, 70, 95, 40, 100, 80, {80, 80, 80}},
    {1, "Alone", "greedy", 100, 90, 110, 40, 50, 40, {100, 100, 100}},
};

static void insert_run(const struct fixture_run *r, int64_t session_id)
{
    struct err err = {0};
    int64_t id;
    int rc;

    rc = store_exec(
        rows_st, &err,
        "INSERT INTO run (session_id, taken_utc, model, policy, dtype, path, kernel, "
        "reader, source, cache, repeats, setup_ns, build_ns, init_ns, exec_ns, "
        "integrated_ns, integrated_low_ns, integrated_high_ns, integrated_mean_ns, "
        "peak_bytes, avg_bytes, mem_byte_s, rss_peak_bytes, bytes_read, disk_ns, kernel_ns, "
        "bound_ns, predicted_ns, verified, output_hash, status) VALUES (?1, "
        "'2020-01-01T00:00:00Z', ?2, ?3, 'f32', 'image', 'pipelined', 'ahead', 'disk', "
        "'cold', 3, 0, 0, ?4 * 1e6, (?5 - ?4) * 1e6, ?5 * 1e6, ?6 * 1e6, ?7 * 1e6, "
        "?5 * 1e6, ?8 * 1000000, ?9 * 1e6, 7e6, NULL, 300000000, 300e6, 600e6, 600e6, "
        "400e6, 'yes', 'x', 'ok')",
        "issiiiiii", session_id, r->model, r->policy, (int64_t)r->init_ms, (int64_t)r->ms,
        (int64_t)r->low_ms, (int64_t)r->high_ms, (int64_t)r->peak_mb, (int64_t)r->avg_mb);
    ck_assert_msg(rc == 0, "%s", err.text);
    id = store_last_id(rows_st);
    for (int i = 0; i < 3; i++) {
        rc =
            store_exec(rows_st, &err, "INSERT INTO run_repeat VALUES (?, ?, ? * 1000000, 1, 1, 1, 1, 1, NULL)",
                       "iii", id, (int64_t)i, (int64_t)r->round_ms[i]);
        ck_assert_int_eq(rc, 0);
        rc = store_exec(rows_st, &err,
                        "INSERT INTO run_memory VALUES (?, ?, ? * 1000000, 0, 1, 2000000, 3, "
                        "0, NULL)",
                        "iii", id, (int64_t)i, (int64_t)i * 10);
        ck_assert_int_eq(rc, 0);
    }
}

/* GPTN-S as it streamed (500 ms, 100 MB) in another configuration. */
void another(const char *policy, const char *kernel, const char *more, int ms, int avg_mb)
{
    char sql[600];

    exec("CREATE TEMP TABLE copied AS SELECT * FROM run WHERE integrated_ns = 500e6");
    snprintf(sql, sizeof(sql),
             "UPDATE copied SET id = NULL, policy = '%s', kernel = '%s', integrated_ns = %d * 1e6,"
             " integrated_low_ns = %d * 0.9e6, integrated_high_ns = %d * 1.1e6, avg_bytes = %d * 1e6,"
             " options = ''%s%s", policy, kernel, ms, ms, ms, avg_mb, *more ? ", " : "", more);
    exec(sql);
    exec("INSERT INTO run SELECT * FROM copied");
    exec("DROP TABLE copied");
}

/* What the study's figures are made of: steps, naive policies, another disk, plans under limits. */
static void insert_study(void)
{
#define KEPT(mb) \
    "options = '--keep 0', cache = 'kept', note = 'disk: x; " mb "000000 bytes stay between the " \
    "runs of 3 sequences of 2; medians without the first'"
    another("preload", "naive", "", 900, 400);
    another("lc-opg", "naive", "", 600, 200);
    another("lc-opg", "naive", "options = '--split'", 600, 100);
    another("lc-opg", "pipelined", "options = '--split'", 400, 100);
    another("lc-opg", "pipelined", "options = '--variants default --split'", 800, 100);
    another("always-next", "pipelined", "", 1500, 300);
    another("lc-opg", "pipelined", "options = '--lambda 0.5', peak_bytes = 90e6", 700, 80);
    another("preload", "pipelined", "source = 'ram', disk_ns = 60e6, init_ns = 120e6", 900, 400);
    another("lc-opg", "pipelined", "source = 'ram', disk_ns = 60e6", 600, 100);
    another("preload", "direct", KEPT("495"), 100, 500);
    another("latency", "direct", KEPT("0"), 600, 100);
    exec("INSERT INTO run_repeat SELECT r.id, v.key, v.value * 1000000, 1, 1, 1, 1, 1, NULL FROM run r,"
         " json_each(iif(r.policy = 'preload', '[900, 100, 950, 90, 800, 130]',"
         " '[500, 600, 400, 700, 550, 500]')) v WHERE r.cache = 'kept'");
    exec("INSERT INTO plan VALUES (8, '2020', 1, 'GPTN-S', 'f16', 'image', 'preload', 'bytes', "
         "'streamed', NULL, 6000000000, 0.9, 1, '', 5, NULL, 'INFEASIBLE', 1, 100, NULL, 1, NULL, NULL)");
    exec("INSERT INTO plan VALUES (9, '2020', 1, 'GPTN-S', 'f16', 'image', 'preload', 'bytes', "
         "'streamed', NULL, 16000000000, 0.9, 1, '', 5, NULL, 'OPTIMAL', 1, 7000000000, NULL, 1, NULL, NULL)");
    exec("INSERT INTO plan_weight SELECT column1, 'w', 3000000000, 1, 1, 1, NULL FROM (VALUES (8), (9))");
}

/* One matmul in three forms, up to ratio 3; and at more ratios, another in one form alone. */
static void insert_forms(int64_t session_id)
{
    static const struct {
        int id, ratio, k;
        const char *form;
        double slowdown;
    } more[] = {{11, 1, 3, "copy", 1.05},      {12, 2, 3, "copy", 1.25},
                {13, 2, 3, "branching", 1.5},  {14, 1, 9, "branching", 9},
                {15, 2, 9, "branching", 9.5},  {16, 0, 9, "branching", 9.75},
                {17, 3, 3, "copy", 4.5}};
    struct err err = {0};

    for (int i = 0; i < N(more); i++) {
        int rc = store_exec(
            rows_st, &err,
            "INSERT INTO config VALUES (?1, ?1, 'matmul', 'reusable', 'm=4,n=2,k=' || ?3, 'f32',"
            " 'image', 'direct', ?2, 'image,direct,' || ?2 || ',TM=1', '1x1', 'auto', '', 'mnk',"
            " ?4, 0, 'hot')",
            "isii", (int64_t)more[i].id, more[i].form, (int64_t)more[i].k, (int64_t)more[i].ratio);

        ck_assert_msg(rc == 0, "%s", err.text);
        rc = store_exec(rows_st, &err,
                        "INSERT INTO sample (id, session_id, config_id, taken_utc, status, repeats,"
                        " base_median_ns, slowdown, slowdown_low, slowdown_high, measure_ns)"
                        " VALUES (?1, ?2, ?1, '2020', 'ok', 10, 1000, ?3, ?3, ?3, 1)",
                        "iid", (int64_t)more[i].id, session_id, more[i].slowdown);
        ck_assert_msg(rc == 0, "%s", err.text);
    }
}

/* One matmul: 1.1 times slower at ratio 1, 1.3 times at 2. It crosses +20 % at 1.5, +30 % never. */
static void insert_samples(int64_t session_id)
{
    static const double slowdown[] = {1.1, 1.3};
    struct err err = {0};

    exec("INSERT INTO plan VALUES (1, '2020', 1, 'GPTN-S', 'f32', 'image', 'lc-opg', 'bytes', "
         "'streamed', NULL, NULL, 0.9, 1, '', 1, 1, 'OPTIMAL', 1, 1, NULL, 1, NULL, NULL)");
    exec("INSERT INTO plan_weight VALUES (1, 'w', 1, 1, 1, 1, NULL)");
    exec("INSERT INTO plan VALUES (2, '2020', NULL, 'gptneo-s.1m.tight', '', '', 'lc-opg', 'bytes', "
         "'streamed', 9, NULL, 0.9, 1, '', 4, 4, 'OPTIMAL', 1, 1, NULL, 2000000, NULL, NULL)");
    exec("INSERT INTO plan VALUES (3, '2020', NULL, 'gptneo-s.1m.tight', '', '', 'cp-sat', 'bytes', "
         "'streamed', 9, NULL, 0.9, 1, '', 5, 3, 'FEASIBLE', 1, 1, NULL, 7e9, NULL, NULL)");
    exec("INSERT INTO plan VALUES (4, '2020', 1, 'GPTN-S', 'f32', 'image', 'latency', 'bytes', "
         "'streamed', NULL, 200000000, 0.9, 1, '', 5, NULL, 'FEASIBLE', 1, 100, 30e6, 1, 29e6, 2e9)");
    exec("INSERT INTO plan VALUES (5, '2020', 1, 'GPTN-S', 'f32', 'image', 'latency', 'bytes', "
         "'streamed', NULL, 400000000, 0.9, 1, '', 5, NULL, 'OPTIMAL', 1, 100, 20e6, 1, 20e6, 2e9)");
    exec("UPDATE run SET plan_id = 1, least_ns = 450e6, predicted_peak_bytes = 200000000 "
         "WHERE integrated_ns = 500e6");
    exec("INSERT INTO run_layer SELECT id, 1, 'a', 'matmul', 0, 100000000, 7, 95e6, NULL, NULL FROM run "
         "WHERE integrated_ns = 500e6");
    exec("INSERT INTO run_layer SELECT id, 2, 'b', 'add', 150000000, 450000000, 0, 405e6, NULL, NULL FROM run "
         "WHERE integrated_ns = 500e6");
    /* A newer run, by capacities at random: it takes no place but in its own table. */
    exec("INSERT INTO plan VALUES (6, '2020', 1, 'GPTN-S', 'f32', 'image', 'lc-opg', 'bytes', "
         "'streamed', NULL, NULL, 0.9, 1, 'random 1; elemental=3 reusable=0.2', 8, 8, 'OPTIMAL', "
         "2000000, 1, NULL, 1, NULL, NULL)");
    exec("CREATE TEMP TABLE other AS SELECT * FROM run WHERE integrated_ns = 500e6");
    exec("UPDATE other SET id = 99, plan_id = 6, integrated_ns = 440e6, taken_utc = '2030'");
    exec("INSERT INTO run SELECT * FROM other");
    exec("INSERT INTO regressor VALUES (1, 1, '2020', 'latency', 'f32', 'image', 2, 1, 2, '', '', "
         "'{}')");
    exec("INSERT INTO metric VALUES (1, 'all', 1, 2, 0.25, 0.5, 0.1, 0.2, 0.9)");
    exec("INSERT INTO metric VALUES (1, 'matmul', 1, 2, 0.25, 0.5, 0.1, 0.2, 0.9)");
    exec("INSERT INTO metric VALUES (1, 'all', 0, 1, 0, 1, 0.05, 0.05, NULL)");
    exec("INSERT INTO score VALUES (1, 'shape', 'blended', 'all', 2, 0.25, 0.5, 0.1, 0.2, 0.9)");
    exec("INSERT INTO score VALUES (1, 'shape', 'roofline', 'all', 2, 0, 0.125, 0.1, 0.2, 0.9)");
    exec("INSERT INTO score VALUES (1, 'ResNet', 'blended', 'all', 4, 0.5, 0.75, 0.1, 0.2, 0.9)");
    exec("INSERT INTO score VALUES (1, 'again', 'measured', 'matmul', 2, 1, 1, 0.1, 0.2, 0.9)");
    for (int i = 0; i < N(slowdown); i++) {
        int rc = store_exec(
            rows_st, &err,
            "INSERT INTO config VALUES (?1, ?1, 'matmul', 'reusable', 'm=1,n=2,k=3', 'f32', "
            "'image', 'direct', 'pipelined', 'v', '1x1', 'auto', '', 'mnk', ?1, 0, 'hot')",
            "i", (int64_t)i + 1);

        ck_assert_msg(rc == 0, "%s", err.text);
        rc =
            store_exec(rows_st, &err,
                       "INSERT INTO sample (id, session_id, config_id, taken_utc, status, repeats, "
                       "base_median_ns, slowdown, slowdown_low, slowdown_high, measure_ns) "
                       "VALUES (?1, ?2, ?1, '2020', 'ok', 10, 1000, ?3, ?3, ?3, 1)",
                       "iid", (int64_t)i + 1, session_id, slowdown[i]);
        ck_assert_msg(rc == 0, "%s", err.text);
        rc = store_exec(rows_st, &err, "INSERT INTO prediction VALUES (1, ?, 0, 1100, 1000)", "i",
                        (int64_t)i + 1);
        ck_assert_msg(rc == 0, "%s", err.text);
    }
}

/* The second of one framework, which is newer; one that failed; one of a model that we never ran. */
static void insert_peers(void)
{
#define PEER(utc, name, version, threads, model, ns, status)                                       \
    "INSERT INTO peer_run (device_id, taken_utc, host, cpu, framework, version, backend, model,"   \
    " dtype, threads, rounds, load_ns, init_ns, first_ns, integrated_ns, integrated_low_ns,"       \
    " integrated_high_ns, peak_bytes, avg_bytes, cache, status) SELECT id, '" utc "', 'h', 'c',"   \
    " '" name "', '" version "', 'cpu', '" model "', 'f32', " threads ", " ns ", 'cold',"          \
    " '" status "' FROM device"
#define NONE "0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL"
    exec(PEER("2020", "onnxruntime", "1.1", "2", "GPTN-S", "7, 1, 2, 3, 6, 5, 7, 8, 9", "ok"));
    exec(PEER("2021", "onnxruntime", "1.2", "2", "GPTN-S",
              "7, 10000000, 20000000, 20000000, 50000000, 40000000, 60000000, 8000000, 6000000",
              "ok"));
    exec(PEER("2020", "mnn", "3.6", "1", "GPTN-S", NONE, "no such operator"));
    exec(PEER("2020", "mnn", "3.6", "1", "Unrun", "7, 1, 2, 3, 6, 5, 7, 8, 9", "ok"));
}

/* Passes over a workload: first in first out, with an urgent one that interrupts, and a preload that
 * takes twice as long and holds four times as much. The first has an older one of its kind. */
static void insert_queues(int64_t session_id, int64_t older_session_id)
{
#define PASS(id, utc, policy, limit, preempt, total_ms, avg_mb)                                    \
    "INSERT INTO queue VALUES (" id ", ?1, '" utc "', 'some/paper.csv', 1, '" policy "', 'f16',"   \
    " 'buffer', 'direct', 'ahead', 'disk', 'cold', " limit ", 1, " preempt ", 2, 5,"               \
    " " total_ms "000000, 200000000, " avg_mb "e6, 1, NULL, 'ok')"
#define STEP(queue, step, model, priority, arrive, turn, end, paused)                              \
    "INSERT INTO queue_step SELECT " queue ", " step ", '" model "', " priority ", " arrive        \
    " * 1000000, " turn " * 1000000, " turn " * 1000000, " end " * 1000000, 0, " paused ", 9000000,"\
    " 1, 1, 'yes', NULL"
    static const char *const sql[] = {
        PASS("1", "2019", "latency", "200000000", "0", "700", "999"),
        PASS("2", "2020", "latency", "200000000", "0", "100", "50"),
        PASS("3", "2020", "latency", "200000000", "1", "100", "60"),
        PASS("4", "2020", "preload", "NULL", "0", "200", "200"),
        STEP("2", "1", "Slow", "0", "0", "0", "60", "NULL"),
        STEP("2", "2", "Fast", "1", "20", "60", "100", "NULL"),
        STEP("3", "1", "Slow", "0", "0", "0", "100", "7"),
        STEP("3", "2", "Fast", "1", "20", "22", "60", "NULL"),
        STEP("4", "1", "Slow", "0", "0", "0", "120", "NULL"),
        STEP("4", "2", "Fast", "1", "20", "130", "200", "NULL"),
        "INSERT INTO queue_memory SELECT q.id, v.value, v.value * 25000000, 0, v.value * 1000000, 0, 0,"
        " 0, NULL FROM queue q, json_each('[0,1,2,3]') v WHERE q.id > 1",
    };

    for (int i = 0; i < N(sql); i++) {
        struct err err = {0};
        int rc = store_exec(rows_st, &err, sql[i], i < 4 ? "i" : "",
                            i == 0 ? older_session_id : session_id);

        ck_assert_msg(rc == 0, "%s: %s", sql[i], err.text);
    }
}

void rows_open_empty(void)
{
    struct err err = {0};

    snprintf(old_path, sizeof(old_path), "%s", getenv("PATH"));
    folder_make_in_memory();
    snprintf(rows_db, sizeof(rows_db), "%s/t.db", folder);
    snprintf(rows_out, sizeof(rows_out), "%s/a/out", folder);
    ck_assert_msg(store_open(rows_db, STORE_WRITE, &rows_st, &err) == 0, "%s", err.text);
}

void rows_open(void)
{
    int64_t id[2];

    rows_open_empty();
    id[0] = rows_session();
    id[1] = rows_session();
    for (int i = 0; i < N(runs); i++)
        insert_run(&runs[i], id[runs[i].session]);
    insert_samples(id[0]);
    insert_forms(id[0]);
    insert_peers();
    insert_study();
    insert_queues(id[0], id[1]);
}

void rows_close(void)
{
    setenv("PATH", old_path, 1);
    store_close(rows_st);
    rows_st = NULL;
    folder_remove();
}

TCase *rows_case(Suite *s, const char *name, SFun setup)
{
    TCase *t = tcase_create(name);

    tcase_add_checked_fixture(t, setup, rows_close);
    suite_add_tcase(s, t);
    return t;
}

int rows_report(struct err *err)
{
    struct report *r = NULL;
    int rc = report_open(rows_st, 0, &r, err);

    ck_assert_msg(rc == 0, "%s", err->text);
    rc = report_all(r, rows_out, err);
    report_close(r);
    return rc;
}

void rows_report_ok(void)
{
    struct err err = {0};
    int rc = rows_report(&err);

    ck_assert_msg(rc == 0, "%d: %s", rc, err.text);
}

void rows_report_csv(void)
{
    struct err err = {0};

    setenv("PATH", folder, 1); /* no gnuplot: pictures take most of the time */
    ck_assert_int_eq(rows_report(&err), -ENOENT);
    setenv("PATH", old_path, 1);
}

bool there(const char *name)
{
    char path[512];
    struct stat s;

    snprintf(path, sizeof(path), "%s/%s", rows_out, name);
    return stat(path, &s) == 0 && s.st_size > 0;
}

char *slurp(const char *name)
{
    char path[512], *text = NULL;
    size_t size = 0;
    FILE *f, *to = open_memstream(&text, &size);

    snprintf(path, sizeof(path), "%s/%s", rows_out, name);
    f = fopen(path, "r");
    ck_assert_msg(f != NULL, "%s: %s", path, strerror(errno));
    for (int c; (c = fgetc(f)) != EOF;)
        fputc(c, to);
    fclose(f);
    fclose(to);
    return text;
}

void has(const char *name, const char *want)
{
    char *text = slurp(name);

    ck_assert_msg(strstr(text, want) != NULL, "%s has no '%s':\n%.4000s", name, want, text);
    free(text);
}

void has_not(const char *name, const char *want)
{
    char *text = slurp(name);

    ck_assert_msg(strstr(text, want) == NULL, "%s has '%s'", name, want);
    free(text);
}
