// Row softmax; columns c > r % period are masked (exp = 0) if period > 0.
//   x, y : [rows, cols], ct texels a row     grid: (WG, rows), local (WG, WR), see rows.cl
//   KEPT : the row's exponentials stay; without, x is read three times
#if KEPT && UNROLL
#define FIRST(j) kept[j]
#define SECOND(j) (kept[j] = EXP(kept[j], j))
#define THIRD(j) kept[j]
#elif KEPT && KEEP_READ
#define FIRST(j) (kept[j] = GETW(x, FOLD_X, ct, r, AT(j)))
#define SECOND(j) (kept[j] = EXP(kept[j], j))
#define THIRD(j) kept[j]
#elif KEPT
#define FIRST(j) GETW(x, FOLD_X, ct, r, AT(j))
#define SECOND(j) (kept[j] = EXP(FIRST(j), j))
#define THIRD(j) kept[j]
#else
#define FIRST(j) GETW(x, FOLD_X, ct, r, AT(j))
#define SECOND(j) EXP(FIRST(j), j)
#define THIRD(j) SECOND(j)
#endif
#define EXP(v, j) keep_wide(exp_neg((v)-top), end - 4 * AT(j))

ROWS_KERNEL softmax(IN(x), OUT(y), const int rows, const int cols, const int ct,
                    const int period LOAD_PARAMS)
{
    ROWS_LOAD_APART
    ROWS_BEGIN
    const int end = r >= rows ? 0 : period > 0 ? min(cols, r % period + 1) : cols;
    const int mine = VECTORS_OF((end + 3) / 4), all = r < rows ? VECTORS_OF(ct) : 0;

    KEEP_ROW(x, FOLD_X, (end + 3) / 4)
    fill_slots(slot, -INFINITY);
    EACH(j, mine)
    {
        const wide v = fill_behind(FIRST(j), end - 4 * AT(j), -INFINITY);

        slot[SLOT(j)] = GREATER(slot[SLOT(j)], v);
    }
    const float top = join_greater(part1, slot, l);

    fill_slots(slot, 0.0f);
    ROWS_LOAD_BEGIN(mine)
    EACH_LOADING(EACH, j, mine, slot[SLOT(j)] += SECOND(j);)
    ROWS_LOAD_END()

    const float scale = 1.0f / join_sum(part2, slot, l);
    EACH_APART(j, all)
    {
        PUTW(y, FOLD_Y, ct, r, AT(j), j < mine ? THIRD(j) * scale : (wide)(0.0f));
    }
}
