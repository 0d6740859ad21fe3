#include "profiler/program_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Which source line `line` of the whole text is of, and which line of it; NULL: of none. A source
 * stands behind the line with its #line, and a line's end follows it (program.c). */
static const struct program_source *source_at(const struct program_source *sources, int n,
                                              long line, long *ret_line)
{
    long before = 1; /* lines up to the first of this source */

    for (int i = 0; i < n; i++) {
        long lines = 1;

        for (size_t j = 0; j < sources[i].length; j++)
            lines += sources[i].text[j] == '\n';
        if (line > before && line <= before + lines) {
            *ret_line = line - before;
            return &sources[i];
        }
        before += lines + 1;
    }
    return NULL;
}

/* Is this "<NAME>:LINE:"? Then what follows LINE. */
static const char *whole_text_line(const char *p, long *ret_line)
{
    const char *end = *p == '<' ? strpbrk(p, ">\n") : NULL;
    char *rest;

    if (!end || end[0] != '>' || end[1] != ':')
        return NULL;
    *ret_line = strtol(end + 2, &rest, 10);
    return rest > end + 2 && *rest == ':' ? rest : NULL;
}

char *program_log_located(const char *log, const struct program_source *sources, int n)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);

    if (!f)
        return NULL;
    while (*log) {
        const struct program_source *source = NULL;
        size_t length = strcspn(log, "\n");
        long line = 0, of_source = 0;
        const char *rest = whole_text_line(log, &line);

        if (rest)
            source = source_at(sources, n, line, &of_source);
        if (source) {
            fprintf(f, "%s:%ld", source->name, of_source);
            length -= (size_t)(rest - log);
            log = rest;
        }
        length += log[length] == '\n';
        fwrite(log, 1, length, f);
        log += length;
    }
    if (fclose(f) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
