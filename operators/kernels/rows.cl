// Reductions along rows, for groups of WG items in x (a power of two) and WR rows in y. Comes
// before kernels that use it.
//
//   An item takes vectors of TEXELS neighbouring texels: l, l + WG, ... of its row (AT(j) is the
//   first texel column of its j-th).
//   STRANDS : texel c of a row belongs to strand c % STRANDS. A strand adds its texels in order,
//             lane by lane, and the strands are added by halves, the four lanes last. WG, WR and
//             WIDE decide who does that, not in which order: no local size changes a bit.
//   KEPT    : vectors that an item can keep from one pass to the next: all of its own; 0: none
//   UNROLL  1: loops over kept vectors have KEPT turns, so that they stay in registers (GPU)
//
// EACH(j, n) {}           for the item's vectors j = 0..n-1; slot[SLOT(j)] is their strands'
// EACH_APART(j, n) {}     the same without slots
// EACH_LOADING(EACH, j, n, ...) one of these, with an iteration of extra load in each, between
//                         ROWS_LOAD_BEGIN(n) and ROWS_LOAD_END()
// ROWS_LOAD_APART         first of all: GPUs in the pipelined form carry here, and nothing there.
//                         Memory bounds rows, so there is nothing to hide a load behind, and beside
//                         the row in registers it costs half of the items (softmax: 80 for 40)
#ifndef WG
#define WG 1
#endif
#ifndef WR
#define WR 1
#endif
#ifndef STRANDS
#define STRANDS 16
#endif
#ifndef KEPT
#define KEPT 0
#endif
#ifndef UNROLL
#define UNROLL 0
#endif

// A CPU's cache keeps what was read from a buffer.
#define KEEP_READ (IMAGE || UNROLL)

#define SLOTS (STRANDS / (WG * TEXELS)) // accumulators of an item
#define AT(j) ((l + (j)*WG) * TEXELS)
// How many vectors of a row's first so many texels are the item's.
#define VECTORS_OF(texels) ((((texels) + TEXELS - 1) / TEXELS - l + WG - 1) / WG)

