/* One sample: what is launched and in which order, which clock it trusts, how short launches are
 * timed; on a clock of its own (planned.h), then real kernels on the real one. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/clock.h"
#include "profiler/program.h"
#include "profiler/rng.h"
#include "tests/need_device.h"
#include "tests/planned.h"
#include "tests/suite.h"

START_TEST(statuses_have_names)
{
    for (int i = 0; i < SAMPLE_STATUSES; i++)
        ck_assert_int_eq(sample_status_parse(sample_status_name((enum sample_status)i)), i);
    ck_assert_str_eq(sample_status_name(SAMPLE_OUT_OF_MEMORY), "out_of_memory");
    ck_assert_int_eq(sample_status_parse("fine"), -EINVAL);
}
END_TEST

START_TEST(wrong_options_are_refused)
{
    struct planned p = {.base_ns = {3 * MS, 0}, .fail_at = -1};
    struct measure_options good = exactly(10), opt;
    struct measure_result r;
    struct err err = {0};

    opt = good;
    opt.min_repeats = 0;
    ck_assert_int_eq(plan_measure(&p, 1, &opt, &r, &err), -EINVAL);
    opt = good;
    opt.max_repeats = 9;
    ck_assert_int_eq(plan_measure(&p, 1, &opt, &r, &err), -EINVAL);
    opt = good;
    opt.target = NAN;
    ck_assert_int_eq(plan_measure(&p, 1, &opt, &r, &err), -EINVAL);
    ck_assert_int_eq(p.calls, 0);
}
END_TEST

START_TEST(pairs_alternate)
{
    struct planned p = {.base_ns = {3 * MS, 4 * MS}, .fail_at = -1};
    struct measure_options opt = exactly(12);
    struct measure_result r = planned_result(&p, 2, &opt);

    ck_assert_int_eq(r.status, SAMPLE_OK);
    ck_assert_int_eq(r.n, 12);
    ck_assert_int_eq(r.sides, 2);
    ck_assert_int_eq(r.batch, 1); /* 3 ms is long enough to be timed alone */
    ck_assert_str_eq(r.timer, "host");
    ck_assert(r.hot);
    /* Two warm-ups a side, then A B, B A, ... */
    ck_assert_int_eq(p.calls, 4 + 24);
    ck_assert_int_eq(memcmp(p.side, "\0\0\1\1", 4), 0);
    for (int pair = 0; pair < 12; pair++) {
        ck_assert_int_eq(p.side[4 + 2 * pair], pair % 2);
        ck_assert_int_eq(p.side[4 + 2 * pair + 1], 1 - pair % 2);
        ck_assert_uint_eq(r.side[0].time_ns[pair], 3 * MS);
        ck_assert_uint_eq(r.side[1].time_ns[pair], 4 * MS);
    }
    ck_assert_uint_eq(r.warmup_ns, 14 * MS);
    ck_assert_uint_eq(r.flush_ns, 0);
    ck_assert_uint_eq(r.measure_ns, 84 * MS);
    measure_done(&r);
    measure_done(&r); /* harmless */
}
END_TEST

START_TEST(one_side)
{
    struct planned p = {.base_ns = {3 * MS, 0}, .fail_at = -1};
    struct measure_options opt = exactly(5);
    struct measure_result r = planned_result(&p, 1, &opt);

    ck_assert_int_eq(r.n, 5);
    ck_assert_int_eq(p.calls, 2 + 5);
    ck_assert_ptr_null(r.side[1].time_ns);
    ck_assert(isnan(r.slowdown.mid) && isnan(r.slowdown.low) && isnan(r.slowdown.high));
    for (int i = 0; i < p.calls; i++)
        ck_assert_int_eq(p.side[i], 0);
    measure_done(&r);
}
END_TEST

/* Times of 3 and 9 ms: warm-up ends at the first two in a row that agree, by hand from the coin. */
START_TEST(warm_up_waits_for_agreement)
{
    struct planned p = {.base_ns = {3 * MS, 0}, .coin = true, .fail_at = -1};
    struct measure_options opt = exactly(3);
    struct measure_result r = planned_result(&p, 1, &opt);
    int want = 2;

    while (((rng_at(1, (uint64_t)want - 1) ^ rng_at(1, (uint64_t)want - 2)) & 1) && want < 10)
        want++;
    ck_assert_int_eq(p.calls, want + 3);
    measure_done(&r);
    /* 3, 9, 15, ... 57 ms: no two in a row within a tenth, so the bound ends it. */
    p = (struct planned){.base_ns = {3 * MS, 0}, .drift = 2, .fail_at = -1};
    r = planned_result(&p, 1, &opt);
    ck_assert_int_eq(p.calls, 10 + 3);
    measure_done(&r);
}
END_TEST

