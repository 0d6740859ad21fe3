#include "profiler/pairs.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/pace.h"

#define LEVEL     0.95
#define RESAMPLES 1000

/* The interval of a median narrows with the root of n: to 0.71 when n doubles. Twice in a row
 * above STALLED, from STALL_FIRST times the least number of repeats on, more will not help. */
#define STALLED     0.95
#define STALL_FIRST 4

#define PAIRS_MIN 3    /* taken even where the first one is over the time limit */
#define MORE      5    /* times the limits, where other processes spoil pairs */
#define CROWDED   0.15 /* share of the machine that others take */

int pairs_new(struct pairs *p, int sides, const struct measure_options *opt,
              const struct device_info *dev, struct err *err)
{
    size_t n = (size_t)opt->max_repeats * MORE;
    bool cpu = dev->type == DEVICE_CPU, ok;

    *p = (struct pairs){.opt = opt, .sides = sides, .units = (int)dev->compute_units,
                        .in_twos = !cpu};
    p->ratio = calloc(n, sizeof(double));
    p->aside = calloc(n, sizeof(bool));
    p->pace_at = calloc(n, sizeof(int));
    p->pace_ns = calloc(n * (1 + 2 * PACE_ASKED), sizeof(uint64_t));
    ok = p->ratio && p->aside && p->pace_at && p->pace_ns;
    for (int s = 0; s < sides; s++) {
        p->time_ns[s] = calloc(n, sizeof(uint64_t));
        p->x[s] = calloc(n, sizeof(double));
        if (cpu)
            p->cores[s] = calloc(n, sizeof(double));
        ok = ok && p->time_ns[s] && p->x[s] && (!cpu || p->cores[s]);
    }
    return ok ? 0 : err_set(err, -ENOMEM, "out of memory");
}

void pairs_done(struct pairs *p)
{
    for (int s = 0; s < 2; s++) {
        free(p->time_ns[s]);
        free(p->cores[s]);
        free(p->x[s]);
    }
    free(p->aside);
    free(p->pace_at);
    free(p->pace_ns);
    free(p->ratio);
}

void pairs_restart(struct pairs *p, bool alone)
{
    p->n = p->calm = p->looked = p->n_pace = p->slow = 0;
    p->looks = (struct looks){0};
    p->cores_known = p->cores[0] && alone;
    p->since = crowd_begin();
}

static bool is_slow(const struct pairs *p, int at)
{
    double ns = p->pace_best_ns && at >= 0 ? pace_around(p->pace_ns, p->n_pace, at) : NAN;

    return ns > PACE_SLOW * (double)p->pace_best_ns;
}

void pairs_pace(struct pairs *p, uint64_t ns, uint64_t best_ns)
{
    p->pace_ns[p->n_pace++] = ns;
    p->pace_best_ns = best_ns;
}

bool pairs_slow(const struct pairs *p)
{
    return p->n_pace >= PACE_ASKED && is_slow(p, p->n_pace - 1);
}

int pairs_in_twos(double *x, int n)
{
    for (int i = 0; i < n; i += 2)
        x[i / 2] = i + 1 < n ? (x[i] + x[i + 1]) / 2 : x[i];
    return (n + 1) / 2;
}

/* Statistics are of the pairs that had the cores, on a machine that was not slow, or of all. */
static void sift(struct pairs *p, bool all)
{
    if (all || !p->cores_known)
        memset(p->aside, 0, (size_t)p->n * sizeof(*p->aside));
    else
        calm_pairs(p->cores, p->sides, p->n, p->aside);
    p->slow = p->calm = 0;
    for (int i = 0; i < p->n; i++) {
        bool slow = is_slow(p, p->pace_at[i]);

        p->slow += slow;
        p->aside[i] = p->aside[i] || (slow && !all);
        if (p->aside[i])
            continue;
        for (int s = 0; s < p->sides; s++)
            p->x[s][p->calm] = (double)p->time_ns[s][i];
        p->calm++;
    }
    p->looked = p->calm;
    for (int s = 0; s < p->sides && p->in_twos; s++)
        p->looked = pairs_in_twos(p->x[s], p->calm);
    for (int k = 0; k < p->looked && p->sides == 2; k++)
        p->ratio[k] = p->x[1][k] / p->x[0][k];
}

