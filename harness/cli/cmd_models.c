/* harness/cli/cmd_models.c - models: what each costs, beside what the paper says; what its layers
 * took in the newest replays. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/cli/setup/model_file.h"
#include "harness/predict/predict.h"
#include "harness/store/store.h"
#include "harness/text/csv.h"
#include "harness/text/units.h"

struct models_opts {
    int dtype;
    bool measured;
};

static const struct opt opts[] = {
    {"--dtype", OPT_CHOICE, offsetof(struct models_opts, dtype), "f32", 0, 0, storage_dtype_names,
     "f32|f16", "storage type that weight_bytes counts"},
    {"--measured", OPT_FLAG, offsetof(struct models_opts, measured), NULL, 0, 0, NULL, NULL,
     "instead: what the newest replays of each model took, by class of operator"},
    {0},
};

/* ---- beside the paper ---- */

/* Two tables by abbreviation: the paper's, and what the exporter counted in the ONNX files. */
struct counts {
    struct csv paper, file;
};

static int counts_read(struct counts *c, struct err *err)
{
    static const char *const paper[] = {"model",    "abbr",   "input",  "task",
                                        "params_m", "macs_g", "layers", NULL};
    static const char *const file[] = {
        "model",         "size",       "paper_params_m", "module_params_m", "module_ratio",
        "file_params_m", "file_ratio", "paper_macs_g",   "macs_g",          "macs_ratio",
        "paper_layers",  "nodes",      "note",           "reason",          NULL};
    int rc = model_dataset("paper/table6_models.csv", paper, &c->paper, err);

    return rc < 0 ? rc : model_dataset("counts.csv", file, &c->file, err);
}

static void counts_done(struct counts *c)
{
    csv_done(&c->paper);
    csv_done(&c->file);
}

/* -1: none. */
static int row_of(const struct csv *csv, const char *key, const char *name)
{
    int row = csv->n_rows - 1;

    while (row >= 0 && strcmp(csv_get(csv, row, key), name) != 0)
        row--;
    return row;
}

/* NaN, which prints as an empty cell, where there is no such row. */
static double value(const struct csv *csv, int row, const char *column)
{
    double v = NAN;

    if (row >= 0)
        parse_real(csv_get(csv, row, column), 0, 1e12, &v, NULL);
    return v;
}

static void add_count(struct table *t, double count)
{
    if (isnan(count))
        table_empty(t);
    else
        table_int(t, (int64_t)count);
}

static int add_model(struct table *t, const struct counts *c, const char *name,
                     const struct cli *cli, enum dtype dtype, struct err *err)
{
    struct model_cost cost;
    struct model *m;
    int rc = cli_model(cli, name, dtype, &m, err), paper, file;

    if (rc < 0)
        return rc;
    paper = row_of(&c->paper, "abbr", m->name);
    file = row_of(&c->file, "model", m->name);
    model_cost(m, &cost);
    table_text(t, m->name);
    table_real(t, cost.params / 1e6, 5);
    table_real(t, cost.macs / 1e9, 5);
    table_int(t, m->n_layers);
    table_int(t, (int64_t)cost.weight_bytes);
    table_real(t, value(&c->paper, paper, "params_m"), 4);
    table_real(t, value(&c->paper, paper, "macs_g"), 4);
    add_count(t, value(&c->paper, paper, "layers"));
    add_count(t, value(&c->file, file, "nodes"));
    table_text(t, file >= 0 ? csv_get(&c->file, file, "reason") : NULL);
    model_free(m);
    return 0;
}

static int is_graph(const struct dirent *e)
{
    size_t n = strlen(e->d_name);

    return e->d_name[0] != '.' && n > 4 && strcmp(e->d_name + n - 4, ".csv") == 0;
}

/* Every graph in datasets/models, by name. */
static int add_all(struct table *t, const struct counts *c, const struct cli *cli, enum dtype dtype,
                   struct err *err)
{
    char folder[PATH_MAX];
    struct dirent **entry;
    int n, rc = 0;

    snprintf(folder, sizeof(folder), "%s/models", model_datasets_dir());
    n = scandir(folder, &entry, is_graph, alphasort);
    if (n < 0)
        return err_set(err, -errno, "cannot list '%s': %s: " MODEL_DATASETS_HINT, folder,
                       strerror(errno));
    for (int i = 0; i < n; i++) {
        entry[i]->d_name[strlen(entry[i]->d_name) - 4] = '\0';
        if (rc == 0)
            rc = add_model(t, c, entry[i]->d_name, cli, dtype, err);
        free(entry[i]);
    }
    free(entry);
    return rc;
}

static int list(const struct cli *cli, const struct models_opts *o, int n_args, char **args,
                struct table **ret_t, struct err *err)
{
    struct counts c = {0};
    struct table *t = table_new("model,params_m,macs_g,layers,weight_bytes,paper_params_m,"
                                "paper_macs_g,paper_layers,onnx_nodes,reason");
    int rc = t ? counts_read(&c, err) : err_set(err, -ENOMEM, "out of memory for a table");

    if (rc == 0 && n_args == 0)
        rc = add_all(t, &c, cli, (enum dtype)o->dtype, err);
    for (int i = 0; i < n_args && rc == 0; i++)
        rc = add_model(t, &c, args[i], cli, (enum dtype)o->dtype, err);
    counts_done(&c);
    *ret_t = t;
    return rc;
}

/* ---- as measured ---- */

