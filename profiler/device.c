#include "profiler/device.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/program.h"

/* cl_khr_icd; CL/cl_ext.h has it, but not in every version. */
#define PLATFORM_NOT_FOUND (-1001)

#define LISTED_MAX 640 /* bytes of "what exists" in a message */

struct found {
    cl_platform_id platform;
    cl_device_id id;
    struct device_info info;
};

static const struct {
    cl_int code;
    const char *name;
} cl_names[] = {
    {0, "CL_SUCCESS"},
    {-1, "CL_DEVICE_NOT_FOUND"},
    {-2, "CL_DEVICE_NOT_AVAILABLE"},
    {-3, "CL_COMPILER_NOT_AVAILABLE"},
    {-4, "CL_MEM_OBJECT_ALLOCATION_FAILURE"},
    {-5, "CL_OUT_OF_RESOURCES"},
    {-6, "CL_OUT_OF_HOST_MEMORY"},
    {-7, "CL_PROFILING_INFO_NOT_AVAILABLE"},
    {-8, "CL_MEM_COPY_OVERLAP"},
    {-9, "CL_IMAGE_FORMAT_MISMATCH"},
    {-10, "CL_IMAGE_FORMAT_NOT_SUPPORTED"},
    {-11, "CL_BUILD_PROGRAM_FAILURE"},
    {-12, "CL_MAP_FAILURE"},
    {-13, "CL_MISALIGNED_SUB_BUFFER_OFFSET"},
    {-14, "CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST"},
    {-15, "CL_COMPILE_PROGRAM_FAILURE"},
    {-16, "CL_LINKER_NOT_AVAILABLE"},
    {-17, "CL_LINK_PROGRAM_FAILURE"},
    {-18, "CL_DEVICE_PARTITION_FAILED"},
    {-19, "CL_KERNEL_ARG_INFO_NOT_AVAILABLE"},
    {-30, "CL_INVALID_VALUE"},
    {-31, "CL_INVALID_DEVICE_TYPE"},
    {-32, "CL_INVALID_PLATFORM"},
    {-33, "CL_INVALID_DEVICE"},
    {-34, "CL_INVALID_CONTEXT"},
    {-35, "CL_INVALID_QUEUE_PROPERTIES"},
    {-36, "CL_INVALID_COMMAND_QUEUE"},
    {-37, "CL_INVALID_HOST_PTR"},
    {-38, "CL_INVALID_MEM_OBJECT"},
    {-39, "CL_INVALID_IMAGE_FORMAT_DESCRIPTOR"},
    {-40, "CL_INVALID_IMAGE_SIZE"},
    {-41, "CL_INVALID_SAMPLER"},
    {-42, "CL_INVALID_BINARY"},
    {-43, "CL_INVALID_BUILD_OPTIONS"},
    {-44, "CL_INVALID_PROGRAM"},
    {-45, "CL_INVALID_PROGRAM_EXECUTABLE"},
    {-46, "CL_INVALID_KERNEL_NAME"},
    {-47, "CL_INVALID_KERNEL_DEFINITION"},
    {-48, "CL_INVALID_KERNEL"},
    {-49, "CL_INVALID_ARG_INDEX"},
    {-50, "CL_INVALID_ARG_VALUE"},
    {-51, "CL_INVALID_ARG_SIZE"},
    {-52, "CL_INVALID_KERNEL_ARGS"},
    {-53, "CL_INVALID_WORK_DIMENSION"},
    {-54, "CL_INVALID_WORK_GROUP_SIZE"},
    {-55, "CL_INVALID_WORK_ITEM_SIZE"},
    {-56, "CL_INVALID_GLOBAL_OFFSET"},
    {-57, "CL_INVALID_EVENT_WAIT_LIST"},
    {-58, "CL_INVALID_EVENT"},
    {-59, "CL_INVALID_OPERATION"},
    {-60, "CL_INVALID_GL_OBJECT"},
    {-61, "CL_INVALID_BUFFER_SIZE"},
    {-62, "CL_INVALID_MIP_LEVEL"},
    {-63, "CL_INVALID_GLOBAL_WORK_SIZE"},
    {-64, "CL_INVALID_PROPERTY"},
    {-65, "CL_INVALID_IMAGE_DESCRIPTOR"},
    {-66, "CL_INVALID_COMPILER_OPTIONS"},
    {-67, "CL_INVALID_LINKER_OPTIONS"},
    {-68, "CL_INVALID_DEVICE_PARTITION_COUNT"},
    {-69, "CL_INVALID_PIPE_SIZE"},
    {-70, "CL_INVALID_DEVICE_QUEUE"},
    {-71, "CL_INVALID_SPEC_ID"},
    {-72, "CL_MAX_SIZE_RESTRICTION_EXCEEDED"},
    {PLATFORM_NOT_FOUND, "CL_PLATFORM_NOT_FOUND_KHR"},
};

