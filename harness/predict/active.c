/* harness/predict/active.c - see active.h. */
#include "harness/predict/active.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/predict/feature.h"
#include "harness/predict/group.h"
#include "harness/predict/smooth.h"
#include "profiler/learn/gauss.h"
#include "profiler/rng.h"

/* Items as a Gaussian process sees them; kernels on other paths and types are kinds of their own. */
struct field {
    int n, cols;
    float *x; /* [n, cols] */
    int *kind;
    float *y;      /* logarithm of the time; 0 where it is not known */
    bool *known;
    bool *cannot;  /* the kernel cannot take it */
};

static void field_done(struct field *f)
{
    free(f->x);
    free(f->kind);
    free(f->y);
    free(f->known);
    free(f->cannot);
}

static void set_known(struct field *f, int i, double ns)
{
    f->known[i] = ns > 0 && !f->cannot[i];
    f->y[i] = f->known[i] ? (float)log(ns) : 0;
}

static int field_new(const struct device_info *dev, const struct active_item *item, int n,
                     struct field *ret_f, struct err *err)
{
    struct smooth columns = smooth_columns(FEATURES_LATENCY);
    size_t rows = (size_t)n + 1;
    struct field f = {n, columns.n, calloc(rows * SMOOTH_MAX, sizeof(float)),
                      calloc(rows, sizeof(int)), calloc(rows, sizeof(float)),
                      calloc(rows, sizeof(bool)), calloc(rows, sizeof(bool))};

    if (!f.x || !f.kind || !f.y || !f.known || !f.cannot) {
        field_done(&f);
        return err_set(err, -ENOMEM, "no memory for %d configurations", n);
    }
    for (int i = 0; i < n; i++) {
        struct op_variant base = feature_base(item[i].v);
        float x[FEATURES_LATENCY];

        f.cannot[i] = feature_latency(dev, item[i].c, item[i].v, x, NULL) < 0;
        if (!f.cannot[i])
            smooth_row(&columns, x, f.x + (size_t)i * (size_t)f.cols);
        f.kind[i] = 4 * smooth_kind(item[i].c, &base) + 2 * (int)base.path +
                    (item[i].c->dtype == DTYPE_F16);
        set_known(&f, i, item[i].ns);
    }
    *ret_f = f;
    return 0;
}

static int learn(const struct field *f, uint64_t seed, struct gauss **ret_g, struct err *err)
{
    struct gauss_data d = {f->n, f->cols, f->x, f->kind, f->y, f->known};

    return gauss_fit(&d, seed, ret_g, err);
}

/* ---- choosing ---- */

/* A draw of what is not known, where nothing is known to go by. */
static int draw(const struct field *f, int batch, uint64_t seed, int *ret_index)
{
    int n = 0, start = (int)rng_below(&seed, (uint64_t)f->n), stride = 1 + f->n / (batch + 1);

    for (int lap = 0; lap < stride && n < batch; lap++)
        for (int k = lap; k < f->n && n < batch; k += stride) {
            int i = (start + k) % f->n;

            if (!f->known[i] && !f->cannot[i])
                ret_index[n++] = i;
        }
    return n;
}

int active_batch(int known)
{
    enum { FEWEST = 10, SHARE = 10 };

    return known / SHARE > FEWEST ? known / SHARE : FEWEST;
}

int active_choose(const struct device_info *dev, const struct active_item *item, int n, int batch,
                  uint64_t seed, int *ret_index, int *ret_n, struct err *err)
{
    struct gauss *g = NULL;
    struct field f = {0};
    int rc, chosen = 0, known = 0;

    if (n == 0) {
        *ret_n = 0;
        return 0;
    }
    rc = field_new(dev, item, n, &f, err);
    if (rc < 0)
        return rc;
    for (int i = 0; i < n; i++)
        known += f.known[i];
    if (known == 0) {
        chosen = draw(&f, batch, seed, ret_index);
    } else {
        rc = learn(&f, seed, &g, err);
        for (int i = 0; i < n; i++) /* from here on: what cannot be chosen */
            f.known[i] |= f.cannot[i];
        if (rc == 0)
            rc = gauss_choose(g, f.x, f.kind, f.known, n, batch, seed, ret_index, &chosen, err);
    }
    if (rc == 0)
        *ret_n = chosen;
    gauss_free(g);
    field_done(&f);
    return rc;
}

