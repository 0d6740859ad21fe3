/* harness/cli/cmd_import.c - import FILE.onnx: an ONNX model as a graph CSV and a weights file. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/cli/cli.h"
#include "harness/import/import.h"
#include "profiler/clock.h"

struct import_opts {
    const char *name, *output, *out, *weights;
    int dtype;
    struct opt_list without, only;
    bool graph_only;
};

static const struct opt opts[] = {
    {"--out", OPT_TEXT, offsetof(struct import_opts, out), NULL, 0, 0, NULL, "FILE.csv",
     "the graph; default: the model's name, here"},
    {"--weights", OPT_TEXT, offsetof(struct import_opts, weights), NULL, 0, 0, NULL, "FILE",
     "the weights; default: as the graph, .DTYPE.safetensors"},
    {"--graph-only", OPT_FLAG, offsetof(struct import_opts, graph_only), NULL, 0, 0, NULL, NULL,
     "write no weights"},
    {"--name", OPT_TEXT, offsetof(struct import_opts, name), NULL, 0, 0, NULL, "NAME",
     "the model's name; default: the file's"},
    {"--output", OPT_TEXT, offsetof(struct import_opts, output), NULL, 0, 0, NULL, "TENSOR",
     "import what this tensor needs; default: the graph's first output"},
    {"--dtype", OPT_CHOICE, offsetof(struct import_opts, dtype), "f32", 0, 0, storage_dtype_names,
     "f32|f16", "storage type of the weights"},
    {"--without", OPT_LIST, offsetof(struct import_opts, without), NULL, 0, 0, NULL, "PASS",
     "leave out a pass: layernorm, groupnorm, activation, attention, views, bias, split, residual, "
     "fuse"},
    {"--only", OPT_LIST, offsetof(struct import_opts, only), NULL, 0, 0, NULL, "PASS",
     "leave out all passes but this; 'none': all"},
    {0},
};

/* ---- what the import tells ---- */

struct told {
    const struct cli *cli;
    struct table *t;
    uint64_t started_ns;
};

static int on_progress(void *ctx, uint64_t done, uint64_t total)
{
    const struct told *told = ctx;

    cli_progress_bytes(told->cli, "weights, MiB", done, total, told->started_ns);
    return cli_interrupted;
}

static void on_note(void *ctx, const char *line)
{
    const struct told *told = ctx;

    cli_note(told->cli, "%s", line);
}

static void on_pass(void *ctx, const char *pass, int before, int after)
{
    struct told *told = ctx;

    table_text(told->t, pass);
    table_int(told->t, before);
    table_int(told->t, after);
}

/* ---- options ---- */

static int find_pass(const char *name, struct err *err)
{
    char known[256] = "";

    for (int i = 0; import_passes[i]; i++) {
        size_t n = strlen(known);

        if (strcmp(import_passes[i], name) == 0)
            return i;
        snprintf(known + n, sizeof(known) - n, " %s", import_passes[i]);
    }
    return err_set(err, -EINVAL, "no pass '%s'; there are:%s", name, known);
}

static int choose_passes(const struct import_opts *o, unsigned *ret_without, struct err *err)
{
    unsigned without = 0;

    if (o->only.n)
        without = ~0u;
    for (int i = 0; i < o->only.n; i++) {
        int p = strcmp(o->only.item[i], "none") == 0 ? 32 : find_pass(o->only.item[i], err);

        if (p < 0)
            return p;
        if (p < 32)
            without &= ~(1u << p);
    }
    for (int i = 0; i < o->without.n; i++) {
        int p = find_pass(o->without.item[i], err);

        if (p < 0)
            return p;
        without |= 1u << p;
    }
    *ret_without = without;
    return 0;
}

/* "x.onnx" in any folder to "x"; a path with another ending is put before the graph's. */
static void default_paths(const struct import_opts *o, const char *file, char graph[PATH_MAX],
                          char weights[PATH_MAX])
{
    const char *base = strrchr(file, '/');
    size_t n;

    base = base ? base + 1 : file;
    n = strlen(base);
    n -= n > 5 && strcmp(base + n - 5, ".onnx") == 0 ? 5 : 0;
    if (o->out)
        snprintf(graph, PATH_MAX, "%s", o->out);
    else if (o->name)
        snprintf(graph, PATH_MAX, "%s.csv", o->name);
    else
        snprintf(graph, PATH_MAX, "%.*s.csv", (int)n, base);
    n = strlen(graph);
    n -= n > 4 && strcmp(graph + n - 4, ".csv") == 0 ? 4 : 0;
    if (o->weights)
        snprintf(weights, PATH_MAX, "%s", o->weights);
    else
        snprintf(weights, PATH_MAX, "%.*s.%s.safetensors", (int)(n < PATH_MAX - 32 ? n : 0), graph,
                 dtype_name((enum dtype)o->dtype));
}

/* ---- the command ---- */

static int run(const struct cli *cli, const void *opts_, int n_args, char **args, struct err *err)
{
    const struct import_opts *o = opts_;
    struct told told = {cli, NULL, clock_ns()};
    struct import_options io = {.name = o->name,
                                .output = o->output,
                                .dtype = (enum dtype)o->dtype,
                                .progress = on_progress,
                                .note = on_note,
                                .pass = on_pass,
                                .ctx = &told};
    struct import_result r = {0};
    char graph[PATH_MAX], weights[PATH_MAX];
    int rc;

    (void)n_args;
    if (choose_passes(o, &io.without, err) < 0)
        return EXIT_USAGE;
    default_paths(o, args[0], graph, weights);
    if (cli_check_out("--out", graph, err) < 0 || cli_check_out("--weights", weights, err) < 0)
        return EXIT_FAILED;
    io.graph = graph;
    io.weights = o->graph_only ? NULL : weights;
    told.t = table_new("pass,kernels_before,kernels_after");
    rc = told.t ? import_onnx(args[0], &io, &r, err)
                : err_set(err, -ENOMEM, "out of memory for a table");
    if (rc == 0) {
        on_pass(&told, "all", r.kernels_before, r.kernels);
        cli_note(cli, "%d nodes became %d layers with %d weights of %llu bytes: '%s'%s%s%s",
                 r.nodes, r.kernels, r.weights, (unsigned long long)r.weight_bytes, graph,
                 io.weights ? ", '" : "", io.weights ? weights : "", io.weights ? "'" : "");
    }
    return cli_finish(cli, told.t, rc, err);
}

const struct command command_import = {
    .name = "import",
    .args = "FILE.onnx",
    .summary = "lower an ONNX model to a graph CSV and a weights file",
    .example = "flashmem import vit.onnx --dtype f16 --without attention",
    .opts = opts,
    .opts_size = sizeof(struct import_opts),
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
