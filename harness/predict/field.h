/* harness/predict/field.h - configurations as two Gaussian processes see them: the time of a
 * kernel without load, and how much its load slows it down. README.md, "Active choice". */
#ifndef FLASHMEM_HARNESS_PREDICT_FIELD_H
#define FLASHMEM_HARNESS_PREDICT_FIELD_H

#include "harness/predict/active.h"
#include "profiler/learn/gauss.h"

enum { FIELD_BASE, FIELD_LOAD, FIELD_ASPECTS };

struct field {
    int n;
    bool *cannot; /* [n]: the kernel cannot take it */
    struct aspect {
        int cols;
        float *x;      /* [n, cols]; of FIELD_LOAD as far as the base latency is learnt */
        int *kind;     /* [n] */
        float *y;      /* [n]: logarithm of the time, of the slowdown; 0 where it is not known */
        bool *known;   /* [n] */
        bool *present; /* [n]: of FIELD_LOAD what carries load */
        struct gauss *process; /* NULL: nothing learnt */
    } aspect[FIELD_ASPECTS];
};

/* Nothing is known nor learnt yet. -ENOMEM. */
int field_new(const struct device_info *dev, const struct active_item *item, int n,
              struct field *ret_f, struct err *err);
void field_done(struct field *f);

/* Learn what the items say, item[n] those of field_new() with times that may have come since.
 * Where none was measured under load, the slowdown stays unlearnt. -ENODATA: nothing was
 * measured. */
int field_learn(struct field *f, const struct device_info *dev, const struct active_item *item,
                uint64_t seed, struct err *err);

/* The time of item i as it would run, with its load if it has one, by what is learnt; slowdown 1
 * where none is. */
double field_predict(const struct field *f, int i);

#endif
