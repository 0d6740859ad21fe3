#include "harness/replay/activations.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool tensor_desc_equal(const struct tensor_desc *a, const struct tensor_desc *b)
{
    /* Texels are what memory is made of: how columns are grouped does not matter. */
    return a->rows == b->rows && tensor_texel_cols(a) == tensor_texel_cols(b) &&
           a->dtype == b->dtype;
}

bool tensor_pool_take(struct tensor_pool *p, const struct tensor_desc *d, enum mem_path path,
                      struct tensor *ret_t)
{
    for (int i = p->n - 1; i >= 0; i--) {
        if (p->t[i].path != path || !tensor_desc_equal(&p->t[i].desc, d))
            continue;
        *ret_t = p->t[i];
        ret_t->desc = *d;
        p->t[i] = p->t[--p->n];
        return true;
    }
    return false;
}

void tensor_pool_put(struct tensor_pool *p, const struct tensor *t, struct mem *mem)
{
    struct tensor gone = *t;

    if (p->n == p->allocated) {
        int n = p->allocated ? 2 * p->allocated : 16;
        struct tensor *grown = realloc(p->t, (size_t)n * sizeof(*grown));

        if (!grown) { /* a pool may forget */
            tensor_done(&gone, mem);
            return;
        }
        p->t = grown;
        p->allocated = n;
    }
    p->t[p->n++] = gone;
}

void tensor_pool_clear(struct tensor_pool *p, struct mem *mem)
{
    for (int i = 0; i < p->n; i++)
        tensor_done(&p->t[i], mem);
    free(p->t);
    *p = (struct tensor_pool){0};
}

static const struct tensor_desc *out_desc(const struct model *m, int l)
{
    return &m->layer[l].io.slot[m->layer[l].io.n - 1].desc;
}

int activations_room(struct activations *a, const struct model *m, enum mem_path path,
                     struct tensor_desc *ret_ids, struct err *err)
{
    struct tensor_desc ids = {.rows = 1, .dtype = DTYPE_I32};

    a->m = m;
    a->path = path;
    a->input = calloc((size_t)m->n_inputs + 1, sizeof(*a->input));
    a->out = calloc((size_t)m->n_layers, sizeof(*a->out));
    if (!a->input || !a->out)
        return err_set(err, -ENOMEM, "out of memory for %d tensors", m->n_layers);
    for (int i = 0; i < m->n_inputs; i++) {
        const struct tensor_desc *d = &m->input[i].desc;

        if (d->dtype == DTYPE_I32 && d->cols > ids.cols)
            ids.cols = d->cols;
    }
    *ret_ids = ids;
    return 0;
}

int activations_new(struct activations *a, const struct model *m, enum mem_path path,
                    struct device *dev, cl_command_queue queue, void *const *input,
                    const int32_t *iota, struct mem *mem, struct err *err)
{
    struct tensor_desc ids = {0};
    int rc = activations_room(a, m, path, &ids, err);

    for (int i = 0; i < m->n_inputs && rc == 0; i++) {
        const struct tensor_desc *d = &m->input[i].desc;

        rc = tensor_new(dev, d, d->dtype == DTYPE_I32 ? PATH_BUFFER : path, mem, MEM_ACTIVATION,
                        &a->input[i], err);
        if (rc == 0)
            rc = tensor_write(queue, &a->input[i], input[i], err);
    }
    if (rc == 0 && ids.cols > 0) {
        rc = tensor_new(dev, &ids, PATH_BUFFER, mem, MEM_ACTIVATION, &a->iota, err);
        if (rc == 0)
            rc = tensor_write(queue, &a->iota, iota, err);
    }
    return rc;
}

int activations_begin(struct activations *a, struct device *dev, int l, struct mem *mem,
                      struct err *err)
{
    const struct tensor_desc *d = out_desc(a->m, l);

    if (tensor_pool_take(&a->idle, d, a->path, &a->out[l]))
        return 0;
    return tensor_new(dev, d, a->path, mem, MEM_ACTIVATION, &a->out[l], err);
}

void activations_end(struct activations *a, int l, struct mem *mem)
{
    const struct layer *layer = &a->m->layer[l];

    for (int i = 0; i < layer->io.n - 1; i++) {
        int from = layer->source[i].index;

        if (layer->source[i].kind != SOURCE_LAYER || a->m->layer[from].last_use != l ||
            !a->out[from].mem)
            continue;
        tensor_pool_put(&a->idle, &a->out[from], mem);
        a->out[from] = (struct tensor){0};
    }
}

void activations_done(struct activations *a, struct mem *mem)
{
    for (int i = 0; a->input && i < a->m->n_inputs; i++)
        tensor_done(&a->input[i], mem);
    for (int l = 0; a->out && l < a->m->n_layers; l++)
        tensor_done(&a->out[l], mem);
    tensor_done(&a->iota, mem);
    tensor_pool_clear(&a->idle, mem);
    free(a->input);
    free(a->out);
    *a = (struct activations){0};
}

uint64_t activations_input_bytes(const struct model *m, enum mem_path path)
{
    uint64_t bytes = 0;

    for (int i = 0; i < m->n_inputs; i++) /* ids twice: the vector of compacted gathers */
        bytes += tensor_device_bytes(&m->input[i].desc, path)
                 << (m->input[i].desc.dtype == DTYPE_I32);
    return bytes;
}

uint64_t activations_peak_bytes(const struct model *m, enum mem_path path)
{
    uint64_t live = activations_input_bytes(m, path), most = 0;

    for (int l = 0; l < m->n_layers; l++) {
        const struct layer *layer = &m->layer[l];

        live += tensor_device_bytes(out_desc(m, l), path);
        most = live > most ? live : most;
        for (int i = 0; i < layer->io.n - 1; i++) {
            int from = layer->source[i].index;
            bool again = false;

            for (int k = 0; k < i; k++)
                again = again || (layer->source[k].kind == SOURCE_LAYER &&
                                  layer->source[k].index == from);
            if (layer->source[i].kind == SOURCE_LAYER && m->layer[from].last_use == l && !again)
                live -= tensor_device_bytes(out_desc(m, from), path);
        }
    }
    return most;
}
