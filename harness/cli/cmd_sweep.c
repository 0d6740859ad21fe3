/* flashmem sweep SPEC: measure the configurations of a sweep spec. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "harness/cli/cli.h"
#include "harness/sweep/order_active.h"
#include "harness/sweep/own.h"
#include "harness/sweep/sweep.h"
#include "profiler/clock.h"

struct sweep_opts {
    int strategy, again;
    int64_t limit, max_repeats;
    uint64_t time_ns, max_time_ns, timeout_ns, max_load;
    double target;
    const char *shard, *simulate;
    const char *kernel;
    bool dry_run, hot;
    struct opt_list threshold;
};

#define FIELD(f) offsetof(struct sweep_opts, f)
static const struct opt opts[] = {
    {.name = "--kernel", .type = OPT_TEXT, .offset = FIELD(kernel), .arg = "FILE.cl",
     .help = "an OpenCL kernel of your own in place of an operator's: its head says how, and "
             "which shapes where there is no SPEC; see datasets/kernels"},
    {.name = "--strategy", .type = OPT_CHOICE, .offset = FIELD(strategy), .def = "exhaustive",
     .choices = sweep_strategy_names,
     .help = "everything, shuffled; a uniform draw (of --limit, or until --time is up); or always what "
             "the samples so far tell least about"},
    {.name = "--simulate", .type = OPT_TEXT, .offset = FIELD(simulate), .arg = "DB",
     .help = "measure nothing: play the sweep from the samples of a database, and print how good a "
             "regressor gets with how many of them (--strategy random or active)"},
    {.name = "--limit", .type = OPT_INT, .offset = FIELD(limit), .def = "0", .min = 0, .max = 1e9,
     .arg = "N", .help = "measure at most N configurations; 0: all"},
    {.name = "--time", .type = OPT_TIME, .offset = FIELD(time_ns), .arg = "TIME",
     .help = "begin no configuration after this time"},
    {.name = "--shard", .type = OPT_TEXT, .offset = FIELD(shard), .def = "1/1", .arg = "I/N",
     .help = "part I of N, by key: one part for each machine"},
    {.name = "--dry-run", .type = OPT_FLAG, .offset = FIELD(dry_run),
     .help = "say how many there are, how many are measured, how long the rest will take"},
    {.name = "--again", .type = OPT_CHOICE, .offset = FIELD(again), .def = "none",
     .choices = sweep_again_names, .help = "what to measure again though it has a verdict"},
    {.name = "--hot", .type = OPT_FLAG, .offset = FIELD(hot),
     .help = "do not flush the device's cache before timed runs (recorded as cache=hot)"},
    {.name = "--target", .type = OPT_REAL, .offset = FIELD(target), .def = "0", .min = 0,
     .max = 1, .arg = "X",
     .help = "width of the median's interval, over the median, that is narrow enough; 0: as the "
             "spec says, else 0.02"},
    {.name = "--max-repeats", .type = OPT_INT, .offset = FIELD(max_repeats), .def = "0", .min = 0,
     .max = 1e6, .arg = "N", .help = "repeats of a sample at most; 0: as the spec says, else 100"},
    {.name = "--max-time", .type = OPT_TIME, .offset = FIELD(max_time_ns), .arg = "TIME",
     .help = "repeats of a sample end after this; default: as the spec says, else 5s"},
    {.name = "--timeout", .type = OPT_TIME, .offset = FIELD(timeout_ns), .def = "60s",
     .arg = "TIME", .help = "a configuration that takes longer is killed and recorded as timeout"},
    {.name = "--max-load", .type = OPT_BYTES, .offset = FIELD(max_load), .def = "256MiB",
     .arg = "BYTES", .help = "where the doubling of '+' ratios ends at the latest"},
    {.name = "--threshold", .type = OPT_LIST, .offset = FIELD(threshold), .arg = "CLASS=X",
     .help = "slowdown, as a fraction, at which doubling ends, e.g. reusable=0.3"},
    {0},
};

static int parse_shard(const char *text, struct sweep_options *o, struct err *err)
{
    int end = 0;

    if (sscanf(text, "%6d/%6d%n", &o->shard, &o->shards, &end) != 2 || text[end] ||
        o->shard < 1 || o->shards < o->shard)
        return err_set(err, -EINVAL, "--shard: want I/N with 1 <= I <= N, got '%s'", text);
    return 0;
}

static int make_options(const struct cli *cli, const struct sweep_opts *in,
                        struct sweep_options *o, struct err *err)
{
    int rc;

    *o = sweep_defaults();
    o->strategy = (enum sweep_strategy)in->strategy;
    o->again = (enum sweep_again)in->again;
    o->limit = in->limit;
    o->time_ns = in->time_ns;
    o->dry_run = in->dry_run;
    o->measure.hot = in->hot;
    o->measure.target = in->target;
    o->measure.max_repeats = (int)in->max_repeats;
    o->measure.max_time_ns = in->max_time_ns;
    o->max_load_bytes = in->max_load;
    o->seed = (uint64_t)cli->seed;
    o->argc = cli->argc;
    o->argv = cli->argv;
    o->interrupted = &cli_interrupted;
    if (in->timeout_ns < 1000000)
        return err_set(err, -EINVAL, "--timeout: want 1ms or more");
    o->timeout_ns = in->timeout_ns;
    o->thresholds = thresholds_default();
    for (int i = 0; i < in->threshold.n; i++) {
        rc = thresholds_set(&o->thresholds, in->threshold.item[i], err);
        if (rc < 0)
            return rc;
    }
    return parse_shard(in->shard, o, err);
}

/* ---- what is shown ---- */

