// NX tensors x0, x1, ... one below the other (-DROWS) or side by side.
//   xk   : rows (columns) `endk-1` to `endk` of y, ctxk texels a row     grid, item: run.cl
//   WHOLE 1: side by side, each but the last of whole texels
// Side by side, a texel of y may hold the end of one and the beginning of the next: padding is
// zero, so the bits of the shifted texels of each are joined by OR.
#if NX > 2
#define IN2 , IN(x2)
#else
#define IN2
#endif
#if NX > 3
#define IN3 , IN(x3)
#else
#define IN3
#endif

#if defined ROWS
#define PIECE(k, from, end)                                                                        \
    if (o >= (from) && o < (end))                                                                  \
        for (int c = c0; c < c1; c++)                                                              \
            PUT(y, FOLD_Y, ct, o, c, GET(x##k, FOLD_X##k, ctx##k, o - (from), c));
#elif WHOLE
#define PIECE(k, from, end)                                                                        \
    for (int c = max(c0, (from) / 4); c < min(c1, ((end) + 3) / 4); c++)                           \
        PUT(y, FOLD_Y, ct, o, c, GET(x##k, FOLD_X##k, ctx##k, o, c - (from) / 4));
#else
#define PIECE(k, from, end)                                                                        \
    if (4 * c < (end) && 4 * c + 4 > (from))                                                       \
        bits |= as_uint4(shifted(x##k, FOLD_X##k, ctx##k, o, 4 * c - (from)));
#endif
#if NX > 3
#define PIECES PIECE(0, 0, end0) PIECE(1, end0, end1) PIECE(2, end1, end2) PIECE(3, end2, end3)
#elif NX > 2
#define PIECES PIECE(0, 0, end0) PIECE(1, end0, end1) PIECE(2, end1, end2)
#else
#define PIECES PIECE(0, 0, end0) PIECE(1, end0, end1)
#endif

#if defined ROWS || WHOLE
#define ROW(r)                                                                                     \
    {                                                                                              \
        const int o = (r);                                                                         \
        PIECES                                                                                     \
    }
#else
#define ROW(r)                                                                                     \
    for (int c = c0, o = (r); c < c1; c++) {                                                       \
        uint4 bits = (uint4)(0);                                                                   \
        PIECES                                                                                     \
        PUT(y, FOLD_Y, ct, o, c, as_float4(bits));                                                 \
    }
#endif

__kernel void concat(IN(x0), IN(x1) IN2 IN3, OUT(y), RUN_PARAMS, const int end0, const int end1,
                     const int end2, const int end3, const int ctx0, const int ctx1,
                     const int ctx2, const int ctx3 LOAD_PARAMS)
{
    EACH_ROW
}
