/* Variants of a case: what is used when nothing better is known, and their one spelling. */
#include "operators/op.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "operators/op_text.h"

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
        op_text_append(names, sizeof names, "%s%s", i ? "|" : "", op->kernels[i].name);
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
    char token[OP_TOKEN_MAX];

    while ((rc = op_text_token(&text, token)) > 0) {
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
    if (op_text_int(left, &x) < 0 || op_text_int(value + n + 1, &y) < 0)
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
    if (op_text_int(value, &x) == 0 && x == (int)x && op_tunable_has(&k->tunables[i], (int)x)) {
        v->tunable[i] = (int)x;
        return 0;
    }
    for (int j = 0; j < 8 && k->tunables[i].values[j]; j++)
        op_text_append(values, sizeof values, "%s%d", j ? "|" : "", k->tunables[i].values[j]);
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
        if (op_text_int(value, &x) < 0 || x < 0 || x > OP_MAX_LOADS)
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
    char token[OP_TOKEN_MAX];
    int rc;

    rc = variant_words(c, dev, text, &v, err);
    if (rc < 0)
        return rc;
    while ((rc = op_text_token(&rest, token)) > 0) {
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
        op_text_append(text, OP_TEXT_MAX, ",%s=%d", k->tunables[i].name, v->tunable[i]);
    if (v->lws[0])
        op_text_append(text, OP_TEXT_MAX, ",lws=%dx%d", v->lws[0], v->lws[1]);
    else
        op_text_append(text, OP_TEXT_MAX, ",lws=auto");
    if (v->n_loads)
        op_text_append(text, OP_TEXT_MAX, ",loads=%d", v->n_loads);
}

void op_variant_tile(const struct op_case *c, const struct op_variant *v, char text[OP_TEXT_MAX])
{
    const struct op_kernel *k = &c->op->kernels[v->kernel];

    text[0] = '\0';
    for (int i = 0; i < OP_MAX_TUNABLES && k->tunables[i].name; i++)
        if (strcmp(k->tunables[i].name, "ORDER") != 0)
            op_text_append(text, OP_TEXT_MAX, "%s%s=%d", *text ? "," : "", k->tunables[i].name,
                           v->tunable[i]);
}
