/* harness/samples/group.h - which cases are so alike that cross-validation must not part them. */
#ifndef FLASHMEM_HARNESS_SAMPLES_GROUP_H
#define FLASHMEM_HARNESS_SAMPLES_GROUP_H

#include "operators/op.h"

/* Number the groups of n cases: the same operator, and every parameter within 5 % (flags and
 * choices do not count), directly or through cases between them. ret_group[n] counts from 0.
 * Returns the number of groups, -ENOMEM. */
int group_cases(const struct op_case *const *cases, int n, int *ret_group);

#endif
