/* profiler/learn/regressor.c - see regressor.h. XGBoost's return codes stop here. */
#include "profiler/learn/regressor.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct regressor_options regressor_defaults(void)
{
    return (struct regressor_options){
        .trees = 400, .depth = 6, .eta = 0.05, .subsample = 0.8, .seed = 1};
}

#ifdef HAVE_XGBOOST
#include <xgboost/c_api.h>

struct regressor {
    BoosterHandle booster;
    int cols;
};

static void drop_log(const char *text)
{
    (void)text;
}

/* XGBoost's configuration and log callback are per thread: called at each door. */
static void silence(void)
{
    XGBRegisterLogCallback(drop_log);
    XGBSetGlobalConfig("{\"verbosity\": 0}");
}

/* XGBoost's last message: its first line, without the time and the source position in front. */
static int xgb_err(struct err *err, int code, const char *what)
{
    const char *text = XGBGetLastError(), *end;

    if (*text == '[' && (end = strstr(text, "] ")))
        text = end + 2;
    if (strncmp(text, "./", 2) == 0 && (end = strstr(text, ": ")))
        text = end + 2;
    return err_set(err, code, "%s: xgboost: %.*s", what, (int)strcspn(text, "\n"), text);
}

static int check_data(const struct regressor_data *d, struct err *err)
{
    if (d->rows < 1 || d->cols < 1)
        return err_set(err, -EINVAL, "want at least one row and one feature, got %d and %d",
                       d->rows, d->cols);
    for (int c = 0; c < d->cols; c++)
        if (!*d->names[c] || strpbrk(d->names[c], " \t\n[]<"))
            return err_set(err, -EINVAL, "feature %d: '%s' cannot be a name", c, d->names[c]);
    for (int r = 0; r < d->rows; r++) {
        if (!isfinite(d->y[r]))
            return err_set(err, -EINVAL, "target of row %d is '%g'", r, (double)d->y[r]);
        if (d->weight && !(d->weight[r] >= 0 && isfinite(d->weight[r])))
            return err_set(err, -EINVAL, "weight of row %d is '%g'", r, (double)d->weight[r]);
        for (int c = 0; c < d->cols; c++)
            if (isinf(d->x[(size_t)r * (size_t)d->cols + (size_t)c]))
                return err_set(err, -EINVAL, "feature '%s' of row %d is infinite", d->names[c], r);
    }
    return 0;
}

static int check_options(const struct regressor_options *o, int cols, struct err *err)
{
    if (o->trees < 1 || o->trees > 100000)
        return err_set(err, -EINVAL, "trees: want 1..100000, got '%d'", o->trees);
    if (o->depth < 1 || o->depth > 16)
        return err_set(err, -EINVAL, "depth: want 1..16, got '%d'", o->depth);
    if (!(o->eta > 0 && o->eta <= 1))
        return err_set(err, -EINVAL, "eta: want a number in (0, 1], got '%g'", o->eta);
    if (!(o->subsample > 0 && o->subsample <= 1))
        return err_set(err, -EINVAL, "subsample: want a number in (0, 1], got '%g'", o->subsample);
    if (o->threads < 0)
        return err_set(err, -EINVAL, "threads: want 0 (all) or more, got '%d'", o->threads);
    for (int c = 0; o->monotone && c < cols; c++)
        if (o->monotone[c] < -1 || o->monotone[c] > 1)
            return err_set(err, -EINVAL, "monotone constraint %d: want -1, 0 or 1, got '%d'", c,
                           o->monotone[c]);
    return 0;
}

static int matrix_new(const struct regressor_data *d, DMatrixHandle *ret_m, struct err *err)
{
    DMatrixHandle m = NULL;
    bst_ulong rows = (bst_ulong)d->rows, cols = (bst_ulong)d->cols;

    if (XGDMatrixCreateFromMat(d->x, rows, cols, NAN, &m))
        return xgb_err(err, -ENOMEM, "training data");
    if (XGDMatrixSetFloatInfo(m, "label", d->y, rows) ||
        (d->weight && XGDMatrixSetFloatInfo(m, "weight", d->weight, rows)) ||
        XGDMatrixSetStrFeatureInfo(m, "feature_name", (const char **)(uintptr_t)d->names, cols)) {
        int rc = xgb_err(err, -EINVAL, "training data");

        XGDMatrixFree(m);
        return rc;
    }
    *ret_m = m;
    return 0;
}

