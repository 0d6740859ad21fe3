/* Dimensions in another order, and another division into rows and columns. Kernel:
 * kernels/transpose.cl, whose head says what `dim` means. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "operators/layout/run.h"

enum { P_D0, P_PERM = 6, P_XC, P_YC };

enum { KERNEL_DIRECT, KERNEL_BLOCK };

enum { RANK = 6 };

/* perm as digits: what dimension i of y is in x. A leading zero is lost in an int, so it is there
 * if no other digit is zero. Returns their number, 0 if they are no permutation. */
static int digits(int64_t perm, int ret_perm[RANK])
{
    int n = 0, reversed[RANK + 1];
    bool seen[10] = {false};

    for (; perm > 0 && n < RANK; perm /= 10) {
        if (seen[perm % 10])
            return 0;
        seen[perm % 10] = true;
        reversed[n++] = (int)(perm % 10);
    }
    if (!seen[0])
        reversed[n++] = 0;
    if (perm > 0 || n > RANK)
        return 0;
    for (int i = 0; i < n; i++) {
        if (i > 0 && !seen[i])
            return 0;
        ret_perm[i] = reversed[n - 1 - i];
    }
    return n;
}

/* Elements of x; 0 if an int cannot count them. */
static int64_t elements(const struct op_case *c)
{
    int64_t n = 1;

    for (int i = 0; i < RANK; i++) {
        if (c->p[P_D0 + i] > INT32_MAX / n)
            return 0;
        n *= c->p[P_D0 + i];
    }
    return n;
}

static int transpose_check(const struct op_case *c, struct err *err)
{
    int perm[RANK], rank = digits(c->p[P_PERM], perm);

    if (rank == 0)
        return err_set(err, -EINVAL,
                       "transpose: perm wants each of the digits 0 to n-1 once, got '%" PRId64 "'",
                       c->p[P_PERM]);
    for (int i = rank; i < RANK; i++)
        if (c->p[P_D0 + i] != 1)
            return err_set(err, -EINVAL,
                           "transpose: perm has %d digits, d%d wants 1, got '%" PRId64 "'", rank, i,
                           c->p[P_D0 + i]);
    if (c->p[P_XC] > rank || c->p[P_YC] > rank)
        return err_set(err, -EINVAL,
                       "transpose: xc and yc want 0..%d, got '%" PRId64 "' and '%" PRId64 "'", rank,
                       c->p[P_XC], c->p[P_YC]);
    if (elements(c) == 0)
        return err_set(err, -EINVAL, "transpose: more than %d elements", INT32_MAX);
    return 0;
}

/* [rows, cols] of dimensions d[0..rank) of which the last `trailing` make the columns. */
static void matrix(const int64_t *d, int rank, int64_t trailing, int64_t *ret_rows,
                   int64_t *ret_cols)
{
    *ret_rows = *ret_cols = 1;
    for (int i = 0; i < rank; i++)
        *(i < rank - trailing ? ret_rows : ret_cols) *= d[i];
}

struct dim {
    int64_t size, x_row, x_col;
    bool col; /* of y */
};

struct dims {
    int64_t xrows, xcols, rows, cols;
    int n, n_col; /* n_col >= 1 */
    struct dim dim[RANK + 1];
};

/* Two neighbours in y that are neighbours in x, too, are one dimension, unless x or y is divided
 * between them. */
static bool joined(const struct dim *up, const struct dim *down)
{
    return up->col == down->col && (up->x_row > 0) == (down->x_row > 0) &&
           up->x_row == down->x_row * down->size && up->x_col == down->x_col * down->size;
}

static struct dims dims_of(const struct op_case *c)
{
    int perm[RANK], rank = digits(c->p[P_PERM], perm);
    int64_t d[RANK], row[RANK], col[RANK], row_step = 1, col_step = 1;
    struct dims r = {0};

