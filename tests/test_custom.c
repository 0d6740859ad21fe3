/* Kernels from files: expressions, heads and their mistakes. No device. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "operators/custom/custom.h"
#include "operators/custom/expression.h"
#include "tests/suite.h"

static int named(const void *ctx, const char *name, int64_t *ret_v)
{
    (void)ctx;
    if (strcmp(name, "m") == 0)
        *ret_v = 10;
    else if (strcmp(name, "TN") == 0)
        *ret_v = 4;
    else if (strcmp(name, "big") == 0)
        *ret_v = INT64_MAX;
    else
        return -ENOENT;
    return 0;
}

/* The compiler computes what is expected. */
#define CASE(e)                                                                                    \
    {                                                                                              \
#e, e                                                                                      \
    }
START_TEST(expressions)
{
    static const int m = 10, TN = 4;
    const struct {
        const char *text;
        int64_t want;
    } cases[] = {
        CASE(1 + 2 * 3),
        CASE((1 + 2) * 3),
        CASE(m % TN),
        CASE(m / TN * TN),
        CASE(m - TN - 1),
        CASE(100 / m / 2),
        CASE(-m + 3),
        CASE(!m),
        CASE(!(m == 11)),
        CASE(m == 10 && TN < 4),
        CASE(m == 9 || TN <= 4),
        CASE(m != 10 || TN >= 5),
        CASE(m > 9 && !0),
        CASE(-(-3)),
        CASE(2 - -2),
        {"up(m, TN)", 12},
        {"div_up(m, TN) * 2", 6},
        {"min(m, TN)", 4},
        {" max( m , TN + 7 ) ", 11},
        {"up(8,4)", 8},
        {"div_up(0, 3)", 0},
    };

    (void)m, (void)TN;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = {0};
        int64_t v = -99;

        ck_assert_msg(expression_value(cases[i].text, named, NULL, &v, &err) == 0, "%s: %s",
                      cases[i].text, err.text);
        ck_assert_msg(v == cases[i].want, "%s = %lld", cases[i].text, (long long)v);
    }
}
END_TEST

START_TEST(no_expressions)
{
    static const struct {
        const char *text;
        int rc;
    } cases[] = {
        {"", -EINVAL},
        {"1 +", -EINVAL},
        {"(1", -EINVAL},
        {"1)", -EINVAL},
        {"q", -EINVAL},
        {"1 2", -EINVAL},
        {"m TN", -EINVAL},
        {"2m", -EINVAL},
        {"up(1)", -EINVAL},
        {"sin(1, 2)", -EINVAL},
        {"m = 1", -EINVAL},
        {"1 & 2", -EINVAL},
        {"m / 0", -ERANGE},
        {"m % (m - 10)", -ERANGE},
        {"big + 1", -ERANGE},
        {"big * 2", -ERANGE},
        {"-big - 2", -ERANGE},
        {"(-big - 1) / -1", -ERANGE},
        {"99999999999999999999", -ERANGE},
        {"up(big, 2)", -ERANGE},
        {"up(1, 0)", -ERANGE},
    };
    char deep[400];
    int64_t v = 7;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = {0};

        ck_assert_msg(expression_value(cases[i].text, named, NULL, &v, &err) == cases[i].rc,
                      "'%s': %s", cases[i].text, err.text);
        ck_assert_int_ne(err.text[0], 0);
    }
    memset(deep, '(', sizeof(deep) - 1);
    deep[sizeof(deep) - 1] = '\0';
    ck_assert_int_eq(expression_value(deep, named, NULL, &v, NULL), -EINVAL);
    memset(deep, '-', sizeof(deep) - 1);
    ck_assert_int_eq(expression_value(deep, named, NULL, &v, NULL), -EINVAL);
    ck_assert_int_eq(v, 7);
}
END_TEST

/* ---- heads ---- */

