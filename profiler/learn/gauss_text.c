/* profiler/learn/gauss_text.c - a process as text and back: see gauss.h.
 * "ROWS COLS MIDDLE THETA.. MEAN SCALE.. (KIND ALPHA X..)*" */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "profiler/learn/gauss_internal.h"

int gauss_print(const struct gauss *g, char **ret_text, struct err *err)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);

    if (!f)
        return err_set(err, -ENOMEM, "out of memory");
    fprintf(f, "%d %d %.17g", g->rows, g->cols, g->middle);
    for (int j = 0; j < g->cols + AMPLITUDES; j++)
        fprintf(f, " %.17g", g->theta[j]);
    for (int j = 0; j < g->cols; j++)
        fprintf(f, " %.17g %.17g", g->mean[j], g->scale[j]);
    for (int i = 0; i < g->rows; i++) {
        fprintf(f, " %d %.17g", g->kind[i], g->alpha[i]);
        for (int j = 0; j < g->cols; j++)
            fprintf(f, " %.9g", g->x[(size_t)i * (size_t)g->cols + (size_t)j]);
    }
    if (fclose(f) != 0) {
        free(text);
        return err_set(err, -ENOMEM, "out of memory");
    }
    *ret_text = text;
    return 0;
}

/* The next number of a text; NaN where there is none, or none that makes sense. */
static double number(const char **text)
{
    char *end;
    double v = strtod(*text, &end);

    if (end == *text || !(fabs(v) < 1e30))
        return NAN;
    *text = end;
    return v;
}

static bool numbers(const char **text, double *ret, int n)
{
    for (int i = 0; i < n; i++)
        if (isnan(ret[i] = number(text)))
            return false;
    return true;
}

static bool parse_rows(const char **text, struct gauss *g)
{
    bool ok = numbers(text, g->theta, g->cols + AMPLITUDES);

    for (int j = 0; j < g->cols && ok; j++)
        ok = numbers(text, &g->mean[j], 1) && numbers(text, &g->scale[j], 1);
    for (int i = 0; i < g->rows && ok; i++) {
        double kind = number(text);

        ok = fabs(kind) < 1e9 && numbers(text, &g->alpha[i], 1) &&
             numbers(text, g->x + (size_t)i * (size_t)g->cols, g->cols);
        g->kind[i] = ok ? (int)kind : 0;
    }
    return ok && **text == '\0';
}

int gauss_parse(const char *text, int cols, struct gauss **ret_g, struct err *err)
{
    double head[3];
    struct gauss *g = NULL;

    if (!numbers(&text, head, 3) || head[1] != cols || cols < 1 || cols > COLS_MAX ||
        !(head[0] >= 1 && head[0] <= ROWS_KEPT))
        return err_set(err, -EINVAL, "the smooth part of a regressor is damaged, or of another"
                       " program: run 'flashmem train'");
    g = gauss_new((int)head[0], cols);
    if (!g)
        return err_set(err, -ENOMEM, "out of memory");
    g->middle = head[2];
    if (!parse_rows(&text, g)) {
        gauss_free(g);
        return err_set(err, -EINVAL, "the smooth part of a regressor is damaged: run"
                       " 'flashmem train'");
    }
    *ret_g = g;
    return 0;
}
