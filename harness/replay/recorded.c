#include "harness/replay/recorded.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/predict/curve.h"
#include "operators/op_text.h"
#include "profiler/stats.h"

enum { RUNS = 15, MOST = 2048 }; /* newest runs that count, and samples of a case in all of them */
#define LEAST_SLOWDOWN 0.02 /* a curve that rises by less says nothing of its slope */
#define MOST_STEEPER   8.0
#define DISK_LIMITED   1.1 /* preloading that takes less beyond the disk shows the disk, not the movers */

static bool shares_cores(const struct device_info *dev)
{
    return dev->type == DEVICE_CPU;
}

struct sample {
    int64_t run;
    double load, ns;
};

/* Every kernel control of the device ?1 and the newest of its model, once for all samples that a
 * query reads. */
#define CONTROLS \
    "control AS MATERIALIZED (SELECT k.id, k.kernel_ns, first_value(k.kernel_ns) OVER" \
    "   (PARTITION BY k.model, k.dtype, k.path, k.kernel = 'direct'" \
    "    ORDER BY k.taken_utc DESC, k.id DESC) AS newest_ns" \
    "  FROM run k JOIN session t ON t.id = k.session_id" \
    "  WHERE t.device_id = ?1 AND k.kernel_ns > 0)"

/* Newest first, of one case in the variants that `variant` matches (GLOB), of the build that ran it
 * last: another one's kernels are others. Returns how many, or -errno. */
static int read_samples(struct store *st, int64_t device_id, const struct device_info *dev,
                        const char *op_case, const char *variant, struct sample *s,
                        struct err *err)
{
    struct store_query *q;
    int n = 0, runs = 0,
        rc = store_query(st, &q, err,
                         "WITH " CONTROLS ", x AS MATERIALIZED ("
                         " SELECT r.id, r.taken_utc, s.program, l.layer, l.load_bytes,"
                         "  l.end_ns - l.start_ns AS ns"
                         "  FROM run_layer l"
                         "  JOIN run r ON r.id = l.run_id JOIN session s ON s.id = r.session_id"
                         "  WHERE l.op_case = ?2 AND l.variant GLOB ?3 AND s.device_id = ?1)"
                         " SELECT x.id, load_bytes,"
                         "  ns * CASE WHEN ?4 THEN coalesce(newest_ns / kernel_ns, 1.0) ELSE 1.0 END"
                         " FROM x LEFT JOIN control ON control.id = x.id WHERE program ="
                         "  (SELECT program FROM x ORDER BY taken_utc DESC, id DESC LIMIT 1)"
                         " ORDER BY taken_utc DESC, x.id DESC, layer LIMIT ?5",
                         "issii", device_id, op_case, variant, (int64_t)shares_cores(dev),
                         (int64_t)MOST);

    if (rc < 0)
        return rc;
    while ((rc = store_step(q, err)) == 1) {
        int64_t run = store_int(q, 0);

        runs += n == 0 || s[n - 1].run != run;
        if (runs > RUNS)
            break;
        s[n++] = (struct sample){run, store_real(q, 1), store_real(q, 2)};
    }
    store_query_done(q);
    return rc < 0 ? rc : n;
}

/* The median of the runs' medians, NaN among `value` left out: however often a run ran the case, it
 * has one vote, so that one that others slowed down is outvoted. `value` [n] in the samples' order. */
static double median_of_runs(const struct sample *s, const double *value, int n)
{
    double of_run[RUNS], x[MOST];
    int runs = 0;

    for (int i = 0; i < n;) {
        int k = 0, from = i;

        for (; i < n && s[i].run == s[from].run; i++)
            if (!isnan(value[i]))
                x[k++] = value[i];
        if (k > 0)
            of_run[runs++] = stats_median(x, k);
    }
    return runs ? stats_median(of_run, runs) : NAN;
}

static double median_ns(const struct sample *s, int n)
{
    double ns[MOST];

    for (int i = 0; i < n; i++)
        ns[i] = s[i].ns;
    return median_of_runs(s, ns, n);
}

