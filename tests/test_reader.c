/* The disk reader against a file whose every 4-byte word is its own index: with io_uring, with
 * threads, and as two emulated disks. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "harness/reader/disk.h"
#include "harness/reader/engine.h"
#include "tests/reader_case.h"
#include "tests/suite.h"

static uint32_t next_random(uint32_t *state, uint32_t below)
{
    *state = *state * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)(*state >> 8) * below >> 24);
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
    r = open_with(&engine[_i]);
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

/* Threads of this process that go before all others. */
static int urgent_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *e;
    int n = 0;

    ck_assert_ptr_nonnull(tasks);
    while ((e = readdir(tasks)) != NULL)
        n += atoi(e->d_name) > 0 && sched_getscheduler(atoi(e->d_name)) == SCHED_FIFO;
    closedir(tasks);
    return n;
}

static void *try_urgent(void *allowed)
{
    struct sched_param p = {.sched_priority = 1};

    *(bool *)allowed = sched_setscheduler(0, SCHED_FIFO, &p) == 0;
    return NULL;
}

/* Where a thread may go first, those that wait for a disk do, and those that copy do not. */
START_TEST(goes_first)
{
    pthread_t t;
    bool allowed;
    struct reader *r;
    struct read_job job = {.file_byte = 0, .bytes = 4096, .read_bytes = 4096, .name = "w"};

    ck_assert_int_eq(pthread_create(&t, NULL, try_urgent, &allowed), 0);
    ck_assert_int_eq(pthread_join(t, NULL), 0);
    job.dst = aligned_alloc(4096, 4096);
    make_file(MIB);
    r = open_with(&engine[_i]);
    ck_assert_int_eq(reader_post(r, &job, NULL), 0); /* they run by then */
    ck_assert_int_eq(reader_wait(r, 0, NULL), 0);
    if (engine[_i].ram || engine[_i].rate_bps || !reader_direct(r) || !allowed)
        ck_assert_int_eq(urgent_threads(), 0);
    else
        ck_assert_int_gt(urgent_threads(), 0);
    reader_free(r);
    free(job.dst);
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
    r = open_with(&engine[_i]);
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
    r = open_with(&engine[_i]);
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
    r = open_with(&engine[_i]);
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
    r = open_with(&engine[_i]);
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

/* Random jobs: neighbours that are read together, long ones that are cut, rows with and without
 * neighbours, the file's odd end; in memory that is registered in part. Every byte is checked. */
START_TEST(any_jobs)
{
    enum { JOBS = 60, ROWS = 40, ROW_BYTES = 12000 };
    const uint64_t file_bytes = 24 * MIB + 1000, room = 200 * MIB;
    static int32_t row[JOBS][ROWS];
    static struct read_job job[JOBS];
    unsigned char *dst = aligned_alloc(2 * MIB, room);
    uint32_t state = 7;
    struct reader *r;

    ck_assert_ptr_nonnull(dst);
    make_file(file_bytes);
    r = open_with(&engine[_i]);
    reader_register(r, dst + 32 * MIB, 64 * MIB);
    for (int round = 0; round < 4; round++) {
        uint64_t at = 0, file = 0;

        reader_reset(r);
        for (int i = 0; i < JOBS; i++) {
            struct read_job *j = &job[i];
            uint64_t most = next_random(&state, 8) ? 16 : 2000; /* blocks */

            *j = (struct read_job){.name = "w", .dst = dst + at};
            if (next_random(&state, 3) == 0)
                file = next_random(&state, (uint32_t)(file_bytes / READ_ALIGN)) * READ_ALIGN;
            j->file_byte = file;
            j->read_bytes = (1 + next_random(&state, (uint32_t)most)) * READ_ALIGN;
            j->bytes = j->read_bytes - next_random(&state, 1000) * 4;
            if (next_random(&state, 6) == 0) {
                j->file_byte = next_random(&state, 100) * READ_ALIGN;
                j->row = row[i];
                j->n_rows = ROWS;
                j->row_bytes = ROW_BYTES;
                for (int k = 0; k < ROWS; k++)
                    row[i][k] = k && next_random(&state, 3)
                                    ? row[i][k - 1] + 1
                                    : (int32_t)next_random(&state, 1000);
                j->bytes = (uint64_t)ROWS * ROW_BYTES;
                j->read_bytes = (j->bytes + READ_ALIGN - 1) / READ_ALIGN * READ_ALIGN;
            } else if (j->file_byte + j->bytes > file_bytes) {
                j->file_byte = file_bytes / READ_ALIGN * READ_ALIGN;
                j->bytes = 1000;
                j->read_bytes = READ_ALIGN;
            }
            file = j->file_byte + j->read_bytes;
            at += j->read_bytes + (next_random(&state, 4) ? 0 : READ_ALIGN);
            ck_assert_uint_le(at, room);
            if (file >= file_bytes)
                file = 0;
            ck_assert_int_eq(reader_post(r, j, NULL), 0);
        }
        for (int i = 0; i < JOBS; i++) {
            struct err err = {0};

            ck_assert_msg(reader_wait(r, i, &err) == 0, "%s", err.text);
            if (!job[i].n_rows)
                check_words(job[i].dst, job[i].file_byte, job[i].bytes);
            for (int k = 0; k < job[i].n_rows; k++)
                check_words((unsigned char *)job[i].dst + k * ROW_BYTES,
                            job[i].file_byte + (uint64_t)row[i][k] * ROW_BYTES, ROW_BYTES);
        }
        reader_drain(r);
    }
    reader_free(r);
    free(dst);
    drop_file();
}
END_TEST

/* 8 MiB at 100 MB/s take 84 ms at least, from memory or from the disk. */
START_TEST(emulated_rate)
{
    struct reader_options opt = {.ram = _i, .rate_bps = 100000000};
    unsigned char *dst = aligned_alloc(4096, 8 * MIB);
    struct read_job job = {.dst = dst, .bytes = 8 * MIB, .read_bytes = 8 * MIB, .name = "w"};
    struct timespec a, b;
    struct reader *r;
    double s;

    make_file(8 * MIB);
    r = open_with(&opt);
    ck_assert_ptr_nonnull(strstr(reader_kind(r), "emulated"));
    clock_gettime(CLOCK_MONOTONIC, &a);
    ck_assert_int_eq(reader_post(r, &job, NULL), 0);
    ck_assert_int_eq(reader_wait(r, 0, NULL), 0);
    clock_gettime(CLOCK_MONOTONIC, &b);
    s = (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec);
    ck_assert_double_ge(s, 0.0838);
    check_words(dst, 0, 8 * MIB);
    reader_free(r);
    free(dst);
    drop_file();
}
END_TEST

/* Freed with reads posted and in flight: ends, and nothing is written afterwards. */
START_TEST(freed_early)
{
    unsigned char *dst = aligned_alloc(4096, 16 * MIB);

    make_file(16 * MIB);
    for (int round = 0; round < 20; round++) {
        struct reader *r = open_with(&engine[_i]);

        for (int i = 0; i < round; i++) {
            struct read_job job = {.dst = dst + (uint64_t)(i % 16) * MIB,
                                   .file_byte = (uint64_t)(i * 5 % 16) * MIB, .bytes = MIB,
                                   .read_bytes = MIB, .name = "w"};

            ck_assert_int_eq(reader_post(r, &job, NULL), 0);
        }
        reader_free(r);
        memset(dst, 0xaa, 16 * MIB);
        for (uint64_t i = 0; i < 16 * MIB; i++)
            if (dst[i] != 0xaa)
                ck_abort_msg("byte %llu was read after the reader was freed",
                             (unsigned long long)i);
    }
    free(dst);
    drop_file();
}
END_TEST

static int n_rounds;

static void count_round(void *ctx, int round, int rounds)
{
    (void)ctx;
    ck_assert_int_eq(round, ++n_rounds);
    ck_assert_int_eq(rounds, 3);
}

/* Everyone has turns, the fastest loop is the measure of all, the reader comes last. */
START_TEST(disk_rates)
{
    struct disk_options opt = {.rounds = 3, .turn_bytes = 32 * MIB, .progress = count_round};
    struct disk_rate *rate = NULL;
    struct err err = {0};
    int n = 0, best = 0, rc;

    make_file(4096);
    ck_assert_int_eq(disk_compare(path, &opt, &rate, &n, &err), -EINVAL);
    ck_assert_int_eq(truncate(path, (off_t)(65 * MIB)), 0);
    rc = disk_compare(path, &opt, &rate, &n, &err);
    if (rc == -EOPNOTSUPP) /* no O_DIRECT where this suite's files are */
        return;
    ck_assert_msg(rc == 0, "%s", err.text);
    ck_assert_int_eq(n_rounds, 3);
    ck_assert_int_ge(n, 4);
    for (int i = 0; i < n; i++) {
        ck_assert_int_eq(rate[i].ours, i == n - 1);
        ck_assert_double_gt(rate[i].rate_bps.low, 0);
        ck_assert_double_ge(rate[i].rate_bps.high, rate[i].rate_bps.low);
        if (i < n - 1 && rate[i].rate_bps.mid > rate[best].rate_bps.mid)
            best = i;
    }
    ck_assert_double_eq(rate[best].of_best.low, 1);
    ck_assert_double_eq(rate[best].of_best.high, 1);
    free(rate);
    drop_file();
}
END_TEST

/* Memory is registered, unregistered and given back; what then stands at its address is read into
 * rightly, registered again or not. More often than there is room for regions. */
START_TEST(memory_comes_and_goes)
{
    const uint64_t bytes = 2 * MIB;
    void *place = NULL;
    const char *kind;
    struct reader *r;

    make_file(4 * MIB);
    r = open_with(&engine[_i]);
    reader_register(r, NULL, 0);
    for (int round = 0; round < 150; round++) {
        /* In place of the one before, which goes at the same time: nobody else's can come between. */
        void *dst = mmap(place, bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | (place ? MAP_FIXED : 0), -1, 0);
        struct read_job job = {.dst = dst, .file_byte = (uint64_t)(round % 2) * MIB, .bytes = bytes,
                               .read_bytes = bytes, .name = "w"};
        struct err err = {0};

        ck_assert_ptr_ne(dst, MAP_FAILED);
        place = dst;
        if (round % 3)
            reader_register(r, dst, bytes);
        reader_reset(r);
        ck_assert_int_eq(reader_post(r, &job, NULL), 0);
        ck_assert_msg(reader_wait(r, 0, &err) == 0, "%s", err.text);
        check_words(dst, job.file_byte, bytes);
        reader_drain(r);
        reader_unregister(r, dst, bytes);
    }
    ck_assert_int_eq(munmap(place, bytes), 0);
    kind = reader_kind(r); /* how much of it may be locked is the system's to say */
    ck_assert_msg(!strstr(kind, "not registered") || strstr(kind, "ulimit -l"), "%s", kind);
    reader_free(r);
    drop_file();
}
END_TEST

static void not_asleep(struct reader *r)
{
    (void)r;
}

/* A disk that tells of all reads when it has done them: bytes of the next batch. */
static uint64_t next_batch(struct reader *r)
{
    struct err ok = {0};
    struct piece p[64];
    uint64_t bytes = 0;
    int n = 0;

    while (bytes < reader_window(r) && reader_next(r, &p[n]))
        bytes += p[n++].bytes;
    for (int i = 0; i < n; i++) {
        p[i].got_bytes = p[i].bytes;
        reader_book(r, &p[i], NULL, &ok);
    }
    return bytes;
}

/* A run's batches grow from half a megabyte to what is worth waiting for, and become small again with
 * what is left. After a rest only the reads do. */
START_TEST(batches)
{
    static const uint64_t halves[] = {1, 2, 4, 8, 16, 32};
    const struct reader_engine awake = {.wake = not_asleep};
    struct reader r = {.engine = &awake, .block_bytes = 4 * MIB, .direct = true};
    struct read_job job = {.dst = &r, .bytes = 1024 * MIB, .read_bytes = 1024 * MIB, .name = "w"};
    uint64_t left = 1024 * MIB, n;

    pthread_mutex_init(&r.lock, NULL);
    reader_reset(&r);
    ck_assert_int_eq(reader_post(&r, &job, NULL), 0);
    for (int k = 0; k < 6; k++) {
        ck_assert_uint_eq(n = next_batch(&r), halves[k] * MIB / 2);
        left -= n;
    }
    while (left > 0) {
        n = next_batch(&r);
        ck_assert_uint_le(n, left > 256 * MIB ? left / 32 + 4 * MIB : 8 * MIB);
        ck_assert_uint_ge(n, left < 8 * MIB ? left : 8 * MIB);
        left -= n;
    }
    ck_assert_uint_eq(next_batch(&r), 0);
    job.bytes = job.read_bytes = 32 * MIB;
    ck_assert_int_eq(reader_post(&r, &job, NULL), 0);
    ck_assert_uint_eq(next_batch(&r), (1 + 2 + 4 + 8 + 8) * MIB / 2);
    reader_reset(&r);
    ck_assert_int_eq(reader_post(&r, &job, NULL), 0);
    for (int k = 0; k < 5; k++)
        ck_assert_uint_eq(next_batch(&r), halves[k] * MIB / 2);
    free(r.job);
    pthread_mutex_destroy(&r.lock);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("reader");
    TCase *t = tcase_create("all");

    tcase_add_unchecked_fixture(t, folder_make, folder_remove);
    tcase_add_loop_test(t, pieces, 0, 4);
    tcase_add_loop_test(t, goes_first, 0, 4);
    tcase_add_loop_test(t, end_of_file, 0, 4);
    tcase_add_loop_test(t, torn_file, 0, 4);
    tcase_add_loop_test(t, rows, 0, 4);
    tcase_add_loop_test(t, drain_forgets, 0, 4);
    tcase_add_loop_test(t, any_jobs, 0, 4);
    tcase_add_loop_test(t, emulated_rate, 0, 2);
    tcase_add_loop_test(t, freed_early, 0, 4);
    tcase_add_loop_test(t, memory_comes_and_goes, 0, 4);
    tcase_add_test(t, batches);
    tcase_add_test(t, disk_rates);
    suite_add_tcase(s, t);
    return suite_run(s);
}
