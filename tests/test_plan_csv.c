/* Plan files and instance files: what is written reads back; what was edited badly is refused with
 * FILE:LINE. */
#include <check.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tests/plan_case.h"
#include "tests/suite.h"

static const int capacity[] = {3, 2, 2, 1, 4};
static const int weight[][2] = {{1, 2}, {3, 2}, {4, 3}, {5, 4}};
static char path[64];

static void setup(void)
{
    snprintf(path, sizeof(path), "/tmp/test_plan_csv.%d.csv", (int)getpid());
}

static void teardown(void)
{
    unlink(path);
}

static void write_text(const char *text)
{
    FILE *f = fopen(path, "w");

    ck_assert_ptr_nonnull(f);
    ck_assert(fputs(text, f) >= 0 && fclose(f) == 0);
}

START_TEST(what_is_written_reads_back)
{
    uint64_t rng = 5;

    for (int i = 0; i < 100; i++) {
        struct plan_case c;
        struct plan *made, *read;
        struct err err = {0};
        FILE *f = fopen(path, "w");

        case_random(&c, &rng, 12, 12, 5, 5);
        c.weight[0].name = "a \"quoted\", name";
        ck_assert_int_eq(plan_make(policy_table[i % 5], &c.p, &made, &err), 0);
        ck_assert_int_eq(plan_write_csv(&c.p, made, f), 0);
        fclose(f);
        ck_assert_msg(plan_read_csv(path, &c.p, &read, &err) == 0, "%s", err.text);
        ck_assert_str_eq(read->policy, "file");
        ck_assert_int_eq(read->objective, made->objective);
        ck_assert_int_eq(read->peak, made->peak);
        ck_assert_int_eq(read->preloaded_bytes, made->preloaded_bytes);
        ck_assert_int_eq(read->n_moves, made->n_moves);
        for (int k = 0; k < made->n_moves; k++) {
            ck_assert_int_eq(read->move[k].weight, made->move[k].weight);
            ck_assert_int_eq(read->move[k].layer, made->move[k].layer);
            ck_assert_int_eq(read->move[k].chunks, made->move[k].chunks);
        }
        for (int w = 0; w < c.p.n_weights; w++) {
            ck_assert_int_eq(read->preload[w], made->preload[w]);
            ck_assert_int_eq(read->load_layer[w], made->load_layer[w]);
        }
        plan_free(made);
        plan_free(read);
    }
}
END_TEST

#define HEAD "weight,chunk_bytes,chunks,consumer,preload,load_layer,layer,chunks_here\n"
#define W0   "w0,100,2,1,1,,,\n"
#define W1   "w1,100,2,3,0,1,1,2\n"
#define W2   "w2,100,3,4,0,2,2,1\nw2,100,3,4,0,2,3,2\n"
#define W3   "w3,100,4,5,1,,,\n"

/* Rows in any order; each fault with the line that it is in. */
static const struct {
    const char *text, *says; /* NULL: a good file */
} files[] = {
    {HEAD W0 W1 W2 W3, NULL},
    {HEAD "w2,100,3,4,0,2,3,2\n" W3 W1 "w2,100,3,4,0,2,2,1\n" W0, NULL},
    {HEAD W0 W1 W2, ".csv: weight 'w3' has no row"},
    {HEAD W0 W1 W2 W3 W3, ".csv:7: weight 'w3' is in line 6 already"},
    {HEAD W0 W1 W2 "w9,100,4,5,1,,,\n", ".csv:6: weight: 'w9' is not a weight"},
    {HEAD W0 "w1,200,2,3,0,1,1,2\n" W2 W3, ".csv:3: chunk_bytes: the problem has '100', got '200'"},
    {HEAD W0 "w1,100,9,3,0,1,1,2\n" W2 W3, ".csv:3: chunks: the problem has '2'"},
    {HEAD W0 "w1,100,2,4,0,1,1,2\n" W2 W3, ".csv:3: consumer: the problem has '3'"},
    {HEAD W0 "w1,100,2,3,2,1,1,2\n" W2 W3, ".csv:3: preload"},
    {HEAD W0 "w1,100,2,3,0,1,3,2\n" W2 W3, ".csv:3: layer"},
    {HEAD W0 "w1,100,2,3,0,1,0,2\n" W2 W3, ".csv:3: layer"},
    {HEAD W0 "w1,100,2,3,0,1,one,2\n" W2 W3, ".csv:3: layer"},
    {HEAD W0 "w1,100,2,3,0,1,1,3\n" W2 W3, ".csv:3: chunks_here"},
    {HEAD W0 "w1,100,2,3,0,1,1,0\n" W2 W3, ".csv:3: chunks_here"},
    {HEAD W0 "w1,100,2,3,0,1,1,1\n" W2 W3, ".csv:3: weight 'w1': its rows move 1 of 2"},
    {HEAD W0 "w1,100,2,3,0,2,1,2\n" W2 W3, ".csv:3: load_layer: '2', but the first"},
    {HEAD W0 W1 "w2,100,3,4,0,2,2,1\nw2,100,3,4,0,3,3,2\n" W3, ".csv:5: load_layer: '2' in line 4"},
    {HEAD W0 W1 "w2,100,3,4,0,2,2,1\nw2,100,3,4,0,2,2,2\n" W3, ".csv:5: layer: weight 'w2' has a"},
    {HEAD W0 W1 W2 "w3,100,4,5,1,1,,\n", ".csv:6: load_layer: a preloaded weight has none"},
    {HEAD W0 W1 W2 W3 "w3,100,4,5,0,1,1,4\n", ".csv:7: weight 'w3' is preloaded in line 6"},
    {HEAD "w0,100,2,1,0,1,1,2\n" W1 W2 W3, ".csv:2: weight 'w0' is read by layer 1"},
    {HEAD W0 "w1,100,2\n" W2 W3, ".csv:3:"},
    {"weight,chunks\nw0,2\n", ".csv:1:"},
    {"", ".csv"},
};

