/* The ledger's limit, its timeline against sums made here, and the RSS sampler. */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiler/clock.h"
#include "profiler/memory.h"
#include "tests/suite.h"

#define MS 1000000u

static struct mem *ledger(uint64_t limit_bytes)
{
    struct mem *mem = NULL;

    ck_assert_int_eq(mem_new(limit_bytes, &mem, NULL), 0);
    return mem;
}

static void sleep_ms(long ms)
{
    struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&ts, NULL);
}

START_TEST(kinds_have_names)
{
    ck_assert_str_eq(mem_kind_name(MEM_STAGING), "staging");
    ck_assert_str_eq(mem_kind_name(MEM_UM), "um");
    ck_assert_str_eq(mem_kind_name(MEM_TEXTURE), "texture");
    ck_assert_str_eq(mem_kind_name(MEM_ACTIVATION), "activation");
    ck_assert_str_eq(mem_kind_name(MEM_HOST), "host");
}
END_TEST

START_TEST(limit_is_held)
{
    struct mem *mem = ledger(10 << 20);
    struct err err = {0};

    ck_assert_int_eq(mem_charge(mem, MEM_UM, 4 << 20, "ring", &err), 0);
    ck_assert_int_eq(mem_charge(mem, MEM_TEXTURE, 6 << 20, "fc1", &err), 0); /* exactly full */
    ck_assert_uint_eq(mem_live(mem), 10 << 20);
    ck_assert_int_eq(mem_charge(mem, MEM_TEXTURE, 1, "fc2.weight", &err), -ENOMEM);
    ck_assert_uint_eq(mem_live(mem), 10 << 20); /* nothing booked */
    ck_assert_ptr_nonnull(strstr(err.text, "fc2.weight"));
    ck_assert_ptr_nonnull(strstr(err.text, "limit of 10.0 MiB"));
    ck_assert_ptr_nonnull(strstr(err.text, "um 4.0 MiB"));
    ck_assert_ptr_nonnull(strstr(err.text, "texture 6.0 MiB"));
    mem_release(mem, MEM_UM, 4 << 20);
    ck_assert_int_eq(mem_charge(mem, MEM_HOST, 4 << 20, "copy", &err), 0);
    ck_assert_int_eq(mem_charge(mem, MEM_HOST, UINT64_MAX, "wrap", &err), -ENOMEM);
    mem_free(mem);
}
END_TEST

START_TEST(no_limit_still_does_not_wrap)
{
    struct mem *mem = ledger(0);

    ck_assert_int_eq(mem_charge(mem, MEM_UM, UINT64_MAX - 5, "a", NULL), 0);
    ck_assert_int_eq(mem_charge(mem, MEM_UM, 6, "b", NULL), -ENOMEM);
    ck_assert_int_eq(mem_charge(mem, MEM_UM, 5, "c", NULL), 0);
    mem_free(mem);
}
END_TEST

START_TEST(no_ledger_books_nothing)
{
    struct mem_summary s = {.peak_bytes = 1};
    int n = -1;

    ck_assert_int_eq(mem_charge(NULL, MEM_UM, 1, "x", NULL), 0);
    mem_release(NULL, MEM_UM, 1);
    ck_assert_uint_eq(mem_live(NULL), 0);
    ck_assert_int_eq(mem_start(NULL, 0, NULL), 0);
    mem_stop(NULL, &s);
    ck_assert_uint_eq(s.peak_bytes, 0);
    ck_assert_ptr_null(mem_points(NULL, &n));
    ck_assert_int_eq(n, 0);
    mem_free(NULL);
}
END_TEST

static uint64_t total(const struct mem_point *p)
{
    uint64_t sum = 0;

    for (int k = 0; k < MEM_KINDS; k++)
        sum += p->live_bytes[k];
    return sum;
}

/* A step function's integral by hand: each point holds until the next one. */
static double integral_byte_s(const struct mem_point *p, int n)
{
    double sum = 0;

    for (int i = 0; i + 1 < n; i++)
        sum += (double)total(&p[i]) * (double)(p[i + 1].t_ns - p[i].t_ns) / 1e9;
    return sum;
}

