#include "profiler/measure.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/clock.h"
#include "profiler/flush.h"
#include "profiler/launch.h"
#include "profiler/pace.h"
#include "profiler/pairs.h"

/* Warm-up: two successive times within AGREE of each other end it, or this many launches. */
#define AGREE       0.10
#define WARMUPS_MIN 2
#define WARMUPS_MAX 10

#define RESOLUTION_MAX 0.01 /* of a kernel: the coarsest clock that is good enough */
#define DISAGREE_MAX   0.05 /* of a kernel: host clock beyond event clock and launch */
#define SLACK_NS       20000

/* On a CPU one launch shorter than this measures the launch (on PoCL the second worker takes 30 us
 * to wake); a repeat is then a batch of at least BATCH_NS, or 20 launch costs. Not so on a GPU: its
 * own stamps see an empty kernel last 5 us, while a batch there measures how fast the host enqueues
 * (14 us a launch beside an H100, whatever the kernel did), with caches that are never cold. */
#define SHORT_CPU_NS 50000
#define BATCH_NS     2000000
#define BATCH_MAX    4096

#define CALIBRATIONS 16

/* While the machine is slow, pauses grow from the first to the last; a sample waits so many times its
 * limit, or so long, and all together no longer than they measure and once so long. After so many
 * samples that waited for nothing, this is how fast it is. */
#define PAUSE_NS     2000000
#define PAUSE_MAX_NS 64000000
#define WAIT         30
#define WAIT_MAX_NS  UINT64_C(10000000000)
#define IN_VAIN_MAX  3

struct measurer {
    struct device *dev;
    cl_command_queue queue;
    struct flush *flush;
    struct pace *pace; /* NULL: nobody can tell */
    int in_vain;       /* samples in a row that waited for a faster machine */
    uint64_t measured_ns, waited_ns; /* by all samples */
    uint64_t launch_ns;     /* enqueue and finish of an all but empty kernel, less its run */
    uint64_t resolution_ns; /* of event times */
};

/* One call of measure(). */
struct run {
    struct measurer *m;
    const struct measure_subject *subject;
    const struct measure_options *opt;
    bool host; /* times are taken by the host's clock */
    int batch;
    uint64_t expect_ns[2]; /* of one launch, from the warm-up */
    uint64_t flush_ns, paused_ns;
    struct pairs p;
};

static const char *const status_names[SAMPLE_STATUSES] = {
    [SAMPLE_OK] = "ok",
    [SAMPLE_NOISY] = "noisy",
    [SAMPLE_WRONG] = "wrong",
    [SAMPLE_BUILD_FAILED] = "build_failed",
    [SAMPLE_LAUNCH_FAILED] = "launch_failed",
    [SAMPLE_TIMEOUT] = "timeout",
    [SAMPLE_CRASHED] = "crashed",
    [SAMPLE_OUT_OF_MEMORY] = "out_of_memory",
    [SAMPLE_UNSUPPORTED] = "unsupported",
};

const char *sample_status_name(enum sample_status s)
{
    assert(s >= 0 && s < SAMPLE_STATUSES);
    return status_names[s];
}

int sample_status_parse(const char *name)
{
    for (int i = 0; i < SAMPLE_STATUSES; i++)
        if (strcmp(status_names[i], name) == 0)
            return i;
    return -EINVAL;
}

struct measure_options measure_defaults(void)
{
    return (struct measure_options){
        .target = 0.02,
        .min_repeats = 10,
        .max_repeats = 100,
        .max_time_ns = UINT64_C(5000000000),
        .seed = 1,
    };
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t t = a % b;

        a = b;
        b = t;
    }
    return a;
}

/* What a launch costs, and how coarse event times are. NVIDIA reports a resolution of 1000 ns where
 * stamps are multiples of 32 ns, so the stamps themselves are asked. */
static int calibrate(struct measurer *m, struct err *err)
{
    uint64_t first = 0, step = 0, start, end;
    double cost[CALIBRATIONS];
    int stamped = 0;

    for (int i = 0; i < CALIBRATIONS; i++) {
        cl_event event = NULL;
        uint64_t from = clock_ns();
        int rc = flush_enqueue_least(m->flush, m->queue, &event, err);

        if (rc < 0)
            return rc;
        clFinish(m->queue);
        cost[i] = (double)(clock_ns() - from);
        if (launch_event_span(event, &start, &end)) {
            first = stamped ? first : start;
            step = gcd(gcd(step, start - first), end - first);
            cost[i] -= fmin((double)(end - start), cost[i]);
            stamped++;
        }
        clReleaseEvent(event);
    }
    m->launch_ns = (uint64_t)stats_median(cost, CALIBRATIONS);
    m->resolution_ns = stamped == CALIBRATIONS && step > 0 ? step : m->dev->info.timer_ns;
    return 0;
}

