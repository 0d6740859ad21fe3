#include "harness/sweep/record.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

int record_find(struct store *st, int64_t device_id, const char *key, struct recorded *ret_r,
                struct err *err)
{
    struct recorded r = {.slowdown = NAN, .slowdown_low = NAN};
    struct store_query *q;
    int rc;

    rc = store_query(st, &q, err,
                     "SELECT s.status, s.slowdown, s.slowdown_low FROM config c"
                     " JOIN sample s ON s.config_id = c.id JOIN session e ON e.id = s.session_id"
                     " WHERE c.key = ? AND e.device_id = ? ORDER BY s.id",
                     "si", key, device_id);
    if (rc < 0)
        return rc;
    while ((rc = store_step(q, err)) > 0) {
        switch (sample_status_parse(store_text(q, 0))) {
        case SAMPLE_OK:
        case SAMPLE_NOISY:
            r.ok++;
            r.slowdown = store_real(q, 1);
            r.slowdown_low = store_real(q, 2);
            break;
        case SAMPLE_TIMEOUT:
        case SAMPLE_CRASHED:
            r.crashed++;
            break;
        default:
            r.failed++;
            break;
        }
    }
    store_query_done(q);
    if (rc == 0)
        *ret_r = r;
    return rc;
}

static int one_number(struct store_query *q, double *ret, struct err *err)
{
    int rc = store_step(q, err);

    if (rc >= 0)
        *ret = rc > 0 ? store_real(q, 0) : NAN;
    store_query_done(q);
    return rc < 0 ? rc : 0;
}

int record_pace_find(struct store *st, int64_t session_id, uint64_t *ret_ns, struct err *err)
{
    struct store_query *q;
    double ns;
    int rc = store_query(st, &q, err,
                         "SELECT min(pace_ns) FROM (SELECT s.pace_ns FROM session s, session me"
                         " WHERE me.id = ? AND s.device_id = me.device_id AND s.host = me.host"
                         " AND s.pace_ns > 0 ORDER BY s.id DESC LIMIT 20)",
                         "i", session_id);

    if (rc == 0)
        rc = one_number(q, &ns, err);
    if (rc == 0)
        *ret_ns = ns > 0 ? (uint64_t)ns : 0;
    return rc;
}

int record_pace(struct store *st, int64_t session_id, uint64_t ns, struct err *err)
{
    return store_exec(st, err, "UPDATE session SET pace_ns = ? WHERE id = ?", "di",
                      ns ? (double)ns : NAN, session_id);
}

const char *const phase_names[PHASES] = {"build", "verify", "warmup", "measure", "flush"};

int record_phases(struct store *st, int64_t device_id, const char *op, bool loaded,
                  double ret_ns[PHASES], int64_t *ret_n, struct err *err)
{
    struct store_query *q;
    int rc;

    rc = store_query(st, &q, err,
                     "SELECT avg(ifnull(s.build_ns, 0)), avg(ifnull(s.verify_ns, 0)),"
                     " avg(ifnull(s.warmup_ns, 0)), avg(ifnull(s.measure_ns, 0)),"
                     " avg(ifnull(s.flush_ns, 0)), count(*)"
                     " FROM sample s JOIN session e ON e.id = s.session_id"
                     " JOIN config c ON c.id = s.config_id"
                     " WHERE e.device_id = ? AND c.op = coalesce(?, c.op)"
                     " AND (c.load_bytes > 0) = ?",
                     "isi", device_id, op, (int64_t)loaded);
    if (rc < 0)
        return rc;
    rc = store_step(q, err);
    for (int i = 0; i < PHASES && rc == 1; i++)
        ret_ns[i] = store_null(q, i) ? 0 : store_real(q, i);
    if (rc == 1)
        *ret_n = store_int(q, PHASES);
    store_query_done(q);
    return rc < 0 ? rc : 0;
}

/* Global size as launched: what the operator asks for, rounded up to the local size. "" if the
 * kernel cannot take the case: there was no launch. */
static void launch_text(const struct sweep_config *g, const struct device_info *dev, char gws[64],
                        char lws[32], char order[32])
{
    const struct op_kernel *k = &g->c.op->kernels[g->v.kernel];
    struct op_launch l = {0};

    gws[0] = order[0] = '\0';
    if (g->c.op->launch(&g->c, &g->v, dev, &l, NULL) == 0) {
        if (g->v.lws[0])
            memcpy(l.lws, g->v.lws, sizeof(l.lws));
        for (int i = 0; i < 2 && l.lws[0]; i++)
            l.gws[i] = (l.gws[i] + (size_t)l.lws[i] - 1) / (size_t)l.lws[i] * (size_t)l.lws[i];
        snprintf(gws, 64, "%zux%zu", l.gws[0], l.gws[1]);
    }
    if (l.lws[0])
        snprintf(lws, 32, "%dx%d", l.lws[0], l.lws[1]);
    else
        snprintf(lws, 32, "auto");
    for (int i = 0; i < OP_MAX_TUNABLES && k->tunables[i].name; i++)
        if (strcmp(k->tunables[i].name, "ORDER") == 0)
            snprintf(order, 32, "%d", g->v.tunable[i]);
}

