/* harness/predict/processes.c - see processes.h. */
#include "harness/predict/processes.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "operators/op.h"

enum { FEWEST = 40, PARTS = FAMILIES + 1 }; /* rows that a family's process takes; it and the joint one */

/* By what their kernels have in common; what is named in none of them moves data about. */
static const char *const members[FAMILIES - 1] = {
    " matmul conv2d deconv2d ", " attention ", " layernorm groupnorm softmax reduce ",
    " relu gelu sin cos sigmoid tanh add sub mul div affine "};

static int family_of(int kind)
{
    char name[64];

    snprintf(name, sizeof(name), " %s ", op_table[kind / OP_FORMS / OP_MAX_KERNELS]->name);
    for (int i = 0; i < FAMILIES - 1; i++)
        if (strstr(members[i], name))
            return i;
    return FAMILIES - 1;
}

/* ---- fitting ---- */

struct job {
    struct gauss_data d;
    bool *teaches;
    uint64_t seed;
    struct gauss *g;
    int rc;
    struct err err;
};

static void *fit(void *arg)
{
    struct job *j = arg;

    j->rc = gauss_fit(&j->d, j->seed, &j->g, &j->err);
    return NULL;
}

/* The rows of a family; -1: all. false: too few. */
static bool job_of(const struct gauss_data *d, int family, uint64_t seed, bool *teaches,
                   struct job *ret_j)
{
    int n = 0;

    for (int i = 0; i < d->rows; i++) {
        teaches[i] = d->teaches[i] && (family < 0 || family_of(d->kind[i]) == family);
        n += teaches[i];
    }
    *ret_j = (struct job){.d = *d, .seed = seed};
    ret_j->d.teaches = teaches;
    return family < 0 || n >= FEWEST;
}

int processes_fit(const struct gauss_data *d, uint64_t seed, int threads, struct processes *ret_p,
                  struct err *err)
{
    bool *teaches = calloc(((size_t)d->rows + 1) * PARTS, sizeof(*teaches)), begun[PARTS] = {0};
    struct job job[PARTS] = {0};
    struct processes p = {0};
    pthread_t thread[PARTS];
    int rc = 0;

    if (!teaches)
        return err_set(err, -ENOMEM, "no memory for %d rows", d->rows);
    for (int i = 0; i < PARTS; i++) {
        if (!job_of(d, i - 1, seed, teaches + (size_t)i * (size_t)d->rows, &job[i]))
            continue;
        begun[i] = threads != 1 && pthread_create(&thread[i], NULL, fit, &job[i]) == 0;
        if (!begun[i])
            fit(&job[i]);
    }
    for (int i = 0; i < PARTS; i++) {
        if (begun[i])
            pthread_join(thread[i], NULL);
        if (rc == 0 && job[i].rc < 0)
            rc = err_set(err, job[i].rc, "%s", job[i].err.text);
        *(i ? &p.family[i - 1] : &p.joint) = job[i].g;
    }
    free(teaches);
    if (rc < 0)
        processes_done(&p);
    else
        *ret_p = p;
    return rc;
}

void processes_done(struct processes *p)
{
    gauss_free(p->joint);
    for (int i = 0; i < FAMILIES; i++)
        gauss_free(p->family[i]);
    *p = (struct processes){0};
}

void processes_predict(const struct processes *p, const float *x, int kind, double *ret_joint,
                       double *ret_own)
{
    const struct gauss *own = p->family[family_of(kind)];

    *ret_joint = gauss_predict(p->joint, x, kind, NULL);
    *ret_own = own ? gauss_predict(own, x, kind, NULL) : *ret_joint;
}

/* ---- text: the joint one, then "FAMILY;PROCESS" for each that there is, "|" behind each ---- */

int processes_print(const struct processes *p, char **ret_text, struct err *err)
{
    char *text = NULL, *part = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    int rc = 0;

    if (!f)
        return err_set(err, -ENOMEM, "out of memory");
    for (int i = -1; i < FAMILIES && rc == 0; i++) {
        const struct gauss *g = i < 0 ? p->joint : p->family[i];

        rc = g ? gauss_print(g, &part, err) : 0;
        if (g && rc == 0)
            fprintf(f, "%d;%s|", i, part);
        free(part);
        part = NULL;
    }
    if (fclose(f) != 0 && rc == 0)
        rc = err_set(err, -ENOMEM, "out of memory");
    if (rc < 0)
        free(text);
    else
        *ret_text = text;
    return rc;
}

static int parse_line(char *line, int cols, struct processes *p, struct err *err)
{
    char *end;
    long family = strtol(line, &end, 10);
    struct gauss **to;

    if (end == line || *end != ';' || family < -1 || family >= FAMILIES)
        return err_set(err, -EINVAL,
                       "the smooth part of a regressor is damaged: run 'flashmem train'");
    to = family < 0 ? &p->joint : &p->family[family];
    gauss_free(*to);
    *to = NULL;
    return gauss_parse(end + 1, cols, to, err);
}

int processes_parse(const char *text, int cols, struct processes *ret_p, struct err *err)
{
    char *copy = strdup(text), *rest = NULL;
    struct processes p = {0};
    int rc = copy ? 0 : err_set(err, -ENOMEM, "out of memory");

    for (char *line = copy ? strtok_r(copy, "|", &rest) : NULL; line && rc == 0;
         line = strtok_r(NULL, "|", &rest))
        rc = parse_line(line, cols, &p, err);
    if (rc == 0 && !p.joint)
        rc = err_set(err, -EINVAL,
                     "the smooth part of a regressor is damaged: run 'flashmem train'");
    free(copy);
    if (rc < 0)
        processes_done(&p);
    else
        *ret_p = p;
    return rc;
}
