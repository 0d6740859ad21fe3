/* Which variant runs: samples of known times in a store, as a sweep would write them, and what
 * harness/samples/best.h makes of them. */
#include <check.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/samples/best.h"
#include "tests/folder.h"
#include "tests/suite.h"

static const struct device_info dev = {
    .platform = "synthetic", .name = "law", .version = "OpenCL 1.2", .driver = "1",
    .type = DEVICE_CPU, .images = true, .half_images = true, .unified = true,
    .image_width = 8192, .image_height = 8192, .global_bytes = UINT64_MAX,
    .max_alloc_bytes = UINT64_MAX, .local_bytes = 65536, .max_group = 4096, .timer_ns = 1,
    .compute_units = 2,
};

#define CASE "relu:f32:rows=8,cols=64"
#define SLOW "image,direct,naive,VT=1,lws=8x8"
#define FAST "image,direct,naive,VT=4,lws=8x8"

static struct store *st;
static int64_t device_id, other_id;

static int64_t device_of(const char *driver)
{
    struct device_info d = dev;
    struct err err = {0};
    int64_t id;

    snprintf(d.driver, sizeof(d.driver), "%s", driver);
    ck_assert_msg(store_device(st, &d, &id, &err) == 0, "%s", err.text);
    return id;
}

static void setup(void)
{
    struct err err = {0};

    folder_make_in_memory();
    ck_assert_msg(store_open(in_folder("db"), STORE_WRITE, &st, &err) == 0, "%s", err.text);
    device_id = device_of("1");
    other_id = device_of("2");
}

static void teardown(void)
{
    store_close(st);
    folder_remove();
}

static struct op_case parse(const char *text)
{
    struct op_case c = {0};
    struct err err = {0};

    ck_assert_msg(op_case_parse(text, &c, &err) == 0, "%s: %s", text, err.text);
    return c;
}

struct put {
    const char *c, *variant;
    double ns;      /* of the loaded side, or the only one */
    double base_ns; /* 0: no load */
    const char *status, *cache;
    int64_t device;
    bool stale; /* measured before the kernel's source changed */
};

/* Each in a session of its own: a session measures a configuration once. */
static void put(struct put p)
{
    struct op_case c = parse(p.c);
    struct op_variant v;
    char shape[OP_TEXT_MAX], key[4 * OP_TEXT_MAX], hash[20];
    char *argv[] = {"test", NULL};
    struct err err = {0};
    uint64_t h = 0;
    int64_t session;

    ck_assert_msg(op_variant_parse(&c, &dev, p.variant, &v, &err) == 0, "%s", err.text);
    ck_assert_msg(op_variant_hash(&c, &v, &dev, &h, &err) == 0, "%s", err.text);
    snprintf(hash, sizeof(hash), "%016" PRIx64, h ^ (uint64_t)p.stale);
    op_case_params(&c, shape);
    snprintf(key, sizeof(key), "%s|%s|load=%d|cache=%s", p.c, p.variant, p.base_ns > 0,
             p.cache ? p.cache : "flushed");
    ck_assert_msg(store_session(st, p.device ? p.device : device_id, 1, argv, &session, &err) == 0,
                  "%s", err.text);
    ck_assert_msg(
        store_exec(st, &err,
                   "INSERT INTO config (key, op, class, shape, dtype, path, kernel, form, variant,"
                   " gws, lws, tile, loop_order, extra_ratio, load_bytes, cache) VALUES (?, ?,"
                   " 'elemental', ?, ?, ?, '', '', ?, '', '', '', '', 0, ?, ?)"
                   " ON CONFLICT (key) DO NOTHING",
                   "ssssssis", key, c.op->name, shape, dtype_name(c.dtype), mem_path_name(v.path),
                   p.variant, (int64_t)(p.base_ns > 0), p.cache ? p.cache : "flushed") == 0,
        "%s", err.text);
    ck_assert_msg(
        store_exec(st, &err,
                   "INSERT INTO sample (session_id, config_id, taken_utc, status, median_ns,"
                   " base_median_ns, build_hash) VALUES (?, (SELECT id FROM config WHERE key = ?),"
                   " '2026-01-01T00:00:00Z', ?, ?, nullif(?, 0.0), ?)",
                   "issdds", session, key, p.status ? p.status : "ok", p.ns, p.base_ns, hash) == 0,
        "%s", err.text);
}

static struct best ask(enum op_form form)
{
    struct op_case c = parse(CASE);
    struct best b = {0};
    struct err err = {0};

