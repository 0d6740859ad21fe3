#include "harness/replay/sequence.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/schedule/keep.h"

#define LEVEL     0.95
#define RESAMPLES 1000

/* One policy. */
struct line {
    const struct replay_policy *policy;
    struct schedule schedule; /* with what stays */
    struct sequence_outcome *o;
};

struct sequences {
    struct executor *ex;
    const struct model *m;
    const struct sequence_options *opt;
    struct line *line;
    int n, done;             /* sequences of each that are whole */
    struct schedule preload; /* of the controls */
    double *disk, *kernel;   /* [sequences] */
};

static double *reals(size_t n)
{
    return calloc(n, sizeof(double));
}

static int line_new(struct line *l, const struct replay_policy *p, const struct sequences *q,
                    struct sequence_outcome *o, struct err *err)
{
    int runs = q->opt->runs;

    l->policy = p;
    l->o = o;
    o->integrated_ns = calloc((size_t)runs, sizeof(*o->integrated_ns));
    o->bytes_read = calloc((size_t)runs, sizeof(*o->bytes_read));
    o->peak_bytes = reals((size_t)runs);
    o->rss_peak_bytes = reals((size_t)runs);
    if (!o->integrated_ns || !o->bytes_read || !o->peak_bytes || !o->rss_peak_bytes)
        return err_set(err, -ENOMEM, "out of memory for %d runs", runs);
    return replay_outcome_new(&o->all, runs * q->opt->sequences, err);
}

/* ---- what stays ---- */

static int keep_everything(struct line *l, const struct schedule *base, const struct sequences *q,
                           struct err *err)
{
    bool *keep = malloc(((size_t)q->m->n_weights + 1) * sizeof(*keep));
    const struct executor_options *eo = executor_options_of(q->ex);
    int rc;

    if (!keep)
        return err_set(err, -ENOMEM, "out of memory for %d weights", q->m->n_weights);
    for (int w = 0; w <= q->m->n_weights; w++)
        keep[w] = true;
    rc = schedule_keep(base, keep, q->m->n_weights, eo->memory_limit,
                       executor_reserve_bytes(q->m, eo->path, eo->direct, eo->ring_bytes),
                       &l->schedule, err);
    free(keep);
    return rc;
}

/* From a run whose layers are timed, and the disk alone. */
static int keep_some(struct line *l, const struct schedule *base, const struct sequences *q,
                     struct err *err)
{
    const struct executor_options *eo = executor_options_of(q->ex);
    size_t n = (size_t)q->m->n_layers;
    struct layer_time *t = calloc(n, sizeof(*t));
    double *ns = reals(n);
    struct keep_machine k = {
        .layer_ns = ns,
        .limit_bytes = eo->memory_limit,
        .reserve_bytes = executor_reserve_bytes(q->m, eo->path, eo->direct, eo->ring_bytes),
    };
    struct run_result r;
    uint64_t disk_ns = 1;
    int rc = t && ns ? 0 : err_set(err, -ENOMEM, "out of memory for %zu layers", n);

    if (rc == 0)
        rc = executor_run(q->ex, base, t, &r, err);
    if (rc == 0)
        rc = executor_disk_ns(q->ex, &q->preload, &disk_ns, err);
    for (size_t i = 0; i < n && rc == 0; i++)
        ns[i] = (double)(t[i].end_ns - t[i].start_ns);
    k.disk_bytes_per_s = (double)q->preload.read_bytes * 1e9 / (double)disk_ns;
    if (rc == 0)
        rc = keep_choose(base, q->m->n_weights, q->opt->keep_bytes, &k, &l->schedule,
                         &l->o->predicted_ns, err);
    free(t);
    free(ns);
    return rc;
}

/* Its schedule, its programs, its first runs. */
static int line_prepare(struct line *l, const struct sequences *q, struct err *err)
{
    struct schedule base = {0};
    uint64_t ns = 0;
    bool everything = strncmp(l->policy->name, "preload", 7) == 0;
    int rc = executor_schedule(q->ex, l->policy->mp, l->policy->plan, &base, err);

    if (rc == 0)
        rc = executor_prepare(q->ex, &base, &l->o->all.build_ns, err);
    l->o->predicted_ns = NAN;
    if (rc == 0)
        rc = everything ? keep_everything(l, &base, q, err) : keep_some(l, &base, q, err);
    if (rc == 0) {
        l->o->kept_bytes = l->schedule.kept_bytes;
        rc = executor_hold(q->ex, &l->schedule, err);
    }
    if (rc == 0)
        rc = executor_prepare(q->ex, &l->schedule, &ns, err);
    executor_let_go(q->ex);
    l->o->all.build_ns += ns;
    schedule_done(&base);
    return rc < 0 ? err_prefix(err, "%s", l->policy->name), rc : 0;
}

