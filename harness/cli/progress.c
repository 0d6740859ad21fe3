#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/cli/cli.h"
#include "harness/text/units.h"
#include "profiler/clock.h"

#define REDRAW_NS UINT64_C(200000000)
#define SPARSE_NS UINT64_C(30000000000)

/* One progress line at a time, as there is one terminal. */
static bool drawn; /* the cursor stands behind a progress line */

static void clear_line(void)
{
    if (drawn)
        fputs("\r\033[K", stderr);
    drawn = false;
}

void cli_say(const char *what, const char *text)
{
    clear_line();
    fprintf(stderr, "flashmem: %s", what);
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        fputc((*p < 0x20 && *p != '\n') || *p == 0x7f ? '?' : *p, stderr);
    fputc('\n', stderr);
}

void cli_note(const struct cli *cli, const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    int n;

    if (cli->quiet)
        return;
    va_start(ap, fmt);
    n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n >= 0) {
        cli_say("", text);
        free(text);
    }
}

void cli_progress(const struct cli *cli, const char *what, int64_t done, int64_t total,
                  uint64_t started_ns)
{
    static uint64_t last_ns;
    static const char *last_what;
    bool terminal = isatty(STDERR_FILENO), begins = last_what != what;
    bool ends = total > 0 && done >= total;
    uint64_t now = clock_ns();
    char spent[UNIT_TEXT], left[UNIT_TEXT] = "";

    if (cli->quiet)
        return;
    if (!begins && !ends && now - last_ns < (terminal ? REDRAW_NS : SPARSE_NS))
        return;
    last_ns = now;
    last_what = ends ? NULL : what;
    format_time(spent, (double)(now - started_ns));
    if (done > 0 && done < total)
        format_time(left, (double)(now - started_ns) * (double)(total - done) / (double)done);
    clear_line();
    fprintf(stderr, "%s %" PRId64 "/%" PRId64 ", %s%s%s", what, done, total, spent,
            *left ? ", left about " : "", left);
    if (terminal && !ends) {
        fflush(stderr);
        drawn = true;
    } else {
        fputc('\n', stderr);
    }
}

void cli_progress_bytes(const struct cli *cli, const char *what, uint64_t done, uint64_t total,
                        uint64_t started_ns)
{
    int64_t whole = (int64_t)(total >> 20) + 1; /* so that only the last byte ends the line */

    cli_progress(cli, what, done == total ? whole : (int64_t)(done >> 20), whole, started_ns);
}

int cli_finish(const struct cli *cli, struct table *t, int rc, struct err *err)
{
    int status = EXIT_FAILED;

    if (rc >= 0)
        status = cli_printed(table_print(t, (enum format)cli->format, stdout), err);
    table_free(t);
    return status;
}

int cli_printed(int rc, struct err *err)
{
    if (rc == 0)
        return EXIT_DONE;
    if (rc == -ENOMEM)
        err_set(err, rc, "out of memory");
    else
        err_set(err, rc, "cannot write the output: %s", strerror(errno ? errno : EIO));
    return EXIT_FAILED;
}

int cli_check_out(const char *option, const char *path, struct err *err)
{
    struct stat st;

    if (!path || stat(path, &st) < 0 || S_ISREG(st.st_mode))
        return 0;
    return err_set(err, -EINVAL, "%s: '%s' is there and is no regular file: name another", option,
                   path);
}

int cli_check_folder(const char *option, const char *path, struct err *err)
{
    struct stat st;

    if (stat(path, &st) < 0 ? errno != ENOTDIR : S_ISDIR(st.st_mode))
        return 0;
    return err_set(err, -EINVAL, "%s: '%s' is or is below what is no folder: name another", option,
                   path);
}
