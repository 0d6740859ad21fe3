/* harness/sweep/cases.h - what models run, as operator cases: the rows of a spec that say "model".
 */
#ifndef FLASHMEM_HARNESS_SWEEP_CASES_H
#define FLASHMEM_HARNESS_SWEEP_CASES_H

#include "harness/sweep/cell.h"
#include "operators/op.h"

struct cases {
    int n, room;
    struct op_case *c;
};

/* Every distinct case of the models' layers, in order of first need. `models`: abbreviations or
 * graph files, or "*" alone: all of the paper's Table 6. `ops`: names of operators and classes; none
 * or "*": all. Cases of more than max_macs multiply-accumulates are left out; 0: none.
 * ret_cases is freed by cases_done(). -ENOENT, -EINVAL (no such model, operator or graph), -ENODATA:
 * nothing is left. */
int cases_of_models(const struct axis *models, const struct axis *ops, double max_macs,
                    enum dtype dtype, struct cases *ret_cases, struct err *err);
void cases_done(struct cases *cases);

#endif
