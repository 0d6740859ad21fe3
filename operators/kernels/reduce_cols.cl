// y[r] = the sum, mean, maximum or minimum of row r: -DSUM, -DMEAN, -DMAX or -DMIN. NaN stays.
//   x : [rows, cols], ct texels a row    y : [rows, 1]    grid: (WG, rows), local (WG, WR), rows.cl
#if defined(MAX)
#define START -INFINITY
#define BOTH MOST
#elif defined(MIN)
#define START INFINITY
#define BOTH LEAST
#else
#define START 0.0f
#define BOTH PLUS
#endif

static inline float join(__local wide *part, wide *slot, int l)
{
    JOIN(BOTH)
}

ROWS_KERNEL reduce_cols(IN(x), OUT(y), const int rows, const int cols, const int ct LOAD_PARAMS)
{
    ROWS_LOAD_APART
    ROWS_BEGIN
    const int mine = r < rows ? VECTORS_OF(ct) : 0;

    fill_slots(slot, START);
    ROWS_LOAD_BEGIN(mine)
    EACH_LOADING(EACH, j, mine,
                 slot[SLOT(j)] = BOTH(slot[SLOT(j)], fill_behind(GETW(x, FOLD_X, ct, r, AT(j)),
                                                                 cols - 4 * AT(j), START));)
    ROWS_LOAD_END()

    float v = join(part1, slot, l);
#ifdef MEAN
    v *= 1.0f / (float)cols;
#endif
    if (l == 0 && r < rows)
        PUT(y, FOLD_Y, 1, r, 0, (float4)(v, 0.0f, 0.0f, 0.0f));
}
