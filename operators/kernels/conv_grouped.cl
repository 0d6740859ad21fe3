// Convolution whose channel groups share texels: depthwise filters above all.
//
//   arguments and the end of a result: gemm.cl, CONV 1; a matrix of the batch is a group, so
//   N counts the channels of y of one group, CG those of x
//   grid: TEXELS texel columns of y x tiles of up to TR rows of up to TP pixels of y, as even as
//   can be
//   DEPTHWISE 1: a channel of y has one of x, the same; vectors of WIDE channels, 4 without
//   STAGE: vectors of x that a tile meets, STAGE_TAPS: taps; read once into private memory, which
//   is for CPUs; 0: every tap reads its own. Any size.
//
// Each result is one chain acc = fma(x, w, acc), k ascending, as in gemm_direct.cl.
#ifndef TP
#define TP 8 // pixels of a tile
#endif
#ifndef TR
#define TR 8 // rows of a tile
#endif
#define STRIP (TP < 8 ? TP : 8) // pixels whose sums are in registers
#ifndef DEPTHWISE
#define DEPTHWISE 0
#endif
#ifndef STAGE
#define STAGE      0
#define STAGE_TAPS 0
#endif

static inline float lane(float4 v, int i)
{
    return i & 2 ? (i & 1 ? v.w : v.z) : (i & 1 ? v.y : v.x);
}

