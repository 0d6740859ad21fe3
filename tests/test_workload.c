/* What queues are made of, without a device: workloads, and one limit for several ledgers. */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/queue/share.h"
#include "harness/queue/workload.h"
#include "operators/tensor.h"
#include "tests/folder.h"
#include "tests/suite.h"

#define N(a) ((int)(sizeof(a) / sizeof(*(a))))

/* ---- workloads ---- */

static const char *write_text(const char *text)
{
    const char *path = in_folder("w.csv");
    FILE *f = fopen(path, "w");

    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    ck_assert_int_eq(fclose(f), 0);
    return path;
}

START_TEST(workload_rows)
{
    struct workload w;
    struct err err = {0};

    ck_assert_msg(workload_read(write_text("flashmem-workload,1\n"
                                           "model,arrival,priority,repeat,dtype,seed\n"
                                           "A,,,3,,\n"
                                           "B,20ms,7,2,f16,9\n"),
                                0, &w, &err) == 0, "%s", err.text);
    ck_assert_int_eq(w.n, 5);
    ck_assert_str_eq(w.request[2].model, "A");
    ck_assert_int_eq(w.request[2].dtype, -1);
    ck_assert_int_eq(w.request[2].seed, -1);
    ck_assert_uint_eq(w.request[3].arrive_ns, 20000000);
    ck_assert_int_eq(w.request[4].priority, 7);
    ck_assert_int_eq(w.request[4].dtype, DTYPE_F16);
    ck_assert_int_eq(w.request[4].seed, 9);
    workload_done(&w);
    /* --iterations speaks of what is not urgent */
    ck_assert_int_eq(workload_read(in_folder("w.csv"), 10, &w, &err), 0);
    ck_assert_int_eq(w.n, 12);
    workload_done(&w);
}
END_TEST

static const struct {
    const char *rows, *message;
} bad[] = {
    {"model\n", "no rows"},
    {"model,repeat\nA,0\n", "w.csv:3: repeat: "},
    {"model,repeat\nA,10001\n", "w.csv:3: repeat: "},
    {"model,repeat\nA,10000\nB,1\n", "more than 10000"},
    {"model,arrival\nA,2s\nB,1s\n", "w.csv:4: arrival: '1s' is before"},
    {"model,arrival\nA,soon\n", "w.csv:3: arrival: "},
    {"model,priority\nA,101\n", "w.csv:3: priority: "},
    {"model,dtype\nA,f64\n", "w.csv:3: dtype: want f32 or f16, got 'f64'"},
    {"model,colour\nA,red\n", "colour"},
    {"model,seed\n\"\",1\n", "w.csv:3: model: "},
};

START_TEST(workload_refused)
{
    char text[256];
    struct workload w;
    struct err err = {0};

    snprintf(text, sizeof(text), "flashmem-workload,1\n%s", bad[_i].rows);
    ck_assert_int_lt(workload_read(write_text(text), 0, &w, &err), 0);
    ck_assert_msg(strstr(err.text, bad[_i].message) != NULL, "%s", err.text);
}
END_TEST

/* What arrives together changes places, as the seed says; every place is as likely. */
START_TEST(shuffled)
{
    struct workload w;
    struct err err = {0};
    int first[5] = {0};

    write_text("flashmem-workload,1\nmodel,arrival\nA,0s\nB,0s\nC,0s\nD,0s\nE,0s\nF,1s\nG,1s\n");
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        char order[2][8] = {"", ""};

        for (int twice = 0; twice < 2; twice++) {
            ck_assert_int_eq(workload_read(in_folder("w.csv"), 0, &w, &err), 0);
            workload_shuffle(&w, seed);
            for (int i = 0; i < w.n; i++)
                order[twice][i] = w.request[i].model[0];
            workload_done(&w);
        }
        ck_assert_str_eq(order[0], order[1]);
        for (char c = 'A'; c <= 'G'; c++) {
            const char *at = strchr(order[0], c);

            ck_assert_ptr_nonnull(at);
            ck_assert_int_eq(at - order[0] >= 5, c >= 'F');
        }
        first[order[0][0] - 'A']++;
    }
    for (int i = 0; i < 5; i++) /* 400 expected, standard deviation 18 */
        ck_assert(first[i] > 310 && first[i] < 490);
}
END_TEST

