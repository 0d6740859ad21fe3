/* harness/predict/training.c - see training.h. */
#include "harness/predict/training.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/predict/feature.h"
#include "harness/samples/group.h"
#include "profiler/learn/folds.h"

int training_new(int max_rows, int max_uses, int cols, bool roofed, struct training *ret_t,
                 struct err *err)
{
    size_t rows = (size_t)max_rows + 1, uses = (size_t)max_uses + 1; /* never 0 bytes */
    struct training t = {
        .cols = cols,
        .row = calloc(rows, sizeof(*t.row)),
        .x = calloc(rows * (size_t)cols, sizeof(*t.x)),
        .use = calloc(uses, sizeof(*t.use)),
        .fold = calloc(rows, sizeof(*t.fold)),
        .group = calloc(rows, sizeof(*t.group)),
        .predicted = calloc(5 * rows, sizeof(*t.predicted)),
        .roof = roofed ? calloc(rows, sizeof(*t.roof)) : NULL,
        .blend = 1,
    };

    t.plain = t.predicted ? t.predicted + rows : NULL;
    t.linear = t.predicted ? t.predicted + 2 * rows : NULL;
    t.boosted = t.predicted ? t.predicted + 3 * rows : NULL;
    t.smooth = t.predicted ? t.predicted + 4 * rows : NULL;
    if (!t.row || !t.x || !t.use || !t.fold || !t.group || !t.predicted || (roofed && !t.roof)) {
        training_done(&t);
        return err_set(err, -ENOMEM, "no memory for %d samples", max_uses);
    }
    *ret_t = t;
    return 0;
}

void training_done(struct training *t)
{
    free(t->row);
    free(t->x);
    free(t->use);
    free(t->fold);
    free(t->group);
    free(t->predicted);
    free(t->roof);
    free(t->score);
    roofline_free(t->roofline);
    processes_done(&t->processes);
    regressor_free(t->regressor);
    *t = (struct training){0};
}

struct regressor_options training_tuning(const struct predict_train_options *opt,
                                         const signed char *monotone)
{
    struct regressor_options o = regressor_defaults();

    o.seed = opt->seed;
    o.monotone = monotone;
    o.threads = opt->threads;
    if (opt->trees)
        o.trees = opt->trees;
    return o;
}

static bool teaches(const struct training_row *row, const struct predict_train_options *opt)
{
    return !row->noisy || opt->include_noisy;
}

static int by_int(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;

    return (x > y) - (x < y);
}

/* Distinct groups among the rows that teach; `scratch` has room for all rows. */
static int teaching_groups(const struct training *t, const struct predict_train_options *opt,
                           const int *group, int *scratch)
{
    int n = 0, distinct = 0;

    for (int i = 0; i < t->rows; i++)
        if (teaches(&t->row[i], opt))
            scratch[n++] = group[i];
    qsort(scratch, (size_t)n, sizeof(*scratch), by_int);
    for (int i = 0; i < n; i++)
        distinct += i == 0 || scratch[i] != scratch[i - 1];
    return distinct;
}

static int find_groups(struct training *t, const struct predict_train_options *opt,
                       struct err *err)
{
    const struct op_case **c = malloc((size_t)t->rows * sizeof(*c) + 1);
    int *scratch = malloc((size_t)t->rows * sizeof(*scratch) + 1);
    int rc = 0, teaching;

    if (!c || !scratch) {
        rc = err_set(err, -ENOMEM, "no memory for %d rows", t->rows);
        goto out;
    }
    for (int i = 0; i < t->rows; i++)
        c[i] = t->row[i].c;
    t->groups = group_cases(c, t->rows, t->group);
    if (t->groups < 0) {
        rc = err_set(err, -ENOMEM, "no memory for %d rows", t->rows);
        goto out;
    }
    teaching = teaching_groups(t, opt, t->group, scratch);
    if (teaching < opt->folds)
        rc = err_set(err, -ENODATA,
                     "%s of %s %s: %d distinct shapes%s for %d folds; sweep more shapes%s",
                     t->target, dtype_name(t->dtype), mem_path_name(t->path), teaching,
                     opt->include_noisy ? "" : " that are not noisy", opt->folds,
                     strcmp(t->target, "slowdown") == 0 ? " with extra load" : "");
out:
    free(scratch);
    free(c);
    return rc;
}

