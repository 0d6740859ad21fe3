#include "harness/replay/prediction.h"

#include <math.h>
#include <stdlib.h>

#include "harness/schedule/keep.h"
#include "harness/replay/run.h"

/* ---- time ---- */

uint64_t prediction_load_bytes(const struct executor *ex, const struct schedule *s, int l)
{
    int end = s->first_of_layer[l + 2];
    uint64_t bytes = 0;

    for (int i = end - executor_carried(ex, s, l); i < end && !s->direct; i++)
        bytes += s->item[i].bytes;
    return bytes;
}

struct prediction_speed prediction_speed_now(const struct recorded_speed *then, double bytes,
                                             double disk_ns, double kernel_ns, bool natural)
{
    return (struct prediction_speed){
        .disk_bytes_per_s = bytes / disk_ns * 1e9,
        .move_ns_per_byte = recorded_move_ns_per_byte(natural ? &then->natural : &then->preload,
                                                      disk_ns / bytes),
        .carry_ns_per_byte = recorded_move_ns_per_byte(&then->preload, 0),
        .kernel = then->kernel_ns > 0 ? kernel_ns / then->kernel_ns : 1,
    };
}

double prediction_layer_ns(const struct executor *ex, const struct schedule *s,
                           const struct model_problem *mp, const struct prediction_speed *speed,
                           int l)
{
    const struct capacity *known = mp->recorded ? mp->recorded : mp->capacity;
    const struct capacity *c = known ? &known[l] : NULL;
    double bytes = (double)prediction_load_bytes(ex, s, l);

    if (!c || !(c->latency_ns >= 0)) /* 0: made in place */
        return NAN;
    if (c->curve.n >= 2)
        return c->latency_ns * speed->kernel * (bytes > 0 ? load_curve_at(&c->curve, bytes) : 1);
    if (c->recorded_ns_per_byte > 0)
        return (c->latency_ns + bytes * c->recorded_ns_per_byte) * speed->kernel;
    return c->latency_ns * speed->kernel + bytes * speed->carry_ns_per_byte;
}

double prediction_run_ns(const struct executor *ex, const struct schedule *s,
                         const struct model_problem *mp, const struct prediction_speed *speed)
{
    size_t n = (size_t)s->n_layers;
    double *ns = calloc(n, sizeof(*ns)), y = NAN;
    int *carried = calloc(n, sizeof(*carried));
    struct keep_machine k = {
        .layer_ns = ns,
        .disk_bytes_per_s = speed->disk_bytes_per_s,
        .move_ns_per_byte = speed->move_ns_per_byte,
        .carried = carried,
    };
    bool known = ns && carried;

    for (int l = 0; known && l < s->n_layers; l++) {
        ns[l] = prediction_layer_ns(ex, s, mp, speed, l);
        carried[l] = s->direct ? 0 : executor_carried(ex, s, l);
        known = !isnan(ns[l]);
    }
    if (known)
        y = keep_simulate_ns(s, &k, false, NULL);
    free(ns);
    free(carried);
    return y;
}

/* ---- memory: run.c's ledger, without a device ---- */

struct shape {
    struct tensor_desc desc;
    enum mem_path path;
};

/* Idle tensors, as struct tensor_pool has them. */
struct shelf {
    struct shape *shape; /* [as many as there can be tensors] */
    int n;
};

struct ledger {
    const struct executor *ex;
    const struct schedule *s;
    struct shelf acts, weights;
    bool *there; /* [n_weights + 1] */
    struct flight flight[EXECUTOR_FLIGHTS];
    int n_flights, retired;
    uint64_t live, most;
};

static struct shape weight_shape(const struct ledger *y, int w)
{
    return (struct shape){executor_weight_desc(y->ex, w),
                          w == y->ex->m->n_weights ? PATH_BUFFER : y->ex->opt.path};
}

static struct shape output_shape(const struct ledger *y, int l)
{
    const struct op_io *io = &y->ex->m->layer[l].io;

    return (struct shape){io->slot[io->n - 1].desc, y->ex->opt.path};
}

static void book_tensor(struct ledger *y, struct shelf *shelf, struct shape want)
{
    for (int i = shelf->n - 1; i >= 0; i--)
        if (shelf->shape[i].path == want.path &&
            tensor_desc_equal(&shelf->shape[i].desc, &want.desc)) {
            shelf->shape[i] = shelf->shape[--shelf->n];
            return;
        }
    y->live += tensor_device_bytes(&want.desc, want.path);
    y->most = y->live > y->most ? y->live : y->most;
}

