/* harness/cli/cmd_models.c - models: what each costs, beside what the paper says. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/cli/cli.h"
#include "harness/model/model.h"
#include "harness/text/csv.h"
#include "harness/text/units.h"

struct models_opts {
    int dtype;
};

static const struct opt opts[] = {
    {"--dtype", OPT_CHOICE, offsetof(struct models_opts, dtype), "f32", 0, 0, storage_dtype_names,
     "f32|f16", "storage type that weight_bytes counts"},
    {0},
};

static const char *const paper_columns[] = {"model",    "abbr",   "input",  "task",
                                            "params_m", "macs_g", "layers", NULL};

static double paper_value(const struct csv *paper, int row, const char *column)
{
    double v = NAN;

    if (row >= 0)
        parse_real(csv_get(paper, row, column), 0, 1e12, &v, NULL);
    return v;
}

/* NaN prints as an empty cell. */
static void add_paper(struct table *t, const struct csv *paper, const char *name)
{
    int row = paper->n_rows - 1;
    double layers;

    while (row >= 0 && strcmp(csv_get(paper, row, "abbr"), name) != 0)
        row--;
    table_real(t, paper_value(paper, row, "params_m"), 4);
    table_real(t, paper_value(paper, row, "macs_g"), 4);
    layers = paper_value(paper, row, "layers");
    if (isnan(layers))
        table_empty(t);
    else
        table_int(t, (int64_t)layers);
}

static int add_model(struct table *t, const struct csv *paper, const char *name, enum dtype dtype,
                     struct err *err)
{
    struct model_cost cost;
    struct model *m;
    int rc = model_read(name, dtype, &m, err);

    if (rc < 0)
        return rc;
    model_cost(m, &cost);
    table_text(t, m->name);
    table_real(t, cost.params / 1e6, 5);
    table_real(t, cost.macs / 1e9, 5);
    table_int(t, m->n_layers);
    table_int(t, (int64_t)cost.weight_bytes);
    add_paper(t, paper, m->name);
    model_free(m);
    return 0;
}

static int is_graph(const struct dirent *e)
{
    size_t n = strlen(e->d_name);

    return e->d_name[0] != '.' && n > 4 && strcmp(e->d_name + n - 4, ".csv") == 0;
}

/* Every graph in datasets/models, by name. */
static int add_all(struct table *t, const struct csv *paper, enum dtype dtype, struct err *err)
{
    char folder[PATH_MAX];
    struct dirent **entry;
    int n, rc = 0;

    snprintf(folder, sizeof(folder), "%s/models", model_datasets_dir());
    n = scandir(folder, &entry, is_graph, alphasort);
    if (n < 0)
        return err_set(err, -errno, "cannot list '%s': %s; set FLASHMEM_DATASETS", folder,
                       strerror(errno));
    for (int i = 0; i < n; i++) {
        entry[i]->d_name[strlen(entry[i]->d_name) - 4] = '\0';
        if (rc == 0)
            rc = add_model(t, paper, entry[i]->d_name, dtype, err);
        free(entry[i]);
    }
    free(entry);
    return rc;
}

static int run(const struct cli *cli, const void *opts_, int n_args, char **args, struct err *err)
{
    const struct models_opts *o = opts_;
    struct csv paper = {0};
    char path[PATH_MAX];
    struct table *t = NULL;
    int rc;

    snprintf(path, sizeof(path), "%s/paper/table6_models.csv", model_datasets_dir());
    rc = csv_read(path, NULL, 0, paper_columns, NULL, &paper, err);
    if (rc < 0)
        return EXIT_FAILED;
    t = table_new("model,params_m,macs_g,layers,weight_bytes,paper_params_m,paper_macs_g,"
                  "paper_layers");
    if (!t)
        rc = err_set(err, -ENOMEM, "out of memory for a table");
    else if (n_args == 0)
        rc = add_all(t, &paper, (enum dtype)o->dtype, err);
    for (int i = 0; i < n_args && rc == 0; i++)
        rc = add_model(t, &paper, args[i], (enum dtype)o->dtype, err);
    rc = rc < 0 ? EXIT_FAILED : cli_printed(table_print(t, (enum format)cli->format, stdout), err);
    table_free(t);
    csv_done(&paper);
    return rc;
}

const struct command command_models = {
    .name = "models",
    .args = "[MODEL ...]",
    .summary = "parameters, MACs, layers and weight bytes of the models, beside the paper's",
    .example = "flashmem models --dtype f16",
    .opts = opts,
    .opts_size = sizeof(struct models_opts),
    .min_args = 0,
    .max_args = -1,
    .run = run,
};
