/* Cells and sweep specs: expansion counts against counts made by hand, and every refusal. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/sweep/cell.h"
#include "harness/sweep/order.h"
#include "harness/sweep/spec.h"
#include "tests/suite.h"

static const struct device_info cpu = {.type = DEVICE_CPU, .images = true, .max_group = 4096};

/* ---- cells ---- */

static const struct {
    const char *text, *values; /* separated by blanks; NULL: refused */
} cells[] = {
    {"", ""},
    {"  ", ""},
    {"64", "64"},
    {"a|b", "a b"},
    {" a | b ", "a b"},
    {"1-4", "1 2 3 4"},
    {"64-256+64", "64 128 192 256"},
    {"64-255+64", "64 128 192"},
    {"1-8*2", "1 2 4 8"},
    {"3-50*4", "3 12 48"},
    {"7|1-2|8x8|auto", "7 1 2 8x8 auto"},
    {"0.5|1", "0.5 1"},
    {"999999999999-1000000000000", "999999999999 1000000000000"},
    {"5-99999999999999999999", "5-99999999999999999999"}, /* no number: left to the caller */
    {"a||b", NULL},
    {"|a", NULL},
    {"a|", NULL},
    {"4-1", NULL},
    {"1-4+0", NULL},
    {"1-4*1", NULL},
    {"0-4*2", NULL},
    {"1-4/2", NULL},
    {"1-4+", NULL},
    {"1-4+1x", NULL},
    {"1-257", NULL}, /* CELL_VALUES is 256 */
    {"abcdefghijklmnopqrstuvwxyzabcdefghij", NULL},
};

START_TEST(cell_cases)
{
    struct axis *a = calloc(1, sizeof(*a));
    struct err err = {0};
    char got[1024] = "";
    int rc = cell_values(cells[_i].text, a, &err);

    if (!cells[_i].values) {
        ck_assert_int_eq(rc, -EINVAL);
        ck_assert_int_gt(strlen(err.text), 0);
    } else {
        ck_assert_msg(rc == 0, "'%s': %s", cells[_i].text, err.text);
        for (int i = 0; i < a->n; i++) {
            strcat(got, i ? " " : "");
            strcat(got, a->value[i]);
        }
        ck_assert_str_eq(got, cells[_i].values);
    }
    free(a);
}
END_TEST

static const struct {
    const char *text;
    int axes, product; /* product -1: refused */
} lists[] = {
    {"", 0, 1},
    {"m=64|128,n=768", 2, 2},
    {"m=64|128 n=1-8*2  k=3", 3, 8},
    {"m=64 , n=1|2", 2, 2},
    {"m", 0, -1},
    {"m=", 0, -1},
    {"=3", 0, -1},
    {"m=1,m=2", 0, -1},
    {"m=1,,n=2", 0, -1},
    {",m=1", 0, -1},
    {"m=1|", 0, -1},
};

START_TEST(list_cases)
{
    struct axes *axes = calloc(1, sizeof(*axes));
    int at[CELL_AXES] = {0}, n = 0;
    struct err err = {0};
    int rc = cell_axes(lists[_i].text, axes, &err);

    if (lists[_i].product < 0) {
        ck_assert_int_eq(rc, -EINVAL);
    } else {
        ck_assert_msg(rc == 0, "'%s': %s", lists[_i].text, err.text);
        ck_assert_int_eq(axes->n, lists[_i].axes);
        do
            n++;
        while (axes_next(axes, at));
        ck_assert_int_eq(n, lists[_i].product);
    }
    free(axes);
}
END_TEST

/* ---- specs ---- */

static int read_text(const char *text, struct spec *spec, struct err *err)
{
    char path[] = "/tmp/test_spec_XXXXXX";
    int fd = mkstemp(path), rc;
    FILE *f = fdopen(fd, "w");

    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
    rc = spec_read(path, &cpu, spec, err);
    unlink(path);
    return rc;
}

#define HEAD "flashmem-sweep,1\nop,shape,dtype,path,kernel,form,tile,order,lws,ratios\n"

