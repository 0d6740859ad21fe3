// Matrix product of few rows on a CPU, M up to MR: an element of b is used M times only, which is not
// worth packing it. Lane l of 16 adds k = l, l + 16, ..., and the lanes are added by halves: an order
// of its own.
//
//   what is computed, arguments and the end of a result: gemm.cl; comes after gemm_panels.cl
//   grid: one group of one item per BN columns along x, the batch along y; TA 0, TB 1
//   local: POOL floats, of which it takes MR * 4 * (KT + 3) + 4 * (BK + 16)
#undef BLOCK_PARAMS
#define BLOCK_PARAMS , const int BN, const int BK
#ifndef POOL
#define POOL 229376
#endif
#ifndef MR
#define MR 4 // rows at most
#endif
#define EACH_I _Pragma("unroll") for (int i = 0; i < MR; i++)

static inline float4 quarters(float16 v)
{
    const float8 a = v.lo + v.hi;

    return a.lo + a.hi;
}

// The lanes of each of four, added by halves.
static inline float4 added(float4 q0, float4 q1, float4 q2, float4 q3)
{
    return ((float4)(q0.x, q1.x, q2.x, q3.x) + (float4)(q0.z, q1.z, q2.z, q3.z)) +
           ((float4)(q0.y, q1.y, q2.y, q3.y) + (float4)(q0.w, q1.w, q2.w, q3.w));
}

// Sixteen k of columns n .. n + 3 of b.
#define ADD16(LOAD)                                                                                \
    {                                                                                              \
        float16 v[4];                                                                              \
                                                                                                   \
        EACH16(r, 4) v[r] = LOAD(r);                                                               \
        EACH_I                                                                                     \
        {                                                                                          \
            const float16 av = LOCAL16(ap + i * depth);                                            \
                                                                                                   \
            EACH16(r, 4) acc[r][i] = fma(av, v[r], acc[r][i]);                                     \
        }                                                                                          \
        ap += 16;                                                                                  \
    }
#if IMAGE
#define TILE16(r) LOCAL16(tl + (r)*TILE_PITCH + 4 * q)
#define ADD_COLUMNS(n)                                                                             \
    for (int kt = 0, kts; kt < KT; kt += kts) {                                                    \
        kts = min(BK / 4, KT - kt);                                                                \
        read_texels(b, FOLD_B, ctb, batch *b_row + (n), min(4, N - (n)), batch *b_col + kt, kts,   \
                    tl, TILE_PITCH);                                                               \
        clear_texels(4, -kts & 3, tl + 4 * kts, TILE_PITCH);                                       \
        for (int q = 0; q < kts; q += 4)                                                           \
            ADD16(TILE16)                                                                          \
    }
#else
#define COLUMN(r)    TEXEL_OF(b, ctb, batch *b_row + min(n + (r), N - 1), batch *b_col)
#define WHOLE16(r)   GLOBAL16(from[r] + 4 * kt)
#define TEXEL_IN(j, r) (kt + (j) < KT ? VLOAD4(kt + (j), from[r]) : (float4)(0))
#define PART16(r)                                                                                  \
    (float16)(TEXEL_IN(0, r), TEXEL_IN(1, r), TEXEL_IN(2, r), (float4)(0))
#define ADD_COLUMNS(n)                                                                             \
    {                                                                                              \
        __global const store_t *const from[4] = {COLUMN(0), COLUMN(1), COLUMN(2), COLUMN(3)};      \
        int kt = 0;                                                                                \
                                                                                                   \
        for (; kt + 4 <= KT; kt += 4)                                                              \
            ADD16(WHOLE16)                                                                         \
        if (kt < KT)                                                                               \
            ADD16(PART16)                                                                          \
    }
#endif
// One texel of each row of y.
#define STRIP(t)                                                                                   \
    {                                                                                              \
        const int n = n0 + 4 * (t);                                                                \
        __local const float *ap = al;                                                              \
        float16 acc[4][MR];                                                                        \
        float4 sums[MR];                                                                           \
                                                                                                   \
        EACH16(r, 4) EACH_I acc[r][i] = (float16)(0);                                              \
        ADD_COLUMNS(n)                                                                             \
        EACH_I sums[i] = keep_lanes(added(quarters(acc[0][i]), quarters(acc[1][i]),                \
                                          quarters(acc[2][i]), quarters(acc[3][i])),               \
                                    N - n);                                                        \
        EACH_I if (i < M) GEMM_PUT(batch, i, n / 4, sums[i])                                       \
    }

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void gemm_few(GEMM_PARAMS)
{
    __local float pool[POOL] __attribute__((aligned(64)));

    const int depth = 4 * ((KT + 3) & -4), n0 = get_group_id(0) * BN, batch = get_group_id(1);
    const int strips = (min(BN, N - n0) + 3) / 4;
    __local float *al = pool, *tl = al + MR * depth;

    LOAD_BEGIN(batch * get_num_groups(0) + get_group_id(0), get_num_groups(0) * batches, strips)
    clear_texels(MR, depth / 4, al, depth);
    read_texels(a, FOLD_A, cta, batch * a_row, M, batch * a_col, KT, al, depth);

    int t = 0;
#if FORM == 2
    for (const int end = min(strips, LOAD_ITERS); t < end; t++) {
        LOAD_STEP(t);
        STRIP(t)
    }
    for (; t < strips; t++)
        STRIP(t)
#else
    for (; t < strips; t++) {
        LOAD_STEP(t);
        STRIP(t)
    }
#endif
    LOAD_END();
}
