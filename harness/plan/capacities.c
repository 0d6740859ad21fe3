#include "harness/plan/capacities.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/predict/curve.h"
#include "harness/samples/measured.h"
#include "profiler/rng.h"

const char *const capacities_names[] = {"recorded", "regressor", "measured", "roofline",
                                        "constant", "random",    NULL};

#define LEAST_RATIO 0.015625
#define MOST_RATIO  4.0
#define BEYOND      4.0 /* a roofline's curve ends at five times the layer's time */

struct replacing {
    const struct capacities_setting *x;
    double flop_per_ns, bytes_per_ns; /* the best of all samples */
    double ratio[3];                  /* of the classes */
};

static double moved_bytes(const struct op_case *c)
{
    return (double)op_input_bytes(c) + (double)op_output_bytes(c);
}

static double flop_of(const struct op_case *c)
{
    double macs, ops;

    c->op->cost(c, &macs, &ops);
    return 2 * macs + ops;
}

static enum op_form form_of(const struct capacities_setting *x, int l)
{
    return x->best && x->best[l].v.form == FORM_COPY ? FORM_COPY : FORM_PIPELINED;
}

/* Whatever the means, these carry nothing. */
static bool by_rule(const struct capacities_setting *x, int l)
{
    const struct op *op = x->m->layer[l].c.op;
    int kernel = x->best ? x->best[l].v.kernel : 0;

    return op->class == OP_HIERARCHICAL || !op_has_form(&op->kernels[kernel], form_of(x, l));
}

/* The bytes at which the curve meets the threshold, in whole texels. */
static void take_curve(const struct capacities_setting *x, struct capacity *c)
{
    uint64_t texel = 4 * dtype_bytes(x->m->dtype);

    c->bytes = (uint64_t)curve_invert(&c->curve, c->threshold, &c->censored) / texel * texel;
    c->reason = c->bytes ? "" : "below one texel";
}

/* A straight line through the threshold at `bytes`, to twice that. */
static void straight(const struct capacities_setting *x, double bytes, struct capacity *c)
{
    uint64_t texel = 4 * dtype_bytes(x->m->dtype);

    c->curve = (struct load_curve){.n = 2,
                                   .bytes = {0, 2 * bytes},
                                   .slowdown = {1, 1 + 2 * c->threshold},
                                   .trained_bytes = 2 * bytes};
    c->bytes = (uint64_t)bytes / texel * texel;
    c->censored = false;
    c->reason = c->bytes ? "" : "below one texel";
}

static int best_rates(struct replacing *r, struct err *err)
{
    const struct capacities_setting *x = r->x;
    struct store_query *q;
    int rc = store_query(x->st, &q, err,
                         "SELECT c.op, c.shape, min(coalesce(s.base_median_ns, s.median_ns))"
                         " FROM sample s JOIN config c ON c.id = s.config_id"
                         " JOIN session e ON e.id = s.session_id"
                         " WHERE e.device_id = ? AND c.dtype = ? AND c.path = ?"
                         " AND s.status = 'ok' AND c.cache = 'flushed' AND s.median_ns > 0"
                         " GROUP BY c.op, c.shape",
                         "iss", x->device_id, dtype_name(x->m->dtype), mem_path_name(x->path));

    if (rc < 0)
        return rc;
    while ((rc = store_step(q, err)) == 1) {
        struct op_case c;

        if (!op_find(store_text(q, 0)) ||
            op_case_make(store_text(q, 0), x->m->dtype, store_text(q, 1), &c, NULL) < 0)
            continue;
        r->flop_per_ns = fmax(r->flop_per_ns, flop_of(&c) / store_real(q, 2));
        r->bytes_per_ns = fmax(r->bytes_per_ns, moved_bytes(&c) / store_real(q, 2));
    }
    store_query_done(q);
    if (rc == 0 && !(r->flop_per_ns > 0 && r->bytes_per_ns > 0))
        rc = err_set(err, -ENODATA,
                     "--capacities roofline: no samples of %s %s of this device: run 'flashmem "
                     "sweep SPEC'", dtype_name(x->m->dtype), mem_path_name(x->path));
    return rc;
}