static const struct {
    const char *rows;
    int n;
} counts[] = {
    /* everything left out: one configuration */
    {"relu,rows=8 cols=8,,,,,,,,\n", 1},
    /* 3 shapes x 2 types x 2 paths */
    {"relu,\"rows=8|16|32,cols=8\",f32|f16,image|buffer,,,,,,0\n", 12},
    /* two operators, one parameter list */
    {"relu|gelu,rows=8 cols=8|12,,,,,,,,\n", 4},
    /* ratio 0 once whatever the forms are, 2 loaded ratios in 2 forms each */
    {"relu,rows=8 cols=8,,,,branching|pipelined,,,,0|0.5|1\n", 5},
    /* "*" is every form that can carry, naive adds nothing of its own */
    {"relu,rows=8 cols=8,,,,*,,,,0|0.5|1\n", 7},
    {"relu,rows=8 cols=8,,,,copy,,,,0|0.5|1\n", 3},
    {"relu,rows=8 cols=8,,,,naive|pipelined,,,,0|0.5|1\n", 3},
    /* no ratio 0 asked for, none measured */
    {"relu,rows=8 cols=8,,,,,,,,0.5|1+\n", 2},
    /* VT has five declared values; 3 local sizes */
    {"relu,rows=8 cols=8,,,,,*,,8x8|4x4|auto,\n", 15},
    {"relu,rows=8 cols=8,,,,,VT=*,,,\n", 5},
    {"relu,rows=8 cols=8,,,direct,,VT=1|16,,,0|1\n", 4},
    /* the same twice over two rows: counted once */
    {"relu,rows=8 cols=8,,,,,,,,0|1\nrelu,rows=8|16 cols=8,,,,,,,,0|1\n", 4},
    /* a default spelt out is the same case */
    {"gelu,rows=8 cols=8,,,,,,,,\ngelu,rows=8 cols=8 approx=erf,,,,,,,,\n", 1},
    /* what goes together is no product */
    {"relu,rows=8|16|32 cols=@rows,,,,,,,,\n", 3},
    {"# a comment\nrelu,rows=8-64*2 cols=8-24+8,,,,,,,,\n", 12},
};

START_TEST(count_cases)
{
    struct spec spec = {0};
    struct err err = {0};
    char text[2048];
    int rc;

    snprintf(text, sizeof(text), HEAD "%s", counts[_i].rows);
    rc = read_text(text, &spec, &err);
    ck_assert_msg(rc == 0, "%s: %s", counts[_i].rows, err.text);
    ck_assert_msg(spec.n == counts[_i].n, "%s: want %d, got %d", counts[_i].rows, counts[_i].n,
                  spec.n);
    for (int i = 0; i < spec.n; i++) {
        const struct sweep_config *g = &spec.config[i];

        ck_assert_int_eq(g->ratio > 0, g->load_bytes > 0);
        ck_assert_int_eq(g->ratio > 0, g->v.form != FORM_NAIVE);
        ck_assert_int_eq(g->ratio > 0, g->v.n_loads > 0);
    }
    spec_done(&spec);
}
END_TEST

static const struct {
    const char *rows;
    const char *want; /* in the message, after FILE */
} refusals[] = {
    {"reluu,rows=8 cols=8,,,,,,,,\n", ":3: op: no operator 'reluu'"},
    {",rows=8 cols=8,,,,,,,,\n", ":3: op"},
    {"relu,rows=8 cols=8,,,,,,,,\n\nrelu,rows=0 cols=8,,,,,,,,\n", ":5: relu: rows"},
    {"relu,rows=8,,,,,,,,\n", ":3: relu: cols"},
    {"relu,rows=8 cols=8 depth=1,,,,,,,,\n", "depth"},
    {"relu,rows=8 cols=@row,,,,,,,,\n", ":3: shape: '@row'"},
    {"relu,rows=@cols cols=@rows,,,,,,,,\n", ":3: shape"},
    {"relu,rows=8 cols=8,f64,,,,,,,\n", ":3: dtype"},
    {"relu,rows=8 cols=8,i32,,,,,,,\n", ":3: dtype"},
    {"relu,rows=8 cols=8,,texture,,,,,,\n", ":3: path"},
    {"relu,rows=8 cols=8,,,quick,,,,,\n", ":3: kernel"},
    {"relu,rows=8 cols=8,,,,fast,,,,1\n", ":3: form"},
    {"relu,rows=8 cols=8,,,,naive,,,,0|1\n", ":3: form"},
    {"relu,rows=8 cols=8,,,,,TM=4,,,\n", ":3: tile"},
    {"relu,rows=8 cols=8,,,,,VT=3,,,\n", "VT"},
    {"relu,rows=8 cols=8,,,,,,1,,\n", "ORDER"},
    {"relu,rows=8 cols=8,,,,,,,8,\n", ":3: lws"},
    {"relu,rows=8 cols=8,,,,,,,0x8,\n", ":3: lws"},
    {"relu,rows=8 cols=8,,,,,,,8x8x8,\n", ":3: lws"},
    {"relu,rows=8 cols=8,,,,,,,,-1\n", ":3: ratios"},
    {"relu,rows=8 cols=8,,,,,,,,1|0\n", ":3: ratios"},
    {"relu,rows=8 cols=8,,,,,,,,0+\n", ":3: ratios"},
    {"relu,rows=8 cols=8,,,,,,,,+\n", ":3: ratios"},
    {"relu,rows=8 cols=8,,,,,,,,nan\n", ":3: ratios"},
    {"relu,rows=8 cols=8,,,,,,,,5000\n", ":3: ratios"},
    {"", "nothing to sweep"},
};

