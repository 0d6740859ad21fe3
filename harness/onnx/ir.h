/* harness/onnx/ir.h - an ONNX graph in memory: tensors with static shapes, and nodes in an order
 * in which they can run. Everything lives in the arena. Tensors and nodes go by index. */
#ifndef FLASHMEM_HARNESS_ONNX_IR_H
#define FLASHMEM_HARNESS_ONNX_IR_H

#include <stdbool.h>
#include <stdint.h>

#include "harness/onnx/arena.h"

enum { IR_MAX_RANK = 8, IR_MAX_IN = 1024 };

enum elem { ELEM_FLOAT, ELEM_INT, ELEM_BOOL };

/* How the bytes of a constant are to be read. */
enum raw {
    RAW_F32,
    RAW_F64,
    RAW_F16,
    RAW_BF16,
    RAW_I8,
    RAW_U8,
    RAW_I16,
    RAW_U16,
    RAW_I32,
    RAW_U32,
    RAW_I64,
    RAW_U64
};
size_t raw_bytes(enum raw raw);

struct shape {
    int rank;
    int64_t dim[IR_MAX_RANK];
};

struct ir_tensor {
    const char *name;
    enum elem elem;
    bool known; /* its shape; static shapes only, so what is not known cannot be lowered */
    struct shape shape;
    const void *data; /* of a constant, row-major and maybe unaligned; else NULL */
    enum raw raw;
    int producer; /* node, or -1 */
};

enum attr_type { ATTR_FLOAT, ATTR_INT, ATTR_TEXT, ATTR_FLOATS, ATTR_INTS, ATTR_TENSOR, ATTR_OTHER };
struct ir_attr {
    const char *name;
    enum attr_type type;
    double f;
    int64_t i;
    const char *s;
    int n;
    const double *floats;
    const int64_t *ints;
    int tensor;
};

struct ir_node {
    const char *name, *op, *domain; /* domain "" is ONNX's own */
    int opset;
    int n_in, n_out, n_attrs;
    int *in, *out; /* tensors; -1: an optional one that is not there */
    struct ir_attr *attr;
    bool dead;
};

struct ir {
    struct arena *a;
    const char *name;
    int n_tensors, n_nodes, n_inputs, n_outputs;
    struct ir_tensor *tensor;
    struct ir_node *node;
    int *input, *output;
};

int64_t shape_elements(const struct shape *s);
bool shape_same(const struct shape *a, const struct shape *b);
const char *shape_text(struct arena *a, const struct shape *s); /* "[1,3,224,224]" */
/* Axes count from the end when negative; -1 if there is no such axis. */
int shape_axis(const struct shape *s, int64_t axis);

int ir_tensor_new(struct ir *g, const char *name);
/* A constant of `elem` with zeroed values that the caller fills: floats, or int64_t. */
int ir_constant(struct ir *g, const char *name, enum elem elem, const struct shape *s,
                void **ret_data);
int ir_scalar(struct ir *g, double v);              /* a float constant without axes */
int ir_ints(struct ir *g, int n, const int64_t *v); /* an integer constant [n] */

/* Appends a node; `domain` of ONNX. Inputs end with the count. */
struct ir_node *ir_node_new(struct ir *g, const char *name, const char *op, int n_in, const int *in,
                            int n_out, const int *out);
/* Makes node n another one in place, with the same outputs; its attributes go. */
void ir_node_become(struct ir *g, int n, const char *op, int n_in, const int *in);
void ir_attr_int(struct ir *g, struct ir_node *n, const char *name, int64_t v);
void ir_attr_ints(struct ir *g, struct ir_node *n, const char *name, int count, const int64_t *v);
void ir_attr_float(struct ir *g, struct ir_node *n, const char *name, double v);

const struct ir_attr *ir_attr(const struct ir_node *n, const char *name); /* NULL: not there */
/* The same if it is a list of whole numbers, else NULL: files say what they like. */
const struct ir_attr *ir_int_list(const struct ir_node *n, const char *name);
int64_t ir_int(const struct ir_node *n, const char *name, int64_t def);
double ir_float(const struct ir_node *n, const char *name, double def);
const char *ir_string(const struct ir_node *n, const char *name, const char *def);
bool ir_is(const struct ir_node *n, const char *op); /* an operator of ONNX's own domain */

bool ir_is_one_of(const struct ir_node *n, const char *const *ops); /* ended by NULL */

/* The tensor in an input slot, NULL if the slot is empty or not there. */
struct ir_tensor *ir_in(const struct ir *g, const struct ir_node *n, int slot);
struct ir_tensor *ir_out(const struct ir *g, const struct ir_node *n, int slot);
bool ir_const(const struct ir *g, int tensor); /* false for -1 */
/* The live node that makes a tensor, NULL if none does. */
struct ir_node *ir_producer(const struct ir *g, int tensor);
int ir_uses(const struct ir *g,
            int tensor); /* slots of live nodes that read it, and graph outputs */

/* Element i (row-major) of a constant. */
double ir_at(const struct ir_tensor *t, int64_t i);
/* The one value of a constant all of whose elements are equal; false if they are not. */
bool ir_uniform(const struct ir *g, int tensor, double *ret_v);
/* Whole numbers from a constant of integers or from an attribute, at most `max`; -1 if there are
 * none and too many are an error. */
int ir_list(const struct ir *g, int tensor, int max, int64_t *ret_v);

/* Reads of `from` become reads of `to`, graph outputs too. */
void ir_replace(struct ir *g, int from, int to);

/* Nodes whose outputs nobody reads die, until there are none. */
void ir_dead_code(struct ir *g);
/* Dead nodes leave the array; nodes come in an order in which they can run. Jumps on a cycle. */
void ir_sort(struct ir *g);

#endif
