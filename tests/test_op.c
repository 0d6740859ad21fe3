/* The operator table, and the spelling of cases and variants. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "operators/op.h"
#include "tests/suite.h"

static const struct device_info cpu = {
    .name = "test",
    .type = DEVICE_CPU,
    .images = true,
    .half_images = true,
    .image_width = 8192,
    .image_height = 8192,
    .local_bytes = 32768,
    .max_group = 4096,
    .compute_units = 2,
};

START_TEST(table_is_consistent)
{
    struct err err = {0};

    ck_assert_msg(op_table_check(&err) == 0, "%s", err.text);
    ck_assert_ptr_null(op_find("nothing"));
    for (int i = 0; op_table[i]; i++)
        ck_assert_ptr_eq(op_find(op_table[i]->name), op_table[i]);
}
END_TEST

/* text, what it prints as (NULL: refused), what the message says */
static const struct {
    const char *text, *printed, *message;
} cases[] = {
    {"relu:f32:rows=3,cols=5", "relu:f32:rows=3,cols=5", NULL},
    {"relu:f16:cols=5,rows=3", "relu:f16:rows=3,cols=5", NULL},
    {"gelu:f32:rows=1,cols=1,approx=erf", "gelu:f32:rows=1,cols=1", NULL}, /* a default */
    {"gelu:f32:approx=tanh,rows=1,cols=1", "gelu:f32:rows=1,cols=1,approx=tanh", NULL},
    {"null:f32", "null:f32", NULL},
    {"null:f32:", "null:f32", NULL},
    {"null:f16:items=7", "null:f16:items=7", NULL},
    {"softmax:f32:rows=4,cols=4,causal=0", "softmax:f32:rows=4,cols=4", NULL},
    {"add:f32:rows=4,cols=6,brows=1,bcols=6,b=vector",
     "add:f32:rows=4,cols=6,brows=1,bcols=6,b=vector", NULL},

    {"", NULL, "want OP:DTYPE:name=value"},
    {"relu", NULL, "want OP:DTYPE:name=value"},
    {"reul:f32:rows=1,cols=1", NULL, "no operator 'reul'; there are: null relu"},
    {"relu:f64:rows=1,cols=1", NULL, "dtype wants f32|f16, got 'f64'"},
    {"relu:i32:rows=1,cols=1", NULL, "dtype wants f32|f16, got 'i32'"},
    {"relu:f32extra:rows=1,cols=1", NULL, "dtype wants"},
    {"relu:f32", NULL, "rows (rows of the result) is missing"},
    {"relu:f32:rows=3", NULL, "cols (elements of a row) is missing"},
    {"relu:f32:rows=0,cols=1", NULL, "rows wants 1..67108864, got '0'"},
    {"relu:f32:rows=67108865,cols=1", NULL, "rows wants 1..67108864"},
    {"relu:f32:rows=99999999999999999999,cols=1", NULL, "rows wants 1..67108864"},
    {"relu:f32:rows=3x,cols=1", NULL, "got '3x'"},
    {"relu:f32:rows= 3,cols=1", NULL, "got ' 3'"},
    {"relu:f32:rows=,cols=1", NULL, "rows wants 1..67108864, got ''"},
    {"relu:f32:rows=1.5,cols=1", NULL, "got '1.5'"},
    {"relu:f32:rows=1,cols=1,", NULL, "want name=value"},
    {"relu:f32:rows=1,,cols=1", NULL, "want name=value, got ''"},
    {"relu:f32:rows=1,rows=1,cols=1", NULL, "rows is given twice"},
    {"relu:f32:rows=1,cols=1,axis=1", NULL, "no parameter 'axis', it has rows, cols"},
    {"gelu:f32:rows=1,cols=1,approx=1", NULL, "approx wants erf|tanh, got '1'"},
    {"add:f32:rows=4,cols=6,brows=3,bcols=6", NULL,
     "brows wants a divisor of 4 (rows), got '3'"},
    {"add:f32:rows=4,cols=6,brows=1,bcols=3", NULL, "bcols wants 1 or 6 (cols), got '3'"},
    {"mul:f32:rows=4,cols=6,brows=4,bcols=6,b=vector", NULL, "mul: b=vector wants brows=1"},
    {"pool2d:f32:h=4,w=4,c=1,r=2,s=2,pad=2", NULL, "pad wants to be less than r=2 and s=2"},
    {"pool2d:f32:h=4,w=4,c=1,r=5,s=2", NULL, "window 5x2 exceeds the padded map 4x4"},
};

