/* Arithmetic of one comparison, in logarithms: a ratio is a difference. README.md says why. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/compare/compare.h"

#define LEVEL     0.95
#define RESAMPLES 400      /* for standard errors */
#define Z95       1.959964 /* the standard normal's 0.975 quantile */
#define Z80       0.841621 /* its 0.8 quantile: power */
#define SIGMA     1.4826   /* standard deviation / median absolute deviation, normal */

/* Machines do not repeat themselves better than this without proof; the weight of that belief, in
 * observations. */
#define PRIOR_NOISE  0.02
#define PRIOR_WEIGHT 4
/* Weight of what all items show beside what one item shows: items differ in their noise. */
#define ITEMS_WEIGHT   12
#define MAD_WORTH      0.37 /* of an observation in a variance: the efficiency of the deviation */
#define SEVERAL        3    /* recordings of each side, from which the undisturbed time is told */
#define UNDISTURBED    0.25 /* quantile of a recording's repeats, where there are several */
#define RECORDINGS_MAX 50   /* more than anybody makes */
#define RANKS_DIFFER   0.05
#define FALSE_SHARE    0.05 /* of what is called slower or faster */

const char *const compare_verdict_names[] = {"slower", "ambiguous", "faster", "same", NULL};

struct compare_options compare_defaults(void)
{
    return (struct compare_options){.detect = 0.05, .least = 0.01, .seed = 1};
}

/* One side of an item. */
struct estimate {
    double *y; /* [n] its recordings' log times; borrowed */
    int n;
    double mid;    /* of all of them */
    double within; /* mean variance of one log median, from the repeats */
    double own;    /* variance of `mid` times n, from recordings; of several */
};

/* Per item: both sides, their difference and its standard error. */
struct work {
    struct estimate side[2];
    bool several;
    double diff, se;
    double most; /* a larger change than this, either way, is excluded at 0.05 */
    double own; /* variance of one recording, as this item alone shows it; of several */
    int own_n;  /* degrees of freedom of it; 0: not several */
};

