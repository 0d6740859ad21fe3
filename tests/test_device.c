/* Device discovery, selection, queues, and the names of OpenCL's codes. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/device.h"
#include "tests/need_device.h"
#include "tests/suite.h"

START_TEST(codes_have_names_and_errnos)
{
    /* Values of CL/cl.h, errnos of device.h. */
    static const struct {
        cl_int code;
        int rc;
        const char *text;
    } cases[] = {
        {CL_OUT_OF_RESOURCES, -ENOMEM, "at 7: CL_OUT_OF_RESOURCES (-5)"},
        {CL_MEM_OBJECT_ALLOCATION_FAILURE, -ENOMEM, "at 7: CL_MEM_OBJECT_ALLOCATION_FAILURE (-4)"},
        {CL_OUT_OF_HOST_MEMORY, -ENOMEM, "at 7: CL_OUT_OF_HOST_MEMORY (-6)"},
        {CL_BUILD_PROGRAM_FAILURE, -ENOEXEC, "at 7: CL_BUILD_PROGRAM_FAILURE (-11)"},
        {CL_INVALID_VALUE, -EINVAL, "at 7: CL_INVALID_VALUE (-30)"},
        {CL_INVALID_WORK_GROUP_SIZE, -EINVAL, "at 7: CL_INVALID_WORK_GROUP_SIZE (-54)"},
        {CL_INVALID_IMAGE_SIZE, -EINVAL, "at 7: CL_INVALID_IMAGE_SIZE (-40)"},
        {CL_INVALID_KERNEL_ARGS, -EINVAL, "at 7: CL_INVALID_KERNEL_ARGS (-52)"},
        {CL_INVALID_GLOBAL_WORK_SIZE, -EINVAL, "at 7: CL_INVALID_GLOBAL_WORK_SIZE (-63)"},
        {CL_DEVICE_NOT_AVAILABLE, -ENODEV, "at 7: CL_DEVICE_NOT_AVAILABLE (-2)"},
        {CL_PROFILING_INFO_NOT_AVAILABLE, -EIO, "at 7: CL_PROFILING_INFO_NOT_AVAILABLE (-7)"},
        {-9999, -EIO, "at 7: unknown OpenCL error (-9999)"},
    };
    struct err err = {0};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_int_eq(cl_err(&err, cases[i].code, "at %d", 7), cases[i].rc);
        ck_assert_int_eq(err.code, cases[i].rc);
        ck_assert_str_eq(err.text, cases[i].text);
    }
    ck_assert_int_eq(cl_err(NULL, CL_INVALID_VALUE, "x"), -EINVAL);
}
END_TEST

START_TEST(list_is_sane)
{
    struct device_info *list = NULL;
    struct err err = {0};
    int n = -1;

    ck_assert_msg(device_list(&list, &n, &err) == 0, "%s", err.text);
    ck_assert_int_ge(n, 1);
    for (int i = 0; i < n; i++) {
        const struct device_info *d = &list[i];

        ck_assert_int_eq(d->index, i);
        ck_assert_uint_gt(strlen(d->platform), 0);
        ck_assert_uint_gt(strlen(d->name), 0);
        ck_assert_uint_gt(strlen(d->driver), 0);
        ck_assert_ptr_eq(strstr(d->version, "OpenCL "), d->version); /* spec: its prefix */
        ck_assert_uint_gt(d->compute_units, 0);
        ck_assert_uint_ge(d->max_group, 1);
        ck_assert_uint_ge(d->local_bytes, 1 << 10);
        ck_assert_uint_ge(d->global_bytes, d->local_bytes);
        /* The least that the specification allows where images are supported. */
        ck_assert(!d->images || (d->image_width >= 2048 && d->image_height >= 2048));
        ck_assert(d->images || !d->half_images);
    }
    free(list);
}
END_TEST

/* RGBA CL_HALF_FLOAT is in the minimum list of the full profile (OpenCL 1.2, table 5.8). */
START_TEST(half_images_where_full_profile)
{
    struct device *dev = NULL;
    char profile[64] = "";

    ck_assert_int_eq(device_open(NULL, &dev, NULL), 0);
    clGetDeviceInfo(dev->id, CL_DEVICE_PROFILE, sizeof(profile), profile, NULL);
    if (dev->info.images && strcmp(profile, "FULL_PROFILE") == 0)
        ck_assert(dev->info.half_images);
    device_close(dev);
}
END_TEST

