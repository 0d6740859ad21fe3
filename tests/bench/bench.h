/* tests/bench/bench.h - benchmarks: alternatives timed in turns within one run, as ratios.
 *
 * Machines are noisy and shared, so nothing is compared across runs and nothing fails: a row says
 * what was measured, the goal, and whether it was met. Every alternative runs in batches of at
 * least BENCH_BATCH_NS, the batches take turns, and times are compared turn by turn. Caches are as a batch
 * leaves them: data that fits is hot, for all alternatives alike. */
#ifndef FLASHMEM_TESTS_BENCH_H
#define FLASHMEM_TESTS_BENCH_H

#include "operators/trial/trial.h"

enum { BENCH_SIDES = 12 };

struct bench {
    struct device *dev;
    cl_command_queue queue;
    int rounds;
    bool cpu_time; /* all threads' time, which others on the machine disturb less */
};

/* $FLASHMEM_DEVICE, else the default device; ends the program with 77 where there is none.
 * `--rounds N` among the arguments sets the rounds (15), `--clock cpu` is for CPU devices. */
void bench_open(struct bench *b, int argc, char **argv);
void bench_close(struct bench *b);

/* One alternative: run() executes it `times` times and returns when the last has ended. */
struct bench_side {
    const char *name;
    void (*run)(void *ctx, int times);
    void *ctx;
    double median_ns, low_ns, high_ns; /* of one execution; quartiles */
    double ratio; /* median over the turns of this side's time / side 0's in the same turn */
};

/* An operator's case and variant ("buffer,staged,BM=64"; "" for the default on images), verified
 * first if `verify`. Exits with a message when it cannot be built or is wrong. */
struct bench_side bench_op(struct bench *b, const char *name, const char *op_case,
                           const char *variant, bool verify);
/* The same with so many bytes of extra load. */
struct bench_side bench_op_loaded(struct bench *b, const char *name, const char *op_case,
                                  const char *variant, uint64_t load_bytes, bool verify);
void bench_op_done(struct bench_side *s);

void bench_time(struct bench *b, struct bench_side *sides, int n);

/* A line of the report: `value` beside `goal`, and whether it is reached. NaN: no goal. */
void bench_head(const struct bench *b, const char *what);
void bench_goal(const char *name, double value, double goal, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