static double square(double x)
{
    return x * x;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Recordings taken to be undisturbed: two in five, rounded up. */
static int undisturbed(int n)
{
    return (2 * n + 4) / 5;
}

/* Medians of few recordings. */
static void describe_few(const struct compare_side *s, uint64_t seed, struct estimate *e)
{
    e->n = s->n;
    e->within = 0;
    for (int i = 0; i < s->n; i++) {
        const struct recording *r = &s->rec[i];
        struct interval m = stats_median_interval(r->time_ns, r->n, LEVEL, RESAMPLES, seed);

        e->y[i] = log(m.mid);
        e->within += square(log(m.high / m.low) / (2 * Z95)) / s->n;
    }
    e->mid = stats_median(e->y, s->n);
}

/* The undisturbed time of several recordings: what else runs only ever adds to a time, and it may
 * spoil every third recording. So of each the low repeats, of these the mean of the lowest;
 * its variance from the winsorized one (Tukey & McLaughlin 1963; Yuen 1974), trimmed above only. */
static void describe_several(const struct compare_side *s, double *scratch, struct estimate *e)
{
    int h = undisturbed(s->n);
    double mean = 0, sum = 0;

    e->n = s->n;
    e->mid = 0;
    for (int i = 0; i < s->n; i++)
        e->y[i] = log(stats_quantile(s->rec[i].time_ns, s->rec[i].n, UNDISTURBED));
    memcpy(scratch, e->y, (size_t)s->n * sizeof(*scratch));
    qsort(scratch, (size_t)s->n, sizeof(*scratch), by_value);
    for (int i = 0; i < h; i++)
        e->mid += scratch[i] / h;
    for (int i = 0; i < s->n; i++)
        mean += scratch[i < h ? i : h - 1] / s->n;
    for (int i = 0; i < s->n; i++)
        sum += square(scratch[i < h ? i : h - 1] - mean);
    e->own = s->n * sum / (h * (h - 1));
}

/* The median of all differences (Hodges & Lehmann 1963). */
static double difference(const struct estimate *a, const struct estimate *b, double *scratch)
{
    int n = 0;

    for (int i = 0; i < a->n; i++)
        for (int j = 0; j < b->n; j++)
            scratch[n++] = b->y[j] - a->y[i];
    return stats_median(scratch, n);
}

static void describe_item(struct compare_item *it, struct work *w, double *x, uint64_t seed)
{
    int dof[2];

    w->several = it->side[0].n >= SEVERAL && it->side[1].n >= SEVERAL;
    for (int s = 0; s < 2; s++) {
        if (w->several)
            describe_several(&it->side[s], x, &w->side[s]);
        else
            describe_few(&it->side[s], seed, &w->side[s]);
        it->time_ns[s] = exp(w->side[s].mid);
        dof[s] = undisturbed(it->side[s].n) - 1;
    }
    w->diff = w->several ? w->side[1].mid - w->side[0].mid
                         : difference(&w->side[0], &w->side[1], x);
    if (w->several) {
        w->own_n = dof[0] + dof[1];
        w->own = (dof[0] * w->side[0].own + dof[1] * w->side[1].own) / w->own_n;
    }
}

static const char *different_source(const struct compare_item *it)
{
    return *it->side[0].build && *it->side[1].build &&
                   strcmp(it->side[0].build, it->side[1].build) != 0
               ? "kernel or build options changed"
               : "";
}

/* ---- what recordings differ by though nothing changed ---- */

/* Of chi-square over its degrees of freedom: Wilson & Hilferty 1931. */
static double chi2_median(int dof)
{
    return pow(1 - 2.0 / (9 * dof), 3);
}

/* From items with several recordings: what they show of their own noise. */
static int several_noise(const struct compare_items *c, const struct work *w, double *x)
{
    int n = 0;

    for (int i = 0; i < c->n; i++)
        if (w[i].several && !c->item[i].apart)
            x[n++] = w[i].own / chi2_median(w[i].own_n);
    return n;
}

/* From recordings of one side: the same thing, another session. */
static int repeated_noise(const struct compare_items *c, const struct work *w, double *x)
{
    int n = 0;

    for (int i = 0; i < c->n; i++)
        for (int s = 0; s < 2 && !c->item[i].apart; s++)
            for (int k = 1; k < w[i].side[s].n; k++)
                x[n++] = fabs(w[i].side[s].y[k] - w[i].side[s].y[k - 1]);
    return n;
}

/* From one recording each: how far items stray from what all of them have in common. */
static int spread_noise(const struct compare_items *c, const struct work *w, double *x)
{
    double mid;
    int n = 0;

    for (int i = 0; i < c->n; i++)
        if (!c->item[i].apart)
            x[n++] = w[i].diff;
    mid = stats_median(x, n);
    for (int i = 0; i < n; i++)
        x[i] = fabs(x[i] - mid);
    return n > 1 ? n : 0;
}

/* Most of what is compared was built from other sources: then items may well differ in earnest. */
static bool mostly_rebuilt(const struct compare_items *c)
{
    int n = 0;

    for (int i = 0; i < c->n; i++)
        n += *different_source(&c->item[i]) != '\0';
    return 2 * n > c->n;
}

/* From kernels that were measured more than once in a session. */
static int again_noise(const struct compare_items *c, double *x)
{
    for (int i = 0; i < c->n_again; i++)
        x[i] = fabs(c->again[i]);
    return c->n_again;
}

static double typical_within(const struct compare_items *c, const struct work *w, double *x)
{
    int n = 0;

    for (int i = 0; i < c->n; i++)
        if (!c->item[i].apart)
            x[n++] = (w[i].side[0].within + w[i].side[1].within) / 2;
    return n ? stats_median(x, n) : 0;
}

/* Variance of one recording beyond what its repeats say, and how many observations that rests on.
 * Differences of two have twice the variance of one. */
static double noise_variance(const struct compare_items *c, const struct work *w, double *x,
                             int *ret_n)
{
    int n = several_noise(c, w, x);
    double seen;

    if (n > 0) {
        seen = stats_median(x, n);
    } else {
        n = repeated_noise(c, w, x);
        if (n == 0)
            n = c->alike && !mostly_rebuilt(c) ? spread_noise(c, w, x) : again_noise(c, x);
        seen = n ? square(SIGMA * stats_median(x, n)) / 2 : 0;
        seen -= typical_within(c, w, x);
    }
    *ret_n = n;
    return (PRIOR_WEIGHT * square(PRIOR_NOISE) + n * fmax(seen, 0)) / (PRIOR_WEIGHT + n);
}

static double side_anchor(const struct compare_side *s)
{
    double x[64];
    int n = 0;

    for (int i = 0; i < s->n && n < 64; i++)
        if (s->rec[i].anchor_ns > 0)
            x[n++] = log(s->rec[i].anchor_ns);
    return n ? stats_median(x, n) : NAN;
}

/* How much slower the machine was in B, whatever it was asked to do; NaN if nobody knows. */
static double machine_shift(const struct compare_items *c, double *x)
{
    int n = 0;

    for (int i = 0; i < c->n && c->same_device; i++) {
        double d = side_anchor(&c->item[i].side[1]) - side_anchor(&c->item[i].side[0]);

        if (!isnan(d))
            x[n++] = d;
    }
    return n ? stats_median(x, n) : NAN;
}

/* ---- verdicts ---- */

/* The change that the two one-sided tests of equivalence exclude: Schuirmann 1987. */
static double not_excluded(const struct work *w, double dof)
{
    return fabs(w->diff) + stats_t_quantile(0.10, dof) * w->se;
}

static bool one_each(const struct work *w)
{
    return w->side[0].n == 1 && w->side[1].n == 1;
}

static void judge_paired(struct compare_item *it, struct work *w, double *x, uint64_t seed)
{
    const struct recording *a = it->side[0].rec, *b = it->side[1].rec;
    int dof = a->n > 1 ? a->n - 1 : 1;
    struct interval m;

    for (int i = 0; i < a->n; i++)
        x[i] = log(b->time_ns[i] / a->time_ns[i]);
    m = stats_median_interval(x, a->n, LEVEL, RESAMPLES, seed);
    w->diff = m.mid;
    w->se = (m.high - m.low) / (2 * Z95);
    it->ratio = (struct interval){exp(m.mid), exp(m.low), exp(m.high)};
    it->p = stats_t_p(w->diff / fmax(w->se, 1e-12), dof);
    w->most = not_excluded(w, dof);
}

/* An item's own recordings say one thing about its noise, all items together another: averaged by
 * their weight (as in Smyth 2004), which tames items that few recordings make look calm. */
static void judge_item(struct compare_item *it, struct work *w, double noise, int noise_n,
                       double machine)
{
    double per = 1.0 / w->side[0].n + 1.0 / w->side[1].n, var, t;
    double dof = fmin(PRIOR_WEIGHT + MAD_WORTH * noise_n, 100);

    if (w->several) {
        dof = fmin(dof, ITEMS_WEIGHT);
        var = per * (dof * noise + w->own_n * w->own) / (dof + w->own_n);
        dof += w->own_n;
    } else {
        var = noise * per + w->side[0].within / w->side[0].n + w->side[1].within / w->side[1].n;
        /* What moved the whole machine cannot be told from what changed. */
        if (one_each(w) && !isnan(machine))
            var += square(machine);
    }
    w->se = sqrt(var);
    t = stats_t_quantile(1 - LEVEL, dof);
    it->ratio = (struct interval){exp(w->diff), exp(w->diff - t * w->se), exp(w->diff + t * w->se)};
    it->p = stats_t_p(w->diff / w->se, dof);
    w->most = not_excluded(w, dof);
}

static int pool(const struct compare_side *s, double *x)
{
    int n = 0;

    for (int i = 0; i < s->n; i++)
        for (int k = 0; k < s->rec[i].n; k++)
            x[n++] = s->rec[i].time_ns[k];
    return n;
}

static int total(const struct compare_side *s)
{
    int n = 0;

    for (int i = 0; i < s->n; i++)
        n += s->rec[i].n;
    return n;
}

/* Of pairs, the sign test: two-sided, exact. */
static double signs(const struct compare_item *it)
{
    const struct recording *a = it->side[0].rec, *b = it->side[1].rec;
    int more = 0, less = 0;
    double p = 0;

    for (int i = 0; i < a->n; i++) {
        more += b->time_ns[i] > a->time_ns[i];
        less += b->time_ns[i] < a->time_ns[i];
    }
    for (int k = 0, n = more + less; k <= (more < less ? more : less); k++)
        p += exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) - n * log(2));
    return fmin(1, 2 * p);
}

