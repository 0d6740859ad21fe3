/* The functions of kernels/math.cl against the C library's in double precision, over dense
 * arguments, with the worst error in ulp printed; and what operators do with NaN, infinities and
 * denormals, as operators/README.md says. */
#include <check.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "operators/op.h"
#include "tests/suite.h"
#include "tests/with_device.h"

enum { SIDE = 1024, DENSE = SIDE * SIDE };

/* One launch: row-major inputs in, row-major output out. */
static void compute(const char *text, const char *variant, const float *const *in, float *y)
{
    struct tensor t[OP_MAX_TENSORS] = {0};
    struct op_program *p = NULL;
    struct op_args args = {0};
    struct op_variant v;
    struct op_io io = {0};
    struct op_case c = {0};
    struct err err = {0};

    ck_assert_msg(op_case_parse(text, &c, &err) == 0, "%s", err.text);
    ck_assert_msg(op_variant_parse(&c, &dev->info, variant, &v, &err) == 0, "%s", err.text);
    ck_assert_msg(op_program_new(dev, &c, &v, &p, &err) == 0, "%s", err.text);
    c.op->io(&c, &io);
    for (int i = 0; i < io.n; i++) {
        void *texels = malloc(tensor_bytes(&io.slot[i].desc));

        ck_assert(texels != NULL);
        ck_assert_msg(
            tensor_new(dev, &io.slot[i].desc, v.path, NULL, MEM_ACTIVATION, &t[i], &err) == 0, "%s",
            err.text);
        args.tensor[i] = t[i].mem;
        if (i < io.n - 1) {
            tensor_pack(&io.slot[i].desc, in[i], texels);
            ck_assert_msg(tensor_write(queue, &t[i], texels, &err) == 0, "%s", err.text);
        } else {
            ck_assert_msg(op_program_enqueue(p, queue, &args, NULL, &err) == 0, "%s", err.text);
            ck_assert_msg(tensor_read(queue, &t[i], texels, &err) == 0, "%s", err.text);
            tensor_unpack(&io.slot[i].desc, texels, y);
        }
        free(texels);
    }
    for (int i = 0; i < io.n; i++)
        tensor_done(&t[i], NULL);
    op_program_free(p);
}

/* ---- accuracy ---- */

static double gelu(double x)
{
    return x * erfc(-x * sqrt(0.5)) / 2;
}

static double tanh_argument(double x) /* 2u of gelu's approximation */
{
    return 2 * sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
}

static double gelu_tanh(double x)
{
    return x / (1 + exp(-tanh_argument(x)));
}