static const char *cl_name(cl_int code)
{
    for (size_t i = 0; i < sizeof(cl_names) / sizeof(cl_names[0]); i++)
        if (cl_names[i].code == code)
            return cl_names[i].name;
    return "unknown OpenCL error"; /* vendors have their own, e.g. NVIDIA's -9999 */
}

static int cl_errno(cl_int code)
{
    switch (code) {
    case CL_MEM_OBJECT_ALLOCATION_FAILURE:
    case CL_OUT_OF_RESOURCES:
    case CL_OUT_OF_HOST_MEMORY:
        return -ENOMEM;
    case CL_COMPILER_NOT_AVAILABLE:
    case CL_BUILD_PROGRAM_FAILURE:
    case CL_COMPILE_PROGRAM_FAILURE:
    case CL_LINKER_NOT_AVAILABLE:
    case CL_LINK_PROGRAM_FAILURE:
        return -ENOEXEC;
    case CL_DEVICE_NOT_FOUND:
    case CL_DEVICE_NOT_AVAILABLE:
    case PLATFORM_NOT_FOUND:
        return -ENODEV;
    case CL_MEM_COPY_OVERLAP:
    case CL_IMAGE_FORMAT_MISMATCH:
    case CL_IMAGE_FORMAT_NOT_SUPPORTED:
    case CL_MISALIGNED_SUB_BUFFER_OFFSET:
        return -EINVAL;
    default: /* -30 to -72: CL_INVALID_... */
        return code <= -30 && code >= -72 ? -EINVAL : -EIO;
    }
}

int cl_err(struct err *err, cl_int code, const char *fmt, ...)
{
    char what[ERR_TEXT_MAX / 2];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    return err_set(err, cl_errno(code), "%s: %s (%d)", what, cl_name(code), (int)code);
}

const char *device_type_name(enum device_type type)
{
    switch (type) {
    case DEVICE_CPU:
        return "cpu";
    case DEVICE_GPU:
        return "gpu";
    case DEVICE_OTHER:
        break;
    }
    return "other";
}

/* Cut to `max` bytes, blanks at both ends removed: some drivers pad their names. */
static void set_text(char *dst, size_t max, char *text)
{
    size_t n;

    while (isspace((unsigned char)*text))
        text++;
    n = strlen(text);
    while (n > 0 && isspace((unsigned char)text[n - 1]))
        n--;
    snprintf(dst, max, "%.*s", (int)n, text);
}

static void platform_text(cl_platform_id p, cl_platform_info what, char *dst, size_t max)
{
    char *text = NULL;
    size_t n = 0;

    if (clGetPlatformInfo(p, what, 0, NULL, &n) == CL_SUCCESS && (text = calloc(1, n + 1)) &&
        clGetPlatformInfo(p, what, n, text, NULL) == CL_SUCCESS)
        set_text(dst, max, text);
    free(text);
}

static void device_text(cl_device_id id, cl_device_info what, char *dst, size_t max)
{
    char *text = NULL;
    size_t n = 0;

    if (clGetDeviceInfo(id, what, 0, NULL, &n) == CL_SUCCESS && (text = calloc(1, n + 1)) &&
        clGetDeviceInfo(id, what, n, text, NULL) == CL_SUCCESS)
        set_text(dst, max, text);
    free(text);
}

/* Any unsigned scalar of at most 8 bytes: cl_uint, cl_ulong, size_t, cl_bool, bit fields. */
static uint64_t device_number(cl_device_id id, cl_device_info what)
{
    union {
        uint32_t u32;
        uint64_t u64;
    } v = {.u64 = 0};
    size_t n = 0;

    if (clGetDeviceInfo(id, what, sizeof(v), &v, &n) != CL_SUCCESS)
        return 0;
    return n == sizeof(v.u32) ? v.u32 : v.u64;
}

