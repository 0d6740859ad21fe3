/* Rows of a results database, written by hand, and the report made of them: what the suites
 * `report` and `page` expect is worked out from report_rows.c (and, for the paper's, from
 * datasets/paper), never read off the code. */
#ifndef FLASHMEM_TESTS_REPORT_ROWS_H
#define FLASHMEM_TESTS_REPORT_ROWS_H

#include <check.h>

#include "harness/report/report.h"

extern const struct device_info rows_device;
extern struct store *rows_st;
extern char rows_db[96], rows_out[96]; /* the database's file; the folder of the report */

/* Fixtures: a database with everything, or with nothing; and its end. */
void rows_open(void);
void rows_open_empty(void);
void rows_close(void);

/* A case of a suite, with one of these as its fixture. */
TCase *rows_case(Suite *s, const char *name, SFun setup);

int64_t rows_session(void);
void exec(const char *sql);
/* GPTN-S as it streamed (500 ms, 100 MB) in another configuration; `more`: "column = value, ...". */
void another(const char *policy, const char *kernel, const char *more, int ms, int avg_mb);

/* report --all: its return value; with pictures, which must work; without. */
int rows_report(struct err *err);
void rows_report_ok(void);
void rows_report_csv(void);

/* Files of the report. slurp: the caller frees it. */
bool there(const char *name);
char *slurp(const char *name);
void has(const char *name, const char *want);
void has_not(const char *name, const char *want);

#endif
