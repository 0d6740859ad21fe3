#include "harness/reader/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef HAVE_URING
#include <liburing.h>
#endif

#include "harness/reader/reader.h"
#include "profiler/clock.h"

#define MIB          (UINT64_C(1) << 20)
#define WINDOW_BYTES (32 * MIB) /* what is read goes round in it */
#define JOB_BYTES    (4 * MIB)  /* of the reader: what a plan's moves are cut to at most */
#define MAX_DEPTH    8

/* depth 0: pread; the reader is none of them. */
static const struct loop {
    uint64_t block_bytes;
    int depth;
} loops[] = {
    {1 * MIB, 0}, {2 * MIB, 0}, {4 * MIB, 0},
#ifdef HAVE_URING
    {1 * MIB, 2}, {1 * MIB, 4}, {1 * MIB, 8}, {2 * MIB, 2}, {2 * MIB, 4}, {4 * MIB, 2},
#endif
};
enum { LOOPS = sizeof(loops) / sizeof(loops[0]), CONTENDERS = LOOPS + 1 };

struct comparison {
    const char *path;
    const struct disk_options *opt;
    int fd;
    uint64_t n_regions, turns;
    unsigned char *window;
    struct reader *reader;
    double *rate, *cpu; /* [CONTENDERS][rounds] */
#ifdef HAVE_URING
    struct io_uring ring;
    bool has_ring;
#endif
};

static int read_error(const struct comparison *c, uint64_t at, int code, struct err *err)
{
    return err_set(err, code < 0 ? code : -EIO, "'%s': reading at byte %" PRIu64 ": %s", c->path, at,
                   code < 0 ? strerror(-code) : "it ends there: written to meanwhile?");
}

static int pread_loop(struct comparison *c, const struct loop *l, uint64_t from, struct err *err)
{
    for (uint64_t at = 0; at < c->opt->turn_bytes; at += l->block_bytes) {
        ssize_t n = pread(c->fd, c->window + at % WINDOW_BYTES, l->block_bytes, (off_t)(from + at));

        if (n != (ssize_t)l->block_bytes)
            return read_error(c, from + at, n < 0 ? -errno : 0, err);
    }
    return 0;
}

#ifdef HAVE_URING
static int ring_open(struct comparison *c, struct err *err)
{
    struct iovec v = {.iov_base = c->window, .iov_len = WINDOW_BYTES};
    int rc = io_uring_queue_init(2 * MAX_DEPTH, &c->ring, 0);

    if (rc == -ENOSYS || rc == -EPERM)
        return 0; /* refused here: pread alone, as for the reader */
    if (rc < 0)
        return err_set(err, rc, "io_uring: %s", strerror(-rc));
    c->has_ring = true;
    rc = io_uring_register_buffers(&c->ring, &v, 1);
    if (rc == 0)
        rc = io_uring_register_files(&c->ring, &c->fd, 1);
    return rc < 0 ? err_set(err, rc, "io_uring: registering %" PRIu64 " bytes: %s (see ulimit -l)",
                            (uint64_t)WINDOW_BYTES, strerror(-rc))
                  : 0;
}

static int uring_loop(struct comparison *c, const struct loop *l, uint64_t from, struct err *err)
{
    uint64_t begun = 0, done = 0, failed_at = 0;
    int failed = 1; /* none; else what a read gave */

    while (done < c->opt->turn_bytes && (failed == 1 || done < begun)) {
        struct io_uring_cqe *cqe;

        while (failed == 1 && begun < c->opt->turn_bytes &&
               begun - done < (uint64_t)l->depth * l->block_bytes) {
            struct io_uring_sqe *sqe = io_uring_get_sqe(&c->ring);

            io_uring_prep_read_fixed(sqe, 0, c->window + begun % WINDOW_BYTES,
                                     (unsigned)l->block_bytes, from + begun, 0);
            sqe->flags |= IOSQE_FIXED_FILE;
            sqe->user_data = from + begun;
            begun += l->block_bytes;
        }
        io_uring_submit_and_wait(&c->ring, 1);
        while (io_uring_peek_cqe(&c->ring, &cqe) == 0) {
            if (cqe->res != (int)l->block_bytes && failed == 1) {
                failed = cqe->res < 0 ? cqe->res : 0;
                failed_at = cqe->user_data;
            }
            done += l->block_bytes;
            io_uring_cqe_seen(&c->ring, cqe);
        }
    }
    return failed == 1 ? 0 : read_error(c, failed_at, failed, err);
}
#endif

