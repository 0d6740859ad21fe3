/* Forward over the layers. A label is a curve so far: S, the time, the bytes read. Reading is never
 * put off, so a label beats another if it has moved no less, is no later, and its disk has idled no
 * longer (`idle` = time - bytes read / rate): it can do whatever the other does. Pruned by three
 * bounds: time + V(S), as if the disk were infinitely fast from here on; for each unit not yet
 * read, its arrival + the least time from the last layer on that may move it; and a mixture of
 * paths. */
#include "harness/plan/latency/reach.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/clock.h"

#define SAME_NS 1e-3 /* times nearer than this are one */
#define ASTRAY                                                                                     \
    0.1             /* of a unit's time, for each unit beside the centre: among equals, amid them  \
                     */
#define NARROW 1.02 /* without an incumbent, a label goes on to curves this near its best */

enum { AHEAD = 16 }; /* units before the centre, while there is no incumbent to prune by */

struct label {
    double time, read, idle, bound, score;
    int units, s0, node, next;
};

struct node {
    int parent, units;
};

struct search {
    const struct reach_slopes *v;
    const struct stream *s;
    int width, layer, most_start;
    double below, cut;
    struct label *now, *next; /* next: buckets by units, linked */
    int n_now, n_next, room_now, room_next;
    int *bucket;       /* [n_units + 1] index into next, -1: empty */
    double *row, *mix; /* [n_units + 1] V of this layer: of kernels; of the mixture */
    int row_from;
    double *arrival; /* [n_units + 2] bound of what is not read: greatest over later units */
    struct node *node;
    int n_nodes, room_nodes;
};

static void *grow(void *array, int *room, int need, size_t size)
{
    int more = 2 * need + 1024;
    void *bigger;

    if (array && need <= *room)
        return array;
    bigger = realloc(array, (size_t)more * size);
    if (bigger)
        *room = more;
    return bigger;
}

/* Unit u has to be moved by the first layer whose low is u, so that layer starts no earlier. */
static void set_arrival(struct search *s)
{
    const struct stream *t = s->s;
    int layer = 0;

    s->arrival[t->n_units + 1] = 0;
    for (int u = 1; u <= t->n_units; u++) {
        while (t->low[layer] < u)
            layer++;
        s->arrival[u] = (t->fixed_bytes + t->at[u]) / t->per_ns + s->v->kernels->least[layer];
        if (layer > 0) /* V before it would count the wait twice */
            s->arrival[u] += plan_layer_ns(&t->p->layer[layer - 1], 0);
    }
    for (int u = t->n_units - 1; u >= 1; u--)
        s->arrival[u] = fmax(s->arrival[u], s->arrival[u + 1]);
    s->arrival[0] = s->arrival[t->n_units > 0 ? 1 : 0];
}

/* First unit that has not been read whole. */
static int unread(const struct stream *t, double read)
{
    int u = t->unit_bytes > 0 ? (int)(read / t->unit_bytes) : 0;

    u = u < t->n_units ? u : t->n_units;
    while (u > 0 && t->at[u] > read + 1e-6)
        u--;
    while (u <= t->n_units && t->at[u] <= read + 1e-6)
        u++;
    return u;
}

/* What a mixture's mean path comes to, given V of its rest. */
static double mean_path(const struct stream *t, const struct label *x, double share, double rest)
{
    /* once all has been read, the disk stands still behind its last byte */
    double idle = fmax(x->idle, x->time - (t->fixed_bytes + t->at[t->n_units]) / t->per_ns);

    return share * x->time + (1 - share) * idle + rest;
}

static void set_bounds(const struct search *s, struct label *x)
{
    const struct stream *t = s->s;
    int u = unread(t, x->read), i = x->units - s->row_from;

    x->bound = x->time + s->row[i];
    if (u <= t->n_units) /* idle is measured from the first byte of all, also those by rule */
        x->bound = fmax(x->bound, x->idle + s->arrival[u]);
    if (s->v->mixture)
        x->bound = fmax(x->bound, mean_path(t, x, s->v->mixture->share[s->layer], s->mix[i]));
    x->score = x->bound;
    if (s->v->centre)
        x->score += ASTRAY * t->unit_bytes / t->per_ns * fabs(x->units - s->v->centre[s->layer]);
}

static void set_idle(const struct search *s, struct label *x)
{
    const struct stream *t = s->s;

    if (x->read >= t->at[t->n_units] - 1e-6)
        x->idle = -INFINITY;
    else
        x->idle = x->time - (t->fixed_bytes + x->read) / t->per_ns;
}

static bool beats(const struct search *s, const struct label *x, const struct label *y)
{
    if (x->time > y->time + SAME_NS || x->idle > y->idle + SAME_NS)
        return false;
    return !stream_start_matters(s->s) || x->s0 >= y->s0 ||
           (!s->s->relaxed && s->s->chunks[y->s0] <= s->s->consumed[s->layer]);
}

