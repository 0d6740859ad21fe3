#include "harness/store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/store/internal.h"
#include "profiler/folders.h"

/* ---- errors ---- */

static int store_errno(sqlite3 *db, int rc)
{
    int system = db ? sqlite3_system_errno(db) : 0;

    switch (rc & 0xff) {
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_INTERRUPT:
        return -EINTR;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return -EUCLEAN;
    case SQLITE_READONLY:
        return system == EROFS ? -EROFS : -EACCES;
    case SQLITE_CANTOPEN:
        return system > 0 ? -system : -EACCES;
    case SQLITE_IOERR:
        return system == ENOSPC || system == EDQUOT ? -ENOSPC : -EIO;
    case SQLITE_CONSTRAINT:
        return rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY ||
                       rc == SQLITE_CONSTRAINT_ROWID
                   ? -EEXIST
                   : -EIO;
    default:
        return -EIO;
    }
}

int store_error(sqlite3 *db, const char *path, int rc, const char *what, struct err *err)
{
    const char *said = db ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
    int code = store_errno(db, rc);

    switch (code) {
    case -ENOSPC:
        return err_set(err, code,
                       "'%s': disk full: make room and run the same command again; what was "
                       "recorded before is kept",
                       path);
    case -EBUSY:
        return err_set(err, code, "'%s': another process held it for %d s: wait for it to end",
                       path, STORE_BUSY_MS / 1000);
    case -EINTR:
        return err_set(err, code, "interrupted");
    case -EUCLEAN:
        return err_set(err, code, "'%s' is no database of flashmem, or damaged: %s", path, said);
    case -EACCES:
    case -EROFS:
        return err_set(err, code,
                       "'%s': cannot write (%s): check the permissions of file and "
                       "folder, or use --db FILE",
                       path, said);
    default:
        if ((rc & 0xff) == SQLITE_CANTOPEN)
            said = strerror(-code);
        return err_set(err, code, "'%s': %s: %s", path, what, said);
    }
}

/* ---- open and close ---- */

/* SQLite gives meanings to names such as ":memory:" and "file:x?mode=ro"; a path has none. */
char *store_plain_path(const char *path)
{
    char *text = NULL;

    if (asprintf(&text, "%s%s", path[0] == '/' ? "" : "./", path) < 0)
        return NULL;
    return text;
}

/* Asked beforehand, since SQLite tells the errno of its last attempt only: ENOENT, from reading. */
static int check_folder(const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    int rc = 0;

    if (!folder)
        return err_set(err, -ENOMEM, "out of memory");
    if (access(folder, W_OK) != 0)
        rc = err_set(err, -errno, "cannot make '%s': %s: check the folder, or use --db FILE", path,
                     strerror(errno));
    free(folder);
    return rc;
}

static int check_path(const char *path, enum store_mode mode, struct err *err)
{
    struct stat s;

    if (!*path)
        return err_set(err, -EINVAL, "the database's name is empty: use --db FILE");
    if (mode == STORE_WRITE) {
        int rc = folders_above(path, err);

        if (rc < 0)
            return rc;
    }
    if (stat(path, &s) != 0) {
        if (errno == ENOENT && mode == STORE_WRITE)
            return check_folder(path, err);
        if (errno == ENOENT)
            return err_set(err, -ENOENT,
                           "no database '%s': 'flashmem sweep SPEC' makes one, --db FILE names "
                           "another",
                           path);
        return err_set(err, -errno, "cannot open '%s': %s", path, strerror(errno));
    }
    if (S_ISDIR(s.st_mode))
        return err_set(err, -EISDIR, "'%s' is a folder, want a database file", path);
    if (!S_ISREG(s.st_mode))
        return err_set(err, -EUCLEAN, "'%s' is not a regular file", path);
    return 0;
}

/* As sqlite.org/security.html advises for files from elsewhere. Their schema is still parsed. */
static void distrust(sqlite3 *db)
{
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, STORE_MAX_VALUE);
    sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(db, SQLITE_LIMIT_EXPR_DEPTH, 50);
    sqlite3_limit(db, SQLITE_LIMIT_TRIGGER_DEPTH, 1);
    sqlite3_limit(db, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 100);
    /* What it reads is checked anyway; a mapped file that shrinks would be a signal. */
    sqlite3_exec(db, "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; "
                 "PRAGMA ignore_check_constraints = ON", NULL, NULL, NULL);
}

