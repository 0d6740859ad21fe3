/* profiler/err.h - the one way an error travels: a negative errno and one line of text.
 *
 * The message is made where the bad value is known and printed once, in main():
 * lower case, no full stop, values in quotes, says what to do. */
#ifndef FLASHMEM_PROFILER_ERR_H
#define FLASHMEM_PROFILER_ERR_H

#define ERR_TEXT_MAX 1024

struct err {
    int code; /* 0, or the negative errno returned */
    char text[ERR_TEXT_MAX];
};

/* Set `err` (NULL is fine) and return `code`, so that `return err_set(...)` reads well. */
int err_set(struct err *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Put "WHERE: " in front of the message, e.g. a file and line; returns err->code. */
int err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
