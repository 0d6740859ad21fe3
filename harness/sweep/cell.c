#include "harness/sweep/cell.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The next piece of *p up to `sep`, without blanks at its ends. 1, 0 at the end, -EINVAL too long.
 */
static int piece(const char **p, char sep, char *ret, size_t size, struct err *err)
{
    const char *start = *p, *end;
    size_t n;

    if (!start)
        return 0;
    end = strchr(start, sep);
    *p = end ? end + 1 : NULL;
    n = end ? (size_t)(end - start) : strlen(start);
    while (n > 0 && isblank((unsigned char)*start))
        start++, n--;
    while (n > 0 && isblank((unsigned char)start[n - 1]))
        n--;
    if (n >= size)
        return err_set(err, -EINVAL, "'%.*s...' is too long: want at most %zu characters", 20,
                       start, size - 1);
    memcpy(ret, start, n);
    ret[n] = '\0';
    return 1;
}

static bool blank(const char *text)
{
    return text[strspn(text, " \t")] == '\0';
}

static int add(struct axis *a, const char *value, struct err *err)
{
    if (a->n == CELL_VALUES)
        return err_set(err, -EINVAL, "more than %d values in one cell", CELL_VALUES);
    snprintf(a->value[a->n++], CELL_TEXT, "%s", value);
    return 0;
}

/* Digits only, so that "3x3", names and decimals are left alone. */
static bool digits(const char **p, int64_t *ret)
{
    const char *s = *p;
    int64_t v = 0;

    if (!isdigit((unsigned char)*s))
        return false;
    for (; isdigit((unsigned char)*s); s++) {
        if (v > (INT64_MAX - (*s - '0')) / 10)
            return false;
        v = v * 10 + (*s - '0');
    }
    *p = s;
    *ret = v;
    return true;
}

/* "8-64*2": 1 and the values are added; 0 if `text` is no range; -EINVAL if it is a bad one. */
static int range(const char *text, struct axis *a, struct err *err)
{
    const char *p = text;
    int64_t first, last, step = 1;
    char how = '+';

    if (!digits(&p, &first) || *p++ != '-' || !digits(&p, &last))
        return 0;
    if (*p) {
        how = *p++;
        if ((how != '+' && how != '*') || !digits(&p, &step) || *p)
            return err_set(err, -EINVAL, "bad range '%s': want FIRST-LAST, +STEP or *FACTOR", text);
    }
    if (first > last)
        return err_set(err, -EINVAL, "bad range '%s': the first is above the last", text);
    if (step < (how == '*' ? 2 : 1) || (how == '*' && first < 1))
        return err_set(err, -EINVAL, "bad range '%s': it would never end", text);
    for (int64_t v = first; v <= last; v = how == '*' ? v * step : v + step) {
        char value[CELL_TEXT];
        int rc;

        snprintf(value, sizeof(value), "%" PRId64, v);
        rc = add(a, value, err);
        if (rc < 0)
            return rc;
        if (v > INT64_MAX - step || (how == '*' && v > INT64_MAX / step))
            break;
    }
    return 1;
}

int cell_values(const char *text, struct axis *ret_axis, struct err *err)
{
    struct axis a = {.n = 0};
    char item[CELL_TEXT];
    int rc = 0;

    if (blank(text))
        text = NULL;
    while ((rc = piece(&text, '|', item, sizeof(item), err)) > 0) {
        if (!*item)
            return err_set(err, -EINVAL, "empty alternative");
        rc = range(item, &a, err);
        if (rc == 0)
            rc = add(&a, item, err);
        if (rc < 0)
            return rc;
    }
    if (rc == 0)
        *ret_axis = a;
    return rc;
}

static int axis_parse(char *text, struct axes *axes, struct err *err)
{
    struct axis *a = &axes->axis[axes->n];
    char name[CELL_TEXT];
    const char *p = text;
    int rc;

    if (!strchr(text, '='))
        return err_set(err, -EINVAL, "want NAME=VALUE, got '%s'", text);
    rc = piece(&p, '=', name, sizeof(name), err);
    if (rc < 0)
        return rc;
    if (!*name || blank(p))
        return err_set(err, -EINVAL, "want NAME=VALUE, got '%s'", text);
    for (int i = 0; i < axes->n; i++)
        if (strcmp(axes->axis[i].name, name) == 0)
            return err_set(err, -EINVAL, "'%s' is given twice", name);
    rc = cell_values(p, a, err);
    if (rc < 0)
        return err_prefix(err, "%s", name);
    memcpy(a->name, name, sizeof(name));
    axes->n++;
    return 0;
}

/* The next "NAME=VALUES" of a list separated by commas or blanks. As piece(). */
static int list_item(const char **p, char *ret, size_t size, struct err *err)
{
    const char *start = *p + strspn(*p, " \t");
    size_t n = strcspn(start, ", \t");

    if (!*start)
        return 0;
    if (n == 0)
        return err_set(err, -EINVAL, "want NAME=VALUE before ','");
    if (n >= size)
        return err_set(err, -EINVAL, "'%.20s...' is too long: want at most %zu characters", start,
                       size - 1);
    memcpy(ret, start, n);
    ret[n] = '\0';
    *p = start + n + strspn(start + n, " \t");
    if (**p == ',')
        ++*p;
    return 1;
}

int cell_axes(const char *text, struct axes *ret_axes, struct err *err)
{
    struct axes *axes = calloc(1, sizeof(*axes)); /* 130 KiB: too much for a stack */
    char item[4096];
    int rc = 0;

    if (!axes)
        return err_set(err, -ENOMEM, "out of memory");
    while ((rc = list_item(&text, item, sizeof(item), err)) > 0) {
        if (axes->n == CELL_AXES)
            rc = err_set(err, -EINVAL, "more than %d names in one cell", CELL_AXES);
        else
            rc = axis_parse(item, axes, err);
        if (rc < 0)
            break;
    }
    if (rc == 0)
        *ret_axes = *axes;
    free(axes);
    return rc;
}

bool axes_next(const struct axes *axes, int at[CELL_AXES])
{
    for (int i = axes->n - 1; i >= 0; i--) {
        if (++at[i] < axes->axis[i].n)
            return true;
        at[i] = 0;
    }
    return false;
}
