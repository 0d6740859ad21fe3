#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "harness/cli/cli.h"
#include "harness/predict/predict.h"
#include "harness/store/dictionary.h"
#include "harness/store/exchange/exchange.h"
#include "harness/store/store.h"

struct db_opts {
    bool canonical, sweeps;
    const char *peers;
};

/* Names are from the database itself, which may be anyone's: quoted as SQL wants it. */
static char *quote_name(const char *name)
{
    char *text = malloc(2 * strlen(name) + 3), *p = text;

    if (!text)
        return NULL;
    *p++ = '"';
    for (; *name; name++) {
        if (*name == '"')
            *p++ = '"';
        *p++ = *name;
    }
    strcpy(p, "\"");
    return text;
}

/* Calls `each` for every table of ours, in order of name. */
static int for_tables(struct store *st,
                      int (*each)(struct store *, const char *, void *, struct err *), void *ctx,
                      struct err *err)
{
    struct store_query *q = NULL;
    int rc;

    rc = store_query(st, &q, err,
                     "SELECT name FROM sqlite_schema WHERE type = 'table' "
                     "AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name",
                     "");
    while (rc >= 0 && (rc = store_step(q, err)) == 1) {
        rc = each(st, store_text(q, 0), ctx, err);
        if (rc == 0 && cli_interrupted)
            rc = err_set(err, -EINTR, "interrupted");
    }
    store_query_done(q);
    return rc;
}

/* ---- check ---- */

struct check {
    struct table *t;
    int problems;
};

static void add_row(struct table *t, const char *item, const char *value)
{
    table_text(t, item);
    table_text(t, value);
}

static int check_integrity(struct store *st, struct check *c, struct err *err)
{
    struct store_query *q = NULL;
    int rc = store_query(st, &q, err, "PRAGMA integrity_check", "");

    while (rc >= 0 && (rc = store_step(q, err)) == 1) {
        add_row(c->t, "integrity", store_text(q, 0));
        c->problems += strcmp(store_text(q, 0), "ok") != 0;
    }
    store_query_done(q);
    return rc;
}

static int check_foreign_keys(struct store *st, struct check *c, struct err *err)
{
    struct store_query *q = NULL;
    int rc = store_query(st, &q, err, "PRAGMA foreign_key_check", ""), found = 0;
    char text[256];

    while (rc >= 0 && (rc = store_step(q, err)) == 1) {
        snprintf(text, sizeof(text), "%s row %" PRId64 " has no %s", store_text(q, 0),
                 store_int(q, 1), store_text(q, 2));
        add_row(c->t, "foreign_keys", text);
        found++;
    }
    if (rc == 0 && found == 0)
        add_row(c->t, "foreign_keys", "ok");
    c->problems += found;
    store_query_done(q);
    return rc;
}

/* The one value that `sql` yields, under `item`. */
static int add_value(struct store *st, struct table *t, const char *item, const char *sql,
                     struct err *err)
{
    struct store_query *q = NULL;
    int rc = store_query(st, &q, err, sql, "");

    if (rc == 0)
        rc = store_step(q, err);
    if (rc == 1) {
        table_text(t, item);
        table_int(t, store_int(q, 0));
    }
    store_query_done(q);
    return rc < 0 ? rc : 0;
}

static int count_rows(struct store *st, const char *name, void *ctx, struct err *err)
{
    struct check *c = ctx;
    char *quoted = quote_name(name), *sql = NULL, *item = NULL;
    int rc = -ENOMEM;

    if (quoted && asprintf(&sql, "SELECT count(*) FROM %s", quoted) >= 0 &&
        asprintf(&item, "rows of %s", name) >= 0)
        rc = add_value(st, c->t, item, sql, err);
    else
        err_set(err, rc, "out of memory");
    free(item);
    free(sql);
    free(quoted);
    return rc;
}

static int check(const struct cli *cli, const struct db_opts *o, int n, char **names,
                 struct err *err)
{
    struct check c = {0};
    struct store *st = NULL;
    int rc = store_open(cli->db_path, STORE_READ, &st, err);

    (void)o, (void)n, (void)names;
    if (rc < 0)
        return EXIT_FAILED;
    c.t = table_new("item,value");
    rc = c.t ? check_integrity(st, &c, err) : err_set(err, -ENOMEM, "out of memory");
    if (rc == 0)
        rc = check_foreign_keys(st, &c, err);
    if (rc == 0)
        rc = add_value(st, c.t, "schema", "PRAGMA user_version", err);
    if (rc == 0)
        rc = for_tables(st, count_rows, &c, err);
    store_close(st);
    if (rc == 0)
        rc = cli_printed(table_print(c.t, (enum format)cli->format, stdout), err);
    else
        rc = EXIT_FAILED;
    if (rc == EXIT_DONE && c.problems > 0) {
        err_set(err, -EUCLEAN,
                "'%s' is damaged, problems: %d; 'sqlite3 FILE .recover' saves what can be read",
                cli->db_path, c.problems);
        rc = EXIT_FAILED;
    }
    table_free(c.t);
    return rc;
}

