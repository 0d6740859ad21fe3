// Attention on a GPU: a group of 16 x 8 items takes BM = 8 * TM queries of a head and goes through
// the keys by BN; an item has TM rows, of scores every 16th column, of y every 16th texel.
//   grid : (16 * ceil(M / BM), 8 * heads * batch), local (16, 8); an iteration is BN keys
//   local: 16 * (BM * D4 + BN * (max(D4, DV4) + 1)) + 4 * (BM * BN + BM * 16) bytes
//   BN   : keys staged at a time, a multiple of 16. It decides in which order exponentials are
//          added, so it follows from the shape and is no tunable; nothing else changes a bit.
#ifndef TM
#define TM 8 // rows of an item
#endif
#ifndef BN
#define BN 32
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

    for (int at = l; at < BM * D4; at += LX * LY) {
        const int i = m0 + at / D4;

        ql[at] = i < M ? GET_Q(i, at % D4) * scale : (float4)(0.0f);
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
#define STAGE(get, columns)                                                                        \
    for (int at = l; at < BN * (columns); at += LX * LY) {                                         \
        const int j = at / (columns), t = at % (columns);                                          \
                                                                                                   \
        kvl[j * KV_STEP + t] = j0 + j < N ? get(j0 + j, t) : (float4)(0.0f);                       \
    }
#define BLOCK                                                                                      \
    {                                                                                              \
        const int j0 = block * BN;                                                                 \
        float score[TM][TN];                                                                       \
                                                                                                   \
        barrier(CLK_LOCAL_MEM_FENCE);                                                              \
        STAGE(GET_K, D4)                                                                           \
        EACH_ROW _Pragma("unroll") for (int j = 0; j < TN; j++) score[i][j] = 0.0f;                \
        barrier(CLK_LOCAL_MEM_FENCE);                                                              \
        for (int t = 0; t < D4; t++) {                                                             \
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
        STAGE(GET_V, DV4)                                                                          \
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
        for (int k4 = 0; k4 < BN; k4 += 4) {                                                       \
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
