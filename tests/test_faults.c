/* Devices and disks that fail in the middle of a run: every OpenCL call that a run makes is made to
 * fail once (the linker puts ours in front of the platform's), then all of them from some call on,
 * as after a lost context; the disk fails, or is slower than the kernels. Each ends in an error that
 * says what happened, or in the right output; the next run is whole, and nothing is left behind. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/plan/plan.h"
#include "harness/replay/executor.h"
#include "profiler/clock.h"
#include "tests/folder.h"
#include "tests/need_device.h"
#include "tests/suite.h"

/* ---- calls that fail ---- */

enum kind { CREATE, LAUNCH, MAP, TRANSFER, WAIT, KINDS };

static struct {
    int calls[KINDS]; /* since arm() */
    enum kind kind;
    int at; /* the call of `kind` that fails, from 1; 0: none */
    cl_int code;
    bool lost; /* all calls after it fail as well */
    bool failing;
    int live; /* memory objects */
} fault;

static void arm(enum kind kind, int at, cl_int code, bool lost)
{
    memset(fault.calls, 0, sizeof(fault.calls));
    fault.kind = kind;
    fault.at = at;
    fault.code = code;
    fault.lost = lost;
    fault.failing = false;
}

static bool fails(enum kind kind)
{
    fault.calls[kind]++;
    if (fault.failing)
        return true;
    if (kind != fault.kind || fault.calls[kind] != fault.at)
        return false;
    fault.failing = fault.lost;
    return true;
}

/* The prototypes that -Wl,--wrap asks for. */
#define WRAP(type, name, params) \
    type __real_##name params;   \
    type __wrap_##name params;   \
    type __wrap_##name params

WRAP(cl_mem, clCreateBuffer, (cl_context c, cl_mem_flags f, size_t n, void *p, cl_int *rc))
{
    cl_mem m = NULL;

    if (fails(CREATE))
        *rc = fault.code;
    else
        m = __real_clCreateBuffer(c, f, n, p, rc);
    fault.live += m != NULL;
    return m;
}

WRAP(cl_mem, clCreateImage,
     (cl_context c, cl_mem_flags f, const cl_image_format *t, const cl_image_desc *d, void *p,
      cl_int *rc))
{
    cl_mem m = NULL;

    if (fails(CREATE))
        *rc = fault.code;
    else
        m = __real_clCreateImage(c, f, t, d, p, rc);
    fault.live += m != NULL;
    return m;
}

WRAP(cl_int, clReleaseMemObject, (cl_mem m))
{
    fault.live--;
    return __real_clReleaseMemObject(m);
}

WRAP(cl_int, clEnqueueNDRangeKernel,
     (cl_command_queue q, cl_kernel k, cl_uint dims, const size_t *o, const size_t *g,
      const size_t *l, cl_uint n, const cl_event *w, cl_event *e))
{
    return fails(LAUNCH) ? fault.code : __real_clEnqueueNDRangeKernel(q, k, dims, o, g, l, n, w, e);
}

WRAP(void *, clEnqueueMapBuffer,
     (cl_command_queue q, cl_mem m, cl_bool b, cl_map_flags f, size_t o, size_t n, cl_uint nw,
      const cl_event *w, cl_event *e, cl_int *rc))
{
    if (!fails(MAP))
        return __real_clEnqueueMapBuffer(q, m, b, f, o, n, nw, w, e, rc);
    *rc = fault.code;
    return NULL;
}

WRAP(void *, clEnqueueMapImage,
     (cl_command_queue q, cl_mem m, cl_bool b, cl_map_flags f, const size_t *o, const size_t *r,
      size_t *rp, size_t *sp, cl_uint nw, const cl_event *w, cl_event *e, cl_int *rc))
{
    if (!fails(MAP))
        return __real_clEnqueueMapImage(q, m, b, f, o, r, rp, sp, nw, w, e, rc);
    *rc = fault.code;
    return NULL;
}

WRAP(cl_int, clEnqueueUnmapMemObject,
     (cl_command_queue q, cl_mem m, void *p, cl_uint nw, const cl_event *w, cl_event *e))
{
    return fails(MAP) ? fault.code : __real_clEnqueueUnmapMemObject(q, m, p, nw, w, e);
}

WRAP(cl_int, clEnqueueWriteBuffer,
     (cl_command_queue q, cl_mem m, cl_bool b, size_t o, size_t n, const void *p, cl_uint nw,
      const cl_event *w, cl_event *e))
{
    return fails(TRANSFER) ? fault.code
                           : __real_clEnqueueWriteBuffer(q, m, b, o, n, p, nw, w, e);
}

