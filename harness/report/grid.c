#include "harness/report/grid.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/text/csv.h"

const struct embedded_file *report_file(const char *name)
{
    const struct embedded_file *f = report_files;

    while (f->name && strcmp(f->name, name) != 0)
        f++;
    assert(f->name);
    return f;
}

static bool is_number(const char *s)
{
    char *end;

    strtod(s, &end);
    return end != s && *end == '\0';
}

static int grid_header(struct grid *g, struct store_query *q)
{
    g->cols = store_columns(q);
    g->name = calloc((size_t)g->cols, sizeof(*g->name));
    g->text = calloc((size_t)g->cols, sizeof(*g->text));
    g->filled = calloc((size_t)g->cols, sizeof(*g->filled));
    if (!g->name || !g->text || !g->filled)
        return -ENOMEM;
    for (int c = 0; c < g->cols; c++) {
        g->name[c] = strdup(store_column_name(q, c));
        if (!g->name[c])
            return -ENOMEM;
    }
    return 0;
}

static int grid_row(struct grid *g, struct store_query *q, int *allocated)
{
    if (g->rows == *allocated) {
        int n = *allocated ? 2 * *allocated : 64;
        char **grown = realloc(g->cell, (size_t)n * (size_t)g->cols * sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        g->cell = grown;
        *allocated = n;
    }
    for (int c = 0; c < g->cols; c++) {
        const char *text = store_text(q, c);
        char **cell = &g->cell[g->rows * g->cols + c];

        *cell = text ? strdup(text) : NULL;
        if (text && !*cell) {
            while (c-- > 0)
                free(g->cell[g->rows * g->cols + c]);
            return -ENOMEM;
        }
        if (text && !is_number(text))
            g->text[c] = true;
        if (text && *text)
            g->filled[c] = true;
    }
    g->rows++;
    return 0;
}

int grid_query(struct store *st, const char *sql, int64_t device_id, struct grid *ret_g,
               struct err *err)
{
    struct grid g = {0};
    struct store_query *q = NULL;
    int allocated = 0, rc;

    rc = store_query(st, &q, err, sql, "i", device_id);
    if (rc < 0)
        return rc;
    rc = grid_header(&g, q);
    while (rc == 0) {
        rc = store_step(q, err);
        if (rc <= 0)
            break;
        rc = grid_row(&g, q, &allocated);
    }
    store_query_done(q);
    if (rc == -ENOMEM)
        err_set(err, rc, "out of memory for a table of %d rows", g.rows);
    if (rc < 0) {
        grid_done(&g);
        return rc;
    }
    *ret_g = g;
    return 0;
}

static bool alike(const struct grid *g, int at, const struct grid *more, int row, int cols)
{
    for (int c = 0; c < cols && c < g->cols; c++) {
        const char *a = grid_cell(g, at, c), *b = grid_cell(more, row, c);

        if (strcmp(a ? a : "", b ? b : "") != 0)
            return false;
    }
    return true;
}

/* The row behind the last one that begins as `row` of `more` does: in two columns, else in one. */
static int place_of(const struct grid *g, const struct grid *more, int row)
{
    for (int cols = 2; cols > 0; cols--)
        for (int at = g->rows; at > 0; at--)
            if (alike(g, at - 1, more, row, cols))
                return at;
    return g->rows;
}

int grid_join(struct grid *g, struct grid *more)
{
    size_t cols = (size_t)g->cols;
    char **grown;

    assert(g->cols == more->cols);
    if (more->rows == 0)
        return 0;
    grown = realloc(g->cell, (size_t)(g->rows + more->rows) * cols * sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    g->cell = grown;
    for (int r = 0; r < more->rows; r++) {
        int at = place_of(g, more, r);
        char **to = g->cell + (size_t)at * cols;

        memmove(to + cols, to, (size_t)(g->rows - at) * cols * sizeof(*to));
        memcpy(to, more->cell + (size_t)r * cols, cols * sizeof(*to));
        g->rows++;
    }
    for (int c = 0; c < g->cols; c++) {
        g->text[c] = g->text[c] || more->text[c];
        g->filled[c] = g->filled[c] || more->filled[c];
    }
    more->rows = 0; /* moved */
    return 0;
}

void grid_done(struct grid *g)
{
    for (int i = 0; i < g->rows * g->cols; i++)
        free(g->cell[i]);
    for (int c = 0; g->name && c < g->cols; c++)
        free(g->name[c]);
    free(g->cell);
    free(g->name);
    free(g->text);
    free(g->filled);
    *g = (struct grid){0};
}

const char *grid_cell(const struct grid *g, int row, int col)
{
    return g->cell[row * g->cols + col];
}

void grid_csv(const struct grid *g, FILE *f)
{
    for (int c = 0; c < g->cols; c++) {
        if (c)
            fputc(',', f);
        csv_put(f, g->name[c]);
    }
    fputc('\n', f);
    for (int r = 0; r < g->rows; r++) {
        for (int c = 0; c < g->cols; c++) {
            if (c)
                fputc(',', f);
            csv_put(f, grid_cell(g, r, c) ? grid_cell(g, r, c) : "");
        }
        fputc('\n', f);
    }
}

void html_text(FILE *f, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", f);
            break;
        case '<':
            fputs("&lt;", f);
            break;
        case '>':
            fputs("&gt;", f);
            break;
        case '"':
            fputs("&quot;", f);
            break;
        default:
            fputc(*text, f);
        }
    }
}

