#include "harness/model/reference.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/model/weights.h"

static size_t elements(const struct tensor_desc *d)
{
    return (size_t)d->rows * (size_t)d->cols;
}

static double stored(const struct model *m, float v)
{
    return m->dtype == DTYPE_F16 ? (double)half_to_float(half_from_float(v)) : (double)v;
}

/* Values as a device would have stored them; ids are left alone. */
static double *from_floats(const struct model *m, const struct tensor_desc *d, const float *v)
{
    size_t n = elements(d);
    double *to = malloc(n * sizeof(*to));

    for (size_t i = 0; to && i < n; i++)
        to[i] = d->dtype == DTYPE_I32 ? (double)v[i] : stored(m, v[i]);
    return to;
}

/* `file`: where values are if they are not seeded. */
static double *make_weight(const struct model *m, int weight, uint64_t seed,
                           const struct weights_file *file, struct err *err)
{
    const struct tensor_desc *d = &m->weight[weight].desc;
    float *v = malloc(elements(d) * sizeof(*v));
    double *to = NULL;

    if (v && !file)
        weights_values(m, weight, seed, v);
    if (v && (!file || weights_read(m, file, weight, v, err) == 0))
        to = from_floats(m, d, v);
    free(v);
    return to;
}

/* ---- operators, products on all cores ---- */

enum { MAX_PARTS = 16 };

struct part {
    struct op_case c;
    const double *in[OP_MAX_TENSORS];
    double *out;
};

static void *run_part(void *arg)
{
    struct part *p = arg;

    p->c.op->reference(&p->c, p->in, p->out);
    return NULL;
}

/* Index of the parameter `m` of a product that can be cut between rows of a and y; -1 if it is no
 * such case. Products are 97 of 100 operations of a transformer; the rest need not be quick. */
static int rows_param(const struct op_case *c)
{
    if (strcmp(c->op->name, "matmul") != 0 || op_param_get(c, "batch") != 1 ||
        op_param_get(c, "ta"))
        return -1;
    for (int i = 0; i < OP_MAX_PARAMS && c->op->params[i].name; i++)
        if (strcmp(c->op->params[i].name, "m") == 0)
            return i;
    return -1;
}

/* Whole, or in parts by rows: each result is the same sum in the same order either way. */
static void run_operator(const struct op_case *c, const struct op_io *io, const double **in,
                         double *out)
{
    struct part part[MAX_PARTS];
    pthread_t thread[MAX_PARTS];
    bool started[MAX_PARTS] = {false};
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int m = rows_param(c), n = cores < 1 ? 1 : cores > MAX_PARTS ? MAX_PARTS : (int)cores;
    int64_t rows = m < 0 ? 1 : c->p[m], done = 0;

    n = rows < n ? (int)rows : n;
    for (int i = 0; i < n; i++) {
        int64_t some = (rows - done) / (n - i);

        part[i] = (struct part){*c, {NULL}, out + done * io->slot[io->n - 1].desc.cols};
        memcpy(part[i].in, in, sizeof(part[i].in));
        if (m >= 0) {
            part[i].c.p[m] = some;
            for (int s = 0; s + 1 < io->n; s++) /* a, and what is added to the result */
                if (s == 0 || strcmp(io->slot[s].name, "res") == 0)
                    part[i].in[s] += done * io->slot[s].desc.cols;
        }
        done += some;
        started[i] = i + 1 < n && pthread_create(&thread[i], NULL, run_part, &part[i]) == 0;
        if (!started[i])
            run_part(&part[i]);
    }
    for (int i = 0; i < n; i++)
        if (started[i])
            pthread_join(thread[i], NULL);
}

/* ---- the model ---- */

struct run {
    const struct model *m;
    uint64_t seed;
    const struct weights_file *file; /* NULL: seeded */
    double **input, **output; /* [n_inputs], [n_layers]; NULL when not yet or no longer needed */
};

static int run_layer(struct run *r, int index, struct err *err)
{
    const struct layer *l = &r->m->layer[index];
    const struct tensor_desc *out = &l->io.slot[l->io.n - 1].desc;
    const double *in[OP_MAX_TENSORS] = {NULL};
    double *made[OP_MAX_TENSORS] = {NULL};
    size_t n = elements(out);
    int rc = 0;

    r->output[index] = malloc(n * sizeof(double));
    if (!r->output[index])
        rc = -ENOMEM;
    for (int i = 0; i + 1 < l->io.n && rc == 0; i++) {
        const struct source *s = &l->source[i];

        if (s->kind == SOURCE_WEIGHT)
            made[i] = make_weight(r->m, s->index, r->seed, r->file, err);
        in[i] = s->kind == SOURCE_WEIGHT  ? made[i]
                : s->kind == SOURCE_INPUT ? r->input[s->index]
                                          : r->output[s->index];
        if (!in[i])
            rc = -ENOMEM;
    }
    if (rc == 0) {
        run_operator(&l->c, &l->io, in, r->output[index]);
        for (size_t i = 0; i < n; i++)
            r->output[index][i] = stored(r->m, (float)r->output[index][i]);
    } else {
        err_set(err, rc, "out of memory for the reference of layer '%s'", l->name);
    }
    for (int i = 0; i < l->io.n; i++)
        free(made[i]);
    return rc;
}

/* What layer `index` read for the last time. */
static void release(struct run *r, int index)
{
    const struct layer *l = &r->m->layer[index];

    for (int i = 0; i + 1 < l->io.n; i++) {
        const struct source *s = &l->source[i];

        if (s->kind == SOURCE_LAYER && r->m->layer[s->index].last_use == index) {
            free(r->output[s->index]);
            r->output[s->index] = NULL;
        }
    }
}

static int run_model(struct run r, const float *const *inputs, float *ret_output, struct err *err)
{
    const struct model *m = r.m;
    const struct layer *last = &m->layer[m->n_layers - 1];
    int rc = 0;

    r.input = calloc((size_t)m->n_inputs + 1, sizeof(*r.input));
    r.output = calloc((size_t)m->n_layers, sizeof(*r.output));
    if (!r.input || !r.output)
        rc = err_set(err, -ENOMEM, "out of memory for the reference of '%s'", m->name);
    for (int i = 0; i < m->n_inputs && rc == 0; i++) {
        r.input[i] = from_floats(m, &m->input[i].desc, inputs[i]);
        if (!r.input[i])
            rc = err_set(err, -ENOMEM, "out of memory for input '%s'", m->input[i].name);
    }
    for (int i = 0; i < m->n_layers && rc == 0; i++) {
        rc = run_layer(&r, i, err);
        if (rc == 0)
            release(&r, i);
    }
    if (rc == 0)
        for (size_t i = 0; i < elements(&last->io.slot[last->io.n - 1].desc); i++)
            ret_output[i] = (float)r.output[m->n_layers - 1][i];
    for (int i = 0; r.input && i < m->n_inputs; i++)
        free(r.input[i]);
    for (int i = 0; r.output && i < m->n_layers; i++)
        free(r.output[i]);
    free(r.input);
    free(r.output);
    return rc;
}

int model_reference_of(const struct model *m, const struct weights_file *file,
                       const float *const *inputs, float *ret_output, struct err *err)
{
    return run_model((struct run){.m = m, .seed = file->seed, .file = file->seeded ? NULL : file},
                     inputs, ret_output, err);
}

int model_reference(const struct model *m, uint64_t seed, const float *const *inputs,
                    float *ret_output, struct err *err)
{
    return run_model((struct run){.m = m, .seed = seed}, inputs, ret_output, err);
}
