/* harness/plan/latency/reach.h - the search for the fastest curve: integer dynamic programming over
 * S with labels (time, bytes read), a beam wide. README.md, "Latency". */
#ifndef FLASHMEM_HARNESS_PLAN_LATENCY_REACH_H
#define FLASHMEM_HARNESS_PLAN_LATENCY_REACH_H

#include "harness/plan/latency/slope.h"

struct reach_found {
    bool found;    /* a curve faster than `below`; units[] is filled */
    bool complete; /* nothing was cut off for width or time */
    double ns;     /* of the curve found */
    double least;  /* no curve of the stream is faster, or `below` is not */
};

struct reach_slopes {             /* of the same stream */
    const struct slopes *kernels; /* alone */
    const struct slopes *mixture; /* of paths; may be NULL */
    const double *centre;         /* [N + 1] S_l of a curve to stay near, where a full beam has to
                                     choose among equals; may be NULL. Without an incumbent (below)
                                     nothing far ahead of it is tried */
};

/* below: INFINITY, or a time that has to be beaten. units[N + 1] is the caller's. most_start: no
 * more units than that are preloaded. deadline_ns: clock_ns() at which to stop, with complete false
 * and least 0. -ENOMEM. */
int reach_search(const struct reach_slopes *v, int width, double below, int most_start,
                 uint64_t deadline_ns, int *units, struct reach_found *ret_f);

#endif
