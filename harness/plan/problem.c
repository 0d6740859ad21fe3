#include "harness/plan/problem.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/model/split.h"

#define BUNDLE          "__vectors" /* as in weights files */
#define MIN_CHUNK_BYTES 65536
#define MAX_CHUNKS      (1 << 30)

struct problem_options problem_defaults(void)
{
    return (struct problem_options){
        .chunk_bytes = 1 << 20,
        .lambda = 0.9,
        .price = PRICE_BYTES,
        .limit = LIMIT_STREAMED,
        .thresholds = thresholds_default(),
        .time_limit_s = 1.0,
    };
}

void problem_done(struct model_problem *mp)
{
    free(mp->layer);
    free(mp->weight);
    free(mp->weight_index);
    free(mp->capacity);
    free(mp->recorded);
    free(mp->curve);
    for (int i = 0; i < mp->n_splits; i++)
        free((char *)mp->split[i].part[0].name);
    free(mp->split);
    free(mp->split_curve);
    free(mp->capacities);
    free(mp->spare);
    *mp = (struct model_problem){0};
}

static int check_options(const struct problem_options *opt, struct err *err)
{
    if (opt->chunk_bytes < MIN_CHUNK_BYTES || opt->chunk_bytes > UINT64_C(1) << 40)
        return err_set(err, -EINVAL, "chunk: want %d bytes to 1 TiB, got '%" PRIu64 "'",
                       MIN_CHUNK_BYTES, opt->chunk_bytes);
    if (!(opt->lambda >= 0 && opt->lambda <= 1))
        return err_set(err, -EINVAL, "lambda: want 0..1, got '%g'", opt->lambda);
    return 0;
}

void problem_ratio(double lambda, int *ret_a, int *ret_b)
{
    int whole = 10;

    while (whole < 1000 && fabs(lambda * whole - round(lambda * whole)) > 1e-9)
        whole *= 10;
    *ret_a = (int)lround(lambda * whole);
    *ret_b = whole - *ret_a;
}

static bool read_by_gather(const struct model *m, int weight)
{
    for (int l = m->weight[weight].first; l <= m->weight[weight].last; l++) {
        const struct layer *y = &m->layer[l];

        for (int i = 0; i < y->io.n; i++) {
            if (y->io.slot[i].role == ROLE_WEIGHT && y->source[i].kind == SOURCE_WEIGHT &&
                y->source[i].index == weight && !strcmp(y->c.op->name, "gather"))
                return true;
        }
    }
    return false;
}

static int chunks_of(uint64_t bytes, uint64_t chunk_bytes, struct err *err)
{
    uint64_t n = bytes / chunk_bytes + (bytes % chunk_bytes != 0);

    if (n > MAX_CHUNKS)
        return err_set(err, -EINVAL, "chunk: %" PRIu64 " bytes are too small for this model",
                       chunk_bytes);
    return n > 0 ? (int)n : 1;
}

static int add_weight(struct model_problem *mp, const struct plan_weight *weight, int index,
                      struct err *err)
{
    int n = mp->problem.n_weights, chunks;

    chunks = chunks_of(weight->bytes, mp->problem.chunk_bytes, err);
    if (chunks < 0)
        return chunks;
    mp->weight[n] = *weight;
    mp->weight[n].chunks = chunks;
    mp->weight_index[n] = index;
    mp->problem.n_weights = n + 1;
    return 0;
}

static int fill_weights(const struct model *m, struct model_problem *mp, struct err *err)
{
    struct plan_weight bundle = {
        .name = BUNDLE, .consumer = 1, .last_use = 1, .bytes = m->bundle_bytes, .forced = true};
    int rc = 0;

    for (int w = 0; w < m->n_weights; w++) {
        if (m->weight[w].vector && m->weight[w].last + 1 > bundle.last_use)
            bundle.last_use = m->weight[w].last + 1;
    }
    if (bundle.bytes > 0)
        rc = add_weight(mp, &bundle, -1, err);
    for (int w = 0; w < m->n_weights && rc == 0; w++) {
        struct plan_weight k = {
            .name = m->weight[w].name,
            .consumer = m->weight[w].first + 1,
            .last_use = m->weight[w].last + 1,
            .bytes = model_weight_read_bytes(m, w),
            .forced = read_by_gather(m, w),
        };

        if (!m->weight[w].vector)
            rc = add_weight(mp, &k, w, err);
    }
    return rc;
}

