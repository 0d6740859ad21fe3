// Matrix product and convolution, TM x TN results per item, straight from texels: the plain kernel,
// and the one for GPUs, whose texture cache does what gemm_staged.cl does by hand.
//
//   what is computed, arguments, CONV, TA, TB and the end of a result: gemm.cl
//   grid: ceil(N / TN) x ceil(M / TM) * batch items; ORDER 1: x walks n, 2: x walks m
//   TA wants TM a multiple of 4. Any size: rows past the end repeat the last one and are never
//   written.
//
// Matrices of a batch stand below each other (*_row texel rows apart) or, as attention heads, side
// by side (*_col texel columns apart). KT counts the texels of k: K is padded with zeros to 4 * KT.
// Each result is one chain acc = fma(a_k, b_k, acc), k ascending: the same bits for every tile,
// form and memory path, and as gemm_staged.cl.
#ifndef TM
#define TM 8 // results of an item along m
#endif
#ifndef TN
#define TN 8 // along n; a multiple of 4
#endif
#ifndef ORDER
#define ORDER 1
#endif

#define TN4 (TN / 4)

__kernel void gemm_direct(GEMM_PARAMS)
{
    const int gn = get_global_id(ORDER - 1), gm = get_global_id(2 - ORDER);
    const int n_items = (N + TN - 1) / TN, m_items = (M + TM - 1) / TM;
    const int batch = gm / m_items;
    const int m0 = (gm - batch * m_items) * TM, n0 = gn * TN;

    if (gn >= n_items || batch >= batches)
        return;

    const int a_at = batch * a_col + (TA ? m0 / 4 : 0), b_at = batch * b_col + (TB ? 0 : n0 / 4);
    const int b_end = batch * b_col + (N + 3) / 4 - 1; // last texel column of b, TB 0
    float4 acc[TM][TN4], av[TM];
#if TA
    const int a_end = batch * a_col + (M + 3) / 4 - 1;
#else
    int am[TM]; // row of a; CONV: y and, in ax, x of the first tap
#if CONV
    int ax[TM];
    int r = 0, s = 0, c = 0;
    CONV_BEGIN(batch)
#endif
#endif

#pragma unroll
    for (int i = 0; i < TM; i++) {
#if CONV
        const int m = min(m0 + i, M - 1);

        am[i] = PIXEL_Y(m);
        ax[i] = PIXEL_X(m);
#elif !TA
        am[i] = batch * a_row + min(m0 + i, M - 1);
#endif
#pragma unroll
        for (int j = 0; j < TN4; j++)
            acc[i][j] = (float4)(0);
    }

    LOAD_BEGIN(ORDER == 2 ? gn * (m_items * batches) + gm : gm * n_items + gn,
               n_items * m_items * batches, KT)

// Four texels along one axis, to four vectors along the other.
#define TRANSPOSE4(to0, to1, to2, to3, v0, v1, v2, v3)                                             \
    {                                                                                              \
        const float4 c0 = v0, c1 = v1, c2 = v2, c3 = v3;                                           \
        to0 = (float4)(c0.x, c1.x, c2.x, c3.x);                                                    \
        to1 = (float4)(c0.y, c1.y, c2.y, c3.y);                                                    \
        to2 = (float4)(c0.z, c1.z, c2.z, c3.z);                                                    \
        to3 = (float4)(c0.w, c1.w, c2.w, c3.w);                                                    \
    }
#if CONV
#define GET_AV(kt)                                                                                 \
    _Pragma("unroll") for (int i = 0; i < TM; i++)                                                 \
    {                                                                                              \
        const int iy = TAP_Y(am[i], r), ix = TAP_X(ax[i], s);                                      \
                                                                                                   \
        av[i] = TAP_HERE(r, s) && INSIDE(iy, ix) ? GET(a, FOLD_A, cta, iy * W + ix, a_at + c)      \
                                                 : (float4)(0);                                    \
    }
#define NEXT_K                                                                                     \
    if (++c == CT) {                                                                               \
        c = 0;                                                                                     \
        if (++s == S) {                                                                            \
            s = 0;                                                                                 \
            r++;                                                                                   \
        }                                                                                          \
    }
#elif TA
#define GET_A4(l, i, kt)                                                                           \
    (4 * (kt) + (l) < K                                                                            \
         ? GET(a, FOLD_A, cta, batch * a_row + 4 * (kt) + (l), min(a_at + (i) / 4, a_end))         \
         : (float4)(0))
#define GET_AV(kt)                                                                                 \
    _Pragma("unroll") for (int i = 0; i < TM; i += 4)                                              \
        TRANSPOSE4(av[i], av[i + 1], av[i + 2], av[i + 3], GET_A4(0, i, kt), GET_A4(1, i, kt),     \
                   GET_A4(2, i, kt), GET_A4(3, i, kt))
#define NEXT_K
#else
#define GET_AV(kt)                                                                                 \
    _Pragma("unroll") for (int i = 0; i < TM; i++) av[i] = GET(a, FOLD_A, cta, am[i], a_at + (kt));
#define NEXT_K
#endif
#if CONV == 2
#define GET_B(l, j, kt)                                                                            \
    (TAP_HERE(r, s) ? GET(b, FOLD_B, ctb, min(n0 + 4 * (j) + (l), N - 1), TAP_COL(r, s) + c)       \
                    : (float4)(0))
#elif TB
#define GET_B(l, j, kt)                                                                            \
    GET(b, FOLD_B, ctb, batch *b_row + min(n0 + 4 * (j) + (l), N - 1), b_at + (kt))
#else
#define GET_B(l, j, kt)                                                                            \
    (4 * (kt) + (l) < K                                                                            \
         ? GET(b, FOLD_B, ctb, batch * b_row + 4 * (kt) + (l), min(b_at + (j), b_end))             \
         : (float4)(0))
#endif
#if TB
#define B_TRANSPOSE(b0, b1, b2, b3) TRANSPOSE4(b0, b1, b2, b3, b0, b1, b2, b3)
#else
#define B_TRANSPOSE(b0, b1, b2, b3)
#endif
#define STEP(kt)                                                                                   \
    GET_AV(kt)                                                                                     \
    _Pragma("unroll") for (int j = 0; j < TN4; j++)                                                \
    {                                                                                              \
        float4 b0 = GET_B(0, j, kt), b1 = GET_B(1, j, kt), b2 = GET_B(2, j, kt),                   \
               b3 = GET_B(3, j, kt);                                                               \
        B_TRANSPOSE(b0, b1, b2, b3)                                                                \
        _Pragma("unroll") for (int i = 0; i < TM; i++)                                             \
        {                                                                                          \
            acc[i][j] = fma((float4)(av[i].x), b0, acc[i][j]);                                     \
            acc[i][j] = fma((float4)(av[i].y), b1, acc[i][j]);                                     \
            acc[i][j] = fma((float4)(av[i].z), b2, acc[i][j]);                                     \
            acc[i][j] = fma((float4)(av[i].w), b3, acc[i][j]);                                     \
        }                                                                                          \
    }                                                                                              \
    NEXT_K

    int kt = 0;
#if FORM == 2
    for (const int end = min(LOAD_ITERS, KT); kt < end; kt++) {
        LOAD_STEP(kt);
        STEP(kt)
    }
    for (; kt < KT; kt++) {
        STEP(kt)
    }
#else
    for (; kt < KT; kt++) {
        LOAD_STEP(kt);
        STEP(kt)
    }
#endif
    LOAD_END();

#pragma unroll
    for (int j = 0; j < TN4; j++) {
        const int n = n0 + 4 * j;

        if (n >= N)
            break;
#pragma unroll
        for (int i = 0; i < TM; i++) {
            // rows of b past the end were repeated: the padding of y is zero
            const float4 v = TB ? keep_lanes(acc[i][j], N - n) : acc[i][j];

            if (m0 + i < M)
                GEMM_PUT(batch, m0 + i, n / 4, v)
        }
    }
}