START_TEST(case_spelling)
{
    char text[OP_TEXT_MAX], again[OP_TEXT_MAX];
    struct op_case c = {0}, c2 = {0};
    struct err err = {0};
    int rc = op_case_parse(cases[_i].text, &c, &err);

    if (!cases[_i].printed) {
        ck_assert_msg(rc == -EINVAL, "'%s' was accepted", cases[_i].text);
        ck_assert_msg(strstr(err.text, cases[_i].message) != NULL, "'%s': '%s', want '%s'",
                      cases[_i].text, err.text, cases[_i].message);
        ck_assert_ptr_null(c.op); /* untouched */
        return;
    }
    ck_assert_msg(rc == 0, "'%s': %s", cases[_i].text, err.text);
    op_case_print(&c, text);
    ck_assert_str_eq(text, cases[_i].printed);
    ck_assert_msg(op_case_parse(text, &c2, &err) == 0, "%s", err.text);
    op_case_print(&c2, again);
    ck_assert_str_eq(again, text);
}
END_TEST

/* Variants of relu, which has one kernel, one tunable VT of 1|2|4|8|16. */
static const struct {
    const char *text, *printed, *message;
} variants[] = {
    {"buffer,lws=8x4,VT=2", "buffer,direct,naive,VT=2,lws=8x4", NULL},
    {"VT=1,lws=auto,image,direct,naive", "image,direct,naive,VT=1,lws=auto", NULL},
    {"pipelined,lws=1x1", "image,direct,pipelined,VT=4,lws=1x1,loads=1", NULL},
    {"lws=1x1,branching,loads=4", "image,direct,branching,VT=4,lws=1x1,loads=4", NULL},

    {"texture", NULL, "want image|buffer, a kernel (direct)"},
    {"image,buffer", NULL, "got 'buffer'"},
    {"VT=3", NULL, "VT wants 1|2|4|8|16, got '3'"},
    {"TM=4", NULL, "kernel 'direct' has no tunable 'TM'"},
    {"lws=8", NULL, "lws wants XxY or auto, got '8'"},
    {"lws=0x4", NULL, "lws wants XxY or auto"},
    {"lws=8x4x2", NULL, "lws wants XxY or auto"},
    {"loads=5,pipelined", NULL, "loads wants 0..4, got '5'"},
    {"loads=1", NULL, "naive form with loads=1, want 0"},
    {"pipelined,loads=0", NULL, "pipelined form with loads=0, want 1..4"},
};

START_TEST(variant_spelling)
{
    char text[OP_TEXT_MAX], again[OP_TEXT_MAX];
    struct op_variant v = {.n_loads = 77}, v2 = {0};
    struct op_case c = {0};
    struct err err = {0};
    int rc;

    ck_assert_int_eq(op_case_parse("relu:f32:rows=9,cols=9", &c, &err), 0);
    rc = op_variant_parse(&c, &cpu, variants[_i].text, &v, &err);
    if (!variants[_i].printed) {
        ck_assert_msg(rc == -EINVAL, "'%s' was accepted", variants[_i].text);
        ck_assert_msg(strstr(err.text, variants[_i].message) != NULL, "'%s': '%s', want '%s'",
                      variants[_i].text, err.text, variants[_i].message);
        ck_assert_int_eq(v.n_loads, 77);
        return;
    }
    ck_assert_msg(rc == 0, "'%s': %s", variants[_i].text, err.text);
    op_variant_print(&c, &v, text);
    ck_assert_str_eq(text, variants[_i].printed);
    ck_assert_msg(op_variant_parse(&c, &cpu, text, &v2, &err) == 0, "%s", err.text);
    op_variant_print(&c, &v2, again);
    ck_assert_str_eq(again, text);
    op_variant_tile(&c, &v, again);
    ck_assert_ptr_nonnull(strstr(text, again));
}
END_TEST