START_TEST(timeline_is_the_step_function)
{
    static const struct {
        enum mem_kind kind;
        int64_t bytes;
    } step[] = {{MEM_UM, 1000},
                {MEM_TEXTURE, 5000},
                {MEM_UM, -1000},
                {MEM_ACTIVATION, 300},
                {MEM_TEXTURE, -5000}};
    /* 77 bytes of before the start count; by hand: */
    static const uint64_t want[] = {77, 1077, 6077, 5077, 5377, 377, 377};
    struct mem *mem = ledger(0);
    struct mem_summary s = {0};
    const struct mem_point *p;
    double seconds, sum;
    int n = 0;

    ck_assert_int_eq(mem_charge(mem, MEM_STAGING, 100, "early", NULL), 0);
    mem_release(mem, MEM_STAGING, 23);
    ck_assert_int_eq(mem_start(mem, 0, NULL), 0);
    for (size_t i = 0; i < sizeof(step) / sizeof(step[0]); i++) {
        sleep_ms(3);
        if (step[i].bytes > 0)
            ck_assert_int_eq(mem_charge(mem, step[i].kind, (uint64_t)step[i].bytes, "s", NULL), 0);
        else
            mem_release(mem, step[i].kind, (uint64_t)-step[i].bytes);
    }
    sleep_ms(3);
    mem_stop(mem, &s);
    ck_assert_int_eq(mem_charge(mem, MEM_HOST, 1 << 20, "late", NULL), 0); /* not in it */
    p = mem_points(mem, &n);
    ck_assert_int_eq(n, 7);
    ck_assert_uint_eq(p[0].t_ns, 0);
    for (int i = 0; i < n; i++) {
        ck_assert_uint_eq(total(&p[i]), want[i]);
        ck_assert_uint_eq(p[i].rss_bytes, 0);
        ck_assert(i == 0 || p[i].t_ns > p[i - 1].t_ns);
    }
    sum = integral_byte_s(p, n);
    seconds = (double)p[n - 1].t_ns / 1e9;
    ck_assert_uint_eq(s.peak_bytes, 6077);
    ck_assert_double_eq_tol(s.byte_s, sum, 1e-9 * sum);
    ck_assert_double_eq_tol(s.avg_bytes, sum / seconds, 1e-9 * sum / seconds);
    /* Each of the six stretches is at least 3 ms long. */
    ck_assert_double_ge(s.byte_s, 0.003 * (77 + 1077 + 6077 + 5077 + 5377 + 377));
    ck_assert_uint_eq(s.rss_peak_bytes, 0);
    mem_free(mem);
}
END_TEST

START_TEST(a_second_timeline_starts_anew)
{
    struct mem *mem = ledger(0);
    struct mem_summary s = {0};
    int n = 0;

    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(mem_start(mem, 0, NULL), 0);
        ck_assert_int_eq(mem_charge(mem, MEM_UM, i == 0 ? 900 : 10, "x", NULL), 0);
        mem_release(mem, MEM_UM, i == 0 ? 900 : 10);
        mem_stop(mem, &s);
        mem_points(mem, &n);
        ck_assert_int_eq(n, 4);
        ck_assert_uint_eq(s.peak_bytes, i == 0 ? 900 : 10);
    }
    ck_assert_int_eq(mem_start(mem, MS, NULL), 0);
    mem_free(mem); /* while running */
}
END_TEST

START_TEST(points_are_bounded_and_keep_the_peak)
{
    struct mem *mem = ledger(0);
    struct mem_summary s = {0};
    const struct mem_point *p;
    uint64_t highest = 0;
    int n = 0;

    ck_assert_int_eq(mem_start(mem, 0, NULL), 0);
    for (int i = 0; i < 700000; i++) {
        uint64_t bytes = i == 12345 ? 999999 : 10;

        must(mem_charge(mem, MEM_UM, bytes, "x", NULL) == 0, "charge %d", i);
        mem_release(mem, MEM_UM, bytes);
    }
    mem_stop(mem, &s);
    p = mem_points(mem, &n);
    ck_assert_int_le(n, 1000000);
    ck_assert_int_ge(n, 500000);
    for (int i = 0; i < n; i++) {
        highest = total(&p[i]) > highest ? total(&p[i]) : highest;
        must(i == 0 || p[i].t_ns >= p[i - 1].t_ns, "point %d is before the one before", i);
    }
    ck_assert_uint_eq(p[0].t_ns, 0);
    ck_assert_uint_eq(highest, 999999);
    ck_assert_uint_eq(s.peak_bytes, 999999);
    mem_free(mem);
}
END_TEST

/* ThreadSanitizer keeps four bytes of its own for each of ours. */
#ifdef __SANITIZE_THREAD__
enum { SHADOW = 5 };
#else
enum { SHADOW = 1 };
#endif

/* Says 1000, 1003, 1006, ... and then less again; once for each sample. */
static uint64_t pretend(void *ctx)
{
    int *calls = ctx;
    int n = __atomic_fetch_add(calls, 1, __ATOMIC_SEQ_CST);

    return n < 4 ? 1000 + 3 * (uint64_t)n : 900;
}

