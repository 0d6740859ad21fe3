#include "harness/store/dictionary.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness/store/internal.h"
#include "harness/store/tables.h"

/* ---- rows, from SQLite ---- */

static int add_row(struct dictionary *d, const char *table, const struct column_def *c,
                   const struct tables *all)
{
    static const char *const types[] = {"", "INTEGER", "REAL", "TEXT", "BLOB"};
    struct dictionary_row *more = realloc(d->row, ((size_t)d->n + 1) * sizeof(*more)), *r;

    if (!more)
        return -ENOMEM;
    d->row = more;
    r = &more[d->n++];
    *r = (struct dictionary_row){
        .table = strdup(table),
        .column = strdup(c ? c->name : ""),
        .type = c ? types[c->type] : "",
        .key = c && c->pk > 0,
        .null = c && !c->not_null && !c->id,
        .references = strdup(c && c->references >= 0 ? all->table[c->references].name : ""),
        .meaning = strdup(""),
    };
    return r->table && r->column && r->references && r->meaning ? 0 : -ENOMEM;
}

static int add_rows(struct dictionary *d, const struct tables *all)
{
    int rc = 0;

    for (int i = 0; i < all->n && rc == 0; i++) {
        const struct table_def *t = &all->table[i];

        rc = add_row(d, t->name, NULL, all);
        for (int c = 0; c < t->n && rc == 0; c++)
            rc = add_row(d, t->name, &t->column[c], all);
    }
    return rc;
}

void dictionary_done(struct dictionary *d)
{
    for (int i = 0; i < d->n; i++) {
        free(d->row[i].table);
        free(d->row[i].column);
        free(d->row[i].references);
        free(d->row[i].meaning);
    }
    free(d->row);
    *d = (struct dictionary){0};
}

/* ---- meanings, from the schema files ---- */

struct reader {
    struct dictionary *d;
    int file;               /* its number */
    char table[64];         /* whose columns are being read; "": none */
    int depth;              /* of brackets, in that table */
    bool expect;            /* a column or a constraint begins with the next word */
    char pending[1024];     /* comment lines that wait for what they are about */
    int begun[16], n_begun; /* rows that begin on this line; else the last that did */
    bool commented;         /* the line before ended with a comment */
    bool head;              /* no code yet: the file says why it is there */
    int rc;
};

static void append(char *to, size_t size, const char *text)
{
    size_t n = strlen(to);

    snprintf(to + n, size - n, "%s%s", n && *text ? " " : "", text);
}

static void mean(struct reader *r, int row, const char *text)
{
    struct dictionary_row *d = &r->d->row[row];
    size_t size = strlen(d->meaning) + strlen(text) + 2;
    char *more = realloc(d->meaning, size);

    if (more) {
        d->meaning = more;
        append(more, size, text);
    } else {
        r->rc = -ENOMEM;
    }
}

static void begin(struct reader *r, const char *table, const char *column)
{
    for (int i = 0; i < r->d->n; i++) {
        struct dictionary_row *d = &r->d->row[i];

        if (strcmp(d->table, table) != 0 || strcmp(d->column, column) != 0)
            continue;
        d->since = r->file;
        mean(r, i, r->pending);
        if (r->n_begun < (int)(sizeof(r->begun) / sizeof(r->begun[0])))
            r->begun[r->n_begun++] = i;
    }
}

