#include "profiler/energy.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "profiler/clock.h"
#include "profiler/nvml.h"

#define MAX_ZONES    32
#define STEPS        20         /* that make a measurement */
#define NVML_STEP_NS 100000000  /* measured on an H100; 3 ms a call */
#define RAPL_STEP_NS 1000000    /* Intel SDM vol. 3B, 15.10.1: about 1 ms */
#define BATTERY_PERIOD_NS 100000000
#define BATTERY_STEP 10         /* periods: fuel gauges of phones move every 0.25 to 1 s */

struct zone { /* of powercap: a counter that wraps */
    char path[PATH_MAX];
    int64_t range_uj, began_uj;
};

struct energy {
    enum { NONE, NVML, RAPL, BATTERY } source;
    char reason[256];
    uint64_t began_ns;

    struct nvml *nvml;
    uint64_t began_mj;

    struct zone *zone;
    int n_zones;

    char battery[PATH_MAX];
    uint64_t period_ns;
    pthread_t thread; /* samples the battery from begin to end */
    pthread_mutex_t lock;
    pthread_cond_t over;
    bool sampling;
    int failure;
    double sampled_j;
};

/* ---- files of /sys ---- */

static int read_text(const char *folder, const char *name, char *text, size_t size)
{
    char path[2 * PATH_MAX];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    f = fopen(path, "re");
    if (!f)
        return -errno;
    if (!fgets(text, (int)size, f)) {
        fclose(f);
        return -EIO;
    }
    fclose(f);
    text[strcspn(text, "\n")] = 0;
    return 0;
}

static int read_number(const char *folder, const char *name, int64_t *ret)
{
    char text[64], *end;
    int rc = read_text(folder, name, text, sizeof(text));
    long long v;

    if (rc < 0)
        return rc;
    v = strtoll(text, &end, 10);
    if (end == text || *end)
        return -EIO;
    *ret = v;
    return 0;
}

/* ---- RAPL ---- */

/* Packages and the memory beside them. Cores are part of their package; a platform's counter
 * ("psys") holds packages. */
static bool is_counted(const char *name)
{
    return strncmp(name, "package", 7) == 0 || strcmp(name, "dram") == 0;
}

static void find_zones(struct energy *e, const char *sys)
{
    char folder[PATH_MAX], name[64];
    struct dirent *d;
    DIR *dir;

    snprintf(folder, sizeof(folder), "%s/class/powercap", sys);
    dir = opendir(folder);
    if (!dir) {
        snprintf(e->reason, sizeof(e->reason), "no powercap zones here");
        return;
    }
    e->zone = calloc(MAX_ZONES, sizeof(*e->zone));
    while (e->zone && e->n_zones < MAX_ZONES && (d = readdir(dir))) {
        struct zone *z = &e->zone[e->n_zones];
        int rc;

        if (strncmp(d->d_name, "intel-rapl:", 11) != 0) /* AMD's bear the name too */
            continue;
        if ((size_t)snprintf(z->path, sizeof(z->path), "%.2000s/%.255s", folder, d->d_name) >=
                sizeof(z->path) ||
            read_text(z->path, "name", name, sizeof(name)) < 0 || !is_counted(name))
            continue;
        rc = read_number(z->path, "energy_uj", &z->began_uj);
        if (rc == 0)
            rc = read_number(z->path, "max_energy_range_uj", &z->range_uj);
        if (rc < 0) { /* half a sum would be no sum */
            snprintf(e->reason, sizeof(e->reason), "powercap zone '%.100s': %s%s", name,
                     strerror(-rc), rc == -EACCES ? " (root may read it)" : "");
            e->n_zones = 0;
            break;
        }
        e->n_zones++;
    }
    closedir(dir);
    if (e->n_zones > 0)
        e->source = RAPL;
    else if (!e->reason[0])
        snprintf(e->reason, sizeof(e->reason), "no powercap zone of a processor package here");
}

static int rapl_begin(struct energy *e)
{
    int rc = 0;

    for (int i = 0; i < e->n_zones && rc == 0; i++)
        rc = read_number(e->zone[i].path, "energy_uj", &e->zone[i].began_uj);
    return rc;
}

