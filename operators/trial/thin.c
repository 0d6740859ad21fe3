/* operators/thin.c - see thin.h. */
#include "operators/trial/thin.h"

#include "profiler/rng.h"

/* Distinct rows at least: fewer would hide more than they save. */
enum { LEAST = 13 };

double thin_macs = THIN_MACS;

static bool prime(int64_t n)
{
    for (int64_t i = 2; i * i <= n; i++)
        if (n % i == 0)
            return false;
    return n > 1;
}

static int64_t prime_below(int64_t n)
{
    while (!prime(n))
        n--;
    return n;
}

/* Where parameter p decides how long an axis is, that axis repeats. Rows of a batch stand below
 * each other, heads side by side: units of the parameter's size. */
static void repeat_axes(struct thin *t, const struct op_case *c, int p)
{
    struct op_case less = *c;
    struct op_io io, with;

    less.p[p] = t->c.p[p];
    c->op->io(c, &io);
    c->op->io(&less, &with);
    for (int s = 0; s < io.n; s++) {
        if (with.slot[s].desc.rows != io.slot[s].desc.rows)
            t->row[s] = (struct thin_axis){c->p[p], t->c.p[p]};
        if (with.slot[s].desc.cols != io.slot[s].desc.cols)
            t->col[s] = (struct thin_axis){c->p[p], t->c.p[p]};
    }
}

void thin_init(struct thin *t, const struct op_case *c)
{
    unsigned free = c->op->repeatable ? c->op->repeatable(c) : 0;
    double macs, ops;

    *t = (struct thin){.c = *c};
    for (c->op->cost(c, &macs, &ops); macs > thin_macs; c->op->cost(&t->c, &macs, &ops)) {
        int most = -1;

        for (int p = 0; p < OP_MAX_PARAMS; p++)
            if (free >> p & 1 && (most < 0 || t->c.p[p] > t->c.p[most]))
                most = p;
        if (most < 0 || t->c.p[most] < 2 * LEAST)
            break;
        t->c.p[most] = prime_below(t->c.p[most] / 2);
    }
    for (int p = 0; p < OP_MAX_PARAMS; p++)
        if (t->c.p[p] != c->p[p])
            repeat_axes(t, c, p);
    c->op->io(&t->c, &t->io);
}

/* `few` is a prime, so that every step but 0 goes through all of them. */
int64_t thin_drawn(const struct thin_axis *a, int64_t i)
{
    int64_t n = a->n, few = a->few, j = i % n;
    uint64_t drawn = rng_at((uint64_t)few, (uint64_t)(j / few));

    j = (1 + (int64_t)(drawn >> 32) % (few - 1)) * (j % few) + (int64_t)(drawn & 0xffffffff);
    return i / n * few + j % few;
}
