/* harness/cli/cmd_capacity.c - how much each layer of a model can carry. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness/cli/setup/model_file.h"
#include "harness/cli/setup/variants.h"
#include "harness/predict/predict.h"
#include "harness/samples/measured.h"

struct capacity_opts {
    struct opt_list thresholds;
    int dtype, path, variants, form;
    bool measured;
};

#define FIELD(f) offsetof(struct capacity_opts, f)
static const struct opt opts[] = {
    {.name = "--threshold", .type = OPT_LIST, .offset = FIELD(thresholds), .arg = "CLASS=X",
     .help = "slowdown allowed under load, as a fraction (default: elemental=3, reusable=0.2)"},
    {.name = "--dtype", .type = OPT_CHOICE, .offset = FIELD(dtype), .def = "f32",
     .choices = storage_dtype_names, .arg = "f32|f16", .help = "storage"},
    {.name = "--path", .type = OPT_CHOICE, .offset = FIELD(path), .def = "image",
     .choices = mem_path_names, .arg = "image|buffer", .help = "memory path of tensors"},
    {.name = "--variants", .type = OPT_CHOICE, .offset = FIELD(variants), .def = "best",
     .choices = variants_names, .help = VARIANTS_HELP},
    {.name = "--measured", .type = OPT_FLAG, .offset = FIELD(measured),
     .help = "instead of a model's layers: capacity of each class and operator as sampled, at 0, 20 "
             "and 300 %, and its spread over shapes (ratios to input bytes, quartiles)"},
    {.name = "--form", .type = OPT_CHOICE, .offset = FIELD(form), .def = "pipelined",
     .choices = op_form_names, .help = "with --measured: what carries the load"},
    {0},
};

#define MEASURED_COLUMNS                                                                           \
    "scope,threshold,shapes,censored,ratio_low,ratio_median,ratio_high,median_bytes"
#define COLUMNS "layer,name,op,class,latency_us,threshold,capacity_bytes,censored,reason"

static bool same_case(const struct op_case *a, const struct op_case *b)
{
    return a->op == b->op && memcmp(a->p, b->p, sizeof(a->p)) == 0;
}

static void add_layer(struct table *t, int layer, const struct layer *l, const struct capacity *c)
{
    table_int(t, layer + 1);
    table_text(t, l->name);
    table_text(t, l->c.op->name);
    table_text(t, op_class_name(l->c.op->class));
    table_real(t, c->latency_ns / 1e3, 4);
    table_real(t, c->threshold, 4);
    table_int(t, (int64_t)c->bytes);
    table_text(t, c->censored ? "yes" : "no");
    table_text(t, c->reason);
}

/* Layers repeat: each distinct case is predicted once. */
static int add_layers(struct table *t, const struct model *m, const struct predictor *p,
                      const struct device_info *dev, const struct best *best,
                      const struct thresholds *allowed, struct err *err)
{
    struct capacity *c = calloc((size_t)m->n_layers + 1, sizeof(*c));
    int rc = 0;

    if (!c)
        return err_set(err, -ENOMEM, "out of memory");
    for (int i = 0; i < m->n_layers && rc == 0; i++) {
        const struct layer *l = &m->layer[i];
        int same = 0;

        while (same < i && !same_case(&m->layer[same].c, &l->c))
            same++;
        if (same < i)
            c[i] = c[same];
        else
            rc = predictor_capacity(p, dev, &l->c, &best[i].v, allowed, &c[i], err);
        if (rc < 0)
            err_prefix(err, "%s: layer '%s'", m->name, l->name);
        else
            add_layer(t, i, l, &c[i]);
        if (rc == 0 && cli_interrupted)
            rc = err_set(err, -EINTR, "interrupted");
    }
    free(c);
    return rc;
}

static int capacities(const struct cli *cli, const struct capacity_opts *o, const char *name,
                      const struct thresholds *allowed, struct table *t, struct err *err)
{
    struct predictor *p = NULL;
    struct store *st = NULL;
    struct model *m = NULL;
    struct best *best = NULL;
    struct device_info dev;
    int64_t device_id;
    int rc;

    rc = cli_model(cli, name, (enum dtype)o->dtype, &m, err);
    if (rc == 0)
        rc = store_open(cli->db_path, STORE_READ, &st, err);
    if (rc == 0)
        rc = predict_device(st, cli->device, &device_id, &dev, err);
    if (rc == 0)
        rc = predictor_load(st, device_id, (enum dtype)o->dtype, (enum mem_path)o->path, &p, err);
    if (rc == 0)
        rc = variants_of_model(cli, st, device_id, &dev, m, (enum mem_path)o->path, FORM_PIPELINED,
                               (enum variants)o->variants, &best, err);
    if (rc == 0)
        rc = add_layers(t, m, p, &dev, best, allowed, err);
    free(best);
    predictor_free(p);
    store_close(st);
    model_free(m);
    return rc;
}

static void add_measured(void *ctx, const struct measured_capacity *c)
{
    struct table *t = ctx;

    table_text(t, c->scope);
    table_real(t, c->threshold, 4);
    table_int(t, c->shapes);
    table_int(t, c->censored);
    table_real(t, c->low, 3);
    table_real(t, c->median, 3);
    table_real(t, c->high, 3);
    table_int(t, (int64_t)c->bytes);
}

static int measured(const struct cli *cli, const struct capacity_opts *o, struct table *t,
                    struct err *err)
{
    static const double paper[] = {0, 0.2, 3};
    struct store *st = NULL;
    struct device_info dev;
    int64_t device_id;
    int rc;

    rc = store_open(cli->db_path, STORE_READ, &st, err);
    if (rc == 0)
        rc = predict_device(st, cli->device, &device_id, &dev, err);
    if (rc == 0)
        rc = measured_capacities(st, device_id, (enum dtype)o->dtype, (enum mem_path)o->path,
                                 (enum op_form)o->form, paper, 3, add_measured, t, err);
    store_close(st);
    return rc;
}

static int run(const struct cli *cli, const void *options, int n_args, char **args,
               struct err *err)
{
    const struct capacity_opts *o = options;
    struct thresholds allowed = thresholds_default();
    struct table *t;
    int rc;

    if ((n_args == 0) != o->measured) {
        err_set(err, -EINVAL, "capacity: want either a model or --measured");
        return EXIT_USAGE;
    }
    for (int i = 0; i < o->thresholds.n; i++)
        if (thresholds_set(&allowed, o->thresholds.item[i], err) < 0)
            return EXIT_USAGE;
    t = table_new(o->measured ? MEASURED_COLUMNS : COLUMNS);
    if (!t)
        rc = err_set(err, -ENOMEM, "out of memory");
    else
        rc = o->measured ? measured(cli, o, t, err)
                         : capacities(cli, o, args[0], &allowed, t, err);
    return cli_finish(cli, t, rc, err);
}

const struct command command_capacity = {
    .name = "capacity",
    .args = "[MODEL]",
    .summary = "load capacity of each layer of a model; or of operators, as measured",
    .example = "flashmem capacity GPTN-S --threshold reusable=0.3 --format csv",
    .opts = opts,
    .opts_size = sizeof(struct capacity_opts),
    .min_args = 0,
    .max_args = 1,
    .run = run,
};