/* ---- the smooth part ---- */

/* Rows as a Gaussian process wants them. Those between two samples are on a line anyway. */
struct smooth_data {
    struct gauss_data d;
    float *x, *y;
    int *kind;
    bool *teaches;
};

static void smooth_data_done(struct smooth_data *s)
{
    free(s->x);
    free(s->y);
    free(s->kind);
    free(s->teaches);
}

static int smooth_data_new(const struct training *t, struct smooth_data *ret_s, struct err *err)
{
    struct smooth columns = smooth_columns(t->cols);
    size_t rows = (size_t)t->rows + 1;
    struct smooth_data s = {.x = calloc(rows * SMOOTH_MAX, sizeof(*s.x)),
                            .y = calloc(rows, sizeof(*s.y)),
                            .kind = calloc(rows, sizeof(*s.kind)),
                            .teaches = calloc(rows, sizeof(*s.teaches))};

    if (!s.x || !s.y || !s.kind || !s.teaches) {
        smooth_data_done(&s);
        return err_set(err, -ENOMEM, "no memory for %d rows", t->rows);
    }
    for (int i = 0; i < t->rows; i++) {
        smooth_row(&columns, t->x + (size_t)i * (size_t)t->cols,
                   s.x + (size_t)i * (size_t)columns.n);
        s.y[i] = (float)log(t->row[i].measured);
        s.kind[i] = t->row[i].kind;
    }
    s.d = (struct gauss_data){t->rows, columns.n, s.x, s.kind, s.y, s.teaches};
    *ret_s = s;
    return 0;
}

/* To all rows that teach, but for those of one fold (fold may be NULL). */
static int smooth_fit(const struct training *t, struct smooth_data *s, const int *fold, int without,
                      const struct predict_train_options *opt, struct processes *ret_p,
                      struct err *err)
{
    for (int i = 0; i < t->rows; i++)
        s->teaches[i] = teaches(&t->row[i], opt) && !t->row[i].between &&
                        !(fold && fold[i] == without);
    return processes_fit(&s->d, opt->seed, opt->threads, ret_p, err);
}

/* ---- predictions out of fold ---- */

/* What one cross-validation leaves: per row, what the rooflines of its fold's outside say, what
 * the trees say on top, and what the process says. */
struct outside {
    const struct training *t;
    const struct predict_train_options *opt;
    double *plain, *linear; /* NaN where a row was in no fold, as below */
    double *joint, *own;    /* logarithms */
    float *residual;
    struct smooth_data data;
};

static void outside_done(struct outside *o)
{
    free(o->plain);
    free(o->linear);
    free(o->joint);
    free(o->own);
    free(o->residual);
    smooth_data_done(&o->data);
}

static int outside_new(const struct training *t, const struct predict_train_options *opt,
                       struct outside *ret_o, struct err *err)
{
    size_t n = (size_t)t->rows + 1;
    struct outside o = {t, opt, malloc(n * sizeof(double)), malloc(n * sizeof(double)),
                        malloc(n * sizeof(double)), malloc(n * sizeof(double)),
                        malloc(n * sizeof(float)),
                        {{0}, NULL, NULL, NULL, NULL}};

    if (!o.plain || !o.linear || !o.joint || !o.own || !o.residual) {
        outside_done(&o);
        return err_set(err, -ENOMEM, "no memory for %d rows", t->rows);
    }
    for (int i = 0; i < t->rows; i++) {
        o.plain[i] = o.linear[i] = o.joint[i] = o.own[i] = NAN;
        o.residual[i] = NAN;
    }
    if (smooth_data_new(t, &o.data, err) < 0) {
        outside_done(&o);
        return -ENOMEM;
    }
    *ret_o = o;
    return 0;
}

