/* harness/cli/setup/model_problem.h - the planning problem of a model as 'plan' shows it and
 * 'replay' runs it: the regressor's capacities, corrected by what recorded runs took, and the
 * disk's rate. */
#ifndef FLASHMEM_HARNESS_CLI_SETUP_MODEL_PROBLEM_H
#define FLASHMEM_HARNESS_CLI_SETUP_MODEL_PROBLEM_H

#include "harness/cli/setup/plan_options.h"
#include "harness/model/weights.h"

#define SLICE_HELP \
    "use larger weights in parts of about this size, or 'none' (default: an 8th of what --memory " \
    "leaves; with --kernel direct a 32nd of all weights if that is less; none with --plan)"
/* Of --slice, NULL or text that can be parsed: weights above so many bytes are used in parts; 0:
 * none are. What is read in one piece keeps the disk from running beside the kernel that waits for
 * it, and memory from being given back. */
uint64_t model_slice_bytes(const char *slice, const struct model *m, const struct plan_options *o,
                           bool direct);

struct model_setting {
    const struct cli *cli;
    struct store *st;
    int64_t device_id;
    const struct device_info *dev; /* NULL: none, all capacities are zero */
    const struct model *m;
    const struct best *best; /* of dev */
    const struct plan_options *o;
    bool direct, splits;
    uint64_t disk_rate; /* 0: the newest measured */
};

/* The regressor is loaded into *predictor unless it is there already; without one a note says that
 * all capacities are zero. What the problem has of m, best and o stays borrowed. */
int model_problem_make(const struct model_setting *x, struct predictor **predictor,
                       struct model_problem *ret_mp, struct err *err);

#endif
