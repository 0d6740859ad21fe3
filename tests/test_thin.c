/* Products of the real models at their full sizes, every element of them, by the references of the
 * few rows and columns that they are made of (operators/trial/thin.h); and that this sees what is wrong:
 * one element among millions, one summand of hundreds, one key of thousands. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "operators/trial/thin.h"
#include "operators/trial/trial.h"
#include "tests/suite.h"
#include "tests/with_device.h"

#ifdef __SANITIZE_ADDRESS__
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

enum { LOAD = 70001 };

/* A case on one path, launched once and compared. */
struct run {
    struct op_case c;
    struct op_io io;
    struct trial *t;
    struct op_args args;
    struct trial_verdict verdict;
    enum mem_path path;
};

static void launch(struct run *r, const char *program_case, const char *form, uint64_t load)
{
    struct op_program *p = NULL;
    struct op_case c = {0};
    struct op_variant v;
    struct err err = {0};
    char words[64];

    snprintf(words, sizeof words, "%s,%s", mem_path_name(r->path), form);
    ck_assert_msg(op_case_parse(program_case, &c, &err) == 0, "%s", err.text);
    ck_assert_msg(op_variant_parse(&c, &dev->info, words, &v, &err) == 0, "%s", err.text);
    ck_assert_msg(op_program_new(dev, &c, &v, &p, &err) == 0, "%s", err.text);
    ck_assert_msg(trial_bind(r->t, p, load, &r->args, &err) == 0, "%s", err.text);
    ck_assert_msg(trial_verify(r->t, p, &r->args, &r->verdict, &err) == 0, "%s", err.text);
    op_program_free(p);
}

static void begin(struct run *r, const char *text, enum mem_path path)
{
    struct err err = {0};

    *r = (struct run){.path = path};
    ck_assert_msg(op_case_parse(text, &r->c, &err) == 0, "%s", err.text);
    r->c.op->io(&r->c, &r->io);
    ck_assert_msg(trial_new(dev, queue, &r->c, path, LOAD, 1, &r->t, &err) == 0, "%s", err.text);
}

/* ---- what repeats ---- */

/* Whole units; each run of neighbours has every one of the few once; runs differ. */
START_TEST(neighbours_differ)
{
    const struct thin_axis a = {1000, 31}, same = {7, 7};
    int64_t orders = 0;

    for (int64_t i = 0; i < 3 * a.n; i += i % a.n == 992 ? 8 : 31) {
        bool seen[31] = {false}, like_first = true;

        for (int64_t j = i; j < i + 31 && j / a.n == i / a.n; j++) {
            int64_t at = thin_at(&a, j);

            ck_assert_int_eq(at / a.few, i / a.n);
            ck_assert(!seen[at % a.few]);
            seen[at % a.few] = true;
            like_first = like_first && at % a.few == thin_at(&a, j - i);
        }
        orders += !like_first;
    }
    ck_assert_int_gt(orders, 3 * 29);
    for (int64_t i = 0; i < 21; i++)
        ck_assert_int_eq(thin_at(&same, i), i);
}
END_TEST

/* k, d and the keys are as long as ever; small products are as they are. */
START_TEST(sums_stay_whole)
{
    struct op_case c = {0};
    struct thin t;

    ck_assert_int_eq(op_case_parse("matmul:f32:m=128,n=50257,k=768", &c, NULL), 0);
    thin_init(&t, &c);
    ck_assert_int_eq(op_param_get(&t.c, "k"), 768);
    ck_assert_int_eq(op_param_get(&t.c, "m"), 128);
    ck_assert_int_lt(op_param_get(&t.c, "n"), 5087); /* 5e8 / 768 / 128 */
    ck_assert_int_gt(op_param_get(&t.c, "n"), 2500);
    ck_assert_int_eq(op_case_parse("attention:f32:heads=8,m=4096,n=4000,d=40,dv=48", &c, NULL), 0);
    thin_init(&t, &c);
    ck_assert_int_lt(op_param_get(&t.c, "m"), 200);
    ck_assert_int_eq(op_param_get(&t.c, "n"), 4000);
    ck_assert_int_eq(op_param_get(&t.c, "d"), 40);
    ck_assert_int_eq(op_case_parse("matmul:f32:m=793,n=793,k=793", &c, NULL), 0); /* 4.987e8 */
    thin_init(&t, &c);
    ck_assert_int_eq(op_param_get(&t.c, "m"), 793);
    ck_assert_int_eq(op_param_get(&t.c, "n"), 793);
}
END_TEST

