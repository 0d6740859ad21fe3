/* Building programs: the cache of this process, the one on disk in all its ways to fail, messages.
 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/program.h"
#include "tests/folder.h"
#include "tests/need_device.h"
#include "tests/suite.h"

static struct device *dev;

static struct program_source source_of(const char *name, const char *text)
{
    return (struct program_source){.name = name, .text = text, .length = strlen(text)};
}

static const char fill_text[] = "__kernel void fill(__global int *y)\n"
                                "{\n"
                                "    y[get_global_id(0)] = VALUE + (int)get_global_id(0);\n"
                                "}\n";

static void setup(void)
{
    struct err err = {0};

    folder_make();
    setenv("FLASHMEM_CACHE", folder, 1);
    ck_assert_msg(device_open(NULL, &dev, &err) == 0, "%s", err.text);
}

/* Visit the cache folder; returns how many cache files there are, the path of one in ret_path. */
static int cache_files(char *ret_path, size_t max)
{
    DIR *d = opendir(folder);
    int n = 0;

    if (!d)
        return -1;
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        size_t len = strlen(e->d_name);

        if (e->d_name[0] == '.')
            continue;
        ck_assert_msg(len > 6 && strcmp(e->d_name + len - 6, ".clbin") == 0, "left behind: '%s'",
                      e->d_name);
        snprintf(ret_path, max, "%s/%s", folder, e->d_name);
        n++;
    }
    closedir(d);
    return n;
}

static void teardown(void)
{
    char path[512];

    device_close(dev);
    chmod(folder, 0700);
    cache_files(path, sizeof(path)); /* nothing else is left behind */
    folder_remove();
}

/* What the program computes: y[3] of fill. */
static int run_fill(cl_program program)
{
    cl_command_queue queue = NULL;
    size_t gws = 4;
    cl_int y[4] = {0};
    cl_kernel kernel = clCreateKernel(program, "fill", NULL);
    cl_mem buffer = clCreateBuffer(dev->context, CL_MEM_READ_WRITE, sizeof(y), NULL, NULL);

    ck_assert_ptr_nonnull(kernel);
    ck_assert_int_eq(device_queue(dev, false, &queue, NULL), 0);
    clSetKernelArg(kernel, 0, sizeof(buffer), &buffer);
    ck_assert_int_eq(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &gws, NULL, 0, NULL, NULL), 0);
    ck_assert_int_eq(clEnqueueReadBuffer(queue, buffer, CL_TRUE, 0, sizeof(y), y, 0, NULL, NULL),
                     0);
    clReleaseMemObject(buffer);
    clReleaseKernel(kernel);
    clReleaseCommandQueue(queue);
    return y[3];
}

/* Build fill with VALUE 40, expect y[3] == 43; returns whether it came from a cache. */
static bool build_fill(const char *options)
{
    struct program_source s = source_of("fill.cl", fill_text);
    struct program_stats stats = {0};
    cl_program program = NULL;
    struct err err = {0};

    ck_assert_msg(program_build(dev, &s, 1, options, &program, &stats, &err) == 0, "%s", err.text);
    ck_assert_int_eq(run_fill(program), 43);
    ck_assert_uint_gt(stats.build_ns, 0);
    clReleaseProgram(program);
    return stats.cached;
}

START_TEST(same_process_hits)
{
    struct program_source s = source_of("fill.cl", fill_text);
    cl_program a = NULL, b = NULL, c = NULL;

    ck_assert_int_eq(program_build(dev, &s, 1, "-DVALUE=40", &a, NULL, NULL), 0);
    ck_assert_int_eq(program_build(dev, &s, 1, "-DVALUE=40", &b, NULL, NULL), 0);
    ck_assert_int_eq(program_build(dev, &s, 1, "-DVALUE=50", &c, NULL, NULL), 0);
    ck_assert_ptr_eq(a, b);
    ck_assert_ptr_ne(a, c);
    clReleaseProgram(a);
    ck_assert_int_eq(run_fill(b), 43); /* each result is a reference of its own */
    clReleaseProgram(b);
    ck_assert_int_eq(run_fill(c), 53);
    clReleaseProgram(c);
    ck_assert(build_fill("-DVALUE=40"));
}
END_TEST

START_TEST(disk_hits_and_misses)
{
    char path[512];

    ck_assert(!build_fill("-DVALUE=40"));
    ck_assert_int_eq(cache_files(path, sizeof(path)), 1);
    program_forget(dev); /* as a new process would find it */
    ck_assert(build_fill("-DVALUE=40"));
    program_forget(dev);
    ck_assert(!build_fill("-DVALUE=20 -DVALUE=40")); /* other options, another key */
    ck_assert_int_eq(cache_files(path, sizeof(path)), 2);
    program_forget(dev);
    snprintf(dev->info.driver, sizeof(dev->info.driver), "another driver");
    ck_assert(!build_fill("-DVALUE=40"));
    ck_assert_int_eq(cache_files(path, sizeof(path)), 3);
}
END_TEST

