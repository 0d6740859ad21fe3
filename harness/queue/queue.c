#include "harness/queue/queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "harness/queue/share.h"
#include "profiler/clock.h"

#define POLL_NS 1000000 /* how soon the end of reading, an arrival or Ctrl-C is noticed */

struct runner;

struct queue_seat {
    struct queue *q;
    struct queue_seat *next;
    bool urgent;
    struct executor_gate gate;
    struct share_account *account;
    struct executor *ex;
    const struct schedule *s;
    int n_layers;
    uint64_t *need_bytes; /* [n_layers + 1]: the most that it has from layer l on; 0: from the start */
    uint64_t hash;
    struct runner *runner; /* NULL: none; measured alone */
};

/* One request on its way, on a thread of its own or, an urgent one, on that of whom it interrupts. */
struct runner {
    struct queue *q;
    struct queue_seat *seat;
    int request;
    struct queue_step *step;
    bool has_turn, finished;
    int rc;
    struct err err;
    pthread_t thread;
};

struct queue {
    struct share *share;
    bool (*stop)(void);
    struct queue_seat *seat; /* a list */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* Of a run: */
    const struct queue_request *request;
    struct queue_options opt;
    struct queue_step *step;
    bool *taken; /* [n] */
    int n, n_done, urgent_left;
    uint64_t began_ns;
    bool stopping;
};

/* ---- who comes next; the lock is held ---- */

static uint64_t now_ns(const struct queue *q)
{
    return clock_ns() - q->began_ns;
}

static bool is_due(const struct queue *q, int i)
{
    return !q->taken[i] && q->request[i].arrive_ns <= now_ns(q);
}

/* -1: nobody has come. Without preemption the first; with it, of urgent or of other ones, the first
 * of the highest priority. */
static int pick(const struct queue *q, bool urgent)
{
    int best = -1;

    for (int i = 0; i < q->n; i++) {
        if (!is_due(q, i))
            continue;
        if (!q->opt.preempt)
            return i;
        if (q->request[i].seat->urgent == urgent &&
            (best < 0 || q->request[i].priority > q->request[best].priority))
            best = i;
    }
    return best;
}

static bool urgent_due(const struct queue *q)
{
    return q->opt.preempt && q->urgent_left > 0 && pick(q, true) >= 0;
}

static void take(struct queue *q, int i, struct runner *ret_r)
{
    *ret_r = (struct runner){
        .q = q, .seat = q->request[i].seat, .request = i, .step = &q->step[i]};
    q->taken[i] = true;
    ret_r->seat->runner = ret_r;
}

/* From here on it never waits for memory: what it may need is kept for it. */
static void give_turn(struct runner *r)
{
    r->has_turn = true;
    r->step->turn_ns = now_ns(r->q);
    share_promise(r->seat->account, r->seat->need_bytes[0]);
    pthread_cond_broadcast(&r->q->changed);
}

static void stop_all(struct queue *q)
{
    q->stopping = true;
    share_cancel(q->share, true);
    pthread_cond_broadcast(&q->changed);
}

/* ---- one request ---- */

static void run_request(struct runner *r)
{
    struct queue *q = r->q;
    struct run_result result = {0};

    r->rc = executor_run(r->seat->ex, r->seat->s, NULL, &result, &r->err);
    pthread_mutex_lock(&q->lock);
    if (r->rc == 0) {
        r->step->start_ns = result.began_ns - q->began_ns;
        r->step->end_ns = r->step->start_ns + result.integrated_ns;
        r->step->peak_bytes = result.mem.peak_bytes;
        r->step->bytes_read = result.bytes_read;
        r->step->same = result.output_hash == r->seat->hash;
        r->step->done = true;
        q->n_done++;
    }
    if (r->seat->urgent && q->opt.preempt && --q->urgent_left == 0)
        share_set_aside(q->share, 0);
    share_promise(r->seat->account, 0);
    r->seat->runner = NULL;
    r->finished = true;
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->lock);
}

