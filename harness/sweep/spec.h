/* harness/sweep/spec.h - a sweep spec: CSV rows that are small cartesian products, expanded to
 * configurations. Format: datasets/sweeps/README.md. Pure: no device is opened, no file but
 * the spec is read; `dev` only says what the defaults are. */
#ifndef FLASHMEM_HARNESS_SWEEP_SPEC_H
#define FLASHMEM_HARNESS_SWEEP_SPEC_H

#include "operators/op.h"

/* Everything that can change a kernel's time. Ratio 0 is always the naive form without loads, any
 * other ratio never is. */
struct sweep_config {
    struct op_case c;
    struct op_variant v;
    double ratio;        /* asked for: bytes carried / op_input_bytes() */
    uint64_t load_bytes; /* carried: the nearest number of whole texels, one at least */
    bool extend;         /* last of a '+' list: double the ratio until the threshold is crossed */
    /* Limits of struct measure_options; 0: not said. They are no part of the key. */
    double target;
    int max_repeats;
    uint64_t max_time_ns;
    int line; /* of the spec */
};

/* The one spelling of a configuration, "CASE|VARIANT|load=BYTES|cache=flushed": config.key. */
#define SWEEP_KEY_MAX (2 * OP_TEXT_MAX + 64)
void sweep_key(const struct sweep_config *g, bool hot, char key[SWEEP_KEY_MAX]);

/* The same configuration with another load. */
void sweep_config_load(struct sweep_config *g, double ratio);

struct spec {
    char *path;
    int n;                       /* each key once */
    struct sweep_config *config; /* in the order of the file */
};

/* -ENOENT, -EINVAL (err: FILE:LINE: what; illegal shapes too), -E2BIG (more than SPEC_MAX
 * configurations). What a kernel cannot take on this device is not an error here: it is found, and
 * recorded, at run time. */
#define SPEC_MAX 200000
int spec_read(const char *path, const struct device_info *dev, struct spec *ret_spec,
              struct err *err);
void spec_done(struct spec *spec);

#endif
