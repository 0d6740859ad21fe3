/* harness/import/lower/lower_map.c - operators on feature maps: what slides a window, resize. */
#include <string.h>

#include "harness/import/lower/lower.h"
#include "harness/import/shapes/infer.h"

const int64_t lower_channels_last[4] = {0, 2, 3, 1};
const int64_t lower_channels_first[4] = {0, 3, 1, 2};

/* [1,C,L] as [1,C,1,L]. */
static void two_axes(struct view *v)
{
    if (v->rank != 3)
        return;
    v->dim[3] = v->dim[2];
    v->stride[3] = v->stride[2];
    v->dim[2] = v->stride[2] = 1;
    v->rank = 4;
}

/* [N,C,H,W] stored as [N*H*W, C]. */
static struct val channels_in_columns(struct lowering *x, const struct val *a)
{
    struct val last = lower_permuted(a, lower_channels_last);

    return lower_ordered(x, lower_solid(x, last), 1);
}

static struct val one_map_in(struct lowering *x, const struct ir_node *n)
{
    struct val a = lower_stored(x, n);

    two_axes(&a.v);
    if (a.v.rank != 4 || a.v.dim[0] != 1)
        lower_give_up(x, "want one feature map, a batch of 1");
    return channels_in_columns(x, &a);
}

static struct val maps_in(struct lowering *x, const struct ir_node *n)
{
    struct val a = lower_stored(x, n);

    if (a.v.rank != 4)
        lower_give_up(x, "want a feature map, four axes");
    return channels_in_columns(x, &a);
}

/* The output [N,C,H,W], or [N,C,L], of a kernel that made [N*H*W, C]. */
static void map_out(struct lowering *x, const struct ir_node *n)
{
    const struct shape *s = &x->g->tensor[n->out[0]].shape;
    struct shape stored = {
        4, {s->dim[0], s->rank == 4 ? s->dim[2] : 1, s->dim[s->rank - 1], s->dim[1]}};
    struct view v = view_dense(&stored);

    v = view_permute(&v, lower_channels_first);
    if (s->rank == 3) {
        v.dim[2] = v.dim[3];
        v.stride[2] = v.stride[3];
        v.rank = 3;
    }
    lower_out(x, n, &v);
}

/* ---- convolutions ---- */

static struct ref bias_of(struct lowering *x, const struct ir_node *n, int64_t cout)
{
    struct val b = lower_in(x, n, 2);

    if (b.kind != VAL_CONST || view_elements(&b.v) != cout)
        lower_give_up(x, "its bias is not constant");
    return low_weight_new(x->l, x->g->tensor[b.tensor].name, true, 1, cout, cout, b.tensor, &b.v);
}

/* Zeros around a map where a kernel's own padding, the same on both sides, does not do. */
static struct val padded(struct lowering *x, struct val a, const int64_t *begin, const int64_t *end)
{
    int64_t h = a.v.dim[1], w = a.v.dim[2], c = a.v.dim[3];
    struct shape s = {4, {1, h + begin[0] + end[0], w + begin[1] + end[1], c}};
    struct low_node *low =
        low_new(x->l, lower_name(x, "pad"), "pad", s.dim[1] * s.dim[2], c);
    struct view v = view_dense(&s);

    low_int(low, "h", h);
    low_int(low, "w", w);
    low_int(low, "c", c);
    low_int(low, "top", begin[0]);
    low_int(low, "bottom", end[0]);
    low_int(low, "left", begin[1]);
    low_int(low, "right", end[1]);
    low_in(low, a.ref);
    return lower_last(x, &v);
}

/* Spatial sizes as two: a map of one axis has height 1. */
static void window_of(struct lowering *x, const struct ir_node *n, struct window *w)
{
    const struct shape *in = &x->g->tensor[n->in[0]].shape;
    const struct shape *weight = &x->g->tensor[n->in[1]].shape;

    infer_window(x->g, n, in->dim + 2, in->rank - 2, weight->dim + 2, w);
    if (w->n == 1) {
        for (int64_t *p[] = {w->kernel, w->stride, w->dil, w->begin, w->end, w->out}, **q = p;
             q < p + 6; q++) {
            (*q)[1] = (*q)[0];
            (*q)[0] = *q == w->begin || *q == w->end ? 0 : 1;
        }
        w->n = 2;
    }
}

static void two_ints(struct low_node *low, const char *key, const char *key_w, const int64_t v[2])
{
    low_int(low, key, v[0]);
    if (v[1] != v[0])
        low_int(low, key_w, v[1]);
}

/* What conv2d and deconv2d say of their map and filter. */
static struct low_node *windowed(struct lowering *x, const char *op, const struct val *a,
                                 const struct window *w, int64_t cout)
{
    struct low_node *low = low_new(x->l, x->name, op, w->out[0] * w->out[1], cout);

    low_int(low, "h", a->v.dim[1]);
    low_int(low, "w", a->v.dim[2]);
    low_int(low, "cin", a->v.dim[3]);
    low_int(low, "cout", cout);
    low_int(low, "r", w->kernel[0]);
    low_int(low, "s", w->kernel[1]);
    low_in(low, a->ref);
    return low;
}

