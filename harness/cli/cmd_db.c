#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/cli/cli.h"
#include "harness/store/store.h"
#include "harness/text/csv.h"
#include "harness/text/units.h"

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

static int check(const struct cli *cli, struct err *err)
{
    struct check c = {0};
    struct store *st = NULL;
    int rc = store_open(cli->db_path, STORE_READ, &st, err);

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

/* ---- export ---- */

struct dump {
    const char *folder;
    struct table *t;
};

/* Empty text is "", NULL is nothing: whoever imports can tell them apart. */
static void put_value(FILE *f, struct store_query *q, int col)
{
    char number[UNIT_TEXT];

    switch (store_type(q, col)) {
    case STORE_NULL:
    case STORE_BLOB: /* the schema has none */
        break;
    case STORE_INT:
        fprintf(f, "%" PRId64, store_int(q, col));
        break;
    case STORE_REAL:
        fputs(format_real(number, store_real(q, col)), f);
        break;
    case STORE_TEXT:
        if (*store_text(q, col))
            csv_put(f, store_text(q, col));
        else
            fputs("\"\"", f);
        break;
    }
}

static int put_rows(FILE *f, struct store_query *q, int64_t *ret_rows, struct err *err)
{
    int n = store_columns(q), rc;

    for (int c = 0; c < n; c++) {
        fputs(c ? "," : "", f);
        csv_put(f, store_column_name(q, c));
    }
    fputc('\n', f);
    *ret_rows = 0;
    while ((rc = store_step(q, err)) == 1) {
        for (int c = 0; c < n; c++) {
            fputs(c ? "," : "", f);
            put_value(f, q, c);
        }
        fputc('\n', f);
        ++*ret_rows;
        if (cli_interrupted)
            return err_set(err, -EINTR, "interrupted");
    }
    return rc;
}

/* Whole under its name, or not there at all. */
static int write_file(const char *path, const char *tmp, struct store_query *q, int64_t *ret_rows,
                      struct err *err)
{
    FILE *f = fopen(tmp, "wx");
    int rc;

    if (!f)
        return err_set(err, -errno, "cannot write '%s': %s", tmp, strerror(errno));
    rc = put_rows(f, q, ret_rows, err);
    if (rc == 0 && (fflush(f) != 0 || ferror(f) || fsync(fileno(f)) != 0))
        rc = err_set(err, -EIO, "cannot write '%s': %s", tmp, strerror(errno));
    if (fclose(f) != 0 && rc == 0)
        rc = err_set(err, -errno, "cannot write '%s': %s", tmp, strerror(errno));
    if (rc == 0 && rename(tmp, path) != 0)
        rc = err_set(err, -errno, "cannot write '%s': %s", path, strerror(errno));
    if (rc < 0)
        unlink(tmp);
    return rc;
}

static int export_table(struct store *st, const char *name, void *ctx, struct err *err)
{
    struct dump *e = ctx;
    char *quoted = quote_name(name), *sql = NULL, *path = NULL, *tmp = NULL;
    struct store_query *q = NULL;
    int64_t rows = 0;
    int rc = -ENOMEM;

    /* A scan goes by the primary key: the order of two exports is the same. */
    if (!quoted || asprintf(&sql, "SELECT * FROM %s", quoted) < 0 ||
        asprintf(&path, "%s/%s.csv", e->folder, name) < 0 ||
        asprintf(&tmp, "%s.%ld.tmp", path, (long)getpid()) < 0) {
        err_set(err, rc, "out of memory");
        goto out;
    }
    rc = store_query(st, &q, err, sql, "");
    if (rc == 0)
        rc = write_file(path, tmp, q, &rows, err);
    if (rc == 0) {
        table_text(e->t, path);
        table_int(e->t, rows);
    }
out:
    store_query_done(q);
    free(tmp);
    free(path);
    free(sql);
    free(quoted);
    return rc;
}

static int export_all(const struct cli *cli, const char *folder, struct err *err)
{
    struct dump e = {.folder = folder};
    struct store *st = NULL;
    int rc = store_open(cli->db_path, STORE_READ, &st, err);

    if (rc < 0)
        return EXIT_FAILED;
    if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
        err_set(err, -errno, "cannot make the folder '%s': %s", folder, strerror(errno));
        store_close(st);
        return EXIT_FAILED;
    }
    e.t = table_new("file,rows");
    /* One transaction: all files show the database at one moment. */
    rc = e.t ? store_begin(st, err) : err_set(err, -ENOMEM, "out of memory");
    if (rc == 0) {
        rc = for_tables(st, export_table, &e, err);
        store_end(st, false, NULL);
    }
    store_close(st);
    rc =
        rc < 0 ? EXIT_FAILED : cli_printed(table_print(e.t, (enum format)cli->format, stdout), err);
    table_free(e.t);
    return rc;
}

/* ---- upgrade ---- */

static int upgrade(const struct cli *cli, struct err *err)
{
    struct store *st = NULL;
    int rc;

    /* Writing makes what is not there, but nobody upgrades a misspelt name. */
    if (access(cli->db_path, F_OK) != 0) {
        err_set(err, -errno, "cannot open '%s': %s", cli->db_path, strerror(errno));
        return EXIT_FAILED;
    }
    rc = store_open(cli->db_path, STORE_WRITE, &st, err);
    store_close(st);
    if (rc < 0)
        return EXIT_FAILED;
    cli_note(cli, "'%s' has this program's schema", cli->db_path);
    return EXIT_DONE;
}

static int run(const struct cli *cli, const void *opts, int n_args, char **args, struct err *err)
{
    (void)opts;
    if (strcmp(args[0], "check") == 0 && n_args == 1)
        return check(cli, err);
    if (strcmp(args[0], "export") == 0 && n_args == 2)
        return export_all(cli, args[1], err);
    if (strcmp(args[0], "upgrade") == 0 && n_args == 1)
        return upgrade(cli, err);
    err_set(err, -EINVAL, "db: want 'check', 'export DIR' or 'upgrade', got '%s'%s", args[0],
            n_args > 1 ? " and an argument" : "");
    return EXIT_USAGE;
}

const struct command command_db = {
    .name = "db",
    .args = "check|export DIR|upgrade",
    .summary = "checks the database, writes its tables as CSV, brings an old one up",
    .example = "flashmem db export results/csv",
    .min_args = 1,
    .max_args = 2,
    .run = run,
};
