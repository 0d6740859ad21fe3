/* The independent checker. It shares no code with the policies, not even small helpers: what is
 * written twice here is written twice on purpose. Plain loops over layers and weights, O(N n). */
#include "harness/plan/plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

struct check {
    const struct plan_problem *p;
    const struct plan *plan;
    int64_t *moved; /* [n_weights] chunks moved up to the layer under inspection */
    int *first;     /* [n_weights] first layer that moves some; 0: none */
    int64_t objective, peak;
};

static const char *name_of(const struct check *c, int w)
{
    return c->p->weight[w].name ? c->p->weight[w].name : "?";
}

/* Moves name layers and weights that exist, at least one chunk, in order, none twice. */
static int check_moves(const struct check *c, struct err *err)
{
    for (int i = 0; i < c->plan->n_moves; i++) {
        const struct plan_move *m = &c->plan->move[i];

        if (m->weight < 0 || m->weight >= c->p->n_weights)
            return err_set(err, -EPROTO, "move %d: no weight '%d'", i, m->weight);
        if (m->layer < 1 || m->layer > c->p->n_layers)
            return err_set(err, -EPROTO, "weight '%s': no layer '%d'", name_of(c, m->weight),
                           m->layer);
        if (m->chunks < 1)
            return err_set(err, -EPROTO, "weight '%s', layer %d: moves '%d' chunks",
                           name_of(c, m->weight), m->layer, m->chunks);
        if (i == 0)
            continue;
        if (m[-1].layer == m->layer && m[-1].weight == m->weight)
            return err_set(err, -EPROTO, "weight '%s', layer %d: moved twice",
                           name_of(c, m->weight), m->layer);
        if (m[-1].layer > m->layer || (m[-1].layer == m->layer && m[-1].weight > m->weight))
            return err_set(err, -EPROTO, "moves are not in order of layer, then weight");
    }
    return 0;
}

/* C0, the preload rules, and z_w (C1). */
static int check_complete(struct check *c, struct err *err)
{
    const struct plan_problem *p = c->p;

    for (int i = 0; i < c->plan->n_moves; i++) {
        const struct plan_move *m = &c->plan->move[i];
        const struct plan_weight *w = &p->weight[m->weight];

        if (c->plan->preload[m->weight])
            return err_set(err, -EPROTO, "C0: weight '%s' is preloaded and moved in layer %d",
                           name_of(c, m->weight), m->layer);
        if (m->layer >= w->consumer)
            return err_set(err, -EPROTO, "C0: weight '%s' is moved in layer %d, needed in layer %d",
                           name_of(c, m->weight), m->layer, w->consumer);
        if (c->moved[m->weight] == 0)
            c->first[m->weight] = m->layer;
        c->moved[m->weight] += m->chunks;
    }
    for (int w = 0; w < p->n_weights; w++) {
        if (c->plan->preload[w]) {
            if (c->plan->load_layer[w] != 0)
                return err_set(err, -EPROTO, "C1: weight '%s' is preloaded, its load layer is '%d'",
                               name_of(c, w), c->plan->load_layer[w]);
            continue;
        }
        if (p->weight[w].forced)
            return err_set(err, -EPROTO, "weight '%s' has to be preloaded, by name", name_of(c, w));
        if (p->weight[w].consumer == 1)
            return err_set(err, -EPROTO, "weight '%s' is read by layer 1 and not preloaded",
                           name_of(c, w));
        if (c->moved[w] != p->weight[w].chunks)
            return err_set(err, -EPROTO, "C0: weight '%s': %" PRId64 " of %d chunks are moved",
                           name_of(c, w), c->moved[w], p->weight[w].chunks);
        if (c->plan->load_layer[w] != c->first[w])
            return err_set(
                err, -EPROTO,
                "C1: weight '%s': load layer '%d', but its first chunk moves in layer %d",
                name_of(c, w), c->plan->load_layer[w], c->first[w]);
    }
    return 0;
}

/* C3 and the destinations of a launch. */
static int check_layers(const struct check *c, bool ignore_capacity, struct err *err)
{
    const struct plan *plan = c->plan;

    for (int i = 0; i < plan->n_moves;) {
        int layer = plan->move[i].layer, capacity = c->p->layer[layer - 1].capacity, loads = 0;
        int64_t sum = 0;

        for (; i < plan->n_moves && plan->move[i].layer == layer; i++, loads++)
            sum += plan->move[i].chunks;
        if (!ignore_capacity && sum > capacity)
            return err_set(err, -EPROTO,
                           "C3: layer %d moves %" PRId64 " chunks, its capacity is %d", layer, sum,
                           capacity);
        if (c->p->max_loads > 0 && loads > c->p->max_loads)
            return err_set(err, -EPROTO,
                           "layer %d carries %d destinations, at most %d fit a launch", layer,
                           loads, c->p->max_loads);
    }
    return 0;
}

