/* harness/samples/sampled.c - see sampled.h. */
#include "harness/samples/sampled.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/samples/twos.h"
#include "profiler/measure.h"

static enum device_type type_of(const char *name)
{
    for (int t = DEVICE_CPU; t < DEVICE_OTHER; t++)
        if (strcmp(name, device_type_name((enum device_type)t)) == 0)
            return (enum device_type)t;
    return DEVICE_OTHER;
}

static void device_of_row(struct store_query *q, struct device_info *ret_info)
{
    struct device_info d = {0};

    snprintf(d.platform, sizeof(d.platform), "%s", store_text(q, 0));
    snprintf(d.name, sizeof(d.name), "%s", store_text(q, 1));
    snprintf(d.version, sizeof(d.version), "%s", store_text(q, 2));
    snprintf(d.driver, sizeof(d.driver), "%s", store_text(q, 3));
    d.type = type_of(store_text(q, 4));
    d.image_width = (uint64_t)store_int(q, 5);
    d.image_height = (uint64_t)store_int(q, 6);
    d.local_bytes = (uint64_t)store_int(q, 7);
    d.unified = store_int(q, 8) != 0;
    d.half_images = store_int(q, 9) != 0;
    d.compute_units = (unsigned)store_int(q, 10);
    d.max_group = (uint64_t)store_int(q, 11);
    d.timer_ns = (uint64_t)store_int(q, 12);
    /* Memory sizes are not kept, because some platforms report those of the moment. */
    d.images = d.image_width > 0;
    d.global_bytes = d.max_alloc_bytes = UINT64_MAX;
    *ret_info = d;
}

int sampled_device(struct store *st, int64_t device_id, struct device_info *ret_info,
                   struct err *err)
{
    struct store_query *q = NULL;
    int rc;

    rc = store_query(st, &q, err,
                     "SELECT platform, name, version, driver, type, image_width, image_height,"
                     " local_bytes, unified, half_images, compute_units, max_group, timer_ns"
                     " FROM device WHERE id = ?", "i", device_id);
    if (rc < 0)
        return rc;
    rc = store_step(q, err);
    if (rc == 1) {
        device_of_row(q, ret_info);
        rc = 0;
    } else if (rc == 0) {
        rc = err_set(err, -ENOENT, "no device %" PRId64 " in '%s'", device_id, store_path(st));
    }
    store_query_done(q);
    return rc;
}

static bool is_current(const struct device_info *dev, const struct sampled *s, const char *hash)
{
    char text[20];
    uint64_t now;

    if (!hash || op_variant_hash(&s->c, &s->v, dev, &now, NULL) < 0)
        return true;
    snprintf(text, sizeof(text), "%016" PRIx64, now);
    return strcmp(text, hash) == 0;
}

/* One row; -EINVAL if this program's operators cannot read it. */
static int parse_row(struct store_query *q, const struct device_info *dev, enum dtype dtype,
                     enum mem_path path, struct sampled *ret_s, struct err *err)
{
    struct sampled s = {
        .id = store_int(q, 0),
        .noisy = strcmp(store_text(q, 1), sample_status_name(SAMPLE_NOISY)) == 0,
        .median_ns = store_real(q, 2),
        .base_ns = store_real(q, 3),
        .slowdown = store_real(q, 4),
        .load_bytes = (uint64_t)store_int(q, 5),
        .extra_ratio = store_real(q, 6),
    };
    int rc;

    rc = op_case_make(store_text(q, 7), dtype, store_text(q, 8), &s.c, err);
    if (rc == 0)
        rc = op_variant_parse(&s.c, dev, store_text(q, 9), &s.v, err);
    if (rc == 0 && s.v.path != path)
        rc = err_set(err, -EINVAL, "variant '%s' is not of path '%s'", store_text(q, 9),
                     mem_path_name(path));
    if (rc < 0)
        return -EINVAL;
    s.current = is_current(dev, &s, store_text(q, 10));
    *ret_s = s;
    return 0;
}

static int grow(struct sampled_set *set, int *room, struct err *err)
{
    struct sampled *row;

    if (set->row && set->n < *room)
        return 0;
    row = realloc(set->row, (size_t)*room * 2 * sizeof(*row));
    if (!row)
        return err_set(err, -ENOMEM, "no memory for %d samples", *room * 2);
    set->row = row;
    *room *= 2;
    return 0;
}

static int kernel_of(const struct sampled *s)
{
    int op = 0;

    while (op_table[op] && op_table[op] != s->c.op)
        op++;
    return op * OP_MAX_KERNELS + s->v.kernel;
}

static int leave_out_outdated(struct sampled_set *set, struct err *err)
{
    enum { SHARE = 4 }; /* a quarter */
    int ops = 0, n = 0;
    int *surplus; /* of a kernel: how many are current beyond their share, times SHARE */

    while (op_table[ops])
        ops++;
    surplus = calloc((size_t)(ops + 1) * OP_MAX_KERNELS, sizeof(*surplus));
    if (!surplus)
        return err_set(err, -ENOMEM, "no memory for %d kernels", ops);
    for (int i = 0; i < set->n; i++)
        surplus[kernel_of(&set->row[i])] += set->row[i].current ? SHARE - 1 : -1;
    for (int i = 0; i < set->n; i++)
        if (set->row[i].current || surplus[kernel_of(&set->row[i])] < 0)
            set->row[n++] = set->row[i];
    set->outdated = set->n - n;
    set->n = n;
    free(surplus);
    return 0;
}

int sampled_read(struct store *st, int64_t device_id, const struct device_info *dev,
                 enum dtype dtype, enum mem_path path, struct sampled_set *ret_set,
                 struct err *err)
{
    struct sampled_set set = {0};
    struct store_query *q = NULL;
    int room = 64, rc;

    rc = store_query(st, &q, err,
                     "SELECT s.id, s.status, s.median_ns, s.base_median_ns, s.slowdown,"
                     " c.load_bytes, c.extra_ratio, c.op, c.shape, c.variant, s.build_hash"
                     " FROM sample s JOIN config c ON c.id = s.config_id"
                     " JOIN session e ON e.id = s.session_id"
                     " WHERE e.device_id = ? AND c.dtype = ? AND c.path = ?"
                     " AND s.status IN ('ok', 'noisy') AND s.median_ns > 0"
                     " AND c.cache = 'flushed' ORDER BY c.key, s.taken_utc, s.median_ns",
                     "iss", device_id, dtype_name(dtype), mem_path_name(path));
    if (rc < 0)
        return rc;
    while ((rc = store_step(q, err)) == 1) {
        struct err why = {0};

        rc = grow(&set, &room, err);
        if (rc < 0)
            break;
        if (parse_row(q, dev, dtype, path, &set.row[set.n], &why) == 0)
            set.n++;
        else if (set.skipped++ == 0)
            memcpy(set.why, why.text, sizeof(set.why));
    }
    store_query_done(q);
    if (rc == 0)
        rc = leave_out_outdated(&set, err);
    if (rc == 0 && dev->type != DEVICE_CPU)
        rc = twos_again(st, device_id, &set, err);
    if (rc < 0) {
        sampled_done(&set);
        return rc;
    }
    *ret_set = set;
    return 0;
}

struct op_variant sampled_base(const struct op_variant *v)
{
    struct op_variant base = *v;

    base.form = FORM_NAIVE;
    base.n_loads = 0;
    return base;
}

void sampled_done(struct sampled_set *set)
{
    free(set->row);
    *set = (struct sampled_set){0};
}