/* How much steeper than the curve the layer was under load; NaN: no sample tells. */
static double steeper(const struct capacity *c, const struct sample *s, int n)
{
    double by[MOST], median;

    for (int i = 0; i < n; i++) {
        double rise = load_curve_at(&c->curve, s[i].load) - 1;
        bool tells = rise >= LEAST_SLOWDOWN && s[i].load <= c->curve.trained_bytes;

        by[i] = tells ? (s[i].ns / c->latency_ns - 1) / rise : NAN;
    }
    median = median_of_runs(s, by, n);
    return isnan(median) ? NAN : fmin(fmax(median, 1 / MOST_STEEPER), MOST_STEEPER);
}

static void steepen(struct capacity *c, double by, int64_t texel_bytes)
{
    double bytes;

    for (int i = 0; i < c->curve.n; i++)
        c->curve.slowdown[i] = 1 + by * (c->curve.slowdown[i] - 1);
    bytes = curve_invert(&c->curve, c->threshold, &c->censored);
    c->bytes = (uint64_t)bytes / (uint64_t)texel_bytes * (uint64_t)texel_bytes;
}

/* What each byte cost a layer that should carry none; NaN: no sample tells. */
static double ns_per_byte(const struct capacity *c, const struct sample *s, int n)
{
    double by[MOST];

    for (int i = 0; i < n; i++)
        by[i] = s[i].load > 0 ? fmax(s[i].ns - c->latency_ns, 0) / s[i].load : NAN;
    return median_of_runs(s, by, n);
}

static int correct(struct store *st, int64_t device_id, const struct device_info *dev,
                   const struct op_case *op,
                   const struct op_variant *v, struct capacity *c, struct err *err)
{
    struct op_variant alone = *v, loaded = *v; /* both without a count of loads */
    char text[OP_TEXT_MAX], variant[OP_TEXT_MAX];
    struct sample s[MOST];
    double by;
    int n;

    alone.form = FORM_NAIVE;
    alone.n_loads = loaded.n_loads = 0;
    op_case_print(op, text);
    op_variant_print(op, &alone, variant);
    n = read_samples(st, device_id, dev, text, variant, s, err);
    if (n <= 0)
        return n;
    c->latency_ns = median_ns(s, n);
    if (v->form == FORM_NAIVE)
        return 1;
    op_variant_print(op, &loaded, variant);
    op_text_append(variant, sizeof(variant), ",loads=*"); /* curves are over bytes, in any pieces */
    n = read_samples(st, device_id, dev, text, variant, s, err);
    if (n <= 0)
        return n < 0 ? n : 1;
    by = c->curve.n < 2 ? ns_per_byte(c, s, n) : c->bytes > 0 ? steeper(c, s, n) : NAN;
    if (c->curve.n < 2)
        c->recorded_ns_per_byte = isnan(by) ? 0 : by;
    else if (!isnan(by))
        steepen(c, by, 4 * (int64_t)dtype_bytes(op->dtype));
    return 1;
}

int recorded_correct(struct store *st, int64_t device_id, const struct model *m,
                     const struct device_info *dev, const struct best *best, enum mem_path path,
                     struct model_problem *mp, int *ret_layers, struct err *err)
{
    int corrected = 0;

    for (int l = 0; l < m->n_layers; l++) {
        const struct op_case *c = &m->layer[l].c;
        struct best b = best ? best[l] : best_default(dev, c, path, FORM_PIPELINED);
        int rc = correct(st, device_id, dev, c, &b.v, &mp->capacity[l], err);

        if (rc < 0)
            return rc;
        corrected += rc;
    }
    if (corrected > 0)
        problem_refresh(mp);
    *ret_layers = corrected;
    return 0;
}

static int newest_control(struct store *st, int64_t device_id, const struct model *m,
                          enum mem_path path, const char *kernel, double *ret_ns, struct err *err)
{
    struct store_query *q;
    int rc = store_query(st, &q, err,
                         "SELECT k.kernel_ns FROM run k JOIN session t ON t.id = k.session_id"
                         " WHERE t.device_id = ?1 AND k.model = ?2 AND k.dtype = ?3 AND k.path = ?4"
                         " AND (k.kernel = 'direct') = (?5 = 'direct') AND k.kernel_ns > 0"
                         " ORDER BY k.taken_utc DESC, k.id DESC LIMIT 1", "issss",
                         device_id, m->name, dtype_name(m->dtype), mem_path_name(path), kernel);

    if (rc < 0)
        return rc;
    rc = store_step(q, err);
    if (rc == 1 && !store_null(q, 0))
        *ret_ns = store_real(q, 0);
    store_query_done(q);
    return rc < 0 ? rc : 0;
}

