/* flashmem replay: whole models from disk, policies side by side. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/cli/model_file.h"
#include "harness/cli/model_inputs.h"
#include "harness/cli/plan_options.h"
#include "harness/model/npy.h"
#include "harness/model/reference.h"
#include "harness/model/split.h"
#include "harness/plan/fusion/fusion.h"
#include "harness/plan/plan_store.h"
#include "harness/replay/recorded.h"
#include "harness/replay/replay.h"
#include "harness/text/units.h"
#include "profiler/clock.h"

struct replay_opts {
    struct plan_options planning; /* first: see PLAN_OPTION_ROWS */
    struct opt_list policies, inputs;
    const char *plan, *weights, *output;
    uint64_t time_limit;
    int64_t runs;
    double target;
    int reader, kernel;
    bool verify, split;
    uint64_t disk_rate;
    int source;
    const char *slice;
};
_Static_assert(offsetof(struct replay_opts, planning) == 0, "PLAN_OPTION_ROWS");

/* By enum op_form, and two more. */
static const char *const kernel_names[] = {"naive",  "branching", "pipelined", "copy",
                                           "direct", "auto",      NULL};
enum { KERNEL_DIRECT = OP_FORMS, KERNEL_AUTO };

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
     .choices = kernel_names,
     .help = "how load is carried: by kernels, by copies in a second queue, or not at all (direct: "
             "where host and device share memory the disk reads into what kernels read); auto: "
             "what recorded runs show to be fastest on this device, else pipelined"},
    {.name = "--source", .type = OPT_CHOICE, .offset = FIELD(source), .def = "disk",
     .choices = source_names, .help = "ram: emulated, from a copy in memory made before"},
    {.name = "--disk-rate", .type = OPT_BYTES, .offset = FIELD(disk_rate), .arg = "BYTES",
     .help = "emulated: read so many a second at most, 500MB for instance"},
    {.name = "--runs", .type = OPT_INT, .offset = FIELD(runs), .def = "50", .min = 1, .max = 1000,
     .arg = "N", .help = "most runs of each policy"},
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
    {.name = "--slice", .type = OPT_TEXT, .offset = FIELD(slice), .arg = "BYTES",
     .help = "use larger weights in parts of about this size, or 'none' (default with --kernel "
             "direct: a 32nd of all weights, or an 8th of what --memory leaves; else, and "
             "with --plan, none)"},
    {.name = "--verify", .type = OPT_FLAG, .offset = FIELD(verify),
     .help = "compare the output with a plain-C reference in double precision"},
    {0},
};

/* Everything that a replay needs, taken down in one place. */
struct session {
    const struct cli *cli;
    const struct replay_opts *o;
    struct store *st;
    struct device *dev;
    struct model *m;
    struct weights_file file;
    struct predictor *predictor;
    struct best *best;
    float **input;
    float *reference;
    struct executor *ex;
    struct reader_options disk;
    struct energy *energy;
    struct model_problem mp;
    struct plan **plan;
    struct replay_policy *policy;
    struct replay_outcome *outcome;
    int n;
    struct executor_options exec;
    struct replay_context ctx;
    int64_t device_id;
    uint64_t rounds_began_ns;
};

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
    if (o->slice && strcmp(o->slice, "none") != 0 && parse_bytes(o->slice, &bytes, err) < 0)
        return err_prefix(err, "--slice");
    return cli_check_out("--output", o->output, err);
}

/* Weights above so many bytes are used in parts; 0: none are. What is read in one piece keeps the
 * disk from running beside the kernel that waits for it, and memory from being given back. */
static uint64_t slice_bytes(const struct session *s)
{
    const struct executor_options *ex = &s->exec;
    struct model_cost cost;
    uint64_t bytes = 0, reserve;

    if (s->o->slice && strcmp(s->o->slice, "none") == 0)
        return 0;
    if (s->o->slice)
        return parse_bytes(s->o->slice, &bytes, NULL) < 0 ? 0 : bytes;
    if (!ex->direct || s->o->plan)
        return 0;
    model_cost(s->m, &cost);
    reserve = executor_reserve_bytes(s->m, ex->path, true, 0);
    bytes = cost.weight_bytes / 32;
    if (ex->memory_limit > reserve && (ex->memory_limit - reserve) / 8 < bytes)
        bytes = (ex->memory_limit - reserve) / 8;
    return bytes;
}

