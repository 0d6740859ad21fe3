/* harness/model: graphs, costs, inputs, .npy files and the plain reference. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/model/model.h"
#include "harness/model/npy.h"
#include "harness/model/reference.h"
#include "harness/model/weights.h"
#include "profiler/hash.h"
#include "profiler/rng.h"
#include "tests/folder.h"
#include "tests/suite.h"

#define N(x)    ((int)(sizeof(x) / sizeof((x)[0])))
#define HEAD    "flashmem-graph,1\nkind,name,op,params,inputs,weights,init\n"
#define PRODUCT "layer,p,matmul,m=3 n=5 k=6 tb=1 b=weight bias=1,x,w v,normal:0.5 normal:0.1:1\n"

static const char *put(const char *name, const void *data, size_t n)
{
    const char *path = in_folder(name);
    FILE *f;

    unlink(path); /* ext4 syncs a file that is truncated and written again */
    f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(data, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
    return path;
}

static struct model *graph(const char *text)
{
    struct model *m = NULL;
    struct err err = {0};
    int rc = model_read(put("g.csv", text, strlen(text)), DTYPE_F32, &m, &err);

    ck_assert_msg(rc == 0, "%s", err.text);
    return m;
}

/* ---- graphs ---- */

static const char small[] =
    HEAD "# a comment\n"
         "model,small,,,,,\n"
         "input,x,values,rows=3 cols=6,,,\n" PRODUCT "layer,r,relu,rows=3 cols=5,p,,\n"
         "layer,q,matmul,\"m=3,n=6,k=5,tb=1,b=weight,bias=0\",r,u,const:2\n"
         "layer,y,add,rows=3 cols=6 brows=3 bcols=6,q x,,\n";

START_TEST(a_small_graph)
{
    struct model *m = graph(small);
    struct model_cost cost;

    ck_assert_str_eq(m->name, "small");
    ck_assert_int_eq(m->n_inputs, 1);
    ck_assert_int_eq(m->n_layers, 4);
    ck_assert_int_eq(m->n_weights, 3);
    ck_assert_str_eq(m->weight[0].name, "w");
    ck_assert_int_eq(m->weight[0].desc.rows, 5); /* tb: [n, k] */
    ck_assert_int_eq(m->weight[0].desc.cols, 6);
    ck_assert(!m->weight[0].vector && m->weight[1].vector);
    ck_assert_double_eq(m->weight[1].init_mean, 1);
    ck_assert_int_eq(m->weight[2].init, INIT_CONST);
    ck_assert_int_eq(m->weight[2].first, 2);
    ck_assert_int_eq(m->layer[0].last_use, 1);
    ck_assert_int_eq(m->layer[1].last_use, 2);
    ck_assert_int_eq(m->layer[3].last_use, 4);
    ck_assert_int_eq(m->layer[3].source[1].kind, SOURCE_INPUT);
    model_cost(m, &cost);
    ck_assert_double_eq(cost.params, 5 * 6 + 5 + 6 * 5);
    ck_assert_double_eq(cost.macs, 3 * 5 * 6 + 3 * 6 * 5);
    /* rows of 6 are 2 texels, rows of 5 are 2: 5*2, 2 and 6*2 texels of 16 bytes */
    ck_assert_uint_eq(cost.weight_bytes, (10 + 2 + 12) * 16);
    ck_assert_uint_eq(m->bundle_bytes, 32);
    ck_assert_uint_eq(m->hash, hash_text(HASH_INIT, small));
    model_free(m);
}
END_TEST