/* As if kernels reached the device's best rates: memory is idle for what computing takes longer,
 * and beyond that each byte takes its time. */
static void roofline(const struct replacing *r, const struct op_case *op, struct capacity *c)
{
    double flop_ns = flop_of(op) / r->flop_per_ns, moved = moved_bytes(op);
    double ns = fmax(flop_ns, moved / r->bytes_per_ns);
    double hidden = fmax(0, flop_ns * r->bytes_per_ns - moved);
    double end = hidden + BEYOND * ns * r->bytes_per_ns;
    struct load_curve *y = &c->curve;

    *y = (struct load_curve){.n = 1, .slowdown = {1}, .trained_bytes = end};
    if (hidden > 0) {
        y->bytes[y->n] = hidden;
        y->slowdown[y->n++] = 1;
    }
    y->bytes[y->n] = end;
    y->slowdown[y->n++] = 1 + BEYOND;
    take_curve(r->x, c);
}

static void take_class(void *ctx, const struct measured_capacity *m)
{
    struct replacing *r = ctx;

    for (int c = OP_ELEMENTAL; c <= OP_HIERARCHICAL; c++)
        if (!strcmp(m->scope, op_class_name((enum op_class)c)) &&
            m->threshold == r->x->thresholds.allowed[c])
            r->ratio[c] = m->median;
}

static int class_ratios(struct replacing *r, struct err *err)
{
    const struct capacities_setting *x = r->x;

    return measured_capacities(x->st, x->device_id, x->m->dtype, x->path, form_of(x, 0),
                               x->thresholds.allowed, 3, take_class, r, err);
}

/* ---- measured ---- */

struct nearest {
    double distance;
    char key[1024];
    int n;
    double ratio[CURVE_POINTS - 1], slowdown[CURVE_POINTS - 1];
};

/* How far a shape is from another: the logarithms of what they compute and read. */
static double distance(const struct op_case *a, const struct op_case *b)
{
    return fabs(log2(flop_of(a) + 1) - log2(flop_of(b) + 1)) +
           fabs(log2((double)op_input_bytes(a)) - log2((double)op_input_bytes(b)));
}

static void take_point(struct nearest *y, double distance, const char *key, double ratio,
                       double slowdown)
{
    if (strcmp(key, y->key) != 0) {
        if (!(distance < y->distance) || strlen(key) >= sizeof(y->key))
            return;
        y->distance = distance;
        y->n = 0;
        snprintf(y->key, sizeof(y->key), "%s", key);
    }
    if (y->n == CURVE_POINTS - 1 || !(ratio > (y->n ? y->ratio[y->n - 1] : 0)))
        return;
    y->ratio[y->n] = ratio;
    y->slowdown[y->n++] = fmax(1, slowdown);
}

/* In order of configuration, then load. */
static int find_nearest(const struct capacities_setting *x, const struct op_case *c,
                        enum op_form form, struct nearest *y, struct err *err)
{
    struct store_query *q;
    int rc = store_query(x->st, &q, err,
                         "SELECT c.shape, substr(c.key, 1, instr(c.key, '|load=')), c.load_bytes,"
                         " avg(s.slowdown) FROM sample s JOIN config c ON c.id = s.config_id"
                         " JOIN session e ON e.id = s.session_id"
                         " WHERE e.device_id = ? AND c.op = ? AND c.dtype = ? AND c.path = ?"
                         " AND c.form = ? AND s.status IN ('ok', 'noisy') AND s.slowdown > 0"
                         " AND c.load_bytes > 0 AND c.cache = 'flushed'"
                         " GROUP BY c.id ORDER BY 2, 3",
                         "issss", x->device_id, c->op->name, dtype_name(x->m->dtype),
                         mem_path_name(x->path), op_form_name(form));

