#include "harness/replay/executor.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "harness/replay/direct.h"
#include "profiler/clock.h"
#include "profiler/hash.h"
#include "profiler/pinned.h"

const char *const executor_reader_names[] = {"ahead", "at-plan", NULL};

const char *executor_kernel_name(const struct executor_options *opt)
{
    return opt->direct ? "direct" : op_form_name(opt->form);
}

#define HEAP_RETURN_BYTES (256 << 10)

/* ---- set-up ---- */

static const struct tensor_desc *output_desc(const struct model *m)
{
    const struct op_io *io = &m->layer[m->n_layers - 1].io;

    return &io->slot[io->n - 1].desc;
}

static int ring_new(struct executor *ex, struct err *err)
{
    void *host = NULL;
    int rc = pinned_new(ex->dev, ex->opt.ring_bytes, &host, &ex->ring_mem, err);

    if (rc < 0)
        return err_prefix(err, "ring");
    ex->ring = host;
    if (ex->opt.form == FORM_COPY)
        rc = run_map(ex, 0, ex->opt.ring_bytes, CL_MAP_WRITE, err);
    if (rc == 0 && ex->reader)
        reader_register(ex->reader, ex->ring, ex->opt.ring_bytes);
    if (rc == 0 && ex->natural_reader)
        reader_register(ex->natural_reader, ex->ring, ex->opt.ring_bytes);
    return rc;
}

static void ring_done(struct executor *ex)
{
    if (ex->ring && ex->reader)
        reader_unregister(ex->reader, ex->ring, ex->opt.ring_bytes);
    if (ex->ring && ex->natural_reader)
        reader_unregister(ex->natural_reader, ex->ring, ex->opt.ring_bytes);
    pinned_free(ex->ring, ex->ring_mem);
    ex->ring = NULL;
    ex->ring_mem = NULL;
}

/* A gather whose index vector is a model input reads only its rows: the kernel then sees a table of
 * those rows alone, indexed 0, 1, ... */
static int compact_gather(struct executor *ex, int l, const float *const *inputs, struct err *err)
{
    const struct layer *layer = &ex->m->layer[l];
    int ids = -1, table = -1, w, n;

    for (int i = 0; i < layer->io.n; i++) {
        if (layer->io.slot[i].role == ROLE_IDS)
            ids = i;
        if (layer->io.slot[i].role == ROLE_WEIGHT)
            table = i;
    }
    if (ids < 0 || table < 0)
        return 0;
    w = layer->source[table].index;
    if (layer->source[ids].kind != SOURCE_INPUT)
        return err_set(err, -EINVAL, "layer '%s': an index vector must be a model input",
                       layer->name);
    if (ex->row[w])
        return err_set(err, -EINVAL, "weight '%s': gathered by two layers", ex->m->weight[w].name);
    n = (int)layer->io.slot[ids].desc.cols;
    ex->row[w] = malloc((size_t)n * sizeof(int32_t));
    if (!ex->row[w])
        return err_set(err, -ENOMEM, "out of memory for %d indices", n);
    ex->n_rows[w] = n;
    for (int i = 0; i < n; i++) {
        float id = inputs[layer->source[ids].index][i];

        if (!(id >= 0 && id < (float)ex->m->weight[w].desc.rows))
            return err_set(err, -ERANGE, "input of layer '%s': index %d is %g, want 0..%lld",
                           layer->name, i, (double)id,
                           (long long)ex->m->weight[w].desc.rows - 1);
        ex->row[w][i] = (int32_t)id;
    }
    ex->c[l].p[op_param_index(ex->c[l].op, "vocab")] = n;
    return 0;
}

struct tensor_desc executor_weight_desc(const struct executor *ex, int w)
{
    return schedule_weight_desc(ex->m, w, w < ex->m->n_weights ? ex->n_rows[w] : 0);
}

static int inputs_new(struct executor *ex, const float *const *inputs, struct err *err)
{
    const struct model *m = ex->m;
    int64_t most = 0;

    for (int i = 0; i < m->n_inputs; i++) {
        const struct tensor_desc *d = &m->input[i].desc;

        ex->input[i] = calloc(1, tensor_bytes(d));
        if (!ex->input[i])
            return err_set(err, -ENOMEM, "out of memory for input '%s'", m->input[i].name);
        if (d->dtype == DTYPE_I32)
            for (int64_t k = 0; k < d->cols; k++)
                ((int32_t *)ex->input[i])[k] = (int32_t)inputs[i][k];
        else
            tensor_pack(d, inputs[i], ex->input[i]);
        if (d->dtype == DTYPE_I32 && d->cols > most)
            most = d->cols;
    }
    ex->iota = calloc((size_t)most + 4, sizeof(int32_t));
    if (!ex->iota)
        return err_set(err, -ENOMEM, "out of memory for %lld indices", (long long)most);
    for (int64_t k = 0; k < most; k++)
        ex->iota[k] = (int32_t)k;
    return 0;
}