static void read_info(cl_platform_id platform, cl_device_id id, struct device_info *info)
{
    uint64_t type = device_number(id, CL_DEVICE_TYPE);

    platform_text(platform, CL_PLATFORM_NAME, info->platform, sizeof(info->platform));
    device_text(id, CL_DEVICE_NAME, info->name, sizeof(info->name));
    device_text(id, CL_DEVICE_VERSION, info->version, sizeof(info->version));
    device_text(id, CL_DRIVER_VERSION, info->driver, sizeof(info->driver));
    info->type = type & CL_DEVICE_TYPE_GPU   ? DEVICE_GPU
                 : type & CL_DEVICE_TYPE_CPU ? DEVICE_CPU
                                             : DEVICE_OTHER;
    info->images = device_number(id, CL_DEVICE_IMAGE_SUPPORT);
    info->unified = device_number(id, CL_DEVICE_HOST_UNIFIED_MEMORY);
    info->image_width = device_number(id, CL_DEVICE_IMAGE2D_MAX_WIDTH);
    info->image_height = device_number(id, CL_DEVICE_IMAGE2D_MAX_HEIGHT);
    info->global_bytes = device_number(id, CL_DEVICE_GLOBAL_MEM_SIZE);
    info->max_alloc_bytes = device_number(id, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
    info->local_bytes = device_number(id, CL_DEVICE_LOCAL_MEM_SIZE);
    info->cache_bytes = device_number(id, CL_DEVICE_GLOBAL_MEM_CACHE_SIZE);
    info->max_group = device_number(id, CL_DEVICE_MAX_WORK_GROUP_SIZE);
    info->timer_ns = device_number(id, CL_DEVICE_PROFILING_TIMER_RESOLUTION);
    info->compute_units = (unsigned)device_number(id, CL_DEVICE_MAX_COMPUTE_UNITS);
}

static bool format_supported(cl_context context, cl_mem_flags flags)
{
    cl_image_format *list = NULL;
    cl_uint n = 0;
    bool yes = false;

    if (clGetSupportedImageFormats(context, flags, CL_MEM_OBJECT_IMAGE2D, 0, NULL, &n) !=
            CL_SUCCESS ||
        n == 0 || !(list = calloc(n, sizeof(*list))))
        return false;
    if (clGetSupportedImageFormats(context, flags, CL_MEM_OBJECT_IMAGE2D, n, list, NULL) ==
        CL_SUCCESS)
        for (cl_uint i = 0; i < n; i++)
            yes = yes || (list[i].image_channel_order == CL_RGBA &&
                          list[i].image_channel_data_type == CL_HALF_FLOAT);
    free(list);
    return yes;
}

static void read_formats(cl_context context, struct device_info *info)
{
    info->half_images = info->images && format_supported(context, CL_MEM_READ_ONLY) &&
                        format_supported(context, CL_MEM_WRITE_ONLY);
}

static cl_context new_context(const struct found *f, cl_int *ret_code)
{
    cl_context_properties props[] = {CL_CONTEXT_PLATFORM, (cl_context_properties)f->platform, 0};

    return clCreateContext(props, 1, &f->id, NULL, NULL, ret_code);
}

/* Append the devices of one platform. A platform that cannot say what it has is left out: one
 * broken driver must not hide the others. Only -ENOMEM fails. */
static int find_on(cl_platform_id platform, struct found **list, int *n)
{
    cl_device_id *ids = NULL;
    struct found *grown;
    cl_uint n_ids = 0;

    if (clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 0, NULL, &n_ids) != CL_SUCCESS || n_ids == 0)
        return 0;
    ids = calloc(n_ids, sizeof(*ids));
    grown = realloc(*list, ((size_t)*n + n_ids) * sizeof(**list));
    if (grown)
        *list = grown;
    if (!ids || !grown) {
        free(ids);
        return -ENOMEM;
    }
    if (clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, n_ids, ids, NULL) != CL_SUCCESS)
        n_ids = 0;
    for (cl_uint i = 0; i < n_ids; i++) {
        struct found *f = &(*list)[*n];

        *f = (struct found){.platform = platform, .id = ids[i], .info = {.index = *n}};
        read_info(platform, ids[i], &f->info);
        (*n)++;
    }
    free(ids);
    return 0;
}

