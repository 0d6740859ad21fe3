#include "harness/cli/setup/plan_options.h"

#include <errno.h>
#include <string.h>

#include "harness/replay/executor.h"
#include "harness/text/units.h"

#define DIRECT_CHUNK UINT64_C(65536) /* nothing is moved in chunks: the finest rounding of sizes */
#define CHUNKS_LEAST UINT64_C(512)   /* a limit is worth so many, down to the finest */
#define RING_MOST (UINT64_C(16) << 20)
#define RING_LEAST (UINT64_C(256) << 10) /* and steps of it */
#define RING_SHARE 5 /* of what a limit leaves for weights; there are two of it on some devices */
#define M_PEAK_BYTES UINT64_C(500000000) /* the paper's */

static int parse_m_peak(const char *text, uint64_t *ret_bytes, struct err *err)
{
    if (strcmp(text, "none") == 0) {
        *ret_bytes = 0;
        return 0;
    }
    return parse_bytes(text, ret_bytes, err);
}

int plan_options_check(const struct plan_options *o, struct err *err)
{
    struct thresholds t = thresholds_default();
    uint64_t bytes;

    for (int i = 0; i < o->thresholds.n; i++)
        if (thresholds_set(&t, o->thresholds.item[i], err) < 0)
            return -EINVAL;
    if (o->m_peak && parse_m_peak(o->m_peak, &bytes, err) < 0)
        return err_prefix(err, "--m-peak");
    if (o->ring && o->ring < SCHEDULE_MIN_RING)
        return err_set(err, -EINVAL, "--ring: want at least %llu bytes, got '%llu'",
                       (unsigned long long)SCHEDULE_MIN_RING, (unsigned long long)o->ring);
    return 0;
}

int plan_options_policies(const struct opt_list *policies, struct err *err)
{
    char all[256] = "";
    size_t n = 0;

    for (int i = 0; i < policies->n; i++) {
        if (policy_find(policies->item[i]))
            continue;
        for (const struct policy *const *p = policy_table; *p && n < sizeof(all); p++)
            n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s", n ? ", " : "", (*p)->name);
        return err_set(err, -EINVAL, "--policy: want one of %s, got '%s'", all, policies->item[i]);
    }
    return 0;
}

uint64_t plan_options_m_peak(const struct plan_options *o, uint64_t if_not_given)
{
    uint64_t bytes = if_not_given;

    if (o->m_peak)
        parse_m_peak(o->m_peak, &bytes, NULL);
    return bytes;
}

/* What --memory leaves beside activations and the reader; UINT64_MAX without it. */
static uint64_t left_for_weights(const struct plan_options *o, const struct model *m, bool direct)
{
    uint64_t reserve;

    if (!o->memory || !m)
        return UINT64_MAX;
    reserve = executor_reserve_bytes(m, (enum mem_path)o->path, direct, 0);
    return o->memory > reserve ? o->memory - reserve : 0;
}

uint64_t plan_options_ring(const struct plan_options *o, const struct model *m)
{
    uint64_t bytes = left_for_weights(o, m, false) / RING_SHARE;

    if (o->ring)
        return o->ring / READ_ALIGN * READ_ALIGN;
    if (bytes > RING_MOST)
        return RING_MOST;
    return bytes < RING_LEAST ? RING_LEAST : bytes / RING_LEAST * RING_LEAST;
}

/* A weight takes whole chunks: within a small limit large ones would be mostly air. */
static uint64_t default_chunk(const struct plan_options *o, const struct model *m, bool direct)
{
    uint64_t chunk = problem_defaults().chunk_bytes, left = left_for_weights(o, m, direct);

    while (chunk > DIRECT_CHUNK && (direct || chunk > left / CHUNKS_LEAST))
        chunk /= 2;
    return chunk;
}

int plan_options_disk_rate(struct store *st, int64_t device_id, uint64_t given, double *ret_rate,
                           struct err *err)
{
    struct store_query *q;
    double rate = (double)given;
    int rc = 0;

    if (!given) {
        rc = store_query(st, &q, err,
                         "SELECT r.bytes_read / r.disk_ns * 1e9 FROM run r"
                         " JOIN session s ON s.id = r.session_id"
                         " WHERE s.device_id = ? AND r.disk_ns > 0 AND r.bytes_read > 0"
                         " AND r.source = 'disk' AND r.cache <> 'kept'" /* there some is not read */
                         " ORDER BY r.cache = 'cold' DESC, r.taken_utc DESC, r.id DESC LIMIT 1",
                         "i", device_id);
        if (rc < 0)
            return rc;
        rc = store_step(q, err);
        rate = rc == 1 ? store_real(q, 0) : 0;
        store_query_done(q);
    }
    if (rc >= 0)
        *ret_rate = rate;
    return rc < 0 ? rc : 0;
}

struct problem_options plan_options_problem(const struct plan_options *o, const struct model *m,
                                            const struct best *best, bool direct)
{
    struct problem_options po = problem_defaults();
    uint64_t ring = plan_options_ring(o, m);

    for (int i = 0; i < o->thresholds.n; i++)
        thresholds_set(&po.thresholds, o->thresholds.item[i], NULL);
    po.chunk_bytes = o->chunk ? o->chunk : default_chunk(o, m, direct);
    po.m_peak_bytes = plan_options_m_peak(o, o->memory ? 0 : M_PEAK_BYTES);
    po.lambda = o->lambda;
    po.best = best;
    po.price = (enum plan_price)o->price;
    po.limit = (enum plan_limit)o->limit;
    po.memory_limit = o->memory;
    po.reserve_bytes = executor_reserve_bytes(m, (enum mem_path)o->path, direct, ring);
    po.direct = direct;
    po.ring_bytes = direct ? 0 : ring;
    po.preload = o->preload.item;
    po.n_preload = o->preload.n;
    po.respect_capacity = o->respect_capacity;
    po.relax_percent = (int)o->relax;
    return po;
}
