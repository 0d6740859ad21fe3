#include "harness/sweep/worker.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/sweep/own.h"
#include "harness/sweep/wire.h"
#include "operators/trial/trial.h"
#include "profiler/clock.h"
#include "profiler/device.h"

struct worker {
    int fd;
    struct device *dev;
    struct measurer *m;
    struct trial *trial; /* of trial_case on trial_path, with room for trial_room bytes of load */
    char trial_case[OP_TEXT_MAX];
    enum mem_path trial_path;
    uint64_t trial_room, trial_seed;
    struct op_program *base; /* verified; of base_key: case and naive variant */
    char base_key[2 * OP_TEXT_MAX];
};

/* One order being carried out. Side 0 is the naive form without load; side 1, if there is a load,
 * the form that carries it. */
struct job {
    const struct work_order *order;
    struct trial *trial; /* the worker's, once it is prepared */
    struct op_case c;
    struct op_variant v;
    int sides;
    struct op_program *program[2];
    struct op_args args[2];
    bool verified[2];
};

static void stage(struct worker *w, const char *name)
{
    wire_send(w->fd, "stage", json_string(name), NULL);
}

/* How a failure reads in a row: the same errno means different things in different stages. */
static int failed(struct work_result *r, enum sample_status otherwise, const struct err *e)
{
    switch (e->code) {
    case -ENOMEM:
        r->status = SAMPLE_OUT_OF_MEMORY;
        break;
    case -ENOEXEC:
        r->status = SAMPLE_BUILD_FAILED;
        break;
    default:
        r->status = otherwise;
        break;
    }
    snprintf(r->error, sizeof(r->error), "%s", e->text);
    return e->code < 0 ? e->code : -EIO;
}

static void forget_base(struct worker *w)
{
    op_program_free(w->base);
    w->base = NULL;
    w->base_key[0] = '\0';
}

static int build(struct worker *w, struct job *job, struct work_result *r)
{
    struct op_variant naive = job->v;
    char key[2 * OP_TEXT_MAX], text[OP_TEXT_MAX];
    struct err e = {0};
    double ns = 0;
    int rc = 0;

    naive.form = FORM_NAIVE;
    naive.n_loads = 0;
    op_variant_print(&job->c, &naive, text);
    snprintf(key, sizeof(key), "%s|%s", job->order->c, text);
    if (w->base && strcmp(w->base_key, key) == 0) {
        job->program[0] = w->base;
        job->verified[0] = true;
    } else {
        forget_base(w);
        rc = op_program_new(w->dev, &job->c, &naive, &w->base, &e);
        if (rc < 0)
            return failed(r, rc == -EINVAL ? SAMPLE_UNSUPPORTED : SAMPLE_BUILD_FAILED, &e);
        snprintf(w->base_key, sizeof(w->base_key), "%s", key);
        job->program[0] = w->base;
        ns += (double)op_program_build_ns(w->base);
    }
    if (job->sides == 2) {
        rc = op_program_new(w->dev, &job->c, &job->v, &job->program[1], &e);
        if (rc < 0)
            return failed(r, rc == -EINVAL ? SAMPLE_UNSUPPORTED : SAMPLE_BUILD_FAILED, &e);
        ns += (double)op_program_build_ns(job->program[1]);
    }
    r->build_ns = ns;
    snprintf(r->build_hash, sizeof(r->build_hash), "%016" PRIx64,
             op_program_hash(job->program[job->sides - 1]));
    return 0;
}

/* Inputs and reference of the case: kept while orders stay with it; the reference also where only
 * the path or the room for loads changes. */
static int prepare(struct worker *w, const struct job *job, struct work_result *r)
{
    const struct work_order *o = job->order;
    struct err e = {0};
    uint64_t room = o->room_bytes > o->load_bytes ? o->room_bytes : o->load_bytes;
    bool same = w->trial && strcmp(w->trial_case, o->c) == 0 && w->trial_seed == o->seed;
    struct trial_reference *reference;
    int rc;

    if (same && w->trial_path == job->v.path && w->trial_room >= o->load_bytes)
        return 0;
    reference = same ? trial_take_reference(w->trial) : NULL;
    trial_free(w->trial);
    w->trial = NULL;
    rc =
        trial_new(w->dev, measurer_queue(w->m), &job->c, job->v.path, room, o->seed, &w->trial, &e);
    if (rc < 0) {
        trial_reference_free(reference);
        return failed(r, rc == -EINVAL ? SAMPLE_UNSUPPORTED : SAMPLE_LAUNCH_FAILED, &e);
    }
    trial_give_reference(w->trial, reference);
    snprintf(w->trial_case, sizeof(w->trial_case), "%s", o->c);
    w->trial_path = job->v.path;
    w->trial_room = room;
    w->trial_seed = o->seed;
    return 0;
}

