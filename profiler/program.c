#include "profiler/program.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/clock.h"
#include "profiler/folders.h"
#include "profiler/hash.h"
#include "profiler/program_log.h"

/* Programs kept per device in this process: a model needs some tens; a sweep, which never comes
 * back to an old one, must not hold thousands. */
#define KEPT_MAX 128

#define FILE_BYTES_MAX (UINT64_C(256) << 20) /* a larger cache file is not ours */
#define LOG_BYTES      640                   /* of the build log, in a message */

/* Text that grows; `failed` sticks, so that a chain of appends is checked once. */
struct text {
    char *p;
    size_t n, max;
    bool failed;
};

struct program_entry {
    struct program_entry *next;
    struct text key;
    cl_program program;
};

/* Guards every device's list; builds themselves run outside it. */
static pthread_mutex_t entries_lock = PTHREAD_MUTEX_INITIALIZER;

struct file_head {
    char magic[16];
    uint64_t key_bytes, binary_bytes;
    uint64_t hash; /* of key and binary: a file can be torn with its length intact */
};

static const char file_magic[16] = "flashmem-cl 1\n";

static void text_add(struct text *t, const char *p, size_t n)
{
    if (t->n + n > t->max && !t->failed) {
        size_t max = 2 * (t->n + n);
        char *grown = realloc(t->p, max);

        t->failed = !grown;
        if (grown) {
            t->p = grown;
            t->max = max;
        }
    }
    if (t->failed || n == 0)
        return;
    memcpy(t->p + t->n, p, n);
    t->n += n;
}

static void text_puts(struct text *t, const char *s)
{
    text_add(t, s, strlen(s));
}

/* The parts one after another; each begins with #line, and so ends the one before it. */
static void add_sources(struct text *t, const struct program_source *sources, int n)
{
    for (int i = 0; i < n; i++) {
        text_puts(t, "#line 1 \"");
        text_puts(t, sources[i].name);
        text_puts(t, "\"\n");
        text_add(t, sources[i].text, sources[i].length);
        text_puts(t, "\n");
    }
}

static void add_key(struct text *t, const struct device *dev, const struct text *source,
                    const char *options)
{
    const char *const fields[] = {"platform", dev->info.platform, "device",  dev->info.name,
                                  "driver",   dev->info.driver,   "options", options};

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i += 2) {
        text_puts(t, fields[i]);
        text_puts(t, "=");
        text_puts(t, fields[i + 1]);
        text_puts(t, "\n");
    }
    text_add(t, source->p, source->n);
}

static bool same_text(const struct text *a, const struct text *b)
{
    return a->n == b->n && memcmp(a->p, b->p, a->n) == 0;
}

uint64_t program_hash(const struct program_source *sources, int n, const char *options)
{
    uint64_t h = hash_text(HASH_INIT, options ? options : "");

    for (int i = 0; i < n; i++) {
        /* The terminators keep "ab","c" and "a","bc" apart. */
        h = hash_bytes(h, "", 1);
        h = hash_text(h, sources[i].name);
        h = hash_bytes(h, "", 1);
        h = hash_bytes(h, sources[i].text, sources[i].length);
    }
    return h;
}

/* Programs of this process. */

static cl_program kept_find(struct device *dev, const struct text *key)
{
    struct program_entry **at = &dev->programs, *e;
    cl_program program = NULL;

    pthread_mutex_lock(&entries_lock);
    while ((e = *at) && !same_text(&e->key, key))
        at = &e->next;
    if (e) {
        *at = e->next; /* to the front: the list is in order of use */
        e->next = dev->programs;
        dev->programs = e;
        program = e->program;
        clRetainProgram(program);
    }
    pthread_mutex_unlock(&entries_lock);
    return program;
}

static void entries_free(struct program_entry *e)
{
    while (e) {
        struct program_entry *next = e->next;

        clReleaseProgram(e->program);
        free(e->key.p);
        free(e);
        e = next;
    }
}

/* Takes over key->p; on want of memory the program is simply not kept. */
static void kept_add(struct device *dev, struct text *key, cl_program program)
{
    struct program_entry *e = calloc(1, sizeof(*e)), *old = NULL;

    if (!e)
        return;
    e->key = *key;
    *key = (struct text){0}; /* moved */
    e->program = program;
    clRetainProgram(program);
    pthread_mutex_lock(&entries_lock);
    e->next = dev->programs;
    dev->programs = e;
    for (int i = 1; e && i < KEPT_MAX; i++)
        e = e->next;
    if (e) {
        old = e->next;
        e->next = NULL;
    }
    pthread_mutex_unlock(&entries_lock);
    entries_free(old);
}