START_TEST(shared_weights_and_vectors)
{
    struct model *m = graph(HEAD "model,m,,,,,\ninput,x,values,rows=3 cols=6,,,\n"
                                 "layer,a,layernorm,rows=3 cols=6,x,g b,const:1 const:0\n"
                                 "layer,c,layernorm,rows=3 cols=6,a,g d,const:1 normal:1\n");

    ck_assert_int_eq(m->n_weights, 3);
    ck_assert_int_eq(m->weight[0].first, 0);
    ck_assert_int_eq(m->weight[0].last, 1);
    ck_assert_int_eq(m->weight[0].vector_texel, 0);
    ck_assert_int_eq(m->weight[1].vector_texel, 2);
    ck_assert_int_eq(m->weight[2].vector_texel, 4);
    ck_assert_uint_eq(m->bundle_bytes, 6 * 16);
    model_free(m);
}
END_TEST

/* A gather reads the rows of its ids, two gathers twice as many, a product the whole table. */
START_TEST(bytes_read_of_a_table)
{
    static const char two[] = HEAD "model,m,,,,,\ninput,i,ids,n=4 vocab=100,,,\n"
                                   "input,j,iota,n=8,,,\n"
                                   "layer,a,gather,t=4 vocab=100 cols=6,i,e,normal:1\n"
                                   "layer,b,matmul,m=4 n=100 k=6 tb=1 b=weight,a,%s,normal:1\n"
                                   "layer,c,gather,t=8 vocab=100 cols=6,j,e,normal:1\n"
                                   "layer,d,matmul,m=4 n=8 k=100 tb=1 b=weight,b,h,normal:1\n"
                                   "layer,y,matmul,m=4 n=6 k=8 tb=0 b=input,d c,,\n";
    char text[1024];
    struct model *m;

    snprintf(text, sizeof(text), two, "f");
    m = graph(text);
    ck_assert_uint_eq(model_weight_read_bytes(m, 0), 12 * 2 * 16);
    ck_assert_uint_eq(model_weight_read_bytes(m, 1), 100 * 2 * 16);
    model_free(m);
    snprintf(text, sizeof(text), two, "e");
    m = graph(text);
    ck_assert_int_eq(m->weight[0].last, 2);
    ck_assert_uint_eq(model_weight_read_bytes(m, 0), 100 * 2 * 16);
    model_free(m);
}
END_TEST

#define MODEL HEAD "model,m,,,,,\ninput,x,values,rows=3 cols=6,,,\ninput,i,ids,n=4 vocab=100,,,\n"

