/* harness/report from rows written here: every expected number below is worked out by hand from
 * them (and, for the paper's, from datasets/paper), never read off the code. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/report/report.h"
#include "harness/store/filter.h"
#include "tests/folder.h"

#define N(x) ((int)(sizeof(x) / sizeof((x)[0])))

static const struct device_info device = {
    .platform = "Test", .name = "Fixture", .version = "OpenCL 1.2", .driver = "1"};

static char db[96], out[96], old_path[4096];
static struct store *st;

static void exec(const char *sql)
{
    struct err err = {0};

    ck_assert_msg(store_exec(st, &err, sql, "") == 0, "%s\n%s", err.text, sql);
}

static int64_t session(void)
{
    char *argv[] = {"test_report"};
    struct err err = {0};
    int64_t device_id, id;

    ck_assert_int_eq(store_device(st, &device, &device_id, &err), 0);
    ck_assert_int_eq(store_session(st, device_id, 1, argv, &id, &err), 0);
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
        st, &err,
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
    id = store_last_id(st);
    for (int i = 0; i < 3; i++) {
        rc =
            store_exec(st, &err, "INSERT INTO run_repeat VALUES (?, ?, ? * 1000000, 1, 1, 1, 1, 1)",
                       "iii", id, (int64_t)i, (int64_t)r->round_ms[i]);
        ck_assert_int_eq(rc, 0);
        rc = store_exec(st, &err,
                        "INSERT INTO run_memory VALUES (?, ?, ? * 1000000, 0, 1, 2000000, 3, "
                        "0, NULL)",
                        "iii", id, (int64_t)i, (int64_t)i * 10);
        ck_assert_int_eq(rc, 0);
    }
}

/* GPTN-S as it streamed (500 ms, 100 MB) in another configuration. */
static void another(const char *policy, const char *kernel, const char *more, int ms, int avg_mb)
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
    another("preload", "naive", "", 900, 400);
    another("lc-opg", "naive", "", 600, 200);
    another("lc-opg", "naive", "options = '--split'", 600, 100);
    another("lc-opg", "pipelined", "options = '--split'", 400, 100);
    another("lc-opg", "pipelined", "options = '--variants default --split'", 800, 100);
    another("always-next", "pipelined", "", 1500, 300);
    another("lc-opg", "pipelined", "options = '--lambda 0.5', peak_bytes = 90e6", 700, 80);
    another("preload", "pipelined", "source = 'ram', disk_ns = 60e6, init_ns = 120e6", 900, 400);
    another("lc-opg", "pipelined", "source = 'ram', disk_ns = 60e6", 600, 100);
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
            st, &err,
            "INSERT INTO config VALUES (?1, ?1, 'matmul', 'reusable', 'm=4,n=2,k=' || ?3, 'f32',"
            " 'image', 'direct', ?2, 'image,direct,' || ?2 || ',TM=1', '1x1', 'auto', '', 'mnk',"
            " ?4, 0, 'hot')",
            "isii", (int64_t)more[i].id, more[i].form, (int64_t)more[i].k, (int64_t)more[i].ratio);

        ck_assert_msg(rc == 0, "%s", err.text);
        rc = store_exec(st, &err,
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
    exec("UPDATE run SET plan_id = 1 WHERE integrated_ns = 500e6");
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
    for (int i = 0; i < N(slowdown); i++) {
        int rc = store_exec(
            st, &err,
            "INSERT INTO config VALUES (?1, ?1, 'matmul', 'reusable', 'm=1,n=2,k=3', 'f32', "
            "'image', 'direct', 'pipelined', 'v', '1x1', 'auto', '', 'mnk', ?1, 0, 'hot')",
            "i", (int64_t)i + 1);

        ck_assert_msg(rc == 0, "%s", err.text);
        rc =
            store_exec(st, &err,
                       "INSERT INTO sample (id, session_id, config_id, taken_utc, status, repeats, "
                       "base_median_ns, slowdown, slowdown_low, slowdown_high, measure_ns) "
                       "VALUES (?1, ?2, ?1, '2020', 'ok', 10, 1000, ?3, ?3, ?3, 1)",
                       "iid", (int64_t)i + 1, session_id, slowdown[i]);
        ck_assert_msg(rc == 0, "%s", err.text);
        rc = store_exec(st, &err, "INSERT INTO prediction VALUES (1, ?, 0, 1100, 1000)", "i",
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
        int rc = store_exec(st, &err, sql[i], i < 4 ? "i" : "",
                            i == 0 ? older_session_id : session_id);

        ck_assert_msg(rc == 0, "%s: %s", sql[i], err.text);
    }
}

static void open_store(void)
{
    struct err err = {0};

    snprintf(old_path, sizeof(old_path), "%s", getenv("PATH"));
    folder_make();
    snprintf(db, sizeof(db), "%s/t.db", folder);
    snprintf(out, sizeof(out), "%s/a/out", folder);
    ck_assert_msg(store_open(db, STORE_WRITE, &st, &err) == 0, "%s", err.text);
}

static void open_filled(void)
{
    int64_t id[2];

    open_store();
    id[0] = session();
    id[1] = session();
    for (int i = 0; i < N(runs); i++)
        insert_run(&runs[i], id[runs[i].session]);
    insert_samples(id[0]);
    insert_forms(id[0]);
    insert_peers();
    insert_study();
    insert_queues(id[0], id[1]);
}

static void drop(void)
{
    setenv("PATH", old_path, 1);
    store_close(st);
    st = NULL;
    folder_remove();
}

static int all(struct err *err)
{
    struct report *r = NULL;
    int rc = report_open(st, 0, &r, err);

    ck_assert_msg(rc == 0, "%s", err->text);
    rc = report_all(r, out, err);
    report_close(r);
    return rc;
}

static void all_ok(void)
{
    struct err err = {0};
    int rc = all(&err);

    ck_assert_msg(rc == 0, "%d: %s", rc, err.text);
}

static bool there(const char *name)
{
    char path[512];
    struct stat s;

    snprintf(path, sizeof(path), "%s/%s", out, name);
    return stat(path, &s) == 0 && s.st_size > 0;
}

/* A whole file; the caller frees it. */
static char *slurp(const char *name)
{
    char path[512], *text = NULL;
    size_t size = 0;
    FILE *f, *to = open_memstream(&text, &size);

    snprintf(path, sizeof(path), "%s/%s", out, name);
    f = fopen(path, "r");
    ck_assert_msg(f != NULL, "%s: %s", path, strerror(errno));
    for (int c; (c = fgetc(f)) != EOF;)
        fputc(c, to);
    fclose(f);
    fclose(to);
    return text;
}

static void has(const char *name, const char *want)
{
    char *text = slurp(name);

    ck_assert_msg(strstr(text, want) != NULL, "%s has no '%s':\n%.4000s", name, want, text);
    free(text);
}

static void has_not(const char *name, const char *want)
{
    char *text = slurp(name);

    ck_assert_msg(strstr(text, want) == NULL, "%s has '%s'", name, want);
    free(text);
}

START_TEST(every_file)
{
    static const char *const kinds[] = {"gp", "svg", "png", "pdf"};
    char name[64];

    all_ok();
    for (const struct report_item *i = report_items; i->name; i++) {
        snprintf(name, sizeof(name), "%s.csv", i->name);
        ck_assert_msg(there(name), "no %s", name);
        for (int k = 0; i->gnuplot && k < N(kinds); k++) {
            snprintf(name, sizeof(name), "%s.%s", i->name, kinds[k]);
            ck_assert_msg(there(name), "no %s", name);
        }
    }
    has_not("index.html", "Nothing was measured");
    has_not("index.html", "Not drawn");
}
END_TEST

/* At 25 and 50 ms the urgent one has interrupted; between 120 and 130 nobody has the turn. */
START_TEST(queues)
{
    all_ok();
    has("queues.csv", "\npaper.csv,2,latency,f16 buffer direct,next reads early,200.0,0.1,2.0,200.0,"
                      "50.0,4.0,,yes\n");
    has("queues.csv", "urgent ones interrupt,200.0,0.1,2.0,");
    has_not("queues.csv", "999.0");
    has("urgent.csv", "\npaper.csv,2,Fast,20.0,9.0,80.0,40.0,2.0,\"Slow, layer 7\",100.0,100.0,yes\n");
    has("figure6.csv", "\nlatency within 200 MB: 0.1 s; 50 MB on average,Slow,0.025,0.05,1.0,,-\n");
    has("figure6.csv", "\nlatency preempting within 200 MB: 0.1 s; 60 MB on average,Fast,0.025,0.05,1.0,");
    has("figure6.csv", "average,Slow,0.075,0.1,3.0,,-\n");
    has("figure6.csv", "\npreload without a limit: 0.2 s; 200 MB on average,Slow,0.075,0.2,3.0,,-\n");
    has("figure6.csv", "average,Fast,0.165,,200.0,,Fast\n");
}
END_TEST

START_TEST(table_4_and_the_front)
{
    all_ok();
    has("table4.csv", "\ngptneo-s.1m.tight,cp-sat,FEASIBLE,5.0,3.0,7.0,0.260,45.00,OPTIMAL\n"
                      "gptneo-s.1m.tight,lc-opg,OPTIMAL,4.0,4.0,0.002,,,\n");
    has("figure8.csv", "\nGPTN-S f32 image: integrated,planned,200.0,30.0,,,\n"
                       "GPTN-S f32 image: integrated,planned,400.0,20.0,,,\n"
                       "GPTN-S f32 image: integrated,proven bound,200.0,29.0,,,\n");
    has("figure8.csv", "integrated,lc-opg,90.0,700.0,630.0,770.0,--lambda 0.5\n");
    has("figure8.csv", "execution alone,lc-opg,90.0,480.0,,,--lambda 0.5\n");
    has_not("figure8.csv", "--split");
}
END_TEST

/* Steps: 900 -> 600 -> 600 -> 400 ms, 400 -> 200 -> 100 -> 100 MB; intervals are +-10 %. */
START_TEST(breakdown)
{
    static const char *const rows[] = {
        "GPTN-S,3,+ plan,1.5,", "GPTN-S,4,+ adaptive fusion,1.0,", "GPTN-S,5,+ kernel rewriting,1.5,",
        "GPTN-S,7,all but fusion,1.25,", "GPTN-S,9,all but tuning,2.0,",
        "GPTN-S,3,+ plan,2.0,2.0,2.0,2.1,3.8\n", "GPTN-S,7,all but fusion,1.0,1.0,1.0,,\n"};

    all_ok();
    for (int i = 0; i < N(rows); i++)
        has("figure7.csv", rows[i]);
    has("figure7.csv", ",1.83333333333333,5.3,8.1\n"); /* 990 / 540 */
    has_not("figure7.csv", "preload-transform");
    has("breakdown.csv", "\nGPTN-S (f32 image),preload-transform,\"layout made at start-up, nothing "
                         "overlaps\",,,,,,,,not run: scripts/study breakdown\n");
    has("breakdown.csv", ",600.0,540 to 660,480.0,100.0,250.0,,600.0,\n");
    has("findings.csv", "figure7,the plan (OPG) 5.3x to 8.1x faster than SmartMem,Fixture,\"1.50 to 1.50 "
                        "times over the step before; faster in 1 of 1, slower in 0, else no difference "
                        "shown\",differs,");
}
END_TEST

START_TEST(figures_9_and_10)
{
    all_ok();
    has("figure9.csv", "\nlc-opg against always-next,ahead,1,GPTN-S,3.0,2.45454545454545,"
                       "3.66666666666667,4.3,3.0,1500.0,500.0,300.0,100.0\n");
    has("figure10.csv", "\nlatency: preload / streaming,Fixture,2,GPTN-S f32,2.0,");
    has("figure10.csv", "\naverage memory: preload / streaming,Fixture,1,A<B&C f32,0.5,0.5,0.5,lc-opg,");
    has("fits.csv", "\nGPTN-S f16,3.0,7.0,no,,yes,,,streamed: in all\n");
}
END_TEST

/* GPTN-S on another device, in 250 ms for 750: its rows stand behind this one's, and their milliseconds nowhere. */
START_TEST(another_device)
{
    struct device_info info = device;
    struct err err = {0};
    int64_t device_id;
    char sql[400];

    snprintf(info.name, sizeof(info.name), "Other");
    ck_assert_int_eq(store_device(st, &info, &device_id, &err), 0);
    snprintf(sql, sizeof(sql), "INSERT INTO session SELECT NULL, 'other', %d, '2000', NULL, host, os, cpu, cpus,"
             " memory_bytes, program, compiler, command, NULL, NULL, NULL FROM session LIMIT 1", (int)device_id);
    exec(sql);
    another("lc-opg", "pipelined", "session_id = (SELECT max(id) FROM session)", 250, 100);
    another("preload", "pipelined", "session_id = (SELECT max(id) FROM session)", 750, 300);
    all_ok();
    has("ratios.csv", "\nGPTN-S,Fixture,f32 image,lc-opg,2.0,1.64 to 2.44,4.0,0.5,1.5,1.11,0.83\n"
                      "GPTN-S,Other,f32 image,lc-opg,3.0,2.45 to 3.67,3.0,0.5,1.5,0.83,0.42\n"
                      "GPTN-S,paper: phone,f16,FlashMem,8.35,,2.08,3.71,1.27,");
    has("findings.csv", "\ntable8,\"1.7 to 6.0 times less memory than SmartMem, 3.5 on average\",Other,\"3.00 to 3.00 ");
    has("figure10.csv", ",Other,2,GPTN-S f32,3.0,");
    has_not("table7.csv", "750.0");
    has("index.html", "<b class=\"i\">in part</b> Other: 3.00 to 3.00");
}
END_TEST

/* Disk over kernels: 300 / 600 ms, from memory 60 / 600; a preload from memory has textures full
 * after 120 ms. The paper's ResNet: 25.6 M x 2 B at 1.5 GB/s over 33 ms; (1470 + 33) / 473. */
START_TEST(regime)
{
    all_ok();
    has("regime.csv", "\nspeed-up over preload,measured: Fixture,0.5,2.0,");
    has("regime.csv", "\nspeed-up over preload,emulated disk: Fixture,0.1,1.5,");
    has("regime.csv", ",emulated disk: Fixture,0.1,0.2,,,GPTN-S f32 ram,1.5\n");
    has("regime.csv", "(over SmartMem),1.03434343434343,3.17758985200846,,,ResNet,\n");
}
END_TEST

START_TEST(tables_of_the_paper)
{
    all_ok();
    has("table1.csv", "\nGPTN-S,preload,f32 image,500.0,400.0,300.0,400.0,600.0,0.67,1026,610,631,"
                      "2898,337,10.47,\n");
    has("table1.csv", "\nSD-UNet,preload,,,,,,,,4858,1800,4159,17588,1647,13.2,not run on this "
                      "device: scripts/study tables\n");
    has("table6.csv", "\nResNet,25.5,");
    has("table9.csv", "\nDeepViT,lc-opg,,,,,5.7,4.5,4.5,this device does not tell\n");
    has_not("table9.csv", "GPTN-S");
    has("figure1.csv", "\ndisk,");
}
END_TEST

START_TEST(other_capacities_have_their_own_table)
{
    all_ok();
    has("predictor.csv", "\nGPTN-S,lc-opg,f32 image,elemental=3 reusable=0.2,random 1,440.0,"
                         "\"[450.00, 550.00]\",");
    has("predictor.csv", ",2.0,8.0,");
    has_not("table7.csv", "440.0");
    has_not("predictor.csv", "500.0");
}
END_TEST

/* The paper's row: SmartMem 4757 + 59 ms, 541 MB; FlashMem 577 ms, 260 MB. */
START_TEST(tables_7_and_8)
{
    all_ok();
    has("table7.csv", "\nGPTN-S,preload,f32 image,3,400.0,600.0,1000.0,900 to 1100,1000.0,,,yes,4816,\n");
    has("table7.csv",
        "\nGPTN-S,lc-opg,f32 image,3,20.0,480.0,500.0,450 to 550,500.0,2.0,2 of 3,yes,577,8.35\n");
    has("table7.csv", "\nA<B&C,lc-opg,f32 image,3,40.0,40.0,80.0,70.0 to 95.0,80.0,1.25,3 of 3,yes,,\n");
    has("table7.csv", "\nAlone,greedy,f32 image,3,40.0,60.0,100.0,90 to 110,100.0,,,yes,,\n");
    has_not("table7.csv", "999");
    /* Other frameworks below ours, the newest of each; of models that we ran, on our device. */
    has("table7.csv", "\n"
                      "GPTN-S,mnn 3.6,f32 cpu 1 thread: no such operator,0,,,,,,,,,,\n"
                      "GPTN-S,onnxruntime 1.2,f32 cpu 2 threads,7,30.0,20.0,50.0,40.0 to 60.0,,,,,,\n");
    has_not("table7.csv", "Unrun");
    has("table8.csv", "\nGPTN-S,onnxruntime 1.2,f32 cpu 2 threads,6.0,,,,0.3,8.0,,,\n");
    has("table8.csv", "\nGPTN-S,preload,f32 image,400.0,500.0,,,7.0,,300.0,541,\n");
    has("table8.csv", "\nGPTN-S,lc-opg,f32 image,100.0,250.0,4.0,2.0,7.0,,300.0,260,2.08\n");
    has("table8.csv", "\nA<B&C,lc-opg,f32 image,80.0,100.0,0.5,0.5,7.0,,300.0,,\n");
}
END_TEST

/* The paper's bound for GPTN-S: 164 M x 2 B / 1.5 GB/s = 218.7 ms, over 59 ms of execution. */
START_TEST(bounds)
{
    all_ok();
    has("bounds.csv",
        "\nGPTN-S,lc-opg,f32 image,300.0,600.0,500.0,0.83,1.5,400.0,1.25,2.64,1.27\n");
}
END_TEST

START_TEST(summary_in_words)
{
    all_ok();
    has("summary.csv",
        "GPTN-S (f32 image): streaming (lc-opg) 500 ms [450, 550] against preload 1000 ms "
        "[900, 1100]: 2.00 times faster. Average memory 100 of 400 MB, 4.00 times less; "
        "peak 250 of 500 MB. Over a preload that wastes nothing, overlap gains at most 1.50 "
        "times. The paper, on a phone, against SmartMem: 8.3 times faster, 2.1 times less memory.");
    has("summary.csv",
        "80.0 ms [70.0, 95.0] against preload 100 ms [90, 110]: intervals overlap: no "
        "difference shown (medians: 1.25 times faster). Average memory 80.0 of 40.0 MB, "
        "2.00 times more");
    has("summary.csv", "100 ms [90, 110]; preload was not run beside it, so nothing is compared.");
    has("index.html", "<li>GPTN-S (f32 image): streaming (lc-opg) 500 ms");
}
END_TEST

START_TEST(capacity)
{
    all_ok();
    has("capacity.csv", "\nreusable,matmul,1,1.5 (1.5 to 1.5),>= 2 (2 to 2),>= 2 (2 to 2),+20 %\n");
}
END_TEST

START_TEST(figure5_forms)
{
    all_ok();
    has("figure5.csv", "\nMatMul m=4 n=2 k=3,naive,0.0,1.0,1.0,1.0,,");
    has("figure5.csv", "\nMatMul m=4 n=2 k=3,naive,2.0,1.0,");
    has("figure5.csv", "\nMatMul m=4 n=2 k=3,branching,2.0,1.5,1.5,1.5,1.0,\"m=4,n=2,k=3\","
                       "\"image,direct,TM=1\"\nMatMul m=4 n=2 k=3,copy,1.0,1.05,");
    has("figure5.csv", "copy,2.0,1.25,");
    has_not("figure5.csv", "4.5");
    has_not("figure5.csv", "k=9");
}
END_TEST

START_TEST(noisy_apart)
{
    all_ok();
    has("regressor.csv", "\n\"latency, f32 image\",all,2,25.0,50.0,10.0,20.0,0.9,1,100.0,5.0\n");
    has("operators.csv", "\n\"latency, f32 image\",matmul,2,25.0,50.0,10.0,20.0,0.9,,,\n");
}
END_TEST

START_TEST(page_escapes_and_stands_alone)
{
    char *text, *at;

    all_ok();
    has("index.html", "A&lt;B&amp;C");
    has_not("index.html", "A<B");
    has_not("index.html", "src=");
    has_not("index.html", "<link");
    has_not("index.html", "@import");
    text = slurp("index.html");
    for (at = text; (at = strstr(at, " href=\"")) != NULL;) {
        char target[256];

        ck_assert_int_eq(sscanf(at, " href=\"%255[^\"]", target), 1);
        at += 7;
        if (target[0] == '#') {
            char id[300];

            snprintf(id, sizeof(id), "id=\"%s\"", target + 1);
            ck_assert_msg(strstr(text, id) != NULL, "no %s", id);
        } else if (strncmp(target, "https://arxiv.org/", 18) != 0) {
            ck_assert_msg(there(target), "a link to '%s', which is not there", target);
        }
    }
    free(text);
}
END_TEST

/* A name reaches gnuplot's script as text alone: a backtick there would run a command. */
START_TEST(names_are_not_code)
{
    exec("UPDATE run SET model = 'it''s `touch ' || char(34) || '$(x),_y`' WHERE model = 'Alone'");
    all_ok();
    has("memory.gp", "'it''s `touch  $(x) _y` (f32 image)'");
    ck_assert(there("memory.svg"));
}
END_TEST

START_TEST(nothing_measured)
{
    all_ok();
    has("index.html", "Nothing was measured");
    has("table7.csv", "model,policy,setting,runs,");
    ck_assert(!there("figure2.svg"));
    has_not("index.html", "table7.csv");
}
END_TEST

START_TEST(no_session)
{
    struct report *r = NULL;
    struct err err = {0};

    ck_assert_int_eq(report_open(st, 0, &r, &err), -ENODATA);
    ck_assert_ptr_null(r);
}
END_TEST

START_TEST(without_gnuplot)
{
    struct err err = {0};

    all_ok();
    store_close(st);
    ck_assert_int_eq(store_open(db, STORE_READ, &st, &err), 0);
    setenv("PATH", folder, 1);
    ck_assert_int_eq(all(&err), -ENOENT);
    ck_assert_msg(strstr(err.text, "install the package gnuplot") != NULL, "%s", err.text);
    for (const struct report_item *i = report_items; i->name; i++) {
        char name[64];

        snprintf(name, sizeof(name), "%s.csv", i->name);
        ck_assert_msg(there(name), "no %s", name);
    }
    ck_assert_msg(!there("figure2.svg"), "an older picture stayed");
    has("index.html", "Not drawn");
    has_not("index.html", ".pdf\"");
}
END_TEST

START_TEST(one_figure_without_gnuplot)
{
    struct report *r = NULL;
    struct err err = {0};
    int rows = -1;

    ck_assert_int_eq(report_open(st, 0, &r, &err), 0);
    setenv("PATH", folder, 1);
    ck_assert_int_eq(report_write(r, report_find("figure2"), out, &rows, &err), -ENOENT);
    ck_assert_int_eq(rows, -1);
    ck_assert(there("figure2.csv") && there("figure2.gp"));
    report_close(r);
}
END_TEST

/* A figure of a researcher's own: what passes, in the size asked for, and both files run alone. */
START_TEST(narrowed)
{
    struct report *r = NULL;
    struct filter where;
    struct err err = {0};
    char command[600];
    int rows;

    ck_assert_int_eq(report_open(st, 1, &r, &err), 0);
    ck_assert_int_eq(filter_parse("form ~ [bc]* AND slowdown != 1.05", &where, &err), 0);
    ck_assert_int_eq(report_narrow(r, report_find("summary"), &where, &err), -EINVAL);
    ck_assert_msg(report_narrow(r, report_find("figure5"), &where, &err) == 0, "%s", err.text);
    report_size(r, 7, 2.5);
    ck_assert_msg(report_write(r, report_find("figure5"), out, &rows, &err) == 0, "%s", err.text);
    has("figure5.csv", "branching");
    has("figure5.csv", ",1.25,");
    has_not("figure5.csv", ",1.05,");
    has("figure5.gp", "size 7in,2.50in");
    has("figure5.gp", "size 2240,800");
    report_close(r);
    snprintf(command, sizeof(command), "cd '%s' && rm *.svg *.pdf *.png && gnuplot figure5.gp", out);
    ck_assert_int_eq(system(command), 0);
    ck_assert(there("figure5.svg") && there("figure5.pdf") && there("figure5.png"));
}
END_TEST

/* Newest by time: an older sample that was merged later has the greater id. */
START_TEST(newest_by_time)
{
    all_ok();
    has("figure5.csv", "1.5");
    exec("INSERT INTO session SELECT NULL, 'zz', device_id, '2000', NULL, host, os, cpu, cpus,"
         " memory_bytes, program, compiler, command, NULL, NULL, NULL FROM session LIMIT 1");
    exec("INSERT INTO sample (session_id, config_id, taken_utc, status, base_median_ns, slowdown,"
         " slowdown_low, slowdown_high) SELECT (SELECT max(id) FROM session), config_id, '2000',"
         " 'ok', 1, 77, 77, 77 FROM sample WHERE slowdown IS NOT NULL");
    exec("INSERT INTO regressor SELECT NULL, device_id, '2000', target, dtype, path, samples, shapes,"
         " folds, options, 'older', model_json FROM regressor");
    store_close(st);
    ck_assert_int_eq(store_open(db, STORE_WRITE, &st, NULL), 0);
    all_ok();
    has_not("figure5.csv", "77");
    has_not("capacity.csv", "77");
    has("figure4.csv", "matmul");
}
END_TEST

static void session_alone(void)
{
    open_store();
    session();
}

static TCase *add(Suite *s, const char *name, SFun setup)
{
    TCase *t = tcase_create(name);

    tcase_add_checked_fixture(t, setup, drop);
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    return t;
}

int main(void)
{
    Suite *s = suite_create("report");
    TCase *filled = add(s, "filled", open_filled), *empty = add(s, "empty", session_alone);
    TCase *none = add(s, "none", open_store);
    SRunner *runner = srunner_create(s);
    int failed;

    tcase_add_test(filled, every_file);
    tcase_add_test(filled, table_4_and_the_front);
    tcase_add_test(filled, queues);
    tcase_add_test(filled, breakdown);
    tcase_add_test(filled, figures_9_and_10);
    tcase_add_test(filled, another_device);
    tcase_add_test(filled, regime);
    tcase_add_test(filled, tables_of_the_paper);
    tcase_add_test(filled, other_capacities_have_their_own_table);
    tcase_add_test(filled, tables_7_and_8);
    tcase_add_test(filled, bounds);
    tcase_add_test(filled, summary_in_words);
    tcase_add_test(filled, capacity);
    tcase_add_test(filled, noisy_apart);
    tcase_add_test(filled, figure5_forms);
    tcase_add_test(filled, page_escapes_and_stands_alone);
    tcase_add_test(filled, names_are_not_code);
    tcase_add_test(filled, without_gnuplot);
    tcase_add_test(filled, one_figure_without_gnuplot);
    tcase_add_test(filled, narrowed);
    tcase_add_test(filled, newest_by_time);
    tcase_add_test(empty, nothing_measured);
    tcase_add_test(none, no_session);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
