// Extra load inside a kernel: texels from buffers of unified memory into weights-to-be, moved while
// the kernel computes. Prepended after texel.cl.
//
//   FORM     0 naive: no load   1 branching   2 pipelined
//   NLOADS   destinations, 0..4; each is three arguments at the end of the kernel's list
//   LOAD_BLOCK  1: an item moves one run of texels (CPU); 0: items move neighbouring texels (GPU),
//               of images in tiles
//   LOAD_ROWS_LOG2  height of a tile, see load_at()
//
//   LOAD_PARAMS               at the end of the parameter list (begins with its comma)
//   LOAD_BEGIN(g, groups, n)  item g of `groups`; n = iterations that may each carry a share
//   LOAD_STEP(i)              in iteration i; branching form: a branch; pipelined: only call it for
//                             i < LOAD_ITERS, from a loop of its own
//   LOAD_TAKE(i) LOAD_GIVE(i) the two halves of LOAD_STEP(i), for kernels that compute in between:
//                             one texel is read here and written there; it stays as it was stored
//                             in between, because to convert it is to wait for it
//   LOAD_AHEAD LOAD_NEXT      for a loop of its own: what one iteration reads, the next one writes.
//                             Compilers move a read down to its use, but not around a loop
//   LOAD_END()                whatever is left (n was too small, or nothing was interleaved)
//   LOAD_APART(g, groups)     all of it, in registers of its own: for kernels that memory bounds,
//                             which have nothing to hide it behind
//   LOAD_UNROLL               before a loop over an item's texels, which mostly has one turn;
//                             kernels may define it anew
#ifndef FORM
#define FORM 0
#endif
#ifndef NLOADS
#define NLOADS 0
#endif
#ifndef LOAD_BLOCK
#define LOAD_BLOCK 0
#endif
#ifndef LOAD_ROWS_LOG2
#define LOAD_ROWS_LOG2 3
#endif

#if NLOADS == 0
#define LOAD_PARAMS
#define LOAD_BEGIN(g, groups, n)
#define LOAD_ITERS 0
#define LOAD_STEP(i)
#define LOAD_TAKE(i)
#define LOAD_GIVE(i)
#define LOAD_END()
#define LOAD_APART(g, groups)
#else

// A run of texels, packed by op_program.c:
//   s0 first texel in src   s1 texels   s2 width of dst in texels
//   s3, s4 column and row of its first texel in dst (buffers: s3 is the texel, s4 is 0)
//   s5 whole bands of LOAD_ROWS rows in the run
//   s6, s7 to divide by s2 * LOAD_ROWS with a multiplication
#define LOAD_PARAM(i)                                                                              \
    , __global const store_t *restrict ld_src##i, LOAD_DST(i), const int8 ld##i

#if IMAGE
#define LOAD_DST(i) __write_only image2d_t ld_dst##i
#define LOAD_READ(i, t) RAW((size_t)load_from(ld##i, load_at(ld##i, t)), ld_src##i)
#define LOAD_WRITE(i, t, v) write_texel(ld_dst##i, load_at(ld##i, t), from_raw(v))

// Exact for 0 <= v < 2^31: Granlund and Montgomery 1994, theorem 4.2.
static inline int load_div(const int8 l, int v)
{
    return (int)(mul_hi((uint)v << 1, as_uint(l.s6)) >> l.s7);
}