static void *runner_main(void *arg)
{
    run_request(arg);
    return NULL;
}

/* On the thread of the one that is interrupted, and in its place. */
static int serve_urgent(struct runner *r, int i, int layer, struct err *err)
{
    struct queue *q = r->q;
    struct runner urgent;
    uint64_t from = now_ns(q);

    take(q, i, &urgent);
    give_turn(&urgent);
    if (r->step->paused_layer == 0)
        r->step->paused_layer = layer;
    pthread_mutex_unlock(&q->lock);
    run_request(&urgent);
    pthread_mutex_lock(&q->lock);
    r->step->paused_ns += now_ns(q) - from;
    return urgent.rc < 0 ? err_set(err, urgent.rc, "%s", urgent.err.text) : 0;
}

static bool gate_closed(void *ctx, int layer)
{
    struct queue_seat *seat = ctx;
    struct queue *q = seat->q;
    struct runner *r = seat->runner;
    bool closed;

    if (!r) { /* measured: what it had from the layer before on, until here */
        seat->need_bytes[layer - 1] = share_take_peak(seat->account);
        return false;
    }
    pthread_mutex_lock(&q->lock);
    if (r->has_turn)
        share_promise(seat->account, seat->need_bytes[layer]);
    closed = q->stopping || !r->has_turn || (!seat->urgent && urgent_due(q));
    pthread_mutex_unlock(&q->lock);
    return closed;
}

static int gate_wait(void *ctx, int layer, struct err *err)
{
    struct queue_seat *seat = ctx;
    struct queue *q = seat->q;
    struct runner *r = seat->runner;
    int rc = 0;

    pthread_mutex_lock(&q->lock);
    while (rc == 0) {
        if (q->stopping)
            rc = err_set(err, -EINTR, "interrupted at layer %d of %d", layer, seat->n_layers);
        else if (!r->has_turn)
            pthread_cond_wait(&q->changed, &q->lock);
        else if (!seat->urgent && urgent_due(q))
            rc = serve_urgent(r, pick(q, true), layer, err);
        else
            break;
    }
    pthread_mutex_unlock(&q->lock);
    return rc;
}

/* ---- seats ---- */

int queue_new(uint64_t limit_bytes, bool (*stop)(void), struct queue **ret_q, struct err *err)
{
    struct queue *q = calloc(1, sizeof(*q));
    pthread_condattr_t attr;
    int rc = q ? share_new(limit_bytes, &q->share, err) : err_set(err, -ENOMEM, "out of memory");

    if (rc < 0) {
        free(q);
        return rc;
    }
    q->stop = stop;
    pthread_mutex_init(&q->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC); /* the clock of clock_ns() */
    pthread_cond_init(&q->changed, &attr);
    pthread_condattr_destroy(&attr);
    *ret_q = q;
    return 0;
}

void queue_free(struct queue *q)
{
    if (!q)
        return;
    while (q->seat) {
        struct queue_seat *seat = q->seat;

        q->seat = seat->next;
        share_close(seat->account);
        free(seat->need_bytes);
        free(seat);
    }
    share_free(q->share);
    pthread_cond_destroy(&q->changed);
    pthread_mutex_destroy(&q->lock);
    free(q);
}

int queue_seat_new(struct queue *q, bool urgent, struct queue_seat **ret_seat, struct err *err)
{
    struct queue_seat *seat = calloc(1, sizeof(*seat));
    int rc;

    if (!seat)
        return err_set(err, -ENOMEM, "out of memory");
    rc = share_open(q->share, urgent, &seat->account, err);
    if (rc < 0) {
        free(seat);
        return rc;
    }
    seat->q = q;
    seat->urgent = urgent;
    seat->gate = (struct executor_gate){gate_closed, gate_wait, seat};
    seat->next = q->seat;
    q->seat = seat;
    *ret_seat = seat;
    return 0;
}

