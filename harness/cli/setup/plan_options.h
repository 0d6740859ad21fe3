/* harness/cli/setup/plan_options.h - the planning options of every command that makes plans. */
#ifndef FLASHMEM_HARNESS_CLI_SETUP_PLAN_OPTIONS_H
#define FLASHMEM_HARNESS_CLI_SETUP_PLAN_OPTIONS_H

#include "harness/cli/setup/variants.h"
#include "harness/plan/capacities.h"
#include "harness/plan/problem.h"
#include "harness/store/store.h"

struct plan_options {
    struct opt_list thresholds, preload;
    const char *m_peak; /* NULL: the default */
    uint64_t memory, ring, chunk; /* 0: not given */
    double lambda;
    int limit, price, dtype, path, variants, capacities;
    bool respect_capacity;
    int64_t relax;
};

#define PLAN_OPTION(field) offsetof(struct plan_options, field)

/* Rows for a table of options whose struct begins with a struct plan_options. */
#define PLAN_OPTION_ROWS \
    {.name = "--m-peak", .type = OPT_TEXT, .offset = PLAN_OPTION(m_peak), .arg = "BYTES", \
     .help = "the paper's M_peak, read as --limit says; or 'none' (default: 500MB, none with " \
             "--memory)"}, \
    {.name = "--limit", .type = OPT_CHOICE, .offset = PLAN_OPTION(limit), .def = "streamed", \
     .choices = plan_limit_names, .help = "reading of --m-peak"}, \
    {.name = "--memory", .type = OPT_BYTES, .offset = PLAN_OPTION(memory), .arg = "BYTES", \
     .help = "limit for everything: staging, textures, activations"}, \
    {.name = "--ring", .type = OPT_BYTES, .offset = PLAN_OPTION(ring), .arg = "BYTES", \
     .help = "unified memory between disk and textures, part of --memory (default: 16MiB, or a " \
             "sixth of what --memory leaves beside activations)"}, \
    {.name = "--threshold", .type = OPT_LIST, .offset = PLAN_OPTION(thresholds), \
     .arg = "CLASS=X", .help = "slowdown allowed under load, e.g. reusable=0.3"}, \
    {.name = "--capacities", .type = OPT_CHOICE, .offset = PLAN_OPTION(capacities), \
     .def = "recorded", .choices = capacities_names, \
     .help = "what a layer can carry, by: the regressor corrected by recorded runs, the regressor " \
             "alone, the most similar shape measured, a roofline, one ratio for each class, or at " \
             "random by --seed; others than 'recorded' are compared, not reported"}, \
    {.name = "--price", .type = OPT_CHOICE, .offset = PLAN_OPTION(price), .def = "bytes", \
     .choices = plan_price_names, .help = "what preloading a weight costs: its chunks, or 1"}, \
    {.name = "--lambda", .type = OPT_REAL, .offset = PLAN_OPTION(lambda), .def = "0.9", .min = 0, \
     .max = 1, .arg = "X", .help = "weight of preloading against distance"}, \
    {.name = "--chunk", .type = OPT_BYTES, .offset = PLAN_OPTION(chunk), .arg = "BYTES", \
     .help = "chunk size, at least 64KiB (default: 1MiB, less within a small --memory)"}, \
    {.name = "--preload", .type = OPT_LIST, .offset = PLAN_OPTION(preload), .arg = "NAME", \
     .help = "preload this weight"}, \
    {.name = "--respect-capacity", .type = OPT_FLAG, .offset = PLAN_OPTION(respect_capacity), \
     .help = "naive policies: preload what exceeds a layer's capacity"}, \
    {.name = "--relax", .type = OPT_INT, .offset = PLAN_OPTION(relax), .def = "40", .min = 0, \
     .max = 1000, .arg = "PERCENT", \
     .help = "lc-opg: raise capacities by up to so much where else no plan fits the limits"}, \
    {.name = "--dtype", .type = OPT_CHOICE, .offset = PLAN_OPTION(dtype), .def = "f32", \
     .choices = storage_dtype_names, .help = "storage"}, \
    {.name = "--path", .type = OPT_CHOICE, .offset = PLAN_OPTION(path), .def = "image", \
     .choices = mem_path_names, .help = "memory path of tensors"}, \
    {.name = "--variants", .type = OPT_CHOICE, .offset = PLAN_OPTION(variants), .def = "best", \
     .choices = variants_names, .help = VARIANTS_HELP}

/* What can be known without a model: -EINVAL, err says which option is wrong. */
int plan_options_check(const struct plan_options *o, struct err *err);

/* Every item is the name of a policy: else -EINVAL. */
int plan_options_policies(const struct opt_list *policies, struct err *err);

/* --m-peak in bytes, 0 for none; `if_not_given` without it. The text has been checked. */
uint64_t plan_options_m_peak(const struct plan_options *o, uint64_t if_not_given);

/* The whole pages of --ring: the disk is read in such. Without it what --memory leaves for the
 * weights of `m` (NULL: of whatever is planned) says. */
uint64_t plan_options_ring(const struct plan_options *o, const struct model *m);

/* Bytes per second of the disk: `given`, or if that is 0 what the newest replay on this device
 * measured alone; 0 if there was none. */
int plan_options_disk_rate(struct store *st, int64_t device_id, uint64_t given, double *ret_rate,
                           struct err *err);

/* For a model; what is in `o` and `best` (NULL: the defaults) stays borrowed. The options have been
 * checked. */
struct problem_options plan_options_problem(const struct plan_options *o, const struct model *m,
                                            const struct best *best, bool direct);

#endif