/* Weighted mean of the target: where boosting starts. XGBoost's own start, 0.5, would cost the
 * first trees. */
static double mean_target(const struct regressor_data *d)
{
    double sum = 0, weight = 0;

    for (int r = 0; r < d->rows; r++) {
        double w = d->weight ? (double)d->weight[r] : 1;

        sum += w * (double)d->y[r];
        weight += w;
    }
    return weight > 0 ? sum / weight : 0;
}

/* "(0,1,-1)"; NULL without memory. */
static char *monotone_text(const signed char *monotone, int cols)
{
    char *text = malloc((size_t)cols * 3 + 3), *p = text;

    if (!text)
        return NULL;
    p = stpcpy(p, "(");
    for (int c = 0; c < cols; c++) {
        p = stpcpy(p, c ? "," : "");
        p = stpcpy(p, monotone[c] < 0 ? "-1" : monotone[c] > 0 ? "1" : "0");
    }
    strcpy(p, ")");
    return text;
}

/* A tree of few rows takes less time than its threads take to meet; where other programs want the
 * processors, they wait for each other spinning, a hundred times longer than the work. */
static int worth_threads(const struct regressor_data *d, const struct regressor_options *o)
{
    static const int rows = 50000;

    return o->threads == 0 && d->rows < rows ? 1 : o->threads;
}

static int set_params(BoosterHandle b, const struct regressor_data *d,
                      const struct regressor_options *o, struct err *err)
{
    char depth[16], eta[32], subsample[32], seed[32], threads[16], base[32];
    char *monotone = NULL;
    int rc = 0;
    struct {
        const char *name, *value;
    } params[] = {
        {"verbosity", "0"},       {"objective", "reg:squarederror"},
        {"tree_method", "hist"},  {"max_depth", depth},
        {"eta", eta},             {"subsample", subsample},
        {"seed", seed},           {"nthread", threads},
        {"base_score", base},     {"monotone_constraints", NULL},
    };
    const int n = (int)(sizeof(params) / sizeof(params[0]));

    snprintf(depth, sizeof(depth), "%d", o->depth);
    snprintf(eta, sizeof(eta), "%.17g", o->eta);
    snprintf(subsample, sizeof(subsample), "%.17g", o->subsample);
    /* its type is a signed 64-bit number */
    snprintf(seed, sizeof(seed), "%llu", (unsigned long long)(o->seed >> 1));
    snprintf(threads, sizeof(threads), "%d", worth_threads(d, o));
    snprintf(base, sizeof(base), "%.9g", mean_target(d));
    if (o->monotone) {
        monotone = monotone_text(o->monotone, d->cols);
        if (!monotone)
            return err_set(err, -ENOMEM, "no memory for %d features", d->cols);
        params[n - 1].value = monotone;
    }
    for (int i = 0; i < n && rc == 0; i++)
        if (params[i].value && XGBoosterSetParam(b, params[i].name, params[i].value))
            rc = xgb_err(err, -EINVAL, params[i].name);
    free(monotone);
    return rc;
}

static int boost(struct regressor *r, DMatrixHandle m, const struct regressor_data *d,
                 const struct regressor_options *o, struct err *err)
{
    int rc = set_params(r->booster, d, o, err);

    if (rc < 0)
        return rc;
    if (XGBoosterSetStrFeatureInfo(r->booster, "feature_name",
                                   (const char **)(uintptr_t)d->names, (bst_ulong)d->cols))
        return xgb_err(err, -EINVAL, "feature names");
    for (int i = 0; i < o->trees; i++)
        if (XGBoosterUpdateOneIter(r->booster, i, m))
            return xgb_err(err, -EIO, "training");
    /* single rows are fastest on one thread, and the threads of a pool would be left spinning */
    if (XGBoosterSetParam(r->booster, "nthread", "1"))
        return xgb_err(err, -EIO, "training");
    return 0;
}

