/* Merging databases. What has to come out is written in SQL of the test's own: every table with the
 * names of what it refers to in place of ids, as a set of lines; a merge is the union of sets. */
#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/merge_case.h"
#include "tests/older.h"
#include "tests/suite.h"

#define N(x) ((int)(sizeof(x) / sizeof((x)[0])))

/* ---- the oracle ---- */

#define SAMPLE                                                                                     \
    "(SELECT uuid || key FROM sample m, session s, config c WHERE s.id = m.session_id "            \
    "AND c.id = m.config_id AND m.id = t.sample_id)"
#define REGRESSOR     "(SELECT model_json FROM regressor WHERE id = t.regressor_id)"
#define MODEL_OF(run) "(SELECT model FROM " run " WHERE id = t." run "_id)"
#define PARTS         "(SELECT count(*) FROM plan_weight WHERE plan_id = p.id AND load_layer IS NULL)"

static const char *const lines[] = {
    "SELECT 'device', platform, name, driver, image_width, half_images FROM device",
    "SELECT 'session', uuid, d.name, started_utc, ended_utc, host, load_avg FROM session s, device "
    "d"
    " WHERE d.id = device_id",
    "SELECT 'config', key, shape, extra_ratio, load_bytes FROM config",
    "SELECT 'sample', uuid, key, taken_utc, t.status, median_ns, error FROM sample t, session s,"
    " config c WHERE s.id = session_id AND c.id = config_id",
    "SELECT 'repeat', " SAMPLE ", side, seq, time_ns FROM repeat t",
    "SELECT 'regressor', d.name, trained_utc, target, model_json FROM regressor, device d"
    " WHERE d.id = device_id",
    "SELECT 'metric', " REGRESSOR ", scope, noisy, samples, within_5pct, mape FROM metric t",
    "SELECT 'prediction', " REGRESSOR ", " SAMPLE ", fold, predicted, measured FROM prediction t",
    "SELECT 'plan', d.name, model, made_utc, (SELECT model_json FROM regressor WHERE"
    " capacity_source = 'regressor ' || id), objective, " PARTS ", count(*) FROM plan p, device d"
    " WHERE d.id = device_id GROUP BY 2, 3, 4, 5, 6, 7",
    "SELECT 'weight', model, weight, bytes, load_layer, count(*) FROM plan_weight, plan"
    " WHERE id = plan_id GROUP BY 2, 3, 4, 5",
    "SELECT 'load', model, weight, layer, l.chunks, count(*) FROM plan_load l, plan"
    " WHERE id = plan_id GROUP BY 2, 3, 4, 5",
    "SELECT 'run', uuid, (SELECT model || " PARTS " FROM plan p WHERE id = plan_id), t.model,"
    " integrated_ns FROM run t, session s WHERE s.id = session_id",
    "SELECT 'run_repeat', " MODEL_OF("run") ", seq, integrated_ns, disk_ns, avg_bytes"
                                            " FROM run_repeat t",
    "SELECT 'run_memory', " MODEL_OF("run") ", seq, t_ns, host_bytes, rss_bytes FROM run_memory t",
    "SELECT 'peer_run', d.name, taken_utc, framework, model, integrated_ns FROM peer_run, device d"
    " WHERE d.id = device_id",
    "SELECT 'run_layer', " MODEL_OF("run") ", layer, name, end_ns, variant FROM run_layer t",
    "SELECT 'queue', uuid, workload, memory_limit_bytes, total_ns FROM queue t, session s"
    " WHERE s.id = session_id",
    "SELECT 'queue_step', workload, step, model, end_ns, paused_layer, verified FROM queue_step,"
    " queue q WHERE q.id = queue_id",
    "SELECT 'queue_memory', workload, seq, t_ns, host_bytes FROM queue_memory, queue q"
    " WHERE q.id = queue_id",
};

