// y = ACT(a OP b), or with SWAP ACT(b OP a), element by element, b broadcast over rows, columns or
// both. -DADD, -DSUB, -DMUL, -DDIV, -DMAX or -DMIN. Items: pointwise.cl.
//   a, y : [rows, cols], ct texels a row
//   b    : BROW 0 [rows, ...], 1 [1, ...], 2 [brows, ...] over and over
//          BCOL 0 [..., cols], 1 [..., 1];  BVECTOR 1: in a bundle
//   NaN in either operand is NaN in the result.
#if BROW == 0
#define B_ROW(r) (r)
#elif BROW == 1
#define B_ROW(r) 0
#else
#define B_ROW(r) ((r) % brows)
#endif

#if BCOL && BVECTOR
#define ARG_B VEC(b)
#define GET_B(r, c) ((wide)(GETV(b, 0).x))
#elif BVECTOR
#define ARG_B VEC(b)
#define GET_B(r, c) GETVW(b, ct, c)
#elif BCOL
#define ARG_B IN(b)
#define GET_B(r, c) ((wide)(GET(b, FOLD_B, 1, B_ROW(r), 0).x))
#else
#define ARG_B IN(b)
#define GET_B(r, c) GETW(b, FOLD_B, ct, B_ROW(r), c)
#endif

#if defined(ADD)
#define OP(a, b) ((a) + (b))
#elif defined(SUB)
#define OP(a, b) ((a) - (b))
#elif defined(MUL)
#define OP(a, b) ((a) * (b))
#elif defined(DIV)
#define OP(a, b) ((a) / (b))
#elif defined(MAX)
#define OP(a, b) MOST(a, b)
#else
#define OP(a, b) LEAST(a, b)
#endif

// What the padding gets is not zero: b's one element, or 0 / 0.
#if BCOL || defined(DIV)
#define KEEP(v, c) keep_wide(v, cols - 4 * (c))
#else
#define KEEP(v, c) (v)
#endif

static inline wide apply(wide a, wide b)
{
#if SWAP
    return OP(b, a);
#else
    return OP(a, b);
#endif
}

#define WRITE(r, c)                                                                                \
    {                                                                                              \
        const wide v = KEEP(apply(GETW(a, FOLD_A, ct, r, c), GET_B(r, c)), c);                     \
        PUTW(y, FOLD_Y, ct, r, c, ACTIVATE(v, cols - 4 * (c)));                                    \
    }

#if APART
#if BVECTOR
#define PASS_B b, b_off
#else
#define PASS_B b
#endif
static OF_ITS_OWN void write_apart(IN(a), ARG_B, OUT(y), const int cols, const int ct,
                                   const int brows, const int r, const int c)
{
    WRITE(r, c);
}
#define EACH(r, c) write_apart(a, PASS_B, y, cols, ct, brows, r, c)
#else
#define EACH WRITE
#endif

__kernel void binary(IN(a), ARG_B, OUT(y), const int rows, const int cols, const int ct,
                     const int brows LOAD_PARAMS)
{
    EACH_VECTOR(EACH)
}