/* ---- export, import, merge ---- */

static void list_file(void *ctx, const char *path, int64_t rows)
{
    table_text(ctx, path);
    table_int(ctx, rows);
}

static int export_all(const struct cli *cli, const struct db_opts *o, int n, char **names,
                      struct err *err)
{
    int flags = (o->canonical ? EXPORT_CANONICAL : 0) | (o->sweeps ? EXPORT_SWEEPS : 0);
    struct table *t = table_new("file,rows");
    struct store *st = NULL;
    int rc =
        t ? store_open(cli->db_path, STORE_READ, &st, err) : err_set(err, -ENOMEM, "out of memory");

    (void)n;
    if (rc == 0)
        rc = store_export(st, names[0], flags, &cli_interrupted, list_file, t, err);
    store_close(st);
    return cli_finish(cli, t, rc, err);
}

static void list_source(struct table *t, const char *path, const struct merge_count *n,
                        const char *error)
{
    table_text(t, path);
    table_text(t, error ? "refused" : "merged");
    if (error) {
        for (int i = 0; i < 5; i++)
            table_empty(t);
    } else {
        table_int(t, n->schema);
        table_int(t, n->rows);
        table_int(t, n->new_rows);
        table_int(t, n->new_sessions);
        table_int(t, n->filled);
    }
    table_text(t, error);
}

/* ret_refused: it is the source that is wrong, and others may be right. */
static int merge_one(const struct cli *cli, const char *path, bool folder, struct table *t,
                     bool *ret_refused, struct err *err)
{
    struct merge_count n;
    struct stage *s = NULL;
    int rc = folder ? stage_folder(path, &cli_interrupted, &s, err)
                    : stage_database(path, &cli_interrupted, &s, err);

    *ret_refused = rc < 0 && rc != -EINTR && rc != -ENOSPC && rc != -ENOMEM;
    if (rc == 0) {
        rc = stage_merge(s, cli->db_path, &n, err);
        *ret_refused = rc == -EEXIST;
    }
    if (rc == 0 || *ret_refused)
        list_source(t, path, &n, rc < 0 ? err->text : NULL);
    stage_free(s);
    return rc;
}

static int merge(const struct cli *cli, int n, char **paths, bool folder, struct err *err)
{
    struct table *t = table_new("file,status,schema,rows,new_rows,new_sessions,filled,error");
    int refused = 0, rc = t ? 0 : err_set(err, -ENOMEM, "out of memory");
    bool is_refused = false;
    struct err first = {0};

    for (int i = 0; i < n && rc == 0; i++) {
        rc = merge_one(cli, paths[i], folder, t, &is_refused, err);
        if (rc == 0 || !is_refused)
            continue;
        if (refused++ == 0)
            first = *err;
        if (n > 1)
            cli_note(cli, "refused: %s", err->text);
        rc = 0;
    }
    if (rc == 0 && refused == n) {
        *err = first;
        rc = first.code;
    }
    rc = cli_finish(cli, t, rc, err);
    return rc == EXIT_DONE && refused > 0 ? EXIT_PARTLY : rc;
}

static int merge_files(const struct cli *cli, const struct db_opts *o, int n, char **names,
                       struct err *err)
{
    (void)o;
    return merge(cli, n, names, false, err);
}

/* Of the machine that --device stands on. */
static int import_peers(const struct cli *cli, const char *path, struct err *err)
{
    struct table *t = table_new("file,rows,new_rows");
    struct device_info dev;
    struct store *st = NULL;
    int64_t device_id, rows = 0, new_rows = 0;
    int rc = t ? 0 : err_set(err, -ENOMEM, "out of memory");

    if (rc == 0)
        rc = store_open(cli->db_path, STORE_UPDATE, &st, err);
    if (rc == 0)
        rc = predict_device(st, cli->device, &device_id, &dev, err);
    if (rc == 0)
        rc = store_import_peers(st, device_id, path, &rows, &new_rows, err);
    store_close(st);
    if (rc == 0) {
        table_text(t, path);
        table_int(t, rows);
        table_int(t, new_rows);
    }
    return cli_finish(cli, t, rc, err);
}

static int import_all(const struct cli *cli, const struct db_opts *o, int n, char **names,
                      struct err *err)
{
    return o->peers ? import_peers(cli, o->peers, err) : merge(cli, n, names, true, err);
}

