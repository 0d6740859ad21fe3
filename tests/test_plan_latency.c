/* The latency planner against every plan there is of small problems, each replayed in simulated
 * time: whatever weights are preloaded, in whatever order chunks move. And the slope trick against
 * the search, the simulator against times worked out by hand. */
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include "harness/model/model.h"
#include "harness/plan/latency/reach.h"
#include "harness/plan/latency/window.h"
#include "tests/plan_case.h"
#include "tests/suite.h"

struct latency_case {
    struct plan_case c;
    struct plan_curve curve[CASE_LAYERS];
};

/* Convex curves with knots at odd places; a third of the layers carries nothing. */
static void random_curves(struct latency_case *k, uint64_t *rng)
{
    for (int l = 0; l < k->c.p.n_layers; l++) {
        struct plan_curve *y = &k->curve[l];
        double slope = rng_below(rng, 2) ? 0 : rng_unit(rng);
        double ns = 10 + (double)rng_below(rng, 200);

        *y = (struct plan_curve){.n = 1, .ns = {ns}, .most_bytes = 250 + 100 * rng_unit(rng)};
        for (; y->n < 4; y->n++) {
            double bytes = 20 + (double)rng_below(rng, 200);

            y->bytes[y->n] = y->bytes[y->n - 1] + bytes;
            y->ns[y->n] = y->ns[y->n - 1] + bytes * slope;
            slope += 0.7 * rng_unit(rng);
        }
        k->c.layer[l].time_us = ns / 1e3;
        k->c.layer[l].curve = rng_below(rng, 3) ? y : NULL;
    }
}

/* Bytes are whole chunks of 100, so that a curve of whole units is every plan's. */
static void random_latency(struct latency_case *k, uint64_t *rng, int max_layers, int max_weights,
                           int max_chunks)
{
    struct plan_problem *p = &k->c.p;

    case_random(&k->c, rng, max_layers, max_weights, 3, max_chunks);
    random_curves(k, rng);
    for (int w = 0; w < p->n_weights; w++) {
        struct plan_weight *y = &k->c.weight[w];

        y->bytes = 100 * (uint64_t)y->chunks;
        y->forced = rng_below(rng, 12) == 0;
        if (rng_below(rng, 5) == 0)
            y->last_use += (int)rng_below(rng, (uint64_t)(p->n_layers - y->consumer + 1));
    }
    p->disk_bytes_per_s = rng_below(rng, 8) ? 1e9 * (0.2 + 3 * rng_unit(rng)) : (double)INFINITY;
    p->limit = (enum plan_limit)rng_below(rng, 4);
    p->m_peak = rng_below(rng, 3) ? (int64_t)rng_below(rng, 12) : -1;
    p->m_total = rng_below(rng, 2) ? 1 + (int64_t)rng_below(rng, 15) : 0;
    p->ring = rng_below(rng, 2) ? 1 + (int64_t)rng_below(rng, 5) : 0;
    p->max_loads = (int)rng_below(rng, 3);
}

/* Every plan: each weight is preloaded, or its chunks go to earlier layers in every way. */
struct every {
    const struct plan_problem *p;
    struct plan *plan;
    int x[CASE_WEIGHTS][CASE_LAYERS + 1];
    double best;
    long plans;
};

static void try_plan(struct every *e)
{
    struct plan *plan = e->plan;
    double ns;

    plan->n_moves = 0;
    free(plan->move);
    plan->move = NULL;
    for (int l = 1; l <= e->p->n_layers; l++) {
        for (int w = 0; w < e->p->n_weights; w++) {
            if (e->x[w][l] > 0)
                must(plan_add_move(plan, w, l, e->x[w][l]) == 0, "out of memory");
        }
    }
    e->plans++;
    plan_sum_up(e->p, plan);
    if (plan_check(e->p, plan, true, NULL, NULL, NULL) < 0)
        return;
    for (int i = 0, l = 0; i < plan->n_moves; i++) { /* beyond its samples, or the ring */
        double bytes = 0;

        l = plan->move[i].layer;
        for (int k = 0; k < plan->n_moves; k++)
            bytes += plan->move[k].layer == l ? 100 * plan->move[k].chunks : 0;
        if (!e->p->layer[l - 1].curve || bytes > e->p->layer[l - 1].curve->most_bytes ||
            (e->p->ring > 0 && bytes > 100 * (double)e->p->ring))
            return;
    }
    ns = plan_simulate_ns(e->p, plan);
    if (!isnan(ns) && ns < e->best)
        e->best = ns;
}

