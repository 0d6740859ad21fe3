/* Texel order: shapes, packing, half precision, and the way to the device and back. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "operators/tensor.h"
#include "profiler/rng.h"
#include "tests/need_device.h"
#include "tests/suite.h"

/* The compiler's own half precision is the reference where there is one (GCC 12 on x86-64). */
#if defined(__FLT16_MANT_DIG__)
__extension__ typedef _Float16 native_half;
#define HAVE_NATIVE_HALF 1
#endif

static float float_of(uint32_t bits)
{
    float f;

    memcpy(&f, &bits, sizeof f);
    return f;
}

START_TEST(half_known_values)
{
    static const struct {
        float f;
        uint16_t h;
    } known[] = {
        {0.0f, 0x0000},
        {-0.0f, 0x8000},
        {1.0f, 0x3c00},
        {-2.0f, 0xc000},
        {65504.0f, 0x7bff},
        {65519.0f, 0x7bff},
        {65520.0f, 0x7c00},
        {1e30f, 0x7c00},
        {-INFINITY, 0xfc00},
        {0x1p-14f, 0x0400},
        {0x1p-24f, 0x0001},
        {0x1p-25f, 0x0000},
        {0x1.8p-24f, 0x0002},
        {0x1.000002p-25f, 0x0001}, /* ties to even, above a tie: up */
        {1.0f + 0x1p-11f, 0x3c00},
        {1.0f + 0x3p-11f, 0x3c02},
        {1.0f + 0x1.002p-11f, 0x3c01},
        {1.0f / 3.0f, 0x3555},
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        ck_assert_msg(half_from_float(known[i].f) == known[i].h, "%a: %04x, want %04x", known[i].f,
                      half_from_float(known[i].f), known[i].h);
    ck_assert(isnan(half_to_float(half_from_float(NAN))));
}
END_TEST

START_TEST(half_round_trip)
{
    for (uint32_t h = 0; h < 0x10000; h++) {
        float f = half_to_float((uint16_t)h);

        if ((h & 0x7fff) > 0x7c00)
            must(isnan(f), "%04x", h);
        else
            must(half_from_float(f) == h, "%04x: %04x", h, half_from_float(f));
    }
}
END_TEST

START_TEST(half_against_the_compiler)
{
#ifdef HAVE_NATIVE_HALF
    uint64_t state = 1;

    for (int i = 0; i < 4000000; i++) {
        /* Exponents around what a half holds, then everything. */
        uint32_t r = (uint32_t)rng_next(&state);
        float f = float_of(i % 2 ? r : (r & 0x807fffff) | (100 + (r >> 23 & 0xff) % 45) << 23);
        native_half want = (native_half)f;
        uint16_t bits;

        memcpy(&bits, &want, sizeof bits);
        if (!isnan(f)) {
            must(half_from_float(f) == bits, "%a: %04x, want %04x", (double)f, half_from_float(f),
                 bits);
            must((float)want == half_to_float(bits), "%04x: %a", bits, (double)half_to_float(bits));
        }
    }
#endif
}
END_TEST

START_TEST(shapes)
{
    static const struct {
        struct tensor_desc d;
        int64_t texel_cols, width, height;
        bool folded;
    } want[] = {
        {{1, 1, 0, DTYPE_F32}, 1, 1, 1, false},
        {{3, 5, 0, DTYPE_F32}, 2, 2, 3, false},
        {{7, 18, 6, DTYPE_F16}, 6, 6, 7, false}, /* three groups of 6: two texels each */
        {{8192, 32768, 0, DTYPE_F16}, 8192, 8192, 8192, false},
        {{8193, 4, 0, DTYPE_F32}, 1, 8192, 2, true},
        {{1, 32769, 0, DTYPE_F32}, 8193, 8192, 2, true},
        {{50257, 768, 0, DTYPE_F16}, 192, 8192, 1178, true}, /* ceil(50257 * 192 / 8192) */
    };

    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        const struct tensor_desc *d = &want[i].d;
        int64_t width, height;

        tensor_image_size(d, &width, &height);
        ck_assert_int_eq(tensor_texel_cols(d), want[i].texel_cols);
        ck_assert_int_eq(tensor_texels(d), want[i].texel_cols * d->rows);
        ck_assert_uint_eq(tensor_bytes(d), (uint64_t)(want[i].texel_cols * d->rows) *
                                               (d->dtype == DTYPE_F16 ? 8 : 16));
        ck_assert_int_eq(width, want[i].width);
        ck_assert_int_eq(height, want[i].height);
        ck_assert(tensor_folded(d) == want[i].folded);
    }
}
END_TEST

