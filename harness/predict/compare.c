/* harness/predict/compare.c - what a regressor is worth: against less, against noise, and under other
 * splits than the one by shape that its stored metrics are of. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/predict/training.h"

/* Predicted and measured, pair by pair, with the row that each is of. */
struct pairs {
    int n;
    int *row;
    double *predicted, *measured;
};

static void pairs_done(struct pairs *p)
{
    free(p->row);
    free(p->predicted);
    free(p->measured);
}

static int pairs_new(int room, struct pairs *ret_p, struct err *err)
{
    size_t n = (size_t)room + 1;
    struct pairs p = {0, malloc(n * sizeof(int)), malloc(n * sizeof(double)),
                      malloc(n * sizeof(double))};

    if (!p.row || !p.predicted || !p.measured) {
        pairs_done(&p);
        return err_set(err, -ENOMEM, "no memory for %d rows", room);
    }
    *ret_p = p;
    return 0;
}

static void add(struct pairs *p, int row, double predicted, double measured)
{
    p->row[p->n] = row;
    p->predicted[p->n] = predicted;
    p->measured[p->n++] = measured;
}

/* p and y are scratch. */
static void score_scope(const struct training *t, const struct pairs *all, const char *scope,
                        struct predict_score *s, double *p, double *y,
                        const struct predict_train_options *opt)
{
    int n = 0;

    for (int i = 0; i < all->n; i++) {
        if (!training_in_scope(&t->row[all->row[i]], scope))
            continue;
        p[n] = all->predicted[i];
        y[n++] = all->measured[i];
    }
    if (n == 0)
        return;
    s->scope = scope;
    s->n = n;
    s->errors = stats_errors(p, y, n);
    opt->score(opt->score_ctx, s);
}

static int score(const struct training *t, const struct pairs *all, const char *split,
                 const char *method, const struct predict_train_options *opt, struct err *err)
{
    struct predict_score s = {.target = t->target, .split = split, .method = method,
                              .dtype = t->dtype, .path = t->path};
    double *p = malloc(((size_t)all->n + 1) * 2 * sizeof(*p));

    if (!p)
        return err_set(err, -ENOMEM, "no memory for %d rows", all->n);
    score_scope(t, all, "all", &s, p, p + all->n, opt);
    for (int c = OP_ELEMENTAL; c <= OP_HIERARCHICAL; c++)
        score_scope(t, all, op_class_name((enum op_class)c), &s, p, p + all->n, opt);
    for (int i = 0; op_table[i]; i++)
        score_scope(t, all, op_table[i]->name, &s, p, p + all->n, opt);
    free(p);
    return 0;
}

int training_score(const struct training *t, const double *predicted, const char *split,
                   const char *method, const struct predict_train_options *opt, struct err *err)
{
    struct pairs p = {0};
    int rc = pairs_new(t->rows, &p, err);

    if (rc < 0)
        return rc;
    for (int i = 0; i < t->rows; i++)
        if (!t->row[i].between && !isnan(predicted[i]))
            add(&p, i, predicted[i], t->row[i].measured);
    rc = score(t, &p, split, method, opt, err);
    pairs_done(&p);
    return rc;
}

/* The floor: where a configuration was measured more than once, each measurement is what the one
 * before it predicts. */
static int score_again(const struct training *t, const struct predict_train_options *opt,
                       struct err *err)
{
    double *last = malloc(((size_t)t->rows + 1) * sizeof(*last));
    struct pairs p = {0};
    int rc = last ? pairs_new(t->uses, &p, err)
                  : err_set(err, -ENOMEM, "no memory for %d rows", t->rows);

    if (rc < 0)
        goto out;
    for (int i = 0; i < t->rows; i++)
        last[i] = NAN;
    for (int i = 0; i < t->uses; i++) {
        const struct training_use *u = &t->use[i];

        if (!isnan(last[u->row]))
            add(&p, u->row, last[u->row], u->measured);
        last[u->row] = u->measured;
    }
    rc = score(t, &p, "again", "measured", opt, err);
    pairs_done(&p);
out:
    free(last);
    return rc;
}

/* Rows parted at random: near-duplicates stand on both sides, as in most published figures. Rows
 * between two samples go with the first of them, which stands before them. */
