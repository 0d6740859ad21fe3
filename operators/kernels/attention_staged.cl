// Attention on a CPU: one item per group takes BM queries of a head, stages BN keys and values at a
// time in local memory, packed for a register-blocked micro-kernel, and goes through the queries in
// strips of MR: scores of the strip, exp(), products with the values.
//   grid : (ceil(M / BM), heads * batch) groups of one item; an iteration is a strip and BN keys
//   local: 4 * (BM * (DP + DVP + 2) + BN * (DP + DVP) + MR * BN) bytes
//
// BN and the vectors of 16 (WIDE) decide in which order exponentials are added, so they are no
// tunables; nothing else changes a bit.
#ifndef BM
#define BM 128 // queries of a group; a multiple of MR
#endif
#ifndef MR
#define MR 8 // rows of the micro-kernel
#endif
#ifndef BN
#define BN 128 // keys staged at a time; a multiple of NR
#endif
#define NR 32 // columns of the micro-kernel; half of them where there are no more
#define UP16(n) (((n) + 15) / 16 * 16)
#define DP (4 * D4)
#define DVP ((4 * DV4 + NR - 1) / NR * NR)

static inline float highest(float16 v)
{
    const float8 a = fmax(v.lo, v.hi);
    const float4 b = fmax(a.lo, a.hi);

    return fmax(fmax(b.x, b.y), fmax(b.z, b.w));
}

static inline float added(float16 v)
{
    const float8 a = v.lo + v.hi;
    const float4 b = a.lo + a.hi;

    return (b.x + b.y) + (b.z + b.w);
}

// c[MR rows, 16 * NV] = first + a[MR, n] * b[n, 16 * NV], rows ldc, lda and NR apart; `first` is a
// vector, of row i and column 16 * j. A macro for the reason given in gemm_staged.cl.
#define MICRO(NV, first, a, lda, b, n, c, ldc)                                                     \
    {                                                                                              \
        float16 acc[MR][NV], bv[NV];                                                               \
                                                                                                   \
        EACH_I EACH_J(NV) acc[i][j] = first;                                                       \
        for (int kk = 0; kk < (n); kk++) {                                                         \
            EACH_J(NV) bv[j] = vload16(0, (b) + kk * NR + 16 * j);                                 \
            EACH_I EACH_J(NV) acc[i][j] = fma((float16)((a)[i * (lda) + kk]), bv[j], acc[i][j]);   \
        }                                                                                          \
        EACH_I EACH_J(NV) vstore16(acc[i][j], 0, (c) + i * (ldc) + 16 * j);                        \
    }
#define SCORES(NV, r0, c)                                                                          \
    MICRO(NV, (float16)(0.0f), ql + (r0)*DP, DP, kl + (c)*DP, 4 * D4, sl + (c), BN)
#define VALUES(NV, r0, c, n)                                                                       \
    MICRO(NV, vload16(0, ol + ((r0) + i) * DVP + (c) + 16 * j) * f[i], sl, BN, vl + (c)*BN, n,     \
          ol + (r0)*DVP + (c), DVP)
