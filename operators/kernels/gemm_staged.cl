// Matrix product and convolution on a CPU: one item per group stages blocks of both operands in
// local memory and runs a register-blocked micro-kernel over them.
//
//   what is computed, arguments, CONV, TA, TB and the end of a result: gemm.cl
//   grid: one group of one item per block of BM x BN results; ORDER 1: x walks n, 2: x walks m;
//         the batch is the slow part of m
//   blocks: BM (a multiple of MR), BN (of NR) results, BK (of 4) elements of k per pass; arguments,
//         for a program takes half a second to compile
//   local: POOL floats, of which a block takes (BM + (TB ? 1 : 4) * NR) * (BK + 2) + BM * BN and the
//         pixels that it meets
//   Any size: what lies outside is staged as zeros and never written.
//
// Each result is one chain acc = fma(a_k, b_k, acc), k ascending: the same bits as gemm_direct.cl
// whatever the blocks. Blocking after Goto & van de Geijn 2008: a panel of b, NR columns wide, is
// packed just before it is used and stays in L1; the block of a and the results stay in L2.
//
// What an image costs here is its texels: PoCL 3.1 takes 14 cycles to decode one, 40 and more if it
// is neither in the cache nor next to the one before. So rows are read along k, one after the
// other, and results are written along n.
#undef BLOCK_PARAMS
#define BLOCK_PARAMS , const int BM, const int BN, const int BK
#ifndef POOL
#define POOL 229376
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
#ifndef PATCH
#define PATCH 0 // 1: the pixels that a block meets are decoded once for all their taps
#endif

#if NR == 4
#define VW 4
typedef float4 vec;
#define VECLOAD(p)     vload4(0, p)
#define VECSTORE(v, p) vstore4(v, 0, p)
#elif NR == 8
#define VW             8
typedef float8 vec;
#define VECLOAD(p)     vload8(0, p)
#define VECSTORE(v, p) vstore8(v, 0, p)
#else
#define VW             16
typedef float16 vec;
#define VECLOAD(p)     (*(__local const float16_at_texel *)(p)) // PoCL: vstore16() is three stores
#define VECSTORE(v, p) (*(__local float16_at_texel *)(p) = (v))
#endif
typedef float16 float16_at_texel __attribute__((aligned(16)));
#define NV   (NR / VW)
#define TILE (MR * NR)
// Not a power of two from panel to panel, for texels across panels would share a set of the cache.
#define A_PANEL (MR * (depth + 2))
#define B_PANEL (NR * (depth + 2))
// Blocks are made as even as tiles allow: PoCL deals groups out by their number.
#define EVEN(n, blocks, tile) (((n) + (blocks) * (tile)-1) / ((blocks) * (tile)) * (tile))

// Zeros for a row < 0.
#define GET_ROW(t, fold, ct, row, col) ((row) < 0 ? (float4)(0) : GET(t, fold, ct, row, col))

// Across: p[k * stride] = element k of the texel.
static inline void scatter(float4 v, __local float *p, int stride)
{
    p[0] = v.x;
    p[stride] = v.y;
    p[2 * stride] = v.z;
    p[3 * stride] = v.w;
}

static inline void scatter4(float4 t0, float4 t1, float4 t2, float4 t3, __local float *p,
                            int stride)
{
    vstore4((float4)(t0.x, t1.x, t2.x, t3.x), 0, p);
    vstore4((float4)(t0.y, t1.y, t2.y, t3.y), 0, p + stride);
    vstore4((float4)(t0.z, t1.z, t2.z, t3.z), 0, p + 2 * stride);
    vstore4((float4)(t0.w, t1.w, t2.w, t3.w), 0, p + 3 * stride);
}

// Texels [col, col + n) of four rows, transposed to p[k * stride + row]; zeros for a row < 0.
static inline void pack_rows(IN(t), int fold, int ct, int4 row, int col, int n, __local float *p,
                             int stride)
{
#if IMAGE
    const int rows[4] = {row.x, row.y, row.z, row.w};

    for (int l = 0; l < 4; l++)
        for (int i = 0; i < n; i++)
            scatter(GET_ROW(t, fold, ct, rows[l], col + i), p + i * 4 * stride + l, stride);
#else
    for (int i = 0; i < n; i++)
        scatter4(GET_ROW(t, fold, ct, row.x, col + i), GET_ROW(t, fold, ct, row.y, col + i),
                 GET_ROW(t, fold, ct, row.z, col + i), GET_ROW(t, fold, ct, row.w, col + i),
                 p + i * 4 * stride, stride);
#endif
}

