#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "harness/reader/engine.h"

/* The first read of a disk that has rested is short, the next twice as long, and so on to the engine's
 * blocks. A virtual disk may tell of reads only when it has done all that it was given: so the first of
 * a run is alone, and what is in flight doubles, too. The first weights are there early, and the disk
 * is at its rate 3 ms later. Between such batches it idles, 50 to 200 us, longer where kernels keep
 * processors and memory busy: larger ones idle less often, but delay what is needed first, so they
 * are a 32nd of what waits. */
#define FIRST_BYTES       (UINT64_C(512) << 10)
#define WINDOW_BYTES      (UINT64_C(8) << 20)
#define MOST_WINDOW_BYTES (UINT64_C(32) << 20)
#define WINDOW_SHARE      32

uint64_t reader_staging_bytes(void)
{
    return BOUNCES * BOUNCE_BYTES;
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---- the engines' threads ---- */

/* sched_setattr(2); the C library has no name for it. */
struct turn {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t slice_ns, deadline_ns, period_ns;
};

#define SLICE_NS 100000

void reader_hurry(void)
{
    struct sched_param first = {.sched_priority = 1};
    struct turn t = {.size = sizeof(t)};

    if (sched_setscheduler(0, SCHED_FIFO, &first) == 0)
        return;
    if (syscall(SYS_sched_getattr, 0, &t, sizeof(t), 0) < 0)
        return;
    t.slice_ns = SLICE_NS;
    syscall(SYS_sched_setattr, 0, &t, 0);
}

/* ---- jobs into pieces ---- */

/* Rows from the cursor on that follow each other in the file too are one run of bytes. */
static void next_rows(struct reader *r, struct piece *p)
{
    const struct read_job *j = &r->job[r->next_job].what;
    uint64_t total = (uint64_t)j->n_rows * j->row_bytes;
    uint64_t first = r->next_byte / j->row_bytes, last = first;
    uint64_t at, end;

    while (last + 1 < (uint64_t)j->n_rows && j->row[last + 1] == j->row[last] + 1 &&
           (last + 1 - first) * j->row_bytes < BOUNCE_BYTES)
        last++;
    at = j->file_byte + (uint64_t)j->row[first] * j->row_bytes + r->next_byte % j->row_bytes;
    end = j->file_byte + ((uint64_t)j->row[last] + 1) * j->row_bytes;
    p->file_byte = at / READ_ALIGN * READ_ALIGN;
    end = min_u64(end, p->file_byte + BOUNCE_BYTES);
    p->must_bytes = end - p->file_byte;
    p->bytes = (p->must_bytes + READ_ALIGN - 1) / READ_ALIGN * READ_ALIGN;
    p->copy_to = (unsigned char *)j->dst + r->next_byte;
    p->copy_from = at - p->file_byte;
    p->copy_bytes = end - at;
    r->next_byte += p->copy_bytes;
    r->queued_bytes -= p->copy_bytes;
    if (r->next_byte == total) {
        r->next_job++;
        r->next_byte = 0;
    }
}

static bool neighbours(const struct read_job *a, const struct read_job *b)
{
    return !b->n_rows && b->file_byte == a->file_byte + a->read_bytes &&
           (unsigned char *)b->dst == (unsigned char *)a->dst + a->read_bytes;
}

static void next_run(struct reader *r, struct piece *p)
{
    const struct read_job *j = &r->job[r->next_job].what;
    uint64_t most = r->piece_bytes;

    r->piece_bytes = min_u64(2 * most, r->block_bytes);
    p->file_byte = j->file_byte + r->next_byte;
    p->dst = (unsigned char *)j->dst + r->next_byte;
    for (;;) {
        uint64_t take = min_u64(j->read_bytes - r->next_byte, most - p->bytes);
        uint64_t payload = j->bytes > r->next_byte ? j->bytes - r->next_byte : 0;

        if (payload > 0)
            p->must_bytes = p->bytes + min_u64(payload, take);
        p->bytes += take;
        r->next_byte += take;
        r->queued_bytes -= take;
        if (r->next_byte < j->read_bytes)
            return;
        r->next_job++;
        r->next_byte = 0;
        if (r->next_job == r->n_posted || p->bytes == most ||
            !neighbours(j, &r->job[r->next_job].what))
            return;
        j = &r->job[r->next_job].what;
    }
}

uint64_t reader_window(const struct reader *r)
{
    uint64_t most = min_u64(r->queued_bytes / WINDOW_SHARE, MOST_WINDOW_BYTES);

    return min_u64(FIRST_BYTES + r->read_bytes, most > WINDOW_BYTES ? most : WINDOW_BYTES);
}

bool reader_next(struct reader *r, struct piece *ret_piece)
{
    struct piece p = {.job = r->next_job, .job_byte = r->next_byte};

    if (r->next_job == r->n_posted || r->drain || r->quit || r->failure.code) {
        r->hungry = true;
        if (r->in_flight == 0)
            r->piece_bytes = 0;
        return false;
    }
    if (r->piece_bytes == 0)
        r->piece_bytes = min_u64(FIRST_BYTES, r->block_bytes);
    if (r->job[r->next_job].what.n_rows)
        next_rows(r, &p);
    else
        next_run(r, &p);
    p.ask_bytes = p.bytes;
    r->in_flight++;
    *ret_piece = p;
    return true;
}

/* ---- pieces that were read ---- */

/* The weight that a byte of the piece belongs to. Copied: the array may move while it grows. */
static void weight_at(struct reader *r, const struct piece *p, uint64_t byte, char ret_name[128])
{
    uint64_t at = byte + p->job_byte;
    int k = p->job;

    pthread_mutex_lock(&r->lock);
    while (p->dst && k + 1 < r->n_posted && at >= r->job[k].what.read_bytes)
        at -= r->job[k++].what.read_bytes;
    snprintf(ret_name, 128, "%s", r->job[k].what.name);
    pthread_mutex_unlock(&r->lock);
}

bool reader_got(struct reader *r, struct piece *p, int64_t result, struct err *ret_failure)
{
    char name[128];

    if (r->opt.fault)
        result = r->opt.fault(r->opt.ctx, p->file_byte + p->got_bytes, result);
    if (result == -EINTR || result == -EAGAIN)
        return false;
    if (result < 0 && p->ask_bytes > READ_ALIGN) {
        p->ask_bytes = (p->ask_bytes / READ_ALIGN + 1) / 2 * READ_ALIGN;
        return false;
    }
    if (result < 0) {
        weight_at(r, p, p->got_bytes, name);
        err_set(ret_failure, (int)result, "'%s': reading weight '%s' at byte %llu: %s", r->path,
                name, (unsigned long long)(p->file_byte + p->got_bytes), strerror((int)-result));
        return true;
    }
    p->got_bytes += (uint64_t)result;
    p->ask_bytes = min_u64(p->ask_bytes, p->bytes - p->got_bytes);
    /* Unless the file ends here, a read is short at a multiple of READ_ALIGN: the rest of anything
     * else would be refused. */
    if (result > 0 && p->got_bytes < p->bytes && p->got_bytes % READ_ALIGN == 0)
        return false;
    if (p->got_bytes < p->must_bytes) {
        weight_at(r, p, p->got_bytes, name);
        err_set(ret_failure, -EIO,
                "'%s': weight '%s' ends at byte %llu, %llu bytes short: the file is torn, write it "
                "again with `flashmem weights`",
                r->path, name, (unsigned long long)(p->file_byte + p->got_bytes),
                (unsigned long long)(p->must_bytes - p->got_bytes));
    }
    return true;
}

static void book_jobs(struct reader *r, const struct piece *p)
{
    uint64_t left = p->dst ? p->bytes : p->copy_bytes, at = p->job_byte;

    for (int k = p->job; left > 0; k++) {
        uint64_t part = p->dst ? min_u64(left, r->job[k].what.read_bytes - at) : left;

        r->job[k].left_bytes -= part;
        left -= part;
        at = 0;
    }
    while (r->n_done < r->n_posted && r->job[r->n_done].left_bytes == 0)
        r->n_done++;
}

void reader_book(struct reader *r, const struct piece *p, const unsigned char *bounce,
                 const struct err *failure)
{
    if (!p->dst && !failure->code)
        memcpy(p->copy_to, bounce + p->copy_from, p->copy_bytes);
    pthread_mutex_lock(&r->lock);
    r->in_flight--;
    r->read_bytes += p->got_bytes;
    if (failure->code && !r->failure.code)
        r->failure = *failure;
    if (!failure->code)
        book_jobs(r, p);
    pthread_cond_broadcast(&r->progress);
    pthread_mutex_unlock(&r->lock);
}

/* ---- the reader ---- */

static int file_state(int fd, struct file_state *ret_state)
{
    struct stat s;

    if (fstat(fd, &s) < 0)
        return -errno;
    *ret_state = (struct file_state){
        .size_bytes = (uint64_t)s.st_size,
        .mtime_ns = s.st_mtim.tv_sec * 1000000000LL + s.st_mtim.tv_nsec,
    };
    return 0;
}

static int open_file(struct reader *r, struct err *err)
{
    int rc;

    r->direct = !r->opt.cached;
    r->fd = open(r->path, O_RDONLY | (r->direct ? O_DIRECT : 0) | O_CLOEXEC);
    if (r->fd < 0 && r->direct && errno == EINVAL) { /* e.g. tmpfs */
        r->direct = false;
        r->fd = open(r->path, O_RDONLY | O_CLOEXEC);
    }
    if (r->fd < 0)
        return err_set(err, -errno, "'%s': %s", r->path, strerror(errno));
    rc = file_state(r->fd, &r->file);
    return rc < 0 ? err_set(err, rc, "'%s': %s", r->path, strerror(-rc)) : 0;
}

static int copy_to_ram(struct reader *r, struct err *err)
{
    uint64_t at = 0;
    int fd = open(r->path, O_RDONLY | O_CLOEXEC);
    void *map;

    if (fd < 0)
        return err_set(err, -errno, "'%s': %s", r->path, strerror(errno));
    map = mmap(NULL, r->file.size_bytes + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
               -1, 0);
    if (map == MAP_FAILED) {
        close(fd);
        return err_set(err, -ENOMEM, "no memory for a copy of '%s' (%llu bytes)", r->path,
                       (unsigned long long)r->file.size_bytes);
    }
    r->ram = map;
    while (at < r->file.size_bytes) {
        ssize_t n = pread(fd, r->ram + at, r->file.size_bytes - at, (off_t)at);

        if (n <= 0)
            break;
        at += (uint64_t)n;
    }
    close(fd);
    return at == r->file.size_bytes ? 0
                                    : err_set(err, -EIO, "'%s': cannot be read to its end", r->path);
}

/* io_uring, and threads where it is refused. */
static int start_engine(struct reader *r, struct err *err)
{
    struct err why = {0};
    int rc;

    if (r->opt.ram || r->opt.rate_bps) {
        snprintf(r->kind, sizeof(r->kind), "emulated");
    } else if (r->opt.no_uring) {
        snprintf(r->kind, sizeof(r->kind), "pread threads");
    } else if (!r->direct) {
        snprintf(r->kind, sizeof(r->kind), "pread threads, buffered (%s)",
                 r->opt.cached ? "the page cache is warm" : "no O_DIRECT here");
    } else {
        r->engine = &reader_uring;
        rc = r->engine->start(r, &why);
        if (rc == 0)
            return 0;
        r->engine->stop(r);
        snprintf(r->kind, sizeof(r->kind), "pread threads (io_uring: %.100s)", why.text);
    }
    r->engine = &reader_threads;
    return r->engine->start(r, err);
}

int reader_new(const char *path, const struct reader_options *opt, struct reader **ret_r,
               struct err *err)
{
    struct reader *r = calloc(1, sizeof(*r));
    int rc = 0;

    if (!r)
        return err_set(err, -ENOMEM, "out of memory for the disk reader");
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->work, NULL);
    pthread_cond_init(&r->progress, NULL);
    r->fd = -1;
    if (opt)
        r->opt = *opt;
    r->path = strdup(path);
    r->bounce = aligned_alloc(READ_ALIGN, reader_staging_bytes());
    if (!r->path || !r->bounce)
        rc = err_set(err, -ENOMEM, "out of memory for the disk reader");
    if (rc == 0)
        rc = open_file(r, err);
    if (rc == 0 && r->opt.ram)
        rc = copy_to_ram(r, err);
    if (rc == 0)
        rc = start_engine(r, err);
    if (rc < 0) {
        reader_free(r);
        return rc;
    }
    *ret_r = r;
    return 0;
}