#if KEPT && UNROLL
#define SLOT(j) ((j) % SLOTS)
#define EACH(j, n) _Pragma("unroll") for (int j = 0; j < KEPT; j++) if (j < (n))
#elif SLOTS == 1
#define SLOT(j) 0
#define EACH(j, n) for (int j = 0; j < (n); j++)
#else
#define SLOT(j) slot_of
#define EACH(j, n)                                                                                 \
    for (int j##_from = 0; j##_from < (n); j##_from += SLOTS)                                      \
        _Pragma("unroll") for (int slot_of = 0, j = j##_from; slot_of < SLOTS; slot_of++, j++)     \
        if (j < (n))
#endif
// Without slots: a plain loop where kept vectors are in memory.
#if KEPT && UNROLL
#define EACH_APART EACH
#else
#define EACH_APART(j, n) for (int j = 0; j < (n); j++)
#endif

#if FORM == 2 && UNROLL
#define ROWS_LOAD_APART                                                                            \
    LOAD_APART(get_global_id(1) * get_global_size(0) + get_global_id(0),                           \
               get_global_size(0) * get_global_size(1))
#define ROWS_LOAD_BEGIN(n)
#define ROWS_LOAD_END()
#else
#define ROWS_LOAD_APART
#define ROWS_LOAD_BEGIN(n)                                                                         \
    LOAD_BEGIN(get_global_id(1) * get_global_size(0) + get_global_id(0),                           \
               get_global_size(0) * get_global_size(1), n)
#define ROWS_LOAD_END() LOAD_END()
#endif
#if FORM == 2 && UNROLL
#define EACH_LOADING(EACH, j, n, ...)                                                             \
    EACH(j, n)                                                                                     \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#elif FORM == 2
#define EACH_LOADING(EACH, j, n, ...)                                                             \
    if (LOAD_ITERS > 0) {                                                                          \
        EACH(j, n)                                                                                 \
        {                                                                                          \
            LOAD_STEP(j)                                                                           \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    } else {                                                                                       \
        EACH(j, n)                                                                                 \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#else
#define EACH_LOADING(EACH, j, n, ...)                                                             \
    EACH(j, n)                                                                                     \
    {                                                                                              \
        LOAD_STEP(j)                                                                               \
        __VA_ARGS__                                                                                \
    }
#endif

#define PLUS(a, b) ((a) + (b))
// The strands' results joined by OP, over an item's slots, over items, over texels.
// By fours in place while there are more than eight, then all of them by every item: few barriers.
#define BY_FOURS(OP, left)                                                                         \
    if (l < (left)) {                                                                              \
        _Pragma("unroll") for (int k = 0; k < 4; k++) some[k] = part[l + k * (left)];              \
        HALVES(OP, some, 4)                                                                        \
        part[l] = some[0];                                                                         \
    }                                                                                              \
    barrier(CLK_LOCAL_MEM_FENCE);
#if WG > 32
#define REMAIN (WG / 16)
#define FOURS(OP) BY_FOURS(OP, WG / 4) BY_FOURS(OP, WG / 16)
#elif WG > 8
#define REMAIN (WG / 4)
#define FOURS(OP) BY_FOURS(OP, WG / 4)
#else
#define REMAIN WG
#define FOURS(OP)
#endif
#if WG > 1
#define OVER_ITEMS(OP, v)                                                                          \
    wide some[8];                                                                                  \
    part[l] = v;                                                                                   \
    barrier(CLK_LOCAL_MEM_FENCE);                                                                  \
    FOURS(OP)                                                                                      \
    _Pragma("unroll") for (int k = 0; k < REMAIN; k++) some[k] = part[k];                          \
    HALVES(OP, some, REMAIN)                                                                       \
    v = some[0];
#else
#define OVER_ITEMS(OP, v)
#endif
#if WIDE == 16
#define OVER_TEXELS(OP, v)                                                                         \
    const float8 v8 = OP(v.lo, v.hi);                                                              \
    const float4 v4 = OP(v8.lo, v8.hi);
#elif WIDE == 8
#define OVER_TEXELS(OP, v) const float4 v4 = OP(v.lo, v.hi);
#else
#define OVER_TEXELS(OP, v) const float4 v4 = v;
#endif
#define JOIN(OP)                                                                                   \
    wide v;                                                                                        \
    HALVES(OP, slot, SLOTS)                                                                        \
    v = slot[0];                                                                                   \
    OVER_ITEMS(OP, v)                                                                              \
    OVER_TEXELS(OP, v)                                                                             \
    return OP(OP(v4.x, v4.y), OP(v4.z, v4.w));

// The sum of a row from its items' slots, or its maximum but for NaN. Every item of the group must
// call it, and gets the result; part: WG vectors of the row's, other ones for each call.
static inline float join_sum(__local wide *part, wide *slot, int l)
{
    JOIN(PLUS)
}

static inline float join_greater(__local wide *part, wide *slot, int l)
{
    JOIN(GREATER)
}

static inline void fill_slots(wide *slot, float v)
{
#pragma unroll
    for (int k = 0; k < SLOTS; k++)
        slot[k] = (wide)(v);
}

// v with elements n, n + 1, ... replaced.
static inline wide fill_behind(wide v, int n, float with)
{
    return n >= WIDE ? v : (WIDE_LANE < (iwide)(n) ? v : (wide)(with));
}

#if KEPT
#define KEPT_DECLARE wide kept[KEPT];
#else
#define KEPT_DECLARE
#endif
// A row that stays in registers is read at once: each read behind a condition of its own waits for the
// one before (H100, softmax of 4096 columns from images: 124 us for 98, of which a copy takes 94).
// Past the first `texels` of the row, the last vector of these is read again.
#if KEPT && UNROLL
#define KEEP_ROW(t, fold, texels)                                                                  \
    _Pragma("unroll") for (int j = 0; j < KEPT; j++) kept[j] =                                     \
        GETW(t, fold, ct, min(r, rows - 1), min(AT(j), max((texels)-1, 0) / TEXELS * TEXELS));
#else
#define KEEP_ROW(t, fold, texels)
#endif
#define ROWS_KERNEL __kernel __attribute__((reqd_work_group_size(WG, WR, 1))) void
// part1, part2: for two reductions. A row behind the last has no columns; its items still meet the
// others at barriers.
// On a GPU the items of a warp take 16 columns of two rows, which is how images lie in memory.
#define TILE (IMAGE && UNROLL && WG % 16 == 0)
#define ITEM_OF_GROUP ((int)get_local_id(1) * WG + (int)get_local_id(0))
#if TILE
#define ROW_OF_GROUP (ITEM_OF_GROUP / 16 % WR)
#define ITEM_OF_ROW (ITEM_OF_GROUP / 16 / WR * 16 + ITEM_OF_GROUP % 16)
#else
#define ROW_OF_GROUP ((int)get_local_id(1))
#define ITEM_OF_ROW ((int)get_local_id(0))
#endif
#define ROWS_BEGIN                                                                                 \
    __local wide parts[2 * WR * WG];                                                               \
    const int l = ITEM_OF_ROW, r = (int)get_group_id(1) * WR + ROW_OF_GROUP;                       \
    __local wide *part1 = parts + ROW_OF_GROUP * WG, *part2 = part1 + WR * WG;                     \
    wide slot[SLOTS];                                                                              \
    KEPT_DECLARE
