// Row normalisation: y = (x - mean) / sqrt(variance + eps) * gamma + beta, two-pass variance.
//   x, y        : [rows, cols], ct texels a row     grid: (WG, rows), local (WG, WR)
//   gamma, beta : [1, cols] in bundles
//   local       : WR * (STRANDS floats + ROW texels)
//   ROW         : texels of a row kept in local memory between passes; 0: x is read three times
//   EPS         : a float
#ifndef WR
#define WR 1 // rows of a group
#endif
#ifndef ROW
#define ROW 0
#endif

#if ROW
#define FIRST(c) (kept[c] = GET(x, FOLD_X, ct, r, c))
#define SECOND(c) (kept[c] = CENTRED(kept[c], c))
#define THIRD(c) kept[c]
#else
#define FIRST(c) GET(x, FOLD_X, ct, r, c)
#define SECOND(c) CENTRED(GET(x, FOLD_X, ct, r, c), c)
#define THIRD(c) SECOND(c)
#endif
#define CENTRED(v, c) keep_lanes((v) - mean, cols - 4 * (c))

static inline float sum_squares(float4 v)
{
    return fma(v.x, v.x, v.y * v.y) + fma(v.z, v.z, v.w * v.w);
}

__kernel __attribute__((reqd_work_group_size(WG, WR, 1))) void
layernorm(IN(x), VEC(gamma), VEC(beta), OUT(y), const int rows, const int cols,
          const int ct LOAD_PARAMS)
{
    __local float parts[WR * STRANDS];
#if ROW
    __local float4 rows_kept[WR * ROW];
    __local float4 *kept = rows_kept + get_local_id(1) * ROW;
#endif
    __local float *part = parts + get_local_id(1) * STRANDS;
    const int l = (int)get_local_id(0), r = (int)get_global_id(1);
    // A row behind the last has no columns; its items still meet the others at barriers.
    const int mine = r < rows && l < ct ? (ct - l + WG - 1) / WG : 0;
    // One division, and nothing but products of it: NVIDIA's compiler fuses a division into a sum
    // that follows it (contraction off or not), in some forms of this kernel and not in others.
    const float inverse = 1.0f / (float)cols;
    float slot[SLOTS];
    int i;

    for (int k = 0; k < SLOTS; k++)
        slot[k] = 0.0f;
    for (i = 0; i < mine; i++)
        slot[i % SLOTS] += sum_lanes(FIRST(l + i * WG)); // padding is zero
    const float mean = sum_strands(part, slot, l, ct) * inverse;

    for (int k = 0; k < SLOTS; k++)
        slot[k] = 0.0f;
    for (i = 0; i < mine; i++)
        slot[i % SLOTS] += sum_squares(SECOND(l + i * WG));
    const float scale = rsqrt(fma(sum_strands(part, slot, l, ct), inverse, EPS));

    // gamma and beta are zero in the padding, but zero times infinity is not.
#define WRITE(c)                                                                                   \
    PUT(y, FOLD_Y, ct, r, c,                                                                       \
        keep_lanes(fma(THIRD(c) * scale, GETV(gamma, c), GETV(beta, c)), cols - 4 * (c)))
    LOAD_BEGIN(get_global_id(1) * get_global_size(0) + get_global_id(0),
               get_global_size(0) * get_global_size(1), mine)
    i = 0;
#if FORM == 2
    for (const int both = min(LOAD_ITERS, mine); i < both; i++) {
        LOAD_STEP(i)
        WRITE(l + i * WG);
    }
#endif
    for (; i < mine; i++) {
#if FORM == 1
        LOAD_STEP(i)
#endif
        WRITE(l + i * WG);
    }
    LOAD_END()
}
