#include "harness/cli/setup/queue_seats.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/cli/setup/model_file.h"
#include "harness/text/units.h"

static bool serves(const struct queue_place *p, const struct workload_request *r)
{
    return strcmp(p->like->model, r->model) == 0 && p->like->dtype == r->dtype &&
           p->like->seed == r->seed && (p->like->priority > 0) == (r->priority > 0);
}

/* Inputs, output and the reader's buffers are there from the beginning to the end. */
static int count_kept(struct queue_seats *q, struct queue_place *p, struct err *err)
{
    struct tensor_desc out;
    struct model *m;
    int rc = cli_model(q->cli, p->like->model, (enum dtype)p->opts.planning.dtype, &m, err);

    if (rc < 0)
        return rc;
    replay_output_values(m, &out);
    p->kept_bytes = reader_staging_bytes() + tensor_bytes(&out);
    for (int i = 0; i < m->n_inputs; i++)
        p->kept_bytes += tensor_bytes(&m->input[i].desc);
    q->kept_bytes += p->kept_bytes;
    model_free(m);
    return 0;
}

static int find_places(struct queue_seats *q, struct err *err)
{
    int rc = 0;

    q->place = calloc((size_t)q->workload->n + 1, sizeof(*q->place));
    q->place_of = calloc((size_t)q->workload->n + 1, sizeof(*q->place_of));
    if (!q->place || !q->place_of)
        return err_set(err, -ENOMEM, "out of memory for %d requests", q->workload->n);
    for (int i = 0; i < q->workload->n && rc == 0; i++) {
        const struct workload_request *r = &q->workload->request[i];
        struct queue_place *p;
        int k = 0;

        while (k < q->n && !serves(&q->place[k], r))
            k++;
        q->place_of[i] = k;
        if (k < q->n)
            continue;
        p = &q->place[q->n++];
        p->like = r;
        p->cli = *q->cli;
        p->opts = *q->opts;
        if (r->seed >= 0)
            p->cli.seed = r->seed;
        if (r->dtype >= 0)
            p->opts.planning.dtype = r->dtype;
        rc = count_kept(q, p, err);
    }
    return rc;
}

static void close_place(struct queue_place *p)
{
    schedule_done(&p->schedule);
    if (p->session.cli)
        replay_session_close(&p->session);
    p->session = (struct replay_session){0};
}

static int measure(const struct queue_seats *q, struct queue_place *p, struct err *err)
{
    struct replay_session *s = &p->session;
    struct tensor_desc d;
    size_t n = replay_output_values(s->m, &d);
    double diff = 0, norm = 0;
    char alone[UNIT_TEXT], peak[UNIT_TEXT];
    float *y;
    int rc = queue_seat_measure(p->seat, s->ex, &p->schedule, s->m->n_layers, &p->lone, err);

    if (rc < 0)
        return rc;
    cli_note(q->cli, "%s%s: alone %s, %s at most", s->m->name, p->like->priority > 0 ? " (urgent)" : "",
             format_time(alone, (double)p->lone.integrated_ns),
             format_bytes(peak, p->lone.peak_bytes));
    p->verify_error = NAN;
    if (!s->reference)
        return 0;
    y = malloc(n * sizeof(*y));
    if (!y)
        return err_set(err, -ENOMEM, "out of memory for an output of %zu values", n);
    executor_output(s->ex, y);
    for (size_t i = 0; i < n; i++) {
        diff += ((double)y[i] - (double)s->reference[i]) * ((double)y[i] - (double)s->reference[i]);
        norm += (double)s->reference[i] * (double)s->reference[i];
    }
    free(y);
    p->verify_error = norm > 0 ? sqrt(diff / norm) : sqrt(diff);
    return 0;
}