static int ranks(const struct compare_item *it, double *ret_p, struct err *err)
{
    int n = total(&it->side[0]) + total(&it->side[1]), na, nb;
    double *x;

    if (it->paired) {
        *ret_p = signs(it);
        return 0;
    }
    x = malloc((size_t)n * sizeof(*x));
    if (!x)
        return err_set(err, -ENOMEM, "out of memory");
    na = pool(&it->side[0], x);
    nb = pool(&it->side[1], x + na);
    *ret_p = stats_mann_whitney_p(x, na, x + na, nb);
    free(x);
    return 0;
}

/* The largest p that is called a change, so that at most FALSE_SHARE of what is called so is none
 * (Benjamini & Hochberg 1995). */
static double p_limit(const struct compare_items *c, double *x)
{
    double limit = FALSE_SHARE / (c->n > 0 ? c->n : 1);

    for (int i = 0; i < c->n; i++)
        x[i] = c->item[i].p;
    qsort(x, (size_t)c->n, sizeof(*x), by_value);
    for (int i = 0; i < c->n; i++)
        if (x[i] <= FALSE_SHARE * (i + 1) / c->n)
            limit = FALSE_SHARE * (i + 1) / c->n;
    return limit;
}

/* How many times as many recordings would show a change of `detect`. */
static int times_more(double se, double detect)
{
    return (int)ceil(square((Z95 + Z80) * se / log1p(detect)));
}

