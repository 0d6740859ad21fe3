/* What recorded runs tell: medians of the newest, slopes under load, votes for forms. Rows are made
 * here; expected numbers are worked out beside them. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/replay/recorded.h"
#include "tests/folder.h"
#include "tests/suite.h"

static const char graph[] = "flashmem-graph,1\n"
                            "kind,name,op,params,inputs,weights,init\n"
                            "model,tiny,,,,,\n"
                            "input,x,values,rows=24 cols=200,,,\n"
                            "layer,fc1,matmul,m=24 n=512 k=200,x,fc1.w,normal:0.07\n"
                            "layer,act,relu,rows=24 cols=512,fc1,,\n";

struct fixture {
    struct store *st;
    int64_t device_id, session_id;
    struct model *m;
    struct device_info dev;
    struct model_problem mp;
    struct best best[2];
};

static void open_fixture(struct fixture *f)
{
    struct problem_options po = problem_defaults();
    char *argv[] = {"flashmem", NULL};
    const char *path = in_folder("m.csv");
    struct err err = {0};
    FILE *g = fopen(path, "w");

    memset(f, 0, sizeof(*f));
    ck_assert_ptr_nonnull(g);
    fputs(graph, g);
    ck_assert_int_eq(fclose(g), 0);
    f->dev = (struct device_info){.platform = "p",
                                  .name = "d",
                                  .driver = "1",
                                  .type = DEVICE_CPU,
                                  .images = true,
                                  .image_width = 16384,
                                  .image_height = 16384,
                                  .max_group = 4096,
                                  .local_bytes = 1 << 20,
                                  .max_alloc_bytes = UINT64_C(1) << 32,
                                  .compute_units = 2};
    ck_assert_msg(model_read(path, DTYPE_F32, &f->m, &err) == 0, "%s", err.text);
    ck_assert_msg(store_open(in_folder("db"), STORE_WRITE, &f->st, &err) == 0, "%s", err.text);
    ck_assert_int_eq(store_device(f->st, &f->dev, &f->device_id, &err), 0);
    ck_assert_int_eq(store_session(f->st, f->device_id, 1, argv, &f->session_id, &err), 0);
    ck_assert_msg(problem_for_model(f->m, &f->dev, NULL, PATH_BUFFER, &po, &f->mp, &err) == 0, "%s",
                  err.text);
    for (int l = 0; l < 2; l++)
        f->best[l] = best_default(&f->dev, &f->m->layer[l].c, PATH_BUFFER, FORM_PIPELINED);
    /* A curve as a regressor might have it: nothing up to 1 MB, then 10 % a MB; allowed are 20 %.
     */
    f->mp.capacity[0].threshold = 0.2;
    f->mp.capacity[0].bytes = 3000000;
    f->mp.capacity[0].latency_ns = 5e6;
    f->mp.capacity[0].curve = (struct load_curve){
        .n = 3, .bytes = {0, 1e6, 11e6}, .slowdown = {1, 1, 2}, .trained_bytes = 11e6};
}

static void close_fixture(struct fixture *f)
{
    problem_done(&f->mp);
    model_free(f->m);
    store_close(f->st);
}

static int64_t add_run(struct fixture *f, const char *model, const char *kernel, int64_t ns)
{
    struct err err = {0};

    ck_assert_msg(store_exec(f->st, &err,
                             "INSERT INTO run (session_id, taken_utc, model, policy, dtype, path,"
                             " kernel, reader, source, cache, repeats, setup_ns, build_ns,"
                             " integrated_ns, integrated_low_ns, integrated_high_ns,"
                             " integrated_mean_ns, peak_bytes, avg_bytes, mem_byte_s, bytes_read,"
                             " output_hash, status) VALUES (?, 'now', ?, 'preload', 'f32',"
                             " 'buffer', ?, 'ahead', 'disk', 'cold', 1, 0, 0, ?, 1, 1, 1, 1, 1, 1,"
                             " 1, 'x', 'ok')",
                             "issi", f->session_id, model, kernel, ns) == 0,
                  "%s", err.text);
    return store_last_id(f->st);
}

