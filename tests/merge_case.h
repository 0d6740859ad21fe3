/* tests/merge_case.h - databases with rows in every table, made by SQLite itself, to be merged. */
#ifndef FLASHMEM_TESTS_MERGE_CASE_H
#define FLASHMEM_TESTS_MERGE_CASE_H

#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/store/exchange/exchange.h"
#include "tests/folder.h"

/* ---- SQLite itself ---- */

static inline sqlite3 *must_open(const char *path)
{
    sqlite3 *db = NULL;

    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

static inline void raw(const char *path, const char *sql)
{
    sqlite3 *db = must_open(path);
    char *why = NULL;

    sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &why) == SQLITE_OK, "%.60s: %s", sql, why);
    sqlite3_close(db);
}

static inline void copy(const char *from, const char *to)
{
    char command[1200];

    snprintf(command, sizeof(command), "cp '%s' '%s' && rm -f '%s-wal' '%s-shm'", from, to, to, to);
    ck_assert_int_eq(system(command), 0);
}

/* ---- a database with rows in every table ---- */

static inline void make_empty(const char *path)
{
    struct store *st = NULL;
    struct err err = {0};

    ck_assert_msg(store_open(path, STORE_WRITE, &st, &err) == 0, "%s", err.text);
    store_close(st);
}

/* Sessions `first` to `last`; each has its samples of five of eight configurations, a run of a plan
 * and a regressor. Rows are made in an order, and with ids, that depend on `seed`. */
