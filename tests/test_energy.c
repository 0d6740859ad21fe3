/* Energy from a tree of files like /sys and from a library like NVIDIA's; what a counter says is
 * set by the tests, so what must come out is known. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "profiler/energy.h"
#include "profiler/nvml.h"
#include "tests/folder.h"
#include "tests/suite.h"

static struct device cpu = {.info = {.platform = "Portable Computing Language", .name = "a cpu",
                                     .type = DEVICE_CPU, .unified = true}};
static struct device phone = {.info = {.platform = "QUALCOMM", .name = "Adreno",
                                       .type = DEVICE_GPU, .unified = true}};
static struct device card = {.info = {.platform = "AMD", .name = "a card", .type = DEVICE_GPU}};
static struct device nvidia = {.info = {.platform = "NVIDIA CUDA", .name = "H100",
                                        .type = DEVICE_GPU}};

/* sys/class/WHERE/NAME = text, at once: a battery's thread may read it meanwhile. */
static void put(const char *where, const char *name, const char *text)
{
    char path[256], file[512], draft[512];
    FILE *f;

    snprintf(path, sizeof(path), "%s/sys/class/%s", folder, where);
    snprintf(file, sizeof(file), "mkdir -p '%s'", path);
    ck_assert_int_eq(system(file), 0);
    snprintf(file, sizeof(file), "%s/%s", path, name);
    snprintf(draft, sizeof(draft), "%s/draft", folder);
    f = fopen(draft, "w");
    ck_assert_ptr_nonnull(f);
    fprintf(f, "%s\n", text);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(rename(draft, file), 0);
}

static void wait_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&t, NULL);
}

/* As long as an answer takes. */
static void wait_least(const struct energy *e)
{
    wait_ms((long)(energy_least_ns(e) / 1000000) + 1);
}

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static struct energy *open_energy(const struct device *dev)
{
    char sys[64];
    struct energy_options opt = {.sys = sys, .nvml = FAKE_NVML, .period_ns = 2000000};
    struct energy *e = NULL;
    struct err err = {0};

    snprintf(sys, sizeof(sys), "%s/sys", folder);
    ck_assert_msg(energy_open(dev, &opt, &e, &err) == 0, "%s", err.text);
    return e;
}

static void check_none(const struct device *dev, const char *reason)
{
    struct energy *e = open_energy(dev);
    struct err err = {0};
    double j = -1;

    ck_assert_ptr_null(energy_source(e));
    ck_assert_msg(strstr(energy_reason(e), reason) != NULL, "%s", energy_reason(e));
    ck_assert_int_eq(energy_begin(e, &err), -ENODEV);
    ck_assert_int_eq(energy_end(e, &j, &err), -ENODEV);
    ck_assert_msg(strstr(err.text, reason) != NULL, "%s", err.text);
    ck_assert_double_eq(j, -1);
    energy_close(e);
}

static void zone(const char *which, const char *name, const char *uj, const char *range)
{
    char where[64];

    snprintf(where, sizeof(where), "powercap/%s", which);
    put(where, "name", name);
    put(where, "energy_uj", uj);
    put(where, "max_energy_range_uj", range);
}

START_TEST(nothing)
{
    check_none(&cpu, "powercap");
    check_none(&phone, "'Adreno'");
    check_none(&card, "'a card'");
    put("powercap/intel-rapl:0", "name", "psys"); /* all of the machine: not the processor's */
    check_none(&cpu, "no powercap zone of a processor");
}
END_TEST

/* Two packages and one's memory, one counter wraps; cores are part of their package. */
START_TEST(rapl)
{
    struct energy *e;
    struct err err = {0};
    double j = -1;

    zone("intel-rapl:0", "package-0", "1000000", "262143328850");
    zone("intel-rapl:0:0", "core", "5", "262143328850");
    zone("intel-rapl:0:1", "dram", "70", "65712999613");
    zone("intel-rapl:1", "package-1", "262143000000", "262143328850");
    put("powercap/intel-rapl", "enabled", "1");
    e = open_energy(&cpu);
    ck_assert_str_eq(energy_source(e), "rapl");
    ck_assert_str_eq(energy_reason(e), "");
    ck_assert_int_eq(energy_begin(e, &err), 0);
    put("powercap/intel-rapl:0", "energy_uj", "3500000");
    put("powercap/intel-rapl:0:0", "energy_uj", "2000000");
    put("powercap/intel-rapl:0:1", "energy_uj", "250070");
    put("powercap/intel-rapl:1", "energy_uj", "171150");
    wait_least(e);
    ck_assert_msg(energy_end(e, &j, &err) == 0, "%s", err.text);
    ck_assert_double_eq_tol(j, 2.5 + 0.25 + 0.5, 1e-9);
    /* Not moved: no answer. */
    ck_assert_int_eq(energy_begin(e, &err), 0);
    wait_ms(25);
    j = -1;
    ck_assert_int_eq(energy_end(e, &j, &err), -EAGAIN);
    ck_assert_double_eq(j, -1);
    /* A zone goes away. */
    ck_assert_int_eq(energy_begin(e, &err), 0);
    put("powercap/intel-rapl:1", "energy_uj", "none");
    ck_assert_int_eq(energy_end(e, &j, &err), -EIO);
    energy_close(e);
    /* Half a sum is none. */
    check_none(&cpu, "package-1");
}
END_TEST

