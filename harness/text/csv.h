/* harness/text/csv.h - our text formats: CSV whose first row is "FORMAT,VERSION" and whose second
 * row names the columns. Read with libcsv in strict mode; errors say FILE:LINE.
 * Lines beginning with '#' between rows are comments. */
#ifndef FLASHMEM_HARNESS_TEXT_CSV_H
#define FLASHMEM_HARNESS_TEXT_CSV_H

#include <stdio.h>

#include "profiler/err.h"

struct csv_row {
    const char *path;
    int line;           /* of the row's first character, from 1 */
    int n;              /* fields: always the number of columns */
    char *const *field; /* never NULL; "" for empty */
};

struct csv {
    char *path;
    int version;
    int n_columns;
    char **column;
    int n_rows;
    struct csv_row *row;
};

/* Read a whole file. `format`: the name expected in the first row, with version 1..max_version;
 * NULL: a plain CSV with a header row only. `required`: NULL-terminated column names that must be
 * there (NULL: any columns will do); columns that are neither required nor in `optional`
 * (NULL-terminated, may be NULL) are refused. -ENOENT, -EINVAL (err: FILE:LINE: what), -E2BIG above
 * 64 MiB or a million rows. */
int csv_read(const char *path, const char *format, int max_version, const char *const *required,
             const char *const *optional, struct csv *ret_csv, struct err *err);
void csv_done(struct csv *csv);

/* Field of a column; "" if the optional column is absent. */
const char *csv_get(const struct csv *csv, int row, const char *column);

/* err_set with "PATH:LINE: " in front. */
int csv_error(const struct csv *csv, int row, struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* One field, quoted where RFC 4180 asks for it. */
void csv_put(FILE *f, const char *field);

#endif