START_TEST(refusal_cases)
{
    struct spec spec = {0};
    struct err err = {0};
    char text[2048];
    int rc;

    snprintf(text, sizeof(text), HEAD "%s", refusals[_i].rows);
    rc = read_text(text, &spec, &err);
    ck_assert_msg(rc == -EINVAL, "accepted: %s", refusals[_i].rows);
    ck_assert_msg(strstr(err.text, refusals[_i].want), "%s: got '%s'", refusals[_i].rows, err.text);
    ck_assert_int_eq(spec.n, 0);
}
END_TEST

START_TEST(limits)
{
    struct spec spec = {0};
    struct err err = {0};

    ck_assert_int_eq(
        read_text("flashmem-sweep,1\nop,shape,ratios,loads,target,max_repeats,max_time\n"
                  "relu,rows=64 cols=64,0|1+,2,0.1,30,0.25s\n",
                  &spec, &err),
        0);
    ck_assert_int_eq(spec.n, 2);
    ck_assert_int_eq(spec.config[1].max_repeats, 30);
    ck_assert_double_eq(spec.config[1].target, 0.1);
    ck_assert_uint_eq(spec.config[1].max_time_ns, 250000000);
    ck_assert_int_eq(spec.config[1].v.n_loads, 2);
    ck_assert(!spec.config[0].extend && spec.config[1].extend);
    spec_done(&spec);
    ck_assert_int_eq(
        read_text("flashmem-sweep,1\nop,shape,loads\nrelu,rows=8 cols=8,5\n", &spec, &err),
        -EINVAL);
    ck_assert_int_eq(
        read_text("flashmem-sweep,1\nop,shape,max_time\nrelu,rows=8 cols=8,5 days\n", &spec, &err),
        -EINVAL);
    ck_assert_int_eq(read_text("flashmem-sweep,2\nop,shape\nrelu,rows=8 cols=8\n", &spec, &err),
                     -EINVAL);
    ck_assert_int_eq(spec_read("/nonexistent/spec.csv", &cpu, &spec, &err), -ENOENT);
}
END_TEST

/* Distinct layers as `cut`, `sort -u` and `wc -l` count them in datasets/models. */
static const struct {
    const char *rows;
    int n;          /* -1: refused */
    const char *want; /* in the message */
} model_rows[] = {
    {"ResNet,,,,,\n", 30, ""},
    {"ResNet,*,f32|f16,image|buffer,,\n", 120, ""},
    {"ResNet,reusable,,,,0|1\n", 2 * 28, ""},
    {"ResNet,hierarchical|pool2d,,,,0|1\n", 4, ""},
    {"ResNet|ResNet,,,,,\n", 30, ""},
    {"ResNet|GPTN-S,,,,,\n", 39, ""},
    {"ResNet,conv2d,,,1,\n", -1, "no layer"},
    /* its first convolution is the largest: 112*112 * 64 * 7*7*3 = 118.0e6; then 115.6e6 */
    {"ResNet,,,,119e6,\n", 30, ""},
    {"ResNet,,,,117e6,\n", 29, ""},
    {"ResNett,,,,,\n", -1, "ResNett"},
    {"ResNet,convolution,,,,\n", -1, "no operator 'convolution'; there are: null"},
    {",relu,,,5,\n", -1, "max_macs"},
    {"ResNet,,,,-1,\n", -1, "max_macs"},
    {",,,,,\n", -1, "op: want"},
};

