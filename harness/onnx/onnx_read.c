#include "harness/onnx/onnx_read.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/onnx/external.h"
#include "harness/onnx/wire.h"
#include "onnx.pb-c.h"

enum { MIN_OPSET = 13, MAX_NODES = 1 << 18, SLACK_BYTES = 256 << 20 };

/* A dimension or a tensor beyond these is nonsense, far below overflow. */
#define MAX_DIM      (INT64_C(1) << 32)
#define MAX_ELEMENTS (INT64_C(1) << 40)

struct onnx {
    struct ir *g;
    struct mapped file;
    struct external *ext;
    Onnx__ModelProto *model;
    ProtobufCAllocator alloc;
    uint64_t left_bytes; /* that protobuf-c may still take */
    void *names;         /* tsearch() tree of struct named */
};

struct named {
    const char *name; /* first: compared as a string pointer */
    int tensor;
};

/* ---- protobuf-c on a budget: empty messages of two bytes become structs of a hundred ---- */

static void *budget_alloc(void *data, size_t n)
{
    struct onnx *o = data;

    if (n > o->left_bytes)
        return NULL;
    o->left_bytes -= n;
    return malloc(n ? n : 1);
}

static void budget_free(void *data, void *p)
{
    (void)data;
    free(p);
}

/* ---- names ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

static int find_name(struct onnx *o, const char *name)
{
    struct named key = {.name = name};
    void *at = tfind(&key, &o->names, by_name);

    return at ? (*(struct named **)at)->tensor : -1;
}

static int define(struct onnx *o, const char *name)
{
    struct named *n = NEW(o->g->a, struct named);

    if (find_name(o, name) >= 0)
        arena_fail(o->g->a, -EINVAL, "tensor '%.200s' is made twice", name);
    n->name = name;
    n->tensor = ir_tensor_new(o->g, name);
    if (!tsearch(n, &o->names, by_name))
        arena_fail(o->g->a, -ENOMEM, "out of memory");
    return n->tensor;
}

static int lookup(struct onnx *o, const char *name, const char *reader)
{
    int t = find_name(o, name);

    if (t < 0)
        arena_fail(o->g->a, -EINVAL,
                   "'%.200s' reads '%.200s', which nothing before it makes (a cycle, or nodes out "
                   "of order)",
                   reader, name);
    return t;
}

/* ---- constants ---- */

