/* Build logs in terms of our files, without a device. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/program_log.h"
#include "tests/suite.h"

#define SOURCE(name, text) {(name), (text), sizeof(text) - 1}

/* The whole text, as program.c puts it together:
 *   1 #line   2-5 first.cl   6 #line   7-10 second.cl, and the empty line behind its last
 *   12 #line  13 third.cl */
static const struct program_source sources[] = {
    SOURCE("first.cl", "float one(void)\n{\n    return 1;\n}"), /* no line's end behind it */
    SOURCE("second.cl", "__kernel void k(__global float *y)\n{\n    y[0] = one() + oops;\n}\n"),
    SOURCE("third.cl", "float f"),
};
static const struct {
    const char *log, *want;
} logs[] = {
    {"<kernel>:9:20: error: oops\n    y[0] = oops;\n",
     "second.cl:3:20: error: oops\n    y[0] = oops;\n"},
    {"<kernel>:2:1: a\n<kernel>:5:1: b", "first.cl:1:1: a\nfirst.cl:4:1: b"},
    {"<kernel>:7:1: a\n<kernel>:11:1: b\n<kernel>:13:8: c\n",
     "second.cl:1:1: a\nsecond.cl:5:1: b\nthird.cl:1:8: c\n"},
    {"<program source>:8: error", "second.cl:2: error"},
    /* lines of no source, of files, and what only looks like one */
    {"<kernel>:1:1: a\n<kernel>:6:1: b\n<kernel>:14:1: c\n<kernel>:0: d",
     "<kernel>:1:1: a\n<kernel>:6:1: b\n<kernel>:14:1: c\n<kernel>:0: d"},
    {"second.cl:3:20: error\ncl_kernel.h:9:2: note\n",
     "second.cl:3:20: error\ncl_kernel.h:9:2: note\n"},
    {"in <kernel>:9:1: a\n<kernel\n>:9:\n<a>:b\n<a>::\n<a>:9\n<",
     "in <kernel>:9:1: a\n<kernel\n>:9:\n<a>:b\n<a>::\n<a>:9\n<"},
    {"", ""},
};

START_TEST(lines_of_the_whole_text)
{
    char *text = program_log_located(logs[_i].log, sources, 3);

    ck_assert_str_eq(text, logs[_i].want);
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("program_log");
    TCase *t = tcase_create("program_log");

    tcase_add_loop_test(t, lines_of_the_whole_text, 0, (int)(sizeof logs / sizeof *logs));
    suite_add_tcase(suite, t);
    return suite_run(suite);
}
