/* Every operator against its reference, and its forms against each other.
 *
 * A row of the table is a case without its dtype. It runs as f32 and f16, on images and buffers,
 * with every kernel that takes it: the naive form, and if the row says so all forms with several
 * loads; as f32 also other local sizes and tunables. Within one dtype all outputs must agree to the
 * last bit: forms, local sizes, tunables and memory paths change nothing. A new operator is some
 * more rows. Each new program costs 0.2 s or so on PoCL, so a few rows with all forms will do. */
#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "operators/trial.h"
#include "tests/need_device.h"

struct row {
    const char *op, *params;
    bool forms;              /* all forms, with extra load; else the naive one alone */
    /* Beside the default: numbers of variants, for all kernels that have such tunables or, as
     * "KERNEL:NUMBERS", for one; NULL-ended. */
    const char *variants[8];
    bool loose;              /* kernels add in different orders: bits are compared within each */
};

static const struct row rows[] = {
    {"null", "", true, {"lws=16x1"}, false},
    {"null", "items=1", true, {NULL}, false},

    {"relu", "rows=1,cols=1", true, {NULL}, false},
    {"relu", "rows=5,cols=7", true, {"VT=1,lws=1x1", "VT=16,lws=4x4"}, false},
    {"relu", "rows=8193,cols=3", true, {NULL}, false}, /* folded by its rows */
    {"relu", "rows=3,cols=32773", false, {NULL}, false}, /* folded by its columns */
    {"gelu", "rows=4,cols=4", false, {NULL}, false},
    {"gelu", "rows=31,cols=127", true, {"VT=2,lws=4x4"}, false},
    {"gelu", "rows=3,cols=5,approx=tanh", false, {NULL}, false},
    {"gelu", "rows=64,cols=64,approx=tanh", true, {"VT=1,lws=4x4"}, false},

    {"add", "rows=1,cols=1,brows=1,bcols=1", false, {NULL}, false},
    {"add", "rows=5,cols=13,brows=5,bcols=13", true, {"VT=1,lws=4x4"}, false},
    {"add", "rows=17,cols=13,brows=1,bcols=13,b=vector", true, {"VT=16,lws=4x4"}, false},
    {"add", "rows=17,cols=13,brows=1,bcols=13,b=weight", false, {NULL}, false},
    {"add", "rows=17,cols=13,brows=17,bcols=1", false, {NULL}, false},
    {"add", "rows=4,cols=5,brows=1,bcols=1,b=vector", false, {NULL}, false},
    {"add", "rows=8193,cols=5,brows=8193,bcols=1", true, {NULL}, false},
    {"add", "rows=2,cols=32769,brows=1,bcols=32769", false, {NULL}, false},
    {"mul", "rows=3,cols=3,brows=3,bcols=3", false, {NULL}, false},
    {"mul", "rows=127,cols=31,brows=127,bcols=1,b=weight", true, {"VT=2,lws=8x2"}, false},
    {"mul", "rows=4,cols=4,brows=1,bcols=4,b=vector", false, {NULL}, false},

    {"softmax", "rows=1,cols=1", true, {"lws=8x1"}, false},
    {"softmax", "rows=3,cols=5", false, {"lws=4x2"}, false},
    {"softmax", "rows=7,cols=127,causal=7", true, {"lws=128x1", "lws=16x3"}, false},
    {"softmax", "rows=10,cols=5,causal=5", false, {NULL}, false},
    {"softmax", "rows=5,cols=1025", false, {"lws=128x1"}, false}, /* texels kept: 1024 */
    {"softmax", "rows=2,cols=4099", true, {"lws=64x2"}, false},   /* not kept between passes */
    {"softmax", "rows=8195,cols=3", false, {NULL}, false},
    {"softmax", "rows=2,cols=50257", false, {"lws=64x1"}, false},

    {"layernorm", "rows=1,cols=1", false, {NULL}, false},
    {"layernorm", "rows=3,cols=5", true, {"lws=4x2"}, false},
    {"layernorm", "rows=7,cols=127", true, {"lws=128x1", "lws=16x3"}, false},
    {"layernorm", "rows=5,cols=1024,eps_exp=6", false, {"lws=128x1"}, false},
    {"layernorm", "rows=2,cols=4099", true, {"lws=64x2"}, false},
    {"layernorm", "rows=8195,cols=4", false, {NULL}, false},
    {"layernorm", "rows=2,cols=32771", false, {NULL}, false},

    {"pool2d", "h=1,w=1,c=1,r=1,s=1", false, {NULL}, false},
    {"pool2d", "h=13,w=11,c=5,r=3,s=2,stride=2,pad=1", true, {"lws=4x4"}, false},
    {"pool2d", "h=13,w=11,c=5,r=3,s=3,stride=2,pad=1,kind=avg", true, {"lws=4x4"}, false},
    {"pool2d", "h=7,w=7,c=67,r=7,s=7,kind=avg", false, {NULL}, false},
    {"pool2d", "h=97,w=89,c=3,r=2,s=2,kind=avg", false, {NULL}, false}, /* folded input */

    {"gather", "t=1,vocab=1,cols=1", false, {NULL}, false},
    {"gather", "t=5,vocab=127,cols=13", true, {"VT=1,lws=4x4", "VT=16,lws=1x1"}, false},
    {"gather", "t=129,vocab=8209,cols=7", true, {NULL}, false}, /* folded weight */

    {"matmul", "m=1,n=1,k=1", false, {"direct:lws=8x1", "staged:lws=1x1"}, false},
    {"matmul", "m=33,n=70,k=300", true,
     {"staged:BM=8,BN=64,BK=32,MR=1,NR=16,ORDER=2", "staged:BM=8,BN=32,BK=64,MR=2,NR=8",
      "direct:TM=8,TN=8,ORDER=2,lws=4x2"}, false},
    {"matmul", "m=7,n=31,k=65,bias=1", false, {"direct:TM=2,TN=4,lws=2x4"}, false},
    {"matmul", "m=1,n=257,k=129,bias=1", false, {"staged:lws=1x1"}, false},
    {"matmul", "m=129,n=257,k=257", false, {NULL}, false}, /* a block and one more, each way */
    {"matmul", "m=2,n=8209,k=5", false, {NULL}, false},    /* b folded by its rows */
    {"matmul", "m=8195,n=3,k=4", false, {NULL}, false},    /* a and y folded by theirs */
    {"matmul", "m=3,n=2,k=32777", false, {NULL}, false},   /* a and b folded by their columns */
    {"matmul", "m=9,n=13,k=6,batch=3,aheads=1,bheads=1,b=input", false, {NULL}, false},
    {"matmul", "m=9,n=6,k=13,batch=3,tb=0,bheads=1,cheads=1,b=input", false,
     {"staged:BM=32,BN=64,BK=32", "direct:TM=8,TN=8,lws=4x2"}, false},
    {"matmul", "m=34,n=37,k=35,batch=2,tb=0,aheads=1", false, {NULL}, false},
    {"matmul", "m=5,n=7,k=3,batch=65,tb=0,b=input", false, {NULL}, false},

    {"conv2d", "h=1,w=1,cin=1,cout=1,r=1,s=1,bias=1", false, {NULL}, false},
    {"conv2d", "h=15,w=13,cin=3,cout=35,r=7,s=7,stride=2,pad=3,bias=1", true,
     {"staged:BM=8,BN=64,BK=32,MR=1,NR=16,ORDER=2", "direct:TM=8,TN=8,ORDER=2,lws=4x2"}, false},
    {"conv2d", "h=9,w=7,cin=5,cout=67,r=3,s=3,pad=1,bias=1", false, {NULL}, false},
    {"conv2d", "h=7,w=7,cin=66,cout=31,r=1,s=1,stride=2,bias=1", false, {NULL}, false},
    {"conv2d", "h=12,w=11,cin=4,cout=9,r=2,s=3,dil=2,pad=2,stride=3,bias=1", false, {NULL}, false},
    {"conv2d", "h=3,w=4,cin=2,cout=3,r=5,s=4,pad=4", false, {NULL}, false}, /* taps all outside */
    {"conv2d", "h=97,w=89,cin=3,cout=5,r=2,s=1", false, {NULL}, false},     /* x and y folded */
};
enum { ROWS = sizeof rows / sizeof *rows };

