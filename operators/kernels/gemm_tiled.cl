// Matrix product and convolution on a GPU: a group stages tiles of both operands in local memory
// while each item keeps TM x TN results in registers. Also the kernel "split", for few results of
// many k: SK slices of a group share its results, each with a run of k of its own.
//
//   what is computed, arguments, CONV, TA, TB and the end of a result: gemm.cl
//   group: LX * LY * SK items for LY * TM x LX * TN results; ORDER 1: x walks n, 2: x walks m
//   local: STAGES tiles of BK values of k from both operands; SK > 1: or all partial sums (SK 2:
//         those of one slice)
//   Any size: rows past the end repeat the last one, k past the end is zero, neither is written.
//         EDGE_M, EDGE_N 1: along m, n only whole blocks; what is behind them, a texel of columns at
//         most, is left to groups after those of the blocks, an item for each texel (ORDER 1, SK 1,
//         TA 0, TB 1, no convolution; the same bits).
//   BK / 4 divides the number of items; SK divides BK / 4; TM is 1, 2, 6 or a multiple of 4.
//
// Both operands lie in local memory as [k][row], whatever their texels run along, so that an item
// reads four neighbouring rows at once. Texels along k are turned while they are stored; their k
// then stand in the order 0, 4, 8, ..., 1, 5, 9, ..., and SKEW keeps a warp's stores in 32 banks.
// The texels of the next tile are fetched before the arithmetic of the present one. NVIDIA's
// compiler saves registers by moving most of those reads down to where their texels are kept, which
// is right where other groups have work meanwhile. For a group alone, TURNS 2 makes the arithmetic a
// loop, past which nothing is moved, and leaves all that needs the texels to their keeping.
//
// SK 1: each result is one chain acc = fma(a_k, b_k, acc), k ascending: the same bits as
// gemm_direct.cl. SK > 1: slice s has texels [s * KS, (s + 1) * KS) of k, KS = ceil(KT / SK); each
// is such a chain from zero, and the slices' sums are added in order: ((s0 + s1) + s2) + ...
#ifndef TM
#define TM 8 // results of an item along m
#endif
#ifndef TN
#define TN 8 // along n; a multiple of 4
#endif
#ifndef BK
#define BK 16 // values of k in a stage
#endif
#ifndef STAGES
#define STAGES 2 // tiles in local memory: 2 need one barrier a stage, 1 two
#endif
#ifndef TURNS
#define TURNS 1 // of a loop over the values of k in a stage
#endif
#ifndef SK
#define SK 1
#endif
#ifndef LX
#define LX 16 // items of a slice along n
#define LY 16 // along m
#endif
#ifndef ORDER
#define ORDER 1
#endif
#ifndef EDGE_M
#define EDGE_M 0
#endif
#ifndef EDGE_N
#define EDGE_N 0
#endif

#define ITEMS (LX * LY * SK)
#define BM (LY * TM)
#define BN (LX * TN)
#define BMT ((BM + 3) / 4)
#define BNT (BN / 4)
#define BKT (BK / 4)
#define RUN (BKT / SK) // texels of k in a stage of one slice
#define SKEW (BKT < 8 ? 32 / BKT : 4)
#define LDA (4 * BMT + SKEW)
#define LDB (BN + SKEW)
#define A_TEXELS (TA ? BMT * BK : BM * BKT)
#define B_TEXELS (TB ? BN * BKT : BNT * BK)
#define NA ((A_TEXELS + ITEMS - 1) / ITEMS)
#define NB ((B_TEXELS + ITEMS - 1) / ITEMS)
#define STAGE (BK * (LDA + LDB))
#define PARTS (SK > 1 ? (SK == 2 ? 1 : SK) * BM * BN : 0)
#define LOCAL (STAGES * STAGE > PARTS ? STAGES * STAGE : PARTS)

#define EACH(i, n) _Pragma("unroll") for (int i = 0; i < (n); i++)
#define MINE(e, n) ((n) % ITEMS == 0 || (e) < (n)) // no test where the items have equal shares
#define ZERO ((float4)(0))

