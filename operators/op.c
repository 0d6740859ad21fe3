/* The operator table, and the one spelling of cases. */
#include "operators/op.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "operators/kernels.h"
#include "operators/op_text.h"

/* In the order of their features: new ones go at the end. */
#define OPS(X)                                                                                     \
    X(null)                                                                                        \
    X(relu)                                                                                        \
    X(gelu)                                                                                        \
    X(add)                                                                                         \
    X(mul)                                                                                         \
    X(softmax)                                                                                     \
    X(layernorm)                                                                                   \
    X(pool2d)                                                                                      \
    X(gather)                                                                                      \
    X(matmul)                                                                                      \
    X(conv2d)                                                                                      \
    X(deconv2d)                                                                                    \
    X(slice)                                                                                       \
    X(pad)                                                                                         \
    X(window)                                                                                      \
    X(resize)                                                                                      \
    X(concat)                                                                                      \
    X(transpose)                                                                                   \
    X(attention)                                                                                   \
    X(silu)                                                                                        \
    X(sigmoid)                                                                                     \
    X(tanh)                                                                                        \
    X(exp)                                                                                         \
    X(log)                                                                                         \
    X(sqrt)                                                                                        \
    X(sin)                                                                                         \
    X(cos)                                                                                         \
    X(erf)                                                                                         \
    X(abs)                                                                                         \
    X(neg)                                                                                         \
    X(recip)                                                                                       \
    X(sub)                                                                                         \
    X(div)                                                                                         \
    X(max)                                                                                         \
    X(min)                                                                                         \
    X(affine)                                                                                      \
    X(groupnorm)                                                                                   \
    X(reduce)

#define DECLARE(name) extern const struct op op_##name;
#define ENTRY(name) &op_##name,
OPS(DECLARE)
const struct op *const op_table[] = {OPS(ENTRY) NULL};

static const char *const class_names[] = {"elemental", "reusable", "hierarchical"};
const char *const op_form_names[] = {"naive", "branching", "pipelined", "copy", NULL};

const char *op_class_name(enum op_class c)
{
    return class_names[c];
}

const char *op_form_name(enum op_form f)
{
    return op_form_names[f];
}

int op_form_parse(const char *name)
{
    for (int i = 0; i < OP_FORMS; i++)
        if (strcmp(name, op_form_names[i]) == 0)
            return i;
    return -EINVAL;
}

bool op_has_form(const struct op_kernel *k, enum op_form f)
{
    return f == FORM_COPY || (k->forms & 1u << f);
}

bool op_tunable_has(const struct op_tunable *t, int value)
{
    for (int i = 0; i < 8 && t->values[i]; i++)
        if (t->values[i] == value)
            return true;
    return false;
}

static const struct op *overriding;

void op_override(const struct op *op)
{
    overriding = op;
}

const struct op *op_find(const char *name)
{
    if (overriding && strcmp(name, overriding->name) == 0)
        return overriding;
    for (int i = 0; op_table[i]; i++)
        if (strcmp(name, op_table[i]->name) == 0)
            return op_table[i];
    return NULL;
}

int op_unknown(const char *name, struct err *err)
{
    char names[2 * OP_TEXT_MAX] = "";

    for (int i = 0; op_table[i]; i++)
        op_text_append(names, sizeof names, "%s%s", i ? " " : "", op_table[i]->name);
    return err_set(err, -EINVAL, "no operator '%.64s'; there are: %s", name, names);
}

/* ---- the table's own consistency ---- */

static int kernel_check(const struct op *op, const struct op_kernel *k, struct err *err)
{
    if (!k->source || !embedded_find(kernel_files, k->source))
        return err_set(err, -EINVAL, "%s: kernel '%s' has no source", op->name, k->name);
    if (k->shared && !embedded_find(kernel_files, k->shared))
        return err_set(err, -EINVAL, "%s: kernel '%s': there is no '%s'", op->name, k->name,
                       k->shared);
    if (k->also && !embedded_find(kernel_files, k->also))
        return err_set(err, -EINVAL, "%s: kernel '%s': there is no '%s'", op->name, k->name,
                       k->also);
    if (!(k->forms & 1u << FORM_NAIVE))
        return err_set(err, -EINVAL, "%s: kernel '%s' has no naive form", op->name, k->name);
    for (int i = 0; i < OP_MAX_TUNABLES && k->tunables[i].name; i++) {
        const struct op_tunable *t = &k->tunables[i];

        if (!op_tunable_has(t, t->def_cpu) || !op_tunable_has(t, t->def_gpu))
            return err_set(err, -EINVAL, "%s: default of '%s' is not among its values", op->name,
                           t->name);
    }
    return 0;
}

