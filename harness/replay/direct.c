#include "harness/replay/direct.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/pinned.h"

static int weight_index(const struct direct *d, int item)
{
    int w = d->s->item[item].weight;

    return w < 0 ? d->ex->m->n_weights : w;
}

/* A whole tensor over `host` for the host to write, or back to the device. */
static int map_tensor(const struct tensor *t, unsigned char *host, bool map, cl_command_queue queue,
                      struct err *err)
{
    int64_t width, height;
    size_t origin[3] = {0}, region[3] = {0, 0, 1}, pitch;
    cl_int code = CL_SUCCESS;

    if (!t->mem)
        return 0;
    if (!map) {
        code = clEnqueueUnmapMemObject(queue, t->mem, host, 0, NULL, NULL);
    } else if (t->path == PATH_IMAGE) {
        tensor_image_size(&t->desc, &width, &height);
        region[0] = (size_t)width;
        region[1] = (size_t)height;
        clEnqueueMapImage(queue, t->mem, CL_FALSE, CL_MAP_WRITE_INVALIDATE_REGION, origin, region,
                          &pitch, NULL, 0, NULL, NULL, &code);
    } else {
        clEnqueueMapBuffer(queue, t->mem, CL_FALSE, CL_MAP_WRITE_INVALIDATE_REGION, 0,
                           tensor_bytes(&t->desc), 0, NULL, NULL, &code);
    }
    return code == CL_SUCCESS ? 0 : cl_err(err, code, "%s a tensor", map ? "mapping" : "unmapping");
}

int direct_map_weight(struct direct *d, int item, bool map, cl_command_queue queue, struct err *err)
{
    int rc = 0;

    if (d->mapped[item] != map)
        rc = map_tensor(&d->weight[weight_index(d, item)], d->host + d->s->item[item].place, map,
                        queue, err);
    if (rc == 0)
        d->mapped[item] = map;
    return rc;
}

int direct_map_all(struct direct *d, bool map, struct err *err)
{
    int rc = 0;

    for (int i = 0; i < d->s->n_items && rc == 0; i++)
        rc = direct_map_weight(d, i, map, d->ex->transfer, err);
    clFinish(d->ex->transfer);
    return rc;
}

/* Input i, or the index vector, which stands before the first. */
static int map_input(struct direct *d, int i, bool map, cl_command_queue queue, struct err *err)
{
    const struct layout *y = &d->ex->layout;

    return map_tensor(i < 0 ? &d->acts.iota : &d->acts.input[i],
                      d->host + d->s->place_bytes + (i < 0 ? y->iota : y->input[i]), map, queue,
                      err);
}

int direct_map_inputs(struct direct *d, bool map, cl_command_queue queue, struct err *err)
{
    int rc = 0;

    for (int i = -1; d->inputs_mapped != map && i < d->ex->m->n_inputs && rc == 0; i++)
        rc = map_input(d, i, map, queue, err);
    if (rc == 0)
        d->inputs_mapped = map;
    return rc;
}

static int open_weights(struct direct *d, struct err *err)
{
    struct executor *ex = d->ex;
    int rc = 0;

    for (int i = 0; i < d->s->n_items && rc == 0; i++) {
        int w = weight_index(d, i);
        struct tensor_desc desc = executor_weight_desc(ex, w);

        rc = tensor_new_at(ex->dev, &desc, w == ex->m->n_weights ? PATH_BUFFER : ex->opt.path,
                           d->host + d->s->item[i].place, 0, &d->weight[w], err);
    }
    return rc < 0 ? rc : direct_map_all(d, true, err);
}

