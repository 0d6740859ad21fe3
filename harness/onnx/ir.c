#include "harness/onnx/ir.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "operators/tensor.h"

size_t raw_bytes(enum raw raw)
{
    static const size_t bytes[] = {
        [RAW_F32] = 4, [RAW_F64] = 8, [RAW_F16] = 2, [RAW_BF16] = 2, [RAW_I8] = 1,  [RAW_U8] = 1,
        [RAW_I16] = 2, [RAW_U16] = 2, [RAW_I32] = 4, [RAW_U32] = 4,  [RAW_I64] = 8, [RAW_U64] = 8};

    return bytes[raw];
}

/* ---- shapes ---- */

int64_t shape_elements(const struct shape *s)
{
    int64_t n = 1;

    for (int i = 0; i < s->rank; i++)
        n *= s->dim[i];
    return n;
}

bool shape_same(const struct shape *a, const struct shape *b)
{
    return a->rank == b->rank && memcmp(a->dim, b->dim, (size_t)a->rank * sizeof(a->dim[0])) == 0;
}

const char *shape_text(struct arena *a, const struct shape *s)
{
    char text[24 * IR_MAX_RANK + 3] = "[";
    int n = 1;

    for (int i = 0; i < s->rank; i++)
        n += snprintf(text + n, sizeof(text) - (size_t)n, "%s%" PRId64, i ? "," : "", s->dim[i]);
    snprintf(text + n, sizeof(text) - (size_t)n, "]");
    return arena_text(a, text, strlen(text));
}

int shape_axis(const struct shape *s, int64_t axis)
{
    if (axis < -s->rank || axis >= s->rank)
        return -1;
    return (int)(axis < 0 ? axis + s->rank : axis);
}

/* ---- tensors ---- */

int ir_tensor_new(struct ir *g, const char *name)
{
    g->tensor = arena_grow(g->a, g->tensor, (size_t)g->n_tensors, sizeof(*g->tensor));
    g->tensor[g->n_tensors] = (struct ir_tensor){.name = name, .producer = -1};
    return g->n_tensors++;
}

int ir_constant(struct ir *g, const char *name, enum elem elem, const struct shape *s,
                void **ret_data)
{
    int i = ir_tensor_new(g, name);
    size_t size = elem == ELEM_FLOAT ? sizeof(float) : sizeof(int64_t);
    void *data = arena_alloc(g->a, (size_t)shape_elements(s) + 1, size);

    g->tensor[i] = (struct ir_tensor){.name = name,
                                      .elem = elem,
                                      .known = true,
                                      .shape = *s,
                                      .data = data,
                                      .producer = -1,
                                      .raw = elem == ELEM_FLOAT ? RAW_F32 : RAW_I64};
    *ret_data = data;
    return i;
}

int ir_scalar(struct ir *g, double v)
{
    struct shape s = {0};
    void *data;
    int t = ir_constant(g, "scalar", ELEM_FLOAT, &s, &data);

    *(float *)data = (float)v;
    return t;
}

int ir_ints(struct ir *g, int n, const int64_t *v)
{
    struct shape s = {1, {n}};
    void *data;
    int t = ir_constant(g, "ints", ELEM_INT, &s, &data);

    if (n)
        memcpy(data, v, (size_t)n * sizeof(*v));
    return t;
}

static float bf16_to_float(uint16_t b)
{
    uint32_t bits = (uint32_t)b << 16;
    float f;

    memcpy(&f, &bits, sizeof(f));
    return f;
}

double ir_at(const struct ir_tensor *t, int64_t i)
{
    const char *p = (const char *)t->data + (size_t)i * raw_bytes(t->raw);
    union {
        float f;
        double d;
        int8_t i8;
        uint8_t u8;
        int16_t i16;
        uint16_t u16;
        int32_t i32;
        uint32_t u32;
        int64_t i64;
        uint64_t u64;
    } v;

    memcpy(&v, p, raw_bytes(t->raw));
    switch (t->raw) {
    case RAW_F32:
        return (double)v.f;
    case RAW_F64:
        return v.d;
    case RAW_F16:
        return (double)half_to_float(v.u16);
    case RAW_BF16:
        return (double)bf16_to_float(v.u16);
    case RAW_I8:
        return v.i8;
    case RAW_U8:
        return v.u8;
    case RAW_I16:
        return v.i16;
    case RAW_U16:
        return v.u16;
    case RAW_I32:
        return v.i32;
    case RAW_U32:
        return v.u32;
    case RAW_I64:
        return (double)v.i64;
    case RAW_U64:
        return (double)v.u64;
    }
    return 0;
}

