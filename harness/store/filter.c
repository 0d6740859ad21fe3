#include "harness/store/filter.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/store/internal.h"
#include "harness/text/units.h"

static const struct {
    const char *text, *sql;
} operators[] = {/* the longer first */
                 {"!=", "<>"}, {"<=", "<="}, {">=", ">="}, {"!~", "NOT GLOB"},
                 {"=", "="},   {"<", "<"},   {">", ">"},   {"~", "GLOB"}};

static int fail(const char *at, const char *want, struct err *err)
{
    return err_set(err, -EINVAL, "want %s at %s%.40s%s: conditions are COLUMN OP VALUE [AND ...]",
                   want, *at ? "'" : "the end", at, *at ? "'" : "");
}

static int parse_value(const char **p, struct filter_term *t, bool *ret_quoted, struct err *err)
{
    const char *from = *p;
    size_t n = 0;

    *ret_quoted = *from == '\'';
    if (*ret_quoted)
        (*p)++;
    for (;; (*p)++) {
        if (*ret_quoted && !**p)
            return fail(from, "a closing quote", err);
        if (*ret_quoted ? **p == '\'' : !**p || isspace((unsigned char)**p)) {
            if (!*ret_quoted || (*p)[1] != '\'')
                break;
            (*p)++; /* two are one */
        }
        if (n + 1 == sizeof(t->value))
            return fail(from, "a shorter value", err);
        t->value[n++] = **p;
    }
    *p += *ret_quoted;
    t->value[n] = '\0';
    return n > 0 || *ret_quoted ? 0 : fail(from, "a value", err);
}

static int parse_term(const char **p, struct filter_term *t, struct err *err)
{
    size_t n = strspn(*p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    bool quoted;
    double x;
    int rc;

    if (n == 0 || n >= sizeof(t->column))
        return fail(*p, "a column", err);
    snprintf(t->column, sizeof(t->column), "%.*s", (int)n, *p);
    *p += n;
    *p += strspn(*p, " \t\n");
    for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]) && !t->op; i++)
        if (strncmp(*p, operators[i].text, strlen(operators[i].text)) == 0) {
            t->op = operators[i].sql;
            *p += strlen(operators[i].text);
        }
    if (!t->op)
        return fail(*p, "one of = != < <= > >= ~ !~", err);
    *p += strspn(*p, " \t\n");
    rc = parse_value(p, t, &quoted, err);
    if (rc < 0)
        return rc;
    t->null = !quoted && strcmp(t->value, "null") == 0;
    if (t->null && strcmp(t->op, "=") != 0 && strcmp(t->op, "<>") != 0)
        return fail(t->value, "= or != before null", err);
    t->number = !quoted && !strstr(t->op, "GLOB") &&
                parse_real(t->value, -HUGE_VAL, HUGE_VAL, &x, NULL) == 0;
    return 0;
}

int filter_parse(const char *text, struct filter *ret_f, struct err *err)
{
    struct filter f = {0};
    const char *p = text ? text : "";
    int rc;

    for (p += strspn(p, " \t\n"); *p;) {
        if (f.n == FILTER_MAX)
            return err_set(err, -EINVAL, "want at most %d conditions", FILTER_MAX);
        rc = parse_term(&p, &f.term[f.n], err);
        if (rc < 0)
            return rc;
        f.n++;
        p += strspn(p, " \t\n");
        if (!*p)
            break;
        if (strncasecmp(p, "and", 3) != 0 || (p[3] && !isspace((unsigned char)p[3])))
            return fail(p, "AND", err);
        p += 3;
        p += strspn(p, " \t\n");
        if (!*p)
            return fail(p, "a condition behind AND,", err);
    }
    *ret_f = f;
    return 0;
}

/* A column that is computed has no type but what its values have: numbers, if the first is one. */
static bool holds_numbers(struct store *st, const char *query, int length, const char *column)
{
    char *sql = sqlite3_mprintf("SELECT typeof(\"%w\") FROM (%.*s\n) WHERE \"%w\" IS NOT NULL"
                                " LIMIT 1",
                                column, length, query, column);
    sqlite3_stmt *q = NULL;
    const char *type = NULL;
    bool numbers;

    if (sql && sqlite3_prepare_v2(store_db(st), sql, -1, &q, NULL) == SQLITE_OK &&
        sqlite3_step(q) == SQLITE_ROW)
        type = (const char *)sqlite3_column_text(q, 0);
    numbers = type && (strcmp(type, "real") == 0 || strcmp(type, "integer") == 0);
    sqlite3_finalize(q);
    sqlite3_free(sql);
    return numbers;
}

/* Against what a prepared query yields, whose text has so many bytes. */
static int check_term(struct store *st, struct filter_term *t, sqlite3_stmt *q, int length,
                      struct err *err)
{
    char names[700] = "";
    size_t n = 0;

    for (int c = 0; c < sqlite3_column_count(q); c++) {
        const char *name = sqlite3_column_name(q, c), *type = sqlite3_column_decltype(q, c);
        bool is_text = type && strcmp(type, "TEXT") == 0;

        if (strcmp(name, t->column) == 0) {
            t->number = t->number && !is_text;
            if (!is_text && !t->number && !t->null &&
                (type || holds_numbers(st, sqlite3_sql(q), length, name)))
                return err_set(err, -EINVAL, "column '%s' holds numbers, got %s'%s'", t->column,
                               strstr(t->op, "GLOB") ? "a pattern, " : "", t->value);
            return 0;
        }
        if (n < sizeof(names))
            n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", n ? " " : "", name);
    }
    return err_set(err, -EINVAL, "no column '%s', want one of: %s", t->column, names);
}

int filter_sql(struct store *st, struct filter *f, const char *query, char **ret_sql,
               struct err *err)
{
    sqlite3_stmt *q = NULL;
    const char *end;
    char *text = NULL;
    size_t size;
    FILE *sql;
    int rc = sqlite3_prepare_v2(store_db(st), query, -1, &q, NULL);

    if (rc != SQLITE_OK)
        return store_error(store_db(st), store_path(st), rc, query, err);
    for (end = query + strlen(query); end > query && strchr("; \n", end[-1]);)
        end--;
    rc = 0;
    for (int i = 0; i < f->n && rc == 0; i++)
        rc = check_term(st, &f->term[i], q, (int)(end - query), err);
    sqlite3_finalize(q);
    if (rc < 0)
        return rc;
    sql = open_memstream(&text, &size);
    if (!sql)
        return err_set(err, -ENOMEM, "out of memory");
    fprintf(sql, "SELECT * FROM (%.*s\n)", (int)(end - query), query);
    for (int i = 0; i < f->n; i++) {
        const struct filter_term *t = &f->term[i];

        fprintf(sql, "%s\"%s\" %s", i ? " AND " : " WHERE ", t->column,
                !t->null        ? t->op
                : *t->op == '=' ? "IS NULL"
                                : "IS NOT NULL");
        if (!t->null)
            fputs(" ?", sql);
    }
    if (fclose(sql) != 0) {
        free(text);
        return err_set(err, -ENOMEM, "out of memory");
    }
    *ret_sql = text;
    return 0;
}
