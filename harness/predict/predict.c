/* harness/predict/predict.c - the stored regressors at work: latency, load curve, capacity. */
#include "harness/predict/predict.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/predict/curve.h"
#include "harness/predict/feature.h"
#include "harness/predict/smooth.h"
#include "harness/predict/training.h"
#include "harness/samples/sampled.h"
#include "profiler/learn/regressor.h"

enum { MAX_OPS = 64, BAND_SAMPLES = 10 };

/* What the trained samples of one operator in one form cover. */
struct form_support {
    int loads;                   /* samples behind the slowdown regressor */
    double max_bytes;            /* carried */
    double min_ratio, max_ratio; /* carried / input bytes */
    double max_rate;             /* carried / base latency as predicted, bytes per ns */
};

/* And of one operator altogether. */
struct support {
    int bases; /* samples behind the latency regressor */
    struct form_support form[OP_FORMS];
    struct interval latency, loaded; /* measured over predicted, out of fold */
};

/* The parts of one regressor: predicted is smooth ^ share * (base * exp(blend * trees)) ^ (1 - share),
 * smooth being own process ^ own * joint process ^ (1 - own), base the roofline of a latency and 1 of a slowdown. */
struct parts {
    struct regressor *trees;
    struct processes processes;
    struct smooth columns; /* what the process sees of the features */
    double blend, own, share;
};

struct predictor {
    int64_t latency_id, slowdown_id; /* rows; slowdown_id 0: none */
    enum dtype dtype;
    enum mem_path path;
    struct parts latency, slowdown; /* trees NULL: none */
    struct roofline *roofline;
    struct support support[MAX_OPS]; /* by position in op_table */
};

static void parts_done(struct parts *p)
{
    regressor_free(p->trees);
    processes_done(&p->processes);
}

void predictor_free(struct predictor *p)
{
    if (!p)
        return;
    parts_done(&p->latency);
    parts_done(&p->slowdown);
    roofline_free(p->roofline);
    free(p);
}

int64_t predictor_id(const struct predictor *p)
{
    return p->slowdown_id ? p->slowdown_id : p->latency_id;
}

static int op_index(const struct op *op)
{
    int i = 0;

    while (op_table[i] && op_table[i] != op)
        i++;
    assert(op_table[i] && i < MAX_OPS);
    return i;
}

/* ---- loading ---- */

/* Feature names as stored, against this program's. */
static bool same_features(const char *text, int cols)
{
    const char *const *names = feature_names();

    for (int i = 0; i < cols; i++) {
        size_t n = strlen(names[i]);

        if (strncmp(text, names[i], n) != 0 || text[n] != (i < cols - 1 ? ' ' : 0))
            return false;
        text += n + 1;
    }
    return true;
}

/* The feature "op" counts through the operator table, which may have grown at its end. */
static bool same_ops(const char *options)
{
    const char *stored = strstr(options, "ops=");
    char ops[512];
    size_t n;

    if (!stored)
        return false;
    stored += strlen("ops=");
    n = strlen(stored);
    training_ops(ops, sizeof(ops));
    return strncmp(ops, stored, n) == 0 && (ops[n] == 0 || ops[n] == ',');
}

static int load_roofline(struct predictor *p, struct err *err)
{
    const char *text = regressor_text(p->latency.trees, "roofline");

    if (!text)
        return err_set(err, -ESTALE,
                       "regressor %" PRId64 " has no roofline: run 'flashmem train' again",
                       p->latency_id);
    return roofline_parse(text, &p->roofline, err);
}

static double fraction(const struct regressor *r, const char *key)
{
    const char *text = regressor_text(r, key);
    double v = text ? strtod(text, NULL) : NAN;

    return v >= 0 && v <= 1 ? v : NAN;
}

/* What goes with the trees, from their JSON. */
static int load_parts(struct parts *p, int cols, int64_t id, struct err *err)
{
    const char *text;

    p->columns = smooth_columns(cols);
    p->blend = fraction(p->trees, "blend");
    p->own = fraction(p->trees, "own");
    p->share = fraction(p->trees, "share");
    text = regressor_text(p->trees, "processes");
    if (!text || isnan(p->blend) || isnan(p->own) || isnan(p->share))
        return err_set(err, -ESTALE,
                       "regressor %" PRId64 " has no smooth part: run 'flashmem train' again", id);
    return processes_parse(text, p->columns.n, &p->processes, err);
}

