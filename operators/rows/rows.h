/* operators/rows/rows.h - launches of kernels that reduce rows: a group of WG x WR items takes WR
 * rows. The local size is the tile; kernels/texel.cl (STRANDS) says why WG ends at 128. */
#ifndef FLASHMEM_OPERATORS_ROWS_ROWS_H
#define FLASHMEM_OPERATORS_ROWS_ROWS_H

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "operators/op.h"

enum { ROWS_STRANDS = 128, ROWS_KEPT_MAX = 1024 };

/* CPUs: an item per row, because PoCL pays for barriers between many. GPUs: 8 to 128 items on a
 * row, groups of 128. */
static inline void rows_prefer(const struct device_info *dev, int64_t texel_cols, int ret_lws[2])
{
    int wg = 8;

    while (wg < texel_cols && wg < ROWS_STRANDS)
        wg *= 2;
    ret_lws[0] = dev->type == DEVICE_CPU ? 1 : wg;
    ret_lws[1] = dev->type == DEVICE_CPU ? 1 : ROWS_STRANDS / wg;
}

/* Grid and -DWG -DWR -DROW. Rows of up to ROWS_KEPT_MAX texels stay in local memory between passes
 * where it is large enough; few values of ROW, so that few programs are built. */
static inline int rows_launch(const struct op_case *c, const struct op_variant *v,
                              const struct device_info *dev, int64_t rows, int64_t cols,
                              struct op_launch *ret_launch, struct err *err)
{
    int64_t ct = (cols + 3) / 4;
    int wg = v->lws[0], wr = v->lws[1], kept = ct <= 256 ? 256 : ROWS_KEPT_MAX;

    if (wg < 1 || wg > ROWS_STRANDS || (wg & (wg - 1)) || wr < 1)
        return err_set(err, -EINVAL,
                       "%s: lws wants XxY with X a power of two up to %d, got '%dx%d'", c->op->name,
                       ROWS_STRANDS, wg, wr);
    if (ct > kept || (uint64_t)wr * (uint64_t)(kept * 16 + ROWS_STRANDS * 4) > dev->local_bytes)
        kept = 0;
    if ((uint64_t)wr * ROWS_STRANDS * 4 > dev->local_bytes)
        return err_set(err, -EINVAL,
                       "%s: %d rows of a group want %d bytes of local memory, '%s' "
                       "has %" PRIu64,
                       c->op->name, wr, wr * ROWS_STRANDS * 4, dev->name, dev->local_bytes);
    *ret_launch = (struct op_launch){
        .gws = {(size_t)wg, (size_t)rows}, .n_ints = 3, .ints = {(int)rows, (int)cols, (int)ct}};
    snprintf(ret_launch->options, sizeof ret_launch->options, "-DWG=%d -DWR=%d -DROW=%d", wg, wr,
             kept);
    return 0;
}

#endif
