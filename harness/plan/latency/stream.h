/* harness/plan/latency/stream.h - the problem as a stream: which weight a chunk belongs to does not
 * matter for latency (T6), so a plan is a curve S_l, the units moved by the end of layer l.
 *
 * The stream is every weight that may be streamed, end to end, in order of need, cut into equal
 * units of at most chunk_bytes, so small weights share units. What must be preloaded is outside. */
#ifndef FLASHMEM_HARNESS_PLAN_LATENCY_STREAM_H
#define FLASHMEM_HARNESS_PLAN_LATENCY_STREAM_H

#include "harness/plan/plan_build.h"

struct stream_chunk { /* one chunk of one weight, in stream order */
    int weight, due;  /* due: unit with which it has moved */
};

struct stream {
    const struct plan_problem *p;
    /* Relaxed: every plan's curve is allowed, and more; what is least here bounds them. Else every
     * allowed curve is a plan within the limits and destinations of p. */
    bool relaxed;
    int n_units;
    double unit_bytes;
    int *low, *high;     /* [N + 1] S_l is within these; high: for S_0 as small as need be */
    int *most;           /* [N + 1] units that layer l can move */
    double *at;          /* [n_units + 1] bytes moved with that many units */
    double *chunks;      /* [n_units + 1] chunks that these bytes take in a limit's account */
    double *whole;       /* [n_units + 1] the same, whole weights from their first chunk */
    int *first_weight;   /* [n_units + 2] of the chunks due from this unit on */
    int *last_weight;    /* [n_units + 1] of the chunks due up to this unit; -1: none */
    bool *start;         /* [n_units + 1] so many units can be preloaded */
    double fixed_bytes;  /* preloaded by rule */
    double *consumed;    /* [N + 1] chunks of streamed weights with consumer <= l */
    double *tail;        /* [N + 1] of them, those that a layer after l reads (reading U) */
    double *freed_bytes; /* [N + 1] bytes that the limit no longer counts once layer l has run */
    double per_ns;       /* bytes; INFINITY: the disk does not limit */
    int n_chunks;
    struct stream_chunk *chunk;
};

/* -ENOMEM. */
int stream_make(const struct plan_problem *p, bool relaxed, struct stream *ret_s);
void stream_done(struct stream *s);

/* What readings A and U do not count at layer l when `start` was preloaded and `consumed` is of
 * weights consumed: in the stream's order either holds the other. A plan may preload weights that
 * come later, and then both count in full. */
static inline double stream_gone(const struct stream *s, double start, double consumed, double all)
{
    if (!s->relaxed)
        return start > consumed ? start : consumed;
    return start + consumed < all ? start + consumed : all;
}

/* Greatest S_l when s0 units were preloaded: readings A and U do not count those. */
static inline bool stream_fits(const struct stream *s, int l, int units, int s0)
{
    const struct plan_problem *p = s->p;
    double used = p->limit == LIMIT_UNIFIED ? s->whole[units] : s->chunks[units];
    double gone = stream_gone(s, s->chunks[s0], s->consumed[l], s->chunks[s->n_units]);

    if (p->m_peak < 0 || (p->limit != LIMIT_STREAMED && p->limit != LIMIT_UNIFIED))
        return true;
    return units <= s0 || used - gone + s->tail[l] <= (double)p->m_peak + 1e-9;
}

/* true if S_0 matters beyond S itself: in readings A and U, while it is above what layer l needs.
 */
static inline bool stream_start_matters(const struct stream *s)
{
    return s->p->m_peak >= 0 && (s->p->limit == LIMIT_STREAMED || s->p->limit == LIMIT_UNIFIED);
}

/* Byte of the stream at which the disk pauses, once layer l has run and `units` have moved. */
double stream_pause_at(const struct stream *s, int l, int units, int s0);

/* Name the chunks of a curve first-needed-first: fills preload[] and move[] of an empty plan.
 * units[N + 1]: S_l. -ENOMEM. */
int stream_name(const struct stream *s, const int *units, struct plan *plan);

#endif
