#include "harness/text/table.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "harness/text/csv.h"
#include "harness/text/units.h"

#define UPRIGHT_WIDTH 200 /* characters */
#define UPRIGHT_ROWS  6

enum cell_kind { CELL_EMPTY, CELL_TEXT, CELL_INT, CELL_REAL };

struct cell {
    enum cell_kind kind;
    int digits;
    union {
        char *text;
        int64_t i;
        double r;
    } v;
};

struct table {
    int n_columns;
    char **column; /* into names */
    char *names;
    struct cell *cell;
    size_t n, allocated;
    bool failed; /* out of memory: told by table_print() */
};

struct table *table_new(const char *columns)
{
    struct table *t = calloc(1, sizeof(*t));
    char *p;

    if (!t)
        return NULL;
    t->names = strdup(columns);
    t->n_columns = 1;
    for (const char *c = columns; *c; c++)
        t->n_columns += *c == ',';
    t->column = calloc((size_t)t->n_columns, sizeof(*t->column));
    if (!t->names || !t->column) {
        table_free(t);
        return NULL;
    }
    p = t->names;
    for (int i = 0; i < t->n_columns; i++)
        t->column[i] = strsep(&p, ",");
    return t;
}

void table_free(struct table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n; i++)
        if (t->cell[i].kind == CELL_TEXT)
            free(t->cell[i].v.text);
    free(t->cell);
    free(t->column);
    free(t->names);
    free(t);
}

static void add(struct table *t, struct cell cell)
{
    if (t->n == t->allocated) {
        size_t want = t->allocated ? 2 * t->allocated : 64;
        struct cell *more = realloc(t->cell, want * sizeof(*more));

        if (!more) {
            t->failed = true;
            if (cell.kind == CELL_TEXT)
                free(cell.v.text);
            return;
        }
        t->cell = more;
        t->allocated = want;
    }
    t->cell[t->n++] = cell;
}

void table_text(struct table *t, const char *text)
{
    char *copy = text ? strdup(text) : NULL;

    if (text && !copy)
        t->failed = true;
    add(t, copy ? (struct cell){.kind = CELL_TEXT, .v.text = copy} : (struct cell){0});
}

void table_int(struct table *t, int64_t v)
{
    add(t, (struct cell){.kind = CELL_INT, .v.i = v});
}

void table_real(struct table *t, double v, int digits)
{
    assert(digits >= 1 && digits <= 17);
    add(t,
        isnan(v) ? (struct cell){0} : (struct cell){.kind = CELL_REAL, .digits = digits, .v.r = v});
}

void table_empty(struct table *t)
{
    add(t, (struct cell){0});
}

int table_rows(const struct table *t)
{
    return (int)(t->n / (size_t)t->n_columns);
}

/* ---- cells as text ---- */

#define NUMBER_TEXT 352 /* a double in fixed notation: 309 digits, sign, point, 17 decimals */

/* `digits` significant digits, but never fewer than the whole part has: 123456, not 1.23e+05. */
static void real_for_people(char text[NUMBER_TEXT], double v, int digits)
{
    char e[32];
    int exponent;

    if (!isfinite(v)) {
        snprintf(text, NUMBER_TEXT, "%g", v);
        return;
    }
    /* The exponent after rounding: 9.996 with three digits is 10.0. */
    snprintf(e, sizeof(e), "%.*e", digits - 1, v);
    exponent = atoi(strchr(e, 'e') + 1);
    if (v != 0 && (exponent < -5 || exponent > 15))
        snprintf(text, NUMBER_TEXT, "%s", e);
    else
        snprintf(text, NUMBER_TEXT, "%.*f", exponent < digits ? digits - 1 - exponent : 0, v);
}

/* The cell's text: its own, or made in buf. */
static const char *cell_text(const struct cell *c, bool people, char buf[NUMBER_TEXT])
{
    switch (c->kind) {
    case CELL_TEXT:
        return c->v.text;
    case CELL_INT:
        snprintf(buf, NUMBER_TEXT, "%" PRId64, c->v.i);
        return buf;
    case CELL_REAL:
        if (people)
            real_for_people(buf, c->v.r, c->digits);
        else
            format_real(buf, c->v.r);
        return buf;
    case CELL_EMPTY:
        break;
    }
    return "";
}

