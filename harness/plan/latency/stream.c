/* From weights to units of a stream, and from a curve back to a plan. */
#include "harness/plan/latency/stream.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

void stream_done(struct stream *s)
{
    free(s->low);
    free(s->high);
    free(s->most);
    free(s->at);
    free(s->chunks);
    free(s->whole);
    free(s->first_weight);
    free(s->last_weight);
    free(s->start);
    free(s->consumed);
    free(s->freed_bytes);
    free(s->tail);
    free(s->chunk);
    *s = (struct stream){0};
}

static int new_arrays(struct stream *s)
{
    size_t layers = (size_t)s->p->n_layers + 1, units = (size_t)s->n_units + 2;

    s->low = calloc(layers, sizeof(int));
    s->high = calloc(layers, sizeof(int));
    s->most = calloc(layers, sizeof(int));
    s->consumed = calloc(layers, sizeof(double));
    s->freed_bytes = calloc(layers, sizeof(double));
    s->tail = calloc(layers, sizeof(double));
    s->at = calloc(units, sizeof(double));
    s->chunks = calloc(units, sizeof(double));
    s->whole = calloc(units, sizeof(double));
    s->first_weight = calloc(units, sizeof(int));
    s->last_weight = calloc(units, sizeof(int));
    s->start = calloc(units, sizeof(bool));
    s->chunk = calloc((size_t)s->n_chunks + 1, sizeof(*s->chunk));
    return s->low && s->high && s->most && s->consumed && s->freed_bytes && s->tail && s->at &&
                   s->chunks && s->whole && s->first_weight && s->last_weight && s->start &&
                   s->chunk
               ? 0
               : -ENOMEM;
}

/* All chunks in stream order, each due with the unit that holds its last byte. */
static void cut(struct stream *s)
{
    const struct plan_problem *p = s->p;
    double offset = 0;
    int c = 0;

    for (int w = 0; w < p->n_weights; w++) {
        for (int i = 1; i <= p->weight[w].chunks && !plan_must_preload(p, w); i++) {
            double end = offset + (double)plan_chunk_bytes(p, w, 0, i);
            int due = (int)ceil(end / s->unit_bytes - 1e-9);

            due = due < 1 ? 1 : due > s->n_units ? s->n_units : due;
            s->chunk[c++] = (struct stream_chunk){.weight = w, .due = due};
        }
        offset += plan_must_preload(p, w) ? 0 : (double)p->weight[w].bytes;
    }
}

/* For every unit, what has moved with it. */
static void fill_units(struct stream *s)
{
    const struct plan_problem *p = s->p;
    double bytes = 0, whole = 0;
    int c = 0, before = 0;

    for (int unit = 0; unit <= s->n_units; unit++) {
        s->start[unit] = unit == 0;
        for (; c < s->n_chunks && s->chunk[c].due <= unit; c++) {
            int w = s->chunk[c].weight;

            before = c > 0 && s->chunk[c - 1].weight == w ? before + 1 : 0;
            whole += before == 0 ? p->weight[w].chunks : 0;
            bytes += (double)plan_chunk_bytes(p, w, before, 1);
            s->start[unit] = before + 1 == p->weight[w].chunks;
        }
        s->last_weight[unit] = c > 0 ? s->chunk[c - 1].weight : -1;
        s->first_weight[unit + 1] = c < s->n_chunks ? s->chunk[c].weight : p->n_weights;
        s->at[unit] = bytes;
        s->chunks[unit] = c;
        s->whole[unit] = whole;
    }
}

/* Fluid: a unit is a unit, whatever weights it holds, and may start anywhere. */
static void relax(struct stream *s)
{
    for (int unit = 0; unit <= s->n_units; unit++) {
        s->at[unit] = unit * s->unit_bytes;
        s->chunks[unit] = s->whole[unit] = s->at[unit] / (double)s->p->chunk_bytes;
        s->start[unit] = true;
    }
}

/* Least unit at which all chunks of weights with consumer <= l + 1 have moved. */
static void set_low(struct stream *s)
{
    const struct plan_problem *p = s->p;
    int c = 0, unit = 0;

    for (int l = 0; l <= p->n_layers; l++) {
        for (; c < s->n_chunks && p->weight[s->chunk[c].weight].consumer <= l + 1; c++)
            unit = s->chunk[c].due;
        s->low[l] = unit;
    }
}

