/* harness/predict/roofline.h - what a launch takes by its sizes alone: a sum of non-negative costs,
 * fitted to samples. The regressor learns what this cannot say. README.md, "Roofline".
 *
 * A kind is an operator's kernel. Each has coefficients of its own, over the terms below and over
 * what the coefficients of all kinds together say, so that few samples are enough. */
#ifndef FLASHMEM_HARNESS_PREDICT_ROOFLINE_H
#define FLASHMEM_HARNESS_PREDICT_ROOFLINE_H

#include "operators/op.h"

enum { ROOFLINE_TERMS = 11 };
struct roofline_row {
    int kind;
    double term[ROOFLINE_TERMS]; /* >= 0 */
    double ns;                   /* measured, > 0 */
    bool teaches;
};

/* Kind and terms of v's naive form. -EINVAL as op->launch. */
int roofline_describe(const struct device_info *dev, const struct op_case *c,
                      const struct op_variant *v, struct roofline_row *ret_row, struct err *err);

struct roofline;

/* From the rows that teach, but for those with fold[i] == without (fold may be NULL). Relative
 * errors count, outliers little. -ENOMEM, -ENODATA: no row. */
int roofline_fit(const struct roofline_row *row, int n, const int *fold, int without,
                 struct roofline **ret_r, struct err *err);
void roofline_free(struct roofline *r);
double roofline_ns(const struct roofline *r, const struct roofline_row *row); /* >= 1 */
/* By the coefficients of all kinds together: one linear model, as a measure of what the rest buys. */
double roofline_pool_ns(const struct roofline *r, const struct roofline_row *row);

/* As text and back: what is stored with a regressor; freed by the caller. -EINVAL: not such a text. */
int roofline_print(const struct roofline *r, char **ret_text, struct err *err);
int roofline_parse(const char *text, struct roofline **ret_r, struct err *err);

#endif