START_TEST(bad_plan_files_are_refused)
{
    struct plan_case c;
    struct plan *plan = NULL;
    struct err err = {0};
    int rc;

    case_make(&c, 5, capacity, 4, weight);
    write_text(files[_i].text);
    rc = plan_read_csv(path, &c.p, &plan, &err);
    if (!files[_i].says) {
        ck_assert_msg(rc == 0, "%s", err.text);
        ck_assert_int_eq(plan->objective, 9 * (2 + 4) + (3 - 1) + (4 - 2));
        ck_assert_str_eq(plan->note, "");
        plan_free(plan);
        return;
    }
    ck_assert_int_eq(rc, -EINVAL);
    ck_assert_ptr_null(plan);
    ck_assert_msg(strstr(err.text, files[_i].says) != NULL, "'%s' does not say '%s'", err.text,
                  files[_i].says);
}
END_TEST

/* Naive policies exceed capacities, so files may; limits of memory are not negotiable. */
START_TEST(limits_hold_for_files)
{
    struct plan_case c;
    struct plan *plan = NULL;
    struct err err = {0};

    case_make(&c, 5, capacity, 4, weight);
    c.layer[2].capacity = 1;
    write_text(HEAD W0 W1 W2 W3);
    ck_assert_int_eq(plan_read_csv(path, &c.p, &plan, &err), 0);
    ck_assert_ptr_nonnull(strstr(plan->note, "C3: layer 3"));
    plan_free(plan);
    plan = NULL;
    c.p.m_peak = 2;
    ck_assert_int_eq(plan_read_csv(path, &c.p, &plan, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "C2 (streamed)"));
    ck_assert_ptr_null(plan);
    c.p.m_peak = -1;
    c.weight[1].forced = true;
    ck_assert_int_eq(plan_read_csv(path, &c.p, &plan, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, ".csv:3: weight 'w1' has to be preloaded"));
}
END_TEST

#define IHEAD "kind,layer,chunks,time_us,hidden_chunks\n"

static const struct {
    const char *text, *says;
} instances[] = {
    {IHEAD "chunk_bytes,,64,,\nmemory,,5,,\ncapacity,1,3,1.5,0\ncapacity,2,0,,\nweight,1,2,,\n"
           "weight,2,1,,\n",
     NULL},
    {IHEAD "memory,,5,,\ncapacity,1,3,1.5,0\n", "chunk_bytes"},
    {IHEAD "chunk_bytes,,64,,\n", "capacity"},
    {IHEAD "chunk_bytes,,64,,\nchunk_bytes,,64,,\n", ".csv:3: 'chunk_bytes' is there twice"},
    {IHEAD "chunk_bytes,,0,,\n", ".csv:2: chunks"},
    {IHEAD "chunk_bytes,,64,,\ncapacity,2,3,,\n", ".csv:3: capacities count up: want layer 1"},
    {IHEAD "chunk_bytes,,64,,\ncapacity,1,-3,,\n", ".csv:3: chunks"},
    {IHEAD "chunk_bytes,,64,,\ncapacity,1,3,fast,\n", ".csv:3: time_us"},
    {IHEAD "chunk_bytes,,64,,\ncapacity,1,3,,\nweight,2,1,,\n", ".csv:4: weights come after"},
    {IHEAD "chunk_bytes,,64,,\ncapacity,1,3,,\nweight,1,0,,\n", ".csv:4: chunks"},
    {IHEAD "chunk_bytes,,64,,\ncapacity,1,3,,\ncapacity,2,3,,\nweight,2,1,,\nweight,1,1,,\n",
     ".csv:6: weights come in order"},
    {IHEAD "layers,,64,,\n", ".csv:2: kind"},
};

START_TEST(instances_are_checked)
{
    struct plan_instance in;
    struct err err = {0};
    int rc;

    write_text(instances[_i].text);
    rc = plan_instance_read(path, &in, &err);
    if (!instances[_i].says) {
        ck_assert_msg(rc == 0, "%s", err.text);
        ck_assert_int_eq(in.problem.chunk_bytes, 64);
        ck_assert_int_eq(in.problem.m_peak, 5);
        ck_assert_int_eq(in.problem.n_layers, 2);
        ck_assert_int_eq(in.problem.layer[0].capacity, 3);
        ck_assert_double_eq(in.problem.layer[0].time_us, 1.5);
        ck_assert_int_eq(in.problem.n_weights, 2);
        ck_assert_int_eq(in.problem.weight[1].consumer, 2);
        ck_assert_int_eq(in.problem.weight[0].bytes, 128);
        ck_assert_str_eq(in.problem.weight[1].name, "w2");
        plan_instance_done(&in);
        return;
    }
    ck_assert_int_eq(rc, -EINVAL);
    ck_assert_msg(strstr(err.text, instances[_i].says) != NULL, "'%s' does not say '%s'", err.text,
                  instances[_i].says);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan_csv");
    TCase *tc = tcase_create("files");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, what_is_written_reads_back);
    tcase_add_loop_test(tc, bad_plan_files_are_refused, 0, (int)(sizeof(files) / sizeof(files[0])));
    tcase_add_test(tc, limits_hold_for_files);
    tcase_add_loop_test(tc, instances_are_checked, 0,
                        (int)(sizeof(instances) / sizeof(instances[0])));
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
