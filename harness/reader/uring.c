/* One thread that waits on an io_uring, several reads in flight. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "harness/reader/engine.h"

#ifdef HAVE_URING
#include <liburing.h>

#define BLOCK_BYTES (UINT64_C(4) << 20)
/* The kernel takes at most 1 GiB in one registered buffer. */
#define REGION_BYTES (UINT64_C(1) << 30)
#define MAX_REGIONS  64

struct slot {
    struct piece p;
    bool busy;
};

struct region {
    unsigned char *base;
    uint64_t bytes;
};

struct uring {
    struct io_uring ring;
    bool has_ring, has_thread, fixed_file;
    int event; /* readable: there are jobs, or it is over */
    uint64_t event_count;
    pthread_t thread;
    struct slot slot[BOUNCES];
    int n_busy;
    uint64_t flight_bytes;
    bool has_table;
    struct region region[MAX_REGIONS]; /* bytes 0: none */
};

static struct slot *free_slot(struct uring *u)
{
    int i = 0;

    while (u->slot[i].busy)
        i++;
    return &u->slot[i];
}

static unsigned char *slot_bounce(const struct reader *r, const struct uring *u,
                                  const struct slot *s)
{
    return r->bounce + (uint64_t)(s - u->slot) * BOUNCE_BYTES;
}

/* The registered buffer that holds all of it; -1: none does. */
static int find_region(const struct uring *u, const unsigned char *at, uint64_t bytes)
{
    for (int i = 0; i < MAX_REGIONS; i++)
        if (at >= u->region[i].base && at + bytes <= u->region[i].base + u->region[i].bytes)
            return i;
    return -1;
}

/* There is always room: as many entries as slots, and one for the event. */
static void read_rest(struct reader *r, struct uring *u, struct slot *s)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
    unsigned char *to = (s->p.dst ? s->p.dst : slot_bounce(r, u, s)) + s->p.got_bytes;
    uint64_t bytes = s->p.ask_bytes, from = s->p.file_byte + s->p.got_bytes;
    int fd = u->fixed_file ? 0 : r->fd, region = find_region(u, to, bytes);

    if (region >= 0)
        io_uring_prep_read_fixed(sqe, fd, to, (unsigned)bytes, from, region);
    else
        io_uring_prep_read(sqe, fd, to, (unsigned)bytes, from);
    if (u->fixed_file)
        sqe->flags |= IOSQE_FIXED_FILE;
    io_uring_sqe_set_data(sqe, s);
}

static void await_event(struct uring *u)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

    io_uring_prep_read(sqe, u->event, &u->event_count, sizeof(u->event_count), 0);
    io_uring_sqe_set_data(sqe, NULL);
}

/* False: it is over and nothing is in flight. */
static bool begin_reads(struct reader *r, struct uring *u)
{
    bool quit;

    pthread_mutex_lock(&r->lock);
    while (u->n_busy < BOUNCES && u->flight_bytes < reader_window(r)) {
        struct slot *s = free_slot(u);

        if (!reader_next(r, &s->p))
            break;
        s->busy = true;
        u->n_busy++;
        u->flight_bytes += s->p.bytes;
        read_rest(r, u, s);
    }
    quit = r->quit;
    pthread_mutex_unlock(&r->lock);
    return !quit || u->n_busy > 0;
}

static void end_read(struct reader *r, struct uring *u, struct slot *s, int result)
{
    struct err failure = {0};

    if (!reader_got(r, &s->p, result, &failure)) {
        read_rest(r, u, s);
        return;
    }
    reader_book(r, &s->p, slot_bounce(r, u, s), &failure);
    s->busy = false;
    u->n_busy--;
    u->flight_bytes -= s->p.bytes;
}

static void *thread_main(void *arg)
{
    struct reader *r = arg;
    struct uring *u = r->state;

    reader_hurry();
    await_event(u);
    while (begin_reads(r, u)) {
        struct io_uring_cqe *cqe;

        /* Interrupted, or short of memory for a moment: what was not submitted still stands in the
         * ring, what is in flight ends in any case. */
        if (io_uring_submit_and_wait(&u->ring, 1) < 0)
            usleep(100);
        while (io_uring_peek_cqe(&u->ring, &cqe) == 0) {
            struct slot *s = io_uring_cqe_get_data(cqe);
            int result = cqe->res;

            io_uring_cqe_seen(&u->ring, cqe);
            if (s)
                end_read(r, u, s, result);
            else
                await_event(u);
        }
    }
    return NULL;
}

