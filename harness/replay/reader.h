/* harness/replay/reader.h - the disk reader: a few threads, O_DIRECT preads begun in the order
 * posted. Jobs that are neighbours both in the file and in memory are read together, up to 4 MiB:
 * with huge-page destinations that reaches the disk's rate. Where the file
 * system refuses O_DIRECT, reads are buffered and the file's pages are dropped before each run. */
#ifndef FLASHMEM_HARNESS_REPLAY_READER_H
#define FLASHMEM_HARNESS_REPLAY_READER_H

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

int reader_new(const char *path, struct reader **ret_r, struct err *err);
void reader_free(struct reader *r); /* NULL is fine; stops at the next block */

bool reader_direct(const struct reader *r);
uint64_t reader_staging_bytes(void); /* its bounce buffers */

/* Forget finished jobs and errors; drops cached pages if reads are buffered. Nothing may be
 * pending: call after reader_drain(). */
void reader_reset(struct reader *r);

/* Jobs are numbered from 0 in the order posted. -ENOMEM. */
int reader_post(struct reader *r, const struct read_job *job, struct err *err);

/* Block until job number `job` is done. -EIO and the like: the first failure, err names the weight
 * and the offset. */
int reader_wait(struct reader *r, int job, struct err *err);
/* Stop after the block in flight and forget what is posted. */
void reader_drain(struct reader *r);

uint64_t reader_bytes(const struct reader *r); /* read since reader_reset() */

#endif