static int open_activations(struct direct *d, struct err *err)
{
    struct executor *ex = d->ex;
    const struct model *m = ex->m;
    const struct layout *y = &ex->layout;
    unsigned char *base = d->host + d->s->place_bytes;
    struct tensor_desc ids = {0};
    struct activations *a = &d->acts;
    int rc = activations_room(a, m, ex->opt.path, &ids, err);

    for (int i = 0; i < m->n_inputs && rc == 0; i++) {
        const struct tensor_desc *t = &m->input[i].desc;

        rc = tensor_new_at(ex->dev, t, a->path, base + y->input[i], 0, &a->input[i], err);
    }
    if (rc == 0 && ids.cols > 0)
        rc = tensor_new_at(ex->dev, &ids, PATH_BUFFER, base + y->iota, 0, &a->iota, err);
    for (int l = 0; l < m->n_layers && rc == 0; l++)
        rc = tensor_new_at(ex->dev, &m->layer[l].io.slot[m->layer[l].io.n - 1].desc, a->path,
                           base + y->out[l], y->pitch[l], &a->out[l], err);
    return rc;
}

static int cut_items(struct direct *d, struct err *err)
{
    const struct schedule *s = d->s;
    int n = 0;

    for (int i = 0; i < s->n_items; i++)
        n += parts_cut(s, i, NULL);
    d->first_part = calloc((size_t)s->n_items + 1, sizeof(*d->first_part));
    d->part = calloc((size_t)n + 1, sizeof(*d->part));
    if (!d->first_part || !d->part)
        return err_set(err, -ENOMEM, "out of memory for %d reads", n);
    for (int i = 0; i < s->n_items; i++)
        d->first_part[i + 1] = d->first_part[i] + parts_cut(s, i, d->part + d->first_part[i]);
    return 0;
}

static int find_blocks(struct direct *d, struct err *err)
{
    const struct schedule *s = d->s;
    int n = (int)(d->bytes / DIRECT_BLOCK), weights = (int)(s->place_bytes / DIRECT_BLOCK);

    d->block_last = calloc((size_t)n + 1, sizeof(*d->block_last));
    if (!d->block_last)
        return err_set(err, -ENOMEM, "out of memory for %d blocks", n);
    for (int b = 0; b < n; b++)
        d->block_last[b] = b < weights ? parts_free_after(s, s->n_items, (uint64_t)b * DIRECT_BLOCK,
                                                    DIRECT_BLOCK)
                                       : INT_MAX;
    return 0;
}

int direct_open(struct executor *ex, const struct schedule *s, struct direct *ret_d,
                struct err *err)
{
    struct direct d = {.ex = ex, .s = s, .bytes = s->place_bytes + ex->layout.bytes};
    void *host = NULL;
    int rc = pinned_pages(d.bytes, &host, err);

    d.host = host;
    d.weight = calloc((size_t)ex->m->n_weights + 1, sizeof(*d.weight));
    d.mapped = calloc((size_t)s->n_items + 1, sizeof(*d.mapped));
    if (rc == 0 && (!d.weight || !d.mapped))
        rc = err_set(err, -ENOMEM, "out of memory for %d weights", ex->m->n_weights);
    if (rc == 0)
        rc = cut_items(&d, err);
    if (rc == 0)
        rc = find_blocks(&d, err);
    if (rc == 0)
        rc = open_weights(&d, err);
    if (rc == 0)
        rc = open_activations(&d, err);
    if (rc == 0)
        rc = direct_map_inputs(&d, true, ex->transfer, err);
    clFinish(ex->transfer);
    if (rc == 0)
        reader_register(ex->reader, d.host, d.bytes);
    if (rc < 0)
        direct_close(&d);
    else
        *ret_d = d;
    return rc;
}

void direct_close(struct direct *d)
{
    if (d->mapped && d->weight && d->acts.input) {
        direct_map_inputs(d, false, d->ex->transfer, NULL);
        direct_map_all(d, false, NULL);
    }
    for (int w = 0; d->weight && w <= d->ex->m->n_weights; w++)
        tensor_done(&d->weight[w], NULL);
    activations_done(&d->acts, NULL);
    if (d->host)
        reader_unregister(d->ex->reader, d->host, d->bytes);
    pinned_free(d->host, NULL);
    free(d->weight);
    free(d->mapped);
    free(d->part);
    free(d->first_part);
    free(d->block_last);
    *d = (struct direct){0};
}