START_TEST(failed_launch_is_passed_on)
{
    struct measure_options opt = exactly(3);
    struct measure_result r, was;

    memset(&was, 7, sizeof(was));
    r = was;
    for (int at = 0; at < 10; at++) {
        struct planned p = {.base_ns = {3 * MS, 3 * MS}, .fail_at = at};
        struct err err = {0};

        ck_assert_int_eq(plan_measure(&p, 2, &opt, &r, &err), -EIO);
        ck_assert_str_eq(err.text, "planted failure");
        ck_assert_int_eq(memcmp(&r, &was, sizeof(r)), 0);
    }
}
END_TEST

START_TEST(clocks_are_checked)
{
    static const struct {
        enum stamps stamps;
        uint64_t overhead_ns;
        const char *timer;
        uint64_t want_ns;
    } cases[] =
        {
            {GOOD, 0, "event", 3 * MS},
            {GOOD, 50000, "event", 3 * MS},  /* launch cost is not the kernel's */
            {GOOD, 900000, "host", 3900000}, /* more than launch cost: something is off */
            {NONE, 0, "host", 3 * MS},
            {REVERSED, 0, "host", 3 * MS},
            {HALF, 0, "host", 3 * MS},
            {DOUBLE, 0, "host", 3 * MS},
            {COARSE, 0, "host", 3 * MS}, /* 1 ms steps, more than 1 % of 3 ms */
        };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct planned p = {.base_ns = {3 * MS, 3 * MS},
                            .stamps = cases[i].stamps,
                            .overhead_ns = cases[i].overhead_ns,
                            .fail_at = -1};
        struct measure_options opt = exactly(10);
        struct measure_result r = planned_result(&p, 2, &opt);

        ck_assert_msg(strcmp(r.timer, cases[i].timer) == 0, "case %zu: '%s'", i, r.timer);
        ck_assert_double_eq(r.side[0].median_ns, (double)cases[i].want_ns);
        ck_assert_double_eq(r.side[1].median_ns, (double)cases[i].want_ns);
        ck_assert_int_eq(r.batch, 1);
        measure_done(&r);
    }
}
END_TEST

/* Sane in the warm-up, nonsense at the 20th launch: all repeats are taken again by the host. */
START_TEST(event_that_fails_later)
{
    struct planned p = {.base_ns = {3 * MS, 0}, .stamps = REVERSED_LATER, .fail_at = -1};
    struct measure_options opt = exactly(30);
    struct measure_result r = planned_result(&p, 1, &opt);

    ck_assert_str_eq(r.timer, "host");
    ck_assert_int_eq(r.n, 30);
    ck_assert_int_eq(p.calls, 20 + 30);
    measure_done(&r);
}
END_TEST

/* 10 us, with good events: too short for one launch. 2 ms make a repeat. */
START_TEST(short_ones_are_batched)
{
    struct planned p = {.base_ns = {20000, 10000}, .stamps = GOOD, .fail_at = -1};
    struct measure_options opt = exactly(10);
    struct measure_result r = planned_result(&p, 2, &opt);
    bool cpu = dev->info.type == DEVICE_CPU; /* a GPU's own stamps are good enough */

    ck_assert_str_eq(r.timer, cpu ? "host" : "event");
    ck_assert_int_eq(r.batch, cpu ? 200 : 1); /* 2 ms of the shorter side; the same for both */
    ck_assert_double_eq(r.side[0].median_ns, 20000);
    ck_assert_double_eq(r.side[1].median_ns, 10000);
    ck_assert_double_eq_tol(r.slowdown.mid, 0.5, 1e-9);
    measure_done(&r);
}
END_TEST

/* From here on real kernels on the real clock, beside whatever else runs here: what others may have
 * spoilt is taken again. */
enum { TRIES = 20 };

