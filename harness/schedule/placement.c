#include "harness/schedule/placement.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static uint64_t aligned(uint64_t bytes)
{
    return (bytes + PLACE_ALIGN - 1) / PLACE_ALIGN * PLACE_ALIGN;
}

/* ---- arrivals ---- */

struct space {
    struct stretch *s; /* in order, without gaps */
    int n;
};

/* The layer after which [at, at + bytes) is free; the stretch `i` begins at `at`. */
static int free_after(const struct space *sp, int i, uint64_t bytes)
{
    uint64_t end = sp->s[i].from + bytes;
    int after = 0;

    for (; i < sp->n && sp->s[i].from < end; i++)
        after = sp->s[i].free_after > after ? sp->s[i].free_after : after;
    return after;
}

/* Soonest free; of those, the one that wastes least of the stretch where it ends; then the lowest.
 */
static int choose(const struct space *sp, uint64_t bytes, int *ret_after)
{
    uint64_t end = sp->n ? sp->s[sp->n - 1].to : 0;
    int best = -1, soonest = 0;

    for (int i = 0; i < sp->n && sp->s[i].from + bytes <= end; i++) {
        int after = free_after(sp, i, bytes);

        if (best < 0 || after < soonest) {
            best = i;
            soonest = after;
        }
    }
    *ret_after = soonest;
    return best;
}

/* A new tenant from stretch `i` on: what it covers is one stretch now, what it cuts is shorter. */
static void settle(struct space *sp, int i, uint64_t bytes, int last)
{
    uint64_t from = sp->s[i].from, end = from + bytes;
    int k = i;

    while (k < sp->n && sp->s[k].to <= end)
        k++;
    if (k < sp->n)
        sp->s[k].from = end;
    if (k == i) { /* it covers none wholly: one more */
        memmove(sp->s + i + 1, sp->s + i, (size_t)(sp->n - i) * sizeof(*sp->s));
        sp->n++;
    } else {
        memmove(sp->s + i + 1, sp->s + k, (size_t)(sp->n - k) * sizeof(*sp->s));
        sp->n -= k - i - 1;
    }
    sp->s[i] = (struct stretch){from, end, last};
}

int place_arrivals(const struct arrival *a, int n, uint64_t space, const struct spare *spare,
                   uint64_t *ret_at, int *ret_after, int *ret_stuck)
{
    struct space sp = {.s = calloc((size_t)(n + spare->n) + 2, sizeof(*sp.s))};
    int before = 0, rc = 0;

    if (!sp.s)
        return -ENOMEM;
    if (space > 0)
        sp.s[sp.n++] = (struct stretch){0, space, 0};
    for (int i = 0; i < spare->n; i++)
        sp.s[sp.n++] = (struct stretch){space + spare->s[i].from, space + spare->s[i].to,
                                        spare->s[i].free_after};
    for (int i = 0; i < n && rc == 0; i++) {
        uint64_t bytes = aligned(a[i].bytes);
        int after, at = choose(&sp, bytes, &after);

        after = after > before ? after : before;
        if (at < 0 || after >= a[i].need) {
            *ret_stuck = i;
            rc = -ENOSPC;
            break;
        }
        ret_at[i] = sp.s[at].from;
        ret_after[i] = before = after;
        settle(&sp, at, bytes, a[i].last);
    }
    free(sp.s);
    return rc;
}

/* What must be there at once: all that a layer needs, and what came before and stays. */
static uint64_t least_at_once(const struct arrival *a, int n)
{
    uint64_t most = 0;

    for (int i = 0; i < n; i++) {
        uint64_t sum = 0;

        for (int k = 0; k < n; k++)
            if (a[k].need <= a[i].need && a[k].last >= a[i].need)
                sum += aligned(a[k].bytes);
        most = sum > most ? sum : most;
    }
    return most;
}

