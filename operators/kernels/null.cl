// Nothing but extra load: all of an item's share, in one loop.
//   y : one texel, set to zero by item 0     grid: (any number of items, 1), any local size
#if NLOADS // an item has many texels
#undef LOAD_UNROLL
#define LOAD_UNROLL
#endif

__kernel void null(OUT(y) LOAD_PARAMS)
{
    LOAD_BEGIN(get_global_id(0), get_global_size(0), 1)
    if (get_global_id(0) == 0)
        PUT(y, FOLD_Y, 1, 0, 0, (float4)(0.0f));
#if FORM == 1
    LOAD_STEP(0)
#endif
    LOAD_END()
}
