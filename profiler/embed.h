/* profiler/embed.h - text files inside the program, embedded at build time by scripts/embed.sh:
 * bytes, because C11 promises string literals of 4095 characters only. */
#ifndef FLASHMEM_PROFILER_EMBED_H
#define FLASHMEM_PROFILER_EMBED_H

#include <stddef.h>

struct embedded_file {
    const char *name; /* without its folder; NULL ends an array */
    const char *text; /* length bytes and a terminating zero */
    size_t length;
};

/* NULL: no file of that name. */
const struct embedded_file *embedded_find(const struct embedded_file *files, const char *name);

#endif