static int rapl_end(const struct energy *e, double *ret_j)
{
    double j = 0;

    for (int i = 0; i < e->n_zones; i++) {
        int64_t now;
        int rc = read_number(e->zone[i].path, "energy_uj", &now);

        if (rc < 0)
            return rc;
        if (now < e->zone[i].began_uj) /* wrapped: once in minutes at full power */
            now += e->zone[i].range_uj;
        j += (double)(now - e->zone[i].began_uj) * 1e-6;
    }
    *ret_j = j;
    return 0;
}

/* ---- battery ---- */

static int battery_w(const char *battery, double *ret_w)
{
    int64_t ua, uv, uw;
    int rc = read_number(battery, "power_now", &uw);

    if (rc == 0) {
        *ret_w = (double)llabs(uw) * 1e-6;
        return 0;
    }
    rc = read_number(battery, "current_now", &ua); /* its sign differs from phone to phone */
    if (rc == 0)
        rc = read_number(battery, "voltage_now", &uv);
    if (rc == 0)
        *ret_w = (double)llabs(ua) * 1e-6 * (double)uv * 1e-6;
    return rc;
}

static bool discharges(const char *battery)
{
    char status[32];

    return read_text(battery, "status", status, sizeof(status)) == 0 &&
           strcmp(status, "Discharging") == 0;
}

static void find_battery(struct energy *e, const char *sys)
{
    char folder[PATH_MAX], path[PATH_MAX], type[32];
    struct dirent *d;
    DIR *dir;
    double w;

    snprintf(folder, sizeof(folder), "%s/class/power_supply", sys);
    dir = opendir(folder);
    while (dir && e->source == NONE && (d = readdir(dir))) {
        if ((size_t)snprintf(path, sizeof(path), "%.2000s/%.255s", folder, d->d_name) >=
                sizeof(path) ||
            read_text(path, "type", type, sizeof(type)) < 0 || strcmp(type, "Battery") != 0)
            continue;
        if (battery_w(path, &w) < 0) {
            snprintf(e->reason, sizeof(e->reason), "battery '%.60s' tells no current and voltage",
                     d->d_name);
        } else if (!discharges(path)) {
            snprintf(e->reason, sizeof(e->reason),
                     "battery '%.60s' is not discharging: unplug the charger", d->d_name);
        } else {
            snprintf(e->battery, sizeof(e->battery), "%s", path);
            e->source = BATTERY;
        }
    }
    if (dir)
        closedir(dir);
}

/* Trapezoids between samples, the first at begin(), the last at end(). */
static void *battery_main(void *arg)
{
    struct energy *e = arg;
    double w = 0, last_w = 0;
    uint64_t last_ns = e->began_ns;
    bool more = true;
    int rc = battery_w(e->battery, &last_w);

    pthread_mutex_lock(&e->lock);
    while (more && rc == 0) {
        uint64_t next_ns = clock_ns() + e->period_ns;
        struct timespec until = {(time_t)(next_ns / 1000000000), (long)(next_ns % 1000000000)};

        while (e->sampling && pthread_cond_timedwait(&e->over, &e->lock, &until) != ETIMEDOUT)
            ;
        more = e->sampling;
        pthread_mutex_unlock(&e->lock);
        rc = battery_w(e->battery, &w);
        if (rc == 0 && !discharges(e->battery))
            rc = -EBUSY;
        next_ns = clock_ns();
        pthread_mutex_lock(&e->lock);
        e->sampled_j += (w + last_w) / 2 * ((double)(next_ns - last_ns) * 1e-9);
        last_ns = next_ns;
        last_w = w;
    }
    e->failure = rc;
    pthread_mutex_unlock(&e->lock);
    return NULL;
}

static int battery_begin(struct energy *e)
{
    e->sampling = true;
    e->failure = 0;
    e->sampled_j = 0;
    e->began_ns = clock_ns();
    if (pthread_create(&e->thread, NULL, battery_main, e) == 0)
        return 0;
    e->sampling = false;
    return -EAGAIN;
}

static int battery_end(struct energy *e, double *ret_j)
{
    pthread_mutex_lock(&e->lock);
    e->sampling = false;
    pthread_cond_signal(&e->over);
    pthread_mutex_unlock(&e->lock);
    pthread_join(e->thread, NULL);
    if (e->failure == 0)
        *ret_j = e->sampled_j;
    return e->failure;
}

/* ---- all ---- */

