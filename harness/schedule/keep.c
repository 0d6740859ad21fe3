#include "harness/schedule/keep.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/schedule/parts.h"

/* ---- a run in time ---- */

/* The layer that must have run before item i of a ring may be read: see pump() in run.c. */
static int ring_after(const struct schedule *s, int i)
{
    uint64_t end = s->item[i].ring_pos + s->item[i].read_bytes;
    int after = 0;

    for (int k = i - 1; k >= 0 && end > s->ring_bytes; k--)
        if (s->item[k].ring_pos < end - s->ring_bytes) {
            after = s->item[k].layer;
            break;
        }
    /* What one layer moves beyond the ring goes through it in pieces, before the layer starts. */
    if (after >= s->item[i].layer)
        after = s->item[i].layer - 1;
    return after > 0 ? after : 0; /* nothing runs before what is preloaded */
}

/* When the disk has read item i in its parts, having been at it from disk_ns on. */
static double read_parts_ns(const struct schedule *s, int i, const double *end, double per_byte,
                            double disk_ns)
{
    const struct item *it = &s->item[i];
    int n = parts_cut(s, i, NULL);
    struct read_part *p = malloc((size_t)n * sizeof(*p));

    if (!p || it->after == 0) {
        free(p);
        return fmax(disk_ns, end[it->after]) + (double)it->read_bytes * per_byte;
    }
    parts_cut(s, i, p);
    for (int k = 0; k < n; k++)
        disk_ns = fmax(disk_ns, end[p[k].after]) + (double)p[k].bytes * per_byte;
    free(p);
    return disk_ns;
}

static bool skipped(const struct item *it, bool warm)
{
    return warm && it->kept;
}

/* Is item i moved by something else than its layer's kernel? */
static bool moved_before(const struct schedule *s, const struct keep_machine *k, int i)
{
    int l = s->item[i].layer;

    if (s->direct || !(k->move_ns_per_byte > 0))
        return false;
    return l == 0 || (k->carried && i < s->first_of_layer[l + 1] - k->carried[l - 1]);
}

double keep_simulate_ns(const struct schedule *s, const struct keep_machine *k, bool warm,
                        double *ret_stall)
{
    double *end = calloc((size_t)s->n_layers + 1, sizeof(*end)), disk = 0, ns;
    double per_byte = 1e9 / k->disk_bytes_per_s;
    struct schedule ring = {0};
    int next = 0;

    if (!end)
        return NAN;
    if (!s->direct && warm) {
        if (schedule_warm(s, &ring, NULL) < 0) {
            free(end);
            return NAN;
        }
        s = &ring;
    }
    for (int l = 1; l <= s->n_layers; l++) {
        double ready = end[l - 1], queue = ready, there = 0;
        int last = next - 1;

        for (int i = next; i < s->n_items; i++)
            if ((s->direct ? s->item[i].need : s->item[i].layer) <= l &&
                !skipped(&s->item[i], warm))
                last = i;
        for (; next <= last; next++) {
            const struct item *it = &s->item[next];

            if (skipped(it, warm))
                continue;
            disk = s->direct ? read_parts_ns(s, next, end, per_byte, disk)
                             : fmax(disk, end[ring_after(s, next)]) +
                                   (double)it->read_bytes * per_byte;
            there = disk;
            if (moved_before(s, k, next))
                queue = fmax(queue, disk) + (double)it->bytes * k->move_ns_per_byte;
        }
        there = fmax(there, queue);
        if (ret_stall)
            ret_stall[l - 1] = there - ready;
        end[l] = there + k->layer_ns[l - 1];
    }
    ns = end[s->n_layers];
    schedule_done(&ring);
    free(end);
    return ns;
}

/* ---- patterns ---- */

struct pick {
    const struct schedule *s;
    int n_weights;
    uint64_t *bytes; /* [n_weights + 1] that keeping takes; 0: nothing to keep */
    bool *keep;      /* [n_weights + 1] */
    uint64_t left;
};

static int weight_of(const struct pick *p, int item)
{
    int w = p->s->item[item].weight;

    return w < 0 ? p->n_weights : w;
}

static bool take(struct pick *p, int w)
{
    if (p->keep[w] || p->bytes[w] == 0 || p->bytes[w] > p->left)
        return false;
    p->keep[w] = true;
    p->left -= p->bytes[w];
    return true;
}

/* In the order of reading: all up to `prefix` bytes, then the same share of whatever follows. */
static void pick_share(struct pick *p, uint64_t prefix)
{
    uint64_t budget = p->left, rest = 0, at = 0;
    double owed = 0, share;

    for (int i = 0; i < p->s->n_items; i++)
        if (p->s->item[i].weight_byte == 0)
            rest += p->bytes[weight_of(p, i)];
    share = rest > prefix ? fmin(1, (double)(budget - prefix) / (double)(rest - prefix)) : 1;
    for (int i = 0; i < p->s->n_items; i++) {
        int w = weight_of(p, i);

        if (p->s->item[i].weight_byte != 0)
            continue;
        if (at < prefix) {
            take(p, w);
        } else {
            owed += share * (double)p->bytes[w];
            if (owed >= 0.5 * (double)p->bytes[w] && take(p, w))
                owed -= (double)p->bytes[w];
        }
        at += p->bytes[w];
    }
}

/* The weights of the layers that wait longest, until a sixteenth more is kept. False: none waits or
 * nothing fits. */