/* Extra load of a launch: none, less than a texel for each item, one destination of two unused,
 * much more than the input. The others of stream.cl are tried with the null kernel below. */
static const struct {
    const char *form;
    uint64_t bytes;
} loads[] = {
    {"naive", 0},          {"branching,loads=1", 4001},    {"pipelined,loads=2", 0},
    {"pipelined,loads=2", 16}, {"pipelined,loads=2", 70001},
};
enum { LOADS = sizeof loads / sizeof *loads, LOAD_MAX = 70001 };

static struct device *dev;
static cl_command_queue queue;

static void setup(void)
{
    struct err err = {0};

    ck_assert_msg(device_open(NULL, &dev, &err) == 0, "%s", err.text);
    ck_assert_msg(device_queue(dev, false, &queue, &err) == 0, "%s", err.text);
}

static void teardown(void)
{
    clReleaseCommandQueue(queue);
    device_close(dev);
}

static int64_t output_elements(const struct op_case *c)
{
    struct op_io io = {0};

    c->op->io(c, &io);
    return io.slot[io.n - 1].desc.rows * io.slot[io.n - 1].desc.cols;
}

/* Verify one variant; its output into y. Returns 0 if the variant cannot take the case. */
static int try_variant(struct trial *t, const struct op_case *c, const char *text,
                       uint64_t load_bytes, float *y)
{
    char case_text[OP_TEXT_MAX], variant_text[OP_TEXT_MAX];
    struct trial_verdict verdict = {0};
    struct op_program *p = NULL;
    struct op_variant v = {0};
    struct op_args args = {0};
    struct err err = {0};
    int rc;

    op_case_print(c, case_text);
    ck_assert_msg(op_variant_parse(c, &dev->info, text, &v, &err) == 0, "%s %s: %s", case_text,
                  text, err.text);
    op_variant_print(c, &v, variant_text);
    rc = op_program_new(dev, c, &v, &p, &err);
    if (rc == -EINVAL)
        return 0;
    ck_assert_msg(rc == 0, "%s %s: %s", case_text, variant_text, err.text);
    ck_assert_msg(trial_bind(t, p, load_bytes, &args, &err) == 0, "%s %s: %s", case_text,
                  variant_text, err.text);
    ck_assert_msg(trial_verify(t, p, &args, &verdict, &err) == 0, "%s %s: %s", case_text,
                  variant_text, err.text);
    ck_assert_msg(verdict.ok, "%s %s load %" PRIu64 ": %s", case_text, variant_text, load_bytes,
                  verdict.text);
    ck_assert_msg(trial_output(t, y, &err) == 0, "%s", err.text);
    op_program_free(p);
    return 1;
}

