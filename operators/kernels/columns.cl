// Reductions down columns, for groups of WX items in x, each on its own column of vectors, and WY
// in y (a power of two up to STRANDS). Comes before kernels that use it.
//
//   The item reads rows ly, ly + WY, ...: ROW(i) is its i-th. Row r belongs to strand r % STRANDS;
//   a strand adds its rows in order, and the strands are added by halves, whatever WY is.
//
// EACH_ROW(i, n) {}      for the item's rows i = 0..n-1; slot[SLOT(i)] is their strand's
// JOIN_ROWS(OP, v)       v: the column's result from the items' slots, for every item of the group
#ifndef WX
#define WX 1
#endif
#ifndef WY
#define WY 1
#endif
#ifndef STRANDS
#define STRANDS 16
#endif

#define SLOTS (STRANDS / WY) // strands of an item
#define ROW(i) (ly + (i)*WY)
#define ROWS_OF(rows) (((rows)-ly + WY - 1) / WY)
#if SLOTS == 1 // some rows at once on their way from memory
#define SLOT(i) 0
#define EACH_ROW(i, n) _Pragma("unroll 8") for (int i = 0; i < (n); i++)
#else
#define SLOT(i) slot_of
#define EACH_ROW(i, n)                                                                             \
    for (int i##_from = 0; i##_from < (n); i##_from += SLOTS)                                      \
        _Pragma("unroll") for (int slot_of = 0, i = i##_from; slot_of < SLOTS; slot_of++, i++)     \
        if (i < (n))
#endif

#define PLUS(a, b) ((a) + (b))
#if WY > 1
#define OVER_ITEMS(OP, v)                                                                          \
    part[ly * WX + lx] = v;                                                                        \
    for (int h = WY / 2; h > 0; h /= 2) {                                                          \
        barrier(CLK_LOCAL_MEM_FENCE);                                                              \
        if (ly < h)                                                                                \
            part[ly * WX + lx] = OP(part[ly * WX + lx], part[(ly + h) * WX + lx]);                 \
    }                                                                                              \
    barrier(CLK_LOCAL_MEM_FENCE);                                                                  \
    v = part[lx];                                                                                  \
    barrier(CLK_LOCAL_MEM_FENCE);
#else
#define OVER_ITEMS(OP, v)
#endif
#define JOIN_ROWS(OP, v)                                                                           \
    HALVES(OP, slot, SLOTS)                                                                        \
    v = slot[0];                                                                                   \
    OVER_ITEMS(OP, v)

static inline void fill_slots(wide *slot, float v)
{
#pragma unroll
    for (int k = 0; k < SLOTS; k++)
        slot[k] = (wide)(v);
}