START_TEST(errors_say_where_and_what)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"", "g.csv:1: "},
        {"flashmem-graph,2\n", "g.csv:1: "},
        {HEAD, "no layers"},
        {HEAD "input,x,values,rows=1 cols=1,,,\n", "g.csv:3: the first row is 'model'"},
        {HEAD "model,../x,,,,,\n", "g.csv:3: model name '../x'"},
        {HEAD "model,m,relu,,,,\n", "g.csv:3: op: want nothing"},
        {HEAD "model,m,,,,,\nmodel,n,,,,,\n", "g.csv:4: a second model row"},
        {HEAD "model,m,,,,,\nlayers,n,,,,,\n", "g.csv:4: kind: want model, input or layer"},
        {HEAD "model,m,,,,,\ninput,x,float,rows=1 cols=1,,,\n", "want values, ids or iota"},
        {HEAD "model,m,,,,,\ninput,x,values,rows=1,,,\n", "params: cols is missing"},
        {HEAD "model,m,,,,,\ninput,x,values,rows=0 cols=1,,,\n", "params: rows: want a whole"},
        {HEAD "model,m,,,,,\ninput,x,values,rows=1 cols=1 n=3,,,\n", "want rows and cols, got 'n'"},
        {HEAD "model,m,,,,,\ninput,x,ids,n=3,,,\n", "params: vocab is missing"},
        {HEAD "model,m,,,,,\ninput,x,values,rows=2147483648 cols=2147483648,,,\n", "too large"},
        {MODEL "layer,a,rleu,rows=3 cols=6,x,,\n", "g.csv:6: no operator 'rleu'; there are:"},
        {MODEL "layer,a,relu,rows=3 clos=6,x,,\n", "g.csv:6: params: "},
        {MODEL "layer,a,relu,rows=3 cols=6,z,,\n", "g.csv:6: inputs: no input or earlier layer"},
        {MODEL "layer,a,relu,rows=3 cols=6,a,,\n", "inputs: no input or earlier layer"},
        {MODEL "layer,a,relu,rows=4 cols=6,x,,\n",
         "'x' is [3, 6], but relu takes [4, 6] as its 'x'"},
        {MODEL "layer,a,relu,rows=1 cols=4,i,,\n", "'i' is [1, 4] of ids, but relu takes [1, 4]"},
        {MODEL "layer,a,relu,rows=3 cols=6,x x,,\n", "inputs: relu takes 1 (x) here, got 2"},
        {MODEL "layer,a,relu,rows=3 cols=6,x,w,normal:1\n", "weights: relu takes 0 here, got 1"},
        {MODEL PRODUCT "layer,p,relu,rows=3 cols=5,p,,\n",
         "g.csv:7: name 'p' is taken by the layer"},
        {MODEL PRODUCT "layer,r,relu,rows=5 cols=6,w,,\n", "inputs: 'w' is a weight"},
        {MODEL "layer,p,matmul,m=3 n=5 k=6 tb=1 b=weight,x,x,normal:1\n",
         "weights: 'x' is the input"},
        {MODEL "layer,p,matmul,m=3 n=5 k=6 tb=1 b=weight,x,w,normal\n",
         "init of 'w': want normal:STD"},
        {MODEL "layer,p,matmul,m=3 n=5 k=6 tb=1 b=weight,x,w,normal:-1\n",
         "init of 'w': want a number"},
        {MODEL "layer,p,matmul,m=3 n=5 k=6 tb=1 b=weight,x,w,normal:nan\n", "init of 'w': want"},
        {MODEL "layer,p,matmul,m=3 n=5 k=6 tb=1 b=weight,x,__w,normal:1\n", "begin with __"},
        {MODEL "layer,p,matmul,m=3 n=5 k=6 tb=1 b=weight,x,w,\n", "init: matmul takes 1"},
        {MODEL PRODUCT "layer,q,matmul,m=3 n=6 k=5 tb=1 b=weight,p,w,normal:0.5\n",
         "g.csv:7: weights: 'w' is [6, 5] here and [5, 6] in line 6"},
        {MODEL PRODUCT "layer,q,matmul,m=3 n=5 k=6 tb=1 b=weight,x,w,normal:0.6\n",
         "init of 'w' is not what line 6 says"},
        {MODEL PRODUCT, "g.csv:5: nothing reads input 'i'"},
        {MODEL "layer,a,relu,rows=3 cols=6,x,,\nlayer,g,gather,t=4 vocab=100 cols=8,i,e,normal:1\n",
         "g.csv:6: nothing reads layer 'a'"},
        {MODEL "layer,g,gather,t=4 vocab=99 cols=8,i,e,normal:1\n",
         "ids of 'i' go to 99, the table"},
        {MODEL "layer,g,gather,t=5 vocab=100 cols=8,i,e,normal:1\n", "'i' is [1, 4] of ids, but"},
        {MODEL "layer,a b,relu,rows=3 cols=6,x,,\n", "want letters, digits"},
    };

    for (int i = 0; i < N(cases); i++) {
        struct model *m = NULL;
        struct err err = {0};
        const char *path = put("g.csv", cases[i].text, strlen(cases[i].text));
        int rc = model_read(path, DTYPE_F32, &m, &err);

        ck_assert_msg(rc == -EINVAL, "case %d: %d", i, rc);
        ck_assert_ptr_null(m);
        ck_assert_msg(strstr(err.text, cases[i].want), "case %d: got '%s', want '%s'", i, err.text,
                      cases[i].want);
    }
}
END_TEST