static int verify(struct worker *w, struct job *job, struct work_result *r)
{
    struct err e = {0};

    for (int side = 0; side < job->sides; side++) {
        uint64_t load = side == 1 ? job->order->load_bytes : 0;
        struct trial_verdict verdict = {0};
        int rc;

        rc = trial_bind(w->trial, job->program[side], load, &job->args[side], &e);
        if (rc < 0)
            return failed(r, rc == -EINVAL ? SAMPLE_UNSUPPORTED : SAMPLE_LAUNCH_FAILED, &e);
        if (job->verified[side])
            continue;
        rc = trial_verify(w->trial, job->program[side], &job->args[side], &verdict, &e);
        if (rc < 0)
            return failed(r, SAMPLE_LAUNCH_FAILED, &e);
        if (!(verdict.worst <= r->worst_error)) /* NaN at first */
            r->worst_error = verdict.worst;
        if (!verdict.ok) {
            r->status = SAMPLE_WRONG;
            snprintf(r->error, sizeof(r->error), "%s%s",
                     side == 0 && job->sides == 2 ? "base: " : "", verdict.text);
            return -EBADMSG;
        }
    }
    return 0;
}

_Static_assert((int)TRIAL_EVENTS <= (int)MEASURE_EVENTS, "a launch's events fit");

static int enqueue(void *ctx, cl_command_queue queue, int side, cl_event *ret_event,
                   struct err *err)
{
    struct job *job = ctx;

    return trial_enqueue(job->trial, job->program[side], queue, &job->args[side], ret_event, err);
}

/* NULL of NULL, or without memory. */
static void *copy(const void *from, size_t bytes)
{
    void *p = from ? malloc(bytes + 1) : NULL;

    return p ? memcpy(p, from, bytes) : NULL;
}

static int keep(const struct measure_result *m, struct work_result *r)
{
    size_t n = (size_t)m->n;

    r->status = m->status;
    snprintf(r->error, sizeof(r->error), "%s", m->reason ? m->reason : "");
    snprintf(r->timer, sizeof(r->timer), "%s", m->timer ? m->timer : "");
    for (int i = 0; i < m->sides; i++) {
        const struct measure_side *s = &m->side[i];

        r->side[i] = (struct work_side){.median_ns = s->median_ns,
                                        .low_ns = s->low_ns,
                                        .high_ns = s->high_ns,
                                        .mad_ns = s->mad_ns,
                                        .time_ns = copy(s->time_ns, n * sizeof(*s->time_ns)),
                                        .cores = copy(s->cores, n * sizeof(*s->cores))};
        if (!r->side[i].time_ns || (s->cores && !r->side[i].cores))
            return -ENOMEM;
    }
    r->aside = copy(m->aside, n * sizeof(*m->aside));
    if (!r->aside)
        return -ENOMEM;
    r->batch = m->batch;
    r->n = m->n;
    r->sides = m->sides;
    if (m->sides == 2) {
        r->slowdown = m->slowdown.mid;
        r->slowdown_low = m->slowdown.low;
        r->slowdown_high = m->slowdown.high;
    }
    r->warmup_ns = (double)m->warmup_ns;
    r->flush_ns = (double)m->flush_ns;
    r->measure_ns = (double)m->measure_ns;
    return 0;
}

static int time_it(struct worker *w, struct job *job, struct work_result *r)
{
    struct measure_subject subject = {.ctx = job, .sides = job->sides, .enqueue = enqueue};
    struct measure_result m;
    struct err e = {0};
    int rc;

    measurer_know_pace(w->m, job->order->pace_ns);
    rc = measure(w->m, &subject, &job->order->measure, &m, &e);
    r->pace_ns = (double)measurer_pace(w->m);
    if (rc < 0)
        return failed(r, SAMPLE_LAUNCH_FAILED, &e);
    rc = keep(&m, r);
    measure_done(&m);
    if (rc < 0) {
        err_set(&e, rc, "out of memory on the host");
        return failed(r, SAMPLE_OUT_OF_MEMORY, &e);
    }
    return 0;
}

/* What the kernel does where memory is short: malloc() of anything big fails from now on. */
static void run_short_of_memory(void)
{
    struct rlimit limit = {0};
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (!f || fscanf(f, "%lu", &pages) != 1)
        abort();
    fclose(f);
    limit.rlim_cur = limit.rlim_max = pages * (rlim_t)sysconf(_SC_PAGESIZE) + (256 << 10);
    setrlimit(RLIMIT_AS, &limit);
}

