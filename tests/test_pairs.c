/* The repeats of one sample: which count, when there are enough and when to give up, and whether
 * planted slowdowns are seen. On a clock of its own (planned.h). */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/calm.h"
#include "profiler/pairs.h"
#include "tests/need_device.h"
#include "tests/planned.h"
#include "tests/suite.h"

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The summary against sorting by hand. */
START_TEST(summary_is_of_the_times)
{
    struct planned p = {.base_ns = {3 * MS, 4 * MS}, .coin = true, .drift = 0.01, .fail_at = -1};
    struct measure_options opt = exactly(11);
    struct measure_result r = planned_result(&p, 2, &opt);
    double ratio[11], x[11];

    for (int i = 0; i < 11; i++)
        ratio[i] = (double)r.side[1].time_ns[i] / (double)r.side[0].time_ns[i];
    qsort(ratio, 11, sizeof(ratio[0]), ascending);
    ck_assert_double_eq_tol(r.slowdown.mid, ratio[5], 1e-12);
    ck_assert(ratio[0] <= r.slowdown.low && r.slowdown.low <= r.slowdown.mid);
    ck_assert(r.slowdown.mid <= r.slowdown.high && r.slowdown.high <= ratio[10]);
    for (int side = 0; side < 2; side++) {
        for (int i = 0; i < 11; i++)
            x[i] = (double)r.side[side].time_ns[i];
        qsort(x, 11, sizeof(x[0]), ascending);
        ck_assert_double_eq(r.side[side].median_ns, x[5]);
        ck_assert(x[0] <= r.side[side].low_ns && r.side[side].low_ns <= x[5]);
        ck_assert(x[5] <= r.side[side].high_ns && r.side[side].high_ns <= x[10]);
        for (int i = 0; i < 11; i++)
            x[i] = fabs((double)r.side[side].time_ns[i] - r.side[side].median_ns);
        qsort(x, 11, sizeof(x[0]), ascending);
        ck_assert_double_eq(r.side[side].mad_ns, x[5]);
    }
    measure_done(&r);
}
END_TEST

/* A driver that serves every other launch 20 % later: sides meet both in turns, whatever order they are
 * launched in. On a GPU the median is of neither kind, and does not move with who was first. */
START_TEST(every_other_launch_is_late)
{
    for (int first = 0; first < 2; first++) {
        struct device_info gpu = {.type = DEVICE_GPU, .compute_units = 8};
        struct measure_options opt = exactly(20);
        struct measure_result r = {.reason = ""};
        struct err err = {0};
        struct pairs p;

        ck_assert_msg(pairs_new(&p, 2, &opt, &gpu, &err) == 0, "%s", err.text);
        pairs_restart(&p, true);
        for (int i = 0; i < 20; i++) { /* A B, B A, ...: a pair's first launch has always the same turn */
            bool a_late = (first == 1) != (i % 2 == 1);
            struct repeat pair[2] = {{.ns = a_late ? 1200 : 1000}, {.ns = a_late ? 2000 : 2200}};

            pairs_add(&p, pair);
        }
        pairs_summarize(&p, &r);
        ck_assert_int_eq(r.n, 20);
        ck_assert_double_eq(r.side[0].median_ns, 1100);
        ck_assert_double_eq(r.side[1].median_ns, 2100);
        ck_assert_double_eq(r.side[0].low_ns, r.side[0].high_ns);
        ck_assert_double_eq_tol(r.slowdown.mid, 2100.0 / 1100, 1e-12);
        measure_done(&r);
        pairs_done(&p);
    }
}
END_TEST

START_TEST(planted_slowdown)
{
    struct planned p = {.base_ns = {4 * MS, 8 * MS}, .fail_at = -1};
    struct measure_options opt = exactly(15);
    struct measure_result r = planned_result(&p, 2, &opt);

    ck_assert_double_eq_tol(r.slowdown.mid, 2, 1e-9);
    ck_assert_double_eq_tol(r.slowdown.low, 2, 1e-9);
    ck_assert_double_eq_tol(r.slowdown.high, 2, 1e-9);
    measure_done(&r);
}
END_TEST

/* Everything becomes six times as slow meanwhile. A after B and B after A alternate, so the median
 * of pairs stays within what one call drifts; medians of each side alone would not know. */
