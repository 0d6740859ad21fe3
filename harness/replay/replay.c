#include "harness/replay/replay.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/schedule/keep.h"
#include "harness/replay/prediction.h"
#include "profiler/clock.h"

#define LEVEL 0.95
#define RESAMPLES 1000

/* One policy while its runs are being taken. */
struct lane {
    const struct replay_policy *policy;
    struct schedule schedule;
    struct replay_outcome *o;
    struct mem_point **memory; /* [max_runs] */
    int *n_memory;
};

struct comparison {
    struct executor *ex;
    const struct model *m;
    const struct replay_options *opt;
    struct lane *lane;
    int n, rounds;
    struct schedule preload; /* of the kernel control */
    double *disk, *kernel;
};

int replay_outcome_new(struct replay_outcome *o, int max_runs, struct err *err)
{
    double **array[] = {&o->integrated, &o->init,   &o->peak,  &o->avg,  &o->byte_s,
                        &o->rss,        &o->device, &o->setup, &o->disk, &o->kernel};

    o->verify_error = o->predicted_ns = o->energy_j = o->order_ns = o->stall_ns = o->least_ns = NAN;
    for (size_t i = 0; i < sizeof(array) / sizeof(*array); i++) {
        *array[i] = calloc((size_t)max_runs, sizeof(double));
        if (!*array[i])
            return err_set(err, -ENOMEM, "out of memory for %d runs", max_runs);
    }
    return 0;
}

void replay_outcome_add(struct replay_outcome *o, const struct run_result *r)
{
    int i = o->runs++;

    o->integrated[i] = (double)r->integrated_ns;
    o->init[i] = (double)r->init_ns;
    o->peak[i] = (double)r->mem.peak_bytes;
    o->avg[i] = r->mem.avg_bytes;
    o->byte_s[i] = r->mem.byte_s;
    o->rss[i] = (double)r->mem.rss_peak_bytes;
    o->device[i] = (double)r->mem.watched_peak_bytes;
    o->setup[i] = (double)r->setup_ns;
    o->bytes_read = r->bytes_read;
}

static int lane_new(struct lane *l, const struct replay_policy *p, const struct comparison *c,
                    struct replay_outcome *o, struct err *err)
{
    const struct model *m = c->m;
    int max_runs = c->opt->max_runs;
    int rc;

    l->policy = p;
    l->o = o;
    l->memory = calloc((size_t)max_runs, sizeof(*l->memory));
    l->n_memory = calloc((size_t)max_runs, sizeof(*l->n_memory));
    o->layer = calloc((size_t)m->n_layers, sizeof(*o->layer));
    o->layer_load = calloc((size_t)m->n_layers, sizeof(*o->layer_load));
    o->layer_predicted = calloc((size_t)m->n_layers, sizeof(*o->layer_predicted));
    o->variant = calloc((size_t)m->n_layers, sizeof(*o->variant));
    if (!o->layer || !o->layer_load || !o->layer_predicted || !o->variant || !l->memory ||
        !l->n_memory)
        return err_set(err, -ENOMEM, "out of memory for %d runs", max_runs);
    rc = replay_outcome_new(o, max_runs, err);
    if (rc < 0)
        return rc;
    rc = executor_schedule(c->ex, p->mp, p->plan, &l->schedule, err);
    return rc < 0 ? err_prefix(err, "%s", p->name), rc : 0;
}

static void lane_done(struct lane *l, int max_runs)
{
    for (int i = 0; l->memory && i < max_runs; i++)
        free(l->memory[i]);
    free(l->memory);
    free(l->n_memory);
    schedule_done(&l->schedule);
}

