// y[c] = the sum, mean, maximum or minimum of column c: -DSUM, -DMEAN, -DMAX or -DMIN. NaN stays.
//   x : [rows, ct texels]    y : [1, ct texels]    local (WX, WY), see columns.cl
//   grid : (ceil(ct / TEXELS), WY)
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

__kernel __attribute__((reqd_work_group_size(WX, WY, 1))) void
reduce_rows(IN(x), OUT(y), const int rows, const int cols, const int ct LOAD_PARAMS)
{
    __local wide part[WX * WY];
    const int lx = (int)get_local_id(0), ly = (int)get_local_id(1);
    const int c = (int)get_global_id(0) * TEXELS, mine = c < ct ? ROWS_OF(rows) : 0;
    wide slot[SLOTS], v;
    int done = 0;

    fill_slots(slot, START);
    LOAD_BEGIN(get_global_id(1) * get_global_size(0) + get_global_id(0),
               get_global_size(0) * get_global_size(1), mine)
#if FORM == 2
    if (LOAD_ITERS > 0) {
        EACH_ROW(i, mine)
        {
            LOAD_STEP(i)
            slot[SLOT(i)] = BOTH(slot[SLOT(i)], GETW(x, FOLD_X, ct, ROW(i), c));
        }
        done = mine;
    }
#endif
    EACH_ROW(i, mine - done)
    {
#if FORM == 1
        LOAD_STEP(i)
#endif
        slot[SLOT(i)] = BOTH(slot[SLOT(i)], GETW(x, FOLD_X, ct, ROW(i), c));
    }
    LOAD_END()
    JOIN_ROWS(BOTH, v)
#ifdef MEAN
    v *= 1.0f / (float)rows;
#endif
    if (ly == 0 && c < ct)
        PUTW(y, FOLD_Y, ct, 0, c, v);
}
