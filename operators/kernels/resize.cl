// Bilinear resizing of a feature map of h x w pixels to oh x ow.
//   x, y  : [pixels, ct texels]     grid, item: run.cl
//   COORD : where pixel o of y lies in x: 0 half_pixel (o + 1/2) in / out - 1/2,
//           1 align_corners o (in - 1) / (out - 1), 2 asymmetric o in / out
// A coordinate is a fraction of ints, so that its whole part is exact; beyond the outermost pixels
// their values continue.

// Numerator and denominator of the coordinate, numerator at least 0.
static inline int2 coordinate(int o, int in, int out)
{
#if COORD == 0
    return (int2)(max((2 * o + 1) * in - out, 0), 2 * out);
#elif COORD == 1
    return (int2)(o * (in - 1), max(out - 1, 1));
#else
    return (int2)(o * in, out);
#endif
}

#define LERP(a, b, f) fma((float4)(f), (b) - (a), (a))
#define ROW(r)                                                                                     \
    {                                                                                              \
        const int o = (r), oy = o / ow, ox = o - oy * ow;                                          \
        const int2 fy = coordinate(oy, h, oh), fx = coordinate(ox, w, ow);                         \
        const int y0 = fy.x / fy.y, x0 = fx.x / fx.y;                                              \
        const int y1 = min(y0 + 1, h - 1) * w, x1 = min(x0 + 1, w - 1);                            \
        const float v = (float)(fy.x - y0 * fy.y) * (1.0f / (float)fy.y);                          \
        const float u = (float)(fx.x - x0 * fx.y) * (1.0f / (float)fx.y);                          \
                                                                                                   \
        for (int c = c0; c < c1; c++) {                                                            \
            const float4 a = GET(x, FOLD_X, ct, y0 * w + x0, c);                                   \
            const float4 b = GET(x, FOLD_X, ct, y0 * w + x1, c);                                   \
            const float4 d = GET(x, FOLD_X, ct, y1 + x0, c), e = GET(x, FOLD_X, ct, y1 + x1, c);   \
                                                                                                   \
            PUT(y, FOLD_Y, ct, o, c, LERP(LERP(a, b, u), LERP(d, e, u), v));                       \
        }                                                                                          \
    }

__kernel void resize(IN(x), OUT(y), RUN_PARAMS, const int h, const int w, const int oh,
                     const int ow LOAD_PARAMS)
{
    EACH_ROW
}