/* A sampler may be without a turn for a while; one that never takes samples fails what follows. */
static void wait_for_samples(const int *calls, int n)
{
    for (uint64_t end = clock_ns() + 60000 * (uint64_t)MS;
         clock_ns() < end && __atomic_load_n(calls, __ATOMIC_SEQ_CST) < n;)
        sleep_ms(1);
}

START_TEST(rss_is_sampled)
{
    size_t bytes = 64 << 20;
    struct mem *mem = ledger(0);
    struct mem_summary s = {0};
    const struct mem_point *p;
    int n = 0, sampled = 0, calls = 0;
    uint64_t begin = clock_ns();
    char *block;

    mem_watch(mem, pretend, &calls);
    ck_assert_int_eq(mem_start(mem, 2 * MS, NULL), 0);
    block = malloc(bytes);
    ck_assert_ptr_nonnull(block);
    memset(block, 1, bytes);
    wait_for_samples(&calls, 20);
    ck_assert_int_eq(block[bytes / 2], 1);
    mem_stop(mem, &s);
    free(block);
    p = mem_points(mem, &n);
    for (int i = 0; i < n; i++)
        sampled += p[i].rss_bytes > 0;
    ck_assert_int_ge(sampled, 20 - 1); /* without the one that mem_watch() took */
    ck_assert_uint_le((uint64_t)sampled, (clock_ns() - begin) / (2 * MS) + 2); /* first, last */
    ck_assert_uint_gt(s.rss_base_bytes, 1 << 18);
    ck_assert_uint_ge(s.rss_peak_bytes, bytes - (1 << 20));
    ck_assert_uint_le(s.rss_peak_bytes, SHADOW * bytes + (64 << 20));
    ck_assert_uint_eq(s.peak_bytes, 0); /* not accounted */
    mem_free(mem);
}
END_TEST

START_TEST(another_is_watched)
{
    struct mem *mem = ledger(0);
    struct mem_summary s = {0};
    int calls = 0;

    mem_watch(mem, pretend, &calls);
    ck_assert_int_eq(calls, 1);
    ck_assert_int_eq(mem_start(mem, 0, NULL), 0); /* no sampler: nobody is asked */
    mem_stop(mem, &s);
    ck_assert_int_eq(calls, 1);
    ck_assert_uint_eq(s.watched_peak_bytes, 0);
    ck_assert_int_eq(mem_start(mem, 1 * MS, NULL), 0);
    wait_for_samples(&calls, 6);
    mem_stop(mem, &s);
    ck_assert_int_ge(calls, 6);
    ck_assert_uint_eq(s.watched_peak_bytes, 9);
    ck_assert_int_eq(mem_start(mem, 1 * MS, NULL), 0); /* a timeline of its own */
    mem_stop(mem, &s);
    ck_assert_uint_eq(s.watched_peak_bytes, 0);
    mem_free(mem);
}
END_TEST

static void *churn(void *arg)
{
    for (int i = 0; i < 20000; i++)
        if (mem_charge(arg, MEM_TEXTURE, 3, "x", NULL) == 0)
            mem_release(arg, MEM_TEXTURE, 3);
    return NULL;
}

START_TEST(threads_share_it)
{
    struct mem *mem = ledger(10);
    struct mem_summary s = {0};
    pthread_t t[4];

    ck_assert_int_eq(mem_start(mem, MS, NULL), 0);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, churn, mem), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    mem_stop(mem, &s);
    ck_assert_uint_eq(mem_live(mem), 0);
    ck_assert_uint_le(s.peak_bytes, 9); /* three of four fit under 10 */
    ck_assert_uint_ge(s.peak_bytes, 3);
    mem_free(mem);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("memory");
    TCase *tc = tcase_create("memory");

    tcase_add_test(tc, kinds_have_names);
    tcase_add_test(tc, limit_is_held);
    tcase_add_test(tc, no_limit_still_does_not_wrap);
    tcase_add_test(tc, no_ledger_books_nothing);
    tcase_add_test(tc, timeline_is_the_step_function);
    tcase_add_test(tc, a_second_timeline_starts_anew);
    tcase_add_test(tc, points_are_bounded_and_keep_the_peak);
    tcase_add_test(tc, rss_is_sampled);
    tcase_add_test(tc, another_is_watched);
    tcase_add_test(tc, threads_share_it);
    suite_add_tcase(s, tc);
    return suite_run(s);
}