__kernel void conv_grouped(GEMM_PARAMS)
{
    const int nt = get_global_id(0) * TEXELS, tile = get_global_id(1);
    const int cout = N * batches, taps = KT / CT, OH = M / OW;
    const int tiles_x = (OW + TP - 1) / TP, tiles_y = (OH + TR - 1) / TR;
    const int tile_w = (OW + tiles_x - 1) / tiles_x, tile_h = (OH + tiles_y - 1) / tiles_y;
    const int oy0 = tile / tiles_x * tile_h, ox0 = tile % tiles_x * tile_w;
    const int iy0 = oy0 * SH - PH, ix0 = ox0 * SW - PW;
    const int oy_end = min(oy0 + tile_h, OH), ox_end = min(ox0 + tile_w, OW);

    if (nt >= cty || tile >= tiles_x * tiles_y)
        return;

    LOAD_BEGIN(tile * ((cty + TEXELS - 1) / TEXELS) + nt / TEXELS,
               tiles_x * tiles_y * ((cty + TEXELS - 1) / TEXELS), tile_h)

#if DEPTHWISE
#define GET_X(iy, ix) (INSIDE(iy, ix) ? GETW(a, FOLD_A, cta, (iy)*W + (ix), nt) : (wide)(0))
#define GET_W(ret, tap)                                                                            \
    {                                                                                              \
        float of_lane[WIDE];                                                                       \
                                                                                                   \
        _Pragma("unroll") for (int l = 0; l < WIDE; l++) of_lane[l] =                              \
            GET(b, FOLD_B, ctb, min(4 * nt + l, cout - 1), tap).x;                                 \
        ret = WIDE_NAME(vload, WIDE)(0, of_lane);                                                  \
    }
#if STAGE
    wide px[STAGE], wt[STAGE_TAPS];
    // to the last strip's last pixel
    const int width = TAP_X(((tile_w + STRIP - 1) / STRIP * STRIP - 1) * SW, S - 1) + 1;
    const int height = TAP_Y((tile_h - 1) * SH, taps / S - 1) + 1;
    const int x_from = clamp(-ix0, 0, width), x_to = clamp(W - ix0, x_from, width);

    for (int y = 0; y < height; y++) {
        const int in = iy0 + y >= 0 && iy0 + y < H, from = in ? x_from : width;
        wide *const p = px + y * width;

        for (int x = 0; x < from; x++)
            p[x] = (wide)(0);
        for (int x = from; x < x_to; x++)
            p[x] = GETW(a, FOLD_A, cta, (iy0 + y) * W + ix0 + x, nt);
        for (int x = max(from, x_to); x < width; x++)
            p[x] = (wide)(0);
    }
    for (int tap = 0; tap < taps; tap++)
        GET_W(wt[tap], tap)
#define TAP(i, j0, r, s, tap)                                                                      \
    {                                                                                              \
        const wide *const p = px + TAP_Y((i)*SH, r) * width + TAP_X((j0)*SW, s);                   \
        const wide w = wt[tap];                                                                    \
                                                                                                   \
        EACH_PIXEL acc[j] = fma(p[j * SW], w, acc[j]);                                           \
    }
#else
#define TAP(i, j0, r, s, tap)                                                                      \
    {                                                                                              \
        const int iy = TAP_Y(iy0 + (i)*SH, r);                                                     \
        wide w;                                                                                    \
                                                                                                   \
        GET_W(w, tap)                                                                              \
        EACH_PIXEL                                                                                 \
        {                                                                                          \
            const int ix = TAP_X(ix0 + ((j0) + j) * SW, s);                                        \
                                                                                                   \
            acc[j] = fma(GET_X(iy, ix), w, acc[j]);                                                \
        }                                                                                          \
    }
#endif
#else
    const int4 n = min(4 * nt + (int4)(0, 1, 2, 3), cout - 1);

#define GET_X(iy, ix, c) (INSIDE(iy, ix) ? GET(a, FOLD_A, cta, (iy)*W + (ix), c) : (float4)(0))
#define TAP(i, j0, r, s, tap)                                                                      \
    for (int c = 0; c < CG; c++) {                                                                 \
        const int4 xc = n / N * CG + c;                                                            \
        const int col = (tap)*CT + c / 4, iy = TAP_Y(iy0 + (i)*SH, r);                             \
        const float4 w = (float4)(lane(GET(b, FOLD_B, ctb, n.x, col), c),                          \
                                  lane(GET(b, FOLD_B, ctb, n.y, col), c),                          \
                                  lane(GET(b, FOLD_B, ctb, n.z, col), c),                          \
                                  lane(GET(b, FOLD_B, ctb, n.w, col), c));                         \
                                                                                                   \
        for (int j = 0; j < STRIP; j++) {                                                          \
            const int ix = TAP_X(ix0 + ((j0) + j) * SW, s);                                               \
            const float4 x =                                                                       \
                (float4)(lane(GET_X(iy, ix, xc.x / 4), xc.x), lane(GET_X(iy, ix, xc.y / 4), xc.y), \
                         lane(GET_X(iy, ix, xc.z / 4), xc.z),                                      \
                         lane(GET_X(iy, ix, xc.w / 4), xc.w));                                     \
                                                                                                   \
            acc[j] = fma(x, w, acc[j]);                                                            \
        }                                                                                          \
    }
#endif

#define EACH_PIXEL _Pragma("unroll") for (int j = 0; j < STRIP; j++)
#define SUMS(i, j0)                                                                                \
    for (int r = 0, tap = 0; tap < taps; r++)                                                      \
        for (int s = 0; s < S; s++, tap++)                                                         \
            TAP(i, j0, r, s, tap)
#define ROW(i)                                                                                     \
    for (int j0 = 0; ox0 + j0 < ox_end; j0 += STRIP) {                                             \
        wide acc[STRIP];                                                                           \
                                                                                                   \
        EACH_PIXEL acc[j] = (wide)(0);                                                             \
        SUMS(i, j0)                                                                                \
        EACH_PIXEL                                                                                 \
        {                                                                                          \
            const int ox = ox0 + j0 + j, row = (oy0 + (i)) * OW + ox;                              \
            const wide sums = keep_wide(acc[j], cout - 4 * nt);                                    \
                                                                                                   \
            if (ox < ox_end)                                                                       \
                GEMM_PUT_AT(row, nt, nt, sums, cout - 4 * nt);                                     \
        }                                                                                          \
    }

    const int rows = oy_end - oy0;
    int i = 0;
#if FORM == 2
    for (const int end = min(LOAD_ITERS, rows); i < end; i++) {
        LOAD_STEP(i);
        ROW(i)
    }
    for (; i < rows; i++)
        ROW(i)
#else
    for (; i < rows; i++) {
        LOAD_STEP(i);
        ROW(i)
    }
#endif
    LOAD_END();
}