START_TEST(model_cases)
{
    struct spec spec = {0};
    struct err err = {0};
    char text[512];
    int rc;

    snprintf(text, sizeof(text), "flashmem-sweep,1\nmodel,op,dtype,path,max_macs,ratios\n%s",
             model_rows[_i].rows);
    rc = read_text(text, &spec, &err);
    if (model_rows[_i].n < 0) {
        ck_assert_int_lt(rc, 0);
        ck_assert_msg(strstr(err.text, model_rows[_i].want), "got '%s'", err.text);
        return;
    }
    ck_assert_msg(rc == 0, "%s: %s", model_rows[_i].rows, err.text);
    ck_assert_int_eq(spec.n, model_rows[_i].n);
    spec_done(&spec);
}
END_TEST

/* Kernels of a model that lack a tunable run as they are by default; a shape is refused. */
START_TEST(model_products)
{
    struct spec spec = {0};
    struct err err = {0};

    ck_assert_int_eq(read_text("flashmem-sweep,1\nmodel,op,kernel,tile\n"
                               "ResNet,relu|pool2d,,VT=*\n", &spec, &err), 0);
    ck_assert_int_eq(spec.n, 1);
    spec_done(&spec);
    ck_assert_int_eq(read_text("flashmem-sweep,1\nmodel,op,shape\nResNet,relu,rows=8\n", &spec,
                               &err), -EINVAL);
    ck_assert_msg(strstr(err.text, ":3: shape"), "got '%s'", err.text);
}
END_TEST

START_TEST(too_many)
{
    struct spec spec = {0};
    struct err err = {0};

    /* 250 x 250 x 5 x 2 = 625000 */
    ck_assert_int_eq(
        read_text(HEAD "relu,rows=1-250 cols=1-250,,image|buffer,,,*,,,\n", &spec, &err), -E2BIG);
}
END_TEST

START_TEST(load_bytes)
{
    struct spec spec = {0};
    struct err err = {0};

    /* relu 64x64 f32 reads 16384 bytes: 0.3 of it is 4915.2, 307.2 texels of 16, so 307 texels;
     * 0.0001 of it is less than a texel, and one is carried. f16: 8192 bytes, 8 to a texel. */
    ck_assert_int_eq(
        read_text(HEAD "relu,rows=64 cols=64,f32|f16,,,,,,,0|0.0001|0.3|2\n", &spec, &err), 0);
    ck_assert_int_eq(spec.n, 8);
    ck_assert_uint_eq(spec.config[0].load_bytes, 0);
    ck_assert_uint_eq(spec.config[1].load_bytes, 16);
    ck_assert_uint_eq(spec.config[2].load_bytes, 307 * 16);
    ck_assert_uint_eq(spec.config[3].load_bytes, 32768);
    ck_assert_uint_eq(spec.config[6].load_bytes, 307 * 8);
    spec_done(&spec);
}
END_TEST

START_TEST(keys)
{
    struct spec spec = {0};
    struct err err = {0};
    char key[SWEEP_KEY_MAX];

    ck_assert_int_eq(read_text(HEAD "relu,rows=64 cols=64,,buffer,,,VT=2,,8x4,1\n", &spec, &err),
                     0);
    sweep_key(&spec.config[0], false, key);
    ck_assert_str_eq(key, "relu:f32:rows=64,cols=64|buffer,direct,pipelined,VT=2,lws=8x4,loads=1"
                          "|load=16384|cache=flushed");
    sweep_key(&spec.config[0], true, key);
    ck_assert_ptr_nonnull(strstr(key, "|cache=hot"));
    spec_done(&spec);
}
END_TEST

/* ---- order ---- */

#define MANY "relu,rows=8-64+8 cols=8|16|24,,image|buffer,,,VT=1|2|4,,,0|0.5|1|2\n" /* 48 x 12 */

