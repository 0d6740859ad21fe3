// Attention on a GPU: a group of 16 x 8 items takes BM = 8 * TM queries of a head and goes through
// the keys by BN; an item has TM rows, of scores every 16th column, of y every 16th texel.
//   grid : (16 * ceil(M / BM), 8 * heads * batch), local (16, 8); an iteration is BN keys
//   local: 16 * (BM * D4 + BN * (max(D4, DV4) + 1)) + 4 * (BM * BN + BM * 16) bytes
//   BN   : keys staged at a time, a multiple of 16. It decides in which order exponentials are
//          added, so it follows from the shape and is no tunable; nothing else changes a bit.
//   AHEAD  1: the values of a block are fetched before its scores, the next keys before its sums
// What is staged goes through registers, all reads before the first write: one by one, each would
// wait for memory. IN_PARTS leaves loops in place, for NVIDIA's compiler moves a read down to where
// it is needed, but not past a loop.
#ifndef TM
#define TM 8 // rows of an item
#endif
#ifndef BN
#define BN 32
#endif
#ifndef AHEAD
#define AHEAD 0
#endif
#define LX 16
#define LY 8
#define BM (LY * TM)
#define TN (BN / LX)
#define TV ((DV4 + LX - 1) / LX) // texels of y of an item and row
#define KV_STEP ((D4 > DV4 ? D4 : DV4) + 1) // odd in most cases: rows fall on different banks