void queue_seat_options(struct queue_seat *seat, struct executor_options *opt)
{
    opt->gate = &seat->gate;
    opt->above = share_above(seat->account);
    opt->rss_period_ns = 0; /* the process is everybody's */
}

int queue_seat_measure(struct queue_seat *seat, struct executor *ex, const struct schedule *s,
                       int n_layers, struct queue_lone *ret_lone, struct err *err)
{
    struct queue_lone lone = {0};
    struct run_result r;
    int rc;

    seat->ex = ex;
    seat->s = s;
    seat->n_layers = n_layers;
    seat->need_bytes = calloc((size_t)n_layers + 1, sizeof(*seat->need_bytes));
    if (!seat->need_bytes)
        return err_set(err, -ENOMEM, "out of memory for %d layers", n_layers);
    share_promise(seat->account, UINT64_MAX);
    rc = executor_prepare(ex, s, &lone.build_ns, err);
    share_take_peak(seat->account);
    if (rc == 0)
        rc = executor_run(ex, s, NULL, &r, err);
    share_promise(seat->account, 0);
    if (rc < 0)
        return rc;
    seat->need_bytes[n_layers] = share_take_peak(seat->account);
    for (int l = n_layers - 1; l >= 0; l--)
        if (seat->need_bytes[l] < seat->need_bytes[l + 1])
            seat->need_bytes[l] = seat->need_bytes[l + 1];
    lone.integrated_ns = r.integrated_ns;
    lone.peak_bytes = r.mem.peak_bytes;
    lone.output_hash = seat->hash = r.output_hash;
    *ret_lone = lone;
    return 0;
}

/* ---- the queue ---- */

static int start(struct runner *r, struct err *err)
{
    int rc = pthread_create(&r->thread, NULL, runner_main, r);

    if (rc == 0)
        return 0;
    r->seat->runner = NULL;
    return err_set(err, -rc, "cannot start a thread: %s", strerror(rc));
}

static void nap(struct queue *q)
{
    uint64_t until = clock_ns() + POLL_NS;
    struct timespec ts = {(time_t)(until / 1000000000), (long)(until % 1000000000)};

    pthread_cond_timedwait(&q->changed, &q->lock, &ts);
    if (q->stop && q->stop() && !q->stopping)
        stop_all(q);
}

/* The next request, if it may begin to read beside the one that has the turn. */
static int begin_early(struct queue *q, const struct runner *now, struct runner *early, bool *begun,
                       struct err *err)
{
    int i;

    if (!q->opt.overlap || *begun || q->stopping || now->finished ||
        !executor_read_all(now->seat->ex) || urgent_due(q))
        return 0;
    i = pick(q, false);
    if (i < 0 || q->request[i].seat == now->seat)
        return 0;
    take(q, i, early);
    *begun = true;
    return start(early, err);
}

static int finish(struct queue *q, struct runner *r, int rc, struct err *err)
{
    pthread_mutex_unlock(&q->lock);
    pthread_join(r->thread, NULL);
    pthread_mutex_lock(&q->lock);
    /* What made the others stop comes first. */
    if (r->rc < 0 && (rc == 0 || rc == -EINTR))
        rc = err_set(err, r->rc, "step %d: %s", r->request + 1, r->err.text);
    if (q->opt.progress)
        q->opt.progress(q->opt.ctx, q->n_done, q->n);
    return rc;
}

