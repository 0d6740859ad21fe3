/* Matrix product, also batched: y = a x b^T, b in PyTorch's Linear layout, or y = a x b, also with
 * a transposed; gemm.h says how a result ends. A batch stands below each other, or side by side as
 * attention heads.
 * Kernels: gemm.h. */
#include <string.h>

#include "operators/activation.h"
#include "operators/op_text.h"
#include "operators/products/gemm.h"
#include "operators/trial/reference.h"

enum {
    P_BATCH,
    P_M,
    P_N,
    P_K,
    P_TA,
    P_TB,
    P_A,
    P_B,
    P_AHEADS,
    P_BHEADS,
    P_CHEADS,
    P_BIAS,
    P_RES,
    P_ACT,
    P_SCALED
};

static const char *const a_roles[] = {"input", "weight", NULL};
static const char *const b_roles[] = {"weight", "input", NULL};

static struct gemm_end matmul_end(const struct op_case *c)
{
    return (struct gemm_end){c->p[P_BIAS], c->p[P_RES], c->p[P_SCALED], (int)c->p[P_ACT]};
}

/* `batch` matrices of rows x inner. */
static struct tensor_desc matrices(const struct op_case *c, int64_t rows, int64_t inner,
                                   int64_t heads)
{
    int64_t batch = c->p[P_BATCH];

    return (struct tensor_desc){heads ? rows : batch * rows, heads ? batch * inner : inner, inner,
                                c->dtype};
}

static void matmul_io(const struct op_case *c, struct op_io *ret_io)
{
    int64_t m = c->p[P_M], n = c->p[P_N], k = c->p[P_K], ta = c->p[P_TA], tb = c->p[P_TB];
    struct tensor_desc y = matrices(c, m, n, c->p[P_CHEADS]);
    struct gemm_end end = matmul_end(c);
    struct op_io io = {0};

    io.slot[io.n++] = (struct op_slot){"a", c->p[P_A] ? ROLE_WEIGHT : ROLE_INPUT,
                                       matrices(c, ta ? k : m, ta ? m : k, c->p[P_AHEADS])};
    io.slot[io.n++] = (struct op_slot){"b", c->p[P_B] ? ROLE_INPUT : ROLE_WEIGHT,
                                       matrices(c, tb ? n : k, tb ? k : n, c->p[P_BHEADS])};
    gemm_end_slots(&end, &y, n, &io);
    *ret_io = io;
}

static struct gemm matmul_gemm(const struct op_case *c)
{
    return (struct gemm){.m = c->p[P_M],
                         .n = c->p[P_N],
                         .k = c->p[P_K],
                         .k_texels = (c->p[P_K] + 3) / 4,
                         .batches = c->p[P_BATCH],
                         .ta = c->p[P_TA],
                         .tb = c->p[P_TB]};
}

static void matmul_cost(const struct op_case *c, double *ret_macs, double *ret_ops)
{
    double outputs = (double)c->p[P_BATCH] * (double)c->p[P_M] * (double)c->p[P_N];
    struct gemm_end end = matmul_end(c);

    *ret_macs = outputs * (double)c->p[P_K];
    *ret_ops = outputs * gemm_end_ops(&end);
}

static void matmul_prefer(const struct op_case *c, const struct device_info *dev,
                          struct op_variant *v)
{
    struct gemm g = matmul_gemm(c);

    if (dev->type != DEVICE_CPU && g.m == 1)
        gemm_vector_prefer(&g, v);
    else if (dev->type != DEVICE_CPU || !gemm_few_prefer(&g, dev, v))
        gemm_prefer(&g, dev, v);
}

/* From one matrix of a batch to the next: texel rows, or texel columns. */
static void add_strides(struct op_launch *l, int64_t rows, int64_t inner, int64_t heads)
{
    OP_INTS(l, heads ? 0 : rows, heads ? (inner + 3) / 4 : 0);
}

static int matmul_launch(const struct op_case *c, const struct op_variant *v,
                         const struct device_info *dev, struct op_launch *ret_launch,
                         struct err *err)
{
    int64_t m = c->p[P_M], n = c->p[P_N], k = c->p[P_K], ta = c->p[P_TA], tb = c->p[P_TB];
    struct gemm_end end = matmul_end(c);
    struct gemm g = matmul_gemm(c);
    struct op_launch l;
    struct op_io io;
    int rc;

