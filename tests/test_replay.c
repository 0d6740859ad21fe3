/* Whole small models through disk, ring, textures and kernels: every policy gives the same bytes,
 * and they are the reference's. */
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/model/natural.h"
#include "harness/model/reference.h"
#include "harness/model/split.h"
#include "harness/replay/sequence.h"
#include "profiler/rng.h"
#include "tests/folder.h"
#include "tests/need_device.h"

#define MIB (UINT64_C(1) << 20)
#define CHUNK UINT64_C(65536)
#define SEED 7

static const char graph[] =
    "flashmem-graph,1\n"
    "kind,name,op,params,inputs,weights,init\n"
    "model,tiny,,,,,\n"
    "input,tokens,ids,n=24 vocab=3001,,,\n"
    "layer,emb,gather,t=24 vocab=3001 cols=200,tokens,emb.w,normal:1\n"
    "layer,ln,layernorm,rows=24 cols=200,emb,ln.g ln.b,const:1 normal:0.1\n"
    "layer,fc1,matmul,m=24 n=513 k=200 bias=1,ln,fc1.w fc1.b,normal:0.07 normal:0.1\n"
    "layer,act,gelu,rows=24 cols=513,fc1,,\n"
    "layer,fc2,matmul,m=24 n=200 k=513 bias=1,act,fc2.w fc2.b,normal:0.04 normal:0.1\n"
    "layer,res,add,rows=24 cols=200 brows=24 bcols=200,emb fc2,,\n"
    "layer,fc3,matmul,m=24 n=513 k=200 bias=1,res,fc3.w fc3.b,normal:0.07 normal:0.1\n"
    "layer,act3,relu,rows=24 cols=513,fc3,,\n"
    "layer,fc4,matmul,m=24 n=3001 k=513,act3,fc4.w,normal:0.04\n"
    "layer,prob,softmax,rows=24 cols=3001,fc4,,\n";

struct fixture {
    struct model *m;
    struct device *dev;
    struct weights_file file;
    struct model_problem mp;
    float *input, *reference;
    char graph_path[64], weights_path[64];
};

static size_t output_values(const struct model *m)
{
    const struct layer *last = &m->layer[m->n_layers - 1];
    const struct tensor_desc *d = &last->io.slot[last->io.n - 1].desc;

    return (size_t)(d->rows * d->cols);
}

static void open_graph(struct fixture *f, const char *text, enum dtype dtype, enum mem_path path)
{
    struct problem_options po = problem_defaults();
    struct err err = {0};
    FILE *g;

    memset(f, 0, sizeof(*f));
    snprintf(f->graph_path, sizeof(f->graph_path), "%s", in_folder("m.csv"));
    snprintf(f->weights_path, sizeof(f->weights_path), "%s", in_folder("m.safetensors"));
    g = fopen(f->graph_path, "w");
    ck_assert_ptr_nonnull(g);
    fputs(text, g);
    ck_assert_int_eq(fclose(g), 0);
    ck_assert_msg(model_read(f->graph_path, dtype, &f->m, &err) == 0, "%s", err.text);
    ck_assert_msg(weights_write(f->m, SEED, f->weights_path, NULL, NULL, &err) == 0, "%s", err.text);
    ck_assert_msg(weights_open(f->m, f->weights_path, &f->file, &err) == 0, "%s", err.text);
    ck_assert_msg(device_open(NULL, &f->dev, &err) == 0, "%s", err.text);
    f->input = malloc((size_t)(f->m->input[0].desc.rows * f->m->input[0].desc.cols) *
                      sizeof(float));
    model_fill_input(f->m, 0, 3, f->input);
    f->reference = malloc(output_values(f->m) * sizeof(float));
    ck_assert_msg(model_reference(f->m, SEED, (const float *const[]){f->input}, f->reference,
                                  &err) == 0,
                  "%s", err.text);
    po.chunk_bytes = CHUNK;
    ck_assert_msg(problem_for_model(f->m, &f->dev->info, NULL, path, &po, &f->mp, &err) == 0, "%s",
                  err.text);
}

