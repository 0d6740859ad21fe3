/* Every operator against its reference, and its forms against each other.
 *
 * A row of a table (tests/operators/ROOM.h) is a case without its dtype. It runs with every kernel
 * that takes it: the naive form, and if the row says so all forms with several loads; as f32 also
 * other local sizes and tunables. Within one dtype all outputs must agree to the last bit: forms,
 * local sizes, tunables and memory paths change nothing. A new operator is some more rows.
 *
 * On GPUs all that runs as f32 and f16, on images and buffers. On CPUs each new program takes PoCL
 * half a second, and what such a combination adds is in files that all kernels share: there the
 * kernel's defaults run as f32 on both paths and with all loads; tunables and f16 on one path, in
 * turns by row, with one load in rows that say so. Under a sanitizer, which does not see kernels,
 * some rows of each operator do. */
#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "operators/trial/trial.h"
#include "tests/with_device.h"

struct row {
    const char *op, *params;
    bool forms;              /* all forms, with extra load; else the naive one alone */
    /* Beside the default: numbers of variants, for all kernels that have such tunables or, as
     * "KERNEL:NUMBERS", for one; NULL-ended. */
    const char *variants[8];
    bool loose;              /* kernels add in different orders: bits are compared within each */
};

#include "tests/operators/attention.h"
#include "tests/operators/layout.h"
#include "tests/operators/pointwise.h"
#include "tests/operators/products.h"
#include "tests/operators/rows.h"
#include "tests/suite.h"

#define ROOM(name) {#name, name##_cases, sizeof name##_cases / sizeof *name##_cases}
static const struct room {
    const char *name;
    const struct row *rows;
    int n;
} rooms[] = {ROOM(pointwise), ROOM(rows), ROOM(layout), ROOM(products), ROOM(attention)};
enum { ROOMS = sizeof rooms / sizeof *rooms };

/* Extra load of a launch: none; much more than the input; less than a texel for each item; one
 * destination of two unused; and much in a second queue. The others of stream.cl are tried with the
 * null kernel below. */
static const struct {
    const char *form;
    uint64_t bytes;
} loads[] = {
    {"naive", 0},
    {"pipelined,loads=1", 70001},
    {"branching,loads=1", 4001},
    {"pipelined,loads=2", 0},
    {"pipelined,loads=2", 16},
    {"copy,loads=2", 70001},
};
enum { NAIVE_ONLY = 1, ONE_LOAD = 2, LOADS = sizeof loads / sizeof *loads, LOAD_MAX = 70001 };

#ifdef __SANITIZE_ADDRESS__
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

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
    uint64_t hash = 0;
    int rc;

    op_case_print(c, case_text);
    ck_assert_msg(op_variant_parse(c, &dev->info, text, &v, &err) == 0, "%s %s: %s", case_text,
                  text, err.text);
    op_variant_print(c, &v, variant_text);
    rc = op_program_new(dev, c, &v, &p, &err);
    if (rc == -EINVAL)
        return 0;
    ck_assert_msg(rc == 0, "%s %s: %s", case_text, variant_text, err.text);
    ck_assert_msg(op_variant_hash(c, &v, &dev->info, &hash, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(hash, op_program_hash(p));
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

/* The same to the last bit; any NaN is like another. */
static bool same(const float *a, const float *b, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (memcmp(a + i, b + i, sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i])))
            return false;
    return true;
}

/* The first n_loads forms of one kernel with one set of numbers ("" or "VT=1,lws=4x4"). `want` holds
 * the first output if *have, and gets it if not. Returns how many variants took the case. */
