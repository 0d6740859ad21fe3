/* operators/custom/custom_head.h - the head of a kernel file, cut into pieces; see custom.h. */
#ifndef FLASHMEM_OPERATORS_CUSTOM_CUSTOM_HEAD_H
#define FLASHMEM_OPERATORS_CUSTOM_CUSTOM_HEAD_H

#include "operators/custom/custom.h"

enum { ARGS_MAX = 40, SHAPES_MAX = 64 };

/* A piece of the head and where it stands. */
struct piece {
    char *text;
    int line;
};

struct pieces {
    int n;
    struct piece piece[ARGS_MAX];
};

struct custom {
    struct op op;                         /* first: hooks get here from op_case.op */
    char *path, *text, *head, kernel[64]; /* head: cut into pieces */
    char function[48], source[56];
    struct piece agrees, dtype, image, uses;
    struct pieces args, global, local, needs, defines, tunables, flops, bytes;
    struct custom_shape shape[SHAPES_MAX + 1];
    int n_shapes;
};

struct scope {
    const struct custom *c;
    const struct op_case *k;    /* NULL: names are checked, every value is 1 */
    const struct op_variant *v; /* NULL: no tunables, if there is a case */
    bool of_case;               /* tunables are unknown */
};

/* What a name is in a scope: an expression_name. */
int custom_value(const void *ctx, const char *name, int64_t *ret_v);
int custom_evaluate(const struct scope *s, const struct piece *p, int64_t *ret_v, struct err *err);
bool custom_is_word(const char *text);

/* The head's lines into pieces; cuts `head` up, which must stay. -EINVAL. */
int custom_read_head(struct custom *c, char *head, struct err *err);
/* Its pieces into the operator's kernel, whose name and parameters are set: tunables; everything is
 * checked that needs no case. -EINVAL. */
int custom_read_values(struct custom *c, struct err *err);

#endif
