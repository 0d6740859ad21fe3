/* The checker: a good plan passes, with sums worked out by hand; each way of spoiling it is refused
 * with the right constraint. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "tests/plan_case.h"
#include "tests/suite.h"

/* Five layers; w0 is the first layer's, w1 and w2 are streamed, w3 is preloaded.
 *   layer        1   2   3   4   5
 *   capacity     3   2   2   1   4
 *   moves        w1  w2  w2
 *                2   1   2          w1: consumer 3, w2: consumer 4; w3: consumer 5, 4 chunks */
static const int capacity[] = {3, 2, 2, 1, 4};
static const int weight[][2] = {{1, 2}, {3, 2}, {4, 3}, {5, 4}};

static struct plan *good_plan(struct plan_case *c)
{
    struct plan *plan;

    case_make(c, 5, capacity, 4, weight);
    plan = plan_new(&c->p);
    plan->preload[0] = plan->preload[3] = true;
    plan_add_move(plan, 1, 1, 2);
    plan_add_move(plan, 2, 2, 1);
    plan_add_move(plan, 2, 3, 2);
    plan->load_layer[1] = 1;
    plan->load_layer[2] = 2;
    plan->objective = 9 * (2 + 4) + (3 - 1) + (4 - 2);
    plan->preloaded = 6;
    plan->preloaded_bytes = 199 + 399;
    return plan;
}

START_TEST(accepts_a_good_plan)
{
    struct plan_case c;
    struct plan *plan = good_plan(&c);
    struct err err = {0};
    int64_t objective, peak;

    c.p.max_loads = 1;
    ck_assert_msg(plan_check(&c.p, plan, false, &objective, &peak, &err) == 0, "%s", err.text);
    ck_assert_int_eq(objective, 58);
    /* No limit: the resident reading. Layer 0 holds 6; layer 1 w1 2 + w3 4; layer 2 w1 2 + w2 1 +
     * w3 4; layer 3 w2 3 + w3 4. */
    ck_assert_int_eq(peak, 7);
    plan_free(plan);
}
END_TEST

/* The same plan by count of weights, 1:3. */
START_TEST(prices_by_count)
{
    struct plan_case c;
    struct plan *plan = good_plan(&c);
    int64_t objective;

    c.p.price = PRICE_COUNT;
    c.p.a = 1;
    c.p.b = 3;
    plan->objective = 1 * 2 + 3 * 4;
    ck_assert_int_eq(plan_check(&c.p, plan, false, &objective, NULL, NULL), 0);
    ck_assert_int_eq(objective, 14);
    plan_free(plan);
}
END_TEST

/* Peaks by hand. streamed: layer 2 holds w1 2 + w2 1, layer 3 w2 3. unified: layer 2 holds w1 and
 * w2 whole. literal: layer 1 or 3 moves 2. With a last use of w1 in layer 4, resident and unified
 * hold it in layer 3 too. */
static const struct {
    enum plan_limit limit;
    int last_use;
    int64_t peak;
} readings[] = {
    {LIMIT_STREAMED, 3, 3}, {LIMIT_RESIDENT, 3, 7}, {LIMIT_UNIFIED, 3, 5}, {LIMIT_LITERAL, 3, 2},
    {LIMIT_STREAMED, 4, 3}, {LIMIT_RESIDENT, 4, 9}, {LIMIT_UNIFIED, 4, 5}, {LIMIT_LITERAL, 4, 2},
};

START_TEST(every_reading_has_its_peak)
{
    struct plan_case c;
    struct plan *plan = good_plan(&c);
    struct err err = {0};
    int64_t peak;

    c.p.limit = readings[_i].limit;
    c.weight[1].last_use = readings[_i].last_use;
    c.p.m_peak = readings[_i].peak;
    ck_assert_msg(plan_check(&c.p, plan, false, NULL, &peak, &err) == 0, "%s", err.text);
    ck_assert_int_eq(peak, readings[_i].peak);
    c.p.m_peak--;
    ck_assert_int_eq(plan_check(&c.p, plan, false, NULL, NULL, &err), -EPROTO);
    ck_assert_ptr_nonnull(strstr(err.text, "C2"));
    plan_free(plan);
}
END_TEST

/* Everything really there: layer 0 and 1 hold w0 2 + w3 4 (+ w1 2 from layer 1), layer 2 w1 2 + w2
 * 3
 * + w3 4, layer 3 the same, because it reads w1; layer 4 w2 3 + w3 4. */
START_TEST(total_counts_what_the_layer_reads)
{
    struct plan_case c;
    struct plan *plan = good_plan(&c);
    struct err err = {0};
    int64_t peak;

    c.p.m_total = 9;
    ck_assert_msg(plan_check(&c.p, plan, false, NULL, &peak, &err) == 0, "%s", err.text);
    ck_assert_int_eq(peak, 9);
    c.p.m_total = 8;
    ck_assert_int_eq(plan_check(&c.p, plan, false, NULL, NULL, &err), -EPROTO);
    ck_assert_ptr_nonnull(strstr(err.text, "memory: layer 2"));
    plan_free(plan);
}
END_TEST

