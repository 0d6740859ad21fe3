// Convolution whose channel groups share texels: depthwise filters above all.
//
//   arguments and the end of a result: gemm.cl, CONV 1; a matrix of the batch is a group, so
//   N counts the channels of y of one group, CG those of x
//   grid: texel columns of y x tiles of TR rows of TP pixels of y
//   DEPTHWISE 1: a channel of y has one of x, the same
//   STAGE: texels of x that a tile meets, STAGE_TAPS: taps; read once into private memory, which is
//   for CPUs; 0: every tap reads its own. Any size.
//
// Each result is one chain acc = fma(x, w, acc), k ascending, as in gemm_direct.cl.
#ifndef TP
#define TP 8 // pixels of a tile
#endif
#ifndef TR
#define TR 8 // rows of a tile
#endif
#ifndef DEPTHWISE
#define DEPTHWISE 0
#endif
#ifndef STAGE
#define STAGE      0
#define STAGE_TAPS 0
#endif

static inline float lane(float4 v, int i)
{
    return i & 2 ? (i & 1 ? v.w : v.z) : (i & 1 ? v.y : v.x);
}

__kernel void conv_grouped(GEMM_PARAMS)
{
    const int nt = get_global_id(0), tile = get_global_id(1);
    const int cout = N * batches, taps = KT / CT, OH = M / OW;
    const int tiles_x = (OW + TP - 1) / TP, tiles_y = (OH + TR - 1) / TR;
    const int oy0 = tile / tiles_x * TR, ox0 = tile % tiles_x * TP;
    const int iy0 = oy0 * SH - PH, ix0 = ox0 * SW - PW;

    if (nt >= cty || oy0 >= OH)
        return;

    const int4 n = min(4 * nt + (int4)(0, 1, 2, 3), cout - 1);

    LOAD_BEGIN(tile * cty + nt, tiles_x * tiles_y * cty, TR)

#define GET_X(iy, ix, c) (INSIDE(iy, ix) ? GET(a, FOLD_A, cta, (iy)*W + (ix), c) : (float4)(0))
#define GET_W(tap)                                                                                 \
    (float4)(GET(b, FOLD_B, ctb, n.x, tap).x, GET(b, FOLD_B, ctb, n.y, tap).x,                     \
             GET(b, FOLD_B, ctb, n.z, tap).x, GET(b, FOLD_B, ctb, n.w, tap).x)
#if STAGE
    float4 px[STAGE], wt[STAGE_TAPS];
    const int width = TAP_X((TP - 1) * SW, S - 1) + 1;
    const int height = TAP_Y((TR - 1) * SH, taps / S - 1) + 1;

    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            px[y * width + x] = GET_X(iy0 + y, ix0 + x, nt);
    for (int tap = 0; tap < taps; tap++)
        wt[tap] = GET_W(tap);
#define TAP_OF_X(iy, ix) px[((iy)-iy0) * width + (ix)-ix0]
#define TAP_OF_W(tap)    wt[tap]
#else
#define TAP_OF_X(iy, ix) GET_X(iy, ix, nt)
#define TAP_OF_W(tap)    GET_W(tap)
#endif
#if DEPTHWISE
#define TAP(iy, s, tap)                                                                            \
    {                                                                                              \
        const float4 w = TAP_OF_W(tap);                                                            \
                                                                                                   \
        _Pragma("unroll") for (int j = 0; j < TP; j++)                                             \
        {                                                                                          \
            const int ix = TAP_X(ix0 + j * SW, s);                                                 \
                                                                                                   \
            acc[j] = fma(TAP_OF_X(iy, ix), w, acc[j]);                                             \
        }                                                                                          \
    }
#else
#define TAP(iy, s, tap)                                                                            \
    for (int c = 0; c < CG; c++) {                                                                 \
        const int4 xc = n / N * CG + c;                                                            \
        const int col = (tap)*CT + c / 4;                                                          \
        const float4 w = (float4)(lane(GET(b, FOLD_B, ctb, n.x, col), c),                          \
                                  lane(GET(b, FOLD_B, ctb, n.y, col), c),                          \
                                  lane(GET(b, FOLD_B, ctb, n.z, col), c),                          \
                                  lane(GET(b, FOLD_B, ctb, n.w, col), c));                         \
                                                                                                   \
        for (int j = 0; j < TP; j++) {                                                             \
            const int ix = TAP_X(ix0 + j * SW, s);                                                 \
            const float4 x =                                                                       \
                (float4)(lane(GET_X(iy, ix, xc.x / 4), xc.x), lane(GET_X(iy, ix, xc.y / 4), xc.y), \
                         lane(GET_X(iy, ix, xc.z / 4), xc.z),                                      \
                         lane(GET_X(iy, ix, xc.w / 4), xc.w));                                     \
                                                                                                   \
            acc[j] = fma(x, w, acc[j]);                                                            \
        }                                                                                          \
    }
#endif

#define ROW(i)                                                                                     \
    {                                                                                              \
        const int y0 = iy0 + (i)*SH;                                                               \
        float4 acc[TP];                                                                            \
                                                                                                   \
        _Pragma("unroll") for (int j = 0; j < TP; j++) acc[j] = (float4)(0);                       \
        for (int tap = 0; tap < taps; tap++) {                                                     \
            const int r = tap / S, s = tap - r * S, iy = TAP_Y(y0, r);                             \
                                                                                                   \
            TAP(iy, s, tap)                                                                        \
        }                                                                                          \
        _Pragma("unroll") for (int j = 0; j < TP; j++)                                             \
        {                                                                                          \
            const int row = (oy0 + (i)) * OW + ox0 + j;                                            \
            const float4 sums = keep_lanes(acc[j], cout - 4 * nt);                                 \
                                                                                                   \
            if (ox0 + j < OW)                                                                      \
                GEMM_PUT_AT(row, nt, nt, sums, cout - 4 * nt);                                     \
        }                                                                                          \
    }

    const int rows = min(TR, OH - oy0);
    int i = 0;
#if FORM == 2
    for (const int end = min(LOAD_ITERS, rows); i < end; i++) {
        LOAD_STEP(i);
        ROW(i)
    }
    for (; i < rows; i++)
        ROW(i)
#else
    for (; i < rows; i++) {
        LOAD_STEP(i);
        ROW(i)
    }
#endif
    LOAD_END();
}