// Texel of k in column q of a stage that begins at texel kt0 of each slice; is it one?
#define K_TEXEL(kt0, q) ((q) / RUN * KS + (kt0) + (q) % RUN)
#define K_INSIDE(kt0, q) ((kt0) + (q) % RUN < KS && K_TEXEL(kt0, q) < KT)

// ---- from tensors to registers ----

#if TURNS == 2 && !CONV // what is outside is read at the edge, and kept as zero
#define FETCHED(inside, v) (v)
#define KEPT(inside, v) ((inside) ? (v) : ZERO)
#define COLUMN_OF_K(kt0, q) min(K_TEXEL(kt0, q), KT - 1)
#define ROW_OF_K(k) min(k, K - 1)
#else
#define FETCHED(inside, v) ((inside) ? (v) : ZERO)
#define KEPT(inside, v) (v)
#define COLUMN_OF_K(kt0, q) K_TEXEL(kt0, q)
#define ROW_OF_K(k) (k)
#endif

#if CONV // an item's column of k is always the same: it follows its tap (r, s) and channel texel c
#define FETCH_A(kt0)                                                                               \
    EACH(i, NA)                                                                                    \
    {                                                                                              \
        const int iy = TAP_Y(ay[i], r), ix = TAP_X(ax[i], s);                                      \
                                                                                                   \
        fa[i] = K_INSIDE(kt0, l % BKT) && TAP_HERE(r, s) && INSIDE(iy, ix)                         \
                    ? GET(a, FOLD_A, cta, iy * W + ix, batch * a_col + c)                          \
                    : ZERO;                                                                        \
    }
#define NEXT_TAP                                                                                   \
    for (c += RUN; c >= CT; c -= CT)                                                               \
        if (++s == S) {                                                                            \
            s = 0;                                                                                 \
            r++;                                                                                   \
        }
#elif TA
#define FETCH_A(kt0)                                                                               \
    EACH(i, NA)                                                                                    \
    {                                                                                              \
        const int e = l + i * ITEMS, q = e / BMT;                                                  \
        const int k = 4 * K_TEXEL(kt0, q / 4) + q % 4;                                             \
                                                                                                   \
        fa[i] = FETCHED(MINE(e, A_TEXELS) && K_INSIDE(kt0, q / 4) && k < K,                        \
                        GET(a, FOLD_A, cta, batch * a_row + ROW_OF_K(k),                           \
                            batch * a_col + min(m0 / 4 + e % BMT, (M - 1) / 4)));                  \
    }
#else
#define FETCH_A(kt0)                                                                               \
    EACH(i, NA)                                                                                    \
    {                                                                                              \
        const int e = l + i * ITEMS;                                                               \
                                                                                                   \
        fa[i] = FETCHED(MINE(e, A_TEXELS) && K_INSIDE(kt0, e % BKT),                               \
                        GET(a, FOLD_A, cta, batch * a_row + min(m0 + e / BKT, M - 1),              \
                            batch * a_col + COLUMN_OF_K(kt0, e % BKT)));                           \
    }
#endif
#ifndef NEXT_TAP
#define NEXT_TAP
#endif
#if CONV == 2
#define FETCH_B(kt0)                                                                               \
    EACH(i, NB)                                                                                    \
    {                                                                                              \
        const int e = l + i * ITEMS;                                                               \
                                                                                                   \
        fb[i] = MINE(e, B_TEXELS) && K_INSIDE(kt0, l % BKT) && TAP_HERE(r, s)                      \
                    ? GET(b, FOLD_B, ctb, min(n0 + e / BKT, N - 1), TAP_COL(r, s) + c)             \
                    : ZERO;                                                                        \
    }
#elif TB
#define FETCH_B(kt0)                                                                               \
    EACH(i, NB)                                                                                    \
    {                                                                                              \
        const int e = l + i * ITEMS;                                                               \
                                                                                                   \
        fb[i] = FETCHED(MINE(e, B_TEXELS) && K_INSIDE(kt0, e % BKT),                               \
                        GET(b, FOLD_B, ctb, batch * b_row + min(n0 + e / BKT, N - 1),              \
                            batch * b_col + COLUMN_OF_K(kt0, e % BKT)));                           \
    }
