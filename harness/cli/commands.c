/* harness/cli/commands.c - every command, in the order in which --help lists them. */
#include "harness/cli/cli.h"

/* One line per command: command_NAME, defined in cmd_NAME.c. */
#define COMMANDS(X) \
    X(devices) \
    X(sweep) \
    X(samples) \
    X(train) \
    X(predict) \
    X(capacity) \
    X(models) \
    X(import) \
    X(weights) \
    X(plan) \
    X(replay) \
    X(queue) \
    X(report) \
    X(compare) \
    X(db) \
    X(reproduce) \
    X(worker) \
    /* end */

#define DECLARE(name) extern const struct command command_##name;
#define ENTRY(name)   &command_##name,

COMMANDS(DECLARE)

const struct command *const command_table[] = {COMMANDS(ENTRY) NULL};
