// Matrix product with so few rows of a that there is nothing to reuse: every item reads its own
// texels of b, and the items of a group's row share the k of four results.
//
//   what is computed, arguments, TA, TB and the end of a result: gemm.cl
//   grid: LX items along x on one texel of y; y counts texels of y: columns, then rows, then batch
//   local: LX * LY texels. LX: a power of two up to STRIPS.
//
// Texel kt of k belongs to strip kt % STRIPS; a strip adds its texels in order, each as four fma(),
// and the strips are added by halves. Neither LX nor LY changes the order.
#define STRIPS 128
#define SLOTS_X (STRIPS / LX) // strips of an item
#define EACH(i, n) _Pragma("unroll") for (int i = 0; i < (n); i++)

#if TA // texels along m: one lane of each of four
#define A_LANE(k) lane_of(GET(a, FOLD_A, cta, a_row0 + (k), a_col0 + m / 4), m % 4)
#define GET_A(kt)                                                                                  \
    (float4)(A_LANE(4 * (kt)), 4 * (kt) + 1 < K ? A_LANE(4 * (kt) + 1) : 0.0f,                     \
             4 * (kt) + 2 < K ? A_LANE(4 * (kt) + 2) : 0.0f,                                       \
             4 * (kt) + 3 < K ? A_LANE(4 * (kt) + 3) : 0.0f)
static inline float lane_of(float4 v, int i)
{
    return i < 2 ? (i < 1 ? v.x : v.y) : (i < 3 ? v.z : v.w);
}
#else
#define GET_A(kt) GET(a, FOLD_A, cta, a_row0 + m, a_col0 + (kt))
#endif
#if TB
#define GET_B(l, kt) GET(b, FOLD_B, ctb, b_row0 + min(4 * nt + (l), N - 1), b_col0 + (kt))
// t0 .. t3 are texels of four n: their lanes x, y, z, w are four vectors along n
#define ADD_TEXEL(sum, av, t0, t1, t2, t3)                                                         \
    sum = fma((float4)(av.x), (float4)(t0.x, t1.x, t2.x, t3.x), sum);                              \
    sum = fma((float4)(av.y), (float4)(t0.y, t1.y, t2.y, t3.y), sum);                              \
    sum = fma((float4)(av.z), (float4)(t0.z, t1.z, t2.z, t3.z), sum);                              \
    sum = fma((float4)(av.w), (float4)(t0.w, t1.w, t2.w, t3.w), sum);
#else
#define GET_B(l, kt)                                                                               \
    (4 * (kt) + (l) < K ? GET(b, FOLD_B, ctb, b_row0 + 4 * (kt) + (l), b_col0 + nt) : (float4)(0))
#define ADD_TEXEL(sum, av, t0, t1, t2, t3)                                                         \
    sum = fma((float4)(av.x), t0, sum);                                                            \
    sum = fma((float4)(av.y), t1, sum);                                                            \
    sum = fma((float4)(av.z), t2, sum);                                                            \
    sum = fma((float4)(av.w), t3, sum);
#endif
#define STRIP(s, kt)                                                                               \
    {                                                                                              \
        const float4 av = GET_A(kt);                                                               \
        const float4 t0 = GET_B(0, kt), t1 = GET_B(1, kt), t2 = GET_B(2, kt), t3 = GET_B(3, kt);   \
                                                                                                   \
        ADD_TEXEL(sum[s], av, t0, t1, t2, t3)                                                      \
    }
#define ROUND(kt0) EACH(s, SLOTS_X) STRIP(s, (kt0) + s * LX + x)

__kernel __attribute__((reqd_work_group_size(LX, LY, 1))) void gemm_vector(GEMM_PARAMS)
{
    __local float4 part[LY][LX];

    const int x = get_local_id(0), ly = get_local_id(1), n_texels = (N + 3) / 4;
    const int at = get_global_id(1), inside = at < n_texels * M * batches;
    const int nt = at % n_texels, m = at / n_texels % M;
    const int batch = min(at / n_texels / M, batches - 1); // items past the end repeat another
    const int a_row0 = batch * a_row, a_col0 = batch * a_col;
    const int b_row0 = batch * b_row, b_col0 = batch * b_col;
    const int whole = KT / STRIPS * STRIPS;
    float4 sum[SLOTS_X];

    EACH(s, SLOTS_X) sum[s] = (float4)(0);
    LOAD_BEGIN(at * LX + x, (int)get_global_size(1) * LX, KT / STRIPS)

    int kt = 0;
#if FORM == 2
    for (const int end = min(LOAD_ITERS * STRIPS, whole); kt < end; kt += STRIPS) {
        LOAD_STEP(kt / STRIPS);
        ROUND(kt)
    }
    for (; kt < whole; kt += STRIPS)
        ROUND(kt)
#else
    for (; kt < whole; kt += STRIPS) {
        LOAD_STEP(kt / STRIPS);
        ROUND(kt)
    }
#endif
    EACH(s, SLOTS_X)
    if (whole + s * LX + x < KT)
        STRIP(s, whole + s * LX + x)
    LOAD_END();

    EACH(h, 7) // strips of this item by halves: 64, 32, ... while both are its own
    EACH(s, SLOTS_X)
    if (s < SLOTS_X >> (h + 1))
        sum[s] += sum[s + (SLOTS_X >> (h + 1))];
    part[ly][x] = sum[0];
    for (int h = LX / 2; h > 0; h /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (x < h)
            part[ly][x] += part[ly][x + h];
    }
    if (x == 0 && inside) {
        const float4 v = TB ? keep_lanes(part[ly][0], N - 4 * nt) : part[ly][0];

        GEMM_PUT(batch, m, nt, v)
    }
}