void program_forget(struct device *dev)
{
    struct program_entry *old;

    pthread_mutex_lock(&entries_lock);
    old = dev->programs;
    dev->programs = NULL;
    pthread_mutex_unlock(&entries_lock);
    entries_free(old);
}

/* Programs on disk. Whatever goes wrong here is a miss. */

/* PoCL keeps compiled kernels itself ($POCL_CACHE_DIR), and handing out a binary makes it compile
 * one more variant of every kernel. Measured with 3.1, a 10-line GEMM, 2 cores: extraction 115 ms;
 * then 2 ms to build from the binary against 23 ms from source with PoCL's own cache warm. That
 * pays from the sixth process on, a sweep never gets there, and one of the early runs of a
 * comparison would carry the cost. So on PoCL only a folder asked for by name is used. */
static bool caches_itself(const struct device *dev)
{
    return strcmp(dev->info.platform, "Portable Computing Language") == 0;
}

/* The cache file of a key, its folder made. Caller frees; NULL: no cache. */
static char *cache_path(const struct device *dev, const struct text *key)
{
    const char *own = getenv("FLASHMEM_CACHE"), *xdg = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    char *folder = NULL, *path = NULL;
    int n = -1;

    if (own && *own)
        n = asprintf(&folder, "%s", own);
    else if (caches_itself(dev))
        return NULL;
    else if (xdg && *xdg == '/') /* the XDG specification: relative paths are to be ignored */
        n = asprintf(&folder, "%s/flashmem", xdg);
    else if (home && *home)
        n = asprintf(&folder, "%s/.cache/flashmem", home);
    if (n < 0)
        return NULL;
    n = asprintf(&path, "%s/%016llx.clbin", folder,
                 (unsigned long long)hash_bytes(HASH_INIT, key->p, key->n));
    free(folder);
    if (n < 0)
        return NULL;
    if (folders_above(path, NULL) < 0) {
        free(path);
        return NULL;
    }
    return path;
}

static uint64_t file_hash(const struct text *key, const void *binary, size_t n)
{
    return hash_bytes(hash_bytes(HASH_INIT, key->p, key->n), binary, n);
}

static bool head_fits(const struct file_head *head, const struct text *key, uint64_t size)
{
    return memcmp(head->magic, file_magic, sizeof(file_magic)) == 0 && size <= FILE_BYTES_MAX &&
           head->key_bytes == key->n && head->binary_bytes > 0 &&
           head->binary_bytes == size - sizeof(*head) - key->n;
}

/* Malloced binary of `key`, or NULL. */
static unsigned char *cache_read(const char *path, const struct text *key, size_t *ret_n)
{
    unsigned char *body = NULL;
    struct file_head head;
    struct stat st;
    FILE *f = fopen(path, "rbe");
    size_t n = 0;

    if (!f)
        return NULL;
    if (fstat(fileno(f), &st) < 0 || st.st_size < (off_t)(sizeof(head) + key->n) ||
        fread(&head, sizeof(head), 1, f) != 1 || !head_fits(&head, key, (uint64_t)st.st_size))
        goto miss;
    n = (size_t)head.binary_bytes;
    body = malloc(key->n + n);
    if (!body || fread(body, key->n + n, 1, f) != 1 || memcmp(body, key->p, key->n) != 0 ||
        file_hash(key, body + key->n, n) != head.hash)
        goto miss;
    memmove(body, body + key->n, n);
    fclose(f);
    *ret_n = n;
    return body;
miss:
    free(body);
    fclose(f);
    return NULL;
}

static void cache_write(const char *path, const struct text *key, const unsigned char *binary,
                        size_t n)
{
    struct file_head head = {.key_bytes = key->n, .binary_bytes = n};
    char *temp = NULL;
    FILE *f = NULL;
    bool ok = false;
    int fd;

    memcpy(head.magic, file_magic, sizeof(head.magic));
    head.hash = file_hash(key, binary, n);
    if (asprintf(&temp, "%s.XXXXXX", path) < 0)
        return;
    fd = mkostemp(temp, O_CLOEXEC);
    if (fd < 0)
        goto out;
    f = fdopen(fd, "wb");
    if (!f) {
        close(fd);
    } else {
        ok = fwrite(&head, sizeof(head), 1, f) == 1 && fwrite(key->p, key->n, 1, f) == 1 &&
             fwrite(binary, n, 1, f) == 1;
        ok = fclose(f) == 0 && ok;
    }
    if (!ok || rename(temp, path) < 0)
        unlink(temp);
out:
    free(temp);
}