// Where number t of the run goes. GPUs keep images in blocks (NVIDIA: 32 bytes are one or two
// texels of two rows), and a row written alone moves half of each: 0.9 TB/s against 3.2 on an H100.
// So neighbouring items take, within bands of LOAD_ROWS rows, tiles 16 wide, two rows at a time;
// what is right of the last tile, column by column; and the rows above the first and below the last
// whole band, in the end, as they come. Bands begin at multiples of their height.
#define LOAD_ROWS (1 << LOAD_ROWS_LOG2)
static inline int2 load_at(const int8 l, int t)
{
    const int w = l.s2;
#if LOAD_BLOCK
    const int row = (l.s3 + t) / w; // mul_hi() takes longer on PoCL: 2.8 ms for 2.2 in all

    return (int2)(l.s3 + t - row * w, l.s4 + row);
#else
    const int above = ((l.s4 + (l.s3 > 0) + LOAD_ROWS - 1) & -LOAD_ROWS) - l.s4;
    const int area = w << LOAD_ROWS_LOG2, body = l.s5 * area, head = above * w - l.s3;
    int row = l.s4;

    if (t < body) {
        const int band = load_div(l, t), tiled = w & -16;
        const int u = t - band * area, v = u - (tiled << LOAD_ROWS_LOG2);

        row += above + (band << LOAD_ROWS_LOG2);
        return v < 0 ? (int2)((u >> (4 + LOAD_ROWS_LOG2) << 4) + ((u >> 1) & 15),
                              row + (u & 1) + ((u >> 4) & (LOAD_ROWS - 2)))
                     : (int2)(tiled + (v >> LOAD_ROWS_LOG2), row + (v & (LOAD_ROWS - 1)));
    }
    t -= body;
    row += t < head ? 0 : above + (l.s5 << LOAD_ROWS_LOG2);
    t += t < head ? l.s3 : -head;
    const int q = load_div(l, t << LOAD_ROWS_LOG2); // the ends are less than three bands

    return (int2)(t - q * w, row + q);
#endif
}

static inline int load_from(const int8 l, int2 p)
{
    return l.s0 + (p.y - l.s4) * l.s2 + p.x - l.s3;
}

#if LOAD_BLOCK
// Numbers t .. t + n - 1 of the run, n at least 1, along the rows of dst: a fifth faster than one by
// one, and the kernel stays what it would be without a load but for a call.
static OF_ITS_OWN void load_texels(__global const store_t *restrict src, __write_only image2d_t dst,
                                   const int8 l, int t, int n)
{
    const int2 at = load_at(l, t);
    size_t from = (size_t)(l.s0 + t);
    int x = at.x, y = at.y;

    do {
        int i = min(n, l.s2 - x);

        n -= i;
        do {
            write_texel(dst, (int2)(x, y), from_raw(RAW(from, src)));
            from++;
            x++;
        } while (--i > 0);
        x = 0;
        y++;
    } while (n > 0);
}
#endif
#else
#define LOAD_DST(i) __global store_t *restrict ld_dst##i
#define LOAD_READ(i, t) RAW((size_t)(ld##i.s0 + (t)), ld_src##i)
#define LOAD_WRITE(i, t, v) STORE_RAW(v, (size_t)(ld##i.s3 + (t)), ld_dst##i)
#endif

// Number t of all runs together: CALL(i, t) of its own run.
#if NLOADS == 1
#define LOAD_PARAMS LOAD_PARAM(0)
#define LOAD_TOTAL (ld0.s1)
#define LOAD_EACH(t, CALL) CALL(0, t)
#define LOAD_RUNS LOAD_RUN(0, 0)
#elif NLOADS == 2
#define LOAD_PARAMS LOAD_PARAM(0) LOAD_PARAM(1)
#define LOAD_TOTAL (ld0.s1 + ld1.s1)
#define LOAD_EACH(t, CALL)                                                                         \
    if ((t) < ld0.s1)                                                                              \
        CALL(0, t);                                                                                \
    else                                                                                           \
        CALL(1, (t)-ld0.s1)
#define LOAD_RUNS LOAD_RUN(0, 0) LOAD_RUN(1, ld0.s1)
#elif NLOADS == 3
#define LOAD_PARAMS LOAD_PARAM(0) LOAD_PARAM(1) LOAD_PARAM(2)
#define LOAD_TOTAL (ld0.s1 + ld1.s1 + ld2.s1)
#define LOAD_EACH(t, CALL)                                                                         \
    if ((t) < ld0.s1)                                                                              \
        CALL(0, t);                                                                                \
    else if ((t) < ld0.s1 + ld1.s1)                                                                \
        CALL(1, (t)-ld0.s1);                                                                       \
    else                                                                                           \
        CALL(2, (t)-ld0.s1 - ld1.s1)