static void set_consumed(struct stream *s)
{
    const struct plan_problem *p = s->p;

    for (int w = 0; w < p->n_weights; w++) {
        const struct plan_weight *k = &p->weight[w];

        if (plan_must_preload(p, w))
            continue;
        s->freed_bytes[k->consumer] += (double)k->bytes;
        s->consumed[k->consumer] +=
            s->relaxed ? (double)k->bytes / (double)p->chunk_bytes : k->chunks;
        for (int l = k->consumer; l < k->last_use && !s->relaxed; l++)
            s->tail[l] += p->limit == LIMIT_UNIFIED ? k->chunks : 0;
    }
    for (int l = 1; l <= p->n_layers; l++) {
        s->freed_bytes[l] += s->freed_bytes[l - 1];
        s->consumed[l] += s->consumed[l - 1];
    }
}

/* Chunks of the weights that m_total (while layer l runs) or B (once l has run) counts whatever is
 * decided, and how much of the stream has gone. */
static void count_resident(const struct stream *s, int l, bool total, double *ret_fixed,
                           double *ret_gone)
{
    const struct plan_problem *p = s->p;

    *ret_fixed = *ret_gone = 0;
    for (int w = 0; w < p->n_weights; w++) {
        const struct plan_weight *k = &p->weight[w];
        bool there = total ? k->last_use >= l : k->last_use > l;

        if (plan_must_preload(p, w))
            *ret_fixed += there ? k->chunks : 0;
        else if (!there)
            *ret_gone += s->relaxed ? (double)k->bytes / (double)p->chunk_bytes : k->chunks;
    }
}

/* Units within the limit; -1: none. Relaxed: with the unit that the limit cuts, as set_low() counts the one
 * that a need cuts. */
static int highest(const struct stream *s, const double *account, double limit)
{
    int a = 0, b = s->n_units;

    if (account[0] > limit)
        return -1;
    while (a < b) {
        int mid = a + (b - a + 1) / 2;

        if (account[mid] <= limit + 1e-9)
            a = mid;
        else
            b = mid - 1;
    }
    return a + (s->relaxed && a < s->n_units && account[a] < limit - 1e-6);
}

/* Limits that do not depend on S_0. A weight that is read again after its consumer stays; those
 * that are gone are then not a prefix of the stream, but their sum is what counts. */
static void set_high(struct stream *s)
{
    const struct plan_problem *p = s->p;

    for (int l = 0; l <= p->n_layers; l++) {
        double fixed, gone;
        int high = s->n_units, h;

        if (p->m_total > 0) {
            count_resident(s, l, true, &fixed, &gone);
            high = highest(s, s->whole, (double)p->m_total - fixed + gone);
        }
        if (p->m_peak >= 0 && p->limit == LIMIT_RESIDENT) {
            count_resident(s, l, false, &fixed, &gone);
            h = highest(s, s->chunks, (double)p->m_peak - fixed + gone);
            high = h < high ? h : high;
        }
        s->high[l] = high;
    }
}

static void set_most(struct stream *s)
{
    const struct plan_problem *p = s->p;

    for (int l = 1; l <= p->n_layers; l++) {
        const struct plan_curve *c = p->layer[l - 1].curve;
        double most = c && c->n > 1 ? c->most_bytes : 0, chunk = (double)p->chunk_bytes;

        if (p->ring > 0)
            most = fmin(most, (double)p->ring * chunk);
        if (p->respect_capacity)
            most = fmin(most, p->layer[l - 1].capacity * chunk);
        if (p->limit == LIMIT_LITERAL && p->m_peak >= 0)
            most = fmin(most, (double)p->m_peak * chunk);
        s->most[l] = s->n_units > 0 ? (int)fmin(most / s->unit_bytes + 1e-9, s->n_units) : 0;
    }
}