static int slice_layers(struct session *s, struct err *err)
{
    uint64_t most = slice_bytes(s);
    int n = 0, rc = most ? model_slice_all(&s->m, &s->file, most, &n, err) : 0;

    if (n > 0 && rc == 0)
        cli_note(s->cli, "%d weights are used in parts", n);
    return rc;
}

static bool interrupted(void)
{
    return cli_interrupted;
}

static size_t output_values(const struct model *m, struct tensor_desc *ret_d)
{
    const struct layer *last = &m->layer[m->n_layers - 1];

    *ret_d = last->io.slot[last->io.n - 1].desc;
    return (size_t)(ret_d->rows * ret_d->cols);
}

static int make_reference(struct session *s, struct err *err)
{
    struct tensor_desc d;
    size_t n = output_values(s->m, &d);
    uint64_t began = clock_ns();
    char took[UNIT_TEXT];
    int rc;

    if (!s->o->verify)
        return 0;
    s->reference = malloc(n * sizeof(float));
    if (!s->reference)
        return err_set(err, -ENOMEM, "out of memory for a reference of %zu values", n);
    rc = model_reference_of(s->m, &s->file, (const float *const *)s->input, s->reference, err);
    if (rc == 0)
        cli_note(s->cli, "reference of %s in double precision: %s", s->m->name,
                 format_time(took, (double)(clock_ns() - began)));
    return rc;
}

static void set_kernel(struct session *s, int kernel)
{
    s->exec.direct = kernel == KERNEL_DIRECT;
    s->exec.form = s->exec.direct ? FORM_NAIVE : (enum op_form)kernel;
}

static int choose_kernel(struct session *s, struct err *err)
{
    char name[32] = "";
    int rc, kernel = FORM_PIPELINED;

    if (s->o->kernel != KERNEL_AUTO)
        return 0;
    rc = recorded_kernel(s->st, s->device_id, s->m->name, s->exec.path, name, sizeof(name), err);
    for (int k = 0; kernel_names[k]; k++)
        if (strcmp(name, kernel_names[k]) == 0)
            kernel = k;
    set_kernel(s, kernel);
    if (rc == 0 && kernel != FORM_PIPELINED)
        cli_note(s->cli, "--kernel %s: recorded runs show it to be fastest here",
                 kernel_names[kernel]);
    return rc;
}

static int make_variants(struct session *s, struct err *err)
{
    int rc = variants_of_model(s->cli, s->st, s->device_id, &s->dev->info, s->m, s->exec.path,
                               s->exec.form, (enum variants)s->o->planning.variants, &s->best, err);

    s->exec.best = s->best;
    return rc;
}

static int make_problem(struct session *s, struct err *err)
{
    struct problem_options po = plan_options_problem(&s->o->planning, s->m, s->best,
                                                     s->exec.direct);
    int corrected = 0;
    int rc = s->predictor ? 0
                          : predictor_load(s->st, s->device_id, s->m->dtype, s->exec.path,
                                           &s->predictor, err);

    if (rc == -ENOENT) { /* enough for policies that use no capacities */
        cli_note(s->cli, "%s; all capacities are zero", err->text);
        rc = 0;
    }
    po.splits = s->o->split;
    if (rc == 0) /* what the policy 'latency' plans with */
        rc = plan_options_disk_rate(s->st, s->device_id, 0, &po.disk_bytes_per_s, err);
    if (rc == 0)
        rc = problem_for_model(s->m, &s->dev->info, s->predictor, s->exec.path, &po, &s->mp, err);
    if (rc == 0)
        rc = recorded_correct(s->st, s->device_id, s->m, &s->dev->info, s->best, s->exec.path,
                              &s->mp, &corrected, err);
    if (rc == 0 && s->cli->verbose)
        cli_note(s->cli, "%d of %d layers: times from recorded runs", corrected, s->m->n_layers);
    return rc;
}