static void explain_wide(struct compare_item *it, const struct work *w, double machine,
                         const struct compare_options *opt)
{
    double shows = expm1((Z95 + Z80) * w->se);
    int n = w->side[0].n > w->side[1].n ? w->side[0].n : w->side[1].n, more;

    if (it->paired) {
        snprintf(it->reason, sizeof(it->reason), "only a change of %.2g %% would show: more --runs",
                 100 * shows);
        return;
    }
    more = n * times_more(w->se, opt->detect);
    if (one_each(w) && fabs(machine) > opt->least)
        snprintf(it->reason, sizeof(it->reason),
                 "the machine itself was %.2g %% %s in B: record both again, in turns, and name "
                 "all: %s:ID,ID,...",
                 100 * fabs(expm1(machine)), machine > 0 ? "slower" : "faster",
                 it->apart ? "run" : "session");
    else if (more > RECORDINGS_MAX)
        snprintf(it->reason, sizeof(it->reason),
                 "only a change of %.2g %% would show: this needs a quieter machine", 100 * shows);
    else
        snprintf(it->reason, sizeof(it->reason),
                 "only a change of %.2g %% would show: about %d recordings of each%s, in turns, or "
                 "a quieter machine",
                 100 * shows, more < 4 ? 4 : more, it->apart ? "" : " (--again all)");
}

/* Which variants were best, where they differ. */
static void add_variants(struct compare_item *it)
{
    const char *a = it->side[0].what, *b = it->side[1].what;
    size_t n = strlen(it->reason);

    if (a && b && strcmp(a, b) != 0)
        snprintf(it->reason + n, sizeof(it->reason) - n, "%sA: %s B: %s", n ? "; " : "", a, b);
}