void reader_free(struct reader *r)
{
    if (!r)
        return;
    if (r->engine) {
        pthread_mutex_lock(&r->lock);
        r->quit = true;
        r->engine->wake(r);
        pthread_mutex_unlock(&r->lock);
        r->engine->stop(r);
    }
    if (r->fd >= 0)
        close(r->fd);
    if (r->ram)
        munmap(r->ram, r->file.size_bytes + 1);
    pthread_cond_destroy(&r->work);
    pthread_cond_destroy(&r->progress);
    pthread_mutex_destroy(&r->lock);
    free(r->bounce);
    free(r->job);
    free(r->path);
    free(r);
}

void reader_source(const struct reader_options *opt, char ret_text[READER_SOURCE_MAX])
{
    const char *from = opt && opt->ram ? "ram" : "disk";

    if (opt && opt->rate_bps)
        snprintf(ret_text, READER_SOURCE_MAX, "%s@%.6gMB/s", from, (double)opt->rate_bps / 1e6);
    else
        snprintf(ret_text, READER_SOURCE_MAX, "%s", from);
}

bool reader_direct(const struct reader *r)
{
    return r->direct;
}

const char *reader_kind(const struct reader *r)
{
    return r->kind;
}

void reader_register(struct reader *r, void *base, uint64_t bytes)
{
    if (r->engine->add && bytes > 0)
        r->engine->add(r, base, bytes);
}

