/* harness/model/weights_file.c - opening a weights file: nothing in it is believed. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/model/weights.h"

enum { ALIGN = 4096, HEADER_MAX = 64 << 20 };

struct span {
    const char *name; /* borrowed from the JSON */
    uint64_t begin, end;
};

struct opener {
    const struct model *m;
    const char *path;
    char command[1024]; /* that makes the file, to be pasted */
    int fd;
    uint64_t size, data;     /* of the file; where the header ends */
    json_t *root, *vectors;  /* the header; the index of the vectors */
    struct span *span;       /* all tensors, by offset */
    size_t n_spans;
    struct weights_file f;
    struct err *err;
};

static int fail(struct opener *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int fail(struct opener *o, const char *fmt, ...)
{
    char what[ERR_TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    return err_set(o->err, -EINVAL, "'%s': %s", o->path, what);
}

/* ---- the header's text ---- */

static int read_all(struct opener *o, void *to, size_t n, uint64_t at)
{
    char *p = to;

    while (n > 0) {
        ssize_t got = pread(o->fd, p, n, (off_t)at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set(o->err, -errno, "cannot read '%s': %s", o->path, strerror(errno));
        if (got == 0)
            return fail(o, "torn: it ends in its header; write it again with '%s'", o->command);
        p += got;
        at += (uint64_t)got;
        n -= (size_t)got;
    }
    return 0;
}

static int read_header(struct opener *o)
{
    unsigned char start[8];
    uint64_t length = 0;
    json_error_t why;
    char *text;
    int rc;

    rc = read_all(o, start, sizeof(start), 0);
    if (rc < 0)
        return rc;
    for (int i = 0; i < 8; i++)
        length |= (uint64_t)start[i] << (8 * i);
    if (length < 2 || length > HEADER_MAX || (length + 8) % ALIGN != 0)
        return fail(o, "not a flashmem weights file: header of %" PRIu64 " bytes", length);
    if (length > o->size - 8)
        return fail(o, "torn: it ends in its header; write it again with '%s'", o->command);
    text = malloc((size_t)length);
    if (!text)
        return err_set(o->err, -ENOMEM, "out of memory for the header of '%s'", o->path);
    rc = read_all(o, text, (size_t)length, 8);
    if (rc == 0) { /* jansson stops at a depth of 2048 by itself */
        o->root = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, &why);
        if (!o->root)
            rc = fail(o, "its header is not JSON: %s at byte %d", why.text, why.position);
        else if (!json_is_object(o->root))
            rc = fail(o, "its header is not a JSON object");
    }
    free(text);
    o->data = length + 8;
    return rc;
}

/* ---- all tensors ---- */

static int read_span(struct opener *o, const char *name, json_t *tensor, struct span *ret)
{
    json_t *offsets = json_object_get(tensor, "data_offsets");
    json_int_t begin = json_integer_value(json_array_get(offsets, 0));
    json_int_t end = json_integer_value(json_array_get(offsets, 1));

    if (json_array_size(offsets) != 2 || !json_is_integer(json_array_get(offsets, 0)) ||
        !json_is_integer(json_array_get(offsets, 1)) || begin < 0 || end < begin)
        return fail(o, "tensor '%.80s': want data_offsets [begin, end]", name);
    *ret = (struct span){name, (uint64_t)begin, (uint64_t)end};
    return 0;
}

static int by_offset(const void *a, const void *b)
{
    const struct span *x = a, *y = b;

    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

/* Tensors follow each other without holes or overlaps and end where the file ends. */
static int check_spans(struct opener *o)
{
    size_t n = json_object_size(o->root), i = 0;
    uint64_t at = 0;
    const char *name;
    json_t *tensor;

    o->span = calloc(n ? n : 1, sizeof(*o->span));
    if (!o->span)
        return err_set(o->err, -ENOMEM, "out of memory for the header of '%s'", o->path);
    json_object_foreach(o->root, name, tensor)
    {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        if (read_span(o, name, tensor, &o->span[i++]) < 0)
            return -EINVAL;
    }
    o->n_spans = i;
    qsort(o->span, o->n_spans, sizeof(*o->span), by_offset);
    for (i = 0; i < o->n_spans; i++) {
        if (o->span[i].begin != at)
            return fail(o, "tensor '%.80s' begins at %" PRIu64 ", the one before ends at %" PRIu64,
                        o->span[i].name, o->span[i].begin, at);
        at = o->span[i].end;
    }
    if (at != o->size - o->data)
        return fail(o, "torn: %" PRIu64 " bytes of data, want %" PRIu64
                       "; write it again with '%s'",
                    o->size - o->data, at, o->command);
    return 0;
}

/* ---- metadata ---- */

static int check_text(struct opener *o, json_t *meta, const char *key, const char *want)
{
    const char *got = json_string_value(json_object_get(meta, key));

    if (got && strcmp(got, want) == 0)
        return 0;
    return fail(o, "%s is '%.80s', want '%s'; write it again with '%s'", key,
                got ? got : "", want, o->command);
}

static int check_metadata(struct opener *o)
{
    json_t *meta = json_object_get(o->root, "__metadata__");
    const char *seed = json_string_value(json_object_get(meta, "seed"));
    const char *source = json_string_value(json_object_get(meta, "source"));
    const char *vectors = json_string_value(json_object_get(meta, "vectors"));
    char hash[17], *end;

    snprintf(hash, sizeof(hash), "%016" PRIx64, o->m->hash);
    if (check_text(o, meta, "format", "flashmem-weights") < 0 ||
        check_text(o, meta, "version", "1") < 0 || check_text(o, meta, "model", o->m->name) < 0 ||
        check_text(o, meta, "dtype", dtype_name(o->m->dtype)) < 0 ||
        check_text(o, meta, "graph_hash", hash) < 0)
        return -EINVAL;
    errno = 0;
    o->f.seed = seed ? strtoull(seed, &end, 10) : 0;
    o->f.seeded = seed || !source || strcmp(source, "imported") != 0;
    if (o->f.seeded && (!seed || seed[0] < '0' || seed[0] > '9' || *end || errno))
        return fail(o, "seed is '%.80s', want a whole number", seed ? seed : "");
    o->vectors = vectors ? json_loads(vectors, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (!json_is_object(o->vectors))
        return fail(o, "its metadata has no index of vectors");
    return 0;
}

/* ---- the model's weights ---- */

static json_int_t item(json_t *array, size_t i)
{
    json_t *v = json_array_get(array, i);

    return json_is_integer(v) ? json_integer_value(v) : -1;
}

/* dtype, shape (rows 0: one axis), alignment and length; the offset in the file. */
static int check_tensor(struct opener *o, const char *name, int64_t rows, int64_t cols,
                        uint64_t bytes, uint64_t *ret_offset)
{
    json_t *tensor = json_object_get(o->root, name);
    json_t *shape = json_object_get(tensor, "shape");
    const char *dtype = json_string_value(json_object_get(tensor, "dtype"));
    const char *want = o->m->dtype == DTYPE_F16 ? "F16" : "F32";
    size_t axes = rows ? 2 : 1;
    struct span s;

    if (!tensor)
        return fail(o, "tensor '%s' is missing", name);
    if (!dtype || strcmp(dtype, want) != 0)
        return fail(o, "tensor '%s' is of '%.16s', want '%s'", name, dtype ? dtype : "", want);
    if (json_array_size(shape) != axes || (rows && item(shape, 0) != rows) ||
        item(shape, axes - 1) != cols)
        return fail(o, "tensor '%s': want shape [%" PRId64 ", %" PRId64 "]", name, rows ? rows : 1,
                    cols);
    if (read_span(o, name, tensor, &s) < 0)
        return -EINVAL;
    if (s.begin % ALIGN != 0)
        return fail(o, "tensor '%s' begins at %" PRIu64 ", want a multiple of %d", name,
                    o->data + s.begin, ALIGN);
    if (s.end - s.begin != bytes)
        return fail(o, "tensor '%s' has %" PRIu64 " bytes, want %" PRIu64, name, s.end - s.begin,
                    bytes);
    *ret_offset = o->data + s.begin;
    return 0;
}

static int check_vector(struct opener *o, const struct weight *w, uint64_t *ret_offset)
{
    json_t *entry = json_object_get(o->vectors, w->name);
    uint64_t want = (uint64_t)w->vector_texel * 4 * dtype_bytes(o->m->dtype);

    if (json_array_size(entry) != 2 || item(entry, 0) != (json_int_t)want ||
        item(entry, 1) != w->desc.cols)
        return fail(o, "vector '%s': want [%" PRIu64 ",%" PRId64 "] in the index of vectors",
                    w->name, want, w->desc.cols);
    *ret_offset = want;
    return 0;
}

static int check_weights(struct opener *o)
{
    const struct model *m = o->m;
    uint64_t last = 0;
    size_t known = 0;
    int rc;

    o->f.offset_bytes = calloc((size_t)m->n_weights + 1, sizeof(*o->f.offset_bytes));
    if (!o->f.offset_bytes)
        return err_set(o->err, -ENOMEM, "out of memory");
    if (m->bundle_bytes) {
        rc = check_tensor(o, "__vectors", 0, (int64_t)(m->bundle_bytes / dtype_bytes(m->dtype)),
                          m->bundle_bytes, &o->f.bundle_offset);
        if (rc < 0)
            return rc;
        last = o->f.bundle_offset;
        known++;
    }
    for (int i = 0; i < m->n_weights; i++) {
        const struct weight *w = &m->weight[i];

        if (w->vector) {
            if (check_vector(o, w, &o->f.offset_bytes[i]) < 0)
                return -EINVAL;
            continue;
        }
        rc = check_tensor(o, w->name, w->desc.rows, 4 * tensor_texel_cols(&w->desc),
                          tensor_bytes(&w->desc), &o->f.offset_bytes[i]);
        if (rc < 0)
            return rc;
        if (o->f.offset_bytes[i] < last)
            return fail(o, "tensor '%s' is not in the order in which the model needs it", w->name);
        last = o->f.offset_bytes[i];
        known++;
    }
    for (size_t i = 0; i < o->n_spans; i++)
        known += strncmp(o->span[i].name, "__pad.", 6) == 0;
    if (known != o->n_spans)
        return fail(o, "it has tensors that the model lacks");
    return 0;
}

/* ---- */

static int open_file(struct opener *o)
{
    struct stat st;

    o->fd = open(o->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not make us wait */
    if (o->fd < 0 && errno == ENOENT)
        return err_set(o->err, -ENOENT,
                       "no weights file '%s': make it with '%s', or set FLASHMEM_WEIGHTS to its folder",
                       o->path, o->command);
    if (o->fd < 0)
        return err_set(o->err, -errno, "cannot read '%s': %s", o->path, strerror(errno));
    if (fstat(o->fd, &st) < 0 || !S_ISREG(st.st_mode))
        return fail(o, "not a regular file");
    o->size = (uint64_t)st.st_size;
    return 0;
}

/* A model goes by its name in datasets/, else by its graph's path. */
static void make_command(struct opener *o)
{
    char zoo[PATH_MAX], usual[PATH_MAX];
    int n;

    snprintf(zoo, sizeof(zoo), "%s/models/%s.csv", model_datasets_dir(), o->m->name);
    weights_default_path(o->m, usual, sizeof(usual));
    n = snprintf(o->command, sizeof(o->command), "flashmem weights %s --dtype %s",
                 strcmp(zoo, o->m->path) == 0 ? o->m->name : o->m->path, dtype_name(o->m->dtype));
    if (strcmp(usual, o->path) != 0 && n < (int)sizeof(o->command))
        snprintf(o->command + n, sizeof(o->command) - (size_t)n, " --out %s", o->path);
}

int weights_open(const struct model *m, const char *path, struct weights_file *ret_f,
                 struct err *err)
{
    struct opener o = {.m = m, .path = path, .fd = -1, .err = err};
    int rc;

    make_command(&o);
    rc = open_file(&o);
    if (rc == 0)
        rc = read_header(&o);
    if (rc == 0)
        rc = check_metadata(&o);
    if (rc == 0)
        rc = check_spans(&o);
    if (rc == 0)
        rc = check_weights(&o);
    if (rc == 0) {
        o.f.path = strdup(path);
        if (!o.f.path)
            rc = err_set(err, -ENOMEM, "out of memory");
    }
    if (rc == 0) {
        o.f.size_bytes = o.size;
        *ret_f = o.f;
        o.f = (struct weights_file){0};
    }
    weights_done(&o.f);
    free(o.span);
    json_decref(o.vectors);
    json_decref(o.root);
    if (o.fd >= 0)
        close(o.fd);
    return rc;
}

void weights_done(struct weights_file *f)
{
    free(f->path);
    free(f->offset_bytes);
    *f = (struct weights_file){0};
}

int weights_read(const struct model *m, const struct weights_file *f, int weight,
                 float *ret_values, struct err *err)
{
    const struct weight *w = &m->weight[weight];
    size_t bytes = (size_t)tensor_bytes(&w->desc), done = 0;
    uint64_t at = f->offset_bytes[weight] + (w->vector ? f->bundle_offset : 0);
    char *texels = malloc(bytes);
    int fd = texels ? open(f->path, O_RDONLY | O_CLOEXEC) : -1, rc = 0;

    if (!texels)
        return err_set(err, -ENOMEM, "out of memory for '%s'", w->name);
    if (fd < 0)
        rc = err_set(err, -errno, "cannot read '%s': %s", f->path, strerror(errno));
    while (rc == 0 && done < bytes) {
        ssize_t got = pread(fd, texels + done, bytes - done, (off_t)(at + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            rc = err_set(err, -EIO, "cannot read '%s' of '%s'", w->name, f->path);
        else
            done += (size_t)got;
    }
    if (rc == 0)
        tensor_unpack(&w->desc, texels, ret_values);
    if (fd >= 0)
        close(fd);
    free(texels);
    return rc;
}

void weights_default_path(const struct model *m, char *ret_path, size_t size)
{
    const char *folder = getenv("FLASHMEM_WEIGHTS");

    snprintf(ret_path, size, "%s/%s.%s.safetensors", folder && *folder ? folder : "weights",
             m->name, dtype_name(m->dtype));
}
