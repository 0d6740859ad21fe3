/* flashmem plan: overlap plans of a model, or of a bare instance, by one policy or several. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/cli/setup/model_file.h"
#include "harness/cli/setup/model_problem.h"
#include "harness/model/split.h"
#include "harness/plan/fusion/fusion.h"
#include "harness/plan/plan_store.h"
#include "harness/predict/predict.h"
#include "harness/text/units.h"
#include "profiler/clock.h"

struct plan_opts {
    struct plan_options planning; /* first: see PLAN_OPTION_ROWS */
    struct opt_list policies;
    const char *instance, *out;
    uint64_t time_limit, disk_rate; /* 0: not given */
    int64_t points;
    double alpha, mu;
    bool pareto, split;
    int kernel;
    const char *slice;
};

/* By enum op_form, and one more; as of replay. */
static const char *const kernel_names[] = {"naive", "branching", "pipelined", "copy", "direct",
                                           NULL};
enum { KERNEL_DIRECT = OP_FORMS };

_Static_assert(offsetof(struct plan_opts, planning) == 0, "PLAN_OPTION_ROWS");
#define FIELD(f) offsetof(struct plan_opts, f)
static const struct opt opts[] = {
    {.name = "--policy",
     .type = OPT_LIST,
     .offset = FIELD(policies),
     .arg = "POLICY",
     .help = "preload, always-next, same-op-type, greedy, lc-opg (default), latency or cp-sat"},
    PLAN_OPTION_ROWS,
    {.name = "--time-limit",
     .type = OPT_TIME,
     .offset = FIELD(time_limit),
     .arg = "T",
     .help = "of each policy (default: 1s; cp-sat, as in the paper, 150s)"},
    {.name = "--disk-rate",
     .type = OPT_BYTES,
     .offset = FIELD(disk_rate),
     .arg = "BYTES",
     .help = "read per second (default: as the newest replay measured it)"},
    {.name = "--pareto",
     .type = OPT_FLAG,
     .offset = FIELD(pareto),
     .help = "latency against memory: plans by 'latency' from the least limit that works upwards"},
    {.name = "--points",
     .type = OPT_INT,
     .offset = FIELD(points),
     .def = "12",
     .min = 2,
     .max = 100,
     .arg = "N",
     .help = "limits that --pareto tries"},
    {.name = "--split",
     .type = OPT_FLAG,
     .offset = FIELD(split),
     .help = "adaptive fusion: split fused kernels where that helps (instances: rows 'split')"},
    {.name = "--alpha",
     .type = OPT_REAL,
     .offset = FIELD(alpha),
     .def = "0.1",
     .min = 0,
     .max = 1e6,
     .arg = "X",
     .help = "--split: the parts must carry 1 + alpha times as much"},
    {.name = "--mu",
     .type = OPT_REAL,
     .offset = FIELD(mu),
     .def = "0.1",
     .min = 0,
     .max = 1e6,
     .arg = "X",
     .help = "--split: what a layer of distance weighs in the ranking, beside lambda"},
    {.name = "--kernel",
     .type = OPT_CHOICE,
     .offset = FIELD(kernel),
     .def = "pipelined",
     .choices = kernel_names,
     .help = "what 'replay --kernel' is to run: how load is carried, or (direct) that none is"},
    {.name = "--slice",
     .type = OPT_TEXT,
     .offset = FIELD(slice),
     .arg = "BYTES",
     .help = SLICE_HELP},
    {.name = "--out",
     .type = OPT_TEXT,
     .offset = FIELD(out),
     .arg = "FILE.csv",
     .help = "write the plan there (one policy only)"},
    {.name = "--instance",
     .type = OPT_TEXT,
     .offset = FIELD(instance),
     .arg = "FILE.csv",
     .help = "plan a bare instance, whose own M_peak is the default, in place of a model"},
    {0},
};

#define PAPER_LIMIT_S 150.0
#define PROBE_LIMIT_S 0.1 /* --pareto, while it looks for the least limit */