#else
#define FETCH_B(kt0)                                                                               \
    EACH(i, NB)                                                                                    \
    {                                                                                              \
        const int e = l + i * ITEMS, q = e / BNT;                                                  \
        const int k = 4 * K_TEXEL(kt0, q / 4) + q % 4;                                             \
                                                                                                   \
        fb[i] = FETCHED(MINE(e, B_TEXELS) && K_INSIDE(kt0, q / 4) && k < K,                        \
                        GET(b, FOLD_B, ctb, batch * b_row + ROW_OF_K(k),                           \
                            batch * b_col + min(n0 / 4 + e % BNT, (N - 1) / 4)));                  \
    }
#endif

#define FETCH(kt0)                                                                                 \
    {                                                                                              \
        FETCH_A(kt0)                                                                               \
        FETCH_B(kt0)                                                                               \
        NEXT_TAP                                                                                   \
    }

// ---- from registers to local memory ----

#define KEEP_ALONG_K(f, count, texels, ld, to, kt0)                                                \
    EACH(i, count)                                                                                 \
    {                                                                                              \
        const int e = l + i * ITEMS;                                                               \
        const float4 v = KEPT(K_INSIDE(kt0, e % BKT), f[i]);                                       \
        __local float *p = (to) + e % BKT * (ld) + e / BKT;                                        \
                                                                                                   \
        if (MINE(e, texels)) {                                                                     \
            p[0] = v.x;                                                                            \
            p[BKT * (ld)] = v.y;                                                                   \
            p[2 * BKT * (ld)] = v.z;                                                               \
            p[3 * BKT * (ld)] = v.w;                                                               \
        }                                                                                          \
    }
#define KEEP_ALONG_ROWS(f, count, texels, ld, wide, to, kt0)                                       \
    EACH(i, count)                                                                                 \
    {                                                                                              \
        const int e = l + i * ITEMS, q = e / (wide);                                               \
                                                                                                   \
        if (MINE(e, texels))                                                                       \
            *(__local float4 *)((to) + (q % 4 * BKT + q / 4) * (ld) + 4 * (e % (wide))) =          \
                KEPT(K_INSIDE(kt0, q / 4) && 4 * K_TEXEL(kt0, q / 4) + q % 4 < K, f[i]);           \
    }
#if TA
#define KEEP_A(to, kt0) KEEP_ALONG_ROWS(fa, NA, A_TEXELS, LDA, BMT, to, kt0)
#else
#define KEEP_A(to, kt0) KEEP_ALONG_K(fa, NA, A_TEXELS, LDA, to, kt0)
#endif
#if TB
#define KEEP_B(to, kt0) KEEP_ALONG_K(fb, NB, B_TEXELS, LDB, to, kt0)
#else
#define KEEP_B(to, kt0) KEEP_ALONG_ROWS(fb, NB, B_TEXELS, LDB, BNT, to, kt0)
#endif

// ---- arithmetic ----

// Result i of an item along m: row M_OF(i) of the tile; along n: columns N_OF(j) to N_OF(j) + 3.
#if TM % 4 == 0
#define M_OF(i) (4 * ty + (i) / 4 * (4 * LY) + (i) % 4)
#define READ_A(p)                                                                                  \
    EACH(i, TM / 4)                                                                                \
    {                                                                                              \
        const float4 v = *(__local const float4 *)((p) + M_OF(4 * i));                             \
                                                                                                   \
        av[4 * i] = v.x;                                                                           \
        av[4 * i + 1] = v.y;                                                                       \
        av[4 * i + 2] = v.z;                                                                       \
        av[4 * i + 3] = v.w;                                                                       \
    }
#else
#define M_OF(i) (ty + (i)*LY)
#define READ_A(p) EACH(i, TM) av[i] = (p)[M_OF(i)];
#endif
#define N_OF(j) (4 * (tx + (j)*LX))

#define MULTIPLY_K(from, kt, ki)                                                                   \
    {                                                                                              \
        __local const float *ap = (from) + ((ki)*BKT + slice * RUN + (kt)) * LDA;                  \
        __local const float *bp = (from) + BK * LDA + ((ki)*BKT + slice * RUN + (kt)) * LDB;       \
        float av[TM];                                                                              \
                                                                                                   \
        READ_A(ap)                                                                                 \
        EACH(j, TN / 4)                                                                            \
        {                                                                                          \
            const float4 bv = *(__local const float4 *)(bp + N_OF(j));                             \
                                                                                                   \
            EACH(i, TM) acc[i][j] = fma((float4)(av[i]), bv, acc[i][j]);                           \
        }                                                                                          \
    }
