// Convolution whose channel groups share texels: depthwise filters above all.
//
//   arguments and the end of a result: gemm.cl, CONV 1; a matrix of the batch is a group, so
//   N counts the channels of y of one group, CG those of x
//   grid: texel columns of y x runs of TP pixels of a row of y
//   DEPTHWISE 1: a channel of y has one of x, the same. Any size.
//
// Each result is one chain acc = fma(x, w, acc), k ascending, as in gemm_direct.cl.
#ifndef TP
#define TP 8 // pixels of an item
#endif
#ifndef DEPTHWISE
#define DEPTHWISE 0
#endif

static inline float lane(float4 v, int i)
{
    return i & 2 ? (i & 1 ? v.w : v.z) : (i & 1 ? v.y : v.x);
}

__kernel void conv_grouped(GEMM_PARAMS)
{
    const int nt = get_global_id(0), run = get_global_id(1);
    const int cout = N * batches, runs_x = (OW + TP - 1) / TP, taps = KT / CT;
    const int oy = run / runs_x, ox0 = (run - oy * runs_x) * TP;
    const int iy0 = oy * SH - PH, ix0 = ox0 * SW - PW;

    if (nt >= cty || oy * OW >= M)
        return;

    const int4 n = min(4 * nt + (int4)(0, 1, 2, 3), cout - 1);
    float4 acc[TP];

#pragma unroll
    for (int i = 0; i < TP; i++)
        acc[i] = (float4)(0);

    LOAD_BEGIN(run * cty + nt, (M / OW) * runs_x * cty, taps)

#if DEPTHWISE
#define TAP(iy, s)                                                                                 \
    {                                                                                              \
        const float4 w0 = GET(b, FOLD_B, ctb, n.x, tap), w1 = GET(b, FOLD_B, ctb, n.y, tap),       \
                     w2 = GET(b, FOLD_B, ctb, n.z, tap), w3 = GET(b, FOLD_B, ctb, n.w, tap);       \
        const float4 w = (float4)(w0.x, w1.x, w2.x, w3.x);                                         \
                                                                                                   \
        _Pragma("unroll") for (int i = 0; i < TP; i++)                                             \
        {                                                                                          \
            const int ix = TAP_X(ix0 + i * SW, s);                                                 \
                                                                                                   \
            if (INSIDE(iy, ix))                                                                    \
                acc[i] = fma(GET(a, FOLD_A, cta, (iy)*W + ix, nt), w, acc[i]);                     \
        }                                                                                          \
    }
#else
#define TAP(iy, s)                                                                                 \
    for (int c = 0; c < CG; c++) {                                                                 \
        const int4 xc = n / N * CG + c;                                                            \
        const int col = tap * CT + c / 4;                                                          \
        const float4 w = (float4)(lane(GET(b, FOLD_B, ctb, n.x, col), c),                          \
                                  lane(GET(b, FOLD_B, ctb, n.y, col), c),                          \
                                  lane(GET(b, FOLD_B, ctb, n.z, col), c),                          \
                                  lane(GET(b, FOLD_B, ctb, n.w, col), c));                         \
                                                                                                   \
        for (int i = 0; i < TP; i++) {                                                             \
            const int ix = TAP_X(ix0 + i * SW, s), row = (iy)*W + ix;                              \
                                                                                                   \
            if (INSIDE(iy, ix))                                                                    \
                acc[i] = fma((float4)(lane(GET(a, FOLD_A, cta, row, xc.x / 4), xc.x),              \
                                      lane(GET(a, FOLD_A, cta, row, xc.y / 4), xc.y),              \
                                      lane(GET(a, FOLD_A, cta, row, xc.z / 4), xc.z),              \
                                      lane(GET(a, FOLD_A, cta, row, xc.w / 4), xc.w)),             \
                             w, acc[i]);                                                           \
        }                                                                                          \
    }
#endif
#define STEP(tap)                                                                                  \
    {                                                                                              \
        const int r = tap / S, s = tap - r * S, iy = TAP_Y(iy0, r);                                \
                                                                                                   \
        TAP(iy, s)                                                                                 \
    }

    int tap = 0;
#if FORM == 2
    for (const int end = min(LOAD_ITERS, taps); tap < end; tap++) {
        LOAD_STEP(tap);
        STEP(tap)
    }
    for (; tap < taps; tap++)
        STEP(tap)
#else
    for (; tap < taps; tap++) {
        LOAD_STEP(tap);
        STEP(tap)
    }
#endif
    LOAD_END();

#pragma unroll
    for (int i = 0; i < TP; i++) {
        const int row = oy * OW + ox0 + i;
        const float4 sums = keep_lanes(acc[i], cout - 4 * nt);

        if (ox0 + i < OW)
            GEMM_PUT_AT(row, nt, nt, sums, cout - 4 * nt);
    }
}
