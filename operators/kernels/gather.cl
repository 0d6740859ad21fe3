// y[r] = weight[ids[r]]: an embedding.
//   ids    : [t] int, a buffer; outside 0..vocab-1 they are clamped, so that nothing strays
//   weight : [vocab, ct texels]   y : [t, ct texels]
//   grid   : (ct, ceil(t / VT)) or more, any local size
//   item   : texel column gid 0, rows gid 1, gid 1 + items, ... (VT of them)
#ifndef VT
#define VT 4 // texels of an item
#endif

#define COPY(r)                                                                                    \
    PUT(y, FOLD_Y, ct, r, c, GET(weight, FOLD_WEIGHT, ct, clamp(ids[r], 0, vocab - 1), c))

__kernel void gather(__global const int *restrict ids, IN(weight), OUT(y), const int t,
                     const int vocab, const int ct LOAD_PARAMS)
{
    const int c = (int)get_global_id(0), first = (int)get_global_id(1);
    const int step = (t + VT - 1) / VT;
    const int mine = c < ct && first < step ? (t - first + step - 1) / step : 0;
    int i = 0;

    LOAD_BEGIN(get_global_id(1) * get_global_size(0) + get_global_id(0),
               get_global_size(0) * get_global_size(1), VT)
#if FORM == 2
    for (const int both = min(LOAD_ITERS, mine); i < both; i++) {
        LOAD_STEP(i)
        COPY(first + i * step);
    }
#endif
    for (; i < mine; i++) {
#if FORM == 1
        LOAD_STEP(i)
#endif
        COPY(first + i * step);
    }
    LOAD_END()
}
