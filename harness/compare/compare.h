/* harness/compare/compare.h - did anything get slower? Two sides of recorded times, item by item:
 * ratio, interval, verdict, reason. What counts as noise, and why: README.md here.
 *
 * compare_load() reads both sides from the database, compare_judge() is arithmetic alone. */
#ifndef FLASHMEM_HARNESS_COMPARE_COMPARE_H
#define FLASHMEM_HARNESS_COMPARE_COMPARE_H

#include "harness/store/store.h"
#include "profiler/stats.h"

/* One sample or run: repeats taken one after another. */
struct recording {
    int64_t session_id;
    double *time_ns; /* [n], in the order taken */
    int n;
    double
        anchor_ns; /* what all sessions of a device share: one flush of its cache; NaN: unknown */
};

struct compare_side {
    struct recording *rec; /* [n], by session */
    int n;
    char *what;     /* the variant, where sides may differ in it; NULL: nothing to say */
    char build[24]; /* hash of source and options; "": unknown */
};

enum compare_verdict { COMPARE_SLOWER, COMPARE_AMBIGUOUS, COMPARE_FASTER, COMPARE_SAME };
extern const char *const compare_verdict_names[]; /* NULL-terminated */

struct compare_item {
    char *name;
    struct compare_side side[2]; /* A, B */
    bool paired; /* one recording each, taken in turns: repeat i belongs to repeat i */
    bool apart;  /* says nothing about the noise of other items */
    bool part;   /* of another item: shown, but no finding of its own */
    /* by compare_judge() */
    double time_ns[2]; /* medians; of several recordings the undisturbed times */
    struct interval ratio; /* B / A, 95 % */
    double p;
    enum compare_verdict verdict;
    char reason[400];
};

struct compare_items {
    int n;
    struct compare_item *item;
    bool same_device;
    bool alike; /* both sides are recordings of one thing, as far as names tell */
    /* Differences of log medians of one kernel measured twice in one session (bases of pairs). */
    double *again;
    int n_again;
    int only[2];  /* items that the other side lacks: left out */
    int outdated; /* samples of an older source than their side's newest: left out */
    /* by compare_judge() */
    double noise;   /* standard deviation of one recording, beyond its repeats */
    double machine; /* log of how much slower the machine itself was in B; NaN: not known */
};
void compare_done(struct compare_items *c);

struct compare_options {
    double detect; /* a change that "same" would have shown four times in five; 0.05 */
    double least;  /* smaller differences are "same" however sure they are; 0.01 */
    uint64_t seed;
};
struct compare_options compare_defaults(void);

/* A side as it is typed: FIELD:VALUE[,VALUE...] joined by commas, FIELD one of device, session,
 * run, form, path, kernel, op. `best`: each side's fastest variant of a case. -EINVAL, -ENOENT. */
int compare_load(struct store *st, const char *a, const char *b, bool best,
                 struct compare_items *ret_c, struct err *err);

/* Judges and sorts: slower first, then ambiguous, faster, same; the largest change first. -ENOMEM.
 */
int compare_judge(struct compare_items *c, const struct compare_options *opt, struct err *err);

#endif
