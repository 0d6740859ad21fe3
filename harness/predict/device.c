/* harness/predict/device.c - which device of the store is meant. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "harness/predict/predict.h"
#include "harness/samples/sampled.h"

/* Row of the device that would be opened; 0: no such device here, or not in the store. */
static int find_local(struct store *st, const char *selector, int64_t *ret_id,
                      struct device_info *ret_info, struct err *err)
{
    struct device *dev = NULL;

    *ret_id = 0;
    if (device_open(selector, &dev, NULL) < 0)
        return 0;
    *ret_info = dev->info;
    device_close(dev);
    return store_find_device(st, ret_info, ret_id, err);
}

/* The one row that matches; 0 if none or several do. Names of all rows go to `names`. */
static int find_stored(struct store *st, const char *selector, int64_t *ret_id, int *ret_matches,
                       char *names, size_t size, struct err *err)
{
    struct store_query *q = NULL;
    size_t n = 0;
    int rc;

    *ret_matches = 0;
    names[0] = 0;
    rc = store_query(st, &q, err,
                     "SELECT id, platform || ' ' || name || ' (' || driver || ', ' || compute_units"
                     " || ' units)' FROM device ORDER BY id",
                     "");
    if (rc < 0)
        return rc;
    while ((rc = store_step(q, err)) == 1) {
        if (!selector || strcasestr(store_text(q, 1), selector)) {
            *ret_id = store_int(q, 0);
            ++*ret_matches;
        }
        if (n < size)
            n += (size_t)snprintf(names + n, size - n, "%s'%s'", n ? ", " : "", store_text(q, 1));
    }
    store_query_done(q);
    return rc;
}

int predict_device(struct store *st, const char *selector, int64_t *ret_id,
                   struct device_info *ret_info, struct err *err)
{
    struct device_info info = {0};
    char names[512];
    int64_t id = 0;
    int matches, rc;

    rc = find_local(st, selector, &id, &info, err);
    if (rc < 0)
        return rc;
    if (id == 0) {
        rc = find_stored(st, selector, &id, &matches, names, sizeof(names), err);
        if (rc < 0)
            return rc;
        if (!*names)
            return err_set(err, -ENOENT, "no device in '%s': run 'flashmem sweep SPEC'",
                           store_path(st));
        if (matches != 1)
            return err_set(err, -ENOENT, "--device: '%s' means %s device of '%s', want one of %s",
                           selector ? selector : "", matches ? "more than one" : "no",
                           store_path(st), names);
        rc = sampled_device(st, id, &info, err);
        if (rc < 0)
            return rc;
    }
    *ret_id = id;
    *ret_info = info;
    return 0;
}