/* All layouts, small enough that test_operators.c holds these kernels to full references. */
static const char *const layouts[] = {
    "matmul:f32:m=53,n=71,k=19,bias=1,res=1,act=gelu",
    "matmul:f32:m=53,n=53,k=19,ta=1,tb=0",
    "matmul:f32:batch=3,m=29,n=37,k=11,b=input,aheads=1,bheads=1,scaled=1",
    "matmul:f32:batch=3,m=37,n=29,k=11,tb=0,b=input,bheads=1,cheads=1",
    "conv2d:f32:h=9,w=7,cin=5,cout=45,r=3,s=3,pad=1,bias=1,res=1",
    "conv2d:f32:h=9,w=7,cin=8,cout=64,r=3,s=3,pad=1,groups=2",
    "deconv2d:f32:h=5,w=4,cin=6,cout=45,r=3,s=3,stride=2,pad=1",
    "attention:f32:batch=2,heads=3,m=61,n=23,d=9,dv=30",
    "attention:f32:heads=2,m=61,n=23,d=9,dv=30,causal=1",
};
enum { LAYOUTS = sizeof layouts / sizeof *layouts };

START_TEST(repeats_in_every_layout)
{
    enum mem_path path = dev->info.images && _i % 2 ? PATH_IMAGE : PATH_BUFFER;
    struct thin t;
    struct run r;

    thin_macs = 0;
    begin(&r, layouts[_i], path);
    thin_init(&t, &r.c);
    thin_macs = THIN_MACS;
    ck_assert(strstr(layouts[_i], "groups") ? memcmp(t.c.p, r.c.p, sizeof t.c.p) == 0
                                            : memcmp(t.c.p, r.c.p, sizeof t.c.p) != 0);
    launch(&r, layouts[_i], "naive", 0);
    ck_assert_msg(r.verdict.ok, "%s: %s", layouts[_i], r.verdict.text);
    trial_free(r.t);
}
END_TEST

/* ---- full sizes ---- */

/* A vocabulary takes longer to fill than to compute: one path for each dtype. */
static const struct {
    const char *text;
    bool on[2]; /* by enum mem_path */
} full_sizes[] = {
    {"matmul:f32:m=128,n=50257,k=768", {false, true}},
    {"matmul:f16:m=128,n=50257,k=768", {true, false}}, /* folded */
    {"matmul:f32:m=2048,n=2048,k=2048", {true, true}},
    {"matmul:f16:m=2048,n=2048,k=2048", {true, true}},
    {"conv2d:f32:h=64,w=64,cin=320,cout=320,r=3,s=3,pad=1,bias=1", {true, true}},
    {"conv2d:f16:h=64,w=64,cin=320,cout=320,r=3,s=3,pad=1,bias=1", {true, true}},
    {"attention:f32:heads=8,m=4096,n=4096,d=40,dv=40", {true, true}},
    {"attention:f16:heads=8,m=4096,n=4096,d=40,dv=40", {true, true}},
};
enum { FULL_SIZES = sizeof full_sizes / sizeof *full_sizes };

/* Both forms, one with extra load, all of it compared too; both paths against one reference. */
START_TEST(every_element_at_full_size)
{
    struct trial_reference *reference = NULL;
    const char *text = full_sizes[_i].text;
    struct run r;

    for (int path = 0; !SANITIZED && path < 2; path++) {
        if (!full_sizes[_i].on[path] ||
            (path == PATH_IMAGE && !dev->info.images) ||
            (path == PATH_IMAGE && strstr(text, "f16") && !dev->info.half_images))
            continue;
        begin(&r, text, (enum mem_path)path);
        trial_give_reference(r.t, reference);
        launch(&r, text, "naive", 0);
        ck_assert_msg(r.verdict.ok, "%s naive: %s", text, r.verdict.text);
        launch(&r, text, "pipelined,loads=1", LOAD);
        ck_assert_msg(r.verdict.ok, "%s pipelined: %s", text, r.verdict.text);
        reference = trial_take_reference(r.t);
        trial_free(r.t);
    }
    trial_reference_free(reference);
}
END_TEST

/* ---- mistakes ---- */

