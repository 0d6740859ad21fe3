// Matrix product and convolution on a CPU: one item per group stages blocks of both operands in
// local memory and runs a register-blocked micro-kernel over them.
//
//   what is computed, arguments, CONV, TA, TB and the end of a result: gemm.cl
//   grid: one group of one item per block of BM x BN results; ORDER 1: x walks n, 2: x walks m;
//         the batch is the slow part of m
//   blocks: BM (a multiple of MR), BN (of NR) results, BK (of 16) of k per pass; arguments,
//         for a program takes half a second to compile
//   local: POOL floats, of which a block takes BM * (BK + 4) + (TB ? 1 : 4) * NR * (BK + 2) +
//         BM * BN + 16 * (BK + 16) and the pixels that it meets
//   Any size: what lies outside is staged as zeros and never written.
//
// Each result is one chain acc = fma(a_k, b_k, acc), k ascending: the same bits as gemm_direct.cl
// whatever the blocks. Blocking after Goto & van de Geijn 2008: a panel of b, NR columns wide, is
// packed just before it is used and stays in L1; the block of a and the results stay in L2. Rows of a
// are not packed: the micro-kernel wants one element of each at a time, which it finds in the rows
// of a buffer, or of al, as well as in a panel.
//
// What an image costs here is its texels, and less if they are neighbours: rows of b, 16 at a time, are
// read into a tile (read_texels() says why) and packed from there as a buffer's are; results are
// written along n, each tile as it is done.
#undef BLOCK_PARAMS
#define BLOCK_PARAMS , const int BM, const int BN, const int BK
#ifndef POOL
#define POOL 229376
#endif
#ifndef MR
#define MR 8 // rows of the micro-kernel
#endif
#ifndef NR
#define NR 32 // columns of the micro-kernel: 8, 16 or a multiple of 16
#endif
#ifndef ORDER
#define ORDER 1
#endif
#ifndef PATCH
#define PATCH 0 // 1: the pixels that a block meets are decoded once for all their taps
#endif

#if NR == 8
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
#define NV   (NR / VW)
#define TILE (MR * NR)
// Not a power of two from panel to panel, for texels across panels would share a set of the cache.
#define A_PANEL (MR * (depth + 2))
#define A_PITCH (depth + 4)
#define B_PANEL (NR * (depth + 2))
// Blocks are made as even as tiles allow: PoCL deals groups out by their number.
#define EVEN(n, blocks, tile) (((n) + (blocks) * (tile)-1) / ((blocks) * (tile)) * (tile))

// c[MR, NR] (+)= rows A_ROW(i) * b panel [k, NR], of which the first NVS vectors count; SUMS takes the
// results, acc[i][j]. A macro: LLVM 15 in PoCL 3.1 crashes when it inlines this as a function at two
// places.
#define MICRO(pb, n_k, first, c, NVS, SUMS)                                                        \
    {                                                                                              \
        A_SPACE const float *ap[MR];                                                               \
        __local const float *bp = (pb);                                                            \
        vec acc[MR][NVS], bv[NVS];                                                                 \
                                                                                                   \
        EACH_I ap[i] = A_ROW(i);                                                                   \
        EACH_I EACH_J(NVS) acc[i][j] = (first) ? (vec)(0) : VECLOAD((c) + i * NR + j * VW);        \
        for (int k = 0; k < (n_k); k++, bp += NR) {                                                \
            EACH_J(NVS) bv[j] = VECLOAD(bp + j * VW);                                              \
            EACH_I EACH_J(NVS) acc[i][j] = fma((vec)(A_OF(ap[i], k)), bv[j], acc[i][j]);                   \
        }                                                                                          \
        SUMS(NVS, c)                                                                               \
    }
#define EACH_I      _Pragma("unroll") for (int i = 0; i < MR; i++)
#define EACH_J(NVS) _Pragma("unroll") for (int j = 0; j < (NVS); j++)
#define KEEP_SUMS(NVS, c) EACH_I EACH_J(NVS) VECSTORE(acc[i][j], (c) + i * NR + j * VW);

// GEMM_PUT() of the sums of a tile, `left` texels of row m and the next ones, from local memory:
// WIDE elements at once. An image's are ended where they are, then written in runs.
#if WIDE == 4
#define PUT_ROW(batch, m, nt, left, p)                                                             \
    for (int j = 0; j < (left); j++)                                                               \
        GEMM_PUT(batch, m, (nt) + j, vload4(j, p))
