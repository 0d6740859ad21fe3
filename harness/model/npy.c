#include "harness/model/npy.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEADER_MAX = 65536, MAX_AXES = 8, BLOCK = 4096 };

struct layout {
    char kind; /* 'f' or 'i' */
    int width; /* 4 or 8 */
    int64_t rows, cols;
};

/* ---- reading ---- */

/* The value of a key in the header's dictionary: the text behind "'key':". */
static const char *value_of(const char *header, const char *key)
{
    char quoted[32];
    const char *p;

    snprintf(quoted, sizeof(quoted), "'%s'", key);
    p = strstr(header, quoted);
    if (!p)
        return NULL;
    p += strlen(quoted);
    p += strspn(p, " ");
    if (*p++ != ':')
        return NULL;
    return p + strspn(p, " ");
}

/* "(2, 3)": the last axis into cols, the product of the others into rows; -EINVAL, -E2BIG. */
static int parse_shape(const char *p, int64_t *ret_rows, int64_t *ret_cols)
{
    int64_t rows = 1, cols = 1;

    if (*p++ != '(')
        return -EINVAL;
    for (int axes = 0;; axes++) {
        long long v;
        char *end;

        p += strspn(p, " ");
        if (*p == ')')
            break;
        if (axes == MAX_AXES || !isdigit((unsigned char)*p))
            return -EINVAL;
        errno = 0;
        v = strtoll(p, &end, 10);
        if (errno || v > INT64_C(1) << 40)
            return -E2BIG;
        if (v == 0 || rows > (INT64_C(1) << 40) / cols)
            return v ? -E2BIG : -EINVAL;
        rows *= cols;
        cols = v;
        p = end + strspn(end, " ");
        if (*p == ',')
            p++;
        else if (*p != ')')
            return -EINVAL;
    }
    if (rows > (INT64_C(1) << 40) / cols)
        return -E2BIG;
    *ret_rows = rows;
    *ret_cols = cols;
    return 0;
}

static int parse_header(const char *path, const char *header, struct layout *ret, struct err *err)
{
    const char *descr = value_of(header, "descr");
    const char *order = value_of(header, "fortran_order");
    const char *shape = value_of(header, "shape");
    struct layout l = {0};

    if (!descr || !order || !shape)
        return err_set(err, -EINVAL, "'%s': its header lacks descr, fortran_order or shape", path);
    if (descr[0] != '\'' || descr[1] != '<' || (descr[2] != 'f' && descr[2] != 'i') ||
        (descr[3] != '4' && descr[3] != '8') ||
        descr[4] != '\'')
        return err_set(err, -EINVAL,
                       "'%s': want elements of '<f4', '<f8', '<i4' or '<i8', got %.8s", path,
                       descr);
    if (strncmp(order, "False", 5) != 0)
        return err_set(err, -EINVAL,
                       "'%s' is in Fortran order: save numpy.ascontiguousarray(a)", path);
    l.kind = descr[2];
    l.width = descr[3] - '0';
    if (parse_shape(shape, &l.rows, &l.cols) < 0)
        return err_set(err, -EINVAL,
                       "'%s': want a shape of 1 to %d axes, none of them 0, got %.40s", path,
                       MAX_AXES, shape);
    *ret = l;
    return 0;
}

static int read_header(FILE *f, const char *path, struct layout *ret, struct err *err)
{
    unsigned char start[12];
    size_t length, preamble;
    char *header;
    int rc;

    if (fread(start, 1, 10, f) != 10 || memcmp(start, "\x93NUMPY", 6) != 0)
        return err_set(err, -EINVAL, "'%s' is not a .npy file", path);
    if (start[6] < 1 || start[6] > 3)
        return err_set(err, -EINVAL, "'%s': .npy format %d, want 1 to 3", path, start[6]);
    preamble = start[6] == 1 ? 10 : 12;
    length = start[8] | (size_t)start[9] << 8;
    if (preamble == 12) {
        if (fread(start + 10, 1, 2, f) != 2)
            return err_set(err, -EINVAL, "'%s' is torn: it ends in its header", path);
        length |= (size_t)start[10] << 16 | (size_t)start[11] << 24;
    }
    if (length > HEADER_MAX)
        return err_set(err, -EINVAL, "'%s': header of %zu bytes, want at most %d", path, length,
                       HEADER_MAX);
    header = malloc(length + 1);
    if (!header)
        return err_set(err, -ENOMEM, "out of memory");
    if (fread(header, 1, length, f) == length) {
        header[length] = '\0';
        rc = parse_header(path, header, ret, err);
    } else {
        rc = err_set(err, -EINVAL, "'%s' is torn: it ends in its header", path);
    }
    free(header);
    return rc;
}

