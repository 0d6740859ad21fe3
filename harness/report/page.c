#include "harness/report/page.h"

#include <ctype.h>
#include <string.h>

#define MANY_ROWS 60 /* of a folded table: printing leaves it folded */

/* The picture itself, without the XML prologue; false: there is none. */
static bool put_svg(FILE *out, const struct report_item *item, const char *dir)
{
    char path[4096], line[8192];
    bool on = false;
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s.svg", dir, item->name);
    f = fopen(path, "r");
    if (!f)
        return false;
    while (fgets(line, sizeof(line), f)) {
        const char *p = line;

        if (!on) {
            p = strstr(line, "<svg");
            on = p != NULL;
        }
        if (on)
            fputs(p, out);
    }
    fclose(f);
    return on;
}

static void put_note(FILE *f, const char *note)
{
    if (!note)
        return;
    fputs("<p class=\"aside\">", f);
    html_text(f, note);
    fputs("</p>\n", f);
}

static void put_figure(FILE *f, const struct report_item *item, const char *dir)
{
    bool drawn;

    fputs("<figure>\n", f);
    drawn = put_svg(f, item, dir);
    if (!drawn)
        fputs("<p class=\"note\">Not drawn: gnuplot was not there. The data and the script "
              "are.</p>\n",
              f);
    fputs("<figcaption>", f);
    html_text(f, item->caption);
    fprintf(f, " <a href=\"%s.csv\">Data</a>, <a href=\"%s.gp\">script</a>", item->name,
            item->name);
    if (drawn)
        fprintf(f, ", <a href=\"%s.pdf\">PDF</a>, <a href=\"%s.png\">PNG</a>", item->name,
                item->name);
    fputs(".</figcaption></figure>\n", f);
}

/* The query behind the rows, as it was run. */
static void put_query(FILE *f, const char *sql, const char *said)
{
    fprintf(f, "<details><summary>%s</summary><pre>", said);
    html_text(f, report_file(sql)->text);
    fputs("</pre></details>\n", f);
}

static void put_sentence(FILE *f, const char *words)
{
    if (!*words)
        return;
    fputc(toupper((unsigned char)*words), f);
    html_text(f, words + 1);
    fputc('.', f);
}

/* Rows of findings.sql that name this item: what the paper says, what each device shows, why. */
static void put_findings(FILE *f, const struct report_item *item, const struct grid *findings)
{
    const char *said = NULL;

    for (int r = 0; r < findings->rows; r++) {
        const char *says = grid_cell(findings, r, 1), *verdict = grid_cell(findings, r, 4),
                   *why = grid_cell(findings, r, 5);
        bool again = said && strcmp(said, says) == 0; /* of another device */

        if (strcmp(grid_cell(findings, r, 0), item->name) != 0)
            continue;
        if (!again) {
            fputs(said ? "</p>\n" : "", f);
            fputs("<p class=\"finding\">The paper: ", f);
            html_text(f, says);
            fputs(".", f);
        }
        said = says;
        fprintf(f, "<br><b class=\"%c\">", verdict ? verdict[0] : '-');
        html_text(f, verdict ? verdict : "");
        fputs("</b> ", f);
        html_text(f, grid_cell(findings, r, 2));
        fputs(": ", f);
        html_text(f, grid_cell(findings, r, 3));
        fputs(". <i>", f);
        put_sentence(f, why ? why : "");
        fputs("</i>", f);
    }
    if (said)
        fputs("</p>\n", f);
}

static void put_part(FILE *f, const struct report_item *item)
{
    fputs("<h2>", f);
    html_text(f, item->part);
    fputs("</h2>\n", f);
    if (item->opening) {
        fputs("<p>", f);
        html_text(f, item->opening);
        fputs("</p>\n", f);
    }
}

