/* operators/layout/run.h - what the host sides of kernels with runs share (kernels/run.cl): an item
 * moves RUN texels of VT rows. */
#ifndef FLASHMEM_OPERATORS_LAYOUT_RUN_H
#define FLASHMEM_OPERATORS_LAYOUT_RUN_H

#include "operators/grid.h"
#include "operators/op.h"
#include "operators/slots.h"

enum { RUN_RUN, RUN_VT };

#define RUN_TUNABLES                                                                               \
    {                                                                                              \
        {"RUN", 256, 1, {1, 4, 16, 64, 256}, "texels of an item, side by side"},                   \
        {                                                                                          \
            "VT", 2, 4, {1, 2, 4, 8, 16}, "runs of an item, one below the other"                   \
        }                                                                                          \
    }
#define RUN_KERNEL(kernel_name, file)                                                              \
    {                                                                                              \
        .name = kernel_name, .source = file, .shared = "run.cl", .forms = OP_ALL_FORMS,            \
        .tunables = RUN_TUNABLES                                                                   \
    }

/* Do items take the folded image of y texel by texel? See kernels/run.cl. */
static inline bool run_folded(const struct op_variant *v, const struct tensor_desc *y)
{
    return v->path == PATH_IMAGE && v->tunable[RUN_RUN] == 1 && v->tunable[RUN_VT] == 1 &&
           tensor_folded(y);
}

/* op.prefer */
static inline void run_prefer(const struct op_case *c, const struct device_info *dev,
                              struct op_variant *v)
{
    struct tensor_desc y = op_output(c);
    bool cpu = dev->type == DEVICE_CPU;
    int run = cpu ? 256 : 1, vt = cpu ? 2 : 4;

    v->tunable[RUN_RUN] = run;
    v->tunable[RUN_VT] = 1;
    if (!cpu && run_folded(v, &y)) {
        v->lws[0] = v->lws[1] = 16;
        return;
    }
    v->tunable[RUN_VT] = vt;
    grid_prefer(dev, ((y.cols + 3) / 4 + run - 1) / run, (y.rows + vt - 1) / vt, v->lws);
}

/* Grid, and the ints that all such kernels begin with: rows, cols, texels a row of y. */
static inline struct op_launch run_launch(const struct op_case *c, const struct op_variant *v)
{
    struct tensor_desc y = op_output(c);
    int64_t ct = (y.cols + 3) / 4, run = v->tunable[RUN_RUN], vt = v->tunable[RUN_VT];
    struct op_launch l = {
        .gws = {(size_t)((ct + run - 1) / run), (size_t)((y.rows + vt - 1) / vt)}};

    OP_INTS(&l, y.rows, y.cols, ct);
    if (run_folded(v, &y)) {
        int64_t size[2];

        tensor_image_size(&y, &size[0], &size[1]);
        for (int i = 0; i < 2; i++)
            l.gws[i] = (size_t)size[i];
    }
    return l;
}

/* Layout operators neither multiply nor add. */
static inline void run_cost(const struct op_case *c, double *ret_macs, double *ret_ops)
{
    (void)c;
    *ret_macs = *ret_ops = 0;
}

/* op's members of those that move and do not compute: exact. */
#define RUN_MOVES .class = OP_ELEMENTAL, .tol_f32 = 1e-30, .tol_f16 = 1e-30, .cost = run_cost

#endif
