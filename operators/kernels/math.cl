// Functions of a texel, and the activation that ends fused kernels. Prepended after texel.cl.
//
//   ACT  0 none  1 relu  2 gelu  3 gelu_tanh  4 silu  5 sigmoid  6 tanh   (operators/activation.h)
//   ACTIVATE(v, n)  of a texel with n elements left in its row: those behind them stay zero
//
// NaN stays NaN in all of them.
#ifndef ACT
#define ACT 0
#endif

static inline float4 relu4(float4 x)
{
    return select(x, (float4)(0.0f), isless(x, (float4)(0.0f)));
}

static inline float4 sigmoid4(float4 x)
{
    return 1.0f / (1.0f + exp(-x));
}

static inline float4 silu4(float4 x)
{
    return x / (1.0f + exp(-x));
}

static inline float4 gelu4(float4 x)
{
    return 0.5f * x * erfc(-0.70710678118654752f * x); // 1 + erf(x) = erfc(-x), exact in the tail
}

// Hendrycks & Gimpel 2016; 0.5 (1 + tanh u) = 1 / (1 + exp(-2u)), which keeps the tail exact.
static inline float4 gelu_tanh4(float4 x)
{
    float4 u = 0.79788456080286536f * fma(0.044715f * x * x, x, x);
    return x / (1.0f + exp(-2.0f * u));
}

#if ACT == 1
#define ACTIVATE(v, n) relu4(v)
#elif ACT == 2
#define ACTIVATE(v, n) gelu4(v)
#elif ACT == 3
#define ACTIVATE(v, n) gelu_tanh4(v)
#elif ACT == 4
#define ACTIVATE(v, n) silu4(v)
#elif ACT == 5
#define ACTIVATE(v, n) keep_lanes(sigmoid4(v), n)
#elif ACT == 6
#define ACTIVATE(v, n) tanh(v)
#else
#define ACTIVATE(v, n) (v)
#endif