/* How a policy's initialisation went: medians of its newest runs of the newest build that has any, of
 * this model where there are some. All forms but copies move by the same kernels. */
static int read_moving(struct store *st, int64_t device_id, const struct model *m,
                       enum mem_path path, const char *kernel, const char *policy,
                       struct recorded_moving *ret_y, struct err *err)
{
    enum { NEWEST = 5 };
    double by[NEWEST], per_byte[NEWEST];
    struct store_query *q;
    int n = 0, rc;

    rc = store_query(st, &q, err,
                     "WITH x AS (SELECT r.id, r.model, r.taken_utc, s.program, r.init_ns,"
                     "  r.disk_ns, r.bytes_read FROM run r JOIN session s ON s.id = r.session_id"
                     "  WHERE s.device_id = ?1 AND r.policy = ?7 AND r.source = 'disk'"
                     "  AND r.cache = 'cold' AND r.dtype = ?3 AND r.path = ?4"
                     "  AND (r.kernel = 'direct') = (?5 = 'direct')"
                     "  AND (r.kernel = 'copy') = (?5 = 'copy')"
                     "  AND r.init_ns > 0 AND r.disk_ns > 0 AND r.bytes_read > 0),"
                     " y AS (SELECT * FROM x WHERE program ="
                     "  (SELECT program FROM x ORDER BY taken_utc DESC, id DESC LIMIT 1))"
                     " SELECT init_ns / disk_ns, init_ns / bytes_read FROM y"
                     " WHERE model = ?2 OR NOT EXISTS (SELECT 1 FROM y WHERE model = ?2)"
                     " ORDER BY taken_utc DESC, id DESC LIMIT ?6",
                     "issssis", device_id, m->name, dtype_name(m->dtype), mem_path_name(path),
                     kernel, (int64_t)NEWEST, policy);
    if (rc < 0)
        return rc;
    while ((rc = store_step(q, err)) == 1) {
        by[n] = store_real(q, 0);
        per_byte[n++] = store_real(q, 1);
    }
    store_query_done(q);
    if (rc == 0 && n > 0)
        *ret_y = (struct recorded_moving){stats_median(by, n), stats_median(per_byte, n)};
    return rc;
}

double recorded_move_ns_per_byte(const struct recorded_moving *y, double disk_ns_per_byte)
{
    return y->by_disk >= DISK_LIMITED ? y->ns_per_byte : y->by_disk * disk_ns_per_byte;
}

int recorded_speed(struct store *st, int64_t device_id, const struct model *m,
                   const struct device_info *dev, enum mem_path path, const char *kernel,
                   struct recorded_speed *ret_speed, struct err *err)
{
    struct recorded_speed y = {0};
    int rc = read_moving(st, device_id, m, path, kernel, "preload", &y.preload, err);

    if (rc == 0)
        rc = read_moving(st, device_id, m, path, kernel, "preload-transform", &y.natural, err);
    if (rc == 0 && shares_cores(dev))
        rc = newest_control(st, device_id, m, path, kernel, &y.kernel_ns, err);
    if (rc == 0)
        *ret_speed = y;
    return rc;
}

int recorded_kernel(struct store *st, int64_t device_id, const char *model, enum mem_path path,
                    char *ret_name, size_t size, struct err *err)
{
    struct store_query *q;
    int rc = store_query(st, &q, err,
                         "SELECT kernel FROM (SELECT r.model, r.kernel, min(r.integrated_ns)"
                         "  FROM run r JOIN session s ON s.id = r.session_id"
                         "  WHERE s.device_id = ? AND r.source = 'disk' AND r.cache = 'cold' AND r.path = ?"
                         "  GROUP BY r.model, r.dtype HAVING count(DISTINCT r.kernel) > 1)"
                         " GROUP BY kernel ORDER BY max(model = ?) DESC, count(*) DESC, kernel"
                         " LIMIT 1",
                         "iss", device_id, mem_path_name(path), model);

    if (rc < 0)
        return rc;
    rc = store_step(q, err);
    if (rc >= 0)
        snprintf(ret_name, size, "%s", rc == 1 && store_text(q, 0) ? store_text(q, 0) : "");
    store_query_done(q);
    return rc < 0 ? rc : 0;
}