/* Everything up to a run alone, within so many bytes; 0: without a limit. */
static int try_place(struct queue_seats *q, struct queue_place *p, uint64_t bytes, struct err *err)
{
    struct replay_session *s = &p->session;
    int rc;

    /* A plan's limit counts inputs and output; here they are kept, beside what a run may take. */
    p->opts.planning.memory = bytes ? bytes + p->kept_bytes - reader_staging_bytes() : 0;
    *s = (struct replay_session){
        .cli = &p->cli,
        .o = &p->opts,
        .st = q->st,
        .dev = q->dev,
        .device_id = q->device_id,
        .guest = true,
        .exec =
            {
                .path = (enum mem_path)p->opts.planning.path,
                .memory_limit = bytes,
                .at_plan = p->opts.reader == 1,
            },
    };
    replay_set_kernel(s, p->opts.kernel);
    s->disk = (struct reader_options){.ram = p->opts.source == 1, .rate_bps = p->opts.disk_rate};
    if (s->disk.ram || s->disk.rate_bps)
        s->exec.disk = &s->disk;
    s->exec.stop = q->stop;
    queue_seat_options(p->seat, &s->exec);
    rc = replay_session_open(s, p->like->model, err);
    if (rc == 0)
        rc = replay_session_problem(s, err);
    if (rc == 0)
        rc = replay_session_plans(s, err);
    if (rc == 0)
        rc = executor_schedule(s->ex, &s->mp, s->plan[0], &p->schedule, err);
    if (rc < 0)
        close_place(p);
    return rc;
}

/* The least that works, within 1 %: tried, as a run would; 0: nothing tried does. */
static uint64_t least_bytes(struct queue_seats *q, struct queue_place *p, uint64_t too_few)
{
    uint64_t low = too_few, high = too_few;
    struct err unused;
    bool works = false;

    p->cli.quiet = true;
    p->opts.verify = false;
    for (int i = 0; i < 40 && !works; i++) {
        low = high;
        high = high / 2 * 3 + 1000000;
        works = try_place(q, p, high, &unused) == 0;
        close_place(p);
    }
    while (works && high - low > high / 100) {
        uint64_t mid = low + (high - low) / 2;

        if (try_place(q, p, mid, &unused) == 0)
            high = mid;
        else
            low = mid;
        close_place(p);
    }
    return works ? high : 0;
}

static int too_small(struct queue_seats *q, struct queue_place *p, uint64_t all, uint64_t others,
                     struct err *err)
{
    uint64_t least = least_bytes(q, p, all);

    if (least == 0)
        return err->code;
    return err_set(err, -ENOSPC,
                   "--memory: '%llu' bytes are too few for this queue: with '%s' the least that "
                   "works is %llu, of which %llu are kept for models that wait and urgent ones",
                   (unsigned long long)q->opts->planning.memory, p->like->model,
                   (unsigned long long)(least + others), (unsigned long long)others);
}

/* Urgent ones take what they need of a quarter, or of half; the others share the rest. */
static int open_place(struct queue_seats *q, struct queue_place *p, struct err *err)
{
    bool urgent = p->like->priority > 0;
    uint64_t limit = q->opts->planning.memory, others = q->kept_bytes + (urgent ? 0 : q->urgent_bytes);
    uint64_t all = limit > others ? limit - others : 1;
    int rc = queue_seat_new(q->queue, urgent, &p->seat, err);

    if (rc < 0)
        return rc;
    rc = -ENOSPC;
    if (limit == 0)
        rc = try_place(q, p, 0, err);
    for (uint64_t part = urgent ? 4 : q->halves ? 2 : 1; limit > 0 && rc == -ENOSPC && part > 0;
         part /= 2)
        rc = try_place(q, p, all / part, err);
    if (rc == -ENOSPC && limit > 0)
        return too_small(q, p, all, others, err);
    if (rc == 0)
        rc = measure(q, p, err);
    if (rc == 0 && urgent && p->lone.peak_bytes > q->urgent_bytes)
        q->urgent_bytes = p->lone.peak_bytes;
    q->build_ns += p->lone.build_ns;
    return rc < 0 ? err_prefix(err, "%s", p->like->model) : 0;
}

int queue_seats_open(struct queue_seats *q, struct err *err)
{
    int rc = queue_new(q->opts->planning.memory, q->stop, &q->queue, err);

    if (rc == 0)
        rc = find_places(q, err);
    for (int urgent = 1; urgent >= 0; urgent--)
        for (int k = 0; k < q->n && rc == 0; k++)
            if ((q->place[k].like->priority > 0) == urgent)
                rc = open_place(q, &q->place[k], err);
    return rc;
}

void queue_seats_close(struct queue_seats *q)
{
    for (int k = 0; q->place && k < q->n; k++)
        close_place(&q->place[k]);
    queue_free(q->queue);
    free(q->place);
    free(q->place_of);
}