/* Reads or writes the texel of an element of the output; both wait. */
static void transfer(struct run *r, bool write, int64_t row, int64_t col, float texel[4])
{
    const struct tensor_desc *d = &r->io.slot[r->io.n - 1].desc;
    int64_t at = row * tensor_texel_cols(d) + col / 4, width, height;
    cl_mem mem = r->args.tensor[r->io.n - 1];
    size_t origin[3] = {0}, region[3] = {1, 1, 1}, from = (size_t)at * 4 * sizeof *texel;
    size_t bytes = 4 * sizeof *texel;
    cl_int code;

    tensor_image_size(d, &width, &height);
    origin[0] = (size_t)(at % width);
    origin[1] = (size_t)(at / width);
    if (r->path == PATH_IMAGE && write)
        code = clEnqueueWriteImage(queue, mem, CL_TRUE, origin, region, 0, 0, texel, 0, NULL, NULL);
    else if (r->path == PATH_IMAGE)
        code = clEnqueueReadImage(queue, mem, CL_TRUE, origin, region, 0, 0, texel, 0, NULL, NULL);
    else if (write)
        code = clEnqueueWriteBuffer(queue, mem, CL_TRUE, from, bytes, texel, 0, NULL, NULL);
    else
        code = clEnqueueReadBuffer(queue, mem, CL_TRUE, from, bytes, texel, 0, NULL, NULL);
    ck_assert_int_eq(code, CL_SUCCESS);
}

/* One element, off by `error`: seen and named, and all is well again without it. */
static void plant(struct run *r, int64_t row, int64_t col, float error)
{
    float was[4], is[4];
    struct err err = {0};
    char where[64];

    transfer(r, false, row, col, was);
    memcpy(is, was, sizeof is);
    is[col % 4] += error;
    transfer(r, true, row, col, is);
    ck_assert_msg(trial_check(r->t, &r->args, &r->verdict, &err) == 0, "%s", err.text);
    snprintf(where, sizeof where, "y[%" PRId64 ",%" PRId64 "]", row, col);
    ck_assert_msg(!r->verdict.ok, "%s + %g passes", where, (double)error);
    ck_assert_msg(strncmp(r->verdict.text, where, strlen(where)) == 0, "%s, want %s",
                  r->verdict.text, where);
    transfer(r, true, row, col, was);
    ck_assert_msg(trial_check(r->t, &r->args, &r->verdict, &err) == 0, "%s", err.text);
    ck_assert_msg(r->verdict.ok, "%s", r->verdict.text);
}

/* A result adds 768 summands, whose size is 1 on average: a hundredth of one of them too much, in
 * one of 1.5 million results. */
START_TEST(one_wrong_element)
{
    static const char text[] = "matmul:f32:m=300,n=5003,k=768";
    struct run r;

    if (SANITIZED || (_i && !dev->info.images))
        return;
    thin_macs = 5e7;
    begin(&r, text, (enum mem_path)!_i);
    thin_macs = THIN_MACS;
    launch(&r, text, "naive", 0);
    ck_assert_msg(r.verdict.ok, "%s", r.verdict.text);
    plant(&r, 0, 0, 0.01f);
    plant(&r, 299, 5002, -0.01f);
    plant(&r, 157, 2500, 0.01f);
    trial_free(r.t);
}
END_TEST

/* What a launch does that was meant for a case a little different. */
static const struct {
    const char *want, *done;
} mistakes[] = {
    {"matmul:f32:m=2048,n=2048,k=2048,ta=1,tb=0",
     "matmul:f32:m=2048,n=2048,k=2047,ta=1,tb=0"}, /* the last summand */
    {"matmul:f32:m=128,n=50257,k=768", "matmul:f32:m=128,n=50252,k=768"}, /* columns */
    {"conv2d:f32:h=128,w=32,cin=320,cout=320,r=3,s=3,pad=1,bias=1",
     "conv2d:f32:h=32,w=128,cin=320,cout=320,r=3,s=3,pad=1,bias=1"},
    {"attention:f32:heads=8,m=4096,n=4096,d=40,dv=40",
     "attention:f32:heads=8,m=4096,n=4095,d=40,dv=40"},
    {"attention:f32:heads=8,m=4096,n=4096,d=40,dv=40",
     "attention:f32:heads=10,m=4096,n=4096,d=32,dv=32"},
};
enum { MISTAKES = sizeof mistakes / sizeof *mistakes };

START_TEST(wrong_programs)
{
    struct run r;

    if (SANITIZED)
        return;
    thin_macs = 5e7;
    begin(&r, mistakes[_i].want, PATH_BUFFER);
    thin_macs = THIN_MACS;
    launch(&r, mistakes[_i].done, "naive", 0);
    ck_assert_msg(!r.verdict.ok, "%s passes for %s", mistakes[_i].done, mistakes[_i].want);
    trial_free(r.t);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("thin");
    TCase *all = tcase_create("thin");

    need_device();
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, neighbours_differ);
    tcase_add_test(all, sums_stay_whole);
    tcase_add_loop_test(all, repeats_in_every_layout, 0, LAYOUTS);
    tcase_add_loop_test(all, every_element_at_full_size, 0, FULL_SIZES);
    tcase_add_loop_test(all, one_wrong_element, 0, 2);
    tcase_add_loop_test(all, wrong_programs, 0, MISTAKES);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
