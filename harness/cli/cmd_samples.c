#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/cli/cli.h"
#include "harness/store/filter.h"
#include "harness/store/store.h"
#include "profiler/measure.h"

struct samples {
    const char *op, *status, *where;
    int64_t limit;
};

static const struct opt options[] = {
    {.name = "--op",
     .type = OPT_TEXT,
     .offset = offsetof(struct samples, op),
     .arg = "OP",
     .help = "of this operator only"},
    {.name = "--status",
     .type = OPT_TEXT,
     .offset = offsetof(struct samples, status),
     .arg = "STATUS",
     .help = "ok, noisy, wrong, build_failed, launch_failed, timeout, crashed, ..."},
    {.name = "--where",
     .type = OPT_TEXT,
     .offset = offsetof(struct samples, where),
     .arg = "CONDITIONS",
     .help = FILTER_HELP "; columns are those that are printed"},
    {.name = "--limit",
     .type = OPT_INT,
     .offset = offsetof(struct samples, limit),
     .def = "0",
     .max = 0x1p63,
     .arg = "N",
     .help = "the latest N only; 0: all"},
    {0},
};

#define COLUMNS                                                                                    \
    "id,device,op,shape,dtype,path,kernel,gws,lws,tile,order,extra_ratio,cache,timer,batch,"       \
    "median_us,low_us,high_us,repeats,build_hash,status,error,form,slowdown,session,taken_utc"

/* Under the names of COLUMNS, in their order. */
static const char select_samples[] =
    "SELECT sample.id AS id, device.name AS device, op, shape, dtype, path, kernel, gws, lws, tile,"
    " loop_order AS \"order\", extra_ratio, cache, timer, batch, median_ns / 1000 AS median_us,"
    " low_ns / 1000 AS low_us, high_ns / 1000 AS high_us, repeats, build_hash, status, error, form,"
    " slowdown, session_id AS session, taken_utc"
    " FROM sample JOIN config ON config.id = config_id"
    " JOIN session ON session.id = session_id JOIN device ON device.id = device_id"
    " WHERE op = coalesce(?, op) AND status = coalesce(?, status)";

static void add_cell(struct table *t, struct store_query *q, int col)
{
    switch (store_type(q, col)) {
    case STORE_INT:
        table_int(t, store_int(q, col));
        break;
    case STORE_REAL:
        table_real(t, store_real(q, col), 4);
        break;
    case STORE_TEXT:
        table_text(t, store_text(q, col));
        break;
    case STORE_NULL:
    case STORE_BLOB:
        table_empty(t);
        break;
    }
}

/* The latest N, oldest first. */
static int list_samples(struct store *st, const struct samples *o, struct filter *where,
                        struct table *t, struct err *err)
{
    struct store_query *q = NULL;
    char *filtered = NULL, *sql = NULL;
    int rc = filter_sql(st, where, select_samples, &filtered, err);

    if (rc < 0)
        return err_prefix(err, "--where");
    if (asprintf(&sql, "SELECT * FROM (%s ORDER BY taken_utc DESC, id DESC LIMIT ?) ORDER BY id",
                 filtered) < 0)
        rc = err_set(err, -ENOMEM, "out of memory");
    if (rc == 0)
        rc = store_query(st, &q, err, sql, "ssfi", o->op, o->status, where,
                         o->limit > 0 ? o->limit : INT64_C(-1));
    while (rc >= 0 && !cli_interrupted && (rc = store_step(q, err)) == 1)
        for (int c = 0; c < store_columns(q); c++)
            add_cell(t, q, c);
    if (rc >= 0 && cli_interrupted)
        rc = err_set(err, -EINTR, "interrupted");
    store_query_done(q);
    free(sql);
    free(filtered);
    return rc;
}

static int run(const struct cli *cli, const void *opts, int n_args, char **args, struct err *err)
{
    const struct samples *o = opts;
    struct store *st = NULL;
    struct table *t = NULL;
    struct filter where;
    int rc;

    (void)n_args, (void)args;
    if (filter_parse(o->where, &where, err) < 0) {
        err_prefix(err, "--where");
        return EXIT_USAGE;
    }
    if (o->status && sample_status_parse(o->status) < 0) {
        err_set(err, -EINVAL, "--status: want a status such as ok, noisy or timeout, got '%s'",
                o->status);
        return EXIT_USAGE;
    }
    rc = store_open(cli->db_path, STORE_READ, &st, err);
    if (rc < 0)
        return EXIT_FAILED;
    t = table_new(COLUMNS);
    rc = t ? list_samples(st, o, &where, t, err) : err_set(err, -ENOMEM, "out of memory");
    store_close(st);
    if (rc < 0) {
        table_free(t);
        return rc == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
    }
    rc = table_print(t, (enum format)cli->format, stdout);
    if (rc == 0 && table_rows(t) == 0)
        cli_note(cli, "no such samples in '%s'", cli->db_path);
    table_free(t);
    return cli_printed(rc, err);
}

const struct command command_samples = {
    .name = "samples",
    .args = "",
    .summary = "recorded samples, one row each",
    .example = "flashmem samples --op matmul --where 'median_us > 500 AND form = pipelined'",
    .opts = options,
    .opts_size = sizeof(struct samples),
    .run = run,
};
