// Functions of a `wide` vector (texel.cl), and the activation that ends fused kernels. Prepended
// after texel.cl. Written out here because PoCL's built-in ones run lane by lane.
//
//   ACT  0 none  1 relu  2 gelu  3 gelu_tanh  4 silu  5 sigmoid  6 tanh   (operators/activation.h)
//   ACTIVATE(v, n)  of elements with n left in their row: those behind them stay zero
//
// NaN stays NaN in all of them; at infinity they take their limits. Errors: tests/test_math.c.
// No division stands before a sum (operators/README.md).
#ifndef ACT
#define ACT 0
#endif

// The greater (smaller) of a and b; b where one is NaN, so that b's NaN stays.
#define GREATER(a, b) ((a) > (b) ? (a) : (b))
#define LESS(a, b) ((a) < (b) ? (a) : (b))
// The same, and NaN where either is.
#define MOST(a, b) (((a) > (b)) | ((a) != (a)) ? (a) : (b))
#define LEAST(a, b) (((a) < (b)) | ((a) != (a)) ? (a) : (b))

static inline wide fn_abs(wide x)
{
    return fabs(x);
}

static inline wide fn_neg(wide x)
{
    return -x;
}

static inline wide fn_recip(wide x)
{
    return 1.0f / x;
}

static inline wide fn_relu(wide x)
{
    return GREATER((wide)(0.0f), x);
}

// ---- exponentials ----

// x is near n ln 2: adding 1.5 * 2^23 rounds to n, and 127 more make the low bits those of 2^n.
#define ROUNDER 12583039.0f
#define POW2_OF(t) AS_WIDE(AS_IWIDE(t) << 23)

// exp(r) for |r| <= ln 2 / 2, within 0.06 * 2^-24 but for rounding: minimax, degree 6.
static inline wide exp_near_0(wide r)
{
    wide p = fma((wide)(0x1.6db47ep-10f), r, (wide)(0x1.123b92p-7f));

    p = fma(p, r, (wide)(0x1.55545ep-5f));
    p = fma(p, r, (wide)(0x1.55548ep-3f));
    p = fma(p, r, (wide)(0.5f));
    p = fma(p, r, (wide)(1.0f));
    return fma(p, r, (wide)(1.0f));
}

// x - n ln 2, in two steps (Cody & Waite): n has 8 bits, the first part of ln 2 has 15.
static inline wide exp_rest(wide x, wide n)
{
    return fma(n, (wide)(-0x1.7f7d1cp-20f), fma(n, (wide)(-0x1.62e400p-1f), x));
}

// exp(x) for x <= 0 or NaN; 0 below 2^-126.
static inline wide exp_neg(wide x)
{
    const wide t = fma(x, (wide)(1.44269504f), (wide)(ROUNDER));
    const wide y = exp_near_0(exp_rest(x, t - ROUNDER)) * POW2_OF(t);

    return x < -87.3365478f ? (wide)(0.0f) : y;
}

// exp(x), denormal results too: 2^n in two factors.
static inline wide fn_exp(wide x)
{
    const wide c = GREATER((wide)(-104.0f), LESS((wide)(89.0f), x));
    const iwide n = AS_IWIDE(fma(c, (wide)(1.44269504f), (wide)(12582912.0f))) - 0x4b400000;
    const iwide half_n = n >> 1;
    const wide y = exp_near_0(exp_rest(c, WIDE_NAME(convert_float, WIDE)(n)));

    return y * AS_WIDE((half_n + 127) << 23) * AS_WIDE((n - half_n + 127) << 23);
}

// 1 / (1 + exp(-x)) = e / (1 + e) with e = exp(x): the one whose exponent is negative.
static inline wide fn_sigmoid(wide x)
{
    const wide e = exp_neg(-fn_abs(x));

    return (x < 0.0f ? e : (wide)(1.0f)) / (1.0f + e);
}

// x sigmoid(k): where that is 0, so is the product, even of infinity.
static inline wide times_sigmoid(wide x, wide k)
{
    const wide e = exp_neg(-fn_abs(k));
    const wide low = e == 0.0f ? (wide)(0.0f) : x * e;

    return (k < 0.0f ? low : x) / (1.0f + e);
}

static inline wide fn_silu(wide x)
{
    return times_sigmoid(x, x);
}

// Hendrycks & Gimpel 2016; 0.5 (1 + tanh u) = sigmoid(2u), which keeps the tail exact.
static inline wide fn_gelu_tanh(wide x)
{
    return times_sigmoid(x, 1.59576912f * fma(0.044715f * x * x, x, x));
}