/* "FAULT:TEXT", several with ';' between them. */
static void inject_faults(const char *key)
{
    char all[512], *rest = all, *one;
    const char *faults = getenv("FLASHMEM_FAULT");

    snprintf(all, sizeof(all), "%s", faults ? faults : "");
    while ((one = strsep(&rest, ";")) != NULL) {
        char *text = strchr(one, ':');

        if (!text || !strstr(key, text + 1))
            continue;
        if (strncmp(one, "crash:", 6) == 0)
            abort();
        if (strncmp(one, "kill:", 5) == 0)
            raise(SIGKILL);
        if (strncmp(one, "memory:", 7) == 0)
            run_short_of_memory();
        if (strncmp(one, "hang:", 5) == 0)
            for (;;)
                pause();
    }
}

/* "start:FILE" makes as many workers die before they are ready as FILE has bytes. */
static void fail_to_start(void)
{
    const char *faults = getenv("FLASHMEM_FAULT");
    const char *at = faults ? strstr(faults, "start:") : NULL;
    char path[256];
    struct stat s;

    if (!at)
        return;
    snprintf(path, sizeof(path), "%.*s", (int)strcspn(at + 6, ";"), at + 6);
    if (stat(path, &s) == 0 && s.st_size > 0 && truncate(path, s.st_size - 1) == 0)
        abort();
}

static void carry_out(struct worker *w, const struct work_order *o, struct work_result *r)
{
    struct job job = {.order = o, .sides = o->load_bytes > 0 ? 2 : 1};
    struct err e = {0};
    uint64_t since;
    int rc;

    inject_faults(o->key);
    stage(w, "build");
    rc = op_case_parse(o->c, &job.c, &e);
    if (rc == 0)
        rc = op_variant_parse(&job.c, &w->dev->info, o->v, &job.v, &e);
    if (rc < 0) {
        failed(r, SAMPLE_UNSUPPORTED, &e);
        return;
    }
    rc = build(w, &job, r);
    if (rc == 0) {
        since = clock_ns();
        stage(w, "verify");
        rc = prepare(w, &job, r);
        job.trial = w->trial;
        if (rc == 0)
            rc = verify(w, &job, r);
        r->verify_ns = (double)(clock_ns() - since);
    }
    if (rc == 0) {
        stage(w, "measure");
        rc = time_it(w, &job, r);
    } else {
        forget_base(w); /* only what was verified is kept */
    }
    op_program_free(job.program[1]);
}

static int serve(struct worker *w, struct wire_reader *reader, struct err *err)
{
    for (;;) {
        struct work_order o;
        struct work_result r;
        json_t *j = NULL;
        int rc = wire_receive(reader, NULL, NULL, &j, err);

        if (rc < 0)
            return rc == -EPIPE ? 0 : rc;
        rc = wire_read_order(json_object_get(j, "order"), &o, err);
        json_decref(j);
        if (rc < 0)
            return rc;
        work_result_init(&r, SAMPLE_CRASHED);
        carry_out(w, &o, &r);
        rc = wire_send(w->fd, "result", wire_result(&r), err);
        work_result_done(&r);
        if (rc < 0)
            return rc == -EPIPE ? 0 : rc;
    }
}

int worker_run(const char *selector, int fd, struct err *err)
{
    struct worker w = {.fd = fd};
    struct wire_reader reader = {.fd = fd};
    struct custom *own = NULL;
    int type, rc;
    socklen_t size = sizeof(type);

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
        return err_set(err, -ENOTSOCK, "worker processes are started by 'flashmem sweep'");
    fail_to_start();
    rc = own_inherit(&own, err);
    if (rc == 0)
        rc = device_open(selector, &w.dev, err);
    if (rc == 0)
        rc = measurer_new(w.dev, &w.m, err);
    if (rc < 0)
        wire_send(fd, "error", json_string(err ? err->text : "cannot open the device"), NULL);
    else
        rc = wire_send(fd, "hello",
                       json_pack("{s:s,s:s,s:s}", "platform", w.dev->info.platform, "name",
                                 w.dev->info.name, "driver", w.dev->info.driver),
                       err);
    if (rc == 0)
        rc = serve(&w, &reader, err);
    wire_reader_done(&reader);
    forget_base(&w);
    trial_free(w.trial);
    measurer_free(w.m);
    device_close(w.dev);
    custom_free(own);
    return rc;
}
