/* Models of ONNX files: what ONNX Runtime made of them, and files that are not what they say. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/import/import.h"
#include "harness/model/reference.h"
#include "harness/model/split.h"
#include "profiler/rng.h"
#include "tests/folder.h"
#include "tests/golden.h"
#include "tests/onnx_file.h"
#include "tests/suite.h"

static char notes[8192]; /* lines that the last import told */

static void take_note(void *ctx, const char *line)
{
    size_t n = strlen(notes);

    (void)ctx;
    snprintf(notes + n, sizeof(notes) - n, "%s\n", line);
}

static int import(const char *path, unsigned without, bool weights, struct import_result *r,
                  struct err *err)
{
    struct import_options o = {.graph = in_folder("g.csv"),
                               .without = without,
                               .note = take_note,
                               .weights = weights ? in_folder("g.safetensors") : NULL};

    notes[0] = '\0';
    return import_onnx(path, &o, r, err);
}

/* ---- golden models ---- */

static const char *const goldens[] = {"DeepViT",  "DepA-S",  "GPTN-1.3B", "GPTN-2.7B",
                                      "GPTN-raw", "ResNet",  "SAM-2",     "SD-UNet",
                                      "ViT",      "Whisp-M", "maps",      "tokens"};
enum { GOLDENS = sizeof(goldens) / sizeof(*goldens) };

static double reference_distance(const char *golden, const struct model *m,
                                 const struct weights_file *file)
{
    const struct tensor_desc *out =
        &m->layer[m->n_layers - 1].io.slot[m->layer[m->n_layers - 1].io.n - 1].desc;
    float *input[8] = {NULL}, *y = malloc((size_t)(out->rows * out->cols) * sizeof(*y));
    struct err err;
    double d;

    for (int i = 0; i < m->n_inputs; i++)
        input[i] = golden_input(in_folder("g.csv"), golden, m->input[i].name);
    ck_assert_msg(model_reference_of(m, file, (const float *const *)input, y, &err) == 0, "%s",
                  err.text);
    d = golden_distance(in_folder("g.csv"), golden, y);
    for (int i = 0; i < m->n_inputs; i++)
        free(input[i]);
    free(y);
    return d;
}

static void open_model(struct model **ret_m, struct weights_file *ret_f)
{
    struct err err;

    ck_assert_msg(model_read(in_folder("g.csv"), DTYPE_F32, ret_m, &err) == 0, "%s", err.text);
    ck_assert_msg(weights_open(*ret_m, in_folder("g.safetensors"), ret_f, &err) == 0, "%s",
                  err.text);
}

static void import_golden(const char *golden, unsigned without, struct import_result *r)
{
    char path[512];
    struct err err;

    snprintf(path, sizeof(path), "%s/%s.onnx", GOLDEN, golden);
    ck_assert_msg(import(path, without, true, r, &err) == 0, "%s: %s", golden, err.text);
}

static double imported_distance(const char *golden, unsigned without, struct import_result *r)
{
    struct model *m;
    struct weights_file f;
    double d;

    import_golden(golden, without, r);
    open_model(&m, &f);
    ck_assert(!f.seeded);
    ck_assert_int_eq(m->n_layers, r->kernels);
    d = reference_distance(golden, m, &f);
    weights_done(&f);
    model_free(m);
    return d;
}

/* ONNX Runtime computes in float, and every layer's output is rounded to float here: 1e-6 is usual.
 * A wrong axis or a lost bias is 1e-2 and more. */
START_TEST(test_golden)
{
    struct import_result r;
    double d = imported_distance(goldens[_i], 0, &r);

    ck_assert_msg(d < 1e-5, "%s: %g", goldens[_i], d);
    ck_assert_int_le(r.kernels, r.kernels_before);
}
END_TEST

/* Without each pass, and without all of them: more kernels, the same output. */
START_TEST(test_passes)
{
    struct import_result all, some, none;
    double d;

    import_golden(goldens[_i], 0, &all);
    for (int p = 0; import_passes[p]; p++) {
        d = imported_distance(goldens[_i], 1u << p, &some);
        ck_assert_msg(d < 1e-5, "%s without %s: %g", goldens[_i], import_passes[p], d);
        ck_assert_int_ge(some.kernels, all.kernels);
    }
    d = imported_distance(goldens[_i], ~0u, &none);
    ck_assert_msg(d < 1e-5, "%s without any pass: %g", goldens[_i], d);
    ck_assert_int_gt(none.kernels, all.kernels);
}
END_TEST

