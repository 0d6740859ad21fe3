#include "harness/text/csv.h"

#include <assert.h>
/* libcsv has a csv_error() of its own, which only returns parser.status. */
#define csv_error libcsv_error
#include <csv.h>
#undef csv_error
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/text/units.h"

#define MAX_BYTES (UINT64_C(64) << 20)
#define MAX_ROWS  1000000

/* ---- a row in the making ---- */

struct reader {
    struct csv *csv;
    const char *format; /* NULL: no version row */
    int max_version;
    const char *const *required, *const *optional;
    struct err *err;
    int rc;        /* first error */
    int line;      /* of the byte being parsed */
    int row_line;  /* of the row's first character */
    int rows_seen; /* version and header rows included */
    int rows_here; /* rows ended on this line: more than one means a bare CR */
    char *text;    /* fields of this row, each terminated */
    size_t text_n, text_allocated;
    int n_fields;
    int rows_allocated;
};

static int fail(struct reader *r, int line, int code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static int fail(struct reader *r, int line, int code, const char *fmt, ...)
{
    char what[ERR_TEXT_MAX];
    va_list ap;

    if (r->rc < 0)
        return r->rc; /* the first error is the one to tell */
    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    r->rc = err_set(r->err, code, "%s:%d: %s", r->csv->path, line, what);
    return r->rc;
}

static void on_field(void *field, size_t n, void *ctx)
{
    struct reader *r = ctx;

    if (r->rc < 0)
        return;
    if (memchr(field, '\0', n)) {
        fail(r, r->line, -EINVAL, "field %d has a zero byte: is this a text file?",
             r->n_fields + 1);
        return;
    }
    if (r->text_n + n + 1 > r->text_allocated) {
        size_t want = 2 * (r->text_n + n + 1);
        char *more = realloc(r->text, want);

        if (!more) {
            fail(r, r->line, -ENOMEM, "out of memory");
            return;
        }
        r->text = more;
        r->text_allocated = want;
    }
    memcpy(r->text + r->text_n, field, n);
    r->text[r->text_n + n] = '\0';
    r->text_n += n + 1;
    r->n_fields++;
}

/* The fields of this row in one block: pointers, then text. */
static char **take_fields(struct reader *r)
{
    size_t head = (size_t)r->n_fields * sizeof(char *);
    char **field = malloc(head + r->text_n);
    char *p;

    if (!field) {
        fail(r, r->row_line, -ENOMEM, "out of memory");
        return NULL;
    }
    p = memcpy((char *)field + head, r->text, r->text_n);
    for (int i = 0; i < r->n_fields; i++, p += strlen(p) + 1)
        field[i] = p;
    return field;
}

static bool listed(const char *const *names, const char *name)
{
    for (; names && *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

/* "FORMAT,VERSION"; spreadsheets pad it with empty fields. */
static void version_row(struct reader *r)
{
    char **field = take_fields(r);
    int64_t version;

    if (!field)
        return;
    if (strcmp(field[0], r->format) != 0 || r->n_fields < 2)
        fail(r, r->row_line, -EINVAL, "want the first row '%s,%d', got '%s%s%s'", r->format,
             r->max_version, field[0], r->n_fields > 1 ? "," : "", r->n_fields > 1 ? field[1] : "");
    else if (parse_int(field[1], 1, INT_MAX, &version, NULL) < 0)
        fail(r, r->row_line, -EINVAL, "%s version: want 1..%d, got '%s'", r->format, r->max_version,
             field[1]);
    else if (version > r->max_version)
        fail(r, r->row_line, -EINVAL,
             "%s version %d is newer than this program's, %d: use a newer flashmem", r->format,
             (int)version, r->max_version);
    else
        r->csv->version = (int)version;
    for (int i = 2; i < r->n_fields; i++)
        if (field[i][0])
            fail(r, r->row_line, -EINVAL, "want '%s,%d' and no more, got '%s' in field %d",
                 r->format, r->max_version, field[i], i + 1);
    free(field);
}

static void unknown_column(struct reader *r, const char *name)
{
    char names[512] = "";
    size_t n = 0;

    for (int k = 0; k < 2; k++)
        for (const char *const *p = k ? r->optional : r->required; p && *p; p++)
            if (n < sizeof(names))
                n += (size_t)snprintf(names + n, sizeof(names) - n, " %s", *p);
    fail(r, r->row_line, -EINVAL, "unknown column '%s', want:%s", name, names);
}

static void header_row(struct reader *r)
{
    struct csv *csv = r->csv;

    csv->column = take_fields(r);
    if (!csv->column)
        return;
    csv->n_columns = r->n_fields;
    for (int i = 0; i < csv->n_columns; i++) {
        const char *name = csv->column[i];

        for (int k = 0; k < i; k++)
            if (strcmp(csv->column[k], name) == 0)
                fail(r, r->row_line, -EINVAL, "column '%s' is there twice", name);
        if (r->required && !listed(r->required, name) && !listed(r->optional, name))
            unknown_column(r, name);
    }
    for (const char *const *p = r->required; p && *p; p++) {
        bool there = false;

        for (int i = 0; i < csv->n_columns; i++)
            there = there || strcmp(csv->column[i], *p) == 0;
        if (!there)
            fail(r, r->row_line, -EINVAL, "column '%s' is missing", *p);
    }
}

static void data_row(struct reader *r)
{
    struct csv *csv = r->csv;
    char **field;

    if (r->n_fields != csv->n_columns) {
        fail(r, r->row_line, -EINVAL, "want %d fields, got %d", csv->n_columns, r->n_fields);
        return;
    }
    if (csv->n_rows == MAX_ROWS) {
        fail(r, r->row_line, -E2BIG, "more than %d rows", MAX_ROWS);
        return;
    }
    if (csv->n_rows == r->rows_allocated) {
        int want = r->rows_allocated ? 2 * r->rows_allocated : 64;
        struct csv_row *more = realloc(csv->row, (size_t)want * sizeof(*more));

        if (!more) {
            fail(r, r->row_line, -ENOMEM, "out of memory");
            return;
        }
        csv->row = more;
        r->rows_allocated = want;
    }
    field = take_fields(r);
    if (!field)
        return;
    csv->row[csv->n_rows++] =
        (struct csv_row){.path = csv->path, .line = r->row_line, .n = r->n_fields, .field = field};
}

static void on_row(int end, void *ctx)
{
    struct reader *r = ctx;

    (void)end;
    if (r->rc < 0)
        return;
    if (++r->rows_here > 1)
        fail(r, r->line, -EINVAL, "bare carriage return: end lines with LF or CRLF");
    else if (r->format && r->rows_seen == 0)
        version_row(r);
    else if (!r->csv->column)
        header_row(r);
    else
        data_row(r);
    r->rows_seen++;
    r->text_n = 0;
    r->n_fields = 0;
}

/* ---- the file ---- */

static int read_file(const char *path, char **ret_text, size_t *ret_n, struct err *err)
{
    FILE *f = fopen(path, "rb");
    char *text = NULL;
    size_t n = 0, allocated = 0, got;
    struct stat st;
    int rc = 0;

    if (!f)
        return err_set(err, -errno, "cannot read '%s': %s", path, strerror(errno));
    if (fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size > MAX_BYTES) {
        rc = -E2BIG;
        goto out;
    }
    do {
        if (allocated - n < 65536) {
            char *more = realloc(text, allocated = allocated ? 2 * allocated : 131072);

            if (!more) {
                rc = err_set(err, -ENOMEM, "cannot read '%s': out of memory", path);
                goto out;
            }
            text = more;
        }
        got = fread(text + n, 1, allocated - n, f);
        n += got;
    } while (got > 0 && n <= MAX_BYTES);
    if (ferror(f))
        rc = err_set(err, -errno, "cannot read '%s': %s", path, strerror(errno));
    else if (n > MAX_BYTES)
        rc = -E2BIG;
out:
    if (rc == -E2BIG)
        err_set(err, rc, "cannot read '%s': larger than %d MiB", path, (int)(MAX_BYTES >> 20));
    fclose(f);
    if (rc < 0) {
        free(text);
        return rc;
    }
    *ret_text = text;
    *ret_n = n;
    return 0;
}

/* libcsv tells no line numbers, and a row may span lines. So it is fed line by line: the line is
 * ours to know, comments are seen before it sees them, and a row that begins is noticed. */
static int parse_lines(struct reader *r, struct csv_parser *p, const char *text, size_t n)
{
    bool in_row = false; /* a quoted field goes on from the line before */

    for (size_t at = 0; at < n && r->rc == 0;) {
        const char *nl = memchr(text + at, '\n', n - at);
        size_t len = nl ? (size_t)(nl - (text + at)) + 1 : n - at;

        r->line++;
        r->rows_here = 0;
        if (!in_row) {
            r->row_line = r->line;
            if (text[at] == '#') {
                at += len;
                continue;
            }
        }
        if (csv_parse(p, text + at, len, on_field, on_row, r) != len)
            fail(r, r->line, p->status == CSV_EPARSE ? -EINVAL : -ENOMEM,
                 p->status == CSV_EPARSE
                     ? "a quote inside a field: write the field as \"...\" with \"\" for each quote"
                     : "out of memory");
        in_row = p->quoted; /* only a quoted field outlives its line */
        at += len;
    }
    r->rows_here = 0;
    if (r->rc == 0 && csv_fini(p, on_field, on_row, r) != 0)
        fail(r, r->row_line, -EINVAL, "a quote opens in this row and never closes");
    return r->rc;
}

int csv_read(const char *path, const char *format, int max_version, const char *const *required,
             const char *const *optional, struct csv *ret_csv, struct err *err)
{
    struct csv csv = {.path = strdup(path)};
    struct reader r = {.csv = &csv,
                       .format = format,
                       .max_version = max_version,
                       .required = required,
                       .optional = optional,
                       .err = err};
    struct csv_parser p;
    char *text = NULL;
    size_t n = 0, bom = 0;

    if (!csv.path || csv_init(&p, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL) != 0) {
        free(csv.path);
        return err_set(err, -ENOMEM, "cannot read '%s': out of memory", path);
    }
    r.rc = read_file(path, &text, &n, err);
    if (r.rc < 0)
        goto out;
    if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        bom = 3; /* spreadsheets write a byte order mark */
    parse_lines(&r, &p, text + bom, n - bom);
    if (r.rc == 0 && format && r.rows_seen == 0)
        fail(&r, 1, -EINVAL, "empty: want the first row '%s,%d'", format, max_version);
    else if (r.rc == 0 && !csv.column)
        fail(&r, r.line ? r.line : 1, -EINVAL, "no row with the names of the columns");
out:
    csv_free(&p);
    free(text);
    free(r.text);
    if (r.rc < 0) {
        csv_done(&csv);
        return r.rc;
    }
    *ret_csv = csv;
    return 0;
}

void csv_done(struct csv *csv)
{
    for (int i = 0; i < csv->n_rows; i++)
        free((void *)csv->row[i].field);
    free(csv->row);
    free(csv->column);
    free(csv->path);
    *csv = (struct csv){0};
}

const char *csv_get(const struct csv *csv, int row, const char *column)
{
    assert(row >= 0 && row < csv->n_rows);
    for (int i = 0; i < csv->n_columns; i++)
        if (strcmp(csv->column[i], column) == 0)
            return csv->row[row].field[i];
    return "";
}

int csv_error(const struct csv *csv, int row, struct err *err, const char *fmt, ...)
{
    char what[ERR_TEXT_MAX];
    va_list ap;

    assert(row >= 0 && row < csv->n_rows);
    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    return err_set(err, -EINVAL, "%s:%d: %s", csv->path, csv->row[row].line, what);
}

void csv_put(FILE *f, const char *field)
{
    size_t n = strlen(field);
    /* Beyond RFC 4180: csv_read() trims blanks and takes a leading '#' for a comment. */
    bool quote = strpbrk(field, ",\"\r\n") || field[0] == '#' ||
                 (n > 0 && (strchr(" \t", field[0]) || strchr(" \t", field[n - 1])));

    if (!quote) {
        fputs(field, f);
        return;
    }
    fputc('"', f);
    for (const char *p = field; *p; p++) {
        if (*p == '"')
            fputc('"', f);
        fputc(*p, f);
    }
    fputc('"', f);
}
