/* harness/store/exchange/value.h - one value of the database as a CSV field, and back to the bit.
 * NULL is an empty field, empty text is "", blobs are hexadecimal. Private to this room. */
#ifndef FLASHMEM_HARNESS_STORE_EXCHANGE_VALUE_H
#define FLASHMEM_HARNESS_STORE_EXCHANGE_VALUE_H

#include <sqlite3.h>
#include <stddef.h>
#include <stdio.h>

#include "harness/store/store.h"

void value_put(FILE *f, sqlite3_stmt *q, int col);

/* Parameter i of `q`, of a column of type `type`. text NULL: a field that is empty without quotes.
 * -EINVAL: not of that type (err: "want ..., got ..."); -E2BIG; -ENOMEM. */
int value_bind(sqlite3_stmt *q, int i, enum store_type type, const char *text, size_t n,
               struct err *err);

#endif