/* What the passes are for: no pattern is left written out. */
START_TEST(test_fused)
{
    static const struct {
        const char *golden, *op;
        int layers;
    } want[] = {
        {"ViT", "attention", 2},       {"ViT", "gelu", 0},          {"ViT", "softmax", 0},
        {"ViT", "slice", 1},           {"GPTN-1.3B", "softmax", 1}, {"GPTN-1.3B", "tanh", 0},
        {"GPTN-1.3B", "attention", 1}, {"DeepViT", "softmax", 2},   {"ResNet", "relu", 0},
        {"ResNet", "add", 0},          {"SD-UNet", "silu", 0},      {"SD-UNet", "groupnorm", 21},
        {"SD-UNet", "attention", 8},   {"Whisp-M", "attention", 4}, {"Whisp-M", "transpose", 0},
        {"SAM-2", "attention", 12},    {"SAM-2", "softmax", 0},     {"tokens", "layernorm", 4},
        {"tokens", "attention", 2},    {"tokens", "softmax", 3},    {"tokens", "gelu", 0},
        {"maps", "groupnorm", 2},      {"maps", "silu", 0},         {"maps", "affine", 1}};
    struct import_result r;
    struct model *m;
    struct weights_file f;

    for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
        int layers = 0;

        import_golden(want[i].golden, 0, &r);
        open_model(&m, &f);
        for (int j = 0; j < m->n_layers; j++)
            layers += strcmp(m->layer[j].c.op->name, want[i].op) == 0;
        ck_assert_msg(layers == want[i].layers, "%s: %d times %s", want[i].golden, layers,
                      want[i].op);
        weights_done(&f);
        model_free(m);
    }
}
END_TEST

/* Every fused layer of a model taken apart, one step at a time: the same output from the same
 * weights file, to the last bit but for the roundings between the parts. */
START_TEST(test_split)
{
    struct import_result r;
    struct model *m, *next;
    struct weights_file f;
    struct err err;
    int splits = 0;

    import_golden(goldens[_i], 0, &r);
    open_model(&m, &f);
    for (int i = 0; i < m->n_layers; i++) {
        if (!model_can_split(m, i)) {
            ck_assert_int_eq(model_split(m, i, &next, &err), -EINVAL);
            continue;
        }
        ck_assert_msg(model_split(m, i, &next, &err) == 0, "%s", err.text);
        ck_assert_int_eq(next->n_layers, m->n_layers + 1);
        ck_assert_str_eq(next->layer[i + 1].name, m->layer[i].name);
        model_free(m);
        m = next;
        i--; /* its first part may end in something, too */
        splits++;
    }
    ck_assert_int_gt(splits, 0);
    ck_assert_double_lt(reference_distance(goldens[_i], m, &f), 1e-5);
    weights_done(&f);
    ck_assert_int_eq(weights_open(m, in_folder("g.safetensors"), &f, &err), 0);
    weights_done(&f);
    model_free(m);
}
END_TEST

/* ---- files that are not what they say ---- */

static const int64_t one_four[2] = {1, 4};

/* y = Relu(x), x [1,4]; more nodes, inputs and constants may have come before. */
static struct bytes small_graph(struct bytes g, const char *output)
{
    put_part(&g, 11, value_info("x", FLOAT, 2, one_four));
    put_part(&g, 12, value_info(output, FLOAT, 2, one_four));
    return model(g);
}

static void expect(const char *name, struct bytes file, int code, const char *text)
{
    struct import_result r;
    struct err err = {0};
    int rc;

    write_bytes(in_folder(name), file);
    rc = import(in_folder(name), 0, false, &r, &err);
    ck_assert_msg(rc == code, "%s: %d, want %d: %s", name, rc, code, err.text);
    if (code < 0)
        ck_assert_msg(strstr(err.text, text) != NULL, "%s: '%s'", name, err.text);
    ck_assert_ptr_null(strchr(err.text, '\n'));
}

