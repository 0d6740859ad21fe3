/* harness/store/session.c - rows that say which device, which machine, which program, and who
 * asked. What the machine does not tell is NULL or "unknown". */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "harness/store/store.h"
#include "harness/store/version.h"

#define TEXT 256

int store_find_device(struct store *st, const struct device_info *info, int64_t *ret_id,
                      struct err *err)
{
    struct store_query *q = NULL;
    int64_t id = 0;
    int rc = store_query(st, &q, err,
                         "SELECT id FROM device WHERE platform = ? AND name = ? AND driver = ?"
                         " AND compute_units = ?",
                         "sssi", info->platform, info->name, info->driver,
                         (int64_t)info->compute_units);

    if (rc == 0)
        rc = store_step(q, err);
    if (rc == 1)
        id = store_int(q, 0);
    store_query_done(q);
    if (rc < 0)
        return rc;
    *ret_id = id;
    return 0;
}

int store_device(struct store *st, const struct device_info *info, int64_t *ret_id, struct err *err)
{
    int64_t id = 0;
    int rc;

    rc = store_exec(st, err,
                    "INSERT INTO device (platform, name, version, driver, type, image_width, "
                    "image_height, local_bytes, unified, half_images, compute_units, max_group, "
                    "timer_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
                    "ON CONFLICT (platform, name, driver, compute_units) DO NOTHING",
                    "sssssiiiiiiii", info->platform, info->name, info->version, info->driver,
                    device_type_name(info->type), (int64_t)info->image_width,
                    (int64_t)info->image_height, (int64_t)info->local_bytes, (int64_t)info->unified,
                    (int64_t)info->half_images, (int64_t)info->compute_units,
                    (int64_t)info->max_group, (int64_t)info->timer_ns);
    if (rc == 0)
        rc = store_find_device(st, info, &id, err);
    if (rc == 0 && id == 0)
        rc = err_set(err, -EIO, "'%s': device '%s' was not stored", store_path(st), info->name);
    if (rc == 0)
        *ret_id = id;
    return rc;
}

/* RFC 4122, version 4. */
static int make_uuid(char text[37], struct err *err)
{
    unsigned char b[16];

    if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
        return err_set(err, -EIO, "no random numbers: %s", strerror(errno));
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    for (int i = 0, k = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text[k++] = '-';
        k += snprintf(text + k, 3, "%02x", b[i]);
    }
    return 0;
}

/* The value of the first line "KEY<separators>VALUE" of a small text file, without quotes. */
static int file_value(const char *path, const char *key, char value[TEXT])
{
    FILE *f = fopen(path, "r");
    char line[512];
    size_t n = strlen(key);
    int rc = -ENOENT;

    while (f && rc < 0 && fgets(line, sizeof(line), f)) {
        char *p = line + n;

        if (strncmp(line, key, n) != 0 || !strchr(" \t:=", *p))
            continue;
        p += strspn(p, " \t:=\"");
        p[strcspn(p, "\"\n")] = '\0';
        snprintf(value, TEXT, "%.*s", TEXT - 1, p);
        rc = 0;
    }
    if (f)
        fclose(f);
    return rc;
}

struct host {
    char name[TEXT], os[2 * TEXT], cpu[TEXT];
    int64_t cpus, memory_bytes;
    double load; /* -1: unknown */
};

static void get_host(struct host *h)
{
    char distribution[TEXT];
    struct utsname u;

    if (uname(&u) != 0)
        memset(&u, 0, sizeof(u));
    snprintf(h->name, sizeof(h->name), "%.*s", TEXT - 1, *u.nodename ? u.nodename : "unknown");
    if (file_value("/etc/os-release", "PRETTY_NAME", distribution) < 0)
        snprintf(distribution, sizeof(distribution), "unknown distribution");
    snprintf(h->os, sizeof(h->os), "%s %s, %s", *u.sysname ? u.sysname : "unknown", u.release,
             distribution);
    /* ARM kernels name no model; some name the board. */
    if (file_value("/proc/cpuinfo", "model name", h->cpu) < 0 &&
        file_value("/proc/cpuinfo", "Hardware", h->cpu) < 0)
        snprintf(h->cpu, sizeof(h->cpu), "%.*s", TEXT - 1, *u.machine ? u.machine : "unknown");
    h->cpus = sysconf(_SC_NPROCESSORS_ONLN);
    h->memory_bytes = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    if (getloadavg(&h->load, 1) != 1)
        h->load = -1;
}

/* The command line as a shell would take it, the program by its name alone: where it lies on one
 * machine is nobody else's business. NULL: out of memory. */
static char *quote_command(int argc, char **argv)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);

    if (!f)
        return NULL;
    for (int i = 0; i < argc; i++) {
        const char *plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                            "-_./=,:@%+";
        const char *slash = i == 0 ? strrchr(argv[i], '/') : NULL;
        const char *arg = slash ? slash + 1 : argv[i];

        if (i > 0)
            fputc(' ', f);
        if (*arg && !arg[strspn(arg, plain)]) {
            fputs(arg, f);
            continue;
        }
        fputc('\'', f);
        for (const char *p = arg; *p; p++) {
            if (*p == '\'')
                fputs("'\\'", f);
            fputc(*p, f);
        }
        fputc('\'', f);
    }
    if (fclose(f) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

int store_session(struct store *st, int64_t device_id, int argc, char **argv, int64_t *ret_id,
                  struct err *err)
{
    struct store_query *q = NULL;
    char uuid[37];
    char *command = quote_command(argc, argv);
    struct host h;
    int rc;

    if (!command)
        return err_set(err, -ENOMEM, "out of memory");
    rc = make_uuid(uuid, err);
    if (rc < 0)
        goto out;
    get_host(&h);
    rc = store_query(st, &q, err,
                     "INSERT INTO session (uuid, device_id, started_utc, host, os, cpu, cpus, "
                     "memory_bytes, program, compiler, command, load_avg) "
                     "VALUES (?, ?, " STORE_NOW_UTC ", ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
                     "sisssiisssd", uuid, device_id, h.name, h.os, h.cpu, h.cpus, h.memory_bytes,
                     program_version, program_compiler, command, h.load < 0 ? NAN : h.load);
    if (rc == 0)
        rc = store_step(q, err);
    if (rc == 1) {
        *ret_id = store_int(q, 0);
        rc = store_step(q, err); /* to the end: that is where it is committed */
    }
out:
    store_query_done(q);
    free(command);
    return rc < 0 ? rc : 0;
}

int store_session_end(struct store *st, int64_t session_id, struct err *err)
{
    return store_exec(st, err, "UPDATE session SET ended_utc = " STORE_NOW_UTC " WHERE id = ?", "i",
                      session_id);
}