static void open_fixture(struct fixture *f, enum dtype dtype, enum mem_path path)
{
    open_graph(f, graph, dtype, path);
}

static void close_fixture(struct fixture *f)
{
    problem_done(&f->mp);
    weights_done(&f->file);
    device_close(f->dev);
    model_free(f->m);
    unlink(f->graph_path);
    unlink(f->weights_path);
    free(f->input);
    free(f->reference);
}

/* Without a regressor capacities are zero; these let every kernel that can carry load carry it. */
static void give_capacity(struct fixture *f, int chunks)
{
    for (int l = 0; l < f->m->n_layers; l++) {
        enum op_class class = f->m->layer[l].c.op->class;

        f->mp.layer[l].capacity = class == OP_HIERARCHICAL ? 0 : chunks;
    }
}

static struct executor *open_executor(struct fixture *f, const struct executor_options *opt)
{
    struct executor *ex = NULL;
    struct err err = {0};

    ck_assert_msg(executor_new(f->dev, f->m, &f->file, (const float *const[]){f->input}, opt, &ex,
                               &err) == 0,
                  "%s", err.text);
    return ex;
}

static const struct {
    enum dtype dtype;
    enum mem_path path;
    enum op_form form;
    uint64_t ring;
    bool at_plan;
    int capacity;
    double tolerance;
    bool direct;
} cases[] = {
    {DTYPE_F32, PATH_IMAGE, FORM_PIPELINED, 16 * MIB, false, 100, 1e-5, false},
    {DTYPE_F32, PATH_IMAGE, FORM_BRANCHING, 4 * CHUNK, true, 100, 1e-5, false},
    {DTYPE_F32, PATH_BUFFER, FORM_PIPELINED, 4 * CHUNK, false, 13, 1e-5, false},
    {DTYPE_F16, PATH_IMAGE, FORM_PIPELINED, 8 * CHUNK, false, 100, 5e-3, false},
    {DTYPE_F16, PATH_BUFFER, FORM_PIPELINED, 16 * MIB, true, 9, 5e-3, false},
    {DTYPE_F32, PATH_IMAGE, FORM_COPY, 4 * CHUNK, false, 100, 1e-5, false},
    {DTYPE_F16, PATH_BUFFER, FORM_COPY, 8 * CHUNK, true, 9, 5e-3, false},
    {DTYPE_F32, PATH_IMAGE, FORM_NAIVE, 0, false, 100, 1e-5, true},
    {DTYPE_F16, PATH_BUFFER, FORM_NAIVE, 0, true, 100, 5e-3, true},
};

/* Products in a variant that nobody prefers. */
static struct best *give_variants(struct fixture *f, const struct executor_options *opt)
{
    struct best *best = calloc((size_t)f->m->n_layers, sizeof(*best));

    for (int l = 0; l < f->m->n_layers; l++) {
        const struct op_case *c = &f->m->layer[l].c;

        best[l] = best_default(&f->dev->info, c, opt->path, opt->form);
        if (strcmp(c->op->name, "matmul") == 0)
            ck_assert_int_eq(op_variant_parse(c, &f->dev->info, "direct,TM=2,TN=4,lws=4x2",
                                              &best[l].v, NULL), 0);
        best[l].v.path = opt->path;
    }
    return best;
}