#if TURNS == 1
#define MULTIPLY(from) EACH(kt, RUN) EACH(ki, 4) MULTIPLY_K(from, kt, ki)
#elif RUN > 1
#define MULTIPLY(from)                                                                             \
    _Pragma("unroll 1") for (int turn = 0; turn < RUN; turn += RUN / 2) EACH(kt, RUN / 2)          \
        EACH(ki, 4) MULTIPLY_K(from, turn + kt, ki)
#else
#define MULTIPLY(from)                                                                             \
    _Pragma("unroll 1") for (int turn = 0; turn < 4; turn += 2) EACH(ki, 2)                        \
        MULTIPLY_K(from, 0, turn + ki)
#endif

// A pass over one stage; `take` and `give` are the halves of a step of the load. NVIDIA's compiler
// is particular about this text: with the tiles named in other words, it let the fetches wait for
// the arithmetic (lws=8x16, m=128,n=8192,k=2048 on an H100: 181 us for 114).
#if STAGES == 2
#define PASS(kt, take, give)                                                                       \
    {                                                                                              \
        __local float *const now = tile + (odd ? STAGE : 0),                                       \
                             *const next = tile + (odd ? 0 : STAGE);                               \
                                                                                                   \
        FETCH((kt) + RUN)                                                                          \
        take                                                                                       \
        MULTIPLY(now)                                                                              \
        give                                                                                       \
        KEEP_A(next, (kt) + RUN)                                                                   \
        KEEP_B(next + BK * LDA, (kt) + RUN)                                                        \
        barrier(CLK_LOCAL_MEM_FENCE);                                                              \
        odd = !odd;                                                                                \
    }
#else // the only tile has been read by all before it is overwritten
#define PASS(kt, take, give)                                                                       \
    {                                                                                              \
        FETCH((kt) + RUN)                                                                          \
        take                                                                                       \
        MULTIPLY(tile)                                                                             \
        give                                                                                       \
        barrier(CLK_LOCAL_MEM_FENCE);                                                              \
        KEEP_A(tile, (kt) + RUN)                                                                   \
        KEEP_B(tile + BK * LDA, (kt) + RUN)                                                        \
        barrier(CLK_LOCAL_MEM_FENCE);                                                              \
    }
#endif

// H100, 128 x 3072 x 768 from buffers: 27.2 us for 29.8 (naive 27.8), in the pipelined form only.
#if SK > 1 && !IMAGE
#define PLAIN_UNROLL _Pragma("unroll 2")
#else
#define PLAIN_UNROLL _Pragma("unroll 1")
#endif

// The pipelined form divides up its load behind the first fetch, from images only if there is one:
// so a load of nothing costs least (H100: a product of 1024 from buffers 4 % over naive, now
// nothing; a convolution from images 2.4 %, now nothing).
//
// From buffers most blocks move all of it there (3), before their results take registers, and have
// one loop, as the naive form does: with two, 16 products of 512 x 512 x 64 took 167 registers for
// 127, a group less beside each other, and 22.6 us for 17.8 (now 17.7; at ratio 1 25.9, now 18.5),
// 2048 in f16 in 192 x 96 580 us for 436 (437; 606, now 447). Blocks of 128 results an item have a
// multiprocessor to themselves, and hide it (1; those of 16 bits have half as much to move).
#if FORM != 2
#define LOAD_LATE 0
#elif IMAGE
#define LOAD_LATE 2
#elif SK == 1 && (TM * TN < 128 || HALF)
#define LOAD_LATE 3
#else
#define LOAD_LATE 1
#if !LOAD_BLOCK
#undef LOAD_UNROLL
#define LOAD_UNROLL _Pragma("unroll 1")
#endif
#endif
#define BEGIN_LOAD                                                                                 \
    LOAD_BEGIN((get_group_id(1) * get_num_groups(0) + get_group_id(0)) * ITEMS + l,                \
               get_num_groups(0) * get_num_groups(1) * ITEMS,                                      \
               past < 0 ? (KS + RUN - 1) / RUN : 1)

