/* harness/predict/simulate.c - see simulate.h. */
#include "harness/predict/simulate.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/predict/feature.h"
#include "harness/predict/field.h"
#include "harness/samples/group.h"
#include "profiler/rng.h"

struct game {
    const struct device_info *dev;
    int n;
    struct active_item *item; /* as known so far */
    double *ns, *slowdown;    /* the truth; slowdown 1 without load */
    bool *held;               /* out */
    struct field field;
};

static void game_done(struct game *g)
{
    field_done(&g->field);
    free(g->item);
    free(g->ns);
    free(g->slowdown);
    free(g->held);
}

static bool same_base(const struct sampled *a, const struct sampled *b)
{
    struct op_variant x = sampled_base(&a->v), y = sampled_base(&b->v);

    return a->c.op == b->c.op && a->c.dtype == b->c.dtype &&
           memcmp(a->c.p, b->c.p, sizeof(a->c.p)) == 0 && x.path == y.path &&
           x.kernel == y.kernel && memcmp(x.tunable, y.tunable, sizeof(x.tunable)) == 0 &&
           memcmp(x.lws, y.lws, sizeof(x.lws)) == 0;
}

static bool same_config(const struct sampled *a, const struct sampled *b)
{
    return same_base(a, b) && a->v.form == b->v.form && a->load_bytes == b->load_bytes;
}

/* One configuration: the medians of what was measured of it, of its base by all samples that
 * tell it. */
static void add_item(const struct sampled_set *set, int i, bool *seen, double *scratch,
                     struct game *g)
{
    const struct sampled *s = &set->row[i];
    int n = 0, slow = 0;
    double *slowdown = scratch + set->n;

    for (int k = 0; k < set->n; k++) {
        const struct sampled *o = &set->row[k];
        double ns = o->load_bytes ? o->base_ns : o->median_ns;

        if (!same_base(s, o))
            continue;
        if (ns > 0 && (o->load_bytes || o->v.form == FORM_NAIVE))
            scratch[n++] = ns;
        if (k >= i && same_config(s, o)) {
            seen[k] = true;
            if (o->slowdown > 0)
                slowdown[slow++] = o->slowdown;
        }
    }
    if (n == 0 || (s->load_bytes > 0 && slow == 0))
        return;
    g->item[g->n] = (struct active_item){&s->c, &s->v, s->load_bytes, NAN, NAN};
    g->ns[g->n] = stats_median(scratch, n);
    g->slowdown[g->n++] = s->load_bytes ? stats_median(slowdown, slow) : 1;
}

static int game_items(const struct sampled_set *set, struct game *g, struct err *err)
{
    double *scratch = calloc(((size_t)set->n + 1) * 2, sizeof(*scratch));
    bool *seen = calloc((size_t)set->n + 1, sizeof(*seen)), ok = scratch && seen;

    for (int i = 0; ok && i < set->n; i++)
        if (!seen[i])
            add_item(set, i, seen, scratch, g);
    free(seen);
    free(scratch);
    return ok ? 0 : err_set(err, -ENOMEM, "no memory for %d samples", set->n);
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
    int n = 0, rc;

    if (!p)
        return err_set(err, -ENOMEM, "no memory for %d configurations", g->n);
    rc = field_learn(&g->field, g->dev, g->item, seed, err);
    for (int i = 0; i < g->n && rc == 0; i++)
        if (g->held[i] && !g->field.cannot[i]) {
            p[n] = field_predict(&g->field, i);
            y[n++] = g->ns[i] * g->slowdown[i];
        }
    if (rc == 0)
        *ret_e = stats_errors(p, y, n);
    free(p);
    return rc;
}

/* Of the items that are not held out: the next to be measured, in `index`. */
static int next_batch(struct game *g, enum simulate_strategy strategy, int batch, uint64_t seed,
                      int *index, int *ret_n, struct err *err)
{
    struct active_item *open = calloc((size_t)g->n + 1, sizeof(*open));
    int *at = calloc((size_t)g->n + 1, sizeof(*at)), n = 0, left = 0, rc = 0;

    if (!open || !at) {
        rc = err_set(err, -ENOMEM, "no memory for %d configurations", g->n);
        goto out;
    }
    for (int i = 0; i < g->n; i++) {
        if (g->held[i] || g->field.cannot[i] ||
            (strategy == SIMULATE_RANDOM && g->item[i].ns > 0))
            continue;
        open[n] = g->item[i];
        at[n++] = i;
    }
    if (strategy == SIMULATE_ACTIVE) {
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

static void measure(struct game *g, int i)
{
    g->item[i].ns = g->ns[i];
    g->item[i].slowdown = g->item[i].load_bytes ? g->slowdown[i] : NAN;
}

static int play(struct game *g, enum simulate_strategy strategy, uint64_t seed,
                void (*each)(void *ctx, int samples, const struct stats_errors *e), void *ctx,
                struct err *err)
{
    int *index = calloc((size_t)g->n + 1, sizeof(*index)), samples = 0, rc = 0, n = 0;

    if (!index)
        return err_set(err, -ENOMEM, "no memory for %d configurations", g->n);
    do {
        struct stats_errors e;

        rc = next_batch(g, strategy, active_batch(samples), rng_at(seed, (uint64_t)samples), index,
                        &n, err);
        for (int i = 0; i < n && rc == 0; i++)
            measure(g, index[i]);
        samples += n;
        if (rc == 0 && n > 0)
            rc = judge(g, seed, &e, err);
        if (rc == 0 && n > 0)
            each(ctx, samples, &e);
    } while (rc == 0 && n > 0);
    free(index);
    return rc;
}

int simulate_sweep(const struct device_info *dev, const struct sampled_set *set,
                   enum simulate_strategy strategy, uint64_t seed,
                   void (*each)(void *ctx, int samples, const struct stats_errors *e), void *ctx,
                   struct err *err)
{
    static const int fewest = 40;
    size_t rows = (size_t)set->n + 1;
    struct game g = {.dev = dev,
                     .item = calloc(rows, sizeof(*g.item)),
                     .ns = calloc(rows, sizeof(*g.ns)),
                     .slowdown = calloc(rows, sizeof(*g.slowdown)),
                     .held = calloc(rows, sizeof(*g.held))};
    int rc = g.item && g.ns && g.slowdown && g.held
                 ? game_items(set, &g, err)
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