static int smooth_outside(struct outside *o, const int *fold, int which, struct err *err)
{
    struct processes p;
    int rc = smooth_fit(o->t, &o->data, fold, which, o->opt, &p, err);

    for (int i = 0; i < o->t->rows && rc == 0; i++)
        if (fold[i] == which)
            processes_predict(&p, o->data.x + (size_t)i * (size_t)o->data.d.cols, o->data.kind[i],
                              &o->joint[i], &o->own[i]);
    if (rc == 0)
        processes_done(&p);
    return rc;
}

/* Targets of the other folds' rows are residuals of a roofline that was fitted without this one. */
static int residuals(void *ctx, const int *fold, int which, float *y, struct err *err)
{
    struct outside *o = ctx;
    struct roofline *r;
    int rc = smooth_outside(o, fold, which, err);

    if (rc < 0 || !o->t->roof)
        return rc;
    rc = roofline_fit(o->t->roof, o->t->rows, fold, which, &r, err);
    if (rc < 0)
        return rc;
    for (int i = 0; i < o->t->rows; i++) {
        double ns = roofline_ns(r, &o->t->roof[i]);

        y[i] = (float)log(o->t->row[i].measured / ns);
        if (fold[i] == which) {
            o->plain[i] = ns;
            o->linear[i] = roofline_pool_ns(r, &o->t->roof[i]);
        }
    }
    roofline_free(r);
    return 0;
}

/* All rows as trees learn them, targets and weights as they are without folds; marks which rows of
 * `roof` teach. The targets are ret_d->y; the caller frees them, and the weights with them. */
static int lesson(const struct training *t, const struct predict_train_options *opt, float **ret_y,
                  struct regressor_data *ret_d, struct err *err)
{
    float *y = malloc(((size_t)t->rows + 1) * 2 * sizeof(*y)), *weight = y ? y + t->rows : NULL;

    if (!y)
        return err_set(err, -ENOMEM, "no memory for %d rows", t->rows);
    for (int i = 0; i < t->rows; i++) {
        y[i] = (float)log(t->row[i].measured);
        weight[i] = teaches(&t->row[i], opt) ? (float)t->row[i].weight : 0;
        if (t->roof) {
            t->roof[i].ns = t->row[i].measured;
            t->roof[i].teaches = weight[i] > 0;
        }
    }
    *ret_d = (struct regressor_data){t->rows, t->cols, t->x, y, weight, feature_names()};
    *ret_y = y;
    return 0;
}

static int look_outside(const struct training *t, const int *fold, int folds,
                        const signed char *monotone, const struct predict_train_options *opt,
                        struct outside *o, struct err *err)
{
    struct regressor_options tune = training_tuning(opt, monotone);
    struct regressor_data data;
    float *y;
    int rc = lesson(t, opt, &y, &data, err);

    if (rc < 0)
        return rc;
    rc = folds_predict(&data, fold, folds, &tune, residuals, o, o->residual, err);
    free(y);
    return rc;
}

static double boosted(const struct outside *o, int row, double blend)
{
    return (o->t->roof ? o->plain[row] : 1) * exp(blend * (double)o->residual[row]);
}

static double smooth(const struct outside *o, int row, double own)
{
    return exp(own * o->own[row] + (1 - own) * o->joint[row]);
}

/* How much of each part is believed. */
struct mix {
    double blend, own, share;
};

static double blended(const struct outside *o, int row, struct mix m)
{
    return exp(m.share * log(smooth(o, row, m.own)) +
               (1 - m.share) * log(boosted(o, row, m.blend)));
}

/* How much of what the trees add is to be believed, for with few samples they may learn noise
 * alone, how much of the processes, and of these how much of a family's own: each one of five
 * values (the last of three), by the mean error out of fold of all rows that teach. `alone`: of
 * the trees, as if there were no processes. */
static struct mix choose_mix(const struct outside *o, bool alone,
                             const struct predict_train_options *opt)
{
    enum { FIVE = 5, THREE = 3 };
    static const double most = 1;
    struct mix best = {0};
    double least = INFINITY;

    for (int choice = 0; choice < FIVE * FIVE * THREE; choice++) {
        struct mix m = {o->t->roof ? choice % FIVE / 4.0 : 1, choice / (FIVE * FIVE) / 2.0,
                        alone ? 0 : choice / FIVE % FIVE / 4.0};
        double sum = 0;

        for (int i = 0; i < o->t->rows; i++) {
            const struct training_row *row = &o->t->row[i];

            if (teaches(row, opt) && !row->between)
                sum += fmin(most, fabs(log(blended(o, i, m) / row->measured)));
        }
        if (sum < least) {
            least = sum;
            best = m;
        }
    }
    return best;
}

