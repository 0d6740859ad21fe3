/* The reader's threads where there is no io_uring, and the one that emulates a disk. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "harness/reader/engine.h"
#include "profiler/clock.h"

#define BLOCK_BYTES (UINT64_C(4) << 20)
/* One pread at a time is as fast as many while cores are idle. While kernels keep every core busy a
 * thread may wait for its turn after each read, and the disk with it: then two more fill the gap. */
#define THREADS 3
/* A throttled disk delivers in pieces of so long, so that a layer does not wait for its neighbours'. */
#define THROTTLED_PIECE_NS 5000000

struct threads {
    pthread_t thread[THREADS];
    int n;              /* started */
    int n_seats;        /* taken by threads */
    uint64_t busy_until_ns; /* of a throttled disk, one thread's; 0: it was idle */
};

static int64_t read_rest(struct reader *r, const struct piece *p, unsigned char *to)
{
    uint64_t from = p->file_byte + p->got_bytes, left = p->ask_bytes;
    ssize_t n;

    if (!r->ram) {
        n = pread(r->fd, to + p->got_bytes, left, (off_t)from);
        return n < 0 ? -errno : n;
    }
    if (from >= r->file.size_bytes)
        return 0;
    if (left > r->file.size_bytes - from)
        left = r->file.size_bytes - from;
    memcpy(to + p->got_bytes, r->ram + from, left);
    return (int64_t)left;
}

/* The disk that is emulated serves one read after another; time that we overslept is not its. */
static void throttle(struct reader *r, uint64_t began_ns, uint64_t bytes)
{
    struct threads *t = r->state;
    struct timespec until;

    if (t->busy_until_ns == 0)
        t->busy_until_ns = began_ns;
    t->busy_until_ns += (uint64_t)((double)bytes * 1e9 / (double)r->opt.rate_bps);
    until.tv_sec = (time_t)(t->busy_until_ns / 1000000000);
    until.tv_nsec = (long)(t->busy_until_ns % 1000000000);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
}

static void read_piece(struct reader *r, struct piece *p, unsigned char *bounce)
{
    struct err failure = {0};
    uint64_t began_ns = clock_ns();

    while (!reader_got(r, p, read_rest(r, p, p->dst ? p->dst : bounce), &failure))
        ;
    if (r->opt.rate_bps)
        throttle(r, began_ns, p->got_bytes);
    reader_book(r, p, bounce, &failure);
}

static void *thread_main(void *arg)
{
    struct reader *r = arg;
    struct threads *t = r->state;
    unsigned char *bounce;

    if (r->direct && !r->ram && !r->opt.rate_bps)
        reader_hurry(); /* others copy, or are slow on purpose */
    pthread_mutex_lock(&r->lock);
    bounce = r->bounce + (uint64_t)t->n_seats++ * BOUNCE_BYTES;
    while (!r->quit) {
        struct piece p;

        if (!reader_next(r, &p)) {
            pthread_cond_wait(&r->work, &r->lock);
            t->busy_until_ns = 0;
            continue;
        }
        pthread_mutex_unlock(&r->lock);
        read_piece(r, &p, bounce);
        pthread_mutex_lock(&r->lock);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

static int start(struct reader *r, struct err *err)
{
    bool emulated = r->opt.ram || r->opt.rate_bps;
    struct threads *t = calloc(1, sizeof(*t));

    if (!t)
        return err_set(err, -ENOMEM, "out of memory for the disk reader");
    r->state = t;
    r->block_bytes = BLOCK_BYTES;
    if (r->opt.rate_bps) {
        uint64_t piece = (uint64_t)((double)r->opt.rate_bps * THROTTLED_PIECE_NS / 1e9);

        piece = piece / READ_ALIGN * READ_ALIGN;
        if (piece < BLOCK_BYTES)
            r->block_bytes = piece > BOUNCE_BYTES ? piece : BOUNCE_BYTES;
    }
    while (t->n < (emulated ? 1 : THREADS)) {
        if (pthread_create(&t->thread[t->n], NULL, thread_main, r) != 0)
            return err_set(err, -EAGAIN, "cannot start a thread of the disk reader");
        t->n++;
    }
    return 0;
}

static void wake(struct reader *r)
{
    pthread_cond_broadcast(&r->work);
}

static void stop(struct reader *r)
{
    struct threads *t = r->state;

    for (int i = 0; t && i < t->n; i++)
        pthread_join(t->thread[i], NULL);
    free(t);
    r->state = NULL;
}

const struct reader_engine reader_threads = {.start = start, .wake = wake, .stop = stop};