/* ---- upgrade ---- */

static int upgrade(const struct cli *cli, const struct db_opts *o, int n, char **names,
                   struct err *err)
{
    struct store *st = NULL;
    int rc = store_open(cli->db_path, STORE_UPDATE, &st, err);

    (void)o, (void)n, (void)names;
    store_close(st);
    if (rc < 0)
        return EXIT_FAILED;
    cli_note(cli, "'%s' has this program's schema", cli->db_path);
    return EXIT_DONE;
}

/* ---- schema ---- */

static int schema(const struct cli *cli, const struct db_opts *o, int n, char **names,
                  struct err *err)
{
    struct dictionary d;
    struct table *t;
    int rc = dictionary_make(&d, err);

    (void)o, (void)n, (void)names;
    if (rc < 0)
        return EXIT_FAILED;
    if (cli->format == FORMAT_MARKDOWN) {
        dictionary_page(&d, stdout);
        rc = fflush(stdout) == 0 && !ferror(stdout) ? 0 : -EIO;
        dictionary_done(&d);
        return cli_printed(rc, err);
    }
    t = table_new("table,column,type,key,null,references,since,meaning");
    rc = t ? 0 : err_set(err, -ENOMEM, "out of memory");
    for (int i = 0; i < d.n && t; i++) {
        table_text(t, d.row[i].table);
        table_text(t, d.row[i].column);
        table_text(t, d.row[i].type);
        table_text(t, d.row[i].key ? "yes" : "");
        table_text(t, d.row[i].null ? "yes" : "");
        table_text(t, d.row[i].references);
        table_int(t, d.row[i].since);
        table_text(t, d.row[i].meaning);
    }
    dictionary_done(&d);
    return cli_finish(cli, t, rc, err);
}

static const struct opt options[] = {
    {.name = "--canonical",
     .type = OPT_FLAG,
     .offset = offsetof(struct db_opts, canonical),
     .help = "export: number rows by content, so that equal databases give equal files"},
    {.name = "--sweeps",
     .type = OPT_FLAG,
     .offset = offsetof(struct db_opts, sweeps),
     .help = "export: only devices, sessions, configurations, samples and their repeats"},
    {.name = "--peers",
     .type = OPT_TEXT,
     .offset = offsetof(struct db_opts, peers),
     .arg = "FILE",
     .help = "import: what scripts/peers/run printed, beside the runs of --device"},
    {0},
};

static const struct verb {
    const char *name, *takes;
    int min, max; /* arguments */
    int (*run)(const struct cli *cli, const struct db_opts *o, int n, char **names,
               struct err *err);
} verbs[] = {
    {"check", "no argument", 0, 0, check},
    {"export", "one DIR", 1, 1, export_all},
    {"import", "one DIR, or --peers FILE", 1, 1, import_all},
    {"merge", "one FILE or more", 1, INT_MAX, merge_files},
    {"schema", "no argument", 0, 0, schema},
    {"upgrade", "no argument", 0, 0, upgrade},
};

static int run(const struct cli *cli, const void *opts, int n_args, char **args, struct err *err)
{
    const struct db_opts *o = opts;
    const struct verb *v = NULL;
    int n = n_args - 1;

    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(args[0], verbs[i].name) == 0)
            v = &verbs[i];
    if (!v)
        err_set(err, -EINVAL,
                "db: want 'check', 'export DIR', 'import DIR|--peers FILE', 'merge FILE...', "
                "'schema' or 'upgrade', got '%s'",
                args[0]);
    else if ((o->canonical || o->sweeps) && v->run != export_all)
        err_set(err, -EINVAL, "%s is of 'db export'", o->canonical ? "--canonical" : "--sweeps");
    else if (o->peers && (v->run != import_all || n > 0))
        err_set(err, -EINVAL, "--peers is of 'db import', without a DIR");
    else if (!o->peers && (n < v->min || n > v->max))
        err_set(err, -EINVAL, "db %s wants %s, got %d: try 'flashmem db --help'", v->name,
                v->takes, n);
    else
        return v->run(cli, o, n, args + 1, err);
    return EXIT_USAGE;
}

const struct command command_db = {
    .name = "db",
    .args = "check|export DIR|import DIR|merge FILE...|schema|upgrade",
    .summary = "checks the database, joins those of other machines, CSV out and in, says what "
               "every column means, brings an old one up",
    .example = "flashmem --db all.db db merge laptop.db phone.db",
    .opts = options,
    .opts_size = sizeof(struct db_opts),
    .min_args = 1,
    .max_args = -1,
    .run = run,
};
