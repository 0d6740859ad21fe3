/* harness/import/lower/lower.h - from nodes on tensors to operators on matrices. */
#ifndef FLASHMEM_HARNESS_IMPORT_LOWER_LOWER_H
#define FLASHMEM_HARNESS_IMPORT_LOWER_LOWER_H

#include "harness/import/lower/low.h"

/* Where a tensor is: a view of a stored matrix, or of a constant. */
enum val_kind {
    VAL_NONE,
    VAL_STORED,
    VAL_CONST,
    VAL_POISON /* made by a node that could not be lowered */
};
struct val {
    enum val_kind kind;
    struct ref ref;     /* VAL_STORED */
    int64_t rows, cols; /* of the stored matrix */
    int tensor;         /* VAL_CONST */
    struct view v; /* axes of the ONNX tensor in rows*cols row-major elements, or the constant's */
};

/* What an input should look like so that its first reader needs no copy. */
struct hint {
    bool set;
    int64_t cols;
    struct view v;
};

struct lowering {
    struct low *l;
    struct ir *g;
    struct val *val;   /* [n_tensors] */
    struct hint *hint; /* [n_inputs of the graph] */
    bool views;        /* false: views are copied where they stand */
    const char *name;  /* of the node being lowered: new nodes bear it */
    int node;
    jmp_buf *give_up; /* of this node alone */
    const char *why;
};

/* What lower() says of a node that it cannot lower. */
struct unsupported {
    int node; /* of the graph */
    const char *why;
};

/* Fills l (zeroed but for arena and graph). Returns how many nodes could not be lowered, and which;
 * l is of use only if there were none. `views`: false copies at each Transpose, Slice and the like.
 */
int lower(struct ir *g, bool views, struct low *l, struct unsupported **ret_list);

/* ---- for lower_*.c ---- */

/* This node cannot be lowered; jumps. */
_Noreturn void lower_give_up(struct lowering *x, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

struct val lower_in(struct lowering *x, const struct ir_node *n, int slot);
/* Input 0, which must not be a constant. */
struct val lower_stored(struct lowering *x, const struct ir_node *n);
/* The output is the last low node's matrix, seen through v. */
void lower_out(struct lowering *x, const struct ir_node *n, const struct view *v);
struct val lower_last(struct lowering *x, const struct view *v);

/* Of a new node or weight that serves the node being lowered. */
const char *lower_name(struct lowering *x, const char *what);
/* A new node whose first input is a's matrix. It makes one as large; */
struct low_node *lower_on(struct lowering *x, const char *op, const struct val *a);
/* so does a op b, where b is [brows, bcols] and repeated to fit. */
struct low_node *lower_pair(struct lowering *x, const char *op, const struct val *a, struct ref b,
                            int64_t brows, int64_t bcols);
/* The product with n columns. Its second input is added by the caller: a `b` of "weight" or
 * "input", stored as [n, cols of a] if tb, else [cols of a, n]. */
struct low_node *lower_product(struct lowering *x, const struct val *a, int64_t n, bool tb,
                               const char *b);

/* lower_move.c. Each returns the value with the view that its tensor has in the new matrix. */

/* All axes but the last `n_cols` are rows in whatever order lies ready, the others columns in
 * order. */
struct val lower_matrix(struct lowering *x, struct val a, int n_cols);
/* The same with rows in the order of the axes. */
struct val lower_ordered(struct lowering *x, struct val a, int n_cols);
/* Every element of the stored matrix once, in the order in which they lie. */
struct val lower_compact(struct lowering *x, struct val a);
/* Is the value exactly its stored matrix, with the last n_cols axes as columns? */
bool lower_is_matrix(const struct val *a, int n_cols);

/* The axes of a compact value as they lie: pieces of axes, outermost first, each in rows or
 * columns. */
struct piece {
    int axis;
    int64_t size, times; /* `times` the stride of the axis */
    bool col;
};
int lower_pieces(struct lowering *x, const struct val *a, struct piece *ret); /* [VIEW_MAX] */

/* Repeated axes written out; the functions above leave them repeated. */
struct val lower_solid(struct lowering *x, struct val a);

struct val lower_permuted(const struct val *a, const int64_t *perm);

/* lower_rows.c: axes in another order and back, those in `last` at the end. */
void lower_last_axes(int rank, const bool *last, int64_t *ret_perm, int64_t *ret_back);

/* lower_map.c: [N,C,H,W] to [N,H,W,C] and back, for view_permute(). */
extern const int64_t lower_channels_last[4], lower_channels_first[4];

/* lower_layout.c: factors of `rows` that fit a map's sides in operator "pad"; false if it has none.
 */
enum { LOWER_MAX_SIDE = 1 << 13 };
bool lower_sides(int64_t rows, int64_t *ret_h, int64_t *ret_w);

/* One of lower_*.c for each kind of node. */
void lower_matmul(struct lowering *x, const struct ir_node *n);
void lower_attention(struct lowering *x, const struct ir_node *n);
void lower_conv(struct lowering *x, const struct ir_node *n);
void lower_deconv(struct lowering *x, const struct ir_node *n);
void lower_unary(struct lowering *x, const struct ir_node *n);
void lower_binary(struct lowering *x, const struct ir_node *n);
void lower_clip(struct lowering *x, const struct ir_node *n);
void lower_where(struct lowering *x, const struct ir_node *n);
void lower_batchnorm(struct lowering *x, const struct ir_node *n);
void lower_softmax(struct lowering *x, const struct ir_node *n);
void lower_layernorm(struct lowering *x, const struct ir_node *n);
void lower_groupnorm(struct lowering *x, const struct ir_node *n);
void lower_reduce(struct lowering *x, const struct ir_node *n);
void lower_gather(struct lowering *x, const struct ir_node *n);
void lower_concat(struct lowering *x, const struct ir_node *n);
void lower_pad(struct lowering *x, const struct ir_node *n);
void lower_resize(struct lowering *x, const struct ir_node *n);
void lower_pool(struct lowering *x, const struct ir_node *n);

#endif
