/* harness/predict/train.c - samples of the store into two regressors for each dtype and path. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/predict/feature.h"
#include "harness/predict/sampled.h"
#include "harness/predict/training.h"

static void note(const struct predict_train_options *opt, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void note(const struct predict_train_options *opt, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX + 256];
    va_list ap;

    if (!opt->note)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    opt->note(opt->note_ctx, text);
}

/* ---- base latency ---- */

/* A sample that tells the latency of a kernel without load: one taken so, or one side of a pair. */
struct base {
    char key[2 * OP_TEXT_MAX]; /* case and naive variant */
    int sample;                /* index into the set */
    double ns;
};

static int by_key(const void *a, const void *b)
{
    const struct base *x = a, *y = b;
    int order = strcmp(x->key, y->key);

    return order ? order : x->sample - y->sample;
}

/* Sorted by key. Returns their number. */
static int find_bases(const struct sampled_set *set, struct base *ret_base)
{
    int n = 0;

    for (int i = 0; i < set->n; i++) {
        const struct sampled *s = &set->row[i];
        struct op_variant v = feature_base(&s->v);
        char variant[OP_TEXT_MAX], text[OP_TEXT_MAX];
        double ns = s->load_bytes ? s->base_ns : s->median_ns;

        if (!(ns > 0) || (s->load_bytes == 0 && s->v.form != FORM_NAIVE))
            continue;
        op_case_print(&s->c, text);
        op_variant_print(&s->c, &v, variant);
        ret_base[n].sample = i;
        ret_base[n].ns = ns;
        snprintf(ret_base[n++].key, sizeof(ret_base->key), "%s|%s", text, variant);
    }
    qsort(ret_base, (size_t)n, sizeof(*ret_base), by_key);
    return n;
}

/* Median over the samples of one base configuration: the quiet ones, if there are any. */
static double base_median(const struct sampled_set *set, const struct base *b, int n,
                          double *scratch, bool *ret_noisy)
{
    int quiet = 0;

    for (int i = 0; i < n; i++)
        if (!set->row[b[i].sample].noisy)
            scratch[quiet++] = b[i].ns;
    *ret_noisy = quiet == 0;
    for (int i = 0; i < n && *ret_noisy; i++)
        scratch[quiet++] = b[i].ns;
    return stats_median(scratch, quiet);
}

/* One row per distinct base configuration. ret_row_of[set->n]: the row of a sample's base, or
 * -1. */
static int latency_rows(const struct sampled_set *set, const struct device_info *dev,
                        const struct predict_train_options *opt, struct training *t,
                        int *ret_row_of, struct err *err)
{
    struct base *base = malloc((size_t)set->n * sizeof(*base) + 1);
    double *scratch = malloc((size_t)set->n * sizeof(*scratch) + 1);
    int n, refused = 0;
    struct err why = {0};

    if (!base || !scratch) {
        free(base);
        free(scratch);
        return err_set(err, -ENOMEM, "no memory for %d samples", set->n);
    }
    for (int i = 0; i < set->n; i++)
        ret_row_of[i] = -1;
    n = find_bases(set, base);
    for (int i = 0, end; i < n; i = end) {
        const struct sampled *s = &set->row[base[i].sample];
        struct training_row *row = &t->row[t->rows];
        struct op_variant naive = feature_base(&s->v);

        for (end = i + 1; end < n && strcmp(base[end].key, base[i].key) == 0;)
            end++;
        if (feature_latency(dev, &s->c, &s->v, t->x + (size_t)t->rows * (size_t)t->cols, &why) <
            0) {
            refused++;
            continue;
        }
        if (roofline_describe(dev, &s->c, &s->v, &t->roof[t->rows], &why) < 0) {
            refused++;
            continue;
        }
        row->c = &s->c;
        row->kind = smooth_kind(&s->c, &naive);
        row->weight = 1;
        row->measured = base_median(set, base + i, end - i, scratch, &row->noisy);
        for (int k = i; k < end; k++) {
            ret_row_of[base[k].sample] = t->rows;
            t->use[t->uses++] = (struct training_use){set->row[base[k].sample].id, t->rows,
                                                      base[k].ns};
        }
        t->rows++;
    }
    if (refused)
        note(opt, "%d configurations left out: %s", refused, why.text);
    free(scratch);
    free(base);
    return 0;
}

/* ---- slowdown ---- */

/* Rows between two samples of a configuration that differ in load alone, on the straight line that
 * joins them. Sweeps double the load, and trees are steps: without these rows a regressor would
 * give the slowdown of load L up to almost 2 L, and capacities would come out too large. */
enum { BETWEEN = 3 };

