/* Runs that are refused, fail or are stopped on their way: limits of memory, files that change under
 * them, interruptions. What comes after them is whole. */
#include <errno.h>

#include "harness/model/split.h"
#include "profiler/rng.h"
#include "tests/replay_case.h"
#include "tests/suite.h"

static struct schedule make_schedule(struct fixture *f, const char *policy, uint64_t ring)
{
    struct schedule s;
    struct plan *plan = NULL;
    struct err err = {0};

    ck_assert_msg(plan_make(policy_find(policy), &f->mp.problem, &plan, &err) == 0, "%s", err.text);
    ck_assert_msg(schedule_make(f->m, &f->mp, plan, &f->file, ring, &s, &err) == 0, "%s", err.text);
    plan_free(plan);
    return s;
}

static int executor_run_once(struct executor *ex, const struct schedule *s, struct run_result *r,
                             struct err *err)
{
    uint64_t ns;
    int rc = executor_prepare(ex, s, &ns, err);

    return rc < 0 ? rc : executor_run(ex, s, NULL, r, err);
}

/* A limit that does not hold the model stops a run with an error, and the next run is whole. */
START_TEST(memory_limit)
{
    struct executor_options opt = {.path = PATH_IMAGE, .form = FORM_PIPELINED,
                                   .ring_bytes = 4 * CHUNK};
    struct fixture f;
    struct schedule preload, stream;
    struct run_result r, again;
    struct err err = {0};
    struct executor *ex;
    uint64_t ns;

    open_fixture(&f, DTYPE_F32, PATH_IMAGE);
    give_capacity(&f, 100);
    preload = make_schedule(&f, "preload", opt.ring_bytes);
    stream = make_schedule(&f, "lc-opg", opt.ring_bytes);
    ex = open_executor(&f, &opt); /* no limit: what streaming takes */
    ck_assert_msg(executor_run_once(ex, &stream, &r, &err) == 0, "%s", err.text);
    executor_free(ex);
    opt.memory_limit = r.mem.peak_bytes + 4096;
    ex = open_executor(&f, &opt);
    ck_assert_int_eq(executor_prepare(ex, &preload, &ns, &err), -ENOMEM);
    ck_assert_ptr_nonnull(strstr(err.text, "limit"));
    ck_assert_msg(executor_prepare(ex, &stream, &ns, &err) == 0, "%s", err.text);
    ck_assert_msg(executor_run(ex, &stream, NULL, &r, &err) == 0, "%s", err.text);
    ck_assert_uint_le(r.mem.peak_bytes, opt.memory_limit);
    ck_assert_int_eq(executor_run(ex, &preload, NULL, &again, &err), -ENOMEM);
    ck_assert_msg(executor_run(ex, &stream, NULL, &again, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(r.output_hash, again.output_hash);
    schedule_done(&preload);
    schedule_done(&stream);
    executor_free(ex);
    close_fixture(&f);
}
END_TEST

/* A product and a convolution that add a residual: it is cut with them. */
static const char with_residuals[] =
    "flashmem-graph,1\n"
    "kind,name,op,params,inputs,weights,init\n"
    "model,tiny,,,,,\n"
    "input,tokens,ids,n=24 vocab=3001,,,\n"
    "layer,emb,gather,t=24 vocab=3001 cols=200,tokens,emb.w,normal:1\n"
    "layer,fc1,matmul,m=24 n=513 k=200 bias=1,emb,fc1.w fc1.b,normal:0.07 normal:0.1\n"
    "layer,act,gelu,rows=24 cols=513,fc1,,\n"
    "layer,fc2,matmul,m=24 n=200 k=513 bias=1 res=1 act=relu,act emb,fc2.w fc2.b,"
    "normal:0.04 normal:0.1\n"
    "layer,cv,conv2d,h=4 w=6 cin=200 cout=200 r=1 s=1 bias=1 res=1,fc2 emb,cv.w cv.b,"
    "normal:0.07 normal:0.1\n"
    "layer,fc4,matmul,m=24 n=3001 k=200,cv,fc4.w,normal:0.07\n"
    "layer,prob,softmax,rows=24 cols=3001,fc4,,\n";

/* Slices, or whole weights of some megabytes, and places under random limits: what is refused says
 * what works, what runs stays within the limit, by the ledger and by the process's own memory, and
 * the output is the reference's. */
START_TEST(direct_under_limits)
{
    struct executor_options opt = {.path = _i % 2 ? PATH_BUFFER : PATH_IMAGE, .form = FORM_NAIVE,
                                   .direct = true, .rss_period_ns = 1000000};
    const char *const policy[] = {"latency", "preload", "lc-opg", "same-op-type"};
    uint64_t seed = (uint64_t)_i, hash = 0, reserve, ns;
    struct problem_options po = problem_defaults();
    struct fixture f;
    struct err err = {0};
    const struct mem_point *point;
    int parts = 0, more, n;

    if (!form_runs_here(true))
        return;
    open_graph(&f, _i < 2 ? with_residuals : graph, DTYPE_F32, opt.path);
    problem_done(&f.mp);
    for (int l = 0; l < f.m->n_layers && _i < 2; l += 1 + more) {
        more = 0;
        if (model_slice_weight(f.m, l) >= 0)
            ck_assert_msg(model_slice(&f.m, &f.file, l, 100000, &more, &err) == 0, "%s", err.text);
        parts += more;
    }
    ck_assert_int_gt(parts, _i < 2 ? 8 : -1); /* two floors of concats */
    po.chunk_bytes = CHUNK;
    po.direct = true;
    ck_assert_msg(problem_for_model(f.m, &f.dev->info, NULL, opt.path, &po, &f.mp, &err) == 0, "%s",
                  err.text);
    reserve = executor_reserve_bytes(f.m, opt.path, true, 0);
    for (int k = 0; k < 6; k++) {
        struct run_result r;
        struct schedule s;
        struct plan *plan = NULL;
        struct executor *ex;
        double worst = 0;
        float *y = malloc(24 * 3001 * sizeof(float));

        opt.memory_limit = k < 2 ? 0 : reserve + rng_below(&seed, 6 * MIB);
        ck_assert_msg(plan_make(policy_find(policy[k % 4]), &f.mp.problem, &plan, &err) == 0, "%s",
                      err.text);
        ex = open_executor(&f, &opt);
        if (executor_schedule(ex, &f.mp, plan, &s, &err) == -ENOSPC) {
            const char *least = strstr(err.text, "works is ");

            ck_assert_msg(least != NULL, "%s", err.text);
            ck_assert_uint_gt(strtoull(least + 9, NULL, 10), opt.memory_limit);
            opt.memory_limit = strtoull(least + 9, NULL, 10);
            executor_free(ex);
            ex = open_executor(&f, &opt);
            ck_assert_msg(executor_schedule(ex, &f.mp, plan, &s, &err) == 0, "%s", err.text);
        }
        ck_assert_msg(executor_prepare(ex, &s, &ns, &err) == 0, "%s", err.text);
        ck_assert_msg(executor_run(ex, &s, NULL, &r, &err) == 0, "%s", err.text);
        if (opt.memory_limit)
            ck_assert_uint_le(r.mem.peak_bytes, opt.memory_limit);
        ck_assert_uint_eq(r.mem.peak_bytes, s.place_bytes + reserve);
        ck_assert_uint_le(r.mem.rss_peak_bytes, r.mem.peak_bytes + 2 * MIB);
        /* All whole huge pages of weights went back before the end: nobody needed them any more. */
        point = executor_memory(ex, &n);
        /* 24 indices and as many to count with; 24 x 3001 probabilities in rows of whole texels */
        ck_assert_uint_eq(point[0].live_bytes[MEM_HOST], 2 * 24 * 4 + 24 * 3004 * 4);
        ck_assert_uint_eq(point[0].live_bytes[MEM_TEXTURE], s.place_bytes);
        ck_assert_uint_eq(point[n - 1].live_bytes[MEM_TEXTURE], s.place_bytes % (2 * MIB));
        ck_assert_uint_eq(executor_live_bytes(ex), 0);
        executor_output(ex, y);
        for (int i = 0; i < 24 * 3001; i++)
            worst = fmax(worst, fabs((double)y[i] - (double)f.reference[i]));
        ck_assert_double_le(worst, 1e-6); /* of probabilities */
        ck_assert(k == 0 || r.output_hash == hash);
        hash = r.output_hash;
        free(y);
        schedule_done(&s);
        plan_free(plan);
        executor_free(ex);
    }
    close_fixture(&f);
}
END_TEST

/* Where a device says that it has memory of its own, nothing is tried. */
START_TEST(direct_wants_shared_memory)
{
    struct executor_options opt = {.path = PATH_IMAGE, .form = FORM_NAIVE, .direct = true};
    struct executor *ex = NULL;
    struct fixture f;
    struct err err = {0};

    open_fixture(&f, DTYPE_F32, PATH_IMAGE);
    f.dev->info.unified = false;
    ck_assert_int_eq(executor_new(f.dev, f.m, &f.file, (const float *const[]){f.input}, &opt, &ex,
                                  &err), -ENOTSUP);
    ck_assert_msg(strstr(err.text, "share memory") != NULL, "%s", err.text);
    ck_assert_ptr_null(ex);
    close_fixture(&f);
}
END_TEST

/* An executor whose loads are streamed, and its schedule. */
static struct executor *open_stream(struct fixture *f, const struct executor_options *opt,
                                    struct schedule *ret_s)
{
    struct executor *ex = open_executor(f, opt);
    struct plan *plan = NULL;
    struct err err = {0};

    ck_assert_int_eq(plan_make(policy_find("lc-opg"), &f->mp.problem, &plan, &err), 0);
    ck_assert_msg(executor_schedule(ex, &f->mp, plan, ret_s, &err) == 0, "%s", err.text);
    plan_free(plan);
    return ex;
}

/* A file cut short after it was opened ends the run. One read after the other, as an emulated disk
 * does them: the end that is missing is not found before the first is there. */
START_TEST(file_cut_short)
{
    struct reader_options disk = {.rate_bps = 1000 * MIB};
    struct executor_options opt = {.path = PATH_IMAGE, .ring_bytes = 4 * CHUNK, .direct = _i,
                                   .form = _i ? FORM_NAIVE : FORM_PIPELINED, .disk = &disk};
    struct fixture f;
    struct schedule s;
    struct run_result r;
    struct err err = {0};
    struct executor *ex;
    uint64_t ns;

    if (!form_runs_here(_i))
        return;
    open_fixture(&f, DTYPE_F32, PATH_IMAGE);
    give_capacity(&f, 100);
    ex = open_stream(&f, &opt, &s);
    ck_assert_msg(executor_prepare(ex, &s, &ns, &err) == 0, "%s", err.text);
    ck_assert_int_eq(truncate(f.weights_path, (off_t)f.file.size_bytes - 1000000), 0);
    ck_assert_int_eq(executor_run(ex, &s, NULL, &r, &err), -ESTALE);
    ck_assert_msg(strstr(err.text, "written to") != NULL, "%s", err.text);
    schedule_done(&s);
    executor_free(ex);
    close_fixture(&f);
}
END_TEST

static int layers_left;

static bool stop_later(void)
{
    return layers_left-- <= 0;
}

START_TEST(interrupted)
{
    struct executor_options opt = {.path = PATH_IMAGE, .ring_bytes = 4 * CHUNK, .direct = _i,
                                   .form = _i ? FORM_NAIVE : FORM_PIPELINED, .stop = stop_later};
    struct fixture f;
    struct schedule s;
    struct run_result r;
    struct err err = {0};
    struct executor *ex;
    uint64_t ns;

    if (!form_runs_here(_i))
        return;
    open_fixture(&f, DTYPE_F32, PATH_IMAGE);
    ex = open_stream(&f, &opt, &s);
    layers_left = 0;
    ck_assert_int_eq(executor_prepare(ex, &s, &ns, &err), -EINTR);
    layers_left = f.m->n_layers / 2;
    ck_assert_int_eq(executor_prepare(ex, &s, &ns, &err), -EINTR);
    layers_left = 2 * f.m->n_layers; /* nothing is left over from the runs that were stopped */
    ck_assert_msg(executor_run(ex, &s, NULL, &r, &err) == 0, "%s", err.text);
    schedule_done(&s);
    executor_free(ex);
    close_fixture(&f);
}
END_TEST

/* Stopped in the fourth round: three whole ones are kept, and say so. */
START_TEST(interrupted_later)
{
    struct executor_options opt = {.path = PATH_IMAGE, .form = FORM_PIPELINED,
                                   .ring_bytes = 4 * CHUNK, .stop = stop_later};
    struct replay_options ro = {.min_runs = 20, .max_runs = 20, .target = 1};
    struct replay_policy policy = {.name = "preload"};
    struct replay_outcome out = {0};
    struct plan *plan = NULL;
    struct fixture f;
    struct err err = {0};
    struct executor *ex;

    open_fixture(&f, DTYPE_F32, PATH_IMAGE);
    ck_assert_int_eq(plan_make(policy_find("preload"), &f.mp.problem, &plan, &err), 0);
    policy.mp = &f.mp;
    policy.plan = plan;
    ex = open_executor(&f, &opt);
    /* a run to prepare, and one of kernels alone; a run and this control in each round; half a run */
    layers_left = f.m->n_layers * (2 + 3 * 2) + f.m->n_layers / 2;
    ck_assert_int_eq(replay_compare(ex, f.m, &policy, 1, &ro, &out, &err), -EINTR);
    ck_assert_int_eq(out.runs, 3);
    ck_assert(!out.profiled);
    ck_assert_double_gt(out.integrated_ns.mid, 0);
    ck_assert_int_gt(out.n_memory, 0);
    replay_outcome_done(&out);
    plan_free(plan);
    executor_free(ex);
    close_fixture(&f);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("replay_limits");
    TCase *t = tcase_create("all");

    need_device();
    tcase_add_unchecked_fixture(t, folder_make, folder_remove);
    tcase_set_timeout(t, 300);
    tcase_add_test(t, memory_limit);
    tcase_add_loop_test(t, direct_under_limits, 0, 4);
    tcase_add_test(t, direct_wants_shared_memory);
    tcase_add_loop_test(t, file_cut_short, 0, 2);
    tcase_add_loop_test(t, interrupted, 0, 2);
    tcase_add_test(t, interrupted_later);
    suite_add_tcase(s, t);
    return suite_run(s);
}
