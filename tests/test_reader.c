/* The disk reader against a file whose every 4-byte word is its own index. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/replay/reader.h"
#include "tests/folder.h"

#define MIB (UINT64_C(1) << 20)

static char path[64];

/* `bytes` long; words count from 0 */
static void make_file(uint64_t bytes)
{
    uint32_t block[1024];
    FILE *f;

    snprintf(path, sizeof(path), "%s", in_folder("reader.bin"));
    f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    for (uint64_t at = 0; at < bytes; at += sizeof(block)) {
        uint64_t n = bytes - at < sizeof(block) ? bytes - at : sizeof(block);

        for (uint32_t i = 0; i < 1024; i++)
            block[i] = (uint32_t)(at / 4) + i;
        ck_assert_uint_eq(fwrite(block, 1, n, f), n);
    }
    ck_assert_int_eq(fclose(f), 0);
}

static void drop_file(void)
{
    unlink(path);
}

static void check_words(const void *data, uint64_t from_byte, uint64_t bytes)
{
    const uint32_t *w = data;

    uint64_t i = 0;

    while (i < bytes / 4 && w[i] == (uint32_t)(from_byte / 4 + i))
        i++;
    ck_assert_uint_eq(i, bytes / 4);
}

static struct reader *open_reader(void)
{
    struct reader *r = NULL;
    struct err err = {0};

    ck_assert_msg(reader_new(path, &r, &err) == 0, "%s", err.text);
    return r;
}

/* Pieces of many sizes, neighbours and not, in an order of their own: all arrive where they belong. */
START_TEST(pieces)
{
    static const uint64_t from[] = {0, 4096, 8192, 40960, 12288, 5 * MIB, 20480};
    static const uint64_t size[] = {4096, 4096, 4096, 8192, 8192, 3 * MIB, 4096};
    unsigned char *dst = aligned_alloc(4096, 16 * MIB);
    struct reader *r;
    uint64_t at = 0, total = 0;

    make_file(9 * MIB);
    r = open_reader();
    for (int round = 0; round < 3; round++) {
        memset(dst, 0xaa, 16 * MIB);
        reader_reset(r);
        at = total = 0;
        for (int i = 0; i < 7; i++) {
            struct read_job job = {.dst = dst + at, .file_byte = from[i], .bytes = size[i],
                                   .read_bytes = size[i], .name = "w"};

            ck_assert_int_eq(reader_post(r, &job, NULL), 0);
            at += size[i];
            total += size[i];
        }
        ck_assert_int_eq(reader_wait(r, 6, NULL), 0);
        ck_assert_uint_eq(reader_bytes(r), total);
        at = 0;
        for (int i = 0; i < 7; i++) {
            check_words(dst + at, from[i], size[i]);
            at += size[i];
        }
        ck_assert_uint_eq(dst[at], 0xaa);
    }
    reader_free(r);
    free(dst);
    drop_file();
}
END_TEST

/* The last tensor of a file need not fill its last block. */
START_TEST(end_of_file)
{
    unsigned char *dst = aligned_alloc(4096, MIB);
    struct reader *r;
    struct read_job job = {.dst = dst, .file_byte = 4096, .bytes = 1000, .read_bytes = 4096,
                           .name = "last"};

    make_file(4096 + 1000);
    r = open_reader();
    ck_assert_int_eq(reader_post(r, &job, NULL), 0);
    ck_assert_int_eq(reader_wait(r, 0, NULL), 0);
    check_words(dst, 4096, 1000);
    reader_free(r);
    free(dst);
    drop_file();
}
END_TEST

START_TEST(torn_file)
{
    unsigned char *dst = aligned_alloc(4096, MIB);
    struct reader *r;
    struct err err = {0};
    struct read_job job = {.dst = dst, .file_byte = 4096, .bytes = 8192, .read_bytes = 8192,
                           .name = "h.3.mlp"};

    make_file(4096 + 5000);
    r = open_reader();
    ck_assert_int_eq(reader_post(r, &job, NULL), 0);
    ck_assert_int_eq(reader_wait(r, 0, &err), -EIO);
    ck_assert_ptr_nonnull(strstr(err.text, "h.3.mlp"));
    ck_assert_ptr_nonnull(strstr(err.text, "9096"));
    /* The failure stays until reset, then the reader works again. */
    ck_assert_int_eq(reader_wait(r, 0, &err), -EIO);
    reader_drain(r);
    reader_reset(r);
    job.bytes = job.read_bytes = 4096;
    job.file_byte = 0;
    ck_assert_int_eq(reader_post(r, &job, NULL), 0);
    ck_assert_int_eq(reader_wait(r, 0, &err), 0);
    reader_free(r);
    free(dst);
    drop_file();
}
END_TEST

/* Gathered rows: any order, repeated, crossing block boundaries, packed one after the other. */
START_TEST(rows)
{
    static const int32_t row[] = {7, 0, 7, 341, 1, 2};
    unsigned char *dst = aligned_alloc(4096, MIB);
    struct reader *r;
    struct read_job job = {.dst = dst, .file_byte = 4096, .bytes = 6 * 3000, .read_bytes = 20480,
                           .name = "wte", .row = row, .n_rows = 6, .row_bytes = 3000};

    make_file(2 * MIB);
    r = open_reader();
    ck_assert_int_eq(reader_post(r, &job, NULL), 0);
    ck_assert_int_eq(reader_wait(r, 0, NULL), 0);
    for (int i = 0; i < 6; i++)
        check_words(dst + i * 3000, 4096 + (uint64_t)row[i] * 3000, 3000);
    reader_free(r);
    free(dst);
    drop_file();
}
END_TEST

START_TEST(drain_forgets)
{
    unsigned char *dst = aligned_alloc(4096, 16 * MIB);
    struct reader *r;

    make_file(16 * MIB);
    r = open_reader();
    for (int i = 0; i < 16; i++) {
        struct read_job job = {.dst = dst + (uint64_t)i * MIB, .file_byte = (uint64_t)i * MIB,
                               .bytes = MIB, .read_bytes = MIB, .name = "w"};

        ck_assert_int_eq(reader_post(r, &job, NULL), 0);
    }
    reader_drain(r);
    reader_reset(r);
    ck_assert_uint_eq(reader_bytes(r), 0);
    reader_free(r);
    free(dst);
    drop_file();
}
END_TEST

START_TEST(no_file)
{
    struct reader *r = NULL;
    struct err err = {0};

    ck_assert_int_eq(reader_new("does/not/exist", &r, &err), -ENOENT);
    ck_assert_ptr_null(r);
    ck_assert_ptr_nonnull(strstr(err.text, "does/not/exist"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("reader");
    TCase *t = tcase_create("all");
    SRunner *sr;
    int failed;

    folder_make();
    tcase_add_test(t, pieces);
    tcase_add_test(t, end_of_file);
    tcase_add_test(t, torn_file);
    tcase_add_test(t, rows);
    tcase_add_test(t, drain_forgets);
    tcase_add_test(t, no_file);
    suite_add_tcase(s, t);
    sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    folder_remove();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