START_TEST(unknown_names_list_the_known)
{
    struct model *m = NULL;
    struct err err = {0};

    ck_assert_int_eq(model_read("GPTN", DTYPE_F32, &m, &err), -ENOENT);
    ck_assert_msg(strstr(err.text, " GPTN-S") && strstr(err.text, " ResNet"), "%s", err.text);
    ck_assert_int_eq(model_read("./no.csv", DTYPE_F32, &m, &err), -ENOENT);
}
END_TEST

/* Parameters and MACs by hand, from the published configurations.
 *
 * GPT-Neo of d wide, l deep, 128 tokens: an embedding and a projection of 50257 rows, 128 rows of
 * positions, 12 d d + 10 d in each layer (q, k, v have no bias, the norms 4 d), and a norm;
 * products as many by 128, and attention over the past alone: 128 * 129 / 2 pairs. ResNet:
 * torchvision's 25557032 with the 53120 numbers of its batch norms folded into 26560 biases; 4.089
 * GMACs are torchvision's. Llama: published, and two tables of 128 rows for each number of heads,
 * and an epsilon. */
#define GPTN(d, l)                                                                                 \
    (2 * 50257.0 * (d) + 128.0 * (d) + (l) * (12.0 * (d) * (d) + 10.0 * (d)) + 2.0 * (d))
#define GPTN_MACS(d, l) (128.0 * (50257.0 * (d) + (l)*12.0 * (d) * (d)) + (l)*128.0 * 129.0 * (d))

START_TEST(the_zoo)
{
    static const struct {
        const char *name;
        double params, macs; /* macs 0: not by hand */
    } cases[] = {
        {"GPTN-S", GPTN(768, 12), GPTN_MACS(768, 12)},
        {"GPTN-1.3B", GPTN(2048, 24), GPTN_MACS(2048, 24)},
        {"GPTN-2.7B", GPTN(2560, 32), GPTN_MACS(2560, 32)},
        {"ResNet", 25557032 - 53120 + 26560, 4089184256},
        {"Llama2-13B", 13015864320 + 2 * 128 * 2560 + 1, 0},
        {"Llama2-70B", 68976648192 + 2 * 128 * (4096 + 512) + 1, 0},
    };

    for (int i = 0; i < N(cases); i++) {
        struct model_cost cost;
        struct model *m = NULL;
        struct err err = {0};
        int rc = model_read(cases[i].name, DTYPE_F16, &m, &err);

        ck_assert_msg(rc == 0, "%s", err.text);
        model_cost(m, &cost);
        ck_assert_msg(cost.params == cases[i].params, "%s: %.0f", m->name, cost.params);
        if (cases[i].macs > 0)
            ck_assert_msg(cost.macs == cases[i].macs, "%s: %.0f", m->name, cost.macs);
        ck_assert_uint_ge(cost.weight_bytes, (uint64_t)cost.params * 2);
        ck_assert_uint_le(cost.weight_bytes, (uint64_t)(cost.params * 2.01));
        model_free(m);
    }
}
END_TEST

/* All eleven: parameters within 1 % of the published count and MACs within 5 %, or a reason in
 * datasets/counts.csv. */
START_TEST(the_zoo_is_the_published_one)
{
    static const struct {
        const char *name;
        double params_m, macs_g, params_off, macs_off;
    } cases[] = {
        {"GPTN-S", 164, 16, 0.011, 0.05},     {"GPTN-1.3B", 1419, 170, 0.01, 0.05},
        {"GPTN-2.7B", 2781, 342, 0.01, 0.05}, {"ResNet", 25.6, 4.1, 0.01, 0.05},
        {"SAM-2", 215, 218, 0.022, 0.05},     {"ViT", 103, 21, 0.01, 0.05},
        {"DeepViT", 204, 42, 0.01, 0.05},     {"SD-UNet", 860, 78, 0.01, 0.16},
        {"Whisp-M", 356, 55, 0.01, 0.05},     {"DepA-S", 24.3, 14, 0.01, 0.05},
        {"DepA-L", 333, 180, 0.01, 0.05},
    };

    for (int i = 0; i < N(cases); i++) {
        struct model_cost cost;
        struct model *m = NULL;
        struct err err = {0};

        ck_assert_msg(model_read(cases[i].name, DTYPE_F32, &m, &err) == 0, "%s", err.text);
        model_cost(m, &cost);
        ck_assert_str_eq(m->name, cases[i].name);
        ck_assert_msg(fabs(cost.params / 1e6 / cases[i].params_m - 1) <= cases[i].params_off &&
                          fabs(cost.macs / 1e9 / cases[i].macs_g - 1) <= cases[i].macs_off,
                      "%s: %.2f M, %.3f GMACs", m->name, cost.params / 1e6, cost.macs / 1e9);
        model_free(m);
    }
}
END_TEST