START_TEST(drift_cancels)
{
    struct planned p = {.base_ns = {4 * MS, 6 * MS}, .drift = 0.05, .fail_at = -1};
    struct measure_options opt = exactly(50);
    struct measure_result r = planned_result(&p, 2, &opt);

    ck_assert_uint_gt(r.side[0].time_ns[49], 4 * r.side[0].time_ns[0]);
    ck_assert_double_eq_tol(r.slowdown.mid, 1.5, 0.03);
    ck_assert(r.slowdown.low > 1.4 && r.slowdown.high < 1.6);
    measure_done(&r);
}
END_TEST

START_TEST(steady_stops_at_the_least)
{
    struct planned p = {.base_ns = {5 * MS, 0}, .fail_at = -1};
    struct measure_options opt = measure_defaults();
    struct measure_result r;

    opt.hot = true;
    r = planned_result(&p, 1, &opt);
    ck_assert_int_eq(r.status, SAMPLE_OK);
    ck_assert_str_eq(r.reason, "");
    ck_assert_int_eq(r.n, 10);
    ck_assert_double_eq(r.side[0].median_ns, 5e6);
    ck_assert_double_eq(r.side[0].low_ns, 5e6);
    ck_assert_double_eq(r.side[0].high_ns, 5e6);
    measure_done(&r);
}
END_TEST

/* Evenly growing times spread as n grows: a narrow target is given up, a wide one is met. */
START_TEST(growing_times)
{
    struct planned p = {.base_ns = {5 * MS, 0}, .drift = 0.0005, .fail_at = -1};
    struct measure_options opt = measure_defaults();
    struct measure_result r;

    opt.hot = true;
    opt.target = 0.002;
    r = planned_result(&p, 1, &opt);
    ck_assert_int_eq(r.status, SAMPLE_NOISY);
    ck_assert_str_eq(r.reason, "interval stopped narrowing");
    measure_done(&r);
    opt.target = 0.02;
    r = planned_result(&p, 1, &opt);
    ck_assert_int_eq(r.status, SAMPLE_OK);
    ck_assert_double_le((r.side[0].high_ns - r.side[0].low_ns) / r.side[0].median_ns, 0.02);
    measure_done(&r);
}
END_TEST

START_TEST(limits_are_noisy_and_say_so)
{
    struct planned p = {.base_ns = {3 * MS, 0}, .coin = true, .fail_at = -1};
    struct measure_options opt = exactly(10);
    struct measure_result r;

    opt.target = 1e-6;
    opt.max_repeats = 15;
    r = planned_result(&p, 1, &opt);
    ck_assert_int_eq(r.status, SAMPLE_NOISY);
    ck_assert_str_eq(r.reason, "repeat limit");
    ck_assert_int_eq(r.n, 15);
    measure_done(&r);

    opt.max_repeats = 1000;
    opt.max_time_ns = 1; /* over at once, but three are taken */
    r = planned_result(&p, 1, &opt);
    ck_assert_int_eq(r.status, SAMPLE_NOISY);
    ck_assert_str_eq(r.reason, "time limit");
    ck_assert_int_eq(r.n, 3);
    measure_done(&r);

    p.coin = false;
    opt.max_time_ns = 100 * MS; /* 3 ms each: past it at the 34th */
    opt.min_repeats = 40;
    r = planned_result(&p, 1, &opt);
    ck_assert_str_eq(r.reason, "time limit");
    ck_assert_int_eq(r.n, 34);
    measure_done(&r);
}
END_TEST

/* Two modes, one three times the other: the median flips between them for ever. */
START_TEST(hopeless_interval_is_given_up)
{
    struct planned p = {.base_ns = {3 * MS, 0}, .coin = true, .fail_at = -1};
    struct measure_options opt = exactly(5);
    struct measure_result r;

    opt.target = 1e-6;
    opt.max_repeats = 2000;
    r = planned_result(&p, 1, &opt);
    ck_assert_int_eq(r.status, SAMPLE_NOISY);
    ck_assert_str_eq(r.reason, "interval stopped narrowing");
    ck_assert_int_ge(r.n, 20);
    ck_assert_int_lt(r.n, 2000);
    measure_done(&r);
}
END_TEST

