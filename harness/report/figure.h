/* harness/report/figure.h - one figure from the rows of its query. Private to this room.
 * Columns 0 and 1 are the panel and the series of a row; the script says what the others are. */
#ifndef FLASHMEM_HARNESS_REPORT_FIGURE_H
#define FLASHMEM_HARNESS_REPORT_FIGURE_H

#include "harness/report/grid.h"
#include "harness/report/report.h"

/* Writes NAME.gp and runs it; NAME.csv is already there. Size in inches; 0: default. */
int figure_write(const struct report_item *item, const struct grid *g, double width_in,
                 double height_in, const char *dir, struct err *err);

#endif
