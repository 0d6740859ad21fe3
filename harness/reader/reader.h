/* harness/reader/reader.h - the disk reader: O_DIRECT reads, several in flight, begun in the order
 * posted. Jobs that are neighbours both in the file and in memory are read together; long ones are
 * cut. One thread waits on an io_uring; where that is refused, a few threads call pread(). Where
 * the file system refuses O_DIRECT, reads are buffered and the file's pages are dropped before
 * each run. */
#ifndef FLASHMEM_HARNESS_READER_READER_H
#define FLASHMEM_HARNESS_READER_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/err.h"

#define READ_ALIGN 4096 /* O_DIRECT: file offsets, lengths and addresses */

struct reader;

struct read_job {
    void *dst;          /* aligned to READ_ALIGN, read_bytes long */
    uint64_t file_byte; /* multiple of READ_ALIGN */
    uint64_t bytes; /* that must arrive; the rest up to read_bytes may lie behind the file's end */
    uint64_t read_bytes; /* multiple of READ_ALIGN */
    const char *name;    /* of the weight, for messages; borrowed */
    /* Gathered rows (n_rows > 0): row_bytes from file_byte + row[i] * row_bytes each, packed. */
    const int32_t *row;
    int n_rows;
    uint64_t row_bytes;
};

struct reader_options {
    bool cached;   /* through the page cache, and nothing drops it: a warm start */
    bool no_uring; /* threads, though io_uring may work */
    /* Emulated disks; what is measured with them must say so. One thread serves them. */
    bool ram;          /* from a copy of the file in memory, made by reader_new() */
    uint64_t rate_bps; /* not faster than this, bytes per second; 0: no limit */
    /* Tests: sees every read's result (bytes or negative errno) and says what it shall be, for
     * instance -EIO, or less. Called from the reader's threads. NULL: none. */
    int64_t (*fault)(void *ctx, uint64_t file_byte, int64_t result);
    void *ctx;
};

/* "disk", "ram", "disk@500MB/s", "ram@20MB/s": anything but "disk" is emulated. */
#define READER_SOURCE_MAX 40
void reader_source(const struct reader_options *opt, char ret_text[READER_SOURCE_MAX]);

/* opt: NULL for none of them. -ENOENT and the like; -ENOMEM. */
int reader_new(const char *path, const struct reader_options *opt, struct reader **ret_r,
               struct err *err);
void reader_free(struct reader *r); /* NULL is fine; stops after the blocks in flight */

bool reader_direct(const struct reader *r);
uint64_t reader_staging_bytes(void); /* its bounce buffers */
/* What reads, for people: "io_uring, registered buffers", "pread threads (io_uring: ...)". */
const char *reader_kind(const struct reader *r);

/* Memory that many jobs will be read into: locked and known to the kernel until it is unregistered
 * or the reader is freed, which saves looking its pages up at every read. Only then free it: reads
 * into other memory at its addresses would be lost. Unregistered memory is read into as well, and
 * so is all where this is refused; reader_kind() then says why. Nothing may be pending. */
void reader_register(struct reader *r, void *base, uint64_t bytes);
void reader_unregister(struct reader *r, const void *base, uint64_t bytes);

/* From here on a read is at most so long, which is a multiple of READ_ALIGN: where what is read goes
 * round in little memory, long reads would all arrive at once, and the disk would stand still until
 * the first of it is done with. Nothing may be pending. */
void reader_cut(struct reader *r, uint64_t most_bytes);

/* Forget finished jobs and errors; drops cached pages if reads are buffered. Nothing may be
 * pending: call after reader_drain(). */
void reader_reset(struct reader *r);

/* Jobs are numbered from 0 in the order posted. -ENOMEM. */
int reader_post(struct reader *r, const struct read_job *job, struct err *err);

/* Block until all jobs up to number `job` are done. The first failure of any: -EIO and the like;
 * -ESTALE: the file was written to since reader_new(). err names the weight and the offset. */
int reader_wait(struct reader *r, int job, struct err *err);
/* Is job number `job` done, or will it never be (then reader_wait() says why)? Waits for that so long
 * at most. */
bool reader_done(struct reader *r, int job, uint64_t wait_ns);
/* Stop after the blocks in flight and forget what is posted. */
void reader_drain(struct reader *r);

bool reader_idle(struct reader *r);      /* all that was posted is done */
uint64_t reader_bytes(struct reader *r); /* read since reader_reset() */

#endif
