/* T1: for fixed W, SRPT in reverse leaves the fewest weights unfinished at every layer; and the two
 * places where it is not best. The rivals are random and exhaustive schedules made here. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "tests/plan_case.h"
#include "tests/suite.h"

/* unfinished[l]: streamed weights with a chunk in layers 1..l, of consumer > l. */
static void count_unfinished(const struct plan_case *c, const struct plan *plan, int *unfinished)
{
    for (int l = 1; l <= c->p.n_layers; l++) {
        unfinished[l] = 0;
        for (int w = 0; w < c->p.n_weights; w++)
            unfinished[l] += !plan->preload[w] && c->weight[w].consumer > l &&
                             plan->load_layer[w] > 0 && plan->load_layer[w] <= l;
    }
}

/* A random work-conserving schedule in reverse; returns the number of weights left over. */
static int random_schedule(const struct plan_case *c, uint64_t *rng, int *unfinished)
{
    int remaining[CASE_WEIGHTS] = {0}, left = 0;

    for (int l = c->p.n_layers - 1; l >= 1; l--) {
        int capacity = c->layer[l - 1].capacity;

        for (int w = 0; w < c->p.n_weights; w++) {
            if (c->weight[w].consumer == l + 1)
                remaining[w] = c->weight[w].chunks;
        }
        unfinished[l] = 0;
        for (int w = 0; w < c->p.n_weights; w++)
            unfinished[l] += remaining[w] > 0;
        for (int alive = unfinished[l]; capacity > 0 && alive > 0; capacity--) {
            int w = (int)rng_below(rng, (uint64_t)c->p.n_weights);

            while (remaining[w] == 0)
                w = (w + 1) % c->p.n_weights;
            alive -= --remaining[w] == 0;
        }
    }
    for (int w = 0; w < c->p.n_weights; w++)
        left += remaining[w] > 0;
    return left;
}

START_TEST(no_schedule_beats_srpt)
{
    uint64_t rng = 1;

    for (int i = 0; i < case_fuzz(1500); i++) {
        struct plan_case c;
        struct plan *plan;
        int srpt[CASE_LAYERS] = {0}, rival[CASE_LAYERS] = {0}, left = 0, rc;

        case_random(&c, &rng, 12, 10, 5, 7);
        plan = plan_new(&c.p);
        for (int w = 0; w < c.p.n_weights; w++)
            plan->preload[w] = c.weight[w].consumer == 1;
        rc = plan_serve(&c.p, SERVE_SHORTEST, plan, &left);
        ck_assert(rc == 0 || (rc == -ENOSPC && left > 0));
        if (rc == 0)
            count_unfinished(&c, plan, srpt);
        for (int k = 0; k < 40; k++) {
            int short_by = random_schedule(&c, &rng, rival);

            ck_assert_int_le(left, short_by);
            for (int l = 1; rc == 0 && l < c.p.n_layers; l++)
                ck_assert_msg(srpt[l] <= rival[l], "case %d, layer %d: %d > %d", i, l, srpt[l],
                              rival[l]);
        }
        if (rc == 0) {
            plan_sum_up(&c.p, plan);
            ck_assert_int_eq(plan_check(&c.p, plan, false, NULL, NULL, NULL), 0);
        }
        plan_free(plan);
    }
}
END_TEST

/* All schedules of a tiny problem, work-conserving or not, with idle capacity allowed: the least
 * sum of `each[w]` * distance. In reverse from layer l, weight w next. -1: none is complete. */
struct exhaustive {
    const struct plan_case *c;
    int remaining[CASE_WEIGHTS], first[CASE_WEIGHTS];
    const int *each;
};

static int best_from(struct exhaustive *e, int l, int w, int capacity)
{
    int best = -1, most;

    if (w == e->c->p.n_weights) {
        int sum = 0;

        if (l > 1)
            return best_from(e, l - 1, 0, e->c->layer[l - 2].capacity);
        for (int i = 0; i < e->c->p.n_weights; i++) {
            if (e->remaining[i] > 0)
                return -1;
            sum += e->each[i] * (e->c->weight[i].consumer - e->first[i]);
        }
        return sum;
    }
    most = e->c->weight[w].consumer > l ? e->remaining[w] : 0;
    for (int x = 0; x <= most && x <= capacity; x++) {
        int first = e->first[w], got;

        e->remaining[w] -= x;
        e->first[w] = x > 0 ? l : first;
        got = best_from(e, l, w + 1, capacity - x);
        e->remaining[w] += x;
        e->first[w] = first;
        if (got >= 0 && (best < 0 || got < best))
            best = got;
    }
    return best;
}

static int best_schedule(const struct plan_case *c, const int *each)
{
    struct exhaustive e = {.c = c, .each = each};

    for (int w = 0; w < c->p.n_weights; w++)
        e.remaining[w] = c->weight[w].chunks;
    return best_from(&e, c->p.n_layers, 0, c->layer[c->p.n_layers - 1].capacity);
}

