/* tests/with_device.h - a device and a queue of it for each test, as a checked fixture. */
#ifndef FLASHMEM_TESTS_WITH_DEVICE_H
#define FLASHMEM_TESTS_WITH_DEVICE_H

#include <check.h>

#include "tests/need_device.h"

static struct device *dev;
static cl_command_queue queue;

static void setup(void)
{
    struct err err = {0};

    ck_assert_msg(device_open(NULL, &dev, &err) == 0, "%s", err.text);
    ck_assert_msg(device_queue(dev, false, &queue, &err) == 0, "%s", err.text);
}

static void teardown(void)
{
    clReleaseCommandQueue(queue);
    device_close(dev);
}

#endif
