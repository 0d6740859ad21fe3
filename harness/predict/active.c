/* harness/predict/active.c - see active.h. */
#include "harness/predict/active.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/predict/feature.h"
#include "harness/predict/group.h"
#include "harness/predict/roofline.h"
#include "profiler/regressor.h"
#include "profiler/rng.h"

enum { MEMBERS = 5 };

/* Items as a regressor sees them; kernels on other paths and types are kinds of their own. */
struct field {
    int n;
    float *x; /* [n, FEATURES_LATENCY] */
    struct roofline_row *roof;
    bool *fits; /* the kernel can take it */
    float *y, *weight;
};

static void field_done(struct field *f)
{
    free(f->x);
    free(f->roof);
    free(f->fits);
    free(f->y);
    free(f->weight);
}

static int field_new(const struct device_info *dev, const struct active_item *item, int n,
                     struct field *ret_f, struct err *err)
{
    size_t rows = (size_t)n + 1;
    struct field f = {n, calloc(rows * FEATURES_LATENCY, sizeof(float)),
                      calloc(rows, sizeof(struct roofline_row)), calloc(rows, sizeof(bool)),
                      calloc(rows, sizeof(float)), calloc(rows, sizeof(float))};

    if (!f.x || !f.roof || !f.fits || !f.y || !f.weight) {
        field_done(&f);
        return err_set(err, -ENOMEM, "no memory for %d configurations", n);
    }
    for (int i = 0; i < n; i++) {
        f.fits[i] = feature_latency(dev, item[i].c, item[i].v,
                                    f.x + (size_t)i * FEATURES_LATENCY, NULL) == 0 &&
                    roofline_describe(dev, item[i].c, item[i].v, &f.roof[i], NULL) == 0;
        f.roof[i].kind = 4 * f.roof[i].kind + 2 * (int)item[i].v->path + (item[i].c->dtype == DTYPE_F16);
        f.roof[i].ns = item[i].ns;
        f.roof[i].teaches = false;
    }
    *ret_f = f;
    return 0;
}

/* Latencies of all items by a regressor trained on those with weight > 0. */
static int learn(struct field *f, int trees, uint64_t seed, double *ret_ns, struct err *err)
{
    struct regressor_options o = regressor_defaults();
    struct regressor_data d = {.rows = f->n, .cols = FEATURES_LATENCY, .x = f->x, .y = f->y,
                               .weight = f->weight, .names = feature_names()};
    /* Half of what trees say: between believing them and not, which a cross-validation would tell
     * at many times the cost. */
    static const double blend = 0.5;
    struct roofline *r = NULL;
    struct regressor *g = NULL;
    float *rest = malloc(((size_t)f->n + 1) * sizeof(*rest));
    int rc;

    o.trees = trees;
    o.depth = 4;
    o.eta = 20.0 / (trees + 60);
    o.seed = seed;
    o.threads = 1;
    for (int i = 0; i < f->n; i++)
        f->roof[i].teaches = f->weight[i] > 0;
    rc = rest ? roofline_fit(f->roof, f->n, NULL, 0, &r, err)
              : err_set(err, -ENOMEM, "no memory for %d configurations", f->n);
    if (rc < 0)
        goto out;
    for (int i = 0; i < f->n; i++)
        f->y[i] = f->weight[i] > 0 ? (float)log(f->roof[i].ns / roofline_ns(r, &f->roof[i])) : 0;
    rc = regressor_train(&d, &o, &g, err);
    if (rc == 0)
        rc = regressor_predict(g, f->x, f->n, FEATURES_LATENCY, rest, err);
    for (int i = 0; i < f->n && rc == 0; i++)
        ret_ns[i] = f->fits[i] ? roofline_ns(r, &f->roof[i]) * exp(blend * (double)rest[i]) : NAN;
out:
    regressor_free(g);
    roofline_free(r);
    free(rest);
    return rc;
}

/* ---- choosing ---- */

/* Standard deviation of the logarithms of what the members say, each trained on a draw of what is
 * measured (with replacement). */
static int disagreement(struct field *f, const bool *measured, uint64_t seed, double *ret_score,
                        struct err *err)
{
    double *ns = calloc(((size_t)f->n + 1) * 3, sizeof(*ns));
    double *sum = ns ? ns + f->n : NULL, *square = ns ? ns + 2 * f->n : NULL;
    int *known = calloc((size_t)f->n + 1, sizeof(*known)), n = 0, rc = 0;