/* Into its bucket, unless beaten there. */
static int offer(struct search *s, struct label *x)
{
    int *link = &s->bucket[x->units];
    struct label *more;

    for (int i = *link; i >= 0; i = s->next[i].next) {
        if (beats(s, &s->next[i], x))
            return 0;
    }
    while (*link >= 0) {
        if (beats(s, x, &s->next[*link]))
            *link = s->next[*link].next;
        else
            link = &s->next[*link].next;
    }
    more = grow(s->next, &s->room_next, s->n_next + 1, sizeof(*more));
    if (!more)
        return -ENOMEM;
    s->next = more;
    x->next = s->bucket[x->units];
    s->bucket[x->units] = s->n_next;
    s->next[s->n_next++] = *x;
    return 0;
}

/* Time of the layer's kernel as `bytes` rises from call to call. */
static double layer_ns(const struct plan_layer *y, double bytes, int *knot)
{
    const struct plan_curve *c = y->curve;
    int i = *knot;

    if (!(bytes > 0) || !c || c->n < 2)
        return plan_layer_ns(y, bytes);
    while (i < c->n - 1 && bytes > c->bytes[i])
        i++;
    *knot = i;
    return c->ns[i - 1] +
           (c->ns[i] - c->ns[i - 1]) * (bytes - c->bytes[i - 1]) / (c->bytes[i] - c->bytes[i - 1]);
}

/* May layer l, beginning with label x, move on to `units`? */
static bool may_move(const struct search *s, const struct label *x, int units, double pause)
{
    const struct stream *t = s->s;
    const struct plan_problem *p = t->p;

    if (units == x->units)
        return stream_fits(t, s->layer, units, x->s0);
    if (t->at[units] > pause + 1e-6)
        return false;
    if (!t->relaxed && p->max_loads > 0 &&
        t->last_weight[units] - t->first_weight[x->units + 1] >= p->max_loads)
        return false;
    if (p->limit == LIMIT_LITERAL && p->m_peak >= 0 &&
        t->chunks[units] - t->chunks[x->units] > (double)p->m_peak + 1e-9)
        return false;
    return stream_fits(t, s->layer, units, x->s0);
}

static int extend(struct search *s, const struct label *x)
{
    const struct stream *t = s->s;
    const struct plan_layer *layer = &t->p->layer[s->layer - 1];
    double pause = stream_pause_at(t, s->layer - 1, x->units, x->s0), best = INFINITY;
    int low = t->low[s->layer] > x->units ? t->low[s->layer] : x->units;
    int high = x->units + t->most[s->layer], knot = 1, rc = 0;
    double last = INFINITY;

    high = high < t->high[s->layer] ? high : t->high[s->layer];
    if (s->v->centre && isinf(s->below)) {
        int most = (int)lround(s->v->centre[s->layer]) + AHEAD;

        high = high < most ? high : most > low ? most : low;
        s->cut = 0; /* not all has been looked at */
    }
    for (int u = low; u <= high && may_move(s, x, u, pause) && rc == 0; u++) {
        struct label y = {.units = u, .s0 = x->s0, .node = x->node};
        double bytes = t->at[u] - t->at[x->units], ns = layer_ns(layer, bytes, &knot);
        double rest = s->row[u - s->row_from], early;

        y.time = x->time + (bytes > 0 ? fmax(0, t->at[u] - x->read) / t->per_ns : 0) + ns;
        y.read = fmax(x->read, t->at[u]);
        y.read = fmax(y.read, fmin(pause, y.read + ns * t->per_ns));
        early = y.time + rest;
        if (early >= s->below || early > NARROW * best) {
            if (isinf(s->below) && !isinf(early))
                s->cut = fmin(s->cut, early);
            if (early > last)
                break;
        } else {
            set_idle(s, &y);
            set_bounds(s, &y);
            if (y.bound < s->below)
                rc = offer(s, &y);
        }
        last = early;
        best = isinf(s->below) ? fmin(best, early) : best;
    }
    return rc;
}

static int by_bound(const void *a, const void *b)
{
    const struct label *x = a, *y = b;

    if (x->score != y->score)
        return x->score < y->score ? -1 : 1;
    return (x->units < y->units) - (x->units > y->units);
}

/* From the greatest S down: what has moved more may beat what has moved less. `front` holds those
 * that nothing has beaten yet. */
static int sweep(struct search *s, int from, int to)
{
    struct label *front;
    int n = 0, n_front = 0;

    front = grow(s->now, &s->room_now, 2 * s->n_next + 2, sizeof(*front));
    if (!front)
        return -ENOMEM;
    s->now = front;
    front = s->now + s->n_next + 1;
    for (int u = to; u >= from; u--) {
        for (int i = s->bucket[u]; i >= 0; i = s->next[i].next) {
            const struct label *x = &s->next[i];
            int kept = 0;
            bool beaten = false;

            for (int k = n_front - 1; k >= 0 && !beaten; k--)
                beaten = beats(s, &front[k], x);
            if (beaten)
                continue;
            for (int k = 0; k < n_front; k++) {
                if (!beats(s, x, &front[k]))
                    front[kept++] = front[k];
            }
            n_front = kept;
            front[n_front++] = *x;
            s->now[n++] = *x;
        }
        s->bucket[u] = -1;
    }
    s->n_now = n;
    s->n_next = 0;
    return 0;
}

