/* harness/model/weights.c and weights_file.c: the same bytes everywhere, and no belief in files. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/model/weights.h"
#include "profiler/rng.h"
#include "tests/folder.h"
#include "tests/suite.h"

#define N(x) ((int)(sizeof(x) / sizeof((x)[0])))

static char path[64], tmp[80];

/* 1 MiB + of matrix, odd columns (padding), a bundle of two vectors. */
static const char graph[] = "flashmem-graph,1\nkind,name,op,params,inputs,weights,init\n"
                            "model,m,,,,,\ninput,x,values,rows=3 cols=6,,,\n"
                            "layer,fc,matmul,m=3 n=5 k=6 tb=1 b=weight bias=1,x,fc.weight fc.bias,"
                            "normal:0.5 normal:0.02:1\n"
                            "layer,up,matmul,m=3 n=60001 k=5 tb=1 b=weight bias=1,fc,up.weight "
                            "up.bias,normal:1 const:0.25\n";

static bool exists(const char *p)
{
    return access(p, F_OK) == 0;
}

static struct model *small(enum dtype dtype)
{
    struct model *m = NULL;
    struct err err = {0};
    char csv[64];
    FILE *f;

    snprintf(csv, sizeof(csv), "%s/g.csv", folder);
    f = fopen(csv, "w");
    fputs(graph, f);
    fclose(f);
    ck_assert_msg(model_read(csv, dtype, &m, &err) == 0, "%s", err.text);
    snprintf(path, sizeof(path), "%s/w.safetensors", folder);
    snprintf(tmp, sizeof(tmp), "%s.tmp", path);
    unlink(path);
    return m;
}

static void write_file(const struct model *m, uint64_t seed)
{
    struct err err = {0};

    ck_assert_msg(weights_write(m, seed, path, NULL, NULL, &err) == 0, "%s", err.text);
    ck_assert(!exists(tmp));
}

static unsigned char *read_file(size_t *ret_n)
{
    struct stat st;
    unsigned char *data;
    FILE *f = fopen(path, "rb");

    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fstat(fileno(f), &st), 0);
    *ret_n = (size_t)st.st_size;
    data = malloc(*ret_n + 1);
    ck_assert_uint_eq(fread(data, 1, *ret_n, f), *ret_n);
    fclose(f);
    return data;
}

static void put_file(const void *data, size_t n)
{
    FILE *f;

    unlink(path); /* ext4 syncs a file that is truncated and written again */
    f = fopen(path, "wb");
    ck_assert_uint_eq(fwrite(data, 1, n, f), n);
    fclose(f);
}

/* From an independent Python of what random.h says: its own integers, numpy.float32. */
START_TEST(golden_values)
{
    static const float fc[] = {-0x1.2fd002p-2f, 0x1.07d396p-2f, -0x1.35e1a8p+0f, 0x1.f22ae6p-2f};
    static const float bias[] = {0x1.fc7ceep-1f, 0x1.06744ep+0f, 0x1.0560ep+0f};
    static const uint16_t half[] = {46271, 13343, 48344, 14281};
    struct model *m = small(DTYPE_F16);
    struct weights_file f;
    struct err err = {0};
    float v[30];
    unsigned char *data;
    size_t n;

    weights_values(m, 0, 42, v);
    ck_assert_int_eq(memcmp(v, fc, sizeof(fc)), 0);
    weights_values(m, 1, 42, v);
    ck_assert_int_eq(memcmp(v, bias, sizeof(bias)), 0);
    write_file(m, 42);
    ck_assert_msg(weights_open(m, path, &f, &err) == 0, "%s", err.text);
    data = read_file(&n);
    ck_assert_int_eq(memcmp(data + f.offset_bytes[0], half, sizeof(half)), 0);
    free(data);
    weights_done(&f);
    model_free(m);
}
END_TEST

START_TEST(distribution)
{
    static float v[60001 * 5];
    struct model *m = small(DTYPE_F32);
    double moment[5] = {0};

    weights_values(m, 2, 7, v);
    for (int i = 0; i < N(v); i++)
        for (int k = 1; k < 5; k++)
            moment[k] += pow(v[i], k) / N(v);
    ck_assert_double_lt(fabs(moment[1]), 0.008);     /* 4 sd */
    ck_assert_double_lt(fabs(moment[2] - 1), 0.012);
    ck_assert_double_lt(fabs(moment[3]), 0.025);
    ck_assert_double_lt(fabs(moment[4] - 2.7), 0.05); /* kurtosis of 4 uniforms: 3 - 1.2 / 4 */
    model_free(m);
}
END_TEST

