#include "harness/onnx/external.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct range {
    const char *tensor;
    int file;
    uint64_t begin, end;
};

struct external {
    struct arena *a;
    char *folder; /* real path */
    int n_files, n_ranges;
    char **location; /* [n_files] */
    struct mapped *file;
    struct range *range;
};

/* ---- mapped files ---- */

void mapped_open(struct arena *a, const char *path, struct mapped *ret_m)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not make us wait */
    struct stat st;
    void *data;

    if (fd < 0)
        arena_fail(a, -errno, "cannot read '%s': %s", path, strerror(errno));
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0) {
        close(fd);
        arena_fail(a, -EINVAL, "'%s' is empty or no regular file", path);
    }
    data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (data == MAP_FAILED)
        arena_fail(a, -errno, "cannot map '%s': %s", path, strerror(errno));
    ret_m->data = data;
    ret_m->size = (size_t)st.st_size;
    ret_m->path = arena_text(a, path, strlen(path));
}

void mapped_close(struct mapped *m)
{
    if (m->data)
        munmap((void *)m->data, m->size);
    *m = (struct mapped){0};
}

/* ---- external data ---- */

struct external *external_new(struct arena *a, const char *model_path)
{
    struct external *e = NEW(a, struct external);
    char real[PATH_MAX];

    if (!realpath(model_path, real))
        arena_fail(a, -errno, "cannot read '%s': %s", model_path, strerror(errno));
    *strrchr(real, '/') = '\0';
    e->a = a;
    e->folder = arena_text(a, real, strlen(real));
    return e;
}

void external_free(struct external *e)
{
    for (int i = 0; e && i < e->n_files; i++)
        mapped_close(&e->file[i]);
}

/* Index of an opened file. What is opened must lie below the folder when all links are followed. */
static int open_file(struct external *e, const char *tensor, const char *location)
{
    char path[PATH_MAX], real[PATH_MAX];
    size_t n = strlen(e->folder);

    for (int i = 0; i < e->n_files; i++)
        if (strcmp(e->location[i], location) == 0)
            return i;
    if (!*location || *location == '/' || strstr(location, "..") ||
        snprintf(path, sizeof(path), "%s/%s", e->folder, location) >= (int)sizeof(path))
        arena_fail(e->a, -EINVAL,
                   "tensor '%.200s': its data is in '%.200s', not in the model's "
                   "folder",
                   tensor, location);
    if (!realpath(path, real))
        arena_fail(e->a, -errno, "tensor '%.200s': cannot read its data in '%s': %s", tensor, path,
                   strerror(errno));
    if (strncmp(real, e->folder, n) != 0 || real[n] != '/')
        arena_fail(e->a, -EINVAL,
                   "tensor '%.200s': its data in '%.200s' leads out of the model's "
                   "folder",
                   tensor, location);
    e->file = arena_grow(e->a, e->file, (size_t)e->n_files, sizeof(*e->file));
    e->location = arena_grow(e->a, e->location, (size_t)e->n_files, sizeof(*e->location));
    e->file[e->n_files] = (struct mapped){0};
    e->location[e->n_files] = arena_text(e->a, location, strlen(location));
    mapped_open(e->a, real, &e->file[e->n_files]);
    return e->n_files++;
}

/* A decimal number; NULL or "": `def`. */
static bool parse_u64(const char *text, uint64_t def, uint64_t *ret_v)
{
    char *end;

    *ret_v = def;
    if (!text || !*text)
        return true;
    errno = 0;
    *ret_v = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' && *text >= '0' && *text <= '9';
}

const void *external_map(struct external *e, const char *tensor, const char *location,
                         const char *offset, const char *length, uint64_t bytes)
{
    uint64_t begin, size;
    int file;

    if (!location)
        arena_fail(e->a, -EINVAL, "tensor '%.200s' does not say where its data is", tensor);
    file = open_file(e, tensor, location);
    if (!parse_u64(offset, 0, &begin) || !parse_u64(length, bytes, &size))
        arena_fail(e->a, -EINVAL, "tensor '%.200s': offset and length want whole numbers", tensor);
    if (size != bytes)
        arena_fail(e->a, -EINVAL,
                   "tensor '%.200s' has %" PRIu64 " bytes in '%.200s', its shape "
                   "wants %" PRIu64,
                   tensor, size, location, bytes);
    if (begin > e->file[file].size || bytes > e->file[file].size - begin)
        arena_fail(e->a, -EINVAL,
                   "tensor '%.200s' ends at %" PRIu64 " of '%.200s', which has %zu "
                   "bytes",
                   tensor, begin + bytes, location, e->file[file].size);
    e->range = arena_grow(e->a, e->range, (size_t)e->n_ranges, sizeof(*e->range));
    e->range[e->n_ranges++] = (struct range){tensor, file, begin, begin + bytes};
    return e->file[file].data + begin;
}

static int by_place(const void *a_, const void *b_)
{
    const struct range *a = a_, *b = b_;

    if (a->file != b->file)
        return a->file < b->file ? -1 : 1;
    return (a->begin > b->begin) - (a->begin < b->begin);
}

void external_check(struct external *e)
{
    const struct range *last = NULL; /* non-empty */

    if (e->n_ranges)
        qsort(e->range, (size_t)e->n_ranges, sizeof(*e->range), by_place);
    for (int i = 0; i < e->n_ranges; i++) {
        const struct range *r = &e->range[i];

        if (r->begin == r->end)
            continue;
        if (last && last->file == r->file && r->begin < last->end)
            arena_fail(e->a, -EINVAL, "tensors '%.200s' and '%.200s' overlap in '%.200s'",
                       last->tensor, r->tensor, e->location[r->file]);
        last = r;
    }
}
