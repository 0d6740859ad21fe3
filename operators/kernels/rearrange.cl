// A weight in its natural layout (rearrange.h), elements one after the other, into texel order.
//   x : elements     y : ct texels a row, in groups of `group` texels for `inner` elements
//   element e of group g of row r of y is x[r * row + g * between + e * step]; behind `inner`: zero
//   grid: (any number of items, 1), any local size
//   BLOCK 1  an item takes a run of texels (CPUs); 0: texels gid, gid + items, ...
#ifndef BLOCK
#define BLOCK 0
#endif
#if HALF
#define ELEMENT(i) vload_half((i), x)
#else
#define ELEMENT(i) x[i]
#endif

static inline float4 elements(__global const store_t *restrict x, size_t at, int step, int left)
{
    float4 v = (float4)(0.0f);

    if (left >= 4)
        return (float4)(ELEMENT(at), ELEMENT(at + step), ELEMENT(at + 2 * (size_t)step),
                        ELEMENT(at + 3 * (size_t)step));
    v.x = ELEMENT(at);
    if (left > 1)
        v.y = ELEMENT(at + step);
    if (left > 2)
        v.z = ELEMENT(at + 2 * (size_t)step);
    return v;
}

__kernel void rearrange(__global const store_t *restrict x, OUT(y), const int texels, const int ct,
                        const int group, const int inner, const int row, const int between,
                        const int step)
{
#if BLOCK
    const int share = (texels - 1) / (int)get_global_size(0) + 1;
    const int first = share * (int)get_global_id(0), end = min(first + share, texels);
    int r = first / ct, c = first - r * ct, g = c / group, k = c - g * group;

    for (int t = first; t < end; t++) {
        PUT(y, FOLD_Y, ct, r, c,
            elements(x, (size_t)r * row + (size_t)g * between + (size_t)(4 * k) * step, step,
                     inner - 4 * k));
        c++;
        if (++k == group) {
            k = 0;
            g++;
        }
        if (c == ct) {
            c = g = k = 0;
            r++;
        }
    }
#else
    for (int t = (int)get_global_id(0); t < texels; t += (int)get_global_size(0)) {
        const int r = t / ct, c = t - r * ct, g = c / group, e = 4 * (c - g * group);

        PUT(y, FOLD_Y, ct, r, c,
            elements(x, (size_t)r * row + (size_t)g * between + (size_t)e * step, step,
                     inner - e));
    }
#endif
}