// Buffers: 16 k of 16 neighbouring rows at a time, or of 8, as whole vectors. v0 .. v3 are four lanes of four elements each:
// BLOCKS4 transposes the 4x4 lanes, LANES4 the 4x4 elements of each lane.
#if !IMAGE
#define UNPACK_LO(a, b)                                                                            \
    (float16)(a.s0, b.s0, a.s1, b.s1, a.s4, b.s4, a.s5, b.s5, a.s8, b.s8, a.s9, b.s9, a.sc, b.sc,  \
              a.sd, b.sd)
#define UNPACK_HI(a, b)                                                                            \
    (float16)(a.s2, b.s2, a.s3, b.s3, a.s6, b.s6, a.s7, b.s7, a.sa, b.sa, a.sb, b.sb, a.se, b.se,  \
              a.sf, b.sf)
#define LANES4(v0, v1, v2, v3)                                                                     \
    {                                                                                              \
        const float16 l0 = UNPACK_LO(v0, v1), l1 = UNPACK_LO(v2, v3), h0 = UNPACK_HI(v0, v1),      \
                      h1 = UNPACK_HI(v2, v3);                                                      \
        v0 = (float16)(l0.s01, l1.s01, l0.s45, l1.s45, l0.s89, l1.s89, l0.scd, l1.scd);            \
        v1 = (float16)(l0.s23, l1.s23, l0.s67, l1.s67, l0.sab, l1.sab, l0.sef, l1.sef);            \
        v2 = (float16)(h0.s01, h1.s01, h0.s45, h1.s45, h0.s89, h1.s89, h0.scd, h1.scd);            \
        v3 = (float16)(h0.s23, h1.s23, h0.s67, h1.s67, h0.sab, h1.sab, h0.sef, h1.sef);            \
    }
#define BLOCKS4(v0, v1, v2, v3)                                                                    \
    {                                                                                              \
        const float16 l0 = (float16)(v0.lo, v1.lo), l1 = (float16)(v2.lo, v3.lo),                  \
                      h0 = (float16)(v0.hi, v1.hi), h1 = (float16)(v2.hi, v3.hi);                  \
        v0 = (float16)(l0.s0123, l0.s89ab, l1.s0123, l1.s89ab);                                    \
        v1 = (float16)(l0.s4567, l0.scdef, l1.s4567, l1.scdef);                                    \
        v2 = (float16)(h0.s0123, h0.s89ab, h1.s0123, h1.s89ab);                                    \
        v3 = (float16)(h0.s4567, h0.scdef, h1.s4567, h1.scdef);                                    \
    }
#if HALF
#define LOAD16(p) vload_half16(0, p)
#else
#define LOAD16(p) (*(__global const float16_at_texel *)(p))
#endif
#define STORE16(v, p) (*(__local float16_at_texel *)(p) = (v))
#define EACH16(i, n)  _Pragma("unroll") for (int i = 0; i < (n); i++)

static inline void pack16(__global const store_t *t, size_t pitch, __local float *p, int stride)
{
    float16 v[16];

    EACH16(i, 16) v[i] = LOAD16(t + i * pitch);
    EACH16(i, 4) BLOCKS4(v[i], v[i + 4], v[i + 8], v[i + 12])
    EACH16(i, 4) LANES4(v[4 * i], v[4 * i + 1], v[4 * i + 2], v[4 * i + 3])
    EACH16(i, 16) STORE16(v[i], p + i * stride);
}

static inline void pack8(__global const store_t *t, size_t pitch, __local float *p)
{
    float16 v[8];

    EACH16(i, 8) v[i] = LOAD16(t + i * pitch);
    LANES4(v[0], v[1], v[2], v[3])
    LANES4(v[4], v[5], v[6], v[7])
    BLOCKS4(v[0], v[4], v[1], v[5])
    BLOCKS4(v[2], v[6], v[3], v[7])
    STORE16(v[0], p);
    STORE16(v[2], p + 16);
    STORE16(v[4], p + 32);
    STORE16(v[6], p + 48);
    STORE16(v[1], p + 64);
    STORE16(v[3], p + 80);
    STORE16(v[5], p + 96);
    STORE16(v[7], p + 112);
}
#define TEXEL_OF(t, ct, row, col) ((t) + ((size_t)(row) * (ct) + (col)) * 4)
#endif

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

// The block of a, in panels of MR rows: al[panel][k][row].
#define A_ROWS(i) (al + (i) / MR * A_PANEL + (i) % MR)
#if TA // texels lie along m
#define STAGE_A                                                                                    \
    for (int k = 0; k < depth; k++)                                                                \
        for (int i = 0; i < rows; i += 4)                                                          \
            vstore4(GET_ROW(a, FOLD_A, cta,                                                        \
                            4 * kt0 + k < K && m0 + i < M ? batch * a_row + 4 * kt0 + k : -1,      \
                            batch * a_col + (m0 + i) / 4),                                         \
                    0, A_ROWS(i) + k * MR);