/* The latest regressor of a target, by time, for databases merge. `after` > 0: that of the same
 * training as latency regressor `after`: stored behind it and before the next; merging keeps the
 * order of what comes from one database. 0 without trees: none. */
static int load_regressor(struct store *st, int64_t device_id, const char *target,
                          const struct predictor *p, int64_t after, int cols,
                          struct parts *ret_p, int64_t *ret_id, struct err *err)
{
    struct store_query *q = NULL;
    struct parts r = {0};
    int64_t id = 0;
    int rc;

    rc = store_query(st, &q, err,
                     "SELECT id, features, options, model_json FROM regressor WHERE device_id = ?1"
                     " AND target = ?2 AND dtype = ?4 AND path = ?5 AND (?3 = 0 OR (id > ?3 AND id <"
                     " coalesce((SELECT min(n.id) FROM regressor n WHERE n.device_id = ?1 AND"
                     " n.target = 'latency' AND n.dtype = ?4 AND n.path = ?5 AND n.id > ?3),"
                     " 9223372036854775807))) ORDER BY trained_utc DESC, id DESC LIMIT 1",
                     "isiss", device_id, target, after, dtype_name(p->dtype),
                     mem_path_name(p->path));
    if (rc < 0)
        return rc;
    rc = store_step(q, err);
    if (rc == 1) {
        id = store_int(q, 0);
        if (!same_features(store_text(q, 1), cols) || !same_ops(store_text(q, 2)))
            rc = err_set(err, -ESTALE,
                         "regressor %" PRId64 " was trained with other operators or features: run"
                         " 'flashmem train' again", id);
        else
            rc = regressor_from_json(store_text(q, 3), &r.trees, err);
    }
    store_query_done(q);
    if (rc == 0 && r.trees)
        rc = load_parts(&r, cols, id, err);
    if (rc < 0) {
        parts_done(&r);
        return rc;
    }
    *ret_p = r;
    *ret_id = id;
    return 0;
}

static int load_ranges(struct store *st, struct predictor *p, struct err *err)
{
    struct store_query *q = NULL;
    int rc;

    rc = store_query(st, &q, err,
                     "SELECT c.op, l.regressor_id IS NOT NULL, c.load_bytes, c.shape, b.predicted,"
                     " c.form"
                     " FROM prediction b JOIN sample s ON s.id = b.sample_id"
                     " JOIN config c ON c.id = s.config_id LEFT JOIN prediction l"
                     " ON l.sample_id = b.sample_id AND l.regressor_id = ?"
                     " WHERE b.regressor_id = ?", "ii", p->slowdown_id, p->latency_id);
    if (rc < 0)
        return rc;
    while ((rc = store_step(q, err)) == 1) {
        const struct op *op = op_find(store_text(q, 0));
        int form = op_form_parse(store_text(q, 5));
        double bytes = store_real(q, 2), ratio;
        struct form_support *s;
        struct op_case c;

        if (!op)
            continue;
        p->support[op_index(op)].bases++;
        s = &p->support[op_index(op)].form[form < 0 ? FORM_NAIVE : form];
        if (!store_int(q, 1) ||
            op_case_make(op->name, p->dtype, store_text(q, 3), &c, NULL) < 0)
            continue;
        ratio = bytes / (double)op_input_bytes(&c);
        s->max_bytes = fmax(s->max_bytes, bytes);
        s->max_ratio = fmax(s->max_ratio, ratio);
        s->max_rate = fmax(s->max_rate, bytes / store_real(q, 4));
        s->min_ratio = s->loads++ ? fmin(s->min_ratio, ratio) : ratio;
    }
    store_query_done(q);
    return rc;
}

/* Quantiles of measured over predicted. */
static struct interval band(const double *ratio, int n)
{
    if (n < BAND_SAMPLES)
        return (struct interval){NAN, NAN, NAN};
    return (struct interval){stats_median(ratio, n), stats_quantile(ratio, n, 0.025),
                             stats_quantile(ratio, n, 0.975)};
}

