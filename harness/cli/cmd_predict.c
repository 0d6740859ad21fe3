/* harness/cli/cmd_predict.c - latency of one configuration, and its curve over extra load. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "harness/cli/setup/variants.h"
#include "harness/predict/predict.h"

struct predict_opts {
    int dtype, path, variants;
    const char *variant;
};

#define FIELD(f) offsetof(struct predict_opts, f)
static const struct opt opts[] = {
    {.name = "--dtype", .type = OPT_CHOICE, .offset = FIELD(dtype), .def = "f32",
     .choices = storage_dtype_names, .arg = "f32|f16", .help = "storage"},
    {.name = "--path", .type = OPT_CHOICE, .offset = FIELD(path), .def = "image",
     .choices = mem_path_names, .arg = "image|buffer", .help = "memory path of tensors"},
    {.name = "--variant", .type = OPT_TEXT, .offset = FIELD(variant), .arg = "VARIANT",
     .help = "kernel, tunables and local size as samples spell them (default: see --variants)"},
    {.name = "--variants", .type = OPT_CHOICE, .offset = FIELD(variants), .def = "best",
     .choices = variants_names, .help = VARIANTS_HELP},
    {0},
};

/* "matmul" "m=128" "n=768" ... into a case. */
static int parse_case(int n_args, char **args, enum dtype dtype, struct op_case *ret_c,
                      struct err *err)
{
    char params[OP_TEXT_MAX] = "";
    size_t n = 0;

    for (int i = 1; i < n_args; i++) {
        n += (size_t)snprintf(params + n, sizeof(params) - n, "%s%s", i > 1 ? "," : "", args[i]);
        if (n >= sizeof(params))
            return err_set(err, -EINVAL, "%s: the parameters are too long", args[0]);
    }
    return op_case_make(args[0], dtype, params, ret_c, err);
}

static int parse_variant(const struct cli *cli, const struct predict_opts *o, struct store *st,
                         int64_t device_id, const struct op_case *c, const struct device_info *dev,
                         struct op_variant *ret_v, struct err *err)
{
    struct op_variant v;
    struct best b;
    int rc;

    if (!o->variant) {
        rc = variants_of_case(cli, st, device_id, dev, c, (enum mem_path)o->path, FORM_PIPELINED,
                              (enum variants)o->variants, c->op->name, &b, err);
        if (rc == 0)
            *ret_v = b.v;
        return rc;
    }
    rc = op_variant_parse(c, dev, o->variant, &v, err);
    if (rc < 0)
        return rc;
    if (v.path != (enum mem_path)o->path)
        return err_set(err, -EINVAL, "--variant: '%s' is not of --path %s", o->variant,
                       mem_path_name((enum mem_path)o->path));
    *ret_v = v;
    return 0;
}

static void add_row(struct table *t, double ratio, double ns, struct interval band)
{
    table_real(t, ratio, 4);
    table_real(t, ns / 1e3, 4);
    table_real(t, ns * band.low / 1e3, 4);
    table_real(t, ns * band.high / 1e3, 4);
}

/* Ratios 1/8, 1/4, ... up to where samples support the curve. */
static void add_curve(struct table *t, const struct predictor *p, const struct op_case *c,
                      double ns, const struct load_curve *curve)
{
    double input = (double)op_input_bytes(c);

    for (double ratio = 0.125; ratio * input <= curve->trained_bytes; ratio *= 2)
        add_row(t, ratio, ns * load_curve_at(curve, ratio * input),
                predictor_band(p, c->op, true));
}

static int predict(const struct cli *cli, const struct predict_opts *o, struct store *st,
                   const struct op_case *c, struct table *t, struct err *err)
{
    struct predictor *p = NULL;
    struct device_info dev;
    struct op_variant v;
    struct load_curve curve;
    struct err why = {0};
    int64_t device_id;
    double ns;
    int rc;

    rc = predict_device(st, cli->device, &device_id, &dev, err);
    if (rc == 0)
        rc = parse_variant(cli, o, st, device_id, c, &dev, &v, err);
    if (rc == 0)
        rc = predictor_load(st, device_id, c->dtype, (enum mem_path)o->path, &p, err);
    if (rc == 0)
        rc = predictor_latency(p, &dev, c, &v, &ns, err);
    if (rc < 0)
        goto out;
    add_row(t, 0, ns, predictor_band(p, c->op, false));
    if (c->op->class == OP_HIERARCHICAL) {
        cli_note(cli, "'%s' is hierarchical: it carries no load, by rule", c->op->name);
    } else if (predictor_curve(p, &dev, c, &v, &curve, &why) == 0) {
        add_curve(t, p, c, ns, &curve);
        cli_note(cli, "the curve is within %.1f %% of the regressor's steps; samples reach"
                 " ratio %.3g", 100 * curve.fit_error,
                 curve.trained_bytes / (double)op_input_bytes(c));
    } else {
        cli_note(cli, "no curve over extra load: %s", why.text);
    }
out:
    predictor_free(p);
    return rc;
}

static int run(const struct cli *cli, const void *options, int n_args, char **args,
               struct err *err)
{
    const struct predict_opts *o = options;
    struct store *st = NULL;
    struct table *t = NULL;
    struct op_case c;
    int rc;

    rc = parse_case(n_args, args, (enum dtype)o->dtype, &c, err);
    if (rc < 0)
        return EXIT_USAGE;
    rc = store_open(cli->db_path, STORE_READ, &st, err);
    if (rc < 0)
        return EXIT_FAILED;
    t = table_new("extra_ratio,latency_us,low_us,high_us");
    rc = t ? predict(cli, o, st, &c, t, err) : err_set(err, -ENOMEM, "out of memory");
    store_close(st);
    return cli_finish(cli, t, rc, err);
}

const struct command command_predict = {
    .name = "predict",
    .args = "OP [KEY=VALUE ...]",
    .summary = "predicted latency of one configuration, with its curve over extra load",
    .example = "flashmem predict matmul m=128 n=3072 k=768 --dtype f16",
    .opts = opts,
    .opts_size = sizeof(struct predict_opts),
    .min_args = 1,
    .max_args = -1,
    .run = run,
};
