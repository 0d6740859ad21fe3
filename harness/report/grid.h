/* harness/report/grid.h - the result of one query: names and cells, as text. Private to this room. */
#ifndef FLASHMEM_HARNESS_REPORT_GRID_H
#define FLASHMEM_HARNESS_REPORT_GRID_H

#include <stdbool.h>
#include <stdio.h>

#include "harness/store/store.h"
#include "harness/text/table.h"
#include "profiler/embed.h"

extern const struct embedded_file report_files[];
const struct embedded_file *report_file(const char *name); /* asserts that it exists */

struct grid {
    int cols, rows;
    char **name; /* [cols] */
    char **cell; /* [rows * cols]; NULL is SQL's NULL */
    bool *text;  /* [cols] holds something that is no number */
    bool *filled; /* [cols] holds anything: the page leaves out what does not */
};

int grid_query(struct store *st, const char *sql, int64_t device_id, struct grid *ret_g,
               struct err *err);
/* Moves the rows of `more`, which has the same columns, into g: each behind the last one that
 * agrees with it in the first two columns, else in the first, else to the end. -ENOMEM: nothing was
 * moved. */
int grid_join(struct grid *g, struct grid *more);
void grid_done(struct grid *g);
const char *grid_cell(const struct grid *g, int row, int col); /* NULL for NULL */

void grid_csv(const struct grid *g, FILE *f);
void grid_html(const struct grid *g, FILE *f);
int grid_print(const struct grid *g, enum format format, FILE *f, struct err *err);
void html_text(FILE *f, const char *text); /* escaped */

/* Write PATH through a temporary file: begin, then end (flush, rename) or, with `ok` false, forget. */
FILE *file_begin(const char *path, struct err *err); /* NULL on failure */
int file_end(FILE *f, const char *path, bool ok, struct err *err);

#endif
