// y = F(x), element by element; F is a function of math.cl or a built-in one. Items: pointwise.cl.
//   x, y : [rows, cols], ct texels a row
//   ZERO 1: F(0) = 0, so that padding stays zero by itself
#if ZERO
#define KEEP(v, c) (v)
#else
#define KEEP(v, c) keep_wide(v, cols - 4 * (c))
#endif
#define WRITE(r, c) PUTW(y, FOLD_Y, ct, r, c, KEEP(F(GETW(x, FOLD_X, ct, r, c)), c))

__kernel void unary(IN(x), OUT(y), const int rows, const int cols, const int ct LOAD_PARAMS)
{
    EACH_VECTOR(WRITE)
}