/* Every policy, compared by replay_compare() itself; then with the reference. */
START_TEST(policies_agree)
{
    static const char *const names[] = {"preload", "lc-opg", "greedy", "always-next",
                                        "same-op-type"};
    struct executor_options opt = {.path = cases[_i].path, .form = cases[_i].form,
                                   .ring_bytes = cases[_i].ring, .at_plan = cases[_i].at_plan,
                                   .direct = cases[_i].direct};
    struct replay_policy policy[5] = {0};
    struct replay_outcome out[5] = {0};
    struct plan *plan[5] = {0};
    struct fixture f;
    struct replay_options ro = {.min_runs = 2, .max_runs = 2, .target = 1,
                                .tolerance = cases[_i].tolerance};
    struct err err = {0};
    struct executor *ex;
    struct best *best;
    bool streamed = false, chosen = false;
    double busy;

    if (!form_runs_here(opt.direct))
        return;
    open_fixture(&f, cases[_i].dtype, cases[_i].path);
    opt.best = best = give_variants(&f, &opt);
    give_capacity(&f, cases[_i].capacity);
    ro.reference = f.reference;
    for (int k = 0; k < 5; k++) {
        ck_assert_msg(plan_make(policy_find(names[k]), &f.mp.problem, &plan[k], &err) == 0,
                      "%s: %s", names[k], err.text);
        policy[k] = (struct replay_policy){names[k], &f.mp, plan[k], 0};
        streamed = streamed || plan[k]->n_moves > 3;
    }
    ck_assert(streamed);
    ex = open_executor(&f, &opt);
    ck_assert_msg(replay_compare(ex, f.m, policy, 5, &ro, out, &err) == 0, "%s",
                  err.text);
    for (int k = 0; k < 5; k++) {
        ck_assert_msg(out[k].verified, "%s: relative error %g", names[k], out[k].verify_error);
        ck_assert_uint_eq(out[k].output_hash, out[0].output_hash);
        ck_assert_int_eq(out[k].runs, 2);
        ck_assert_double_gt(out[k].integrated_ns.mid, 0);
        ck_assert_double_le(out[k].init_ns, out[k].integrated_ns.mid);
        ck_assert_double_ge(out[k].peak_bytes, out[k].avg_bytes);
        /* what launches hold goes sooner where they are done while the disk is waited for */
        ck_assert_double_le(out[k].peak_bytes, out[k].predicted_peak_bytes);
        ck_assert_double_ge(out[k].peak_bytes, 0.85 * out[k].predicted_peak_bytes);
        busy = 0; /* in its order and room a run runs or waits */
        for (int l = 0; l < f.m->n_layers; l++)
            busy += (double)(out[k].layer[l].end_ns - out[k].layer[l].start_ns);
        ck_assert_double_eq_tol(out[k].order_ns, busy + out[k].stall_ns, 1);
        ck_assert_double_ge(out[k].least_ns, out[k].kernel_ns * 0.999);
        ck_assert(out[k].stall_ns > 0 && strstr(out[k].note, "of it waiting"));
        /* only the gathered rows of the table of 3001 are read */
        ck_assert_uint_lt(out[k].bytes_read, f.file.size_bytes - 2000 * 800 / (cases[_i].dtype + 1));
    }
    for (int l = 0; l < f.m->n_layers; l++) {
        const struct op_variant *v = &out[1].variant[l];

        ck_assert(memcmp(v->tunable, best[l].v.tunable, sizeof(v->tunable)) == 0);
        ck_assert_int_eq(v->form == FORM_NAIVE, v->n_loads == 0);
        ck_assert(v->form == FORM_NAIVE || v->form == cases[_i].form);
        chosen = chosen || v->lws[0] == 4;
    }
    ck_assert(chosen);
    /* the ring is most of what is live here, but the model is never there at once */
    if (cases[_i].capacity >= 100)
        ck_assert_double_lt(out[1].peak_bytes, out[0].peak_bytes);
    for (int k = 0; k < 5; k++) {
        replay_outcome_done(&out[k]);
        plan_free(plan[k]);
    }
    executor_free(ex);
    free(best);
    close_fixture(&f);
}
END_TEST

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
    open_fixture(&f, DTYPE_F32, opt.path);
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