static int find_all(struct found **ret_list, int *ret_n, struct err *err)
{
    cl_platform_id *platforms = NULL;
    struct found *list = NULL;
    cl_uint n_platforms = 0;
    int n = 0, rc = 0;
    cl_int code = clGetPlatformIDs(0, NULL, &n_platforms);

    if (code == PLATFORM_NOT_FOUND || (code == CL_SUCCESS && n_platforms == 0)) {
        *ret_list = NULL;
        *ret_n = 0;
        return 0;
    }
    if (code != CL_SUCCESS) {
        cl_err(err, code, "clGetPlatformIDs");
        return -ENODEV;
    }
    platforms = calloc(n_platforms, sizeof(*platforms));
    if (!platforms)
        return err_set(err, -ENOMEM, "out of memory");
    code = clGetPlatformIDs(n_platforms, platforms, NULL);
    if (code != CL_SUCCESS) {
        cl_err(err, code, "clGetPlatformIDs");
        rc = -ENODEV;
    }
    for (cl_uint i = 0; i < n_platforms && rc == 0; i++) {
        rc = find_on(platforms[i], &list, &n);
        if (rc < 0)
            err_set(err, rc, "out of memory");
    }
    free(platforms);
    if (rc < 0) {
        free(list);
        return rc;
    }
    *ret_list = list;
    *ret_n = n;
    return 0;
}

int device_list(struct device_info **ret_list, int *ret_n, struct err *err)
{
    struct device_info *infos;
    struct found *list = NULL;
    int n = 0, rc = find_all(&list, &n, err);

    if (rc < 0)
        return rc;
    infos = calloc((size_t)n + 1, sizeof(*infos)); /* + 1: never NULL for want of devices */
    if (!infos) {
        free(list);
        return err_set(err, -ENOMEM, "out of memory");
    }
    for (int i = 0; i < n; i++) {
        cl_context context = new_context(&list[i], NULL);

        if (context) {
            read_formats(context, &list[i].info);
            clReleaseContext(context);
        }
        infos[i] = list[i].info;
    }
    free(list);
    *ret_list = infos;
    *ret_n = n;
    return 0;
}

/* An index if it is a number in range; else part of a name, so that "4090" finds an RTX 4090. */
static const struct found *select_device(const struct found *list, int n, const char *selector)
{
    char *end;
    long index;

    if (!selector || !*selector) {
        for (int i = 0; i < n; i++)
            if (list[i].info.type == DEVICE_GPU)
                return &list[i];
        return n > 0 ? &list[0] : NULL;
    }
    index = strtol(selector, &end, 10);
    if (isdigit((unsigned char)*selector) && !*end && index < n)
        return &list[index];
    for (int i = 0; i < n; i++)
        if (strcasestr(list[i].info.name, selector) || strcasestr(list[i].info.platform, selector))
            return &list[i];
    return NULL;
}

static int no_such_device(const struct found *list, int n, const char *selector, struct err *err)
{
    char text[LISTED_MAX] = "";
    size_t len = 0;

    if (n == 0)
        return err_set(err, -ENODEV,
                       "no OpenCL device; install a driver (its ICD file goes to "
                       "/etc/OpenCL/vendors), e.g. the package pocl-opencl-icd to run on the CPU");
    for (int i = 0; i < n && len < sizeof(text) - 1; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%d '%s' (%s)", i ? ", " : "", i,
                                list[i].info.name, list[i].info.platform);
    return err_set(err, -ENODEV, "no OpenCL device matches '%s'; there is: %s", selector, text);
}

int device_open(const char *selector, struct device **ret_dev, struct err *err)
{
    const struct found *f;
    struct device *dev = NULL;
    struct found *list = NULL;
    int n = 0, rc = find_all(&list, &n, err);
    cl_int code;

    if (rc < 0)
        return rc;
    f = select_device(list, n, selector);
    if (!f) {
        rc = no_such_device(list, n, selector, err);
        goto out;
    }
    dev = calloc(1, sizeof(*dev));
    if (!dev) {
        rc = err_set(err, -ENOMEM, "out of memory");
        goto out;
    }
    dev->info = f->info;
    dev->id = f->id;
    dev->context = new_context(f, &code);
    if (!dev->context) {
        rc = cl_err(err, code, "clCreateContext on '%s'", f->info.name);
        goto out;
    }
    read_formats(dev->context, &dev->info);
    *ret_dev = dev;
    dev = NULL; /* moved */
out:
    free(dev);
    free(list);
    return rc;
}

void device_close(struct device *dev)
{
    if (!dev)
        return;
    program_forget(dev);
    clReleaseContext(dev->context);
    free(dev);
}

int device_queue(struct device *dev, bool profiling, cl_command_queue *ret_queue, struct err *err)
{
    cl_int code;
    cl_command_queue queue = clCreateCommandQueue(dev->context, dev->id,
                                                  profiling ? CL_QUEUE_PROFILING_ENABLE : 0, &code);

    if (!queue)
        return cl_err(err, code, "clCreateCommandQueue");
    *ret_queue = queue;
    return 0;
}