static void opens_as(const char *selector, int index)
{
    struct device *dev = NULL;
    struct err err = {0};

    ck_assert_msg(device_open(selector, &dev, &err) == 0, "'%s': %s", selector, err.text);
    ck_assert_int_eq(dev->info.index, index);
    device_close(dev);
}

START_TEST(selectors)
{
    struct device_info *list = NULL;
    char text[128];
    int n = 0;

    ck_assert_int_eq(device_list(&list, &n, NULL), 0);
    opens_as("0", 0);
    snprintf(text, sizeof(text), "%d", n - 1);
    opens_as(text, n - 1);
    opens_as(list[0].name, 0);
    opens_as(list[0].platform, 0);
    /* Part of a name, in the other case. */
    snprintf(text, sizeof(text), "%s", list[0].name + 1);
    for (char *p = text; *p; p++)
        if (*p >= 'a' && *p <= 'z')
            *p = (char)(*p - 'a' + 'A');
    opens_as(text, 0);
    free(list);
}
END_TEST

START_TEST(default_prefers_a_gpu)
{
    struct device_info *list = NULL;
    int n = 0, want = 0;

    ck_assert_int_eq(device_list(&list, &n, NULL), 0);
    for (int i = n - 1; i >= 0; i--)
        if (list[i].type == DEVICE_GPU)
            want = i;
    opens_as(NULL, want);
    opens_as("", want);
    free(list);
}
END_TEST

START_TEST(no_match_lists_what_exists)
{
    static const char *const bad[] = {"99", "-1", "no such thing", "0x0", " 0"};
    struct device *dev = (struct device *)&dev;
    struct device_info *list = NULL;
    struct err err = {0};
    int n = 0;

    ck_assert_int_eq(device_list(&list, &n, NULL), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_int_eq(device_open(bad[i], &dev, &err), -ENODEV);
        ck_assert_ptr_eq(dev, (struct device *)&dev);
        ck_assert_ptr_nonnull(strstr(err.text, bad[i]));
        ck_assert_ptr_nonnull(strstr(err.text, list[0].name));
    }
    free(list);
}
END_TEST

START_TEST(queue_profiles_when_asked)
{
    for (int profiling = 0; profiling < 2; profiling++) {
        cl_command_queue_properties props = 0;
        cl_command_queue queue = NULL;
        struct device *dev = NULL;

        ck_assert_int_eq(device_open(NULL, &dev, NULL), 0);
        ck_assert_int_eq(device_queue(dev, profiling, &queue, NULL), 0);
        clGetCommandQueueInfo(queue, CL_QUEUE_PROPERTIES, sizeof(props), &props, NULL);
        ck_assert_int_eq(!!(props & CL_QUEUE_PROFILING_ENABLE), profiling);
        ck_assert(!(props & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE));
        clReleaseCommandQueue(queue);
        device_close(dev);
    }
    device_close(NULL);
}
END_TEST

/* Forked by Check, so the loader has not read its folder yet. */
START_TEST(no_platform_names_the_package)
{
    struct device_info *list = NULL;
    struct device *dev = NULL;
    struct err err = {0};
    int n = -1;

    setenv("OCL_ICD_VENDORS", "/nonexistent", 1);
    setenv("OCL_ICD_FILENAMES", "", 1);
    ck_assert_int_eq(device_list(&list, &n, &err), 0);
    if (n == 0) { /* another loader than ocl-icd may not know the variable */
        ck_assert_int_eq(device_open(NULL, &dev, &err), -ENODEV);
        ck_assert_ptr_nonnull(strstr(err.text, "pocl-opencl-icd"));
    }
    free(list);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("device");
    TCase *tc = tcase_create("device");

    need_device();
    tcase_add_test(tc, codes_have_names_and_errnos);
    tcase_add_test(tc, list_is_sane);
    tcase_add_test(tc, half_images_where_full_profile);
    tcase_add_test(tc, selectors);
    tcase_add_test(tc, default_prefers_a_gpu);
    tcase_add_test(tc, no_match_lists_what_exists);
    tcase_add_test(tc, queue_profiles_when_asked);
    tcase_add_test(tc, no_platform_names_the_package);
    suite_add_tcase(s, tc);
    return suite_run(s);
}