static bool same_but_load(const struct sampled *a, const struct sampled *b)
{
    return a->c.op == b->c.op && memcmp(a->c.p, b->c.p, sizeof(a->c.p)) == 0 &&
           a->v.kernel == b->v.kernel && a->v.form == b->v.form &&
           memcmp(a->v.tunable, b->v.tunable, sizeof(a->v.tunable)) == 0 &&
           memcmp(a->v.lws, b->v.lws, sizeof(a->v.lws)) == 0 && a->v.n_loads == b->v.n_loads;
}

/* The sample that carries the least of what is more than `s` carries; NULL: none. */
static const struct sampled *next_load(const struct sampled_set *set, const struct sampled *s)
{
    const struct sampled *next = NULL;
    int at = (int)(s - set->row);

    /* samples of one configuration are neighbours: the set is sorted by key, which ends in the
     * load */
    for (int step = -1; step <= 1; step += 2) {
        for (int i = at + step; i >= 0 && i < set->n && same_but_load(s, &set->row[i]); i += step) {
            const struct sampled *o = &set->row[i];

            if (o->load_bytes > s->load_bytes && o->slowdown > 0 && !o->noisy &&
                (!next || o->load_bytes < next->load_bytes))
                next = o;
        }
    }
    return next;
}

static int slowdown_row(const struct device_info *dev, const struct sampled *s, double latency_ns,
                        double bytes, double slowdown, double weight, bool between,
                        struct training *t, struct err *err)
{
    float *x = t->x + (size_t)t->rows * (size_t)t->cols;
    int rc = feature_slowdown(dev, &s->c, &s->v, latency_ns, bytes, x, err);

    if (rc < 0)
        return rc;
    t->row[t->rows++] = (struct training_row){&s->c, smooth_kind(&s->c, &s->v), slowdown, weight,
                                              s->noisy, between};
    return 0;
}

/* One row per sample with load, and those between. The base latency is the out-of-fold prediction:
 * what a regressor would have said that never saw the shape, because that is what there will be to
 * predict from. */
static void slowdown_rows(const struct sampled_set *set, const struct device_info *dev,
                          const struct predict_train_options *opt, const struct training *latency,
                          const int *row_of, struct training *t)
{
    struct err why = {0};
    int refused = 0;

    for (int i = 0; i < set->n; i++) {
        const struct sampled *s = &set->row[i], *next;
        double bytes = (double)s->load_bytes, ns;

        if (s->load_bytes == 0 || !(s->slowdown > 0) || row_of[i] < 0)
            continue;
        ns = latency->predicted[row_of[i]];
        t->use[t->uses] = (struct training_use){s->id, t->rows, s->slowdown};
        if (slowdown_row(dev, s, ns, bytes, s->slowdown, 1, false, t, &why) < 0) {
            refused++;
            continue;
        }
        t->uses++;
        next = s->noisy ? NULL : next_load(set, s);
        for (int k = 1; next && k <= BETWEEN; k++) {
            double more = ((double)next->load_bytes - bytes) * k / (BETWEEN + 1);
            double slower = (next->slowdown - s->slowdown) * k / (BETWEEN + 1);

            slowdown_row(dev, s, ns, bytes + more, s->slowdown + slower, 1.0 / BETWEEN, true, t,
                         &why);
        }
    }
    if (refused)
        note(opt, "%d configurations with load left out: %s", refused, why.text);
}

/* ---- one dtype and path ---- */

static int train_latency(const struct sampled_set *set, const struct device_info *dev,
                         const struct predict_train_options *opt, struct training *t, int *row_of,
                         struct err *err)
{
    int rc = latency_rows(set, dev, opt, t, row_of, err);

    return rc < 0 ? rc : training_run(t, NULL, opt, err);
}

static int store_both(struct store *st, int64_t device_id, const struct training *latency,
                      const struct training *slowdown, const struct predict_train_options *opt,
                      struct err *err)
{
    int rc = store_begin(st, err);

    if (rc < 0)
        return rc;
    rc = training_store(latency, st, device_id, opt, err);
    if (rc == 0 && slowdown)
        rc = training_store(slowdown, st, device_id, opt, err);
    if (rc < 0) {
        store_end(st, false, NULL);
        return rc;
    }
    return store_end(st, true, err);
}

static int check_interrupted(const struct predict_train_options *opt, struct err *err)
{
    if (!opt->interrupted || !*opt->interrupted)
        return 0;
    return err_set(err, -EINTR, "interrupted: 'flashmem train' trains again");
}