struct watch {
    const struct cli *cli;
    uint64_t started_ns;
    char what[128];
};

static void progress(void *ctx, const struct sweep_summary *s)
{
    struct watch *w = ctx;
    int64_t failed = sweep_failed(s);

    size_t n = (size_t)snprintf(w->what, sizeof(w->what), "sweep");

    for (int p = 0; p < PHASES && n < sizeof(w->what); p++)
        n += (size_t)snprintf(w->what + n, sizeof(w->what) - n, "%s %s %.0f%%", p ? "" : ":",
                              phase_names[p], 100 * s->phase_ns[p] / s->wall_ns);
    if (failed > 0 && n < sizeof(w->what))
        n += (size_t)snprintf(w->what + n, sizeof(w->what) - n, ", %" PRId64 " failed", failed);
    if (n + 1 < sizeof(w->what))
        strcpy(w->what + n, ",");
    cli_progress(w->cli, w->what, s->measured, s->planned, w->started_ns);
}

static void count(struct table *t, const char *item, int64_t n)
{
    table_text(t, item);
    table_int(t, n);
    table_empty(t);
}

static void seconds(struct table *t, const char *item, double ns, double of_ns)
{
    table_text(t, item);
    table_real(t, ns * 1e-9, 4);
    if (of_ns > 0)
        table_real(t, 100 * ns / of_ns, 3);
    else
        table_empty(t);
}

static void phase(struct table *t, const char *prefix, int i, double ns, double of_ns)
{
    char item[32];

    snprintf(item, sizeof(item), "%s%s_s", prefix, phase_names[i]);
    seconds(t, item, ns, of_ns);
}

static double sum_of(const double ns[PHASES])
{
    double sum = 0;

    for (int i = 0; i < PHASES; i++)
        sum += ns[i];
    return sum;
}

static int show(const struct cli *cli, const struct sweep_options *o, const struct sweep_summary *s,
                struct err *err)
{
    struct table *t = table_new("item,value,share_pct");
    int rc;

    if (!t)
        return err_set(err, -ENOMEM, "out of memory");
    count(t, "configurations", s->configs);
    count(t, "measured_before", s->present);
    if (o->dry_run) {
        count(t, "to_measure", s->planned);
        seconds(t, "estimate_s", sum_of(s->estimate_ns), 0);
        for (int i = 0; i < PHASES; i++)
            phase(t, "estimate_", i, s->estimate_ns[i], sum_of(s->estimate_ns));
        count(t, "guessed", s->guessed);
    } else {
        count(t, "measured", s->measured);
        count(t, "of_them_doubled", s->doubled);
        for (int i = 0; i < SAMPLE_STATUSES; i++)
            count(t, sample_status_name((enum sample_status)i), s->by_status[i]);
        count(t, "workers_started", s->workers);
        seconds(t, "wall_s", s->wall_ns, s->wall_ns);
        for (int i = 0; i < PHASES; i++)
            phase(t, "", i, s->phase_ns[i], s->wall_ns);
        seconds(t, "of_measure_kernels_s", s->kernels_ns, s->wall_ns);
        seconds(t, "store_s", s->store_ns, s->wall_ns);
        seconds(t, "other_s", s->other_ns, s->wall_ns);
    }
    rc = table_print(t, (enum format)cli->format, stdout);
    table_free(t);
    return cli_printed(rc, err) == EXIT_DONE ? 0 : rc;
}

/* ---- running ---- */