static void every_plan(struct every *e, int w, int layer, int left)
{
    if (w == e->p->n_weights) {
        try_plan(e);
        return;
    }
    if (layer == 0) { /* a new weight */
        e->plan->preload[w] = true;
        every_plan(e, w + 1, 0, 0);
        e->plan->preload[w] = false;
        if (!plan_must_preload(e->p, w))
            every_plan(e, w, 1, e->p->weight[w].chunks);
        return;
    }
    if (layer == e->p->weight[w].consumer) {
        if (left == 0)
            every_plan(e, w + 1, 0, 0);
        return;
    }
    for (int n = 0; n <= left; n++) {
        e->x[w][layer] = n;
        every_plan(e, w, layer + 1, left - n);
    }
    e->x[w][layer] = 0;
}

static double brute_force(const struct plan_problem *p)
{
    struct every e = {.p = p, .plan = plan_new(p), .best = INFINITY};

    every_plan(&e, 0, 0, 0);
    plan_free(e.plan);
    return e.best;
}

START_TEST(no_plan_is_faster_than_the_bound)
{
    uint64_t rng = 5;
    int fits = 0, optimal = 0, best = 0, stuck = 0;

    for (int i = 0; i < case_fuzz(2500); i++) {
        struct latency_case k;
        struct plan *plan;
        struct err err = {0};
        double least;

        random_latency(&k, &rng, 6, 4, 3);
        least = brute_force(&k.c.p);
        ck_assert_msg(plan_make(&policy_latency, &k.c.p, &plan, &err) == 0, "%d: %s", i, err.text);
        if (!isinf(least)) {
            fits++;
            stuck += isnan(plan->latency_bound_ns);
            ck_assert_msg(!(plan->latency_bound_ns > least * (1 + 1e-9)),
                          "%d: bound %g, brute force %g", i, plan->latency_bound_ns, least);
            ck_assert_msg(!(plan->latency_ns < least * (1 - 1e-9)) || isnan(plan->latency_bound_ns),
                          "%d: %g, brute force %g", i, plan->latency_ns, least);
            if (plan->status == PLAN_OPTIMAL) {
                ck_assert_double_eq_tol(plan->latency_ns, least, PLAN_TOLERANCE * least);
                optimal++;
            }
            best += fabs(plan->latency_ns - least) < 1e-6 * least;
        }
        plan_free(plan);
    }
    ck_assert_int_gt(fits, 600);
    ck_assert_msg(10 * optimal > 5 * fits, "%d of %d proven", optimal, fits);
    ck_assert_msg(10 * best > 7 * fits, "%d of %d the best", best, fits);
    ck_assert_msg(10 * stuck < 2 * fits, "%d of %d without a plan of its own", stuck, fits);
    printf("of %d: %d the best, %d proven, %d of lc-opg's\n", fits, best, optimal, stuck);
}
END_TEST

/* Last chunks in part: the stream's units are none of the weights', and a plan there is, of its own or instead. */
START_TEST(weights_of_odd_bytes)
{
    uint64_t rng = 13;
    int own = 0;

    for (int i = 0; i < case_fuzz(2500); i++) {
        struct latency_case k;
        struct plan *plan;
        struct err err = {0};

        random_latency(&k, &rng, 14, 14, 3);
        for (int w = 0; w < k.c.p.n_weights; w++)
            k.c.weight[w].bytes -= rng_below(&rng, 100);
        ck_assert_msg(plan_make(&policy_latency, &k.c.p, &plan, &err) == 0, "%d: %s", i, err.text);
        own += plan->latency_bound_ns > 0;
        plan_free(plan);
    }
    ck_assert_int_gt(own, 600);
}
END_TEST

