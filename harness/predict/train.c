/* harness/predict/train.c - samples of the store into two regressors for each dtype and path. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/predict/feature.h"
#include "harness/predict/rows.h"

/* ---- one dtype and path ---- */

static int train_latency(const struct sampled_set *set, const struct device_info *dev,
                         const struct predict_train_options *opt, struct training *t, int *row_of,
                         struct err *err)
{
    int rc = rows_latency(set, dev, opt, t, row_of, err);

    return rc < 0 ? rc : training_run(t, NULL, opt, err);
}

static int store_both(struct store *st, int64_t device_id, const struct training *latency,
                      const struct training *slowdown, const struct predict_train_options *opt,
                      struct err *err)
{
    int rc = store_begin(st, err);

    if (rc < 0)
        return rc;
    rc = training_store(latency, st, device_id, opt, err);
    if (rc == 0 && slowdown)
        rc = training_store(slowdown, st, device_id, opt, err);
    if (rc < 0) {
        store_end(st, false, NULL);
        return rc;
    }
    return store_end(st, true, err);
}

static int check_interrupted(const struct predict_train_options *opt, struct err *err)
{
    if (!opt->interrupted || !*opt->interrupted)
        return 0;
    return err_set(err, -EINTR, "interrupted: 'flashmem train' trains again");
}

/* The features that gained most, as one note, beside the scores. */
static void note_importance(const struct training *t, const struct predict_train_options *opt)
{
    enum { SHOWN = 6 };
    double gain[FEATURES_SLOWDOWN];
    char text[ERR_TEXT_MAX];
    int n = 0;

    if (!opt->score || !opt->compare || regressor_importance(t->regressor, gain, NULL) < 0)
        return;
    text[0] = 0;
    for (int shown = 0; shown < SHOWN; shown++) {
        int best = 0;

        for (int i = 1; i < t->cols; i++)
            if (gain[i] > gain[best])
                best = i;
        if (!(gain[best] > 0) || n >= (int)sizeof(text))
            break;
        n += snprintf(text + n, sizeof(text) - (size_t)n, "%s%s %.0f %%", shown ? ", " : "",
                      feature_names()[best], 100 * gain[best]);
        gain[best] = 0;
    }
    rows_note(opt, "%s of %s %s: trees gain by %s", t->target, dtype_name(t->dtype),
         mem_path_name(t->path), text);
}

/* What the regressors of opt->transfer_from are worth here, if there are any of this dtype and path. */
static int transfer(struct store *st, struct training *latency,
                    const struct predict_train_options *opt, struct err *err)
{
    struct predictor *from = NULL;
    struct device_info info;
    int rc;

    if (!opt->score || !opt->transfer_from)
        return 0;
    rc = sampled_device(st, opt->transfer_from, &info, err);
    if (rc == 0)
        rc = predictor_load(st, opt->transfer_from, latency->dtype, latency->path, &from, err);
    if (rc == 0)
        rc = training_transfer(latency, from, &info, opt, err);
    predictor_free(from);
    return rc;
}

/* Number of regressors stored. */
static int train_set(struct store *st, int64_t device_id, const struct device_info *dev,
                     const struct sampled_set *set, enum dtype dtype, enum mem_path path,
                     const struct predict_train_options *opt, struct err *err)
{
    struct training latency = {0}, slowdown = {0};
    int *row_of = malloc((size_t)set->n * sizeof(*row_of) + 1);
    int rc, stored = 2;

    if (!row_of)
        return err_set(err, -ENOMEM, "no memory for %d samples", set->n);
    rc = training_new(set->n, set->n, FEATURES_LATENCY, true, &latency, err);
    if (rc == 0)
        rc = training_new((1 + ROWS_BETWEEN) * set->n, set->n, FEATURES_SLOWDOWN, false, &slowdown,
                          err);
    if (rc < 0)
        goto out;
    latency.target = "latency";
    slowdown.target = "slowdown";
    latency.dtype = slowdown.dtype = dtype;
    latency.path = slowdown.path = path;
    rc = train_latency(set, dev, opt, &latency, row_of, err);
    if (rc == 0)
        rc = check_interrupted(opt, err);
    if (rc < 0)
        goto out;
    rows_slowdown(set, dev, opt, &latency, row_of, &slowdown);
    rc = training_run(&slowdown, feature_slowdown_monotone, opt, err);
    if (rc == -ENODATA) {
        rows_note(opt, "%s; no capacities until then", err ? err->text : "no slowdown regressor");
        stored = 1;
    } else if (rc < 0) {
        goto out;
    }
    note_importance(&latency, opt);
    if (stored == 2)
        note_importance(&slowdown, opt);
    rc = check_interrupted(opt, err);
    if (rc == 0)
        rc = training_compare(&latency, NULL, opt, err);
    if (rc == 0 && stored == 2)
        rc = training_compare(&slowdown, feature_slowdown_monotone, opt, err);
    if (rc == 0)
        rc = transfer(st, &latency, opt, err);
    if (rc == 0)
        rc = store_both(st, device_id, &latency, stored == 2 ? &slowdown : NULL, opt, err);
out:
    training_done(&latency);
    training_done(&slowdown);
    free(row_of);
    return rc < 0 ? rc : stored;
}

static int train_path(struct store *st, int64_t device_id, const struct device_info *dev,
                      enum dtype dtype, enum mem_path path,
                      const struct predict_train_options *opt, struct err *err)
{
    struct sampled_set set;
    int rc;

    rc = sampled_read(st, device_id, dev, dtype, path, &set, err);
    if (rc < 0)
        return rc;
    if (set.outdated)
        rows_note(opt, "%d samples of %s %s left out: of kernels as another build had them",
                  set.outdated, dtype_name(dtype), mem_path_name(path));
    if (set.skipped)
        rows_note(opt, "%d samples of %s %s left out: %s", set.skipped, dtype_name(dtype),
             mem_path_name(path), set.why);
    rc = set.n ? train_set(st, device_id, dev, &set, dtype, path, opt, err) : 0;
    sampled_done(&set);
    return rc;
}

int predict_train(struct store *st, int64_t device_id, const struct predict_train_options *opt,
                  int *ret_trained, struct err *err)
{
    struct device_info dev;
    struct err few = {0};
    int rc, trained = 0;

    if (opt->folds < 2)
        return err_set(err, -EINVAL, "folds: want 2 or more, got '%d'", opt->folds);
    rc = sampled_device(st, device_id, &dev, err);
    if (rc < 0)
        return rc;
    for (int d = DTYPE_F32; d <= DTYPE_F16; d++) {
        for (int p = PATH_IMAGE; p <= PATH_BUFFER; p++) {
            struct err e = {0};

            rc = train_path(st, device_id, &dev, (enum dtype)d, (enum mem_path)p, opt, &e);
            if (rc == -ENODATA) {
                if (few.code)
                    rows_note(opt, "%s", e.text);
                else
                    few = e;
            } else if (rc < 0) {
                return err_set(err, rc, "%s", e.text);
            } else {
                trained += rc;
            }
        }
    }
    if (trained == 0 && few.code)
        return err_set(err, -ENODATA, "%s", few.text);
    if (trained == 0)
        return err_set(err, -ENODATA,
                       "no samples of '%s' with flushed caches in '%s': run 'flashmem sweep SPEC'",
                       dev.name, store_path(st));
    if (few.code)
        rows_note(opt, "%s", few.text);
    *ret_trained = trained;
    return 0;
}
