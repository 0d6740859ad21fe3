#include "harness/model/natural.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COPY_BYTES = 4 << 20 };

bool natural_layout(const struct model *m, int w, struct natural *ret_n)
{
    if (m->weight[w].vector)
        return false;
    for (int l = m->weight[w].first; l <= m->weight[w].last; l++)
        for (int i = 0; i < m->layer[l].io.n - 1; i++) {
            if (m->layer[l].source[i].kind != SOURCE_WEIGHT || m->layer[l].source[i].index != w)
                continue;
            if (strcmp(m->layer[l].c.op->name, "gather") == 0)
                return false;
            *ret_n = natural_of(&m->layer[l].c, &m->weight[w].desc);
        }
    return true;
}

int natural_path(const struct weights_file *f, char *ret_path, size_t size, struct err *err)
{
    static const char end[] = ".safetensors";
    size_t n = strlen(f->path);
    int len;

    if (n >= sizeof(end) && strcmp(f->path + n - (sizeof(end) - 1), end) == 0)
        n -= sizeof(end) - 1;
    len = snprintf(ret_path, size, "%.*s.natural%s", (int)n, f->path, end);
    return len > 0 && (size_t)len < size
               ? 0
               : err_set(err, -ENAMETOOLONG, "'%s': the name is too long", f->path);
}

static int pread_all(int fd, void *to, size_t bytes, uint64_t at)
{
    size_t done = 0;

    while (done < bytes) {
        ssize_t n = pread(fd, (char *)to + done, bytes - done, (off_t)(at + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        done += (size_t)n;
    }
    return 0;
}

static int pwrite_all(int fd, const void *from, size_t bytes, uint64_t at)
{
    size_t done = 0;

    while (done < bytes) {
        ssize_t n = pwrite(fd, (const char *)from + done, bytes - done, (off_t)(at + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        done += (size_t)n;
    }
    return 0;
}

/* Of the same bytes up to the first matrix, and not older. */
static bool good(const struct weights_file *f, int from, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat a, b;
    char *x = malloc(f->bundle_offset + 1), *y = malloc(f->bundle_offset + 1);
    bool same =
        fd >= 0 && x && y && fstat(from, &a) == 0 && fstat(fd, &b) == 0 && a.st_size == b.st_size &&
        (a.st_mtim.tv_sec < b.st_mtim.tv_sec ||
         (a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec <= b.st_mtim.tv_nsec)) &&
        pread_all(from, x, f->bundle_offset, 0) == 0 &&
        pread_all(fd, y, f->bundle_offset, 0) == 0 && memcmp(x, y, f->bundle_offset) == 0;

    free(x);
    free(y);
    if (fd >= 0)
        close(fd);
    return same;
}

static int copy_file(const struct weights_file *f, int from, int to, bool (*stop)(void))
{
    char *buffer = malloc(COPY_BYTES);
    int rc = buffer ? 0 : -ENOMEM;

    for (uint64_t at = 0; at < f->size_bytes && rc == 0; at += COPY_BYTES) {
        uint64_t left = f->size_bytes - at, n = left < COPY_BYTES ? left : COPY_BYTES;

        rc = stop && stop() ? -EINTR : pread_all(from, buffer, n, at);
        if (rc == 0)
            rc = pwrite_all(to, buffer, n, at);
    }
    free(buffer);
    return rc;
}

static int put_weight(const struct model *m, const struct weights_file *f, int w, int to,
                      struct err *err)
{
    const struct tensor_desc *d = &m->weight[w].desc;
    size_t n = (size_t)(d->rows * d->cols);
    float *value = malloc(n * sizeof(float)), *natural = malloc(n * sizeof(float));
    struct natural layout;
    int rc =
        value && natural ? 0 : err_set(err, -ENOMEM, "out of memory for '%s'", m->weight[w].name);

    if (rc == 0)
        rc = weights_read(m, f, w, value, err);
    if (rc == 0) {
        natural_layout(m, w, &layout);
        natural_put(&layout, d, value, natural);
        if (d->dtype == DTYPE_F16) /* in place: two bytes for four */
            for (size_t i = 0; i < n; i++)
                ((uint16_t *)(void *)value)[i] = half_from_float(natural[i]);
        rc = pwrite_all(to, d->dtype == DTYPE_F16 ? value : natural, n * dtype_bytes(d->dtype),
                        f->offset_bytes[w]);
        if (rc < 0)
            err_set(err, rc, "weight '%s': %s", m->weight[w].name, strerror(-rc));
    }
    free(value);
    free(natural);
    return rc;
}

static int write_all(const struct model *m, const struct weights_file *f, int from, int to,
                     bool (*stop)(void), struct err *err)
{
    struct natural n;
    int rc = copy_file(f, from, to, stop);

    if (rc < 0)
        return err_set(err, rc, "%s", rc == -EINTR ? "interrupted" : strerror(-rc));
    for (int w = 0; w < m->n_weights && rc == 0; w++) {
        if (stop && stop())
            return err_set(err, -EINTR, "interrupted");
        if (natural_layout(m, w, &n) && !n.same)
            rc = put_weight(m, f, w, to, err);
    }
    if (rc == 0 && fsync(to) < 0)
        rc = err_set(err, -errno, "%s", strerror(errno));
    return rc;
}

int natural_write(const struct model *m, const struct weights_file *f, const char *path,
                  bool (*stop)(void), bool *ret_written, struct err *err)
{
    char *tmp = malloc(strlen(path) + 8);
    int from = open(f->path, O_RDONLY | O_CLOEXEC), to = -1, rc = 0;
    bool there = from >= 0 && good(f, from, path);

    if (!tmp)
        rc = err_set(err, -ENOMEM, "out of memory");
    else if (from < 0)
        rc = err_set(err, -errno, "'%s': %s", f->path, strerror(errno));
    if (rc < 0 || there)
        goto out;
    sprintf(tmp, "%s.tmp", path);
    to = open(tmp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    rc =
        to < 0 ? err_set(err, -errno, "%s", strerror(errno)) : write_all(m, f, from, to, stop, err);
    if (to >= 0 && close(to) < 0 && rc == 0)
        rc = err_set(err, -errno, "%s", strerror(errno));
    if (rc == 0 && rename(tmp, path) < 0)
        rc = err_set(err, -errno, "%s", strerror(errno));
    if (rc < 0) {
        unlink(tmp);
        err_prefix(err, "writing '%s'", path);
    }
out:
    if (from >= 0)
        close(from);
    free(tmp);
    if (rc == 0 && ret_written)
        *ret_written = !there;
    return rc;
}
