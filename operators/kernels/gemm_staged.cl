// Matrix product and convolution on a CPU: one item per group stages blocks of both operands in
// local memory and runs a register-blocked micro-kernel over them.
//
//   what is computed, arguments, CONV, TA, TB and the end of a result: gemm.cl
//   grid: one group of one item per block of BM x BN results; ORDER 1: x walks n, 2: x walks m;
//         the batch is the slow part of m
//   blocks: BM (a multiple of MR), BN (of NR) results, BK (of 16) of k per pass; arguments,
//         for a program takes half a second to compile
//   local: POOL floats, of which a block takes BM * (BK + 4) + (TB ? 1 : 4) * NR * (BK + 2) +
//         BM * BN + 16 * (BK + 16) and the pixels that it meets
//   Any size: what lies outside is staged as zeros and never written.
//
// Each result is one chain acc = fma(a_k, b_k, acc), k ascending: the same bits as gemm_direct.cl
// whatever the blocks. Blocking after Goto & van de Geijn 2008: a panel of b, NR columns wide, is
// packed just before it is used and stays in L1; the block of a and the results stay in L2. Rows of a
// are not packed: the micro-kernel wants one element of each at a time, which it finds in the rows
// of a buffer, or of al, as well as in a panel.
//
// What an image costs here is its texels, and less if they are neighbours: rows of b, 16 at a time, are
// read into a tile (read_texels() says why) and packed from there as a buffer's are; results are
// written along n, each tile as it is done.
//
// FEW 1, M up to MR: an element of b is used M times only, which is not worth packing it. Lane l of
// 16 adds k = l, l + 16, ..., and the lanes are added by halves: an order of its own.
//   grid: one group of one item per BN columns along x, the batch along y; TA 0, TB 1
//   local: POOL floats, of which it takes MR * 4 * (KT + 3) + 4 * (BK + 16)
#undef BLOCK_PARAMS
#if FEW
#define BLOCK_PARAMS , const int BN, const int BK
#else
#define BLOCK_PARAMS , const int BM, const int BN, const int BK
#endif
#ifndef POOL
#define POOL 229376
#endif
#ifndef MR
#define MR 8 // rows of the micro-kernel
#endif
#ifndef NR
#define NR 32 // columns of the micro-kernel: 8, 16 or a multiple of 16
#endif
#ifndef ORDER
#define ORDER 1
#endif
#ifndef PATCH
#define PATCH 0 // 1: the pixels that a block meets are decoded once for all their taps
#endif

#if NR == 8
#define VW             8
typedef float8 vec;
#define VECLOAD(p)     vload8(0, p)
#define VECSTORE(v, p) vstore8(v, 0, p)
#else
#define VW             16
typedef float16 vec;
#define VECLOAD(p)     (*(__local const float16_at_texel *)(p)) // PoCL: vstore16() is three stores
#define VECSTORE(v, p) (*(__local float16_at_texel *)(p) = (v))
#endif
typedef float16 float16_at_texel __attribute__((aligned(16)));
#define NV   (NR / VW)
#define TILE (MR * NR)
// Not a power of two from panel to panel, for texels across panels would share a set of the cache.
#define A_PANEL (MR * (depth + 2))
#define A_PITCH (depth + 4)
#define B_PANEL (NR * (depth + 2))
// Blocks are made as even as tiles allow: PoCL deals groups out by their number.
#define EVEN(n, blocks, tile) (((n) + (blocks) * (tile)-1) / ((blocks) * (tile)) * (tile))

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
static OF_ITS_OWN void
read_texels(IN(t), int fold, int ct, int r, int rows, int c, int n, __local float *restrict p,
            int pitch)
{
    do {
        int j = 0;
        do {
            int2 at = texel_at(fold, ct, r, c + j);
            const int end = fold ? min(n, j + FOLD_MASK + 1 - at.x) : n;
            do {
                vstore4(read_imagef(t, texel_sampler, at), j, p);
                at.x++;
            } while (++j < end);
        } while (j < n);
        p += pitch;
        r++;
    } while (--rows > 0);
}
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

