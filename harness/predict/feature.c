/* harness/predict/feature.c - see feature.h. */
#include "harness/predict/feature.h"

#include <math.h>
#include <string.h>

static const char *const derived_names[FEATURES_SLOWDOWN - OP_FEATURES] = {
    "log2_flop",          /* 2 macs + ops: intensity's numerator, for all operators alike */
    "log2_moved_bytes",   /* inputs and output; of a gather's table, what is read */
    "log2_items",         /* work items */
    "log2_flop_per_item", /* length of one item */
    "log2_waves",         /* rounds in which the device's compute units take all groups */
    "last_wave",          /* (waves * units) / groups: 1 when no unit idles at the end */
    /* slowdown only */
    "log2_latency_ns",      /* of the base, as the latency regressor predicts it */
    "log2_extra_ratio",     /* load bytes / input bytes */
    "log2_load_bytes",
    "log2_load_per_latency" /* bytes carried per ns of the base: what must be hidden */
};

/* More load never makes a kernel faster: along a curve all three grow. */
const signed char feature_slowdown_monotone[FEATURES_SLOWDOWN] = {
    [FEATURES_SLOWDOWN - 3] = 1, [FEATURES_SLOWDOWN - 2] = 1, [FEATURES_SLOWDOWN - 1] = 1};

const char *const *feature_names(void)
{
    static const char *names[FEATURES_SLOWDOWN];

    memcpy(names, op_feature_names, OP_FEATURES * sizeof(*names));
    memcpy(names + OP_FEATURES, derived_names, sizeof(derived_names));
    return names;
}

double feature_flop(const struct op_case *c)
{
    double macs = 0, ops = 0;

    c->op->cost(c, &macs, &ops);
    return 2 * macs + ops;
}

double feature_moved_bytes(const struct op_case *c)
{
    double bytes = 0, output = (double)op_output_bytes(c);
    bool by_index = false;
    struct op_io io = {0};

    c->op->io(c, &io);
    for (int i = 0; i < io.n; i++)
        by_index |= io.slot[i].role == ROLE_IDS;
    for (int i = 0; i < io.n; i++)
        bytes += by_index && io.slot[i].role == ROLE_WEIGHT
                     ? output
                     : (double)tensor_bytes(&io.slot[i].desc);
    return bytes;
}

static float log2_of(double v)
{
    return v > 0 ? (float)log2(v) : NAN;
}

double feature_waves(const struct device_info *dev, const struct op_variant *v,
                     const struct op_launch *l, double *ret_last)
{
    double units = dev->compute_units ? dev->compute_units : 1, groups = 1, waves;

    for (int i = 0; i < 2; i++)
        groups *= ceil((double)(l->gws[i] ? l->gws[i] : 1) / (v->lws[i] ? v->lws[i] : 1));
    waves = ceil(groups / units);
    *ret_last = waves * units / groups;
    return waves;
}

static int case_features(const struct device_info *dev, const struct op_case *c,
                         const struct op_variant *v, float *x, struct err *err)
{
    struct op_launch launch = {0};
    double items, waves, last;
    int rc;

    rc = c->op->launch(c, v, dev, &launch, err);
    if (rc < 0)
        return rc;
    op_features(c, v, &launch, x);
    items = (double)launch.gws[0] * (double)(launch.gws[1] ? launch.gws[1] : 1);
    waves = feature_waves(dev, v, &launch, &last);
    x[OP_FEATURES] = log2_of(feature_flop(c));
    x[OP_FEATURES + 1] = log2_of(feature_moved_bytes(c));
    x[OP_FEATURES + 2] = log2_of(items);
    x[OP_FEATURES + 3] = log2_of(feature_flop(c) / items);
    x[OP_FEATURES + 4] = log2_of(waves);
    x[OP_FEATURES + 5] = (float)last;
    return 0;
}

struct op_variant feature_base(const struct op_variant *v)
{
    struct op_variant base = *v;

    base.form = FORM_NAIVE;
    base.n_loads = 0;
    return base;
}

int feature_latency(const struct device_info *dev, const struct op_case *c,
                     const struct op_variant *v, float ret_x[FEATURES_LATENCY], struct err *err)
{
    struct op_variant base = feature_base(v);
    float x[FEATURES_LATENCY];
    int rc;

    rc = case_features(dev, c, &base, x, err);
    if (rc < 0)
        return rc;
    memcpy(ret_x, x, sizeof(x));
    return 0;
}

int feature_slowdown(const struct device_info *dev, const struct op_case *c,
                      const struct op_variant *v, double latency_ns, double load_bytes,
                      float ret_x[FEATURES_SLOWDOWN], struct err *err)
{
    float x[FEATURES_SLOWDOWN];
    int rc;

    rc = case_features(dev, c, v, x, err);
    if (rc < 0)
        return rc;
    x[FEATURES_LATENCY] = log2_of(latency_ns);
    x[FEATURES_LATENCY + 1] = log2_of(load_bytes / (double)op_input_bytes(c));
    x[FEATURES_LATENCY + 2] = log2_of(load_bytes);
    x[FEATURES_LATENCY + 3] = log2_of(load_bytes / latency_ns);
    memcpy(ret_x, x, sizeof(x));
    return 0;
}
