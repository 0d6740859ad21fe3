/* flashmem worker: the process in which a sweep measures. Started by 'flashmem sweep', hidden. */
#include <signal.h>

#include "harness/cli/cli.h"
#include "harness/sweep/worker.h"

static int run(const struct cli *cli, const void *options, int n_args, char **args,
               struct err *err)
{
    (void)options;
    (void)n_args;
    (void)args;
    /* Ctrl-C reaches the whole process group; the sweep decides what becomes of its worker. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_DFL);
    return worker_run(cli->device, 0, err) < 0 ? EXIT_FAILED : EXIT_DONE;
}

const struct command command_worker = {
    .name = "worker",
    .args = "",
    .summary = "measures what a sweep asks for over descriptor 0",
    .example = "flashmem sweep datasets/sweeps/quick.csv",
    .min_args = 0,
    .max_args = 0,
    .hidden = true,
    .run = run,
};
