/* operators/op.h - what an operator is: one const struct, one row of the table in op.c.
 *
 *   case      an operator with its shape and dtype      "matmul:f32:m=128,n=3072,k=768"
 *   variant   how it is computed: memory path, kernel, form, tunables, local size
 *   launch    what OpenCL is asked for one variant of one case, as plain data
 *
 * Axes: B batch, M N K matrix product, H W C feature map, R S filter taps, T tokens. */
#ifndef FLASHMEM_OPERATORS_OP_H
#define FLASHMEM_OPERATORS_OP_H

#include "operators/tensor.h"
#include "profiler/device.h"

enum {
    OP_MAX_PARAMS = 16,
    OP_MAX_TENSORS = 8,
    OP_MAX_TUNABLES = 12,
    OP_MAX_KERNELS = 8,
    OP_MAX_INTS = 32,
    OP_MAX_LOADS = 4, /* weights that one launch can carry: each is two kernel arguments more */
    OP_TEXT_MAX = 256
};

enum op_class { OP_ELEMENTAL, OP_REUSABLE, OP_HIERARCHICAL };
const char *op_class_name(enum op_class c); /* "elemental", ... */

/* How extra load is moved (method.md section 6 names the first three so): not at all; by the
 * kernel; or, beside the naive kernel, by copies in a second queue. */
enum op_form { FORM_NAIVE, FORM_BRANCHING, FORM_PIPELINED, FORM_COPY, OP_FORMS };
extern const char *const op_form_names[]; /* by enum op_form, NULL-terminated */
const char *op_form_name(enum op_form f);
int op_form_parse(const char *name);

/* One integer (or named choice) of a case: an axis of sweeps and of model graphs. */
struct op_param {
    const char *name;
    int64_t def, min, max;      /* def < min: must be given */
    const char *const *choices; /* NULL, or names of values 0, 1, ..., NULL-terminated */
    const char *meaning;
};

/* One tunable of a kernel: becomes -DNAME=value, or an int among the launch's, so that one program
 * serves all its values. values[] is what a sweep enumerates, 0-ended;
 * a device type's default is in def_cpu / def_gpu. */
struct op_tunable {
    const char *name; /* macro, e.g. "TM" */
    int def_cpu, def_gpu;
    int values[8];
    const char *meaning;
    bool argument; /* one of launch.ints */
};

struct op_kernel {
    const char *name;   /* "direct", "staged", ...: what the variant says */
    const char *source; /* file in operators/kernels/, e.g. "gemm_direct.cl"; texel.cl, math.cl
                           and stream.cl come before it */
    const char *shared; /* NULL, or one more file that comes before it, e.g. "gemm.cl" */
    unsigned forms;     /* bit (1 << enum op_form) for each form written in; op_has_form() */
    struct op_tunable tunables[OP_MAX_TUNABLES]; /* ended by a NULL name */
    /* Of a kernel from a file (custom.h): its text, and which of texel.cl and math.cl come first. */
    const char *text, *uses;
    size_t length;
    const char *also; /* NULL, or another one, between shared and source */
    bool own_order; /* its sums are added in another order than those of the kernels before it */
};

/* op_kernel.forms of nearly all. */
#define OP_ALL_FORMS (1u << FORM_NAIVE | 1u << FORM_BRANCHING | 1u << FORM_PIPELINED)
bool op_has_form(const struct op_kernel *k, enum op_form f); /* every kernel has FORM_COPY */
bool op_tunable_has(const struct op_tunable *t, int value);

enum op_role {
    ROLE_INPUT,  /* an activation */
    ROLE_IDS,    /* an index vector: DTYPE_I32 [1, n], always a buffer */
    ROLE_WEIGHT, /* a matrix from the weights file: streamed or preloaded */
    ROLE_VECTOR, /* a small weight [1, n] inside the model's vector bundle: a buffer and an offset
                  */
    ROLE_OUTPUT  /* exactly one, last */
};

struct op_slot {
    const char *name; /* "a", "b", "bias", "y": also the suffix of -DFOLD_<NAME> in upper case */
    enum op_role role;
    struct tensor_desc desc;
};

struct op_io {
    int n;
    struct op_slot slot[OP_MAX_TENSORS];
};

struct op;

