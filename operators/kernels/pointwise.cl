// The items of element-wise kernels, which it comes before.
//   tensors : [rows, cols], ct texels a row     grid: (ceil(ct / VT), rows) or more, any local size
//   item    : VT texels of row gid 1, in vectors of WIDE elements. The items of a group take turns
//             along the row, so that neighbours touch neighbours.
//
// EACH_VECTOR(DO)  DO(r, c) for each vector of the item: row r, first texel column c
#ifndef VT
#define VT 1 // texels of an item
#endif
#define VECTORS (VT / TEXELS)

#define ITEM_BEGIN                                                                                 \
    const int r = (int)get_global_id(1), step = (int)get_local_size(0) * TEXELS;                   \
    const int first = (int)get_group_id(0) * step * VECTORS + (int)get_local_id(0) * TEXELS;       \
    const int mine = r < rows && first < ct ? min(VECTORS, (ct - first + step - 1) / step) : 0;    \
    int i = 0;                                                                                     \
    LOAD_BEGIN(get_global_id(1) * get_global_size(0) + get_global_id(0),                           \
               get_global_size(0) * get_global_size(1), VECTORS)

#if FORM == 2
#define EACH_VECTOR(DO)                                                                            \
    ITEM_BEGIN                                                                                     \
    for (const int both = min(LOAD_ITERS, mine); i < both; i++) {                                  \
        LOAD_STEP(i)                                                                               \
        DO(r, first + i * step);                                                                   \
    }                                                                                              \
    for (; i < mine; i++)                                                                          \
        DO(r, first + i * step);                                                                   \
    LOAD_END()
#else
#define EACH_VECTOR(DO)                                                                            \
    ITEM_BEGIN                                                                                     \
    for (; i < mine; i++) {                                                                        \
        LOAD_STEP(i)                                                                               \
        DO(r, first + i * step);                                                                   \
    }                                                                                              \
    LOAD_END()
#endif