static int configure(struct store *st, struct err *err)
{
    int rc;

    if (st->mode == STORE_FOREIGN)
        distrust(st->db);
    sqlite3_extended_result_codes(st->db, 1);
    sqlite3_busy_timeout(st->db, STORE_BUSY_MS);
    rc = sqlite3_exec(st->db, "PRAGMA foreign_keys = ON", NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        return store_error(st->db, st->path, rc, "cannot open", err);
    if (st->mode == STORE_WRITE && sqlite3_db_readonly(st->db, "main") == 1) {
        int code = access(st->path, W_OK) != 0 && errno == EROFS ? -EROFS : -EACCES;

        return err_set(err, code,
                       "'%s': cannot write (%s): check its permissions, or use "
                       "--db FILE",
                       st->path, strerror(-code));
    }
    return 0;
}

/* After the identity check: nobody else's database is put into WAL mode.
 *
 * A commit in WAL mode is a write() to the -wal file, which survives kill -9 of this process: the
 * kernel has it. synchronous=NORMAL leaves out the fsync() per commit, so that a power failure may
 * lose the last samples (never tear the file); FULL would cost a disk flush per sample. Where WAL
 * cannot be had (some network file systems) SQLite stays with its rollback journal, and a commit
 * is as safe. */
static int set_journal(struct store *st, struct err *err)
{
    int rc = SQLITE_BUSY;

    /* The busy handler is not asked when the mode changes while others open the same file. */
    for (int i = 0; i < 200 && (rc & 0xff) == SQLITE_BUSY; i++) {
        rc = sqlite3_exec(st->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
        if ((rc & 0xff) == SQLITE_BUSY)
            usleep(50000);
    }
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(st->db, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : store_error(st->db, st->path, rc, "cannot write", err);
}

static int open_file(struct store *st, const char *name, int flags, struct err *err)
{
    int rc = sqlite3_open_v2(name, &st->db, flags, NULL);

    if (rc != SQLITE_OK)
        return store_error(st->db, st->path, rc, "cannot open", err);
    rc = configure(st, err);
    return rc < 0 ? rc : store_migrate(st->db, st->path, st->mode, err);
}

/* Readers of a WAL database make a -shm file beside it, which a read-only folder refuses. When
 * there is no log to read either, the file is whole as it stands and may be read as immutable. */
static int open_immutable(struct store *st, struct err *err)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t n = strlen(st->path);
    char *uri = malloc(3 * n + 32), *p = uri;
    struct stat s;
    int rc;

    if (!uri)
        return err_set(err, -ENOMEM, "out of memory");
    sprintf(uri, "%s-wal", st->path);
    if (stat(uri, &s) == 0 && s.st_size > 0) {
        free(uri);
        return err->code; /* what kept us out before */
    }
    p += sprintf(uri, "file:%s", st->path[0] == '/' ? "" : "./");
    for (const char *c = st->path; *c; c++) {
        if (strchr("?#%", *c))
            p += sprintf(p, "%%%c%c", hex[*c >> 4 & 15], hex[*c & 15]);
        else
            *p++ = *c;
    }
    strcpy(p, "?immutable=1");
    sqlite3_close(st->db);
    st->db = NULL;
    rc = open_file(st, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err);
    free(uri);
    return rc;
}

int store_open(const char *path, enum store_mode mode, struct store **ret_st, struct err *err)
{
    struct store *st;
    struct err own; /* errors decide here, so there has to be a place for them */
    char *name;
    int rc = check_path(path, mode, err = err ? err : &own);

    if (rc < 0)
        return rc;
    if (mode == STORE_UPDATE)
        mode = STORE_WRITE;
    st = calloc(1, sizeof(*st));
    name = store_plain_path(path);
    if (st)
        st->path = strdup(path);
    if (!st || !st->path || !name) {
        rc = err_set(err, -ENOMEM, "out of memory");
        goto out;
    }
    st->mode = mode;
    rc = open_file(st, name,
                   mode == STORE_WRITE ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
                                       : SQLITE_OPEN_READONLY,
                   err);
    /* ENOENT is of the -shm file: the database was there a moment ago. */
    if (mode != STORE_WRITE && (rc == -EACCES || rc == -EROFS || rc == -EPERM || rc == -ENOENT))
        rc = open_immutable(st, err);
    if (rc == 0 && mode == STORE_WRITE)
        rc = set_journal(st, err);
    if (rc < 0)
        goto out;
    *ret_st = st;
    st = NULL;
out:
    free(name);
    store_close(st);
    return rc;
}

void store_close(struct store *st)
{
    if (!st)
        return;
    store_forget_statements(st);
    sqlite3_close(st->db); /* an open transaction is rolled back */
    free(st->path);
    free(st);
}

const char *store_path(const struct store *st)
{
    return st->path;
}

sqlite3 *store_db(struct store *st)
{
    return st->db;
}