/* Chunks at layer l under a reading, when moved[] holds what layers 1..l have moved. */
static int64_t held(const struct check *c, enum plan_limit limit, int l, int64_t in_layer)
{
    int64_t sum = 0;

    if (limit == LIMIT_LITERAL)
        return in_layer;
    for (int w = 0; w < c->p->n_weights; w++) {
        const struct plan_weight *k = &c->p->weight[w];
        bool preload = c->plan->preload[w];

        switch (limit) {
        case LIMIT_STREAMED:
            sum += !preload && k->consumer > l ? c->moved[w] : 0;
            break;
        case LIMIT_RESIDENT:
            sum += k->last_use <= l ? 0 : preload ? k->chunks : c->moved[w];
            break;
        case LIMIT_UNIFIED:
            sum += !preload && k->last_use > l && c->moved[w] > 0 ? k->chunks : 0;
            break;
        case LIMIT_LITERAL:
            break;
        }
    }
    return sum;
}

/* Whole weights there while layer l runs: what l reads for the last time is still there. */
static int64_t really_held(const struct check *c, int l)
{
    int64_t sum = 0;

    for (int w = 0; w < c->p->n_weights; w++) {
        const struct plan_weight *k = &c->p->weight[w];

        if (k->last_use >= l && (c->plan->preload[w] || c->moved[w] > 0))
            sum += k->chunks;
    }
    return sum;
}

/* C2 under the problem's reading at layers 0..N, and the peak. */
static int check_memory(struct check *c, struct err *err)
{
    const struct plan_problem *p = c->p;
    enum plan_limit reading = p->m_peak < 0 ? LIMIT_RESIDENT : p->limit;

    for (int w = 0; w < p->n_weights; w++)
        c->moved[w] = 0;
    for (int l = 0, i = 0; l <= p->n_layers; l++) {
        int64_t in_layer = 0, sum, total;

        for (; i < c->plan->n_moves && c->plan->move[i].layer == l; i++) {
            c->moved[c->plan->move[i].weight] += c->plan->move[i].chunks;
            in_layer += c->plan->move[i].chunks;
        }
        sum = held(c, reading, l, in_layer);
        total = p->m_total > 0 ? really_held(c, l) : sum;
        if (p->m_peak >= 0 && sum > p->m_peak)
            return err_set(err, -EPROTO,
                           "C2 (%s): layer %d holds %" PRId64 " chunks, the limit is %" PRId64,
                           plan_limit_names[reading], l, sum, p->m_peak);
        if (p->m_total > 0 && total > p->m_total)
            return err_set(err, -EPROTO,
                           "memory: layer %d holds weights of %" PRId64
                           " chunks, the limit leaves %" PRId64,
                           l, total, p->m_total);
        if (total > c->peak)
            c->peak = total;
    }
    return 0;
}

static int check_sums(struct check *c, struct err *err)
{
    const struct plan_problem *p = c->p;
    const struct plan *plan = c->plan;
    int64_t chunks = 0;
    uint64_t bytes = 0;

    for (int w = 0; w < p->n_weights; w++) {
        if (plan->preload[w]) {
            c->objective += p->a * (p->price == PRICE_COUNT ? (int64_t)1 : p->weight[w].chunks);
            chunks += p->weight[w].chunks;
            bytes += p->weight[w].bytes;
        } else {
            c->objective += (int64_t)p->b * (p->weight[w].consumer - c->first[w]);
        }
    }
    if (plan->objective != c->objective)
        return err_set(err, -EPROTO, "objective: the plan says %" PRId64 ", it is %" PRId64,
                       plan->objective, c->objective);
    if (plan->preloaded != chunks || plan->preloaded_bytes != bytes)
        return err_set(err, -EPROTO,
                       "preloaded: the plan says %" PRId64 " chunks of %" PRIu64
                       " bytes, it is %" PRId64 " of %" PRIu64,
                       plan->preloaded, plan->preloaded_bytes, chunks, bytes);
    return 0;
}

int plan_check(const struct plan_problem *p, const struct plan *plan, bool ignore_capacity,
               int64_t *ret_objective, int64_t *ret_peak, struct err *err)
{
    struct check c = {.p = p, .plan = plan};
    size_t n = (size_t)(p->n_weights > 0 ? p->n_weights : 1);
    int rc;

    c.moved = calloc(n, sizeof(*c.moved));
    c.first = calloc(n, sizeof(*c.first));
    if (!c.moved || !c.first) {
        rc = err_set(err, -ENOMEM, "no memory to check a plan of %d weights", p->n_weights);
        goto out;
    }
    rc = check_moves(&c, err);
    if (rc == 0)
        rc = check_complete(&c, err);
    if (rc == 0)
        rc = check_sums(&c, err);
    if (rc == 0)
        rc = check_layers(&c, ignore_capacity, err);
    if (rc == 0)
        rc = check_memory(&c, err);
    if (rc < 0)
        goto out;
    if (ret_objective)
        *ret_objective = c.objective;
    if (ret_peak)
        *ret_peak = c.peak;
out:
    free(c.moved);
    free(c.first);
    return rc;
}