int measurer_new(struct device *dev, struct measurer **ret_m, struct err *err)
{
    struct measurer *m = calloc(1, sizeof(*m));
    int rc;

    if (!m)
        return err_set(err, -ENOMEM, "out of memory");
    m->dev = dev;
    rc = device_queue(dev, true, &m->queue, err);
    if (rc == 0)
        rc = flush_new(dev, &m->flush, err);
    if (rc == 0)
        rc = calibrate(m, err);
    if (rc == 0)
        rc = pace_new(dev, m->queue, &m->pace, err);
    if (rc < 0)
        measurer_free(m);
    else
        *ret_m = m;
    return rc;
}

void measurer_free(struct measurer *m)
{
    if (!m)
        return;
    if (m->queue)
        clFinish(m->queue);
    pace_free(m->pace);
    flush_free(m->flush);
    if (m->queue)
        clReleaseCommandQueue(m->queue);
    free(m);
}

cl_command_queue measurer_queue(struct measurer *m)
{
    return m->queue;
}

uint64_t measurer_pace(const struct measurer *m)
{
    return pace_best(m->pace);
}

void measurer_know_pace(struct measurer *m, uint64_t best_ns)
{
    pace_know(m->pace, best_ns);
}

/* Flush and wait, by the host's clock. */
static int flush_now(struct run *run, enum flush_part part, struct err *err)
{
    uint64_t from = clock_ns();
    int rc;

    if (run->opt->hot)
        return 0;
    rc = flush_enqueue(run->m->flush, run->m->queue, part, NULL, err);
    if (rc < 0)
        return rc;
    clFinish(run->m->queue);
    run->flush_ns += clock_ns() - from;
    return 0;
}

/* Not more than there are: workers wake before the first stamp. */
static double cores_of(const struct run *run, uint64_t busy_ns, uint64_t span_ns)
{
    double cores = span_ns > 0 ? (double)busy_ns / (double)span_ns : 0;

    return fmin(cores, run->m->dev->info.compute_units);
}

/* One repeat by the host's clock. */
static int repeat_host(struct run *run, int side, int batch, struct repeat *ret_r, struct err *err)
{
    uint64_t from, busy, ns;
    struct launch l;
    int rc = flush_now(run, FLUSH_ALL, err);

    if (rc < 0)
        return rc;
    busy = cpu_ns();
    from = clock_ns();
    rc = launch_run(run->subject, run->m->queue, side, batch, &l, err);
    if (rc < 0)
        return rc;
    ns = clock_ns() - from;
    *ret_r = (struct repeat){(ns + (uint64_t)batch / 2) / (uint64_t)batch,
                             cores_of(run, cpu_ns() - busy, ns)};
    launch_forget(&l);
    return 0;
}

/* One launch right behind the flush, by its event: the workers are awake, as they are within a
 * model. On a CPU they rest after most of the flush, so that what they do from there on is known.
 * 0; 1 if the event's times are useless; or -errno. */
static int repeat_event(struct run *run, int side, struct repeat *ret_r, struct err *err)
{
    bool rest = run->m->dev->info.type == DEVICE_CPU && !run->opt->hot;
    uint64_t start = 0, end = 0, awake, flushed, busy;
    struct launch l = {0};
    cl_event flush = NULL;
    int rc = rest ? flush_now(run, FLUSH_HEAD, err) : 0;

    if (rc < 0)
        return rc;
    busy = cpu_ns();
    if (!run->opt->hot)
        rc =
            flush_enqueue(run->m->flush, run->m->queue, rest ? FLUSH_TAIL : FLUSH_ALL, &flush, err);
    if (rc == 0)
        rc = launch_run(run->subject, run->m->queue, side, 1, &l, err);
    if (rc == 0) {
        busy = cpu_ns() - busy;
        rc = launch_span(&l, &start, &end) ? 0 : 1;
        awake = start;
        if (flush && launch_event_span(flush, &awake, &flushed))
            run->flush_ns += flushed - awake;
        if (rc == 0)
            *ret_r = (struct repeat){end - start, cores_of(run, busy, end - awake)};
        launch_forget(&l);
    }
    if (flush)
        clReleaseEvent(flush);
    return rc;
}

/* One launch by both clocks, alone in the queue. *ret_event_ns is untouched, and false returned in
 * *ret_sane, where the event's times are useless. */