/* Rows of (op, ratio), sorted by op, into the bands. */
static int load_bands(struct store *st, struct predictor *p, bool loaded, struct err *err)
{
    static const char *const sql[2] = {
        "SELECT c.op, p.measured / p.predicted FROM prediction p"
        " JOIN sample s ON s.id = p.sample_id JOIN config c ON c.id = s.config_id"
        " WHERE p.regressor_id = ?1 AND ?2 >= 0 ORDER BY c.op",
        "SELECT c.op, s.median_ns / (p.predicted * b.predicted) FROM prediction p"
        " JOIN prediction b ON b.sample_id = p.sample_id AND b.regressor_id = ?1"
        " JOIN sample s ON s.id = p.sample_id JOIN config c ON c.id = s.config_id"
        " WHERE p.regressor_id = ?2 ORDER BY c.op"};
    struct store_query *q = NULL;
    double *ratio = NULL;
    int n = 0, room = 0, rc;
    const struct op *op = NULL;

    rc = store_query(st, &q, err, sql[loaded], "ii", p->latency_id, p->slowdown_id);
    if (rc < 0)
        return rc;
    do {
        const struct op *next;

        rc = store_step(q, err);
        next = rc == 1 ? op_find(store_text(q, 0)) : NULL;
        if (op && next != op) {
            struct support *s = &p->support[op_index(op)];

            *(loaded ? &s->loaded : &s->latency) = band(ratio, n);
        }
        n = next == op ? n : 0;
        op = next;
        if (n == room) {
            double *more = realloc(ratio, (size_t)(room = room ? 2 * room : 256) * sizeof(*more));

            if (!more) {
                rc = err_set(err, -ENOMEM, "no memory for %d samples", room);
                break;
            }
            ratio = more;
        }
        if (op)
            ratio[n++] = store_real(q, 1);
    } while (rc == 1);
    free(ratio);
    store_query_done(q);
    return rc;
}

static int load_all(struct store *st, int64_t device_id, struct predictor *p, struct err *err)
{
    int rc;

    rc = load_regressor(st, device_id, "latency", p, 0, FEATURES_LATENCY, &p->latency,
                        &p->latency_id, err);
    if (rc == 0 && !p->latency.trees)
        rc = err_set(err, -ENOENT,
                     "no latency regressor for %s %s of this device in '%s': run 'flashmem train'",
                     dtype_name(p->dtype), mem_path_name(p->path), store_path(st));
    if (rc == 0)
        rc = load_roofline(p, err);
    /* A slowdown regressor belongs to the latency regressor stored before it, whose predictions
     * it was trained on. */
    if (rc == 0)
        rc = load_regressor(st, device_id, "slowdown", p, p->latency_id, FEATURES_SLOWDOWN,
                            &p->slowdown, &p->slowdown_id, err);
    if (rc == 0)
        rc = load_ranges(st, p, err);
    if (rc == 0)
        rc = load_bands(st, p, false, err);
    if (rc == 0)
        rc = load_bands(st, p, true, err);
    return rc;
}

int predictor_load(struct store *st, int64_t device_id, enum dtype dtype, enum mem_path path,
                   struct predictor **ret_p, struct err *err)
{
    struct predictor *p = calloc(1, sizeof(*p));
    int rc;

    if (!p)
        return err_set(err, -ENOMEM, "no memory for a predictor");
    p->dtype = dtype;
    p->path = path;
    for (int i = 0; i < MAX_OPS; i++)
        p->support[i].latency = p->support[i].loaded = (struct interval){NAN, NAN, NAN};
    rc = load_all(st, device_id, p, err);
    if (rc < 0) {
        predictor_free(p);
        return rc;
    }
    *ret_p = p;
    return 0;
}

/* ---- predictions ---- */

static int check_case(const struct predictor *p, const struct op_case *c,
                      const struct op_variant *v, struct err *err)
{
    if (c->dtype == p->dtype && v->path == p->path)
        return 0;
    return err_set(err, -EINVAL, "this predictor is for %s %s, not for %s %s",
                   dtype_name(p->dtype), mem_path_name(p->path), dtype_name(c->dtype),
                   mem_path_name(v->path));
}

