// What the CPU's kernels of products share: rows of tensors on their way into local memory, packed
// for the micro-kernels. Comes after gemm.cl. BK, k of a pass, is an argument of the kernel.
typedef float16 float16_at_texel __attribute__((aligned(16)));

// ---- rows, packed ----

// 16 k of 16 rows at a time, or of 8, as whole vectors. v0 .. v3 are four lanes of four elements
// each: BLOCKS4 transposes the 4x4 lanes, LANES4 the 4x4 elements of each lane.
#define UNPACK_LO(a, b)                                                                            \
    (float16)(a.s0, b.s0, a.s1, b.s1, a.s4, b.s4, a.s5, b.s5, a.s8, b.s8, a.s9, b.s9, a.sc, b.sc,  \
              a.sd, b.sd)
#define UNPACK_HI(a, b)                                                                            \
    (float16)(a.s2, b.s2, a.s3, b.s3, a.s6, b.s6, a.s7, b.s7, a.sa, b.sa, a.sb, b.sb, a.se, b.se,  \
              a.sf, b.sf)
#define LANES4(v0, v1, v2, v3)                                                                     \
    {                                                                                              \
        const float16 l0 = UNPACK_LO(v0, v1), l1 = UNPACK_LO(v2, v3), h0 = UNPACK_HI(v0, v1),      \
                      h1 = UNPACK_HI(v2, v3);                                                      \
        v0 = (float16)(l0.s01, l1.s01, l0.s45, l1.s45, l0.s89, l1.s89, l0.scd, l1.scd);            \
        v1 = (float16)(l0.s23, l1.s23, l0.s67, l1.s67, l0.sab, l1.sab, l0.sef, l1.sef);            \
        v2 = (float16)(h0.s01, h1.s01, h0.s45, h1.s45, h0.s89, h1.s89, h0.scd, h1.scd);            \
        v3 = (float16)(h0.s23, h1.s23, h0.s67, h1.s67, h0.sab, h1.sab, h0.sef, h1.sef);            \
    }
#define BLOCKS4(v0, v1, v2, v3)                                                                    \
    {                                                                                              \
        const float16 l0 = (float16)(v0.lo, v1.lo), l1 = (float16)(v2.lo, v3.lo),                  \
                      h0 = (float16)(v0.hi, v1.hi), h1 = (float16)(v2.hi, v3.hi);                  \
        v0 = (float16)(l0.s0123, l0.s89ab, l1.s0123, l1.s89ab);                                    \
        v1 = (float16)(l0.s4567, l0.scdef, l1.s4567, l1.scdef);                                    \
        v2 = (float16)(h0.s0123, h0.s89ab, h1.s0123, h1.s89ab);                                    \
        v3 = (float16)(h0.s4567, h0.scdef, h1.s4567, h1.scdef);                                    \
    }
#define LOCAL16(p)    (*(__local const float16_at_texel *)(p))
#define STORE16(v, p) (*(__local float16_at_texel *)(p) = (v))
#define EACH16(i, n)  _Pragma("unroll") for (int i = 0; i < (n); i++)

// pack16(t, pitch, p, stride), pack8(t, pitch, p): p[k * stride + row], a stride of 8 in pack8.
#define PACKS(pack16, pack8, ROWS, LOAD)                                                           \
    static inline void pack16(ROWS *t, size_t pitch, __local float *p, int stride)                 \
    {                                                                                              \
        float16 v[16];                                                                             \
                                                                                                   \
        EACH16(i, 16) v[i] = LOAD(t + i * pitch);                                                  \
        EACH16(i, 4) BLOCKS4(v[i], v[i + 4], v[i + 8], v[i + 12])                                  \
        EACH16(i, 4) LANES4(v[4 * i], v[4 * i + 1], v[4 * i + 2], v[4 * i + 3])                    \
        EACH16(i, 16) STORE16(v[i], p + i * stride);                                               \
    }                                                                                              \
                                                                                                   \
    static inline void pack8(ROWS *t, size_t pitch, __local float *p)                              \
    {                                                                                              \
        float16 v[8];                                                                              \
                                                                                                   \
        EACH16(i, 8) v[i] = LOAD(t + i * pitch);                                                   \
        LANES4(v[0], v[1], v[2], v[3])                                                             \
        LANES4(v[4], v[5], v[6], v[7])                                                             \
        BLOCKS4(v[0], v[4], v[1], v[5])                                                            \
        BLOCKS4(v[2], v[6], v[3], v[7])                                                            \
        EACH16(i, 4) STORE16(v[2 * i], p + 16 * i);                                                \
        EACH16(i, 4) STORE16(v[2 * i + 1], p + 16 * (i + 4));                                      \
    }

PACKS(pack16, pack8, __local const float, LOCAL16)
#if !IMAGE
#if HALF
#define GLOBAL16(p) vload_half16(0, p)
#else
#define GLOBAL16(p) (*(__global const float16_at_texel *)(p))
#endif
PACKS(pack16_global, pack8_global, __global const store_t, GLOBAL16)
#define TEXEL_OF(t, ct, row, col) ((t) + ((size_t)(row) * (ct) + (col)) * 4)
#endif

// ---- a tile: rows on their way into panels ----

#define TILE_ROWS  16
#define TILE_PITCH (BK + 16) // not a power of two, as above
#define TILE_ROOM  (TILE_ROWS * TILE_PITCH)