static int probe(struct run *run, int side, uint64_t *ret_event_ns, uint64_t *ret_host_ns,
                 bool *ret_sane, struct err *err)
{
    uint64_t from, start, end;
    struct launch l;
    int rc = flush_now(run, FLUSH_ALL, err);

    if (rc < 0)
        return rc;
    from = clock_ns();
    rc = launch_run(run->subject, run->m->queue, side, 1, &l, err);
    if (rc < 0)
        return rc;
    *ret_host_ns = clock_ns() - from;
    *ret_sane = launch_span(&l, &start, &end);
    if (*ret_sane)
        *ret_event_ns = end - start;
    launch_forget(&l);
    return 0;
}

/* The two clocks agree if the host saw the kernel last as long as its event says, plus one launch.
 * The host may be late (another process, a first launch that compiles), so one launch in which
 * they agree will do; it is never early. */
static bool clocks_agree(const struct measurer *m, uint64_t event_ns, uint64_t host_ns)
{
    double slack = fmax(3.0 * (double)m->launch_ns, DISAGREE_MAX * (double)event_ns) + SLACK_NS;
    double late = (double)host_ns - (double)event_ns;

    return late >= -(double)m->resolution_ns && late <= slack;
}

static bool close_to(uint64_t a, uint64_t b)
{
    double x = (double)a, y = (double)b;

    return fabs(x - y) <= AGREE * fmax(x, y);
}

/* Launch `side` until two successive times agree, and learn whether events can be trusted. */
static int warm_up(struct run *run, int side, struct err *err)
{
    uint64_t from = clock_ns(), event_ns = 0, host_ns = 0, last = 0, now = 0;
    bool agreed = false, all_sane = true, sane = false;

    for (int i = 0; i < WARMUPS_MAX; i++) {
        int rc = probe(run, side, &event_ns, &host_ns, &sane, err);

        if (rc < 0)
            return rc;
        all_sane = all_sane && sane;
        agreed = agreed || (sane && clocks_agree(run->m, event_ns, host_ns));
        last = now;
        now = sane ? event_ns : host_ns;
        if (i + 1 >= WARMUPS_MIN && ((close_to(last, now) && (agreed || !all_sane)) ||
                                     clock_ns() - from > run->opt->max_time_ns))
            break;
    }
    run->host = run->host || !all_sane || !agreed ||
                (double)run->m->resolution_ns > RESOLUTION_MAX * (double)event_ns;
    run->expect_ns[side] = now < last ? now : last;
    return 0;
}

/* Decide how a repeat is taken. Both sides alike, or their ratio would compare two methods. */
static int choose(struct run *run, struct err *err)
{
    const struct measurer *m = run->m;
    uint64_t limit = m->dev->info.type == DEVICE_CPU ? SHORT_CPU_NS : 0;
    uint64_t want = 20 * m->launch_ns > BATCH_NS ? 20 * m->launch_ns : BATCH_NS;
    struct repeat r = {0};
    uint64_t batch, expect;
    int side = run->subject->sides == 2 && run->expect_ns[1] < run->expect_ns[0];
    int rc;

    run->batch = 1;
    expect = run->expect_ns[side];
    if (expect < limit)
        run->host = true;
    if (!run->host || expect >= want)
        return 0;
    /* A launch among others costs less than one alone: 2 us against 50 on PoCL. */
    rc = repeat_host(run, side, expect > want / 16 ? 1 + (int)(want / (expect + 1)) : 16, &r, err);
    if (rc < 0)
        return rc;
    batch = r.ns > 0 ? (want + r.ns - 1) / r.ns : BATCH_MAX;
    run->batch = batch > BATCH_MAX ? BATCH_MAX : batch < 1 ? 1 : (int)batch;
    return 0;
}

static int ask_pace(struct run *run, int times, struct err *err)
{
    struct pace *pace = run->m->pace;
    int rc = 0;

    for (int i = 0; i < times && pace && rc == 0; i++) {
        uint64_t ns = 0;

        rc = pace_probe(pace, run->m->queue, &ns, err);
        pairs_pace(&run->p, ns, pace_best(pace));
    }
    return rc;
}

/* The next pair: A B, B A, A B, ... 0, 1 (an event failed) or -errno. */
static int take_pair(struct run *run, struct err *err)
{
    int sides = run->subject->sides, rc;
    struct repeat pair[2] = {{0, 0}, {0, 0}};

    rc = ask_pace(run, 1, err);
    if (rc < 0)
        return rc;
    for (int i = 0; i < sides; i++) {
        int side = sides == 2 && run->p.n % 2 == 1 ? 1 - i : i;

        rc = run->host ? repeat_host(run, side, run->batch, &pair[side], err)
                       : repeat_event(run, side, &pair[side], err);
        if (rc != 0)
            return rc;
    }
    pairs_add(&run->p, pair);
    return 0;
}

