#include "harness/replay/run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness/model/natural.h"
#include "profiler/clock.h"

/* Looked at so often whether a launch is done, while the disk is slower: what it has moved is room in
 * the ring, and an idle disk until somebody looks. Where kernels share the host's cores, less often. */
#define POLL_NS     20000
#define POLL_CPU_NS 200000

static int retire_oldest(struct run *r, struct err *err);

struct reader *run_reader(const struct executor *ex, const struct schedule *s)
{
    return s->natural ? ex->natural_reader : ex->reader;
}

int run_map(struct executor *ex, uint64_t at, uint64_t bytes, cl_map_flags how, struct err *err)
{
    cl_int rc;

    clEnqueueMapBuffer(ex->transfer, ex->ring_mem, CL_TRUE, how, at, bytes, 0, NULL, NULL, &rc);
    return rc == CL_SUCCESS ? 0
                            : cl_err(err, rc, "mapping %llu bytes of the ring",
                                     (unsigned long long)bytes);
}

/* Give the reader every item that has room in the ring (and, at-plan, whose layer has come). */
static int pump(struct run *r, struct err *err)
{
    const struct schedule *s = r->s;
    struct executor *ex = r->ex;

    for (; r->posted < s->n_items; r->posted++) {
        const struct item *it = &s->item[r->posted];
        uint64_t tail = s->item[r->retired < r->posted ? r->retired : r->posted].ring_pos;
        uint64_t at = it->ring_pos % s->ring_bytes;
        struct read_job job = {
            .dst = ex->ring + at,
            .file_byte = it->file_byte,
            .bytes = it->bytes,
            .read_bytes = it->read_bytes,
            .name = it->weight < 0 ? "__vectors" : ex->m->weight[it->weight].name,
        };
        bool map = ex->opt.form != FORM_COPY; /* else all of it is, all the time */
        int e;

        if (it->ring_pos + it->read_bytes - tail > s->ring_bytes)
            return 0;
        if (ex->opt.at_plan && it->load_layer > r->layer)
            return 0;
        if (it->rows) {
            job.row = ex->row[it->weight];
            job.n_rows = ex->n_rows[it->weight];
            job.row_bytes = it->bytes / (uint64_t)job.n_rows;
        }
        e = map ? run_map(ex, at, it->read_bytes, CL_MAP_WRITE_INVALIDATE_REGION, err) : 0;
        if (e < 0)
            return e;
        r->mapped[r->posted] = map;
        e = reader_post(run_reader(ex, s), &job, err);
        if (e < 0)
            return e;
    }
    ex->posted_all = true;
    return 0;
}

static int retire_finished(struct run *r, struct err *err)
{
    cl_int status = CL_COMPLETE;
    int rc = 0;

    while (rc == 0 && r->n_flights > 0) {
        cl_int cl = clGetEventInfo(r->flight[0].event, CL_EVENT_COMMAND_EXECUTION_STATUS,
                                   sizeof(status), &status, NULL);

        if (cl != CL_SUCCESS)
            return cl_err(err, cl, "a kernel of layer %d", r->flight[0].layer);
        if (status > CL_COMPLETE)
            return 0;
        rc = retire_oldest(r, err);
    }
    return rc;
}

/* Before the disk is waited for, and meanwhile, what the device has finished gives its room back:
 * else the disk would have as much less to read ahead as unfinished launches may hold. */
static int wait_for_item(struct run *r, int i, struct err *err)
{
    struct reader *reader = run_reader(r->ex, r->s);
    uint64_t poll_ns = r->ex->dev->info.type == DEVICE_CPU ? POLL_CPU_NS : POLL_NS;
    int rc;

    do {
        rc = retire_finished(r, err);
        if (rc == 0)
            rc = pump(r, err);
    } while (rc == 0 && r->n_flights > 0 && !reader_done(reader, i, poll_ns));
    return rc < 0 ? rc : reader_wait(reader, i, err);
}

int run_fetch(struct run *r, int i, cl_event *ret_event, struct err *err)
{
    struct executor *ex = r->ex;
    cl_int cl;
    int rc = pump(r, err);

    while (rc == 0 && r->posted <= i) {
        if (r->n_flights == 0)
            return err_set(err, -EINVAL, "the ring of %llu bytes is too small for this plan",
                           (unsigned long long)r->s->ring_bytes);
        rc = retire_oldest(r, err);
        if (rc == 0)
            rc = pump(r, err);
    }
    if (rc == 0)
        rc = wait_for_item(r, i, err);
    if (rc < 0)
        return rc;
    *ret_event = NULL;
    if (!r->mapped[i])
        return 0;
    cl = clEnqueueUnmapMemObject(ex->transfer, ex->ring_mem,
                                 ex->ring + r->s->item[i].ring_pos % r->s->ring_bytes, 0, NULL,
                                 ret_event);
    if (cl != CL_SUCCESS)
        return cl_err(err, cl, "unmapping the ring");
    r->mapped[i] = false;
    clFlush(ex->transfer);
    return 0;
}

