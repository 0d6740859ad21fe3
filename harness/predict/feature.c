/* harness/predict/feature.c - see feature.h. */
#include "harness/predict/feature.h"

#include <math.h>
#include <string.h>

#include "harness/samples/sampled.h"

/* Places of the features that follow those of operators. */
enum {
    FLOP = OP_FEATURES,
    MOVED_BYTES,
    ITEMS,
    FLOP_PER_ITEM,
    WAVES,
    LAST_WAVE,
    GROUPS_PER_UNIT,
    GROUP_ITEMS,
    FLOP_PER_GROUP,
    MOVED_PER_GROUP,
    DEPTH,
    FILL,
    PASSES,
    LOCAL_BYTES,
    ALIGN_X,
    ALIGN_Y,
    ALIGN_COLS,
    ODD_PASSES,
    STAGED_BYTES,
    LATENCY_NS, /* slowdown only, from here on */
    EXTRA_RATIO,
    LOAD_BYTES,
    LOAD_PER_LATENCY,
    FEATURES
};
_Static_assert((int)LATENCY_NS == (int)FEATURES_LATENCY && (int)FEATURES == (int)FEATURES_SLOWDOWN,
               "feature.h counts the features");

static const char *const derived_names[FEATURES] = {
    [FLOP] = "log2_flop",                  /* 2 macs + ops: intensity's numerator, for all alike */
    [MOVED_BYTES] = "log2_moved_bytes",    /* inputs, output; of a gather's table, what is read */
    [ITEMS] = "log2_items",                /* work items */
    [FLOP_PER_ITEM] = "log2_flop_per_item", /* length of one item */
    [WAVES] = "log2_waves",                /* rounds in which the compute units take all groups */
    [LAST_WAVE] = "last_wave",             /* (waves * units) / groups: 1 if no unit idles then */
    [GROUPS_PER_UNIT] = "log2_groups_per_unit", /* below 0: units that stay idle */
    [GROUP_ITEMS] = "log2_group_items",    /* work items of a group */
    [FLOP_PER_GROUP] = "log2_flop_per_group",
    [MOVED_PER_GROUP] = "log2_moved_per_group",
    [DEPTH] = "log2_depth",                /* macs behind one element of the output */
    [FILL] = "log2_fill",                  /* results that all tiles hold / results there are */
    [PASSES] = "log2_passes",              /* of a group through its depth, the last one whole */
    [LOCAL_BYTES] = "log2_local_bytes",    /* staged by a group: how many of them a unit takes */
    [ALIGN_X] = "log2_align_x",            /* where rows of the first input begin: texels */
    [ALIGN_Y] = "log2_align_y",            /* the same of the output */
    [ALIGN_COLS] = "log2_align_cols",      /* of what an operator calls its columns, in elements */
    [ODD_PASSES] = "odd_passes",           /* loops unrolled by two, and stages taken in turns */
    [STAGED_BYTES] = "log2_staged_bytes",  /* by all groups together: packed again for each */
    [LATENCY_NS] = "log2_latency_ns",      /* of the base, as the latency regressor predicts it */
    [EXTRA_RATIO] = "log2_extra_ratio",    /* load bytes / input bytes */
    [LOAD_BYTES] = "log2_load_bytes",
    [LOAD_PER_LATENCY] = "log2_load_per_latency" /* bytes carried per ns: what must be hidden */
};

/* More load never makes a kernel faster: along a curve all three grow. */
const signed char feature_slowdown_monotone[FEATURES_SLOWDOWN] = {
    [EXTRA_RATIO] = 1, [LOAD_BYTES] = 1, [LOAD_PER_LATENCY] = 1};

