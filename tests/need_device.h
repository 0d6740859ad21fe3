/* tests/need_device.h - for suites that need an OpenCL device: exit 77, a skip, when there is none.
 * It asks in a child: drivers do not survive fork(), and Check forks for each test. */
#ifndef FLASHMEM_TESTS_NEED_DEVICE_H
#define FLASHMEM_TESTS_NEED_DEVICE_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/device.h"

static inline void need_device(void)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        struct device *dev = NULL;
        struct err err = {0};

        if (device_open(NULL, &dev, &err) < 0)
            fprintf(stderr, "skipped: %s\n", err.text);
        _exit(dev ? 0 : 77);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        exit(1);
    if (WEXITSTATUS(status) != 0)
        exit(WEXITSTATUS(status));
}

/* May a test of the direct form go on? Not where host and device have memories of their own. */
static inline bool form_runs_here(bool direct)
{
    struct device *dev = NULL;
    struct err err = {0};
    bool yes = !direct;

    if (direct && device_open(NULL, &dev, &err) == 0) {
        yes = dev->info.unified;
        device_close(dev);
    }
    return yes;
}

#endif