// Texels c .. c + n - 1 of `rows` rows from row r on; both counts at least 1.
#if IMAGE
// WALK(name, image, tile, TEXEL): a function that does TEXEL for each.
#define WALK(name, image, tile, TEXEL)                                                             \
    static OF_ITS_OWN void name(image, int fold, int ct, int r, int rows, int c, int n,            \
                                tile *restrict p, int pitch)                                       \
    {                                                                                              \
        do {                                                                                       \
            int j = 0;                                                                             \
            do {                                                                                   \
                const int2 from = texel_at(fold, ct, r, c + j);                                    \
                const int end = fold ? min(n, j + FOLD_MASK + 1 - from.x) : n, x = from.x - j;     \
                do {                                                                               \
                    const int2 at = (int2)(x + j, from.y);                                         \
                                                                                                   \
                    TEXEL;                                                                         \
                } while (++j < end);                                                               \
            } while (j < n);                                                                       \
            p += pitch;                                                                            \
            r++;                                                                                   \
        } while (--rows > 0);                                                                      \
    }

WALK(read_texels, IN(t), __local float, vstore4(read_texel(t, at), j, p))
// The other way, PoCL reads the image's header again for each texel, for what it writes might be
// that; but a call and its registers are saved.
WALK(write_texels, OUT(t), __local const float, write_texel(t, at, round_store(vload4(j, p))))
#else
static inline void read_texels(IN(t), int fold, int ct, int r, int rows, int c, int n,
                               __local float *restrict p, int pitch)
{
    for (int i = 0; i < rows; i++) {
        int j = 0;

        for (; j + 4 <= n; j += 4)
            STORE16(GLOBAL16(TEXEL_OF(t, ct, r + i, c + j)), p + i * pitch + 4 * j);
        for (; j < n; j++)
            *(__local float4 *)(p + i * pitch + 4 * j) = GET(t, fold, ct, r + i, c + j);
    }
}
#endif

static inline void clear_texels(int rows, int n, __local float *p, int pitch)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < n; j++)
            *(__local float4 *)(p + i * pitch + 4 * j) = (float4)(0);
}

// 8 or 16 rows of a tile, transposed: k in [0, depth), and whatever there is up to the next
// multiple of 16.
static inline void pack_tile(__local const float *t, int pitch, int rows, int depth,
                             __local float *p, int stride)
{
    for (int k = 0; k < depth; k += 16, t += 16, p += 16 * stride) {
        if (rows == 16)
            pack16(t, pitch, p, stride);
        else
            pack8(t, pitch, p);
    }
}

// Texels c .. c + n - 1 of `rows` rows, of which `here` are there, transposed. Whole rows of a
// buffer need no tile.
static inline void stage_rows(IN(t), int fold, int ct, int r, int here, int rows, int c, int n,
                              __local float *tile, int pitch, __local float *p, int stride)
{
    int done = 0;

#if !IMAGE
    for (; here >= rows && done + 4 <= n; done += 4) {
        if (rows == 16)
            pack16_global(TEXEL_OF(t, ct, r, c + done), 4 * (size_t)ct, p + 4 * done * stride,
                          stride);
        else
            pack8_global(TEXEL_OF(t, ct, r, c + done), 4 * (size_t)ct, p + 4 * done * stride);
    }
#endif
    if (done == n)
        return;
    here = clamp(here, 0, rows);
    if (here > 0)
        read_texels(t, fold, ct, r, here, c + done, n - done, tile, pitch);
    clear_texels(rows - here, n - done, tile + here * pitch, pitch);
    pack_tile(tile, pitch, rows, 4 * (n - done), p + 4 * done * stride, stride);
}

// Texels that lie across k: `depth` rows of n, rows_here and n_here of which are there, into
// panels of `width`, `step` floats apart.
static inline void stage_across(IN(t), int fold, int ct, int r, int rows_here, int depth, int c,
                                int n_here, int n, __local float *tile, int room, __local float *p,
                                int width, int step)
{
    const int at_once = IMAGE ? room / (4 * n) : depth;

    for (int k0 = 0; k0 < depth; k0 += at_once) {
        const int end = min(at_once, depth - k0), here = clamp(rows_here - k0, 0, end);

#if IMAGE
#define ACROSS4(k, j)  vload4((k)*n + (j), tile)
#define ACROSS16(k, j) LOCAL16(tile + ((k)*n + (j)) * 4)
        if (here > 0)
            read_texels(t, fold, ct, r + k0, here, c, n_here, tile, 4 * n);
#else
#define ACROSS4(k, j)  GET(t, fold, ct, r + k0 + (k), c + (j))
#define ACROSS16(k, j) GLOBAL16(TEXEL_OF(t, ct, r + k0 + (k), c + (j)))
#endif
        for (int k = 0; k < end; k++)
            for (int j = 0; j < n; j++) {
                __local float *const to =
                    p + 4 * j / width * step + (k0 + k) * width + 4 * j % width;

                if (width % 16 == 0 && j % 4 == 0 && j + 4 <= n_here && k < here) {
                    STORE16(ACROSS16(k, j), to);
                    j += 3;
                } else {
                    vstore4(k < here && j < n_here ? ACROSS4(k, j) : (float4)(0), 0, to);
                }
            }
    }
}