// The t-th texel behind whole blocks, counted matrix by matrix: first the rows below them, then the
// column beside them.
#define EDGE(t)                                                                                    \
    {                                                                                              \
        const int m_whole = EDGE_M ? m_blocks * BM : M, nts = (N + 3) / 4;                         \
        const int below = (M - m_whole) * nts, each = below + (EDGE_N ? m_whole : 0);              \
        const int of = (t) / each, u = (t) - of * each;                                            \
        const int m = u < below ? m_whole + u / nts : u - below;                                   \
        const int nt = u < below ? u % nts : nts - 1;                                              \
        float4 sums = ZERO;                                                                        \
                                                                                                   \
        _Pragma("unroll 4") for (int kt = 0; kt < (of < batches ? KT : 0); kt++)                   \
        {                                                                                          \
            const float4 av = GET(a, FOLD_A, cta, of * a_row + m, of * a_col + kt);                \
                                                                                                   \
            EDGE_LANE(x, 0)                                                                        \
            EDGE_LANE(y, 1)                                                                        \
            EDGE_LANE(z, 2)                                                                        \
            EDGE_LANE(w, 3)                                                                        \
        }                                                                                          \
        sums = keep_lanes(sums, N - 4 * nt);                                                       \
        if (of < batches)                                                                          \
            GEMM_PUT(of, m, nt, sums)                                                              \
    }
#define EDGE_LANE(c, j)                                                                            \
    {                                                                                              \
        const int n = min(4 * nt + j, N - 1);                                                      \
        const float4 bv = GET(b, FOLD_B, ctb, of * b_row + n, of * b_col + kt);                    \
                                                                                                   \
        sums.c = fma(av.x, bv.x, sums.c);                                                          \
        sums.c = fma(av.y, bv.y, sums.c);                                                          \
        sums.c = fma(av.z, bv.z, sums.c);                                                          \
        sums.c = fma(av.w, bv.w, sums.c);                                                          \
    }

