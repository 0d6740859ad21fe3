/* Which weights stay between runs: a run in time against a longest path, the choice against every
 * subset. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/schedule/keep.h"
#include "profiler/rng.h"
#include "tests/suite.h"

enum { LAYERS = 14, WEIGHTS = 10 };
#define PAGE UINT64_C(4096)

struct instance {
    struct schedule s;
    struct item item[WEIGHTS];
    int first[LAYERS + 2];
    double ns[LAYERS];
    struct keep_machine k;
};

/* Weights in order of need, all through a limit of about three of the largest. */
static void make(struct instance *x, uint64_t seed)
{
    int need = 1;

    memset(x, 0, sizeof(*x));
    x->s = (struct schedule){.n_items = WEIGHTS, .item = x->item, .n_layers = LAYERS,
                             .first_of_layer = x->first, .direct = true, .ring_bytes = UINT64_MAX};
    for (int i = 0; i < WEIGHTS; i++) {
        uint64_t bytes = (1 + rng_below(&seed, 60)) * PAGE;

        need += (int)rng_below(&seed, 3);
        need = need < LAYERS ? need : LAYERS;
        x->item[i] = (struct item){.weight = i, .layer = need, .bytes = bytes, .read_bytes = bytes,
                                   .stay_bytes = bytes, .need = need, .last_use = need,
                                   .load_layer = 1};
        x->s.read_bytes += bytes;
    }
    for (int l = 0; l < LAYERS; l++)
        x->ns[l] = 1000.0 * (double)rng_below(&seed, 200);
    x->k = (struct keep_machine){.layer_ns = x->ns, .disk_bytes_per_s = 1e9,
                                 .reserve_bytes = 3 * PAGE,
                                 .limit_bytes = 3 * PAGE + (130 + rng_below(&seed, 120)) * PAGE};
}

/* By relaxation: every "not before" rule is applied until none moves anything. */
static double longest_path(const struct instance *x, const struct schedule *s)
{
    double arrive[WEIGHTS] = {0}, end[LAYERS + 1] = {0};
    bool moved = true;

    while (moved) {
        double at_disk = 0;

        moved = false;
        for (int i = 0; i < s->n_items; i++) {
            double t;

            if (s->item[i].kept)
                continue;
            t = fmax(at_disk, end[s->item[i].after]) + (double)s->item[i].bytes; /* 1 byte a ns */
            at_disk = t;
            moved = moved || t > arrive[i];
            arrive[i] = t;
        }
        for (int l = 1; l <= LAYERS; l++) {
            double t = end[l - 1];

            for (int i = 0; i < s->n_items; i++)
                if (!s->item[i].kept && s->item[i].need <= l)
                    t = fmax(t, arrive[i]);
            t += x->ns[l - 1];
            moved = moved || t > end[l];
            end[l] = t;
        }
    }
    return end[LAYERS];
}

static int keep_these(const struct instance *x, unsigned set, struct schedule *ret_s)
{
    bool keep[WEIGHTS + 1] = {false};
    struct err err = {0};

    for (int w = 0; w < WEIGHTS; w++)
        keep[w] = set >> w & 1;
    return schedule_keep(&x->s, keep, WEIGHTS, x->k.limit_bytes, x->k.reserve_bytes, ret_s, &err);
}

START_TEST(in_time)
{
    int kept_some = 0;

    for (uint64_t seed = 0; seed < 200; seed++) {
        struct instance x;
        struct schedule s;
        double stall[LAYERS], sum = 0;

        make(&x, seed);
        if (keep_these(&x, (unsigned)(seed * 37) % (1u << WEIGHTS), &s) < 0)
            continue;
        kept_some++;
        ck_assert_double_eq_tol(keep_simulate_ns(&s, &x.k, true, stall), longest_path(&x, &s),
                                1e-3);
        for (int l = 0; l < LAYERS; l++)
            sum += stall[l] + x.ns[l];
        ck_assert_double_eq_tol(sum, longest_path(&x, &s), 1e-3); /* it runs or it waits */
        for (int i = 0; i < WEIGHTS; i++)
            s.item[i].kept = false; /* a first run reads them, into the same places */
        ck_assert_double_eq_tol(keep_simulate_ns(&s, &x.k, true, NULL), longest_path(&x, &s), 1e-3);
        schedule_done(&s);
    }
    ck_assert_int_gt(kept_some, 60);
}
END_TEST

/* Of all 1024 subsets within the budget the best one is seldom missed by much. */
START_TEST(choice)
{
    double worst = 1, log_sum = 0;
    int n = 0;

    for (uint64_t seed = 0; seed < 60; seed++) {
        struct instance x;
        struct schedule s;
        struct err err = {0};
        uint64_t budget = (20 + seed * 2) * PAGE;
        double best = INFINITY, ns;
        int rc;

        make(&x, seed);
        for (unsigned set = 0; set < 1u << WEIGHTS; set++) {
            uint64_t bytes = 0;

            for (int w = 0; w < WEIGHTS; w++)
                bytes += (set >> w & 1) * x.item[w].stay_bytes;
            if (bytes > budget || keep_these(&x, set, &s) < 0)
                continue;
            best = fmin(best, longest_path(&x, &s));
            schedule_done(&s);
        }
        rc = keep_these(&x, 0, &s);
        if (rc == 0)
            schedule_done(&s);
        else /* not even a run alone has room: refused earlier */
            continue;
        rc = keep_choose(&x.s, WEIGHTS, budget, &x.k, &s, &ns, &err);
        ck_assert_msg(rc == 0, "seed %d: %s", (int)seed, err.text);
        ck_assert_uint_le(s.kept_bytes, budget);
        ck_assert_uint_le(s.place_bytes + x.k.reserve_bytes, x.k.limit_bytes);
        ck_assert_double_eq_tol(ns, longest_path(&x, &s), 1e-3);
        worst = fmax(worst, ns / best);
        log_sum += log(ns / best);
        n++;
        schedule_done(&s);
    }
    ck_assert_int_gt(n, 40);
    ck_assert_double_lt(worst, 1.25);
    ck_assert_double_lt(exp(log_sum / n), 1.03);
}
END_TEST