/* Every operator's default survives being printed and parsed, on CPU and GPU, and launches. */
START_TEST(defaults)
{
    static const char *const texts[] = {
        "null:f32",
        "relu:f16:rows=7,cols=9",
        "gelu:f32:rows=7,cols=9",
        "add:f32:rows=7,cols=9,brows=1,bcols=9",
        "mul:f32:rows=7,cols=9,brows=7,bcols=1",
        "softmax:f32:rows=100,cols=1000",
        "layernorm:f16:rows=100,cols=4",
        "pool2d:f32:h=8,w=8,c=16,r=2,s=2,stride=2",
        "gather:f32:t=7,vocab=100,cols=12",
        "tanh:f16:rows=3,cols=70",
        "sub:f32:rows=6,cols=9,brows=2,bcols=9",
        "affine:f32:rows=6,cols=9",
        "groupnorm:f32:rows=64,c=320,groups=32",
        "reduce:f32:rows=64,cols=320,axis=rows",
        "reduce:f32:rows=64,cols=320",
    };
    struct device_info gpu = cpu;

    gpu.type = DEVICE_GPU;
    for (size_t i = 0; i < 2 * sizeof texts / sizeof *texts; i++) {
        const struct device_info *dev = i % 2 ? &gpu : &cpu;
        struct op_variant v = {0}, back = {0};
        struct op_launch launch = {0};
        char text[OP_TEXT_MAX], again[OP_TEXT_MAX];
        float x[OP_FEATURES];
        struct op_case c = {0};
        struct err err = {0};

        ck_assert_msg(op_case_parse(texts[i / 2], &c, &err) == 0, "%s", err.text);
        op_variant_default(&c, dev, PATH_IMAGE, &v);
        op_variant_print(&c, &v, text);
        ck_assert_msg(op_variant_parse(&c, dev, text, &back, &err) == 0, "%s", err.text);
        op_variant_print(&c, &back, again);
        ck_assert_str_eq(text, again);
        ck_assert_msg(c.op->launch(&c, &v, dev, &launch, &err) == 0, "%s: %s", text, err.text);
        op_features(&c, &v, &launch, x);
        for (int f = 0; f < OP_FEATURES; f++)
            ck_assert(!isinf(x[f]));
    }
}
END_TEST

START_TEST(features_by_hand)
{
    struct op_variant v = {0};
    struct op_launch launch = {0};
    float x[OP_FEATURES];
    struct op_case c = {0};
    struct err err = {0};

    ck_assert_int_eq(op_case_parse("softmax:f16:rows=64,cols=1024", &c, &err), 0);
    ck_assert_int_eq(op_variant_parse(&c, &cpu, "buffer,pipelined,loads=2,VT=1,lws=8x2", &v, &err), 0);
    ck_assert_int_eq(c.op->launch(&c, &v, &cpu, &launch, &err), 0);
    op_features(&c, &v, &launch, x);
    for (int f = 0; f < OP_FEATURES; f++) {
        static const struct {
            const char *name;
            float value;
        } want[] = {
            {"class", OP_HIERARCHICAL},
            {"elem_bytes", 2},
            {"path", PATH_BUFFER},
            {"form", FORM_PIPELINED},
            {"n_loads", 2},
            {"log2_gws_x", 3},
            {"log2_gws_y", 6},
            {"log2_lws_x", 3},
            {"log2_lws_y", 1},
            {"log2_groups", 5},
            {"log2_input_bytes", 17},
            {"log2_output_bytes", 17},
            {"rows", 64},
            {"cols", 1024},
            {"log2_macs", NAN},
            {"log2_weight_bytes", NAN},
            {"depth", NAN},
            {"taps", NAN},
            {"tile_m", NAN},
        };

        ck_assert_ptr_nonnull(op_feature_names[f]);
        for (size_t i = 0; i < sizeof want / sizeof *want; i++)
            if (strcmp(want[i].name, op_feature_names[f]) == 0)
                ck_assert_msg(isnan(want[i].value) ? isnan(x[f]) : x[f] == want[i].value,
                              "%s is %g, want %g", want[i].name, (double)x[f],
                              (double)want[i].value);
    }
}
END_TEST

