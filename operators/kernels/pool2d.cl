// Pooling of a feature map; -DPOOL_MAX or the average over the taps inside the map.
//   x    : [h * w, ct texels]   y : [oh * ow, ct texels]
//   grid : (ct, oh * ow) or more, any local size
//   item : one texel of y; an iteration is one tap
// The padding around the map is no part of a window, but COUNT_PAD 1 divides averages by r * s
// (ONNX: count_include_pad). No window is all padding: the operator's check sees to it.
__kernel void pool2d(IN(x), OUT(y), const int h, const int w, const int ct, const int oh,
                     const int ow, const int r, const int s, const int stride,
                     const int pad LOAD_PARAMS)
{
    const int c = (int)get_global_id(0), o = (int)get_global_id(1);
    const int top = o / ow * stride - pad, left = o % ow * stride - pad;
    const int taps = c < ct && o < oh * ow ? r * s : 0;
#ifdef POOL_MAX
    float4 best = (float4)(-INFINITY);
#else
    float4 sum = (float4)(0.0f);
    int count = 0;
#endif
    int i = 0, ry = 0, sx = 0;

#ifdef POOL_MAX
#define TAKE(v) best = fmax(best, v)
#else
#define TAKE(v)                                                                                    \
    sum += v;                                                                                      \
    count++
#endif
#define TAP                                                                                        \
    if (top + ry >= 0 && top + ry < h && left + sx >= 0 && left + sx < w) {                        \
        const float4 v = GET(x, FOLD_X, ct, (top + ry) * w + left + sx, c);                        \
        TAKE(v);                                                                                   \
    }                                                                                              \
    if (++sx == s) {                                                                               \
        sx = 0;                                                                                    \
        ry++;                                                                                      \
    }

    LOAD_BEGIN(get_global_id(1) * get_global_size(0) + get_global_id(0),
               get_global_size(0) * get_global_size(1), taps)
#if FORM == 2
    for (const int both = min(LOAD_ITERS, taps); i < both; i++) {
        LOAD_STEP(i)
        TAP
    }
#endif
    for (; i < taps; i++) {
#if FORM == 1
        LOAD_STEP(i)
#endif
        TAP
    }
    LOAD_END()
    if (taps == 0)
        return;
#ifdef POOL_MAX
    PUT(y, FOLD_Y, ct, o, c, best);
#else
    PUT(y, FOLD_Y, ct, o, c, sum / (float)(COUNT_PAD ? taps : count));
#endif
}