bool ir_const(const struct ir *g, int tensor)
{
    return tensor >= 0 && g->tensor[tensor].data;
}

bool ir_uniform(const struct ir *g, int tensor, double *ret_v)
{
    int64_t n;
    double v;

    if (!ir_const(g, tensor))
        return false;
    n = shape_elements(&g->tensor[tensor].shape);
    if (n < 1)
        return false;
    v = ir_at(&g->tensor[tensor], 0);
    for (int64_t i = 1; i < n; i++)
        if (ir_at(&g->tensor[tensor], i) != v)
            return false;
    *ret_v = v;
    return true;
}

static int64_t whole(double v)
{
    return v >= 0x1p62 ? INT64_MAX / 2 : v <= -0x1p62 ? -(INT64_MAX / 2) : (int64_t)v;
}

int ir_list(const struct ir *g, int tensor, int max, int64_t *ret_v)
{
    int64_t n;

    if (!ir_const(g, tensor))
        return -1;
    n = shape_elements(&g->tensor[tensor].shape);
    if (n > max)
        return -1;
    for (int64_t i = 0; i < n; i++)
        ret_v[i] = whole(ir_at(&g->tensor[tensor], i));
    return (int)n;
}

/* ---- nodes ---- */

struct ir_node *ir_node_new(struct ir *g, const char *name, const char *op, int n_in, const int *in,
                            int n_out, const int *out)
{
    struct ir_node *n;

    g->node = arena_grow(g->a, g->node, (size_t)g->n_nodes, sizeof(*g->node));
    n = &g->node[g->n_nodes];
    *n = (struct ir_node){.name = name, .op = op, .domain = "", .n_in = n_in, .n_out = n_out};
    n->in = NEWS(g->a, n_in, int);
    n->out = NEWS(g->a, n_out, int);
    if (n_in)
        memcpy(n->in, in, (size_t)n_in * sizeof(*in));
    for (int i = 0; i < n_out; i++) {
        n->out[i] = out[i];
        if (out[i] >= 0)
            g->tensor[out[i]].producer = g->n_nodes;
    }
    g->n_nodes++;
    return n;
}

void ir_node_become(struct ir *g, int index, const char *op, int n_in, const int *in)
{
    struct ir_node *n = &g->node[index];
    int *copy = NEWS(g->a, n_in, int);

    memcpy(copy, in, (size_t)n_in * sizeof(*in));
    n->op = op;
    n->domain = "";
    n->n_in = n_in;
    n->in = copy;
    n->n_attrs = 0;
    n->attr = NULL;
}

static struct ir_attr *new_attr(struct ir *g, struct ir_node *n, const char *name,
                                enum attr_type type)
{
    n->attr = arena_grow(g->a, n->attr, (size_t)n->n_attrs, sizeof(*n->attr));
    n->attr[n->n_attrs] = (struct ir_attr){.name = name, .type = type, .tensor = -1};
    return &n->attr[n->n_attrs++];
}

void ir_attr_int(struct ir *g, struct ir_node *n, const char *name, int64_t v)
{
    new_attr(g, n, name, ATTR_INT)->i = v;
}

void ir_attr_float(struct ir *g, struct ir_node *n, const char *name, double v)
{
    new_attr(g, n, name, ATTR_FLOAT)->f = v;
}

void ir_attr_ints(struct ir *g, struct ir_node *n, const char *name, int count, const int64_t *v)
{
    int64_t *copy = NEWS(g->a, count, int64_t);
    struct ir_attr *at = new_attr(g, n, name, ATTR_INTS);

    memcpy(copy, v, (size_t)count * sizeof(*v));
    at->n = count;
    at->ints = copy;
}

const struct ir_attr *ir_attr(const struct ir_node *n, const char *name)
{
    for (int i = 0; i < n->n_attrs; i++)
        if (strcmp(n->attr[i].name, name) == 0)
            return &n->attr[i];
    return NULL;
}

const struct ir_attr *ir_int_list(const struct ir_node *n, const char *name)
{
    const struct ir_attr *at = ir_attr(n, name);

    return at && at->type == ATTR_INTS ? at : NULL;
}

int64_t ir_int(const struct ir_node *n, const char *name, int64_t def)
{
    const struct ir_attr *at = ir_attr(n, name);

    return at && at->type == ATTR_INT ? at->i : def;
}

double ir_float(const struct ir_node *n, const char *name, double def)
{
    const struct ir_attr *at = ir_attr(n, name);

    return at && at->type == ATTR_FLOAT ? at->f : def;
}

