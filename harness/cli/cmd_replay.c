/* flashmem replay: whole models from disk, policies side by side. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/cli/opt.h"
#include "harness/cli/setup/model_problem.h"
#include "harness/cli/setup/replay_session.h"
#include "harness/model/npy.h"
#include "harness/text/units.h"
#include "profiler/clock.h"

static const char *const source_names[] = {"disk", "ram", NULL};

#define FIELD(f) offsetof(struct replay_opts, f)
static const struct opt opts[] = {
    {.name = "--policy", .type = OPT_LIST, .offset = FIELD(policies), .arg = "POLICY",
     .help = "may be repeated: policies run interleaved (default: preload and lc-opg)"},
    {.name = "--plan", .type = OPT_TEXT, .offset = FIELD(plan), .arg = "FILE",
     .help = "run this plan file, after checking it, instead of a policy"},
    PLAN_OPTION_ROWS,
    {.name = "--reader", .type = OPT_CHOICE, .offset = FIELD(reader), .def = "ahead",
     .choices = executor_reader_names,
     .help = "read as soon as there is room, or from layer z_w on"},
    {.name = "--kernel", .type = OPT_CHOICE, .offset = FIELD(kernel), .def = "auto",
     .choices = replay_kernel_names,
     .help = "how load is carried: by kernels, by copies in a second queue, or not at all (direct: "
             "where host and device share memory the disk reads into what kernels read); auto: "
             "what recorded runs show to be fastest on this device, else pipelined"},
    {.name = "--source", .type = OPT_CHOICE, .offset = FIELD(source), .def = "disk",
     .choices = source_names, .help = "ram: emulated, from a copy in memory made before"},
    {.name = "--disk-rate", .type = OPT_BYTES, .offset = FIELD(disk_rate), .arg = "BYTES",
     .help = "emulated: read so many a second at most, 500MB for instance"},
    {.name = "--runs", .type = OPT_INT, .offset = FIELD(runs), .min = 1, .max = 1000, .arg = "N",
     .help = "most runs of each policy (default: 50), or the runs of a sequence with --keep (12)"},
    {.name = "--keep", .type = OPT_TEXT, .offset = FIELD(keep), .arg = "BYTES",
     .help = "runs in sequence, with so many bytes of weights (or 'all') resident between them "
             "within --memory; preload keeps all it has. A table by run"},
    {.name = "--sequences", .type = OPT_INT, .offset = FIELD(sequences), .def = "3", .min = 1,
     .max = 100, .arg = "N", .help = "with --keep: how often each policy's sequence is taken"},
    {.name = "--cold", .type = OPT_FLAG, .offset = FIELD(cold),
     .help = "read past the page cache (default)"},
    {.name = "--warm", .type = OPT_FLAG, .offset = FIELD(warm),
     .help = "read through the page cache, which an earlier run has filled"},
    {.name = "--target", .type = OPT_REAL, .offset = FIELD(target), .def = "0.02", .min = 0,
     .max = 1, .arg = "X", .help = "stop when the median's interval is narrower than this share"},
    {.name = "--time-limit", .type = OPT_TIME, .offset = FIELD(time_limit), .arg = "T",
     .help = "stop taking runs after this long (at least 5 are taken)"},
    {.name = "--weights", .type = OPT_TEXT, .offset = FIELD(weights), .arg = "FILE",
     .help = "weights file (default: weights/MODEL.DTYPE.safetensors)"},
    {.name = "--input", .type = OPT_LIST, .offset = FIELD(inputs), .arg = "FILE.npy",
     .help = "of an input, in order or as NAME=FILE.npy (default: seeded values)"},
    {.name = "--output", .type = OPT_TEXT, .offset = FIELD(output), .arg = "FILE.npy",
     .help = "write the output there"},
    {.name = "--split", .type = OPT_FLAG, .offset = FIELD(split),
     .help = "run the model with the layers split that 'plan --split' splits for the one policy"},
    {.name = "--alpha", .type = OPT_REAL, .offset = FIELD(alpha), .def = "0.1", .min = 0,
     .max = 1e6, .arg = "X", .help = "--split: the parts must carry 1 + alpha times as much"},
    {.name = "--mu", .type = OPT_REAL, .offset = FIELD(mu), .def = "0.1", .min = 0, .max = 1e6,
     .arg = "X", .help = "--split: what a layer of distance weighs in the ranking, beside lambda"},
    {.name = "--slice", .type = OPT_TEXT, .offset = FIELD(slice), .arg = "BYTES",
     .help = SLICE_HELP},
    {.name = "--verify", .type = OPT_FLAG, .offset = FIELD(verify),
     .help = "compare the output with a plain-C reference in double precision"},
    {.name = "--no-energy", .type = OPT_FLAG, .offset = FIELD(no_energy),
     .help = "do not ask for joules, which takes each policy two seconds where a device tells"},
    {0},
};

/* A run's own columns hold these, or they say only how to go about it. */
static const char *const not_options[] = {
    "--policy", "--reader", "--kernel", "--source", "--disk-rate",  "--memory",
    "--dtype",  "--path",   "--runs",   "--target", "--time-limit", "--weights",
    "--input",  "--output", "--verify", "--cold",   "--warm",       "--no-energy",
    NULL};

