/* harness/model/model.h - a lowered model: layers in execution order, as read from a graph CSV.
 *
 * Format: datasets/README.md, "graph". Each layer is one operator case with one output tensor that
 * bears the layer's name. Layer indices here count from 0; plans and papers count from 1. */
#ifndef FLASHMEM_HARNESS_MODEL_MODEL_H
#define FLASHMEM_HARNESS_MODEL_MODEL_H

#include "operators/op.h"

enum init_kind { INIT_NORMAL, INIT_CONST };

struct weight {
    char *name;
    struct tensor_desc desc; /* dtype as given to model_read() */
    bool vector;             /* lives in the bundle, not streamed by itself */
    int64_t vector_texel;    /* vectors: first texel inside the bundle */
    int first, last;         /* layers that read it */
    enum init_kind init;
    double init_value; /* standard deviation, or the constant */
    double init_mean;  /* INIT_NORMAL */
};

/* One tensor that a layer reads: a model input, an earlier layer's output, or a weight. */
enum source_kind { SOURCE_INPUT, SOURCE_LAYER, SOURCE_WEIGHT };
struct source {
    enum source_kind kind;
    int index;
};

struct layer {
    char *name;
    struct op_case c;
    struct op_io io;
    struct source source[OP_MAX_TENSORS]; /* by slot; the output slot is unused */
    int last_use; /* last layer that reads this output; n_layers: a model output */
};

struct model_input {
    char *name;
    struct tensor_desc desc;
    int64_t max_id; /* DTYPE_I32: ids are drawn from 0..max_id */
    bool iota;      /* DTYPE_I32: the ids are 0, 1, ..., max_id: positions */
};

struct model {
    char *name; /* the paper's abbreviation */
    char *path; /* of the graph file */
    enum dtype dtype;
    int n_inputs, n_layers, n_weights;
    struct model_input *input;
    struct layer *layer;
    struct weight *weight;     /* in order of first need */
    uint64_t bundle_bytes;     /* all vectors, in texel order, each starting at a whole texel */
    uint64_t hash;             /* of the graph file's bytes */
};

/* `name`: the paper's abbreviation (looked up in datasets/models/), or a path to a graph CSV.
 * -ENOENT (err lists the known names), -EINVAL (err: FILE:LINE: what). */
int model_read(const char *name, enum dtype dtype, struct model **ret_m, struct err *err);
void model_free(struct model *m);

/* The hash of a graph file, by which weights files know it. -ENOENT, -EIO. */
int model_hash(const char *path, uint64_t *ret_hash, struct err *err);

/* Where datasets/ is: $FLASHMEM_DATASETS, else beside the program, else in the source tree it was
 * built from. */
const char *model_datasets_dir(void);
#define MODEL_DATASETS_HINT "set FLASHMEM_DATASETS to flashmem's folder datasets"

/* Reads FILE of datasets/, which has at least the columns `required` (NULL: any); see csv_read(). */
struct csv;
int model_dataset(const char *file, const char *const *required, struct csv *ret_csv,
                  struct err *err);

/* Bytes that one run has to read of a weight: all of it, but for a gather's table only the rows of
 * its index vector. */
uint64_t model_weight_read_bytes(const struct model *m, int weight);

struct model_cost {
    double params;       /* elements of all weights, padding left out */
    double macs;
    uint64_t weight_bytes; /* in texel order, vectors included */
};
void model_cost(const struct model *m, struct model_cost *ret_cost);

/* Seeded inputs: row-major floats (ids as whole numbers) for input i; rows*cols values. */
void model_fill_input(const struct model *m, int input, uint64_t seed, float *ret_values);

/* Input i from a .npy file of as many values (leading axes are folded), checked: finite numbers,
 * ids whole and within 0..max_id. -ENOENT, -EINVAL. */
int model_load_input(const struct model *m, int input, const char *path, float *ret_values,
                     struct err *err);

#endif
