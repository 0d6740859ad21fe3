/* tests/suite.h - how every suite begins and ends, and a check for its hottest loops. */
#ifndef FLASHMEM_TESTS_SUITE_H
#define FLASHMEM_TESTS_SUITE_H

#include <check.h>
#include <stdlib.h>

/* Before main(): a test has two minutes unless its case is given more. Check's own 4 s are too few on a
 * busy machine with a slow disk, and a test that hangs is found all the same. */
__attribute__((constructor)) static void give_time(void)
{
    setenv("CK_DEFAULT_TIMEOUT", "120", 0);
}

/* For what is asked millions of times: Check writes down every ck_assert() that holds, too, with a
 * system call each. */
#define must(ok, ...)                                                                              \
    do {                                                                                           \
        if (!(ok))                                                                                 \
            ck_abort_msg(__VA_ARGS__);                                                             \
    } while (0)

/* Runs it, says on stdout what failed, frees it: the status to exit with. */
static inline int suite_run(Suite *s)
{
    SRunner *r = srunner_create(s);
    int failed;

    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
