#include "harness/replay/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_BYTES  (UINT64_C(4) << 20)
#define BOUNCE_BYTES (UINT64_C(1) << 20)
/* One pread at a time is as fast as many while cores are idle. While kernels keep every core busy a
 * thread waits for its turn after each read, and the disk with it: then two more fill the gap. */
#define THREADS 3

struct job {
    struct read_job what;
    bool done;
};

struct reader {
    int fd;
    bool direct;
    char *path;
    unsigned char *bounce[THREADS]; /* for gathered rows */
    pthread_t thread[THREADS];
    int n_threads; /* started */

    pthread_mutex_t lock;
    pthread_cond_t work, progress;
    struct job *job;
    int n_posted, n_taken, n_done, allocated; /* n_done: all jobs before it are done */
    int busy;                                 /* threads that are reading */
    bool quit, drain;
    uint64_t read_bytes;
    struct err failure; /* code 0: none */
};

uint64_t reader_staging_bytes(void)
{
    return THREADS * BOUNCE_BYTES;
}

/* All of [off, off + want) into dst; reads whole blocks: only the end of the file is short. */
static int read_all(struct reader *r, unsigned char *dst, uint64_t off, uint64_t want,
                    uint64_t must, const char *name, struct err *err)
{
    uint64_t got = 0;

    while (got < want) {
        ssize_t n = pread(r->fd, dst + got, want - got, (off_t)(off + got));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, -errno, "'%s': reading weight '%s' at byte %llu: %s", r->path, name,
                           (unsigned long long)(off + got), strerror(errno));
        if (n == 0)
            break;
        got += (uint64_t)n;
        if (got % READ_ALIGN) /* the end of the file: an unaligned O_DIRECT read would be refused */
            break;
    }
    if (got < must)
        return err_set(err, -EIO,
                       "'%s': weight '%s' ends at byte %llu, %llu bytes short: the file is torn, "
                       "write it again with `flashmem weights`",
                       r->path, name, (unsigned long long)(off + got),
                       (unsigned long long)(must - got));
    return 0;
}

static int read_rows(struct reader *r, unsigned char *bounce, const struct read_job *j,
                     uint64_t *ret_bytes, struct err *err)
{
    uint64_t total = 0;

    for (int i = 0; i < j->n_rows; i++) {
        uint64_t at = j->file_byte + (uint64_t)j->row[i] * j->row_bytes;
        uint64_t from = at / READ_ALIGN * READ_ALIGN;
        uint64_t len = (at + j->row_bytes - from + READ_ALIGN - 1) / READ_ALIGN * READ_ALIGN;
        int rc;

        if (len > BOUNCE_BYTES)
            return err_set(err, -EINVAL, "weight '%s': rows of %llu bytes are too long to gather",
                           j->name, (unsigned long long)j->row_bytes);
        rc = read_all(r, bounce, from, len, at + j->row_bytes - from, j->name, err);
        if (rc < 0)
            return rc;
        memcpy((unsigned char *)j->dst + (uint64_t)i * j->row_bytes, bounce + (at - from),
               j->row_bytes);
        total += len;
    }
    *ret_bytes = total;
    return 0;
}

/* How many jobs from `first` on are one run, and how long it is. */
static int coalesce(const struct job *job, int first, int end, uint64_t *ret_bytes)
{
    uint64_t bytes = job[first].what.read_bytes;
    int n = 1;

    while (!job[first].what.n_rows && first + n < end) {
        const struct read_job *a = &job[first + n - 1].what, *b = &job[first + n].what;

        if (b->n_rows || b->file_byte != a->file_byte + a->read_bytes ||
            (unsigned char *)b->dst != (unsigned char *)a->dst + a->read_bytes ||
            bytes + b->read_bytes > BLOCK_BYTES)
            break;
        bytes += b->read_bytes;
        n++;
    }
    *ret_bytes = bytes;
    return n;
}

static int read_run(struct reader *r, unsigned char *bounce, const struct read_job *first,
                    const struct read_job *last, uint64_t bytes, uint64_t *ret_bytes,
                    struct err *err)
{
    uint64_t must = bytes - last->read_bytes + last->bytes;