START_TEST(test_small)
{
    struct bytes g = {0};

    put_part(&g, 1, NODE("Relu", "x", "", "y"));
    expect("good.onnx", small_graph(g, "y"), 0, "");
    g = (struct bytes){0};
    put_part(&g, 1, NODE("Relu", "x", "", "y"));
    expect("output.onnx", small_graph(g, "z"), -EINVAL, "'z', which nothing before it makes");
    g = (struct bytes){0};
    expect("through.onnx", small_graph(g, "x"), -EINVAL, "the output is");
    expect("empty-model.onnx", model((struct bytes){0}), -EINVAL, "no output");
    expect("empty.onnx", (struct bytes){0}, -EINVAL, "is empty");
}
END_TEST

START_TEST(test_cycles)
{
    struct bytes g = {0};

    put_part(&g, 1, NODE("Add", "x", "b", "a"));
    put_part(&g, 1, NODE("Relu", "a", "", "b"));
    expect("cycle.onnx", small_graph(g, "b"), -EINVAL, "nothing before it makes (a cycle");
    g = (struct bytes){0};
    put_part(&g, 1, NODE("Relu", "y", "", "y"));
    expect("itself.onnx", small_graph(g, "y"), -EINVAL, "nothing before it makes");
    g = (struct bytes){0};
    put_part(&g, 1, NODE("Relu", "x", "", "y"));
    put_part(&g, 1, NODE("Abs", "x", "", "y"));
    expect("twice.onnx", small_graph(g, "y"), -EINVAL, "'y' is made twice");
}
END_TEST

/* A graph in an attribute of a node of a graph in an attribute ... */
START_TEST(test_depth)
{
    struct bytes g = {0};

    for (int i = 0; i < 4000; i++) {
        struct bytes attr = {0}, n = {0}, outer = {0};

        put_part(&attr, 6, g);
        put_part(&n, 5, attr);
        put_part(&outer, 1, n);
        g = outer;
    }
    expect("deep.onnx", model(g), -EINVAL, "more than 64 deep");
}
END_TEST

START_TEST(test_wire)
{
    static const unsigned char endless[] = {0x08, 0xff, 0xff, 0xff, 0xff, 0xff,
                                            0xff, 0xff, 0xff, 0xff, 0xff, 0x01};
    static const unsigned char group[] = {0x0b, 0x0c}, zero[] = {0x00, 0x01};
    static const unsigned char beyond[] = {0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f};
    struct bytes b = {0};

    put(&b, endless, sizeof(endless));
    expect("endless.onnx", b, -EINVAL, "more than 10 bytes");
    b = (struct bytes){0};
    put(&b, group, sizeof(group));
    expect("group.onnx", b, -EINVAL, "no such wire type");
    b = (struct bytes){0};
    put(&b, zero, sizeof(zero));
    expect("zero.onnx", b, -EINVAL, "no such field");
    b = (struct bytes){0};
    put(&b, beyond, sizeof(beyond));
    expect("beyond.onnx", b, -EINVAL, "a field longer than what holds it at byte 0");
    b = (struct bytes){0};
    put_text(&b, 2, "only a name");
    expect("name.onnx", b, -EINVAL, "it has no graph");
}
END_TEST