static int keep_best(struct search *s)
{
    struct node *more;

    if (s->n_now > s->width) {
        qsort(s->now, (size_t)s->n_now, sizeof(*s->now), by_bound);
        for (int i = s->width; i < s->n_now; i++)
            s->cut = fmin(s->cut, s->now[i].bound);
        s->n_now = s->width;
    }
    more = grow(s->node, &s->room_nodes, s->n_nodes + s->n_now, sizeof(*more));
    if (!more)
        return -ENOMEM;
    s->node = more;
    for (int i = 0; i < s->n_now; i++) {
        struct label *x = &s->now[i];

        s->node[s->n_nodes] = (struct node){.parent = x->node, .units = x->units};
        x->node = s->n_nodes++;
    }
    return 0;
}

static void fill_row(struct search *s, int from, int to)
{
    s->row_from = from;
    if (to < from)
        return;
    slopes_fill(s->v->kernels, s->layer, from, to, s->row);
    if (s->v->mixture)
        slopes_fill(s->v->mixture, s->layer, from, to, s->mix);
}

/* Before execution: what can be preloaded, read at full speed. */
static int begin(struct search *s)
{
    const struct stream *t = s->s;
    int from = t->low[0], to = t->high[0] < s->most_start ? t->high[0] : s->most_start, rc = 0;

    fill_row(s, from, to);
    for (int u = from; u <= to && rc == 0; u++) {
        struct label x = {.units = u, .s0 = u, .node = -1, .read = t->at[u]};

        if (!t->start[u] || !stream_fits(t, 0, u, u))
            continue;
        x.time = (t->fixed_bytes + t->at[u]) / t->per_ns;
        if (isinf(t->per_ns))
            x.read = fmax(x.read, stream_pause_at(t, 0, u, u));
        set_idle(s, &x);
        set_bounds(s, &x);
        if (x.bound < s->below)
            rc = offer(s, &x);
    }
    if (rc == 0)
        rc = sweep(s, from, to);
    return rc < 0 ? rc : keep_best(s);
}

static int step(struct search *s)
{
    const struct stream *t = s->s;
    int from = t->n_units, to = 0, rc = 0;

    for (int i = 0; i < s->n_now; i++) {
        int high = s->now[i].units + t->most[s->layer];

        from = s->now[i].units < from ? s->now[i].units : from;
        to = high > to ? high : to;
    }
    from = from > t->low[s->layer] ? from : t->low[s->layer];
    to = to < t->high[s->layer] ? to : t->high[s->layer];
    fill_row(s, from, to);
    for (int i = 0; i < s->n_now && rc == 0; i++)
        rc = extend(s, &s->now[i]);
    if (rc == 0)
        rc = sweep(s, from, to);
    return rc < 0 ? rc : keep_best(s);
}

static int search_new(struct search *s)
{
    size_t units = (size_t)s->s->n_units + 2;

    s->cut = INFINITY;
    s->bucket = malloc(units * sizeof(int));
    s->row = malloc(units * sizeof(double));
    s->mix = malloc(units * sizeof(double));
    s->arrival = malloc(units * sizeof(double));
    if (!s->bucket || !s->row || !s->mix || !s->arrival)
        return -ENOMEM;
    for (size_t u = 0; u < units; u++)
        s->bucket[u] = -1;
    set_arrival(s);
    return 0;
}

static void report(const struct search *s, bool late, int *units, struct reach_found *ret_f)
{
    struct reach_found f = {.least = s->below};
    const struct label *best = NULL;

    f.complete = !late && isinf(s->cut);
    for (int i = 0; i < s->n_now && !late; i++) {
        if (s->now[i].units == s->s->n_units && (!best || s->now[i].time < best->time))
            best = &s->now[i];
    }
    if (best) {
        int l = s->s->p->n_layers;

        f.found = true;
        f.ns = f.least = best->time;
        for (int i = best->node; i >= 0; i = s->node[i].parent)
            units[l--] = s->node[i].units;
    }
    f.least = late ? 0 : fmin(f.least, s->cut);
    *ret_f = f;
}

int reach_search(const struct reach_slopes *v, int width, double below, int most_start,
                 uint64_t deadline_ns, int *units, struct reach_found *ret_f)
{
    struct search s = {
        .v = v, .s = v->kernels->s, .width = width, .below = below, .most_start = most_start};
    bool late = false;
    int rc = search_new(&s);

    if (rc == 0)
        rc = begin(&s);
    for (s.layer = 1; s.layer <= s.s->p->n_layers && rc == 0 && !late; s.layer++) {
        rc = step(&s);
        late = s.layer % 16 == 0 && clock_ns() > deadline_ns;
    }
    if (rc == 0)
        report(&s, late, units, ret_f);
    free(s.now);
    free(s.next);
    free(s.bucket);
    free(s.row);
    free(s.mix);
    free(s.arrival);
    free(s.node);
    return rc;
}