static int force_by_name(struct model_problem *mp, const char *name, struct err *err)
{
    for (int w = 0; w < mp->problem.n_weights; w++) {
        if (!strcmp(mp->weight[w].name, name)) {
            mp->weight[w].forced = true;
            return 0;
        }
    }
    return err_set(err, -EINVAL, "preload: '%s' is not a weight of '%s' that can be planned", name,
                   mp->problem.model);
}

static bool same_case(const struct op_case *x, const struct op_case *y)
{
    return x->op == y->op && x->dtype == y->dtype && !memcmp(x->p, y->p, sizeof(x->p));
}

/* Models repeat their layers: ask the regressor once for each case. */
static int fill_capacity(const struct model *m, const struct device_info *dev,
                         const struct predictor *p, enum mem_path path,
                         const struct problem_options *opt, int l, struct model_problem *mp,
                         struct err *err)
{
    const struct op_case *c = &m->layer[l].c;
    struct best b;

    for (int k = 0; k < l; k++) {
        if (same_case(&m->layer[k].c, c)) {
            mp->capacity[l] = mp->capacity[k];
            return 0;
        }
    }
    b = opt->best ? opt->best[l] : best_default(dev, c, path, FORM_PIPELINED);
    return predictor_capacity(p, dev, c, &b.v, &opt->thresholds, &mp->capacity[l], err);
}

/* The regressor's curve in ns; none where the operator was never sampled with load. */
static void fill_curve(const struct capacity *c, struct plan_curve *y, struct plan_layer *layer)
{
    _Static_assert(PLAN_CURVE_POINTS >= CURVE_POINTS + 2, "a curve has room");
    if (c->curve.n < 2 || !(c->latency_ns > 0))
        return;
    y->n = c->curve.n;
    for (int i = 0; i < y->n; i++) {
        y->bytes[i] = c->curve.bytes[i];
        y->ns[i] = c->latency_ns * c->curve.slowdown[i];
    }
    y->most_bytes = c->curve.trained_bytes;
    y->fit_error = c->curve.fit_error;
    layer->curve = y;
}

