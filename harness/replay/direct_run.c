/* A run of the direct form: the walk through its layers, what the reader may read meanwhile, and
 * what goes back. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "harness/replay/direct.h"
#include "profiler/clock.h"

/* What the driver's threads and ours share. */
struct walk {
    struct direct *d;
    bool kept, gives_back; /* of struct direct_run */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int posted;   /* items given to the reader */
    int part;     /* and parts */
    int end;      /* only items before this one may be */
    int jobs;     /* reads given to it */
    int *job_end; /* [n_items]: jobs up to the item's last */
    int layer;    /* being enqueued, from 1 */
    int ran;      /* layers that have run */
    int flying;   /* callbacks to come */
    struct err failure;
    struct landing *landing; /* [n_layers] */
};

struct landing { /* what a callback is told */
    struct walk *w;
    int layer;
};

static int post_part(struct walk *w, const struct item *it, const struct read_part *p,
                     struct err *err)
{
    struct direct *d = w->d;
    struct executor *ex = d->ex;
    struct read_job job = {
        .dst = d->host + it->place + p->byte,
        .file_byte = it->file_byte + p->byte,
        .bytes = p->bytes,
        .read_bytes = (p->bytes + READ_ALIGN - 1) / READ_ALIGN * READ_ALIGN,
        .name = it->weight < 0 ? "__vectors" : ex->m->weight[it->weight].name,
    };

    if (it->rows) {
        job.row = ex->row[it->weight];
        job.n_rows = ex->n_rows[it->weight];
        job.row_bytes = it->bytes / (uint64_t)job.n_rows;
    }
    w->jobs++;
    return reader_post(ex->reader, &job, err);
}

/* Item w->posted's parts as far as their places are free (and, at-plan, its layer has come); true:
 * all of them. */
static bool pump_item(struct walk *w)
{
    const struct direct *d = w->d;
    const struct item *it = &d->s->item[w->posted];
    struct err err = {0};

    if (w->kept && it->kept)
        w->part = d->first_part[w->posted + 1];
    else if (d->ex->opt.at_plan && it->load_layer > w->layer)
        return false;
    for (; w->part < d->first_part[w->posted + 1]; w->part++) {
        if (d->part[w->part].after > w->ran)
            return false;
        if (post_part(w, it, &d->part[w->part], &err) < 0) {
            w->failure = err;
            return false;
        }
    }
    w->job_end[w->posted] = w->jobs;
    return true;
}

/* Give the reader all that it may read. Called with the lock held. */
static void pump(struct walk *w)
{
    int before = w->posted;

    while (w->posted < w->end && !w->failure.code && pump_item(w))
        w->posted++;
    if (w->posted > before || w->failure.code)
        pthread_cond_broadcast(&w->changed);
    w->d->ex->posted_all = w->posted == w->d->s->n_items;
}

/* Blocks of weights that no layer needs any more, once nothing will be read: pages known to the
 * reader would stay. Called with the lock held. */
static void give_back(struct walk *w)
{
    struct direct *d = w->d;
    int n = (int)(d->s->place_bytes / DIRECT_BLOCK), end;

    if (!w->gives_back || w->posted < d->s->n_items || !reader_idle(d->ex->reader))
        return;
    for (int b = 0; b < n; b = end + 1) {
        for (end = b; end < n && d->block_last[end] <= w->ran; end++)
            d->block_last[end] = INT_MAX;
        if (end == b)
            continue;
        if (d->given_bytes == 0)
            reader_unregister(d->ex->reader, d->host, d->bytes);
        madvise(d->host + (uint64_t)b * DIRECT_BLOCK, (uint64_t)(end - b) * DIRECT_BLOCK,
                MADV_DONTNEED);
        mem_release(d->ex->mem, MEM_TEXTURE, (uint64_t)(end - b) * DIRECT_BLOCK);
        d->given_bytes += (uint64_t)(end - b) * DIRECT_BLOCK;
    }
}

