/* Comparisons: known changes in drawn recordings are found, noise is not; sides mean what is typed.
 */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/compare/compare.h"
#include "profiler/rng.h"
#include "tests/folder.h"
#include "tests/suite.h"

/* A standard normal draw: Box and Muller 1958. */
static double normal(uint64_t *rng)
{
    double u = 1 - rng_unit(rng), v = rng_unit(rng);

    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

/* Items of base time 1 ms, `k` recordings a side of 20 repeats. */
struct world {
    int items, k;
    double repeat_sd, recording_sd, machine; /* logs */
    double change[64];                       /* log, of B */
    bool anchored;
};

static void draw_side(const struct world *w, int i, int s, uint64_t *rng, struct compare_side *side)
{
    side->rec = calloc((size_t)w->k, sizeof(*side->rec));
    side->n = w->k;
    for (int k = 0; k < w->k; k++) {
        double mid = log(1e6) + w->recording_sd * normal(rng);
        struct recording *r = &side->rec[k];

        mid += s ? w->change[i] + w->machine : 0;
        r->session_id = 2 * k + s;
        r->n = 20;
        r->time_ns = calloc(20, sizeof(double));
        r->anchor_ns = w->anchored ? 4e6 * exp(s ? w->machine : 0) : NAN;
        for (int j = 0; j < r->n; j++)
            r->time_ns[j] = exp(mid + w->repeat_sd * normal(rng));
    }
}

static void draw(const struct world *w, uint64_t *rng, struct compare_items *c)
{
    *c = (struct compare_items){.n = w->items, .same_device = true, .alike = true};
    c->item = calloc((size_t)w->items, sizeof(*c->item));
    for (int i = 0; i < w->items; i++) {
        char name[16];

        snprintf(name, sizeof(name), "%02d", i);
        c->item[i].name = strdup(name);
        for (int s = 0; s < 2; s++)
            draw_side(w, i, s, rng, &c->item[i].side[s]);
    }
}

static void judge(struct compare_items *c)
{
    struct compare_options o = compare_defaults();
    struct err err = {0};

    ck_assert_msg(compare_judge(c, &o, &err) == 0, "%s", err.text);
}

static const struct compare_item *find(const struct compare_items *c, const char *name)
{
    for (int i = 0; i < c->n; i++)
        if (strcmp(c->item[i].name, name) == 0)
            return &c->item[i];
    ck_abort_msg("no item '%s'", name);
}

static int count(const struct compare_items *c, enum compare_verdict v)
{
    int n = 0;

    for (int i = 0; i < c->n; i++)
        n += c->item[i].verdict == v;
    return n;
}

/* 8 recordings of 1.5 % noise: two standard errors are 1.5 %. */
START_TEST(changes_and_none)
{
    struct world w = {.items = 30, .k = 8, .repeat_sd = 0.02, .recording_sd = 0.015};
    int same = 0, none = 0, small = 0, large = 0, covered = 0;
    uint64_t rng = 20240229;

    w.change[3] = log(1.05);
    w.change[7] = log(1.10);
    w.change[11] = log(0.90);
    for (int round = 0; round < 12; round++) {
        struct compare_items c;

        draw(&w, &rng, &c);
        judge(&c);
        small += find(&c, "03")->verdict == COMPARE_SLOWER;
        large += find(&c, "07")->verdict == COMPARE_SLOWER;
        large += find(&c, "11")->verdict == COMPARE_FASTER;
        for (int i = 0; i < c.n; i++) {
            const struct compare_item *it = &c.item[i];
            double truth = exp(w.change[atoi(it->name)]);

            covered += it->ratio.low <= truth && truth <= it->ratio.high;
            none += truth == 1;
            same += truth == 1 && it->verdict == COMPARE_SAME;
        }
        compare_done(&c);
    }
    ck_assert_int_ge(small, 10);
    ck_assert_int_ge(large, 23);
    ck_assert_msg(same >= 0.95 * none, "%d of %d", same, none);
    /* 95 % intervals, 360 of them: 0.92 is beyond what chance allows below; they may be wider */
    ck_assert_msg(covered >= 0.92 * 360, "%d of 360", covered);
}
END_TEST

/* One recording each, and all of B is 5 % slower: with a slower machine that is no finding, with
 * the same machine it is. */
START_TEST(machine_or_change)
{
    struct world w = {
        .items = 40, .k = 1, .repeat_sd = 0.005, .recording_sd = 0.002, .anchored = true};
    struct compare_items c;
    uint64_t rng = 7;

    w.machine = log(1.05);
    draw(&w, &rng, &c);
    judge(&c);
    ck_assert_double_eq_tol(c.machine, log(1.05), 1e-9);
    ck_assert_int_eq(count(&c, COMPARE_SLOWER), 0);
    ck_assert_int_eq(count(&c, COMPARE_AMBIGUOUS), 40);
    ck_assert_ptr_nonnull(strstr(c.item[0].reason, "the machine itself was 5 % slower in B"));
    compare_done(&c);

    w.machine = 0;
    for (int i = 0; i < 40; i++)
        w.change[i] = log(1.05);
    draw(&w, &rng, &c);
    judge(&c);
    ck_assert_int_eq(count(&c, COMPARE_SLOWER), 40);
    compare_done(&c);
}
END_TEST

/* Two forms in one recording: items differ in earnest, so that their spread is no noise; kernels
 * that were measured again say what is. */
START_TEST(forms)
{
    struct world w = {.items = 12, .k = 1, .repeat_sd = 0.003, .recording_sd = 0.002};
    struct compare_items c;
    uint64_t rng = 11;

    for (int i = 0; i < 12; i++)
        w.change[i] = (i - 5.5) / 50; /* 1 % to 11 % either way */
    draw(&w, &rng, &c);
    c.alike = false;
    c.n_again = 60;
    c.again = calloc(60, sizeof(double));
    for (int i = 0; i < 60; i++)
        c.again[i] = 0.003 * normal(&rng);
    judge(&c);
    ck_assert_double_lt(c.noise, 0.008);
    for (int i = 0; i < 12; i++)
        if (fabs(w.change[i]) > 0.04) {
            char name[16];

            snprintf(name, sizeof(name), "%02d", i);
            ck_assert_int_eq(find(&c, name)->verdict,
                             w.change[i] > 0 ? COMPARE_SLOWER : COMPARE_FASTER);
        }
    compare_done(&c);
}
END_TEST

/* Repeats that agree to 0.1 % within recordings that differ by 6 %: the repeats must not win. */
START_TEST(correlated_repeats)
{
    struct world w = {.items = 20, .k = 3, .repeat_sd = 0.001, .recording_sd = 0.06};
    struct compare_items c;
    uint64_t rng = 99;

    draw(&w, &rng, &c);
    judge(&c);
    ck_assert_int_eq(count(&c, COMPARE_SLOWER) + count(&c, COMPARE_FASTER), 0);
    ck_assert_double_gt(c.noise, 0.04);
    ck_assert_double_lt(c.noise, 0.10);
    ck_assert_ptr_nonnull(strstr(c.item[0].reason, "recordings of each (--again all), in turns"));
    compare_done(&c);
}
END_TEST

/* One recording of one side was taken while something else ran. */
START_TEST(burst)
{
    struct world w = {.items = 20, .k = 6, .repeat_sd = 0.01, .recording_sd = 0.005};
    struct compare_items c;
    uint64_t rng = 5;

    draw(&w, &rng, &c);
    for (int i = 0; i < c.n; i++)
        for (int j = 0; j < 20; j++)
            c.item[i].side[1].rec[2].time_ns[j] *= 1.5;
    judge(&c);
    ck_assert_int_eq(count(&c, COMPARE_SAME), 20);
    for (int i = 0; i < c.n; i++)
        ck_assert_double_eq_tol(c.item[i].ratio.mid, 1, 0.015);
    compare_done(&c);
}
END_TEST

/* What else runs spoils every third recording of both sides, by 20 to 60 %: the change is found, no
 * other is, and the ratio is that of the undisturbed times. */
START_TEST(disturbed)
{
    struct world w = {.items = 30, .k = 12, .repeat_sd = 0.02, .recording_sd = 0.015};
    int found = 0, same = 0, close = 0;
    uint64_t rng = 17;

    w.change[4] = w.change[5] = log(1.10);
    for (int round = 0; round < 5; round++) {
        struct compare_items c;

        draw(&w, &rng, &c);
        for (int i = 0; i < c.n; i++)
            for (int s = 0; s < 2; s++)
                for (int k = 0; k < w.k; k++) {
                    double slow = rng_unit(&rng) < 0.33 ? 1.2 + 0.4 * rng_unit(&rng) : 1;

                    for (int j = 0; j < 20; j++)
                        c.item[i].side[s].rec[k].time_ns[j] *= slow;
                }
        judge(&c);
        for (int i = 0; i < c.n; i++) {
            double truth = exp(w.change[atoi(c.item[i].name)]);

            found += truth > 1 && c.item[i].verdict == COMPARE_SLOWER;
            same += truth == 1 && c.item[i].verdict == COMPARE_SAME;
            close += fabs(c.item[i].ratio.mid / truth - 1) < 0.04;
        }
        compare_done(&c);
    }
    ck_assert_int_eq(found, 10);
    ck_assert_msg(same >= 0.95 * 28 * 5, "%d of 140", same);
    /* Of 12, fewer than 5 are left in 2 % of the sides. */
    ck_assert_msg(close >= 0.92 * 30 * 5, "%d of 150", close);
}
END_TEST

/* Taken in turns on a machine that becomes three times slower on the way. */
START_TEST(paired)
{
    struct world w = {.items = 2, .k = 1};
    struct compare_items c;
    uint64_t rng = 3;

    draw(&w, &rng, &c);
    for (int i = 0; i < 2; i++) {
        c.item[i].paired = c.item[i].apart = true;
        for (int j = 0; j < 20; j++) {
            double slow = 1 + j / 10.0, jitter = 1 + 0.004 * normal(&rng);

            c.item[i].side[0].rec[0].time_ns[j] = 1e6 * slow;
            c.item[i].side[1].rec[0].time_ns[j] = (i ? 1.03e6 : 1e6) * slow * jitter;
        }
    }
    judge(&c);
    ck_assert_int_eq(find(&c, "00")->verdict, COMPARE_SAME);
    ck_assert_int_eq(find(&c, "01")->verdict, COMPARE_SLOWER);
    ck_assert_double_eq_tol(find(&c, "01")->ratio.mid, 1.03, 0.004);
    compare_done(&c);
}
END_TEST

/* ---- from the database ---- */

static struct store *st;

static void add_sample(int session, int config, const char *hash, double base)
{
    struct err err = {0};
    int64_t id;

    ck_assert_int_eq(store_exec(st, &err,
                                "INSERT INTO sample (session_id, config_id, taken_utc,"
                                " status, build_hash, repeats, median_ns, flush_ns) VALUES (?, ?,"
                                " '', 'ok', ?, 12, ?, 12000)",
                                "iisd", (int64_t)session, (int64_t)config, hash, base),
                     0);
    id = store_last_id(st);
    for (int j = 0; j < 12; j++)
        ck_assert_int_eq(
            store_exec(st, &err,
                       "INSERT INTO repeat (sample_id, side, seq, time_ns) VALUES (?, 0, ?, ?)",
                       "iii", id, (int64_t)j, (int64_t)(base + j % 3)),
            0);
}

static int64_t make_device(const char *name, enum device_type type)
{
    struct device_info dev = {
        .platform = "P", .name = "", .version = "", .driver = "1", .type = type};
    struct err err = {0};
    int64_t device;

    snprintf(dev.name, sizeof(dev.name), "%s", name);
    ck_assert_int_eq(store_device(st, &dev, &device, &err), 0);
    return device;
}

static void make_database(void)
{
    static const char *const variants[] = {"image,direct,naive,VT=4,lws=auto",
                                           "image,direct,naive,VT=2,lws=auto",
                                           "buffer,direct,naive,VT=4,lws=auto"};
    char *argv[] = {"test"};
    struct err err = {0};
    int64_t device, session;

    ck_assert_msg(store_open(in_folder("c.db"), STORE_WRITE, &st, &err) == 0, "%s", err.text);
    device = make_device("D", DEVICE_CPU);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(store_session(st, device, 1, argv, &session, &err), 0);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(
            store_exec(st, &err,
                       "INSERT INTO config (key, op, class, shape, dtype, path, kernel,"
                       " form, variant, gws, lws, tile, loop_order, extra_ratio, load_bytes, cache)"
                       " VALUES (?, 'gelu', 'elemental', 'rows=1,cols=8', 'f32', ?, 'direct',"
                       " 'naive', ?, '', '', '', '', 0, 0, 'flushed')",
                       "sss", variants[i], i < 2 ? "image" : "buffer", variants[i]),
            0);
    for (int s = 1; s <= 4; s++) {
        add_sample(s, 1, s < 3 ? "old" : "new", s % 2 ? 1000 : 2000);
        add_sample(s, 3, "b", 5000);
    }
    add_sample(1, 2, "x", 1500);
    add_sample(2, 2, "x", 1500);
}

static int load(const char *a, const char *b, bool best, struct compare_items *c, struct err *err)
{
    *err = (struct err){0};
    return compare_load(st, a, b, best, c, err);
}

START_TEST(sides)
{
    struct compare_items c;
    struct err err;

    make_database();
    ck_assert_msg(load("session:1", "session:2", false, &c, &err) == 0, "%s", err.text);
    ck_assert_int_eq(c.n, 3);
    ck_assert_str_eq(
        c.item[2].name,
        "gelu:f32:rows=1,cols=8|image,direct,naive,VT=4,lws=auto|load=0|cache=flushed");
    ck_assert_int_eq(c.item[2].side[0].rec[0].n, 12);
    ck_assert_double_eq(c.item[2].side[0].rec[0].time_ns[4], 1001);
    ck_assert_double_eq(c.item[2].side[1].rec[0].anchor_ns, 1000); /* 12000 over 12 repeats */
    ck_assert(c.same_device);
    compare_done(&c);

    /* session 3 lacks VT=2 */
    ck_assert_msg(load("session:1", "session:3", false, &c, &err) == 0, "%s", err.text);
    ck_assert_int_eq(c.n, 2);
    ck_assert_int_eq(c.only[0], 1);
    ck_assert_int_eq(c.only[1], 0);
    compare_done(&c);

    /* sessions 1 and 4 have different sources of VT=4: the latest counts */
    ck_assert_msg(load("session:1,4", "session:2,3", false, &c, &err) == 0, "%s", err.text);
    ck_assert_int_eq(c.n, 3);
    ck_assert_int_eq(c.item[2].side[0].n, 1);
    ck_assert_int_eq(c.item[2].side[0].rec[0].session_id, 4);
    ck_assert_int_eq(c.item[0].side[0].n, 2); /* the buffer's did not change */
    ck_assert_int_eq(c.outdated, 2);
    compare_done(&c);

    /* the fastest variant: VT=4 in 1, VT=2 in 2 */
    ck_assert_msg(load("session:1,path:image", "session:2,path:image", true, &c, &err) == 0, "%s",
                  err.text);
    ck_assert_int_eq(c.n, 1);
    ck_assert_double_eq(c.item[0].side[0].rec[0].time_ns[0], 1000);
    ck_assert_double_eq(c.item[0].side[1].rec[0].time_ns[0], 1500);
    ck_assert_ptr_nonnull(strstr(c.item[0].side[1].what, "VT=2"));
    compare_done(&c);

    /* one device, two paths */
    ck_assert_msg(load("path:image", "path:buffer", false, &c, &err) == 0, "%s", err.text);
    ck_assert_int_eq(c.n, 1);
    ck_assert_str_eq(c.item[0].name,
                     "gelu:f32:rows=1,cols=8|direct,naive,VT=4,lws=auto|load=0|cache=flushed");
    compare_done(&c);

    ck_assert_int_eq(load("device:D", "device:P", false, &c, &err), -EINVAL);
    ck_assert_int_eq(load("device:X", "device:P", false, &c, &err), -ENOENT);
    ck_assert_int_eq(load("session:1,", "session:2", false, &c, &err), -EINVAL);
    ck_assert_int_eq(load("session:1x", "session:2", false, &c, &err), -ENOENT);
    ck_assert_int_eq(load("session:1,op:add", "session:2", false, &c, &err), -ENOENT);
    store_close(st);
}
END_TEST

/* Every other launch of a GPU's takes 800 ns longer: sessions that begin with either are the same. */
START_TEST(gpu_repeats_are_looked_at_in_twos)
{
    char *argv[] = {"test"};
    struct err err = {0};
    struct compare_items c;
    int64_t device, session[2];

    ck_assert_msg(store_open(in_folder("c.db"), STORE_WRITE, &st, &err) == 0, "%s", err.text);
    device = make_device("G", DEVICE_GPU);
    for (int s = 0; s < 2; s++) {
        ck_assert_int_eq(store_session(st, device, 1, argv, &session[s], &err), 0);
        add_sample((int)session[s], 1, "b", 5000);
        ck_assert_int_eq(
            store_exec(st, &err,
                       "UPDATE repeat SET time_ns = 5000 + 800 * ((seq + ?) % 2)"
                       " WHERE sample_id = (SELECT max(id) FROM sample)",
                       "i", (int64_t)s),
            0);
    }
    ck_assert_msg(load("session:5", "session:6", false, &c, &err) == 0, "%s", err.text);
    for (int s = 0; s < 2; s++) {
        const struct recording *r = c.item[0].side[s].rec;

        ck_assert_int_eq(r->n, 6);
        for (int i = 0; i < r->n; i++)
            ck_assert_double_eq(r->time_ns[i], 5400);
    }
    compare_done(&c);
    store_close(st);
}
END_TEST

/* Two runs of one command took turns; a third is from another day. */
START_TEST(runs)
{
    struct compare_items c;
    struct err err = {0};

    ck_assert_msg(store_open(in_folder("c.db"), STORE_WRITE, &st, &err) == 0, "%s", err.text);
    for (int r = 1; r <= 4; r++) {
        ck_assert_int_eq(
            store_exec(st, &err,
                       "INSERT INTO run (session_id, taken_utc, model, policy, dtype, path,"
                       " kernel, reader, source, cache, repeats, setup_ns, build_ns, integrated_ns,"
                       " integrated_low_ns, integrated_high_ns, integrated_mean_ns, peak_bytes,"
                       " avg_bytes, mem_byte_s, bytes_read, output_hash, status) VALUES (?, '', ?,"
                       " ?, 'f32', 'image', 'pipelined', 'ahead', 'disk', 'cold', 5, 0, 0, 1, 1, 1,"
                       " 1, 0, 0, 0, 0, '', 'ok')",
                       "iss", (int64_t)(r < 3 ? 1 : 2), r < 4 ? "ViT" : "ResNet",
                       r == 2 ? "greedy" : "preload"),
            0);
        for (int j = 0; j < 5; j++)
            ck_assert_int_eq(store_exec(st, &err,
                                        "INSERT INTO run_repeat VALUES (?, ?, ?, ?, ?, ?,"
                                        " 0, 0, NULL)",
                                        "iiiiii", (int64_t)r, (int64_t)j, (int64_t)(1000 * r + j),
                                        (int64_t)100, (int64_t)500, (int64_t)800),
                             0);
    }
    ck_assert_msg(load("run:1", "run:2", false, &c, &err) == 0, "%s", err.text);
    ck_assert_int_eq(c.n, 3); /* integrated, init, exec: the controls are the same ones */
    ck_assert_str_eq(c.item[0].name, "integrated");
    ck_assert_str_eq(c.item[2].name, "exec");
    ck_assert(c.item[0].paired);
    ck_assert(!c.item[0].part && c.item[1].part && c.item[2].part);
    ck_assert_double_eq(c.item[2].side[1].rec[0].time_ns[3], 2003 - 100);
    compare_done(&c);
    ck_assert_msg(load("run:1", "run:3", false, &c, &err) == 0, "%s", err.text);
    ck_assert_int_eq(c.n, 5);
    ck_assert(!c.item[0].paired);
    ck_assert_double_eq_tol(c.item[0].side[0].rec[0].anchor_ns, sqrt(500.0 * 800), 1e-9);
    compare_done(&c);
    ck_assert_int_eq(load("run:1", "run:4", false, &c, &err), -EINVAL);   /* another model */
    ck_assert_int_eq(load("run:1,2", "run:3", false, &c, &err), -EINVAL); /* two policies */
    ck_assert_int_eq(load("run:1", "run:1", false, &c, &err), -EINVAL);
    store_close(st);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("compare");
    TCase *t = tcase_create("compare");

    tcase_add_unchecked_fixture(t, folder_make_in_memory, folder_remove);
    tcase_add_test(t, changes_and_none);
    tcase_add_test(t, machine_or_change);
    tcase_add_test(t, forms);
    tcase_add_test(t, correlated_repeats);
    tcase_add_test(t, burst);
    tcase_add_test(t, disturbed);
    tcase_add_test(t, paired);
    tcase_add_test(t, sides);
    tcase_add_test(t, gpu_repeats_are_looked_at_in_twos);
    tcase_add_test(t, runs);
    suite_add_tcase(s, t);
    return suite_run(s);
}