#elif CONV
#if PATCH
#define PATCH_TEXEL(row, j) ((row) < 0 ? (float4)(0) : vload4(((row)-patch_row) * CT + c + (j), xl))
#define PACK_PIXELS(row, p)                                                                        \
    for (int j = 0; j < n; j++)                                                                    \
        scatter4(PATCH_TEXEL((row).x, j), PATCH_TEXEL((row).y, j), PATCH_TEXEL((row).z, j),        \
                 PATCH_TEXEL((row).w, j), (p) + j * 4 * MR, MR);
#else
#define PACK_PIXELS(row, p) pack_rows(a, FOLD_A, cta, row, batch *a_col + c, n, p, MR);
#endif
#define STAGE_A                                                                                    \
    for (int i = 0; i < rows; i += 4) {                                                            \
        const int4 m = m0 + i + (int4)(0, 1, 2, 3);                                                \
        const int4 my = PIXEL_Y(m), mx = PIXEL_X(m);                                               \
                                                                                                   \
        EACH_TAP                                                                                   \
        {                                                                                          \
            const int4 iy = TAP_Y(my, r), ix = TAP_X(mx, s);                                       \
            const int4 in = TAP_HERE(r, s) ? INSIDE(iy, ix) & (m < M) : (int4)(0);                 \
            const int4 row = select((int4)(-1), iy * W + ix, in);                                  \
                                                                                                   \
            PACK_PIXELS(row, A_ROWS(i) + 4 * kt * MR)                                              \
        }                                                                                          \
    }
#else
#define STAGE_A                                                                                    \
    for (int i = 0; i < rows; i += 4) {                                                            \
        const int4 m = m0 + i + (int4)(0, 1, 2, 3);                                                \
        const int packed = PACK8(i);                                                               \
                                                                                                   \
        pack_rows(a, FOLD_A, cta, select((int4)(-1), batch *a_row + m, m < M),                     \
                  batch *a_col + kt0 + packed, kts - packed, A_ROWS(i) + 4 * packed * MR, MR);     \
    }
// How many texels of rows i .. i + 3 are packed: with the other four of their panel.
#if !IMAGE && MR == 8
#define PACK8(i) (m0 + (i) / 8 * 8 + 8 > M ? 0 : (i) % 8 ? kts & -4 : PACK8_HERE(i))
#define PACK8_HERE(i)                                                                              \
    pack_panel8(TEXEL_OF(a, cta, batch *a_row + m0 + (i), batch *a_col + kt0), (size_t)cta * 4,    \
                kts & -4, A_ROWS(i))
static inline int pack_panel8(__global const store_t *t, size_t pitch, int n, __local float *p)
{
    for (int kt = 0; kt < n; kt += 4)
        pack8(t + 4 * kt, pitch, p + 4 * kt * MR);
    return n;
}
#else
#define PACK8(i) 0
#endif
#endif

// `panels` panels of b from column n on: bl[panel][k][column].
#if !TB // texels lie along n: so many panels at a time that a row is read in runs
#define PANELS 4
#define STAGE_B(n, panels)                                                                         \
    for (int k = 0; k < depth; k++)                                                                \
        for (int i = 0; i < (panels)*NR; i += 4) {                                                 \
            const int in = 4 * kt0 + k < K && (n) + i < N;                                         \
            const int row = in ? batch * b_row + 4 * kt0 + k : -1;                                 \
            const int col = batch * b_col + ((n) + i) / 4;                                         \
            __local float *const p = bl + i / NR * B_PANEL + k * NR + i % NR;                      \
                                                                                                   \
            if (RUN16(n, i)) {                                                                     \
                COPY16(row, col, p)                                                                \
                i += 12;                                                                           \
            } else {                                                                               \
                vstore4(GET_ROW(b, FOLD_B, ctb, row, col), 0, p);                                  \
            }                                                                                      \
        }
#if !IMAGE && NR % 16 == 0
#define RUN16(n, i)         (in && (i) % 16 == 0 && (n) + (i) + 16 <= N)
#define COPY16(row, col, p) STORE16(LOAD16(TEXEL_OF(b, ctb, row, col)), p);
#else
#define RUN16(n, i) 0
#define COPY16(row, col, p)
#endif
#else
#define PANELS 1
#define STAGE_B(n, panels)                                                                         \
    for (int i = 0; i < NR; i += 4) {                                                              \
        const int4 col = (n) + i + (int4)(0, 1, 2, 3);                                             \
        const int4 row = select((int4)(-1), batch * b_row + col, col < N);                         \
        const int packed = PACK16(n, i);                                                           \
                                                                                                   \
        STAGE_B4(row, bl + i)                                                                      \
    }