static const char conv_graph[] =
    "flashmem-graph,1\n"
    "kind,name,op,params,inputs,weights,init\n"
    "model,maps,,,,,\n"
    "input,x,values,rows=80 cols=3,,,\n"
    "layer,c1,conv2d,h=10 w=8 cin=3 cout=22 r=3 s=5 stride=1 pad=1 bias=1,x,c1.w c1.b,normal:0.2 "
    "normal:0.1\n"
    "layer,c2,conv2d,h=10 w=6 cin=22 cout=24 r=3 s=3 stride=2 pad=1 groups=2,c1,c2.w,normal:0.1\n"
    "layer,d1,deconv2d,h=5 w=3 cin=24 cout=9 r=3 s=2 stride=2,c2,d1.w,normal:0.1\n"
    "layer,fc,matmul,m=66 n=30 k=9,d1,fc.w,normal:0.3\n"
    "layer,ft,matmul,m=66 n=17 k=30 tb=1,fc,ft.w,normal:0.3\n";

/* Element (o, i, r, s) of a convolution's weight as models have it, (i, o, r, s) of a transposed
 * one's, is element [o][(r * S + s) * cin + i] here. */
static void check_natural(const struct fixture *f, const char *path, const char *name, int out,
                          int in, int taps, bool transposed)
{
    size_t n = (size_t)(out * in * taps), half = f->m->dtype == DTYPE_F16;
    float *want = malloc(n * sizeof(*want));
    unsigned char *got = malloc(n * 4);
    FILE *file = fopen(path, "rb");
    int w = 0;

    while (strcmp(f->m->weight[w].name, name) != 0)
        w++;
    weights_values(f->m, w, SEED, want);
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fseek(file, (long)f->file.offset_bytes[w], SEEK_SET), 0);
    ck_assert_uint_eq(fread(got, half ? 2 : 4, n, file), n);
    fclose(file);
    for (int o = 0; o < out; o++)
        for (int i = 0; i < in; i++)
            for (int t = 0; t < taps; t++) {
                size_t at = (size_t)((transposed ? i * out + o : o * in + i) * taps + t);
                float v = want[(o * taps + t) * in + i], have;
                uint16_t h;

                memcpy(&have, got + 4 * (half ? 0 : at), sizeof(have));
                memcpy(&h, got + 2 * at, sizeof(h));
                ck_assert(half ? h == half_from_float(v) : have == v);
            }
    free(want);
    free(got);
}

/* Weights in their natural layout, rearranged on the device: the same output as the others, by way
 * of a file that holds what model files hold. */
