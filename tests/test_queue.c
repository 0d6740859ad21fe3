/* Queues of small models: the same bytes as alone, one limit for all, urgent ones first. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/queue/queue_store.h"
#include "tests/folder.h"
#include "tests/need_device.h"
#include "tests/suite.h"

#define MIB (UINT64_C(1) << 20)
#define CHUNK UINT64_C(65536)
#define RATE UINT64_C(60000000) /* of the emulated disk, bytes per second */
#define N(a) ((int)(sizeof(a) / sizeof(*(a))))

/* ---- models ---- */

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
    "layer,fc3,matmul,m=24 n=1513 k=200 bias=1,res,fc3.w fc3.b,normal:0.07 normal:0.1\n"
    "layer,act3,relu,rows=24 cols=1513,fc3,,\n"
    "layer,fc4,matmul,m=24 n=200 k=1513,act3,fc4.w,normal:0.04\n"
    "layer,prob,softmax,rows=24 cols=200,fc4,,\n";
#define LAYERS 10
#define LATER UINT64_MAX

/* What carries load, and where it is. */
static const struct {
    enum mem_path path;
    enum op_form form;
    bool direct;
} forms[] = {
    {PATH_BUFFER, FORM_NAIVE, true},
    {PATH_IMAGE, FORM_PIPELINED, false},
    {PATH_BUFFER, FORM_COPY, false},
};

enum { FIRST, SECOND, URGENT, SEATS };

/* ---- tests that wait for what happens, not for a while ---- */

/* What a test does when a seat's run comes to a layer, from 1; NULL: nothing. Layer 1 is before its
 * turn, with what it preloads already there. */
static void (*at_layer)(int seat, int layer);
static int passed[SEATS]; /* layers, since expect() */
static atomic_int begun; /* runs */
static int ended; /* those that came to their last layer */
static atomic_int arrived; /* 1: something shall happen now, 2: it has */

static void expect(void (*what)(int seat, int layer))
{
    memset(passed, 0, sizeof(passed));
    begun = arrived = ended = 0;
    at_layer = what;
}

static bool comes_to_layer(int seat)
{
    int layer = passed[seat]++ % LAYERS + 1;

    if (at_layer)
        at_layer(seat, layer);
    return false;
}
static bool first_comes(void)
{
    return comes_to_layer(FIRST);
}
static bool second_comes(void)
{
    return comes_to_layer(SECOND);
}

/* Until `v` is so large; but what never happens shall fail the test, not hang it. */
static void wait_for(atomic_int *v, int value)
{
    for (int i = 0; i < 10000 && atomic_load(v) < value; i++)
        usleep(1000);
}

struct fixture {
    struct device *dev;
    struct model *m;
    struct weights_file file;
    struct model_problem mp;
    struct plan *plan;
    struct queue *q;
    struct queue_seat *seat[SEATS];
    struct executor *ex[SEATS];
    struct schedule s[SEATS];
    struct queue_lone lone[SEATS];
    struct reader_options disk[SEATS];
};

/* The second model's disk fails after so many reads. */
static atomic_int reads_left = 1000000;
static int64_t fail_read(void *ctx, uint64_t file_byte, int64_t result)
{
    (void)ctx;
    (void)file_byte;
    return --reads_left < 0 ? -EIO : result;
}

static void open_seat(struct fixture *f, int k, int form, uint64_t memory)
{
    struct executor_options opt = {.path = forms[form].path, .form = forms[form].form,
                                   .direct = forms[form].direct, .ring_bytes = 8 * CHUNK,
                                   .memory_limit = memory, .disk = &f->disk[k]};
    float ids[24];
    struct err err = {0};

    f->disk[k].rate_bps = RATE;
    if (k != URGENT)
        opt.stop = k == FIRST ? first_comes : second_comes;
    if (k == SECOND)
        f->disk[k].fault = fail_read;
    model_fill_input(f->m, 0, (uint64_t)k + 1, ids);
    ck_assert_int_eq(queue_seat_new(f->q, k == URGENT, &f->seat[k], &err), 0);
    queue_seat_options(f->seat[k], &opt);
    ck_assert_msg(executor_new(f->dev, f->m, &f->file, (const float *const[]){ids}, &opt,
                               &f->ex[k], &err) == 0, "%s", err.text);
    ck_assert_msg(executor_schedule(f->ex[k], &f->mp, f->plan, &f->s[k], &err) == 0, "%s",
                  err.text);
    ck_assert_msg(queue_seat_measure(f->seat[k], f->ex[k], &f->s[k], f->m->n_layers, &f->lone[k],
                                     &err) == 0, "%s", err.text);
}

