/* flashmem queue: models one after another, within one memory limit. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/cli/setup/queue_seats.h"
#include "harness/text/units.h"
#include "profiler/clock.h"
#include "profiler/pinned.h"

#define RSS_PERIOD_NS 10000000

struct queue_opts {
    struct replay_opts replay; /* first: see PLAN_OPTION_ROWS */
    const char *against;
    int64_t iterations;
    int order;
    bool preempt, no_overlap;
};
_Static_assert(offsetof(struct queue_opts, replay) == 0, "PLAN_OPTION_ROWS");

static const char *const order_names[] = {"shuffled", "file", NULL};
static const char *const source_names[] = {"disk", "ram", NULL};

#define FIELD(f) offsetof(struct queue_opts, f)
static const struct opt opts[] = {
    {.name = "--policy", .type = OPT_LIST, .offset = FIELD(replay.policies), .arg = "POLICY",
     .help = "that plans every model (default: latency)"},
    {.name = "--against", .type = OPT_TEXT, .offset = FIELD(against), .def = "preload",
     .arg = "POLICY",
     .help = "then run the same order under this one, without a limit and each model after the "
             "other, as frameworks do; or 'none'"},
    {.name = "--preempt", .type = OPT_FLAG, .offset = FIELD(preempt),
     .help = "once more: requests with a priority above 0 interrupt at a layer boundary"},
    {.name = "--no-overlap", .type = OPT_FLAG, .offset = FIELD(no_overlap),
     .help = "the next model does not read before the one before it has ended"},
    {.name = "--iterations", .type = OPT_INT, .offset = FIELD(iterations), .min = 0, .max = 10000,
     .arg = "N", .help = "of each row that is not urgent, in place of its 'repeat'"},
    {.name = "--order", .type = OPT_CHOICE, .offset = FIELD(order), .def = "shuffled",
     .choices = order_names,
     .help = "of requests that arrive together: by --seed, or as the workload has them"},
    PLAN_OPTION_ROWS,
    {.name = "--reader", .type = OPT_CHOICE, .offset = FIELD(replay.reader), .def = "ahead",
     .choices = executor_reader_names,
     .help = "read as soon as there is room, or from layer z_w on"},
    {.name = "--kernel", .type = OPT_CHOICE, .offset = FIELD(replay.kernel), .def = "auto",
     .choices = replay_kernel_names,
     .help = "how load is carried, as in 'replay'; auto: direct where host and device share "
             "memory, else as 'replay' has it"},
    {.name = "--source", .type = OPT_CHOICE, .offset = FIELD(replay.source), .def = "disk",
     .choices = source_names, .help = "ram: emulated, from a copy in memory made before"},
    {.name = "--disk-rate", .type = OPT_BYTES, .offset = FIELD(replay.disk_rate), .arg = "BYTES",
     .help = "emulated: read so many a second at most, 500MB for instance"},
    {.name = "--slice", .type = OPT_TEXT, .offset = FIELD(replay.slice), .arg = "BYTES",
     .help = "use larger weights in parts of about this size, or 'none', as in 'replay'"},
    {.name = "--verify", .type = OPT_FLAG, .offset = FIELD(replay.verify),
     .help = "compare each model's run alone with a plain-C reference in double precision as well"},
    {0},
};

/* One time through the workload. */
struct pass {
    const char *policy;
    uint64_t memory;
    struct queue_options opt;
    const char *status; /* NULL: not begun */
    struct queue_step *step;
    struct queue_result result;
    double *alone_ms;
    const char **verified;
};

enum { MOST_PASSES = 3 };

struct show {
    const struct cli *cli;
    const struct queue_opts *o;
    struct workload w;
    struct store *st;
    struct device *dev;
    int64_t device_id, session_id;
    struct pass pass[MOST_PASSES];
    int n;
    uint64_t began_ns;
    bool wrong; /* an output is not the reference's */
};

static bool interrupted(void)
{
    return cli_interrupted;
}

static void show_progress(void *ctx, int done, int n)
{
    const struct show *s = ctx;

    cli_progress(s->cli, "steps", done, n, s->began_ns);
}

static const char *mode_name(const struct pass *p)
{
    return p->opt.preempt ? "preempt" : "fifo";
}