    *y = (struct nearest){.distance = INFINITY};
    if (rc < 0)
        return rc;
    while ((rc = store_step(q, err)) == 1) {
        struct op_case sampled;

        if (op_case_make(c->op->name, x->m->dtype, store_text(q, 0), &sampled, NULL) == 0)
            take_point(y, distance(c, &sampled), store_text(q, 1),
                       store_real(q, 2) / (double)op_input_bytes(&sampled), store_real(q, 3));
    }
    store_query_done(q);
    return rc;
}

static int measured(const struct capacities_setting *x, int l, struct capacity *c, int *found,
                    struct err *err)
{
    const struct op_case *op = &x->m->layer[l].c;
    double bytes[CURVE_POINTS - 1];
    struct nearest y;
    int rc = find_nearest(x, op, form_of(x, l), &y, err);

    if (rc < 0)
        return rc;
    c->bytes = 0;
    c->curve.n = 0;
    c->reason = "no samples of this operator";
    if (y.n == 0)
        return 0;
    for (int i = 0; i < y.n; i++)
        bytes[i] = y.ratio[i] * (double)op_input_bytes(op);
    curve_fit(bytes, y.slowdown, y.n, &c->curve);
    take_curve(x, c);
    (*found)++;
    return 0;
}

/* ---- all ---- */

static int replace(const struct replacing *r, enum capacities how, int l, struct capacity *c,
                   int *found, struct err *err)
{
    const struct op_case *op = &r->x->m->layer[l].c;
    double input = (double)op_input_bytes(op), least = log2(LEAST_RATIO), most = log2(MOST_RATIO);
    uint64_t rng = r->x->seed + (uint64_t)l * UINT64_C(0x9e3779b97f4a7c15);

    switch (how) {
    case CAPACITIES_MEASURED:
        return measured(r->x, l, c, found, err);
    case CAPACITIES_ROOFLINE:
        roofline(r, op, c);
        break;
    case CAPACITIES_CONSTANT:
        straight(r->x, r->ratio[op->op->class] * input, c);
        break;
    case CAPACITIES_RANDOM:
        straight(r->x, input * exp2(least + (most - least) * rng_unit(&rng)), c);
        break;
    case CAPACITIES_RECORDED:
    case CAPACITIES_REGRESSOR:
        break;
    }
    return 0;
}

int capacities_replace(const struct capacities_setting *x, enum capacities how,
                       struct model_problem *mp, struct err *err)
{
    struct replacing r = {.x = x};
    int rc = 0, found = how != CAPACITIES_MEASURED;

    if (how == CAPACITIES_ROOFLINE)
        rc = best_rates(&r, err);
    else if (how == CAPACITIES_CONSTANT)
        rc = class_ratios(&r, err);
    for (int l = 0; l < x->m->n_layers && rc == 0; l++) {
        struct capacity *c = &mp->capacity[l];

        c->threshold = x->thresholds.allowed[x->m->layer[l].c.op->class];
        if (!by_rule(x, l))
            rc = replace(&r, how, l, c, &found, err);
    }
    if (rc == 0 && !found)
        rc = err_set(err, -ENODATA,
                     "--capacities measured: no operator of '%s' was sampled with load (%s %s): run "
                     "'flashmem sweep SPEC'", x->m->name, dtype_name(x->m->dtype),
                     mem_path_name(x->path));
    if (rc == 0)
        problem_refresh(mp);
    return rc;
}

void capacities_print(enum capacities how, uint64_t seed, const struct thresholds *t, char *text,
                      size_t size)
{
    char which[48];

    snprintf(which, sizeof(which), how == CAPACITIES_RANDOM ? "%s %llu" : "%s",
             capacities_names[how], (unsigned long long)seed);
    snprintf(text, size, "%s; %s=%g %s=%g", which, op_class_name(OP_ELEMENTAL),
             t->allowed[OP_ELEMENTAL], op_class_name(OP_REUSABLE), t->allowed[OP_REUSABLE]);
}
