// y = a OP b, element by element, b broadcast over rows, columns or both. -DADD or -DMUL.
//   a, y : [rows, ct texels]
//   b    : BROW 0 [rows, ...], 1 [1, ...];  BCOL 0 [..., ct texels], 1 [..., 1 element];
//          BVECTOR 1: in a bundle
//   grid : (ct, ceil(rows / VT)) or more, any local size
//   item : texel column gid 0, rows gid 1, gid 1 + items, ... (VT of them)
#ifndef VT
#define VT 4 // texels of an item
#endif

#ifdef MUL
#define OP(a, b) ((a) * (b))
#else
#define OP(a, b) ((a) + (b))
#endif

#if BVECTOR
#define ARG_B VEC(b)
#define GET_B(r, c) GETV(b, c)
#else
#define ARG_B IN(b)
#define GET_B(r, c) GET(b, FOLD_B, BCOL ? 1 : ct, r, c)
#endif

#if BCOL // one element for the row: the padding of a must not get it
#define APPLY(r)                                                                                   \
    keep_lanes(OP(GET(a, FOLD_A, ct, r, c), (float4)(GET_B(BROW ? 0 : (r), 0).x)), cols - 4 * c)
#else
#define APPLY(r) OP(GET(a, FOLD_A, ct, r, c), GET_B(BROW ? 0 : (r), c))
#endif

__kernel void binary(IN(a), ARG_B, OUT(y), const int rows, const int cols, const int ct LOAD_PARAMS)
{
    const int c = (int)get_global_id(0), first = (int)get_global_id(1);
    const int step = (rows + VT - 1) / VT;
    const int mine = c < ct && first < step ? (rows - first + step - 1) / step : 0;
    int i = 0;

    LOAD_BEGIN(get_global_id(1) * get_global_size(0) + get_global_id(0),
               get_global_size(0) * get_global_size(1), VT)
#if FORM == 2
    for (const int both = min(LOAD_ITERS, mine); i < both; i++) {
        LOAD_STEP(i)
        PUT(y, FOLD_Y, ct, first + i * step, c, APPLY(first + i * step));
    }
#endif
    for (; i < mine; i++) {
#if FORM == 1
        LOAD_STEP(i)
#endif
        PUT(y, FOLD_Y, ct, first + i * step, c, APPLY(first + i * step));
    }
    LOAD_END()
}