/* What whole images cost is no more than the best of all plans takes, whatever its order, and often
 * more than the fluid problem knows. */
START_TEST(windows_bound_every_plan)
{
    uint64_t rng = 9;
    int fits = 0, above = 0;

    for (int i = 0; i < case_fuzz(1500); i++) {
        struct latency_case k;
        struct plan_problem *p = &k.c.p;
        struct stream s;
        struct slopes v;
        double least, ns;

        random_latency(&k, &rng, 6, 3, 5);
        p->m_peak = -1;
        p->m_total = 4 + (int64_t)rng_below(&rng, 4);
        p->ring = p->max_loads = 0;
        for (int l = 0; l < p->n_layers; l++)
            k.c.layer[l].curve = &k.curve[l];
        least = brute_force(p);
        if (isinf(least))
            continue;
        fits++;
        ck_assert_int_eq(stream_make(p, true, &s), 0);
        ck_assert_int_eq(slopes_make(&s, NULL, &v, NULL), 0);
        ck_assert_int_eq(window_bound(&s, least, UINT64_MAX, &ns), 0);
        ck_assert_msg(ns <= least * (1 + 1e-9), "%d: %g, brute force %g", i, ns, least);
        above += ns > slopes_least(&v) * (1 + 1e-6);
        slopes_done(&v);
        stream_done(&s);
    }
    ck_assert_int_gt(fits, 300);
    ck_assert_msg(40 * above > fits, "%d of %d", above, fits);
    printf("of %d: %d windows raise the bound\n", fits, above);
}
END_TEST

/* T7: without a disk, the slope trick, the search and the curve that it names agree. */
START_TEST(slope_trick_is_the_search_without_a_disk)
{
    uint64_t rng = 6;
    int compared = 0;

    for (int i = 0; i < case_fuzz(1500); i++) {
        struct latency_case k;
        struct stream s;
        struct slopes v;
        struct reach_found f;
        int units[CASE_LAYERS + 1];
        double ns = 0;

        random_latency(&k, &rng, 14, 12, 6);
        k.c.p.disk_bytes_per_s = INFINITY;
        k.c.p.ring = 0;
        if (k.c.p.limit != LIMIT_LITERAL) /* V knows boxes; without a ring, A, B and U also limit */
            k.c.p.m_peak = -1;            /* what is read, by what layers before have freed */
        ck_assert_int_eq(stream_make(&k.c.p, true, &s), 0);
        if (slopes_make(&s, NULL, &v, NULL) < 0) {
            stream_done(&s);
            continue;
        }
        ck_assert_int_eq(reach_search(&(struct reach_slopes){.kernels = &v}, 4096, INFINITY,
                                      INT_MAX, UINT64_MAX, units, &f),
                         0);
        ck_assert(f.found);
        ck_assert_double_eq_tol(f.ns, slopes_least(&v), 1e-9 * f.ns + 0.02);
        ck_assert_int_eq(slopes_curve(&v, NULL, units), 0);
        for (int l = 1; l <= k.c.p.n_layers; l++)
            ns += plan_layer_ns(&k.c.layer[l - 1], s.at[units[l]] - s.at[units[l - 1]]);
        ck_assert_double_eq_tol(ns, slopes_least(&v), 1e-9 * ns);
        compared++;
        slopes_done(&v);
        stream_done(&s);
    }
    ck_assert_int_gt(compared, 500);
}
END_TEST

/* A curve, named and replayed by discrete events, takes the time that the search says: with whole
 * chunks, for weights of any size. */
