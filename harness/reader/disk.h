/* harness/reader/disk.h - how fast a disk gives a file, and how fast our reader takes it: plain
 * pread and io_uring loops with O_DIRECT into huge pages beside the reader, in turns. */
#ifndef FLASHMEM_HARNESS_READER_DISK_H
#define FLASHMEM_HARNESS_READER_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/err.h"
#include "profiler/stats.h"

struct disk_rate {
    char name[160];         /* "pread", "io_uring", or what reader_kind() says */
    bool ours;
    uint64_t block_bytes;   /* 0: the reader's own */
    int depth;              /* blocks in flight; 0: the reader's own */
    struct interval rate_bps;
    double cpu_s_per_gb;    /* the process's own processor time, 1e9 bytes; median */
    struct interval of_best; /* rate over that of the fastest loop in the same round */
};

struct disk_options {
    int rounds;          /* every one gives each a turn */
    uint64_t turn_bytes; /* read in one turn, from another region of the file each time */
    bool (*stop)(void);  /* looked at between turns; NULL: never */
    void (*progress)(void *ctx, int round, int rounds); /* after each round; may be NULL */
    void *ctx;
};

/* ret_rate: owned by the caller, free(); the reader comes last. The file must be at least twice as
 * long as a turn. -EINVAL; -EOPNOTSUPP: no O_DIRECT here; -EINTR: stopped; -EIO. */
int disk_compare(const char *path, const struct disk_options *opt, struct disk_rate **ret_rate,
                 int *ret_n, struct err *err);

#endif
