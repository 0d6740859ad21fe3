/* "// key: value" lines: what a kernel file says of itself. */
#include "operators/custom/custom_head.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "operators/custom/expression.h"

#define MAGIC "// flashmem-kernel 1"

/* ---- what names stand for ---- */

int custom_value(const void *ctx, const char *name, int64_t *ret_v)
{
    const struct scope *s = ctx;
    const struct op *op = &s->c->op;

    *ret_v = 1;
    for (int i = 0; i < OP_MAX_TUNABLES && op->kernels[0].tunables[i].name; i++)
        if (strcmp(op->kernels[0].tunables[i].name, name) == 0) {
            if (s->v)
                *ret_v = s->v->tunable[i];
            return s->v || !(s->k || s->of_case) ? 0 : -ENOENT;
        }
    for (int i = 0; i < OP_MAX_PARAMS && op->params[i].name; i++)
        if (strcmp(op->params[i].name, name) == 0) {
            if (s->k)
                *ret_v = s->k->p[i];
            return 0;
        }
    for (int i = 0; i < OP_MAX_PARAMS && op->params[i].name; i++)
        for (int k = 0; op->params[i].choices && op->params[i].choices[k]; k++)
            if (strcmp(op->params[i].choices[k], name) == 0) {
                *ret_v = k;
                return 0;
            }
    return -ENOENT;
}

int custom_evaluate(const struct scope *s, const struct piece *p, int64_t *ret_v, struct err *err)
{
    int rc = expression_value(p->text, custom_value, s, ret_v, err);

    return rc < 0 ? err_prefix(err, "%s:%d", s->c->path, p->line) : 0;
}

/* Without a case only the spelling counts: what is 1 everywhere may well divide by zero. */
static int check_expression(const struct custom *c, const struct piece *p, struct err *err)
{
    struct scope s = {.c = c, .of_case = p == &c->flops.piece[0] || p == &c->bytes.piece[0]};
    int64_t v;
    int rc = custom_evaluate(&s, p, &v, err);

    return rc == -ERANGE ? 0 : rc;
}

bool custom_is_word(const char *text)
{
    size_t n = 0;

    while (isalnum((unsigned char)text[n]) || text[n] == '_')
        n++;
    return n > 0 && !isdigit((unsigned char)*text) && text[n] == '\0';
}

/* ---- the head ---- */

static char *trim(char *s)
{
    size_t n;

    while (isspace((unsigned char)*s))
        s++;
    n = strlen(s);
    while (n > 0 && isspace((unsigned char)s[n - 1]))
        s[--n] = '\0';
    return s;
}

static int complain(const struct custom *c, int line, struct err *err, const char *what,
                    const char *got)
{
    return err_set(err, -EINVAL, "%s:%d: %s, got '%.60s'", c->path, line, what, got);
}

/* At commas outside parentheses. */
static int split(struct custom *c, char *text, int line, struct pieces *ret, struct err *err)
{
    int depth = 0;
    char *from = text;

    for (char *p = text;; p++) {
        depth += (*p == '(') - (*p == ')');
        if (*p && !(*p == ',' && depth <= 0))
            continue;
        if (ret->n == ARGS_MAX)
            return err_set(err, -EINVAL, "%s:%d: more than %d in one list", c->path, line,
                           ARGS_MAX);
        ret->piece[ret->n].line = line;
        if (!*p) {
            ret->piece[ret->n++].text = trim(from);
            break;
        }
        *p = '\0';
        ret->piece[ret->n++].text = trim(from);
        from = p + 1;
    }
    for (int i = 0; i < ret->n; i++)
        if (!*ret->piece[i].text)
            return err_set(err, -EINVAL, "%s:%d: an empty place in the list", c->path, line);
    return 0;
}

static int set_shape(struct custom *c, char *text, int line, struct err *err)
{
    if (c->n_shapes == SHAPES_MAX)
        return err_set(err, -EINVAL, "%s:%d: more than %d shapes", c->path, line, SHAPES_MAX);
    c->shape[c->n_shapes++] = (struct custom_shape){text, line};
    return 0;
}