    matrix(&c->p[P_D0], rank, c->p[P_XC], &r.xrows, &r.xcols);
    for (int i = rank - 1; i >= 0; i--) {
        bool is_col = i >= rank - c->p[P_XC];

        row[i] = is_col ? 0 : row_step;
        col[i] = is_col ? col_step : 0;
        *(is_col ? &col_step : &row_step) *= c->p[P_D0 + i];
    }
    for (int i = 0; i < rank; i++) {
        struct dim at = {c->p[P_D0 + perm[i]], row[perm[i]], col[perm[i]], i >= rank - c->p[P_YC]};

        d[i] = at.size;
        if (at.size == 1)
            continue;
        if (r.n > 0 && joined(&r.dim[r.n - 1], &at)) {
            at.size *= r.dim[r.n - 1].size;
            r.n--;
            r.n_col -= at.col;
        }
        r.dim[r.n++] = at;
        r.n_col += at.col;
    }
    if (r.n_col == 0) { /* one column: a dimension of one element, along x's columns */
        r.dim[r.n++] = (struct dim){1, 0, 1, true};
        r.n_col = 1;
    }
    matrix(d, rank, c->p[P_YC], &r.rows, &r.cols);
    return r;
}

/* Is a run of `size` elements whole texels in a matrix of `cols` columns? */
static bool texels(int64_t size, int64_t cols)
{
    return size % 4 == 0 || size == cols;
}

static bool whole(const struct dims *d)
{
    const struct dim *last = &d->dim[d->n - 1];

    return last->x_col == 1 && texels(last->size, d->cols) && texels(last->size, d->xcols);
}

/* Which dimension is x's last; -1 if blocks of 4x4 between it and y's last cannot be moved. */
static int block_dim(const struct dims *d)
{
    const struct dim *last = &d->dim[d->n - 1];

    for (int i = 0; i < d->n - 1; i++)
        if (d->dim[i].x_col == 1 && texels(d->dim[i].size, d->xcols) && texels(last->size, d->cols))
            return i;
    return -1;
}

/* Are the two dimensions of y's rows in the other order in x? */
static bool swapped(const struct dims *d)
{
    const struct dim *up = &d->dim[0], *down = &d->dim[1];

    return d->n - d->n_col == 2 &&
           up->x_row * d->xcols + up->x_col < down->x_row * d->xcols + down->x_col;
}

static void transpose_io(const struct op_case *c, struct op_io *ret_io)
{
    struct dims d = dims_of(c);

    slots_map(c, d.xrows, d.xcols, d.rows, d.cols, ret_io);
}

/* Blocks, for a last dimension of y of `size` elements. */
static int64_t blocks(const struct dims *d, int b)
{
    int64_t last = d->dim[d->n - 1].size, size = d->dim[b].size;

    return d->rows * d->cols / last / size * ((size + 3) / 4);
}

static void transpose_prefer(const struct op_case *c, const struct device_info *dev,
                             struct op_variant *v)
{
    struct dims d = dims_of(c);
    int b = block_dim(&d);

    /* On GPUs the texture cache serves the lanes of a texel one by one: H100, 8000x4096, image:
     * 1.96 TB/s against 1.87 by blocks; buffer: 1.69 against 2.58. */
    if (b < 0 || (dev->type != DEVICE_CPU && v->path == PATH_IMAGE)) {
        run_prefer(c, dev, v);
        if (dev->type == DEVICE_CPU && whole(&d))
            v->tunable[RUN_VT] = 1; /* rows of an item lie far apart: one stream more for each */
        return;
    }
    v->kernel = KERNEL_BLOCK;
    v->tunable[0] = 1;
    grid_prefer(dev, (d.dim[d.n - 1].size + 3) / 4, blocks(&d, b), v->lws);
    if (v->lws[0] == 16) { /* PoCL: long runs of y; H100: 8 x 4 rows of x, 128 bytes of each */
        v->lws[0] = dev->type == DEVICE_CPU ? 64 : 8;
        v->lws[1] = dev->type == DEVICE_CPU ? 4 : 32;
    }
}