static inline void make_database(const char *path, int first, int last, int seed)
{
    static const char sql[] =
        "BEGIN;"
        "WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < 7)"
        "INSERT OR IGNORE INTO config SELECT NULL, 'key' || ((i * 5 + @k) % 8), 'add',"
        " 'elemental', 'n=' || i, 'f32', 'image', 'direct', 'naive', 'v', '1', '1', '', '', 0.25,"
        " 64, 'hot' FROM c WHERE 1;"
        "UPDATE config SET shape = 'n=' || substr(key, 4);"
        "INSERT OR IGNORE INTO device SELECT NULL, 'P', 'G' || (@s % 2), 'OpenCL 1.2', '1',"
        " 'gpu', 16384, 8192, 49152, 0, 1, 4, 256, 1000;"
        "INSERT INTO session SELECT NULL, 'uuid-@s', (SELECT id FROM device WHERE name = 'G' ||"
        " (@s % 2)), '2020-01-0@sT00:00:00Z', NULL, 'h', 'o', 'c', 2, 8, 'p', 'gcc', 'cmd',"
        " NULL, NULL, 0.@s, NULL;"
        "INSERT INTO sample (session_id, config_id, taken_utc, status, median_ns, error)"
        " SELECT s.id, c.id, '2020-01-0@sT00:00:0' || substr(key, 4) || 'Z', 'ok',"
        " @s + substr(key, 4) / 8.0, nullif(@s % 3, 0) FROM session s, config c"
        " WHERE uuid = 'uuid-@s' AND (substr(key, 4) + @s) % 8 < 5;"
        "INSERT INTO repeat (sample_id, side, seq, time_ns) SELECT m.id, 0, k.value, k.value * "
        "m.median_ns * 8 FROM sample m,"
        " session s, json_each('[1,2,3]') k WHERE s.id = m.session_id AND uuid = 'uuid-@s';"
        "INSERT INTO regressor SELECT NULL, device_id, started_utc, 'latency', 'f32', 'image', 5,"
        " 5, 2, '', '', '{\"r\": @s}' FROM session WHERE uuid = 'uuid-@s';"
        "INSERT INTO metric SELECT r.id, 'all', 0, 5, 0.5, NULL, 0.25, 0.125, 1 FROM regressor r"
        " WHERE model_json LIKE '% @s}';"
        "INSERT INTO prediction SELECT r.id, m.id, 1, m.median_ns + 0.1, m.median_ns"
        " FROM regressor r, sample m, session s WHERE model_json LIKE '% @s}'"
        " AND s.id = m.session_id AND uuid = 'uuid-@s';"
        /* Twice, and a third time with other parts: all three are plans of their own. */
        "INSERT INTO plan (made_utc, device_id, model, dtype, path, policy, price, limit_reading,"
        " m_peak_bytes, lambda, chunk_bytes, capacity_source, objective, status, preloaded_bytes,"
        " peak_bytes, solve_ns) SELECT started_utc, s.device_id, 'M@s', 'f32', 'image', 'greedy',"
        " 'bytes', 'unified', NULL, 0.9, 4096, 'regressor ' || r.id, 0.1, 'FEASIBLE', 1, 2, 3"
        " FROM session s, regressor r, json_each('[1,2,3]') WHERE uuid = 'uuid-@s'"
        " AND model_json LIKE '% @s}';"
        "INSERT INTO plan_weight SELECT p.id, 'w', 4096, 1, 2, 0, (SELECT 1 WHERE p.id > (SELECT"
        " min(id) + 1 FROM plan WHERE model = 'M@s')) FROM plan p WHERE model = 'M@s';"
        "INSERT INTO plan_load SELECT p.id, 'w', 1, 1 FROM plan p WHERE model = 'M@s';"
        "INSERT INTO run (session_id, plan_id, taken_utc, model, policy, dtype, path, kernel,"
        " reader, source, cache, repeats, setup_ns, build_ns, integrated_ns, integrated_low_ns,"
        " integrated_high_ns, integrated_mean_ns, peak_bytes, avg_bytes, mem_byte_s, bytes_read,"
        " output_hash, status) SELECT s.id, max(p.id), started_utc, 'M@s', 'greedy', 'f32',"
        " 'image', 'pipelined', 'ahead', 'disk', 'cold', 3, 1, 2, 5.5, 5, 6, 5.6, 7, 8, 9, 10, 'h',"
        " 'ok' FROM session s, plan p WHERE uuid = 'uuid-@s' AND p.model = 'M@s';"
        "INSERT INTO run_repeat SELECT id, 1, @s, 2, NULL, 4, 5, 6.5, 7 FROM run"
        " WHERE model = 'M@s';"
        "INSERT INTO run_memory SELECT id, 1, @s, 2, 3, 4, 5, 6, NULL FROM run"
        " WHERE model = 'M@s';"
        "INSERT INTO peer_run (device_id, taken_utc, host, cpu, framework, version, backend, model,"
        " dtype, threads, rounds, integrated_ns, cache, status) SELECT device_id, started_utc, "
        "host,"
        " cpu, 'f@s', '1', 'cpu', 'M@s', 'f32', 2, 3, @s, 'cold', 'ok' FROM session"
        " WHERE uuid = 'uuid-@s';"
        "INSERT INTO run_layer SELECT id, 1, 'l', 'add', 3, 4, 5, NULL, 'v', NULL FROM run"
        " WHERE model = 'M@s';"
        "INSERT INTO queue SELECT NULL, id, started_utc, 'W@s', @s, 'latency', 'f16', 'image',"
        " 'direct', 'ahead', 'disk', 'cold', 1500, 1, 0, 2, 3, 4, 5, 6.5, 7, NULL, 'ok'"
        " FROM session WHERE uuid = 'uuid-@s';"
        "INSERT INTO queue_step SELECT id, 1, 'M@s', 1, 2, 3, 4, 5, 6, NULL, 7, 8, 9, 'yes', 0.5"
        " FROM queue WHERE workload = 'W@s';"
        "INSERT INTO queue_memory SELECT id, 0, @s, 2, 3, 4, 5, 6, NULL FROM queue"
        " WHERE workload = 'W@s';"
        "COMMIT";
    char text[16384], *to;

    make_empty(path);
    for (int i = 0; i <= last - first; i++) {
        int session = seed % 2 ? first + i : last - i;

        to = text;
        for (const char *p = sql; *p; p++) {
            *to++ = *p;
            if (p[0] == '@') /* one digit each */
                to[-1] = (char)('0' + (*++p == 's' ? session : seed));
        }
        *to = '\0';
        raw(path, text);
    }
}

static inline int merge(const char *from, const char *into, struct merge_count *n, struct err *err)
{
    struct stage *s = NULL;
    int rc = stage_database(from, NULL, &s, err);

    if (rc == 0)
        rc = stage_merge(s, into, n, err);
    stage_free(s);
    return rc;
}

#endif