static int op_check(const struct op *op, struct err *err)
{
    int rc;

    if (!op->name || !op->summary)
        return err_set(err, -EINVAL, "operator without a name or summary");
    if (!op->io || !op->cost || !op->launch || !op->reference)
        return err_set(err, -EINVAL, "%s: lacks io, cost, launch or reference", op->name);
    if (!(op->tol_f32 > 0 && op->tol_f16 > 0))
        return err_set(err, -EINVAL, "%s: tolerances want to be positive", op->name);
    if (!op->kernels[0].name)
        return err_set(err, -EINVAL, "%s: has no kernel", op->name);
    for (int i = 0; i < OP_MAX_PARAMS && op->params[i].name; i++) {
        const struct op_param *p = &op->params[i];

        if (p->min > p->max || p->def > p->max)
            return err_set(err, -EINVAL, "%s: range of '%s' is empty", op->name, p->name);
    }
    for (int i = 0; i < OP_MAX_KERNELS && op->kernels[i].name; i++) {
        rc = kernel_check(op, &op->kernels[i], err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int op_table_check(struct err *err)
{
    int rc;

    for (int i = 0; op_table[i]; i++) {
        rc = op_check(op_table[i], err);
        if (rc < 0)
            return rc;
        for (int j = 0; j < i; j++)
            if (strcmp(op_table[i]->name, op_table[j]->name) == 0)
                return err_set(err, -EEXIST, "%s: two operators of this name", op_table[i]->name);
    }
    return 0;
}

/* ---- "name=value,..." ---- */

int op_param_index(const struct op *op, const char *name)
{
    for (int i = 0; i < OP_MAX_PARAMS && op->params[i].name; i++)
        if (strcmp(op->params[i].name, name) == 0)
            return i;
    return -1;
}

int op_slot_index(const struct op_io *io, const char *name)
{
    for (int i = 0; i < io->n; i++)
        if (strcmp(io->slot[i].name, name) == 0)
            return i;
    return -1;
}

static int param_parse(const struct op *op, const struct op_param *p, const char *text,
                       int64_t *ret_v, struct err *err)
{
    char names[OP_TEXT_MAX] = "";
    int64_t v;

    if (p->choices) {
        for (int i = 0; p->choices[i]; i++) {
            if (strcmp(p->choices[i], text) == 0) {
                *ret_v = i;
                return 0;
            }
            op_text_append(names, sizeof names, "%s%s", i ? "|" : "", p->choices[i]);
        }
        return err_set(err, -EINVAL, "%s: %s wants %s, got '%s'", op->name, p->name, names, text);
    }
    if (op_text_int(text, &v) < 0 || v < p->min || v > p->max)
        return err_set(err, -EINVAL, "%s: %s wants %" PRId64 "..%" PRId64 ", got '%s'", op->name,
                       p->name, p->min, p->max, text);
    *ret_v = v;
    return 0;
}

static int unknown_param(const struct op *op, const char *name, struct err *err)
{
    char names[OP_TEXT_MAX] = "";

    for (int i = 0; i < OP_MAX_PARAMS && op->params[i].name; i++)
        op_text_append(names, sizeof names, "%s%s", i ? ", " : "", op->params[i].name);
    return err_set(err, -EINVAL, "%s: no parameter '%s', it has %s", op->name, name,
                   *names ? names : "none");
}

int op_case_make(const char *name, enum dtype dtype, const char *params, struct op_case *ret_c,
                 struct err *err)
{
    struct op_case c = {.op = op_find(name), .dtype = dtype};
    const char *all = params;
    bool given[OP_MAX_PARAMS] = {false};
    char token[OP_TOKEN_MAX];
    int rc;

    if (!c.op)
        return op_unknown(name, err);
    if (dtype != DTYPE_F32 && dtype != DTYPE_F16)
        return err_set(err, -EINVAL, "%s: dtype wants f32|f16, got '%s'", name, dtype_name(dtype));
    while ((rc = op_text_token(&params, token)) > 0) {
        char *value = strchr(token, '=');
        int i;

        if (!value)
            return err_set(err, -EINVAL, "%s: want name=value, got '%s'", name, token);
        *value++ = '\0';
        i = op_param_index(c.op, token);
        if (i < 0)
            return unknown_param(c.op, token, err);
        if (given[i])
            return err_set(err, -EINVAL, "%s: %s is given twice", name, token);
        rc = param_parse(c.op, &c.op->params[i], value, &c.p[i], err);
        if (rc < 0)
            return rc;
        given[i] = true;
    }
    if (rc < 0)
        return err_set(err, -EINVAL, "%s: want name=value,..., got '%.200s'", name, all);
    for (int i = 0; i < OP_MAX_PARAMS && c.op->params[i].name; i++) {
        const struct op_param *p = &c.op->params[i];

        if (!given[i] && p->def < p->min)
            return err_set(err, -EINVAL, "%s: %s (%s) is missing, want %" PRId64 "..%" PRId64, name,
                           p->name, p->meaning, p->min, p->max);
        if (!given[i])
            c.p[i] = p->def;
    }
    rc = c.op->check ? c.op->check(&c, err) : 0;
    if (rc < 0)
        return rc;
    *ret_c = c;
    return 0;
}

int op_case_parse(const char *text, struct op_case *ret_c, struct err *err)
{
    char name[32], dtype[8];
    size_t n = strcspn(text, ":"), m;
    const char *rest = text + n;
    int d;

    if (*rest != ':' || n >= sizeof name)
        return err_set(err, -EINVAL, "want OP:DTYPE:name=value,..., got '%.200s'", text);
    memcpy(name, text, n);
    name[n] = '\0';
    if (!op_find(name))
        return op_unknown(name, err);
    rest++;
    m = strcspn(rest, ":");
    snprintf(dtype, sizeof dtype, "%.*s", (int)(m < 7 ? m : 7), rest);
    d = m < 7 ? dtype_parse(dtype) : -EINVAL;
    if (d < 0)
        return err_set(err, -EINVAL, "%s: dtype wants f32|f16, got '%.*s'", name,
                       (int)(m < 64 ? m : 64), rest);
    rest += m;
    return op_case_make(name, (enum dtype)d, *rest ? rest + 1 : rest, ret_c, err);
}

void op_case_params(const struct op_case *c, char text[OP_TEXT_MAX])
{
    text[0] = '\0';
    for (int i = 0; i < OP_MAX_PARAMS && c->op->params[i].name; i++) {
        const struct op_param *p = &c->op->params[i];

        if (c->p[i] == p->def)
            continue;
        op_text_append(text, OP_TEXT_MAX, "%s%s=", *text ? "," : "", p->name);
        if (p->choices)
            op_text_append(text, OP_TEXT_MAX, "%s", p->choices[c->p[i]]);
        else
            op_text_append(text, OP_TEXT_MAX, "%" PRId64, c->p[i]);
    }
}

void op_case_print(const struct op_case *c, char text[OP_TEXT_MAX])
{
    char params[OP_TEXT_MAX];

    op_case_params(c, params);
    text[0] = '\0';
    op_text_append(text, OP_TEXT_MAX, "%s:%s%s%s", c->op->name, dtype_name(c->dtype),
                   *params ? ":" : "", params);
}

int64_t op_param_get(const struct op_case *c, const char *name)
{
    int i = op_param_index(c->op, name);

    assert(i >= 0);
    return c->p[i];
}

/* ---- bytes ---- */

uint64_t op_input_bytes(const struct op_case *c)
{
    struct op_io io = {0};
    uint64_t bytes = 0;

    c->op->io(c, &io);
    for (int i = 0; i < io.n; i++)
        if (io.slot[i].role != ROLE_OUTPUT)
            bytes += tensor_bytes(&io.slot[i].desc);
    return bytes;
}

struct tensor_desc op_output(const struct op_case *c)
{
    struct op_io io;

    c->op->io(c, &io);
    return io.slot[io.n - 1].desc;
}

uint64_t op_output_bytes(const struct op_case *c)
{
    struct tensor_desc y = op_output(c);

    return tensor_bytes(&y);
}