/* ---- inputs ---- */

START_TEST(inputs_are_seeded)
{
    struct model *m = graph(HEAD "model,m,,,,,\ninput,i,ids,n=1000 vocab=7,,,\n"
                                 "input,j,iota,n=1000,,,\ninput,x,values,rows=1000 cols=8,,,\n"
                                 "layer,a,gather,t=1000 vocab=7 cols=8,i,e,normal:1\n"
                                 "layer,b,gather,t=1000 vocab=1000 cols=8,j,f,normal:1\n"
                                 "layer,c,add,rows=1000 cols=8 brows=1000 bcols=8,a b,,\n"
                                 "layer,d,add,rows=1000 cols=8 brows=1000 bcols=8,c x,,\n");
    static float v[8000], w[8000];
    double sum = 0, squares = 0;
    int seen[7] = {0};

    model_fill_input(m, 0, 1, v);
    for (int i = 0; i < 1000; i++)
        seen[(int)v[i]]++;
    for (int i = 0; i < 7; i++)
        ck_assert_int_gt(seen[i], 100); /* 143 expected, sd 11 */
    model_fill_input(m, 1, 1, v);
    for (int i = 0; i < 1000; i++)
        ck_assert_float_eq(v[i], (float)i);
    model_fill_input(m, 2, 1, v);
    model_fill_input(m, 2, 2, w);
    ck_assert_int_ne(memcmp(v, w, sizeof(v)), 0);
    model_fill_input(m, 2, 1, w);
    ck_assert_int_eq(memcmp(v, w, sizeof(v)), 0);
    for (int i = 0; i < 8000; i++) {
        sum += v[i];
        squares += v[i] * v[i];
    }
    ck_assert_double_lt(fabs(sum / 8000), 0.045); /* 4 sd */
    ck_assert_double_lt(fabs(squares / 8000 - 1), 0.06);
    model_free(m);
}
END_TEST

START_TEST(inputs_from_files_are_checked)
{
    struct model *m = graph(HEAD "model,m,,,,,\ninput,i,ids,n=4 vocab=7,,,\n"
                                 "layer,a,gather,t=4 vocab=7 cols=8,i,e,normal:1\n");
    static const struct {
        float v[4];
        int64_t cols;
        int rc;
    } cases[] = {
        {{0, 6, 3, 3}, 4, 0},          {{0, 7, 3, 3}, 4, -EINVAL},   {{-1, 6, 3, 3}, 4, -EINVAL},
        {{0.5f, 6, 3, 3}, 4, -EINVAL}, {{NAN, 6, 3, 3}, 4, -EINVAL}, {{1, 2, 3, 0}, 3, -EINVAL},
    };

    for (int i = 0; i < N(cases); i++) {
        struct npy a = {.rows = 1, .cols = cases[i].cols, .value = (float *)cases[i].v};
        float got[4] = {9, 9, 9, 9};
        struct err err = {0};

        ck_assert_int_eq(npy_write(in_folder("i.npy"), &a, &err), 0);
        ck_assert_int_eq(model_load_input(m, 0, in_folder("i.npy"), got, &err), cases[i].rc);
        ck_assert_float_eq(got[0], cases[i].rc ? 9 : cases[i].v[0]);
    }
    model_free(m);
}
END_TEST

