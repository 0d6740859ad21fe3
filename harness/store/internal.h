/* harness/store/internal.h - what the files of this room share. */
#ifndef FLASHMEM_HARNESS_STORE_INTERNAL_H
#define FLASHMEM_HARNESS_STORE_INTERNAL_H

#include <sqlite3.h>
#include <stdint.h>

#include "harness/store/store.h"
#include "profiler/embed.h"

/* PRAGMA application_id: "FLMM" in the file's header, so that file(1) and we know our own. */
#define STORE_APPLICATION_ID 0x464c4d4d

#define STORE_BUSY_MS 10000 /* how long to wait for another writer */
#define STORE_CACHED  64    /* statements */

/* Bytes of a text or blob from elsewhere, and of a whole file. */
#define STORE_MAX_VALUE (64 << 20)
#define STORE_MAX_FILE  (INT64_C(64) << 30)

/* A statement, and whether somebody steps through it. Kept for the next call with the same text. */
struct store_query {
    struct store *st;
    sqlite3_stmt *stmt;
    bool busy, cached;
    uint64_t used; /* when, for the least recently used */
};

struct store {
    char *path;
    sqlite3 *db;
    enum store_mode mode;
    int depth; /* of transactions */
    struct store_query *cache[STORE_CACHED];
    uint64_t clock;
};

/* The numbered files of sql/: number n, that is user_version n, stands at n - 1. */
extern const struct embedded_file schema_files[];

/* SQLite's result code `rc` of `db` as a negative errno and a message "PATH: WHAT: why". */
int store_error(sqlite3 *db, const char *path, int rc, const char *what, struct err *err);

int store_newest(void); /* this program's schema */

/* Is it one of ours, and of our version? Fresh (empty) files are ours in STORE_WRITE, which also
 * brings older schemas up; STORE_FOREIGN takes them as they are. Errors as store_open(). */
int store_migrate(sqlite3 *db, const char *path, enum store_mode mode, struct err *err);

int store_version(sqlite3 *db, const char *path, int *ret_version, struct err *err);

/* A database that nobody else has open, from schema `from` (0: empty) to `to`. */
int store_build(sqlite3 *db, const char *path, int from, int to, struct err *err);

/* What SQLite is to open for `path`: names such as ":memory:" mean nothing. NULL: out of memory. */
char *store_plain_path(const char *path);

void store_forget_statements(struct store *st); /* before its database is closed */

sqlite3 *store_db(struct store *st);
sqlite3_stmt *store_statement(struct store_query *q);

#endif
