/* Rows of a weight by index: an embedding. Kernel: kernels/gather.cl. */
#include "operators/grid.h"
#include "operators/op.h"

enum { P_T, P_VOCAB, P_COLS };

static void gather_io(const struct op_case *c, struct op_io *ret_io)
{
    struct tensor_desc ids = {.rows = 1, .cols = c->p[P_T], .dtype = DTYPE_I32};
    struct tensor_desc w = {.rows = c->p[P_VOCAB], .cols = c->p[P_COLS], .dtype = c->dtype};
    struct tensor_desc y = {.rows = c->p[P_T], .cols = c->p[P_COLS], .dtype = c->dtype};

    *ret_io = (struct op_io){
        3, {{"ids", ROLE_IDS, ids}, {"weight", ROLE_WEIGHT, w}, {"y", ROLE_OUTPUT, y}}};
}

static void gather_cost(const struct op_case *c, double *ret_macs, double *ret_ops)
{
    (void)c;
    *ret_macs = *ret_ops = 0;
}

static void gather_prefer(const struct op_case *c, const struct device_info *dev,
                          struct op_variant *v)
{
    v->tunable[0] = 4;
    grid_prefer(dev, (c->p[P_COLS] + 3) / 4, (c->p[P_T] + 3) / 4, v->lws);
}

static int gather_launch(const struct op_case *c, const struct op_variant *v,
                         const struct device_info *dev, struct op_launch *ret_launch,
                         struct err *err)
{
    int64_t t = c->p[P_T], ct = (c->p[P_COLS] + 3) / 4, vt = v->tunable[0];

    (void)dev;
    (void)err;
    *ret_launch = (struct op_launch){.gws = {(size_t)ct, (size_t)((t + vt - 1) / vt)},
                                     .n_ints = 3,
                                     .ints = {(int)t, (int)c->p[P_VOCAB], (int)ct}};
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
    .class = OP_ELEMENTAL,
    .params = {{"t", 0, 1, 1 << 24, NULL, "ids"},
               {"vocab", 0, 1, 1 << 24, NULL, "rows of the weight"},
               {"cols", 0, 1, 1 << 24, NULL, "elements of a row"}},
    .kernels =
        {{.name = "direct",
          .source = "gather.cl",
          .forms = 1u << FORM_NAIVE | 1u << FORM_BRANCHING | 1u << FORM_PIPELINED,
          .tunables = {{"VT", 4, 4, {1, 2, 4, 8, 16}, "texels of an item, one below the other"}}}},
    .tol_f32 = 1e-30, /* a copy */
    .tol_f16 = 1e-30,
    .io = gather_io,
    .cost = gather_cost,
    .prefer = gather_prefer,
    .launch = gather_launch,
    .reference = gather_reference,
};
