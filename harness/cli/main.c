/* harness/cli/main.c - signals, one parse, one call, and the one place that prints errors. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "harness/cli/cli.h"
#include "harness/cli/opt.h"
#include "harness/store/version.h"

volatile sig_atomic_t cli_interrupted;

/* The first signal asks; the second one does not. */
static void on_signal(int sig)
{
    if (cli_interrupted)
        _exit(128 + sig);
    cli_interrupted = sig;
}

static void catch_signals(void)
{
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    sigemptyset(&sa.sa_mask);
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
}

/* Where the shell closed 0, 1 or 2, the next file opened would take its number, and messages would
 * land in a weights file. Read-only, so that output to a closed stdout still fails. */
static void keep_std_fds(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

static int run(const struct invocation *inv, struct err *err)
{
    if (inv->version) {
        printf("flashmem %s\n", program_version);
        return EXIT_DONE;
    }
    if (inv->help) {
        opt_help(command_table, inv->command, stdout);
        return EXIT_DONE;
    }
    if (!inv->command) {
        opt_help(command_table, NULL, stderr);
        err_set(err, -EINVAL, "which command?");
        return EXIT_USAGE;
    }
    return inv->command->run(&inv->cli, inv->opts, inv->n_args, inv->args, err);
}

int main(int argc, char **argv)
{
    struct invocation inv = {0};
    struct err err = {0};
    int status = EXIT_USAGE, rc;

    keep_std_fds();
    catch_signals();
    rc = opt_parse(command_table, argc, argv, &inv, &err);
    if (rc == 0)
        status = run(&inv, &err);
    else if (rc == -ENOMEM)
        status = EXIT_FAILED;
    /* A full disk or closed pipe behind stdout is a failure, whatever the command thought of it. */
    if ((fflush(stdout) != 0 || ferror(stdout)) && (status == EXIT_DONE || status == EXIT_PARTLY)) {
        err_set(&err, -EIO, "cannot write the output: %s", errno ? strerror(errno) : "I/O error");
        status = EXIT_FAILED;
    }
    if (status == EXIT_FAILED || status == EXIT_USAGE)
        cli_say("error: ", err.text);
    opt_done(&inv);
    return status;
}