const char *ir_string(const struct ir_node *n, const char *name, const char *def)
{
    const struct ir_attr *at = ir_attr(n, name);

    return at && at->type == ATTR_TEXT ? at->s : def;
}

bool ir_is(const struct ir_node *n, const char *op)
{
    return n && n->domain[0] == '\0' && strcmp(n->op, op) == 0;
}

bool ir_is_one_of(const struct ir_node *n, const char *const *ops)
{
    for (; *ops; ops++)
        if (ir_is(n, *ops))
            return true;
    return false;
}

struct ir_tensor *ir_in(const struct ir *g, const struct ir_node *n, int slot)
{
    return slot < n->n_in && n->in[slot] >= 0 ? &g->tensor[n->in[slot]] : NULL;
}

struct ir_tensor *ir_out(const struct ir *g, const struct ir_node *n, int slot)
{
    return slot < n->n_out && n->out[slot] >= 0 ? &g->tensor[n->out[slot]] : NULL;
}

struct ir_node *ir_producer(const struct ir *g, int tensor)
{
    int p = tensor >= 0 ? g->tensor[tensor].producer : -1;

    return p >= 0 && !g->node[p].dead ? &g->node[p] : NULL;
}

int ir_uses(const struct ir *g, int tensor)
{
    int uses = 0;

    for (int i = 0; i < g->n_nodes; i++)
        for (int j = 0; j < g->node[i].n_in && !g->node[i].dead; j++)
            uses += g->node[i].in[j] == tensor;
    for (int i = 0; i < g->n_outputs; i++)
        uses += g->output[i] == tensor;
    return uses;
}

void ir_replace(struct ir *g, int from, int to)
{
    for (int i = 0; i < g->n_nodes; i++)
        for (int j = 0; j < g->node[i].n_in; j++)
            if (g->node[i].in[j] == from)
                g->node[i].in[j] = to;
    for (int i = 0; i < g->n_outputs; i++)
        if (g->output[i] == from)
            g->output[i] = to;
}

/* ---- order ---- */

void ir_dead_code(struct ir *g)
{
    bool *read = NEWS(g->a, g->n_tensors + 1, bool);

    for (int i = 0; i < g->n_outputs; i++)
        read[g->output[i]] = true;
    for (int i = g->n_nodes - 1; i >= 0; i--) { /* nodes are in order: readers come first here */
        struct ir_node *n = &g->node[i];
        bool used = false;

        for (int j = 0; j < n->n_out; j++)
            used = used || (n->out[j] >= 0 && read[n->out[j]]);
        n->dead = n->dead || !used;
        for (int j = 0; j < n->n_in && !n->dead; j++)
            if (n->in[j] >= 0)
                read[n->in[j]] = true;
    }
}

/* As many as arena_grow() would have made room for. */
static int room(int n)
{
    int power = 1;

    while (power < n)
        power *= 2;
    return power;
}

/* Depth first from each node in file order, so that a sorted graph stays as it is. */
void ir_sort(struct ir *g)
{
    struct ir_node *sorted = NEWS(g->a, room(g->n_nodes), struct ir_node);
    int *at = NEWS(g->a, g->n_nodes + 1, int); /* new place + 1; 0: not yet; -1: on the stack */
    int *stack = NEWS(g->a, g->n_nodes + 1, int);
    int *next = NEWS(g->a, g->n_nodes + 1, int); /* the input slot to look at, by depth */
    int done = 0;

    for (int i = 0; i < g->n_nodes; i++) {
        int depth = 0;

        if (g->node[i].dead || at[i])
            continue;
        stack[0] = i;
        next[0] = 0;
        at[i] = -1;
        while (depth >= 0) {
            struct ir_node *n = &g->node[stack[depth]];
            int in = next[depth] < n->n_in ? n->in[next[depth]++] : -2;
            int p = in < 0 ? -1 : g->tensor[in].producer;

            if (in == -2) {
                sorted[done++] = *n;
                at[stack[depth--]] = done;
            } else if (p >= 0 && !g->node[p].dead && at[p] == -1) {
                arena_fail(g->a, -EINVAL, "node '%s' (%s) is in a cycle", n->name, n->op);
            } else if (p >= 0 && !g->node[p].dead && !at[p]) {
                stack[++depth] = p;
                next[depth] = 0;
                at[p] = -1;
            }
        }
    }
    for (int i = 0; i < g->n_tensors; i++) {
        int p = g->tensor[i].producer;

        g->tensor[i].producer = p >= 0 && at[p] > 0 ? at[p] - 1 : -1;
    }
    g->node = sorted;
    g->n_nodes = done;
}
