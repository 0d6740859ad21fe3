/* harness/text/units.c against hand-computed values and the shortest forms of Python's repr(). */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/text/units.h"
#include "tests/suite.h"

#define N(x) ((int)(sizeof(x) / sizeof((x)[0])))

START_TEST(ints)
{
    static const struct {
        const char *text;
        int64_t min, max;
        int rc;
        int64_t want;
    } cases[] = {
        {"0", 0, 10, 0, 0},
        {"10", 0, 10, 0, 10},
        {"+7", 0, 10, 0, 7},
        {"-3", -5, 5, 0, -3},
        {"007", 0, 10, 0, 7},
        {"11", 0, 10, -EINVAL, 0},
        {"-1", 0, 10, -EINVAL, 0},
        {"", 0, 10, -EINVAL, 0},
        {" 5", 0, 10, -EINVAL, 0},
        {"5 ", 0, 10, -EINVAL, 0},
        {"- 5", -10, 10, -EINVAL, 0},
        {"--5", -10, 10, -EINVAL, 0},
        {"5x", 0, 10, -EINVAL, 0},
        {"0x5", 0, 10, -EINVAL, 0},
        {"1e1", 0, 10, -EINVAL, 0},
        {"5.0", 0, 10, -EINVAL, 0},
        {"9223372036854775807", INT64_MIN, INT64_MAX, 0, INT64_MAX},
        {"-9223372036854775808", INT64_MIN, INT64_MAX, 0, INT64_MIN},
        {"9223372036854775808", INT64_MIN, INT64_MAX, -EINVAL, 0},
        {"99999999999999999999999", INT64_MIN, INT64_MAX, -EINVAL, 0},
    };
    struct err err;
    int64_t v;

    for (int i = 0; i < N(cases); i++) {
        v = 424242;
        ck_assert_msg(parse_int(cases[i].text, cases[i].min, cases[i].max, &v, &err) == cases[i].rc,
                      "'%s'", cases[i].text);
        ck_assert_int_eq(v, cases[i].rc ? 424242 : cases[i].want);
    }
    parse_int("0", 1, 1048576, &v, &err);
    ck_assert_str_eq(err.text, "want a whole number 1..1048576, got '0'");
}
END_TEST

START_TEST(reals)
{
    static const struct {
        const char *text;
        double min, max;
        int rc;
        double want;
    } cases[] = {
        {"0.5", 0, 1, 0, 0.5},
        {".5", 0, 1, 0, 0.5},
        {"1e-3", 0, 1, 0, 0.001},
        {"-2.5E2", -1000, 0, 0, -250},
        {"1", 0, 1, 0, 1},
        {"1.0000001", 0, 1, -EINVAL, 0},
        {"nan", -INFINITY, INFINITY, -EINVAL, 0},
        {"inf", -INFINITY, INFINITY, -EINVAL, 0},
        {"-infinity", -INFINITY, INFINITY, -EINVAL, 0},
        {"0x1p3", 0, 100, -EINVAL, 0},
        {"1e999", -INFINITY, INFINITY, -EINVAL, 0},
        {"1e-999", 0, 1, -EINVAL, 0},
        {"", 0, 1, -EINVAL, 0},
        {" 1", 0, 1, -EINVAL, 0},
        {"1 ", 0, 1, -EINVAL, 0},
        {"1,5", 0, 10, -EINVAL, 0},
        {"e5", 0, 10, -EINVAL, 0},
        {"1e", 0, 10, -EINVAL, 0},
    };
    struct err err;
    double v;

    for (int i = 0; i < N(cases); i++) {
        v = 4242;
        ck_assert_msg(parse_real(cases[i].text, cases[i].min, cases[i].max, &v, &err) ==
                          cases[i].rc,
                      "'%s'", cases[i].text);
        ck_assert(v == (cases[i].rc ? 4242 : cases[i].want));
    }
    parse_real("2", 0, 0.5, &v, &err);
    ck_assert_str_eq(err.text, "want a number 0..0.5, got '2'");
}
END_TEST

struct scaled {
    const char *text;
    int rc;
    uint64_t want;
};

static void check_scaled(int (*parse)(const char *, uint64_t *, struct err *),
                         const struct scaled *cases, int n)
{
    for (int i = 0; i < n; i++) {
        struct err err = {0};
        uint64_t v = 424242;

        ck_assert_msg(parse(cases[i].text, &v, &err) == cases[i].rc, "'%s': %s", cases[i].text,
                      err.text);
        ck_assert_msg(v == (cases[i].rc ? 424242 : cases[i].want), "'%s' is %llu", cases[i].text,
                      (unsigned long long)v);
        ck_assert(cases[i].rc == 0 || strstr(err.text, cases[i].text));
    }
}

