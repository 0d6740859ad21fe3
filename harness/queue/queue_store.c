#include "harness/queue/queue_store.h"

static int save_queue(struct store *st, const struct queue_row *row,
                      const struct queue_result *result, struct err *err)
{
    char source[READER_SOURCE_MAX];

    reader_source(row->exec->disk, source);
    return store_exec(
        st, err,
        "INSERT INTO queue (session_id, taken_utc, workload, order_seed, policy, dtype, path,"
        " kernel, reader, source, cache, memory_limit_bytes, overlap, preempt, requests, build_ns,"
        " total_ns, peak_bytes, avg_bytes, mem_byte_s, rss_peak_bytes, status)"
        " VALUES (?, " STORE_NOW_UTC ", ?, nullif(?, -1), ?, ?, ?, ?, ?, ?, ?, nullif(?, 0), ?, ?,"
        " ?, ?, ?, ?, ?, ?, ?, ?)",
        "isisssssssiiiiiiiddis", row->session_id, row->workload->path, row->order_seed, row->policy,
        row->dtype, mem_path_name(row->exec->path), executor_kernel_name(row->exec),
        executor_reader_names[row->exec->at_plan], source, row->cold ? "cold" : "warm",
        (int64_t)row->memory_limit, (int64_t)row->opt->overlap, (int64_t)row->opt->preempt,
        (int64_t)row->workload->n, (int64_t)row->build_ns, (int64_t)result->total_ns,
        (int64_t)result->mem.peak_bytes, result->mem.avg_bytes, result->mem.byte_s,
        (int64_t)result->mem.rss_peak_bytes, row->status);
}

static int save_step(struct store *st, int64_t queue, const struct queue_row *row, int i,
                     const struct queue_step *s, struct err *err)
{
    const struct workload_request *r = &row->workload->request[i];
    int64_t alone = (int64_t)row->alone_ns[i];

    if (!s->done)
        return store_exec(st, err,
                          "INSERT INTO queue_step (queue_id, step, model, priority, arrive_ns,"
                          " alone_ns) VALUES (?, ?, ?, ?, ?, ?)",
                          "iisiii", queue, (int64_t)i + 1, row->model[i], (int64_t)r->priority,
                          (int64_t)r->arrive_ns, alone);
    return store_exec(st, err,
                      "INSERT INTO queue_step VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, nullif(?, 0), ?,"
                      " ?, ?, ?, ?)",
                      "iisiiiiiiiiiisd", queue, (int64_t)i + 1, row->model[i],
                      (int64_t)r->priority, (int64_t)r->arrive_ns, (int64_t)s->start_ns,
                      (int64_t)s->turn_ns, (int64_t)s->end_ns, (int64_t)s->paused_ns,
                      (int64_t)s->paused_layer, alone, (int64_t)s->peak_bytes,
                      (int64_t)s->bytes_read, row->verified[i], row->verify_error[i]);
}

static uint64_t total_bytes(const struct mem_point *p)
{
    uint64_t sum = 0;

    for (int k = 0; k < MEM_KINDS; k++)
        sum += p->live_bytes[k];
    return sum;
}

static int save_point(struct store *st, int64_t queue, int seq, const struct mem_point *p,
                      uint64_t rss_bytes, struct err *err)
{
    return store_exec(st, err,
                      "INSERT INTO queue_memory VALUES (?, ?, ?, ?, ?, ?, ?, ?, nullif(?, 0))",
                      "iiiiiiiii", queue, (int64_t)seq, (int64_t)p->t_ns,
                      (int64_t)p->live_bytes[MEM_STAGING], (int64_t)p->live_bytes[MEM_UM],
                      (int64_t)p->live_bytes[MEM_TEXTURE], (int64_t)p->live_bytes[MEM_ACTIVATION],
                      (int64_t)p->live_bytes[MEM_HOST], (int64_t)rss_bytes);
}

/* Stretches of equal length; of each the point with the most, and the highest RSS. Peaks stay. */
static int save_memory(struct store *st, int64_t queue, const struct queue_result *r,
                       struct err *err)
{
    uint64_t stretch = r->total_ns / QUEUE_MEMORY_POINTS + 1;
    int rc = 0;

    for (int i = 0, seq = 0, next; i < r->n_memory && rc == 0; i = next, seq++) {
        const struct mem_point *most = &r->memory[i];
        uint64_t rss = 0;

        for (next = i; next < r->n_memory &&
                       r->memory[next].t_ns / stretch == r->memory[i].t_ns / stretch;
             next++) {
            if (total_bytes(&r->memory[next]) > total_bytes(most))
                most = &r->memory[next];
            if (r->memory[next].rss_bytes > rss)
                rss = r->memory[next].rss_bytes;
        }
        rss = rss > r->mem.rss_base_bytes ? rss - r->mem.rss_base_bytes : 0;
        rc = save_point(st, queue, seq, most, rss, err);
    }
    return rc;
}

int queue_save(struct store *st, const struct queue_row *row, const struct queue_step *step,
               const struct queue_result *result, struct err *err)
{
    int64_t queue = 0;
    int rc = store_begin(st, err), end;

    if (rc < 0)
        return rc;
    rc = save_queue(st, row, result, err);
    if (rc == 0)
        queue = store_last_id(st);
    for (int i = 0; i < row->workload->n && rc == 0; i++)
        rc = save_step(st, queue, row, i, &step[i], err);
    if (rc == 0)
        rc = save_memory(st, queue, result, err);
    end = store_end(st, rc == 0, rc == 0 ? err : NULL);
    return rc ? rc : end;
}
