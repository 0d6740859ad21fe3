/* flashmem devices: OpenCL devices; with --disk, how fast weights can come. */
#include <errno.h>
#include <stdlib.h>

#include "harness/cli/cli.h"
#include "harness/reader/disk.h"
#include "profiler/clock.h"
#include "profiler/device.h"

struct devices_opts {
    const char *disk;
    int64_t rounds;
    uint64_t turn_bytes;
};

#define FIELD(f) offsetof(struct devices_opts, f)
static const struct opt opts[] = {
    {.name = "--disk", .type = OPT_TEXT, .offset = FIELD(disk), .arg = "FILE",
     .help = "measure reads of this file instead: pread and io_uring against the replayer's reader"},
    {.name = "--rounds", .type = OPT_INT, .offset = FIELD(rounds), .def = "15", .min = 1,
     .max = 1000, .arg = "N", .help = "of --disk: turns of each"},
    {.name = "--turn", .type = OPT_BYTES, .offset = FIELD(turn_bytes), .def = "256MiB",
     .arg = "BYTES", .help = "of --disk: read in one turn, a multiple of 32MiB"},
    {0},
};

static const char *yes_no(bool b)
{
    return b ? "yes" : "no";
}

static void add_device(struct table *t, const struct device_info *d)
{
    table_int(t, d->index);
    table_text(t, d->platform);
    table_text(t, d->name);
    table_text(t, d->driver);
    table_text(t, device_type_name(d->type));
    table_int(t, (int64_t)d->image_width);
    table_int(t, (int64_t)d->image_height);
    table_int(t, (int64_t)d->local_bytes);
    table_text(t, yes_no(d->unified));
    table_text(t, yes_no(d->half_images));
}

struct disk_progress {
    const struct cli *cli;
    uint64_t began_ns;
};

static bool interrupted(void)
{
    return cli_interrupted;
}

static void show_round(void *ctx, int round, int rounds)
{
    const struct disk_progress *p = ctx;

    cli_progress(p->cli, "rounds", round, rounds, p->began_ns);
}

static void add_rate(struct table *t, const struct disk_rate *d)
{
    const struct interval *of[] = {&d->rate_bps, &d->of_best};

    table_text(t, d->ours ? "ours" : "loop");
    table_text(t, d->name);
    for (int i = 0; i < 2; i++) {
        int64_t v = i == 0 ? (int64_t)d->block_bytes : d->depth;

        if (v)
            table_int(t, v);
        else
            table_empty(t);
    }
    for (int i = 0; i < 2; i++) {
        double scale = i == 0 ? 1e-9 : 1;

        table_real(t, of[i]->mid * scale, 3);
        table_real(t, of[i]->low * scale, 3);
        table_real(t, of[i]->high * scale, 3);
    }
    table_real(t, d->cpu_s_per_gb, 2);
}

static int run_disk(const struct cli *cli, const struct devices_opts *o, struct err *err)
{
    struct disk_progress p = {cli, clock_ns()};
    struct disk_options opt = {.rounds = (int)o->rounds, .turn_bytes = o->turn_bytes,
                               .stop = interrupted, .progress = show_round, .ctx = &p};
    struct disk_rate *rate = NULL;
    struct table *t = NULL;
    int n = 0, rc = disk_compare(o->disk, &opt, &rate, &n, err);

    if (rc == 0)
        t = table_new("who,reader,block_bytes,depth,gb_per_s,gb_per_s_low,gb_per_s_high,of_best,"
                      "of_best_low,of_best_high,cpu_s_per_gb");
    for (int i = 0; t && i < n; i++)
        add_rate(t, &rate[i]);
    free(rate);
    return cli_finish(cli, t, rc, err);
}

static int run(const struct cli *cli, const void *options, int n_args, char **args, struct err *err)
{
    const struct devices_opts *o = options;
    struct device_info *list = NULL;
    struct table *t;
    int n = 0, rc;

    (void)n_args, (void)args;
    if (o->disk)
        return run_disk(cli, o, err);
    if (device_list(&list, &n, err) < 0)
        return EXIT_FAILED;
    if (n == 0) {
        err_set(err, -ENODEV,
                "no OpenCL device: install your GPU's driver, or PoCL to use the "
                "processor (Debian: apt install pocl-opencl-icd)");
        return EXIT_FAILED;
    }
    t = table_new("index,platform,name,driver,type,image_width,image_height,local_bytes,unified,"
                  "half_images");
    for (int i = 0; t && i < n; i++)
        add_device(t, &list[i]);
    rc = t ? table_print(t, (enum format)cli->format, stdout) : -ENOMEM;
    table_free(t);
    free(list);
    return cli_printed(rc, err);
}

const struct command command_devices = {
    .name = "devices",
    .args = "",
    .summary = "OpenCL devices, and the limits that matter",
    .example = "flashmem devices --format csv",
    .opts = opts,
    .opts_size = sizeof(struct devices_opts),
    .run = run,
};
