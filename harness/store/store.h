/* harness/store/store.h - the results database: one SQLite file, WAL, STRICT tables, foreign keys,
 * numbered migrations (sql/NNN-*.sql; PRAGMA user_version). SQLite's codes stop here.
 *
 * Rooms write their own rows with store_exec() and read them with store_query(); the schema files
 * are the data dictionary. */
#ifndef FLASHMEM_HARNESS_STORE_STORE_H
#define FLASHMEM_HARNESS_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/device.h"
#include "profiler/err.h"

struct store;

enum store_mode {
    STORE_READ,
    STORE_WRITE,  /* creates the file and its folder */
    STORE_UPDATE, /* writes into a file that is there: a misspelt name makes none */
    STORE_FOREIGN /* reads somebody else's: any schema up to ours, nothing of theirs runs */
};

/* Opens and migrates (to write). -ENOENT: no such file, and err says which command makes one;
 * -EPROTO: newer schema than this program's, or older in READ; -EUCLEAN: not one of our databases
 * or damaged; -EISDIR: a folder; -EROFS / -EACCES: cannot be written; -errno of the folder. */
int store_open(const char *path, enum store_mode mode, struct store **ret_st, struct err *err);
void store_close(struct store *st); /* NULL is fine */
const char *store_path(const struct store *st);

/* The time of every column *_utc: an SQL expression. */
#define STORE_NOW_UTC "strftime('%Y-%m-%dT%H:%M:%SZ', 'now')"

/* Bindings, one character each: i int64_t, d double (NaN binds NULL), s const char * (NULL binds
 * NULL), b const void * then size_t (blob), f const struct filter * (its values). Statements are
 * cached by their text.
 * -ENOSPC disk full, -EBUSY locked for 10 s, -EEXIST a UNIQUE row is there, -EIO otherwise. */
int store_exec(struct store *st, struct err *err, const char *sql, const char *binds, ...);
int64_t store_last_id(struct store *st);

struct store_query;
int store_query(struct store *st, struct store_query **ret_q, struct err *err, const char *sql,
                const char *binds, ...);
int store_step(struct store_query *q, struct err *err); /* 1 a row, 0 the end, < 0 error */
int64_t store_int(struct store_query *q, int col);
double store_real(struct store_query *q, int col);      /* NaN for NULL */
const char *store_text(struct store_query *q, int col); /* NULL for NULL; valid until next step */
bool store_null(struct store_query *q, int col);
enum store_type { STORE_NULL, STORE_INT, STORE_REAL, STORE_TEXT, STORE_BLOB };
enum store_type store_type(struct store_query *q, int col);
int store_columns(struct store_query *q);
const char *store_column_name(struct store_query *q, int col);
void store_query_done(struct store_query *q); /* NULL is fine */

/* Transactions nest as savepoints. store_end(commit = false) rolls back. */
int store_begin(struct store *st, struct err *err);
int store_end(struct store *st, bool commit, struct err *err);

/* The row of this device: its platform, name, driver and number of compute units; 0: none. */
int store_find_device(struct store *st, const struct device_info *info, int64_t *ret_id,
                      struct err *err);

/* The same, made if need be. */
int store_device(struct store *st, const struct device_info *info, int64_t *ret_id,
                 struct err *err);

/* A session says what the machine was and who asked: see the columns in 001. */
int store_session(struct store *st, int64_t device_id, int argc, char **argv, int64_t *ret_id,
                  struct err *err);
int store_session_end(struct store *st, int64_t session_id, struct err *err);

#endif