int training_predict(const struct training *t, const int *fold, int folds,
                     const signed char *monotone, const struct predict_train_options *opt,
                     double *ret_predicted, struct err *err)
{
    struct outside o;
    int rc = outside_new(t, opt, &o, err);

    if (rc < 0)
        return rc;
    rc = look_outside(t, fold, folds, monotone, opt, &o, err);
    for (int i = 0; i < t->rows && rc == 0; i++)
        ret_predicted[i] = blended(&o, i, (struct mix){t->blend, t->own, t->share});
    outside_done(&o);
    return rc;
}

/* ---- training ---- */

/* What goes with the trees is kept in their JSON. */
static int keep_parts(struct training *t, struct err *err)
{
    char *text = NULL, number[32];
    int rc = 0;

    if (t->roof) {
        rc = roofline_print(t->roofline, &text, err);
        if (rc == 0)
            rc = regressor_set_text(t->regressor, "roofline", text, err);
        free(text);
        text = NULL;
    }
    if (rc == 0)
        rc = processes_print(&t->processes, &text, err);
    if (rc == 0)
        rc = regressor_set_text(t->regressor, "processes", text, err);
    free(text);
    snprintf(number, sizeof(number), "%g", t->blend);
    if (rc == 0)
        rc = regressor_set_text(t->regressor, "blend", number, err);
    snprintf(number, sizeof(number), "%g", t->own);
    if (rc == 0)
        rc = regressor_set_text(t->regressor, "own", number, err);
    snprintf(number, sizeof(number), "%g", t->share);
    return rc == 0 ? regressor_set_text(t->regressor, "share", number, err) : rc;
}

static int train_all(struct training *t, struct smooth_data *data, const signed char *monotone,
                     const struct predict_train_options *opt, struct err *err)
{
    struct regressor_options tune = training_tuning(opt, monotone);
    struct regressor_data rows;
    float *y;
    int rc = lesson(t, opt, &y, &rows, err);

    if (rc < 0)
        return rc;
    rc = smooth_fit(t, data, NULL, 0, opt, &t->processes, err);
    if (rc == 0 && t->roof)
        rc = roofline_fit(t->roof, t->rows, NULL, 0, &t->roofline, err);
    for (int i = 0; i < t->rows && rc == 0 && t->roof; i++)
        y[i] = (float)log(t->row[i].measured / roofline_ns(t->roofline, &t->roof[i]));
    if (rc == 0)
        rc = regressor_train(&rows, &tune, &t->regressor, err);
    if (rc == 0)
        rc = keep_parts(t, err);
    free(y);
    return rc;
}

int training_run(struct training *t, const signed char *monotone,
                 const struct predict_train_options *opt, struct err *err)
{
    struct outside o;
    struct mix mix, alone;
    int rc = outside_new(t, opt, &o, err);

    if (rc < 0)
        return rc;
    rc = find_groups(t, opt, err);
    if (rc == 0)
        rc = folds_deal(t->group, t->rows, opt->folds, opt->seed, t->fold, err);
    if (rc == 0)
        rc = look_outside(t, t->fold, opt->folds, monotone, opt, &o, err);
    if (rc < 0)
        goto out;
    mix = choose_mix(&o, false, opt);
    alone = choose_mix(&o, true, opt);
    t->blend = mix.blend;
    t->own = mix.own;
    t->share = mix.share;
    for (int i = 0; i < t->rows; i++) {
        t->predicted[i] = blended(&o, i, mix);
        t->boosted[i] = boosted(&o, i, alone.blend);
        t->smooth[i] = smooth(&o, i, mix.own);
        t->plain[i] = o.plain[i];
        t->linear[i] = o.linear[i];
    }
    rc = train_all(t, &o.data, monotone, opt, err);
out:
    outside_done(&o);
    return rc;
}
