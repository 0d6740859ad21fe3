/* Two to four tensors, one below the other or side by side. Kernel: kernels/concat.cl. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "operators/layout/run.h"

enum { P_N, P_AXIS, P_SIZE0, P_SIZE1, P_SIZE2, P_SIZE3, P_OTHER };

enum { AXIS_ROWS, AXIS_COLS };
static const char *const axis_names[] = {"rows", "cols", NULL};

enum { MAX_INPUTS = 4 };

static int concat_check(const struct op_case *c, struct err *err)
{
    for (int i = 0; i < MAX_INPUTS; i++) {
        int64_t size = c->p[P_SIZE0 + i];

        if ((size > 0) != (i < c->p[P_N]))
            return err_set(err, -EINVAL,
                           "concat: size%d wants %s with n=%" PRId64 ", got '%" PRId64 "'", i,
                           i < c->p[P_N] ? "1 or more" : "0", c->p[P_N], size);
    }
    return 0;
}

static struct tensor_desc part(const struct op_case *c, int64_t size)
{
    bool rows = c->p[P_AXIS] == AXIS_ROWS;

    return (struct tensor_desc){.rows = rows ? size : c->p[P_OTHER],
                                .cols = rows ? c->p[P_OTHER] : size,
                                .dtype = c->dtype};
}

static struct tensor_desc whole(const struct op_case *c)
{
    return part(c, c->p[P_SIZE0] + c->p[P_SIZE1] + c->p[P_SIZE2] + c->p[P_SIZE3]);
}

static void concat_io(const struct op_case *c, struct op_io *ret_io)
{
    static const char *const names[] = {"x0", "x1", "x2", "x3"};
    struct op_io io = {0};

    for (; io.n < c->p[P_N]; io.n++)
        io.slot[io.n] = (struct op_slot){names[io.n], ROLE_INPUT, part(c, c->p[P_SIZE0 + io.n])};
    io.slot[io.n++] = (struct op_slot){"y", ROLE_OUTPUT, whole(c)};
    *ret_io = io;
}

static int concat_launch(const struct op_case *c, const struct op_variant *v,
                         const struct device_info *dev, struct op_launch *ret_launch,
                         struct err *err)
{
    struct op_launch l = run_launch(c, v);
    bool aligned = true;
    int64_t end = 0;

    (void)dev;
    (void)err;
    for (int i = 0; i < MAX_INPUTS; i++) {
        end += c->p[P_SIZE0 + i];
        OP_INTS(&l, end);
        aligned = aligned && (i + 1 >= c->p[P_N] || end % 4 == 0);
    }
    for (int i = 0; i < MAX_INPUTS; i++)
        OP_INTS(&l, (part(c, c->p[P_SIZE0 + i]).cols + 3) / 4);
    snprintf(l.options, sizeof l.options, "-DNX=%d -D%s -DWHOLE=%d", (int)c->p[P_N],
             c->p[P_AXIS] == AXIS_ROWS ? "ROWS" : "COLS", aligned);
    *ret_launch = l;
    return 0;
}

static void concat_reference(const struct op_case *c, const double *const *in, double *out)
{
    struct tensor_desc y = whole(c);
    int64_t at = 0;

    for (int k = 0; k < c->p[P_N]; k++) {
        struct tensor_desc x = part(c, c->p[P_SIZE0 + k]);
        int64_t row = c->p[P_AXIS] == AXIS_ROWS ? at : 0, col = c->p[P_AXIS] == AXIS_ROWS ? 0 : at;

        for (int64_t r = 0; r < x.rows; r++)
            for (int64_t j = 0; j < x.cols; j++)
                out[(row + r) * y.cols + col + j] = in[k][r * x.cols + j];
        at += c->p[P_SIZE0 + k];
    }
}

const struct op op_concat = {
    .name = "concat",
    .summary = "y = x0, x1, ... one below the other or side by side",
    RUN_MOVES,
    .params = {[P_N] = {"n", 0, 2, MAX_INPUTS, NULL, "inputs"},
               [P_AXIS] = {"axis", AXIS_ROWS, 0, 1, axis_names, "what their sizes add up along"},
               [P_SIZE0] = {"size0", 0, 1, 1 << 26, NULL, "rows or columns of x0"},
               [P_SIZE1] = {"size1", 0, 1, 1 << 26, NULL, "of x1"},
               [P_SIZE2] = {"size2", 0, 0, 1 << 26, NULL, "of x2"},
               [P_SIZE3] = {"size3", 0, 0, 1 << 26, NULL, "of x3"},
               [P_OTHER] = {"other", 0, 1, 1 << 26, NULL, "columns or rows that all have"}},
    .kernels = {RUN_KERNEL("direct", "concat.cl")},
    .check = concat_check,
    .io = concat_io,
    .prefer = run_prefer,
    .launch = concat_launch,
    .reference = concat_reference,
};
