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
// f16 results are rounded to nearest even here, before the write: write_imagef truncates on NVIDIA.
// What a compiler contracts must not decide a result: kernels say fma() where they mean it.
#pragma OPENCL FP_CONTRACT OFF

#ifndef IMAGE
#define IMAGE 1
#endif
#ifndef HALF
#define HALF 0
#endif

#if HALF
typedef half store_t;
#define VLOAD4(i, p) vload_half4((i), (p))
#define VSTORE4(v, i, p) vstore_half4_rte((v), (i), (p))
static inline float4 round_store(float4 v)
{
    ushort u[4];
    vstore_half4_rte(v, 0, (__private half *)u);
    return vload_half4(0, (__private const half *)u);
}
#else
typedef float store_t;
#define VLOAD4(i, p) vload4((i), (p))
#define VSTORE4(v, i, p) vstore4((v), (i), (p))
#define round_store(v) (v)
#endif

static inline float4 keep_lanes(float4 v, int n)
{
    return select((float4)(0.0f), v, (int4)(0, 1, 2, 3) < (int4)(n));
}

#define FOLD_SHIFT 13
#define FOLD_MASK 8191

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
#define IN(t) __read_only image2d_t t
#define OUT(t) __write_only image2d_t t
#define GET(t, fold, ct, r, c) read_imagef(t, texel_sampler, texel_at(fold, ct, r, c))
#define PUT(t, fold, ct, r, c, v) write_imagef(t, texel_at(fold, ct, r, c), round_store(v))
#else
#define IN(t) __global const store_t *restrict t
#define OUT(t) __global store_t *restrict t
#define GET(t, fold, ct, r, c) VLOAD4((size_t)(r) * (ct) + (c), t)
#define PUT(t, fold, ct, r, c, v) VSTORE4((v), (size_t)(r) * (ct) + (c), t)
#endif

// Sums over rows, for groups of WG items in x (a power of two up to STRANDS) and WR rows in y.
// Texel c of a row belongs to strand c % STRANDS, whose item adds its texels in order; the strands
// are added by halves. Neither WG nor WR changes the order, so that no local size changes a bit.
#ifdef WG
#define STRANDS 128
#define SLOTS (STRANDS / WG) // strands of an item
static inline float sum_lanes(float4 v)
{
    return (v.x + v.y) + (v.z + v.w);
}

// The sum over `n` strands (at least) of slot[SLOTS] of all items l of a row; part: the row's.
// Every item of the group must call it, and gets the sum.
static inline float sum_strands(__local float *part, const float *slot, int l, int n)
{
    int half_n = 1;
    float sum;

    while (half_n < STRANDS / 2 && 2 * half_n < n)
        half_n *= 2;
    for (int k = 0; k < SLOTS; k++)
        part[l + k * WG] = slot[k];
    for (int h = half_n; h > 0; h /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int j = l; j < h; j += WG)
            part[j] += part[j + h];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    sum = part[0];
    barrier(CLK_LOCAL_MEM_FENCE);
    return sum;
}
#endif