static int try_forms(struct trial *t, const struct op_case *c, const char *words,
                     const char *numbers, int n_loads, float *want, bool *have, float *y)
{
    int n = 0;

    for (int i = 0; i < n_loads; i++) {
        char text[OP_TEXT_MAX];
        struct op_variant v;

        snprintf(text, sizeof text, "%s,%s%s%s", words, loads[i].form, *numbers ? "," : "",
                 numbers);
        if (op_variant_parse(c, &dev->info, text, &v, NULL) < 0)
            continue; /* the kernel has no such form or tunable */
        if (!try_variant(t, c, text, loads[i].bytes, *have ? y : want))
            continue;
        if (*have)
            ck_assert_msg(same(want, y, output_elements(c)), "%s:%s %s: other bits than the first",
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

/* Does SK, which decides the order of a sum, differ between two sets of numbers? */
static bool other_order(const char *numbers, const char *before)
{
    const char *sk = strstr(numbers, "SK="), *was = strstr(before, "SK=");

    return sk && !(was && atoi(sk + 3) == atoi(was + 3));
}

/* Does turn i come to this memory path? On GPUs all turns come to both. */
static bool has_turn(int i, enum mem_path path)
{
    return dev->info.type != DEVICE_CPU || !dev->info.images || i % 2 == (int)path;
}

/* One row, one dtype, on one memory path; ret_known[v] counts the kernels that row->variants[v] is
 * for. */
static int try_row(const struct row *row, const struct op_case *c, int turn, enum mem_path path,
                   float *want, bool *have, float *y, int *ret_known)
{
    bool gpu = dev->info.type != DEVICE_CPU, f32 = c->dtype == DTYPE_F32;
    int n_loads = !row->forms ? NAIVE_ONLY : gpu || f32 ? LOADS : ONE_LOAD;
    int n_loads_tuned = !row->forms ? NAIVE_ONLY : gpu ? LOADS : ONE_LOAD;
    float *own_want;
    struct trial *t = NULL;
    struct err err = {0};
    int n = 0;

    if (!f32 && !has_turn(turn, path))
        return 0;
    own_want = malloc((size_t)output_elements(c) * sizeof *own_want);
    ck_assert(own_want);
    ck_assert_msg(trial_new(dev, queue, c, path, LOAD_MAX, 1, &t, &err) == 0, "%s", err.text);
    for (int k = 0; k < OP_MAX_KERNELS && c->op->kernels[k].name; k++) {
        char words[OP_TEXT_MAX];
        bool own = false, *first = c->op->kernels[k].own_order ? &own : have;
        float *bits = c->op->kernels[k].own_order ? own_want : want;

        snprintf(words, sizeof words, "%s,%s", mem_path_name(path), c->op->kernels[k].name);
        *have = *have && !row->loose;
        n += try_forms(t, c, words, "", n_loads, bits, first, y);
        for (int v = 0; f32 && row->variants[v]; v++) {
            const char *numbers = variant_numbers(row->variants[v], c->op->kernels[k].name);

            if (!numbers || !well_spelled(c, words, numbers))
                continue;
            ret_known[v]++;
            if (!has_turn(turn + v, path))
                continue;
            own = own && !other_order(numbers, v ? row->variants[v - 1] : "");
            n += try_forms(t, c, words, numbers, n_loads_tuned, bits, first, y);
        }
    }
    trial_free(t);
    free(own_want);
    return n;
}

/* Of each operator's rows under a sanitizer: the second and every fourth from there, or its only
 * one. */
static bool sampled(const struct room *room, int index)
{
    int before = 0, all = 0;

    for (int i = 0; i < room->n; i++)
        if (strcmp(room->rows[i].op, room->rows[index].op) == 0) {
            all++;
            before += i < index;
        }
    return before % 4 == 1 || all == 1;
}

/* One row, one dtype: number _i of all rooms. */
START_TEST(operators)
{
    enum dtype dtype = _i % 2 ? DTYPE_F16 : DTYPE_F32;
    const struct room *room = rooms;
    const struct row *row;
    struct op_case c = {0};
    struct err err = {0};
    bool have = false;
    float *want, *y;
    int n, index = _i / 2, known[8] = {0};

    for (; index >= room->n; room++)
        index -= room->n;
    row = &room->rows[index];
    if (SANITIZED && !sampled(room, index))
        return;
    ck_assert_msg(op_case_make(row->op, dtype, row->params, &c, &err) == 0, "%s", err.text);
    want = malloc((size_t)output_elements(&c) * sizeof *want);
    y = malloc((size_t)output_elements(&c) * sizeof *y);
    ck_assert(want && y);
    n = try_row(row, &c, index, PATH_BUFFER, want, &have, y, known);
    if (dev->info.images && (dtype == DTYPE_F32 || dev->info.half_images))
        n += try_row(row, &c, index, PATH_IMAGE, want, &have, y, known);
    ck_assert_msg(n > 0, "%s:%s: no variant takes it", row->op, row->params);
    for (int v = 0; dtype == DTYPE_F32 && row->variants[v]; v++)
        ck_assert_msg(known[v] > 0, "%s:%s: no kernel for '%s'", row->op, row->params,
                      row->variants[v]);
    free(want);
    free(y);
}
END_TEST

/* stream.cl and stream.h: every number of destinations, in each form, exact to the texel; fewer texels than
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
        for (int i = 0; i < 3 * OP_MAX_LOADS; i++)
            for (int j = 0; j < 4; j++) {
                char text[OP_TEXT_MAX];

                snprintf(text, sizeof text, "%s,%s,loads=%d", mem_path_name((enum mem_path)path),
                         op_form_names[FORM_BRANCHING + i % 3], i / 3 + 1);
                ck_assert(try_variant(t, &c, text, bytes[j], y));
            }
        trial_free(t);
    }
}
END_TEST

/* Images folded at a width of 8 texels, so that small tensors go beyond it: every operator with each of
 * its kernels, some with a load, whose destination folds too. That 8193 rows or columns of texels fold at
 * 8192 is in the rooms' tables. */
static const struct {
    const char *op, *params;
    bool load;
} folded_cases[] = {
    {"null", "", true},
    {"relu", "rows=5,cols=37", true},
    {"gelu", "rows=11,cols=3", false},
    {"add", "rows=5,cols=37,brows=5,bcols=37", true},
    {"mul", "rows=11,cols=9,brows=1,bcols=9,b=weight", false},
    {"softmax", "rows=3,cols=67", true},
    {"layernorm", "rows=9,cols=35", true},
    {"pool2d", "h=5,w=4,c=5,r=3,s=2,stride=2,pad=1", true},
    {"gather", "t=5,vocab=19,cols=37", true},
    {"matmul", "m=13,n=35,k=39,bias=1,res=1", true},
    {"matmul", "m=5,n=41,k=6,batch=3,tb=0,b=input,aheads=1,bheads=1,cheads=1", false},
    {"matmul", "m=9,n=5,k=37,ta=1", false},
    {"matmul", "m=1,n=3,k=45", false},
    {"conv2d", "h=5,w=7,cin=5,cout=9,r=3,s=3,pad=1,bias=1", true},
    {"conv2d", "h=5,w=7,cin=10,cout=10,r=3,s=3,pad=1,groups=10", false},
    {"deconv2d", "h=5,w=4,cin=6,cout=5,r=3,s=3,stride=2,pad=1", true},
    {"slice", "rows=11,cols=41,r0=1,rn=9,c0=5,cn=35", true},
    {"pad", "h=3,w=4,c=6,bottom=2,c0=3,c1=2", false},
    {"window", "h=5,w=4,c=5,wh=3,ww=4", false},
    {"resize", "h=5,w=3,c=5,oh=7,ow=4,kind=bilinear", false},
    {"concat", "n=3,axis=cols,size0=8,size1=4,size2=37,other=5", false},
    {"transpose", "d0=13,d1=3,d2=8,perm=102,xc=2", true},
    {"attention", "heads=2,m=11,n=13,d=21,dv=5", true},
    {"silu", "rows=9,cols=1", false},
    {"sigmoid", "rows=1,cols=33", false},
    {"tanh", "rows=9,cols=33", false},
    {"exp", "rows=9,cols=1", false},
    {"log", "rows=9,cols=1", false},
    {"sqrt", "rows=9,cols=1", false},
    {"sin", "rows=9,cols=1", false},
    {"cos", "rows=9,cols=1", false},
    {"erf", "rows=9,cols=1", false},
    {"abs", "rows=9,cols=1", false},
    {"neg", "rows=9,cols=1", false},
    {"recip", "rows=9,cols=1", false},
    {"sub", "rows=9,cols=5,brows=9,bcols=1", false},
    {"div", "rows=9,cols=5,brows=9,bcols=1", false},
    {"max", "rows=9,cols=5,brows=9,bcols=1", false},
    {"min", "rows=9,cols=5,brows=9,bcols=1", false},
    {"affine", "rows=9,cols=37,act=relu", false},
    {"groupnorm", "rows=9,c=40,groups=4", true},
    {"reduce", "rows=9,cols=37", true},
    {"reduce", "rows=9,cols=37,axis=rows", false},
};
enum { FOLDED_CASES = sizeof folded_cases / sizeof *folded_cases };

static void folded_row(const char *op, const char *params, bool load)
{
    static const char *const forms[] = {"naive", "pipelined,loads=1"};
    struct op_case c = {0};
    struct trial *t = NULL;
    struct err err = {0};
    float *y;
    int n = 0;

    ck_assert_msg(op_case_make(op, DTYPE_F32, params, &c, &err) == 0, "%s: %s", op, err.text);
    y = malloc((size_t)output_elements(&c) * sizeof *y);
    ck_assert(y);
    ck_assert_msg(trial_new(dev, queue, &c, PATH_IMAGE, 4001, 1, &t, &err) == 0, "%s", err.text);
    for (int k = 0; k < OP_MAX_KERNELS && c.op->kernels[k].name; k++)
        for (int i = 0, end = load && n == 0 ? 2 : 1; i < end; i++) { /* a load: the first kernel */
            char text[OP_TEXT_MAX];
            struct op_variant v;

            snprintf(text, sizeof text, "image,%s,%s", c.op->kernels[k].name, forms[i]);
            if (op_variant_parse(&c, &dev->info, text, &v, NULL) == 0)
                n += try_variant(t, &c, text, i ? 4001 : 0, y);
        }
    ck_assert_msg(n > load, "%s:%s: no kernel takes it", op, params);
    trial_free(t);
    free(y);
}

START_TEST(folded)
{
    if (!dev->info.images || SANITIZED)
        return;
    for (int i = 0; op_table[i]; i++) {
        int rows = 0;

        for (int j = 0; j < FOLDED_CASES; j++)
            rows += strcmp(folded_cases[j].op, op_table[i]->name) == 0;
        ck_assert_msg(rows > 0, "no row of folded_cases for '%s'", op_table[i]->name);
    }
    folded_row("affine", "rows=8197,cols=5", false); /* at the real width, with vectors */
    tensor_fold_log2 = 3;
    for (int j = 0; j < FOLDED_CASES; j++)
        folded_row(folded_cases[j].op, folded_cases[j].params, folded_cases[j].load);
    tensor_fold_log2 = TENSOR_FOLD_LOG2;
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

/* TEST_PART=1/3: every third row of the rooms, counted over all of them; the checker with the first. A row
 * that is not asked for is no test at all: opening the device for nothing takes a GPU's driver as long
 * as some rows. */
static bool asked_for(int row)
{
    const char *share = getenv("TEST_PART");
    int part, parts;

    return !share || sscanf(share, "%d/%d", &part, &parts) != 2 || row % parts == part - 1;
}

/* A case for each room of operators/ and one for the checker, so that they can be run apart
 * (CK_RUN_CASE): most of the time goes into compiling kernels, which one core does. */
int main(void)
{
    Suite *suite = suite_create("operators");
    TCase *checker = tcase_create("checker");
    int first = 0;

    need_device();
    if (asked_for(0)) {
        tcase_add_checked_fixture(checker, setup, teardown);
        tcase_add_test(checker, checker_sees_mistakes);
        tcase_add_test(checker, checker_sees_wrong_loads);
        tcase_add_test(checker, refusals);
        tcase_add_loop_test(checker, loads_of_null, 0, 2);
        tcase_add_test(checker, folded);
        suite_add_tcase(suite, checker);
    }
    for (int i = 0; i < ROOMS; i++) {
        TCase *room = tcase_create(rooms[i].name);

        tcase_add_checked_fixture(room, setup, teardown);
        for (int row = first; row < first + 2 * rooms[i].n; row++)
            if (asked_for(row))
                tcase_add_loop_test(room, operators, row, row + 1);
        tcase_set_timeout(room, 600); /* a full row of a matrix product builds 80 programs */
        suite_add_tcase(suite, room);
        first += 2 * rooms[i].n;
    }
    return suite_run(suite);
}