struct op_case {
    const struct op *op;
    enum dtype dtype;
    int64_t p[OP_MAX_PARAMS]; /* in the order of op->params */
};

struct op_variant {
    enum mem_path path;
    int kernel; /* index into op->kernels */
    enum op_form form;
    int tunable[OP_MAX_TUNABLES];
    int lws[2];  /* local size; {0, 0} leaves it to the driver */
    int n_loads; /* destinations carried by a launch, 0..OP_MAX_LOADS; naive has 0 */
};

/* A tensor; where a vector begins in its bundle, in texels; one of ints[]. */
enum { OP_ARG_TENSOR = 0, OP_ARG_OFFSET = 16, OP_ARG_INT = 32 };

struct op_launch {
    char options[1024]; /* of the kernel's own: shape flags and tunables; op_program.c adds path,
                           dtype, folds, form and loads */
    size_t gws[2];      /* before rounding up to the local size: kernels check their bounds */
    int n_ints;
    int ints[OP_MAX_INTS]; /* after the tensors, before the loads */
    int lws[2];            /* where the variant leaves it open; {0, 0}: to the driver */
    int n_args;            /* 0: that order; else each argument, OP_ARG_.. + index */
    signed char args[OP_MAX_TENSORS * 2 + OP_MAX_INTS];
};

/* Appends to l->ints. */
static inline void op_launch_ints(struct op_launch *l, int n, const int64_t *ints)
{
    for (int i = 0; i < n; i++)
        l->ints[l->n_ints++] = (int)ints[i];
}
#define OP_INTS(l, ...)                                                                            \
    op_launch_ints(l, (int)(sizeof(int64_t[]){__VA_ARGS__} / sizeof(int64_t)),                     \
                   (int64_t[]){__VA_ARGS__})

/* Every hook is required unless it says otherwise; op_table_check() refuses by name. */
struct op {
    const char *name;
    const char *summary;
    enum op_class class;
    struct op_param params[OP_MAX_PARAMS];    /* ended by a NULL name */
    struct op_kernel kernels[OP_MAX_KERNELS]; /* ended by a NULL name; plainest first */
    double tol_f32, tol_f16; /* greatest |y - ref| / (max |ref| of the row of the output + tiny) */
    /* Is the combination of parameters legal? Ranges were checked before. Optional. */
    int (*check)(const struct op_case *c, struct err *err);
    /* Tensors in the order of the kernel's arguments, output last. */
    void (*io)(const struct op_case *c, struct op_io *ret_io);
    /* Useful multiply-adds (MACs) of the case; element-wise operators count 0 MACs and their
     * `ops`: operations that are not multiply-adds. */
    void (*cost)(const struct op_case *c, double *ret_macs, double *ret_ops);
    /* Which kernel, tunables and local size to use when nothing better is known. variant->path is
     * set; the rest is zeroed. Optional: default is kernel 0 with its defaults, local {0, 0}. */
    void (*prefer)(const struct op_case *c, const struct device_info *dev, struct op_variant *v);
    /* -EINVAL: this variant cannot take this case on this device, err says why. */
    int (*launch)(const struct op_case *c, const struct op_variant *v,
                  const struct device_info *dev, struct op_launch *ret_launch, struct err *err);
    /* Plain C, double accumulators. in[i] are row-major elements of slot i (ids too), already
     * rounded to the storage type; out is the output slot, row-major. */
    void (*reference)(const struct op_case *c, const double *const *in, double *out);
    /* Bits of parameters: how many rows or columns of the output there are, each of which depends
     * on its own rows or columns of inputs alone, in units as long as the parameter. Where the
     * reference is slow these repeat (thin.h). Optional: none. */
    unsigned (*repeatable)(const struct op_case *c);
};

/* The table, in order, NULL-terminated; op_find() is NULL for an unknown name. */
extern const struct op *const op_table[];
const struct op *op_find(const char *name);
int op_unknown(const char *name, struct err *err); /* -EINVAL: no such operator, there are ... */
int op_table_check(struct err *err);
/* op_find() gives this one for its name (custom.h); NULL: the table's again. */
void op_override(const struct op *op);

/* Cases have one spelling, printed with parameters in table order, defaults left out:
 * "op:dtype:name=value,...". Parsing accepts any order; -EINVAL names the parameter, its range. */