__kernel __attribute__((reqd_work_group_size(LX, LY *SK, 1))) void gemm_tiled(GEMM_PARAMS)
{
    __local float tile[LOCAL] __attribute__((aligned(16)));

    const int gn = get_group_id(ORDER - 1), gm = get_group_id(2 - ORDER);
    const int m_blocks = EDGE_M ? M / BM : (M + BM - 1) / BM;
#if EDGE_M || EDGE_N
    const int past = gm - m_blocks * batches; // those groups go through all of this without a pass
    const int batch = past < 0 ? gm / m_blocks : 0;
#else
    const int past = -1, batch = gm / m_blocks;
#endif
    const int m0 = (gm - batch * m_blocks) * BM, n0 = gn * BN;
    const int l = get_local_id(1) * LX + get_local_id(0);
    const int slice = l / (LX * LY), item = l % (LX * LY);
#if LX % 8 == 0 && LY % 4 == 0 // a warp is 8 x 4 items: fewest different texels of a and b
    const int tx = item / 32 % (LX / 8) * 8 + item % 8, ty = item / (4 * LX) * 4 + item % 32 / 8;
#else
    const int tx = item % LX, ty = item / LX;
#endif
    const int KS = past < 0 ? (KT + SK - 1) / SK : 0;
    float4 acc[TM][TN / 4], fa[NA], fb[NB];
#if STAGES == 2
    int odd = 0;
#endif
#if CONV
    CONV_BEGIN(batch)
    int ay[NA], ax[NA]; // the first tap of a row of a
    int c = K_TEXEL(0, l % BKT) % CT, s = K_TEXEL(0, l % BKT) / CT % S,
        r = K_TEXEL(0, l % BKT) / CT / S;

    EACH(i, NA)
    {
        const int m = min(m0 + (l + i * ITEMS) / BKT, M - 1);

        ay[i] = PIXEL_Y(m);
        ax[i] = PIXEL_X(m);
    }
#endif

    EACH(i, TM) EACH(j, TN / 4) acc[i][j] = ZERO;
#if !LOAD_LATE
    BEGIN_LOAD
#endif
    FETCH(0)
#if LOAD_LATE == 1
    BEGIN_LOAD
#elif LOAD_LATE == 3
    LOAD_APART((get_group_id(1) * get_num_groups(0) + get_group_id(0)) * ITEMS + l,
               get_num_groups(0) * get_num_groups(1) * ITEMS)
#endif
    KEEP_A(tile, 0)
    KEEP_B(tile + BK * LDA, 0)
    barrier(CLK_LOCAL_MEM_FENCE);

    int kt0 = 0;
#define PLAIN                                                                                      \
    PLAIN_UNROLL                                                                                   \
    for (; kt0 < KS; kt0 += RUN)                                                                   \
        PASS(kt0, , )
#if FORM == 2
#if LOAD_LATE == 2
#if SK == 1 // a copy of its own (H100, f16 of 2048 at ratio 1: 376 us for 390 and more)
    if (LOAD_TOTAL == 0) {
        PLAIN
    } else
#else
    if (LOAD_TOTAL > 0)
#endif
    {
        BEGIN_LOAD
        LOAD_AHEAD
        for (const int end = min(LOAD_ITERS * RUN, KS); kt0 < end; kt0 += RUN) {
#if SK == 1 && TM * TN < 64 // little arithmetic: writing comes before the fetches are waited for
            LOAD_NEXT
            PASS(kt0, , )
#else
            PASS(kt0, , LOAD_NEXT)
#endif
        }
        LOAD_END(); // here, so that the other loop has the registers to itself
#if SK == 1
        PLAIN
#endif
    }
#if SK > 1
    PLAIN
#endif
#elif LOAD_LATE == 3
    PLAIN
#else
    if (LOAD_ITERS > 0) {
        for (const int end = min(LOAD_ITERS * RUN, KS); kt0 < end; kt0 += RUN)
            PASS(kt0, LOAD_TAKE(kt0 / RUN), LOAD_GIVE(kt0 / RUN))
        LOAD_END();
    }
    PLAIN
#endif
#else
#if NLOADS == 0
    _Pragma("unroll 1")
#endif
    for (; kt0 < KS; kt0 += RUN)
        PASS(kt0, LOAD_TAKE(kt0 / RUN), LOAD_GIVE(kt0 / RUN))
    LOAD_END();
#endif

    // Rows of b past the end were repeated: the padding of y is zero.
#define RESULT(m, n, v)                                                                            \
    if (m0 + (m) < M && n0 + (n) < N) {                                                            \
        const float4 sums = TB ? keep_lanes(v, N - n0 - (n)) : (v);                                \
                                                                                                   \
        GEMM_PUT(batch, m0 + (m), (n0 + (n)) / 4, sums)                                            \
    }
#if EDGE_M || EDGE_N
    if (past >= 0) {
        EDGE((past * (int)get_num_groups(0) + gn) * ITEMS + l)
    } else
#endif
#if SK == 1
    {
        EACH(i, TM) EACH(j, TN / 4) RESULT(M_OF(i), N_OF(j), acc[i][j])
    }
#elif SK == 2 // the first slice adds the other one's
    if (slice)
        EACH(i, TM)
        EACH(j, TN / 4) *(__local float4 *)(tile + M_OF(i) * BN + N_OF(j)) = acc[i][j];
    barrier(CLK_LOCAL_MEM_FENCE);
    if (!slice)
        EACH(i, TM)
        EACH(j, TN / 4)
        {
            const float4 sum = acc[i][j] + *(__local const float4 *)(tile + M_OF(i) * BN + N_OF(j));

            RESULT(M_OF(i), N_OF(j), sum)
        }
#else
    EACH(i, TM)
    EACH(j, TN / 4)
    *(__local float4 *)(tile + (slice * BM + M_OF(i)) * BN + N_OF(j)) = acc[i][j];
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int e = l; e < BM * BNT; e += ITEMS) {
        float4 sum = *(__local const float4 *)(tile + 4 * e);

        EACH(i, SK - 1) sum += *(__local const float4 *)(tile + (i + 1) * BM * BN + 4 * e);
        RESULT(e / BNT, e % BNT * 4, sum)
    }
#endif
}
