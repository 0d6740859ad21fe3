/* harness/cli/cmd_train.c - fits the regressors to the samples of a device, and says how good they
 * are. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "harness/cli/cli.h"
#include "harness/model/model.h"
#include "harness/predict/predict.h"
#include "harness/sweep/cases.h"
#include "harness/text/csv.h"

struct train_opts {
    int64_t folds, threads;
    int noisy;
    bool compare;
    const char *transfer;
};

enum { NOISY_AUTO, NOISY_YES, NOISY_NO };
static const char *const noisy[] = {"auto", "yes", "no", NULL};

#define FIELD(f) offsetof(struct train_opts, f)
static const struct opt opts[] = {
    {.name = "--folds", .type = OPT_INT, .offset = FIELD(folds), .def = "5", .min = 2, .max = 100,
     .arg = "N", .help = "of the cross-validation; alike shapes are never parted"},
    {.name = "--noisy", .type = OPT_CHOICE, .offset = FIELD(noisy), .def = "auto",
     .choices = noisy, .arg = "auto|yes|no",
     .help = "learn from noisy samples too; auto: where they are more than half of all"},
    {.name = "--compare", .type = OPT_FLAG, .offset = FIELD(compare),
     .help = "also a roofline and a linear model alone, what a second measurement predicts, random "
             "splits, and leaving one model out: three times the time"},
    {.name = "--transfer", .type = OPT_TEXT, .offset = FIELD(transfer), .arg = "DEVICE",
     .help = "how well latencies are predicted from 50, 200 and 1000 samples with the help of another "
             "device's regressors: part of the name of a device that was trained before"},
    {.name = "--threads", .type = OPT_INT, .offset = FIELD(threads), .def = "0", .min = 0,
     .max = 1024, .arg = "N", .help = "0: as many as the samples are worth"},
    {0},
};

#define COLUMNS                                                                                    \
    "scope,samples,within_5pct,within_10pct,mape,rmspe,spearman,target,noisy,dtype,path,split,"     \
    "method"

static const char select_metrics[] =
    "SELECT scope, m.samples, within_5pct, within_10pct, mape, rmspe, spearman, target, noisy,"
    " dtype, path FROM metric m JOIN regressor r ON r.id = m.regressor_id WHERE r.id > ?"
    " ORDER BY r.id, noisy, CASE WHEN scope = 'all' THEN 0"
    " WHEN scope IN ('elemental', 'reusable', 'hierarchical') THEN 1 ELSE 2 END, scope";

static void note(void *ctx, const char *text)
{
    cli_note(ctx, "%s", text);
}

static int latest_id(struct store *st, int64_t *ret_id, struct err *err)
{
    struct store_query *q = NULL;
    int rc = store_query(st, &q, err, "SELECT coalesce(max(id), 0) FROM regressor", "");

    if (rc < 0)
        return rc;
    rc = store_step(q, err);
    if (rc == 1)
        *ret_id = store_int(q, 0);
    store_query_done(q);
    return rc < 0 ? rc : 0;
}

/* Whether noisy samples take part. On a busy machine they are nearly all there is, and a kernel's
 * median known within 10 % is worth more than none. */
static int choose_noisy(const struct cli *cli, const struct train_opts *o, struct store *st,
                        int64_t device_id, bool *ret_include, struct err *err)
{
    struct store_query *q = NULL;
    int64_t quiet, loud;
    int rc;

    *ret_include = o->noisy == NOISY_YES;
    if (o->noisy != NOISY_AUTO)
        return 0;
    rc = store_query(st, &q, err,
                     "SELECT count(*) FILTER (WHERE status = 'ok'),"
                     " count(*) FILTER (WHERE status = 'noisy') FROM sample s"
                     " JOIN session e ON e.id = s.session_id WHERE e.device_id = ?",
                     "i", device_id);
    if (rc < 0)
        return rc;
    rc = store_step(q, err);
    if (rc == 1) {
        quiet = store_int(q, 0);
        loud = store_int(q, 1);
        *ret_include = loud > quiet;
        if (*ret_include)
            cli_note(cli, "%lld of %lld samples are noisy: learning from them too (--noisy no"
                     " does not); a quieter machine would do better", (long long)loud,
                     (long long)(loud + quiet));
    }
    store_query_done(q);
    return rc < 0 ? rc : 0;
}

static int add_metrics(struct store *st, int64_t after, struct table *t, struct err *err)
{
    struct store_query *q = NULL;
    int rc = store_query(st, &q, err, select_metrics, "i", after);

    while (rc >= 0 && (rc = store_step(q, err)) == 1) {
        table_text(t, store_text(q, 0));
        table_int(t, store_int(q, 1));
        for (int i = 2; i < 7; i++)
            table_real(t, store_real(q, i), 3);
        table_text(t, store_text(q, 7));
        table_text(t, store_int(q, 8) ? "yes" : "no");
        table_text(t, store_text(q, 9));
        table_text(t, store_text(q, 10));
        table_text(t, "shape");
        table_text(t, "blended");
    }
    store_query_done(q);
    return rc;
}

