/* Command lines into structs, and what was changed back into words. */
#include <check.h>
#include <stdlib.h>

#include "harness/cli/opt.h"
#include "tests/suite.h"

struct values {
    const char *text;
    bool flag;
    int64_t whole;
    double real;
    uint64_t bytes, time;
    int choice;
    struct opt_list list;
};

static const char *const colours[] = {"red", "green", NULL};
#define FIELD(f) offsetof(struct values, f)
static const struct opt opts[] = {
    {.name = "--text", .type = OPT_TEXT, .offset = FIELD(text)},
    {.name = "--flag", .type = OPT_FLAG, .offset = FIELD(flag)},
    {.name = "--whole", .type = OPT_INT, .offset = FIELD(whole), .def = "40", .max = 100},
    {.name = "--real", .type = OPT_REAL, .offset = FIELD(real), .def = "0.9", .max = 1},
    {.name = "--bytes", .type = OPT_BYTES, .offset = FIELD(bytes), .def = "16MiB"},
    {.name = "--time", .type = OPT_TIME, .offset = FIELD(time)},
    {.name = "--choice", .type = OPT_CHOICE, .offset = FIELD(choice), .def = "green",
     .choices = colours},
    {.name = "--list", .type = OPT_LIST, .offset = FIELD(list)},
    {0},
};
static const struct command paint = {
    .name = "paint", .opts = opts, .opts_size = sizeof(struct values)};
static const struct command *const table[] = {&paint, NULL};

/* What remains of a command line, and the same once more: it is a command line again. */
static void remains(char **argv, const char *const *but, const char *want)
{
    struct invocation inv;
    struct err err = {0};
    int argc = 0;
    char *text;

    while (argv[argc])
        argc++;
    ck_assert_msg(opt_parse(table, argc, argv, &inv, &err) == 0, "%s", err.text);
    text = opt_changed(opts, inv.opts, but);
    ck_assert_str_eq(text, want);
    free(text);
    opt_done(&inv);
}

static const char *const none[] = {NULL};

START_TEST(defaults_are_silent)
{
    remains((char *[]){"flashmem", "paint", NULL}, none, "");
    remains((char *[]){"flashmem", "paint", "--real", "0.9", "--bytes", "16777216", "--choice",
                       "green", "--whole=40", NULL},
            none, "");
}
END_TEST

START_TEST(in_the_order_of_the_table)
{
    remains((char *[]){"flashmem", "paint", "--list", "x=1", "--choice", "red", "--time", "2ms",
                       "--bytes", "1KB", "--real", "0.5", "--whole", "0", "--flag", "--text", "a",
                       "--list", "y", NULL},
            none,
            "--text a --flag --whole 0 --real 0.5 --bytes 1000 --time 2000000ns --choice red "
            "--list x=1 --list y");
    remains((char *[]){"flashmem", "paint", "--text", "a", "--flag", "--whole", "0", "--real",
                       "0.5", "--bytes", "1000", "--time", "2000000ns", "--choice", "red", "--list", "x=1",
                       "--list", "y", NULL},
            (const char *const[]){"--text", "--bytes", "--list", NULL},
            "--flag --whole 0 --real 0.5 --time 2000000ns --choice red");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("opt");
    TCase *t = tcase_create("changed");

    tcase_add_test(t, defaults_are_silent);
    tcase_add_test(t, in_the_order_of_the_table);
    suite_add_tcase(s, t);
    return suite_run(s);
}