static struct measure_options in_a_moment(int repeats, bool hot)
{
    struct measure_options opt = exactly(repeats);

    opt.hot = hot;
    opt.max_time_ns = 200 * MS; /* a busy machine is waited for 30 times as long */
    return opt;
}

static const char work_text[] =
    "__kernel void spin(__global float *y, int steps)\n"
    "{\n"
    "    float v = (float)get_global_id(0);\n"
    "    for (int i = 0; i < steps; i++)\n"
    "        v = fma(v, 0.5f, 1.0f);\n"
    "    y[get_global_id(0)] = v;\n"
    "}\n"
    "__kernel void twice(__global const float4 *x, __global float4 *y)\n"
    "{\n"
    "    y[get_global_id(0)] = 2.0f * x[get_global_id(0)];\n"
    "}\n";

struct work {
    cl_program program;
    cl_kernel kernel;
    cl_mem x, y;
    size_t gws;
    cl_int steps[2]; /* of spin */
    bool spin;
};

static struct work work_new(const char *kernel, size_t gws)
{
    struct program_source source = {"work.cl", work_text, sizeof(work_text) - 1};
    struct work w = {.gws = gws, .spin = strcmp(kernel, "spin") == 0};
    struct err err = {0};
    cl_float one = 1;

    ck_assert_msg(program_build(dev, &source, 1, "", &w.program, NULL, &err) == 0, "%s", err.text);
    w.kernel = clCreateKernel(w.program, kernel, NULL);
    w.x = clCreateBuffer(dev->context, CL_MEM_READ_WRITE, gws * 16, NULL, NULL);
    w.y = clCreateBuffer(dev->context, CL_MEM_READ_WRITE, gws * 16, NULL, NULL);
    ck_assert(w.kernel && w.x && w.y);
    clEnqueueFillBuffer(measurer_queue(m), w.x, &one, 4, 0, gws * 16, 0, NULL, NULL);
    clFinish(measurer_queue(m));
    clSetKernelArg(w.kernel, 0, sizeof(w.x), w.spin ? &w.y : &w.x);
    if (!w.spin)
        clSetKernelArg(w.kernel, 1, sizeof(w.y), &w.y);
    return w;
}

static void work_done(struct work *w)
{
    clReleaseMemObject(w->x);
    clReleaseMemObject(w->y);
    clReleaseKernel(w->kernel);
    clReleaseProgram(w->program);
}

static int work_enqueue(void *ctx, cl_command_queue queue, int side, cl_event *ret_event,
                        struct err *err)
{
    struct work *w = ctx;
    size_t lws = 64;
    cl_int code;

    if (w->spin)
        clSetKernelArg(w->kernel, 1, sizeof(w->steps[0]), &w->steps[side]);
    code = clEnqueueNDRangeKernel(queue, w->kernel, 1, NULL, &w->gws, &lws, 0, NULL, ret_event);
    return code == CL_SUCCESS ? 0 : cl_err(err, code, "launch of the test kernel");
}

static struct measure_result work_measure(struct work *w, int sides,
                                          const struct measure_options *opt)
{
    struct measure_subject subject = {.ctx = w, .sides = sides, .enqueue = work_enqueue};
    struct measure_result r;
    struct err err = {0};

    ck_assert_msg(measure(m, &subject, opt, &r, &err) == 0, "%s", err.text);
    return r;
}

static uint64_t fastest(const struct measure_result *r)
{
    const uint64_t *ns = r->side[0].time_ns;
    uint64_t best = UINT64_MAX;

    for (int i = 0; i < r->n; i++)
        best = ns[i] < best ? ns[i] : best;
    return best;
}

/* `steps` such that one launch takes 3 ms or more here; the fastest counts, others disturb. */
static cl_int steps_for_3ms(struct work *w)
{
    struct measure_options opt = in_a_moment(5, true);
    cl_int steps = 1024;

    for (;; steps *= 2) {
        struct measure_result r;
        uint64_t best;

        w->steps[0] = steps;
        r = work_measure(w, 1, &opt);
        best = fastest(&r);
        measure_done(&r);
        if (best >= 3 * MS || steps >= 1 << 28)
            return steps;
    }
}

