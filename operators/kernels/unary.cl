// y = F(x), element by element; F is a function of math.cl or a built-in one. Items: pointwise.cl.
//   x, y : [rows, cols], ct texels a row
//   ZERO 1: F(0) = 0, so that padding stays zero by itself
#if ZERO
#define KEEP(v, c) (v)
#else
#define KEEP(v, c) keep_wide(v, cols - 4 * (c))
#endif
#define WRITE(r, c) PUTW(y, FOLD_Y, ct, r, c, KEEP(F(GETW(x, FOLD_X, ct, r, c)), c))

#if APART
static OF_ITS_OWN void write_apart(IN(x), OUT(y), const int cols, const int ct, const int r,
                                   const int c)
{
    WRITE(r, c);
}
#define EACH(r, c) write_apart(x, y, cols, ct, r, c)
#else
#define EACH WRITE
#endif

__kernel void unary(IN(x), OUT(y), const int rows, const int cols, const int ct LOAD_PARAMS)
{
    EACH_VECTOR(EACH)
}
