#include "harness/sweep/order.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/hash.h"
#include "profiler/rng.h"

bool order_same_block(const struct sweep_config *a, const struct sweep_config *b)
{
    return a->c.op == b->c.op && a->c.dtype == b->c.dtype && a->v.path == b->v.path &&
           memcmp(a->c.p, b->c.p, sizeof(a->c.p)) == 0;
}

/* Sorting by a hash of what a configuration is shuffles, and does not depend on what else there is:
 * what a resumed sweep has left comes in the order in which it would have come. */
struct place {
    uint64_t of_case, block, own;
    int index;
};

static uint64_t mixed(uint64_t seed, const char *text)
{
    return rng_at(hash_text(HASH_INIT, text), seed);
}

static int place_compare(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->of_case != y->of_case)
        return x->of_case < y->of_case ? -1 : 1;
    if (x->block != y->block)
        return x->block < y->block ? -1 : 1;
    if (x->own != y->own)
        return x->own < y->own ? -1 : 1;
    return x->index - y->index;
}

static int arrange(struct sweep_config *g, int n, bool blocks, uint64_t seed, struct err *err)
{
    struct place *place = calloc((size_t)n + 1, sizeof(*place));
    struct sweep_config *copy = calloc((size_t)n + 1, sizeof(*copy));

    if (!place || !copy) {
        free(place);
        free(copy);
        return err_set(err, -ENOMEM, "out of memory");
    }
    for (int i = 0; i < n; i++) {
        char text[SWEEP_KEY_MAX];

        sweep_key(&g[i], false, text);
        place[i].own = mixed(seed, text);
        op_case_print(&g[i].c, text);
        place[i].of_case = blocks ? mixed(seed, text) : 0;
        place[i].block = blocks ? rng_at(place[i].of_case, (uint64_t)g[i].v.path) : 0;
        place[i].index = i;
    }
    qsort(place, (size_t)n, sizeof(*place), place_compare);
    for (int i = 0; i < n; i++)
        copy[i] = g[place[i].index];
    memcpy(g, copy, (size_t)n * sizeof(*g));
    free(place);
    free(copy);
    return 0;
}

int order_blocks(struct sweep_config *g, int n, uint64_t seed, struct err *err)
{
    return arrange(g, n, true, seed, err);
}

int order_random(struct sweep_config *g, int n, int64_t limit, uint64_t seed, struct err *err)
{
    int rc = arrange(g, n, false, seed, err);

    if (rc == 0 && limit > 0)
        rc = arrange(g, n < limit ? n : (int)limit, true, seed, err);
    return rc;
}

int order_shard(const struct sweep_config *g, int shards)
{
    struct sweep_config base = *g;
    char key[SWEEP_KEY_MAX];

    base.v.form = FORM_NAIVE;
    base.v.n_loads = 0;
    base.load_bytes = 0;
    sweep_key(&base, false, key);
    return 1 + (int)(hash_text(HASH_INIT, key) % (uint64_t)shards);
}
