/* harness/predict/training_store.c - what a training found, into the database: see training.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/predict/feature.h"
#include "harness/predict/training.h"

void training_ops(char *text, size_t size)
{
    size_t n = 0;

    text[0] = 0;
    for (int i = 0; op_table[i] && n < size; i++)
        n += (size_t)snprintf(text + n, size - n, "%s%s", i ? "," : "", op_table[i]->name);
}

bool training_in_scope(const struct training_row *row, const char *scope)
{
    return strcmp(scope, "all") == 0 || strcmp(scope, op_class_name(row->c->op->class)) == 0 ||
           strcmp(scope, row->c->op->name) == 0;
}

/* Errors over a scope; scopes without rows have no metric. p and y are scratch of t->rows. */
static int store_metric(const struct training *t, struct store *st, int64_t regressor_id,
                        const char *scope, bool noisy, double *p, double *y, struct err *err)
{
    struct stats_errors e;
    int n = 0;

    for (int i = 0; i < t->rows; i++) {
        const struct training_row *row = &t->row[i];

        if (row->between || !training_in_scope(row, scope) || (row->noisy && !noisy))
            continue;
        p[n] = t->predicted[i];
        y[n++] = row->measured;
    }
    if (n == 0)
        return 0;
    e = stats_errors(p, y, n);
    return store_exec(st, err,
                      "INSERT INTO metric (regressor_id, scope, noisy, samples, within_5pct,"
                      " within_10pct, mape, rmspe, spearman) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                      "isiiddddd", regressor_id, scope, (int64_t)noisy, (int64_t)n, e.within_5pct,
                      e.within_10pct, e.mape, e.rmspe, e.spearman);
}

static int store_metrics(const struct training *t, struct store *st, int64_t regressor_id,
                         struct err *err)
{
    double *p = malloc(((size_t)t->rows + 1) * 2 * sizeof(*p)), *y = p ? p + t->rows : NULL;
    int rc = 0;

    if (!p)
        return err_set(err, -ENOMEM, "no memory for %d rows", t->rows);
    for (int noisy = 0; noisy < 2 && rc == 0; noisy++) {
        rc = store_metric(t, st, regressor_id, "all", noisy, p, y, err);
        for (int c = OP_ELEMENTAL; c <= OP_HIERARCHICAL && rc == 0; c++)
            rc = store_metric(t, st, regressor_id, op_class_name((enum op_class)c), noisy, p, y,
                              err);
        for (int i = 0; op_table[i] && rc == 0; i++)
            rc = store_metric(t, st, regressor_id, op_table[i]->name, noisy, p, y, err);
    }
    free(p);
    return rc;
}

static int store_scores(const struct training *t, struct store *st, int64_t regressor_id,
                        struct err *err)
{
    int rc = 0;

    for (int i = 0; i < t->scores && rc == 0; i++) {
        const struct predict_score *s = &t->score[i];

        rc = store_exec(st, err,
                        "INSERT INTO score (regressor_id, split, method, scope, samples,"
                        " within_5pct, within_10pct, mape, rmspe, spearman)"
                        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        "isssiddddd", regressor_id, s->split, s->method, s->scope, (int64_t)s->n,
                        s->errors.within_5pct, s->errors.within_10pct, s->errors.mape,
                        s->errors.rmspe, s->errors.spearman);
    }
    return rc;
}

static int store_predictions(const struct training *t, struct store *st, int64_t regressor_id,
                             struct err *err)
{
    int rc = 0;

    for (int i = 0; i < t->uses && rc == 0; i++) {
        const struct training_use *u = &t->use[i];

        rc = store_exec(st, err,
                        "INSERT INTO prediction (regressor_id, sample_id, fold, predicted,"
                        " measured) VALUES (?, ?, ?, ?, ?)", "iiidd", regressor_id, u->sample_id,
                        (int64_t)t->fold[u->row], t->predicted[u->row], u->measured);
    }
    return rc;
}

/* Names in order, separated by blanks; freed by the caller. */
static char *joined_names(int cols)
{
    const char *const *names = feature_names();
    size_t size = 1;
    char *text, *end;

    for (int i = 0; i < cols; i++)
        size += strlen(names[i]) + 1;
    text = end = malloc(size);
    for (int i = 0; text && i < cols; i++)
        end += sprintf(end, "%s%s", i ? " " : "", names[i]);
    return text;
}

int training_store(const struct training *t, struct store *st, int64_t device_id,
                   const struct predict_train_options *opt, struct err *err)
{
    struct regressor_options tune = training_tuning(opt, NULL);
    char options[1024], ops[512], *names = joined_names(t->cols), *json = NULL;
    int64_t id, samples = 0;
    int rc;

    for (int i = 0; i < t->rows; i++)
        samples += !t->row[i].between;
    training_ops(ops, sizeof(ops));
    snprintf(options, sizeof(options),
             "trees=%d,depth=%d,eta=%g,subsample=%g,seed=%llu,noisy=%d ops=%s", tune.trees,
             tune.depth, tune.eta, tune.subsample, (unsigned long long)tune.seed,
             opt->include_noisy, ops);
    rc = regressor_to_json(t->regressor, &json, err);
    if (rc == 0 && !names)
        rc = err_set(err, -ENOMEM, "no memory for %d names", t->cols);
    if (rc < 0)
        goto out;
    rc = store_exec(st, err,
                    "INSERT INTO regressor (device_id, trained_utc, target, dtype, path, samples,"
                    " shapes, folds, options, features, model_json)"
                    " VALUES (?, " STORE_NOW_UTC ", ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    "isssiiisss", device_id, t->target, dtype_name(t->dtype),
                    mem_path_name(t->path), samples, (int64_t)t->groups,
                    (int64_t)opt->folds, options, names, json);
    if (rc < 0)
        goto out;
    id = store_last_id(st);
    rc = store_metrics(t, st, id, err);
    if (rc == 0)
        rc = store_scores(t, st, id, err);
    if (rc == 0)
        rc = store_predictions(t, st, id, err);
out:
    free(json);
    free(names);
    return rc;
}
