/* Whole models as ONNX files through import, disk, textures and kernels, against what ONNX Runtime
 * made of them. Every layer's weights are moved by the layer before it. */
#include <sys/stat.h>
#include <unistd.h>

#include "harness/import/import.h"
#include "harness/replay/replay.h"
#include "tests/folder.h"
#include "tests/golden.h"
#include "tests/need_device.h"
#include "tests/suite.h"

#define RING (UINT64_C(4) << 20)

static const struct {
    const char *golden;
    enum mem_path path;
    enum dtype dtype;
    double most;
} cases[] = {
    {"ViT", PATH_IMAGE, DTYPE_F32, 1e-5},     {"ViT", PATH_BUFFER, DTYPE_F32, 1e-5},
    {"ViT", PATH_IMAGE, DTYPE_F16, 1e-2},     {"ResNet", PATH_IMAGE, DTYPE_F32, 1e-5},
    {"ResNet", PATH_BUFFER, DTYPE_F32, 1e-5},
};

static void import(const char *golden, enum dtype dtype, const char *graph, const char *weights)
{
    struct import_options o = {.graph = graph, .weights = weights, .dtype = dtype};
    struct import_result r;
    struct err err;
    char path[512];

    snprintf(path, sizeof(path), "%s/%s.onnx", GOLDEN, golden);
    ck_assert_msg(import_onnx(path, &o, &r, &err) == 0, "%s", err.text);
}

static double run(const struct model *m, const struct weights_file *file, const char *graph,
                  const char *golden, enum mem_path path)
{
    struct executor_options eo = {.path = path, .form = FORM_PIPELINED, .ring_bytes = RING};
    struct problem_options po = problem_defaults();
    const struct layer *last = &m->layer[m->n_layers - 1];
    const struct tensor_desc *d = &last->io.slot[last->io.n - 1].desc;
    float *input = golden_input(graph, golden, m->input[0].name), *y;
    struct model_problem mp;
    struct executor *ex;
    struct schedule s;
    struct plan *plan;
    struct device *dev;
    struct err err;
    uint64_t build_ns;
    double error;

    ck_assert_int_eq(m->n_inputs, 1);
    ck_assert_msg(device_open(NULL, &dev, &err) == 0, "%s", err.text);
    ck_assert_msg(problem_for_model(m, NULL, NULL, path, &po, &mp, &err) == 0, "%s", err.text);
    ck_assert_msg(plan_make(policy_find("always-next"), &mp.problem, &plan, &err) == 0, "%s",
                  err.text);
    ck_assert_msg(schedule_make(m, &mp, plan, file, RING, &s, &err) == 0, "%s", err.text);
    ck_assert_int_lt(s.first_of_layer[1], s.n_items); /* something streams */
    ck_assert_msg(executor_new(dev, m, file, (const float *const[]){input}, &eo, &ex, &err) == 0,
                  "%s", err.text);
    ck_assert_msg(executor_prepare(ex, &s, &build_ns, &err) == 0, "%s", err.text);
    y = malloc((size_t)(d->rows * d->cols) * sizeof(*y));
    executor_output(ex, y);
    error = golden_distance(graph, golden, y);
    free(y);
    executor_free(ex);
    schedule_done(&s);
    plan_free(plan);
    problem_done(&mp);
    device_close(dev);
    free(input);
    return error;
}

START_TEST(as_onnx_runtime)
{
    char graph[64], weights[64];
    struct weights_file file;
    struct model *m;
    struct err err;
    double error;

    snprintf(graph, sizeof(graph), "%s/%d.csv", folder, _i);
    snprintf(weights, sizeof(weights), "%s/%d.safetensors", folder, _i);
    import(cases[_i].golden, cases[_i].dtype, graph, weights);
    ck_assert_msg(model_read(graph, cases[_i].dtype, &m, &err) == 0, "%s", err.text);
    ck_assert_msg(weights_open(m, weights, &file, &err) == 0, "%s", err.text);
    error = run(m, &file, graph, cases[_i].golden, cases[_i].path);
    ck_assert_msg(error <= cases[_i].most, "%s: %g", cases[_i].golden, error);
    weights_done(&file);
    model_free(m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("golden");
    TCase *t = tcase_create("golden");

    need_device();
    tcase_add_unchecked_fixture(t, folder_make, folder_remove);
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, as_onnx_runtime, 0, sizeof(cases) / sizeof(*cases));
    suite_add_tcase(s, t);
    return suite_run(s);
}
