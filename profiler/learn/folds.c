/* profiler/learn/folds.c - see folds.h. */
#include "profiler/learn/folds.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/rng.h"

static int by_int(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;

    return (x > y) - (x < y);
}

int folds_deal(const int *group, int rows, int folds, uint64_t seed, int *ret_fold,
               struct err *err)
{
    int *id = malloc((size_t)rows * 2 * sizeof(*id)), *deal = id ? id + rows : NULL;
    int n = 0;

    if (!id)
        return err_set(err, -ENOMEM, "no memory for %d rows", rows);
    memcpy(id, group, (size_t)rows * sizeof(*id));
    qsort(id, (size_t)rows, sizeof(*id), by_int);
    for (int i = 0; i < rows; i++)
        if (n == 0 || id[i] != id[n - 1])
            id[n++] = id[i];
    if (folds < 2 || n < folds) {
        free(id);
        return err_set(err, -EINVAL, "folds: want 2..%d (the number of groups), got '%d'", n,
                       folds);
    }
    for (int i = 0; i < n; i++)
        deal[i] = i % folds;
    for (int i = n - 1; i > 0; i--) { /* Fisher and Yates */
        int k = (int)rng_below(&seed, (uint64_t)i + 1), t = deal[i];

        deal[i] = deal[k];
        deal[k] = t;
    }
    for (int r = 0; r < rows; r++) {
        const int *at = bsearch(&group[r], id, (size_t)n, sizeof(*id), by_int);

        ret_fold[r] = deal[at - id];
    }
    free(id);
    return 0;
}

/* Rows inside or outside one fold, gathered. */
struct part {
    int rows;
    int *row; /* positions in the whole */
    float *x, *y, *weight;
};

static void part_done(struct part *p)
{
    free(p->row);
    free(p->x);
    free(p->y);
    free(p->weight);
}

static int part_new(const struct regressor_data *d, const int *fold, int which, bool inside,
                    struct part *ret_p, struct err *err)
{
    size_t rows = (size_t)d->rows, cols = (size_t)d->cols;
    struct part p = {0, malloc(rows * sizeof(int)), malloc(rows * cols * sizeof(float)),
                     malloc(rows * sizeof(float)), malloc(rows * sizeof(float))};

    if (!p.row || !p.x || !p.y || !p.weight) {
        part_done(&p);
        return err_set(err, -ENOMEM, "no memory for %d rows", d->rows);
    }
    for (int r = 0; r < d->rows; r++) {
        if ((fold[r] == which) != inside)
            continue;
        memcpy(p.x + (size_t)p.rows * cols, d->x + (size_t)r * cols, cols * sizeof(float));
        p.y[p.rows] = d->y[r];
        p.weight[p.rows] = d->weight ? d->weight[r] : 1;
        p.row[p.rows++] = r;
    }
    *ret_p = p;
    return 0;
}

static int one_fold(const struct regressor_data *d, const int *fold, int which,
                    const struct regressor_options *opt, float *y, struct err *err)
{
    struct part rest = {0}, test = {0};
    struct regressor_data train = *d;
    struct regressor *r = NULL;
    int rc;

    rc = part_new(d, fold, which, false, &rest, err);
    if (rc < 0)
        goto out;
    rc = part_new(d, fold, which, true, &test, err);
    if (rc < 0)
        goto out;
    train.rows = rest.rows;
    train.x = rest.x;
    train.y = rest.y;
    train.weight = d->weight ? rest.weight : NULL;
    rc = regressor_train(&train, opt, &r, err);
    if (rc < 0)
        goto out;
    rc = regressor_predict(r, test.x, test.rows, d->cols, test.y, err);
    for (int i = 0; rc == 0 && i < test.rows; i++)
        y[test.row[i]] = test.y[i];
out:
    regressor_free(r);
    part_done(&rest);
    part_done(&test);
    return rc;
}

int folds_predict(const struct regressor_data *data, const int *fold, int folds,
                  const struct regressor_options *opt, folds_retarget retarget, void *ctx,
                  float *ret_y, struct err *err)
{
    struct regressor_data d = *data;
    float *y = malloc((size_t)data->rows * sizeof(*y));
    float *target = malloc((size_t)data->rows * sizeof(*target));
    int rc = 0;

    if (!y || !target) {
        rc = err_set(err, -ENOMEM, "no memory for %d rows", data->rows);
        goto out;
    }
    memcpy(y, ret_y, (size_t)data->rows * sizeof(*y));
    memcpy(target, data->y, (size_t)data->rows * sizeof(*target));
    d.y = target;
    for (int f = 0; rc == 0 && f < folds; f++) {
        rc = retarget ? retarget(ctx, fold, f, target, err) : 0;
        if (rc == 0)
            rc = one_fold(&d, fold, f, opt, y, err);
    }
    if (rc == 0)
        memcpy(ret_y, y, (size_t)data->rows * sizeof(*y));
out:
    free(target);
    free(y);
    return rc;
}
