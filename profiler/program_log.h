/* profiler/program_log.h - build logs in terms of our files.
 *
 * A program is several sources in one text, each after a #line of its own. NVIDIA's compiler
 * ignores those: its logs say "<kernel>:9:20: error", line 9 of the whole text. */
#ifndef FLASHMEM_PROFILER_PROGRAM_LOG_H
#define FLASHMEM_PROFILER_PROGRAM_LOG_H

#include "profiler/program.h"

/* `log` with every "<NAME>:LINE:" at the beginning of a line as "FILE:LINE:" of the source that
 * stands there, if there is one; other lines as they are. Malloced; NULL: out of memory. */
char *program_log_located(const char *log, const struct program_source *sources, int n);

#endif