/* What the command line alone says. */
static int check_options(const struct replay_opts *o, struct err *err)
{
    uint64_t bytes;

    if (o->plan && o->policies.n > 0)
        return err_set(err, -EINVAL, "--plan and --policy: give one of them");
    if (o->disk_rate && o->disk_rate < 1000000)
        return err_set(err, -EINVAL, "--disk-rate: want 1MB or more in a second, got %llu bytes",
                       (unsigned long long)o->disk_rate);
    if (o->split && o->policies.n != 1)
        return err_set(err, -EINVAL, "--split is for one --policy, got %d", o->policies.n);
    if (o->cold && o->warm)
        return err_set(err, -EINVAL, "--cold and --warm: give one of them");
    if (o->warm && (o->source || o->disk_rate))
        return err_set(err, -EINVAL, "--warm is of a real disk: not with --source, --disk-rate");
    if (o->keep && strcmp(o->keep, "all") != 0 && parse_bytes(o->keep, &bytes, err) < 0)
        return err_prefix(err, "--keep");
    if (o->slice && strcmp(o->slice, "none") != 0 && parse_bytes(o->slice, &bytes, err) < 0)
        return err_prefix(err, "--slice");
    return cli_check_out("--output", o->output, err);
}

static bool interrupted(void)
{
    return cli_interrupted;
}

static void show_progress(void *ctx, int round, int max_rounds)
{
    struct replay_session *s = ctx;

    for (int k = 0; s->cli->verbose && !s->o->keep && k < s->n; k++)
        cli_note(s->cli, "round %d: %s %.2f ms", round, s->policy[k].name,
                 s->outcome[k].integrated[round - 1] / 1e6);
    cli_progress(s->cli, "rounds (at most)", round, max_rounds, s->rounds_began_ns);
}

/* The columns device .. kernel. */
static void print_head(struct table *t, const struct replay_session *s, int k)
{
    table_text(t, s->dev->info.name);
    table_text(t, s->m->name);
    table_text(t, s->policy[k].name);
    table_text(t, dtype_name(s->m->dtype));
    table_text(t, mem_path_name(s->exec.path));
    table_text(t, executor_kernel_name(&s->exec));
}

