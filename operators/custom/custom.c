/* An operator whose kernel comes from a file: hooks that evaluate its head. */
#include "operators/custom/custom.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "operators/custom/custom_head.h"
#include "profiler/hash.h"

enum { FILE_MAX = 1 << 20 };

/* ---- hooks ---- */

static const struct custom *custom_of(const struct op_case *c)
{
    return (const struct custom *)(const void *)c->op;
}

static int slot_of(const struct op_io *io, const char *name, size_t n)
{
    for (int i = 0; i < io->n; i++)
        if (strlen(io->slot[i].name) == n && strncmp(io->slot[i].name, name, n) == 0)
            return i;
    return -1;
}

static int bind_argument(const struct scope *s, const struct op_io *io, const struct piece *p,
                         struct op_launch *l, bool bound[OP_MAX_TENSORS], struct err *err)
{
    size_t n = strlen(p->text);
    int slot = slot_of(io, p->text, n), at = -1, rc;
    int64_t v;

    if (n > 3 && strcmp(p->text + n - 3, ".at") == 0)
        at = slot_of(io, p->text, n - 3);
    if (slot >= 0) {
        bound[slot] = true;
        l->args[l->n_args++] = (signed char)(OP_ARG_TENSOR + slot);
        return 0;
    }
    if (at >= 0) {
        l->args[l->n_args++] = (signed char)(OP_ARG_OFFSET + at);
        return 0;
    }
    if (l->n_ints == OP_MAX_INTS)
        return err_set(err, -EINVAL, "%s:%d: more than %d numbers among the arguments", s->c->path,
                       p->line, OP_MAX_INTS);
    if (custom_is_word(p->text) && custom_value(s, p->text, &v) < 0)
        return err_set(err, -EINVAL, "%s:%d: this case has no tensor '%s'", s->c->path, p->line,
                       p->text);
    rc = custom_evaluate(s, p, &v, err);
    if (rc == 0 && v != (int)v)
        rc = err_set(err, -EINVAL, "%s:%d: '%s' is %" PRId64 ", arguments are int", s->c->path,
                     p->line, p->text, v);
    if (rc < 0)
        return rc;
    l->args[l->n_args++] = (signed char)(OP_ARG_INT + l->n_ints);
    l->ints[l->n_ints++] = (int)v;
    return 0;
}

static int bind_arguments(const struct scope *s, struct op_launch *l, struct err *err)
{
    const struct pieces *args = &s->c->args;
    bool bound[OP_MAX_TENSORS] = {false};
    struct op_io io = {0};
    int rc = 0;

    s->c->op.io(s->k, &io);
    for (int i = 0; i < args->n && rc == 0; i++)
        rc = bind_argument(s, &io, &args->piece[i], l, bound, err);
    for (int i = 0; i < io.n && rc == 0; i++)
        if (!bound[i])
            rc = err_set(err, -EINVAL, "%s:%d: this case has a tensor '%s', which is no argument",
                         s->c->path, args->piece[0].line, io.slot[i].name);
    return rc;
}

static int sizes(const struct scope *s, const struct pieces *p, size_t ret_size[2], struct err *err)
{
    for (int i = 0; i < p->n; i++) {
        int64_t v;
        int rc = custom_evaluate(s, &p->piece[i], &v, err);

        if (rc < 0)
            return rc;
        if (v < 1 || v > INT32_MAX)
            return err_set(err, -EINVAL, "%s:%d: '%s' is %" PRId64 ", want a size of 1 or more",
                           s->c->path, p->piece[i].line, p->piece[i].text, v);
        ret_size[i] = (size_t)v;
    }
    return 0;
}

static int add_defines(const struct scope *s, struct op_launch *l, struct err *err)
{
    size_t n = 0;

    for (int i = 0; i < s->c->defines.n; i++) {
        struct piece p = s->c->defines.piece[i];
        char *equals = strchr(p.text, '=');
        int64_t v;
        int rc;

        p.text = equals + 1;
        rc = custom_evaluate(s, &p, &v, err);
        if (rc < 0)
            return rc;
        if (n < sizeof(l->options))
            n += (size_t)snprintf(l->options + n, sizeof(l->options) - n, "%s-D%.*s=%" PRId64,
                                  n ? " " : "", (int)(equals - s->c->defines.piece[i].text),
                                  s->c->defines.piece[i].text, v);
    }
    return n < sizeof(l->options) ? 0 : err_set(err, -EINVAL, "%s: too many defines", s->c->path);
}

static int custom_launch(const struct op_case *k, const struct op_variant *v,
                         const struct device_info *dev, struct op_launch *ret_launch,
                         struct err *err)
{
    struct scope s = {.c = custom_of(k), .k = k, .v = v};
    struct op_launch l = {.gws = {1, 1}};
    size_t local[2] = {1, 1};
    int rc = 0;