static double silu(double x)
{
    return x / (1 + exp(-x));
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* How the left tails may be off, in ulp: they are powers of 2 whose exponents are rounded. */
static double no_tail(double x)
{
    (void)x;
    return 0;
}

static double gelu_tail(double x)
{
    return x < 0 ? 2 * x * x : 0;
}

static double gelu_tanh_tail(double x)
{
    return x < 0 ? -4 * tanh_argument(x) : 0;
}

/* `ulp` beside `tail`; errors below `floor` do not count: where an exponential vanishes. */
static const struct {
    const char *op, *params;
    double (*f)(double);
    double reach; /* arguments -reach..reach */
    double ulp;
    double (*tail)(double);
    double floor;
} functions[] = {
    {"exp", "", exp, 104, 2, no_tail, 0},
    {"erf", "", erf, 5, 3, no_tail, 0},
    {"tanh", "", tanh, 12, 3, no_tail, 0},
    {"sigmoid", "", sigmoid, 100, 4, no_tail, 0x1p-126},
    {"silu", "", silu, 100, 4, no_tail, 0x1p-119},
    {"gelu", "", gelu, 14, 6, gelu_tail, 0x1p-120},
    {"gelu", ",approx=tanh", gelu_tanh, 14, 4, gelu_tanh_tail, 0x1p-120},
};
enum { FUNCTIONS = sizeof functions / sizeof *functions };

static double ulp_of(double want)
{
    int e;

    frexp(want, &e);
    return ldexp(1, (e < -125 ? -125 : e) - 24);
}

/* Even numbers: evenly spaced; odd ones: of all sizes, both signs. */
static float dense(int i, double reach)
{
    double at = (double)(i / 2) / (DENSE / 2 - 1);

    if (i % 2 == 0)
        return (float)((2 * at - 1) * reach);
    return (float)((i % 4 == 1 ? 1 : -1) * reach * exp2(-60 * at));
}

START_TEST(accuracy)
{
    float *x = malloc(DENSE * sizeof *x), *y = malloc(DENSE * sizeof *y);
    double worst = 0, worst_tail = 0, at = 0;
    char text[OP_TEXT_MAX];

    ck_assert(x && y);
    for (int i = 0; i < DENSE; i++)
        x[i] = dense(i, functions[_i].reach);
    snprintf(text, sizeof text, "%s:f32:rows=%d,cols=%d%s", functions[_i].op, SIDE, SIDE,
             functions[_i].params);
    compute(text, "buffer", (const float *const[]){x}, y);
    for (int i = 0; i < DENSE; i++) {
        double want = functions[_i].f((double)x[i]), error = fabs((double)y[i] - want);
        double ulp = error / ulp_of(want), tail = functions[_i].tail((double)x[i]);

        if (error <= functions[_i].floor || fabs(want) > FLT_MAX)
            continue;
        must(ulp <= functions[_i].ulp + tail, "%s(%.9g) = %.9g, want %.9g: %.2f ulp", text,
             (double)x[i], (double)y[i], want, ulp);
        if (tail > 1) {
            worst_tail = fmax(worst_tail, ulp / (functions[_i].ulp + tail));
        } else if (ulp > worst) {
            worst = ulp;
            at = (double)x[i];
        }
    }
    printf("%s%s: worst %.2f ulp at %.9g", functions[_i].op, functions[_i].params, worst, at);
    if (worst_tail > 0)
        printf("; left tail %.2f of its allowance", worst_tail);
    printf("\n");
    free(x);
    free(y);
}
END_TEST

/* ---- special values ---- */

static bool like(float got, float want)
{
    if (isnan(want) || isnan(got))
        return isnan(want) && isnan(got);
    return got == want || fabsf(got - want) <= FLT_MIN; /* denormals may vanish */
}

START_TEST(special_arguments)
{
    static const float x[] = {NAN, INFINITY, -INFINITY, 0.0f, 1e-40f, -1e-40f, FLT_MAX, -FLT_MAX};
    static const struct {
        const char *op;
        float y[8];
    } want[] = {
        {"relu:f32:rows=1,cols=8", {NAN, INFINITY, 0, 0, 1e-40f, 0, FLT_MAX, 0}},
        {"abs:f32:rows=1,cols=8", {NAN, INFINITY, INFINITY, 0, 1e-40f, 1e-40f, FLT_MAX, FLT_MAX}},
        {"neg:f32:rows=1,cols=8",
         {NAN, -INFINITY, INFINITY, 0, -1e-40f, 1e-40f, -FLT_MAX, FLT_MAX}},
        {"gelu:f32:rows=1,cols=8", {NAN, INFINITY, 0, 0, 0, 0, FLT_MAX, 0}},
        {"gelu:f32:rows=1,cols=8,approx=tanh", {NAN, INFINITY, 0, 0, 0, 0, FLT_MAX, 0}},
        {"silu:f32:rows=1,cols=8", {NAN, INFINITY, 0, 0, 0, 0, FLT_MAX, 0}},
        {"sigmoid:f32:rows=1,cols=8", {NAN, 1, 0, 0.5f, 0.5f, 0.5f, 1, 0}},
        {"tanh:f32:rows=1,cols=8", {NAN, 1, -1, 0, 1e-40f, -1e-40f, 1, -1}},
        {"erf:f32:rows=1,cols=8", {NAN, 1, -1, 0, 1e-40f, -1e-40f, 1, -1}},
        {"exp:f32:rows=1,cols=8", {NAN, INFINITY, 0, 1, 1, 1, INFINITY, 0}},
        {"sqrt:f32:rows=1,cols=4", {NAN, INFINITY, NAN, 0}},
        {"log:f32:rows=1,cols=4", {NAN, INFINITY, NAN, -INFINITY}},
        {"recip:f32:rows=1,cols=4", {NAN, 0, 0, INFINITY}},
    };
    float y[8];

    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        int n = strstr(want[i].op, "cols=4") ? 4 : 8;

        compute(want[i].op, "buffer", (const float *const[]){x}, y);
        for (int j = 0; j < n; j++)
            ck_assert_msg(like(y[j], want[i].y[j]), "%s: f(%g) = %g, want %g", want[i].op,
                          (double)x[j], (double)y[j], (double)want[i].y[j]);
    }
}
END_TEST