static int regressor_new(const DMatrixHandle *m, int cols, struct regressor **ret_r,
                         struct err *err)
{
    struct regressor *r = calloc(1, sizeof(*r));

    if (!r)
        return err_set(err, -ENOMEM, "no memory for a regressor");
    r->cols = cols;
    if (XGBoosterCreate(m, m ? 1 : 0, &r->booster)) {
        free(r);
        return xgb_err(err, -ENOMEM, "regressor");
    }
    *ret_r = r;
    return 0;
}

int regressor_train(const struct regressor_data *data, const struct regressor_options *opt,
                    struct regressor **ret_r, struct err *err)
{
    struct regressor *r = NULL;
    DMatrixHandle m = NULL;
    int rc;

    silence();
    rc = check_data(data, err);
    if (rc == 0)
        rc = check_options(opt, data->cols, err);
    if (rc < 0)
        return rc;
    rc = matrix_new(data, &m, err);
    if (rc < 0)
        return rc;
    rc = regressor_new(&m, data->cols, &r, err);
    if (rc == 0)
        rc = boost(r, m, data, opt, err);
    XGDMatrixFree(m);
    if (rc < 0) {
        regressor_free(r);
        return rc;
    }
    *ret_r = r;
    return 0;
}

void regressor_free(struct regressor *r)
{
    if (!r)
        return;
    XGBoosterFree(r->booster);
    free(r);
}

int regressor_predict(const struct regressor *r, const float *x, int rows, int cols, float *ret_y,
                      struct err *err)
{
    static const char config[] =
        "{\"type\": 0, \"training\": false, \"iteration_begin\": 0, \"iteration_end\": 0,"
        " \"strict_shape\": false, \"cache_id\": 0, \"missing\": NaN}";
    char array[192];
    const bst_ulong *shape;
    const float *y;
    bst_ulong dim;

    silence();
    if (cols != r->cols)
        return err_set(err, -EINVAL, "want rows of %d features, got %d", r->cols, cols);
    if (rows < 1)
        return 0;
    snprintf(array, sizeof(array),
             "{\"data\": [%llu, true], \"shape\": [%d, %d], \"typestr\": \"<f4\", \"version\": 3}",
             (unsigned long long)(uintptr_t)x, rows, cols);
    if (XGBoosterPredictFromDense(r->booster, array, config, NULL, &shape, &dim, &y))
        return xgb_err(err, -EIO, "prediction");
    if (dim < 1 || shape[0] != (bst_ulong)rows)
        return err_set(err, -EIO, "prediction: xgboost returned another number of rows");
    memcpy(ret_y, y, (size_t)rows * sizeof(*y));
    return 0;
}

/* Position of a feature's name in the booster's own list. Both lists of names live in one place of
 * XGBoost's, so this one is copied: joined by line ends, which no name contains. */
static char *joined_names(const struct regressor *r)
{
    const char **column = NULL;
    bst_ulong columns = 0;
    size_t size = 1;
    char *text, *end;

    if (XGBoosterGetStrFeatureInfo(r->booster, "feature_name", &columns, &column))
        return NULL;
    for (bst_ulong c = 0; c < columns; c++)
        size += strlen(column[c]) + 1;
    text = end = malloc(size);
    if (!text)
        return NULL;
    for (bst_ulong c = 0; c < columns; c++)
        end = stpcpy(stpcpy(end, column[c]), "\n");
    *end = 0;
    return text;
}

static int position(const char *names, const char *name)
{
    size_t n = strlen(name);

    for (int c = 0; *names; c++) {
        size_t line = strcspn(names, "\n");

        if (line == n && strncmp(names, name, n) == 0)
            return c;
        names += line + 1;
    }
    return -1;
}

int regressor_importance(const struct regressor *r, double *ret_gain, struct err *err)
{
    static const char config[] = "{\"importance_type\": \"total_gain\"}";
    const char **name = NULL;
    const float *gain = NULL;
    bst_ulong n = 0, dim = 0;
    const bst_ulong *shape = NULL;
    double sum = 0;
    char *names;

    silence();
    names = joined_names(r);
    if (!names || XGBoosterFeatureScore(r->booster, config, &n, &name, &dim, &shape, &gain)) {
        free(names);
        return xgb_err(err, -EIO, "importance");
    }
    for (int c = 0; c < r->cols; c++)
        ret_gain[c] = 0;
    for (bst_ulong i = 0; i < n; i++) /* only features that split somewhere have a score */
        sum += (double)gain[i];
    for (bst_ulong i = 0; i < n; i++) {
        int c = position(names, name[i]);

        if (c >= 0 && c < r->cols)
            ret_gain[c] = (double)gain[i] / sum;
    }
    free(names);
    return 0;
}

