#include "profiler/pinned.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "profiler/program.h"

#define HUGE_PAGE (UINT64_C(2) << 20)
#define PAGE      4096

/* Linux 5.14; older headers do not have it. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

int pinned_pages(uint64_t bytes, void **ret_host, struct err *err)
{
    uint64_t whole = (bytes + PAGE - 1) / PAGE * PAGE;
    void *host;

    if (posix_memalign(&host, HUGE_PAGE, whole) != 0)
        return err_set(err, -ENOMEM, "cannot allocate %" PRIu64 " bytes of host memory", bytes);
    madvise(host, whole, MADV_HUGEPAGE);
    if (madvise(host, whole, MADV_POPULATE_WRITE) != 0)
        for (uint64_t at = 0; at < whole; at += PAGE)
            ((volatile unsigned char *)host)[at] = 0;
    *ret_host = host;
    return 0;
}

int pinned_new(struct device *dev, uint64_t bytes, void **ret_host, cl_mem *ret_mem,
               struct err *err)
{
    void *host;
    cl_mem mem;
    cl_int code;
    int rc = pinned_pages(bytes, &host, err);

    if (rc < 0)
        return rc;
    memset(host, 0, bytes);
    mem = clCreateBuffer(dev->context, CL_MEM_READ_ONLY | CL_MEM_USE_HOST_PTR, bytes, host, &code);
    if (!mem) {
        free(host);
        return cl_err(err, code, "buffer over %" PRIu64 " bytes of host memory", bytes);
    }
    *ret_host = host;
    *ret_mem = mem;
    return 0;
}

void pinned_free(void *host, cl_mem mem)
{
    if (mem)
        clReleaseMemObject(mem);
    free(host);
}

/* ---- shared memory, tried ---- */

static const char probe_text[] =
    "__kernel void probe(__read_only image2d_t from, __write_only image2d_t to,\n"
    "                    __global const float4 *a, __global float4 *b)\n"
    "{\n"
    "    const sampler_t s = CLK_NORMALIZED_COORDS_FALSE | CLK_ADDRESS_NONE | CLK_FILTER_NEAREST;\n"
    "    const int2 at = (int2)(get_global_id(0), get_global_id(1));\n"
    "    const int i = at.y * get_global_size(0) + at.x;\n"
    "    write_imagef(to, at, read_imagef(from, s, at) + 1.0f);\n"
    "    b[i] = a[i] + 2.0f;\n"
    "}\n";

/* Texels of the probe's images, and of a row of the memory that they are windows of. */
enum { W = 16, H = 8, PITCH = 48, TEXEL = 16, FLOATS = 4, PLACE = PITCH * H * TEXEL };
enum { FROM, TO, A, B, N };

struct probe {
    unsigned char *host;
    cl_mem mem[N];
    cl_program program;
    cl_kernel kernel;
    cl_command_queue queue;
};

static float *probe_texel(const struct probe *p, int which, int x, int y)
{
    int pitch = which == FROM || which == TO ? PITCH : W;

    return (float *)(p->host + which * PLACE) + (size_t)(y * pitch + x) * FLOATS;
}

static int probe_open(struct probe *p, struct device *dev, struct err *err)
{
    struct program_source source = {"probe.cl", probe_text, sizeof(probe_text) - 1};
    cl_image_format format = {CL_RGBA, CL_FLOAT};
    cl_image_desc image = {.image_type = CL_MEM_OBJECT_IMAGE2D,
                           .image_width = W,
                           .image_height = H,
                           .image_row_pitch = PITCH * TEXEL};
    void *host;
    cl_int code = CL_SUCCESS;
    int rc = pinned_pages(N * PLACE, &host, err);

    if (rc < 0)
        return rc;
    p->host = host;
    memset(host, 0, N * PLACE);
    for (int i = 0; i < N; i++) {
        if (i == FROM || i == TO)
            p->mem[i] = clCreateImage(dev->context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR,
                                      &format, &image, p->host + i * PLACE, &code);
        else
            p->mem[i] = clCreateBuffer(dev->context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR,
                                       W * H * TEXEL, p->host + i * PLACE, &code);
        if (!p->mem[i])
            return cl_err(err, code, "a tensor over host memory");
    }
    rc = program_build(dev, &source, 1, "", &p->program, NULL, err);
    if (rc < 0)
        return rc;
    p->kernel = clCreateKernel(p->program, "probe", &code);
    for (cl_uint i = 0; i < N && code == CL_SUCCESS; i++)
        code = clSetKernelArg(p->kernel, i, sizeof(p->mem[i]), &p->mem[i]);
    return code == CL_SUCCESS ? device_queue(dev, false, &p->queue, err)
                              : cl_err(err, code, "the probe of shared memory");
}

/* Once around: host writes, kernel, host reads. No map: this asks what the hardware does. */
static int probe_round(const struct probe *p, int seed, struct err *err)
{
    const size_t gws[2] = {W, H};
    cl_int code;

    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            for (int k = 0; k < FLOATS; k++)
                probe_texel(p, FROM, x, y)[k] = probe_texel(p, A, x, y)[k] =
                    (float)(seed + 4 * (y * W + x) + k);
    code = clEnqueueNDRangeKernel(p->queue, p->kernel, 2, NULL, gws, NULL, 0, NULL, NULL);
    if (code == CL_SUCCESS)
        code = clFinish(p->queue);
    if (code != CL_SUCCESS)
        return cl_err(err, code, "the probe of shared memory");
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            for (int k = 0; k < FLOATS; k++) {
                float v = (float)(seed + 4 * (y * W + x) + k);
                float image = probe_texel(p, TO, x, y)[k], buffer = probe_texel(p, B, x, y)[k];

                if (image != v + 1 || buffer != v + 2)
                    return err_set(err, -ENOTSUP,
                                   "kernels do not use host memory in place: %g and %g were to "
                                   "become %g in an image, %g in a buffer",
                                   (double)image, (double)buffer, (double)v + 1, (double)v + 2);
            }
    return 0;
}

int pinned_shared(struct device *dev, struct err *err)
{
    struct probe p = {0};
    int rc;

    if (!dev->info.unified)
        return err_set(err, -ENOTSUP,
                       "host and device do not share memory "
                       "(CL_DEVICE_HOST_UNIFIED_MEMORY is false)");
    if (!dev->info.images)
        return err_set(err, -ENOTSUP, "the device has no images to try");
    rc = probe_open(&p, dev, err);
    for (int i = 0; i < 3 && rc == 0; i++) /* what is cached shows at the second */
        rc = probe_round(&p, 1000 * i, err);
    if (p.queue)
        clReleaseCommandQueue(p.queue);
    if (p.kernel)
        clReleaseKernel(p.kernel);
    if (p.program)
        clReleaseProgram(p.program);
    for (int i = 0; i < N; i++)
        if (p.mem[i])
            clReleaseMemObject(p.mem[i]);
    free(p.host);
    return rc;
}
