#include "harness/sweep/order_active.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/predict/active.h"
#include "harness/sweep/order.h"

/* Of every dtype and path. */
static int read_all(struct store *st, int64_t device_id, const struct device_info *dev,
                    struct sampled_set *ret_set, struct err *err)
{
    struct sampled_set all = {0};
    int rc = 0;

    for (int d = DTYPE_F32; d <= DTYPE_F16 && rc == 0; d++) {
        for (int p = PATH_IMAGE; p <= PATH_BUFFER && rc == 0; p++) {
            struct sampled_set set;
            struct sampled *more;

            rc = sampled_read(st, device_id, dev, (enum dtype)d, (enum mem_path)p, &set, err);
            if (rc < 0)
                break;
            more = realloc(all.row, ((size_t)all.n + (size_t)set.n + 1) * sizeof(*more));
            if (more) {
                memcpy(more + all.n, set.row, (size_t)set.n * sizeof(*more));
                all.row = more;
                all.n += set.n;
            } else {
                rc = err_set(err, -ENOMEM, "no memory for %d samples", all.n + set.n);
            }
            sampled_done(&set);
        }
    }
    if (rc < 0) {
        sampled_done(&all);
        return rc;
    }
    *ret_set = all;
    return 0;
}

static bool same_case(const struct op_case *a, const struct op_case *b)
{
    return a->op == b->op && a->dtype == b->dtype && memcmp(a->p, b->p, sizeof(a->p)) == 0;
}

/* The samples, then what is pending. */
static struct active_item *items_of(const struct sampled_set *set,
                                    const struct sweep_config *pending, int n)
{
    struct active_item *item = calloc((size_t)set->n + (size_t)n + 1, sizeof(*item));

    for (int i = 0; item && i < set->n; i++) {
        const struct sampled *s = &set->row[i];

        item[i] = (struct active_item){&s->c, &s->v, s->load_bytes,
                                       s->load_bytes ? s->base_ns : s->median_ns, s->slowdown};
    }
    for (int i = 0; item && i < n; i++)
        item[set->n + i] = (struct active_item){&pending[i].c, &pending[i].v,
                                                pending[i].load_bytes, NAN, NAN};
    return item;
}

/* The chosen ones in front, the others behind them in the order that they had. */
static int bring_forward(struct sweep_config *pending, int n, const int *chosen, int n_chosen,
                         struct err *err)
{
    struct sweep_config *copy = malloc(((size_t)n + 1) * sizeof(*copy));
    bool *taken = calloc((size_t)n + 1, sizeof(*taken));
    int at = 0;

    for (int i = 0; copy && taken && i < n_chosen; i++) {
        copy[at++] = pending[chosen[i]];
        taken[chosen[i]] = true;
    }
    for (int i = 0; copy && taken && i < n; i++)
        if (!taken[i])
            copy[at++] = pending[i];
    if (at == n && copy)
        memcpy(pending, copy, (size_t)n * sizeof(*copy));
    free(taken);
    free(copy);
    return at == n ? 0 : err_set(err, -ENOMEM, "no memory for %d configurations", n);
}

int order_active(struct store *st, int64_t device_id, const struct device_info *dev,
                 struct sweep_config *pending, int n, uint64_t seed, int *ret_n, struct err *err)
{
    struct sampled_set set = {0};
    struct active_item *item = NULL;
    int *index = NULL, batch, chosen = 0, rc;

    rc = read_all(st, device_id, dev, &set, err);
    if (rc < 0)
        return rc;
    batch = active_batch(set.n) < n ? active_batch(set.n) : n;
    item = items_of(&set, pending, n);
    index = calloc((size_t)batch + 1, sizeof(*index));
    if (!item || !index)
        rc = err_set(err, -ENOMEM, "no memory for %d configurations", set.n + n);
    else
        rc = active_choose(dev, item, set.n + n, batch, seed, index, &chosen, err);
    for (int i = 0; i < chosen; i++)
        index[i] -= set.n;
    if (rc == 0 && chosen > 0)
        rc = bring_forward(pending, n, index, chosen, err);
    chosen = chosen > 0 ? chosen : n; /* nothing can be told of the rest: as it comes */
    if (rc == 0)
        rc = order_blocks(pending, chosen, seed, err);
    if (rc == 0)
        *ret_n = chosen;
    free(index);
    free(item);
    sampled_done(&set);
    return rc;
}

int order_simulate(struct store *st, int64_t device_id, const struct device_info *dev,
                   const struct spec *spec, enum simulate_strategy strategy, uint64_t seed,
                   void (*each)(void *ctx, int samples, const struct stats_errors *e), void *ctx,
                   struct err *err)
{
    struct sampled_set set;
    int kept = 0, rc = read_all(st, device_id, dev, &set, err);

    if (rc < 0)
        return rc;
    for (int i = 0; i < set.n; i++) {
        int k = 0;

        while (k < spec->n && !same_case(&spec->config[k].c, &set.row[i].c))
            k++;
        if (k < spec->n)
            set.row[kept++] = set.row[i];
    }
    set.n = kept;
    rc = simulate_sweep(dev, &set, strategy, seed, each, ctx, err);
    sampled_done(&set);
    return rc;
}
