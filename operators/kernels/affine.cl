// y = ACT(x * scale + offset), scale and offset by column. Items: pointwise.cl.
//   x, y         : [rows, cols], ct texels a row
//   scale, offset : [1, cols] in bundles
#define WRITE(r, c)                                                                                \
    {                                                                                              \
        const wide v = fma(GETW(x, FOLD_X, ct, r, c), GETVW(scale, ct, c), GETVW(offset, ct, c));  \
        PUTW(y, FOLD_Y, ct, r, c, ACTIVATE(v, cols - 4 * (c)));                                    \
    }

__kernel void affine(IN(x), VEC(scale), VEC(offset), OUT(y), const int rows, const int cols,
                     const int ct LOAD_PARAMS)
{
    EACH_VECTOR(WRITE)
}