/* At the limit: what is idle goes, then what the oldest launch uses. -ENOMEM: there is nothing. */
static int make_room(struct run *r, struct err *err)
{
    if (r->idle.n > 0 || r->acts.idle.n > 0) {
        tensor_pool_clear(&r->idle, r->mem);
        tensor_pool_clear(&r->acts.idle, r->mem);
        return 0;
    }
    return r->n_flights > 0 ? retire_oldest(r, err) : -ENOMEM;
}

static int new_tensor(struct run *r, const struct tensor_desc *d, enum mem_path path,
                      enum mem_kind kind, struct tensor *ret_t, struct err *err)
{
    int rc;

    do
        rc = tensor_new(r->ex->dev, d, path, r->mem, kind, ret_t, err);
    while (rc == -ENOMEM && make_room(r, err) == 0);
    return rc;
}

/* A device with memory of its own may find it for a tensor when that is first used, in the launch that
 * the ring waits for. It does so now, while the disk is waited for; where it cannot, nothing is lost. */
static void settle_tensor(struct run *r, const struct tensor *t)
{
    if (r->ex->dev->info.unified)
        return;
    clEnqueueMigrateMemObjects(r->ex->transfer, 1, &t->mem,
                               CL_MIGRATE_MEM_OBJECT_CONTENT_UNDEFINED, 0, NULL, NULL);
    clFlush(r->ex->transfer);
}

static int weight_tensor(struct run *r, int w, struct err *err)
{
    struct tensor_desc d = executor_weight_desc(r->ex, w);
    enum mem_path path = w == r->ex->m->n_weights ? PATH_BUFFER : r->ex->opt.path;
    int rc;

    if (r->weight[w].mem)
        return 0;
    if (tensor_pool_take(&r->idle, &d, path, &r->weight[w]))
        return 0;
    rc = new_tensor(r, &d, path, MEM_TEXTURE, &r->weight[w], err);
    if (rc == 0)
        settle_tensor(r, &r->weight[w]);
    return rc;
}

/* Is item i's weight one that the device rearranges? A table of gathered rows is not, nor what
 * lies in a buffer as it lay in the file. */
static bool rearranged(const struct run *r, int i, struct natural *ret_n)
{
    const struct item *it = &r->s->item[i];

    return r->s->natural && it->weight >= 0 && natural_layout(r->ex->m, it->weight, ret_n) &&
           (r->ex->opt.path == PATH_IMAGE || !ret_n->same);
}

/* Where item i goes: its weight, or the buffer from which that is rearranged. */
static int destination(struct run *r, int i, struct tensor **ret_t, struct err *err)
{
    const struct item *it = &r->s->item[i];
    int w = it->weight < 0 ? r->ex->m->n_weights : it->weight;
    struct tensor_desc d = {.rows = 1, .dtype = r->ex->m->dtype};
    struct natural n;

    if (!rearranged(r, i, &n)) {
        *ret_t = &r->weight[w];
        return weight_tensor(r, w, err);
    }
    *ret_t = &r->upload[w];
    d.cols = (int64_t)(tensor_bytes(&r->ex->m->weight[w].desc) / dtype_bytes(d.dtype));
    return r->upload[w].mem ? 0 : new_tensor(r, &d, PATH_BUFFER, MEM_UM, *ret_t, err);
}

