/* harness/replay/sequence.h - one model run again and again: the first run reads everything, later
 * ones find there what was kept. */
#ifndef FLASHMEM_HARNESS_REPLAY_SEQUENCE_H
#define FLASHMEM_HARNESS_REPLAY_SEQUENCE_H

#include "harness/replay/replay.h"

struct sequence_options {
    int runs;            /* of a sequence */
    int sequences;       /* of each policy, in turns */
    uint64_t keep_bytes; /* most that stays between runs; the policy "preload" keeps all it has, as
                            frameworks do */
    const struct replay_options *replay; /* reference, tolerance, progress */
};

/* Of one policy; arrays have `runs` entries, one for each run of a sequence. */
struct sequence_outcome {
    struct replay_outcome all; /* every run, sequence after sequence; its medians are of the runs
                                  after the first of each */
    struct interval *integrated_ns;
    uint64_t *bytes_read;
    double *peak_bytes;
    double *rss_peak_bytes; /* above what the process had before the sequence; 0: not sampled */
    uint64_t kept_bytes;
    double predicted_ns; /* of a run after the first, from measured layers and disk */
};

/* ret_outcome[n]: zeroed before; free each with sequence_outcome_done(), also after a failure.
 * Errors as of replay_compare(); -EINTR: nothing is kept of what was measured. */
int sequence_compare(struct executor *ex, const struct model *m, const struct replay_policy *policy,
                     int n, const struct sequence_options *opt,
                     struct sequence_outcome *ret_outcome, struct err *err);
void sequence_outcome_done(struct sequence_outcome *o);

/* The first run (from 1) from which on `a` is faster than `b`, by medians; 0: it is not at the end.
 * With `total`, by all time up to and with that run. */
int sequence_overtakes(const struct sequence_outcome *a, const struct sequence_outcome *b, int runs,
                       bool total);

#endif
