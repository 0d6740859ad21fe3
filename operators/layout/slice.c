/* Every rstep-th row and cstep-th column of a part of x. Kernel: kernels/move.cl. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "operators/layout/run.h"

enum { P_ROWS, P_COLS, P_R0, P_RN, P_RSTEP, P_C0, P_CN, P_CSTEP };

static int axis_check(const char *axis, int64_t size, const int64_t *from, struct err *err)
{
    int64_t last = from[0] + (from[1] - 1) * from[2];

    if (last >= size)
        return err_set(err, -EINVAL, "slice: %s %" PRId64 " is the last one, x has %" PRId64, axis,
                       last, size);
    return 0;
}

static int slice_check(const struct op_case *c, struct err *err)
{
    int rc = axis_check("row", c->p[P_ROWS], &c->p[P_R0], err);

    return rc < 0 ? rc : axis_check("column", c->p[P_COLS], &c->p[P_C0], err);
}

static void slice_io(const struct op_case *c, struct op_io *ret_io)
{
    slots_map(c, c->p[P_ROWS], c->p[P_COLS], c->p[P_RN], c->p[P_CN], ret_io);
}

static int slice_launch(const struct op_case *c, const struct op_variant *v,
                        const struct device_info *dev, struct op_launch *ret_launch,
                        struct err *err)
{
    int64_t c0 = c->p[P_C0], cn = c->p[P_CN], step = c->p[P_CSTEP];
    struct op_launch l = run_launch(c, v);
    int columns = step > 1 ? 2 : c0 % 4 ? 1 : 0;

    (void)dev;
    (void)err;
    OP_INTS(&l, (c->p[P_COLS] + 3) / 4, columns ? c0 : c0 / 4, c->p[P_R0], c->p[P_RSTEP], step);
    snprintf(l.options, sizeof l.options, "-DMAP_SLICE -DCOLUMNS=%d -DMASK=%d", columns,
             step == 1 && cn % 4 && c0 + cn < c->p[P_COLS]);
    *ret_launch = l;
    return 0;
}

static void slice_reference(const struct op_case *c, const double *const *in, double *out)
{
    const int64_t *p = c->p;

    for (int64_t r = 0; r < p[P_RN]; r++)
        for (int64_t j = 0; j < p[P_CN]; j++)
            *out++ = in[0][(p[P_R0] + r * p[P_RSTEP]) * p[P_COLS] + p[P_C0] + j * p[P_CSTEP]];
}

const struct op op_slice = {
    .name = "slice",
    .summary = "y[r,c] = x[r0 + r * rstep, c0 + c * cstep]",
    RUN_MOVES,
    .params = {[P_ROWS] = {"rows", 0, 1, 1 << 26, NULL, "rows of x"},
               [P_COLS] = {"cols", 0, 1, 1 << 26, NULL, "columns of x"},
               [P_R0] = {"r0", 0, 0, 1 << 26, NULL, "first row"},
               [P_RN] = {"rn", 0, 1, 1 << 26, NULL, "rows of y"},
               [P_RSTEP] = {"rstep", 1, 1, 1 << 26, NULL, "from row to row"},
               [P_C0] = {"c0", 0, 0, 1 << 26, NULL, "first column"},
               [P_CN] = {"cn", 0, 1, 1 << 26, NULL, "columns of y"},
               [P_CSTEP] = {"cstep", 1, 1, 1 << 26, NULL, "from column to column"}},
    .kernels = {RUN_KERNEL("direct", "move.cl")},
    .check = slice_check,
    .io = slice_io,
    .prefer = run_prefer,
    .launch = slice_launch,
    .reference = slice_reference,
};
