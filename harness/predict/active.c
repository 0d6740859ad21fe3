/* harness/predict/active.c - see active.h. */
#include "harness/predict/active.h"

#include <errno.h>
#include <stdlib.h>

#include "harness/predict/field.h"
#include "profiler/rng.h"

/* A prediction is good within 10 %. */
static const double tolerance = 0.1;

static bool is_open(const struct field *f, const struct active_item *item, int i)
{
    return !f->cannot[i] && !(item[i].ns > 0);
}

/* A draw of what is not known, where nothing is known to go by. */
static int draw(const struct field *f, const struct active_item *item, int batch, uint64_t seed,
                int *ret_index)
{
    int n = 0, start = (int)rng_below(&seed, (uint64_t)f->n), stride = 1 + f->n / (batch + 1);

    for (int lap = 0; lap < stride && n < batch; lap++)
        for (int k = lap; k < f->n && n < batch; k += stride) {
            int i = (start + k) % f->n;

            if (is_open(f, item, i))
                ret_index[n++] = i;
        }
    return n;
}

int active_batch(int known)
{
    enum { FEWEST = 10, SHARE = 10 };

    return known / SHARE > FEWEST ? known / SHARE : FEWEST;
}

static int choose(const struct field *f, const struct active_item *item, int batch, uint64_t seed,
                  int *ret_index, int *ret_n, struct err *err)
{
    struct gauss_part part[FIELD_ASPECTS];
    bool *taken = calloc((size_t)f->n + 1, sizeof(*taken));
    int parts = 0, rc;

    if (!taken)
        return err_set(err, -ENOMEM, "no memory for %d configurations", f->n);
    for (int i = 0; i < f->n; i++)
        taken[i] = !is_open(f, item, i);
    for (int a = 0; a < FIELD_ASPECTS; a++) {
        const struct aspect *p = &f->aspect[a];

        if (p->process)
            part[parts++] = (struct gauss_part){p->process, p->x, p->kind, p->present};
    }
    rc = gauss_choose(part, parts, taken, f->n, tolerance, batch, seed, ret_index, ret_n, err);
    free(taken);
    return rc;
}

int active_choose(const struct device_info *dev, const struct active_item *item, int n, int batch,
                  uint64_t seed, int *ret_index, int *ret_n, struct err *err)
{
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
        known += !f.cannot[i] && item[i].ns > 0;
    if (known == 0) {
        chosen = draw(&f, item, batch, seed, ret_index);
    } else {
        rc = field_learn(&f, dev, item, seed, err);
        if (rc == 0)
            rc = choose(&f, item, batch, seed, ret_index, &chosen, err);
    }
    if (rc == 0)
        *ret_n = chosen;
    field_done(&f);
    return rc;
}