/* "KERNEL:NUMBERS" or "NUMBERS": the numbers, NULL if they are another kernel's. */
static const char *variant_numbers(const char *text, const char *kernel)
{
    const char *colon = strchr(text, ':');

    if (!colon)
        return text;
    if (strlen(kernel) != (size_t)(colon - text) || memcmp(text, kernel, strlen(kernel)) != 0)
        return NULL;
    return colon + 1;
}

/* Forms of one kernel with one set of numbers ("" or "VT=1,lws=4x4"). `want` holds the first output
 * if *have, and gets it if not. Returns how many variants took the case. */
static int try_forms(struct trial *t, const struct op_case *c, const char *words,
                     const char *numbers, bool forms, float *want, bool *have, float *y)
{
    size_t bytes = (size_t)output_elements(c) * sizeof *y;
    int n = 0;

    for (int i = 0; i < (forms ? LOADS : 1); i++) {
        char text[OP_TEXT_MAX];
        struct op_variant v;

        snprintf(text, sizeof text, "%s,%s%s%s", words, loads[i].form, *numbers ? "," : "",
                 numbers);
        if (op_variant_parse(c, &dev->info, text, &v, NULL) < 0)
            continue; /* the kernel has no such form or tunable */
        if (!try_variant(t, c, text, loads[i].bytes, *have ? y : want))
            continue;
        if (*have)
            ck_assert_msg(memcmp(want, y, bytes) == 0, "%s:%s %s: other bits than the first",
                          c->op->name, dtype_name(c->dtype), text);
        *have = true;
        n++;
    }
    return n;
}