START_TEST(search_and_simulator_agree)
{
    uint64_t rng = 7;
    int compared = 0;

    for (int i = 0; i < case_fuzz(2000); i++) {
        struct latency_case k;
        struct plan_problem *p = &k.c.p;
        struct stream s;
        struct slopes v;
        struct reach_found f = {0};
        int units[CASE_LAYERS + 1];

        random_latency(&k, &rng, 14, 12, 6);
        for (int w = 0; w < p->n_weights && i % 2; w++)
            k.c.weight[w].bytes -= rng_below(&rng, 100);
        if (p->limit == LIMIT_UNIFIED && p->m_peak >= 0)
            p->limit = LIMIT_STREAMED; /* U: the disk of the search is the slower, see stream.c */
        ck_assert_int_eq(stream_make(p, false, &s), 0);
        if (slopes_make(&s, NULL, &v, NULL) == 0) {
            ck_assert_int_eq(reach_search(&(struct reach_slopes){.kernels = &v}, 64, INFINITY,
                                          INT_MAX, UINT64_MAX, units, &f),
                             0);
            slopes_done(&v);
        }
        if (f.found) {
            struct plan *plan = plan_new(p);

            ck_assert_int_eq(stream_name(&s, units, plan), 0);
            plan_sum_up(p, plan);
            ck_assert_double_eq_tol(plan_simulate_ns(p, plan), f.ns, 1e-6 * f.ns);
            plan_free(plan);
            compared++;
        }
        stream_done(&s);
    }
    ck_assert_int_gt(compared, 900);
}
END_TEST

/* What is left between plan and bound, in one instance: two weights of layer 3, of 1 and 3 chunks,
 * behind one of 2, in memory for 6. The bound is fluid, and the plan moves in order of need; of all
 * plans, by brute force, the best lies strictly between. */
START_TEST(the_best_plan_lies_between)
{
    static const int capacity[] = {0, 0, 0, 0}, weight[][2] = {{2, 2}, {3, 1}, {3, 3}};
    struct plan_curve curve[] = {
        {.n = 4,
         .bytes = {0, 218, 269, 391},
         .ns = {189, 189, 205.665, 255.889},
         .most_bytes = 277},
        {.n = 4,
         .bytes = {0, 45, 115, 302},
         .ns = {93, 133.479, 242.143, 535.504},
         .most_bytes = 276},
        {.n = 4,
         .bytes = {0, 153, 322, 483},
         .ns = {207, 207, 280.116, 362.022},
         .most_bytes = 285},
    };
    struct plan_case c;
    struct plan *plan;
    struct err err = {0};
    double least;

    case_make(&c, 4, capacity, 3, weight);
    c.layer[0].time_us = 0.195;
    for (int l = 1; l < 4; l++) {
        c.layer[l].time_us = curve[l - 1].ns[0] / 1e3;
        c.layer[l].curve = &curve[l - 1];
    }
    for (int w = 0; w < 3; w++)
        c.weight[w].bytes = 100 * (uint64_t)c.weight[w].chunks;
    c.p.disk_bytes_per_s = 1.44729e9;
    c.p.m_total = 6;
    least = brute_force(&c.p);
    ck_assert_msg(plan_make(&policy_latency, &c.p, &plan, &err) == 0, "%s", err.text);
    ck_assert_double_eq_tol(least, 1029.474, 0.01);
    ck_assert_double_gt(plan->latency_ns, 1.05 * least);
    ck_assert_double_lt(plan->latency_bound_ns, 0.95 * least);
    ck_assert_int_eq(plan->status, PLAN_FEASIBLE);
    plan_free(plan);
}
END_TEST

/* Whatever the mixture of paths, no curve is faster than its mean path at best; and the planner's
 * mixture is no worse than kernels alone. */
