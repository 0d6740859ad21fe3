/* harness/samples/twos.c - see twos.h. */
#include "harness/samples/twos.h"

#include <errno.h>
#include <stdlib.h>

#include "profiler/pairs.h"
#include "profiler/stats.h"

/* The repeats of one sample that count. */
struct taken {
    int64_t id; /* 0: none yet */
    int n[2], room;
    double *ns[2];
};

static int by_id(const void *a, const void *b)
{
    const struct sampled *x = *(struct sampled *const *)a, *y = *(struct sampled *const *)b;

    return (x->id > y->id) - (x->id < y->id);
}

static bool is_known(const double *x, int n)
{
    struct interval i = pairs_interval(x, n, 1);

    return i.high - i.low <= TWOS_TARGET * i.mid;
}

static void look_again(struct taken *t, struct sampled *s)
{
    int n = pairs_in_twos(t->ns[0], t->n[0]), pairs = pairs_in_twos(t->ns[1], t->n[1]);
    bool known;

    if (n == 0 || (pairs > 0 && pairs != n) || (pairs > 0) != (s->load_bytes > 0))
        return; /* not what a sweep records */
    known = s->noisy && is_known(t->ns[0], n) && (pairs == 0 || is_known(t->ns[1], n));
    if (pairs > 0) {
        s->base_ns = stats_median(t->ns[0], n);
        s->median_ns = stats_median(t->ns[1], n);
        for (int i = 0; i < n; i++)
            t->ns[1][i] /= t->ns[0][i];
        s->slowdown = stats_median(t->ns[1], n);
    } else {
        s->median_ns = stats_median(t->ns[0], n);
    }
    s->noisy = s->noisy && !known;
}

static int take(struct taken *t, int side, double ns, struct err *err)
{
    int room = t->room ? 2 * t->room : 64;

    if (t->n[side] == t->room) {
        for (int s = 0; s < 2; s++) {
            double *grown = realloc(t->ns[s], (size_t)room * sizeof(*grown));

            if (!grown)
                return err_set(err, -ENOMEM, "no memory for %d repeats", room);
            t->ns[s] = grown;
        }
        t->room = room;
    }
    t->ns[side][t->n[side]++] = ns;
    return 0;
}

static void finish(struct taken *t, struct sampled **list, int n, int *at)
{
    while (*at < n && list[*at]->id < t->id)
        ++*at;
    if (*at < n && list[*at]->id == t->id)
        look_again(t, list[*at]);
    t->n[0] = t->n[1] = 0;
}

int twos_again(struct store *st, int64_t device_id, struct sampled_set *set, struct err *err)
{
    struct sampled **list = calloc((size_t)set->n + 1, sizeof(*list));
    struct store_query *q = NULL;
    struct taken t = {0};
    int rc, at = 0;

    if (!list)
        return err_set(err, -ENOMEM, "no memory for %d samples", set->n);
    for (int i = 0; i < set->n; i++)
        list[i] = &set->row[i];
    qsort(list, (size_t)set->n, sizeof(struct sampled *), by_id);
    rc = store_query(st, &q, err,
                     "SELECT r.sample_id, r.side, r.time_ns FROM repeat r"
                     " JOIN sample s ON s.id = r.sample_id JOIN session e ON e.id = s.session_id"
                     " WHERE e.device_id = ? AND NOT r.aside"
                     " ORDER BY r.sample_id, r.side, r.seq", "i", device_id);
    while (rc == 0 && (rc = store_step(q, err)) == 1) {
        if (store_int(q, 0) != t.id)
            finish(&t, list, set->n, &at);
        t.id = store_int(q, 0);
        rc = take(&t, store_int(q, 1) != 0, (double)store_int(q, 2), err);
    }
    if (rc == 0)
        finish(&t, list, set->n, &at);
    store_query_done(q);
    free(t.ns[0]);
    free(t.ns[1]);
    free(list);
    return rc;
}
