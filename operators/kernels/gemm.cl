// What the kernels of matrix products and convolutions share: their arguments, and how a result
// ends:  y = ACT(sum / sqrt(K) if SCALED + bias + res).  Comes before gemm_*.cl.
#if CONV
#define FOLD_A FOLD_X
#define FOLD_B FOLD_W
#define CONV_PARAMS                                                                                \
    , const int H, const int W, const int OW, const int S, const int CT, const int STRIDE,         \
        const int PAD, const int DIL
#else
#define CONV_PARAMS
#endif

#if BIAS
#define BIAS_PARAM VEC(bias),
#define PLUS_BIAS(v, nt) ((v) + GETV(bias, nt))
#else
#define BIAS_PARAM
#define PLUS_BIAS(v, nt) (v)
#endif
#if RES // laid out as y
#define RES_PARAM IN(res),
#define PLUS_RES(v, row, col) ((v) + GET(res, FOLD_RES, cty, row, col))
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
        const int KT, const int batches, const int cta, const int ctb, const int cty,              \
        const int a_row, const int a_col, const int b_row, const int b_col, const int y_row,       \
        const int y_col CONV_PARAMS LOAD_PARAMS

// The texel of four sums of matrix `batch`, row m, texel column nt of N / 4.
#define GEMM_PUT(batch, m, nt, sums)                                                               \
    {                                                                                              \
        const int p_row = (batch)*y_row + (m), p_col = (batch)*y_col + (nt);                       \
        PUT(y, FOLD_Y, cty, p_row, p_col,                                                          \
            ACTIVATE(PLUS_RES(PLUS_BIAS(SCALE(sums), nt), p_row, p_col), N - 4 * (nt)));           \
    }
