// Tensor access for every kernel, on both memory paths. Prepended to each program.
//
//   IMAGE   1: tensors are RGBA images; 0: buffers of texels (four elements each)
//   HALF    1: storage is 16-bit, arithmetic stays f32; 0: storage is f32
//   FOLD_X  1: tensor X is folded at width 8192 (operators/tensor.h), set for each tensor of a case
//
// IN(t) OUT(t)                declare an argument
// GET(t, fold, ct, r, c)      float4 texel (row r, texel column c) of a tensor with ct texels a row
// PUT(t, fold, ct, r, c, v)   write one; pad elements must be zero
// VEC(t) GETV(t, off, c)      a vector inside a bundle: texel c of the vector at texel `off`
//
// keep_lanes(v, n)            v with lanes n, n + 1, ... zero: the padding of a row's last texel
//
// WIDE    elements of a `wide` vector, 4 (one texel), 8 or 16: neighbouring texels of a row, for
//         kernels that want a CPU's whole vectors
// GETW(t, fold, ct, r, c)     like GET: texels c, c + 1, ... of the row; zero behind its last one
// PUTW(t, fold, ct, r, c, v)  like PUT: those texels that the row has
// GETVW(t, ct, c)             like GETV
// keep_wide(v, n)             like keep_lanes
//
// f16 results are rounded to nearest even here, before the write: write_imagef truncates on NVIDIA.
// What a compiler contracts must not decide a result: kernels say fma() where they mean it.
#pragma OPENCL FP_CONTRACT OFF

#ifndef IMAGE
#define IMAGE 1
#endif
#ifndef HALF
#define HALF 0
#endif

// Texel i of a buffer. Buffers are aligned to texels, which vload4() may not assume: NVIDIA's
// compiler makes four accesses of it.
#if HALF
typedef half store_t;
typedef ushort4 raw_t; // a texel as it is stored
static inline float4 from_raw(raw_t u)
{
    return vload_half4(0, (__private const half *)&u);
}
static inline float4 load_texel(__global const half *p, size_t i)
{
    return from_raw(((__global const raw_t *)p)[i]);
}
static inline void store_texel(float4 v, __global half *p, size_t i)
{
    ushort4 u;
    vstore_half4_rte(v, 0, (__private half *)&u);
    ((__global ushort4 *)p)[i] = u;
}
#define VLOAD4(i, p) load_texel((p), (i))
#define VSTORE4(v, i, p) store_texel((v), (p), (i))
#define VLOADW(p) WIDE_NAME(vload_half, WIDE)(0, (p))
#define VSTOREW(v, p) WIDE_NAME(WIDE_NAME(vstore_half, WIDE), _rte)((v), 0, (p))
static inline float4 round_store(float4 v)
{
    ushort u[4];
    vstore_half4_rte(v, 0, (__private half *)u);
    return vload_half4(0, (__private const half *)u);
}
#else
typedef float store_t;
typedef float4 raw_t;
#define from_raw(u) (u)
#define VLOAD4(i, p) (((__global const float4 *)(p))[i])
#define VSTORE4(v, i, p) (((__global float4 *)(p))[i] = (v))
#define VLOADW(p) (*(__global const wide_at_texel *)(p)) // PoCL makes three accesses of vstore16()
#define VSTOREW(v, p) (*(__global wide_at_texel *)(p) = (v))
#define round_store(v) (v)
#endif

#define RAW(i, p) (((__global const raw_t *)(p))[i])
#define STORE_RAW(u, i, p) (((__global raw_t *)(p))[i] = (u))

static inline float4 keep_lanes(float4 v, int n)
{
    return select((float4)(0.0f), v, (int4)(0, 1, 2, 3) < (int4)(n));
}

#ifndef FOLD_SHIFT
#define FOLD_SHIFT 13 // log2 of the width
#endif
#define FOLD_MASK ((1 << FOLD_SHIFT) - 1)

#define VEC(t) __global const store_t *restrict t, const int t##_off
#define GETV(t, c) VLOAD4((size_t)(t##_off) + (size_t)(c), t)

#if IMAGE
__constant sampler_t texel_sampler =
    CLK_NORMALIZED_COORDS_FALSE | CLK_ADDRESS_NONE | CLK_FILTER_NEAREST;