static void print_row(struct table *t, const struct replay_session *s, int k)
{
    const struct replay_outcome *o = &s->outcome[k];
    char source[READER_SOURCE_MAX];

    reader_source(s->exec.disk, source);
    print_head(t, s, k);
    table_text(t, executor_reader_names[s->o->reader]);
    table_text(t, source);
    table_text(t, o->cache);
    if (s->o->planning.memory)
        table_int(t, (int64_t)s->o->planning.memory);
    else
        table_empty(t);
    table_int(t, o->runs);
    table_real(t, ((double)s->ctx.setup_ns + o->setup_ns) / 1e6, 4);
    table_real(t, (double)o->build_ns / 1e6, 4);
    table_real(t, o->init_ns / 1e6, 4);
    table_real(t, o->exec_ns / 1e6, 4);
    table_real(t, o->integrated_ns.mid / 1e6, 4);
    table_real(t, o->integrated_ns.low / 1e6, 4);
    table_real(t, o->integrated_ns.high / 1e6, 4);
    table_int(t, (int64_t)o->peak_bytes);
    table_int(t, (int64_t)o->avg_bytes);
    table_real(t, o->mem_byte_s, 4);
    table_int(t, (int64_t)o->rss_peak_bytes);
    table_int(t, (int64_t)o->bytes_read);
    table_real(t, o->disk_ns / 1e6, 4);
    table_real(t, o->kernel_ns / 1e6, 4);
    table_real(t, o->bound_ns / 1e6, 4);
    table_real(t, o->predicted_ns / 1e6, 4);
    table_real(t, o->energy_j, 4);
    table_text(t, isnan(o->verify_error) ? NULL : (o->verified ? "yes" : "no"));
    table_real(t, o->integrated_mean_ns / 1e6, 4);
    table_real(t, o->verify_error, 3);
    table_text(t, o->noisy ? "noisy" : "ok");
    if (o->device_peak_bytes > 0)
        table_int(t, (int64_t)o->device_peak_bytes);
    else
        table_empty(t);
    if (o->predicted_peak_bytes > 0)
        table_int(t, (int64_t)o->predicted_peak_bytes);
    else
        table_empty(t);
    table_real(t, o->integrated_ns.mid / o->bound_ns, 3);
    table_real(t, (o->disk_ns + o->kernel_ns) / o->bound_ns, 3);
    table_real(t, o->least_ns / 1e6, 4);
}

static int print_all(const struct replay_session *s, struct err *err)
{
    struct table *t = table_new(
        "device,model,policy,dtype,path,kernel,reader,source,cache,memory_limit,runs,setup_ms,"
        "build_ms,init_ms,exec_ms,integrated_ms,integrated_low_ms,integrated_high_ms,peak_bytes,"
        "avg_bytes,mem_byte_s,rss_peak_bytes,bytes_read,disk_ms,kernel_ms,bound_ms,predicted_ms,"
        "energy_j,verified,integrated_mean_ms,verify_error,status,device_peak_bytes,"
        "predicted_peak_bytes,bound_ratio,ceiling,least_ms");
    int rc;

    if (!t)
        return err_set(err, -ENOMEM, "out of memory for a table");
    for (int k = 0; k < s->n; k++) {
        print_row(t, s, k);
        if (s->cli->verbose)
            cli_note(s->cli, "%s: %s", s->policy[k].name, s->outcome[k].note);
    }
    rc = table_print(t, (enum format)s->cli->format, stdout);
    table_free(t);
    return rc < 0 ? err_set(err, rc, "standard output: cannot write: is the disk full?") : 0;
}

/* ---- runs in sequence ---- */

static void print_run(struct table *t, const struct replay_session *s, int k, int run,
                      double total_ns)
{
    const struct sequence_outcome *o = &s->sequence[k];
    const struct interval *ns = &o->integrated_ns[run];
    char source[READER_SOURCE_MAX];

    reader_source(s->exec.disk, source);
    print_head(t, s, k);
    table_text(t, source);
    if (s->o->planning.memory)
        table_int(t, (int64_t)s->o->planning.memory);
    else
        table_empty(t);
    table_int(t, (int64_t)o->kept_bytes);
    table_int(t, run + 1);
    table_real(t, ns->mid / 1e6, 4);
    table_real(t, ns->low / 1e6, 4);
    table_real(t, ns->high / 1e6, 4);
    table_real(t, total_ns / 1e6, 4);
    table_int(t, (int64_t)o->bytes_read[run]);
    table_int(t, (int64_t)o->peak_bytes[run]);
    table_int(t, (int64_t)o->rss_peak_bytes[run]);
    table_real(t, o->all.disk_ns / 1e6, 4);
    table_real(t, o->all.kernel_ns / 1e6, 4);
    table_real(t, run > 0 ? o->predicted_ns / 1e6 : NAN, 4);
    table_text(t, isnan(o->all.verify_error) ? NULL : (o->all.verified ? "yes" : "no"));
}

