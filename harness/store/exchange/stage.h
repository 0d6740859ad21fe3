/* harness/store/exchange/stage.h - a private copy of what comes from elsewhere. For this folder. */
#ifndef FLASHMEM_HARNESS_STORE_EXCHANGE_STAGE_H
#define FLASHMEM_HARNESS_STORE_EXCHANGE_STAGE_H

#include <sqlite3.h>
#include <stddef.h>

#include "harness/store/exchange/exchange.h"
#include "harness/store/tables.h"

struct stage {
    sqlite3 *db; /* main is a temporary database that goes with its connection */
    char *from;  /* path, for messages */
    int version; /* of the source */
    int64_t rows;
    struct tables tables; /* of `version` until stage_finish(), then of this program's */
    const volatile sig_atomic_t *interrupted;
};

/* Empty, of the schema `version`. */
int stage_new(const char *from, int version, const volatile sig_atomic_t *interrupted,
              struct stage **ret_stage, struct err *err);

/* "INSERT INTO table VALUES (?, ...)", columns in the order of s->tables. */
int stage_inserter(struct stage *s, int table, sqlite3_stmt **ret_q, struct err *err);

/* A text or blob as it came is bound, or refused: too long, no UTF-8, a zero byte in a text. */
int stage_check_text(const char *text, size_t n, struct err *err);

/* Runs a bound inserter and rests it. `id` of the row, where it has one: 1 to 2^53 - 1. */
int stage_insert(struct stage *s, int table, sqlite3_stmt *q, struct err *err);

/* All rows are there: checks what refers to what, brings the schema up. */
int stage_finish(struct stage *s, struct err *err);

/* SQLite's code `rc` as a message about the source; full disks are those of temporary files. */
int stage_error(struct stage *s, int rc, const char *what, struct err *err);

#endif
