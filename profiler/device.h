/* profiler/device.h - OpenCL devices: discovery, limits, one opened context.
 *
 * cl_int codes stop here: cl_err() turns one into a negative errno and a message. */
#ifndef FLASHMEM_PROFILER_DEVICE_H
#define FLASHMEM_PROFILER_DEVICE_H

#include <CL/cl.h>
#include <stdbool.h>
#include <stdint.h>

#include "profiler/err.h"

struct program_entry;

enum device_type { DEVICE_CPU, DEVICE_GPU, DEVICE_OTHER };

/* What clGetDeviceInfo says. Never part of a cache key beyond platform, name and driver: memory
 * sizes drift on some platforms (PoCL reports the free memory of the moment). */
struct device_info {
    int index; /* position in device_list() */
    char platform[128];
    char name[128];
    char version[128]; /* CL_DEVICE_VERSION */
    char driver[128];  /* CL_DRIVER_VERSION */
    enum device_type type;
    bool images;
    bool half_images;                   /* RGBA CL_HALF_FLOAT readable and writable */
    bool unified;                       /* CL_DEVICE_HOST_UNIFIED_MEMORY */
    uint64_t image_width, image_height; /* 2-D limits, texels */
    uint64_t global_bytes, max_alloc_bytes, local_bytes, cache_bytes;
    uint64_t max_group;     /* CL_DEVICE_MAX_WORK_GROUP_SIZE */
    uint64_t timer_ns;      /* CL_DEVICE_PROFILING_TIMER_RESOLUTION */
    unsigned compute_units; /* CL_DEVICE_MAX_COMPUTE_UNITS */
};

const char *device_type_name(enum device_type type); /* "cpu", "gpu", "other" */

/* All devices of all platforms, in the loader's order. The caller frees *ret_list.
 * 0 with *ret_n == 0 when there is none; -ENODEV only if the loader itself fails. */
int device_list(struct device_info **ret_list, int *ret_n, struct err *err);

struct device {
    struct device_info info;
    cl_device_id id;
    cl_context context;
    struct program_entry *programs; /* built in this process; program.c's */
};

/* `selector`: an index, or part of a name or platform (case-insensitive); NULL or "" picks the
 * first GPU, else the first device. -ENODEV when nothing matches (err lists what exists). */
int device_open(const char *selector, struct device **ret_dev, struct err *err);
void device_close(struct device *dev); /* NULL is fine */

/* In-order queue; with `profiling`, its events carry device times. */
int device_queue(struct device *dev, bool profiling, cl_command_queue *ret_queue, struct err *err);

/* Message "WHAT: CL_NAME (code)" into err; returns -ENOMEM for out of memory codes, -EINVAL for
 * invalid arguments and sizes, -ENOEXEC for build failures, -ENODEV for a lost device, else -EIO.
 */
int cl_err(struct err *err, cl_int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