static void compare_weight(const struct model *m, int i, const struct weights_file *f,
                           const unsigned char *data, uint64_t seed)
{
    const struct weight *w = &m->weight[i];
    size_t bytes = (size_t)tensor_bytes(&w->desc);
    float *v = malloc((size_t)(w->desc.rows * w->desc.cols) * sizeof(*v));
    char *texels = malloc(bytes);

    weights_values(m, i, seed, v);
    tensor_pack(&w->desc, v, texels);
    ck_assert_int_eq(memcmp(data + f->offset_bytes[i] + (w->vector ? f->bundle_offset : 0), texels,
                            bytes), 0);
    free(v);
    free(texels);
}

/* Slices, padding and the bundle: the file holds what tensor_pack() makes of weights_values(). */
START_TEST(file_holds_the_values)
{
    for (int d = DTYPE_F32; d <= DTYPE_F16; d++) {
        struct model *m = small((enum dtype)d);
        struct weights_file f = {0};
        struct err err = {0};
        unsigned char *data, *again;
        size_t n, n_again;

        ck_assert_int_eq(weights_open(m, path, &f, &err), -ENOENT);
        ck_assert_ptr_nonnull(strstr(err.text, m->path)); /* the graph by its path: it has no name */
        ck_assert_ptr_nonnull(strstr(err.text, "--out "));
        write_file(m, 5);
        ck_assert_msg(weights_open(m, path, &f, &err) == 0, "%s", err.text);
        data = read_file(&n);
        ck_assert_uint_eq(f.size_bytes, n);
        ck_assert_uint_eq(f.seed, 5);
        ck_assert_uint_eq(n % 4096, 0);
        ck_assert_uint_eq(f.bundle_offset % 4096, 0);
        for (int i = 0; i < m->n_weights; i++) {
            ck_assert(m->weight[i].vector || f.offset_bytes[i] % 4096 == 0);
            compare_weight(m, i, &f, data, 5);
        }
        write_file(m, 5);
        again = read_file(&n_again);
        ck_assert(n == n_again && memcmp(data, again, n) == 0);
        free(data);
        free(again);
        weights_done(&f);
        model_free(m);
    }
}
END_TEST

START_TEST(torn_files_are_refused)
{
    struct model *m = small(DTYPE_F32);
    struct weights_file f;
    struct err err = {0};
    unsigned char *data;
    uint64_t rng = 1;
    size_t n;

    write_file(m, 1);
    data = read_file(&n);
    for (int i = 0; i < 300; i++) {
        size_t cut = i < 64 ? (size_t)i : i == 64 ? n - 1 : (size_t)rng_below(&rng, n);

        ck_assert_int_eq(truncate(path, (off_t)cut), 0);
        ck_assert_int_eq(weights_open(m, path, &f, &err), -EINVAL);
        if (i >= 64)
            put_file(data, n);
        else
            put_file(data, n < 8192 ? n : 8192);
    }
    data = realloc(data, n + 1);
    data[n] = 0;
    put_file(data, n + 1);
    ck_assert_int_eq(weights_open(m, path, &f, &err), -EINVAL);
    free(data);
    model_free(m);
}
END_TEST

/* Replace the header's JSON by `text`, keeping the data. */
static void with_header(const unsigned char *data, size_t n, const char *text)
{
    size_t old = (size_t)data[0] + ((size_t)data[1] << 8) + ((size_t)data[2] << 16) + 8;
    size_t size = (strlen(text) + 8 + 4095) / 4096 * 4096;
    unsigned char *file = malloc(size + n - old);

    memset(file, ' ', size);
    for (int i = 0; i < 8; i++)
        file[i] = (unsigned char)((size - 8) >> (8 * i));
    memcpy(file + 8, text, strlen(text));
    memcpy(file + size, data + old, n - old);
    put_file(file, size + n - old);
    free(file);
}

static char *header_of(const unsigned char *data)
{
    size_t length = (size_t)data[0] + ((size_t)data[1] << 8) + ((size_t)data[2] << 16);

    return strndup((const char *)data + 8, length);
}

static char *replace(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    char *out;

    ck_assert_msg(at != NULL, "'%s' is not in '%s'", from, text);
    ck_assert_int_gt(asprintf(&out, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)), 0);
    return out;
}