START_TEST(transformed)
{
    static const struct {
        enum dtype dtype;
        enum mem_path path;
        enum op_form form;
    } how[] = {{DTYPE_F32, PATH_IMAGE, FORM_PIPELINED}, {DTYPE_F16, PATH_BUFFER, FORM_COPY},
               {DTYPE_F16, PATH_IMAGE, FORM_COPY}, {DTYPE_F32, PATH_BUFFER, FORM_BRANCHING}};
    bool maps = _i < 4;
    struct executor_options opt = {.path = how[_i % 4].path, .form = how[_i % 4].form,
                                   .ring_bytes = 8 * CHUNK};
    struct replay_options ro = {.min_runs = 2, .max_runs = 2, .target = 1, .tolerance = 1e-2};
    struct replay_policy policy[2] = {{.name = "preload"}, {.name = "preload-transform"}};
    struct replay_outcome out[2] = {{.runs = 0}};
    struct plan *plan[2] = {NULL, NULL};
    struct err err = {0};
    struct executor *ex;
    struct schedule s;
    struct fixture f;
    bool written;
    char path[PATH_MAX];

    open_graph(&f, maps ? conv_graph : graph, how[_i % 4].dtype, opt.path);
    ck_assert_int_eq(natural_path(&f.file, path, sizeof(path), &err), 0);
    ck_assert_str_eq(path, in_folder("m.natural.safetensors"));
    for (int again = 0; again < 2; again++) {
        ck_assert_msg(natural_write(f.m, &f.file, path, NULL, &written, &err) == 0, "%s", err.text);
        ck_assert_int_eq(written, !again);
    }
    if (maps) {
        check_natural(&f, path, "c1.w", 22, 3, 15, false);
        check_natural(&f, path, "c2.w", 24, 11, 9, false);
        check_natural(&f, path, "d1.w", 9, 24, 6, true);
        check_natural(&f, path, "fc.w", 9, 30, 1, false); /* [k, n], row by row */
    }
    opt.natural = path;
    ro.reference = f.reference;
    ex = open_executor(&f, &opt);
    for (int k = 0; k < 2; k++) {
        ck_assert_int_eq(plan_make(policy_find(policy[k].name), &f.mp.problem, &plan[k], &err), 0);
        policy[k].mp = &f.mp;
        policy[k].plan = plan[k];
    }
    ck_assert_msg(replay_compare(ex, f.m, policy, 2, &ro, out, &err) == 0, "%s", err.text);
    ck_assert_msg(out[1].verified, "error %g", out[1].verify_error);
    ck_assert_uint_eq(out[0].output_hash, out[1].output_hash);
    ck_assert_uint_eq(out[0].bytes_read, out[1].bytes_read);
    /* what waits to be rearranged is memory too */
    ck_assert_double_gt(out[1].peak_bytes, out[0].peak_bytes);
    ck_assert_uint_eq(executor_live_bytes(ex), 0);
    executor_free(ex);
    opt.natural = NULL;
    ex = open_executor(&f, &opt);
    ck_assert_int_eq(executor_schedule(ex, &f.mp, plan[1], &s, &err), -ENOTSUP);
    ck_assert_ptr_nonnull(strstr(err.text, "preload-transform"));
    for (int k = 0; k < 2; k++) {
        replay_outcome_done(&out[k]);
        plan_free(plan[k]);
    }
    executor_free(ex);
    unlink(path);
    close_fixture(&f);
}
END_TEST

/* Runs in sequence: later ones read what was not kept, give the same output, and hold the limit; in
 * the end nothing is left in the ledger. */
