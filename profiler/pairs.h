/* profiler/pairs.h - the repeats of one sample: which count, when there are enough, what they say.
 * Arithmetic, and the machine's idle time; no device. */
#ifndef FLASHMEM_PROFILER_PAIRS_H
#define FLASHMEM_PROFILER_PAIRS_H

#include "profiler/calm.h"
#include "profiler/measure.h"

enum { LOOKS_MAX = 64 };

/* The looks taken at the interval so far. */
struct looks {
    double width[LOOKS_MAX];
    int at[LOOKS_MAX]; /* number of repeats */
    int n, next;       /* next: number of repeats at which to look again */
    int stalls;        /* of them in a row, so far */
};

enum { PACE_ASKED = 3 }; /* probes that ask whether the machine is slow now */

/* One repeat: per launch, and the mean number of cores in use. */
struct repeat {
    uint64_t ns;
    double cores;
};

struct pairs {
    const struct measure_options *opt; /* borrowed */
    int sides, units;                  /* units: compute units of the device */
    uint64_t *time_ns[2];
    double *cores[2]; /* NULL but on a CPU */
    bool cores_known;
    bool *aside;
    struct crowd since;
    uint64_t *pace_ns; /* [n_pace] probes in the order taken */
    int *pace_at;      /* [n] index of each pair's; -1: none */
    int n_pace;
    uint64_t pace_best_ns; /* 0: unknown */
    int slow;              /* pairs taken on a slow machine */
    int n;
    int calm;
    bool in_twos;         /* what is looked at is two pairs together: not on a CPU */
    double *x[2], *ratio; /* of the calm pairs, or twos of them: times, and side 1 / side 0 */
    int looked;           /* number of these */
    struct looks looks;
};

/* A GPU's driver may serve launches from two sets of descriptors in turns: on an H100 every other
 * launch of a kernel that reads images takes 0.8 us longer, of 5. Taken as A B, B A each side meets both
 * in turns, and the median would be of either by chance: so two pairs in a row are one observation.
 * x[n], of one side, becomes their means in place, the last of an odd number for itself; their number. */
int pairs_in_twos(double *x, int n);

/* Of the median of x[n]: what a sample's low and high are. */
struct interval pairs_interval(const double *x, int n, uint64_t seed);

/* -ENOMEM. pairs_done() in any case; `opt` must live as long. */
int pairs_new(struct pairs *p, int sides, const struct measure_options *opt,
              const struct device_info *dev, struct err *err);
void pairs_done(struct pairs *p);

/* Forget what was taken, and begin now. A batch (not `alone`) is launched while it runs, by a thread
 * that takes a core as well: then the cores in use say nothing. */
void pairs_restart(struct pairs *p, bool alone);

/* A probe of the machine's pace, and the best time of one so far; before the pair that it belongs to,
 * or up to twice PACE_ASKED of them between two pairs. */
void pairs_pace(struct pairs *p, uint64_t ns, uint64_t best_ns);
bool pairs_slow(const struct pairs *p); /* by the last PACE_ASKED probes */

/* There is room for what pairs_stop() allows. */
void pairs_add(struct pairs *p, const struct repeat pair[2]);

/* After each pair; all of them took `spent_ns`. NULL: go on. Else why to stop, "" because the target
 * is met. */
const char *pairs_stop(struct pairs *p, uint64_t spent_ns);

/* After pairs_stop() gave r->reason: fills status, n, aside, sides, side and slowdown, and moves the
 * times there. */
void pairs_summarize(struct pairs *p, struct measure_result *r);

#endif
