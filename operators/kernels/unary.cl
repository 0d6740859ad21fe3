// y = f(x), element by element; -DRELU, -DGELU_ERF or -DGELU_TANH says which f.
//   x, y : [rows, ct texels]     grid: (ct, ceil(rows / VT)) or more, any local size
//   item : texel column gid 0, rows gid 1, gid 1 + items, ... (VT of them)
#ifndef VT
#define VT 4 // texels of an item
#endif

#if defined(RELU)
#define F(x) relu4(x)
#elif defined(GELU_TANH)
#define F(x) gelu_tanh4(x)
#else
#define F(x) gelu4(x)
#endif

__kernel void unary(IN(x), OUT(y), const int rows, const int ct LOAD_PARAMS)
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
        PUT(y, FOLD_Y, ct, first + i * step, c, F(GET(x, FOLD_X, ct, first + i * step, c)));
    }
#endif
    for (; i < mine; i++) {
#if FORM == 1
        LOAD_STEP(i)
#endif
        PUT(y, FOLD_Y, ct, first + i * step, c, F(GET(x, FOLD_X, ct, first + i * step, c)));
    }
    LOAD_END()
}
