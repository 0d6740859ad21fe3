/* harness/samples/group.c - see group.h. Shapes are few (thousands) where samples are many: equal
 * shapes are found by sorting, near ones by comparing all pairs of distinct shapes. */
#include "harness/samples/group.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const double near_fraction = 0.05;

struct entry {
    const struct op_case *c;
    int index;  /* in the caller's order */
    int parent; /* union-find over entries; equal shapes point to the first of them */
};

static int by_shape(const void *a, const void *b)
{
    const struct op_case *x = ((const struct entry *)a)->c, *y = ((const struct entry *)b)->c;
    int order = strcmp(x->op->name, y->op->name);

    for (int i = 0; order == 0 && i < OP_MAX_PARAMS; i++)
        order = (x->p[i] > y->p[i]) - (x->p[i] < y->p[i]);
    return order;
}

/* A bias or a formula hardly changes a time: cases that differ in that alone are one shape. */
static bool is_flag(const struct op_param *p)
{
    return p->choices || p->max - p->min <= 1;
}

static bool near(const struct op_case *x, const struct op_case *y)
{
    if (x->op != y->op)
        return false;
    for (int i = 0; i < OP_MAX_PARAMS && x->op->params[i].name; i++) {
        double a = (double)x->p[i], b = (double)y->p[i];
        double off = a > b ? a - b : b - a, most = a > b ? a : b;

        if (!is_flag(&x->op->params[i]) && off > near_fraction * most)
            return false;
    }
    return true;
}

static int root(const struct entry *e, int i)
{
    while (e[i].parent != i)
        i = e[i].parent;
    return i;
}

int group_cases(const struct op_case *const *cases, int n, int *ret_group)
{
    struct entry *e = malloc((size_t)n * sizeof(*e) + 1);
    int *number = malloc((size_t)n * sizeof(*number) + 1);
    int groups = 0;

    if (!e || !number) {
        free(e);
        free(number);
        return -ENOMEM;
    }
    for (int i = 0; i < n; i++)
        e[i] = (struct entry){cases[i], i, 0};
    qsort(e, (size_t)n, sizeof(*e), by_shape);
    for (int i = 0; i < n; i++) {
        e[i].parent = i > 0 && by_shape(&e[i - 1], &e[i]) == 0 ? e[i - 1].parent : i;
        if (e[i].parent != i)
            continue;
        for (int k = i - 1; k >= 0 && e[k].c->op == e[i].c->op; k--)
            if (near(e[k].c, e[i].c))
                e[root(e, k)].parent = root(e, i);
    }
    for (int i = 0; i < n; i++)
        number[i] = -1;
    for (int i = 0; i < n; i++) {
        int r = root(e, i);

        if (number[r] < 0)
            number[r] = groups++;
        ret_group[e[i].index] = number[r];
    }
    free(number);
    free(e);
    return groups;
}