/* Two models and an urgent one: the same graph with other inputs. */
static void open_fixture(struct fixture *f, int form, uint64_t limit, bool (*stop)(void))
{
    struct problem_options po = problem_defaults();
    struct err err = {0};
    const char *path = in_folder("m.csv");
    FILE *g = fopen(path, "w");

    memset(f, 0, sizeof(*f));
    expect(NULL);
    ck_assert_ptr_nonnull(g);
    fputs(graph, g);
    ck_assert_int_eq(fclose(g), 0);
    ck_assert_msg(model_read(path, DTYPE_F32, &f->m, &err) == 0, "%s", err.text);
    ck_assert_int_eq(f->m->n_layers, LAYERS);
    path = in_folder("m.safetensors");
    ck_assert_int_eq(weights_write(f->m, 7, path, NULL, NULL, &err), 0);
    ck_assert_int_eq(weights_open(f->m, path, &f->file, &err), 0);
    ck_assert_int_eq(device_open(NULL, &f->dev, &err), 0);
    po.chunk_bytes = CHUNK;
    po.direct = forms[form].direct;
    ck_assert_int_eq(problem_for_model(f->m, &f->dev->info, NULL, forms[form].path, &po, &f->mp,
                                       &err), 0);
    for (int l = 0; l < f->m->n_layers; l++)
        if (f->m->layer[l].c.op->class != OP_HIERARCHICAL)
            f->mp.layer[l].capacity = 100;
    ck_assert_int_eq(plan_make(policy_find("greedy"), &f->mp.problem, &f->plan, &err), 0);
    ck_assert_int_gt(f->plan->n_moves, 2);
    ck_assert_int_eq(queue_new(limit, stop, &f->q, &err), 0);
    for (int k = 0; k < SEATS; k++)
        open_seat(f, k, form, limit);
    ck_assert_uint_ne(f->lone[FIRST].output_hash, f->lone[SECOND].output_hash);
}

static void close_fixture(struct fixture *f)
{
    for (int k = 0; k < SEATS; k++) {
        executor_free(f->ex[k]);
        schedule_done(&f->s[k]);
    }
    queue_free(f->q);
    plan_free(f->plan);
    problem_done(&f->mp);
    weights_done(&f->file);
    device_close(f->dev);
    model_free(f->m);
}

static const struct queue_options plain = {.overlap = true};

static void must_run(struct fixture *f, const struct queue_request *request, int n,
                     const struct queue_options *opt, struct queue_step *step,
                     struct queue_result *ret_r)
{
    struct err err = {0};

    ck_assert_msg(queue_run(f->q, request, n, opt, step, ret_r, &err) == 0, "%s", err.text);
    for (int i = 0; i < n; i++) {
        ck_assert(step[i].done);
        ck_assert(step[i].same);
        ck_assert_uint_le(step[i].end_ns, ret_r->total_ns);
        ck_assert_uint_le(step[i].turn_ns, step[i].end_ns);
    }
}

static int in_pairs; /* so many runs wait at their last layer */

/* Whoever ends waits for the next one to begin: it may, everything is read. */
static void overlap_next(int seat, int layer)
{
    (void)seat;
    if (layer == 1)
        begun++;
    if (layer == LAYERS && ++ended <= in_pairs)
        wait_for(&begun, ended + 1);
}

static uint64_t largest_peak(const struct queue_step *step, int n)
{
    uint64_t peak = 0;

    for (int i = 0; i < n; i++)
        peak = step[i].peak_bytes > peak ? step[i].peak_bytes : peak;
    return peak;
}