START_TEST(packing_by_hand)
{
    /* [2, 6] in groups of 3 elements: each group is one texel, its last lane padding. */
    const struct tensor_desc d = {2, 6, 3, DTYPE_F32};
    const float elements[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    const float want[16] = {1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 0, 10, 11, 12, 0};
    float texels[16], back[12];
    const struct tensor_desc ids = {1, 5, 0, DTYPE_I32};
    const float id_elements[5] = {3, 0, 50256, 7, 1};
    const int32_t id_want[8] = {3, 0, 50256, 7, 1, 0, 0, 0};
    int32_t id_texels[8];

    memset(texels, 0xff, sizeof texels);
    tensor_pack(&d, elements, texels);
    ck_assert_mem_eq(texels, want, sizeof want);
    tensor_unpack(&d, texels, back);
    ck_assert_mem_eq(back, elements, sizeof elements);

    memset(id_texels, 0xff, sizeof id_texels);
    tensor_pack(&ids, id_elements, id_texels);
    ck_assert_mem_eq(id_texels, id_want, sizeof id_want);
}
END_TEST

START_TEST(names)
{
    ck_assert_int_eq(dtype_parse("f16"), DTYPE_F16);
    ck_assert_int_eq(dtype_parse("f64"), -EINVAL);
    ck_assert_str_eq(dtype_name(DTYPE_I32), "i32");
    ck_assert_int_eq(mem_path_parse("buffer"), PATH_BUFFER);
    ck_assert_int_eq(mem_path_parse("Buffer"), -EINVAL);
}
END_TEST

/* ---- on a device ---- */

static const struct tensor_desc device_descs[] = {
    {1, 1, 0, DTYPE_F32},     {5, 7, 0, DTYPE_F16},     {8193, 5, 0, DTYPE_F32}, /* folded */
    {3, 32773, 0, DTYPE_F16}, {16384, 4, 0, DTYPE_F32}, /* folded, nothing left over */
    {1, 9, 0, DTYPE_I32},
};

START_TEST(device_round_trip)
{
    const struct tensor_desc *d = &device_descs[_i / 2];
    enum mem_path path = _i % 2 ? PATH_BUFFER : PATH_IMAGE;
    uint64_t bytes = tensor_bytes(d), booked = bytes;
    unsigned char *there = malloc(bytes), *back = malloc(bytes);
    struct device *dev = NULL;
    cl_command_queue queue = NULL;
    struct tensor t = {0};
    struct mem *mem = NULL;
    struct err err = {0};

    ck_assert(there && back);
    for (uint64_t i = 0; i < bytes; i++) /* 0x3c: small positive numbers, whatever the type */
        there[i] = i % (d->dtype == DTYPE_F16 ? 2 : 4) ? 0x3c : (unsigned char)rng_at(1, i);
    ck_assert_msg(device_open(NULL, &dev, &err) == 0, "%s", err.text);
    ck_assert_msg(device_queue(dev, false, &queue, &err) == 0, "%s", err.text);
    ck_assert_msg(mem_new(0, &mem, &err) == 0, "%s", err.text);
    if (path == PATH_IMAGE && d->dtype != DTYPE_I32) {
        int64_t width, height;

        tensor_image_size(d, &width, &height);
        booked = (uint64_t)(width * height) * 4 * dtype_bytes(d->dtype);
    }
    ck_assert_msg(tensor_new(dev, d, path, mem, MEM_TEXTURE, &t, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(mem_live(mem), booked);
    ck_assert(d->dtype != DTYPE_I32 || t.path == PATH_BUFFER);
    ck_assert_msg(tensor_write(queue, &t, there, &err) == 0, "%s", err.text);
    ck_assert_msg(tensor_read(queue, &t, back, &err) == 0, "%s", err.text);
    ck_assert_mem_eq(there, back, bytes);
    tensor_done(&t, mem);
    tensor_done(&t, mem); /* twice is fine */
    ck_assert_uint_eq(mem_live(mem), 0);
    mem_free(mem);
    clReleaseCommandQueue(queue);
    device_close(dev);
    free(there);
    free(back);
}
END_TEST

START_TEST(device_refusals)
{
    struct tensor_desc wide = {.rows = 1, .cols = 1, .dtype = DTYPE_F32};
    struct tensor_desc small = {.rows = 4, .cols = 4, .dtype = DTYPE_F32};
    struct tensor t = {.booked_bytes = 77};
    struct device *dev = NULL;
    struct mem *mem = NULL;
    struct err err = {0};

    ck_assert_msg(device_open(NULL, &dev, &err) == 0, "%s", err.text);
    /* One row more than the device's highest image, folded. */
    wide.rows = (int64_t)(dev->info.image_height + 1) * TENSOR_FOLD;
    wide.cols = 4;
    ck_assert_int_eq(tensor_new(dev, &wide, PATH_IMAGE, NULL, MEM_TEXTURE, &t, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "exceeds"));
    ck_assert_msg(mem_new(63, &mem, &err) == 0, "%s", err.text);
    ck_assert_int_eq(tensor_new(dev, &small, PATH_BUFFER, mem, MEM_TEXTURE, &t, &err), -ENOMEM);
    ck_assert_uint_eq(mem_live(mem), 0);
    ck_assert_uint_eq(t.booked_bytes, 77); /* untouched */
    mem_free(mem);
    device_close(dev);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tensor");
    TCase *host = tcase_create("host"), *device = tcase_create("device");

    need_device();
    tcase_add_test(host, half_known_values);
    tcase_add_test(host, half_round_trip);
    tcase_add_test(host, half_against_the_compiler);
    tcase_add_test(host, shapes);
    tcase_add_test(host, packing_by_hand);
    tcase_add_test(host, names);
    tcase_add_loop_test(device, device_round_trip, 0,
                        2 * (int)(sizeof device_descs / sizeof *device_descs));
    tcase_add_test(device, device_refusals);
    suite_add_tcase(suite, host);
    suite_add_tcase(suite, device);
    return suite_run(suite);
}