struct planning {
    const struct cli *cli;
    const struct plan_opts *o;
    struct store *st;
    struct device_info dev;
    bool has_dev;
    int64_t device_id;
    struct model *m;
    struct predictor *predictor;
    struct best *best;
    struct model_problem mp;
    struct plan_instance instance;
    char name[64]; /* of the instance */
    struct plan_problem *problem;
    const struct plan_split *split; /* the model's or the instance's */
    int n_splits;
    struct table *table;
    uint64_t memory;  /* limit of the plan being made, bytes; 0: none */
    uint64_t reserve; /* of it, what is not weights (--pareto) */
    uint64_t began_ns;
    bool infeasible, direct;
};

static int check_options(const struct plan_opts *o, int n_args, struct err *err)
{
    const struct plan_options *p = &o->planning;
    uint64_t bytes;

    if (plan_options_check(p, err) < 0)
        return -EINVAL;
    if (!o->instance == !n_args)
        return err_set(err, -EINVAL, "plan wants either a MODEL or --instance FILE.csv");
    if (o->out && o->policies.n > 1)
        return err_set(err, -EINVAL, "--out holds one plan, got %d policies", o->policies.n);
    if (cli_check_out("--out", o->out, err) < 0)
        return -EINVAL;
    if (o->instance && (p->thresholds.n || p->chunk || o->slice || o->kernel != FORM_PIPELINED ||
                        p->capacities != CAPACITIES_RECORDED))
        return err_set(err, -EINVAL,
                       "--threshold, --capacities, --chunk, --kernel and --slice are for models: "
                       "an instance has its own capacities and chunks");
    if (o->slice && strcmp(o->slice, "none") != 0 && parse_bytes(o->slice, &bytes, err) < 0)
        return err_prefix(err, "--slice");
    if (o->split && o->out)
        return err_set(err, -EINVAL,
                       "--split: a plan of layers in two fits no graph: no --out; "
                       "'replay --split' runs it");
    if (o->pareto && (o->policies.n || p->memory || o->out))
        return err_set(err, -EINVAL,
                       "--pareto goes through memory limits by itself: no --policy, --memory, "
                       "--out");
    return plan_options_policies(&o->policies, err);
}

/* --memory for an instance: what a model has with it, but for activations. */
static int hold_all(struct planning *s, struct plan_problem *p, struct err *err)
{
    const struct plan_options *o = &s->o->planning;

    s->reserve = plan_options_ring(o, NULL) / p->chunk_bytes * p->chunk_bytes;
    if (s->reserve == 0)
        return err_set(err, -EINVAL, "--ring: want a chunk of %" PRIu64 " bytes or more, got '%"
                       PRIu64 "'", p->chunk_bytes, o->ring);
    if (o->memory && o->memory < s->reserve + p->chunk_bytes)
        return err_set(err, -EINVAL,
                       "--memory: '%" PRIu64 "' bytes leave nothing for weights beside a ring of "
                       "%" PRIu64, o->memory, s->reserve);
    p->m_peak = -1;
    p->m_total = o->memory ? (int64_t)((o->memory - s->reserve) / p->chunk_bytes) : 0;
    p->max_loads = PLAN_MAX_LOADS;
    p->ring = (int64_t)(s->reserve / p->chunk_bytes);
    return 0;
}