START_TEST(wrong_headers_are_refused)
{
    static const struct {
        const char *from, *to, *want;
    } cases[] = {
        {"flashmem-weights", "flashmem-wights", "format is 'flashmem-wights'"},
        {"\"version\":\"1\"", "\"version\":\"2\"", "version is '2'"},
        {"\"model\":\"m\"", "\"model\":\"n\"", "model is 'n', want 'm'"},
        {"\"dtype\":\"f32\"", "\"dtype\":\"f16\"", "dtype is 'f16'"},
        {"\"graph_hash\":\"", "\"graph_hash\":\"x", "graph_hash is 'x"},
        {"\"seed\":\"1\"", "\"seed\":\"-1\"", "seed is '-1'"},
        {"\"seed\":\"1\"", "\"seed\":\"18446744073709551616\"", "seed is"},
        {"\"seed\":\"1\"", "\"sead\":\"1\"", "seed is ''"},
        {"\\\"fc.bias\\\":[0,5]", "\\\"fc.bias\\\":[16,5]", "vector 'fc.bias': want [0,5]"},
        {"\\\"fc.bias\\\":[0,5]", "\\\"fc.bias\\\":[0]", "vector 'fc.bias': want [0,5]"},
        {"\\\"fc.bias\\\":[0,5]", "[", "no index of vectors"},
        {"\"fc.weight\":{\"dtype\":\"F32\"", "\"fc.weight\":{\"dtype\":\"F16\"", "is of 'F16'"},
        {"\"fc.weight\":{\"dtype\":\"F32\"", "\"fc.weight\":{\"dtype\":7", "is of ''"},
        {"\"fc.weight\":{", "\"fc.wait\":{", "'fc.weight' is missing"},
        {"\"shape\":[5,8]", "\"shape\":[8,5]", "want shape [5, 8]"},
        {"\"shape\":[5,8]", "\"shape\":[40]", "want shape [5, 8]"},
        {"\"shape\":[5,8]", "\"shape\":[5.0,8]", "want shape [5, 8]"},
        {"\"__pad.0\":{", "\"more\":{", "tensors that the model lacks"},
        {"\"data_offsets\":[0,", "\"data_offsets\":[-1,", "want data_offsets"},
        {"\"data_offsets\":[0,", "\"data_offsets\":[4,", "begins at 4"},
        {"\"data_offsets\":[0,", "\"data_offsets\":[0.0,", "want data_offsets"},
        {"\"data_offsets\":[0,", "\"data_offsets\":[9223372036854775807,", "want data_offsets"},
        {"\"data_offsets\":[0,", "\"data_offsets\":[9223372036854775808,", "is not JSON"},
        {"\"data_offsets\":[0,", "\"offsets\":[0,", "want data_offsets"},
        {"{\"__metadata__\"", "[\"__metadata__\"", "is not JSON"},
        {"\"dtype\":\"F32\"", "\"dtype\":\"F32\",\"dtype\":\"F32\"", "is not JSON"},
    };
    struct model *m = small(DTYPE_F32);
    struct weights_file f;
    struct err err = {0};
    unsigned char *data;
    char *header;
    size_t n;

    write_file(m, 1);
    data = read_file(&n);
    header = header_of(data);
    with_header(data, n, header);
    ck_assert_msg(weights_open(m, path, &f, &err) == 0, "%s", err.text);
    weights_done(&f);
    for (int i = 0; i < N(cases); i++) {
        char *wrong = replace(header, cases[i].from, cases[i].to);

        with_header(data, n, wrong);
        ck_assert_msg(weights_open(m, path, &f, &err) == -EINVAL, "case %d", i);
        ck_assert_msg(strstr(err.text, cases[i].want), "case %d: %s", i, err.text);
        free(wrong);
    }
    free(header);
    free(data);
    model_free(m);
}
END_TEST

START_TEST(hostile_headers_do_no_harm)
{
    struct model *m = small(DTYPE_F32);
    struct weights_file f;
    struct err err = {0};
    unsigned char *data;
    uint64_t rng = 2;
    char *deep;
    size_t n;

    write_file(m, 1);
    data = read_file(&n);
    deep = malloc(1000001);
    memset(deep, '[', 1000000);
    deep[1000000] = '\0';
    with_header(data, n, deep);
    ck_assert_int_eq(weights_open(m, path, &f, &err), -EINVAL);
    free(deep);
    for (int i = 0; i < 3000; i++) { /* the header is near 1 KiB */
        unsigned char was[3];
        size_t at[3];

        for (int k = 0; k < 3; k++) {
            at[k] = rng_below(&rng, 1100);
            was[k] = data[at[k]];
            data[at[k]] = (unsigned char)rng_next(&rng);
        }
        put_file(data, n < 65536 ? n : 65536); /* torn as well: quicker to write */
        ck_assert_int_eq(weights_open(m, path, &f, &err), -EINVAL);
        for (int k = 2; k >= 0; k--)
            data[at[k]] = was[k];
    }
    free(data);
    model_free(m);
}
END_TEST

