// Row softmax; columns c > r % period are masked (exp = 0) if period > 0.
//   x, y  : [rows, cols], ct texels a row     grid: (WG, rows), local (WG, WR)
//   local : WR * (STRANDS floats + ROW texels)
//   ROW   : texels of a row kept in local memory between the passes; 0: x is read three times
#ifndef WR
#define WR 1 // rows of a group
#endif
#ifndef ROW
#define ROW 0
#endif

#if ROW
#define FIRST(c) (kept[c] = GET(x, FOLD_X, ct, r, c))
#define SECOND(c) (kept[c] = EXP(kept[c], c))
#define THIRD(c) kept[c]
#else
#define FIRST(c) GET(x, FOLD_X, ct, r, c)
#define SECOND(c) EXP(GET(x, FOLD_X, ct, r, c), c)
#define THIRD(c) SECOND(c)
#endif
#define EXP(v, c) keep_lanes(exp((v) - top), end - 4 * (c))

// The maximum of `mine` over the items of a row.
static inline float max_items(__local float *part, float mine, int l)
{
    part[l] = mine;
    for (int h = WG / 2; h > 0; h /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (l < h)
            part[l] = fmax(part[l], part[l + h]);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    mine = part[0];
    barrier(CLK_LOCAL_MEM_FENCE);
    return mine;
}

__kernel __attribute__((reqd_work_group_size(WG, WR, 1))) void
softmax(IN(x), OUT(y), const int rows, const int cols, const int ct, const int period LOAD_PARAMS)
{
    __local float parts[WR * STRANDS];
#if ROW
    __local float4 rows_kept[WR * ROW];
    __local float4 *kept = rows_kept + get_local_id(1) * ROW;
#endif
    __local float *part = parts + get_local_id(1) * STRANDS;
    const int l = (int)get_local_id(0), r = (int)get_global_id(1);
    // A row behind the last has no columns; its items still meet the others at barriers.
    const int end = r >= rows ? 0 : period > 0 ? min(cols, r % period + 1) : cols;
    const int used = (end + 3) / 4;
    const int mine = l < used ? (used - l + WG - 1) / WG : 0;
    float slot[SLOTS], top = -INFINITY;
    int i = 0;

    for (int c = l; c < used; c += WG) {
        const int4 counts = (int4)(0, 1, 2, 3) < (int4)(end - 4 * c);
        const float4 v = select((float4)(-INFINITY), FIRST(c), counts);

        top = fmax(top, fmax(fmax(v.x, v.y), fmax(v.z, v.w)));
    }
    top = max_items(part, top, l);

    for (int k = 0; k < SLOTS; k++)
        slot[k] = 0.0f;
    LOAD_BEGIN(get_global_id(1) * get_global_size(0) + get_global_id(0),
               get_global_size(0) * get_global_size(1), mine)
#if FORM == 2
    for (const int both = min(LOAD_ITERS, mine); i < both; i++) {
        LOAD_STEP(i)
        slot[i % SLOTS] += sum_lanes(SECOND(l + i * WG));
    }
#endif
    for (; i < mine; i++) {
#if FORM == 1
        LOAD_STEP(i)
#endif
        slot[i % SLOTS] += sum_lanes(SECOND(l + i * WG));
    }
    LOAD_END()

    const float scale = 1.0f / sum_strands(part, slot, l, ct);
    for (int c = l; c < ct && r < rows; c += WG)
        PUT(y, FOLD_Y, ct, r, c, c < used ? THIRD(c) * scale : (float4)(0.0f));
}