#else
#if BIAS
#define WITH_BIAS(v, nt, left) ((v) + GETW_BUFFER(AT_TEXEL(bias, bias_off + (nt)), left))
#else
#define WITH_BIAS(v, nt, left) (v)
#endif
#if !RES
#define WITH_RES(v, at, j, left) (v)
#elif IMAGE // of the row, in the tile that operands pass through
#define WITH_RES(v, at, j, left) ((v) + *(__local const wide_at_texel *)(tl + 4 * (j)))
#else
#define WITH_RES(v, at, j, left) ((v) + GETW_BUFFER(AT_TEXEL(res, (at) + (j)), left))
#endif
#if IMAGE && RES
#define READ_RES(row, col, n) read_texels(res, FOLD_RES, cty, row, 1, col, n, tl, TILE_PITCH);
#else
#define READ_RES(row, col, n)
#endif
#if IMAGE
#define PUT_ENDED(v, at, j, left, p) *(__local wide_at_texel *)((p) + 4 * (j)) = (v);
#define PUT_RUN(row, col, n, p) write_texels(y, FOLD_Y, cty, row, 1, col, n, p, NR);
#else
#define PUT_ENDED(v, at, j, left, p)                                                               \
    if ((left) >= TEXELS)                                                                          \
        VSTOREW(v, AT_TEXEL(y, (at) + (j)));                                                       \
    else                                                                                           \
        store_part(v, AT_TEXEL(y, (at) + (j)), left);
#define PUT_RUN(row, col, n, p)
#endif
#define PUT_WIDE(row, col, nt, n, p)                                                               \
    {                                                                                              \
        const size_t at = (size_t)(row)*cty + (col);                                               \
                                                                                                   \
        READ_RES(row, col, n)                                                                      \
        for (int j = 0; j < (n); j += TEXELS) {                                                    \
            const wide sums = SCALE(*(__local const wide_at_texel *)((p) + 4 * j));                \
            const wide biased = WITH_BIAS(sums, (CONV ? (col) : (nt)) + j, (n)-j);                 \
            const wide ended = WITH_RES(biased, at, j, (n)-j);                                     \
            const wide v = ACTIVATE(ended, N - 4 * ((nt) + j));                                    \
                                                                                                   \
            PUT_ENDED(v, at, j, (n)-j, p)                                                          \
        }                                                                                          \
        PUT_RUN(row, col, n, p)                                                                    \
    }
#if CONV == 2
#define PUT_ROW(batch, m, nt, left, p)                                                             \
    {                                                                                              \
        const int p_y = (m) / OW * UH + phase_y, p_x = (m) % OW * UW + phase_x;                    \
                                                                                                   \
        if (p_y < FH && p_x < FW)                                                                  \
            PUT_WIDE(p_y *FW + p_x, nt, nt, left, p)                                               \
    }
#else
#define PUT_ROW(batch, m, nt, left, p)                                                             \
    PUT_WIDE((batch)*y_row + (m), (batch)*y_col + (nt), nt, left, p)
#endif
#endif
#define PUT_TILE(batch, m, nt, c)                                                                  \
    {                                                                                              \
        const int put_rows = min(MR, M - (m)), put_texels = min(NR / 4, nt_end - (nt));            \
                                                                                                   \
        for (int i = 0; i < put_rows; i++)                                                         \
            PUT_ROW(batch, (m) + i, nt, put_texels, (c) + i * NR)                                  \
    }

// Whole tiles of a buffer go there from registers, unless they would have to stay for a function:
// what local memory in between costs is a tenth of a product with k = 64.
#define FROM_REGISTERS (!IMAGE && VW == 16 && CONV != 2 && ACT <= 1)
#if FROM_REGISTERS
#define PUT_SUMS(NVS, c)                                                                           \
    if (whole) {                                                                                   \
        const size_t at = (size_t)(batch * y_row + m) * cty + batch * y_col + nt;                  \
                                                                                                   \
        EACH_I EACH_J(NVS)                                                                         \
        {                                                                                          \
            const int at_bias = (CONV ? batch * y_col + nt : nt) + 4 * j;                          \
            const wide biased = WITH_BIAS(SCALE(acc[i][j]), at_bias, TEXELS);                      \
            const wide ended = WITH_RES(biased, at + (size_t)i * cty, 4 * j, TEXELS);              \
                                                                                                   \
            VSTOREW(ACTIVATE(ended, WIDE), AT_TEXEL(y, at + (size_t)i * cty + 4 * j));             \
        }                                                                                          \
    } else {                                                                                       \
        KEEP_SUMS(NVS, c)                                                                          \
    }
#else
#define PUT_SUMS KEEP_SUMS
#endif

// Texels [kt0, kt0 + kts) of k, tap by tap: n of tap (r, s) from its texel c on, the kt-th on.
#define EACH_TAP                                                                                   \
    for (int r = kt0 / CT / S, s = kt0 / CT % S, c = kt0 % CT, kt = 0, n;                          \
         n = min(CT - c, kts - kt), kt < kts;                                                      \
         kt += n, c = 0, r += s + 1 == S, s = s + 1 == S ? 0 : s + 1)