/* One element of the file as a float; -EINVAL if an integer is not exactly a float. */
static int element(const struct layout *l, const unsigned char *p, float *ret)
{
    int64_t i;
    double d;

    if (l->kind == 'f') {
        if (l->width == 4) {
            memcpy(ret, p, 4);
            return 0;
        }
        memcpy(&d, p, 8);
        *ret = (float)d;
        return 0;
    }
    if (l->width == 4) {
        int32_t small;

        memcpy(&small, p, 4);
        i = small;
    } else {
        memcpy(&i, p, 8);
    }
    if (i < -(1 << 24) || i > 1 << 24)
        return -EINVAL;
    *ret = (float)i;
    return 0;
}

static int read_values(FILE *f, const char *path, const struct layout *l, float *value,
                       struct err *err)
{
    unsigned char block[BLOCK * 8];
    int64_t n = l->rows * l->cols;

    for (int64_t at = 0; at < n;) {
        int64_t some = n - at < BLOCK ? n - at : BLOCK;

        if (fread(block, (size_t)l->width, (size_t)some, f) != (size_t)some)
            return err_set(err, -EINVAL, "'%s' is torn: it ends within its data", path);
        for (int64_t i = 0; i < some; i++, at++)
            if (element(l, block + i * l->width, &value[at]) < 0)
                return err_set(err, -EINVAL, "'%s', value %" PRId64 ": an integer beyond 2^24",
                               path, at);
    }
    return 0;
}

int npy_read(const char *path, struct npy *ret_a, struct err *err)
{
    FILE *f = fopen(path, "rb");
    struct npy a = {0};
    struct layout l = {0};
    struct stat st;
    int64_t data;
    int rc;

    if (!f)
        return err_set(err, -errno, "cannot read '%s': %s", path, strerror(errno));
    rc = read_header(f, path, &l, err);
    if (rc < 0)
        goto out;
    /* Before a byte is allocated: what the header promises is what is there. */
    data = l.rows * l.cols * l.width;
    if (fstat(fileno(f), &st) < 0 || !S_ISREG(st.st_mode) || st.st_size - ftell(f) != data) {
        rc = err_set(err, -EINVAL, "'%s' is torn: want %" PRId64 " bytes of data", path, data);
        goto out;
    }
    a = (struct npy){.rows = l.rows, .cols = l.cols, .whole = l.kind == 'i'};
    a.value = malloc((size_t)(l.rows * l.cols) * sizeof(*a.value));
    if (!a.value) {
        rc = err_set(err, -ENOMEM, "out of memory for '%s'", path);
        goto out;
    }
    rc = read_values(f, path, &l, a.value, err);
    if (rc < 0)
        goto out;
    *ret_a = a;
    a.value = NULL;
out:
    free(a.value);
    fclose(f);
    return rc;
}

void npy_done(struct npy *a)
{
    free(a->value);
    *a = (struct npy){0};
}

/* ---- writing ---- */

static void write_values(FILE *f, const struct npy *a)
{
    int64_t n = a->rows * a->cols;

    if (!a->whole) {
        fwrite(a->value, sizeof(*a->value), (size_t)n, f);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        int32_t v = (int32_t)a->value[i];

        fwrite(&v, sizeof(v), 1, f);
    }
}

int npy_write(const char *path, const struct npy *a, struct err *err)
{
    char tmp[PATH_MAX], header[128];
    bool failed;
    FILE *f;

    if (snprintf(tmp, sizeof(tmp), "%s.tmp", path) >= (int)sizeof(tmp))
        return err_set(err, -ENAMETOOLONG, "path of %zu characters", strlen(path));
    f = fopen(tmp, "wb");
    if (!f)
        return err_set(err, -errno, "cannot write '%s': %s", tmp, strerror(errno));
    snprintf(header, sizeof(header),
             "{'descr': '<%c4', 'fortran_order': False, 'shape': (%" PRId64 ", %" PRId64 "), }",
             a->whole ? 'i' : 'f', a->rows, a->cols);
    /* The data begins at a multiple of 64; the header is padded with blanks and ends a line. */
    fwrite("\x93NUMPY\x01\x00\x76\x00", 1, 10, f); /* 0x76: 118 more, 128 in all */
    fprintf(f, "%-117s\n", header);
    write_values(f, a);
    failed = ferror(f);
    failed = fclose(f) != 0 || failed;
    if (!failed && rename(tmp, path) == 0)
        return 0;
    err_set(err, -EIO, "cannot write '%s': %s", path, strerror(errno));
    unlink(tmp);
    return -EIO;
}
