/* A feature map [h*w, c] as windows of wh x ww pixels, one after the other, and back. Kernel:
 * kernels/move.cl. */
#include <stdio.h>

#include "operators/layout/run.h"

enum { P_H, P_W, P_C, P_WH, P_WW, P_KIND };

enum { KIND_PARTITION, KIND_MERGE };
static const char *const kind_names[] = {"partition", "merge", NULL};

/* Windows side by side: those at the right and the bottom may hang over. */
static int64_t across(const struct op_case *c)
{
    return (c->p[P_W] + c->p[P_WW] - 1) / c->p[P_WW];
}

static int64_t window_rows(const struct op_case *c)
{
    int64_t down = (c->p[P_H] + c->p[P_WH] - 1) / c->p[P_WH];

    return down * across(c) * c->p[P_WH] * c->p[P_WW];
}

static int64_t out_rows(const struct op_case *c)
{
    return c->p[P_KIND] == KIND_PARTITION ? window_rows(c) : c->p[P_H] * c->p[P_W];
}

static void window_io(const struct op_case *c, struct op_io *ret_io)
{
    int64_t map = c->p[P_H] * c->p[P_W];

    slots_map(c, c->p[P_KIND] == KIND_PARTITION ? map : window_rows(c), c->p[P_C], out_rows(c),
              c->p[P_C], ret_io);
}

static int window_launch(const struct op_case *c, const struct op_variant *v,
                         const struct device_info *dev, struct op_launch *ret_launch,
                         struct err *err)
{
    struct op_launch l = run_launch(c, v);

    (void)dev;
    (void)err;
    OP_INTS(&l, (c->p[P_C] + 3) / 4, 0, c->p[P_H], c->p[P_W], c->p[P_WH], c->p[P_WW], across(c));
    snprintf(l.options, sizeof l.options, "%s",
             c->p[P_KIND] == KIND_PARTITION ? "-DMAP_SPLIT" : "-DMAP_JOIN");
    *ret_launch = l;
    return 0;
}

/* Goes through the windows; a pixel outside the map reads as zero and is dropped when merging. */
static void window_reference(const struct op_case *c, const double *const *in, double *out)
{
    int64_t h = c->p[P_H], w = c->p[P_W], n = c->p[P_C], at = 0;

    for (int64_t y0 = 0; y0 < h; y0 += c->p[P_WH])
        for (int64_t x0 = 0; x0 < w; x0 += c->p[P_WW])
            for (int64_t y = y0; y < y0 + c->p[P_WH]; y++)
                for (int64_t x = x0; x < x0 + c->p[P_WW]; x++)
                    for (int64_t j = 0; j < n; j++, at++) {
                        int64_t pixel = (y * w + x) * n + j;

                        if (c->p[P_KIND] == KIND_PARTITION)
                            out[at] = y < h && x < w ? in[0][pixel] : 0;
                        else if (y < h && x < w)
                            out[pixel] = in[0][at];
                    }
}

const struct op op_window = {
    .name = "window",
    .summary = "y = pixels of x in windows of wh x ww (zeros beyond the map), or back",
    RUN_MOVES,
    .params = {[P_H] = {"h", 0, 1, 1 << 13, NULL, "height of the map"},
               [P_W] = {"w", 0, 1, 1 << 13, NULL, "width of the map"},
               [P_C] = {"c", 0, 1, 1 << 24, NULL, "channels"},
               [P_WH] = {"wh", 0, 1, 1 << 12, NULL, "height of a window"},
               [P_WW] = {"ww", 0, 1, 1 << 12, NULL, "width of a window"},
               [P_KIND] = {"kind", KIND_PARTITION, 0, 1, kind_names, "into windows, or back"}},
    .kernels = {RUN_KERNEL("direct", "move.cl")},
    .io = window_io,
    .prefer = run_prefer,
    .launch = window_launch,
    .reference = window_reference,
};
