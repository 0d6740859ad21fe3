/* One run of an executor, and a sequence of them: what is booked for it, and what stays after it. */
#include <errno.h>
#include <stdlib.h>

#include "harness/replay/direct.h"
#include "profiler/clock.h"
#include "profiler/hash.h"

/* ---- what is booked ---- */

/* What a run books from its beginning to its end. */
struct part {
    enum mem_kind kind;
    uint64_t bytes;
    const char *what;
};
enum { PARTS_MAX = 4 };

/* What the device is fed, the inputs as texels and the index vector of compacted gathers, and the
 * output as it is read back. */
static uint64_t host_bytes(const struct model *m)
{
    uint64_t bytes = tensor_bytes(executor_output_desc(m));

    for (int i = 0; i < m->n_inputs; i++)
        bytes += tensor_bytes(&m->input[i].desc) << (m->input[i].desc.dtype == DTYPE_I32);
    return bytes;
}

/* Of an executor's own run: whoever is above counts them from the beginning to the end. */
uint64_t executor_own_host_bytes(const struct executor *ex)
{
    return ex->opt.above ? 0 : host_bytes(ex->m);
}

/* The ring is unified memory, and once more staging where the device has memory of its own and
 * keeps a second copy there. The memory of a direct run is all there while it lasts. */
static int parts_of(const struct executor *ex, const struct schedule *s, struct part *part)
{
    uint64_t ring = ex->opt.ring_bytes;
    int n = 0;

    part[n++] = (struct part){MEM_HOST, executor_own_host_bytes(ex), "inputs and output"};
    if (s->direct) {
        part[n++] = (struct part){MEM_TEXTURE, s->place_bytes, "the weights"};
        part[n++] = (struct part){MEM_ACTIVATION, ex->layout.bytes, "the activations"};
        part[n++] = (struct part){MEM_STAGING, reader_staging_bytes(), "the reader"};
    } else {
        part[n++] = (struct part){MEM_UM, ring, "the ring"};
        part[n++] = (struct part){
            MEM_STAGING, reader_staging_bytes() + (ex->dev->info.unified ? 0 : ring),
            "the reader"};
    }
    return n;
}

uint64_t executor_fixed_bytes(const struct executor *ex, const struct schedule *s)
{
    struct part part[PARTS_MAX];
    int n = parts_of(ex, s, part);
    uint64_t bytes = 0;

    for (int i = 0; i < n; i++)
        bytes += part[i].bytes;
    return bytes;
}

uint64_t executor_reserve_bytes(const struct model *m, enum mem_path path, bool direct,
                                uint64_t ring_bytes)
{
    struct layout y;
    uint64_t bytes;

    if (!direct)
        return activations_peak_bytes(m, path) + 2 * ring_bytes + reader_staging_bytes() +
               host_bytes(m);
    if (layout_make(m, path, &y, NULL) < 0)
        return UINT64_MAX;
    bytes = y.bytes + reader_staging_bytes() + host_bytes(m);
    layout_done(&y);
    return bytes;
}

/* Less what has been given back of the weights. */
static void unbook(struct executor *ex, const struct schedule *s, uint64_t given_bytes)
{
    struct part part[PARTS_MAX];
    int n = parts_of(ex, s, part);

    for (int i = 0; i < n; i++)
        mem_release(ex->mem, part[i].kind,
                    part[i].bytes - (part[i].kind == MEM_TEXTURE ? given_bytes : 0));
}