struct set {
    int n;
    char *line[4096];
};

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_lines(struct set *s, const char *path)
{
    sqlite3 *db = must_open(path);

    for (int i = 0; i < N(lines); i++) {
        sqlite3_stmt *q = NULL;

        ck_assert_msg(sqlite3_prepare_v2(db, lines[i], -1, &q, NULL) == SQLITE_OK, "%s: %s",
                      lines[i], sqlite3_errmsg(db));
        while (sqlite3_step(q) == SQLITE_ROW) {
            char line[1024];
            int n = 0;

            for (int c = 0; c < sqlite3_column_count(q); c++) {
                const unsigned char *text = sqlite3_column_text(q, c);

                n += snprintf(line + n, sizeof(line) - (size_t)n, "%s|",
                              text ? (const char *)text : "NULL");
            }
            ck_assert_int_lt(s->n, N(s->line));
            s->line[s->n++] = strdup(line);
        }
        sqlite3_finalize(q);
    }
    sqlite3_close(db);
}

/* A set once more: what several databases say alike is one line. */
static void sort_lines(struct set *s)
{
    int n = 0;

    qsort(s->line, (size_t)s->n, sizeof(s->line[0]), by_text);
    for (int i = 0; i < s->n; i++) {
        if (n > 0 && strcmp(s->line[i], s->line[n - 1]) == 0)
            free(s->line[i]);
        else
            s->line[n++] = s->line[i];
    }
    s->n = n;
}

static void free_lines(struct set *s)
{
    for (int i = 0; i < s->n; i++)
        free(s->line[i]);
    s->n = 0;
}

static void check_lines(const struct set *want, const char *path)
{
    static struct set got;
    int before;

    got.n = 0;
    add_lines(&got, path);
    before = got.n;
    sort_lines(&got);
    ck_assert_int_eq(before, got.n); /* nothing is there twice */
    for (int i = 0; i < got.n && i < want->n; i++)
        ck_assert_str_eq(got.line[i], want->line[i]);
    ck_assert_int_eq(got.n, want->n);
    free_lines(&got);
}

/* ---- merging ---- */

static struct merge_count must_merge(const char *from, const char *into)
{
    struct merge_count n = {0};
    struct err err = {0};

    ck_assert_msg(merge(from, into, &n, &err) == 0, "%s", err.text);
    return n;
}

static void check_number(const char *path, const char *sql, int number)
{
    sqlite3 *db = must_open(path);
    sqlite3_stmt *q = NULL;

    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(q), SQLITE_ROW);
    ck_assert_int_eq(sqlite3_column_int(q, 0), number);
    sqlite3_finalize(q);
    sqlite3_close(db);
}

static void export(const char *path, const char *to)
{
    struct store *st = NULL;
    struct err err = {0};

    ck_assert_int_eq(store_open(path, STORE_READ, &st, &err), 0);
    ck_assert_msg(store_export(st, to, EXPORT_CANONICAL, NULL, NULL, NULL, &err) == 0, "%s", err.text);
    store_close(st);
}

static void check_same_folders(const char *a, const char *b)
{
    char command[600];

    snprintf(command, sizeof(command), "diff -r '%s' '%s'", a, b);
    ck_assert_int_eq(system(command), 0);
}

static char a[256], b[256], c[256], all[256];
static struct set want;

/* Once for all tests, each of which has copies: every database made may wait for a disk. */
static void make_models(void)
{
    char path[256];

    folder_make_in_memory();
    snprintf(path, sizeof(path), "mkdir %s/model", folder);
    if (system(path) != 0)
        exit(EXIT_FAILURE);
    make_database(in_folder("model/a.db"), 1, 4, 1);
    make_database(in_folder("model/b.db"), 3, 6, 2); /* 3 and 4 are in both, under other ids */
    make_database(in_folder("model/c.db"), 7, 9, 3);
    make_empty(in_folder("model/empty.db"));
}

