// What the attention kernels share: y = softmax(q k^T [/ sqrt(D)]) v for each head, scores never
// written, the maximum and sum of a row kept up with as keys come in (Milakov & Gimelshein 2018).
//
//   q, y : [batch * M, heads * D or DV], k, v : [batch * N, ...]; a head is D4 (DV4) texel columns
//   CAUSAL 1: query i sees keys 0..i      SCALED 1: scores are divided by sqrt(D)
//   Any size. A NaN among the scores of a row, +inf, or nothing but -inf make it NaN altogether.
#define ATTENTION_PARAMS                                                                           \
    IN(q), IN(k), IN(v), OUT(y), const int M, const int N, const int D, const int DV,              \
        const int heads, const int batch LOAD_PARAMS

// Of head h of a batch's member b. Texel t of query i, key or value j.
#define GET_Q(i, t) GET(q, FOLD_Q, heads *D4, b *M + (i), h *D4 + (t))
#define GET_K(j, t) GET(k, FOLD_K, heads *D4, b *N + (j), h *D4 + (t))
#define GET_V(j, t) GET(v, FOLD_V, heads *DV4, b *N + (j), h *DV4 + (t))
#define PUT_Y(i, t, value)                                                                         \
    PUT(y, FOLD_Y, heads *DV4, b *M + (i), h *DV4 + (t), keep_lanes(value, DV - 4 * (t)))

#define SCALE (SCALED ? 1.0f / sqrt((float)D) : 1.0f)

// How many keys query i sees.
#define VISIBLE(i) (CAUSAL ? min(N, (i) + 1) : N)

// What is subtracted from scores before exp() when their maximum is `top`: -inf is no number to
// count from. What sums so far are multiplied by when the maximum rises.
#define BASE(top) ((top) == -INFINITY ? 0.0f : (top))
#define RESCALE(old, new) ((old) == -INFINITY ? 0.0f : exp((old)-BASE(new)))