/* Loads of items first .. first + n - 1, fetched, their destinations allocated. */
static int gather_loads(struct run *r, int first, int n, struct op_load *load, struct err *err)
{
    struct executor *ex = r->ex;
    uint64_t texel = 4 * dtype_bytes(ex->m->dtype);
    cl_event event[OP_MAX_LOADS];
    int got = 0, rc = 0;

    for (; got < n && rc == 0; got++) {
        const struct item *it = &r->s->item[first + got];
        struct tensor *to;

        rc = destination(r, first + got, &to, err);
        if (rc == 0)
            rc = run_fetch(r, first + got, &event[got], err);
        if (rc < 0)
            break;
        load[got] = (struct op_load){
            .src = ex->ring_mem,
            .host = ex->ring,
            .src_texel = (int64_t)(it->ring_pos % r->s->ring_bytes / texel),
            .dst = to->mem,
            .dst_desc = to->desc,
            .dst_texel = (int64_t)(it->weight_byte / texel),
            .texels = (int64_t)(it->bytes / texel),
        };
    }
    if (rc == 0 && n > 0 && event[0]) {
        cl_int cl = clEnqueueBarrierWithWaitList(r->queue, (cl_uint)n, event, NULL);

        if (cl != CL_SUCCESS)
            rc = cl_err(err, cl, "waiting for the ring");
    }
    for (int i = 0; i < got; i++)
        if (event[i])
            clReleaseEvent(event[i]);
    return rc;
}

/* Copies of loads, in the transfer queue; what comes next in the compute queue waits for them, and
 * ret_event is theirs: of everything before them in both queues. `kernel`, enqueued in between,
 * runs beside them; NULL: nothing does. */
static int copy_loads(struct run *r, struct op_program *p, const struct op_args *args,
                      cl_event *kernel, cl_event *ret_event, struct err *err)
{
    cl_event copy[2] = {NULL, NULL};
    cl_int cl;
    int rc = op_program_copy(p, r->ex->transfer, args, NULL, copy, err);

    if (rc == 0 && kernel)
        rc = op_program_enqueue(p, r->queue, args, kernel, err);
    if (rc == 0) {
        cl = clEnqueueBarrierWithWaitList(r->queue, copy[1] != NULL, copy[1] ? &copy[1] : NULL,
                                          ret_event);
        rc = cl == CL_SUCCESS ? 0 : cl_err(err, cl, "waiting for copies");
    }
    for (int i = 0; i < 2; i++)
        if (copy[i])
            clReleaseEvent(copy[i]);
    return rc;
}

static int take_off(struct run *r, cl_event event, int layer, int end_item, struct err *err)
{
    int rc = 0;

    clFlush(r->queue);
    if (r->n_flights == EXECUTOR_FLIGHTS)
        rc = retire_oldest(r, err);
    if (rc < 0) {
        clReleaseEvent(event);
        return rc;
    }
    r->flight[r->n_flights++] = (struct flight){event, layer, end_item};
    return pump(r, err);
}

/* Is item i the last of its weight? */
static bool completes(const struct run *r, int i)
{
    const struct item *it = &r->s->item[i];

    return it->weight_byte + it->bytes == tensor_bytes(&r->ex->m->weight[it->weight].desc);
}

/* After items [first, end) have been moved: those weights that are whole now are rearranged.
 * *event becomes the last one's. */
static int rearrange_whole(struct run *r, int first, int end, cl_event *event, struct err *err)
{
    struct natural n;
    int rc = 0;

    for (int i = first; i < end && rc == 0; i++) {
        int w = r->s->item[i].weight;
        cl_event done;

        if (!rearranged(r, i, &n) || !completes(r, i))
            continue;
        rc = weight_tensor(r, w, err);
        if (rc == 0)
            rc = rearrange_enqueue(r->ex->rearrange, r->queue, r->upload[w].mem, &r->weight[w], &n,
                                   &done, err);
        if (rc < 0)
            break;
        clReleaseEvent(*event);
        *event = done;
    }
    if (rc < 0)
        clReleaseEvent(*event);
    return rc;
}

/* Could items i and k be moved by one kernel? */
static bool together(const struct run *r, int i, int k)
{
    struct natural n;

    return r->s->item[k].weight >= 0 && rearranged(r, i, &n) == rearranged(r, k, &n);
}

int run_move(struct run *r, int first, int end, int flight, struct err *err)
{
    int rc = 0;

    for (int at = first; at < end && rc == 0;) {
        struct natural natural;
        bool bundle = r->s->item[at].weight < 0;
        enum mem_path path =
            bundle || rearranged(r, at, &natural) ? PATH_BUFFER : r->ex->opt.path;
        struct op_args args = {0};
        cl_event event;
        int n = 1;

        while (!bundle && n < OP_MAX_LOADS && at + n < end && together(r, at, at + n))
            n++;
        args.n_loads = n;
        args.tensor[0] = r->ex->nothing[path].mem;
        rc = gather_loads(r, at, n, args.load, err);
        if (rc == 0 && r->ex->opt.form == FORM_COPY)
            rc = copy_loads(r, r->ex->mover[path][n], &args, NULL, &event, err);
        else if (rc == 0)
            rc = op_program_enqueue(r->ex->mover[path][n], r->queue, &args, &event, err);
        if (rc == 0)
            rc = rearrange_whole(r, at, at + n, &event, err);
        if (rc == 0)
            rc = take_off(r, event, flight, at + n, err);
        at += n;
    }
    return rc;
}

