/* harness/text/table.h - results as rows and columns, printed for people or for programs. */
#ifndef FLASHMEM_HARNESS_TEXT_TABLE_H
#define FLASHMEM_HARNESS_TEXT_TABLE_H

#include <stdint.h>
#include <stdio.h>

enum format { FORMAT_TABLE, FORMAT_CSV, FORMAT_JSON, FORMAT_MARKDOWN };

struct table;

/* `columns`: "model,params_m,..." - the names of interface.md. */
struct table *table_new(const char *columns);
void table_free(struct table *t);

/* Cells are added left to right; a row ends when it is full. NULL text and NaN are empty cells
 * (null in JSON). Reals print with `digits` significant digits for people, in full for programs. */
void table_text(struct table *t, const char *text);
void table_int(struct table *t, int64_t v);
void table_real(struct table *t, double v, int digits);
void table_empty(struct table *t);
int table_rows(const struct table *t);

/* FORMAT_TABLE prints a few rows that are too wide for a screen upright: a line for each column.
 * 0; -EIO (checked with fflush: a full disk is noticed); -ENOMEM, also for earlier cells. */
int table_print(const struct table *t, enum format format, FILE *f);

#endif