/* All of it is posted at once, as far as a run has room. */
static int reader_loop(struct comparison *c, uint64_t from, struct err *err)
{
    int n = (int)(c->opt->turn_bytes / JOB_BYTES), rc = 0;

    reader_reset(c->reader);
    for (int i = 0; i < n && rc == 0; i++) {
        struct read_job job = {
            .dst = c->window + (uint64_t)i * JOB_BYTES % WINDOW_BYTES,
            .file_byte = from + (uint64_t)i * JOB_BYTES,
            .bytes = JOB_BYTES,
            .read_bytes = JOB_BYTES,
            .name = "region",
        };

        rc = reader_post(c->reader, &job, err);
    }
    if (rc == 0)
        rc = reader_wait(c->reader, n - 1, err);
    reader_drain(c->reader);
    return rc;
}

static double process_s(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static bool runs_here(const struct comparison *c, int k)
{
#ifdef HAVE_URING
    return k == LOOPS || loops[k].depth == 0 || c->has_ring;
#else
    (void)c, (void)k;
    return true;
#endif
}

static int take_turn(struct comparison *c, int k, int round, struct err *err)
{
    /* No region is read twice before all others were: whatever caches below us forgets in between. */
    uint64_t from = c->turns++ % c->n_regions * c->opt->turn_bytes;
    double cpu = process_s();
    uint64_t began = clock_ns();
    size_t i = (size_t)(k * c->opt->rounds + round);
    int rc;

    if (k == LOOPS)
        rc = reader_loop(c, from, err);
#ifdef HAVE_URING
    else if (loops[k].depth > 0)
        rc = uring_loop(c, &loops[k], from, err);
#endif
    else
        rc = pread_loop(c, &loops[k], from, err);
    c->rate[i] = (double)c->opt->turn_bytes / ((double)(clock_ns() - began) * 1e-9);
    c->cpu[i] = (process_s() - cpu) / ((double)c->opt->turn_bytes * 1e-9);
    return rc;
}

static int take_rounds(struct comparison *c, struct err *err)
{
    int rc = 0;

    for (int round = 0; round < c->opt->rounds && rc == 0; round++) {
        for (int i = 0; i < CONTENDERS && rc == 0; i++) {
            int k = (i + round) % CONTENDERS; /* everyone comes first, second, ... */

            if (c->opt->stop && c->opt->stop())
                return err_set(err, -EINTR, "interrupted in round %d", round + 1);
            if (runs_here(c, k))
                rc = take_turn(c, k, round, err);
        }
        if (rc == 0 && c->opt->progress)
            c->opt->progress(c->opt->ctx, round + 1, c->opt->rounds);
    }
    return rc;
}

static int summarize(const struct comparison *c, struct disk_rate *ret_rate, struct err *err)
{
    int rounds = c->opt->rounds, best = 0, n = 0;
    double *ratio = malloc((size_t)rounds * sizeof(*ratio)), best_bps = 0;

    if (!ratio)
        return err_set(err, -ENOMEM, "out of memory for %d rounds", rounds);
    for (int k = 0; k < LOOPS; k++) {
        double bps = runs_here(c, k) ? stats_median(c->rate + k * rounds, rounds) : 0;

        if (bps > best_bps) {
            best = k;
            best_bps = bps;
        }
    }
    for (int k = 0; k < CONTENDERS; k++) {
        struct disk_rate *d = &ret_rate[n];

        if (!runs_here(c, k))
            continue;
        for (int i = 0; i < rounds; i++)
            ratio[i] = c->rate[k * rounds + i] / c->rate[best * rounds + i];
        d->ours = k == LOOPS;
        if (!d->ours) {
            d->block_bytes = loops[k].block_bytes;
            d->depth = loops[k].depth ? loops[k].depth : 1;
        }
        snprintf(d->name, sizeof(d->name), "%s",
                 d->ours ? reader_kind(c->reader) : (loops[k].depth ? "io_uring" : "pread"));
        d->rate_bps = stats_median_interval(c->rate + k * rounds, rounds, 0.95, 1000, (uint64_t)k);
        d->cpu_s_per_gb = stats_median(c->cpu + k * rounds, rounds);
        d->of_best = stats_median_interval(ratio, rounds, 0.95, 1000, (uint64_t)k);
        n++;
    }
    free(ratio);
    return n;
}

static int open_all(struct comparison *c, struct err *err)
{
    size_t values = (size_t)(CONTENDERS * c->opt->rounds);
    struct stat s;
    void *window;
    int rc;

    if (c->opt->turn_bytes == 0 || c->opt->turn_bytes % WINDOW_BYTES || c->opt->rounds < 1)
        return err_set(err, -EINVAL, "a turn: want a multiple of %" PRIu64 " bytes, got %" PRIu64,
                       (uint64_t)WINDOW_BYTES, c->opt->turn_bytes);
    c->fd = open(c->path, O_RDONLY | O_DIRECT | O_CLOEXEC);
    if (c->fd < 0 && errno == EINVAL)
        return err_set(err, -EOPNOTSUPP, "'%s': this file system has no O_DIRECT: its disk cannot be "
                       "measured through it", c->path);
    if (c->fd < 0 || fstat(c->fd, &s) < 0)
        return err_set(err, -errno, "cannot read '%s': %s: want a file on the disk to be measured, such "
                       "as a model's weights", c->path, strerror(errno));
    c->n_regions = (uint64_t)s.st_size / c->opt->turn_bytes;
    if (c->n_regions < 2)
        return err_set(err, -EINVAL,
                       "'%s': want a file of at least %" PRIu64 " bytes, two turns, got %" PRIu64
                       ": give a larger one, or a shorter --turn",
                       c->path, 2 * c->opt->turn_bytes, (uint64_t)s.st_size);
    c->rate = calloc(values, sizeof(double));
    c->cpu = calloc(values, sizeof(double));
    if (!c->rate || !c->cpu || posix_memalign(&window, 2 * MIB, WINDOW_BYTES) != 0)
        return err_set(err, -ENOMEM, "out of memory for %d rounds", c->opt->rounds);
    c->window = window;
    madvise(window, WINDOW_BYTES, MADV_HUGEPAGE);
    memset(window, 0, WINDOW_BYTES);
    rc = reader_new(c->path, NULL, &c->reader, err);
    if (rc < 0)
        return rc;
    reader_register(c->reader, window, WINDOW_BYTES);
#ifdef HAVE_URING
    rc = ring_open(c, err);
#endif
    return rc;
}

int disk_compare(const char *path, const struct disk_options *opt, struct disk_rate **ret_rate,
                 int *ret_n, struct err *err)
{
    struct comparison c = {.path = path, .opt = opt, .fd = -1};
    struct disk_rate *rate = calloc(CONTENDERS, sizeof(*rate));
    int rc = rate ? open_all(&c, err) : err_set(err, -ENOMEM, "out of memory");

    if (rc == 0)
        rc = take_rounds(&c, err);
    if (rc == 0)
        rc = summarize(&c, rate, err);
    if (rc >= 0) {
        *ret_n = rc;
        *ret_rate = rate;
        rate = NULL;
    }
#ifdef HAVE_URING
    if (c.has_ring)
        io_uring_queue_exit(&c.ring);
#endif
    reader_free(c.reader);
    if (c.fd >= 0)
        close(c.fd);
    free(c.window);
    free(c.rate);
    free(c.cpu);
    free(rate);
    return rc < 0 ? rc : 0;
}