static int open_instance(struct planning *s, struct err *err)
{
    const char *base = strrchr(s->o->instance, '/');
    struct plan_problem *p = &s->instance.problem;
    const struct plan_options *o = &s->o->planning;
    uint64_t bytes = plan_options_m_peak(o, 0);
    int rc = plan_instance_read(s->o->instance, &s->instance, err);

    if (rc < 0)
        return rc;
    base = base ? base + 1 : s->o->instance;
    snprintf(s->name, sizeof(s->name), "%.*s", (int)strcspn(base, "\n"), base);
    if (strlen(s->name) > 4 && !strcmp(s->name + strlen(s->name) - 4, ".csv"))
        s->name[strlen(s->name) - 4] = '\0';
    p->model = s->name;
    if (o->memory || s->o->pareto)
        rc = hold_all(s, p, err);
    if (rc < 0)
        return rc;
    if (o->m_peak)
        p->m_peak = bytes ? (int64_t)(bytes / p->chunk_bytes) : -1;
    p->limit = (enum plan_limit)o->limit;
    p->price = (enum plan_price)o->price;
    p->respect_capacity = o->respect_capacity;
    p->relax_percent = (int)o->relax;
    p->disk_bytes_per_s = (double)s->o->disk_rate;
    problem_ratio(o->lambda, &p->a, &p->b);
    for (int i = 0; i < o->preload.n; i++) {
        int w = 0;

        while (w < p->n_weights && strcmp(s->instance.weight[w].name, o->preload.item[i]) != 0)
            w++;
        if (w == p->n_weights)
            return err_set(err, -EINVAL, "--preload: want w1..w%d, got '%s'", p->n_weights,
                           o->preload.item[i]);
        s->instance.weight[w].forced = true;
    }
    s->problem = p;
    s->split = s->instance.split;
    s->n_splits = s->instance.n_splits;
    return 0;
}

/* The device that is here, else one of which there are samples: planning launches nothing. Without
 * either all capacities are zero: preload can still be planned. */
static int choose_device(struct planning *s, struct err *err)
{
    struct device *dev = NULL;
    struct err why = {0};
    int rc = device_open(s->cli->device, &dev, &why);

    if (rc == -ENODEV && predict_device(s->st, s->cli->device, &s->device_id, &s->dev, NULL) == 0) {
        cli_note(s->cli, "planned for '%s' as recorded: it is not here", s->dev.name);
        s->has_dev = true;
        return 0;
    }
    if (rc == -ENODEV && !s->cli->device) {
        cli_note(s->cli, "%s; all capacities are zero", why.text);
        return 0;
    }
    if (rc < 0)
        return err_set(err, rc, "%s", why.text);
    s->dev = dev->info;
    s->has_dev = true;
    device_close(dev);
    return store_device(s->st, &s->dev, &s->device_id, err);
}

/* The model with its larger weights in parts, as replay would use them. Where they lie in a file
 * does not matter here. */
static int slice(struct planning *s, struct err *err)
{
    uint64_t most = model_slice_bytes(s->o->slice, s->m, &s->o->planning, s->direct);
    struct weights_file nowhere = {0};
    int n, rc;

    if (!most)
        return 0;
    nowhere.offset_bytes = calloc((size_t)s->m->n_weights + 1, sizeof(*nowhere.offset_bytes));
    if (!nowhere.offset_bytes)
        return err_set(err, -ENOMEM, "no memory for %d weights", s->m->n_weights);
    rc = model_slice_all(&s->m, &nowhere, most, &n, err);
    if (rc == 0 && n > 0)
        cli_note(s->cli, "%d weights are used in parts", n);
    free(nowhere.offset_bytes);
    return rc;
}

/* What of a memory limit is not for weights: asked of the problem itself, with a limit that leaves
 * room for everything. */
static int find_reserve(struct planning *s, struct err *err)
{
    struct problem_options po = plan_options_problem(&s->o->planning, s->m, s->best, s->direct);
    struct model_problem mp;
    int rc;

    po.memory_limit = UINT64_C(1) << 50;
    rc = problem_for_model(s->m, NULL, NULL, (enum mem_path)s->o->planning.path, &po, &mp, err);
    if (rc < 0)
        return rc;
    s->reserve = po.memory_limit - (uint64_t)mp.problem.m_total * po.chunk_bytes;
    problem_done(&mp);
    return 0;
}