    (void)dev;
    for (int i = 0; i < s.c->needs.n && rc == 0; i++) {
        int64_t ok;

        rc = custom_evaluate(&s, &s.c->needs.piece[i], &ok, err);
        if (rc == 0 && !ok)
            rc = err_set(err, -EINVAL, "%s:%d: needs %s", s.c->path, s.c->needs.piece[i].line,
                         s.c->needs.piece[i].text);
    }
    rc = rc < 0 ? rc : sizes(&s, &s.c->global, l.gws, err);
    rc = rc < 0 ? rc : sizes(&s, &s.c->local, local, err);
    for (int i = 0; s.c->local.n && i < 2; i++)
        l.lws[i] = (int)local[i];
    rc = rc < 0 ? rc : add_defines(&s, &l, err);
    rc = rc < 0 ? rc : bind_arguments(&s, &l, err);
    if (rc < 0)
        return rc == -ERANGE ? -EINVAL : rc;
    *ret_launch = l;
    return 0;
}

int custom_cost(const struct custom *c, const struct op_case *k, double *ret_flops,
                double *ret_bytes, struct err *err)
{
    struct scope s = {.c = c, .k = k};
    int64_t flops = 0, bytes = 0;
    int rc = c->flops.n ? custom_evaluate(&s, &c->flops.piece[0], &flops, err) : 0;

    if (rc == 0 && c->bytes.n)
        rc = custom_evaluate(&s, &c->bytes.piece[0], &bytes, err);
    if (rc < 0)
        return rc;
    *ret_flops = (double)flops;
    *ret_bytes = (double)bytes;
    return 0;
}

/* ---- making one ---- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static int name_it(struct custom *c, struct err *err)
{
    const char *base = base_name(c->path);
    size_t n = strlen(base);

    if (n > 3 && strcmp(base + n - 3, ".cl") == 0)
        n -= 3;
    snprintf(c->function, sizeof(c->function), "%.*s", (int)(n < 40 ? n : 40), base);
    if (n > 40 || !custom_is_word(c->function))
        return err_set(err, -EINVAL,
                       "%s: want a file name of letters, digits and _, up to 40 of "
                       "them, and .cl: it is the kernel's name, too",
                       c->path);
    snprintf(c->source, sizeof(c->source), "%s.cl", c->function);
    snprintf(c->kernel, sizeof(c->kernel), "%s@%08" PRIx64, c->function,
             hash_text(HASH_INIT, c->text) >> 32);
    return 0;
}

static int describe(struct custom *c, size_t length, struct err *err)
{
    const struct op *ours = op_find(c->agrees.text);
    struct op_kernel *k = &c->op.kernels[0];

    if (!ours) {
        op_unknown(c->agrees.text, err);
        return err_prefix(err, "%s:%d", c->path, c->agrees.line);
    }
    c->op = *ours;
    memset(c->op.kernels, 0, sizeof(c->op.kernels));
    *k = (struct op_kernel){.name = c->kernel,
                            .source = c->source,
                            .text = c->text,
                            .length = length,
                            .uses = c->uses.text ? c->uses.text : "",
                            .forms = 1u << FORM_NAIVE};
    c->op.prefer = NULL;
    c->op.launch = custom_launch;
    return custom_read_values(c, err);
}

int custom_new(const char *path, const char *text, size_t length, struct custom **ret_c,
               struct err *err)
{
    struct custom *c = calloc(1, sizeof(*c));
    char *head = NULL;
    int rc;

    if (!c || !(c->path = strdup(path)) || !(c->text = strndup(text, length))) {
        rc = err_set(err, -ENOMEM, "out of memory");
        goto out;
    }
    if (length > FILE_MAX || strlen(c->text) != length) {
        rc = err_set(err, -EINVAL, "%s: want text of at most %d bytes", path, FILE_MAX);
        goto out;
    }
    rc = name_it(c, err);
    head = strdup(c->text);
    if (rc == 0 && !head)
        rc = err_set(err, -ENOMEM, "out of memory");
    rc = rc < 0 ? rc : custom_read_head(c, head, err);
    rc = rc < 0 ? rc : describe(c, length, err);
    if (rc < 0)
        goto out;
    c->head = head;
    head = NULL;
    *ret_c = c;
    c = NULL;
out:
    free(head);
    custom_free(c);
    return rc;
}

void custom_free(struct custom *c)
{
    if (!c)
        return;
    free(c->head);
    free(c->text);
    free(c->path);
    free(c);
}

void custom_use(const struct custom *c)
{
    op_override(c ? &c->op : NULL);
}

const char *custom_op(const struct custom *c)
{
    return c->op.name;
}

const char *custom_kernel(const struct custom *c)
{
    return c->kernel;
}

const struct custom_shape *custom_shapes(const struct custom *c)
{
    return c->shape;
}

const char *custom_dtypes(const struct custom *c)
{
    return c->dtype.text ? c->dtype.text : "f32";
}

const char *custom_paths(const struct custom *c)
{
    return c->image.text ? c->image.text : "buffer";
}