/* In order; the next one reads while the last layers of the one before run, unless it may not. */
START_TEST(in_turn)
{
    struct queue_options apart = {.overlap = false};
    struct queue_request request[5];
    struct queue_step step[5];
    struct queue_result r;
    struct fixture f;

    if (!form_runs_here(forms[_i].direct))
        return;
    open_fixture(&f, _i, 0, NULL);
    for (int i = 0; i < 5; i++)
        request[i] = (struct queue_request){.seat = f.seat[i % 2 ? SECOND : FIRST]};
    in_pairs = 4;
    expect(overlap_next);
    must_run(&f, request, 5, &plain, step, &r);
    for (int i = 1; i < 5; i++) {
        ck_assert_uint_ge(step[i].turn_ns, step[i - 1].end_ns);
        ck_assert_uint_lt(step[i].start_ns, step[i - 1].end_ns);
        ck_assert_uint_eq(step[i].bytes_read, step[i % 2].bytes_read);
    }
    /* Two were there at once, never three. */
    ck_assert_uint_gt(r.mem.peak_bytes, largest_peak(step, 5));
    ck_assert_uint_le(r.mem.peak_bytes, 2 * largest_peak(step, 5));
    ck_assert_int_gt(r.n_memory, 10);
    queue_result_done(&r);
    expect(NULL);
    must_run(&f, request, 5, &apart, step, &r);
    for (int i = 1; i < 5; i++)
        ck_assert_uint_ge(step[i].start_ns, step[i - 1].end_ns);
    ck_assert_uint_eq(r.mem.peak_bytes, largest_peak(step, 5));
    queue_result_done(&r);
    close_fixture(&f);
}
END_TEST

/* The limit holds over all of them, from one that has room for one and a page to one for two. */
START_TEST(one_limit)
{
    struct queue_request request[4];
    struct queue_step step[4];
    struct queue_result r;
    struct fixture f;
    uint64_t alone, limit;

    if (!form_runs_here(forms[_i % N(forms)].direct))
        return;
    open_fixture(&f, _i % N(forms), 0, NULL);
    alone = f.lone[FIRST].peak_bytes;
    close_fixture(&f);
    limit = alone + (_i < N(forms) ? 4096 : alone / 2) + 1000;
    open_fixture(&f, _i % N(forms), limit, NULL);
    for (int i = 0; i < 4; i++)
        request[i] = (struct queue_request){.seat = f.seat[i % 2 ? SECOND : FIRST]};
    must_run(&f, request, 4, &(struct queue_options){.overlap = true, .kept_bytes = 1000}, step, &r);
    ck_assert_uint_le(r.mem.peak_bytes, limit);
    ck_assert_uint_ge(r.mem.peak_bytes, largest_peak(step, 4) + 1000);
    ck_assert_uint_eq(r.memory[0].live_bytes[MEM_HOST], 1000);
    for (int i = 0; i < r.n_memory; i++) {
        uint64_t sum = 0;

        for (int k = 0; k < MEM_KINDS; k++)
            sum += r.memory[i].live_bytes[k];
        ck_assert_uint_le(sum, limit);
    }
    queue_result_done(&r);
    close_fixture(&f);
}
END_TEST

static struct queue_request *late; /* comes when the first run is at its third layer */

static void third_layer_begins(int seat, int layer)
{
    if (seat != FIRST || layer != 3 || arrived)
        return;
    arrived = 1;
    wait_for(&arrived, 2);
}

/* Asked with the queue's lock held. */
static bool let_arrive(void)
{
    if (arrived == 1 && late) {
        late->arrive_ns = 0;
        arrived = 2;
    }
    return false;
}

/* Interrupted, the first one reads nothing twice and gives the same. */
START_TEST(urgent_first)
{
    struct queue_options preempt = {.overlap = true, .preempt = true};
    struct queue_step fifo[3], step[3];
    struct queue_request request[3];
    struct queue_result r;
    struct fixture f;
    uint64_t limit = 0;

    if (!form_runs_here(forms[_i].direct))
        return;
    open_fixture(&f, _i, 0, NULL);
    limit = 2 * f.lone[FIRST].peak_bytes; /* nothing for a third one that reads ahead */
    close_fixture(&f);
    open_fixture(&f, _i, limit, let_arrive);
    request[0] = (struct queue_request){.seat = f.seat[FIRST]};
    request[1] = (struct queue_request){.seat = f.seat[SECOND]};
    request[2] = (struct queue_request){.seat = f.seat[URGENT], .priority = 1};
    must_run(&f, request, 3, &plain, fifo, &r);
    ck_assert_uint_ge(fifo[2].turn_ns, fifo[1].end_ns);
    ck_assert_uint_eq(fifo[0].paused_ns, 0);
    queue_result_done(&r);
    late = &request[2];
    late->arrive_ns = LATER;
    expect(third_layer_begins);
    must_run(&f, request, 3, &preempt, step, &r);
    ck_assert_uint_le(r.mem.peak_bytes, limit);
    ck_assert_uint_ge(step[2].turn_ns, step[0].turn_ns);
    ck_assert_uint_lt(step[2].end_ns, step[0].end_ns);
    ck_assert_uint_lt(step[2].end_ns, step[1].turn_ns);
    ck_assert_uint_gt(step[0].paused_ns, 0);
    ck_assert_uint_le(step[0].paused_ns, step[0].end_ns - step[0].turn_ns);
    ck_assert_int_eq(step[0].paused_layer, 3);
    ck_assert_uint_eq(step[0].bytes_read, fifo[0].bytes_read);
    queue_result_done(&r);
    close_fixture(&f);
}
END_TEST