static inline int2 texel_at(int fold, int ct, int r, int c)
{
    int t = r * ct + c;
    return fold ? (int2)(t & FOLD_MASK, t >> FOLD_SHIFT) : (int2)(c, r);
}
// PoCL calls a function for a texel of an image, which asks for its format and divides twice.
// Taken in where it is called (flatten) behind a question for the only format there is, it asks
// nothing more: the copy of a texel takes 3.3 ns for 6.1. Where nothing else is written (restrict), in
// a function of its own or in loops that turn at least once, all but the address leaves the loop of
// reads: 0.8 ns a texel for 2.7. (Such a function must be called with more than one local array, or
// place in one: else LLVM writes the array into it, and PoCL 3.1 drops what the function does.)
#ifdef POCL_DEVICE_ADDRESS_BITS
#define OF_ITS_OWN __attribute__((noinline, flatten))
#define IS_TEXELS(t)                                                                               \
    (get_image_channel_data_type(t) == (HALF ? CLK_HALF_FLOAT : CLK_FLOAT) &&                      \
     get_image_channel_order(t) == CLK_RGBA)
static inline __attribute__((flatten)) float4 read_texel(__read_only image2d_t t, int2 at)
{
    float4 v;

    if (IS_TEXELS(t))
        v = read_imagef(t, texel_sampler, at);
    return v;
}
static inline __attribute__((flatten)) void write_texel(__write_only image2d_t t, int2 at, float4 v)
{
    if (IS_TEXELS(t))
        write_imagef(t, at, v);
}
#else
#define OF_ITS_OWN inline
#define read_texel(t, at) read_imagef(t, texel_sampler, at)
#define write_texel write_imagef
#endif
#define IN(t) __read_only image2d_t t
#define OUT(t) __write_only image2d_t t
#define GET(t, fold, ct, r, c) read_texel(t, texel_at(fold, ct, r, c))
#define PUT(t, fold, ct, r, c, v) write_texel(t, texel_at(fold, ct, r, c), round_store(v))
#else
#define IN(t) __global const store_t *restrict t
#define OUT(t) __global store_t *restrict t
#define GET(t, fold, ct, r, c) VLOAD4((size_t)(r) * (ct) + (c), t)
#define PUT(t, fold, ct, r, c, v) VSTORE4((v), (size_t)(r) * (ct) + (c), t)
#endif

#ifndef WIDE
#define WIDE 4
#endif
#define WIDE_NAME_(a, n) a##n
#define WIDE_NAME(a, n) WIDE_NAME_(a, n)
typedef WIDE_NAME(float, WIDE) wide;
typedef wide wide_at_texel __attribute__((aligned(16)));
typedef WIDE_NAME(int, WIDE) iwide;
#define AS_WIDE(v) WIDE_NAME(as_float, WIDE)(v)
#define AS_IWIDE(v) WIDE_NAME(as_int, WIDE)(v)
#define TEXELS (WIDE / 4)

#if WIDE == 16
#define WIDE_OF(a, b, c, d) (wide)(a, b, c, d)
#define NEXT_TEXEL(w, v) (wide)((w).s4567, (w).s89ab, (w).scdef, (v))
#define WIDE_LANE (iwide)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
#elif WIDE == 8
#define WIDE_OF(a, b, c, d) (wide)(a, b)
#define NEXT_TEXEL(w, v) (wide)((w).s4567, (v))
#define WIDE_LANE (iwide)(0, 1, 2, 3, 4, 5, 6, 7)
#else
#define WIDE_OF(a, b, c, d) (a)
#define WIDE_LANE (iwide)(0, 1, 2, 3)
#endif

static inline wide keep_wide(wide v, int n)
{
    return n >= WIDE ? v : (WIDE_LANE < (iwide)(n) ? v : (wide)(0.0f));
}