/* ---- .npy ---- */

/* What numpy.save() writes for four dtypes; the header is 128 bytes. */
static size_t numpy_file(char file[256], const char *descr, const char *shape, const void *data,
                         size_t n)
{
    char dict[256]; /* 117 are used */

    snprintf(dict, sizeof(dict), "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr,
             shape);
    memcpy(file, "\x93NUMPY\x01\x00v\x00", 10);
    sprintf(file + 10, "%-117.117s\n", dict);
    memcpy(file + 128, data, n);
    return 128 + n;
}

START_TEST(npy_of_numpy)
{
    static const float f4[] = {1.5f, -2, 3, 4, 5, 6.25f};
    static const double f8[] = {1.5, -2, 3, 4, 5, 6.25};
    static const int32_t i4[] = {7, -8};
    static const int64_t i8[] = {7, 16777217};
    struct npy a;
    struct err err = {0};
    char file[256];
    size_t n;

    n = numpy_file(file, "<f4", "(2, 3)", f4, sizeof(f4));
    ck_assert_int_eq(npy_read(put("a.npy", file, n), &a, &err), 0);
    ck_assert(a.rows == 2 && a.cols == 3 && !a.whole);
    ck_assert_int_eq(memcmp(a.value, f4, sizeof(f4)), 0);
    npy_done(&a);
    n = numpy_file(file, "<f8", "(1, 3, 2)", f8, sizeof(f8));
    ck_assert_int_eq(npy_read(put("a.npy", file, n), &a, &err), 0);
    ck_assert(a.rows == 3 && a.cols == 2);
    ck_assert_int_eq(memcmp(a.value, f4, sizeof(f4)), 0);
    npy_done(&a);
    n = numpy_file(file, "<i4", "(2,)", i4, sizeof(i4));
    ck_assert_int_eq(npy_read(put("a.npy", file, n), &a, &err), 0);
    ck_assert(a.rows == 1 && a.cols == 2 && a.whole && a.value[1] == -8);
    npy_done(&a);
    n = numpy_file(file, "<i8", "(2,)", i8, sizeof(i8));
    ck_assert_int_eq(npy_read(put("a.npy", file, n), &a, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "value 1: an integer beyond 2^24"));
}
END_TEST

START_TEST(npy_round_trip)
{
    static const float f[] = {1.5f, -2, 3, 4, 5, 6.25f}, whole[] = {0, 1, 50256};
    static char got[152], want[256];
    struct npy a = {.rows = 2, .cols = 3, .value = (float *)f};
    struct npy b = {.rows = 1, .cols = 3, .whole = true, .value = (float *)whole}, back;
    struct err err = {0};
    FILE *file;

    ck_assert_int_eq(npy_write(in_folder("a.npy"), &a, &err), 0);
    file = fopen(in_folder("a.npy"), "rb");
    ck_assert_uint_eq(fread(got, 1, sizeof(got), file), sizeof(got));
    fclose(file);
    numpy_file(want, "<f4", "(2, 3)", f, sizeof(f));
    ck_assert_int_eq(memcmp(got, want, sizeof(got)), 0);
    ck_assert_int_eq(npy_write(in_folder("b.npy"), &b, &err), 0);
    ck_assert_int_eq(npy_read(in_folder("b.npy"), &back, &err), 0);
    ck_assert(back.whole && back.value[2] == 50256);
    npy_done(&back);
    ck_assert_int_eq(npy_write(in_folder("no/b.npy"), &b, &err), -ENOENT);
}
END_TEST