static bool pick_stalls(struct pick *p, const double *stall, uint64_t step)
{
    bool *seen = calloc((size_t)p->s->n_layers + 1, sizeof(*seen)), took = false;
    uint64_t stop = p->left > step ? p->left - step : 0;

    while (seen && p->left > stop) {
        int worst = -1;

        for (int l = 0; l < p->s->n_layers; l++)
            if (!seen[l] && stall[l] > 0 && (worst < 0 || stall[l] > stall[worst]))
                worst = l;
        if (worst < 0)
            break;
        seen[worst] = true;
        for (int i = 0; i < p->s->n_items; i++)
            if ((p->s->direct ? p->s->item[i].need : p->s->item[i].layer) == worst + 1)
                took = take(p, weight_of(p, i)) || took;
    }
    free(seen);
    return took;
}

/* ---- the choice ---- */

#define NOTHING 1e-3 /* a gain of so little is none */

struct choice {
    const struct keep_machine *k;
    struct pick pick;
    struct schedule best;
    bool found;
    double ns;
    double *stall;
};

/* Through a ring places are not known beforehand: what stays, and each other weight from its
 * loading layer (preloaded ones from the first) through its last use, whole. */
static bool ring_holds(const struct schedule *s, const struct keep_machine *k)
{
    if (!k->limit_bytes)
        return true;
    for (int l = 1; l <= s->n_layers; l++) {
        uint64_t sum = s->kept_bytes + k->reserve_bytes;

        for (int i = 0; i < s->n_items; i++)
            if (!s->item[i].kept && s->item[i].load_layer <= l && l <= s->item[i].last_use)
                sum += s->item[i].bytes;
        if (sum > k->limit_bytes)
            return false;
    }
    return true;
}

/* Takes the pattern if it is the best so far. 0; -ENOSPC: it does not fit; -ENOMEM. */
static int consider(struct choice *c, const struct schedule *base, struct err *err)
{
    struct schedule s;
    double ns;
    int rc = schedule_keep(base, c->pick.keep, c->pick.n_weights, c->k->limit_bytes,
                           c->k->reserve_bytes, &s, err);

    if (rc < 0)
        return rc;
    if (!s.direct && !ring_holds(&s, c->k)) {
        schedule_done(&s);
        return err_set(err, -ENOSPC, "memory: nothing can stay within %llu bytes",
                       (unsigned long long)c->k->limit_bytes);
    }
    ns = keep_simulate_ns(&s, c->k, true, c->stall);
    if (c->found && !(ns < c->ns * (1 - NOTHING))) {
        schedule_done(&s);
        return 0;
    }
    schedule_done(&c->best);
    c->best = s;
    c->found = true;
    c->ns = ns;
    return 0;
}

static void restart(struct choice *c, uint64_t budget)
{
    memset(c->pick.keep, 0, ((size_t)c->pick.n_weights + 1) * sizeof(*c->pick.keep));
    c->pick.left = budget;
}

static int consider_patterns(struct choice *c, const struct schedule *base, uint64_t budget,
                             struct err *err)
{
    enum { PARTS = 4, STEPS = 16 };
    int rc = 0;

    for (int part = 0; part <= PARTS && (rc == 0 || rc == -ENOSPC); part++) {
        restart(c, budget);
        pick_share(&c->pick, budget / PARTS * (uint64_t)(PARTS - part));
        rc = consider(c, base, err);
    }
    if (rc == -ENOMEM)
        return rc;
    restart(c, budget);
    rc = consider(c, base, err); /* nothing is kept: whom does the disk keep waiting? */
    for (int i = 0; i < STEPS && rc == 0 && pick_stalls(&c->pick, c->stall, budget / STEPS + 1);
         i++)
        rc = consider(c, base, err);
    return rc;
}

int keep_choose(const struct schedule *s, int n_weights, uint64_t most_bytes,
                const struct keep_machine *k, struct schedule *ret_s, double *ret_ns,
                struct err *err)
{
    enum { LEVELS = 8 };
    size_t n = (size_t)n_weights + 1;
    struct choice c = {.k = k, .pick = {.s = s, .n_weights = n_weights}};
    uint64_t all = 0;
    int rc = 0;

    c.pick.bytes = calloc(n, sizeof(*c.pick.bytes));
    c.pick.keep = calloc(n, sizeof(*c.pick.keep));
    c.stall = calloc((size_t)s->n_layers + 1, sizeof(*c.stall));
    if (!c.pick.bytes || !c.pick.keep || !c.stall)
        rc = err_set(err, -ENOMEM, "out of memory for %d weights", n_weights);
    for (int i = 0; i < s->n_items && rc == 0; i++)
        if (!s->item[i].rows)
            c.pick.bytes[weight_of(&c.pick, i)] +=
                s->direct ? s->item[i].stay_bytes : s->item[i].bytes;
    for (size_t w = 0; w < n && rc == 0; w++)
        all += c.pick.bytes[w];
    most_bytes = most_bytes < all ? most_bytes : all;
    for (unsigned level = LEVELS; level > 0 && (rc == 0 || rc == -ENOSPC); level--)
        rc = consider_patterns(&c, s, level == LEVELS ? most_bytes : most_bytes / LEVELS * level,
                               err);
    if (rc == -ENOMEM || !c.found) {
        schedule_done(&c.best);
    } else {
        rc = 0;
        *ret_s = c.best;
        *ret_ns = c.ns;
    }
    free(c.pick.bytes);
    free(c.pick.keep);
    free(c.stall);
    return rc;
}