static bool stop_at_third(void)
{
    if (arrived == 1)
        arrived = 2;
    return arrived == 2;
}

START_TEST(stopped)
{
    struct queue_request request[3];
    struct queue_step step[3];
    struct queue_result r;
    struct fixture f;
    struct err err = {0};

    if (!form_runs_here(forms[_i].direct))
        return;
    open_fixture(&f, _i, 0, stop_at_third);
    for (int i = 0; i < 3; i++)
        request[i] = (struct queue_request){.seat = f.seat[i % 2 ? SECOND : FIRST]};
    expect(third_layer_begins);
    ck_assert_int_eq(queue_run(f.q, request, 3, &plain, step, &r, &err), -EINTR);
    ck_assert(!step[0].done);
    ck_assert(!step[2].done);
    queue_result_done(&r);
    expect(NULL); /* and it can go on */
    must_run(&f, request, 3, &plain, step, &r);
    queue_result_done(&r);
    close_fixture(&f);
}
END_TEST

/* Before the second model's first byte, and after its first read. */
START_TEST(disk_fails)
{
    struct queue_request request[4];
    struct queue_step step[4];
    struct queue_result r;
    struct fixture f;
    struct err err = {0};

    if (!form_runs_here(forms[_i % N(forms)].direct))
        return;
    open_fixture(&f, _i % N(forms), 0, NULL);
    for (int i = 0; i < 4; i++)
        request[i] = (struct queue_request){.seat = f.seat[i % 2 ? SECOND : FIRST]};
    reads_left = _i < N(forms) ? 0 : 1;
    ck_assert_int_eq(queue_run(f.q, request, 4, &plain, step, &r, &err), -EIO);
    ck_assert_msg(strstr(err.text, "step 2: ") != NULL, "%s", err.text);
    ck_assert(step[0].done);
    ck_assert(!step[1].done);
    queue_result_done(&r);
    reads_left = 1000000;
    must_run(&f, request, 4, &plain, step, &r);
    queue_result_done(&r);
    close_fixture(&f);
}
END_TEST

/* ---- rows ---- */

/* The sum of a query over the database, by SQLite itself. */
static int64_t sum_of(const char *path, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *q;
    int64_t v;

    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
    ck_assert_int_eq(sqlite3_step(q), SQLITE_ROW);
    v = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    sqlite3_close(db);
    return v;
}

static int save(struct store *st, int64_t session)
{
    static struct mem_point point[5000];
    static const struct executor_options exec = {.direct = true, .path = PATH_BUFFER};
    struct workload_request requests[3] = {{.model = "A"}, {.model = "B", .priority = 1}, {.model = "C"}};
    struct workload w = {.path = "w.csv", .n = 3, .request = requests};
    struct queue_step step[3] = {{.done = true, .end_ns = 5, .paused_layer = 2}, {.done = true}};
    struct queue_result r = {.total_ns = 50000000, .memory = point, .n_memory = N(point),
                             .mem = {.peak_bytes = 4999}};
    const uint64_t alone[3] = {1, 2, 3};
    const double error[3] = {0.5, 0.25, 0.125};
    const char *const verified[3] = {"yes", "no", NULL}, *const model[3] = {"A", "B", "C"};
    struct queue_row row = {.session_id = session, .workload = &w, .order_seed = -1,
                            .policy = "latency", .dtype = "f16", .exec = &exec, .cold = true,
                            .opt = &plain, .status = "ok", .alone_ns = alone,
                            .verify_error = error, .verified = verified, .model = model};

    for (int i = 0; i < N(point); i++)
        point[i] = (struct mem_point){.t_ns = (uint64_t)i * 10000,
                                      .live_bytes[MEM_UM] = (uint64_t)(i * 3001 % 5000)};
    return queue_save(st, &row, step, &r, NULL);
}