static cl_program load(struct device *dev, const char *path, const struct text *key,
                       const char *options)
{
    cl_program program;
    cl_int status = CL_SUCCESS, code;
    size_t n = 0;
    unsigned char *binary = cache_read(path, key, &n);

    if (!binary)
        return NULL;
    program = clCreateProgramWithBinary(dev->context, 1, &dev->id, &n,
                                        (const unsigned char **)&binary, &status, &code);
    free(binary);
    if (program && (status != CL_SUCCESS ||
                    clBuildProgram(program, 1, &dev->id, options, NULL, NULL) != CL_SUCCESS)) {
        clReleaseProgram(program); /* the driver does not want it: build from source */
        program = NULL;
    }
    return program;
}

static void save(const char *path, const struct text *key, cl_program program)
{
    unsigned char *binary = NULL;
    size_t n = 0;

    if (clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof(n), &n, NULL) != CL_SUCCESS ||
        n == 0 || !(binary = malloc(n)))
        return;
    if (clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof(binary), &binary, NULL) == CL_SUCCESS)
        cache_write(path, key, binary, n);
    free(binary);
}

/* The build log from the line of its first error on, cut to what a message holds. */
static int build_failed(cl_program program, cl_device_id id, cl_int code,
                        const struct program_source *sources, int n_sources, const char *options,
                        struct err *err)
{
    char *log = NULL, *located = NULL, *from;
    size_t n = 0;
    int rc = cl_err(err, code, "clBuildProgram with options '%.200s'", options);

    if (rc != -ENOEXEC)
        return rc;
    if (clGetProgramBuildInfo(program, id, CL_PROGRAM_BUILD_LOG, 0, NULL, &n) != CL_SUCCESS ||
        !(log = calloc(1, n + 1)) ||
        clGetProgramBuildInfo(program, id, CL_PROGRAM_BUILD_LOG, n, log, NULL) != CL_SUCCESS ||
        !(located = program_log_located(log, sources, n_sources))) {
        free(log);
        return rc;
    }
    from = strstr(located, "error");
    while (from && from > located && from[-1] != '\n')
        from--;
    if (!from)
        from = located;
    n = strlen(from);
    while (n > 0 && (from[n - 1] == '\n' || from[n - 1] == ' '))
        n--;
    rc = err_set(err, -ENOEXEC, "kernel does not compile with options '%.200s':\n%.*s%s", options,
                 n > LOG_BYTES ? LOG_BYTES : (int)n, from, n > LOG_BYTES ? "..." : "");
    free(located);
    free(log);
    return rc;
}

static int compile(struct device *dev, const struct text *source,
                   const struct program_source *sources, int n, const char *options,
                   cl_program *ret_program, struct err *err)
{
    const char *text = source->p;
    cl_program program;
    cl_int code;
    int rc;

    program = clCreateProgramWithSource(dev->context, 1, &text, &source->n, &code);
    if (!program)
        return cl_err(err, code, "clCreateProgramWithSource");
    code = clBuildProgram(program, 1, &dev->id, options, NULL, NULL);
    if (code != CL_SUCCESS) {
        rc = build_failed(program, dev->id, code, sources, n, options, err);
        clReleaseProgram(program);
        return rc;
    }
    *ret_program = program;
    return 0;
}

int program_build(struct device *dev, const struct program_source *sources, int n,
                  const char *options, cl_program *ret_program, struct program_stats *stats,
                  struct err *err)
{
    uint64_t start = clock_ns();
    struct text source = {0}, key = {0};
    cl_program program = NULL;
    bool cached = true;
    char *path = NULL;
    int rc = 0;

    options = options ? options : "";
    add_sources(&source, sources, n);
    add_key(&key, dev, &source, options);
    if (source.failed || key.failed) {
        rc = err_set(err, -ENOMEM, "out of memory");
        goto out;
    }
    program = kept_find(dev, &key);
    if (program)
        goto done;
    path = cache_path(dev, &key);
    if (path)
        program = load(dev, path, &key, options);
    if (!program) {
        cached = false;
        rc = compile(dev, &source, sources, n, options, &program, err);
        if (rc < 0)
            goto out;
        if (path)
            save(path, &key, program);
    }
    kept_add(dev, &key, program);
done:
    *ret_program = program;
    if (stats)
        *stats = (struct program_stats){.build_ns = clock_ns() - start, .cached = cached};
out:
    free(path);
    free(key.p);
    free(source.p);
    return rc;
}
