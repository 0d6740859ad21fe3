/* flashmem report: tables and figures from the results database. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "harness/cli/cli.h"
#include "harness/report/report.h"

struct report_opts {
    const char *table, *figure, *out;
    bool all;
};

#define FIELD(f) offsetof(struct report_opts, f)
static const struct opt opts[] = {
    {.name = "--all", .type = OPT_FLAG, .offset = FIELD(all),
     .help = "every table and figure, and index.html"},
    {.name = "--table", .type = OPT_TEXT, .offset = FIELD(table), .arg = "N",
     .help = "print one table: 4, 7, 8, summary, bounds, capacity, regressor, plans, samples, "
             "machine"},
    {.name = "--figure", .type = OPT_TEXT, .offset = FIELD(figure), .arg = "N",
     .help = "draw one figure: 2, 4, memory or pareto"},
    {.name = "--out", .type = OPT_TEXT, .offset = FIELD(out), .def = "results/out", .arg = "DIR",
     .help = "folder for files"},
    {0},
};

static const struct report_item *find(const char *kind, const char *name, struct err *err)
{
    char full[64];
    const struct report_item *item = report_find(name);

    snprintf(full, sizeof(full), "%s%s", kind, name);
    if (!item)
        item = report_find(full);
    if (!item || (strcmp(kind, "figure") == 0) != (item->gnuplot != NULL)) {
        err_set(err, -EINVAL, "--%s: no %s '%s': see `flashmem report --help`", kind, kind, name);
        return NULL;
    }
    return item;
}

static int draw(struct report *r, const struct cli *cli, const struct report_item *item,
                const char *dir, struct err *err)
{
    int rows, rc = report_write(r, item, dir, &rows, err);

    if (rc == 0 && rows == 0)
        return err_set(err, -ENODATA, "%s: nothing was measured for it yet", item->name);
    if (rc == 0)
        cli_note(cli, "wrote %s/%s.svg, .png, .pdf, .csv and .gp", dir, item->name);
    return rc;
}

static int run(const struct cli *cli, const void *options, int n_args, char **args,
               struct err *err)
{
    const struct report_opts *o = options;
    const struct report_item *table = NULL, *figure = NULL;
    struct store *st = NULL;
    struct report *r = NULL;
    int rc;

    (void)n_args;
    (void)args;
    if (!o->all && !o->table && !o->figure) {
        err_set(err, -EINVAL, "report: say what: --all, --table N or --figure N");
        return EXIT_USAGE;
    }
    if (o->table && !(table = find("table", o->table, err)))
        return EXIT_USAGE;
    if (o->figure && !(figure = find("figure", o->figure, err)))
        return EXIT_USAGE;
    rc = store_open(cli->db_path, STORE_READ, &st, err);
    if (rc == 0)
        rc = report_open(st, 0, &r, err);
    if (rc == 0 && table)
        rc = report_print(r, table, (enum format)cli->format, stdout, err);
    if (rc == 0 && figure)
        rc = draw(r, cli, figure, o->out, err);
    if (rc == 0 && o->all)
        rc = report_all(r, o->out, err);
    if (rc == 0 && o->all)
        cli_note(cli, "wrote %s/index.html", o->out);
    report_close(r);
    store_close(st);
    return rc < 0 ? EXIT_FAILED : EXIT_DONE;
}

const struct command command_report = {
    .name = "report",
    .args = "",
    .summary = "tables, figures and a page from the results database",
    .example = "flashmem report --all --out results/out",
    .opts = opts,
    .opts_size = sizeof(struct report_opts),
    .min_args = 0,
    .max_args = 0,
    .run = run,
};