/* The model with the layer in two; what spoke of its layers is gone. */
static int split_layer(struct session *s, int layer, struct err *err)
{
    struct model *two;
    int rc = model_split(s->m, layer, &two, err);

    if (rc < 0)
        return rc;
    model_free(s->m);
    s->m = two;
    return 0;
}

/* Adaptive fusion: from here on the model is the one whose layers the policy wants in two. Weights
 * and inputs are the same. */
static int split_layers(struct session *s, struct err *err)
{
    struct fusion_options opt = fusion_defaults();
    struct fusion_result r;
    bool *in_two = calloc((size_t)s->m->n_layers, sizeof(*in_two));
    int n = s->m->n_layers, rc;

    if (!in_two)
        return err_set(err, -ENOMEM, "out of memory for %d layers", n);
    opt.time_limit_s = 10;
    rc = make_problem(s, err);
    if (rc == 0)
        rc = fusion_plan(policy_find(s->o->policies.item[0]), &s->mp.problem, s->mp.split,
                         s->mp.n_splits, &opt, &r, err);
    if (rc == 0) {
        for (int i = 0; i < r.n_steps; i++)
            in_two[s->mp.split[r.step[i].split].layer - 1] |= r.step[i].kept;
        fusion_done(&r);
    }
    problem_done(&s->mp);
    free(s->best);
    s->best = NULL;
    for (int l = n - 1; l >= 0 && rc == 0; l--)
        if (in_two[l])
            rc = split_layer(s, l, err);
    if (rc == 0)
        cli_note(s->cli, "%d of %d layers split", s->m->n_layers - n, n);
    free(in_two);
    return rc < 0 ? rc : make_variants(s, err);
}

static int open_all(struct session *s, const char *model, struct err *err)
{
    uint64_t began;
    char path[PATH_MAX];
    int rc = store_open(s->cli->db_path, STORE_WRITE, &s->st, err);

    if (rc == 0)
        rc = cli_model(s->cli, model, (enum dtype)s->o->planning.dtype, &s->m, err);
    if (rc == 0 && !s->o->weights)
        rc = cli_weights(s->cli, model, s->m, path, err);
    if (rc == 0)
        rc = weights_open(s->m, s->o->weights ? s->o->weights : path, &s->file, err);
    if (rc == 0)
        rc = cli_inputs(s->cli, s->m, &s->o->inputs, &s->input, err);
    if (rc == 0)
        rc = make_reference(s, err);
    began = clock_ns();
    if (rc == 0)
        rc = device_open(s->cli->device, &s->dev, err);
    s->ctx.setup_ns = clock_ns() - began;
    if (rc == 0)
        rc = store_device(s->st, &s->dev->info, &s->device_id, err);
    if (rc == 0)
        rc = choose_kernel(s, err);
    if (rc == 0)
        rc = slice_layers(s, err);
    if (rc == 0)
        rc = make_variants(s, err);
    if (rc == 0 && s->o->split)
        rc = split_layers(s, err);
    began = clock_ns();
    if (rc == 0)
        rc = executor_new(s->dev, s->m, &s->file, (const float *const *)s->input, &s->exec, &s->ex,
                          err);
    s->ctx.setup_ns += clock_ns() - began;
    if (rc == 0 && s->cli->verbose)
        cli_note(s->cli, "disk: %s", executor_reader_kind(s->ex));
    if (rc == 0)
        rc = energy_open(s->dev, NULL, &s->energy, err);
    if (rc == 0 && s->cli->verbose)
        cli_note(s->cli, "energy: %s",
                 energy_source(s->energy) ? energy_source(s->energy) : energy_reason(s->energy));
    if (rc == 0)
        rc = store_session(s->st, s->device_id, s->cli->argc, s->cli->argv, &s->ctx.session_id,
                           err);
    return rc;
}