START_TEST(no_time)
{
    struct energy *e;
    struct err err = {0};
    double j = -1, began;

    zone("intel-rapl:0", "package-0", "1000000", "262143328850");
    e = open_energy(&cpu);
    for (int i = 0; i < 5; i++) {
        began = now_s();
        ck_assert_int_eq(energy_begin(e, &err), 0);
        put("powercap/intel-rapl:0", "energy_uj", "2000000");
        int rc = energy_end(e, &j, &err);

        if ((now_s() - began) * 1e9 < (double)energy_least_ns(e)) {
            ck_assert_int_eq(rc, -EAGAIN);
            ck_assert_ptr_nonnull(strstr(err.text, "too short"));
            ck_assert_double_eq(j, -1);
            energy_close(e);
            return;
        }
        put("powercap/intel-rapl:0", "energy_uj", "1000000"); /* too slow a machine: again */
        j = -1;
    }
    energy_close(e);
}
END_TEST

/* 2 A (negative while discharging, on some) at 4 V for a while, then 1 A: between the energies at
 * the lower and the higher power. Is it the sum of both parts? The change is seen by the next sample,
 * whenever that has its turn. */
static bool both_powers(struct energy *e)
{
    struct err err = {0};
    double j = -1, a, b, c, d, want;

    put("power_supply/bms", "current_now", "-2000000");
    a = now_s();
    ck_assert_int_eq(energy_begin(e, &err), 0);
    wait_ms(200);
    b = now_s();
    put("power_supply/bms", "current_now", "1000000");
    c = now_s();
    wait_ms(200);
    ck_assert_msg(energy_end(e, &j, &err) == 0, "%s", err.text);
    d = now_s();
    ck_assert_double_ge(j, 4 * 0.4);
    ck_assert_double_le(j, 8 * (d - a));
    want = 8 * ((b + c) / 2 - a) + 4 * (d - (b + c) / 2);
    return fabs(j - want) <= 0.05 * want;
}

START_TEST(battery)
{
    struct energy *e;
    struct err err = {0};
    double j = -1;
    bool near = false;

    put("power_supply/usb", "type", "USB");
    put("power_supply/bms", "type", "Battery");
    check_none(&phone, "no current and voltage");
    put("power_supply/bms", "current_now", "-2000000");
    put("power_supply/bms", "voltage_now", "4000000");
    put("power_supply/bms", "status", "Charging");
    check_none(&phone, "unplug");
    put("power_supply/bms", "status", "Discharging");
    e = open_energy(&phone);
    ck_assert_str_eq(energy_source(e), "battery");
    for (int i = 0; i < 20 && !near; i++)
        near = both_powers(e);
    ck_assert(near);
    /* Plugged in meanwhile. */
    ck_assert_int_eq(energy_begin(e, &err), 0);
    put("power_supply/bms", "status", "Charging");
    wait_ms(20);
    ck_assert_int_eq(energy_end(e, &j, &err), -EIO);
    ck_assert_ptr_nonnull(strstr(err.text, "plugged in"));
    put("power_supply/bms", "status", "Discharging");
    ck_assert_int_eq(energy_begin(e, &err), 0);
    energy_close(e); /* with its thread */
}
END_TEST

START_TEST(nvml)
{
    struct energy *e;
    struct nvml *n = NULL;
    struct err err = {0};
    uint64_t used = 0;
    double j = -1, before, begun, ending, after;

    setenv("FAKE_NVML_COUNT", "1", 1);
    e = open_energy(&nvidia);
    ck_assert_msg(energy_source(e) && strcmp(energy_source(e), "nvml") == 0, "%s",
                  energy_reason(e));
    ck_assert_int_eq(energy_begin(e, &err), 0);
    ck_assert_int_eq(energy_end(e, &j, &err), -EAGAIN);
    before = now_s();
    ck_assert_int_eq(energy_begin(e, &err), 0);
    begun = now_s();
    wait_least(e);
    ending = now_s();
    ck_assert_msg(energy_end(e, &j, &err) == 0, "%s", err.text);
    after = now_s();
    ck_assert_double_ge(j, 50 * (ending - begun - 0.1)); /* less a step, or more by one */
    ck_assert_double_le(j, 50 * (after - before + 0.1));
    energy_close(e);

    ck_assert_int_eq(nvml_open(&nvidia, FAKE_NVML, &n, &err), 0);
    ck_assert_int_eq(nvml_used_bytes(n, &used, &err), 0);
    ck_assert_uint_eq(used, 700);
    nvml_close(n);
}
END_TEST

START_TEST(no_nvml)
{
    struct nvml *n = NULL;
    struct err err = {0};

    ck_assert_int_eq(nvml_open(&nvidia, "libno-such-thing.so.1", &n, &err), -ENOENT);
    ck_assert_msg(strstr(err.text, "libno-such-thing") != NULL, "%s", err.text);
    ck_assert_int_eq(nvml_open(&nvidia, "libm.so.6", &n, &err), -ENOSYS);
    ck_assert_msg(strstr(err.text, "nvmlInit_v2") != NULL, "%s", err.text);
    setenv("FAKE_NVML_BROKEN", "1", 1);
    ck_assert_int_eq(nvml_open(&nvidia, FAKE_NVML, &n, &err), -EIO);
    ck_assert_msg(strstr(err.text, "Driver Not Loaded") != NULL, "%s", err.text);
    unsetenv("FAKE_NVML_BROKEN");
    /* Two, and the driver of this one does not say where it sits. */
    setenv("FAKE_NVML_COUNT", "2", 1);
    ck_assert_int_eq(nvml_open(&nvidia, FAKE_NVML, &n, &err), -ENODEV);
    ck_assert_ptr_null(n);
    check_none(&nvidia, "which of 2");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("energy");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, folder_make, folder_remove);
    tcase_add_test(t, nothing);
    tcase_add_test(t, rapl);
    tcase_add_test(t, no_time);
    tcase_add_test(t, battery);
    tcase_add_test(t, nvml);
    tcase_add_test(t, no_nvml);
    suite_add_tcase(s, t);
    return suite_run(s);
}
