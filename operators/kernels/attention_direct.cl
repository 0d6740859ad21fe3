// Attention, key by key: the plain kernel, for any size of heads.
//   grid : (heads * ceil(DV4 / CHUNK), batch * M) or more, any local size
//   item : CHUNK texels of one row of one head; an iteration is a key
#define CHUNK 4

__kernel void attention_direct(ATTENTION_PARAMS)
{
    const int chunks = (DV4 + CHUNK - 1) / CHUNK;
    const int hc = (int)get_global_id(0), row = (int)get_global_id(1);
    const int h = hc / chunks, t0 = (hc - h * chunks) * CHUNK;
    const int b = row / M, i = row - b * M;
    const int keys = h < heads && b < batch ? VISIBLE(i) : 0;
    const float scale = SCALE;
    float4 acc[CHUNK];
    float top = -INFINITY, sum = 0.0f;
    int j = 0;

    for (int t = 0; t < CHUNK; t++)
        acc[t] = (float4)(0.0f);
    LOAD_BEGIN(get_global_id(1) * get_global_size(0) + get_global_id(0),
               get_global_size(0) * get_global_size(1), keys)
#define KEY                                                                                        \
    {                                                                                              \
        float4 dot4 = (float4)(0.0f);                                                              \
                                                                                                   \
        for (int t = 0; t < D4; t++)                                                               \
            dot4 = fma(GET_Q(i, t), GET_K(j, t), dot4);                                            \
        const float score = ((dot4.x + dot4.y) + (dot4.z + dot4.w)) * scale;                       \
        const float higher = fmax(top, score);                                                     \
        const float f = RESCALE(top, higher), p = exp(score - BASE(higher));                       \
                                                                                                   \
        top = higher;                                                                              \
        sum = fma(sum, f, p);                                                                      \
        for (int t = 0; t < CHUNK; t++)                                                            \
            acc[t] = fma((float4)(p), t0 + t < DV4 ? GET_V(j, t0 + t) : (float4)(0.0f),            \
                         acc[t] * f);                                                              \
    }
#if FORM == 2
    for (const int both = min(LOAD_ITERS, keys); j < both; j++) {
        LOAD_STEP(j)
        KEY
    }
#endif
    for (; j < keys; j++) {
#if FORM == 1
        LOAD_STEP(j)
#endif
        KEY
    }
    LOAD_END()
    for (int t = 0; t < CHUNK && t0 + t < DV4 && keys > 0; t++)
        PUT_Y(i, t0 + t, acc[t] * (1.0f / sum));
}
