#include "harness/cli/setup/model_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/import/import.h"
#include "harness/model/weights.h"
#include "profiler/folders.h"

static bool is_onnx(const char *name)
{
    size_t n = strlen(name);

    return n > 5 && strcmp(name + n - 5, ".onnx") == 0;
}

static int stop(void *ctx, uint64_t done, uint64_t total)
{
    (void)ctx;
    (void)done;
    (void)total;
    return cli_interrupted;
}

static void note(void *ctx, const char *line)
{
    cli_note(ctx, "%s", line);
}

/* The graph goes to a folder of its own, from which `ret_m` is read; both are gone afterwards.
 * The note is the first import's alone. */
static int import(const struct cli *cli, const char *name, enum dtype dtype, const char *weights,
                  struct model **ret_m, struct err *err)
{
    const char *tmp = getenv("TMPDIR");
    char folder[PATH_MAX / 2], graph[PATH_MAX];
    struct import_options opt = {.graph = graph,
                                 .weights = weights,
                                 .dtype = dtype,
                                 .progress = stop,
                                 .note = ret_m ? note : NULL,
                                 .ctx = (void *)cli};
    struct import_result r;
    int rc;

    snprintf(folder, sizeof(folder), "%s/flashmem.XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(folder))
        return err_set(err, -errno, "cannot make the folder '%s': %s", folder, strerror(errno));
    snprintf(graph, sizeof(graph), "%s/graph.csv", folder);
    rc = import_onnx(name, &opt, &r, err);
    if (rc == 0 && ret_m)
        rc = model_read(graph, dtype, ret_m, err);
    unlink(graph);
    rmdir(folder);
    return rc;
}

int cli_model(const struct cli *cli, const char *name, enum dtype dtype, struct model **ret_m,
              struct err *err)
{
    struct model *m;
    char *path;
    int rc;

    if (!is_onnx(name))
        return model_read(name, dtype, ret_m, err);
    rc = import(cli, name, dtype, NULL, &m, err);
    if (rc < 0)
        return rc;
    path = strdup(name);
    if (!path) {
        model_free(m);
        return err_set(err, -ENOMEM, "out of memory for '%s'", name);
    }
    free(m->path);
    m->path = path;
    *ret_m = m;
    return 0;
}

int cli_weights(const struct cli *cli, const char *name, const struct model *m,
                char ret_path[PATH_MAX], struct err *err)
{
    char usual[PATH_MAX], path[PATH_MAX];
    size_t n;
    int rc;

    weights_default_path(m, usual, sizeof(usual));
    if (!is_onnx(name)) {
        snprintf(ret_path, PATH_MAX, "%s", usual);
        return 0;
    }
    /* MODEL.f32.safetensors may hold drawn weights of a model of the same name. */
    n = strlen(usual) - strlen(dtype_name(m->dtype)) - strlen(".safetensors");
    if (snprintf(path, sizeof(path), "%.*sonnx.%s.safetensors", (int)n, usual,
                 dtype_name(m->dtype)) >= (int)sizeof(path))
        return err_set(err, -ENAMETOOLONG, "path of the weights of '%s'", name);
    rc = folders_above(path, err);
    if (rc == 0) {
        cli_note(cli, "importing the weights of '%s' to '%s'", name, path);
        rc = import(cli, name, m->dtype, path, NULL, err);
    }
    if (rc == 0)
        memcpy(ret_path, path, sizeof(path));
    return rc;
}
