#include "harness/cli/setup/replay_session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness/cli/setup/model_file.h"
#include "harness/cli/setup/model_inputs.h"
#include "harness/cli/setup/model_problem.h"
#include "harness/model/natural.h"
#include "harness/model/reference.h"
#include "harness/model/split.h"
#include "harness/plan/fusion/fusion.h"
#include "harness/plan/plan_store.h"
#include "harness/replay/recorded.h"
#include "harness/text/units.h"
#include "profiler/clock.h"
#include "profiler/nvml.h"

/* By enum op_form, and two more. */
const char *const replay_kernel_names[] = {"naive",  "branching", "pipelined", "copy",
                                           "direct", "auto",      NULL};

/* Does a policy rearrange weights on the device? */
static bool transforms(const struct replay_session *s)
{
    for (int i = 0; i < s->o->policies.n; i++)
        if (policy_find(s->o->policies.item[i])->transforms)
            return true;
    return false;
}

static uint64_t slice_bytes(const struct replay_session *s)
{
    if (!s->o->slice && (s->o->plan || transforms(s)))
        return 0;
    return model_slice_bytes(s->o->slice, s->m, &s->o->planning, s->exec.direct);
}

static int slice_layers(struct replay_session *s, struct err *err)
{
    uint64_t most = slice_bytes(s);
    int n = 0, rc = most ? model_slice_all(&s->m, &s->file, most, &n, err) : 0;

    if (n > 0 && rc == 0)
        cli_note(s->cli, "%d weights are used in parts", n);
    return rc;
}

size_t replay_output_values(const struct model *m, struct tensor_desc *ret_d)
{
    const struct layer *last = &m->layer[m->n_layers - 1];

    *ret_d = last->io.slot[last->io.n - 1].desc;
    return (size_t)(ret_d->rows * ret_d->cols);
}

