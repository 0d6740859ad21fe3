/* profiler/memory.h - accounted memory by kind, under one limit, as a timeline; and the process's
 * own memory beside it. Every allocation of the replayer goes through a ledger: the ledger is the
 * memory limit, because OpenCL platforms do not hold one. Thread-safe. */
#ifndef FLASHMEM_PROFILER_MEMORY_H
#define FLASHMEM_PROFILER_MEMORY_H

#include <stdint.h>

#include "profiler/err.h"

enum mem_kind {
    MEM_STAGING,    /* host memory that only the disk reader sees */
    MEM_UM,         /* unified memory: what kernels read weights from on their way to textures */
    MEM_TEXTURE,    /* weights where compute kernels read them (images, or buffers on that path) */
    MEM_ACTIVATION, /* inputs, outputs and everything between layers */
    MEM_HOST,       /* other host copies */
    MEM_KINDS
};

const char *mem_kind_name(enum mem_kind kind); /* "staging", "um", ... */

struct mem; /* a ledger */

/* `limit_bytes` 0: no limit. */
int mem_new(uint64_t limit_bytes, struct mem **ret_mem, struct err *err);
void mem_free(struct mem *mem);

/* Who else must agree to what a ledger books: a limit that several ledgers share. charge() may wait
 * for room; after its failure nothing is booked. Called without any lock of the ledger. */
struct mem_above {
    int (*charge)(void *ctx, enum mem_kind kind, uint64_t bytes, const char *what, struct err *err);
    void (*release)(void *ctx, enum mem_kind kind, uint64_t bytes);
    void *ctx;
};
/* `above` is borrowed. Before the first charge. */
void mem_set_above(struct mem *mem, const struct mem_above *above);

/* Book `bytes` of `kind`. -ENOMEM above the limit: nothing is booked, and err names `what`, what is
 * live and what the limit is. `mem` NULL books nothing (measurements outside a run). */
int mem_charge(struct mem *mem, enum mem_kind kind, uint64_t bytes, const char *what,
               struct err *err);
void mem_release(struct mem *mem, enum mem_kind kind, uint64_t bytes);

/* One change of the ledger, or (rss_bytes set) one sample of the process. t_ns counts from
 * mem_start(). */
struct mem_point {
    uint64_t t_ns;
    uint64_t live_bytes[MEM_KINDS];
    uint64_t rss_bytes; /* 0: not sampled at this point */
};

struct mem_summary {
    uint64_t peak_bytes;     /* accounted, all kinds together */
    double avg_bytes;        /* time average between start and stop */
    double byte_s;           /* its integral */
    uint64_t rss_base_bytes; /* process RSS at start, or at mem_baseline() */
    uint64_t rss_peak_bytes; /* highest RSS sample above rss_base_bytes; 0 if not sampled */
    uint64_t watched_peak_bytes; /* the same of mem_watch(), above what it said then; 0 if not */
};

/* From now on sample `used` as well, wherever the RSS is sampled: what a device says of its memory,
 * for instance. It may take its time: it is called from the sampler, without a lock. What it says
 * now is the baseline. */
void mem_watch(struct mem *mem, uint64_t (*used)(void *ctx), void *ctx);


/* Take the process's RSS now as the baseline of the next timeline, where memory comes before its
 * start: the run that follows has to answer for it. */
void mem_baseline(struct mem *mem);

/* Start and stop a timeline: from the first byte read to the last output. rss_period_ns 0: no RSS
 * sampling thread, else one reads /proc/self/statm at that period. */
int mem_start(struct mem *mem, uint64_t rss_period_ns, struct err *err);
void mem_stop(struct mem *mem, struct mem_summary *ret_summary);

/* Points from mem_start() to mem_stop(), borrowed until the next mem_start() or mem_free(); call it
 * after mem_stop(). Beyond a million, neighbours are merged into the larger of the two. */
const struct mem_point *mem_points(const struct mem *mem, int *ret_n);
uint64_t mem_live(struct mem *mem); /* bytes booked now */

#endif