static int take_run(struct comparison *c, struct lane *l, struct err *err)
{
    struct replay_outcome *o = l->o;
    struct run_result r;
    const struct mem_point *points;
    int i = o->runs, n, rc;

    rc = executor_run(c->ex, &l->schedule, NULL, &r, err);
    if (rc < 0)
        return err_prefix(err, "%s", l->policy->name), rc;
    if (i == 0)
        o->output_hash = r.output_hash;
    if (r.output_hash != c->lane[0].o->output_hash)
        return err_set(err, -EPROTO,
                       "run %d of '%s' gave another output than the first of '%s': if the weights "
                       "file did not change meanwhile, report it",
                       i + 1, l->policy->name, c->lane[0].policy->name);
    replay_outcome_add(o, &r);
    points = executor_memory(c->ex, &n);
    l->memory[i] = malloc((size_t)(n + 1) * sizeof(*points));
    if (!l->memory[i])
        return err_set(err, -ENOMEM, "out of memory for a timeline of %d points", n);
    memcpy(l->memory[i], points, (size_t)n * sizeof(*points));
    l->n_memory[i] = n;
    return 0;
}

/* Every policy once and both controls once; the order is turned from round to round. */
static int take_round(struct comparison *c, struct err *err)
{
    int rc = 0;

    for (int k = 0; k < c->n && rc == 0; k++)
        rc = take_run(c, &c->lane[c->rounds == 0 ? k : (k + c->rounds) % c->n], err);
    if (rc == 0)
        rc = executor_controls(c->ex, &c->preload, &c->disk[c->rounds], &c->kernel[c->rounds], err);
    if (rc == 0)
        c->rounds++;
    return rc;
}

static bool known(const struct comparison *c)
{
    for (int k = 0; k < c->n; k++) {
        struct replay_outcome *o = c->lane[k].o;

        o->integrated_ns =
            stats_median_interval(o->integrated, o->runs, LEVEL, RESAMPLES, (uint64_t)k);
        o->noisy = o->integrated_ns.high - o->integrated_ns.low >
                   c->opt->target * o->integrated_ns.mid;
    }
    for (int k = 0; k < c->n; k++)
        if (c->lane[k].o->noisy)
            return false;
    return true;
}

/* -EINTR: stopped from outside; whole rounds are kept. */
static int take_rounds(struct comparison *c, struct err *err)
{
    uint64_t began = clock_ns();
    int rc = 0;

    while (rc == 0 && c->rounds < c->opt->max_runs) {
        rc = take_round(c, err);
        if (rc < 0)
            break;
        if (c->opt->progress)
            c->opt->progress(c->opt->ctx, c->rounds, c->opt->max_runs);
        if (c->rounds >= c->opt->min_runs && known(c))
            break;
        if (c->rounds >= c->opt->min_runs && c->opt->time_limit_ns &&
            clock_ns() - began > c->opt->time_limit_ns)
            break;
    }
    for (int k = 0; k < c->n; k++)
        c->lane[k].o->runs = c->rounds; /* a torn round may have taken one more */
    if (c->rounds > 0)
        known(c);
    return rc;
}

