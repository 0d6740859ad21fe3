// y is x with its dimensions in another order, and another division into rows and columns.
//
// The ND dimensions are those of y, slowest first; the last NC of them make its columns. Dimension
// i has `size`, and a step along it is x_row rows and x_col columns of x (one of the two is zero).
//
//   WHOLE 1  the last dimension is x's last, too: texels of y are texels of x; grid, item: run.cl
//            SWAP 1: the two dimensions that make y's rows are walked in x's order, so that runs of
//            x are read one after the other, and runs of y are written in as many streams as there
//            are heads
//   WHOLE 0  elements are picked one by one; the same grid
//   BLOCK 1  the last dimension A is another one than x's last, B (number BDIM): an item reads four
//            texels along B, transposes them, writes four along A
//            grid: (ceil(A / 4), items), item: blocks gid 1, gid 1 + items, ... (VT of them), where
//            blocks counts B by fours, fastest, then the others
// Positions in x are sums over dimensions, hence no division by x's columns.
#define DIM_PARAM(i) , const int size##i, const int x_row##i, const int x_col##i
#if ND == 1
#define DIM_PARAMS DIM_PARAM(0)
#define EACH_DIM(what) {what(0)}
#elif ND == 2
#define DIM_PARAMS DIM_PARAM(0) DIM_PARAM(1)
#define EACH_DIM(what) {what(0), what(1)}
#elif ND == 3
#define DIM_PARAMS DIM_PARAM(0) DIM_PARAM(1) DIM_PARAM(2)
#define EACH_DIM(what) {what(0), what(1), what(2)}
#elif ND == 4
#define DIM_PARAMS DIM_PARAM(0) DIM_PARAM(1) DIM_PARAM(2) DIM_PARAM(3)
#define EACH_DIM(what) {what(0), what(1), what(2), what(3)}
#elif ND == 5
#define DIM_PARAMS DIM_PARAM(0) DIM_PARAM(1) DIM_PARAM(2) DIM_PARAM(3) DIM_PARAM(4)
#define EACH_DIM(what) {what(0), what(1), what(2), what(3), what(4)}
#elif ND == 6
#define DIM_PARAMS DIM_PARAM(0) DIM_PARAM(1) DIM_PARAM(2) DIM_PARAM(3) DIM_PARAM(4) DIM_PARAM(5)
#define EACH_DIM(what) {what(0), what(1), what(2), what(3), what(4), what(5)}
#else // 7: one of the columns of y may be a dimension of one element
#define DIM_PARAMS                                                                                 \
    DIM_PARAM(0) DIM_PARAM(1) DIM_PARAM(2) DIM_PARAM(3) DIM_PARAM(4) DIM_PARAM(5) DIM_PARAM(6)
#define EACH_DIM(what) {what(0), what(1), what(2), what(3), what(4), what(5), what(6)}
#endif
#define SIZE(i) size##i
#define X_ROW(i) x_row##i
#define X_COL(i) x_col##i
#define LAST (ND - 1)
#define DIMS                                                                                       \
    const int size[ND] = EACH_DIM(SIZE), x_row[ND] = EACH_DIM(X_ROW), x_col[ND] = EACH_DIM(X_COL);

// Adds to row and col of x where index `at` lies among dimensions from .. to.
#define LOCATE(from, to, at, row, col)                                                             \
    {                                                                                              \
        int rest = (at);                                                                           \
        _Pragma("unroll") for (int d = (to); d > (from); d--)                                      \
        {                                                                                          \
            const int up = rest / size[d], digit = rest - up * size[d];                            \
            row += digit * x_row[d];                                                               \
            col += digit * x_col[d];                                                               \
            rest = up;                                                                             \
        }                                                                                          \
        row += rest * x_row[from];                                                                 \
        col += rest * x_col[from];                                                                 \
    }

#if NC == ND
#define ROW_BASE(r) int row0 = 0, col0 = 0;
#else
#define ROW_BASE(r)                                                                                \
    int row0 = 0, col0 = 0;                                                                        \
    LOCATE(0, ND - NC - 1, r, row0, col0)
#endif