/* Parameters and operators that the regressor must tell apart, and by which feature. */
START_TEST(features_of_parameters)
{
    static const struct {
        const char *text, *name;
        float value;
    } rows[] = {
        {"attention:f32:batch=2,heads=3,m=10,n=20,d=8,dv=12,causal=1", "batch", 6},
        {"attention:f32:batch=2,heads=3,m=10,n=20,d=8,dv=12,causal=1", "rows", 10},
        {"attention:f32:batch=2,heads=3,m=10,n=20,d=8,dv=12,causal=1", "cols", 20},
        {"attention:f32:batch=2,heads=3,m=10,n=20,d=8,dv=12,causal=1", "depth", 8},
        {"attention:f32:batch=2,heads=3,m=10,n=20,d=8,dv=12,causal=1", "cout", 12},
        {"attention:f32:batch=2,heads=3,m=10,n=20,d=8,dv=12,causal=1", "causal", 1},
        {"attention:f32:batch=2,heads=3,m=10,n=20,d=8,dv=12", "y_cols", 36},
        {"groupnorm:f32:rows=64,c=320,groups=32,act=silu", "channel_groups", 32},
        {"groupnorm:f32:rows=64,c=320,groups=32,act=silu", "act", 4},
        {"groupnorm:f32:rows=64,c=320,groups=32,act=silu", "cin", 320},
        {"concat:f32:n=3,size0=5,size1=6,size2=7,other=9", "inputs", 3},
        {"concat:f32:n=3,size0=5,size1=6,size2=7,other=9", "y_rows", 18},
        {"concat:f32:n=3,size0=5,size1=6,size2=7,other=9", "y_cols", 9},
        {"concat:f32:n=3,size0=5,size1=6,size2=7,other=9", "cols", NAN},
        {"concat:f32:n=2,axis=cols,size0=5,size1=6,other=9", "axis", 1},
        {"concat:f32:n=2,axis=cols,size0=5,size1=6,other=9", "whole", 0},
        {"concat:f32:n=2,axis=cols,size0=8,size1=6,other=9", "whole", 1},
        {"slice:f32:rows=9,cols=40,r0=2,rn=3,c0=8,cn=12", "x_cols", 40},
        {"slice:f32:rows=9,cols=40,r0=2,rn=3,c0=8,cn=12", "y_rows", 3},
        {"slice:f32:rows=9,cols=40,r0=2,rn=3,c0=8,cn=12", "y_cols", 12},
        {"slice:f32:rows=9,cols=40,r0=2,rn=3,c0=8,cn=12", "whole", 1},
        {"slice:f32:rows=9,cols=40,r0=2,rn=3,c0=9,cn=12", "whole", 0},
        {"slice:f32:rows=9,cols=40,r0=2,rn=3,c0=8,cn=4,cstep=2", "whole", 0},
        {"transpose:f32:d0=13,d1=3,d2=8,perm=102,xc=2", "x_cols", 24},
        {"transpose:f32:d0=13,d1=3,d2=8,perm=102,xc=2", "y_rows", 39},
        {"transpose:f32:d0=13,d1=3,d2=8,perm=102,xc=2", "y_cols", 8},
        {"deconv2d:f32:h=5,w=7,cin=9,cout=10,r=2,s=3,stride=2", "stride", 2},
        {"deconv2d:f32:h=5,w=7,cin=9,cout=10,r=2,s=3,stride=2", "stride_w", 2},
        {"deconv2d:f32:h=5,w=7,cin=9,cout=10,r=2,s=3,stride=2", "taps", 6},
        {"conv2d:f32:h=9,w=9,cin=6,cout=9,r=3,s=3,groups=3,stride=2", "channel_groups", 3},
        {"conv2d:f32:h=9,w=9,cin=6,cout=9,r=3,s=3,groups=3,stride=2", "stride_w", 2},
        {"conv2d:f32:h=9,w=9,cin=6,cout=9,r=3,s=3,stride=2,stride_w=3", "stride_w", 3},
        {"conv2d:f32:h=9,w=9,cin=6,cout=9,r=3,s=3,bias=1,res=1,act=relu", "inputs", 4},
        {"conv2d:f32:h=9,w=9,cin=6,cout=9,r=3,s=3,bias=1,res=1,act=relu", "res", 1},
        {"conv2d:f32:h=9,w=9,cin=6,cout=9,r=3,s=3,bias=1,res=1,act=relu", "act", 1},
        {"pool2d:f32:h=8,w=8,c=16,r=2,s=2,kind=avg", "kind", 1},
        {"pool2d:f32:h=8,w=8,c=16,r=2,s=2,kind=avg", "stride_w", 1},
        {"window:f32:h=7,w=10,c=5,wh=3,ww=4", "taps", 12},
        {"resize:f32:h=5,w=7,c=5,oh=11,ow=3,kind=bilinear", "y_rows", 33},
        {"matmul:f32:m=4,n=5,k=6,ta=1,tb=0", "ta", 1},
        {"matmul:f32:m=4,n=5,k=6,ta=1,tb=0", "tb", 0},
        {"gelu:f32:rows=4,cols=5,approx=tanh", "kind", 1},
        {"relu:f32:rows=4,cols=5", "batch", NAN},
        {"relu:f32:rows=4,cols=5", "stride_w", NAN},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct op_launch launch = {0};
        struct op_variant v = {0};
        float x[OP_FEATURES];
        struct op_case c = {0};
        struct err err = {0};
        int f = 0;

        ck_assert_msg(op_case_parse(rows[i].text, &c, &err) == 0, "%s", err.text);
        op_variant_default(&c, &cpu, PATH_BUFFER, &v);
        ck_assert_msg(c.op->launch(&c, &v, &cpu, &launch, &err) == 0, "%s", err.text);
        op_features(&c, &v, &launch, x);
        while (f < OP_FEATURES && strcmp(op_feature_names[f], rows[i].name) != 0)
            f++;
        ck_assert_msg(f < OP_FEATURES, "no feature '%s'", rows[i].name);
        ck_assert_msg(isnan(rows[i].value) ? isnan(x[f]) : x[f] == rows[i].value,
                      "%s: %s is %g, want %g", rows[i].text, rows[i].name, (double)x[f],
                      (double)rows[i].value);
    }
}
END_TEST