/* ---- beside the stored metrics ---- */

struct comparison {
    struct table *t;
    struct csv paper;
    int n;
    struct cases *cases; /* [n] */
    struct predict_holdout *holdout;
};

static void add_score(void *ctx, const struct predict_score *s)
{
    struct table *t = ((struct comparison *)ctx)->t;

    table_text(t, s->scope);
    table_int(t, s->n);
    table_real(t, s->errors.within_5pct, 3);
    table_real(t, s->errors.within_10pct, 3);
    table_real(t, s->errors.mape, 3);
    table_real(t, s->errors.rmspe, 3);
    table_real(t, s->errors.spearman, 3);
    table_text(t, s->target);
    table_text(t, "yes");
    table_text(t, dtype_name(s->dtype));
    table_text(t, mem_path_name(s->path));
    table_text(t, s->split);
    table_text(t, s->method);
}

static void comparison_done(struct comparison *c)
{
    for (int i = 0; i < c->n && c->cases; i++)
        cases_done(&c->cases[i]);
    free(c->cases);
    free(c->holdout);
    csv_done(&c->paper);
}

/* The cases of each of the paper's models. */
static int comparison_new(struct table *t, struct comparison *ret_c, struct err *err)
{
    struct comparison c = {.t = t};
    struct axis *model = calloc(2, sizeof(*model)), *all = model + 1;
    int rc;

    if (!model)
        return err_set(err, -ENOMEM, "out of memory");
    rc = model_dataset("paper/table6_models.csv", NULL, &c.paper, err);
    if (rc < 0)
        goto out;
    c.cases = calloc((size_t)c.paper.n_rows + 1, sizeof(*c.cases));
    c.holdout = calloc((size_t)c.paper.n_rows + 1, sizeof(*c.holdout));
    if (!c.cases || !c.holdout)
        rc = err_set(err, -ENOMEM, "out of memory");
    model->n = 1;
    for (int i = 0; i < c.paper.n_rows && rc == 0; i++) {
        const char *name = csv_get(&c.paper, i, "abbr");

        snprintf(model->value[0], CELL_TEXT, "%s", name);
        rc = cases_of_models(model, all, 0, DTYPE_F32, &c.cases[i], err);
        c.n += rc == 0;
        c.holdout[i] = (struct predict_holdout){name, c.cases[i].n, c.cases[i].c};
    }
    if (rc == 0)
        *ret_c = c;
    else
        comparison_done(&c);
out:
    free(model);
    return rc;
}

static int train(const struct cli *cli, const struct train_opts *o, struct table *t,
                 struct err *err)
{
    struct predict_train_options opt = {
        .folds = (int)o->folds, .seed = (uint64_t)cli->seed, .threads = (int)o->threads,
        .interrupted = &cli_interrupted,
        .note = note, .note_ctx = (void *)(uintptr_t)cli};
    struct comparison with = {0};
    struct store *st = NULL;
    struct device_info dev, other;
    int64_t device_id, before = 0;
    int rc, trained;

    rc = o->compare ? comparison_new(t, &with, err) : 0;
    if (rc < 0)
        return rc;
    with.t = t;
    opt.compare = o->compare;
    opt.score = o->compare || o->transfer ? add_score : NULL;
    opt.score_ctx = &with;
    opt.holdout = with.holdout;
    opt.n_holdouts = with.n;
    rc = store_open(cli->db_path, STORE_UPDATE, &st, err);
    if (rc == 0)
        rc = predict_device(st, cli->device, &device_id, &dev, err);
    if (rc == 0 && o->transfer) {
        rc = predict_device(st, o->transfer, &opt.transfer_from, &other, err);
        if (rc < 0)
            err_prefix(err, "--transfer");
    }
    if (rc == 0 && o->transfer && opt.transfer_from == device_id)
        rc = err_set(err, -EINVAL, "--transfer: '%s' is the device itself", o->transfer);
    if (rc == 0)
        rc = choose_noisy(cli, o, st, device_id, &opt.include_noisy, err);
    if (rc == 0)
        rc = latest_id(st, &before, err);
    if (rc == 0)
        rc = predict_train(st, device_id, &opt, &trained, err);
    if (rc == 0)
        cli_note(cli, "%d regressors for '%s'; errors are out of fold, as fractions", trained,
                 dev.name);
    if (rc == 0)
        rc = add_metrics(st, before, t, err);
    store_close(st);
    comparison_done(&with);
    return rc;
}

static int run(const struct cli *cli, const void *options, int n_args, char **args,
               struct err *err)
{
    struct table *t = table_new(COLUMNS);
    int rc;

    (void)n_args, (void)args;
    rc = t ? train(cli, options, t, err) : err_set(err, -ENOMEM, "out of memory");
    return cli_finish(cli, t, rc, err);
}

const struct command command_train = {
    .name = "train",
    .args = "",
    .summary = "fit the latency regressors to the recorded samples of a device",
    .example = "flashmem train --folds 10 --format csv",
    .opts = opts,
    .opts_size = sizeof(struct train_opts),
    .run = run,
};
