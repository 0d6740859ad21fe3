/* Sweeps: what is measured, once and only once. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/sweep/own.h"
#include "tests/sweep_case.h"

START_TEST(all_then_nothing)
{
    const char *spec = write_spec("a.csv", "relu,rows=8|64 cols=64,image|buffer,*,,0|0.5|1" FAST
                                           "null,,,,,0" FAST);
    const char *db = in_folder("a.db");
    struct sweep_options o = options();
    struct sweep_summary s;

    sweep_into(spec, db, &o, &s);
    /* relu: 2 shapes x 2 paths x (1 naive + 3 forms x 2 ratios) = 28, and null */
    ck_assert_int_eq(s.configs, 29);
    ck_assert_int_eq(s.measured, 29);
    ck_assert_int_eq(s.by_status[SAMPLE_OK] + s.by_status[SAMPLE_NOISY], 29);
    ck_assert_int_eq(sweep_failed(&s), 0);
    ck_assert_int_eq(s.workers, 1);
    ck_assert(s.phase_ns[PHASE_MEASURE] > 0 && s.phase_ns[PHASE_VERIFY] > 0 && s.other_ns > 0);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM config"), 29);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM sample"), 29);
    ck_assert_double_eq(number(db, TORN), 0);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM sample s JOIN config c ON c.id ="
                                   " s.config_id WHERE (c.load_bytes > 0) != (s.slowdown IS NOT"
                                   " NULL AND s.base_median_ns > 0)"),
                        0);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM sample WHERE NOT (median_ns > 0 AND low_ns"
                                   " <= median_ns AND median_ns <= high_ns AND build_ns >= 0 AND"
                                   " length(build_hash) = 16)"),
                        0);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM config WHERE gws NOT LIKE '%x%' OR key !="
                                   " op || ':' || dtype || iif(shape = '', '', ':' || shape) || '|'"
                                   " || variant || '|load=' || load_bytes || '|cache=' || cache"),
                        0);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM session WHERE ended_utc IS NOT NULL"), 1);
    check_with_shell(db);

    sweep_into(spec, db, &o, &s);
    ck_assert_int_eq(s.present, 29);
    ck_assert_int_eq(s.planned, 0);
    ck_assert_int_eq(s.measured, 0);
    ck_assert_int_eq(s.workers, 0);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM session"), 1);

    o.again = SWEEP_AGAIN_ALL;
    sweep_into(spec, db, &o, &s);
    ck_assert_int_eq(s.measured, 29);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM config"), 29);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM sample"), 58);
}
END_TEST

START_TEST(limits_shards_dry)
{
    const char *spec = write_spec("b.csv", SIX), *db = in_folder("b.db");
    struct sweep_options o = options();
    struct sweep_summary s;
    int64_t shards = 0;

    o.dry_run = true;
    sweep_into(spec, db, &o, &s);
    ck_assert_int_eq(s.planned, 6);
    ck_assert_int_eq(s.guessed, 6);
    ck_assert_double_eq_tol(s.estimate_ns[PHASE_MEASURE], 3e9, 1);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM session"), 0);
    o.dry_run = false;

    o.limit = 2;
    sweep_into(spec, db, &o, &s);
    ck_assert_int_eq(s.measured, 2);
    o.strategy = SWEEP_RANDOM;
    sweep_into(spec, db, &o, &s);
    ck_assert_int_eq(s.measured, 2);
    ck_assert_int_eq(s.present, 2);
    o.limit = 0;
    o.time_ns = 1;
    sweep_into(spec, db, &o, &s);
    ck_assert_int_eq(s.measured, 0);
    o.time_ns = 0;

    for (int i = 1; i <= 3; i++) {
        o.shard = i;
        o.shards = 3;
        sweep_into(spec, db, &o, &s);
        shards += s.configs;
    }
    ck_assert_int_eq(shards, 6);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM sample"), 6);
    ck_assert_double_eq(number(db, "SELECT count(DISTINCT config_id) FROM sample"), 6);
    o.shards = o.shard = 1;
    o.dry_run = true;
    sweep_into(spec, db, &o, &s);
    ck_assert_int_eq(s.planned, 0);
    ck_assert_int_eq(s.guessed, 0);
    /* Once there are samples, the same again takes as long as they took. */
    o.again = SWEEP_AGAIN_ALL;
    sweep_into(spec, db, &o, &s);
    ck_assert_int_eq(s.planned, 6);
    ck_assert_int_eq(s.guessed, 0);
    ck_assert_double_eq_tol(s.estimate_ns[PHASE_MEASURE],
                            number(db, "SELECT sum(measure_ns) FROM sample"), 10);
    ck_assert_double_eq_tol(s.estimate_ns[PHASE_VERIFY],
                            number(db, "SELECT sum(verify_ns) FROM sample"), 10);
}
END_TEST