// The rows of a block of a, from m = m0 + pm * MR on: A_OF(A_ROW(i), k). Those of a buffer are used
// where they are; others stand in al, but for a transposed a, which lies there in panels of MR rows,
// al[panel][k][row]. Behind the last row come the last one's results, which nothing takes.
#define A_SPACE     __local
#define A_OF(p, k)  (p)[k]
#define A_ROW(i)    (al + (m - m0 + (i)) * A_PITCH)
#if TA // texels lie along m
#define STAGE_A                                                                                    \
    stage_across(a, FOLD_A, cta, batch *a_row + 4 * kt0, K - 4 * kt0, depth,                       \
                 batch *a_col + m0 / 4, (min(rows, M - m0) + 3) / 4, rows / 4, tl, TILE_ROOM, al,  \
                 MR, A_PANEL);
#undef A_ROW
#define A_ROW(i)   (al + pm * A_PANEL + (i))
#undef A_OF
#define A_OF(p, k) (p)[(k)*MR]
#elif CONV
#if PATCH
#define READ_PIXELS(row, n_rows, p)                                                                \
    for (int at_row = 0; at_row < (n_rows); at_row++)                                              \
        for (int j = 0; j < n; j++)                                                                \
            vstore4(vload4(((row) + at_row - patch_row) * CT + c + j, xl), j,                      \
                    (p) + at_row * A_PITCH);
#else
#define READ_PIXELS(row, n_rows, p)                                                                \
    read_texels(a, FOLD_A, cta, row, n_rows, batch *a_col + c, n, p, A_PITCH);
#endif
#if MR == 8
typedef int8 pixels;
#define PIXELS       (pixels)(0, 1, 2, 3, 4, 5, 6, 7)
#define STORE_PIXELS vstore8
#else
typedef int4 pixels;
#define PIXELS       (pixels)(0, 1, 2, 3)
#define STORE_PIXELS vstore4
#endif
// Rows of x are mostly neighbours, as the pixels of y are.
#define STAGE_A                                                                                    \
    for (int i = 0; i < rows; i += MR) {                                                           \
        const pixels m = m0 + i + PIXELS, my = PIXEL_Y(m), mx = PIXEL_X(m);                        \
                                                                                                   \
        EACH_TAP                                                                                   \
        {                                                                                          \
            const pixels iy = TAP_Y(my, r), ix = TAP_X(mx, s);                                     \
            const pixels in = TAP_HERE(r, s) ? INSIDE(iy, ix) & (m < M) : (pixels)(0);             \
            const pixels row = select((pixels)(-1), iy * W + ix, in);                              \
            __local float *const to = al + i * A_PITCH + 4 * kt;                                   \
                                                                                                   \
            if (row.s0 >= 0 && all(row == row.s0 + PIXELS)) {                                      \
                READ_PIXELS(row.s0, MR, to)                                                        \
            } else {                                                                               \
                int each[MR];                                                                      \
                                                                                                   \
                STORE_PIXELS(row, 0, each);                                                        \
                for (int l = 0; l < MR; l++)                                                       \
                    if (each[l] < 0)                                                               \
                        clear_texels(1, n, to + l * A_PITCH, A_PITCH);                      \
                    else                                                                           \
                        READ_PIXELS(each[l], 1, to + l * A_PITCH)                               \
            }                                                                                      \
        }                                                                                          \
    }
#elif IMAGE || HALF
#define STAGE_A                                                                                    \
    read_texels(a, FOLD_A, cta, batch *a_row + m0, min(rows, M - m0), batch *a_col + kt0, kts, al, \
                A_PITCH);
#undef A_ROW
#define A_ROW(i) (al + (m - m0 + min(i, M - 1 - m)) * A_PITCH)
#else
#define STAGE_A
#undef A_SPACE
#define A_SPACE __global
#undef A_ROW
#define A_ROW(i) TEXEL_OF(a, cta, batch *a_row + m + min(i, M - 1 - m), batch *a_col + kt0)
#endif

// `panels` panels of b from column n on: bl[panel][k][column].
#if !TB // texels lie along n: so many panels at a time that a row is read in runs
#define PANELS 4
#define STAGE_B(n, panels)                                                                         \
    stage_across(b, FOLD_B, ctb, batch *b_row + 4 * kt0, K - 4 * kt0, depth,                       \
                 batch *b_col + (n) / 4, (min((panels)*NR, N - (n)) + 3) / 4, (panels)*NR / 4, tl, \
                 TILE_ROOM, bl, NR, B_PANEL);