static int score_random(const struct training *t, const signed char *monotone,
                        const struct predict_train_options *opt, struct err *err)
{
    int *group = malloc(((size_t)t->rows + 1) * 2 * sizeof(*group));
    int *fold = group ? group + t->rows : NULL;
    double *predicted = malloc(((size_t)t->rows + 1) * sizeof(*predicted));
    int rc = 0, sample = 0;

    if (!group || !predicted)
        rc = err_set(err, -ENOMEM, "no memory for %d rows", t->rows);
    for (int i = 0; i < t->rows && rc == 0; i++)
        group[i] = t->row[i].between ? sample : (sample = i);
    if (rc == 0)
        rc = regressor_folds(group, t->rows, opt->folds, opt->seed, fold, err);
    if (rc == 0)
        rc = training_predict(t, fold, opt->folds, monotone, opt, predicted, err);
    if (rc == 0)
        rc = training_score(t, predicted, "random", "blended", opt, err);
    free(predicted);
    free(group);
    return rc;
}

static bool holds(const struct predict_holdout *h, const struct op_case *c)
{
    for (int i = 0; i < h->n; i++)
        if (h->c[i].op == c->op && memcmp(h->c[i].p, c->p, sizeof(c->p)) == 0)
            return true;
    return false;
}

/* Leave one model out: what its cases cost, by a regressor that saw none of them. */
static int score_model(const struct training *t, const struct predict_holdout *h,
                       const signed char *monotone, const struct predict_train_options *opt,
                       struct pairs *all, struct err *err)
{
    int *fold = malloc(((size_t)t->rows + 1) * sizeof(*fold)), inside = 0, teaching = 0, rc = 0;
    double *predicted = malloc(((size_t)t->rows + 1) * sizeof(*predicted));

    if (!fold || !predicted)
        rc = err_set(err, -ENOMEM, "no memory for %d rows", t->rows);
    for (int i = 0; i < t->rows && rc == 0; i++) {
        fold[i] = holds(h, t->row[i].c) ? 0 : 1;
        inside += fold[i] == 0;
        teaching += fold[i] == 1 && (!t->row[i].noisy || opt->include_noisy);
    }
    if (rc == 0 && inside > 0 && teaching > 0) {
        rc = training_predict(t, fold, 1, monotone, opt, predicted, err);
        for (int i = 0; i < t->rows && rc == 0; i++)
            if (fold[i] == 0 && !t->row[i].between)
                add(all, i, predicted[i], t->row[i].measured);
        if (rc == 0)
            rc = training_score(t, predicted, h->name, "blended", opt, err);
    }
    free(predicted);
    free(fold);
    return rc;
}

static int score_models(const struct training *t, const signed char *monotone,
                        const struct predict_train_options *opt, struct err *err)
{
    struct pairs all = {0};
    int rc = pairs_new(t->rows * opt->n_holdouts, &all, err);

    if (rc < 0)
        return rc;
    for (int i = 0; i < opt->n_holdouts && rc == 0; i++) {
        if (opt->interrupted && *opt->interrupted)
            rc = err_set(err, -EINTR, "interrupted");
        else
            rc = score_model(t, &opt->holdout[i], monotone, opt, &all, err);
    }
    if (rc == 0)
        rc = score(t, &all, "model", "blended", opt, err);
    pairs_done(&all);
    return rc;
}

int training_compare(const struct training *t, const signed char *monotone,
                     const struct predict_train_options *opt, struct err *err)
{
    int rc = 0;

    if (!opt->score || !opt->compare)
        return 0;
    if (t->roof)
        rc = training_score(t, t->plain, "shape", "roofline", opt, err);
    if (rc == 0 && t->roof)
        rc = training_score(t, t->linear, "shape", "linear", opt, err);
    if (rc == 0)
        rc = training_score(t, t->boosted, "shape", "boosted", opt, err);
    if (rc == 0)
        rc = training_score(t, t->smooth, "shape", "smooth", opt, err);
    if (rc == 0)
        rc = score_again(t, opt, err);
    if (rc == 0)
        rc = score_random(t, monotone, opt, err);
    return rc == 0 && opt->n_holdouts > 0 ? score_models(t, monotone, opt, err) : rc;
}