static void a_chunk_too_few(struct plan_case *c, struct plan *p)
{
    (void)c;
    p->move[2].chunks = 1;
}
static void a_chunk_too_many(struct plan_case *c, struct plan *p)
{
    c->layer[2].capacity = 9;
    p->move[2].chunks = 3;
}
static void no_chunk(struct plan_case *c, struct plan *p)
{
    (void)c;
    p->move[1].chunks = 0;
}
static void negative_chunks(struct plan_case *c, struct plan *p)
{
    (void)c;
    p->move[1].chunks = -1;
    p->move[2].chunks = 4;
}
static void moved_at_its_consumer(struct plan_case *c, struct plan *p)
{
    (void)c;
    p->move[2].layer = 4;
}
static void unknown_layer(struct plan_case *c, struct plan *p)
{
    (void)c;
    p->move[2].layer = 6;
}
static void layer_zero(struct plan_case *c, struct plan *p)
{
    (void)c;
    p->move[0].layer = 0;
}
static void unknown_weight(struct plan_case *c, struct plan *p)
{
    (void)c;
    p->move[0].weight = 4;
}
static void out_of_order(struct plan_case *c, struct plan *p)
{
    struct plan_move m = p->move[0];

    (void)c;
    p->move[0] = p->move[1];
    p->move[1] = m;
}
static void moved_twice(struct plan_case *c, struct plan *p)
{
    (void)c;
    p->move[2].layer = 2;
}
static void over_capacity(struct plan_case *c, struct plan *p)
{
    (void)p;
    c->layer[2].capacity = 1;
}
static void preloaded_and_moved(struct plan_case *c, struct plan *p)
{
    (void)c;
    p->preload[1] = true;
}
static void neither_nor(struct plan_case *c, struct plan *p)
{
    (void)c;
    p->preload[3] = false;
}
static void first_layer_not_preloaded(struct plan_case *c, struct plan *p)
{
    (void)c;
    p->preload[0] = false;
}
static void forced_not_preloaded(struct plan_case *c, struct plan *p)
{
    (void)p;
    c->weight[1].forced = true;
}
static void load_layer_late(struct plan_case *c, struct plan *p)
{
    (void)c;
    p->load_layer[2] = 3;
}
static void load_layer_early(struct plan_case *c, struct plan *p)
{
    (void)c;
    p->load_layer[2] = 1;
}
static void load_layer_of_preloaded(struct plan_case *c, struct plan *p)
{
    (void)c;
    p->load_layer[3] = 1;
}
static void wrong_objective(struct plan_case *c, struct plan *p)
{
    (void)c;
    p->objective--;
}
static void wrong_preloaded(struct plan_case *c, struct plan *p)
{
    (void)c;
    p->preloaded--;
}
static void wrong_bytes(struct plan_case *c, struct plan *p)
{
    (void)c;
    p->preloaded_bytes++;
}
static void too_many_destinations(struct plan_case *c, struct plan *p)
{
    c->p.max_loads = 1;
    c->layer[1].capacity = 9;
    p->move[0].layer = 2;
    p->load_layer[1] = 2;
    p->objective--;
}

static const struct {
    void (*spoil)(struct plan_case *c, struct plan *p);
    const char *says;
} faults[] = {
    {a_chunk_too_few, "C0: weight 'w2': 2 of 3"},
    {a_chunk_too_many, "C0: weight 'w2': 4 of 3"},
    {no_chunk, "moves '0' chunks"},
    {negative_chunks, "moves '-1' chunks"},
    {moved_at_its_consumer, "C0: weight 'w2' is moved in layer 4"},
    {unknown_layer, "no layer '6'"},
    {layer_zero, "no layer '0'"},
    {unknown_weight, "no weight '4'"},
    {out_of_order, "not in order"},
    {moved_twice, "moved twice"},
    {over_capacity, "C3: layer 3 moves 2 chunks, its capacity is 1"},
    {preloaded_and_moved, "preloaded and moved"},
    {neither_nor, "C0: weight 'w3': 0 of 4"},
    {first_layer_not_preloaded, "read by layer 1"},
    {forced_not_preloaded, "has to be preloaded"},
    {load_layer_late, "C1: weight 'w2'"},
    {load_layer_early, "C1: weight 'w2'"},
    {load_layer_of_preloaded, "C1: weight 'w3'"},
    {wrong_objective, "objective"},
    {wrong_preloaded, "preloaded"},
    {wrong_bytes, "preloaded"},
    {too_many_destinations, "carries 2 destinations"},
};

START_TEST(refuses_a_spoilt_plan)
{
    struct plan_case c;
    struct plan *plan = good_plan(&c);
    struct err err = {0};
    int64_t objective = -7, peak = -7;

    faults[_i].spoil(&c, plan);
    ck_assert_int_eq(plan_check(&c.p, plan, false, &objective, &peak, &err), -EPROTO);
    ck_assert_msg(strstr(err.text, faults[_i].says) != NULL, "'%s' does not say '%s'", err.text,
                  faults[_i].says);
    ck_assert(objective == -7 && peak == -7);
    plan_free(plan);
}
END_TEST

START_TEST(capacity_can_be_left_out)
{
    struct plan_case c;
    struct plan *plan = good_plan(&c);

    over_capacity(&c, plan);
    ck_assert_int_eq(plan_check(&c.p, plan, true, NULL, NULL, NULL), 0);
    plan_free(plan);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan_check");
    TCase *tc = tcase_create("check");

    tcase_add_test(tc, accepts_a_good_plan);
    tcase_add_test(tc, prices_by_count);
    tcase_add_loop_test(tc, every_reading_has_its_peak, 0,
                        (int)(sizeof(readings) / sizeof(readings[0])));
    tcase_add_test(tc, total_counts_what_the_layer_reads);
    tcase_add_loop_test(tc, refuses_a_spoilt_plan, 0, (int)(sizeof(faults) / sizeof(faults[0])));
    tcase_add_test(tc, capacity_can_be_left_out);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
