// What the kernels of matrix products and convolutions share: their arguments, and how a result
// ends:  y = ACT(sum / sqrt(K) if SCALED + bias + res).  Comes before gemm_*.cl.
//
//   CONV 0   y[b][m,n] = sum over k of a[b][m,k] * b[b][k,n]
//        1   convolution: m is a pixel of y, k = (tap r, tap s, channel of x); a matrix of the
//            batch is a channel group
//        2   transposed convolution: a matrix of the batch is a phase, the pixels (py, px) of y
//            modulo its stride; each is a convolution with every UH-th, UW-th tap, walked backwards
//   TA   1: a is [K,M], texels along m; 0: [M,K], texels along k
//   TB   1: b is [N,K], texels along k; 0: [K,N], texels along n
#ifndef TA
#define TA 0
#endif
#if CONV
#if NLOADS && !LOAD_BLOCK // see stream.cl: taps take more registers than rows of a matrix
#undef LOAD_UNROLL
#define LOAD_UNROLL _Pragma("unroll 1")
#endif
#define FOLD_A FOLD_X
#define FOLD_B FOLD_W
// H x W pixels of x; OW results in a row of m; S taps in a row of the filter, as they are walked;
// CT texels of a tap; SH SW strides, PH PW padding, DH DW pixels between taps.
#if CONV == 1
#define CONV_PARAMS                                                                                \
    , const int H, const int W, const int OW, const int S, const int CT, const int SH,             \
        const int SW, const int PH, const int PW, const int DH, const int DW, const int CG
#define CONV_BEGIN(batch)
#define TAP_HERE(r, s) true
#define TAP_COL(r, s) (((r)*S + (s)) * CT)
#else // FH x FW pixels of y, FR x FS taps, stride UH UW, padding UPH UPW
#define CONV_PARAMS                                                                                \
    , const int H, const int W, const int OW, const int S, const int CT, const int FH,             \
        const int FW, const int FR, const int FS, const int UH, const int UW, const int UPH,       \
        const int UPW
#define SH 1
#define SW 1
#define DH -1
#define DW -1
#define CONV_BEGIN(batch)                                                                          \
    const int phase_y = (batch) / UW, phase_x = (batch) % UW;                                      \
    const int PH = -((phase_y + UPH) / UH), PW = -((phase_x + UPW) / UW);                          \
    const int tap_r = (phase_y + UPH) % UH, tap_s = (phase_x + UPW) % UW;
#define TAP_HERE(r, s) (tap_r + (r)*UH < FR && tap_s + (s)*UW < FS)
#define TAP_COL(r, s) (((tap_r + (r)*UH) * FS + tap_s + (s)*UW) * CT)
#endif
// Where result m begins in x; the pixel of tap (r, s) from there. Vectors will do.
#define PIXEL_Y(m) ((m) / OW * SH - PH)
#define PIXEL_X(m) ((m) % OW * SW - PW)
#define TAP_Y(y, r) ((y) + (r)*DH)
#define TAP_X(x, s) ((x) + (s)*DW)
#define INSIDE(y, x) ((y) >= 0 & (y) < H & (x) >= 0 & (x) < W)
#else
#define CONV_PARAMS
#define CONV_BEGIN(batch)
#endif

#if BIAS
#define BIAS_PARAM VEC(bias),
#define PLUS_BIAS(v, nt) ((v) + GETVW(bias, cty, nt))
#else
#define BIAS_PARAM
#define PLUS_BIAS(v, nt) (v)
#endif
#if RES // laid out as y
#define RES_PARAM IN(res),
#define PLUS_RES(v, row, col) ((v) + GETW(res, FOLD_RES, cty, row, col))
#else
#define RES_PARAM
#define PLUS_RES(v, row, col) (v)
#endif
#if SCALED
#define SCALE(v) ((v) * (1.0f / sqrt((float)K)))
#else
#define SCALE(v) (v)
#endif

// Strides from one matrix of a batch to the next: *_row texel rows, or *_col texel columns.
#define GEMM_PARAMS                                                                                \
    IN(a), IN(b), BIAS_PARAM RES_PARAM OUT(y), const int M, const int N, const int K,              \
        const int KT, const int batches BLOCK_PARAMS, const int cta, const int ctb, const int cty, \
        const int a_row, const int a_col, const int b_row, const int b_col, const int y_row,       \
        const int y_col CONV_PARAMS LOAD_PARAMS
#define BLOCK_PARAMS // a kernel's own

// The texel of four sums (conv_grouped.cl: WIDE) of matrix `batch`, row m, texel column nt of N / 4.
// The bias of channel groups stands side by side as they do; products of a batch share theirs.
#define GEMM_PUT_AT(p_row, p_col, nt, sums, n)                                                     \
    PUTW(y, FOLD_Y, cty, p_row, p_col,                                                             \
         ACTIVATE(PLUS_RES(PLUS_BIAS(SCALE(sums), CONV ? p_col : (nt)), p_row, p_col), n))
#if CONV == 2
#define GEMM_PUT(batch, m, nt, sums)                                                               \
    {                                                                                              \
        const int p_y = (m) / OW * UH + phase_y, p_x = (m) % OW * UW + phase_x;                    \
        const int p_row = p_y * FW + p_x;                                                          \
                                                                                                   \
        if (p_y < FH && p_x < FW)                                                                  \
            GEMM_PUT_AT(p_row, nt, nt, sums, N - 4 * (nt));                                        \
    }
#else
#define GEMM_PUT(batch, m, nt, sums)                                                               \
    {                                                                                              \
        const int p_row = (batch)*y_row + (m), p_col = (batch)*y_col + (nt);                       \
                                                                                                   \
        GEMM_PUT_AT(p_row, p_col, nt, sums, N - 4 * (nt));                                         \
    }
#endif
