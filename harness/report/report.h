/* harness/report/report.h - tables and figures from the results database and datasets/paper alone.
 *
 * An item is one SQL query and, for a figure, one gnuplot script; items.c has the table of them.
 * A query of one column is a list of sentences.
 * Every figure leaves its data (CSV) and its script beside the pictures; both run alone. */
#ifndef FLASHMEM_HARNESS_REPORT_REPORT_H
#define FLASHMEM_HARNESS_REPORT_REPORT_H

#include "harness/store/store.h"
#include "harness/text/table.h"

struct report_item {
    const char *name;    /* file name stem: "table7", "figure2", "memory" */
    const char *part;    /* a part of the page begins here: its heading; NULL: it goes on */
    const char *opening; /* of that part: what it asks, one paragraph */
    const char *title;
    const char *caption; /* what to see in it */
    const char *sql;     /* embedded file; ?1 is the device's row */
    const char *narrows; /* the view of latest.sql that --where is about; NULL: it takes none */
    const char *gnuplot; /* embedded file; NULL for a table */
    double height;       /* of a figure, a panel: inches, at 3.3 inches of width */
    const char *note;    /* what the paper itself says otherwise; NULL: nothing */
    bool every_device;   /* asked for each device that has runs, the page's first: rows
                          * that agree in their first two columns stand together */
    bool folded;         /* a long table: the page shows it when asked */
};
extern const struct report_item report_items[]; /* in the order of the page; ended by a NULL name */
const struct report_item *report_find(const char *name);

struct report;
struct filter;

/* Loads datasets/paper beside the database (as temporary tables paper_NAME). device_id 0: the device
 * of the newest session. Once for each open store. -ENODATA: nothing was measured yet. */
int report_open(struct store *st, int64_t device_id, struct report **ret_r, struct err *err);
void report_close(struct report *r);

/* From here on, of this item's view only what passes. -EINVAL: no such column, or it takes none. */
int report_narrow(struct report *r, const struct report_item *item, struct filter *where,
                  struct err *err);

/* Size of figures in inches. 0: 3.3 wide, one column of a paper; as high as the item says. */
void report_size(struct report *r, double width_in, double height_in);

/* One table on a stream. */
int report_print(struct report *r, const struct report_item *item, enum format format, FILE *f,
                 struct err *err);

/* One item as files in `dir` (made if need be): NAME.csv, and for figures NAME.gp, .svg, .png, .pdf.
 * ret_rows 0: no data yet; only the CSV header is written. -ENOENT: gnuplot is not installed. */
int report_write(struct report *r, const struct report_item *item, const char *dir, int *ret_rows,
                 struct err *err);

/* All items and index.html. Every file but pictures is written beside and renamed. -ENOENT: gnuplot
 * is not installed; all else is there, and the page says which pictures are missing. */
int report_all(struct report *r, const char *dir, struct err *err);

#endif
