/* harness/plan/capacities.h - capacities by other means than the regressor, so that planning by
 * them shows what the regressor is worth. */
#ifndef FLASHMEM_HARNESS_PLAN_CAPACITIES_H
#define FLASHMEM_HARNESS_PLAN_CAPACITIES_H

#include "harness/plan/problem.h"

enum capacities {
    CAPACITIES_RECORDED,  /* the regressor's, corrected by recorded runs: what plans are made with */
    CAPACITIES_REGRESSOR, /* the regressor's alone */
    CAPACITIES_MEASURED,  /* of the sampled shape of the operator that is most like the layer's */
    CAPACITIES_ROOFLINE,  /* what the device's best rates leave over */
    CAPACITIES_CONSTANT,  /* the median ratio of bytes carried to bytes read, of the class */
    CAPACITIES_RANDOM     /* 1/64 to 4 times the bytes read, by a seed */
};
extern const char *const capacities_names[]; /* NULL-terminated */

struct capacities_setting {
    struct store *st;
    int64_t device_id;
    const struct model *m;
    const struct device_info *dev;
    const struct best *best; /* [n_layers]; NULL: the defaults */
    enum mem_path path;
    struct thresholds thresholds;
    uint64_t seed;
};

/* For each layer of the problem, from MEASURED on: capacity and curve; its time alone stays the
 * regressor's, and what carries nothing by rule (hierarchical, no streaming form) stays so.
 * -ENODATA: nothing was sampled with load, err says what to sweep. */
int capacities_replace(const struct capacities_setting *x, enum capacities how,
                       struct model_problem *mp, struct err *err);

/* "roofline; elemental=3 reusable=0.2", for the record. */
void capacities_print(enum capacities how, uint64_t seed, const struct thresholds *t, char *text,
                      size_t size);

#endif