START_TEST(bytes)
{
    static const struct scaled cases[] = {
        {"0", 0, 0},
        {"4096", 0, 4096},
        {"1B", 0, 1},
        {"500MiB", 0, 524288000},
        {"1.5GB", 0, 1500000000},
        {"1.5GiB", 0, 1610612736},
        {"12.5 MiB", 0, 13107200},
        {"2KB", 0, 2000},
        {"2KiB", 0, 2048},
        {"3TB", 0, UINT64_C(3000000000000)},
        {"0.001KB", 0, 1},
        {"1.000000000000000000KB", 0, 1000},
        {"18446744073709551615", 0, UINT64_MAX},
        {"18446744073709551616", -EINVAL, 0},
        {"16777215TiB", 0, UINT64_C(16777215) << 40},
        {"16777216TiB", -EINVAL, 0},
        {"99999999999999999999999999999999999999999999999999", -EINVAL, 0},
        {"1.00000000000000000000000000000000000000000000001GB", -EINVAL, 0},
        {"0.0001KB", -EINVAL, 0},
        {"0.1KiB", -EINVAL, 0},
        {"1.5", -EINVAL, 0},
        {"64k", -EINVAL, 0},
        {"64K", -EINVAL, 0},
        {"64kb", -EINVAL, 0},
        {"1Gb", -EINVAL, 0},
        {"-1", -EINVAL, 0},
        {"+1", -EINVAL, 0},
        {"1e3", -EINVAL, 0},
        {"MiB", -EINVAL, 0},
        {".5MiB", -EINVAL, 0},
        {"5.MiB", -EINVAL, 0},
        {"5..1MiB", -EINVAL, 0},
        {"5 ", -EINVAL, 0},
        {"5  MiB", -EINVAL, 0},
        {" 5", -EINVAL, 0},
        {"", -EINVAL, 0},
        {"nan", -EINVAL, 0},
    };

    check_scaled(parse_bytes, cases, N(cases));
}
END_TEST

START_TEST(times)
{
    static const struct scaled cases[] = {
        {"150s", 0, UINT64_C(150000000000)},
        {"150", 0, UINT64_C(150000000000)},
        {"0.25", 0, 250000000},
        {"20ms", 0, 20000000},
        {"3us", 0, 3000},
        {"7ns", 0, 7},
        {"1.5ms", 0, 1500000},
        {"2m", 0, UINT64_C(120000000000)},
        {"2min", 0, UINT64_C(120000000000)},
        {"1h", 0, UINT64_C(3600000000000)},
        {"0", 0, 0},
        {"0.5ns", -EINVAL, 0},
        {"1e3", -EINVAL, 0},
        {"5S", -EINVAL, 0},
        {"1d", -EINVAL, 0},
        {"-1s", -EINVAL, 0},
        {"5124096h", -EINVAL, 0}, /* 2^64 ns are 5124095.57 h */
        {"5124095h", 0, UINT64_C(18446742000000000000)},
    };

    check_scaled(parse_time_ns, cases, N(cases));
}
END_TEST

START_TEST(byte_texts)
{
    static const struct {
        uint64_t bytes;
        const char *want;
    } cases[] = {
        {0, "0 B"},
        {1023, "1023 B"},
        {1024, "1.0 KiB"},
        {13107200, "12.5 MiB"},
        {1048575, "1.0 MiB"}, /* 1023.999 KiB */
        {UINT64_C(1) << 30, "1.0 GiB"},
        {UINT64_MAX, "16.0 EiB"},
    };
    char text[UNIT_TEXT];

    for (int i = 0; i < N(cases); i++)
        ck_assert_str_eq(format_bytes(text, cases[i].bytes), cases[i].want);
}
END_TEST

START_TEST(time_texts)
{
    static const struct {
        double ns;
        const char *want;
    } cases[] = {
        {0, "0 ns"},          {7, "7 ns"},         {1.5, "1.50 ns"},     {999, "999 ns"},
        {999.7, "1.00 us"},   {3.42e6, "3.42 ms"}, {34.24e6, "34.2 ms"}, {342.4e6, "342 ms"},
        {9.999e6, "10.0 ms"}, {2e9, "2.00 s"},     {95e9, "95.0 s"},     {660e9, "11.0 min"},
        {9000e9, "2.50 h"},   {NAN, ""},
    };
    char text[UNIT_TEXT];

    for (int i = 0; i < N(cases); i++)
        ck_assert_str_eq(format_time(text, cases[i].ns), cases[i].want);
}
END_TEST

/* Shortest digits are unique up to spelling: those of Python's repr(). */
START_TEST(real_texts)
{
    static const struct {
        double x;
        const char *want;
    } cases[] = {
        {0.1, "0.1"},
        {1.0 / 3, "0.3333333333333333"},
        {0.1 + 0.2, "0.30000000000000004"},
        {100, "100"},
        {-2, "-2"},
        {123456.789, "123456.789"},
        {1e15, "1e+15"},
        {5e-324, "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {NAN, ""},
        {INFINITY, "inf"},
    };
    char text[UNIT_TEXT];

    for (int i = 0; i < N(cases); i++)
        ck_assert_str_eq(format_real(text, cases[i].x), cases[i].want);
    srand48(1);
    for (int i = 0; i < 10000; i++) {
        double x = ldexp(drand48() - 0.5, (int)(drand48() * 200) - 100);

        ck_assert(strtod(format_real(text, x), NULL) == x);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("units");
    TCase *t = tcase_create("units");

    tcase_add_test(t, ints);
    tcase_add_test(t, reals);
    tcase_add_test(t, bytes);
    tcase_add_test(t, times);
    tcase_add_test(t, byte_texts);
    tcase_add_test(t, time_texts);
    tcase_add_test(t, real_texts);
    suite_add_tcase(s, t);
    return suite_run(s);
}