static struct op_launch block_launch(const struct dims *d, int b, int vt)
{
    struct op_launch l = {
        .gws = {(size_t)((d->dim[d->n - 1].size + 3) / 4), (size_t)((blocks(d, b) + vt - 1) / vt)}};

    OP_INTS(&l, d->rows, d->cols, (d->cols + 3) / 4);
    return l;
}

static int transpose_launch(const struct op_case *c, const struct op_variant *v,
                            const struct device_info *dev, struct op_launch *ret_launch,
                            struct err *err)
{
    struct dims d = dims_of(c);
    int b = block_dim(&d), block = v->kernel == KERNEL_BLOCK;
    struct op_launch l;

    if (block && b < 0)
        return err_set(err, -EINVAL, "transpose: there are no blocks of 4x4 to move");
    if (block)
        l = block_launch(&d, b, v->tunable[0]);
    else
        l = run_launch(c, v);
    OP_INTS(&l, (d.xcols + 3) / 4);
    for (int i = 0; i < d.n; i++)
        OP_INTS(&l, d.dim[i].size, d.dim[i].x_row, d.dim[i].x_col);
    snprintf(l.options, sizeof l.options,
             "-DND=%d -DNC=%d -DBLOCK=%d -DBDIM=%d -DWHOLE=%d -DSWAP=%d", d.n, d.n_col, block,
             block ? b : 0, !block && whole(&d),
             !block && whole(&d) && dev->type == DEVICE_CPU && swapped(&d));
    *ret_launch = l;
    return 0;
}

/* Counts through x and says where each element goes. */
static void transpose_reference(const struct op_case *c, const double *const *in, double *out)
{
    int perm[RANK], rank = digits(c->p[P_PERM], perm);
    int64_t step[RANK] = {0}, at[RANK] = {0}, n = 1, all = elements(c);

    for (int i = rank - 1; i >= 0; i--) { /* of y, by the dimensions of x */
        step[perm[i]] = n;
        n *= c->p[P_D0 + perm[i]];
    }
    for (int64_t e = 0; e < all; e++) {
        int64_t to = 0;

        for (int i = 0; i < rank; i++)
            to += at[i] * step[i];
        out[to] = in[0][e];
        for (int i = rank - 1; i >= 0 && ++at[i] == c->p[P_D0 + i]; i--)
            at[i] = 0;
    }
}

#define DIM_PARAM(i, def)                                                                          \
    {                                                                                              \
        "d" #i, def, 1, 1 << 26, NULL, "dimension " #i " of x"                                     \
    }

const struct op op_transpose = {
    .name = "transpose",
    .summary = "y[perm of i0, i1, ...] = x[i0, i1, ...], rows and columns divided anew",
    RUN_MOVES,
    .params = {DIM_PARAM(0, 0), DIM_PARAM(1, 1), DIM_PARAM(2, 1), DIM_PARAM(3, 1), DIM_PARAM(4, 1),
               DIM_PARAM(5, 1),
               [P_PERM] = {"perm", -1, 0, 543210, NULL,
                           "digit i: which dimension of x is dimension i of y"},
               [P_XC] = {"xc", 1, 0, RANK, NULL, "how many of the last dimensions are x's columns"},
               [P_YC] = {"yc", 1, 0, RANK, NULL,
                         "how many of the last dimensions are y's columns"}},
    .kernels = {[KERNEL_DIRECT] = RUN_KERNEL("direct", "transpose.cl"),
                [KERNEL_BLOCK] = {.name = "block",
                                  .source = "transpose.cl",
                                  .shared = "run.cl",
                                  .forms = OP_ALL_FORMS,
                                  .tunables = {{"VT", 1, 1, {1, 2, 4, 8}, "blocks of an item"}}}},
    .check = transpose_check,
    .io = transpose_io,
    .prefer = transpose_prefer,
    .launch = transpose_launch,
    .reference = transpose_reference,
};