int energy_open(const struct device *dev, const struct energy_options *opt,
                struct energy **ret_energy, struct err *err)
{
    struct energy *e = calloc(1, sizeof(*e));
    const char *sys = opt && opt->sys ? opt->sys : "/sys";
    pthread_condattr_t monotonic;
    struct err why = {0};

    if (!e)
        return err_set(err, -ENOMEM, "out of memory for an energy meter");
    pthread_mutex_init(&e->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&e->over, &monotonic);
    pthread_condattr_destroy(&monotonic);
    e->period_ns = opt && opt->period_ns ? opt->period_ns : BATTERY_PERIOD_NS;
    if (nvml_knows(dev)) {
        uint64_t mj;

        if (nvml_open(dev, opt ? opt->nvml : NULL, &e->nvml, &why) == 0 &&
            nvml_energy_mj(e->nvml, &mj, &why) == 0)
            e->source = NVML;
        else
            snprintf(e->reason, sizeof(e->reason), "%.250s", why.text);
    } else if (dev->info.type == DEVICE_CPU || dev->info.unified) {
        if (dev->info.type == DEVICE_CPU)
            find_zones(e, sys);
        if (e->source == NONE)
            find_battery(e, sys);
    }
    if (e->source != NONE)
        e->reason[0] = 0;
    else if (!e->reason[0])
        snprintf(e->reason, sizeof(e->reason), "nothing here tells the energy of '%.100s'",
                 dev->info.name);
    *ret_energy = e;
    return 0;
}

void energy_close(struct energy *e)
{
    double discard;

    if (!e)
        return;
    if (e->sampling)
        battery_end(e, &discard);
    nvml_close(e->nvml);
    pthread_cond_destroy(&e->over);
    pthread_mutex_destroy(&e->lock);
    free(e->zone);
    free(e);
}

const char *energy_source(const struct energy *e)
{
    static const char *const name[] = {
        [NONE] = NULL, [NVML] = "nvml", [RAPL] = "rapl", [BATTERY] = "battery"};

    return name[e->source];
}

const char *energy_reason(const struct energy *e)
{
    return e->reason;
}

uint64_t energy_least_ns(const struct energy *e)
{
    const uint64_t step_ns[] = {[NVML] = NVML_STEP_NS, [RAPL] = RAPL_STEP_NS,
                                [BATTERY] = BATTERY_STEP * e->period_ns};

    return STEPS * step_ns[e->source];
}

int energy_begin(struct energy *e, struct err *err)
{
    int rc = -ENODEV;

    if (e->source == NONE)
        return err_set(err, rc, "energy: %s", e->reason);
    if (e->source == NVML)
        rc = nvml_energy_mj(e->nvml, &e->began_mj, err);
    else if (e->source == RAPL)
        rc = rapl_begin(e);
    else
        rc = battery_begin(e);
    e->began_ns = e->source == BATTERY ? e->began_ns : clock_ns();
    return rc < 0 && e->source != NVML
               ? err_set(err, -EIO, "energy: %s: %s", energy_source(e), strerror(-rc))
               : rc;
}

int energy_end(struct energy *e, double *ret_j, struct err *err)
{
    uint64_t mj = 0, ns;
    double j = 0;
    int rc;

    if (e->source == NONE)
        return err_set(err, -ENODEV, "energy: %s", e->reason);
    ns = clock_ns() - e->began_ns;
    if (e->source == NVML) {
        rc = nvml_energy_mj(e->nvml, &mj, err);
        if (rc < 0)
            return rc;
        j = (double)(mj - e->began_mj) * 1e-3;
    } else {
        rc = e->source == RAPL ? rapl_end(e, &j) : battery_end(e, &j);
        if (rc < 0)
            return err_set(err, -EIO, "energy: %s: %s", energy_source(e),
                           rc == -EBUSY ? "the charger was plugged in" : strerror(-rc));
    }
    if (ns < energy_least_ns(e))
        return err_set(err, -EAGAIN, "energy: %.3g s are too short for %s: want %.3g s",
                       (double)ns * 1e-9, energy_source(e), (double)energy_least_ns(e) * 1e-9);
    if (!(j > 0))
        return err_set(err, -EAGAIN, "energy: the counter of %s did not move", energy_source(e));
    *ret_j = j;
    return 0;
}