START_TEST(test_sizes)
{
    const int64_t huge[3] = {INT64_C(1) << 31, INT64_C(1) << 31, 4}, wide[1] = {INT64_C(1) << 40};
    const int64_t ten[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1}, minus[1] = {-4}, four[1] = {4};
    const int64_t shape[3] = {INT64_C(1) << 20, INT64_C(1) << 20, 4};
    struct bytes g = {0};

    put_part(&g, 5, tensor("w", FLOAT, 3, huge, "abcd", 4));
    put_part(&g, 1, NODE("Relu", "x", "", "y"));
    expect("huge.onnx", small_graph(g, "y"), -EINVAL, "'w': axis 1 of 2147483648 is too large");
    g = (struct bytes){0};
    put_part(&g, 5, tensor("w", FLOAT, 1, wide, NULL, 0));
    expect("wide.onnx", small_graph(g, "y"), -EINVAL, "'w': axis 0");
    g = (struct bytes){0};
    put_part(&g, 5, tensor("w", FLOAT, 9, ten, "abcd", 4));
    expect("axes.onnx", small_graph(g, "y"), -EINVAL, "has 9 axes, want at most 8");
    g = (struct bytes){0};
    put_part(&g, 5, tensor("w", FLOAT, 1, minus, "abcd", 4));
    expect("minus.onnx", small_graph(g, "y"), -EINVAL, "'w': axis 0 of -4");
    g = (struct bytes){0};
    put_part(&g, 5, tensor("w", FLOAT, 1, four, "abcd", 4));
    expect("short.onnx", small_graph(g, "y"), -EINVAL, "'w' of shape [4] does not have as many");
    g = (struct bytes){0};
    put_part(&g, 5, tensor("w", 77, 1, four, "abcd", 4));
    expect("type.onnx", small_graph(g, "y"), -EINVAL, "elements of type 77");
    g = (struct bytes){0};
    put_part(&g, 11, value_info("big", FLOAT, 3, huge));
    expect("input.onnx", small_graph(g, "y"), -EINVAL, "'big': axis 1");
    g = (struct bytes){0};
    put_part(&g, 11, value_info("none", FLOAT, 1, (const int64_t[]){0}));
    expect("zero.onnx", small_graph(g, "y"), -EINVAL, "'none': axis 0 has no fixed size");
    /* a small file that asks for 16 TiB */
    g = (struct bytes){0};
    put_part(&g, 5, tensor("s", INT64, 1, (const int64_t[]){3}, shape, sizeof(shape)));
    put_part(&g, 1, NODE("Expand", "x", "s", "y"));
    expect("expand.onnx", small_graph(g, "y"), -EINVAL, "its output is too large");
    g = (struct bytes){0};
    put_part(&g, 5, tensor("s", INT64, 1, (const int64_t[]){3}, shape, sizeof(shape)));
    put_part(&g, 1, NODE("ConstantOfShape", "s", "", "c"));
    put_part(&g, 1, NODE("Add", "x", "c", "y"));
    expect("fill.onnx", small_graph(g, "y"), -EINVAL, "its output is too large");
}
END_TEST

/* Tensors without elements, inputs that are missing, constants where a matrix is wanted. */
START_TEST(test_nothing)
{
    static const float ones[4] = {1, 1, 1, 1};
    const int64_t zero = 0, last[2] = {2, 3}, four = 4;
    struct bytes g = {0};

    put_part(&g, 5, tensor("s", INT64, 1, (const int64_t[]){1}, &zero, sizeof(zero)));
    put_part(&g, 1,
             node("Slice", "", (const char *const[]){"x", "s", "s", ""},
                  (const char *const[]){"c", ""}));
    put_part(&g, 1, NODE("ReduceSum", "c", "", "y"));
    expect("slice.onnx", small_graph(g, "y"), -ENOTSUP, "opset 17: its output has no elements");
    g = (struct bytes){0};
    put_part(&g, 5, tensor("w", FLOAT, 4, (const int64_t[]){0, 4, 1, 1}, NULL, 0));
    put_part(&g, 5, tensor("s", INT64, 1, (const int64_t[]){2}, last, sizeof(last)));
    put_part(&g, 1, NODE("Unsqueeze", "x", "s", "map"));
    put_part(&g, 1, NODE("Conv", "map", "w", "y"));
    expect("filter.onnx", small_graph(g, "y"), -EINVAL, "'y' (Conv): its weight does not fit");
    g = (struct bytes){0};
    put_part(&g, 5, tensor("w", FLOAT, 2, one_four, ones, sizeof(ones)));
    put_part(&g, 1, NODE("Where", "w", "w", "c"));
    put_part(&g, 1, NODE("Add", "x", "c", "y"));
    expect("where.onnx", small_graph(g, "y"), -ENOTSUP, "'c': operator Where");
    g = (struct bytes){0};
    put_part(&g, 5, tensor("w", FLOAT, 2, one_four, ones, sizeof(ones)));
    put_part(&g, 5, tensor("v", FLOAT, 1, &four, ones, sizeof(ones)));
    put_part(&g, 1,
             node("BatchNormalization", "", (const char *const[]){"w", "v", "v", "v", "v", ""},
                  (const char *const[]){"c", ""}));
    put_part(&g, 1, NODE("Add", "x", "c", "y"));
    expect("constant.onnx", small_graph(g, "y"), -ENOTSUP, "its input is constant");
}
END_TEST