// The same the other way. PoCL reads the image's header again for each texel, for what it writes
// might be that; but a call and its registers are saved.
#if IMAGE
static OF_ITS_OWN void
write_texels(OUT(t), int fold, int ct, int r, int rows, int c, int n,
             __local const float *restrict p, int pitch)
{
    do {
        int j = 0;
        do {
            int2 at = texel_at(fold, ct, r, c + j);
            const int end = fold ? min(n, j + FOLD_MASK + 1 - at.x) : n;
            do {
                write_imagef(t, at, round_store(vload4(j, p)));
                at.x++;
            } while (++j < end);
        } while (j < n);
        p += pitch;
        r++;
    } while (--rows > 0);
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

// c[MR, NR] (+)= rows A_ROW(i) * b panel [k, NR], of which the first NVS vectors count; SUMS takes the
// results, acc[i][j]. A macro: LLVM 15 in PoCL 3.1 crashes when it inlines this as a function at two
// places.
#define MICRO(pb, n_k, first, c, NVS, SUMS)                                                        \
    {                                                                                              \
        A_SPACE const float *ap[MR];                                                               \
        __local const float *bp = (pb);                                                            \
        vec acc[MR][NVS], bv[NVS];                                                                 \
                                                                                                   \
        EACH_I ap[i] = A_ROW(i);                                                                   \
        EACH_I EACH_J(NVS) acc[i][j] = (first) ? (vec)(0) : VECLOAD((c) + i * NR + j * VW);        \
        for (int k = 0; k < (n_k); k++, bp += NR) {                                                \
            EACH_J(NVS) bv[j] = VECLOAD(bp + j * VW);                                              \
            EACH_I EACH_J(NVS) acc[i][j] = fma((vec)(A_OF(ap[i], k)), bv[j], acc[i][j]);                   \
        }                                                                                          \
        SUMS(NVS, c)                                                                               \
    }
#define EACH_I      _Pragma("unroll") for (int i = 0; i < MR; i++)
#define EACH_J(NVS) _Pragma("unroll") for (int j = 0; j < (NVS); j++)
#define KEEP_SUMS(NVS, c) EACH_I EACH_J(NVS) VECSTORE(acc[i][j], (c) + i * NR + j * VW);

// GEMM_PUT() of the sums of a tile, `left` texels of row m and the next ones, from local memory:
// WIDE elements at once. An image's are ended where they are, then written in runs.
#if WIDE == 4
#define PUT_ROW(batch, m, nt, left, p)                                                             \
    for (int j = 0; j < (left); j++)                                                               \
        GEMM_PUT(batch, m, (nt) + j, vload4(j, p))
#else
#if BIAS
#define WITH_BIAS(v, nt, left) ((v) + GETW_BUFFER(AT_TEXEL(bias, bias_off + (nt)), left))
#else
#define WITH_BIAS(v, nt, left) (v)
#endif
#if !RES
#define WITH_RES(v, at, j, left) (v)
#elif IMAGE // of the row, in the tile that operands pass through
#define WITH_RES(v, at, j, left) ((v) + *(__local const wide_at_texel *)(tl + 4 * (j)))
#else
#define WITH_RES(v, at, j, left) ((v) + GETW_BUFFER(AT_TEXEL(res, (at) + (j)), left))
#endif
#if IMAGE && RES
#define READ_RES(row, col, n) read_texels(res, FOLD_RES, cty, row, 1, col, n, tl, TILE_PITCH);
#else
#define READ_RES(row, col, n)
#endif
#if IMAGE
#define PUT_ENDED(v, at, j, left, p) *(__local wide_at_texel *)((p) + 4 * (j)) = (v);
#define PUT_RUN(row, col, n, p) write_texels(y, FOLD_Y, cty, row, 1, col, n, p, NR);
#else
#define PUT_ENDED(v, at, j, left, p)                                                               \
    if ((left) >= TEXELS)                                                                          \
        VSTOREW(v, AT_TEXEL(y, (at) + (j)));                                                       \
    else                                                                                           \
        store_part(v, AT_TEXEL(y, (at) + (j)), left);
#define PUT_RUN(row, col, n, p)
#endif
#define PUT_WIDE(row, col, nt, n, p)                                                               \
    {                                                                                              \
        const size_t at = (size_t)(row)*cty + (col);                                               \
                                                                                                   \
        READ_RES(row, col, n)                                                                      \
        for (int j = 0; j < (n); j += TEXELS) {                                                    \
            const wide sums = SCALE(*(__local const wide_at_texel *)((p) + 4 * j));                \
            const wide biased = WITH_BIAS(sums, (CONV ? (col) : (nt)) + j, (n)-j);                 \
            const wide ended = WITH_RES(biased, at, j, (n)-j);                                     \
            const wide v = ACTIVATE(ended, N - 4 * ((nt) + j));                                    \
                                                                                                   \
            PUT_ENDED(v, at, j, (n)-j, p)                                                          \
        }                                                                                          \
        PUT_RUN(row, col, n, p)                                                                    \
    }
#if CONV == 2
#define PUT_ROW(batch, m, nt, left, p)                                                             \
    {                                                                                              \
        const int p_y = (m) / OW * UH + phase_y, p_x = (m) % OW * UW + phase_x;                    \
                                                                                                   \
        if (p_y < FH && p_x < FW)                                                                  \
            PUT_WIDE(p_y *FW + p_x, nt, nt, left, p)                                               \
    }
#else
#define PUT_ROW(batch, m, nt, left, p)                                                             \
    PUT_WIDE((batch)*y_row + (m), (batch)*y_col + (nt), nt, left, p)
#endif
#endif
#define PUT_TILE(batch, m, nt, c)                                                                  \
    {                                                                                              \
        const int put_rows = min(MR, M - (m)), put_texels = min(NR / 4, nt_end - (nt));            \
                                                                                                   \
        for (int i = 0; i < put_rows; i++)                                                         \
            PUT_ROW(batch, (m) + i, nt, put_texels, (c) + i * NR)                                  \
    }

// Whole tiles of a buffer go there from registers, unless they would have to stay for a function:
// what local memory in between costs is a tenth of a product with k = 64.
#define FROM_REGISTERS (!IMAGE && VW == 16 && CONV != 2 && ACT <= 1)
#if FROM_REGISTERS
#define PUT_SUMS(NVS, c)                                                                           \
    if (whole) {                                                                                   \
        const size_t at = (size_t)(batch * y_row + m) * cty + batch * y_col + nt;                  \
                                                                                                   \
        EACH_I EACH_J(NVS)                                                                         \
        {                                                                                          \
            const int at_bias = (CONV ? batch * y_col + nt : nt) + 4 * j;                          \
            const wide biased = WITH_BIAS(SCALE(acc[i][j]), at_bias, TEXELS);                      \
            const wide ended = WITH_RES(biased, at + (size_t)i * cty, 4 * j, TEXELS);              \
                                                                                                   \
            VSTOREW(ACTIVATE(ended, WIDE), AT_TEXEL(y, at + (size_t)i * cty + 4 * j));             \
        }                                                                                          \
    } else {                                                                                       \
        KEEP_SUMS(NVS, c)                                                                          \
    }
#else
#define PUT_SUMS KEEP_SUMS
#endif

// Texels [kt0, kt0 + kts) of k, tap by tap: n of tap (r, s) from its texel c on, the kt-th on.
#define EACH_TAP                                                                                   \
    for (int r = kt0 / CT / S, s = kt0 / CT % S, c = kt0 % CT, kt = 0, n;                          \
         n = min(CT - c, kts - kt), kt < kts;                                                      \
         kt += n, c = 0, r += s + 1 == S, s = s + 1 == S ? 0 : s + 1)

#if FEW
static inline float4 quarters(float16 v)
{
    const float8 a = v.lo + v.hi;

    return a.lo + a.hi;
}

// The lanes of each of four, added by halves.
static inline float4 added(float4 q0, float4 q1, float4 q2, float4 q3)
{
    return ((float4)(q0.x, q1.x, q2.x, q3.x) + (float4)(q0.z, q1.z, q2.z, q3.z)) +
           ((float4)(q0.y, q1.y, q2.y, q3.y) + (float4)(q0.w, q1.w, q2.w, q3.w));
}

// Sixteen k of columns n .. n + 3 of b.
#define ADD16(LOAD)                                                                                \
    {                                                                                              \
        float16 v[4];                                                                              \
                                                                                                   \
        EACH16(r, 4) v[r] = LOAD(r);                                                               \
        EACH_I                                                                                     \
        {                                                                                          \
            const float16 av = LOCAL16(ap + i * depth);                                            \
                                                                                                   \
            EACH16(r, 4) acc[r][i] = fma(av, v[r], acc[r][i]);                                     \
        }                                                                                          \
        ap += 16;                                                                                  \
    }
#if IMAGE
#define TILE16(r) LOCAL16(tl + (r)*TILE_PITCH + 4 * q)
#define ADD_COLUMNS(n)                                                                             \
    for (int kt = 0, kts; kt < KT; kt += kts) {                                                    \
        kts = min(BK / 4, KT - kt);                                                                \
        read_texels(b, FOLD_B, ctb, batch *b_row + (n), min(4, N - (n)), batch *b_col + kt, kts,   \
                    tl, TILE_PITCH);                                                               \
        clear_texels(4, -kts & 3, tl + 4 * kts, TILE_PITCH);                                       \
        for (int q = 0; q < kts; q += 4)                                                           \
            ADD16(TILE16)                                                                          \
    }
#else
#define COLUMN(r)    TEXEL_OF(b, ctb, batch *b_row + min(n + (r), N - 1), batch *b_col)
#define WHOLE16(r)   GLOBAL16(from[r] + 4 * kt)
#define TEXEL_IN(j, r) (kt + (j) < KT ? VLOAD4(kt + (j), from[r]) : (float4)(0))
#define PART16(r)                                                                                  \
    (float16)(TEXEL_IN(0, r), TEXEL_IN(1, r), TEXEL_IN(2, r), (float4)(0))
#define ADD_COLUMNS(n)                                                                             \
    {                                                                                              \
        __global const store_t *const from[4] = {COLUMN(0), COLUMN(1), COLUMN(2), COLUMN(3)};      \
        int kt = 0;                                                                                \
                                                                                                   \
        for (; kt + 4 <= KT; kt += 4)                                                              \
            ADD16(WHOLE16)                                                                         \
        if (kt < KT)                                                                               \
            ADD16(PART16)                                                                          \
    }
#endif
// One texel of each row of y.
#define STRIP(t)                                                                                   \
    {                                                                                              \
        const int n = n0 + 4 * (t);                                                                \
        __local const float *ap = al;                                                              \
        float16 acc[4][MR];                                                                        \
        float4 sums[MR];                                                                           \
                                                                                                   \
        EACH16(r, 4) EACH_I acc[r][i] = (float16)(0);                                              \
        ADD_COLUMNS(n)                                                                             \
        EACH_I sums[i] = keep_lanes(added(quarters(acc[0][i]), quarters(acc[1][i]),                \
                                          quarters(acc[2][i]), quarters(acc[3][i])),               \
                                    N - n);                                                        \
        EACH_I if (i < M) GEMM_PUT(batch, i, n / 4, sums[i])                                       \
    }

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void gemm_staged(GEMM_PARAMS)
{
    __local float pool[POOL] __attribute__((aligned(64)));

    const int depth = 4 * ((KT + 3) & -4), n0 = get_group_id(0) * BN, batch = get_group_id(1);
    const int strips = (min(BN, N - n0) + 3) / 4;
    __local float *al = pool, *tl = al + MR * depth;

    LOAD_BEGIN(batch * get_num_groups(0) + get_group_id(0), get_num_groups(0) * batches, strips)
    clear_texels(MR, depth / 4, al, depth);
    read_texels(a, FOLD_A, cta, batch * a_row, M, batch * a_col, KT, al, depth);

    int t = 0;
#if FORM == 2
    for (const int end = min(strips, LOAD_ITERS); t < end; t++) {
        LOAD_STEP(t);
        STRIP(t)
    }
    for (; t < strips; t++)
        STRIP(t)
#else
    for (; t < strips; t++) {
        LOAD_STEP(t);
        STRIP(t)
    }
#endif
    LOAD_END();
}
#else
// The rows of a block of a, from m = m0 + pm * MR on: A_OF(A_ROW(i), k). Those of a buffer are used
// where they are; others stand in al, but for a transposed a, which lies there in panels of MR rows,
// al[panel][k][row]. Behind the last row come the last one's results, which nothing takes.
#define A_SPACE     __local
#define A_OF(p, k)  (p)[k]
#define A_ROW(i)    (al + (m - m0 + (i)) * A_PITCH)
#if TA // texels lie along m
#define STAGE_A                                                                                    \
    stage_across(a, FOLD_A, cta, batch *a_row + 4 * kt0, K - 4 * kt0, depth,                       \
                 batch *a_col + m0 / 4, (min(rows, M - m0) + 3) / 4, rows / 4, tl, TILE_ROOM, al,  \
                 MR, A_PANEL);
#undef A_ROW
#define A_ROW(i)   (al + pm * A_PANEL + (i))
#undef A_OF
#define A_OF(p, k) (p)[(k)*MR]
#elif CONV
#if PATCH
#define READ_PIXELS(row, n_rows, p)                                                                \
    for (int at_row = 0; at_row < (n_rows); at_row++)                                              \
        for (int j = 0; j < n; j++)                                                                \
            vstore4(vload4(((row) + at_row - patch_row) * CT + c + j, xl), j,                      \
                    (p) + at_row * A_PITCH);
#else
#define READ_PIXELS(row, n_rows, p)                                                                \
    read_texels(a, FOLD_A, cta, row, n_rows, batch *a_col + c, n, p, A_PITCH);
#endif
#if MR == 8
typedef int8 pixels;
#define PIXELS       (pixels)(0, 1, 2, 3, 4, 5, 6, 7)
#define STORE_PIXELS vstore8
#else
typedef int4 pixels;
#define PIXELS       (pixels)(0, 1, 2, 3)
#define STORE_PIXELS vstore4
#endif
// Rows of x are mostly neighbours, as the pixels of y are.
#define STAGE_A                                                                                    \
    for (int i = 0; i < rows; i += MR) {                                                           \
        const pixels m = m0 + i + PIXELS, my = PIXEL_Y(m), mx = PIXEL_X(m);                        \
                                                                                                   \
        EACH_TAP                                                                                   \
        {                                                                                          \
            const pixels iy = TAP_Y(my, r), ix = TAP_X(mx, s);                                     \
            const pixels in = TAP_HERE(r, s) ? INSIDE(iy, ix) & (m < M) : (pixels)(0);             \
            const pixels row = select((pixels)(-1), iy * W + ix, in);                              \
            __local float *const to = al + i * A_PITCH + 4 * kt;                                   \
                                                                                                   \
            if (row.s0 >= 0 && all(row == row.s0 + PIXELS)) {                                      \
                READ_PIXELS(row.s0, MR, to)                                                        \
            } else {                                                                               \
                int each[MR];                                                                      \
                                                                                                   \
                STORE_PIXELS(row, 0, each);                                                        \
                for (int l = 0; l < MR; l++)                                                       \
                    if (each[l] < 0)                                                               \
                        clear_texels(1, n, to + l * A_PITCH, A_PITCH);                      \
                    else                                                                           \
                        READ_PIXELS(each[l], 1, to + l * A_PITCH)                               \
            }                                                                                      \
        }                                                                                          \
    }
#elif IMAGE || HALF
#define STAGE_A                                                                                    \
    read_texels(a, FOLD_A, cta, batch *a_row + m0, min(rows, M - m0), batch *a_col + kt0, kts, al, \
                A_PITCH);
#undef A_ROW
#define A_ROW(i) (al + (m - m0 + min(i, M - 1 - m)) * A_PITCH)
#else
#define STAGE_A
#undef A_SPACE
#define A_SPACE __global
#undef A_ROW
#define A_ROW(i) TEXEL_OF(a, cta, batch *a_row + m + min(i, M - 1 - m), batch *a_col + kt0)
#endif

// `panels` panels of b from column n on: bl[panel][k][column].
#if !TB // texels lie along n: so many panels at a time that a row is read in runs
#define PANELS 4
#define STAGE_B(n, panels)                                                                         \
    stage_across(b, FOLD_B, ctb, batch *b_row + 4 * kt0, K - 4 * kt0, depth,                       \
                 batch *b_col + (n) / 4, (min((panels)*NR, N - (n)) + 3) / 4, (panels)*NR / 4, tl, \
                 TILE_ROOM, bl, NR, B_PANEL);
#else
#define PANELS 1
#define B_ROWS (NR < 16 ? NR : 16)
#if CONV == 2
#define STAGE_B(n0_b, panels)                                                                      \
    for (int i = 0; i < NR; i += B_ROWS) {                                                         \
        const int here = clamp(N - (n0_b)-i, 0, B_ROWS);                                           \
                                                                                                   \
        EACH_TAP                                                                                   \
        {                                                                                          \
            const int there = TAP_HERE(r, s) ? here : 0;                                           \
            __local float *const to = tl + 4 * kt;                                                 \
                                                                                                   \
            if (there > 0)                                                                         \
                read_texels(b, FOLD_B, ctb, (n0_b) + i, there, TAP_COL(r, s) + c, n, to,           \
                            TILE_PITCH);                                                           \
            clear_texels(B_ROWS - there, n, to + there * TILE_PITCH, TILE_PITCH);                  \
        }                                                                                          \
        pack_tile(tl, TILE_PITCH, B_ROWS, depth, bl + i, NR);                                      \
    }
#else
#define STAGE_B(n, panels)                                                                         \
    for (int i = 0; i < NR; i += B_ROWS)                                                           \
        stage_rows(b, FOLD_B, ctb, batch *b_row + (n) + i, N - (n)-i, B_ROWS, batch *b_col + kt0,  \
                   kts, tl, TILE_PITCH, bl + i, NR);
#endif
#endif

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void gemm_staged(GEMM_PARAMS)
{
    __local float pool[POOL] __attribute__((aligned(64)));
    __local float *al = pool, *bl = al + BM * (BK + 4);
    __local float *cl = bl + (PANELS * NR * (BK + 2) + 15) / 16 * 16, *tl = cl + BM * BN;

    const int gn = get_group_id(ORDER - 1), gm = get_group_id(2 - ORDER);
    const int m_blocks = (M + BM - 1) / BM, n_blocks = (N + BN - 1) / BN;
    const int bm = EVEN(M, m_blocks, MR), bn = EVEN(N, n_blocks, NR);
    const int batch = gm / m_blocks;
    const int m0 = (gm - batch * m_blocks) * bm, n0 = gn * bn;
    const int mp = (min(bm, M - m0) + MR - 1) / MR, np = (min(bn, N - n0) + NR - 1) / NR;
    const int rows = mp * MR, tiles = mp * np, passes = (4 * KT + BK - 1) / BK;
    const int nt_end = (N + 3) / 4, kept = passes > 1 ? TILE : 0; // from tile to tile
    int it = 0;

    CONV_BEGIN(batch)
    LOAD_BEGIN(get_group_id(1) * get_num_groups(0) + get_group_id(0),
               get_num_groups(0) * get_num_groups(1), tiles * passes)

#if PATCH // rows of x from the first tap of the first result to the last of the last
    __local float *xl = tl + TILE_ROOM;
    const int y0 = PIXEL_Y(m0), y1 = PIXEL_Y(min(m0 + bm, M) - 1), r_end = KT / CT / S - 1;
    const int patch_row = clamp(min(y0, TAP_Y(y0, r_end)), 0, H) * W;
    const int patch_end = clamp(max(y1, TAP_Y(y1, r_end)) + 1, 0, H) * W;

    if (patch_row < patch_end)
        read_texels(a, FOLD_A, cta, patch_row, patch_end - patch_row, batch * a_col, CT, xl,
                    4 * CT);
#endif

    for (int kt0 = 0; kt0 < KT; kt0 += BK / 4) {
        const int kts = min(BK / 4, KT - kt0), depth = 4 * kts;

        STAGE_A

#define RESULT(t)                                                                                  \
    {                                                                                              \
        const int pn = (t) / mp, pm = (t)-pn * mp;                                                 \
        const int m = m0 + pm * MR, nt = (n0 + pn * NR) / 4, last = kt0 + kts == KT;               \
        const int whole = FROM_REGISTERS && last && m + MR <= M && nt + NR / 4 <= nt_end;          \
                                                                                                   \
        if (pm == 0 && pn % PANELS == 0)                                                           \
            STAGE_B(n0 + pn * NR, min(PANELS, np - pn))                                            \
        if (NV > 1 && nt + VW / 4 >= nt_end)                                                       \
            MICRO(bl + pn % PANELS * B_PANEL, depth, kt0 == 0, cl + (t)*kept, 1, KEEP_SUMS)        \
        else                                                                                       \
            MICRO(bl + pn % PANELS * B_PANEL, depth, kt0 == 0, cl + (t)*kept, NV, PUT_SUMS)        \
        if (last && !whole)                                                                        \
            PUT_TILE(batch, m, nt, cl + (t)*kept)                                                  \
    }
        int t = 0;
#if FORM == 2
        for (const int end = min(tiles, LOAD_ITERS - it); t < end; t++) {
            LOAD_STEP(it + t);
            RESULT(t)
        }
        for (; t < tiles; t++)
            RESULT(t)
#else
        for (; t < tiles; t++) {
            LOAD_STEP(it + t);
            RESULT(t)
        }
#endif
        it += tiles;
    }
    LOAD_END();
}
#endif
