// Row normalisation: y = (x - mean) / sqrt(variance + eps) * gamma + beta, two-pass variance.
//   x, y        : [rows, cols], ct texels a row     grid: (WG, rows), local (WG, WR), see rows.cl
//   gamma, beta : [1, cols] in bundles
//   KEPT        : the row stays; without, x is read three times
//   EPS         : a float
#if KEPT && UNROLL
#define FIRST(j) kept[j]
#define SECOND(j) (kept[j] = CENTRED(kept[j], j))
#define THIRD(j) kept[j]
#elif KEPT && KEEP_READ
#define FIRST(j) (kept[j] = GETW(x, FOLD_X, ct, r, AT(j)))
#define SECOND(j) (kept[j] = CENTRED(kept[j], j))
#define THIRD(j) kept[j]
#else
#define FIRST(j) GETW(x, FOLD_X, ct, r, AT(j))
#define SECOND(j) CENTRED(FIRST(j), j)
#define THIRD(j) SECOND(j)
#endif
#define CENTRED(v, j) keep_wide((v)-mean, cols - 4 * AT(j))

ROWS_KERNEL layernorm(IN(x), VEC(gamma), VEC(beta), OUT(y), const int rows, const int cols,
                      const int ct LOAD_PARAMS)
{
    ROWS_LOAD_APART
    ROWS_BEGIN
    const int mine = r < rows ? VECTORS_OF(ct) : 0;
    // One division, and nothing but products of it: NVIDIA's compiler fuses a division into a sum
    // that follows it (contraction off or not), in some forms of this kernel and not in others.
    const float inverse = 1.0f / (float)cols;

    KEEP_ROW(x, FOLD_X, ct)
    fill_slots(slot, 0.0f);
    EACH(j, mine)
    {
        slot[SLOT(j)] += FIRST(j); // padding is zero
    }
    const float mean = join_sum(part1, slot, l) * inverse;

    fill_slots(slot, 0.0f);
    EACH(j, mine)
    {
        const wide d = SECOND(j);

        slot[SLOT(j)] = fma(d, d, slot[SLOT(j)]);
    }
    const float scale = rsqrt(fma(join_sum(part2, slot, l), inverse, EPS));

    ROWS_LOAD_BEGIN(mine)
    // gamma and beta are zero in the padding, but zero times infinity is not.
    EACH_LOADING(EACH_APART, j, mine, PUTW(y, FOLD_Y, ct, r, AT(j),
                               keep_wide(fma(THIRD(j) * scale, GETVW(gamma, ct, AT(j)),
                                             GETVW(beta, ct, AT(j))),
                                         cols - 4 * AT(j)));)
    ROWS_LOAD_END()
}