static int stop_half_way(void *ctx, uint64_t done, uint64_t total)
{
    ck_assert_uint_le(done, total);
    *(uint64_t *)ctx = done;
    return done > total / 4;
}

START_TEST(interrupted_writes_leave_nothing)
{
    struct model *m = small(DTYPE_F32);
    struct weights_file f;
    struct err err = {0};
    uint64_t done = 0;

    ck_assert_int_eq(weights_write(m, 1, path, stop_half_way, &done, &err), -EINTR);
    ck_assert(!exists(path) && !exists(tmp));
    write_file(m, 1);
    ck_assert_int_eq(weights_write(m, 2, path, stop_half_way, &done, &err), -EINTR);
    ck_assert_int_eq(weights_open(m, path, &f, &err), 0); /* the old one is whole */
    ck_assert_uint_eq(f.seed, 1);
    weights_done(&f);
    model_free(m);
}
END_TEST

START_TEST(full_disks_leave_nothing)
{
    struct rlimit limit, was;
    struct model *m = small(DTYPE_F32), *huge = NULL;
    struct err err = {0};
    char csv[64];
    FILE *f;

    snprintf(csv, sizeof(csv), "%s/huge.csv", folder);
    f = fopen(csv, "w");
    fputs("flashmem-graph,1\nkind,name,op,params,inputs,weights,init\nmodel,huge,,,,,\n"
          "input,x,ids,n=1 vocab=10000000,,,\n", f);
    for (int i = 0; i < 64; i++)
        fprintf(f, "layer,g%d,gather,t=1 vocab=10000000 cols=4096,x,w%d,normal:1\n"
                   "layer,a%d,add,rows=1 cols=4096 brows=1 bcols=4096,g%d %s%d,,\n", i, i, i, i,
                i ? "a" : "g", i ? i - 1 : 0);
    fclose(f);
    ck_assert_msg(model_read(csv, DTYPE_F32, &huge, &err) == 0, "%s", err.text);
    ck_assert_int_eq(weights_write(huge, 1, path, NULL, NULL, &err), -ENOSPC); /* 9.5 TiB */
    ck_assert_ptr_nonnull(strstr(err.text, "TiB"));
    ck_assert(!exists(path) && !exists(tmp));
    model_free(huge);
    signal(SIGXFSZ, SIG_IGN); /* a write beyond the limit then fails, as on a full disk */
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &was), 0);
    limit = was;
    limit.rlim_cur = 300000;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_int_eq(weights_write(m, 1, path, NULL, NULL, &err), -EFBIG);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &was), 0);
    ck_assert(!exists(path) && !exists(tmp));
    model_free(m);
}
END_TEST

START_TEST(two_writers_do_not_mix)
{
    struct model *m = small(DTYPE_F32);
    struct err err = {0};
    int fd = open(tmp, O_RDWR | O_CREAT, 0666);

    ck_assert_int_eq(flock(fd, LOCK_EX), 0);
    ck_assert_int_eq(weights_write(m, 1, path, NULL, NULL, &err), -EBUSY);
    ck_assert(exists(tmp));
    close(fd);
    write_file(m, 1); /* a killed writer's rest is no obstacle */
    ck_assert_int_eq(weights_write(m, 1, "/nowhere/w", NULL, NULL, &err), -ENOENT);
    model_free(m);
}
END_TEST

START_TEST(default_path)
{
    struct model *m = small(DTYPE_F16);
    char p[128];

    unsetenv("FLASHMEM_WEIGHTS");
    weights_default_path(m, p, sizeof(p));
    ck_assert_str_eq(p, "weights/m.f16.safetensors");
    setenv("FLASHMEM_WEIGHTS", "/big", 1);
    weights_default_path(m, p, sizeof(p));
    ck_assert_str_eq(p, "/big/m.f16.safetensors");
    model_free(m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("weights");
    TCase *t = tcase_create("weights");

    tcase_add_unchecked_fixture(t, folder_make, folder_remove);
    tcase_add_test(t, golden_values);
    tcase_add_test(t, distribution);
    tcase_add_test(t, file_holds_the_values);
    tcase_add_test(t, torn_files_are_refused);
    tcase_add_test(t, wrong_headers_are_refused);
    tcase_add_test(t, hostile_headers_do_no_harm);
    tcase_add_test(t, interrupted_writes_leave_nothing);
    tcase_add_test(t, full_disks_leave_nothing);
    tcase_add_test(t, two_writers_do_not_mix);
    tcase_add_test(t, default_path);
    suite_add_tcase(s, t);
    return suite_run(s);
}
