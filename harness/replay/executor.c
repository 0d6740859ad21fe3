#include "harness/replay/executor.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "harness/replay/direct.h"
#include "profiler/pinned.h"

const char *const executor_reader_names[] = {"ahead", "at-plan", NULL};

const char *executor_kernel_name(const struct executor_options *opt)
{
    return opt->direct ? "direct" : op_form_name(opt->form);
}

#define HEAP_RETURN_BYTES (256 << 10)
#define RING_READS        8

/* ---- set-up ---- */

const struct tensor_desc *executor_output_desc(const struct model *m)
{
    const struct op_io *io = &m->layer[m->n_layers - 1].io;

    return &io->slot[io->n - 1].desc;
}

/* Several reads are under way in a ring while what others have brought is being moved. */
static void show_ring(const struct executor *ex, struct reader *reader)
{
    if (!reader || !ex->ring)
        return;
    reader_cut(reader, ex->opt.ring_bytes / RING_READS / READ_ALIGN * READ_ALIGN);
    reader_register(reader, ex->ring, ex->opt.ring_bytes);
}

int executor_ring_new(struct executor *ex, struct err *err)
{
    void *host = NULL;
    int rc = pinned_new(ex->dev, ex->opt.ring_bytes, &host, &ex->ring_mem, err);

    if (rc < 0)
        return err_prefix(err, "ring");
    ex->ring = host;
    if (ex->opt.form == FORM_COPY)
        rc = run_map(ex, 0, ex->opt.ring_bytes, CL_MAP_WRITE, err);
    if (rc < 0)
        return rc;
    show_ring(ex, ex->reader);
    show_ring(ex, ex->natural_reader);
    return 0;
}

void executor_ring_done(struct executor *ex)
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

    if (rc == 0)
        show_ring(ex, ex->natural_reader);
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
    ex->output = malloc(tensor_bytes(executor_output_desc(m)));
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
        rc = ex->opt.above ? 0 : executor_ring_new(ex, err);
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
    executor_ring_done(ex);
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

/* ---- results ---- */

void executor_output(const struct executor *ex, float *ret_y)
{
    tensor_unpack(executor_output_desc(ex->m), ex->output, ret_y);
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
                           ex->layout.bytes + reader_staging_bytes() + executor_own_host_bytes(ex),
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