/* Columns on a terminal, counting UTF-8 characters as one each. */
static int width(const char *text)
{
    int n = 0;

    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

/* Text on one line: what would move the cursor, or end a Markdown cell, is replaced. */
static void put_flat(FILE *f, const char *text, bool markdown)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (markdown && c == '|')
            fputs("\\|", f);
        else
            fputc(c < 0x20 || c == 0x7f ? ' ' : c, f);
    }
}

static void put_aligned(FILE *f, const char *text, int to, bool right, bool last)
{
    int pad = to - width(text);

    if (right)
        fprintf(f, "%*s", pad, "");
    put_flat(f, text, false);
    if (!right && !last)
        fprintf(f, "%*s", pad, "");
    if (!last)
        fputs("  ", f);
}

/* A column of numbers is aligned to the right; one with no values at all, to the left. */
static bool is_numeric(const struct table *t, int col)
{
    bool any = false;

    for (size_t i = (size_t)col; i < t->n; i += (size_t)t->n_columns) {
        if (t->cell[i].kind == CELL_TEXT)
            return false;
        any = any || t->cell[i].kind != CELL_EMPTY;
    }
    return any;
}

static const struct cell *cell_at(const struct table *t, int row, int col)
{
    return &t->cell[(size_t)row * (size_t)t->n_columns + (size_t)col];
}

/* A few rows that are too wide for a screen stand upright: a line for each column. */
static int print_upright(const struct table *t, FILE *f)
{
    int widths[UPRIGHT_ROWS] = {0}, names = 0, rows = table_rows(t);
    char buf[NUMBER_TEXT];

    for (int c = 0; c < t->n_columns; c++) {
        names = width(t->column[c]) > names ? width(t->column[c]) : names;
        for (int r = 0; r < rows; r++) {
            int w = width(cell_text(cell_at(t, r, c), true, buf));

            widths[r] = w > widths[r] ? w : widths[r];
        }
    }
    for (int c = 0; c < t->n_columns; c++) {
        put_aligned(f, t->column[c], names, false, false);
        for (int r = 0; r < rows; r++)
            put_aligned(f, cell_text(cell_at(t, r, c), true, buf), widths[r], true, r == rows - 1);
        fputc('\n', f);
    }
    return 0;
}

static int print_table(const struct table *t, FILE *f)
{
    int *widths = calloc((size_t)t->n_columns, sizeof(*widths));
    char buf[NUMBER_TEXT];
    int last = t->n_columns - 1, rows = table_rows(t), total = 0;

    if (!widths)
        return -ENOMEM;
    for (int c = 0; c <= last; c++) {
        widths[c] = width(t->column[c]);
        for (int r = 0; r < rows; r++) {
            int w = width(cell_text(cell_at(t, r, c), true, buf));

            if (w > widths[c])
                widths[c] = w;
        }
        total += widths[c] + 2;
    }
    if (total > UPRIGHT_WIDTH && rows > 0 && rows <= UPRIGHT_ROWS) {
        free(widths);
        return print_upright(t, f);
    }
    for (int c = 0; c <= last; c++)
        put_aligned(f, t->column[c], widths[c], is_numeric(t, c), c == last);
    fputc('\n', f);
    for (int r = 0; r < rows; r++) {
        for (int c = 0; c <= last; c++)
            put_aligned(f, cell_text(cell_at(t, r, c), true, buf), widths[c], is_numeric(t, c),
                        c == last);
        fputc('\n', f);
    }
    free(widths);
    return 0;
}

static void print_markdown(const struct table *t, FILE *f)
{
    char buf[NUMBER_TEXT];

    for (int c = 0; c < t->n_columns; c++)
        fprintf(f, "| %s ", t->column[c]);
    fputs("|\n", f);
    for (int c = 0; c < t->n_columns; c++)
        fputs(is_numeric(t, c) ? "|---:" : "|---", f);
    fputs("|\n", f);
    for (int r = 0; r < table_rows(t); r++) {
        for (int c = 0; c < t->n_columns; c++) {
            fputs("| ", f);
            put_flat(f, cell_text(cell_at(t, r, c), true, buf), true);
            fputc(' ', f);
        }
        fputs("|\n", f);
    }
}

