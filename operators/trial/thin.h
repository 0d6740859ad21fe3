/* operators/trial/thin.h - large products made of few distinct rows and columns, so that the reference of
 * the few is the reference of all.
 *
 * A row of y = a b^T depends on one row of a alone, a column on one row of b alone; so do output
 * channels of a convolution on their filters, and rows of attention on their queries. Where inputs
 * repeat in these, outputs repeat, whatever follows the sum. So every element of a product whose
 * reference would take minutes is compared with a number in double precision that took a second,
 * and the tolerance is that of a small one.
 *
 * Which one stands where is drawn: of each `few` neighbours, beginning at a multiple of it, no two
 * are the same, and the order differs from one such run to the next. A kernel that takes one for
 * another is therefore seen, but for one pair in `few` of those further apart. What is summed over
 * never repeats: a summand that is missing, doubled or misplaced is seen as ever. */
#ifndef FLASHMEM_OPERATORS_TRIAL_THIN_H
#define FLASHMEM_OPERATORS_TRIAL_THIN_H

#include "operators/op.h"

/* References of more multiply-adds than this are made thin: a quarter to half a second of one core.
 * Tests lower it, and put it back. */
#define THIN_MACS 5e8
extern double thin_macs;

/* Along one axis of a tensor: units of n, for which units of `few` stand; the same: as it is. */
struct thin_axis {
    int64_t n, few;
};

struct thin {
    struct op_case c; /* with fewer rows or columns of output; the case itself if it is small */
    struct op_io io;  /* its tensors */
    struct thin_axis row[OP_MAX_TENSORS], col[OP_MAX_TENSORS]; /* of the large case's, by slot */
};

void thin_init(struct thin *t, const struct op_case *c);

int64_t thin_drawn(const struct thin_axis *a, int64_t i);

/* The row (or column) of the thin tensor that stands at i of the large one. */
static inline int64_t thin_at(const struct thin_axis *a, int64_t i)
{
    return a->n == a->few ? i : thin_drawn(a, i);
}

#endif
