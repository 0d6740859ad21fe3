/* harness/cli/opt.h - from the words of the command line to filled structs, and to --help. */
#ifndef FLASHMEM_HARNESS_CLI_OPT_H
#define FLASHMEM_HARNESS_CLI_OPT_H

#include <stdio.h>

#include "harness/cli/cli.h"

struct invocation {
    struct cli cli;
    const struct command *command; /* NULL: none was named */
    void *opts;                    /* [command->opts_size], NULL if that is 0 */
    int n_args;
    char **args; /* positional; borrowed from argv, the array is ours */
    bool help, version;
};

/* Parse argv with the commands of `table` (NULL-terminated). 0; -EINVAL: the command line is wrong
 * (err says what and, for a misspelt name, what was likely meant); -ENOMEM. With --help or
 * --version, missing arguments are no error. Free with opt_done() in either case of success. */
int opt_parse(const struct command *const *table, int argc, char **argv,
              struct invocation *ret_inv, struct err *err);
void opt_done(struct invocation *inv);

/* The options that are not at their default, in the order of the table, as they can be typed; those
 * named in `but` (NULL-terminated) are left out. Free the text; NULL: out of memory. */
char *opt_changed(const struct opt *opts, const void *values, const char *const *but);

/* Help of one command; of the program when `command` is NULL. */
void opt_help(const struct command *const *table, const struct command *command, FILE *f);

#endif