struct class_sum {
    double ns, flop;
};

/* Times of a run's layers and what they had to compute, by class. 1: done; 0: the run was of
 * another graph than the one that we have. */
static int sum_layers(struct store *st, int64_t run, const struct model *m, struct class_sum sum[3],
                      struct err *err)
{
    struct store_query *q;
    int rc = store_query(st, &q, err,
                         "SELECT name, end_ns - start_ns FROM run_layer WHERE run_id = ?"
                         " ORDER BY layer",
                         "i", run),
        n = 0;
    bool same = true;

    if (rc < 0)
        return rc;
    while ((rc = store_step(q, err)) == 1) {
        const struct layer *l = n < m->n_layers ? &m->layer[n] : NULL;
        double macs, ops;

        n++;
        same = same && l && strcmp(store_text(q, 0), l->name) == 0;
        if (!same)
            continue;
        l->c.op->cost(&l->c, &macs, &ops);
        sum[l->c.op->class].ns += store_real(q, 1);
        sum[l->c.op->class].flop += 2 * macs + ops;
    }
    store_query_done(q);
    return rc < 0 ? rc : same && n == m->n_layers;
}

static double rate(const struct class_sum *s)
{
    return s->ns > 0 ? s->flop / s->ns : NAN; /* flop/ns are GFLOP/s */
}

/* The row of `q` (see measured()); 0 too if there is no such model any more. */
static int add_run(const struct cli *cli, struct table *t, struct store *st, struct store_query *q,
                   struct err *err)
{
    struct class_sum sum[3] = {{0, 0}};
    const char *name = store_text(q, 1), *dtype = store_text(q, 3);
    struct model_cost cost;
    struct model *m;
    int rc = model_read(name, strcmp(dtype, "f16") ? DTYPE_F32 : DTYPE_F16, &m, err);

    if (rc == 0) {
        rc = sum_layers(st, store_int(q, 0), m, sum, err);
        if (rc < 0)
            model_free(m);
        if (rc == 0)
            cli_note(cli, "%s: left out: its newest replay was of another graph", name);
    } else if (rc == -ENOENT) {
        return 0;
    }
    if (rc == 1) {
        model_cost(m, &cost);
        for (int i = 1; i < 5; i++)
            table_text(t, store_text(q, i));
        table_real(t, cost.params / 1e6, 5);
        table_real(t, cost.macs / 1e9, 5);
        table_int(t, m->n_layers);
        for (int i = 5; i < 7; i++)
            table_real(t, store_real(q, i) / 1e6, 4);
        table_real(t, (sum[0].ns + sum[1].ns + sum[2].ns) / 1e6, 4);
        table_real(t, rate(&sum[OP_REUSABLE]), 3);
        table_real(t, rate(&sum[OP_ELEMENTAL]), 3);
        table_real(t, rate(&sum[OP_HIERARCHICAL]), 3);
        table_int(t, store_int(q, 7));
        table_int(t, store_int(q, 8));
        table_text(t, store_text(q, 9));
    }
    if (rc >= 0)
        model_free(m);
    return rc < 0 ? rc : 0;
}

/* The newest profiled replay of each model, policy, storage type and path on this device. */
static int measured(const struct cli *cli, struct table **ret_t, struct err *err)
{
    struct table *t = table_new("model,policy,dtype,path,params_m,macs_g,kernels,build_ms,"
                                "integrated_ms,kernel_ms,reusable_gflops,elemental_gflops,"
                                "hierarchical_gflops,peak_bytes,rss_peak_bytes,verified");
    struct device_info dev;
    struct store *st = NULL;
    struct store_query *q = NULL;
    int64_t device;
    int rc = t ? 0 : err_set(err, -ENOMEM, "out of memory for a table");

    if (rc == 0)
        rc = store_open(cli->db_path, STORE_READ, &st, err);
    if (rc == 0)
        rc = predict_device(st, cli->device, &device, &dev, err);
    if (rc == 0)
        rc = store_query(st, &q, err,
                         "SELECT r.id, model, policy, dtype, path, build_ns, integrated_ns,"
                         " peak_bytes, rss_peak_bytes, verified"
                         " FROM run r JOIN session s ON s.id = r.session_id"
                         " WHERE r.id IN (SELECT id FROM (SELECT run.id, row_number() OVER"
                         "  (PARTITION BY model, policy, dtype, path ORDER BY taken_utc DESC,"
                         "  run.id DESC) AS age FROM run JOIN session ON session.id = session_id"
                         "  WHERE device_id = ?1 AND EXISTS (SELECT 1 FROM run_layer"
                         "  WHERE run_id = run.id)) WHERE age = 1)"
                         " ORDER BY model, dtype, path, policy",
                         "i", device);
    while (rc == 0 && (rc = store_step(q, err)) == 1)
        rc = add_run(cli, t, st, q, err);
    store_query_done(q);
    store_close(st);
    *ret_t = t;
    return rc;
}

static int run(const struct cli *cli, const void *opts_, int n_args, char **args, struct err *err)
{
    const struct models_opts *o = opts_;
    struct table *t = NULL;
    int rc;

    if (o->measured && n_args > 0) {
        err_set(err, -EINVAL, "--measured lists all that were replayed: no MODEL");
        return EXIT_USAGE;
    }
    rc = o->measured ? measured(cli, &t, err) : list(cli, o, n_args, args, &t, err);
    return cli_finish(cli, t, rc, err);
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
