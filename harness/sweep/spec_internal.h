/* harness/sweep/spec_internal.h - what spec*.c share: a row of a spec, read but not
 * expanded. */
#ifndef FLASHMEM_HARNESS_SWEEP_SPEC_INTERNAL_H
#define FLASHMEM_HARNESS_SWEEP_SPEC_INTERNAL_H

#include "harness/sweep/cell.h"
#include "harness/sweep/spec.h"
#include "harness/text/csv.h"

struct spec_ratios {
    int n;
    double r[CELL_VALUES];
    bool extend;
};

/* One row of the spec while it is expanded; on the heap, for an axis is 8 KiB. */
struct spec_row {
    const struct csv *csv;
    int index;
    const struct device_info *dev;
    struct axis model, op, dtype, path, kernel, form, order, lws;
    struct axes shape, tile;
    double max_macs; /* of a case of a model; 0: no limit */
    bool tile_all;
    struct spec_ratios ratios;
    int loads;
    struct sweep_config base; /* what all configurations of the row have in common, so far */
};

/* Configurations as they come, some of them twice. */
struct spec_growing {
    int n, room;
    struct sweep_config *config;
};

/* spec_row.c: the cells of the row, whose csv, index, dev and base.line are set and whose rest is
 * zero. -EINVAL: err names the column. */
int spec_row_read(struct spec_row *row, struct err *err);

/* spec_expand.c: what the row says, added to `out`. -EINVAL, -E2BIG (more than
 * 2 * SPEC_MAX), -ENOMEM. */
int spec_expand(struct spec_row *row, struct spec_growing *out, struct err *err);

#endif
