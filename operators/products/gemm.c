/* Which kernel suits a matrix product, the grid of the direct one, and how results end. */
#include "operators/products/gemm.h"

#include <errno.h>
#include <math.h>

#include "operators/activation.h"
#include "operators/op_text.h"

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* ---- direct ---- */

static int direct_launch(const struct gemm *g, const struct op_variant *v, struct op_launch *l,
                         struct err *err)
{
    int order = v->tunable[GEMM_DIRECT_ORDER];

    if (g->ta && v->tunable[GEMM_TM] % 4)
        return err_set(err, -EINVAL, "direct kernel: a is transposed, want TM=4|8|16, got %d",
                       v->tunable[GEMM_TM]);
    l->gws[order == 1 ? 0 : 1] = (size_t)ceil_div(g->n, v->tunable[GEMM_TN]);
    l->gws[order == 1 ? 1 : 0] = (size_t)(ceil_div(g->m, v->tunable[GEMM_TM]) * g->batches);
    return 0;
}

/* ---- how a result ends ---- */

void gemm_end_slots(const struct gemm_end *e, const struct tensor_desc *y, int64_t n,
                    struct op_io *io)
{
    if (e->bias)
        io->slot[io->n++] = (struct op_slot){"bias", ROLE_VECTOR, {1, n, 0, y->dtype}};
    if (e->res)
        io->slot[io->n++] = (struct op_slot){"res", ROLE_INPUT, *y};
    io->slot[io->n++] = (struct op_slot){"y", ROLE_OUTPUT, *y};
}

void gemm_end_options(const struct gemm_end *e, struct op_launch *l)
{
    op_text_append(l->options, sizeof l->options, " -DBIAS=%d -DRES=%d -DSCALED=%d -DACT=%d",
                   e->bias, e->res, e->scaled, e->act);
}

double gemm_end_value(const struct gemm_end *e, int64_t k, double sum, const double *const *in,
                      int64_t n, int64_t at)
{
    sum = e->scaled ? sum / sqrt((double)k) : sum;
    return activation_value(e->act,
                            sum + (e->bias ? in[2][n] : 0) + (e->res ? in[2 + e->bias][at] : 0));
}

int gemm_end_ops(const struct gemm_end *e)
{
    return e->bias + e->res + e->scaled + activation_ops(e->act);
}

/* ---- all ---- */

void gemm_prefer(const struct gemm *g, const struct device_info *dev, struct op_variant *v)
{
    v->kernel = GEMM_DIRECT;
    if (dev->type != DEVICE_CPU) {
        gemm_tiled_prefer(g, dev, v);
    } else if ((g->m == 1 && v->path == PATH_IMAGE) || !gemm_staged_prefer(g, dev, v)) {
        /* a row times an image: nothing to reuse, and no vectors to pack it by */
        v->tunable[GEMM_TM] = g->ta || g->m >= 4 ? 4 : g->m < 2 ? 1 : 2;
        v->lws[0] = v->lws[1] = 1;
    }
}

int gemm_launch(const struct gemm *g, const struct op_variant *v, const struct device_info *dev,
                struct op_launch *ret_launch, struct err *err)
{
    struct op_launch l = {
        .n_ints = 5, .ints = {(int)g->m, (int)g->n, (int)g->k, (int)g->k_texels, (int)g->batches}};

    int rc = v->kernel == GEMM_STAGED   ? gemm_staged_launch(g, v, dev, &l, err)
             : v->kernel == GEMM_DIRECT ? direct_launch(g, v, &l, err)
             : v->kernel == GEMM_VECTOR ? gemm_vector_launch(g, v, &l, err)
             : v->kernel == GEMM_FEW    ? gemm_few_launch(g, v, dev, &l, err)
                                        : gemm_tiled_launch(g, v, dev, &l, err);

    if (rc < 0)
        return rc;
    *ret_launch = l;
    return 0;
}
