/* harness/import/shapes/infer_window.c - what slides a window over one or two axes. */
#include <string.h>

#include "harness/import/shapes/rule.h"

static void attr_list(struct ir *g, const struct ir_node *n, const char *name, int count,
                      int64_t def, int64_t *ret)
{
    const struct ir_attr *a = ir_int_list(n, name);

    for (int i = 0; i < count; i++)
        ret[i] = def;
    if (!a || a->n == 0)
        return;
    if (a->n != count)
        infer_fail(g, n, "an attribute has another number of values than there are axes");
    for (int i = 0; i < count; i++) {
        ret[i] = a->ints[i];
        if (ret[i] < 0 || ret[i] > 1 << 20)
            infer_fail(g, n, "an attribute is out of range");
    }
}

static void auto_pad(const char *how, int64_t in, struct window *w, int i)
{
    int64_t span = (w->kernel[i] - 1) * w->dil[i] + 1;
    int64_t out = (in + w->stride[i] - 1) / w->stride[i];
    int64_t need = (out - 1) * w->stride[i] + span - in;

    if (strncmp(how, "SAME", 4) != 0)
        return;
    need = need < 0 ? 0 : need;
    w->begin[i] = strcmp(how, "SAME_LOWER") == 0 ? (need + 1) / 2 : need / 2;
    w->end[i] = need - w->begin[i];
}

void infer_window(struct ir *g, const struct ir_node *n, const int64_t *in, int rank,
                  const int64_t *kernel, struct window *ret)
{
    const char *how = ir_string(n, "auto_pad", "NOTSET");
    bool ceil_mode = ir_int(n, "ceil_mode", 0) != 0;
    int64_t pads[8], outpad[4];
    struct window w = {.n = rank};

    if (rank < 1 || rank > 2)
        infer_fail(g, n, "want one or two spatial axes");
    memcpy(w.kernel, kernel, (size_t)rank * sizeof(*kernel));
    attr_list(g, n, "strides", rank, 1, w.stride);
    attr_list(g, n, "dilations", rank, 1, w.dil);
    attr_list(g, n, "pads", 2 * rank, 0, pads);
    attr_list(g, n, "output_padding", rank, 0, outpad);
    for (int i = 0; i < rank; i++) {
        int64_t room, span = (w.kernel[i] - 1) * w.dil[i] + 1;

        if (w.kernel[i] < 1 || w.kernel[i] > 1 << 20 || w.stride[i] < 1 || w.dil[i] < 1)
            infer_fail(g, n, "kernel, stride and dilation want 1 or more");
        w.begin[i] = pads[i];
        w.end[i] = pads[i + rank];
        auto_pad(how, in[i], &w, i);
        if (ir_is(n, "ConvTranspose")) {
            w.out[i] = (in[i] - 1) * w.stride[i] + span + outpad[i] - w.begin[i] - w.end[i];
        } else {
            room = in[i] + w.begin[i] + w.end[i] - span;
            if (room < 0)
                infer_fail(g, n, "its window is larger than its input");
            w.out[i] = (room + (ceil_mode ? w.stride[i] - 1 : 0)) / w.stride[i] + 1;
        }
        if (w.out[i] < 1)
            infer_fail(g, n, "its output has no elements");
    }
    *ret = w;
}

void infer_convolution(struct ir *g, struct ir_node *n)
{
    const struct shape *x = &ir_in(g, n, 0)->shape;
    struct ir_tensor *w = ir_in(g, n, 1);
    bool up = ir_is(n, "ConvTranspose");
    int64_t groups = ir_int(n, "group", 1), in, out;
    struct window win;
    struct shape s = {.rank = x->rank};

    if (!w || w->shape.rank != x->rank || x->rank < 3 || x->rank > 4)
        infer_fail(g, n, "want input and weight of three or four axes");
    in = w->shape.dim[!up]; /* [cout, cin / groups, ..]; upwards [cin, cout / groups, ..] */
    out = w->shape.dim[up];
    if (groups < 1 || out < 1 || x->dim[1] % groups || in != x->dim[1] / (up ? 1 : groups) ||
        (!up && out % groups))
        infer_fail(g, n, "its weight does not fit the channels of its input");
    infer_window(g, n, x->dim + 2, x->rank - 2, w->shape.dim + 2, &win);
    s.dim[0] = x->dim[0];
    s.dim[1] = up ? out * groups : out;
    memcpy(s.dim + 2, win.out, (size_t)win.n * sizeof(win.out[0]));
    infer_set(g, n, 0, ELEM_FLOAT, &s);
}

void infer_pooling(struct ir *g, struct ir_node *n)
{
    const struct shape *x = &ir_in(g, n, 0)->shape;
    int64_t kernel[4];
    struct window win;
    struct shape s = *x;

    if (x->rank < 3 || x->rank > 4)
        infer_fail(g, n, "want an input of three or four axes");
    attr_list(g, n, "kernel_shape", x->rank - 2, 0, kernel);
    infer_window(g, n, x->dim + 2, x->rank - 2, kernel, &win);
    memcpy(s.dim + 2, win.out, (size_t)win.n * sizeof(win.out[0]));
    infer_set(g, n, 0, ELEM_FLOAT, &s);
}
