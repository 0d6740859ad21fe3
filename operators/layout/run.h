/* operators/layout/run.h - what the host sides of kernels with runs share (kernels/run.cl): an item
 * moves RUN texels of VT rows. */
#ifndef FLASHMEM_OPERATORS_LAYOUT_RUN_H
#define FLASHMEM_OPERATORS_LAYOUT_RUN_H

#include "operators/grid.h"
#include "operators/op.h"

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
        .name = kernel_name, .source = file, .shared = "run.cl",                                   \
        .forms = 1u << FORM_NAIVE | 1u << FORM_BRANCHING | 1u << FORM_PIPELINED,                   \
        .tunables = RUN_TUNABLES                                                                   \
    }

/* Do items take the folded image of y texel by texel? See kernels/run.cl. */
static inline bool run_folded(const struct op_variant *v, int64_t rows, int64_t cols)
{
    struct tensor_desc y = {.rows = rows, .cols = cols};

    return v->path == PATH_IMAGE && v->tunable[RUN_RUN] == 1 && v->tunable[RUN_VT] == 1 &&
           tensor_folded(&y);
}

/* For an output of rows x ct texels. */
static inline void run_prefer(const struct device_info *dev, int64_t rows, int64_t ct,
                              struct op_variant *v)
{
    bool cpu = dev->type == DEVICE_CPU;
    int run = cpu ? 256 : 1;

    v->tunable[RUN_RUN] = run;
    v->tunable[RUN_VT] = 1;
    if (!cpu && run_folded(v, rows, 4 * ct)) {
        v->lws[0] = v->lws[1] = 16;
        return;
    }
    v->tunable[RUN_VT] = cpu ? 2 : 4;
    grid_prefer(dev, (ct + run - 1) / run, (rows + v->tunable[RUN_VT] - 1) / v->tunable[RUN_VT],
                v->lws);
}

/* Grid, and the ints that all such kernels begin with: rows, cols, texels a row. */
static inline struct op_launch run_launch(const struct op_variant *v, int64_t rows, int64_t cols)
{
    int64_t ct = (cols + 3) / 4, run = v->tunable[RUN_RUN], vt = v->tunable[RUN_VT];

    struct op_launch l = {.gws = {(size_t)((ct + run - 1) / run), (size_t)((rows + vt - 1) / vt)},
                          .n_ints = 3,
                          .ints = {(int)rows, (int)cols, (int)ct}};

    if (run_folded(v, rows, cols)) {
        struct tensor_desc y = {.rows = rows, .cols = cols};
        int64_t size[2];

        tensor_image_size(&y, &size[0], &size[1]);
        for (int i = 0; i < 2; i++)
            l.gws[i] = (size_t)size[i];
    }
    return l;
}

static inline void run_ints(struct op_launch *l, int n, const int64_t *ints)
{
    for (int i = 0; i < n; i++)
        l->ints[l->n_ints++] = (int)ints[i];
}
#define RUN_INTS(l, ...)                                                                           \
    run_ints(l, (int)(sizeof(int64_t[]){__VA_ARGS__} / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})

/* Layout operators neither multiply nor add. */
static inline void run_cost(const struct op_case *c, double *ret_macs, double *ret_ops)
{
    (void)c;
    *ret_macs = *ret_ops = 0;
}

/* x [xrows, xcols] -> y [rows, cols]. */
static inline void run_io(const struct op_case *c, int64_t xrows, int64_t xcols, int64_t rows,
                          int64_t cols, struct op_io *ret_io)
{
    *ret_io = (struct op_io){2,
                             {{"x", ROLE_INPUT, {.rows = xrows, .cols = xcols, .dtype = c->dtype}},
                              {"y", ROLE_OUTPUT, {.rows = rows, .cols = cols, .dtype = c->dtype}}}};
}

/* Tolerance of what is moved and not computed: nothing. */
#define RUN_EXACT 1e-30

#endif
