/* flashmem reproduce: the whole study, as the commands that a user would type, one after another. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/cli/cli.h"
#include "harness/model/model.h"
#include "harness/text/units.h"
#include "profiler/clock.h"

struct reproduce_opts {
    const char *out;
    bool quick, full;
};

#define FIELD(f) offsetof(struct reproduce_opts, f)
static const struct opt opts[] = {
    {.name = "--quick", .type = OPT_FLAG, .offset = FIELD(quick),
     .help = "a small sweep and two models: minutes (default)"},
    {.name = "--full", .type = OPT_FLAG, .offset = FIELD(full),
     .help = "the large sweep, both memory paths, f32 and f16: hours"},
    {.name = "--out", .type = OPT_TEXT, .offset = FIELD(out), .def = "results/out", .arg = "DIR",
     .help = "folder for tables, figures and index.html"},
    {0},
};

#define MAX_WORDS 24

/* Words are separated by single blanks; "@SWEEPS" and "@OUT" stand for folders. */
struct step {
    const char *words;
    bool full_only, quick_only;
};

static const struct step steps[] = {
    {"devices", false, false},
    {"models", false, false},
    {"sweep @SWEEPS/quick.csv", false, true},
    {"sweep @SWEEPS/full.csv", true, false},
    {"sweep @SWEEPS/forms.csv", true, false},
    {"train", false, false},
    {"weights GPTN-S", false, false},
    {"weights ResNet", false, false},
    {"replay ResNet --verify --time-limit 25s", false, true},
    {"replay GPTN-S --verify --time-limit 45s", false, true},
    {"replay ResNet --verify", true, false},
    {"replay GPTN-S --verify", true, false},
    {"replay ResNet --verify --path buffer", true, false},
    {"replay GPTN-S --verify --path buffer", true, false},
    {"weights GPTN-S --dtype f16", true, false},
    {"weights ResNet --dtype f16", true, false},
    {"replay ResNet --verify --dtype f16", true, false},
    {"replay GPTN-S --verify --dtype f16", true, false},
    {"report --all --out @OUT", false, false},
};

/* One step as a process of its own: a crash ends the step, not what was stored before it. */
static int spawn(const struct cli *cli, char **words, struct err *err)
{
    char *argv[MAX_WORDS + 11];
    char seed[32];
    int n = 0, status;
    pid_t pid;

    snprintf(seed, sizeof(seed), "%lld", (long long)cli->seed);
    argv[n++] = "flashmem";
    argv[n++] = "--db";
    argv[n++] = (char *)cli->db_path;
    argv[n++] = "--seed";
    argv[n++] = seed;
    if (cli->device) {
        argv[n++] = "--device";
        argv[n++] = (char *)cli->device;
    }
    if (cli->quiet)
        argv[n++] = "--quiet";
    if (cli->verbose)
        argv[n++] = "--verbose";
    while (*words)
        argv[n++] = *words++;
    argv[n] = NULL;
    fflush(stdout);
    pid = fork();
    if (pid < 0)
        return err_set(err, -errno, "cannot start a process: %s", strerror(errno));
    if (pid == 0) {
        execv("/proc/self/exe", argv);
        _exit(127);
    }
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_set(err, -errno, "waiting for '%s': %s", argv[n - 1], strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_PARTLY)
        return 1;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_DONE)
        return err_set(err, -EIO, "a step failed; what was measured before it is in '%s', and the "
                                  "same command goes on from there",
                       cli->db_path);
    return 0;
}

static int split(const struct reproduce_opts *o, char *text, char folders[2][4096], char **words)
{
    int n = 0;

    for (char *w = strtok(text, " "); w && n < MAX_WORDS; w = strtok(NULL, " ")) {
        if (strncmp(w, "@SWEEPS", 7) == 0) {
            snprintf(folders[0], 4096, "%s/sweeps%s", model_datasets_dir(), w + 7);
            w = folders[0];
        } else if (strcmp(w, "@OUT") == 0) {
            snprintf(folders[1], 4096, "%s", o->out);
            w = folders[1];
        }
        words[n++] = w;
    }
    words[n] = NULL;
    return n;
}

/* The step as it can be typed. */
static void join(char **words, char *text, size_t size)
{
    size_t n = 0;

    *text = '\0';
    for (; *words && n < size; words++)
        n += (size_t)snprintf(text + n, size - n, "%s%s", n ? " " : "", *words);
}

static int run(const struct cli *cli, const void *options, int n_args, char **args,
               struct err *err)
{
    const struct reproduce_opts *o = options;
    bool partly = false;

    (void)n_args;
    (void)args;
    if (o->quick && o->full) {
        err_set(err, -EINVAL, "--quick and --full: give one of them");
        return EXIT_USAGE;
    }
    if (cli_check_folder("--out", o->out, err) < 0) /* not after hours */
        return EXIT_USAGE;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        char text[256], folders[2][4096], said[512], took[UNIT_TEXT];
        char *words[MAX_WORDS + 1];
        uint64_t began = clock_ns();
        int rc;

        if (o->full ? steps[i].quick_only : steps[i].full_only)
            continue;
        snprintf(text, sizeof(text), "%s", steps[i].words);
        split(o, text, folders, words);
        join(words, said, sizeof(said));
        printf("\n$ flashmem %s\n", said);
        rc = spawn(cli, words, err);
        if (rc < 0)
            return err_prefix(err, "%s", said), EXIT_FAILED;
        partly = partly || rc > 0;
        cli_note(cli, "%s: took %s", said,
                 format_time(took, (double)(clock_ns() - began)));
        if (cli_interrupted)
            return err_set(err, -EINTR, "interrupted; the same command goes on from here"),
                   EXIT_FAILED;
    }
    printf("\nThe page: %s/index.html\n", o->out);
    return partly ? EXIT_PARTLY : EXIT_DONE;
}

const struct command command_reproduce = {
    .name = "reproduce",
    .args = "",
    .summary = "the whole study: sweep, train, plan, replay, report",
    .example = "flashmem reproduce --quick",
    .opts = opts,
    .opts_size = sizeof(struct reproduce_opts),
    .min_args = 0,
    .max_args = 0,
    .run = run,
};
