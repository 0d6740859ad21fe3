/* harness/store/internal.h - what store.c and migrate.c share. */
#ifndef FLASHMEM_HARNESS_STORE_INTERNAL_H
#define FLASHMEM_HARNESS_STORE_INTERNAL_H

#include <sqlite3.h>

#include "harness/store/store.h"
#include "profiler/embed.h"

/* PRAGMA application_id: "FLMM" in the file's header, so that file(1) and we know our own. */
#define STORE_APPLICATION_ID 0x464c4d4d

/* The numbered files of sql/: number n, that is user_version n, stands at n - 1. */
extern const struct embedded_file schema_files[];

/* SQLite's result code `rc` of `db` as a negative errno and a message "PATH: WHAT: why". */
int store_error(sqlite3 *db, const char *path, int rc, const char *what, struct err *err);

/* Is it one of ours, and of our version? Fresh (empty) files are ours in STORE_WRITE, which also
 * brings older schemas up. Errors as store_open(). */
int store_migrate(sqlite3 *db, const char *path, enum store_mode mode, struct err *err);

#endif