#define EACH_I _Pragma("unroll") for (int i = 0; i < MR; i++)
#define EACH_J(NV) _Pragma("unroll") for (int j = 0; j < NV; j++)

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
attention_staged(ATTENTION_PARAMS)
{
    __local float ql[BM * DP] __attribute__((aligned(64))); // [query][d], scaled
    __local float ol[BM * DVP] __attribute__((aligned(64))); // [query][dv]
    __local float kl[BN * DP] __attribute__((aligned(64))); // panels of NR keys: [d][key]
    __local float vl[BN * DVP] __attribute__((aligned(64))); // panels of NR columns: [key][dv]
    __local float sl[MR * BN] __attribute__((aligned(64))); // scores of a strip
    __local float top[BM], sum[BM];

    const int b = get_group_id(1) / heads, h = get_group_id(1) % heads;
    const int m0 = get_group_id(0) * BM, rows = min(BM, M - m0), strips = (rows + MR - 1) / MR;
    const int keys = VISIBLE(m0 + rows - 1), passes = (keys + BN - 1) / BN;
    const float scale = SCALE;
    int it = 0;

    LOAD_BEGIN(get_group_id(1) * get_num_groups(0) + get_group_id(0),
               get_num_groups(0) * get_num_groups(1), strips * passes)

    for (int r = 0; r < strips * MR; r++) {
        for (int t = 0; t < D4; t++)
            vstore4(r < rows ? GET_Q(m0 + r, t) * scale : (float4)(0.0f), t, ql + r * DP);
        for (int t = 0; t < DVP / 16; t++)
            vstore16((float16)(0.0f), t, ol + r * DVP);
        top[r] = -INFINITY;
        sum[r] = 0.0f;
    }

    for (int j0 = 0; j0 < keys; j0 += BN) {
        const int block = min(BN, keys - j0);

        for (int j = 0; j < UP16(block); j += 4) {
            __local float *p = kl + j / NR * (NR * DP) + j % NR;

            for (int t = 0; t < D4; t++, p += 4 * NR) {
                const float4 zero = (float4)(0.0f);
                const float4 k0 = j < block ? GET_K(j0 + j, t) : zero;
                const float4 k1 = j + 1 < block ? GET_K(j0 + j + 1, t) : zero;
                const float4 k2 = j + 2 < block ? GET_K(j0 + j + 2, t) : zero;
                const float4 k3 = j + 3 < block ? GET_K(j0 + j + 3, t) : zero;

                vstore4((float4)(k0.x, k1.x, k2.x, k3.x), 0, p);
                vstore4((float4)(k0.y, k1.y, k2.y, k3.y), 0, p + NR);
                vstore4((float4)(k0.z, k1.z, k2.z, k3.z), 0, p + 2 * NR);
                vstore4((float4)(k0.w, k1.w, k2.w, k3.w), 0, p + 3 * NR);
            }
        }
        for (int j = 0; j < block; j++)
            for (int t = 0; t < DVP / 4; t++)
                vstore4(t < DV4 ? GET_V(j0 + j, t) : (float4)(0.0f), 0,
                        vl + t / (NR / 4) * (NR * BN) + j * NR + t % (NR / 4) * 4);

#define STRIP(s)                                                                                   \
    if (!CAUSAL || m0 + (s)*MR + MR > j0) {                                                        \
        const int r0 = (s)*MR;                                                                     \
        const int kn = min(block, VISIBLE(m0 + r0 + MR - 1) - j0), width = UP16(kn);               \
        float f[MR];                                                                               \
                                                                                                   \
        for (int c = 0; c < width; c += NR) {                                                      \
            if (width - c > 16)                                                                    \
                SCORES(2, r0, c)                                                                   \
            else                                                                                   \
                SCORES(1, r0, c)                                                                   \
        }                                                                                          \
        for (int r = 0; r < MR; r++) {                                                             \
            const int seen = min(kn, VISIBLE(m0 + r0 + r) - j0);                                   \
            __local float *row = sl + r * BN;                                                      \
            float16 best = (float16)(-INFINITY), total = (float16)(0.0f);                          \
                                                                                                   \
            for (int c = 0; c < width; c += 16) {                                                  \
                const float16 score = select((float16)(-INFINITY), vload16(0, row + c),            \
                                             WIDE_LANE < (int16)(seen - c));                       \
                                                                                                   \
                vstore16(score, 0, row + c);                                                       \
                best = fmax(best, score);                                                          \
            }                                                                                      \
            const float old = top[r0 + r], higher = fmax(old, highest(best));                      \
            const float base = BASE(higher);                                                       \
                                                                                                   \
            for (int c = 0; c < width; c += 16) {                                                  \
                const float16 p = exp_neg(vload16(0, row + c) - base);                             \
                                                                                                   \
                vstore16(p, 0, row + c);                                                           \
                total += p;                                                                        \
            }                                                                                      \
            f[r] = RESCALE(old, higher);                                                           \
            top[r0 + r] = higher;                                                                  \
            sum[r0 + r] = fma(sum[r0 + r], f[r], added(total));                                    \
        }                                                                                          \
        for (int c = 0; c < 4 * DV4; c += NR) {                                                    \
            if (4 * DV4 - c > 16)                                                                  \
                VALUES(2, r0, c, kn)                                                               \
            else                                                                                   \
                VALUES(1, r0, c, kn)                                                               \
        }                                                                                          \
    }
        int s = 0;
#if FORM == 2
        for (const int end = min(strips, LOAD_ITERS - it); s < end; s++) {
            LOAD_STEP(it + s);
            STRIP(s)
        }
        for (; s < strips; s++)
            STRIP(s)
#else
        for (; s < strips; s++) {
            LOAD_STEP(it + s);
            STRIP(s)
        }
#endif
        it += strips;
    }
    LOAD_END();

    for (int r = 0; r < rows; r++) {
        const float scale_y = 1.0f / sum[r];

        for (int t = 0; t < DV4; t++)
            PUT_Y(m0 + r, t, vload4(t, ol + r * DVP) * scale_y);
    }
}