const char *const *feature_names(void)
{
    static const char *names[FEATURES_SLOWDOWN];

    memcpy(names, op_feature_names, OP_FEATURES * sizeof(*names));
    memcpy(names + OP_FEATURES, derived_names + OP_FEATURES,
           (FEATURES - OP_FEATURES) * sizeof(*names));
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
    bool slice = strcmp(c->op->name, "slice") == 0, by_index = false;
    struct op_io io = {0};

    c->op->io(c, &io);
    for (int i = 0; i < io.n; i++)
        by_index |= io.slot[i].role == ROLE_IDS;
    for (int i = 0; i < io.n; i++)
        bytes += slice || (by_index && io.slot[i].role == ROLE_WEIGHT)
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

/* By name: how the features of operators are numbered is theirs. */
static double by_name(const float *x, const char *name)
{
    for (int i = 0; i < OP_FEATURES; i++)
        if (strcmp(op_feature_names[i], name) == 0)
            return (double)x[i];
    return NAN;
}

static double fill(const float *x, double items, double results)
{
    double split = by_name(x, "split");

    return items * by_name(x, "tile_m") * by_name(x, "tile_n") / (split > 1 ? split : 1) / results;
}

/* Attention stages about so many keys at a time. */
enum { KEYS = 32, TEXEL = 4 };

static double positive(double v)
{
    return v >= 1 ? v : 1;
}

/* Depth is walked in whole blocks of what local memory holds: time goes in steps with it. Of products
 * whatever their kernel stages, and of attention, whose depth is its keys. */
static void staging(const struct op_case *c, const struct op_variant *v, double depth, double groups,
                    float *x)
{
    double bk = by_name(x, "tile_k"), split = positive(by_name(x, "split"));
    double bm = v->lws[1] / split * positive(by_name(x, "tile_m"));
    double bn = v->lws[0] * positive(by_name(x, "tile_n")), stage, parts, passes = NAN,
           all = NAN;

    if (bk >= 1) {
        stage = positive(by_name(x, "stages")) * bk * (bm + bn + 2 * TEXEL);
        parts = split > 1 ? split * bm * bn : 0;
        passes = ceil(depth / bk);
        all = groups * depth * (fmin(bm, by_name(x, "y_rows")) + fmin(bn, by_name(x, "y_cols")));
        x[LOCAL_BYTES] = log2_of(sizeof(float) * fmax(stage, parts));
    } else if (strcmp(c->op->name, "attention") == 0) {
        double width = ceil((double)op_param_get(c, "d") / TEXEL) * TEXEL;

        passes = ceil((double)op_param_get(c, "n") / KEYS);
        x[LOCAL_BYTES] = log2_of(sizeof(float) * (bm * width + KEYS * (width + TEXEL)));
    } else {
        x[LOCAL_BYTES] = NAN;
    }
    x[PASSES] = log2_of(passes);
    x[ODD_PASSES] = (float)fmod(passes, 2);
    x[STAGED_BYTES] = log2_of(sizeof(float) * all);
}

/* Beyond so many a row begins where memory is read from in any case. */
#define ALIGNED 64.0

/* The greatest power of two that divides a size, up to ALIGNED; 0 and NaN divide by all. */
static double alignment(double size)
{
    double power = 1;

    while (power < ALIGNED && !(fmod(size, 2 * power) > 0))
        power *= 2;
    return power;
}

static int case_features(const struct device_info *dev, const struct op_case *c,
                         const struct op_variant *v, float *x, struct err *err)
{
    struct op_launch launch = {0};
    double items, waves, last, groups, results, macs = 0, ops = 0;
    int rc;

    rc = c->op->launch(c, v, dev, &launch, err);
    if (rc < 0)
        return rc;
    op_features(c, v, &launch, x);
    c->op->cost(c, &macs, &ops);
    items = (double)launch.gws[0] * (double)(launch.gws[1] ? launch.gws[1] : 1);
    waves = feature_waves(dev, v, &launch, &last);
    x[FLOP] = log2_of(feature_flop(c));
    x[MOVED_BYTES] = log2_of(feature_moved_bytes(c));
    x[ITEMS] = log2_of(items);
    x[FLOP_PER_ITEM] = log2_of(feature_flop(c) / items);
    x[WAVES] = log2_of(waves);
    x[LAST_WAVE] = (float)last;
    groups = waves / last; /* for each unit */
    x[GROUPS_PER_UNIT] = log2_of(groups);
    groups *= dev->compute_units ? dev->compute_units : 1;
    x[GROUP_ITEMS] = log2_of((v->lws[0] ? v->lws[0] : 1) * (v->lws[1] ? v->lws[1] : 1));
    x[FLOP_PER_GROUP] = log2_of(feature_flop(c) / groups);
    x[MOVED_PER_GROUP] = log2_of(feature_moved_bytes(c) / groups);
    results = by_name(x, "y_rows") * by_name(x, "y_cols");
    x[DEPTH] = log2_of(macs / results);
    x[FILL] = log2_of(fill(x, items, results));
    staging(c, v, macs / results, groups, x);
    x[ALIGN_X] = log2_of(alignment(ceil(by_name(x, "x_cols") / TEXEL)));
    x[ALIGN_Y] = log2_of(alignment(ceil(by_name(x, "y_cols") / TEXEL)));
    x[ALIGN_COLS] = log2_of(alignment(by_name(x, "cols")));
    return 0;
}

int feature_latency(const struct device_info *dev, const struct op_case *c,
                     const struct op_variant *v, float ret_x[FEATURES_LATENCY], struct err *err)
{
    struct op_variant base = sampled_base(v);
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
    x[LATENCY_NS] = log2_of(latency_ns);
    x[EXTRA_RATIO] = log2_of(load_bytes / (double)op_input_bytes(c));
    x[LOAD_BYTES] = log2_of(load_bytes);
    x[LOAD_PER_LATENCY] = log2_of(load_bytes / latency_ns);
    memcpy(ret_x, x, sizeof(x));
    return 0;
}
