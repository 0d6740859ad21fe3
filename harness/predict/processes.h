/* harness/predict/processes.h - the smooth part of a regressor: a Gaussian process over all kernels, and one
 * for each family of operators. README.md, "Smooth part". */
#ifndef FLASHMEM_HARNESS_PREDICT_PROCESSES_H
#define FLASHMEM_HARNESS_PREDICT_PROCESSES_H

#include "profiler/learn/gauss.h"

/* Products, attention, rows, element by element, layout. A family's process has lengths of its own;
 * where few of its samples teach there is none, and the joint one speaks. */
enum { FAMILIES = 5 };

struct processes {
    struct gauss *joint, *family[FAMILIES]; /* NULL: too few samples */
};

/* Rows of d are of smooth_kind(). Serial, or with threads != 1 side by side. As gauss_fit(). */
int processes_fit(const struct gauss_data *d, uint64_t seed, int threads, struct processes *ret_p,
                  struct err *err);
void processes_done(struct processes *p);

/* What the joint process says of a row, and what its family's does: the joint again where it has
 * none. */
void processes_predict(const struct processes *p, const float *x, int kind, double *ret_joint,
                       double *ret_own);

/* As text and back. -EINVAL: not such a text. */
int processes_print(const struct processes *p, char **ret_text, struct err *err);
int processes_parse(const char *text, int cols, struct processes *ret_p, struct err *err);

#endif
