// y = ACT(x * scale + offset), scale and offset by column. Items: pointwise.cl.
//   x, y         : [rows, cols], ct texels a row
//   scale, offset : [1, cols] in bundles
#define WRITE(r, c)                                                                                \
    {                                                                                              \
        const wide v = fma(GETW(x, FOLD_X, ct, r, c), GETVW(scale, ct, c), GETVW(offset, ct, c));  \
        PUTW(y, FOLD_Y, ct, r, c, ACTIVATE(v, cols - 4 * (c)));                                    \
    }

#if APART
static OF_ITS_OWN void write_apart(IN(x), VEC(scale), VEC(offset), OUT(y), const int cols,
                                   const int ct, const int r, const int c)
{
    WRITE(r, c);
}
#define EACH(r, c) write_apart(x, scale, scale_off, offset, offset_off, y, cols, ct, r, c)
#else
#define EACH WRITE
#endif

__kernel void affine(IN(x), VEC(scale), VEC(offset), OUT(y), const int rows, const int cols,
                     const int ct LOAD_PARAMS)
{
    EACH_VECTOR(EACH)
}
