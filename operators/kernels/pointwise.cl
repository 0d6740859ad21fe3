// The items of element-wise kernels, which it comes before.
//   tensors : [rows, cols], ct texels a row     grid: (ceil(ct / VT), rows) or more, any local size
//   item    : VT texels of row gid 1, in vectors of WIDE elements. The items of a group take turns
//             along the row, so that neighbours touch neighbours.
//   FOLD_Y and VT 1: the grid is the folded image of y, whose rows hold many rows of the tensor or
//             a part of one: writing strips of an image takes a GPU twice as long as writing tiles.
//
// EACH_VECTOR(DO)  DO(r, c) for each vector of the item: row r, first texel column c
#ifndef VT
#define VT 1 // texels of an item
#endif
#define VECTORS (VT / TEXELS)

// On PoCL an image's vector is a function of its own, write_apart() (why: OF_ITS_OWN in texel.cl): an
// addition of 4096 x 4096 takes 15.5 ms for 20.6, gelu 12.8 for 20.6.
#if IMAGE && defined(POCL_DEVICE_ADDRESS_BITS)
#define APART 1
#else
#define APART 0
#endif

#if FOLD_Y && VT == 1
#define ITEM                                                                                       \
    const uint texel = (uint)get_global_id(1) << FOLD_SHIFT | (uint)get_global_id(0);              \
    const int r = (int)(texel / (uint)ct), first = (int)(texel % (uint)ct), step = 1;              \
    const int mine = get_global_id(0) <= FOLD_MASK && r < rows;                                    \
    int i = 0;
#else
#define ITEM                                                                                       \
    const int r = (int)get_global_id(1), step = (int)get_local_size(0) * TEXELS;                   \
    const int first = (int)get_group_id(0) * step * VECTORS + (int)get_local_id(0) * TEXELS;       \
    const int mine = r < rows && first < ct ? min(VECTORS, (ct - first + step - 1) / step) : 0;    \
    int i = 0;
#endif
#define ITEM_LOAD                                                                                  \
    LOAD_BEGIN(get_global_id(1) * get_global_size(0) + get_global_id(0),                           \
               get_global_size(0) * get_global_size(1), VECTORS)

#if FORM != 0 && VECTORS == 1 && LOAD_BLOCK
// The one vector of an item takes a CPU about as long as to find the item's share of the load: the
// first item of a group carries the group's, before the others begin. Without a load PoCL then asks
// each group, not each item (4 % of add and gelu on images).
#define EACH_VECTOR(DO)                                                                            \
    if (LOAD_TOTAL > 0) {                                                                          \
        if (get_local_id(0) + get_local_id(1) == 0) {                                              \
            LOAD_BEGIN(get_group_id(1) * get_num_groups(0) + get_group_id(0),                      \
                       get_num_groups(0) * get_num_groups(1), 1)                                   \
            LOAD_STEP(0)                                                                           \
        }                                                                                          \
        barrier(CLK_LOCAL_MEM_FENCE);                                                              \
    }                                                                                              \
    ITEM                                                                                           \
    if (mine)                                                                                      \
        DO(r, first);
#elif FORM == 2 && VECTORS == 1
// The only iteration carries all. Loops for what more there might be would cost a GPU registers: 63
// for 30 in gelu, so half as many items at once.
#define EACH_VECTOR(DO)                                                                            \
    ITEM                                                                                           \
    LOAD_APART(get_global_id(1) * get_global_size(0) + get_global_id(0),                           \
               get_global_size(0) * get_global_size(1))                                            \
    if (mine)                                                                                      \
        DO(r, first);
#elif FORM == 2
#define EACH_VECTOR(DO)                                                                            \
    ITEM ITEM_LOAD                                                                                 \
    for (const int both = min(LOAD_ITERS, mine); i < both; i++) {                                  \
        LOAD_STEP(i)                                                                               \
        DO(r, first + i * step);                                                                   \
    }                                                                                              \
    for (; i < mine; i++)                                                                          \
        DO(r, first + i * step);                                                                   \
    LOAD_END()
#else
#define EACH_VECTOR(DO)                                                                            \
    ITEM ITEM_LOAD                                                                                 \
    for (; i < mine; i++) {                                                                        \
        LOAD_STEP(i)                                                                               \
        DO(r, first + i * step);                                                                   \
    }                                                                                              \
    LOAD_END()
#endif