static int open_model(struct planning *s, const char *name, struct err *err)
{
    const struct plan_options *o = &s->o->planning;
    struct model_setting x = {.cli = s->cli, .st = s->st, .o = o, .splits = s->o->split};
    enum op_form form = s->direct ? FORM_NAIVE : (enum op_form)s->o->kernel;
    int rc = cli_model(s->cli, name, (enum dtype)o->dtype, &s->m, err);

    if (rc == 0)
        rc = choose_device(s, err);
    if (rc == 0)
        rc = slice(s, err);
    if (rc == 0 && s->has_dev)
        rc = variants_of_model(s->cli, s->st, s->device_id, &s->dev, s->m,
                               (enum mem_path)o->path, form, (enum variants)o->variants, &s->best,
                               err);
    if (rc < 0)
        return rc;
    x.device_id = s->device_id;
    x.dev = s->has_dev ? &s->dev : NULL;
    x.m = s->m;
    x.best = s->best;
    x.direct = s->direct;
    x.disk_rate = s->o->disk_rate;
    rc = model_problem_make(&x, &s->predictor, &s->mp, err);
    s->problem = &s->mp.problem;
    s->split = s->mp.split;
    s->n_splits = s->mp.n_splits;
    return rc < 0 || !s->o->pareto ? rc : find_reserve(s, err);
}

static void add_bytes(struct table *t, int64_t bytes, bool known)
{
    if (known)
        table_int(t, bytes);
    else
        table_empty(t);
}

/* Of what the policy minimises: the objective, or latency. */
static double gap_of(const struct plan *plan, double objective, double bound)
{
    if (plan->latency_bound_ns > 0)
        return 1 - plan->latency_bound_ns / plan->latency_ns;
    return plan->objective > 0 ? (objective - bound) / objective : bound;
}

static void add_row(struct planning *s, const struct plan *plan)
{
    const struct plan_problem *p = s->problem;
    double unit = p->a + p->b, objective = (double)plan->objective;
    double bound = plan->lower_bound < 0 ? (double)NAN : (double)plan->lower_bound;
    int64_t chunk = (int64_t)p->chunk_bytes;

    table_text(s->table, p->model);
    table_text(s->table, plan->policy);
    table_text(s->table, plan_price_names[p->price]);
    table_text(s->table, plan_limit_names[p->limit]);
    add_bytes(s->table, (int64_t)s->memory, s->memory > 0);
    add_bytes(s->table, p->m_peak * chunk, p->m_peak >= 0);
    table_real(s->table, p->a / unit, 4);
    table_real(s->table, objective / unit, 8);
    table_real(s->table, bound / unit, 8);
    table_real(s->table, gap_of(plan, objective, bound), 3);
    table_text(s->table, plan_status_names[plan->status]);
    table_int(s->table, (int64_t)plan->preloaded_bytes);
    table_int(s->table, plan->peak * chunk);
    table_real(s->table, (double)plan->solve_ns / 1e6, 3);
    table_real(s->table, plan->latency_ns / 1e6, 6);
    table_real(s->table, plan->latency_bound_ns / 1e6, 6);
}

/* A reader of FILE sees the old plan or the new one. */
static int write_plan(const struct planning *s, const struct plan *plan, struct err *err)
{
    char *tmp;
    FILE *f;
    int rc;

    if (asprintf(&tmp, "%s.tmp", s->o->out) < 0)
        return err_set(err, -ENOMEM, "no memory");
    f = fopen(tmp, "w");
    if (!f) {
        rc = err_set(err, -errno, "cannot write '%s': %s", tmp, strerror(errno));
        free(tmp);
        return rc;
    }
    rc = plan_write_csv(s->problem, plan, f);
    if (fclose(f) != 0 || (rc == 0 && rename(tmp, s->o->out) != 0))
        rc = -EIO;
    if (rc < 0) {
        err_set(err, rc, "cannot write '%s': %s", s->o->out, strerror(errno));
        remove(tmp);
    }
    free(tmp);
    return rc;
}

