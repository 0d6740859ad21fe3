#include "profiler/memory.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/clock.h"

/* More points than this are merged pairwise, again and again: a timeline stays below 56 MB. */
#define POINTS_MAX 1000000

#define MIB 1048576.0

struct mem {
    pthread_mutex_t lock;
    uint64_t limit_bytes;
    const struct mem_above *above; /* NULL: nobody */
    uint64_t live_bytes[MEM_KINDS];
    uint64_t total_bytes; /* sum of live_bytes */

    /* The timeline. Sums are kept as it grows: merging points does not touch them. */
    bool running;
    uint64_t start_ns, changed_ns;
    uint64_t peak_bytes;
    double byte_ns; /* integral up to changed_ns */
    struct mem_point *point;
    int n_points, max_points;

    pthread_t sampler;
    pthread_cond_t stop;
    bool sampling;
    int statm_fd; /* -1: none */
    uint64_t rss_period_ns, rss_base_bytes, rss_highest_bytes;
    bool based; /* rss_base_bytes was taken by mem_baseline() */
    uint64_t (*used)(void *ctx); /* mem_watch(); NULL: nobody */
    void *used_ctx;
    uint64_t used_base_bytes, used_highest_bytes;
};

const char *mem_kind_name(enum mem_kind kind)
{
    static const char *const names[MEM_KINDS] = {
        [MEM_STAGING] = "staging",       [MEM_UM] = "um",     [MEM_TEXTURE] = "texture",
        [MEM_ACTIVATION] = "activation", [MEM_HOST] = "host",
    };

    assert(kind >= 0 && kind < MEM_KINDS);
    return names[kind];
}

int mem_new(uint64_t limit_bytes, struct mem **ret_mem, struct err *err)
{
    struct mem *mem = calloc(1, sizeof(*mem));
    pthread_condattr_t attr;

    if (!mem)
        return err_set(err, -ENOMEM, "out of memory");
    mem->limit_bytes = limit_bytes;
    mem->statm_fd = -1;
    pthread_mutex_init(&mem->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC); /* the clock of clock_ns() */
    pthread_cond_init(&mem->stop, &attr);
    pthread_condattr_destroy(&attr);
    *ret_mem = mem;
    return 0;
}

void mem_free(struct mem *mem)
{
    struct mem_summary unused;

    if (!mem)
        return;
    if (mem->running)
        mem_stop(mem, &unused);
    pthread_cond_destroy(&mem->stop);
    pthread_mutex_destroy(&mem->lock);
    if (mem->statm_fd >= 0)
        close(mem->statm_fd);
    free(mem->point);
    free(mem);
}

static uint64_t point_total(const struct mem_point *p)
{
    uint64_t sum = 0;

    for (int k = 0; k < MEM_KINDS; k++)
        sum += p->live_bytes[k];
    return sum;
}

/* Two neighbours become one that begins where the first began and holds the larger of both, so
 * that a merged timeline is an upper envelope: peaks stay, valleys fill. */
static void merge_points(struct mem *mem)
{
    struct mem_point *p = mem->point;
    int n = 0;

    for (int i = 0; i < mem->n_points; i += 2) {
        struct mem_point a = p[i];

        if (i + 1 < mem->n_points) {
            const struct mem_point *b = &p[i + 1];

            if (point_total(b) > point_total(&a))
                memcpy(a.live_bytes, b->live_bytes, sizeof(a.live_bytes));
            if (b->rss_bytes > a.rss_bytes)
                a.rss_bytes = b->rss_bytes;
        }
        p[n++] = a;
    }
    mem->n_points = n;
}

/* For want of memory a point is lost, not the run: the summary does not need it. */
static void add_point(struct mem *mem, uint64_t now_ns, uint64_t rss_bytes)
{
    struct mem_point *p;

    if (mem->n_points == POINTS_MAX)
        merge_points(mem);
    if (mem->n_points == mem->max_points) {
        int max = mem->max_points ? 2 * mem->max_points : 1024;

        if (max > POINTS_MAX)
            max = POINTS_MAX;
        p = realloc(mem->point, (size_t)max * sizeof(*p));
        if (!p)
            return;
        mem->point = p;
        mem->max_points = max;
    }
    p = &mem->point[mem->n_points++];
    p->t_ns = now_ns - mem->start_ns;
    p->rss_bytes = rss_bytes;
    memcpy(p->live_bytes, mem->live_bytes, sizeof(p->live_bytes));
}

/* Bring the integral up to now: what was live until here was live since the last change. */
static void integrate(struct mem *mem, uint64_t now_ns)
{
    mem->byte_ns += (double)mem->total_bytes * (double)(now_ns - mem->changed_ns);
    mem->changed_ns = now_ns;
}

/* After live_bytes and total_bytes have changed at now_ns. Call with the lock held. */
static void changed(struct mem *mem, uint64_t now_ns)
{
    if (!mem->running)
        return;
    if (mem->total_bytes > mem->peak_bytes)
        mem->peak_bytes = mem->total_bytes;
    add_point(mem, now_ns, 0);
}