static unsigned char *slurp(const char *path, size_t *ret_n)
{
    FILE *f = fopen(path, "rb");
    unsigned char *p;

    ck_assert_ptr_nonnull(f);
    fseek(f, 0, SEEK_END);
    *ret_n = (size_t)ftell(f);
    rewind(f);
    p = malloc(*ret_n + 1);
    ck_assert_uint_eq(fread(p, 1, *ret_n, f), *ret_n);
    fclose(f);
    return p;
}

static void spill(const char *path, const unsigned char *p, size_t n)
{
    FILE *f = fopen(path, "wb");

    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(p, 1, n, f), n);
    fclose(f);
}

/* A damaged file is a miss, and the build that follows mends it. */
static void damaged(const char *path, const unsigned char *p, size_t n)
{
    spill(path, p, n);
    program_forget(dev);
    ck_assert(!build_fill("-DVALUE=40"));
    program_forget(dev);
    ck_assert(build_fill("-DVALUE=40"));
}

START_TEST(torn_files_are_misses)
{
    unsigned char *whole, *bad;
    char path[512];
    size_t n = 0, at;

    ck_assert(!build_fill("-DVALUE=40"));
    ck_assert_int_eq(cache_files(path, sizeof(path)), 1);
    whole = slurp(path, &n);
    damaged(path, whole, 0);
    damaged(path, whole, 10);
    damaged(path, whole, 50);
    damaged(path, whole, n / 2);
    damaged(path, whole, n - 1);
    bad = malloc(n + 1);
    memcpy(bad, whole, n);
    bad[n] = 0;
    damaged(path, bad, n + 1);
    memcpy(bad, whole, n);
    bad[n - 5] ^= 1; /* in the binary: what a crash leaves of unwritten blocks */
    damaged(path, bad, n);
    memset(bad, 0, n);
    damaged(path, bad, n);
    memcpy(bad, whole, n); /* the key of something else: what a collision looks like */
    for (at = 0; memcmp(bad + at, "VALUE=40", 8) != 0; at++)
        ck_assert_uint_lt(at + 8, n);
    bad[at + 6] = '5';
    damaged(path, bad, n);
    free(bad);
    free(whole);
}
END_TEST