START_TEST(srpt_is_least_of_all_schedules)
{
    static const int one[CASE_WEIGHTS] = {1, 1, 1, 1, 1, 1, 1, 1};
    uint64_t rng = 2;
    int solved = 0;

    for (int i = 0; i < 400; i++) {
        struct plan_case c;
        struct plan *plan;
        int left, rc;

        case_random(&c, &rng, 5, 3, 3, 3);
        plan = plan_new(&c.p);
        /* weights of layer 1 cannot be finished: also right */
        rc = plan_serve(&c.p, SERVE_SHORTEST, plan, &left);
        plan_sum_up(&c.p, plan);
        ck_assert_int_eq(rc == 0 ? plan->objective : -1, best_schedule(&c, one));
        solved += rc == 0;
        plan_free(plan);
    }
    ck_assert_int_gt(solved, 50);
}
END_TEST

/* planner.md, "not true": distance weighed by bytes. C = 1,2,1; (i,T) = (3,1),(3,2). */
START_TEST(not_least_weighed_by_bytes)
{
    static const int capacity[] = {1, 2, 1}, weight[][2] = {{3, 1}, {3, 2}}, by_bytes[] = {1, 2};
    struct plan_case c;
    struct plan *plan;
    int weighed = 0;

    case_make(&c, 3, capacity, 2, weight);
    plan = plan_new(&c.p);
    ck_assert_int_eq(plan_serve(&c.p, SERVE_SHORTEST, plan, NULL), 0);
    for (int w = 0; w < 2; w++)
        weighed += by_bytes[w] * (weight[w][0] - plan->load_layer[w]);
    ck_assert_int_eq(weighed, 5);
    ck_assert_int_eq(best_schedule(&c, by_bytes), 4);
    plan_free(plan);
}
END_TEST

/* planner.md, "not true": reading U. C = 3,3,3,2,3; (3,3),(4,2),(4,3); M = 5. */
START_TEST(not_least_resident_whole)
{
    static const int capacity[] = {3, 3, 3, 2, 3}, weight[][2] = {{3, 3}, {4, 2}, {4, 3}};
    struct plan_case c;
    struct plan *plan;
    struct err err = {0};
    int64_t peak;

    case_make(&c, 5, capacity, 3, weight);
    c.p.limit = LIMIT_UNIFIED;
    c.p.m_peak = 100;
    plan = plan_new(&c.p);
    ck_assert_int_eq(plan_serve(&c.p, SERVE_SHORTEST, plan, NULL), 0);
    plan_sum_up(&c.p, plan);
    ck_assert_int_eq(plan_check(&c.p, plan, false, NULL, &peak, &err), 0);
    ck_assert_int_eq(peak, 6);
    c.p.m_peak = 5;
    ck_assert_int_eq(plan_check(&c.p, plan, false, NULL, &peak, &err), -EPROTO);
    ck_assert_ptr_nonnull(strstr(err.text, "C2 (unified)"));
    plan_free(plan);

    plan = plan_new(&c.p);
    ck_assert_int_eq(plan_add_move(plan, 1, 1, 2), 0);
    ck_assert_int_eq(plan_add_move(plan, 0, 1, 1), 0);
    ck_assert_int_eq(plan_add_move(plan, 0, 2, 2), 0);
    ck_assert_int_eq(plan_add_move(plan, 2, 3, 3), 0);
    plan_sort_moves(plan);
    plan_sum_up(&c.p, plan);
    ck_assert_int_eq(plan_check(&c.p, plan, false, NULL, &peak, &err), 0);
    ck_assert_int_eq(peak, 5);
    plan_free(plan);

    /* The second rule of service finds such a schedule. */
    plan = plan_new(&c.p);
    ck_assert_int_eq(plan_serve(&c.p, SERVE_IN_TURN, plan, NULL), 0);
    plan_sum_up(&c.p, plan);
    ck_assert_msg(plan_check(&c.p, plan, false, NULL, &peak, &err) == 0, "%s", err.text);
    plan_free(plan);
}
END_TEST

START_TEST(destinations_are_limited)
{
    uint64_t rng = 3;

    for (int i = 0; i < 500; i++) {
        struct plan_case c;
        struct plan *plan;

        case_random(&c, &rng, 12, 12, 9, 4);
        c.p.max_loads = 1 + (int)rng_below(&rng, 3);
        plan = plan_new(&c.p);
        for (int w = 0; w < c.p.n_weights; w++)
            plan->preload[w] = c.weight[w].consumer == 1 || rng_below(&rng, 2);
        if (plan_serve(&c.p, SERVE_SHORTEST, plan, NULL) == 0) {
            struct err err = {0};

            plan_sum_up(&c.p, plan);
            ck_assert_msg(plan_check(&c.p, plan, false, NULL, NULL, &err) == 0, "%s", err.text);
        }
        plan_free(plan);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan_srpt");
    TCase *tc = tcase_create("srpt");

    tcase_add_test(tc, no_schedule_beats_srpt);
    tcase_add_test(tc, srpt_is_least_of_all_schedules);
    tcase_add_test(tc, not_least_weighed_by_bytes);
    tcase_add_test(tc, not_least_resident_whole);
    tcase_add_test(tc, destinations_are_limited);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
