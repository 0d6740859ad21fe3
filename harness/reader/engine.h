/* harness/reader/engine.h - between the reader's queue (reader.c) and what reads
 * (uring.c, threads.c). Private. */
#ifndef FLASHMEM_HARNESS_READER_ENGINE_H
#define FLASHMEM_HARNESS_READER_ENGINE_H

#include <pthread.h>

#include "harness/reader/reader.h"

#define BOUNCE_BYTES (UINT64_C(64) << 10) /* one buffer; a gathered run of rows is cut to it */
#define BOUNCES      32                   /* so many reads of rows may be in flight */

struct job {
    struct read_job what;
    uint64_t left_bytes; /* that have not arrived; of rows, their payload */
};

/* One read: a cut of a job, several neighbouring jobs, or (dst NULL) rows by way of a bounce
 * buffer. Everything read is a multiple of READ_ALIGN. */
struct piece {
    uint64_t file_byte, bytes;
    uint64_t must_bytes; /* the rest may lie behind the file's end */
    uint64_t got_bytes;
    uint64_t ask_bytes;  /* the next read is so long: less than the rest after a failure */
    unsigned char *dst;
    unsigned char *copy_to; /* rows: copy_bytes from bounce + copy_from */
    uint64_t copy_from, copy_bytes;
    int job;            /* the first */
    uint64_t job_byte;  /* where in it */
};

/* Every hook is required but `add` and `drop`. */
struct reader_engine {
    /* Start threads; r->block_bytes and, if it is empty, r->kind are the engine's to fill. Negative
     * errno: refused. */
    int (*start)(struct reader *r, struct err *err);
    void (*wake)(struct reader *r); /* there is something to do; the lock is held */
    void (*stop)(struct reader *r); /* r->quit is set: join, free; start() may have failed */
    void (*add)(struct reader *r, void *base, uint64_t bytes); /* reader_register() */
    void (*drop)(struct reader *r, const void *base, uint64_t bytes); /* reader_unregister() */
};
extern const struct reader_engine reader_threads;
extern const struct reader_engine reader_uring;

struct reader {
    const struct reader_engine *engine;
    void *state; /* the engine's */
    struct reader_options opt;
    int fd;
    bool direct;
    char *path;
    char kind[160];
    uint64_t block_bytes;  /* longest piece, a multiple of READ_ALIGN */
    unsigned char *bounce; /* [BOUNCES * BOUNCE_BYTES] */
    unsigned char *ram;    /* the file; NULL: it is read */
    struct file_state {
        uint64_t size_bytes;
        int64_t mtime_ns;
    } file; /* as it was in reader_new() */

    pthread_mutex_t lock;
    pthread_cond_t work, progress; /* work: for the engine's threads */
    struct job *job;
    int n_posted, n_done, allocated; /* n_done: all jobs before it are done */
    int next_job;                    /* the cursor: not cut into pieces yet */
    uint64_t next_byte;
    uint64_t piece_bytes;  /* the next one's most; 0: the disk has rested */
    uint64_t queued_bytes; /* posted, behind the cursor */
    int in_flight;         /* pieces */
    bool hungry;   /* the engine found nothing to do and wants to be woken */
    bool quit, drain;
    uint64_t read_bytes;
    struct err failure; /* code 0: none */
};

/* The calling thread waits for a disk, and soon for the next read: while kernels keep every core
 * busy it would wait for its turn after each, milliseconds, and the disk with it. It has so little to
 * do that it goes first where the system lets it (SCHED_FIFO); else its slice is short, which from
 * Linux 6.12 on wakes it at once. */
void reader_hurry(void);

/* How many bytes may be in flight: little in the beginning, as much more as has come since, and a
 * share of what waits at most. The lock is held. */
uint64_t reader_window(const struct reader *r);

/* The next piece, in order, counted as in flight; false (and hungry): nothing to do now. The lock
 * is held. */
bool reader_next(struct reader *r, struct piece *ret_piece);

/* Without the lock. What a read of p->ask_bytes from p->got_bytes gave: bytes or negative errno.
 * True: the piece is as done as it will be, go on to reader_book(); false: read on. A read that
 * fails is tried again, shorter and shorter, until it is known where and in which weight. */
bool reader_got(struct reader *r, struct piece *p, int64_t result, struct err *ret_failure);
/* `failure` (code 0: none) is of reader_got(); `bounce`: what rows were read into. */
void reader_book(struct reader *r, const struct piece *p, const unsigned char *bounce,
                 const struct err *failure);

#endif
