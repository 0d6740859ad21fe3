/* always-next: layer l loads all weights of layer l + 1, whatever its capacity; the first layer's
 * are preloaded. A control (method.md, 10): needs no planning, and loads most of a transformer's
 * weights beside softmax and layer norm, which carry nothing for free.
 * With respect_capacity, weights that exceed C_l are preloaded; so are, always, those beyond the
 * destinations that one launch can carry. */
#include <errno.h>

#include "harness/plan/plan_build.h"

static int solve(const struct plan_problem *p, struct plan *plan, struct err *err)
{
    int layer = 0, left = 0, loads = 0;

    for (int w = 0; w < p->n_weights; w++) {
        const struct plan_weight *k = &p->weight[w];

        if (plan_must_preload(p, w)) {
            plan->preload[w] = true;
            continue;
        }
        if (k->consumer - 1 != layer) {
            layer = k->consumer - 1;
            left = p->layer[layer - 1].capacity;
            loads = 0;
        }
        if ((p->respect_capacity && k->chunks > left) ||
            (p->max_loads > 0 && loads == p->max_loads)) {
            plan->preload[w] = true;
            continue;
        }
        left -= p->respect_capacity ? k->chunks : 0;
        loads++;
        if (plan_add_move(plan, w, layer, k->chunks) < 0)
            return err_set(err, -ENOMEM, "no memory for the moves of a plan");
    }
    return 0;
}

const struct policy policy_always_next = {
    .name = "always-next",
    .summary = "each layer loads the next layer's weights, whatever its capacity",
    .exceeds_capacity = true,
    .ignores_limit = true,
    .solve = solve,
};