int op_case_parse(const char *text, struct op_case *ret_c, struct err *err);
int op_case_make(const char *op, enum dtype dtype, const char *params, struct op_case *ret_c,
                 struct err *err); /* params: "m=128,n=3072,k=768" */
void op_case_print(const struct op_case *c, char text[OP_TEXT_MAX]);
void op_case_params(const struct op_case *c, char text[OP_TEXT_MAX]); /* the params part alone */
int64_t op_param_get(const struct op_case *c, const char *name);      /* asserts that it exists */
int op_param_index(const struct op *op, const char *name);            /* into params; -1: none */
int op_slot_index(const struct op_io *io, const char *name);          /* into slot; -1: none */

uint64_t op_input_bytes(const struct op_case *c); /* all slots but the output: the base of ratios */
struct tensor_desc op_output(const struct op_case *c);
uint64_t op_output_bytes(const struct op_case *c);

/* Variants are spelled "image,direct,pipelined,TM=8,TN=8,lws=8x8,loads=1". */
void op_variant_default(const struct op_case *c, const struct device_info *dev, enum mem_path path,
                        struct op_variant *ret_v);
int op_variant_parse(const struct op_case *c, const struct device_info *dev, const char *text,
                     struct op_variant *ret_v, struct err *err); /* left out: as by default() */
void op_variant_print(const struct op_case *c, const struct op_variant *v, char text[OP_TEXT_MAX]);
/* Columns of samples: tile is the tunables but ORDER, "TM=8,TN=8"; order is the value of ORDER. */
void op_variant_tile(const struct op_case *c, const struct op_variant *v, char text[OP_TEXT_MAX]);

/* Features of a case and variant for the regressor: the same names for every operator, NaN where
 * one does not apply. Extra load is the caller's last feature. */
#define OP_FEATURES 51
extern const char *const op_feature_names[OP_FEATURES];
void op_features(const struct op_case *c, const struct op_variant *v,
                 const struct op_launch *launch, float ret_x[OP_FEATURES]);

/* ---- launchable ---- */

/* Extra load: `texels` texels from src (a buffer in texel order, element type of the case) at
 * texel src_texel into dst at texel dst_texel. */
struct op_load {
    cl_mem src;
    const void *host; /* where src is mapped; asked for by FORM_COPY alone */
    int64_t src_texel;
    cl_mem dst;
    struct tensor_desc dst_desc;
    int64_t dst_texel, texels;
};

struct op_args {
    cl_mem tensor[OP_MAX_TENSORS];        /* in the order of op->io */
    int64_t vector_texel[OP_MAX_TENSORS]; /* offset into the bundle, for ROLE_VECTOR slots */
    struct op_load load[OP_MAX_LOADS];
    int n_loads; /* <= the variant's */
};

/* What op_program_hash() will be, without building: is a recorded time still that of this program?
 * -EINVAL: the variant cannot take the case. */
int op_variant_hash(const struct op_case *c, const struct op_variant *v,
                    const struct device_info *info, uint64_t *ret_hash, struct err *err);

struct op_program; /* a built variant of a case; owns a cl_kernel */

/* -ENOEXEC build failed, -EINVAL the variant cannot take the case, -ENOMEM. */
int op_program_new(struct device *dev, const struct op_case *c, const struct op_variant *v,
                   struct op_program **ret_p, struct err *err);
void op_program_free(struct op_program *p);
const struct op_variant *op_program_variant(const struct op_program *p);
uint64_t op_program_hash(const struct op_program *p);
uint64_t op_program_build_ns(const struct op_program *p);

/* Enqueue one launch. Refuses (-EINVAL) an image bound both for reading and for writing.
 * ret_event may be NULL. Arguments are captured: `args` may change at once. */
int op_program_enqueue(struct op_program *p, cl_command_queue queue, const struct op_args *args,
                       cl_event *ret_event, struct err *err);

/* The loads of a FORM_COPY program, for a queue beside that of its kernel; host memory must stay
 * mapped until they are done. Call it before op_program_enqueue(): a copy that comes after a burst
 * of kernels waits for them on NVIDIA. Nothing is copied before `after` (NULL: at once).
 * ret_event[2]: the first and the last command's, both NULL with no texels. */
int op_program_copy(struct op_program *p, cl_command_queue queue, const struct op_args *args,
                    cl_event after, cl_event ret_event[2], struct err *err);

#endif