static void add_layer(struct fixture *f, int64_t run, int l, int n_loads, int64_t load, int64_t ns)
{
    struct op_variant v = f->best[l].v;
    char variant[OP_TEXT_MAX], op_case[OP_TEXT_MAX];
    struct err err = {0};

    v.form = n_loads ? FORM_PIPELINED : FORM_NAIVE;
    v.n_loads = n_loads;
    op_variant_print(&f->m->layer[l].c, &v, variant);
    op_case_print(&f->m->layer[l].c, op_case);
    ck_assert_msg(
        store_exec(f->st, &err,
                   "INSERT INTO run_layer (run_id, layer, name, op, start_ns, end_ns,"
                   " load_bytes, variant, op_case) VALUES (?, ?, 'n', 'o', 1000, ?, ?, ?, ?)",
                   "iiiiss", run, (int64_t)l + 1, 1000 + ns, load, variant, op_case) == 0,
        "%s", err.text);
}

START_TEST(times_and_slopes)
{
    static const int64_t alone[] = {4000000, 2000000, 3000000};
    struct fixture f;
    struct err err = {0};
    int corrected = -1;

    open_fixture(&f);
    ck_assert_int_eq(recorded_correct(f.st, f.device_id, f.m, &f.dev, f.best, PATH_BUFFER, &f.mp,
                                      &corrected, &err),
                     0);
    ck_assert_int_eq(corrected, 0);
    ck_assert_double_eq(f.mp.capacity[0].latency_ns, 5e6);
    for (int i = 0; i < 3; i++)
        add_layer(&f, add_run(&f, "m", "pipelined", 1), 0, 0, 0, alone[i]);
    /* 5 MB on top of 3 ms, in three pieces: 40 % slower by the curve, 80 % as it ran: twice as steep. */
    add_layer(&f, add_run(&f, "m", "pipelined", 1), 0, 3, 5000000, 5400000);
    ck_assert_msg(recorded_correct(f.st, f.device_id, f.m, &f.dev, f.best, PATH_BUFFER, &f.mp,
                                   &corrected, &err) == 0,
                  "%s", err.text);
    ck_assert_int_eq(corrected, 1);
    ck_assert_double_eq(f.mp.capacity[0].latency_ns, 3e6);
    ck_assert_double_eq_tol(f.mp.capacity[0].curve.slowdown[2], 3, 1e-9);
    /* 1 MB, and 20 % at 20 % a MB; rounded down to a texel */
    ck_assert_uint_le(f.mp.capacity[0].bytes, 2000000);
    ck_assert_uint_ge(f.mp.capacity[0].bytes, 2000000 - 16);
    ck_assert_int_eq(f.mp.layer[0].capacity, 1); /* whole chunks of 1 MiB */
    ck_assert_double_eq(f.mp.layer[0].time_us, 3000);
    ck_assert_double_eq_tol(f.mp.layer[0].curve->ns[2], 9e6, 1);
    ck_assert(isnan(f.mp.kernel_ns)); /* the other layer is not known */
    add_layer(&f, add_run(&f, "m", "pipelined", 1), 1, 0, 0, 70000);
    ck_assert_int_eq(recorded_correct(f.st, f.device_id, f.m, &f.dev, f.best, PATH_BUFFER, &f.mp,
                                      &corrected, &err),
                     0);
    ck_assert_int_eq(corrected, 2);
    ck_assert_double_eq(f.mp.kernel_ns, 3.07e6);
    close_fixture(&f);
}
END_TEST

/* A layer that should carry nothing and did: 3 ms, and 2 ms more for 4 MB; 3 ms more for 12 MB, in
 * another run, and one at the speed of light. Its capacity stays as it is. */
START_TEST(bytes_without_a_curve)
{
    struct fixture f;
    struct err err = {0};
    int corrected;

    open_fixture(&f);
    f.mp.capacity[0].curve.n = 0;
    f.mp.capacity[0].bytes = 0;
    add_layer(&f, add_run(&f, "m", "pipelined", 1), 0, 0, 0, 3000000);
    ck_assert_int_eq(recorded_correct(f.st, f.device_id, f.m, &f.dev, f.best, PATH_BUFFER, &f.mp,
                                      &corrected, &err), 0);
    ck_assert_double_eq(f.mp.capacity[0].recorded_ns_per_byte, 0);
    add_layer(&f, add_run(&f, "m", "pipelined", 1), 0, 2, 4000000, 5000000);
    add_layer(&f, add_run(&f, "m", "pipelined", 1), 0, 4, 12000000, 6000000);
    add_layer(&f, add_run(&f, "m", "pipelined", 1), 0, 1, 12000000, 2000000);
    ck_assert_int_eq(recorded_correct(f.st, f.device_id, f.m, &f.dev, f.best, PATH_BUFFER, &f.mp,
                                      &corrected, &err), 0);
    ck_assert_double_eq_tol(f.mp.capacity[0].recorded_ns_per_byte, 0.25, 1e-12); /* of 0.5, 0.25, 0 */
    ck_assert_uint_eq(f.mp.capacity[0].bytes, 0);
    ck_assert_int_eq(f.mp.layer[0].capacity, 0);
    ck_assert_ptr_null(f.mp.layer[0].curve);
    close_fixture(&f);
}
END_TEST