/* ---- storage ---- */

int regressor_to_json(const struct regressor *r, char **ret_json, struct err *err)
{
    const char *text;
    bst_ulong n;
    char *json;

    silence();
    if (XGBoosterSaveModelToBuffer(r->booster, "{\"format\": \"json\"}", &n, &text))
        return xgb_err(err, -EIO, "saving a regressor");
    json = malloc((size_t)n + 1);
    if (!json)
        return err_set(err, -ENOMEM, "no memory for a model of %llu bytes", (unsigned long long)n);
    memcpy(json, text, (size_t)n);
    json[n] = 0;
    *ret_json = json;
    return 0;
}

int regressor_set_text(struct regressor *r, const char *key, const char *text, struct err *err)
{
    silence();
    return XGBoosterSetAttr(r->booster, key, text) ? xgb_err(err, -EINVAL, key) : 0;
}

const char *regressor_text(const struct regressor *r, const char *key)
{
    const char *text = NULL;
    int found = 0;

    silence();
    return XGBoosterGetAttr(r->booster, key, &text, &found) || !found ? NULL : text;
}

int regressor_from_json(const char *json, struct regressor **ret_r, struct err *err)
{
    struct regressor *r = NULL;
    bst_ulong cols = 0;
    int rc;

    silence();
    /* XGBoost tells its three formats apart by the first bytes, and two of them are binary: from
     * those it would read lengths that nobody checked. */
    if (strncmp(json, "{\"", 2) != 0)
        return err_set(err, -EINVAL, "not a regressor in JSON");
    rc = regressor_new(NULL, 0, &r, err);
    if (rc < 0)
        return rc;
    if (XGBoosterLoadModelFromBuffer(r->booster, json, (bst_ulong)strlen(json)))
        rc = xgb_err(err, -EINVAL, "not a regressor");
    else if (XGBoosterGetNumFeature(r->booster, &cols) ||
             XGBoosterSetParam(r->booster, "nthread", "1") ||
             XGBoosterSetParam(r->booster, "verbosity", "0"))
        rc = xgb_err(err, -EIO, "loading a regressor");
    if (rc < 0) {
        regressor_free(r);
        return rc;
    }
    r->cols = (int)cols;
    *ret_r = r;
    return 0;
}

#else /* !HAVE_XGBOOST */

static int absent(struct err *err)
{
    return err_set(err, -ENOTSUP,
                   "this program was built without XGBoost: build it with -Dxgboost=enabled");
}

int regressor_train(const struct regressor_data *data, const struct regressor_options *opt,
                    struct regressor **ret_r, struct err *err)
{
    (void)data, (void)opt, (void)ret_r;
    return absent(err);
}

void regressor_free(struct regressor *r)
{
    (void)r;
}

int regressor_predict(const struct regressor *r, const float *x, int rows, int cols, float *ret_y,
                      struct err *err)
{
    (void)r, (void)x, (void)rows, (void)cols, (void)ret_y;
    return absent(err);
}

int regressor_importance(const struct regressor *r, double *ret_gain, struct err *err)
{
    (void)r, (void)ret_gain;
    return absent(err);
}

int regressor_set_text(struct regressor *r, const char *key, const char *text, struct err *err)
{
    (void)r, (void)key, (void)text;
    return absent(err);
}

const char *regressor_text(const struct regressor *r, const char *key)
{
    (void)r, (void)key;
    return NULL;
}

int regressor_to_json(const struct regressor *r, char **ret_json, struct err *err)
{
    (void)r, (void)ret_json;
    return absent(err);
}

int regressor_from_json(const char *json, struct regressor **ret_r, struct err *err)
{
    (void)json, (void)ret_r;
    return absent(err);
}
#endif