/* What a null kernel writes: one texel on each path; too small to book. */
static int nothing_new(struct executor *ex, struct err *err)
{
    const struct tensor_desc d = {.rows = 1, .cols = 4, .dtype = ex->m->dtype};
    int rc = 0;

    for (int p = PATH_IMAGE; p <= PATH_BUFFER && rc == 0; p++)
        if (p == PATH_BUFFER || ex->opt.path == PATH_IMAGE)
            rc = tensor_new(ex->dev, &d, (enum mem_path)p, NULL, MEM_ACTIVATION, &ex->nothing[p],
                            err);
    return rc;
}

static int natural_open(struct executor *ex, struct err *err)
{
    int rc = reader_new(ex->opt.natural, ex->opt.disk, &ex->natural_reader, err);

    if (rc == 0 && ex->ring)
        reader_register(ex->natural_reader, ex->ring, ex->opt.ring_bytes);
    return rc < 0 ? rc : rearrange_new(ex->dev, ex->m->dtype, ex->opt.path, &ex->rearrange, err);
}

static int executor_open(struct executor *ex, const float *const *inputs, struct err *err)
{
    const struct model *m = ex->m;
    size_t nl = (size_t)m->n_layers, nw = (size_t)m->n_weights;
    int rc;

    ex->c = calloc(nl, sizeof(*ex->c));
    ex->program = calloc(nl * (OP_MAX_LOADS + 1), sizeof(*ex->program));
    ex->input = calloc((size_t)m->n_inputs + 1, sizeof(*ex->input));
    ex->row = calloc(nw + 1, sizeof(*ex->row));
    ex->n_rows = calloc(nw + 1, sizeof(*ex->n_rows));
    ex->output = malloc(tensor_bytes(output_desc(m)));
    if (!ex->c || !ex->program || !ex->input || !ex->row || !ex->n_rows || !ex->output)
        return err_set(err, -ENOMEM, "out of memory for an executor of %d layers", m->n_layers);
    rc = device_queue(ex->dev, false, &ex->queue, err);
    if (rc == 0)
        rc = device_queue(ex->dev, true, &ex->profiled, err);
    if (rc == 0)
        rc = device_queue(ex->dev, false, &ex->transfer, err);
    if (rc == 0)
        rc = mem_new(ex->opt.memory_limit, &ex->mem, err);
    if (rc == 0)
        mem_set_above(ex->mem, ex->opt.above);
    if (rc == 0 && ex->opt.device_used) /* before the ring, which the ledger counts as well */
        mem_watch(ex->mem, ex->opt.device_used, ex->opt.device_ctx);
    if (rc == 0)
        rc = reader_new(ex->file->path, ex->opt.disk, &ex->reader, err);
    if (rc == 0 && ex->opt.direct) {
        rc = pinned_shared(ex->dev, err);
        if (rc == -ENOTSUP)
            err_prefix(err, "kernel direct, device '%s'", ex->dev->info.name);
        if (rc == 0)
            rc = layout_make(m, ex->opt.path, &ex->layout, err);
    } else if (rc == 0) {
        rc = ex->opt.above ? 0 : ring_new(ex, err);
        if (rc == 0)
            rc = nothing_new(ex, err);
    }
    if (rc == 0 && ex->opt.natural)
        rc = natural_open(ex, err);
    for (int l = 0; l < m->n_layers && rc == 0; l++) {
        ex->c[l] = m->layer[l].c;
        rc = compact_gather(ex, l, inputs, err);
    }
    return rc < 0 ? rc : inputs_new(ex, inputs, err);
}

int executor_new(struct device *dev, const struct model *m, const struct weights_file *file,
                 const float *const *inputs, const struct executor_options *opt,
                 struct executor **ret_ex, struct err *err)
{
    struct executor *ex = calloc(1, sizeof(*ex));
    int rc;

    if (!ex)
        return err_set(err, -ENOMEM, "out of memory for an executor");
    /* Textures live on the heap where host and device share memory. Freed ones must go back to the
     * system at once, or the process's memory would tell of the largest run, not of this one. */
    mallopt(M_MMAP_THRESHOLD, HEAP_RETURN_BYTES);
    mallopt(M_TRIM_THRESHOLD, HEAP_RETURN_BYTES);
    ex->dev = dev;
    ex->m = m;
    ex->file = file;
    ex->opt = *opt;
    rc = executor_open(ex, inputs, err);
    if (rc < 0)
        executor_free(ex);
    else
        *ret_ex = ex;
    return rc;
}