/* Say, store, write and list a plan. */
static int finish(struct planning *s, const struct plan *plan, struct err *err)
{
    int64_t id;
    int rc;

    if (plan->note[0])
        cli_note(s->cli, "%s: %s", plan->policy, plan->note);
    if (plan->status == PLAN_OPTIMAL && plan->latency_bound_ns < plan->latency_ns)
        cli_note(s->cli, "%s: optimal to %.2g of its latency (%g are allowed)", plan->policy,
                 1 - plan->latency_bound_ns / plan->latency_ns, PLAN_TOLERANCE);
    rc = plan_store_save(s->st, s->device_id, s->m ? s->m->dtype : DTYPE_F32,
                         (enum mem_path)s->o->planning.path, s->predictor, s->memory, s->problem,
                         plan, &id, err);
    if (rc == 0 && s->o->out && plan->status != PLAN_INFEASIBLE)
        rc = write_plan(s, plan, err);
    if (rc == 0) {
        s->infeasible = s->infeasible || plan->status == PLAN_INFEASIBLE;
        add_row(s, plan);
    }
    return rc;
}

static void note_step(const struct planning *s, const struct fusion_step *step, bool latency)
{
    const struct plan_split *k = &s->split[step->split];
    const char *name = s->problem->layer[k->layer - 1].name;

    cli_note(s->cli, "layer %d%s%s split, %s and %s: ranked %.4g, gains %.6g%s%s", k->layer,
             name ? " " : "", name ? name : "", k->part[0].op ? k->part[0].op : "first",
             k->part[1].op ? k->part[1].op : "second", step->penalty,
             latency ? step->gain / 1e6 : step->gain, latency ? " ms" : "",
             step->kept ? "" : "; undone");
}

/* Adaptive fusion: the plan that is kept is one of the problem with layers split. */
static int split_policy(struct planning *s, const struct policy *policy, struct err *err)
{
    struct fusion_options opt = fusion_defaults();
    struct plan_problem *fused = s->problem;
    struct fusion_result r;
    int rc;

    opt.alpha = s->o->alpha;
    opt.mu = s->o->mu;
    opt.time_limit_s = 10 * fused->time_limit_s;
    rc = fusion_plan(policy, fused, s->split, s->n_splits, &opt, &r, err);
    if (rc < 0)
        return rc;
    for (int i = 0; i < r.n_steps; i++)
        note_step(s, &r.step[i], r.plan->latency_bound_ns > 0);
    cli_note(s->cli, "%s: %d fused kernels, %d tried, %d split", policy->name, s->n_splits,
             r.n_steps, r.problem.n_layers - fused->n_layers);
    s->problem = &r.problem;
    rc = finish(s, r.plan, err);
    s->problem = fused;
    fusion_done(&r);
    return rc;
}

static int one_policy(struct planning *s, const char *name, struct err *err)
{
    const struct policy *policy = policy_find(name);
    struct plan *plan = NULL;
    int rc;

    s->problem->time_limit_s = s->o->time_limit  ? (double)s->o->time_limit / 1e9
                               : policy->outside ? PAPER_LIMIT_S
                                                 : 1;
    if (s->o->split)
        return split_policy(s, policy, err);
    rc = plan_make(policy, s->problem, &plan, err);
    if (rc == 0)
        rc = finish(s, plan, err);
    plan_free(plan);
    return rc;
}

static int all_policies(struct planning *s, struct err *err)
{
    static const char *usual[] = {"lc-opg"};
    int n = s->o->policies.n ? s->o->policies.n : 1, rc = 0;
    const char **name = s->o->policies.n ? s->o->policies.item : usual;

    for (int i = 0; i < n && rc == 0 && !cli_interrupted; i++)
        rc = one_policy(s, name[i], err);
    return rc;
}

static void set_memory(struct planning *s, int64_t chunks)
{
    s->problem->m_peak = -1;
    s->problem->m_total = chunks;
    s->memory = chunks > 0 ? (uint64_t)chunks * s->problem->chunk_bytes + s->reserve : 0;
}

/* Does 'latency' find a plan of its own within so many chunks? ret_peak: what that plan holds. */
static int try_memory(struct planning *s, int64_t chunks, bool *ret_fits, int64_t *ret_peak,
                      struct err *err)
{
    struct plan *plan = NULL;
    int rc;

    set_memory(s, chunks);
    s->problem->time_limit_s = PROBE_LIMIT_S;
    rc = plan_make(policy_find("latency"), s->problem, &plan, err);
    if (rc < 0)
        return rc;
    *ret_fits = plan->latency_bound_ns > 0;
    *ret_peak = plan->peak;
    plan_free(plan);
    return 0;
}