static int no_plan(const struct session *s, int k, struct err *err)
{
    const struct plan_problem *p = &s->mp.problem;
    int64_t least =
        p->m_total > 0 && !s->o->plan ? plan_least_total(policy_find(s->policy[k].name), p) : 0;

    if (least > 0)
        return err_set(err, -ENOSPC,
                       "memory: policy '%s' has no plan for '%s' within '%llu' bytes, the least "
                       "that works is %llu: %s",
                       s->policy[k].name, s->m->name, (unsigned long long)s->o->planning.memory,
                       (unsigned long long)(s->o->planning.memory +
                                            (uint64_t)(least - p->m_total) * p->chunk_bytes),
                       s->plan[k]->note);
    return err_set(err, -ENOSPC, "policy '%s' has no plan for '%s': %s", s->policy[k].name,
                   s->m->name, s->plan[k]->note);
}

static int make_plan(struct session *s, int k, const char *name, struct err *err)
{
    int rc;

    s->policy[k].mp = &s->mp;
    if (s->o->plan) {
        s->policy[k].name = "plan";
        rc = plan_read_csv(s->o->plan, &s->mp.problem, &s->plan[k], err);
    } else {
        s->policy[k].name = name;
        rc = plan_make(policy_find(name), &s->mp.problem, &s->plan[k], err);
    }
    if (rc < 0)
        return rc;
    if (s->plan[k]->status == PLAN_INFEASIBLE)
        return no_plan(s, k, err);
    s->policy[k].plan = s->plan[k];
    return plan_store_save(s->st, s->device_id, s->m->dtype, s->exec.path, s->predictor,
                           s->o->planning.memory, &s->mp.problem, s->plan[k],
                           &s->policy[k].plan_id, err);
}

static int make_plans(struct session *s, struct err *err)
{
    static const char *const usual[] = {"preload", "lc-opg"};
    const char *const *names = usual;
    int rc = 0;

    s->n = 2;
    if (s->o->plan) {
        s->n = 1;
    } else if (s->o->policies.n > 0) {
        s->n = s->o->policies.n;
        names = s->o->policies.item;
    }
    s->plan = calloc((size_t)s->n, sizeof(*s->plan));
    s->policy = calloc((size_t)s->n, sizeof(*s->policy));
    s->outcome = calloc((size_t)s->n, sizeof(*s->outcome));
    if (!s->plan || !s->policy || !s->outcome)
        return err_set(err, -ENOMEM, "out of memory for %d policies", s->n);
    for (int k = 0; k < s->n && rc == 0; k++)
        rc = make_plan(s, k, names[k], err);
    return rc;
}

static void show_progress(void *ctx, int round, int max_rounds)
{
    struct session *s = ctx;

    for (int k = 0; s->cli->verbose && k < s->n; k++)
        cli_note(s->cli, "round %d: %s %.2f ms", round, s->policy[k].name,
                 s->outcome[k].integrated[round - 1] / 1e6);
    cli_progress(s->cli, "rounds (at most)", round, max_rounds, s->rounds_began_ns);
}

static void print_row(struct table *t, const struct session *s, int k)
{
    const struct replay_outcome *o = &s->outcome[k];
    char source[READER_SOURCE_MAX];

    reader_source(s->exec.disk, source);
    table_text(t, s->dev->info.name);
    table_text(t, s->m->name);
    table_text(t, s->policy[k].name);
    table_text(t, dtype_name(s->m->dtype));
    table_text(t, mem_path_name(s->exec.path));
    table_text(t, executor_kernel_name(&s->exec));
    table_text(t, executor_reader_names[s->o->reader]);
    table_text(t, source);
    table_text(t, o->cold ? "cold" : "warm");
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
}

