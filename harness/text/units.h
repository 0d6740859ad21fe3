/* harness/text/units.h - numbers with units, as people type and read them. Checked, never
 * truncated: every parser refuses trailing characters, overflow, NaN; -EINVAL names the value and
 * the range. */
#ifndef FLASHMEM_HARNESS_TEXT_UNITS_H
#define FLASHMEM_HARNESS_TEXT_UNITS_H

#include <stdint.h>

#include "profiler/err.h"

int parse_int(const char *text, int64_t min, int64_t max, int64_t *ret, struct err *err);
int parse_real(const char *text, double min, double max, double *ret, struct err *err);
/* "500MiB", "1.5GB", "4096", "64k" is refused: KB MB GB are powers of 1000, KiB MiB GiB of 1024. */
int parse_bytes(const char *text, uint64_t *ret, struct err *err);
/* "150s", "20ms", "3us", "2m", "1h"; a bare number is seconds. */
int parse_time_ns(const char *text, uint64_t *ret, struct err *err);

#define UNIT_TEXT 32
char *format_bytes(char text[UNIT_TEXT], uint64_t bytes); /* "12.5 MiB"; returns text */
char *format_time(char text[UNIT_TEXT], double ns);       /* "3.42 ms"; returns text */
/* The shortest text that reads back the same; "" for NaN. */
char *format_real(char text[UNIT_TEXT], double x);

#endif