    ck_assert_msg(best_variant(st, device_id, &dev, &c, PATH_IMAGE, form, &b, &err) == 0, "%s",
                  err.text);
    ck_assert_int_eq(b.v.form, form);
    ck_assert_int_eq(b.v.n_loads, form != FORM_NAIVE);
    return b;
}

/* The answer is that variant, by its naive spelling. */
static void check_is(const char *variant, double ns, int known)
{
    for (int f = FORM_NAIVE; f < OP_FORMS; f++) {
        struct op_case c = parse(CASE);
        struct best b = ask((enum op_form)f);
        char text[OP_TEXT_MAX];

        b.v.form = FORM_NAIVE;
        b.v.n_loads = 0;
        op_variant_print(&c, &b.v, text);
        ck_assert_str_eq(text, variant);
        ck_assert_double_eq(b.ns, ns);
        ck_assert_int_eq(b.known, known);
    }
}

static void check_default(void)
{
    struct op_case c = parse(CASE);
    struct op_variant v;
    struct best b = ask(FORM_PIPELINED);

    op_variant_default(&c, &dev, PATH_IMAGE, &v);
    ck_assert(memcmp(b.v.tunable, v.tunable, sizeof(v.tunable)) == 0);
    ck_assert(memcmp(b.v.lws, v.lws, sizeof(v.lws)) == 0);
    ck_assert(b.v.kernel == v.kernel && b.v.path == PATH_IMAGE);
    ck_assert(isnan(b.ns));
    ck_assert_int_eq(b.known, 0);
}

START_TEST(nothing_known)
{
    check_default();
    /* none of these is the case on this device, as it is now, and trusted */
    put((struct put){.c = CASE, .variant = FAST, .ns = 10, .status = "noisy"});
    put((struct put){.c = CASE, .variant = "image,direct,naive,VT=4,lws=4x4",
                     .ns = 10, .status = "wrong"});
    put((struct put){.c = CASE, .variant = "image,direct,naive,VT=2,lws=8x8",
                     .ns = 10, .cache = "hot"});
    put((struct put){.c = CASE, .variant = SLOW, .ns = 10, .device = other_id});
    put((struct put){.c = CASE, .variant = "image,direct,naive,VT=8,lws=8x8",
                     .ns = 10, .stale = true});
    put((struct put){.c = CASE, .variant = "buffer,direct,naive,VT=4,lws=8x8", .ns = 10});
    put((struct put){.c = "relu:f16:rows=8,cols=64", .variant = FAST, .ns = 10});
    put((struct put){.c = "relu:f32:rows=8,cols=65", .variant = FAST, .ns = 10});
    put((struct put){.c = "gelu:f32:rows=8,cols=64", .variant = FAST, .ns = 10});
    check_default();
}
END_TEST

START_TEST(the_fastest)
{
    put((struct put){.c = CASE, .variant = SLOW, .ns = 100});
    check_is(SLOW, 100, 1); /* what is measured, even alone */
    put((struct put){.c = CASE, .variant = FAST, .ns = 80});
    check_is(FAST, 80, 2);
    put((struct put){.c = CASE, .variant = "image,direct,naive,VT=8,lws=8x8",
                     .ns = 10, .stale = true});
    check_is(FAST, 80, 2);
}
END_TEST

/* The base side of a pair is the naive form without load, whatever the loaded side took. */
START_TEST(base_sides)
{
    put((struct put){.c = CASE, .variant = FAST, .ns = 80});
    put((struct put){.c = CASE, .variant = "image,direct,pipelined,VT=1,lws=8x8,loads=1",
                     .ns = 500, .base_ns = 60});
    check_is(SLOW, 60, 2);
    put((struct put){.c = CASE, .variant = "image,direct,copy,VT=4,lws=8x8,loads=2",
                     .ns = 30, .base_ns = 20});
    check_is(FAST, 50, 2); /* the median of 80 and 20 */
}
END_TEST

/* One lucky sample does not win. */
START_TEST(median_of_sessions)
{
    for (int i = 0; i < 5; i++) {
        put((struct put){.c = CASE, .variant = SLOW, .ns = i == 0 ? 10 : 100});
        put((struct put){.c = CASE, .variant = FAST, .ns = 90 + i});
    }
    check_is(FAST, 92, 2);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("best");
    TCase *t = tcase_create("best");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, nothing_known);
    tcase_add_test(t, the_fastest);
    tcase_add_test(t, base_sides);
    tcase_add_test(t, median_of_sessions);
    suite_add_tcase(s, t);
    return suite_run(s);
}
