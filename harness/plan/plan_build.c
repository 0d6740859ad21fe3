#include "harness/plan/plan_build.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/clock.h"

struct plan *plan_new(const struct plan_problem *p)
{
    struct plan *plan = calloc(1, sizeof(*plan));
    size_t n = (size_t)(p->n_weights ? p->n_weights : 1);

    if (!plan)
        return NULL;
    plan->preload = calloc(n, sizeof(*plan->preload));
    plan->load_layer = calloc(n, sizeof(*plan->load_layer));
    if (!plan->preload || !plan->load_layer) {
        plan_free(plan);
        return NULL;
    }
    plan->status = PLAN_FEASIBLE;
    plan->lower_bound = -1;
    plan->latency_ns = plan->latency_bound_ns = NAN;
    return plan;
}

void plan_free(struct plan *plan)
{
    if (!plan)
        return;
    free(plan->preload);
    free(plan->load_layer);
    free(plan->move);
    free(plan);
}

int plan_add_move(struct plan *plan, int weight, int layer, int chunks)
{
    int n = plan->n_moves;

    /* The room is the next power of two, so that struct plan need not carry it. */
    if ((n & (n - 1)) == 0) {
        size_t room = n ? 2 * (size_t)n : 1;
        struct plan_move *more = realloc(plan->move, room * sizeof(*more));

        if (!more)
            return -ENOMEM;
        plan->move = more;
    }
    plan->move[n] = (struct plan_move){.weight = weight, .layer = layer, .chunks = chunks};
    plan->n_moves = n + 1;
    return 0;
}

static int move_order(const void *a, const void *b)
{
    const struct plan_move *x = a, *y = b;

    if (x->layer != y->layer)
        return x->layer < y->layer ? -1 : 1;
    return (x->weight > y->weight) - (x->weight < y->weight);
}

void plan_sort_moves(struct plan *plan)
{
    if (plan->n_moves > 1)
        qsort(plan->move, (size_t)plan->n_moves, sizeof(*plan->move), move_order);
}

int plan_wider(int width, int most, uint64_t last_ns, uint64_t deadline_ns)
{
    static const double worth = 1.4, growth = 1.3;
    uint64_t now_ns = clock_ns();
    double left = now_ns < deadline_ns ? (double)(deadline_ns - now_ns) : 0;
    double ratio = pow(left / (double)(last_ns + 1), 1 / growth);

    if (!(ratio >= worth))
        return 0;
    return (int)(width * fmin(ratio, most));
}

void plan_sum_up(const struct plan_problem *p, struct plan *plan)
{
    int64_t price = 0, distance = 0;

    memset(plan->load_layer, 0, (size_t)p->n_weights * sizeof(*plan->load_layer));
    for (int i = 0; i < plan->n_moves; i++) {
        int *z = &plan->load_layer[plan->move[i].weight];

        if (*z == 0 || plan->move[i].layer < *z)
            *z = plan->move[i].layer;
    }
    plan->preloaded = 0;
    plan->preloaded_bytes = 0;
    for (int w = 0; w < p->n_weights; w++) {
        if (plan->preload[w]) {
            price += plan_price_of(p, w);
            plan->preloaded += p->weight[w].chunks;
            plan->preloaded_bytes += p->weight[w].bytes;
        } else {
            distance += p->weight[w].consumer - plan->load_layer[w];
        }
    }
    plan->objective = p->a * price + p->b * distance;
}