START_TEST(sequences)
{
    static const struct {
        enum mem_path path;
        enum op_form form;
        bool direct, limit, preload;
    } how[] = {{PATH_IMAGE, FORM_PIPELINED, false, false, false},
               {PATH_BUFFER, FORM_COPY, false, false, false},
               {PATH_IMAGE, FORM_NAIVE, true, true, false},
               {PATH_BUFFER, FORM_NAIVE, true, false, true}};
    bool direct = how[_i].direct;
    struct executor_options opt = {.path = how[_i].path, .form = how[_i].form, .direct = direct,
                                   .ring_bytes = direct ? 0 : 8 * CHUNK};
    struct problem_options po = problem_defaults();
    struct replay_options ro = {.target = 1, .tolerance = 1e-5};
    struct sequence_options so = {.runs = 4, .sequences = 2, .keep_bytes = 900000, .replay = &ro};
    struct sequence_outcome out[2] = {{.kept_bytes = 0}};
    struct replay_policy policy[2] = {{.name = how[_i].preload ? "preload" : "latency"},
                                      {.name = "greedy"}};
    struct plan *plan[2] = {NULL, NULL};
    struct err err = {0};
    struct executor *ex;
    struct fixture f;

    if (!form_runs_here(direct))
        return;
    open_fixture(&f, DTYPE_F32, opt.path);
    problem_done(&f.mp);
    po.chunk_bytes = CHUNK;
    po.direct = direct;
    ck_assert_msg(problem_for_model(f.m, &f.dev->info, NULL, opt.path, &po, &f.mp, &err) == 0, "%s",
                  err.text);
    give_capacity(&f, 100);
    if (how[_i].limit) /* the largest weight takes six megabytes */
        opt.memory_limit = executor_reserve_bytes(f.m, opt.path, direct, 0) + 8 * MIB;
    for (int k = 0; k < 2; k++) {
        ck_assert_int_eq(plan_make(policy_find(policy[k].name), &f.mp.problem, &plan[k], &err), 0);
        policy[k].mp = &f.mp;
        policy[k].plan = plan[k];
    }
    ro.reference = f.reference;
    ex = open_executor(&f, &opt);
    ck_assert_msg(sequence_compare(ex, f.m, policy, 2, &so, out, &err) == 0, "%s", err.text);
    for (int k = 0; k < 2; k++) {
        const struct sequence_outcome *o = &out[k];
        bool all = how[_i].preload && k == 0;

        ck_assert_msg(o->all.verified, "error %g", o->all.verify_error);
        ck_assert_uint_eq(o->all.output_hash, out[0].all.output_hash);
        ck_assert_int_eq(o->all.runs, 8);
        ck_assert_uint_gt(o->kept_bytes, 0);
        ck_assert(all || o->kept_bytes <= so.keep_bytes);
        for (int run = 1; run < 4; run++) {
            ck_assert_uint_eq(o->bytes_read[run], o->bytes_read[1]);
            /* pages: places and reads are rounded up to them */
            ck_assert_uint_ge(o->bytes_read[0], o->bytes_read[run] + o->kept_bytes / 2);
            ck_assert_uint_le(o->bytes_read[0], o->bytes_read[run] + o->kept_bytes + 16 * 4096);
            ck_assert_double_gt(o->integrated_ns[run].mid, 0);
            if (opt.memory_limit)
                ck_assert_double_le(o->peak_bytes[run], (double)opt.memory_limit);
        }
        /* the rows of a gather are another run's others: they are read again */
        ck_assert_uint_gt(o->bytes_read[1], 0);
        ck_assert_uint_eq(sequence_overtakes(o, o, 4, false), 0);
    }
    ck_assert_uint_eq(executor_live_bytes(ex), 0);
    for (int k = 0; k < 2; k++) {
        sequence_outcome_done(&out[k]);
        plan_free(plan[k]);
    }
    executor_free(ex);
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

/* A file cut short after it was opened ends the run. */
START_TEST(file_cut_short)
{
    struct executor_options opt = {.path = PATH_IMAGE, .ring_bytes = 4 * CHUNK, .direct = _i,
                                   .form = _i ? FORM_NAIVE : FORM_PIPELINED};
    struct plan *plan = NULL;
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
    ck_assert_int_eq(plan_make(policy_find("lc-opg"), &f.mp.problem, &plan, &err), 0);
    ex = open_executor(&f, &opt);
    ck_assert_msg(executor_schedule(ex, &f.mp, plan, &s, &err) == 0, "%s", err.text);
    plan_free(plan);
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
    struct plan *plan = NULL;
    struct fixture f;
    struct schedule s;
    struct run_result r;
    struct err err = {0};
    struct executor *ex;
    uint64_t ns;

    if (!form_runs_here(_i))
        return;
    open_fixture(&f, DTYPE_F32, PATH_IMAGE);
    ck_assert_int_eq(plan_make(policy_find("lc-opg"), &f.mp.problem, &plan, &err), 0);
    ex = open_executor(&f, &opt);
    ck_assert_msg(executor_schedule(ex, &f.mp, plan, &s, &err) == 0, "%s", err.text);
    plan_free(plan);
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
    Suite *s = suite_create("replay");
    TCase *t = tcase_create("all");
    SRunner *sr;
    int failed;

    need_device();
    folder_make();
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, policies_agree, 0, sizeof(cases) / sizeof(cases[0]));
    tcase_add_test(t, memory_limit);
    tcase_add_loop_test(t, direct_under_limits, 0, 4);
    tcase_add_loop_test(t, sequences, 0, 4);
    tcase_add_loop_test(t, transformed, 0, 6);
    tcase_add_test(t, direct_wants_shared_memory);
    tcase_add_loop_test(t, file_cut_short, 0, 2);
    tcase_add_loop_test(t, interrupted, 0, 2);
    tcase_add_test(t, interrupted_later);
    suite_add_tcase(s, t);
    sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    folder_remove();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