START_TEST(npy_hostile)
{
    static const char *const shapes[][2] = {
        {"<f4", "(2, 4)"},
        {"<f4", "(2, 2)"},
        {"<f4", "(-2, -3)"},
        {"<f4", "(0, 3)"},
        {"<f4", "6"},
        {"<f4", "(6"},
        {"<f4", "(a,)"},
        {"<f4", "(6;)"},
        {">f4", "(2, 3)"},
        {"|O", "(2, 3)"},
        {"<f16", "(2, 3)"},
        {"<f", "(2, 3)"},
        {"<f4", "(1,1,1,1,1,1,1,1,6)"},
        {"<f4", "(4294967296, 4294967296, 2)"},
        {"<f4", "(9223372036854775807, 3)"},
        {"<f4", "(99999999999999999999,)"},
    };
    static const float f[] = {1, 2, 3, 4, 5, 6};
    struct npy a;
    struct err err = {0};
    uint64_t rng = 1;
    char file[256], bad[256];
    size_t n = numpy_file(file, "<f4", "(2, 3)", f, sizeof(f));

    for (int i = 0; i < N(shapes); i++) {
        numpy_file(bad, shapes[i][0], shapes[i][1], f, sizeof(f));
        ck_assert_msg(npy_read(put("a.npy", bad, n), &a, &err) == -EINVAL, "case %d", i);
    }
    for (size_t cut = 0; cut < n; cut++)
        ck_assert_int_eq(npy_read(put("a.npy", file, cut), &a, &err), -EINVAL);
    for (int i = 0; i < 2000; i++) { /* any byte but the data: read or refused, never worse */
        memcpy(bad, file, n);
        bad[rng_below(&rng, 80)] = (char)rng_next(&rng);
        if (npy_read(put("a.npy", bad, n), &a, &err) == 0)
            npy_done(&a);
    }
}
END_TEST

/* ---- the reference ---- */

static float at(const float *m, int cols, int r, int c)
{
    return m[r * cols + c];
}

/* y = relu(x w' + v) u' + x, in float64 here and rounded only at the end. */
START_TEST(reference_of_a_small_graph)
{
    struct model *m = graph(small);
    float x[18], w[30], v[5], u[30], y[18];
    const float *inputs[] = {x};
    struct err err = {0};

    model_fill_input(m, 0, 3, x);
    weights_values(m, 0, 3, w);
    weights_values(m, 1, 3, v);
    weights_values(m, 2, 3, u);
    ck_assert_float_eq(u[29], 2);
    ck_assert_int_eq(model_reference(m, 3, inputs, y, &err), 0);
    for (int r = 0; r < 3; r++) {
        double hidden[5];

        for (int n = 0; n < 5; n++) {
            hidden[n] = v[n];
            for (int k = 0; k < 6; k++)
                hidden[n] += (double)at(x, 6, r, k) * at(w, 6, n, k);
            hidden[n] = fmax(hidden[n], 0);
        }
        for (int n = 0; n < 6; n++) {
            double want = at(x, 6, r, n);

            for (int k = 0; k < 5; k++)
                want += hidden[k] * at(u, 5, n, k);
            ck_assert_double_lt(fabs(at(y, 6, r, n) - want), 1e-6 * (1 + fabs(want)));
        }
    }
    model_free(m);
}
END_TEST

static TCase *cases(void)
{
    TCase *t = tcase_create("model");

    tcase_add_unchecked_fixture(t, folder_make, folder_remove);
    tcase_add_test(t, a_small_graph);
    tcase_add_test(t, shared_weights_and_vectors);
    tcase_add_test(t, bytes_read_of_a_table);
    tcase_add_test(t, errors_say_where_and_what);
    tcase_add_test(t, unknown_names_list_the_known);
    tcase_add_test(t, the_zoo);
    tcase_add_test(t, the_zoo_is_the_published_one);
    tcase_add_test(t, inputs_are_seeded);
    tcase_add_test(t, inputs_from_files_are_checked);
    tcase_add_test(t, npy_of_numpy);
    tcase_add_test(t, npy_round_trip);
    tcase_add_test(t, npy_hostile);
    tcase_add_test(t, reference_of_a_small_graph);
    return t;
}

int main(void)
{
    Suite *s = suite_create("model");

    suite_add_tcase(s, cases());
    return suite_run(s);
}