static int over_limit(const struct mem *mem, uint64_t bytes, const char *what, struct err *err)
{
    char live[256] = "";
    size_t n = 0;

    for (int k = 0; k < MEM_KINDS; k++)
        if (mem->live_bytes[k] > 0 && n < sizeof(live) - 1)
            n +=
                (size_t)snprintf(live + n, sizeof(live) - n, "%s%s %.1f MiB", n ? ", " : " (",
                                 mem_kind_name((enum mem_kind)k), (double)mem->live_bytes[k] / MIB);
    return err_set(
        err, -ENOMEM,
        "'%s' needs %.1f MiB, but %.1f MiB of the memory limit of %.1f MiB are in use%s%s", what,
        (double)bytes / MIB, (double)mem->total_bytes / MIB, (double)mem->limit_bytes / MIB, live,
        n ? ")" : "");
}

void mem_set_above(struct mem *mem, const struct mem_above *above)
{
    mem->above = above;
}

static int book(struct mem *mem, enum mem_kind kind, uint64_t bytes, const char *what,
                struct err *err)
{
    uint64_t limit, now;
    int rc = 0;

    pthread_mutex_lock(&mem->lock);
    limit = mem->limit_bytes ? mem->limit_bytes : UINT64_MAX;
    if (bytes > limit - mem->total_bytes) {
        rc = over_limit(mem, bytes, what, err);
    } else {
        now = clock_ns();
        if (mem->running)
            integrate(mem, now);
        mem->live_bytes[kind] += bytes;
        mem->total_bytes += bytes;
        changed(mem, now);
    }
    pthread_mutex_unlock(&mem->lock);
    return rc;
}

static void unbook(struct mem *mem, enum mem_kind kind, uint64_t bytes)
{
    uint64_t now;

    pthread_mutex_lock(&mem->lock);
    assert(bytes <= mem->live_bytes[kind]);
    now = clock_ns();
    if (mem->running)
        integrate(mem, now);
    mem->live_bytes[kind] -= bytes;
    mem->total_bytes -= bytes;
    changed(mem, now);
    pthread_mutex_unlock(&mem->lock);
}

/* Its own limit first: what breaks that need not wait for the others. */
int mem_charge(struct mem *mem, enum mem_kind kind, uint64_t bytes, const char *what,
               struct err *err)
{
    int rc;

    if (!mem)
        return 0;
    assert(kind >= 0 && kind < MEM_KINDS);
    rc = book(mem, kind, bytes, what, err);
    if (rc == 0 && mem->above) {
        rc = mem->above->charge(mem->above->ctx, kind, bytes, what, err);
        if (rc < 0)
            unbook(mem, kind, bytes);
    }
    return rc;
}

void mem_release(struct mem *mem, enum mem_kind kind, uint64_t bytes)
{
    if (!mem)
        return;
    assert(kind >= 0 && kind < MEM_KINDS);
    unbook(mem, kind, bytes);
    if (mem->above)
        mem->above->release(mem->above->ctx, kind, bytes);
}

uint64_t mem_live(struct mem *mem)
{
    uint64_t bytes;

    if (!mem)
        return 0;
    pthread_mutex_lock(&mem->lock);
    bytes = mem->total_bytes;
    pthread_mutex_unlock(&mem->lock);
    return bytes;
}

