/* What one case should give, and what a launch of it gave: references and verdicts; see trial.h. */
#include "operators/trial/trial_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the reference ---- */

struct trial_reference *trial_take_reference(struct trial *t)
{
    struct trial_reference *r = t->ref;

    t->ref = NULL;
    return r;
}

void trial_give_reference(struct trial *t, struct trial_reference *r)
{
    trial_reference_free(t->ref);
    t->ref = r;
}

void trial_reference_free(struct trial_reference *r)
{
    if (!r)
        return;
    free(r->value);
    free(r->scale);
    free(r);
}

static int reference_inputs(struct trial *t, double *in[OP_MAX_TENSORS], struct err *err)
{
    for (int s = 0; s < t->io.n - 1; s++) {
        const struct tensor_desc *d = &t->thin.io.slot[s].desc;
        uint64_t n = (uint64_t)(d->rows * d->cols), seed = trial_stream_seed(t, s);

        in[s] = trial_alloc(n * sizeof *in[s], err);
        if (!in[s])
            return -ENOMEM;
        for (uint64_t i = 0; i < n; i++)
            in[s][i] = (double)trial_input_value(t, s, seed, i);
    }
    return 0;
}

/* Sums cancel: all of so short a row may be near zero, and its error is not. Such rows are measured
 * by the whole output's root mean square as well. */
#define NARROW 8

static int make_reference(struct trial *t, struct err *err)
{
    const struct tensor_desc *d = &t->thin.io.slot[t->io.n - 1].desc;
    double *in[OP_MAX_TENSORS] = {0}, *ref, *scale, square = 0;
    struct trial_reference *made = NULL;
    const double *const_in[OP_MAX_TENSORS];
    int rc;

    if (t->ref)
        return 0;
    rc = reference_inputs(t, in, err);
    if (rc < 0)
        goto out;
    rc = -ENOMEM;
    made = calloc(1, sizeof *made);
    if (!made) {
        err_set(err, -ENOMEM, "out of memory");
        goto out;
    }
    made->value = ref = trial_alloc((uint64_t)(d->rows * d->cols) * sizeof *ref, err);
    made->scale = scale = ref ? trial_alloc((uint64_t)d->rows * sizeof *scale, err) : NULL;
    if (!scale)
        goto out;
    for (int i = 0; i < OP_MAX_TENSORS; i++)
        const_in[i] = in[i];
    t->c.op->reference(&t->thin.c, const_in, ref);
    for (int64_t i = 0; d->cols < NARROW && i < d->rows * d->cols; i++)
        square += ref[i] * ref[i];
    for (int64_t r = 0; r < d->rows; r++) {
        scale[r] = 1e-6; /* a row of zeros wants zeros, up to what nobody sees */
        if (isfinite(square))
            scale[r] = fmax(scale[r], sqrt(square / (double)(d->rows * d->cols)));
        for (int64_t c = 0; c < d->cols; c++)
            scale[r] = fmax(scale[r], fabs(ref[r * d->cols + c]));
    }
    t->ref = made;
    made = NULL; /* moved */
    rc = 0;
out:
    for (int i = 0; i < OP_MAX_TENSORS; i++)
        free(in[i]);
    trial_reference_free(made);
    return rc;
}

/* ---- the output ---- */

static uint64_t output_plane_bytes(const struct trial *t)
{
    return (uint64_t)t->out_width * (uint64_t)t->out_height * 4 *
           dtype_bytes(trial_output_slot(t)->desc.dtype);
}

static int output_transfer(struct trial *t, bool write, void *texels, struct err *err)
{
    size_t origin[3] = {0, 0, 0};
    size_t region[3] = {(size_t)t->out_width, (size_t)t->out_height, 1};
    uint64_t bytes = output_plane_bytes(t);
    cl_int code;

    if (t->path == PATH_IMAGE && write)
        code = clEnqueueWriteImage(t->queue, t->out, CL_TRUE, origin, region, 0, 0, texels, 0, NULL,
                                   NULL);
    else if (t->path == PATH_IMAGE)
        code = clEnqueueReadImage(t->queue, t->out, CL_TRUE, origin, region, 0, 0, texels, 0, NULL,
                                  NULL);
    else if (write)
        code = clEnqueueWriteBuffer(t->queue, t->out, CL_TRUE, 0, bytes, texels, 0, NULL, NULL);
    else
        code = clEnqueueReadBuffer(t->queue, t->out, CL_TRUE, 0, bytes, texels, 0, NULL, NULL);
    return code ? cl_err(err, code, "transfer of a trial's output") : 0;
}