#define LOAD_RUNS LOAD_RUN(0, 0) LOAD_RUN(1, ld0.s1) LOAD_RUN(2, ld0.s1 + ld1.s1)
#else
#define LOAD_PARAMS LOAD_PARAM(0) LOAD_PARAM(1) LOAD_PARAM(2) LOAD_PARAM(3)
#define LOAD_TOTAL (ld0.s1 + ld1.s1 + ld2.s1 + ld3.s1)
#define LOAD_EACH(t, CALL)                                                                         \
    if ((t) < ld0.s1)                                                                              \
        CALL(0, t);                                                                                \
    else if ((t) < ld0.s1 + ld1.s1)                                                                \
        CALL(1, (t)-ld0.s1);                                                                       \
    else if ((t) < ld0.s1 + ld1.s1 + ld2.s1)                                                       \
        CALL(2, (t)-ld0.s1 - ld1.s1);                                                              \
    else                                                                                           \
        CALL(3, (t)-ld0.s1 - ld1.s1 - ld2.s1)
#define LOAD_RUNS                                                                                  \
    LOAD_RUN(0, 0) LOAD_RUN(1, ld0.s1) LOAD_RUN(2, ld0.s1 + ld1.s1)                                \
    LOAD_RUN(3, ld0.s1 + ld1.s1 + ld2.s1)
#endif
#define LOAD_MOVE(i, t) LOAD_WRITE(i, t, LOAD_READ(i, t))
#define LOAD_HOLD(i, t) ld_held = LOAD_READ(i, t)
#define LOAD_DROP(i, t) LOAD_WRITE(i, t, ld_held)

// ld_share texels are this item's; ld_per of them go into each of the first ld_iters iterations, as
// many for every item: some have a texel less than others, but all meet the barriers in a loop.
#if LOAD_BLOCK
#define LOAD_TEXEL(j) (ld_first + (j))
#define LOAD_SPLIT(g)                                                                              \
    const int ld_first = min((int)(g)*ld_most, LOAD_TOTAL);                                        \
    const int ld_share = min(ld_most, LOAD_TOTAL - ld_first);
#else
#define LOAD_TEXEL(j) (ld_first + (j)*ld_stride)
#define LOAD_SPLIT(g)                                                                              \
    const int ld_first = (int)(g), ld_stride = ld_groups;                                          \
    const int ld_share = ld_most - (ld_first + (ld_most - 1) * ld_stride >= LOAD_TOTAL);
#endif
#define LOAD_BEGIN(g, groups, n)                                                                   \
    const int ld_groups = (int)(groups);                                                           \
    const int ld_most = (LOAD_TOTAL + ld_groups - 1) / ld_groups;                                  \
    LOAD_SPLIT(g)                                                                                  \
    int ld_done = 0;                                                                               \
    const int ld_per = (n) > 0 ? (ld_most + (n)-1) / (n) : 0;                                      \
    const int ld_iters = ld_per > 0 ? (ld_most + ld_per - 1) / ld_per : 0;
