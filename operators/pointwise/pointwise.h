/* operators/pointwise/pointwise.h - launches of element-wise kernels (kernels/pointwise.cl). */
#ifndef FLASHMEM_OPERATORS_POINTWISE_POINTWISE_H
#define FLASHMEM_OPERATORS_POINTWISE_POINTWISE_H

#include <inttypes.h>
#include <stdio.h>

#include "operators/grid.h"
#include "operators/op.h"

/* op.kernels of all of them. */
#define POINTWISE_KERNELS(file)                                                                    \
    {                                                                                              \
        {                                                                                          \
            .name = "direct", .source = file, .shared = "pointwise.cl",                            \
            .forms = 1u << FORM_NAIVE | 1u << FORM_BRANCHING | 1u << FORM_PIPELINED, .tunables = { \
                {"VT", 4, 1, {1, 2, 4, 8, 16}, "texels of an item, side by side"}                  \
            }                                                                                      \
        }                                                                                          \
    }

#define POINTWISE_SHAPE                                                                            \
    {"rows", 0, 1, 1 << 26, NULL, "rows of the result"},                                           \
    {                                                                                              \
        "cols", 0, 1, 1 << 26, NULL, "elements of a row"                                           \
    }

/* Grid (of a folded image: the image, if VT is 1), ints rows cols ct, -DWIDE. Vectors of up to 16
 * elements, what OpenCL and CPUs have. */
static inline void pointwise_launch(const struct op_variant *v, int64_t rows, int64_t cols,
                                    struct op_launch *ret_launch)
{
    struct tensor_desc y = {.rows = rows, .cols = cols};
    int64_t ct = (cols + 3) / 4, vt = v->tunable[0];

    *ret_launch = (struct op_launch){.gws = {(size_t)((ct + vt - 1) / vt), (size_t)rows},
                                     .n_ints = 3,
                                     .ints = {(int)rows, (int)cols, (int)ct}};
    if (v->path == PATH_IMAGE && vt == 1 && tensor_folded(&y)) {
        int64_t size[2];

        tensor_image_size(&y, &size[0], &size[1]);
        for (int i = 0; i < 2; i++)
            ret_launch->gws[i] = (size_t)size[i];
    }
    snprintf(ret_launch->options, sizeof ret_launch->options, "-DWIDE=%d",
             vt < 4 ? 4 * (int)vt : 16);
}

/* CPU: groups along a row, for one stream of memory; the whole vectors of an item. */
static inline void pointwise_prefer(const struct device_info *dev, int64_t rows, int64_t cols,
                                    struct op_variant *v)
{
    int64_t vectors = (cols + 15) / 16;
    int items = vectors * rows < 1024 ? 4 : 64, x = 1;

    if (dev->type != DEVICE_CPU) {
        struct op_launch l;

        v->tunable[0] = 1;
        pointwise_launch(v, rows, cols, &l);
        grid_prefer(dev, (int64_t)l.gws[0], (int64_t)l.gws[1], v->lws);
        return;
    }
    while (x < vectors && x < items)
        x *= 2;
    v->tunable[0] = 4;
    v->lws[0] = x;
    v->lws[1] = items / x;
}

#endif