/* Is a weight of this shape still to come? Then its texture is worth keeping. */
static bool wanted_later(const struct run *r, const struct tensor *t)
{
    for (int i = r->retired; i < r->s->n_items; i++) {
        int w = r->s->item[i].weight;
        struct tensor_desc d;

        if (w < 0 || r->weight[w].mem || r->s->item[i].weight_byte != 0)
            continue;
        d = executor_weight_desc(r->ex, w);
        if (tensor_desc_equal(&d, &t->desc))
            return true;
    }
    return false;
}

static void free_weights(struct run *r, int layer)
{
    const struct model *m = r->ex->m;
    const struct layer *l = &m->layer[layer - 1];

    for (int i = 0; i < l->io.n - 1; i++) {
        int w = l->source[i].index;

        if (l->source[i].kind != SOURCE_WEIGHT || m->weight[w].vector ||
            m->weight[w].last != layer - 1 || !r->weight[w].mem || (r->keep && r->keep[w]))
            continue;
        if (wanted_later(r, &r->weight[w])) {
            tensor_pool_put(&r->idle, &r->weight[w], r->mem);
            r->weight[w] = (struct tensor){0};
        } else {
            tensor_done(&r->weight[w], r->mem);
        }
    }
}

static int retire_oldest(struct run *r, struct err *err)
{
    struct flight f = r->flight[0];
    cl_int rc = clWaitForEvents(1, &f.event);

    memmove(r->flight, r->flight + 1, (size_t)--r->n_flights * sizeof(f));
    clReleaseEvent(f.event);
    if (rc != CL_SUCCESS)
        return cl_err(err, rc, "a kernel of layer %d", f.layer);
    for (int i = r->retired; r->upload && i < f.end_item; i++)
        if (r->s->item[i].weight >= 0 && completes(r, i))
            tensor_done(&r->upload[r->s->item[i].weight], r->mem);
    if (f.end_item > r->retired)
        r->retired = f.end_item;
    if (f.layer == FLIGHT_PRELOAD)
        r->init_ns = clock_ns() - r->began_ns;
    else if (f.layer > 0 && !r->resident)
        free_weights(r, f.layer);
    return 0;
}

int run_land(struct run *r, struct err *err)
{
    int rc = 0;

    while (rc == 0 && r->n_flights > 0)
        rc = retire_oldest(r, err);
    return rc;
}

int run_bind(const struct run *r, int l, struct op_args *args, struct err *err)
{
    const struct executor *ex = r->ex;
    const struct layer *layer = &ex->m->layer[l];
    bool compact = false;

    for (int i = 0; i < layer->io.n; i++) {
        const struct source *src = &layer->source[i];
        cl_mem *mem = &args->tensor[i];

        if (i == layer->io.n - 1) {
            *mem = r->acts.out[l].mem;
        } else if (src->kind == SOURCE_LAYER) {
            *mem = r->acts.out[src->index].mem;
        } else if (src->kind == SOURCE_INPUT) {
            *mem = r->acts.input[src->index].mem;
        } else if (ex->m->weight[src->index].vector) {
            *mem = r->weight[ex->m->n_weights].mem;
            args->vector_texel[i] = ex->m->weight[src->index].vector_texel;
        } else {
            *mem = r->weight[src->index].mem;
            compact = compact || ex->row[src->index];
        }
        if (!*mem)
            return err_set(err, -EPROTO, "layer '%s': tensor '%s' is not there (our bug)",
                           layer->name, layer->io.slot[i].name);
    }
    for (int i = 0; compact && i < layer->io.n; i++)
        if (layer->io.slot[i].role == ROLE_IDS)
            args->tensor[i] = r->acts.iota.mem;
    return 0;
}