static bool is_constraint(const char *word)
{
    static const char *const words[] = {"PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "CONSTRAINT"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(word, words[i]) == 0)
            return true;
    return false;
}

/* The code of a line within CREATE TABLE. */
static void read_columns(struct reader *r, const char *code)
{
    char word[64];

    for (const char *p = code; *p && *r->table; p++) {
        if (*p == '\'') { /* no quote is in a quote here */
            p = strchr(p + 1, '\'');
            if (!p)
                return;
        } else if (*p == '(') {
            r->depth++;
        } else if (*p == ')' && --r->depth == 0) {
            r->table[0] = '\0';
        } else if (*p == ',' && r->depth == 1) {
            r->expect = true;
        } else if (r->expect && isalpha((unsigned char)*p)) {
            size_t n = strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

            snprintf(word, sizeof(word), "%.*s", (int)n, p);
            if (!is_constraint(word))
                begin(r, r->table, word);
            r->expect = false;
            p += n - 1;
        }
    }
}

static void read_code(struct reader *r, const char *code)
{
    char table[64], column[64];
    int n = 0;

    if (*r->table) {
        read_columns(r, code);
    } else if (sscanf(code, "CREATE TABLE %63[a-z0-9_] (%n", table, &n) == 1 && n > 0) {
        begin(r, table, "");
        strcpy(r->table, table);
        r->depth = 1;
        r->expect = true;
        read_columns(r, code + n);
    } else if (sscanf(code, "ALTER TABLE %63[a-z0-9_] ADD COLUMN %63[a-z0-9_]", table, column) ==
               2) {
        begin(r, table, column);
    }
}

/* One line: code, then comment; both may be empty. */
static void read_line(struct reader *r, char *line)
{
    char *comment = strstr(line, "--"), *end;
    int last = r->n_begun > 0 ? r->begun[r->n_begun - 1] : -1;

    if (comment) {
        *comment = '\0';
        comment += 2;
        comment += strspn(comment, " ");
    }
    line += strspn(line, " ");
    for (end = line + strlen(line); end > line && end[-1] == ' ';)
        *--end = '\0';
    if (*line) {
        r->head = false;
        r->n_begun = 0;
        read_code(r, line);
        r->pending[0] = '\0';
        if (r->n_begun == 0 && last >= 0)
            r->begun[r->n_begun++] = last;
        for (int i = 0; comment && i < r->n_begun; i++)
            mean(r, r->begun[i], comment);
        r->commented = comment != NULL;
    } else if (comment && r->commented && *r->table) {
        for (int i = 0; i < r->n_begun; i++)
            mean(r, r->begun[i], comment);
    } else if (comment && !r->head) {
        append(r->pending, sizeof(r->pending), comment);
    } else if (!comment) {
        r->pending[0] = '\0';
        r->commented = r->head = false;
    }
}

static int read_file(struct dictionary *d, int number, const char *text)
{
    struct reader r = {.d = d, .file = number, .head = true};
    char line[512];

    while (*text && r.rc == 0) {
        size_t n = strcspn(text, "\n");

        snprintf(line, sizeof(line), "%.*s", (int)n, text);
        read_line(&r, line);
        text += n + (text[n] != '\0');
    }
    return r.rc;
}

int dictionary_make(struct dictionary *ret_d, struct err *err)
{
    struct dictionary d = {0};
    struct tables all = {0};
    sqlite3 *db = NULL;
    int rc = sqlite3_open(":memory:", &db);

    rc = rc == SQLITE_OK ? store_build(db, "the schema", 0, store_newest(), err)
                         : store_error(db, "the schema", rc, "cannot make", err);
    if (rc == 0)
        rc = tables_read(db, "the schema", &all, err);
    sqlite3_close(db);
    if (rc < 0)
        return rc;
    rc = add_rows(&d, &all);
    tables_done(&all);
    for (int i = 0; schema_files[i].name && rc == 0; i++)
        rc = read_file(&d, i + 1, schema_files[i].text);
    if (rc < 0) {
        dictionary_done(&d);
        return err_set(err, rc, "out of memory");
    }
    *ret_d = d;
    return 0;
}

/* ---- the page ---- */

static void put_cell(FILE *f, const char *text)
{
    for (; *text; text++) {
        if (*text == '|' || *text == '*' || *text == '<')
            fputc('\\', f);
        fputc(*text, f);
    }
}

static void put_column(FILE *f, const struct dictionary_row *r, int table_since)
{
    fprintf(f, "| `%s`%s | %s%s | ", r->column, r->key ? " (key)" : "", r->type,
            r->null ? " or NULL" : "");
    if (*r->references)
        fprintf(f, "row of [`%s`](#%s)%s", r->references, r->references, *r->meaning ? ": " : "");
    put_cell(f, strcmp(r->column, "id") == 0 && !*r->meaning ? "number in this file" : r->meaning);
    if (r->since > table_since)
        fprintf(f, "%s(since schema %d)", *r->meaning || *r->references ? " " : "", r->since);
    fputs(" |\n", f);
}

void dictionary_page(const struct dictionary *d, FILE *f)
{
    int since = 0;

    fprintf(
        f,
        "# The results database\n\n"
        "Schema %d. Made by `flashmem db schema --format markdown` from the comments of\n"
        "`harness/store/sql`, which are the place to change it.\n\n"
        "One SQLite file; `flashmem db export` writes each table as CSV. Units are in the names.\n"
        "NULL is unknown, never zero. Times are ns; `_utc` is ISO 8601. Ids number the rows of\n"
        "one file and are given anew when databases merge.\n",
        store_newest());
    for (int i = 0; i < d->n; i++) {
        const struct dictionary_row *r = &d->row[i];

        if (*r->column) {
            put_column(f, r, since);
            continue;
        }
        since = r->since;
        fprintf(f, "\n## %s\n\n", r->table);
        put_cell(f, r->meaning);
        fprintf(f, "%sSince schema %d.\n\n| column | type | meaning |\n|---|---|---|\n",
                *r->meaning ? " " : "", since);
    }
}
