/* tests/cli_fixture.c FILE - a small database with known rows, for tests/cli.txt: three samples of
 * one device, the second noisy, the third failed. Never a measurement. */
#include <math.h>
#include <stdio.h>

#include "harness/store/store.h"

static const struct device_info device = {
    .platform = "Test", .name = "Fixture \"A\", b", .version = "OpenCL 1.2", .driver = "1"};

static const struct {
    const char *op, *status, *error;
    double median_ns;
} rows[] = {
    {"matmul", "ok", NULL, 1500},
    {"add", "noisy", NULL, 0.1},
    {"add", "timeout", "no answer in 20 s", NAN},
};

static int fill(struct store *st, struct err *err)
{
    char *argv[] = {"cli_fixture"}, key[16];
    int64_t device_id, session_id;
    int rc = store_device(st, &device, &device_id, err);

    if (rc == 0)
        rc = store_session(st, device_id, 1, argv, &session_id, err);
    if (rc == 0)
        rc = store_exec(st, err, "UPDATE session SET cpu = 'c'", "");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && rc == 0; i++) {
        snprintf(key, sizeof(key), "%zu", i);
        rc = store_exec(st, err,
                        "INSERT INTO config (key, op, class, shape, dtype, path, kernel, form, "
                        "variant, gws, lws, tile, loop_order, extra_ratio, load_bytes, cache) "
                        "VALUES (?, ?, 'elemental', 'm=1,n=2', 'f32', 'image', 'direct', 'naive', "
                        "'', '4x4', 'auto', 'TM=8', 'mnk', 0.25, 0, 'hot')",
                        "ss", key, rows[i].op);
        if (rc == 0)
            rc = store_exec(st, err,
                            "INSERT INTO sample (session_id, config_id, taken_utc, status, error, "
                            "timer, batch, repeats, median_ns) "
                            "VALUES (?, ?, '2020-01-01T00:00:00Z', ?, ?, 'event', 1, 10, ?)",
                            "iissd", session_id, store_last_id(st), rows[i].status, rows[i].error,
                            rows[i].median_ns);
    }
    return rc;
}

int main(int argc, char **argv)
{
    struct store *st = NULL;
    struct err err = {0};
    int rc = argc == 2 ? store_open(argv[1], STORE_WRITE, &st, &err) : -1;

    if (rc == 0)
        rc = fill(st, &err);
    if (rc < 0)
        fprintf(stderr, "cli_fixture: %s\n", err.text);
    store_close(st);
    return rc < 0;
}