static void print_csv(const struct table *t, FILE *f)
{
    char buf[NUMBER_TEXT];

    for (int c = 0; c < t->n_columns; c++) {
        if (c > 0)
            fputc(',', f);
        csv_put(f, t->column[c]);
    }
    fputc('\n', f);
    for (int r = 0; r < table_rows(t); r++) {
        for (int c = 0; c < t->n_columns; c++) {
            const char *text = cell_text(cell_at(t, r, c), false, buf);

            if (c > 0)
                fputc(',', f);
            if (t->n_columns == 1 && !*text)
                fputs("\"\"", f); /* an empty line is no row */
            else
                csv_put(f, text);
        }
        fputc('\n', f);
    }
}

/* ---- JSON: jansson for strings; numbers ourselves, since it knows one precision for all ---- */

/* A copy in which every byte that is not UTF-8 is U+FFFD: JSON has no other text. */
static char *valid_utf8(const char *text)
{
    size_t n = strlen(text), k = 0;
    char *out = malloc(3 * n + 1);
    json_t *probe;

    if (!out)
        return NULL;
    for (size_t i = 0; i < n;) {
        unsigned char c = (unsigned char)text[i];
        size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

        probe = len <= n - i ? json_stringn(text + i, len) : NULL;
        if (probe) {
            memcpy(out + k, text + i, len);
            k += len;
            i += len;
        } else {
            memcpy(out + k, "\xef\xbf\xbd", 3);
            k += 3;
            i++;
        }
        json_decref(probe);
    }
    out[k] = '\0';
    return out;
}

static int put_json_text(FILE *f, const char *text)
{
    json_t *s = json_string(text);
    char *dump;

    if (!s) {
        char *valid = valid_utf8(text);

        s = valid ? json_string(valid) : NULL;
        free(valid);
    }
    dump = s ? json_dumps(s, JSON_ENCODE_ANY) : NULL;
    json_decref(s);
    if (!dump)
        return -ENOMEM;
    fputs(dump, f);
    free(dump);
    return 0;
}

static int print_json(const struct table *t, FILE *f)
{
    char buf[NUMBER_TEXT];
    int rc = 0;

    fputs("[", f);
    for (int r = 0; r < table_rows(t) && rc == 0; r++) {
        fputs(r > 0 ? ",\n  {" : "\n  {", f);
        for (int c = 0; c < t->n_columns && rc == 0; c++) {
            const struct cell *cell = cell_at(t, r, c);

            if (c > 0)
                fputs(", ", f);
            rc = put_json_text(f, t->column[c]);
            fputs(": ", f);
            if (rc == 0 && cell->kind == CELL_TEXT)
                rc = put_json_text(f, cell->v.text);
            else if (cell->kind == CELL_EMPTY || (cell->kind == CELL_REAL && !isfinite(cell->v.r)))
                fputs("null", f);
            else
                fputs(cell_text(cell, false, buf), f);
        }
        fputs("}", f);
    }
    fputs(table_rows(t) > 0 ? "\n]\n" : "]\n", f);
    return rc;
}

int table_print(const struct table *t, enum format format, FILE *f)
{
    int rc = 0;

    if (t->failed)
        return -ENOMEM;
    assert(t->n % (size_t)t->n_columns == 0); /* a row was left unfinished */
    switch (format) {
    case FORMAT_TABLE:
        rc = print_table(t, f);
        break;
    case FORMAT_CSV:
        print_csv(t, f);
        break;
    case FORMAT_JSON:
        rc = print_json(t, f);
        break;
    case FORMAT_MARKDOWN:
        print_markdown(t, f);
        break;
    }
    if (rc < 0)
        return rc;
    return fflush(f) != 0 || ferror(f) ? -EIO : 0;
}