/* A sweep begins with what the one before knew of the machine at its best; beside a better one it is
 * slow. Probes that other processes disturbed say nothing, so it may try again. */
START_TEST(pace_is_remembered)
{
    const char *spec = write_spec("pace.csv", SIX), *db = in_folder("pace.db");
    struct sweep_options o = options();
    struct sweep_summary s;
    struct store *st;
    struct err err = {0};
    double slow = 0;

    o.limit = 1;
    sweep_into(spec, db, &o, &s);
    ck_assert_int_eq(s.measured, 1);
    if (number(db, "SELECT count(*) FROM session WHERE pace_ns > 1000") == 0)
        return; /* no CPU */
    ck_assert(store_open(db, STORE_WRITE, &st, &err) == 0);
    ck_assert(store_exec(st, &err, "UPDATE session SET pace_ns = 1000", "") == 0);
    store_close(st);
    o.again = SWEEP_AGAIN_ALL; /* of the one configuration */
    for (int i = 0; i < 50 && slow == 0; i++) {
        sweep_into(spec, db, &o, &s);
        ck_assert_int_eq(s.measured, 1);
        slow = number(db, "SELECT count(*) FROM sample WHERE status = 'noisy' AND error ="
                          " 'the machine was slow'");
    }
    ck_assert_double_gt(slow, 0);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM session WHERE pace_ns != 1000"), 0);
}
END_TEST

START_TEST(unsupported_is_a_row)
{
    /* 64 x 8192 items: more than any device has in a group */
    char path[256];
    const char *db = in_folder("f.db");
    struct sweep_options o = options();
    struct sweep_summary s;
    FILE *f;

    snprintf(path, sizeof(path), "%s/f.csv", folder);
    f = fopen(path, "w");
    fprintf(f, "flashmem-sweep,1\nop,shape,lws\nrelu,rows=8 cols=64,8x8|64x8192\n");
    fclose(f);
    sweep_into(path, db, &o, &s);
    ck_assert_int_eq(s.measured, 2);
    ck_assert_int_eq(s.by_status[SAMPLE_UNSUPPORTED], 1);
    ck_assert_int_eq(sweep_failed(&s), 0);
    ck_assert_double_eq(number(db, "SELECT length(error) > 0 FROM sample WHERE status ="
                                   " 'unsupported'"),
                        1);
}
END_TEST

START_TEST(doubling)
{
    const char *spec = write_spec("g.csv", "relu,rows=64 cols=256,buffer,,,0.5|1+" FAST);
    const char *db = in_folder("g.db");
    struct sweep_options o = options();
    struct sweep_summary s;

    /* 64 KiB of input; an end at 1 MiB allows ratios 2, 4, 8, 16 */
    o.thresholds.allowed[OP_ELEMENTAL] = 1e9;
    o.max_load_bytes = 1 << 20;
    o.limit = 4;
    sweep_into(spec, db, &o, &s);
    ck_assert_int_eq(s.measured, 4);
    ck_assert_int_eq(s.doubled, 2);
    o.limit = 0;
    sweep_into(spec, db, &o, &s); /* goes on in the middle of the doubling */
    ck_assert_int_eq(s.present, 4);
    ck_assert_int_eq(s.measured, 2);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM config"), 6);
    ck_assert_double_eq(number(db, "SELECT max(extra_ratio) FROM config"), 16);
    ck_assert_double_eq(number(db, "SELECT max(load_bytes) FROM config"), 1 << 20);
    sweep_into(spec, db, &o, &s);
    ck_assert_int_eq(s.measured, 0);
    ck_assert_int_eq(s.present, 6);

    /* A threshold that is crossed with the whole interval ends it there. */
    db = in_folder("g2.db");
    o.thresholds.allowed[OP_ELEMENTAL] = 1e-9;
    sweep_into(spec, db, &o, &s);
    ck_assert_double_le(number(db, "SELECT count(*) FROM sample s JOIN config c ON c.id ="
                                   " s.config_id WHERE c.extra_ratio >= 1 AND s.slowdown_low > 1 +"
                                   " 1e-9"),
                        1);
}
END_TEST

