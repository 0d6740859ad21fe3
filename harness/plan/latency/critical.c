/* Mehrotra's predictor-corrector method (Nocedal and Wright, Numerical Optimization, 14.2) for
 *
 *   minimise e_N + sum(tilt_l * S_l)  over S, t, e, i
 *       rows a . y <= b, each of one layer and the layer before
 *
 * with t_l the start of layer l. A step solves A' (price / slack) A, which is banded. Only the
 * prices are wanted, and whatever they are, slope.c makes a bound of them: nothing here has to be
 * exact, and rows without an interior are widened. */
#include "harness/plan/latency/critical.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { S, T, E, I, VARS }; /* of one layer */
enum { BAND = 2 * VARS };  /* what couples with a variable, itself included */
enum { ROUNDS = 60 };      /* most of them need 15 to 30 */
#define ENOUGH  1e-6       /* relative gap at which to stop */
#define WIDEN   5e-3       /* units */
#define SHORTEN 0.995      /* of the way to the nearest wall */

struct term {
    int var;
    double of;
};
#define TERMS(...) ((const struct term[]){__VA_ARGS__})

struct row { /* the sum of its terms <= most */
    int n;
    struct term term[4];
    double most, slack, price, d_slack, d_price, extra;
};

struct program {
    const struct stream *s;
    const double *tilt; /* [N + 1] ns that each unit of S_l costs besides; NULL: nothing */
    double unit_ns; /* time is in these here */
    int n_vars, n_rows, room;
    struct row *row;
    double *y, *step, *side, *band; /* band: [n_vars][BAND], the lower triangle by rows */
    int *wait, *full;               /* [N + 1] their rows */
};

static bool add(struct program *p, double most, size_t size, const struct term *term)
{
    struct row *r;

    if (p->n_rows == p->room) {
        int room = 2 * p->room + 1024;
        struct row *more = realloc(p->row, (size_t)room * sizeof(*more));

        if (!more)
            return false;
        p->row = more;
        p->room = room;
    }
    r = &p->row[p->n_rows++];
    *r = (struct row){.n = (int)(size / sizeof(*term)), .most = most};
    memcpy(r->term, term, size);
    return true;
}

#define ADD(p, most, ...) add(p, most, sizeof(TERMS(__VA_ARGS__)), TERMS(__VA_ARGS__))

struct critical_pause critical_pause(const struct stream *s, int l)
{
    int s0 = stream_start_matters(s) ? s->high[0] : 0;

    if (s->p->ring == 0)
        return (struct critical_pause){.at = stream_pause_at(s, l - 1, 0, s0)};
    return (struct critical_pause){.at = (double)s->p->ring * (double)s->p->chunk_bytes,
                                   .before = s->unit_bytes};
}

/* Kernels: t_l + slope * x_l + what the piece has at 0 <= e_l, for each piece of the curve. */
static bool add_kernel(struct program *p, int l)
{
    const struct plan_layer *layer = &p->s->p->layer[l - 1];
    const struct plan_curve *c = layer->curve;
    double unit = p->s->unit_bytes, end = p->s->most[l] * unit;
    int v = VARS * l;
    bool ok = true;

    if (p->s->most[l] == 0)
        return ADD(p, -plan_layer_ns(layer, 0) / p->unit_ns, {v + T, 1}, {v + E, -1});
    for (int k = 1; k < c->n && ok && (k == 1 || c->bytes[k - 1] < end); k++) {
        double slope = (c->ns[k] - c->ns[k - 1]) / (c->bytes[k] - c->bytes[k - 1]);
        double at_0 = c->ns[k - 1] - slope * c->bytes[k - 1], of = slope * unit / p->unit_ns;

        ok = ADD(p, -at_0 / p->unit_ns, {v + S, of}, {v - VARS + S, -of}, {v + T, 1}, {v + E, -1});
    }
    return ok;
}

static bool add_layer(struct program *p, int l)
{
    const struct stream *s = p->s;
    double by_ns = s->per_ns * p->unit_ns, unit = s->unit_bytes / by_ns;
    struct critical_pause pause = critical_pause(s, l);
    int v = VARS * l, u = v - VARS;
    bool ok;

    p->wait[l] = p->n_rows + 1;
    p->full[l] = p->n_rows + 2;
    ok = ADD(p, 0, {u + E, 1}, {v + T, -1}) &&
         ADD(p, -s->fixed_bytes / by_ns, {u + I, 1}, {v + S, unit}, {v + T, -1}) &&
         ADD(p, (s->fixed_bytes + pause.at) / by_ns, {v + E, 1}, {v + I, -1},
             {u + S, -pause.before / by_ns}) &&
         ADD(p, 0, {u + I, 1}, {v + I, -1}) && /* it stands still no less */
         ADD(p, 0, {u + S, 1}, {v + S, -1}) && ADD(p, s->most[l] + WIDEN, {v + S, 1}, {u + S, -1});
    return ok && add_kernel(p, l);
}

