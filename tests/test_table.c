/* harness/text/table.c: four formats of one table; JSON is read back with jansson. */
#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/text/table.h"
#include "tests/suite.h"

static char *print(const struct table *t, enum format format)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);

    ck_assert_int_eq(table_print(t, format, f), 0);
    fclose(f);
    return text;
}

static void check_print(const struct table *t, enum format format, const char *want)
{
    char *text = print(t, format);

    ck_assert_str_eq(text, want);
    free(text);
}

static struct table *sample(void)
{
    struct table *t = table_new("name,count,time");

    ck_assert_ptr_nonnull(t);
    table_text(t, "a \"b\", c|d");
    table_int(t, INT64_MIN);
    table_real(t, 0.1 + 0.2, 3);
    table_text(t, NULL);
    table_int(t, 7);
    table_real(t, NAN, 3);
    table_text(t, "caf\xc3\xa9\nx");
    table_empty(t);
    table_real(t, 123456.0, 3);
    ck_assert_int_eq(table_rows(t), 3);
    return t;
}

START_TEST(formats)
{
    struct table *t = sample();

    check_print(t, FORMAT_TABLE,
                "name                       count    time\n"
                "a \"b\", c|d  -9223372036854775808   0.300\n"
                "                               7        \n"
                "caf\xc3\xa9 x                            123456\n");
    check_print(t, FORMAT_CSV,
                "name,count,time\n"
                "\"a \"\"b\"\", c|d\",-9223372036854775808,0.30000000000000004\n"
                ",7,\n"
                "\"caf\xc3\xa9\nx\",,123456\n");
    check_print(t, FORMAT_MARKDOWN,
                "| name | count | time |\n"
                "|---|---:|---:|\n"
                "| a \"b\", c\\|d | -9223372036854775808 | 0.300 |\n"
                "|  | 7 |  |\n"
                "| caf\xc3\xa9 x |  | 123456 |\n");
    table_free(t);
}
END_TEST

/* Too wide for a screen: a line for each column. */
START_TEST(upright)
{
    char wide[201];
    char want[700];
    struct table *t = table_new("a,name");

    memset(wide, 'x', 200);
    wide[200] = '\0';
    table_int(t, 1);
    table_text(t, wide);
    table_int(t, 22);
    table_text(t, "yy");
    snprintf(want, sizeof(want), "a     %199s1  22\nname  %s  yy\n", "", wide);
    check_print(t, FORMAT_TABLE, want);
    table_free(t);
}
END_TEST

START_TEST(json)
{
    struct table *t = sample();
    char *text = print(t, FORMAT_JSON);
    json_error_t e;
    json_t *a = json_loads(text, 0, &e);

    ck_assert_msg(a != NULL, "%s in %s", e.text, text);
    ck_assert_uint_eq(json_array_size(a), 3);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(a, 0), "name")),
                     "a \"b\", c|d");
    ck_assert(json_integer_value(json_object_get(json_array_get(a, 0), "count")) == INT64_MIN);
    ck_assert(json_real_value(json_object_get(json_array_get(a, 0), "time")) == 0.1 + 0.2);
    ck_assert(json_is_null(json_object_get(json_array_get(a, 1), "name")));
    ck_assert(json_is_null(json_object_get(json_array_get(a, 1), "time")));
    ck_assert(json_is_null(json_object_get(json_array_get(a, 2), "count")));
    json_decref(a);
    free(text);
    table_free(t);
}
END_TEST

/* Not UTF-8, not finite, control characters, no rows. */
START_TEST(hard_cells)
{
    struct table *t = table_new("x");
    json_t *a;
    char *text;

    check_print(t, FORMAT_TABLE, "x\n");
    check_print(t, FORMAT_CSV, "x\n");
    check_print(t, FORMAT_JSON, "[]\n");
    table_text(t, "a\xff\xe2\x82z\xe2\x82\xac");
    table_real(t, INFINITY, 3);
    table_text(t, "\x1b[31m");
    table_empty(t);
    table_real(t, 1e-7, 3);
    table_real(t, 9.996, 3);
    table_real(t, 0, 3);
    text = print(t, FORMAT_JSON);
    a = json_loads(text, 0, NULL);
    ck_assert_ptr_nonnull(a);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(a, 0), "x")),
                     "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\xe2\x82\xac");
    ck_assert(json_is_null(json_object_get(json_array_get(a, 1), "x")));
    json_decref(a);
    free(text);
    text = print(t, FORMAT_TABLE);
    ck_assert_ptr_null(strchr(text, 0x1b));
    ck_assert_ptr_nonnull(strstr(text, "\n1.00e-07\n10.0\n0.00\n"));
    free(text);
    text = print(t, FORMAT_CSV);
    ck_assert_ptr_nonnull(strstr(text, "\n\"\"\n1e-07\n9.996\n0\n"));
    free(text);
    table_free(t);
    table_free(NULL);
}
END_TEST

START_TEST(full_disk)
{
    struct table *t = sample();
    FILE *f = fopen("/dev/full", "w");

    if (f) {
        for (int i = 0; i < 4; i++)
            ck_assert_int_eq(table_print(t, (enum format)i, f), -EIO);
        fclose(f);
    }
    table_free(t);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("table");
    TCase *t = tcase_create("table");

    tcase_add_test(t, formats);
    tcase_add_test(t, upright);
    tcase_add_test(t, json);
    tcase_add_test(t, hard_cells);
    tcase_add_test(t, full_disk);
    suite_add_tcase(s, t);
    return suite_run(s);
}