static int print_all(const struct session *s, struct err *err)
{
    struct table *t = table_new(
        "device,model,policy,dtype,path,kernel,reader,source,cache,memory_limit,runs,setup_ms,"
        "build_ms,init_ms,exec_ms,integrated_ms,integrated_low_ms,integrated_high_ms,peak_bytes,"
        "avg_bytes,mem_byte_s,rss_peak_bytes,bytes_read,disk_ms,kernel_ms,bound_ms,predicted_ms,"
        "energy_j,verified,integrated_mean_ms,verify_error,status");
    int rc;

    if (!t)
        return err_set(err, -ENOMEM, "out of memory for a table");
    for (int k = 0; k < s->n; k++)
        print_row(t, s, k);
    rc = table_print(t, (enum format)s->cli->format, stdout);
    table_free(t);
    return rc < 0 ? err_set(err, rc, "standard output: cannot write: is the disk full?") : 0;
}

static int write_output(const struct session *s, struct err *err)
{
    struct tensor_desc d;
    size_t n = output_values(s->m, &d);
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

static int keep_all(struct session *s, struct err *err)
{
    int64_t run;
    int rc = 0;

    s->ctx.m = s->m;
    s->ctx.exec = &s->exec;
    for (int k = 0; k < s->n && rc == 0; k++)
        rc = replay_save(s->st, &s->ctx, &s->policy[k], &s->outcome[k], &run, err);
    if (rc == 0)
        rc = store_session_end(s->st, s->ctx.session_id, err);
    return rc < 0 ? rc : print_all(s, err);
}

static int replay_all(struct session *s, const char *model, struct err *err)
{
    struct replay_options ro = {
        .min_runs = s->o->runs < 5 ? (int)s->o->runs : 5,
        .max_runs = (int)s->o->runs,
        .target = s->o->target,
        .time_limit_ns = s->o->time_limit,
        .tolerance = s->o->planning.dtype == DTYPE_F16 ? 1e-2 : 1e-3,
        .progress = s->cli->quiet ? NULL : show_progress,
        .ctx = s,
    };
    int rc = open_all(s, model, err);

    if (rc == 0)
        rc = make_problem(s, err);
    if (rc == 0)
        rc = make_plans(s, err);
    ro.reference = s->reference;
    ro.energy = s->energy;
    s->rounds_began_ns = clock_ns();
    if (rc < 0)
        return rc;
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

static void close_all(struct session *s)
{
    for (int k = 0; k < s->n; k++) {
        if (s->plan)
            plan_free(s->plan[k]);
        if (s->outcome)
            replay_outcome_done(&s->outcome[k]);
    }
    free(s->plan);
    free(s->policy);
    free(s->outcome);
    problem_done(&s->mp);
    predictor_free(s->predictor);
    executor_free(s->ex);
    energy_close(s->energy);
    free(s->best);
    cli_inputs_free(s->m, s->input);
    free(s->reference);
    weights_done(&s->file);
    model_free(s->m);
    device_close(s->dev);
    store_close(s->st);
}

static int run(const struct cli *cli, const void *options, int n_args, char **args,
               struct err *err)
{
    const struct replay_opts *o = options;
    struct session s = {
        .cli = cli,
        .o = o,
        .exec =
            {
                .path = (enum mem_path)o->planning.path,
                .ring_bytes = plan_options_ring(&o->planning),
                .memory_limit = o->planning.memory,
                .at_plan = o->reader == 1,
                .rss_period_ns = 2000000,
                .stop = interrupted,
            },
    };
    bool wrong = false;
    int rc;

    (void)n_args;
    set_kernel(&s, o->kernel);
    s.disk = (struct reader_options){.ram = o->source == 1, .rate_bps = o->disk_rate};
    if (o->source || o->disk_rate)
        s.exec.disk = &s.disk;
    if (plan_options_check(&o->planning, err) < 0 ||
        plan_options_policies(&o->policies, err) < 0 || check_options(o, err) < 0)
        return EXIT_USAGE;
    rc = replay_all(&s, args[0], err);
    for (int k = 0; k < s.n && rc == 0; k++)
        wrong = wrong || (!isnan(s.outcome[k].verify_error) && !s.outcome[k].verified);
    close_all(&s);
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
