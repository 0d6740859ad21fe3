#include "harness/sweep/sweep.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/sweep/child.h"
#include "harness/sweep/order.h"
#include "harness/sweep/order_active.h"
#include "harness/sweep/record.h"
#include "profiler/clock.h"
#include "profiler/hash.h"

const char *const sweep_strategy_names[] = {"exhaustive", "random", "active", NULL};
const char *const sweep_again_names[] = {"none", "failed", "all", NULL};

/* Before there is any sample of the device to go by. */
#define GUESS_NS 5e8
/* Ratios beyond this say nothing about kernels any more. */
#define RATIO_END 4096.0
/* A trial is made for so much load, and again when doubling outgrows it. Verification reads all of
 * it, the reference is computed for each: 4 keeps both small. */
#define ROOM_FACTOR 4

/* So many crashes in a row, and it is time to ask whether the device is there at all. */
#define CRASHES_BEFORE_PROBE 3

struct run {
    struct store *st;
    const struct device_info *dev;
    const struct sweep_options *opt;
    struct sweep_summary *sum;
    struct child *child;
    int64_t device_id, session_id;
    uint64_t started_ns;
    uint64_t pace_ns; /* 0: unknown */
    int crashes; /* in a row */
    bool stop;
};

struct sweep_options sweep_defaults(void)
{
    struct sweep_options o = {
        .shard = 1,
        .shards = 1,
        .measure = measure_defaults(),
        .timeout_ns = UINT64_C(60000000000),
        .max_load_bytes = UINT64_C(256) << 20,
    };

    o.measure.target = 0;
    o.measure.max_repeats = 0;
    o.measure.max_time_ns = 0;
    return o;
}

int64_t sweep_failed(const struct sweep_summary *s)
{
    return s->measured - s->by_status[SAMPLE_OK] - s->by_status[SAMPLE_NOISY] -
           s->by_status[SAMPLE_UNSUPPORTED];
}

/* ---- what is left to do ---- */

/* One crash or hang may have had another cause than the configuration: it is tried once more, by
 * the next sweep. Two are its verdict. */
static bool is_done(const struct recorded *r, enum sweep_again again)
{
    switch (again) {
    case SWEEP_AGAIN_ALL:
        return false;
    case SWEEP_AGAIN_FAILED:
        return r->ok > 0;
    default:
        return r->ok > 0 || r->failed > 0 || r->crashed > 1;
    }
}

static int lookup(const struct run *run, const struct sweep_config *g, struct recorded *ret_r,
                  struct err *err)
{
    char key[SWEEP_KEY_MAX];

    *ret_r = (struct recorded){.slowdown = NAN, .slowdown_low = NAN};
    if (!run->st || !run->device_id)
        return 0;
    sweep_key(g, run->opt->measure.hot, key);
    return record_find(run->st, run->device_id, key, ret_r, err);
}

/* Is an increase of `allowed` behind us? The whole interval says so; or the median says twice as
 * much, so that a noisy machine does not go on to loads that nobody asked about. No sample, no
 * going on. */
static bool crossed(double slowdown, double low, double allowed)
{
    return isnan(slowdown) || low >= 1 + allowed || slowdown >= 1 + 2 * allowed;
}

/* The next configuration of a '+' list: twice the ratio, until the threshold is crossed or a limit
 * is met. */
static bool doubled(const struct run *run, const struct sweep_config *g, double slowdown,
                    double low, struct sweep_config *ret_next)
{
    double allowed = run->opt->thresholds.allowed[g->c.op->class];
    struct sweep_config next = *g;

    if (!g->extend || run->opt->strategy != SWEEP_EXHAUSTIVE || !(allowed > 0) ||
        crossed(slowdown, low, allowed) || 2 * g->ratio > RATIO_END)
        return false;
    sweep_config_load(&next, 2 * g->ratio);
    if (next.load_bytes > run->opt->max_load_bytes)
        return false;
    *ret_next = next;
    return true;
}

/* Of the spec's configurations, those of this shard that have no verdict yet; a '+' list that was
 * measured to its end before is followed to where it stopped. */
