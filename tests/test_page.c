/* The page and the pictures of harness/report: which files there are, what they may hold, and what
 * happens without gnuplot or without anything measured. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/store/filter.h"
#include "tests/report_rows.h"
#include "tests/suite.h"

#define N(x) ((int)(sizeof(x) / sizeof((x)[0])))

START_TEST(every_file)
{
    static const char *const kinds[] = {"gp", "svg", "png", "pdf"};
    char name[64];

    rows_report_ok();
    for (const struct report_item *i = report_items; i->name; i++) {
        snprintf(name, sizeof(name), "%s.csv", i->name);
        ck_assert_msg(there(name), "no %s", name);
        for (int k = 0; i->gnuplot && k < N(kinds); k++) {
            snprintf(name, sizeof(name), "%s.%s", i->name, kinds[k]);
            ck_assert_msg(there(name), "no %s", name);
        }
    }
    has_not("index.html", "Nothing was measured");
    has_not("index.html", "Not drawn");
}
END_TEST

START_TEST(page_escapes_and_stands_alone)
{
    char *text, *at;

    rows_report_ok();
    has("index.html", "A&lt;B&amp;C");
    has_not("index.html", "A<B");
    has("index.html", "are of <b>Fixture (cpu)</b>;");
    has("index.html", "<a href=\"#table7\">table7</a>");
    has("index.html", ">paper: energy (J)</th>");
    has_not("index.html", ">energy of a run (J)</th>"); /* nothing told it: a column of the CSV alone */
    has_not("index.html", "src=");
    has_not("index.html", "<link");
    has_not("index.html", "@import");
    text = slurp("index.html");
    for (at = text; (at = strstr(at, " href=\"")) != NULL;) {
        char target[256];

        ck_assert_int_eq(sscanf(at, " href=\"%255[^\"]", target), 1);
        at += 7;
        if (target[0] == '#') {
            char id[300];

            snprintf(id, sizeof(id), "id=\"%s\"", target + 1);
            ck_assert_msg(strstr(text, id) != NULL, "no %s", id);
        } else if (strncmp(target, "https://arxiv.org/", 18) != 0) {
            ck_assert_msg(there(target), "a link to '%s', which is not there", target);
        }
    }
    free(text);
}
END_TEST

/* A name reaches gnuplot's script as text alone: a backtick there would run a command. */
START_TEST(names_are_not_code)
{
    exec("UPDATE run SET model = 'it''s `touch ' || char(34) || '$(x),_y`' WHERE model = 'Alone'");
    rows_report_ok();
    has("memory.gp", "'it''s `touch  $(x) _y` (f32 image)'");
    ck_assert(there("memory.svg"));
}
END_TEST

START_TEST(nothing_measured)
{
    rows_report_ok();
    has("index.html", "Nothing was measured");
    has("table7.csv", "model,policy,setting,runs,");
    ck_assert(!there("figure2.svg"));
    has_not("index.html", "table7.csv");
}
END_TEST

START_TEST(no_session)
{
    struct report *r = NULL;
    struct err err = {0};

    ck_assert_int_eq(report_open(rows_st, 0, &r, &err), -ENODATA);
    ck_assert_ptr_null(r);
}
END_TEST

START_TEST(without_gnuplot)
{
    struct err err = {0};

    rows_report_ok();
    store_close(rows_st);
    ck_assert_int_eq(store_open(rows_db, STORE_READ, &rows_st, &err), 0);
    setenv("PATH", rows_out, 1);
    ck_assert_int_eq(rows_report(&err), -ENOENT);
    ck_assert_msg(strstr(err.text, "install the package gnuplot") != NULL, "%s", err.text);
    for (const struct report_item *i = report_items; i->name; i++) {
        char name[64];

        snprintf(name, sizeof(name), "%s.csv", i->name);
        ck_assert_msg(there(name), "no %s", name);
    }
    ck_assert_msg(!there("figure2.svg"), "an older picture stayed");
    has("index.html", "Not drawn");
    has_not("index.html", ".pdf\"");
}
END_TEST

START_TEST(one_figure_without_gnuplot)
{
    struct report *r = NULL;
    struct err err = {0};
    int rows = -1;

    ck_assert_int_eq(report_open(rows_st, 0, &r, &err), 0);
    setenv("PATH", rows_out, 1);
    ck_assert_int_eq(report_write(r, report_find("figure2"), rows_out, &rows, &err), -ENOENT);
    ck_assert_int_eq(rows, -1);
    ck_assert(there("figure2.csv") && there("figure2.gp"));
    report_close(r);
}
END_TEST

/* A figure of a researcher's own: what passes, in the size asked for, and both files run alone. */
START_TEST(narrowed)
{
    struct report *r = NULL;
    struct filter where;
    struct err err = {0};
    char command[600];
    int rows;

    ck_assert_int_eq(report_open(rows_st, 1, &r, &err), 0);
    ck_assert_int_eq(filter_parse("form ~ [bc]* AND slowdown != 1.05", &where, &err), 0);
    ck_assert_int_eq(report_narrow(r, report_find("summary"), &where, &err), -EINVAL);
    ck_assert_msg(report_narrow(r, report_find("figure5"), &where, &err) == 0, "%s", err.text);
    report_size(r, 7, 2.5);
    ck_assert_msg(report_write(r, report_find("figure5"), rows_out, &rows, &err) == 0, "%s", err.text);
    has("figure5.csv", "branching");
    has("figure5.csv", ",1.25,");
    has_not("figure5.csv", ",1.05,");
    has("figure5.gp", "size 7in,2.50in");
    has("figure5.gp", "size 2240,800");
    report_close(r);
    snprintf(command, sizeof(command), "cd '%s' && rm *.svg *.pdf *.png && gnuplot figure5.gp", rows_out);
    ck_assert_int_eq(system(command), 0);
    ck_assert(there("figure5.svg") && there("figure5.pdf") && there("figure5.png"));
}
END_TEST

/* Other views are made of the one that is narrowed. */
START_TEST(narrowed_runs)
{
    struct report *r = NULL;
    struct filter where;
    struct err err = {0};
    int rows;

    ck_assert_int_eq(report_open(rows_st, 1, &r, &err), 0);
    ck_assert_int_eq(filter_parse("model = Alone", &where, &err), 0);
    ck_assert_msg(report_narrow(r, report_find("table7"), &where, &err) == 0, "%s", err.text);
    ck_assert_msg(report_write(r, report_find("table7"), rows_out, &rows, &err) == 0, "%s", err.text);
    ck_assert_int_eq(rows, 1);
    has("table7.csv", "\nAlone,greedy,");
    report_close(r);
}
END_TEST

static void session_alone(void)
{
    rows_open_empty();
    rows_session();
}

int main(void)
{
    Suite *s = suite_create("page");
    TCase *filled = rows_case(s, "filled", rows_open);
    TCase *empty = rows_case(s, "empty", session_alone);
    TCase *none = rows_case(s, "none", rows_open_empty);

    tcase_add_test(filled, every_file);
    tcase_add_test(filled, page_escapes_and_stands_alone);
    tcase_add_test(filled, names_are_not_code);
    tcase_add_test(filled, without_gnuplot);
    tcase_add_test(filled, one_figure_without_gnuplot);
    tcase_add_test(filled, narrowed);
    tcase_add_test(filled, narrowed_runs);
    tcase_add_test(empty, nothing_measured);
    tcase_add_test(none, no_session);
    return suite_run(s);
}