/* ---- a sweep from recorded samples ---- */

struct game {
    const struct device_info *dev;
    int n;
    struct active_item *item; /* ns as known so far */
    double *ns;               /* the truth */
    bool *held;               /* out */
    struct field field;
};

static void game_done(struct game *g)
{
    field_done(&g->field);
    free(g->item);
    free(g->ns);
    free(g->held);
}

static bool same_base(const struct sampled *a, const struct sampled *b)
{
    struct op_variant x = feature_base(&a->v), y = feature_base(&b->v);

    return a->c.op == b->c.op && a->c.dtype == b->c.dtype &&
           memcmp(a->c.p, b->c.p, sizeof(a->c.p)) == 0 && x.path == y.path && x.kernel == y.kernel &&
           memcmp(x.tunable, y.tunable, sizeof(x.tunable)) == 0 &&
           memcmp(x.lws, y.lws, sizeof(x.lws)) == 0;
}

/* Distinct configurations without load: the median of what was measured of each. */
static int game_items(const struct sampled_set *set, struct game *g, struct err *err)
{
    double *scratch = calloc((size_t)set->n + 1, sizeof(*scratch));
    bool *seen = calloc((size_t)set->n + 1, sizeof(*seen));

    for (int i = 0; scratch && seen && i < set->n; i++) {
        int n = 0;

        for (int k = i; k < set->n && !seen[i]; k++) {
            const struct sampled *s = &set->row[k];
            double ns = s->load_bytes ? s->base_ns : s->median_ns;

            if (seen[k] || !same_base(&set->row[i], s))
                continue;
            seen[k] = k != i;
            if (ns > 0)
                scratch[n++] = ns;
        }
        if (n == 0)
            continue;
        g->item[g->n] = (struct active_item){&set->row[i].c, &set->row[i].v, NAN};
        g->ns[g->n++] = stats_median(scratch, n);
    }
    free(seen);
    free(scratch);
    return seen && scratch ? 0 : err_set(err, -ENOMEM, "no memory for %d samples", set->n);
}

static int hold_out(struct game *g, uint64_t seed, struct err *err)
{
    const struct op_case **c = calloc((size_t)g->n + 1, sizeof(*c));
    int *group = calloc((size_t)g->n + 1, sizeof(*group)), rc = 0;

    for (int i = 0; c && i < g->n; i++)
        c[i] = g->item[i].c;
    if (!c || !group || group_cases(c, g->n, group) < 0)
        rc = err_set(err, -ENOMEM, "no memory for %d configurations", g->n);
    for (int i = 0; i < g->n && rc == 0; i++)
        g->held[i] = rng_at(seed, (uint64_t)group[i]) % 4 == 0;
    free(group);
    free(c);
    return rc;
}

static int judge(struct game *g, uint64_t seed, struct stats_errors *ret_e, struct err *err)
{
    double *p = calloc(((size_t)g->n + 1) * 2, sizeof(*p)), *y = p ? p + g->n : NULL;
    struct gauss *process = NULL;
    int n = 0, rc;

    if (!p)
        return err_set(err, -ENOMEM, "no memory for %d configurations", g->n);
    for (int i = 0; i < g->n; i++)
        set_known(&g->field, i, g->item[i].ns);
    rc = learn(&g->field, seed, &process, err);
    for (int i = 0; i < g->n && rc == 0; i++)
        if (g->held[i] && !g->field.cannot[i]) {
            p[n] = exp(gauss_predict(process, g->field.x + (size_t)i * (size_t)g->field.cols,
                                     g->field.kind[i], NULL));
            y[n++] = g->ns[i];
        }
    if (rc == 0)
        *ret_e = stats_errors(p, y, n);
    gauss_free(process);
    free(p);
    return rc;
}

