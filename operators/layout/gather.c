/* Rows of a weight by index: an embedding. Kernel: kernels/move.cl. */
#include <stdio.h>

#include "operators/layout/run.h"

enum { P_T, P_VOCAB, P_COLS };

static void gather_io(const struct op_case *c, struct op_io *ret_io)
{
    struct tensor_desc ids = {.rows = 1, .cols = c->p[P_T], .dtype = DTYPE_I32};
    struct tensor_desc w = {.rows = c->p[P_VOCAB], .cols = c->p[P_COLS], .dtype = c->dtype};
    struct tensor_desc y = {.rows = c->p[P_T], .cols = c->p[P_COLS], .dtype = c->dtype};

    *ret_io = (struct op_io){
        3, {{"ids", ROLE_IDS, ids}, {"weight", ROLE_WEIGHT, w}, {"y", ROLE_OUTPUT, y}}};
}

static int gather_launch(const struct op_case *c, const struct op_variant *v,
                         const struct device_info *dev, struct op_launch *ret_launch,
                         struct err *err)
{
    struct op_launch l = run_launch(c, v);

    (void)dev;
    (void)err;
    OP_INTS(&l, (c->p[P_COLS] + 3) / 4, 0, c->p[P_VOCAB]);
    snprintf(l.options, sizeof l.options, "-DMAP_GATHER");
    *ret_launch = l;
    return 0;
}

static void gather_reference(const struct op_case *c, const double *const *in, double *out)
{
    int64_t cols = c->p[P_COLS], vocab = c->p[P_VOCAB];

    for (int64_t r = 0; r < c->p[P_T]; r++) {
        int64_t id = (int64_t)in[0][r];

        id = id < 0 ? 0 : id >= vocab ? vocab - 1 : id;
        for (int64_t i = 0; i < cols; i++)
            out[r * cols + i] = in[1][id * cols + i];
    }
}

const struct op op_gather = {
    .name = "gather",
    .summary = "y[r,c] = weight[ids[r],c]",
    RUN_MOVES,
    .params = {{"t", 0, 1, 1 << 24, NULL, "ids"},
               {"vocab", 0, 1, 1 << 24, NULL, "rows of the weight"},
               {"cols", 0, 1, 1 << 24, NULL, "elements of a row"}},
    .kernels = {RUN_KERNEL("direct", "move.cl")},
    .io = gather_io,
    .prefer = run_prefer,
    .launch = gather_launch,
    .reference = gather_reference,
};