/* The controls of a run. */
static void set_controls(struct fixture *f, int64_t run, double kernel_ns, double init_ns,
                         double disk_ns)
{
    struct err err = {0};

    ck_assert_int_eq(store_exec(f->st, &err,
                                "UPDATE run SET kernel_ns = ?, init_ns = ?, disk_ns = ?"
                                " WHERE id = ?",
                                "dddi", kernel_ns, init_ns, disk_ns, run),
                     0);
}

/* Three runs while the machine was 4, 2 and 1 times as slow as it can be: a layer of 3 ms took 12, 6
 * and 3, and so did the kernels alone. On a device of its own each stands for itself. Preloading
 * took 2, 3 and 4 times as long as reading. */
START_TEST(a_machine_has_its_days)
{
    struct fixture f;
    struct recorded_speed speed;
    struct err err = {0};
    int corrected;

    open_fixture(&f);
    ck_assert_int_eq(recorded_speed(f.st, f.device_id, f.m, &f.dev, PATH_BUFFER, "pipelined",
                                    &speed, &err), 0);
    ck_assert_double_eq(speed.preload.by_disk, 0);
    ck_assert_double_eq(speed.kernel_ns, 0);
    for (int i = 0; i < 3; i++) {
        double slow = 4 >> i;
        int64_t run = add_run(&f, "tiny", "pipelined", 1);

        set_controls(&f, run, 20e6 * slow, (2 + i) * 5e6, 5e6);
        add_layer(&f, run, 0, 0, 0, (int64_t)(3e6 * slow));
    }
    /* another model's and a direct run's control say nothing of these */
    set_controls(&f, add_run(&f, "other", "pipelined", 1), 1, 1, 1);
    set_controls(&f, add_run(&f, "tiny", "direct", 1), 1, 1, 1);
    ck_assert_int_eq(recorded_speed(f.st, f.device_id, f.m, &f.dev, PATH_BUFFER, "pipelined",
                                    &speed, &err), 0);
    ck_assert_double_eq(speed.kernel_ns, 20e6);
    ck_assert_double_eq(speed.preload.by_disk, 3); /* of 2, 3, 4; the other model's is not asked */
    ck_assert_double_eq(speed.preload.ns_per_byte, 15e6); /* of 10, 15, 20 ms for one byte */
    /* kernels were the limit: so they are for a disk a tenth as fast, which is waited for apart */
    ck_assert_double_eq(recorded_move_ns_per_byte(&speed.preload, 5e7), 15e6);
    speed.preload.by_disk = 1.05; /* here the disk was, and 5 % go by it */
    ck_assert_double_eq(recorded_move_ns_per_byte(&speed.preload, 5e7), 1.05 * 5e7);
    ck_assert_int_eq(recorded_correct(f.st, f.device_id, f.m, &f.dev, f.best, PATH_BUFFER, &f.mp,
                                      &corrected, &err), 0);
    ck_assert_double_eq(f.mp.capacity[0].latency_ns, 3e6);
    f.dev.type = DEVICE_GPU;
    ck_assert_int_eq(recorded_correct(f.st, f.device_id, f.m, &f.dev, f.best, PATH_BUFFER, &f.mp,
                                      &corrected, &err), 0);
    ck_assert_double_eq(f.mp.capacity[0].latency_ns, 6e6);
    ck_assert_int_eq(recorded_speed(f.st, f.device_id, f.m, &f.dev, PATH_BUFFER, "pipelined",
                                    &speed, &err), 0);
    ck_assert_double_eq(speed.kernel_ns, 0);
    /* what transforms is another matter: 4 of the four is its own then */
    ck_assert_double_eq(speed.natural.by_disk, 0);
    ck_assert_int_eq(store_exec(f.st, &err, "UPDATE run SET policy = 'preload-transform'"
                                " WHERE init_ns = 4 * disk_ns", ""), 0);
    ck_assert_int_eq(recorded_speed(f.st, f.device_id, f.m, &f.dev, PATH_BUFFER, "pipelined",
                                    &speed, &err), 0);
    ck_assert_double_eq(speed.natural.by_disk, 4);
    ck_assert_double_eq(speed.preload.by_disk, 2.5);
    /* a model that never preloaded asks the others */
    ck_assert_int_eq(store_exec(f.st, &err, "UPDATE run SET model = 'third' WHERE model = 'tiny'", ""),
                     0);
    ck_assert_int_eq(recorded_speed(f.st, f.device_id, f.m, &f.dev, PATH_BUFFER, "pipelined",
                                    &speed, &err), 0);
    ck_assert_double_eq(speed.preload.by_disk, 2); /* 1, 2 and 3 */
    close_fixture(&f);
}
END_TEST