/* ---- one limit for several ---- */

struct asker {
    struct mem *mem;
    uint64_t bytes;
    int rc;
    atomic_bool back;
};

static void *ask(void *arg)
{
    struct asker *a = arg;

    a->rc = mem_charge(a->mem, MEM_HOST, a->bytes, "more", NULL);
    a->back = true;
    return NULL;
}

static void open_account(struct share *s, bool urgent, struct share_account **a, struct mem **mem)
{
    ck_assert_int_eq(share_open(s, urgent, a, NULL), 0);
    ck_assert_int_eq(mem_new(0, mem, NULL), 0);
    mem_set_above(*mem, share_above(*a));
}

/* Of 100 bytes: the first has been promised 60, 10 are kept for urgent ones; who reads ahead may
 * have 30, and waits for the rest until the promise falls. */
START_TEST(who_waits)
{
    struct share_account *first, *ahead, *urgent;
    struct mem *a, *b, *u;
    struct asker asker;
    struct share *s;
    struct err err = {0};
    pthread_t t;

    ck_assert_int_eq(share_new(100, &s, NULL), 0);
    open_account(s, false, &first, &a);
    open_account(s, false, &ahead, &b);
    open_account(s, true, &urgent, &u);
    share_promise(first, 60);
    share_set_aside(s, 10);
    ck_assert_int_eq(mem_charge(a, MEM_HOST, 20, "x", NULL), 0);
    ck_assert_int_eq(mem_charge(b, MEM_HOST, 30, "x", NULL), 0);
    asker = (struct asker){.mem = b, .bytes = 25};
    ck_assert_int_eq(pthread_create(&t, NULL, ask, &asker), 0);
    usleep(20000);
    ck_assert(!asker.back);
    ck_assert_int_eq(mem_charge(a, MEM_HOST, 40, "x", NULL), 0); /* as promised, at once */
    share_promise(urgent, 10);
    ck_assert_int_eq(mem_charge(u, MEM_HOST, 10, "x", NULL), 0); /* as kept */
    ck_assert_int_eq(mem_charge(a, MEM_HOST, 1, "too much", &err), -ENOMEM);
    ck_assert_ptr_nonnull(strstr(err.text, "too much"));
    ck_assert_uint_eq(mem_live(a), 60); /* nothing of it stayed */
    ck_assert_uint_eq(share_take_peak(first), 60);
    mem_release(a, MEM_HOST, 50);
    usleep(20000);
    ck_assert(!asker.back); /* 60 are promised all the same */
    share_promise(first, 30);
    pthread_join(t, NULL);
    ck_assert_int_eq(asker.rc, 0);
    ck_assert_uint_eq(mem_live(share_ledger(s)), 10 + 55 + 10);
    ck_assert_uint_eq(share_take_peak(first), 60);
    ck_assert_uint_eq(share_take_peak(first), 10);
    asker = (struct asker){.mem = b, .bytes = 50};
    ck_assert_int_eq(pthread_create(&t, NULL, ask, &asker), 0);
    share_cancel(s, true);
    pthread_join(t, NULL);
    ck_assert_int_eq(asker.rc, -EINTR);
    ck_assert_uint_eq(mem_live(b), 55);
    mem_free(a);
    mem_free(b);
    mem_free(u);
    share_close(first);
    share_close(ahead);
    share_close(urgent);
    share_free(s);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("workload");
    TCase *t = tcase_create("all");

    tcase_add_unchecked_fixture(t, folder_make, folder_remove);
    tcase_add_test(t, workload_rows);
    tcase_add_loop_test(t, workload_refused, 0, N(bad));
    tcase_add_test(t, shuffled);
    tcase_add_test(t, who_waits);
    suite_add_tcase(s, t);
    return suite_run(s);
}
