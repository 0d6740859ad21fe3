/* harness/store/exchange/exchange.h - rows from and to elsewhere: other databases, CSV folders.
 *
 * What comes in is first copied, value by value, into a private temporary database of our own
 * schema: its types, constraints and foreign keys hold there, or the source is refused and nothing
 * is touched. Then it is merged, in one transaction: killed at any point, the same call again ends
 * in the same rows.
 *
 * Merging adds what is not there (tables.h says what the same row is), and fills in what is
 * unknown (NULL). It never changes or removes a value, but for a few that drift between starts of
 * a device and versions of the program though the row is the same (merge.c lists them): of those,
 * the least stays. So neither order nor repetition matters.
 */
#ifndef FLASHMEM_HARNESS_STORE_EXCHANGE_EXCHANGE_H
#define FLASHMEM_HARNESS_STORE_EXCHANGE_EXCHANGE_H

#include <signal.h>

#include "harness/store/store.h"

struct stage;

/* Reads a database as hostile input: read-only, nothing of theirs runs, every object and column
 * checked against the schema of its version, every value against its type, sizes bounded. Older
 * schemas are brought up in the copy. `interrupted` (may be NULL) is looked at all the time.
 * -EPROTO newer schema; -EUCLEAN not one of ours, changed or damaged; -E2BIG; -EINTR; -EINVAL a
 * value that breaks a constraint; and what store_open() says of the file. */
int stage_database(const char *path, const volatile sig_atomic_t *interrupted,
                   struct stage **ret_stage, struct err *err);

/* Reads what store_export() wrote. -EINVAL: FILE:LINE: what. */
int stage_folder(const char *folder, const volatile sig_atomic_t *interrupted,
                 struct stage **ret_stage, struct err *err);
void stage_free(struct stage *s); /* NULL is fine */

struct merge_count {
    int schema;                   /* of the source */
    int64_t rows, new_rows;       /* of the source; of them added */
    int64_t new_sessions, filled; /* rows in which something unknown is known now */
};

/* Once for each stage. Into the database at `db_path`, made if need be. Rows keep their ids when it
 * is empty. -EEXIST: the same row says something else there; otherwise as store_open() and
 * store_exec(). */
int stage_merge(struct stage *s, const char *db_path, struct merge_count *ret_count,
                struct err *err);

enum {
    EXPORT_CANONICAL = 1, /* ids numbered anew, by content alone: the same rows give the same files */
    EXPORT_SWEEPS = 2     /* only what sweeps measured, with every repeat: `train` makes the rest */
};

/* Every table as FOLDER/TABLE.csv, and which schema it is as FOLDER/schema.csv. NULL is an empty
 * field, empty text is "", reals read back to the bit, blobs are hexadecimal. Each file is whole
 * under its name or not there. `flags`: EXPORT_. `each` hears of every file. */
int store_export(struct store *st, const char *folder, int flags,
                 const volatile sig_atomic_t *interrupted,
                 void (*each)(void *ctx, const char *path, int64_t rows), void *ctx,
                 struct err *err);

/* What scripts/peers/run printed, beside a device of ours on the same machine; all of the file or
 * nothing. Rows that are there are left alone. -EINVAL, -EEXIST (the same run with other values): FILE:LINE: what. */
int store_import_peers(struct store *st, int64_t device_id, const char *path, int64_t *ret_rows,
                       int64_t *ret_new, struct err *err);

#endif