static void summarize(const struct comparison *c, struct lane *l)
{
    struct replay_outcome *o = l->o;
    struct prediction_speed speed;
    double *exec = malloc((size_t)o->runs * sizeof(double)), nearest = INFINITY;
    int at = 0;

    for (int i = 0; i < o->runs; i++) {
        if (exec)
            exec[i] = o->integrated[i] - o->init[i];
        if (fabs(o->integrated[i] - o->integrated_ns.mid) < nearest) {
            nearest = fabs(o->integrated[i] - o->integrated_ns.mid);
            at = i;
        }
    }
    memcpy(o->disk, c->disk, (size_t)o->runs * sizeof(double));
    memcpy(o->kernel, c->kernel, (size_t)o->runs * sizeof(double));
    o->integrated_mean_ns = stats_mean(o->integrated, o->runs);
    o->init_ns = stats_median(o->init, o->runs);
    o->exec_ns = exec ? stats_median(exec, o->runs) : NAN;
    o->peak_bytes = stats_median(o->peak, o->runs);
    o->avg_bytes = stats_median(o->avg, o->runs);
    o->mem_byte_s = stats_median(o->byte_s, o->runs);
    o->rss_peak_bytes = stats_median(o->rss, o->runs);
    o->device_peak_bytes = stats_median(o->device, o->runs);
    o->setup_ns = stats_median(o->setup, o->runs);
    o->disk_ns = stats_median(c->disk, c->rounds);
    o->kernel_ns = stats_median(c->kernel, c->rounds);
    o->bound_ns = o->disk_ns > o->kernel_ns ? o->disk_ns : o->kernel_ns;
    speed = prediction_speed_now(&c->opt->recorded, (double)c->preload.read_bytes, o->disk_ns,
                                 o->kernel_ns, l->schedule.natural);
    if (!l->schedule.natural || speed.move_ns_per_byte > 0) /* what rearranging takes is not known */
        o->predicted_ns = prediction_run_ns(c->ex, &l->schedule, l->policy->mp, &speed);
    o->predicted_peak_bytes = (double)prediction_peak_bytes(c->ex, &l->schedule);
    o->cache = executor_direct(c->ex) ? "cold" : "warm";
    snprintf(o->note, sizeof(o->note), "disk: %s", executor_reader_kind(c->ex));
    o->memory = l->memory[at];
    o->n_memory = l->n_memory[at];
    l->memory[at] = NULL; /* moved */
    for (int i = 0; i < c->m->n_layers; i++) {
        o->layer_load[i] = prediction_load_bytes(c->ex, &l->schedule, i);
        o->layer_predicted[i] = prediction_layer_ns(c->ex, &l->schedule, l->policy->mp,
                                                    &speed, i);
        o->variant[i] = executor_variant(c->ex, &l->schedule, i);
    }
    free(exec);
}

int replay_verify(const struct executor *ex, const struct model *m,
                  const struct replay_options *opt, struct replay_outcome *o, struct err *err)
{
    const struct layer *last = &m->layer[m->n_layers - 1];
    const struct tensor_desc *d = &last->io.slot[last->io.n - 1].desc;
    size_t n = (size_t)(d->rows * d->cols);
    float *y = malloc(n * sizeof(*y));
    double diff = 0, norm = 0;

    if (!opt->reference) {
        free(y);
        return 0;
    }
    if (!y)
        return err_set(err, -ENOMEM, "out of memory for an output of %zu values", n);
    executor_output(ex, y);
    for (size_t i = 0; i < n; i++) {
        double e = (double)y[i] - (double)opt->reference[i];

        diff += e * e;
        norm += (double)opt->reference[i] * (double)opt->reference[i];
    }
    free(y);
    o->verify_error = norm > 0 ? sqrt(diff / norm) : sqrt(diff);
    o->verified = o->verify_error <= opt->tolerance; /* false for NaN */
    return 0;
}

/* Runs in a row until the source of energy has resolved them; what they take includes what lies
 * between them. A device that does not tell is no failure. */
static int measure_energy(struct comparison *c, struct lane *l, struct err *err)
{
    struct replay_outcome *o = l->o;
    struct energy *e = c->opt->energy;
    size_t at = strlen(o->note);
    struct run_result r;
    struct err why = {0};
    uint64_t began;
    double j;
    int n = 0, rc = 0, told;

    if (!e)
        return 0;
    told = energy_begin(e, &why);
    began = clock_ns();
    while (told == 0 && rc == 0 && (n == 0 || clock_ns() - began <= energy_least_ns(e))) {
        rc = executor_run(c->ex, &l->schedule, NULL, &r, err);
        n++;
    }
    if (told == 0)
        told = energy_end(e, &j, &why);
    if (told == 0 && rc == 0)
        o->energy_j = j / n;
    if (told == 0)
        snprintf(o->note + at, sizeof(o->note) - at, "; energy: %s, %d runs", energy_source(e), n);
    else
        snprintf(o->note + at, sizeof(o->note) - at, "; %.200s", why.text);
    return rc;
}

/* What a run owes to the order of its reads and to the room that they have: where it takes longer
 * than this, disk and kernels are slower side by side than each is alone. */