START_TEST(any_mixture_is_a_bound)
{
    uint64_t rng = 8;
    int compared = 0, better = 0, near = 0;

    for (int i = 0; i < case_fuzz(1500); i++) {
        struct latency_case k;
        struct plan_problem *p = &k.c.p;
        struct stream s;
        struct slopes v = {0}, w = {0}, x = {0};
        struct critical c, any;
        struct reach_found f = {0};
        double wait[CASE_LAYERS + 1], full[CASE_LAYERS + 1];
        int units[CASE_LAYERS + 1];

        random_latency(&k, &rng, 14, 12, 6);
        p->disk_bytes_per_s = 1e9 * (0.2 + 3 * rng_unit(&rng));
        for (int l = 0; l <= p->n_layers; l++) {
            wait[l] = 1.5 * rng_unit(&rng) - 0.5;
            full[l] = 1.5 * rng_unit(&rng) - 0.5;
        }
        any = (struct critical){.wait = wait, .full = full};
        ck_assert_int_eq(stream_make(p, true, &s), 0);
        if (slopes_make(&s, NULL, &v, NULL) == 0) {
            ck_assert_int_eq(critical_make(&s, NULL, &c), 0);
            ck_assert_int_eq(slopes_make(&s, &any, &w, NULL), 0);
            ck_assert_int_eq(slopes_make(&s, &c, &x, NULL), 0);
            critical_done(&c);
            f.ns = INFINITY;
            for (int again = 0; again < 2; again++) /* complete, once it has a time to beat */
                ck_assert_int_eq(reach_search(&(struct reach_slopes){.kernels = &v}, 4096,
                                              f.ns * (1 + 1e-9), INT_MAX, UINT64_MAX, units, &f),
                                 0);
        }
        if (f.found) {
            double least = f.ns * (1 + 1e-9) + 0.02;

            ck_assert(f.complete);
            ck_assert_msg(slopes_least(&w) <= least, "%d: %g, found %g", i, slopes_least(&w), f.ns);
            ck_assert_msg(slopes_least(&x) <= least, "%d: %g, found %g", i, slopes_least(&x), f.ns);
            better += slopes_least(&x) > slopes_least(&v) * (1 + 1e-6);
            near += slopes_least(&x) > f.ns * 0.97;
            compared++;
        }
        slopes_done(&v);
        slopes_done(&w);
        slopes_done(&x);
        stream_done(&s);
    }
    ck_assert_int_gt(compared, 700);
    ck_assert_msg(2 * better > compared, "%d of %d better", better, compared);
    ck_assert_msg(2 * near > compared, "%d of %d near", near, compared);
    printf("of %d: %d better than kernels alone, %d within 3 %%\n", compared, better, near);
}
END_TEST

/* As near to a least time as the planner comes, with a bound as good, in so much time. */
static bool comes_near(struct plan_instance *in, double least_ns, double limit_s, const char *name)
{
    struct plan *plan;
    struct err err = {0};
    bool near;

    in->problem.time_limit_s = limit_s;
    ck_assert_msg(plan_make(&policy_latency, &in->problem, &plan, &err) == 0, "%s", err.text);
    ck_assert_msg(plan->latency_ns >= least_ns * (1 - 1e-6), "%s: %g ns", name, plan->latency_ns);
    ck_assert(plan->latency_bound_ns <= plan->latency_ns);
    near = plan->latency_ns <= least_ns * 1.002 && plan->latency_bound_ns >= least_ns * (1 - 2e-4);
    ck_assert_msg(near || limit_s < 4, "%s: %g ns, bound %g ns", name, plan->latency_ns,
                  plan->latency_bound_ns);
    plan_free(plan);
    return near;
}

/* The same model as a linear program, written apart and solved by HiGHS
 * (scripts/check/latency_lp.py): fluid, so no plan of whole chunks is faster. The planner's is at
 * most 0.2 % slower, and its bound is that program's: in 0.3 s, on a busy machine in more. */
START_TEST(an_lp_solver_agrees)
{
    char path[4096], line[256], name[64];
    double rate, mib, us;
    int n = 0;
    FILE *f;

    snprintf(path, sizeof(path), "%s/instances/latency_lp.csv", model_datasets_dir());
    f = fopen(path, "r");
    ck_assert_msg(f != NULL, "%s", path);
    ck_assert_ptr_nonnull(fgets(line, sizeof(line), f));
    while (fgets(line, sizeof(line), f)) {
        struct plan_instance in;
        struct err err = {0};
        double limit_s = 0.3;

        ck_assert_int_eq(sscanf(line, "%63[^,],%lf,%lf,%lf", name, &rate, &mib, &us), 4);
        snprintf(path, sizeof(path), "%s/instances/%s.csv", model_datasets_dir(), name);
        ck_assert_msg(plan_instance_read(path, &in, &err) == 0, "%s", err.text);
        in.problem.disk_bytes_per_s = rate * 1e9;
        in.problem.limit = LIMIT_RESIDENT;
        in.problem.m_peak = (int64_t)(mib * (1 << 20)) / (int64_t)in.problem.chunk_bytes;
        while (!comes_near(&in, us * 1e3, limit_s, line))
            limit_s *= 4;
        plan_instance_done(&in);
        n++;
    }
    fclose(f);
    ck_assert_int_ge(n, 28);
}
END_TEST