/* Of n rows of features; base NULL: 1. */
static int predict_parts(const struct parts *p, const float *x, int n, int cols, const int *kind,
                         const double *base, double *ret, struct err *err)
{
    float trees[CURVE_POINTS], row[SMOOTH_MAX];
    int rc = regressor_predict(p->trees, x, n, cols, trees, err);

    for (int i = 0; i < n && rc == 0; i++) {
        double boosted = p->blend * (double)trees[i] + (base ? log(base[i]) : 0), joint = 0,
               own = 0;

        smooth_row(&p->columns, x + (size_t)i * (size_t)cols, row);
        if (p->share > 0)
            processes_predict(&p->processes, row, kind[i], &joint, &own);
        ret[i] = exp(p->share * (p->own * own + (1 - p->own) * joint) + (1 - p->share) * boosted);
    }
    return rc;
}

int predictor_latency(const struct predictor *p, const struct device_info *dev,
                      const struct op_case *c, const struct op_variant *v, double *ret_ns,
                      struct err *err)
{
    struct op_variant naive = sampled_base(v);
    int kind = smooth_kind(c, &naive), rc;
    float x[FEATURES_LATENCY];
    struct roofline_row roof;
    double base;

    rc = check_case(p, c, v, err);
    if (rc < 0)
        return rc;
    if (p->support[op_index(c->op)].bases == 0)
        return err_set(err, -ENODATA,
                       "no samples of '%s' (%s %s) were trained on: sweep it, then train again",
                       c->op->name, dtype_name(p->dtype), mem_path_name(p->path));
    rc = feature_latency(dev, c, v, x, err);
    if (rc == 0)
        rc = roofline_describe(dev, c, v, &roof, err);
    if (rc < 0)
        return rc;
    base = roofline_ns(p->roofline, &roof);
    return predict_parts(&p->latency, x, 1, FEATURES_LATENCY, &kind, &base, ret_ns, err);
}

struct interval predictor_band(const struct predictor *p, const struct op *op, bool loaded)
{
    const struct support *s = &p->support[op_index(op)];

    return loaded ? s->loaded : s->latency;
}

/* In which form v carries load. */
static enum op_form carrying_form(const struct predictor *p, const struct op_case *c,
                                  const struct op_variant *v)
{
    bool sampled = p->support[op_index(c->op)].form[v->form].loads > 0;

    return v->form == FORM_COPY || (v->form == FORM_BRANCHING && sampled) ? v->form
                                                                           : FORM_PIPELINED;
}

static double texel_bytes(enum dtype dtype)
{
    return 4 * (double)dtype_bytes(dtype);
}

/* Where the operator's samples support a curve for this case: from the least sampled ratio up to
 * the greatest ratio, rate and bytes. (Trees are flat beyond their samples.) Returns the number of
 * points. */
static int curve_grid(const struct form_support *s, const struct op_case *c, double latency_ns,
                      double *ret_bytes)
{
    double input = (double)op_input_bytes(c);
    double high = fmin(fmin(s->max_bytes, s->max_ratio * input), s->max_rate * latency_ns);
    double low = fmax(s->min_ratio * input, texel_bytes(c->dtype));
    const int points = CURVE_POINTS - 1;

    if (!(low < high)) {
        ret_bytes[0] = high;
        return high > 0 ? 1 : 0;
    }
    for (int i = 0; i < points; i++)
        ret_bytes[i] = low * pow(high / low, (double)i / (points - 1));
    ret_bytes[points - 1] = high;
    return points;
}

int predictor_curve(const struct predictor *p, const struct device_info *dev,
                    const struct op_case *c, const struct op_variant *v,
                    struct load_curve *ret_curve, struct err *err)
{
    enum op_form form = carrying_form(p, c, v);
    const struct form_support *s = &p->support[op_index(c->op)].form[form];
    float x[CURVE_POINTS][FEATURES_SLOWDOWN];
    int kind[CURVE_POINTS];
    double bytes[CURVE_POINTS], slowdown[CURVE_POINTS], latency;
    struct op_variant loaded = *v;
    int n, rc;