#if BLOCK
// Texel of row (col) of block b4 of dimension B and texel a4 of A; lanes of a column vector.
#define MOVE_BLOCK(index)                                                                          \
    {                                                                                              \
        const int up = (index) / b_blocks, b = 4 * ((index)-up * b_blocks);                        \
        int xr = b * x_row[BDIM] + a * x_row[LAST], xc = b * x_col[BDIM] + a * x_col[LAST];        \
        int yr = b * y_row[BDIM] + a * y_row[LAST], yc = b * y_col[BDIM] + a * y_col[LAST];        \
        int rest = up;                                                                             \
                                                                                                   \
        _Pragma("unroll") for (int d = LAST - 1; d >= 0; d--)                                      \
        {                                                                                          \
            if (d == BDIM)                                                                         \
                continue;                                                                          \
            const int next = rest / size[d], digit = rest - next * size[d];                        \
            xr += digit * x_row[d];                                                                \
            xc += digit * x_col[d];                                                                \
            yr += digit * y_row[d];                                                                \
            yc += digit * y_col[d];                                                                \
            rest = next;                                                                           \
        }                                                                                          \
        const float4 t0 = FROM(0), t1 = FROM(1), t2 = FROM(2), t3 = FROM(3);                       \
        TO(0, (float4)(t0.x, t1.x, t2.x, t3.x))                                                    \
        TO(1, (float4)(t0.y, t1.y, t2.y, t3.y))                                                    \
        TO(2, (float4)(t0.z, t1.z, t2.z, t3.z))                                                    \
        TO(3, (float4)(t0.w, t1.w, t2.w, t3.w))                                                    \
    }
#define FROM(i)                                                                                    \
    (a + (i) < size[LAST]                                                                          \
         ? GET(x, FOLD_X, ctx, xr + (i)*x_row[LAST], (xc + (i)*x_col[LAST]) / 4)                   \
         : (float4)(0.0f))
#define TO(i, v)                                                                                   \
    if (b + (i) < size[BDIM])                                                                      \
        PUT(y, FOLD_Y, ct, yr + (i)*y_row[BDIM], (yc + (i)*y_col[BDIM]) / 4, v);

__kernel void transpose(IN(x), OUT(y), RUN_PARAMS, const int ctx DIM_PARAMS LOAD_PARAMS)
{
    DIMS
    const int a = 4 * (int)get_global_id(0), first = (int)get_global_id(1);
    const int b_blocks = (size[BDIM] + 3) / 4;
    int y_row[ND], y_col[ND], blocks = b_blocks, i = 0;

#pragma unroll
    for (int d = LAST, row = 1, col = 1; d >= 0; d--) {
        y_row[d] = d < ND - NC ? row : 0;
        y_col[d] = d < ND - NC ? 0 : col;
        row *= d < ND - NC ? size[d] : 1;
        col *= d < ND - NC ? 1 : size[d];
        blocks *= d == BDIM || d == LAST ? 1 : size[d];
    }

    const int step = (blocks + VT - 1) / VT;
    const int mine = a < size[LAST] && first < step ? (blocks - first + step - 1) / step : 0;

    LOAD_BEGIN(get_global_id(1) * get_global_size(0) + get_global_id(0),
               get_global_size(0) * get_global_size(1), VT)
#if FORM == 2
    for (const int both = min(LOAD_ITERS, mine); i < both; i++) {
        LOAD_STEP(i)
        MOVE_BLOCK(first + i * step)
    }
#endif
    for (; i < mine; i++) {
#if FORM == 1
        LOAD_STEP(i)
#endif
        MOVE_BLOCK(first + i * step)
    }
    LOAD_END()
}

#else

#if WHOLE // the run in pieces that are neighbours in x, too
#if SWAP
#define WALKED(r) ((r) % size[0] * size[1] + (r) / size[0])
#else
#define WALKED(r) (r)
#endif
#define ROW(r)                                                                                     \
    {                                                                                              \
        const int o = WALKED(r), texels = (size[LAST] + 3) / 4;                                    \
        ROW_BASE(o)                                                                                \
                                                                                                   \
        for (int c = c0; c < c1;) {                                                                \
            const int end = NC == 1 ? c1 : min(c1, (c / texels + 1) * texels);                     \
            int row = row0, col = col0;                                                            \
                                                                                                   \
            LOCATE(ND - NC, LAST, 4 * c, row, col)                                                 \
            for (const int back = col / 4 - c; c < end; c++)                                       \
                PUT(y, FOLD_Y, ct, o, c, GET(x, FOLD_X, ctx, row, c + back));                      \
        }                                                                                          \
    }
#else
#define ROW(r)                                                                                     \
    {                                                                                              \
        const int o = (r);                                                                         \
        ROW_BASE(o)                                                                                \
                                                                                                   \
        for (int c = c0; c < c1; c++) {                                                            \
            float v[4];                                                                            \
                                                                                                   \
            _Pragma("unroll") for (int l = 0; l < 4; l++)                                          \
            {                                                                                      \
                int row = row0, col = col0;                                                        \
                                                                                                   \
                LOCATE(ND - NC, LAST, min(4 * c + l, cols - 1), row, col)                          \
                v[l] = 4 * c + l < cols ? element(x, FOLD_X, ctx, row, col) : 0.0f;                \
            }                                                                                      \
            PUT(y, FOLD_Y, ct, o, c, vload4(0, v));                                                \
        }                                                                                          \
    }
#endif

__kernel void transpose(IN(x), OUT(y), RUN_PARAMS, const int ctx DIM_PARAMS LOAD_PARAMS)
{
    DIMS
    EACH_ROW
}
#endif
