/* harness/predict/roofline.c - see roofline.h. */
#include "harness/predict/roofline.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/predict/feature.h"
#include "harness/samples/sampled.h"

/* A kind's coefficients: its own terms, then what the pool says. The pool comes first, and its last
 * coefficient is 0. */
enum { COLUMNS = ROOFLINE_TERMS + 1, POOL = -1 };

struct fit {
    int kind;
    double c[COLUMNS];
};

struct roofline {
    int n;
    struct fit *fit; /* sorted by kind; [0] is the pool */
};

/* ---- terms ---- */

int roofline_describe(const struct device_info *dev, const struct op_case *c,
                      const struct op_variant *v, struct roofline_row *ret_row, struct err *err)
{
    struct op_variant base = sampled_base(v);
    struct op_launch l = {0};
    double items, groups, waves, last, flop, moved, out;
    int op = 0, rc;

    rc = c->op->launch(c, &base, dev, &l, err);
    if (rc < 0)
        return rc;
    while (op_table[op] && op_table[op] != c->op)
        op++;
    items = (double)l.gws[0] * (double)(l.gws[1] ? l.gws[1] : 1);
    waves = feature_waves(dev, &base, &l, &last);
    groups = waves * (dev->compute_units ? dev->compute_units : 1) / last;
    flop = feature_flop(c);
    moved = feature_moved_bytes(c);
    out = (double)op_output_bytes(c);
    ret_row->kind = op * OP_MAX_KERNELS + v->kernel;
    memcpy(ret_row->term,
           (const double[ROOFLINE_TERMS]){1, flop, moved - out, out, items, groups, flop * last,
                                          moved * last, flop / items, moved / items, waves},
           sizeof(ret_row->term));
    return 0;
}

/* ---- fitting ---- */

/* min |sqrt(w) (a c - 1)|^2 + ridge |c - p|^2 with c >= 0, columns of a[n][COLUMNS] scaled to length 1;
 * p is 1 for what the pool says and 0 for the rest. The launch, which is the first column, has more of
 * a ridge: large samples cannot tell it, and a small launch is nothing but it.
 * Cyclic coordinate descent on the normal equations, which converges for any convex quadratic, from
 * the c that comes in. */
static void nonnegative(const double *a, const double *w, int n, double *ret_c)
{
    static const double ridge = 1e-3, ridge_launch = 0.1;
    enum { ROUNDS = 300 };
    double h[COLUMNS][COLUMNS] = {{0}}, g[COLUMNS] = {0}, length[COLUMNS], c[COLUMNS];

    for (int i = 0; i < n; i++)
        for (int j = 0; j < COLUMNS; j++) {
            g[j] += w[i] * a[i * COLUMNS + j];
            for (int k = 0; k <= j; k++)
                h[j][k] += w[i] * a[i * COLUMNS + j] * a[i * COLUMNS + k];
        }
    for (int j = 0; j < COLUMNS; j++)
        length[j] = h[j][j] > 0 ? sqrt(h[j][j]) : 1;
    for (int j = 0; j < COLUMNS; j++)
        c[j] = ret_c[j] * length[j];
    for (int j = 0; j < COLUMNS; j++) {
        g[j] /= length[j];
        for (int k = 0; k <= j; k++)
            h[j][k] = h[k][j] = h[j][k] / (length[j] * length[k]);
    }
    if (h[ROOFLINE_TERMS][ROOFLINE_TERMS] > 0)
        g[ROOFLINE_TERMS] += ridge * length[ROOFLINE_TERMS];
    for (int round = 0; round < ROUNDS; round++)
        for (int j = 0; j < COLUMNS; j++) {
            double rest = g[j];

            for (int k = 0; k < COLUMNS; k++)
                rest -= k == j ? 0 : h[j][k] * c[k];
            c[j] = h[j][j] > 0 ? fmax(0, rest / (h[j][j] + (j ? ridge : ridge_launch))) : 0;
        }
    for (int j = 0; j < COLUMNS; j++)
        ret_c[j] = c[j] / length[j];
}

/* Least squares of relative errors would be ruled by what is predicted far too long, and by
 * outliers: reweighted so that a row costs the square of log(predicted / measured), and no more
 * than linearly beyond 5 %. a is terms over the measured time, so that 1 is wanted. */
static void fit_rows(const double *a, int n, double *w, double *ret_c)
{
    static const double outlier = 0.05;
    enum { ROUNDS = 20 };

    for (int i = 0; i < n; i++)
        w[i] = 1;
    for (int round = 0; round < ROUNDS; round++) {
        nonnegative(a, w, n, ret_c);
        for (int i = 0; i < n; i++) {
            double ratio = 0, off;

            for (int j = 0; j < COLUMNS; j++)
                ratio += a[i * COLUMNS + j] * ret_c[j];
            ratio = fmax(ratio, 1e-3);
            off = fabs(log(ratio));
            w[i] = fabs(ratio - 1) < 1e-6 ? 1 : (off / (ratio - 1)) * (off / (ratio - 1));
            w[i] *= off > outlier ? outlier / off : 1;
        }
    }
}

static double dot(const double *c, const double *term, double pool)
{
    double ns = c[ROOFLINE_TERMS] * pool;

    for (int j = 0; j < ROOFLINE_TERMS; j++)
        ns += c[j] * term[j];
    return ns;
}

