/* Whole small models through disk, ring, textures and kernels: every policy gives the same bytes,
 * and they are the reference's. */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>

#include "harness/model/natural.h"
#include "tests/replay_case.h"
#include "tests/suite.h"

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

/* What runs are predicted with beside what they are planned with: 1 ms and some a layer, and 2 ns for
 * each byte that it carries. */
static void give_times(struct fixture *f)
{
    f->mp.recorded = calloc((size_t)f->m->n_layers, sizeof(*f->mp.recorded));
    for (int l = 0; l < f->m->n_layers; l++)
        f->mp.recorded[l] = (struct capacity){.latency_ns = 1e6 + l, .recorded_ns_per_byte = 2};
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
    give_times(&f);
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
        busy = 0;
        for (int l = 0; l < f.m->n_layers; l++) {
            double ns = 1e6 + l + 2 * (double)out[k].layer_load[l];

            ck_assert_double_eq(out[k].layer_predicted[l], ns);
            busy += ns;
        }
        ck_assert_double_ge(out[k].predicted_ns, busy);
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

/* The disk is full after a page of the twin: it says so, and leaves nothing. */
static void check_full_disk(const struct fixture *f, const char *path)
{
    char tmp[PATH_MAX + 8];
    struct rlimit limit, was;
    struct err err = {0};

    snprintf(tmp, sizeof(tmp), "%s.tmp", path);
    signal(SIGXFSZ, SIG_IGN); /* a write beyond the limit then fails, as on a full disk */
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &was), 0);
    limit = was;
    limit.rlim_cur = 4096;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_int_eq(natural_write(f->m, &f->file, path, NULL, NULL, &err), -EFBIG);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &was), 0);
    ck_assert_msg(strstr(err.text, path) && strstr(err.text, "too large"), "%s", err.text);
    ck_assert_int_eq(access(path, F_OK), -1);
    ck_assert_int_eq(access(tmp, F_OK), -1);
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
    check_full_disk(&f, path);
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
                                   .rss_period_ns = 1000000, .ring_bytes = direct ? 0 : 8 * CHUNK};
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
            /* what a direct run has, pages and all, it keeps; nothing hides in a later baseline */
            if (direct)
                ck_assert_double_gt(o->rss_peak_bytes[run], 0.5 * (double)o->kept_bytes);
#ifndef __SANITIZE_ADDRESS__ /* keeps what is freed, and guards what is not */
            ck_assert_double_le(o->rss_peak_bytes[run], o->peak_bytes[run] + 4 * MIB);
#endif
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

int main(void)
{
    Suite *s = suite_create("replay");
    TCase *t = tcase_create("all");

    need_device();
    tcase_add_unchecked_fixture(t, folder_make, folder_remove);
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, policies_agree, 0, sizeof(cases) / sizeof(cases[0]));
    tcase_add_loop_test(t, sequences, 0, 4);
    tcase_add_loop_test(t, transformed, 0, 6);
    suite_add_tcase(s, t);
    return suite_run(s);
}
