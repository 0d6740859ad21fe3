// Extra load inside a kernel: texels from buffers of unified memory into weights-to-be, moved while
// the kernel computes. Prepended after texel.cl.
//
//   FORM     0 naive: no load   1 branching   2 pipelined
//   NLOADS   destinations, 0..4; each is six arguments at the end of the kernel's list
//   LOAD_BLOCK  1: an item moves one run of texels (CPU); 0: items move neighbouring texels (GPU)
//
//   LOAD_PARAMS               at the end of the parameter list (begins with its comma)
//   LOAD_BEGIN(g, groups, n)  item g of `groups`; n = iterations that may each carry a share
//   LOAD_STEP(i)              in iteration i; branching form: a branch; pipelined: only call it for
//                             i < LOAD_ITERS, from a loop of its own
//   LOAD_END()                whatever is left (n was too small, or nothing was interleaved)
#ifndef FORM
#define FORM 0
#endif
#ifndef NLOADS
#define NLOADS 0
#endif
#ifndef LOAD_BLOCK
#define LOAD_BLOCK 0
#endif

#if NLOADS == 0
#define LOAD_PARAMS
#define LOAD_BEGIN(g, groups, n)
#define LOAD_ITERS 0
#define LOAD_STEP(i)
#define LOAD_END()
#else

#if IMAGE
#define LOAD_DST(i) __write_only image2d_t ld_dst##i
#define LOAD_PUT(i, t, v) write_imagef(ld_dst##i, (int2)((t) % ld_w##i, (t) / ld_w##i), (v))
#else
#define LOAD_DST(i) __global store_t *restrict ld_dst##i
#define LOAD_PUT(i, t, v) VSTORE4((v), (size_t)(t), ld_dst##i)
#endif
// ld_at: first texel in dst; ld_n: texels; ld_w: width of dst in texels
#define LOAD_PARAM(i)                                                                              \
    , __global const store_t *restrict ld_src##i, LOAD_DST(i), const int ld_from##i,               \
        const int ld_at##i, const int ld_n##i, const int ld_w##i
#define LOAD_MOVE(i, t)                                                                            \
    LOAD_PUT(i, ld_at##i + (t), VLOAD4((size_t)(ld_from##i) + (size_t)(t), ld_src##i))

#if NLOADS == 1
#define LOAD_PARAMS LOAD_PARAM(0)
#define LOAD_TOTAL (ld_n0)
#define LOAD_ONE(t) LOAD_MOVE(0, t)
#elif NLOADS == 2
#define LOAD_PARAMS LOAD_PARAM(0) LOAD_PARAM(1)
#define LOAD_TOTAL (ld_n0 + ld_n1)
#define LOAD_ONE(t)                                                                                \
    if ((t) < ld_n0)                                                                               \
        LOAD_MOVE(0, t);                                                                           \
    else                                                                                           \
        LOAD_MOVE(1, (t) - ld_n0)
#elif NLOADS == 3
#define LOAD_PARAMS LOAD_PARAM(0) LOAD_PARAM(1) LOAD_PARAM(2)
#define LOAD_TOTAL (ld_n0 + ld_n1 + ld_n2)
#define LOAD_ONE(t)                                                                                \
    if ((t) < ld_n0)                                                                               \
        LOAD_MOVE(0, t);                                                                           \
    else if ((t) < ld_n0 + ld_n1)                                                                  \
        LOAD_MOVE(1, (t) - ld_n0);                                                                 \
    else                                                                                           \
        LOAD_MOVE(2, (t) - ld_n0 - ld_n1)
#else
#define LOAD_PARAMS LOAD_PARAM(0) LOAD_PARAM(1) LOAD_PARAM(2) LOAD_PARAM(3)
#define LOAD_TOTAL (ld_n0 + ld_n1 + ld_n2 + ld_n3)
#define LOAD_ONE(t)                                                                                \
    if ((t) < ld_n0)                                                                               \
        LOAD_MOVE(0, t);                                                                           \
    else if ((t) < ld_n0 + ld_n1)                                                                  \
        LOAD_MOVE(1, (t) - ld_n0);                                                                 \
    else if ((t) < ld_n0 + ld_n1 + ld_n2)                                                          \
        LOAD_MOVE(2, (t) - ld_n0 - ld_n1);                                                         \
    else                                                                                           \
        LOAD_MOVE(3, (t) - ld_n0 - ld_n1 - ld_n2)
#endif

// ld_share texels are this item's; ld_per of them go into each of the first ld_iters iterations.
#if LOAD_BLOCK
#define LOAD_TEXEL(j) (ld_first + (j))
#define LOAD_SPLIT(g, groups)                                                                      \
    const int ld_each = (LOAD_TOTAL + (groups)-1) / (groups);                                      \
    const int ld_first = min((int)(g)*ld_each, LOAD_TOTAL);                                        \
    const int ld_share = min(ld_each, LOAD_TOTAL - ld_first);
#else
#define LOAD_TEXEL(j) (ld_first + (j)*ld_stride)
#define LOAD_SPLIT(g, groups)                                                                      \
    const int ld_first = (int)(g), ld_stride = (int)(groups);                                      \
    const int ld_share =                                                                           \
        ld_first < LOAD_TOTAL ? (LOAD_TOTAL - ld_first + ld_stride - 1) / ld_stride : 0;
#endif
#define LOAD_BEGIN(g, groups, n)                                                                   \
    LOAD_SPLIT(g, groups)                                                                          \
    int ld_done = 0;                                                                               \
    const int ld_per = (n) > 0 ? (ld_share + (n)-1) / (n) : 0;                                     \
    const int ld_iters = ld_per > 0 ? (ld_share + ld_per - 1) / ld_per : 0;
#define LOAD_ITERS ld_iters
#define LOAD_UPTO(end)                                                                             \
    for (const int ld_end = min((end), ld_share); ld_done < ld_end; ld_done++) {                   \
        const int ld_t = LOAD_TEXEL(ld_done);                                                      \
        LOAD_ONE(ld_t);                                                                            \
    }
#if FORM == 1
#define LOAD_STEP(i)                                                                               \
    if ((i) < ld_iters)                                                                            \
    LOAD_UPTO(ld_done + ld_per)
#else
#define LOAD_STEP(i) LOAD_UPTO(ld_done + ld_per)
#endif
#define LOAD_END() LOAD_UPTO(ld_share)
#endif
