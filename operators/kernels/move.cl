// Each row of y is a row of x, or zeros; which one says -DMAP_...:
//   MAP_GATHER   ids[r], a buffer of int; clamped, so that nothing strays
//   MAP_SLICE    row0 + r * row_step
//   MAP_PAD      maps of w pixels a row into maps of ow, from pixel (top, left) on
//   MAP_SPLIT    pixel of a map of h x w to window-major order: windows of wh x ww, nw side by
//                side; pixels outside the map are zeros
//   MAP_JOIN     the way back
//   MAP_NEAREST  pixel of a map of h x w scaled to oh x ow; COORD 0 half_pixel, 1 align_corners,
//                2 asymmetric
//   x: ctx texels a row   grid, item: run.cl
// and its columns are x's,
//   COLUMNS 0    whole texels from texel `shift` on
//   COLUMNS 1    elements from `shift` on, which may be negative; outside x they are zero
//   COLUMNS 2    elements shift, shift + col_step, ...
//   MASK 1       up to `cols` of them: x has more
#ifndef COLUMNS
#define COLUMNS 0
#endif
#ifndef MASK
#define MASK 0
#endif
#define HOLES 0 // rows of zeros
#define FIRST_PARAM

#if defined MAP_GATHER
#undef FIRST_PARAM
#define FIRST_PARAM __global const int *restrict ids,
#define FOLD_X FOLD_WEIGHT
#define MAP_PARAMS , const int vocab
#define SOURCE(r) const int s = clamp(ids[r], 0, vocab - 1);
#elif defined MAP_SLICE
#define MAP_PARAMS , const int row0, const int row_step, const int col_step
#define SOURCE(r) const int s = row0 + (r)*row_step;
#elif defined MAP_PAD
#undef HOLES
#define HOLES 1
#define MAP_PARAMS , const int h, const int w, const int ow, const int top, const int left
#define SOURCE(r)                                                                                  \
    const int oy = (r) / ow, iy = oy - top, ix = (r)-oy * ow - left;                               \
    const int s = iy >= 0 && iy < h && ix >= 0 && ix < w ? iy * w + ix : -1;
#elif defined MAP_SPLIT
#undef HOLES
#define HOLES 1
#define MAP_PARAMS , const int h, const int w, const int wh, const int ww, const int nw
#define SOURCE(r)                                                                                  \
    const int win = (r) / (wh * ww), at = (r)-win * (wh * ww), wy = at / ww;                       \
    const int iy = win / nw * wh + wy, ix = win % nw * ww + (at - wy * ww);                        \
    const int s = iy < h && ix < w ? iy * w + ix : -1;
#elif defined MAP_JOIN
#define MAP_PARAMS , const int h, const int w, const int wh, const int ww, const int nw
#define SOURCE(r)                                                                                  \
    const int oy = (r) / w, ox = (r)-oy * w, by = oy / wh, bx = ox / ww;                           \
    const int s = ((by * nw + bx) * wh + (oy - by * wh)) * ww + (ox - bx * ww);
#else
#define MAP_PARAMS , const int h, const int w, const int oh, const int ow
#define SOURCE(r)                                                                                  \
    const int oy = (r) / ow, ox = (r)-oy * ow;                                                     \
    const int s = nearest(oy, h, oh) * w + nearest(ox, w, ow);
#if COORD == 0 // of the coordinate (o + 1/2) in / out - 1/2, the nearest integer, the lower of two
static inline int nearest(int o, int in, int out)
{
    return ((2 * o + 1) * in - 1) / (2 * out);
}
#elif COORD == 1 // of o (in - 1) / (out - 1)
static inline int nearest(int o, int in, int out)
{
    return out == 1 ? 0 : (2 * o * (in - 1) + (out - 1) - 1) / (2 * (out - 1));
}
#else // o in / out rounded down
static inline int nearest(int o, int in, int out)
{
    return o * in / out;
}
#endif
#endif

#if COLUMNS == 0
#define SHIFTED(c) GET(x, FOLD_X, ctx, s, (c) + shift)
#elif COLUMNS == 1
#define SHIFTED(c) shifted(x, FOLD_X, ctx, s, 4 * (c) + shift)
#else
#define STRIDED(c, l)                                                                              \
    (4 * (c) + (l) < cols ? element(x, FOLD_X, ctx, s, shift + (4 * (c) + (l)) * col_step) : 0.0f)
#define SHIFTED(c) (float4)(STRIDED(c, 0), STRIDED(c, 1), STRIDED(c, 2), STRIDED(c, 3))
#endif
#if MASK
#define TEXEL(c) keep_lanes(SHIFTED(c), cols - 4 * (c))
#else
#define TEXEL(c) SHIFTED(c)
#endif

#define ROW(r)                                                                                     \
    {                                                                                              \
        const int o = (r);                                                                         \
        SOURCE(o)                                                                                  \
        if (HOLES && s < 0)                                                                        \
            for (int c = c0; c < c1; c++)                                                          \
                PUT(y, FOLD_Y, ct, o, c, (float4)(0.0f));                                          \
        else                                                                                       \
            for (int c = c0; c < c1; c++)                                                          \
                PUT(y, FOLD_Y, ct, o, c, TEXEL(c));                                                \
    }

__kernel void move(FIRST_PARAM IN(x), OUT(y), RUN_PARAMS, const int ctx,
                   const int shift MAP_PARAMS LOAD_PARAMS)
{
    EACH_ROW
}
