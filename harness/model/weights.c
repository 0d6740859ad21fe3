#include "harness/model/weights.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "harness/model/random.h"
#include "harness/text/units.h"

/* Pages of a file system and sectors of a disk: O_DIRECT reads begin and end at these. */
enum { ALIGN = 4096, SLICE_BYTES = 4 << 20, MAX_THREADS = 32 };

static uint64_t align_up(uint64_t v)
{
    return (v + ALIGN - 1) / ALIGN * ALIGN;
}

/* ---- values ---- */

static void values_of_rows(const struct weight *w, uint64_t seed, int64_t row, int64_t rows,
                           float *ret_values)
{
    uint64_t first = (uint64_t)(row * w->desc.cols), n = (uint64_t)(rows * w->desc.cols);

    if (w->init == INIT_CONST) {
        for (uint64_t i = 0; i < n; i++)
            ret_values[i] = (float)w->init_value;
        return;
    }
    random_normal(random_stream(seed, w->name), first, n, w->init_mean, w->init_value, ret_values);
}

void weights_values(const struct model *m, int weight, uint64_t seed, float *ret_values)
{
    assert(weight >= 0 && weight < m->n_weights);
    values_of_rows(&m->weight[weight], seed, 0, m->weight[weight].desc.rows, ret_values);
}

struct seeded {
    const struct model *m;
    uint64_t seed;
};

static int seeded_rows(void *ctx, int weight, int64_t row, int64_t rows, float *ret_values)
{
    const struct seeded *s = ctx;

    values_of_rows(&s->m->weight[weight], s->seed, row, rows, ret_values);
    return 0;
}

/* ---- header ---- */

static const char *dtype_tag(const struct model *m)
{
    return m->dtype == DTYPE_F16 ? "F16" : "F32";
}