static int select_pending(struct run *run, const struct spec *spec, struct sweep_config *pending,
                          int *ret_n, struct err *err)
{
    int n = 0;

    for (int i = 0; i < spec->n; i++) {
        struct sweep_config g = spec->config[i];
        struct recorded r;

        if (order_shard(&g, run->opt->shards) != run->opt->shard)
            continue;
        for (;;) {
            int rc = lookup(run, &g, &r, err);

            if (rc < 0)
                return rc;
            run->sum->configs++;
            if (!is_done(&r, run->opt->again)) {
                pending[n++] = g;
                break;
            }
            run->sum->present++;
            if (!doubled(run, &g, r.slowdown, r.slowdown_low, &g))
                break;
        }
    }
    *ret_n = n;
    return 0;
}

/* What is known of one operator, with or without load. */
struct known {
    double ns[PHASES];
    int64_t n;
    bool asked;
};

/* By the operator's own samples, else by those of all operators, else a guess. */
static int ask_phases(const struct run *run, const char *op, bool loaded, struct known *k,
                      bool *ret_own, struct err *err)
{
    int rc = 0;

    if (!k->asked && run->st && run->device_id)
        rc = record_phases(run->st, run->device_id, op, loaded, k->ns, &k->n, err);
    *ret_own = k->n > 0;
    k->asked = true;
    return rc;
}

static int estimate(const struct run *run, const struct sweep_config *pending, int n,
                    struct err *err)
{
    struct known of[64][2] = {{{{0}, 0, false}}}, any[2] = {{{0}, 0, false}};
    struct sweep_summary *sum = run->sum;

    for (int i = 0; i < n; i++) {
        bool loaded = pending[i].load_bytes > 0, own;
        struct known *k;
        int at = 0, rc;

        while (at < 63 && op_table[at] && strcmp(op_table[at]->name, pending[i].c.op->name) != 0)
            at++;
        k = &of[at][loaded];
        rc = ask_phases(run, pending[i].c.op->name, loaded, k, &own, err);
        if (rc == 0 && !own) {
            bool some;

            sum->guessed++;
            rc = ask_phases(run, NULL, loaded, k = &any[loaded], &some, err);
        }
        if (rc < 0)
            return rc;
        for (int p = 0; p < PHASES && k->n; p++)
            sum->estimate_ns[p] += k->ns[p];
        sum->estimate_ns[PHASE_MEASURE] += k->n ? 0 : GUESS_NS;
    }
    return 0;
}

/* ---- measuring ---- */

static struct measure_options measure_options(const struct run *run, const struct sweep_config *g,
                                              const char *key)
{
    struct measure_options m = run->opt->measure, def = measure_defaults();

    if (!(m.target > 0))
        m.target = g->target > 0 ? g->target : def.target;
    if (!m.max_repeats)
        m.max_repeats = g->max_repeats ? g->max_repeats : def.max_repeats;
    if (!m.max_time_ns)
        m.max_time_ns = g->max_time_ns ? g->max_time_ns : def.max_time_ns;
    if (m.min_repeats > m.max_repeats)
        m.min_repeats = m.max_repeats;
    m.seed = hash_text(HASH_INIT ^ run->opt->seed, key);
    return m;
}

static double or_zero(double x)
{
    return isnan(x) ? 0 : x;
}

static void book(struct sweep_summary *s, const struct work_result *r)
{
    s->by_status[r->status]++;
    s->measured++;
    s->phase_ns[PHASE_BUILD] += or_zero(r->build_ns);
    s->phase_ns[PHASE_VERIFY] += or_zero(r->verify_ns);
    s->phase_ns[PHASE_WARMUP] += or_zero(r->warmup_ns);
    s->phase_ns[PHASE_MEASURE] += or_zero(r->measure_ns);
    s->phase_ns[PHASE_FLUSH] += or_zero(r->flush_ns);
    for (int side = 0; side < r->sides; side++)
        for (int i = 0; i < r->n; i++)
            s->kernels_ns += (double)r->side[side].time_ns[i] * r->batch;
}

static bool time_is_up(struct run *run)
{
    const struct sweep_options *o = run->opt;

    if (o->interrupted && *o->interrupted) {
        run->sum->interrupted = true;
        run->stop = true;
    }
    if ((o->limit && run->sum->measured >= o->limit) ||
        (o->time_ns && clock_ns() - run->started_ns >= o->time_ns))
        run->stop = true;
    return run->stop;
}