    *ret_bytes = bytes;
    if (first->n_rows)
        return read_rows(r, bounce, first, ret_bytes, err);
    for (uint64_t at = 0; at < bytes; at += BLOCK_BYTES) {
        uint64_t len = bytes - at < BLOCK_BYTES ? bytes - at : BLOCK_BYTES;
        uint64_t need = must - at < len ? must - at : len;
        int rc = read_all(r, (unsigned char *)first->dst + at, first->file_byte + at, len, need,
                          first->name, err);

        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Take the next run of jobs, read it without the lock, and book it. */
static void read_next(struct reader *r, unsigned char *bounce)
{
    struct read_job first, last;
    struct err err = {0};
    uint64_t bytes, got = 0;
    int at = r->n_taken, n = coalesce(r->job, at, r->n_posted, &bytes), rc;

    first = r->job[at].what; /* copies: the array may move while it grows */
    last = r->job[at + n - 1].what;
    r->n_taken += n;
    r->busy++;
    pthread_mutex_unlock(&r->lock);
    rc = read_run(r, bounce, &first, &last, bytes, &got, &err);
    pthread_mutex_lock(&r->lock);
    r->busy--;
    r->read_bytes += got;
    if (rc < 0 && !r->failure.code)
        r->failure = err;
    for (int i = 0; rc == 0 && i < n; i++)
        r->job[at + i].done = true;
    while (r->n_done < r->n_taken && r->job[r->n_done].done)
        r->n_done++;
    pthread_cond_broadcast(&r->progress);
}

struct seat { /* what a thread is told when it starts */
    struct reader *r;
    unsigned char *bounce;
};

static void *reader_main(void *arg)
{
    struct seat seat = *(struct seat *)arg;
    struct reader *r = seat.r;

    free(arg);
    pthread_mutex_lock(&r->lock);
    while (!r->quit) {
        if (r->n_taken == r->n_posted || r->drain || r->failure.code)
            pthread_cond_wait(&r->work, &r->lock);
        else
            read_next(r, seat.bounce);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

static int start_threads(struct reader *r, struct err *err)
{
    for (int i = 0; i < THREADS; i++) {
        struct seat *seat = malloc(sizeof(*seat));

        r->bounce[i] = aligned_alloc(READ_ALIGN, BOUNCE_BYTES);
        if (!seat || !r->bounce[i]) {
            free(seat);
            return err_set(err, -ENOMEM, "out of memory for the disk reader");
        }
        *seat = (struct seat){r, r->bounce[i]};
        if (pthread_create(&r->thread[i], NULL, reader_main, seat) != 0) {
            free(seat);
            return err_set(err, -EAGAIN, "cannot start a thread of the disk reader");
        }
        r->n_threads++;
    }
    return 0;
}

int reader_new(const char *path, struct reader **ret_r, struct err *err)
{
    struct reader *r = calloc(1, sizeof(*r));
    int rc = 0;

    if (!r)
        return err_set(err, -ENOMEM, "out of memory for the disk reader");
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->work, NULL);
    pthread_cond_init(&r->progress, NULL);
    r->path = strdup(path);
    r->direct = true;
    r->fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
    if (r->fd < 0 && errno == EINVAL) { /* e.g. tmpfs */
        r->direct = false;
        r->fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (!r->path)
        rc = err_set(err, -ENOMEM, "out of memory for the disk reader");
    else if (r->fd < 0)
        rc = err_set(err, -errno, "'%s': %s", path, strerror(errno));
    else
        rc = start_threads(r, err);
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
    pthread_mutex_lock(&r->lock);
    r->quit = true;
    pthread_cond_broadcast(&r->work);
    pthread_mutex_unlock(&r->lock);
    for (int i = 0; i < r->n_threads; i++)
        pthread_join(r->thread[i], NULL);
    for (int i = 0; i < THREADS; i++)
        free(r->bounce[i]);
    if (r->fd >= 0)
        close(r->fd);
    pthread_cond_destroy(&r->work);
    pthread_cond_destroy(&r->progress);
    pthread_mutex_destroy(&r->lock);
    free(r->job);
    free(r->path);
    free(r);
}

bool reader_direct(const struct reader *r)
{
    return r->direct;
}

void reader_reset(struct reader *r)
{
    pthread_mutex_lock(&r->lock);
    r->n_posted = r->n_taken = r->n_done = 0;
    r->drain = false;
    r->read_bytes = 0;
    r->failure.code = 0;
    pthread_mutex_unlock(&r->lock);
    if (!r->direct)
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
        r->job[r->n_posted++] = (struct job){.what = *job};
        pthread_cond_signal(&r->work);
    }
    pthread_mutex_unlock(&r->lock);
    return rc;
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
    return rc;
}

void reader_drain(struct reader *r)
{
    pthread_mutex_lock(&r->lock);
    r->drain = true;
    while (r->busy > 0)
        pthread_cond_wait(&r->progress, &r->lock);
    pthread_mutex_unlock(&r->lock);
}

uint64_t reader_bytes(const struct reader *r)
{
    return r->read_bytes;
}