/* Where preloading, which keeps all, is faster than a policy that keeps less. */
static void note_overtaking(const struct replay_session *s, int runs)
{
    for (int p = 0; p < s->n; p++)
        for (int k = 0; k < s->n && strcmp(s->policy[p].name, "preload") == 0; k++) {
            int run = sequence_overtakes(&s->sequence[p], &s->sequence[k], runs, false);
            int all = sequence_overtakes(&s->sequence[p], &s->sequence[k], runs, true);

            if (k == p)
                continue;
            if (run == 0)
                cli_note(s->cli, "preload is in no run to the end faster than %s",
                         s->policy[k].name);
            else if (all == 0)
                cli_note(s->cli, "preload is faster than %s from run %d on, in total not within %d",
                         s->policy[k].name, run, runs);
            else
                cli_note(s->cli, "preload is faster than %s from run %d on, in total from run %d",
                         s->policy[k].name, run, all);
        }
}

static int print_sequences(const struct replay_session *s, int runs, struct err *err)
{
    struct table *t = table_new("device,model,policy,dtype,path,kernel,source,memory_limit,"
                                "kept_bytes,run,integrated_ms,integrated_low_ms,integrated_high_ms,"
                                "total_ms,bytes_read,peak_bytes,rss_peak_bytes,disk_ms,kernel_ms,"
                                "predicted_ms,verified");
    int rc;

    if (!t)
        return err_set(err, -ENOMEM, "out of memory for a table");
    for (int k = 0; k < s->n; k++) {
        double total = 0;

        for (int run = 0; run < runs; run++) {
            total += s->sequence[k].integrated_ns[run].mid;
            print_run(t, s, k, run, total);
        }
    }
    rc = table_print(t, (enum format)s->cli->format, stdout);
    table_free(t);
    note_overtaking(s, runs);
    return rc < 0 ? err_set(err, rc, "standard output: cannot write: is the disk full?") : 0;
}

/* Rows of what was measured. */
static int save_all(struct replay_session *s, struct err *err)
{
    char *options = opt_changed(opts, s->o, not_options);
    int64_t run;
    int rc = options ? 0 : err_set(err, -ENOMEM, "out of memory for a row");

    s->ctx.options = options;
    for (int k = 0; k < s->n && rc == 0; k++)
        rc = replay_save(s->st, &s->ctx, &s->policy[k],
                         s->o->keep ? &s->sequence[k].all : &s->outcome[k], &run, err);
    free(options);
    return rc < 0 ? rc : store_session_end(s->st, s->ctx.session_id, err);
}

static int replay_sequences(struct replay_session *s, const struct replay_options *ro,
                            struct err *err)
{
    struct sequence_options so = {.runs = ro->max_runs,
                                  .sequences = (int)s->o->sequences,
                                  .keep_bytes = UINT64_MAX,
                                  .replay = ro};
    int rc = 0;

    if (strcmp(s->o->keep, "all") != 0)
        rc = parse_bytes(s->o->keep, &so.keep_bytes, err);
    if (rc == 0)
        rc = sequence_compare(s->ex, s->m, s->policy, s->n, &so, s->sequence, err);
    if (rc == 0)
        rc = save_all(s, err);
    return rc < 0 ? rc : print_sequences(s, so.runs, err);
}

static int write_output(const struct replay_session *s, struct err *err)
{
    struct tensor_desc d;
    size_t n = replay_output_values(s->m, &d);
    struct npy a = {.rows = d.rows, .cols = d.cols};
    int rc;

    if (!s->o->output)
        return 0;
    a.value = malloc(n * sizeof(*a.value));
    if (!a.value)
        return err_set(err, -ENOMEM, "out of memory for an output of %zu values", n);
    executor_output(s->ex, a.value);
    rc = npy_write(s->o->output, &a, err);
    npy_done(&a);
    return rc;
}

