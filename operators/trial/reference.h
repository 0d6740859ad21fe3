/* operators/trial/reference.h - the rows of a reference, dealt to threads.
 *
 * A product in double precision from its definition takes longer than everything else that a sweep
 * does with its case. Each output is still one sum in one order, so the result does not depend on
 * how many threads there are. */
#ifndef FLASHMEM_OPERATORS_TRIAL_REFERENCE_H
#define FLASHMEM_OPERATORS_TRIAL_REFERENCE_H

#include "operators/op.h"

/* Rows from..to-1 of the output; other threads write the others at the same time. */
typedef void (*reference_rows)(const struct op_case *c, const double *const *in, double *out,
                               int64_t from, int64_t to);

/* Rows 0..rows-1, by as many threads as there are processors where the case is worth it. */
void reference_run(const struct op_case *c, const double *const *in, double *out, int64_t rows,
                   reference_rows body);

#endif
