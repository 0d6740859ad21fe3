/* flashmem report: tables and figures from the results database. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/cli/cli.h"
#include "harness/predict/predict.h"
#include "harness/report/report.h"
#include "harness/store/filter.h"

struct report_opts {
    const char *table, *figure, *out, *where, *size;
    bool all;
};

#define FIELD(f) offsetof(struct report_opts, f)
static const struct opt opts[] = {
    {.name = "--all", .type = OPT_FLAG, .offset = FIELD(all),
     .help = "every table and figure, and index.html"},
    {.name = "--table", .type = OPT_TEXT, .offset = FIELD(table), .arg = "N",
     .help = "print one table"},
    {.name = "--figure", .type = OPT_TEXT, .offset = FIELD(figure), .arg = "N",
     .help = "draw one figure"},
    {.name = "--where", .type = OPT_TEXT, .offset = FIELD(where), .arg = "CONDITIONS",
     .help = "of what is current, only this: " FILTER_HELP "; a wrong column lists the right ones"},
    {.name = "--size", .type = OPT_TEXT, .offset = FIELD(size), .arg = "W[,H]",
     .help = "of a figure, in in, cm, mm or pt; default: 3.3in and as high as it needs"},
    {.name = "--out", .type = OPT_TEXT, .offset = FIELD(out), .def = "results/out", .arg = "DIR",
     .help = "folder for files"},
    {0},
};

/* As they are typed: "table7" is 7. */
static void print_names(const char *kind, bool figures, FILE *f)
{
    size_t n = strlen(kind);

    fprintf(f, "\n%ss\n ", kind);
    for (const struct report_item *i = report_items; i->name; i++)
        if ((i->gnuplot != NULL) == figures)
            fprintf(f, " %s", i->name + (strncmp(i->name, kind, n) == 0 ? n : 0));
    fputc('\n', f);
}

static void help(FILE *f)
{
    print_names("table", false, f);
    print_names("figure", true, f);
}

static const struct report_item *find(const char *kind, const char *name, struct err *err)
{
    char full[64];
    const struct report_item *item = report_find(name);

    snprintf(full, sizeof(full), "%s%s", kind, name);
    if (!item)
        item = report_find(full);
    if (!item || (strcmp(kind, "figure") == 0) != (item->gnuplot != NULL)) {
        err_set(err, -EINVAL, "--%s: no %s '%s': 'flashmem report --help' lists them", kind, kind, name);
        return NULL;
    }
    return item;
}

/* Moves *p over "84mm". */
static bool parse_length(const char **p, double *ret_in)
{
    static const struct {
        const char *name;
        double in;
    } units[] = {{"in", 1}, {"cm", 1 / 2.54}, {"mm", 1 / 25.4}, {"pt", 1 / 72.0}};
    char *end;
    double v = strtod(*p, &end);

    for (size_t u = 0; u < sizeof(units) / sizeof(units[0]) && end != *p; u++)
        if (strncmp(end, units[u].name, 2) == 0) {
            *p = end + 2;
            *ret_in = v * units[u].in;
            return *ret_in >= 0.5 && *ret_in <= 50;
        }
    return false;
}

/* Width, then height. Type keeps its size. */
static int parse_size(const char *text, double ret_in[2], struct err *err)
{
    const char *p = text;
    bool ok = parse_length(&p, &ret_in[0]);

    if (ok && *p == ',') {
        p++;
        ok = parse_length(&p, &ret_in[1]);
    }
    if (!ok || *p)
        return err_set(err, -EINVAL, "--size: want W or W,H such as 3.3in or 84mm,5cm, from 0.5in "
                       "to 50in, got '%s'", text);
    return 0;
}

static int open_report(struct store *st, const struct cli *cli, const struct report_item *narrowed,
                       struct filter *where, struct report **ret_r, struct err *err)
{
    struct device_info info;
    int64_t device_id = 0;
    int rc = cli->device ? predict_device(st, cli->device, &device_id, &info, err) : 0;

    if (rc == 0)
        rc = report_open(st, device_id, ret_r, err);
    if (rc == 0 && where->n > 0) {
        rc = report_narrow(*ret_r, narrowed, where, err);
        if (rc < 0)
            err_prefix(err, "--where");
    }
    return rc;
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
    struct filter where;
    double size_in[2] = {0, 0};
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
    if (o->where && (o->all || !table == !figure)) {
        err_set(err, -EINVAL, "--where is for one --table or one --figure");
        return EXIT_USAGE;
    }
    if (filter_parse(o->where, &where, err) < 0) {
        err_prefix(err, "--where");
        return EXIT_USAGE;
    }
    if ((o->all || o->figure) && cli_check_folder("--out", o->out, err) < 0)
        return EXIT_USAGE;
    if (o->size && parse_size(o->size, size_in, err) < 0)
        return EXIT_USAGE;
    rc = store_open(cli->db_path, STORE_READ, &st, err);
    if (rc == 0)
        rc = open_report(st, cli, table ? table : figure, &where, &r, err);
    if (rc == 0)
        report_size(r, size_in[0], size_in[1]);
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
    return rc == -EINVAL ? EXIT_USAGE : rc < 0 ? EXIT_FAILED : EXIT_DONE;
}

const struct command command_report = {
    .name = "report",
    .args = "",
    .summary = "tables, figures and a page from the results database",
    .example = "flashmem report --figure 2 --where 'dtype = f32 AND path = buffer' --size 7in,3in",
    .opts = opts,
    .opts_size = sizeof(struct report_opts),
    .min_args = 0,
    .max_args = 0,
    .help = help,
    .run = run,
};