static int keep_all(struct replay_session *s, struct err *err)
{
    int rc = save_all(s, err);

    return rc < 0 ? rc : print_all(s, err);
}

static int replay_all(struct replay_session *s, const char *model, struct err *err)
{
    int runs = s->o->runs ? (int)s->o->runs : s->o->keep ? 12 : 50;
    struct replay_options ro = {
        .min_runs = runs < 5 ? runs : 5,
        .max_runs = runs,
        .target = s->o->target,
        .time_limit_ns = s->o->time_limit,
        .tolerance = s->o->planning.dtype == DTYPE_F16 ? 1e-2 : 1e-3,
        .progress = s->cli->quiet ? NULL : show_progress,
        .ctx = s,
    };
    int rc = replay_session_open(s, model, err);

    if (rc == 0)
        rc = replay_session_problem(s, err);
    if (rc == 0)
        rc = replay_session_plans(s, err);
    if (rc == 0)
        rc = recorded_speed(s->st, s->device_id, s->m, &s->dev->info, s->exec.path,
                            executor_kernel_name(&s->exec), &ro.recorded, err);
    ro.reference = s->reference;
    ro.energy = s->o->no_energy ? NULL : s->energy;
    s->rounds_began_ns = clock_ns();
    if (rc < 0)
        return rc;
    s->ctx.m = s->m;
    s->ctx.exec = &s->exec;
    if (s->o->keep) {
        rc = replay_sequences(s, &ro, err);
        return rc < 0 ? rc : write_output(s, err);
    }
    rc = replay_compare(s->ex, s->m, s->policy, s->n, &ro, s->outcome, err);
    if (rc == 0 || (rc == -EINTR && s->outcome[0].runs > 0)) {
        int kept = keep_all(s, err);

        if (kept < 0)
            return kept;
        if (rc < 0)
            err_set(err, rc, "interrupted after %d rounds, which are kept", s->outcome[0].runs);
    }
    return rc < 0 ? rc : write_output(s, err);
}

static bool is_wrong(const struct replay_outcome *o)
{
    return !isnan(o->verify_error) && !o->verified;
}

static int run(const struct cli *cli, const void *options, int n_args, char **args, struct err *err)
{
    const struct replay_opts *o = options;
    struct replay_session s = {
        .cli = cli,
        .o = o,
        .exec =
            {
                .path = (enum mem_path)o->planning.path,
                .memory_limit = o->planning.memory,
                .at_plan = o->reader == 1,
                .rss_period_ns = 2000000,
                .stop = interrupted,
            },
    };
    bool wrong = false;
    int rc;

    (void)n_args;
    replay_set_kernel(&s, o->kernel);
    s.disk =
        (struct reader_options){.ram = o->source == 1, .rate_bps = o->disk_rate, .cached = o->warm};
    if (o->source || o->disk_rate || o->warm)
        s.exec.disk = &s.disk;
    if (plan_options_check(&o->planning, err) < 0 || plan_options_policies(&o->policies, err) < 0 ||
        check_options(o, err) < 0)
        return EXIT_USAGE;
    rc = replay_all(&s, args[0], err);
    for (int k = 0; k < s.n && rc == 0; k++)
        wrong = wrong || is_wrong(o->keep ? &s.sequence[k].all : &s.outcome[k]);
    replay_session_close(&s);
    if (rc < 0)
        return EXIT_FAILED;
    if (wrong) {
        err_set(err, -EPROTO, "the output differs from the reference: see verify_error");
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}

const struct command command_replay = {
    .name = "replay",
    .args = "MODEL",
    .summary = "run a model from its weights file on disk, streaming against preloading",
    .example = "flashmem replay GPTN-S --policy preload --policy lc-opg --verify",
    .opts = opts,
    .opts_size = sizeof(struct replay_opts),
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
