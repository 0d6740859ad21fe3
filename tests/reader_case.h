/* tests/reader_case.h - a file whose every 4-byte word is its own index, and its readers. */
#ifndef FLASHMEM_TESTS_READER_CASE_H
#define FLASHMEM_TESTS_READER_CASE_H

#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "harness/reader/reader.h"
#include "tests/folder.h"

#define MIB (UINT64_C(1) << 20)

static char path[64];

/* `bytes` long; words count from 0 */
static inline void make_file(uint64_t bytes)
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

static inline void drop_file(void)
{
    unlink(path);
}

static inline void check_words(const void *data, uint64_t from_byte, uint64_t bytes)
{
    const uint32_t *w = data;

    uint64_t i = 0;

    while (i < bytes / 4 && w[i] == (uint32_t)(from_byte / 4 + i))
        i++;
    ck_assert_uint_eq(i, bytes / 4);
}

static const struct reader_options engine[] = {
    {0}, {.no_uring = true}, {.ram = true}, {.rate_bps = 4000 * MIB}};

static inline struct reader *open_with(const struct reader_options *opt)
{
    struct reader *r = NULL;
    struct err err = {0};

    ck_assert_msg(reader_new(path, opt, &r, &err) == 0, "%s", err.text);
    return r;
}

#endif
