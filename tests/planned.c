/* launch.c, measure.c and pairs.c on a clock that launches move; see planned.h. */
#include "tests/planned.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/calm.h"
#include "profiler/clock.h"
#include "profiler/pace.h"
#include "profiler/rng.h"

static uint64_t test_clock_ns(void);
static uint64_t test_cpu_ns(void);
static double test_crowd_share(const struct crowd *since);
static cl_int test_profile(cl_event event, cl_profiling_info what, size_t size, void *value,
                           size_t *ret_size);
static int test_pace_probe(struct pace *p, cl_command_queue queue, uint64_t *ret_ns,
                           struct err *err);
static int test_nanosleep(const struct timespec *nap, struct timespec *rest);
#define nanosleep               test_nanosleep
#define pace_probe              test_pace_probe
#define pace_best(p)            (plan ? MS : pace_best(p))
#define clock_ns                test_clock_ns
#define cpu_ns                  test_cpu_ns
#define crowd_share             test_crowd_share
#define clGetEventProfilingInfo test_profile
static struct planned *plan; /* NULL: the real clock, the real events */
#include "profiler/launch.c"
#include "profiler/measure.c"
#include "profiler/pairs.c"
#undef nanosleep
#undef pace_probe
#undef pace_best
#undef clock_ns
#undef cpu_ns
#undef crowd_share
#undef clGetEventProfilingInfo

struct device *dev;
struct measurer *m;

uint64_t plan_slept_ns;
static uint64_t plan_now_ns, plan_start_ns, plan_cpu_ns;

static uint64_t test_clock_ns(void)
{
    return plan ? plan_now_ns : clock_ns();
}

static uint64_t test_cpu_ns(void)
{
    return plan ? plan_cpu_ns : cpu_ns();
}

static double test_crowd_share(const struct crowd *since)
{
    return plan ? plan->others : crowd_share(since);
}

static bool plan_slow(void)
{
    return plan->calls > plan->slow_from && plan->calls <= plan->slow_to &&
           plan_slept_ns < plan->slow_ns;
}

static int test_pace_probe(struct pace *p, cl_command_queue queue, uint64_t *ret_ns,
                           struct err *err)
{
    if (!plan)
        return pace_probe(p, queue, ret_ns, err);
    *ret_ns = plan_slow() ? 3 * MS / 2 : MS;
    return 0;
}

static int test_nanosleep(const struct timespec *nap, struct timespec *rest)
{
    if (!plan)
        return nanosleep(nap, rest);
    plan_now_ns += (uint64_t)nap->tv_nsec;
    plan_slept_ns += (uint64_t)nap->tv_nsec;
    return 0;
}

static cl_int test_profile(cl_event event, cl_profiling_info what, size_t size, void *value,
                           size_t *ret_size)
{
    cl_ulong span = plan_now_ns - plan_start_ns, at = plan_start_ns;
    enum stamps stamps;

    if (!plan)
        return clGetEventProfilingInfo(event, what, size, value, ret_size);
    stamps = plan->stamps;
    if (stamps == REVERSED_LATER)
        stamps = plan->calls == 20 ? REVERSED : GOOD;
    if (stamps == NONE)
        return CL_PROFILING_INFO_NOT_AVAILABLE;
    span -= plan->overhead_ns;
    if (what == CL_PROFILING_COMMAND_END)
        at += stamps == HALF     ? span / 2
              : stamps == DOUBLE ? span * 2
                                 : (stamps == REVERSED ? (cl_ulong)-1 : span);
    memcpy(value, &at, size);
    return CL_SUCCESS;
}

static int plan_enqueue(void *ctx, cl_command_queue queue, int side, cl_event *ret_event,
                        struct err *err)
{
    struct planned *p = ctx;
    double ns = (double)p->base_ns[side] * (1 + p->drift * p->calls);

    (void)queue;
    if (p->calls == p->fail_at)
        return err_set(err, -EIO, "planted failure");
    ck_assert_int_lt(p->calls, CALLS_MAX);
    if (p->coin && rng_at(1, (uint64_t)p->calls) & 1)
        ns *= 3;
    if (plan_slow())
        ns *= 2;
    p->side[p->calls++] = (signed char)side;
    plan_start_ns = plan_now_ns;
    plan_cpu_ns += (uint64_t)ns * (p->narrow ? 1 : dev->info.compute_units);
    if (p->robbed_every && p->calls % p->robbed_every == 0)
        ns *= dev->info.compute_units;
    plan_now_ns += (uint64_t)ns + p->overhead_ns;
    *ret_event = clCreateUserEvent(dev->context, NULL);
    ck_assert_ptr_nonnull(*ret_event);
    clSetUserEventStatus(*ret_event, CL_COMPLETE);
    return 0;
}

int plan_measure(struct planned *p, int sides, const struct measure_options *opt,
                 struct measure_result *ret_r, struct err *err)
{
    struct measure_subject subject = {.ctx = p, .sides = sides, .enqueue = plan_enqueue};
    int rc;

    /* What was calibrated on the real clock says nothing about this one. */
    m->launch_ns = 20000;
    m->resolution_ns = p->stamps == COARSE ? MS : 1;
    p->calls = 0;
    plan_slept_ns = 0;
    plan = p;
    plan_now_ns = UINT64_C(1000) * MS;
    rc = measure(m, &subject, opt, ret_r, err);
    plan = NULL;
    return rc;
}

struct measure_result planned_result(struct planned *p, int sides,
                                     const struct measure_options *opt)
{
    struct measure_result r;
    struct err err = {0};

    ck_assert_msg(plan_measure(p, sides, opt, &r, &err) == 0, "%s", err.text);
    return r;
}

void setup(void)
{
    struct err err = {0};

    ck_assert_msg(device_open(NULL, &dev, &err) == 0, "%s", err.text);
    ck_assert_msg(measurer_new(dev, &m, &err) == 0, "%s", err.text);
}

int plan_in_vain(void)
{
    return m->in_vain;
}

void teardown(void)
{
    measurer_free(m);
    device_close(dev);
}

struct measure_options exactly(int repeats)
{
    struct measure_options opt = measure_defaults();

    opt.hot = true;
    opt.target = 1e9;
    opt.min_repeats = repeats;
    opt.max_repeats = repeats;
    opt.max_time_ns = UINT64_C(60000) * MS;
    return opt;
}