/* Attributes with more numbers than a tensor has axes, or with numbers of another kind. */
START_TEST(test_attributes)
{
    static const int64_t nine[9] = {0, 0, 0, 0, 0, 0, 0, 0, 0}, swap[2] = {1, 0};
    static const float ones[4] = {1, 1, 1, 1};
    struct bytes g = {0};

    put_part(&g, 5, tensor("w", FLOAT, 2, one_four, ones, sizeof(ones)));
    put_part(&g, 1, with_list(NODE("ReduceMax", "w", "", "m"), "axes", INT64, 9, nine));
    put_part(&g, 1, NODE("Add", "x", "m", "y"));
    expect("nine.onnx", small_graph(g, "y"), -EINVAL, "'m' (ReduceMax): more than 8 axes");
    g = (struct bytes){0};
    put_part(&g, 5, tensor("w", FLOAT, 2, one_four, ones, sizeof(ones)));
    put_part(&g, 1, with_list(NODE("ReduceMax", "w", "", "m"), "axes", FLOAT, 2, nine));
    put_part(&g, 1, NODE("Add", "x", "m", "y"));
    expect("floats.onnx", small_graph(g, "y"), 0, "");
    g = (struct bytes){0};
    put_part(&g, 1, NODE("Abs", "x", "", "a"));
    put_part(&g, 1, with_list(NODE("Transpose", "a", "", "t"), "perm", FLOAT, 2, swap));
    put_part(&g, 1, NODE("Relu", "t", "", "y"));
    expect("perm.onnx", small_graph(g, "y"), 0, "");
    g = (struct bytes){0};
    put_part(&g, 5, tensor("s", FLOAT, 1, (const int64_t[]){2}, ones, 2 * sizeof(*ones)));
    put_part(&g, 1,
             with_list(node("Resize", "", (const char *const[]){"x", "s", "s", ""},
                            (const char *const[]){"r", ""}),
                       "axes", FLOAT, 2, swap));
    put_part(&g, 1, NODE("Relu", "r", "", "y"));
    expect("resize.onnx", small_graph(g, "y"), 0, "");
}
END_TEST

START_TEST(test_external)
{
    static const int64_t dim[1] = {4};
    static const struct {
        const char *location, *offset, *length, *text;
    } bad[] = {
        {"../w.bin", "0", "16", "not in the model's folder"},
        {"/etc/passwd", "0", "16", "not in the model's folder"},
        {"a/../../w.bin", "0", "16", "not in the model's folder"},
        {"", "0", "16", "not in the model's folder"},
        {"link.bin", "0", "16", "leads out of the model's folder"},
        {"absent.bin", "0", "16", "cannot read its data"},
        {".", "0", "16", "folder"},
        {"w.bin", "20", "16", "ends at 36 of 'w.bin', which has 32 bytes"},
        {"w.bin", "18446744073709551615", "16", "which has 32 bytes"},
        {"w.bin", "-16", "16", "want whole numbers"},
        {"w.bin", "0x0", "16", "want whole numbers"},
        {"w.bin", "0", "12", "has 12 bytes in 'w.bin', its shape wants 16"},
        {NULL, "0", "16", "does not say where"},
    };
    static const char zeros[32];
    struct bytes data = {0}, g;

    put(&data, zeros, sizeof(zeros));
    write_bytes(in_folder("w.bin"), data);
    ck_assert_int_eq(symlink("/etc/passwd", in_folder("link.bin")), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        g = (struct bytes){0};
        put_part(&g, 5, external("w", 1, dim, bad[i].location, bad[i].offset, bad[i].length));
        put_part(&g, 1, NODE("Add", "x", "w", "y"));
        write_bytes(in_folder("e.onnx"), small_graph(g, "y"));
        struct import_result r;
        struct err err = {0};

        ck_assert_int_lt(import(in_folder("e.onnx"), 0, false, &r, &err), 0);
        ck_assert_msg(strstr(err.text, bad[i].text) != NULL, "%zu: '%s'", i, err.text);
    }
    for (int apart = 0; apart < 2; apart++) {
        g = (struct bytes){0};
        put_part(&g, 5, external("w", 1, dim, "w.bin", "0", "16"));
        put_part(&g, 5, external("v", 1, dim, "w.bin", apart ? "16" : "12", NULL));
        put_part(&g, 1, NODE("Add", "x", "w", "a"));
        put_part(&g, 1, NODE("Mul", "a", "v", "y"));
        expect("over.onnx", small_graph(g, "y"), apart ? 0 : -EINVAL,
               "tensors 'w' and 'v' overlap in 'w.bin'");
    }
}
END_TEST