/* Three digits are more than most intervals here justify; the CSV has the rest. */
static void html_number(FILE *f, const char *cell)
{
    const char *point = strchr(cell, '.');
    double v = strtod(cell, NULL), size = v < 0 ? -v : v;
    int digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.1 || size == 0 ? 2 : 4;

    if (!point || strchr(cell, 'e'))
        fputs(cell, f);
    else
        fprintf(f, "%.*f", (int)strlen(point + 1) < digits ? (int)strlen(point + 1) : digits, v);
}

/* Text that wraps: on every screen, on small ones and paper, never. */
static const char *width_class(const char *cell)
{
    size_t n = cell ? strlen(cell) : 0;

    return n > 32 ? " long" : n > 16 ? " wide" : "";
}

static void html_row(const struct grid *g, int r, FILE *f)
{
    const char *first = grid_cell(g, r, 0), *before = r > 0 ? grid_cell(g, r - 1, 0) : NULL;
    bool again = first && before && strcmp(first, before) == 0;

    fputs(again ? "<tr>" : "<tr class=\"first\">", f);
    for (int c = 0; c < g->cols; c++) {
        const char *cell = grid_cell(g, r, c);
        bool empty = !cell || !*cell;

        if (!g->filled[c])
            continue;
        fprintf(f, "<td class=\"%s%s%s%s%s\">", g->text[c] ? "text" : "",
                strncmp(g->name[c], "paper", 5) == 0 ? " paper" : "", empty ? " empty" : "",
                again && c == 0 ? " again" : "", width_class(cell));
        if (empty)
            fputs("–", f);
        else if (strcmp(g->name[c], "item") == 0)
            fprintf(f, "<a href=\"#%s\">%s</a>", cell, cell); /* names of report_items[] */
        else if (g->text[c])
            html_text(f, cell);
        else
            html_number(f, cell);
        fputs("</td>", f);
    }
    fputs("</tr>\n", f);
}

/* A query of one column is a list of sentences. */
static void html_list(const struct grid *g, FILE *f)
{
    fputs("<ul class=\"summary\">\n", f);
    for (int r = 0; r < g->rows; r++) {
        fputs("<li>", f);
        html_text(f, grid_cell(g, r, 0) ? grid_cell(g, r, 0) : "");
        fputs("</li>\n", f);
    }
    fputs("</ul>\n", f);
}

void grid_html(const struct grid *g, FILE *f)
{
    if (g->cols == 1) {
        html_list(g, f);
        return;
    }
    fputs("<div class=\"scroll\" tabindex=\"0\"><table><thead><tr>", f);
    for (int c = 0; c < g->cols; c++) {
        if (!g->filled[c])
            continue;
        fprintf(f, "<th class=\"%s%s\">", g->text[c] ? "text" : "",
                strncmp(g->name[c], "paper", 5) == 0 ? " paper" : "");
        html_text(f, g->name[c]);
        fputs("</th>", f);
    }
    fputs("</tr></thead>\n<tbody>\n", f);
    for (int r = 0; r < g->rows; r++)
        html_row(g, r, f);
    fputs("</tbody></table></div>\n", f);
}

/* Digits that the cell shows, so that 1.18 prints as 1.18 and not as 1.18000. */
static int significant(const char *cell)
{
    int n = 0;

    for (; *cell && *cell != 'e'; cell++)
        n += *cell >= (n ? '0' : '1') && *cell <= '9';
    return n ? n : 1;
}

static char *join_names(const struct grid *g)
{
    size_t n = 1;
    char *all;

    for (int c = 0; c < g->cols; c++)
        n += strlen(g->name[c]) + 1;
    all = calloc(1, n);
    for (int c = 0; all && c < g->cols; c++) {
        assert(!strchr(g->name[c], ',')); /* table_new() separates by commas */
        if (c)
            strcat(all, ",");
        strcat(all, g->name[c]);
    }
    return all;
}

int grid_print(const struct grid *g, enum format format, FILE *f, struct err *err)
{
    char *names = join_names(g);
    struct table *t = names ? table_new(names) : NULL;
    int rc;

    free(names);
    if (!t)
        return err_set(err, -ENOMEM, "out of memory for a table");
    for (int i = 0; i < g->rows * g->cols; i++) {
        if (g->cell[i] && !g->text[i % g->cols])
            table_real(t, strtod(g->cell[i], NULL), significant(g->cell[i]));
        else
            table_text(t, g->cell[i]);
    }
    rc = table_print(t, format, f);
    table_free(t);
    return rc < 0 ? err_set(err, rc, "standard output: cannot write: is the disk full?") : 0;
}

static void tmp_path(char *out, size_t size, const char *path)
{
    snprintf(out, size, "%s.tmp", path);
}

FILE *file_begin(const char *path, struct err *err)
{
    char tmp[4096];
    FILE *f;

    tmp_path(tmp, sizeof(tmp), path);
    f = fopen(tmp, "w");
    if (!f)
        err_set(err, -errno, "'%s': cannot write: %s", tmp, strerror(errno));
    return f;
}

int file_end(FILE *f, const char *path, bool ok, struct err *err)
{
    char tmp[4096];
    bool written = !ferror(f) && fflush(f) == 0;
    int why = errno;

    tmp_path(tmp, sizeof(tmp), path);
    if (fclose(f) != 0 && written) {
        written = false;
        why = errno;
    }
    if (ok && written && rename(tmp, path) == 0)
        return 0;
    if (ok && written)
        why = errno;
    unlink(tmp);
    return ok ? err_set(err, -why, "'%s': cannot write: %s", path, strerror(why)) : 0;
}
