/* Computes nothing: the probe of our own overhead, the template to copy, and, with loads, the
 * kernel that moves texels from unified memory into a weight's texture. Kernel: kernels/null.cl. */
#include "operators/op.h"

enum { P_ITEMS };

static void null_io(const struct op_case *c, struct op_io *ret_io)
{
    struct tensor_desc d = {.rows = 1, .cols = 4, .dtype = c->dtype};

    *ret_io = (struct op_io){1, {{"y", ROLE_OUTPUT, d}}};
}

static void null_cost(const struct op_case *c, double *ret_macs, double *ret_ops)
{
    (void)c;
    *ret_macs = *ret_ops = 0;
}

static void null_prefer(const struct op_case *c, const struct device_info *dev,
                        struct op_variant *v)
{
    (void)c;
    v->lws[0] = dev->type == DEVICE_CPU ? 1 : 256;
    v->lws[1] = 1;
}

/* Enough items to keep the device busy with moving; more cost an empty launch, fewer a full one.
 * A CPU takes a run of texels per item (LOAD_BLOCK), and some runs per thread against stragglers.
 */
static int null_launch(const struct op_case *c, const struct op_variant *v,
                       const struct device_info *dev, struct op_launch *ret_launch, struct err *err)
{
    size_t items = (size_t)c->p[P_ITEMS];

    (void)v;
    (void)err;
    if (items == 0)
        items = dev->type == DEVICE_CPU ? 16 * (size_t)dev->compute_units
                                        : 1024 * (size_t)dev->compute_units;
    *ret_launch = (struct op_launch){.gws = {items, 1}};
    return 0;
}

static void null_reference(const struct op_case *c, const double *const *in, double *out)
{
    (void)c;
    (void)in;
    for (int i = 0; i < 4; i++)
        out[i] = 0;
}

const struct op op_null = {
    .name = "null",
    .summary = "y = 0, one texel: nothing but a launch and what it carries",
    .class = OP_ELEMENTAL,
    .params = {{"items", 0, 0, 1 << 24, NULL, "work items; 0: as many as suit the device"}},
    .kernels = {{.name = "direct", .source = "null.cl", .forms = OP_ALL_FORMS}},
    .tol_f32 = 1e-30, /* zero is exact */
    .tol_f16 = 1e-30,
    .io = null_io,
    .cost = null_cost,
    .prefer = null_prefer,
    .launch = null_launch,
    .reference = null_reference,
};
