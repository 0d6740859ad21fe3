/* harness/samples/best.c - see best.h. */
#include "harness/samples/best.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/samples/sampled.h"
#include "profiler/stats.h"

/* One sample's time without load, of the variant that it was taken with. */
struct timed {
    char base[OP_TEXT_MAX]; /* naive spelling */
    double ns;
};

struct timings {
    int n, room;
    struct timed *row;
    /* The variant of the row before, and whether its samples are of today's kernels. */
    char variant[OP_TEXT_MAX], base[OP_TEXT_MAX], hash[20];
};

static struct op_variant with_form(struct op_variant v, enum op_form form)
{
    v.form = form;
    v.n_loads = form != FORM_NAIVE;
    return v;
}

struct best best_default(const struct device_info *dev, const struct op_case *c, enum mem_path path,
                         enum op_form form)
{
    struct best b = {.ns = NAN};

    op_variant_default(c, dev, path, &b.v);
    b.v = with_form(b.v, form);
    return b;
}

/* What this program would build for a recorded variant. An empty hash: nothing that will do. */
static void describe(struct timings *t, const struct device_info *dev, const struct op_case *c,
                     enum op_form form, const char *variant)
{
    struct op_variant v;
    uint64_t hash;

    if (strcmp(t->variant, variant) == 0)
        return;
    snprintf(t->variant, sizeof(t->variant), "%s", variant);
    t->hash[0] = '\0';
    if (op_variant_parse(c, dev, variant, &v, NULL) < 0 ||
        !op_has_form(&c->op->kernels[v.kernel], form) ||
        op_variant_hash(c, &v, dev, &hash, NULL) < 0)
        return;
    snprintf(t->hash, sizeof(t->hash), "%016" PRIx64, hash);
    v = sampled_base(&v);
    op_variant_print(c, &v, t->base);
}

static int add(struct timings *t, double ns, struct err *err)
{
    if (t->n == t->room) {
        int room = t->room ? 2 * t->room : 64;
        struct timed *more = realloc(t->row, (size_t)room * sizeof(*more));

        if (!more)
            return err_set(err, -ENOMEM, "no memory for %d samples", room);
        t->row = more;
        t->room = room;
    }
    memcpy(t->row[t->n].base, t->base, sizeof(t->base));
    t->row[t->n++].ns = ns;
    return 0;
}

static int read_timings(struct store *st, int64_t device_id, const struct device_info *dev,
                        const struct op_case *c, enum mem_path path, enum op_form form,
                        struct timings *t, struct err *err)
{
    struct store_query *q = NULL;
    char shape[OP_TEXT_MAX];
    int rc;

    op_case_params(c, shape);
    rc = store_query(st, &q, err,
                     "SELECT c.variant, s.build_hash,"
                     " CASE WHEN c.load_bytes = 0 THEN s.median_ns ELSE s.base_median_ns END"
                     " FROM config c JOIN sample s ON s.config_id = c.id"
                     " JOIN session e ON e.id = s.session_id"
                     " WHERE e.device_id = ? AND c.op = ? AND c.dtype = ? AND c.path = ?"
                     " AND c.shape = ? AND c.cache = 'flushed' AND s.status = 'ok'"
                     " AND s.build_hash IS NOT NULL ORDER BY c.variant", "issss", device_id,
                     c->op->name, dtype_name(c->dtype), mem_path_name(path), shape);
    if (rc < 0)
        return rc;
    while ((rc = store_step(q, err)) == 1) {
        double ns = store_real(q, 2);

        describe(t, dev, c, form, store_text(q, 0));
        if (ns > 0 && *t->hash && strcmp(t->hash, store_text(q, 1)) == 0)
            rc = add(t, ns, err);
        if (rc < 0)
            break;
    }
    store_query_done(q);
    return rc;
}

static int by_base(const void *a, const void *b)
{
    return strcmp(((const struct timed *)a)->base, ((const struct timed *)b)->base);
}

/* Index of a row of the fastest variant; -ENOMEM. There is a row. */
static int fastest(struct timings *t, struct best *b, struct err *err)
{
    double *ns = malloc((size_t)t->n * sizeof(*ns) + 1);
    int best = 0;

    if (!ns)
        return err_set(err, -ENOMEM, "no memory for %d samples", t->n);
    qsort(t->row, (size_t)t->n, sizeof(*t->row), by_base);
    for (int i = 0, end; i < t->n; i = end) {
        double median;

        for (end = i; end < t->n && by_base(&t->row[i], &t->row[end]) == 0; end++)
            ns[end - i] = t->row[end].ns;
        median = stats_median(ns, end - i);
        b->known++;
        if (i > 0 && !(median < b->ns))
            continue;
        best = i;
        b->ns = median;
    }
    free(ns);
    return best;
}

int best_variant(struct store *st, int64_t device_id, const struct device_info *dev,
                 const struct op_case *c, enum mem_path path, enum op_form form,
                 struct best *ret_b, struct err *err)
{
    struct best b = best_default(dev, c, path, form);
    struct timings t = {0};
    int rc = read_timings(st, device_id, dev, c, path, form, &t, err), at;

    if (rc == 0 && t.n > 0) {
        at = fastest(&t, &b, err);
        rc = at < 0 ? at : op_variant_parse(c, dev, t.row[at].base, &b.v, err);
        b.v = with_form(b.v, form);
    }
    free(t.row);
    if (rc < 0)
        return rc;
    *ret_b = b;
    return 0;
}