/* Against a count by hand: the 90th percentile of ten is 1.991, so what is below 1.832 goes. */
START_TEST(pairs_without_cores)
{
    double a[10] = {2, 1, 1.95, 1.83, 1.99, 1.9, 1.98, 1.96, 1.97, 1.99};
    double b[10] = {1, 1, 1, 1, 1, 1, 1, 0.5, 1, 1}, *both[2] = {a, b}, *unknown[2] = {NULL, NULL};
    const bool want[10] = {[1] = true, [3] = true, [7] = true};
    bool aside[10];

    ck_assert_double_eq_tol(calm_cores(a, 10), 1.991, 1e-12);
    ck_assert_int_eq(calm_pairs(both, 2, 10, aside), 7);
    ck_assert_int_eq(memcmp(aside, want, sizeof(want)), 0);
    ck_assert_int_eq(calm_pairs(both, 1, 10, aside), 8); /* side 0 alone */
    ck_assert_int_eq(calm_pairs(unknown, 2, 10, aside), 10);
}
END_TEST

/* Every third launch has lost all cores but one. */
START_TEST(robbed_pairs_are_set_aside)
{
    struct planned p = {.base_ns = {3 * MS, 4 * MS}, .fail_at = -1, .robbed_every = 3};
    struct measure_options opt = exactly(10);
    struct measure_result r;
    int calm = 0;

    if (dev->info.type != DEVICE_CPU || dev->info.compute_units < 2)
        return;
    r = planned_result(&p, 2, &opt);
    for (int i = 0; i < r.n; i++) {
        bool robbed = r.side[0].time_ns[i] != 3 * MS || r.side[1].time_ns[i] != 4 * MS;

        ck_assert_int_eq(r.aside[i], robbed);
        calm += !r.aside[i];
    }
    ck_assert_int_eq(calm, 10); /* limits count those alone */
    ck_assert_int_gt(r.n, 20);
    ck_assert_int_eq(r.status, SAMPLE_OK);
    ck_assert_double_eq(r.side[0].median_ns, 3 * MS);
    ck_assert_double_eq(r.side[0].mad_ns, 0);
    ck_assert_double_eq_tol(r.slowdown.mid, 4.0 / 3, 1e-12);
    measure_done(&r);
}
END_TEST

/* One core all the time: the kernel's way on an idle machine, suspect on a busy one. */
START_TEST(narrow_kernel)
{
    struct planned p = {.base_ns = {3 * MS, 0}, .fail_at = -1, .narrow = true};
    struct measure_options opt = exactly(10);
    struct measure_result r;

    if (dev->info.type != DEVICE_CPU || dev->info.compute_units < 2)
        return;
    r = planned_result(&p, 1, &opt);
    ck_assert_int_eq(r.status, SAMPLE_OK);
    ck_assert_int_eq(r.n, 10);
    measure_done(&r);
    p.others = 0.5;
    r = planned_result(&p, 1, &opt);
    ck_assert_int_eq(r.status, SAMPLE_NOISY);
    ck_assert_str_eq(r.reason, "other processes had the cores");
    ck_assert_int_eq(r.n, 50);
    ck_assert_double_eq(r.side[0].median_ns, 3 * MS);
    measure_done(&r);
}
END_TEST

/* Slow from the eighth launch on, of which two warmed up, until 100 ms have been slept through: those
 * pairs are set aside. */
START_TEST(slow_machine_is_waited_for)
{
    struct planned p = {.base_ns = {3 * MS, 0}, .fail_at = -1, .slow_from = 6, .slow_to = 1000,
                        .slow_ns = 100 * MS};
    struct measure_options opt = exactly(10);
    struct measure_result r;
    int calm = 0;

    if (dev->info.type != DEVICE_CPU || !dev->info.images)
        return;
    r = planned_result(&p, 1, &opt);
    for (int i = 0; i < r.n; i++) {
        ck_assert_int_eq(r.aside[i], r.side[0].time_ns[i] != 3 * MS);
        calm += !r.aside[i];
    }
    ck_assert_int_eq(calm, 10);
    ck_assert_int_gt(r.n, 10);
    ck_assert_int_lt(r.n, 14); /* waited, not measured */
    ck_assert_uint_ge(plan_slept_ns, 100 * MS);
    ck_assert_uint_lt(plan_slept_ns, 200 * MS);
    ck_assert_int_eq(r.status, SAMPLE_OK);
    ck_assert_double_eq(r.side[0].median_ns, 3 * MS);
    measure_done(&r);
}
END_TEST

/* Slow for good: after waiting thirty times the limit, and measuring five times it, all repeats
 * count, noisy. Of samples in a row the third takes it for the machine's way. */
