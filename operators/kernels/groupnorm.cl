// Group normalisation of a feature map: columns in groups of `size`, each normalised over all rows;
// y = ACT((x - mean) / sqrt(variance + eps) * gamma + beta).
//   x, y        : [rows, cols], ct texels a row
//   gamma, beta : [1, cols] in bundles
//   A work group takes a bundle: the fewest groups of columns that are whole texels, BUNDLE of them
//   (those of the last bundle behind cols are padding). The work groups of a bundle all find its
//   statistics, for reading is cheap where many read the same; each writes rows of its own.
//   grid : (WX * bundles, WY * work groups of a bundle), local (WX, WY), see columns.cl
//   BUNDLE : texels of a bundle     EPS : a float
//
// One pass finds mean and variance, from differences to the mean of PILOTS rows spread over all:
// close enough to the mean that their squares lose no digits.
#define PILOTS 64

__kernel __attribute__((reqd_work_group_size(WX, WY, 1))) void
groupnorm(IN(x), VEC(gamma), VEC(beta), OUT(y), const int rows, const int cols, const int ct,
          const int size LOAD_PARAMS)
{
    __local float4 part[WX * WY], sums[BUNDLE], squares[BUNDLE];
    __local float means[4 * BUNDLE], scales[4 * BUNDLE]; // of each group in the bundle
    const int lx = (int)get_local_id(0), ly = (int)get_local_id(1), l = ly * WX + lx;
    const int from = (int)get_group_id(0) * BUNDLE, groups = 4 * BUNDLE / size;
    const int turns = (BUNDLE + WX - 1) / WX;
    const int pilots = min(rows, PILOTS), stride = rows / pilots;
    // Nothing but products of a division: see layernorm.cl.
    const float inverse = 1.0f / ((float)rows * (float)size);
    const float inverse_pilots = 1.0f / ((float)pilots * (float)size);
    const __local float *sum = (const __local float *)sums;
    const __local float *square = (const __local float *)squares;
    float4 slot[SLOTS], other[SLOTS], v;

// DO for each texel u of `n` rows, `step` apart, of column c: the bundle's b-th.
#define EACH_TEXEL(n, step, DO)                                                                    \
    if (b < BUNDLE && c < ct)                                                                      \
        EACH_ROW(i, ROWS_OF(n))                                                                    \
        {                                                                                          \
            const float4 u = GET(x, FOLD_X, ct, ROW(i) * (step), c);                               \
            DO                                                                                     \
        }
#define EACH_GROUP                                                                                 \
    barrier(CLK_LOCAL_MEM_FENCE);                                                                  \
    for (int g = l; g < groups; g += WX * WY)
#define OF_LANES(of, b)                                                                            \
    (float4)(of[4 * (b) / size], of[(4 * (b) + 1) / size], of[(4 * (b) + 2) / size],               \
             of[(4 * (b) + 3) / size])

    for (int t = 0; t < turns; t++) {
        const int b = t * WX + lx, c = from + b;

        fill_slots(slot, 0.0f);
        EACH_TEXEL(pilots, stride, slot[SLOT(i)] += u;)
        JOIN_ROWS(PLUS, v)
        if (ly == 0 && b < BUNDLE)
            sums[b] = v;
    }
    EACH_GROUP
    {
        float s = 0.0f;

        for (int k = 0; k < size; k++)
            s += sum[g * size + k];
        means[g] = s * inverse_pilots;
    }
    barrier(CLK_LOCAL_MEM_FENCE);

    for (int t = 0; t < turns; t++) {
        const int b = t * WX + lx, c = from + b;
        const float4 mean = b < BUNDLE ? OF_LANES(means, b) : (float4)(0.0f);

        fill_slots(slot, 0.0f);
        fill_slots(other, 0.0f);
        EACH_TEXEL(rows, 1, const float4 d = u - mean; slot[SLOT(i)] += d;
                   other[SLOT(i)] = fma(d, d, other[SLOT(i)]);)
        JOIN_ROWS(PLUS, v)
        if (ly == 0 && b < BUNDLE)
            sums[b] = v;
#pragma unroll
        for (int k = 0; k < SLOTS; k++)
            slot[k] = other[k];
        JOIN_ROWS(PLUS, v)
        if (ly == 0 && b < BUNDLE)
            squares[b] = v;
    }
    EACH_GROUP
    {
        float s = 0.0f, q = 0.0f;

        for (int k = 0; k < size; k++) {
            s += sum[g * size + k];
            q += square[g * size + k];
        }
        const float m = s * inverse, w = fma(-m, s, q);

        means[g] += m;
        scales[g] = rsqrt(fma(w < 0.0f ? 0.0f : w, inverse, EPS));
    }
    barrier(CLK_LOCAL_MEM_FENCE);

    const int share = ((rows + (int)get_num_groups(1) - 1) / (int)get_num_groups(1) + 7) & -8;
    const int first = (int)get_group_id(1) * share, own = clamp(rows - first, 0, share);
    const int mine = ROWS_OF(own);

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
        const int r = first + ROW(i);                                                              \
        const float4 u = fma(GET(x, FOLD_X, ct, r, c) - mean, scale, shift);                       \
                                                                                                   \
        PUT(y, FOLD_Y, ct, r, c, ACTIVATE(keep_lanes(u, cols - 4 * c), cols - 4 * c));             \
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
