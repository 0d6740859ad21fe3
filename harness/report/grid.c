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
    if (!g->name || !g->text)
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

void grid_done(struct grid *g)
{
    for (int i = 0; i < g->rows * g->cols; i++)
        free(g->cell[i]);
    for (int c = 0; g->name && c < g->cols; c++)
        free(g->name[c]);
    free(g->cell);
    free(g->name);
    free(g->text);
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

void grid_html(const struct grid *g, FILE *f)
{
    fputs("<div class=\"scroll\"><table><thead><tr>", f);
    for (int c = 0; c < g->cols; c++) {
        fprintf(f, "<th class=\"%s%s\">", g->text[c] ? "text" : "",
                strncmp(g->name[c], "paper", 5) == 0 ? " paper" : "");
        html_text(f, g->name[c]);
        fputs("</th>", f);
    }
    fputs("</tr></thead>\n<tbody>\n", f);
    for (int r = 0; r < g->rows; r++) {
        fputs("<tr>", f);
        for (int c = 0; c < g->cols; c++) {
            const char *cell = grid_cell(g, r, c);

            fprintf(f, "<td class=\"%s%s%s\">", g->text[c] ? "text" : "",
                    strncmp(g->name[c], "paper", 5) == 0 ? " paper" : "",
                    cell && *cell ? "" : " empty");
            html_text(f, cell && *cell ? cell : "–");
            fputs("</td>", f);
        }
        fputs("</tr>\n", f);
    }
    fputs("</tbody></table></div>\n", f);
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
            table_real(t, strtod(g->cell[i], NULL), 6);
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