static int by_kind(const void *a, const void *b)
{
    const struct roofline_row *x = *(const struct roofline_row *const *)a,
                              *y = *(const struct roofline_row *const *)b;

    return x->kind != y->kind ? (x->kind > y->kind) - (x->kind < y->kind) : (x > y) - (x < y);
}

int roofline_fit(const struct roofline_row *row, int n, const int *fold, int without,
                 struct roofline **ret_r, struct err *err)
{
    const struct roofline_row **list = calloc((size_t)n + 1, sizeof(*list));
    double *a = calloc((size_t)n * COLUMNS + 1, sizeof(*a)), *w = calloc((size_t)n + 1, sizeof(*w));
    struct roofline *r = calloc(1, sizeof(*r));
    int used = 0, rc = 0;

    if (r)
        r->fit = calloc((size_t)n + 1, sizeof(*r->fit));
    if (!list || !a || !w || !r || !r->fit) {
        rc = err_set(err, -ENOMEM, "no memory for %d rows", n);
        goto out;
    }
    for (int i = 0; i < n; i++)
        if (row[i].teaches && !(fold && fold[i] == without))
            list[used++] = &row[i];
    if (used == 0) {
        rc = err_set(err, -ENODATA, "no samples to fit a roofline to");
        goto out;
    }
    qsort(list, (size_t)used, sizeof(*list), by_kind);
    for (int i = 0; i < used; i++)
        for (int j = 0; j < ROOFLINE_TERMS; j++)
            a[i * COLUMNS + j] = list[i]->term[j] / list[i]->ns;
    fit_rows(a, used, w, r->fit[0].c);
    r->fit[0].kind = POOL;
    r->n = 1;
    for (int i = 0; i < used; i++)
        a[i * COLUMNS + ROOFLINE_TERMS] = dot(r->fit[0].c, list[i]->term, 0) / list[i]->ns;
    for (int i = 0, end; i < used; i = end) {
        for (end = i + 1; end < used && list[end]->kind == list[i]->kind;)
            end++;
        r->fit[r->n].kind = list[i]->kind;
        fit_rows(a + (size_t)i * COLUMNS, end - i, w, r->fit[r->n++].c);
    }
    *ret_r = r;
    r = NULL;
out:
    roofline_free(r);
    free(w);
    free(a);
    free(list);
    return rc;
}

void roofline_free(struct roofline *r)
{
    if (!r)
        return;
    free(r->fit);
    free(r);
}

double roofline_pool_ns(const struct roofline *r, const struct roofline_row *row)
{
    return fmax(dot(r->fit[0].c, row->term, 0), 1);
}

double roofline_ns(const struct roofline *r, const struct roofline_row *row)
{
    double pool = dot(r->fit[0].c, row->term, 0), ns = pool;

    for (int i = 1; i < r->n; i++)
        if (r->fit[i].kind == row->kind)
            ns = dot(r->fit[i].c, row->term, pool);
    return fmax(ns, 1);
}

/* ---- text: "KIND:C,C,...;KIND:..." ---- */

int roofline_print(const struct roofline *r, char **ret_text, struct err *err)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);

    if (!f)
        return err_set(err, -ENOMEM, "out of memory");
    for (int i = 0; i < r->n; i++) {
        fprintf(f, "%s%d:", i ? ";" : "", r->fit[i].kind);
        for (int j = 0; j < COLUMNS; j++)
            fprintf(f, "%s%.9g", j ? "," : "", r->fit[i].c[j]);
    }
    if (fclose(f) != 0) {
        free(text);
        return err_set(err, -ENOMEM, "out of memory");
    }
    *ret_text = text;
    return 0;
}

static bool parse_fit(const char **text, struct fit *ret_fit)
{
    char *end;
    long kind = strtol(*text, &end, 10);

    if (end == *text || *end != ':' || kind < POOL || kind > 1 << 20)
        return false;
    ret_fit->kind = (int)kind;
    for (int j = 0; j < COLUMNS; j++) {
        const char *number = end + 1;

        ret_fit->c[j] = strtod(number, &end);
        if (end == number || !(ret_fit->c[j] >= 0 && ret_fit->c[j] < 1e30) ||
            (j < COLUMNS - 1 && *end != ','))
            return false;
    }
    *text = end;
    return true;
}

int roofline_parse(const char *text, struct roofline **ret_r, struct err *err)
{
    struct roofline *r = calloc(1, sizeof(*r));
    int room = 1;

    for (const char *p = text; *p; p++)
        room += *p == ';';
    if (r)
        r->fit = calloc((size_t)room, sizeof(*r->fit));
    if (!r || !r->fit) {
        roofline_free(r);
        return err_set(err, -ENOMEM, "out of memory");
    }
    while (r->n < room && parse_fit(&text, &r->fit[r->n])) {
        r->n++;
        if (*text != ';')
            break;
        text++;
    }
    if (r->n != room || *text || r->fit[0].kind != POOL) {
        roofline_free(r);
        return err_set(err, -EINVAL, "the roofline of a regressor is damaged: run 'flashmem train'");
    }
    *ret_r = r;
    return 0;
}
