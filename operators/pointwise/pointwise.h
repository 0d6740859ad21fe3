/* operators/pointwise/pointwise.h - launches of element-wise kernels (kernels/pointwise.cl). */
#ifndef FLASHMEM_OPERATORS_POINTWISE_POINTWISE_H
#define FLASHMEM_OPERATORS_POINTWISE_POINTWISE_H

#include <inttypes.h>
#include <stdio.h>

#include "operators/grid.h"
#include "operators/op.h"
#include "operators/op_text.h"
#include "operators/slots.h"

/* op.kernels of all of them. */
#define POINTWISE_KERNELS(file)                                                                    \
    {                                                                                              \
        {                                                                                          \
            .name = "direct", .source = file, .shared = "pointwise.cl", .forms = OP_ALL_FORMS,     \
            .tunables = {                                                                          \
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
static inline void pointwise_launch(const struct op_case *c, const struct op_variant *v,
                                    struct op_launch *ret_launch)
{
    struct tensor_desc y = op_output(c);
    int64_t ct = (y.cols + 3) / 4, vt = v->tunable[0];
    struct op_launch l = {.gws = {(size_t)((ct + vt - 1) / vt), (size_t)y.rows}};

    OP_INTS(&l, y.rows, y.cols, ct);
    if (v->path == PATH_IMAGE && vt == 1 && tensor_folded(&y)) {
        int64_t size[2];

        tensor_image_size(&y, &size[0], &size[1]);
        for (int i = 0; i < 2; i++)
            l.gws[i] = (size_t)size[i];
    }
    snprintf(l.options, sizeof l.options, "-DWIDE=%d", vt < 4 ? 4 * (int)vt : 16);
    *ret_launch = l;
}

/* op.prefer. CPU: the whole vectors of an item; groups along a row, for one stream of memory, and of
 * images for sixteen, which is what its calls for texels keep busy. */
static inline void pointwise_prefer(const struct op_case *c, const struct device_info *dev,
                                    struct op_variant *v)
{
    struct tensor_desc y = op_output(c);
    int64_t vectors = (y.cols + 15) / 16;
    int items = vectors * y.rows < 1024 ? 4 : 64, x = 1;
    int along = v->path == PATH_IMAGE ? 4 : items;

    if (dev->type != DEVICE_CPU) {
        struct op_launch l;

        v->tunable[0] = 1;
        pointwise_launch(c, v, &l);
        grid_prefer(dev, (int64_t)l.gws[0], (int64_t)l.gws[1], v->lws);
        return;
    }
    while (x < vectors && x < along)
        x *= 2;
    v->tunable[0] = 4;
    v->lws[0] = x;
    v->lws[1] = items / x;
}

#endif
