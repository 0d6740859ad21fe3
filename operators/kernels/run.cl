// What the kernels of layout/ share: an item moves runs of texels along rows of y.
//   y    : [rows, cols], ct texels a row
//   grid : (ceil(ct / RUN), ceil(rows / VT)) or more, any local size
//   item : RUN texels from RUN * gid 0, in rows gid 1, gid 1 + items, ... (VT of them)
//   FOLD_Y, RUN 1 and VT 1: the grid is the folded image of y, see pointwise.cl (H100, heads
//          together: 56 us for 162)
//
// A kernel defines ROW(r), which writes texels c0 <= c < c1 of row r, and calls EACH_ROW. An
// iteration is such a run. CPUs want long runs: what a row costs is then paid once, and PoCL
// vectorises them; GPUs want RUN 1, so that neighbouring items move neighbouring texels.
#ifndef RUN
#define RUN 1
#endif
#ifndef VT
#define VT 4
#endif

#define RUN_PARAMS const int rows, const int cols, const int ct

#if FORM == 2
#define LOADED_ROWS                                                                                \
    for (const int both = min(LOAD_ITERS, mine); i < both; i++) {                                  \
        LOAD_STEP(i)                                                                               \
        ROW(first + i * step)                                                                      \
    }
#define ROW_BRANCH
#else
#define LOADED_ROWS
#define ROW_BRANCH LOAD_STEP(i)
#endif

#if FOLD_Y && RUN == 1 && VT == 1
#define RUN_ITEM                                                                                   \
    const uint texel = (uint)get_global_id(1) << FOLD_SHIFT | (uint)get_global_id(0);              \
    const int first = (int)(texel / (uint)ct), c0 = (int)(texel % (uint)ct), c1 = c0 + 1;          \
    const int step = 1, mine = get_global_id(0) <= FOLD_MASK && first < rows;
#else
#define RUN_ITEM                                                                                   \
    const int c0 = (int)get_global_id(0) * RUN, c1 = min(c0 + RUN, ct);                            \
    const int first = (int)get_global_id(1), step = (rows + VT - 1) / VT;                          \
    const int mine = c0 < ct && first < step ? (rows - first + step - 1) / step : 0;
#endif

#define EACH_ROW                                                                                   \
    RUN_ITEM                                                                                       \
    int i = 0;                                                                                     \
                                                                                                   \
    LOAD_BEGIN(get_global_id(1) * get_global_size(0) + get_global_id(0),                           \
               get_global_size(0) * get_global_size(1), VT)                                        \
    LOADED_ROWS                                                                                    \
    for (; i < mine; i++) {                                                                        \
        ROW_BRANCH                                                                                 \
        ROW(first + i * step)                                                                      \
    }                                                                                              \
    LOAD_END()

// Elements j .. j + 3 of row r of t; those outside its ct texels are zero.
static inline float4 shifted(IN(t), int fold, int ct, int r, int j)
{
    const int q = j >> 2, s = j & 3; // j may be negative: rounds down
    const float4 a = q >= 0 && q < ct ? GET(t, fold, ct, r, q) : (float4)(0.0f);

    if (s == 0)
        return a;

    const float4 b = q >= -1 && q < ct - 1 ? GET(t, fold, ct, r, q + 1) : (float4)(0.0f);

    return s == 1 ? (float4)(a.yzw, b.x) : s == 2 ? (float4)(a.zw, b.xy) : (float4)(a.w, b.xyz);
}

// Element j of row r of t.
static inline float element(IN(t), int fold, int ct, int r, int j)
{
#if IMAGE
    const float4 v = GET(t, fold, ct, r, j >> 2);

    return j & 2 ? (j & 1 ? v.w : v.z) : (j & 1 ? v.y : v.x);
#elif HALF
    return vload_half((size_t)r * (4 * ct) + j, t);
#else
    return t[(size_t)r * (4 * ct) + j];
#endif
}