START_TEST(kernel_with_twice_the_work)
{
    struct work w = work_new("spin", 16384);
    struct measure_options opt = in_a_moment(15, false);
    double slowdown = 0;
    bool alone = false; /* others make clocks disagree, and then launches are timed by the batch */

    w.steps[0] = steps_for_3ms(&w);
    w.steps[1] = 2 * w.steps[0];
    for (int i = 0; i < TRIES && !(alone && slowdown > 1.8 && slowdown < 2.2); i++) {
        uint64_t from = clock_ns();
        struct measure_result r = work_measure(&w, 2, &opt);

        ck_assert_uint_le(r.warmup_ns + r.flush_ns + r.measure_ns, clock_ns() - from);
        ck_assert_uint_gt(r.flush_ns, 0);
        ck_assert_uint_gt(r.measure_ns, 0);
        ck_assert_int_eq(r.hot, r.batch > 1);
        slowdown = r.slowdown.mid;
        alone = r.batch == 1;
        measure_done(&r);
    }
    ck_assert_msg(alone && slowdown > 1.8 && slowdown < 2.2, "slowdown %.3f", slowdown);
    work_done(&w);
}
END_TEST

/* A batch is divided: what its launches took is no more than all of it took. */
START_TEST(short_kernel)
{
    struct work w = work_new("spin", 64);
    struct measure_options opt = in_a_moment(10, false);
    bool cpu = dev->info.type == DEVICE_CPU, short_one = false;

    w.steps[0] = 1;
    for (int i = 0; i < TRIES && !short_one; i++) {
        struct measure_result r = work_measure(&w, 1, &opt);
        uint64_t all = 0, launches = (uint64_t)r.n * (uint64_t)r.batch;

        short_one = !cpu || r.batch > 1; /* where others run it may seem long */
        for (int k = 0; k < r.n; k++)
            all += r.side[0].time_ns[k] * (uint64_t)r.batch;
        ck_assert_uint_le(all, r.measure_ns + launches / 2 + 1); /* each is rounded */
        ck_assert_uint_gt(r.flush_ns, 0);
        ck_assert_double_gt(r.side[0].median_ns, 10);
        if (r.batch > 1) {
            ck_assert_str_eq(r.timer, "host");
            ck_assert(r.hot); /* within a batch */
        }
        measure_done(&r);
    }
    ck_assert(short_one);
    work_done(&w);
}
END_TEST

/* Of one launch by its event, in ns; infinity where the host's clock was preferred. */
static double fastest_event(struct work *w, bool hot)
{
    struct measure_options opt = in_a_moment(15, hot);
    struct measure_result r = work_measure(w, 1, &opt);
    double ns = strcmp(r.timer, "event") == 0 ? (double)fastest(&r) : INFINITY;

    measure_done(&r);
    return ns;
}

/* 8 MiB copied within the cache or from memory: 3 times the time where it was tried. Others make a
 * launch longer and never shorter, so of at least three tries the fastest counts. */
START_TEST(flush_makes_it_cold)
{
    struct work w = work_new("twice", (8 << 20) / 16);
    double hot = INFINITY, cold = INFINITY;
    bool known = false;

    if (dev->info.type != DEVICE_CPU) { /* elsewhere the launch may hide it */
        work_done(&w);
        return;
    }
    for (int i = 0; i < TRIES && !known; i++) {
        hot = fmin(hot, fastest_event(&w, true));
        cold = fmin(cold, fastest_event(&w, false));
        known = i >= 2 && isfinite(cold) && cold >= 1.2 * hot;
    }
    ck_assert_msg(known, "hot %.0f ns, cold %.0f ns", hot, cold);
    work_done(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("measure");
    TCase *tc = tcase_create("measure");

    need_device();
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, statuses_have_names);
    tcase_add_test(tc, wrong_options_are_refused);
    tcase_add_test(tc, pairs_alternate);
    tcase_add_test(tc, one_side);
    tcase_add_test(tc, warm_up_waits_for_agreement);
    tcase_add_test(tc, failed_launch_is_passed_on);
    tcase_add_test(tc, clocks_are_checked);
    tcase_add_test(tc, event_that_fails_later);
    tcase_add_test(tc, short_ones_are_batched);
    tcase_add_test(tc, kernel_with_twice_the_work);
    tcase_add_test(tc, short_kernel);
    tcase_add_test(tc, flush_makes_it_cold);
    suite_add_tcase(s, tc);
    return suite_run(s);
}