static void CL_CALLBACK landed(cl_event event, cl_int status, void *arg)
{
    const struct landing *l = arg;
    struct walk *w = l->w;

    (void)event;
    pthread_mutex_lock(&w->lock);
    if (status < 0 && !w->failure.code)
        cl_err(&w->failure, status, "a kernel of layer %d", l->layer);
    w->ran = l->layer > w->ran ? l->layer : w->ran;
    pump(w);
    give_back(w);
    w->flying--;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

/* Until item i is there. What it waits for is always under way: a place is free once layers before
 * the one that needs it have run. */
static int wait_item(struct walk *w, int i, struct err *err)
{
    struct err failure;
    int job;

    pthread_mutex_lock(&w->lock);
    while (w->posted <= i && !w->failure.code &&
           (w->flying > 0 || w->d->s->item[i].after <= w->ran))
        pthread_cond_wait(&w->changed, &w->lock);
    failure = w->failure;
    if (!failure.code && w->posted <= i)
        err_set(&failure, -EPROTO, "read %d has no place before it is needed (our bug)", i);
    job = failure.code ? 0 : w->job_end[i] - 1;
    pthread_mutex_unlock(&w->lock);
    if (failure.code)
        return err_set(err, failure.code, "%s", failure.text);
    return job < 0 ? 0 : reader_wait(w->d->ex->reader, job, err); /* all before it stayed */
}

static int item_of(const struct direct *d, int weight)
{
    int i = 0;

    while (i < d->s->n_items && d->s->item[i].weight != weight)
        i++;
    return i;
}

/* What layer l reads for the first time: there, and the device's. */
static int wait_weights(struct walk *w, int l, cl_command_queue queue, struct err *err)
{
    struct direct *d = w->d;
    const struct layer *layer = &d->ex->m->layer[l];
    int rc = 0;

    for (int i = 0; i < layer->io.n - 1 && rc == 0; i++) {
        int k = layer->source[i].index;

        if (layer->source[i].kind != SOURCE_WEIGHT)
            continue;
        k = item_of(d, d->ex->m->weight[k].vector ? -1 : k);
        if (!d->mapped[k])
            continue;
        rc = wait_item(w, k, err);
        if (rc == 0)
            rc = direct_map_weight(d, k, false, queue, err);
    }
    return rc;
}

/* The kernel's event is kept in *last instead of the one before; its callback is set. */
static int fly(struct walk *w, int l, cl_event event, cl_event *last, struct err *err)
{
    cl_int code;

    w->landing[l] = (struct landing){w, l + 1};
    pthread_mutex_lock(&w->lock);
    w->flying++;
    pthread_mutex_unlock(&w->lock);
    code = clSetEventCallback(event, CL_COMPLETE, landed, &w->landing[l]);
    if (code != CL_SUCCESS) {
        pthread_mutex_lock(&w->lock);
        w->flying--;
        pthread_mutex_unlock(&w->lock);
        clReleaseEvent(event);
        return cl_err(err, code, "clSetEventCallback");
    }
    if (*last)
        clReleaseEvent(*last);
    *last = event;
    return 0;
}

/* Where others may want the device, no more is enqueued than shall run before they have it. */
static int pass_gate(struct walk *w, int l, struct err *err)
{
    const struct executor *ex = w->d->ex;
    bool closed;

    if (!ex->opt.gate)
        return 0;
    closed = run_gate_closed(ex, l);
    pthread_mutex_lock(&w->lock);
    while (w->flying >= (closed ? 1 : EXECUTOR_FLIGHTS))
        pthread_cond_wait(&w->changed, &w->lock);
    pthread_mutex_unlock(&w->lock);
    return closed ? run_gate_wait(ex, l, err) : 0;
}

static int walk_layer(struct walk *w, struct run *r, int l, cl_event *last, struct err *err)
{
    struct executor *ex = w->d->ex;
    struct op_args args = {0};
    cl_event event = NULL;
    int rc;

    pthread_mutex_lock(&w->lock);
    w->layer = l + 1;
    pump(w);
    pthread_mutex_unlock(&w->lock);
    rc = r->resident ? 0 : wait_weights(w, l, r->queue, err);
    if (rc == 0 && ex->layout.in_place[l])
        return 0;
    if (rc == 0)
        rc = run_bind(r, l, &args, err);
    if (rc == 0)
        rc = op_program_enqueue(ex->program[l * (OP_MAX_LOADS + 1)], r->queue, &args, &event, err);
    if (rc < 0)
        return rc;
    if (r->layer_event) {
        clRetainEvent(event);
        r->layer_event[l] = event;
    }
    rc = fly(w, l, event, last, err);
    clFlush(r->queue);
    return rc;
}

/* Inputs are copied to where kernels read them. */
static int write_inputs(struct direct *d, cl_command_queue queue, struct err *err)
{
    unsigned char *base = d->host + d->s->place_bytes;

    if (d->acts.iota.mem)
        memcpy(base + d->ex->layout.iota, d->ex->iota, tensor_bytes(&d->acts.iota.desc));
    for (int i = 0; i < d->ex->m->n_inputs; i++)
        memcpy(base + d->ex->layout.input[i], d->ex->input[i],
               tensor_bytes(&d->acts.input[i].desc));
    return direct_map_inputs(d, false, queue, err);
}

static void pump_to(struct walk *w, int end)
{
    pthread_mutex_lock(&w->lock);
    w->end = end;
    pump(w);
    pthread_mutex_unlock(&w->lock);
}

static int walk_layers(struct walk *w, struct run *r, uint64_t *ret_init_ns, struct err *err)
{
    struct executor *ex = w->d->ex;
    int preloaded = w->d->s->first_of_layer[1], rc;
    cl_event last = NULL;

    /* What the first layer waits for is not kept waiting by what is read ahead. */
    if (!r->resident)
        pump_to(w, preloaded);
    rc = r->resident || preloaded == 0 ? 0 : wait_item(w, preloaded - 1, err);
    if (!r->resident)
        pump_to(w, w->d->s->n_items);
    if (rc == 0)
        rc = write_inputs(w->d, r->queue, err);
    *ret_init_ns = clock_ns() - r->began_ns;
    for (int l = 0; l < ex->m->n_layers && rc == 0; l++) {
        if (ex->opt.stop && ex->opt.stop())
            rc = err_set(err, -EINTR, "interrupted at layer %d of %d", l + 1, ex->m->n_layers);
        else if ((rc = pass_gate(w, l, err)) == 0)
            rc = walk_layer(w, r, l, &last, err);
    }
    if (rc == 0 && last) {
        cl_int code = clWaitForEvents(1, &last);

        rc = code == CL_SUCCESS ? 0 : cl_err(err, code, "the last kernel");
    }
    if (last)
        clReleaseEvent(last);
    return rc;
}

/* After the last output, or an error: nobody reads, nobody runs, nobody calls. */
static int settle(struct walk *w, cl_command_queue queue, int rc, struct err *err)
{
    w->d->ex->posted_all = false;
    pthread_mutex_lock(&w->lock);
    w->end = 0; /* callbacks to come shall post no more */
    pthread_mutex_unlock(&w->lock);
    clFinish(queue);
    reader_drain(w->d->ex->reader);
    pthread_mutex_lock(&w->lock);
    while (w->flying > 0)
        pthread_cond_wait(&w->changed, &w->lock);
    if (rc == 0 && w->failure.code)
        rc = err_set(err, w->failure.code, "%s", w->failure.text);
    pthread_mutex_unlock(&w->lock);
    return rc;
}

static int walk_new(struct walk *w, struct direct *d, struct err *err)
{
    *w = (struct walk){.d = d};
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    w->job_end = calloc((size_t)d->s->n_items + 1, sizeof(*w->job_end));
    w->landing = calloc((size_t)d->ex->m->n_layers, sizeof(*w->landing));
    reader_reset(d->ex->reader);
    return w->job_end && w->landing ? 0 : err_set(err, -ENOMEM, "out of memory for a run");
}

static void walk_done(struct walk *w)
{
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    free(w->job_end);
    free(w->landing);
}

int direct_run(struct direct_run *dr, struct err *err)
{
    struct direct *d = dr->d;
    struct run r = {.ex = d->ex,
                    .s = d->s,
                    .queue = dr->queue,
                    .weight = d->weight,
                    .acts = d->acts,
                    .resident = dr->resident,
                    .layer_event = dr->layer_event};
    struct walk w;
    int rc = walk_new(&w, d, err);

    w.kept = dr->kept;
    w.gives_back = dr->gives_back;
    if (rc == 0)
        rc = direct_map_inputs(d, true, d->ex->transfer, err); /* after an earlier run */
    for (int i = 0; i < d->s->n_items && !dr->resident && rc == 0; i++)
        if (!dr->kept || !d->s->item[i].kept)
            rc = direct_map_weight(d, i, true, d->ex->transfer, err);
    cl_int mapped = clFinish(d->ex->transfer);
    if (rc == 0 && mapped != CL_SUCCESS)
        rc = cl_err(err, mapped, "mapping weights for the disk to read into");
    r.began_ns = dr->began_ns = clock_ns();
    if (rc == 0)
        rc = walk_layers(&w, &r, &dr->init_ns, err);
    dr->ran_ns = clock_ns() - dr->began_ns;
    rc = settle(&w, dr->queue, rc, err);
    walk_done(&w);
    return rc;
}

int direct_read(struct direct *d, uint64_t *ret_ns, struct err *err)
{
    struct walk w;
    int rc = direct_map_all(d, true, err);
    uint64_t began;

    if (rc < 0)
        return rc;
    rc = walk_new(&w, d, err);
    began = clock_ns();
    if (rc == 0) {
        w.layer = w.ran = d->ex->m->n_layers;
        pump_to(&w, d->s->n_items);
        rc = wait_item(&w, d->s->n_items - 1, err);
    }
    *ret_ns = clock_ns() - began;
    rc = settle(&w, d->ex->transfer, rc, err);
    walk_done(&w);
    return rc < 0 ? rc : direct_map_all(d, false, err);
}