/* All nodes that we have no operator for, not the first alone. */
START_TEST(test_unsupported)
{
    struct bytes g = {0};

    put_part(&g, 1, NODE("Relu", "x", "", "a"));
    put_part(&g, 1, NODE("NonMaxSuppression", "a", "x", "b"));
    put_part(&g, 1,
             node("FusedThing", "com.example", (const char *const[]){"a", ""},
                  (const char *const[]){"c", ""}));
    put_part(&g, 1, NODE("Add", "b", "c", "y"));
    expect("unsupported.onnx", small_graph(g, "y"), -ENOTSUP, "2 nodes cannot be imported");
    ck_assert_ptr_nonnull(
        strstr(notes, "node 'b': operator NonMaxSuppression of ai.onnx, opset 17"));
    ck_assert_ptr_nonnull(strstr(notes, "node 'c': operator FusedThing of com.example, opset 0"));
}
END_TEST

static struct bytes read_golden(const char *name)
{
    char path[512];
    struct bytes b = {0};
    unsigned char block[4096];
    size_t n;
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s.onnx", GOLDEN, name);
    f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    while ((n = fread(block, 1, sizeof(block), f)) > 0)
        put(&b, block, n);
    fclose(f);
    return b;
}

START_TEST(test_truncated)
{
    struct bytes b = read_golden("GPTN-1.3B");

    for (size_t n = 1; n < b.n; n += 1 + n / 40) {
        struct bytes part = {0};
        struct import_result r;
        struct err err = {0};

        put(&part, b.p, n);
        write_bytes(in_folder("t.onnx"), part);
        ck_assert_int_lt(import(in_folder("t.onnx"), 0, false, &r, &err), 0);
        ck_assert_str_ne(err.text, "");
    }
    free(b.p);
}
END_TEST

/* Some bytes of a good file are others: an error or a graph, but never a crash. Sanitizers watch.
 */
START_TEST(test_fuzz)
{
    static const char *const of[] = {"GPTN-raw", "SD-UNet", "SAM-2", "ViT"};
    struct bytes b = read_golden(of[_i]);
    const char *more = getenv("FLASHMEM_FUZZ");
    int runs = more ? atoi(more) : 60, good = 0;
    uint64_t seed = 0xf00d + (uint64_t)_i;

    for (int i = 0; i < runs; i++) {
        struct bytes part = {0};
        struct import_result r;
        struct err err = {0};
        int changes = 1 + (int)rng_below(&seed, 4);

        put(&part, b.p, b.n);
        for (int k = 0; k < changes; k++) {
            size_t at = (size_t)rng_below(&seed, b.n);

            /* weights are most of a file: half of the changes go where names and shapes are */
            if (rng_below(&seed, 2))
                at = (size_t)rng_below(&seed, b.n < 12000 ? b.n : 12000);
            part.p[at] =
                (unsigned char)(rng_below(&seed, 3) ? rng_next(&seed)
                                                    : part.p[at] ^ 1u << rng_below(&seed, 8));
        }
        write_bytes(in_folder("f.onnx"), part);
        if (import(in_folder("f.onnx"), 0, false, &r, &err) == 0)
            good++;
        else
            ck_assert_str_ne(err.text, "");
    }
    ck_assert_int_lt(good, runs);
    free(b.p);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("import");
    TCase *golden = tcase_create("golden"), *hostile = tcase_create("hostile");

    tcase_add_checked_fixture(golden, folder_make, folder_remove);
    tcase_add_loop_test(golden, test_golden, 0, GOLDENS);
    tcase_add_loop_test(golden, test_passes, 0, GOLDENS);
    tcase_add_test(golden, test_fused);
    tcase_add_loop_test(golden, test_split, 0, GOLDENS);
    tcase_add_checked_fixture(hostile, folder_make, folder_remove);
    tcase_add_test(hostile, test_small);
    tcase_add_test(hostile, test_cycles);
    tcase_add_test(hostile, test_depth);
    tcase_add_test(hostile, test_wire);
    tcase_add_test(hostile, test_sizes);
    tcase_add_test(hostile, test_nothing);
    tcase_add_test(hostile, test_attributes);
    tcase_add_test(hostile, test_external);
    tcase_add_test(hostile, test_unsupported);
    tcase_add_test(hostile, test_truncated);
    tcase_add_loop_test(hostile, test_fuzz, 0, 4);
    suite_add_tcase(s, golden);
    suite_add_tcase(s, hostile);
    return suite_run(s);
}