/* A dry run writes nothing, and works where there is no database yet. */
static int open_store(const struct cli *cli, bool dry_run, struct store **ret_st, struct err *err)
{
    int rc = store_open(cli->db_path, dry_run ? STORE_READ : STORE_WRITE, ret_st, err);

    if (rc == -ENOENT && dry_run) {
        *ret_st = NULL;
        return 0;
    }
    return rc;
}

static int device_of(const struct cli *cli, struct device_info *ret_info, struct err *err)
{
    struct device *dev;
    int rc = device_open(cli->device, &dev, err);

    if (rc < 0)
        return rc;
    *ret_info = dev->info;
    device_close(dev);
    return 0;
}

/* The best of an own kernel and of ours, for each case. */
static const char select_best[] =
    "SELECT c.variant, s.median_ns FROM sample s JOIN config c ON c.id = s.config_id"
    " JOIN session e ON e.id = s.session_id WHERE e.device_id = ? AND c.op = ? AND c.shape = ?"
    " AND c.dtype = ? AND c.load_bytes = 0 AND s.status IN ('ok', 'noisy')"
    " AND iif(?, c.kernel = ?, instr(c.kernel, '@') = 0) ORDER BY s.median_ns LIMIT 1";

static int find_best(struct store *st, int64_t device_id, const struct op_case *c,
                     const struct custom *own, bool theirs, double *ret_ns,
                     char variant[OP_TEXT_MAX], struct err *err)
{
    struct store_query *q = NULL;
    char shape[OP_TEXT_MAX];
    int rc;

    *ret_ns = NAN;
    op_case_params(c, shape);
    rc = store_query(st, &q, err, select_best, "isssis", device_id, c->op->name, shape,
                     dtype_name(c->dtype), (int64_t)theirs, custom_kernel(own));
    if (rc < 0)
        return rc;
    rc = store_step(q, err);
    if (rc == 1) {
        snprintf(variant, OP_TEXT_MAX, "%s", store_text(q, 0));
        *ret_ns = store_real(q, 1);
    }
    store_query_done(q);
    return rc < 0 ? rc : 0;
}

static int note_case(const struct cli *cli, struct store *st, int64_t device_id,
                     const struct custom *own, const struct op_case *c, struct err *err)
{
    char text[OP_TEXT_MAX], variant[OP_TEXT_MAX] = "", ours[OP_TEXT_MAX] = "";
    double ns, our_ns, flops, bytes;
    int rc = find_best(st, device_id, c, own, true, &ns, variant, err);

    if (rc == 0)
        rc = find_best(st, device_id, c, own, false, &our_ns, ours, err);
    if (rc == 0)
        rc = custom_cost(own, c, &flops, &bytes, err);
    if (rc < 0 || isnan(ns))
        return rc;
    op_case_print(c, text);
    cli_note(cli, "%s: %.4g us, %.3g GFLOP/s, %.3g GB/s: %s", text, ns / 1000, flops / ns,
             bytes / ns, variant);
    if (!isnan(our_ns))
        cli_note(cli, "  ours %.4g us, %.3g times that: %s", our_ns / 1000, our_ns / ns, ours);
    return 0;
}

static int note_best(const struct cli *cli, struct store *st, const struct device_info *info,
                     const struct custom *own, const struct spec *spec, struct err *err)
{
    int64_t device_id;
    int rc = store_find_device(st, info, &device_id, err);

    for (int i = 0; i < spec->n && rc == 0; i++) {
        bool seen = false;

        for (int k = 0; k < i && !seen; k++)
            seen = spec->config[k].c.dtype == spec->config[i].c.dtype &&
                   memcmp(spec->config[k].c.p, spec->config[i].c.p, sizeof(spec->config[i].c.p)) ==
                       0;
        if (!seen)
            rc = note_case(cli, st, device_id, own, &spec->config[i].c, err);
    }
    return rc;
}

static int read_spec(const char *path, const char *kernel, const struct custom *own,
                     const struct device_info *info, struct spec *spec, struct err *err)
{
    int others = 0;

    if (!own || path) {
        int rc = spec_read(path, info, spec, err);

        for (int i = 0; own && rc == 0 && i < spec->n; i++)
            others += strcmp(spec->config[i].c.op->name, custom_op(own)) != 0;
        return rc < 0 || !others ? rc
                                 : err_set(err, -EINVAL, "%s: %d configurations are of other "
                                           "operators than '%s' of '%s'", path, others,
                                           custom_op(own), kernel);
    }
    return own_spec(own, kernel, info, spec, err);
}

