/* harness/predict/transfer.c - how well a device is predicted from few of its samples and a regressor
 * of another device. README.md, "Transfer". */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/samples/group.h"
#include "harness/predict/training.h"
#include "profiler/rng.h"

enum { PARTS = 4 }; /* each part of the shapes is predicted from draws of the others */

/* Rows of the device, and what the other device's regressor says of their cases. */
struct field {
    const struct training *t;
    int cols;      /* of the features alone; the other's logarithm stands behind them */
    float *x;      /* [rows, cols + 1] */
    float *y;      /* logarithm of the time */
    double *other; /* logarithm of the other's prediction for the same case */
    int *kind, *part;
    bool *teaches;
};

static void field_done(struct field *f)
{
    free(f->x);
    free(f->y);
    free(f->other);
    free(f->kind);
    free(f->part);
    free(f->teaches);
}

/* The case as the other device would run it: its own preference, not this one's kernel. */
static double other_ns(const struct predictor *p, const struct device_info *dev,
                       const struct op_case *c, enum mem_path path)
{
    struct op_variant v;
    double ns;

    op_variant_default(c, dev, path, &v);
    return predictor_latency(p, dev, c, &v, &ns, NULL) == 0 ? log(ns) : NAN;
}

/* Rows whose operator the other device was never trained on (NaN) take no part. */
static int field_new(const struct training *t, const struct predictor *p,
                     const struct device_info *other, uint64_t seed, struct field *ret_f,
                     struct err *err)
{
    struct smooth columns = smooth_columns(t->cols);
    size_t rows = (size_t)t->rows + 1;
    struct field f = {t, columns.n, calloc(rows * (SMOOTH_MAX + 1), sizeof(float)),
                      calloc(rows, sizeof(float)), calloc(rows, sizeof(double)),
                      calloc(rows, sizeof(int)), calloc(rows, sizeof(int)),
                      calloc(rows, sizeof(bool))};
    const struct op_case **c = calloc(rows, sizeof(*c));
    int rc = 0;

    for (int i = 0; c && i < t->rows; i++)
        c[i] = t->row[i].c;
    if (!f.x || !f.y || !f.other || !f.kind || !f.part || !f.teaches || !c ||
        group_cases(c, t->rows, f.part) < 0)
        rc = err_set(err, -ENOMEM, "no memory for %d rows", t->rows);
    for (int i = 0; i < t->rows && rc == 0; i++) {
        float *x = f.x + (size_t)i * (size_t)(f.cols + 1);

        f.part[i] = (int)(rng_at(seed, (uint64_t)f.part[i]) % PARTS);
        f.other[i] = other_ns(p, other, t->row[i].c, t->path);
        smooth_row(&columns, t->x + (size_t)i * (size_t)t->cols, x);
        x[f.cols] = isnan(f.other[i]) ? 0 : (float)f.other[i];
        f.y[i] = (float)log(t->row[i].measured);
        f.kind[i] = t->row[i].kind;
    }
    free(c);
    if (rc < 0)
        field_done(&f);
    else
        *ret_f = f;
    return rc;
}

/* ---- one draw ---- */

/* n of the rows that are not in `part`, marked; fewer where there are not so many. */
static int draw(struct field *f, int part, int n, uint64_t seed)
{
    int *open = malloc(((size_t)f->t->rows + 1) * sizeof(*open)), left = 0, drawn = 0;

    memset(f->teaches, 0, (size_t)f->t->rows * sizeof(*f->teaches));
    for (int i = 0; open && i < f->t->rows; i++)
        if (f->part[i] != part && !isnan(f->other[i]))
            open[left++] = i;
    for (; open && drawn < n && left > 0; drawn++) {
        int k = (int)rng_below(&seed, (uint64_t)left);

        f->teaches[open[k]] = true;
        open[k] = open[--left];
    }
    free(open);
    return drawn;
}