/* One tensor and the gap behind it; offsets count from the end of the header. */
static void put_tensor(FILE *f, const char *name, const char *dtype, int64_t rows, int64_t cols,
                       uint64_t *offset, uint64_t bytes, int *pads)
{
    uint64_t end = *offset + bytes, next = align_up(end);

    fprintf(f, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[", name, dtype);
    if (rows > 0)
        fprintf(f, "%" PRId64 ",", rows);
    fprintf(f, "%" PRId64 "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", cols, *offset, end);
    if (next > end)
        fprintf(f,
                ",\"__pad.%d\":{\"dtype\":\"U8\",\"shape\":[%" PRIu64 "],\"data_offsets\":[%" PRIu64
                ",%" PRIu64 "]}",
                (*pads)++, next - end, end, next);
    *offset = next;
}

/* The two indexes are JSON inside a JSON string, because metadata values must be strings. Names
 * need no escapes: graph.c sees to that. */
static void put_metadata(FILE *f, const struct model *m, const uint64_t *seed)
{
    const char *comma = "";

    fprintf(f,
            "{\"__metadata__\":{\"format\":\"flashmem-weights\",\"version\":\"1\",\"model\":\"%s\","
            "\"graph_hash\":\"%016" PRIx64 "\",\"dtype\":\"%s\",",
            m->name, m->hash, dtype_name(m->dtype));
    if (seed)
        fprintf(f, "\"seed\":\"%" PRIu64 "\",", *seed);
    else
        fputs("\"source\":\"imported\",", f);
    fputs("\"vectors\":\"{", f);
    for (int i = 0; i < m->n_weights; i++) {
        const struct weight *w = &m->weight[i];

        if (!w->vector)
            continue;
        fprintf(f, "%s\\\"%s\\\":[%" PRIu64 ",%" PRId64 "]", comma, w->name,
                (uint64_t)w->vector_texel * 4 * dtype_bytes(m->dtype), w->desc.cols);
        comma = ",";
    }
    fputs("}\",\"matrices\":\"{", f);
    comma = "";
    for (int i = 0; i < m->n_weights; i++) {
        const struct tensor_desc *d = &m->weight[i].desc;

        if (m->weight[i].vector)
            continue;
        fprintf(f, "%s\\\"%s\\\":[%" PRId64 ",%" PRId64 ",%" PRId64 "]", comma, m->weight[i].name,
                d->rows, d->cols, d->inner ? d->inner : d->cols);
        comma = ",";
    }
    fputs("}\"}", f);
}

/* Length and text, padded with blanks to a multiple of ALIGN; freed by the caller. */
static int make_header(const struct model *m, const uint64_t *seed, char **ret_header,
                       uint64_t *ret_size, uint64_t *ret_data_bytes, struct err *err)
{
    char *text = NULL;
    size_t n = 0;
    uint64_t offset = 0, length;
    int pads = 0;
    FILE *f = open_memstream(&text, &n);

    if (!f)
        return err_set(err, -ENOMEM, "out of memory");
    fwrite("        ", 1, 8, f);
    put_metadata(f, m, seed);
    if (m->bundle_bytes)
        put_tensor(f, "__vectors", dtype_tag(m), 0,
                   (int64_t)(m->bundle_bytes / dtype_bytes(m->dtype)), &offset, m->bundle_bytes,
                   &pads);
    for (int i = 0; i < m->n_weights; i++) {
        const struct weight *w = &m->weight[i];

        if (!w->vector)
            put_tensor(f, w->name, dtype_tag(m), w->desc.rows, 4 * tensor_texel_cols(&w->desc),
                       &offset, tensor_bytes(&w->desc), &pads);
    }
    fputc('}', f);
    fflush(f);
    fprintf(f, "%*s", (int)(align_up(n) - n), "");
    if (ferror(f) || fclose(f) != 0) {
        free(text);
        return err_set(err, -ENOMEM, "out of memory");
    }
    length = n - 8;
    for (int i = 0; i < 8; i++)
        text[i] = (char)(length >> (8 * i) & 0xff);
    *ret_header = text;
    *ret_size = n;
    *ret_data_bytes = offset;
    return 0;
}

/* ---- writing ---- */

/* The file behind its header, cut into slices that several threads make and write: any row of any
 * weight can be made alone. More threads than cores, so that the disk writes while they compute. */
struct writer {
    const struct model *m;
    struct weights_source source;
    const char *path;
    int fd;
    uint64_t header, total; /* bytes; total with the header */
    uint64_t *offset;       /* [n_weights] of matrices, from the end of the header */
    int (*progress)(void *ctx, uint64_t done, uint64_t total);
    void *ctx;
    char *bundle;

    pthread_mutex_t lock; /* of what follows */
    uint64_t next, done;  /* where the next slice begins; bytes written, with the header */
    int rc;
    struct err *err;
};

/* What one thread fills. */
struct slice {
    uint64_t begin, end; /* from the end of the header */
    char *data;          /* aligned, SLICE_BYTES */
    float *values;       /* rows of one weight, row-major; */
    char *texels;        /* the same in texel order */
};

static int64_t rows_at_once(const struct tensor_desc *d)
{
    int64_t rows = SLICE_BYTES / (16 * tensor_texel_cols(d)); /* a texel of floats */

    return rows < 1 ? 1 : rows > d->rows ? d->rows : rows;
}

/* What of data [at, at + n) lies within the slice. */
static void put(struct slice *s, uint64_t at, const char *data, uint64_t n)
{
    uint64_t from = at > s->begin ? at : s->begin, to = at + n < s->end ? at + n : s->end;

    if (from < to)
        memcpy(s->data + (from - s->begin), data + (from - at), (size_t)(to - from));
}

static int put_matrix(const struct writer *w, struct slice *s, int weight)
{
    struct tensor_desc part = w->m->weight[weight].desc; /* rows follow each other: parts pack */
    uint64_t at = w->offset[weight], row_bytes = tensor_bytes(&part) / (uint64_t)part.rows;
    int64_t rows = part.rows, step = rows_at_once(&part), row = 0, end = rows;

    if (at + tensor_bytes(&part) <= s->begin || at >= s->end)
        return 0;
    if (s->begin > at)
        row = (int64_t)((s->begin - at) / row_bytes);
    if (s->end - at < (uint64_t)rows * row_bytes)
        end = (int64_t)((s->end - at + row_bytes - 1) / row_bytes);
    for (; row < end; row += step) {
        int rc;

        part.rows = end - row < step ? end - row : step;
        rc = w->source.rows(w->source.ctx, weight, row, part.rows, s->values);
        if (rc < 0)
            return rc;
        tensor_pack(&part, s->values, s->texels);
        put(s, at + (uint64_t)row * row_bytes, s->texels, tensor_bytes(&part));
    }
    return 0;
}

static int write_at(int fd, const char *data, uint64_t n, uint64_t at)
{
    while (n > 0) {
        ssize_t put = pwrite(fd, data, (size_t)n, (off_t)at);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -errno;
        data += put;
        at += (uint64_t)put;
        n -= (uint64_t)put;
    }
    return 0;
}

static int write_slice(const struct writer *w, struct slice *s, struct err *err)
{
    int rc;

    memset(s->data, 0, (size_t)(s->end - s->begin));
    put(s, 0, w->bundle, w->m->bundle_bytes);
    for (int i = 0; i < w->m->n_weights; i++) {
        rc = w->m->weight[i].vector ? 0 : put_matrix(w, s, i);
        if (rc < 0)
            return err_set(err, rc, "no values for '%s'", w->m->weight[i].name);
    }
    rc = write_at(w->fd, s->data, s->end - s->begin, w->header + s->begin);
    return rc < 0 ? err_set(err, rc, "cannot write '%s': %s", w->path, strerror(-rc)) : 0;
}

/* Under the lock. */
static int told(struct writer *w, uint64_t bytes)
{
    w->done += bytes;
    if (!w->progress || !w->progress(w->ctx, w->done, w->total))
        return 0;
    return err_set(w->err, -EINTR, "writing '%s' was interrupted; nothing is left of it", w->path);
}

static void *write_slices(void *ctx)
{
    struct writer *w = ctx;
    struct slice s = {0};
    struct err err;
    size_t most = SLICE_BYTES;
    int rc = 0;

    for (int i = 0; i < w->m->n_weights; i++) { /* a row may be longer than a slice */
        const struct tensor_desc *d = &w->m->weight[i].desc;
        size_t bytes = (size_t)(rows_at_once(d) * tensor_texel_cols(d)) * 16;

        most = bytes > most ? bytes : most;
    }
    s.values = malloc(most);
    s.texels = malloc(most);
    if (!s.values || !s.texels || posix_memalign((void **)&s.data, ALIGN, SLICE_BYTES) != 0)
        rc = err_set(&err, -ENOMEM, "out of memory");
    pthread_mutex_lock(&w->lock);
    while (rc == 0 && w->rc == 0 && w->header + w->next < w->total) {
        uint64_t left = w->total - w->header - w->next;

        s.begin = w->next;
        s.end = w->next += left < SLICE_BYTES ? left : SLICE_BYTES;
        pthread_mutex_unlock(&w->lock);
        rc = write_slice(w, &s, &err);
        pthread_mutex_lock(&w->lock);
        if (rc == 0 && w->rc == 0)
            w->rc = told(w, s.end - s.begin);
    }
    if (rc < 0 && w->rc == 0) {
        w->rc = rc;
        *w->err = err;
    }
    pthread_mutex_unlock(&w->lock);
    free(s.values);
    free(s.texels);
    free(s.data);
    return NULL;
}

static int make_bundle(struct writer *w)
{
    const struct model *m = w->m;

    w->bundle = calloc(1, (size_t)m->bundle_bytes + 1);
    if (!w->bundle)
        return err_set(w->err, -ENOMEM, "out of memory for %" PRIu64 " bytes of vectors",
                       m->bundle_bytes);
    for (int i = 0; i < m->n_weights; i++) {
        const struct weight *v = &m->weight[i];
        float *values;
        int rc;

        if (!v->vector)
            continue;
        values = malloc((size_t)v->desc.cols * sizeof(*values));
        if (!values)
            return err_set(w->err, -ENOMEM, "out of memory for '%s'", v->name);
        rc = w->source.rows(w->source.ctx, i, 0, 1, values);
        tensor_pack(&v->desc, values,
                    w->bundle + (size_t)v->vector_texel * 4 * dtype_bytes(m->dtype));
        free(values);
        if (rc < 0)
            return err_set(w->err, rc, "no values for '%s'", v->name);
    }
    return 0;
}

static int write_data(struct writer *w)
{
    pthread_t thread[MAX_THREADS];
    uint64_t at = align_up(w->m->bundle_bytes);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int n = 0, want = cores < 1 ? 2 : cores > MAX_THREADS / 2 ? MAX_THREADS : (int)cores * 2;
    int rc = make_bundle(w);

    if (rc < 0)
        return rc;
    w->offset = calloc((size_t)w->m->n_weights + 1, sizeof(*w->offset));
    if (!w->offset)
        return err_set(w->err, -ENOMEM, "out of memory");
    for (int i = 0; i < w->m->n_weights; i++)
        if (!w->m->weight[i].vector) {
            w->offset[i] = at;
            at += align_up(tensor_bytes(&w->m->weight[i].desc));
        }
    assert(w->header + at == w->total);
    pthread_mutex_init(&w->lock, NULL);
    while (n < want - 1 && pthread_create(&thread[n], NULL, write_slices, w) == 0)
        n++;
    write_slices(w);
    while (n > 0)
        pthread_join(thread[--n], NULL);
    pthread_mutex_destroy(&w->lock);
    return w->rc;
}

/* Room for all of it at once, and past the page cache where the file system can. Then the header.
 */
static int write_header(struct writer *w, const char *header)
{
    char *aligned;
    int rc = fallocate(w->fd, 0, 0, (off_t)w->total) < 0 && errno != EOPNOTSUPP ? -errno : 0;

    if (rc == 0)
        rc = posix_memalign((void **)&aligned, ALIGN, (size_t)w->header) ? -ENOMEM : 0;
    if (rc < 0)
        return err_set(w->err, rc, "cannot write '%s': %s", w->path, strerror(-rc));
    memcpy(aligned, header, (size_t)w->header);
    (void)fcntl(w->fd, F_SETFL, O_DIRECT);
    rc = write_at(w->fd, aligned, w->header, 0);
    if (rc == -EINVAL && fcntl(w->fd, F_SETFL, 0) == 0) /* some accept the flag alone */
        rc = write_at(w->fd, aligned, w->header, 0);
    free(aligned);
    if (rc < 0)
        return err_set(w->err, rc, "cannot write '%s': %s", w->path, strerror(-rc));
    return told(w, w->header);
}

/* ---- the file ---- */

static int check_space(const char *path, int fd, uint64_t need, struct err *err)
{
    struct statvfs fs;
    uint64_t have;
    char need_text[UNIT_TEXT], have_text[UNIT_TEXT];

    if (fstatvfs(fd, &fs) < 0)
        return err_set(err, -errno, "cannot ask for free space at '%s': %s", path, strerror(errno));
    have = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (have >= need)
        return 0;
    return err_set(err, -ENOSPC, "'%s' needs %s, its disk has %s left: free some or use --out",
                   path, format_bytes(need_text, need), format_bytes(have_text, have));
}

/* The temporary file, empty and locked: two writers of one path do not mix. */
static int open_locked(const char *tmp, struct err *err)
{
    struct stat mine, there;
    int fd;

    for (;;) {
        fd = open(tmp, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        if (fd < 0)
            return err_set(err, -errno, "cannot write '%s': %s", tmp, strerror(errno));
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
            close(fd);
            return err_set(err, -EBUSY, "'%s' is being written by another process", tmp);
        }
        /* Another writer may have renamed it between our open and our lock. */
        if (fstat(fd, &mine) == 0 && stat(tmp, &there) == 0 && mine.st_ino == there.st_ino &&
            mine.st_dev == there.st_dev)
            break;
        close(fd);
    }
    if (ftruncate(fd, 0) == 0)
        return fd;
    close(fd);
    return err_set(err, -EIO, "cannot empty '%s': %s", tmp, strerror(errno));
}

/* The rename must survive a power cut too. Some file systems cannot sync a folder: no harm. */
static void sync_folder(const char *path)
{
    char folder[PATH_MAX];
    char *slash;
    int fd;

    snprintf(folder, sizeof(folder), "%s", path);
    slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = '\0';
    fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd);
    close(fd);
}

/* `seed`: what the header says of it; NULL: nothing. */
static int write_file(const struct model *m, const struct weights_source *source,
                      const uint64_t *seed, const char *path,
                      int (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx,
                      struct err *err)
{
    struct writer w = {.m = m,
                       .source = *source,
                       .path = path,
                       .fd = -1,
                       .progress = progress,
                       .ctx = ctx,
                       .err = err};
    char tmp[PATH_MAX];
    char *header = NULL;
    int rc;

    if (snprintf(tmp, sizeof(tmp), "%s.tmp", path) >= (int)sizeof(tmp))
        return err_set(err, -ENAMETOOLONG, "path of %zu characters", strlen(path));
    rc = make_header(m, seed, &header, &w.header, &w.total, err);
    if (rc < 0)
        return rc;
    w.total += w.header;
    rc = w.fd = open_locked(tmp, err);
    if (rc < 0)
        goto out;
    rc = check_space(path, w.fd, w.total, err);
    if (rc == 0)
        rc = write_header(&w, header);
    if (rc == 0)
        rc = write_data(&w);
    assert(rc < 0 || w.done == w.total);
    if (rc == 0 && fsync(w.fd) < 0)
        rc = err_set(err, -errno, "cannot write '%s': %s", path, strerror(errno));
    if (rc == 0 && rename(tmp, path) < 0)
        rc = err_set(err, -errno, "cannot rename '%s' to '%s': %s", tmp, path, strerror(errno));
    if (rc == 0)
        sync_folder(path);
    else
        unlink(tmp);
out:
    if (w.fd >= 0)
        close(w.fd);
    free(w.bundle);
    free(w.offset);
    free(header);
    return rc;
}

int weights_write(const struct model *m, uint64_t seed, const char *path,
                  int (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx,
                  struct err *err)
{
    struct seeded s = {m, seed};
    struct weights_source source = {seeded_rows, &s};

    return write_file(m, &source, &seed, path, progress, ctx, err);
}

int weights_write_from(const struct model *m, const struct weights_source *source, const char *path,
                       int (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx,
                       struct err *err)
{
    return write_file(m, source, NULL, path, progress, ctx, err);
}