/* Slowdown of a sample, and the lower end of its interval; NaN if it has none. */
struct slowdown {
    double mid, low;
};

static bool is_crash(enum sample_status s)
{
    return s == SAMPLE_CRASHED || s == SAMPLE_TIMEOUT;
}

/* The null operator works wherever anything does. A night of crashes that are nobody's fault would
 * leave as many rows, and two such nights are a verdict. */
static int probe(struct run *run, struct err *err)
{
    struct work_order o = {.key = "probe", .c = "null:f32", .v = "buffer", .seed = 1};
    struct work_result r;
    int rc;

    o.measure = measure_defaults();
    o.measure.max_repeats = o.measure.min_repeats = 3;
    rc = child_ask(run->child, &o, &r, err);
    if (rc < 0)
        return rc;
    if (is_crash(r.status))
        rc = err_set(err, -EIO, "%d configurations in a row crashed or hung, and so does one that "
                     "does nothing (%.200s): the device is lost; the same command goes on from "
                     "there once it is back", run->crashes, r.error);
    work_result_done(&r);
    run->crashes = 0;
    return rc;
}

static void tell(struct run *run)
{
    run->sum->wall_ns = (double)(clock_ns() - run->started_ns);
    run->opt->progress(run->opt->ctx, run->sum);
}

/* Measure one and store it. */
static int measure_one(struct run *run, const struct sweep_config *g, uint64_t room,
                       struct slowdown *ret_s, struct err *err)
{
    struct work_order o = {.load_bytes = g->load_bytes, .room_bytes = room, .seed = run->opt->seed};
    struct work_result r;
    uint64_t since;
    int rc;

    sweep_key(g, run->opt->measure.hot, o.key);
    op_case_print(&g->c, o.c);
    op_variant_print(&g->c, &g->v, o.v);
    o.measure = measure_options(run, g, o.key);
    o.pace_ns = run->pace_ns;
    rc = child_ask(run->child, &o, &r, err);
    if (rc == -EINTR) {
        run->sum->interrupted = run->stop = true;
        *ret_s = (struct slowdown){NAN, NAN};
        return 0;
    }
    if (rc < 0)
        return rc;
    since = clock_ns();
    rc = record_sample(run->st, run->session_id, run->dev, g, run->opt->measure.hot, &r, err);
    run->sum->store_ns += (double)(clock_ns() - since);
    *ret_s = (struct slowdown){r.slowdown, r.slowdown_low};
    if (rc == 0)
        book(run->sum, &r);
    if (!isnan(r.pace_ns)) /* 0 as well: what was known is given up */
        run->pace_ns = (uint64_t)r.pace_ns;
    run->crashes = is_crash(r.status) ? run->crashes + 1 : 0;
    work_result_done(&r);
    if (rc == 0 && run->opt->progress)
        tell(run);
    if (rc == 0 && run->crashes >= CRASHES_BEFORE_PROBE && !time_is_up(run)) {
        rc = probe(run, err);
        if (rc == -EINTR) {
            run->sum->interrupted = run->stop = true;
            rc = 0;
        }
    }
    return rc;
}

/* Doubling after `g`: a configuration at a time, for each decides about the next. */
static int measure_doubled(struct run *run, const struct sweep_config *g, struct slowdown s,
                           uint64_t *room, struct err *err)
{
    struct sweep_config next = *g;

    while (doubled(run, &next, s.mid, s.low, &next)) {
        struct recorded r;
        int rc = lookup(run, &next, &r, err);

        if (rc < 0)
            return rc;
        run->sum->configs++;
        if (is_done(&r, run->opt->again)) {
            run->sum->present++;
            s = (struct slowdown){r.slowdown, r.slowdown_low};
            continue;
        }
        run->sum->planned++;
        if (time_is_up(run))
            return 0;
        while (*room < next.load_bytes)
            *room *= ROOM_FACTOR;
        rc = measure_one(run, &next, *room, &s, err);
        if (rc < 0 || run->stop)
            return rc;
        run->sum->doubled++;
    }
    return 0;
}

