// Matrix product and convolution on a CPU: one item per group stages blocks of both operands in
// local memory, packed in panels, and runs a register-blocked micro-kernel over them.
//
//   what is computed, arguments, CONV, TA, TB and the end of a result: gemm.cl
//   grid: one group of one item per block of BM x BN results; ORDER 1: x walks n, 2: x walks m;
//         the batch is the slow part of m
//   local: 4 * (BM * BK + BN * BK + BM * BN) bytes
//   Any size: what lies outside is packed as zeros and never written.
//
// Each result is one chain acc = fma(a_k, b_k, acc), k ascending: the same bits as gemm_direct.cl
// whatever the blocks. Blocking after Goto & van de Geijn 2008: a panel of
// b stays in L1, the block of a in L2.
#ifndef BM
#define BM 128 // results of a block along m; a multiple of MR
#endif
#ifndef BN
#define BN 256 // along n; a multiple of NR
#endif
#ifndef BK
#define BK 256 // elements of k per pass; a multiple of 4
#endif
#ifndef MR
#define MR 8 // rows of the micro-kernel
#endif
#ifndef NR
#define NR 32 // columns of the micro-kernel: 4, 8, 16 or a multiple of 16
#endif
#ifndef ORDER
#define ORDER 1
#endif

#if NR == 4
#define VW 4
typedef float4 vec;
#define VECLOAD(p) vload4(0, p)
#define VECSTORE(v, p) vstore4(v, 0, p)
#elif NR == 8
#define VW 8
typedef float8 vec;
#define VECLOAD(p) vload8(0, p)
#define VECSTORE(v, p) vstore8(v, 0, p)
#else
#define VW 16
typedef float16 vec;
#define VECLOAD(p) vload16(0, p)
#define VECSTORE(v, p) vstore16(v, 0, p)
#endif
#define NV (NR / VW)
#define TILE (MR * NR)

// Texels [col, col + n) of four rows of t, transposed to p[k * stride + row]; a row < 0 is zeros.
static inline void pack4(IN(t), int fold, int ct, int4 row, int col, int n, __local float *p,
                         int stride)
{
    for (int i = 0; i < n; i++, p += 4 * stride) {
        const float4 t0 = row.x < 0 ? (float4)(0) : GET(t, fold, ct, row.x, col + i);
        const float4 t1 = row.y < 0 ? (float4)(0) : GET(t, fold, ct, row.y, col + i);
        const float4 t2 = row.z < 0 ? (float4)(0) : GET(t, fold, ct, row.z, col + i);
        const float4 t3 = row.w < 0 ? (float4)(0) : GET(t, fold, ct, row.w, col + i);

        vstore4((float4)(t0.x, t1.x, t2.x, t3.x), 0, p);
        vstore4((float4)(t0.y, t1.y, t2.y, t3.y), 0, p + stride);
        vstore4((float4)(t0.z, t1.z, t2.z, t3.z), 0, p + 2 * stride);
        vstore4((float4)(t0.w, t1.w, t2.w, t3.w), 0, p + 3 * stride);
    }
}

// Rows of t whose texels lie along the panels already: p[panel][k][width] from texel columns
// [col, end) of rows row + k; past `rows` rows or the end, zeros.
static inline void pack_along(IN(t), int fold, int ct, int row, int rows, int col, int end, int n,
                              int depth, int width, __local float *p)
{
    for (int k = 0; k < depth; k++)
        for (int i = 0; i < n; i += 4) {
            const float4 v = k < rows && col + i / 4 < end ? GET(t, fold, ct, row + k, col + i / 4)
                                                           : (float4)(0);

            vstore4(v, 0, p + (i / width) * (depth * width) + k * width + i % width);
        }
}

// c[MR, NR] (+)= a panel [k, MR] * b panel [k, NR]. A macro: LLVM 15 in PoCL 3.1 crashes when it
// inlines this as a function at two places.
#define MICRO(pa, pb, n_k, first, c)                                                               \
    {                                                                                              \
        __local const float *ap = (pa), *bp = (pb);                                                \
        vec acc[MR][NV], bv[NV];                                                                   \
                                                                                                   \
        EACH_I EACH_J acc[i][j] = (first) ? (vec)(0) : VECLOAD((c) + i * NR + j * VW);             \
        for (int k = 0; k < (n_k); k++, ap += MR, bp += NR) {                                      \
            EACH_J bv[j] = VECLOAD(bp + j * VW);                                                   \
            EACH_I EACH_J acc[i][j] = fma((vec)(ap[i]), bv[j], acc[i][j]);                         \
        }                                                                                          \
        EACH_I EACH_J VECSTORE(acc[i][j], (c) + i * NR + j * VW);                                  \
    }
#define EACH_I _Pragma("unroll") for (int i = 0; i < MR; i++)
#define EACH_J _Pragma("unroll") for (int j = 0; j < NV; j++)