    rc = gemm_launch(&g, v, dev, &l, err);
    if (rc < 0)
        return rc;
    matmul_io(c, &io);
    for (int i = 0; i < io.n; i++)
        if (io.slot[i].role != ROLE_VECTOR && strcmp(io.slot[i].name, "res") != 0)
            OP_INTS(&l, tensor_texel_cols(&io.slot[i].desc));
    add_strides(&l, ta ? k : m, ta ? m : k, c->p[P_AHEADS]);
    add_strides(&l, tb ? n : k, tb ? k : n, c->p[P_BHEADS]);
    add_strides(&l, m, n, c->p[P_CHEADS]);
    op_text_append(l.options, sizeof l.options, "-DCONV=0 -DTA=%d -DTB=%d", (int)ta, (int)tb);
    gemm_end_options(&end, &l);
    *ret_launch = l;
    return 0;
}

/* Element (i, j) of matrix b of a batch of rows x cols. */
static double element(const double *x, const struct op_case *c, int64_t rows, int64_t cols,
                      int64_t heads, int64_t b, int64_t i, int64_t j)
{
    return heads ? x[(i * c->p[P_BATCH] + b) * cols + j] : x[(b * rows + i) * cols + j];
}

/* Row i of product b is row b * m + i. */
static void matmul_rows(const struct op_case *c, const double *const *in, double *out, int64_t from,
                        int64_t to)
{
    int64_t m = c->p[P_M], n = c->p[P_N], k = c->p[P_K], batch = c->p[P_BATCH];
    int64_t ah = c->p[P_AHEADS], bh = c->p[P_BHEADS];
    struct gemm_end end = matmul_end(c);

    for (int64_t r = from; r < to; r++) {
        int64_t b = r / m, i = r % m;

        for (int64_t j = 0; j < n; j++) {
            int64_t at = c->p[P_CHEADS] ? (i * batch + b) * n + j : r * n + j;
            double sum = 0;

            for (int64_t l = 0; l < k; l++)
                sum += (c->p[P_TA] ? element(in[0], c, k, m, ah, b, l, i)
                                   : element(in[0], c, m, k, ah, b, i, l)) *
                       (c->p[P_TB] ? element(in[1], c, n, k, bh, b, j, l)
                                   : element(in[1], c, k, n, bh, b, l, j));
            out[at] = gemm_end_value(&end, k, sum, in, j, at);
        }
    }
}

static void matmul_reference(const struct op_case *c, const double *const *in, double *out)
{
    reference_run(c, in, out, c->p[P_BATCH] * c->p[P_M], matmul_rows);
}

static unsigned matmul_repeatable(const struct op_case *c)
{
    (void)c;
    return 1u << P_M | 1u << P_N;
}

const struct op op_matmul = {
    .name = "matmul",
    .summary = "y[b][m,n] = act(sum over k of a[b][m,k] * b[b][n,k] (+ bias[n] + res[b][m,n]))",
    .class = OP_REUSABLE,
    .params = {[P_BATCH] = {"batch", 1, 1, 1 << 16, NULL, "products"},
               [P_M] = {"m", 0, 1, 1 << 24, NULL, "rows of a and y"},
               [P_N] = {"n", 0, 1, 1 << 24, NULL, "columns of y"},
               [P_K] = {"k", 0, 1, 1 << 24, NULL, "columns of a"},
               [P_TA] = {"ta", 0, 0, 1, NULL, "1: a is [k,m]; 0: a is [m,k]"},
               [P_TB] = {"tb", 1, 0, 1, NULL, "1: b is [n,k]; 0: b is [k,n]"},
               [P_A] = {"a", 0, 0, 1, a_roles, "what a is"},
               [P_B] = {"b", 0, 0, 1, b_roles, "what b is"},
               [P_AHEADS] = {"aheads", 0, 0, 1, NULL, "1: the a of a batch stand side by side"},
               [P_BHEADS] = {"bheads", 0, 0, 1, NULL, "1: the b of a batch stand side by side"},
               [P_CHEADS] = {"cheads", 0, 0, 1, NULL, "1: the y of a batch stand side by side"},
               [P_BIAS] = {"bias", 0, 0, 1, NULL, "1: bias[n] is added"},
               [P_RES] = {"res", 0, 0, 1, NULL, "1: a residual laid out as y is added"},
               [P_ACT] = ACTIVATION_PARAM,
               [P_SCALED] = {"scaled", 0, 0, 1, NULL, "1: the sum is divided by sqrt(k)"}},
    .kernels = {GEMM_KERNELS, GEMM_VECTOR_KERNEL, GEMM_FEW_KERNEL},
    /* Rounding errors of k products add up like a random walk: seen 2e-6 at k = 4096. f16: half a
     * unit of the result, and cancellation in it. */
    .tol_f32 = 1e-5,
    .tol_f16 = 1e-3,
    .io = matmul_io,
    .cost = matmul_cost,
    .prefer = matmul_prefer,
    .launch = matmul_launch,
    .reference = matmul_reference,
    .repeatable = matmul_repeatable,
};
