/* The operator table, and the one spelling of cases and variants. */
#include "operators/op.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "operators/kernels.h"

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

/* ---- the table's own consistency ---- */

static bool tunable_has(const struct op_tunable *t, int value)
{
    for (int i = 0; i < 8 && t->values[i]; i++)
        if (t->values[i] == value)
            return true;
    return false;
}

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

        if (!tunable_has(t, t->def_cpu) || !tunable_has(t, t->def_gpu))
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

enum { TOKEN_MAX = 64 };

/* Next token up to a comma; *text moves behind it. 1, 0 at the end, -EINVAL if it is too long or
 * the text ends in a comma. */
static int next_token(const char **text, char token[TOKEN_MAX])
{
    size_t n = strcspn(*text, ",");

    if (**text == '\0')
        return 0;
    if (n >= TOKEN_MAX)
        return -EINVAL;
    memcpy(token, *text, n);
    token[n] = '\0';
    *text += n;
    if (**text == ',') {
        ++*text;
        if (**text == '\0')
            return -EINVAL;
    }
    return 1;
}

/* Decimal digits with an optional sign, all of them. */
static int parse_int(const char *text, int64_t *ret_v)
{
    char *end;
    long long v;

    if (!isdigit((unsigned char)*text) && *text != '-')
        return -EINVAL;
    errno = 0;
    v = strtoll(text, &end, 10);
    if (errno || end == text || *end)
        return -EINVAL;
    *ret_v = v;
    return 0;
}

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

/* snprintf() at the end of a text that has room by its limits. */
static void append(char *text, size_t room, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void append(char *text, size_t room, const char *fmt, ...)
{
    size_t n = strlen(text);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text + n, room - n, fmt, ap);
    va_end(ap);
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
            append(names, sizeof names, "%s%s", i ? "|" : "", p->choices[i]);
        }
        return err_set(err, -EINVAL, "%s: %s wants %s, got '%s'", op->name, p->name, names, text);
    }
    if (parse_int(text, &v) < 0 || v < p->min || v > p->max)
        return err_set(err, -EINVAL, "%s: %s wants %" PRId64 "..%" PRId64 ", got '%s'", op->name,
                       p->name, p->min, p->max, text);
    *ret_v = v;
    return 0;
}

static int unknown_param(const struct op *op, const char *name, struct err *err)
{
    char names[OP_TEXT_MAX] = "";

    for (int i = 0; i < OP_MAX_PARAMS && op->params[i].name; i++)
        append(names, sizeof names, "%s%s", i ? ", " : "", op->params[i].name);
    return err_set(err, -EINVAL, "%s: no parameter '%s', it has %s", op->name, name,
                   *names ? names : "none");
}

int op_case_make(const char *name, enum dtype dtype, const char *params, struct op_case *ret_c,
                 struct err *err)
{
    struct op_case c = {.op = op_find(name), .dtype = dtype};
    const char *all = params;
    bool given[OP_MAX_PARAMS] = {false};
    char token[TOKEN_MAX];
    int rc;

    if (!c.op)
        return err_set(err, -EINVAL, "no operator '%s'", name);
    if (dtype != DTYPE_F32 && dtype != DTYPE_F16)
        return err_set(err, -EINVAL, "%s: dtype wants f32|f16, got '%s'", name, dtype_name(dtype));
    while ((rc = next_token(&params, token)) > 0) {
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
        return err_set(err, -EINVAL, "no operator '%s'", name);
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
        append(text, OP_TEXT_MAX, "%s%s=", *text ? "," : "", p->name);
        if (p->choices)
            append(text, OP_TEXT_MAX, "%s", p->choices[c->p[i]]);
        else
            append(text, OP_TEXT_MAX, "%" PRId64, c->p[i]);
    }
}