/* A 1x1 convolution is a product with rows in any order and number. */
static bool is_pointwise(const struct ir_node *n, const struct window *w)
{
    return w->kernel[0] * w->kernel[1] == 1 && w->stride[0] * w->stride[1] == 1 &&
           w->begin[0] + w->begin[1] + w->end[0] + w->end[1] == 0 && ir_int(n, "group", 1) == 1;
}

/* The constant weight [a, b, r, s] with axes in another order; `inner` is its last axis then. */
static struct ref filter(struct lowering *x, const struct ir_node *n, const int64_t *perm,
                         int64_t rows)
{
    struct val w = lower_in(x, n, 1);
    struct view v;

    if (w.kind != VAL_CONST)
        lower_give_up(x, "its weight is not constant");
    two_axes(&w.v);
    v = view_permute(&w.v, perm);
    return low_weight_new(x->l, x->g->tensor[w.tensor].name, false, rows, view_elements(&v) / rows,
                          v.dim[3], w.tensor, &v);
}

/* The end of a convolution: its weights, and the output. */
static void map_filtered(struct lowering *x, const struct ir_node *n, struct low_node *low,
                         const int64_t *perm)
{
    bool bias = n->n_in > 2 && n->in[2] >= 0;

    low_int(low, "bias", bias);
    low_in(low, filter(x, n, perm, low->cols));
    if (bias)
        low_in(low, bias_of(x, n, low->cols));
    map_out(x, n);
}

void lower_conv(struct lowering *x, const struct ir_node *n)
{
    int64_t cout = x->g->tensor[n->out[0]].shape.dim[1], groups = ir_int(n, "group", 1);
    struct val a;
    struct window w;
    struct low_node *low;

    window_of(x, n, &w);
    a = one_map_in(x, n);
    if (w.begin[0] != w.end[0] || w.begin[1] != w.end[1]) {
        a = padded(x, a, w.begin, w.end);
        memset(w.begin, 0, sizeof(w.begin));
        memset(w.end, 0, sizeof(w.end));
    }
    if (is_pointwise(n, &w)) {
        low = lower_product(x, &a, cout, true, "weight");
    } else {
        low = windowed(x, "conv2d", &a, &w, cout);
        two_ints(low, "stride", "stride_w", w.stride);
        two_ints(low, "pad", "pad_w", w.begin);
        two_ints(low, "dil", "dil_w", w.dil);
        low_int(low, "groups", groups);
    }
    map_filtered(x, n, low, lower_channels_last);
}

void lower_deconv(struct lowering *x, const struct ir_node *n)
{
    static const int64_t order[4] = {1, 2, 3, 0}; /* [cin, cout, r, s] to [cout, r, s, cin] */
    int64_t cout = x->g->tensor[n->out[0]].shape.dim[1], outpad;
    struct window w;
    struct val a;
    struct low_node *low;

    window_of(x, n, &w);
    if (ir_int(n, "group", 1) != 1 || w.stride[0] != w.stride[1] || w.dil[0] * w.dil[1] != 1 ||
        w.begin[0] != w.begin[1] || w.begin[0] > w.kernel[0] - 1)
        lower_give_up(x, "want one group, no dilation, and the same stride and pad both ways");
    a = one_map_in(x, n);
    /* what the far end is short of or exceeds the usual size by */
    outpad = w.out[0] - ((a.v.dim[1] - 1) * w.stride[0] - 2 * w.begin[0] + w.kernel[0]);
    if (outpad < 0 ||
        outpad != w.out[1] - ((a.v.dim[2] - 1) * w.stride[0] - 2 * w.begin[0] + w.kernel[1]))
        lower_give_up(x, "want the same stride and pad both ways");
    low = windowed(x, "deconv2d", &a, &w, cout);
    low_int(low, "stride", w.stride[0]);
    low_int(low, "pad", w.begin[0]);
    low_int(low, "outpad", outpad);
    map_filtered(x, n, low, order);
}

/* ---- resize and pooling ---- */

static bool whole_times(int64_t out, int64_t in)
{
    return out % in == 0;
}