enum kind { ONE, LIST, SHAPE };
static const struct key {
    const char *name;
    enum kind kind;
    size_t offset;
    bool required;
} keys[] = {
    {"agrees", ONE, offsetof(struct custom, agrees), true},
    {"args", LIST, offsetof(struct custom, args), true},
    {"global", LIST, offsetof(struct custom, global), true},
    {"local", LIST, offsetof(struct custom, local), false},
    {"tunables", LIST, offsetof(struct custom, tunables), false},
    {"defines", LIST, offsetof(struct custom, defines), false},
    {"needs", LIST, offsetof(struct custom, needs), false},
    {"flops", LIST, offsetof(struct custom, flops), false},
    {"bytes", LIST, offsetof(struct custom, bytes), false},
    {"dtype", ONE, offsetof(struct custom, dtype), false},
    {"path", ONE, offsetof(struct custom, image), false},
    {"uses", ONE, offsetof(struct custom, uses), false},
    {"shape", SHAPE, 0, false},
};
enum { KEYS = sizeof(keys) / sizeof(keys[0]) };

static int set_key(struct custom *c, const char *name, char *value, int line, struct err *err)
{
    char *at = (char *)c;

    for (int i = 0; i < KEYS; i++) {
        struct piece *one = (struct piece *)(void *)(at + keys[i].offset);

        if (strcmp(keys[i].name, name) != 0)
            continue;
        if (!*value)
            return err_set(err, -EINVAL, "%s:%d: '%s:' says nothing", c->path, line, name);
        if (keys[i].kind == SHAPE)
            return set_shape(c, value, line, err);
        if (keys[i].kind == LIST)
            return split(c, value, line, (struct pieces *)(void *)one, err);
        if (one->text)
            return err_set(err, -EINVAL, "%s:%d: '%s:' a second time, the first is in line %d",
                           c->path, line, name, one->line);
        *one = (struct piece){value, line};
        return 0;
    }
    return complain(c, line, err,
                    "want agrees, args, global, local, tunables, defines, needs, "
                    "flops, bytes, dtype, path, uses or shape (an empty // line ends the head)",
                    name);
}

/* "// key: value" lines up to the first other line or an empty comment. Cuts `head` up. */
int custom_read_head(struct custom *c, char *head, struct err *err)
{
    char *line = head, *next;
    int number = 1;

    for (; line; line = next, number++) {
        char *colon, *text;
        int rc;

        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        text = trim(line);
        if (number == 1 && strcmp(text, MAGIC) != 0)
            return complain(c, 1, err, "want the first line '" MAGIC "'", text);
        if (number == 1)
            continue;
        if (strncmp(text, "//", 2) != 0 || !*trim(text + 2))
            break;
        colon = strchr(text, ':');
        if (!colon)
            return complain(c, number, err, "want '// KEY: VALUE' (an empty // line ends the head)",
                            text);
        *colon = '\0';
        rc = set_key(c, trim(text + 2), trim(colon + 1), number, err);
        if (rc < 0)
            return rc;
    }
    for (int i = 0; i < KEYS; i++) {
        const char *at = (const char *)c + keys[i].offset;
        bool there = keys[i].kind == ONE ? ((const struct piece *)(const void *)at)->text != NULL
                                         : ((const struct pieces *)(const void *)at)->n > 0;

        if (keys[i].required && !there)
            return err_set(err, -EINVAL, "%s:%d: the head ends without '%s:'", c->path, number,
                           keys[i].name);
    }
    return 0;
}

/* "TM=4|8" */
static int read_tunable(struct custom *c, struct piece *p, int i, struct err *err)
{
    struct op_tunable *t = &c->op.kernels[0].tunables[i];
    char *equals = strchr(p->text, '='), *at, *end;
    int n = 0;

    if (!equals)
        return complain(c, p->line, err, "want NAME=VALUE|VALUE...", p->text);
    *equals = '\0';
    at = equals + 1;
    t->name = trim(p->text);
    if (!custom_is_word(t->name))
        return complain(c, p->line, err, "want a name of letters, digits and _", t->name);
    for (int k = 0; k < i; k++)
        if (strcmp(c->op.kernels[0].tunables[k].name, t->name) == 0)
            return complain(c, p->line, err, "two tunables of one name", t->name);
    for (;; at = end + 1) {
        long v = strtol(at, &end, 10);

        if (end == at || v < 1 || v > 1 << 20 || (*end && *end != '|'))
            return complain(c, p->line, err, "want whole numbers 1..1048576 and | between them",
                            at);
        if (n == 8)
            return err_set(err, -EINVAL, "%s:%d: %s has more than 8 values", c->path, p->line,
                           t->name);
        t->values[n++] = (int)v;
        if (!*end)
            break;
    }
    t->def_cpu = t->def_gpu = t->values[0];
    t->meaning = "of this file";
    return 0;
}