#define FIRST "// flashmem-kernel 1\n"
#define GOOD                                                                                       \
    FIRST "// agrees: matmul\n"                                                                    \
          "// args: b, a, bias, bias.at, y, m, up(k, 4)\n"                                         \
          "// global: div_up(n, TN), m\n"                                                          \
          "// local: LX\n"                                                                         \
          "// tunables: TN=2|8, LX=16\n"                                                           \
          "// defines: M=m, PARTS=k / 4 * TN\n"                                                    \
          "// needs: act == none, bias\n"                                                          \
          "// flops: 2 * m * n * k\n"                                                              \
          "// shape: m=4\n"                                                                        \
          "//\n// anything: may follow\n"

static int make(const char *text, struct custom **ret_c, struct err *err)
{
    *err = (struct err){0};
    return custom_new("x/own.cl", text, strlen(text), ret_c, err);
}

START_TEST(launch)
{
    const struct device_info dev = {.type = DEVICE_CPU, .max_group = 64};
    struct custom *c, *other;
    struct op_variant v;
    struct op_launch l = {0};
    struct op_case k;
    struct err err;
    char text[OP_TEXT_MAX];
    double flops, bytes;

    ck_assert_msg(make(GOOD, &c, &err) == 0, "%s", err.text);
    ck_assert_int_eq(strncmp(custom_kernel(c), "own@", 4), 0);
    ck_assert_int_eq(custom_shapes(c)[0].line, 10);
    ck_assert_ptr_null(custom_shapes(c)[1].text);
    custom_use(c);
    ck_assert_int_eq(op_case_parse("matmul:f32:m=5,n=17,k=6,bias=1", &k, &err), 0);
    ck_assert_str_eq(k.op->name, "matmul");
    snprintf(text, sizeof(text), "buffer,%s,naive,TN=8", custom_kernel(c));
    ck_assert_msg(op_variant_parse(&k, &dev, text, &v, &err) == 0, "%s", err.text);
    ck_assert_msg(k.op->launch(&k, &v, &dev, &l, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(l.gws[0], 3); /* 17 / 8, up */
    ck_assert_uint_eq(l.gws[1], 5);
    ck_assert_int_eq(l.lws[0], 16);
    ck_assert_int_eq(l.lws[1], 1);
    ck_assert_str_eq(l.options, "-DM=5 -DPARTS=8");
    ck_assert_int_eq(l.n_args, 7);
    ck_assert_int_eq(l.args[0], OP_ARG_TENSOR + 1);
    ck_assert_int_eq(l.args[1], OP_ARG_TENSOR + 0);
    ck_assert_int_eq(l.args[2], OP_ARG_TENSOR + 2);
    ck_assert_int_eq(l.args[3], OP_ARG_OFFSET + 2);
    ck_assert_int_eq(l.args[4], OP_ARG_TENSOR + 3);
    ck_assert_int_eq(l.args[5], OP_ARG_INT + 0);
    ck_assert_int_eq(l.ints[0], 5);
    ck_assert_int_eq(l.ints[1], 8);
    ck_assert_int_eq(custom_cost(c, &k, &flops, &bytes, &err), 0);
    ck_assert_double_eq(flops, 2 * 5 * 17 * 6);
    ck_assert_double_eq(bytes, 0);

    /* what it needs, and what its arguments lack */
    ck_assert_int_eq(op_case_parse("matmul:f32:m=5,n=17,k=6", &k, &err), 0);
    ck_assert_int_eq(k.op->launch(&k, &v, &dev, &l, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "x/own.cl:8: needs bias"));
    ck_assert_int_eq(op_case_parse("matmul:f32:m=5,n=17,k=6,bias=1,res=1", &k, &err), 0);
    ck_assert_int_eq(k.op->launch(&k, &v, &dev, &l, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "tensor 'res', which is no argument"));

    /* another text, another kernel; and ours again */
    ck_assert_int_eq(make(GOOD "\n", &other, &err), 0);
    ck_assert_str_ne(custom_kernel(c), custom_kernel(other));
    custom_use(NULL);
    ck_assert_int_eq(op_case_parse("matmul:f32:m=5,n=17,k=6", &k, &err), 0);
    ck_assert_int_lt(op_variant_parse(&k, &dev, text, &v, &err), 0);
    custom_free(other);
    custom_free(c);
}
END_TEST

START_TEST(mistakes)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"", ":1: want the first line"},
        {"// flashmem-kernel 2\n", ":1: want the first line"},
        {FIRST, ": the head ends without 'agrees:'"},
        {FIRST "// agrees: matmull\n// args: y\n// global: 1\n", ":2: no operator 'matmull'"},
        {FIRST "// agree: matmul\n", ":2: want agrees, args"},
        {FIRST "// agrees matmul\n", ":2: want '// KEY: VALUE'"},
        {FIRST "// agrees: matmul\n// agrees: add\n", ":3: 'agrees:' a second time"},
        {FIRST "// agrees:\n", ":2: 'agrees:' says nothing"},
        {FIRST "// agrees: relu\n// args: x, y\n// global: rows, cols, 1\n", ":4: 3 values"},
        {FIRST "// agrees: relu\n// args: x,, y\n// global: 1\n", ":3: an empty place"},
        {FIRST "// agrees: relu\n// args: x, y\n// global: rowz\n", ":4: 'rowz': there is no such"},
        {FIRST "// agrees: relu\n// args: x, y, 1 +\n// global: 1\n", ":3: '1 +': something"},
        {FIRST "// agrees: relu\n// args: x, y\n// global: 1\n// tunables: T=0\n",
         ":5: want whole"},
        {FIRST "// agrees: relu\n// args: x, y\n// global: 1\n// tunables: T\n", ":5: want NAME="},
        {FIRST "// agrees: relu\n// args: x, y\n// global: 1\n// tunables: T=1, T=2\n", ":5: two"},
        {FIRST "// agrees: relu\n// args: x, y\n// global: 1\n// tunables: T=1|2|3|4|5|6|7|8|9\n",
         ":5: T has more than 8"},
        {FIRST "// agrees: relu\n// args: x, y\n// global: 1\n// defines: 1=2\n", ":5: want NAME="},
        {FIRST "// agrees: relu\n// args: x, y\n// global: 1\n// dtype: f64\n", ":5: want f32"},
        {FIRST "// agrees: relu\n// args: x, y\n// global: 1\n// path: disk\n", ":5: want image"},
        {FIRST "// agrees: relu\n// args: x, y\n// global: 1\n// uses: gemm.cl\n",
         ":5: want texel"},
        {FIRST "// agrees: relu\n// args: x, y\n// global: 1\n// flops: T\n// tunables: T=1|2\n",
         ":5: 'T': there is no such name"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct custom *c = NULL;
        struct err err;

        ck_assert_msg(make(cases[i].text, &c, &err) == -EINVAL, "accepted: %s", cases[i].text);
        ck_assert_msg(strncmp(err.text, "x/own.cl", 8) == 0 && strstr(err.text, cases[i].want),
                      "%s: %s", cases[i].text, err.text);
    }
}
END_TEST

/* Heads with bytes changed at random: an error or a kernel, nothing else (sanitizers watch). */
START_TEST(noise)
{
    char text[sizeof(GOOD)];

    srand(1);
    for (int i = 0; i < 20000; i++) {
        struct custom *c = NULL;
        struct err err;

        memcpy(text, GOOD, sizeof(text));
        for (int k = rand() % 4; k >= 0; k--)
            text[rand() % (int)(sizeof(text) - 1)] = (char)(1 + rand() % 126);
        if (make(text, &c, &err) == 0)
            custom_free(c);
        else
            ck_assert_int_ne(err.text[0], 0);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("custom");
    TCase *t = tcase_create("custom");

    tcase_add_test(t, expressions);
    tcase_add_test(t, no_expressions);
    tcase_add_test(t, launch);
    tcase_add_test(t, mistakes);
    tcase_add_test(t, noise);
    suite_add_tcase(s, t);
    return suite_run(s);
}