/* What the fluid disk may have read: see simulate.c, which says the same from the moves. */
static void set_freed(struct stream *s)
{
    const struct plan_problem *p = s->p;
    bool all = p->m_total > 0 || p->limit == LIMIT_RESIDENT;

    /* By consumer, streamed weights only, as set_consumed() left it: reading A; and U relaxed. */
    if (!all && (p->limit == LIMIT_STREAMED || s->relaxed))
        return;
    for (int l = 0; l <= p->n_layers; l++) {
        s->freed_bytes[l] = 0;
        for (int w = 0; w < p->n_weights; w++) {
            const struct plan_weight *k = &p->weight[w];

            if (k->last_use <= l && (all || !plan_must_preload(p, w)))
                s->freed_bytes[l] += (double)k->bytes;
        }
    }
}

/* What layer l moves has been read before it runs, without a ring into memory that is free by then:
 * of reading B that is less than what may be there once the layer has run. */
static void lower_high(struct stream *s)
{
    const struct plan_problem *p = s->p;
    bool known = p->ring == 0 && (p->m_total > 0 || (p->m_peak >= 0 && p->limit == LIMIT_RESIDENT));

    for (int l = 1; l <= p->n_layers && known; l++) {
        int high = highest(s, s->at, stream_pause_at(s, l - 1, 0, 0) + 1e-6);

        s->high[l] = high < s->high[l] ? high : s->high[l];
    }
    for (int l = p->n_layers; l >= 1; l--) { /* S never falls */
        if (s->high[l] < s->high[l - 1])
            s->high[l - 1] = s->high[l];
    }
}

int stream_make(const struct plan_problem *p, bool relaxed, struct stream *ret_s)
{
    struct stream s = {.p = p, .relaxed = relaxed, .per_ns = p->disk_bytes_per_s / 1e9};
    uint64_t bytes = 0;

    for (int w = 0; w < p->n_weights; w++) {
        if (plan_must_preload(p, w)) {
            s.fixed_bytes += (double)p->weight[w].bytes;
            continue;
        }
        bytes += p->weight[w].bytes;
        s.n_chunks += p->weight[w].chunks;
    }
    s.n_units = (int)((bytes + p->chunk_bytes - 1) / p->chunk_bytes);
    s.unit_bytes = s.n_units > 0 ? (double)bytes / s.n_units : 0;
    if (new_arrays(&s) < 0) {
        stream_done(&s);
        return -ENOMEM;
    }
    cut(&s);
    fill_units(&s);
    if (relaxed)
        relax(&s);
    set_low(&s);
    set_consumed(&s);
    set_high(&s);
    set_most(&s);
    set_freed(&s);
    lower_high(&s);
    *ret_s = s;
    return 0;
}

double stream_pause_at(const struct stream *s, int l, int units, int s0)
{
    const struct plan_problem *p = s->p;
    double total = s->at[s->n_units], chunk = (double)p->chunk_bytes, room = INFINITY;

    if (p->ring > 0)
        room = s->at[units] + (double)p->ring * chunk;
    else if (p->m_total > 0 || (p->m_peak >= 0 && p->limit == LIMIT_RESIDENT))
        room = s->freed_bytes[l] - s->fixed_bytes +
               (double)(p->m_total > 0 ? p->m_total : p->m_peak) * chunk;
    else if (stream_start_matters(s))
        room = stream_gone(s, s->at[s0], s->freed_bytes[l], total) + (double)p->m_peak * chunk;
    return fmin(total, room);
}

int stream_name(const struct stream *s, const int *units, struct plan *plan)
{
    const struct plan_problem *p = s->p;
    int c = 0;

    for (int w = 0; w < p->n_weights; w++)
        plan->preload[w] = plan_must_preload(p, w);
    for (; c < s->n_chunks && s->chunk[c].due <= units[0]; c++)
        plan->preload[s->chunk[c].weight] = true;
    for (int l = 1; l <= p->n_layers; l++) {
        while (c < s->n_chunks && s->chunk[c].due <= units[l]) {
            int w = s->chunk[c].weight, n = 0;

            for (; c < s->n_chunks && s->chunk[c].due <= units[l] && s->chunk[c].weight == w; c++)
                n++;
            if (plan_add_move(plan, w, l, n) < 0)
                return -ENOMEM;
        }
    }
    return 0;
}
