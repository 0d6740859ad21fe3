#include "profiler/flush.h"

#include <errno.h>
#include <stdlib.h>

#include "profiler/program.h"

/* Reading evicts without leaving dirty lines behind, whose write-back the timed kernel would pay
 * for. On PoCL, 32 MiB of L3: reading 64 MiB takes 1.9 ms and makes a 4 MiB copy as slow as
 * reading or writing 256 MiB does (76 us warm, 214 to 238 us then); a fill takes 4.7 ms and runs on
 * one core, which leaves the other's L2 alone. */
static const char kernel_text[] =
    "__kernel void flush(__global const uint16 *p, __global uint *sink)\n"
    "{\n"
    "    uint16 v = p[get_global_id(0)];\n"
    "    v.s01234567 |= v.s89abcdef;\n"
    "    v.s0123 |= v.s4567;\n"
    "    v.s01 |= v.s23;\n"
    "    if ((v.s0 | v.s1) == 0x9e3779b9u) /* never: keeps the loads */\n"
    "        sink[0] = v.s0;\n"
    "}\n";

#define ITEM_BYTES  64 /* one uint16, a cache line */
#define GROUP_ITEMS 64
#define GROUP_BYTES (ITEM_BYTES * GROUP_ITEMS)
#define TAIL_SHARE  32 /* of the buffer: 60 us on PoCL */

struct flush {
    struct device *dev;
    cl_program program;
    cl_kernel kernel;
    cl_mem buffer, least; /* least: one group's worth, and where nothing is ever written */
    size_t buffer_bytes;
};

/* Twice the last-level cache of a CPU. GPUs report the first level or nothing, and do not replace
 * the oldest line first: 192 MiB emptied the 50 MiB of an H100; beside unified memory, which is
 * slower, caches are a few MiB and 64 MiB are ample. */
static size_t size_for(const struct device_info *info)
{
    const uint64_t mib = 1 << 20, most = info->max_alloc_bytes;
    uint64_t bytes;

    if (info->type == DEVICE_CPU) {
        bytes = info->cache_bytes ? 2 * info->cache_bytes : 64 * mib;
    } else {
        bytes = info->unified ? 64 * mib : 192 * mib;
        if (bytes < 4 * info->cache_bytes)
            bytes = 4 * info->cache_bytes;
    }
    if (bytes > 1024 * mib)
        bytes = 1024 * mib;
    if (most > 0 && bytes > most)
        bytes = most;
    return bytes - bytes % GROUP_BYTES;
}

int flush_new(struct device *dev, struct flush **ret_f, struct err *err)
{
    struct program_source source = {"flush.cl", kernel_text, sizeof(kernel_text) - 1};
    struct flush *f = calloc(1, sizeof(*f));
    cl_int code;
    int rc;

    if (!f)
        return err_set(err, -ENOMEM, "out of memory");
    f->dev = dev;
    rc = program_build(dev, &source, 1, "", &f->program, NULL, err);
    if (rc < 0)
        goto out;
    f->kernel = clCreateKernel(f->program, "flush", &code);
    if (!f->kernel) {
        rc = cl_err(err, code, "clCreateKernel of the cache flush");
        goto out;
    }
    f->least = clCreateBuffer(dev->context, CL_MEM_READ_WRITE, GROUP_BYTES, NULL, &code);
    if (!f->least) {
        rc = cl_err(err, code, "clCreateBuffer for the cache flush");
        goto out;
    }
    *ret_f = f;
    f = NULL; /* moved */
out:
    flush_free(f);
    return rc;
}

void flush_free(struct flush *f)
{
    if (!f)
        return;
    if (f->buffer)
        clReleaseMemObject(f->buffer);
    if (f->least)
        clReleaseMemObject(f->least);
    if (f->kernel)
        clReleaseKernel(f->kernel);
    if (f->program)
        clReleaseProgram(f->program);
    free(f);
}

int flush_prepare(struct flush *f, cl_command_queue queue, struct err *err)
{
    size_t bytes = size_for(&f->dev->info);
    cl_uint one = 1; /* written once, so that there are pages: unwritten ones may all be one */
    cl_mem buffer;
    cl_int code;

    if (f->buffer)
        return 0;
    buffer = clCreateBuffer(f->dev->context, CL_MEM_READ_WRITE, bytes, NULL, &code);
    if (!buffer)
        return cl_err(err, code, "clCreateBuffer of %zu bytes for the cache flush", bytes);
    code = clEnqueueFillBuffer(queue, buffer, &one, sizeof(one), 0, bytes, 0, NULL, NULL);
    if (code == CL_SUCCESS)
        code = clFinish(queue);
    if (code != CL_SUCCESS) {
        clReleaseMemObject(buffer);
        return cl_err(err, code, "clEnqueueFillBuffer for the cache flush");
    }
    f->buffer = buffer;
    f->buffer_bytes = bytes;
    return 0;
}

/* Read bytes [from, to) of `buffer`. */
static int enqueue(struct flush *f, cl_command_queue queue, cl_mem buffer, size_t from, size_t to,
                   cl_event *ret_event, struct err *err)
{
    size_t offset = from / ITEM_BYTES, gws = (to - from) / ITEM_BYTES, lws = GROUP_ITEMS;
    cl_int code;

    if ((code = clSetKernelArg(f->kernel, 0, sizeof(buffer), &buffer)) != CL_SUCCESS ||
        (code = clSetKernelArg(f->kernel, 1, sizeof(f->least), &f->least)) != CL_SUCCESS)
        return cl_err(err, code, "clSetKernelArg of the cache flush");
    code = clEnqueueNDRangeKernel(queue, f->kernel, 1, &offset, &gws, &lws, 0, NULL, ret_event);
    return code == CL_SUCCESS ? 0 : cl_err(err, code, "launch of the cache flush");
}

int flush_enqueue(struct flush *f, cl_command_queue queue, enum flush_part part,
                  cl_event *ret_event, struct err *err)
{
    size_t all = f->buffer_bytes, tail = all / TAIL_SHARE;
    size_t border = all - (tail - tail % GROUP_BYTES);

    return enqueue(f, queue, f->buffer, part == FLUSH_TAIL ? border : 0,
                   part == FLUSH_HEAD ? border : all, ret_event, err);
}

int flush_enqueue_least(struct flush *f, cl_command_queue queue, cl_event *ret_event,
                        struct err *err)
{
    return enqueue(f, queue, f->least, 0, GROUP_BYTES, ret_event, err);
}