/* The middle of measured over other's, as a logarithm, of the rows drawn. */
static double middle(const struct field *f, double *scratch)
{
    int n = 0;

    for (int i = 0; i < f->t->rows; i++)
        if (f->teaches[i])
            scratch[n++] = log(f->t->row[i].measured) - f->other[i];
    return stats_median(scratch, n);
}

/* A process that sees the other's logarithm as one more feature, or does not. As a feature, not as what is
 * left to be explained: how much one device tells of the other is learnt, and may be little. */
static int process(const struct field *f, int part, bool with_other, uint64_t seed,
                   double *ret_predicted, struct err *err)
{
    int cols = f->cols + with_other, rc;
    float *x = calloc((size_t)f->t->rows * (size_t)cols + 1, sizeof(*x));
    struct gauss_data d = {f->t->rows, cols, x, f->kind, f->y, f->teaches};
    struct gauss *g = NULL;

    if (!x)
        return err_set(err, -ENOMEM, "no memory for %d rows", f->t->rows);
    for (int i = 0; i < f->t->rows; i++)
        memcpy(x + (size_t)i * (size_t)cols, f->x + (size_t)i * (size_t)(f->cols + 1),
               (size_t)cols * sizeof(*x));
    rc = gauss_fit(&d, seed, &g, err);
    for (int i = 0; i < f->t->rows && rc == 0; i++)
        if (f->part[i] == part && !isnan(f->other[i]))
            ret_predicted[i] =
                exp(gauss_predict(g, x + (size_t)i * (size_t)cols, f->kind[i], NULL));
    gauss_free(g);
    free(x);
    return rc;
}

/* All rows, each by a draw of n that has none of its shape: three methods' predictions. */
static int predict_all(struct field *f, int n, uint64_t seed, double *ret_alone, double *ret_scaled,
                       double *ret_transferred, struct err *err)
{
    double *scratch = malloc(((size_t)f->t->rows + 1) * sizeof(*scratch)), by;
    int rc = scratch ? 0 : err_set(err, -ENOMEM, "no memory for %d rows", f->t->rows);

    for (int part = 0; part < PARTS && rc == 0; part++) {
        if (draw(f, part, n, rng_at(seed, (uint64_t)part)) == 0)
            continue;
        by = middle(f, scratch);
        for (int i = 0; i < f->t->rows; i++)
            if (f->part[i] == part && !isnan(f->other[i]))
                ret_scaled[i] = exp(f->other[i] + by);
        rc = process(f, part, false, seed, ret_alone, err);
        if (rc == 0)
            rc = process(f, part, true, seed, ret_transferred, err);
    }
    free(scratch);
    return rc;
}

int training_transfer(struct training *t, const struct predictor *from,
                      const struct device_info *from_info, const struct predict_train_options *opt,
                      struct err *err)
{
    static const int draws[] = {50, 200, 1000};
    static const char *const split[] = {"transfer 50", "transfer 200", "transfer 1000"};
    double *p = malloc(((size_t)t->rows + 1) * 3 * sizeof(*p));
    struct field f = {0};
    int rc = p ? field_new(t, from, from_info, opt->seed, &f, err)
               : err_set(err, -ENOMEM, "no memory for %d rows", t->rows);

    for (size_t k = 0; k < sizeof(draws) / sizeof(*draws) && rc == 0; k++) {
        double *alone = p, *scaled = p + t->rows, *transferred = p + 2 * t->rows;

        for (int i = 0; i < 3 * t->rows; i++)
            p[i] = NAN;
        rc = predict_all(&f, draws[k], opt->seed, alone, scaled, transferred, err);
        if (rc == 0)
            rc = training_score(t, scaled, split[k], "scaled", opt, err);
        if (rc == 0)
            rc = training_score(t, alone, split[k], "alone", opt, err);
        if (rc == 0)
            rc = training_score(t, transferred, split[k], "transferred", opt, err);
    }
    field_done(&f);
    free(p);
    return rc;
}