/* Layers of 100 ns that carry for nothing; 1 byte/ns. w1 (200 bytes) is preloaded: 200. Layer 1
 * moves 100 of w2, which has to arrive: it starts at 300. */
START_TEST(simulated_by_hand)
{
    static const int capacity[] = {3, 3, 3, 0}, weight[][2] = {{1, 2}, {3, 2}, {4, 3}};
    struct plan_curve free = {.n = 2, .bytes = {0, 100}, .ns = {100, 100}, .most_bytes = 1000};
    struct plan_case c;
    struct plan *plan;

    case_make(&c, 4, capacity, 3, weight);
    for (int l = 0; l < 4; l++) {
        c.layer[l].time_us = 0.1;
        c.layer[l].curve = l < 3 ? &free : NULL;
    }
    for (int w = 0; w < 3; w++)
        c.weight[w].bytes = 100 * (uint64_t)c.weight[w].chunks;
    plan = plan_new(&c.p);
    plan->preload[0] = true;
    plan_add_move(plan, 1, 1, 1);
    plan_add_move(plan, 1, 2, 1);
    plan_add_move(plan, 2, 3, 3);
    plan_sum_up(&c.p, plan);
    ck_assert(isnan(plan_simulate_ns(&c.p, plan))); /* no rate */
    c.p.disk_bytes_per_s = 1e9;
    /* 300 -> 400, by when 400 bytes are there: -> 500; layer 3 wants 700 -> 800; -> 900 */
    ck_assert_double_eq_tol(plan_simulate_ns(&c.p, plan), 900, 1e-6);
    /* A ring of one chunk, which is layer 1's until it has run, at 400: layer 2 waits for byte 400
     * until 500, layer 3 from 600 for three chunks, two of them through the ring in front: 900. */
    c.p.ring = 1;
    ck_assert_double_eq_tol(plan_simulate_ns(&c.p, plan), 1100, 1e-6);
    c.p.disk_bytes_per_s = 2e9; /* l1 150..250, l2 300..400, l3 550..650, l4 750 */
    ck_assert_double_eq_tol(plan_simulate_ns(&c.p, plan), 750, 1e-6);
    c.p.ring = 0; /* l1 150..250, l2 250..350, l3 350..450, l4 550 */
    ck_assert_double_eq_tol(plan_simulate_ns(&c.p, plan), 550, 1e-6);
    /* Resident, 4 chunks: read pauses at 400 until layer 1 has run and freed 200: at 250; then at
     * 600 until layer 3 has run, which wants 700: never. */
    c.p.limit = LIMIT_RESIDENT;
    c.p.m_peak = 4;
    ck_assert(isnan(plan_simulate_ns(&c.p, plan)));
    c.p.m_peak = 5; /* 500 until 250, when 500 are there; +200: 700 at 350: as before */
    ck_assert_double_eq_tol(plan_simulate_ns(&c.p, plan), 550, 1e-6);
    plan_free(plan);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan_latency");
    TCase *tc = tcase_create("latency");

    tcase_add_test(tc, no_plan_is_faster_than_the_bound);
    tcase_add_test(tc, weights_of_odd_bytes);
    tcase_add_test(tc, windows_bound_every_plan);
    tcase_add_test(tc, slope_trick_is_the_search_without_a_disk);
    tcase_add_test(tc, search_and_simulator_agree);
    tcase_add_test(tc, the_best_plan_lies_between);
    tcase_add_test(tc, any_mixture_is_a_bound);
    tcase_add_test(tc, an_lp_solver_agrees);
    tcase_add_test(tc, simulated_by_hand);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
