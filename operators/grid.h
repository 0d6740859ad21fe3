/* operators/grid.h - local sizes for kernels whose items are independent of one another.
 *
 * CPUs: few distinct sizes, because PoCL compiles a kernel for each; at least some 8 groups,
 * because groups are what its threads take. GPUs: 2-D groups of 256, because writing images in row
 * strips loses a factor of 2 to 4 on NVIDIA. */
#ifndef FLASHMEM_OPERATORS_GRID_H
#define FLASHMEM_OPERATORS_GRID_H

#include <stdint.h>

#include "profiler/device.h"

/* Items x (texel columns) by y. */
static inline void grid_prefer(const struct device_info *dev, int64_t x, int64_t y, int ret_lws[2])
{
    int items = dev->type != DEVICE_CPU ? 256 : x * y < 128 ? 1 : x * y < 1024 ? 16 : 64;
    int lx = x >= 16 ? 16 : x >= 4 ? 4 : 1;

    if (lx > items)
        lx = items;
    ret_lws[0] = lx;
    ret_lws[1] = items / lx;
}

#endif