/* A run that ran a case often, or on a busy machine, has one vote; another build has none. */
START_TEST(runs_vote)
{
    struct fixture f;
    struct err err = {0};
    int corrected;
    int64_t busy;

    open_fixture(&f);
    add_layer(&f, add_run(&f, "m", "pipelined", 1), 0, 0, 0, 3000000);
    add_layer(&f, add_run(&f, "m", "pipelined", 1), 0, 0, 0, 3200000);
    busy = add_run(&f, "m", "pipelined", 1);
    for (int i = 0; i < 9; i++) {
        add_layer(&f, busy, 0, 0, 0, 30000000);
        ck_assert_int_eq(store_exec(f.st, &err, "UPDATE run_layer SET layer = ? WHERE run_id = ? AND"
                                    " layer = 1", "ii", (int64_t)(10 + i), busy), 0);
    }
    ck_assert_int_eq(recorded_correct(f.st, f.device_id, f.m, &f.dev, f.best, PATH_BUFFER, &f.mp,
                                      &corrected, &err), 0);
    ck_assert_double_eq(f.mp.capacity[0].latency_ns, 3.2e6);
    ck_assert_int_eq(store_exec(f.st, &err, "INSERT INTO session SELECT 2, 'u', device_id,"
                                " started_utc, ended_utc, host, os, cpu, cpus, memory_bytes,"
                                " program || '-next', compiler, command, clock_mhz, temperature_c,"
                                " load_avg, pace_ns FROM session WHERE id = ?", "i", f.session_id), 0);
    f.session_id = 2;
    add_layer(&f, add_run(&f, "m", "pipelined", 1), 0, 0, 0, 1000000);
    ck_assert_int_eq(recorded_correct(f.st, f.device_id, f.m, &f.dev, f.best, PATH_BUFFER, &f.mp,
                                      &corrected, &err), 0);
    ck_assert_double_eq(f.mp.capacity[0].latency_ns, 1e6);
    close_fixture(&f);
}
END_TEST

START_TEST(forms_are_voted_for)
{
    struct fixture f;
    struct err err = {0};
    char name[32];

    open_fixture(&f);
    ck_assert_int_eq(recorded_kernel(f.st, f.device_id, "a", PATH_BUFFER, name, 32, &err), 0);
    ck_assert_str_eq(name, "");
    add_run(&f, "a", "copy", 5); /* one form alone has been compared with nothing */
    ck_assert_int_eq(recorded_kernel(f.st, f.device_id, "a", PATH_BUFFER, name, 32, &err), 0);
    ck_assert_str_eq(name, "");
    add_run(&f, "a", "pipelined", 4);
    for (const char *m = "bc"; *m; m++) {
        add_run(&f, (char[]){*m, 0}, "pipelined", 9);
        add_run(&f, (char[]){*m, 0}, "direct", 3);
    }
    ck_assert_int_eq(recorded_kernel(f.st, f.device_id, "a", PATH_BUFFER, name, 32, &err), 0);
    ck_assert_str_eq(name, "pipelined"); /* its own */
    ck_assert_int_eq(recorded_kernel(f.st, f.device_id, "new", PATH_BUFFER, name, 32, &err), 0);
    ck_assert_str_eq(name, "direct");
    ck_assert_int_eq(recorded_kernel(f.st, f.device_id, "b", PATH_IMAGE, name, 32, &err), 0);
    ck_assert_str_eq(name, "");
    close_fixture(&f);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("recorded");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, folder_make_in_memory, folder_remove);
    tcase_add_test(t, times_and_slopes);
    tcase_add_test(t, bytes_without_a_curve);
    tcase_add_test(t, a_machine_has_its_days);
    tcase_add_test(t, runs_vote);
    tcase_add_test(t, forms_are_voted_for);
    suite_add_tcase(s, t);
    return suite_run(s);
}