/* With the lock held but where it waits. */
static int serve(struct queue *q, struct err *err)
{
    struct runner slot[2], *now = &slot[0], *early = &slot[1];
    bool begun = false; /* `early` is on its way */
    int rc = 0;

    while (rc == 0 && !q->stopping && q->n_done < q->n) {
        struct runner *other = early;
        int i = q->opt.preempt ? pick(q, true) : -1;

        if (i < 0 && begun) {
            early = now;
            now = other;
            begun = false;
        } else {
            i = i < 0 ? pick(q, false) : i;
            if (i < 0) {
                nap(q);
                continue;
            }
            take(q, i, now);
            give_turn(now);
            rc = start(now, err);
            if (rc < 0)
                break;
        }
        if (!now->has_turn)
            give_turn(now);
        while (!now->finished) {
            rc = rc < 0 ? rc : begin_early(q, now, early, &begun, err);
            if (rc < 0 && !q->stopping) {
                begun = false; /* its thread did not start */
                stop_all(q);
            }
            nap(q);
        }
        rc = finish(q, now, rc, err);
    }
    if (rc < 0)
        stop_all(q);
    if (begun)
        rc = finish(q, early, rc, err);
    if (rc == 0 && q->n_done < q->n)
        rc = err_set(err, -EINTR, "interrupted after %d of %d steps", q->n_done, q->n);
    return rc;
}

static int check_outputs(const struct queue *q, struct err *err)
{
    for (int i = 0; i < q->n; i++)
        if (q->step[i].done && !q->step[i].same)
            return err_set(err, -EPROTO, "step %d gave another output than the model's run alone",
                           i + 1);
    return 0;
}

static int keep_memory(struct queue *q, struct queue_result *ret_result, struct err *err)
{
    const struct mem_point *p = mem_points(share_ledger(q->share), &ret_result->n_memory);

    ret_result->memory = malloc(((size_t)ret_result->n_memory + 1) * sizeof(*p));
    if (!ret_result->memory)
        return err_set(err, -ENOMEM, "out of memory for a timeline");
    memcpy(ret_result->memory, p, (size_t)ret_result->n_memory * sizeof(*p));
    return 0;
}

int queue_run(struct queue *q, const struct queue_request *request, int n,
              const struct queue_options *opt, struct queue_step *ret_step,
              struct queue_result *ret_result, struct err *err)
{
    struct mem *ledger = share_ledger(q->share);
    uint64_t aside = 0;
    int rc;

    memset(ret_step, 0, (size_t)n * sizeof(*ret_step));
    *ret_result = (struct queue_result){0};
    q->request = request;
    q->opt = *opt;
    q->step = ret_step;
    q->n = n;
    q->n_done = q->urgent_left = 0;
    q->stopping = false;
    q->taken = calloc((size_t)n + 1, sizeof(*q->taken));
    if (!q->taken)
        return err_set(err, -ENOMEM, "out of memory for %d requests", n);
    for (int i = 0; i < n && opt->preempt; i++)
        if (request[i].seat->urgent) {
            q->urgent_left++;
            if (request[i].seat->need_bytes[0] > aside)
                aside = request[i].seat->need_bytes[0];
        }
    share_cancel(q->share, false);
    share_set_aside(q->share, aside);
    rc = mem_charge(ledger, MEM_HOST, opt->kept_bytes, "what waiting models keep", err);
    if (rc == 0) {
        rc = mem_start(ledger, opt->rss_period_ns, err);
        if (rc < 0)
            mem_release(ledger, MEM_HOST, opt->kept_bytes);
    }
    if (rc == 0) {
        q->began_ns = clock_ns();
        pthread_mutex_lock(&q->lock);
        rc = serve(q, err);
        ret_result->total_ns = now_ns(q);
        pthread_mutex_unlock(&q->lock);
        mem_stop(ledger, &ret_result->mem);
        mem_release(ledger, MEM_HOST, opt->kept_bytes);
        if (rc == 0)
            rc = check_outputs(q, err);
        if (keep_memory(q, ret_result, rc == 0 ? err : NULL) < 0 && rc == 0)
            rc = -ENOMEM;
    }
    free(q->taken);
    q->taken = NULL;
    return rc;
}

void queue_result_done(struct queue_result *r)
{
    free(r->memory);
    *r = (struct queue_result){0};
}