void pairs_add(struct pairs *p, const struct repeat pair[2])
{
    for (int s = 0; s < p->sides; s++) {
        p->time_ns[s][p->n] = pair[s].ns;
        if (p->cores[s])
            p->cores[s][p->n] = pair[s].cores;
    }
    p->pace_at[p->n++] = p->n_pace - 1;
    sift(p, false);
}

struct interval pairs_interval(const double *x, int n, uint64_t seed)
{
    return stats_median_interval(x, n, LEVEL, RESAMPLES, seed);
}

static struct interval interval_of(const struct pairs *p, const double *x)
{
    return pairs_interval(x, p->looked, p->opt->seed);
}

/* The wider side's interval, as a fraction of its median. */
static double relative_width(const struct pairs *p)
{
    double widest = 0;

    for (int s = 0; s < p->sides; s++) {
        struct interval i = interval_of(p, p->x[s]);
        double width = i.mid > 0 ? (i.high - i.low) / i.mid : 0;

        widest = fmax(widest, width);
    }
    return widest;
}

/* Has the interval stopped narrowing, compared with the look at half as many repeats? */
static bool stalled(struct looks *l, int first, int n, double width)
{
    double then = NAN;

    for (int i = 0; i < l->n; i++)
        if (2 * l->at[i] <= n)
            then = l->width[i];
    if (l->n < LOOKS_MAX) {
        l->at[l->n] = n;
        l->width[l->n++] = width;
    }
    l->stalls = n >= first && width > STALLED * then ? l->stalls + 1 : 0;
    return l->stalls >= 2;
}

/* May other processes have had a core all the time? Then the calm pairs are none. */
static bool crowded(const struct pairs *p)
{
    bool all = true;
    double share;

    for (int s = 0; s < p->sides && p->cores_known; s++)
        all = all && calm_cores(p->cores[s], p->n) >= CALM_SHARE * p->units;
    if (all)
        return false;
    share = crowd_share(&p->since);
    return !(share <= CROWDED);
}

static const char *why_few(const struct pairs *p)
{
    return 2 * p->slow > p->n - p->calm ? "the machine was slow"
                                        : "too few repeats had the cores";
}

/* Limits are of calm pairs, and MORE times as much of all. */
const char *pairs_stop(struct pairs *p, uint64_t spent_ns)
{
    const struct measure_options *opt = p->opt;
    uint64_t calm_ns = spent_ns / (uint64_t)p->n * (uint64_t)p->calm;
    bool late = calm_ns > opt->max_time_ns && p->calm >= PAIRS_MIN;
    bool full = p->calm >= opt->max_repeats;
    bool at_end = (spent_ns / MORE > opt->max_time_ns && p->n >= PAIRS_MIN) ||
                  p->n >= MORE * opt->max_repeats;
    bool due = p->calm >= opt->min_repeats && p->calm >= PAIRS_MIN && p->calm >= p->looks.next;
    double width;

    if (!late && !full && !at_end && !due)
        return NULL;
    p->looks.next = p->calm + 1 + p->calm / 5;
    if (crowded(p))
        return at_end ? "other processes had the cores" : NULL;
    if (p->calm < PAIRS_MIN)
        return full ? "repeat limit" : at_end ? why_few(p) : NULL;
    width = relative_width(p);
    if (width <= opt->target && p->calm >= opt->min_repeats)
        return "";
    if (!late && !full && !at_end &&
        stalled(&p->looks, STALL_FIRST * opt->min_repeats, p->calm, width))
        return "interval stopped narrowing";
    return full ? "repeat limit" : late || at_end ? "time limit" : NULL;
}

void pairs_summarize(struct pairs *p, struct measure_result *r)
{
    if (p->calm < PAIRS_MIN)
        sift(p, true);
    r->status = *r->reason ? SAMPLE_NOISY : SAMPLE_OK;
    r->n = p->n;
    r->aside = p->aside;
    p->aside = NULL;
    r->sides = p->sides;
    for (int s = 0; s < r->sides; s++) {
        struct interval i = interval_of(p, p->x[s]);

        r->side[s] = (struct measure_side){
            .time_ns = p->time_ns[s],
            .cores = p->cores_known ? p->cores[s] : NULL,
            .median_ns = i.mid,
            .low_ns = i.low,
            .high_ns = i.high,
            .mad_ns = stats_mad(p->x[s], p->looked),
        };
        p->time_ns[s] = NULL;
        if (r->side[s].cores)
            p->cores[s] = NULL;
    }
    r->slowdown = r->sides == 2 ? interval_of(p, p->ratio) : (struct interval){NAN, NAN, NAN};
}
