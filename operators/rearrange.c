#include "operators/rearrange.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "operators/kernels.h"
#include "profiler/program.h"

static int64_t inner_of(const struct tensor_desc *d)
{
    return d->inner ? d->inner : d->cols;
}

struct natural natural_of(const struct op_case *c, const struct tensor_desc *d)
{
    int64_t inner = inner_of(d), groups = d->cols / inner;
    struct natural n = {.row = d->cols, .between = inner, .step = 1};

    if (strcmp(c->op->name, "conv2d") == 0)
        n = (struct natural){.row = d->cols, .between = 1, .step = groups};
    else if (strcmp(c->op->name, "deconv2d") == 0)
        n = (struct natural){.row = groups, .between = 1, .step = d->rows * groups};
    n.same = (n.step == 1 || inner == 1) && inner % 4 == 0 && n.row == d->cols;
    return n;
}

void natural_put(const struct natural *n, const struct tensor_desc *d, const float *elements,
                 float *ret_natural)
{
    int64_t inner = inner_of(d), groups = d->cols / inner;

    for (int64_t r = 0; r < d->rows; r++)
        for (int64_t g = 0; g < groups; g++)
            for (int64_t e = 0; e < inner; e++)
                ret_natural[r * n->row + g * n->between + e * n->step] =
                    elements[r * d->cols + g * inner + e];
}

/* ---- kernels ---- */

struct rearrange {
    struct device_info info;
    cl_program program[2]; /* by folded */
    cl_kernel kernel[2];
    uint64_t build_ns;
};

static int build(struct rearrange *r, struct device *dev, enum dtype dtype, enum mem_path path,
                 int folded, struct err *err)
{
    static const char *const names[] = {"texel.cl", "rearrange.cl"};
    struct program_source source[2];
    struct program_stats stats = {0};
    char options[80];
    cl_int code;
    int rc;

    for (int i = 0; i < 2; i++) {
        const struct embedded_file *f = embedded_find(kernel_files, names[i]);

        assert(f);
        source[i] = (struct program_source){f->name, f->text, f->length};
    }
    snprintf(options, sizeof(options), "-DIMAGE=%d -DHALF=%d -DFOLD_Y=%d -DBLOCK=%d",
             path == PATH_IMAGE, dtype == DTYPE_F16, folded, dev->info.type == DEVICE_CPU);
    rc = program_build(dev, source, 2, options, &r->program[folded], &stats, err);
    if (rc < 0)
        return err_prefix(err, "rearrange"), rc;
    r->build_ns += stats.build_ns;
    r->kernel[folded] = clCreateKernel(r->program[folded], "rearrange", &code);
    return r->kernel[folded] ? 0 : cl_err(err, code, "clCreateKernel 'rearrange'");
}

int rearrange_new(struct device *dev, enum dtype dtype, enum mem_path path,
                  struct rearrange **ret_r, struct err *err)
{
    struct rearrange *r = calloc(1, sizeof(*r));
    int rc = 0;

    if (!r)
        return err_set(err, -ENOMEM, "out of memory for a kernel");
    r->info = dev->info;
    for (int folded = 0; folded <= (path == PATH_IMAGE) && rc == 0; folded++)
        rc = build(r, dev, dtype, path, folded, err);
    if (rc < 0)
        rearrange_free(r);
    else
        *ret_r = r;
    return rc;
}

void rearrange_free(struct rearrange *r)
{
    for (int i = 0; r && i < 2; i++) {
        if (r->kernel[i])
            clReleaseKernel(r->kernel[i]);
        if (r->program[i])
            clReleaseProgram(r->program[i]);
    }
    free(r);
}

uint64_t rearrange_build_ns(const struct rearrange *r)
{
    return r->build_ns;
}

int rearrange_enqueue(struct rearrange *r, cl_command_queue queue, cl_mem from,
                      const struct tensor *to, const struct natural *n, cl_event *ret_event,
                      struct err *err)
{
    int folded = to->path == PATH_IMAGE && tensor_folded(&to->desc);
    int64_t inner = inner_of(&to->desc), texels = tensor_texels(&to->desc);
    cl_kernel k = r->kernel[folded];
    const cl_int number[] = {(cl_int)texels,
                             (cl_int)tensor_texel_cols(&to->desc),
                             (cl_int)((inner + 3) / 4),
                             (cl_int)inner,
                             (cl_int)n->row,
                             (cl_int)n->between,
                             (cl_int)n->step};
    size_t units = r->info.compute_units ? r->info.compute_units : 1;
    size_t items = (r->info.type == DEVICE_CPU ? 16 : 2048) * units;
    size_t local = r->info.type == DEVICE_CPU ? 1 : 128;
    cl_int code;

    if (texels > INT_MAX || n->row > INT_MAX || n->step > INT_MAX)
        return err_set(err, -EINVAL, "a weight of more than %d texels cannot be rearranged",
                       INT_MAX);
    code = clSetKernelArg(k, 0, sizeof(from), &from);
    if (code == CL_SUCCESS)
        code = clSetKernelArg(k, 1, sizeof(to->mem), &to->mem);
    for (cl_uint i = 0; i < sizeof(number) / sizeof(number[0]) && code == CL_SUCCESS; i++)
        code = clSetKernelArg(k, 2 + i, sizeof(cl_int), &number[i]);
    if (code == CL_SUCCESS)
        code = clEnqueueNDRangeKernel(queue, k, 1, NULL, &items, &local, 0, NULL, ret_event);
    return code == CL_SUCCESS ? 0 : cl_err(err, code, "rearranging a weight");
}