static void write_own(const char *path, const char *value)
{
    FILE *f = fopen(path, "w");

    ck_assert_ptr_nonnull(f);
    fprintf(f,
            "// flashmem-kernel 1\n// agrees: relu\n// args: y, rows * cols, x\n"
            "// global: div_up(rows * cols, PER)\n// local: 4\n// tunables: PER=1|2\n"
            "// shape: rows=8 cols=64\n//\n"
            "__kernel void own(__global float *y, int n, __global const float *x)\n{\n"
            "    for (int i = 0; i < PER; i++) {\n"
            "        const int at = get_global_id(0) * PER + i;\n"
            "        if (at < n)\n            y[at] = %s;\n    }\n}\n",
            value);
    fclose(f);
}

/* Sweeps FILE into `db`; the file is another one by the time that workers start. */
static void sweep_own(const char *path, const char *db, struct sweep_summary *s)
{
    struct sweep_options o = options();
    struct device_info info;
    struct custom *own;
    struct store *st;
    struct spec spec;
    struct err err = {0};

    ck_assert_msg(ask_device(&info, &err) == 0, "%s", err.text);
    ck_assert_msg(own_open(path, &own, &err) == 0, "%s", err.text);
    ck_assert_msg(own_spec(own, path, &info, &spec, &err) == 0, "%s", err.text);
    ck_assert_int_eq(truncate(path, 0), 0);
    ck_assert_msg(store_open(db, STORE_WRITE, &st, &err) == 0, "%s", err.text);
    ck_assert_msg(sweep_run(st, &info, &spec, &o, s, &err) == 0, "%s", err.text);
    store_close(st);
    spec_done(&spec);
    own_close(own);
}

START_TEST(own_kernel)
{
    char path[256];
    const char *db = in_folder("o.db");
    struct sweep_summary s;

    snprintf(path, sizeof(path), "%s/own.cl", folder);
    write_own(path, "fmax(x[at], 0.0f)");
    sweep_own(path, db, &s);
    ck_assert_int_eq(s.measured, 2);
    ck_assert_int_eq(sweep_failed(&s), 0);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM sample s JOIN config c ON c.id ="
                                   " s.config_id WHERE s.median_ns > 0 AND c.op = 'relu' AND"
                                   " c.kernel LIKE 'own@________' AND c.path = 'buffer' AND"
                                   " c.lws = '4x1' AND c.gws = iif(c.tile = 'PER=1', '512x1',"
                                   " '256x1')"),
                        2);
    write_own(path, "fmax(x[at], 0.0f)");
    sweep_own(path, db, &s);
    ck_assert_int_eq(s.measured, 0); /* the same text has been measured */

    write_own(path, "fabs(x[at])"); /* another hash; wrong for half of the elements */
    sweep_own(path, db, &s);
    ck_assert_int_eq(s.measured, 2);
    ck_assert_int_eq(s.by_status[SAMPLE_WRONG], 2);
    write_own(path, "x[at](0)");
    sweep_own(path, db, &s);
    ck_assert_int_eq(s.by_status[SAMPLE_BUILD_FAILED], 2);
    ck_assert_double_eq(number(db, "SELECT count(DISTINCT kernel) FROM config"), 3);
    ck_assert_double_eq(number(db, "SELECT count(*) FROM sample WHERE error LIKE '%own.cl%'"), 2);
    check_with_shell(db);
}
END_TEST

int main(int argc, char **argv)
{
    TCase *t = tcase_create("sweep");

    tcase_add_test(t, all_then_nothing);
    tcase_add_test(t, limits_shards_dry);
    tcase_add_test(t, pace_is_remembered);
    tcase_add_test(t, unsupported_is_a_row);
    tcase_add_test(t, doubling);
    tcase_add_test(t, own_kernel);
    return sweep_main(argc, argv, "sweep", t);
}
