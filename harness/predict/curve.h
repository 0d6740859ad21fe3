/* harness/predict/curve.h - a convex, non-decreasing load curve through a regressor's steps, and
 * its inverse. Pure arithmetic. */
#ifndef FLASHMEM_HARNESS_PREDICT_CURVE_H
#define FLASHMEM_HARNESS_PREDICT_CURVE_H

#include "harness/predict/predict.h"

/* The convex, non-decreasing, piecewise-linear function through (0, 1) with knots at bytes[] that
 * is nearest to slowdown[] in the sum of squared relative errors. README.md, "The load curve".
 *
 *   bytes[n]      > 0, increasing; n in 0..CURVE_POINTS - 1
 *   slowdown[n]   >= 1
 *
 * trained_bytes becomes the last of bytes[]. */
void curve_fit(const double *bytes, const double *slowdown, int n, struct load_curve *ret_curve);

/* Most bytes at which the curve is at most 1 + allowed. ret_censored: the curve ends before it
 * gets there, so that it may be more. */
double curve_invert(const struct load_curve *curve, double allowed, bool *ret_censored);

#endif