/* Resident bytes: the second number of /proc/PID/statm, in pages (proc(5)). 0 if unreadable. */
static uint64_t read_rss(const struct mem *mem)
{
    char text[128];
    unsigned long long size, resident;
    ssize_t n = mem->statm_fd < 0 ? -1 : pread(mem->statm_fd, text, sizeof(text) - 1, 0);

    if (n <= 0)
        return 0;
    text[n] = '\0';
    if (sscanf(text, "%llu %llu", &size, &resident) != 2)
        return 0;
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Call with the lock held. */
static uint64_t sample_rss(struct mem *mem)
{
    uint64_t rss = read_rss(mem);

    if (rss > mem->rss_highest_bytes)
        mem->rss_highest_bytes = rss;
    return rss;
}

/* Call with the lock held; it is not while the other speaks. */
static void sample_watched(struct mem *mem)
{
    uint64_t bytes;

    if (!mem->used)
        return;
    pthread_mutex_unlock(&mem->lock);
    bytes = mem->used(mem->used_ctx);
    pthread_mutex_lock(&mem->lock);
    if (bytes > mem->used_highest_bytes)
        mem->used_highest_bytes = bytes;
}

void mem_watch(struct mem *mem, uint64_t (*used)(void *ctx), void *ctx)
{
    uint64_t base = used(ctx);

    pthread_mutex_lock(&mem->lock);
    assert(!mem->running);
    mem->used = used;
    mem->used_ctx = ctx;
    mem->used_base_bytes = base;
    pthread_mutex_unlock(&mem->lock);
}

static void *sample_loop(void *arg)
{
    struct mem *mem = arg;
    uint64_t next = clock_ns();

    pthread_mutex_lock(&mem->lock);
    while (mem->sampling) {
        struct timespec ts;
        uint64_t now = clock_ns();

        /* A late wake-up skips the periods it missed: no burst of samples. */
        next += mem->rss_period_ns;
        if (next < now)
            next = now + mem->rss_period_ns;
        ts.tv_sec = (time_t)(next / 1000000000u);
        ts.tv_nsec = (long)(next % 1000000000u);
        while (mem->sampling && pthread_cond_timedwait(&mem->stop, &mem->lock, &ts) != ETIMEDOUT)
            ;
        if (mem->sampling)
            add_point(mem, clock_ns(), sample_rss(mem));
        sample_watched(mem);
    }
    pthread_mutex_unlock(&mem->lock);
    return NULL;
}

static int start_sampler(struct mem *mem, uint64_t period_ns, struct err *err)
{
    int rc;

    mem->rss_period_ns = period_ns;
    mem->sampling = true;
    rc = pthread_create(&mem->sampler, NULL, sample_loop, mem);
    if (rc == 0)
        return 0;
    mem->sampling = false;
    return err_set(err, -rc, "cannot start the RSS sampler: %s", strerror(rc));
}

/* Absent: RSS stays 0. */
static void open_statm(struct mem *mem)
{
    if (mem->statm_fd < 0)
        mem->statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
}

void mem_baseline(struct mem *mem)
{
    if (!mem)
        return;
    pthread_mutex_lock(&mem->lock);
    assert(!mem->running);
    open_statm(mem);
    mem->rss_base_bytes = read_rss(mem);
    mem->based = true;
    pthread_mutex_unlock(&mem->lock);
}

int mem_start(struct mem *mem, uint64_t rss_period_ns, struct err *err)
{
    int rc = 0;

    if (!mem)
        return 0;
    pthread_mutex_lock(&mem->lock);
    assert(!mem->running);
    open_statm(mem);
    if (!mem->based)
        mem->rss_base_bytes = read_rss(mem);
    mem->based = false;
    mem->rss_highest_bytes = mem->used_highest_bytes = 0;
    mem->n_points = 0;
    mem->byte_ns = 0;
    mem->peak_bytes = mem->total_bytes;
    mem->start_ns = mem->changed_ns = clock_ns();
    if (rss_period_ns > 0)
        rc = start_sampler(mem, rss_period_ns, err);
    if (rc == 0) {
        mem->running = true;
        add_point(mem, mem->start_ns, mem->sampling ? sample_rss(mem) : 0);
    } else if (mem->statm_fd >= 0) {
        close(mem->statm_fd);
        mem->statm_fd = -1;
    }
    pthread_mutex_unlock(&mem->lock);
    return rc;
}

static void stop_sampler(struct mem *mem)
{
    if (!mem->sampling)
        return;
    mem->sampling = false;
    pthread_cond_signal(&mem->stop);
    pthread_mutex_unlock(&mem->lock);
    pthread_join(mem->sampler, NULL);
    pthread_mutex_lock(&mem->lock);
}

void mem_stop(struct mem *mem, struct mem_summary *ret_summary)
{
    struct mem_summary s = {0};
    uint64_t now;
    bool sampled;

    if (!mem) {
        *ret_summary = s;
        return;
    }
    pthread_mutex_lock(&mem->lock);
    assert(mem->running);
    now = clock_ns(); /* before the sampler is waited for: the run has ended here */
    integrate(mem, now);
    add_point(mem, now, mem->sampling ? sample_rss(mem) : 0);
    mem->running = false;
    sampled = mem->sampling;
    stop_sampler(mem);
    if (sampled) /* it lets go of the lock: nothing samples any more */
        sample_watched(mem);
    if (mem->statm_fd >= 0)
        close(mem->statm_fd);
    mem->statm_fd = -1;
    s.peak_bytes = mem->peak_bytes;
    s.byte_s = mem->byte_ns / 1e9;
    s.avg_bytes = now > mem->start_ns ? mem->byte_ns / (double)(now - mem->start_ns)
                                      : (double)mem->total_bytes;
    s.rss_base_bytes = mem->rss_base_bytes;
    if (mem->rss_highest_bytes > mem->rss_base_bytes)
        s.rss_peak_bytes = mem->rss_highest_bytes - mem->rss_base_bytes;
    if (mem->used_highest_bytes > mem->used_base_bytes)
        s.watched_peak_bytes = mem->used_highest_bytes - mem->used_base_bytes;
    pthread_mutex_unlock(&mem->lock);
    *ret_summary = s;
}

const struct mem_point *mem_points(const struct mem *mem, int *ret_n)
{
    *ret_n = mem ? mem->n_points : 0;
    return mem ? mem->point : NULL;
}
