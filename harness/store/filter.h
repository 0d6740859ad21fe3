/* harness/store/filter.h - conditions as users write them, "op = matmul AND median_us < 50". Values
 * are bound and names checked: nothing of the text becomes SQL. */
#ifndef FLASHMEM_HARNESS_STORE_FILTER_H
#define FLASHMEM_HARNESS_STORE_FILTER_H

#include "harness/store/store.h"

#define FILTER_MAX 16

/* For --help. */
#define FILTER_HELP                                                                                \
    "'COLUMN OP VALUE [AND ...]', OP being one of = != < <= > >= ~ !~ (a pattern with * ? []); "   \
    "'quote' values with blanks; null: nothing is there"

struct filter {
    int n;
    struct filter_term {
        char column[64];
        const char *op; /* as in SQL */
        bool null;      /* ... IS NULL, IS NOT NULL: nothing to bind */
        bool number;    /* bound as such */
        char value[256];
    } term[FILTER_MAX];
};

/* -EINVAL: err says where. NULL or "" is a filter that lets everything through. */
int filter_parse(const char *text, struct filter *ret_f, struct err *err);

/* "SELECT * FROM (query) WHERE ...", which the caller frees, for store_query() with 'f' after
 * those of `query`. The columns are those that `query` yields. -EINVAL: no such column, or text for
 * a column of numbers; -ENOMEM. */
int filter_sql(struct store *st, struct filter *f, const char *query, char **ret_sql,
               struct err *err);

#endif
