// Group normalisation of a feature map: columns in groups of `size`, each normalised over all rows;
// y = ACT((x - mean) / sqrt(variance + eps) * gamma + beta), two-pass variance.
//   x, y        : [rows, cols], ct texels a row
//   gamma, beta : [1, cols] in bundles
//   A work group takes a bundle: the fewest groups of columns that are whole texels, BUNDLE of them
//   (those of the last bundle behind cols are padding), and normalises them alone.
//   grid : (WX * bundles, WY), local (WX, WY), see columns.cl
//   BUNDLE : texels of a bundle     EPS : a float
__kernel __attribute__((reqd_work_group_size(WX, WY, 1))) void
groupnorm(IN(x), VEC(gamma), VEC(beta), OUT(y), const int rows, const int cols, const int ct,
          const int size LOAD_PARAMS)
{
    __local float4 part[WX * WY], sums[BUNDLE];
    __local float means[4 * BUNDLE], scales[4 * BUNDLE]; // of each group in the bundle
    const int lx = (int)get_local_id(0), ly = (int)get_local_id(1), l = ly * WX + lx;
    const int from = (int)get_group_id(0) * BUNDLE, groups = 4 * BUNDLE / size;
    const int mine = ROWS_OF(rows), turns = (BUNDLE + WX - 1) / WX;
    // Nothing but products of a division: see layernorm.cl.
    const float inverse = 1.0f / ((float)rows * (float)size);
    const __local float *sum = (const __local float *)sums;
    float4 slot[SLOTS], v;

// The statistics of pass DO: each column's sum, then each group's, by one item.
#define STATISTICS(DO, END)                                                                        \
    for (int t = 0; t < turns; t++) {                                                              \
        const int b = t * WX + lx, c = from + b;                                                   \
                                                                                                   \
        fill_slots(slot, 0.0f);                                                                    \
        if (b < BUNDLE && c < ct) {                                                                \
            MEAN_OF(b)                                                                             \
            EACH_ROW(i, mine)                                                                      \
            {                                                                                      \
                const float4 u = GET(x, FOLD_X, ct, ROW(i), c);                                    \
                DO                                                                                 \
            }                                                                                      \
        }                                                                                          \
        JOIN_ROWS(PLUS, v)                                                                         \
        if (ly == 0 && b < BUNDLE)                                                                 \
            sums[b] = v;                                                                           \
    }                                                                                              \
    barrier(CLK_LOCAL_MEM_FENCE);                                                                  \
    for (int g = l; g < groups; g += WX * WY) {                                                    \
        float s = 0.0f;                                                                            \
                                                                                                   \
        for (int k = 0; k < size; k++)                                                             \
            s += sum[g * size + k];                                                                \
        END                                                                                        \
    }                                                                                              \
    barrier(CLK_LOCAL_MEM_FENCE);
#define OF_LANES(of, b)                                                                            \
    (float4)(of[4 * (b) / size], of[(4 * (b) + 1) / size], of[(4 * (b) + 2) / size],               \
             of[(4 * (b) + 3) / size])

#define MEAN_OF(b)
    STATISTICS(slot[SLOT(i)] += u;, means[g] = s * inverse;)
#undef MEAN_OF
#define MEAN_OF(b) const float4 mean = OF_LANES(means, b);
    STATISTICS(const float4 d = u - mean; slot[SLOT(i)] = fma(d, d, slot[SLOT(i)]);
               , scales[g] = rsqrt(fma(s, inverse, EPS));)

    LOAD_BEGIN(get_global_id(1) * get_global_size(0) + get_global_id(0),
               get_global_size(0) * get_global_size(1), mine * turns)
    for (int t = 0; t < turns; t++) {
        const int b = t * WX + lx, c = from + b, n = b < BUNDLE && c < ct ? mine : 0;
        const float4 mean = n ? OF_LANES(means, b) : (float4)(0.0f);
        const float4 scale = n ? OF_LANES(scales, b) * GETV(gamma, c) : (float4)(0.0f);
        const float4 shift = n ? GETV(beta, c) : (float4)(0.0f);
        int i = 0;

#define WRITE(i)                                                                                   \
    {                                                                                              \
        const float4 u = fma(GET(x, FOLD_X, ct, ROW(i), c) - mean, scale, shift);                  \
        PUT(y, FOLD_Y, ct, ROW(i), c, ACTIVATE(keep_lanes(u, cols - 4 * c), cols - 4 * c));        \
    }
#if FORM == 2
        for (const int both = min(LOAD_ITERS - t * mine, n); i < both; i++) {
            LOAD_STEP(t * mine + i)
            WRITE(i)
        }
#endif
        for (; i < n; i++) {
#if FORM == 1
            LOAD_STEP(t * mine + i)
#endif
            WRITE(i)
        }
    }
    LOAD_END()
}
