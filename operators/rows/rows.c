/* Launches of kernels that reduce rows or columns; see rows.h. */
#include "operators/rows/rows.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

enum {
    /* Texels of a row that are added apart from each other (rows.cl): as many as a CPU's few
     * vectors or a GPU's many items want. */
    STRANDS_CPU = 16,
    STRANDS_GPU = 128,
    COLUMN_STRANDS_CPU = 16,
    COLUMN_STRANDS_GPU = 64,
    SLOTS_GPU = 8, /* strands of an item: 16 ran at a sixth of the speed, they leave registers */
    /* Texels that stay with a work item between passes. CPU: of a row, in its cache; two numbers,
     * so that rows of all lengths share programs. GPU: of an item, in registers. */
    KEPT_CPU = 4096,
    KEPT_CPU_SHORT = 64, /* short rows share a group */
    KEPT_GPU = 16
};

static struct tensor_desc input(const struct op_case *c)
{
    struct op_io io;

    c->op->io(c, &io);
    return io.slot[0].desc;
}

void rows_prefer(const struct op_case *c, const struct device_info *dev, struct op_variant *v)
{
    struct tensor_desc x = input(c);
    bool image = v->path == PATH_IMAGE, folded = image && tensor_folded(&x);
    int64_t ct = (x.cols + 3) / 4;
    int wg = STRANDS_GPU / SLOTS_GPU;

    v->tunable[0] = dev->type == DEVICE_CPU ? 4 : 1;
    if (dev->type == DEVICE_CPU) { /* an item per row: PoCL pays for barriers between many */
        v->lws[0] = 1;
        v->lws[1] = ct <= KEPT_CPU_SHORT ? 16 : 1;
        return;
    }
    while (wg < STRANDS_GPU && wg * 4 < ct) /* four texels of an item, if there are so many */
        wg *= 2;
    if (folded && wg < STRANDS_GPU) /* rows are no neighbours there: strips, the longer the better */
        wg *= 2;
    v->lws[0] = wg;
    v->lws[1] = wg < STRANDS_GPU ? STRANDS_GPU / wg : image && !folded ? 2 : 1;
}

static int check_items(const struct op_case *c, const char *axis, int items, int min, int max,
                       struct err *err)
{
    if (items < min || items > max || (items & (items - 1)))
        return err_set(err, -EINVAL, "%s: lws wants a power of two from %d to %d for %s, got '%d'",
                       c->op->name, min, max, axis, items);
    return 0;
}

static int check_local(const struct op_case *c, uint64_t bytes, const struct device_info *dev,
                       struct err *err)
{
    if (bytes > dev->local_bytes)
        return err_set(err, -EINVAL,
                       "%s: wants %" PRIu64 " bytes of local memory, '%s' has %" PRIu64,
                       c->op->name, bytes, dev->name, dev->local_bytes);
    return 0;
}

int rows_launch(const struct op_case *c, const struct op_variant *v, const struct device_info *dev,
                struct op_launch *ret_launch, struct err *err)
{
    struct tensor_desc x = input(c);
    bool cpu = dev->type == DEVICE_CPU;
    int strands = cpu ? STRANDS_CPU : STRANDS_GPU, vt = v->tunable[0];
    int wg = v->lws[0], wr = v->lws[1], kept, rc;
    int64_t ct = (x.cols + 3) / 4;
    struct op_launch l = {.gws = {(size_t)wg, (size_t)x.rows}};

    rc = check_items(c, "X", wg, cpu ? 1 : strands / vt / SLOTS_GPU, strands / vt, err);
    if (rc == 0)
        rc = check_local(c, 2 * (uint64_t)wg * (uint64_t)wr * (uint64_t)vt * 16, dev, err);
    if (rc < 0)
        return rc;
    if (cpu) {
        kept = ct <= KEPT_CPU_SHORT ? KEPT_CPU_SHORT : ct <= KEPT_CPU ? KEPT_CPU : 0;
        kept /= wg * vt;
    } else {
        kept = 1;
        while (kept * wg * vt < ct)
            kept *= 2;
        if (kept * vt > KEPT_GPU)
            kept = 0;
    }
    OP_INTS(&l, x.rows, x.cols, ct);
    snprintf(l.options, sizeof l.options,
             "-DWG=%d -DWR=%d -DWIDE=%d -DSTRANDS=%d -DKEPT=%d -DUNROLL=%d", wg, wr, 4 * vt,
             strands, kept, !cpu);
    *ret_launch = l;
    return 0;
}

int columns_options(const struct op_case *c, const struct op_variant *v,
                    const struct device_info *dev, int vt, struct op_launch *l, struct err *err)
{
    bool cpu = dev->type == DEVICE_CPU;
    int strands = cpu ? COLUMN_STRANDS_CPU : COLUMN_STRANDS_GPU;
    int wx = v->lws[0], wy = v->lws[1], rc;

    if (wx < 1)
        return err_set(err, -EINVAL, "%s: lws wants XxY, got 'auto'", c->op->name);
    rc = check_items(c, "Y", wy, cpu ? 1 : strands / SLOTS_GPU, strands, err);
    if (rc == 0)
        rc = check_local(c, (uint64_t)wx * (uint64_t)wy * (uint64_t)vt * 16, dev, err);
    if (rc < 0)
        return rc;
    snprintf(l->options, sizeof l->options, "-DWX=%d -DWY=%d -DWIDE=%d -DSTRANDS=%d", wx, wy,
             4 * vt, strands);
    return 0;
}