/* From the least limit that works to the one where all weights would fit at once, evenly in ratio;
 * where the front is flat, that is where a plan holds much less than it may, no more are tried. */
static int front(struct planning *s, struct err *err)
{
    int64_t all = 0, low = 0, high, peak;
    bool fits;
    double ratio;
    int rc;

    for (int w = 0; w < s->problem->n_weights; w++)
        all += s->problem->weight[w].chunks;
    high = all;
    rc = try_memory(s, all, &fits, &peak, err);
    if (rc == 0 && !fits && !(s->problem->disk_bytes_per_s > 0))
        return err_set(err, -ENODATA,
                       "--pareto: 'latency' has no plan: it needs the disk's rate: give "
                       "--disk-rate, or replay the model once");
    if (rc == 0 && !fits)
        return err_set(err, -ENODATA,
                       "--pareto: 'latency' has no plan: no layer's load curve is known: run "
                       "'flashmem sweep', then 'flashmem train'");
    while (rc == 0 && high - low > 1 + high / 256 && !cli_interrupted) {
        int64_t mid = low + (high - low) / 2;

        rc = try_memory(s, mid, &fits, &peak, err);
        low = fits ? low : mid;
        high = fits ? mid : high;
    }
    ratio = pow((double)all / (double)high, 1.0 / (double)(s->o->points - 1));
    for (int i = 0; i < s->o->points && rc == 0 && !cli_interrupted; i++) {
        set_memory(s, (int64_t)lround((double)high * pow(ratio, i)));
        rc = one_policy(s, "latency", err);
        cli_progress(s->cli, "limits", i + 1, s->o->points, s->began_ns);
    }
    return rc;
}

static int print_plans(struct planning *s, struct err *err)
{
    int rc;

    s->began_ns = clock_ns();
    s->table = table_new("model,policy,price,limit,memory_limit,m_peak,lambda,objective,"
                         "lower_bound,gap,status,preloaded_bytes,peak_bytes,solve_ms,latency_ms,"
                         "latency_bound_ms");
    if (!s->table)
        return err_set(err, -ENOMEM, "no memory");
    rc = s->o->pareto ? front(s, err) : all_policies(s, err);
    if (rc == 0 && cli_interrupted)
        rc = err_set(err, -EINTR, "interrupted: run the same command again");
    if (rc == 0) {
        rc = table_print(s->table, (enum format)s->cli->format, stdout);
        (void)cli_printed(rc, err);
    }
    return rc;
}

static int run(const struct cli *cli, const void *opt, int n_args, char **args, struct err *err)
{
    struct planning s = {.cli = cli, .o = opt};
    int rc;

    s.memory = s.o->planning.memory;
    s.direct = s.o->kernel == KERNEL_DIRECT;
    rc = check_options(s.o, n_args, err);

    if (rc < 0)
        return EXIT_USAGE;
    rc = store_open(cli->db_path, STORE_WRITE, &s.st, err);
    if (rc == 0)
        rc = s.o->instance ? open_instance(&s, err) : open_model(&s, args[0], err);
    if (rc == 0)
        rc = print_plans(&s, err);
    table_free(s.table);
    problem_done(&s.mp);
    free(s.best);
    plan_instance_done(&s.instance);
    predictor_free(s.predictor);
    model_free(s.m);
    store_close(s.st);
    if (rc < 0)
        return EXIT_FAILED;
    return s.infeasible ? EXIT_PARTLY : EXIT_DONE;
}

const struct command command_plan = {
    .name = "plan",
    .args = "[MODEL]",
    .summary = "plan which weights to preload, and which layers move the others",
    .example = "flashmem plan GPTN-S --policy greedy --policy lc-opg --m-peak 500MB",
    .opts = opts,
    .opts_size = sizeof(struct plan_opts),
    .min_args = 0,
    .max_args = 1,
    .run = run,
};
