/* harness/cli/cmd_weights.c - weights MODEL: a weights file with reproducible random weights. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/cli/setup/model_file.h"
#include "harness/model/weights.h"
#include "profiler/clock.h"
#include "profiler/folders.h"

struct weights_opts {
    int dtype;
    const char *out;
    bool force;
};

static const struct opt opts[] = {
    {"--dtype", OPT_CHOICE, offsetof(struct weights_opts, dtype), "f32", 0, 0, storage_dtype_names,
     "f32|f16", "storage type"},
    {"--out", OPT_TEXT, offsetof(struct weights_opts, out), NULL, 0, 0, NULL, "FILE",
     "default: $FLASHMEM_WEIGHTS or weights/, MODEL.DTYPE.safetensors"},
    {"--force", OPT_FLAG, offsetof(struct weights_opts, force), NULL, 0, 0, NULL, NULL,
     "write even if a good file of the same seed is there"},
    {0},
};

struct progress {
    const struct cli *cli;
    uint64_t started_ns;
};

static int on_progress(void *ctx, uint64_t done, uint64_t total)
{
    const struct progress *p = ctx;

    cli_progress_bytes(p->cli, "weights, MiB", done, total, p->started_ns);
    return cli_interrupted;
}

/* 1: a good file of this seed is there; 0: it is to be written; -EEXIST: an imported one is there. */
static int is_there(const struct cli *cli, const struct model *m, const char *path, bool force,
                    uint64_t *ret_bytes, struct err *err)
{
    struct weights_file f;
    struct err why;
    bool same, imported;
    int rc = weights_open(m, path, &f, &why);

    if (rc < 0) {
        if (rc != -ENOENT)
            cli_note(cli, "writing again: %s", why.text);
        return 0;
    }
    same = f.seeded && f.seed == (uint64_t)cli->seed;
    imported = !f.seeded;
    *ret_bytes = f.size_bytes;
    weights_done(&f);
    if (imported && !force)
        return err_set(err, -EEXIST,
                       "'%s' was imported; --force puts random weights in its place", path);
    if (!same || force)
        return 0;
    cli_note(cli, "'%s' is there already, with this seed; --force writes it again", path);
    return 1;
}

static int print(const struct cli *cli, const struct model *m, const char *path, uint64_t bytes,
                 bool written)
{
    struct table *t = table_new("model,dtype,seed,path,bytes,written");
    int rc;

    if (!t)
        return -ENOMEM;
    table_text(t, m->name);
    table_text(t, dtype_name(m->dtype));
    table_int(t, cli->seed);
    table_text(t, path);
    table_int(t, (int64_t)bytes);
    table_text(t, written ? "yes" : "no");
    rc = table_print(t, (enum format)cli->format, stdout);
    table_free(t);
    return rc;
}

/* An EXIT_ status. */
static int write_one(const struct cli *cli, const struct weights_opts *o, const struct model *m,
                     struct err *err)
{
    struct progress p = {cli, clock_ns()};
    char path[PATH_MAX];
    struct stat st;
    uint64_t bytes = 0;
    int there, rc;

    if (o->out)
        snprintf(path, sizeof(path), "%s", o->out);
    else
        weights_default_path(m, path, sizeof(path));
    if (cli_check_out("--out", path, err) < 0)
        return EXIT_FAILED;
    there = is_there(cli, m, path, o->force, &bytes, err);
    if (there < 0)
        return EXIT_FAILED;
    if (!there) {
        rc = o->out ? 0 : folders_above(path, err); /* a fresh clone has none */
        if (rc == 0)
            rc = weights_write(m, (uint64_t)cli->seed, path, on_progress, &p, err);
        if (rc < 0)
            return EXIT_FAILED;
        if (stat(path, &st) == 0)
            bytes = (uint64_t)st.st_size;
    }
    return cli_printed(print(cli, m, path, bytes, !there), err);
}

static int run(const struct cli *cli, const void *opts_, int n_args, char **args, struct err *err)
{
    const struct weights_opts *o = opts_;
    struct model *m;
    int rc;

    (void)n_args;
    rc = cli_model(cli, args[0], (enum dtype)o->dtype, &m, err);
    if (rc < 0)
        return EXIT_FAILED;
    rc = write_one(cli, o, m, err);
    model_free(m);
    return rc;
}

const struct command command_weights = {
    .name = "weights",
    .args = "MODEL",
    .summary = "write a model's weights file: reproducible random weights in texture order",
    .example = "flashmem --seed 7 weights GPTN-S --dtype f16",
    .opts = opts,
    .opts_size = sizeof(struct weights_opts),
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