static int sweep(const struct cli *cli, const char *path, const char *kernel,
                 const struct sweep_options *o, struct sweep_summary *s, struct err *err)
{
    struct device_info info;
    struct custom *own = NULL;
    struct store *st = NULL;
    struct spec spec = {0};
    int rc;

    rc = kernel ? own_open(kernel, &own, err) : 0;
    if (rc == 0)
        rc = device_of(cli, &info, err);
    if (rc == 0)
        rc = read_spec(path, kernel, own, &info, &spec, err);
    if (rc == 0)
        rc = open_store(cli, o->dry_run, &st, err);
    if (rc == 0)
        rc = sweep_run(st, &info, &spec, o, s, err);
    if (rc == 0 && own && !o->dry_run)
        rc = note_best(cli, st, &info, own, &spec, err);
    store_close(st);
    spec_done(&spec);
    own_close(own);
    return rc;
}

/* ---- a sweep from recorded samples ---- */

struct curve {
    struct table *t;
    const char *strategy;
};

static void add_point(void *ctx, int samples, const struct stats_errors *e)
{
    struct curve *c = ctx;

    table_text(c->t, c->strategy);
    table_int(c->t, samples);
    table_real(c->t, e->within_5pct, 3);
    table_real(c->t, e->within_10pct, 3);
    table_real(c->t, e->mape, 3);
}

static int simulate(const struct cli *cli, const struct sweep_opts *in, const char *path,
                    struct table *t, struct err *err)
{
    struct curve curve = {t, sweep_strategy_names[in->strategy]};
    struct device_info info;
    struct store *st = NULL;
    struct spec spec = {0};
    int64_t device_id;
    int rc;

    rc = store_open(in->simulate, STORE_READ, &st, err);
    if (rc == 0)
        rc = predict_device(st, cli->device, &device_id, &info, err);
    if (rc == 0)
        rc = spec_read(path, &info, &spec, err);
    if (rc == 0)
        rc = order_simulate(st, device_id, &info, &spec,
                            in->strategy == SWEEP_ACTIVE ? SIMULATE_ACTIVE : SIMULATE_RANDOM,
                            (uint64_t)cli->seed, add_point, &curve, err);
    spec_done(&spec);
    store_close(st);
    return rc;
}

static int run(const struct cli *cli, const void *options, int n_args, char **args,
               struct err *err)
{
    const struct sweep_opts *in = options;
    struct watch watch = {.cli = cli, .started_ns = clock_ns(), .what = "sweep"};
    struct sweep_options o;
    struct sweep_summary s;

    if (make_options(cli, in, &o, err) < 0)
        return EXIT_USAGE;
    if (n_args == 0 && (!in->kernel || in->simulate)) {
        err_set(err, -EINVAL, "sweep wants a SPEC, or --kernel FILE.cl");
        return EXIT_USAGE;
    }
    if (in->simulate && in->strategy == SWEEP_EXHAUSTIVE) {
        err_set(err, -EINVAL, "--simulate: want --strategy random or active");
        return EXIT_USAGE;
    }
    if (in->simulate) {
        struct table *t = table_new("strategy,samples,within_5pct,within_10pct,mape");
        int rc = t ? simulate(cli, in, args[0], t, err) : err_set(err, -ENOMEM, "out of memory");

        return cli_finish(cli, t, rc, err);
    }
    o.progress = progress;
    o.ctx = &watch;
    if (sweep(cli, n_args ? args[0] : NULL, in->kernel, &o, &s, err) < 0 || show(cli, &o, &s, err) < 0)
        return EXIT_FAILED;
    if (o.dry_run && s.guessed)
        cli_note(cli, "%" PRId64 " of %" PRId64 " are of operators that this device has no sample "
                 "of: guessed, by its other operators, or half a second each", s.guessed,
                 s.planned);
    if (s.interrupted) {
        err_set(err, -EINTR, "interrupted after %" PRId64 " of %" PRId64
                " configurations: the same command goes on from there", s.measured, s.planned);
        return EXIT_FAILED;
    }
    if (!o.dry_run && sweep_failed(&s) > 0)
        cli_note(cli, "%" PRId64 " configurations failed: 'flashmem samples' shows which and why",
                 sweep_failed(&s));
    return !o.dry_run && sweep_failed(&s) > 0 ? EXIT_PARTLY : EXIT_DONE;
}

const struct command command_sweep = {
    .name = "sweep",
    .args = "[SPEC]",
    .summary = "measure the configurations of a sweep spec; resumes by itself",
    .example = "flashmem sweep datasets/sweeps/quick.csv",
    .opts = opts,
    .opts_size = sizeof(struct sweep_opts),
    .min_args = 0,
    .max_args = 1,
    .run = run,
};