    rc = predictor_latency(p, dev, c, v, &latency, err);
    if (rc < 0)
        return rc;
    if (!op_has_form(&c->op->kernels[v->kernel], form))
        return err_set(err, -EINVAL, "%s: kernel '%s' has no %s form", c->op->name,
                       c->op->kernels[v->kernel].name, op_form_name(form));
    if (!p->slowdown.trees || s->loads == 0)
        return err_set(err, -ENODATA,
                       "no samples of '%s' (%s %s %s) with extra load were trained on: sweep some",
                       c->op->name, dtype_name(p->dtype), mem_path_name(p->path),
                       op_form_name(form));
    loaded.form = form;
    loaded.n_loads = 1;
    n = curve_grid(s, c, latency, bytes);
    for (int i = 0; i < n; i++) {
        kind[i] = smooth_kind(c, &loaded);
        rc = feature_slowdown(dev, c, &loaded, latency, bytes[i], x[i], err);
        if (rc < 0)
            return rc;
    }
    rc = predict_parts(&p->slowdown, x[0], n, FEATURES_SLOWDOWN, kind, NULL, slowdown, err);
    if (rc < 0)
        return rc;
    for (int i = 0; i < n; i++)
        slowdown[i] = fmax(1, slowdown[i]);
    curve_fit(bytes, slowdown, n, ret_curve);
    return 0;
}

/* ---- thresholds and capacity ---- */

struct thresholds thresholds_default(void)
{
    return (struct thresholds){{[OP_ELEMENTAL] = 3.0, [OP_REUSABLE] = 0.2, [OP_HIERARCHICAL] = 0}};
}

int thresholds_set(struct thresholds *t, const char *text, struct err *err)
{
    static const double most = 1000;
    const char *value = strchr(text, '=');
    char *end;
    double v;

    for (int c = OP_ELEMENTAL; value && c <= OP_HIERARCHICAL; c++) {
        const char *name = op_class_name((enum op_class)c);

        if (strlen(name) != (size_t)(value - text) || strncmp(text, name, strlen(name)) != 0)
            continue;
        v = strtod(value + 1, &end);
        if (end == value + 1 || *end || !(v >= 0 && v <= most))
            return err_set(err, -EINVAL, "--threshold %s: want a fraction 0..%g, got '%s'", name,
                           most, value + 1);
        if (c == OP_HIERARCHICAL && v > 0)
            return err_set(err, -EINVAL,
                           "--threshold %s: these operators carry no load, by rule; want 0,"
                           " got '%s'", name, value + 1);
        t->allowed[c] = v;
        return 0;
    }
    return err_set(err, -EINVAL,
                   "--threshold: want CLASS=FRACTION with class elemental or reusable, got '%s'",
                   text);
}

/* Why an operator carries nothing whatever the curve says; "" if it may. */
static const char *zero_by_rule(const struct predictor *p, const struct op_case *c,
                                const struct op_variant *v)
{
    const struct support *s = &p->support[op_index(c->op)];
    enum op_form form = carrying_form(p, c, v);

    if (c->op->class == OP_HIERARCHICAL)
        return "hierarchical";
    if (!op_has_form(&c->op->kernels[v->kernel], form))
        return "no streaming form";
    if (s->bases == 0 || s->form[form].loads == 0)
        return "no samples of this operator";
    return "";
}

int predictor_capacity(const struct predictor *p, const struct device_info *dev,
                       const struct op_case *c, const struct op_variant *v,
                       const struct thresholds *t, struct capacity *ret_c, struct err *err)
{
    struct capacity cap = {.latency_ns = NAN, .threshold = t->allowed[c->op->class]};
    double texel = texel_bytes(c->dtype);
    int rc;

    rc = predictor_latency(p, dev, c, v, &cap.latency_ns, err);
    if (rc < 0 && rc != -ENODATA)
        return rc;
    cap.reason = zero_by_rule(p, c, v);
    if (!*cap.reason) {
        rc = predictor_curve(p, dev, c, v, &cap.curve, err);
        if (rc < 0)
            return rc;
        cap.bytes = (uint64_t)(curve_invert(&cap.curve, cap.threshold, &cap.censored) / texel) *
                    (uint64_t)texel;
        if (cap.bytes == 0)
            cap.reason = "below one texel";
    }
    *ret_c = cap;
    return 0;
}
