// y = x, VT texels of a row an item: what a memory path gives to a kernel that does nothing else.
__kernel void copy(IN(x), OUT(y), const int rows, const int cols, const int ct)
{
    const int r = (int)get_global_id(1), c = (int)get_global_id(0) * TEXELS;

    if (r < rows && c < ct)
        PUTW(y, FOLD_Y, ct, r, c, GETW(x, FOLD_X, ct, r, c));
}
