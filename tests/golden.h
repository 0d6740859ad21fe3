/* tests/golden.h - what ONNX Runtime made of the models in tests/golden (GOLDEN), as the matrices
 * that their imported graphs speak of. */
#ifndef FLASHMEM_TESTS_GOLDEN_H
#define FLASHMEM_TESTS_GOLDEN_H

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/model/npy.h"

/* How an ONNX tensor lies in a matrix, as the graph file's comments say. */
struct layout {
    int rank, n;
    int64_t dim[8];
    int order[8]; /* axes of more than one element, outermost first */
};

static inline struct layout layout_of(const char *graph, const char *what, const char *name)
{
    FILE *f = fopen(graph, "r");
    struct layout l = {0};
    char line[1024], head[256];
    bool found = false;

    ck_assert_ptr_nonnull(f);
    snprintf(head, sizeof(head), "# %s %s", what, name);
    while (!found && fgets(line, sizeof(line), f)) {
        char *p = line + strlen(head);

        found = strncmp(line, head, strlen(head)) == 0;
        if (!found)
            continue;
        for (p = strchr(p, '[') + 1; *p != ']';) {
            l.dim[l.rank++] = strtoll(p, &p, 10);
            p += *p == ',';
        }
        p = strstr(p, "axes ") + 5;
        while (*p && *p != '\n') {
            if (*p >= '0' && *p <= '9')
                l.order[l.n++] = *p - '0';
            p++;
        }
    }
    fclose(f);
    ck_assert_msg(found, "no line '%s'", head);
    return l;
}

/* Element i of the matrix is element at[i] of the ONNX tensor. */
static inline int64_t *order_of(const struct layout *l, int64_t *ret_n)
{
    int64_t stride[8], n = 1, *at;

    for (int i = l->rank - 1; i >= 0; i--) {
        stride[i] = n;
        n *= l->dim[i];
    }
    at = malloc((size_t)n * sizeof(*at));
    for (int64_t i = 0; i < n; i++) {
        int64_t rest = i;

        at[i] = 0;
        for (int k = l->n - 1; k >= 0; k--) {
            at[i] += rest % l->dim[l->order[k]] * stride[l->order[k]];
            rest /= l->dim[l->order[k]];
        }
    }
    *ret_n = n;
    return at;
}

/* An input as the matrix that the imported graph wants; freed by the caller. */
static inline float *golden_input(const char *graph, const char *golden, const char *input)
{
    struct layout l = layout_of(graph, "input", input);
    char path[512];
    struct npy a;
    struct err err;
    int64_t n, *at = order_of(&l, &n);
    float *v = malloc((size_t)n * sizeof(*v));

    snprintf(path, sizeof(path), "%s/%s.in.%s.npy", GOLDEN, golden, input);
    ck_assert_msg(npy_read(path, &a, &err) == 0, "%s", err.text);
    ck_assert_int_eq(a.rows * a.cols, n);
    for (int64_t i = 0; i < n; i++)
        v[i] = a.value[at[i]];
    npy_done(&a);
    free(at);
    return v;
}

/* |y - theirs| / |theirs|, theirs being ONNX Runtime's. */
static inline double golden_distance(const char *graph, const char *golden, const float *y)
{
    struct layout l = layout_of(graph, "output", "");
    char path[512];
    struct npy a;
    struct err err;
    int64_t n, *at = order_of(&l, &n);
    double error = 0, size = 0;

    snprintf(path, sizeof(path), "%s/%s.out.npy", GOLDEN, golden);
    ck_assert_msg(npy_read(path, &a, &err) == 0, "%s", err.text);
    ck_assert_int_eq(a.rows * a.cols, n);
    for (int64_t i = 0; i < n; i++) {
        double want = (double)a.value[at[i]], d = (double)y[i] - want;

        error += d * d;
        size += want * want;
    }
    npy_done(&a);
    free(at);
    return sqrt(error / size);
}

#endif
