#include "harness/store/internal.h"

#include <errno.h>
#include <stdio.h>

int store_newest(void)
{
    int n = 0;

    while (schema_files[n].name)
        n++;
    return n;
}

struct identity {
    int application, version, tables;
};

/* In one statement, so that all three are of one moment: somebody may be making the file. */
static int get_identity(sqlite3 *db, const char *path, struct identity *ret_id, struct err *err)
{
    static const char sql[] = "SELECT (SELECT application_id FROM pragma_application_id),"
                              " (SELECT user_version FROM pragma_user_version), count(*)"
                              " FROM sqlite_schema";
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &q, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(q);
    if (rc == SQLITE_ROW)
        *ret_id = (struct identity){sqlite3_column_int(q, 0), sqlite3_column_int(q, 1),
                                    sqlite3_column_int(q, 2)};
    else
        store_error(db, path, rc, "cannot read", err);
    sqlite3_finalize(q);
    return rc == SQLITE_ROW ? 0 : err->code;
}

static int check_identity(const char *path, const struct identity *id, enum store_mode mode,
                          struct err *err)
{
    int newest = store_newest();

    if (id->application == 0 && id->version == 0 && id->tables == 0) {
        if (mode == STORE_WRITE)
            return 0;
        return err_set(err, -EUCLEAN, "'%s' is empty: 'flashmem sweep SPEC' fills it", path);
    }
    if (id->application != STORE_APPLICATION_ID)
        return err_set(err, -EUCLEAN,
                       "'%s' is another program's database: name ours with --db FILE", path);
    if (id->version < 1)
        return err_set(err, -EUCLEAN, "'%s' is damaged: its schema is numbered %d", path,
                       id->version);
    if (id->version > newest)
        return err_set(err, -EPROTO,
                       "'%s' has schema %d, newer than this program's %d: use a newer flashmem, "
                       "or another --db FILE",
                       path, id->version, newest);
    if (id->version < newest && mode == STORE_READ)
        return err_set(err, -EPROTO,
                       "'%s' has schema %d, older than this program's %d: "
                       "'flashmem db upgrade' brings it up",
                       path, id->version, newest);
    return 0;
}

/* One step, from version to version + 1, in one transaction. */
static int step(sqlite3 *db, const char *path, int version, struct err *err)
{
    char pragmas[128], what[128];
    int rc;

    snprintf(what, sizeof(what), "schema %s", schema_files[version].name);
    snprintf(pragmas, sizeof(pragmas), "PRAGMA application_id = %d; PRAGMA user_version = %d",
             STORE_APPLICATION_ID, version + 1);
    rc = sqlite3_exec(db, schema_files[version].text, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, pragmas, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        return 0;
    store_error(db, path, rc, what, err);
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return err->code;
}

int store_version(sqlite3 *db, const char *path, int *ret_version, struct err *err)
{
    struct identity id = {0};
    int rc = get_identity(db, path, &id, err);

    if (rc == 0)
        *ret_version = id.version;
    return rc;
}

int store_build(sqlite3 *db, const char *path, int from, int to, struct err *err)
{
    int rc = 0;

    for (int version = from; version < to && rc == 0; version++) {
        rc = sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
        rc = rc == SQLITE_OK ? step(db, path, version, err)
                             : store_error(db, path, rc, "cannot write", err);
    }
    return rc;
}

int store_migrate(sqlite3 *db, const char *path, enum store_mode mode, struct err *err)
{
    struct identity id;
    int rc = get_identity(db, path, &id, err);

    if (rc == 0)
        rc = check_identity(path, &id, mode, err);
    if (rc < 0 || mode != STORE_WRITE)
        return rc;
    while (id.version < store_newest()) {
        /* IMMEDIATE: of two processes that found the same old version, the second waits here and
         * then sees what the first one made. */
        rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
        if (rc != SQLITE_OK)
            return store_error(db, path, rc, "cannot write", err);
        rc = get_identity(db, path, &id, err);
        if (rc == 0)
            rc = check_identity(path, &id, mode, err);
        if (rc < 0 || id.version == store_newest()) {
            sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
            return rc;
        }
        rc = step(db, path, id.version, err);
        if (rc < 0)
            return rc;
        id.version++;
    }
    return 0;
}
