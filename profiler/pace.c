#include "profiler/pace.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/calm.h"
#include "profiler/clock.h"
#include "profiler/launch.h"
#include "profiler/program.h"
#include "profiler/stats.h"

#define WIDTH  64
#define HEIGHT 16
#define ROWS   8 /* of work items for each compute unit: four groups */
#define AROUND 2 /* probes before and after */
#define RECENT 15
#define FIRST  24 /* probes of a new one */

/* 16 KiB are read, and nothing is written. */
static const char kernel_text[] =
    "__constant sampler_t at = CLK_NORMALIZED_COORDS_FALSE | CLK_ADDRESS_CLAMP | CLK_FILTER_NEAREST;\n"
    "__kernel void pace(__read_only image2d_t x, __global float4 *y)\n"
    "{\n"
    "    int2 p = (int2)(get_global_id(0), get_global_id(1));\n"
    "    float4 v = 0.0f;\n"
    "    for (int i = 0; i < 16; i++)\n"
    "        v += read_imagef(x, at, (int2)(p.x ^ i, p.y & 15));\n"
    "    if (v.x < 0.0f) /* never: keeps the reads */\n"
    "        y[0] = v;\n"
    "}\n";

struct pace {
    cl_program program;
    cl_kernel kernel;
    cl_mem image, sink;
    unsigned units;
    uint64_t recent[RECENT];
    int n; /* probes read so far */
    uint64_t best_ns;
};

static int make_buffers(struct pace *p, struct device *dev, cl_command_queue queue, struct err *err)
{
    const cl_image_format format = {CL_RGBA, CL_FLOAT};
    const cl_image_desc desc = {
        .image_type = CL_MEM_OBJECT_IMAGE2D, .image_width = WIDTH, .image_height = HEIGHT};
    const size_t origin[3] = {0, 0, 0}, region[3] = {WIDTH, HEIGHT, 1};
    const cl_float ones[4] = {1, 1, 1, 1};
    cl_int code;

    p->image = clCreateImage(dev->context, CL_MEM_READ_WRITE, &format, &desc, NULL, &code);
    if (!p->image)
        return cl_err(err, code, "clCreateImage for the pace of the machine");
    p->sink = clCreateBuffer(dev->context, CL_MEM_READ_WRITE, sizeof(cl_float4), NULL, &code);
    if (!p->sink)
        return cl_err(err, code, "clCreateBuffer for the pace of the machine");
    code = clEnqueueFillImage(queue, p->image, ones, origin, region, 0, NULL, NULL);
    if (code == CL_SUCCESS)
        code = clSetKernelArg(p->kernel, 0, sizeof(p->image), &p->image);
    if (code == CL_SUCCESS)
        code = clSetKernelArg(p->kernel, 1, sizeof(p->sink), &p->sink);
    return code == CL_SUCCESS ? 0 : cl_err(err, code, "the pace of the machine");
}

int pace_new(struct device *dev, cl_command_queue queue, struct pace **ret_p, struct err *err)
{
    struct program_source source = {"pace.cl", kernel_text, sizeof(kernel_text) - 1};
    struct pace *p;
    cl_int code;
    int rc;

    if (dev->info.type != DEVICE_CPU || !dev->info.images) {
        *ret_p = NULL;
        return 0;
    }
    p = calloc(1, sizeof(*p));
    if (!p)
        return err_set(err, -ENOMEM, "out of memory");
    p->units = dev->info.compute_units;
    rc = program_build(dev, &source, 1, "", &p->program, NULL, err);
    if (rc < 0)
        goto out;
    p->kernel = clCreateKernel(p->program, "pace", &code);
    rc = p->kernel ? make_buffers(p, dev, queue, err)
                   : cl_err(err, code, "clCreateKernel of the pace of the machine");
    for (int i = 0; i < FIRST && rc == 0; i++) {
        uint64_t ns;

        rc = pace_probe(p, queue, &ns, err);
    }
    if (rc == 0) {
        *ret_p = p;
        p = NULL; /* moved */
    }
out:
    pace_free(p);
    return rc;
}

void pace_free(struct pace *p)
{
    if (!p)
        return;
    if (p->image)
        clReleaseMemObject(p->image);
    if (p->sink)
        clReleaseMemObject(p->sink);
    if (p->kernel)
        clReleaseKernel(p->kernel);
    if (p->program)
        clReleaseProgram(p->program);
    free(p);
}

int pace_probe(struct pace *p, cl_command_queue queue, uint64_t *ret_ns, struct err *err)
{
    const size_t gws[2] = {WIDTH, ROWS * p->units}, lws[2] = {16, 2};
    uint64_t busy = cpu_ns(), start, end, ns;
    cl_event event = NULL;
    cl_int code = clEnqueueNDRangeKernel(queue, p->kernel, 2, NULL, gws, lws, 0, NULL, &event);

    if (code == CL_SUCCESS)
        code = clFinish(queue);
    if (code != CL_SUCCESS)
        return cl_err(err, code, "launch of the pace of the machine");
    busy = cpu_ns() - busy;
    ns = launch_event_span(event, &start, &end) ? end - start : 0;
    clReleaseEvent(event);
    if ((double)busy < CALM_SHARE * p->units * (double)ns)
        ns = 0;
    *ret_ns = ns;
    if (!ns)
        return 0;
    p->recent[p->n++ % RECENT] = ns;
    if (p->n >= RECENT) {
        double x[RECENT];

        for (int i = 0; i < RECENT; i++)
            x[i] = (double)p->recent[i];
        pace_know(p, (uint64_t)stats_median(x, RECENT));
    }
    return 0;
}

uint64_t pace_best(const struct pace *p)
{
    return p ? p->best_ns : 0;
}

void pace_know(struct pace *p, uint64_t best_ns)
{
    if (p && best_ns && (!p->best_ns || best_ns < p->best_ns))
        p->best_ns = best_ns;
}

void pace_forget(struct pace *p)
{
    p->n = 0;
    p->best_ns = 0;
}

double pace_around(const uint64_t *probe_ns, int n, int i)
{
    double x[2 * AROUND + 1];
    int k = 0;

    for (int at = i - AROUND; at <= i + AROUND; at++)
        if (at >= 0 && at < n && probe_ns[at] > 0)
            x[k++] = (double)probe_ns[at];
    return k ? stats_median(x, k) : NAN;
}