static int save_pass(const struct show *s, struct pass *p, const struct queue_seats *seats,
                     struct err *err)
{
    size_t n = (size_t)s->w.n;
    uint64_t *alone = calloc(n, sizeof(*alone));
    double *error = calloc(n, sizeof(*error));
    const char **model = calloc(n, sizeof(*model));
    const struct replay_session *first = &seats->place[0].session;
    struct queue_row row = {
        .session_id = s->session_id,
        .workload = &s->w,
        .order_seed = s->o->order ? -1 : s->cli->seed,
        .policy = p->policy,
        .dtype = dtype_name(first->m->dtype),
        .exec = &first->exec,
        .memory_limit = p->memory,
        .build_ns = seats->build_ns,
        .cold = executor_direct(first->ex),
        .opt = &p->opt,
        .status = p->status,
        .alone_ns = alone,
        .verify_error = error,
        .verified = p->verified,
        .model = model,
    };
    int rc = alone && error && model ? 0 : err_set(err, -ENOMEM, "out of memory for a row");

    for (int i = 0; i < s->w.n && rc == 0; i++) {
        const struct queue_place *at = &seats->place[seats->place_of[i]];

        alone[i] = at->lone.integrated_ns;
        error[i] = at->verify_error;
        model[i] = at->session.m->name;
        if (at->session.m->dtype != first->m->dtype)
            row.dtype = "mixed";
    }
    if (rc == 0)
        rc = queue_save(s->st, &row, p->step, &p->result, err);
    free(alone);
    free(error);
    free(model);
    return rc;
}

/* "yes": bit for bit the output of the run alone, and that one the reference's, if it was asked. */
static void judge(struct show *s, struct pass *p, const struct queue_seats *seats)
{
    double tolerance;

    for (int i = 0; i < s->w.n; i++) {
        const struct queue_place *at = &seats->place[seats->place_of[i]];
        bool good;

        tolerance = at->session.m->dtype == DTYPE_F16 ? 1e-2 : 1e-3;
        good = p->step[i].same && (!s->o->replay.verify || at->verify_error <= tolerance);
        p->alone_ms[i] = (double)at->lone.integrated_ns / 1e6;
        if (p->step[i].done)
            p->verified[i] = good ? "yes" : "no";
        s->wrong = s->wrong || (p->step[i].done && !good);
    }
}

static int run_pass(struct show *s, struct pass *p, const struct queue_seats *seats,
                    struct err *err)
{
    size_t n = (size_t)s->w.n;
    struct queue_request *request = calloc(n, sizeof(*request));
    int rc = 0, saved;

    p->step = calloc(n, sizeof(*p->step));
    p->alone_ms = calloc(n, sizeof(*p->alone_ms));
    p->verified = calloc(n, sizeof(*p->verified));
    if (!request || !p->step || !p->alone_ms || !p->verified)
        rc = err_set(err, -ENOMEM, "out of memory for %d requests", s->w.n);
    for (int i = 0; i < s->w.n && rc == 0; i++)
        request[i] = (struct queue_request){
            .seat = seats->place[seats->place_of[i]].seat,
            .arrive_ns = s->w.request[i].arrive_ns,
            .priority = s->w.request[i].priority,
        };
    s->began_ns = clock_ns();
    p->opt.kept_bytes = seats->kept_bytes;
    if (rc == 0) {
        rc = queue_run(seats->queue, request, s->w.n, &p->opt, p->step, &p->result, err);
        p->status = rc == 0 ? "ok" : rc == -EINTR ? "interrupted" : "failed";
        judge(s, p, seats);
        saved = save_pass(s, p, seats, rc == 0 ? err : NULL);
        rc = rc == 0 ? saved : rc;
    }
    free(request);
    return rc < 0 ? err_prefix(err, "%s, %s", p->policy, mode_name(p)) : 0;
}

/* The models under one policy, and the passes for which they are made. */
static int run_seats(struct show *s, struct pass *pass, int n, struct err *err)
{
    struct replay_opts ro = s->o->replay;
    struct queue_seats seats = {
        .cli = s->cli,
        .opts = &ro,
        .workload = &s->w,
        .st = s->st,
        .dev = s->dev,
        .device_id = s->device_id,
        .session_id = s->session_id,
        .stop = interrupted,
        .halves = pass[0].opt.overlap,
    };
    struct err unshared = {0};
    int rc;

    ro.policies = (struct opt_list){1, &pass[0].policy};
    ro.planning.memory = pass[0].memory;
    if (ro.kernel == KERNEL_AUTO && pinned_shared(s->dev, &unshared) == 0)
        ro.kernel = KERNEL_DIRECT;
    rc = queue_seats_open(&seats, err);
    for (int k = 0; k < n && rc == 0; k++)
        rc = run_pass(s, &pass[k], &seats, err);
    queue_seats_close(&seats);
    return rc;
}