/* Of the items that are not held out: the next to be measured, in `index`. */
static int next_batch(struct game *g, enum active_strategy strategy, int batch, uint64_t seed,
                      int *index, int *ret_n, struct err *err)
{
    struct active_item *open = calloc((size_t)g->n + 1, sizeof(*open));
    int *at = calloc((size_t)g->n + 1, sizeof(*at)), n = 0, left = 0, rc = 0;

    if (!open || !at) {
        rc = err_set(err, -ENOMEM, "no memory for %d configurations", g->n);
        goto out;
    }
    for (int i = 0; i < g->n; i++) {
        if (g->held[i] || g->field.cannot[i] || (strategy == ACTIVE_RANDOM && g->item[i].ns > 0))
            continue;
        open[n] = g->item[i];
        at[n++] = i;
    }
    if (strategy == ACTIVE_BEST) {
        rc = active_choose(g->dev, open, n, batch, seed, index, &left, err);
    } else {
        for (; left < batch && left < n; left++) { /* Fisher and Yates, as far as needed */
            int k = left + (int)rng_below(&seed, (uint64_t)(n - left)), t = at[left];

            at[left] = at[k];
            at[k] = t;
            index[left] = left;
        }
    }
    for (int i = 0; i < left && rc == 0; i++)
        index[i] = at[index[i]];
    *ret_n = left;
out:
    free(at);
    free(open);
    return rc;
}

static int play(struct game *g, enum active_strategy strategy, uint64_t seed,
                void (*each)(void *ctx, int samples, const struct stats_errors *e), void *ctx,
                struct err *err)
{
    int *index = calloc((size_t)g->n + 1, sizeof(*index)), samples = 0, rc = 0, n = 0;

    if (!index)
        return err_set(err, -ENOMEM, "no memory for %d configurations", g->n);
    do {
        int batch = active_batch(samples);
        struct stats_errors e;

        rc = next_batch(g, strategy, batch, rng_at(seed, (uint64_t)samples), index, &n, err);
        for (int i = 0; i < n && rc == 0; i++)
            g->item[index[i]].ns = g->ns[index[i]];
        samples += n;
        if (rc == 0 && n > 0)
            rc = judge(g, seed, &e, err);
        if (rc == 0 && n > 0)
            each(ctx, samples, &e);
    } while (rc == 0 && n > 0);
    free(index);
    return rc;
}

int active_simulate(const struct device_info *dev, const struct sampled_set *set,
                    enum active_strategy strategy, uint64_t seed,
                    void (*each)(void *ctx, int samples, const struct stats_errors *e), void *ctx,
                    struct err *err)
{
    static const int fewest = 40;
    struct game g = {.dev = dev,
                     .item = calloc((size_t)set->n + 1, sizeof(*g.item)),
                     .ns = calloc((size_t)set->n + 1, sizeof(*g.ns)),
                     .held = calloc((size_t)set->n + 1, sizeof(*g.held))};
    int rc = g.item && g.ns && g.held ? game_items(set, &g, err)
                                      : err_set(err, -ENOMEM, "no memory for %d samples", set->n);

    if (rc == 0 && g.n < fewest)
        rc = err_set(err, -ENODATA, "%d configurations are too few to play a sweep with: want %d",
                     g.n, fewest);
    if (rc == 0)
        rc = field_new(dev, g.item, g.n, &g.field, err);
    if (rc == 0)
        rc = hold_out(&g, seed, err);
    if (rc == 0)
        rc = play(&g, strategy, seed, each, ctx, err);
    game_done(&g);
    return rc;
}