WRAP(cl_int, clEnqueueReadBuffer,
     (cl_command_queue q, cl_mem m, cl_bool b, size_t o, size_t n, void *p, cl_uint nw,
      const cl_event *w, cl_event *e))
{
    return fails(TRANSFER) ? fault.code : __real_clEnqueueReadBuffer(q, m, b, o, n, p, nw, w, e);
}

WRAP(cl_int, clEnqueueWriteImage,
     (cl_command_queue q, cl_mem m, cl_bool b, const size_t *o, const size_t *r, size_t rp,
      size_t sp, const void *p, cl_uint nw, const cl_event *w, cl_event *e))
{
    return fails(TRANSFER) ? fault.code
                           : __real_clEnqueueWriteImage(q, m, b, o, r, rp, sp, p, nw, w, e);
}

WRAP(cl_int, clEnqueueReadImage,
     (cl_command_queue q, cl_mem m, cl_bool b, const size_t *o, const size_t *r, size_t rp,
      size_t sp, void *p, cl_uint nw, const cl_event *w, cl_event *e))
{
    return fails(TRANSFER) ? fault.code
                           : __real_clEnqueueReadImage(q, m, b, o, r, rp, sp, p, nw, w, e);
}

/* What was enqueued before ends in any case: the platform's threads write into our memory. */
WRAP(cl_int, clWaitForEvents, (cl_uint n, const cl_event *e))
{
    cl_int rc = __real_clWaitForEvents(n, e);

    return fails(WAIT) ? fault.code : rc;
}

WRAP(cl_int, clFinish, (cl_command_queue q))
{
    cl_int rc = __real_clFinish(q);

    return fails(WAIT) ? fault.code : rc;
}

WRAP(cl_int, clEnqueueBarrierWithWaitList,
     (cl_command_queue q, cl_uint n, const cl_event *w, cl_event *e))
{
    return fails(WAIT) ? fault.code : __real_clEnqueueBarrierWithWaitList(q, n, w, e);
}

WRAP(cl_int, clSetEventCallback,
     (cl_event e, cl_int type, void(CL_CALLBACK *f)(cl_event, cl_int, void *), void *p))
{
    return fails(WAIT) ? fault.code : __real_clSetEventCallback(e, type, f, p);
}

/* ---- a model to run ---- */

static const char graph[] =
    "flashmem-graph,1\n"
    "kind,name,op,params,inputs,weights,init\n"
    "model,tiny,,,,,\n"
    "input,tokens,ids,n=8 vocab=300,,,\n"
    "layer,emb,gather,t=8 vocab=300 cols=96,tokens,emb.w,normal:1\n"
    "layer,fc1,matmul,m=8 n=513 k=96 bias=1,emb,fc1.w fc1.b,normal:0.07 normal:0.1\n"
    "layer,act,gelu,rows=8 cols=513,fc1,,\n"
    "layer,fc2,matmul,m=8 n=700 k=513,act,fc2.w,normal:0.04\n"
    "layer,prob,softmax,rows=8 cols=700,fc2,,\n";

static const struct {
    enum mem_path path;
    enum op_form form;
    bool direct;
} cases[] = {
    {PATH_IMAGE, FORM_PIPELINED, false},
    {PATH_BUFFER, FORM_COPY, false},
    {PATH_IMAGE, FORM_NAIVE, true},
};

struct world {
    struct model *m;
    struct device *dev;
    struct weights_file file;
    struct model_problem mp;
    struct executor_options opt;
    struct executor *ex;
    struct schedule s;
    float input[8];
    uint64_t hash; /* of the right output */
};

static void open_world(struct world *w, int which, const struct reader_options *disk)
{
    struct problem_options po = problem_defaults();
    const char *path = in_folder("m.csv"), *weights = in_folder("m.safetensors");
    struct plan *plan = NULL;
    struct run_result r;
    struct err err = {0};
    FILE *g = fopen(path, "w");
    uint64_t ns;

    memset(w, 0, sizeof(*w));
    w->opt = (struct executor_options){.path = cases[which].path, .form = cases[which].form,
                                       .direct = cases[which].direct, .disk = disk,
                                       .ring_bytes = UINT64_C(262144)};
    ck_assert_ptr_nonnull(g);
    fputs(graph, g);
    ck_assert_int_eq(fclose(g), 0);
    ck_assert_msg(model_read(path, DTYPE_F32, &w->m, &err) == 0, "%s", err.text);
    ck_assert_msg(weights_write(w->m, 7, weights, NULL, NULL, &err) == 0, "%s", err.text);
    ck_assert_msg(weights_open(w->m, weights, &w->file, &err) == 0, "%s", err.text);
    ck_assert_msg(device_open(NULL, &w->dev, &err) == 0, "%s", err.text);
    model_fill_input(w->m, 0, 3, w->input);
    po.chunk_bytes = 65536;
    ck_assert_msg(problem_for_model(w->m, &w->dev->info, NULL, w->opt.path, &po, &w->mp, &err) == 0,
                  "%s", err.text);
    for (int l = 0; l < w->m->n_layers; l++)
        w->mp.layer[l].capacity = w->m->layer[l].c.op->class == OP_HIERARCHICAL ? 0 : 100;
    ck_assert_msg(executor_new(w->dev, w->m, &w->file, (const float *const[]){w->input}, &w->opt,
                               &w->ex, &err) == 0,
                  "%s", err.text);
    ck_assert_msg(plan_make(policy_find("greedy"), &w->mp.problem, &plan, &err) == 0, "%s",
                  err.text);
    ck_assert_msg(executor_schedule(w->ex, &w->mp, plan, &w->s, &err) == 0, "%s", err.text);
    plan_free(plan);
    ck_assert_msg(executor_prepare(w->ex, &w->s, &ns, &err) == 0, "%s", err.text);
    ck_assert_msg(executor_run(w->ex, &w->s, NULL, &r, &err) == 0, "%s", err.text);
    w->hash = r.output_hash;
}