static void plan_passes(struct show *s)
{
    const struct queue_opts *o = s->o;
    struct pass usual = {
        .policy = o->replay.policies.n > 0 ? o->replay.policies.item[0] : "latency",
        .memory = o->replay.planning.memory,
        .opt = {.overlap = !o->no_overlap,
                .rss_period_ns = RSS_PERIOD_NS,
                .progress = show_progress,
                .ctx = s},
    };

    s->pass[s->n++] = usual;
    if (o->preempt) {
        s->pass[s->n] = usual;
        s->pass[s->n++].opt.preempt = true;
    }
    if (strcmp(o->against, "none") != 0) {
        s->pass[s->n] = usual;
        s->pass[s->n].policy = o->against;
        s->pass[s->n].memory = 0;
        s->pass[s->n++].opt.overlap = false;
    }
}

/* ---- output ---- */

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

static void print_steps(struct table *t, const struct show *s, const struct pass *p)
{
    for (int i = 0; i < s->w.n; i++) {
        const struct queue_step *q = &p->step[i];
        const struct workload_request *r = &s->w.request[i];
        const double times[] = {ms(q->start_ns), ms(q->end_ns), ms(q->turn_ns - r->arrive_ns)};

        table_int(t, i + 1);
        table_text(t, r->model);
        for (int k = 0; k < 3; k++)
            table_real(t, q->done ? times[k] : NAN, 4);
        if (q->done)
            table_int(t, (int64_t)q->peak_bytes);
        else
            table_empty(t);
        table_text(t, p->verified[i]);
        table_text(t, p->policy);
        table_text(t, mode_name(p));
        table_int(t, r->priority);
        table_real(t, ms(r->arrive_ns), 4);
        table_real(t, q->done ? ms(q->turn_ns) : NAN, 4);
        table_real(t, q->done ? ms(q->paused_ns) : NAN, 4);
        table_real(t, p->alone_ms[i], 4);
    }
}

static void print_pass(struct table *t, const struct pass *p)
{
    table_text(t, p->policy);
    table_text(t, mode_name(p));
    if (p->memory)
        table_int(t, (int64_t)p->memory);
    else
        table_empty(t);
    table_real(t, ms(p->result.total_ns), 4);
    table_int(t, (int64_t)p->result.mem.peak_bytes);
    table_int(t, (int64_t)p->result.mem.avg_bytes);
    table_real(t, p->result.mem.byte_s, 4);
    table_int(t, (int64_t)p->result.mem.rss_peak_bytes);
    table_text(t, p->status);
}

static int finish_table(struct table *t, enum format format, struct err *err)
{
    int rc = t ? table_print(t, format, stdout) : -ENOMEM;

    table_free(t);
    return rc < 0 ? err_set(err, rc, "standard output: cannot write: is the disk full?") : 0;
}

/* What urgent requests took from arrival to output, in both modes of the same policy. */
static struct table *urgent_table(const struct show *s)
{
    const struct pass *fifo = &s->pass[0], *preempt = &s->pass[1];
    struct table *t = table_new("step,model,arrive_ms,alone_ms,fifo_latency_ms,preempt_latency_ms");

    for (int i = 0; t && i < s->w.n; i++) {
        const struct workload_request *r = &s->w.request[i];

        if (r->priority <= 0)
            continue;
        table_int(t, i + 1);
        table_text(t, r->model);
        table_real(t, ms(r->arrive_ns), 4);
        table_real(t, preempt->alone_ms[i], 4);
        table_real(t, fifo->step[i].done ? ms(fifo->step[i].end_ns - r->arrive_ns) : NAN, 4);
        table_real(t, preempt->step[i].done ? ms(preempt->step[i].end_ns - r->arrive_ns) : NAN, 4);
    }
    return t;
}

/* Programs get the steps alone; people the passes, and urgent requests side by side, as well. */
static int print_all(const struct show *s, struct err *err)
{
    enum format format = (enum format)s->cli->format;
    struct table *t = table_new("step,model,start_ms,end_ms,wait_ms,peak_bytes,verified,policy,mode,"
                                "priority,arrive_ms,turn_ms,paused_ms,alone_ms");
    int rc;

    for (int k = 0; t && k < s->n; k++)
        if (s->pass[k].status)
            print_steps(t, s, &s->pass[k]);
    rc = finish_table(t, format, err);
    if (rc < 0 || format == FORMAT_CSV || format == FORMAT_JSON)
        return rc;
    t = table_new("policy,mode,memory_limit,total_ms,peak_bytes,avg_bytes,mem_byte_s,"
                  "rss_peak_bytes,status");
    for (int k = 0; t && k < s->n; k++)
        if (s->pass[k].status)
            print_pass(t, &s->pass[k]);
    putchar('\n');
    rc = finish_table(t, format, err);
    if (rc < 0 || !s->o->preempt || !s->pass[1].status)
        return rc;
    putchar('\n');
    return finish_table(urgent_table(s), format, err);
}