static void account(const struct comparison *c, struct lane *l)
{
    struct replay_outcome *o = l->o;
    size_t n = (size_t)c->m->n_layers, at = strlen(o->note);
    double *ns = calloc(n, sizeof(*ns)), *stall = calloc(n, sizeof(*stall)), busy = 0;
    struct keep_machine k = {.layer_ns = ns,
                             .disk_bytes_per_s = (double)c->preload.read_bytes / o->disk_ns * 1e9};

    if (ns && stall) {
        for (size_t i = 0; i < n; i++)
            busy += ns[i] = (double)(o->layer[i].end_ns - o->layer[i].start_ns);
        o->order_ns = keep_simulate_ns(&l->schedule, &k, false, stall);
        o->stall_ns = 0;
        for (size_t i = 0; i < n; i++)
            o->stall_ns += stall[i];
        for (size_t i = 0; i < n && busy > 0; i++)
            ns[i] *= o->kernel_ns / busy;
        o->least_ns = keep_simulate_ns(&l->schedule, &k, false, NULL);
        snprintf(o->note + at, sizeof(o->note) - at,
                 "; layers %.1f ms, in this order and room %.1f ms, %.1f of it waiting, %.1f ms "
                 "with kernels as alone",
                 busy / 1e6, o->order_ns / 1e6, o->stall_ns / 1e6, o->least_ns / 1e6);
    }
    free(ns);
    free(stall);
}

/* Per-layer times from a run of their own; its output is the one that is verified. */
static int profile(struct comparison *c, struct lane *l, struct err *err)
{
    struct run_result r;
    int rc = executor_run(c->ex, &l->schedule, l->o->layer, &r, err);

    if (rc < 0)
        return rc;
    l->o->profiled = true;
    account(c, l);
    if (r.output_hash != l->o->output_hash)
        return err_set(err, -EPROTO, "the profiled run of '%s' gave another output",
                       l->policy->name);
    return replay_verify(c->ex, c->m, c->opt, l->o, err);
}

int replay_compare(struct executor *ex, const struct model *m, const struct replay_policy *policy,
                   int n, const struct replay_options *opt, struct replay_outcome *ret_outcome,
                   struct err *err)
{
    struct comparison c = {.ex = ex, .m = m, .opt = opt, .n = n};
    int rc;

    c.lane = calloc((size_t)n, sizeof(*c.lane));
    c.disk = calloc((size_t)opt->max_runs, sizeof(double));
    c.kernel = calloc((size_t)opt->max_runs, sizeof(double));
    if (!c.lane || !c.disk || !c.kernel) {
        rc = err_set(err, -ENOMEM, "out of memory for %d policies", n);
        goto out;
    }
    rc = executor_control_schedule(ex, policy[0].mp, &c.preload, err);
    for (int k = 0; k < n && rc == 0; k++) {
        rc = lane_new(&c.lane[k], &policy[k], &c, &ret_outcome[k], err);
        if (rc == 0)
            rc = executor_prepare(ex, &c.lane[k].schedule, &ret_outcome[k].build_ns, err);
    }
    if (rc == 0)
        rc = take_rounds(&c, err);
    for (int k = 0; k < n && c.rounds > 0 && (rc == 0 || rc == -EINTR); k++)
        summarize(&c, &c.lane[k]);
    for (int k = 0; k < n && rc == 0; k++)
        rc = measure_energy(&c, &c.lane[k], err);
    for (int k = 0; k < n && rc == 0; k++)
        rc = profile(&c, &c.lane[k], err);
out:
    for (int k = 0; c.lane && k < n; k++)
        lane_done(&c.lane[k], opt->max_runs);
    schedule_done(&c.preload);
    free(c.lane);
    free(c.disk);
    free(c.kernel);
    return rc;
}

void replay_outcome_done(struct replay_outcome *o)
{
    free(o->integrated);
    free(o->init);
    free(o->peak);
    free(o->avg);
    free(o->byte_s);
    free(o->rss);
    free(o->device);
    free(o->setup);
    free(o->disk);
    free(o->kernel);
    free(o->memory);
    free(o->layer);
    free(o->layer_load);
    free(o->layer_predicted);
    free(o->variant);
    *o = (struct replay_outcome){0};
}