/* Is that the spelling of a variant, whether or not this device has room for it? */
static bool well_spelled(const struct op_case *c, const char *words, const char *numbers)
{
    char text[2 * OP_TEXT_MAX];
    struct op_variant v;

    snprintf(text, sizeof text, "%s,%s", words, numbers);
    return op_variant_parse(c, &dev->info, text, &v, NULL) == 0;
}

/* One row, one dtype, on one memory path; ret_known[v] counts the kernels that row->variants[v] is
 * for. */
static int try_row(const struct row *row, const struct op_case *c, enum mem_path path, float *want,
                   bool *have, float *y, int *ret_known)
{
    struct trial *t = NULL;
    struct err err = {0};
    int n = 0;

    ck_assert_msg(trial_new(dev, queue, c, path, LOAD_MAX, 1, &t, &err) == 0, "%s", err.text);
    for (int k = 0; k < OP_MAX_KERNELS && c->op->kernels[k].name; k++) {
        char words[OP_TEXT_MAX];

        snprintf(words, sizeof words, "%s,%s", mem_path_name(path), c->op->kernels[k].name);
        *have = *have && !row->loose;
        n += try_forms(t, c, words, "", row->forms, want, have, y);
        for (int v = 0; c->dtype == DTYPE_F32 && row->variants[v]; v++) {
            const char *numbers = variant_numbers(row->variants[v], c->op->kernels[k].name);

            if (!numbers || !well_spelled(c, words, numbers))
                continue;
            ret_known[v]++;
            n += try_forms(t, c, words, numbers, row->forms, want, have, y);
        }
    }
    trial_free(t);
    return n;
}

/* One row, one dtype. */
START_TEST(operators)
{
    const struct row *row = &rows[_i / 2];
    enum dtype dtype = _i % 2 ? DTYPE_F16 : DTYPE_F32;
    struct op_case c = {0};
    struct err err = {0};
    bool have = false;
    float *want, *y;
    int n, known[8] = {0};

    ck_assert_msg(op_case_make(row->op, dtype, row->params, &c, &err) == 0, "%s", err.text);
    want = malloc((size_t)output_elements(&c) * sizeof *want);
    y = malloc((size_t)output_elements(&c) * sizeof *y);
    ck_assert(want && y);
    n = try_row(row, &c, PATH_BUFFER, want, &have, y, known);
    if (dev->info.images && (dtype == DTYPE_F32 || dev->info.half_images))
        n += try_row(row, &c, PATH_IMAGE, want, &have, y, known);
    ck_assert_msg(n > 0, "%s:%s: no variant takes it", row->op, row->params);
    for (int v = 0; dtype == DTYPE_F32 && row->variants[v]; v++)
        ck_assert_msg(known[v] > 0, "%s:%s: no kernel for '%s'", row->op, row->params,
                      row->variants[v]);
    free(want);
    free(y);
}
END_TEST

/* stream.cl: every number of destinations, in both forms, exact to the texel; fewer texels than
 * items, and a prime number of them. */
START_TEST(loads_of_null)
{
    static const uint64_t bytes[] = {16, 48, 4096, 16 * 10007};
    enum dtype dtype = _i % 2 ? DTYPE_F16 : DTYPE_F32;
    struct op_case c = {0};
    struct err err = {0};
    float y[4];

    ck_assert_msg(op_case_make("null", dtype, "", &c, &err) == 0, "%s", err.text);
    for (int path = 0; path < 2; path++) {
        struct trial *t = NULL;

        ck_assert_msg(trial_new(dev, queue, &c, (enum mem_path)path, 16 * 10007, 1, &t, &err) == 0,
                      "%s", err.text);
        for (int i = 0; i < 2 * OP_MAX_LOADS; i++)
            for (int j = 0; j < 4; j++) {
                char text[OP_TEXT_MAX];

                snprintf(text, sizeof text, "%s,%s,loads=%d", mem_path_name((enum mem_path)path),
                         i % 2 ? "branching" : "pipelined", i / 2 + 1);
                ck_assert(try_variant(t, &c, text, bytes[j], y));
            }
        trial_free(t);
    }
}
END_TEST