void lower_resize(struct lowering *x, const struct ir_node *n)
{
    const struct shape *s = &x->g->tensor[n->out[0]].shape;
    const char *mode = ir_string(n, "mode", "nearest");
    const char *coord = ir_string(n, "coordinate_transformation_mode", "half_pixel");
    const char *round = ir_string(n, "nearest_mode", "round_prefer_floor");
    bool nearest = strcmp(mode, "nearest") == 0;
    struct val a = maps_in(x, n);
    int64_t h = a.v.dim[1], w = a.v.dim[2], c = a.v.dim[3];
    struct low_node *low;

    if (a.v.dim[0] != 1 || s->dim[1] != c)
        lower_give_up(x, "want one feature map with its channels kept");
    if (ir_int(n, "antialias", 0) || (!nearest && strcmp(mode, "linear") != 0))
        lower_give_up(x, "want mode nearest, or linear without antialias");
    if (strcmp(coord, "pytorch_half_pixel") == 0 && s->dim[2] > 1 && s->dim[3] > 1)
        coord = "half_pixel";
    if (nearest && whole_times(s->dim[2], h) && whole_times(s->dim[3], w) &&
        strcmp(coord, "align_corners") != 0 && strcmp(round, "ceil") != 0 &&
        !(strcmp(round, "floor") == 0 && strcmp(coord, "half_pixel") == 0))
        coord = "asymmetric"; /* each pixel becomes a block, however that is put */
    else if (nearest && !(strcmp(coord, "asymmetric") == 0 && strcmp(round, "floor") == 0) &&
             !(strcmp(coord, "asymmetric") != 0 && strcmp(round, "round_prefer_floor") == 0))
        lower_give_up(x, "nearest_mode %s with %s coordinates", round, coord);
    if (strcmp(coord, "half_pixel") != 0 && strcmp(coord, "align_corners") != 0 &&
        strcmp(coord, "asymmetric") != 0)
        lower_give_up(x, "%s coordinates", coord);
    low = low_new(x->l, x->name, "resize", s->dim[2] * s->dim[3], c);
    low_int(low, "h", h);
    low_int(low, "w", w);
    low_int(low, "c", c);
    low_int(low, "oh", s->dim[2]);
    low_int(low, "ow", s->dim[3]);
    low_choice(low, "kind", nearest ? "nearest" : "bilinear");
    low_choice(low, "coord", coord);
    low_in(low, a.ref);
    map_out(x, n);
}

/* Rows of zeros below each of several maps, so that the height is a multiple of the stride. */
static struct val evened(struct lowering *x, struct val a, int64_t stride)
{
    int64_t more = (stride - a.v.dim[1] % stride) % stride, w = a.v.dim[2];
    struct shape s = {4, {a.v.dim[0], a.v.dim[1] + more, w, a.v.dim[3]}};
    struct low_node *low;
    struct view v = view_dense(&s);

    if (more == 0)
        return a;
    low = low_new(x->l, lower_name(x, "pad"), "pad", s.dim[0] * s.dim[1] * w,
                  a.cols);
    low_int(low, "h", a.v.dim[0]);
    low_int(low, "w", a.v.dim[1] * w);
    low_int(low, "c", a.cols);
    low_int(low, "right", more * w);
    low_in(low, a.ref);
    return lower_last(x, &v);
}

/* Several maps below each other are one tall map if windows neither overlap nor cross from map to
 * map. */
void lower_pool(struct lowering *x, const struct ir_node *n)
{
    const struct ir_attr *kernel = ir_int_list(n, "kernel_shape");
    struct val a = maps_in(x, n);
    int64_t maps = a.v.dim[0], h = a.v.dim[1], c = a.v.dim[3], made;
    int64_t in[2] = {h, a.v.dim[2]};
    struct window w;
    struct shape stored;
    struct low_node *low;
    struct view v;

    infer_window(x->g, n, in, 2, kernel->ints, &w);
    made = w.out[0];
    if (w.begin[0] != w.begin[1] || w.stride[0] != w.stride[1] || w.dil[0] * w.dil[1] != 1 ||
        w.out[0] != (h + 2 * w.begin[0] - w.kernel[0]) / w.stride[0] + 1 ||
        w.out[1] != (in[1] + 2 * w.begin[0] - w.kernel[1]) / w.stride[0] + 1)
        lower_give_up(x, "want the same stride and padding on all sides");
    if (maps > 1 && (w.kernel[0] != w.stride[0] || w.begin[0] != 0))
        lower_give_up(x, "want one feature map, a batch of 1");
    if (n->n_out > 1 && n->out[1] >= 0)
        lower_give_up(x, "want no output but the first");
    if (maps > 1) {
        a = evened(x, a, w.stride[0]);
        h = a.v.dim[1];
        made = h / w.stride[0];
    }
    low = low_new(x->l, x->name, "pool2d", maps * made * w.out[1], c);
    low_int(low, "h", maps * h);
    low_int(low, "w", in[1]);
    low_int(low, "c", c);
    low_choice(low, "kind", ir_is(n, "MaxPool") ? "max" : "avg");
    low_int(low, "r", w.kernel[0]);
    low_int(low, "s", w.kernel[1]);
    low_int(low, "stride", w.stride[0]);
    low_int(low, "pad", w.begin[0]);
    if (ir_is(n, "AveragePool") && ir_int(n, "count_include_pad", 0))
        low_int(low, "count_pad", 1);
    low_in(low, a.ref);
    stored = (struct shape){4, {maps, made, w.out[1], c}};
    v = view_dense(&stored);
    v.dim[1] = w.out[0]; /* rows made of zeros are not looked at */
    v = view_permute(&v, lower_channels_first);
    lower_out(x, n, &v);
}
