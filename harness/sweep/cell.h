/* harness/sweep/cell.h - cells of a sweep spec: alternatives "a|b", ranges "1-8*2", "64-256+64",
 * and lists of named axes "m=64|128,n=768" or "m=64|128 n=768". Text in, text out: what a value
 * means is the caller's. */
#ifndef FLASHMEM_HARNESS_SWEEP_CELL_H
#define FLASHMEM_HARNESS_SWEEP_CELL_H

#include <stdbool.h>

#include "profiler/err.h"

enum { CELL_TEXT = 32, CELL_VALUES = 256, CELL_AXES = 16 };

struct axis {
    char name[CELL_TEXT]; /* "" for a cell that is one axis */
    int n;
    char value[CELL_VALUES][CELL_TEXT];
};

struct axes {
    int n;
    struct axis axis[CELL_AXES];
};

/* "a|b|4-16*2" to a, b, 4, 8, 16. Empty text gives no values. Ranges need first <= last, a step of
 * at least 1, a factor of at least 2; the last value is included if it is hit. -EINVAL: an empty
 * alternative, a bad range, more than CELL_VALUES values. */
int cell_values(const char *text, struct axis *ret_axis, struct err *err);

/* "m=64|128,n=768"; blanks do as well as commas. -EINVAL also for a missing or repeated name. */
int cell_axes(const char *text, struct axes *ret_axes, struct err *err);

/* Step through the product, last axis fastest: at[] starts as zeros; false when it is through. */
bool axes_next(const struct axes *axes, int at[CELL_AXES]);

#endif
