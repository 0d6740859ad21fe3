/* same-op-type: a weight of layer i is loaded during the last earlier layer of the same operator
 * type, whatever its capacity; a weight without one is preloaded. A control (method.md, 10).
 * With respect_capacity, weights that exceed C_l are preloaded; so are, always, those beyond the
 * destinations that one launch can carry. Needs operator types: where they are unknown (bare
 * instances) no two layers count as alike and everything is preloaded, which the note says. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness/plan/plan_build.h"

static int last_alike(const struct plan_problem *p, int consumer)
{
    const char *op = p->layer[consumer - 1].op;

    for (int l = consumer - 1; l >= 1 && op; l--) {
        if (p->layer[l - 1].op && !strcmp(p->layer[l - 1].op, op))
            return l;
    }
    return 0;
}

/* Room at one layer. Consumers ascend, but their layers alike may not: count per layer. */
struct room {
    int64_t left;
    int loads;
};

static int place(const struct plan_problem *p, struct plan *plan, struct room *room, int w)
{
    int chunks = p->weight[w].chunks, l = last_alike(p, p->weight[w].consumer);

    if (l == 0 || (p->respect_capacity && chunks > room[l].left) ||
        (p->max_loads > 0 && room[l].loads == p->max_loads)) {
        plan->preload[w] = true;
        return 0;
    }
    room[l].left -= chunks;
    room[l].loads++;
    return plan_add_move(plan, w, l, chunks);
}

static int solve(const struct plan_problem *p, struct plan *plan, struct err *err)
{
    struct room *room = calloc((size_t)p->n_layers + 1, sizeof(*room));
    bool typed = false;
    int rc = room ? 0 : -ENOMEM;

    for (int l = 1; l <= p->n_layers && rc == 0; l++) {
        room[l].left = p->layer[l - 1].capacity;
        typed = typed || p->layer[l - 1].op;
    }
    if (!typed)
        snprintf(plan->note, sizeof(plan->note), "operator types are unknown: all is preloaded");
    for (int w = 0; w < p->n_weights && rc == 0; w++) {
        if (plan_must_preload(p, w))
            plan->preload[w] = true;
        else
            rc = place(p, plan, room, w);
    }
    free(room);
    return rc == 0 ? 0 : err_set(err, rc, "no memory for the moves of a plan");
}

const struct policy policy_same_op_type = {
    .name = "same-op-type",
    .summary = "a layer loads for the next layer of its own type, whatever its capacity",
    .exceeds_capacity = true,
    .ignores_limit = true,
    .solve = solve,
};