START_TEST(slow_machine_is_given_up)
{
    struct planned p = {.base_ns = {3 * MS, 0}, .fail_at = -1, .slow_to = 1000,
                        .slow_ns = UINT64_MAX};
    struct measure_options opt = exactly(10);
    struct measure_result r;

    if (dev->info.type != DEVICE_CPU || !dev->info.images)
        return;
    opt.max_time_ns = 100 * MS;
    for (int i = 1; i <= 3; i++) {
        r = planned_result(&p, 1, &opt);
        ck_assert_int_eq(r.status, SAMPLE_NOISY);
        ck_assert_str_eq(r.reason, "the machine was slow");
        ck_assert_int_eq(r.aside[0], false);
        ck_assert_double_eq(r.side[0].median_ns, 6 * MS);
        ck_assert_uint_gt(plan_slept_ns, 3000 * MS);
        ck_assert_uint_lt(plan_slept_ns, 3100 * MS);
        ck_assert_int_eq(plan_in_vain(), i % 3);
        measure_done(&r);
    }
}
END_TEST

/* Each sample's wait is rewarded, but all together they wait ten seconds more than they measure. */
START_TEST(waiting_has_an_end)
{
    struct planned p = {.base_ns = {3 * MS, 0}, .fail_at = -1, .slow_from = 6, .slow_to = 1000,
                        .slow_ns = 2900 * MS};
    struct measure_options opt = exactly(10);

    if (dev->info.type != DEVICE_CPU || !dev->info.images)
        return;
    opt.max_time_ns = 100 * MS;
    for (int i = 1; i <= 5; i++) {
        struct measure_result r = planned_result(&p, 1, &opt);

        if (i <= 3) {
            ck_assert_int_eq(r.status, SAMPLE_OK);
            ck_assert_uint_ge(plan_slept_ns, 2900 * MS);
        } else {
            ck_assert_int_eq(r.status, SAMPLE_NOISY);
            ck_assert_uint_lt(plan_slept_ns, (i == 4 ? 2000 : 1000) * MS);
        }
        ck_assert_int_eq(plan_in_vain(), 0);
        measure_done(&r);
    }
}
END_TEST

/* As if it had begun 1000 s ago: of the machine's time since then half was idle, an eighth was this
 * process's. What really passes meanwhile is too little to matter. */
START_TEST(crowd_is_seen)
{
    struct crowd since = crowd_begin();
    uint64_t past_ns = UINT64_C(1000000) * MS, all_ns = past_ns * (uint64_t)since.cpus;
    double share;

    if (since.idle_ns == UINT64_MAX) {
        ck_assert(isnan(crowd_share(&since)));
        return;
    }
    since.wall_ns -= past_ns;
    since.idle_ns -= all_ns / 2;
    since.cpu_ns -= all_ns / 8;
    share = crowd_share(&since);
    ck_assert_double_eq_tol(share, 1 - 0.5 - 0.125, 0.01);
    since.cpu_ns -= all_ns / 2; /* clocks that disagree: not less than nothing */
    ck_assert_double_eq(crowd_share(&since), 0);
    for (int i = 0; i < 100 && !isnan(share); i++) { /* at once, as soon as this process is let */
        since = crowd_begin();
        share = crowd_share(&since);
    }
    ck_assert(isnan(share)); /* too soon to say */
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pairs");
    TCase *tc = tcase_create("pairs");

    need_device();
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, summary_is_of_the_times);
    tcase_add_test(tc, every_other_launch_is_late);
    tcase_add_test(tc, planted_slowdown);
    tcase_add_test(tc, drift_cancels);
    tcase_add_test(tc, steady_stops_at_the_least);
    tcase_add_test(tc, growing_times);
    tcase_add_test(tc, limits_are_noisy_and_say_so);
    tcase_add_test(tc, hopeless_interval_is_given_up);
    tcase_add_test(tc, pairs_without_cores);
    tcase_add_test(tc, robbed_pairs_are_set_aside);
    tcase_add_test(tc, narrow_kernel);
    tcase_add_test(tc, slow_machine_is_waited_for);
    tcase_add_test(tc, slow_machine_is_given_up);
    tcase_add_test(tc, waiting_has_an_end);
    tcase_add_test(tc, crowd_is_seen);
    suite_add_tcase(s, tc);
    return suite_run(s);
}
