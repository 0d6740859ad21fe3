/* The store that predict_law.h promises. */
#include "tests/predict_law.h"

#include <check.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/rng.h"

const struct device_info dev = {
    .platform = "synthetic", .name = "law", .version = "OpenCL 1.2", .driver = "1",
    .type = DEVICE_CPU, .images = true, .half_images = true, .unified = true,
    .image_width = 8192, .image_height = 8192, .global_bytes = UINT64_MAX,
    .max_alloc_bytes = UINT64_MAX, .local_bytes = 65536, .max_group = 4096, .timer_ns = 1,
    .compute_units = 2,
};

double law_ns(const struct op_case *c)
{
    double macs = 0, ops = 0;

    c->op->cost(c, &macs, &ops);
    return 20e3 + (2 * macs + ops) / 12 + (double)(op_input_bytes(c) + op_output_bytes(c)) / 5;
}

static double law_hidden(const struct op_case *c)
{
    return c->op->class == OP_REUSABLE ? 1 : 0.1;
}

double law_slowdown(const struct op_case *c, double bytes)
{
    double q = bytes / (4 * law_ns(c));

    return 1 + 0.05 * q + fmax(0, q - law_hidden(c));
}

double law_capacity(const struct op_case *c, double allowed)
{
    return (allowed + law_hidden(c)) / 1.05 * 4 * law_ns(c);
}

static double normal(uint64_t *rng)
{
    double u = 1 - rng_unit(rng), v = rng_unit(rng);

    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

/* ---- a store with a sweep in it ---- */

void bench_open(struct bench *b)
{
    char path[64];
    char *argv[] = {"test", NULL};
    struct err err = {0};

    *b = (struct bench){.dir = "/tmp/test_predict.XXXXXX", .rng = 7, .max_slowdown = 6,
                        .noise = 0.01};
    ck_assert(mkdtemp(b->dir) != NULL);
    snprintf(path, sizeof(path), "%s/db", b->dir);
    ck_assert_msg(store_open(path, STORE_WRITE, &b->st, &err) == 0, "%s", err.text);
    ck_assert_msg(store_device(b->st, &dev, &b->device_id, &err) == 0, "%s", err.text);
    ck_assert_msg(store_session(b->st, b->device_id, 1, argv, &b->session_id, &err) == 0, "%s",
                  err.text);
}

void bench_close(struct bench *b)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    char path[64];

    store_close(b->st);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s/db%s", b->dir, ends[i]);
        unlink(path);
    }
    ck_assert_int_eq(rmdir(b->dir), 0);
}

void exec(struct bench *b, const char *sql)
{
    struct err err = {0};

    ck_assert_msg(store_exec(b->st, &err, sql, "") == 0, "%s", err.text);
}

double number(struct bench *b, const char *sql)
{
    struct store_query *q = NULL;
    struct err err = {0};
    double v;

    ck_assert_msg(store_query(b->st, &q, &err, sql, "") == 0, "%s", err.text);
    ck_assert_msg(store_step(q, &err) == 1, "%s: %s", sql, err.text);
    v = store_real(q, 0);
    store_query_done(q);
    return v;
}

struct op_case parse(const char *text)
{
    struct op_case c = {0};
    struct err err = {0};

    ck_assert_msg(op_case_parse(text, &c, &err) == 0, "%s: %s", text, err.text);
    return c;
}

struct op_variant variant(const struct op_case *c, enum op_form form)
{
    struct op_variant v;

    op_variant_default(c, &dev, PATH_IMAGE, &v);
    v.form = form;
    v.n_loads = form != FORM_NAIVE;
    return v;
}