static int open_store(const char *path, struct store **ret_st, int64_t *ret_session)
{
    static char *argv[] = {"flashmem"};
    struct device_info info = {.platform = "P", .name = "D", .version = "1", .driver = "1"};
    int64_t device = 0;
    int rc = store_open(path, STORE_WRITE, ret_st, NULL);

    if (rc == 0)
        rc = store_device(*ret_st, &info, &device, NULL);
    return rc < 0 ? rc : store_session(*ret_st, device, 1, argv, ret_session, NULL);
}

/* The thinned timeline keeps the peak and stays in order; steps that were not run are NULL. */
START_TEST(stored)
{
    const char *path = in_folder("q.db");
    struct store *st;
    int64_t session;

    ck_assert_int_eq(open_store(path, &st, &session), 0);
    ck_assert_int_eq(save(st, session), 0);
    store_close(st);
    ck_assert_int_le(sum_of(path, "SELECT count(*) FROM queue_memory"), QUEUE_MEMORY_POINTS + 1);
    ck_assert_int_ge(sum_of(path, "SELECT count(*) FROM queue_memory"), QUEUE_MEMORY_POINTS / 2);
    ck_assert_int_eq(sum_of(path, "SELECT max(um_bytes) FROM queue_memory"), 4999);
    ck_assert_int_eq(sum_of(path, "SELECT count(*) FROM queue_memory a JOIN queue_memory b"
                                  " ON b.seq = a.seq + 1 WHERE b.t_ns <= a.t_ns"), 0);
    ck_assert_int_eq(sum_of(path, "SELECT count(*) FROM queue_step WHERE step = 3 AND end_ns IS NULL"
                                  " AND alone_ns = 3 AND verified IS NULL"), 1);
    ck_assert_int_eq(sum_of(path, "SELECT count(*) FROM queue_step WHERE step = 1 AND paused_layer = 2"
                                  " AND end_ns = 5 AND verified = 'yes'"), 1);
    ck_assert_int_eq(sum_of(path, "SELECT count(*) FROM queue WHERE order_seed IS NULL AND overlap"
                                  " AND NOT preempt AND memory_limit_bytes IS NULL"), 1);
}
END_TEST

/* Killed while it stores, fifty times: whole passes or none. */
START_TEST(killed)
{
    const char *path = in_folder("k.db");
    unsigned seed = 5;
    int64_t session, rows = 0;
    struct store *st;

    for (int round = 0; round < 50; round++) {
        int ready[2];
        char byte = 0;
        pid_t pid;

        ck_assert_int_eq(pipe(ready), 0);
        pid = fork();
        if (pid == 0) {
            int rc = open_store(path, &st, &session);

            for (; rc == 0 && write(ready[1], &byte, 1) == 1;)
                rc = save(st, session);
            _exit(1);
        }
        ck_assert_int_eq(read(ready[0], &byte, 1), 1); /* it begins to store */
        if (round % 10 == 0) /* it has stored: on a slow disk no chance would come so late */
            ck_assert_int_eq(read(ready[0], &byte, 1), 1);
        usleep((unsigned)rand_r(&seed) % 30000);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        close(ready[0]);
        close(ready[1]);
    }
    rows = sum_of(path, "SELECT count(*) FROM queue");
    ck_assert_int_ge(rows, 5);
    ck_assert_int_eq(sum_of(path, "SELECT count(*) FROM pragma_integrity_check"
                                  " WHERE integrity_check = 'ok'"), 1);
    ck_assert_int_eq(sum_of(path, "SELECT count(*) FROM queue_step"), 3 * rows);
    ck_assert_int_eq(sum_of(path, "SELECT count(*) FROM queue WHERE 4999 <> (SELECT max(um_bytes)"
                                  " FROM queue_memory WHERE queue_id = queue.id)"), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("queue");
    TCase *t = tcase_create("all");

    need_device();
    tcase_add_unchecked_fixture(t, folder_make, folder_remove);
    tcase_add_loop_test(t, in_turn, 0, N(forms));
    tcase_add_loop_test(t, one_limit, 0, 2 * N(forms));
    tcase_add_loop_test(t, urgent_first, 0, N(forms));
    tcase_add_loop_test(t, stopped, 0, N(forms));
    tcase_add_loop_test(t, disk_fails, 0, 2 * N(forms));
    tcase_add_test(t, stored);
    tcase_add_test(t, killed);
    suite_add_tcase(s, t);
    return suite_run(s);
}