static int start(struct reader *r, struct err *err)
{
    struct uring *u = calloc(1, sizeof(*u));
    int rc;

    if (!u)
        return err_set(err, -ENOMEM, "out of memory");
    r->state = u;
    r->block_bytes = BLOCK_BYTES;
    u->event = eventfd(0, EFD_CLOEXEC);
    if (u->event < 0)
        return err_set(err, -errno, "eventfd: %s", strerror(errno));
    rc = io_uring_queue_init(2 * BOUNCES, &u->ring, 0);
    if (rc < 0)
        return err_set(err, rc, "%s", strerror(-rc));
    u->has_ring = true;
    u->fixed_file = io_uring_register_files(&u->ring, &r->fd, 1) == 0;
    strcpy(r->kind, "io_uring");
    if (pthread_create(&u->thread, NULL, thread_main, r) != 0)
        return err_set(err, -EAGAIN, "cannot start a thread");
    u->has_thread = true;
    return 0;
}

static void wake(struct reader *r)
{
    const struct uring *u = r->state;
    uint64_t one = 1;

    if (u && u->event >= 0 && write(u->event, &one, sizeof(one)) < 0)
        abort(); /* of an eventfd of ours: cannot be */
}

static void stop(struct reader *r)
{
    struct uring *u = r->state;

    if (!u)
        return;
    if (u->has_thread)
        pthread_join(u->thread, NULL);
    if (u->has_ring)
        io_uring_queue_exit(&u->ring);
    if (u->event >= 0)
        close(u->event);
    free(u);
    r->state = NULL;
}

static int register_part(struct uring *u, unsigned char *base, uint64_t bytes)
{
    struct iovec v = {.iov_base = base, .iov_len = bytes};
    int i = 0, rc;

    while (i < MAX_REGIONS && u->region[i].bytes > 0)
        i++;
    if (i == MAX_REGIONS)
        return -ENOSPC;
    rc = io_uring_register_buffers_update_tag(&u->ring, (unsigned)i, &v, NULL, 1);
    if (rc >= 0)
        u->region[i] = (struct region){base, bytes};
    return rc < 0 ? rc : 0;
}

static void add(struct reader *r, void *base, uint64_t bytes)
{
    struct uring *u = r->state;
    int rc = 0;

    pthread_mutex_lock(&r->lock);
    if (!u->has_table)
        rc = io_uring_register_buffers_sparse(&u->ring, MAX_REGIONS);
    u->has_table = u->has_table || rc == 0;
    for (uint64_t at = 0; at < bytes && rc == 0; at += REGION_BYTES)
        rc = register_part(u, (unsigned char *)base + at,
                           bytes - at < REGION_BYTES ? bytes - at : REGION_BYTES);
    if (rc == 0)
        snprintf(r->kind, sizeof(r->kind), "io_uring, registered buffers");
    else
        snprintf(r->kind, sizeof(r->kind), "io_uring, buffers not registered (%s%s)", strerror(-rc),
                 rc == -ENOMEM ? ": see ulimit -l" : "");
    pthread_mutex_unlock(&r->lock);
}

static void drop(struct reader *r, const void *base, uint64_t bytes)
{
    const unsigned char *from = base;
    struct uring *u = r->state;
    struct iovec none = {0};

    pthread_mutex_lock(&r->lock);
    for (int i = 0; i < MAX_REGIONS; i++) {
        if (u->region[i].bytes == 0 || u->region[i].base < from ||
            u->region[i].base >= from + bytes)
            continue;
        io_uring_register_buffers_update_tag(&u->ring, (unsigned)i, &none, NULL, 1);
        u->region[i].bytes = 0;
    }
    pthread_mutex_unlock(&r->lock);
}

const struct reader_engine reader_uring = {
    .start = start, .wake = wake, .stop = stop, .add = add, .drop = drop};

#else

static int start(struct reader *r, struct err *err)
{
    (void)r;
    return err_set(err, -ENOSYS, "built without liburing");
}

static void wake(struct reader *r)
{
    (void)r;
}

const struct reader_engine reader_uring = {.start = start, .wake = wake, .stop = wake};

#endif