void reader_unregister(struct reader *r, const void *base, uint64_t bytes)
{
    if (r->engine->drop)
        r->engine->drop(r, base, bytes);
}

void reader_cut(struct reader *r, uint64_t most_bytes)
{
    pthread_mutex_lock(&r->lock);
    r->block_bytes = min_u64(r->block_bytes, most_bytes);
    pthread_mutex_unlock(&r->lock);
}

void reader_reset(struct reader *r)
{
    pthread_mutex_lock(&r->lock);
    r->n_posted = r->n_done = r->next_job = 0;
    r->next_byte = 0;
    r->queued_bytes = r->piece_bytes = 0;
    r->drain = false;
    r->read_bytes = 0;
    r->failure.code = 0;
    pthread_mutex_unlock(&r->lock);
    if (!r->direct && !r->opt.cached)
        posix_fadvise(r->fd, 0, 0, POSIX_FADV_DONTNEED);
}

int reader_post(struct reader *r, const struct read_job *job, struct err *err)
{
    int rc = 0;

    pthread_mutex_lock(&r->lock);
    if (r->n_posted == r->allocated) {
        int n = r->allocated ? 2 * r->allocated : 256;
        struct job *grown = realloc(r->job, (size_t)n * sizeof(*grown));

        if (grown) {
            r->job = grown;
            r->allocated = n;
        } else {
            rc = err_set(err, -ENOMEM, "out of memory for %d reads", n);
        }
    }
    if (rc == 0) {
        uint64_t bytes = job->n_rows ? (uint64_t)job->n_rows * job->row_bytes : job->read_bytes;

        r->job[r->n_posted++] = (struct job){.what = *job, .left_bytes = bytes};
        r->queued_bytes += bytes;
        if (r->hungry) {
            r->hungry = false;
            r->engine->wake(r);
        }
    }
    pthread_mutex_unlock(&r->lock);
    return rc;
}