/* ---- the checker itself: each kind of mistake must be seen ---- */

/* Launch a program of one case inside a trial of another. */
static void mistake(const char *trial_case, const char *program_case, enum mem_path path,
                    const char *message)
{
    struct trial_verdict verdict = {.ok = true};
    struct op_case c = {0}, wrong = {0};
    struct op_program *p = NULL;
    struct trial *t = NULL;
    struct op_variant v = {0};
    struct op_args args = {0};
    struct err err = {0};

    ck_assert_msg(op_case_parse(trial_case, &c, &err) == 0, "%s", err.text);
    ck_assert_msg(op_case_parse(program_case, &wrong, &err) == 0, "%s", err.text);
    op_variant_default(&wrong, &dev->info, path, &v);
    ck_assert_msg(trial_new(dev, queue, &c, path, 0, 1, &t, &err) == 0, "%s", err.text);
    ck_assert_msg(op_program_new(dev, &wrong, &v, &p, &err) == 0, "%s", err.text);
    ck_assert_msg(trial_bind(t, p, 0, &args, &err) == 0, "%s", err.text);
    ck_assert_msg(trial_verify(t, p, &args, &verdict, &err) == 0, "%s", err.text);
    ck_assert_msg(!verdict.ok, "%s passed for %s", program_case, trial_case);
    ck_assert_msg(strstr(verdict.text, message) != NULL, "'%s', want '%s'", verdict.text, message);
    op_program_free(p);
    trial_free(t);
}

START_TEST(checker_sees_mistakes)
{
    for (int path = 0; path < 2; path++) {
        enum mem_path p = (enum mem_path)path;

        mistake("relu:f32:rows=8,cols=8", "gelu:f32:rows=8,cols=8", p, "y[0,");  /* values */
        mistake("relu:f16:rows=8,cols=8", "relu:f16:rows=7,cols=8", p, "nan");   /* unwritten */
        mistake("relu:f32:rows=8,cols=8", "relu:f32:rows=9,cols=8", p, "texel 16 was written");
    }
    /* The mask of the last texel is the only difference. */
    mistake("add:f32:rows=3,cols=5,brows=1,bcols=1", "add:f32:rows=3,cols=8,brows=1,bcols=1",
            PATH_BUFFER, "padding of row 0");
}
END_TEST

/* Two loads dealt to the wrong places: enqueue what the verdict does not expect. */
START_TEST(checker_sees_wrong_loads)
{
    struct trial_verdict verdict = {.ok = true};
    struct op_program *p = NULL;
    struct trial *t = NULL;
    struct op_variant v = {0};
    struct op_args args = {0}, more;
    struct op_case c = {0};
    struct err err = {0};

    ck_assert_msg(op_case_parse("null:f32", &c, &err) == 0, "%s", err.text);
    ck_assert_msg(op_variant_parse(&c, &dev->info, "pipelined,loads=2", &v, &err) == 0, "%s",
                  err.text);
    ck_assert_msg(trial_new(dev, queue, &c, v.path, 4096, 1, &t, &err) == 0, "%s", err.text);
    ck_assert_msg(op_program_new(dev, &c, &v, &p, &err) == 0, "%s", err.text);
    ck_assert_msg(trial_bind(t, p, 4096, &args, &err) == 0, "%s", err.text);
    ck_assert_msg(trial_verify(t, p, &args, &verdict, &err) == 0, "%s", err.text);
    ck_assert_msg(verdict.ok, "%s", verdict.text);

    more = args;
    more.load[1].dst = args.load[0].dst; /* both into the first */
    ck_assert_msg(trial_verify(t, p, &more, &verdict, &err) == 0, "%s", err.text);
    ck_assert(!verdict.ok);
    ck_assert_msg(strstr(verdict.text, "load ") != NULL, "%s", verdict.text);
    op_program_free(p);
    trial_free(t);
}
END_TEST