#define GET_IN(t, fold, ct, r, c) ((c) < (ct) ? GET(t, fold, ct, r, c) : (float4)(0.0f))
#if WIDE == 4
#define GETW GET
#define PUTW PUT
#define GETVW(t, ct, c) GETV(t, c)
#else
// Part of a vector, `n` texels: loops, so that compilers do not mix them up with whole ones.
static inline wide load_part(__global const store_t *p, int n)
{
    float4 part[TEXELS];
    for (int k = 0; k < TEXELS; k++)
        part[k] = (float4)(0.0f);
    for (int k = 0; k < n; k++)
        part[k] = VLOAD4(k, p);
    return WIDE_NAME(vload, WIDE)(0, (const float *)part);
}

static inline void store_part(wide v, __global store_t *p, int n)
{
    float4 part[TEXELS];
    WIDE_NAME(vstore, WIDE)(v, 0, (float *)part);
    for (int k = 0; k < n; k++)
        VSTORE4(part[k], k, p);
}

#define AT_TEXEL(t, i) ((t) + (size_t)(i)*4)
#define GETW_BUFFER(p, n) ((n) >= TEXELS ? VLOADW(p) : load_part(p, n))
#define GETVW(t, ct, c) GETW_BUFFER(AT_TEXEL(t, (t##_off) + (c)), (ct) - (c))
#if IMAGE && defined(POCL_DEVICE_ADDRESS_BITS)
// Loops of reads without a condition, turned in registers: a relu of 4096 x 4096 takes 38 ms for 56
// with one, 74 with reads one by one; texels that lie in memory are no vector before the writes
// ahead of them are done.
static inline __attribute__((flatten)) wide get_wide(IN(t), int fold, int ct, int r, int c)
{
    wide w = (wide)(0.0f);

    if (IS_TEXELS(t))
        for (int k = 0; k < TEXELS; k++)
            w = NEXT_TEXEL(w, read_imagef(t, texel_sampler,
                                          texel_at(fold, ct, r, min(c + k, ct - 1))));
    return keep_wide(w, 4 * (ct - c));
}
static inline __attribute__((flatten)) void put_wide(OUT(t), int fold, int ct, int r, int c, wide w)
{
    for (int k = 0, n = min(ct - c, TEXELS); k < n; k++) {
        PUT(t, fold, ct, r, c + k, w.s0123);
        w = NEXT_TEXEL(w, w.s0123);
    }
}
#define GETW get_wide
#define PUTW put_wide
#elif IMAGE
#define GETW(t, fold, ct, r, c)                                                                    \
    WIDE_OF(GET(t, fold, ct, r, c), GET_IN(t, fold, ct, r, (c) + 1),                               \
            GET_IN(t, fold, ct, r, (c) + 2), GET_IN(t, fold, ct, r, (c) + 3))
#define PUT_IN(t, fold, ct, r, c, v)                                                               \
    if ((c) < (ct))                                                                                \
    PUT(t, fold, ct, r, c, v)
#if WIDE == 16
#define PUTW_MORE(t, fold, ct, r, c, v)                                                            \
    PUT_IN(t, fold, ct, r, (c) + 1, (v).s4567);                                                    \
    PUT_IN(t, fold, ct, r, (c) + 2, (v).s89ab);                                                    \
    PUT_IN(t, fold, ct, r, (c) + 3, (v).scdef)
#else
#define PUTW_MORE(t, fold, ct, r, c, v) PUT_IN(t, fold, ct, r, (c) + 1, (v).s4567)
#endif
#define PUTW(t, fold, ct, r, c, v)                                                                 \
    {                                                                                              \
        const wide putw_v = (v);                                                                   \
        PUT(t, fold, ct, r, c, putw_v.s0123);                                                      \
        PUTW_MORE(t, fold, ct, r, c, putw_v);                                                      \
    }
#else
#define GETW(t, fold, ct, r, c) GETW_BUFFER(AT_TEXEL(t, (size_t)(r) * (ct) + (c)), (ct) - (c))
#define PUTW(t, fold, ct, r, c, v)                                                                 \
    {                                                                                              \
        const wide putw_v = (v);                                                                   \
        __global store_t *const putw_p = AT_TEXEL(t, (size_t)(r) * (ct) + (c));                    \
        if ((c) + TEXELS <= (ct))                                                                  \
            VSTOREW(putw_v, putw_p);                                                               \
        else                                                                                       \
            store_part(putw_v, putw_p, (ct) - (c));                                                \
    }
#endif
#endif