static void put_item(FILE *f, const struct report_item *item, const struct grid *g,
                     const struct grid *findings, const char *dir)
{
    if (item->part)
        put_part(f, item);
    if (g->rows == 0) {
        fprintf(f, "<p class=\"note\" id=\"%s\"><b>", item->name);
        html_text(f, item->title);
        fputs(".</b> Nothing was measured for this yet: <code>scripts/study</code> has the "
              "commands.</p>\n",
              f);
        return;
    }
    fprintf(f, "<section id=\"%s\">\n<h3>", item->name);
    html_text(f, item->title);
    fputs("</h3>\n", f);
    put_findings(f, item, findings);
    if (item->gnuplot) {
        put_figure(f, item, dir);
    } else {
        if (item->folded)
            fprintf(f, "<details class=\"table%s\"><summary>%s: %d</summary>\n",
                    g->rows > MANY_ROWS ? " many" : "", g->cols > 1 ? "Rows of the table" : "Sentences", g->rows);
        grid_html(g, f);
        if (item->folded)
            fputs("</details>\n", f);
        fputs("<p class=\"note\">", f);
        html_text(f, item->caption);
        fprintf(f, " <a href=\"%s.csv\">Data</a>.</p>\n", item->name);
    }
    put_note(f, item->note);
    put_query(f, item->sql, "Query");
    fputs("</section>\n", f);
}

static void put_contents(FILE *f)
{
    fputs("<nav>\n", f);
    for (const struct report_item *i = report_items; i->name; i++) {
        if (i->part) {
            fputs(i == report_items ? "<p><b>" : "</p>\n<p><b>", f);
            html_text(f, i->part);
            fputs(":</b> ", f);
        } else {
            fputs(" · ", f);
        }
        fprintf(f, "<a href=\"#%s\">", i->name);
        html_text(f, i->title);
        fputs("</a>", f);
    }
    fputs("</p>\n</nav>\n", f);
}

int page_write(const struct grid *grid, const char *dir, struct err *err)
{
    const struct grid *machine = &grid[report_find("machine") - report_items];
    const struct embedded_file *css = report_file("page.css");
    char path[4096];
    FILE *f;

    snprintf(path, sizeof(path), "%s/index.html", dir);
    f = file_begin(path, err);
    if (!f)
        return err->code;
    fputs("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<title>flashmem: streaming against preloading</title>\n<style>\n",
          f);
    fwrite(css->text, 1, css->length, f);
    fputs(
        "</style>\n</head>\n<body>\n<h1>Streaming a model's weights while it computes, against "
        "loading them first</h1>\n"
        "<p>An independent reproduction of FlashMem (ASPLOS '26, <a "
        "href=\"https://arxiv.org/abs/2602.15379\">arXiv 2602.15379</a>): operator kernels were "
        "swept over extra load, a regressor learnt their latency, a planner turned predicted load "
        "capacity into an overlap plan, and whole models were replayed from disk under it. Times "
        "are medians with 95&nbsp;% bootstrap intervals. Shaded columns are the paper's own "
        "numbers, from a phone: compare ratios with them, never milliseconds.</p>\n<p>Tables "
        "and figures are of <b>",
        f);
    html_text(f, machine->rows > 0 && grid_cell(machine, 0, 1) ? grid_cell(machine, 0, 1) : "");
    fputs("</b>; verdicts, Table 5, the regressor, predictions and comparisons by ratios are of every "
          "device of the database. Below each stand its data and its query.</p>\n",
          f);
    put_contents(f);
    for (int i = 0; report_items[i].name; i++)
        put_item(f, &report_items[i], &grid[i], &grid[report_find("findings") - report_items], dir);
    fputs("<footer>\n", f);
    put_query(f, "latest.sql", "What the queries call current: the views");
    fputs("<p>Made by <code>flashmem report --all</code> from the results database and "
          "<code>datasets/paper</code> alone. An empty cell (–) was not measured, or is not in the "
          "paper; a column of nothing else is left out here and stands in the data.</p></footer>\n</body>\n</html>\n",
          f);
    return file_end(f, path, true, err);
}