static int poison_output(struct trial *t, struct err *err)
{
    void *texels = trial_alloc(output_plane_bytes(t), err);
    int rc;

    if (!texels)
        return -ENOMEM;
    trial_fill_poison(trial_output_slot(t)->desc.dtype, texels, output_plane_bytes(t));
    rc = output_transfer(t, true, texels, err);
    free(texels);
    return rc;
}

static int poison_destination(struct trial *t, int i, struct err *err)
{
    uint64_t bytes = tensor_bytes(&t->dst[i].desc);
    void *texels = trial_alloc(bytes, err);
    int rc;

    if (!texels)
        return -ENOMEM;
    trial_fill_poison(t->c.dtype, texels, bytes);
    rc = tensor_write(t->queue, &t->dst[i], texels, err);
    free(texels);
    return rc;
}

/* ---- verdicts ---- */

static void fail(struct trial_verdict *v, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The first reason stays. */
static void fail(struct trial_verdict *v, const char *fmt, ...)
{
    va_list ap;

    if (v->ok) {
        va_start(ap, fmt);
        vsnprintf(v->text, sizeof v->text, fmt, ap);
        va_end(ap);
    }
    v->ok = false;
}

/* Row r of the output. */
static void check_row(const struct trial *t, int64_t r, const float *y, struct trial_verdict *v)
{
    int out = t->io.n - 1;
    int64_t row = thin_at(&t->thin.row[out], r);
    const double *want = t->ref->value + row * t->thin.io.slot[out].desc.cols;
    double tol = t->c.dtype == DTYPE_F16 ? t->c.op->tol_f16 : t->c.op->tol_f32;

    for (int64_t c = 0; c < t->io.slot[out].desc.cols; c++) {
        double ref = want[thin_at(&t->thin.col[out], c)], got = (double)y[c];
        double error = fabs(got - ref) / t->ref->scale[row];

        if (isnan(error))
            error = isnan(got) && isnan(ref) ? 0 : INFINITY;
        if (error > v->worst)
            v->worst = error;
        if (!(error <= tol))
            fail(v, "y[%" PRId64 ",%" PRId64 "] = %.9g, want %.9g: error %.3g, tolerance %.3g", r,
                 c, got, ref, error, tol);
    }
}

static bool word_is(enum dtype dtype, const void *words, int64_t i, uint32_t want)
{
    return dtype == DTYPE_F16 ? ((const uint16_t *)words)[i] == (uint16_t)want
                              : ((const uint32_t *)words)[i] == want;
}

static bool word_is_zero(enum dtype dtype, const void *words, int64_t i)
{
    return dtype == DTYPE_F16 ? (((const uint16_t *)words)[i] & 0x7fff) == 0
                              : (((const uint32_t *)words)[i] & 0x7fffffff) == 0;
}

static void check_padding(const struct tensor_desc *d, const void *words, struct trial_verdict *v)
{
    int64_t inner = d->inner ? d->inner : d->cols, padded = (inner + 3) / 4 * 4;
    int64_t groups = d->rows * (d->cols / inner), row_groups = d->cols / inner;

    for (int64_t g = 0; g < groups; g++)
        for (int64_t j = inner; j < padded; j++)
            if (!word_is_zero(d->dtype, words, g * padded + j)) {
                fail(v, "padding of row %" PRId64 " is not zero", g / row_groups);
                return;
            }
}

static void check_guard(const struct trial *t, const void *words, struct trial_verdict *v)
{
    const struct tensor_desc *d = &trial_output_slot(t)->desc;

    for (int64_t i = tensor_texels(d) * 4; i < t->out_width * t->out_height * 4; i++)
        if (!word_is(d->dtype, words, i, trial_poison(d->dtype))) {
            fail(v, "texel %" PRId64 " was written, the output has %" PRId64, i / 4,
                 tensor_texels(d));
            return;
        }
}

static int check_output(struct trial *t, struct trial_verdict *v, struct err *err)
{
    const struct tensor_desc *d = &trial_output_slot(t)->desc;
    void *texels = trial_alloc(output_plane_bytes(t), err);
    float *y = texels ? trial_alloc((uint64_t)(d->rows * d->cols) * sizeof *y, err) : NULL;
    int rc = y ? output_transfer(t, false, texels, err) : -ENOMEM;

    if (rc == 0) {
        tensor_unpack(d, texels, y);
        for (int64_t r = 0; r < d->rows; r++)
            check_row(t, r, y + r * d->cols, v);
        check_padding(d, texels, v);
        check_guard(t, texels, v);
    }
    free(texels);
    free(y);
    return rc;
}

static int check_destination(struct trial *t, int i, const struct op_load *l,
                             struct trial_verdict *v, struct err *err)
{
    const struct tensor_desc *d = &t->dst[i].desc;
    uint64_t seed = trial_stream_seed(t, TRIAL_LOAD_STREAM);
    int64_t from = l->dst_texel * 4, to = from + l->texels * 4;
    void *words = trial_alloc(tensor_bytes(d), err);
    int rc = words ? tensor_read(t->queue, &t->dst[i], words, err) : -ENOMEM;

    for (int64_t j = 0; rc == 0 && j < tensor_texels(d) * 4; j++) {
        bool streamed = j >= from && j < to;
        uint32_t want =
            streamed ? trial_load_word(d->dtype, seed, (uint64_t)(l->src_texel * 4 + j - from))
                     : trial_poison(d->dtype);

        if (!word_is(d->dtype, words, j, want)) {
            fail(v, "load %d: texel %" PRId64 " %s (streamed: %" PRId64 "..%" PRId64 ")", i, j / 4,
                 streamed ? "differs from its source" : "was written", l->dst_texel,
                 l->dst_texel + l->texels - 1);
            break;
        }
    }
    free(words);
    return rc;
}

int trial_check(struct trial *t, const struct op_args *args, struct trial_verdict *ret_v,
                struct err *err)
{
    struct trial_verdict v = {.ok = true};
    int rc = make_reference(t, err);

    rc = rc < 0 ? rc : check_output(t, &v, err);
    for (int i = 0; i < args->n_loads && rc == 0; i++)
        rc = check_destination(t, i, &args->load[i], &v, err);
    if (rc < 0)
        return rc;
    if (!v.ok && v.text[0] == '\0')
        snprintf(v.text, sizeof v.text, "wrong");
    *ret_v = v;
    return 0;
}

int trial_verify(struct trial *t, struct op_program *p, const struct op_args *args,
                 struct trial_verdict *ret_v, struct err *err)
{
    cl_event event[TRIAL_EVENTS] = {NULL};
    cl_int code;
    int rc;

    rc = poison_output(t, err);
    for (int i = 0; i < args->n_loads && rc == 0; i++)
        rc = poison_destination(t, i, err);
    rc = rc < 0 ? rc : trial_enqueue(t, p, t->queue, args, event, err);
    if (rc < 0)
        return rc;
    code = clFinish(t->queue);
    if (!code && t->second)
        code = clFinish(t->second);
    for (int i = 0; i < TRIAL_EVENTS; i++)
        if (event[i])
            clReleaseEvent(event[i]);
    if (code)
        return cl_err(err, code, "%s: clFinish", t->c.op->name);
    return trial_check(t, args, ret_v, err);
}

int trial_output(struct trial *t, float *ret_y, struct err *err)
{
    void *texels = trial_alloc(output_plane_bytes(t), err);
    int rc = texels ? output_transfer(t, false, texels, err) : -ENOMEM;

    if (rc == 0)
        tensor_unpack(&trial_output_slot(t)->desc, texels, ret_y);
    free(texels);
    return rc;
}
