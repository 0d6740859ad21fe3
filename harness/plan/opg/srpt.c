/* Scheduling the streamed weights when W is fixed. In reverse, weight w is a job released just
 * before layer i_w - 1, of size T_w, and layer l serves C_l units; the distance is the sum over
 * layers of the number of unfinished jobs, which shortest-remaining-first keeps least at every
 * layer at once (README.md, T1). */
#include <errno.h>
#include <stdlib.h>

#include "harness/plan/plan_build.h"

struct job {
    int64_t key; /* least is served first */
    int weight, remaining;
};

struct queue { /* binary heap */
    int n;
    struct job *job;
};

/* Of equals the one released first, as the search's labels have it: limits are kept by that order. */
static bool before(const struct job *x, const struct job *y)
{
    return x->key != y->key ? x->key < y->key : x->weight > y->weight;
}

static void push(struct queue *q, struct job j)
{
    int i = q->n++;

    while (i > 0 && before(&j, &q->job[(i - 1) / 2])) {
        q->job[i] = q->job[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    q->job[i] = j;
}

static void pop(struct queue *q)
{
    struct job last = q->job[--q->n];
    int i = 0;

    for (;;) {
        int child = 2 * i + 1;

        if (child >= q->n)
            break;
        if (child + 1 < q->n && before(&q->job[child + 1], &q->job[child]))
            child++;
        if (!before(&q->job[child], &last))
            break;
        q->job[i] = q->job[child];
        i = child;
    }
    q->job[i] = last;
}

/* One layer serves the head of the queue; the head stays the head while it is being served. */
static int serve_layer(const struct plan_problem *p, enum serve_rule rule, int layer,
                       struct queue *q, struct plan *plan)
{
    int left = plan_capacity(p, layer), loads = 0;

    while (left > 0 && q->n > 0 && (p->max_loads == 0 || loads < p->max_loads)) {
        struct job *head = &q->job[0];
        int chunks = head->remaining < left ? head->remaining : left;

        if (plan_add_move(plan, head->weight, layer, chunks) < 0)
            return -ENOMEM;
        plan->load_layer[head->weight] = layer;
        left -= chunks;
        loads++;
        head->remaining -= chunks;
        if (rule == SERVE_SHORTEST)
            head->key -= chunks;
        if (head->remaining == 0)
            pop(q);
    }
    return 0;
}

/* Moves were made from the last layer to the first: turn them round, then few are left to sort. */
static void order_moves(struct plan *plan)
{
    struct plan_move *m = plan->move;

    for (int i = 0, k = plan->n_moves - 1; i < k; i++, k--) {
        struct plan_move t = m[i];

        m[i] = m[k];
        m[k] = t;
    }
    for (int i = 1; i < plan->n_moves; i++) {
        struct plan_move t = m[i];
        int k = i;

        for (; k > 0 && m[k - 1].layer == t.layer && m[k - 1].weight > t.weight; k--)
            m[k] = m[k - 1];
        m[k] = t;
    }
}

int plan_serve(const struct plan_problem *p, enum serve_rule rule, struct plan *plan,
               int *ret_short)
{
    struct queue q = {0};
    int w = p->n_weights - 1, rc = 0;

    q.job = calloc((size_t)(p->n_weights > 0 ? p->n_weights : 1), sizeof(*q.job));
    if (!q.job)
        return -ENOMEM;
    plan->n_moves = 0;
    free(plan->move);
    plan->move = NULL;
    for (int i = 0; i < p->n_weights; i++)
        plan->load_layer[i] = 0;
    for (int l = p->n_layers - 1; l >= 0; l--) {
        for (; w >= 0 && p->weight[w].consumer == l + 1; w--) {
            int chunks = p->weight[w].chunks;

            if (!plan->preload[w])
                push(&q, (struct job){.key = rule == SERVE_SHORTEST ? chunks : -w,
                                      .weight = w,
                                      .remaining = chunks});
        }
        rc = l > 0 ? serve_layer(p, rule, l, &q, plan) : 0;
        if (rc < 0)
            goto out;
    }
    order_moves(plan);
    if (q.n > 0) {
        if (ret_short)
            *ret_short = q.n;
        rc = -ENOSPC;
    }
out:
    free(q.job);
    return rc;
}