static bool add_rows(struct program *p)
{
    const struct stream *s = p->s;
    double by_ns = s->per_ns * p->unit_ns;
    bool ok = ADD(p, -s->fixed_bytes / by_ns, {S, s->unit_bytes / by_ns}, {E, -1}) &&
              ADD(p, 0, {I, -1}) && ADD(p, 0, {T, -1}); /* t_0 has no part */

    for (int l = 0; l <= s->p->n_layers && ok; l++) {
        ok = ADD(p, s->high[l] + WIDEN, {VARS * l + S, 1}) &&
             ADD(p, WIDEN - s->low[l], {VARS * l + S, -1});
        ok = ok && (l == 0 || add_layer(p, l));
    }
    return ok;
}

/* Somewhere in the middle, and as late as that takes. */
static void start(struct program *p)
{
    const struct stream *s = p->s;
    double by_ns = s->per_ns * p->unit_ns, units = 0, time = 0;

    for (int l = 0; l <= s->p->n_layers; l++) {
        double *y = p->y + VARS * l, x = units, most = units + s->most[l];

        units = fmax(units, s->low[l]);
        units = fmin(l > 0 ? fmin(most, s->high[l]) : s->high[l],
                     fmax(units, 0.5 * (s->low[l] + s->high[l])));
        units = fmax(units, x);
        y[S] = units;
        time = fmax(time, (s->fixed_bytes + units * s->unit_bytes) / by_ns);
        y[T] = time;
        if (l > 0)
            time += plan_layer_ns(&s->p->layer[l - 1], (units - x) * s->unit_bytes) / p->unit_ns;
        y[E] = time;
        y[I] = l > 0 ? y[I - VARS] : 0;
        if (l > 0)
            y[I] = fmax(y[I], time - (s->fixed_bytes + critical_pause(s, l).at) / by_ns);
    }
    for (int i = 0; i < p->n_rows; i++) {
        struct row *r = &p->row[i];

        r->slack = r->most;
        for (int k = 0; k < r->n; k++)
            r->slack -= r->term[k].of * p->y[r->term[k].var];
        r->slack = fmax(r->slack, 1);
        r->price = 1 / r->slack;
    }
}

/* Above 0 by what the row is broken. */
static double short_by(const struct program *p, const struct row *r)
{
    double by = r->slack - r->most;

    for (int k = 0; k < r->n; k++)
        by += r->term[k].of * p->y[r->term[k].var];
    return by;
}

static void fill_band(struct program *p)
{
    for (int i = 0; i < p->n_vars * BAND; i++)
        p->band[i] = 0;
    for (int i = 0; i < p->n_rows; i++) {
        const struct row *r = &p->row[i];
        double by = r->price / r->slack;

        for (int a = 0; a < r->n; a++) {
            for (int b = 0; b < r->n; b++) {
                int i = r->term[a].var, j = r->term[b].var;

                if (j <= i)
                    p->band[i * BAND + BAND - 1 - (i - j)] += by * r->term[a].of * r->term[b].of;
            }
        }
    }
}

/* Cholesky, in place; column j of row i is band[i][BAND - 1 - (i - j)]. */
static void factor(struct program *p)
{
    for (int i = 0; i < p->n_vars; i++) {
        double *to = p->band + i * BAND, was = to[BAND - 1];

        for (int j = i - BAND + 1 > 0 ? i - BAND + 1 : 0; j <= i; j++) {
            const double *from = p->band + j * BAND;
            int shift = i - j, k = j < BAND - 1 - shift ? BAND - 1 - j : shift;
            double sum = to[BAND - 1 - shift];

            for (; k < BAND - 1; k++)
                sum -= to[k - shift] * from[k];
            if (shift > 0)
                to[BAND - 1 - shift] = sum / from[BAND - 1];
            else
                to[BAND - 1] = sum > 1e-13 * was ? sqrt(sum) : 1e64; /* says nothing: no step */
        }
    }
}

static void solve(const struct program *p, double *x)
{
    for (int i = 0; i < p->n_vars; i++) {
        const double *row = p->band + i * BAND;

        for (int j = i - BAND + 1 > 0 ? i - BAND + 1 : 0; j < i; j++)
            x[i] -= row[BAND - 1 - (i - j)] * x[j];
        x[i] /= row[BAND - 1];
    }
    for (int i = p->n_vars - 1; i >= 0; i--) {
        const double *row = p->band + i * BAND;

        x[i] /= row[BAND - 1];
        for (int j = i - BAND + 1 > 0 ? i - BAND + 1 : 0; j < i; j++)
            x[j] -= row[BAND - 1 - (i - j)] * x[i];
    }
}