/* No two values of a tunable look the same, whatever the grid. */
START_TEST(features_of_tunables)
{
    static const struct op_launch launch = {.gws = {64, 64}};

    for (int o = 0; op_table[o]; o++)
        for (int k = 0; k < OP_MAX_KERNELS && op_table[o]->kernels[k].name; k++)
            for (int t = 0; t < OP_MAX_TUNABLES && op_table[o]->kernels[k].tunables[t].name; t++) {
                struct op_case c = {.op = op_table[o]};
                struct op_variant v = {.kernel = k};
                float x[2][OP_FEATURES];

                for (int i = 0; i < OP_MAX_PARAMS && c.op->params[i].name; i++)
                    c.p[i] = c.op->params[i].def < 1 ? 1 : c.op->params[i].def;
                for (int i = 0; i < 2; i++) {
                    v.tunable[t] = c.op->kernels[k].tunables[t].values[i];
                    op_features(&c, &v, &launch, x[i]);
                }
                ck_assert_msg(memcmp(x[0], x[1], sizeof x[0]) != 0, "%s %s: %s has no feature",
                              c.op->name, c.op->kernels[k].name,
                              c.op->kernels[k].tunables[t].name);
            }
}
END_TEST

START_TEST(bytes)
{
    struct op_case c = {0};
    struct err err = {0};

    /* 3 x 2 texels of 16 bytes; b: 1 x 2 */
    ck_assert_int_eq(op_case_parse("add:f32:rows=3,cols=5,brows=1,bcols=5", &c, &err), 0);
    ck_assert_uint_eq(op_input_bytes(&c), 96 + 32);
    ck_assert_uint_eq(op_output_bytes(&c), 96);
    /* ids: 2 texels of 16; weight: 10 x 1 texels of 8 */
    ck_assert_int_eq(op_case_parse("gather:f16:t=7,vocab=10,cols=4", &c, &err), 0);
    ck_assert_uint_eq(op_input_bytes(&c), 32 + 80);
    ck_assert_uint_eq(op_output_bytes(&c), 56);
    ck_assert_int_eq(op_param_get(&c, "vocab"), 10);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("op");
    TCase *t = tcase_create("op");

    tcase_add_test(t, table_is_consistent);
    tcase_add_loop_test(t, case_spelling, 0, (int)(sizeof cases / sizeof *cases));
    tcase_add_loop_test(t, variant_spelling, 0, (int)(sizeof variants / sizeof *variants));
    tcase_add_test(t, defaults);
    tcase_add_test(t, features_by_hand);
    tcase_add_test(t, features_of_parameters);
    tcase_add_test(t, features_of_tunables);
    tcase_add_test(t, bytes);
    suite_add_tcase(suite, t);
    return suite_run(suite);
}
