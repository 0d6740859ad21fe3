#include "harness/plan/plan_store.h"

#include <inttypes.h>
#include <math.h>

/* nullif() turns our "none" into NULL: bindings know no optional integer. */
static const char insert_plan[] =
    "INSERT INTO plan (made_utc, device_id, model, dtype, path, policy, price, limit_reading,"
    " m_peak_bytes, memory_limit_bytes, lambda, chunk_bytes, capacity_source, objective,"
    " lower_bound, status, preloaded_bytes, peak_bytes, predicted_ns, solve_ns, latency_bound_ns,"
    " disk_bytes_per_s)"
    " VALUES (" STORE_NOW_UTC ", nullif(?, 0), ?, ?, ?, ?, ?, ?,"
    " nullif(?, -1), nullif(?, 0), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, nullif(?, 0.0))";

static int save_plan(struct store *st, int64_t device_id, enum dtype dtype, enum mem_path path,
                     const struct predictor *predictor, uint64_t memory_limit,
                     const struct plan_problem *p, const struct plan *plan, struct err *err)
{
    double unit = p->a + p->b, bound = (double)plan->lower_bound / unit;
    int64_t chunk = (int64_t)p->chunk_bytes;
    char source[96] = "none: all zero";

    if (p->capacities)
        snprintf(source, sizeof(source), "%s", p->capacities);
    else if (predictor)
        snprintf(source, sizeof(source), "regressor %" PRId64, predictor_id(predictor));
    else if (device_id == 0)
        snprintf(source, sizeof(source), "instance");
    return store_exec(st, err, insert_plan, "issssssiidisddsiididd", device_id, p->model,
                      device_id ? dtype_name(dtype) : "", device_id ? mem_path_name(path) : "",
                      plan->policy, plan_price_names[p->price], plan_limit_names[p->limit],
                      p->m_peak < 0 ? (int64_t)-1 : p->m_peak * chunk, (int64_t)memory_limit,
                      p->a / unit, chunk, source, (double)plan->objective / unit,
                      plan->lower_bound < 0 ? (double)NAN : bound, plan_status_names[plan->status],
                      (int64_t)plan->preloaded_bytes, plan->peak * chunk, plan->latency_ns,
                      (int64_t)plan->solve_ns, plan->latency_bound_ns,
                      isinf(p->disk_bytes_per_s) ? (double)NAN : p->disk_bytes_per_s);
}

static int save_weights(struct store *st, int64_t id, const struct plan_problem *p,
                        const struct plan *plan, struct err *err)
{
    int rc = 0;

    for (int w = 0; w < p->n_weights && rc == 0; w++) {
        const struct plan_weight *k = &p->weight[w];

        rc = store_exec(st, err, "INSERT INTO plan_weight VALUES (?, ?, ?, ?, ?, ?, nullif(?, 0))",
                        "isiiiii", id, k->name, (int64_t)k->bytes, (int64_t)k->chunks,
                        (int64_t)k->consumer, (int64_t)plan->preload[w],
                        (int64_t)plan->load_layer[w]);
    }
    for (int i = 0; i < plan->n_moves && rc == 0; i++) {
        const struct plan_move *m = &plan->move[i];

        rc = store_exec(st, err, "INSERT INTO plan_load VALUES (?, ?, ?, ?)", "isii", id,
                        p->weight[m->weight].name, (int64_t)m->layer, (int64_t)m->chunks);
    }
    return rc;
}

/* Nothing that the checker rejects becomes a row. Capacities are a policy's to ignore, and a plan
 * beyond the limits says so by its status. */
static int refuse_wrong(const struct plan_problem *p, const struct plan *plan, struct err *err)
{
    struct plan_problem q = *p;
    int rc;

    if (plan->status == PLAN_INFEASIBLE) {
        q.m_peak = -1;
        q.m_total = 0;
    }
    rc = plan_check(&q, plan, true, NULL, NULL, err);
    return rc < 0 ? err_prefix(err, "not stored: the plan is wrong") : 0;
}

int plan_store_save(struct store *st, int64_t device_id, enum dtype dtype, enum mem_path path,
                    const struct predictor *predictor, uint64_t memory_limit,
                    const struct plan_problem *p, const struct plan *plan, int64_t *ret_id,
                    struct err *err)
{
    int64_t id = 0;
    int rc = refuse_wrong(p, plan, err), ended;

    if (rc == 0)
        rc = store_begin(st, err);
    if (rc < 0)
        return rc;
    rc = save_plan(st, device_id, dtype, path, predictor, memory_limit, p, plan, err);
    if (rc == 0) {
        id = store_last_id(st);
        rc = save_weights(st, id, p, plan, err);
    }
    ended = store_end(st, rc == 0, rc == 0 ? err : NULL);
    rc = rc < 0 ? rc : ended;
    if (rc == 0)
        *ret_id = id;
    return rc;
}