static int make_reference(struct replay_session *s, struct err *err)
{
    struct tensor_desc d;
    size_t n = replay_output_values(s->m, &d);
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

void replay_set_kernel(struct replay_session *s, int kernel)
{
    s->exec.direct = kernel == KERNEL_DIRECT;
    s->exec.form = s->exec.direct ? FORM_NAIVE : (enum op_form)kernel;
}

static int choose_kernel(struct replay_session *s, struct err *err)
{
    char name[32] = "";
    int rc, kernel = FORM_PIPELINED;

    if (s->o->kernel != KERNEL_AUTO)
        return 0;
    rc = recorded_kernel(s->st, s->device_id, s->m->name, s->exec.path, name, sizeof(name), err);
    for (int k = 0; replay_kernel_names[k]; k++)
        if (strcmp(name, replay_kernel_names[k]) == 0)
            kernel = k;
    replay_set_kernel(s, kernel);
    if (rc == 0 && kernel != FORM_PIPELINED)
        cli_note(s->cli, "--kernel %s: recorded runs show it to be fastest here",
                 replay_kernel_names[kernel]);
    return rc;
}

static int make_variants(struct replay_session *s, struct err *err)
{
    int rc = variants_of_model(s->cli, s->st, s->device_id, &s->dev->info, s->m, s->exec.path,
                               s->exec.form, (enum variants)s->o->planning.variants, &s->best, err);

    s->exec.best = s->best;
    return rc;
}

/* Else plans that preload all look like a choice. */
static void note_nothing_carries(const struct replay_session *s)
{
    for (int l = 0; l < s->m->n_layers; l++)
        if (s->exec.direct || s->exec.form == FORM_NAIVE || s->mp.layer[l].capacity > 0)
            return;
    cli_note(s->cli,
             "no layer can carry load as '%s': for want of samples in that form? 'flashmem sweep "
             "datasets/sweeps/%s.csv', then 'flashmem train'",
             op_form_name(s->exec.form), s->exec.form == FORM_COPY ? "copy" : "quick");
}

int replay_session_problem(struct replay_session *s, struct err *err)
{
    struct model_setting x = {
        .cli = s->cli,
        .st = s->st,
        .device_id = s->device_id,
        .dev = &s->dev->info,
        .m = s->m,
        .best = s->best,
        .o = &s->o->planning,
        .direct = s->exec.direct,
        .splits = s->o->split,
        .disk_rate = s->o->disk_rate,
    };
    double *rate = &s->mp.problem.disk_bytes_per_s;
    int rc = model_problem_make(&x, &s->predictor, &s->mp, err);

    if (rc == 0 && s->ex && !(*rate > 0)) {
        rc = executor_disk_rate(s->ex, rate, err);
        if (rc == 0)
            cli_note(s->cli, "no run has shown what the disk gives: measured, %.0f MB/s",
                     *rate / 1e6);
    }
    if (rc == 0 && s->predictor)
        note_nothing_carries(s);
    return rc;
}

/* The model with the layer in two; what spoke of its layers is gone. */
static int split_layer(struct replay_session *s, int layer, struct err *err)
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
static int split_layers(struct replay_session *s, struct err *err)
{
    struct fusion_options opt = fusion_defaults();
    struct fusion_result r;
    bool *in_two = calloc((size_t)s->m->n_layers, sizeof(*in_two));
    int n = s->m->n_layers, rc;

    if (!in_two)
        return err_set(err, -ENOMEM, "out of memory for %d layers", n);
    opt.alpha = s->o->alpha;
    opt.mu = s->o->mu;
    opt.time_limit_s = 10;
    rc = replay_session_problem(s, err);
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

/* Written where it is missing, if a policy wants it. */
static int make_natural(struct replay_session *s, struct err *err)
{
    bool written = false;
    int rc;

    if (!transforms(s))
        return 0;
    if (s->exec.direct || slice_bytes(s))
        return err_set(err, -EINVAL,
                       "policy 'preload-transform' moves whole weights: give --kernel pipelined, "
                       "branching or copy, and no --slice");
    rc = natural_path(&s->file, s->natural, sizeof(s->natural), err);
    if (rc == 0)
        rc = natural_write(s->m, &s->file, s->natural, s->exec.stop, &written, err);
    if (written)
        cli_note(s->cli, "'%s' written: the weights in their natural layout", s->natural);
    s->exec.natural = s->natural;
    return rc;
}

static uint64_t device_used(void *nvml)
{
    uint64_t bytes = 0;

    return nvml_used_bytes(nvml, &bytes, NULL) < 0 ? 0 : bytes;
}

/* Where it can be told, the device's own memory is sampled beside the process's. */
static void watch_device(struct replay_session *s)
{
    struct err why = {0};

    if (!nvml_knows(s->dev))
        return;
    if (nvml_open(s->dev, NULL, &s->nvml, &why) < 0) {
        cli_note(s->cli, "device memory: %s", why.text);
        return;
    }
    s->exec.device_used = device_used;
    s->exec.device_ctx = s->nvml;
}

int replay_session_open(struct replay_session *s, const char *model, struct err *err)
{
    uint64_t began;
    char path[PATH_MAX];
    int rc = s->guest ? 0 : store_open(s->cli->db_path, STORE_WRITE, &s->st, err);

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
    if (rc == 0 && !s->guest)
        rc = device_open(s->cli->device, &s->dev, err);
    s->ctx.setup_ns = clock_ns() - began;
    if (rc == 0 && !s->guest)
        rc = store_device(s->st, &s->dev->info, &s->device_id, err);
    if (rc == 0)
        rc = choose_kernel(s, err);
    if (rc == 0)
        rc = make_natural(s, err);
    if (rc == 0)
        rc = slice_layers(s, err);
    if (rc == 0)
        rc = make_variants(s, err);
    if (rc == 0 && s->o->split)
        rc = split_layers(s, err);
    if (rc == 0)
        watch_device(s);
    if (rc == 0)
        s->exec.ring_bytes = plan_options_ring(&s->o->planning, s->m);
    began = clock_ns();
    if (rc == 0)
        rc = executor_new(s->dev, s->m, &s->file, (const float *const *)s->input, &s->exec, &s->ex,
                          err);
    s->ctx.setup_ns += clock_ns() - began;
    if (rc == 0 && s->cli->verbose)
        cli_note(s->cli, "disk: %s", executor_reader_kind(s->ex));
    if (rc < 0 || s->guest)
        return rc;
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

static int no_plan(const struct replay_session *s, int k, struct err *err)
{
    const struct plan_problem *p = &s->mp.problem;
    int64_t least =
        p->m_total > 0 && !s->o->plan ? plan_least_total(policy_find(s->policy[k].name), p) : 0;

    if (least > 0)
        return err_set(err, -ENOSPC,
                       "--memory: policy '%s' has no plan for '%s' within '%llu' bytes, the least "
                       "that works is %llu: %s",
                       s->policy[k].name, s->m->name, (unsigned long long)s->o->planning.memory,
                       (unsigned long long)(s->o->planning.memory +
                                            (uint64_t)(least - p->m_total) * p->chunk_bytes),
                       s->plan[k]->note);
    return err_set(err, -ENOSPC, "policy '%s' has no plan for '%s': %s", s->policy[k].name,
                   s->m->name, s->plan[k]->note);
}

static int make_plan(struct replay_session *s, int k, const char *name, struct err *err)
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

int replay_session_plans(struct replay_session *s, struct err *err)
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
    s->sequence = calloc((size_t)s->n, sizeof(*s->sequence));
    if (!s->plan || !s->policy || !s->outcome || !s->sequence)
        return err_set(err, -ENOMEM, "out of memory for %d policies", s->n);
    for (int k = 0; k < s->n && rc == 0; k++)
        rc = make_plan(s, k, names[k], err);
    return rc;
}

void replay_session_close(struct replay_session *s)
{
    for (int k = 0; k < s->n; k++) {
        if (s->plan)
            plan_free(s->plan[k]);
        if (s->outcome)
            replay_outcome_done(&s->outcome[k]);
        if (s->sequence)
            sequence_outcome_done(&s->sequence[k]);
    }
    free(s->plan);
    free(s->policy);
    free(s->outcome);
    free(s->sequence);
    problem_done(&s->mp);
    predictor_free(s->predictor);
    executor_free(s->ex);
    energy_close(s->energy);
    nvml_close(s->nvml);
    free(s->best);
    cli_inputs_free(s->m, s->input);
    free(s->reference);
    weights_done(&s->file);
    model_free(s->m);
    if (s->guest)
        return;
    device_close(s->dev);
    store_close(s->st);
}