static void setup(void)
{
    char command[256];

    snprintf(command, sizeof(command), "rm -rf %s/now && cp -r %s/model %s/now", folder, folder,
             folder);
    ck_assert_int_eq(system(command), 0);
    strcpy(a, in_folder("now/a.db"));
    strcpy(b, in_folder("now/b.db"));
    strcpy(c, in_folder("now/c.db"));
    strcpy(all, in_folder("now/all.db"));
    want.n = 0;
    add_lines(&want, a);
    add_lines(&want, b);
    add_lines(&want, c);
    sort_lines(&want);
}

static void teardown(void)
{
    free_lines(&want);
}

/* Whatever the order, and which of them stands first; and once more changes nothing. */
START_TEST(orders)
{
    static const int order[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                   {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    const char *const from[] = {a, b, c};
    char first[256], other[256];

    strcpy(first, in_folder("now/first"));
    strcpy(other, in_folder("now/other"));
    for (int i = 0; i < N(order); i++) {
        struct merge_count n;

        unlink(all);
        if (i > 0)
            copy(in_folder("now/empty.db"), all);
        for (int k = 0; k < 3; k++)
            must_merge(from[order[i][k]], all);
        check_lines(&want, all);
        export(all, i ? other : first);
        if (i)
            check_same_folders(first, other);
        for (int k = 2; k >= 0; k--) {
            n = must_merge(from[order[i][k]], all);
            ck_assert_int_eq(n.new_rows + n.filled + n.new_sessions, 0);
            ck_assert_int_gt(n.rows, 100);
        }
        n = must_merge(all, all);
        ck_assert_int_eq(n.new_rows, 0);
        export(all, other);
        check_same_folders(first, other);
    }
    ck_assert_int_eq(must_merge(all, a).new_sessions, 5); /* joined one by one or together */
    check_lines(&want, a);
}
END_TEST

/* What was unknown is known, whichever came first; what drifts is the least. */
START_TEST(fills)
{
    for (int turn = 0; turn < 2; turn++) {
        struct merge_count n;

        copy(a, b);
        unlink(all);
        raw(b, "UPDATE session SET ended_utc = 'then', clock_mhz = 5 WHERE uuid = 'uuid-2';"
               "UPDATE sample SET error = 'said' WHERE error IS NULL;"
               "UPDATE device SET image_width = 8192, local_bytes = 99999;"
               "UPDATE config SET extra_ratio = 0.24 WHERE key = 'key3'");
        must_merge(turn ? b : a, all);
        n = must_merge(turn ? a : b, all);
        ck_assert_int_eq(n.new_rows, 0);
        ck_assert_int_eq(n.filled, turn ? 2 : 1 + 5 + 2 + 1); /* local_bytes, or all but it */
        free_lines(&want);
        copy(b, c);
        raw(c, "UPDATE device SET local_bytes = 49152");
        add_lines(&want, c);
        sort_lines(&want);
        check_lines(&want, all);
    }
}
END_TEST

/* A database that was fetched while its sweep ran, and once more when it had ended. */
START_TEST(grown)
{
    for (int turn = 0; turn < 2; turn++) {
        raw(a, "PRAGMA foreign_keys = ON; DELETE FROM regressor");
        copy(a, b);
        unlink(all);
        raw(b, "PRAGMA foreign_keys = ON; DELETE FROM sample WHERE id % 3 = 1;"
               "DELETE FROM run; DELETE FROM session WHERE id NOT IN "
               "(SELECT session_id FROM sample)");
        must_merge(turn ? a : b, all);
        must_merge(turn ? b : a, all);
        free_lines(&want);
        add_lines(&want, a);
        sort_lines(&want);
        check_lines(&want, all);
    }
}
END_TEST

/* Two machines whose devices are called alike, by different numbers of units. */
START_TEST(larger_device)
{
    raw(c, "UPDATE device SET compute_units = 64"); /* sessions 7 to 9 */
    must_merge(a, all);
    must_merge(c, all);
    check_number(all, "SELECT count(*) FROM device", 4);
    check_number(all,
                 "SELECT count(*) FROM session s JOIN device d ON d.id = s.device_id"
                 " WHERE compute_units = iif(substr(uuid, 6) < '7', 4, 64)"
                 " AND name = 'G' || (substr(uuid, 6) % 2)",
                 7);
}
END_TEST

/* The same row says two things: nobody knows which is right, and nothing of that file is merged. */
START_TEST(conflicts)
{
    static const char *const changes[][2] = {
        {"UPDATE sample SET median_ns = median_ns + 1 WHERE id = 3",
         "median_ns of row 3 in sample"},
        {"UPDATE session SET host = 'x' WHERE id = 2", "host of row 2 in session"},
        {"UPDATE config SET shape = 'n=77' WHERE id = 1", "shape of row 1 in config"},
        {"UPDATE repeat SET time_ns = 1 WHERE sample_id = 1 AND seq = 2",
         "time_ns of row 1 in repeat"},
    };
    static struct set before;
    struct merge_count n;
    struct err err = {0};

    must_merge(a, all);
    add_lines(&before, all);
    sort_lines(&before);
    for (int i = 0; i < N(changes); i++) {
        make_database(in_folder("now/a2.db"), 1, 8, 1);
        raw(in_folder("now/a2.db"), changes[i][0]);
        ck_assert_int_eq(merge(in_folder("now/a2.db"), all, &n, &err), -EEXIST);
        ck_assert_msg(strstr(err.text, changes[i][1]) != NULL, "%s", err.text);
        check_lines(&before, all);
        unlink(in_folder("now/a2.db"));
    }
    free_lines(&before);
}
END_TEST

/* Killed at any point, then asked again. */
START_TEST(killed)
{
    const char *const from[] = {a, b, c};
    int died = 0, status;
    unsigned seed = 1;

    for (int round = 0; round < 30; round++) {
        pid_t pid;

        if (round % 10 == 0)
            unlink(all);
        pid = fork();
        if (pid == 0) {
            struct merge_count n;
            struct err err;

            for (int i = 0; i < 3; i++)
                if (merge(from[(i + round) % 3], all, &n, &err) < 0)
                    _exit(1);
            _exit(0);
        }
        usleep((unsigned)rand_r(&seed) % 60000);
        kill(pid, SIGKILL);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
        died += WIFSIGNALED(status);
        if (round % 10 < 9)
            continue;
        for (int i = 0; i < 3; i++)
            must_merge(from[i], all);
        check_lines(&want, all);
    }
    ck_assert_int_gt(died, 0);
}
END_TEST

START_TEST(older_schema)
{
    struct store *up = NULL;
    struct merge_count n;
    struct err err = {0};

    older_copy(a, in_folder("now/old.db"), 5);
    copy(in_folder("now/old.db"), in_folder("now/up.db")); /* what a merge must make of it */
    ck_assert_msg(store_open(in_folder("now/up.db"), STORE_WRITE, &up, &err) == 0, "%s", err.text);
    store_close(up);
    n = must_merge(in_folder("now/old.db"), all);
    ck_assert_int_eq(n.schema, 5);
    ck_assert_int_eq(n.new_sessions, 4);
    free_lines(&want);
    add_lines(&want, in_folder("now/up.db"));
    sort_lines(&want);
    check_lines(&want, all);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("merge");
    TCase *t = tcase_create("merge");

    tcase_add_unchecked_fixture(t, make_models, folder_remove);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, orders);
    tcase_add_test(t, fills);
    tcase_add_test(t, grown);
    tcase_add_test(t, larger_device);
    tcase_add_test(t, conflicts);
    tcase_add_test(t, killed);
    tcase_add_test(t, older_schema);
    suite_add_tcase(s, t);
    return suite_run(s);
}
