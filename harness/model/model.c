#include "harness/model/model.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/model/graph.h"
#include "harness/text/csv.h"
#include "profiler/hash.h"

/* ---- where ---- */

static bool is_folder(const char *path)
{
    char probe[PATH_MAX];

    return snprintf(probe, sizeof(probe), "%s/models", path) < (int)sizeof(probe) &&
           access(probe, R_OK | X_OK) == 0;
}

const char *model_datasets_dir(void)
{
    static const char *const beside[] = {"datasets", "../share/flashmem/datasets"};
    static char dir[PATH_MAX];
    const char *set = getenv("FLASHMEM_DATASETS");
    ssize_t n;

    if (set && *set)
        return set;
    if (dir[0])
        return dir;
    for (size_t i = 0; i < sizeof(beside) / sizeof(*beside); i++) {
        char exe[PATH_MAX / 2];
        char *slash;

        n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
        if (n <= 0)
            break;
        exe[n] = '\0';
        slash = strrchr(exe, '/');
        if (!slash)
            break;
        *slash = '\0';
        snprintf(dir, sizeof(dir), "%s/%s", exe, beside[i]);
        if (is_folder(dir))
            return dir;
    }
    snprintf(dir, sizeof(dir), "%s", FLASHMEM_SOURCE_DATASETS);
    return dir;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* " DeepViT DepA-L ...": what is in datasets/models. */
static void known_models(const char *dir, char *text, size_t size)
{
    struct dirent *e;
    char *name[64];
    int n = 0;
    DIR *d = opendir(dir);

    text[0] = '\0';
    if (!d)
        return;
    while ((e = readdir(d)) && n < 64) {
        size_t length = strlen(e->d_name);

        if (length > 4 && strcmp(e->d_name + length - 4, ".csv") == 0 && e->d_name[0] != '.') {
            name[n] = strndup(e->d_name, length - 4);
            n += name[n] != NULL;
        }
    }
    closedir(d);
    qsort(name, (size_t)n, sizeof(*name), by_name);
    for (int i = 0; i < n; i++) {
        size_t used = strlen(text);

        snprintf(text + used, size - used, " %s", name[i]);
        free(name[i]);
    }
}

int model_hash(const char *path, uint64_t *ret_hash, struct err *err)
{
    FILE *f = fopen(path, "rb");
    char block[65536];
    uint64_t h = HASH_INIT;
    size_t n;
    int rc = 0;

    if (!f)
        return err_set(err, -errno, "cannot read '%s': %s", path, strerror(errno));
    while ((n = fread(block, 1, sizeof(block), f)) > 0)
        h = hash_bytes(h, block, n);
    if (ferror(f))
        rc = err_set(err, -EIO, "cannot read '%s': %s", path, strerror(errno));
    else
        *ret_hash = h;
    fclose(f);
    return rc;
}

static int read_graph(const char *path, enum dtype dtype, struct model **ret_m, struct err *err)
{
    struct model *m;
    int rc = graph_read(path, dtype, &m, err);

    if (rc < 0)
        return rc;
    rc = model_hash(path, &m->hash, err);
    if (rc < 0)
        model_free(m);
    else
        *ret_m = m;
    return rc;
}

int model_dataset(const char *file, const char *const *required, struct csv *ret_csv,
                  struct err *err)
{
    char path[PATH_MAX];
    int rc;

    if (snprintf(path, sizeof(path), "%s/%s", model_datasets_dir(), file) >= (int)sizeof(path))
        return err_set(err, -ENAMETOOLONG, "'%s': too long a path", model_datasets_dir());
    rc = csv_read(path, NULL, 0, required, NULL, ret_csv, err);
    return rc == -ENOENT ? err_set(err, rc, "no '%s': " MODEL_DATASETS_HINT, path) : rc;
}

int model_read(const char *name, enum dtype dtype, struct model **ret_m, struct err *err)
{
    size_t length = strlen(name);
    char path[PATH_MAX], dir[PATH_MAX], known[512];

    if (strchr(name, '/') || (length > 4 && strcmp(name + length - 4, ".csv") == 0))
        return read_graph(name, dtype, ret_m, err);
    if (snprintf(dir, sizeof(dir), "%s/models", model_datasets_dir()) >= (int)sizeof(dir) ||
        snprintf(path, sizeof(path), "%s/%s.csv", dir, name) >= (int)sizeof(path))
        return err_set(err, -ENAMETOOLONG, "model name of %zu characters", length);
    if (length == 0 || access(path, F_OK) < 0) {
        known_models(dir, known, sizeof(known));
        if (!known[0])
            return err_set(err, -ENOENT, "no model '%s', nor any other in '%s': " MODEL_DATASETS_HINT,
                           name, dir);
        return err_set(err, -ENOENT,
                       "no model '%s' in '%s'; want a path to a graph CSV or one of:%s", name, dir,
                       known);
    }
    return read_graph(path, dtype, ret_m, err);
}

void model_free(struct model *m)
{
    if (!m)
        return;
    for (int i = 0; i < m->n_inputs; i++)
        free(m->input[i].name);
    for (int i = 0; i < m->n_layers; i++)
        free(m->layer[i].name);
    for (int i = 0; i < m->n_weights; i++)
        free(m->weight[i].name);
    free(m->input);
    free(m->layer);
    free(m->weight);
    free(m->name);
    free(m->path);
    free(m);
}

/* ---- sizes ---- */

/* Rows of the weight that layer l reads, -1 if it does not read it. */
static int64_t rows_read(const struct layer *l, int weight)
{
    int64_t rows = -1, ids = -1;

    for (int i = 0; i + 1 < l->io.n; i++) {
        if (l->io.slot[i].role == ROLE_IDS)
            ids = l->io.slot[i].desc.cols;
        else if (l->io.slot[i].role == ROLE_WEIGHT && l->source[i].index == weight)
            rows = l->io.slot[i].desc.rows;
    }
    return rows >= 0 && ids >= 0 && ids < rows ? ids : rows;
}

uint64_t model_weight_read_bytes(const struct model *m, int weight)
{
    const struct weight *w = &m->weight[weight];
    uint64_t row_bytes = tensor_bytes(&w->desc) / (uint64_t)w->desc.rows;
    int64_t rows = 0;

    assert(weight >= 0 && weight < m->n_weights);
    if (w->vector)
        return tensor_bytes(&w->desc);
    for (int i = w->first; i <= w->last; i++) {
        int64_t r = rows_read(&m->layer[i], weight);

        rows += r > 0 ? r : 0;
    }
    return row_bytes * (uint64_t)(rows < w->desc.rows ? rows : w->desc.rows);
}

void model_cost(const struct model *m, struct model_cost *ret_cost)
{
    struct model_cost sum = {.weight_bytes = m->bundle_bytes};

    for (int i = 0; i < m->n_weights; i++) {
        const struct weight *w = &m->weight[i];

        sum.params += (double)w->desc.rows * (double)w->desc.cols;
        if (!w->vector)
            sum.weight_bytes += tensor_bytes(&w->desc);
    }
    for (int i = 0; i < m->n_layers; i++) {
        double macs = 0, ops = 0;

        m->layer[i].c.op->cost(&m->layer[i].c, &macs, &ops);
        sum.macs += macs;
    }
    *ret_cost = sum;
}
