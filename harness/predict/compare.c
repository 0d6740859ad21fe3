/* harness/predict/compare.c - what a regressor is worth: against less, against noise, and under other
 * splits than the one by shape that its stored metrics are of. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/predict/training.h"
#include "profiler/learn/folds.h"

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

static bool holds(const struct predict_holdout *h, const struct op_case *c)
{
    for (int i = 0; i < h->n; i++)
        if (h->c[i].op == c->op && memcmp(h->c[i].p, c->p, sizeof(c->p)) == 0)
            return true;
    return false;
}

/* Beside the scopes of the metrics "models": the cases of all holdouts, without their neighbours. */
static bool in_scope(const struct training_row *row, const char *scope,
                     const struct predict_train_options *opt)
{
    bool held = false;

    if (strcmp(scope, "models") != 0)
        return training_in_scope(row, scope);
    for (int i = 0; i < opt->n_holdouts && !held; i++)
        held = holds(&opt->holdout[i], row->c);
    return held;
}

/* p and y are scratch. */
static int score_scope(struct training *t, const struct pairs *all, const char *scope,
                       struct predict_score *s, double *p, double *y,
                       const struct predict_train_options *opt, struct err *err)
{
    struct predict_score *grown;
    int n = 0;

    for (int i = 0; i < all->n; i++) {
        if (!in_scope(&t->row[all->row[i]], scope, opt))
            continue;
        p[n] = all->predicted[i];
        y[n++] = all->measured[i];
    }
    if (n == 0)
        return 0;
    grown = realloc(t->score, ((size_t)t->scores + 1) * sizeof(*grown));
    if (!grown)
        return err_set(err, -ENOMEM, "no memory for %d scores", t->scores + 1);
    s->scope = scope;
    s->n = n;
    s->errors = stats_errors(p, y, n);
    t->score = grown;
    t->score[t->scores++] = *s;
    opt->score(opt->score_ctx, s);
    return 0;
}

static int score(struct training *t, const struct pairs *all, const char *split,
                 const char *method, const struct predict_train_options *opt, struct err *err)
{
    struct predict_score s = {.target = t->target, .split = split, .method = method,
                              .dtype = t->dtype, .path = t->path};
    double *p = malloc(((size_t)all->n + 1) * 2 * sizeof(*p)), *y = p ? p + all->n : NULL;
    int rc;

    if (!p)
        return err_set(err, -ENOMEM, "no memory for %d rows", all->n);
    rc = score_scope(t, all, "all", &s, p, y, opt, err);
    if (rc == 0)
        rc = score_scope(t, all, "models", &s, p, y, opt, err);
    for (int c = OP_ELEMENTAL; c <= OP_HIERARCHICAL && rc == 0; c++)
        rc = score_scope(t, all, op_class_name((enum op_class)c), &s, p, y, opt, err);
    for (int i = 0; op_table[i] && rc == 0; i++)
        rc = score_scope(t, all, op_table[i]->name, &s, p, y, opt, err);
    free(p);
    return rc;
}

int training_score(struct training *t, const double *predicted, const char *split,
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
static int score_again(struct training *t, const struct predict_train_options *opt,
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
static int score_random(struct training *t, const signed char *monotone,
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
        rc = folds_deal(group, t->rows, opt->folds, opt->seed, fold, err);
    if (rc == 0)
        rc = training_predict(t, fold, opt->folds, monotone, opt, predicted, err);
    if (rc == 0)
        rc = training_score(t, predicted, "random", "blended", opt, err);
    free(predicted);
    free(group);
    return rc;
}

/* Leave one model out: what its cases cost, by a regressor that saw none of them. */
static int score_model(struct training *t, const struct predict_holdout *h,
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

static int score_models(struct training *t, const signed char *monotone,
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

int training_compare(struct training *t, const signed char *monotone,
                     const struct predict_train_options *opt, struct err *err)
{
    int rc;

    if (!opt->score || !opt->compare)
        return 0;
    rc = training_score(t, t->predicted, "shape", "blended", opt, err);
    if (rc == 0 && t->roof)
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