/* ---- the command ---- */

static int check_options(const struct queue_opts *o, struct err *err)
{
    struct opt_list against = {1, (const char **)&o->against};
    uint64_t bytes;

    if (o->replay.policies.n > 1)
        return err_set(err, -EINVAL, "--policy: give one, and --against POLICY for another, got %d",
                       o->replay.policies.n);
    if (strcmp(o->against, "none") != 0 && plan_options_policies(&against, err) < 0)
        return err_prefix(err, "--against");
    if (o->replay.disk_rate && o->replay.disk_rate < 1000000)
        return err_set(err, -EINVAL, "--disk-rate: want 1MB or more in a second, got %llu bytes",
                       (unsigned long long)o->replay.disk_rate);
    if (o->replay.slice && strcmp(o->replay.slice, "none") != 0 &&
        parse_bytes(o->replay.slice, &bytes, err) < 0)
        return err_prefix(err, "--slice");
    return 0;
}

static int open_all(struct show *s, const char *workload, struct err *err)
{
    int rc = workload_read(workload, s->o->iterations, &s->w, err);
    bool urgent = false;

    for (int i = 0; rc == 0 && i < s->w.n; i++)
        urgent = urgent || s->w.request[i].priority > 0;
    if (rc == 0 && s->o->preempt && !urgent)
        return err_set(err, -EINVAL, "--preempt: '%s' has no row with a priority above 0", workload);
    if (rc == 0 && s->o->order == 0)
        workload_shuffle(&s->w, (uint64_t)s->cli->seed);
    if (rc == 0)
        rc = store_open(s->cli->db_path, STORE_WRITE, &s->st, err);
    if (rc == 0)
        rc = device_open(s->cli->device, &s->dev, err);
    if (rc == 0)
        rc = store_device(s->st, &s->dev->info, &s->device_id, err);
    if (rc == 0)
        rc = store_session(s->st, s->device_id, s->cli->argc, s->cli->argv, &s->session_id, err);
    return rc;
}

static void close_all(struct show *s)
{
    for (int k = 0; k < s->n; k++) {
        queue_result_done(&s->pass[k].result);
        free(s->pass[k].step);
        free(s->pass[k].alone_ms);
        free(s->pass[k].verified);
    }
    device_close(s->dev);
    store_close(s->st);
    workload_done(&s->w);
}

static int queue_all(struct show *s, const char *workload, struct err *err)
{
    int rc = open_all(s, workload, err), ours;

    if (rc < 0)
        return rc;
    plan_passes(s);
    ours = strcmp(s->o->against, "none") == 0 ? s->n : s->n - 1;
    rc = run_seats(s, s->pass, ours, err); /* too small a limit is refused before anything runs */
    if (rc == 0 && ours < s->n)
        rc = run_seats(s, &s->pass[ours], 1, err);
    if (rc == 0)
        rc = store_session_end(s->st, s->session_id, err);
    if (s->pass[0].status) { /* what was finished is shown, also after a failure */
        int printed = print_all(s, rc == 0 ? err : NULL);

        rc = rc == 0 ? printed : rc;
    }
    return rc;
}

static int run(const struct cli *cli, const void *options, int n_args, char **args,
               struct err *err)
{
    const struct queue_opts *o = options;
    struct show s = {.cli = cli, .o = o};
    int rc;

    (void)n_args;
    if (plan_options_check(&o->replay.planning, err) < 0 ||
        plan_options_policies(&o->replay.policies, err) < 0 || check_options(o, err) < 0)
        return EXIT_USAGE;
    rc = queue_all(&s, args[0], err);
    close_all(&s);
    if (rc < 0)
        return EXIT_FAILED;
    if (s.wrong) {
        err_set(err, -EPROTO, "an output differs from the reference: see verify_error of queue_step");
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}

const struct command command_queue = {
    .name = "queue",
    .args = "WORKLOAD",
    .summary = "run models one after another within one memory limit, against preloading each",
    .example = "flashmem queue datasets/workloads/paper.csv --dtype f16 --memory 1.5GB",
    .opts = opts,
    .opts_size = sizeof(struct queue_opts),
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