static int book(struct executor *ex, const struct schedule *s, struct err *err)
{
    struct part part[PARTS_MAX];
    int n = parts_of(ex, s, part);

    for (int i = 0; i < n; i++) {
        int rc = mem_charge(ex->mem, part[i].kind, part[i].bytes, part[i].what, err);

        for (int k = 0; rc < 0 && k < i; k++)
            mem_release(ex->mem, part[k].kind, part[k].bytes);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* ---- one run ---- */

static int keep_output(struct executor *ex, const struct activations *acts, uint64_t *ret_hash,
                       struct err *err)
{
    const struct tensor *out = &acts->out[ex->m->n_layers - 1];
    int rc = tensor_read(ex->queue, out, ex->output, err);

    if (rc == 0)
        *ret_hash = hash_bytes(HASH_INIT, ex->output, tensor_bytes(&out->desc));
    return rc;
}

/* A layer with nothing to run took no time, where the one before it ended. */
static void read_times(const struct executor *ex, const cl_event *event, struct layer_time *times)
{
    cl_ulong origin = 0, start = 0, end = 0;

    for (int l = 0; l < ex->m->n_layers; l++) {
        if (event[l]) {
            clGetEventProfilingInfo(event[l], CL_PROFILING_COMMAND_START, sizeof(start), &start,
                                    NULL);
            clGetEventProfilingInfo(event[l], CL_PROFILING_COMMAND_END, sizeof(end), &end, NULL);
        } else {
            start = end;
        }
        if (l == 0)
            origin = start;
        times[l].start_ns = start - origin;
        times[l].end_ns = end - origin;
    }
}

/* began_ns, init_ns and the rest are the result's; the events are released by the caller. */
static int run_through_ring(struct executor *ex, const struct schedule *s, cl_event *events,
                            struct run_result *result, struct err *err)
{
    struct run r = {.ex = ex, .s = s, .mem = ex->mem, .layer_event = events};
    struct held *held = ex->held && ex->held->s == s ? ex->held : NULL;
    int rc = book(ex, s, err);

    if (rc < 0)
        return rc;
    if (held) {
        r.s = held->there ? &held->warm : s;
        r.keep = held->keep;
        r.weight = held->weight;
    }
    r.queue = events ? ex->profiled : ex->queue;
    rc = run_begin(&r, err);
    if (rc == 0)
        rc = mem_start(ex->mem, ex->opt.rss_period_ns, err);
    if (rc < 0)
        goto out;
    if (!ex->ring)
        rc = executor_ring_new(ex, err);
    result->began_ns = r.began_ns = clock_ns();
    if (rc == 0)
        rc = run_body(&r, err);
    result->integrated_ns = clock_ns() - r.began_ns;
    result->init_ns = r.init_ns;
    mem_stop(ex->mem, &result->mem);
    result->bytes_read = reader_bytes(run_reader(ex, s));
    if (rc == 0)
        rc = keep_output(ex, &r.acts, &result->output_hash, err);
    if (held)
        held->there = true;
out:
    run_clean(&r);
    if (ex->opt.above)
        executor_ring_done(ex);
    unbook(ex, s, 0);
    return rc;
}

/* Memory and objects of one run, or of all that are held: booked, and there, before them. */
static int begin_direct(struct executor *ex, const struct schedule *s, struct direct *d,
                        uint64_t *ret_ns, struct err *err)
{
    uint64_t began = clock_ns();
    int rc = book(ex, s, err);

    if (rc < 0)
        return rc;
    mem_baseline(ex->mem);
    rc = direct_open(ex, s, d, err);
    *ret_ns = clock_ns() - began;
    if (rc < 0)
        unbook(ex, s, 0);
    return rc;
}

static void end_direct(struct executor *ex, const struct schedule *s, struct direct *d)
{
    uint64_t given_bytes = d->given_bytes;

    direct_close(d);
    unbook(ex, s, given_bytes);
}

static int run_direct(struct executor *ex, const struct schedule *s, cl_event *events,
                      struct run_result *result, struct err *err)
{
    struct direct_run r = {.queue = events ? ex->profiled : ex->queue, .layer_event = events};
    struct held *held = ex->held && ex->held->s == s ? ex->held : NULL;
    struct direct own = {0}, *d = held ? held->d : &own;
    int rc = 0;

    if (!d->host)
        rc = begin_direct(ex, s, d, &result->setup_ns, err);
    if (rc < 0)
        return rc;
    rc = mem_start(ex->mem, ex->opt.rss_period_ns, err);
    if (rc < 0)
        goto out;
    r.d = d;
    r.kept = held && held->there;
    r.gives_back = !held;
    rc = direct_run(&r, err);
    mem_stop(ex->mem, &result->mem);
    result->began_ns = r.began_ns;
    result->integrated_ns = r.ran_ns;
    result->init_ns = r.init_ns;
    result->bytes_read = reader_bytes(ex->reader);
    if (rc == 0)
        rc = keep_output(ex, &d->acts, &result->output_hash, err);
    if (held)
        held->there = true;
out:
    if (!held)
        end_direct(ex, s, d);
    return rc;
}

int executor_run(struct executor *ex, const struct schedule *s, struct layer_time *times,
                 struct run_result *ret_result, struct err *err)
{
    struct run_result result = {0};
    cl_event *events = NULL;
    int rc;

    if (times) {
        events = calloc((size_t)ex->m->n_layers, sizeof(*events));
        if (!events)
            return err_set(err, -ENOMEM, "out of memory for %d events", ex->m->n_layers);
    }
    rc = s->direct ? run_direct(ex, s, events, &result, err)
                   : run_through_ring(ex, s, events, &result, err);
    if (rc == 0 && times)
        read_times(ex, events, times);
    if (rc == 0)
        *ret_result = result;
    for (int l = 0; events && l < ex->m->n_layers; l++)
        if (events[l])
            clReleaseEvent(events[l]);
    free(events);
    return rc;
}

/* ---- a sequence of runs ---- */

int executor_hold(struct executor *ex, const struct schedule *s, struct err *err)
{
    size_t n = (size_t)ex->m->n_weights + 1;
    struct held *h = calloc(1, sizeof(*h));
    int rc = 0;

    executor_let_go(ex);
    if (!h)
        return err_set(err, -ENOMEM, "out of memory for a sequence of runs");
    h->s = s;
    ex->held = h;
    if (s->direct)
        h->d = calloc(1, sizeof(*h->d));
    else
        rc = schedule_warm(s, &h->warm, err);
    h->keep = calloc(n, sizeof(*h->keep));
    h->weight = calloc(n, sizeof(*h->weight));
    if (rc == 0 && (!h->keep || !h->weight || (s->direct && !h->d)))
        rc = err_set(err, -ENOMEM, "out of memory for a sequence of runs");
    for (int i = 0; i < s->n_items && rc == 0; i++)
        if (s->item[i].kept)
            h->keep[s->item[i].weight < 0 ? ex->m->n_weights : s->item[i].weight] = true;
    if (rc < 0)
        executor_let_go(ex);
    return rc;
}

void executor_let_go(struct executor *ex)
{
    struct held *h = ex->held;

    if (!h)
        return;
    for (int w = 0; h->weight && w <= ex->m->n_weights; w++)
        tensor_done(&h->weight[w], ex->mem);
    if (h->d && h->d->host)
        end_direct(ex, h->s, h->d);
    schedule_done(&h->warm);
    free(h->keep);
    free(h->weight);
    free(h->d);
    free(h);
    ex->held = NULL;
}
