/* profiler/learn/linear.h - dense symmetric systems by Cholesky's factor, [n, n] row-major. */
#ifndef FLASHMEM_PROFILER_LEARN_LINEAR_H
#define FLASHMEM_PROFILER_LEARN_LINEAR_H

#include <stdbool.h>

/* U with U^T U = a, in the upper triangle of a; false if a is not positive definite. */
bool linear_factorise(double *a, int n);

/* a -= V^T V in the upper triangle of a, V [rows, n]; rows is a multiple of four. */
void linear_subtract_square(double *a, int n, const double *v, int rows);

/* v = U^-T v */
void linear_solve_lower(const double *u, int n, double *v);

/* v = U^-1 v */
void linear_solve_upper(const double *u, int n, double *v);

/* The whole inverse of U^T U into inv; scratch is [n, n], too. */
void linear_invert(const double *u, int n, double *scratch, double *inv);

#endif