static bool element(int type, enum elem *ret_elem, enum raw *ret_raw)
{
    static const struct {
        int type;
        enum elem elem;
        enum raw raw;
    } known[] = {
        {ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, ELEM_FLOAT, RAW_F32},
        {ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE, ELEM_FLOAT, RAW_F64},
        {ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16, ELEM_FLOAT, RAW_F16},
        {ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16, ELEM_FLOAT, RAW_BF16},
        {ONNX__TENSOR_PROTO__DATA_TYPE__INT8, ELEM_INT, RAW_I8},
        {ONNX__TENSOR_PROTO__DATA_TYPE__UINT8, ELEM_INT, RAW_U8},
        {ONNX__TENSOR_PROTO__DATA_TYPE__INT16, ELEM_INT, RAW_I16},
        {ONNX__TENSOR_PROTO__DATA_TYPE__UINT16, ELEM_INT, RAW_U16},
        {ONNX__TENSOR_PROTO__DATA_TYPE__INT32, ELEM_INT, RAW_I32},
        {ONNX__TENSOR_PROTO__DATA_TYPE__UINT32, ELEM_INT, RAW_U32},
        {ONNX__TENSOR_PROTO__DATA_TYPE__INT64, ELEM_INT, RAW_I64},
        {ONNX__TENSOR_PROTO__DATA_TYPE__UINT64, ELEM_INT, RAW_U64},
        {ONNX__TENSOR_PROTO__DATA_TYPE__BOOL, ELEM_BOOL, RAW_U8},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (known[i].type == type) {
            *ret_elem = known[i].elem;
            *ret_raw = known[i].raw;
            return true;
        }
    return false;
}

static void read_dims(struct onnx *o, const char *name, size_t n, const int64_t *dim,
                      struct shape *ret)
{
    int64_t elements = 1;

    if (n > IR_MAX_RANK)
        arena_fail(o->g->a, -EINVAL, "tensor '%.200s' has %zu axes, want at most %d", name, n,
                   IR_MAX_RANK);
    *ret = (struct shape){.rank = (int)n};
    for (size_t i = 0; i < n; i++) {
        if (dim[i] < 0 || dim[i] > MAX_DIM || (dim[i] && elements > MAX_ELEMENTS / dim[i]))
            arena_fail(o->g->a, -EINVAL, "tensor '%.200s': axis %zu of %" PRId64 " is too large",
                       name, i, dim[i]);
        ret->dim[i] = dim[i];
        elements *= dim[i];
    }
}

/* Values of less than 32 bits stand in int32_data, one in each. */
static const void *narrow(struct onnx *o, enum raw raw, size_t n, const int32_t *v)
{
    size_t bytes = raw_bytes(raw);
    char *to = arena_alloc(o->g->a, n + 1, bytes);

    for (size_t i = 0; i < n; i++)
        memcpy(to + i * bytes, &v[i], bytes); /* little-endian, as the file's own raw data is */
    return to;
}

/* The typed fields: values and their count. */
static const void *typed_data(struct onnx *o, const Onnx__TensorProto *p, enum raw raw,
                              size_t *ret_n)
{
    switch (raw) {
    case RAW_F32:
        *ret_n = p->n_float_data;
        return p->float_data;
    case RAW_F64:
        *ret_n = p->n_double_data;
        return p->double_data;
    case RAW_I64:
        *ret_n = p->n_int64_data;
        return p->int64_data;
    case RAW_U64:
        *ret_n = p->n_uint64_data;
        return p->uint64_data;
    case RAW_I32:
        *ret_n = p->n_int32_data;
        return p->int32_data;
    case RAW_U32: {
        uint32_t *to = NEWS(o->g->a, p->n_uint64_data + 1, uint32_t);

        for (size_t i = 0; i < p->n_uint64_data; i++)
            to[i] = (uint32_t)p->uint64_data[i];
        *ret_n = p->n_uint64_data;
        return to;
    }
    default:
        *ret_n = p->n_int32_data;
        return narrow(o, raw, p->n_int32_data, p->int32_data);
    }
}

static const void *external_data(struct onnx *o, const char *name, const Onnx__TensorProto *p,
                                 uint64_t bytes)
{
    const char *location = NULL, *offset = NULL, *length = NULL;

    for (size_t i = 0; i < p->n_external_data; i++) {
        const Onnx__StringStringEntryProto *e = p->external_data[i];

        if (!e->key || !e->value)
            continue;
        if (strcmp(e->key, "location") == 0)
            location = e->value;
        else if (strcmp(e->key, "offset") == 0)
            offset = e->value;
        else if (strcmp(e->key, "length") == 0)
            length = e->value;
    }
    return external_map(o->ext, name, location, offset, length, bytes);
}

static void read_constant(struct onnx *o, const char *name, const Onnx__TensorProto *p, int index)
{
    static const char nothing[8];
    struct ir_tensor t = {.name = name, .known = true, .producer = -1};
    int64_t n;
    size_t have = 0;

    if (!element(p->data_type, &t.elem, &t.raw))
        arena_fail(o->g->a, -EINVAL, "tensor '%.200s' has elements of type %d, want numbers", name,
                   (int)p->data_type);
    read_dims(o, name, p->n_dims, p->dims, &t.shape);
    n = shape_elements(&t.shape);
    if (p->has_data_location && p->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL) {
        t.data = external_data(o, name, p, (uint64_t)n * raw_bytes(t.raw));
        have = (size_t)n;
    } else if (p->has_raw_data && p->raw_data.len) {
        t.data = p->raw_data.data;
        have = p->raw_data.len / raw_bytes(t.raw);
        if (p->raw_data.len % raw_bytes(t.raw))
            have = SIZE_MAX;
    } else {
        t.data = typed_data(o, p, t.raw, &have);
    }
    if (have != (size_t)n)
        arena_fail(o->g->a, -EINVAL, "tensor '%.200s' of shape %s does not have as many values",
                   name, shape_text(o->g->a, &t.shape));
    if (!t.data)
        t.data = nothing;
    o->g->tensor[index] = t;
}

/* ---- nodes ---- */

static void read_attr(struct onnx *o, const Onnx__AttributeProto *p, struct ir_attr *ret)
{
    struct ir_attr a = {.name = p->name ? p->name : "", .type = ATTR_OTHER, .tensor = -1};

    switch (p->type) {
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT:
        a.type = ATTR_FLOAT;
        a.f = (double)p->f;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT:
        a.type = ATTR_INT;
        a.i = p->i;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING:
        a.type = ATTR_TEXT;
        a.s = arena_text(o->g->a, (const char *)p->s.data, p->s.len);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
        a.type = ATTR_INTS;
        a.n = (int)p->n_ints;
        a.ints = p->ints;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS: {
        double *v = NEWS(o->g->a, p->n_floats + 1, double);

        for (size_t i = 0; i < p->n_floats; i++)
            v[i] = (double)p->floats[i];
        a.type = ATTR_FLOATS;
        a.n = (int)p->n_floats;
        a.floats = v;
        break;
    }
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR:
        if (p->t) {
            a.type = ATTR_TENSOR;
            a.tensor = ir_tensor_new(o->g, a.name);
            read_constant(o, a.name, p->t, a.tensor);
        }
        break;
    default:
        break;
    }
    *ret = a;
}

static const char *domain_of(const char *domain)
{
    return !domain || strcmp(domain, "ai.onnx") == 0 ? "" : domain;
}

static int opset_of(struct onnx *o, const char *domain)
{
    for (size_t i = 0; i < o->model->n_opset_import; i++)
        if (strcmp(domain_of(o->model->opset_import[i]->domain), domain) == 0)
            return (int)o->model->opset_import[i]->version;
    return 0;
}

static void read_node(struct onnx *o, const Onnx__NodeProto *p)
{
    struct ir *g = o->g;
    const char *name = p->name && *p->name ? p->name : p->n_output ? p->output[0] : "";
    int *in = NEWS(g->a, p->n_input, int), *out = NEWS(g->a, p->n_output, int);
    struct ir_node *n;

    if (!p->op_type || p->n_input > IR_MAX_IN || p->n_output > IR_MAX_IN)
        arena_fail(g->a, -EINVAL, "node '%.200s' has no operator, or more than %d inputs", name,
                   IR_MAX_IN);
    for (size_t i = 0; i < p->n_input; i++)
        in[i] = *p->input[i] ? lookup(o, p->input[i], name) : -1;
    for (size_t i = 0; i < p->n_output; i++)
        out[i] = *p->output[i] ? define(o, p->output[i]) : -1;
    n = ir_node_new(g, name, p->op_type, (int)p->n_input, in, (int)p->n_output, out);
    n->domain = domain_of(p->domain);
    n->opset = opset_of(o, n->domain);
    for (size_t i = 0; i < p->n_attribute; i++) {
        struct ir_attr a;

        read_attr(o, p->attribute[i], &a);
        n->attr = arena_grow(g->a, n->attr, i, sizeof(a));
        n->attr[i] = a;
        n->n_attrs++;
    }
}

/* ---- the graph ---- */

static void read_input(struct onnx *o, const Onnx__ValueInfoProto *p)
{
    const char *name = p->name ? p->name : "";
    const Onnx__TypeProto__Tensor *type =
        p->type && p->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ? p->type->tensor_type
                                                                              : NULL;
    int64_t dim[IR_MAX_RANK];
    struct ir_tensor *t;
    enum elem elem;
    enum raw raw;
    int index;

    if (find_name(o, name) >= 0) /* an initializer may be listed as an input */
        return;
    if (!type || !type->shape || !element(type->elem_type, &elem, &raw))
        arena_fail(o->g->a, -EINVAL, "input '%.200s' is no tensor of numbers with a shape", name);
    if (type->shape->n_dim > IR_MAX_RANK)
        arena_fail(o->g->a, -EINVAL, "input '%.200s' has %zu axes, want at most %d", name,
                   type->shape->n_dim, IR_MAX_RANK);
    for (size_t i = 0; i < type->shape->n_dim; i++) {
        const Onnx__TensorShapeProto__Dimension *d = type->shape->dim[i];

        if (d->value_case != ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE ||
            d->dim_value < 1)
            arena_fail(o->g->a, -EINVAL,
                       "input '%.200s': axis %zu has no fixed size; export it with static shapes",
                       name, i);
        dim[i] = d->dim_value;
    }
    index = define(o, name);
    t = &o->g->tensor[index];
    t->elem = elem;
    t->known = true;
    read_dims(o, name, type->shape->n_dim, dim, &t->shape);
    o->g->input = arena_grow(o->g->a, o->g->input, (size_t)o->g->n_inputs, sizeof(int));
    o->g->input[o->g->n_inputs++] = index;
}

static void read_graph(struct onnx *o, const Onnx__GraphProto *p)
{
    struct ir *g = o->g;

    if (p->n_node > MAX_NODES)
        arena_fail(g->a, -E2BIG, "%zu nodes, want at most %d", p->n_node, MAX_NODES);
    if (p->n_sparse_initializer)
        arena_fail(g->a, -ENOTSUP, "sparse weights cannot be imported");
    for (size_t i = 0; i < p->n_initializer; i++) {
        const char *name = p->initializer[i]->name ? p->initializer[i]->name : "";

        read_constant(o, name, p->initializer[i], define(o, name));
    }
    external_check(o->ext);
    for (size_t i = 0; i < p->n_input; i++)
        read_input(o, p->input[i]);
    for (size_t i = 0; i < p->n_node; i++)
        read_node(o, p->node[i]);
    external_check(o->ext);
    if (p->n_output == 0)
        arena_fail(g->a, -EINVAL, "the graph has no output");
    g->output = NEWS(g->a, p->n_output, int);
    for (size_t i = 0; i < p->n_output; i++)
        g->output[g->n_outputs++] =
            lookup(o, p->output[i]->name ? p->output[i]->name : "", "the graph's output");
}

void onnx_read(const char *path, struct ir *g, struct onnx **ret_file)
{
    struct onnx *o = NEW(g->a, struct onnx);
    struct err why = {0};

    o->g = g;
    *ret_file = o;
    mapped_open(g->a, path, &o->file);
    o->ext = external_new(g->a, path);
    if (wire_check(&onnx__model_proto__descriptor, o->file.data, o->file.size, &why) < 0)
        arena_fail(g->a, why.code, "'%s': %s", path, why.text);
    o->left_bytes = SLACK_BYTES + 2 * (uint64_t)o->file.size;
    o->alloc = (ProtobufCAllocator){budget_alloc, budget_free, o};
    o->model = onnx__model_proto__unpack(&o->alloc, o->file.size, o->file.data);
    if (!o->model)
        arena_fail(g->a, -EINVAL,
                   "'%s' is not an ONNX model, or unpacks to more than %" PRIu64 " MiB", path,
                   (SLACK_BYTES + 2 * (uint64_t)o->file.size) >> 20);
    if (!o->model->graph)
        arena_fail(g->a, -EINVAL, "'%s' is not an ONNX model: it has no graph", path);
    if (opset_of(o, "") < MIN_OPSET)
        arena_fail(g->a, -ENOTSUP, "'%s' is of opset %d, want %d or newer: export it again", path,
                   opset_of(o, ""), MIN_OPSET);
    read_graph(o, o->model->graph);
}

static void keep(void *node)
{
    (void)node; /* of the arena */
}

void onnx_close(struct onnx *o)
{
    if (!o)
        return;
    tdestroy(o->names, keep);
    if (o->model)
        onnx__model_proto__free_unpacked(o->model, &o->alloc);
    external_free(o->ext);
    mapped_close(&o->file);
}
