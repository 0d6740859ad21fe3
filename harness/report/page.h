/* harness/report/page.h - index.html: the items in order, standing alone. Private to this room. */
#ifndef FLASHMEM_HARNESS_REPORT_PAGE_H
#define FLASHMEM_HARNESS_REPORT_PAGE_H

#include "harness/report/grid.h"
#include "harness/report/report.h"

/* grid[i] belongs to report_items[i]; pictures are read from `dir`. */
int page_write(const struct grid *grid, const char *dir, struct err *err);

#endif
