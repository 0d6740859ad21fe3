/* harness/store/exchange/peers.c - what scripts/peers/run printed, into the table peer_run. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "harness/store/exchange/exchange.h"
#include "harness/store/exchange/stage.h"
#include "harness/text/csv.h"
#include "harness/text/units.h"

enum { NAME_MAX_BYTES = 64, STATUS_MAX_BYTES = 300 };
#define MS_MAX    1e9 /* eleven days */
#define BYTES_MAX (INT64_C(1) << 53)
#define ROWS_MAX  10000

enum { HOST, CPU, FRAMEWORK, VERSION, BACKEND, MODEL, TAKEN, DTYPE, CACHE, STATUS, TEXTS };
enum { THREADS, ROUNDS, COUNTS };
enum { LOAD, INIT, FIRST, STEADY, INTEGRATED, LOW, HIGH, TIMES };
enum { PEAK, AVERAGE, SIZES };

static const char *const texts[TEXTS] = {"host",  "cpu",       "framework", "version", "backend",
                                         "model", "taken_utc", "dtype",     "cache",   "status"};
static const char *const counts[COUNTS] = {"threads", "rounds"};
static const char *const times[TIMES] = {
    "load_ms",           "init_ms",           "first_ms", "steady_ms", "integrated_ms",
    "integrated_low_ms", "integrated_high_ms"};
static const char *const sizes[SIZES] = {"peak_bytes", "avg_bytes"};

struct peer {
    const char *text[TEXTS];
    int64_t count[COUNTS];
    double time_ns[TIMES], size[SIZES], error; /* NaN: none */
};

/* ---- one row ---- */

/* Shown on terminals and pages: no control characters. */
static int check_text(const char *name, const char *text, struct err *err)
{
    int most = strcmp(name, "status") == 0 ? STATUS_MAX_BYTES : NAME_MAX_BYTES;

    if (!*text || strlen(text) > (size_t)most)
        return err_set(err, -EINVAL, "%s: want 1 to %d bytes, got %zu", name, most, strlen(text));
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        if (*p < 0x20 || *p == 0x7f)
            return err_set(err, -EINVAL, "%s: a control character (0x%02x)", name, *p);
    if (stage_check_text(text, strlen(text), err) < 0)
        return err_prefix(err, "%s", name);
    return 0;
}

static int one_of(const char *name, const char *text, const char *a, const char *b, struct err *err)
{
    if (strcmp(text, a) == 0 || strcmp(text, b) == 0)
        return 0;
    return err_set(err, -EINVAL, "%s: want %s or %s, got '%.40s'", name, a, b, text);
}

/* 2026-01-31T23:59:59Z: rows are told apart, and the newest found, by it. */
static int check_utc(const char *name, const char *text, struct err *err)
{
    static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
    bool fits = strlen(text) == strlen(form);

    for (size_t i = 0; fits && form[i]; i++)
        fits = form[i] == 'd' ? text[i] >= '0' && text[i] <= '9' : text[i] == form[i];
    return fits ? 0
                : err_set(err, -EINVAL, "%s: want YYYY-MM-DDTHH:MM:SSZ, got '%.40s'", name, text);
}

static int read_number(const struct csv *csv, int row, const char *name, double most, double *ret,
                       struct err *err)
{
    const char *text = csv_get(csv, row, name);

    *ret = NAN;
    if (*text && parse_real(text, 0, most, ret, err) < 0)
        return err_prefix(err, "%s", name);
    return 0;
}

/* Rows that ran have times that fit together; those that did not have none. */
static int check_times(const struct peer *p, struct err *err)
{
    const double *t = p->time_ns;

    if (strcmp(p->text[STATUS], "ok") != 0)
        return isnan(t[INTEGRATED]) ? 0
                                    : err_set(err, -EINVAL,
                                              "integrated_ms: a time, though status is not ok");
    if (!(t[INTEGRATED] > 0) || p->count[ROUNDS] < 1)
        return err_set(err, -EINVAL, "status is ok: want integrated_ms above 0, rounds of 1 or more");
    if (!(t[LOW] <= t[INTEGRATED] && t[INTEGRATED] <= t[HIGH]))
        return err_set(err, -EINVAL, "want integrated_low_ms <= integrated_ms <= integrated_high_ms");
    return 0;
}

static int read_peer(const struct csv *csv, int row, struct peer *p, struct err *err)
{
    int rc = 0;

    for (int i = 0; i < TEXTS && rc == 0; i++) {
        p->text[i] = csv_get(csv, row, texts[i]);
        rc = check_text(texts[i], p->text[i], err);
    }
    if (rc == 0)
        rc = check_utc(texts[TAKEN], p->text[TAKEN], err);
    if (rc == 0)
        rc = one_of(texts[DTYPE], p->text[DTYPE], "f32", "f16", err);
    if (rc == 0)
        rc = one_of(texts[CACHE], p->text[CACHE], "cold", "warm", err);
    for (int i = 0; i < COUNTS && rc == 0; i++)
        if (parse_int(csv_get(csv, row, counts[i]), i == THREADS, 1000000, &p->count[i], err) < 0)
            rc = err_prefix(err, "%s", counts[i]);
    for (int i = 0; i < TIMES && rc == 0; i++) {
        rc = read_number(csv, row, times[i], MS_MAX, &p->time_ns[i], err);
        p->time_ns[i] = round(p->time_ns[i] * 1e6);
    }
    for (int i = 0; i < SIZES && rc == 0; i++) {
        rc = read_number(csv, row, sizes[i], (double)BYTES_MAX, &p->size[i], err);
        p->size[i] = round(p->size[i]);
    }
    if (rc == 0)
        rc = read_number(csv, row, "error", 1e30, &p->error, err);
    return rc == 0 ? check_times(p, err) : rc;
}