#if !IMAGE && NR % 16 == 0 && CONV != 2
#define PACK16(n, i) ((n) + (i) / 16 * 16 + 16 > N ? 0 : (i) % 16 ? kts & -4 : PACK16_HERE(n, i))
#define PACK16_HERE(n, i)                                                                          \
    pack_panel16(TEXEL_OF(b, ctb, batch *b_row + (n) + (i), batch *b_col + kt0), (size_t)ctb * 4,  \
                 kts & -4, bl + (i))
static inline int pack_panel16(__global const store_t *t, size_t pitch, int n, __local float *p)
{
    for (int kt = 0; kt < n; kt += 4)
        pack16(t + 4 * kt, pitch, p + 4 * kt * NR, NR);
    return n;
}
#else
#define PACK16(n, i) 0
#endif
#if CONV == 2
#define STAGE_B4(row, p)                                                                           \
    EACH_TAP                                                                                       \
    {                                                                                              \
        pack_rows(b, FOLD_B, ctb, TAP_HERE(r, s) ? row : (int4)(-1), TAP_COL(r, s) + c, n,         \
                  (p) + 4 * kt * NR, NR);                                                          \
    }
#else
#define STAGE_B4(row, p)                                                                           \
    pack_rows(b, FOLD_B, ctb, row, batch *b_col + kt0 + packed, kts - packed, (p) + 4 * packed * NR, \
              NR);
#endif
#endif

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void gemm_staged(GEMM_PARAMS)
{
    __local float pool[POOL] __attribute__((aligned(64)));
    __local float *al = pool, *bl = al + BM * (BK + 2);
    __local float *cl = bl + (PANELS * NR * (BK + 2) + 15) / 16 * 16;

    const int gn = get_group_id(ORDER - 1), gm = get_group_id(2 - ORDER);
    const int m_blocks = (M + BM - 1) / BM, n_blocks = (N + BN - 1) / BN;
    const int bm = EVEN(M, m_blocks, MR), bn = EVEN(N, n_blocks, NR);
    const int batch = gm / m_blocks;
    const int m0 = (gm - batch * m_blocks) * bm, n0 = gn * bn;
    const int mp = (min(bm, M - m0) + MR - 1) / MR, np = (min(bn, N - n0) + NR - 1) / NR;
    const int rows = mp * MR, tiles = mp * np, passes = (4 * KT + BK - 1) / BK;
    const int nt_end = (N + 3) / 4;
    int it = 0;

    CONV_BEGIN(batch)
    LOAD_BEGIN(get_group_id(1) * get_num_groups(0) + get_group_id(0),
               get_num_groups(0) * get_num_groups(1), tiles * passes)

#if PATCH // rows of x from the first tap of the first result to the last of the last
    __local float *xl = cl + BM * BN;
    const int y0 = PIXEL_Y(m0), y1 = PIXEL_Y(min(m0 + bm, M) - 1), r_end = KT / CT / S - 1;
    const int patch_row = clamp(min(y0, TAP_Y(y0, r_end)), 0, H) * W;
    const int patch_end = clamp(max(y1, TAP_Y(y1, r_end)) + 1, 0, H) * W;

    for (int row = patch_row; row < patch_end; row++)
        for (int c = 0; c < CT; c++)
            vstore4(GET(a, FOLD_A, cta, row, batch * a_col + c), (row - patch_row) * CT + c, xl);
#endif

    for (int kt0 = 0; kt0 < KT; kt0 += BK / 4) {
        const int kts = min(BK / 4, KT - kt0), depth = 4 * kts;

        STAGE_A

#define RESULT(t)                                                                                  \
    {                                                                                              \
        const int pn = (t) / mp, pm = (t)-pn * mp;                                                 \
                                                                                                   \
        if (pm == 0 && pn % PANELS == 0)                                                           \
            STAGE_B(n0 + pn * NR, min(PANELS, np - pn))                                            \
        MICRO(al + pm * A_PANEL, bl + pn % PANELS * B_PANEL, depth, kt0 == 0, cl + (t)*TILE)       \
    }
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

    for (int i = 0; i < min(bm, M - m0); i++) {
        __local const float *c = cl + i / MR * TILE + i % MR * NR;

        for (int pn = 0; pn < np; pn++, c += mp * TILE)
            for (int j = 0; j < min(NR / 4, nt_end - (n0 + pn * NR) / 4); j++)
                GEMM_PUT(batch, m0 + i, (n0 + pn * NR) / 4 + j, vload4(j, c))
    }
}
