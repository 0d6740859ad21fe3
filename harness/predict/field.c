/* harness/predict/field.c - see field.h. */
#include "harness/predict/field.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/predict/feature.h"
#include "harness/predict/smooth.h"

static const int features[FIELD_ASPECTS] = {FEATURES_LATENCY, FEATURES_SLOWDOWN};

void field_done(struct field *f)
{
    for (int a = 0; a < FIELD_ASPECTS; a++) {
        struct aspect *p = &f->aspect[a];

        free(p->x);
        free(p->kind);
        free(p->y);
        free(p->known);
        free(p->present);
        gauss_free(p->process);
    }
    free(f->cannot);
    *f = (struct field){0};
}

static bool aspect_new(int cols, int n, struct aspect *p)
{
    size_t rows = (size_t)n + 1;

    *p = (struct aspect){cols, calloc(rows * (size_t)cols, sizeof(float)),
                         calloc(rows, sizeof(int)), calloc(rows, sizeof(float)),
                         calloc(rows, sizeof(bool)), calloc(rows, sizeof(bool)), NULL};
    return p->x && p->kind && p->y && p->known && p->present;
}

/* Kernels on other paths and types are kinds of their own. */
static int kind_of(const struct active_item *item, const struct op_variant *v)
{
    return 4 * smooth_kind(item->c, v) + 2 * (int)v->path + (item->c->dtype == DTYPE_F16);
}

int field_new(const struct device_info *dev, const struct active_item *item, int n,
              struct field *ret_f, struct err *err)
{
    struct smooth columns = smooth_columns(FEATURES_LATENCY);
    struct field f = {.n = n, .cannot = calloc((size_t)n + 1, sizeof(bool))};
    bool ok = f.cannot;

    for (int a = 0; a < FIELD_ASPECTS; a++)
        ok = aspect_new(smooth_columns(features[a]).n, n, &f.aspect[a]) && ok;
    if (!ok) {
        field_done(&f);
        return err_set(err, -ENOMEM, "no memory for %d configurations", n);
    }
    for (int i = 0; i < n; i++) {
        struct op_variant base = sampled_base(item[i].v);
        struct aspect *p = f.aspect;
        float x[FEATURES_LATENCY], loaded[FEATURES_SLOWDOWN];

        f.cannot[i] = feature_latency(dev, item[i].c, item[i].v, x, NULL) < 0 ||
                      (item[i].load_bytes > 0 &&
                       feature_slowdown(dev, item[i].c, item[i].v, 1, (double)item[i].load_bytes,
                                        loaded, NULL) < 0);
        if (!f.cannot[i])
            smooth_row(&columns, x, p->x + (size_t)i * (size_t)p->cols);
        p[FIELD_BASE].kind[i] = kind_of(&item[i], &base);
        p[FIELD_BASE].present[i] = !f.cannot[i];
        p[FIELD_LOAD].kind[i] = kind_of(&item[i], item[i].v);
        p[FIELD_LOAD].present[i] = !f.cannot[i] && item[i].load_bytes > 0;
    }
    *ret_f = f;
    return 0;
}

static double mean_at(const struct aspect *p, int i)
{
    return gauss_predict(p->process, p->x + (size_t)i * (size_t)p->cols, p->kind[i], NULL);
}

/* What the slowdown is learnt from wants the base latency: as it is predicted. */
static void place_loads(struct field *f, const struct device_info *dev,
                        const struct active_item *item)
{
    struct smooth columns = smooth_columns(FEATURES_SLOWDOWN);
    struct aspect *p = &f->aspect[FIELD_LOAD];

    for (int i = 0; i < f->n; i++) {
        float x[FEATURES_SLOWDOWN];

        if (!p->present[i])
            continue;
        p->present[i] = feature_slowdown(dev, item[i].c, item[i].v,
                                         exp(mean_at(&f->aspect[FIELD_BASE], i)),
                                         (double)item[i].load_bytes, x, NULL) == 0;
        if (p->present[i])
            smooth_row(&columns, x, p->x + (size_t)i * (size_t)p->cols);
    }
}

int field_learn(struct field *f, const struct device_info *dev, const struct active_item *item,
                uint64_t seed, struct err *err)
{
    int rc = 0;

    for (int a = 0; a < FIELD_ASPECTS && rc == 0; a++) {
        struct aspect *p = &f->aspect[a];
        struct gauss_data d = {f->n, p->cols, p->x, p->kind, p->y, p->known};

        for (int i = 0; i < f->n; i++) {
            double v = a == FIELD_BASE ? item[i].ns : item[i].slowdown;

            p->known[i] = p->present[i] && v > 0;
            p->y[i] = p->known[i] ? (float)log(v) : 0;
        }
        gauss_free(p->process);
        p->process = NULL;
        rc = gauss_fit(&d, seed, &p->process, err);
        if (a == FIELD_LOAD && rc == -ENODATA)
            rc = 0;
        if (a == FIELD_BASE && rc == 0)
            place_loads(f, dev, item);
    }
    return rc;
}

double field_predict(const struct field *f, int i)
{
    const struct aspect *load = &f->aspect[FIELD_LOAD];

    return exp(mean_at(&f->aspect[FIELD_BASE], i) +
               (load->present[i] && load->process ? mean_at(load, i) : 0));
}