/* ---- rows ---- */

#define KEY "host, taken_utc, framework, backend, model, dtype, threads"
#define REST                                                                                       \
    "cpu, version, rounds, load_ns, init_ns, first_ns, steady_ns, integrated_ns,"                  \
    " integrated_low_ns, integrated_high_ns, peak_bytes, avg_bytes, cache, error, status,"         \
    " device_id"
#define BINDS "ssssssi" "ssiddddddddd" "sdsi"
#define VALUES(p, device_id)                                                                       \
    (p)->text[HOST], (p)->text[TAKEN], (p)->text[FRAMEWORK], (p)->text[BACKEND], (p)->text[MODEL], \
        (p)->text[DTYPE], (p)->count[THREADS], (p)->text[CPU], (p)->text[VERSION],                 \
        (p)->count[ROUNDS], (p)->time_ns[LOAD], (p)->time_ns[INIT], (p)->time_ns[FIRST],           \
        (p)->time_ns[STEADY], (p)->time_ns[INTEGRATED], (p)->time_ns[LOW], (p)->time_ns[HIGH],     \
        (p)->size[PEAK], (p)->size[AVERAGE], (p)->text[CACHE], (p)->error, (p)->text[STATUS],      \
        device_id

/* Adds it; the same row again adds nothing, and one that says something else is refused. */
static int put_peer(struct store *st, int64_t device_id, const struct peer *p, int64_t *new_rows,
                    struct err *err)
{
    struct store_query *q = NULL;
    int rc = store_query(st, &q, err,
                         "INSERT INTO peer_run (" KEY ", " REST ") VALUES (?, ?, ?, ?, ?, ?, ?, ?,"
                         " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                         " ON CONFLICT (" KEY ") DO NOTHING RETURNING id",
                         BINDS, VALUES(p, device_id));

    if (rc == 0)
        rc = store_step(q, err);
    *new_rows += rc == 1;
    if (rc == 1)
        rc = store_step(q, err);
    else if (rc == 0) {
        store_query_done(q);
        rc = store_query(st, &q, err,
                         "SELECT 1 FROM peer_run WHERE (" KEY ") = (?, ?, ?, ?, ?, ?, ?)"
                         " AND (cpu, version, rounds) = (?, ?, ?) AND load_ns IS ? AND init_ns IS ?"
                         " AND first_ns IS ? AND steady_ns IS ? AND integrated_ns IS ?"
                         " AND integrated_low_ns IS ? AND integrated_high_ns IS ? AND peak_bytes IS"
                         " ? AND avg_bytes IS ? AND cache = ? AND error IS ? AND status = ?"
                         " AND device_id = ?",
                         BINDS, VALUES(p, device_id));
        if (rc == 0)
            rc = store_step(q, err);
        if (rc == 0)
            rc = err_set(err, -EEXIST, "'%s' has other values of this run", store_path(st));
    }
    store_query_done(q);
    return rc < 0 ? rc : 0;
}

/* Rows stand beside ours, so they are of the same machine. Host names change with a container. */
static int check_machine(struct store *st, int64_t device_id, const struct peer *p, struct err *err)
{
    struct store_query *q = NULL;
    int rc = store_query(st, &q, err, "SELECT 1 FROM session WHERE device_id = ? AND cpu = ? LIMIT 1",
                         "is", device_id, p->text[CPU]);

    if (rc == 0)
        rc = store_step(q, err);
    if (rc == 0)
        rc = err_set(err, -EINVAL,
                     "cpu: no session of this device was on '%s': --device names another",
                     p->text[CPU]);
    store_query_done(q);
    return rc < 0 ? rc : 0;
}

static const char *const *columns(void)
{
    static const char *all[TEXTS + COUNTS + TIMES + SIZES + 2];
    int n = 0;

    for (int i = 0; i < TEXTS; i++)
        all[n++] = texts[i];
    for (int i = 0; i < COUNTS; i++)
        all[n++] = counts[i];
    for (int i = 0; i < TIMES; i++)
        all[n++] = times[i];
    for (int i = 0; i < SIZES; i++)
        all[n++] = sizes[i];
    all[n++] = "error";
    return all;
}

int store_import_peers(struct store *st, int64_t device_id, const char *path, int64_t *ret_rows,
                       int64_t *ret_new, struct err *err)
{
    int64_t new_rows = 0;
    struct csv csv;
    int rc = csv_read(path, NULL, 0, columns(), NULL, &csv, err);

    if (rc < 0)
        return rc;
    if (csv.n_rows > ROWS_MAX)
        rc = err_set(err, -E2BIG, "'%s': more than %d rows", path, ROWS_MAX);
    if (rc == 0)
        rc = store_begin(st, err);
    if (rc == 0) {
        for (int i = 0; i < csv.n_rows && rc == 0; i++) {
            struct peer p;
            struct err why = {0};

            rc = read_peer(&csv, i, &p, &why);
            if (rc == 0)
                rc = check_machine(st, device_id, &p, &why);
            if (rc == 0)
                rc = put_peer(st, device_id, &p, &new_rows, &why);
            if (rc < 0)
                csv_error(&csv, i, err, "%s", why.text);
        }
        if (rc < 0)
            store_end(st, false, NULL);
        else
            rc = store_end(st, true, err);
    }
    if (rc == 0) {
        *ret_rows = csv.n_rows;
        *ret_new = new_rows;
    }
    csv_done(&csv);
    return rc;
}