#define LOAD_ITERS ld_iters
// A GPU's compiler would make four turns of one and keep four texels in registers.
#if IMAGE && !LOAD_BLOCK
#define LOAD_UNROLL _Pragma("unroll 1")
#else
#define LOAD_UNROLL
#endif
#if IMAGE && LOAD_BLOCK
#define LOAD_RUN(i, before)                                                                        \
    {                                                                                              \
        const int ld_t = max(ld_from - (before), 0), ld_n = min(ld_to - (before), ld##i.s1) - ld_t; \
                                                                                                   \
        if (ld_n > 0)                                                                              \
            load_texels(ld_src##i, ld_dst##i, ld##i, ld_t, ld_n);                                  \
    }
#define LOAD_UPTO(end)                                                                             \
    {                                                                                              \
        const int ld_end = min((end), ld_share);                                                   \
                                                                                                   \
        if (ld_done < ld_end) {                                                                    \
            const int ld_from = LOAD_TEXEL(ld_done), ld_to = LOAD_TEXEL(ld_end);                   \
                                                                                                   \
            LOAD_RUNS                                                                              \
            ld_done = ld_end;                                                                      \
        }                                                                                          \
    }
#else
#define LOAD_UPTO(end)                                                                             \
    {                                                                                              \
        const int ld_end = min((end), ld_share);                                                   \
                                                                                                   \
        LOAD_UNROLL                                                                                \
        for (; ld_done < ld_end; ld_done++) {                                                      \
            const int ld_t = LOAD_TEXEL(ld_done);                                                  \
            LOAD_EACH(ld_t, LOAD_MOVE);                                                            \
        }                                                                                          \
    }
#endif
#if FORM == 1
#define LOAD_STEP(i)                                                                               \
    if ((i) < ld_iters)                                                                            \
    LOAD_UPTO(ld_done + ld_per)
#else
#define LOAD_STEP(i) LOAD_UPTO(ld_done + ld_per)
#endif
#if FORM == 1
#define LOAD_DUE(i) ((i) < ld_iters && ld_done < ld_share)
#else
#define LOAD_DUE(i) (ld_done < ld_share)
#endif
#define LOAD_TAKE(i)                                                                               \
    const int ld_now = LOAD_TEXEL(ld_done), ld_due = LOAD_DUE(i);                                  \
    raw_t ld_held = (raw_t)(0);                                                                    \
    if (ld_due) {                                                                                  \
        LOAD_EACH(ld_now, LOAD_HOLD);                                                              \
    }
#define LOAD_GIVE(i)                                                                               \
    if (ld_due) {                                                                                  \
        LOAD_EACH(ld_now, LOAD_DROP);                                                              \
        ld_done++;                                                                                 \
        LOAD_UPTO(ld_done + ld_per - 1)                                                            \
    }
// Every item reads, some the last texel once more: after a branch the compiler waits for what was
// read in it (H100, product of 2048 in f16, at ratio 1: 436 us for 414).
#if IMAGE && !LOAD_BLOCK && NLOADS == 1
#define LOAD_AHEAD                                                                                 \
    int2 ld_to;                                                                                    \
    raw_t ld_held;                                                                                 \
    LOAD_FETCH
#define LOAD_FETCH                                                                                 \
    {                                                                                              \
        ld_to = load_at(ld0, min(LOAD_TEXEL(ld_done), LOAD_TOTAL - 1));                            \
        ld_held = RAW((size_t)load_from(ld0, ld_to), ld_src0);                                     \
    }
#define LOAD_PUT write_texel(ld_dst0, ld_to, from_raw(ld_held));
#else
#define LOAD_AHEAD                                                                                 \
    raw_t ld_held = (raw_t)(0);                                                                    \
    LOAD_FETCH
#define LOAD_FETCH                                                                                 \
    if (ld_done < ld_share) {                                                                      \
        const int ld_t = LOAD_TEXEL(ld_done);                                                      \
        LOAD_EACH(ld_t, LOAD_HOLD);                                                                \
    }
#define LOAD_PUT                                                                                   \
    const int ld_t = LOAD_TEXEL(ld_done);                                                          \
    LOAD_EACH(ld_t, LOAD_DROP);
#endif
#define LOAD_NEXT                                                                                  \
    if (ld_done < ld_share) {                                                                      \
        LOAD_PUT                                                                                   \
        ld_done++;                                                                                 \
        LOAD_UPTO(ld_done + ld_per - 1)                                                            \
    }                                                                                              \
    LOAD_FETCH
#define LOAD_END() LOAD_UPTO(ld_share)
#define LOAD_APART(g, groups)                                                                      \
    if (LOAD_TOTAL > 0) {                                                                          \
        LOAD_BEGIN(g, groups, 1)                                                                   \
        LOAD_END()                                                                                 \
    }
#endif
