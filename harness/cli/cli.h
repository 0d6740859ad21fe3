/* harness/cli/cli.h - the command table: options are data; --help, range errors and parsing all
 * come from it. One file per subcommand: options in, calls, output out. */
#ifndef FLASHMEM_HARNESS_CLI_CLI_H
#define FLASHMEM_HARNESS_CLI_CLI_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/text/table.h"
#include "profiler/err.h"

enum opt_type {
    OPT_TEXT,   /* const char *  */
    OPT_FLAG,   /* bool: present or not */
    OPT_INT,    /* int64_t, within min..max */
    OPT_REAL,   /* double, within min..max */
    OPT_BYTES,  /* uint64_t: 500MiB, 1.5GB */
    OPT_TIME,   /* uint64_t ns: 150s, 20ms */
    OPT_CHOICE, /* int: index into choices */
    OPT_LIST    /* struct opt_list: may be given several times */
};

struct opt_list {
    int n;
    const char **item; /* borrowed from argv; the array is freed by cli */
};

struct opt {
    const char *name; /* "--m-peak" */
    enum opt_type type;
    size_t offset;     /* into the command's options struct */
    const char *def;   /* default, as typed; NULL: zero */
    double min, max;   /* OPT_INT, OPT_REAL; both 0: any. 0x1p63 is INT64_MAX */
    const char *const *choices; /* OPT_CHOICE, NULL-terminated */
    const char *arg;   /* "BYTES", "N": what --help shows */
    const char *help;
};

struct cli { /* the global options */
    const char *db_path;
    const char *device; /* NULL: default */
    int format;         /* enum format */
    bool quiet, verbose;
    int64_t seed;
    int argc; /* the whole command line, for session rows */
    char **argv;
};

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_PARTLY = 3 };

struct command {
    const char *name;
    const char *args; /* "MODEL", "SPEC", "A B", "[PATTERN]" */
    const char *summary;
    const char *example;
    const struct opt *opts; /* ended by a NULL name; may be NULL */
    size_t opts_size;
    int min_args, max_args; /* positional; max_args -1: any number */
    void (*help)(FILE *f);  /* NULL, or what --help adds behind the options: names from a table */
    bool hidden;
    /* Returns an EXIT_ status; on EXIT_FAILED or EXIT_USAGE err holds the message for main(). */
    int (*run)(const struct cli *cli, const void *opts, int n_args, char **args, struct err *err);
};
extern const struct command *const command_table[]; /* NULL-terminated; see commands.c */

/* What a command returns after table_print(): EXIT_DONE, or EXIT_FAILED with the message. */
int cli_printed(int rc, struct err *err);
/* Prints `t` unless rc is a failure, and frees it; `t` may be NULL then. An EXIT_ status. */
int cli_finish(const struct cli *cli, struct table *t, int rc, struct err *err);

/* Refuses to replace what is no regular file: a rename over /dev/null would. -EINVAL. */
int cli_check_out(const char *option, const char *path, struct err *err);

/* What is there under that name is a folder, or nothing is. -EINVAL. */
int cli_check_folder(const char *option, const char *path, struct err *err);

/* Set by SIGINT and SIGTERM; loops look at it between steps and end cleanly. */
extern volatile sig_atomic_t cli_interrupted;

/* A line on stderr, `what` and `text`, without control characters: names and cells of files that
 * anybody may have made are quoted there. */
void cli_say(const char *what, const char *text);
/* Progress and diagnostics go to stderr; nothing with --quiet. */
void cli_note(const struct cli *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Progress line "what done/total, spent, left": redrawn on a terminal, sparse elsewhere. */
void cli_progress(const struct cli *cli, const char *what, int64_t done, int64_t total,
                  uint64_t started_ns);
/* The same of bytes, in MiB. */
void cli_progress_bytes(const struct cli *cli, const char *what, uint64_t done, uint64_t total,
                        uint64_t started_ns);

#endif