uint64_t place_least(const struct arrival *a, int n, const struct spare *spare)
{
    uint64_t *at = calloc((size_t)n + 1, sizeof(*at)), least = UINT64_MAX, all = 0;
    uint64_t behind = spare->n ? spare->s[spare->n - 1].to : 0;
    int *after = calloc((size_t)n + 1, sizeof(*after)), stuck, rc = at && after ? 0 : -ENOMEM;

    for (int i = 0; i < n; i++)
        all += aligned(a[i].bytes);
    if (rc == 0) {
        least = least_at_once(a, n);
        for (least = least > behind ? least - behind : 0; least < all;
             least = aligned(least + least / 32 + 1)) {
            rc = place_arrivals(a, n, least, spare, at, after, &stuck);
            if (rc != -ENOSPC)
                break;
        }
        least = least < all ? least : all;
    }
    free(at);
    free(after);
    return rc == -ENOMEM ? UINT64_MAX : least;
}

/* ---- stays ---- */

struct ranked {
    uint64_t bytes;
    int index;
};

static int larger_first(const void *x, const void *y)
{
    const struct ranked *a = x, *b = y;

    return a->bytes != b->bytes ? (a->bytes < b->bytes ? 1 : -1) : a->index - b->index;
}

/* The lowest offset beside those of the first `n` ranked that live at the same time. */
static uint64_t lowest(const struct stay *s, const struct ranked *r, int n, int i,
                       const uint64_t *at)
{
    uint64_t try = 0, bytes = aligned(s[i].bytes);
    bool moved = true;

    while (moved) {
        moved = false;
        for (int k = 0; k < n; k++) {
            int j = r[k].index;
            uint64_t end = at[j] + aligned(s[j].bytes);

            if (s[j].from <= s[i].to && s[i].from <= s[j].to && at[j] < try + bytes && try < end) {
                try = end;
                moved = true;
            }
        }
    }
    return try;
}

uint64_t place_stays(const struct stay *s, int n, uint64_t *ret_at)
{
    struct ranked *r = calloc((size_t)n + 1, sizeof(*r));
    uint64_t top = 0;

    for (int i = 0; r && i < n; i++)
        r[i] = (struct ranked){s[i].bytes, i};
    if (r)
        qsort(r, (size_t)n, sizeof(*r), larger_first);
    for (int k = 0; k < n; k++) {
        int i = r ? r[k].index : k;

        /* out of memory: side by side, which is right and large */
        ret_at[i] = r ? lowest(s, r, k, i, ret_at) : top;
        if (ret_at[i] + aligned(s[i].bytes) > top)
            top = ret_at[i] + aligned(s[i].bytes);
    }
    free(r);
    return top;
}

static int by_value(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

    return a < b ? -1 : a > b;
}

static int last_in(const struct stay *s, int n, const uint64_t *at, uint64_t from, uint64_t to)
{
    int last = 0;

    for (int i = 0; i < n; i++)
        if (s[i].bytes > 0 && at[i] < to && from < at[i] + aligned(s[i].bytes) && s[i].to > last)
            last = s[i].to;
    return last;
}

int place_last_stays(const struct stay *s, int n, const uint64_t *at, uint64_t space,
                     struct spare *ret_spare)
{
    uint64_t *edge = calloc(2 * (size_t)n + 2, sizeof(*edge));
    struct stretch *to = calloc(2 * (size_t)n + 2, sizeof(*to));
    int edges = 0, m = 0;

    if (!edge || !to) {
        free(edge);
        free(to);
        return -ENOMEM;
    }
    for (int i = 0; i < n; i++) {
        edge[edges++] = at[i];
        edge[edges++] = at[i] + aligned(s[i].bytes);
    }
    edge[edges++] = 0;
    edge[edges++] = space;
    qsort(edge, (size_t)edges, sizeof(*edge), by_value);
    for (int i = 0; i + 1 < edges; i++) {
        int last = edge[i] < edge[i + 1] ? last_in(s, n, at, edge[i], edge[i + 1]) : -1;

        if (last < 0)
            continue;
        if (m > 0 && to[m - 1].free_after == last)
            to[m - 1].to = edge[i + 1];
        else
            to[m++] = (struct stretch){edge[i], edge[i + 1], last};
    }
    free(edge);
    *ret_spare = (struct spare){to, m};
    return 0;
}