#else
#define PANELS 1
#define B_ROWS (NR < 16 ? NR : 16)
#if CONV == 2
#define STAGE_B(n0_b, panels)                                                                      \
    for (int i = 0; i < NR; i += B_ROWS) {                                                         \
        const int here = clamp(N - (n0_b)-i, 0, B_ROWS);                                           \
                                                                                                   \
        EACH_TAP                                                                                   \
        {                                                                                          \
            const int there = TAP_HERE(r, s) ? here : 0;                                           \
            __local float *const to = tl + 4 * kt;                                                 \
                                                                                                   \
            if (there > 0)                                                                         \
                read_texels(b, FOLD_B, ctb, (n0_b) + i, there, TAP_COL(r, s) + c, n, to,           \
                            TILE_PITCH);                                                           \
            clear_texels(B_ROWS - there, n, to + there * TILE_PITCH, TILE_PITCH);                  \
        }                                                                                          \
        pack_tile(tl, TILE_PITCH, B_ROWS, depth, bl + i, NR);                                      \
    }
#else
#define STAGE_B(n, panels)                                                                         \
    for (int i = 0; i < NR; i += B_ROWS)                                                           \
        stage_rows(b, FOLD_B, ctb, batch *b_row + (n) + i, N - (n)-i, B_ROWS, batch *b_col + kt0,  \
                   kts, tl, TILE_PITCH, bl + i, NR);
#endif
#endif

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void gemm_staged(GEMM_PARAMS)
{
    __local float pool[POOL] __attribute__((aligned(64)));
    __local float *al = pool, *bl = al + BM * (BK + 4);
    __local float *cl = bl + (PANELS * NR * (BK + 2) + 15) / 16 * 16, *tl = cl + BM * BN;

    const int gn = get_group_id(ORDER - 1), gm = get_group_id(2 - ORDER);
    const int m_blocks = (M + BM - 1) / BM, n_blocks = (N + BN - 1) / BN;
    const int bm = EVEN(M, m_blocks, MR), bn = EVEN(N, n_blocks, NR);
    const int batch = gm / m_blocks;
    const int m0 = (gm - batch * m_blocks) * bm, n0 = gn * bn;
    const int mp = (min(bm, M - m0) + MR - 1) / MR, np = (min(bn, N - n0) + NR - 1) / NR;
    const int rows = mp * MR, tiles = mp * np, passes = (4 * KT + BK - 1) / BK;
    const int nt_end = (N + 3) / 4, kept = passes > 1 ? TILE : 0; // from tile to tile
    int it = 0;

    CONV_BEGIN(batch)
    LOAD_BEGIN(get_group_id(1) * get_num_groups(0) + get_group_id(0),
               get_num_groups(0) * get_num_groups(1), tiles * passes)

#if PATCH // rows of x from the first tap of the first result to the last of the last
    __local float *xl = tl + TILE_ROOM;
    const int y0 = PIXEL_Y(m0), y1 = PIXEL_Y(min(m0 + bm, M) - 1), r_end = KT / CT / S - 1;
    const int patch_row = clamp(min(y0, TAP_Y(y0, r_end)), 0, H) * W;
    const int patch_end = clamp(max(y1, TAP_Y(y1, r_end)) + 1, 0, H) * W;

    if (patch_row < patch_end)
        read_texels(a, FOLD_A, cta, patch_row, patch_end - patch_row, batch * a_col, CT, xl,
                    4 * CT);
#endif

    for (int kt0 = 0; kt0 < KT; kt0 += BK / 4) {
        const int kts = min(BK / 4, KT - kt0), depth = 4 * kts;

        STAGE_A

#define RESULT(t)                                                                                  \
    {                                                                                              \
        const int pn = (t) / mp, pm = (t)-pn * mp;                                                 \
        const int m = m0 + pm * MR, nt = (n0 + pn * NR) / 4, last = kt0 + kts == KT;               \
        const int whole = FROM_REGISTERS && last && m + MR <= M && nt + NR / 4 <= nt_end;          \
                                                                                                   \
        if (pm == 0 && pn % PANELS == 0)                                                           \
            STAGE_B(n0 + pn * NR, min(PANELS, np - pn))                                            \
        if (NV > 1 && nt + VW / 4 >= nt_end)                                                       \
            MICRO(bl + pn % PANELS * B_PANEL, depth, kt0 == 0, cl + (t)*kept, 1, KEEP_SUMS)        \
        else                                                                                       \
            MICRO(bl + pn % PANELS * B_PANEL, depth, kt0 == 0, cl + (t)*kept, NV, PUT_SUMS)        \
        if (last && !whole)                                                                        \
            PUT_TILE(batch, m, nt, cl + (t)*kept)                                                  \
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
}