/* Kept places lie apart from all others and are never given away. */
START_TEST(places_apart)
{
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct instance x;
        struct schedule s;

        make(&x, seed);
        if (keep_these(&x, 0x155, &s) < 0)
            continue;
        for (int i = 0; i < WEIGHTS; i++)
            for (int k = 0; k < WEIGHTS; k++) {
                const struct item *a = &s.item[i], *b = &s.item[k];
                bool meet = a->place < b->place + b->stay_bytes &&
                            b->place < a->place + a->stay_bytes;

                ck_assert(i == k || !a->kept || !meet);
                ck_assert_uint_le(a->place + a->stay_bytes, s.place_bytes);
            }
        schedule_done(&s);
    }
}
END_TEST

/* Through a ring: what stays is not read, the rest in the same order, nothing across the end. */
/* When all is read and items before `end` are moved. */
static double moved_at(const struct instance *x, int end)
{
    double read = 0, last = (double)x->s.read_bytes;

    for (int i = 0; i < end; i++) {
        double t = read += (double)x->item[i].bytes;

        for (int k = i; k < end; k++)
            t += x->k.move_ns_per_byte * (double)x->item[k].bytes;
        last = fmax(last, t);
    }
    return last;
}

START_TEST(ring)
{
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct instance x;
        struct schedule s, warm;
        struct err err = {0};
        bool keep[WEIGHTS + 1] = {false};
        uint64_t bytes = 0, ring = 64 * PAGE, end = 0;
        double sum;
        int k = 0;

        make(&x, seed);
        x.s.direct = false;
        x.s.ring_bytes = ring;
        for (int i = 0, l = 0; i <= WEIGHTS; i++)
            for (; l <= (i < WEIGHTS ? x.item[i].layer : LAYERS + 1); l++)
                x.first[l] = i;
        for (int w = 0; w < WEIGHTS; w++) {
            keep[w] = rng_below(&seed, 2);
            bytes += keep[w] ? 0 : x.item[w].bytes;
        }
        ck_assert_int_eq(schedule_keep(&x.s, keep, WEIGHTS, 0, 0, &s, &err), 0);
        ck_assert_int_eq(schedule_warm(&s, &warm, &err), 0);
        ck_assert_uint_eq(warm.read_bytes, bytes);
        ck_assert_uint_eq(s.kept_bytes, x.s.read_bytes - bytes);
        for (int w = 0; w < WEIGHTS; w++) {
            if (keep[w])
                continue;
            ck_assert_int_eq(warm.item[k].weight, w);
            ck_assert_uint_ge(warm.item[k].ring_pos, end);
            ck_assert_uint_le(warm.item[k].ring_pos % ring + warm.item[k].bytes, ring);
            end = warm.item[k].ring_pos + warm.item[k].bytes;
            ck_assert(warm.first_of_layer[warm.item[k].layer] <= k &&
                      k < warm.first_of_layer[warm.item[k].layer + 1]);
            k++;
        }
        ck_assert_int_eq(warm.n_items, k);
        schedule_done(&warm);
        schedule_done(&s);
        /* all preloaded through a ring: the disk, then the kernels */
        for (int w = 0; w < WEIGHTS; w++) {
            x.item[w].layer = 0;
            x.item[w].ring_pos = (uint64_t)w * ring;
        }
        for (int l = 0; l <= LAYERS + 1; l++)
            x.first[l] = l == 0 ? 0 : WEIGHTS;
        sum = (double)x.s.read_bytes; /* at a byte a ns */
        for (int l = 0; l < LAYERS; l++)
            sum += x.ns[l];
        ck_assert_double_eq_tol(keep_simulate_ns(&x.s, &x.k, false, NULL), sum, 1e-3);
        /* movers before the kernels: whatever moved them last waited for one item to come, and from
         * then on for moving alone */
        for (int k = 0; k < 4; k++) {
            int carried[LAYERS] = {2}, end_moved = k < 2 ? WEIGHTS : WEIGHTS - 2;

            x.k.move_ns_per_byte = k % 2 ? 2 : 0.5;
            x.k.carried = carried;
            for (int w = 0; w < WEIGHTS && k == 2; w++)
                x.item[w].layer = 1; /* whose kernel carries the last two */
            x.first[1] = k < 2 ? WEIGHTS : 0;
            ck_assert_double_eq_tol(keep_simulate_ns(&x.s, &x.k, false, NULL),
                                    sum - (double)x.s.read_bytes + moved_at(&x, end_moved), 1e-3);
        }
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("keep");
    TCase *t = tcase_create("all");

    tcase_add_test(t, in_time);
    tcase_add_test(t, choice);
    tcase_add_test(t, places_apart);
    tcase_add_test(t, ring);
    suite_add_tcase(s, t);
    return suite_run(s);
}