START_TEST(foreign_binary_is_built_again)
{
    struct {
        char magic[16];
        uint64_t key_bytes, binary_bytes, hash;
    } head;
    unsigned char *p;
    char path[512];
    size_t n = 0;
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    ck_assert(!build_fill("-DVALUE=40"));
    ck_assert_int_eq(cache_files(path, sizeof(path)), 1);
    p = slurp(path, &n);
    memcpy(&head, p, sizeof(head));
    ck_assert_uint_eq(sizeof(head) + head.key_bytes + head.binary_bytes, n);
    memset(p + sizeof(head) + head.key_bytes, 'x', head.binary_bytes);
    for (size_t i = sizeof(head); i < n; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    head.hash = h; /* our file is in order, but the driver does not take what is in it */
    memcpy(p, &head, sizeof(head));
    damaged(path, p, n);
    free(p);
}
END_TEST

START_TEST(unwritable_folder_is_no_error)
{
    char path[512];

    setenv("FLASHMEM_CACHE", "/dev/null/cache", 1);
    ck_assert(!build_fill("-DVALUE=40"));
    program_forget(dev);
    ck_assert(!build_fill("-DVALUE=40"));
    setenv("FLASHMEM_CACHE", folder, 1);
    if (geteuid() == 0) /* permissions do not stop root */
        return;
    chmod(folder, 0500);
    program_forget(dev);
    ck_assert(!build_fill("-DVALUE=40"));
    ck_assert_int_eq(cache_files(path, sizeof(path)), 0);
}
END_TEST

START_TEST(folder_is_made)
{
    char deep[128], command[160];
    struct stat st;

    snprintf(deep, sizeof(deep), "%s/.a/b", folder);
    setenv("FLASHMEM_CACHE", deep, 1);
    ck_assert(!build_fill("-DVALUE=40"));
    ck_assert_int_eq(stat(deep, &st), 0);
    program_forget(dev);
    ck_assert(build_fill("-DVALUE=40"));
    snprintf(command, sizeof(command), "rm -r '%s/.a'", folder);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(error_names_file_and_line)
{
    struct program_source s[] = {
        source_of("first.cl", "float one(void)\n{\n    return 1;\n}"), /* no newline at the end */
        source_of("second.cl", "__kernel void k(__global float *y)\n"
                               "{\n"
                               "    y[0] = one() + oops;\n"
                               "}\n"),
    };
    cl_program program = (cl_program)&s;
    struct err err = {0};
    char path[512];

    ck_assert_int_eq(program_build(dev, s, 2, "-DTILE=4", &program, NULL, &err), -ENOEXEC);
    ck_assert_ptr_eq(program, (cl_program)&s);
    ck_assert_int_eq(err.code, -ENOEXEC);
    ck_assert_msg(strstr(err.text, "second.cl:3:"), "%s", err.text);
    ck_assert_msg(strstr(err.text, "oops"), "%s", err.text);
    ck_assert_msg(strstr(err.text, "-DTILE=4"), "%s", err.text);
    ck_assert_int_eq(cache_files(path, sizeof(path)), 0);
}
END_TEST

START_TEST(source_needs_no_terminator)
{
    char text[sizeof(fill_text) + 3];
    struct program_source s = {.name = "fill.cl", .text = text, .length = sizeof(fill_text) - 1};
    cl_program program = NULL;

    memcpy(text, fill_text, sizeof(fill_text) - 1);
    memcpy(text + sizeof(fill_text) - 1, "@@@", 4);
    ck_assert_int_eq(program_build(dev, &s, 1, "-DVALUE=40", &program, NULL, NULL), 0);
    ck_assert_int_eq(run_fill(program), 43);
    clReleaseProgram(program);
}
END_TEST

/* More than the process keeps (128): old ones are dropped, held references stay good. */
START_TEST(kept_programs_are_bounded)
{
    struct program_source s = source_of("fill.cl", fill_text);
    cl_program first = NULL, program = NULL;
    cl_uint refs = 0;
    char options[32];

    ck_assert_int_eq(program_build(dev, &s, 1, "-DVALUE=40", &first, NULL, NULL), 0);
    clGetProgramInfo(first, CL_PROGRAM_REFERENCE_COUNT, sizeof(refs), &refs, NULL);
    ck_assert_uint_eq(refs, 2);
    unsetenv("FLASHMEM_CACHE"); /* the default folder is elsewhere, or not used at all */
    setenv("XDG_CACHE_HOME", "/dev/null", 1);
    for (int i = 0; i < 128; i++) {
        snprintf(options, sizeof(options), "-DVALUE=%d", 1000 + i);
        ck_assert_int_eq(program_build(dev, &s, 1, options, &program, NULL, NULL), 0);
        clReleaseProgram(program);
    }
    clGetProgramInfo(first, CL_PROGRAM_REFERENCE_COUNT, sizeof(refs), &refs, NULL);
    ck_assert_uint_eq(refs, 1);
    ck_assert_int_eq(run_fill(first), 43);
    clReleaseProgram(first);
    setenv("FLASHMEM_CACHE", folder, 1);
}
END_TEST

START_TEST(hash_sees_every_part)
{
    struct program_source ab_c[] = {source_of("1", "ab"), source_of("2", "c")};
    struct program_source a_bc[] = {source_of("1", "a"), source_of("2", "bc")};
    struct program_source name[] = {source_of("1", "ab"), source_of("3", "c")};
    uint64_t h = program_hash(ab_c, 2, "-DX");

    ck_assert_uint_eq(h, program_hash(ab_c, 2, "-DX"));
    ck_assert_uint_ne(h, program_hash(a_bc, 2, "-DX"));
    ck_assert_uint_ne(h, program_hash(name, 2, "-DX"));
    ck_assert_uint_ne(h, program_hash(ab_c, 1, "-DX"));
    ck_assert_uint_ne(h, program_hash(ab_c, 2, "-DY"));
    ck_assert_uint_eq(program_hash(ab_c, 2, NULL), program_hash(ab_c, 2, ""));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("program");
    TCase *tc = tcase_create("program");

    need_device();
    tcase_set_timeout(tc, 300);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, same_process_hits);
    tcase_add_test(tc, disk_hits_and_misses);
    tcase_add_test(tc, torn_files_are_misses);
    tcase_add_test(tc, foreign_binary_is_built_again);
    tcase_add_test(tc, unwritable_folder_is_no_error);
    tcase_add_test(tc, folder_is_made);
    tcase_add_test(tc, error_names_file_and_line);
    tcase_add_test(tc, source_needs_no_terminator);
    tcase_add_test(tc, kept_programs_are_bounded);
    tcase_add_test(tc, hash_sees_every_part);
    suite_add_tcase(s, tc);
    return suite_run(s);
}
