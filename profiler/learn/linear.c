/* profiler/learn/linear.c - see linear.h. Rows are walked: loops as wide as the machine. */
#include "profiler/learn/linear.h"

#include <math.h>
#include <string.h>

#include "profiler/clones.h"

/* Rows k0 to k1 of U, from what the rows before left of a; false if a is not positive definite. */
CLONES static bool factorise_rows(double *a, int n, int k0, int k1)
{
    for (int k = k0; k < k1; k++) {
        double *row = a + (size_t)k * (size_t)n, root;

        if (!(row[k] > 0))
            return false;
        root = sqrt(row[k]);
        for (int j = k; j < n; j++)
            row[j] /= root;
        for (int i = k + 1; i < k1; i++) {
            double *to = a + (size_t)i * (size_t)n, f = row[i];

            for (int j = i; j < n; j++)
                to[j] -= f * row[j];
        }
    }
    return true;
}

/* a -= V^T V: what these rows of V (a multiple of four) take from rows i0.. of the upper
 * triangle of a, columns j0 to j1. */
CLONES static void subtract_rows(double *a, int n, const double *v, int rows, int i0, int j0,
                                 int j1)
{
    for (int i = i0; i < j1; i++) {
        double *to = a + (size_t)i * (size_t)n;

        for (int k = 0; k < rows; k += 4) {
            const double *r0 = v + (size_t)k * (size_t)n, *r1 = r0 + n, *r2 = r1 + n, *r3 = r2 + n;
            double f0 = r0[i], f1 = r1[i], f2 = r2[i], f3 = r3[i];

            for (int j = i > j0 ? i : j0; j < j1; j++)
                to[j] -= (f0 * r0[j] + f1 * r1[j]) + (f2 * r2[j] + f3 * r3[j]);
        }
    }
}

/* In panels: row by row the whole matrix would come from memory once for each of its rows. */
enum { PANEL = 48, WIDTH = 512 };

bool linear_factorise(double *a, int n)
{
    for (int k = 0; k < n; k += PANEL) {
        int end = n < k + PANEL ? n : k + PANEL;

        if (!factorise_rows(a, n, k, end))
            return false;
        for (int j = end; j < n; j += WIDTH)
            subtract_rows(a, n, a + (size_t)k * (size_t)n, end - k, end, j,
                          n < j + WIDTH ? n : j + WIDTH);
    }
    return true;
}

void linear_subtract_square(double *a, int n, const double *v, int rows)
{
    for (int k = 0; k < rows; k += PANEL)
        for (int j = 0; j < n; j += WIDTH)
            subtract_rows(a, n, v + (size_t)k * (size_t)n, rows < k + PANEL ? rows - k : PANEL, 0,
                          j, n < j + WIDTH ? n : j + WIDTH);
}

CLONES void linear_solve_lower(const double *u, int n, double *v)
{
    for (int k = 0; k < n; k++) {
        const double *row = u + (size_t)k * (size_t)n;

        v[k] /= row[k];
        for (int j = k + 1; j < n; j++)
            v[j] -= v[k] * row[j];
    }
}

void linear_solve_upper(const double *u, int n, double *v)
{
    for (int k = n - 1; k >= 0; k--) {
        const double *row = u + (size_t)k * (size_t)n;
        double sum = v[k];

        for (int j = k + 1; j < n; j++)
            sum -= row[j] * v[j];
        v[k] = sum / row[k];
    }
}

/* U^-1 row by row from the last, then its square. */
CLONES void linear_invert(const double *u, int n, double *scratch, double *inv)
{
    memset(scratch, 0, (size_t)n * (size_t)n * sizeof(*scratch));
    for (int i = n - 1; i >= 0; i--) {
        const double *row = u + (size_t)i * (size_t)n;
        double *to = scratch + (size_t)i * (size_t)n;

        to[i] = 1;
        for (int k = i + 1; k < n; k++) {
            const double *from = scratch + (size_t)k * (size_t)n;

            for (int j = k; j < n; j++)
                to[j] -= row[k] * from[j];
        }
        for (int j = i; j < n; j++)
            to[j] /= row[i];
    }
    /* inv = U^-1 U^-T: column by column of the upper U^-1 */
    for (int i = 0; i < n; i++)
        for (int j = i; j < n; j++) {
            const double *a = scratch + (size_t)i * (size_t)n, *b = scratch + (size_t)j * (size_t)n;
            double sum[4] = {0};
            int k = j;

            for (; k + 4 <= n; k += 4)
                for (int s = 0; s < 4; s++)
                    sum[s] += a[k + s] * b[k + s];
            for (; k < n; k++)
                sum[0] += a[k] * b[k];
            inv[(size_t)i * (size_t)n + (size_t)j] = inv[(size_t)j * (size_t)n + (size_t)i] =
                (sum[0] + sum[1]) + (sum[2] + sum[3]);
        }
}
