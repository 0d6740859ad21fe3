/* A plan in simulated time, by discrete events: the disk pauses, the disk has read what a layer
 * waits for, a layer ends. It knows the problem and the moves alone, nothing of the planner whose
 * arithmetic it confirms (latency/reach.c). */
#include <math.h>
#include <stdlib.h>

#include "harness/plan/latency/direct.h"

double plan_layer_ns(const struct plan_layer *layer, double bytes)
{
    const struct plan_curve *c = layer->curve;
    int i = 1;

    if (!(bytes > 0))
        return c && c->n > 0 ? c->ns[0] : layer->time_us * 1e3;
    if (!c || c->n < 2)
        return NAN;
    while (i < c->n - 1 && bytes > c->bytes[i])
        i++;
    return c->ns[i - 1] +
           (c->ns[i] - c->ns[i - 1]) * (bytes - c->bytes[i - 1]) / (c->bytes[i] - c->bytes[i - 1]);
}

struct machine {
    const struct plan_problem *p;
    const struct plan *plan;
    double *carried;  /* [N + 1] bytes that layer l moves; 0: preloaded */
    double *released; /* [N + 1] bytes of weights whose memory is free once layer l has run */
    double per_ns, total;
    double now, read; /* ns; bytes read from the disk */
    double moved, freed;
};

/* Weights that the memory limit counts: A and U do not count what is preloaded. */
static bool counted(const struct plan_problem *p, const struct plan *plan, int w)
{
    bool all = p->m_total > 0 || p->limit == LIMIT_RESIDENT;

    return all || !plan->preload[w];
}

static void load_machine(struct machine *m, int *seen)
{
    const struct plan_problem *p = m->p;

    for (int w = 0; w < p->n_weights; w++) {
        const struct plan_weight *k = &p->weight[w];
        bool all = p->m_total > 0 || p->limit != LIMIT_STREAMED;

        if (counted(p, m->plan, w))
            m->released[all ? k->last_use : k->consumer] += (double)k->bytes;
        else
            m->released[0] += (double)k->bytes;
        if (m->plan->preload[w])
            m->carried[0] += (double)k->bytes;
    }
    for (int i = 0; i < m->plan->n_moves; i++) {
        const struct plan_move *v = &m->plan->move[i];

        m->carried[v->layer] += (double)plan_chunk_bytes(p, v->weight, seen[v->weight], v->chunks);
        seen[v->weight] += v->chunks;
    }
    for (int l = 0; l <= p->n_layers; l++)
        m->total += m->carried[l];
}

/* Byte at which the disk has to pause. */
static double pause_at(const struct machine *m)
{
    const struct plan_problem *p = m->p;
    double room = INFINITY, chunk = (double)p->chunk_bytes;

    if (p->ring > 0)
        room = m->moved + (double)p->ring * chunk;
    else if (p->m_total > 0)
        room = m->freed + (double)p->m_total * chunk;
    else if (p->m_peak >= 0 && p->limit != LIMIT_LITERAL)
        room = m->freed + (double)p->m_peak * chunk;
    return fmin(m->total, room);
}

/* The disk goes on until `until`; returns what it has read by then. */
static void pass(struct machine *m, double until)
{
    double pause = pause_at(m);

    if (m->read < pause)
        m->read = isinf(m->per_ns) ? pause : fmin(pause, m->read + (until - m->now) * m->per_ns);
    m->now = until;
}

/* Wait until `bytes` have been read; false: that will never be. What exceeds the ring goes through
 * it in pieces, before the layer starts. */
static bool wait_for(struct machine *m, double bytes)
{
    double slack = 1e-9 * m->total;

    if (m->read + slack >= bytes)
        return true;
    if (bytes > pause_at(m) + slack && m->p->ring == 0)
        return false;
    if (!isinf(m->per_ns))
        m->now += (bytes - m->read) / m->per_ns;
    m->read = bytes;
    return true;
}

static double run(struct machine *m)
{
    const struct plan_problem *p = m->p;
    double need = m->carried[0];

    /* Before execution nothing runs that could make room: preloading takes what it takes. */
    m->now = isinf(m->per_ns) ? 0 : need / m->per_ns;
    m->read = m->moved = need;
    m->freed = m->released[0];
    for (int l = 1; l <= p->n_layers; l++) {
        double ns = plan_layer_ns(&p->layer[l - 1], m->carried[l]);

        need += m->carried[l];
        if (isnan(ns) || (m->carried[l] > 0 && !wait_for(m, need)))
            return NAN;
        pass(m, m->now + ns);
        m->moved = need;
        m->freed += m->released[l];
    }
    return m->now;
}

double plan_simulate_ns(const struct plan_problem *p, const struct plan *plan)
{
    struct machine m = {.p = p, .plan = plan, .per_ns = p->disk_bytes_per_s / 1e9};
    size_t n = (size_t)p->n_layers + 1;
    int *seen = calloc((size_t)p->n_weights + 1, sizeof(*seen));
    double ns = NAN;

    if (p->direct) {
        free(seen);
        return direct_simulate_ns(p, plan);
    }
    m.carried = calloc(n, sizeof(double));
    m.released = calloc(n, sizeof(double));
    if (p->disk_bytes_per_s > 0 && seen && m.carried && m.released) {
        load_machine(&m, seen);
        ns = run(&m);
    }
    free(seen);
    free(m.carried);
    free(m.released);
    return ns;
}