/* Configurations of one case on one path: the worker keeps inputs and reference for all of them. */
static int measure_block(struct run *run, const struct sweep_config *g, int n, struct err *err)
{
    struct slowdown *slowdown = calloc((size_t)n, sizeof(*slowdown));
    uint64_t room = 4 * dtype_bytes(g->c.dtype);
    int done = 0, rc = 0;

    if (!slowdown)
        return err_set(err, -ENOMEM, "out of memory");
    for (int i = 0; i < n; i++)
        if (g[i].load_bytes > room)
            room = g[i].load_bytes;
    for (; done < n && rc == 0 && !time_is_up(run); done++)
        rc = measure_one(run, &g[done], room, &slowdown[done], err);
    for (int i = 0; i < done && rc == 0 && !run->stop; i++)
        rc = measure_doubled(run, &g[i], slowdown[i], &room, err);
    free(slowdown);
    return rc;
}

static int measure_all(struct run *run, struct sweep_config *pending, int n, struct err *err)
{
    bool active = run->opt->strategy == SWEEP_ACTIVE;
    bool blocks = active || run->opt->strategy == SWEEP_EXHAUSTIVE || run->opt->limit;
    struct child_options co = {.program = run->opt->worker,
                               .info = run->dev,
                               .timeout_ns = run->opt->timeout_ns,
                               .interrupted = run->opt->interrupted};
    int rc;

    rc = store_device(run->st, run->dev, &run->device_id, err);
    if (rc == 0)
        rc = store_session(run->st, run->device_id, run->opt->argc, run->opt->argv,
                           &run->session_id, err);
    if (rc == 0)
        rc = record_pace_find(run->st, run->session_id, &run->pace_ns, err);
    if (rc == 0)
        rc = child_new(&co, &run->child, err);
    for (int i = 0, end, ordered = active ? 0 : n; i < n && rc == 0 && !run->stop; i = end) {
        if (i == ordered) {
            rc = order_active(run->st, run->device_id, run->dev, pending + i, n - i,
                              run->opt->seed, &ordered, err);
            if (rc < 0)
                break;
            ordered += i;
        }
        end = i + 1;
        while (blocks && end < ordered && order_same_block(&pending[i], &pending[end]))
            end++;
        rc = measure_block(run, &pending[i], end - i, err);
    }
    if (run->child)
        run->sum->workers = child_starts(run->child);
    child_free(run->child);
    if (rc == 0)
        rc = record_pace(run->st, run->session_id, run->pace_ns, err);
    if (rc == 0)
        rc = store_session_end(run->st, run->session_id, err);
    return rc;
}

int sweep_run(struct store *st, const struct device_info *dev, const struct spec *spec,
              const struct sweep_options *opt, struct sweep_summary *ret_s, struct err *err)
{
    struct sweep_summary sum = {0};
    struct run run = {.st = st, .dev = dev, .opt = opt, .sum = &sum, .started_ns = clock_ns()};
    struct sweep_config *pending = calloc((size_t)spec->n + 1, sizeof(*pending));
    int n = 0, rc = 0;

    if (!pending)
        return err_set(err, -ENOMEM, "out of memory");
    if (st)
        rc = store_find_device(st, dev, &run.device_id, err);
    if (rc == 0)
        rc = select_pending(&run, spec, pending, &n, err);
    if (rc == 0)
        rc = opt->strategy == SWEEP_RANDOM ? order_random(pending, n, opt->limit, opt->seed, err)
                                           : order_blocks(pending, n, opt->seed, err);
    if (rc == 0 && opt->limit && n > opt->limit && opt->strategy != SWEEP_ACTIVE)
        n = (int)opt->limit;
    sum.planned = opt->limit && n > opt->limit ? opt->limit : n;
    if (rc == 0)
        rc = estimate(&run, pending, n, err);
    if (rc == 0 && n > 0 && !opt->dry_run)
        rc = measure_all(&run, pending, n, err);
    free(pending);
    sum.wall_ns = (double)(clock_ns() - run.started_ns);
    sum.other_ns = sum.wall_ns - sum.store_ns;
    for (int p = 0; p < PHASES; p++)
        sum.other_ns -= sum.phase_ns[p];
    *ret_s = sum;
    return rc;
}