// (1 - e) / (1 + e) with e = exp(-2|x|); near 0 a polynomial, minimax for |x| <= 0.6.
static inline wide fn_tanh(wide x)
{
    const wide z = x * x, e = exp_neg(-2.0f * fn_abs(x));
    const wide far = (1.0f - e) / (1.0f + e);
    wide p = fma((wide)(-0.0058951583f), z, (wide)(0.020795971f));

    p = fma(p, z, (wide)(-0.05378383f));
    p = fma(p, z, (wide)(0.13331924f));
    p = fma(p, z, (wide)(-0.333333f));
    p = fma(p * z, x, x);
    return fn_abs(x) < 0.6f ? p : AS_WIDE(AS_IWIDE(far) | (AS_IWIDE(x) & (int)0x80000000));
}

// ---- the normal distribution ----

// Q(a) = erfc(a / sqrt 2) / 2 for a >= 0 or NaN, as 2^p: log2 Q is smooth, and a polynomial for all
// of 0..13, where Q leaves the normal numbers; 2^p is 0 from there on.
// p = -1 + a (c + a q(a - 6.5)), minimax in p's relative error, 0.6 * 2^-24 but for rounding; 2^f
// to 1.6 * 2^-24. So Q's relative error grows with its exponent: some 3 p * 2^-24. Even and odd powers
// apart, for shorter chains.
#define TAIL_END 13.0f
static inline wide normal_tail(wide a)
{
    const wide b = LESS((wide)(TAIL_END), a), u = b - 6.5f, u2 = u * u;
    wide even = fma((wide)(-1.2435686e-13f), u2, (wide)(-2.0406246e-12f));
    wide odd = fma((wide)(1.7607971e-12f), u2, (wide)(-6.1857366e-11f)), p, t, f, f2;

    even = fma(even, u2, (wide)(2.6373623e-10f));
    odd = fma(odd, u2, (wide)(-2.4676636e-09f));
    even = fma(even, u2, (wide)(5.3356235e-08f));
    odd = fma(odd, u2, (wide)(-7.0996026e-07f));
    even = fma(even, u2, (wide)(8.112291e-06f));
    odd = fma(odd, u2, (wide)(-8.936005e-05f));
    even = fma(even, u2, (wide)(0.0009548294f));
    odd = fma(odd, u2, (wide)(-0.010000897f));
    even = fma(even, u2, (wide)(-0.6166452f));
    p = fma(fma(fma(odd, u, even), b, (wide)(-1.1511059f)), b, (wide)(-1.0f));
    t = p + ROUNDER;
    f = p - (t - ROUNDER); // within -1/2..1/2
    f2 = f * f;
    even = fma(fma((wide)(0.009671983f), f2, (wide)(0.24022233f)), f2, (wide)(1.0f));
    odd = fma(fma((wide)(0.0013407407f), f2, (wide)(0.055503078f)), f2, (wide)(0.69314724f));
    return fma(odd, f, even) * POW2_OF(t);
}

// x Phi(x) = max(x, 0) - |x| Q(|x|); |x| clamped, because infinity times zero is not zero.
static inline wide fn_gelu(wide x)
{
    const wide a = fn_abs(x);

    return fma(-LESS((wide)(TAIL_END), a), normal_tail(a), fn_relu(x));
}

// 1 - 2 Q(sqrt 2 |x|); near 0 a polynomial, minimax for |x| <= 0.8.
static inline wide fn_erf(wide x)
{
    const wide z = x * x, a = fn_abs(x);
    const wide far = fma((wide)(-2.0f), normal_tail(1.41421356f * a), (wide)(1.0f));
    wide p = fma((wide)(-0.0006535246f), z, (wide)(0.005085132f));

    p = fma(p, z, (wide)(-0.026820809f));
    p = fma(p, z, (wide)(0.11283113f));
    p = fma(p, z, (wide)(-0.37612602f));
    p = fma(p, z, (wide)(1.1283791f));
    return a < 0.8f ? p * x : AS_WIDE(AS_IWIDE(far) | (AS_IWIDE(x) & (int)0x80000000));
}

// ---- joining ----

// v[0] of n vectors joined by halves, n a power of two up to 16. Spelled out, because NVIDIA's
// compiler leaves a loop over h in place, and v in memory, when it has four turns.
#define HALVES(OP, v, n)                                                                           \
    HALVE(OP, v, n, 8) HALVE(OP, v, n, 4) HALVE(OP, v, n, 2) HALVE(OP, v, n, 1)
#define HALVE(OP, v, n, h)                                                                         \
    if ((n) > (h)) {                                                                               \
        _Pragma("unroll") for (int k = 0; k < (h); k++) v[k] = OP(v[k], v[k + (h)]);               \
    }

// ---- activations ----

#if ACT == 1
#define ACTIVATE(v, n) fn_relu(v)
#elif ACT == 2
#define ACTIVATE(v, n) fn_gelu(v)
#elif ACT == 3
#define ACTIVATE(v, n) fn_gelu_tanh(v)
#elif ACT == 4
#define ACTIVATE(v, n) fn_silu(v)
#elif ACT == 5
#define ACTIVATE(v, n) keep_wide(fn_sigmoid(v), n)
#elif ACT == 6
#define ACTIVATE(v, n) fn_tanh(v)
#else
#define ACTIVATE(v, n) (v)
#endif
