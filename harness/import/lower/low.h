/* harness/import/lower/low.h - the lowered graph: operators of ours on matrices, in the order in
 * which they run. What an operator's name, parameters and slots are: operators/README.md. */
#ifndef FLASHMEM_HARNESS_IMPORT_LOWER_LOW_H
#define FLASHMEM_HARNESS_IMPORT_LOWER_LOW_H

#include "harness/import/view.h"
#include "harness/onnx/ir.h"

enum { LOW_MAX_PARAMS = 20, LOW_MAX_IN = 6 };

enum ref_kind { REF_INPUT, REF_NODE, REF_WEIGHT };
struct ref {
    enum ref_kind kind;
    int index;
};

struct low_param {
    const char *key;
    int64_t value;
    const char *text; /* a named choice, else NULL */
};

struct low_node {
    const char *name, *op;
    int n_params, n_in;
    struct low_param param[LOW_MAX_PARAMS];
    struct ref in[LOW_MAX_IN]; /* in the order of the operator's slots */
    int64_t rows, cols;        /* of its output */
    bool dead;
};

/* Element (r, c) is scale[r] times the constant at its place in the view. */
struct low_weight {
    const char *name;
    bool vector;
    int64_t rows, cols, inner; /* as in struct tensor_desc */
    int tensor;                /* the constant */
    struct view v;             /* rows * cols elements of it */
    const float *scale;        /* [rows]; NULL: all one */
};

struct low_input {
    int tensor;
    bool ids; /* [1, n], whole numbers below vocab */
    int64_t rows, cols, vocab;
    struct view v; /* axes of the ONNX input in the matrix */
};

struct low {
    struct arena *a;
    struct ir *g;
    int n_nodes, n_weights, n_inputs;
    struct low_node *node;
    struct low_weight *weight;
    struct low_input *input;
    struct ref output;
    struct view output_view; /* axes of the ONNX output in the last matrix */
};

/* A node at the end; parameters and inputs are added to what is returned, which the next node may
 * move. */
struct low_node *low_new(struct low *l, const char *name, const char *op, int64_t rows,
                         int64_t cols);
void low_int(struct low_node *n, const char *key, int64_t value);
void low_choice(struct low_node *n, const char *key, const char *text);
void low_in(struct low_node *n, struct ref r);
int64_t low_get(const struct low_node *n, const char *key, int64_t def);
const char *low_get_text(const struct low_node *n, const char *key, const char *def);
bool low_is(const struct low_node *n, const char *op);

struct ref low_weight_new(struct low *l, const char *name, bool vector, int64_t rows, int64_t cols,
                          int64_t inner, int tensor, const struct view *v);
/* All rows*cols elements, scaled, row-major; `rows` of them from `row`. */
void low_weight_values(const struct low *l, int weight, int64_t row, int64_t rows, float *ret_v);

int low_uses(const struct low *l, struct ref r); /* by live nodes, and as the output */
int low_live(const struct low *l);
/* Nodes, weights and inputs that the output does not need leave; names become what graph files
 * allow, each its own. */
void low_finish(struct low *l);

#endif
