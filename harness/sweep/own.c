#include "harness/sweep/own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* For workers: "DESCRIPTOR:PATH" of the text in memory. They inherit the descriptor. */
#define HANDED    "FLASHMEM_OWN_KERNEL"
#define BYTES_MAX (1 << 20)

static int read_all(int fd, const char *path, char **ret_text, size_t *ret_n, struct err *err)
{
    struct stat s;
    char *text;
    ssize_t n;

    if (fstat(fd, &s) < 0)
        return err_set(err, -errno, "cannot read '%s': %s", path, strerror(errno));
    if (!S_ISREG(s.st_mode) || s.st_size > BYTES_MAX)
        return err_set(err, -EINVAL, "%s: want a file of at most %d bytes", path, BYTES_MAX);
    text = malloc((size_t)s.st_size + 1);
    if (!text)
        return err_set(err, -ENOMEM, "out of memory");
    n = pread(fd, text, (size_t)s.st_size, 0);
    if (n != s.st_size) {
        free(text);
        return err_set(err, -EIO, "cannot read '%s'", path);
    }
    text[n] = '\0';
    *ret_text = text;
    *ret_n = (size_t)n;
    return 0;
}

static int hand_over(const char *path, const char *text, size_t n, struct err *err)
{
    int fd = memfd_create("flashmem-kernel", 0);
    char *value = NULL;
    int rc = 0;

    if (fd < 0 || write(fd, text, n) != (ssize_t)n || asprintf(&value, "%d:%s", fd, path) < 0 ||
        setenv(HANDED, value, 1) < 0)
        rc = err_set(err, -EIO, "cannot hand '%s' to workers: %s", path, strerror(errno));
    if (rc < 0 && fd >= 0)
        close(fd);
    free(value);
    return rc;
}

int own_open(const char *path, struct custom **ret_c, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc;
    struct custom *c = NULL;
    char *text = NULL;
    size_t n;

    if (fd < 0)
        return err_set(err, -errno, "cannot open '%s': %s", path, strerror(errno));
    rc = read_all(fd, path, &text, &n, err);
    close(fd);
    if (rc < 0)
        return rc;
    rc = custom_new(path, text, n, &c, err);
    if (rc == 0)
        rc = hand_over(path, text, n, err);
    free(text);
    if (rc < 0) {
        custom_free(c);
        return rc;
    }
    custom_use(c);
    *ret_c = c;
    return 0;
}

int own_inherit(struct custom **ret_c, struct err *err)
{
    const char *value = getenv(HANDED), *path;
    struct custom *c;
    char *text;
    size_t n;
    int rc;

    *ret_c = NULL;
    if (!value)
        return 0;
    path = strchr(value, ':');
    if (!path)
        return err_set(err, -EINVAL, HANDED " is set by 'flashmem sweep' alone");
    path++;
    rc = read_all(atoi(value), path, &text, &n, err);
    if (rc < 0)
        return rc;
    rc = custom_new(path, text, n, &c, err);
    free(text);
    if (rc < 0)
        return rc;
    custom_use(c);
    *ret_c = c;
    return 0;
}

void own_close(struct custom *c)
{
    const char *value = getenv(HANDED);

    custom_use(NULL);
    custom_free(c);
    if (value)
        close(atoi(value));
    unsetenv(HANDED);
}

/* ---- what its head asks for ---- */

/* A spec whose rows stand in the lines of the head's shapes, so that its messages name those. */
static int write_spec(const struct custom *c, int fd)
{
    const struct custom_shape *s = custom_shapes(c);
    FILE *f = fdopen(dup(fd), "w");
    int line = 3;

    if (!f)
        return -errno;
    fprintf(f, "flashmem-sweep,1\nop,shape,dtype,path,tile\n");
    for (; s->text; s++) {
        for (; line < s->line; line++)
            fprintf(f, "#\n");
        fprintf(f, "%s,\"%s\",\"%s\",\"%s\",*\n", custom_op(c), s->text, custom_dtypes(c),
                custom_paths(c));
        line++;
    }
    return fclose(f) == 0 ? 0 : -errno;
}

int own_spec(const struct custom *c, const char *path, const struct device_info *dev,
             struct spec *ret_spec, struct err *err)
{
    char name[32];
    int fd, rc;

    if (!custom_shapes(c)->text)
        return err_set(err, -EINVAL,
                       "%s: no '// shape:' in its head, and no SPEC given: nothing to "
                       "sweep",
                       path);
    if (custom_shapes(c)->line < 3)
        return err_set(err, -EINVAL, "%s:2: 'agrees:' comes before 'shape:'", path);
    fd = memfd_create("flashmem-spec", MFD_CLOEXEC);
    if (fd < 0)
        return err_set(err, -errno, "%s: %s", path, strerror(errno));
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    rc = write_spec(c, fd);
    rc = rc < 0 ? err_set(err, rc, "%s: %s", path, strerror(-rc))
                : spec_read(name, dev, ret_spec, err);
    close(fd);
    if (rc < 0 && err && strncmp(err->text, name, strlen(name)) == 0) {
        char rest[ERR_TEXT_MAX];

        snprintf(rest, sizeof(rest), "%s", err->text + strlen(name));
        err_set(err, rc, "%s%s", path, rest);
    }
    return rc;
}