void executor_free(struct executor *ex)
{
    if (!ex)
        return;
    if (ex->mem) /* else nothing is */
        executor_let_go(ex);
    if (ex->all) /* its memory is registered with the reader */
        direct_close(ex->all);
    ring_done(ex);
    reader_free(ex->reader);
    reader_free(ex->natural_reader);
    rearrange_free(ex->rearrange);
    if (ex->resident)
        for (int w = 0; w <= ex->m->n_weights; w++)
            tensor_done(&ex->resident[w], NULL);
    free(ex->all);
    schedule_done(&ex->all_s);
    layout_done(&ex->layout);
    for (int i = 0; ex->program && i < ex->m->n_layers * (OP_MAX_LOADS + 1); i++)
        op_program_free(ex->program[i]);
    for (int i = 0; i < 2 * (OP_MAX_LOADS + 1); i++)
        op_program_free(ex->mover[i / (OP_MAX_LOADS + 1)][i % (OP_MAX_LOADS + 1)]);
    for (int i = 0; ex->input && i < ex->m->n_inputs; i++)
        free(ex->input[i]);
    for (int w = 0; ex->row && w < ex->m->n_weights; w++)
        free(ex->row[w]);
    for (int p = PATH_IMAGE; p <= PATH_BUFFER; p++)
        tensor_done(&ex->nothing[p], NULL);
    if (ex->queue)
        clReleaseCommandQueue(ex->queue);
    if (ex->profiled)
        clReleaseCommandQueue(ex->profiled);
    if (ex->transfer)
        clReleaseCommandQueue(ex->transfer);
    mem_free(ex->mem);
    free(ex->resident);
    free(ex->program);
    free(ex->c);
    free(ex->input);
    free(ex->row);
    free(ex->n_rows);
    free(ex->iota);
    free(ex->output);
    free(ex);
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
    uint64_t bytes = tensor_bytes(output_desc(m));

    for (int i = 0; i < m->n_inputs; i++)
        bytes += tensor_bytes(&m->input[i].desc) << (m->input[i].desc.dtype == DTYPE_I32);
    return bytes;
}

/* Of an executor's own run: whoever is above counts them from the beginning to the end. */
static uint64_t own_host_bytes(const struct executor *ex)
{
    return ex->opt.above ? 0 : host_bytes(ex->m);
}

/* The ring is unified memory, and once more staging where the device has memory of its own and
 * keeps a second copy there. The memory of a direct run is all there while it lasts. */
static int parts_of(const struct executor *ex, const struct schedule *s, struct part *part)
{
    uint64_t ring = ex->opt.ring_bytes;
    int n = 0;

    part[n++] = (struct part){MEM_HOST, own_host_bytes(ex), "inputs and output"};
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
        rc = ring_new(ex, err);
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
        ring_done(ex);
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

/* ---- results ---- */

void executor_output(const struct executor *ex, float *ret_y)
{
    tensor_unpack(output_desc(ex->m), ex->output, ret_y);
}

const struct mem_point *executor_memory(const struct executor *ex, int *ret_n)
{
    return mem_points(ex->mem, ret_n);
}

uint64_t executor_live_bytes(const struct executor *ex)
{
    return mem_live(ex->mem);
}

const char *executor_reader_kind(const struct executor *ex)
{
    return reader_kind(ex->reader);
}

bool executor_read_all(const struct executor *ex)
{
    return ex->posted_all && reader_idle(ex->reader) &&
           (!ex->natural_reader || reader_idle(ex->natural_reader));
}

bool executor_direct(const struct executor *ex)
{
    return reader_direct(ex->reader);
}

const struct executor_options *executor_options_of(const struct executor *ex)
{
    return &ex->opt;
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

int executor_schedule(const struct executor *ex, const struct model_problem *mp,
                      const struct plan *plan, struct schedule *ret_s, struct err *err)
{
    const struct policy *policy = policy_find(plan->policy);
    bool natural = policy && policy->transforms;
    int rc;

    if (natural && !ex->opt.natural)
        return err_set(err, -ENOTSUP,
                       "policy '%s' moves weights: give --kernel pipelined, branching or copy",
                       plan->policy);
    if (!ex->opt.direct) {
        rc = schedule_make(ex->m, mp, plan, ex->file, ex->opt.ring_bytes, ret_s, err);
        if (rc == 0)
            ret_s->natural = natural;
        return rc;
    }
    return schedule_direct(ex->m, mp, plan, ex->file, ex->opt.path, ex->opt.memory_limit,
                           ex->layout.bytes + reader_staging_bytes() + own_host_bytes(ex),
                           &ex->layout.spare, ret_s, err);
}

int executor_control_schedule(const struct executor *ex, const struct model_problem *mp,
                              struct schedule *ret_s, struct err *err)
{
    struct plan *plan = NULL;
    int rc = plan_make(policy_find("preload"), &mp->problem, &plan, err);

    if (rc == 0 && ex->opt.direct)
        rc = schedule_direct(ex->m, mp, plan, ex->file, ex->opt.path, 0, 0, NULL, ret_s, err);
    else if (rc == 0)
        rc = executor_schedule(ex, mp, plan, ret_s, err);
    plan_free(plan);
    return rc;
}