__kernel __attribute__((reqd_work_group_size(LX, LY, 1))) void
attention_tiled(ATTENTION_PARAMS)
{
    __local float4 ql[BM * D4];
    __local float4 kvl[BN * KV_STEP]; // keys, then their values
    __local float pl[BM * BN] __attribute__((aligned(16)));
    __local float best[BM * LX];

    const int lx = get_local_id(0), ly = get_local_id(1), l = ly * LX + lx, r0 = ly * TM;
    const int b = get_group_id(1) / heads, h = get_group_id(1) % heads;
    const int m0 = get_group_id(0) * BM, keys = VISIBLE(min(m0 + BM, M) - 1);
    const int blocks = (keys + BN - 1) / BN;
    const float scale = SCALE;
    float4 acc[TM][TV];
    float top[TM], sum[TM];
    int block = 0;

    LOAD_BEGIN(get_global_id(1) * get_global_size(0) + get_global_id(0),
               get_global_size(0) * get_global_size(1), blocks)

#define SHARE(columns, rows) (((rows) * (columns) + LX * LY - 1) / (LX * LY)) // texels of an item
#define EACH_HELD(columns, rows)                                                                   \
    _Pragma("unroll") for (int n = 0, at = l; n < SHARE(columns, rows); n++, at += LX * LY)
#define FETCH(columns, rows, from, count, get)                                                     \
    EACH_HELD(columns, rows)                                                                       \
    {                                                                                              \
        const int row = (from) + at / (columns);                                                   \
        const float4 got = get(min(row, (count)-1), at % (columns));                               \
                                                                                                   \
        held[n] = row < (count) ? got : (float4)(0.0f);                                            \
    }
#define EACH_MINE(columns, rows)                                                                   \
    EACH_HELD(columns, rows)                                                                       \
    if ((rows) * (columns) % (LX * LY) == 0 || at < (rows) * (columns))

    {
        float4 held[SHARE(D4, BM)];

        FETCH(D4, BM, m0, M, GET_Q)
        EACH_MINE(D4, BM)
        ql[at] = held[n] * scale;
    }
#pragma unroll
    for (int i = 0; i < TM; i++) {
        top[i] = -INFINITY;
        sum[i] = 0.0f;
#pragma unroll
        for (int j = 0; j < TV; j++)
            acc[i][j] = (float4)(0.0f);
    }

#define EACH_ROW _Pragma("unroll") for (int i = 0; i < TM; i++)
#define KEEP(columns)                                                                              \
    EACH_MINE(columns, BN)                                                                         \
    kvl[at / (columns)*KV_STEP + at % (columns)] = held[n];
#if AHEAD
    float4 held[SHARE(D4 > DV4 ? D4 : DV4, BN)];

    FETCH(D4, BN, 0, N, GET_K)
#define STAGE_K KEEP(D4)
#define AHEAD_V FETCH(DV4, BN, j0, N, GET_V)
#define IN_PARTS _Pragma("unroll 4")
#define STAGE_V KEEP(DV4) FETCH(D4, BN, j0 + BN, N, GET_K) // behind the last block: its last key
#else
#define STAGE(columns, get)                                                                        \
    {                                                                                              \
        float4 held[SHARE(columns, BN)];                                                           \
                                                                                                   \
        FETCH(columns, BN, j0, N, get)                                                             \
        KEEP(columns)                                                                              \
    }
#define STAGE_K STAGE(D4, GET_K)
#define AHEAD_V
#define STAGE_V STAGE(DV4, GET_V)
#define IN_PARTS
#endif
#define BLOCK                                                                                      \
    {                                                                                              \
        const int j0 = block * BN;                                                                 \
        float score[TM][TN];                                                                       \
                                                                                                   \
        barrier(CLK_LOCAL_MEM_FENCE);                                                              \
        STAGE_K                                                                                    \
        EACH_ROW _Pragma("unroll") for (int j = 0; j < TN; j++) score[i][j] = 0.0f;                \
        barrier(CLK_LOCAL_MEM_FENCE);                                                              \
        AHEAD_V                                                                                    \
        IN_PARTS for (int t = 0; t < D4; t++)                                                      \
        {                                                                                          \
            float4 kt[TN];                                                                         \
                                                                                                   \
            _Pragma("unroll") for (int j = 0; j < TN; j++)                                         \
                kt[j] = kvl[(lx + LX * j) * KV_STEP + t];                                          \
            EACH_ROW                                                                               \
            {                                                                                      \
                const float4 qt = ql[(r0 + i) * D4 + t];                                           \
                                                                                                   \
                _Pragma("unroll") for (int j = 0; j < TN; j++)                                     \
                {                                                                                  \
                    score[i][j] = fma(qt.x, kt[j].x, score[i][j]);                                 \
                    score[i][j] = fma(qt.y, kt[j].y, score[i][j]);                                 \
                    score[i][j] = fma(qt.z, kt[j].z, score[i][j]);                                 \
                    score[i][j] = fma(qt.w, kt[j].w, score[i][j]);                                 \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
        EACH_ROW                                                                                   \
        {                                                                                          \
            const int seen = VISIBLE(m0 + r0 + i) - j0;                                            \
            float mine = -INFINITY;                                                                \
                                                                                                   \
            _Pragma("unroll") for (int j = 0; j < TN; j++)                                         \
            {                                                                                      \
                score[i][j] = lx + LX * j < seen ? score[i][j] : -INFINITY;                        \
                mine = fmax(mine, score[i][j]);                                                    \
            }                                                                                      \
            best[(r0 + i) * LX + lx] = mine;                                                       \
        }                                                                                          \
        barrier(CLK_LOCAL_MEM_FENCE);                                                              \
        STAGE_V                                                                                    \
        EACH_ROW                                                                                   \
        {                                                                                          \
            float higher = top[i];                                                                 \
                                                                                                   \
            _Pragma("unroll") for (int c = 0; c < LX; c += 4)                                      \
            {                                                                                      \
                const float4 four = vload4(0, best + (r0 + i) * LX + c);                           \
                                                                                                   \
                higher = fmax(higher, fmax(fmax(four.x, four.y), fmax(four.z, four.w)));           \
            }                                                                                      \
            const float base = BASE(higher), f = RESCALE(top[i], higher);                          \
                                                                                                   \
            top[i] = higher;                                                                       \
            sum[i] *= f;                                                                           \
            _Pragma("unroll") for (int j = 0; j < TV; j++) acc[i][j] *= f;                         \
            _Pragma("unroll") for (int j = 0; j < TN; j++)                                         \
            {                                                                                      \
                const float p = exp(score[i][j] - base);                                           \
                                                                                                   \
                sum[i] += p;                                                                       \
                pl[(r0 + i) * BN + lx + LX * j] = p;                                               \
            }                                                                                      \
        }                                                                                          \
        barrier(CLK_LOCAL_MEM_FENCE);                                                              \
        IN_PARTS for (int k4 = 0; k4 < BN; k4 += 4)                                                \
        {                                                                                          \
            float4 vt[4][TV];                                                                      \
                                                                                                   \
            _Pragma("unroll") for (int n = 0; n < 4; n++)                                          \
                _Pragma("unroll") for (int j = 0; j < TV; j++)                                     \
                    vt[n][j] = lx + LX * j < DV4 ? kvl[(k4 + n) * KV_STEP + lx + LX * j]           \
                                                 : (float4)(0.0f);                                 \
            EACH_ROW                                                                               \
            {                                                                                      \
                const float4 p = vload4(0, pl + (r0 + i) * BN + k4);                               \
                                                                                                   \
                _Pragma("unroll") for (int j = 0; j < TV; j++)                                     \
                {                                                                                  \
                    acc[i][j] = fma((float4)(p.x), vt[0][j], acc[i][j]);                           \
                    acc[i][j] = fma((float4)(p.y), vt[1][j], acc[i][j]);                           \
                    acc[i][j] = fma((float4)(p.z), vt[2][j], acc[i][j]);                           \
                    acc[i][j] = fma((float4)(p.w), vt[3][j], acc[i][j]);                           \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }

#if FORM == 2
    // The same number of iterations for all items of a group, because of the barriers: as many as
    // the largest share may need.
    const int items = get_global_size(0) * get_global_size(1);

    for (const int both = min(blocks, (LOAD_TOTAL + items - 1) / items); block < both; block++) {
        LOAD_STEP(block)
        BLOCK
    }
#endif
    for (; block < blocks; block++) {
#if FORM == 1
        LOAD_STEP(block)
#endif
        BLOCK
    }
    LOAD_END()

    EACH_ROW best[(r0 + i) * LX + lx] = sum[i]; // read by none since the last barrier
    barrier(CLK_LOCAL_MEM_FENCE);
    EACH_ROW
    {
        float total = 0.0f;

        for (int c = 0; c < LX; c++)
            total += best[(r0 + i) * LX + c];
        for (int j = 0; j < TV && m0 + r0 + i < M && lx + LX * j < DV4; j++)
            PUT_Y(m0 + r0 + i, lx + LX * j, acc[i][j] * (1.0f / total));
    }
}
