/* harness/predict/rows.c - see rows.h. */
#include "harness/predict/rows.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/predict/feature.h"

void rows_note(const struct predict_train_options *opt, const char *fmt, ...)
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
        struct op_variant v = sampled_base(&s->v);
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

int rows_latency(const struct sampled_set *set, const struct device_info *dev,
                 const struct predict_train_options *opt, struct training *t, int *ret_row_of,
                 struct err *err)
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
        struct op_variant naive = sampled_base(&s->v);

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
        rows_note(opt, "%d configurations left out: %s", refused, why.text);
    free(scratch);
    free(base);
    return 0;
}

/* ---- slowdown ---- */

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

void rows_slowdown(const struct sampled_set *set, const struct device_info *dev,
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
        for (int k = 1; next && k <= ROWS_BETWEEN; k++) {
            double more = ((double)next->load_bytes - bytes) * k / (ROWS_BETWEEN + 1);
            double slower = (next->slowdown - s->slowdown) * k / (ROWS_BETWEEN + 1);

            slowdown_row(dev, s, ns, bytes + more, s->slowdown + slower, 1.0 / ROWS_BETWEEN, true, t,
                         &why);
        }
    }
    if (refused)
        rows_note(opt, "%d configurations with load left out: %s", refused, why.text);
}
