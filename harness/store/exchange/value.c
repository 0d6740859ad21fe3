#include "harness/store/exchange/value.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/store/exchange/stage.h"
#include "harness/text/csv.h"
#include "harness/text/units.h"

void value_put(FILE *f, sqlite3_stmt *q, int col)
{
    const unsigned char *blob;
    const char *text;
    char number[UNIT_TEXT];

    switch (sqlite3_column_type(q, col)) {
    case SQLITE_INTEGER:
        fprintf(f, "%" PRId64, (int64_t)sqlite3_column_int64(q, col));
        break;
    case SQLITE_FLOAT:
        fputs(format_real(number, sqlite3_column_double(q, col)), f);
        break;
    case SQLITE_TEXT:
        text = (const char *)sqlite3_column_text(q, col);
        if (text && *text)
            csv_put(f, text);
        else
            fputs("\"\"", f);
        break;
    case SQLITE_BLOB:
        blob = sqlite3_column_blob(q, col);
        if (sqlite3_column_bytes(q, col) == 0)
            fputs("\"\"", f);
        for (int i = 0; i < sqlite3_column_bytes(q, col); i++)
            fprintf(f, "%02x", blob[i]);
        break;
    default: /* NULL */
        break;
    }
}

static int digit(char c)
{
    const char *all = "0123456789abcdef", *at = c ? strchr(all, tolower((unsigned char)c)) : NULL;

    return at ? (int)(at - all) : -1;
}

static int bind_blob(sqlite3_stmt *q, int i, const char *text, size_t n, struct err *err)
{
    unsigned char *blob = malloc(n / 2 + 1);
    int rc = !blob ? SQLITE_NOMEM : n % 2 == 0 ? SQLITE_OK : SQLITE_ERROR;

    for (size_t k = 0; k + 1 < n && rc == SQLITE_OK; k += 2) {
        int high = digit(text[k]), low = digit(text[k + 1]);

        if (high < 0 || low < 0)
            rc = SQLITE_ERROR;
        else
            blob[k / 2] = (unsigned char)(high << 4 | low);
    }
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_blob64(q, i, blob, n / 2, SQLITE_TRANSIENT);
    free(blob);
    if (rc == SQLITE_ERROR)
        return err_set(err, -EINVAL, "want two hexadecimal digits for each byte, got '%.40s'",
                       text);
    return rc == SQLITE_OK ? 0 : err_set(err, -ENOMEM, "out of memory");
}

int value_bind(sqlite3_stmt *q, int i, enum store_type type, const char *text, size_t n,
               struct err *err)
{
    int64_t v;
    double x;
    char *end;
    int rc;

    if (!text) {
        rc = sqlite3_bind_null(q, i);
    } else if (type == STORE_BLOB) {
        return bind_blob(q, i, text, n, err);
    } else if (type == STORE_TEXT) {
        rc = stage_check_text(text, n, err);
        if (rc < 0)
            return rc;
        rc = sqlite3_bind_text(q, i, text, (int)n, SQLITE_TRANSIENT);
    } else if (type == STORE_INT) {
        if (strlen(text) != n || parse_int(text, INT64_MIN, INT64_MAX, &v, NULL) < 0)
            return err_set(err, -EINVAL, "want a whole number of 64 bits, got '%.40s'", text);
        rc = sqlite3_bind_int64(q, i, v);
    } else {
        x = strtod(text, &end); /* infinite errors of wrong results are "inf" */
        if (end == text || end != text + n || isspace((unsigned char)*text) || isnan(x))
            return err_set(err, -EINVAL, "want a number, got '%.40s'", text);
        rc = sqlite3_bind_double(q, i, x);
    }
    return rc == SQLITE_OK ? 0 : err_set(err, -ENOMEM, "out of memory");
}
