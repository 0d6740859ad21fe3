/* harness/store/dictionary.h - what every table and column means: the schema as SQLite has it, with
 * the comments of sql/NNN-*.sql.
 *
 * A comment on lines of its own belongs to the table or column that follows; one at the end of a
 * line, to the columns that begin on this line, else to the last that began; a line of its own
 * right below such a comment goes on with it. */
#ifndef FLASHMEM_HARNESS_STORE_DICTIONARY_H
#define FLASHMEM_HARNESS_STORE_DICTIONARY_H

#include <stdbool.h>
#include <stdio.h>

#include "profiler/err.h"

struct dictionary {
    int n;
    struct dictionary_row {
        char *table, *column; /* column "": the table itself */
        const char *type;     /* INTEGER, REAL, TEXT, BLOB; "" */
        bool key, null;       /* in the primary key; may be NULL */
        char *references;     /* a table; "" */
        char *meaning;        /* "" */
        int since;            /* number of the schema file */
    } * row;
};

int dictionary_make(struct dictionary *ret_d, struct err *err);
void dictionary_done(struct dictionary *d);

/* The page results/schema.md. */
void dictionary_page(const struct dictionary *d, FILE *f);

#endif