/* ---- runs ---- */

/* A run's own memory is what it has above the process before the sequence: what stays was there
 * already when a later one began. */
static void count_from(uint64_t base_bytes, struct mem_summary *mem)
{
    uint64_t highest = mem->rss_base_bytes + mem->rss_peak_bytes;

    mem->rss_peak_bytes = highest > base_bytes ? highest - base_bytes : 0;
}

static int take_one(struct sequences *q, struct line *l, int run, uint64_t *base_bytes,
                    struct err *err)
{
    struct replay_outcome *o = &l->o->all;
    uint64_t first = q->line[0].o->all.output_hash;
    struct run_result r;
    int rc = executor_run(q->ex, &l->schedule, NULL, &r, err);

    if (rc < 0)
        return err_prefix(err, "%s", l->policy->name), rc;
    if (o->runs == 0)
        o->output_hash = r.output_hash;
    if (l == &q->line[0] && o->runs == 0)
        first = r.output_hash;
    if (r.output_hash != first)
        return err_set(err, -EPROTO,
                       "run %d of a sequence of '%s' gave another output than the first of '%s': "
                       "if the weights file did not change meanwhile, report it",
                       run + 1, l->policy->name, q->line[0].policy->name);
    if (run == 0)
        *base_bytes = r.mem.rss_base_bytes;
    if (executor_options_of(q->ex)->rss_period_ns)
        count_from(*base_bytes, &r.mem);
    replay_outcome_add(o, &r);
    l->o->bytes_read[run] = r.bytes_read;
    return 0;
}

/* A policy's sequence; the last of its last one is verified. */
static int take_sequence(struct sequences *q, struct line *l, struct err *err)
{
    int rc = executor_hold(q->ex, &l->schedule, err);
    uint64_t base_bytes = 0;

    for (int run = 0; run < q->opt->runs && rc == 0; run++)
        rc = take_one(q, l, run, &base_bytes, err);
    if (rc == 0 && q->done + 1 == q->opt->sequences)
        rc = replay_verify(q->ex, q->m, q->opt->replay, &l->o->all, err);
    executor_let_go(q->ex);
    return rc;
}

/* One sequence of each policy, the order turned from time to time, and both controls. */
static int take_turn(struct sequences *q, struct err *err)
{
    int rc = 0;

    for (int k = 0; k < q->n && rc == 0; k++)
        rc = take_sequence(q, &q->line[q->done == 0 ? k : (k + q->done) % q->n], err);
    if (rc == 0)
        rc = executor_controls(q->ex, &q->preload, &q->disk[q->done], &q->kernel[q->done], err);
    if (rc == 0)
        q->done++;
    return rc;
}

/* ---- results ---- */

/* Values [sequence][run] of one run, or of all after the first (run < 0), into `to`; returns how
 * many. */
static int collect(const struct sequences *q, const double *x, int run, double *to)
{
    int n = 0, runs = q->opt->runs;

    for (int i = 0; i < runs * q->opt->sequences; i++)
        if (run < 0 ? i % runs > 0 || runs == 1 : i % runs == run)
            to[n++] = x[i];
    return n;
}

static double later_median(const struct sequences *q, const double *x, double *buffer)
{
    int n = collect(q, x, -1, buffer);

    return stats_median(buffer, n);
}