void op_case_print(const struct op_case *c, char text[OP_TEXT_MAX])
{
    char params[OP_TEXT_MAX];

    op_case_params(c, params);
    text[0] = '\0';
    append(text, OP_TEXT_MAX, "%s:%s%s%s", c->op->name, dtype_name(c->dtype), *params ? ":" : "",
           params);
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

uint64_t op_output_bytes(const struct op_case *c)
{
    struct op_io io = {0};

    c->op->io(c, &io);
    return tensor_bytes(&io.slot[io.n - 1].desc);
}

/* ---- variants ---- */

static int tunable_default(const struct op_tunable *t, const struct device_info *dev)
{
    return dev->type == DEVICE_CPU ? t->def_cpu : t->def_gpu;
}

static void tunable_defaults(const struct op_kernel *k, const struct device_info *dev,
                             struct op_variant *v)
{
    for (int i = 0; i < OP_MAX_TUNABLES && k->tunables[i].name; i++)
        if (!v->tunable[i])
            v->tunable[i] = tunable_default(&k->tunables[i], dev);
}

void op_variant_default(const struct op_case *c, const struct device_info *dev, enum mem_path path,
                        struct op_variant *ret_v)
{
    struct op_variant v = {.path = path};

    if (c->op->prefer)
        c->op->prefer(c, dev, &v);
    tunable_defaults(&c->op->kernels[v.kernel], dev, &v); /* what prefer() left open */
    *ret_v = v;
}

static int kernel_index(const struct op *op, const char *name)
{
    for (int i = 0; i < OP_MAX_KERNELS && op->kernels[i].name; i++)
        if (strcmp(op->kernels[i].name, name) == 0)
            return i;
    return -1;
}

static int unknown_word(const struct op *op, const char *token, struct err *err)
{
    char names[OP_TEXT_MAX] = "";

    for (int i = 0; i < OP_MAX_KERNELS && op->kernels[i].name; i++)
        append(names, sizeof names, "%s%s", i ? "|" : "", op->kernels[i].name);
    return err_set(err, -EINVAL,
                   "variant of %s: want image|buffer, a kernel (%s), "
                   "naive|branching|pipelined|copy, TUNABLE=N, lws=XxY or loads=N, got '%s'",
                   op->name, names, token);
}

/* The words of a variant: they come first, because the numbers' defaults depend on them. */
static int variant_words(const struct op_case *c, const struct device_info *dev, const char *text,
                         struct op_variant *v, struct err *err)
{
    int path = -1, kernel = -1, form = -1, rc;
    char token[TOKEN_MAX];

    while ((rc = next_token(&text, token)) > 0) {
        if (strchr(token, '='))
            continue;
        if (path < 0 && mem_path_parse(token) >= 0)
            path = mem_path_parse(token);
        else if (form < 0 && op_form_parse(token) >= 0)
            form = op_form_parse(token);
        else if (kernel < 0 && kernel_index(c->op, token) >= 0)
            kernel = kernel_index(c->op, token);
        else
            return unknown_word(c->op, token, err);
    }
    if (rc < 0)
        return unknown_word(c->op, text, err);
    op_variant_default(c, dev,
                       path >= 0     ? (enum mem_path)path
                       : dev->images ? PATH_IMAGE
                                     : PATH_BUFFER,
                       v);
    if (kernel >= 0 && kernel != v->kernel) {
        *v = (struct op_variant){.path = v->path, .kernel = kernel};
        tunable_defaults(&c->op->kernels[kernel], dev, v);
    }
    if (form >= 0) {
        v->form = (enum op_form)form;
        v->n_loads = form == FORM_NAIVE ? 0 : 1;
    }
    return 0;
}

static int lws_parse(const char *value, int ret_lws[2])
{
    int64_t x, y;
    char left[16];
    size_t n = strcspn(value, "x");

    if (strcmp(value, "auto") == 0) {
        ret_lws[0] = ret_lws[1] = 0;
        return 0;
    }
    if (value[n] != 'x' || n >= sizeof left)
        return -EINVAL;
    memcpy(left, value, n);
    left[n] = '\0';
    if (parse_int(left, &x) < 0 || parse_int(value + n + 1, &y) < 0)
        return -EINVAL;
    if (x < 1 || y < 1 || x > 65536 || y > 65536)
        return -EINVAL;
    ret_lws[0] = (int)x;
    ret_lws[1] = (int)y;
    return 0;
}

static int tunable_parse(const struct op *op, struct op_variant *v, const char *name,
                         const char *value, struct err *err)
{
    const struct op_kernel *k = &op->kernels[v->kernel];
    char values[OP_TEXT_MAX] = "";
    int64_t x;
    int i;

    for (i = 0; i < OP_MAX_TUNABLES && k->tunables[i].name; i++)
        if (strcmp(k->tunables[i].name, name) == 0)
            break;
    if (i == OP_MAX_TUNABLES || !k->tunables[i].name)
        return err_set(err, -EINVAL, "variant of %s: kernel '%s' has no tunable '%s'", op->name,
                       k->name, name);
    if (parse_int(value, &x) == 0 && x == (int)x && tunable_has(&k->tunables[i], (int)x)) {
        v->tunable[i] = (int)x;
        return 0;
    }
    for (int j = 0; j < 8 && k->tunables[i].values[j]; j++)
        append(values, sizeof values, "%s%d", j ? "|" : "", k->tunables[i].values[j]);
    return err_set(err, -EINVAL, "variant of %s: %s wants %s, got '%s'", op->name, name, values,
                   value);
}

static int variant_number(const struct op *op, struct op_variant *v, const char *name,
                          const char *value, struct err *err)
{
    int64_t x;

    if (strcmp(name, "lws") == 0) {
        if (lws_parse(value, v->lws) < 0)
            return err_set(err, -EINVAL, "variant of %s: lws wants XxY or auto, got '%s'", op->name,
                           value);
        return 0;
    }
    if (strcmp(name, "loads") == 0) {
        if (parse_int(value, &x) < 0 || x < 0 || x > OP_MAX_LOADS)
            return err_set(err, -EINVAL, "variant of %s: loads wants 0..%d, got '%s'", op->name,
                           OP_MAX_LOADS, value);
        v->n_loads = (int)x;
        return 0;
    }
    return tunable_parse(op, v, name, value, err);
}

/* A variant that no text made, e.g. from the database, is checked by op_program_new(). */
int op_variant_parse(const struct op_case *c, const struct device_info *dev, const char *text,
                     struct op_variant *ret_v, struct err *err)
{
    const char *rest = text;
    struct op_variant v;
    char token[TOKEN_MAX];
    int rc;

    rc = variant_words(c, dev, text, &v, err);
    if (rc < 0)
        return rc;
    while ((rc = next_token(&rest, token)) > 0) {
        char *value = strchr(token, '=');

        if (!value)
            continue;
        *value++ = '\0';
        rc = variant_number(c->op, &v, token, value, err);
        if (rc < 0)
            return rc;
    }
    if (!op_has_form(&c->op->kernels[v.kernel], v.form))
        return err_set(err, -EINVAL, "variant of %s: kernel '%s' has no %s form", c->op->name,
                       c->op->kernels[v.kernel].name, op_form_name(v.form));
    if ((v.form == FORM_NAIVE) != (v.n_loads == 0))
        return err_set(err, -EINVAL, "variant of %s: %s form with loads=%d, want %s", c->op->name,
                       op_form_name(v.form), v.n_loads, v.form == FORM_NAIVE ? "0" : "1..4");
    *ret_v = v;
    return 0;
}

void op_variant_print(const struct op_case *c, const struct op_variant *v, char text[OP_TEXT_MAX])
{
    const struct op_kernel *k = &c->op->kernels[v->kernel];

    snprintf(text, OP_TEXT_MAX, "%s,%s,%s", mem_path_name(v->path), k->name, op_form_name(v->form));
    for (int i = 0; i < OP_MAX_TUNABLES && k->tunables[i].name; i++)
        append(text, OP_TEXT_MAX, ",%s=%d", k->tunables[i].name, v->tunable[i]);
    if (v->lws[0])
        append(text, OP_TEXT_MAX, ",lws=%dx%d", v->lws[0], v->lws[1]);
    else
        append(text, OP_TEXT_MAX, ",lws=auto");
    if (v->n_loads)
        append(text, OP_TEXT_MAX, ",loads=%d", v->n_loads);
}

void op_variant_tile(const struct op_case *c, const struct op_variant *v, char text[OP_TEXT_MAX])
{
    const struct op_kernel *k = &c->op->kernels[v->kernel];

    text[0] = '\0';
    for (int i = 0; i < OP_MAX_TUNABLES && k->tunables[i].name; i++)
        if (strcmp(k->tunables[i].name, "ORDER") != 0)
            append(text, OP_TEXT_MAX, "%s%s=%d", *text ? "," : "", k->tunables[i].name,
                   v->tunable[i]);
}