/* NaN and infinity in one of two operands, or in rows. */
START_TEST(special_operands)
{
    static const float a[] = {NAN, 1, INFINITY, INFINITY, NAN}, b[] = {1, NAN, -INFINITY, 2, NAN};
    static const struct {
        const char *op;
        float y[5];
    } want[] = {
        {"add", {NAN, NAN, NAN, INFINITY, NAN}},      {"mul", {NAN, NAN, -INFINITY, INFINITY, NAN}},
        {"max", {NAN, NAN, INFINITY, INFINITY, NAN}}, {"min", {NAN, NAN, -INFINITY, 2, NAN}},
        {"div", {NAN, NAN, NAN, INFINITY, NAN}},
    };
    char text[OP_TEXT_MAX];
    float y[5];

    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        snprintf(text, sizeof text, "%s:f32:rows=1,cols=5,brows=1,bcols=5", want[i].op);
        compute(text, "buffer", (const float *const[]){a, b}, y);
        for (int j = 0; j < 5; j++)
            ck_assert_msg(like(y[j], want[i].y[j]), "%s(%g, %g) = %g, want %g", want[i].op,
                          (double)a[j], (double)b[j], (double)y[j], (double)want[i].y[j]);
    }
}
END_TEST

START_TEST(special_rows)
{
    enum { ROWS = 6, COLS = 5 };
    static const float x[ROWS][COLS] = {
        {1, 2, NAN, 4, 5},
        {1, 2, INFINITY, 4, 5},
        {-INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY},
        {0, 0, -INFINITY, 0, 0},
        {FLT_MAX, -FLT_MAX, 0, 0, 0},
        {-100, -100, -100, -100, -100},
    };
    /* what is in column 0 and column 2 */
    static const float softmax[ROWS][2] = {{NAN, NAN}, {NAN, NAN}, {NAN, NAN},
                                           {0.25f, 0}, {1, 0},     {0.2f, 0.2f}};
    static const float layernorm[ROWS][2] = {{NAN, NAN}, {NAN, NAN}, {NAN, NAN},
                                             {NAN, NAN}, {NAN, NAN}, {0, 0}};
    static const float max[ROWS] = {NAN, INFINITY, -INFINITY, 0, FLT_MAX, -100};
    static const float ones[COLS] = {1, 1, 1, 1, 1}, zeros[COLS] = {0};
    const float *in[] = {x[0], ones, zeros};
    float y[ROWS][COLS], m[ROWS], down[COLS];

    compute("softmax:f32:rows=6,cols=5", "buffer", in, y[0]);
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < 2; i++)
            ck_assert_msg(like(y[r][2 * i], softmax[r][i]), "softmax row %d: %g", r,
                          (double)y[r][2 * i]);
    compute("layernorm:f32:rows=6,cols=5", "buffer", in, y[0]);
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < 2 && r != 4; i++) /* row 4: FLT_MAX squared */
            ck_assert_msg(like(y[r][2 * i], layernorm[r][i]), "layernorm row %d: %g", r,
                          (double)y[r][2 * i]);
    compute("reduce:f32:rows=6,cols=5,kind=max", "buffer", in, m);
    for (int r = 0; r < ROWS; r++)
        ck_assert_msg(like(m[r], max[r]), "max of row %d: %g", r, (double)m[r]);
    compute("reduce:f32:rows=6,cols=5,kind=min,axis=rows", "buffer", in, down);
    ck_assert(like(down[0], -INFINITY) && like(down[2], NAN) && like(down[3], -INFINITY));
    compute("groupnorm:f32:rows=6,c=5,groups=5", "buffer", in, y[0]);
    ck_assert(isnan(y[0][2]) && isnan(y[0][0]));
}
END_TEST