static void close_world(struct world *w)
{
    schedule_done(&w->s);
    executor_free(w->ex);
    problem_done(&w->mp);
    weights_done(&w->file);
    device_close(w->dev);
    model_free(w->m);
    ck_assert_int_eq(fault.live, 0);
}

static void run_well(struct world *w)
{
    struct run_result r;
    struct err err = {0};

    ck_assert_msg(executor_run(w->ex, &w->s, NULL, &r, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(r.output_hash, w->hash);
}

/* ---- tests ---- */

static const cl_int codes[KINDS] = {
    [CREATE] = CL_MEM_OBJECT_ALLOCATION_FAILURE, /* the device's memory is full */
    [LAUNCH] = CL_OUT_OF_RESOURCES,
    [MAP] = CL_MAP_FAILURE,
    [TRANSFER] = CL_OUT_OF_HOST_MEMORY,
    [WAIT] = CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST,
};

/* Each call of a run fails once. Only what comes after the output may fail unnoticed. */
START_TEST(every_call)
{
    struct world w;
    int live;

    if (!form_runs_here(cases[_i].direct))
        return;
    open_world(&w, _i, NULL);
    live = fault.live;
    for (int kind = 0; kind < KINDS; kind++) {
        int n, errors = 0;

        arm(kind, 0, 0, false);
        run_well(&w);
        n = fault.calls[kind];
        for (int at = 1; at <= n; at++) {
            struct run_result r = {0};
            struct err err = {0};
            int rc;

            arm(kind, at, codes[kind], false);
            rc = executor_run(w.ex, &w.s, NULL, &r, &err);
            arm(kind, 0, 0, false);
            ck_assert_msg(rc < 0 || r.output_hash == w.hash, "kind %d, call %d: wrong output, and "
                          "nothing said", kind, at);
            ck_assert_msg(rc == 0 || strstr(err.text, "CL_"), "kind %d, call %d: '%s'", kind, at,
                          err.text);
            if (rc < 0 && kind == CREATE)
                ck_assert_int_eq(rc, -ENOMEM);
            errors += rc < 0;
            ck_assert_msg(fault.live == live, "kind %d, call %d: %d memory objects, want %d", kind,
                          at, fault.live, live);
        }
        ck_assert_msg(n == 0 || errors > 0 || kind == MAP || kind == WAIT,
                      "kind %d: %d calls, all of which may fail", kind, n);
        run_well(&w);
    }
    close_world(&w);
}
END_TEST

/* What stays between the runs of a sequence goes when one of them fails. */
START_TEST(sequence_ends)
{
    struct world w;
    struct schedule s;
    struct run_result r;
    struct err err = {0};
    bool *keep;
    int live;

    if (!form_runs_here(cases[_i].direct))
        return;
    open_world(&w, _i, NULL);
    live = fault.live;
    keep = malloc((size_t)w.m->n_weights + 1);
    ck_assert_ptr_nonnull(keep);
    memset(keep, true, (size_t)w.m->n_weights + 1);
    ck_assert_int_eq(schedule_keep(&w.s, keep, w.m->n_weights, 0, 0, &s, &err), 0);
    for (int at = 1; at <= 4; at += 3) {
        ck_assert_int_eq(executor_hold(w.ex, &s, &err), 0);
        for (int run = 0; run < 2; run++) {
            ck_assert_msg(executor_run(w.ex, &s, NULL, &r, &err) == 0, "%s", err.text);
            ck_assert_uint_eq(r.output_hash, w.hash);
        }
        ck_assert_int_gt(fault.live, live);
        arm(LAUNCH, at, CL_OUT_OF_RESOURCES, false);
        ck_assert_int_lt(executor_run(w.ex, &s, NULL, &r, &err), 0);
        ck_assert_msg(strstr(err.text, "CL_OUT_OF_RESOURCES") != NULL, "%s", err.text);
        arm(LAUNCH, 0, 0, false);
        executor_let_go(w.ex);
        ck_assert_int_eq(fault.live, live);
        ck_assert_uint_eq(executor_live_bytes(w.ex), 0);
        run_well(&w);
    }
    schedule_done(&s);
    free(keep);
    close_world(&w);
}
END_TEST

/* A limit that the driver did not tell: of the images that are made, and of those over memory that
 * is read in place. */
START_TEST(image_refused)
{
    struct world w;
    struct run_result r;
    struct err err = {0};

    if (cases[_i].path != PATH_IMAGE || !form_runs_here(cases[_i].direct))
        return;
    open_world(&w, _i, NULL);
    arm(CREATE, 3, CL_INVALID_IMAGE_SIZE, false);
    ck_assert_int_eq(executor_run(w.ex, &w.s, NULL, &r, &err), -EINVAL);
    ck_assert_msg(strstr(err.text, "CL_INVALID_IMAGE_SIZE") != NULL, "%s", err.text);
    arm(CREATE, 0, 0, false);
    run_well(&w);
    close_world(&w);
}
END_TEST

/* From some call on nothing works any more: the run ends, says so, and all can be freed. */
START_TEST(lost_context)
{
    static const struct {
        enum kind kind;
        int at;
    } from[] = {{CREATE, 2}, {LAUNCH, 1}, {LAUNCH, 4}, {TRANSFER, 1}, {WAIT, 1}, {MAP, 2}};

    int lost = 0;

    if (!form_runs_here(cases[_i].direct))
        return;
    for (int i = 0; i < 6; i++) {
        struct world w;
        struct run_result r = {0};
        struct err err = {0};
        int rc;

        open_world(&w, _i, NULL);
        arm(from[i].kind, from[i].at, CL_DEVICE_NOT_AVAILABLE, true);
        rc = executor_run(w.ex, &w.s, NULL, &r, &err);
        if (fault.failing) { /* copies map nothing, direct runs write nothing */
            ck_assert_msg(rc == -ENODEV, "%d: %d '%s'", i, rc, err.text);
            ck_assert_msg(strstr(err.text, "CL_DEVICE_NOT_AVAILABLE") != NULL, "%s", err.text);
            lost++;
        }
        close_world(&w);
        arm(CREATE, 0, 0, false);
    }
    ck_assert_int_ge(lost, 4);
}
END_TEST

static int64_t fail_late(void *ctx, uint64_t file_byte, int64_t result)
{
    const bool *armed = ctx;

    return *armed && (int64_t)file_byte + result > 600000 ? -EIO : result;
}

/* The disk fails in the middle of a run: the weight is named, the next run is whole. */
START_TEST(disk_fails)
{
    bool armed = false;
    struct reader_options disk = {.fault = fail_late, .ctx = &armed};
    struct world w;
    struct run_result r;
    struct err err = {0};

    if (!form_runs_here(cases[_i].direct))
        return;
    open_world(&w, _i, &disk);
    armed = true;
    ck_assert_int_eq(executor_run(w.ex, &w.s, NULL, &r, &err), -EIO);
    ck_assert_msg(strstr(err.text, "'fc2.w'") && strstr(err.text, "at byte"), "%s", err.text);
    armed = false;
    run_well(&w);
    close_world(&w);
}
END_TEST

/* A disk of 20 MB/s: kernels wait for it, in order, and the output is the same. */
START_TEST(slow_disk)
{
    struct reader_options disk = {.rate_bps = 20000000};
    struct world w;
    struct run_result r;
    struct err err = {0};

    open_world(&w, _i, &disk);
    ck_assert_msg(executor_run(w.ex, &w.s, NULL, &r, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(r.output_hash, w.hash);
    ck_assert_uint_ge(r.integrated_ns, r.bytes_read * 1000 / 20); /* ns a byte */
    close_world(&w);
    open_world(&w, _i, NULL);
    ck_assert_uint_eq(r.output_hash, w.hash);
    close_world(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("faults");
    TCase *t = tcase_create("all");

    need_device();
    tcase_add_checked_fixture(t, folder_make, folder_remove);
    tcase_add_loop_test(t, every_call, 0, 3);
    tcase_add_loop_test(t, sequence_ends, 0, 3);
    tcase_add_loop_test(t, image_refused, 0, 3);
    tcase_add_loop_test(t, lost_context, 0, 3);
    tcase_add_loop_test(t, disk_fails, 0, 3);
    tcase_add_loop_test(t, slow_disk, 0, 3);
    suite_add_tcase(s, t);
    return suite_run(s);
}