/* The features that gained most, as one note, beside the scores. */
static void note_importance(const struct training *t, const struct predict_train_options *opt)
{
    enum { SHOWN = 6 };
    double gain[FEATURES_SLOWDOWN];
    char text[ERR_TEXT_MAX];
    int n = 0;

    if (!opt->score || regressor_importance(t->regressor, gain, NULL) < 0)
        return;
    text[0] = 0;
    for (int shown = 0; shown < SHOWN; shown++) {
        int best = 0;

        for (int i = 1; i < t->cols; i++)
            if (gain[i] > gain[best])
                best = i;
        if (!(gain[best] > 0) || n >= (int)sizeof(text))
            break;
        n += snprintf(text + n, sizeof(text) - (size_t)n, "%s%s %.0f %%", shown ? ", " : "",
                      feature_names()[best], 100 * gain[best]);
        gain[best] = 0;
    }
    note(opt, "%s of %s %s: trees gain by %s", t->target, dtype_name(t->dtype),
         mem_path_name(t->path), text);
}

/* Number of regressors stored. */
static int train_set(struct store *st, int64_t device_id, const struct device_info *dev,
                     const struct sampled_set *set, enum dtype dtype, enum mem_path path,
                     const struct predict_train_options *opt, struct err *err)
{
    struct training latency = {0}, slowdown = {0};
    int *row_of = malloc((size_t)set->n * sizeof(*row_of) + 1);
    int rc, stored = 2;

    if (!row_of)
        return err_set(err, -ENOMEM, "no memory for %d samples", set->n);
    rc = training_new(set->n, set->n, FEATURES_LATENCY, true, &latency, err);
    if (rc == 0)
        rc = training_new((1 + BETWEEN) * set->n, set->n, FEATURES_SLOWDOWN, false, &slowdown,
                          err);
    if (rc < 0)
        goto out;
    latency.target = "latency";
    slowdown.target = "slowdown";
    latency.dtype = slowdown.dtype = dtype;
    latency.path = slowdown.path = path;
    rc = train_latency(set, dev, opt, &latency, row_of, err);
    if (rc == 0)
        rc = check_interrupted(opt, err);
    if (rc < 0)
        goto out;
    slowdown_rows(set, dev, opt, &latency, row_of, &slowdown);
    rc = training_run(&slowdown, feature_slowdown_monotone, opt, err);
    if (rc == -ENODATA) {
        note(opt, "%s; no capacities until then", err ? err->text : "no slowdown regressor");
        stored = 1;
    } else if (rc < 0) {
        goto out;
    }
    note_importance(&latency, opt);
    if (stored == 2)
        note_importance(&slowdown, opt);
    rc = check_interrupted(opt, err);
    if (rc == 0)
        rc = training_compare(&latency, NULL, opt, err);
    if (rc == 0 && stored == 2)
        rc = training_compare(&slowdown, feature_slowdown_monotone, opt, err);
    if (rc == 0)
        rc = store_both(st, device_id, &latency, stored == 2 ? &slowdown : NULL, opt, err);
out:
    training_done(&latency);
    training_done(&slowdown);
    free(row_of);
    return rc < 0 ? rc : stored;
}

static int train_path(struct store *st, int64_t device_id, const struct device_info *dev,
                      enum dtype dtype, enum mem_path path,
                      const struct predict_train_options *opt, struct err *err)
{
    struct sampled_set set;
    int rc;

    rc = sampled_read(st, device_id, dev, dtype, path, &set, err);
    if (rc < 0)
        return rc;
    if (set.skipped)
        note(opt, "%d samples of %s %s left out: %s", set.skipped, dtype_name(dtype),
             mem_path_name(path), set.why);
    rc = set.n ? train_set(st, device_id, dev, &set, dtype, path, opt, err) : 0;
    sampled_done(&set);
    return rc;
}

int predict_train(struct store *st, int64_t device_id, const struct predict_train_options *opt,
                  int *ret_trained, struct err *err)
{
    struct device_info dev;
    struct err few = {0};
    int rc, trained = 0;

    if (opt->folds < 2)
        return err_set(err, -EINVAL, "folds: want 2 or more, got '%d'", opt->folds);
    rc = sampled_device(st, device_id, &dev, err);
    if (rc < 0)
        return rc;
    for (int d = DTYPE_F32; d <= DTYPE_F16; d++) {
        for (int p = PATH_IMAGE; p <= PATH_BUFFER; p++) {
            struct err e = {0};

            rc = train_path(st, device_id, &dev, (enum dtype)d, (enum mem_path)p, opt, &e);
            if (rc == -ENODATA) {
                if (few.code)
                    note(opt, "%s", e.text);
                else
                    few = e;
            } else if (rc < 0) {
                return err_set(err, rc, "%s", e.text);
            } else {
                trained += rc;
            }
        }
    }
    if (trained == 0 && few.code)
        return err_set(err, -ENODATA, "%s", few.text);
    if (trained == 0)
        return err_set(err, -ENODATA,
                       "no samples of '%s' with flushed caches in '%s': run 'flashmem sweep SPEC'",
                       dev.name, store_path(st));
    if (few.code)
        note(opt, "%s", few.text);
    *ret_trained = trained;
    return 0;
}
