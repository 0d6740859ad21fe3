#include <errno.h>
#include <stdlib.h>

#include "harness/cli/cli.h"
#include "profiler/device.h"

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

static int run(const struct cli *cli, const void *opts, int n_args, char **args, struct err *err)
{
    struct device_info *list = NULL;
    struct table *t;
    int n = 0, rc;

    (void)opts, (void)n_args, (void)args;
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
    .run = run,
};