START_TEST(refusals)
{
    struct op_program *p = NULL;
    struct trial *t = NULL;
    struct op_variant v = {0};
    struct op_args args = {0}, wrong;
    struct op_case c = {0};
    struct err err = {0};

    ck_assert_msg(op_case_parse("relu:f32:rows=8,cols=8", &c, &err) == 0, "%s", err.text);
    ck_assert_msg(op_variant_parse(&c, &dev->info, "pipelined,loads=2", &v, &err) == 0, "%s",
                  err.text);
    ck_assert_msg(trial_new(dev, queue, &c, v.path, 4096, 1, &t, &err) == 0, "%s", err.text);
    ck_assert_msg(op_program_new(dev, &c, &v, &p, &err) == 0, "%s", err.text);
    ck_assert_int_eq(trial_bind(t, p, 5000, &args, &err), -EINVAL);
    ck_assert_msg(trial_bind(t, p, 4096, &args, &err) == 0, "%s", err.text);

    wrong = args;
    wrong.tensor[1] = args.tensor[0];
    ck_assert_int_eq(op_program_enqueue(p, queue, &wrong, NULL, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "bound for reading as 'x' and for writing"));
    wrong = args;
    wrong.load[1].dst = args.tensor[0];
    ck_assert_int_eq(op_program_enqueue(p, queue, &wrong, NULL, &err), -EINVAL);
    wrong = args;
    wrong.load[0].dst_texel = tensor_texels(&args.load[0].dst_desc);
    ck_assert_int_eq(op_program_enqueue(p, queue, &wrong, NULL, &err), -EINVAL);
    wrong = args;
    wrong.load[0].src_texel += 1000;
    ck_assert_int_eq(op_program_enqueue(p, queue, &wrong, NULL, &err), -EINVAL);
    wrong = args;
    wrong.load[0].dst_desc.dtype = DTYPE_F16;
    ck_assert_int_eq(op_program_enqueue(p, queue, &wrong, NULL, &err), -EINVAL);
    wrong = args;
    wrong.n_loads = 3;
    ck_assert_int_eq(op_program_enqueue(p, queue, &wrong, NULL, &err), -EINVAL);
    wrong = args;
    wrong.tensor[0] = NULL;
    ck_assert_int_eq(op_program_enqueue(p, queue, &wrong, NULL, &err), -EINVAL);
    op_program_free(p);
    trial_free(t);

    ck_assert_msg(op_case_parse("softmax:f32:rows=8,cols=8", &c, &err) == 0, "%s", err.text);
    ck_assert_msg(op_variant_parse(&c, &dev->info, "lws=3x1", &v, &err) == 0, "%s", err.text);
    ck_assert_int_eq(op_program_new(dev, &c, &v, &p, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "power of two"));
}
END_TEST

/* Products are most of the programs to build, and so most of the time: a case of their own, so that
 * both can run side by side (CK_RUN_CASE). */
int main(void)
{
    Suite *suite = suite_create("operators");
    TCase *products = tcase_create("products"), *others = tcase_create("others");
    SRunner *runner;
    int failed, first = 0;

    need_device();
    while (strcmp(rows[first].op, "matmul") != 0)
        first++;
    tcase_add_checked_fixture(products, setup, teardown);
    tcase_add_checked_fixture(others, setup, teardown);
    tcase_add_test(others, checker_sees_mistakes);
    tcase_add_test(others, checker_sees_wrong_loads);
    tcase_add_test(others, refusals);
    tcase_add_loop_test(others, loads_of_null, 0, 2);
    tcase_add_loop_test(others, operators, 0, 2 * first);
    tcase_add_loop_test(products, operators, 2 * first, 2 * ROWS);
    tcase_set_timeout(products, 600); /* a full row of a matrix product builds 80 programs */
    tcase_set_timeout(others, 120);
    suite_add_tcase(suite, others);
    suite_add_tcase(suite, products);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