static double last_slope(const struct plan_curve *y)
{
    int n = y->n;

    return n < 2 || !(y->bytes[n - 1] > y->bytes[n - 2])
               ? 0
               : (y->ns[n - 1] - y->ns[n - 2]) / (y->bytes[n - 1] - y->bytes[n - 2]);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Within a limit on memory weights have to come in time, whatever is known of the kernels before
 * them. What no sample says a layer can carry is moved in front of it, up to the ring: at the slope
 * at which its curve ends, and at least at the median of these slopes. */
static void extend_curves(struct model_problem *mp)
{
    double ring = (double)mp->problem.ring * (double)mp->problem.chunk_bytes, usual;
    double *slope = calloc((size_t)mp->problem.n_layers + 1, sizeof(*slope));
    int n = 0;

    for (int l = 0; slope && l < mp->problem.n_layers; l++)
        if (mp->layer[l].curve)
            slope[n++] = last_slope(mp->layer[l].curve);
    if (n == 0) { /* nothing is known of carrying */
        free(slope);
        return;
    }
    qsort(slope, (size_t)n, sizeof(*slope), by_value);
    usual = slope[n / 2];
    free(slope);
    for (int l = 0; l < mp->problem.n_layers; l++) {
        struct plan_curve *y = &mp->curve[l];

        if (!mp->layer[l].curve)
            *y = (struct plan_curve){.n = 1, .ns = {mp->layer[l].time_us * 1e3}};
        if (y->most_bytes >= ring || y->n > PLAN_CURVE_POINTS - 2)
            continue;
        y->bytes[y->n] = ring;
        y->ns[y->n] =
            y->ns[y->n - 1] + fmax(last_slope(y), usual) * (ring - y->bytes[y->n - 1]);
        y->n++;
        y->most_bytes = ring;
        mp->layer[l].curve = y;
    }
}

/* What a capacity says of a layer. */
static void fill_layer(const struct capacity *c, uint64_t chunk_bytes, struct plan_curve *curve,
                       struct plan_layer *layer)
{
    uint64_t chunks = c->bytes / chunk_bytes;

    layer->capacity = chunks < MAX_CHUNKS ? (int)chunks : MAX_CHUNKS;
    if (c->latency_ns > 0) /* NaN: this operator was never sampled */
        layer->time_us = c->latency_ns / 1e3;
    fill_curve(c, curve, layer);
}

static int fill_layers(const struct model *m, const struct device_info *dev,
                       const struct predictor *p, enum mem_path path,
                       const struct problem_options *opt, struct model_problem *mp, struct err *err)
{
    for (int l = 0; l < m->n_layers; l++) {
        int rc;

        mp->layer[l].name = m->layer[l].name;
        mp->layer[l].op = m->layer[l].c.op->name;
        mp->capacity[l].reason = "no regressor";
        mp->capacity[l].latency_ns = NAN;
        if (opt->direct)
            mp->layer[l].capacity = MAX_CHUNKS;
        if (!p)
            continue;
        rc = fill_capacity(m, dev, p, path, opt, l, mp, err);
        if (rc < 0)
            return err_prefix(err, "layer '%s'", m->layer[l].name);
    }
    return 0;
}

void problem_refresh(struct model_problem *mp)
{
    mp->kernel_ns = 0;
    for (int l = 0; l < mp->problem.n_layers; l++) {
        struct plan_layer *y = &mp->layer[l];

        mp->kernel_ns += mp->capacity[l].latency_ns;
        y->curve = NULL;
        fill_layer(&mp->capacity[l], mp->problem.chunk_bytes, &mp->curve[l], y);
        if (mp->problem.direct) { /* nothing is carried */
            y->capacity = MAX_CHUNKS;
            y->curve = NULL;
        }
    }
    if (mp->problem.m_total > 0 && mp->problem.ring > 0)
        extend_curves(mp);
}

/* ---- splits ---- */

static int split_parts(const struct model *m, const struct device_info *dev,
                       const struct predictor *p, enum mem_path path,
                       const struct problem_options *opt, int l, struct plan_curve curve[2],
                       struct plan_split *s, struct err *err)
{
    struct op_case c[2];
    int rc = model_split_cases(&m->layer[l], c, err);

    for (int k = 0; k < 2 && rc == 0; k++) {
        struct capacity y;
        struct best b;

        s->part[k].op = c[k].op->name;
        if (!p)
            continue;
        b = best_default(dev, &c[k], path, FORM_PIPELINED);
        if (k == 0 && opt->best) /* the same kernel, less its last step */
            b = opt->best[l];
        rc = predictor_capacity(p, dev, &c[k], &b.v, &opt->thresholds, &y, err);
        if (rc == 0)
            fill_layer(&y, opt->chunk_bytes, &curve[k], &s->part[k]);
    }
    return rc < 0 ? err_prefix(err, "layer '%s', split", m->layer[l].name) : rc;
}

/* The one split like this that is there already; models repeat their layers. NULL: none. */
static const struct plan_split *like_split(const struct model *m, const struct model_problem *mp,
                                           int l)
{
    for (int i = 0; i < mp->n_splits; i++)
        if (same_case(&m->layer[mp->split[i].layer - 1].c, &m->layer[l].c))
            return &mp->split[i];
    return NULL;
}

static int add_split(const struct model *m, const struct device_info *dev,
                     const struct predictor *p, enum mem_path path,
                     const struct problem_options *opt, int l, struct model_problem *mp,
                     struct err *err)
{
    const struct plan_split *like = like_split(m, mp, l);
    struct plan_split s = {.layer = l + 1, .whole = m->layer[l].c.op->class == OP_HIERARCHICAL};
    char *name;
    int rc = 0;

    if (like)
        memcpy(s.part, like->part, sizeof(s.part));
    else
        rc = split_parts(m, dev, p, path, opt, l, &mp->split_curve[2 * mp->n_splits], &s, err);
    if (rc < 0)
        return rc;
    if (asprintf(&name, "%s.unfused", m->layer[l].name) < 0)
        return err_set(err, -ENOMEM, "no memory for the splits of '%s'", m->name);
    s.part[0].name = name;
    s.part[1].name = m->layer[l].name;
    mp->split[mp->n_splits++] = s;
    return 0;
}

static int fill_splits(const struct model *m, const struct device_info *dev,
                       const struct predictor *p, enum mem_path path,
                       const struct problem_options *opt, struct model_problem *mp, struct err *err)
{
    size_t n = (size_t)m->n_layers + 1;
    int rc = 0;

    mp->split = calloc(n, sizeof(*mp->split));
    mp->split_curve = calloc(2 * n, sizeof(*mp->split_curve));
    if (!mp->split || !mp->split_curve)
        return err_set(err, -ENOMEM, "no memory for the splits of '%s'", m->name);
    for (int l = 0; l < m->n_layers && rc == 0; l++)
        if (model_can_split(m, l))
            rc = add_split(m, dev, p, path, opt, l, mp, err);
    return rc;
}

/* Folded images have a partly empty last row, which the device allocates too: what that may exceed
 * the weights' chunks by, all weights together. */
static uint64_t image_slack(const struct model *m, enum mem_path path,
                            const struct model_problem *mp)
{
    uint64_t slack = 0;

    for (int i = 0; i < mp->problem.n_weights && path == PATH_IMAGE; i++) {
        const struct plan_weight *k = &mp->weight[i];
        uint64_t have = (uint64_t)k->chunks * mp->problem.chunk_bytes, need;
        int64_t width, height;

        if (mp->weight_index[i] < 0 || read_by_gather(m, mp->weight_index[i]))
            continue;
        tensor_image_size(&m->weight[mp->weight_index[i]].desc, &width, &height);
        need =
            (uint64_t)(width * height) * 4 * dtype_bytes(m->weight[mp->weight_index[i]].desc.dtype);
        slack += need > have ? need - have : 0;
    }
    return slack;
}

static int fill_limits(const struct model *m, enum mem_path path, const struct problem_options *opt,
                       struct model_problem *mp, struct err *err)
{
    uint64_t reserve = opt->reserve_bytes + image_slack(m, path, mp);
    struct plan_problem *p = &mp->problem;

    p->m_peak = opt->m_peak_bytes ? (int64_t)(opt->m_peak_bytes / opt->chunk_bytes) : -1;
    if (!opt->memory_limit)
        return 0;
    if (opt->memory_limit < reserve + opt->chunk_bytes)
        return err_set(err, -ENOSPC,
                       "--memory: '%" PRIu64 "' bytes leave nothing for weights: activations and "
                       "staging take %" PRIu64 ", want more",
                       opt->memory_limit, reserve);
    p->m_total = (int64_t)((opt->memory_limit - reserve) / opt->chunk_bytes);
    return 0;
}

static int fill(const struct model *m, const struct device_info *dev, const struct predictor *p,
                enum mem_path path, const struct problem_options *opt, struct model_problem *mp,
                struct err *err)
{
    size_t layers = (size_t)m->n_layers + 1, weights = (size_t)m->n_weights + 2;
    int rc;

    mp->layer = calloc(layers, sizeof(*mp->layer));
    mp->capacity = calloc(layers, sizeof(*mp->capacity));
    mp->curve = calloc(layers, sizeof(*mp->curve));
    mp->weight = calloc(weights, sizeof(*mp->weight));
    mp->weight_index = calloc(weights, sizeof(*mp->weight_index));
    if (!mp->layer || !mp->capacity || !mp->curve || !mp->weight || !mp->weight_index)
        return err_set(err, -ENOMEM, "no memory for the plan of '%s'", m->name);
    rc = fill_weights(m, mp, err);
    for (int i = 0; i < opt->n_preload && rc == 0; i++)
        rc = force_by_name(mp, opt->preload[i], err);
    if (rc == 0)
        rc = fill_layers(m, dev, p, path, opt, mp, err);
    if (rc == 0 && opt->splits)
        rc = fill_splits(m, dev, p, path, opt, mp, err);
    if (rc == 0)
        rc = fill_limits(m, path, opt, mp, err);
    if (rc == 0 && p)
        problem_refresh(mp);
    return rc;
}

int problem_for_model(const struct model *m, const struct device_info *dev,
                      const struct predictor *p, enum mem_path path,
                      const struct problem_options *opt, struct model_problem *ret_mp,
                      struct err *err)
{
    struct model_problem mp = {0};
    int rc = check_options(opt, err);

    if (rc < 0)
        return rc;
    mp.problem = (struct plan_problem){
        .model = m->name,
        .n_layers = m->n_layers,
        .chunk_bytes = opt->chunk_bytes,
        .price = opt->price,
        .limit = opt->limit,
        .m_peak = -1,
        .max_loads = opt->direct ? 0 : PLAN_MAX_LOADS,
        .respect_capacity = opt->respect_capacity,
        .relax_percent = opt->relax_percent,
        .time_limit_s = opt->time_limit_s,
        .disk_bytes_per_s = opt->disk_bytes_per_s,
        .direct = opt->direct,
        .ring = (int64_t)(opt->ring_bytes / opt->chunk_bytes),
    };
    problem_ratio(opt->lambda, &mp.problem.a, &mp.problem.b);
    rc = fill(m, dev, p, path, opt, &mp, err);
    if (rc < 0) {
        problem_done(&mp);
        return rc;
    }
    mp.problem.layer = mp.layer;
    mp.problem.weight = mp.weight;
    *ret_mp = mp;
    return 0;
}