/* What is measured on a slow machine counts for nothing, so wait for a faster one. */
static int wait_while_slow(struct run *run, struct err *err)
{
    struct measurer *m = run->m;
    uint64_t since = clock_ns(), pause_ns = PAUSE_NS, most = WAIT * run->opt->max_time_ns;
    uint64_t budget = m->measured_ns + WAIT_MAX_NS;
    bool slow = m->pace && pairs_slow(&run->p), whole;
    int rc = 0;

    most = most < WAIT_MAX_NS ? most : WAIT_MAX_NS;
    budget = budget > m->waited_ns ? budget - m->waited_ns : 0;
    whole = most <= budget;
    most = whole ? most : budget;
    if (run->paused_ns > most)
        return 0;

    for (int i = 0; slow && rc == 0; i++) {
        if (i > 1)
            run->p.n_pace -= PACE_ASKED; /* of one pause the ends are kept */
        rc = ask_pace(run, PACE_ASKED, err);
        slow = pairs_slow(&run->p);
        if (slow && run->paused_ns + (clock_ns() - since) > most) {
            if (whole && ++m->in_vain >= IN_VAIN_MAX) {
                pace_forget(m->pace);
                m->in_vain = 0;
            }
            break;
        }
        if (slow) {
            nanosleep(&(struct timespec){.tv_nsec = (long)pause_ns}, NULL);
            pause_ns = 2 * pause_ns < PAUSE_MAX_NS ? 2 * pause_ns : PAUSE_MAX_NS;
        } else {
            m->in_vain = 0;
        }
    }
    run->paused_ns += clock_ns() - since;
    return rc;
}

static int take_pairs(struct run *run, const char **ret_reason, struct err *err)
{
    uint64_t from = clock_ns();
    const char *reason = NULL;
    int rc;

    while (!reason) {
        rc = take_pair(run, err);
        if (rc < 0)
            return rc;
        if (rc > 0) { /* an event that says nonsense now: all again, by the host's clock */
            run->host = true;
            rc = choose(run, err);
            if (rc < 0)
                return rc;
            pairs_restart(&run->p, run->batch == 1);
            continue;
        }
        rc = wait_while_slow(run, err);
        if (rc < 0)
            return rc;
        reason = pairs_stop(&run->p, clock_ns() - from - run->paused_ns);
    }
    *ret_reason = reason;
    return 0;
}

static int check_options(const struct measure_options *opt, struct err *err)
{
    if (!(opt->target > 0))
        return err_set(err, -EINVAL, "target: want more than 0, got %g", opt->target);
    if (opt->min_repeats < 1 || opt->max_repeats < opt->min_repeats)
        return err_set(err, -EINVAL, "repeats: want 1 <= min <= max, got %d and %d",
                       opt->min_repeats, opt->max_repeats);
    return 0;
}

int measure(struct measurer *m, const struct measure_subject *subject,
            const struct measure_options *opt, struct measure_result *ret_result, struct err *err)
{
    struct run run = {.m = m, .subject = subject, .opt = opt};
    struct measure_result r = {0};
    uint64_t start = clock_ns();
    int rc;

    assert(subject->sides == 1 || subject->sides == 2);
    rc = check_options(opt, err);
    if (rc < 0)
        return rc;
    rc = pairs_new(&run.p, subject->sides, opt, &m->dev->info, err);
    if (rc == 0 && !opt->hot)
        rc = flush_prepare(m->flush, m->queue, err);
    for (int s = 0; s < subject->sides && rc == 0; s++)
        rc = warm_up(&run, s, err);
    if (rc == 0)
        rc = choose(&run, err);
    if (rc < 0)
        goto out;
    r.warmup_ns = clock_ns() - start;
    start = clock_ns();
    run.flush_ns = 0; /* the warm-up's are in warmup_ns */
    pairs_restart(&run.p, run.batch == 1);
    rc = take_pairs(&run, &r.reason, err);
    if (rc < 0)
        goto out;
    r.measure_ns = clock_ns() - start;
    m->waited_ns += run.paused_ns;
    m->measured_ns += r.measure_ns - run.paused_ns;
    r.flush_ns = run.flush_ns < r.measure_ns ? run.flush_ns : r.measure_ns;
    r.measure_ns -= r.flush_ns;
    r.timer = run.host ? "host" : "event";
    r.hot = opt->hot || run.batch > 1; /* within a batch nothing is flushed */
    r.batch = run.batch;
    pairs_summarize(&run.p, &r);
    *ret_result = r;
out:
    pairs_done(&run.p);
    return rc;
}

void measure_done(struct measure_result *r)
{
    for (int s = 0; s < 2; s++) {
        free(r->side[s].time_ns);
        free(r->side[s].cores);
    }
    free(r->aside);
    *r = (struct measure_result){0};
}
