/* The disk reader where the disk fails, brings less than was asked for, or has another file. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/reader_case.h"
#include "tests/suite.h"

struct fault {
    int64_t at_byte; /* the read that holds it fails; -1: none does */
    int code;
    bool halves; /* every read brings half of what it could */
    int calls;
    int64_t longest;
};

static int64_t inject(void *ctx, uint64_t file_byte, int64_t result)
{
    struct fault *f = ctx; /* of several threads */
    int64_t longest = __atomic_load_n(&f->longest, __ATOMIC_RELAXED);

    __atomic_fetch_add(&f->calls, 1, __ATOMIC_RELAXED);
    while (result > longest && !__atomic_compare_exchange_n(&f->longest, &longest, result, false,
                                                            __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ; /* another thread's was written between */
    if (f->at_byte >= 0 && file_byte <= (uint64_t)f->at_byte &&
        file_byte + (uint64_t)result > (uint64_t)f->at_byte)
        return f->code;
    if (f->halves && result > READ_ALIGN)
        return result / 2 / READ_ALIGN * READ_ALIGN;
    return result;
}

static struct reader *open_faulty(int which, struct fault *f)
{
    struct reader_options opt = engine[which];

    opt.fault = inject;
    opt.ctx = f;
    return open_with(&opt);
}

/* The disk fails in the third of five weights: those before it can be had, it cannot, and the
 * message says which one and where. After a reset the reader works again. */
START_TEST(io_error)
{
    unsigned char *dst = aligned_alloc(4096, 20 * MIB);
    struct fault fault = {.at_byte = (int64_t)(9 * MIB), .code = -EIO};
    struct err err = {0};
    struct reader *r;

    make_file(20 * MIB);
    r = open_faulty(_i, &fault);
    for (int i = 0; i < 5; i++) {
        static const char *const name[] = {"a", "b", "h.2.attn", "d", "e"};
        struct read_job job = {.dst = dst + (uint64_t)i * 4 * MIB,
                               .file_byte = (uint64_t)i * 4 * MIB,
                               .bytes = 4 * MIB, .read_bytes = 4 * MIB, .name = name[i]};

        ck_assert_int_eq(reader_post(r, &job, NULL), 0);
    }
    ck_assert_int_eq(reader_wait(r, 4, &err), -EIO);
    ck_assert_msg(strstr(err.text, "'h.2.attn'") && strstr(err.text, "reader.bin"), "%s", err.text);
    ck_assert_msg(strstr(err.text, "byte 9437184") != NULL, "%s", err.text);
    reader_drain(r);
    reader_reset(r);
    fault.at_byte = -1;
    struct read_job again = {.dst = dst, .file_byte = 8 * MIB, .bytes = 4 * MIB,
                             .read_bytes = 4 * MIB, .name = "h.2.attn"};
    ck_assert_int_eq(reader_post(r, &again, NULL), 0);
    ck_assert_int_eq(reader_wait(r, 0, &err), 0);
    check_words(dst, 8 * MIB, 4 * MIB);
    reader_free(r);
    free(dst);
    drop_file();
}
END_TEST

/* A failing weight is named rightly when it is read together with its neighbours, and in a gather. */
START_TEST(names_of_small_ones)
{
    static const int32_t row[] = {900, 3, 4, 5, 70};
    unsigned char *dst = aligned_alloc(4096, MIB);
    struct read_job gather = {.dst = dst, .bytes = 5 * 3000, .read_bytes = 16384, .name = "wte",
                              .row = row, .n_rows = 5, .row_bytes = 3000};
    struct err err = {0};
    struct reader *r;

    make_file(4 * 4096 + 8);
    r = open_with(&engine[_i]);
    for (int i = 0; i < 8; i++) {
        static const char *const name[] = {"w0", "w1", "w2", "w3", "w4", "w5", "w6", "w7"};
        struct read_job job = {.dst = dst + i * 4096, .file_byte = (uint64_t)i * 4096,
                               .bytes = 4096, .read_bytes = 4096, .name = name[i]};

        ck_assert_int_eq(reader_post(r, &job, NULL), 0);
    }
    ck_assert_int_eq(reader_wait(r, 7, &err), -EIO);
    /* Read one by one, a later one may fail first: all of them are short. */
    ck_assert_msg(strstr(err.text, "'w4'") || strstr(err.text, "'w5'") ||
                  strstr(err.text, "'w6'") || strstr(err.text, "'w7'"), "%s", err.text);
    if (strstr(err.text, "'w4'"))
        ck_assert_msg(strstr(err.text, "byte 16392") != NULL, "%s", err.text);
    reader_drain(r);
    reader_reset(r);
    ck_assert_int_eq(reader_post(r, &gather, NULL), 0);
    ck_assert_int_eq(reader_wait(r, 0, &err), -EIO);
    ck_assert_msg(strstr(err.text, "'wte'") != NULL, "%s", err.text);
    reader_free(r);
    free(dst);
    drop_file();
}
END_TEST

/* A read may bring less than was asked for: the rest is read, and counted once. */
START_TEST(short_reads)
{
    unsigned char *dst = aligned_alloc(4096, 8 * MIB);
    struct read_job job = {.dst = dst, .file_byte = 4096, .bytes = 7 * MIB, .read_bytes = 7 * MIB,
                           .name = "w"};
    struct fault fault = {.at_byte = -1, .halves = true};
    struct err err = {0};
    struct reader *r;

    make_file(8 * MIB);
    r = open_faulty(_i, &fault);
    memset(dst, 0xaa, 8 * MIB);
    ck_assert_int_eq(reader_post(r, &job, NULL), 0);
    ck_assert_msg(reader_wait(r, 0, &err) == 0, "%s", err.text);
    check_words(dst, 4096, 7 * MIB);
    ck_assert_uint_eq(reader_bytes(r), 7 * MIB);
    ck_assert_int_gt(fault.calls, 8);
    reader_free(r);
    free(dst);
    drop_file();
}
END_TEST

/* Neighbours are read together, but never in longer reads than asked for (one thread at a time). */
START_TEST(cut_reads)
{
    unsigned char *dst = aligned_alloc(4096, 8 * MIB);
    struct fault fault = {.at_byte = -1};
    struct reader_options one = {.ram = _i == 1, .fault = inject, .ctx = &fault};
    struct reader *r;

    make_file(8 * MIB);
    r = open_with(&one);
    for (uint64_t cut = 8 * MIB; cut >= 96 << 10; cut /= 9) {
        reader_reset(r);
        reader_cut(r, cut / READ_ALIGN * READ_ALIGN);
        fault.longest = 0;
        for (uint64_t at = 0; at < 8 * MIB; at += MIB / 2) {
            struct read_job job = {.dst = dst + at, .file_byte = at, .bytes = MIB / 2,
                                   .read_bytes = MIB / 2, .name = "w"};

            ck_assert_int_eq(reader_post(r, &job, NULL), 0);
        }
        ck_assert_int_eq(reader_wait(r, 15, NULL), 0);
        reader_drain(r);
        check_words(dst, 0, 8 * MIB);
        ck_assert_int_le(fault.longest, (int64_t)(cut / READ_ALIGN * READ_ALIGN));
        if (cut < MIB / 2) /* as long as they may */
            ck_assert_int_eq(fault.longest, (int64_t)(cut / READ_ALIGN * READ_ALIGN));
    }
    reader_free(r);
    free(dst);
    drop_file();
}
END_TEST

/* The file is written to between two waits, its length the same. */
START_TEST(changed_file)
{
    unsigned char *dst = aligned_alloc(4096, MIB);
    struct read_job job = {.dst = dst, .bytes = MIB, .read_bytes = MIB, .name = "h.0.ln"};
    const struct timespec later[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 2000000000}};
    struct err err = {0};
    struct reader *r;
    FILE *f;

    make_file(2 * MIB);
    r = open_with(&engine[_i]);
    ck_assert_int_eq(reader_post(r, &job, NULL), 0);
    ck_assert_msg(reader_wait(r, 0, &err) == 0, "%s", err.text);
    f = fopen(path, "r+b");
    ck_assert_int_eq(fwrite("changed", 1, 7, f), 7);
    fclose(f);
    ck_assert_int_eq(utimensat(AT_FDCWD, path, later, 0), 0); /* clocks of file systems are coarse */
    ck_assert_int_eq(reader_wait(r, 0, &err), -ESTALE);
    ck_assert_msg(strstr(err.text, "'h.0.ln'") && strstr(err.text, "byte 0"), "%s", err.text);
    reader_free(r);
    free(dst);
    drop_file();
}
END_TEST

/* It becomes shorter: an error, not old bytes. */
START_TEST(cut_file)
{
    unsigned char *dst = aligned_alloc(4096, MIB);
    struct read_job job = {.dst = dst, .bytes = MIB, .read_bytes = MIB, .name = "h.0.ln"};
    struct err err = {0};
    struct reader *r;

    make_file(2 * MIB);
    r = open_with(&engine[_i]);
    ck_assert_int_eq(truncate(path, MIB / 2), 0);
    ck_assert_int_eq(reader_post(r, &job, NULL), 0);
    ck_assert_int_lt(reader_wait(r, 0, &err), 0);
    ck_assert_msg(strstr(err.text, "'h.0.ln'") != NULL, "%s", err.text);
    reader_free(r);
    free(dst);
    drop_file();
}
END_TEST

START_TEST(no_file)
{
    struct reader *r = NULL;
    struct err err = {0};

    ck_assert_int_eq(reader_new("does/not/exist", NULL, &r, &err), -ENOENT);
    ck_assert_ptr_null(r);
    ck_assert_ptr_nonnull(strstr(err.text, "does/not/exist"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("reader_faults");
    TCase *t = tcase_create("all");

    tcase_add_unchecked_fixture(t, folder_make, folder_remove);
    tcase_add_loop_test(t, io_error, 0, 4);
    tcase_add_loop_test(t, names_of_small_ones, 0, 4);
    tcase_add_loop_test(t, short_reads, 0, 4);
    tcase_add_loop_test(t, cut_reads, 0, 2);
    tcase_add_loop_test(t, changed_file, 0, 4);
    tcase_add_loop_test(t, cut_file, 0, 4);
    tcase_add_test(t, no_file);
    suite_add_tcase(s, t);
    return suite_run(s);
}