/* The Newton step towards price * slack = target - extra, and how much of it can be gone. */
static void direct(struct program *p, double target, double *ret_slack, double *ret_price)
{
    double *x = p->step;

    for (int v = 0; v < p->n_vars; v++)
        x[v] = p->tilt && v % VARS == S ? -p->tilt[v / VARS] / p->unit_ns : 0;
    x[p->n_vars - VARS + E] = -1;
    for (int i = 0; i < p->n_rows; i++) {
        const struct row *r = &p->row[i];
        double by = (target - r->extra + r->price * short_by(p, r)) / r->slack;

        for (int k = 0; k < r->n; k++)
            x[r->term[k].var] -= r->term[k].of * by;
    }
    solve(p, x);
    *ret_slack = *ret_price = 1;
    for (int i = 0; i < p->n_rows; i++) {
        struct row *r = &p->row[i];

        r->d_slack = -short_by(p, r);
        for (int k = 0; k < r->n; k++)
            r->d_slack -= r->term[k].of * x[r->term[k].var];
        r->d_price = (target - r->extra - r->price * (r->slack + r->d_slack)) / r->slack;
        if (r->d_slack < 0)
            *ret_slack = fmin(*ret_slack, -r->slack / r->d_slack);
        if (r->d_price < 0)
            *ret_price = fmin(*ret_price, -r->price / r->d_price);
    }
}

static double mean_gap(const struct program *p, double slack, double price)
{
    double sum = 0;

    for (int i = 0; i < p->n_rows; i++) {
        const struct row *r = &p->row[i];

        sum += (r->slack + slack * r->d_slack) * (r->price + price * r->d_price);
    }
    return sum / p->n_rows;
}

static void take_step(struct program *p)
{
    double gap = mean_gap(p, 0, 0), slack, price, after;

    fill_band(p);
    factor(p);
    for (int i = 0; i < p->n_rows; i++)
        p->row[i].extra = 0;
    direct(p, 0, &slack, &price);
    after = mean_gap(p, slack, price);
    for (int i = 0; i < p->n_rows; i++)
        p->row[i].extra = p->row[i].d_slack * p->row[i].d_price;
    direct(p, gap * pow(after / gap, 3), &slack, &price);
    slack *= SHORTEN;
    price *= SHORTEN;
    for (int v = 0; v < p->n_vars; v++)
        p->y[v] += slack * p->step[v];
    for (int i = 0; i < p->n_rows; i++) {
        p->row[i].slack += slack * p->row[i].d_slack;
        p->row[i].price += price * p->row[i].d_price;
    }
}

static double relative_gap(const struct program *p)
{
    return p->n_rows * mean_gap(p, 0, 0) / fabs(p->y[p->n_vars - VARS + E]);
}

static void program_done(struct program *p)
{
    free(p->row);
    free(p->y);
    free(p->step);
    free(p->band);
    free(p->wait);
    free(p->full);
}

static int program_new(const struct stream *s, const double *tilt, struct program *p)
{
    size_t layers = (size_t)s->p->n_layers + 1, vars = VARS * layers;
    double ns = 0;

    for (int l = 1; l <= s->p->n_layers; l++)
        ns += plan_layer_ns(&s->p->layer[l - 1], 0);
    ns += s->at[s->n_units] / s->per_ns;
    *p = (struct program){.s = s, .tilt = tilt, .unit_ns = ns / (double)layers, .n_vars = (int)vars};
    p->y = calloc(vars, sizeof(double));
    p->step = calloc(vars, sizeof(double));
    p->band = calloc(vars * BAND, sizeof(double));
    p->wait = calloc(layers, sizeof(int));
    p->full = calloc(layers, sizeof(int));
    return p->y && p->step && p->band && p->wait && p->full && add_rows(p) ? 0 : -ENOMEM;
}

void critical_done(struct critical *c)
{
    free(c->wait);
    free(c->full);
    free(c->units);
    *c = (struct critical){0};
}

static int critical_new(int n_layers, struct critical *c)
{
    c->wait = calloc((size_t)n_layers + 1, sizeof(double));
    c->full = calloc((size_t)n_layers + 1, sizeof(double));
    c->units = calloc((size_t)n_layers + 1, sizeof(double));
    return c->wait && c->full && c->units ? 0 : -ENOMEM;
}

static void take(const struct program *p, struct critical *c)
{
    c->units[0] = p->y[S];
    for (int l = 1; l <= p->s->p->n_layers; l++) {
        c->wait[l] = p->row[p->wait[l]].price;
        c->full[l] = p->row[p->full[l]].price;
        c->units[l] = p->y[VARS * l + S];
    }
}

int critical_make(const struct stream *s, const double *tilt, struct critical *ret_c)
{
    struct critical c = {0};
    struct program p = {0};
    int rc = critical_new(s->p->n_layers, &c);

    if (rc == 0)
        rc = program_new(s, tilt, &p);
    if (rc == 0) {
        start(&p);
        for (int i = 0; i < ROUNDS && relative_gap(&p) > ENOUGH; i++)
            take_step(&p);
        take(&p, &c);
        *ret_c = c;
    } else {
        critical_done(&c);
    }
    program_done(&p);
    return rc;
}