// Texels [kt0, kt0 + kts) of k, tap by tap: n of tap (r, s) from its texel c on, the kt-th on.
#define EACH_TAP                                                                                   \
    for (int r = kt0 / CT / S, s = kt0 / CT % S, c = kt0 % CT, kt = 0, n;                          \
         n = min(CT - c, kts - kt), kt < kts;                                                      \
         kt += n, c = 0, r += s + 1 == S, s = s + 1 == S ? 0 : s + 1)

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
gemm_staged(GEMM_PARAMS)
{
    __local float al[BM * BK] __attribute__((aligned(64)));
    __local float bl[BN * BK] __attribute__((aligned(64)));
    __local float cl[BM * BN] __attribute__((aligned(64)));

    const int gn = get_group_id(ORDER - 1), gm = get_group_id(2 - ORDER);
    const int m_blocks = (M + BM - 1) / BM;
    const int batch = gm / m_blocks;
    const int m0 = (gm - batch * m_blocks) * BM, n0 = gn * BN;
    const int mp = (min(BM, M - m0) + MR - 1) / MR, np = (min(BN, N - n0) + NR - 1) / NR;
    const int tiles = mp * np, passes = (4 * KT + BK - 1) / BK;
    const int nt_end = (N + 3) / 4;
    int it = 0;

    CONV_BEGIN(batch)
    LOAD_BEGIN(get_group_id(1) * get_num_groups(0) + get_group_id(0),
               get_num_groups(0) * get_num_groups(1), tiles * passes)

    for (int kt0 = 0; kt0 < KT; kt0 += BK / 4) {
        const int kts = min(BK / 4, KT - kt0);
        const int depth = 4 * kts, last = kt0 + kts == KT;

#if TA
        pack_along(a, FOLD_A, cta, batch * a_row + 4 * kt0, K - 4 * kt0, batch * a_col + m0 / 4,
                   batch * a_col + (M + 3) / 4, mp * MR, depth, MR, al);
#else
        for (int i = 0; i < mp * MR; i += 4) {
            const int4 m = m0 + i + (int4)(0, 1, 2, 3);
            __local float *p = al + (i / MR) * (depth * MR) + i % MR;
#if CONV
            const int4 iy0 = PIXEL_Y(m), ix0 = PIXEL_X(m);

            EACH_TAP
            {
                const int4 iy = TAP_Y(iy0, r), ix = TAP_X(ix0, s);
                const int4 in = TAP_HERE(r, s) ? INSIDE(iy, ix) & (m < M) : (int4)(0);

                pack4(a, FOLD_A, cta, select((int4)(-1), iy * W + ix, in), batch * a_col + c, n,
                      p + kt * 4 * MR, MR);
            }
#else
            pack4(a, FOLD_A, cta, select((int4)(-1), batch * a_row + m, m < M), batch * a_col + kt0,
                  kts, p, MR);
#endif
        }
#endif
#if TB
        for (int i = 0; i < np * NR; i += 4) {
            const int4 row = n0 + i + (int4)(0, 1, 2, 3);
            const int4 rows = select((int4)(-1), batch * b_row + row, row < N);
            __local float *p = bl + (i / NR) * (depth * NR) + i % NR;
#if CONV == 2
            EACH_TAP
            {
                pack4(b, FOLD_B, ctb, TAP_HERE(r, s) ? rows : (int4)(-1), TAP_COL(r, s) + c, n,
                      p + kt * 4 * NR, NR);
            }
#else
            pack4(b, FOLD_B, ctb, rows, batch * b_col + kt0, kts, p, NR);
#endif
        }
#else
        pack_along(b, FOLD_B, ctb, batch * b_row + 4 * kt0, K - 4 * kt0, batch * b_col + n0 / 4,
                   batch * b_col + nt_end, np * NR, depth, NR, bl);
#endif

#define RESULT(t)                                                                                  \
    {                                                                                              \
        const int pn = (t) / mp, pm = (t)-pn * mp;                                                 \
        __local float *c = cl + (passes == 1 ? 0 : (t)*TILE);                                      \
                                                                                                   \
        MICRO(al + pm * (depth * MR), bl + pn * (depth * NR), depth, kt0 == 0, c)                  \
        if (last)                                                                                  \
            WRITE(m0 + pm * MR, (n0 + pn * NR) / 4, c)                                             \
    }
#define WRITE(m, nt, c)                                                                            \
    for (int i = 0; i < min(MR, M - (m)); i++)                                                     \
        for (int j = 0; j < min(NR / 4, nt_end - (nt)); j++)                                       \
            GEMM_PUT(batch, (m) + i, (nt) + j, vload4(0, (c) + i * NR + 4 * j))
        int t = 0;
#if FORM == 2
        for (const int end = min(tiles, LOAD_ITERS - it); t < end; t++) {
            LOAD_STEP(it + t);
            RESULT(t)
        }
        for (; t < tiles; t++)
            RESULT(t)
#else
        for (; t < tiles; t++) {
            LOAD_STEP(it + t);
            RESULT(t)
        }
#endif
        it += tiles;
    }
    LOAD_END();
}