/* f32: what is denormal, argument or result, may count as 0. Sums and products take no harm from it. */
START_TEST(denormals)
{
    static const struct {
        const char *op;
        float x[4], kept[4], zero[4]; /* f(x), and f with zeros for what is denormal */
    } want[] = {
        {"neg:f32:rows=1,cols=4", {1e-40f, -1e-45f, FLT_MIN, 0}, {-1e-40f, 1e-45f, -FLT_MIN, 0},
         {0, 0, -FLT_MIN, 0}},
        {"sqrt:f32:rows=1,cols=4", {1e-40f, 1e-45f, FLT_MIN, 0}, {9.999973e-21f, 3.743392e-23f, 0x1p-63f, 0},
         {0, 0, 0x1p-63f, 0}},
        {"log:f32:rows=1,cols=4", {1e-40f, 1e-45f, FLT_MIN, 1},
         {-92.103404f, -103.27893f, -87.33655f, 0}, {-INFINITY, -INFINITY, -87.33655f, 0}},
        {"exp:f32:rows=1,cols=4", {-87, -88, -100, -104}, {1.6458115e-38f, 6.0546e-39f, 3.8e-44f, 0},
         {1.6458115e-38f, 0, 0, 0}},
        {"softmax:f32:rows=1,cols=4", {0, -87, -88, -100}, {1, 1.6458115e-38f, 0, 0},
         {1, 1.6458115e-38f, 0, 0}}, /* 0 below 2^-126 by definition */
        {"reduce:f32:rows=1,cols=4", {1, 1e-40f, -1e-40f, 2}, {3}, {3}},
    };
    float y[4];

    for (int path = 0; path < (dev->info.images ? 2 : 1); path++)
        for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
            int n = strncmp(want[i].op, "reduce", 6) == 0 ? 1 : 4;

            compute(want[i].op, path ? "image" : "buffer", (const float *const[]){want[i].x}, y);
            for (int j = 0; j < n; j++) {
                float kept = want[i].kept[j], zero = want[i].zero[j];
                bool is_kept = fabsf(y[j] - kept) <= 2e-6f * fabsf(kept) + 1e-44f;

                ck_assert_msg(is_kept || y[j] == zero, "%s: f(%g) = %g, want %g or %g", want[i].op,
                              (double)want[i].x[j], (double)y[j], (double)kept, (double)zero);
            }
        }
}
END_TEST

/* f16: all denormal numbers are kept, for arithmetic is f32, where they are not. */
START_TEST(half_denormals)
{
    enum { N = 1024 };
    float x[N], y[N];

    if (!dev->info.half_images)
        return;
    for (int i = 0; i < N; i++)
        x[i] = (float)i * 0x1p-24f; /* from 0 to 2^-14, where normal ones begin */
    for (int path = 0; path < 2; path++) {
        compute("neg:f16:rows=1,cols=1024", path ? "image" : "buffer", (const float *const[]){x}, y);
        for (int i = 0; i < N; i++)
            ck_assert_msg(y[i] == -x[i], "-(%g) = %g", (double)x[i], (double)y[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("math");
    TCase *t = tcase_create("math");

    need_device();
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, accuracy, 0, FUNCTIONS);
    tcase_add_test(t, special_arguments);
    tcase_add_test(t, special_operands);
    tcase_add_test(t, special_rows);
    tcase_add_test(t, denormals);
    tcase_add_test(t, half_denormals);
    suite_add_tcase(suite, t);
    return suite_run(suite);
}