static bool shape_comes(const struct ledger *y, struct shape gone)
{
    for (int i = y->retired; i < y->s->n_items; i++) {
        const struct item *it = &y->s->item[i];
        struct shape next;

        if (it->weight < 0 || y->there[it->weight] || it->weight_byte != 0)
            continue;
        next = weight_shape(y, it->weight);
        if (tensor_desc_equal(&next.desc, &gone.desc))
            return true;
    }
    return false;
}

static void retire(struct ledger *y)
{
    const struct model *m = y->ex->m;
    struct flight f = y->flight[0];

    for (int i = 1; i < y->n_flights; i++)
        y->flight[i - 1] = y->flight[i];
    y->n_flights--;
    y->retired = f.end_item > y->retired ? f.end_item : y->retired;
    for (int w = 0; f.layer > 0 && w < m->n_weights; w++) {
        struct shape gone = weight_shape(y, w);

        if (!y->there[w] || m->weight[w].vector || m->weight[w].last != f.layer - 1)
            continue;
        y->there[w] = false;
        if (shape_comes(y, gone))
            y->weights.shape[y->weights.n++] = gone;
        else
            y->live -= tensor_device_bytes(&gone.desc, gone.path);
    }
}

static void book_item(struct ledger *y, int i)
{
    const struct item *it = &y->s->item[i];
    int w = it->weight < 0 ? y->ex->m->n_weights : it->weight;

    if (!y->there[w])
        book_tensor(y, &y->weights, weight_shape(y, w));
    y->there[w] = true;
    while (y->n_flights > 0 && it->ring_pos + it->read_bytes -
                                       y->s->item[y->retired < i ? y->retired : i].ring_pos >
                                   y->s->ring_bytes)
        retire(y);
}

static void launch(struct ledger *y, int layer, int end_item)
{
    if (y->n_flights == EXECUTOR_FLIGHTS)
        retire(y);
    y->flight[y->n_flights++] = (struct flight){.layer = layer, .end_item = end_item};
}

static void book_moves(struct ledger *y, int first, int end)
{
    for (int at = first; at < end;) {
        bool bundle = y->s->item[at].weight < 0;
        int n = 1;

        while (!bundle && n < OP_MAX_LOADS && at + n < end && y->s->item[at + n].weight >= 0)
            n++;
        for (int i = at; i < at + n; i++)
            book_item(y, i);
        at += n;
        launch(y, FLIGHT_MOVE, at);
    }
}

static void book_layer(struct ledger *y, int l)
{
    const struct layer *layer = &y->ex->m->layer[l];
    int first = y->s->first_of_layer[l + 1], end = y->s->first_of_layer[l + 2];
    int n = executor_carried(y->ex, y->s, l);

    book_tensor(y, &y->acts, output_shape(y, l));
    book_moves(y, first, end - n);
    for (int i = end - n; i < end; i++)
        book_item(y, i);
    for (int i = 0; i < layer->io.n - 1; i++) {
        int from = layer->source[i].index;
        bool again = layer->source[i].kind != SOURCE_LAYER;

        for (int k = 0; k < i && !again; k++)
            again = layer->source[k].kind == SOURCE_LAYER && layer->source[k].index == from;
        if (!again && y->ex->m->layer[from].last_use == l)
            y->acts.shape[y->acts.n++] = output_shape(y, from);
    }
    launch(y, l + 1, end);
}

uint64_t prediction_peak_bytes(const struct executor *ex, const struct schedule *s)
{
    const struct model *m = ex->m;
    struct ledger y = {.ex = ex, .s = s, .live = executor_fixed_bytes(ex, s)};
    uint64_t limit = ex->opt.memory_limit;

    if (s->natural)
        return 0;
    if (s->direct)
        return y.live;
    y.acts.shape = calloc((size_t)m->n_layers + 1, sizeof(struct shape));
    y.weights.shape = calloc((size_t)m->n_weights + 1, sizeof(struct shape));
    y.there = calloc((size_t)m->n_weights + 1, sizeof(bool));
    if (y.acts.shape && y.weights.shape && y.there) {
        y.live += activations_input_bytes(m, ex->opt.path);
        book_moves(&y, 0, s->first_of_layer[1]);
        for (int l = 0; l < m->n_layers; l++)
            book_layer(&y, l);
    } else {
        y.most = UINT64_MAX;
    }
    free(y.acts.shape);
    free(y.weights.shape);
    free(y.there);
    return limit && y.most > limit ? limit : y.most; /* there the pools are cleared */
}