static int check_list(const struct custom *c, const struct pieces *p, int most, struct err *err)
{
    if (p->n > most)
        return err_set(err, -EINVAL, "%s:%d: %d values, want %d at most", c->path, p->piece[0].line,
                       p->n, most);
    for (int i = 0; i < p->n; i++) {
        int rc = check_expression(c, &p->piece[i], err);

        if (rc < 0)
            return rc;
    }
    return 0;
}

static int check_defines(const struct custom *c, struct err *err)
{
    for (int i = 0; i < c->defines.n; i++) {
        struct piece p = c->defines.piece[i];
        char *equals = strchr(p.text, '=');
        size_t n = equals ? (size_t)(equals - p.text) : 0, k = 0;
        int rc;

        while (k < n && (isalnum((unsigned char)p.text[k]) || p.text[k] == '_'))
            k++;
        if (n == 0 || k < n || isdigit((unsigned char)*p.text))
            return complain(c, p.line, err, "want NAME=EXPRESSION, no blanks before =", p.text);
        p.text = equals + 1;
        rc = check_expression(c, &p, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int check_words(const struct custom *c, const struct piece *p, const char *const *words,
                       const char *want, struct err *err)
{
    const char *at = p->text;

    while (at && *at) {
        size_t n = strcspn(at, "| ");
        bool known = false;

        for (int i = 0; words[i]; i++)
            known = known || (strlen(words[i]) == n && strncmp(words[i], at, n) == 0);
        if (!known)
            return complain(c, p->line, err, want, at);
        at += n;
        at += strspn(at, "| ");
    }
    return 0;
}

/* An argument is a tensor, NAME.at, or a number. Which tensors there are depends on the case, so a
 * lone unknown word may be one; everything else must compute. */
static int check_arguments(const struct custom *c, struct err *err)
{
    for (int i = 0; i < c->args.n; i++) {
        const struct piece *p = &c->args.piece[i];
        size_t n = strlen(p->text);
        int rc;

        if (custom_is_word(p->text) || (n > 3 && strcmp(p->text + n - 3, ".at") == 0))
            continue;
        rc = check_expression(c, p, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int custom_read_values(struct custom *c, struct err *err)
{
    static const char *const dtypes[] = {"f32", "f16", NULL}, *const paths[] = {"image", "buffer",
                                                                                NULL};
    static const char *const shared[] = {"texel.cl", "math.cl", NULL};
    int rc;

    if (c->tunables.n > OP_MAX_TUNABLES)
        return err_set(err, -EINVAL, "%s:%d: %d tunables, want %d at most", c->path,
                       c->tunables.piece[0].line, c->tunables.n, OP_MAX_TUNABLES);
    for (int i = 0; i < c->tunables.n; i++) {
        rc = read_tunable(c, &c->tunables.piece[i], i, err);
        if (rc < 0)
            return rc;
    }
    rc = check_list(c, &c->global, 2, err);
    rc = rc < 0 ? rc : check_list(c, &c->local, 2, err);
    rc = rc < 0 ? rc : check_list(c, &c->needs, ARGS_MAX, err);
    rc = rc < 0 ? rc : check_list(c, &c->flops, 1, err);
    rc = rc < 0 ? rc : check_list(c, &c->bytes, 1, err);
    rc = rc < 0 ? rc : check_defines(c, err);
    rc = rc < 0 ? rc : check_words(c, &c->dtype, dtypes, "want f32, f16 or f32|f16", err);
    rc = rc < 0 ? rc : check_words(c, &c->image, paths, "want image, buffer or image|buffer", err);
    rc = rc < 0 ? rc : check_words(c, &c->uses, shared, "want texel.cl, math.cl or both", err);
    return rc < 0 ? rc : check_arguments(c, err);
}
