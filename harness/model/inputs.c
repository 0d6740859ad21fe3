/* harness/model/inputs.c - what a model is fed: seeded, or from .npy files. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "harness/model/model.h"
#include "harness/model/npy.h"
#include "harness/model/random.h"
#include "profiler/rng.h"

void model_fill_input(const struct model *m, int input, uint64_t seed, float *ret_values)
{
    const struct model_input *in = &m->input[input];
    uint64_t n = (uint64_t)in->desc.rows * (uint64_t)in->desc.cols;
    uint64_t stream = random_stream(seed, in->name);

    if (in->desc.dtype != DTYPE_I32) {
        random_normal(stream, 0, n, 0, 1, ret_values);
        return;
    }
    for (uint64_t i = 0; i < n; i++)
        ret_values[i] = in->iota ? (float)i
                                 : (float)rng_below(&stream, (uint64_t)in->max_id + 1);
}

static int check_ids(const struct model_input *in, const char *path, const float *v, uint64_t n,
                     struct err *err)
{
    for (uint64_t i = 0; i < n; i++)
        if (!(v[i] >= 0 && v[i] <= (float)in->max_id) || v[i] != floorf(v[i]))
            return err_set(err, -EINVAL,
                           "'%s', value %" PRIu64 ": want a whole number 0..%" PRId64 ", got %g",
                           path, i, in->max_id, v[i]);
    return 0;
}

int model_load_input(const struct model *m, int input, const char *path, float *ret_values,
                     struct err *err)
{
    const struct model_input *in = &m->input[input];
    uint64_t n = (uint64_t)in->desc.rows * (uint64_t)in->desc.cols;
    struct npy a = {0};
    int rc = npy_read(path, &a, err);

    if (rc < 0)
        return rc;
    /* One axis more or less is no harm: [224, 224, 3] is the image [50176, 3]. */
    if (a.cols != in->desc.cols || a.rows != in->desc.rows) {
        rc = err_set(err, -EINVAL,
                     "'%s' is [%" PRId64 ", %" PRId64 "], input '%s' is [%" PRId64 ", %" PRId64 "]",
                     path, a.rows, a.cols, in->name, in->desc.rows, in->desc.cols);
    } else if (in->desc.dtype == DTYPE_I32) {
        rc = check_ids(in, path, a.value, n, err);
    } else {
        for (uint64_t i = 0; i < n && rc == 0; i++)
            if (!isfinite(a.value[i]))
                rc = err_set(err, -EINVAL, "'%s', value %" PRIu64 " is not finite", path, i);
    }
    if (rc == 0)
        memcpy(ret_values, a.value, n * sizeof(*ret_values));
    npy_done(&a);
    return rc;
}