/* What has arrived may be half of one file and half of another. */
static int check_unchanged(struct reader *r, int job, struct err *err)
{
    struct file_state now = {0};
    char name[128];
    uint64_t at;
    int rc = file_state(r->fd, &now);

    if (rc == 0 && now.size_bytes == r->file.size_bytes && now.mtime_ns == r->file.mtime_ns)
        return 0;
    pthread_mutex_lock(&r->lock);
    snprintf(name, sizeof(name), "%s", r->job[job].what.name);
    at = r->job[job].what.file_byte;
    pthread_mutex_unlock(&r->lock);
    return err_set(err, rc < 0 ? rc : -ESTALE,
                   "'%s' was written to while it was in use (found after weight '%s' at byte "
                   "%llu): let the writer finish, then run again",
                   r->path, name, (unsigned long long)at);
}

int reader_wait(struct reader *r, int job, struct err *err)
{
    int rc = 0;

    pthread_mutex_lock(&r->lock);
    while (r->n_done <= job && !r->failure.code)
        pthread_cond_wait(&r->progress, &r->lock);
    if (r->n_done <= job)
        rc = err_set(err, r->failure.code, "%s", r->failure.text);
    pthread_mutex_unlock(&r->lock);
    return rc < 0 ? rc : check_unchanged(r, job, err);
}

bool reader_done(struct reader *r, int job, uint64_t wait_ns)
{
    struct timespec until;
    bool done;

    clock_gettime(CLOCK_REALTIME, &until); /* what a condition's clock is by default */
    until.tv_nsec += (long)(wait_ns % 1000000000);
    until.tv_sec += (time_t)(wait_ns / 1000000000) + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&r->lock);
    do
        done = r->n_done > job || r->failure.code;
    while (!done && wait_ns > 0 &&
           pthread_cond_timedwait(&r->progress, &r->lock, &until) != ETIMEDOUT);
    pthread_mutex_unlock(&r->lock);
    return done;
}

void reader_drain(struct reader *r)
{
    pthread_mutex_lock(&r->lock);
    r->drain = true;
    while (r->in_flight > 0)
        pthread_cond_wait(&r->progress, &r->lock);
    pthread_mutex_unlock(&r->lock);
}

bool reader_idle(struct reader *r)
{
    bool idle;

    pthread_mutex_lock(&r->lock);
    idle = r->n_done == r->n_posted;
    pthread_mutex_unlock(&r->lock);
    return idle;
}

uint64_t reader_bytes(struct reader *r)
{
    uint64_t bytes;

    pthread_mutex_lock(&r->lock);
    bytes = r->read_bytes;
    pthread_mutex_unlock(&r->lock);
    return bytes;
}