static int decide(struct compare_item *it, const struct work *w, double limit, double machine,
                  bool alike, const struct compare_options *opt, struct err *err)
{
    double rank_p = NAN;
    int rc;

    if (it->p <= limit && fabs(it->ratio.mid - 1) >= opt->least) {
        rc = ranks(it, &rank_p, err);
        if (rc < 0)
            return rc;
        it->verdict = w->diff > 0 ? COMPARE_SLOWER : COMPARE_FASTER;
        snprintf(it->reason, sizeof(it->reason), "%s", alike ? different_source(it) : "");
        if (!(rank_p < RANKS_DIFFER)) {
            it->verdict = COMPARE_AMBIGUOUS;
            snprintf(it->reason, sizeof(it->reason),
                     "these times differ, the repeats as a whole do not (p = %.2g): more repeats (%s)",
                     rank_p, it->apart ? "--runs" : "--max-repeats");
        }
        return 0;
    }
    it->verdict = COMPARE_SAME;
    it->reason[0] = '\0';
    if (it->p <= limit)
        snprintf(it->reason, sizeof(it->reason), "a change of less than %.2g %%", 100 * opt->least);
    else if ((Z95 + Z80) * w->se > log1p(opt->detect) && w->most > log1p(opt->detect)) {
        it->verdict = COMPARE_AMBIGUOUS;
        explain_wide(it, w, machine, opt);
    } else if (it->p < 0.05) {
        snprintf(it->reason, sizeof(it->reason),
                 "p = %.2g happens by chance among so many; %.2g would count", it->p, limit);
    }
    return 0;
}

static int by_verdict(const void *a, const void *b)
{
    const struct compare_item *x = a, *y = b;
    double dx = fabs(log(x->ratio.mid)), dy = fabs(log(y->ratio.mid));

    if (x->verdict != y->verdict)
        return (int)x->verdict - (int)y->verdict;
    return dx != dy ? (dx < dy) - (dx > dy) : strcmp(x->name, y->name);
}

/* Doubles that the largest step needs: all recordings of all items, all pairs of one, all repeats.
 */
static size_t room(const struct compare_items *c)
{
    size_t all = 16 + (size_t)c->n_again, most = 0;

    for (int i = 0; i < c->n; i++) {
        const struct compare_side *s = c->item[i].side;
        size_t pairs = (size_t)s[0].n * (size_t)s[1].n, repeats = (size_t)s[0].rec[0].n;

        all += (size_t)s[0].n + (size_t)s[1].n;
        most = pairs > most ? pairs : most;
        most = repeats > most ? repeats : most;
    }
    return all + most;
}

static void describe(struct compare_items *c, struct work *w, double *y, double *x,
                     const struct compare_options *opt)
{
    for (int i = 0; i < c->n; i++) {
        struct compare_item *it = &c->item[i];

        for (int s = 0; s < 2; s++) {
            w[i].side[s].y = y;
            y += it->side[s].n;
        }
        describe_item(it, &w[i], x, opt->seed);
    }
}

int compare_judge(struct compare_items *c, const struct compare_options *opt, struct err *err)
{
    size_t n = room(c);
    double *x = malloc(n * sizeof(*x)), *y = malloc(n * sizeof(*y)), noise, limit;
    struct work *w = calloc((size_t)c->n + 1, sizeof(*w));
    int noise_n, rc = 0;

    if (!x || !y || !w) {
        rc = err_set(err, -ENOMEM, "out of memory");
        goto out;
    }
    describe(c, w, y, x, opt);
    noise = noise_variance(c, w, x, &noise_n);
    c->noise = sqrt(noise);
    c->machine = machine_shift(c, x);
    for (int i = 0; i < c->n; i++) {
        if (c->item[i].paired)
            judge_paired(&c->item[i], &w[i], x, opt->seed);
        else
            judge_item(&c->item[i], &w[i], noise, noise_n, c->machine);
    }
    limit = p_limit(c, x);
    for (int i = 0; i < c->n && rc == 0; i++)
        rc = decide(&c->item[i], &w[i], limit, c->machine, c->alike, opt, err);
    for (int i = 0; i < c->n && rc == 0; i++)
        add_variants(&c->item[i]);
    if (rc == 0)
        qsort(c->item, (size_t)c->n, sizeof(*c->item), by_verdict);
out:
    free(w);
    free(y);
    free(x);
    return rc;
}
