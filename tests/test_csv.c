/* harness/text/csv.c: rows, line numbers, and everything that is refused. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/text/csv.h"
#include "tests/suite.h"

#define N(x) ((int)(sizeof(x) / sizeof((x)[0])))

static char path[64];
static const char *const ab[] = {"a", "b", NULL};
static const char *const c_only[] = {"c", NULL};

static void make_path(void)
{
    int fd;

    strcpy(path, "/tmp/flashmem-csv-XXXXXX");
    fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

static void drop_path(void)
{
    unlink(path);
}

static void write_text(const char *text, size_t n)
{
    FILE *f = fopen(path, "wb");

    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(text, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
}

static int read_text(const char *text, struct csv *csv, struct err *err)
{
    write_text(text, strlen(text));
    return csv_read(path, "thing", 2, ab, c_only, csv, err);
}

START_TEST(rows_and_lines)
{
    struct err err = {0};
    struct csv csv;
    char want[128];

    ck_assert_int_eq(read_text("\xef\xbb\xbf# first\n"         /* 1 */
                               "thing,2,,\n"                   /* 2: padded by a spreadsheet */
                               "\n"                            /* 3 */
                               "b,a,c\r\n"                     /* 4 */
                               "# a comment, with \"a quote\n" /* 5 */
                               "1, 2 ,\"x,\"\"y\"\"\"\n"       /* 6 */
                               "   \n"                         /* 7 */
                               "\"two\n"                       /* 8 */
                               "# no comment\n"                /* 9 */
                               "lines\",3,\" kept \"\n"        /* 10 */
                               ",#4,",                         /* 11, no newline */
                               &csv, &err),
                     0);
    ck_assert_int_eq(csv.version, 2);
    ck_assert_int_eq(csv.n_columns, 3);
    ck_assert_int_eq(csv.n_rows, 3);
    ck_assert_str_eq(csv_get(&csv, 0, "a"), "2");
    ck_assert_str_eq(csv_get(&csv, 0, "b"), "1");
    ck_assert_str_eq(csv_get(&csv, 0, "c"), "x,\"y\"");
    ck_assert_str_eq(csv_get(&csv, 1, "b"), "two\n# no comment\nlines");
    ck_assert_str_eq(csv_get(&csv, 1, "c"), " kept ");
    ck_assert_str_eq(csv_get(&csv, 2, "b"), "");
    ck_assert_str_eq(csv_get(&csv, 2, "a"), "#4");
    ck_assert_str_eq(csv_get(&csv, 2, "absent"), "");
    ck_assert_int_eq(csv.row[0].line, 6);
    ck_assert_int_eq(csv.row[1].line, 8);
    ck_assert_int_eq(csv.row[2].line, 11);
    ck_assert_int_eq(csv_error(&csv, 2, &err, "a: want 1..%d", 9), -EINVAL);
    snprintf(want, sizeof(want), "%s:11: a: want 1..9", path);
    ck_assert_str_eq(err.text, want);
    csv_done(&csv);
    csv_done(&csv);
}
END_TEST

START_TEST(refused)
{
    static const struct {
        const char *text, *want; /* behind the path */
    } cases[] = {
        {"", ":1: empty: want the first row 'thing,2'"},
        {"# only\n", ":1: empty: want the first row 'thing,2'"},
        {"other,1\na,b\n", ":1: want the first row 'thing,2', got 'other,1'"},
        {"a,b\n1,2\n", ":1: want the first row 'thing,2', got 'a,b'"},
        {"thing\n", ":1: want the first row 'thing,2', got 'thing'"},
        {"thing,0\n", ":1: thing version: want 1..2, got '0'"},
        {"thing,x\n", ":1: thing version: want 1..2, got 'x'"},
        {"thing,3\n", ":1: thing version 3 is newer than this program's, 2: use a newer flashmem"},
        {"thing,1,x\n", ":1: want 'thing,2' and no more, got 'x' in field 3"},
        {"thing,1\n", ":1: no row with the names of the columns"},
        {"thing,1\na,c\n", ":2: column 'b' is missing"},
        {"thing,1\na,b,d\n", ":2: unknown column 'd', want: a b c"},
        {"thing,1\na,b,a\n", ":2: column 'a' is there twice"},
        {"thing,1\na,b\n1\n", ":3: want 2 fields, got 1"},
        {"thing,1\na,b\n1,2\n#\n\n1,2,3\n", ":6: want 2 fields, got 3"},
        {"thing,1\na,b\n\"x\ny\",2\n1\n", ":5: want 2 fields, got 1"},
        {"thing,1\na,b\n1,2\n\"3,4\n5,6\n", ":4: a quote opens in this row and never closes"},
        {"thing,1\na,b\n1,2\n3,\"4", ":4: a quote opens in this row and never closes"},
        {"thing,1\na,b\n1,2\rx,y\r", ":3: bare carriage return: end lines with LF or CRLF"},
        {"thing,1\na,b\n1,x\"y\n",
         ":3: a quote inside a field: write the field as \"...\" with \"\" for each quote"},
        {"thing,1\na,b\n1,\"x\"y\n",
         ":3: a quote inside a field: write the field as \"...\" with \"\" for each quote"},
    };

    for (int i = 0; i < N(cases); i++) {
        struct csv csv = {.version = 77};
        struct err err = {0};

        ck_assert_msg(read_text(cases[i].text, &csv, &err) == -EINVAL, "case %d", i);
        ck_assert_int_eq(csv.version, 77);
        ck_assert_int_eq(strncmp(err.text, path, strlen(path)), 0);
        ck_assert_str_eq(err.text + strlen(path), cases[i].want);
    }
}
END_TEST

