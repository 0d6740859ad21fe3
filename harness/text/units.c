#include "harness/text/units.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__extension__ typedef unsigned __int128 u128;

int parse_int(const char *text, int64_t min, int64_t max, int64_t *ret, struct err *err)
{
    char *end;
    long long v;
    /* strtoll skips blanks and would take " 5"; a number begins with its sign or first digit. */
    const char *digits = text + (*text == '-' || *text == '+');

    errno = 0;
    v = strtoll(text, &end, 10);
    if (!isdigit((unsigned char)*digits) || *end || errno || v < min || v > max)
        return err_set(err, -EINVAL, "want a whole number %" PRId64 "..%" PRId64 ", got '%s'", min,
                       max, text);
    *ret = v;
    return 0;
}

int parse_real(const char *text, double min, double max, double *ret, struct err *err)
{
    char lo[UNIT_TEXT], hi[UNIT_TEXT];
    char *end;
    double v;
    /* strtod also knows blanks, hexadecimal, "inf" and "nan": none of them is a setting. */
    size_t plain = strspn(text, "0123456789+-.eE");

    errno = 0;
    v = strtod(text, &end);
    /* ERANGE also covers 1e-400, which would quietly become zero. */
    if (end == text || *end || text[plain] || errno || !(v >= min && v <= max))
        return err_set(err, -EINVAL, "want a number %s..%s, got '%s'", format_real(lo, min),
                       format_real(hi, max), text);
    *ret = v;
    return 0;
}

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit byte_units[] = {
    {"", 1},
    {"B", 1},
    {"KB", UINT64_C(1000)},
    {"MB", UINT64_C(1000000)},
    {"GB", UINT64_C(1000000000)},
    {"TB", UINT64_C(1000000000000)},
    {"KiB", UINT64_C(1) << 10},
    {"MiB", UINT64_C(1) << 20},
    {"GiB", UINT64_C(1) << 30},
    {"TiB", UINT64_C(1) << 40},
    {NULL, 0},
};

static const struct unit time_units[] = {
    {"", UINT64_C(1000000000)},
    {"ns", 1},
    {"us", UINT64_C(1000)},
    {"ms", UINT64_C(1000000)},
    {"s", UINT64_C(1000000000)},
    {"m", UINT64_C(60000000000)},
    {"min", UINT64_C(60000000000)},
    {"h", UINT64_C(3600000000000)},
    {NULL, 0},
};

/* Decimal number and unit in exact arithmetic. -EINVAL: not such a number; -ERANGE: above 2^64-1;
 * -EDOM: not a whole number of bytes or ns. */
static int parse_scaled(const char *text, const struct unit *units, uint64_t *ret)
{
    u128 digits = 0, scale = 1;
    const char *p = text;
    int n = 0;

    for (bool point = false;; p++) {
        if (*p == '.' && !point && n > 0) {
            point = true;
            continue;
        }
        if (!isdigit((unsigned char)*p))
            break;
        if (digits > UINT64_MAX || scale > UINT64_C(1000000000000000000))
            return -ERANGE; /* so that the product with a unit stays below 2^128 */
        digits = digits * 10 + (unsigned)(*p - '0');
        if (point)
            scale *= 10;
        n++;
    }
    if (n == 0 || p[-1] == '.')
        return -EINVAL;
    if (*p == ' ' && p[1])
        p++; /* "12.5 MiB", as format_bytes() prints it */
    for (; units->name; units++) {
        if (strcmp(units->name, p) != 0)
            continue;
        digits *= units->factor;
        if (digits % scale)
            return -EDOM;
        if (digits / scale > UINT64_MAX)
            return -ERANGE;
        *ret = (uint64_t)(digits / scale);
        return 0;
    }
    return -EINVAL;
}

static int scaled_error(struct err *err, int rc, const char *text, const char *want,
                        const char *unit)
{
    if (rc == -ERANGE)
        return err_set(err, -EINVAL, "want at most 2^64-1 %s, got '%s'", unit, text);
    if (rc == -EDOM)
        return err_set(err, -EINVAL, "want a whole number of %s, got '%s'", unit, text);
    return err_set(err, -EINVAL, "want %s, got '%s'", want, text);
}

int parse_bytes(const char *text, uint64_t *ret, struct err *err)
{
    int rc = parse_scaled(text, byte_units, ret);

    if (rc < 0)
        return scaled_error(err, rc, text, "a size such as 4096, 500MiB or 1.5GB", "bytes");
    return 0;
}

int parse_time_ns(const char *text, uint64_t *ret, struct err *err)
{
    int rc = parse_scaled(text, time_units, ret);

    if (rc < 0)
        return scaled_error(err, rc, text, "a time such as 150s, 20ms, 3us, 2m or 1h", "ns");
    return 0;
}

char *format_bytes(char text[UNIT_TEXT], uint64_t bytes)
{
    static const char *const names[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double x = (double)bytes / 1024;
    size_t i = 0;

    if (bytes < 1024) {
        snprintf(text, UNIT_TEXT, "%" PRIu64 " B", bytes);
        return text;
    }
    /* 1023.95 and more would print as "1024.0". */
    for (; x >= 1023.95 && i + 1 < sizeof(names) / sizeof(names[0]); i++)
        x /= 1024;
    snprintf(text, UNIT_TEXT, "%.1f %s", x, names[i]);
    return text;
}

char *format_time(char text[UNIT_TEXT], double ns)
{
    static const struct {
        const char *name;
        double ns, below;
    } units[] = {
        {"ns", 1, 999.5},  {"us", 1e3, 999.5},   {"ms", 1e6, 999.5},
        {"s", 1e9, 599.5}, {"min", 60e9, 119.5}, {"h", 3600e9, INFINITY},
    };
    size_t i = 0;
    double x, a;

    if (isnan(ns)) {
        text[0] = '\0';
        return text;
    }
    while (isfinite(units[i].below) && !(fabs(ns) / units[i].ns < units[i].below))
        i++;
    x = ns / units[i].ns;
    a = fabs(x);
    /* Three significant digits; whole nanoseconds stay whole. */
    snprintf(text, UNIT_TEXT, "%.*f %s",
             x == floor(x) && i == 0 ? 0
             : a < 9.995             ? 2
                                     : a < 99.95,
             x, units[i].name);
    return text;
}

char *format_real(char text[UNIT_TEXT], double x)
{
    if (isnan(x)) {
        text[0] = '\0';
        return text;
    }
    if (x == floor(x) && fabs(x) < 1e15) { /* "100", not "1e+02" */
        snprintf(text, UNIT_TEXT, "%.0f", x);
        return text;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, UNIT_TEXT, "%.*g", digits, x);
        if (strtod(text, NULL) == x)
            break;
    }
    return text;
}