void put(struct bench *b, const struct op_case *c, enum op_form form, uint64_t load_bytes,
         const char *status, const char *cache, double ns, double base_ns, double slowdown)
{
    struct op_variant v = variant(c, form);
    char text[OP_TEXT_MAX], shape[OP_TEXT_MAX], vtext[OP_TEXT_MAX], key[3 * OP_TEXT_MAX];
    struct err err = {0};

    op_case_print(c, text);
    op_case_params(c, shape);
    op_variant_print(c, &v, vtext);
    snprintf(key, sizeof(key), "%s|%s|load=%" PRIu64 "|cache=%s", text, vtext, load_bytes, cache);
    ck_assert_msg(
        store_exec(b->st, &err,
                   "INSERT INTO config (key, op, class, shape, dtype, path, kernel, form, variant,"
                   " gws, lws, tile, loop_order, extra_ratio, load_bytes, cache) VALUES (?, ?, ?,"
                   " ?, ?, ?, '', ?, ?, '', '', '', '', ?, ?, ?) ON CONFLICT (key) DO NOTHING",
                   "ssssssssdis", key, c->op->name, op_class_name(c->op->class), shape,
                   dtype_name(c->dtype), mem_path_name(v.path), op_form_name(form), vtext,
                   (double)load_bytes / (double)op_input_bytes(c), (int64_t)load_bytes, cache) == 0,
        "%s", err.text);
    ck_assert_msg(
        store_exec(b->st, &err,
                   "INSERT INTO sample (session_id, config_id, taken_utc, status, median_ns,"
                   " base_median_ns, slowdown) VALUES (?, (SELECT id FROM config WHERE key = ?),"
                   " '2026-01-01T00:00:00Z', ?, ?, ?, ?)",
                   "issddd", b->session_id, key, status, ns, base_ns, slowdown) == 0,
        "%s", err.text);
}

/* A shape without load, then pipelined under growing load, as a sweep does. */
static void sweep_shape(struct bench *b, const char *text)
{
    struct op_case c = parse(text);
    double input = (double)op_input_bytes(&c);

    put(b, &c, FORM_NAIVE, 0, "ok", "flushed", law_ns(&c) * (1 + b->noise * normal(&b->rng)), NAN,
        NAN);
    if (c.op->class == OP_HIERARCHICAL)
        return;
    for (double ratio = 0.125; ratio <= 4096; ratio *= 2) {
        uint64_t bytes = (uint64_t)(ratio * input / 16) * 16;
        double base = law_ns(&c) * (1 + b->noise * normal(&b->rng));
        double slowdown = law_slowdown(&c, (double)bytes) * (1 + b->noise * normal(&b->rng));

        put(b, &c, FORM_PIPELINED, bytes, "ok", "flushed", base * slowdown, base, slowdown);
        if (slowdown > b->max_slowdown)
            break;
    }
}

int draw(struct bench *b, double low, double high)
{
    return (int)lround(low * pow(high / low, rng_unit(&b->rng)));
}

void draw_matmul(struct bench *b, char text[OP_TEXT_MAX])
{
    snprintf(text, OP_TEXT_MAX, "matmul:f32:m=%d,n=%d,k=%d", draw(b, 32, 1024), draw(b, 32, 1024),
             draw(b, 32, 1024));
}

void draw_rows(struct bench *b, const char *op, char text[OP_TEXT_MAX])
{
    snprintf(text, OP_TEXT_MAX, "%s:f32:rows=%d,cols=%d", op, draw(b, 16, 1024),
             draw(b, 64, 4096));
}

void sweep(struct bench *b, int matmuls, int relus, int softmaxes)
{
    char text[OP_TEXT_MAX];

    exec(b, "BEGIN");
    for (int i = 0; i < matmuls; i++) {
        draw_matmul(b, text);
        sweep_shape(b, text);
    }
    for (int i = 0; i < relus; i++) {
        draw_rows(b, "relu", text);
        sweep_shape(b, text);
    }
    for (int i = 0; i < softmaxes; i++) {
        draw_rows(b, "softmax", text);
        sweep_shape(b, text);
    }
    exec(b, "COMMIT");
}

char notes[NOTES_BYTES];

static void take_note(void *ctx, const char *text)
{
    size_t n = strlen(notes);

    (void)ctx;
    snprintf(notes + n, sizeof(notes) - n, "%s\n", text);
}

struct predict_train_options options(void)
{
    notes[0] = 0;
    return (struct predict_train_options){
        .folds = 3, .seed = 1, .trees = 120, .threads = 1, .note = take_note};
}

int train(struct bench *b)
{
    struct predict_train_options o = options();
    struct err err = {0};
    int trained = 0;

    ck_assert_msg(predict_train(b->st, b->device_id, &o, &trained, &err) == 0, "%s", err.text);
    return trained;
}

struct predictor *load(struct bench *b)
{
    struct predictor *p = NULL;
    struct err err = {0};

    ck_assert_msg(predictor_load(b->st, b->device_id, DTYPE_F32, PATH_IMAGE, &p, &err) == 0, "%s",
                  err.text);
    return p;
}