START_TEST(zero_byte)
{
    struct csv csv;
    struct err err = {0};

    write_text("thing,1\na,b\n1,x\0y\n", 18);
    ck_assert_int_eq(csv_read(path, "thing", 1, ab, NULL, &csv, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, ":3: field 2 has a zero byte"));
}
END_TEST

START_TEST(plain_files)
{
    struct csv csv;
    struct err err = {0};

    write_text("x,y\n1,2\n", 8);
    ck_assert_int_eq(csv_read(path, NULL, 0, NULL, NULL, &csv, &err), 0);
    ck_assert_str_eq(csv_get(&csv, 0, "y"), "2");
    csv_done(&csv);
    ck_assert_int_eq(csv_read(path, NULL, 0, ab, NULL, &csv, &err), -EINVAL);
    ck_assert_int_eq(csv_read("/no/such/file", NULL, 0, ab, NULL, &csv, &err), -ENOENT);
    ck_assert_str_eq(err.text, "cannot read '/no/such/file': No such file or directory");
    ck_assert_int_eq(csv_read("/tmp", NULL, 0, ab, NULL, &csv, &err), -EISDIR);
}
END_TEST

START_TEST(too_large)
{
    struct csv csv;
    struct err err = {0};
    FILE *f;

    ck_assert_int_eq(truncate(path, (64 << 20) + 1), 0);
    ck_assert_int_eq(csv_read(path, NULL, 0, ab, NULL, &csv, &err), -E2BIG);
    ck_assert_int_eq(csv_read("/dev/zero", NULL, 0, ab, NULL, &csv, &err), -E2BIG);
    f = fopen(path, "w");
    fputs("a,b\n", f);
    for (int i = 0; i < 1000000; i++)
        fputs("1,2\n", f);
    fclose(f);
    ck_assert_int_eq(csv_read(path, NULL, 0, ab, NULL, &csv, &err), 0);
    ck_assert_int_eq(csv.n_rows, 1000000);
    csv_done(&csv);
    f = fopen(path, "a");
    fputs("1,2\n", f);
    fclose(f);
    ck_assert_int_eq(csv_read(path, NULL, 0, ab, NULL, &csv, &err), -E2BIG);
    ck_assert_ptr_nonnull(strstr(err.text, ":1000002: more than 1000000 rows"));
}
END_TEST

/* Whatever is written comes back: seeded fields of the characters that matter. */
START_TEST(round_trip)
{
    static const char alphabet[] = "a,\"\n\r# \tz'";
    char field[200][8];
    struct csv csv;
    struct err err = {0};
    FILE *f = fopen(path, "w");

    srand(7);
    fputs("a,b\n", f);
    for (int i = 0; i < 200; i++) {
        int n = rand() % 7;

        for (int k = 0; k < n; k++)
            field[i][k] = alphabet[rand() % (int)(sizeof(alphabet) - 1)];
        field[i][n] = '\0';
        csv_put(f, field[i]);
        fputs(i % 2 ? "\n" : ",", f);
    }
    fclose(f);
    ck_assert_msg(csv_read(path, NULL, 0, ab, NULL, &csv, &err) == 0, "%s", err.text);
    ck_assert_int_eq(csv.n_rows, 100);
    for (int i = 0; i < 200; i++)
        ck_assert_str_eq(csv.row[i / 2].field[i % 2], field[i]);
    csv_done(&csv);
}
END_TEST

/* Any bytes at all: a verdict, never a crash (run under the sanitizers). */
START_TEST(garbage)
{
    char text[400];

    srand(11);
    for (int i = 0; i < 2000; i++) {
        struct csv csv = {0};
        struct err err = {0};
        size_t n = (size_t)(rand() % (int)sizeof(text));

        for (size_t k = 0; k < n; k++)
            text[k] = "a,b\n\r\"#1 \0\xff"[rand() % 11];
        write_text(text, n);
        if (csv_read(path, NULL, 0, NULL, NULL, &csv, &err) == 0)
            csv_done(&csv);
        else
            ck_assert_int_gt((int)strlen(err.text), 0);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("csv");
    TCase *t = tcase_create("csv");

    tcase_add_checked_fixture(t, make_path, drop_path);
    tcase_add_test(t, rows_and_lines);
    tcase_add_test(t, refused);
    tcase_add_test(t, zero_byte);
    tcase_add_test(t, plain_files);
    tcase_add_test(t, too_large);
    tcase_add_test(t, round_trip);
    tcase_add_test(t, garbage);
    suite_add_tcase(s, t);
    return suite_run(s);
}