START_TEST(blocks)
{
    struct spec a = {0}, b = {0}, c = {0};
    struct err err = {0};
    int changes = 0, same_place = 0, sorted = 0;

    ck_assert_int_eq(read_text(HEAD MANY, &a, &err), 0);
    ck_assert_int_eq(read_text(HEAD MANY, &b, &err), 0);
    ck_assert_int_eq(read_text(HEAD MANY, &c, &err), 0);
    ck_assert_int_eq(a.n, 576);
    ck_assert_int_eq(order_blocks(a.config, a.n, 7, &err), 0);
    /* The same from another start, and for what is left of it: resuming does not reorder. */
    ck_assert_int_eq(order_random(b.config, b.n, 0, 99, &err), 0);
    ck_assert_int_eq(order_blocks(b.config, b.n, 7, &err), 0);
    ck_assert_int_eq(order_blocks(c.config, c.n, 8, &err), 0);
    for (int i = 0; i < a.n; i++) {
        char ka[SWEEP_KEY_MAX], kb[SWEEP_KEY_MAX], kc[SWEEP_KEY_MAX];

        sweep_key(&a.config[i], false, ka);
        sweep_key(&b.config[i], false, kb);
        sweep_key(&c.config[i], false, kc);
        ck_assert_str_eq(ka, kb);
        same_place += strcmp(ka, kc) == 0;
        changes += i > 0 && !order_same_block(&a.config[i - 1], &a.config[i]);
        sorted += i > 0 && a.config[i].ratio >= a.config[i - 1].ratio;
    }
    ck_assert_int_eq(changes, 47); /* 48 blocks, each in one piece */
    ck_assert_int_lt(same_place, 20);
    ck_assert_int_lt(sorted,
                     450); /* of 575; in the spec's order it would be over 430 within blocks */
    spec_done(&a);
    spec_done(&b);
    spec_done(&c);
}
END_TEST

START_TEST(shards)
{
    struct spec a = {0};
    struct err err = {0};
    int per[4] = {0};

    ck_assert_int_eq(read_text(HEAD MANY, &a, &err), 0);
    for (int i = 0; i < a.n; i++) {
        int s = order_shard(&a.config[i], 3);

        ck_assert(s >= 1 && s <= 3);
        ck_assert_int_eq(order_shard(&a.config[i], 1), 1);
        per[s]++;
        /* a load curve stays in one piece */
        if (i > 0 && order_same_block(&a.config[i - 1], &a.config[i]) &&
            a.config[i].v.tunable[0] == a.config[i - 1].v.tunable[0])
            ck_assert_int_eq(s, order_shard(&a.config[i - 1], 3));
    }
    ck_assert_int_eq(per[1] + per[2] + per[3], 576);
    for (int s = 1; s <= 3; s++)
        ck_assert_int_gt(per[s], 96); /* half of a fair share */
    spec_done(&a);
}
END_TEST

START_TEST(random_draw)
{
    struct spec a = {0}, b = {0};
    struct err err = {0};
    int blocks = 0;

    ck_assert_int_eq(read_text(HEAD MANY, &a, &err), 0);
    ck_assert_int_eq(read_text(HEAD MANY, &b, &err), 0);
    ck_assert_int_eq(order_random(a.config, a.n, 100, 3, &err), 0);
    ck_assert_int_eq(order_random(b.config, b.n, 0, 3, &err), 0);
    /* the limited draw is the beginning of the unlimited one, put into blocks */
    for (int i = 0; i < 100; i++) {
        char ka[SWEEP_KEY_MAX], kb[SWEEP_KEY_MAX];
        bool found = false;

        sweep_key(&a.config[i], false, ka);
        for (int j = 0; j < 100 && !found; j++) {
            sweep_key(&b.config[j], false, kb);
            found = strcmp(ka, kb) == 0;
        }
        ck_assert(found);
        blocks += i == 0 || !order_same_block(&a.config[i - 1], &a.config[i]);
    }
    ck_assert_int_gt(blocks, 30); /* 100 of 576 over 48 blocks: nearly all of them are met */
    ck_assert_int_le(blocks, 48);
    spec_done(&a);
    spec_done(&b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("spec");
    TCase *t = tcase_create("spec");

    tcase_add_loop_test(t, cell_cases, 0, sizeof(cells) / sizeof(cells[0]));
    tcase_add_loop_test(t, list_cases, 0, sizeof(lists) / sizeof(lists[0]));
    tcase_add_loop_test(t, count_cases, 0, sizeof(counts) / sizeof(counts[0]));
    tcase_add_loop_test(t, refusal_cases, 0, sizeof(refusals) / sizeof(refusals[0]));
    tcase_add_test(t, limits);
    tcase_add_loop_test(t, model_cases, 0, sizeof(model_rows) / sizeof(model_rows[0]));
    tcase_add_test(t, model_products);
    tcase_add_test(t, too_many);
    tcase_add_test(t, load_bytes);
    tcase_add_test(t, keys);
    tcase_add_test(t, blocks);
    tcase_add_test(t, shards);
    tcase_add_test(t, random_draw);
    suite_add_tcase(s, t);
    return suite_run(s);
}
