#include "operators/stream.h"

/* Multiplier and shift that divide v < 2^31 by d: (2 v m) >> 32 >> shift, with 2^shift >= d and
 * d > 2^(shift - 1), m = ceil(2^(31 + shift) / d) < 2^32. Granlund and Montgomery 1994, theorem
 * 4.2. */
static void divisor(int64_t d, cl_int *ret_m, cl_int *ret_shift)
{
    int shift = 0;

    while (INT64_C(1) << shift < d)
        shift++;
    *ret_m = (cl_int)(cl_uint)(((UINT64_C(1) << (31 + shift)) + (uint64_t)d - 1) / (uint64_t)d);
    *ret_shift = shift;
}

cl_int8 stream_pack(const struct op_load *l, enum mem_path path)
{
    const int rows = 1 << STREAM_ROWS_LOG2;
    int64_t width = 1, height = 1, row, first, end;
    cl_int8 a = {{(cl_int)l->src_texel, (cl_int)l->texels, 1, (cl_int)l->dst_texel}};

    if (path == PATH_BUFFER)
        return a;
    tensor_image_size(&l->dst_desc, &width, &height);
    row = l->dst_texel / width;
    first = (row + (l->dst_texel % width > 0) + rows - 1) / rows; /* band that the run fills */
    end = (l->dst_texel + l->texels) / width / rows;
    a.s[2] = (cl_int)width;
    a.s[3] = (cl_int)(l->dst_texel % width);
    a.s[4] = (cl_int)row;
    a.s[5] = end > first ? (cl_int)(end - first) : 0;
    divisor(width * rows, &a.s[6], &a.s[7]);
    return a;
}

/* ---- copies ---- */

struct copy {
    cl_command_queue queue;
    const struct op_load *l;
    const char *host; /* the next texel */
    cl_event after;   /* of the first command */
    cl_event *event;  /* [2] */
};

/* The newest command's event is the last one's. */
static void keep_event(struct copy *c, cl_event event)
{
    c->after = NULL;
    if (!c->event[0]) {
        c->event[0] = event;
        clRetainEvent(event);
    }
    if (c->event[1])
        clReleaseEvent(c->event[1]);
    c->event[1] = event;
}

static int copy_rows(struct copy *c, size_t x, size_t y, size_t width, size_t height,
                     struct err *err)
{
    size_t origin[3] = {x, y, 0}, region[3] = {width, height, 1};
    cl_event event;
    cl_int code;

    if (width == 0 || height == 0)
        return 0;
    code = clEnqueueWriteImage(c->queue, c->l->dst, CL_FALSE, origin, region, 0, 0, c->host,
                               c->after != NULL, c->after ? &c->after : NULL, &event);
    if (code)
        return cl_err(err, code, "copy of %zux%zu texels", width, height);
    c->host += width * height * 4 * dtype_bytes(c->l->dst_desc.dtype);
    keep_event(c, event);
    return 0;
}

static int copy_image(struct copy *c, struct err *err)
{
    int64_t width, height, x, y, n = c->l->texels, head;
    int rc = 0;

    tensor_image_size(&c->l->dst_desc, &width, &height);
    x = c->l->dst_texel % width;
    y = c->l->dst_texel / width;
    head = x == 0 ? 0 : n < width - x ? n : width - x;
    rc = copy_rows(c, (size_t)x, (size_t)y, (size_t)head, 1, err);
    y += head > 0;
    n -= head;
    if (rc == 0)
        rc = copy_rows(c, 0, (size_t)y, (size_t)width, (size_t)(n / width), err);
    if (rc == 0)
        rc = copy_rows(c, 0, (size_t)(y + n / width), (size_t)(n % width), 1, err);
    return rc;
}

static int copy_buffer(struct copy *c, struct err *err)
{
    size_t texel = 4 * dtype_bytes(c->l->dst_desc.dtype);
    size_t at = (size_t)c->l->dst_texel * texel, bytes = (size_t)c->l->texels * texel;
    cl_event event;
    cl_int code = clEnqueueWriteBuffer(c->queue, c->l->dst, CL_FALSE, at, bytes, c->host,
                                       c->after != NULL, c->after ? &c->after : NULL, &event);

    if (code)
        return cl_err(err, code, "copy of %lld texels", (long long)c->l->texels);
    keep_event(c, event);
    return 0;
}

int stream_copy(cl_command_queue queue, const struct op_load *l, enum mem_path path, cl_event after,
                cl_event event[2], struct err *err)
{
    struct copy c = {queue, l, l->host, after, event};

    if (l->texels == 0)
        return 0;
    c.host += (size_t)l->src_texel * 4 * dtype_bytes(l->dst_desc.dtype);
    return path == PATH_IMAGE ? copy_image(&c, err) : copy_buffer(&c, err);
}