static int summarize(const struct sequences *q, struct line *l, struct err *err)
{
    struct sequence_outcome *s = l->o;
    struct replay_outcome *o = &s->all;
    int runs = q->opt->runs, n;
    double *x = reals((size_t)(runs * q->opt->sequences));

    if (!x)
        return err_set(err, -ENOMEM, "out of memory for %d runs", runs);
    for (int run = 0; run < runs; run++) {
        n = collect(q, o->integrated, run, x);
        s->integrated_ns[run] = stats_median_interval(x, n, LEVEL, RESAMPLES, (uint64_t)run);
        n = collect(q, o->peak, run, x);
        s->peak_bytes[run] = stats_median(x, n);
        n = collect(q, o->rss, run, x);
        s->rss_peak_bytes[run] = stats_median(x, n);
    }
    for (int i = 0; i < o->runs; i++) {
        o->disk[i] = q->disk[i / runs];
        o->kernel[i] = q->kernel[i / runs];
    }
    n = collect(q, o->integrated, -1, x);
    o->integrated_ns = stats_median_interval(x, n, LEVEL, RESAMPLES, 0);
    o->integrated_mean_ns = stats_mean(x, n);
    o->noisy = o->integrated_ns.high - o->integrated_ns.low >
               q->opt->replay->target * o->integrated_ns.mid;
    o->init_ns = later_median(q, o->init, x);
    o->exec_ns = o->integrated_ns.mid - o->init_ns;
    o->peak_bytes = later_median(q, o->peak, x);
    o->avg_bytes = later_median(q, o->avg, x);
    o->mem_byte_s = later_median(q, o->byte_s, x);
    o->rss_peak_bytes = later_median(q, o->rss, x);
    n = collect(q, o->device, 0, x); /* all that a sequence allocates, its first run does */
    o->device_peak_bytes = stats_median(x, n);
    n = collect(q, o->setup, 0, x);
    o->setup_ns = stats_median(x, n);
    o->disk_ns = stats_median(q->disk, q->done);
    o->kernel_ns = stats_median(q->kernel, q->done);
    o->bound_ns = o->disk_ns * (double)s->bytes_read[runs - 1] / (double)q->preload.read_bytes;
    o->bound_ns = fmax(o->bound_ns, o->kernel_ns);
    o->predicted_ns = s->predicted_ns;
    o->bytes_read = s->bytes_read[runs - 1];
    o->cache = "kept";
    snprintf(o->note, sizeof(o->note),
             "disk: %s; %llu bytes stay between the runs of %d sequences of %d; medians without "
             "the first",
             executor_reader_kind(q->ex), (unsigned long long)s->kept_bytes, q->opt->sequences,
             runs);
    free(x);
    return 0;
}

int sequence_compare(struct executor *ex, const struct model *m, const struct replay_policy *policy,
                     int n, const struct sequence_options *opt,
                     struct sequence_outcome *ret_outcome, struct err *err)
{
    struct sequences q = {.ex = ex, .m = m, .opt = opt, .n = n};
    int rc;

    q.line = calloc((size_t)n, sizeof(*q.line));
    q.disk = reals((size_t)opt->sequences);
    q.kernel = reals((size_t)opt->sequences);
    rc = q.line && q.disk && q.kernel ? executor_control_schedule(ex, policy[0].mp, &q.preload, err)
                                      : err_set(err, -ENOMEM, "out of memory for %d policies", n);
    for (int k = 0; k < n && rc == 0; k++) {
        rc = line_new(&q.line[k], &policy[k], &q, &ret_outcome[k], err);
        if (rc == 0)
            rc = line_prepare(&q.line[k], &q, err);
    }
    while (rc == 0 && q.done < opt->sequences) {
        rc = take_turn(&q, err);
        if (rc == 0 && opt->replay->progress)
            opt->replay->progress(opt->replay->ctx, q.done, opt->sequences);
    }
    for (int k = 0; k < n && rc == 0; k++)
        rc = summarize(&q, &q.line[k], err);
    for (int k = 0; q.line && k < n; k++)
        schedule_done(&q.line[k].schedule);
    schedule_done(&q.preload);
    free(q.line);
    free(q.disk);
    free(q.kernel);
    return rc;
}

void sequence_outcome_done(struct sequence_outcome *o)
{
    replay_outcome_done(&o->all);
    free(o->integrated_ns);
    free(o->bytes_read);
    free(o->peak_bytes);
    free(o->rss_peak_bytes);
    *o = (struct sequence_outcome){0};
}

int sequence_overtakes(const struct sequence_outcome *a, const struct sequence_outcome *b, int runs,
                       bool total)
{
    double sum_a = 0, sum_b = 0;
    int from = 0;

    for (int i = 0; i < runs; i++) {
        sum_a = (total ? sum_a : 0) + a->integrated_ns[i].mid;
        sum_b = (total ? sum_b : 0) + b->integrated_ns[i].mid;
        if (!(sum_a < sum_b))
            from = 0;
        else if (from == 0)
            from = i + 1;
    }
    return from;
}