static int run_layer(struct run *r, int l, struct err *err)
{
    struct executor *ex = r->ex;
    int first = r->s->first_of_layer[l + 1], end = r->s->first_of_layer[l + 2];
    int n = r->resident ? 0 : executor_carried(ex, r->s, l);
    struct op_program *p = ex->program[l * (OP_MAX_LOADS + 1) + n];
    struct op_args args = {.n_loads = n};
    cl_event event = NULL, kernel = NULL;
    int rc;

    r->layer = l + 1;
    do
        rc = activations_begin(&r->acts, ex->dev, l, r->mem, err);
    while (rc == -ENOMEM && make_room(r, err) == 0);
    if (rc == 0 && !r->resident)
        rc = run_move(r, first, end - n, FLIGHT_MOVE, err);
    if (rc == 0)
        rc = gather_loads(r, end - n, n, args.load, err);
    if (rc == 0)
        rc = run_bind(r, l, &args, err);
    if (rc == 0 && n > 0 && ex->opt.form == FORM_COPY) {
        rc = copy_loads(r, p, &args, &kernel, &event, err);
    } else if (rc == 0) {
        rc = op_program_enqueue(p, r->queue, &args, &kernel, err);
        event = kernel;
        if (rc == 0)
            clRetainEvent(event);
    }
    if (kernel && r->layer_event && rc == 0)
        r->layer_event[l] = kernel;
    else if (kernel)
        clReleaseEvent(kernel);
    if (rc < 0)
        return rc;
    activations_end(&r->acts, l, r->mem); /* in-order queue: what comes next may reuse them */
    return take_off(r, event, l + 1, r->resident ? 0 : end, err);
}

bool run_gate_closed(const struct executor *ex, int l)
{
    return ex->opt.gate && ex->opt.gate->closed(ex->opt.gate->ctx, l + 1);
}

int run_gate_wait(const struct executor *ex, int l, struct err *err)
{
    return ex->opt.gate->wait(ex->opt.gate->ctx, l + 1, err);
}

int run_body(struct run *r, struct err *err)
{
    struct executor *ex = r->ex;
    int rc = 0;

    if (!r->resident)
        rc = pump(r, err); /* the disk need not wait for the inputs */
    if (rc == 0)
        rc = activations_new(&r->acts, ex->m, ex->opt.path, ex->dev, r->queue, ex->input, ex->iota,
                         r->mem, err);
    if (rc == 0 && !r->resident)
        rc = run_move(r, 0, r->s->first_of_layer[1], FLIGHT_PRELOAD, err);
    for (int l = 0; l < ex->m->n_layers && rc == 0; l++) {
        if (ex->opt.stop && ex->opt.stop())
            return err_set(err, -EINTR, "interrupted at layer %d of %d", l + 1, ex->m->n_layers);
        if (run_gate_closed(ex, l)) {
            rc = run_land(r, err);
            if (rc == 0)
                rc = run_gate_wait(ex, l, err);
        }
        if (rc == 0)
            rc = run_layer(r, l, err);
    }
    return rc < 0 ? rc : run_land(r, err);
}

void run_clean(struct run *r)
{
    struct executor *ex = r->ex;

    ex->posted_all = false;
    reader_drain(run_reader(ex, r->s));
    clFinish(r->queue);
    for (int i = 0; i < r->n_flights; i++)
        clReleaseEvent(r->flight[i].event);
    for (int i = 0; r->mapped && i < r->posted; i++)
        if (r->mapped[i])
            clEnqueueUnmapMemObject(ex->transfer, ex->ring_mem,
                                    ex->ring + r->s->item[i].ring_pos % r->s->ring_bytes, 0, NULL,
                                    NULL);
    clFinish(ex->transfer);
    activations_done(&r->acts, r->mem);
    tensor_pool_clear(&r->idle, r->mem);
    for (int w = 0; r->upload && w < ex->m->n_weights; w++)
        tensor_done(&r->upload[w], r->mem);
    free(r->upload);
    if (!r->resident) {
        for (int w = 0; r->weight && w <= ex->m->n_weights; w++)
            if (!r->keep || !r->keep[w])
                tensor_done(&r->weight[w], r->mem);
        if (!r->keep)
            free(r->weight);
    }
    free(r->mapped);
}

int run_begin(struct run *r, struct err *err)
{
    r->mapped = calloc((size_t)r->s->n_items + 1, sizeof(*r->mapped));
    if (!r->resident && !r->keep)
        r->weight = calloc((size_t)r->ex->m->n_weights + 1, sizeof(*r->weight));
    if (r->s->natural)
        r->upload = calloc((size_t)r->ex->m->n_weights + 1, sizeof(*r->upload));
    if (!r->mapped || !r->weight || (r->s->natural && !r->upload))
        return err_set(err, -ENOMEM, "out of memory for a run");
    reader_reset(run_reader(r->ex, r->s));
    return 0;
}