    if (!ns || !known)
        rc = err_set(err, -ENOMEM, "no memory for %d configurations", f->n);
    for (int i = 0; i < f->n && rc == 0; i++)
        if (measured[i])
            known[n++] = i;
    for (int m = 0; m < MEMBERS && rc == 0; m++) {
        memset(f->weight, 0, (size_t)f->n * sizeof(*f->weight));
        for (int i = 0; i < n; i++)
            f->weight[known[rng_below(&seed, (uint64_t)n)]] += 1;
        rc = learn(f, 60, seed >> 1, ns, err);
        for (int i = 0; i < f->n && rc == 0; i++) {
            sum[i] += log(ns[i]);
            square[i] += log(ns[i]) * log(ns[i]);
        }
    }
    for (int i = 0; i < f->n && rc == 0; i++)
        ret_score[i] = sqrt(fmax(0, square[i] / MEMBERS - sum[i] / MEMBERS * (sum[i] / MEMBERS)));
    free(known);
    free(ns);
    return rc;
}

static int count_kind(const struct field *f, const bool *among, int kind)
{
    int n = 0;

    for (int i = 0; i < f->n; i++)
        n += among[i] && f->roof[i].kind == kind;
    return n;
}

/* A kernel that was never measured comes before all disagreement. */
static void prefer_unknown(const struct field *f, const bool *measured, uint64_t seed,
                           double *score)
{
    static const double unknown = 1e3;

    for (int i = 0; i < f->n; i++)
        if (count_kind(f, measured, f->roof[i].kind) == 0)
            score[i] = unknown + (double)(rng_at(seed, (uint64_t)i) >> 11) * 0x1p-53;
}

/* The best first; of one kernel each next one counts less, for it tells much of what the one before
 * it tells. */
static int take(const struct field *f, const bool *measured, const double *score, int batch,
                bool *taken, int *ret_index)
{
    int n = 0;

    for (; n < batch; n++) {
        double most = -1;
        int best = -1;

        for (int i = 0; i < f->n; i++) {
            double worth;

            if (measured[i] || taken[i] || !f->fits[i])
                continue;
            worth = score[i] / (1 + count_kind(f, taken, f->roof[i].kind));
            if (worth > most) {
                most = worth;
                best = i;
            }
        }
        if (best < 0)
            break;
        taken[best] = true;
        ret_index[n] = best;
    }
    return n;
}

int active_choose(const struct device_info *dev, const struct active_item *item, int n, int batch,
                  uint64_t seed, int *ret_index, int *ret_n, struct err *err)
{
    bool *measured = calloc(2 * (size_t)n + 1, sizeof(*measured));
    double *score = calloc((size_t)n + 1, sizeof(*score));
    struct field f = {0};
    int rc = measured && score ? field_new(dev, item, n, &f, err)
                               : err_set(err, -ENOMEM, "no memory for %d configurations", n);
    int known = 0;

    for (int i = 0; i < n && rc == 0; i++) {
        measured[i] = item[i].ns > 0 && f.fits[i];
        known += measured[i];
    }
    if (rc == 0 && known > 0)
        rc = disagreement(&f, measured, seed, score, err);
    if (rc == 0) {
        prefer_unknown(&f, measured, seed, score);
        *ret_n = take(&f, measured, score, batch, measured + n, ret_index);
    }
    field_done(&f);
    free(score);
    free(measured);
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
    double *p = calloc(((size_t)g->n + 1) * 3, sizeof(*p));
    double *y = p ? p + g->n : NULL, *all = p ? p + 2 * g->n : NULL;
    int n = 0, rc;

    if (!p)
        return err_set(err, -ENOMEM, "no memory for %d configurations", g->n);
    for (int i = 0; i < g->n; i++) {
        g->field.weight[i] = g->item[i].ns > 0 && g->field.fits[i];
        g->field.roof[i].ns = g->item[i].ns;
    }
    rc = learn(&g->field, 200, seed, all, err);
    for (int i = 0; i < g->n && rc == 0; i++)
        if (g->held[i] && g->field.fits[i]) {
            p[n] = all[i];
            y[n++] = g->ns[i];
        }
    if (rc == 0)
        *ret_e = stats_errors(p, y, n);
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
        if (g->held[i] || !g->field.fits[i] || (strategy == ACTIVE_RANDOM && g->item[i].ns > 0))
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
        int batch = samples < 40 ? 20 : samples / 4;
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