static int config_row(struct store *st, const struct device_info *dev, const struct sweep_config *g,
                      bool hot, int64_t *ret_id, struct err *err)
{
    char key[SWEEP_KEY_MAX], shape[OP_TEXT_MAX], variant[OP_TEXT_MAX], tile[OP_TEXT_MAX];
    char gws[64], lws[32], order[32];
    struct store_query *q;
    double id;
    int rc;

    sweep_key(g, hot, key);
    op_case_params(&g->c, shape);
    op_variant_print(&g->c, &g->v, variant);
    op_variant_tile(&g->c, &g->v, tile);
    launch_text(g, dev, gws, lws, order);
    rc = store_exec(st, err,
                    "INSERT INTO config (key, op, class, shape, dtype, path, kernel, form, variant,"
                    " gws, lws, tile, loop_order, extra_ratio, load_bytes, cache)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                    " ON CONFLICT (key) DO NOTHING",
                    "sssssssssssssdis", key, g->c.op->name, op_class_name(g->c.op->class), shape,
                    dtype_name(g->c.dtype), mem_path_name(g->v.path),
                    g->c.op->kernels[g->v.kernel].name, op_form_name(g->v.form), variant, gws, lws,
                    tile, order, g->ratio, (int64_t)g->load_bytes, hot ? "hot" : "flushed");
    if (rc == 0)
        rc = store_query(st, &q, err, "SELECT id FROM config WHERE key = ?", "s", key);
    if (rc == 0)
        rc = one_number(q, &id, err);
    if (rc == 0 && isnan(id))
        rc = err_set(err, -EIO, "%s: configuration '%s' vanished", store_path(st), key);
    if (rc == 0)
        *ret_id = (int64_t)id;
    return rc;
}

/* Integers that may be unknown are bound as doubles: NaN is NULL, and a STRICT column of integers
 * takes a whole double as an integer (exact up to 2^53 ns, 104 days). */
static double or_null(int n)
{
    return n > 0 ? n : NAN;
}

static const char *text_or_null(const char *s)
{
    return *s ? s : NULL;
}

static int sample_row(struct store *st, int64_t session_id, int64_t config_id,
                      const struct work_result *r, struct err *err)
{
    static const struct work_side none = {NULL, NULL, NAN, NAN, NAN, NAN};
    const struct work_side *mine = r->sides > 0 ? &r->side[r->sides - 1] : &none;
    const struct work_side *base = r->sides == 2 ? &r->side[0] : &none;

    return store_exec(
        st, err,
        "INSERT INTO sample (session_id, config_id, taken_utc, status, error,"
        " build_hash, timer, batch, repeats, median_ns, low_ns, high_ns, mad_ns,"
        " base_median_ns, slowdown, slowdown_low, slowdown_high, worst_error,"
        " build_ns, verify_ns, warmup_ns, flush_ns, measure_ns)"
        " VALUES (?, ?, " STORE_NOW_UTC ", ?, ?, ?, ?, ?, ?, ?,"
        " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "iissssdddddddddddddddd", session_id, config_id, sample_status_name(r->status),
        text_or_null(r->error), text_or_null(r->build_hash), text_or_null(r->timer),
        or_null(r->batch), or_null(r->n), mine->median_ns, mine->low_ns, mine->high_ns,
        mine->mad_ns, base->median_ns, r->slowdown, r->slowdown_low, r->slowdown_high,
        r->worst_error, r->build_ns, r->verify_ns, r->warmup_ns, r->flush_ns, r->measure_ns);
}

static int rows(struct store *st, int64_t session_id, const struct device_info *dev,
                const struct sweep_config *g, bool hot, const struct work_result *r,
                struct err *err)
{
    int64_t config_id, sample_id;
    int rc;

    rc = config_row(st, dev, g, hot, &config_id, err);
    if (rc == 0)
        rc = sample_row(st, session_id, config_id, r, err);
    if (rc < 0)
        return rc;
    sample_id = store_last_id(st);
    for (int side = 0; side < r->sides; side++) {
        for (int i = 0; i < r->n; i++) {
            rc = store_exec(
                st, err,
                "INSERT INTO repeat (sample_id, side, seq, time_ns, cores, aside)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                "iiiidi", sample_id, (int64_t)side, (int64_t)i, (int64_t)r->side[side].time_ns[i],
                r->side[side].cores ? round(1000 * r->side[side].cores[i]) / 1000 : NAN,
                (int64_t)r->aside[i]); /* a thousandth of a core is more than its clock tells */
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}

int record_sample(struct store *st, int64_t session_id, const struct device_info *dev,
                  const struct sweep_config *g, bool hot, const struct work_result *r,
                  struct err *err)
{
    int rc = store_begin(st, err);

    if (rc < 0)
        return rc;
    rc = rows(st, session_id, dev, g, hot, r, err);
    if (rc < 0) {
        store_end(st, false, NULL);
        return rc;
    }
    return store_end(st, true, err);
}
