/* A recursive descent that computes as it reads: texts are short and read a few times. */
#include "operators/custom/expression.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 64, NAME_MAX_BYTES = 32 };

struct reader {
    const char *text, *at;
    expression_name *name;
    const void *ctx;
    struct err *err;
    int rc, depth;
};

static int64_t any_of(struct reader *r);

static int64_t fail(struct reader *r, int code, const char *what)
{
    if (r->rc == 0)
        r->rc = err_set(r->err, code, "'%s': %s at '%.20s'", r->text, what, r->at);
    return 0;
}

static void blanks(struct reader *r)
{
    while (isspace((unsigned char)*r->at))
        r->at++;
}

static int take(struct reader *r, const char *token)
{
    size_t n = strlen(token);

    blanks(r);
    if (strncmp(r->at, token, n) != 0)
        return 0;
    /* "<" is no "<=", "!" no "!=" */
    if (n == 1 && strchr("<>!=", *token) && r->at[1] == '=')
        return 0;
    r->at += n;
    return 1;
}

static int64_t divided(struct reader *r, int64_t a, int64_t b, int what)
{
    if (b == 0)
        return fail(r, -ERANGE, "division by zero");
    if (a == INT64_MIN && b == -1)
        return fail(r, -ERANGE, "overflow");
    return what == '%' ? a % b : a / b;
}

static int64_t rounded_up(struct reader *r, int64_t x, int64_t y, int divide)
{
    int64_t part = y > 0 ? x % y : 0, q;

    if (y <= 0 || x < 0)
        return fail(r, -ERANGE, "up and div_up want x >= 0, y > 0");
    q = x / y + (part > 0);
    if (divide)
        return q;
    return __builtin_mul_overflow(q, y, &q) ? fail(r, -ERANGE, "overflow") : q;
}

static int64_t called(struct reader *r, const char *name)
{
    int64_t x = any_of(r), y = 0;

    if (!take(r, ","))
        return fail(r, -EINVAL, "want ',' and a second argument");
    y = any_of(r);
    if (!take(r, ")"))
        return fail(r, -EINVAL, "want ')'");
    if (r->rc < 0)
        return 0;
    if (strcmp(name, "min") == 0)
        return x < y ? x : y;
    if (strcmp(name, "max") == 0)
        return x > y ? x : y;
    if (strcmp(name, "up") == 0 || strcmp(name, "div_up") == 0)
        return rounded_up(r, x, y, name[0] == 'd');
    return fail(r, -EINVAL, "the functions are up, div_up, min and max: none of them ends");
}

static int64_t named(struct reader *r)
{
    char name[NAME_MAX_BYTES];
    const char *from = r->at;
    size_t n = 0;
    int64_t v = 0;

    while (isalnum((unsigned char)from[n]) || from[n] == '_')
        n++;
    if (n >= sizeof(name))
        return fail(r, -EINVAL, "a long name begins");
    memcpy(name, from, n);
    name[n] = '\0';
    r->at += n;
    if (take(r, "("))
        return called(r, name);
    if (r->name(r->ctx, name, &v) < 0) {
        r->at = from;
        return fail(r, -EINVAL, "there is no such name");
    }
    return v;
}

static int64_t unary(struct reader *r)
{
    int64_t v = 0;
    char *end;

    if (r->rc < 0)
        return 0;
    if (++r->depth > DEPTH_MAX)
        return fail(r, -EINVAL, "nested too deeply");
    blanks(r);
    if (take(r, "!")) {
        v = !unary(r);
    } else if (take(r, "-")) {
        v = unary(r);
        v = v == INT64_MIN ? fail(r, -ERANGE, "overflow") : -v;
    } else if (take(r, "(")) {
        v = any_of(r);
        if (!take(r, ")"))
            v = fail(r, -EINVAL, "want ')'");
    } else if (isdigit((unsigned char)*r->at)) {
        errno = 0;
        v = strtoll(r->at, &end, 10);
        if (errno)
            v = fail(r, -ERANGE, "overflow");
        r->at = end;
        if (isalpha((unsigned char)*r->at) || *r->at == '_')
            v = fail(r, -EINVAL, "want an operator");
    } else if (isalpha((unsigned char)*r->at) || *r->at == '_') {
        v = named(r);
    } else {
        v = fail(r, -EINVAL, *r->at ? "want a number or a name" : "something is missing");
    }
    r->depth--;
    return v;
}

static int64_t product(struct reader *r)
{
    int64_t a = unary(r);

    while (r->rc == 0) {
        if (take(r, "*")) {
            int64_t b = unary(r);

            if (__builtin_mul_overflow(a, b, &a))
                return fail(r, -ERANGE, "overflow");
        } else if (take(r, "/")) {
            int64_t b = unary(r);

            a = r->rc < 0 ? 0 : divided(r, a, b, '/');
        } else if (take(r, "%")) {
            int64_t b = unary(r);

            a = r->rc < 0 ? 0 : divided(r, a, b, '%');
        } else {
            break;
        }
    }
    return a;
}

static int64_t sum(struct reader *r)
{
    int64_t a = product(r);

    while (r->rc == 0) {
        int64_t b;

        if (take(r, "+")) {
            b = product(r);
            if (__builtin_add_overflow(a, b, &a))
                return fail(r, -ERANGE, "overflow");
        } else if (take(r, "-")) {
            b = product(r);
            if (__builtin_sub_overflow(a, b, &a))
                return fail(r, -ERANGE, "overflow");
        } else {
            break;
        }
    }
    return a;
}

static int64_t comparison(struct reader *r)
{
    int64_t a = sum(r);

    if (take(r, "=="))
        return a == sum(r);
    if (take(r, "!="))
        return a != sum(r);
    if (take(r, "<="))
        return a <= sum(r);
    if (take(r, ">="))
        return a >= sum(r);
    if (take(r, "<"))
        return a < sum(r);
    if (take(r, ">"))
        return a > sum(r);
    return a;
}

static int64_t all_of(struct reader *r)
{
    int64_t a = comparison(r);

    while (r->rc == 0 && take(r, "&&")) {
        int64_t b = comparison(r);

        a = a && b;
    }
    return a;
}

static int64_t any_of(struct reader *r)
{
    int64_t a;

    if (++r->depth > DEPTH_MAX)
        return fail(r, -EINVAL, "nested too deeply");
    a = all_of(r);
    while (r->rc == 0 && take(r, "||")) {
        int64_t b = all_of(r);

        a = a || b;
    }
    r->depth--;
    return a;
}

int expression_value(const char *text, expression_name *name, const void *ctx, int64_t *ret_v,
                     struct err *err)
{
    struct reader r = {.text = text, .at = text, .name = name, .ctx = ctx, .err = err};
    int64_t v = any_of(&r);

    blanks(&r);
    if (r.rc == 0 && *r.at)
        fail(&r, -EINVAL, "want an operator");
    if (r.rc < 0)
        return r.rc;
    *ret_v = v;
    return 0;
}
